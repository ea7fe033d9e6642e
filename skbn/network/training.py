"""Training a population: epochs, and the state to go on from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skbn.network.batches import batch_edges, shuffled_rows, take_rows
from skbn.network.network import Architecture, Network, initial_theta
from skbn.network.optimizers import NESTEROV, OPTIMIZERS, Optimizer, Stepper
from skbn.network.parameters import Array, Indices
from skbn.network.schedules import multipliers

PER_MEMBER = (
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
    "bn_momentum",
    "bn_epsilon",
    "dropout",
    "input_dropout",
    "label_smoothing",
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
    absent = {"max_grad_norm": np.inf, "warmup_fraction": np.nan}
    return {
        name: np.array(
            [[absent[name] if member[name] is None else member[name]] for member in members],
            dtype=np.float64,
        )
        for name in PER_MEMBER
    }


@dataclass(frozen=True)
class Settings:
    """What decides the sequence of steps, and so is shared by a population.

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


@dataclass
class State:
    """All that a population needs to go on training, and nothing else.

    Parameters
    ----------
    theta : ndarray of shape (K, P)
    vectors : list of ndarray of shape (K, n_trained)
        The optimiser's state.
    sums : ndarray of shape (2, K, 1)
        The optimiser's state that does not depend on the parameter.
    statistics_sum : ndarray of shape (K, 1)
        Sum of the weights in the batch-norm averages.
    shuffle_streams, dropout_streams : list of numpy.random.Generator
        One a member.
    n_epochs : int, default=0
        Whole epochs done.
    """

    theta: Array
    vectors: list[Array]
    sums: Array
    statistics_sum: Array
    shuffle_streams: list[np.random.Generator]
    dropout_streams: list[np.random.Generator]
    n_epochs: int = 0

    def copy(self) -> State:
        """Give a state that shares no memory with this one."""
        return deepcopy(self)

    def assign(self, other: State) -> None:
        """Become equal to ``other``, in the arrays that are there."""
        np.copyto(self.theta, other.theta)
        np.copyto(self.sums, other.sums)
        np.copyto(self.statistics_sum, other.statistics_sum)
        for mine, theirs in zip(self.vectors, other.vectors, strict=True):
            np.copyto(mine, theirs)
        streams = (*self.shuffle_streams, *self.dropout_streams)
        other_streams = (*other.shuffle_streams, *other.dropout_streams)
        for own, its in zip(streams, other_streams, strict=True):
            own.bit_generator.state = its.bit_generator.state
        self.n_epochs = other.n_epochs


