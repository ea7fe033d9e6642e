"""Layers of a population of networks, each a forward and its backward.

A layer is made for mini-batches of one size: it holds views of its parameters,
views of where its gradients go, and its buffers. ``forward(x, share)`` takes
activations (K, m, n_in) and each row's share of a mean over the batch, (K, 1, m)
or (1, 1, m) with sum one, which is 1 / m without weights. ``backward(d)`` takes
the gradient at the layer's output, writes the gradients of its parameters and
returns the gradient at its input. Both may overwrite what they are given.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from skbn.network.activations import Activation
from skbn.network.parameters import Array


class Layer(Protocol):
    """What a network asks of a layer."""

    def forward(self, x: Array, share: Array) -> Array:
        """Give the layer's output."""

    def backward(self, d: Array) -> Array:
        """Give the gradient at the layer's input from that at its output."""


class Dense:
    """``z = x W + b``; the bias is left out where batch norm follows.

    Parameters
    ----------
    weights, weights_gradient : ndarray of shape (K, n_in, n_out)
    bias, bias_gradient : ndarray of shape (K, 1, n_out) or None
    n_rows : int
        Rows of a mini-batch, m.
    is_first : bool
        The gradient at the network's input is of no use and is not computed.
    """

    def __init__(
        self,
        weights: Array,
        weights_gradient: Array,
        bias: Array | None,
        bias_gradient: Array | None,
        n_rows: int,
        is_first: bool,
    ) -> None:
        n_members, n_in, n_out = weights.shape
        dtype = weights.dtype
        self._weights, self._weights_gradient = weights, weights_gradient
        self._transposed = weights.swapaxes(1, 2)
        self._bias, self._bias_gradient = bias, bias_gradient
        self._ones = np.ones((1, 1, n_rows), dtype)
        self._output = np.empty((n_members, n_rows, n_out), dtype)
        self._input_gradient = None if is_first else np.empty((n_members, n_rows, n_in), dtype)

    def forward(self, x: Array, share: Array) -> Array:
        """Give x W + b."""
        self._input = x
        np.matmul(x, self._weights, out=self._output)
        if self._bias is not None:
            self._output += self._bias
        return self._output

    def backward(self, d: Array) -> Array:
        """dW = x' d, db = sum of d over the rows, dx = d W'."""
        np.matmul(self._input.swapaxes(-1, -2), d, out=self._weights_gradient)
        if self._bias_gradient is not None:
            np.matmul(self._ones, d, out=self._bias_gradient)
        if self._input_gradient is None:
            return d
        return np.matmul(d, self._transposed, out=self._input_gradient)


