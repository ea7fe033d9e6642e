"""What a model predicts for old and for new rows."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri
from sklearn.pipeline import Pipeline

from skbn.checks import check_labels, encode_labels
from skbn.drift.priors import bootstrap_interval, estimate_class_prior
from skbn.drift.two_sample import CONFIDENCE, Estimate


def last_step(model: Any) -> Any:
    """Give the classifier at the bottom of Pipelines and searches.

    Parameters
    ----------
    model : estimator

    Returns
    -------
    classifier : estimator
    """
    while True:
        if isinstance(model, Pipeline):
            model = model.steps[-1][1]
        elif hasattr(model, "best_estimator_"):
            model = model.best_estimator_
        else:
            return model


def wilson_interval(share: float, n_rows: int) -> Estimate:
    """Give a share with the interval of Wilson (1927).

    Parameters
    ----------
    share : float
    n_rows : int

    Returns
    -------
    estimate : Estimate
    """
    z2 = ndtri((1 + CONFIDENCE) / 2) ** 2
    centre = (share + z2 / (2 * n_rows)) / (1 + z2 / n_rows)
    margin = np.sqrt(z2 * (share * (1 - share) / n_rows + z2 / (4 * n_rows**2))) / (1 + z2 / n_rows)
    return Estimate(float(share), float(max(0, centre - margin)), float(min(1, centre + margin)))


def mean_estimate(values: Any) -> Estimate:
    """Give a mean with its normal interval.

    Parameters
    ----------
    values : ndarray of shape (n,)
        Between 0 and 1.

    Returns
    -------
    estimate : Estimate
    """
    margin = ndtri((1 + CONFIDENCE) / 2) * values.std(ddof=1) / np.sqrt(len(values))
    mean = float(values.mean())
    return Estimate(mean, float(max(0.0, mean - margin)), float(min(1.0, mean + margin)))


def table_of_classes(
    classes: Any, predicted_old: Any, predicted_new: Any, proba_old: Any, proba_new: Any, model: Any
) -> Any:
    """Shares of the predicted classes and priors of the classes, then and now.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    predicted_old, predicted_new : int ndarray of shape (n,)
    proba_old, proba_new : ndarray of shape (n, n_classes) or None
    model : classifier
        Whose ``class_prior_`` is the old prior, if it has one.

    Returns
    -------
    table : DataFrame
    """
    n = len(classes)
    shares = {
        "old": np.bincount(predicted_old, minlength=n) / len(predicted_old),
        "new": np.bincount(predicted_new, minlength=n) / len(predicted_new),
    }
    if proba_old is None:
        priors: dict[str, Any] = dict.fromkeys(("prior_old", "prior_new", "low", "high"), np.nan)
    else:
        old: Any = getattr(model, "class_prior_", None)
        old = proba_old.mean(axis=0) if np.shape(old) != (n,) else np.asarray(old)
        old = np.maximum(old, 1e-12)
        interval = bootstrap_interval(proba_new, old)
        priors = {
            "prior_old": old,
            "prior_new": estimate_class_prior(proba_new, old),
            "low": interval[:, 0],
            "high": interval[:, 1],
        }
    return pd.DataFrame(shares | priors, index=pd.Index(classes, name="class"))


def accuracy_of(predicted: Any, y: Any, classes: Any) -> tuple[Estimate | None, int]:
    """Accuracy on the rows that have a label, with its interval and their number.

    Parameters
    ----------
    predicted : int ndarray of shape (n,)
    y : array-like of shape (n,)
        Missing where a row has no label.
    classes : ndarray of shape (n_classes,)

    Returns
    -------
    accuracy : Estimate or None
    n_labels : int
    """
    labels = pd.Series(np.ravel(np.asarray(y, dtype=object)), dtype=object)
    if len(labels) != len(predicted):
        raise ValueError(
            f"y_new has {len(labels)} elements for {len(predicted)} rows of X_new; rows without "
            "a label need None"
        )
    has_label = labels.notna().to_numpy()
    if not has_label.any():
        return None, 0
    known = check_labels(labels[has_label].infer_objects(), "y_new")
    right = encode_labels(known, classes, "y_new") == predicted[has_label]
    return wilson_interval(right.mean(), len(right)), len(right)
