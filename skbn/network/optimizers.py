"""Optimisers: steps over flat vectors that know nothing of layers.

To add one, write its step and enter it in ``OPTIMIZERS`` with the number of state
vectors it keeps. A step changes ``w`` and its state in place and may use ``g`` as
working space; sums over time that are the same for all parameters (Adam's
corrections) are made once a step by ``advance``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skbn.network.parameters import Array

Hyper = Mapping[str, Array]
"""Hyperparameters of each member, (K, 1), in the dtype of the vectors."""


@dataclass(frozen=True)
class Optimizer:
    """An algorithm that turns gradients into steps.

    Parameters
    ----------
    n_vectors : int
        How many vectors of state it keeps, zero at first.
    step : callable
        ``step(w, g, vectors, scalars, hyper)`` on blocks (K, n) of the vectors.
    advance : callable
        ``advance(sums, rate, hyper)`` gives the step's ``scalars``, each (K, 1).
        ``sums`` (2, K, 1) is the state that does not depend on the parameter.
    decoupled : bool, default=False
        Weight decay as W <- W - rate alpha W instead of in the gradient.
    """

    n_vectors: int
    step: Callable[[Array, Array, Sequence[Array], Sequence[Array], Hyper], None]
    advance: Callable[[Array, Array, Hyper], Sequence[Array]]
    decoupled: bool = False


def _rate_only(sums: Array, rate: Array, hyper: Hyper) -> Sequence[Array]:
    return (rate,)


def _accelerate(g: Array, velocity: Array, rate: Array, hyper: Hyper) -> None:
    """g <- rate g;  v <- momentum v - g."""
    g *= rate
    velocity *= hyper["momentum"]
    velocity -= g


def _momentum(
    w: Array, g: Array, vectors: Sequence[Array], scalars: Sequence[Array], hyper: Hyper
) -> None:
    """v <- momentum v - rate g;  w <- w + v."""
    (velocity,), (rate,) = vectors, scalars
    _accelerate(g, velocity, rate, hyper)
    w += velocity


def _nesterov(
    w: Array, g: Array, vectors: Sequence[Array], scalars: Sequence[Array], hyper: Hyper
) -> None:
    """v <- momentum v - rate g;  w <- w + momentum v - rate g (Sutskever et al. 2013)."""
    (velocity,), (rate,) = vectors, scalars
    _accelerate(g, velocity, rate, hyper)
    w -= g
    np.multiply(velocity, hyper["momentum"], out=g)
    w += g


def _rmsprop(
    w: Array, g: Array, vectors: Sequence[Array], scalars: Sequence[Array], hyper: Hyper
) -> None:
    """s <- beta_2 s + (1 - beta_2) g^2;  w <- w - rate g / (sqrt(s) + epsilon).

    Hinton, "Neural networks for machine learning", lecture 6.
    """
    (square,), (rate,) = vectors, scalars
    step = g * rate
    np.multiply(g, g, out=g)
    g -= square
    g *= 1 - hyper["beta_2"]
    square += g
    np.sqrt(square, out=g)
    g += hyper["epsilon"]
    step /= g
    w -= step


def _advance_adam(sums: Array, rate: Array, hyper: Hyper) -> Sequence[Array]:
    sums *= hyper["betas"]
    sums += 1
    root = np.sqrt(sums[1])
    return rate * root / sums[0], hyper["epsilon"] * root


def _adam(
    w: Array, g: Array, vectors: Sequence[Array], scalars: Sequence[Array], hyper: Hyper
) -> None:
    """w <- w - rate m / (sqrt(s) + epsilon), m and s bias-corrected (Kingma & Ba 2015).

    By sums instead of averages: with M <- beta_1 M + g, V <- beta_2 V + g^2 and the
    same sums of ones, S_i <- beta_i S_i + 1, the bias-corrected moments are m = M / S_1
    and s = V / S_2, so that the step is

        w <- w - [rate sqrt(S_2) / S_1] M / (sqrt(V) + [epsilon sqrt(S_2)])

    two passes over the vectors fewer than the textbook's form, and still a proper
    weighted mean when a beta is changed on the way.
    """
    (first, second), (scale, epsilon) = vectors, scalars
    first *= hyper["beta_1"]
    first += g
    second *= hyper["beta_2"]
    np.multiply(g, g, out=g)
    second += g
    np.sqrt(second, out=g)
    g += epsilon
    np.divide(first, g, out=g)
    g *= scale
    w -= g


OPTIMIZERS = {
    "sgd": Optimizer(1, _momentum, _rate_only),
    "rmsprop": Optimizer(1, _rmsprop, _rate_only),
    "adam": Optimizer(2, _adam, _advance_adam),
    "adamw": Optimizer(2, _adam, _advance_adam, decoupled=True),
}

NESTEROV = Optimizer(1, _nesterov, _rate_only)
"""What ``solver="sgd"`` becomes with ``nesterovs_momentum=True``."""

BLOCK = 2**15
"""Elements of a block: its vectors stay in the second-level cache through a step."""


class Stepper:
    """Applies an optimiser to whole vectors, block by block.

    Parameters
    ----------
    optimizer : Optimizer
    theta, gradient : ndarray of shape (K, n_trained)
    vectors : sequence of ndarray of shape (K, n_trained)
        The optimiser's state.
    sums : ndarray of shape (2, K, 1)
        The optimiser's state that does not depend on the parameter.
    n_decayed : int
        Columns before this one are under weight decay.
    hyper : mapping of str to ndarray of shape (K, 1)
        In the dtype of theta.
    """

    def __init__(
        self,
        optimizer: Optimizer,
        theta: Array,
        gradient: Array,
        vectors: Sequence[Array],
        sums: Array,
        n_decayed: int,
        hyper: Hyper,
    ) -> None:
        self._optimizer, self._sums, self._hyper = optimizer, sums, hyper
        self._decays = bool(hyper["alpha"].any())
        width = max(1, BLOCK // len(theta))
        starts = range(0, theta.shape[1], width)
        self._blocks = [
            (theta[:, block], gradient[:, block], [v[:, block] for v in vectors])
            for block in (slice(start, start + width) for start in starts)
        ]
        # The part of each block under decay, empty in the last ones.
        self._decayed = [
            (w[:, :overlap], g[:, :overlap])
            for start, (w, g, _) in zip(starts, self._blocks, strict=True)
            for overlap in [max(0, n_decayed - start)]
        ]

    def __call__(self, rate: Array) -> None:
        """Take one step at the learning rate ``rate`` (K, 1)."""
        optimizer, hyper = self._optimizer, self._hyper
        scalars = optimizer.advance(self._sums, rate, hyper)
        for (w, g, vectors), (w_decayed, g_decayed) in zip(
            self._blocks, self._decayed, strict=True
        ):
            if self._decays:
                if optimizer.decoupled:
                    w_decayed *= 1 - rate * hyper["alpha"]
                else:
                    g_decayed += hyper["alpha"] * w_decayed
            optimizer.step(w, g, vectors, scalars, hyper)
