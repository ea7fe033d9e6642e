"""Successive halving: how far candidates train, and what is told of those left behind."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from skbn.search.space import Space
from skbn.search.splits import last_step
from skbn.search.study import Trial, leading


def rung_epochs(first: int, horizon: int, eta: int) -> list[int]:
    """Epochs to have done on each rung: eta times as many from one to the next."""
    epochs = [first]
    while epochs[-1] < horizon:
        epochs.append(min(eta * epochs[-1], horizon))
    return epochs


def rung_sizes(n_candidates: int, n_rungs: int, eta: int) -> list[int]:
    """Candidates on each rung of a round."""
    sizes = [n_candidates]
    while len(sizes) < n_rungs:
        sizes.append(ceil(sizes[-1] / eta))
    return sizes


def longest(estimator: Any, space: Space) -> int | None:
    """Epochs of the longest training: ``max_iter`` of the last step, or the most it is drawn."""
    last = last_step(estimator)
    name = "max_iter" if last is estimator else f"{estimator.steps[-1][0]}__max_iter"
    drawn = [part.get(name) for part in space.parts]
    most: list[Any] = [getattr(last, "max_iter", None)] if None in drawn else []
    for distribution in filter(None, drawn):
        units = np.linspace(0, 1, 1001)[:, None] if distribution.axes else [np.empty(0)]
        most.append(max(distribution.from_unit(unit) for unit in units))
    return None if None in most else int(max(most))


def rank_by_progress(results: dict[str, Any], progress: NDArray[np.float64]) -> None:
    """Put those that came further before those that did not, whatever they score.

    Parameters
    ----------
    results : dict of str to ndarray
        Whose ranks are changed.
    progress : ndarray of shape (n_candidates,)
        How far each candidate came.
    """
    for name in [name for name in results if name.startswith("rank_test_")]:
        ranks, above = results[name].copy(), 0
        for level in sorted(set(progress), reverse=True):
            here = np.flatnonzero(progress == level)
            ranks[here] = above + rankdata(results[name][here], method="min")
            above += len(here)
        results[name] = ranks


def learning_curves(trials: Sequence[Trial], leader: str | None) -> pd.DataFrame:
    """A line for each epoch of each candidate on each split.

    Parameters
    ----------
    trials : sequence of Trial
        In the order of the results.
    leader : str or None
        Name of the score that leads the search; None is the first of several.

    Returns
    -------
    curves : DataFrame
        With the columns candidate, split, epoch, score, and what networks measure. The
        score is that of the rungs, and missing in between.
    """
    lines: list[dict[str, Any]] = []
    for candidate, trial in enumerate(trials):
        for split in sorted(trial.on(0)):
            rungs = [rung[split] for rung in trial.rungs if split in rung]
            ends = [int(result["n_epochs"]) for result in rungs]
            # By column and epoch: networks trained again tell of their first epochs again.
            told: defaultdict[str, dict[int, float]] = defaultdict(dict)
            for result, end in zip(rungs, ends, strict=True):
                told["score"][end] = leading(result["test_scores"], leader)
                for name, values in result["curves"].items():
                    told[name].update(
                        zip(range(end - len(values) + 1, end + 1), values, strict=True)
                    )
            epochs = range(1, max(ends) + 1) if len(told) > 1 else sorted({*ends} - {0})
            lines += [
                {"candidate": candidate, "split": split, "epoch": epoch}
                | {name: by_epoch.get(epoch, np.nan) for name, by_epoch in told.items()}
                for epoch in epochs
            ]
    return pd.DataFrame.from_records(lines)
