"""Copies of a classifier with other moments or other class priors, and the priors of training."""

import pickle
from copy import deepcopy

import joblib
import numpy as np
import pytest
from scipy.sparse import csr_array
from sklearn.exceptions import NotFittedError
from sklearn.utils.class_weight import compute_class_weight

from skbn import BNSoftmaxClassifier, fit_population
from skbn.estimators.adapted import (
    auto_prior_rows,
    blend,
    layer_moments_of,
    with_class_prior,
    with_moments,
)

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(240, 4))
Y = np.array(["c", "a", "b"])[np.digitize(X[:, 0], [-0.5, 0.7])]
SHARES = np.array([np.mean(label == Y) for label in "abc"])
NEW_PRIOR = np.array([0.2, 0.5, 0.3])


def small(**parameters):
    quick = {"hidden_layer_sizes": (6, 5), "max_iter": 3, "random_state": 0}
    return BNSoftmaxClassifier(**(quick | parameters))


@pytest.fixture(scope="module")
def model():
    return small().fit(X, Y)


def state_of(model):
    return pickle.dumps(model)


# Priors of training.


def test_class_prior_is_how_the_loss_weighs_the_classes():
    np.testing.assert_allclose(small().fit(X, Y).class_prior_, SHARES, rtol=1e-12)
    weights = STREAM.integers(0, 4, len(X))
    repeated = small().fit(np.repeat(X, weights, axis=0), np.repeat(Y, weights))
    weighted = small().fit(X, Y, sample_weight=weights)
    np.testing.assert_allclose(weighted.class_prior_, repeated.class_prior_, rtol=1e-6)
    balanced = small(class_weight="balanced").fit(X, Y)
    np.testing.assert_allclose(balanced.class_prior_, np.full(3, 1 / 3), rtol=1e-6)
    per_class = compute_class_weight("balanced", classes=np.array([*"abc"]), y=Y)
    by_dict = small(class_weight=dict(zip("abc", per_class, strict=True))).fit(X, Y)
    np.testing.assert_allclose(by_dict.class_prior_, np.full(3, 1 / 3), rtol=1e-6)


def test_class_prior_of_a_population_and_of_a_softmax_regression():
    alone, (in_company, other) = small().fit(X, Y), fit_population([small(), small()], X, Y)
    for each in (in_company, other):
        np.testing.assert_array_equal(each.class_prior_, alone.class_prior_)
    regression = small(hidden_layer_sizes=()).fit(X, Y)
    np.testing.assert_allclose(regression.class_prior_, SHARES, rtol=1e-12)


def test_class_prior_is_a_mean_over_epochs():
    model = small(learning_rate="constant").fit(X, Y)
    first = X[:60], Y[:60]
    shares = np.array([np.mean(first[1] == label) for label in "abc"])
    model.partial_fit(*first)
    np.testing.assert_allclose(model.class_prior_, (3 * SHARES + shares) / 4, rtol=1e-12)
    only_a = Y == "a"
    fresh = small(learning_rate="constant").partial_fit(X[only_a], Y[only_a], classes=[*"abc"])
    np.testing.assert_array_equal(fresh.class_prior_, [1, 0, 0])
    fresh.partial_fit(X, Y)
    np.testing.assert_allclose(fresh.class_prior_, (np.eye(3)[0] + SHARES) / 2, rtol=1e-12)
    going_on = small(warm_start=True).fit(X, Y)
    going_on.set_params(max_iter=6).fit(*first)
    np.testing.assert_allclose(going_on.class_prior_, (SHARES + shares) / 2, rtol=1e-12)


def test_without_a_fit_there_is_no_class_prior(model):
    assert not hasattr(small(), "class_prior_")
    with pytest.raises(NotFittedError):
        _ = small().class_prior_
    old = deepcopy(model).set_params(learning_rate="constant")
    old._progress[0].class_totals = None  # as of a pickle of an earlier version
    assert not hasattr(old, "class_prior_")
    with pytest.raises(AttributeError, match="saved by a version of skbn without it"):
        _ = old.class_prior_
    old.partial_fit(X, Y)
    np.testing.assert_allclose(old.class_prior_, SHARES, rtol=1e-12)


