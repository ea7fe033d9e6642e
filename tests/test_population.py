"""Many classifiers fitted in one call: each as it would be alone, to the last bit."""

import pickle
import re
from contextlib import contextmanager
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse
from sklearn.base import clone
from sklearn.datasets import load_digits
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelEncoder

import skbn.lockstep
import skbn.population
from skbn import BNSoftmaxClassifier, fit_population
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES

COMPANY = [
    {},
    {"learning_rate_init": 0.2, "dropout": 0.3, "random_state": 1},
    {"label_smoothing": 0.1, "max_grad_norm": 0.3, "max_iter": 5},
    {"alpha": 0.1, "input_dropout": 0.2, "bn_momentum": 0.5, "max_iter": 1},
    {"alpha": 0.01, "dropout": 0.5, "beta_1": 0.5, "momentum": 0.5, "epsilon": 1e-3},
]
"""What those that share a population differ in."""
KINDS = [
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False},
    {"solver": "rmsprop", "learning_rate": "exponential"},
    {"solver": "adamw", "learning_rate": "one_cycle", "warmup_fraction": 0.2},
    {"hidden_layer_sizes": (9, 5), "activation": "gelu", "initializer": "glorot"},
    {"hidden_layer_sizes": (), "learning_rate": "inverse_time"},
    {"batch_norm": False, "activation": "tanh", "learning_rate": "constant"},
    {"dtype": "float64", "activation": "selu"},
    {"batch_size": 50},
    {"batch_size": "auto", "shuffle": False},
    {"class_weight": "balanced"},
    {"class_weight": {0: 3.0}, "early_stopping": True},
    {"early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 1, "max_iter": 6},
]
"""What keeps them apart."""
MEMBERS = [
    {"n_members": 3, "calibrate": False},
    {"n_members": 1},
    {"n_members": 3, "early_stopping": True},
]
DIVERGING = {"learning_rate_init": 1e30}


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

    def watch(architecture, settings, hyper, state, data, train=skbn.lockstep.train):
        calls.append((len(state.theta), data))
        return train(architecture, settings, hyper, state, data)

    monkeypatch.setattr(skbn.lockstep, "train", watch)
    return calls


def take(table, rows):
    if table is None:
        return None
    return table.iloc[rows] if hasattr(table, "iloc") else table[rows]


def names(model):
    return getattr(model, "feature_names_in_", np.array([])).tolist()


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
        if hasattr(twin, "_model"):
            mine, its = model._model.state, twin._model.state
            np.testing.assert_array_equal(mine.theta, its.theta)
            np.testing.assert_array_equal(mine.sums, its.sums)
            np.testing.assert_array_equal(mine.vectors, its.vectors)
            assert mine.n_epochs == its.n_epochs
            assert [s.bit_generator.state for s in mine.shuffle_streams + mine.noise_streams] == [
                s.bit_generator.state for s in its.shuffle_streams + its.noise_streams
            ]
            assert model.history_ == twin.history_


# As alone.


@pytest.mark.parametrize("kind", [{}, *KINDS, *MEMBERS], ids=str)
@pytest.mark.parametrize("on", ["all rows", "folds"])
def test_each_is_as_alone(iris, quick, assert_as_alone, kind, on):
    X, y = iris
    rows = None if on == "all rows" else [train for train, _ in KFold(len(COMPANY)).split(X)]
    assert_as_alone([quick(**each | kind) for each in COMPANY], X, y, rows=rows)


def test_all_kinds_at_once(digits, single, assert_as_alone, populations):
    X, y = digits
    classifiers = [single(**each | kind) for each in COMPANY for kind in KINDS]
    folds = [train for train, _ in StratifiedKFold(5, shuffle=True, random_state=0).split(X, y)]
    rows = [folds[k % 5] for k in range(len(classifiers))]
    assert_as_alone(classifiers, X, y, rows=rows)
    assert max(size for size, _ in populations) == len(COMPANY)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_each_activation(iris, quick, assert_as_alone, activation):
    assert_as_alone([quick(**each, activation=activation) for each in COMPANY], *iris)


