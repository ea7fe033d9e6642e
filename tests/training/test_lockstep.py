"""The training loop: what comes of runs together is what comes of each alone."""

import re
from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from run_checks import DIVERGING, HOW, MEMBERS, PLAIN, alone, assert_same, make, train_until

from skbn.network.architecture import Architecture
from skbn.network.epochs import stack_hyperparameters
from skbn.network.losses import LOSSES
from skbn.network.optimizers import OPTIMIZERS
from skbn.training import lockstep
from skbn.training.holdout import Dataset, Holdout
from skbn.training.lockstep import run_together

# As alone.


@pytest.mark.slow
@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("n_val", [0, 30])
@pytest.mark.parametrize("loss", LOSSES)
def test_each_is_trained_as_long_as_it_is_to_be(data, populations, solver, n_val, loss):
    def those():
        kind = {
            "how": replace(HOW, solver=solver),
            "architecture": Architecture(4, (6,), 3, loss=loss),
        }
        return [make(data, k, n_val=n_val, **kind, **member) for k, member in enumerate(MEMBERS)]

    runs, until = those(), [4, 2, 4, 1]
    train_until(runs, until)
    assert populations == [4, 3, 2]
    for (run, _), twin, n_epochs in zip(runs, those(), until, strict=True):
        assert_same(run.result(), alone(twin, n_epochs))
        assert len(run.progress.history["seconds"]) == n_epochs
        assert not run.is_over
        assert run.error is None


def test_going_on_is_as_never_having_stopped(data):
    stopped, whole = ([make(data, k, **MEMBERS[k]) for k in range(4)] for _ in range(2))
    for until in ([1, 1, 2, 0], [2, 1, 2, 2], [5, 5, 5, 5]):
        train_until(stopped, until)
        assert [run.n_epochs for run, _ in stopped] == until
    train_until(whole, 5)
    for (mine, _), (its, _) in zip(stopped, whole, strict=True):
        assert_same(mine.progress, its.progress)


def test_a_run_that_has_done_enough_is_left_alone(data, populations):
    made = make(data)
    train_until([made], 2)
    before = deepcopy(made[0].progress)
    train_until([made], 2)
    train_until([made], 1)
    run_together([])
    assert populations == [1]
    assert_same(made[0].progress, before)


def test_the_start_that_runs_share_is_left_as_it_is(data):
    progress = make(data)[0].progress
    before = deepcopy(progress.state)
    for members in (MEMBERS[:1], MEMBERS):
        runs = [make(data, **member) for member in members]
        for run, _ in runs:
            run.progress = progress.copy()
        train_until(runs, 2)
        np.testing.assert_array_equal(progress.state.theta, before.theta)
        np.testing.assert_array_equal(progress.state.sums, before.sums)
        assert progress.state.n_epochs == 0
        streams = [s.bit_generator.state for s in progress.state.shuffle_streams]
        assert streams == [s.bit_generator.state for s in before.shuffle_streams]


@pytest.mark.parametrize("patience", [1, 2])
def test_each_stops_by_its_own_validation_loss(data, patience):
    options = {"n_val": 50, "patience": patience}
    members = [{"learning_rate_init": rate} for rate in (0.3, 0.001, 3.0, 0.02)]
    runs = [make(data, k, **options, **member) for k, member in enumerate(members)]
    train_until(runs, 20)
    done = []
    for k, ((run, _), member) in enumerate(zip(runs, members, strict=True)):
        assert_same(run.result(), alone(make(data, k, **options, **member), 20))
        done.append(run.n_epochs)
        assert run.is_over == (done[-1] < 20)
    assert len(set(done)) > 2


def test_one_that_stopped_does_not_go_on(data, populations):
    made = make(data, n_val=50, patience=1, learning_rate_init=3.0)
    train_until([made], 20)
    calls = len(populations)
    train_until([made], 30)
    assert made[0].is_over
    assert len(populations) == calls


