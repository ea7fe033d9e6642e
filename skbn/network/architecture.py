"""From layer sizes to layers, and to where their parameters lie."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from skbn.network.activations import activation_of
from skbn.network.layers import BatchNorm, Dense, Elementwise, Layer
from skbn.network.losses import LOSSES, Loss
from skbn.network.noise import Dropout, GaussianNoise
from skbn.network.parameters import Array, Key, Layout, Shapes, zeros

NOISE = ("input_noise", "input_dropout", "noise", "dropout")
"""Hyperparameters of random layers."""


@dataclass(frozen=True)
class Architecture:
    """Shapes and functions of a network.

    Parameters
    ----------
    n_features : int
    hidden_layer_sizes : tuple of int
        Units of each hidden layer; ``()`` is softmax regression.
    n_outputs : int
        Classes.
    activation : str, OwnActivation or tuple, default="relu"
        A key of ``ACTIVATIONS`` or a function of one's own; a tuple has one for each hidden
        layer, and becomes that one where all are the same.
    batch_norm : bool, default=True
        With it a hidden layer has gamma and beta, without it a bias.
    loss : str or OwnLoss, default="cross_entropy"
        A key of ``LOSSES``, or a function of one's own.
    """

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_outputs: int
    activation: Any = "relu"
    batch_norm: bool = True
    loss: Any = "cross_entropy"

    def __post_init__(self) -> None:
        if not isinstance(self.activation, tuple):
            return
        n_layers = len(self.hidden_layer_sizes)
        if len(self.activation) != n_layers:
            raise ValueError(f"{len(self.activation)} activations of {n_layers} hidden layers")
        # The same network is the same architecture, which trains in lockstep and goes on.
        if len(set(self.activation)) == 1:
            object.__setattr__(self, "activation", self.activation[0])

    @property
    def activations(self) -> tuple[Any, ...]:
        """The activation of each hidden layer."""
        if isinstance(self.activation, tuple):
            return self.activation
        return (self.activation,) * len(self.hidden_layer_sizes)

    @property
    def normalised(self) -> bool:
        """Whether a batch-norm layer is there at all."""
        return self.batch_norm and bool(self.hidden_layer_sizes)

    @property
    def loss_function(self) -> Loss:
        """The loss that is named, or of one's own."""
        loss: Loss = LOSSES[self.loss] if isinstance(self.loss, str) else self.loss.loss
        return loss

    @property
    def widths(self) -> tuple[int, ...]:
        """Features, units of each hidden layer, outputs."""
        return (self.n_features, *self.hidden_layer_sizes, self.n_outputs)

    @cached_property
    def layers(self) -> tuple[Layer, ...]:
        """Layers from the features to the outputs."""
        n_in = self.n_features
        layers: list[Layer] = [GaussianNoise("input_noise", n_in), Dropout("input_dropout", n_in)]
        each = zip(self.hidden_layer_sizes, self.activations, strict=True)
        for number, (n_units, activation) in enumerate(each):
            gain = activation_of(activation).gain
            layers.append(Dense(number, n_in, n_units, not self.batch_norm, gain))
            if self.batch_norm:
                layers.append(BatchNorm(number, n_units))
            layers.append(Elementwise(activation, number, n_units))
            layers += [GaussianNoise("noise", n_units), Dropout("dropout", n_units)]
            n_in = n_units
        head = Dense(len(self.hidden_layer_sizes), n_in, self.n_outputs, has_bias=True, gain=1.0)
        return (*layers, head)

    @cached_property
    def layout(self) -> Layout:
        """Where each parameter lies in theta."""
        layers, head = self.layers, self.layers[-1]
        return Layout(
            joined(layer.decayed for layer in layers),
            joined(layer.undecayed for layer in (head, *layers[:-1])),
            joined(layer.statistics for layer in layers),
        )

    def __getstate__(self) -> dict[str, Any]:
        # The fields decide all the rest.
        return {field.name: getattr(self, field.name) for field in fields(self)}


def joined(parts: Iterable[Shapes]) -> Shapes:
    """Put the shapes of layers together; each array must have a name of its own."""
    shapes: dict[Key, tuple[int, int]] = {}
    for part in parts:
        if twice := shapes.keys() & part:
            raise ValueError(f"two layers have parameters of the same name: {sorted(twice)}")
        shapes |= part
    return shapes


def initial_theta(
    architecture: Architecture,
    initializers: Sequence[str],
    streams: Sequence[np.random.Generator],
    dtype: npt.DTypeLike,
) -> Array:
    """Draw the parameters of each member from its own stream.

    Draws are in float64 whatever the dtype, so that both dtypes start from the same network.

    Parameters
    ----------
    architecture : Architecture
    initializers : sequence of str, one a member
        Keys of ``INITIALIZERS``.
    streams : sequence of numpy.random.Generator, one a member
    dtype : numpy dtype

    Returns
    -------
    theta : ndarray of shape (K, P)
    """
    theta = zeros((len(streams), architecture.layout.size), dtype)
    values = architecture.layout.views(theta)
    for layer in architecture.layers:
        layer.initialise(values, initializers, streams)
    return theta
