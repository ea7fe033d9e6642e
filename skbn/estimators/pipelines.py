"""A classifier, alone or the last step of a Pipeline, and rows as it meets them."""

from __future__ import annotations

from typing import Any

from sklearn.pipeline import Pipeline

from skbn._compat import validate_parameters
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.population import is_network


def classifier_of(model: Any) -> BNSoftmaxClassifier:
    """Give the classifier of a model that is trained by its runs, or say why there is none."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    if not isinstance(last, BNSoftmaxClassifier):
        start = "a Pipeline that ends in " if isinstance(model, Pipeline) else ""
        raise TypeError(
            "model must be a BNSoftmaxClassifier or a Pipeline that ends in one; got "
            f"{start}{last!r:.80}"
        )
    if not is_network(last):
        raise TypeError(
            f"{type(last).__name__} has a fit or a prediction of its own, which would be passed "
            "over here; give a BNSoftmaxClassifier"
        )
    for name, step in getattr(model, "steps", ()):
        if hasattr(step, "fit_resample"):
            raise TypeError(
                f"step {name!r} of the Pipeline draws other rows, which cannot be followed here; "
                "resample X and y first, by its fit_resample"
            )
    validate_parameters(last)
    return last


def transform_in(model: Any, X: Any, y: Any) -> Any:
    """Fit the transformers of a model, in place, and give X as its classifier meets it."""
    if not isinstance(model, Pipeline) or len(model.steps) == 1:
        return X
    transformers = model[:-1]
    X = transformers.fit_transform(X, y)
    model.steps[:-1] = transformers.steps
    return X


def classifier_within(model: Any) -> Any:
    """Give the classifier at the bottom of Pipelines and searches.

    Parameters
    ----------
    model : fitted estimator

    Returns
    -------
    classifier : fitted estimator
    """
    while True:
        if isinstance(model, Pipeline):
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model
