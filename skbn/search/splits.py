"""Candidates, and the rows of a split as the last step of a pipeline meets them."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from traceback import format_exc
from typing import Any, NamedTuple

import joblib
import numpy as np
from sklearn.base import BaseEstimator, clone
from sklearn.pipeline import Pipeline

from skbn._compat import (
    check_method_params,
    looks_at_predictions_only,
    safe_split,
    validate_parameters,
    without_callbacks,
)
from skbn.checks import check_labels, check_rows, positions_among
from skbn.estimators.checked_table import CheckedTable, check_table
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.population import copies_plainly, is_network
from skbn.search.time_limit import TimeLimit
from skbn.search.workload import Workload
from skbn.training.holdout import Dataset, Holdout
from skbn.training.interruption import uninterrupted_worker

PARAMETERS = frozenset(BNSoftmaxClassifier().get_params())


def is_pipeline(estimator: Any) -> bool:
    """Whether an estimator has a list of named steps, as Pipelines of all kinds have.

    One that has `partial_fit` itself is trained as a whole.
    """
    steps = getattr(estimator, "steps", None)
    has_steps = isinstance(steps, list) and bool(steps) and all(map(_is_step, steps))
    return has_steps and not hasattr(estimator, "partial_fit")


def _is_step(step: Any) -> bool:
    return isinstance(step, (tuple, list)) and len(step) == 2 and isinstance(step[0], str)


def last_step(estimator: Any) -> Any:
    """The last step of a Pipeline, and of a Pipeline that is one; or the estimator itself."""
    return last_step(estimator.steps[-1][1]) if is_pipeline(estimator) else estimator


def last_prefix(estimator: Any) -> str:
    """Beginning of the names that parameters of the last step have in an estimator."""
    if not is_pipeline(estimator):
        return ""
    name, step = estimator.steps[-1]
    return f"{name}__{last_prefix(step)}"


def with_last_step(estimator: Any, last: Any) -> Any:
    """A Pipeline of the same steps but for the last; not of copies of them."""
    if not is_pipeline(estimator):
        return last
    made, (name, step) = copy(estimator), estimator.steps[-1]
    made.steps = [*estimator.steps[:-1], (name, with_last_step(step, last))]
    return made


def is_plain(estimator: Any) -> bool:
    """Whether an estimator predicts what its last step does of transformed rows."""
    if not is_pipeline(estimator):
        return True
    return type(estimator) is Pipeline and is_plain(estimator.steps[-1][1])


def ends_in_network(estimator: Any) -> bool:
    """Whether an estimator is a classifier that trains beside others, alone or in a Pipeline."""
    return is_network(estimator.steps[-1][1] if type(estimator) is Pipeline else estimator)


class Candidate(NamedTuple):
    """An estimator with the parameters of a candidate, in two parts."""

    before: dict[str, Any]  # parameters of a pipeline but for those of its last step
    last: Any
    key: str  # of all that decides the rows that the last step meets
    is_valid: bool = False  # whether the parameters of a network were checked

    @classmethod
    def of(cls, estimator: Any, params: dict[str, Any]) -> Candidate:
        """Set parameters."""
        last, start, key = last_step(estimator), last_prefix(estimator), ""
        if replaced := {n: v for n, v in params.items() if start.startswith(f"{n}__")}:
            start = last_prefix(whole(estimator, replaced))
        before = {name: value for name, value in params.items() if not name.startswith(start)}
        if before:
            last = last_step(whole(estimator, before))
            key = " ".join(f"{name}={_key(value)}" for name, value in sorted(before.items()))
        own = {n.removeprefix(start): value for n, value in params.items() if n not in before}
        if is_network(last) and copies_plainly(last) and own.keys() <= PARAMETERS:
            last = copy(last)  # nobody changes the values
            for name, value in own.items():
                setattr(last, name, value)
        else:
            last = clone(last).set_params(**clone(own, safe=False))
        # Rows of networks are checked and converted; others take them as they are.
        kind = f"network {last.dtype}" if is_network(last) else ""
        return cls(before, last, f"{key} {kind}")


def checked(candidates: dict[int, Candidate]) -> dict[int, Candidate]:
    """Check the parameters of networks, each only for what it does not share with another."""
    outcome: dict[int, Candidate] = {}
    likes: dict[type, Any] = {}
    for i, candidate in candidates.items():
        kind = type(candidate.last)
        if is_network(candidate.last):
            try:
                validate_parameters(candidate.last, likes.get(kind))
                candidate, likes[kind] = candidate._replace(is_valid=True), candidate.last
            except ValueError:  # which training will report
                pass
        outcome[i] = candidate
    return outcome


def _key(value: Any) -> str:
    """Text that tells values from one another."""
    try:
        return str(joblib.hash(value))
    except Exception:  # lambdas and the like, of a list that outlives the search
        return str(id(value))


def whole(estimator: Any, params: dict[str, Any]) -> Any:
    """A clone with parameters."""
    return clone(estimator).set_params(**clone(params, safe=False))


class Rules(NamedTuple):
    """How the fits of a search are trained and judged."""

    scorer: Any
    accuracy: bool  # whether the scorer is no more than the fraction of rows that are right
    error_score: Any
    by_epochs: bool
    memory_budget: float  # bytes, of a population
    limit: TimeLimit
    workload: Workload | None = None  # which hears of epochs


@dataclass
class Split:
    """Rows to train and to test on, as the last step of a pipeline meets them.

    Parameters
    ----------
    X_test, y_test : array-like
    score_params : dict of str to object
    table : CheckedTable or None
        Rows for networks.
    fit_params : dict of str to object
        Further arguments of their `fit`.
    rows : tuple of (X, y, dict of str to object)
        Rows, targets and further arguments for other estimators.
    holdout : Holdout or None
        The rows to test on, for the learning curves of networks.
    x_test, labels : ndarray
        The same, to count what is right: unknown labels are -1.
    pipeline : Pipeline or None
        The transformers, and the rows to test on before they were transformed: for
        scorers that may look at them.
    error : str
        Why there are no rows.
    """

    X_test: Any = None
    y_test: Any = None
    score_params: dict[str, Any] = field(default_factory=dict)
    table: CheckedTable | None = None
    fit_params: dict[str, Any] = field(default_factory=dict)
    rows: tuple[Any, Any, dict[str, Any]] = (None, None, {})
    holdout: Holdout | None = None
    x_test: Any = None
    labels: Any = None
    pipeline: tuple[Any, Any] | None = None
    error: str = ""

    @property
    def dataset(self) -> Dataset:
        """Rows for networks, as they train on them."""
        if self.table is None:
            raise ValueError("the split has no rows for networks")
        return self.table.dataset

    @property
    def n_bytes(self) -> int:
        """Bytes of the rows."""
        held = [self.X_test, self.x_test, self.rows[0], self.pipeline and self.pipeline[1]]
        if self.table is not None:
            held += [self.dataset.x, self.dataset.validation and self.dataset.validation.x]
        return sum(n_bytes(each) for each in {id(each): each for each in held}.values())

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and classes of the table."""
        if self.table is None:
            return 0, 0
        return len(self.dataset.labels), len(self.table.classes)


