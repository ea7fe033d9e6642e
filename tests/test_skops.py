"""skops saves what is fitted, and loads it with the types of `SKOPS_TYPES`: its state is plain."""

import sys
import zipfile
from copy import deepcopy
from io import BytesIO
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from scipy.stats import loguniform, randint, uniform
from sklearn.base import clone
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import (
    GridSearchCV,
    GroupKFold,
    RandomizedSearchCV,
    RepeatedStratifiedKFold,
    ShuffleSplit,
    StratifiedKFold,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbn import BNSoftmaxClassifier, fit_population, tabular_pipeline
from skbn.export import SKOPS_TYPES
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.search import (
    CoarseToFineSearchCV,
    default_space,
    hidden_layers,
    log_randint,
    one_minus_loguniform,
)
from skbn.search.space import Space

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
    "an activation of each layer": (
        quick(hidden_layer_sizes=(4, 3), activation=["relu", "tanh"]),
        *(X, Y, {}),
    ),
    "weights by boolean labels": (quick(class_weight={False: 1.0, True: 2.0}), X, Y > 0, {}),
    "no batch norm": (quick(batch_norm=False, solver="rmsprop"), X, Y, {}),
    "softmax regression": (quick(hidden_layer_sizes=()), X, Y, {}),
}


@pytest.fixture(params=CLASSIFIERS)
def fitted(request):
    """A classifier that is fitted, and the rows and labels it goes on with."""
    classifier, rows, labels, options = CLASSIFIERS[request.param]
    return clone(classifier).fit(rows, labels, **options), rows, labels


def reloaded(estimator):
    return skops.loads(skops.dumps(estimator), trusted=SKOPS_TYPES)


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


TABLE = FRAME.assign(town=NAMES).mask(FRAME > 2)
STEPS = {
    "scaler": (StandardScaler(), X),
    "codes": (PiecewiseLinearEncoder(), X),
    "codes of trees": (PiecewiseLinearEncoder(strategy="tree", include_original=True), FRAME),
    "union": (make_union(StandardScaler(), PiecewiseLinearEncoder()), X),
    "a table": (
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), list("abcd")),
            (OneHotEncoder(sparse_output=False), ["town"]),
        ),
        TABLE,
    ),
    "columns by dtype": (
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), make_column_selector("[a-d]")),
            (OneHotEncoder(sparse_output=False), make_column_selector(dtype_exclude=np.number)),
        ),
        TABLE,
    ),
    "the other columns": (
        make_column_transformer((StandardScaler(), ["a"]), remainder="passthrough"),
        FRAME,
    ),
}


@pytest.mark.parametrize("name", STEPS)
def test_a_pipeline(name):
    step, rows = STEPS[name]
    model = make_pipeline(clone(step), quick()).fit(rows, NAMES)
    assert_same(reloaded(model), model, rows)


def test_a_pipeline_of_a_table(monkeypatch):
    monkeypatch.setitem(sys.modules, "skrub", None)
    table = TABLE.assign(day=DAYS, remark=[f"word {k}" for k in range(len(X))])
    model = tabular_pipeline(quick()).fit(table.assign(price=["1,50", "2,75"] * 30), NAMES)
    rows = table.assign(price=np.arange(len(X)))
    loaded = reloaded(model)
    assert_same(loaded, model, rows)
    assert_same(loaded, model, rows.astype(str))
    assert_same(reloaded(clone(model)).fit(rows, NAMES), clone(model).fit(rows, NAMES), rows)


SPACE = {
    "learning_rate_init": loguniform(1e-3, 1e-1),
    "momentum": one_minus_loguniform(0.5, 0.9),
    "batch_size": log_randint(8, 30),
    "hidden_layer_sizes": hidden_layers((1, 2), [4, 8]),
}
PIPELINE = make_pipeline(StandardScaler(), quick())
SGD = SGDClassifier(loss="log_loss", random_state=0)


def search(estimator=None, space=SPACE, **options):
    few = {"n_candidates": 4, "n_rounds": 2, "cv": 2, "random_state": 0}
    return CoarseToFineSearchCV(estimator or quick(), space, **(few | options))


