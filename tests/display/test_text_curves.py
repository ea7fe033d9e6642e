"""Curves as text, read back dot by dot from the names that Unicode gives to its letters."""

import math
import unicodedata
from itertools import pairwise

import numpy as np
import pytest

from skbn.display.text_curves import Curve, chart, epoch_labels, round_values, sparkline
from skbn.display.training_record import Range

LINEAR, LOG = Range(0.0, 10.0, is_log=False), Range(0.01, 10.0, is_log=True)
PLACES = {1: (0, 0), 2: (0, 1), 3: (0, 2), 7: (0, 3), 4: (1, 0), 5: (1, 1), 6: (1, 2), 8: (1, 3)}


def body_of(rows):
    """Letters and styles right of the axis, by row and column."""
    width = max(sum(len(text) for text, _ in row) for row in rows)
    found = []
    for (label, _), *pieces in rows[:-2]:
        letters = [(letter, style) for text, style in pieces for letter in text]
        assert len(label) + len(letters) == width
        found.append(letters)
    return found


def dots_in(rows, style=None):
    """Dots of a chart, from the left and from above."""
    found = set()
    for y, letters in enumerate(body_of(rows)):
        for x, (letter, own) in enumerate(letters):
            name = unicodedata.name(letter)
            if name.startswith("BRAILLE PATTERN DOTS-") and style in (None, own):
                for digit in name.rpartition("-")[2]:
                    right, down = PLACES[int(digit)]
                    found.add((2 * x + right, 4 * y + down))
    return found


def points_of(x, y, shown, last, rows):
    """Where points should be, in dots, computed the slow way."""
    body = body_of(rows)
    n_x, n_y = 2 * len(body[0]) - 1, 4 * len(body) - 1
    for one, value in zip(x, y, strict=True):
        value = min(max(value, shown.low), shown.high)
        if shown.is_log:
            share = (math.log(value) - math.log(shown.low)) / (math.log(shown.high / shown.low))
        else:
            share = (value - shown.low) / (shown.high - shown.low)
        yield (one - 1) / (last - 1) * n_x, (1 - share) * n_y


def distance(point, one, other):
    """From a point to a segment."""
    point, one, other = map(np.asarray, (point, one, other))
    along = other - one
    share = np.clip((point - one) @ along / max(along @ along, 1e-12), 0, 1)
    return np.linalg.norm(point - one - share * along)


@pytest.mark.parametrize("size", [(80, 20), (31, 8)])
@pytest.mark.parametrize("shown", [LINEAR, LOG])
@pytest.mark.parametrize("n", [2, 7, 300])
def test_dots_lie_on_the_lines_and_the_lines_on_dots(size, shown, n):
    x, y = np.arange(1, n + 1), np.abs(np.random.default_rng(n).normal(3, 3, n)) + 1e-3
    rows = chart([Curve(x, y, "")], shown, n, [], size)
    drawn, points = dots_in(rows), list(points_of(x, y, shown, n, rows))
    segments = list(pairwise(points))
    if n < 100:
        for dot in drawn:
            assert min(distance(dot, *segment) for segment in segments) < 1.5
    for one, other in segments:
        for share in np.linspace(0, 1, 20):
            near = np.asarray(one) + share * (np.asarray(other) - one)
            around = [(i, j) for i in (-1, 0, 1) for j in (-1, 0, 1)]
            column, row = np.rint(near).astype(int)
            assert drawn & {(column + i, row + j) for i, j in around}


def test_a_gap_is_where_a_value_is_not_finite():
    y = [1.0, 2.0, math.nan, 9.0, 9.0]
    rows = chart([Curve(range(1, 6), y, "")], LINEAR, 5, [], (60, 12))
    columns = {x for x, _ in dots_in(rows)}
    _, second, _, fourth, _ = (x for x, _ in points_of(range(1, 6), [1] * 5, LINEAR, 5, rows))
    assert not [x for x in columns if second + 1 < x < fourth - 1]
    assert min(columns) == 0
    assert len([x for x in columns if x >= fourth - 1]) > 20


@pytest.mark.parametrize("value", [math.inf, 1e9, 10.0])
def test_what_lies_above_is_drawn_at_the_upper_end(value):
    rows = chart([Curve([1, 2], [value, value], "")], LINEAR, 2, [], (40, 10))
    assert {y for _, y in dots_in(rows)} == {0}


