"""The state of a population in training: all that it takes to go on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from skbn.network.architecture import Architecture, initial_theta
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.parameters import Array, Indices, empty, zeros

AVERAGES = ("beta_1", "beta_2", "bn_momentum")
"""Hyperparameters that are the decay of an exponentially weighted average."""

Snapshot = tuple[int, list[Array], list[Any]]


@dataclass
class State:
    """A population in training: arrays and random streams, and nothing else.

    Parameters
    ----------
    theta : ndarray of shape (K, P)
    vectors : list of ndarray of shape (K, n_trained)
        The optimiser's state.
    sums : float64 ndarray of shape (3, K, 1)
        Sums of the weights in the averages of ``AVERAGES``.
    shuffle_streams, noise_streams : list of numpy.random.Generator
        One a member.
    n_epochs : int, default=0
        Whole epochs done.
    """

    theta: Array
    vectors: list[Array]
    sums: Array
    shuffle_streams: list[np.random.Generator]
    noise_streams: list[np.random.Generator]
    n_epochs: int = 0

    def members(self, which: Sequence[int]) -> State:
        """Give a state of some of the members, which shares no array with this one."""
        index = np.asarray(which, np.intp)
        return State(
            theta=_rows(self.theta, index),
            vectors=[_rows(vector, index) for vector in self.vectors],
            sums=self.sums[:, index],
            shuffle_streams=[self.shuffle_streams[k] for k in which],
            noise_streams=[self.noise_streams[k] for k in which],
            n_epochs=self.n_epochs,
        )

    def view(self, member: int) -> State:
        """Give the state of a member in the memory of this one."""
        one = slice(member, member + 1)
        return State(
            theta=self.theta[one],
            vectors=[vector[one] for vector in self.vectors],
            sums=self.sums[:, one],
            shuffle_streams=self.shuffle_streams[one],
            noise_streams=self.noise_streams[one],
            n_epochs=self.n_epochs,
        )

    @classmethod
    def stacked(cls, states: Sequence[State]) -> State:
        """Give one state of the members of several that have done as many epochs."""
        return cls(
            theta=_stacked([state.theta for state in states]),
            vectors=[
                _stacked(vectors)
                for vectors in zip(*[state.vectors for state in states], strict=True)
            ],
            sums=np.concatenate([state.sums for state in states], axis=1),
            shuffle_streams=[stream for state in states for stream in state.shuffle_streams],
            noise_streams=[stream for state in states for stream in state.noise_streams],
            n_epochs=states[0].n_epochs,
        )

    def _arrays(self) -> list[Array]:
        return [self.theta, *self.vectors, self.sums]

    def _bit_generators(self) -> list[Any]:
        return [s.bit_generator for s in (*self.shuffle_streams, *self.noise_streams)]

    def snapshot(self) -> Snapshot:
        """Give a copy of all that changes, for `restored`."""
        arrays = [array.copy() for array in self._arrays()]
        return self.n_epochs, arrays, [bits.state for bits in self._bit_generators()]

    def restored(self, snapshot: Snapshot) -> State:
        """Give the state of a snapshot of this one, which is left as it is."""
        n_epochs, (theta, *vectors, sums), bits = snapshot
        streams = copy_streams(self.shuffle_streams), copy_streams(self.noise_streams)
        state = State(theta, vectors, sums, *streams, n_epochs)
        for own, saved in zip(state._bit_generators(), bits, strict=True):
            own.state = saved
        return state


def copy_streams(streams: Sequence[np.random.Generator]) -> list[np.random.Generator]:
    """Copy random streams; one that several members share is shared by its copies."""
    copies: dict[int, np.random.Generator] = {}
    for stream in streams:
        if id(stream) not in copies:
            bits = type(stream.bit_generator)(0)  # a deep copy takes three times as long
            bits.state = stream.bit_generator.state
            copies[id(stream)] = np.random.Generator(bits)
    return [copies[id(stream)] for stream in streams]


def _rows(array: Array, index: Indices) -> Array:
    rows = empty((len(index), array.shape[1]), array.dtype)
    return np.take(array, index, axis=0, out=rows, mode="clip")  # without a buffer


def _stacked(arrays: Sequence[Array]) -> Array:
    n_rows = sum(len(array) for array in arrays)
    return np.concatenate(arrays, out=empty((n_rows, arrays[0].shape[1]), arrays[0].dtype))


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
        Each is spawned into streams for initialisation, shuffling and noise.
    dtype : numpy dtype

    Returns
    -------
    state : State
    """
    streams = [[np.random.default_rng(child) for child in seed.spawn(3)] for seed in seeds]
    first, shuffle, noise = (list(kind) for kind in zip(*streams, strict=True))
    theta = initial_theta(architecture, initializers, first, dtype)
    trained = (len(theta), architecture.layout.n_trained)
    return State(
        theta=theta,
        vectors=[zeros(trained, dtype) for _ in range(OPTIMIZERS[solver].n_vectors)],
        sums=np.zeros((len(AVERAGES), len(theta), 1)),
        shuffle_streams=shuffle,
        noise_streams=noise,
    )
