"""Layers of a population of networks, each a forward and its backward.

A layer is made for mini-batches of one size: it holds views of its parameters,
views of where its gradients go, and the buffers it is given. ``forward(x, share)``
takes activations (K, m, n_in) and each row's share of a mean over the batch,
(K, 1, m) with sum one, or None where all rows have the same, 1 / m. ``backward(d)``
takes the gradient at the layer's output, writes the gradients of its parameters and
returns the gradient at its input. Both may overwrite what they are given; layers are
passed back in the opposite order, so a layer's output is free once it is passed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np

from skbn.network.activations import Activation
from skbn.network.parameters import Array, empty


class Layer(Protocol):
    """What a network asks of a layer."""

    def forward(self, x: Array, share: Array | None) -> Array:
        """Give the layer's output."""

    def backward(self, d: Array) -> Array:
        """Give the gradient at the layer's input from that at its output."""


class Dense:
    """``z = x W + b``; the bias is left out where batch norm follows.

    Parameters
    ----------
    weights, weights_gradient : ndarray of shape (K, n_in, n_out)
    bias, bias_gradient : ndarray of shape (K, 1, n_out) or None
    output : ndarray of shape (K, m, n_out)
        Where z is written.
    input_gradient : ndarray of shape (K, m, n_in) or None
        Where the gradient at the input is written. None in the first layer: that
        at the network's input is of no use and is not computed.
    """

    def __init__(
        self,
        weights: Array,
        weights_gradient: Array,
        bias: Array | None,
        bias_gradient: Array | None,
        output: Array,
        input_gradient: Array | None,
    ) -> None:
        self._weights, self._weights_gradient = weights, weights_gradient
        self._transposed = weights.swapaxes(1, 2)
        self._bias, self._bias_gradient = bias, bias_gradient
        self._ones = np.ones((1, 1, output.shape[1]), output.dtype)
        self._output, self._input_gradient = output, input_gradient

    def forward(self, x: Array, share: Array | None) -> Array:
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
        dz_i  = gamma / sqrt(var + bn_epsilon) * (dzt_i - r_i (dbeta + zn_i dgamma))

    Sums over rows are matrix products, which are several times faster than
    ``np.add.reduce`` and the same in any company.

    Parameters
    ----------
    gamma, beta : ndarray of shape (K, 1, n)
    gamma_gradient, beta_gradient : ndarray of shape (K, 1, n)
    mean, var : ndarray of shape (K, 1, n)
        Where the moments of the mini-batch are written.
    epsilon : ndarray of shape (K, 1, 1)
    output : ndarray of shape (K, m, n)
        Where zt is written, and working space before and after.
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
        output: Array,
    ) -> None:
        n_rows, dtype = output.shape[1], output.dtype
        self._gamma, self._beta = gamma, beta
        self._gamma_gradient, self._beta_gradient = gamma_gradient, beta_gradient
        self._mean, self._var, self._epsilon = mean, var, epsilon
        self._deviation, self._scale = empty(gamma.shape, dtype), empty(gamma.shape, dtype)
        self._slope, self._shift = empty(gamma.shape, dtype), empty(gamma.shape, dtype)
        self._equal_share = np.full((1, 1, n_rows), 1 / n_rows, dtype)
        self._ones = np.ones((1, 1, n_rows), dtype)
        self._inverse_rows = dtype.type(1 / n_rows)
        self._output = output

    def forward(self, x: Array, share: Array | None) -> Array:
        """Give gamma * zn + beta; ``x`` is centred in place."""
        self._centred, self._share = x, share
        if share is None:
            share = self._equal_share
        mean, deviation, output = self._mean, self._deviation, self._output
        np.matmul(share, x, out=mean)
        x -= mean
        np.square(x, out=output)
        np.matmul(share, output, out=self._var)
        np.add(self._var, self._epsilon, out=deviation)
        np.sqrt(deviation, out=deviation)
        np.divide(self._gamma, deviation, out=self._scale)
        np.multiply(x, self._scale, out=output)
        output += self._beta
        return output

    def backward(self, d: Array) -> Array:
        """Give dz in place of ``d``, with the centred z as working space."""
        centred, slope = self._centred, self._slope
        gamma_gradient, beta_gradient = self._gamma_gradient, self._beta_gradient
        np.matmul(self._ones, d, out=beta_gradient)
        np.multiply(d, centred, out=self._output)
        np.matmul(self._ones, self._output, out=gamma_gradient)
        gamma_gradient /= self._deviation
        # zn dgamma + dbeta, times each row's share, leaves d what it may change.
        np.divide(gamma_gradient, self._deviation, out=slope)
        if self._share is None:
            slope *= self._inverse_rows
            centred *= slope
            d -= np.multiply(beta_gradient, self._inverse_rows, out=self._shift)
        else:
            centred *= slope
            centred += beta_gradient
            centred *= self._share.swapaxes(1, 2)
        d -= centred
        d *= self._scale
        return d


