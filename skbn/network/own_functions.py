"""Functions of the user's own in a network: as values, in pickles, and with their derivatives."""

from __future__ import annotations

import pickle
from collections.abc import Callable, Sequence
from functools import lru_cache, partial
from hashlib import blake2b
from typing import Any

import numpy as np

from skbn.network.forward_only import VJP, name_of, note_origin, value_and_vjp
from skbn.network.parameters import Array


def has_own_name(function: Any) -> bool:
    """Whether a function is pickled as what it is called in a module that others can import."""
    try:
        return b"__main__" not in pickle.dumps(function)
    except Exception:  # whatever its state says
        return False


Faults = dict[int, str | Exception]
"""What functions of the user's own did first: gave a number that is not finite, or raised."""


class OwnFunction:
    """A function that a user wrote, as a value: with others of the same code it is one.

    Parameters
    ----------
    function : callable
    parameter : str
        The estimator's parameter that it is given as, for messages.
    identity : str
        Equal for functions that do the same; empty where that is not known.

    Attributes
    ----------
    name : str
        Of the function.
    n_axes : int
        How many of the axes of its argument, which is a matrix, its values have.
    takes_targets : bool
        Whether targets are its second argument.
    """

    n_axes, takes_targets = 2, False

    def __init__(self, function: Callable[..., Any], parameter: str, identity: str = "") -> None:
        self.function, self.parameter, self._identity = function, parameter, identity
        self.name = name_of(function)

    @property
    def identity(self) -> str:
        """What the function does; of one of which that is not known, which it is."""
        return self._identity or f"{type(self).__name__} {id(self.function)}"

    def __eq__(self, other: object) -> bool:
        return type(other) is type(self) and other.identity == self.identity

    def __hash__(self) -> int:
        return hash(self.identity)

    def __repr__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """Parameter and name, for messages."""
        return f"{self.parameter}={self.name}"

    def __deepcopy__(self, memo: Any) -> OwnFunction:
        return self

    def behaviour(self, *arguments: Array) -> str:
        """Digest of the values for some arguments, the same on other processors."""
        try:
            with np.errstate(all="ignore"):
                values = np.asarray(self.function(*[each.copy() for each in arguments]))
            return blake2b(values.astype(np.float32).tobytes(), digest_size=8).hexdigest()
        except Exception:  # which `check` will raise
            return ""

    def check_slope(self, gradient: Array) -> None:
        """Refuse a function whose derivative is zero everywhere."""
        if not gradient.any():
            raise ValueError(
                f"the derivative of {self.title} is zero at all points that were tried, so that "
                "nothing could be learned through it: it must not be constant, nor made of steps"
            )

    def to_digest(self) -> tuple[Any, ...]:
        """Give what tells it from others: the function, and not how it is pickled."""
        return self.function, self.parameter

    def __reduce__(self) -> tuple[Any, ...]:
        # What skops asks, whose files hold names and no code.
        try:
            pickle.dumps(self.function)
        except Exception as error:
            raise pickle.PicklingError(
                f"{self.title} has no name in a module, by which it could be saved: define it in a "
                "module, or save with pickle or joblib"
            ) from error
        return type(self), (self.function, self.parameter, self._identity)

    def __reduce_ex__(self, protocol: Any) -> tuple[Any, ...]:
        # What pickle asks.
        return type(self), (self._portable(), self.parameter, self._identity)

    def _portable(self) -> Any:
        """The function as it can be pickled: by its name in a module, else by its code."""
        if has_own_name(self.function):
            return self.function
        from joblib import wrap_non_picklable_objects

        wrapped = wrap_non_picklable_objects(self.function, keep_wrapper=False)
        try:
            pickle.dumps(wrapped)
        except Exception as error:
            raise pickle.PicklingError(
                f"{self.title} cannot be pickled, neither by its name in a module nor by its code "
                f"({type(error).__name__}: {error}): define it in a module, without what cannot "
                "be sent elsewhere, such as open files and locks"
            ) from error
        return wrapped


def traced(
    own: OwnFunction, arrays: Sequence[Array], is_joint: bool, faults: Faults
) -> tuple[Array, VJP]:
    """Call a function of matrices for each member, and give its values and derivative.

    Parameters
    ----------
    own : OwnFunction
    arrays : sequence of ndarray of shape (K, m, n)
        Its arguments; the derivative is that with respect to the first.
    is_joint : bool
        Whether to call it once, with the rows of all members, or for each.
    faults : dict of int to str or Exception
        Takes the errors by member, of which values or derivative are NaN.

    Returns
    -------
    values : ndarray of shape (K, m, ...)
        In the dtype of the arrays.
    vjp : callable
        From the gradient at the values to that at the first array.
    """
    shape, dtype = arrays[0].shape, arrays[0].dtype
    calls = _calls(own, arrays, is_joint)
    if is_joint and calls[0].error is not None:
        calls = _calls(own, arrays, is_joint=False)  # one of them will have raised it
    _note_errors(calls, faults)

    def vjp(gradient: Array) -> Array:
        found = _products(calls, gradient)
        if len(calls) < shape[0] and calls[0].error is not None:
            alone: Array = traced(own, arrays, False, faults)[1](gradient)
            return alone
        _note_errors(calls, faults)
        return found.reshape(shape)

    return _values(calls).astype(dtype, copy=False).reshape(shape[: own.n_axes + 1]), vjp