def test_the_best_epoch_is_the_result_and_the_last_goes_on(data):
    (run, _), (twin, _) = both = [make(data, n_val=50, learning_rate_init=3.0) for _ in range(2)]
    train_until(both[:1], 3)
    best = run.result()
    losses = run.progress.history["validation_loss"]
    assert best.kept_epoch == 1 + int(np.argmin(losses)) < 3
    train_until(both[:1], 6)
    train_until(both[1:], 6)
    assert_same(run.result(), twin.result())
    assert_same(run.progress, twin.progress)


@pytest.mark.parametrize("n_val", [0, 30])
def test_one_that_diverges_leaves_with_its_reason(data, populations, n_val):
    members = [*MEMBERS[:2], DIVERGING, *MEMBERS[2:]]
    runs = [make(data, k, n_val=n_val, **member) for k, member in enumerate(members)]
    train_until(runs, 3)
    assert populations[0] == 5
    with pytest.raises(ValueError, match="diverged in epoch") as caught:
        alone(make(data, 2, n_val=n_val, **DIVERGING), 3)
    failed = runs[2][0]
    assert isinstance(failed.error, ValueError)
    assert str(failed.error).startswith(f"Training {caught.value}: the loss")
    assert failed.is_over
    calls = len(populations)
    train_until(runs[2:3], 9)
    assert len(populations) == calls
    for k in (0, 1, 3, 4):
        assert_same(runs[k][0].result(), alone(make(data, k, n_val=n_val, **members[k]), 3))
        assert runs[k][0].error is None


def test_one_whose_last_step_leaps_to_infinity_is_not_judged(data):
    """Its loss was finite, but its predictions would be a warning."""
    wide, how = replace(data, x=data.x.astype(np.float64)), replace(HOW, batch_size=150)
    leap = {"learning_rate_init": 1e308, "alpha": 1e4}
    how = replace(how, solver="sgd", learning_rate="constant")
    runs = [make(wide, k, how, n_val=30, **member) for k, member in enumerate([{}, leap])]
    train_until(runs, 2)
    assert re.search(r"diverged in epoch 1: .*loss \d", str(runs[1][0].error))
    assert_same(runs[0][0].result(), alone(make(wide, 0, how, n_val=30), 2))


@pytest.mark.slow
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n_hidden", [0, 1, 2, 5])
@pytest.mark.parametrize("n_rows", [1, 2, 3, 5, 8, 9])
def test_small_batches_and_small_layers(data, dtype, n_hidden, n_rows):
    """BLAS has a way of its own with small matrices, but it must be the same one."""
    hidden = (n_hidden,) if n_hidden else ()
    few = Dataset(data.x[: 3 * n_rows].astype(dtype), data.labels[: 3 * n_rows])

    def those():
        how = replace(HOW, batch_size=n_rows)
        architecture = Architecture(4, hidden, 3, batch_norm=False)
        return [make(few, k, how, architecture=architecture) for k in range(3)]

    runs = those()
    train_until(runs, 4)
    for (run, _), twin in zip(runs, those(), strict=True):
        assert_same(run.progress, alone(twin, 4))


def test_an_interrupt_of_one_population_leaves_the_runs_of_the_next(data, monkeypatch):
    runs = [make(data, hidden=hidden) for hidden in [(4,), (4,), (5,)]]

    def press(*training):
        raise KeyboardInterrupt
        yield

    monkeypatch.setattr(lockstep, "train", press)
    with pytest.raises(KeyboardInterrupt):
        train_until(runs, 3)
    assert [run.n_epochs for run, _ in runs] == [0, 0, 0]
    assert all(not run.progress.history for run, _ in runs)


# Watching.


def test_on_epoch_hears_of_every_epoch_of_every_run(data):
    runs, heard = [make(data, k, n_val=20, **member) for k, member in enumerate(MEMBERS)], []

    def on_epoch(run, entry):
        heard.append((run, run.n_epochs, entry, run.progress.state.theta.copy()))

    train_until(runs, [4, 2, 4, 1], on_epoch)
    for (run, _), n_epochs in zip(runs, [4, 2, 4, 1], strict=True):
        mine = [each for each in heard if each[0] is run]
        assert [done for _, done, *_ in mine] == list(range(1, n_epochs + 1))
        assert [entry for _, _, entry, _ in mine] == [
            dict(zip(run.progress.history, values, strict=True))
            for values in zip(*run.progress.history.values(), strict=True)
        ]
        np.testing.assert_array_equal(mine[-1][3], run.progress.state.theta)


