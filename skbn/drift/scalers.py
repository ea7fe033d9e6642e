"""Scalers whose moments are re-estimated on other rows, as if the old ones came from some rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import issparse
from sklearn.base import clone
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler

from skbn._compat import n_samples
from skbn.estimators.adapted import MAX_PRIOR_ROWS
from skbn.preprocessing import PiecewiseLinearEncoder, column_moments, follow_moments

TAIL = 0.05
"""Fraction of the rows in the tail whose length says how far an extreme lies from another one."""
EXTREME_VARIANCE = 2 * np.pi**2 / 6
"""Of the difference of two extremes, in lengths of an exponential tail: twice Gumbel's."""
MAX_PARTS = 8
ROWS_PER_PART = 4
"""Parts of the rows whose moments are compared, and rows of each at least; fewer are halved."""
MIN_TIMES = 5.0
"""Times further than by chance that a column moves before it counts alone."""
MAX_TIMES = 50.0
"""Times further for which a column counts beside the others at most."""
LEAST_PRIOR_ROWS = 0.5
"""Fewer count for nothing: in a column whose deviation became a thousandth of what it was, a
hundredth of an old row is more than a thousand new ones."""
LEAST_SHARE = 1e-12
MAX_P_VALUE = 1e-3
"""Of as many values in each bin of a column as in training, up to which its edges move."""
LOG_OF_UNITS = 4.0
"""Logarithm of the ratio of variances: of a unit that is seven times another one or more."""
MIN_ROWS = 4
"""Fewest rows whose halves have moments."""

Moments: TypeAlias = tuple[Any, Any]
"""Means and variances of columns, or what stands for them."""


class NoMomentsError(Exception):
    """A step has no moments that rows could tell; the message says why."""


def re_estimate(step: Any, X: Any, prior_rows: float | str) -> dict[str, Any]:
    """Re-estimate the moments of a fitted scaler, in place.

    Columns without a value keep theirs, and those of a single value their scale, unless
    ``prior_rows`` is 0: then the scaler is as if fitted on the rows alone.

    Parameters
    ----------
    step : fitted transformer
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Rows as they reach the step.
    prior_rows : float or "auto"
        Rows that the old moments count for.

    Returns
    -------
    record : dict
        "prior_rows", the median of its columns, and "moved": how far the centres of the columns
        moved, the root mean square in old deviations, or in ranges of a MinMaxScaler or
        RobustScaler.

    Raises
    ------
    NoMomentsError
        If the step is no scaler, or has no moments.
    """
    X = X.tocsr() if issparse(X) else X
    for kind, estimate in KINDS.items():
        if isinstance(step, kind):
            if X.shape[1] != step.n_features_in_:
                step.transform(X)  # which says what is wrong
            with np.errstate(over="ignore", invalid="ignore"):
                chosen, moves = estimate(step, X, prior_rows)
            moves = moves[np.isfinite(moves)]
            moved = float(np.sqrt(np.mean(moves**2))) if moves.size else 0.0
            return {"prior_rows": float(np.median(chosen)), "moved": moved}
    raise NoMomentsError("it has no moments that adapt re-estimates")


def _standard(scaler: StandardScaler, X: Any, prior_rows: float | str) -> tuple[Any, Any]:
    if scaler.mean_ is None:
        raise NoMomentsError("it neither centres nor scales")
    new = _fitted(scaler, X)
    rows = new if scaler.with_std else _moments(X)
    var = scaler.var_ if scaler.with_std else rows.var_
    prior_rows, weight, of_var = _weights((scaler.mean_, var), rows, prior_rows, X)
    moves = _in_units(new.mean_ - scaler.mean_, np.sqrt(var))
    scaler.mean_ = _blend(scaler.mean_, new.mean_, weight)
    if scaler.with_std:
        is_constant = new.scale_ != np.sqrt(new.var_)
        new_scale = np.where(is_constant & (of_var > 0), scaler.scale_, new.scale_)
        # The scale of a column that was constant is one, and its variance counts as one.
        scaler.scale_ = np.sqrt(_blend(scaler.scale_**2, new_scale**2, of_var))
        scaler.var_ = _blend(scaler.var_, new.var_, of_var)
    scaler.n_samples_seen_ = _n_seen(new, prior_rows)
    return prior_rows, moves