@pytest.mark.parametrize("learning_rate", SCHEDULES)
@pytest.mark.parametrize("warmup_fraction", [None, 0.0, 0.5])
def test_each_schedule(iris, quick, assert_as_alone, learning_rate, warmup_fraction):
    options = {"learning_rate": learning_rate, "warmup_fraction": warmup_fraction}
    assert_as_alone([quick(**each, **options) for each in COMPANY], *iris)


def test_networks_too_large_for_many_at_a_time(digits, quick, assert_as_alone, populations):
    options = {"hidden_layer_sizes": (120, 60), "batch_size": 100}
    assert_as_alone([quick(**each, **options) for each in COMPANY], *digits)
    assert 1 < max(size for size, _ in populations) < len(COMPANY)


def test_the_smallest_networks(iris, quick, assert_as_alone):
    X, y = iris
    options = {"hidden_layer_sizes": (1,), "batch_norm": False, "learning_rate_init": 0.01}
    for batch_size in (1, 2):
        classifiers = [quick(alpha=a, batch_size=batch_size, **options) for a in (0, 0.1, 1)]
        assert_as_alone(classifiers, X[:20, :1], y[:20] > 0)


def test_batches_that_are_larger_than_the_data(digits, quick, assert_as_alone):
    """One batch in all cases, but BLAS may share out the products of what is asked for."""
    options = {"hidden_layer_sizes": (32,), "learning_rate_init": 0.01}
    for sizes in ([500, 10**6, 500, 10**6], [10**6, 500]):
        assert_as_alone([quick(batch_size=size, **options) for size in sizes], *digits)


@pytest.mark.parametrize("weighted", [False, True])
def test_folds_that_differ_by_a_row(iris, single, assert_as_alone, populations, weighted):
    X, y = iris
    weights = np.linspace(1, 3, len(y)) if weighted else None
    rows = [train for train, _ in KFold(4).split(X)] * 2
    assert {len(each) for each in rows} == {112, 113}
    assert_as_alone([single(random_state=k) for k in range(8)], X, y, weights, rows=rows)
    assert [size for size, _ in populations] == [4, 4]


@pytest.mark.parametrize("on", ["all rows", "folds"])
def test_weights_of_rows_and_classes(iris, quick, assert_as_alone, on):
    X, y = iris
    rows = None if on == "all rows" else [train for train, _ in KFold(5).split(X)]
    weights = np.random.default_rng(0).uniform(0.1, 2, len(y))
    weights[::7] = 0  # are left out
    each = [None, "balanced", {0: 2.0, 1: 0.5}, {2: 0.0}, None]
    for early_stopping in (False, True):
        options = {"early_stopping": early_stopping}
        classifiers = [quick(class_weight=class_weight, **options) for class_weight in each]
        assert_as_alone(classifiers, X, y, weights, rows=rows)


def test_one_weight_for_all(iris, quick, assert_same_model):
    X, y = iris
    (model,) = fit_population([quick()], X, y, 2.5, rows=[y > 0])
    assert_same_model(model, quick().fit(X[y > 0], y[y > 0], 2.5))


def test_weights_that_come_out_equal_in_some_rows(iris, quick, assert_as_alone):
    X, y = iris
    weights = np.where(np.arange(len(y)) < 100, 1.0, 2.0)
    rows = [np.arange(80), np.arange(20, 100), np.arange(40, 120), np.arange(50, 130)]
    assert_as_alone([quick() for _ in rows], X, y, weights, rows=rows)


def test_rows_may_be_masks_in_any_order_and_repeated(iris, quick, assert_as_alone):
    X, y = iris
    stream = np.random.default_rng(0)
    rows = [
        stream.random(150) < 0.7,
        stream.permutation(150),
        stream.integers(0, 150, 150),
        np.arange(149, -1, -1, dtype=np.int16),
        np.arange(150, dtype=np.uint64),
        list(range(10, 90)),
    ]
    for early_stopping in (False, True):
        classifiers = [quick(early_stopping=early_stopping, dropout=0.1) for _ in rows]
        assert_as_alone(classifiers, X, y, rows=rows)


