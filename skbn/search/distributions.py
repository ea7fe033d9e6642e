"""Scales to search on: each distribution is a map between values and the unit interval."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property
from math import ceil, floor, log
from numbers import Integral, Real
from typing import Any, NamedTuple, NoReturn

import numpy as np
from numpy.typing import NDArray
from sklearn.utils import check_random_state

from skbn._version import refuse_files_of_0_1
from skbn.network.forward_only import name_of
from skbn.saved_state import require

Units = NDArray[np.float64]


class Axis(NamedTuple):
    """One coordinate of a distribution, for the zoom and the pictures."""

    label: str  # such as "units"; "" where a distribution has one coordinate only
    ordered: bool  # whether values that are near each other have coordinates near each other
    levels: int  # how many values there are; 0 where they are a continuum
    ticks: list[tuple[float, str]]  # coordinates, and the values there as text
    value: Callable[[Units], Any]  # from a coordinate, as an array of one, to a value
    unit: Callable[[Any], Units]  # the way back


class Distribution(ABC):
    """A random value with a map to and from the unit cube, where it is uniform.

    A distribution of one value has no coordinate, most have one, and one over
    tuples may have several. To add a distribution, write `from_unit`, `to_unit`
    and `axes`.
    """

    @property
    @abstractmethod
    def axes(self) -> tuple[Axis, ...]:
        """Meaning of each coordinate; a `functools.cached_property`, since it is read often."""

    def __getstate__(self) -> dict[str, Any]:
        """Give what makes the distribution, and nothing that follows from it, as functions do."""
        follows = {
            n for n in vars(self) if isinstance(getattr(type(self), n, None), cached_property)
        }
        return {name: value for name, value in vars(self).items() if name not in follows}

    @abstractmethod
    def from_unit(self, unit: Units) -> Any:
        """Value at a point of the unit cube.

        Parameters
        ----------
        unit : ndarray of shape (n_axes,)
            Coordinates from 0 to 1.

        Returns
        -------
        value : object
        """

    @abstractmethod
    def to_unit(self, value: Any) -> Units:
        """Point of the unit cube that stands for a value, the middle of all that do.

        Parameters
        ----------
        value : object
            A number beyond the bounds is taken for the bound.

        Returns
        -------
        unit : ndarray of shape (n_axes,)

        Raises
        ------
        ValueError
            If the value cannot be drawn.
        """

    def rvs(self, size: int | None = None, random_state: Any = None) -> Any:
        """Draw values at random, as the distributions of `scipy.stats` do.

        Parameters
        ----------
        size : int, default=None
            How many; None is one, which is not put into a list.
        random_state : int, RandomState instance or None, default=None
            Seed.

        Returns
        -------
        values : object, ndarray or list
            Several numbers are an array, other values a list.
        """
        uniform = check_random_state(random_state).uniform
        n_axes = len(self.axes)
        values = [self.from_unit(uniform(size=n_axes)) for _ in range(1 if size is None else size)]
        if size is None:
            return values[0]
        return np.array(values) if all(isinstance(value, Real) for value in values) else values


@dataclass(frozen=True)
class one_minus_loguniform(Distribution):
    """Numbers just below 1 whose distance from 1 is log-uniform.

    The scale of a momentum, and of every weight in an exponentially weighted
    average: between 0.9 and 0.99 lies as much as between 0.99 and 0.999, for
    ``1 / (1 - x)`` is about the number of values that are averaged.

    Parameters
    ----------
    low, high : float
        Bounds, with ``0 <= low < high < 1``.

    Examples
    --------
    >>> from skbn.search import one_minus_loguniform
    >>> momentum = one_minus_loguniform(0.9, 0.999)
    >>> round(momentum.rvs(random_state=0), 4)
    0.992
    >>> [float(round(momentum.from_unit([u]), 4)) for u in (0, 0.5, 1)]
    [0.9, 0.99, 0.999]
    """

    low: float
    high: float

    def __post_init__(self) -> None:
        _check_bounds(self, Real)
        if not 0 <= self.low < self.high < 1:
            raise ValueError(f"{self}: the bounds must be 0 <= low < high < 1")

    def __repr__(self) -> str:
        return f"one_minus_loguniform({self.low}, {self.high})"

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """One continuous coordinate."""
        powers = range(floor(-np.log10(1 - self.low)), 1 + ceil(-np.log10(1 - self.high)))
        values = [1 - 10.0**-power for power in powers]
        values = [value for value in values if self.low <= value <= self.high]
        ticks = ticks_at(self, values if len(values) > 1 else [self.low, self.high])
        return (Axis("", True, 0, ticks, self.from_unit, self.to_unit),)

    def from_unit(self, unit: Units) -> float:
        """Value at a coordinate: ``1 - (1 - low) * ((1 - high) / (1 - low)) ** u``."""
        value = 1 - (1 - self.low) * ((1 - self.high) / (1 - self.low)) ** float(unit[0])
        return min(max(value, self.low), self.high)

    def to_unit(self, value: float) -> Units:
        """Coordinate of a value."""
        value = min(max(value, self.low), self.high)
        return np.array([log((1 - self.low) / (1 - value)) / log((1 - self.low) / (1 - self.high))])


@dataclass(frozen=True)
class log_randint(Distribution):
    """Whole numbers, uniform on a logarithmic scale.

    The scale of layer widths and batch sizes: as many draws fall between 16 and
    32 as between 256 and 512.

    Parameters
    ----------
    low, high : int
        Bounds, with ``1 <= low < high``. Both can be drawn, unlike the upper one of
        `scipy.stats.randint`.

    Notes
    -----
    ``k`` has the probability ``log((k + 1) / k) / log((high + 1) / low)``.

    Examples
    --------
    >>> from skbn.search import log_randint
    >>> log_randint(16, 512).rvs(size=6, random_state=0)
    array([107, 191, 129, 105,  69, 150])
    """

    low: int
    high: int

    def __post_init__(self) -> None:
        _check_bounds(self, Integral)
        if not 1 <= self.low < self.high:
            raise ValueError(f"{self}: the bounds must be 1 <= low < high")

    def __repr__(self) -> str:
        return f"log_randint({self.low}, {self.high})"

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """One coordinate of ``high - low + 1`` values."""
        powers = range(int(self.low).bit_length() - 1, int(self.high).bit_length())
        values = [v for v in (2**power for power in powers) if self.low <= v <= self.high]
        if len(values) < 3:
            values = sorted({round(v) for v in np.geomspace(self.low, self.high, 4)})
        return (
            Axis(
                "",
                True,
                self.high - self.low + 1,
                ticks_at(self, values),
                self.from_unit,
                self.to_unit,
            ),
        )

    def from_unit(self, unit: Units) -> int:
        """Value at a coordinate: ``floor(low * ((high + 1) / low) ** u)``."""
        value = floor(self.low * ((self.high + 1) / self.low) ** float(unit[0]))
        return min(max(value, int(self.low)), int(self.high))

    def to_unit(self, value: int) -> Units:
        """Middle of a value's coordinates."""
        value = min(max(value, self.low), self.high)
        ends = np.log(np.array([value, value + 1]) / self.low) / log((self.high + 1) / self.low)
        return np.array([ends.mean()])


