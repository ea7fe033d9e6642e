"""Stopping and going on: partial_fit, warm_start, pickles, and calls that fail."""

import pickle
import warnings
from itertools import pairwise

import joblib
import numpy as np
import pytest
from scipy.special import softmax
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.metrics import log_loss

import skbn.classifier
from skbn import BNSoftmaxClassifier
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES

VARIANTS = [
    {"batch_norm": True},
    {"batch_norm": False},
    {"dropout": 0.3, "input_dropout": 0.1},
    {"noise": 0.3, "input_noise": 0.1},
    {"hidden_layer_sizes": ()},
    {"dtype": "float64", "alpha": 0.01, "max_grad_norm": 0.5},
    {"shuffle": False, "class_weight": {0: 2.0}},
]


def continued(model, X, y, n_epochs, **first):
    """Train for some epochs by partial_fit."""
    model.partial_fit(X, y, **({"classes": np.unique(y)} | first))
    for _ in range(n_epochs - 1):
        model.partial_fit(X, y)
    return model


# partial_fit.


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_partial_fits_are_the_epochs_of_fit(iris, quick, assert_same_model, solver, variant):
    options = {"solver": solver, "max_iter": 4, "learning_rate_init": 0.01, **variant}
    assert_same_model(continued(quick(**options), *iris, 4), quick(**options).fit(*iris))


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_partial_fits_are_the_first_epochs_under_any_schedule(iris, quick, learning_rate):
    # A fit of eight epochs, interrupted after three, is where three calls lead.
    whole = quick(learning_rate=learning_rate, max_iter=8).fit(*iris)
    part = continued(quick(learning_rate=learning_rate, max_iter=8), *iris, 3)
    for name in ("loss", "learning_rate", "gradient_norm"):
        assert part.history_[name] == whole.history_[name][:3]


def test_partial_fit_goes_on_from_fit(iris, quick, assert_same_model):
    options = {"learning_rate": "constant", "dropout": 0.2}
    gone_on = quick(max_iter=2, **options).fit(*iris).partial_fit(*iris)
    assert_same_model(gone_on, quick(max_iter=3, **options).fit(*iris))


def test_partial_fits_scale_weights_per_call(iris, quick, assert_same_model):
    X, y = iris
    weights = np.linspace(1, 2, len(y))
    model = quick().partial_fit(X, y, classes=[0, 1, 2], sample_weight=weights)
    model.partial_fit(X, y, sample_weight=weights * 1024)
    model.partial_fit(X, y, sample_weight=weights)
    assert_same_model(model, quick().fit(X, y, sample_weight=weights))


def test_partial_fit_takes_batches_of_any_size(quick):
    stream = np.random.default_rng(0)
    X = stream.normal(size=(600, 4))
    y = X[:, 0] + X[:, 1] > 0
    model = quick(max_iter=12)
    for start, end in pairwise([0, 2, 5, 105, 140, 300, 303, 450, 600]):
        model.partial_fit(X[start:end], y[start:end], classes=[False, True])
    assert model.n_iter_ == 8
    assert model.score(X, y) > 0.9


def test_partial_fit_takes_batches_that_lack_classes(iris, quick):
    X, y = iris
    model = quick(max_iter=30)
    for _ in range(10):
        for label in (2, 0, 1):
            some = (y == label) | (y == (label + 1) % 3)
            model.partial_fit(X[some], y[some], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("n_rows", [200, 30])
def test_partial_fit_takes_many_classes(quick, n_rows):
    # As many as letters: scikit-learn suspects a regression where half of the labels differ.
    y = np.arange(n_rows) % 26
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    model = quick().partial_fit(X, y, classes=np.arange(26)).partial_fit(X, y)
    assert model.predict_proba(X).shape == (n_rows, 26)


def test_partial_fit_takes_one_class_alone(iris, quick):
    X, y = iris
    model = quick().partial_fit(X[y == 2], y[y == 2], classes=[2, 0, 1])
    assert model.predict_proba(X).shape == (150, 3)
    assert (model.predict(X[y == 2]) == 2).all()


def test_partial_fit_takes_one_row_without_batch_norm(iris, quick):
    X, y = iris
    model = quick(batch_norm=False, learning_rate_init=0.01)
    for row, label in zip(X, y, strict=True):
        model.partial_fit(row[None], [label], classes=[0, 1, 2])
    assert model.n_iter_ == 150


def test_partial_fit_ignores_early_stopping(iris, quick, assert_same_model):
    stopping = continued(quick(early_stopping=True), *iris, 2)
    assert_same_model(stopping, continued(quick(), *iris, 2))


def test_partial_fit_wants_the_classes_first(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        quick().partial_fit(X, y)


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2, 3], ["a", "b", "c"]])
def test_partial_fit_refuses_other_classes_later(iris, quick, classes):
    X, y = iris
    model = continued(quick(), X, y, 1)
    with pytest.raises(ValueError, match=r"differ from those of the first call: \[0, 1, 2\]"):
        model.partial_fit(X, y, classes=classes)
    model.partial_fit(X, y, classes=[2, 1, 0])  # the same, in another order


