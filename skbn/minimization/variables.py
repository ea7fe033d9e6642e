"""Variables of a cost: numbers and arrays in containers, as one flat vector and back."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from copy import copy
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from skbn.network.parameters import Array, zeros


class Variable(NamedTuple):
    """A number or an array: its place in the vector, and what it is for the user."""

    where: slice
    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    is_number: bool


class Variables:
    """Numbers and arrays of any shapes, which are the parts of one vector.

    Parameters
    ----------
    x0 : number, ndarray, or dict, list or tuple of such
        Their values at first, and the containers in which a cost gets them. Python's numbers
        and integers become float64.

    Attributes
    ----------
    start : ndarray of shape (1, P)
        The values at first. The dtype is that of the most precise array, at least float32.

    Raises
    ------
    TypeError
        If a part is neither a number nor an array of numbers.
    ValueError
        If a part is not finite, or there is none.
    """

    def __init__(self, x0: Any) -> None:
        arrays = [(_array(value, path), path, value) for path, value in _leaves(x0, "x0")]
        self._variables, end = [], 0
        for array, path, value in arrays:
            if not np.isfinite(array).all():
                raise ValueError(f"{path} must be finite, got {value!r:.100}")
            where, end = slice(end, end + array.size), end + array.size
            is_number = not isinstance(value, np.ndarray)
            self._variables.append(Variable(where, array.shape, array.dtype, is_number))
        if not end:
            raise ValueError(f"x0 must hold a number at least, got {x0!r:.100}")
        # The structure alone: the containers are the user's, who may change them.
        self._structure = _filled(x0, iter(range(len(arrays))))
        self._is_alone = isinstance(self._structure, int)
        self.start = zeros((1, end), np.result_type(np.float32, *(a.dtype for a, *_ in arrays)))
        for (array, *_), variable in zip(arrays, self._variables, strict=True):
            self.start[0, variable.where] = array.ravel()

    def values(self, vector: Array) -> Any:
        """Give what of a vector (P,) autograd is to follow: a value, or a tuple of values.

        Arrays are views of it where their dtype is its own.
        """
        values = tuple(_part(vector, each).astype(each.dtype, copy=False) for each in self)
        return values[0] if self._is_alone else values

    def __iter__(self) -> Iterator[Variable]:
        return iter(self._variables)

    def sizes(self) -> Array:
        """Give the size (P,) of each variable at first: its largest element, at most one.

        What is zero may be of size one.
        """
        sizes = np.ones(self.start.shape[1])
        for each in self:
            largest = np.abs(self.start[0, each.where]).max(initial=0)
            sizes[each.where] = min(largest, 1) or 1
        return sizes

    def structured(self, values: Any) -> Any:
        """Give values as the user has them, in containers."""
        if self._is_alone:
            return values
        return _filled(self._structure, (values[k] for k in range(len(self._variables))))

    def zero(self, values: Any) -> Any:
        """Give a zero that depends on values which autograd follows."""
        return np.sum(0 * (values if self._is_alone else values[0]))

    def of_vector(self, vector: Any) -> Any:
        """Give the parts of a vector (P,), which autograd may follow, in its own dtype."""
        parts = [_part(vector, each) for each in self]
        return self.structured(parts[0] if self._is_alone else parts)

    def gather(self, values: Any, out: Array) -> None:
        """Write the gradients of `values` into a vector (P,)."""
        for value, variable in zip(
            (values,) if self._is_alone else values, self._variables, strict=True
        ):
            out[variable.where] = np.ravel(value)


def _part(vector: Any, variable: Variable) -> Any:
    if variable.is_number:
        return vector[variable.where.start]
    return vector[variable.where].reshape(variable.shape)


def _leaves(node: Any, path: str) -> Iterator[tuple[str, Any]]:
    """Give what stands in containers, each with how it is written."""
    if not isinstance(node, (dict, list, tuple)):
        yield path, node
        return
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        yield from _leaves(value, f"{path}[{key!r}]")


def _filled(node: Any, leaves: Iterator[Any]) -> Any:
    """Give containers like those of a node, with other leaves."""
    if isinstance(node, tuple):
        return tuple_like(node, [_filled(value, leaves) for value in node])
    if not isinstance(node, (dict, list)):
        return next(leaves)
    made = copy(node)
    for key, value in node.items() if isinstance(node, dict) else enumerate(node):
        made[key] = _filled(value, leaves)
    return made


def tuple_like(node: tuple[Any, ...], items: Sequence[Any]) -> Any:
    """Give a tuple, or a named one, with other items."""
    make: Callable[[Sequence[Any]], Any] = getattr(node, "_make", tuple)
    return make(items)


def _array(value: Any, path: str) -> npt.NDArray[Any]:
    """Give a leaf as an array of floating-point numbers."""
    is_array = type(value) in (np.ndarray, np.memmap) or isinstance(value, np.floating)
    kind = value.dtype.kind if is_array else ""
    if isinstance(value, Real) and not is_array:
        kind = "i"
    if kind == "f":
        return np.asarray(value)
    if kind in ("i", "u") and not isinstance(value, bool):
        try:
            return np.asarray(value, np.float64)
        except OverflowError:
            raise ValueError(f"{path} must be finite, and no float64 is so large") from None
    dtype = f" of {value.dtype}" if hasattr(value, "dtype") else ""
    raise TypeError(
        f"{path} must be a number, an array of numbers (numpy.ndarray), or a dict, list or tuple "
        f"of such; got {type(value).__name__}{dtype}. np.asarray makes arrays of data frames, of "
        "tensors and of the like"
    )
