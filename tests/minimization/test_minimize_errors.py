"""What is said, and when, of costs and data that do not do."""

import math
import sys

import autograd.numpy as anp
import numpy as np
import pandas as pd
import pytest

from skbn import minimize
from skbn.minimization.descent import DivergenceError

W = np.array([1.0, -2.0, 3.0])


def never(result):
    raise AssertionError("there was a step")


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lambda w: None, "None, of the type NoneType"),
        (lambda w: "low", "gave 'low', of the type str"),
        (lambda w: w**2, r"gave an array of shape \(3,\)"),
        (lambda w: (w**2).sum(keepdims=True), r"gave an array of shape \(1,\)"),
        (lambda w: [w.sum()], "of the type list"),
        (lambda w: (w.sum(), w), "of the type tuple"),
        (lambda w: {"cost": w.sum()}, "of the type dict"),
        (lambda w: w.sum() > 0, "of the type bool"),
        (lambda w: 1j * w.sum(), "of the type complex"),
        (lambda w: pd.Series(w), r"gave an array of shape \(3,\)"),
    ],
)
def test_a_cost_that_is_no_number_is_refused(value, words):
    def rosy(w):
        return value(w)

    with pytest.raises(ValueError, match=f"rosy must give a number.*{words}"):
        minimize(rosy, W, callback=never)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_cost_that_is_not_finite_at_x0_is_refused(value):
    def rosy(w):
        return w.sum() * value

    with pytest.raises(ValueError, match=f"rosy must be finite at x0, and is {value}"):
        minimize(rosy, np.ones(2), callback=never)


def test_a_cost_is_asked_about_all_rows_before_the_first_step():
    rows = np.ones(9)
    rows[-1] = np.nan

    def rosy(w, rows):
        return ((w - rows) ** 2).mean()

    with pytest.raises(ValueError, match="rosy must be finite at x0"):
        minimize(rosy, 0.0, rows, batch_size=2, shuffle=False, callback=never)


def flat(w):
    return float(np.asarray(w).sum())


def assigning(w):
    made = np.zeros(3)
    made[0] = w[0]
    return (made + w).sum()


def assigning_to_x(w):
    w[0] = 0
    return (w**2).sum()


def adding_in_place(w):
    made = np.zeros(3)
    made += w
    return (made**2).sum()


def into_out(w):
    return np.multiply(w, w, out=np.empty(3)).sum()


def of_math(w):
    return math.exp(w[0]) + w.sum()


@pytest.mark.parametrize(
    "cost", [flat, assigning, assigning_to_x, adding_in_place, into_out, of_math]
)
def test_what_autograd_cannot_follow_is_refused_by_its_name(cost):
    with pytest.raises(ValueError, match=rf"{cost.__name__}\b.*autograd\.numpy"):
        minimize(cost, W.copy(), callback=never)


def hidden_where(w):
    return np.where(w > 0, w**2, w**4)


def hidden_in_part(w):
    return w**2 + np.where(w > 0, w, 2 * w)


def hidden_by_an_array(w):
    return w**2 + float(np.sum(np.asarray(getattr(w, "_value", w)) ** 3))


@pytest.mark.parametrize("cost", [hidden_where, hidden_in_part, hidden_by_an_array])
@pytest.mark.parametrize("kind", [np.float64, np.float32])
def test_a_derivative_that_does_not_fit_is_refused_by_its_name(cost, kind):
    words = rf"derivative of {cost.__name__}\b.*finite differences.*autograd\.numpy"
    with pytest.raises(ValueError, match=words):
        minimize(cost, kind(2), callback=never)


def test_functions_of_autograd_are_right_where_those_of_numpy_are_not():
    def cost(w):
        return anp.where(w > 0, w**2, w**4) + anp.clip(w, -9, 9) ** 2

    result = minimize(cost, 2.0, learning_rate_init=0.1)
    assert result.x == pytest.approx(0, abs=1e-3)


@pytest.mark.parametrize("draw", [lambda: np.random.rand(), lambda: next(COUNTER)])  # noqa: NPY002
def test_a_cost_that_changes_between_two_calls_is_refused(draw):
    def moody(w):
        return w**2 + draw()

    with pytest.raises(ValueError, match=r"moody gave other values .* \(np\.random\)"):
        minimize(moody, 1.0, callback=never)


