"""From layer sizes to layers: loss and gradient in training, logits in prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skbn.network.activations import ACTIVATIONS, Activation
from skbn.network.initializers import INITIALIZERS
from skbn.network.layers import BatchNorm, Dense, Dropout, Elementwise, GaussianNoise, Layer
from skbn.network.mapped import Pages
from skbn.network.parameters import Array, Indices, Layout, empty, zeros
from skbn.network.softmax import CrossEntropy

RandomLayer: TypeAlias = GaussianNoise | Dropout
INPUT_NOISE: dict[str, type[RandomLayer]] = {"input_noise": GaussianNoise, "input_dropout": Dropout}
HIDDEN_NOISE: dict[str, type[RandomLayer]] = {"noise": GaussianNoise, "dropout": Dropout}
NOISE = (*INPUT_NOISE, *HIDDEN_NOISE)
"""Hyperparameters of random layers, which there are in training only."""


@dataclass(frozen=True)
class Architecture:
    """What decides the shapes of a network.

    Parameters
    ----------
    n_features : int
    hidden_layer_sizes : tuple of int
        Units of each hidden layer; ``()`` is softmax regression.
    n_classes : int
    activation : str, default="relu"
        A key of ``ACTIVATIONS``.
    batch_norm : bool, default=True
        With it a hidden layer has gamma and beta, without it a bias.
    """

    n_features: int
    hidden_layer_sizes: tuple[int, ...]
    n_classes: int
    activation: str = "relu"
    batch_norm: bool = True

    @property
    def normalised(self) -> bool:
        """Whether a batch-norm layer is there at all."""
        return self.batch_norm and bool(self.hidden_layer_sizes)

    @cached_property
    def layout(self) -> Layout:
        """Where each parameter lies in theta."""
        sizes = (self.n_features, *self.hidden_layer_sizes, self.n_classes)
        units = list(enumerate(self.hidden_layer_sizes))
        head = len(units)
        weights = {("weights", layer): pair for layer, pair in enumerate(pairwise(sizes))}
        affine = {("bias", head): (1, self.n_classes)}
        hidden = ("gamma", "beta") if self.batch_norm else ("bias",)
        affine |= {(kind, layer): (1, n) for layer, n in units for kind in hidden}
        moments = ("mean", "var") if self.batch_norm else ()
        statistics = {(kind, layer): (1, n) for kind in moments for layer, n in units}
        return Layout(weights, affine, statistics)


def initial_theta(
    architecture: Architecture,
    initializers: Sequence[str],
    streams: Sequence[np.random.Generator],
    dtype: npt.DTypeLike,
) -> Array:
    """Draw the parameters of each member from its own stream.

    Weights are normal with the initialiser's standard deviation, gamma is one,
    biases and beta are zero, moving variances are one. Draws are in float64
    whatever the dtype, so that both dtypes start from the same network.

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
    head = len(architecture.hidden_layer_sizes)
    gain = ACTIVATIONS[architecture.activation].gain
    for (kind, layer), view in architecture.layout.views(theta).items():
        if kind == "weights":
            n_in, n_out = view.shape[1:]
            for member, stream, initializer in zip(view, streams, initializers, strict=True):
                scale = INITIALIZERS[initializer](n_in, n_out, 1.0 if layer == head else gain)
                member[...] = scale * stream.standard_normal((n_in, n_out))
        elif kind in ("gamma", "var"):
            view[...] = 1
    return theta


