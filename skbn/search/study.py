"""The candidates of a search so far, with their results, as plain data."""

from __future__ import annotations

from dataclasses import dataclass, field
from itertools import takewhile
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skbn.search.distributions import Units

BEST_FRACTION = 0.2
"""Fraction of the candidates that count as the best: the centres of local draws."""
MAX_BEST = 6
"""Limit of their number, so that long searches still narrow."""


def n_best(n: int) -> int:
    """Number of the best among n candidates: a fifth, six at most."""
    return min(ceil(BEST_FRACTION * n), MAX_BEST)


def leading(scores: Any, leader: str | None) -> float:
    """The score that leads the search: of several the one of that name, or the first."""
    if isinstance(scores, dict):
        return float(scores[leader or next(iter(scores))])
    return float(scores)


@dataclass
class Trial:
    """A candidate: a point of the space, and the results of its fits.

    Parameters
    ----------
    round : int
        Number of the round that drew it.
    draw : {"global", "local", "known"}
        Whether it was drawn over the whole space, near the best candidates, or is an
        initial point.
    unit : ndarray of shape (n_coordinates,)
        The point.
    rungs : list of dict of int to dict
        For each rung that it reached, by split, the result of scikit-learn's
        fit-and-score. Without successive halving there is one rung.
    """

    round: int
    draw: str
    unit: Units
    rungs: list[dict[int, dict[str, Any]]] = field(default_factory=list)

    def on(self, rung: int) -> dict[int, dict[str, Any]]:
        """Results on a rung by split; none if the rung was not reached."""
        return self.rungs[rung] if rung < len(self.rungs) else {}

    def add(self, rung: int, split: int, result: dict[str, Any]) -> None:
        """Enter the result of a fit."""
        while len(self.rungs) <= rung:
            self.rungs.append({})
        self.rungs[rung][split] = result

    def score(self, leader: str | None, rung: int) -> float:
        """Mean of the leading test score on a rung, over the splits that are done."""
        # In the order of the splits, not of their completion: the last bit of a sum depends on
        # the order.
        scores = [result["test_scores"] for _, result in sorted(self.on(rung).items())]
        return float(np.mean([leading(each, leader) for each in scores]))