@pytest.mark.parametrize("kind", [sparse.csr_matrix, sparse.csr_array, sparse.csc_matrix])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_sparse_rows(digits, quick, assert_as_alone, kind, early_stopping):
    X, y = digits
    X = kind(X)
    rows = [train for train, _ in KFold(5).split(y)]
    classifiers = [quick(**each, early_stopping=early_stopping) for each in COMPANY]
    assert_as_alone(clone(classifiers), X, y)
    assert_as_alone(classifiers, X, y, rows=rows)


def test_frames_and_labels_that_are_text(iris, quick, assert_as_alone):
    X = pd.DataFrame(iris[0], columns=list("abcd"), index=np.arange(150)[::-1])
    y = pd.Series(np.array(["setosa", "versicolor", "virginica"])[iris[1]], index=X.index)
    weights = pd.Series(np.linspace(1, 2, 150), index=X.index)
    rows = [train for train, _ in KFold(4).split(X)]
    kinds = [{}, {"dtype": "float64"}, {"class_weight": {"setosa": 2}}, {"dropout": 0.1}]
    assert_as_alone([quick(**kind) for kind in kinds], X, y, weights)
    assert_as_alone([quick(**kind) for kind in kinds], X, y, weights, rows=rows)
    assert_as_alone([quick(**kind) for kind in kinds], X, y.astype("category"), rows=rows)


def test_lists(iris, quick, assert_same_model):
    X, y = iris
    labels = [f"kind {label}" for label in y]
    rows = [train for train, _ in KFold(3).split(X)]
    fitted = fit_population([quick() for _ in rows], X.tolist(), labels, [1.0] * 150, rows=rows)
    for model, train in zip(fitted, rows, strict=True):
        assert_same_model(model, quick().fit(X[train], np.array(labels)[train]))
        assert model.classes_.tolist() == ["kind 0", "kind 1", "kind 2"]


def test_names_of_another_table_are_forgotten(iris, quick, assert_as_alone):
    X, y = iris
    models = [quick().fit(pd.DataFrame(X, columns=list("abcd")), y) for _ in range(2)]
    assert_as_alone(models, X[:, :3], y)
    assert_as_alone(models, pd.DataFrame(X, columns=list("efgh")), y)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
def test_rows_that_lack_a_class(iris, quick, assert_as_alone, kind):
    # Three tasks of two classes, whose networks have the same shapes, and one of three.
    X, y = iris
    y = np.array([-5, 3, 40])[y]
    rows = [y != -5, y != 3, np.flatnonzero(y != 40), np.arange(100)]
    for early_stopping in (False, True):
        options = {"early_stopping": early_stopping, "class_weight": "balanced"}
        classifiers = [quick(random_state=k, **options) for k in range(4)]
        assert_as_alone(classifiers, kind(X), y, np.linspace(1, 2, 150), rows=rows)
        assert [len(model.classes_) for model in classifiers] == [2, 2, 2, 3]


def test_folds_without_a_rare_class(iris, quick, assert_as_alone):
    X, y = iris
    y = np.array(["often", "often too", "rare"])[np.where(y == 2, 0, y)]
    y[[20, 25]] = "rare"
    rows = [train for train, _ in KFold(5).split(X)]
    classifiers = [quick() for _ in rows]
    assert_as_alone(classifiers, X, y, rows=rows)
    assert sorted({len(model.classes_) for model in classifiers}) == [2, 3]


@pytest.mark.parametrize("on", ["all rows", "folds"])
def test_a_validation_set_for_all(iris, quick, assert_as_alone, on):
    X, y = iris
    rows = None if on == "all rows" else [train for train, _ in KFold(5).split(X[:100])]
    val = {"X_val": X[100:], "y_val": y[100:], "sample_weight_val": np.linspace(0, 1, 50)}
    options = {"max_iter": 8, "n_iter_no_change": 2, "class_weight": "balanced"}
    classifiers = [quick(**each | options) for each in COMPANY]
    assert_as_alone(classifiers, X[:100], y[:100], rows=rows, **val)
    assert len({model.n_iter_ for model in classifiers}) > 1
    assert_as_alone([quick(**each, dtype="float64") for each in COMPANY], X, y, **val)


