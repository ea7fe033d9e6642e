"""Rows and labels that were checked: what runs are planned on."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from skbn._compat import n_samples
from skbn.checks import check_labels, check_rows, encode_labels, find_classes
from skbn.network.parameters import Indices
from skbn.training.holdout import Dataset

HOW_TO_TRANSFORM = (
    "In a Pipeline X_val must be transformed as X is, which "
    'Pipeline(transform_input=["X_val"]) does where metadata routing is enabled (user guide, '
    '"Validation sets and early stopping")'
)
"""What to do about a validation set that is not like the training set."""


@dataclass
class CheckedTable:
    """Rows and labels as training takes them, checked once for all that train on them.

    Parameters
    ----------
    checker : estimator
        Whose ``n_features_in_`` and ``feature_names_in_`` are those of the rows.
    dataset : Dataset
    classes : ndarray of shape (n_classes,)
        Sorted labels, of which the dataset has the positions.
    """

    checker: Any
    dataset: Dataset
    classes: Any
    _validation_rows: list[tuple[Any, Any, Any, Any]] = field(default_factory=list)
    _restricted: dict[bytes, CheckedTable] = field(default_factory=dict)

    def restricted(self, rows: Indices) -> CheckedTable:
        """Give a table with the classes of some rows only; X is shared."""
        present = np.unique(self.dataset.labels[rows])
        if len(present) == len(self.classes):
            return self
        which = present.tobytes()
        if which not in self._restricted:
            classes = find_classes(self.classes[present])
            labels = np.searchsorted(present, self.dataset.labels)
            self._restricted[which] = CheckedTable(
                self.checker, Dataset(self.dataset.x, labels), classes, self._validation_rows
            )
        return self._restricted[which]

    def add_validation_set(self, X_val: Any, y_val: Any) -> None:
        """Check a validation set that goes with the table; the same one is checked once."""
        held = self._validation_rows
        if not held or held[0][0] is not X_val or held[0][1] is not y_val:
            labels, dtype = check_labels(y_val, "y_val"), self.dataset.x.dtype
            how = {"name": "X_val", "dtype": dtype, "reset": False}
            try:
                x, y = check_rows(self.checker, X_val, labels, **how)
            except ValueError as error:
                if n_samples(labels) != n_samples(X_val):
                    raise
                text = str(error).removesuffix(".").replace("X has", "X_val has", 1)
                raise ValueError(f"{text}. {HOW_TO_TRANSFORM}") from error
            held[:] = [(X_val, y_val, x, y)]
        *_, x, y = held[0]
        if self.dataset.validation is not None and self.dataset.validation.x is x:
            return
        labels = encode_labels(y, self.classes, "y_val")
        self.dataset = replace(self.dataset, validation=Dataset(x, labels))


def check_table(
    estimator: Any, X: Any, y: Any, *, reset: bool, classes: Any = None
) -> CheckedTable:
    """Check rows and labels, and encode the labels.

    Parameters
    ----------
    estimator : BNSoftmaxClassifier
        Whose attributes on the features are set or checked.
    X, y : array-like
    reset : bool
        Whether they are set.
    classes : ndarray of shape (n_classes,), optional
        Found among the labels by default.

    Returns
    -------
    table : CheckedTable
    """
    dtype = np.dtype(estimator.dtype)
    X, y = check_rows(estimator, X, check_labels(y), dtype=dtype, reset=reset)
    if classes is None:
        classes = find_classes(y)
        with np.errstate(invalid="ignore"):  # of labels too large for a whole number
            check_classification_targets(y)
    return CheckedTable(estimator, Dataset(X, encode_labels(y, classes)), classes)
