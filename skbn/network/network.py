"""A population of networks in training: forward and backward for mini-batches of one size."""

from __future__ import annotations

from collections.abc import Mapping

from skbn.network.architecture import Architecture
from skbn.network.layers import Layer, Pass, Streams, Workspace
from skbn.network.own_functions import Faults
from skbn.network.parameters import Array, Indices


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
        What the layers and the loss ask for by name.
    noise_streams : sequence of numpy.random.Generator, one a member
    """

    def __init__(
        self,
        architecture: Architecture,
        theta: Array,
        gradient: Array,
        n_rows: int,
        hyper: Mapping[str, Array],
        noise_streams: Streams,
    ) -> None:
        self._loss = architecture.loss_function.in_training(
            len(theta), n_rows, architecture.n_outputs, hyper
        )
        values, gradients = (architecture.layout.views(each) for each in (theta, gradient))
        space = Workspace(values, gradients, n_rows, hyper, noise_streams)
        self._faults = space.faults, getattr(self._loss, "faults", {})
        self._forward: list[Pass] = []
        self._backward: list[Pass] = []
        for layer in architecture.layers:
            output = self._loss.logits if layer is architecture.layers[-1] else None
            made = layer.in_training(space, output)
            if made is None:
                continue
            self._forward.append(made)
            # Nothing before the first parameters is trained.
            space.trains_below |= _has_parameters(layer)
            if space.trains_below:
                self._backward.insert(0, made)

    @property
    def faults(self) -> Faults:
        """What went wrong first in a function of the user's own, by member."""
        of_layers, of_loss = self._faults
        return of_layers | of_loss

    def loss_and_gradient(
        self,
        x: Array,
        targets: Indices,
        weights: Array | None = None,
        loss_weights: Array | None = None,
    ) -> Array:
        """Write the gradient of the mean weighted loss and give the rows' losses.

        Parameters
        ----------
        x : ndarray of shape (K, m, n_features) or (m, n_features)
        targets : ndarray of shape (K, m)
            From the loss's ``encoder``.
        weights : ndarray of shape (K, m) or None
            In the loss and in batch norm's moments. None stands for ones.
        loss_weights : ndarray of shape (K, m), optional
            In the loss instead of ``weights``.

        Returns
        -------
        losses : ndarray of shape (K, m)
            Weighted loss of each row, without the penalty.
        """
        self.forward(x, weights)
        losses = self._loss(targets, weights if loss_weights is None else loss_weights)
        d = self._loss.logits
        for layer in self._backward:
            d = layer.backward(d)
        return losses

    def forward(self, x: Array, weights: Array | None = None) -> Array:
        """Give the logits of a mini-batch, which needs no labels.

        Batch norm is by the mini-batch's own moments, which are written to the zone of the
        moving statistics of ``gradient``.

        Parameters
        ----------
        x : ndarray of shape (K, m, n_features) or (m, n_features)
        weights : ndarray of shape (K, m) or None
            In batch norm's moments. None stands for ones.

        Returns
        -------
        logits : ndarray of shape (K, m, n_outputs)
            Overwritten by the next call.
        """
        row_weights = None
        if weights is not None:
            row_weights = (weights / weights.sum(axis=1, keepdims=True))[:, None, :]
        for layer in self._forward:
            x = layer.forward(x, row_weights)
        return self._loss.logits


def _has_parameters(layer: Layer) -> bool:
    return bool(layer.decayed or layer.undecayed)