@pytest.mark.parametrize("again", [False, True])
def test_partial_fit_refuses_labels_beyond_the_classes(iris, quick, again):
    X, y = iris
    model = quick()
    if again:
        model.partial_fit(X, y.clip(0, 1), classes=[0, 1])
    with pytest.raises(ValueError, match=r"not among the classes: \[2\]"):
        model.partial_fit(X, y, classes=[0, 1])


def test_partial_fit_tells_numbers_from_text(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="not among the classes"):
        quick().partial_fit(X, y.astype(str), classes=[0, 1, 2])


def test_partial_fit_refuses_balanced_weights(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match=r"balanced.*not supported by partial_fit"):
        quick(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


# Pickles.


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_a_loaded_pickle_goes_on_as_if_never_stopped(
    iris, quick, assert_same_model, solver, protocol
):
    options = {"solver": solver, "dropout": 0.2, "learning_rate_init": 0.01, "max_iter": 4}
    model = continued(quick(**options), *iris, 2)
    loaded = pickle.loads(pickle.dumps(model, protocol))
    assert_same_model(loaded, model)
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), model.predict_proba(iris[0]))
    for _ in range(2):
        loaded.partial_fit(*iris)
    assert_same_model(loaded, quick(**options).fit(*iris))


def test_a_loaded_pickle_is_a_model_of_its_own(iris, quick, assert_same_model):
    model = quick().fit(*iris)
    loaded = pickle.loads(pickle.dumps(model))
    loaded.partial_fit(*iris)
    assert_same_model(model, quick().fit(*iris))


def test_a_pickle_does_not_grow_with_the_data(quick):
    def size(n_rows):
        X = np.random.default_rng(0).normal(size=(n_rows, 5))
        options = {"early_stopping": True, "batch_size": 1000, "hidden_layer_sizes": (50,)}
        return len(pickle.dumps(quick(**options).fit(X, X[:, 0] > 0)))

    assert size(20000) == pytest.approx(size(200), abs=64)


@pytest.mark.parametrize(("solver", "n_vectors"), [("sgd", 2), ("adam", 3)])
def test_a_pickle_holds_the_parameters_and_the_state_of_the_solver(
    iris, single, learned, solver, n_vectors
):
    model = single(solver=solver, hidden_layer_sizes=(300, 300)).fit(*iris)
    model.predict(iris[0])
    n_bytes = sum(array.nbytes for array in learned(model))
    assert len(pickle.dumps(model)) < n_vectors * n_bytes + 10_000


def test_a_pickle_carries_the_version(iris, quick, monkeypatch, caught_warnings):
    model = quick().fit(*iris)
    same = pickle.dumps(model)
    monkeypatch.setattr(skbn.classifier, "__version__", "0.0.dev7")
    other = pickle.dumps(model)
    assert pickle.loads(other).score(*iris) == model.score(*iris)
    assert caught_warnings == []
    loaded = pickle.loads(same)
    (warning,) = caught_warnings
    assert warning.category is UserWarning
    assert "0.0.dev7" in str(warning.message)
    assert skbn.__version__ in str(warning.message)
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), model.predict_proba(iris[0]))


def test_loading_with_the_same_version_is_silent(iris, quick):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(quick().fit(*iris)))
        pickle.loads(pickle.dumps(quick()))


def test_a_memory_mapped_model_predicts_and_goes_on(iris, quick, assert_same_model, tmp_path):
    X, y = iris
    model = quick().fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict_proba(X), model.predict_proba(X))
    assert_same_model(mapped.partial_fit(X, y), model.partial_fit(X, y))


