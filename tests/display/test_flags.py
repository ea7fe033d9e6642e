"""Texts of flags never overlap, and stand clear of other poles where that can be had."""

from itertools import combinations

import numpy as np
import pytest

from skbn.display.flags import place_flags


def overlap(a, b):
    return a.row == b.row and a.low < b.high and b.low < a.high


def crossing(a, b):
    """Whether the pole of one, which reaches up to its own row, passes the text of the other."""
    return any(x.row > y.row and y.low < x.pole < y.high for x, y in ((a, b), (b, a)))


@pytest.mark.parametrize("seed", range(40))
def test_texts_stand_at_their_poles_and_do_not_overlap(seed):
    rng = np.random.default_rng(seed)
    n, n_rows = int(rng.integers(12)), int(rng.integers(1, 5))
    poles, lengths = rng.integers(0, 61, n).tolist(), rng.integers(3, 25, n).tolist()
    flags = place_flags(poles, lengths, 60, n_rows)
    assert len(flags) == n
    placed = [flag for flag in flags if flag is not None]
    for flag, pole, length in zip(flags, poles, lengths, strict=True):
        if flag is not None:
            assert (flag.pole, flag.high - flag.low) == (pole, length)
            assert pole in (flag.low, flag.high)
            assert 0 <= flag.low < flag.high <= 60
            assert 0 <= flag.row < n_rows
    assert not any(overlap(a, b) for a, b in combinations(placed, 2))
    on_the_left = [flag for flag in placed if flag.low < flag.pole <= 60 - flag.high + flag.low]
    assert not any(crossing(a, b) for a, b in combinations(on_the_left, 2))


@pytest.mark.parametrize(
    ("poles", "expected"),
    [
        ([], []),
        ([10], [(10, 0)]),
        ([55], [(35, 0)]),  # on the left, where there is no room on the right
        ([30, 5], [(30, 0), (5, 0)]),
        ([30, 20], [(30, 0), (20, 1)]),  # the longer pole stands before the text
        ([20, 20, 20], [(20, 0), (20, 1), (20, 2)]),
        ([30, 20, 10], [(30, 0), (20, 1), (10, 2)]),
        ([10, 10, 10, 10], [(10, 0), (10, 1), (10, 2), None]),
    ],
)
def test_flags_stand_clear_of_each_other(poles, expected):
    flags = place_flags(poles, [20] * len(poles), 60, 3)
    assert [flag and (flag.low, flag.row) for flag in flags] == expected
    placed = [flag for flag in flags if flag is not None]
    assert not any(crossing(a, b) for a, b in combinations(placed, 2))


def test_many_flags_stand_on_the_right_though_poles_pass_behind_them():
    poles = list(range(60, 0, -5))
    flags = place_flags(poles, [12] * 12, 80, 3)
    assert None not in flags
    assert all(flag.low == flag.pole for flag in flags)


def test_flags_stand_on_the_left_where_there_is_no_place_on_the_right():
    flags = place_flags([30] * 5, [20] * 5, 60, 3)
    assert [(flag.low, flag.row) for flag in flags] == [(30, 0), (30, 1), (30, 2), (10, 0), (10, 1)]


def test_a_text_longer_than_the_axis_has_no_place():
    assert place_flags([10], [70], 60, 3) == [None]


def test_texts_at_one_pole_stand_in_their_order():
    flags = place_flags([60, 20, 20], [20, 30, 10], 60, 3)
    assert [(flag.low, flag.row) for flag in flags] == [(40, 0), (20, 1), (20, 2)]


@pytest.mark.parametrize("seed", range(20))
def test_the_first_by_priority_have_places(seed):
    rng = np.random.default_rng(seed)
    poles, order = rng.uniform(0, 40, 15).tolist(), rng.permutation(15).tolist()
    flags = place_flags(poles, [20] * 15, 60, 3, order)
    assert None in flags
    assert None not in [flags[i] for i in order[:3]]
