"""Layers of a population of networks: what each declares, its forward and its backward.

A layer is declared by an `Architecture`: the shapes of its parameters, their initial values,
and what it becomes when the network is folded for prediction. For mini-batches of one size
it makes its pass: an object with views of the parameters, views of where their gradients go,
and buffers. ``forward(x, row_weights)`` takes activations (K, m, n_in) and each row's weight
in a mean over the batch, (K, 1, m) with sum one, or None where all rows have 1 / m. The input
may be overwritten after a dense or a batch-norm layer; an activation still reads its own
output. ``backward(d)`` takes the gradient at the layer's output, writes the gradients of its
parameters and returns the gradient at its input, in place of ``d`` where it likes. Layers are
passed back in the opposite order, so a layer's output is free once it is passed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from skbn.network.activations import Activation, activation_of
from skbn.network.initializers import INITIALIZERS
from skbn.network.own_activations import OwnActivation, OwnPass
from skbn.network.own_functions import Faults
from skbn.network.parameters import Array, Key, Shapes, empty

Streams = Sequence[np.random.Generator]
NO_PARAMETERS: Shapes = {}


class Workspace:
    """Parameters, gradients and memory of layers in training, for mini-batches of one size.

    Parameters
    ----------
    values, gradients : mapping of (kind, layer) to ndarray of shape (K, rows, columns)
        Views of all parameters, and of where their gradients go. The batch's moments go
        where the gradients of the moving statistics would.
    n_rows : int
        Rows of a mini-batch, m.
    hyper : mapping of str to ndarray of shape (K, 1)
    noise_streams : sequence of numpy.random.Generator, one a member

    Attributes
    ----------
    trains_below : bool
        Whether a layer before the one that is being made has parameters.
    faults : dict of int to str or Exception
        What went wrong first in a function of the user's own, by member.
    """

    def __init__(
        self,
        values: Mapping[Key, Array],
        gradients: Mapping[Key, Array],
        n_rows: int,
        hyper: Mapping[str, Array],
        noise_streams: Streams,
    ) -> None:
        self.values, self.gradients, self.hyper = values, gradients, hyper
        self.noise_streams = noise_streams
        weights = values["weights", 0]
        self.n_members, self.n_rows, self.dtype = len(weights), n_rows, weights.dtype
        # Two arrays pass the gradient back from layer to layer, in turns. The fewer
        # buffers there are, the more of a step stays in the cache.
        self._shared = [empty((0,), self.dtype) for _ in range(2)]
        self.trains_below = False
        self.faults: Faults = {}

    def buffer(self, n_units: int) -> Array:
        """Give an array (K, m, n_units) that nobody else has."""
        return empty((self.n_members, self.n_rows, n_units), self.dtype)

    def input_gradient(self, n_units: int) -> Array | None:
        """Give an array for the gradient at a layer's input, shared with other layers.

        None where no layer before has parameters: the gradient would be of no use.
        """
        if not self.trains_below:
            return None
        size = self.n_members * self.n_rows * n_units
        last, memory = self._shared
        self._shared = [memory if memory.size >= size else empty((size,), self.dtype), last]
        return self._shared[0][:size].reshape(self.n_members, self.n_rows, n_units)


@dataclass
class Affine:
    """A step of a folded network: ``g(x W + b)``.

    Parameters
    ----------
    weights : ndarray of shape (K, n_in, n_out)
    bias : ndarray of shape (K, 1, n_out) or None
    activation : str or OwnActivation, optional
        The identity without.
    """

    weights: Array
    bias: Array | None
    activation: Any = None

    def astype(self, dtype: npt.DTypeLike) -> Affine:
        """Give the step with copies of its arrays in a dtype."""
        bias = None if self.bias is None else self.bias.astype(dtype)
        return Affine(self.weights.astype(dtype), bias, self.activation)

    def scaled(self, scale: Array, shift: Array) -> Affine:
        """Give ``scale * (x W + b) + shift`` as one step."""
        self._check_is_open()
        bias = shift if self.bias is None else self.bias * scale + shift
        return Affine(self.weights * scale, bias)

    def activated(self, activation: Any) -> Affine:
        """Give the step with an activation after it."""
        self._check_is_open()
        return Affine(self.weights, self.bias, activation)

    def _check_is_open(self) -> None:
        if self.activation is not None:
            raise NotImplementedError(
                "a layer after an activation cannot be folded into the step before it; add a step"
            )


class Pass(Protocol):
    """A layer in training, for mini-batches of one size."""

    def forward(self, x: Array, row_weights: Array | None) -> Array:
        """Give the layer's output."""

    def backward(self, d: Array) -> Array:
        """Give the gradient at the layer's input from that at its output."""


