"""The core of training many: who takes steps with whom, and that it changes nothing."""

from dataclasses import replace

import numpy as np
import pytest
from scipy import sparse

import skbn.lockstep
from skbn import BNSoftmaxClassifier
from skbn.lockstep import Training, n_together, together, train_together
from skbn.model import Model, run_epochs
from skbn.network.network import Architecture
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.training import PER_MEMBER, Data, Settings, stack_hyperparameters
from skbn.stopping import BestState, ValidationSet

PLAIN = {name: getattr(BNSoftmaxClassifier(), name) for name in PER_MEMBER}
PLAIN |= {"learning_rate_init": 0.02, "max_iter": 4, "beta_2": 0.99, "alpha": 0.0}
MEMBERS = [
    {},
    {"dropout": 0.3, "alpha": 0.1},
    {"max_grad_norm": 0.2, "input_dropout": 0.2, "noise": 0.3, "max_iter": 9},
    {"label_smoothing": 0.2, "bn_momentum": 0.5, "input_noise": 0.1, "learning_rate_init": 0.2},
]
HOW = Settings("adam", True, "one_cycle", 16, True)
DIVERGING = {"learning_rate_init": 1e30}


@pytest.fixture(scope="module")
def data(iris):
    return Data(iris[0].astype(np.float32), iris[1])


@pytest.fixture
def populations(monkeypatch):
    """How many took their steps together, call by call of the core."""
    sizes = []

    def watch(architecture, settings, hyper, state, data, train=skbn.lockstep.train):
        sizes.append(len(state.theta))
        return train(architecture, settings, hyper, state, data)

    monkeypatch.setattr(skbn.lockstep, "train", watch)
    return sizes


def make(data, seed=0, how=HOW, hidden=(6,), n_val=0, patience=10, architecture=None, **member):
    """A training from its start; with validation on the last rows of the table."""
    architecture = architecture or Architecture(data.x.shape[1], hidden, 3)
    model = Model.new(architecture, how.solver, "auto", data.x.dtype, [seed])
    hyper = stack_hyperparameters([PLAIN | member])
    if not n_val:
        return Training(model, how, hyper, data)
    rows = np.arange(len(data.labels) - n_val, len(data.labels))
    validation = ValidationSet(data.x, data.labels[rows], np.ones(n_val), rows)
    return Training(model, how, hyper, data, validation, BestState(1e-4, patience))


def alone(training, n_epochs):
    """The model of a training by itself, as `fit` runs it."""
    epochs = training.model.epochs(
        training.settings, training.hyper, training.data, training.validation
    )
    run_epochs(training.model, epochs, n_epochs, training.best, lambda done, entry: None)
    return training.model


def assert_same(model, other):
    np.testing.assert_array_equal(model.state.theta, other.state.theta, strict=True)
    for mine, its in zip(model.state.vectors, other.state.vectors, strict=True):
        np.testing.assert_array_equal(mine, its, strict=True)
    np.testing.assert_array_equal(model.state.sums, other.state.sums, strict=True)
    np.testing.assert_array_equal(model.bn_epsilon, other.bn_epsilon, strict=True)
    assert model.state.n_epochs == other.state.n_epochs
    assert model.kept_epoch == other.kept_epoch
    assert list(model.history) == list(other.history)
    for name in model.history.keys() - {"seconds"}:
        np.testing.assert_array_equal(model.history[name], other.history[name])


# As alone.


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("n_val", [0, 30])
def test_each_is_trained_as_long_as_it_is_to_be(data, populations, solver, n_val):
    def those():
        how = replace(HOW, solver=solver)
        return [make(data, k, how, n_val=n_val, **member) for k, member in enumerate(MEMBERS)]

    trainings, until = those(), [4, 2, 4, 1]
    train_together(zip(trainings, until, strict=True))
    assert populations == [4, 3, 2]
    for training, twin, n_epochs in zip(trainings, those(), until, strict=True):
        assert_same(training.result(), alone(twin, n_epochs))
        assert len(training.model.history["seconds"]) == n_epochs
        assert not training.is_over
        assert not training.error