class BatchNorm:
    """Normalise each unit over the mini-batch, then scale and shift it.

    With r_i each row's share of the mean (Ioffe & Szegedy 2015, arXiv:1502.03167)::

        mu = sum_i r_i z_i            var = sum_i r_i (z_i - mu)^2
        zn = (z - mu) / sqrt(var + bn_epsilon)
        zt = gamma * zn + beta

        dbeta = sum_i dzt_i           dgamma = sum_i dzt_i zn_i
        dz_i  = gamma / sqrt(var + bn_epsilon) * (dzt_i - r_i dbeta - r_i zn_i dgamma)

    Parameters
    ----------
    gamma, beta : ndarray of shape (K, 1, n)
    gamma_gradient, beta_gradient : ndarray of shape (K, 1, n)
    mean, var : ndarray of shape (K, 1, n)
        Where the moments of the mini-batch are written.
    epsilon : ndarray of shape (K, 1, 1)
    n_rows : int
        Rows of a mini-batch, m.
    """

    def __init__(
        self,
        gamma: Array,
        beta: Array,
        gamma_gradient: Array,
        beta_gradient: Array,
        mean: Array,
        var: Array,
        epsilon: Array,
        n_rows: int,
    ) -> None:
        n_members, _, n_units = gamma.shape
        dtype = gamma.dtype
        self._gamma, self._beta = gamma, beta
        self._gamma_gradient, self._beta_gradient = gamma_gradient, beta_gradient
        self._mean, self._var, self._epsilon = mean, var, epsilon
        self._inverse_deviation = np.empty_like(gamma)
        self._scale = np.empty_like(gamma)
        self._ones = np.ones((1, 1, n_rows), dtype)
        self._scratch = np.empty((n_members, n_rows, n_units), dtype)
        self._output = np.empty((n_members, n_rows, n_units), dtype)

    def forward(self, x: Array, share: Array) -> Array:
        """Give gamma * zn + beta; ``x`` is centred in place."""
        self._centred, self._share = x, share
        np.matmul(share, x, out=self._mean)
        x -= self._mean
        np.multiply(x, x, out=self._scratch)
        np.matmul(share, self._scratch, out=self._var)
        np.add(self._var, self._epsilon, out=self._inverse_deviation)
        np.sqrt(self._inverse_deviation, out=self._inverse_deviation)
        np.divide(1, self._inverse_deviation, out=self._inverse_deviation)
        np.multiply(self._gamma, self._inverse_deviation, out=self._scale)
        np.multiply(x, self._scale, out=self._output)
        self._output += self._beta
        return self._output

    def backward(self, d: Array) -> Array:
        """Give dz in place of ``d``, with the centred z as working space."""
        centred, inverse_deviation = self._centred, self._inverse_deviation
        np.matmul(self._ones, d, out=self._beta_gradient)
        np.multiply(d, centred, out=self._scratch)
        np.matmul(self._ones, self._scratch, out=self._gamma_gradient)
        self._gamma_gradient *= inverse_deviation
        # zn dgamma + dbeta, times each row's share, leaves d what it may change.
        centred *= self._gamma_gradient * inverse_deviation
        centred += self._beta_gradient
        centred *= self._share.swapaxes(1, 2)
        d -= centred
        d *= self._scale
        return d


class Elementwise:
    """An activation function, applied to each element.

    Parameters
    ----------
    activation : Activation
    shape : tuple of int
        (K, m, n) of the mini-batch.
    dtype : numpy dtype
    """

    def __init__(self, activation: Activation, shape: Sequence[int], dtype: np.dtype) -> None:
        self._activation = activation
        self._output = np.empty(shape, dtype) if activation.needs_input else None

    def forward(self, x: Array, share: Array) -> Array:
        """Give g(x), in place of x where the derivative allows it."""
        self._x = x
        self._y = x if self._output is None else self._output
        self._activation.forward(x, self._y)
        return self._y

    def backward(self, d: Array) -> Array:
        """Give g'(x) d in place of ``d``."""
        d *= self._activation.derivative(self._x, self._y)
        return d


class Dropout:
    """Set each input to zero with probability p and divide the others by 1 - p.

    Parameters
    ----------
    rate : ndarray of shape (K, 1, 1)
        p of each member. A member's mask comes from its own stream.
    streams : sequence of numpy.random.Generator
        One stream a member.
    shape : tuple of int
        (K, m, n) of the mini-batch.

    References
    ----------
    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".
    """

    def __init__(
        self, rate: Array, streams: Sequence[np.random.Generator], shape: Sequence[int]
    ) -> None:
        self._rate, self._streams = rate, streams
        self._mask = np.ones(shape, rate.dtype)
        self._output = np.empty(shape, rate.dtype)

    def forward(self, x: Array, share: Array) -> Array:
        """Draw a mask and apply it."""
        for stream, rate, mask in zip(self._streams, self._rate, self._mask, strict=True):
            # A member without dropout draws nothing, as it would alone.
            if rate > 0:
                stream.random(dtype=mask.dtype.type, out=mask)
        np.greater_equal(self._mask, self._rate, out=self._mask)
        self._mask /= 1 - self._rate
        return np.multiply(x, self._mask, out=self._output)

    def backward(self, d: Array) -> Array:
        """Apply the same mask to the gradient, in place of ``d``."""
        d *= self._mask
        return d