class Layer(Protocol):
    """A layer as an architecture declares it."""

    @property
    def decayed(self) -> Shapes:
        """Shapes of its parameters under weight decay."""

    @property
    def undecayed(self) -> Shapes:
        """Shapes of its other trained parameters."""

    @property
    def statistics(self) -> Shapes:
        """Shapes of its moving statistics."""

    def initialise(
        self, values: Mapping[Key, Array], initializers: Sequence[str], streams: Streams
    ) -> None:
        """Write its initial parameters over zeros, each member's from its own stream."""

    def in_training(self, space: Workspace, output: Array | None) -> Pass | None:
        """Give its pass, which writes to ``output`` if that is given; None if it does nothing."""

    def fold(
        self, steps: list[Affine], values: Mapping[Key, Array], bn_epsilon: Array
    ) -> list[Affine]:
        """Give the steps of the folded network up to this layer from those before it."""


class WithoutParameters:
    """The declarations of a layer that has no parameters."""

    decayed = undecayed = statistics = NO_PARAMETERS

    def initialise(
        self, values: Mapping[Key, Array], initializers: Sequence[str], streams: Streams
    ) -> None:
        """Write nothing."""

    def fold(
        self, steps: list[Affine], values: Mapping[Key, Array], bn_epsilon: Array
    ) -> list[Affine]:
        """Give the steps as they are: the layer is there in training only."""
        return steps


@dataclass(frozen=True)
class Dense:
    """``z = x W + b``; the bias is left out where batch norm follows.

    Parameters
    ----------
    number : int
        Of the layer of weights, from 0.
    n_in, n_out : int
    has_bias : bool
    gain : float
        Of the activation that follows.
    """

    number: int
    n_in: int
    n_out: int
    has_bias: bool
    gain: float
    statistics = NO_PARAMETERS

    @property
    def decayed(self) -> Shapes:
        """W."""
        return {("weights", self.number): (self.n_in, self.n_out)}

    @property
    def undecayed(self) -> Shapes:
        """b."""
        return {("bias", self.number): (1, self.n_out)} if self.has_bias else NO_PARAMETERS

    def initialise(
        self, values: Mapping[Key, Array], initializers: Sequence[str], streams: Streams
    ) -> None:
        """Draw normal weights of the initialiser's standard deviation, in float64."""
        shape = self.n_in, self.n_out
        each = zip(values["weights", self.number], streams, initializers, strict=True)
        for weights, stream, initializer in each:
            scale = INITIALIZERS[initializer](*shape, self.gain)
            weights[...] = scale * stream.standard_normal(shape)

    def in_training(self, space: Workspace, output: Array | None) -> DensePass:
        """Give its pass."""
        weights, bias = ("weights", self.number), ("bias", self.number)
        return DensePass(
            space.values[weights],
            space.gradients[weights],
            space.values.get(bias),
            space.gradients.get(bias),
            space.buffer(self.n_out) if output is None else output,
            space.input_gradient(self.n_in),
        )

    def fold(
        self, steps: list[Affine], values: Mapping[Key, Array], bn_epsilon: Array
    ) -> list[Affine]:
        """Add a step."""
        weights, bias = values["weights", self.number], values.get(("bias", self.number))
        return [*steps, Affine(weights, bias)]


