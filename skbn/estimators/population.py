"""Fitting many classifiers at once, for searches."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length

from skbn._compat import n_samples, safe_indexing, validate_parameters
from skbn.estimators.checked_table import CheckedTable, check_table
from skbn.estimators.classifier import (
    BNSoftmaxClassifier,
    attributes_after,
    attributes_of,
    progress_to_go_on,
    set_attributes,
)
from skbn.estimators.fit_tasks import FitTasks, Rows, fit_tasks, hooks_of
from skbn.estimators.fitting import Fit, Outcome, Starts, plan_fit
from skbn.network.parameters import Indices
from skbn.training.interruption import Interrupted, interruptible
from skbn.training.lockstep import run_together

METHODS = (
    "fit",
    "partial_fit",
    "predict",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score",
)
"""A subclass that overrides none of these is trained and judged by its runs."""


def is_network(estimator: Any) -> bool:
    """Whether an estimator may be trained and judged by its runs, beside others."""
    kind = type(estimator)
    return isinstance(estimator, BNSoftmaxClassifier) and _has_own(METHODS, kind)


COPYING = ("__init__", "get_params", "set_params", "__getstate__", "__setstate__", "__reduce_ex__")
"""A subclass that overrides none of these is copied as the classifier is."""


def copies_plainly(classifier: BNSoftmaxClassifier) -> bool:
    """Whether a copy of an unfitted classifier is as good as a clone, which takes longer."""
    kind = type(classifier)
    special = hasattr(kind, "__copy__") or hasattr(kind, "__slots__")
    return not special and _has_own(COPYING, kind)


def unfitted_copy(classifier: BNSoftmaxClassifier) -> BNSoftmaxClassifier:
    """Give another unfitted classifier with the same parameters."""
    made: BNSoftmaxClassifier = (copy if copies_plainly(classifier) else clone)(classifier)
    return made


def _has_own(names: Iterable[str], kind: type) -> bool:
    """Whether methods of a class are those of the classifier itself."""
    return all(getattr(kind, name) is getattr(BNSoftmaxClassifier, name) for name in names)


MEMORY_BUDGET = 2**28
"""Bytes beside the data and the classifiers."""


def fit_population(
    classifiers: Iterable[BNSoftmaxClassifier],
    X: Any,
    y: Any,
    sample_weight: Any = None,
    *,
    rows: Sequence[Any] | None = None,
    X_val: Any = None,
    y_val: Any = None,
    sample_weight_val: Any = None,
    memory_budget: float = MEMORY_BUDGET,
    return_exceptions: bool = False,
) -> list[Any]:
    """Fit several classifiers, on the same or on different rows, in much less time.

    Networks of the same shapes, with as many rows and mini-batches, take their training
    steps together, in the same matrix products. Each classifier comes out as
    ``classifier.fit(X[rows[k]], y[rows[k]], ...)`` would leave it, to the last bit.
    Small networks gain most.

    Parameters
    ----------
    classifiers : iterable of BNSoftmaxClassifier
        With parameters of their own; fitted in place. With ``warm_start`` one that is
        fitted goes on.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        All rows.

    y : array-like of shape (n_samples,)
        Their labels.

    sample_weight : array-like of shape (n_samples,), default=None
        Their weights.

    rows : sequence of array-like of int or bool, default=None
        For each classifier the rows of X to train on, by position or by a mask, such as
        the training rows of a fold. None is all rows for all of them.

    X_val, y_val, sample_weight_val : array-like, default=None
        As of `BNSoftmaxClassifier.fit`, for all of them.

    memory_budget : float, default=2**28
        Bytes that may be taken beside the data and the classifiers. With few of them
        fewer networks are trained at a time.

    return_exceptions : bool, default=False
        Whether an error of a classifier stands in its place in the list, and the others
        are fitted all the same. By default it is raised.

    Returns
    -------
    fitted : list
        The classifiers, in order, and the errors that stand for some.

    Raises
    ------
    ValueError
        As `BNSoftmaxClassifier.fit`, for one of the classifiers: its number is noted.
        All of them are then as they were before the call. Also if ``rows`` is not one
        set of rows of X for each.

    See Also
    --------
    skbn.search.CoarseToFineSearchCV : A search that trains its candidates so.

    Notes
    -----
    X is checked as a whole: rows that nobody trains on must be finite too. No line is
    printed for an epoch, whatever ``verbose`` says. At Ctrl-C the classifiers are as
    they were before the call.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import StratifiedKFold
    >>> from skbn import BNSoftmaxClassifier, fit_population
    >>> X, y = load_iris(return_X_y=True)
    >>> rates = [0.001, 0.01, 0.1]
    >>> folds = list(StratifiedKFold(5).split(X, y))
    >>> fitted = fit_population(
    ...     [
    ...         BNSoftmaxClassifier((32,), learning_rate_init=rate, random_state=0)
    ...         for rate in rates
    ...         for _ in folds
    ...     ],
    ...     X,
    ...     y,
    ...     rows=[train for _ in rates for train, _ in folds],
    ... )
    >>> tests = [test for _ in rates for _, test in folds]
    >>> scores = [model.score(X[test], y[test]) for model, test in zip(fitted, tests)]
    >>> len(scores)
    15
    """
    classifiers = list(classifiers)
    for k, classifier in enumerate(classifiers):
        if not isinstance(classifier, BNSoftmaxClassifier):
            raise TypeError(f"classifiers[{k}] is no BNSoftmaxClassifier: {classifier!r}")
    if len({id(classifier) for classifier in classifiers}) < len(classifiers):
        raise ValueError("a classifier is there twice; give clones of it, by sklearn.base.clone")
    if rows is not None:
        rows = [_positions(each, X, f"rows[{k}]") for k, each in enumerate(rows)]
        if len(rows) != len(classifiers):
            raise ValueError(f"rows has {len(rows)} elements for {len(classifiers)} classifiers")
    params = {"sample_weight": sample_weight, "X_val": X_val, "y_val": y_val}
    params["sample_weight_val"] = sample_weight_val
    plans = _Plans(X, y, params)
    try:
        outcomes = _fit_all(classifiers, plans, rows, memory_budget, return_exceptions)
    except BaseException:
        set_attributes(plans.fitted_by_themselves)
        raise
    both = list(zip(classifiers, outcomes, strict=True))
    return [each if isinstance(each, Exception) else classifier for classifier, each in both]


def _fit_all(
    classifiers: Sequence[BNSoftmaxClassifier],
    plans: _Plans,
    rows: Sequence[Indices] | None,
    memory_budget: float,
    return_exceptions: bool,
) -> list[Any]:
    """Fit classifiers, and give the error of each or anything else."""
    begun = [
        _outcome(plans.begin, classifier, None if rows is None else rows[k])
        for k, classifier in enumerate(classifiers)
    ]
    if not return_exceptions:
        _raise_first(begun)
    with ExitStack() as callbacks:
        begun = [
            _outcome(_with_tasks, classifier, each, callbacks)
            if isinstance(each, _Planned)
            else each
            for classifier, each in zip(classifiers, begun, strict=True)
        ]
        if not return_exceptions:
            _raise_first(begun)
        planned = [each for each in begun if isinstance(each, _Planned)]
        run_together(
            (task for each in planned for task in each.fit.tasks(each.table.dataset)),
            memory_budget=memory_budget,
            **hooks_of(each.tasks for each in planned),
        )
        ended = [_outcome(_end, each) if isinstance(each, _Planned) else each for each in begun]
        if not return_exceptions:
            _raise_first(ended)
    made = [
        _outcome(attributes_after, classifier, planned.table, outcome)
        if isinstance(outcome, Outcome)
        else outcome
        for classifier, planned, outcome in zip(classifiers, begun, ended, strict=True)
    ]
    if not return_exceptions:
        _raise_first(made)
    both = zip(classifiers, made, strict=True)
    set_attributes([(classifier, each) for classifier, each in both if isinstance(each, dict)])
    return made


class _Planned(NamedTuple):
    """The runs of a classifier, the table they train on, and what callbacks get of it."""

    fit: Fit
    table: CheckedTable
    rows: Rows
    tasks: FitTasks | None = None
    callbacks: AbstractContextManager[Any] = nullcontext()  # ends with the fit


@dataclass
class _Plans:
    """Tables and first networks that classifiers share.

    Parameters
    ----------
    X, y : array-like
    params : dict of str to object
        Further arguments of `BNSoftmaxClassifier.fit`.
    """

    X: Any
    y: Any
    params: dict[str, Any]
    tables: dict[str, CheckedTable] = field(default_factory=dict)
    gone_on: dict[str, CheckedTable] = field(default_factory=dict)
    starts: Starts = field(default_factory=Starts)
    fitted_by_themselves: list[tuple[BNSoftmaxClassifier, dict[str, Any]]] = field(
        default_factory=list
    )
    """Classifiers with a `fit` of their own, and the attributes that they had before."""

    def begin(self, classifier: BNSoftmaxClassifier, rows: Indices | None) -> _Planned | None:
        """Give the runs of a classifier; one whose class has a `fit` of its own is fitted."""
        if not is_network(classifier):
            self._fit_by_itself(classifier, rows)
            return None
        validate_parameters(classifier)
        if progress := progress_to_go_on(classifier):
            X, y, params = self._of_rows(rows)
            table = check_table(classifier, X, y, reset=False, classes=classifier.classes_)
            if rows is None:
                self._share(table, classifier.dtype)
            fit = plan_fit(classifier, table, params, progress=progress)
            return _Planned(fit, table, Rows(X, y, params))
        if classifier.dtype not in self.tables:
            table = check_table(clone(classifier), self.X, self.y, reset=True)
            self.tables[classifier.dtype] = table
        table, params = self.tables[classifier.dtype], self.params
        if rows is not None:
            table, params = table.restricted(rows), _of_rows(self.params, rows, self.X)
        fit = plan_fit(classifier, table, params, rows=rows, starts=self.starts)
        return _Planned(fit, table, Rows(self.X, self.y, self.params, rows))

    def _fit_by_itself(self, classifier: BNSoftmaxClassifier, rows: Indices | None) -> None:
        X, y, params = self._of_rows(rows)
        before = classifier, attributes_of(classifier)
        try:
            # Its `fit` may end at a KeyboardInterrupt with a model that is half trained.
            with interruptible():
                classifier.fit(X, y, **{n: v for n, v in params.items() if v is not None})
        except BaseException as error:
            set_attributes([before])
            if isinstance(error, Interrupted):
                raise KeyboardInterrupt from None
            raise
        self.fitted_by_themselves.append(before)

    def _of_rows(self, rows: Indices | None) -> tuple[Any, Any, dict[str, Any]]:
        if rows is None:
            return self.X, self.y, self.params
        X, y = safe_indexing(self.X, rows), safe_indexing(self.y, rows)
        return X, y, _of_rows(self.params, rows, self.X)

    def _share(self, table: CheckedTable, dtype: str) -> None:
        """Let classifiers that go on have one copy of X, if the labels are the same."""
        shared = self.gone_on.setdefault(dtype, table).dataset
        if np.array_equal(table.dataset.labels, shared.labels):
            table.dataset = replace(table.dataset, x=shared.x, labels=shared.labels)


def _with_tasks(classifier: BNSoftmaxClassifier, begun: _Planned, callbacks: ExitStack) -> _Planned:
    """Tell the callbacks of a classifier that its fit begins."""
    own = callbacks.enter_context(ExitStack())
    tasks = fit_tasks(classifier, "fit", begun.fit, begun.table, begun.rows)
    return begun._replace(tasks=own.enter_context(tasks), callbacks=own)


def _end(begun: _Planned) -> Outcome:
    """Give the outcome of a fit when all is trained."""
    with begun.callbacks:
        outcome = begun.fit.warned_outcome(begun.table.dataset)
        if begun.tasks is not None:
            begun.tasks.end(outcome)
    return outcome


def _outcome(function: Any, *arguments: Any) -> Any:
    """Call a function, and give its result or its error."""
    try:
        return function(*arguments)
    except Exception as error:
        return error


def _of_rows(fit_params: Mapping[str, Any], rows: Indices, X: Any) -> dict[str, Any]:
    weights = fit_params.get("sample_weight")
    if weights is None or np.ndim(weights) == 0:
        return dict(fit_params)
    check_consistent_length(weights, X)
    return {**fit_params, "sample_weight": safe_indexing(weights, rows)}


def _positions(rows: Any, X: Any, name: str) -> Indices:
    """Check that rows are positions in X, or a mask of it, and give positions."""
    n_rows, rows = n_samples(X), np.asarray(rows)
    if rows.dtype == bool and rows.shape == (n_rows,):
        rows = np.flatnonzero(rows)
    valid = rows.ndim == 1 and rows.size and rows.dtype.kind in "iu"
    if not valid or rows.min() < 0 or rows.max() >= n_rows:
        raise ValueError(
            f"{name} must hold positions from 0 to {n_rows - 1}, or be a mask of {n_rows} "
            f"booleans; got {rows}"
        )
    positions: Indices = rows.astype(np.intp)
    return positions


def _raise_first(outcomes: Sequence[Any]) -> None:
    for k, outcome in enumerate(outcomes):
        if isinstance(outcome, Exception):
            outcome.add_note(f"This is of classifiers[{k}]; none was fitted")
            raise outcome