def n_bytes(X: Any) -> int:
    """Bytes of a table, a frame or a sparse matrix; 0 where that is not known."""
    if hasattr(X, "memory_usage"):
        return int(X.memory_usage().sum())
    return int(getattr(getattr(X, "data", X), "nbytes", 0))


class _Recorder(BaseEstimator):
    """Stands in for the last step of a pipeline, and keeps what it would be fitted to."""

    recorded_: Any

    def __init__(self, estimator: Any = None) -> None:
        self.estimator = estimator

    def __getattr__(self, name: str) -> Any:
        raise AttributeError(
            "resource='epochs' fits the steps before the last once a split, and trains the last "
            "one after that, which a Pipeline of this kind does not allow: it copies its last step "
            f"or asks for its {name!r} before. Use resource=None"
        )

    def fit(self, X: Any, y: Any = None, **params: Any) -> _Recorder:
        self.recorded_ = X, y, params
        return self

    def transform(self, X: Any) -> Any:
        # A pipeline counts as fitted if its last step does, which transformers may not.
        return X

    def get_metadata_routing(self) -> Any:
        return self.estimator.get_metadata_routing()


def prepare(
    parent: int,
    which: tuple[str, int],
    estimator: Any,
    candidate: Candidate,
    X: Any,
    y: Any,
    rows: tuple[Any, Any],
    options: dict[str, Any],
    rules: Rules,
) -> tuple[tuple[str, int], Split]:
    """Fit the transformers on a split, and transform it.

    Parameters
    ----------
    parent : int
        Process of the search.
    which : tuple of (str, int)
        Key of the transformers, and number of the split.
    estimator : estimator
        Of the search.
    candidate : Candidate
        One that has these transformers.
    X, y : array-like
        All rows.
    rows : tuple of ndarray
        To train and to test on.
    options : dict of str to object
        With ``fit_params`` and ``score_params``.
    rules : Rules
    """
    train, test = rows
    try:
        with uninterrupted_worker(parent):
            params = check_method_params(X, params=options["fit_params"], indices=train)
            X_train, y_train = safe_split(estimator, X, y, train)
            raw, y_test = safe_split(estimator, X, y, test, train)
            X_test, pipeline, last = raw, None, candidate.last
            is_enough = looks_at_predictions_only(rules.scorer)
            if is_pipeline(estimator):
                recorder = _Recorder(last)
                # Its own callbacks hear of fits of the whole of it, such as the refit.
                pipeline = without_callbacks(whole(estimator, candidate.before))
                pipeline = with_last_step(pipeline, recorder)
                is_enough &= is_plain(pipeline)
                targets = () if y_train is None else (y_train,)
                pipeline.fit(X_train, *targets, **params)
                X_train, y_train, params = recorder.recorded_
                recorder.recorded_ = None  # it may be sent to workers
                try:
                    X_test = pipeline.transform(raw)
                except Exception:  # scoring is to fail as it would alone
                    is_enough, rules = False, rules._replace(accuracy=False, by_epochs=False)
            split = Split(
                X_test=X_test,
                y_test=y_test,
                score_params=check_method_params(X, params=options["score_params"], indices=test),
                pipeline=None if is_enough else (pipeline, raw),
            )
            if not is_network(last):
                split.rows = X_train, y_train, params
            else:
                _tabulate(split, last, X_train, y_train, params, rules)
    except Exception:
        if rules.error_score == "raise":
            raise
        split = Split(X_test=np.zeros((len(test), 0)), error=format_exc())
    return which, split


def _tabulate(
    split: Split, classifier: Any, X: Any, y: Any, params: dict[str, Any], rules: Rules
) -> None:
    """Check rows once for all networks."""
    # The table holds rows in the dtype of training, so that none other is kept.
    split.table = table = check_table(clone(classifier), X, y, reset=True)
    split.fit_params = params
    if not (rules.accuracy or rules.by_epochs):
        return
    dtypes = [np.float64, np.float32]
    try:
        x_test = check_rows(table.checker, split.X_test, dtype=dtypes, reset=False)
        labels = np.asarray(check_labels(split.y_test)).ravel()
    except ValueError:
        return  # scoring is to fail as it would alone
    split.x_test, split.labels = x_test, positions_among(table.classes, labels)
    known = split.labels >= 0
    if rules.by_epochs and known.any() and params.get("X_val") is None:
        rows = None if known.all() else np.flatnonzero(known)
        split.holdout = Holdout(rows, of_validation=True)
        x_test = x_test.astype(table.dataset.x.dtype, copy=False)
        table.dataset = replace(table.dataset, validation=Dataset(x_test, split.labels))