def test_those_that_share_a_random_state_draw_from_it_in_turn(iris, quick, assert_same_model):
    together, alone = np.random.RandomState(3), np.random.RandomState(3)
    fitted = fit_population([quick(random_state=together, dropout=0.1) for _ in range(3)], *iris)
    for model in fitted:
        assert_same_model(model, quick(random_state=alone, dropout=0.1).fit(*iris))


def test_what_was_fitted_together_goes_on_as_what_was_fitted_alone(iris, quick, assert_same_model):
    # Some met noise that was not theirs; their streams must not have moved.
    kinds = [{}, {"dropout": 0.5}, {"input_dropout": 0.3}, {"noise": 0.3}, {"max_iter": 2}]
    fitted = fit_population([quick(**kind) for kind in kinds], *iris)
    for model, kind in zip(fitted, kinds, strict=True):
        later = {"dropout": 0.4, "input_dropout": 0.2, "noise": 0.1}
        alone = quick(**kind).fit(*iris).set_params(**later).partial_fit(*iris)
        assert_same_model(model.set_params(**later).partial_fit(*iris), alone)


def test_pickles_and_clones(digits, quick, assert_same_model):
    classifiers = [quick(**each, early_stopping=True) for each in COMPANY]
    for model in fit_population(classifiers, *digits):
        alone = clone(model).fit(*digits)
        loaded = pickle.loads(pickle.dumps(model))
        assert_same_model(loaded, alone)
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            expected = getattr(alone, method)(digits[0])
            np.testing.assert_array_equal(getattr(model, method)(digits[0]), expected)
            np.testing.assert_array_equal(getattr(loaded, method)(digits[0]), expected)
        # It takes nothing of its company along.
        assert len(pickle.dumps(model)) == pytest.approx(len(pickle.dumps(alone)), abs=64)


def test_any_iterable_of_classifiers_and_rows(iris, quick, assert_same_model):
    masks = [iris[1] > 0, iris[1] < 2]
    fitted = fit_population((quick(alpha=a) for a in (0, 1)), *iris, rows=(m for m in masks))
    for model, mask, alpha in zip(fitted, masks, (0, 1), strict=True):
        assert_same_model(model, quick(alpha=alpha).fit(iris[0][mask], iris[1][mask]))
    assert fit_population([], *iris) == fit_population([], *iris, rows=[]) == []


@st.composite
def members(draw):
    """Parameters of a small classifier, and the rows that it is fitted on."""
    kind = st.sampled_from
    batch_norm = draw(st.booleans())
    parameters = {
        "hidden_layer_sizes": draw(kind([(), (1,), (5,), (6, 3)])),
        "batch_norm": batch_norm,
        "activation": draw(kind(["relu", "tanh", "mish"])),
        "initializer": draw(kind(list(INITIALIZERS))),
        "solver": draw(kind(list(OPTIMIZERS))),
        "nesterovs_momentum": draw(st.booleans()),
        "learning_rate": draw(kind(list(SCHEDULES))),
        "learning_rate_init": draw(kind([0.001, 0.1])),
        "batch_size": draw(kind([7 if batch_norm else 1, 40, 41, 1000, "auto"])),
        "shuffle": draw(kind([True, True, False])),
        "max_iter": draw(st.integers(1, 4)),
        "dtype": draw(kind(["float32", "float32", "float64"])),
        "early_stopping": draw(kind([False, False, True])),
        "n_iter_no_change": draw(kind([1, 10])),
        "class_weight": draw(kind([None, None, "balanced"])),
        "n_members": draw(kind([1, 2, 3])),
        "calibrate": draw(st.booleans()),
        "random_state": draw(st.integers(0, 3)),
    }
    for name, values in {
        "alpha": (0.0, 0.1),
        "dropout": (0.0, 0.4),
        "input_dropout": (0.0, 0.2),
        "noise": (0.0, 0.3),
        "input_noise": (0.0, 0.3),
        "label_smoothing": (0.0, 0.1),
        "max_grad_norm": (None, 0.1),
        "bn_momentum": (0.0, 0.9),
        "beta_1": (0.0, 0.9),
        "momentum": (0.0, 0.9),
    }.items():
        parameters[name] = draw(kind(values))
    return parameters