# warm_start.


def test_warm_start_goes_on_until_max_iter(iris, quick, assert_same_model):
    options = {"learning_rate": "constant", "dropout": 0.2}
    model = quick(warm_start=True, max_iter=2, **options).fit(*iris)
    model.set_params(max_iter=5).fit(*iris)
    assert_same_model(model, quick(max_iter=5, **options).fit(*iris))


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_warm_start_goes_on_under_any_schedule(iris, quick, learning_rate):
    model = quick(warm_start=True, max_iter=4, learning_rate=learning_rate).fit(*iris)
    first = {name: list(values) for name, values in model.history_.items()}
    model.set_params(max_iter=8).fit(*iris)
    assert model.n_iter_ == 8
    assert {name: values[:4] for name, values in model.history_.items()} == first
    # The rates of the epochs to come are those of a run of eight.
    whole = quick(max_iter=8, learning_rate=learning_rate).fit(*iris)
    assert model.history_["learning_rate"][4:] == whole.history_["learning_rate"][4:]
    assert model.loss_ < first["loss"][-1]


def test_warm_start_at_max_iter_does_nothing(iris, quick, assert_same_model):
    model = quick(warm_start=True).fit(*iris)
    assert_same_model(model.fit(*iris), quick().fit(*iris))


def test_warm_start_below_what_is_done_is_an_error(iris, quick):
    model = quick(warm_start=True, max_iter=4).fit(*iris)
    with pytest.raises(ValueError, match=r"max_iter=3 is below the n_iter_=4 epochs"):
        model.set_params(max_iter=3).fit(*iris)


def test_warm_start_before_any_fit_is_a_fit(iris, quick, assert_same_model):
    assert_same_model(quick(warm_start=True).fit(*iris), quick().fit(*iris))


def test_warm_start_goes_on_from_partial_fit(iris, quick, assert_same_model):
    model = continued(quick(warm_start=True, max_iter=4), *iris, 2).fit(*iris)
    assert_same_model(model, quick(max_iter=4).fit(*iris))


def test_warm_start_refuses_new_labels(iris, quick):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"not among the classes: \[3\]"):
        model.set_params(max_iter=5).fit(X, y + 1)


def test_warm_start_accepts_rows_that_lack_a_class(iris, quick):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    model.set_params(max_iter=5).fit(X[y > 0], y[y > 0])
    assert model.classes_.tolist() == [0, 1, 2]


def test_warm_start_keeps_the_validation_rows(iris, single, monkeypatch):
    X, y = iris
    drawn = []

    def remember(*arguments, stratified_rows=skbn.classifier.stratified_rows):
        drawn.append(stratified_rows(*arguments))
        return drawn[-1]

    monkeypatch.setattr(skbn.classifier, "stratified_rows", remember)
    model = single(warm_start=True, early_stopping=True, learning_rate="constant").fit(X, y)
    first = pickle.loads(pickle.dumps(model))
    model.set_params(max_iter=8).fit(X, y)
    first.set_params(max_iter=8).fit(X, y)
    assert drawn[0].tolist() == drawn[1].tolist() == drawn[2].tolist()
    # The best of all epochs is kept, whichever call found it.
    best = min(model.history_["validation_loss"])
    assert log_loss(y[drawn[0]], model.predict_proba(X[drawn[0]])) == pytest.approx(best, rel=1e-5)
    assert model.loss_ == model.history_["loss"][int(np.argmin(model.history_["validation_loss"]))]


def test_going_on_never_forgets_a_better_epoch(iris, quick):
    X, y = iris
    options = {"learning_rate": "constant", "n_iter_no_change": 2}
    model = quick(warm_start=True, max_iter=20, **options)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    before, n_before = model.predict_proba(X), model.n_iter_
    # At such a rate every later epoch is worse.
    model.set_params(learning_rate_init=3.0, max_iter=40)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    assert model.n_iter_ > n_before
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_validation_set_may_come_later(iris, quick):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    model.set_params(max_iter=5).fit(X, y, X_val=X, y_val=y)
    model.set_params(max_iter=6).fit(X, y)
    measured = np.isfinite(model.history_["validation_loss"])
    assert measured.tolist() == [False, False, False, True, True, False]


# set_params between two calls.


