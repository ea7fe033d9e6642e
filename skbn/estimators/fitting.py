"""From parameters and a checked table to the runs of an estimator, and to their outcome."""

from __future__ import annotations

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields, replace
from functools import lru_cache
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from sklearn.utils import check_random_state

from skbn.checks import check_weights, class_weights, times_class_weights
from skbn.estimators.checked_table import HOW_TO_TRANSFORM, CheckedTable
from skbn.estimators.parameters import (
    architecture_of,
    effective_rows,
    hyperparameters_of,
    layer_sizes,
    settings_of,
)
from skbn.network.architecture import Architecture
from skbn.network.epochs import PER_MEMBER
from skbn.network.parameters import Array, Indices
from skbn.network.schedules import FLOOR, multipliers
from skbn.training.ensemble import Ensemble, fit_temperature
from skbn.training.holdout import BestState, Dataset, Holdout, stratified_rows
from skbn.training.lockstep import BeforeEpoch, OnEpoch, Task, run_together
from skbn.training.run import Entry, Progress, Run

CHANGEABLE = (
    *PER_MEMBER,
    *("learning_rate", "nesterovs_momentum", "batch_size", "shuffle"),
    *("tol", "n_iter_no_change", "verbose"),
)
"""Parameters that may change in the middle of a training: they decide no shape, no row and no
weight of a row."""
LARGE_TEMPERATURE = 20
"""Networks that fit rows like those trained on have temperatures of some 0.5 to 5."""


class Starts:
    """Networks before their first step, drawn once for all estimators that begin alike."""

    def __init__(self) -> None:
        self._drawn: dict[Any, Progress] = {}

    def draw(self, *which: Any) -> Progress:
        """Give a network as `Progress.new` does; its state is shared until it trains."""
        if which not in self._drawn:
            self._drawn[which] = Progress.new(*which)
        return self._drawn[which].copy()


class Outcome(NamedTuple):
    """A finished fit: an ensemble to predict with, and progress to go on from."""

    ensemble: Ensemble
    progress: list[Progress]

    def detached(self) -> Outcome:
        """Give a copy that shares nothing that changes in training."""
        progress = [each.detached() for each in self.progress]
        networks = [each.network for each in progress[: len(self.ensemble.networks)]]
        return Outcome(replace(self.ensemble, networks=networks), progress)


def fitted_attributes(table: CheckedTable, outcome: Outcome) -> dict[str, Any]:
    """Give the fitted attributes of a classifier with the outcome of a fit on a table."""
    features = {
        name: getattr(table.checker, name)
        for name in ("n_features_in_", "feature_names_in_")
        if hasattr(table.checker, name)
    }
    first = outcome.progress[0]
    return features | {
        "classes_": table.classes,
        "n_iter_": first.state.n_epochs,
        "history_": first.history,
        "loss_": first.history["loss"][first.kept_epoch - 1],
        "temperature_": outcome.ensemble.temperature,
        "_ensemble": outcome.ensemble,
        "_progress": outcome.progress,
    }


