"""Which runs take their steps together, how many, and on what rows."""

from dataclasses import replace

import numpy as np
import pytest
from run_checks import HOW, MEMBERS, alone, assert_same, make, train_until
from scipy import sparse

from skbn.network.architecture import Architecture
from skbn.training import lockstep
from skbn.training.holdout import Dataset
from skbn.training.lockstep import Task, population_size, stacked_data
from skbn.training.run import Run

# Who trains with whom.


def with_weights(run, data):
    return replace(run, weights=np.ones(run.n_rows(data), np.float32)), data


def with_rows(run, data, n_rows):
    return replace(run, rows=np.arange(n_rows)), data


def after_an_epoch(run, data):
    train_until([(run, data)], 1)
    return run, data


def in_sparse(run, data):
    return run, replace(data, x=sparse.csr_array(data.x))


@pytest.mark.parametrize(
    "other",
    [
        lambda data: make(data, hidden=(7,)),
        lambda data: make(data, architecture=Architecture(4, (6,), 3, activation="tanh")),
        lambda data: make(data, architecture=Architecture(4, (6,), 3, batch_norm=False)),
        lambda data: make(data, architecture=Architecture(4, (6,), 4)),
        lambda data: make(data, architecture=Architecture(4, (6,), 3, loss="focal")),
        lambda data: make(replace(data, x=data.x.astype(np.float64))),
        lambda data: make(data, how=replace(HOW, solver="adamw")),
        lambda data: make(data, how=replace(HOW, nesterovs_momentum=False)),
        lambda data: make(data, how=replace(HOW, learning_rate="cosine")),
        lambda data: make(data, how=replace(HOW, shuffle=False)),
        lambda data: make(data, how=replace(HOW, batch_size=20)),
        lambda data: make(data, n_val=5),
        lambda data: with_rows(*make(data), 149),
        lambda data: with_weights(*make(data)),
        lambda data: in_sparse(*make(data)),
        lambda data: after_an_epoch(*make(data)),
    ],
)
def test_what_keeps_two_apart(data, populations, other):
    runs = [make(data), other(data)]
    populations.clear()
    train_until(runs, 2)
    assert populations == [1, 1]


@pytest.mark.parametrize(
    "other",
    [
        lambda data: make(data, seed=1),
        lambda data: make(data, how=replace(HOW, batch_size=15)),  # ten batches, too
        lambda data: with_rows(*make(data), 150),
        lambda data: make(Dataset(data.x[::-1].copy(), data.labels[::-1].copy())),
        lambda data: make(Dataset(data.x[:, ::-1].copy(), data.labels)),
        *[lambda data, member=member: make(data, **member) for member in MEMBERS[1:]],
    ],
)
def test_what_does_not_keep_two_apart(data, populations, other):
    runs, twins = [make(data), other(data)], [make(data), other(data)]
    train_until(runs, 2)
    assert populations == [2]
    for (run, _), twin in zip(runs, twins, strict=True):
        assert_same(run.progress, alone(twin, 2))


def test_batch_sizes_for_which_blas_has_other_threads_are_kept_apart(data, populations):
    # Each is one batch, but the product of the larger is worth sharing out.
    train_until([make(data, how=replace(HOW, batch_size=size)) for size in (150, 10**6)], 1)
    assert populations == [1, 1]