def test_going_on_is_as_never_having_stopped(data):
    stopped, whole = ([make(data, k, **MEMBERS[k]) for k in range(4)] for _ in range(2))
    for until in ([1, 1, 2, 0], [2, 1, 2, 2], [5, 5, 5, 5]):
        train_together(zip(stopped, until, strict=True))
        assert [training.model.state.n_epochs for training in stopped] == until
    train_together([(training, 5) for training in whole])
    for mine, its in zip(stopped, whole, strict=True):
        assert_same(mine.model, its.model)


def test_those_that_have_done_enough_are_left_alone(data, populations):
    training = make(data)
    train_together([(training, 2)])
    model = training.model.copy()
    train_together([(training, 2)])
    train_together([(training, 1)])
    train_together([])
    assert populations == [1]
    assert_same(training.model, model)


@pytest.mark.parametrize("patience", [1, 2])
def test_each_stops_by_its_own_validation_loss(data, patience):
    options = {"n_val": 50, "patience": patience}
    members = [{"learning_rate_init": rate} for rate in (0.3, 0.001, 3.0, 0.02)]
    trainings = [make(data, k, **options, **member) for k, member in enumerate(members)]
    train_together([(training, 20) for training in trainings])
    done = []
    for k, (training, member) in enumerate(zip(trainings, members, strict=True)):
        assert_same(training.result(), alone(make(data, k, **options, **member), 20))
        done.append(training.model.state.n_epochs)
        assert training.is_over == (done[-1] < 20)
    assert len(set(done)) > 2


def test_one_that_stopped_does_not_go_on(data, populations):
    training = make(data, n_val=50, patience=1, learning_rate_init=3.0)
    train_together([(training, 20)])
    calls = len(populations)
    train_together([(training, 30)])
    assert training.is_over
    assert len(populations) == calls


def test_the_best_epoch_is_the_result_and_the_last_goes_on(data):
    training, twin = (make(data, n_val=50, learning_rate_init=3.0) for _ in range(2))
    train_together([(training, 3)])
    best = training.result()
    losses = training.model.history["validation_loss"]
    assert best.kept_epoch == 1 + int(np.argmin(losses)) < 3
    train_together([(training, 6)])
    train_together([(twin, 6)])
    assert_same(training.result(), twin.result())
    assert_same(training.model, twin.model)


@pytest.mark.parametrize("n_val", [0, 30])
def test_one_that_diverges_leaves_with_its_reason(data, populations, n_val):
    members = [*MEMBERS[:2], DIVERGING, *MEMBERS[2:]]
    trainings = [make(data, k, n_val=n_val, **member) for k, member in enumerate(members)]
    train_together([(training, 3) for training in trainings])
    assert populations[0] == 5
    with pytest.raises(ValueError, match="diverged in epoch") as caught:
        alone(make(data, 2, n_val=n_val, **DIVERGING), 3)
    assert trainings[2].error == str(caught.value)
    assert trainings[2].is_over
    calls = len(populations)
    train_together([(trainings[2], 9)])
    assert len(populations) == calls
    for k in (0, 1, 3, 4):
        assert_same(trainings[k].result(), alone(make(data, k, n_val=n_val, **members[k]), 3))
        assert not trainings[k].error


def test_one_whose_last_step_leaps_to_infinity_is_not_judged(data):
    """Its loss was finite, but its predictions would be a warning."""
    wide, how = replace(data, x=data.x.astype(np.float64)), replace(HOW, batch_size=150)
    leap = {"learning_rate_init": 1e308, "alpha": 1e4}
    how = replace(how, solver="sgd", learning_rate="constant")
    trainings = [make(wide, k, how, n_val=30, **member) for k, member in enumerate([{}, leap])]
    train_together([(training, 2) for training in trainings])
    with pytest.raises(ValueError, match=r"diverged in epoch 1: .*loss \d") as caught:
        alone(make(wide, 1, how, n_val=30, **leap), 2)
    assert trainings[1].error == str(caught.value)
    assert_same(trainings[0].result(), alone(make(wide, 0, how, n_val=30), 2))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_hidden", [0, 1, 2, 5])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 8, 9])
def test_small_batches_and_small_layers(data, dtype, n_hidden, n_rows):
    """BLAS has a way of its own with small matrices, but it must be the same one."""
    hidden = (n_hidden,) if n_hidden else ()
    few = Data(data.x[: 3 * n_rows].astype(dtype), data.labels[: 3 * n_rows])

    def those():
        how = replace(HOW, batch_size=n_rows)
        architecture = Architecture(4, hidden, 3, batch_norm=False)
        return [make(few, k, how, architecture=architecture) for k in range(3)]

    trainings = those()
    train_together([(training, 4) for training in trainings])
    for training, twin in zip(trainings, those(), strict=True):
        assert_same(training.model, alone(twin, 4))


