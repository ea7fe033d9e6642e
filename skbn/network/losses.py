"""Losses: gradients at the outputs, measures of a validation set, probabilities.

To add one, write what `Loss` lists and enter it in ``LOSSES``. A network, its training and
its judging know nothing else of it.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from skbn.network.parameters import Array, Indices, zeros


class BatchLoss(Protocol):
    """A loss made for mini-batches of one size."""

    logits: Array
    """Where the network writes its outputs (K, m, C), and finds their gradient."""

    def __call__(self, targets: Indices, weights: Array | None) -> Array:
        """Turn ``logits`` into the gradient, in place, and give each row's loss (K, m)."""


@dataclass(frozen=True)
class Loss:
    """A loss: its gradient, its measures, its probabilities.

    Parameters
    ----------
    in_training : callable
        ``in_training(n_members, n_rows, n_outputs, hyper)`` makes a `BatchLoss`. ``hyper``
        has the hyperparameters of each member, (K, 1), in the dtype of the logits.
    encoder : callable
        ``encoder(edges, n_members)`` makes what turns the labels (K, n) of an epoch, whose
        mini-batches lie between the edges, into what `BatchLoss` takes.
    measures : mapping of str to callable
        By name, ``measure(logits, labels, hyper)`` for each row (K, n), of logits (K, n, C)
        in float64, labels (n,) and the hyperparameters of each member, (K, 1) in float64.
        "loss" decides when to stop.
    probabilities, log_probabilities : callable
        From logits (..., C) to probabilities.
    combine : callable
        From the logits (K, n, C) of several networks to those (n, C) of all together.
    """

    in_training: Callable[[int, int, int, Mapping[str, Array]], BatchLoss]
    encoder: Callable[[Sequence[int], int], Callable[[Indices], Indices]]
    measures: Mapping[str, Callable[[Array, Indices, Mapping[str, Array]], Any]]
    probabilities: Callable[[Array], Array]
    log_probabilities: Callable[[Array], Array]
    combine: Callable[[Array], Array]


def log_softmax(logits: Array) -> Array:
    """Logarithm of the softmax over the last axis.

    Parameters
    ----------
    logits : ndarray of shape (..., C)

    Returns
    -------
    log_probabilities : ndarray of shape (..., C)
        z_c - log sum_j exp(z_j), finite for all finite logits.
    """
    shifted: Array = logits - logits.max(axis=-1, keepdims=True)
    with np.errstate(under="ignore"):
        shifted -= np.log(np.exp(shifted).sum(axis=-1, keepdims=True))
    return shifted


def softmax(logits: Array) -> Array:
    """Probabilities exp(z_c) / sum_j exp(z_j) over the last axis."""
    # With the classes apart in memory, what is done for each row is done for many at once.
    by_class = logits.T.copy()
    by_class -= by_class.max(axis=0)
    with np.errstate(under="ignore"):
        np.exp(by_class, out=by_class)
        by_class /= by_class.sum(axis=0)
    probabilities: Array = by_class.T.copy()
    return probabilities


GAP = 16
"""Elements between one class and the next in the logits of smaller mini-batches. OpenBLAS has
kernels for small matrices without a gap that round otherwise, and only those of a population
of one would have none."""


