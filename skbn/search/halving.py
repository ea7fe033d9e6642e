"""Successive halving: the rungs on which candidates train further and further."""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np

from skbn.search.space import Space
from skbn.search.splits import last_prefix, last_step


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


def plan_rungs(
    estimator: Any, space: Space, min_epochs: int | None, max_epochs: int | None, eta: int
) -> list[int]:
    """Epochs to have done on each rung, from what a search was given.

    Parameters
    ----------
    estimator : estimator
        Its last step trains by epochs.
    space : Space
        A parameter may be ``max_iter``.
    min_epochs : int or None
        Epochs on the first rung; None makes two rungs.
    max_epochs : int or None
        Epochs on the last rung; None is the longest training.
    eta : int
        Epochs grow by this factor from rung to rung.

    Raises
    ------
    ValueError
        If the last step cannot train by epochs, or has no number of them.
    """
    last = last_step(estimator)
    if not hasattr(last, "partial_fit"):
        raise ValueError(
            "resource='epochs' trains candidates further and further, for which the last step "
            f"of the estimator needs partial_fit; {type(last).__name__} has none. "
            "Use resource=None"
        )
    horizon = max_epochs or max_epochs_of(estimator, space)
    if horizon is None:
        raise ValueError(
            f"resource='epochs' must know when a training has come to its end, and "
            f"{type(last).__name__} has no max_iter; give max_epochs"
        )
    first = min_epochs or ceil(horizon / eta)
    if first > horizon:
        raise ValueError(f"min_epochs={first} is above the {horizon} epochs of a training")
    return rung_epochs(first, horizon, eta)


def max_epochs_of(estimator: Any, space: Space) -> int | None:
    """Epochs of the longest training: the largest ``max_iter`` of the last step.

    None is for a last step without ``max_iter``.
    """
    last = last_step(estimator)
    name = f"{last_prefix(estimator)}max_iter"
    drawn = [part.get(name) for part in space.parts]
    largest: list[Any] = [getattr(last, "max_iter", None)] if None in drawn else []
    for distribution in filter(None, drawn):
        units = np.linspace(0, 1, 1001)[:, None] if distribution.axes else [np.empty(0)]
        largest.append(max(distribution.from_unit(unit) for unit in units))
    return None if None in largest else int(max(largest))
