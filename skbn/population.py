"""Fitting many classifiers at once, for searches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
from sklearn.base import clone
from sklearn.utils.validation import check_consistent_length

from skbn._compat import n_samples, safe_indexing, validate_parameters
from skbn.classifier import BNSoftmaxClassifier
from skbn.lockstep import Training, train_together
from skbn.model import Model
from skbn.network.parameters import Indices
from skbn.network.training import Data
from skbn.stopping import ValidationSet
from skbn.validation import find_classes

MEMORY_BUDGET = 2**28
Drawn = dict[Any, Model]
"""Models before their first step, by all that decides them."""


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

    Those whose networks have the same shapes, and as many rows and mini-batches, take
    their training steps together, in the same matrix products. Each comes out as
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
    before = [dict(vars(classifier)) for classifier in classifiers]
    outcomes: list[Any] = [None] * len(classifiers)
    try:
        params = {"X_val": X_val, "y_val": y_val, "sample_weight_val": sample_weight_val}
        params["sample_weight"] = sample_weight
        trainings = begin(classifiers, X, y, params, rows)
        if not return_exceptions:
            _raise_first(trainings)
        both = list(zip(trainings, classifiers, strict=True))
        train_together([(t, c.max_iter) for t, c in both if isinstance(t, Training)], memory_budget)
        ended = [finish(c, t) for t, c in both]
        if not return_exceptions:
            _raise_first(ended)
        outcomes = ended
    finally:
        # Those that could not be fitted are as before, and all of them after an error.
        for classifier, old, outcome in zip(classifiers, before, outcomes, strict=True):
            if outcome is not classifier:
                classifier.__dict__.clear()
                classifier.__dict__.update(old)
    return outcomes


def begin(
    classifiers: Sequence[BNSoftmaxClassifier],
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
    rows: Sequence[Indices] | None = None,
) -> list[Training | Exception]:
    """Check parameters and data, and give what is to be done for each, or its error.

    Parameters
    ----------
    classifiers : sequence of BNSoftmaxClassifier
        Their fitted attributes that tell of the data are set.
    X, y : array-like
    fit_params : dict of str to object
        Further arguments of `BNSoftmaxClassifier.fit`, for all rows of X.
    rows : sequence of int ndarray, optional
        For each the rows to train on.

    Returns
    -------
    trainings : list of Training or Exception
    """
    tables: dict[str, Table] = {}
    drawn: Drawn = {}
    gone_on: dict[str, Data] = {}
    trainings: list[Training | Exception] = []
    for k, classifier in enumerate(classifiers):
        try:
            validate_parameters(classifier)
            here = None if rows is None else rows[k]
            if classifier.warm_start and hasattr(classifier, "_model"):
                training = _go_on(classifier, X, y, fit_params, here)
                shared = gone_on.setdefault(classifier.dtype, training.data)
                if here is None and np.array_equal(training.data.labels, shared.labels):
                    for each in training.all:
                        each.data = replace(each.data, x=shared.x, labels=shared.labels)
                trainings.append(training)
                continue
            if classifier.dtype not in tables:
                tables[classifier.dtype] = Table(classifier, X, y, fit_params)
            trainings.append(tables[classifier.dtype].begin(classifier, drawn, here))
        except Exception as error:
            trainings.append(error)
    return trainings


class Table:
    """Rows and labels that were checked once for all classifiers of a dtype.

    Parameters
    ----------
    classifier : BNSoftmaxClassifier
        One of them.
    X, y : array-like
    fit_params : dict of str to object
        Further arguments of `BNSoftmaxClassifier.fit`.
    """

    def __init__(
        self, classifier: BNSoftmaxClassifier, X: Any, y: Any, fit_params: dict[str, Any]
    ) -> None:
        checker = clone(classifier)
        self.X, self.labels = checker._check_training_rows(X, y, reset=True)
        self.about = {n: v for n, v in vars(checker).items() if n.endswith("_")}
        self.fit_params = fit_params
        self.by_classes: dict[bytes, Indices] = {}
        self.X_val: Any = None

    def begin(
        self, classifier: BNSoftmaxClassifier, drawn: Drawn, rows: Indices | None = None
    ) -> Training:
        """Give the training of a classifier on the rows, or on some of them.

        Those of one seed begin from one model: ``drawn`` holds what was drawn so far.
        """
        classifier.__dict__.pop("feature_names_in_", None)  # of an earlier table
        classifier.__dict__.update(self.about)
        if rows is None:
            training = classifier._training(self.X, self.labels, **self.fit_params, drawn=drawn)
        else:
            training = self._begin_on(classifier, drawn, rows)
        if self.fit_params.get("X_val") is not None:
            # Converted for each, but kept once.
            for each in training.all:
                self.X_val = each.validation.x if self.X_val is None else self.X_val
                each.validation = replace(each.validation, x=self.X_val)
        return training

    def _begin_on(self, classifier: BNSoftmaxClassifier, drawn: Drawn, rows: Indices) -> Training:
        present = np.unique(self.labels[rows])
        classifier.classes_ = find_classes(self.about["classes_"][present])
        # Those trained on the same classes share their labels, and so can train together.
        labels = self.by_classes.setdefault(
            present.tobytes(), np.searchsorted(present, self.labels)
        )
        params = _of_rows(self.fit_params, rows, self.X)
        training = classifier._training(self.X, labels[rows], **params, drawn=drawn)
        for each in training.all:
            chosen = each.data.rows
            chosen = rows if chosen is None else rows[chosen[0]]
            each.data = replace(each.data, labels=labels, rows=chosen[None])
            each.validation = _of_whole(each.validation, rows)
            each.held_out = _of_whole(each.held_out, rows)
        return training


def _of_whole(validation: ValidationSet | None, rows: Indices) -> ValidationSet | None:
    """Number the rows that were drawn from some rows by those of the whole table."""
    if validation is None or validation.rows is None:
        return validation
    return replace(validation, rows=rows[validation.rows])


def _go_on(
    classifier: BNSoftmaxClassifier,
    X: Any,
    y: Any,
    fit_params: dict[str, Any],
    rows: Indices | None,
) -> Training:
    """Give the training that goes on with a fitted classifier."""
    if rows is not None:
        fit_params = _of_rows(fit_params, rows, X)
        X, y = safe_indexing(X, rows), safe_indexing(y, rows)
    X, labels = classifier._check_training_rows(X, y, reset=False)
    return classifier._training(X, labels, **fit_params, going_on=True)


def finish(classifier: BNSoftmaxClassifier, training: Training | Exception) -> Any:
    """Publish what was trained, and give the classifier or its error."""
    if isinstance(training, Exception):
        return training
    if training.error:
        return ValueError(training.error)
    classifier._publish_training(training)
    return classifier


def _of_rows(fit_params: dict[str, Any], rows: Indices, X: Any) -> dict[str, Any]:
    weights = fit_params.get("sample_weight")
    if weights is None or np.ndim(weights) == 0:
        return fit_params
    check_consistent_length(weights, X)
    return fit_params | {"sample_weight": safe_indexing(weights, rows)}


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
    return rows.astype(np.intp)


def _raise_first(outcomes: Sequence[Any]) -> None:
    for k, outcome in enumerate(outcomes):
        if isinstance(outcome, Exception):
            outcome.add_note(f"This is of classifiers[{k}]; none was fitted")
            raise outcome
