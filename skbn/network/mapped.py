"""Rows in a memory map: giving back the pages that were read."""

from __future__ import annotations

import mmap
from typing import Any

import numpy as np

LARGE_TABLE_BYTES = 2**30
"""Bytes of X above which its rows are read in windows and its pages are given back."""
WINDOW_BYTES = 2**26
"""Bytes that are read before their pages are given back. While rows of many blocks are
read in turns, two or three times as much is resident: a touch brings in neighbours."""


class Pages:
    """The pages of a large memory map under an array, if there is one.

    What is read from a map stays resident as long as there is memory to spare, and
    counts as the process's own. The system's cache holds it all the same, from which
    it comes back at the next touch.

    Parameters
    ----------
    x : ndarray or sparse matrix

    Attributes
    ----------
    mapped : bool
        Whether there is one.
    """

    def __init__(self, x: Any) -> None:
        self._map = _map_under(x) if getattr(x, "nbytes", 0) > LARGE_TABLE_BYTES else None
        self.mapped = self._map is not None
        self._read = 0

    def note_read(self, n_bytes: int) -> None:
        """Take note that rows were read, and give all pages back from time to time."""
        if self._map is not None:
            self._read += n_bytes
            if self._read >= WINDOW_BYTES:
                self._map.madvise(mmap.MADV_DONTNEED)
                self._read -= WINDOW_BYTES


def _map_under(x: Any) -> mmap.mmap | None:
    base = x
    while base is not None and not isinstance(base, mmap.mmap):
        # A private copy that was written to exists in its pages only.
        if isinstance(base, np.memmap) and base.mode == "c":
            return None
        base = getattr(base, "base", None)
    return base if hasattr(mmap, "MADV_DONTNEED") else None