@pytest.mark.parametrize("stopped", [0, 2])
def test_on_epoch_stops_a_run_and_no_other(data, stopped):
    runs = [make(data, k, **member) for k, member in enumerate(MEMBERS)]

    def on_epoch(run, entry):
        return run is runs[stopped][0] and run.n_epochs == 2

    train_until(runs, 4, on_epoch)
    train_until(runs, 4)  # a run that was stopped stays so
    for k, ((run, _), member) in enumerate(zip(runs, MEMBERS, strict=True)):
        assert run.is_over == (k == stopped)
        assert_same(run.progress, alone(make(data, k, **member), 2 if k == stopped else 4))


def test_on_epoch_hears_of_a_run_that_diverges_with_its_error(data):
    heard = []
    runs = [make(data), make(data, 1, **DIVERGING)]
    train_until(runs, 2, lambda run, entry: heard.append((run, run.error)))
    (good, _), (bad, _) = runs
    assert heard == [(good, None), (bad, bad.error), (good, None)]
    assert bad.error is not None


@pytest.mark.parametrize("way", ["stop", "fail"])
def test_what_on_epoch_does_to_a_run_is_not_overruled(data, way):
    runs = [make(data, k) for k in range(2)]
    error = ValueError("seen enough")

    def on_epoch(run, entry):
        if run is runs[0][0] and way == "fail":
            run.fail(error)
        elif run is runs[0][0]:
            run.is_over = True

    train_until(runs, 4, on_epoch)
    assert [run.n_epochs for run, _ in runs] == [1, 4]
    assert [run.is_over for run, _ in runs] == [True, False]
    assert runs[0][0].error is (error if way == "fail" else None)


@pytest.mark.parametrize("n_runs", [1, 3])
@pytest.mark.parametrize("change", [{"learning_rate_init": 0.2}, {"noise": 0.3, "dropout": 0.2}])
def test_hyperparameters_that_on_epoch_changes_hold_from_the_next_epoch_on(data, n_runs, change):
    runs, twins = ([make(data, k) for k in range(n_runs)] for _ in range(2))
    changed = stack_hyperparameters([PLAIN | change])

    def on_epoch(run, entry):
        if run is runs[0][0] and run.n_epochs == 2:
            run.hyper = changed

    train_until(runs, 4, on_epoch)
    train_until(twins, 2)
    twins[0][0].hyper = changed
    for (run, _), twin in zip(runs, twins, strict=True):
        assert_same(run.progress, alone(twin, 4))


def test_runs_are_told_apart_by_themselves(data):
    (run, _), (other, _) = make(data), make(data)
    assert run != other
    assert [run, other].index(other) == 1
    assert len({run, other}) == 2


def test_an_error_of_judging_is_of_its_run_alone(data, monkeypatch):
    members, score = MEMBERS, Holdout.score
    runs = [make(data, k, n_val=30, **member) for k, member in enumerate(members)]
    for run, _ in runs:
        run.validation = runs[0][0].validation  # all are judged together
    spoilt = runs[1][0]

    def fail(holdout, dataset, network, hyper):
        theta = spoilt.progress.state.theta
        if any(np.array_equal(each, theta[0]) for each in network.theta):
            raise FloatingPointError("no score")
        return score(holdout, dataset, network, hyper)

    monkeypatch.setattr(Holdout, "score", fail)
    train_until(runs, 3)
    monkeypatch.undo()
    assert isinstance(spoilt.error, FloatingPointError)
    assert spoilt.n_epochs == 1
    for k in (0, 2, 3):
        assert runs[k][0].error is None
        assert_same(runs[k][0].result(), alone(make(data, k, n_val=30, **members[k]), 3))
