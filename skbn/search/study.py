"""What a search has tried and found so far."""

from __future__ import annotations

from dataclasses import dataclass, field
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
    results : dict of int to dict
        By split, what scikit-learn's fit-and-score gave.
    """

    round: int
    draw: str
    unit: Units
    results: dict[int, dict[str, Any]] = field(default_factory=dict)

    def score(self, metric: str | None) -> float:
        """Mean test score over the splits that are done."""
        # In the order of the splits, not of their completion: sums depend on it in the last bit.
        scores = [self.results[split]["test_scores"] for split in sorted(self.results)]
        return float(np.mean([s[metric] if isinstance(s, dict) else s for s in scores]))


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
    trials: list[Trial] = field(default_factory=list)
    bounds: list[NDArray[np.float64]] = field(default_factory=list)
    known: NDArray[np.float64] | None = None

    @property
    def results(self) -> list[dict[str, Any]]:
        """What all fits gave that are done."""
        return [result for trial in self.trials for result in trial.results.values()]

    @property
    def metric(self) -> str | None:
        """Name of the score that leads the search; None where there is one score only."""
        scores = (result["test_scores"] for result in self.results)
        return self.leader or next((next(iter(s)) for s in scores if isinstance(s, dict)), None)

    def complete(self) -> list[Trial]:
        """Trials that have a result on every split."""
        return [trial for trial in self.trials if len(trial.results) == self.n_splits]

    def n_complete_rounds(self) -> int:
        """How many rounds, from the first, have all their results."""
        unfinished = [t.round for t in self.trials if len(t.results) < self.n_splits]
        return min(unfinished, default=len(self.bounds))

    def ranked(self) -> list[Trial]:
        """Complete trials, the best first; those whose score is not a number are left out."""
        metric = self.metric
        scored = [(trial.score(metric), trial) for trial in self.complete()]
        finite = [(score, trial) for score, trial in scored if np.isfinite(score)]
        return [trial for _, trial in sorted(finite, key=lambda pair: -pair[0])]
