"""What is found: the course's example, scipy's solutions, a network, loops written by hand."""

import math
import pickle
import re
import warnings
from collections import namedtuple

import numpy as np
import pandas as pd
import pytest
from scipy.optimize import OptimizeResult
from scipy.optimize import minimize as scipy_minimize
from sklearn.base import clone
from sklearn.datasets import load_iris

from skbn import BNSoftmaxClassifier, minimize
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES

pytestmark = pytest.mark.slow

SOLVERS = {name: {"solver": name} for name in OPTIMIZERS}
SOLVERS["rmsprop"] |= {"beta_2": 0.9}
SOLVERS["momentum"] = {"solver": "sgd", "momentum": 0.9}
SOLVERS["nesterov"] = {"solver": "sgd", "momentum": 0.9, "nesterovs_momentum": True}
each_solver = pytest.mark.parametrize("solver", SOLVERS)
DESCENT = {"solver": "sgd", "momentum": 0.0, "learning_rate_init": 0.01}


# The course's example.


def plain(w):
    return w**2 - 10 * w + 25


def fed(w, x):
    return x[0][0] * w**2 + x[1][0] * w + x[2][0]


COEFFICIENTS = np.array([[1.0], [-10.0], [25.0]])
each_form = pytest.mark.parametrize(("cost", "data"), [(plain, None), (fed, COEFFICIENTS)])


@each_form
def test_example_of_the_course(cost, data):
    first = minimize(cost, 0.0, data=data, max_iter=1, **DESCENT)
    assert first.x == pytest.approx(0.1, abs=1e-15)
    assert first.fun == pytest.approx(24.01)
    result = minimize(cost, 0.0, data=data, max_iter=1001, **DESCENT)
    assert math.floor(result.x * 1e4) / 1e4 == 4.9999
    assert result.x == pytest.approx(5 - 5 * 0.98**1001, abs=1e-12)
    assert isinstance(result, OptimizeResult)
    assert result.success
    assert result.nit == 1001


@each_form
@pytest.mark.parametrize("kind", [np.float32, lambda x: np.array(x, np.float32)])
def test_example_of_the_course_in_single_precision(cost, data, kind):
    first = minimize(cost, kind(0), data=data, max_iter=1, **DESCENT)
    assert type(first.x) is type(kind(0))
    assert first.x.dtype == np.float32
    assert first.x == np.float32(0.099999994)
    result = minimize(cost, kind(0), data=data, max_iter=1001, **DESCENT)
    assert math.floor(result.x * 1e4) / 1e4 == 4.9999


def test_another_feed_goes_elsewhere():
    other = np.array([[1.0], [-20.0], [100.0]])
    result = minimize(fed, 0.0, data=other, max_iter=1000, **DESCENT)
    assert result.x == pytest.approx(10 - 10 * 0.98**1000, abs=1e-12)


# Known solutions.


def of_rosenbrock():
    """Rosenbrock's function; scipy's solution."""
    x0 = np.array([-0.5, 0.5])

    def cost(x):
        return 100 * (x[1] - x[0] ** 2) ** 2 + (1 - x[0]) ** 2

    return cost, x0, None, scipy_minimize(cost, x0, tol=1e-8).x


def of_least_squares():
    stream = np.random.default_rng(0)
    A, b = stream.standard_normal((40, 3)), stream.standard_normal(40)

    def cost(x, data):
        A, b = data
        return np.mean((A @ x - b) ** 2)

    return cost, np.zeros(3), (A, b), np.linalg.lstsq(A, b, rcond=None)[0]


def of_logistic_regression():
    stream = np.random.default_rng(1)
    X = stream.standard_normal((60, 3))
    y = np.where(X[:, 0] + stream.standard_normal(60) > 0, 1.0, -1.0)

    def cost(w, data):
        X, y = data
        return np.logaddexp(0, -y * (X @ w)).mean() + 0.05 * (w @ w)

    return cost, np.zeros(3), (X, y), scipy_minimize(cost, np.zeros(3), ((X, y),), tol=1e-10).x


