"""Weights of rows and of classes."""

from contextlib import nullcontext
from itertools import combinations

import numpy as np
import pytest
from sklearn.utils.class_weight import compute_class_weight, compute_sample_weight


def test_integer_weights_are_repetitions(iris, steady, learned):
    X, y = iris
    times = np.random.default_rng(0).integers(0, 4, len(y))
    weighted = steady().fit(X, y, sample_weight=times)
    repeated = steady().fit(np.repeat(X, times, axis=0), np.repeat(y, times))
    for one, other in zip(learned(weighted), learned(repeated), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)
    assert weighted.loss_ == pytest.approx(repeated.loss_, rel=1e-9)


@pytest.mark.parametrize("early_stopping", [False, True])
def test_rows_of_weight_zero_are_left_out(iris, quick, assert_same_model, early_stopping):
    X, y = iris
    weights = np.random.default_rng(0).integers(0, 3, len(y))
    kept = weights > 0
    weighted = quick(early_stopping=early_stopping).fit(X, y, sample_weight=weights)
    without = quick(early_stopping=early_stopping).fit(X[kept], y[kept], weights[kept])
    assert_same_model(weighted, without)


def test_zero_and_one_as_weights_select_rows(iris, quick, assert_same_model):
    X, y = iris
    kept = np.arange(len(y)) % 3 > 0
    assert_same_model(quick().fit(X, y, kept.astype(float)), quick().fit(X[kept], y[kept]))


@pytest.mark.parametrize("constant", [1, 0.1, 1e30, 1e-30])
def test_equal_weights_are_none(iris, quick, assert_same_model, constant):
    X, y = iris
    weighted = quick().fit(X, y, sample_weight=np.full(len(y), constant))
    assert_same_model(weighted, quick().fit(X, y))


def test_one_weight_for_all_rows_is_none(iris, quick, assert_same_model):
    assert_same_model(quick().fit(*iris, sample_weight=2.0), quick().fit(*iris))


@pytest.mark.parametrize("scale", [1024.0, 2.0**-1000, 2.0**1020])
def test_only_ratios_of_weights_matter(iris, quick, assert_same_model, scale):
    X, y = iris
    weights = np.random.default_rng(0).uniform(1, 2, len(y))
    assert_same_model(quick().fit(X, y, weights), quick().fit(X, y, weights * scale))


@pytest.mark.parametrize("scale", [1024.0, 2.0**-1000, 2.0**1020])
def test_only_ratios_of_class_weights_matter(iris, quick, assert_same_model, scale):
    weights = {0: 1.3, 1: 2.0, 2: 3.7}
    scaled = {label: weight * scale for label, weight in weights.items()}
    one, other = (quick(class_weight=each).fit(*iris) for each in (weights, scaled))
    assert_same_model(one, other)


def test_a_class_whose_rows_weigh_next_to_nothing_is_none_to_balance(
    iris, quick, assert_same_model
):
    X, y = iris
    models = [
        quick(class_weight="balanced").fit(X, y, np.where(y == 0, weight, 1))
        for weight in (0, 1e-320)
    ]
    assert_same_model(*models)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_weights_may_be_minute(iris, quick, dtype):
    # Boosting makes such weights; some batches hold nothing else.
    X, y = iris
    weights = np.where(y == 0, 1e-60, 1.0)
    model = quick(batch_size=2, dtype=dtype, max_iter=10).fit(X, y, sample_weight=weights)
    assert model.score(X[y > 0], y[y > 0]) > 0.7


# Weights of classes: what errors cost, beside how many rows there are.


@pytest.mark.parametrize("early_stopping", [False, True])
def test_class_weights_are_sample_weights_without_batch_norm(
    iris, quick, assert_same_model, early_stopping
):
    X, y = iris
    how = {"batch_norm": False, "early_stopping": early_stopping}
    model = quick(class_weight={0: 0.5, 2: 4}, **how).fit(X, y)
    assert_same_model(model, quick(**how).fit(X, y, np.array([0.5, 1, 4])[y]))


def test_class_weights_multiply_sample_weights(iris, quick, assert_same_model):
    X, y = iris
    names = np.array(["a", "b", "c"])[y]
    weights = np.random.default_rng(0).uniform(1, 2, len(y))
    model = quick(class_weight={"b": 4.0}, batch_norm=False).fit(X, names, weights)
    products = np.where(y == 1, 4 * weights, weights)
    assert_same_model(model, quick(batch_norm=False).fit(X, names, products))


