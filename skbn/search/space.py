"""A search space as a unit cube: one coordinate for each choice to make."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from math import isclose
from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import spearmanr
from sklearn.base import BaseEstimator, clone

from skbn.journal.values import short_text, without_addresses
from skbn.search.adapters import as_distribution
from skbn.search.distributions import Axis, Distribution, Listed, Units

BOUNDARY_WIDTH = 0.02
"""Part of a scale, at either end, in which a value counts as at the bound."""
MIN_LEVELS = 8
"""Values that a scale must have for a best one at its end to be reported: of fewer, one is
often best by chance."""


class Coordinate(NamedTuple):
    """One coordinate of a space."""

    label: str  # the parameter, its axis if it has several, its dict if several have it
    part: int  # index of the dict it belongs to; -1 chooses the dict
    axis: Axis


class Space:
    """Parameters of an estimator, mapped to and from a unit cube.

    Parameters
    ----------
    param_distributions : dict or list of dict
        As in `RandomizedSearchCV`: distributions or lists of values by parameter.
        Of several dicts one is drawn first.

    Attributes
    ----------
    coordinates : list of Coordinate
        The meaning of each coordinate of the cube. With several dicts the first
        one chooses among them, and each dict has coordinates of its own.
    """

    def __init__(self, param_distributions: Any) -> None:
        several = not isinstance(param_distributions, Mapping)
        dicts = list(param_distributions) if several else [param_distributions]
        if not dicts or not all(isinstance(d, Mapping) and d for d in dicts):
            raise ValueError(
                "param_distributions must be a dict of distributions or lists of values by "
                f"parameter, or a list of such dicts; got {param_distributions!r}"
            )
        self.parts = [_distributions(d) for d in dicts]
        # A cache: quantiles of scipy.stats are slow, and points are decoded again and again.
        self._decoded: dict[bytes, dict[str, Any]] = {}
        choice = Listed(range(len(dicts)))
        self.coordinates = [Coordinate("dict", -1, a._replace(ordered=False)) for a in choice.axes]
        names = [name for part in self.parts for name in part]
        for index, part in enumerate(self.parts):
            for name, distribution in part.items():
                which = f" (dict {index})" if names.count(name) > 1 else ""
                for axis in distribution.axes:
                    label = f"{name}: {axis.label}" if axis.label else name
                    self.coordinates.append(Coordinate(label + which, index, axis))

    def __repr__(self) -> str:
        return without_addresses(repr(self.parts[0] if len(self.parts) == 1 else self.parts))

    def active(self, unit: Units) -> NDArray[np.bool_]:
        """Mask of the coordinates that are active at a point: of the dict that is chosen there."""
        chosen = self._part(unit)
        return np.array([c.part in (-1, chosen) for c in self.coordinates], dtype=bool)

    def decode(self, unit: Units) -> dict[str, Any]:
        """Parameters at a point of the cube."""
        key = unit.tobytes()
        if key not in self._decoded:
            params, chosen = {}, self._part(unit)
            own = iter(unit[[c.part == chosen for c in self.coordinates]])
            for name, distribution in self.parts[chosen].items():
                here = np.array([next(own) for _ in distribution.axes])
                params[name] = distribution.from_unit(here)
            self._decoded[key] = params
        return dict(self._decoded[key])

    def encode(self, params: Mapping[str, Any]) -> Units:
        """Point that stands for parameters; inactive coordinates are 0.5."""
        found = []
        for index, part in enumerate(self.parts):
            if set(part) != set(params):
                continue
            try:
                own = [d.to_unit(params[name]) for name, d in part.items()]
            except ValueError:
                continue
            unit = np.full(len(self.coordinates), 0.5)
            unit[[c.part == index for c in self.coordinates]] = np.concatenate(own)
            if len(self.parts) > 1:
                unit[0] = (index + 0.5) / len(self.parts)
            found.append(unit)
        if not found:
            raise ValueError(f"{params} cannot be drawn from {self}")
        # Several dicts may have these parameters, and bounds between which they do not lie.
        exact = [unit for unit in found if _are_same(self.decode(unit), params)]
        return (exact or found)[0]

    def bounds(self, unit_bounds: NDArray[np.float64]) -> dict[str, tuple[Any, Any]]:
        """Bounds in values, of each coordinate on a scale, by its label."""
        return {
            c.label: (c.axis.value(low[None]), c.axis.value(high[None]))
            for c, (low, high) in zip(self.coordinates, unit_bounds, strict=True)
            if c.axis.ordered
        }

    def position(self, label: str, value: Any) -> float:
        """Coordinate of a value on a scale, by the scale's label."""
        axis = next(c.axis for c in self.coordinates if c.label == label)
        return float(axis.unit(value)[0])

    def at_bounds(self, best: Units, units: NDArray[np.float64], scores: Any) -> dict[str, Any]:
        """Values of the best point that lie at the end of a scale where scores rise.

        Parameters
        ----------
        best : ndarray of shape (n_coordinates,)
        units : ndarray of shape (n_points, n_coordinates)
            Points drawn over the whole space.
        scores : array-like of shape (n_points,)
            Of these: they must rise towards the end, or the best is there by chance.

        Returns
        -------
        at_bounds : dict of str to object
            By label. Scales of few values are left out: an end says little there.
        """
        found: dict[str, Any] = {}
        if len(units) < 3 or np.ptp(scores) == 0:
            return found
        for i, (c, active) in enumerate(zip(self.coordinates, self.active(best), strict=True)):
            width = max(BOUNDARY_WIDTH, 1 / c.axis.levels if c.axis.levels else 0)
            if not c.axis.ordered or not active or width > 1 / MIN_LEVELS:
                continue
            for side, distance in ("greater", 1 - best[i]), ("less", best[i]):
                if distance <= width:
                    trend = spearmanr(units[:, i], scores, alternative=side)
                    if trend.pvalue < 0.05:
                        found[c.label] = c.axis.value(best[i : i + 1])
        return found

    def shift(self, before: Units, after: Units) -> pd.DataFrame:
        """How far one point is from another, by parameter.

        Returns
        -------
        shift : DataFrame
            A row for each coordinate that is active at both points, with the columns
            "before" and "after", the values, "distance", from 0 to 1: on a scale that of
            the coordinates, else 1 for another value; and "in_words".
        """
        both = self.active(before) & self.active(after)
        used = [(i, c) for i, c in enumerate(self.coordinates) if both[i]]
        values = [
            (c.axis.value(before[i : i + 1]), c.axis.value(after[i : i + 1])) for i, c in used
        ]
        distances = [
            abs(c.axis.unit(new)[0] - c.axis.unit(old)[0])
            if c.axis.ordered
            else repr(old) != repr(new)
            for (_, c), (old, new) in zip(used, values, strict=True)
        ]
        words = [
            _change_in_words(c, *pair, distance)
            for (_, c), pair, distance in zip(used, values, distances, strict=True)
        ]
        labels = [c.label for _, c in used]
        frame = pd.DataFrame(values, index=labels, columns=["before", "after"], dtype=object)
        in_words = pd.Series(words, index=labels, dtype=object)
        return frame.assign(distance=np.array(distances, dtype=float), in_words=in_words)

    def check(self, estimator: BaseEstimator) -> None:
        """Refuse parameters that the estimator does not have."""
        for part in self.parts:
            middle = {
                name: distribution.from_unit(np.full(len(distribution.axes), 0.5))
                for name, distribution in part.items()
            }
            try:
                clone(estimator).set_params(**clone(middle, safe=False))
            except ValueError as error:
                valid = estimator.get_params()
                unknown = [name for name in part if name not in valid]
                if not unknown:
                    raise
                raise ValueError(
                    f"{unknown[0]!r} is no parameter of {type(estimator).__name__}"
                    f"{_suggestion(unknown[0], valid)}"
                ) from error

    def _part(self, unit: Units) -> int:
        return min(int(unit[0] * len(self.parts)), len(self.parts) - 1) if self.parts[1:] else 0