class Network:
    """The layers of a population in training, for mini-batches of one size.

    Parameters
    ----------
    architecture : Architecture
    theta : ndarray of shape (K, P)
        Parameters, read through views.
    gradient : ndarray of shape (K, P)
        Where gradients are written, and the batch's moments in the zone of the
        moving statistics.
    n_rows : int
        Rows of a mini-batch, m.
    hyper : mapping of str to ndarray of shape (K, 1)
        ``bn_epsilon``, ``label_smoothing`` and the names in ``NOISE``.
    noise_streams : sequence of numpy.random.Generator, one a member
    """

    def __init__(
        self,
        architecture: Architecture,
        theta: Array,
        gradient: Array,
        n_rows: int,
        hyper: Mapping[str, Array],
        noise_streams: Sequence[np.random.Generator],
    ) -> None:
        self._value = architecture.layout.views(theta)
        self._slope = architecture.layout.views(gradient)
        self._hyper, self._streams = hyper, noise_streams
        self._shape, self._dtype = (len(theta), n_rows), theta.dtype
        # Two arrays pass the gradient back from layer to layer, in turns. The fewer
        # buffers there are, the more of a step stays in the cache.
        widest = max(architecture.hidden_layer_sizes, default=0)
        self._shared = [empty((len(theta) * n_rows * widest,), theta.dtype) for _ in range(2)]
        self._loss = CrossEntropy(
            len(theta), n_rows, architecture.n_classes, hyper["label_smoothing"]
        )
        input_layers = self._noise(INPUT_NOISE, architecture.n_features)
        layers: list[Layer] = []
        for layer, n_units in enumerate(architecture.hidden_layer_sizes):
            layers.append(self._dense(layer, self._buffer(n_units)))
            if architecture.batch_norm:
                layers.append(self._batch_norm(layer, n_units))
            layers.append(self._elementwise(ACTIVATIONS[architecture.activation], n_units))
            layers.extend(self._noise(HIDDEN_NOISE, n_units))
        layers.append(self._dense(len(architecture.hidden_layer_sizes), self._loss.logits))
        self._layers = [*input_layers, *layers]
        # Nothing before the first weights is trained.
        self._backward_layers = layers[::-1]

    def _buffer(self, n_units: int) -> Array:
        return empty((*self._shape, n_units), self._dtype)

    def _turn(self, layer: int, n_units: int) -> Array:
        """Shared memory for the gradient at the output of a hidden layer."""
        n_members, n_rows = self._shape
        memory = self._shared[layer % 2][: n_members * n_rows * n_units]
        return memory.reshape(n_members, n_rows, n_units)

    def _dense(self, layer: int, output: Array) -> Dense:
        weights, bias = ("weights", layer), ("bias", layer)
        n_in = self._value[weights].shape[1]
        return Dense(
            self._value[weights],
            self._slope[weights],
            self._value.get(bias),
            self._slope.get(bias),
            output,
            self._turn(layer - 1, n_in) if layer else None,
        )

    def _batch_norm(self, layer: int, n_units: int) -> BatchNorm:
        return BatchNorm(
            self._value["gamma", layer],
            self._value["beta", layer],
            self._slope["gamma", layer],
            self._slope["beta", layer],
            self._slope["mean", layer],
            self._slope["var", layer],
            self._hyper["bn_epsilon"][..., None],
            self._buffer(n_units),
        )

    def _elementwise(self, activation: Activation, n_units: int) -> Elementwise:
        return Elementwise(activation, self._buffer(n_units) if activation.needs_input else None)

    def _noise(self, kinds: Mapping[str, type[RandomLayer]], n_units: int) -> list[RandomLayer]:
        """Give a layer of each kind that some member has a use for."""
        return [
            layer(self._hyper[name][..., None], self._streams, (*self._shape, n_units))
            for name, layer in kinds.items()
            if self._hyper[name].any()
        ]

    def loss_and_gradient(self, x: Array, cells: Indices, weights: Array | None = None) -> Array:
        """Write the gradient of the mean weighted loss and give the rows' losses.

        Parameters
        ----------
        x : ndarray of shape (K, m, n_features) or (m, n_features)
        cells : int ndarray of shape (K, m)
            Where the logit of each row's label is, from `LabelCells`.
        weights : ndarray of shape (K, m) or None
            None stands for ones.

        Returns
        -------
        losses : ndarray of shape (K, m)
            Weighted cross-entropy of each row, without the penalty.
        """
        share = None
        if weights is not None:
            share = (weights / weights.sum(axis=1, keepdims=True))[:, None, :]
        for layer in self._layers:
            x = layer.forward(x, share)
        losses = self._loss(cells, weights)
        d = self._loss.logits
        for layer in self._backward_layers:
            d = layer.backward(d)
        return losses


Folded = list[tuple[Array, Array]]


def fold(
    architecture: Architecture, theta: Array, bn_epsilon: Array, dtype: npt.DTypeLike
) -> Folded:
    """Absorb batch norm with its moving statistics into weights and biases.

    ::

        s = gamma / sqrt(var + bn_epsilon)        W' = W s        b' = beta - mean s

    Parameters
    ----------
    architecture : Architecture
    theta : ndarray of shape (K, P)
    bn_epsilon : ndarray of shape (K, 1)
    dtype : numpy dtype
        Of the result, which is computed in float64.

    Returns
    -------
    folded : list of (weights (K, n_in, n_out), bias (K, 1, n_out))
    """
    value = architecture.layout.views(theta)
    folded: Folded = []
    for layer in range(len(architecture.hidden_layer_sizes) + 1):
        weights = value["weights", layer]
        if ("bias", layer) in value:
            bias = value["bias", layer]
        else:
            # In float64, as bn_epsilon is.
            scale = value["gamma", layer] / np.sqrt(value["var", layer] + bn_epsilon[..., None])
            weights = weights * scale
            bias = value["beta", layer] - value["mean", layer] * scale
        folded.append((weights.astype(dtype), bias.astype(dtype)))
    return folded


CACHED_BYTES = 2**20
"""Activations of a block of rows should fit in a core's second-level cache."""


def predict_logits(folded: Folded, activation: str, x: Any, rows: Indices | None = None) -> Array:
    """Logits of every row, computed in blocks of rows and of members.

    Those of a member do not depend on who is there beside it.

    Parameters
    ----------
    folded : list of (weights, bias)
        From `fold`.
    activation : str
        A key of ``ACTIVATIONS``.
    x : ndarray or CSR matrix of shape (n, n_features)
        In the dtype of ``folded``.
    rows : int ndarray of shape (n,), optional
        Rows of ``x`` to predict instead of all of them.

    Returns
    -------
    logits : ndarray of shape (K, n, C)
    """
    g = ACTIVATIONS[activation].forward
    n_members = len(folded[0][0])
    n_rows = x.shape[0] if rows is None else len(rows)
    widest = max(bias.shape[-1] for _, bias in folded)
    if issparse(x):
        widest = max(widest, x.shape[1])
    # Rows in a block decide how products round, so that a block is that of a member alone.
    block = max(16, CACHED_BYTES // (widest * x.dtype.itemsize))
    at_once = max(1, CACHED_BYTES // (widest * min(block, n_rows) * x.dtype.itemsize))
    logits = np.empty((n_members, n_rows, folded[-1][1].shape[-1]), x.dtype)
    pages = Pages(x)
    for start in range(0, n_rows, block):
        part = slice(start, start + block)
        a = x[part if rows is None else rows[part]]
        if issparse(a):
            a = a.toarray()
        pages.read(a.nbytes)
        for first in range(0, n_members, at_once):
            some, hidden = slice(first, first + at_once), a
            for weights, bias in folded[:-1]:
                hidden = np.matmul(hidden, weights[some])
                hidden += bias[some]
                g(hidden, hidden)
            weights, bias = folded[-1]
            np.matmul(hidden, weights[some], out=logits[some, part])
            logits[some, part] += bias[some]
    return logits
