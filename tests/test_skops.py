"""skops saves what is fitted: its state is plain."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, fit_population
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.search import CoarseToFineSearchCV, hidden_layers, log_randint, one_minus_loguniform

skops = pytest.importorskip("skops.io")

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int)
NAMES = np.array(["no", "yes"])[Y]
FRAME = pd.DataFrame(X, columns=list("abcd"))
SPARSE = sparse.csr_matrix(X)
DAYS = np.array(["2020-01-01", "2021-01-01"], dtype="datetime64[D]")[Y]


def quick(**options):
    small = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}
    return BNSoftmaxClassifier(**(small | options))


CLASSIFIERS = {
    # a classifier and what it is fitted to
    "float32": (quick(), X, Y, {}),
    "float64": (quick(dtype="float64"), X, Y, {}),
    "labels of text": (quick(), X, NAMES, {}),
    "labels of pandas": (quick(), FRAME, pd.Series(NAMES, dtype="category"), {}),
    "labels that are dates": (quick(), X, DAYS, {}),
    "boolean labels": (quick(), X, Y > 0, {}),
    "sparse rows": (quick(), SPARSE, Y, {}),
    "random streams in use": (quick(dropout=0.2, noise=0.3, solver="sgd"), X, Y, {}),
    "early stopping": (quick(early_stopping=True, n_members=3), X, Y, {}),
    "a validation set": (quick(warm_start=True), X, Y, {"X_val": X[:20], "y_val": Y[:20]}),
    "a generator": (quick(random_state=np.random.RandomState(0)), X, Y, {}),
    "weights by class": (
        quick(class_weight={0: 1.0, 1: 2.0}),
        X,
        Y,
        {"sample_weight": X[:, 0] ** 2},
    ),
    "parameters of NumPy": (
        quick(alpha=np.float64(0.1), max_iter=np.int64(2), hidden_layer_sizes=np.array([4, 3])),
        *(X, Y, {}),
    ),
    "no batch norm": (quick(batch_norm=False, solver="rmsprop"), X, Y, {}),
    "softmax regression": (quick(hidden_layer_sizes=()), X, Y, {}),
}


@pytest.fixture(params=CLASSIFIERS)
def fitted(request):
    """A classifier that is fitted, and the rows and labels it goes on with."""
    classifier, rows, labels, options = CLASSIFIERS[request.param]
    return clone(classifier).fit(rows, labels, **options), rows, labels


def reloaded(estimator):
    data = skops.dumps(estimator)
    return skops.loads(data, trusted=skops.get_untrusted_types(data=data))


def assert_same(loaded, estimator, rows):
    np.testing.assert_array_equal(loaded.predict_proba(rows), estimator.predict_proba(rows))
    np.testing.assert_array_equal(loaded.predict(rows), estimator.predict(rows), strict=True)


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_a_loaded_classifier_predicts_and_goes_on(fitted, assert_same_model):
    model, rows, labels = fitted
    loaded = reloaded(model)
    assert_same_model(loaded, model)
    assert_same(loaded, model, rows)
    if model.class_weight is None:
        assert_same_model(loaded.partial_fit(rows, labels), model.partial_fit(rows, labels))
        assert_same(reloaded(loaded), model, rows)
    for each in (loaded, model):
        each.set_params(warm_start=True, max_iter=model.n_iter_ + 2).fit(rows, labels)
    assert_same_model(loaded, model)
    assert_same(loaded, model, rows)


def test_a_classifier_in_parts(assert_same_model):
    model = quick().partial_fit(X[:30], NAMES[:30], classes=["yes", "no"])
    loaded = reloaded(model)
    assert_same_model(loaded.partial_fit(X, NAMES), model.partial_fit(X, NAMES))
    assert_same(loaded, model, X)


def test_a_classifier_of_a_population():
    (model, _) = fit_population([quick(), quick(random_state=1)], X, Y)
    assert_same(reloaded(model), model, X)


def test_only_types_of_this_package_are_to_be_trusted(fitted):
    types = skops.get_untrusted_types(data=skops.dumps(fitted[0]))
    assert all(name.startswith("skbn.") for name in types)


@pytest.mark.parametrize("first", [StandardScaler(), PiecewiseLinearEncoder()], ids=repr)
def test_a_pipeline(first):
    model = make_pipeline(first, quick()).fit(X, NAMES)
    assert_same(reloaded(model), model, X)


SPACE = {
    "learning_rate_init": loguniform(1e-3, 1e-1),
    "momentum": one_minus_loguniform(0.5, 0.9),
    "batch_size": log_randint(8, 30),
    "hidden_layer_sizes": hidden_layers((1, 2), [4, 8]),
}


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(quick(), {"alpha": [0.1, 0.2]}, cv=2),
        CoarseToFineSearchCV(quick(), SPACE, n_candidates=4, n_rounds=2, cv=2, random_state=0),
    ],
    ids=lambda search: type(search).__name__,
)
def test_a_search(search):
    search.fit(X, NAMES)
    loaded = reloaded(search)
    assert_same(loaded, search, X)
    assert loaded.best_params_ == search.best_params_


# The state, whatever saves it.

LEAVES = (type(None), bool, int, float, str, np.ndarray, np.generic)
STREAMS = (np.random.Generator, np.random.RandomState)  # which skops knows


def strange_parts(value, path=""):
    """Yield what is neither a number, text, an array nor made of such, and where it is."""
    if isinstance(value, dict):
        for key, part in value.items():
            if not isinstance(key, str) and not path.endswith(".class_weight"):
                yield f"{path}: key {key!r}"
            yield from strange_parts(part, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for k, part in enumerate(value):
            yield from strange_parts(part, f"{path}[{k}]")
    elif type(value).__module__.startswith("skbn."):
        yield from strange_parts(value.__getstate__(), path)
    elif not isinstance(value, LEAVES + STREAMS):
        yield f"{path}: {type(value).__name__}"


def test_the_state_is_plain(fitted):
    model, rows, _ = fitted
    model.predict(rows)
    assert list(strange_parts(model)) == []


@pytest.mark.parametrize("distribution", [SPACE[name] for name in SPACE if "init" not in name])
def test_the_state_of_a_distribution_is_plain(distribution):
    assert [axis.label for axis in distribution.axes]
    assert list(strange_parts(distribution)) == []
