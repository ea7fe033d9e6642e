"""Training a population, epoch by epoch."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skbn.network.architecture import Architecture
from skbn.network.batches import batch_edges, shuffled_rows, take_rows, take_sparse_rows
from skbn.network.mapped import Pages
from skbn.network.network import Network
from skbn.network.optimizers import NESTEROV, OPTIMIZERS, Optimizer
from skbn.network.parameters import Array, Indices, empty, zeros
from skbn.network.state import AVERAGES, State
from skbn.network.steps import OF_STEPS, Steps, stack_values

PER_MEMBER = (
    *OF_STEPS,
    "bn_momentum",
    "bn_epsilon",
    "dropout",
    "input_dropout",
    "noise",
    "input_noise",
    "label_smoothing",
    "focal_gamma",
)
"""Hyperparameters in which the members of a population may differ."""


def stack_hyperparameters(members: Sequence[Mapping[str, Any]]) -> dict[str, Array]:
    """Put the members' hyperparameters side by side.

    Parameters
    ----------
    members : sequence of mappings
        Each with a value for every name in ``PER_MEMBER``. None stands for no
        limit (``max_grad_norm``) or for the schedule's own (``warmup_fraction``).

    Returns
    -------
    hyper : dict of str to float64 ndarray of shape (K, 1)
    """
    return stack_values(members, PER_MEMBER)


@dataclass(frozen=True)
class Settings:
    """The sequence of steps, which the members of a population share.

    Parameters
    ----------
    solver : str
        A key of ``OPTIMIZERS``.
    nesterovs_momentum : bool
        For ``solver="sgd"``.
    learning_rate : str
        A key of ``SCHEDULES``.
    batch_size : int
    shuffle : bool
    """

    solver: str
    nesterovs_momentum: bool
    learning_rate: str
    batch_size: int
    shuffle: bool

    @property
    def optimizer(self) -> Optimizer:
        """The optimiser that these settings name."""
        if self.solver == "sgd" and self.nesterovs_momentum:
            return NESTEROV
        return OPTIMIZERS[self.solver]


@dataclass(frozen=True)
class Data:
    """Training rows of a population.

    Parameters
    ----------
    x : ndarray or CSR matrix of shape (n_total, n_features)
    labels : int ndarray of shape (n_total,)
    rows : int ndarray of shape (K, n) or None
        The rows that each member trains on; None stands for all, in order.
    weights : ndarray of shape (K, n) or None
        Weights of these rows, positive, mean one in each member; None stands for
        ones.
    loss_weights : ndarray of shape (K, n) or None
        Others for the loss, as positive and of mean one: batch norm's moments take
        ``weights``.
    """

    x: Any
    labels: Indices
    rows: Indices | None = None
    weights: Array | None = None
    loss_weights: Array | None = None


class Epoch(NamedTuple):
    """The outcome of one epoch, member by member.

    Parameters
    ----------
    loss : ndarray of shape (K,)
        Mean weighted loss over the epoch's mini-batches, as each was met, without
        the penalty.
    learning_rate : ndarray of shape (K,)
        At the first step.
    gradient_norm : ndarray of shape (K,)
        Mean over the steps, before clipping.
    finite : bool ndarray of shape (K,)
        False where the loss or a parameter is not.
    faults : mapping of int to str or Exception
        What went wrong first in a function of the user's own, by member.
    """

    loss: Array
    learning_rate: Array
    gradient_norm: Array
    finite: npt.NDArray[np.bool_]
    faults: Mapping[int, str | Exception]


BUFFER_SIZE = 2**12
"""Elements. NumPy copies a broadcast operand into a buffer of 8,192, which does not fit in
the first-level cache beside the other operands; half of it takes 0.7 of the time."""


class _Trainer:
    """The arrays and layers that the epochs of one call of `train` share."""

    def __init__(
        self,
        architecture: Architecture,
        settings: Settings,
        hyper: Mapping[str, Array],
        state: State,
        data: Data,
    ) -> None:
        layout, theta = architecture.layout, state.theta
        n_members, dtype = len(theta), theta.dtype
        self.settings, self.state, self.data = settings, state, data
        n_rows = data.x.shape[0] if data.rows is None else data.rows.shape[1]
        self.edges = batch_edges(n_rows, settings.batch_size, architecture.normalised)
        self.rows = np.empty((n_members, n_rows), np.intp)
        self.rows[...] = np.arange(n_rows) if data.rows is None else data.rows
        self.shuffled = np.empty_like(self.rows)
        self.pages = Pages(data.x)
        n_bytes = data.x.data.nbytes if issparse(data.x) else data.x.nbytes
        # Of the rows trained on: others beside them have no say in the order.
        self.n_bytes = n_bytes * n_rows // data.x.shape[0]
        self.encode = architecture.loss_function.encoder(self.edges, n_members)
        self.losses = np.empty((n_members, n_rows), dtype)
        n_steps = len(self.edges) - 1
        self.per_row, self.per_step = (np.full((n, 1), 1 / n) for n in (n_rows, n_steps))

        # A number too large for float32 becomes infinite, and training reports it.
        with np.errstate(over="ignore"):
            working = {name: value.astype(dtype) for name, value in hyper.items()}
        self.networks, self.inputs = {}, {}
        gradient = zeros(theta.shape, dtype)
        for m in {end - start for start, end in pairwise(self.edges)}:
            self.networks[m] = Network(
                architecture, theta, gradient, m, working, state.noise_streams
            )
            self.inputs[m] = empty((n_members, m, architecture.n_features), dtype)
        trained, statistics = slice(0, layout.n_trained), slice(layout.n_trained, None)
        self.statistics, self.moments = theta[:, statistics], gradient[:, statistics]
        self.moments_sum, self.bn_momentum = np.empty_like(self.moments), working["bn_momentum"]
        self.steps = Steps(
            settings.optimizer,
            settings.learning_rate,
            hyper,
            theta[:, trained],
            gradient[:, trained],
            state.vectors,
            layout.n_decayed,
            AVERAGES,
            n_steps,
        )

    def order(self) -> tuple[Indices, Array | None, Array | None]:
        """The rows of this epoch and their weights, in the order of each member's own shuffle."""
        data = self.data
        if not self.settings.shuffle:
            return self.rows, data.weights, data.loss_weights
        order, n_rows = self.shuffled, self.rows.shape[1]
        drawn: dict[int, Indices] = {}
        for member, stream in zip(order, self.state.shuffle_streams, strict=True):
            if id(stream) not in drawn:  # members of one seed may share it
                drawn[id(stream)] = shuffled_rows(stream, n_rows, self.n_bytes)
            member[...] = drawn[id(stream)]
        weights, loss_weights = (
            None if each is None else np.take_along_axis(each, order, axis=1)
            for each in (data.weights, data.loss_weights)
        )
        rows = order if data.rows is None else np.take_along_axis(data.rows, order, axis=1)
        return rows, weights, loss_weights

    def average_moments(self) -> None:
        """A <- b A + batch moment, by the sum A of which avg = A / S is the average."""
        self.moments_sum *= self.bn_momentum
        self.moments_sum += self.moments

    def run_epoch(self) -> Epoch:
        """Make one pass over the rows."""
        state, dtype = self.state, self.state.theta.dtype
        rows, *weights = self.order()
        targets = self.encode(self.data.labels[rows])
        first_rate, rates, scalars, sums = self.steps.plan(state.n_epochs, state.sums)
        squares = np.empty((len(rates), len(rows), 1, 1), dtype)
        batches, of_steps = pairwise(self.edges), zip(*scalars, strict=True)
        np.multiply(self.statistics, state.sums[2], out=self.moments_sum)
        take = take_sparse_rows if issparse(self.data.x) else take_rows
        mapped = self.pages.mapped
        for (start, end), rate, of_step, square in zip(
            batches, rates, of_steps, squares, strict=True
        ):
            batch = slice(start, end)
            m = end - start
            x = self.inputs[m]
            take(self.data.x, rows[:, batch], x)
            if mapped:
                self.pages.note_read(x.nbytes)
            self.losses[:, batch] = self.networks[m].loss_and_gradient(
                x,
                targets[:, batch],
                *(None if each is None else each[:, batch] for each in weights),
            )
            self.steps(rate, of_step, square)
            self.average_moments()
        np.divide(self.moments_sum, sums[2], out=self.statistics)
        state.sums[...] = sums
        state.n_epochs += 1
        return self.report(first_rate, squares)

    def report(self, first_rate: Array, squares: Array) -> Epoch:
        """Sum up an epoch, with the squared norms (T, K, 1, 1) of its gradients."""
        loss = _means(self.losses, self.per_row)
        return Epoch(
            loss=loss,
            learning_rate=first_rate,
            gradient_norm=_means(np.sqrt(squares[:, :, 0, 0]).T, self.per_step),
            # The sum shows one that is not, and costs less than to ask each.
            finite=np.isfinite(loss + np.add.reduce(self.state.theta, axis=1)),
            faults={k: what for each in self.networks.values() for k, what in each.faults.items()},
        )