SEARCHES = {
    "networks": search(),
    "Pipelines": search(PIPELINE, {f"bnsoftmaxclassifier__{name}": SPACE[name] for name in SPACE}),
    "the space recommended": search(PIPELINE, default_space(PIPELINE)),
    "other estimators": search(GaussianNB(), {"var_smoothing": loguniform(1e-9, 1)}),
    "steps that are drawn": search(
        PIPELINE,
        {
            "standardscaler": ["passthrough", PiecewiseLinearEncoder(n_bins=2)],
            "bnsoftmaxclassifier__alpha": uniform(),
        },
    ),
    "scales of scipy": search(
        space={
            "alpha": uniform(loc=np.float64(0.1), scale=1),
            "batch_size": randint(8, high=30),
            "max_iter": range(1, 4),
        }
    ),
    "several dicts": search(space=[SPACE, {"alpha": [0.1, 0.2], "solver": ["sgd", "adamw"]}]),
    "values of any type": search(
        space={
            "class_weight": [None, "balanced", {"no": 1, "yes": 2.5}],
            "hidden_layer_sizes": [(4,), (4, 3), 5],
            "batch_norm": np.array([True, False]),
        }
    ),
    "rungs": search(resource="epochs", max_epochs=9),
    "rungs of other estimators": search(
        SGD, {"alpha": loguniform(1e-5, 1e-2)}, resource="epochs", max_epochs=9
    ),
    "a score by name": search(scoring="neg_log_loss"),
    "several scores": search(scoring=["accuracy", "neg_log_loss"], refit="neg_log_loss"),
    "scores by other names": search(scoring={"a": "accuracy", "b": "f1_macro"}, refit="b"),
    "scorers": search(scoring={"a": get_scorer("accuracy"), "b": "roc_auc"}, refit=False),
    "no refit": search(refit=False),
    "a time budget": search(time_budget=1000),
    "failed fits": search(
        space={"learning_rate_init": [0.01, -1.0], "alpha": uniform()}, error_score=-1.0
    ),
    "a splitter": search(cv=StratifiedKFold(2, shuffle=True, random_state=0)),
    "splits that cannot be made again": search(cv=RepeatedStratifiedKFold(n_splits=2, n_repeats=1)),
    "splits of a stream": search(cv=ShuffleSplit(2, random_state=np.random.RandomState(0))),
    "splits in a list": search(cv=list(StratifiedKFold(2).split(X, Y))),
    "groups": search(cv=GroupKFold(2)),
    "a grid": GridSearchCV(PIPELINE, {"bnsoftmaxclassifier__alpha": [0.1, 0.2]}, cv=2),
    "a grid of widths": GridSearchCV(quick(), {"hidden_layer_sizes": [(3,), (3, 2)]}, cv=2),
    "draws of scikit-learn": RandomizedSearchCV(
        quick(),
        {name: SPACE[name] for name in SPACE if "init" not in name},
        n_iter=2,
        cv=2,
        random_state=0,
    ),
}
GROUPS = {"groups": np.arange(len(X)) % 4}

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings(
        r"ignore:\s*\d+ fits failed", "ignore:the best ", "ignore:One or more of the test"
    ),
]


@pytest.fixture(params=SEARCHES, scope="module")
def searched(request):
    """A search that is fitted, and the arguments with which it goes on."""
    params = GROUPS if request.param == "groups" else {}
    return clone(SEARCHES[request.param]).fit(X, NAMES, **params), params


def assert_same_results(loaded, search):
    results = search.cv_results_
    assert loaded.cv_results_.keys() == results.keys()
    for name, column in results.items():
        if "time" not in name and name != "params":
            assert repr(loaded.cv_results_[name]) == repr(column)
    assert repr(loaded.cv_results_["params"]) == repr(results["params"])
    for name in ("learning_curves_", "optimum_shift_"):
        assert hasattr(loaded, name) == hasattr(search, name)
        if hasattr(search, name):
            pd.testing.assert_frame_equal(getattr(loaded, name), getattr(search, name))
    assert repr(loaded.scorer_) == repr(search.scorer_)
    if search.refit:
        assert loaded.best_params_ == search.best_params_
        assert_same(loaded, search, X)