def _mean_and_var(X: Any) -> Moments:
    moments = _moments(X)
    is_constant = moments.scale_ != np.sqrt(moments.var_)  # but for rounding
    return moments.mean_, np.where(is_constant, 0.0, moments.var_)


def _weights(old: Moments, rows: Any, prior_rows: float | str, X: Any) -> tuple[Any, Any, Any]:
    """Rows that old moments count for, and the weights of old means and of old variances."""
    if not isinstance(prior_rows, str):
        weight = _old_weight(rows, prior_rows)
        return prior_rows, weight, weight
    of_means, of_vars = _prior_rows(old, _mean_and_var, X)
    share = _share_that_tells_of_variance(X, rows)
    return of_means, _old_weight(rows, of_means), _old_weight(rows, of_vars / share)


def _share_that_tells_of_variance(X: Any, rows: Any) -> Any:
    """Normal rows that tell as much of a column's variance as one of these does.

    The variance of a variance is ``var**2 * (kurtosis - 1) / n``, and 2 instead of
    ``kurtosis - 1`` if normal. So a value that one row in a thousand has tells little.
    """
    if issparse(X):
        m, m2, m3, m4 = (_moments(X.power(k)).mean_ for k in (1, 2, 3, 4))
        fourth = m4 - 4 * m * m3 + 6 * m**2 * m2 - 3 * m**4
    else:
        with warnings.catch_warnings():  # of columns without a value
            warnings.simplefilter("ignore", RuntimeWarning)
            fourth = np.nanmean((np.asarray(X, dtype=np.float64) - rows.mean_) ** 4, axis=0)
    kurtosis = np.divide(
        fourth, rows.var_**2, out=np.full(len(fourth), np.inf), where=rows.var_ > 0
    )
    return np.maximum(2 / np.fmax(kurtosis - 1, 2), LEAST_SHARE)


