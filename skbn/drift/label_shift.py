"""Signs that the classes of some rows come more or less often than in training."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from scipy.stats import chi2

from skbn.drift.priors import estimate_class_prior
from skbn.network.parameters import Array

MAX_P_VALUE = 1e-3
MIN_MOVE_OF_PREDICTIONS = 0.05
"""Least total variation of the mean probabilities from the priors, after re-estimation."""
MIN_MOVE_OF_PRIORS = 0.1
"""The same of the priors that are estimated before it."""
MIN_DRAWN_ROWS = 25
MIN_RATIO = 1.5
MAX_DRIFT_OF_DRAWN = 0.02
"""The fewest rows that are drawn so that each class comes as often as in training, how many times
nearer their moments must be to those of training, and how near.

They were chosen on twelve tables, where there were 11 false alarms in 396 samples of undrifted,
moved and noisy rows. Of the label shifts under which re-estimated moments cost two points of
accuracy 16, 82 and 98 % were found with 64, 256 and 1,500 rows.
"""


def priors_after(probabilities: Array, class_prior: Array) -> Array | None:
    """Estimated class priors, if re-estimated moments left the predicted classes elsewhere."""
    moved = np.abs(probabilities.mean(axis=0) - class_prior).sum() / 2
    prior, p_value = _estimate(probabilities, class_prior)
    return prior if p_value < MAX_P_VALUE and moved > MIN_MOVE_OF_PREDICTIONS else None


def priors_before(
    probabilities: Array, class_prior: Array, drift_of: Callable[[Any], float]
) -> Array | None:
    """Estimated class priors, if label shift alone explains how the moments moved.

    Of rows that are drawn so that each class comes as often as in training the moments are then
    those of training.

    Parameters
    ----------
    probabilities : ndarray of shape (n_samples, n_classes)
        By the model as it was trained.
    class_prior : ndarray of shape (n_classes,)
    drift_of : callable
        From positions of rows to how far their moments are from those of training.
    """
    prior, p_value = _estimate(probabilities, class_prior)
    moved = np.abs(prior - class_prior).sum() / 2
    if p_value >= MAX_P_VALUE or moved <= MIN_MOVE_OF_PRIORS:
        return None
    weights = 1 / _likelihoods(probabilities, class_prior, prior)
    drawn = np.random.default_rng(0).random(len(weights)) * weights.max() < weights
    if drawn.sum() < MIN_DRAWN_ROWS:
        return None
    before, after = (drift_of(np.flatnonzero(each)) for each in (weights > 0, drawn))
    return prior if before > MIN_RATIO * after and after < MAX_DRIFT_OF_DRAWN else None


def _estimate(probabilities: Array, class_prior: Array) -> tuple[Array, float]:
    """Class priors of rows, and the p-value of the likelihood ratio to those of training."""
    prior = estimate_class_prior(probabilities, class_prior)
    ratio = 2 * np.log(_likelihoods(probabilities, class_prior, prior)).sum()
    return prior, float(chi2.sf(ratio, max(np.count_nonzero(class_prior) - 1, 1)))


def _likelihoods(probabilities: Array, class_prior: Array, prior: Array) -> Array:
    """Likelihoods of rows under other priors, in units of those under the priors of training."""
    known = class_prior > 0
    likelihoods: Array = probabilities[:, known] @ (prior[known] / class_prior[known])
    return np.maximum(likelihoods, np.finfo(np.float64).tiny)
