"""Classifiers whose activation or loss is a function of the user's own: alone, in company, sent."""

import copy
import functools
import pickle
import subprocess
import sys

import joblib
import numpy as np
import pytest
import scipy.sparse
from sklearn.base import clone
from sklearn.datasets import load_iris

from skbn import BNSoftmaxClassifier, fit_population
from skbn.journal import functions

pytestmark = pytest.mark.slow

anp = pytest.importorskip("autograd.numpy")
defvjp, primitive = (
    getattr(pytest.importorskip("autograd.extend"), n) for n in ("defvjp", "primitive")
)


def snake(z):
    return z + np.sin(z) ** 2


def tanh(z):
    return np.tanh(z)


def cross_entropy(logits, targets):
    z = logits - anp.max(logits, axis=1, keepdims=True)
    return (targets * (np.log(np.exp(z).sum(axis=1, keepdims=True)) - z)).sum(axis=1)


def focal(logits, targets, gamma=2):
    p = np.exp(logits - anp.max(logits, axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return -(targets * (1 - p) ** gamma * np.log(p + 1e-12)).sum(axis=1)


def of_the_batch(logits, targets):
    """Cross-entropy whose roundings depend on the rows that come together."""
    z = logits - anp.max(logits)
    return np.log(np.exp(z).sum(axis=1)) - (targets * z).sum(axis=1)


class Swish:
    def __init__(self, beta):
        self.beta = beta

    def __call__(self, z):
        return z / (1 + np.exp(-self.beta * z))


def classifier(activation="relu", loss="cross_entropy", **params):
    """A small one, of a single network."""
    own = {"max_iter": 3, "n_members": 1, "calibrate": False, "random_state": 0}
    return BNSoftmaxClassifier((8,), activation=activation, loss=loss, **own | params)


def bits(model):
    """All that training made of a model."""
    networks = [(each.state.theta.tobytes(), each.state.vectors) for each in model._progress]
    return repr(networks), repr(model.history_["loss"])


ACTIVATIONS = {
    "a function": snake,
    "a lambda": lambda z: 0.1 * z + np.tanh(z),
    "a partial": functools.partial(lambda z, slope: slope * z + np.tanh(z), slope=0.5),
    "an object": Swish(1.5),
    "a method": Swish(1.5).__call__,
    "a ufunc": np.tanh,
}
LOSSES = {
    "a function": focal,
    "a partial": functools.partial(focal, gamma=1),
    "of the batch": of_the_batch,
}
LABELS = {
    "two": lambda n: np.arange(n) % 2,
    "text": lambda n: np.array(["a", "b", "c"])[np.arange(n) % 3],
    "many": lambda n: np.arange(n) % 40,
    "booleans": lambda n: np.arange(n) % 3 == 0,
}
ROWS = {
    "float16": lambda X: X.astype(np.float16),
    "integers": lambda X: (3 * X).astype(int),
    "booleans": lambda X: X > 0,
    "sparse": lambda X: scipy.sparse.csr_matrix(X * (abs(X) > 1)),
}


def assert_trains_like_the_built_in_ones(X, y, weights=None, **params):
    params = {"max_iter": 3, "dtype": "float64", "random_state": 0} | params
    built_in = BNSoftmaxClassifier((8,), activation="tanh", **params).fit(X, y, weights)
    own = BNSoftmaxClassifier((8,), activation=tanh, loss=cross_entropy, **params)
    own.fit(X, y, weights)
    assert own.history_.keys() == built_in.history_.keys()
    for name in own.history_.keys() - {"seconds"}:
        np.testing.assert_allclose(own.history_[name], built_in.history_[name], rtol=1e-11)
    np.testing.assert_allclose(own.predict_proba(X), built_in.predict_proba(X), rtol=1e-10)
    assert own.temperature_ == pytest.approx(built_in.temperature_)


@pytest.mark.parametrize("labels", LABELS)
def test_labels_of_any_kind(labels):
    X = np.random.default_rng(0).standard_normal((120, 5))
    assert_trains_like_the_built_in_ones(X, LABELS[labels](len(X)))


@pytest.mark.parametrize("rows", ROWS)
def test_rows_of_any_kind(rows):
    X = np.random.default_rng(0).standard_normal((120, 5))
    assert_trains_like_the_built_in_ones(ROWS[rows](X), LABELS["text"](len(X)))


@pytest.mark.parametrize("params", [{}, {"early_stopping": True, "label_smoothing": 0.1}])
def test_weights_of_rows_and_classes(params):
    stream = np.random.default_rng(0)
    X, weights = stream.standard_normal((120, 5)), stream.uniform(-0.2, 1, 120).clip(0)
    y = LABELS["text"](len(X))
    assert_trains_like_the_built_in_ones(X, y, weights, class_weight="balanced", **params)


def in_place(logits, targets):
    targets *= 2
    logits *= -1
    return cross_entropy(-logits, targets) / 2


def test_a_function_may_change_its_arguments(iris):
    X, y = iris
    models = [classifier(loss=each, dtype="float64") for each in (in_place, cross_entropy)]
    for model in models:
        model.set_params(calibrate=True).fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    assert bits(models[0]) == bits(models[1])
    for name in ("validation_loss", "validation_accuracy"):
        assert models[0].history_[name] == models[1].history_[name]
    assert models[0].temperature_ == models[1].temperature_


# In company.


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_population_has_the_bits_of_fits_alone(activation, loss, dtype, iris, assert_as_alone):
    model = classifier(ACTIVATIONS[activation], LOSSES[loss], dtype=dtype, max_iter=2)
    models = [clone(model).set_params(random_state=i, n_members=1 + i % 2) for i in range(3)]
    assert_as_alone([*models, clone(models[0]).set_params(learning_rate_init=0.1)], *iris)


class Counted:
    """A function that notes how many rows it gets in training."""

    def __init__(self, function, test):
        # Of functions that do the same the first is called.
        self.function, self.test, self.rows = function, test, []

    def __call__(self, x, *targets):
        if not isinstance(x, np.ndarray):
            self.rows.append(x.shape[0])
        return self.function(x, *targets)

    def __deepcopy__(self, memo):
        return self


@pytest.mark.parametrize(("loss", "is_joint"), [(focal, True), (of_the_batch, False)])
def test_a_function_is_asked_once_for_all_members_where_their_bits_stay(loss, is_joint, iris):
    X, y = iris[0][:96], iris[1][:96]
    counted = Counted(snake, loss), Counted(loss, loss)
    models = [classifier(*counted, random_state=i, batch_size=32) for i in range(4)]
    fit_population(models, X, y)
    for own, is_asked_once in zip(counted, (True, is_joint), strict=True):
        # Three epochs of three steps, beside the check and the comparison of both ways.
        found = {n: own.rows.count(n) for n in (32, 128)}
        assert (found[128] >= 9) == is_asked_once
        assert (found[32] >= 36) != is_asked_once


@pytest.mark.parametrize("copied", [copy.deepcopy, lambda f: pickle.loads(pickle.dumps(f))])
@pytest.mark.parametrize("make", [lambda: functools.partial(Swish(1.5)), lambda: Swish(1.5)])
def test_copies_of_a_function_train_together(make, copied, iris, population_sizes):
    function = make()
    fit_population(
        [classifier(each, random_state=i) for i, each in enumerate([function, copied(function)])],
        *iris,
    )
    assert population_sizes == [2]


@pytest.fixture
def population_sizes(monkeypatch):
    """How many runs each population begins with."""
    from skbn.training import lockstep

    sizes = []

    class Noting(lockstep._Population):
        def __init__(self, tasks):
            sizes.append(len(tasks))
            super().__init__(tasks)

    monkeypatch.setattr(lockstep, "_Population", Noting)
    return sizes


def value_of(x):
    """What is behind an object of autograd."""
    while hasattr(x, "_value"):
        x = x._value
    return x


def raises_in_the_pass(z):
    if np.abs(value_of(z)).max() > 60:
        raise RuntimeError("too large")
    return np.tanh(z)


@primitive
def refuses(z):
    return np.tanh(z)


@lambda vjp: defvjp(refuses, vjp)
def _(answer, z):
    def vjp(gradient):
        raise ZeroDivisionError("no slope")

    return vjp


def raises_in_the_derivative(z):
    return anp.where(z > 60, refuses(z), np.tanh(z)) if np.max(value_of(z)) > 60 else np.tanh(z)


def of_another_shape(z):
    return np.tanh(z) if np.abs(value_of(z)).max() < 60 else np.tanh(z)[:, :1]


def is_nan(z):
    return anp.where(z > 60, np.nan, np.tanh(z))


def raises_in_the_loss(logits, targets):
    if np.abs(value_of(logits)).max() > 40:
        raise ArithmeticError("too sure")
    return cross_entropy(logits, targets)


FAULTS = {
    "raises": (raises_in_the_pass, "cross_entropy", RuntimeError, "activation=raises_in_the_pass"),
    "no derivative": (
        raises_in_the_derivative,
        "cross_entropy",
        ZeroDivisionError,
        "activation=raises_in_the_derivative",
    ),
    "shape": (of_another_shape, "cross_entropy", ValueError, "activation=of_another_shape"),
    "nan": (is_nan, "cross_entropy", ValueError, "activation=is_nan in hidden layer 1"),
    "loss": ("relu", raises_in_the_loss, ArithmeticError, "loss=raises_in_the_loss"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_an_error_in_training_is_of_the_member_it_comes_from(fault, iris):
    activation, loss, kind, words = FAULTS[fault]
    models = [
        classifier(activation, loss, batch_norm=False, random_state=i, learning_rate_init=rate)
        for i, rate in enumerate([0.003, 30.0, 0.003])
    ]
    alone = [clone(models[0]).fit(*iris), clone(models[2]).fit(*iris)]
    with pytest.raises(kind) as caught:
        clone(models[1]).fit(*iris)
    fitted = fit_population(models, *iris, return_exceptions=True)
    assert [bits(fitted[0]), bits(fitted[2])] == [bits(each) for each in alone]
    for error in (fitted[1], caught.value):
        assert type(error) is kind
        assert str(error) == str(caught.value)
        assert words in "\n".join([str(error), *getattr(error, "__notes__", ())])
    assert not hasattr(models[1], "classes_")


# Threads.


def test_fits_in_threads_have_the_bits_of_one_after_the_other(iris):
    models = [classifier(snake, focal, random_state=i) for i in range(4)]
    alone = [bits(clone(each).fit(*iris)) for each in models]
    fit = joblib.delayed(lambda model: bits(model.fit(*iris)))
    assert joblib.Parallel(4, backend="threading")(map(fit, models)) == alone


# Going on.


def redefined(code, **more):
    """A function ``f`` as a notebook defines it anew."""
    names = {"np": np, "anp": anp, **more}
    exec(code, names)
    return names["f"]


LOSS = "f = lambda z, y, **more: s * (np.log(np.exp(z).sum(axis=1)) - (y * z).sum(axis=1))"
CHANGES = {
    "code": ("activation", *(redefined(f"def f(z): return np.tanh({n} * z)") for n in "12")),
    "a global": (
        "activation",
        *(redefined("def f(z): return np.tanh(z) * s", s=s) for s in (1, 2)),
    ),
    "a default": ("activation", *(redefined(f"def f(z, s={n}): return z * s") for n in "12")),
    "a partial": ("loss", *(functools.partial(redefined(LOSS, s=s), s=1) for s in (1, 2))),
    "an object": ("activation", Swish(1.0), Swish(2.0)),
    "a loss": ("loss", *(redefined(LOSS, s=s) for s in (1, 2))),
}


@pytest.mark.parametrize("how", ["partial_fit", "warm_start"])
@pytest.mark.parametrize("change", CHANGES)
def test_another_function_of_the_same_name_is_told_apart(change, how, iris):
    parameter, before, now = CHANGES[change]
    model = classifier(warm_start=True).set_params(**{parameter: before}).fit(*iris)
    before = bits(model)
    model.set_params(**{parameter: now, "max_iter": 6})
    with pytest.raises(ValueError, match=rf"{parameter} was changed from (.+) to another \1 \("):
        model.partial_fit(*iris) if how == "partial_fit" else model.fit(*iris)
    assert bits(model) == before


def test_the_same_code_goes_on(iris):
    model = classifier(redefined("def f(z): return np.tanh(z)"), warm_start=True).fit(*iris)
    model.set_params(activation=redefined("def f(z): return np.tanh(z)"), max_iter=6).fit(*iris)
    assert model.n_iter_ == 6


def test_code_is_read_once_for_many_calls(iris, monkeypatch):
    model = classifier(Swish(1.1), functools.partial(focal, gamma=1)).fit(*iris)
    monkeypatch.setattr(functions.dis, "get_instructions", None)
    model.set_params(max_iter=9)
    assert model.partial_fit(*iris).partial_fit(*iris).n_iter_ == 5


# Elsewhere.


@pytest.mark.parametrize("copied", [copy.copy, copy.deepcopy])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_copies_of_a_fitted_model_go_on(activation, copied, iris):
    model = classifier(ACTIVATIONS[activation], focal, warm_start=True).fit(*iris)
    went_on = bits(copied(model).set_params(max_iter=5).fit(*iris))
    assert went_on == bits(model.set_params(max_iter=5).fit(*iris))


SCRIPT = """
import functools, sys
import autograd.numpy as anp, joblib, numpy as np
from sklearn.datasets import load_iris
from skbn import BNSoftmaxClassifier

scale = 0.1
def snake(z): return z + np.sin(z) ** 2
def scaled(z): return scale * z + anp.tanh(z)
def enclosed(slope): return lambda z: slope * z + np.tanh(z)
class Swish:
    def __init__(self, beta): self.beta = beta
    def __call__(self, z): return z / (1 + np.exp(-self.beta * z))
    def of(self, z): return self(z)
def loss(z, y, scale=1): return scale * ((z - y) ** 2).sum(axis=1)

own = [snake, scaled, enclosed(0.3), lambda z: np.tanh(z), functools.partial(scaled),
       Swish(1.5), Swish(1.5).of, functools.partial(Swish(1.5))]
how = dict(loss=functools.partial(loss, scale=2), max_iter=2, warm_start=True, random_state=0)
fit = joblib.delayed(lambda model: model.fit(*load_iris(return_X_y=True)))
models = [BNSoftmaxClassifier((6,), activation=each, **how) for each in own]
fitted = joblib.Parallel(2)(map(fit, models))
joblib.dump(fitted, sys.argv[1])
fitted = [model.set_params(max_iter=4).fit(*load_iris(return_X_y=True)) for model in fitted]
joblib.dump([[each.state.theta for each in model._progress] for model in fitted], sys.argv[2])
"""


def test_functions_of_a_notebook_come_back_from_workers_and_files_and_go_on(tmp_path):
    files = [str(tmp_path / name) for name in ("models", "expected")]
    command = [sys.executable, "-W", "error", "-c", SCRIPT, *files]
    run = subprocess.run(command, check=False, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    fitted, expected = map(joblib.load, files)
    for model, thetas in zip(fitted, expected, strict=True):
        model.set_params(max_iter=4).fit(*load_iris(return_X_y=True))
        for one, theta in zip(model._progress, thetas, strict=True):
            np.testing.assert_array_equal(one.state.theta, theta)


def test_logits_may_be_of_any_scale(iris):
    X, y = iris

    def of_small_logits(logits, targets):
        return cross_entropy(logits / 1000, targets)

    model = classifier(loss=of_small_logits, calibrate=True, learning_rate_init=0.3, max_iter=99)
    assert model.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:]).temperature_ > 20


# What is trained is what was given.


class Scaled:
    """A loss whose costs are an attribute of its class."""

    costs = np.ones((3, 3)) - np.eye(3)

    def __call__(self, logits, targets):
        p = np.exp(logits - anp.max(logits, axis=1, keepdims=True))
        p = p / p.sum(axis=1, keepdims=True)
        return (targets @ self.costs * p).sum(axis=1)


class Dearer(Scaled):
    costs = 10 * Scaled.costs


def with_class(gamma):
    class Settings:
        value = gamma

    return lambda z: np.tanh(Settings.value * z)


def with_counter(gamma):
    books = {"calls": 0, "gamma": gamma}

    def counted(z):
        books["calls"] += 1
        return np.tanh(books["gamma"] * z)

    return counted


def test_functions_of_the_same_code_are_not_taken_for_each_other(iris):
    losses = [classifier(loss=each).fit(*iris).loss_ for each in (Scaled(), Dearer())]
    assert losses[1] > 5 * losses[0]
    for make in (with_class, with_counter):
        alone = [classifier(make(gamma)).fit(*iris).loss_ for gamma in (1.0, 4.0)]
        assert alone[0] != alone[1]
        together = [classifier(make(gamma)) for gamma in (1.0, 4.0)]
        fit_population(together, *iris)
        assert [each.loss_ for each in together] == alone


def test_models_keep_their_own_objects(iris):
    first, second = Swish(1.0), Swish(1.0)
    classifier(first).fit(*iris)
    model = classifier(second).fit(*iris)
    before = model.predict_proba(iris[0])
    first.beta = 5.0
    np.testing.assert_array_equal(model.predict_proba(iris[0]), before)
    assert classifier(Swish(1.0)).fit(*iris).loss_ == model.loss_


def test_a_fit_does_not_depend_on_those_before(iris):
    one, other = (classifier(with_counter(g), batch_norm=False) for g in (1.0, 0.25))
    alone = other.fit(*iris).loss_
    one.fit(*iris)
    assert clone(other).fit(*iris).loss_ == alone


def test_validation_losses_that_are_not_finite_name_the_loss(iris):
    def unguarded(logits, targets):
        p = np.exp(logits - anp.max(logits, axis=1, keepdims=True))
        return -(targets * np.log(p / p.sum(axis=1, keepdims=True))).sum(axis=1)

    X, y = iris
    far = X[:50] * 1e4
    with pytest.raises(ValueError, match="loss=unguarded is not finite for some rows of the vali"):
        classifier(loss=unguarded).fit(X, y, X_val=far, y_val=y[:50])


def test_errors_in_prediction_name_the_function(iris):
    def picky(z):
        if len(z) == 77:
            raise RuntimeError("77")
        return np.tanh(z)

    model = classifier(picky).fit(*iris)
    with pytest.raises(RuntimeError) as caught:
        model.predict(iris[0][:77])
    assert "activation=picky" in caught.value.__notes__[0]
