"""How well old rows can be told from new ones: a classifier two-sample test."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from scipy.special import ndtri
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from threadpoolctl import threadpool_limits

from skbn.drift.samples import Sample

CONFIDENCE = 0.95
MARGIN = float(ndtri((1 + CONFIDENCE) / 2))
"""Standard errors on each side of an estimate."""
MAX_IMPORTANCE_CELLS = 2 * 10**7
"""That are predicted for the importance of all columns: seconds for hundreds of columns."""
LEAST_IMPORTANCE_ROWS = 200


class Estimate(NamedTuple):
    """A figure with the ends of its interval of 95 %."""

    value: float
    low: float
    high: float


@dataclass
class Discriminator:
    """A classifier of old against new rows: boosted trees and a linear model, log-odds added.

    Trees see what a line cannot, such as noise; the line sees more than trees where rows are
    few and columns move together.
    """

    trees: Any
    line: Any

    def scores(self, raw: Any, ranks: Any) -> Any:
        """Give log-odds that rows are new.

        Parameters
        ----------
        raw, ranks : ndarray of shape (n, ...)
            As in `Sample`.

        Returns
        -------
        scores : ndarray of shape (n,)
        """
        return self.trees.decision_function(raw) + self.line.decision_function(ranks)


class TwoSampleTest(NamedTuple):
    """Scores of all rows of a sample, each by a classifier that has not seen it."""

    scores_old: Any
    scores_new: Any
    importance: Any


def two_sample_test(sample: Sample, rng: Any) -> TwoSampleTest:
    """Tell old from new rows by classifiers [1]_ that are trained on the other half.

    Parameters
    ----------
    sample : Sample
    rng : numpy Generator

    Returns
    -------
    test : TwoSampleTest
        With the importance of each column: by how much the AUC falls on held-out rows where
        its cells are shuffled.

    References
    ----------
    .. [1] D. Lopez-Paz, M. Oquab. Revisiting classifier two-sample tests. ICLR 2017.
    """
    scores = np.empty(len(sample.raw))
    importance = None
    with threadpool_limits(1):  # a second thread costs more on small tables, and on busy machines
        for half in (0, 1):
            held = sample.halves == half
            model = _discriminator(sample, ~held)
            scores[held] = model.scores(sample.raw[held], sample.ranks[held])
            if importance is None:
                importance = _importance(model, sample, np.flatnonzero(held), rng)
    return TwoSampleTest(scores[~sample.is_new], scores[sample.is_new], importance)


def _discriminator(sample: Sample, rows: Any) -> Discriminator:
    trees = HistGradientBoostingClassifier(
        max_iter=50, min_samples_leaf=10, early_stopping=False, random_state=0
    )
    line = LogisticRegression(C=0.1, tol=1e-3, max_iter=1000)
    raw, is_new = sample.raw[rows], sample.is_new[rows]
    raw[:, np.isnan(raw).all(axis=0)] = 0.0  # which trees cannot cut into bins
    return Discriminator(trees.fit(raw, is_new), line.fit(sample.ranks[rows], is_new))


def _importance(model: Discriminator, sample: Sample, rows: Any, rng: Any) -> Any:
    """By how much the AUC falls where a column is shuffled over both sides."""
    n_columns = sample.raw.shape[1]
    n_rows = max(LEAST_IMPORTANCE_ROWS, MAX_IMPORTANCE_CELLS // n_columns**2)
    rows = rng.permutation(rows)[:n_rows]
    raw, ranks, is_new = sample.raw[rows], sample.ranks[rows], sample.is_new[rows]
    if is_new.all() or not is_new.any():
        return np.zeros(n_columns)

    def auc() -> float:
        scores = model.scores(raw, ranks)
        return auc_estimate(scores[~is_new], scores[is_new]).value

    whole, falls = auc(), np.zeros(n_columns)
    for column, place in enumerate(sample.places):
        order = rng.permutation(len(rows))
        cells, cell_ranks = raw[:, column].copy(), ranks[:, place].copy()
        raw[:, column], ranks[:, place] = cells[order], cell_ranks[order]
        falls[column] = whole - auc()
        raw[:, column], ranks[:, place] = cells, cell_ranks
    return np.maximum(falls, 0.0)


def two_fold_auc(sample: Sample, test: TwoSampleTest, weights: Any = None) -> Estimate:
    """Mean of the areas under the ROC curves of both halves, with an interval.

    The two areas are counted as if they were one and the same: chance that makes the halves
    differ alike moves both.

    Parameters
    ----------
    sample : Sample
    test : TwoSampleTest
    weights : ndarray of shape (n_old,), default=None
        Of the old rows.

    Returns
    -------
    auc : Estimate
    """
    halves_old, halves_new = sample.halves[~sample.is_new], sample.halves[sample.is_new]
    estimates = [
        auc_estimate(
            test.scores_old[halves_old == half],
            test.scores_new[halves_new == half],
            None if weights is None else weights[halves_old == half],
        )
        for half in (0, 1)
    ]
    value = np.mean([each.value for each in estimates])
    margin = np.sqrt(np.mean([((each.high - each.low) / 2) ** 2 for each in estimates]))
    return Estimate(float(value), float(max(0.0, value - margin)), float(min(1.0, value + margin)))


def auc_estimate(old: Any, new: Any, weights: Any = None) -> Estimate:
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
        Its ends are not clipped to 0 and 1.
    """
    weights = np.ones(len(old)) if weights is None else weights / weights.mean()
    order = np.argsort(old, kind="stable")
    total = np.concatenate([[0.0], np.cumsum(weights[order])])
    sorted_old, sorted_new = old[order], np.sort(new)
    below = total[np.searchsorted(sorted_old, new, side="left")]
    up_to = total[np.searchsorted(sorted_old, new, side="right")]
    of_new = (below + up_to) / 2 / total[-1]
    not_above = np.searchsorted(sorted_new, old, side="right")
    ties = not_above - np.searchsorted(sorted_new, old, side="left")
    of_old = (len(new) - not_above + ties / 2) / len(new)
    value = of_new.mean()
    variance = _variance_of_mean(of_new) + _variance_of_mean(weights * (of_old - value))
    margin = MARGIN * np.sqrt(variance)
    return Estimate(float(value), float(value - margin), float(value + margin))


def _variance_of_mean(values: Any) -> float:
    """Variance of a mean; that of the worst case, a half, for a single value."""
    return float(values.var(ddof=1) / len(values)) if len(values) > 1 else 0.25