@dataclass(eq=False)
class Fit:
    """The runs of one estimator.

    Parameters
    ----------
    runs : list of Run
        The first learns from all rows, unless a validation set is set aside.
    n_averaged : int
        How many of them predict; others are there to calibrate on what they leave out.
    calibrates : bool
    until : int
        Epochs to have done in the end.
    """

    runs: list[Run]
    n_averaged: int
    calibrates: bool
    until: int

    @property
    def error(self) -> Exception | None:
        """Why one of the runs failed."""
        return next((run.error for run in self.runs if run.error is not None), None)

    def next_epoch(self, dataset: Dataset) -> list[Task]:
        """Give the runs as tasks of one more epoch each."""
        return [Task(run, dataset, run.n_epochs + 1) for run in self.runs]

    def tasks(self, dataset: Dataset, until: int | None = None) -> list[Task]:
        """Give the runs as tasks, to the end or until an earlier epoch."""
        until = self.until if until is None else min(until, self.until)
        return [Task(run, dataset, until) for run in self.runs]

    def outcome(self, dataset: Dataset) -> Outcome:
        """Calibrate, and give the outcome; raise the error of a run that failed."""
        if self.error is not None:
            raise self.error
        held_out = [
            (run.held_out_logits(dataset), *run.held_out.labels_and_weights(dataset))
            for run in self.runs
            if run.held_out is not None
        ]
        progress = [run.result() for run in self.runs]
        totals = self.runs[0].class_totals(dataset)
        progress[0] = replace(progress[0], class_totals=totals)
        networks = [kept.network for kept in progress[: self.n_averaged]]
        temperature = fit_temperature(held_out) if self.calibrates else 1.0
        return Outcome(Ensemble(networks, temperature), progress)

    def warned_outcome(self, dataset: Dataset) -> Outcome:
        """Give the outcome, after a warning if there are doubts about it."""
        outcome = self.outcome(dataset)
        temperature = outcome.ensemble.temperature
        if doubts := self._doubts_about_validation_set(dataset, temperature):
            warnings.warn(doubts, stacklevel=3)
        return outcome

    def _doubts_about_validation_set(self, dataset: Dataset, temperature: float) -> str:
        """Tell if what was learned does not hold on the rows of `X_val`."""
        run = self.runs[0]
        if run.validation is None or not run.validation.of_validation or run.best is None:
            return ""
        # Logits are of any scale under a loss of one's own.
        is_built_in = isinstance(run.progress.architecture.loss, str)
        if is_built_in and temperature > LARGE_TEMPERATURE:
            what = f"the temperature that fits its rows is above {LARGE_TEMPERATURE}"
        elif run.is_worse_than_guessing(dataset):
            what = "its loss was above that of guessing by the class frequencies in every epoch"
        else:
            return ""
        return (
            f"What was learned from X does not hold on X_val: {what}. {HOW_TO_TRANSFORM}. If it "
            "was, look at its labels; or there is nothing to learn"
        )


def plan_fit(
    estimator: Any,
    table: CheckedTable,
    fit_params: Mapping[str, Any],
    *,
    rows: Indices | None = None,
    progress: Sequence[Progress] = (),
    starts: Starts | None = None,
) -> Fit:
    """Give the runs of an estimator.

    Parameters
    ----------
    estimator : BNSoftmaxClassifier
        Its parameters are read.
    table : CheckedTable
        Given a validation set if there is one.
    fit_params : mapping of str to object
        Further arguments of `BNSoftmaxClassifier.fit`; weights are of the rows trained on.
    rows : int ndarray of shape (n,), optional
        Rows of the table to train on; all of them by default.
    progress : sequence of Progress, optional
        Networks to go on with.
    starts : Starts, optional
        Networks that were drawn so far: estimators of one seed share them.

    Returns
    -------
    fit : Fit
    """
    weighted = _weigh(estimator, table, fit_params.get("sample_weight"), rows)
    validation = _validation_set(table, fit_params, weighted.class_weights)
    n_averaged, calibrates = ensemble_of(estimator)
    n_trained = n_networks(estimator, validation is not None)
    networks = _networks(estimator, table, n_trained, progress, starts)
    runs = [
        _plan_run(estimator, table.dataset, weighted, network, validation, calibrates and k > 0)
        for k, network in enumerate(networks)
    ]
    return Fit(runs, n_averaged, calibrates, estimator.max_iter)


class _WeightedRows(NamedTuple):
    """Rows that an estimator may train on: labels, weights, and positions in a dataset.

    Sample weights say how many rows there are, class weights what errors cost.
    """

    labels: Indices
    sample_weights: Array
    class_weights: Array  # of each class
    weights: Array  # their products; zero for rows to leave out
    positions: Indices | None  # None is all rows, in order

    def in_dataset(self, chosen: Indices) -> Indices:
        """Give the positions in the dataset of some of the rows."""
        return chosen if self.positions is None else self.positions[chosen]


def _weigh(
    estimator: Any, table: CheckedTable, sample_weight: Any, rows: Indices | None = None
) -> _WeightedRows:
    """Weigh the rows."""
    labels = table.dataset.labels if rows is None else table.dataset.labels[rows]
    sample_weights = check_weights(sample_weight, len(labels))
    per_class = class_weights(estimator.class_weight, table.classes, labels, sample_weights)
    weights = times_class_weights(sample_weights, per_class, labels, "sample_weight")
    # A weight too small for the dtype of training would be no weight at all there.
    tiny = np.finfo(estimator.dtype).tiny
    for each in (sample_weights, weights):
        weights[each < each.max() * tiny] = 0
    return _WeightedRows(labels, sample_weights, per_class, weights, rows)


