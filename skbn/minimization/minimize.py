"""Minimisation of any cost of which the forward pass alone is written."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from contextlib import suppress
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


class Integers(Interval):
    """An interval of integers, of which True is none."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is in the interval."""
        return not isinstance(val, bool) and bool(super().is_satisfied_by(val))


CONSTRAINTS = OF_CLASSIFIER | {
    "cost": [callable],
    "batch_size": [Integers(Integral, 1, None, closed="left"), None],
    "max_iter": [Integers(Integral, 1, None, closed="left")],
    "n_iter_no_change": [Integers(Integral, 1, None, closed="left")],
    "tol": [Floats(Real, 0, None, closed="left"), None],
    "callback": [callable, None],
}
ROUNDING = 100
"""By how many times the precision of numbers two costs may differ that are the same but for
rounding."""


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
    n_iter_no_change: int = 10,
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
        Containers may hold containers: ``[1.0, 2.0]`` is a list of two numbers, and
        ``np.array([1.0, 2.0])`` one array. Arrays and numbers of NumPy's floating-point types
        keep their dtype; Python's numbers, and integers, become float64.

    data : object, default=None
        Passed to the cost as it is. With ``batch_size`` an array, or a tuple of arrays with
        as many rows, of which the cost gets some rows at a time; data frames stay data frames.
        Further arguments are for ``functools.partial`` to fix, or for a tuple of data to hold.

    solver : {"adam", "adamw", "sgd", "rmsprop"}, default="adam"
        Optimiser, as of `BNSoftmaxClassifier`. A penalty is for the cost to have, so that
        "adamw" is "adam" here.

    learning_rate_init : float, default=0.01
        Peak learning rate. A step of Adam is no longer than this in any variable, so that a
        thousand of them reach what is ten away.

    learning_rate : str, default="constant"
        Schedule of the learning rate: "constant", "inverse_time", "exponential", "cosine" or
        "one_cycle", as of `BNSoftmaxClassifier`, with iterations for epochs. None of them
        falls below 1 % of the peak.

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
        sizes differ by one at most. None makes a step with all the data an iteration. The cost
        is called with all the data too: before the first step, for the result, and after each
        iteration with a ``tol`` or a ``callback``.

    shuffle : bool, default=True
        Whether to shuffle the rows before each pass, where there is a ``batch_size``.

    max_iter : int, default=1000
        Iterations.

    tol : float or None, default=None
        Stop when the lowest cost has not fallen by more than this for ``n_iter_no_change``
        iterations, and give the variables of the lowest cost. Costs are those with all the
        data after each iteration. None makes all iterations and gives the last variables.

    n_iter_no_change : int, default=10
        Iterations without progress after which ``tol`` stops. Momentum and Adam may need more,
        for the cost rises on their way where they overshoot.

    max_grad_norm : float or None, default=None
        Longest gradient, in the Euclidean norm over all variables; a longer one is scaled down
        to it. None is no limit.

    random_state : int, RandomState instance or None, default=None
        Seed of shuffling, and of the points at which derivatives are compared.

    callback : callable or None, default=None
        Called after each iteration as ``callback(intermediate_result)``, of the variables ``x``
        after it, their cost ``fun`` with all the data, and its number ``nit``. The answer True,
        or StopIteration, stops.

    Returns
    -------
    result : scipy.optimize.OptimizeResult
        ``x``
            The variables, like ``x0``: the last, or with a ``tol`` those of the lowest cost.
        ``fun``
            Their cost, with all the data.
        ``nit``
            Iterations made.
        ``history``
            A dict of lists with a value an iteration: "cost" (mean over its rows, as each
            batch was met before its step), "learning_rate" (at its first step) and
            "gradient_norm" (mean over its steps, before clipping). Made for
            ``pandas.DataFrame(result.history)``.
        ``success``
            Whether ``tol`` stopped, near the lowest cost; without it whether all iterations were
            made. A cost that rose to the end by more than ``tol`` is none.
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
        differ; if the cost or its derivative is no longer finite in some iteration.

    Errors after the first step, those of the cost among them, have an attribute ``result``: that
    of the last iteration after which the cost was finite.

    Warns
    -----
    UserWarning
        On Ctrl-C, which ends with the variables of the last whole iteration, or with a ``tol``
        with those of the lowest cost.

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
    start = descent.check(of_points)
    watch = None if tol is None else BestState(tol, n_iter_no_change)
    if watch is not None:
        watch.update(start, descent.x[None], 0)
    return Minimization(descent, max_iter, watch, callback).run()


class Result(OptimizeResult):
    """A result that is printed in a few lines, whatever are the keys of its dicts."""

    def __repr__(self) -> str:
        # Of dicts scipy prints those alone whose keys are text, and leaves some names out.
        with np.printoptions(threshold=12, edgeitems=2, precision=4):
            shown = {k: repr(v) if isinstance(v, dict) else v for k, v in self.items()}
        if "history" in self:
            n_values = len(self.history["cost"])
            shown["history"] = f"{n_values} values each of {', '.join(self.history)}"
        return repr(OptimizeResult(shown))