@settings(derandomize=True, deadline=None, max_examples=20)
@given(kinds=st.lists(members(), min_size=1, max_size=3), seed=st.integers(0, 99), data=st.data())
def test_any_population_is_as_alone(iris, quick, assert_as_alone, kinds, seed, data):
    X, y = iris
    classifiers = [quick(**kind) for kind in kinds]
    # Each kind has company, which differs from it in numbers only.
    classifiers += [quick(**kind | COMPANY[seed % 5] | {"random_state": 9}) for kind in kinds]
    folds = [train for train, _ in KFold(4, shuffle=True, random_state=seed).split(X)]
    which = st.lists(st.integers(0, 3), min_size=len(classifiers), max_size=len(classifiers))
    rows = data.draw(st.none() | which.map(lambda drawn: [folds[k] for k in drawn]), label="rows")
    weights = data.draw(st.sampled_from([None, np.linspace(1, 2, 150), np.arange(150.0)]))
    again = clone(classifiers)
    assert_as_alone(classifiers, X, y, weights, rows=rows)
    # It does not matter who is trained with whom.
    assert_as_alone(again, X, y, weights, rows=rows, memory_budget=data.draw(st.integers(0, 10**5)))


def test_members_of_one_seed_share_no_stream_in_the_end(iris, quick, assert_as_alone):
    # Of one drawn model: one leaves early, one drops out, and each goes on by itself.
    options = [{"max_iter": 1}, {}, {"dropout": 0.3}, {"learning_rate_init": 0.1}]
    classifiers = [quick(**each, warm_start=True, random_state=0) for each in options]
    assert_as_alone(classifiers, *iris)
    for classifier in classifiers:
        alone = quick(**classifier.get_params()).fit(*iris)
        for each in (alone, classifier):
            each.set_params(max_iter=classifier.max_iter + 2).fit(*iris)
        np.testing.assert_array_equal(classifier.coefs_[0], alone.coefs_[0])


# Who is trained together.


def test_networks_of_the_same_shapes_share_populations(iris, single, populations):
    sizes = [(8,), (8,), (9,), (8, 8), (9,), (8,)]
    fit_population([single(hidden_layer_sizes=each) for each in sizes], *iris)
    assert sorted(size for size, _ in populations) == [1, 2, 3]


def test_a_small_memory_budget_trains_them_one_by_one(iris, single, populations, assert_as_alone):
    assert_as_alone([single(**each) for each in COMPANY], *iris, memory_budget=1)
    assert [size for size, _ in populations] == [1] * len(COMPANY)


@pytest.mark.parametrize("kind", [np.asarray, sparse.csr_array])
@pytest.mark.parametrize("on", ["all rows", "folds"])
def test_all_share_one_table(digits, single, populations, kind, on):
    X, y = kind(digits[0]), digits[1]
    options = [{}, {"alpha": 0.1}, {"hidden_layer_sizes": (5,)}, {"early_stopping": True}] * 5
    folds = [train for train, _ in KFold(5).split(y) for _ in range(4)]
    rows = None if on == "all rows" else folds
    fit_population([single(**each, max_iter=1) for each in options], X, y, rows=rows)
    assert [size for size, _ in populations] == [10, 5, 5]
    assert len({id(data.x) for _, data in populations}) == 1
    assert len({id(data.labels) for _, data in populations}) == 1
    assert populations[0][1].x.shape == X.shape


def test_a_table_that_needs_no_conversion_is_not_copied(digits, quick, populations):
    X, y = digits[0].astype(np.float32), digits[1]
    fit_population([quick() for _ in range(3)], X, y, rows=[y < 9, y > 0, y < 8])
    assert all(data.x.base is X or data.x is X for _, data in populations)


def test_a_validation_set_is_kept_once(iris, quick, monkeypatch):
    tables = []

    def watch(trainings, memory_budget, original=skbn.population.train_together):
        tables.extend(training.validation.x for training, _ in trainings)
        original(trainings, memory_budget)

    monkeypatch.setattr(skbn.population, "train_together", watch)
    fit_population([quick(random_state=k) for k in range(3)], *iris, X_val=iris[0], y_val=iris[1])
    assert len(tables) == 3
    assert all(table is tables[0] for table in tables)


# warm_start.


