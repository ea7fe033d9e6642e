"""Whether classes that come more or less often explain what moved."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2_contingency
from scipy.stats import f as fisher_f

from skbn.drift.samples import Sample

RIDGE = 0.1
"""Penalty of the linear model of a classifier, for inputs of deviation one, a row."""
LEAST_EIGENVALUE = 1e-6
"""Of a covariance, relative to the largest, that counts as more than zero."""
LEAST_RATIO = 1e-12


def class_scores(sample: Sample, probabilities: Any) -> tuple[Any, Any]:
    """Predict a classifier's probabilities by linear models that are trained on the other half.

    A classifier knows the rows that it was trained on, which would look like drift beside any
    others. Rows of both sides are scored here by what the model does elsewhere.

    Parameters
    ----------
    sample : Sample
    probabilities : ndarray of shape (n, n_classes)
        Of the rows of the sample.

    Returns
    -------
    scores_old, scores_new : ndarray of shape (n, n_classes)
    """
    scores = np.empty_like(probabilities)
    for half in (0, 1):
        held = sample.halves == half
        x, p = sample.ranks[~held], probabilities[~held]
        mean_x, mean_p = x.mean(axis=0), p.mean(axis=0)
        x = x - mean_x
        gram = x.T @ x + RIDGE * len(x) * np.eye(x.shape[1])
        scores[held] = mean_p + (sample.ranks[held] - mean_x) @ np.linalg.solve(
            gram, x.T @ (p - mean_p)
        )
    return scores[~sample.is_new], scores[sample.is_new]


def compare_class_scores(old: Any, new: Any) -> float:
    """P-value of old and new class scores having one mean and one distribution of the largest.

    Hotelling's test of the means, which sees small moves of few classes, and the chi-squared
    test of the classes that score highest, which sees moves of many, by Bonferroni.

    Parameters
    ----------
    old, new : ndarray of shape (n, n_classes)

    Returns
    -------
    p_value : float
    """
    counts = np.array(
        [np.bincount(each.argmax(axis=1), minlength=old.shape[1]) for each in (old, new)]
    )
    counts = counts[:, counts.sum(axis=0) > 0]
    of_counts = chi2_contingency(counts, correction=False).pvalue if counts.shape[1] > 1 else 1.0
    return float(min(1.0, 2 * min(of_counts, hotelling_p_value(old, new))))


def hotelling_p_value(old: Any, new: Any) -> float:
    """P-value of Hotelling's T-squared test of two means.

    Parameters
    ----------
    old, new : ndarray of shape (n, n_variables)
        Variables may depend on one another.

    Returns
    -------
    p_value : float
    """
    n_old, n_new = len(old), len(new)
    freedom = n_old + n_new - 2
    centred = np.concatenate([old - old.mean(axis=0), new - new.mean(axis=0)])
    values, vectors = np.linalg.eigh(centred.T @ centred / freedom)
    kept = values > max(LEAST_EIGENVALUE * values.max(), np.finfo(float).tiny)
    rank = int(kept.sum())
    if rank == 0 or rank >= freedom:
        return 1.0
    moves = vectors[:, kept].T @ (new.mean(axis=0) - old.mean(axis=0))
    statistic = (moves**2 / values[kept]).sum() * n_old * n_new / (n_old + n_new)
    scaled = statistic * (freedom - rank + 1) / (freedom * rank)
    return float(fisher_f.sf(scaled, rank, freedom - rank + 1))


def density_ratio(probabilities: Any, own: Any, old: Any, new: Any) -> Any:
    """How much more often a row comes now than then, if nothing but class priors moved.

    With priors p_c that the probabilities hold for, ``r(x) = sum_c P(c | x) new_c / p_c /
    sum_c P(c | x) old_c / p_c``.

    Parameters
    ----------
    probabilities : ndarray of shape (n, n_classes)
    own, old, new : ndarray of shape (n_classes,)

    Returns
    -------
    ratio : ndarray of shape (n,)
    """
    own = np.maximum(own, LEAST_RATIO)
    ratio = (probabilities @ (new / own)) / np.maximum(probabilities @ (old / own), LEAST_RATIO)
    return np.maximum(ratio, LEAST_RATIO)


class Distances(NamedTuple):
    """Squared distance of each column, less what chance alone gives, and that."""

    excess: Any
    chance: Any


def distances_of_columns(sample: Sample, weights: Any = None) -> Distances:
    """Squared distances between the old and new distribution functions of each column.

    With F the distribution functions of a column and H that of both sides, the distance of
    Cramer and von Mises is the mean over H of (F_old - F_new)^2, and by chance alone
    the mean of H (1 - H) (1 / n_old + 1 / n_new).

    Parameters
    ----------
    sample : Sample
    weights : ndarray of shape (n_old,), default=None
        Of the old rows, of which they count as fewer.

    Returns
    -------
    distances : Distances
        Of arrays of shape (n_columns,): sums over the ranks and indicators of each.
    """
    n_new = int(sample.is_new.sum())
    old = np.ones(len(sample.is_new) - n_new) if weights is None else weights
    old = old / old.sum()
    masses = np.concatenate([old, np.full(n_new, -1 / n_new)])
    pairs = [_distance(column, masses) for column in sample.ranks.T]
    found, alike = np.array(pairs).reshape(-1, 2).T
    chance = alike * ((old**2).sum() + 1 / n_new)
    excess = found - chance
    return Distances(
        *(np.array([each[place].sum() for place in sample.places]) for each in (excess, chance))
    )


def _distance(column: Any, masses: Any) -> tuple[float, float]:
    order = np.argsort(column, kind="stable")
    values = column[order]
    last = np.flatnonzero(np.append(values[1:] != values[:-1], True))
    gaps = masses[order].cumsum()[last]
    shares = (last + 1) / len(values)
    steps = np.diff(np.append(0.0, shares))
    return float(gaps**2 @ steps), float((shares * (1 - shares)) @ steps)
