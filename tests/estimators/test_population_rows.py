"""Rows, labels and weights of many classifiers fitted in one call."""

import numpy as np
import pandas as pd
import pytest
from population_checks import COMPANY
from scipy import sparse
from sklearn.base import clone
from sklearn.model_selection import KFold

from skbn import fit_population

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("weighted", [False, True])
def test_folds_that_differ_by_a_row(iris, single, assert_as_alone, populations, weighted):
    X, y = iris
    weights = np.linspace(1, 3, len(y)) if weighted else None
    rows = [train for train, _ in KFold(4).split(X)] * 2
    assert {len(each) for each in rows} == {112, 113}
    assert_as_alone([single(random_state=k) for k in range(8)], X, y, weights, rows=rows)
    assert [size for size, _ in populations[:2]] == [4, 4]
    assert {size for size, _ in populations[2:]} == {1}  # the same classifiers alone


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
