"""What a fitted classifier shows and predicts."""

import numpy as np
import pytest
from scipy.special import expit, logit
from scipy.special import softmax as scipy_softmax
from scipy.stats import norm
from sklearn.exceptions import NotFittedError

from skbn import BNSoftmaxClassifier
from skbn.network.activations import ACTIVATIONS

LEARNED = ("coefs_", "intercepts_", "bn_gamma_", "bn_beta_", "bn_mean_", "bn_var_")
FITTED = (*LEARNED, "classes_", "n_features_in_", "n_iter_", "loss_", "history_")


# What a fitted model shows.


def test_shapes_of_the_fitted_attributes(iris, quick):
    model = quick(hidden_layer_sizes=(7, 5)).fit(*iris)
    assert [w.shape for w in model.coefs_] == [(4, 7), (7, 5), (5, 3)]
    assert [b.shape for b in model.intercepts_] == [(7,), (5,), (3,)]
    for name in ("bn_gamma_", "bn_beta_", "bn_mean_", "bn_var_"):
        assert [values.shape for values in getattr(model, name)] == [(7,), (5,)]
    assert all((variance > 0).all() for variance in model.bn_var_)
    assert model.n_features_in_ == 4
    assert model.n_iter_ == 3
    assert model.classes_.tolist() == [0, 1, 2]


def test_only_the_head_has_a_bias_under_batch_norm(iris, quick):
    *hidden, head = quick(hidden_layer_sizes=(7, 5)).fit(*iris).intercepts_
    assert not any(bias.any() for bias in hidden)
    assert head.any()


def test_without_batch_norm_every_layer_has_a_bias(iris, quick):
    model = quick(hidden_layer_sizes=(7, 5), batch_norm=False).fit(*iris)
    assert all(bias.any() for bias in model.intercepts_)
    assert model.bn_gamma_ == model.bn_beta_ == model.bn_mean_ == model.bn_var_ == []


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_what_is_learned_is_in_the_dtype_of_training(iris, quick, learned, dtype):
    model = quick(dtype=dtype).fit(*iris)
    assert {array.dtype.name for array in learned(model)} == {dtype}


@pytest.mark.parametrize("name", FITTED)
def test_nothing_is_fitted_before_fit(name):
    assert not hasattr(BNSoftmaxClassifier(), name)


@pytest.mark.parametrize("name", LEARNED)
def test_what_is_learned_says_when_it_is_missing(name):
    with pytest.raises(NotFittedError):
        getattr(BNSoftmaxClassifier(), name)


def test_what_is_learned_cannot_be_overwritten_by_accident(iris, quick):
    model = quick().fit(*iris)
    with pytest.raises(AttributeError):
        model.coefs_ = []


BY_HAND = {
    "relu": lambda z: z * (z > 0),
    "leaky_relu": lambda z: np.where(z > 0, z, z / 100),
    "elu": lambda z: np.where(z > 0, z, np.exp(np.minimum(z, 0)) - 1),
    "selu": lambda z: 1.05070098 * np.where(z > 0, z, 1.67326324 * (np.exp(np.minimum(z, 0)) - 1)),
    "gelu": lambda z: z * norm.cdf(z),
    "silu": lambda z: z * expit(z),
    "mish": lambda z: z * np.tanh(np.log1p(np.exp(z))),
    "tanh": np.tanh,
    "logistic": expit,
    "identity": lambda z: z,
}


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("activation", [*ACTIVATIONS, ["relu", "tanh"], ["gelu", "selu"]], ids=str)
def test_probabilities_follow_from_the_public_attributes(iris, single, activation, batch_norm):
    X, y = iris
    model = single(
        hidden_layer_sizes=(7, 5), activation=activation, batch_norm=batch_norm, bn_epsilon=0.1
    ).fit(X, y)
    a, each = X, [activation] * 2 if isinstance(activation, str) else activation
    for layer in range(2):
        z = a @ model.coefs_[layer] + model.intercepts_[layer]
        if batch_norm:
            z = (z - model.bn_mean_[layer]) / np.sqrt(model.bn_var_[layer] + 0.1)
            z = model.bn_gamma_[layer] * z + model.bn_beta_[layer]
        a = BY_HAND[each[layer]](z)
    logits = a @ model.coefs_[2] + model.intercepts_[2]
    np.testing.assert_allclose(model.decision_function(X), logits, rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(X), scipy_softmax(logits, axis=1), atol=1e-6)


