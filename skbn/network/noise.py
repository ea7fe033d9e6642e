"""Random layers, which there are in training only: each draws from its member's own stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from skbn.network.layers import Pass, Streams, WithoutParameters, Workspace
from skbn.network.parameters import Array, empty


def _draw(streams: Streams, strength: Array, out: Array) -> None:
    """Fill each member's part of ``out`` with uniform numbers in [0, 1) from its own stream.

    A member whose strength is zero draws nothing, as it would alone, and has zeros.
    """
    for stream, of_member, part in zip(streams, strength, out, strict=True):
        if of_member > 0:
            stream.random(dtype=part.dtype.type, out=part)
        else:
            part.fill(0)


class DropoutPass:
    """Set each input to zero with probability p and divide the others by 1 - p.

    Parameters
    ----------
    rate : ndarray of shape (K, 1, 1)
        p of each member. A member's mask comes from its own stream.
    streams : sequence of numpy.random.Generator
        One stream a member.
    shape : tuple of int
        (K, m, n) of the mini-space.

    References
    ----------
    Srivastava et al. 2014, "Dropout: a simple way to prevent neural networks from
    overfitting".
    """

    def __init__(self, rate: Array, streams: Streams, shape: Sequence[int]) -> None:
        self._rate, self._streams = rate, streams
        self._mask, self._output = empty(shape, rate.dtype), empty(shape, rate.dtype)

    def forward(self, x: Array, row_weights: Array | None) -> Array:
        """Draw a mask and apply it."""
        _draw(self._streams, self._rate, self._mask)
        np.greater_equal(self._mask, self._rate, out=self._mask)
        self._mask /= 1 - self._rate
        return np.multiply(x, self._mask, out=self._output)

    def backward(self, d: Array) -> Array:
        """Apply the same mask to the gradient, in place of ``d``."""
        d *= self._mask
        return d


class GaussianNoisePass:
    """Add normal noise of mean zero to each input.

    The noise is drawn in single precision by the transform of Box and Muller, whose vectorised
    functions take a third of the time of the generator's own normal numbers.

    Parameters
    ----------
    deviation : ndarray of shape (K, 1, 1)
        Standard deviation of each member's noise, which comes from the member's own stream.
    streams : sequence of numpy.random.Generator
        One stream a member.
    shape : tuple of int
        (K, m, n) of the mini-space.

    References
    ----------
    Bishop 1995, "Training with noise is equivalent to Tikhonov regularization".
    Box & Muller 1958, "A note on the generation of random normal deviates".
    """

    def __init__(self, deviation: Array, streams: Streams, shape: Sequence[int]) -> None:
        self._deviation, self._streams = deviation, streams
        n_members, size = shape[0], shape[1] * shape[2]
        half = (n_members, (size + 1) // 2)
        self._pairs = empty((n_members, 2, half[1]), np.float32)
        self._sine = empty(half, np.float32)
        self._noise = self._pairs.reshape(n_members, -1)[:, :size].reshape(shape)
        self._output = empty(shape, deviation.dtype)

    def forward(self, x: Array, row_weights: Array | None) -> Array:
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


@dataclass(frozen=True)
class RandomLayer(WithoutParameters):
    """A layer that disturbs its inputs by a strength that is a hyperparameter.

    Parameters
    ----------
    strength : str
        Name of the hyperparameter. If it is zero in all members there is no pass.
    n_units : int
    """

    strength: str
    n_units: int
    passes: ClassVar[type[DropoutPass] | type[GaussianNoisePass]]

    def in_training(self, space: Workspace, output: Array | None) -> Pass | None:
        """Give its pass."""
        strengths = space.hyper[self.strength]
        if not strengths.any():
            return None
        shape = space.n_members, space.n_rows, self.n_units
        return self.passes(strengths[..., None], space.noise_streams, shape)


class Dropout(RandomLayer):
    """Set each input to zero with a probability, and divide the others by the rest of it."""

    passes = DropoutPass


class GaussianNoise(RandomLayer):
    """Add normal noise of mean zero and some standard deviation to each input."""

    passes = GaussianNoisePass