COUNTER = iter(range(1000))


def test_a_cost_that_does_not_depend_on_x_is_refused():
    with pytest.raises(ValueError, match="does not depend on x"):
        minimize(lambda w: 3.0, 1.0, callback=never)


@pytest.mark.parametrize(
    "cost",
    [
        lambda w: np.abs(w).sum(),
        lambda w: np.maximum(w, 0).sum() + (w**2).sum(),
        lambda w: anp.where(w > 0, w, 0.1 * w).sum() + (w**2).sum(),
        lambda w: np.abs(np.maximum(w - 1e-9, 0)).sum() + (w**2).sum(),
    ],
)
def test_a_kink_at_x0_is_no_mismatch(cost):
    assert minimize(cost, np.zeros(3), max_iter=2).success


@pytest.mark.parametrize("offset", [0.0, 1e4])
def test_a_cost_in_single_precision_is_as_right_as_that_can_be(offset):
    def cost(w):
        return (w.astype(np.float32) ** 2).sum() + np.float32(offset)

    for seed in range(20):
        w = np.random.default_rng(seed).standard_normal(5).astype(np.float32)
        assert minimize(cost, w, max_iter=1, random_state=seed).success


@pytest.mark.parametrize("x0", [1e-7, 1e-3, 1.0, 1e6])
def test_derivatives_are_compared_where_the_cost_is_finite(x0):
    assert minimize(lambda w: w - np.log(w), x0, max_iter=2, learning_rate_init=1e-9).success

    def wrong(w):
        return w - np.log(w) + np.where(w > 0, 3 * w, w)

    with pytest.raises(ValueError, match=r"wrong.*autograd\.numpy"):
        minimize(wrong, x0, callback=never)


@pytest.mark.parametrize("unit", [1e-9, 1e-6, 1.0, 1e6])
def test_derivatives_are_compared_in_the_units_of_each_variable(unit):
    def cost(x):
        return np.sin(x["a"] / unit).sum() + np.sin(x["b"]).sum()

    def wrong(x):
        return cost(x) + np.where(x["c"] > 0, x["c"] / unit, 0)

    for seed in range(10):
        stream = np.random.default_rng(seed)
        x0 = {"a": unit * stream.standard_normal(3), "b": stream.standard_normal(2), "c": unit}
        rate = {"learning_rate_init": 1e-3 * unit}
        assert minimize(cost, x0, max_iter=1, random_state=seed, **rate).success
        with pytest.raises(ValueError, match=r"wrong .*finite differences"):
            minimize(wrong, x0, random_state=seed, callback=never)


def test_a_derivative_that_is_not_finite_at_x0_is_refused():
    with pytest.raises(ValueError, match="derivative of length is not finite at x0"):
        minimize(length, np.zeros(2), callback=never)


def length(w):
    return np.sqrt((w**2).sum())


@pytest.mark.parametrize(
    ("cost", "data", "words"),
    [
        (lambda: 0.0, None, r"called as <lambda>\(x\), for data is None"),
        (lambda w, data: w**2, None, r"called as <lambda>\(x\), for data is None.*'data'"),
        (lambda w: w**2, W, r"called as <lambda>\(x, data\)"),
        (lambda w, X, y: w**2, (W, W), r"called as <lambda>\(x, data\).*'y'"),
        (lambda *, w: w**2, None, "positional"),
    ],
)
def test_a_cost_of_other_arguments_is_refused(cost, data, words):
    with pytest.raises(TypeError, match=words):
        minimize(cost, 1.0, data, callback=never)


def test_an_error_of_the_cost_is_passed_on_with_what_x_is():
    def of_arrays(w):
        return (w**2).sum()

    with pytest.raises(TypeError, match="unsupported operand") as caught:
        minimize(of_arrays, [1.0, 2.0])
    assert caught.value.__notes__ == ["Raised by of_arrays, which gets x as x0 is: list"]


