"""What a search has tried and found so far."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import takewhile
from math import ceil
from typing import Any

import numpy as np
from numpy.typing import NDArray

from skbn.search.distributions import Units

BEST_SHARE = 0.2
MOST_BEST = 6


def n_best(n: int) -> int:
    """How many of n candidates count as the best: a fifth, six at most."""
    return min(ceil(BEST_SHARE * n), MOST_BEST)


def leading(scores: Any, leader: str | None) -> float:
    """The score that leads the search: of several the one of that name, or the first."""
    if isinstance(scores, dict):
        return float(scores[leader or next(iter(scores))])
    return float(scores)


@dataclass
class Trial:
    """A candidate: a point of the space, and what its fits gave.

    Parameters
    ----------
    round : int
        Number of the round that drew it.
    draw : {"global", "local", "known"}
        Whether it was drawn over the whole space, near the best ones, or is one of
        those that an earlier search found best.
    unit : ndarray of shape (n_coordinates,)
        The point.
    rungs : list of dict of int to dict
        For each rung that it reached, by split, what scikit-learn's fit-and-score gave.
        Where all train to the end there is one rung.
    """

    round: int
    draw: str
    unit: Units
    rungs: list[dict[int, dict[str, Any]]] = field(default_factory=list)

    def on(self, rung: int) -> dict[int, dict[str, Any]]:
        """By split, what was found on a rung; nothing if it was not reached."""
        return self.rungs[rung] if rung < len(self.rungs) else {}

    def add(self, rung: int, split: int, result: dict[str, Any]) -> None:
        """Take note of what a fit gave."""
        while len(self.rungs) <= rung:
            self.rungs.append({})
        self.rungs[rung][split] = result

    def score(self, leader: str | None, rung: int) -> float:
        """Mean of the leading test score on a rung, over the splits that are done."""
        # In the order of the splits, not of their completion: sums depend on it in the last bit.
        scores = [result["test_scores"] for _, result in sorted(self.on(rung).items())]
        return float(np.mean([leading(each, leader) for each in scores]))


@dataclass
class Study:
    """A search as data: all that goes into its journal.

    Parameters
    ----------
    seed : int
        Of all draws.
    n_splits : int
        Fits of each trial.
    leader : str or None
        Name of the score that leads the search. None is the first of several.
    n_rungs : int
        Rungs of a round: on each the best of those on the one before train further.
    eta : int
        One in eta goes on.
    trials : list of Trial
        In the order in which they were drawn.
    bounds : list of ndarray of shape (n_coordinates, 2)
        Of each round that was drawn, where its local draws lie.
    known : ndarray of shape (n_known, n_coordinates) or None
        Best points of an earlier search, the best first, to start from.
    """

    seed: int
    n_splits: int
    leader: str | None = None
    n_rungs: int = 1
    eta: int = 3
    trials: list[Trial] = field(default_factory=list)
    bounds: list[NDArray[np.float64]] = field(default_factory=list)
    known: NDArray[np.float64] | None = None

    @property
    def results(self) -> list[dict[str, Any]]:
        """What all fits gave that are done."""
        return list(self._results())

    def _results(self) -> Iterator[dict[str, Any]]:
        for trial in self.trials:
            for rung in trial.rungs:
                yield from rung.values()

    @property
    def metric(self) -> str | None:
        """Name of the score that leads the search; None where there is one score only."""
        scores = (result["test_scores"] for result in self._results())
        return self.leader or next((next(iter(s)) for s in scores if isinstance(s, dict)), None)

    def height(self, trial: Trial) -> int:
        """How many rungs from the first a trial has done, on every split."""
        whole = takewhile(lambda rung: len(rung) == self.n_splits, trial.rungs)
        return sum(1 for _ in whole)

    def complete(self) -> list[Trial]:
        """Trials that have a result on every split, of one rung at least."""
        return [trial for trial in self.trials if self.height(trial)]

    def at_the_top(self) -> list[Trial]:
        """Complete trials that were trained to the end, or else those that came furthest."""
        complete = self.complete()
        top = max((self.progress(trial) for trial in complete), default=None)
        return [trial for trial in complete if self.progress(trial) == top]

    def progress(self, trial: Trial) -> float:
        """How far a trial came: to the end (infinite), or to a rung, counted from one.

        One that left the others behind and has no score there, since it diverged, comes last.
        """
        height = self.height(trial)
        if self.n_rungs > 1 and not np.isfinite(trial.score(self.leader, height - 1)):
            return 0.0
        ended = all(result.get("ended", True) for result in trial.on(height - 1).values())
        return np.inf if ended else height

    def last_results(self, trial: Trial) -> list[dict[str, Any]]:
        """What was found of a trial on the last rung that it did, split by split."""
        height = self.height(trial)
        results = [dict(trial.on(height - 1)[split]) for split in range(self.n_splits)]
        for split, result in enumerate(results):
            for name in ("fit_time", "score_time"):
                result[name] = sum(trial.on(rung)[split][name] for rung in range(height))
        return results

    def racing(self, number: int, rung: int) -> list[Trial]:
        """Trials of a round that train up to a rung: all, or the best on the rung before."""
        trials = [trial for trial in self.trials if trial.round == number]
        for below in range(rung):
            scored = [
                (trial.score(self.leader, below), trial)
                for trial in trials
                if self.height(trial) > below
            ]
            best = sorted((p for p in scored if np.isfinite(p[0])), key=lambda pair: -pair[0])
            trials = [trial for _, trial in best[: ceil(len(trials) / self.eta)]]
        return trials

    def missing(self, number: int, rung: int) -> list[tuple[Trial, int]]:
        """Trials of a round, and splits, whose result on a rung is not known."""
        return [
            (trial, split)
            for trial in self.racing(number, rung)
            for split in range(self.n_splits)
            if split not in trial.on(rung)
        ]

    def n_complete_rounds(self) -> int:
        """How many rounds, from the first, have all their results."""
        for number in range(len(self.bounds)):
            if any(self.missing(number, rung) for rung in range(self.n_rungs)):
                return number
        return len(self.bounds)

    def ranked(self) -> list[tuple[float, Trial]]:
        """Complete trials with what they score at the end, or would, the best first.

        A trial that was left behind on a rung is taken to gain from there to the end
        what half of those that went on gained or surpassed. Those whose score is not a
        number are left out.
        """
        gains, scored = self._gains(), []
        for trial in self.complete():
            height = self.height(trial)
            score = trial.score(self.leader, height - 1)
            if self.progress(trial) < np.inf:
                score += sum(gains[height - 1 :])
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
                if self.height(trial) > rung
            ]
            steps = [step for step in steps if np.isfinite(step)]
            gains.append(float(np.median(steps)) if steps else 0.0)
        return gains
