"""From a model and tables to the runs of a session."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, replace
from mmap import mmap
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.utils import check_random_state

from skbn._compat import callbacks_of
from skbn.estimators.checked_table import CheckedTable, check_table
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.fit_tasks import Rows, with_names
from skbn.estimators.fitting import Fit, plan_fit
from skbn.estimators.pipelines import classifier_of, transform_in
from skbn.training.holdout import Dataset


@dataclass(eq=False)
class Prepared:
    """A model that is trained: its classifier and, of a Pipeline, what stands before it.

    Parameters
    ----------
    classifier : BNSoftmaxClassifier
        Unfitted, with its present parameters.
    pipeline : Pipeline or None
        With fitted transformers.
    table : CheckedTable
        Rows that went through them.
    fit : Fit
    weights : dict of str to ndarray
        Sample weights of the rows and of those of the validation set, where they have some.
    """

    classifier: BNSoftmaxClassifier
    pipeline: Pipeline | None
    table: CheckedTable
    fit: Fit
    weights: dict[str, Any]

    def model_of(self, fitted: BNSoftmaxClassifier) -> Any:
        """Give a model of the kind that was given, with copies of the transformers."""
        if self.pipeline is None:
            return fitted
        # Callbacks are shared, as scikit-learn's clone has it.
        pipeline = deepcopy(self.pipeline, {id(each): each for each in callbacks_of(self.pipeline)})
        pipeline.steps[-1] = (pipeline.steps[-1][0], fitted)
        return pipeline

    def rows(self) -> Rows:
        """Give the rows as the classifier meets them, for callbacks."""
        table, params = self.table, dict(self.weights)
        if (validation := table.dataset.validation) is not None:
            params["X_val"] = with_names(table, validation.x)
            params["y_val"] = table.classes[validation.labels]
        return Rows.of_table(table, params)


def names_without_seed(model: Any) -> list[str]:
    """Name each ``random_state`` of a model that is none."""
    params, none = model.get_params(), (None, np.random, check_random_state(None))
    names = [name for name in params if name.rpartition("__")[2] == "random_state"]
    return sorted(name for name in names if any(params[name] is each for each in none))


def drawn_seeds(model: Any) -> dict[str, int]:
    """Draw a seed for each ``random_state`` of a model that is none."""
    # From NumPy's global stream, as scikit-learn has it for None.
    stream = check_random_state(None)
    return {name: int(stream.randint(2**31)) for name in names_without_seed(model)}


def prepare(model: Any, X: Any, y: Any, fit_params: Mapping[str, Any]) -> Prepared:
    """Fit the transformers, check what goes through them, and plan the runs.

    Parameters
    ----------
    model : BNSoftmaxClassifier or Pipeline
        Unfitted, with seeds.
    X, y : array-like
    fit_params : mapping of str to object
        Further arguments of `BNSoftmaxClassifier.fit`.

    Returns
    -------
    prepared : Prepared
    """
    model, fit_params = clone(model), dict(fit_params)
    given = [X, fit_params.get("X_val")]
    classifier, pipeline = classifier_of(model), None
    X = transform_in(model, X, y)
    if isinstance(model, Pipeline):
        pipeline = model
        if fit_params.get("X_val") is not None and len(model.steps) > 1:
            fit_params["X_val"] = model[:-1].transform(fit_params["X_val"])
    # Of a copy, whose attributes are those of its rows.
    table = check_table(clone(classifier), X, y, reset=True)
    fit = plan_fit(classifier, table, fit_params)
    table.dataset = _own(table.dataset, given)
    names = "sample_weight", "sample_weight_val"
    weights = {n: np.array(fit_params[n]) for n in names if fit_params.get(n) is not None}
    return Prepared(classifier, pipeline, table, fit, weights)


def _own(dataset: Dataset, given: Sequence[Any]) -> Dataset:
    """Give a dataset whose rows nobody changes: a session lives as long as a notebook.

    Parameters
    ----------
    dataset : Dataset
    given : sequence of array-like
        Tables of a user, of which it may share the memory.
    """
    x = dataset.x
    rows = x.data if issparse(x) else x
    others = [each.data if issparse(each) else each for each in given]
    others = [each for each in others if isinstance(each, np.ndarray)]
    is_shared = rows.base is not None or any(np.may_share_memory(rows, each) for each in others)
    validation = None if dataset.validation is None else _own(dataset.validation, given)
    x = x.copy() if is_shared and not _is_mapped(rows) else x
    return replace(dataset, x=x, validation=validation)


def _is_mapped(array: Any) -> bool:
    """Whether an array lies in a memory map, of which a copy may have no room."""
    while array is not None and not isinstance(array, (np.memmap, mmap)):
        array = getattr(array, "base", None)
    return array is not None