def test_a_search(searched):
    search, _ = searched
    loaded = reloaded(search)
    assert_same_results(loaded, search)
    if isinstance(search, CoarseToFineSearchCV):
        assert list(strange_parts(search)) == []
        assert repr(Space(loaded.param_distributions)) == repr(Space(search.param_distributions))


GOING_ON = {
    # searches that extend, and whether retune makes the same splits again
    "networks": True,
    "scales of scipy": True,
    "several dicts": True,
    "values of any type": False,
    "rungs": True,
    "rungs of other estimators": True,
    "scores by other names": False,
    "failed fits": False,
    "splits that cannot be made again": False,
    "groups": True,
}


@pytest.mark.parametrize("searched", GOING_ON, indirect=True)
def test_a_loaded_search_goes_on(searched, request):
    search, params = searched
    loaded = reloaded(search).extend(X, NAMES, **params)
    same = deepcopy(search).extend(X, NAMES, **params)
    loaded = reloaded(loaded)
    assert_same_results(loaded, same)
    if GOING_ON[request.node.callspec.params["searched"]]:
        for each in (loaded, same):
            each.retune(X, NAMES, **params)
        assert list(strange_parts(loaded)) == []
        assert_same_results(reloaded(loaded), same)


def test_a_search_in_an_older_file_whose_fingerprints_have_another_place():
    model, older = search().fit(X, NAMES), BytesIO()
    with (
        zipfile.ZipFile(BytesIO(skops.dumps(model))) as new,
        zipfile.ZipFile(older, "w") as archive,
    ):
        for name in new.namelist():
            content = new.read(name).replace(
                b"skbn.journal.fingerprints", b"skbn.search.fingerprints"
            )
            archive.writestr(name, content)
    assert b"skbn.search.fingerprints" in older.getvalue()
    loaded = skops.loads(older.getvalue(), trusted=SKOPS_TYPES)
    assert_same_results(loaded.extend(X, NAMES), model.extend(X, NAMES))


@pytest.mark.parametrize("kind", [str, Path])
def test_a_search_with_a_journal(kind, tmp_path):
    path = kind(tmp_path / "search.journal")
    model = search(journal=path).fit(X, NAMES)
    loaded = reloaded(model)
    assert loaded.journal == path
    assert type(loaded.journal) is type(path)
    (tmp_path / "search.journal").rename(tmp_path / "kept.journal")
    same = deepcopy(model).extend(X, NAMES)
    (tmp_path / "search.journal").unlink()
    (tmp_path / "kept.journal").rename(tmp_path / "search.journal")
    assert_same_results(loaded.extend(X, NAMES), same)


# The state, whatever saves it.

LEAVES = (type(None), bool, int, float, str, np.ndarray, np.generic)
STREAMS = (np.random.Generator, np.random.RandomState)  # which skops knows


def strange_parts(value, path=""):
    """Yield what is neither a number, text, an array nor made of such, and where it is."""
    if isinstance(value, dict):
        for key, part in value.items():
            if type(key) is not type(next(iter(value))) or type(key) not in (str, int):
                yield f"{path}: key {key!r}"
            yield from strange_parts(part, f"{path}.{key}")
    elif isinstance(value, list | tuple):
        for k, part in enumerate(value):
            yield from strange_parts(part, f"{path}[{k}]")
    elif type(value).__module__.startswith("skbn."):
        yield from strange_parts(value.__getstate__(), path)
    elif isinstance(value, np.ndarray) and value.dtype == object:
        for k, part in enumerate(np.ma.getdata(value).ravel()):
            yield from strange_parts(part, f"{path}[{k}]")
    elif not isinstance(value, LEAVES + STREAMS) and not type(value).__module__.startswith(
        "sklearn."
    ):
        yield f"{path}: {type(value).__name__}"


def test_the_state_is_plain(fitted):
    model, rows, _ = fitted
    model.predict(rows)
    assert list(strange_parts(model)) == []


@pytest.mark.parametrize("distribution", [SPACE[name] for name in SPACE if "init" not in name])
def test_the_state_of_a_distribution_is_plain(distribution):
    assert [axis.label for axis in distribution.axes]
    assert list(strange_parts(distribution)) == []
