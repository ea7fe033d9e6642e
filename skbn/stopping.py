"""A validation set: its rows, its loss, and the best state seen on it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skbn.network.network import Architecture, fold, predict_logits
from skbn.network.parameters import Array, Indices
from skbn.network.softmax import log_softmax


def stratified_rows(labels: Indices, fraction: float, stream: np.random.Generator) -> Indices:
    """Draw rows for validation, each class in proportion.

    At least one row of each class stays behind, so that a class too rare to be
    split is in training whole.

    Parameters
    ----------
    labels : int ndarray of shape (n,)
    fraction : float
        Share of the rows to draw; at least one is drawn where that is possible.
    stream : numpy.random.Generator

    Returns
    -------
    rows : int ndarray
        Sorted positions in ``labels``; empty if every class has one row.
    """
    order = stream.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    candidates = order[1:][np.diff(labels[order]) == 0]
    n_drawn = min(max(1, round(fraction * len(labels))), len(candidates))
    # Evenly spaced among the rows sorted by class, which is in proportion, from a random
    # start, which gives every row the same chance.
    evenly = (np.arange(n_drawn) + stream.random()) * (len(candidates) / max(n_drawn, 1))
    return np.sort(candidates[evenly.astype(np.intp)])


@dataclass(frozen=True)
class ValidationSet:
    """Rows on which a model is judged as it trains.

    Parameters
    ----------
    x : ndarray or CSR matrix of shape (n_total, n_features)
        In the dtype of training.
    labels : int ndarray of shape (n,)
    weights : ndarray of shape (n,)
    rows : int ndarray of shape (n,), optional
        Which rows of ``x``; all of them by default.
    """

    x: Any
    labels: Indices
    weights: Array
    rows: Indices | None = None

    def score(
        self, architecture: Architecture, theta: Array, bn_epsilon: Array
    ) -> tuple[Array, Array]:
        """Give weighted log-loss and accuracy, each (K,), of a population."""
        folded = fold(architecture, theta, bn_epsilon, theta.dtype)
        logits = predict_logits(folded, architecture.activation, self.x, self.rows)
        log_probabilities = log_softmax(logits.astype(np.float64))
        losses = -np.take_along_axis(log_probabilities, self.labels[None, :, None], axis=2)[..., 0]
        hits = logits.argmax(axis=2) == self.labels
        return self._mean(losses), self._mean(hits)

    def _mean(self, values: Any) -> Array:
        # As products, for the order in which a sum is taken depends on K.
        weights = self.weights.astype(np.float64)[:, None]
        sums = np.matmul(values[:, None].astype(np.float64), weights)[:, 0, 0]
        mean: Array = sums / weights.sum()
        return mean


class BestState:
    """Keeps the best parameters and counts the epochs without progress.

    Parameters
    ----------
    tol : float
        A lower loss counts as progress if it is lower by more than this.
    patience : int or float
        Epochs without progress after which `update` says to stop.
    """

    def __init__(self, tol: float, patience: float) -> None:
        self._tol, self._patience = tol, patience
        self._to_beat = self.loss = np.inf
        self._waited = 0
        self.theta: Array | None = None
        self.epoch = 0

    def update(self, loss: float, theta: Array, epoch: int) -> bool:
        """Take note of an epoch and say whether to stop."""
        if loss < self.loss:
            self.loss, self.theta, self.epoch = loss, theta.copy(), epoch
        if loss < self._to_beat - self._tol:
            self._to_beat, self._waited = loss, 0
        else:
            self._waited += 1
        return self._waited >= self._patience
