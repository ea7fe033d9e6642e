"""Networks on splits: they begin or go on, train together, and are judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from skbn._compat import estimator_task, has_callbacks, validate_parameters
from skbn.estimators.classifier import attributes_after, set_attributes
from skbn.estimators.fit_tasks import FitTasks, Rows, fit_tasks, hooks_of
from skbn.estimators.fitting import Fit, Outcome, Starts, add_validation_set, plan_fit
from skbn.estimators.population import unfitted_copy
from skbn.network.inference import TrainedNetwork
from skbn.search.jobs import Assignment, Done
from skbn.search.judging import Score, failed, failure, judged
from skbn.search.splits import Rules, Split
from skbn.training.lockstep import Task, cached_parts, run_together
from skbn.training.run import Entry, Run

CURVES = ("loss", "validation_loss", "validation_accuracy")
"""Names of the learning curves of networks."""


def n_bytes_of_fit(fit: Fit) -> int:
    """Bytes of what networks go on from."""
    arrays: list[Any] = []
    for run in fit.runs:
        state = run.progress.state
        arrays += [state.theta, *state.vectors]
        arrays += [run.best and run.best.theta, run.kept and run.kept[0]]
    return sum(array.nbytes for array in arrays if array is not None)


def train_networks(
    assignments: Sequence[Assignment], splits: Mapping[int, Split], rules: Rules
) -> list[Done]:
    """Train networks as far as their jobs say, and judge them, until time is over.

    Parameters
    ----------
    assignments : sequence of Assignment
    splits : mapping of int to Split
        Those of the jobs, by number.
    rules : Rules
    """
    starts = Starts()
    attempts = [_Attempt(each, splits[each.job.split], rules) for each in assignments]
    with ExitStack() as callbacks:
        for attempt in attempts:
            attempt.begin(starts)
            attempt.tell(callbacks)
        run_together(
            [task for attempt in attempts for task in attempt.tasks()],
            memory_budget=rules.memory_budget,
            is_over=rules.limit.is_over,
            **_heard(attempts, rules, hooks_of(attempt.told for attempt in attempts)),
        )
        attempts = [attempt for attempt in attempts if attempt.is_trained]
        for attempt in attempts:
            attempt.end()
    known = _accuracies(attempts, rules)
    made = []
    for attempt in attempts:
        score = known.get(attempt.assignment.job.key)
        if score is not None or not rules.limit.is_over():
            made.append(attempt.done(score))
    return made


def _heard(attempts: Sequence[_Attempt], rules: Rules, hooks: dict[str, Any]) -> dict[str, Any]:
    """Add to hooks, if the workload is in this process, one that tells it of each epoch."""
    workload, on_epoch = rules.workload, hooks.get("on_epoch")
    if workload is None:
        return hooks
    parts: dict[Any, tuple[tuple[int, int], float]] = {}
    for attempt in attempts:
        tasks = attempt.tasks()
        n_epochs = sum(max(0, task.until - task.run.n_epochs) for task in tasks)
        parts |= {task.run: (attempt.assignment.job.key, 1 / max(n_epochs, 1)) for task in tasks}

    def tell(run: Run, entry: Entry) -> object:
        key, part = parts[run]
        workload.hear(key, entry["seconds"], part)
        return None if on_epoch is None else on_epoch(run, entry)

    return hooks | {"on_epoch": tell}


@dataclass
class _Attempt:
    """An assignment on its way: a fit and its outcome, or an error."""

    assignment: Assignment
    split: Split
    rules: Rules
    fit: Fit | None = None
    n_before: int = 0  # epochs
    outcome: Outcome | None = None
    fitted: Any = None
    error: str = ""
    told: FitTasks | None = None
    callbacks: ExitStack = field(default_factory=ExitStack)  # ends with the fit

    def begin(self, starts: Starts) -> None:
        """Plan the fit, or take the one to go on with."""
        assignment, table = self.assignment, self.split.table
        if table is None:
            self.error = self.split.error
            return
        if assignment.state is not None:
            # The table is another one than that of the state, if a process or time lies between.
            add_validation_set(table, self.split.fit_params)
            self.fit, self.n_before = assignment.state, assignment.state.runs[0].n_epochs
            return
        estimator = assignment.estimator
        # All splits start from the same seed, but a stream of random numbers must not be shared.
        if isinstance(estimator.random_state, np.random.RandomState):
            estimator = clone(estimator)
        try:
            if not assignment.is_valid:
                validate_parameters(estimator)
            self.fit = plan_fit(estimator, table, self.split.fit_params, starts=starts)
            if self.rules.by_epochs and self.fit.runs[0].best is None:
                self.fit.runs[0].validation = self.split.holdout
        except Exception as error:
            self.error = failure(self.rules, error)

    def tell(self, callbacks: ExitStack) -> None:
        """Tell callbacks that the fit begins, and when it ends: those of the search too."""
        assignment, split = self.assignment, self.split
        if assignment.callbacks is None and not has_callbacks(assignment.estimator):
            return
        estimator = unfitted_copy(assignment.estimator)  # that of no other split
        callbacks.enter_context(self.callbacks)
        try:
            if assignment.callbacks is not None:
                self.callbacks.enter_context(estimator_task(*assignment.callbacks, estimator))
            if self.fit is not None and split.table is not None:
                rows = Rows.of_table(split.table, split.fit_params)
                until = self.tasks()[0].until
                tasks = fit_tasks(estimator, "fit", self.fit, split.table, rows, until)
                self.told = self.callbacks.enter_context(tasks)
        except Exception as error:
            self.fit, self.error = None, failure(self.rules, error)

    def tasks(self) -> list[Task]:
        """Give the runs that are left to train."""
        if self.fit is None:
            return []
        return self.fit.tasks(self.split.dataset, self.assignment.job.until)

    @property
    def is_trained(self) -> bool:
        """Whether nothing is left to train; not so if time was over before."""
        return all(run.is_over or run.n_epochs >= until for run, _, until in self.tasks())

    def end(self) -> None:
        """Calibrate the networks, and make a fitted estimator if the scorer needs one."""
        if self.fit is None or self.split.table is None:
            return
        try:
            with self.callbacks:
                self.outcome = self.fit.outcome(self.split.dataset)
                if self.told is not None:
                    self.told.end(self.outcome)
            if not _is_counted(self.split, self.rules):
                fitted = unfitted_copy(self.assignment.estimator)
                attributes = attributes_after(fitted, self.split.table, self.outcome)
                set_attributes([(fitted, attributes)])
                self.fitted = fitted
        except Exception as error:
            self.error = failure(self.rules, error)

    def done(self, known: Score | None) -> Done:
        """Give the result, and the fit if it is to go on."""
        job, split, rules, fit = self.assignment.job, self.split, self.rules, self.fit
        if fit is None:
            return failed(job, split, rules, self.error)
        history, n = fit.runs[0].progress.history, self.n_before
        measured = {
            "fit_time": sum(sum(run.progress.history["seconds"][n:]) for run in fit.runs),
            "n_epochs": fit.runs[0].n_epochs,
            "ended": all(run.is_over or run.n_epochs >= fit.until for run in fit.runs),
            "curves": {name: history[name][n:] for name in CURVES if name in history},
        }
        if self.error:
            return failed(job, split, rules, self.error, measured)
        state = None if job.is_last else fit
        return judged(job, split, rules, self.fitted, measured, state, known)


def _is_counted(split: Split, rules: Rules) -> bool:
    """Whether the score is no more than the fraction of known labels that are right."""
    return rules.accuracy and split.labels is not None and not split.score_params


def _accuracies(attempts: Sequence[_Attempt], rules: Rules) -> dict[tuple[int, int], Score]:
    """Fractions of the rows to test on that are right; networks of one architecture together."""
    groups: defaultdict[Any, list[Any]] = defaultdict(list)
    for attempt in attempts:
        job, outcome = attempt.assignment.job, attempt.outcome
        if outcome is not None and _is_counted(attempt.split, rules):
            networks = outcome.ensemble.networks
            groups[job.split, networks[0].architecture, len(networks)].append(attempt)
    known: dict[tuple[int, int], Score] = {}
    for (_, architecture, n_networks), group in groups.items():
        labels = group[0].split.labels
        for part in cached_parts(group, len(labels) * architecture.n_outputs * n_networks):
            known |= _accuracies_of(part)
    return known


def _accuracies_of(attempts: Sequence[_Attempt]) -> dict[tuple[int, int], Score]:
    """Accuracies of networks judged at a time; an error is of the network it comes from."""
    try:
        started = perf_counter()
        values = _fractions_right(attempts)
        seconds = (perf_counter() - started) / len(attempts)
    except Exception as error:
        if len(attempts) == 1:
            attempts[0].error = failure(attempts[0].rules, error)
            return {}
        return {key: score for each in attempts for key, score in _accuracies_of([each]).items()}
    keys = [attempt.assignment.job.key for attempt in attempts]
    return {key: Score(value, seconds) for key, value in zip(keys, values, strict=True)}


def _fractions_right(attempts: Sequence[_Attempt]) -> list[float]:
    split = attempts[0].split
    ensembles = [attempt.outcome.ensemble for attempt in attempts if attempt.outcome is not None]
    stacked = TrainedNetwork.stacked([each for e in ensembles for each in e.networks])
    logits, n = stacked.logits(split.x_test), len(ensembles[0].networks)
    combined = [
        e.combine(logits[i * n : (i + 1) * n], split.x_test) for i, e in enumerate(ensembles)
    ]
    return [float(np.average(each.argmax(axis=1) == split.labels)) for each in combined]
