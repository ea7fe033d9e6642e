"""Rows of both sides that the tests of the whole look at, in numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy.stats import rankdata

from skbn.drift.features import Feature

MAX_ROWS = 10_000
"""Rows of each side. More take longer, and tell apart no better what is material."""
MAX_CELLS = 2 * 10**7
"""Of both sides: 160 MB."""
MIN_ROWS = 500
"""Rows of each side whatever the number of columns."""
MAX_INDICATORS = 10
"""Categories that have an indicator of their own."""


@dataclass
class Sample:
    """Old and new rows, one below the other, in two random halves.

    Parameters
    ----------
    raw : float64 ndarray of shape (n, n_columns)
        Numbers, codes of categories; NaN for missing cells.
    ranks : float64 ndarray of shape (n, n_inputs)
        Ranks of numbers, indicators of frequent categories and of missing cells; each of
        mean zero and deviation one.
    places : list of list of int
        Where ``ranks`` has each column.
    is_new : bool ndarray of shape (n,)
    halves : int ndarray of shape (n,)
        0 or 1, as many of each on either side.
    """

    raw: Any
    ranks: Any
    places: list[list[int]]
    is_new: Any
    halves: Any


def draw_rows(n_rows: int, n_columns: int, rng: Any) -> Any:
    """Draw the rows of one side.

    Parameters
    ----------
    n_rows, n_columns : int
    rng : numpy Generator

    Returns
    -------
    rows : int ndarray
    """
    size = min(MAX_ROWS, max(MIN_ROWS, MAX_CELLS // (2 * n_columns)))
    return rng.permutation(n_rows)[:size]


@dataclass
class SampleBuilder:
    """A sample that grows column by column, so that a table need not be held twice.

    Parameters
    ----------
    rows_old, rows_new : int ndarray
        From `draw_rows`.
    """

    rows_old: Any
    rows_new: Any
    _raw: list[Any] = field(default_factory=list)
    _ranks: list[Any] = field(default_factory=list)
    _places: list[list[int]] = field(default_factory=list)

    def add(self, feature: Feature) -> None:
        """Append a column.

        Parameters
        ----------
        feature : Feature
        """
        cells = np.concatenate([feature.old[self.rows_old], feature.new[self.rows_new]])
        self._raw.append(cells)
        inputs = [
            (each - each.mean()) / each.std()
            for each in _inputs(cells, feature.kind)
            if each.min() < each.max()
        ]
        self._places.append(list(range(len(self._ranks), len(self._ranks) + len(inputs))))
        self._ranks += inputs

    def sample(self) -> Sample:
        """Give the sample.

        Returns
        -------
        sample : Sample
        """
        n_old, n_new = len(self.rows_old), len(self.rows_new)
        ranks = self._ranks or [np.zeros(n_old + n_new)]
        return Sample(
            np.column_stack(self._raw),
            np.column_stack(ranks),
            self._places,
            np.repeat([False, True], [n_old, n_new]),
            np.concatenate([np.arange(n_old) % 2, np.arange(n_new) % 2]),
        )


def _inputs(cells: Any, kind: str) -> list[Any]:
    """Give what a linear model is to see of a column."""
    missing = np.isnan(cells)
    if kind == "category":
        codes = np.arange(MAX_INDICATORS)
        inputs = [(cells == code).astype(float) for code in codes]
    else:
        ranks = np.zeros(len(cells))
        present = rankdata(cells[~missing])
        ranks[~missing] = present - present.mean() if len(present) else present
        inputs = [ranks]
    return [*inputs, missing.astype(float)]