def _change_in_words(coordinate: Coordinate, before: Any, after: Any, distance: float) -> str:
    name = coordinate.label.rpartition("__")[2]
    old, new = (_text(value) for value in (before, after))
    if old == new:
        return f"{name} stays at {new}"
    how_far = f", {distance:.2f} of its scale" if coordinate.axis.ordered else ""
    return f"{name} {old} -> {new}{how_far}"


def _text(value: Any) -> str:
    if isinstance(value, Real) and not isinstance(value, Integral | bool | np.bool_):
        return f"{value:.3g}"
    return value if isinstance(value, str) else short_text(value)


def _suggestion(name: str, valid: Iterable[str]) -> str:
    """A parameter that may be meant: of this name in a Pipeline, or else of a similar one."""
    nested = [other for other in valid if other.endswith(f"__{name}")]
    similar = get_close_matches(name, valid, n=1, cutoff=0.5)
    return f"; did you mean {(nested + similar)[0]!r}?" if nested + similar else ""


def _are_same(params: Mapping[str, Any], others: Mapping[str, Any]) -> bool:
    def is_same(one: Any, other: Any) -> bool:
        numbers = isinstance(one, Real) and isinstance(other, Real)
        return isclose(one, other, rel_tol=1e-6) if numbers else repr(one) == repr(other)

    return all(is_same(value, others[name]) for name, value in params.items())


def _distributions(named: Mapping[str, Any]) -> dict[str, Distribution]:
    distributions = {}
    for name, value in named.items():
        try:
            distributions[str(name)] = as_distribution(value)
        except ValueError as error:
            raise ValueError(f"param_distributions[{name!r}]: {error}") from error
    return distributions
