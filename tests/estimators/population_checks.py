"""What the tests of populations share: parameters, and comparisons."""

from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import pytest

COMPANY = [
    {},
    {"learning_rate_init": 0.2, "dropout": 0.3, "random_state": 1},
    {"label_smoothing": 0.1, "max_grad_norm": 0.3, "max_iter": 5},
    {"alpha": 0.1, "input_dropout": 0.2, "bn_momentum": 0.5, "max_iter": 1, "focal_gamma": 0.5},
    {"alpha": 0.01, "dropout": 0.5, "beta_1": 0.5, "momentum": 0.5, "epsilon": 1e-3},
]
"""What those that share a population differ in."""


def error_alone(model, X, y, **params):
    """The error of fitting a copy."""
    with pytest.raises(Exception) as caught:  # noqa: PT011 - whichever it is
        deepcopy(model).fit(X, y, **params)
    return caught.value


@contextmanager
def unchanged(classifiers):
    """Assert that classifiers come out as they went in."""
    before, twins = [dict(vars(model)) for model in classifiers], deepcopy(classifiers)
    yield
    for model, old, twin in zip(classifiers, before, twins, strict=True):
        assert vars(model).keys() == old.keys()
        assert all(vars(model)[name] is value for name, value in old.items())
        if hasattr(twin, "_progress"):
            mine, its = model._progress[0].state, twin._progress[0].state
            np.testing.assert_array_equal(mine.theta, its.theta)
            np.testing.assert_array_equal(mine.sums, its.sums)
            np.testing.assert_array_equal(mine.vectors, its.vectors)
            assert mine.n_epochs == its.n_epochs
            assert [s.bit_generator.state for s in mine.shuffle_streams + mine.noise_streams] == [
                s.bit_generator.state for s in its.shuffle_streams + its.noise_streams
            ]
            assert model.history_ == twin.history_
