"""Fit candidates on splits wherever joblib runs them; each comes back when it is done."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain, islice, takewhile
from time import perf_counter
from typing import Any

from joblib import effective_n_jobs
from joblib.parallel import LokyBackend, get_active_backend
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from skbn._compat import EVALUATION_TASK, fit_and_score, noting_errors, with_parameters_only
from skbn.estimators.population import is_network
from skbn.search.cache import SplitCache, SplitKey, StateCache
from skbn.search.jobs import Assignment, Done, Job
from skbn.search.networks import train_networks
from skbn.search.partial_fits import train_by_partial_fit
from skbn.search.schedule import Part, doubling, parts_of
from skbn.search.splits import Candidate, Rules, Split, checked, ends_in_network, prepare
from skbn.search.time_limit import TimeLimit
from skbn.search.workload import Workload
from skbn.training.interruption import end_with, uninterrupted_worker

Call = tuple[Any, ...]
"""A function and its arguments."""
Tasks = Mapping[Any, Any]
"""Contexts of scikit-learn's callbacks by candidate, rung and split; none without callbacks."""
WORTH_SENDING = 0.02
"""Seconds of work that are worth sending to another process: joblib looks for results every
0.01 seconds, and a pickled table takes a while."""


@dataclass
class Evaluation:
    """The fits of a search, which share data, options and memory.

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
    by_epochs : bool
        Whether fits go on from rung to rung.
    memory_budget : float
        Bytes: a half for those that may go on, a quarter each for the rows of splits
        and for the populations in training.
    limit : TimeLimit
    leader : str or None
        Name of the score by which those that go on are chosen.
    workload : Workload or None
        What is to be told how far the fits are.
    """

    search: Any
    estimator: Any
    X: Any
    y: Any
    splits: list[tuple[Any, Any]]
    options: dict[str, Any]
    n_jobs: int | None
    by_epochs: bool
    memory_budget: float
    limit: TimeLimit
    leader: str | None = None
    workload: Workload | None = None

    def __post_init__(self) -> None:
        self.states = StateCache(self.memory_budget / 2, self.leader)
        self.rows = SplitCache(self.memory_budget / 4)
        # What callbacks hear of in other processes: the search without what it has learned.
        self.caller = self.search
        if effective_n_jobs(self.n_jobs) > 1:
            self.caller = with_parameters_only(self.search)
            if isinstance(self.search.cv, Iterator):  # which cannot be sent
                self.caller.cv = self.splits

    @property
    def rules(self) -> Rules:
        """How fits are trained and judged that are not made by scikit-learn."""
        scoring, scorer = self.search.scoring, self.options["scorer"]
        return Rules(
            scorer,
            scoring in (None, "accuracy") and ends_in_network(self.estimator),
            self.options["error_score"],
            self.by_epochs,
            self.memory_budget / 4 / effective_n_jobs(self.n_jobs),
            self.limit,
            self.workload if self.search.verbose else None,
        )

    def run(self, jobs: list[Job], task: Any = None) -> Iterator[list[Done]]:
        """Make fits until time is over, and yield them as soon as they are known.

        Parameters
        ----------
        jobs : list of Job
            In the order in which to begin them.
        task : CallbackContext or None
            Of scikit-learn's callbacks.

        Yields
        ------
        done : list of Done
            Those that ended together, in any order.
        """
        # Made before anything runs: joblib pickles from other threads.
        numbered = enumerate(jobs) if task else ()
        tasks = {job[:3]: task.subcontext(EVALUATION_TASK, i) for i, job in numbered}
        self.states.forget_others({job.key for job in jobs})
        candidates = self._candidates(jobs)
        together = [job for job in jobs if job.candidate in candidates]
        calls: Iterator[Call] = (
            (_fit, os.getpid(), job, self.X, self.y, self._arguments(job, tasks))
            for job in jobs
            if job.candidate not in candidates
        )
        batches: list[Iterator[Call]] = [calls]
        if self.limit.is_finite:  # the first fits tell how long the refit may take
            batches.insert(0, islice(calls, effective_n_jobs(self.n_jobs)))
        for done in chain.from_iterable(map(self._parallel, batches)):
            yield [done]
        for several in self._run_together(together, candidates, tasks):
            for done in several:
                context = tasks.get(done[:3])
                if context and not is_network(candidates[done.candidate].last):
                    context.call_on_fit_task_begin(estimator=self.search)
                    context.call_on_fit_task_end(estimator=self.search)
            yield [self.states.keep(done) for done in several]

    def _candidates(self, jobs: list[Job]) -> dict[int, Candidate]:
        """Candidates that are not for scikit-learn's fit-and-score."""
        if not (self.by_epochs or ends_in_network(self.estimator)):
            return {}
        params = {job.candidate: job.params for job in jobs}
        candidates = {i: Candidate.of(self.estimator, each) for i, each in params.items()}
        # A candidate may replace the network by another estimator.
        return checked(
            {i: c for i, c in candidates.items() if self.by_epochs or is_network(c.last)}
        )

    def _run_together(
        self, jobs: list[Job], candidates: dict[int, Candidate], tasks: Tasks
    ) -> Iterator[list[Done]]:
        """Make fits that can be trained together.

        Where time may be over before all splits had their turn, and memory does not hold all of
        them, some candidates meet all splits before the next do.
        """
        of_splits = {(candidates[job.candidate].key, job.split): job.candidate for job in jobs}

        def make(keys: Sequence[SplitKey]) -> Iterator[tuple[SplitKey, Split]]:
            return self._prepare({key: candidates[of_splits[key]] for key in keys})

        n_workers, slices = effective_n_jobs(self.n_jobs), [jobs]
        if self.limit.is_finite and len(self.rows.hold(list(of_splits), make)) < len(of_splits):
            slices = doubling(jobs, n_workers)
        for some in slices:
            yield from self._run_splits(some, candidates, tasks, make)

    def _run_splits(
        self, jobs: list[Job], candidates: dict[int, Candidate], tasks: Tasks, make: Any
    ) -> Iterator[list[Done]]:
        """Make fits of as many splits at a time as fit into memory."""
        by_split: defaultdict[SplitKey, list[Job]] = defaultdict(list)
        for job in jobs:
            by_split[candidates[job.candidate].key, job.split].append(job)
        left, n_workers, rules = list(by_split), effective_n_jobs(self.n_jobs), self.rules
        while left and not self.limit.is_over() and (splits := self.rows.hold(left, make)):
            left = left[len(splits) :]
            part = [(job, split) for key, split in splits.items() for job in by_split[key]]
            parts = parts_of(part, candidates, self.states.all, rules, n_workers)
            if self.workload is not None:
                assignments = (each for part in parts for each, _ in part.assignments)
                self.workload.expect(assignments, len(left))
            yield from self._parallel(self._calls(parts, rules, tasks))

    def _prepare(
        self, candidates: Mapping[SplitKey, Candidate]
    ) -> Iterator[tuple[SplitKey, Split]]:
        """Transform the rows of splits, each for a candidate with these transformers."""
        calls: list[Any] = []
        rules, began = self.rules, perf_counter()
        for key, candidate in candidates.items():
            rows = self.X, self.y, self.splits[key[1]]
            where = os.getpid(), key, self.estimator, candidate
            calls.append((prepare, *where, *rows, self.options, rules))
        seconds = 0.0
        while calls and seconds < WORTH_SENDING and not self.limit.is_over():
            # Work that takes less time than to send it to another process is done here.
            function, *arguments = calls.pop(0)
            started = perf_counter()
            yield function(*arguments)
            seconds = perf_counter() - started
        yield from self._parallel(calls)
        if self.workload is not None:
            self.workload.prepared(perf_counter() - began, len(candidates))

    def _calls(self, parts: Sequence[Part], rules: Rules, tasks: Tasks) -> Iterator[Call]:
        for part in parts:
            due = [assignment for assignment, _ in part.assignments]
            if self.workload is not None and not self.workload.has_time(due):
                continue  # the time would be over before the best of them is fitted to all rows
            assignments, splits = [], {}
            for assignment, split in part.assignments:
                state = self.states.take(assignment.job.key)
                context = tasks.get(assignment.job[:3])
                callbacks = context and (self.caller, context)
                assignments.append(assignment._replace(state=state, callbacks=callbacks))
                splits[assignment.job.split] = split
            yield train_assignments, os.getpid(), assignments, splits, rules

    def _parallel(self, calls: Iterable[Call]) -> Iterator[Any]:
        """Run calls until time is over, and yield what each gives, in any order."""
        timely = takewhile(lambda _: not self.limit.is_over(), calls)
        outputs = self._outputs(delayed(_in_time)(self.limit, *call) for call in timely)
        return (output for output in outputs if output is not None)

    def _outputs(self, calls: Iterator[Any]) -> Iterator[Any]:
        try:
            options = {"return_as": "generator_unordered", **_options_of_workers()}
            if self.limit.is_finite:  # what waits for a worker is begun later than it is sent
                options["pre_dispatch"] = "n_jobs"
            parallel = Parallel(n_jobs=self.n_jobs, **options)
        except (TypeError, ValueError):  # joblib before 1.4, and backends such as ray's
            length = 2 * effective_n_jobs(self.n_jobs)
            with Parallel(n_jobs=self.n_jobs) as parallel:
                while part := list(islice(calls, length)):
                    yield from parallel(part)
            return
        outputs = parallel(calls)
        try:
            yield from outputs
        finally:
            with warnings.catch_warnings():
                # Joblib says of an interrupted run that what was begun is given up.
                warnings.simplefilter("ignore")
                outputs.close()

    def _arguments(self, job: Job, tasks: Tasks) -> dict[str, Any]:
        train_rows, test_rows = self.splits[job.split]
        arguments = {"train": train_rows, "test": test_rows, "parameters": job.params}
        if tasks:
            arguments |= {"caller": self.caller, "callback_ctx": tasks[job[:3]]}
        return {"estimator": clone(self.estimator), **arguments, **self.options}


