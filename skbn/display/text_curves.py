"""Curves as text: dots of braille letters in a frame with axes, and one line of blocks.

A letter of braille is a grid of two by four dots. Text comes as rows of pieces, each with a
style for rich, so that nothing here needs it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import groupby, pairwise
from math import ceil, floor, isfinite, log10
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skbn.display.axes import log_ticks
from skbn.display.training_record import Range

Row = list[tuple[str, str]]
"""Pieces of a row of text, each with its style."""

DOTS = ((0x01, 0x02, 0x04, 0x40), (0x08, 0x10, 0x20, 0x80))
"""Bits of the dots of a braille letter: of its left column from above, and of its right one."""
BRAILLE, BLOCKS, MARK = 0x2800, "▁▂▃▄▅▆▇█", "┊"
SHORTEST_TICK_STEP, COLUMNS_BETWEEN_EPOCHS = 3, 8
"""Letters from one value at an axis to the next: upwards and to the right."""
LOSS, VALIDATION_LOSS, FAINT, MARKED = "cyan", "magenta", "dim", "yellow"
"""Styles that are seen on dark and on light terminals."""


class Curve(NamedTuple):
    """Points to draw as a line, which has gaps where a value is not finite."""

    x: Any  # sequences of numbers
    y: Any
    style: str


def sparkline(values: Sequence[float]) -> str:
    """Draw values as blocks between the lowest and the highest of them, a letter each."""
    finite = [value for value in values if isfinite(value)]
    if not finite:
        return " " * len(values)
    low, high = min(finite), max(finite)
    steps = (len(BLOCKS) - 1) / (high - low) if high > low else 0.0
    return "".join(BLOCKS[round((v - low) * steps)] if isfinite(v) else " " for v in values)


def chart(
    curves: Sequence[Curve],
    shown: Range,
    last: int,
    marks: Sequence[int],
    size: tuple[int, int],
) -> list[Row]:
    """Draw curves against epochs, with axes and their values.

    Parameters
    ----------
    curves : sequence of Curve
        Later ones are drawn over those before.
    shown : Range
        Values of the vertical axis. What lies above or below is drawn at its ends.
    last : int
        Last epoch of the horizontal axis, which begins with 1.
    marks : sequence of int
        Epochs after which a vertical line stands.
    size : tuple of int and int
        Letters in a row, and rows.

    Returns
    -------
    rows : list of list of tuple of str and str
    """
    width, height = size
    n_rows = max(height - 2, 1)
    ticks = vertical_ticks(shown, n_rows)
    margin = max(len(text) for text in ticks.values())
    n_columns = max(width - margin - 2, 1)
    cells = _cells(curves, shown, last, (n_columns, n_rows))
    marked = {_column(epoch + 0.5, last, 2 * n_columns) // 2 for epoch in marks}
    rows = []
    for row in range(n_rows):
        letters = [
            cells.get((column, row), (MARK, MARKED) if column in marked else (" ", ""))
            for column in range(n_columns)
        ]
        label = ticks.get(row, "")
        axis = "┤" if label else "│"
        rows.append([(f"{label:>{margin}} {axis}", ""), *_joined(letters)])
    rows.append([(" " * (margin + 1) + "└" + "─" * n_columns, "")])
    rows.append([(" " * (margin + 2) + epoch_labels(last, n_columns), "")])
    return rows


def _joined(letters: Iterable[tuple[str, str]]) -> Iterator[tuple[str, str]]:
    """Join neighbours of one style."""
    for style, group in groupby(letters, key=lambda letter: letter[1]):
        yield "".join(letter for letter, _ in group), style


# Dots.


def _cells(
    curves: Sequence[Curve], shown: Range, last: int, size: tuple[int, int]
) -> dict[tuple[int, int], tuple[str, str]]:
    """Give the letters of braille by their places, each in the style of the last curve there."""
    bits: dict[tuple[int, int], tuple[int, str]] = {}
    for curve in curves:
        for x, y in dots_of(curve, shown, last, (2 * size[0], 4 * size[1])):
            place = x // 2, y // 4
            before = bits.get(place, (0, ""))[0]
            bits[place] = before | DOTS[x % 2][y % 4], curve.style
    return {place: (chr(BRAILLE + bit), style) for place, (bit, style) in bits.items()}


def dots_of(curve: Curve, shown: Range, last: int, size: tuple[int, int]) -> list[tuple[int, int]]:
    """Give the dots of a curve, counted from the left and from above."""
    width, height = size
    shares = np.clip(shown.share(np.asarray(curve.y, dtype=float)), 0, 1)
    points = [
        None if np.isnan(share) else (_column(x, last, width), round((1 - share) * (height - 1)))
        for x, share in zip(curve.x, shares, strict=True)
    ]
    dots = dict.fromkeys(point for point in points if point)
    for one, other in pairwise(points):
        if one and other:
            dots |= dict.fromkeys(_segment(one, other))
    return list(dots)


def _column(x: float, last: int, width: int) -> int:
    share = (x - 1) / (last - 1) if last > 1 else 0.0
    return round(min(max(share, 0.0), 1.0) * (width - 1))


def _segment(one: tuple[int, int], other: tuple[int, int]) -> Iterator[tuple[int, int]]:
    """Give the dots of a straight line: one in each column, or in each row if it is steep."""
    n = max(abs(other[0] - one[0]), abs(other[1] - one[1]), 1)
    for i in range(n + 1):
        yield (
            floor(one[0] + (other[0] - one[0]) * i / n + 0.5),
            floor(one[1] + (other[1] - one[1]) * i / n + 0.5),
        )


# Values at the axes.


def vertical_ticks(shown: Range, n_rows: int) -> dict[int, str]:
    """Give round values of the vertical axis by their rows, counted from above."""
    n_most = max(n_rows // SHORTEST_TICK_STEP, 2)
    if shown.is_log:
        values = log_ticks(shown.low, shown.high, n_most)
    else:
        values = round_values(shown.low, shown.high, n_most)
    texts = [f"{value:.10g}" for value in values]
    heights = (1 - np.clip(shown.share(np.array(texts, float)), 0, 1)) * (4 * n_rows - 1)
    return {round(height) // 4: text for height, text in zip(heights, texts, strict=True)}


def round_values(low: float, high: float, n_most: int) -> NDArray[Any]:
    """Give multiples of 1, 2 or 5 times a power of ten: so many at most, or the ends."""
    power = 10.0 ** floor(log10((high - low) / n_most))
    for step in (power, 2 * power, 5 * power, 10 * power, 20 * power):
        steps = np.arange(ceil(low / step - 1e-9), floor(high / step + 1e-9) + 1)
        if len(steps) <= n_most:
            break
    return steps * step if len(steps) > 1 else np.array([low, high])


def epoch_labels(last: int, width: int) -> str:
    """Write round epochs below their columns, from 1 to the last of the axis."""
    n_most = max(width // COLUMNS_BETWEEN_EPOCHS, 1)
    values = round_values(0, last, n_most) if last > n_most else np.arange(1, last + 1)
    text = ""
    for epoch in dict.fromkeys([1, *(int(value) for value in values if value >= 1)]):
        label = str(epoch)
        start = _column(epoch, last, 2 * width) // 2 - len(label) // 2
        start = max(min(start, width - len(label)), 0)
        if not text or start > len(text):
            text = f"{text:<{start}}{label}"
    return text