class DensePass:
    """A dense layer in training.

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

    def forward(self, x: Array, row_weights: Array | None) -> Array:
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


@dataclass(frozen=True)
class BatchNorm:
    """Normalise each unit over the mini-batch, then scale and shift it.

    Parameters
    ----------
    number : int
        Of the layer of weights before it.
    n_units : int
    """

    number: int
    n_units: int
    decayed = NO_PARAMETERS

    @property
    def undecayed(self) -> Shapes:
        """Gamma and beta."""
        return {(kind, self.number): (1, self.n_units) for kind in ("gamma", "beta")}

    @property
    def statistics(self) -> Shapes:
        """The moving mean and variance."""
        return {(kind, self.number): (1, self.n_units) for kind in ("mean", "var")}

    def initialise(
        self, values: Mapping[Key, Array], initializers: Sequence[str], streams: Streams
    ) -> None:
        """Set gamma and the moving variance to one."""
        for kind in ("gamma", "var"):
            values[kind, self.number][...] = 1

    def in_training(self, space: Workspace, output: Array | None) -> BatchNormPass:
        """Give its pass."""
        values, gradients = space.values, space.gradients
        return BatchNormPass(
            values["gamma", self.number],
            values["beta", self.number],
            gradients["gamma", self.number],
            gradients["beta", self.number],
            gradients["mean", self.number],
            gradients["var", self.number],
            space.hyper["bn_epsilon"][..., None],
            space.buffer(self.n_units) if output is None else output,
        )

    def fold(
        self, steps: list[Affine], values: Mapping[Key, Array], bn_epsilon: Array
    ) -> list[Affine]:
        """Absorb the layer with its moving statistics into the weights before it, in float64.

        ::

            s = gamma / sqrt(var + bn_epsilon)        W' = W s        b' = beta - mean s
        """
        gamma, beta, mean, var = (
            values[kind, self.number] for kind in ("gamma", "beta", "mean", "var")
        )
        scale = gamma / np.sqrt(var + bn_epsilon)
        return [*steps[:-1], steps[-1].scaled(scale, beta - mean * scale)]


class BatchNormPass:
    """Workspace norm in training.

    With r_i each row's weight in the mean (Ioffe & Szegedy 2015, arXiv:1502.03167)::

        mu = sum_i r_i z_i            var = sum_i r_i (z_i - mu)^2
        zn = (z - mu) / sqrt(var + bn_epsilon)
        zt = gamma * zn + beta

        dbeta = sum_i dzt_i           dgamma = sum_i dzt_i zn_i
        dz_i  = gamma / sqrt(var + bn_epsilon) * (dzt_i - r_i (dbeta + zn_i dgamma))

    Sums over rows are matrix products, which are several times faster than
    ``np.add.reduce`` and the same for any number of members.

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
        self._equal_weights = np.full((1, 1, n_rows), 1 / n_rows, dtype)
        self._ones = np.ones((1, 1, n_rows), dtype)
        self._inverse_rows = dtype.type(1 / n_rows)
        self._output = output

    def forward(self, x: Array, row_weights: Array | None) -> Array:
        """Give gamma * zn + beta; ``x`` is centred in place."""
        self._centred, self._row_weights = x, row_weights
        if row_weights is None:
            row_weights = self._equal_weights
        mean, deviation, output = self._mean, self._deviation, self._output
        np.matmul(row_weights, x, out=mean)
        x -= mean
        np.square(x, out=output)
        np.matmul(row_weights, output, out=self._var)
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
        # zn dgamma + dbeta, times each row's weight, leaves d what it may change.
        np.divide(gamma_gradient, self._deviation, out=slope)
        if self._row_weights is None:
            slope *= self._inverse_rows
            centred *= slope
            d -= np.multiply(beta_gradient, self._inverse_rows, out=self._shift)
        else:
            centred *= slope
            centred += beta_gradient
            centred *= self._row_weights.swapaxes(1, 2)
        d -= centred
        d *= self._scale
        return d


@dataclass(frozen=True)
class Elementwise(WithoutParameters):
    """An activation function, applied to each element.

    Parameters
    ----------
    activation : str or OwnActivation
    number : int
        Of the layer of weights before it.
    n_units : int
    """

    activation: Any
    number: int
    n_units: int

    def in_training(self, space: Workspace, output: Array | None) -> Pass:
        """Give its pass."""
        activation = activation_of(self.activation)
        if isinstance(activation, OwnActivation):
            where = f"hidden layer {self.number + 1}"
            shape = space.n_members, space.n_rows, self.n_units
            return OwnPass(activation, where, shape, space.dtype, space.faults)
        if output is None and activation.needs_input:
            output = space.buffer(self.n_units)
        return ElementwisePass(activation, output)

    def fold(
        self, steps: list[Affine], values: Mapping[Key, Array], bn_epsilon: Array
    ) -> list[Affine]:
        """Put the activation into the step before it."""
        return [*steps[:-1], steps[-1].activated(self.activation)]


class ElementwisePass:
    """An activation in training.

    Parameters
    ----------
    activation : Activation
    output : ndarray of shape (K, m, n) or None
        Where g(x) is written. None: over x, which the activation's derivative
        must allow.
    """

    def __init__(self, activation: Activation, output: Array | None) -> None:
        self._activation, self._output = activation, output

    def forward(self, x: Array, row_weights: Array | None) -> Array:
        """Give g(x)."""
        self._x = x
        self._y = x if self._output is None else self._output
        self._activation.forward(x, self._y)
        return self._y

    def backward(self, d: Array) -> Array:
        """Give g'(x) d in place of ``d``."""
        d *= self._activation.derivative(self._x, self._y)
        return d