def _prior_rows(
    old: Moments, moments_of: Callable[[Any], Moments], X: Any, steps: Any = 0.0
) -> Any:
    """Rows that old moments should count for, by empirical Bayes as in `auto_prior_rows`.

    How far a column's moments move by chance, which long tails and few values decide, is seen in
    parts of the rows, and each column counts by how many times further it moved. A moment that
    moved further than others do has rows of its own, and none after a change of units. Quantiles
    of columns of few values move by whole ``steps``.

    Returns
    -------
    prior_rows : ndarray of shape (2, n_columns)
        For centres and for scales.
    """
    n_rows = n_samples(X)
    if n_rows < MIN_ROWS:
        return np.full((2, len(old[0])), MAX_PRIOR_ROWS)
    n_parts = min(max(n_rows // ROWS_PER_PART, 2), MAX_PARTS)
    new, *parts = map(moments_of, (X, *(X[start::n_parts] for start in range(n_parts))))
    of_parts = np.mean([_squared_moves(new, part) for part in parts], axis=0)
    with np.errstate(divide="ignore", invalid="ignore"):
        chance = np.fmax(of_parts / (n_parts - 1), 1 / n_rows)
        chance = chance + steps**2 / np.maximum(new[1], old[1])
        times = _squared_moves(new, old) / chance
    times = np.where(np.isfinite(times).all(axis=0), times, 1.0)  # or there is no deviation
    typical = np.minimum(times, MAX_TIMES).mean()
    excess = np.maximum(typical - 1, times - MIN_TIMES)
    prior_rows = n_rows / np.maximum(excess, n_rows / MAX_PRIOR_ROWS)
    prior_rows[1, _has_other_units(old, parts)] = 0.0
    return np.where(prior_rows < LEAST_PRIOR_ROWS, 0.0, prior_rows)


def _has_other_units(old: Moments, parts: Any) -> Any:
    """Which columns have other units in each part, though their tails are as long as they like."""
    with np.errstate(divide="ignore", invalid="ignore"):
        logs = np.log([part[1] / old[1] for part in parts])
    are_others = (logs > LOG_OF_UNITS).all(axis=0) | (logs < -LOG_OF_UNITS).all(axis=0)
    return are_others & np.isfinite(logs).all(axis=0)


def _squared_moves(new: Moments, old: Moments) -> Any:
    """Squared moves of means and of log-variances, so that both are 1 / n by chance if normal."""
    with np.errstate(divide="ignore", invalid="ignore"):
        of_means = (new[0] - old[0]) ** 2 / np.maximum(new[1], old[1])
        return np.array([of_means, np.log(old[1] / new[1]) ** 2 / 2])


def _min_max(scaler: MinMaxScaler, X: Any, prior_rows: float | str) -> tuple[Any, Any]:
    new, (low, high) = _fitted(scaler, X), scaler.feature_range
    if isinstance(prior_rows, str):
        prior_rows = _prior_rows_of_extremes(scaler, new, X)
    weight = _old_weight(_moments(X), prior_rows)
    is_constant = new.scale_ != (high - low) / np.where(new.data_range_, new.data_range_, np.nan)
    weight = np.where(is_constant & (weight > 0), 1.0, weight)
    moved = new.data_min_ + new.data_max_ - scaler.data_min_ - scaler.data_max_
    moves = _in_units(moved / 2, scaler.data_range_)
    # The scale of a constant column is that of a range of one.
    width = _blend((high - low) / scaler.scale_, (high - low) / new.scale_, weight)
    scaler.scale_ = np.where(weight == 0, new.scale_, (high - low) / width)
    scaler.data_min_ = _blend(scaler.data_min_, new.data_min_, weight)
    scaler.data_max_ = _blend(scaler.data_max_, new.data_max_, weight)
    scaler.data_range_ = scaler.data_max_ - scaler.data_min_
    scaler.min_ = np.where(weight == 0, new.min_, low - scaler.data_min_ * scaler.scale_)
    scaler.n_samples_seen_ = _n_seen(new, prior_rows)
    return prior_rows, moves


def _prior_rows_of_extremes(scaler: MinMaxScaler, new: MinMaxScaler, X: Any) -> float:
    """Rows that old extremes should count for, by empirical Bayes.

    Those of fewer rows lie further inside, by the logarithm of the ratio of the rows times the
    length of the tails, as far as these are exponential.
    """
    levels = [TAIL / np.e, TAIL, 1 - TAIL, 1 - TAIL / np.e]
    with warnings.catch_warnings():  # of columns without a value
        warnings.simplefilter("ignore", RuntimeWarning)
        outer_low, low, high, outer_high = np.nanquantile(np.asarray(X, float), levels, axis=0)
    n_rows = np.maximum(new.n_samples_seen_, 1)
    further = np.log(np.maximum(scaler.n_samples_seen_ / n_rows, 1))
    chance = EXTREME_VARIANCE + further**2 / (TAIL * n_rows)  # the tail's length is one, too
    lower = scaler.data_min_ - new.data_min_ + (low - outer_low) * further
    upper = scaler.data_max_ - new.data_max_ - (outer_high - high) * further
    squares = lower**2 - chance * (low - outer_low) ** 2
    squares += upper**2 - chance * (outer_high - high) ** 2
    squares = _in_units(squares, 2 * scaler.data_range_**2)
    squares = squares[np.isfinite(squares)]
    return float(1 / max(np.mean(squares), 1 / MAX_PRIOR_ROWS)) if squares.size else MAX_PRIOR_ROWS


def _robust(scaler: RobustScaler, X: Any, prior_rows: float | str) -> tuple[Any, Any]:
    if scaler.center_ is None and scaler.scale_ is None:
        raise NoMomentsError("it neither centres nor scales")

    def centre_and_square(rows: Any) -> Moments:
        centre, scale = _centre_and_scale(_fitted(scaler, rows))
        # A range of zero, for which the scale is one, does not double with the values.
        doubled = _centre_and_scale(_fitted(scaler, rows * 2))[1]
        return centre, np.where((doubled == scale) & scaler.with_scaling, 0.0, scale**2)

    new = _fitted(scaler, X)
    centre, scale = _centre_and_scale(scaler)
    new_centre, new_scale = _centre_and_scale(new)
    of_scale = prior_rows
    if isinstance(prior_rows, str):
        prior_rows, of_scale = _prior_rows((centre, scale**2), centre_and_square, X, _steps(X))
    weight, of_scale = (_old_weight(_moments(X), each) for each in (prior_rows, of_scale))
    if scaler.with_centering:
        scaler.center_ = _blend(centre, new_centre, weight)
    if scaler.with_scaling:
        is_constant = centre_and_square(X)[1] == 0
        new_scale = np.where(is_constant & (of_scale > 0), scale, new_scale)
        scaler.scale_ = _blend(scale, new_scale, of_scale)
    return prior_rows, _in_units(new_centre - centre, scale)


def _steps(X: Any) -> Any:
    """Typical distance of neighbours among the values of each column."""
    if issparse(X):
        return np.zeros(X.shape[1])
    gaps = [np.diff(np.unique(column[~np.isnan(column)])) for column in np.asarray(X, float).T]
    return np.array([np.median(each) if len(each) else 0.0 for each in gaps])


def _centre_and_scale(scaler: RobustScaler) -> tuple[Any, Any]:
    n_columns = scaler.n_features_in_
    centre = np.zeros(n_columns) if scaler.center_ is None else scaler.center_
    return centre, np.ones(n_columns) if scaler.scale_ is None else scaler.scale_


def _encoder(encoder: PiecewiseLinearEncoder, X: Any, prior_rows: float | str) -> tuple[Any, Any]:
    columns, rows = column_moments(encoder, X), _moments(X)
    var = columns.std**2
    follows = (var > 0) & np.isfinite(var + rows.var_) & ~columns.is_on_edges
    if not follows.any():
        raise NoMomentsError(
            "an earlier version saved it without its moments; fit it again"
            if np.isnan(columns.std).all()
            else "all new values are among its edges"
        )
    if isinstance(prior_rows, str):
        follows &= columns.p_values < MAX_P_VALUE
    old = columns.mean, np.where(follows, var, np.nan)
    prior_rows, *weights = _weights(old, rows, prior_rows, X)
    weight, of_var = (np.where(follows, each, 1.0) for each in weights)
    follow_moments(
        encoder,
        _blend(columns.mean, rows.mean_, weight),
        np.sqrt(_blend(var, np.where(rows.var_ > 0, rows.var_, var), of_var)),
    )
    return prior_rows, _in_units(rows.mean_ - columns.mean, columns.std)[follows]


KINDS = {
    StandardScaler: _standard,
    MinMaxScaler: _min_max,
    RobustScaler: _robust,
    PiecewiseLinearEncoder: _encoder,
}


def _fitted(scaler: Any, X: Any) -> Any:
    with warnings.catch_warnings():  # of columns without a value
        warnings.simplefilter("ignore", RuntimeWarning)
        return clone(scaler).fit(X)


def _moments(X: Any) -> StandardScaler:
    """Moments of the columns and the numbers of their values, also of a sparse matrix."""
    return _fitted(StandardScaler(with_mean=False), X)


def _old_weight(moments: StandardScaler, prior_rows: Any) -> Any:
    """Weight of each column's old moments: one where there is no new value."""
    n_values = np.broadcast_to(moments.n_samples_seen_, moments.scale_.shape)
    total = np.where(n_values > 0, prior_rows + n_values, 1)
    return np.where(n_values > 0, prior_rows / total, 1.0)


def _blend(old: Any, new: Any, weight: Any) -> Any:
    """Old and new moments by the weight of the old, exactly one of them if it is 0 or 1."""
    both = np.where(np.isnan(old), new, weight * old + (1 - weight) * new)
    return np.where(weight == 1, old, both).astype(np.result_type(old, new))


def _n_seen(new: Any, prior_rows: Any) -> Any:
    return new.n_samples_seen_ + int(min(np.median(prior_rows), MAX_PRIOR_ROWS))


def _in_units(moves: Any, units: Any) -> Any:
    return np.divide(moves, units, out=np.full(moves.shape, np.nan), where=units > 0)
