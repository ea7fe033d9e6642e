"""Rows on their way through a fitted model, whose steps are re-estimated on what reaches them."""

from __future__ import annotations

from collections.abc import Iterator
from copy import deepcopy
from functools import wraps
from typing import Any

from joblib import parallel_config
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skbn.drift.scalers import NoMomentsError, re_estimate
from skbn.estimators.adapted import with_moments
from skbn.estimators.classifier import BNSoftmaxClassifier, attributes_of, set_attributes

METHODS = ("predict_proba", "predict_log_proba", "decision_function", "predict", "transform")
"""Methods by which rows pass through a part of a model."""
COMPOSITES = (Pipeline, ColumnTransformer, FeatureUnion)
"""What is its parts and nothing else."""


class Passage:
    """A single passage of rows through a fitted model, which is changed on the way.

    Each part is met at the first call of one of its methods, by whatever calls it, and is
    re-estimated before that call goes on.

    Parameters
    ----------
    model : fitted classifier
        Changed in place, and of no use after an error.
    prior_rows : float or "auto"

    Attributes
    ----------
    re_estimated : list of dict
        "step", "type", "prior_rows" and "moved" of each, in the order of the passage; of networks
        also "layer".
    left_alone : list of dict
        "step", "type" and "why" of the others.
    networks : list of BNSoftmaxClassifier
        All that were met.
    """

    def __init__(self, model: Any, prior_rows: float | str) -> None:
        self.model = model
        self.prior_rows = prior_rows
        self.re_estimated: list[dict[str, Any]] = []
        self.left_alone: list[dict[str, Any]] = []
        self.networks: list[BNSoftmaxClassifier] = []
        self._hooked: dict[int, tuple[Any, list[str]]] = {}

    def run(self, X: Any) -> Any:
        """Give what the model, re-estimated on these rows, predicts for them."""
        try:
            for name, part in parts_of(self.model):
                self._hook(name or type(part).__name__.lower(), part)
            # In other processes the parts would be copies.
            with parallel_config(backend="sequential"):
                predict = getattr(self.model, "predict_proba", None) or self.model.predict
                return predict(X)
        finally:
            for part, _ in list(self._hooked.values()):
                self._unhook(part)

    def _hook(self, name: str, part: Any) -> None:
        methods = [method for method in METHODS if hasattr(part, method)]
        self._hooked[id(part)] = part, methods
        for method in methods:
            setattr(part, method, self._first_call(name, part, method))

    def _unhook(self, part: Any) -> None:
        for method in self._hooked.pop(id(part), (part, []))[1]:
            delattr(part, method)

    def _first_call(self, name: str, part: Any, method: str) -> Any:
        """A method that re-estimates its part before it does what it did."""

        @wraps(getattr(part, method))
        def met(X: Any, *args: Any, **params: Any) -> Any:
            is_first = id(part) in self._hooked
            self._unhook(part)
            n_changed, n_left = len(self.re_estimated), len(self.left_alone)
            if getattr(part, "copy", True) is False:
                X = deepcopy(X)  # the part may write into it
            why = self._re_estimate(name, part, X) if is_first else None
            output = getattr(part, method)(X, *args, **params)
            if why and n_changed == len(self.re_estimated) and not isinstance(part, COMPOSITES):
                record = {"step": name, "type": type(part).__name__, "why": why}
                self.left_alone[n_left:] = [record]  # for all that is within
            return output

        return met

    def _re_estimate(self, name: str, part: Any, X: Any) -> str | None:
        """Re-estimate a part, or say why not."""
        record = {"step": name, "type": type(part).__name__}
        if isinstance(part, BNSoftmaxClassifier):
            self.networks.append(part)
            if not part.bn_mean_:
                return "it has no layer with batch norm"
            adapted, layers = with_moments(part, X, self.prior_rows)
            set_attributes([(part, attributes_of(adapted))])
            self.re_estimated += [record | layer for layer in layers]
            return None
        try:
            self.re_estimated.append(record | re_estimate(part, X, self.prior_rows))
        except NoMomentsError as reason:
            return str(reason)
        return None


def rows_for(model: Any, X: Any) -> Any:
    """Give rows that a model may overwrite: a copy, if a part of it works in place."""
    is_in_place = any(getattr(part, "copy", True) is False for _, part in parts_of(model))
    return deepcopy(X) if is_in_place else X


def parts_of(model: Any, name: str = "", met: set[int] | None = None) -> Iterator[tuple[str, Any]]:
    """Give a fitted model, the estimators in its attributes, and those in theirs, by name."""
    met = set() if met is None else met
    if id(model) not in met:
        met.add(id(model))
        yield name, model
        for inner, part in _parts_within(model):
            yield from parts_of(part, "__".join(filter(None, (name, inner))), met)


def _parts_within(model: Any) -> Iterator[tuple[str, Any]]:
    if hasattr(model, "best_estimator_"):
        yield "", model.best_estimator_
    elif not isinstance(model, BNSoftmaxClassifier):
        state = model.__getstate__()
        for name, value in state.items() if isinstance(state, dict) else ():
            if not name.startswith("_"):
                yield from _estimators_in(name, value)


def _estimators_in(name: str, value: Any) -> Iterator[tuple[str, Any]]:
    """Give an estimator, or those of a list or dict by their names."""
    if isinstance(value, dict):
        for key, each in value.items():
            yield from _estimators_in(str(key), each)
    elif isinstance(value, tuple) and value and isinstance(value[0], str):  # name, step, columns
        yield from _estimators_in(value[0], value[1])
    elif isinstance(value, list):
        for k, each in enumerate(value):
            yield from _estimators_in(f"{name}{k}", each)
    elif not isinstance(value, type) and (
        hasattr(value, "get_params") or hasattr(value, "predict_proba")
    ):
        yield name, value
