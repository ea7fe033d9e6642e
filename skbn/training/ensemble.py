"""Several networks as one, and the temperature of their logits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from math import isfinite
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.optimize import brentq
from scipy.sparse import issparse

from skbn.network.inference import FoldedNetwork, TrainedNetwork
from skbn.network.losses import Loss, softmax
from skbn.network.parameters import Array, Indices

PRIOR_DEVIATION = 0.5
"""Standard deviation of the temperature's logarithm, before any row is seen: without such a
prior small sets lose by calibration (developer guide, "How the defaults were chosen")."""
LOG_TEMPERATURE_BOUNDS = -6.0, 6.0
"""Bounds of that logarithm, twelve of its standard deviations away."""


@dataclass(eq=False)
class Ensemble:
    """Networks that predict together, and the temperature of their logits.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        Of one member each, and of one architecture.
    temperature : float, default=1.0
    log_prior_ratio : ndarray of shape (C,), optional
        Added to the combined logits: of each class the logarithm of its prior among the rows to
        predict over that among those trained on.
    """

    networks: Sequence[TrainedNetwork]
    temperature: float = 1.0
    log_prior_ratio: Array | None = None
    _folded: dict[Any, tuple[FoldedNetwork, Array]] = field(
        default_factory=dict, init=False, repr=False
    )

    def __reduce__(self) -> tuple[Any, ...]:
        # Without what was folded, which is no part of its state.
        return type(self), (self.networks, self.temperature, self.log_prior_ratio)

    @property
    def loss(self) -> Loss:
        """The loss that the networks were trained for."""
        return self.networks[0].architecture.loss_function

    def logits(self, x: Any) -> Array:
        """Logits of rows, those of the networks combined.

        Parameters
        ----------
        x : ndarray or CSR matrix of shape (n, n_features)
            Finite numbers.

        Returns
        -------
        logits : float64 ndarray of shape (n, C)
            Finite, and so are their differences.

        Raises
        ------
        ValueError
            If there are none for a row, whose values are too large.
        """
        return self.combine(self._separate_logits(x), x)

    def combine(self, logits: Array, x: Any) -> Array:
        """Combine the logits (K, n, C) of the networks on rows ``x``, as `logits` does."""
        combined = self._combined(logits)
        # A product with itself costs less than a look at each; it may overflow where none does.
        if not isfinite(np.vdot(combined, combined)):
            self._recompute(combined, x)
        return combined

    def folded(self, dtype: npt.DTypeLike) -> FoldedNetwork:
        """Give the networks without batch norm, folded once for as long as they are the same.

        ``coefs_`` and the like are where the first of them may be written to.
        """
        theta = self.networks[0].theta
        network, folded_theta = self._folded.get(dtype, (None, theta))
        if network is None or not _are_same(theta, folded_theta):
            copy = theta.copy()
            network = TrainedNetwork.stacked(self.networks).folded(dtype)
            self._folded[dtype] = network, copy
        return network

    def _separate_logits(self, x: Any) -> Array:
        return self.folded(x.dtype).logits(x)

    def _combined(self, logits: Array) -> Array:
        with np.errstate(over="ignore", invalid="ignore"):
            scaled = logits.astype(np.float64, copy=False) / self.temperature
            combined = self.loss.combine(scaled)
            return combined if self.log_prior_ratio is None else combined + self.log_prior_ratio

    def _recompute(self, combined: Array, x: Any) -> None:
        """Write logits in float64 over those that float32 could not hold."""
        rows = _rows_without_differences(combined)
        if x.dtype == np.float32 and rows.size:
            logits = self._combined(self._separate_logits(x[rows].astype(np.float64)))
            combined[rows] = logits
            rows = rows[_rows_without_differences(logits)]
        if rows.size:
            row = x[rows[:1]]
            values = row.toarray()[0] if issparse(row) else row[0]
            column = int(np.abs(values).argmax())
            others = f" and {len(rows) - 1} more" if len(rows) > 1 else ""
            raise ValueError(
                f"There are no finite probabilities for row {rows[0]} of X{others}: its values, up "
                f"to {values[column]:.3g} in column {column}, are too large for the weights of "
                "this model. Scale the features as in training, and replace marks of missing "
                "cells. If ordinary rows are too large, lower learning_rate_init and fit anew"
            )


def _are_same(theta: Array, other: Array) -> bool:
    """Whether two arrays hold the same bits."""
    bits = f"u{theta.itemsize}"
    return bool((theta.view(bits) == other.view(bits)).all())


def _rows_without_differences(logits: Array) -> Indices:
    """Rows of logits (n, C) that are not finite, or whose differences are not."""
    with np.errstate(over="ignore", invalid="ignore"):
        rows: Indices = np.flatnonzero(~np.isfinite(np.ptp(logits, axis=1)))
    return rows


def fit_temperature(held_out: Iterable[tuple[Array, Indices, Array]]) -> float:
    """Find the temperature T at which softmax(z / T) fits rows that were not trained on.

    T minimises the sum of the weighted log-losses plus ``log(T)**2 / (2 PRIOR_DEVIATION**2)``, a
    normal prior, so that a few rows do not move it far from one; without rows it is one.

    Parameters
    ----------
    held_out : iterable of (logits (n, C), labels (n,), weights (n,))

    Returns
    -------
    temperature : float

    References
    ----------
    C. Guo, G. Pleiss, Y. Sun, K. Weinberger. On calibration of modern neural networks.
    2017. arXiv:1706.04599.
    """
    parts = []
    for z, labels, weights in held_out:
        z = z.astype(np.float64)
        right = np.take_along_axis(z, labels[:, None], axis=1)[:, 0]
        parts.append((z, right, weights * (len(weights) / weights.sum())))
    if not parts:
        return 1.0

    def slope(log_temperature: float) -> float:
        scale, total = np.exp(-log_temperature), 0.0
        for z, right, weights in parts:
            mean = (softmax(z * scale) * z).sum(axis=1)
            # Not as a product, whose last bit may hang on where in memory the rows lie.
            total += float(np.sum(weights * (right - mean)))
        return float(scale * total + log_temperature / PRIOR_DEVIATION**2)

    lowest, highest = LOG_TEMPERATURE_BOUNDS
    if slope(lowest) >= 0:
        return float(np.exp(lowest))
    if slope(highest) <= 0:
        return float(np.exp(highest))
    return float(np.exp(brentq(slope, lowest, highest, xtol=1e-3)))
