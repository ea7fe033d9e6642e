import pickle
from itertools import pairwise

import numpy as np
import pytest
from network_oracles import (
    ALL_OPTIMIZERS,
    REGULARISED,
    WEIGHT_PATTERNS,
    assert_same_state,
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

from skbn.network import optimizers, training
from skbn.network.network import Architecture, fold, predict_logits
from skbn.network.schedules import SCHEDULES, multipliers
from skbn.network.softmax import softmax
from skbn.network.training import (
    PER_MEMBER,
    Data,
    stack_hyperparameters,
    train,
)

each_optimizer = pytest.mark.parametrize("optimizer", ALL_OPTIMIZERS)
each_pattern = pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

SMALL = Architecture(5, (6, 4), 3)


# Epochs


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


# Populations

N_TABLE, N_ROWS = 160, 101
WIDE = Architecture(30, (33, 17), 5)
LARGE = Architecture(30, (150, 50), 5)
OTHER = {
    "learning_rate_init": 0.01,
    "learning_rate_decay": 0.3,
    "warmup_fraction": None,
    "max_iter": 4,
    "momentum": 0.5,
    "beta_1": 0.8,
    "beta_2": 0.9,
    "epsilon": 1e-3,
    "alpha": 0.02,
    "max_grad_norm": 0.2,
    "bn_momentum": 0.5,
    "bn_epsilon": 1e-2,
    "dropout": 0.3,
    "input_dropout": 0.2,
    "noise": 0.1,
    "input_noise": 0.3,
    "label_smoothing": 0.1,
}
"""Another value than that in PLAIN for each hyperparameter."""
MEMBERS = [
    {**REGULARISED, "learning_rate_init": 0.03, "max_iter": 7, "momentum": 0.7, "epsilon": 1e-6},
    OTHER,
    {**REGULARISED, "learning_rate_init": 0.002, "dropout": 0.6, "bn_momentum": 0.99, "beta_1": 0},
    {**OTHER, "alpha": 0.3, "max_grad_norm": None, "label_smoothing": 0.0, "warmup_fraction": 0.2},
]


def train_members(
    which, members=MEMBERS, architecture=WIDE, optimizer="adam", dtype=np.float64, weighted=True
):
    """Train some members of a population and give their state and epochs."""
    rng = np.random.default_rng(0)
    rows = np.stack([rng.permutation(N_TABLE)[:N_ROWS] for _ in members])
    weights = make_weights("random", len(members), N_ROWS).astype(dtype)
    data = make_data(N_TABLE, 30, 5, dtype=dtype)
    state = make_state(architecture, which, optimizer, dtype)
    epochs = run(
        3,
        architecture,
        make_settings(optimizer, "exponential", batch_size=25),
        make_hyper(*(members[k] for k in which)),
        state,
        Data(data.x, data.labels, rows[which], weights[which] if weighted else None),
    )
    return state, epochs


def assert_member_is_as_alone(population, member, solo):
    """A member of a population is bit for bit what it is alone."""
    (state, epochs), (own, own_epochs) = population, solo
    np.testing.assert_array_equal(state.theta[member], own.theta[0])
    np.testing.assert_array_equal(state.sums[:, member], own.sums[:, 0])
    for vector, alone in zip(state.vectors, own.vectors, strict=True):
        np.testing.assert_array_equal(vector[member], alone[0])
    for epoch, alone in zip(epochs, own_epochs, strict=True):
        for name in ("loss", "learning_rate", "gradient_norm", "finite"):
            assert getattr(epoch, name)[member] == getattr(alone, name)[0], name


@each_optimizer
@both_dtypes
@pytest.mark.parametrize("weighted", [True, False])
def test_members_are_bit_for_bit_as_alone(monkeypatch, optimizer, dtype, weighted):
    monkeypatch.setattr(optimizers, "BLOCK", 1000)  # Several blocks, of other widths alone.
    case = {"optimizer": optimizer, "dtype": dtype, "weighted": weighted}
    population = train_members([0, 1, 2, 3], **case)
    for member in range(4):
        assert_member_is_as_alone(population, member, train_members([member], **case))


@both_dtypes
def test_members_of_large_networks_are_as_alone(dtype):
    """Vectors longer than 8192, the buffer of NumPy's iterators, which splits sums."""
    population = train_members([0, 1, 2], architecture=LARGE, dtype=dtype)
    for member in range(3):
        solo = train_members([member], architecture=LARGE, dtype=dtype)
        assert_member_is_as_alone(population, member, solo)


@both_dtypes
@pytest.mark.parametrize("name", PER_MEMBER)
def test_members_may_differ_in_each_hyperparameter(name, dtype):
    """It shows, and only in the member that has it."""
    plain = {"warmup_fraction": 0.1}
    members = [plain, {**plain, name: OTHER[name]}]
    case = {"optimizer": "sgd" if name == "momentum" else "adam", "dtype": dtype}
    population = train_members([0, 1], members, **case)
    for member in range(2):
        solo = train_members([member], members, **case)
        assert_member_is_as_alone(population, member, solo)
    without, _ = train_members([1], [plain, plain], **case)
    assert not np.array_equal(population[0].theta[1], without.theta[0])


def test_noise_of_a_member_does_not_move_its_neighbours():
    members = [{"dropout": 0.5}, {"input_dropout": 0.3}, {"noise": 0.5}, {"input_noise": 0.3}]
    population = train_members(range(4), members)
    for member in range(4):
        assert_member_is_as_alone(population, member, train_members([member], members))


@each_optimizer
@pytest.mark.parametrize(("dtype", "rate"), [(np.float32, 1e30), (np.float64, 1e300)])
def test_a_member_that_diverges_is_flagged_and_disturbs_no_other(optimizer, dtype, rate):
    members = [MEMBERS[0], {"learning_rate_init": rate}, MEMBERS[3]]
    case = {"members": members, "optimizer": optimizer, "dtype": dtype}
    population = train_members([0, 1, 2], **case)
    np.testing.assert_array_equal(population[1][-1].finite, [True, False, True])
    for member in (0, 2):
        assert_member_is_as_alone(population, member, train_members([member], **case))


def test_a_last_step_into_infinity_is_flagged_though_the_loss_was_finite():
    hyper = make_hyper({}, {"learning_rate_init": 1e308, "alpha": 1e3})
    state, how = make_state(SMALL, [0, 1]), make_settings(batch_size=40)
    (epoch,) = run(1, SMALL, how, hyper, state, make_data(40))
    assert np.isfinite(epoch.loss).all()
    np.testing.assert_array_equal(epoch.finite, [True, False])


# Going on


@each_optimizer
@pytest.mark.parametrize("move", [lambda s: s.copy(), lambda s: pickle.loads(pickle.dumps(s))])
def test_going_on_equals_never_having_stopped(optimizer, move):
    hyper = make_hyper(REGULARISED, {"learning_rate_init": 0.01})
    how = make_settings(optimizer, "one_cycle")
    training = SMALL, how, hyper
    data = make_data(70, weights=make_weights("random", 2, 70))
    whole, stopped = (make_state(SMALL, [0, 1], optimizer) for _ in range(2))
    whole_epochs = run(5, *training, whole, data)
    run(2, *training, stopped, data)
    resumed = move(stopped)
    resumed_epochs = run(3, *training, resumed, data)
    assert_same_state(resumed, whole)
    for mine, expected in zip(resumed_epochs, whole_epochs[2:], strict=True):
        np.testing.assert_array_equal(mine.loss, expected.loss)
    assert stopped.n_epochs == 2
    run(3, *training, stopped, data)
    assert_same_state(stopped, whole)


@each_optimizer
@both_dtypes
def test_what_is_too_small_is_flushed(monkeypatch, optimizer, dtype):
    """The weights of a feature that is always zero get no gradient."""
    monkeypatch.setattr(training, "FLUSHED_EVERY", 3)
    tiny = np.finfo(dtype).tiny
    data, state = make_data(48, dtype=dtype), make_state(SMALL, [0], optimizer, dtype)
    data.x[:, 0] = 0
    zero_feature = slice(0, 6)
    n_linear = len(state.vectors) - ALL_OPTIMIZERS[optimizer].n_squares
    linear, squares = state.vectors[:n_linear], state.vectors[n_linear:]
    for array, value in [(state.theta, tiny**0.5), *((v, tiny) for v in linear)]:
        array[:, zero_feature] = value
    for vector in squares:
        vector[:, zero_feature] = tiny**0.5
    run(1, SMALL, make_settings(optimizer), make_hyper({}), state, data)
    for vector in squares:
        assert (vector[:, zero_feature] > 0.5 * tiny**0.5).all()
        vector[:, zero_feature] = tiny / 2
    for array in (state.theta, *linear):
        assert not array[:, zero_feature].any()
    run(1, SMALL, make_settings(optimizer), make_hyper({}), state, data)
    for array in (state.theta, *state.vectors):
        assert not array[:, zero_feature].any()
        assert array[:, 6:].any()


def test_flushing_changes_nothing_that_counts(monkeypatch):
    data, hyper = make_data(60, dtype=np.float32), make_hyper(REGULARISED)
    data.x[1:, 0] = 0
    results = []
    for every in (1, 10**9):
        monkeypatch.setattr(training, "FLUSHED_EVERY", every)
        state = make_state(SMALL, [0], "adam", np.float32)
        run(100, SMALL, make_settings("adam"), hyper, state, data)
        results.append(state.theta)
    np.testing.assert_allclose(*results, rtol=1e-5, atol=1e-7)


@pytest.mark.parametrize("rate", [0.1, 1e300])
def test_an_epoch_leaves_numpys_settings_as_they_were(rate):
    before = np.getbufsize(), np.geterr()
    state, hyper = make_state(SMALL), make_hyper({"learning_rate_init": rate})
    (epoch,) = run(1, SMALL, make_settings(), hyper, state, make_data(40))
    assert epoch.finite[0] == (rate == 0.1)
    assert (np.getbufsize(), np.geterr()) == before


@each_optimizer
def test_restore_takes_a_state_back(optimizer):
    """In the arrays that are there: a generator under way goes on from what was restored."""
    state = make_state(SMALL, optimizer=optimizer)
    how, hyper = make_settings(optimizer, "cosine"), make_hyper(REGULARISED)
    epochs = train(SMALL, how, hyper, state, make_data(40))
    next(epochs)
    before, theta, snapshot = state.copy(), state.theta, state.snapshot()
    next(epochs)
    after = state.copy()
    state.restore(snapshot)
    assert state.theta is theta
    assert_same_state(state, before)
    next(epochs)
    assert_same_state(state, after)
    state.restore(snapshot)
    assert_same_state(state, before)


def test_states_of_the_same_seed_are_the_same_whatever_their_company():
    together, alone = make_state(SMALL, [3, 4]), make_state(SMALL, [4])
    np.testing.assert_array_equal(together.theta[1], alone.theta[0])
    for streams in ("shuffle_streams", "noise_streams"):
        own = getattr(alone, streams)[0].random(5)
        np.testing.assert_array_equal(getattr(together, streams)[1].random(5), own)
        assert not np.isclose(getattr(together, streams)[0].random(5), own).any()


def test_stacked_hyperparameters():
    plain = make_hyper({}, {"alpha": 3, "max_grad_norm": 2})
    assert list(plain) == list(PER_MEMBER)
    assert all(value.shape == (2, 1) and value.dtype == np.float64 for value in plain.values())
    np.testing.assert_array_equal(plain["alpha"], [[0], [3]])
    np.testing.assert_array_equal(plain["max_grad_norm"], [[np.inf], [2]])
    absent = stack_hyperparameters([{**OTHER, "warmup_fraction": None}])
    assert np.isnan(absent["warmup_fraction"]).all()


# Softmax regression


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
    folded = fold(architecture, state.theta, hyper["bn_epsilon"], np.float64)
    probabilities = softmax(predict_logits(folded, "relu", data.x)[0])
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
    folded = fold(architecture, state.theta, hyper["bn_epsilon"], np.float64)
    predicted = predict_logits(folded, "relu", x[300:])[0].argmax(axis=1)
    assert (predicted == labels[300:]).mean() > 0.95