# Steps and learning rates that each solver needs, by the problem.
NEEDED = {
    of_rosenbrock: dict.fromkeys(SOLVERS, (2500, 0.002))
    | {"adam": (1500, 0.3), "adamw": (1500, 0.3), "rmsprop": (6000, 0.01), "sgd": (6000, 0.003)},
    of_least_squares: dict.fromkeys(SOLVERS, (300, 0.1)),
    of_logistic_regression: dict.fromkeys(SOLVERS, (400, 0.1)) | {"sgd": (400, 1.0)},
}


@pytest.mark.slow
@each_solver
@pytest.mark.parametrize("problem", NEEDED)
def test_solutions_are_those_of_scipy(problem, solver):
    cost, x0, data, expected = problem()
    max_iter, rate = NEEDED[problem][solver]
    result = minimize(
        cost,
        x0,
        data,
        learning_rate_init=rate,
        learning_rate="cosine",
        max_iter=max_iter,
        **SOLVERS[solver],
    )
    # Without momentum the curved valley is a long way.
    is_long = problem is of_rosenbrock and solver == "sgd"
    np.testing.assert_allclose(result.x, expected, atol=0.05 if is_long else 4e-3)
    of_data = () if data is None else (data,)
    assert result.fun == pytest.approx(cost(result.x, *of_data), rel=1e-12)
    assert result.fun == pytest.approx(cost(expected, *of_data), abs=1e-3 if is_long else 1e-5)


def test_mini_batches_come_to_the_solution_too():
    cost, x0, data, expected = of_logistic_regression()
    result = minimize(
        cost, x0, data, batch_size=10, learning_rate="cosine", max_iter=100, random_state=0
    )
    np.testing.assert_allclose(result.x, expected, atol=0.02)


# A network that the user writes whole.


def network_cost(parameters, data):
    """Mean cross-entropy of a tanh layer and a softmax layer."""
    X, targets = data
    W, b = parameters["W"], parameters["b"]
    a = np.tanh(X @ W[0] + b[0])
    z = a @ W[1] + b[1]
    log_p = z - np.log(np.exp(z).sum(axis=1, keepdims=True))
    return -(targets * log_p).sum(axis=1).mean()


@pytest.mark.slow
@each_solver
@pytest.mark.parametrize("batch_size", [None, 20])
@pytest.mark.parametrize("schedule", ["constant", "one_cycle"])
def test_a_network_written_whole_trains_as_the_classifier_does(solver, batch_size, schedule):
    X, y = load_iris(return_X_y=True)
    X, y = ((X - X.mean(axis=0)) / X.std(axis=0))[::3], y[::3]
    shared = SOLVERS[solver] | {"learning_rate": schedule, "max_grad_norm": 0.5, "max_iter": 8}
    shared |= {"shuffle": False}
    alone = {"batch_norm": False, "n_members": 1, "calibrate": False, "dtype": "float64"}
    like_minimize = {"alpha": 0.0, "beta_2": 0.999, "momentum": 0.0, "nesterovs_momentum": False}
    model = BNSoftmaxClassifier(
        (5,),
        activation="tanh",
        batch_size=batch_size or len(X),
        random_state=0,
        **(alone | like_minimize | shared),
    )
    # Steps of no length leave the weights as they were drawn.
    drawn = clone(model).set_params(learning_rate_init=1e-300, max_iter=1).fit(X, y)
    x0 = {"W": drawn.coefs_, "b": drawn.intercepts_}
    steps = []
    result = minimize(
        network_cost,
        x0,
        (X, np.eye(3)[y]),
        batch_size=batch_size,
        learning_rate_init=0.05,
        callback=lambda result: steps.append(result.x),
        **shared,
    )
    model.set_params(learning_rate_init=0.05)
    for parameters in steps:
        model.partial_fit(X, y, classes=[0, 1, 2])
        for mine, theirs in (("W", model.coefs_), ("b", model.intercepts_)):
            for k in range(2):
                np.testing.assert_allclose(parameters[mine][k], theirs[k], atol=1e-10)
    assert len(steps) == 8
    for mine, theirs in (("cost", "loss"), *((n, n) for n in ("learning_rate", "gradient_norm"))):
        np.testing.assert_allclose(result.history[mine], model.history_[theirs], rtol=1e-9)


