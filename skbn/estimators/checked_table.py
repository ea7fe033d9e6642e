"""Rows and labels that were checked: what runs are planned on."""

from __future__ import annotations

from copy import copy
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from sklearn.utils.multiclass import check_classification_targets

from skbn.checks import check_labels, check_rows, encode_labels, find_classes
from skbn.network.parameters import Indices
from skbn.training.holdout import Dataset


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
    _validation_rows: list[tuple[Any, Any]] = field(default_factory=list)
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
        """Check a validation set that goes with the table, if that is not done yet."""
        if self.dataset.validation is not None:
            return
        if not self._validation_rows:
            y_val, dtype = check_labels(y_val, "y_val"), self.dataset.x.dtype
            checked = check_rows(self.checker, X_val, y_val, name="X_val", dtype=dtype, reset=False)
            self._validation_rows.append(checked)
        x, y = self._validation_rows[0]
        labels = encode_labels(y, self.classes, "y_val")
        self.dataset = replace(self.dataset, validation=Dataset(x, labels))


def check_table(
    estimator: Any, X: Any, y: Any, *, reset: bool, classes: Any = None
) -> CheckedTable:
    """Check rows and labels, and encode the labels.

    Parameters
    ----------
    estimator : BNSoftmaxClassifier
        It is left as it is.
    X, y : array-like
    reset : bool
        Whether the rows may have other features than those of the last fit.
    classes : ndarray of shape (n_classes,), optional
        Found among the labels by default.

    Returns
    -------
    table : CheckedTable
    """
    checker, dtype = copy(estimator), np.dtype(estimator.dtype)
    X, y = check_rows(checker, X, check_labels(y), dtype=dtype, reset=reset)
    if classes is None:
        classes = find_classes(y)
        check_classification_targets(y)
    return CheckedTable(checker, Dataset(X, encode_labels(y, classes)), classes)