def _means(values: Array, weights: Array) -> Array:
    """Means (K,) of the rows of an array (K, n), with weights (n, 1) of 1 / n."""
    # As products, for the order in which a sum is taken depends on K.
    rows = np.ascontiguousarray(values, np.float64)[:, None]
    means: Array = np.matmul(rows, weights)[:, 0, 0]
    return means


def train(
    architecture: Architecture,
    settings: Settings,
    hyper: Mapping[str, Array],
    state: State,
    data: Data,
) -> Iterator[Epoch]:
    """Train a population epoch by epoch, for as long as the caller asks.

    Parameters
    ----------
    architecture : Architecture
    settings : Settings
    hyper : mapping of str to float64 ndarray of shape (K, 1)
        From `stack_hyperparameters`.
    state : State
        Changed in place.
    data : Data
        In the dtype of the state.

    Yields
    ------
    epoch : Epoch
        After each pass over the rows. Between two of them the state is whole.
    """
    trainer = _Trainer(architecture, settings, hyper, state, data)
    while True:
        buffer_size = np.setbufsize(BUFFER_SIZE)
        try:
            with np.errstate(all="ignore"):  # Epoch.finite reports an overflow
                epoch = trainer.run_epoch()
        finally:
            np.setbufsize(buffer_size)
        yield epoch