@pytest.mark.parametrize("kind", [{}, {"early_stopping": True}, {"solver": "sgd"}], ids=str)
@pytest.mark.parametrize("on", ["all rows", "folds"])
def test_warm_start_goes_on_from_where_each_stands(iris, quick, assert_as_alone, kind, on):
    X, y = iris
    rows = None if on == "all rows" else [train for train, _ in KFold(5).split(X)]
    options = {"warm_start": True, "learning_rate": "constant", **kind}
    models = [quick(**each | options) for each in COMPANY]
    models[0].fit(X, y)
    assert_as_alone(models, X, y, rows=rows)  # one of them is done
    for model in models:
        model.set_params(max_iter=8, dropout=0.1)
    new = quick(**options)
    assert_as_alone([*models, new], X, y, rows=None if rows is None else [*rows, rows[0]])
    assert max(model.n_iter_ for model in models) == 8


def test_warm_start_goes_on_with_those_that_stand_where_it_does(iris, single, populations):
    models = [single(warm_start=True, random_state=k) for k in range(4)]
    for model in models:
        model.set_params(max_iter=2).fit(*iris).set_params(max_iter=3)
    fit_population([*models, single(), single()], *iris)
    assert sorted(size for size, _ in populations) == [2, 4]


def test_warm_start_with_rows_that_lack_a_class(iris, quick, assert_as_alone):
    X, y = iris
    models = [
        quick(warm_start=True, random_state=k).fit(X, y).set_params(max_iter=5) for k in (1, 2)
    ]
    assert_as_alone(models, X, y, rows=[y > 0, y < 2])
    assert models[0].classes_.tolist() == [0, 1, 2]


def test_warm_start_with_a_frame_and_weights(iris, quick, assert_as_alone):
    X, y = pd.DataFrame(iris[0], columns=list("abcd")), pd.Series(iris[1])
    weights = np.linspace(1, 2, 150)
    models = [
        quick(warm_start=True, random_state=k).fit(X, y).set_params(max_iter=5) for k in (1, 2)
    ]
    assert_as_alone(models, X, y, weights, rows=[iris[1] > 0, np.arange(120)])


@pytest.mark.parametrize("change", [{"max_iter": 2}, {"hidden_layer_sizes": (9,), "max_iter": 9}])
def test_warm_start_that_cannot_go_on(iris, quick, change):
    models = [quick(warm_start=True).fit(*iris), quick()]
    models[0].set_params(**change)
    with unchanged(models[:1]):
        error, other = fit_population(models, *iris, return_exceptions=True)
    assert str(error) == str(error_alone(models[0], *iris))
    assert other is models[1]


# Those that cannot be fitted.


def some_fitted(quick, data, *kinds):
    """Classifiers of which the first is fitted, and the last has more to do."""
    models = [quick(**kind) for kind in kinds]
    models[0].fit(*data)
    models[-1].set_params(warm_start=True, max_iter=1).fit(*data).set_params(max_iter=4)
    return models


@pytest.mark.parametrize(
    "bad",
    [
        DIVERGING,
        {**DIVERGING, "early_stopping": True},
        {"learning_rate_init": 1e300, "dtype": "float64"},
        {"alpha": -1},
        {"hidden_layer_sizes": (8, 0)},
        {"batch_size": 1},
        {"class_weight": {7: 1.0}},
        {"solver": "newton"},
        {"dtype": "float16"},
        {"random_state": "zero"},
    ],
    ids=str,
)
def test_an_error_of_one_is_raised_with_its_number(iris, quick, bad):
    models = some_fitted(quick, iris, {}, {"dropout": 0.2}, bad, {}, {})
    expected = error_alone(quick(**bad), *iris)
    with unchanged(models), pytest.raises(type(expected)) as caught:
        fit_population(models, *iris)
    assert str(caught.value) == str(expected)
    assert any("classifiers[2]" in note for note in caught.value.__notes__)
    with pytest.raises(NotFittedError):
        models[1].predict(iris[0])


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("early_stopping", [False, True])
def test_one_that_diverges_disturbs_no_other(
    iris, quick, assert_same_model, populations, solver, early_stopping
):
    options = {"solver": solver, "early_stopping": early_stopping}
    kinds = [{**kind, **options} for kind in (*COMPANY[:3], COMPANY[0] | DIVERGING, *COMPANY[3:])]
    models = [quick(**kind) for kind in kinds]
    with unchanged(models[3:4]):
        outcomes = fit_population(models, *iris, return_exceptions=True)
    expected = error_alone(quick(**kinds[3]), *iris)
    assert "diverged" in str(expected)
    # Where both members learn from as many rows they train together.
    assert populations[0][0] == len(kinds) * (1 + early_stopping)
    for outcome, model, kind in zip(outcomes, models, kinds, strict=True):
        if model is models[3]:
            assert type(outcome) is type(expected)
            assert str(outcome) == str(expected)
        else:
            assert outcome is model
            assert_same_model(model, quick(**kind).fit(*iris))