class CrossEntropy:
    """Weighted cross-entropy with label smoothing, and its gradient at the logits.

    For a mini-batch of m rows with weights w and smoothing s::

        y_i    = (1 - s) onehot(label_i) + s / C
        loss_i = w_i (log sum_c exp(z_ic) - sum_c y_ic z_ic)
        d (sum_i loss_i / m) / dz_i = w_i (softmax(z_i) - y_i) / m

    Parameters
    ----------
    n_members, n_rows, n_outputs : int
    hyper : mapping of str to ndarray of shape (K, 1)
        With ``label_smoothing``, s of each member; its dtype is that of the logits.

    Attributes
    ----------
    logits : ndarray of shape (K, m, C)
        Where the logits are to be written, and their gradient is left. Classes lie
        apart in memory, and the rows of all members side by side: what is done for each
        row, over few classes, is then done for many rows at once, in a tenth of the time.
    """

    def __init__(
        self, n_members: int, n_rows: int, n_outputs: int, hyper: Mapping[str, Array]
    ) -> None:
        label_smoothing = hyper["label_smoothing"]
        dtype = label_smoothing.dtype
        n, gap = n_members * n_rows, GAP if n_rows < GAP else 0
        memory = zeros((n_outputs, n + gap), dtype)
        self._z = memory[:, :n].reshape(n_outputs, n_members, n_rows)
        self._flat = memory.reshape(-1)
        self.logits = self._z.transpose(1, 2, 0)
        self._smoothing = label_smoothing if label_smoothing.any() else None
        # A single row is summed beside a column of zeros: on its own it is one vector, whose
        # elements NumPy adds in another order.
        self._summed, sums = memory[:, : max(n, 2)], np.empty(max(n, 2), dtype)
        self._sums, self._by_row = sums, sums[:n].reshape(n_members, n_rows)
        self._inverse_rows = np.full((1, 1), 1 / n_rows, dtype)

    def __call__(self, targets: Indices, weights: Array | None) -> Array:
        """Turn ``logits`` into the gradient, in place, and give each row's loss.

        Parameters
        ----------
        targets : int ndarray of shape (K, m)
            Where the logit of each row's label is, from `TargetIndices`.
        weights : ndarray of shape (K, m) or None
            None stands for ones.

        Returns
        -------
        losses : ndarray of shape (K, m)
        """
        z, flat, sums, by_row = self._z, self._flat, self._sums, self._by_row
        np.maximum.reduce(z, axis=0, out=by_row)
        z -= by_row
        at_labels = flat.take(targets)
        if self._smoothing is not None:
            at_labels *= 1 - self._smoothing
            np.add.reduce(self._summed, axis=0, out=sums)
            at_labels += self._smoothing / len(z) * by_row
        np.exp(z, out=z)
        np.add.reduce(self._summed, axis=0, out=sums)
        losses: Array = np.log(by_row)
        losses -= at_labels

        per_row = self._inverse_rows
        if weights is not None:
            losses *= weights
            per_row = weights * self._inverse_rows
        np.divide(per_row, by_row, out=by_row)
        z *= by_row
        if self._smoothing is not None:
            z -= self._smoothing / len(z) * per_row
            per_row = (1 - self._smoothing) * per_row
        flat[targets] -= per_row
        return losses


class FocalLoss(CrossEntropy):
    """Weighted focal loss with label smoothing, and its gradient at the logits.

    It is a function of the cross-entropies ``l_ic = -log softmax(z_i)_c`` that grows more
    slowly where they are small: rows that are right by a wide margin count for little (Lin et
    al. 2017, arXiv:1708.02002). With y and w as in `CrossEntropy`::

        loss_i = w_i sum_c y_ic f(l_ic)                  f(l) = (1 - exp(-l))^gamma l
        d (sum_i loss_i / m) / dz_i = w_i sum_c y_ic f'(l_ic) (softmax(z_i) - onehot(c)) / m

    Parameters
    ----------
    n_members, n_rows, n_outputs : int
    hyper : mapping of str to ndarray of shape (K, 1)
        With ``label_smoothing`` and ``focal_gamma``.
    """

    def __init__(
        self, n_members: int, n_rows: int, n_outputs: int, hyper: Mapping[str, Array]
    ) -> None:
        super().__init__(n_members, n_rows, n_outputs, hyper)
        self._gamma = hyper["focal_gamma"]

    def __call__(self, targets: Indices, weights: Array | None) -> Array:
        """Turn ``logits`` into the gradient, in place, and give each row's loss."""
        z, flat, sums, by_row, s = self._z, self._flat, self._sums, self._by_row, self._smoothing
        np.maximum.reduce(z, axis=0, out=by_row)
        z -= by_row
        at_labels = flat.take(targets)
        shifted = z if s is None else z.copy()
        np.exp(z, out=z)
        np.add.reduce(self._summed, axis=0, out=sums)
        log_sums = np.log(by_row)
        losses, slopes = _focal(log_sums - at_labels, self._gamma)
        per_row = self._inverse_rows if weights is None else weights * self._inverse_rows
        if s is None:
            np.divide(slopes * per_row, by_row, out=by_row)
            z *= by_row
        else:
            each, each_slope = _focal(log_sums - shifted, self._gamma)
            losses = (1 - s) * losses + s / len(z) * self._sum_over_classes(each)
            slopes *= 1 - s
            total = slopes + s / len(z) * self._sum_over_classes(each_slope)
            np.divide(total * per_row, by_row, out=by_row)
            z *= by_row
            each_slope *= s / len(z) * per_row
            z -= each_slope
        flat[targets] -= slopes * per_row
        return losses if weights is None else losses * weights

    def _sum_over_classes(self, values: Array) -> Array:
        """Sum (C, K, m) over the classes, in the same order for any number of members."""
        n_rows = self._by_row.size
        summed = np.zeros((len(values), len(self._sums)), values.dtype)
        summed[:, :n_rows] = values.reshape(len(values), n_rows)
        sums: Array = np.add.reduce(summed, axis=0)[:n_rows]
        return sums.reshape(self._by_row.shape)


