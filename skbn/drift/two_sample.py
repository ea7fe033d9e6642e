"""How well old rows can be told from new ones: a classifier two-sample test."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri
from sklearn.ensemble import HistGradientBoostingClassifier
from threadpoolctl import threadpool_limits

MAX_ROWS = 10_000
"""Rows of each side that the test looks at."""
MAX_CELLS = 2 * 10**7
"""Of the table that the test looks at: 160 MB."""
CONFIDENCE = 0.95
MAX_IMPORTANCE_CELLS = 10**8
"""That are predicted for the importance of all columns."""


class Estimate(NamedTuple):
    """A figure with the ends of its interval of 95 %."""

    value: float
    low: float
    high: float


def draw_rows(n_rows: int, n_columns: int, rng: Any) -> Any:
    """Draw the rows of one side that the test looks at, in random order.

    Parameters
    ----------
    n_rows, n_columns : int
    rng : numpy Generator

    Returns
    -------
    rows : int ndarray
    """
    size = min(n_rows, MAX_ROWS, max(2, MAX_CELLS // (2 * max(1, n_columns))))
    return rng.permutation(n_rows)[:size]


def weighted_auc(old: Any, new: Any, weights: Any = None) -> Estimate:
    """Area under the ROC curve of scores, with the interval of DeLong et al. (1988).

    Parameters
    ----------
    old, new : ndarray of shape (n,)
        Scores, higher for rows that look new.
    weights : ndarray of shape (n_old,), default=None
        Of the old rows.

    Returns
    -------
    auc : Estimate
    """
    weights = np.ones(len(old)) if weights is None else weights / weights.mean()
    order = np.argsort(old, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weights[order])])
    below = total[np.searchsorted(old[order], new, side="left")]
    up_to = total[np.searchsorted(old[order], new, side="right")]
    of_new = (below + up_to) / 2 / total[-1]  # share of the old rows below each new row
    sorted_new = np.sort(new)
    above = len(new) - np.searchsorted(sorted_new, old, side="right")
    ties = np.searchsorted(sorted_new, old, side="right") - np.searchsorted(sorted_new, old)
    of_old = (above + ties / 2) / len(new)
    value = of_new.mean()
    influence = weights * (of_old - value)
    variance = of_new.var(ddof=1) / len(new) + influence.var(ddof=1) / len(old)
    margin = ndtri((1 + CONFIDENCE) / 2) * np.sqrt(variance)
    return Estimate(float(value), float(max(0.0, value - margin)), float(min(1.0, value + margin)))


class TwoSampleTest(NamedTuple):
    """A classifier of old against new rows, and what it says of rows that it has not seen."""

    rows_old: Any
    rows_new: Any
    score_old: Any
    score_new: Any
    auc: Estimate
    importance: Any


def two_sample_test(old: Any, new: Any, rng: Any, weights: Any = None) -> TwoSampleTest:
    """Train a classifier on half of the rows, and tell the other half apart by it.

    Parameters
    ----------
    old, new : float ndarray of shape (n, n_columns)
        In random order.
    rng : numpy Generator
    weights : ndarray of shape (n_old,), default=None
        Of the old rows.

    Returns
    -------
    test : TwoSampleTest
    """
    half_old, half_new = len(old) // 2, len(new) // 2
    x = np.concatenate([old[:half_old], new[:half_new]])
    is_new = np.repeat([0, 1], [half_old, half_new])
    shares = np.repeat([0.5 / half_old, 0.5 / half_new], [half_old, half_new]) * len(x)
    if weights is not None:
        shares[:half_old] *= weights[:half_old] / weights[:half_old].mean()
        weights = weights[half_old:]
    model = HistGradientBoostingClassifier(
        max_iter=50, min_samples_leaf=10, early_stopping=False, random_state=0
    )
    held_old, held_new = old[half_old:], new[half_new:]
    with threadpool_limits(1):
        model.fit(x, is_new, sample_weight=shares)
        score_old, score_new = model.decision_function(held_old), model.decision_function(held_new)
        importance = _importance(model, held_old, held_new, weights, rng)
    auc = weighted_auc(score_old, score_new, weights)
    rows = np.arange(half_old, len(old)), np.arange(half_new, len(new))
    return TwoSampleTest(*rows, score_old, score_new, auc, importance)


def _importance(model: Any, old: Any, new: Any, weights: Any, rng: Any) -> Any:
    """By how much the AUC falls where a column is shuffled over both sides."""
    n_columns = old.shape[1]
    most = max(100, MAX_IMPORTANCE_CELLS // (n_columns * n_columns) // 2)
    old, new = old[:most], new[:most]
    weights = None if weights is None else weights[:most]
    x = np.concatenate([old, new])

    def auc() -> float:
        score = model.decision_function(x)
        return weighted_auc(score[: len(old)], score[len(old) :], weights).value

    whole, falls = auc(), np.zeros(n_columns)
    for column in range(n_columns):
        cells = x[:, column].copy()
        x[:, column] = rng.permutation(cells)
        falls[column] = whole - auc()
        x[:, column] = cells
    return np.maximum(falls, 0.0)
