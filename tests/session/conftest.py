"""Data of the sessions that are tested, and one stream from which seeds are drawn."""

import numpy as np
import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """600 digits to train on, 200 to judge on: X, y, X_val, y_val."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    return X[:600], y[:600], X[600:800], y[600:800]


@pytest.fixture(autouse=True)
def seeds():
    """Let ``random_state=None`` draw the same seed in every run, of which few train badly."""
    state = np.random.get_state()  # noqa: NPY002
    np.random.seed(0)  # noqa: NPY002
    yield
    np.random.set_state(state)  # noqa: NPY002
