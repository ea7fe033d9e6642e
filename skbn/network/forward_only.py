"""Functions of which the forward pass alone is written: autograd gives the derivatives."""

from __future__ import annotations

import reprlib
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache, partial
from threading import RLock
from typing import Any

import numpy as np
import numpy.typing as npt

from skbn.network.parameters import Array

VJP = Callable[[Any], Any]
"""From the gradient at the value of a function to that at its argument."""

STEPS = (1e-3, 1e-4, 1e-5, 1e-6, 1e-7, 1e-8)
"""Lengths of finite differences. One has to fit: long ones may cross a kink, and short ones are
made of rounding errors."""
N_DIRECTIONS = 5
"""Random directions, of which one has to fit: all finite differences of one may cross kinks."""
TOLERANCE = 1e-4
"""Relative difference of a derivative and a finite difference that fit."""
HIDDEN = (
    "Some functions of plain numpy hide the derivative, such as np.where, np.clip, np.dot, "
    "np.cumsum and np.asarray: `import autograd.numpy as np` where the function is written"
)
ALIEN = (
    "Do without assignment to elements, out=, float() and other libraries than autograd.numpy and "
    "autograd.scipy, and import those whole: in another process single functions of them are lost"
)
STEPS_OF_SINGLE, TOLERANCE_OF_SINGLE = (1e-1, 3e-2, 1e-2, 3e-3), 1e-2
"""For functions that compute in single precision whatever they are given."""


def make_vjp_of_autograd() -> Callable[[Callable[[Any], Any], Any], tuple[VJP, Any]]:
    """Give the function of autograd on which all else rests, or say how to install it."""
    try:
        import autograd.scipy.special  # noqa: F401 (makes autograd follow ufuncs of scipy)
        from autograd.core import make_vjp
    except ImportError as error:
        raise ImportError(
            "derivatives of functions of one's own need autograd, which is not installed: "
            'pip install "skbn[autodiff]"'
        ) from error
    return make_vjp  # type: ignore[no-any-return]


_TRACING = RLock()
"""One thread at a time: autograd counts derivatives within derivatives for all threads at once."""
_make_vjp = lru_cache(maxsize=1)(make_vjp_of_autograd)  # an import takes four microseconds


def value_and_vjp(function: Callable[[Any], Any], x: Any) -> tuple[Any, VJP]:
    """Give the value of a function at x, and the product with its transposed Jacobian.

    Parameters
    ----------
    function : callable
        Of x alone, of functions of ``numpy`` and ``autograd.numpy``.
    x : ndarray or float

    Returns
    -------
    value : ndarray or float
    vjp : callable
        From the gradient at the value to that at x.

    Raises
    ------
    ImportError
        If autograd is not installed.
    """
    with _TRACING:
        vjp, value = _make_vjp()(function, x)
    return value, vjp


def tried_value_and_vjp(function: Callable[[Any], Any], x: Any) -> tuple[Any, VJP]:
    """Give what `value_and_vjp` does of a function that is met for the first time.

    Raises
    ------
    TypeError
        If a function of plain numpy hides the derivative: at once, where it would take a thousand
        times the time.
    """
    with _TRACING, _refused_arrays():
        return value_and_vjp(function, x)


def name_of(function: Any) -> str:
    """Name of a function for messages."""
    if isinstance(function, partial):
        given = [("", function.func), *(("", each) for each in function.args)]
        given += [(f"{name}=", each) for name, each in function.keywords.items()]
        texts = (name + (name_of(v) if callable(v) else reprlib.repr(v)) for name, v in given)
        return f"partial({', '.join(texts)})"
    return str(getattr(function, "__name__", None) or type(function).__name__)


def note_origin(error: Exception, name: str, x: Array) -> None:
    """Note in an error that a function of this name raised it, and what it was called with."""
    error.add_note(f"Raised by {name}, called with an array of shape {x.shape}")


@contextmanager
def naming(name: str, x: Array) -> Iterator[None]:
    """Note in errors where they come from, as `note_origin` does."""
    try:
        yield
    except Exception as error:
        note_origin(error, name, x)
        raise


def values_of(function: Callable[[Any], Any], name: str, x: Array) -> Array:
    """Values of a function at x, which are the same when it is asked again.

    Parameters
    ----------
    function : callable
        Gets a copy of x each time.
    name : str
        For messages, such as ``activation=snake``.
    x : ndarray

    Raises
    ------
    ValueError
        If they are other ones, or no real numbers.
    """
    with naming(name, x), np.errstate(all="ignore"):
        value, again = (np.asarray(function(x.copy())) for _ in range(2))
    if value.dtype.kind not in "fiub":
        what = "None: is a return missing?" if value[()] is None else f"an array of {value.dtype}"
        raise ValueError(f"{name} must give real numbers; it gave {what}")
    if not np.array_equal(value, again, equal_nan=value.dtype.kind == "f"):
        raise ValueError(
            f"{name} gave other values when it was asked again at the same point: its value must "
            "depend on its arguments alone, not on random numbers (np.random) or a counter"
        )
    return value