def test_an_interrupt_of_one_population_leaves_the_models_of_the_next(data, monkeypatch):
    trainings = [make(data, hidden=hidden) for hidden in [(4,), (4,), (5,)]]

    def press(*training):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(skbn.lockstep, "train", press)
    with pytest.raises(KeyboardInterrupt):
        train_together([(training, 3) for training in trainings])
    assert [training.model.state.n_epochs for training in trainings] == [0, 0, 0]
    assert all(not training.model.history for training in trainings)


# Who trains with whom.


def with_weights(training):
    weights = np.ones((1, training.n_rows), np.float32)
    return replace(training, data=replace(training.data, weights=weights))


def with_rows(training, n_rows):
    return replace(training, data=replace(training.data, rows=np.arange(n_rows)[None]))


def after_an_epoch(training):
    train_together([(training, 1)])
    return training


def in_sparse(training):
    return replace(training, data=replace(training.data, x=sparse.csr_array(training.data.x)))


@pytest.mark.parametrize(
    "other",
    [
        lambda data: make(data, hidden=(7,)),
        lambda data: make(data, architecture=Architecture(4, (6,), 3, activation="tanh")),
        lambda data: make(data, architecture=Architecture(4, (6,), 3, batch_norm=False)),
        lambda data: make(data, architecture=Architecture(4, (6,), 4)),
        lambda data: make(replace(data, x=data.x.astype(np.float64))),
        lambda data: make(data, how=replace(HOW, solver="adamw")),
        lambda data: make(data, how=replace(HOW, nesterovs_momentum=False)),
        lambda data: make(data, how=replace(HOW, learning_rate="cosine")),
        lambda data: make(data, how=replace(HOW, shuffle=False)),
        lambda data: make(data, how=replace(HOW, batch_size=20)),
        lambda data: make(data, n_val=5),
        lambda data: with_rows(make(data), 149),
        lambda data: with_weights(make(data)),
        lambda data: in_sparse(make(data)),
        lambda data: after_an_epoch(make(data)),
    ],
)
def test_what_keeps_two_apart(data, populations, other):
    trainings = [make(data), other(data)]
    populations.clear()
    train_together([(training, 2) for training in trainings])
    assert populations == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        lambda data: make(data, seed=1),
        lambda data: make(data, how=replace(HOW, batch_size=15)),  # ten batches, too
        lambda data: with_rows(make(data), 150),
        lambda data: make(Data(data.x[::-1].copy(), data.labels[::-1].copy())),
        lambda data: make(Data(data.x[:, ::-1].copy(), data.labels)),
        *[lambda data, member=member: make(data, **member) for member in MEMBERS[1:]],
    ],
)
def test_what_does_not_keep_two_apart(data, populations, other):
    trainings, twins = [make(data), other(data)], [make(data), other(data)]
    train_together([(training, 2) for training in trainings])
    assert populations == [2]
    for training, twin in zip(trainings, twins, strict=True):
        assert_same(training.model, alone(twin, 2))


def test_batch_sizes_for_which_blas_has_other_threads_are_kept_apart(data, populations):
    # Each is one batch, but the product of the larger is worth sharing out.
    trainings = [make(data, how=replace(HOW, batch_size=size)) for size in (150, 10**6)]
    train_together([(training, 1) for training in trainings])
    assert populations == [1, 1]


