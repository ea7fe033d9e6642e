"""Several networks as one, and the temperature of their logits."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import brentq

from skbn.network.inference import TrainedNetwork
from skbn.network.losses import Loss, softmax
from skbn.network.parameters import Array, Indices

PRIOR_DEVIATION = 0.5
"""Standard deviation of the temperature's logarithm, before any row is seen: without such a
prior small sets lose by calibration (developer guide, "How the defaults were chosen")."""
LOG_TEMPERATURE_BOUNDS = -6.0, 6.0
"""Bounds of that logarithm, twelve of its standard deviations away."""


@dataclass(frozen=True)
class Ensemble:
    """Networks that predict together, and the temperature of their logits.

    Parameters
    ----------
    networks : sequence of TrainedNetwork
        Of one member each, and of one architecture.
    temperature : float, default=1.0
    """

    networks: Sequence[TrainedNetwork]
    temperature: float = 1.0

    @property
    def loss(self) -> Loss:
        """The loss that the networks were trained for."""
        return self.networks[0].architecture.loss_function

    def logits(self, x: Any) -> Array:
        """Logits (n, C) in float64 of rows, those of the networks combined."""
        return self.combine(TrainedNetwork.stacked(self.networks).logits(x))

    def combine(self, logits: Array) -> Array:
        """Combine the logits (K, n, C) of the networks, as `logits` does."""
        scaled = logits.astype(np.float64, copy=False) / self.temperature
        return self.loss.combine(scaled)


def fit_temperature(held_out: Iterable[tuple[Array, Indices, Array]]) -> float:
    """Find the temperature T at which softmax(z / T) fits rows that were not trained on.

    T minimises the sum of the weighted losses plus ``log(T)**2 / (2 PRIOR_DEVIATION**2)``, a
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
