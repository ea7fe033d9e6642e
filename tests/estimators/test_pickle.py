"""Pickles of a fitted classifier."""

import importlib
import pickle
import warnings

import joblib
import numpy as np
import pytest
from continuations import continued

from skbn import BNSoftmaxClassifier, _version
from skbn.network.optimizers import OPTIMIZERS
from skbn.search import CoarseToFineSearchCV


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("protocol", [2, pickle.HIGHEST_PROTOCOL])
def test_a_loaded_pickle_goes_on_as_if_never_stopped(
    iris, quick, assert_same_model, solver, protocol
):
    options = {"solver": solver, "dropout": 0.2, "learning_rate_init": 0.01, "max_iter": 4}
    model = continued(quick(**options), *iris, 2)
    loaded = pickle.loads(pickle.dumps(model, protocol))
    assert_same_model(loaded, model)
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), model.predict_proba(iris[0]))
    for _ in range(2):
        loaded.partial_fit(*iris)
    assert_same_model(loaded, quick(**options).fit(*iris))


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_a_loaded_pickle_is_a_model_of_its_own(iris, quick, assert_same_model):
    model = quick().fit(*iris)
    loaded = pickle.loads(pickle.dumps(model))
    loaded.partial_fit(*iris)
    assert_same_model(model, quick().fit(*iris))


def test_a_pickle_does_not_grow_with_the_data(quick):
    def size(n_rows):
        X = np.random.default_rng(0).normal(size=(n_rows, 5))
        options = {"early_stopping": True, "batch_size": 1000, "hidden_layer_sizes": (50,)}
        return len(pickle.dumps(quick(**options).fit(X, X[:, 0] > 0)))

    assert size(20000) == pytest.approx(size(200), abs=64)


@pytest.mark.parametrize(("solver", "n_vectors"), [("sgd", 2), ("adam", 3)])
def test_a_pickle_holds_the_parameters_and_the_state_of_the_solver(
    iris, single, learned, solver, n_vectors
):
    model = single(solver=solver, hidden_layer_sizes=(300, 300)).fit(*iris)
    model.predict(iris[0])
    n_bytes = sum(array.nbytes for array in learned(model))
    assert len(pickle.dumps(model)) < n_vectors * n_bytes + 10_000


FORMER = [f"{module}\n{name}" for module, names in _version.MOVED.items() for name in names]


@pytest.mark.parametrize("name", [*FORMER, "search.distributions\nFrozen"])
def test_a_pickle_of_the_version_before_says_which_loads_it(name):
    message = rf"skbn\.{name.replace(chr(10), '.')} is of skbn 0\.1.*pip install .skbn<0\.2"
    with pytest.raises(ImportError, match=message):
        pickle.loads(f"cskbn.{name}\n.".encode())


@pytest.mark.parametrize("kind", [BNSoftmaxClassifier, CoarseToFineSearchCV])
def test_a_state_without_a_version_is_of_the_version_before(kind):
    estimator = kind.__new__(kind)
    with pytest.raises(ImportError, match=rf"this {kind.__name__} is of skbn 0\.1"):
        estimator.__setstate__({"verbose": 0})


def test_moved_modules_have_nothing_else():
    assert not hasattr(importlib.import_module("skbn.classifier"), "anything")
    assert not hasattr(importlib.import_module("skbn.search.distributions"), "anything")


def test_arrays_are_saved_once(iris, quick, tmp_path):
    model = quick(hidden_layer_sizes=(300, 300), max_iter=1).fit(*iris)
    joblib.dump(model, tmp_path / "model.joblib")
    assert (tmp_path / "model.joblib").stat().st_size < 1.05 * len(pickle.dumps(model))
    loaded = joblib.load(tmp_path / "model.joblib")
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), model.predict_proba(iris[0]))


def test_a_pickle_carries_the_version(iris, quick, monkeypatch, caught_warnings):
    model = quick().fit(*iris)
    same = pickle.dumps(model)
    monkeypatch.setattr(_version, "__version__", "0.0.dev7")
    other = pickle.dumps(model)
    assert pickle.loads(other).score(*iris) == model.score(*iris)
    assert caught_warnings == []
    loaded = pickle.loads(same)
    (warning,) = caught_warnings
    assert warning.category is UserWarning
    assert "0.0.dev7" in str(warning.message)
    assert _version.__version__ in str(warning.message)
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), model.predict_proba(iris[0]))


def test_loading_with_the_same_version_is_silent(iris, quick):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        pickle.loads(pickle.dumps(quick().fit(*iris)))
        pickle.loads(pickle.dumps(quick()))


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_a_memory_mapped_model_predicts_and_goes_on(iris, quick, assert_same_model, tmp_path):
    X, y = iris
    model = quick().fit(X, y)
    joblib.dump(model, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict_proba(X), model.predict_proba(X))
    assert_same_model(mapped.partial_fit(X, y), model.partial_fit(X, y))
