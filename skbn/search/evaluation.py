"""Fit candidates on splits wherever joblib runs them; each comes back when it is done."""

from __future__ import annotations

import os
import warnings
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any, NamedTuple

from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from skbn._compat import fit_and_score
from skbn.search.interruption import uninterrupted_worker

TASK = "candidate-split-evaluation"  # as scikit-learn's searches call it


class Job(NamedTuple):
    """One fit to make."""

    candidate: int
    split: int
    params: dict[str, Any]


class Done(NamedTuple):
    """One fit that was made."""

    candidate: int
    split: int
    result: dict[str, Any]


@dataclass(frozen=True)
class Evaluation:
    """What all fits of a search have in common.

    Parameters
    ----------
    search : CoarseToFineSearchCV
        For scikit-learn's callbacks.
    estimator : estimator
        To clone for each fit.
    X, y : array-like
        All rows.
    splits : list of (ndarray, ndarray)
        Rows to train and to test on.
    options : dict
        Further arguments of scikit-learn's fit-and-score.
    n_jobs : int or None
        Of joblib.
    """

    search: Any
    estimator: Any
    X: Any
    y: Any
    splits: list[tuple[Any, Any]]
    options: dict[str, Any]
    n_jobs: int | None

    def run(self, jobs: list[Job], is_over: Callable[[], bool], task: Any = None) -> Iterator[Done]:
        """Make fits, and yield each as soon as it is known.

        Parameters
        ----------
        jobs : list of Job
            In the order in which to begin them.
        is_over : callable
            Whether to begin no more.
        task : CallbackContext or None
            Of scikit-learn's callbacks.

        Yields
        ------
        done : Done
            In any order.
        """
        # Made before anything runs: joblib pickles from other threads.
        tasks = {job[:2]: task.subcontext(TASK, i) for i, job in enumerate(jobs)} if task else {}
        calls = (
            delayed(_fit)(os.getpid(), job, self.X, self.y, self._arguments(job, tasks))
            for job in jobs
            if not is_over()
        )
        try:
            parallel = Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")
        except (TypeError, ValueError):  # joblib before 1.4, and backends such as ray's
            yield from self._run_in_lists(calls)
            return
        outputs = parallel(calls)
        try:
            yield from outputs
        finally:
            with warnings.catch_warnings():
                # Joblib says of an interrupted run that what was begun is given up.
                warnings.simplefilter("ignore")
                outputs.close()

    def _run_in_lists(self, calls: Iterator[Any]) -> Iterator[Done]:
        length = 2 * effective_n_jobs(self.n_jobs)
        with Parallel(n_jobs=self.n_jobs) as parallel:
            while part := list(islice(calls, length)):
                yield from parallel(part)

    def _arguments(self, job: Job, tasks: dict[Any, Any]) -> dict[str, Any]:
        train, test = self.splits[job.split]
        arguments = {"train": train, "test": test, "parameters": job.params, **self.options}
        if tasks:
            arguments |= {"caller": self.search, "callback_ctx": tasks[job[:2]]}
        return {"estimator": clone(self.estimator), **arguments}


def _fit(parent: int, job: Job, X: Any, y: Any, arguments: dict[str, Any]) -> Done:
    # X and y are arguments of their own, which dask sends to each worker once only.
    with uninterrupted_worker(parent):
        result = fit_and_score(X=X, y=y, **arguments)
    return Done(job.candidate, job.split, result)
