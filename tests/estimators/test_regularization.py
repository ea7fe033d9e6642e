"""Label smoothing, limits of gradients, weight decay and noise."""

import numpy as np
import pytest
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import minimize
from sklearn.metrics import log_loss

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("s", [0.1, 0.4])
def test_label_smoothing_is_what_certain_rows_are_taught(steady, s):
    # Each class has a feature to itself, so that the fit can be exact.
    X, y = np.eye(3), np.array([0, 1, 2])
    model = steady(
        hidden_layer_sizes=(), label_smoothing=s, max_iter=500, learning_rate="cosine"
    ).fit(X, y)
    taught = (1 - s) * np.eye(3) + s / 3
    np.testing.assert_allclose(model.predict_proba(X), taught, atol=1e-3)
    entropy = -np.sum(taught[0] * np.log(taught[0]))
    assert model.loss_ == pytest.approx(entropy, rel=1e-3)


def test_max_grad_norm_limits_the_step(iris, steady):
    # Plain gradient descent moves by learning rate x norm; the first step is at 1.
    X, y = iris
    options = {
        "hidden_layer_sizes": (),
        "solver": "sgd",
        "momentum": 0.0,
        "learning_rate": "constant",
        "max_iter": 1,
    }
    start = steady(learning_rate_init=1e-300, **options).fit(X, y)
    (norm_before,) = start.history_["gradient_norm"]

    def distance(limit):
        model = steady(learning_rate_init=1.0, max_grad_norm=limit, **options).fit(X, y)
        assert model.history_["gradient_norm"] == [pytest.approx(norm_before)]
        steps = [model.coefs_[0] - start.coefs_[0], model.intercepts_[0] - start.intercepts_[0]]
        return np.sqrt(sum(np.sum(step**2) for step in steps))

    assert distance(None) == pytest.approx(norm_before)
    assert distance(norm_before / 8) == pytest.approx(norm_before / 8)
    assert distance(norm_before * 8) == pytest.approx(norm_before)


@pytest.mark.parametrize("limit", [1e10, 1e300])
def test_a_limit_out_of_reach_is_none(iris, quick, assert_same_model, limit):
    assert_same_model(quick(max_grad_norm=limit).fit(*iris), quick().fit(*iris))


def test_adamw_takes_the_decay_out_of_the_gradient(iris, steady):
    # W <- W - lr alpha W beside Adam's step, which is then the same without decay.
    options = {"solver": "adamw", "learning_rate": "constant", "max_iter": 1}
    start, plain, decayed = (
        steady(learning_rate_init=rate, alpha=alpha, **options).fit(*iris)
        for rate, alpha in ((1e-300, 0.0), (0.1, 0.0), (0.1, 0.5))
    )
    for w_start, w, w_decayed in zip(start.coefs_, plain.coefs_, decayed.coefs_, strict=True):
        np.testing.assert_allclose(w - w_decayed, 0.1 * 0.5 * w_start, atol=1e-12)
    np.testing.assert_array_equal(plain.intercepts_[-1], decayed.intercepts_[-1])
    np.testing.assert_array_equal(plain.bn_gamma_[0], decayed.bn_gamma_[0])


@pytest.mark.parametrize("batch_size", [150, 50])
def test_alpha_means_the_same_at_every_batch_size(iris, steady, batch_size):
    # At the optimum the gradient of the loss over all rows is -alpha W.
    X, y = iris
    model = steady(
        hidden_layer_sizes=(), alpha=0.5, batch_size=batch_size, max_iter=300, shuffle=False
    ).fit(X, y)
    gradient = X.T @ (model.predict_proba(X) - np.eye(3)[y]) / len(y)
    np.testing.assert_allclose(gradient, -0.5 * model.coefs_[0], atol=5e-3)


@pytest.mark.parametrize(
    "disturbance",
    [{"dropout": 0.75}, {"input_dropout": 0.25}, {"noise": 3.0}, {"input_noise": 0.5}],
)
def test_noise_disturbs_training_and_not_prediction(iris, quick, disturbance):
    X, y = iris[0], iris[1] == 0  # easily told from the others: the loss goes to zero
    options = {"hidden_layer_sizes": (32,), "max_iter": 20}
    plain = quick(**options).fit(X, y)
    model = quick(**options, **disturbance).fit(X, y)
    assert model.loss_ > 5 * plain.loss_
    assert model.loss_ > 2 * log_loss(y, model.predict_proba(X))
    np.testing.assert_array_equal(model.predict_proba(X), model.predict_proba(X))
    assert model.score(X, y) == 1


def test_input_dropout_spreads_weight_over_copies_of_a_feature(steady):
    # One feature given twice: either copy serves without dropout, and how the weight is
    # shared is left to chance; with dropout, equal shares are the only optimum.
    stream = np.random.default_rng(0)
    x = stream.normal(size=(200, 1))
    X, y = np.hstack([x, x]), x[:, 0] + 0.5 * stream.normal(size=200) > 0
    options = {"hidden_layer_sizes": (), "max_iter": 300, "random_state": 1}

    def imbalance(model):
        first, second = np.diff(model.coefs_[0])[:, 0]
        return abs(first - second) / abs(first + second)

    assert imbalance(steady(**options).fit(X, y)) > 0.1
    assert imbalance(steady(**options, input_dropout=0.5).fit(X, y)) < 0.05


def test_input_noise_minimises_the_mean_loss_over_noisy_features(steady):
    # Noise of the features is noise of each logit, whose mean loss is a quadrature.
    stream, deviation = np.random.default_rng(0), 0.7
    X = stream.normal(size=(40, 2))
    y = X @ [2.0, -1.0] + stream.normal(size=40) > 0.5
    nodes, shares = hermegauss(60)

    def mean_loss(parameters):
        slopes, intercept = parameters[:2], parameters[2]
        logits = (X @ slopes + intercept)[:, None] + deviation * np.linalg.norm(slopes) * nodes
        losses = np.logaddexp(0, np.where(y[:, None], -logits, logits))
        return (losses @ shares).mean() / shares.sum()

    expected = minimize(mean_loss, np.zeros(3)).x
    model = steady(
        hidden_layer_sizes=(), alpha=0, input_noise=deviation, max_iter=200, learning_rate_init=0.05
    )
    model.fit(np.repeat(X, 300, axis=0), np.repeat(y, 300))
    slopes = np.diff(model.coefs_[0])[:, 0]
    found = [*slopes, *np.diff(model.intercepts_[0])]
    np.testing.assert_allclose(found, expected, rtol=0.02, atol=0.02)