@pytest.mark.parametrize("nesterov", [False, True])
def test_a_new_learning_rate_keeps_the_momentum(iris, steady, nesterov):
    # Softmax regression by gradient descent with momentum, in four lines.
    X, y = iris
    rates, mu = [0.1, 0.5, 0.5, 0.02], 0.9
    options = {
        "hidden_layer_sizes": (),
        "solver": "sgd",
        "momentum": mu,
        "nesterovs_momentum": nesterov,
        "learning_rate": "constant",
    }
    start = steady(learning_rate_init=1e-300, max_iter=1, **options).fit(X, y)
    rows = np.c_[X, np.ones(len(y))]
    W, v = np.vstack([start.coefs_[0], start.intercepts_[0]]), 0.0
    model = steady(**options)
    for rate in rates:
        g = rows.T @ (softmax(rows @ W, axis=1) - np.eye(3)[y]) / len(y)
        v = mu * v - rate * g
        W = W + (mu * v - rate * g if nesterov else v)
        model.set_params(learning_rate_init=rate).partial_fit(X, y, classes=[0, 1, 2])
        np.testing.assert_allclose(model.coefs_[0], W[:-1], atol=1e-12)
        np.testing.assert_allclose(model.intercepts_[0], W[-1], atol=1e-12)
    np.testing.assert_allclose(model.history_["learning_rate"], rates)


@pytest.mark.parametrize(
    "change",
    [
        {"learning_rate_init": 0.01},
        {"learning_rate": "constant"},
        {"max_iter": 30},
        {"warmup_fraction": 0.9},
        {"beta_1": 0.5},
        {"beta_2": 0.9},
        {"epsilon": 0.1},
        {"alpha": 0.1},
        {"dropout": 0.5},
        {"input_dropout": 0.5},
        {"noise": 0.5},
        {"input_noise": 0.5},
        {"label_smoothing": 0.3},
        {"max_grad_norm": 0.01},
        {"batch_size": 50},
        {"shuffle": False},
        {"class_weight": {0: 3.0}},
        {"bn_epsilon": 0.1},
    ],
)
def test_set_params_takes_effect_at_the_next_call(iris, quick, change):
    X, y = iris
    model, plain = (continued(quick(), X, y, 2) for _ in range(2))
    before = model.predict_proba(X)
    model.set_params(**change)
    np.testing.assert_array_equal(model.predict_proba(X), before)
    model.partial_fit(X, y)
    plain.partial_fit(X, y)
    assert not np.array_equal(model.coefs_[0], plain.coefs_[0])
    assert np.isfinite(model.predict_log_proba(X)).all()


def test_a_new_bn_momentum_changes_the_averages_only(iris, quick):
    X, y = iris
    model, plain = (continued(quick(), X, y, 2) for _ in range(2))
    model.set_params(bn_momentum=0.5).partial_fit(X, y)
    plain.partial_fit(X, y)
    np.testing.assert_array_equal(model.coefs_[0], plain.coefs_[0])
    assert not np.array_equal(model.bn_mean_[0], plain.bn_mean_[0])


OTHER_SHAPES = [
    {"hidden_layer_sizes": (9,)},
    {"activation": "tanh"},
    {"batch_norm": False},
    {"solver": "sgd"},
    {"dtype": "float64"},
]


@pytest.mark.parametrize("change", OTHER_SHAPES)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_a_change_of_the_network_is_an_error_that_names_it(iris, quick, change, method):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    (name,) = change
    model.set_params(max_iter=5, **change)
    with pytest.raises(ValueError, match=f"^{name} was changed"):
        getattr(model, method)(X, y)
    model.set_params(**{name: getattr(quick(), name)})
    getattr(model, method)(X, y)
    assert model.n_iter_ > 3


def test_the_same_sizes_in_another_form_are_no_change(iris, quick):
    X, y = iris
    model = continued(quick(hidden_layer_sizes=8), X, y, 1)
    for sizes in ((8,), [8], np.array([8]), np.int64(8)):
        model.set_params(hidden_layer_sizes=sizes).partial_fit(X, y)
    assert model.n_iter_ == 5


