"""Members of a population are, bit for bit, as alone, and as if never stopped."""

import pickle
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from network_oracles import (
    ALL_OPTIMIZERS,
    REGULARISED,
    SMALL,
    assert_same_state,
    both_dtypes,
    each_optimizer,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    make_weights,
    run,
)

from skbn.network import optimizers
from skbn.network.architecture import Architecture
from skbn.network.epochs import (
    PER_MEMBER,
    Data,
    stack_hyperparameters,
    train,
)
from skbn.network.losses import LOSSES

pytestmark = pytest.mark.slow

# Populations.


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
    "focal_gamma": 0.7,
}
"""Another value than that in PLAIN for each hyperparameter."""
MEMBERS = [
    {**REGULARISED, "learning_rate_init": 0.03, "max_iter": 7, "momentum": 0.7, "epsilon": 1e-6},
    OTHER,
    {**REGULARISED, "learning_rate_init": 0.002, "dropout": 0.6, "bn_momentum": 0.99, "beta_1": 0},
    {**OTHER, "alpha": 0.3, "max_grad_norm": None, "label_smoothing": 0.0, "warmup_fraction": 0.2},
]
each_loss = pytest.mark.parametrize("loss", LOSSES)


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


@each_loss
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_members_of_each_loss_are_as_alone(loss, smoothing):
    """The others smooth labels or not, which is to be seen in none."""
    members = [{}, {"focal_gamma": 0.0}, {"focal_gamma": 0.4}, {"label_smoothing": smoothing}]
    for dtype in (np.float32, np.float64):
        case = {"members": members, "architecture": replace(WIDE, loss=loss), "dtype": dtype}
        population = train_members([0, 1, 2, 3], **case)
        for member in range(4):
            assert_member_is_as_alone(population, member, train_members([member], **case))


@each_optimizer
@both_dtypes
@pytest.mark.parametrize("weighted", [True, False])
def test_members_are_bit_for_bit_as_alone(monkeypatch, optimizer, dtype, weighted):
    monkeypatch.setattr(optimizers, "BLOCK_SIZE", 1000)  # Several blocks, of other widths alone.
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
@each_loss
@pytest.mark.parametrize("batch_size", [1, 2])
@pytest.mark.parametrize("sizes", [(1, (), 130), (9, (), 10), (9, (1,), 26), (1, (9, 1), 2)])
def test_members_are_as_alone_where_axes_have_length_one(sizes, batch_size, loss, dtype):
    """NumPy merges axes of length one with others, and adds in another order then."""
    n_features, hidden, n_outputs = sizes
    architecture = Architecture(n_features, hidden, n_outputs, batch_norm=False, loss=loss)
    data = make_data(5, n_features, n_outputs, dtype=dtype)
    weights = make_weights("random", 3, 5).astype(dtype)
    members = [{}, {"label_smoothing": 0.1, "focal_gamma": 0.3}, {"learning_rate_init": 0.03}]

    def trained(which):
        state = make_state(architecture, which, "adam", dtype)
        hyper = make_hyper(*(members[k] for k in which))
        own = Data(data.x, data.labels, None, weights[which])
        return state, run(
            2, architecture, make_settings("adam", batch_size=batch_size), hyper, state, own
        )

    population = trained([0, 1, 2])
    for member in range(3):
        assert_member_is_as_alone(population, member, trained([member]))


@both_dtypes
@pytest.mark.parametrize("name", PER_MEMBER)
def test_members_may_differ_in_each_hyperparameter(name, dtype):
    """It shows, and only in the member that has it."""
    plain = {"warmup_fraction": 0.1}
    members = [plain, {**plain, name: OTHER[name]}]
    case = {"optimizer": "sgd" if name == "momentum" else "adam", "dtype": dtype}
    if name == "focal_gamma":
        case["architecture"] = replace(WIDE, loss="focal")
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


# Going on.


@each_optimizer
@pytest.mark.parametrize("move", [deepcopy, lambda s: pickle.loads(pickle.dumps(s))])
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
    monkeypatch.setattr("skbn.network.steps.FLUSHED_EVERY", 3)
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
        monkeypatch.setattr("skbn.network.steps.FLUSHED_EVERY", every)
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
def test_a_state_of_before_is_restored_and_this_one_left_alone(optimizer):
    state = make_state(SMALL, optimizer=optimizer)
    how, hyper = make_settings(optimizer, "cosine"), make_hyper(REGULARISED)
    epochs = train(SMALL, how, hyper, state, make_data(40))
    next(epochs)
    before, snapshot = deepcopy(state), state.snapshot()
    next(epochs)
    after = deepcopy(state)
    restored = state.restored(snapshot)
    assert_same_state(state, after)
    assert_same_state(restored, before)
    run(1, SMALL, how, hyper, restored, make_data(40))
    assert_same_state(restored, after)
    assert_same_state(state, after)


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