@pytest.mark.parametrize(("n", "at_a_time"), [(12, 10), (10, 10), (7, 3), (3, 1), (2, 100)])
def test_parts_are_of_about_the_same_size(data, populations, monkeypatch, n, at_a_time):
    monkeypatch.setattr(lockstep, "population_size", lambda *arguments: at_a_time)
    runs = [make(data, seed) for seed in range(n)]
    train_until(runs, 1)
    assert sum(populations) == n
    assert len(populations) == -(-n // at_a_time)
    assert max(populations) - min(populations) <= 1
    for seed, (run, _) in enumerate(runs):
        assert_same(run.progress, alone(make(data, seed), 1))


@pytest.mark.parametrize("n_rows", [2, 1000, 10**9])
@pytest.mark.parametrize("n_units", [1, 64, 10**4])
def test_population_size_falls_with_the_budget_but_not_below_one(n_units, n_rows):
    architecture = Architecture(30, (n_units, n_units), 5)
    budgets = [np.inf, 10**9, 10**7, 10**6, 10**5, 10**3, 1, 0]
    numbers = [population_size(architecture, 100, n_rows, 4, budget) for budget in budgets]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[-1] == 1
    assert all(isinstance(number, int) for number in numbers)
    assert numbers[0] == population_size(architecture, 100, n_rows)


def test_population_size_is_of_small_networks_many_and_of_large_ones_one():
    numbers = [
        population_size(Architecture(30, (n, n), 5), 100, 1000) for n in (1, 32, 64, 256, 1024)
    ]
    assert numbers == sorted(numbers, reverse=True)
    assert numbers[0] > 100
    assert numbers[2] > 5
    assert numbers[-1] == 1
    assert population_size(Architecture(30, (64,), 5), 100, 1000, 8) < population_size(
        Architecture(30, (64,), 5), 100, 1000, 4
    )


def test_a_population_keeps_to_its_budget(data, populations):
    architecture = make(data)[0].progress.architecture
    budgets = list(range(0, 10**5, 500))
    size = [population_size(architecture, 16, 150, 4, budget) for budget in budgets]
    budget = budgets[size.index(3)]
    train_until([make(data, seed) for seed in range(6)], 1, None, budget)
    assert populations == [3, 3]


# Rows.


def task(x, labels, rows=None, weights=None):
    """A task of a run on some rows."""
    run = Run(None, HOW, {}, None if rows is None else np.asarray(rows), weights)
    return Task(run, Dataset(x, labels), 1)


def rows_of(data, member):
    """What a member trains on."""
    if data.rows is None:
        return data.x, data.labels
    return data.x[data.rows[member]], data.labels[data.rows[member]]


def dense(x):
    return x.toarray() if sparse.issparse(x) else x


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_a_table_that_is_shared_is_not_copied(data, kind):
    x, rows = kind(data.x), [range(20), range(40, 60), range(20)]
    joined = stacked_data([task(x, data.labels, each) for each in rows])
    assert joined.x is x
    assert joined.labels is data.labels
    assert joined.weights is None
    np.testing.assert_array_equal(joined.rows, rows)


def test_all_rows_stay_all_rows(data):
    joined = stacked_data([task(data.x, data.labels)] * 3)
    assert joined.x is data.x
    assert joined.rows is None


def test_all_rows_of_some_are_told_where_others_have_theirs(data):
    order = np.random.default_rng(0).permutation(150)
    joined = stacked_data([task(data.x, data.labels), task(data.x, data.labels, order)])
    assert joined.x is data.x
    np.testing.assert_array_equal(joined.rows, [np.arange(150), order])


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array, sparse.csr_matrix])
def test_each_keeps_its_rows_where_tables_differ(data, kind):
    x, y = data.x, data.labels
    first, second, third = (
        (kind(x[:50]), y[:50]),
        (kind(x[20:]), y[20:]),
        (kind(x[:50]), 2 - y[:50]),
    )
    tasks = [
        task(*first, range(50)),
        task(*second, range(70, 120)),
        task(*third),
        task(*first, range(49, -1, -1)),
        task(*first),
    ]
    joined = stacked_data(tasks)
    assert joined.x.shape == (50 + 130 + 50, 4)  # each table once
    assert joined.x.dtype == np.float32
    if sparse.issparse(joined.x):
        assert joined.x.format == "csr"
    for member, (run, table, _) in enumerate(tasks):
        rows = np.arange(len(table.labels)) if run.rows is None else run.rows
        mine = rows_of(joined, member)
        np.testing.assert_array_equal(dense(mine[0]), dense(table.x[rows]))
        np.testing.assert_array_equal(mine[1], table.labels[rows])


def test_tables_with_the_same_rows_but_other_labels(data):
    joined = stacked_data([task(data.x, data.labels), task(data.x, 2 - data.labels)])
    np.testing.assert_array_equal(rows_of(joined, 0)[1], data.labels)
    np.testing.assert_array_equal(rows_of(joined, 1)[1], 2 - data.labels)


def test_weights_are_side_by_side(data):
    weights = np.random.default_rng(0).uniform(0.5, 1.5, (3, 150)).astype(np.float32)
    joined = stacked_data([task(data.x, data.labels, weights=each) for each in weights])
    np.testing.assert_array_equal(joined.weights, weights, strict=True)
    assert joined.rows is None
