"""Numbers and arrays in containers: what a cost gets and what comes back."""

import copy
from collections import OrderedDict, namedtuple
from fractions import Fraction

import numpy as np
import pandas as pd
import pytest

from skbn import minimize
from skbn.minimization.variables import Variables

Pair = namedtuple("Pair", "w b")


def total(node):
    """Sum of squares of all that stands in containers."""
    if isinstance(node, dict):
        return sum(total(value) for value in node.values())
    if isinstance(node, (list, tuple)):
        return sum(total(value) for value in node)
    return (node**2).sum() if np.ndim(node) else node**2


def leaves(node):
    if isinstance(node, dict):
        return [leaf for value in node.values() for leaf in leaves(value)]
    if isinstance(node, (list, tuple)):
        return [leaf for value in node for leaf in leaves(value)]
    return [node]


def arrays():
    return np.arange(1.0, 7.0).reshape(2, 3)


STRUCTURES = {
    "number": 2.0,
    "scalar": np.float32(2),
    "no dimension": np.array(2.0),
    "one row": np.arange(3.0),
    "matrix": arrays(),
    "columns first": np.asfortranarray(arrays()),
    "every other": np.arange(12.0)[::-2],
    "three dimensions": np.ones((2, 1, 3)),
    "dict": {"W": arrays(), "b": np.ones(3), "scale": 2.0},
    "order of keys": {"b": np.ones(1), "a": np.ones(2)},
    "keys of other kinds": {0: 1.0, ("a", 1): 2.0, None: np.ones(2)},
    "list": [arrays(), np.ones(3)],
    "list of numbers": [1.0, 2.0],
    "tuple": (arrays(), 3.0),
    "one in a list": [np.ones(2)],
    "named tuple": Pair(arrays(), 1.0),
    "ordered": OrderedDict(z=1.0, a=np.ones(2)),
    "nested": {"layers": [{"W": arrays(), "b": 0.5}, (np.ones(1), [1.0])], "pair": Pair(1.0, 2.0)},
    "empty parts": {"a": np.ones((0, 3)), "b": 1.0, "c": [], "d": ()},
    "single precision": {"W": arrays().astype(np.float32)},
    "mixed precision": [np.ones(2, np.float32), np.ones(2), np.ones(1, np.float16), 1.0],
    "long": np.ones(2, np.longdouble),
    "of the other byte order": np.ones(2, np.dtype(np.float64).newbyteorder()),
    "read-only": np.broadcast_to(1.0, (2, 2)),
}
each_structure = pytest.mark.parametrize("name", STRUCTURES)


@each_structure
def test_the_result_has_the_form_of_x0_which_is_left_alone(name):
    x0 = STRUCTURES[name]
    before = copy.deepcopy(x0)
    result = minimize(total, x0, solver="sgd", learning_rate_init=0.25, max_iter=2)
    plain = {float: np.float64}
    for mine, given, old in zip(leaves(result.x), leaves(x0), leaves(before), strict=True):
        assert type(mine) is plain.get(type(given), type(given))
        assert np.shape(mine) == np.shape(given)
        assert mine.dtype == getattr(given, "dtype", np.float64)
        np.testing.assert_allclose(mine, np.asarray(given) / 4, rtol=1e-3)  # half of it each step
        np.testing.assert_array_equal(given, old)
    assert type(result.x) is plain.get(type(x0), type(x0))
    if isinstance(x0, dict):
        assert list(result.x) == list(x0)


@each_structure
def test_a_cost_gets_the_containers_of_x0(name):
    x0 = STRUCTURES[name]

    def containers(node):
        if isinstance(node, dict):
            return type(node), [(key, containers(value)) for key, value in node.items()]
        if isinstance(node, (list, tuple)):
            return type(node), [containers(value) for value in node]
        return None

    seen = []

    def cost(x):
        seen.append(containers(x))
        return total(x)

    result = minimize(cost, x0, max_iter=2)
    assert all(each == containers(x0) for each in [*seen, containers(result.x)])


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (2, 2.0),
        (np.int64(2), 2.0),
        (Fraction(1, 2), 0.5),
        (np.arange(3), np.arange(3.0)),
        (np.arange(3, dtype=np.uint8), np.arange(3.0)),
    ],
)
def test_integers_become_floats_of_double_precision(given, expected):
    (x,) = minimize(lambda x: total(x), [given], learning_rate_init=1e-9, max_iter=1).x
    assert x.dtype == np.float64
    np.testing.assert_allclose(x, expected, atol=1e-8)


def test_single_precision_is_that_of_the_steps():
    stream = np.random.default_rng(0)
    A, w = stream.standard_normal((20, 5)).astype(np.float32), np.zeros(5, np.float32)
    b = stream.standard_normal(20).astype(np.float32)
    result = minimize(
        lambda w: ((A @ w - b) ** 2).mean(), w, solver="sgd", learning_rate_init=0.1, max_iter=30
    )
    for _ in range(30):
        w = w - np.float32(0.1) * (2 * A.T @ (A @ w - b) / 20)
    assert w.dtype == np.float32
    np.testing.assert_allclose(result.x, w, rtol=1e-5)


def test_steps_are_as_precise_as_the_most_precise_variable():
    assert Variables([np.ones(1, np.float16)]).start.dtype == np.float32
    assert Variables([np.ones(1, np.float32)]).start.dtype == np.float32
    assert Variables([np.ones(1, np.float32), 1.0]).start.dtype == np.float64


def test_variables_without_a_say_stay():
    result = minimize(lambda x: x["a"] ** 2, {"a": 1.0, "b": np.arange(3.0)}, max_iter=3)
    np.testing.assert_array_equal(result.x["b"], np.arange(3.0))


@pytest.mark.parametrize(
    ("x0", "words"),
    [
        ("text", "x0 must be a number, .* got str"),
        (None, "got NoneType"),
        (True, "got bool"),
        (1j, "got complex"),
        (np.ones(2, complex), "got ndarray of complex128"),
        (np.array([True]), "got ndarray of bool"),
        (np.array(["a"]), "got ndarray of <U1"),
        (np.array([1.0, None]), "got ndarray of object"),
        (pd.Series([1.0]), "got Series of float64"),
        (pd.DataFrame({"a": [1.0]}), "got DataFrame"),
        (np.ma.ones(2), "got MaskedArray"),
        ({"a": {"b": [1.0, None]}}, r"x0\['a'\]\['b'\]\[1\] must be a number, .* got NoneType"),
        ([1.0, {2.0}], r"x0\[1\] .* got set"),
    ],
)
def test_what_is_no_number_is_refused_where_it_stands(x0, words):
    with pytest.raises(TypeError, match=words):
        minimize(total, x0)


@pytest.mark.parametrize(
    ("x0", "words"),
    [
        (np.nan, "x0 must be finite, got nan"),
        ({"a": [1.0, np.array([1.0, -np.inf])]}, r"x0\['a'\]\[1\] must be finite"),
        ((10**400,), r"x0\[0\] must be finite"),
        ([1.0, {"a": -(10**5000)}], r"x0\[1\]\['a'\] must be finite"),
        (Fraction(10**400), "x0 must be finite"),
        ({}, "x0 must hold a number"),
        ([np.ones((0, 2)), []], "x0 must hold a number"),
    ],
)
def test_what_cannot_be_begun_with_is_refused(x0, words):
    with pytest.raises(ValueError, match=words):
        minimize(total, x0)
