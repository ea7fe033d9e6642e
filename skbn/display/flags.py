"""Flags: poles that stand on an axis, each with a text beside its top.

A flag of a higher row has a longer pole, which may pass through texts of lower rows.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple


class Flag(NamedTuple):
    """Where a flag stands, in any unit of length."""

    pole: float
    low: float  # left end of its text
    high: float
    row: int  # from the lowest, 0

    def is_apart_from(self, other: Flag) -> bool:
        """Whether its text stands apart from another's, and above it at the same place."""
        if self.low == other.low:
            return self.row > other.row
        return self.row != other.row or self.low >= other.high or other.low >= self.high

    def is_clear_of(self, other: Flag) -> bool:
        """Whether no pole of one passes behind the text of the other, either."""
        low, high = sorted((self, other), key=lambda flag: flag.row)
        return self.is_apart_from(other) and not low.low < high.pole < low.high


def place_flags(
    poles: Sequence[float], lengths: Sequence[float], width: float, n_rows: int
) -> list[Flag | None]:
    """Find places for the texts of flags, none of which overlap.

    No pole passes behind a text, where that can be had for all of them. Else texts stand to the
    right of their poles where they can, so that it is plain which is whose.

    Parameters
    ----------
    poles : sequence of float
        Where poles stand. Those that come first choose first.
    lengths : sequence of float
        Lengths of their texts.
    width : float
        Length of the axis; texts stand between 0 and it.
    n_rows : int
        Rows of texts.

    Returns
    -------
    flags : list of Flag or None
        None where there is no place for a text.
    """
    by_side = [
        [low for low in (pole, pole - length) if 0 <= low <= width - length]
        for pole, length in zip(poles, lengths, strict=True)
    ]
    nowhere: list[Flag | None] = [None] * len(by_side)
    flags = _fill(nowhere, poles, lengths, by_side, n_rows, Flag.is_clear_of)
    if None in flags:
        first = [lows[:1] for lows in by_side]
        flags = _fill(nowhere, poles, lengths, first, n_rows, Flag.is_apart_from)
    return _fill(flags, poles, lengths, by_side, n_rows, Flag.is_clear_of)


def _fill(
    flags: Sequence[Flag | None],
    poles: Sequence[float],
    lengths: Sequence[float],
    by_side: Sequence[Sequence[float]],
    n_rows: int,
    is_free: Callable[[Flag, Flag], bool],
) -> list[Flag | None]:
    """Put each text that has no place where it is free: on the first side, in the lowest row."""
    filled = list(flags)
    for i, (pole, length, lows) in enumerate(zip(poles, lengths, by_side, strict=True)):
        if filled[i] is None:
            placed = [flag for flag in filled if flag is not None]
            choices = (Flag(pole, low, low + length, row) for low in lows for row in range(n_rows))
            filled[i] = next((f for f in choices if all(is_free(f, p) for p in placed)), None)
    return filled