# Other priors.


@pytest.mark.parametrize("n_members", [1, 2, 3])
def test_corrected_probabilities_are_those_of_bayes(n_members):
    model = small(n_members=n_members).fit(X, Y)
    corrected = with_class_prior(model, NEW_PRIOR)
    expected = model.predict_proba(X) * NEW_PRIOR / SHARES
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected.predict_proba(X), expected, rtol=1e-12)
    np.testing.assert_allclose(corrected.predict_log_proba(X), np.log(expected), rtol=1e-10)
    np.testing.assert_array_equal(corrected.predict(X), model.classes_[expected.argmax(axis=1)])
    difference = corrected.decision_function(X) - model.decision_function(X)
    np.testing.assert_allclose(difference, np.tile(np.log(NEW_PRIOR / SHARES), (240, 1)), atol=1e-9)
    np.testing.assert_allclose(corrected.class_prior_, NEW_PRIOR, rtol=1e-12)


def test_corrections_are_undone_and_travel(model):
    interval = np.column_stack([NEW_PRIOR - 0.1, NEW_PRIOR + 0.1])
    corrected = with_class_prior(model, NEW_PRIOR, interval)
    np.testing.assert_array_equal(corrected.class_prior_interval_, interval)
    back = with_class_prior(corrected, SHARES)
    np.testing.assert_allclose(back.predict_proba(X), model.predict_proba(X), rtol=1e-12)
    for copy in (pickle.loads(pickle.dumps(corrected)), deepcopy(corrected)):
        np.testing.assert_array_equal(copy.predict_proba(X), corrected.predict_proba(X))
        np.testing.assert_array_equal(copy.class_prior_interval_, interval)
        np.testing.assert_allclose(copy.class_prior_, NEW_PRIOR, rtol=1e-12)


def test_the_next_fit_drops_a_correction(model):
    for train in ("fit", "partial_fit"):
        corrected = with_class_prior(model, NEW_PRIOR, np.zeros((3, 2)))
        getattr(corrected.set_params(learning_rate="constant"), train)(X, Y)
        np.testing.assert_allclose(corrected.class_prior_, SHARES, rtol=1e-12)
        assert not hasattr(corrected, "class_prior_interval_")


def test_a_class_that_was_never_met_stays_so():
    only = Y != "b"
    model = small().partial_fit(X[only], Y[only], classes=[*"abc"])
    corrected = with_class_prior(model, [0.9, 0.0, 0.1])
    ratio = np.array([0.9 / model.class_prior_[0], 1, 0.1 / model.class_prior_[2]])
    expected = model.predict_proba(X) * ratio
    expected /= expected.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected.predict_proba(X), expected, rtol=1e-12)


@pytest.mark.parametrize("ratio", [[0.0] * 3, np.zeros(2), np.full(3, np.nan), np.full(3, 1e3)])
def test_a_pickle_with_another_ratio_is_refused(model, ratio):
    state = with_class_prior(model, NEW_PRIOR).__getstate__()
    state["_log_prior_ratio"] = ratio
    with pytest.raises(ValueError, match="ratio of class priors that skbn has not written"):
        BNSoftmaxClassifier().__setstate__(state)


# Other moments.


@pytest.mark.parametrize("prior_rows", ["auto", 0, 7.5])
def test_a_copy_of_other_moments_leaves_the_model_as_it_was(model, prior_rows):
    before = state_of(model)
    copy, layers = with_moments(model, X * 2 + 1, prior_rows)
    assert state_of(model) == before
    assert [each["layer"] for each in layers] == [1, 2]
    assert np.all(copy.bn_mean_[0] != model.bn_mean_[0])
    for a, b in zip(copy.coefs_, model.coefs_, strict=True):
        np.testing.assert_array_equal(a, b)
    assert copy.temperature_ == model.temperature_
    again = pickle.loads(pickle.dumps(copy))
    np.testing.assert_array_equal(again.predict_proba(X), copy.predict_proba(X))
    np.testing.assert_array_equal(copy.class_prior_, model.class_prior_)


