"""A space is a cube: what its points stand for."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import loguniform, uniform

from skbn.search import hidden_layers, log_randint, one_minus_loguniform
from skbn.search.space import Space

ONE = {
    "a": loguniform(1e-4, 1),
    "fixed": ["x"],
    "layers": hidden_layers((1, 3), (8, 64)),
    "kind": ["p", "q", "r"],
}
TWO = [ONE, {"a": uniform(0, 1), "m": one_minus_loguniform(0.9, 0.99)}]


@pytest.mark.parametrize(("given_space", "n"), [(ONE, 4), (TWO, 7), ({"fixed": [1]}, 0)])
def test_there_is_a_coordinate_for_each_choice(given_space, n):
    space = Space(given_space)
    assert len(space.coordinates) == n
    assert len({c.label for c in space.coordinates}) == n


@pytest.mark.slow
@pytest.mark.parametrize("given_space", [ONE, TWO, {"fixed": [1]}])
@given(seed=st.integers(0, 2**32))
def test_points_lead_to_parameters_and_back(given_space, seed):
    space = Space(given_space)
    unit = np.random.default_rng(seed).uniform(size=len(space.coordinates))
    params = space.decode(unit)
    again = space.decode(space.encode(params))
    assert again.keys() == params.keys()
    for name, value in params.items():
        assert again[name] == (pytest.approx(value) if isinstance(value, float) else value)


def test_coordinates_of_a_dict_that_was_not_chosen_have_no_say():
    space = Space(TWO)
    first, second = np.full(7, 0.3), np.full(7, 0.3)
    second[0] = 0.8
    assert space.active(first).tolist() == [True] * 5 + [False] * 2
    assert space.active(second).tolist() == [True] + [False] * 4 + [True] * 2
    changed = np.where(space.active(first), first, 0.9)
    assert space.decode(changed) == space.decode(first)
    assert list(space.decode(second)) == ["a", "m"]


def test_equal_names_of_several_dicts_have_labels_of_their_own():
    labels = [c.label for c in Space(TWO).coordinates]
    assert labels[:2] == ["dict", "a (dict 0)"]
    assert "a (dict 1)" in labels
    assert "m" in labels


def test_of_several_dicts_the_one_that_can_draw_it_is_found():
    space = Space([{"a": log_randint(1, 10)}, {"a": log_randint(20, 50)}])
    for value in (1, 10, 20, 50):
        assert space.decode(space.encode({"a": value})) == {"a": value}
    assert space.encode({"a": 30})[0] > 0.5


def test_parameters_that_cannot_be_drawn_are_refused():
    space = Space(TWO)
    for params in ({"a": 0.1}, {"a": 0.1, "fixed": "y", "layers": (8,), "kind": "p"}):
        with pytest.raises(ValueError, match="cannot be drawn"):
            space.encode(params)


def test_the_text_of_a_space_is_the_same_in_every_process():
    def function():
        pass

    text = repr(Space({"f": [function, len], "a": loguniform(1e-4, b=1), "n": log_randint(1, 9)}))
    assert " at 0x" not in text
    assert "loguniform(0.0001, b=1)" in text
    assert "log_randint(1, 9)" in text


def test_shift_measures_on_the_scale_and_choices_by_equality():
    space = Space(ONE)
    before = space.encode({"a": 1e-4, "fixed": "x", "layers": (8,), "kind": "p"})
    after = space.encode({"a": 1e-2, "fixed": "x", "layers": (8, 8, 8), "kind": "r"})
    shift = space.shift(before, after)
    assert shift["distance"].tolist() == pytest.approx([0.5, 2 / 3, 0, 1])
    assert shift.loc["layers: layers", ["before", "after"]].tolist() == [1, 3]
    assert shift.loc["kind", ["before", "after"]].tolist() == ["p", "r"]
    # Two points of one value are not apart.
    near = np.where(np.arange(4) == 1, before + 0.1, before)
    assert space.shift(before, near)["distance"].tolist() == [0, 0, 0, 0]


@pytest.mark.parametrize("kind", [list, tuple, np.array])
def test_choices_that_are_lists(kind):
    values = [kind(each) for each in (["relu", "tanh"], ["tanh", "relu"])]
    space = Space({"activation": values, "a": loguniform(1e-4, 1)})
    points = [space.encode({"activation": value, "a": 0.1}) for value in values]
    for point, value in zip(points, values, strict=True):
        assert space.decode(point)["activation"] is value
    assert space.shift(*points)["distance"].tolist() == [1, 0]
    assert space.shift(points[1], points[1])["distance"].tolist() == [0, 0]


def test_an_end_is_reported_only_where_scores_rise_towards_it():
    space = Space(
        {"a": loguniform(1e-4, 1), "b": uniform(0, 1), "c": [1, 2, 3], "d": uniform(0, 1)}
    )
    units = np.random.default_rng(0).uniform(size=(30, 4))
    best = np.array([0.995, 0.002, 0.9, 0.5])
    assert set(space.at_bounds(best, units, units[:, 0] + units[:, 2])) == {"a"}
    assert set(space.at_bounds(best, units, -units[:, 0] - units[:, 1])) == {"b"}
    assert set(space.at_bounds(best, units, units[:, 3])) == set()
    assert space.at_bounds(best, units[:0], []) == {}
    assert space.at_bounds(best, units, np.ones(30)) == {}
