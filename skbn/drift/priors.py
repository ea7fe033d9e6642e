"""How often each class comes, found from predicted probabilities alone."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbn.network.parameters import Array

TOLERANCE = 1e-9
"""By how much more than the mean of all a class may raise the mean log-likelihood of a row, where
the maximum counts as reached. The priors are then right to about 1e-7 where classes differ."""
REPLICATE_TOLERANCE = 0.01
"""The same of a bootstrap replicate, over the root of its rows: its error is a tenth of a
standard error or less."""
MAX_CYCLES = 1000
"""Of three steps each. Ten are common, and 100 many; where it takes more the classes can hardly
be told apart, and the likelihood is flat."""
MAX_REPLICATE_ROWS = 5_000
"""Rows of a bootstrap replicate. Where there are more, deviations shrink with the root of their
number, and so do those of the replicates, after the fact."""
LEAST_PRIOR = 1e-100
"""Old priors below are taken for zero; new ones on the way stay above, so that the likelihood of
each row is positive."""
BLOCK_ELEMENTS = 4_000_000
"""Rows times replicates that are drawn at once."""


def estimate_class_prior(probabilities: Any, old_prior: Any) -> Array:
    """Class priors of rows under label shift, by expectation maximisation.

    With the probabilities ``p_ic`` of a classifier whose classes had the priors ``q_c``, the
    new priors ``w_c`` maximise ``sum_i log(sum_c w_c p_ic / q_c)``, which is concave. Steps of
    expectation maximisation [1]_ are extrapolated [2]_.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Calibrated, for the old priors.
    old_prior : array-like of shape (n_classes,)
        A class of prior 0 keeps it.

    Returns
    -------
    class_prior : float64 ndarray of shape (n_classes,)
        About ``old_prior / (n_samples + 1)`` at least, so that a class that no row shows
        remains possible.

    Raises
    ------
    ValueError
        If shapes do not go together, there are no rows, or numbers are negative or not finite.

    References
    ----------
    .. [1] M. Saerens, P. Latinne, C. Decaestecker. Adjusting the outputs of a classifier to
       new a priori probabilities: a simple procedure. Neural Computation 14, 2002.
    .. [2] R. Varadhan, C. Roland. Simple and globally convergent methods for accelerating the
       convergence of any EM algorithm. Scandinavian Journal of Statistics 35, 2008.
    """
    probabilities, old = _checked(probabilities, old_prior)
    ratios = _likelihood_ratios(probabilities, old)
    start = old[:, None]
    new = _maximum(ratios, np.ones((len(ratios), 1)), start) if len(ratios) else start
    new = np.maximum(new[:, 0], old / (len(probabilities) + 1))
    return new / new.sum()


def bootstrap_interval(
    probabilities: Any,
    old_prior: Any,
    *,
    n_replicates: int = 200,
    level: float = 0.95,
    random_state: int = 0,
) -> Array:
    """Percentile bootstrap interval of the priors that `estimate_class_prior` gives.

    It tells of the sampling of the rows alone: errors of the probabilities come on top. Of more
    than 5,000 rows each replicate draws among 5,000, and its deviations are scaled. The upper
    bound is at least the exact one of a class that no row is of, which no replicate can show.

    Parameters
    ----------
    probabilities : array-like of shape (n_samples, n_classes)
        Calibrated, for the old priors.
    old_prior : array-like of shape (n_classes,)
    n_replicates : int, default=200
        The rows are drawn anew for each.
    level : float, default=0.95
        Of the interval.
    random_state : int, default=0
        Seed of the draws.

    Returns
    -------
    interval : float64 ndarray of shape (n_classes, 2)
    """
    estimate = centre = estimate_class_prior(probabilities, old_prior)
    probabilities, old = _checked(probabilities, old_prior)
    rng = np.random.default_rng(random_state)
    n_rows = len(probabilities)
    if n_rows > MAX_REPLICATE_ROWS:
        drawn = rng.choice(n_rows, MAX_REPLICATE_ROWS, replace=False)
        probabilities = probabilities[drawn]
        centre = estimate_class_prior(probabilities, old)
    replicates = _replicates(_likelihood_ratios(probabilities, old), centre, n_replicates, rng)
    scale = np.sqrt(len(probabilities) / n_rows)
    tail = (1 - level) / 2
    bounds = np.quantile(replicates, [tail, 1 - tail], axis=1)
    low, high = np.clip(estimate + scale * (bounds - centre), 0, 1)
    unseen = np.where(old > 0, 1 - tail ** (1 / n_rows), 0)
    return np.column_stack([low, np.maximum(high, unseen)])


def _replicates(ratios: Array, centre: Array, n_replicates: int, rng: Any) -> Array:
    """Priors (n_classes, n_replicates) of rows that are drawn with replacement."""
    n_rows = len(ratios)
    if not n_rows:
        return np.repeat(centre[:, None], n_replicates, axis=1)
    block = max(1, BLOCK_ELEMENTS // n_rows)
    priors = []
    for first in range(0, n_replicates, block):
        draws = [rng.integers(n_rows, size=n_rows) for _ in range(first, n_replicates)[:block]]
        counts = np.stack([np.bincount(each, minlength=n_rows) for each in draws], axis=1)
        start = np.repeat(centre[:, None], len(draws), axis=1)
        tolerance = REPLICATE_TOLERANCE / np.sqrt(n_rows)
        priors.append(_maximum(ratios, counts.astype(np.float64), start, tolerance))
    return np.concatenate(priors, axis=1)


def _checked(probabilities: Any, old_prior: Any) -> tuple[Array, Array]:
    probabilities = np.asarray(probabilities, dtype=np.float64)
    old = np.asarray(old_prior, dtype=np.float64)
    if probabilities.ndim != 2 or old.shape != probabilities.shape[1:] or not probabilities.size:
        raise ValueError(
            "probabilities must have the shape (n_samples, n_classes) with at least one row, and "
            f"old_prior the shape (n_classes,); got {probabilities.shape} and {old.shape}"
        )
    for name, values in {"probabilities": probabilities, "old_prior": old}.items():
        if not (np.isfinite(values.sum()) and values.min() >= 0 and values.any()):
            raise ValueError(f"{name} must be finite, none negative and some positive")
    return probabilities, old / old.sum()


def _likelihood_ratios(probabilities: Array, old: Array) -> Array:
    """Likelihoods of each row in the classes, of which the largest is one.

    Rows that no class of positive prior explains are left out: they tell nothing.
    """
    ratios = np.divide(
        probabilities, old, out=np.zeros_like(probabilities), where=old >= LEAST_PRIOR
    )
    largest = ratios.max(axis=1, keepdims=True)
    if not largest.all():
        ratios, largest = ratios[largest[:, 0] > 0], largest[largest > 0][:, None]
    ratios /= largest
    return ratios


def _maximum(ratios: Array, counts: Array, start: Array, tolerance: float = TOLERANCE) -> Array:
    """Priors (n_classes, B) of greatest likelihood, each for counts of the rows (n, B)."""
    found, active = start.copy(), np.arange(start.shape[1])
    priors = start
    for _ in range(MAX_CYCLES):
        slopes, _ = _slopes(ratios, counts, priors)
        found[:, active] = priors
        goes_on = slopes.max(axis=0) > 1 + tolerance
        if not goes_on.any():
            break
        if not goes_on.all():
            active, counts = active[goes_on], counts[:, goes_on]
            priors, slopes = priors[:, goes_on], slopes[:, goes_on]
        priors = _extrapolated_step(ratios, counts, priors, slopes)
    return found


def _slopes(ratios: Array, counts: Array, priors: Array) -> tuple[Array, Array]:
    """Slopes of the mean log-likelihood along each prior, and its values."""
    likelihoods = ratios @ priors
    slopes = ratios.T @ (counts / likelihoods)
    return slopes / counts.sum(axis=0), (counts * np.log(likelihoods)).sum(axis=0)


def _extrapolated_step(ratios: Array, counts: Array, priors: Array, slopes: Array) -> Array:
    """Two steps of expectation maximisation, and one from where they lead to, if that is up."""
    first = _normalised(priors * slopes)
    slopes, value = _slopes(ratios, counts, first)
    second = _normalised(first * slopes)
    move, turn = first - priors, second - 2 * first + priors
    with np.errstate(divide="ignore", invalid="ignore"):
        length = np.sqrt((move**2).sum(axis=0) / (turn**2).sum(axis=0))
    length = np.maximum(np.nan_to_num(length, nan=1.0, posinf=1.0), 1.0)
    ahead = priors + 2 * length * move + length**2 * turn
    ahead = _normalised(np.maximum(ahead, second / 10))  # which stays within the simplex
    slopes, value_ahead = _slopes(ratios, counts, ahead)
    return np.where(value_ahead >= value, _normalised(ahead * slopes), second)


def _normalised(priors: Array) -> Array:
    priors = np.where(priors > 0, np.maximum(priors, LEAST_PRIOR), 0)
    return priors / priors.sum(axis=0)
