"""Fixtures that the tests of the estimators share."""

from copy import deepcopy

import numpy as np
import pytest
from sklearn.datasets import load_digits

from skbn import fit_population
from skbn.estimators import fitting
from skbn.network.epochs import train
from skbn.training import lockstep
from skbn.training.holdout import stratified_rows


@pytest.fixture
def drawn(monkeypatch):
    """The rows that each network sets aside, in a list."""
    draws = []

    def remember(*arguments):
        draws.append(stratified_rows(*arguments))
        return draws[-1]

    monkeypatch.setattr(fitting, "stratified_rows", remember)
    return draws


@pytest.fixture(scope="module")
def digits():
    """Some of the digits, with pixels from 0 to 1."""
    X, y = load_digits(return_X_y=True)
    X, y = X[:500] / 16, y[:500]
    X.setflags(write=False)
    return X, y


@pytest.fixture(scope="module")
def assert_as_alone(assert_same_model):
    """Fit classifiers in one call, and assert that each is as `fit` makes it."""

    def check(classifiers, X, y, sample_weight=None, *, rows=None, memory_budget=2**28, **val):
        twins = deepcopy(classifiers)
        fitted = fit_population(
            classifiers, X, y, sample_weight, rows=rows, memory_budget=memory_budget, **val
        )
        assert len(fitted) == len(classifiers)
        for k, (model, twin) in enumerate(zip(classifiers, twins, strict=True)):
            assert fitted[k] is model
            which = np.arange(len(y)) if rows is None else np.asarray(rows[k])
            some = take(X, which)
            twin.fit(some, take(y, which), take(sample_weight, which), **val)
            assert_same_model(model, twin)
            assert vars(model).keys() == vars(twin).keys()
            np.testing.assert_array_equal(model.classes_, twin.classes_, strict=True)
            assert model.n_features_in_ == twin.n_features_in_
            assert names(model) == names(twin)
            np.testing.assert_array_equal(model.predict_proba(some), twin.predict_proba(some))

    return check


@pytest.fixture
def populations(monkeypatch):
    """The states and data of all calls of the core."""
    calls = []

    def watch(architecture, settings, hyper, state, data, train=train):
        calls.append((len(state.theta), data))
        return train(architecture, settings, hyper, state, data)

    monkeypatch.setattr(lockstep, "train", watch)
    return calls


def take(table, rows):
    if table is None:
        return None
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def names(model):
    return getattr(model, "feature_names_in_", np.array([])).tolist()