def test_moments_are_weighted_by_rows(model):
    new = layer_moments_of(model, X + 1)
    copy, _ = with_moments(model, X + 1, prior_rows=60)
    (mean, var), n = new[0], len(X)
    expected = (60 * model.bn_mean_[0] + n * mean[0, 0]) / (60 + n)
    np.testing.assert_allclose(copy.bn_mean_[0], expected, rtol=1e-5, atol=1e-6)
    expected = (60 * model.bn_var_[0] + n * var[0, 0]) / (60 + n)
    np.testing.assert_allclose(copy.bn_var_[0], expected, rtol=1e-5)


def test_a_shift_and_a_common_scale_of_the_inputs_are_undone(model):
    unchanged, _ = with_moments(small(dtype="float64", bn_epsilon=1e-12).fit(X, Y), X, 0)
    changed, _ = with_moments(unchanged, 3 * X + [1, -2, 5, 0], 0)
    found = changed.predict_proba(3 * X + [1, -2, 5, 0])
    np.testing.assert_allclose(found, unchanged.predict_proba(X), atol=1e-9)


def test_all_members_and_later_training_have_the_moments(model):
    copy, _ = with_moments(model, X + 1, 0)
    alone, _ = with_moments(small(n_members=1, calibrate=False).fit(X, Y), X + 1, 0)
    np.testing.assert_array_equal(copy.bn_mean_[1], alone.bn_mean_[1])
    sparse, _ = with_moments(model, csr_array(X + 1), 0)
    np.testing.assert_allclose(sparse.predict_proba(X), copy.predict_proba(X), atol=1e-6)
    copy.set_params(learning_rate="constant").partial_fit(X + 1, Y)
    assert copy.n_iter_ == model.n_iter_ + 1


def test_rows_too_large_and_wrong_rows_are_refused(model):
    with pytest.raises(ValueError, match=r"moments of hidden layer 1 are not finite.*Scale"):
        with_moments(model, X * 1e300)
    with pytest.raises(ValueError, match="features"):
        with_moments(model, X[:, :3])
    with pytest.raises(NotFittedError):
        with_moments(small(), X)


def test_automatic_rows_keep_what_did_not_move_and_leave_what_did():
    stream = np.random.default_rng(1)
    mean, var = np.zeros(400), np.ones(400)
    for n, move in ((32, 0.0), (1000, 0.0), (100, 0.4), (1000, 0.3)):
        z = stream.normal(size=(n, 400)) + move * stream.normal(size=400)
        rows = auto_prior_rows(mean, var, z.mean(axis=0), z.var(axis=0), n)
        if move:
            np.testing.assert_allclose(rows, 2 / move**2, rtol=0.25)  # variances did not move
        else:
            assert rows > 5 * n
    assert auto_prior_rows(mean, var, mean + 9, var, 999) == 8
    assert auto_prior_rows(mean, 0 * var, mean, var, 9) == pytest.approx(1e9)
    assert blend(1.0, 3.0, 30, 10) == 2.5


def test_a_corrected_model_may_be_a_memory_map(model, tmp_path):
    corrected = with_class_prior(model, NEW_PRIOR)
    joblib.dump(corrected, tmp_path / "model.joblib")
    mapped = joblib.load(tmp_path / "model.joblib", mmap_mode="r")
    np.testing.assert_array_equal(mapped.predict_proba(X), corrected.predict_proba(X))


def test_moments_that_float32_cannot_hold_are_refused(model):
    with pytest.raises(ValueError, match="moments of hidden layer 1 are not finite"):
        with_moments(model, X * 1e25, 0)