@pytest.mark.parametrize("value", [0.0, 0.001])
def test_what_lies_below_a_logarithmic_axis_is_drawn_at_its_lower_end(value):
    rows = chart([Curve([1, 2], [value, value], "")], LOG, 2, [], (40, 10))
    assert {y for _, y in dots_in(rows)} == {4 * 8 - 1}


def test_a_letter_has_the_style_of_the_last_curve_in_it_and_dots_of_all():
    under, over = Curve([1, 9], [5, 5], "under"), Curve([1, 5], [5, 5], "over")
    rows = chart([under, over], LINEAR, 9, [], (40, 10))
    alone = chart([under], LINEAR, 9, [], (40, 10))
    assert dots_in(rows) == dots_in(alone)
    assert max(dots_in(rows, "over")) < min(dots_in(rows, "under"))


@pytest.mark.parametrize("shown", [LINEAR, LOG, Range(0.28124, 0.28125, False), Range(3, 4, True)])
@pytest.mark.parametrize("n_rows", [5, 12, 40])
def test_values_stand_beside_the_rows_in_which_they_are_drawn(shown, n_rows):
    size = 60, n_rows
    labels = [row[0][0] for row in chart([], shown, 2, [], size)[:-2]]
    values = {row: float(label.split()[0]) for row, label in enumerate(labels) if "┤" in label}
    assert len(values) >= 2
    assert sorted(values.values(), reverse=True) == list(values.values())
    for row, value in values.items():
        assert shown.low * (1 - 1e-9) <= value <= shown.high * (1 + 1e-9)
        rows = chart([Curve([1, 2], [value, value], "")], shown, 2, [], size)
        assert {y // 4 for _, y in dots_in(rows)} == {row}


@pytest.mark.parametrize("last", [1, 2, 5, 40, 99, 100, 12345])
@pytest.mark.parametrize("width", [10, 33, 75, 200])
def test_epochs_stand_below_their_columns(last, width):
    text = epoch_labels(last, width)
    assert len(text) <= width
    epochs = [int(word) for word in text.split()]
    assert epochs == sorted(set(epochs))
    assert epochs[0] == 1
    assert epochs[-1] <= last
    for epoch in epochs:
        place = (epoch - 1) / max(last - 1, 1) * (width - 1)
        start = f" {text} ".index(f" {epoch} ")
        assert start - 1 <= place <= start + len(str(epoch)) + 1


def test_changes_are_marked_between_epochs_behind_the_curves():
    flat = Curve(range(1, 11), [5.0] * 10, "loss")
    rows = body_of(chart([flat], LINEAR, 10, [5], (60, 12)))
    columns = {x for row in rows for x, (letter, _) in enumerate(row) if letter == "┊"}
    assert len(columns) == 1
    (column,) = columns
    assert 4 / 9 < column / (len(rows[0]) - 1) < 5 / 9
    assert sum(row[column][0] == "┊" for row in rows) == len(rows) - 1


@pytest.mark.parametrize("size", [(20, 4), (80, 24), (200, 60), (5, 3)])
def test_a_chart_has_the_size_that_was_asked_for(size):
    rows = chart([Curve([1, 2, 3], [1, 5, 2], "")], LINEAR, 3, [1], size)
    assert len(rows) == size[1]
    assert size[0] < 20 or all(sum(len(text) for text, _ in row) <= size[0] for row in rows)


@pytest.mark.parametrize(
    ("low", "high", "n_most", "values"),
    [
        (0, 1, 6, [0, 0.2, 0.4, 0.6, 0.8, 1]),
        (0, 1, 5, [0, 0.5, 1]),
        (0.13, 0.29, 4, [0.15, 0.2, 0.25]),
        (0, 97, 10, [0, 10, 20, 30, 40, 50, 60, 70, 80, 90]),
        (0.41, 0.42, 1, [0.41, 0.42]),
        (-3, 3, 3, [-2, 0, 2]),
    ],
)
def test_values_are_round(low, high, n_most, values):
    assert round_values(low, high, n_most) == pytest.approx(values)


@pytest.mark.parametrize(
    ("values", "drawn"),
    [
        ([], ""),
        ([3.0], "▁"),
        ([1, 1, 1], "▁▁▁"),
        ([0, 1, 2, 3, 4, 5, 6, 7], "▁▂▃▄▅▆▇█"),
        ([7, 0], "█▁"),
        ([1, math.nan, 2], "▁ █"),
        ([math.inf, 0.0, 1.0], " ▁█"),
        ([math.nan], " "),
    ],
)
def test_a_line_of_blocks_lies_between_the_lowest_and_the_highest(values, drawn):
    assert sparkline(values) == drawn
