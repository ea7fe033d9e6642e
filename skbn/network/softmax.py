"""Softmax and cross-entropy, fused so that nothing overflows."""

from __future__ import annotations

import numpy as np

from skbn.network.parameters import Array, Indices


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
    with np.errstate(under="ignore"):
        probabilities: Array = np.exp(logits - logits.max(axis=-1, keepdims=True))
        probabilities /= probabilities.sum(axis=-1, keepdims=True)
    return probabilities


class CrossEntropy:
    """Weighted cross-entropy with label smoothing, and its gradient at the logits.

    For a mini-batch of m rows with weights w and smoothing s::

        y_i    = (1 - s) onehot(label_i) + s / C
        loss   = sum_i w_i (log sum_c exp(z_ic) - sum_c y_ic z_ic) / m
        dloss/dz_i = w_i (softmax(z_i) - y_i) / m

    Parameters
    ----------
    n_members, n_rows, n_classes : int
        Shape of the logits.
    label_smoothing : ndarray of shape (K, 1)
        s of each member.
    """

    def __init__(self, n_members: int, n_rows: int, n_classes: int, label_smoothing: Array) -> None:
        self._row_starts = np.arange(n_members * n_rows).reshape(n_members, n_rows) * n_classes
        self._smoothing = label_smoothing if label_smoothing.any() else None
        self._n_classes = n_classes

    def __call__(self, logits: Array, labels: Indices, weights: Array | None) -> Array:
        """Turn ``logits`` into the gradient, in place, and give each member's loss.

        Parameters
        ----------
        logits : C-contiguous ndarray of shape (K, m, C)
        labels : int ndarray of shape (K, m)
        weights : ndarray of shape (K, m) or None
            None stands for ones.

        Returns
        -------
        loss : ndarray of shape (K,)
        """
        flat = logits.reshape(-1)
        picked = self._row_starts + labels
        logits -= logits.max(axis=-1, keepdims=True)
        target_logits = flat[picked]
        if self._smoothing is not None:
            target_logits *= 1 - self._smoothing
            target_logits += self._smoothing * logits.mean(axis=-1)
        np.exp(logits, out=logits)
        total = logits.sum(axis=-1, keepdims=True)
        losses = np.log(total[..., 0])
        losses -= target_logits
        logits /= total
        if self._smoothing is None:
            flat[picked] -= 1
        else:
            flat[picked] -= np.broadcast_to(1 - self._smoothing, picked.shape)
            logits -= (self._smoothing / self._n_classes)[..., None]
        n_rows = logits.shape[1]
        if weights is None:
            logits *= logits.dtype.type(1 / n_rows)
        else:
            losses *= weights
            logits *= (weights / n_rows)[..., None]
        loss: Array = losses.sum(axis=1) / n_rows
        return loss
