"""Epochs by hand, and what a network learns in them."""

from itertools import pairwise

import numpy as np
import pytest
from network_oracles import (
    REGULARISED,
    SMALL,
    WEIGHT_PATTERNS,
    assert_same_state,
    both_dtypes,
    each_optimizer,
    held_loss,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    make_weights,
    member_values,
    run,
    slow_forward,
    slow_loss,
)
from scipy.sparse import csr_array, csr_matrix
from sklearn.linear_model import LogisticRegression

from skbn.network.architecture import Architecture
from skbn.network.epochs import (
    Data,
    train,
)
from skbn.network.inference import TrainedNetwork
from skbn.network.losses import softmax
from skbn.network.schedules import SCHEDULES, multipliers

each_pattern = pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)


# Epochs.


@each_pattern
@pytest.mark.parametrize("max_grad_norm", [None, 0.3])
@pytest.mark.parametrize("bn_momentum", [0.0, 0.7])
def test_epochs_by_hand(pattern, max_grad_norm, bn_momentum):
    """Three epochs of momentum with a cosine schedule, rows in order, by the equations."""
    n, alpha, momentum, peak, n_epochs = 23, 0.05, 0.8, 0.1, 3
    hyper = make_hyper(
        {
            "learning_rate_init": peak,
            "momentum": momentum,
            "alpha": alpha,
            "bn_momentum": bn_momentum,
            "max_grad_norm": max_grad_norm,
            "max_iter": n_epochs,
            "label_smoothing": 0.1,
        }
    )
    weights, state, layout = make_weights(pattern, 1, n), make_state(SMALL), SMALL.layout
    data = make_data(n, weights=weights)
    theta, velocity, moments = state.theta.copy(), np.zeros(layout.n_trained), []
    how = make_settings(learning_rate="cosine", batch_size=6, shuffle=False)
    epochs = run(n_epochs, SMALL, how, hyper, state, data)

    starts = [0, 6, 12, 18, 23]
    for epoch, reported in enumerate(epochs):
        losses, norms = [], []
        for i, (start, end) in enumerate(pairwise(starts)):
            rows, labels = data.x[start:end], data.labels[start:end]
            w = None if weights is None else weights[0, start:end]
            logits, batch_moments = slow_forward(SMALL, member_values(SMALL, theta), rows, w)
            losses.append(slow_loss(logits, labels, w, smoothing=0.1) * (end - start))
            moments.append(batch_moments)
            batch_weights = None if w is None else w[None]
            loss, slope = held_loss(SMALL, theta, hyper, end - start, labels[None], batch_weights)
            loss(rows[None])
            gradient = slope[0, : layout.n_trained].copy()
            norms.append(np.linalg.norm(gradient))
            if max_grad_norm is not None and norms[-1] > max_grad_norm:
                gradient *= max_grad_norm / norms[-1]
            gradient[: layout.n_decayed] += alpha * theta[0, : layout.n_decayed]
            rate = peak * max(0.01, (1 + np.cos(np.pi * (epoch + i / 4) / n_epochs)) / 2)
            velocity = momentum * velocity - rate * gradient
            theta[0, : layout.n_trained] += velocity
        assert reported.loss[0] == pytest.approx(sum(losses) / n, rel=1e-10)
        assert reported.gradient_norm[0] == pytest.approx(np.mean(norms), rel=1e-10)
        assert reported.finite.all()
    assert max_grad_norm is None or max(norms) > max_grad_norm  # The limit was met.

    trained = slice(0, layout.n_trained)
    np.testing.assert_allclose(state.theta[:, trained], theta[:, trained], rtol=1e-8, atol=1e-12)
    shares = bn_momentum ** np.arange(len(moments) - 1, -1, -1.0)
    value = member_values(SMALL, state.theta)
    for key in moments[0]:
        history = np.concatenate([batch[key] for batch in moments])
        expected = np.average(history, axis=0, weights=shares)
        np.testing.assert_allclose(value[key][0], expected, rtol=1e-8, err_msg=str(key))


def test_moving_statistics_are_the_update_of_the_design():
    """avg <- avg + (1 - b) / (1 - b^t) * (moment - avg), with the weights held."""
    b, data, state = 0.8, make_data(20), make_state(SMALL)
    hyper = make_hyper({"learning_rate_init": 0.0, "bn_momentum": b})
    epochs = train(SMALL, make_settings(batch_size=10, shuffle=False), hyper, state, data)
    value = member_values(SMALL, state.theta)
    halves = [slow_forward(SMALL, value, data.x[half])[1] for half in (slice(10), slice(10, 20))]
    average = dict.fromkeys(halves[0], 0.0)
    for epoch in range(6):
        next(epochs)
        for t, moments in enumerate(halves, start=2 * epoch + 1):
            for key, moment in moments.items():
                average[key] = average[key] + (1 - b) / (1 - b**t) * (moment - average[key])
        for key, expected in average.items():
            np.testing.assert_allclose(value[key], expected, rtol=1e-10)