def test_errors_stand_in_the_places_of_theirs(iris, quick, assert_same_model):
    X, y = iris
    kinds = [{"alpha": -1}, {}, DIVERGING, {"class_weight": {2: 2.0}}, {"max_iter": 0}, {}]
    rows = [y < 2] * 6
    outcomes = fit_population([quick(**k) for k in kinds], X, y, rows=rows, return_exceptions=True)
    for k in (1, 5):
        assert_same_model(outcomes[k], quick().fit(X[y < 2], y[y < 2]))
    for k in (0, 2, 3, 4):
        expected = error_alone(quick(**kinds[k]), X[y < 2], y[y < 2])
        assert (type(outcomes[k]), str(outcomes[k])) == (type(expected), str(expected))


def test_one_that_diverges_may_be_fitted_before(iris, quick):
    models = [quick(warm_start=True).fit(*iris), quick()]
    models[0].set_params(max_iter=6, **DIVERGING)
    with unchanged(models[:1]):
        error, _ = fit_population(models, *iris, return_exceptions=True)
    assert str(error) == str(error_alone(models[0], *iris))


def test_rows_of_one_class_only(iris, quick, assert_same_model):
    X, y = iris
    models = some_fitted(quick, iris, {}, {}, {})
    expected = error_alone(models[1], X[y == 1], y[y == 1])
    rows = [y > 0, y == 1, y < 3]
    with unchanged(models), pytest.raises(ValueError, match="one class only, 1") as caught:
        fit_population(models, X, y, rows=rows)
    assert any("classifiers[1]" in note for note in caught.value.__notes__)
    outcomes = fit_population(models, X, y, rows=rows, return_exceptions=True)
    assert str(outcomes[1]) == str(expected)
    assert_same_model(outcomes[0], quick().fit(X[y > 0], y[y > 0]))