SHAPES = ("constant", "funnel")


class Widths(tuple[int, ...]):
    """A list of widths, which a pair of bounds is not; hashable, as bounds are."""

    __slots__ = ()

    def __repr__(self) -> str:
        return repr(list(self))


@dataclass(frozen=True)
class hidden_layers(Distribution):
    """Tuples of layer sizes, for ``hidden_layer_sizes``.

    Parameters
    ----------
    depth : int or (int, int)
        Hidden layers: a number, or bounds that can both be drawn.

    width : int, (int, int) or list of int
        Units of the first hidden layer: a number, bounds that can both be drawn,
        between which it is uniform on a logarithmic scale, or a list to draw from.
        With few widths many candidates have the same shapes, and can train together.

    shape : str or sequence of str, default="constant"
        Sizes of the other layers: "constant" gives all the same, "funnel" half as
        many to each as to the one before. One of several is drawn.

    Examples
    --------
    >>> from skbn.search import hidden_layers
    >>> hidden_layers((1, 3), (32, 256)).rvs(size=3, random_state=0)
    [(141, 141), (99, 99), (122, 122)]
    >>> hidden_layers(3, 64, shape="funnel").rvs()
    (64, 32, 16)
    >>> hidden_layers((1, 2), [32, 64, 128]).rvs(size=3, random_state=0)
    [(128, 128), (64, 64), (64,)]
    """

    depth: int | tuple[int, int]
    width: int | tuple[int, int] | list[Any]
    shape: str | tuple[str, ...] = "constant"

    def __post_init__(self) -> None:
        # Lists become tuples, so that equal distributions hash equally.
        for name in ("depth", "shape"):
            value = getattr(self, name)
            if not isinstance(value, str) and isinstance(value, Sequence):
                object.__setattr__(self, name, tuple(value))
        if isinstance(self.width, list):
            object.__setattr__(self, "width", Widths(self.width))
            if not self.width or not all(map(_is_positive, self.width)):
                raise ValueError(f"{self}: width must hold positive integers")
        for name in ("depth",) if isinstance(self.width, Widths) else ("depth", "width"):
            bounds = _as_bounds(getattr(self, name))
            if not (len(bounds) == 2 and all(map(_is_positive, bounds)) and bounds[0] <= bounds[1]):
                raise ValueError(
                    f"{self}: {name} must be a positive integer, or two of them with low <= high"
                )
        unknown = [shape for shape in self._shapes if shape not in SHAPES]
        if unknown or not self._shapes:
            raise ValueError(f"{self}: shape must be one or more of {', '.join(SHAPES)}")

    def __repr__(self) -> str:
        shape = "" if self.shape == "constant" else f", shape={self.shape!r}"
        return f"hidden_layers({self.depth}, {self.width}{shape})"

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if isinstance(self.width, Widths):
            state["width"] = list(self.width)
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        require(type(state) is dict, type(self).__name__)
        is_list = type(state.get("width")) is list
        vars(self).update(state | {"width": Widths(state["width"])} if is_list else state)

    @property
    def _shapes(self) -> tuple[str, ...]:
        return (self.shape,) if isinstance(self.shape, str) else self.shape

    @cached_property
    def _parts(self) -> dict[str, Distribution]:
        low, high = _as_bounds(self.depth)
        width = _as_bounds(self.width)
        if isinstance(width, Widths):
            units: Distribution = Listed(width)
        else:
            units = log_randint(*width) if width[0] < width[1] else Listed(width[:1])
        return {
            "layers": Listed(range(low, high + 1)),
            "units": units,
            "shape": Listed(self._shapes),
        }

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """A coordinate for each of layers, units and shape that is not fixed."""
        parts = self._parts.items()
        return tuple(axis._replace(label=label) for label, part in parts for axis in part.axes)

    def from_unit(self, unit: Units) -> tuple[int, ...]:
        """Layer sizes at a point."""
        rest, chosen = list(unit), []
        for part in self._parts.values():
            n_axes = len(part.axes)
            chosen.append(part.from_unit(np.array(rest[:n_axes])))
            del rest[:n_axes]
        return _layer_sizes(*chosen)

    def to_unit(self, value: Sequence[int]) -> Units:
        """Point that stands for layer sizes."""
        sizes = tuple(value)
        for shape in self._shapes:
            if sizes and sizes == _layer_sizes(len(sizes), sizes[0], shape):
                chosen = (len(sizes), sizes[0], shape)
                pairs = zip(self._parts.values(), chosen, strict=True)
                return np.concatenate([part.to_unit(choice) for part, choice in pairs])
        raise ValueError(f"{sizes} cannot be drawn from {self}")