@pytest.mark.parametrize("shuffle", [True, False])
@each_pattern
def test_an_epoch_meets_every_row_once_with_its_weight(shuffle, pattern):
    architecture = Architecture(5, (6,), 3, batch_norm=False)
    weights, state = make_weights(pattern, 1, 33), make_state(architecture)
    data = make_data(33, weights=weights)
    logits, _ = slow_forward(architecture, member_values(architecture, state.theta), data.x)
    expected = slow_loss(logits, data.labels, None if weights is None else weights[0])
    hyper = make_hyper({"learning_rate_init": 0.0})
    for epoch in run(
        4, architecture, make_settings(shuffle=shuffle, batch_size=7), hyper, state, data
    ):
        assert epoch.loss[0] == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("shuffle", [True, False])
def test_every_epoch_and_member_has_its_own_order(shuffle):
    """The loss under batch norm shows which rows meet."""
    hyper, state = make_hyper(*[{"learning_rate_init": 0.0}] * 2), make_state(SMALL, [0, 1])
    state.theta[1] = state.theta[0]
    training = SMALL, make_settings(shuffle=shuffle), hyper, state, make_data(33)
    losses = np.concatenate([epoch.loss for epoch in run(3, *training)])
    assert len(np.unique(losses)) == (6 if shuffle else 1)


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_reported_learning_rate_is_that_of_the_first_step(learning_rate):
    members = [
        {"learning_rate_init": 0.1, "learning_rate_decay": 0.5, "max_iter": 4},
        {"learning_rate_init": 0.01, "learning_rate_decay": 0.1, "warmup_fraction": None},
    ]
    state, how = make_state(SMALL, [0, 1]), make_settings(learning_rate=learning_rate)
    for done, epoch in enumerate(run(6, SMALL, how, make_hyper(*members), state, make_data(40))):
        for k, (peak, max_iter, decay, warmup) in enumerate(
            [(0.1, 4, 0.5, 0.0), (0.01, 10, 0.1, np.nan)]
        ):
            arguments = map(np.asarray, (done / max_iter, done, decay, warmup))
            expected = peak * multipliers(learning_rate, *arguments)
            assert epoch.learning_rate[k] == pytest.approx(float(expected), rel=1e-12)


def test_gradient_norm_is_that_before_clipping():
    data, how, norms = make_data(40), make_settings(), []
    for limit in (None, 1e-3):
        hyper = make_hyper({"learning_rate_init": 0.0, "max_grad_norm": limit})
        norms.append(run(1, SMALL, how, hyper, make_state(SMALL), data)[0].gradient_norm)
    assert norms[0] == norms[1] > 0.1


def test_clipping_bounds_the_step():
    hyper = make_hyper({"learning_rate_init": 1.0, "max_grad_norm": 1e-3, "momentum": 0.0})
    state = make_state(SMALL)
    before, trained = state.theta.copy(), slice(0, SMALL.layout.n_trained)
    run(1, SMALL, make_settings(batch_size=40), hyper, state, make_data(40))
    moved = np.linalg.norm((state.theta - before)[:, trained])
    assert moved == pytest.approx(1e-3, rel=1e-9)


@pytest.mark.parametrize("sparse", [np.asarray, csr_matrix])
@both_dtypes
def test_training_only_reads_its_data(dtype, sparse):
    rows, weights = np.arange(40)[None, ::-1], make_weights("random", 1, 40).astype(dtype)
    data = make_data(41, dtype=dtype)
    x = sparse(data.x)
    for array in (x if sparse is np.asarray else x.data, data.labels, rows, weights):
        array.flags.writeable = False
    before = data.x.copy()
    training = Data(x, data.labels, rows, weights)
    run(
        2, SMALL, make_settings(), make_hyper(REGULARISED), make_state(SMALL, dtype=dtype), training
    )
    np.testing.assert_array_equal(data.x, before)


@each_optimizer
@both_dtypes
def test_the_state_keeps_its_dtype(optimizer, dtype):
    state = make_state(SMALL, optimizer=optimizer, dtype=dtype)
    data = make_data(40, dtype=dtype)
    run(1, SMALL, make_settings(optimizer), make_hyper(REGULARISED), state, data)
    for array in (state.theta, *state.vectors):
        assert array.dtype == dtype
    assert state.sums.dtype == np.float64