def _validation_set(
    table: CheckedTable, fit_params: Mapping[str, Any], per_class: Array
) -> Holdout | None:
    """Check the validation set that `fit` is given, and weigh its rows."""
    sample_weight_val = fit_params.get("sample_weight_val")
    if not add_validation_set(table, fit_params):
        if sample_weight_val is not None:
            raise ValueError("sample_weight_val was given without X_val and y_val")
        return None
    everything = Holdout(of_validation=True)
    labels = everything.labels(table.dataset)
    weights = check_weights(sample_weight_val, len(labels), "sample_weight_val")
    weights = times_class_weights(weights, per_class, labels, "sample_weight_val")
    return replace(everything, weights=weights)


def add_validation_set(table: CheckedTable, fit_params: Mapping[str, Any]) -> bool:
    """Give a table the validation set that `fit` is given, and tell whether there is one."""
    X_val, y_val = fit_params.get("X_val"), fit_params.get("y_val")
    if (X_val is None) != (y_val is None):
        raise ValueError("X_val and y_val go together; one of them is missing")
    if X_val is not None:
        table.add_validation_set(X_val, y_val)
    return X_val is not None


def ensemble_of(estimator: Any) -> tuple[int, bool]:
    """How many networks predict, and whether to calibrate them."""
    # Softmax regression has one optimum, and no excess of confidence to take back.
    is_deep = len(layer_sizes(estimator)) > 0
    return (estimator.n_members, estimator.calibrate) if is_deep else (1, False)


def n_networks(estimator: Any, has_validation_set: bool = False) -> int:
    """How many networks are trained: without a validation set, one may be to calibrate."""
    n_averaged, calibrates = ensemble_of(estimator)
    leaves_out = calibrates and not has_validation_set and not estimator.early_stopping
    return max(2, n_averaged) if leaves_out else n_averaged  # the first learns from all rows


def _networks(
    estimator: Any,
    table: CheckedTable,
    n_trained: int,
    progress: Sequence[Progress] = (),
    starts: Starts | None = None,
) -> list[Progress]:
    """Give networks to train: copies of those that were trained, and new ones."""
    architecture = architecture_of(estimator, table)
    networks = [_continued(estimator, architecture, each) for each in progress[:n_trained]]
    if len(networks) == n_trained:
        return networks
    seed, starts = estimator.random_state, starts or Starts()
    first = _entropy_of_seed(int(seed)) if isinstance(seed, Integral) else _entropy(seed)
    for number in range(len(networks), n_trained):
        entropy = (*first, number) if number else first
        how = estimator.solver, estimator.initializer, estimator.dtype
        networks.append(starts.draw(architecture, *how, entropy))
    return networks


def _entropy(random_state: Any) -> tuple[int, ...]:
    return tuple(check_random_state(random_state).randint(2**31, size=4).tolist())


# The members of a population often have one seed, and to seed a RandomState takes 80 us.
_entropy_of_seed = lru_cache(maxsize=128)(_entropy)


def _continued(estimator: Any, architecture: Architecture, progress: Progress) -> Progress:
    """Copy a network, after making sure that it can go on and is of the shape asked for."""
    if not progress.can_go_on:
        raise ValueError(
            "This model was saved without training state and cannot go on training: save it with "
            "skbn.export.save_model(..., training_state=True), or fit anew with warm_start=False"
        )
    # What the data decide was checked with them.
    by_data = "n_features", "n_outputs"
    names = [field.name for field in fields(Architecture) if field.name not in by_data]
    has = {name: getattr(progress.architecture, name) for name in names}
    has |= {"solver": progress.solver, "dtype": progress.state.theta.dtype.name}
    asked = {name: getattr(architecture, name) for name in names}
    asked |= {"solver": estimator.solver, "dtype": estimator.dtype}
    for name in has:
        if asked[name] != has[name]:
            before, now = repr(has[name]), repr(asked[name])
            if now == before:
                now = f"another {now} (other code, or other values that it reads)"
            raise ValueError(
                f"{name} was changed from {before} to {now}, with which the trained network "
                "cannot go on; set it back, or fit anew with warm_start=False"
            )
    return progress.copy()