# Loops written by hand.

MULTIPLIERS = {
    "constant": lambda progress, epoch: 1.0,
    "inverse_time": lambda progress, epoch: 1 / (1 + 0.3 * epoch),
    "exponential": lambda progress, epoch: math.exp(-0.3 * epoch),
    "cosine": lambda progress, epoch: (1 + math.cos(math.pi * progress)) / 2,
    "one_cycle": lambda progress, epoch: 1 - progress,
}


def by_hand(w, batches, schedule, warmup, max_iter):
    """Gradient descent on the mean of (w - row)^2, a batch after the other; and its rates."""
    rates = []
    for epoch in range(max_iter):
        for k, batch in enumerate(batches):
            progress = (epoch + k / len(batches)) / max_iter
            if progress < warmup:
                factor = 0.04 + 0.96 * progress / warmup
            else:
                factor = MULTIPLIERS[schedule]((progress - warmup) / (1 - warmup), epoch)
            rate = 0.2 * max(factor, 0.01)
            if k == 0:
                rates.append(rate)
            w = w - rate * (2 * (w - batch)).mean()
    return w, rates


@pytest.mark.parametrize("schedule", SCHEDULES)
@pytest.mark.parametrize("warmup", [None, 0.4])
@pytest.mark.parametrize("n_batches", [1, 3])
def test_schedules_are_those_of_a_loop(schedule, warmup, n_batches):
    rows = np.random.default_rng(0).standard_normal(9) + 3
    result = minimize(
        lambda w, rows: ((w - rows) ** 2).mean(),
        0.0,
        rows,
        solver="sgd",
        learning_rate_init=0.2,
        learning_rate=schedule,
        learning_rate_decay=0.3,
        warmup_fraction=warmup,
        batch_size=3 if n_batches == 3 else None,
        shuffle=False,
        max_iter=7,
    )
    own = 0.3 if schedule == "one_cycle" else 0.0
    batches = np.split(rows, n_batches)
    w, rates = by_hand(0.0, batches, schedule, own if warmup is None else warmup, 7)
    assert result.x == pytest.approx(w, rel=1e-12)
    assert result.history["learning_rate"] == pytest.approx(rates, rel=1e-12)


def test_history_and_clipping_are_those_of_a_loop():
    w, costs, norms = np.array([3.0, -4.0]), [], []
    result = minimize(
        lambda w: (w @ w) ** 2, w, max_grad_norm=10.0, max_iter=20, **DESCENT | {"momentum": 0.5}
    )
    velocity = np.zeros(2)
    for _ in range(20):
        gradient = 4 * (w @ w) * w
        costs.append((w @ w) ** 2)
        norms.append(np.linalg.norm(gradient))
        velocity = 0.5 * velocity - 0.01 * gradient * min(1, 10 / norms[-1])
        w = w + velocity
    np.testing.assert_allclose(result.x, w, rtol=1e-12)
    history = pd.DataFrame(result.history)
    assert list(history) == ["cost", "learning_rate", "gradient_norm"]
    np.testing.assert_allclose(history["cost"], costs, rtol=1e-12)
    np.testing.assert_allclose(history["gradient_norm"], norms, rtol=1e-12)
    np.testing.assert_allclose(history["learning_rate"], 0.01)


# Mini-batches.