@pytest.mark.parametrize(
    ("data", "kind", "words"),
    [
        (None, ValueError, "batch_size needs data"),
        ((np.ones(3), np.ones(4)), ValueError, "got 3, 4 rows"),
        (np.ones((0, 2)), ValueError, "got 0 rows"),
        ((), ValueError, "got no rows"),
        ([np.ones(3), np.ones(3)], TypeError, "data is a list"),
        ({"X": np.ones(3)}, TypeError, "data is a dict"),
        ((np.ones(3), [1, 2, 3]), TypeError, "data holds a list"),
        ((np.ones(3), np.array(1.0)), TypeError, "data holds a number"),
        (3.0, TypeError, "data is a float"),
    ],
)
def test_data_without_rows_to_cut_are_refused(data, kind, words):
    with pytest.raises(kind, match=words):
        minimize(lambda w, *data: w**2, 1.0, data, batch_size=2, callback=never)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("solver", "lbfgs"),
        ("learning_rate", "step"),
        *(("learning_rate_init", value) for value in (0, -1.0, np.inf, "high")),
        ("learning_rate_decay", -1),
        ("warmup_fraction", 1.0),
        ("momentum", 1.0),
        ("nesterovs_momentum", "yes"),
        ("beta_1", -0.1),
        ("beta_2", 1.0),
        ("epsilon", 0),
        *(("batch_size", value) for value in (0, 1.5, "auto")),
        ("shuffle", None),
        *(("max_iter", value) for value in (0, 10.0, None)),
        ("tol", -1e-3),
        ("max_grad_norm", 0),
        ("random_state", "seed"),
        ("callback", 3),
        ("cost", None),
    ],
)
def test_parameters_are_checked_in_scikit_learns_words(name, value):
    arguments = {"cost": lambda w, rows: w**2, "x0": 1.0, "data": W} | {name: value}
    with pytest.raises(ValueError, match=rf"The '{name}' parameter of minimize must be .* Got"):
        minimize(**arguments)


@pytest.mark.parametrize("missing", ["autograd", "autograd.core"])
def test_without_autograd_the_extra_is_named(monkeypatch, missing):
    assert minimize(lambda w: w**2, 1.0, max_iter=1).success  # whether or not it was there before
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ImportError, match=r'pip install "skbn\[autodiff\]"'):
        minimize(lambda w: w**2, 1.0, callback=never)


# On the way.


def steep(w):
    return w**4


def test_a_descent_that_diverges_says_where_and_keeps_what_was_finite():
    options = {"solver": "sgd", "learning_rate_init": 10.0}
    with pytest.raises(
        ValueError, match=r"diverged in iteration 5: steep is inf .* lower learning_rate_init"
    ) as caught:
        minimize(steep, 2.0, max_iter=100, **options)
    result = caught.value.result
    assert np.isfinite(result.fun)
    assert result.fun == steep(result.x)
    assert not result.success
    assert "diverged" in result.message
    assert result.nit == 3
    assert np.isfinite(result.history["cost"]).all()
    assert len(result.history["cost"]) == 4
    assert result.x == minimize(steep, 2.0, max_iter=3, **options).x


def test_a_last_step_that_diverges_is_no_success():
    options = {"solver": "sgd", "learning_rate_init": 10.0}
    with pytest.raises(DivergenceError, match="iteration 4: steep is inf after it") as caught:
        minimize(steep, 2.0, max_iter=4, **options)
    assert caught.value.result.nit == 3
    assert np.isfinite(caught.value.result.fun)


def test_a_derivative_that_is_not_finite_on_the_way_is_an_error():
    def cost(w):
        return np.sqrt(w)  # whose slope at zero, which is met exactly, is infinite

    with pytest.raises(ValueError, match="iteration 2: the derivative of cost is not finite"):
        minimize(cost, 1.0, solver="sgd", learning_rate_init=2.0, max_iter=9)


def test_a_gradient_too_long_for_single_precision_is_an_error():
    with pytest.raises(ValueError, match=r"iteration 1: .* too long for float32"):
        minimize(lambda w: w * 1e25, np.float32(1.0))


def test_numpys_settings_are_as_they_were():
    before = np.geterr()
    with pytest.raises(DivergenceError):
        minimize(steep, 2.0, solver="sgd", learning_rate_init=10.0)
    assert np.geterr() == before
