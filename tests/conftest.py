"""Data and comparisons that the tests share."""

import os
import warnings

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, settings
from sklearn.datasets import load_iris
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier

settings.register_profile(
    "short",
    derandomize=True,
    deadline=None,
    database=None,
    phases=set(Phase) - {Phase.explain},  # which takes minutes
)
settings.register_profile(
    "long",
    settings.get_profile("short"),
    derandomize=False,
    max_examples=int(os.environ.get("SKBN_EXAMPLES", 10_000)),
    print_blob=True,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
settings.load_profile("short")


@pytest.fixture(scope="session")
def iris():
    """Scaled features and integer labels, in an order that mixes the classes, not writeable."""
    X, y = load_iris(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = StandardScaler().fit_transform(X)[order], y[order]
    X.setflags(write=False)
    y.setflags(write=False)
    return X, y


@pytest.fixture(scope="session")
def quick():
    """Make a small network with a fixed seed: ``quick(solver="sgd")``."""

    def make(**parameters):
        small = {"hidden_layer_sizes": (8,), "batch_size": 16, "max_iter": 3, "random_state": 0}
        return BNSoftmaxClassifier(
            **({"learning_rate_init": 0.05, "alpha": 0.0} | small | parameters)
        )

    return make


@pytest.fixture(scope="session")
def single(quick):
    """Make one network whose logits are as they come: nothing is averaged or calibrated."""

    def make(**parameters):
        return quick(**({"n_members": 1, "calibrate": False} | parameters))

    return make


@pytest.fixture(scope="session")
def steady(single):
    """Make a network whose epochs have no randomness and whose arithmetic is exact enough.

    Full batches in float64, so that only what a test changes makes a difference.
    """

    def make(**parameters):
        return single(**({"batch_size": 10**6, "dtype": "float64"} | parameters))

    return make


@pytest.fixture(scope="session")
def learned():
    """Give all that a model has learned, as one list of arrays."""

    def arrays(model):
        kinds = ("coefs_", "intercepts_", "bn_gamma_", "bn_beta_", "bn_mean_", "bn_var_")
        return [array for kind in kinds for array in getattr(model, kind)]

    return arrays


@pytest.fixture(scope="session")
def assert_same_model(learned):
    """Assert that two models are equal to the last bit, their histories included."""

    def check(model, other):
        for mine, its in zip(learned(model), learned(other), strict=True):
            np.testing.assert_array_equal(mine, its, strict=True)
        assert model.n_iter_ == other.n_iter_
        assert model.loss_ == other.loss_
        assert model.history_.keys() == other.history_.keys()
        for name in model.history_.keys() - {"seconds"}:
            np.testing.assert_array_equal(model.history_[name], other.history_[name])

    return check


@pytest.fixture
def caught_warnings():
    """The warnings of a test, in a list instead of as errors."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield caught


def pytest_ignore_collect(collection_path, config):
    """Leave files out of ``-m "not slow"`` before they are imported, which takes a third of it."""
    if config.option.markexpr == "not slow" and collection_path.suffix == ".py":
        text = collection_path.read_text(encoding="utf-8")
        is_package = collection_path.is_relative_to(config.rootpath / "skbn")
        return True if is_package or "\npytestmark = pytest.mark.slow" in text else None
    return None


def pytest_collection_modifyitems(items):
    """The examples of docstrings are slow, for they train as users do."""
    for item in items:
        if isinstance(item, pytest.DoctestItem):
            item.add_marker(pytest.mark.slow)
