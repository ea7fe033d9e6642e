"""What fit learns, records and predicts."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.polynomial.hermite_e import hermegauss
from scipy.optimize import minimize
from scipy.special import expit, logit
from scipy.special import softmax as scipy_softmax
from scipy.stats import norm
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import train_test_split
from sklearn.utils.class_weight import compute_sample_weight

import skbn.classifier
from skbn import BNSoftmaxClassifier
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES
from skbn.stopping import stratified_rows

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
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_probabilities_follow_from_the_public_attributes(iris, single, activation, batch_norm):
    X, y = iris
    model = single(
        hidden_layer_sizes=(7, 5), activation=activation, batch_norm=batch_norm, bn_epsilon=0.1
    ).fit(X, y)
    a = X
    for layer in range(2):
        z = a @ model.coefs_[layer] + model.intercepts_[layer]
        if batch_norm:
            z = (z - model.bn_mean_[layer]) / np.sqrt(model.bn_var_[layer] + 0.1)
            z = model.bn_gamma_[layer] * z + model.bn_beta_[layer]
        a = BY_HAND[activation](z)
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


# The history.


def test_history_is_a_table_of_epochs(iris, quick):
    X, y = iris
    history = pd.DataFrame(quick(max_iter=10).fit(X, y).history_)
    assert set(history) == {"loss", "learning_rate", "gradient_norm", "seconds"}
    assert len(history) == 10
    assert history.notna().all(axis=None)
    assert (history > 0).all(axis=None)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] / 2


@pytest.mark.parametrize("how", ["early_stopping", "X_val"])
def test_history_with_a_validation_set(iris, quick, how):
    X, y = iris
    if how == "X_val":
        model = quick().fit(X, y, X_val=X[:20], y_val=y[:20])
    else:
        model = quick(early_stopping=True).fit(X, y)
    history = pd.DataFrame(model.history_)
    measured = {"loss", "learning_rate", "gradient_norm", "seconds"}
    assert set(history) == measured | {"validation_loss", "validation_accuracy"}
    assert history["validation_accuracy"].between(0, 1).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_is_the_mean_over_the_rows_without_the_penalty(iris, steady, smoothing):
    # A full batch's loss is met before its step, which a tiny rate hardly changes.
    X, y = iris
    options = {"hidden_layer_sizes": (), "max_iter": 1, "learning_rate_init": 1e-12}
    model = steady(alpha=10.0, label_smoothing=smoothing, **options).fit(X, y)
    taught = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    by_hand = -np.mean(np.sum(taught * model.predict_log_proba(X), axis=1))
    assert model.history_["loss"] == [model.loss_]
    assert model.loss_ == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("n_batches", [1, 3])
def test_gradient_norm_is_that_of_the_loss_and_a_mean_over_the_batches(iris, steady, n_batches):
    X, y = iris
    model = steady(
        hidden_layer_sizes=(), max_iter=1, learning_rate_init=1e-12, alpha=10.0, shuffle=False
    )
    model.set_params(batch_size=150 // n_batches).fit(X, y)
    error = model.predict_proba(X) - np.eye(3)[y]
    norms = []
    for rows in np.split(np.arange(150), n_batches):
        weights, biases = X[rows].T @ error[rows] / len(rows), error[rows].mean(axis=0)
        norms.append(np.sqrt(np.sum(weights**2) + np.sum(biases**2)))
    assert model.history_["gradient_norm"] == [pytest.approx(np.mean(norms), rel=1e-9)]


def test_small_last_batches_weigh_less_in_the_loss(iris, steady):
    # 150 rows in batches of 40 are four batches of 38, 38, 37 and 37.
    X, y = iris
    options = {"hidden_layer_sizes": (), "max_iter": 1, "learning_rate_init": 1e-12}
    in_parts = steady(batch_size=40, **options).fit(X, y)
    assert in_parts.loss_ == pytest.approx(steady(**options).fit(X, y).loss_, rel=1e-9)


def triangle(t):
    """One cycle over eight epochs, as documented: 30 % up from 4 %, then down."""
    return 0.04 + 0.96 * t / 2.4 if t < 2.4 else max(0.01, 1 - (t - 2.4) / 5.6)


BY_EPOCH = {
    "constant": lambda t: 1.0,
    "inverse_time": lambda t: 1 / (1 + 0.5 * t),
    "exponential": lambda t: 0.01 if t > 9 else np.exp(-0.5 * t),
    "cosine": lambda t: max(0.01, (1 + np.cos(np.pi * t / 8)) / 2),
    "one_cycle": triangle,
}


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_history_shows_the_schedule(iris, quick, learning_rate):
    model = quick(
        learning_rate=learning_rate, learning_rate_init=0.2, learning_rate_decay=0.5, max_iter=8
    ).fit(*iris)
    expected = [0.2 * BY_EPOCH[learning_rate](t) for t in range(8)]
    np.testing.assert_allclose(model.history_["learning_rate"], expected, rtol=1e-5)


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_warmup_comes_before_any_schedule(iris, quick, learning_rate):
    model = quick(
        learning_rate=learning_rate, learning_rate_init=1.0, warmup_fraction=0.5, max_iter=4
    ).fit(*iris)
    np.testing.assert_allclose(model.history_["learning_rate"][:2], [0.04, 0.52], rtol=1e-5)


@pytest.mark.parametrize(("verbose", "n_lines"), [(0, 0), (False, 0), (1, 3), (True, 3)])
def test_verbose_prints_a_line_an_epoch(iris, quick, capsys, verbose, n_lines):
    quick(verbose=verbose).fit(*iris)
    printed, errors = capsys.readouterr()
    assert errors == ""
    lines = printed.splitlines()
    assert len(lines) == n_lines
    assert all(f"{i}/3" in line and "loss" in line for i, line in enumerate(lines, start=1))


# Randomness.


def test_one_seed_gives_the_same_bits(iris, quick, assert_same_model):
    options = {"dropout": 0.2, "early_stopping": True}
    assert_same_model(*(quick(**options, random_state=3).fit(*iris) for _ in range(2)))


def test_other_seeds_give_other_networks(iris, quick):
    one, other = (quick(random_state=seed).fit(*iris).coefs_[0] for seed in (0, 1))
    assert not np.isin(one, other).any()


def test_a_random_state_instance_moves_on(iris, quick, assert_same_model):
    def fit_twice(seed):
        stream = np.random.RandomState(seed)
        return [quick(random_state=stream).fit(*iris) for _ in range(2)]

    first, second = fit_twice(7)
    again, _ = fit_twice(7)
    assert_same_model(first, again)
    assert (first.coefs_[0] != second.coefs_[0]).all()


def test_without_a_seed_the_global_one_decides(iris, quick, assert_same_model):
    models = []
    for _ in range(2):
        np.random.seed(11)  # noqa: NPY002
        models += [quick(random_state=None).fit(*iris) for _ in range(2)]
    assert_same_model(models[0], models[2])
    assert (models[0].coefs_[0] != models[1].coefs_[0]).all()


def test_a_seed_leaves_the_global_one_alone(iris, quick):
    before = np.random.get_state()  # noqa: NPY002
    quick(random_state=0, dropout=0.5, early_stopping=True).fit(*iris).predict(iris[0])
    for old, new in zip(before, np.random.get_state(), strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(old, new)


def test_shuffle_false_keeps_the_order(iris, steady):
    # Batches of one order: the first batch decides what training on the second does.
    X, y = iris
    order = np.r_[75:150, 0:75]
    options = {"batch_size": 75, "max_iter": 1, "shuffle": False}
    swapped = steady(**options).fit(X[order], y[order])
    assert not np.allclose(steady(**options).fit(X, y).coefs_[0], swapped.coefs_[0], atol=1e-9)
    within = np.r_[np.arange(74, -1, -1), np.arange(149, 74, -1)]
    mixed = steady(**options).fit(X[within], y[within])
    np.testing.assert_allclose(steady(**options).fit(X, y).coefs_[0], mixed.coefs_[0], atol=1e-9)


# Weights.


def test_integer_weights_are_repetitions(iris, steady, learned):
    X, y = iris
    times = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = steady().fit(X, y, sample_weight=times)
    repeated = steady().fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    for one, other in zip(learned(weighted), learned(repeated), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_of_weight_zero_are_left_out(iris, quick, assert_same_model, early_stopping):
    X, y = iris
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    kept = weights > 0
    weighted = quick(early_stopping=early_stopping).fit(X, y, sample_weight=weights)
    without = quick(early_stopping=early_stopping).fit(X[kept], y[kept], weights[kept])
    assert_same_model(weighted, without)


def test_zero_and_one_as_weights_select_rows(iris, quick, assert_same_model):
    X, y = iris
    kept = np.arange(len(y)) % 3 > 0
    assert_same_model(quick().fit(X, y, kept.astype(float)), quick().fit(X[kept], y[kept]))


@pytest.mark.parametrize("constant", [1, 0.1, 1e30, 1e-30])
def test_equal_weights_are_none(iris, quick, assert_same_model, constant):
    X, y = iris
    weighted = quick().fit(X, y, sample_weight=np.full(len(y), constant))
    assert_same_model(weighted, quick().fit(X, y))


def test_one_weight_for_all_rows_is_none(iris, quick, assert_same_model):
    assert_same_model(quick().fit(*iris, sample_weight=2.0), quick().fit(*iris))


@pytest.mark.parametrize("scale", [1024.0, 2.0**-1000, 2.0**1020])
def test_only_ratios_of_weights_matter(iris, quick, assert_same_model, scale):
    X, y = iris
    weights = np.random.default_rng(0).uniform(1, 2, len(y))
    assert_same_model(quick().fit(X, y, weights), quick().fit(X, y, weights * scale))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_may_be_minute(iris, quick, dtype):
    # Boosting makes such weights; some batches hold nothing else.
    X, y = iris
    weights = np.where(y == 0, 1e-60, 1.0)
    model = quick(batch_size=2, dtype=dtype, max_iter=10).fit(X, y, sample_weight=weights)
    assert model.score(X[y > 0], y[y > 0]) > 0.7


@pytest.mark.parametrize("early_stopping", [False, True])
def test_class_weights_are_sample_weights(iris, quick, assert_same_model, early_stopping):
    X, y = iris
    given_weights = {0: 0.5, 2: 4}
    model = quick(class_weight=given_weights, early_stopping=early_stopping).fit(X, y)
    by_row = np.array([0.5, 1, 4])[y]
    assert_same_model(model, quick(early_stopping=early_stopping).fit(X, y, by_row))


def test_class_weights_multiply_sample_weights(iris, quick, assert_same_model):
    X, y = iris
    names = np.array(["a", "b", "c"])[y]
    weights = np.random.default_rng(0).uniform(1, 2, len(y))
    model = quick(class_weight={"b": 3.0}).fit(X, names, weights)
    assert_same_model(model, quick().fit(X, names, np.where(y == 1, 3 * weights, weights)))


def test_balanced_weights_are_those_of_scikit_learn(iris, steady, learned):
    X, y = iris[0][y_rows(iris[1])], iris[1][y_rows(iris[1])]
    balanced = steady(class_weight="balanced").fit(X, y)
    by_row = steady().fit(X, y, compute_sample_weight("balanced", y))
    for one, other in zip(learned(balanced), learned(by_row), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def y_rows(y):
    """All rows of class 2, half of class 1, few of class 0."""
    return np.r_[np.flatnonzero(y == 2), np.flatnonzero(y == 1)[:25], np.flatnonzero(y == 0)[:5]]


def test_balanced_counts_sample_weights(iris, steady, learned):
    # A class given half the weight of the others gets it back.
    X, y = iris
    weights = np.where(y == 1, 0.5, 1.0)
    balanced = steady(class_weight="balanced").fit(X, y, weights)
    for one, other in zip(learned(balanced), learned(steady().fit(X, y)), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


# Regularisation.


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


# Stopping.


def test_training_stops_and_keeps_the_best_epoch(iris, single):
    X, y = iris
    # A few rows at a high rate: the validation loss soon rises.
    model = single(
        max_iter=200, learning_rate="constant", n_iter_no_change=4, tol=0.0, learning_rate_init=0.2
    ).fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    losses = model.history_["validation_loss"]
    best = int(np.argmin(losses))
    assert model.n_iter_ == len(losses) == best + 1 + 4 < 200
    assert min(losses) < 0.9 * losses[-1]
    assert log_loss(y[30:], model.predict_proba(X[30:])) == pytest.approx(min(losses), rel=1e-4)
    assert model.score(X[30:], y[30:]) == model.history_["validation_accuracy"][best]
    assert model.loss_ == model.history_["loss"][best]


def test_the_best_epoch_is_restored_whole(iris, quick, learned):
    # Batch-norm averages come back with the weights: the model is that of a shorter run.
    X, y = iris
    options = {"learning_rate": "constant", "learning_rate_init": 0.2}
    stopped = quick(max_iter=200, n_iter_no_change=4, **options)
    stopped.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    best = int(np.argmin(stopped.history_["validation_loss"])) + 1
    shorter = quick(max_iter=best, **options).fit(X[:30], y[:30])
    for one, other in zip(learned(stopped), learned(shorter), strict=True):
        np.testing.assert_array_equal(one, other)


def test_tol_is_what_counts_as_progress(iris, quick):
    X, y = iris
    model = quick(max_iter=50, tol=100.0, n_iter_no_change=5)
    model.fit(X, y, X_val=X, y_val=y)
    # The first epoch is progress over nothing; no later one falls by 100.
    assert model.n_iter_ == 6
    # The best is kept all the same, though it did not count.
    assert model.loss_ == model.history_["loss"][int(np.argmin(model.history_["validation_loss"]))]


def test_validation_rows_are_not_trained_on(iris, quick):
    X, y = iris
    watched = quick().fit(X, y, X_val=X[:10], y_val=(y[:10] + 1) % 3)
    assert watched.history_["loss"] == quick().fit(X, y).history_["loss"]


def test_x_val_comes_before_early_stopping(iris, quick, assert_same_model):
    X, y = iris
    models = [
        quick(early_stopping=early).fit(X, y, X_val=X[:10], y_val=y[:10]) for early in (True, False)
    ]
    assert_same_model(*models)


@pytest.fixture
def drawn(monkeypatch):
    """The rows that early stopping sets aside, in a list."""
    draws = []

    def remember(*arguments):
        draws.append(stratified_rows(*arguments))
        return draws[-1]

    monkeypatch.setattr(skbn.classifier, "stratified_rows", remember)
    return draws


def test_early_stopping_watches_rows_it_set_aside(iris, single, drawn, learned):
    X, y = iris
    model = single(early_stopping=True, validation_fraction=0.2).fit(X, y)
    (rows,) = drawn
    assert np.bincount(y[rows]).tolist() == [10, 10, 10]
    best = min(model.history_["validation_loss"])
    assert log_loss(y[rows], model.predict_proba(X[rows])) == pytest.approx(best, rel=1e-5)
    # The same model comes of handing over those rows apart.
    left = np.setdiff1d(np.arange(len(y)), rows)
    apart = single().fit(X[left], y[left], X_val=X[rows], y_val=y[rows])
    for one, other in zip(learned(model), learned(apart), strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_counts_weights(iris, single, drawn):
    X, y = iris
    weights = np.random.default_rng(0).uniform(0.1, 5, len(y))
    model = single(early_stopping=True).fit(X, y, sample_weight=weights)
    (rows,) = drawn
    loss = log_loss(y[rows], model.predict_proba(X[rows]), sample_weight=weights[rows])
    assert min(model.history_["validation_loss"]) == pytest.approx(loss, rel=1e-5)


def test_weights_of_the_validation_rows_count(iris, single):
    X, y = iris
    weights = np.random.default_rng(0).uniform(0, 5, 50)
    model = single().fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:], sample_weight_val=weights)
    probabilities = model.predict_proba(X[100:])
    best = int(np.argmin(model.history_["validation_loss"]))
    loss = log_loss(y[100:], probabilities, sample_weight=weights)
    accuracy = accuracy_score(y[100:], model.predict(X[100:]), sample_weight=weights)
    assert model.history_["validation_loss"][best] == pytest.approx(loss, rel=1e-5)
    assert model.history_["validation_accuracy"][best] == pytest.approx(accuracy)


def test_a_class_of_one_row_stays_in_training(iris, quick):
    X, y = iris
    far = np.full((1, 4), 30.0)
    X, y = np.vstack([X, far]), np.append(y, 7)
    model = quick(early_stopping=True, validation_fraction=0.5, max_iter=60, batch_size=76)
    assert model.fit(X, y).predict(far).tolist() == [7]


@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_validation_rows_are_stratified(counts, fraction, seed):
    stream = np.random.default_rng(seed)
    labels = stream.permutation(np.repeat(np.arange(len(counts)), counts))
    rows = stratified_rows(labels, fraction, stream)
    assert len(np.unique(rows)) == len(rows)
    taken = np.bincount(labels[rows], minlength=len(counts))
    spare = np.array(counts) - 1
    assert (taken <= spare).all()  # one row of each class is left
    assert len(rows) == min(max(1, round(fraction * len(labels))), spare.sum())
    in_proportion = len(rows) * spare / max(1, spare.sum())
    assert (abs(taken - in_proportion) <= 1).all()


@pytest.mark.parametrize("counts", [(30, 10), (5,) * 20])
def test_every_row_has_the_same_chance_to_be_drawn(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    stream = np.random.default_rng(0)
    draws = [stratified_rows(labels, 0.1, stream) for _ in range(2000)]
    times = np.bincount(np.concatenate(draws), minlength=len(labels))
    # Five standard deviations are 0.034.
    np.testing.assert_allclose(times / 2000, 0.1, atol=0.04)


# What trains, and how well.


@pytest.mark.parametrize("weights", [None, "random"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_regression_is_logistic_regression(iris, steady, dtype, weights):
    X, y = iris
    if weights is not None:
        weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
        weights /= weights.mean()
    alpha = 0.01
    ours = steady(
        hidden_layer_sizes=(), alpha=alpha, max_iter=1500, learning_rate="cosine", dtype=dtype
    ).fit(X, y, weights)
    theirs = LogisticRegression(C=1 / (alpha * len(y)), tol=1e-8).fit(X, y, weights)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(ours.coefs_[0].T, theirs.coef_, atol=2e-3)


def test_two_class_softmax_regression_is_logistic_regression(iris, steady):
    X, y = iris[0], iris[1] == 1
    alpha = 0.01
    ours = steady(hidden_layer_sizes=(), alpha=alpha, max_iter=1500, learning_rate="cosine").fit(
        X, y
    )
    theirs = LogisticRegression(C=2 / (alpha * len(y)), tol=1e-8).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-3)


def test_an_integer_is_one_hidden_layer(iris, quick, assert_same_model):
    one = quick(hidden_layer_sizes=6).fit(*iris)
    assert_same_model(one, quick(hidden_layer_sizes=(6,)).fit(*iris))


RATES = {"sgd": 0.1, "rmsprop": 0.03, "adam": 0.05, "adamw": 0.05}


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_with_every_solver(iris, quick, activation, solver):
    model = quick(
        activation=activation, solver=solver, learning_rate_init=RATES[solver], max_iter=15
    )
    assert model.fit(*iris).score(*iris) > 0.93


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_every_schedule_trains_from_every_initializer(iris, quick, learning_rate, initializer):
    model = quick(learning_rate=learning_rate, initializer=initializer, max_iter=10)
    assert model.fit(*iris).score(*iris) > 0.93


@pytest.mark.parametrize(
    ("solver", "parameter"),
    [
        ("sgd", {"momentum": 0.0}),
        ("sgd", {"nesterovs_momentum": False}),
        ("rmsprop", {"beta_2": 0.9}),
        ("adam", {"beta_1": 0.0}),
        ("adam", {"beta_2": 0.9}),
        ("adamw", {"epsilon": 0.1}),
    ],
)
def test_parameters_of_a_solver_matter_to_it(iris, quick, solver, parameter):
    plain, changed = (quick(solver=solver, **p).fit(*iris) for p in ({}, parameter))
    assert (plain.coefs_[0] != changed.coefs_[0]).all()


@pytest.mark.parametrize("n_rows", [150, 149, 7, 3, 2])
@pytest.mark.parametrize("batch_size", ["auto", 2, 3, 149, 10**9])
def test_batches_of_any_size(iris, quick, batch_size, n_rows):
    # With batch norm and two or three rows, one batch is all there is.
    X, y = iris[0][:n_rows], iris[1][:n_rows]
    assert len(np.unique(y)) > 1
    model = quick(batch_size=batch_size).fit(X, y)
    assert np.isfinite(model.loss_)
    assert np.isfinite(model.predict_proba(iris[0])).all()


@pytest.mark.parametrize("n_rows", [3, 5, 7])
def test_no_batch_of_one_row_meets_batch_norm(iris, quick, assert_same_model, n_rows):
    # Batches of two would leave a row over; it makes one of the batches larger.
    X, y = iris[0][:n_rows], iris[1][:n_rows]
    model = quick(batch_size=2).fit(X, y)
    assert_same_model(model, quick(batch_size=-(-n_rows // (n_rows // 2))).fit(X, y))


@pytest.mark.parametrize(("n_rows", "same_as"), [(150, 32), (1500, 75), (20_000, 128)])
def test_automatic_batch_sizes(quick, assert_same_model, n_rows, same_as):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    y = X[:, 0] > 0
    automatic = quick(batch_size="auto", max_iter=1).fit(X, y)
    assert_same_model(automatic, quick(batch_size=same_as, max_iter=1).fit(X, y))


def test_a_batch_of_one_row_is_fine_without_batch_norm(iris, quick):
    model = quick(batch_size=1, batch_norm=False, learning_rate_init=0.01).fit(*iris)
    assert model.score(*iris) > 0.9
    assert quick(batch_size=1, hidden_layer_sizes=()).fit(*iris).score(*iris) > 0.8


def test_fit_again_starts_anew(iris, quick, assert_same_model):
    X, y = iris
    refitted = quick().fit(X[:, :2], y == 1).fit(X, y)
    assert_same_model(refitted, quick().fit(X, y))
    assert refitted.n_features_in_ == 4


def test_fit_changes_neither_data_nor_parameters(iris, quick):
    # The shared data are not writeable: fit would fail if it wrote to them.
    X, y = iris
    weights = np.linspace(1, 2, len(y))
    sizes, by_class = [5, 4], {0: 2.0}
    model = quick(hidden_layer_sizes=sizes, class_weight=by_class)
    before = model.get_params()
    model.fit(X, y, weights, X_val=X, y_val=y, sample_weight_val=weights)
    assert weights.tolist() == np.linspace(1, 2, len(y)).tolist()
    assert model.get_params() == before
    assert model.hidden_layer_sizes is sizes
    assert model.class_weight is by_class
    assert (sizes, by_class) == ([5, 4], {0: 2.0})


def test_a_seen_column_without_spread_does_no_harm(iris, quick):
    X, y = iris
    X = np.c_[X, np.full(len(y), 3.0)]
    model = quick(max_iter=10).fit(X, y)
    assert model.score(X, y) > 0.93
    assert np.isfinite(model.predict_log_proba(X * 5)).all()


def test_digits():
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, test_size=0.5, stratify=y, random_state=0)
    X_train, X_test, y_train, y_test = parts
    model = BNSoftmaxClassifier(random_state=0).fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.97


def test_twenty_classes_of_few_rows(quick):
    stream = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 5)
    X = 10 * stream.normal(size=(20, 6))[y] + stream.normal(size=(100, 6))
    model = quick(hidden_layer_sizes=(32,), max_iter=40, early_stopping=True).fit(X, y)
    assert model.score(X, y) > 0.9
