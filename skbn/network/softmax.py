"""Softmax and cross-entropy, fused so that nothing overflows."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from skbn.network.parameters import Array, Indices, empty


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
    probabilities: Array = logits - logits.max(axis=-1, keepdims=True)
    with np.errstate(under="ignore"):
        np.exp(probabilities, out=probabilities)
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
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
    n_members, n_rows, n_classes : int
    label_smoothing : ndarray of shape (K, 1)
        s of each member; its dtype is that of the logits.

    Attributes
    ----------
    logits : ndarray of shape (K, m, C)
        Where the logits are to be written, and their gradient is left. Classes lie
        apart in memory, and the rows of all members side by side: what is done for each
        row, over few classes, is then done for many rows at once, in a tenth of the time.
    """

    def __init__(self, n_members: int, n_rows: int, n_classes: int, label_smoothing: Array) -> None:
        dtype = label_smoothing.dtype
        n, gap = n_members * n_rows, GAP if n_rows < GAP else 0
        memory = empty((n_classes, n + gap), dtype)
        self._z = memory[:, :n].reshape(n_classes, n_members, n_rows)
        self._flat = memory.reshape(-1)
        self.logits = self._z.transpose(1, 2, 0)
        self._smoothing = label_smoothing if label_smoothing.any() else None
        self._by_row = np.empty((n_members, n_rows), dtype)
        self._inverse_rows = np.full((1, 1), 1 / n_rows, dtype)

    def __call__(self, cells: Indices, weights: Array | None) -> Array:
        """Turn ``logits`` into the gradient, in place, and give each row's loss.

        Parameters
        ----------
        cells : int ndarray of shape (K, m)
            Where the logit of each row's label is, from `LabelCells`.
        weights : ndarray of shape (K, m) or None
            None stands for ones.

        Returns
        -------
        losses : ndarray of shape (K, m)
        """
        z, flat, by_row = self._z, self._flat, self._by_row
        np.maximum.reduce(z, axis=0, out=by_row)
        z -= by_row
        targets = flat.take(cells)
        if self._smoothing is not None:
            targets *= 1 - self._smoothing
            np.add.reduce(z, axis=0, out=by_row)
            targets += self._smoothing / len(z) * by_row
        np.exp(z, out=z)
        np.add.reduce(z, axis=0, out=by_row)
        losses: Array = np.log(by_row)
        losses -= targets

        per_row = self._inverse_rows
        if weights is not None:
            losses *= weights
            per_row = weights * self._inverse_rows
        np.divide(per_row, by_row, out=by_row)
        z *= by_row
        if self._smoothing is not None:
            z -= self._smoothing / len(z) * per_row
            per_row = (1 - self._smoothing) * per_row
        flat[cells] -= per_row
        return losses


class LabelCells:
    """Where the logits of the rows' labels are in the memory of `CrossEntropy.logits`.

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
        """Give the cells (K, n) of all rows of an epoch, in the order of the mini-batches."""
        cells: Indices = labels * self._class_step
        cells += self._first
        return cells
