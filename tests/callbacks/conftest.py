"""Rows of two classes, one of which is rare, and fits of every number of epochs on them."""

import pytest
from sklearn.datasets import make_classification
from sklearn.metrics import average_precision_score
from sklearn.model_selection import train_test_split


@pytest.fixture(scope="session")
def imbalanced():
    """Rows to train on and a development set, 1 in 12 of the second class."""
    X, y = make_classification(1200, weights=[0.93], flip_y=0.05, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, stratify=y, random_state=0)
    return X, y, X_val, y_val


@pytest.fixture(scope="session")
def constant(quick):
    """Make a network at a constant rate, so that fits of fewer epochs are the first of a longer."""

    def make(max_iter, **parameters):
        how = {"learning_rate": "constant", "learning_rate_init": 0.003, "batch_size": 64}
        return quick(**({"max_iter": max_iter, "n_members": 1} | how | parameters))

    return make


@pytest.fixture(scope="session")
def average_precision():
    """Average precision of a model on rows."""

    def score(model, X, y):
        return average_precision_score(y, model.predict_proba(X)[:, 1])

    return score


@pytest.fixture(scope="session")
def fits(imbalanced, constant):
    """Networks that were fitted without callbacks for 1, 2, ... 30 epochs."""
    X, y, *_ = imbalanced
    return [constant(n, calibrate=False).fit(X, y) for n in range(1, 31)]


@pytest.fixture(scope="session")
def scores(imbalanced, fits, average_precision):
    """Their average precision on the development set."""
    return [average_precision(model, *imbalanced[2:]) for model in fits]