@pytest.mark.parametrize("sparse", [csr_matrix, csr_array])
@both_dtypes
def test_sparse_rows_train_to_the_same_bits(dtype, sparse):
    data = make_data(50, dtype=dtype)
    data.x[np.random.default_rng(1).random(data.x.shape) < 0.6] = 0
    rows = np.random.default_rng(2).integers(50, size=(2, 40))
    states = []
    for x in (data.x, sparse(data.x)):
        state = make_state(SMALL, [0, 1], dtype=dtype)
        hyper = make_hyper(REGULARISED, {})
        run(2, SMALL, make_settings(), hyper, state, Data(x, data.labels, rows))
        states.append(state)
    assert_same_state(*states)


def test_rows_of_a_member_are_as_good_as_a_table_of_their_own():
    data, rows = make_data(60), np.random.default_rng(1).permutation(60)[None, :41]
    subset, table = make_state(SMALL), make_state(SMALL)
    training = SMALL, make_settings(), make_hyper({})
    run(2, *training, subset, Data(data.x, data.labels, rows))
    run(2, *training, table, Data(data.x[rows[0]], data.labels[rows[0]]))
    assert_same_state(subset, table)


@each_optimizer
def test_a_weight_of_two_is_a_row_given_twice(optimizer):
    data, copies = make_data(30), np.random.default_rng(1).integers(1, 4, 30)
    twice = np.repeat(np.arange(30), copies)
    hyper = make_hyper({"alpha": 0.01, "label_smoothing": 0.1, "learning_rate_init": 0.01})
    how, thetas = make_settings(optimizer, batch_size=100), []
    for rows, weights in (
        (np.arange(30)[None], (copies / copies.mean())[None]),
        (twice[None], None),
    ):
        state = make_state(SMALL, optimizer=optimizer)
        epochs = run(20, SMALL, how, hyper, state, Data(data.x, data.labels, rows, weights))
        thetas.append([state.theta, [epoch.loss for epoch in epochs]])
    for weighted, repeated in zip(*thetas, strict=True):
        np.testing.assert_allclose(weighted, repeated, rtol=1e-6, atol=1e-9)


# Softmax regression.


@pytest.mark.parametrize("pattern", ["none", "random"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_without_hidden_layers_it_is_logistic_regression(n_classes, pattern):
    n, alpha = 120, 0.05
    weights = make_weights(pattern, 1, n)
    data = make_data(n, 4, n_classes, weights=weights)
    architecture = Architecture(4, (), n_classes)
    state, hyper = make_state(architecture), make_hyper({"alpha": alpha, "learning_rate_init": 0.3})
    run(1500, architecture, make_settings("nesterov", batch_size=n), hyper, state, data)

    C = (2 if n_classes == 2 else 1) / (alpha * n)
    theirs = LogisticRegression(C=C, tol=1e-10, max_iter=1000)
    theirs.fit(data.x, data.labels, None if weights is None else weights[0])
    network = TrainedNetwork(architecture, state.theta, hyper["bn_epsilon"])
    probabilities = softmax(network.logits(data.x)[0])
    np.testing.assert_allclose(probabilities, theirs.predict_proba(data.x), atol=1e-6)
    value = member_values(architecture, state.theta)
    coefs, intercepts = value["weights", 0].T, value["bias", 0][0]
    if n_classes == 2:
        coefs, intercepts = coefs[1:] - coefs[:1], intercepts[1:] - intercepts[:1]
    else:  # A constant added to all intercepts changes nothing.
        intercepts = intercepts - intercepts.mean()
    np.testing.assert_allclose(coefs, theirs.coef_, atol=1e-6)
    expected = theirs.intercept_ - (theirs.intercept_.mean() if n_classes > 2 else 0)
    np.testing.assert_allclose(intercepts, expected, atol=1e-6)


def test_a_small_network_learns_what_is_not_linear():
    """The exclusive or of two signs, by a network whose moving statistics are in use."""
    x = np.random.default_rng(0).uniform(-1, 1, (400, 2))
    labels = (x[:, 0] * x[:, 1] > 0).astype(int)
    architecture = Architecture(2, (16, 16), 2)
    state, hyper = make_state(architecture, optimizer="adam"), make_hyper({"max_iter": 30})
    how = make_settings("adam", "one_cycle", batch_size=32)
    run(30, architecture, how, hyper, state, Data(x[:300], labels[:300]))
    network = TrainedNetwork(architecture, state.theta, hyper["bn_epsilon"])
    predicted = network.logits(x[300:])[0].argmax(axis=1)
    assert (predicted == labels[300:]).mean() > 0.95