def test_batch_norm_averages_are_those_of_the_last_batches(iris, steady):
    # Full batches at a tiny learning rate: each batch's moments are those of X @ W,
    # and so is any bias-corrected average of them.
    X, y = iris
    model = steady(learning_rate_init=1e-12, max_iter=2).fit(X, y)
    z = X @ model.coefs_[0]
    np.testing.assert_allclose(model.bn_mean_[0], z.mean(axis=0), atol=1e-9)
    np.testing.assert_allclose(model.bn_var_[0], z.var(axis=0), rtol=1e-9)


def test_bn_momentum_is_the_weight_of_the_past(iris, steady):
    # With b = 0 the average is the last batch: the moments of that epoch's rows.
    X, y = iris
    options = {"learning_rate_init": 1e-12, "shuffle": False, "batch_size": 75}
    last = steady(bn_momentum=0.0, **options).fit(X, y)
    z = X @ last.coefs_[0]
    np.testing.assert_allclose(last.bn_mean_[0], z[75:].mean(axis=0), atol=1e-9)
    # After one epoch of two batches with b = 0.5, they weigh 1 to 2.
    both = steady(bn_momentum=0.5, max_iter=1, **options).fit(X, y)
    expected = (z[:75].mean(axis=0) + 2 * z[75:].mean(axis=0)) / 3
    np.testing.assert_allclose(both.bn_mean_[0], expected, atol=1e-9)


# Predictions.


def test_predictions_agree_with_each_other(iris, quick):
    X, y = iris
    model = quick().fit(X, np.array(["a", "b", "c"])[y])
    probabilities = model.predict_proba(X)
    assert probabilities.shape == model.decision_function(X).shape == (150, 3)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    np.testing.assert_allclose(model.predict_log_proba(X), np.log(probabilities))
    assert (model.predict(X) == model.classes_[probabilities.argmax(axis=1)]).all()
    assert model.score(X, model.predict(X)) == 1


def test_decision_function_of_two_classes_is_the_log_odds(iris, quick):
    X, y = iris
    model = quick().fit(X, y == 2)
    scores = model.decision_function(X)
    assert scores.shape == (150,)
    np.testing.assert_allclose(scores, logit(model.predict_proba(X)[:, 1]), rtol=1e-6, atol=1e-6)
    assert ((scores > 0) == model.predict(X)).all()


@pytest.mark.parametrize("scale", [1e3, 1e30, 1e300])
def test_log_probabilities_stay_finite_where_probabilities_underflow(iris, quick, scale):
    X, y = iris
    model = quick().fit(X, y)
    assert np.isfinite(model.predict_log_proba(X * scale)).all()
    assert model.predict_log_proba(X * scale).min() < -500
    probabilities = model.predict_proba(X * scale)
    np.testing.assert_allclose(probabilities.sum(axis=1), 1)
    assert (probabilities == 0).any()


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_no_activation_overflows_in_prediction(iris, quick, activation):
    X, y = iris
    model = quick(activation=activation, hidden_layer_sizes=(6, 6)).fit(X, y)
    for rows in (X * 1e300, (X * 1e30).astype("float32"), X * 0, X * 1e-310):
        assert np.isfinite(model.predict_log_proba(rows)).all()


def test_training_survives_extreme_logits(iris, quick):
    # Softmax regression on huge inputs has logits of thousands from the first step.
    X, y = iris
    model = quick(hidden_layer_sizes=(), learning_rate_init=1.0).fit(X * 1e6, y)
    assert np.isfinite(model.history_["loss"]).all()
    assert model.history_["loss"][0] > 1000


def test_a_row_alone_is_predicted_as_in_company(iris, quick):
    X, y = iris
    model = quick().fit(X, y)
    alone = np.vstack([model.predict_proba(row[None]) for row in X])
    np.testing.assert_allclose(alone, model.predict_proba(X), atol=1e-12)