class Minimization:
    """A descent to its end: history, stopping, the result."""

    def __init__(
        self, descent: Descent, max_iter: int, watch: BestState | None, callback: Any
    ) -> None:
        self._descent, self._max_iter = descent, max_iter
        self._watch, self._callback = watch, callback
        self._history: list[Iteration] = []
        self._n_begun = 0
        # Numbers of whole iterations and the variables after them: none, the last two.
        self._whole: list[tuple[int, Array]] = [(0, descent.x.copy())]

    def run(self) -> OptimizeResult:
        """Go down until something says stop."""
        try:
            message, success = self._go()
            n_done, x = self._end
            return self._result(message, success, n_done, x, self._cost_of(x))
        except KeyboardInterrupt:
            n_done, x = self._end
            if not n_done:
                raise
        except Exception as error:
            if not isinstance(error, DivergenceError):
                of = f"of the minimisation of {self._descent.name}"
                error.add_note(f"Raised in iteration {self._n_begun} {of}")
            error.result = self._last_finite(str(error))  # type: ignore[attr-defined]
            raise
        message = f"Minimisation interrupted by the user after iteration {n_done}"
        which = "this iteration" if self._watch is None else "the lowest cost"
        warnings.warn(f"{message}; x is that of {which}", stacklevel=3)
        return self._result(message, False, n_done, x, self._descent.value(x))

    @property
    def _end(self) -> tuple[int, Array]:
        """Number of whole iterations, and the variables that are the result."""
        n_done, x = self._whole[-1]
        if self._watch is not None and self._watch.theta is not None:
            x = self._watch.theta[0]
        return n_done, x

    def _go(self) -> tuple[str, bool]:
        """Make iterations, and say why they ended, and whether that is a success."""
        watch = self._watch
        for n_done in range(1, self._max_iter + 1):
            self._n_begun = n_done
            self._history.append(self._descent.iterate(n_done - 1))
            x = self._descent.x.copy()
            self._whole = [self._whole[0], self._whole[-1], (n_done, x)]
            if watch is None and self._callback is None:
                continue
            cost = self._cost_of(x)
            is_over = watch is not None and watch.update(cost, x[None], n_done)
            if self._callback is not None and self._called(cost):
                return f"The callback stopped after iteration {n_done}", False
            if watch is not None and is_over:
                return _stopped(watch, cost, float(np.finfo(x.dtype).eps))
        if watch is None:
            return f"All iterations were made, max_iter={self._max_iter}", True
        return f"max_iter={self._max_iter} was reached before tol={watch.tol}", False

    def _cost_of(self, x: Array) -> float:
        """The cost of variables after an iteration, which must be finite."""
        cost = self._descent.value(x)
        if not isfinite(cost):
            what = f"{self._descent.name} is {cost} after it"
            raise DivergenceError(divergence(self._n_begun, what, self._history[-1].learning_rate))
        return cost

    def _called(self, cost: float) -> bool:
        """Whether the callback says stop."""
        n_done, x = self._whole[-1]
        given = OptimizeResult(x=self._descent.user_form(x), fun=cost, nit=n_done)
        try:
            answer = self._callback(given)
        except StopIteration:
            return True
        return isinstance(answer, (bool, np.bool_)) and bool(answer)

    def _last_finite(self, message: str) -> OptimizeResult:
        """The result as of the last iteration after which the cost is finite."""
        for n_done, x in reversed(self._whole):
            with suppress(Exception):  # of a cost that has no value there
                cost = self._descent.value(x)
                if isfinite(cost):
                    return self._result(message, False, n_done, x, cost)
        n_done, x = self._whole[-1]
        return self._result(message, False, n_done, x, np.nan)

    def _result(
        self, message: str, success: bool, n_done: int, x: Array, cost: float
    ) -> OptimizeResult:
        names, entries = Iteration._fields, self._history[:n_done]
        return Result(
            x=self._descent.user_form(x),
            fun=cost,
            nit=n_done,
            history={name: [getattr(each, name) for each in entries] for name in names},
            message=message,
            success=success,
        )


def _stopped(watch: BestState, cost: float, precision: float) -> tuple[str, bool]:
    """Say that there was no progress, and whether the cost stays near the lowest."""
    less = f"more than tol={watch.tol} for {watch.patience} iterations"
    message = f"The cost has not fallen by {less}"
    if cost <= watch.loss + watch.tol + ROUNDING * precision * abs(watch.loss):
        return message, True
    return (
        f"{message}, and has risen from {watch.loss:.6g} to {cost:.6g}. Most likely the learning "
        "rate is too high: lower learning_rate_init, or raise n_iter_no_change where the cost "
        "rises on its way, as with momentum and Adam. x is that of the lowest cost",
        False,
    )