def rows_met(data, n_rows, **options):
    """The rows that a cost meets in each iteration, in order."""
    met, iterations = [], []

    def cost(w, data):
        met.append(data)
        return w**2

    def callback(result):
        iterations.append(met.copy())
        met.clear()

    minimize(cost, 1.0, data, callback=callback, **{"max_iter": 3, "batch_size": 4} | options)
    n_batches = -(-n_rows // 4)  # and all the data after them, for the callback
    return [iteration[-n_batches - 1 : -1] for iteration in iterations]


def test_each_iteration_is_a_pass_over_the_rows_in_another_order():
    passes = rows_met(np.arange(10), 10, random_state=0)
    orders = [np.concatenate(batches).tolist() for batches in passes]
    assert [[len(batch) for batch in batches] for batches in passes] == [[4, 3, 3]] * 3
    assert [sorted(order) for order in orders] == [list(range(10))] * 3
    assert len(set(map(tuple, orders))) == 3
    again = rows_met(np.arange(10), 10, random_state=0)
    assert [np.concatenate(batches).tolist() for batches in again] == orders
    other = rows_met(np.arange(10), 10, random_state=1)
    assert [np.concatenate(batches).tolist() for batches in other] != orders


def test_unshuffled_rows_come_in_their_order():
    for batches in rows_met(np.arange(10), 10, shuffle=False):
        assert np.concatenate(batches).tolist() == list(range(10))


def test_arrays_of_a_tuple_and_tables_are_cut_alike():
    Parts = namedtuple("Parts", "X frame column")
    frame = pd.DataFrame({"a": np.arange(10.0), "b": list("abcdefghij")}, index=range(5, 15))
    data = Parts(np.arange(20).reshape(10, 2), frame, frame["a"])
    for batches in rows_met(data, 10, random_state=0):
        for part in batches:
            assert type(part) is Parts
            assert isinstance(part.frame, pd.DataFrame)
            assert (part.X[:, 0] == 2 * part.frame["a"]).all()
            assert (part.column == part.frame["a"]).all()
        assert sorted(np.concatenate([part.column for part in batches])) == list(range(10))


def test_a_batch_size_above_the_rows_is_all_of_them():
    (batches,) = rows_met(np.arange(3), 3, batch_size=100, max_iter=1)
    assert [sorted(batch) for batch in batches] == [[0, 1, 2]]


@pytest.mark.parametrize("data", [{"a": 1}, "text", [1, 2], pd.DataFrame({"a": [1]}), np.arange(3)])
def test_data_are_passed_as_they_are(data):
    seen = []

    def cost(w, given):
        seen.append(given)
        return w**2

    minimize(cost, 1.0, data, max_iter=2)
    assert all(given is data for given in seen)


def masked(w, rows):
    """The mean square of the rows that are no NaN, which some batches do not have."""
    is_known = ~np.isnan(rows)
    return ((w - rows[is_known]) ** 2).sum() if is_known.any() else 0.0


FORMS = {
    "alone": (lambda w: w, lambda x: x),
    "dict": (lambda w: {"w": w}, lambda x: x["w"]),
    "after an empty array": (lambda w: [np.ones((0, 2)), w], lambda x: x[1]),
}


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("x0", [0.0, np.float32(0), np.zeros(1), np.zeros(1, np.float32)])
@pytest.mark.parametrize("n_unknown", [2, 4])
def test_a_batch_without_a_say_is_a_step_of_no_gradient(form, x0, n_unknown):
    wrap, unwrap = FORMS[form]
    rows = np.array([np.nan] * n_unknown + [3.0, 5.0])
    options = {"batch_size": 2, "shuffle": False, "solver": "sgd", "max_iter": 1}
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        result = minimize(lambda x, rows: masked(unwrap(x), rows), wrap(x0), rows, **options)
    w = 0.02 * (3 + 5)  # one step from zero, and others of no length
    np.testing.assert_allclose(unwrap(result.x), w, rtol=1e-6)
    assert result.fun == pytest.approx((w - 3) ** 2 + (w - 5) ** 2, rel=1e-6)


# The end.


def parabola(w):
    return w**2


def test_tol_stops_ten_iterations_after_the_last_progress():
    options = {"solver": "sgd", "learning_rate_init": 0.25, "tol": 1e-3}
    for patience in (10, 1, 3):
        result = minimize(parabola, 1.0, max_iter=100, n_iter_no_change=patience, **options)
        costs = 0.25 ** np.arange(100)  # after each iteration, x0's among them
        last = next(i for i in range(99) if costs[i] - costs[i + 1] < 1e-3)
        assert result.nit == len(result.history["cost"]) == last + patience
        assert result.success
        assert result.fun == result.x**2 == pytest.approx(costs[result.nit])
    assert "tol=0.001" in result.message
    short = minimize(parabola, 1.0, max_iter=5, **options)
    assert not short.success
    assert "max_iter=5" in short.message
    assert short.nit == 5


VALLEY = (of_rosenbrock()[0], np.array([-1.2, 1.0]))


@pytest.mark.parametrize(
    ("cost", "x0", "options"),
    [
        (*VALLEY, {"tol": 1e-9}),
        (*VALLEY, {"tol": 1e-9, "learning_rate_init": 0.02}),
        (*VALLEY, {"tol": 0, "solver": "sgd", "momentum": 0.99, "learning_rate_init": 1e-4}),
        (parabola, 1.0, {"tol": 1e-6, "solver": "sgd", "learning_rate_init": 1.05}),
        (parabola, np.float32(1), {"tol": 1e-6, "solver": "sgd", "learning_rate_init": 1.05}),
    ],
)
def test_a_cost_that_rises_to_the_end_is_no_success(cost, x0, options):
    xs = [x0]
    result = minimize(cost, x0, callback=lambda step: xs.append(step.x), **options)
    costs = [float(cost(x)) for x in xs]
    assert costs[-1] > min(costs) + options["tol"]
    assert result.nit == len(xs) - 1
    assert result.nit == costs.index(min(costs)) + 10
    np.testing.assert_array_equal(result.x, xs[costs.index(min(costs))])
    assert result.fun == min(costs)
    assert not result.success
    assert "has risen from" in result.message
    assert "learning_rate_init" in result.message
    assert "n_iter_no_change" in result.message


@pytest.mark.slow
@pytest.mark.parametrize("rate", [0.02, 0.1])
def test_more_patience_comes_over_what_adam_overshoots(rate):
    options = {"tol": 1e-9, "max_iter": 9999, "n_iter_no_change": 200, "learning_rate_init": rate}
    result = minimize(*VALLEY, **options)
    assert result.success
    np.testing.assert_allclose(result.x, 1, atol=1e-3)


def test_tol_takes_rounding_errors_for_no_rise():
    def cost(w):
        return (w - 0.1) ** 2 + np.float32(1e4) * (1 + 1e-7 * np.sin(1e6 * w))

    result = minimize(cost, np.float32(0.1), tol=0, learning_rate_init=1e-6)
    assert result.success


def test_the_lowest_cost_is_that_of_all_the_data():
    rows = np.random.default_rng(0).standard_normal(40)
    options = {"batch_size": 4, "tol": 0.0, "learning_rate_init": 0.1, "random_state": 0}
    costs = []
    result = minimize(
        lambda w, rows: ((w - rows) ** 2).mean(),
        2.0,
        rows,
        callback=lambda step: costs.append((step.fun, ((step.x - rows) ** 2).mean(), step.x)),
        **options,
    )
    assert [fun for fun, *_ in costs] == pytest.approx([cost for _, cost, _ in costs])
    assert (result.fun, result.x) == min((fun, x) for fun, _, x in costs)


def test_an_interruption_with_tol_leaves_the_lowest_cost():
    def callback(step):
        if step.nit == 5:
            raise KeyboardInterrupt

    options = {"solver": "sgd", "learning_rate_init": 1.05, "tol": 1e-6}
    with pytest.warns(UserWarning, match="after iteration 5; x is that of the lowest cost"):
        result = minimize(parabola, 1.0, callback=callback, **options)
    assert (result.x, result.fun, result.nit) == (1, 1, 5)


@pytest.mark.parametrize("answer", [None, False, 0, 1, "go on", np.ones(3), np.zeros(2), []])
def test_answers_of_a_callback_that_are_not_true_stop_nothing(answer):
    assert minimize(parabola, 1.0, max_iter=3, callback=lambda step: answer).nit == 3


@pytest.mark.parametrize("ending", ["returns", "raises"])
def test_a_callback_sees_each_iteration_and_stops(ending):
    seen = []

    def callback(intermediate_result):
        assert isinstance(intermediate_result, OptimizeResult)
        seen.append(intermediate_result)
        if intermediate_result.nit == 3 and ending == "raises":
            raise StopIteration
        return intermediate_result.nit == 3

    result = minimize(parabola, np.ones(1)[0], callback=callback, max_iter=9)
    assert [each.nit for each in seen] == [1, 2, 3]
    assert [each.fun for each in seen] == [each.x**2 for each in seen]
    assert result.history["cost"] == [1.0, seen[0].fun, seen[1].fun]
    assert result.nit == 3
    assert result.x == seen[-1].x != seen[0].x
    assert not result.success
    assert "callback" in result.message


def test_what_a_callback_does_to_x_changes_nothing():
    def callback(result):
        result.x["w"][...] = 7

    expected = minimize(lambda x: (x["w"] ** 2).sum(), {"w": np.ones(2)}, max_iter=5)
    result = minimize(
        lambda x: (x["w"] ** 2).sum(), {"w": np.ones(2)}, max_iter=5, callback=callback
    )
    np.testing.assert_array_equal(result.x["w"], expected.x["w"])


def test_interruption_leaves_the_last_whole_iteration():
    expected = minimize(lambda w, rows: ((w - rows) ** 2).mean(), 0.0, np.arange(4.0), max_iter=5)
    n_done = 0

    def callback(result):
        nonlocal n_done
        n_done = result.nit

    def cost(w, rows):
        if n_done == 5:
            callback(OptimizeResult(nit=0))
            raise KeyboardInterrupt
        return ((w - rows) ** 2).mean()

    with pytest.warns(UserWarning, match="interrupted by the user after iteration 5"):
        result = minimize(cost, 0.0, np.arange(4.0), max_iter=99, callback=callback)
    assert result.x == expected.x
    assert result.nit == 5
    assert result.history == expected.history
    assert not result.success


def test_interruption_before_the_first_iteration_is_not_swallowed():
    n_calls = 0

    def cost(w):
        nonlocal n_calls
        n_calls += 1
        if n_calls == 2:
            raise KeyboardInterrupt
        return w**2

    with pytest.raises(KeyboardInterrupt):
        minimize(cost, 1.0)


def sum_of_squares(node):
    if isinstance(node, (dict, list, tuple)):
        return sum(map(sum_of_squares, node.values() if isinstance(node, dict) else node))
    return np.sum(node**2)


@pytest.mark.parametrize(
    ("x0", "words"),
    [
        ({0: 1.0, (1, "b"): np.ones(2)}, r"\{0: .*, \(1, 'b'\): array\("),
        ({None: {"a": 1.0}, "none": {}}, r"\{None: \{'a': .*'none': \{\}"),
        ({"con": 1.0, "slack": [{}, {2: 1.0}]}, r"'con': .*'slack': \[\{\}, \{2: "),
        ([{}, {0: np.ones((20, 30))}], r"\[\{\}, \{0: array\("),
        ({"W": np.ones((100, 100))}, r"\{'W': array\(.*\.\.\."),
    ],
)
def test_a_result_is_printed_whatever_are_the_keys(x0, words):
    result = minimize(sum_of_squares, x0, max_iter=20)
    assert re.search(words, repr(result), re.DOTALL)
    assert len(repr(result)) < 1000
    assert "20 values each of cost" in str(result)
    del result["history"]
    assert re.search(words, repr(result), re.DOTALL)
    assert "values each" not in repr(result)
    result.clear()
    assert "OptimizeResult" in repr(result)


def test_a_result_is_printed_in_a_few_lines_and_pickled_whole():
    result = minimize(parabola, 1.0, max_iter=500)
    assert len(repr(result)) < 500
    assert "500 values each of cost, learning_rate, gradient_norm" in repr(result)
    copy = pickle.loads(pickle.dumps(result))
    assert dict(copy) == dict(result)
    assert repr(copy) == repr(result)


@pytest.mark.slow
@pytest.mark.parametrize("kind", [np.float32, np.float64])
@each_solver
def test_variables_in_units_of_the_users_own_are_not_set_to_zero(solver, kind):
    tiny = kind(1e-19 if kind is np.float32 else 1e-160)
    x0 = {"a": np.ones(2, kind), "length": np.array([tiny, 1], kind)}
    result = minimize(
        lambda x: (x["a"] ** 2).sum() + x["length"][1], x0, max_iter=600, **SOLVERS[solver]
    )
    assert result.x["length"][0] == tiny