def _focal(entropies: Array, gamma: Array) -> tuple[Array, Array]:
    """Give f(l) = (1 - exp(-l))^gamma l and f'(l) = (1 - exp(-l))^gamma (1 + gamma l / (e^l - 1)).

    Parameters
    ----------
    entropies : ndarray of shape (..., K, m)
        l, no less than zero.
    gamma : ndarray of shape (K, 1)
    """
    others = -np.expm1(-entropies)  # probability of all other classes
    # So that at l = 0 neither 0 / 0 nor 0 log 0 comes up. No power is taken: NumPy rounds it
    # otherwise for one exponent than for those of several members.
    floored = np.maximum(others, np.finfo(others.dtype).tiny)
    factors = np.log(floored)
    factors *= gamma
    np.exp(factors, out=factors)
    slopes = 1 - others
    slopes *= entropies
    slopes /= floored
    slopes *= gamma
    slopes += 1
    slopes *= factors
    factors *= entropies
    return factors, slopes


class TargetIndices:
    """Encodes labels as the places of their logits in the memory of `CrossEntropy.logits`.

    Parameters
    ----------
    edges : sequence of int
        Mini-batches, from `batch_edges`.
    n_members : int
    """

    def __init__(self, edges: Sequence[int], n_members: int) -> None:
        sizes = np.diff(edges)
        m = np.repeat(sizes, sizes)
        row = np.arange(edges[-1]) - np.repeat(edges[:-1], sizes)
        self._class_step = n_members * m + np.where(m < GAP, GAP, 0)
        self._first = row + np.arange(n_members)[:, None] * m

    def __call__(self, labels: Indices) -> Indices:
        """Give the indices (K, n) of all rows of an epoch, in the order of the mini-batches."""
        indices: Indices = labels * self._class_step
        indices += self._first
        return indices


def cross_entropy(logits: Array, labels: Indices, hyper: Mapping[str, Array]) -> Array:
    """-log p of each row's label, (K, n)."""
    log_probabilities = log_softmax(logits)
    losses: Array = -np.take_along_axis(log_probabilities, labels[None, :, None], axis=2)[..., 0]
    return losses


def focal_loss(logits: Array, labels: Indices, hyper: Mapping[str, Array]) -> Array:
    """(1 - p)^gamma (-log p) of each row's label, (K, n)."""
    with np.errstate(under="ignore"):
        losses, _ = _focal(cross_entropy(logits, labels, hyper), hyper["focal_gamma"])
    return losses


def is_correct(logits: Array, labels: Indices, hyper: Mapping[str, Array]) -> Any:
    """Whether each row's most probable class is its label, (K, n)."""
    return logits.argmax(axis=2) == labels


def log_mean_probabilities(logits: Array) -> Array:
    """Logarithm of the mean over members of their probabilities; of one, its logits.

    Parameters
    ----------
    logits : float64 ndarray of shape (K, n, C)

    Returns
    -------
    combined : ndarray of shape (n, C)
        Logits of the mean probabilities.
    """
    if len(logits) == 1:
        single: Array = logits[0]
        return single
    each = log_softmax(logits)
    highest = each.max(axis=0)
    with np.errstate(under="ignore"):
        # A sum and a division are NumPy's mean in half its time for few rows.
        combined: Array = highest + np.log(np.exp(each - highest).sum(axis=0) / len(each))
    return combined


CHANGES_MEASURES = "focal_gamma"
"""Hyperparameter with another value of which losses are not to be compared."""

OF_SOFTMAX: dict[str, Any] = {
    "probabilities": softmax,
    "log_probabilities": log_softmax,
    "combine": log_mean_probabilities,
}
"""What losses have in common whose probabilities are the softmax of the logits."""

LOSSES = {
    "cross_entropy": Loss(
        in_training=CrossEntropy,
        encoder=TargetIndices,
        measures={"loss": cross_entropy, "accuracy": is_correct},
        **OF_SOFTMAX,
    ),
    "focal": Loss(
        in_training=FocalLoss,
        encoder=TargetIndices,
        measures={"loss": focal_loss, "accuracy": is_correct},
        **OF_SOFTMAX,
    ),
}
