"""Steps of epochs over flat vectors: their sizes, clipping, the optimiser, subnormal numbers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

import numpy as np

from skbn.network.optimizers import Optimizer, RunningSums, Stepper
from skbn.network.parameters import Array
from skbn.network.schedules import multipliers

OF_STEPS = (
    "learning_rate_init",
    "learning_rate_decay",
    "warmup_fraction",
    "max_iter",
    "momentum",
    "beta_1",
    "beta_2",
    "epsilon",
    "alpha",
    "max_grad_norm",
)
"""Hyperparameters that decide how gradients become steps."""


def stack_values(
    members: Sequence[Mapping[str, float | None]], names: Sequence[str]
) -> dict[str, Array]:
    """Put values of hyperparameters side by side.

    Parameters
    ----------
    members : sequence of mappings
        Each with a value for every name. None stands for no limit (``max_grad_norm``) or for
        the schedule's own (``warmup_fraction``).
    names : sequence of str

    Returns
    -------
    hyper : dict of str to float64 ndarray of shape (K, 1)
    """
    absent = {"max_grad_norm": np.inf, "warmup_fraction": np.nan}
    return {
        name: np.array(
            [[absent[name] if member[name] is None else member[name]] for member in members],
            dtype=np.float64,
        )
        for name in names
    }


FLUSHED_EVERY = 256
"""Steps between two searches for subnormal numbers, with which arithmetic is some 25 times
slower. Without new gradients, as a rare category's weights have none in most batches,
moments decay to such numbers in 800 steps, and rounded up again and again they stay
there: epochs of 240 such columns in 300 took 1.7 to 2 times as long."""
STEPS_AHEAD = 256
"""Steps for which learning rates and the like are computed at once, at least: the thirty calls
that this takes would cost as much as a small step."""


class Plan(NamedTuple):
    """Numbers of the T steps of an epoch that do not depend on what they meet.

    The first learning rate is (K,); learning rates and the optimiser's scalars are each
    (T, K, 1), in the dtype of the vectors; the sums of the averages' weights after the epoch
    are (A, K, 1).
    """

    first_rate: Array
    rates: Array
    scalars: Sequence[Array]
    sums: Array


class Steps:
    """The steps of epochs, each from the gradient that stands in its vector.

    Parameters
    ----------
    optimizer : Optimizer
    schedule : str
        A key of ``SCHEDULES``.
    hyper : mapping of str to float64 ndarray of shape (K, 1)
        With every name of ``OF_STEPS``.
    trained, gradient : ndarray of shape (K, n_trained)
    vectors : sequence of ndarray of shape (K, n_trained)
        The optimiser's state.
    n_decayed : int
        Columns before this one are under weight decay.
    averages : sequence of str
        Hyperparameters that are the decay of an average: "beta_1", "beta_2", and others that
        are the caller's.
    n_steps : int
        Steps of an epoch.
    are_weights : bool, default=True
        Whether what is trained may be set to zero where it is as small as numbers that make
        arithmetic slow, as weights may and variables in units of the user's own may not.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        schedule: str,
        hyper: Mapping[str, Array],
        trained: Array,
        gradient: Array,
        vectors: Sequence[Array],
        n_decayed: int,
        averages: Sequence[str],
        n_steps: int,
        are_weights: bool = True,
    ) -> None:
        self._optimizer, self._schedule, self._hyper = optimizer, schedule, hyper
        self._trained, self._gradient, self._vectors = trained, gradient, vectors
        # A number too large for float32 becomes infinite, and training reports it.
        with np.errstate(over="ignore"):
            working = {name: hyper[name].astype(trained.dtype) for name in OF_STEPS}
        has_limit = np.isfinite(hyper["max_grad_norm"]).any()
        self._limit = working["max_grad_norm"] if has_limit else None
        self._sums = RunningSums(np.stack([hyper[name] for name in averages]), n_steps)
        self._n_steps, self._are_weights = n_steps, are_weights
        # A squared norm as a product, and not by einsum, whose order of summation depends on K.
        self._row, self._column = gradient[:, None, :], gradient[:, :, None]
        self._step = Stepper(optimizer, trained, gradient, vectors, n_decayed, working)
        self._plans: dict[int, Plan] = {}
        self._n_done = 0

    def plan(self, n_epochs: int, sums: Array) -> Plan:
        """Give the numbers of an epoch's steps.

        Parameters
        ----------
        n_epochs : int
            Epochs done.
        sums : float64 ndarray of shape (A, K, 1)
            Sums of the weights in the averages before the epoch.
        """
        if n_epochs not in self._plans:
            n_steps, hyper = self._n_steps, self._hyper
            epochs = np.arange(n_epochs, n_epochs + 1 + STEPS_AHEAD // n_steps)
            epochs = epochs[:, None, None, None]
            progress = (epochs + np.arange(n_steps)[:, None, None] / n_steps) / hyper["max_iter"]
            factors = multipliers(
                self._schedule,
                progress,
                np.broadcast_to(epochs, progress.shape),
                hyper["learning_rate_decay"],
                hyper["warmup_fraction"],
            )
            rates, total, all_sums = hyper["learning_rate_init"] * factors, sums, []
            for _ in epochs:
                all_sums.append(self._sums(total))
                total = all_sums[-1][-1]
            sum_1, sum_2, *_ = np.moveaxis(np.stack(all_sums), 2, 0)
            scalars = self._optimizer.scalars(rates, sum_1, sum_2, hyper)
            dtype = self._trained.dtype
            of_epochs = zip(
                rates[:, 0, :, 0],
                rates.astype(dtype),
                zip(*[scalar.astype(dtype) for scalar in scalars], strict=True),
                [each[-1] for each in all_sums],
                strict=True,
            )
            self._plans = {n_epochs + i: Plan(*each) for i, each in enumerate(of_epochs)}
        self._n_done = n_epochs * self._n_steps
        return self._plans[n_epochs]

    def __call__(self, rate: Array, scalars: Sequence[Array], square: Array) -> None:
        """Take a step of the epoch that was planned last.

        Parameters
        ----------
        rate : ndarray of shape (K, 1)
        scalars : sequence of ndarray of shape (K, 1)
        square : ndarray of shape (K, 1, 1)
            Filled with the squared norm of the gradient before clipping.
        """
        np.matmul(self._row, self._column, out=square)
        if self._limit is not None:
            self.clip(square[:, 0])
        self._step(rate, scalars)
        self._n_done += 1
        if self._n_done % FLUSHED_EVERY == 0:
            self.flush()

    def clip(self, square: Array) -> None:
        """Scale the gradients down whose squared norm (K, 1) is above the limit's."""
        norm, limit = np.sqrt(square), self._limit
        self._gradient *= np.where(norm > limit, limit / norm, 1).astype(norm.dtype)

    def flush(self) -> None:
        """Set to zero what is so small that it, or its square, is subnormal."""
        tiny, vectors = np.finfo(self._trained.dtype).tiny, self._vectors
        n_linear = len(vectors) - self._optimizer.n_squares
        for array in [self._trained] * self._are_weights + [*vectors[:n_linear]]:
            # A margin, for a weight's gradient may be no more than that of its penalty.
            array[np.abs(array) < 100 * tiny**0.5] = 0
        for array in vectors[n_linear:]:
            array[array < tiny] = 0