def test_balanced_weights_are_those_of_scikit_learn(iris, steady, learned):
    X, y = iris[0][y_rows(iris[1])], iris[1][y_rows(iris[1])]
    balanced = steady(class_weight="balanced", batch_norm=False).fit(X, y)
    by_row = steady(batch_norm=False).fit(X, y, compute_sample_weight("balanced", y))
    for one, other in zip(learned(balanced), learned(by_row), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def y_rows(y):
    """All rows of class 2, half of class 1, few of class 0."""
    return np.r_[np.flatnonzero(y == 2), np.flatnonzero(y == 1)[:25], np.flatnonzero(y == 0)[:5]]


def test_balanced_counts_sample_weights(iris, steady, learned):
    # A class given half the weight of the others gets it back.
    X, y = iris
    weights = np.where(y == 1, 0.5, 1.0)
    balanced = steady(class_weight="balanced", batch_norm=False).fit(X, y, weights)
    unweighted = steady(batch_norm=False).fit(X, y)
    for one, other in zip(learned(balanced), learned(unweighted), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("weighted", [False, True])
def test_moments_take_sample_weights_and_not_those_of_classes(iris, steady, weighted):
    X, y = iris
    weights = np.random.default_rng(0).uniform(1, 2, len(y)) if weighted else None
    model = steady(class_weight={0: 9.0}, max_iter=1, learning_rate_init=1e-300)
    model.fit(X, y, sample_weight=weights)
    z = X @ model.coefs_[0]
    mean = np.average(z, axis=0, weights=weights)
    np.testing.assert_allclose(model.bn_mean_[0], mean, atol=1e-12)
    var = np.average((z - mean) ** 2, axis=0, weights=weights)
    np.testing.assert_allclose(model.bn_var_[0], var, rtol=1e-12)


def test_a_row_of_weight_two_is_two_rows_with_class_weights_too(iris, steady, learned):
    X, y = iris
    times = np.random.default_rng(0).integers(0, 4, len(y))
    twice = np.repeat(X, times, axis=0), np.repeat(y, times)
    for class_weight in ({0: 3.0}, "balanced"):
        weighted = steady(class_weight=class_weight).fit(X, y, sample_weight=times)
        repeated = steady(class_weight=class_weight).fit(*twice)
        for one, other in zip(learned(weighted), learned(repeated), strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-9, atol=1e-9)


def test_rows_of_classes_of_weight_zero_are_left_out(iris, quick, assert_same_model):
    X, y = iris
    weighted = quick(class_weight={1: 0.0}).fit(X, y)
    assert_same_model(weighted, quick().fit(X, y, sample_weight=y != 1))


def test_weights_alike_for_all_classes_are_none(iris, quick, assert_same_model):
    X, y = iris
    weights = np.random.default_rng(0).uniform(1, 2, len(y))
    alike = quick(class_weight=dict.fromkeys(range(3), 3.0), batch_size="auto")
    assert_same_model(alike.fit(X, y, weights), quick(batch_size="auto").fit(X, y, weights))


@pytest.mark.parametrize("n_rare", [20, 200, 2000])
def test_automatic_batches_are_of_the_effective_number_of_rows(quick, assert_same_model, n_rare):
    """(sum of weights)^2 / (sum of their squares): Kish 1965."""
    y = np.arange(4000) < n_rare
    X = np.random.default_rng(0).normal(size=(len(y), 2))
    weights = compute_sample_weight("balanced", y)
    n_effective = round(weights.sum() ** 2 / (weights**2).sum())
    how = {"class_weight": "balanced", "max_iter": 1}
    by_hand = quick(batch_size=min(128, max(32, n_effective // 20)), **how).fit(X, y)
    assert_same_model(quick(batch_size="auto", **how).fit(X, y), by_hand)


@pytest.mark.parametrize(
    "keys", [keys for n in range(5) for keys in combinations((0, 1, 2, 7), n)], ids=str
)
def test_class_weights_of_other_classes_are_errors_where_scikit_learn_has_one(iris, quick, keys):
    """A fold may lack a class that has a weight."""
    X, y = iris
    class_weight = {key: 1.0 + key for key in keys}
    expected = nullcontext()
    try:
        compute_class_weight(class_weight, classes=np.unique(y), y=y)
    except ValueError:
        expected = pytest.raises(ValueError, match=r"class_weight names .*and has no weight for")
    with expected:
        quick(class_weight=class_weight).fit(X, y)
    two, of_two = y < 2, {0: 1.0, 1: 2.0}
    if set(keys) >= set(of_two):
        fitted = quick(class_weight=class_weight).fit(X[two], y[two])
        alone = quick(class_weight=of_two).fit(X[two], y[two])
        np.testing.assert_array_equal(fitted.predict_proba(X), alone.predict_proba(X))
