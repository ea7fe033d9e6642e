"""Activations of one's own: functions of which the forward pass alone is written."""

from __future__ import annotations

from functools import cached_property
from math import sqrt, tau
from typing import Any

import numpy as np

from skbn.network.forward_only import check_derivative, naming, values_of
from skbn.network.own_functions import (
    Faults,
    OwnFunction,
    is_finite,
    is_joint,
    note_faults,
    traced,
)
from skbn.network.parameters import Array

LIMIT, FIRST_STEP, LAST_STEP = 10, 2**-11, 2**-16
"""The gain's quadrature: midpoints of cells of these widths between -LIMIT and LIMIT. Kinks and
jumps at a multiple of the width, as most are, are on the edge of a cell."""
MEAN_SQUARES = 1e-6, 1e6
"""Bounds of what the initial weights can balance in single precision."""


class OwnActivation(OwnFunction):
    """An activation of one's own, in the place of a name of ``ACTIVATIONS``."""

    @cached_property
    def gain(self) -> float:
        """1 / sqrt(E[g(x)^2]) for a standard normal x, by quadrature, to four decimals."""
        mean_square, step = self._mean_square(FIRST_STEP), FIRST_STEP
        while step > LAST_STEP:  # until half of the step gives the same
            step /= 2
            coarser, mean_square = mean_square, self._mean_square(step)
            if abs(mean_square - coarser) <= 1e-6 * mean_square:
                break
        if not MEAN_SQUARES[0] <= mean_square <= MEAN_SQUARES[1]:
            raise ValueError(
                f"{self.title} has a mean square of {mean_square:.3g} for standard normal inputs, "
                "with which no layer can be trained: scale its values to be of the order of one"
            )
        return round(1 / sqrt(mean_square), 4)

    def _mean_square(self, step: float) -> float:
        """E[g(x)^2] by the midpoint rule; raise if a value is not finite."""
        x = np.arange(-LIMIT + step / 2, LIMIT, step)
        with np.errstate(all="ignore"), naming(self.title, x.reshape(-1, 256)):
            y = np.asarray(self.function(x.reshape(-1, 256).copy()), np.float64).ravel()
            mean_square = float(np.dot(y * y, np.exp(-x * x / 2))) * step / sqrt(tau)
        if not np.isfinite(y).all():
            raise ValueError(
                f"{self.title} is not finite at {x[~np.isfinite(y)][0]:.4g}: its values must be "
                f"finite numbers between -{LIMIT} and {LIMIT} at least"
            )
        return mean_square

    @staticmethod
    def examples() -> tuple[Array]:
        """Arguments to try the function with."""
        x = 2 * np.random.default_rng(1).standard_normal((8, 9))
        x[0, :3] = 0, 1, -1
        return (x,)

    def forward(self, x: Array, out: Array) -> None:
        """Write g(x) into ``out``, for x (K, m, n), without a derivative."""
        for each, result in zip(x, out, strict=True):
            with naming(self.title, each):
                result[...] = self.function(each)

    def check(self) -> None:
        """Raise an error if a network could not be trained with the function.

        Raises
        ------
        ValueError
            If its values are not finite, not of the shape of its argument, or not found element
            by element; or if autograd does not find its derivative.
        ImportError
            If autograd is not installed.
        """
        stream = np.random.default_rng(0)
        (x,) = self.examples()
        y = values_of(self.function, self.title, x)
        if y.shape != x.shape:
            raise ValueError(
                f"{self.title} must give an array of the shape that it gets; of shape {x.shape} "
                f"it made {y.shape}"
            )
        if not np.isfinite(y).all():
            raise ValueError(
                f"{self.title} is not finite at {x[~np.isfinite(y)][0]:.4g}: an activation gets "
                "any number, zero and negative ones too"
            )
        order = stream.permutation(x.size)
        shuffled = values_of(self.function, self.title, x.ravel()[order].reshape(x.shape)).ravel()
        part = values_of(self.function, self.title, x[:2, :3])
        for some, same in [(shuffled, y.ravel()[order]), (part, y[:2, :3])]:
            if not np.allclose(some, same, rtol=1e-9, atol=1e-12):
                raise ValueError(
                    f"{self.title} must work element by element: the value at an element changed "
                    "with the other elements of the array"
                )
        x[0, :3] += 0.3137  # where kinks and jumps are not
        far = stream.uniform(-LIMIT, LIMIT, x.shape)
        _ = self.gain
        self.check_slope(check_derivative(self.function, self.title, x, stream))
        check_derivative(self.function, self.title, far, stream)


class OwnPass:
    """An activation of one's own in training.

    Parameters
    ----------
    own : OwnActivation
    where : str
        The layer, for messages.
    shape : tuple of int
        (K, m, n) of its argument.
    dtype : numpy dtype
    faults : dict of int to str or Exception
        What went wrong first, by member.
    """

    def __init__(
        self,
        own: OwnActivation,
        where: str,
        shape: tuple[int, int, int],
        dtype: Any,
        faults: Faults,
    ) -> None:
        self._own, self._where, self._faults = own, where, faults
        self._is_joint = is_joint(own, shape, dtype)

    def forward(self, x: Array, row_weights: Array | None) -> Array:
        """Give g(x)."""
        self._x = x
        self._y, self._vjp = traced(self._own, (x,), self._is_joint, self._faults)
        return self._y

    def backward(self, d: Array) -> Array:
        """Give g'(x) d in place of ``d``."""
        gradient = self._vjp(d)
        if not is_finite(gradient):
            title = f"{self._own.title} in {self._where}"
            note_faults(self._faults, title, self._x, self._y, d, gradient)
        d[...] = gradient
        return d