class Listed(Distribution):
    """One of several values; numbers in ascending or descending order are a scale."""

    def __init__(self, values: Iterable[Any]) -> None:
        self.values = [v.item() if isinstance(v, np.generic) else v for v in values]
        if not self.values:
            raise ValueError("a list of values must not be empty")

    def __repr__(self) -> str:
        return repr(self.values)

    @cached_property
    def axes(self) -> tuple[Axis, ...]:
        """One coordinate, in equal parts for the values; none for a single value."""
        n = len(self.values)
        if n == 1:
            return ()
        ticks = [((i + 0.5) / n, write(value)) for i, value in enumerate(self.values)]
        numbers = all(isinstance(v, Real) and not isinstance(v, bool) for v in self.values)
        ordered = numbers and bool(abs(np.sign(np.diff(self.values)).sum()) == n - 1)
        return (Axis("", ordered, n, ticks, self.from_unit, self.to_unit),)

    def from_unit(self, unit: Units) -> Any:
        """Value at a coordinate."""
        n = len(self.values)
        return self.values[min(int(unit[0] * n), n - 1) if n > 1 else 0]

    def to_unit(self, value: Any) -> Units:
        """Middle of a value's coordinates."""
        n = len(self.values)
        value = value.item() if isinstance(value, np.generic) else value
        for i, own in enumerate(self.values):
            if own is value or (type(own) is type(value) and repr(own) == repr(value)):
                return np.array([(i + 0.5) / n] if n > 1 else [])
        raise ValueError(f"{value!r} is not one of {self}")


def _check_bounds(distribution: Any, kind: type) -> None:
    for name in ("low", "high"):
        bound = getattr(distribution, name)
        if not isinstance(bound, kind) or isinstance(bound, bool):
            what = "an integer" if kind is Integral else "a number"
            raise TypeError(f"{distribution}: {name} must be {what}, got {bound!r}")


def _is_positive(value: Any) -> bool:
    if isinstance(value, bool):
        return False
    return isinstance(value, Integral) and int(value) > 0


def _as_bounds(value: Any) -> tuple[Any, ...]:
    return value if isinstance(value, tuple) else (value, value)


def _layer_sizes(depth: int, width: int, shape: str) -> tuple[int, ...]:
    if shape == "funnel":
        return tuple(max(1, round(width / 2**layer)) for layer in range(depth))
    return (width,) * depth


def ticks_at(distribution: Distribution, values: Sequence[Any]) -> list[tuple[float, str]]:
    """Ticks at these values of a distribution of one coordinate."""
    return [(float(distribution.to_unit(value)[0]), write(value)) for value in values]


def write(value: Any) -> str:
    """Text of a value at a tick."""
    if isinstance(value, (list, tuple)) and any(map(callable, value)):
        return f"[{', '.join(map(write, value))}]"
    if callable(value) and " at 0x" in repr(value):
        return name_of(value)
    return f"{value:.4g}" if isinstance(value, float) else str(value)


def __getattr__(name: str) -> NoReturn:
    if name == "Frozen":  # in pictures that skbn 0.1 pickled
        refuse_files_of_0_1(f"skbn.search.distributions.{name}")
    raise AttributeError(f"module {__name__} has no attribute {name!r}")
