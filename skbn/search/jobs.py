"""Fits to make, the estimators that make them, and their results."""

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


class Assignment(NamedTuple):
    """A job, the estimator that does it, and what the estimator goes on from."""

    job: Job
    estimator: Any  # the last step of a pipeline
    is_valid: bool = False  # whether the parameters of a network were checked
    state: Any = None  # a `Fit`, or the estimator and its epochs if that is no network
    callbacks: tuple[Any, Any] | None = None  # the search and the context of their task
    seconds: float = 0.0  # that it takes, by the schedule


class Done(NamedTuple):
    """One fit that was made."""

    candidate: int
    rung: int
    split: int
    result: dict[str, Any]  # as of scikit-learn's fit-and-score
    state: Any = None  # what it can go on from
