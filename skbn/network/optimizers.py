"""Optimisers: steps over flat vectors that know nothing of layers.

To add one, write its step and enter it in ``OPTIMIZERS`` with the number of state
vectors it keeps. A step changes ``w`` and its state in place and may use ``g`` as
working space. Numbers that are the same for all parameters (the learning rate, Adam's
corrections) are made for all steps of an epoch at once by ``scalars``.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from skbn.network.parameters import Array, empty

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
    scalars : callable
        ``scalars(rates, sum_1, sum_2, hyper)`` gives the ``scalars`` of many steps at once,
        each (..., K, 1), from the learning rates and from `RunningSums` with ``beta_1`` and
        ``beta_2``, of the same shape: steps by epochs, whose axes it leaves alone.
    n_squares : int
        How many of the vectors, the last ones, are of squares of gradients.
    decoupled : bool, default=False
        Weight decay as W <- W - rate alpha W instead of in the gradient.
    reads : tuple of str, default=()
        The hyperparameters that decide its steps, beside the learning rate.
    """

    n_vectors: int
    step: Callable[[Array, Array, Sequence[Array], Sequence[Array], Hyper], None]
    scalars: Callable[[Array, Array, Array, Hyper], Sequence[Array]]
    n_squares: int
    decoupled: bool = False
    reads: tuple[str, ...] = ()


class RunningSums:
    """The sums S <- decay S + 1 of some steps at once, in closed form.

    They are the sums of the weights in exponentially weighted averages: from zero,
    S_t = (1 - decay^t) / (1 - decay), which is what bias correction divides by.

    Parameters
    ----------
    decay : ndarray
        In [0, 1).
    n_steps : int
    """

    def __init__(self, decay: Array, n_steps: int) -> None:
        self._power = decay ** np.arange(1, n_steps + 1).reshape(-1, *[1] * decay.ndim)
        self._from_zero = (1 - self._power) / (1 - decay)

    def __call__(self, total: Array) -> Array:
        """Give S after each step, (n_steps, *decay.shape), from ``total`` before the first."""
        sums = self._power * total
        sums += self._from_zero
        return sums


def _rate_only(rates: Array, sum_1: Array, sum_2: Array, hyper: Hyper) -> Sequence[Array]:
    return (rates,)


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


def _adam_scalars(rates: Array, sum_1: Array, sum_2: Array, hyper: Hyper) -> Sequence[Array]:
    root = np.sqrt(sum_2)
    return rates * root / sum_1, hyper["epsilon"] * root


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


_OF_ADAM = ("beta_1", "beta_2", "epsilon")

OPTIMIZERS = {
    "sgd": Optimizer(1, _momentum, _rate_only, n_squares=0, reads=("momentum",)),
    "rmsprop": Optimizer(1, _rmsprop, _rate_only, n_squares=1, reads=("beta_2", "epsilon")),
    "adam": Optimizer(2, _adam, _adam_scalars, n_squares=1, reads=_OF_ADAM),
    "adamw": Optimizer(2, _adam, _adam_scalars, n_squares=1, reads=_OF_ADAM, decoupled=True),
}

NESTEROV = Optimizer(1, _nesterov, _rate_only, n_squares=0, reads=("momentum",))
"""``solver="sgd"`` with ``nesterovs_momentum=True``."""

BLOCK_SIZE = 2**16
"""Elements of a block: its vectors stay in the second-level cache through a step."""
MIN_BLOCK_COLUMNS = 2**13
"""The fewest of them in a row: each row of a member starts its loops anew."""
SHORT_BUFFER_SIZE = 16
"""Elements of NumPy's buffer. In a longer one it would collect the rows of several members,
which takes up to three times as long as to loop over each."""


class Stepper:
    """Applies an optimiser to whole vectors, block by block.

    Parameters
    ----------
    optimizer : Optimizer
    theta, gradient : ndarray of shape (K, n_trained)
    vectors : sequence of ndarray of shape (K, n_trained)
        The optimiser's state.
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
        n_decayed: int,
        hyper: Hyper,
    ) -> None:
        self._optimizer, self._hyper = optimizer, hyper
        self._decays, self._alone = bool(hyper["alpha"].any()), len(theta) == 1
        width = max(BLOCK_SIZE // len(theta), MIN_BLOCK_COLUMNS)
        scratch = empty((len(theta), width), theta.dtype)
        self._blocks = []
        for start in range(0, theta.shape[1], width):
            columns = slice(start, start + width)
            w, g = theta[:, columns], gradient[:, columns]
            # The part of the block under decay, empty in the last ones, and space for it.
            decayed = slice(min(max(0, n_decayed - start), w.shape[1]))
            under_decay = w[:, decayed], g[:, decayed], scratch[:, decayed]
            self._blocks.append((w, g, [v[:, columns] for v in vectors], under_decay))

    def __call__(self, rate: Array, scalars: Sequence[Array]) -> None:
        """Take one step.

        Parameters
        ----------
        rate : ndarray of shape (K, 1)
            Learning rate.
        scalars : sequence of ndarray of shape (K, 1)
            What the optimiser's ``scalars`` gave for this step.
        """
        if self._alone:
            self._step(rate, scalars)
            return
        before = np.setbufsize(SHORT_BUFFER_SIZE)
        self._step(rate, scalars)
        np.setbufsize(before)

    def _step(self, rate: Array, scalars: Sequence[Array]) -> None:
        optimizer, hyper = self._optimizer, self._hyper
        for w, g, vectors, (w_decayed, g_decayed, scratch) in self._blocks:
            if self._decays and optimizer.decoupled:
                w_decayed *= 1 - rate * hyper["alpha"]
            elif self._decays:
                g_decayed += np.multiply(w_decayed, hyper["alpha"], out=scratch)
            optimizer.step(w, g, vectors, scalars, hyper)