@dataclass
class Study:
    """A search as data: the content of its journal.

    Parameters
    ----------
    seed : int
        Of all draws.
    n_splits : int
        Fits of each trial.
    leader : str or None
        Name of the score that leads the search: by which candidates are promoted, ranked
        and drawn. None is the first of several.
    n_rungs : int
        Rungs of a round.
    eta : int
        One trial in eta is promoted from a rung to the next.
    trials : list of Trial
        In the order in which they were drawn.
    bounds : list of ndarray of shape (n_coordinates, 2)
        Of each round that was drawn, between which its local draws lie.
    initial_points : ndarray of shape (n_points, n_coordinates) or None
        The first candidates (a warm start): the best points of an earlier search, the best
        first.
    """

    seed: int
    n_splits: int
    leader: str | None = None
    n_rungs: int = 1
    eta: int = 3
    trials: list[Trial] = field(default_factory=list)
    bounds: list[NDArray[np.float64]] = field(default_factory=list)
    initial_points: NDArray[np.float64] | None = None

    @property
    def results(self) -> list[dict[str, Any]]:
        """Results of all fits that are done."""
        rungs = (rung for trial in self.trials for rung in trial.rungs)
        return [result for rung in rungs for result in rung.values()]

    @property
    def metric(self) -> str | None:
        """Name of the score that leads the search; None where there is one score only."""
        scores = (result["test_scores"] for result in self.results)
        return self.leader or next((next(iter(s)) for s in scores if isinstance(s, dict)), None)

    def add_round(self, trials: list[Trial], bounds: NDArray[np.float64]) -> None:
        """Enter the next round: its trials, and the bounds of its local draws."""
        self.trials += trials
        self.bounds.append(bounds)

    def n_rungs_done(self, trial: Trial) -> int:
        """Number of rungs, from the first, that a trial has done on every split."""
        whole = takewhile(lambda rung: len(rung) == self.n_splits, trial.rungs)
        return sum(1 for _ in whole)

    def complete(self) -> list[Trial]:
        """Trials with a result on every split, on one rung at least."""
        return [trial for trial in self.trials if self.n_rungs_done(trial)]

    def furthest(self) -> list[Trial]:
        """Complete trials that were trained furthest: to the end, if any was."""
        complete = self.complete()
        most = max((self.progress(trial) for trial in complete), default=None)
        return [trial for trial in complete if self.progress(trial) == most]

    def progress(self, trial: Trial) -> float:
        """How far a trial came: to the end (infinite), or to a rung, counted from one.

        A trial that diverged on its last rung has no score there, and has come nowhere (0).
        """
        n_done = self.n_rungs_done(trial)
        if self.n_rungs > 1 and not np.isfinite(trial.score(self.leader, n_done - 1)):
            return 0.0
        ended = all(result.get("ended", True) for result in trial.on(n_done - 1).values())
        return np.inf if ended else n_done

    def last_results(self, trial: Trial) -> list[dict[str, Any]]:
        """Results of a trial on the last rung it did, by split, with the times of all rungs."""
        n_done = self.n_rungs_done(trial)
        results = [dict(trial.on(n_done - 1)[split]) for split in range(self.n_splits)]
        for split, result in enumerate(results):
            for name in ("fit_time", "score_time"):
                result[name] = sum(trial.on(rung)[split][name] for rung in range(n_done))
        return results

    def promoted(self, number: int, rung: int) -> list[Trial]:
        """Trials of a round that are promoted to a rung; to the first all are."""
        trials = [trial for trial in self.trials if trial.round == number]
        for below in range(rung):
            scored = [
                (trial.score(self.leader, below), trial)
                for trial in trials
                if self.n_rungs_done(trial) > below
            ]
            best = sorted((p for p in scored if np.isfinite(p[0])), key=lambda pair: -pair[0])
            trials = [trial for _, trial in best[: ceil(len(trials) / self.eta)]]
        return trials

    def missing(self, number: int, rung: int) -> list[tuple[Trial, int]]:
        """Trials of a round, and splits, without a result on a rung."""
        return [
            (trial, split)
            for trial in self.promoted(number, rung)
            for split in range(self.n_splits)
            if split not in trial.on(rung)
        ]

    def n_complete_rounds(self) -> int:
        """Number of rounds, from the first, that have all their results."""
        for number in range(len(self.bounds)):
            if any(self.missing(number, rung) for rung in range(self.n_rungs)):
                return number
        return len(self.bounds)

    def ranked(self) -> list[tuple[float, Trial]]:
        """Complete trials with their scores at the end, or estimates of these, the best first.

        The estimate of a trial that was not promoted is its score on the last rung it did,
        plus the median gain of the promoted ones from there to the end. Trials whose score
        is not finite are left out.
        """
        gains, scored = self._gains(), []
        for trial in self.complete():
            n_done = self.n_rungs_done(trial)
            score = trial.score(self.leader, n_done - 1)
            if self.progress(trial) < np.inf:
                score += sum(gains[n_done - 1 :])
            scored.append((score, trial))
        finite = [pair for pair in scored if np.isfinite(pair[0])]
        return sorted(finite, key=lambda pair: -pair[0])

    def _gains(self) -> list[float]:
        """Median gain of a score from each rung to the next."""
        gains = []
        for rung in range(1, self.n_rungs):
            steps = [
                trial.score(self.leader, rung) - trial.score(self.leader, rung - 1)
                for trial in self.trials
                if self.n_rungs_done(trial) > rung
            ]
            steps = [step for step in steps if np.isfinite(step)]
            gains.append(float(np.median(steps)) if steps else 0.0)
        return gains
