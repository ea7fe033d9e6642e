"""Minimisation of any cost of which the forward pass alone is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
from scipy.optimize import OptimizeResult
from sklearn.utils import check_random_state

from skbn._compat import Interval, validate_parameter_constraints
from skbn.estimators.constraints import CONSTRAINTS as OF_CLASSIFIER
from skbn.estimators.constraints import Floats
from skbn.minimization.descent import Descent, DivergenceError, Iteration, divergence
from skbn.minimization.feed import Feed
from skbn.minimization.variables import Variables
from skbn.network.epochs import Settings
from skbn.network.parameters import Array
from skbn.network.steps import OF_STEPS, stack_values
from skbn.training.holdout import BestState

CONSTRAINTS = OF_CLASSIFIER | {
    "cost": [callable],
    "batch_size": [Interval(Integral, 1, None, closed="left"), None],
    "tol": [Floats(Real, 0, None, closed="left"), None],
    "callback": [callable, None],
}
PATIENCE = 10
"""Iterations without progress after which ``tol`` stops."""


def minimize(
    cost: Callable[..., Any],
    x0: Any,
    data: Any = None,
    *,
    solver: str = "adam",
    learning_rate_init: float = 0.01,
    learning_rate: str = "constant",
    learning_rate_decay: float = 0.1,
    warmup_fraction: float | None = None,
    momentum: float = 0.0,
    nesterovs_momentum: bool = False,
    beta_1: float = 0.9,
    beta_2: float = 0.999,
    epsilon: float = 1e-8,
    batch_size: int | None = None,
    shuffle: bool = True,
    max_iter: int = 1000,
    tol: float | None = None,
    max_grad_norm: float | None = None,
    random_state: Any = None,
    callback: Callable[[OptimizeResult], object] | None = None,
) -> OptimizeResult:
    """Minimise a cost of which the forward pass alone is written.

    Derivatives come from autograd, which follows functions of ``numpy`` and
    ``autograd.numpy``: ``pip install "skbn[autodiff]"``. Before the first step they are
    compared with finite differences.

    Parameters
    ----------
    cost : callable
        ``cost(x)``, or ``cost(x, data)`` where there are data, gives a number.

    x0 : number, ndarray, or dict, list or tuple of such
        Variables at first, in which form the cost gets them and the result has them.
        Containers may hold containers. Arrays keep their dtype; numbers, and arrays of
        integers, become float64.

    data : object, default=None
        Passed to the cost as it is. With ``batch_size`` an array, or a tuple of arrays with
        as many rows, of which the cost gets some rows at a time; data frames stay data frames.

    solver : {"adam", "adamw", "sgd", "rmsprop"}, default="adam"
        Optimiser, as of `BNSoftmaxClassifier`. A penalty is for the cost to have, so that
        "adamw" is "adam" here.

    learning_rate_init : float, default=0.01
        Peak learning rate. A step of Adam is no longer than this in any variable, so that a
        thousand of them reach what is ten away.

    learning_rate : str, default="constant"
        Schedule of the learning rate: "constant", "inverse_time", "exponential", "cosine" or
        "one_cycle", as of `BNSoftmaxClassifier`, with iterations for epochs.

    learning_rate_decay : float, default=0.1
        Decay per iteration of "inverse_time" and "exponential".

    warmup_fraction : float or None, default=None
        Fraction of ``max_iter`` over which the learning rate rises linearly from 4 % of its
        peak; in [0, 1). None is 0.3 for "one_cycle" and 0 for the others.

    momentum : float, default=0.0
        Momentum of "sgd"; in [0, 1). Without it "sgd" is gradient descent.

    nesterovs_momentum : bool, default=False
        Nesterov's momentum for "sgd".

    beta_1, beta_2 : float, default=0.9, 0.999
        Decay of the averages of gradients and of their squares; in [0, 1). These are the
        values of Adam's authors.

    epsilon : float, default=1e-8
        Added to the root of the averaged squares.

    batch_size : int or None, default=None
        Rows of a mini-batch. An iteration is then a pass over the data, cut into batches whose
        sizes differ by one at most. None makes a step with all the data an iteration.

    shuffle : bool, default=True
        Whether to shuffle the rows before each pass, where there is a ``batch_size``.

    max_iter : int, default=1000
        Iterations.

    tol : float or None, default=None
        Stop when the cost has not fallen by more than this for ten iterations. None makes all
        of them.

    max_grad_norm : float or None, default=None
        Longest gradient, in the Euclidean norm over all variables; a longer one is scaled down
        to it. None is no limit.

    random_state : int, RandomState instance or None, default=None
        Seed of shuffling, and of the points at which derivatives are compared.

    callback : callable or None, default=None
        Called after each iteration as ``callback(intermediate_result)``, of the variables ``x``
        after it, its cost ``fun`` as of the history, and its number ``nit``. A true answer, or
        StopIteration, stops.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        ``x``
            The variables, like ``x0``.
        ``fun``
            Their cost, with all the data.
        ``nit``
            Iterations made.
        ``history``
            A dict of lists with a value an iteration: "cost" (mean over its rows, as each
            batch was met), "learning_rate" (at its first step) and "gradient_norm" (mean over
            its steps, before clipping). Made for ``pandas.DataFrame(result.history)``.
        ``success``
            Whether ``tol`` was reached, or without it whether all iterations were made.
        ``message``
            Why it ended.

    Raises
    ------
    ImportError
        If autograd is not installed.
    TypeError
        If ``x0`` holds what is no number, or the cost does not take what it is called with.
    ValueError
        If the cost gives no finite number at ``x0``, or other ones when asked again; if its
        derivative is not found, or does not fit finite differences; if rows are missing or
        differ; if the cost or its derivative is no longer finite in some iteration. The error
        has then an attribute ``result``, with the last variables whose cost was finite.

    Warns
    -----
    UserWarning
        On Ctrl-C, which ends with the variables of the last whole iteration.

    See Also
    --------
    scipy.optimize.minimize : Better where the cost is smooth, exact and quick.

    Examples
    --------
    >>> from skbn import minimize
    >>> def cost(w):
    ...     return w**2 - 10 * w + 25
    >>> result = minimize(cost, 0.0, solver="sgd", learning_rate_init=0.01, max_iter=1000)
    >>> round(float(result.x), 4)
    5.0
    """
    arguments = dict(locals())
    validate_parameter_constraints(CONSTRAINTS, arguments, caller_name="minimize")
    seed = np.random.SeedSequence(check_random_state(random_state).randint(2**31, size=4).tolist())
    of_order, of_points = (np.random.default_rng(child) for child in seed.spawn(2))
    settings = Settings(solver, bool(nesterovs_momentum), learning_rate, 1, bool(shuffle))
    descent = Descent(
        cost,
        Variables(x0),
        Feed(data, batch_size, bool(shuffle), of_order),
        settings.optimizer,
        learning_rate,
        stack_values([arguments | {"alpha": 0.0}], OF_STEPS),
    )
    descent.check(of_points)
    return Minimization(descent, max_iter, tol, callback).run()


class Result(OptimizeResult):
    """A result whose history is printed in one line, as thousands of numbers would be in many."""

    def __repr__(self) -> str:
        history = f"{len(self.history['cost'])} values each of {', '.join(self.history)}"
        return repr(OptimizeResult(self | {"history": history}))


class Minimization:
    """A descent to its end: history, stopping, the result."""

    def __init__(self, descent: Descent, max_iter: int, tol: float | None, callback: Any) -> None:
        self._descent, self._max_iter, self._tol, self._callback = descent, max_iter, tol, callback
        self._watch = None if tol is None else BestState(tol, PATIENCE)
        self._history: list[Iteration] = []
        # How many iterations are whole, and the variables after the last and the one before.
        self._done: tuple[int, Array, Array] = 0, descent.x.copy(), descent.x.copy()

    def run(self) -> OptimizeResult:
        """Go down until something says stop."""
        try:
            message, success = self._go()
            n_done, last, _ = self._done
            result = self._result(message, success, n_done, last)
            if not isfinite(result.fun):
                what = f"{self._descent.name} is {result.fun} after it"
                rate = self._history[-1].learning_rate
                raise DivergenceError(divergence(n_done, what, rate))
            return result
        except DivergenceError as error:
            n_done, _, finite = self._done
            error.result = self._result(str(error), False, max(0, n_done - 1), finite)
            raise
        except KeyboardInterrupt:
            n_done, last, _ = self._done
            if not n_done:
                raise
        message = f"Minimisation interrupted by the user after iteration {n_done}"
        warnings.warn(f"{message}; x is that of this iteration", stacklevel=3)
        return self._result(message, False, n_done, last)

    def _go(self) -> tuple[str, bool]:
        """Make iterations, and say why they ended, and whether that is a success."""
        for n_done in range(1, self._max_iter + 1):
            entry = self._descent.iterate(n_done - 1)
            self._history.append(entry)
            x = self._descent.x.copy()
            self._done = n_done, x, self._done[1]
            if self._callback is not None and self._called(entry):
                return f"The callback stopped after iteration {n_done}", False
            if self._watch is not None and self._watch.update(entry.cost, x[None], n_done):
                less = f"more than tol={self._tol} for {PATIENCE} iterations"
                return f"The cost has not fallen by {less}", True
        if self._watch is None:
            return f"All iterations were made, max_iter={self._max_iter}", True
        return f"max_iter={self._max_iter} was reached before tol={self._tol}", False

    def _called(self, entry: Iteration) -> bool:
        """Whether the callback says stop."""
        n_done, last, _ = self._done
        x = self._descent.user_form(last)
        try:
            return bool(self._callback(OptimizeResult(x=x, fun=entry.cost, nit=n_done)))
        except StopIteration:
            return True

    def _result(self, message: str, success: bool, n_done: int, x: Array) -> OptimizeResult:
        names, entries = Iteration._fields, self._history[: self._done[0]]
        return Result(
            x=self._descent.user_form(x),
            fun=self._descent.value(x),
            nit=n_done,
            history={name: [getattr(each, name) for each in entries] for name in names},
            message=message,
            success=success,
        )