def check_derivative(
    function: Callable[[Any], Any], name: str, x: Array, stream: np.random.Generator
) -> Array:
    """Compare the derivative of a function with finite differences in random directions.

    Parameters
    ----------
    function : callable
    name : str
        For messages.
    x : float64 ndarray
    stream : numpy.random.Generator
        For the directions, and for weights of the values.

    Returns
    -------
    gradient : float64 ndarray
        That at x of the sum of the values with random weights.

    Raises
    ------
    ValueError
        If it differs, is not finite, or autograd cannot find it.
    ImportError
        If autograd is not installed.
    """
    make_vjp_of_autograd()
    value = values_of(function, name, x)
    is_single = value.dtype.kind == "f" and value.itemsize < 8
    precision = np.finfo(value.dtype if is_single else np.float64).eps
    tolerance = TOLERANCE_OF_SINGLE if is_single else TOLERANCE
    value = value.astype(np.float64)
    weights = stream.standard_normal(value.shape)
    watched, gradient = _watched(function, name, x, weights)
    if not np.isfinite(gradient).all():
        raise ValueError(
            f"the derivative of {name} is not finite at points where its values are. Write it so "
            "that no step of it has an infinite slope, such as np.sqrt and np.log at 0: "
            "np.sqrt(x + 1e-12)"
        )
    rounding = precision * float(np.vdot(np.abs(weights), np.abs(value)))
    for _ in range(N_DIRECTIONS):
        direction = stream.standard_normal(x.shape) * np.maximum(np.abs(x), 1)
        found, differences = float(np.vdot(gradient, direction)), []
        for step in STEPS_OF_SINGLE if is_single else STEPS:
            with np.errstate(all="ignore"):
                ends = [np.asarray(function(x + s * direction), np.float64) for s in (step, -step)]
                difference = float(np.vdot(weights, ends[0] - ends[1])) / (2 * step)
            slack = tolerance * max(abs(difference), abs(found)) + 10 * rounding / step
            if abs(difference - found) <= slack:
                _check_is_same(name, watched, value)
                return gradient
            differences.append(difference)
    raise ValueError(
        f"the derivative of {name} by autograd, {found:.6g} in a random direction, does not fit "
        f"finite differences, {differences[2]:.6g}. {HIDDEN}"
    )


def _watched(
    function: Callable[[Any], Any], name: str, x: Array, weights: Array
) -> tuple[npt.NDArray[Any], Array]:
    """Values, and the gradient of their weighted sum, with autograd's errors in words."""
    try:
        with _TRACING, np.errstate(all="ignore"), warnings.catch_warnings():
            # "Output seems independent of input": finite differences tell whether it is.
            warnings.simplefilter("ignore")
            value, vjp = tried_value_and_vjp(function, x.copy())
            # Not a float where the value is one number: some derivatives ask for its shape.
            gradient = np.asarray(vjp(weights if np.ndim(value) else weights[()]), np.float64)
    except _HiddenError as error:
        raise ValueError(
            f"autograd cannot differentiate {name}: the derivative of {name} would not fit finite "
            f"differences. {HIDDEN}. {ALIEN}"
        ) from error
    except Exception as error:
        reason = (str(error).splitlines() or [""])[0]
        raise ValueError(
            f"autograd cannot differentiate {name} ({type(error).__name__}: {reason:.200}). "
            f"`import autograd.numpy as np` where it is written. {ALIEN}"
        ) from error
    return np.asarray(value), gradient


class _HiddenError(TypeError):
    """A function that autograd does not know makes a plain array of one that it watches."""


@contextmanager
def _refused_arrays() -> Iterator[None]:
    """Refuse to make plain arrays of what autograd watches.

    They would hold numbers that are watched one by one: derivatives are zero, or take a thousand
    times as long.
    """
    from autograd.numpy.numpy_boxes import ArrayBox

    def refuse(box: Any, dtype: Any = None, copy: Any = None) -> Any:
        raise _HiddenError("a function of plain numpy makes an array of it")

    ArrayBox.__array__ = refuse
    try:
        yield
    finally:
        del ArrayBox.__array__


def _check_is_same(name: str, watched: npt.NDArray[Any], value: Array) -> None:
    """Refuse a function that does something else when autograd watches it."""
    is_number = watched.dtype != object and watched.shape == value.shape
    if not (is_number and np.allclose(watched, value, rtol=1e-5, equal_nan=True)):
        raise ValueError(f"{name} gives other values when autograd watches it. {HIDDEN}")
