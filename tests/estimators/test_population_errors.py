"""Classifiers that cannot be fitted in one call with others, and interrupts."""

import re
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from population_checks import COMPANY, error_alone, unchanged
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import LabelEncoder

from skbn import BNSoftmaxClassifier, fit_population
from skbn.estimators import population
from skbn.estimators.fitting import Fit
from skbn.network.epochs import train
from skbn.network.optimizers import OPTIMIZERS
from skbn.training import lockstep

pytestmark = pytest.mark.slow

DIVERGING = {"learning_rate_init": 1e30}


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

    def press(*training, train=train):
        for each in train(*training):
            if len(epochs) == epoch:
                raise KeyboardInterrupt
            epochs.append(each)
            yield each

    with monkeypatch.context() as patch:
        patch.setattr(lockstep, "train", press)
        with unchanged(models), pytest.raises(KeyboardInterrupt):
            fit_population(models, *iris, return_exceptions=return_exceptions)
    for model, twin in zip(fit_population(models, *iris), twins, strict=True):
        np.testing.assert_array_equal(
            model.predict_proba(iris[0]), twin.fit(*iris).predict_proba(iris[0])
        )


@pytest.mark.parametrize(
    ("owner", "method"),
    [
        (population, "plan_fit"),
        (Fit, "outcome"),
        (population, "attributes_after"),
        (BNSoftmaxClassifier, "_set_attributes"),
    ],
)
def test_an_interrupt_before_or_after_training_takes_all_of_it_back(
    iris, quick, monkeypatch, owner, method
):
    models = some_fitted(quick, iris, {}, {}, {})
    original, calls = getattr(owner, method), []

    def press(*args, **kwargs):
        calls.append(args)
        if len(calls) == 3:
            raise KeyboardInterrupt
        return original(*args, **kwargs)

    monkeypatch.setattr(owner, method, press)
    with unchanged(models), pytest.raises(KeyboardInterrupt):
        fit_population(models, *iris)
