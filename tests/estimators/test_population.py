"""Many classifiers fitted in one call: each as it would be alone, to the last bit."""

import pickle

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from population_checks import COMPANY, error_alone, unchanged
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import KFold, StratifiedKFold

from skbn import fit_population
from skbn.estimators import population
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.losses import LOSSES
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES
from skbn.training.lockstep import run_together

pytestmark = pytest.mark.slow

KINDS = [
    {"solver": "sgd"},
    {"solver": "sgd", "nesterovs_momentum": False},
    {"solver": "rmsprop", "learning_rate": "exponential"},
    {"solver": "adamw", "learning_rate": "one_cycle", "warmup_fraction": 0.2},
    {"hidden_layer_sizes": (9, 5), "activation": "gelu", "initializer": "glorot"},
    {"hidden_layer_sizes": (9, 5), "activation": ["relu", "tanh"]},
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


def test_those_that_share_a_random_state_draw_from_it_in_turn(iris, quick, assert_same_model):
    together, alone = np.random.RandomState(3), np.random.RandomState(3)
    fitted = fit_population([quick(random_state=together, dropout=0.1) for _ in range(3)], *iris)
    for model in fitted:
        assert_same_model(model, quick(random_state=alone, dropout=0.1).fit(*iris))


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
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
        "loss": draw(kind(["cross_entropy", *LOSSES])),
        "focal_gamma": draw(kind([0.0, 0.7, 2.0])),
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
    assert {size for size, _ in populations} == {1}


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

    def watch(tasks, memory_budget):
        tasks = list(tasks)
        tables.extend(dataset.validation.x for _, dataset, _ in tasks)
        run_together(tasks, memory_budget=memory_budget)

    monkeypatch.setattr(population, "run_together", watch)
    fit_population([quick(random_state=k) for k in range(3)], *iris, X_val=iris[0], y_val=iris[1])
    assert len(tables) == 6  # two networks each
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
    populations.clear()
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
