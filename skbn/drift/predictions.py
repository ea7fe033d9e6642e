"""What a model predicts for old and for new rows."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import ndtri

from skbn.checks import check_labels, encode_labels, positions_among
from skbn.drift.passage import rows_for
from skbn.drift.priors import bootstrap_interval, estimate_class_prior
from skbn.drift.two_sample import CONFIDENCE, Estimate

LEAST_PRIOR = 1e-12
"""Old prior of a class, so that the ratio of priors is finite."""


@dataclass
class Predictions:
    """Predicted classes of old and new rows, as positions, and their probabilities.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
    proba_old, proba_new : float64 ndarray of shape (n, n_classes)
        Zeros and ones if a model predicts classes alone.
    has_probabilities : bool
    """

    classes: Any
    proba_old: Any
    proba_new: Any
    has_probabilities: bool

    def priors(self, own: Any) -> tuple[Any, Any]:
        """Estimate the class priors of the old and of the new rows, as under label shift.

        Parameters
        ----------
        own : ndarray of shape (n_classes,)
            From `own_priors`.

        Returns
        -------
        old, new : ndarray of shape (n_classes,)
        """
        return estimate_class_prior(self.proba_old, own), estimate_class_prior(self.proba_new, own)


def predictions_of(model: Any, X_old: Any, X_new: Any) -> Predictions:
    """Predict the classes of old and new rows, with their probabilities if a model has any.

    Parameters
    ----------
    model : fitted classifier
    X_old, X_new : tables

    Returns
    -------
    predictions : Predictions
    """
    classes = np.asarray(model.classes_)
    has_probabilities = hasattr(model, "predict_proba")

    def probabilities(X: Any) -> Any:
        if has_probabilities:
            return np.asarray(model.predict_proba(rows_for(model, X)), dtype=np.float64)
        predicted = np.asarray(model.predict(rows_for(model, X)))
        return np.eye(len(classes))[positions_among(classes, predicted)]

    return Predictions(classes, probabilities(X_old), probabilities(X_new), has_probabilities)


def own_priors(predictions: Predictions, classifier: Any) -> Any:
    """Give the class priors that a classifier's probabilities hold for.

    Parameters
    ----------
    predictions : Predictions
    classifier : classifier
        With a ``class_prior_``, or the mean of its probabilities on the old rows is taken.

    Returns
    -------
    own : ndarray of shape (n_classes,)
    """
    own = getattr(classifier, "class_prior_", None)
    if own is None or np.shape(own) != predictions.classes.shape:
        own = predictions.proba_old.mean(axis=0)
    own = np.maximum(own, LEAST_PRIOR)
    return own / own.sum()


def table_of_classes(predictions: Predictions, own: Any) -> Any:
    """Shares of the predicted classes and estimated priors of the classes, then and now.

    Parameters
    ----------
    predictions : Predictions
    own : ndarray of shape (n_classes,)
        From `own_priors`.

    Returns
    -------
    table : DataFrame
        Priors are NaN without probabilities.
    """
    n = len(predictions.classes)
    shares = [
        np.bincount(proba.argmax(axis=1), minlength=n) / len(proba)
        for proba in (predictions.proba_old, predictions.proba_new)
    ]
    table = pd.DataFrame(
        {"old": shares[0], "new": shares[1]}, index=pd.Index(predictions.classes, name="class")
    )
    table[["prior_old", "prior_new", "low", "high"]] = np.nan
    if predictions.has_probabilities:
        table["prior_old"], table["prior_new"] = predictions.priors(own)
        table[["low", "high"]] = bootstrap_interval(predictions.proba_new, own)
    return table


def wilson_interval(share: float, n_rows: int) -> Estimate:
    """Give a share of rows with the interval of Wilson (1927).

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


def mean_confidence(proba: Any) -> Estimate:
    """Mean probability of the predicted classes, with its normal interval.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)

    Returns
    -------
    confidence : Estimate
    """
    highest = proba.max(axis=1)
    margin = ndtri((1 + CONFIDENCE) / 2) * highest.std(ddof=1) / np.sqrt(len(highest))
    mean = float(highest.mean())
    return Estimate(mean, float(max(0.0, mean - margin)), float(min(1.0, mean + margin)))


def expected_accuracy(proba: Any, ratio: Any = None) -> Estimate:
    """Accuracy that probabilities expect of the predicted classes, with its interval.

    It is right where the probabilities are calibrated on these rows. The interval, Wilson's of
    as many rows, holds the accuracy on the rows themselves, whose labels are drawn.

    Parameters
    ----------
    proba : ndarray of shape (n, n_classes)
    ratio : ndarray of shape (n_classes,), default=None
        New priors over those that the probabilities hold for, under label shift.

    Returns
    -------
    accuracy : Estimate
    """
    predicted = proba.argmax(axis=1)
    if ratio is not None:
        proba = proba * ratio
        proba = proba / proba.sum(axis=1, keepdims=True)
    of_predicted = proba[np.arange(len(proba)), predicted]
    return wilson_interval(of_predicted.mean(), len(proba))


def accuracy_on(predictions: Predictions, y_new: Any) -> tuple[Estimate | None, int]:
    """Accuracy on the new rows that have a label, with its interval and their number.

    Parameters
    ----------
    predictions : Predictions
    y_new : array-like of shape (n,)
        Missing where a row has no label.

    Returns
    -------
    accuracy : Estimate or None
    n_labels : int

    Raises
    ------
    ValueError
        If there are not as many labels as rows, or a label is none of the classes.
    """
    predicted = predictions.proba_new.argmax(axis=1)
    labels = pd.Series(y_new) if np.ndim(y_new) != 2 else pd.Series(np.asarray(y_new).ravel())
    if len(labels) != len(predicted):
        raise ValueError(
            f"y_new has {len(labels)} elements for {len(predicted)} rows of X_new; "
            "it needs one for each row, None where a row has no label"
        )
    has_label = labels.notna().to_numpy()
    if not has_label.any():
        return None, 0
    known = check_labels(_as_classes(labels[has_label], predictions.classes), "y_new")
    right = encode_labels(known, predictions.classes, "y_new")
    is_right = right == predicted[has_label]
    return wilson_interval(is_right.mean(), len(is_right)), len(is_right)


def _as_classes(labels: Any, classes: Any) -> Any:
    """Whole floats, which is what missing labels make of integers and booleans, as the classes."""
    labels = labels.infer_objects()
    if labels.dtype.kind == "f" and classes.dtype.kind in "iub" and (labels % 1 == 0).all():
        whole = labels.astype("int64")
        is_bool = classes.dtype.kind == "b" and whole.isin([0, 1]).all()
        return whole.astype(bool) if is_bool else whole
    return labels
