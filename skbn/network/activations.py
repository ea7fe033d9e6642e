"""Activation functions of the hidden layers.

To add one, write its forward pass and its derivative, work out its gain, and
enter it in ``ACTIVATIONS``; validation, documentation and tests follow the table.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from math import pi, sqrt
from typing import Any

import numpy as np
from scipy.special import erf

from skbn.network.parameters import Array


@dataclass(frozen=True)
class Activation:
    """A function applied to each element of a layer's pre-activations.

    Parameters
    ----------
    forward : callable
        ``forward(x, out)`` writes y = g(x) into ``out``, which may be ``x`` itself.
    derivative : callable
        ``derivative(x, y)`` gives g'(x); it may overwrite y.
    gain : float
        1 / sqrt(E[g(x)^2]) for a standard normal x: weights of standard deviation
        gain / sqrt(n_in) keep the mean square of activations near one from layer
        to layer, the argument of He et al. 2015 (arXiv:1502.01852).
    needs_input : bool, default=False
        Whether the derivative reads x. Where y is enough, y overwrites x.
    """

    forward: Callable[[Array, Array], object]
    derivative: Callable[[Array, Array], Array]
    gain: float
    needs_input: bool = False


@lru_cache(maxsize=16)
def _zeros(shape: tuple[int, ...], dtype: np.dtype) -> Array:
    zeros = np.zeros(shape, dtype)
    zeros.flags.writeable = False
    return zeros


CACHED_ZEROS = 2**20
"""The largest array of zeros that is kept, in elements."""


def _relu(x: Array, out: Array) -> None:
    """max(x, 0)."""
    # NumPy takes the maximum with an array in half the time of that with a number.
    np.maximum(x, _zeros(x.shape, x.dtype) if x.size <= CACHED_ZEROS else 0, out=out)


def _relu_derivative(x: Array, y: Array) -> Array:
    np.copyto(y, y > 0)
    return y


LEAK = 0.01


def _leaky_relu(x: Array, out: Array) -> None:
    """x for x > 0, else 0.01 x."""
    np.maximum(x, LEAK * x, out=out)


def _leaky_relu_derivative(x: Array, y: Array) -> Array:
    return np.where(y > 0, y.dtype.type(1), y.dtype.type(LEAK))


def _elu(x: Array, out: Array) -> None:
    """x for x > 0, else exp(x) - 1."""
    np.copyto(out, np.where(x > 0, x, np.expm1(np.minimum(x, 0))))


def _elu_derivative(x: Array, y: Array) -> Array:
    return np.minimum(y, 0) + 1


# Klambauer et al.'s constants: layers have a fixed point of mean zero and variance one.
SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772


def _selu(x: Array, out: Array) -> None:
    """1.0507 x for x > 0, else 1.7581 (exp(x) - 1): Klambauer et al. 2017 (arXiv:1706.02515)."""
    negative = SELU_ALPHA * np.expm1(np.minimum(x, 0))
    np.multiply(np.where(x > 0, x, negative), SELU_SCALE, out=out)


def _selu_derivative(x: Array, y: Array) -> Array:
    return np.where(y > 0, y.dtype.type(SELU_SCALE), y + SELU_SCALE * SELU_ALPHA)


def _normal_cdf(x: Array) -> Array:
    cdf: Array = 0.5 * (1 + erf(x * sqrt(0.5)))
    return cdf


def _gelu(x: Array, out: Array) -> None:
    """x Phi(x), with Phi the normal distribution function: Hendrycks & Gimpel 2016."""
    np.multiply(x, _normal_cdf(x), out=out)


def _gelu_derivative(x: Array, y: Array) -> Array:
    derivative: Array = _normal_cdf(x) + x * np.exp(-0.5 * x * x) / sqrt(2 * pi)
    return derivative


def _sigmoid(x: Array) -> Array:
    # By tanh, which does not overflow.
    sigmoid: Array = 0.5 * np.tanh(0.5 * x) + 0.5
    return sigmoid


def _silu(x: Array, out: Array) -> None:
    """x / (1 + exp(-x))."""
    np.multiply(x, _sigmoid(x), out=out)


def _silu_derivative(x: Array, y: Array) -> Array:
    sigmoid = _sigmoid(x)
    derivative: Array = sigmoid * (1 + x * (1 - sigmoid))
    return derivative


def _mish(x: Array, out: Array) -> None:
    """x tanh(log(1 + exp(x))): Misra 2019."""
    np.multiply(x, np.tanh(np.logaddexp(0, x)), out=out)


def _mish_derivative(x: Array, y: Array) -> Array:
    squashed = np.tanh(np.logaddexp(0, x))
    derivative: Array = squashed + x * _sigmoid(x) * (1 - squashed * squashed)
    return derivative


def _tanh(x: Array, out: Array) -> None:
    """tanh(x)."""
    np.tanh(x, out=out)


def _tanh_derivative(x: Array, y: Array) -> Array:
    return 1 - y * y


def _logistic(x: Array, out: Array) -> None:
    """1 / (1 + exp(-x))."""
    np.copyto(out, _sigmoid(x))


def _logistic_derivative(x: Array, y: Array) -> Array:
    return y * (1 - y)


def _identity(x: Array, out: Array) -> None:
    """x."""
    if out is not x:
        np.copyto(out, x)


def _identity_derivative(x: Array, y: Array) -> Array:
    return np.ones_like(y)


ACTIVATIONS = {
    "relu": Activation(_relu, _relu_derivative, gain=sqrt(2)),
    "leaky_relu": Activation(_leaky_relu, _leaky_relu_derivative, gain=sqrt(2 / (1 + LEAK * LEAK))),
    "elu": Activation(_elu, _elu_derivative, gain=1.2452),
    "selu": Activation(_selu, _selu_derivative, gain=1.0),
    "gelu": Activation(_gelu, _gelu_derivative, gain=1.5335, needs_input=True),
    "silu": Activation(_silu, _silu_derivative, gain=1.6765, needs_input=True),
    "mish": Activation(_mish, _mish_derivative, gain=1.4868, needs_input=True),
    "tanh": Activation(_tanh, _tanh_derivative, gain=1.5925),
    "logistic": Activation(_logistic, _logistic_derivative, gain=1.8462),
    "identity": Activation(_identity, _identity_derivative, gain=1.0),
}


def activation_of(entry: Any) -> Any:
    """Give the activation that an entry of an architecture is: a key of the table, or itself."""
    return ACTIVATIONS[entry] if isinstance(entry, str) else entry
