"""Parameters set between two calls."""

import numpy as np
import pytest
from continuations import continued
from scipy.special import softmax
from sklearn.base import clone

from skbn import BNSoftmaxClassifier

pytestmark = pytest.mark.slow


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
    {"loss": "focal"},
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


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_the_same_sizes_in_another_form_are_no_change(iris, quick):
    X, y = iris
    model = continued(quick(hidden_layer_sizes=8), X, y, 1)
    for sizes in ((8,), [8], np.array([8]), np.int64(8)):
        model.set_params(hidden_layer_sizes=sizes).partial_fit(X, y)
    assert model.n_iter_ == 5


def test_another_gamma_takes_effect_at_the_next_call(iris, quick):
    X, y = iris
    models = [continued(quick(loss="focal"), X, y, 2).set_params(focal_gamma=g) for g in (2, 0.5)]
    first, other = (model.partial_fit(X, y) for model in models)
    assert first.history_["loss"][:-1] == other.history_["loss"][:-1]
    assert first.history_["loss"][-1] < other.history_["loss"][-1]


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
        "loss": "focal",
    }
    model.set_params(**{name: other.get(name)})
    np.testing.assert_array_equal(model.predict_proba(X), before)


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
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
