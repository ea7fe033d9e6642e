"""Flags: poles that stand on an axis, each with a text beside its top.

A flag of a higher row has a longer pole, which may pass through texts of lower rows.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from itertools import accumulate
from typing import NamedTuple


class Flag(NamedTuple):
    """Where a flag stands, in any unit of length."""

    pole: float
    low: float  # left end of its text
    high: float
    row: int  # from the lowest, 0
    order: int  # of those at the same place, the first stands lowest

    def is_apart_from(self, other: Flag) -> bool:
        """Whether its text stands apart from another's, in their order at the same place."""
        if self.low == other.low:
            return (self.row - other.row) * (self.order - other.order) > 0
        return self.row != other.row or self.low >= other.high or other.low >= self.high

    def is_clear_of(self, other: Flag) -> bool:
        """Whether no pole of one passes behind the text of the other, either."""
        low, high = sorted((self, other), key=lambda flag: flag.row)
        return self.is_apart_from(other) and not low.low < high.pole < low.high


Flags = list[Flag | None]


def place_flags(
    poles: Sequence[float],
    lengths: Sequence[float],
    width: float,
    n_rows: int,
    by_priority: Sequence[int] | None = None,
) -> list[Flag | None]:
    """Find places for the texts of flags, none of which overlap.

    No pole passes behind a text, where that can be had for all of them. Else texts stand to the
    right of their poles where they can, so that it is plain which is whose.

    Parameters
    ----------
    poles : sequence of float
        Where poles stand. Of those at the same place the first stands lowest.
    lengths : sequence of float
        Lengths of their texts.
    width : float
        Length of the axis; texts stand between 0 and it.
    n_rows : int
        Rows of texts.
    by_priority : sequence of int, default=None
        Positions of flags, those first that are to have a text where there is no room for all.
        None is the order in which they come.

    Returns
    -------
    flags : list of Flag or None
        None where there is no place for a text.
    """
    by_side = [
        [low for low in (pole, pole - length) if 0 <= low <= width - length]
        for pole, length in zip(poles, lengths, strict=True)
    ]
    first_sides = [lows[:1] for lows in by_side]

    def fill(flags: Flags, order: Sequence[int]) -> Flags:
        """Find places for some more, those that come first in an order choosing first."""
        ends = [(i, poles[i], lengths[i]) for i in order]
        filled = _fill(flags, ends, by_side, n_rows, Flag.is_clear_of)
        if all(filled[i] for i in order):
            return filled
        filled = _fill(flags, ends, first_sides, n_rows, Flag.is_apart_from)
        return _fill(filled, ends, by_side, n_rows, Flag.is_clear_of)

    def lack_room(n: int) -> bool:
        return None in [fill(nowhere, sorted(order[:n]))[i] for i in order[:n]]

    nowhere: Flags = [None] * len(poles)
    order = [i for i in by_priority or range(len(poles)) if by_side[i]]
    n_most = bisect_right([*accumulate(lengths[i] for i in order)], n_rows * width)
    n_together = bisect_left(range(1, n_most + 1), True, key=lack_room)
    return fill(fill(nowhere, sorted(order[:n_together])), order[n_together:])


def _fill(
    flags: Flags,
    ends: Sequence[tuple[int, float, float]],
    by_side: Sequence[Sequence[float]],
    n_rows: int,
    is_free: Callable[[Flag, Flag], bool],
) -> Flags:
    """Put each text that has no place where it is free: on the first side, in the lowest row."""
    filled = list(flags)
    for i, pole, length in ends:
        if filled[i] is None:
            placed = [flag for flag in filled if flag is not None]
            choices = (
                Flag(pole, low, low + length, row, i) for low in by_side[i] for row in range(n_rows)
            )
            filled[i] = next((f for f in choices if all(is_free(f, p) for p in placed)), None)
    return filled