def plan_partial_fit(
    estimator: Any, table: CheckedTable, sample_weight: Any, progress: Sequence[Progress]
) -> Fit:
    """Give the runs of an estimator that train for one epoch on all rows of a table.

    Parameters
    ----------
    estimator : BNSoftmaxClassifier
    table : CheckedTable
    sample_weight : array-like of shape (n,) or None
    progress : sequence of Progress
        Networks to go on with; empty at the first call.

    Returns
    -------
    fit : Fit

    Warns
    -----
    UserWarning
        At the first call past ``max_iter``, if the schedule has sunk to its end.
    """
    weighted = _weigh(estimator, table, sample_weight)
    # A new member would have as much of a say as those that are trained.
    n_averaged, _ = ensemble_of(estimator)
    n_trained = min(n_averaged, len(progress)) if progress else n_averaged
    networks = _networks(estimator, table, n_trained, progress)
    if progress and (words := end_of_schedule(estimator, progress[0], "partial_fit")):
        warnings.warn(words, stacklevel=3)
    chosen = np.flatnonzero(weighted.weights)
    runs = [_run(estimator, weighted, each, chosen) for each in networks]
    return Fit(runs, n_averaged, calibrates=False, until=estimator.max_iter)


def end_of_schedule(estimator: Any, progress: Progress, method: str) -> str:
    """Say so before the first epoch at the lowest rate, past the end of a schedule."""
    past_end = progress.state.n_epochs - estimator.max_iter
    last_rate = progress.history["learning_rate"][-1]
    if past_end < 0 or (past_end > 0 and last_rate < 1.01 * FLOOR * estimator.learning_rate_init):
        return ""
    name, end = estimator.learning_rate, estimator.max_iter
    decay, warmup = np.array(estimator.learning_rate_decay), estimator.warmup_fraction
    warmup = np.array(np.nan if warmup is None else warmup)
    # In epoch 0, so as to leave out those that sink by epochs, as the user has set them.
    if multipliers(name, np.ones(()), np.zeros(()), decay, warmup) > FLOOR:
        return ""
    return (
        f"{method} goes on past max_iter={end}, where learning_rate={name!r} has sunk to "
        f"{FLOOR:.0%} of learning_rate_init and stays there. For a training without an end set "
        'learning_rate="constant" or "inverse_time", or max_iter to the number of epochs'
    )


def _plan_run(
    estimator: Any,
    dataset: Dataset,
    rows: _WeightedRows,
    progress: Progress,
    validation: Holdout | None,
    leaves_out: bool,
) -> Run:
    """Give the run of a network; one that leaves out rows is calibrated on them."""
    done, max_iter = progress.state.n_epochs, estimator.max_iter
    if done > max_iter:
        raise ValueError(
            f"max_iter={max_iter} is below the n_iter_={done} epochs already trained; "
            "with warm_start=True it counts all epochs, so raise it to go on"
        )
    chosen: Indices = np.flatnonzero(rows.weights)
    calibration = None
    if validation is None and (estimator.early_stopping or leaves_out):
        left, drawn = _split(estimator, rows.labels, chosen, progress.split_seed)
        holdout = Holdout(rows.in_dataset(drawn), rows.weights[drawn])
        if estimator.early_stopping and not drawn.size:
            raise ValueError(
                "early_stopping needs at least two rows in one of the classes to set a row "
                f"aside; got {len(chosen)} rows, all of different classes"
            )
        if estimator.early_stopping:
            chosen, validation = left, holdout
        elif drawn.size and len(left) >= 2:  # enough for batch norm, unlike of three rows
            chosen, calibration = left, holdout
    run = _run(estimator, rows, progress, chosen)
    run.calibration, run.validation = calibration, validation
    if validation is not None:
        run.best = BestState(estimator.tol, estimator.n_iter_no_change)
        if 0 < done < max_iter:
            loss = validation.score(dataset, progress.network, run.hyper)["loss"].item()
            run.best.update(loss, progress.state.theta, progress.kept_epoch)
    return run


