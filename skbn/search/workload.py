"""How long a search still takes, by what its fits took so far."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from threading import Lock
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np

from skbn.search.jobs import Assignment, Done, Job
from skbn.search.study import Study
from skbn.search.time_limit import TimeLimit

GROWTH = 1.4
"""Time of a candidate that goes on, or is of a later round, over that of those so far, about:
the better ones have more units and smaller mini-batches. With `default_space` it was 1.3 on
second rungs and 1 to 2.8 in later rounds."""
SLOWNESS = 2.5
"""Time over the estimates of ``schedule.py``, of another machine, until something is measured."""
TRUSTED_SECONDS = 0.2
"""Estimated seconds that count for ``SLOWNESS`` beside those that were measured."""
IDEAL_SECONDS = 5.0
"""Seconds in which all workers count as busy, beside those that were measured: at the beginning
workers start, and nothing is known of what they are at."""


class Plan(NamedTuple):
    """The fits of a search."""

    n_splits: int
    sizes: list[list[int]]  # candidates by round and rung
    efforts: list[int]  # epochs to train on each rung; 1 where a fit is the whole training
    n_workers: int
    refit: float  # rows of the refit over those of a fit; 0 without a refit

    @property
    def n_fits(self) -> int:
        """Fits of all rounds and rungs."""
        return self.n_splits * sum(map(sum, self.sizes))


class Workload:
    """The fits of a search: what they took, and the time that those which are left may take.

    In other processes it is None: of fits in these nothing is known but the results.

    Parameters
    ----------
    plan : Plan
    study : Study
        With the fits that were done before.
    limit : TimeLimit
    """

    def __init__(self, plan: Plan, study: Study, limit: TimeLimit) -> None:
        self.lock = Lock()  # held while the study or this changes
        self.plan, self.limit, self.n_done = plan, limit, 0
        self._later = [[n * plan.n_splits for n in sizes] for sizes in plan.sizes]
        self._left: dict[tuple[int, int], float] = {}  # part of each fit of this rung
        self._heard: dict[tuple[int, int], tuple[float, float]] = {}  # of fits under way
        self._effort = plan.efforts[0]
        self._expected: dict[int, float] = {}  # seconds for an epoch of a candidate
        self._measured: dict[int, tuple[float, float]] = {}  # its seconds, and epochs
        self._work = self._preparation = 0.0  # seconds
        self._n_prepared, self._n_unprepared, self._is_repeated = 0, 0, False
        self._started = self._last = perf_counter()
        self._best, self._refit = (0.0, -np.inf), 0.0
        self._refit_began = np.inf
        for candidate, trial in enumerate(study.trials):
            for rung, results in enumerate(trial.rungs):
                self.n_done += len(results)
                if trial.round < len(self._later):  # `extend` may have added rounds
                    self._later[trial.round][rung] -= len(results)
                for result in results.values():
                    self._measure(candidate, _seconds(result), plan.efforts[rung])

    def __reduce__(self) -> tuple[Any, ...]:
        return _nothing, ()

    @property
    def n_fits(self) -> int:
        """Fits that are done, and that are left."""
        return self.n_done + len(self._left) + sum(map(sum, self._later))

    @property
    def elapsed(self) -> float:
        """Seconds since the beginning."""
        return perf_counter() - self._started

    def begin(self, number: int, rung: int, jobs: Sequence[Job]) -> None:
        """Begin a rung of a round, of which these fits are left."""
        with self.lock:
            self._later[number][rung] = 0
            self._enter(jobs, rung)

    def begin_last(self, jobs: Sequence[Job]) -> None:
        """Begin fits after which there are no others."""
        with self.lock:
            self._later, self.limit = [], TimeLimit(float("inf"))
            self._enter(jobs, 0)

    def begin_refit(self) -> None:
        """Begin the refit: no fit comes after it."""
        with self.lock:
            self._refit_began = perf_counter()

    def prepared(self, seconds: float, n_splits: int) -> None:
        """Enter what it took to transform the rows of some splits."""
        with self.lock:
            self._preparation += seconds
            self._n_prepared += n_splits

    def expect(self, assignments: Iterable[Assignment], n_unprepared: int) -> None:
        """Enter the estimates of the schedule, and the number of splits that wait for memory."""
        with self.lock:
            self._n_unprepared = n_unprepared
            self._is_repeated |= n_unprepared > 0
            for each in assignments:
                if each.seconds > 0:
                    self._expected[each.job.candidate] = each.seconds / self._effort

    def hear(self, key: tuple[int, int], seconds: float, part: float) -> None:
        """Enter a part of a fit that is under way.

        Parameters
        ----------
        key : tuple of (int, int)
            Candidate and split.
        seconds, part : float
            What it took, and how much of the fit it is, from 0 to 1.
        """
        with self.lock:
            before = self._heard.get(key, (0.0, 0.0))
            self._heard[key] = before[0] + seconds, before[1] + part
            self._advance(key, seconds, part)

    def add(self, done: Done) -> None:
        """Enter a fit that is done; the lock is held."""
        key = done.candidate, done.split
        seconds, part = self._heard.pop(key, (0.0, 0.0))
        self._advance(key, _seconds(done.result) - seconds, 1 - part)
        self._left.pop(key, None)
        self.n_done += 1

    def refit_of_best(self, study: Study, candidates: Iterable[int]) -> float:
        """Seconds that the refit of the best candidate takes, some of which have new results."""
        for i in candidates:
            trial = study.trials[i]
            if n_done := study.n_rungs_done(trial):
                place = study.progress(trial), trial.score(study.leader, n_done - 1)
                if np.isfinite(place[1]) and place > self._best:
                    seconds, effort = self._measured[i]
                    each = sum(self.plan.efforts) * seconds / effort
                    each += self._preparation / max(self._n_prepared, 1)
                    self._best, self._refit = place, each * self.plan.refit
        return self._refit

    def has_time(self, assignments: Iterable[Assignment]) -> bool:
        """Whether candidates can end this rung in time, and the best be fitted to all rows then.

        The first to be complete is begun in any case.
        """
        if not self.limit.is_finite or self._best[1] == -np.inf:
            return True
        with self.lock:
            costs, plan = self._costs(), self.plan
            refit = sum(plan.efforts) * plan.refit
            for i in {each.job.candidate for each in assignments}:
                parts = sum(part for key, part in self._left.items() if key[0] == i)
                work = costs.get(i, 0.0) * parts * self._effort * self._time_of_work()
                if work + costs.get(i, 0.0) * refit > self.limit.until_end():
                    return False
        return True

    def left(self) -> float | None:
        """Seconds until the end, the refit included; None if nothing is known. The lock is held."""
        plan, costs = self.plan, self._costs()
        if not costs:
            return None
        average = sum(costs.values()) / len(costs)
        now = sum(part * costs.get(key[0], average) for key, part in self._left.items())
        later = sum(n * e for fits in self._later for n, e in zip(fits, plan.efforts, strict=True))
        work = now * self._effort + later * average * GROWTH
        seconds = work * self._time_of_work() + self._preparation_left()
        seconds = min(max(0.0, seconds - (perf_counter() - self._last)), self.limit.left())
        refit = self._refit or sum(plan.efforts) * average * GROWTH * plan.refit
        since = perf_counter() - self._refit_began
        return max(0.0, refit - since) if since >= 0 else seconds + refit

    def _enter(self, jobs: Sequence[Job], rung: int) -> None:
        self._left = {job.key: 1.0 for job in jobs}
        self._effort = self.plan.efforts[rung]
        self._n_unprepared = 0
        self._heard.clear()

    def _advance(self, key: tuple[int, int], seconds: float, part: float) -> None:
        self._work += seconds
        self._measure(key[0], seconds, part * self._effort)
        if key in self._left:
            self._left[key] -= part
        self._last = perf_counter()

    def _measure(self, candidate: int, seconds: float, effort: float) -> None:
        before = self._measured.get(candidate, (0.0, 0.0))
        self._measured[candidate] = before[0] + seconds, before[1] + effort

    def _costs(self) -> dict[int, float]:
        """Seconds for an epoch, on a split, of each candidate of which anything is known."""
        measured = {i: each for i, each in self._measured.items() if each[1] > 0}
        both = self._expected.keys() & measured.keys()
        seconds = SLOWNESS * TRUSTED_SECONDS + sum(measured[i][0] for i in both)
        expected = sum(self._expected[i] * measured[i][1] for i in both)
        slowness = seconds / (TRUSTED_SECONDS + expected)
        costs = {i: each * slowness for i, each in self._expected.items()}
        return costs | {i: each / effort for i, (each, effort) in measured.items()}

    def _time_of_work(self) -> float:
        """Seconds by the clock for a second of the fits."""
        spent = self._last - self._started - self._preparation
        return (spent + IDEAL_SECONDS) / (self._work + IDEAL_SECONDS * self.plan.n_workers)

    def _preparation_left(self) -> float:
        n_splits, n_rungs = self._n_unprepared, sum(n > 0 for fits in self._later for n in fits)
        if self._is_repeated:  # for each rung, as long as the rows do not fit into memory
            n_splits += n_rungs * self.plan.n_splits
        return n_splits * self._preparation / max(self._n_prepared, 1)


def _seconds(result: Any) -> float:
    return float(result["fit_time"] + result["score_time"])


def _nothing() -> None:
    return None
