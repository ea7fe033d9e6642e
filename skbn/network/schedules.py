"""Learning-rate schedules.

To add one, write (progress, epoch, decay) -> multiplier of the peak rate and enter
it in ``SCHEDULES``. Progress runs from 0 at the end of the warm-up to 1 at
``max_iter`` epochs; ``epoch`` counts whole epochs done. The three arguments are arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from skbn.network.parameters import Array

FLOOR = 0.01
"""The lowest multiplier: training goes on, slowly, past ``max_iter``."""
WARMUP_START = 0.04
"""The multiplier of the first step of a warm-up, the 1/25 of Smith & Topin 2017."""


@dataclass(frozen=True)
class Schedule:
    """A learning rate as a function of time.

    Parameters
    ----------
    multiplier : callable
        (progress, epoch, decay) -> multiplier.
    warmup_fraction : float, default=0.0
        Fraction of the epochs that the warm-up takes if the user names none.
    reads : tuple of str, default=()
        ``("learning_rate_decay",)`` where the decay has a say.
    """

    multiplier: Callable[[Array, Array, Array], Array]
    warmup_fraction: float = 0.0
    reads: tuple[str, ...] = ()


def _constant(progress: Array, epoch: Array, decay: Array) -> Array:
    """1."""
    return np.ones_like(progress)


def _inverse_time(progress: Array, epoch: Array, decay: Array) -> Array:
    """1 / (1 + decay epoch)."""
    return 1 / (1 + decay * epoch)


def _exponential(progress: Array, epoch: Array, decay: Array) -> Array:
    """exp(-decay epoch); 0.95^epoch is decay = -log(0.95) = 0.0513."""
    multiplier: Array = np.exp(-decay * epoch)
    return multiplier


def _cosine(progress: Array, epoch: Array, decay: Array) -> Array:
    """(1 + cos(pi progress)) / 2: Loshchilov & Hutter 2017 (arXiv:1608.03983)."""
    multiplier: Array = 0.5 * (1 + np.cos(np.pi * progress))
    return multiplier


def _one_cycle(progress: Array, epoch: Array, decay: Array) -> Array:
    """1 - progress, after a warm-up: Smith & Topin 2017 (arXiv:1708.07120)."""
    return 1 - progress


SCHEDULES = {
    "constant": Schedule(_constant),
    "inverse_time": Schedule(_inverse_time, reads=("learning_rate_decay",)),
    "exponential": Schedule(_exponential, reads=("learning_rate_decay",)),
    "cosine": Schedule(_cosine),
    "one_cycle": Schedule(_one_cycle, warmup_fraction=0.3),
}


def multipliers(name: str, progress: Array, epoch: Array, decay: Array, warmup: Array) -> Array:
    """Multiplier of the peak learning rate, warm-up and floor included.

    Parameters
    ----------
    name : str
        A key of ``SCHEDULES``.
    progress : ndarray
        (epochs done + fraction of this epoch) / max_iter, zero or more.
    epoch : ndarray
        Whole epochs done.
    decay : ndarray
        ``learning_rate_decay``.
    warmup : ndarray
        Fraction of ``max_iter`` in which the rate rises linearly from 4 % of its
        peak; NaN stands for the schedule's own.

    Returns
    -------
    multiplier : ndarray
        The broadcast shape of the arguments, at least 0.01.
    """
    schedule = SCHEDULES[name]
    warmup = np.where(np.isnan(warmup), schedule.warmup_fraction, warmup)
    after = np.clip((progress - warmup) / (1 - warmup), 0, 1)
    with np.errstate(over="ignore"):  # of a decay without measure, or a warm-up of no step
        falling = schedule.multiplier(after, epoch, decay)
        rising = WARMUP_START + (1 - WARMUP_START) * progress / np.where(warmup > 0, warmup, 1)
    return np.maximum(np.where(progress < warmup, rising, falling), FLOOR)
