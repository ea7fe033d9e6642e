"""Fit candidates on splits wherever joblib runs them; each comes back when it is done."""

from __future__ import annotations

import os
import warnings
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from time import perf_counter
from typing import Any, NamedTuple

from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils.parallel import Parallel, delayed

from skbn._compat import fit_and_score
from skbn.search.interruption import uninterrupted_worker
from skbn.search.jobs import Done, Job
from skbn.search.populations import Company, Member, company, n_bytes_of_state, train
from skbn.search.splits import Candidate, Rules, Split, checked, is_network, prepare
from skbn.search.study import leading

TASK = "candidate-split-evaluation"  # as scikit-learn's searches call it
LONG = 5.0
"""Seconds for which nothing is committed, at most, if large networks do not take longer."""
IsOver = Callable[[int], bool]
WORTH_SENDING = 0.02
"""Seconds of work that are worth sending to another process."""
ENOUGH = 16
"""Small networks that train together in little more time, each, than many do."""


class Part(NamedTuple):
    """What a worker trains in one go."""

    cost: float  # seconds, about
    key: str | None  # of the transformers; None is not to be put together with others
    members: list[tuple[Job, Split, bool]]


def packed(parts: list[Part], n_workers: int) -> list[Part]:
    """Put small parts together: to send the rows of splits takes a while.

    The longest come first, so that all workers end at about the same time.
    """
    most = min(sum(part.cost for part in parts) / (8 * n_workers), LONG)
    together: list[Part] = []
    for part in sorted(parts, key=lambda part: -part.cost):
        last = together[-1] if together else part
        if together and part.key == last.key is not None and last.cost + part.cost <= most:
            together[-1] = Part(last.cost + part.cost, part.key, last.members + part.members)
        else:
            together.append(part)
    return together