@pytest.mark.parametrize("kind", [np.array, pd.DataFrame, sparse.csr_matrix])
@pytest.mark.parametrize("cell", [np.nan, np.inf])
@pytest.mark.parametrize("on", ["all rows", "folds"])
def test_rows_that_are_not_finite(iris, quick, kind, cell, on):
    X, y = iris[0].copy(), iris[1]
    X[17, 2] = cell
    models = some_fitted(quick, iris, {}, {"dtype": "float64"}, {})
    rows = None if on == "all rows" else [np.arange(100)] * 3
    expected = [str(error_alone(model, kind(X), y)) for model in models]
    with unchanged(models), pytest.raises(ValueError, match="Input X contains"):
        fit_population(models, kind(X), y, rows=rows)
    with unchanged(models):
        outcomes = fit_population(models, kind(X), y, rows=rows, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == expected


@pytest.mark.parametrize(
    "params",
    [
        {"sample_weight": -np.ones(150)},
        {"sample_weight": np.ones(149)},
        {"sample_weight": np.zeros(150)},
        {"X_val": np.zeros((5, 4))},
        {"sample_weight_val": np.ones(5)},
        {"X_val": np.zeros((5, 4)), "y_val": np.arange(5)},
        {"X_val": np.zeros((5, 3)), "y_val": np.zeros(5, int)},
        {"y": np.zeros(150)},
        {"y": np.zeros(149)},
        {"y": None},
        {"X": np.zeros((0, 4))},
    ],
)
def test_bad_data_are_bad_for_all(iris, quick, params):
    params = {"X": iris[0], "y": iris[1], **params}
    models = [quick().fit(*iris), quick(), quick(dtype="float64")]
    expected = [str(error_alone(model, **params)) for model in models]
    with unchanged(models):
        outcomes = fit_population(models, **params, return_exceptions=True)
    assert [str(outcome) for outcome in outcomes] == expected
    with unchanged(models), pytest.raises(ValueError, match=re.escape(expected[0])):
        fit_population(models, **params)


def test_weights_are_of_all_rows(iris, quick):
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[100, 150\]"):
        fit_population([quick()], *iris, np.ones(100), rows=[np.arange(100)])


def test_weights_that_are_bad_for_one(iris, quick, assert_same_model):
    X, y = iris
    weights = np.where(y == 2, -1.0, 1.0)
    bad, good = fit_population(
        [quick(), quick()], X, y, weights, rows=[y > 0, y < 2], return_exceptions=True
    )
    assert "sample_weight must not be negative" in str(bad)
    assert_same_model(good, quick().fit(X[y < 2], y[y < 2]))


@pytest.mark.parametrize(
    "bad",
    [
        [0, 1, 150],
        [0, -1, 2],
        [0.0, 1.0],
        [],
        [[0, 1], [2, 3]],
        3,
        None,
        "rows",
        [True] * 149,
        [False] * 150,
        [[True] * 150],
    ],
    ids=lambda bad: str(bad)[:20],
)
@pytest.mark.parametrize("return_exceptions", [False, True])
def test_rows_that_are_none(iris, quick, bad, return_exceptions):
    models = some_fitted(quick, iris, {}, {})
    message = r"rows\[1\] must hold positions from 0 to 149, or be a mask of 150 booleans"
    with unchanged(models), pytest.raises(ValueError, match=message):
        fit_population(
            models, *iris, rows=[np.arange(150), bad], return_exceptions=return_exceptions
        )


@pytest.mark.parametrize("n", [0, 1, 3])
def test_rows_for_each_classifier(iris, quick, n):
    models = some_fitted(quick, iris, {}, {})
    with unchanged(models), pytest.raises(ValueError, match=f"{n} elements for 2 classifiers"):
        fit_population(models, *iris, rows=[np.arange(150)] * n)


@pytest.mark.parametrize("other", [LabelEncoder(), MLPClassifier(), BNSoftmaxClassifier, None])
def test_what_is_no_classifier_is_named(iris, quick, other):
    models = some_fitted(quick, iris, {}, {})
    name = "None" if other is None else getattr(other, "__name__", type(other).__name__)
    with unchanged(models), pytest.raises(TypeError, match=rf"classifiers\[2\].*{name}"):
        fit_population([*models, other], *iris, return_exceptions=True)


# Ctrl-C.


@pytest.mark.parametrize("epoch", [0, 1, 4])
@pytest.mark.parametrize("return_exceptions", [False, True])
def test_an_interrupt_takes_all_of_it_back(iris, quick, monkeypatch, epoch, return_exceptions):
    models = some_fitted(quick, iris, *COMPANY, {"hidden_layer_sizes": (5,)}, {})
    twins = deepcopy(models)
    epochs = []

    def press(*training, train=skbn.lockstep.train):
        for each in train(*training):
            if len(epochs) == epoch:
                raise KeyboardInterrupt
            epochs.append(each)
            yield each

    with monkeypatch.context() as patch:
        patch.setattr(skbn.lockstep, "train", press)
        with unchanged(models), pytest.raises(KeyboardInterrupt):
            fit_population(models, *iris, return_exceptions=return_exceptions)
    for model, twin in zip(fit_population(models, *iris), twins, strict=True):
        np.testing.assert_array_equal(
            model.predict_proba(iris[0]), twin.fit(*iris).predict_proba(iris[0])
        )


@pytest.mark.parametrize("method", ["_training", "_publish"])
def test_an_interrupt_before_or_after_training_takes_all_of_it_back(
    iris, quick, monkeypatch, method
):
    models = some_fitted(quick, iris, {}, {}, {})
    original, calls = getattr(BNSoftmaxClassifier, method), []

    def press(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(BNSoftmaxClassifier, method, press)
    with unchanged(models), pytest.raises(KeyboardInterrupt):
        fit_population(models, *iris)
