"""The descent of a cost: checks before the first step, and iterations that are whole."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from inspect import signature
from math import isfinite
from numbers import Real
from typing import Any, NamedTuple

import numpy as np

from skbn.minimization.feed import Feed
from skbn.minimization.variables import Variables
from skbn.network.forward_only import (
    check_derivative,
    name_of,
    tried_value_and_vjp,
    value_and_vjp,
    values_of,
)
from skbn.network.optimizers import Optimizer
from skbn.network.parameters import Array, zeros
from skbn.network.steps import Steps

AVERAGES = ("beta_1", "beta_2")
SPREADS, SMALL_SPREAD = (1e-1, 1e-3), 1e-6
"""How far from x0 derivatives are compared, as parts of a variable's size. The small one is for
a cost that ends near to x0. Nearer still, differences are made of rounding errors: at 1e-9 a
Cholesky factor at 1e-6 from the singular matrices was refused."""
ONE = np.float64(1)
"""Gradient of a cost at itself; some derivatives of autograd ask for its shape."""
N_COMPARED = 2
"""Points at which derivatives are compared, each in a direction of its own."""


class DivergenceError(ValueError):
    """A cost or a derivative that is not finite.

    Attributes
    ----------
    result : scipy.optimize.OptimizeResult
        With the last variables whose cost was finite.
    """

    result: Any = None


class Iteration(NamedTuple):
    """Measurements of an iteration: a line of the history."""

    cost: float
    learning_rate: float
    gradient_norm: float


class Descent:
    """Steps of an optimiser down a cost.

    Parameters
    ----------
    cost : callable
        ``cost(x)`` or ``cost(x, data)``.
    variables : Variables
    feed : Feed
    optimizer : Optimizer
    schedule : str
        A key of ``SCHEDULES``.
    hyper : mapping of str to float64 ndarray of shape (1, 1)
        With every name of ``OF_STEPS``.

    Attributes
    ----------
    name : str
        Of the cost, for messages.
    x : ndarray of shape (P,)
        The variables as they are.
    """

    def __init__(
        self,
        cost: Callable[..., Any],
        variables: Variables,
        feed: Feed,
        optimizer: Optimizer,
        schedule: str,
        hyper: Mapping[str, Array],
    ) -> None:
        self._cost, self._variables, self._feed = cost, variables, feed
        self.name = name_of(cost)
        theta = variables.start.copy()
        gradient = zeros(theta.shape, theta.dtype)
        self.x, self._gradient = theta[0], gradient[0]
        vectors = [zeros(theta.shape, theta.dtype) for _ in range(optimizer.n_vectors)]
        n_steps = len(feed.sizes)
        self._steps = Steps(
            optimizer, schedule, hyper, theta, gradient, vectors, 0, AVERAGES, n_steps, False
        )
        self._sums: Array = np.zeros((len(AVERAGES), 1, 1))
        self._squares = np.zeros((n_steps, 1, 1, 1), theta.dtype)
        self._fractions = np.array(feed.sizes) / sum(feed.sizes)
        self._is_constant = False

    def check(self, stream: np.random.Generator) -> float:
        """Refuse a cost that cannot be minimised, or not from here.

        Parameters
        ----------
        stream : numpy.random.Generator
            For points and directions in which derivatives are compared.

        Returns
        -------
        cost : float
            At x0, with all the data.
        """
        arguments = self._feed.whole
        self._check_signature(arguments)
        value = self.value(self.x)
        if not isfinite(value):
            raise ValueError(
                f"{self.name} must be finite at x0, and is {value}. Begin elsewhere, look for NaN "
                "in the data, or keep logarithms and divisions away from zero"
            )
        self._compare(stream)
        self._try_derivative()
        if not np.isfinite(self._gradient).all():
            raise ValueError(
                f"the derivative of {self.name} is not finite at x0, though its value is. Begin "
                "elsewhere, or write it so that no step of it has an infinite slope there, such as "
                "np.sqrt, np.log and np.linalg.norm at 0: np.sqrt(x + 1e-12)"
            )
        return value

    def _try_derivative(self) -> None:
        """Find the derivative at x0, with what autograd says of it in other words."""
        with np.errstate(all="ignore"):
            try:
                self._derive(self._feed.first)
                if self._is_constant:  # in these rows, and perhaps not in others
                    self._derive(self._feed.whole)
            except TypeError as error:
                raise ValueError(
                    f"autograd cannot differentiate {self.name} at x0 ({error!s:.200}): "
                    "`import autograd.numpy as np` where it is written"
                ) from error
        if self._is_constant:
            raise ValueError(f"{self.name} does not depend on x, as far as autograd can tell")

    def _check_signature(self, arguments: tuple[Any, ...]) -> None:
        try:
            described = signature(self._cost)
        except (TypeError, ValueError):  # some functions of other languages have none
            return
        try:
            described.bind(self.x, *arguments)
        except TypeError as error:
            called = "(x, data)" if arguments else "(x), for data is None"
            raise TypeError(
                f"{self.name} is called as {self.name}{called}, and takes {described}: {error}"
            ) from error

    def _compare(self, stream: np.random.Generator) -> None:
        """Compare derivatives with finite differences near x0, in float64.

        Not at x0 itself, which may be a kink, as zero is of absolute values. Where a cost that
        ends near to x0 has no value around it, nothing is compared.
        """
        x0, arguments = self.x.astype(np.float64), self._feed.first
        values_of(lambda x: self._call(self.user_form(x), arguments), self.name, self.x)
        points = stream.standard_normal((N_COMPARED, x0.size))
        of_arrays = np.maximum(np.abs(x0), self._variables.sizes())
        # An element alone may be near to where the cost ends, as that of a logarithm at zero.
        of_elements = np.where(x0 == 0, 1e-6 * of_arrays, np.abs(x0))
        scales = [spread * size for size in (of_arrays, of_elements) for spread in SPREADS]
        if self.x.itemsize >= 8:  # single precision has too few digits
            scales.append(SMALL_SPREAD * of_elements)
        for scale in scales:

            def near(u: Any, scale: Array = scale) -> Any:
                try:
                    return self._call(self._variables.of_vector(x0 + scale * u), arguments)
                except Exception:
                    if isinstance(u, np.ndarray):  # which is how some costs say where they end
                        return np.nan
                    raise

            # A cost may end at x0, as that of what must not be negative does at zero.
            for side in (points, np.abs(points), -np.abs(points)):
                if all(_is_regular(near, point) for point in side):
                    for point in side:
                        check_derivative(near, self.name, point, stream)
                    return

    def _call(self, x: Any, arguments: tuple[Any, ...]) -> Any:
        """The cost of variables in the form of x0."""
        try:
            return self._cost(x, *arguments)
        except Exception as error:
            kind = type(self.user_form(self.x)).__name__
            error.add_note(f"Raised by {self.name}, which gets x as x0 is: {kind}")
            raise

    def value(self, vector: Array) -> float:
        """The cost of some variables (P,), with all the data."""
        with np.errstate(all="ignore"):
            value = self._call(self.user_form(vector), self._feed.whole)
        if not _is_number(value):
            raise ValueError(f"{self.name} must give a number, and gave {_described(value)}")
        return float(value)

    def user_form(self, vector: Array) -> Any:
        """A copy of some variables (P,), in the form of x0."""
        return self._variables.structured(self._variables.values(vector.copy()))

    def _derive(self, arguments: tuple[Any, ...]) -> float:
        """Put the gradient of the cost into its vector, and give the cost."""

        def cost(x: Any) -> Any:
            value = self._call(self._variables.structured(x), arguments)
            self._is_constant = isinstance(value, (Real, np.ndarray))
            # autograd warns of what does not depend on x, and some rows alone may not.
            return value + self._variables.zero(x) if self._is_constant else value

        value, vjp = value_and_vjp(cost, self._variables.values(self.x))
        self._variables.gather(vjp(ONE), self._gradient)
        return float(value)

    def iterate(self, n_done: int) -> Iteration:
        """Make a step with each batch of the data.

        Parameters
        ----------
        n_done : int
            Iterations done.
        """
        first_rate, rates, scalars, sums = self._steps.plan(n_done, self._sums)
        costs = []
        with np.errstate(all="ignore"):
            for arguments, rate, of_step, square in zip(
                self._feed.batches(), rates, zip(*scalars, strict=True), self._squares, strict=True
            ):
                cost = self._derive(arguments)
                self._steps(rate, of_step, square)
                if not (isfinite(cost) and isfinite(square.item())):
                    raise DivergenceError(self._divergence(n_done, cost, first_rate.item()))
                costs.append(cost)
            norms = np.sqrt(self._squares)
        self._sums = sums
        return Iteration(float(self._fractions @ costs), first_rate.item(), float(norms.mean()))

    def _divergence(self, n_done: int, cost: float, rate: float) -> str:
        what = f"{self.name} is {cost}"
        if isfinite(cost):
            what = f"the derivative of {self.name} is not finite, or too long for {self.x.dtype}"
        return divergence(n_done + 1, what, rate)


def divergence(n_iterations: int, what: str, rate: float) -> str:
    """Say in which iteration a descent diverged, what is not finite, and what to do."""
    return (
        f"Minimisation diverged in iteration {n_iterations}: {what} (learning rate {rate:.3g}). "
        "Most likely the learning rate is too high: lower learning_rate_init or set max_grad_norm. "
        "Logarithms, roots and divisions may need a distance from zero. The attribute `result` of "
        "this error has the last x whose cost was finite"
    )


def _is_regular(function: Callable[[Any], Any], x: Array) -> bool:
    """Whether a function has a value at x, and a derivative unless autograd fails."""
    with np.errstate(all="ignore"):
        value = function(x.copy())
        if not (_is_number(value) and isfinite(value)):
            return False
        try:
            _, vjp = tried_value_and_vjp(lambda x: function(x) + np.sum(0 * x), x.copy())
            return bool(np.isfinite(vjp(ONE)).all())
        except Exception:  # of which the comparison tells
            return True


def _is_number(value: Any) -> bool:
    if getattr(value, "shape", ()):
        return False
    is_real = isinstance(value, Real) and not isinstance(value, bool)
    return is_real or getattr(getattr(value, "dtype", None), "kind", "") in ("f", "i", "u")


def _described(value: Any) -> str:
    if getattr(value, "shape", ()):
        return f"an array of shape {tuple(value.shape)}: its sum or its mean would be one"
    return f"{value!r:.100}, of the type {type(value).__name__}"
