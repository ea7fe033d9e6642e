"""What is to be fitted, and what came of it."""

from __future__ import annotations

from typing import Any, NamedTuple


class Job(NamedTuple):
    """One fit to make: a candidate on a split."""

    candidate: int
    rung: int
    split: int
    params: dict[str, Any]
    until: int | None = None  # epochs to have done in the end; None is all that it has
    is_last: bool = True  # whether it will not go on from there

    @property
    def key(self) -> tuple[int, int]:
        """Candidate and split: what goes on from rung to rung."""
        return self.candidate, self.split


class Done(NamedTuple):
    """One fit that was made."""

    candidate: int
    rung: int
    split: int
    result: dict[str, Any]  # as of scikit-learn's fit-and-score
    state: Any = None  # what it can go on from
