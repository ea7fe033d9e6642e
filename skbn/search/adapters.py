"""Lists of values and distributions of scipy.stats, taken as distributions of this package."""

from __future__ import annotations

from functools import cached_property
from math import ceil, floor
from typing import Any

import numpy as np

from skbn.search.distributions import Axis, Distribution, Listed, Units, ticks_at

MIN_PROBABILITY = 2.0**-32
"""Probability that stands for 0, as 1 less it stands for 1, where the quantile is infinite.
A Sobol sequence has steps of 2**-30."""


class Frozen(Distribution):
    """A distribution of `scipy.stats` with its parameters."""

    def __init__(self, frozen: Any) -> None:
        self.frozen = frozen
        self.discrete = not hasattr(frozen, "pdf") and hasattr(frozen, "pmf")
        if not np.all(np.isfinite(frozen.ppf([0.25, 0.75]))):
            raise ValueError(
                f"{self}: no such distribution; are the bounds the wrong way round, or below "
                "zero on a log scale?"
            )

    def __repr__(self) -> str:
        pieces = [str(value) for value in self.frozen.args]
        pieces += [f"{name}={value}" for name, value in self.frozen.kwds.items()]
        return f"{self.frozen.dist.name}({', '.join(pieces)})"

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """One coordinate, the cumulative probability."""
        low, high = self.frozen.support()
        levels = int(min(high - low + 1, 2**53)) if self.discrete else 0
        if self.frozen.dist.name in ("loguniform", "reciprocal"):
            powers = np.arange(ceil(np.log10(low) - 1e-9), 1 + floor(np.log10(high) + 1e-9))
            values = list(10.0**powers) if len(powers) > 1 else [low, np.sqrt(low * high), high]
        elif self.frozen.dist.name == "uniform":
            values = list(np.linspace(low, high, 5))
        elif levels and levels <= 10:
            values = list(range(int(low), int(high) + 1))
        else:
            values = [self.from_unit(np.array([u])) for u in (0.1, 0.3, 0.5, 0.7, 0.9)]
        return (Axis("", True, levels, ticks_at(self, values), self.from_unit, self.to_unit),)

    def from_unit(self, unit: Units) -> int | float:
        """Quantile."""
        value = self.frozen.ppf(unit[0])
        if not np.isfinite(value):
            value = self.frozen.ppf(min(max(unit[0], MIN_PROBABILITY), 1 - MIN_PROBABILITY))
        return int(value) if self.discrete else float(value)

    def to_unit(self, value: float) -> Units:
        """Cumulative probability; of a whole number, the middle of its step."""
        top = self.frozen.cdf(value)
        return np.array([(top + self.frozen.cdf(value - 1)) / 2 if self.discrete else top])


def as_distribution(value: Any) -> Distribution:
    """Take a distribution of this module or of `scipy.stats`, or a list of values, as one."""
    if isinstance(value, Distribution):
        return value
    if isinstance(value, (list, tuple, range, np.ndarray)):
        return Listed(value)
    if all(hasattr(value, name) for name in ("ppf", "cdf", "support", "dist")):
        return Frozen(value)
    raise ValueError(
        f"{value!r} is no distribution: give a list of values, a distribution of skbn.search "
        "such as log_randint(16, 512), or one of scipy.stats such as loguniform(1e-4, 1)"
    )
