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


def positive(v):
    if (v <= 0).any():
        raise ValueError("v must be positive")
    return (v - np.log(v)).sum()


def not_negative(v):
    if (v < 0).any():
        raise ValueError("v must not be negative")
    return ((v - 1) ** 2).sum()


def not_positive(v):
    return not_negative(-v)


def of_cholesky(v):
    matrix = anp.array([[v[0], v[1]], [v[1], v[0]]])
    return anp.linalg.cholesky(matrix).sum()


def entropy(p):
    return anp.where(p > 0, p * anp.log(p), 0).sum()


def below_one(v):
    if not v.sum() <= 1:
        raise ArithmeticError
    return (v**2).sum()


def none_below_zero(v):
    return positive(v) if (v > 0).all() else None


def exactly(v):
    if not (v == 0.5).all():
        raise ArithmeticError
    return (v**2).sum()


@pytest.mark.parametrize(
    ("cost", "x0"),
    [
        (positive, [1.0, 0.01]),
        (positive, [1e-9, 1e6]),
        (none_below_zero, [1.0, 0.01]),
        (not_negative, [0.0, 0.0]),
        (not_negative, [0.0, 3.0]),
        (not_positive, [0.0, -1.0]),
        (of_cholesky, [1.0, 0.999]),
        (of_cholesky, [1.0, 0.999999]),
        (entropy, [1.0, 0.01]),
        (entropy, [1.0, 1e-9]),
        (below_one, [0.5, 0.5]),
        (below_one, [0.5, 0.499999]),
    ],
)
def test_derivatives_are_compared_inside_the_domain_of_a_cost(cost, x0):
    def wrong(v):
        return cost(v) + 3 * float(np.sum(getattr(v, "_value", v)))

    for seed in range(10):
        options = {"max_iter": 1, "random_state": seed, "learning_rate_init": 1e-13}
        assert minimize(cost, np.array(x0), solver="sgd", **options)
        if x0[-1] == 0.999999:  # where differences are made of rounding errors
            continue
        with pytest.raises(ValueError, match=r"wrong .*finite differences"):
            minimize(wrong, np.array(x0), solver="sgd", **options)


def test_a_cost_of_one_point_is_compared_with_itself_alone():
    options = {"max_iter": 1, "learning_rate_init": 1e-300, "solver": "sgd"}
    assert minimize(exactly, np.full(2, 0.5), **options).success

    def moody(v):
        return exactly(v) + next(COUNTER)

    with pytest.raises(ValueError, match="moody gave other values"):
        minimize(moody, np.full(2, 0.5), **options)


def test_a_cost_that_ends_before_x0_passes_its_error_on():
    with pytest.raises(ValueError, match="v must be positive") as caught:
        minimize(positive, np.array([1.0, -1.0]), callback=never)
    assert caught.value.__notes__ == ["Raised by positive, which gets x as x0 is: ndarray"]


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
        *(("n_iter_no_change", value) for value in (0, 2.5, None)),
        *((name, True) for name in ("batch_size", "max_iter", "n_iter_no_change")),
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
    assert len(result.history["cost"]) == 3
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


@pytest.mark.parametrize(
    ("cost", "rate", "n_done"),
    [
        (lambda w: np.sqrt(w**2), 0.5, 2),  # no derivative at zero, which is met
        (lambda w: np.sqrt(w), 0.5, 3),  # then below zero
        (lambda w: np.sqrt(w), 2.5, 0),
        (steep, 1e60, 1),
    ],
)
@pytest.mark.parametrize("options", [{}, {"tol": 0.0}, {"callback": lambda step: None}])
def test_the_result_of_a_divergence_is_that_of_its_iterations(cost, rate, n_done, options):
    descent = {"solver": "sgd", "learning_rate_init": rate}
    with pytest.raises(DivergenceError) as caught:
        minimize(cost, 1.0, **descent, **options)
    result = caught.value.result
    assert result.x == (minimize(cost, 1.0, max_iter=n_done, **descent).x if n_done else 1.0)
    assert result.fun == cost(result.x)
    assert np.isfinite(result.fun)
    assert result.nit == n_done
    assert [len(values) for values in result.history.values()] == [n_done] * 3


def guarded(w):
    if w < 0.5:
        raise ArithmeticError("too low")
    return w**2


@pytest.mark.parametrize(
    ("options", "n_begun"), [({}, 3), ({"tol": 1e-9}, 2), ({"callback": lambda step: None}, 2)]
)
def test_an_error_of_the_cost_on_the_way_says_where_and_keeps_what_there_is(options, n_begun):
    with pytest.raises(ArithmeticError, match="too low") as caught:
        minimize(guarded, 1.0, solver="sgd", learning_rate_init=0.2, **options)
    assert caught.value.__notes__ == [
        "Raised by guarded, which gets x as x0 is: float64",
        f"Raised in iteration {n_begun} of the minimisation of guarded",
    ]
    result = caught.value.result
    assert result.x == pytest.approx(0.6)
    assert result.fun == guarded(result.x)
    assert result.nit == len(result.history["cost"]) == 1
    assert not result.success


def test_a_cost_that_fails_for_good_leaves_the_last_variables():
    n_calls = 0

    def lost(w):
        nonlocal n_calls
        n_calls += 1
        if n_calls > 50:
            raise OSError("no connection")
        return w**2

    xs = []
    with pytest.raises(OSError, match="no connection") as caught:
        minimize(lost, 1.0, callback=lambda step: xs.append(step.x))
    result = caught.value.result
    assert result.nit == len(result.history["cost"]) == len(xs)
    assert result.x == xs[-1]
    assert np.isnan(result.fun)


def test_numpys_settings_are_as_they_were():
    before = np.geterr()
    with pytest.raises(DivergenceError):
        minimize(steep, 2.0, solver="sgd", learning_rate_init=10.0)
    assert np.geterr() == before


def test_products_of_plain_numpy_are_refused():
    # autograd would watch each of a million products of numbers.
    A = np.ones((2000, 500))
    with pytest.raises(ValueError, match=r"derivative of \S+ would not fit .*np\.dot"):
        minimize(lambda w: ((np.dot(A, w) - 1) ** 2).sum(), np.zeros(500))
