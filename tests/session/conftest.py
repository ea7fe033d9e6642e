"""Data and models of the sessions that are tested."""

import pytest
from sklearn.datasets import load_digits


@pytest.fixture(scope="session")
def digits():
    """600 digits to train on, 200 to judge on: X, y, X_val, y_val."""
    X, y = load_digits(return_X_y=True)
    X = (X / 16).astype("float32")
    return X[:600], y[:600], X[600:800], y[600:800]
