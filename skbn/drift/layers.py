"""How far the inputs of each batch-norm layer moved: the covariate shift inside a network."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skbn.estimators.adapted import layer_moments_of
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.pipelines import classifier_within


def rows_within(model: Any, X: Any) -> Any:
    """Transform rows as the Pipelines around the classifier of `classifier_within` do.

    Parameters
    ----------
    model : fitted estimator
    X : table of shape (n_samples, n_features)

    Returns
    -------
    X : table
    """
    while True:
        if isinstance(model, Pipeline):
            X = model[:-1].transform(X) if len(model.steps) > 1 else X
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return X


def table_of_layers(model: Any, X_old: Any, X_new: Any) -> Any:
    """Moments of the input of each batch-norm layer, then and now.

    Parameters
    ----------
    model : fitted estimator
    X_old, X_new : tables

    Returns
    -------
    table : DataFrame or None
        A row a hidden layer, over the units of all members: "shift", the root mean square
        of how far the means moved in old deviations, "largest", the largest such move, and
        "spread", the geometric mean of the ratios of new to old deviations. None without a
        `BNSoftmaxClassifier`, or without batch norm.
    """
    classifier = classifier_within(model)
    if not isinstance(classifier, BNSoftmaxClassifier):
        return None
    old, new = (layer_moments_of(classifier, rows_within(model, X)) for X in (X_old, X_new))
    rows = {layer + 1: _row(*old[layer], *new[layer]) for layer in old}
    if not rows:
        return None
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("layer")


def _row(mean_old: Any, var_old: Any, mean_new: Any, var_new: Any) -> dict[str, float]:
    varies = (var_old > 0) & (var_new > 0)
    if not varies.any():
        return {"shift": 0.0, "largest": 0.0, "spread": 1.0}
    moves = (mean_new[varies] - mean_old[varies]) / np.sqrt(var_old[varies])
    ratios = np.log(var_new[varies] / var_old[varies]) / 2
    return {
        "shift": float(np.sqrt(np.mean(moves**2))),
        "largest": float(np.abs(moves).max()),
        "spread": float(np.exp(ratios.mean())),
    }