def _in_time(limit: TimeLimit, function: Callable[..., Any], *arguments: Any) -> Any:
    """Call a function, or give None if time is over: the call may have waited for a worker."""
    return None if limit.is_over() else function(*arguments)


def _options_of_workers() -> dict[str, Any]:
    """Let new processes of joblib watch their parent before they have anything to do."""
    backend, _ = get_active_backend()
    theirs = getattr(backend, "backend_kwargs", None)  # which joblib before 1.5 has not
    if not isinstance(backend, LokyBackend) or theirs is None or "initializer" in theirs:
        return {}
    return {"initializer": end_with, "initargs": (os.getpid(),)}


def train_assignments(
    parent: int, assignments: Sequence[Assignment], splits: Mapping[int, Split], rules: Rules
) -> list[Done]:
    """Train estimators as far as their jobs say, and judge them.

    Parameters
    ----------
    parent : int
        Process of the search.
    assignments : sequence of Assignment
        All networks, or none.
    splits : mapping of int to Split
        Those of the jobs, by number.
    rules : Rules
    """
    with uninterrupted_worker(parent):
        are_networks = is_network(assignments[0].estimator)
        make = train_networks if are_networks else train_by_partial_fit
        return make(assignments, splits, rules)


def _fit(parent: int, job: Job, X: Any, y: Any, arguments: dict[str, Any]) -> Done:
    # X and y are arguments of their own, which dask sends to each worker once only.
    with uninterrupted_worker(parent):
        scorer = noting_errors(arguments["scorer"])
        result = fit_and_score(X=X, y=y, **(arguments | {"scorer": scorer}))
        result["score_error"] = scorer.error
    return Done(job.candidate, job.rung, job.split, result)
