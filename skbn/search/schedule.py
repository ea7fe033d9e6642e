"""Division of fits among workers: calls of many fits, the longest first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from skbn.estimators.fitting import n_networks
from skbn.estimators.parameters import architecture_of, settings_of
from skbn.search.jobs import Assignment, Job
from skbn.search.splits import Candidate, Rules, Split
from skbn.training.lockstep import population_size, step_sequence

MAX_SECONDS = 5.0
"""Longest part that is put together from small ones: a crash costs no more than it, for
nothing of a part is committed before its end."""
MIN_SHARED = 16
"""Networks that train together, at least, where there are as many: with more of the smallest
a network takes little less time (``benchmarks/speed.py --only population``)."""
SHARE_OF_TIME = 0.1
"""Of the time left, for a part: the estimates below are of another machine."""
SECONDS_OF_A_STEP = 5e-5
"""Time of a step that computes next to nothing: 53 microseconds in size F of
``benchmarks/speed.py``."""
SECONDS_OF_A_PRODUCT = 4.5e-11
"""Time of a parameter and a row, forward, back and in the step: 7.2 milliseconds for 670,000
parameters and 250 rows in size E."""


class Group(NamedTuple):
    """Properties that assignments must share to train together."""

    key: Any
    size: int  # the most that should
    seconds: float  # of one of them, about: the longest begin first
    is_valid: bool


class Part(NamedTuple):
    """Assignments that a worker trains in one go."""

    seconds: float
    key: str | None  # of the transformers; None is not to be put together with others
    assignments: list[tuple[Assignment, Split]]


def group_of(assignment: Assignment, split: Split, memory_budget: float) -> Group:
    """Tell with what an assignment can train together."""
    job, estimator, table = assignment.job, assignment.estimator, split.table
    if split.error or table is None:
        return Group(job.key, 1, 1.0, False)
    try:
        if not assignment.is_valid:
            raise ValueError("training will tell what is wrong")
        architecture = architecture_of(estimator, table)
        n_rows = len(split.dataset.labels)
        settings = settings_of(estimator, n_rows)
    except Exception:  # which training will report, of a function of the user's own any
        return Group(job.key, 1, 0.0, False)
    n_done = 0 if assignment.state is None else assignment.state.runs[0].n_epochs
    batch_size, dtype = settings.batch_size, split.dataset.x.dtype
    size = population_size(architecture, batch_size, n_rows, dtype.itemsize, memory_budget)
    n_steps = (min(job.until or np.inf, estimator.max_iter) - n_done) * -(-n_rows // batch_size)
    product = SECONDS_OF_A_PRODUCT * batch_size * architecture.layout.size
    seconds = n_networks(estimator) * n_steps * (SECONDS_OF_A_STEP / size + product)
    return Group(step_sequence(architecture, settings, n_rows, n_done, dtype), size, seconds, True)


def parts_of(
    jobs: Sequence[tuple[Job, Split]],
    candidates: Mapping[int, Candidate],
    states: Mapping[tuple[int, int], Any],
    rules: Rules,
    n_workers: int,
) -> list[Part]:
    """Divide fits into parts that each train together.

    Parameters
    ----------
    jobs : sequence of (Job, Split)
    candidates : mapping of int to Candidate
    states : mapping of (int, int) to object
        What fits go on from, by candidate and split.
    rules : Rules
    n_workers : int

    Returns
    -------
    parts : list of Part
        Their assignments have no states yet.
    """
    groups: defaultdict[Any, list[tuple[Assignment, Split]]] = defaultdict(list)
    known: dict[Any, Group] = {}
    # The splits of a candidate side by side: when time is over, few should be half done.
    for job, split in sorted(jobs, key=lambda pair: pair[0].key):
        candidate = candidates[job.candidate]
        assignment = Assignment(job, candidate.last, candidate.is_valid)
        like = job.candidate, split.shape, job.key in states
        if like not in known:
            current = assignment._replace(state=states.get(job.key))
            known[like] = group_of(current, split, rules.memory_budget)
        group = known[like]
        assignment = assignment._replace(is_valid=group.is_valid, seconds=group.seconds)
        groups[group, candidate.key].append((assignment, split))
    parts = []
    for (group, key), assignments in groups.items():
        most = group.size
        if n_workers > 1:
            # Workers that wait for the last one cost more than smaller populations.
            most = min(most, max(MIN_SHARED, -(-len(jobs) // (4 * n_workers))))
        if rules.limit.is_finite:  # what is not at its end when time is over is lost
            in_time = SHARE_OF_TIME * rules.limit.left() / max(group.seconds, SECONDS_OF_A_STEP)
            most = max(1, min(most, int(in_time)))
        n, n_parts = len(assignments), -(-len(assignments) // most)
        for i in range(n_parts):
            mine = assignments[i * n // n_parts : (i + 1) * n // n_parts]
            parts.append(Part(group.seconds * len(mine), key if group.is_valid else None, mine))
    if rules.limit.is_finite or n_workers == 1:
        # Those that came first, of whatever shape, are the most even choice.
        parts.sort(key=lambda part: part.assignments[0][0].job.candidate)
    else:
        # The longest come first, so that all workers end at about the same time.
        parts.sort(key=lambda part: -part.seconds)
    return packed(parts, n_workers) if n_workers > 1 else parts


def doubling(jobs: Sequence[Job], n_candidates: int) -> list[list[Job]]:
    """Divide fits into those of a few candidates, of twice as many, and so on.

    For each slice transformers are fitted again. When time is over, about as many candidates
    have all their fits as do not.
    """
    left, slices = list(dict.fromkeys(job.candidate for job in jobs)), []
    while left:
        some = set(left[:n_candidates])
        slices.append([job for job in jobs if job.candidate in some])
        left, n_candidates = left[n_candidates:], 2 * n_candidates
    return slices


def packed(parts: Sequence[Part], n_workers: int) -> list[Part]:
    """Put small parts together: to send the rows of splits takes a while."""
    most = min(sum(part.seconds for part in parts) / (8 * n_workers), MAX_SECONDS)
    made: list[Part] = []
    for part in parts:
        last = made[-1] if made else part
        if made and part.key == last.key is not None and last.seconds + part.seconds <= most:
            assignments = last.assignments + part.assignments
            made[-1] = Part(last.seconds + part.seconds, part.key, assignments)
        else:
            made.append(part)
    return made
