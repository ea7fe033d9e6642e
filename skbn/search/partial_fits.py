"""Estimators other than networks on splits: they train by ``partial_fit``, a call an epoch."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier

from skbn.search.jobs import Assignment, Done
from skbn.search.judging import failed, failure, judged
from skbn.search.splits import Rules, Split


def train_by_partial_fit(
    assignments: Sequence[Assignment], splits: Mapping[int, Split], rules: Rules
) -> list[Done]:
    """Train estimators as far as their jobs say, and judge them, until time is over.

    Parameters
    ----------
    assignments : sequence of Assignment
    splits : mapping of int to Split
        Those of the jobs, by number.
    rules : Rules
    """
    made = (_train(each, splits[each.job.split], rules) for each in assignments)
    return [done for done in made if done is not None]


def _train(assignment: Assignment, split: Split, rules: Rules) -> Done | None:
    job, started = assignment.job, perf_counter()
    estimator, n_epochs = assignment.state or (clone(assignment.estimator), 0)
    error, most = split.error, getattr(estimator, "max_iter", np.inf)
    n_before = n_epochs
    try:
        if not error:
            until = int(min(job.until or most, most))
            for epoch in range(n_epochs, until):
                if rules.limit.is_over():
                    return None
                began = perf_counter()
                _train_epoch(estimator, split, is_first=epoch == 0)
                if rules.workload is not None:
                    rules.workload.hear(job.key, perf_counter() - began, 1 / (until - n_before))
                n_epochs = epoch + 1
    except Exception as raised:
        error = failure(rules, raised)
    measured: dict[str, Any] = {
        "fit_time": perf_counter() - started,
        "n_epochs": n_epochs,
        "curves": {},
        "ended": n_epochs >= most,
    }
    if error:
        return failed(job, split, rules, error, measured)
    state = None if job.is_last else (estimator, n_epochs)
    return judged(job, split, rules, estimator, measured, state)


def _train_epoch(estimator: Any, split: Split, is_first: bool) -> None:
    X, y, params = split.rows
    if is_first and is_classifier(estimator):
        params = {"classes": np.unique(y), **params}
    estimator.partial_fit(X, y, **params)
