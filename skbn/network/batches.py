"""Mini-batches: where an epoch is cut, in what order, and the gathering of rows."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbn.network.mapped import LARGE_TABLE_BYTES, WINDOW_BYTES
from skbn.network.parameters import Array, Indices


def batch_edges(n_rows: int, batch_size: int, normalised: bool) -> list[int]:
    """Cut an epoch into mini-batches whose sizes differ by one at most.

    Parameters
    ----------
    n_rows, batch_size : int
    normalised : bool
        With batch norm every batch has at least two rows.

    Returns
    -------
    edges : list of int
        Batch i holds rows edges[i] to edges[i + 1]; the larger batches come first.
    """
    n_batches = -(-n_rows // batch_size)
    if normalised:
        n_batches = min(n_batches, n_rows // 2)
    size, larger = divmod(n_rows, n_batches)
    return [i * size + min(i, larger) for i in range(n_batches + 1)]


SHUFFLED_BLOCK = 2**20
"""Bytes of a block of neighbouring rows, where rows are not shuffled one by one."""


def shuffled_rows(stream: np.random.Generator, n_rows: int, n_bytes: int) -> Indices:
    """Draw the order of an epoch.

    Rows far apart are slow to gather from data that does not fit in memory. Above
    ``LARGE_TABLE_BYTES`` bytes, whatever the storage, blocks of neighbouring rows are shuffled
    first and then the rows within each ``WINDOW_BYTES`` of many such blocks.

    Parameters
    ----------
    stream : numpy.random.Generator
    n_rows : int
    n_bytes : int
        Size of the rows together.

    Returns
    -------
    order : int ndarray of shape (n_rows,)
    """
    if n_bytes <= LARGE_TABLE_BYTES:
        return stream.permutation(n_rows)
    block = max(1, n_rows * SHUFFLED_BLOCK // n_bytes)
    window = max(block, n_rows * WINDOW_BYTES // n_bytes)
    starts = stream.permutation(np.arange(0, n_rows, block))
    order = (starts[:, None] + np.arange(block)).ravel()
    order = order[order < n_rows]
    for start in range(0, n_rows, window):
        stream.shuffle(order[start : start + window])
    return order


def take_rows(x: Array, index: Indices, out: Array) -> None:
    """Copy rows of ``x`` to ``out`` (K, m, n_features)."""
    # Any mode but "raise" writes to out without a buffer; the index is valid.
    x.take(index, axis=0, out=out, mode="clip")


def take_sparse_rows(x: Any, index: Indices, out: Array) -> None:
    """Copy rows of a sparse ``x`` to ``out`` (K, m, n_features), where they become dense."""
    out[...] = x[index.ravel()].toarray().reshape(out.shape)
