"""Networks on splits: they begin or go on, train together, and are judged."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone

from skbn._compat import validate_parameters
from skbn.estimators.classifier import published
from skbn.estimators.fitting import Fit, Outcome, Starts, plan_fit
from skbn.network.inference import TrainedNetwork
from skbn.search.jobs import Assignment, Done
from skbn.search.judging import Score, failed, failure, judged
from skbn.search.splits import Rules, Split
from skbn.training.lockstep import cached_parts, run_together

CURVES = ("loss", "validation_loss", "validation_accuracy")
"""Names of the learning curves of networks."""


def n_bytes_of_fit(fit: Fit) -> int:
    """Bytes of what networks go on from."""
    arrays: list[Any] = []
    for run in fit.runs:
        state = run.progress.state
        arrays += [state.theta, *state.vectors, None if run.best is None else run.best.theta]
    return sum(array.nbytes for array in arrays if array is not None)


@dataclass
class _Attempt:
    """An assignment on its way: a fit and its outcome, or an error."""

    assignment: Assignment
    split: Split
    estimator: Any = None
    fit: Fit | None = None
    n_before: int = 0
    outcome: Outcome | None = None
    fitted: Any = None
    error: str = ""


def train_networks(
    assignments: Sequence[Assignment], splits: dict[int, Split], rules: Rules
) -> list[Done]:
    """Train networks as far as their jobs say, and judge them.

    Parameters
    ----------
    assignments : sequence of Assignment
    splits : dict of int to Split
        Those of the jobs, by number.
    rules : Rules
    """
    starts: Starts = {}
    attempts = [_Attempt(each, splits[each.job.split]) for each in assignments]
    for attempt in attempts:
        _begin(attempt, rules, starts)
    tasks = [
        task
        for attempt in attempts
        if attempt.fit is not None
        for task in attempt.fit.tasks(attempt.split.dataset, attempt.assignment.job.until)
    ]
    run_together(tasks, memory_budget=rules.memory_budget)
    for attempt in attempts:
        _end(attempt, rules)
    known = _accuracies(attempts, rules)
    return [_tell(attempt, rules, known.get(attempt.assignment.job.key)) for attempt in attempts]


def _begin(attempt: _Attempt, rules: Rules, starts: Starts) -> None:
    """Plan the fit of an assignment, or take the one that it goes on with."""
    assignment, split = attempt.assignment, attempt.split
    attempt.estimator, attempt.error = assignment.estimator, split.error
    try:
        if split.error or split.table is None:
            return
        if assignment.state is not None:
            attempt.fit = assignment.state
            attempt.n_before = assignment.state.runs[0].n_epochs
            return
        # All splits start from the same seed, but a stream of random numbers must not be shared.
        if isinstance(assignment.estimator.random_state, np.random.RandomState):
            attempt.estimator = clone(assignment.estimator)
        if not assignment.is_valid:
            validate_parameters(attempt.estimator)
        fit = plan_fit(attempt.estimator, split.table, split.fit_params, starts=starts)
        if rules.by_epochs and fit.runs[0].best is None:
            fit.runs[0].validation = split.holdout
        attempt.fit = fit
    except Exception as error:
        attempt.error = failure(rules, error)


def _end(attempt: _Attempt, rules: Rules) -> None:
    """Calibrate what was trained, and make a fitted estimator of it if the scorer needs one."""
    fit, split = attempt.fit, attempt.split
    if fit is None or split.table is None:
        return
    try:
        attempt.outcome = fit.outcome(split.dataset)
        if not _is_counted(split, rules):
            attempt.fitted = published(attempt.estimator, split.table, attempt.outcome)
    except Exception as error:
        attempt.error = failure(rules, error)


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
            known |= _accuracies_of(part, n_networks)
    return known


def _accuracies_of(attempts: Sequence[_Attempt], n_networks: int) -> dict[tuple[int, int], Score]:
    """The same of as many as are judged at a time."""
    started, split = perf_counter(), attempts[0].split
    ensembles = [attempt.outcome.ensemble for attempt in attempts if attempt.outcome is not None]
    together = TrainedNetwork.stacked([each for e in ensembles for each in e.networks])
    logits = together.logits(split.x_test)
    values = []
    for i, ensemble in enumerate(ensembles):
        combined = ensemble.combine(logits[i * n_networks : (i + 1) * n_networks])
        values.append(float(np.average(combined.argmax(axis=1) == split.labels)))
    seconds = (perf_counter() - started) / len(attempts)
    keys = [attempt.assignment.job.key for attempt in attempts]
    return {key: Score(value, seconds) for key, value in zip(keys, values, strict=True)}


def _tell(attempt: _Attempt, rules: Rules, known: Score | None) -> Done:
    """Give the result of an assignment, and what it can go on from."""
    job, split, fit, n = attempt.assignment.job, attempt.split, attempt.fit, attempt.n_before
    if fit is None:
        return failed(job, split, rules, attempt.error)
    history = fit.runs[0].progress.history
    measured = {
        "fit_time": sum(sum(run.progress.history["seconds"][n:]) for run in fit.runs),
        "n_epochs": fit.runs[0].n_epochs,
        "ended": all(run.is_over or run.n_epochs >= fit.until for run in fit.runs),
        "curves": {name: history[name][n:] for name in CURVES if name in history},
    }
    if attempt.error:
        return failed(job, split, rules, attempt.error, measured)
    state = None if job.is_last else fit
    return judged(job, split, rules, attempt.fitted, measured, state, known)