class Elementwise:
    """An activation function, applied to each element.

    Parameters
    ----------
    activation : Activation
    output : ndarray of shape (K, m, n) or None
        Where g(x) is written. None: over x, which the activation's derivative
        must allow.
    """

    def __init__(self, activation: Activation, output: Array | None) -> None:
        self._activation, self._output = activation, output

    def forward(self, x: Array, share: Array | None) -> Array:
        """Give g(x)."""
        self._x = x
        self._y = x if self._output is None else self._output
        self._activation.forward(x, self._y)
        return self._y

    def backward(self, d: Array) -> Array:
        """Give g'(x) d in place of ``d``."""
        d *= self._activation.derivative(self._x, self._y)
        return d


def _draw(streams: Sequence[np.random.Generator], strength: Array, out: Array) -> None:
    """Fill each member's part of ``out`` with uniform numbers in [0, 1) from its own stream.

    A member whose strength is zero draws nothing, as it would alone, and has zeros.
    """
    for stream, of_member, part in zip(streams, strength, out, strict=True):
        if of_member > 0:
            stream.random(dtype=part.dtype.type, out=part)
        else:
            part.fill(0)


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
        self._mask, self._output = empty(shape, rate.dtype), empty(shape, rate.dtype)

    def forward(self, x: Array, share: Array | None) -> Array:
        """Draw a mask and apply it."""
        _draw(self._streams, self._rate, self._mask)
        np.greater_equal(self._mask, self._rate, out=self._mask)
        self._mask /= 1 - self._rate
        return np.multiply(x, self._mask, out=self._output)

    def backward(self, d: Array) -> Array:
        """Apply the same mask to the gradient, in place of ``d``."""
        d *= self._mask
        return d


class GaussianNoise:
    """Add normal noise of mean zero to each input.

    It is drawn in single precision by the transform of Box and Muller, whose vectorised
    functions take a third of the time of the generator's own normal numbers.

    Parameters
    ----------
    deviation : ndarray of shape (K, 1, 1)
        Standard deviation of each member's. It comes from the member's own stream.
    streams : sequence of numpy.random.Generator
        One stream a member.
    shape : tuple of int
        (K, m, n) of the mini-batch.

    References
    ----------
    Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    Box & Muller 1958, "A note on the generation of random normal deviates".
    """

    def __init__(
        self, deviation: Array, streams: Sequence[np.random.Generator], shape: Sequence[int]
    ) -> None:
        self._deviation, self._streams = deviation, streams
        n_members, size = shape[0], shape[1] * shape[2]
        half = (n_members, (size + 1) // 2)
        self._pairs = empty((n_members, 2, half[1]), np.float32)
        self._sine = empty(half, np.float32)
        self._noise = self._pairs.reshape(n_members, -1)[:, :size].reshape(shape)
        self._output = empty(shape, deviation.dtype)

    def forward(self, x: Array, share: Array | None) -> Array:
        """Draw noise and add it."""
        _draw(self._streams, self._deviation, self._pairs)
        radius, angle = self._pairs[:, 0], self._pairs[:, 1]
        np.subtract(1, radius, out=radius)
        np.log(radius, out=radius)
        radius *= -2
        np.sqrt(radius, out=radius)
        angle *= 2 * np.pi
        np.sin(angle, out=self._sine)
        np.cos(angle, out=angle)
        angle *= radius
        radius *= self._sine
        np.multiply(self._noise, self._deviation, out=self._output)
        self._output += x
        return self._output

    def backward(self, d: Array) -> Array:
        """Give ``d``."""
        return d