@dataclass
class Evaluation:
    """What all fits of a search have in common, and what goes on from rung to rung.

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
    leader : str or None
        Name of the score by which those that go on are chosen.
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
    leader: str | None = None
    states: dict[tuple[int, int], tuple[float, int, Any]] = field(default_factory=dict)
    prepared: dict[Any, Split] = field(default_factory=dict)

    @property
    def rules(self) -> Rules:
        """How members of populations are trained and judged."""
        scoring, scorer = self.search.scoring, self.options["scorer"]
        return Rules(
            scorer,
            scoring in (None, "accuracy") and is_network(self.estimator),
            self.options["error_score"],
            self.by_epochs,
            self.memory_budget / 4 / effective_n_jobs(self.n_jobs),
        )

    def run(self, jobs: list[Job], is_over: IsOver, task: Any = None) -> Iterator[list[Done]]:
        """Make fits, and yield them as soon as they are known.

        Parameters
        ----------
        jobs : list of Job
            In the order in which to begin them.
        is_over : callable
            Takes a candidate, and says whether to begin no more of its fits.
        task : CallbackContext or None
            Of scikit-learn's callbacks.

        Yields
        ------
        done : list of Done
            Those that ended together, in any order.
        """
        # Made before anything runs: joblib pickles from other threads.
        tasks = {job[:3]: task.subcontext(TASK, i) for i, job in enumerate(jobs)} if task else {}
        # Those that were left behind go.
        waiting = {job.key for job in jobs}
        self.states = {key: state for key, state in self.states.items() if key in waiting}
        candidates: dict[int, Candidate] = {}
        if self.by_epochs or is_network(self.estimator):
            params = {job.candidate: job.params for job in jobs}
            parts = {i: Candidate.of(self.estimator, each) for i, each in params.items()}
            # A candidate may replace the network by another estimator.
            candidates = {i: c for i, c in parts.items() if self.by_epochs or is_network(c.last)}
            candidates = checked(candidates)
        together = [job for job in jobs if job.candidate in candidates]
        calls = (
            delayed(_fit)(os.getpid(), job, self.X, self.y, self._arguments(job, tasks))
            for job in jobs
            if job.candidate not in candidates and not is_over(job.candidate)
        )
        for done in self._parallel(calls):
            yield [done]
        for several in self._run_together(together, candidates, is_over):
            for done in several:
                if context := tasks.get(done[:3]):
                    context.call_on_fit_task_begin(estimator=self.search)
                    context.call_on_fit_task_end(estimator=self.search)
            yield [self._keep(done) for done in several]

    def _run_together(
        self, jobs: list[Job], candidates: dict[int, Candidate], is_over: IsOver
    ) -> Iterator[list[Done]]:
        """Make fits as populations, of as many splits at a time as fit into memory."""
        by_split: defaultdict[Any, list[Job]] = defaultdict(list)
        for job in jobs:
            by_split[candidates[job.candidate].key, job.split].append(job)
        left, most = list(by_split), self.memory_budget / 4
        while left := [k for k in left if not all(is_over(job.candidate) for job in by_split[k])]:
            if not self.prepared:
                # To see how large they are: transformers may widen the rows.
                self._prepare(left[:1], by_split, candidates)
            largest = max(1, *(split.n_bytes for split in self.prepared.values()))
            n = max(1, int(most // largest))
            keys, left = left[:n], left[n:]
            if len({*self.prepared, *keys}) * largest > most:
                self.prepared = {k: split for k, split in self.prepared.items() if k in keys}
            self._prepare([key for key in keys if key not in self.prepared], by_split, candidates)
            part = [(job, self.prepared[key]) for key in keys for job in by_split[key]]
            yield from self._train(part, candidates, is_over)

    def _prepare(
        self,
        keys: list[Any],
        by_split: dict[Any, list[Job]],
        candidates: dict[int, Candidate],
    ) -> None:
        """Transform the rows of splits."""
        calls = []
        for key in keys:
            job = by_split[key][0]
            where = key, self.estimator, candidates[job.candidate]
            rows = self.X, self.y, self.splits[job.split]
            calls.append((os.getpid(), *where, *rows, self.options, self.rules))
        seconds = 0.0
        while calls and seconds < WORTH_SENDING:
            # What takes less than to send it to another process is done here.
            started = perf_counter()
            self.prepared.update([prepare(*calls.pop())])
            seconds = perf_counter() - started
        self.prepared.update(self._parallel(delayed(prepare)(*call) for call in calls))

    def _train(
        self,
        jobs: list[tuple[Job, Split]],
        candidates: dict[int, Candidate],
        is_over: IsOver,
    ) -> Iterator[list[Done]]:
        """Train the fits that can be trained together."""
        rules, n_workers = self.rules, effective_n_jobs(self.n_jobs)
        groups: defaultdict[Any, list[tuple[Job, Split]]] = defaultdict(list)
        known: dict[Any, Company] = {}
        for job, split in jobs:
            like = job.candidate, split.shape, job.key in self.states
            if like not in known:
                *_, state = self.states.get(job.key, (None,))
                candidate = candidates[job.candidate]
                member = Member(job, candidate.last, state, candidate.is_valid)
                known[like] = company(member, split, rules.memory_budget)
            groups[known[like], candidates[job.candidate].key].append((job, split))
        parts = []
        for (group, key), members in groups.items():
            most = group.size
            if n_workers > 1:
                # Workers that wait for the last one cost more than smaller populations.
                most = min(most, max(ENOUGH, -(-len(jobs) // (4 * n_workers))))
            n_parts = -(-len(members) // most)
            for i in range(n_parts):
                mine = [(job, split, group.is_valid) for job, split in members[i::n_parts]]
                parts.append(Part(group.cost * len(mine), key if group.is_valid else None, mine))
        if n_workers > 1:
            parts = packed(parts, n_workers)
        yield from self._parallel(self._calls(parts, candidates, rules, is_over))

    def _calls(self, parts, candidates, rules, is_over):
        for part in parts:
            members, splits = [], {}
            for job, split, is_valid in part.members:
                if not is_over(job.candidate):
                    *_, state = self.states.pop(job.key, (None,))
                    members.append(Member(job, candidates[job.candidate].last, state, is_valid))
                    splits[job.split] = split
            if members:
                yield delayed(train)(os.getpid(), members, splits, rules)

    def _keep(self, done: Done) -> Done:
        """Keep what a fit can go on from, unless others promise more and memory is full."""
        if done.state is not None:
            score = leading(done.result["test_scores"], self.leader)
            state = score, n_bytes_of_state(done.state), done.state
            self.states[done.candidate, done.split] = state
            while sum(size for _, size, _ in self.states.values()) > self.memory_budget / 2:
                del self.states[min(self.states, key=lambda key: self.states[key][0])]
        return done._replace(state=None)

    def _parallel(self, calls: Iterable[Any]) -> Iterator[Any]:
        """Run calls, and yield what each gives, in any order."""
        calls = iter(calls)
        try:
            parallel = Parallel(n_jobs=self.n_jobs, return_as="generator_unordered")
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

    def _arguments(self, job: Job, tasks: dict[Any, Any]) -> dict[str, Any]:
        train_rows, test_rows = self.splits[job.split]
        arguments = {"train": train_rows, "test": test_rows, "parameters": job.params}
        if tasks:
            arguments |= {"caller": self.search, "callback_ctx": tasks[job[:3]]}
        return {"estimator": clone(self.estimator), **arguments, **self.options}


def _fit(parent: int, job: Job, X: Any, y: Any, arguments: dict[str, Any]) -> Done:
    # X and y are arguments of their own, which dask sends to each worker once only.
    with uninterrupted_worker(parent):
        result = fit_and_score(X=X, y=y, **arguments)
    return Done(job.candidate, job.rung, job.split, result)
