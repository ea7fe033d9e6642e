"""Valid values of the parameters of the classifier."""

from __future__ import annotations

from math import isfinite
from numbers import Integral, Real
from typing import Any

from skbn._compat import Interval, StrOptions
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.losses import LOSSES
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES


class Floats(Interval):
    """An interval of real numbers without integers and long doubles that no float can hold."""

    def is_satisfied_by(self, val: Any) -> bool:
        """Whether a value is in the interval."""
        try:
            return super().is_satisfied_by(val) and isfinite(val)
        except OverflowError:
            return False


CONSTRAINTS: dict[str, list[Any]] = {
    "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
    "activation": [StrOptions(set(ACTIVATIONS)), "array-like", callable],
    "batch_norm": ["boolean"],
    "bn_momentum": [Interval(Real, 0, 1, closed="left")],
    "bn_epsilon": [Floats(Real, 0, None, closed="neither")],
    "dropout": [Interval(Real, 0, 1, closed="left")],
    "input_dropout": [Interval(Real, 0, 1, closed="left")],
    "noise": [Floats(Real, 0, None, closed="left")],
    "input_noise": [Floats(Real, 0, None, closed="left")],
    "initializer": [StrOptions(set(INITIALIZERS))],
    "solver": [StrOptions(set(OPTIMIZERS))],
    "alpha": [Floats(Real, 0, None, closed="left")],
    "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
    "learning_rate": [StrOptions(set(SCHEDULES))],
    "learning_rate_init": [Floats(Real, 0, None, closed="neither")],
    "learning_rate_decay": [Floats(Real, 0, None, closed="left")],
    "warmup_fraction": [Interval(Real, 0, 1, closed="left"), None],
    "max_iter": [Interval(Integral, 1, None, closed="left")],
    "shuffle": ["boolean"],
    "momentum": [Interval(Real, 0, 1, closed="left")],
    "nesterovs_momentum": ["boolean"],
    "beta_1": [Interval(Real, 0, 1, closed="left")],
    "beta_2": [Interval(Real, 0, 1, closed="left")],
    "epsilon": [Floats(Real, 0, None, closed="neither")],
    "max_grad_norm": [Floats(Real, 0, None, closed="neither"), None],
    "loss": [StrOptions(set(LOSSES)), callable],
    "focal_gamma": [Floats(Real, 0, None, closed="left")],
    "label_smoothing": [Interval(Real, 0, 1, closed="left")],
    "class_weight": [StrOptions({"balanced"}), dict, None],
    "n_members": [Interval(Integral, 1, None, closed="left")],
    "calibrate": ["boolean"],
    "early_stopping": ["boolean"],
    "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
    "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
    "tol": [Floats(Real, 0, None, closed="left")],
    "warm_start": ["boolean"],
    "dtype": [StrOptions({"float32", "float64"})],
    "random_state": ["random_state"],
    "verbose": ["verbose"],
}