@pytest.mark.parametrize(("n", "at_a_time"), [(12, 10), (10, 10), (7, 3), (3, 1), (2, 100)])
def test_parts_are_of_about_the_same_size(data, populations, monkeypatch, n, at_a_time):
    monkeypatch.setattr(skbn.lockstep, "n_together", lambda *arguments: at_a_time)
    trainings = [make(data, seed) for seed in range(n)]
    train_together([(training, 1) for training in trainings])
    assert sum(populations) == n
    assert len(populations) == -(-n // at_a_time)
    assert max(populations) - min(populations) <= 1
    for seed, training in enumerate(trainings):
        assert_same(training.model, alone(make(data, seed), 1))


@pytest.mark.parametrize("n_rows", [2, 1000, 10**9])
@pytest.mark.parametrize("n_units", [1, 64, 10**4])
def test_n_together_falls_with_the_budget_but_not_below_one(n_units, n_rows):
    architecture = Architecture(30, (n_units, n_units), 5)
    budgets = [np.inf, 10**9, 10**7, 10**6, 10**5, 10**3, 1, 0]
    numbers = [n_together(architecture, 100, n_rows, 4, budget) for budget in budgets]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 1
    assert all(isinstance(number, int) for number in numbers)
    assert numbers[0] == n_together(architecture, 100, n_rows)


def test_n_together_is_of_small_networks_many_and_of_large_ones_one():
    numbers = [n_together(Architecture(30, (n, n), 5), 100, 1000) for n in (1, 32, 64, 256, 1024)]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 100
    assert numbers[2] > 5
    assert numbers[-1] == 1
    assert n_together(Architecture(30, (64,), 5), 100, 1000, 8) < n_together(
        Architecture(30, (64,), 5), 100, 1000, 4
    )


def test_a_population_keeps_to_its_budget(data, populations):
    architecture = make(data).model.architecture
    budgets = list(range(0, 10**5, 500))
    size = [n_together(architecture, 16, 150, 4, budget) for budget in budgets]
    budget = budgets[size.index(3)]
    train_together([(make(data, seed), 1) for seed in range(6)], budget)
    assert populations == [3, 3]


# Tables.


def rows_of(data, member):
    """What a member trains on."""
    if data.rows is None:
        return data.x, data.labels
    return data.x[data.rows[member]], data.labels[data.rows[member]]


def dense(x):
    return x.toarray() if sparse.issparse(x) else x


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_a_table_that_is_shared_is_not_copied(data, kind):
    x = kind(data.x)
    rows = [np.arange(20)[None], np.arange(40, 60)[None], np.arange(20)[None]]
    joined = together([Data(x, data.labels, each) for each in rows])
    assert joined.x is x
    assert joined.labels is data.labels
    assert joined.weights is None
    np.testing.assert_array_equal(joined.rows, np.concatenate(rows))


def test_all_rows_stay_all_rows(data):
    joined = together([data, data, data])
    assert joined.x is data.x
    assert joined.rows is None


def test_all_rows_of_some_are_told_where_others_have_theirs(data):
    order = np.random.default_rng(0).permutation(150)
    joined = together([data, replace(data, rows=order[None])])
    assert joined.x is data.x
    np.testing.assert_array_equal(joined.rows, [np.arange(150), order])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_each_keeps_its_rows_where_tables_differ(data, kind):
    x, y = data.x, data.labels
    tables = [
        Data(kind(x[:50]), y[:50]),
        Data(kind(x[20:]), y[20:]),
        Data(kind(x[:50]), 2 - y[:50]),
    ]
    parts = [
        replace(tables[0], rows=np.arange(50)[None]),
        replace(tables[1], rows=np.arange(70, 120)[None]),
        tables[2],
        replace(tables[0], rows=np.arange(49, -1, -1)[None]),
        tables[0],
    ]
    joined = together(parts)
    assert joined.x.shape == (50 + 130 + 50, 4)  # each table once
    assert joined.x.dtype == np.float32
    if sparse.issparse(joined.x):
        assert joined.x.format == "csr"
    for member, part in enumerate(parts):
        mine, its = rows_of(joined, member), rows_of(part, 0)
        np.testing.assert_array_equal(dense(mine[0]), dense(its[0]))
        np.testing.assert_array_equal(mine[1], its[1])


def test_tables_with_the_same_rows_but_other_labels(data):
    joined = together([data, Data(data.x, 2 - data.labels)])
    np.testing.assert_array_equal(rows_of(joined, 0)[1], data.labels)
    np.testing.assert_array_equal(rows_of(joined, 1)[1], 2 - data.labels)


def test_weights_are_side_by_side(data):
    weights = np.random.default_rng(0).uniform(0.5, 1.5, (3, 150)).astype(np.float32)
    joined = together([replace(data, weights=weights[k : k + 1]) for k in range(3)])
    np.testing.assert_array_equal(joined.weights, weights, strict=True)
    assert joined.rows is None
