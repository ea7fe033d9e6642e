"""Moments of each batch-norm layer's input on any number of rows, without labels."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any, TypeAlias

import numpy as np
from scipy.sparse import issparse

from skbn.network.inference import FoldedNetwork, TrainedNetwork
from skbn.network.layers import Affine
from skbn.network.mapped import Pages
from skbn.network.parameters import CACHED_BYTES, Array

Moments: TypeAlias = tuple[Array, Array]
"""Mean and biased variance of each unit, of shape (K, 1, n_units)."""
Choice: TypeAlias = Callable[[int, Moments, Moments], Moments]
"""From a layer, its moving statistics and its moments on the rows to those that it shall have."""


def layer_moments(network: TrainedNetwork, x: Any) -> dict[int, Moments]:
    """Give the moments on some rows of what each batch-norm layer normalises.

    All layers before it predict as they are, by their moving statistics. Sums are in float64,
    over blocks of rows; a member's do not depend on the other members.

    Parameters
    ----------
    network : TrainedNetwork
    x : ndarray or CSR matrix of shape (n, n_features)

    Returns
    -------
    moments : dict of int to (float64 ndarray, float64 ndarray) of shape (K, 1, n_units)
        Mean and biased variance, by layer; not finite where they are too large.
    """
    found: dict[int, Moments] = {}

    def note(layer: int, statistics: Moments, moments: Moments) -> Moments:
        found[layer] = moments
        return statistics

    with_moments(network, x, note)
    return found


def with_moments(network: TrainedNetwork, x: Any, choose: Choice) -> TrainedNetwork:
    """Give a network whose moving statistics are chosen anew, from the first layer to the last.

    A layer's moments are those of rows that have come through the layers before it with the
    statistics that were chosen there.

    Parameters
    ----------
    network : TrainedNetwork
    x : ndarray or CSR matrix of shape (n, n_features)
    choose : callable
        From a layer, its moving statistics and its moments on ``x`` to new statistics.

    Returns
    -------
    network : TrainedNetwork
        It shares no parameters with the one that was given.
    """
    changed = replace(network, theta=network.theta.copy())
    values, steps = changed.architecture.layout.views(changed.theta), list[Affine]()
    for layer in changed.architecture.layers:
        if layer.statistics:
            number = next(number for _, number in layer.statistics)
            mean, var = values["mean", number], values["var", number]
            before = mean.astype(np.float64), var.astype(np.float64)
            mean[...], var[...] = choose(number, before, _moments(steps, x))
        steps = layer.fold(steps, values, changed.bn_epsilon[..., None])
    return changed


def _moments(steps: list[Affine], x: Any) -> Moments:
    """Mean and variance of what comes out of some steps, as blocks are added [1]_.

    .. [1] T. Chan, G. Golub, R. LeVeque. Algorithms for computing the sample variance:
       analysis and recommendations. The American Statistician 37 (1983), 242-247.
    """
    network = FoldedNetwork([step.astype(np.float64) for step in steps])
    n_members, _, n_units = steps[-1].weights.shape
    mean, squares = np.zeros((2, n_members, 1, n_units))
    n_before = 0
    with np.errstate(over="ignore", invalid="ignore"):
        for z in _blocks(network, x):
            n_rows = z.shape[1]
            n_after = n_before + n_rows
            ones = np.ones((1, 1, n_rows))
            mean_of_block = ones @ z / n_rows
            z -= mean_of_block
            move = mean_of_block - mean
            mean += move * (n_rows / n_after)
            squares += ones @ np.square(z, out=z) + move**2 * (n_before * n_rows / n_after)
            n_before = n_after
    return mean, squares / n_before


def _blocks(network: FoldedNetwork, x: Any) -> Iterator[Array]:
    """What comes out of a network, (K, m, n_units) for blocks of m rows."""
    widest = max([x.shape[1], *(step.weights.shape[2] for step in network.steps)])
    block = max(16, CACHED_BYTES // (8 * widest))
    pages = Pages(x)
    for start in range(0, x.shape[0], block):
        rows = x[start : start + block]
        if issparse(rows):
            rows = rows.toarray()
        pages.note_read(rows.nbytes)
        yield network.logits(rows.astype(np.float64, copy=False))
