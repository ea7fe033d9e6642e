"""Data as a cost gets them: all, or the rows of a mini-batch."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np

from skbn._compat import safe_indexing
from skbn.minimization.variables import tuple_like
from skbn.network.batches import batch_edges, shuffled_rows
from skbn.network.parameters import Indices


class Feed:
    """What a cost is called with beside its variables.

    Parameters
    ----------
    data : object
        None is nothing. With a batch size an array, a data frame, or a tuple of such with as many
        rows.
    batch_size : int or None
        Rows of a mini-batch; None feeds all the data.
    shuffle : bool
    stream : numpy.random.Generator
        For the order of the rows.

    Attributes
    ----------
    whole : tuple
        The arguments with all the data: none or one.
    sizes : list of int
        Rows of each mini-batch of an iteration.

    Raises
    ------
    TypeError
        If data are no rows that could be cut.
    ValueError
        If there are none, or their numbers differ.
    """

    def __init__(
        self, data: Any, batch_size: int | None, shuffle: bool, stream: np.random.Generator
    ) -> None:
        self.whole = () if data is None else (data,)
        self._data, self._shuffle, self._stream = data, shuffle, stream
        self._edges = [0, 1]
        if batch_size is not None:
            self._n_rows = _count_rows(data)
            self._edges = batch_edges(self._n_rows, batch_size, normalised=False)
        self._is_cut = batch_size is not None
        self.sizes = [end - start for start, end in pairwise(self._edges)]

    @property
    def first(self) -> tuple[Any, ...]:
        """The arguments with the first rows, as many as in a mini-batch."""
        return self._of(slice(0, self._edges[1])) if self._is_cut else self.whole

    def batches(self) -> Iterator[tuple[Any, ...]]:
        """Give the arguments of each step of an iteration."""
        if not self._is_cut:
            yield self.whole
            return
        order = None
        if self._shuffle:
            parts = self._data if isinstance(self._data, tuple) else (self._data,)
            n_bytes = sum(getattr(part, "nbytes", 0) for part in parts)
            order = shuffled_rows(self._stream, self._n_rows, n_bytes)
        for start, end in pairwise(self._edges):
            rows = slice(start, end)
            yield self._of(rows if order is None else order[rows])

    def _of(self, rows: slice | Indices) -> tuple[Any, ...]:
        if isinstance(self._data, tuple):
            return (tuple_like(self._data, [_take(part, rows) for part in self._data]),)
        return (_take(self._data, rows),)


def _take(part: Any, rows: slice | Indices) -> Any:
    if not isinstance(part, np.ndarray):
        return safe_indexing(part, rows)
    return part[rows] if isinstance(rows, slice) else part.take(rows, axis=0)


def _count_rows(data: Any) -> int:
    """Rows that all parts of the data have."""
    if data is None:
        raise ValueError("batch_size needs data to take rows of, and data is None")
    parts = data if isinstance(data, tuple) else (data,)
    for part in parts:
        if not getattr(part, "shape", ()):
            what = "a number" if hasattr(part, "shape") else f"a {type(part).__name__}"
            raise TypeError(
                "with batch_size data must be an array, or a tuple of arrays with as many rows: "
                f"data {'holds' if isinstance(data, tuple) else 'is'} {what}"
            )
    counts = [part.shape[0] for part in parts]
    if len(set(counts)) != 1 or not counts[0]:
        raise ValueError(
            "with batch_size all arrays of data must have the same rows, one at least; "
            f"got {', '.join(map(str, counts)) or 'no'} rows"
        )
    n_rows: int = counts[0]
    return n_rows
