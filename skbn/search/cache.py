"""States of fits between rungs and transformed rows of splits, as far as memory reaches."""

from __future__ import annotations

from collections.abc import Callable, Container, Iterable, Sequence
from typing import Any, NamedTuple

from skbn.estimators.fitting import Fit
from skbn.search.jobs import Done
from skbn.search.networks import n_bytes_of_fit
from skbn.search.splits import Split
from skbn.search.study import leading

SplitKey = tuple[str, int]
"""Key of the transformers, and number of the split."""


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
    def all(self) -> dict[tuple[int, int], Any]:
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


class SplitCache:
    """Rows of splits, which transformers were fitted to once for all candidates.

    Parameters
    ----------
    memory_budget : float
        Bytes of the rows.
    """

    def __init__(self, memory_budget: float) -> None:
        self._memory_budget = memory_budget
        self._held: dict[SplitKey, Split] = {}

    @property
    def n_bytes(self) -> int:
        """Bytes of all rows that are held."""
        return sum(split.n_bytes for split in self._held.values())

    def hold(
        self,
        keys: Sequence[SplitKey],
        make: Callable[[Sequence[SplitKey]], Iterable[tuple[SplitKey, Split]]],
    ) -> dict[SplitKey, Split]:
        """Give the first splits of some, as many as fit into memory, but one at least.

        There are fewer, or none, if time is over.

        Parameters
        ----------
        keys : sequence of SplitKey
        make : callable
            Makes those that are not held.
        """
        if not self._held:
            # To see how large they are: transformers may widen the rows.
            self._held.update(make(keys[:1]))
        largest = max([1, *(split.n_bytes for split in self._held.values())])
        first = keys[: max(1, int(self._memory_budget // largest))]
        if len({*self._held, *first}) * largest > self._memory_budget:
            self._held = {key: split for key, split in self._held.items() if key in first}
        self._held.update(make([key for key in first if key not in self._held]))
        return {key: self._held[key] for key in first if key in self._held}
