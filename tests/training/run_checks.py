"""What the tests of runs share: runs, a plain loop to compare with, comparisons."""

import numpy as np

from skbn import BNSoftmaxClassifier
from skbn.network.architecture import Architecture
from skbn.network.epochs import PER_MEMBER, Data, Settings, stack_hyperparameters, train
from skbn.training.holdout import BestState, Holdout
from skbn.training.lockstep import Task, run_together
from skbn.training.run import Progress, Run

PLAIN = {name: getattr(BNSoftmaxClassifier(), name) for name in PER_MEMBER}
PLAIN |= {"learning_rate_init": 0.02, "max_iter": 4, "beta_2": 0.99, "alpha": 0.0}
MEMBERS = [
    {},
    {"dropout": 0.3, "alpha": 0.1, "focal_gamma": 0.7},
    {"max_grad_norm": 0.2, "input_dropout": 0.2, "noise": 0.3, "max_iter": 9},
    {"label_smoothing": 0.2, "bn_momentum": 0.5, "input_noise": 0.1, "learning_rate_init": 0.2},
]
HOW = Settings("adam", True, "one_cycle", 16, True)
DIVERGING = {"learning_rate_init": 1e30}


def make(data, seed=0, how=HOW, hidden=(6,), n_val=0, patience=10, architecture=None, **member):
    """A run from its start, and its rows; with validation on the last rows of the table."""
    architecture = architecture or Architecture(data.x.shape[1], hidden, 3)
    progress = Progress.new(architecture, how.solver, "auto", data.x.dtype, [seed])
    run = Run(progress, how, stack_hyperparameters([PLAIN | member]))
    if n_val:
        rows = np.arange(len(data.labels) - n_val, len(data.labels))
        run.validation, run.best = Holdout(rows), BestState(1e-4, patience)
    return run, data


def train_until(runs, until, *arguments):
    """Train runs with their rows, each until an epoch of its own or all until the same."""
    until = np.broadcast_to(until, len(runs)).tolist()
    tasks = [Task(*run, n_epochs) for run, n_epochs in zip(runs, until, strict=True)]
    run_together(tasks, *arguments)


def alone(made, n_epochs):
    """What a run comes to by itself, in a plain loop over the epochs of the core."""
    run, data = made
    progress, rows = run.progress, None if run.rows is None else run.rows[None]
    progress.bn_epsilon = run.hyper["bn_epsilon"]
    weights = None if run.weights is None else run.weights[None]
    epochs = train(
        progress.architecture,
        run.settings,
        run.hyper,
        progress.state,
        Data(data.x, data.labels, rows, weights),
    )
    lowest, kept = np.inf, None
    while progress.state.n_epochs < n_epochs:
        epoch = next(epochs)
        if not epoch.finite[0]:
            raise ValueError(f"diverged in epoch {progress.state.n_epochs}")
        entry = {name: getattr(epoch, name)[0] for name in ("loss", "learning_rate")}
        entry["gradient_norm"] = epoch.gradient_norm[0]
        if run.validation is not None:
            network = progress.network
            score = run.validation.score(data, network, run.hyper)
            entry |= {f"validation_{name}": value[0] for name, value in score.items()}
        for name, value in {**entry, "seconds": 0.0}.items():
            progress.history.setdefault(name, []).append(value)
        progress.kept_epoch = progress.state.n_epochs
        if run.best is not None:
            if entry["validation_loss"] < lowest:
                lowest = entry["validation_loss"]
                kept = progress.state.theta.copy(), progress.state.n_epochs
            if run.best.update(entry["validation_loss"], progress.state.theta, 0):
                break
    return progress if kept is None else progress.with_theta(*kept)


def assert_same(progress, other):
    np.testing.assert_array_equal(progress.state.theta, other.state.theta, strict=True)
    for mine, its in zip(progress.state.vectors, other.state.vectors, strict=True):
        np.testing.assert_array_equal(mine, its, strict=True)
    np.testing.assert_array_equal(progress.state.sums, other.state.sums, strict=True)
    np.testing.assert_array_equal(progress.bn_epsilon, other.bn_epsilon, strict=True)
    assert progress.state.n_epochs == other.state.n_epochs
    assert progress.kept_epoch == other.kept_epoch
    assert list(progress.history) == list(other.history)
    for name in progress.history.keys() - {"seconds"}:
        np.testing.assert_array_equal(progress.history[name], other.history[name])