def _split(
    estimator: Any, labels: Indices, chosen: Indices, seed: np.random.SeedSequence
) -> tuple[Indices, Indices]:
    """Part rows into those left for training and those to set aside, stratified."""
    stream = np.random.default_rng(seed)
    drawn = chosen[stratified_rows(labels[chosen], estimator.validation_fraction, stream)]
    return np.setdiff1d(chosen, drawn, assume_unique=True), drawn


def _run(estimator: Any, rows: _WeightedRows, progress: Progress, chosen: Indices) -> Run:
    """Give a run on the chosen ones of some rows."""
    architecture = progress.architecture
    if len(chosen) < 2 and architecture.normalised:
        raise ValueError(
            "batch norm needs at least two training rows of positive weight, got "
            f"n_samples={len(chosen)}; give it more rows or set batch_norm=False"
        )
    weights, by_class = rows.sample_weights[chosen], rows.class_weights[rows.labels[chosen]]
    is_balanced = _are_equal(by_class)
    n_rows = len(chosen) if is_balanced else effective_rows(by_class, weights)
    is_everything = rows.positions is None and len(chosen) == len(rows.labels)
    return Run(
        progress,
        settings_of(estimator, n_rows),
        hyperparameters_of(estimator),
        None if is_everything else rows.in_dataset(chosen),
        None if _are_equal(weights) else _of_mean_one(weights, estimator.dtype),
        None if is_balanced else _of_mean_one(rows.weights[chosen], estimator.dtype),
        effective_rows=n_rows,
    )


def change_training(fit: Fit, estimator: Any) -> None:
    """Let the runs of a fit go on with the parameters of ``CHANGEABLE`` that an estimator has."""
    for run in fit.runs:
        run.settings = settings_of(estimator, run.effective_rows)
        run.hyper = hyperparameters_of(estimator)
        if run.best is not None:
            run.best.tol = estimator.tol


def _are_equal(weights: Array) -> bool:
    return bool((weights == weights[0]).all())


def _of_mean_one(weights: Array, dtype: str) -> Array:
    scaled: Array = (weights / weights.mean()).astype(dtype)
    return scaled


def print_epoch(fit: Fit, on_epoch: OnEpoch | None) -> OnEpoch:
    """Give a callback that prints a line on each epoch of the first run, and calls another."""

    def show(run: Run, entry: Entry) -> object:
        if run is fit.runs[0] and run.error is None:
            measured = "  ".join(f"{name} {value:.4g}" for name, value in entry.items())
            print(f"epoch {run.n_epochs:>{len(str(fit.until))}}/{fit.until}  {measured}")
        return on_epoch(run, entry) if on_epoch is not None else False

    return show


def train_alone(
    fit: Fit,
    dataset: Dataset,
    on_epoch: OnEpoch | None = None,
    before_epoch: BeforeEpoch | None = None,
) -> None:
    """Train the runs of one estimator; Ctrl-C ends them at a whole epoch.

    Parameters
    ----------
    fit : Fit
        Changed in place.
    dataset : Dataset
    on_epoch, before_epoch : callable, optional
        As of `run_together`.

    Warns
    -----
    UserWarning
        On Ctrl-C, which leaves the network of the last whole epoch, or the first member.
    """
    first, *others = fit.tasks(dataset)
    progress, whole = first.run.progress, None
    if progress.state.n_epochs:
        whole = progress.snapshot()

    def watch(run: Run, entry: Entry) -> object:
        nonlocal whole
        whole = progress.snapshot()
        return on_epoch(run, entry) if on_epoch is not None else False

    message, stopped = "", "Training interrupted by the user"
    try:
        run_together([first], watch, before_epoch=before_epoch)
    except KeyboardInterrupt:
        if whole is None:
            raise
        progress.go_back(whole)
        done = progress.state.n_epochs
        message = f"{stopped} in epoch {done + 1}; the model is that of epoch {done}"
    try:
        if not (message or first.run.error):
            run_together(others, on_epoch, before_epoch=before_epoch)
    except KeyboardInterrupt:
        message = f"{stopped}; the model is that of its first member alone"
    if message:
        fit.runs = [first.run]
        warnings.warn(message, stacklevel=3)