def initial_state(
    architecture: Architecture,
    solver: str,
    initializers: Sequence[str],
    seeds: Sequence[np.random.SeedSequence],
    dtype: npt.DTypeLike,
) -> State:
    """Draw a population before its first step.

    Parameters
    ----------
    architecture : Architecture
    solver : str
        A key of ``OPTIMIZERS``.
    initializers : sequence of str, one a member
    seeds : sequence of numpy.random.SeedSequence, one a member
        Each is spawned into streams for initialisation, shuffling and dropout.
    dtype : numpy dtype

    Returns
    -------
    state : State
    """
    streams = [[np.random.default_rng(child) for child in seed.spawn(3)] for seed in seeds]
    first, shuffle, dropout = (list(kind) for kind in zip(*streams, strict=True))
    theta = initial_theta(architecture, initializers, first, dtype)
    trained = (len(theta), architecture.layout.n_trained)
    return State(
        theta=theta,
        vectors=[np.zeros(trained, dtype) for _ in range(OPTIMIZERS[solver].n_vectors)],
        sums=np.zeros((2, len(theta), 1), dtype),
        statistics_sum=np.zeros((len(theta), 1), dtype),
        shuffle_streams=shuffle,
        dropout_streams=dropout,
    )


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
    """

    x: Any
    labels: Indices
    rows: Indices | None = None
    weights: Array | None = None


@dataclass(frozen=True)
class Epoch:
    """What happened in one epoch, member by member.

    Parameters
    ----------
    loss : ndarray of shape (K,)
        Mean weighted cross-entropy over the epoch's mini-batches, as each was
        met, without the penalty.
    learning_rate : ndarray of shape (K,)
        At the first step.
    gradient_norm : ndarray of shape (K,)
        Mean over the steps, before clipping.
    finite : bool ndarray of shape (K,)
        False where the loss or a parameter is not.
    """

    loss: Array
    learning_rate: Array
    gradient_norm: Array
    finite: npt.NDArray[np.bool_]


class _Pass:
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
        self.settings, self.state, self.data, self.hyper = settings, state, data, hyper
        n_rows = data.x.shape[0] if data.rows is None else data.rows.shape[1]
        self.rows = np.arange(n_rows)[None] if data.rows is None else data.rows
        self.edges = batch_edges(n_rows, settings.batch_size, architecture.normalised)

        # What is too large for float32 becomes infinite, and training reports it.
        with np.errstate(over="ignore"):
            working = {name: value.astype(dtype) for name, value in hyper.items()}
        working["betas"] = np.stack([working["beta_1"], working["beta_2"]])
        self.limit = working["max_grad_norm"] if np.isfinite(hyper["max_grad_norm"]).any() else None
        self.bn_momentum = working["bn_momentum"]
        self.networks, self.inputs = {}, {}
        gradient = np.zeros_like(theta)
        for m in {end - start for start, end in pairwise(self.edges)}:
            self.networks[m] = Network(
                architecture, theta, gradient, m, working, state.dropout_streams
            )
            self.inputs[m] = np.empty((n_members, m, architecture.n_features), dtype)
        trained, statistics = slice(0, layout.n_trained), slice(layout.n_trained, None)
        self.gradient = gradient[:, trained]
        self.statistics, self.moments = theta[:, statistics], gradient[:, statistics]
        self.step = Stepper(
            settings.optimizer,
            theta[:, trained],
            self.gradient,
            state.vectors,
            state.sums,
            layout.n_decayed,
            working,
        )

    def order(self) -> tuple[Indices, Array | None]:
        """The rows of this epoch in the order of each member's own shuffle."""
        n_members, n_rows = len(self.state.theta), self.rows.shape[1]
        rows = np.broadcast_to(self.rows, (n_members, n_rows))
        weights = self.data.weights
        if self.settings.shuffle:
            x, streams = self.data.x, self.state.shuffle_streams
            n_bytes = x.data.nbytes if issparse(x) else x.nbytes
            shuffled = np.stack([shuffled_rows(stream, n_rows, n_bytes) for stream in streams])
            rows = np.take_along_axis(rows, shuffled, axis=1)
            if weights is not None:
                weights = np.take_along_axis(weights, shuffled, axis=1)
        return rows, weights

    def rates(self) -> Array:
        """Learning rate of each step of this epoch, (steps, K, 1)."""
        done, n_steps, hyper = self.state.n_epochs, len(self.edges) - 1, self.hyper
        progress = (done + np.arange(n_steps)[:, None, None] / n_steps) / hyper["max_iter"]
        factor = multipliers(
            self.settings.learning_rate,
            progress,
            np.full_like(progress, done),
            hyper["learning_rate_decay"],
            hyper["warmup_fraction"],
        )
        rates: Array = hyper["learning_rate_init"] * factor
        return rates

    def average_moments(self) -> None:
        """avg <- avg + (1 - b) / (1 - b^t) (batch moment - avg), by the sum of b^i, i < t."""
        total = self.state.statistics_sum
        total *= self.bn_momentum
        total += 1
        self.moments -= self.statistics
        self.moments /= total
        self.statistics += self.moments

    def gradient_norm(self) -> Array:
        """Euclidean norm of each member's gradient, (K,)."""
        g = self.gradient
        # As a product, and not by einsum, whose order of summation depends on K.
        norm: Array = np.sqrt(np.matmul(g[:, None, :], g[:, :, None])[:, 0, 0])
        return norm

    def clip(self, norm: Array) -> None:
        """Scale the gradients down whose norm (K,) is above ``max_grad_norm``."""
        if self.limit is not None:
            norm = norm[:, None]
            self.gradient *= np.where(norm > self.limit, self.limit / norm, 1).astype(norm.dtype)

    def run_epoch(self) -> Epoch:
        """Make one pass over the rows."""
        rows, weights = self.order()
        rates = self.rates()
        labels = self.data.labels[rows]
        n_members, n_rows = rows.shape
        losses, norms = np.zeros(n_members), np.zeros(n_members)
        # What overflows is reported by the finite field.
        with np.errstate(all="ignore"):
            steps = rates.astype(self.state.theta.dtype)
            for rate, (start, end) in zip(steps, pairwise(self.edges), strict=True):
                m = end - start
                x = self.inputs[m]
                take_rows(self.data.x, rows[:, start:end], x)
                batch_weights = None if weights is None else weights[:, start:end]
                loss = self.networks[m].loss_and_gradient(x, labels[:, start:end], batch_weights)
                norm = self.gradient_norm()
                losses += loss * (m / n_rows)
                norms += norm
                self.clip(norm)
                self.step(rate)
                self.average_moments()
        self.state.n_epochs += 1
        return Epoch(
            loss=losses,
            learning_rate=rates[0, :, 0],
            gradient_norm=norms / len(rates),
            finite=np.isfinite(losses) & np.isfinite(self.state.theta).all(axis=1),
        )


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
    run = _Pass(architecture, settings, hyper, state, data)
    while True:
        yield run.run_epoch()