def _calls(own: OwnFunction, arrays: Sequence[Array], is_joint: bool) -> list[_Call]:
    if is_joint:
        arrays = [each.reshape(1, -1, each.shape[2]) for each in arrays]
    return [_Call(own, each) for each in zip(*arrays, strict=True)]


def _values(calls: Sequence[_Call]) -> Array:
    return np.ascontiguousarray(_side_by_side([call.values for call in calls]))


def _products(calls: Sequence[_Call], gradient: Array) -> Array:
    gradients = gradient.reshape(len(calls), -1, *gradient.shape[2:])
    return _side_by_side([call.vjp(d) for call, d in zip(calls, gradients, strict=True)])


def _side_by_side(parts: Sequence[Any]) -> Array:
    return np.asarray(parts[0])[None] if len(parts) == 1 else np.stack(parts)


def _note_errors(calls: Sequence[_Call], faults: Faults) -> None:
    for k, call in enumerate(calls):
        if call.error is not None:
            faults.setdefault(k, call.error)


class _Call:
    """A call of a function with matrices; after an error its values or derivative are NaN."""

    def __init__(self, own: OwnFunction, arrays: Sequence[Array]) -> None:
        x, *others = arrays
        others = [each.copy() for each in others]  # which a function may change in place
        self._own, self._x = own, x
        self.error: Exception | None = None
        of_x = partial(_called, own.function, others) if others else own.function
        shape = x.shape[: own.n_axes]
        try:
            self.values, self._vjp = value_and_vjp(of_x, x)
            if np.shape(self.values) != shape:
                raise ValueError(
                    f"the values have the shape {np.shape(self.values)} instead of {shape}"
                )
        except Exception as error:
            self._note(error)
            self.values = np.full(shape, np.nan)

    def vjp(self, gradient: Array) -> Any:
        """Give the product of a gradient at the values with the derivative."""
        if self.error is None:
            try:
                return self._vjp(gradient)
            except Exception as error:
                self._note(error)
        return np.full(self._x.shape, np.nan)

    def _note(self, error: Exception) -> None:
        note_origin(error, self._own.title, self._x)
        self.error = error


def _called(function: Callable[..., Any], others: Sequence[Array], x: Any) -> Any:
    return function(x, *others)


SCALES = (1, 10, 100)
"""Sizes of arguments at which bits are compared."""


@lru_cache(maxsize=256)
def is_joint(own: OwnFunction, shape: tuple[int, int, int], dtype: Any) -> bool:
    """Whether a function gives the same bits for all members at once as for each alone.

    It is tried, at arguments of several sizes, on members that are unlike each other.

    Parameters
    ----------
    own : OwnActivation or OwnLoss
    shape : tuple of int
        (K, m, n) of its argument.
    dtype : numpy dtype
    """
    if shape[0] == 1:
        return True
    stream = np.random.default_rng(0)
    return all(_is_joint_at(own, shape, dtype, scale, stream) for scale in SCALES)


def _is_joint_at(
    own: OwnFunction, shape: tuple[int, int, int], dtype: Any, scale: float, stream: Any
) -> bool:
    """Whether bits are the same for members whose arguments and labels are unlike."""
    n_members, n_rows, n_columns = shape
    of_member = np.arange(1, n_members + 1)[:, None, None]
    arrays = [scale * of_member * stream.standard_normal(shape)]
    if own.takes_targets:
        # The first member has rows of one class alone, the others of more and more.
        n_classes = np.minimum(np.arange(n_members) + 1, n_columns)[:, None]
        arrays.append(
            np.eye(n_columns)[(stream.random((n_members, n_rows)) * n_classes).astype(int)]
        )
    arrays = [each.astype(dtype) for each in arrays]
    d = stream.standard_normal(shape[: own.n_axes + 1]).astype(dtype)
    with np.errstate(all="ignore"):
        calls = [_calls(own, arrays, together) for together in (True, False)]
        outcomes = [_values(each).tobytes() + _products(each, d).tobytes() for each in calls]
    # A function that knows how many rows it gets raises an error.
    return outcomes[0] == outcomes[1] and not any(each.error for pair in calls for each in pair)


def is_finite(gradient: Array) -> bool:
    """Whether all elements are finite, or almost beyond the largest number."""
    flat = gradient.reshape(-1)
    return bool(np.isfinite(np.dot(flat, flat)))  # costs less than a look at each


def note_faults(faults: Faults, title: str, x: Array, y: Array, d: Array, gradient: Array) -> None:
    """Take note of members for which a function is the first that gave no finite numbers.

    Parameters
    ----------
    faults : dict of int to str or Exception
        Changed in place.
    title : str
    x, y : ndarray of shape (K, ...)
        Argument and values.
    d, gradient : ndarray of shape (K, ...)
        Gradients at the values and at the argument.
    """
    d = np.broadcast_to(d, (len(x), *d.shape[1:]))
    for k in range(len(x)):
        has_values = np.isfinite(y[k]).all()
        is_fault = np.isfinite(x[k]).all() and not (has_values and np.isfinite(gradient[k]).all())
        if not has_values:
            what = "a value"
        elif np.isfinite(d[k]).all():
            what = "a derivative"
        else:
            continue
        if is_fault:
            faults.setdefault(k, f"{what} of {title} that is not finite")


@lru_cache(maxsize=64)
def check_once(own: Any, *arguments: Any) -> None:
    """Check an `OwnActivation` or `OwnLoss`, once for equal ones."""
    own.check(*arguments)