@pytest.mark.parametrize("name", sorted(BNSoftmaxClassifier().get_params()))
def test_set_params_alone_never_changes_predictions(iris, quick, name):
    X, y = iris
    model = quick().fit(X, y)
    before = model.predict_proba(X)
    other = {
        "activation": "tanh",
        "batch_norm": False,
        "bn_epsilon": 10.0,
        "hidden_layer_sizes": (3,),
        "dtype": "float64",
        "solver": "sgd",
    }
    model.set_params(**{name: other.get(name)})
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.parametrize("learning_rate", ["exponential", "inverse_time", "cosine", "one_cycle"])
def test_schedules_hold_their_floor_past_max_iter(iris, quick, learning_rate):
    model = quick(learning_rate=learning_rate, learning_rate_decay=200.0, max_iter=3)
    model = continued(model, *iris, 7)
    rates = model.history_["learning_rate"]
    np.testing.assert_allclose(rates[3:], 0.01 * 0.05, rtol=1e-6)
    assert rates[0] > rates[3]
    assert model.n_iter_ == 7


def test_a_clone_starts_anew(iris, quick, assert_same_model):
    model = quick(warm_start=True).fit(*iris)
    fresh = clone(model)
    assert not hasattr(fresh, "history_")
    assert_same_model(fresh.fit(*iris), model)


# Calls that fail.


def spoilt(X, y):
    """Calls that no model survives, as changes to a call of fit."""
    with_nan = np.array(X)
    with_nan[-1, -1] = np.nan
    n = len(y)
    return {
        "missing value": ({}, (with_nan, y), {}),
        "other columns": ({}, (X[:, :2], y[:-1]), {}),
        "other label": ({}, (X, y + 5), {"X_val": X, "y_val": y}),
        "negative weight": ({}, (X, y, np.linspace(-1, 1, n)), {}),
        "wrong parameter": ({"alpha": -1.0}, (X, y), {}),
        "wrong sizes": ({"hidden_layer_sizes": (8, 0)}, (X, y), {}),
        "divergence": (
            {"solver": "sgd", "learning_rate_init": 1e6, "learning_rate": "constant"},
            (X, y),
            {},
        ),
        "validation rows": ({}, (X, y), {"X_val": X[:, :2], "y_val": y}),
    }


SPOILT = sorted(spoilt(np.zeros((3, 4)), np.zeros(3)))


@pytest.mark.parametrize("kind", SPOILT)
def test_a_failed_fit_leaves_an_unfitted_estimator_unfitted(iris, quick, kind):
    parameters, data, validation = spoilt(*iris)[kind]
    model = quick(**parameters)
    before = dict(vars(model))
    with pytest.raises(ValueError):  # noqa: PT011
        model.fit(*data, **validation)
    assert vars(model) == before
    with pytest.raises(NotFittedError):
        model.predict(iris[0])


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("kind", SPOILT)
def test_a_failed_fit_leaves_a_fitted_estimator_as_it_was(iris, quick, kind, warm_start):
    X, y = iris
    parameters, data, validation = spoilt(X, y)[kind]
    model = quick(solver=parameters.get("solver", "adam")).fit(X, y)
    model.set_params(warm_start=warm_start, max_iter=6, **parameters)
    before, probabilities = pickle.dumps(model), model.predict_proba(X)
    with pytest.raises(ValueError):  # noqa: PT011
        model.fit(*data, **validation)
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)


@pytest.mark.parametrize("kind", [kind for kind in SPOILT if kind != "validation rows"])
def test_a_failed_partial_fit_leaves_the_estimator_as_it_was(iris, quick, assert_same_model, kind):
    X, y = iris
    parameters, (X_bad, y_bad, *weights), _ = spoilt(X, y)[kind]
    options = {"solver": parameters.get("solver", "adam"), "dropout": 0.2}
    model = continued(quick(**options), X, y, 2)
    before = pickle.dumps(model)
    model.set_params(**parameters)
    with pytest.raises(ValueError):  # noqa: PT011
        model.partial_fit(X_bad, y_bad, sample_weight=weights[0] if weights else None)
    model.set_params(**{name: getattr(quick(**options), name) for name in parameters})
    assert pickle.dumps(model) == before
    # Random streams too: going on is as if nothing had happened.
    assert_same_model(model.partial_fit(X, y), continued(quick(**options), X, y, 3))


def test_a_first_partial_fit_that_fails_leaves_nothing(iris, quick):
    X, y = iris
    model = quick()
    with pytest.raises(ValueError, match="not among the classes"):
        model.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(model, "classes_")
    model.partial_fit(X, y, classes=[0, 1, 2])
