"""Losses of one's own: functions of which the forward pass alone is written."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from typing import Any

import numpy as np

from skbn.network.forward_only import check_derivative, naming, values_of
from skbn.network.losses import OF_SOFTMAX, Loss, is_correct
from skbn.network.own_functions import (
    Faults,
    OwnFunction,
    is_finite,
    is_joint,
    note_faults,
    traced,
)
from skbn.network.parameters import Array, Indices, empty


class OwnLoss(OwnFunction):
    """A loss of one's own, in the place of a name of ``LOSSES``."""

    n_axes, takes_targets = 1, True

    @cached_property
    def loss(self) -> Loss:
        """The loss as networks know it; its probabilities are the softmax."""
        return Loss(
            in_training=lambda *shape_and_hyper: OwnBatchLoss(self, *shape_and_hyper),
            encoder=lambda edges, n_members: _as_they_are,
            measures={"loss": self.of_labels, "accuracy": is_correct},
            **OF_SOFTMAX,
        )

    @staticmethod
    def examples(n_outputs: int) -> tuple[Array, Array]:
        """Logits and targets to try the function with; some targets are smoothed."""
        n_rows = n_outputs + 7
        logits = 2 * np.random.default_rng(1).standard_normal((n_rows, n_outputs))
        targets = np.eye(n_outputs)[np.arange(n_rows) % n_outputs]
        targets[::2] = 0.9 * targets[::2] + 0.1 / n_outputs
        return logits, targets

    def of_labels(self, logits: Array, labels: Indices, hyper: Any = None) -> Array:
        """Losses (K, n) of logits (K, n, C) for labels (n,), without smoothing."""
        targets = np.eye(logits.shape[2], dtype=logits.dtype)[labels]
        losses = np.empty(logits.shape[:2])
        for z, each in zip(logits, losses, strict=True):
            with naming(self.title, z):
                found = np.asarray(self.function(z.copy(), targets.copy()), np.float64)
                if found.shape != each.shape:
                    raise ValueError(
                        f"{self.title} gave the shape {found.shape} instead of {each.shape}"
                    )
                each[...] = found
        return losses

    def check(self, n_outputs: int) -> None:
        """Raise an error if a network with so many classes could not be trained with the loss.

        Raises
        ------
        ValueError
            If it gives no finite number for each row, or autograd does not find its derivative.
        ImportError
            If autograd is not installed.
        """
        stream = np.random.default_rng(0)
        logits, targets = self.examples(n_outputs)
        n_rows = len(logits)

        def function(z: Any) -> Any:
            return self.function(z, targets.copy())

        losses = values_of(function, self.title, logits)
        if losses.shape != (n_rows,):
            raise ValueError(
                f"{self.title} must give a loss for each row: of logits and targets of shape "
                f"{logits.shape} it made {losses.shape} instead of {(n_rows,)}. Sum over the "
                "classes (axis=1), and not over the rows: weights and the mean come afterwards"
            )
        if not np.isfinite(losses).all():
            raise ValueError(
                f"{self.title} is not finite for ordinary logits and targets, of which some are "
                "zero: np.log(p + 1e-12) instead of np.log(p), for example"
            )
        self.check_slope(check_derivative(function, self.title, logits, stream))


class OwnBatchLoss:
    """A loss of one's own for mini-batches of one size: a `BatchLoss`.

    Parameters
    ----------
    own : OwnLoss
    n_members, n_rows, n_outputs : int
    hyper : mapping of str to ndarray of shape (K, 1)
        With ``label_smoothing``; its dtype is that of the logits.

    Attributes
    ----------
    logits : ndarray of shape (K, m, C)
    faults : dict of int to str or Exception
        What went wrong first, by member.
    """

    def __init__(
        self,
        own: OwnLoss,
        n_members: int,
        n_rows: int,
        n_outputs: int,
        hyper: Mapping[str, Array],
    ) -> None:
        smoothing = hyper["label_smoothing"]
        shape = n_members, n_rows, n_outputs
        self.logits, self._targets = (empty(shape, smoothing.dtype) for _ in range(2))
        self._spread = (smoothing / n_outputs)[..., None]
        self._at_labels = 1 - smoothing + smoothing / n_outputs
        self._first = n_outputs * np.arange(n_members * n_rows).reshape(n_members, n_rows)
        self._inverse_rows = np.full((1, 1), 1 / n_rows, smoothing.dtype)
        self._own, self._is_joint = own, is_joint(own, shape, smoothing.dtype)
        self.faults: Faults = {}

    def __call__(self, targets: Indices, weights: Array | None) -> Array:
        """Turn ``logits`` into the gradient, in place, and give each row's loss.

        Parameters
        ----------
        targets : int ndarray of shape (K, m)
            Labels.
        weights : ndarray of shape (K, m) or None
        """
        z, y = self.logits, self._targets
        y[...] = self._spread
        y.reshape(-1)[self._first + targets] = self._at_labels
        losses, vjp = traced(self._own, (z, y), self._is_joint, self.faults)
        per_row = self._inverse_rows
        if weights is not None:
            losses = losses * weights
            per_row = weights * per_row
        gradient = vjp(np.broadcast_to(per_row, losses.shape))
        if not (is_finite(gradient) and is_finite(losses)):
            note_faults(self.faults, self._own.title, z, losses, per_row, gradient)
        z[...] = gradient
        return losses


def _as_they_are(labels: Indices) -> Indices:
    return labels
