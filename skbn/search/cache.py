"""States of fits between rungs, as far as memory reaches."""

from __future__ import annotations

from collections.abc import Container
from typing import Any, NamedTuple

from skbn.estimators.fitting import Fit
from skbn.search.jobs import Done
from skbn.search.networks import n_bytes_of_fit
from skbn.search.study import leading


class _Kept(NamedTuple):
    score: float
    n_bytes: int
    state: Any


class StateCache:
    """States of fits by candidate and split; the least promising go where memory is full.

    A fit whose state is gone trains from the start, to the same bits.

    Parameters
    ----------
    memory_budget : float
        Bytes of the states of networks.
    leader : str or None
        Name of the score by which fits are compared.
    """

    def __init__(self, memory_budget: float, leader: str | None) -> None:
        self._memory_budget, self._leader = memory_budget, leader
        self._kept: dict[tuple[int, int], _Kept] = {}

    @property
    def states(self) -> dict[tuple[int, int], Any]:
        """The states by candidate and split."""
        return {key: kept.state for key, kept in self._kept.items()}

    def forget_others(self, keys: Container[tuple[int, int]]) -> None:
        """Keep no states but some: of candidates that were left behind nothing goes on."""
        self._kept = {key: kept for key, kept in self._kept.items() if key in keys}

    def take(self, key: tuple[int, int]) -> Any:
        """Give a state away, or None."""
        kept = self._kept.pop(key, None)
        return None if kept is None else kept.state

    def keep(self, done: Done) -> Done:
        """Keep the state of a fit that was made, and give its result alone."""
        if done.state is not None:
            score = leading(done.result["test_scores"], self._leader)
            n_bytes = n_bytes_of_fit(done.state) if isinstance(done.state, Fit) else 0
            self._kept[done.candidate, done.split] = _Kept(score, n_bytes, done.state)
            while sum(kept.n_bytes for kept in self._kept.values()) > self._memory_budget:
                del self._kept[min(self._kept, key=lambda key: self._kept[key].score)]
        return done._replace(state=None)
