"""Prediction: batch norm folded away, logits in blocks of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse

from skbn.network.activations import activation_of
from skbn.network.architecture import Architecture
from skbn.network.layers import Affine
from skbn.network.mapped import Pages
from skbn.network.parameters import CACHED_BYTES, Array, Indices


@dataclass(frozen=True)
class FoldedNetwork:
    """Networks that predict, without batch norm: affine steps and activations.

    Parameters
    ----------
    steps : sequence of Affine
        Of one dtype.
    """

    steps: Sequence[Affine]

    def logits(self, x: Any, rows: Indices | None = None) -> Array:
        """Logits, computed in blocks of rows and of members.

        The logits of a member do not depend on the other members.

        Parameters
        ----------
        x : ndarray or CSR matrix of shape (n, n_features)
        rows : int ndarray of shape (n,), optional
            Rows of ``x`` to predict instead of all of them.

        Returns
        -------
        logits : ndarray of shape (K, n, C)
            In the dtype of ``x``; what that cannot hold is not finite.
        """
        n_rows, n_members = x.shape[0] if rows is None else len(rows), len(self.steps[0].weights)
        widths = [step.weights.shape[2] for step in self.steps]
        widest = max(widths)
        if issparse(x):
            widest = max(widest, x.shape[1])
        # Rows in a block decide how products round, so that a block is that of a member alone.
        block = max(16, CACHED_BYTES // (widest * x.dtype.itemsize))
        at_once = max(1, CACHED_BYTES // (widest * min(block, n_rows) * x.dtype.itemsize))
        logits = np.empty((n_members, n_rows, widths[-1]), x.dtype)
        pages = Pages(x)
        with np.errstate(over="ignore", invalid="ignore"):
            for start in range(0, n_rows, block):
                part = slice(start, start + block)
                a = x[part if rows is None else rows[part]]
                if issparse(a):
                    a = a.toarray()
                pages.note_read(a.nbytes)
                for first in range(0, n_members, at_once):
                    members = slice(first, first + at_once)
                    self._apply(a, members, logits[members, part])
        return logits

    def _apply(self, a: Array, members: slice, out: Array) -> None:
        """Write the logits of a block of rows by some members."""
        for step in self.steps:
            a = np.matmul(a, step.weights[members], out=out if step is self.steps[-1] else None)
            if step.bias is not None:
                a += step.bias[members]
            if step.activation is not None:
                activation_of(step.activation).forward(a, a)


@dataclass(frozen=True)
class TrainedNetwork:
    """Networks that predict: their parameters and batch-norm statistics.

    Parameters
    ----------
    architecture : Architecture
    theta : ndarray of shape (K, P)
    bn_epsilon : float64 ndarray of shape (K, 1)
    """

    architecture: Architecture
    theta: Array
    bn_epsilon: Array

    @classmethod
    def stacked(cls, networks: Sequence[TrainedNetwork]) -> TrainedNetwork:
        """Give networks of one architecture side by side; one alone is given as it is."""
        if len(networks) == 1:
            return networks[0]
        theta = np.concatenate([network.theta for network in networks])
        bn_epsilon = np.concatenate([network.bn_epsilon for network in networks])
        return cls(networks[0].architecture, theta, bn_epsilon)

    def logits(self, x: Any, rows: Indices | None = None) -> Array:
        """Logits, as `FoldedNetwork.logits` computes them."""
        return self.folded(x.dtype).logits(x, rows)

    def arrays(self, kind: str, member: int = 0) -> dict[int, Array]:
        """Views of a member's parameters of one kind, by layer."""
        views = self.architecture.layout.views(self.theta)
        return {layer: view[member] for (name, layer), view in views.items() if name == kind}

    def folded(self, dtype: npt.DTypeLike) -> FoldedNetwork:
        """Absorb batch norm with its moving statistics into weights and biases.

        Parameters
        ----------
        dtype : numpy dtype
            Of the result, which is computed in float64. What it cannot hold is infinite.

        Returns
        -------
        network : FoldedNetwork
            It shares no array with this one.
        """
        values, steps = self.architecture.layout.views(self.theta), list[Affine]()
        with np.errstate(over="ignore", invalid="ignore"):
            for layer in self.architecture.layers:
                steps = layer.fold(steps, values, self.bn_epsilon[..., None])
            return FoldedNetwork([step.astype(dtype) for step in steps])
