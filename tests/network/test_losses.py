import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from network_oracles import WEIGHT_PATTERNS, assert_gradients, make_weights, slow_loss

from skbn.network.losses import CrossEntropy, TargetIndices, log_softmax, softmax

steady = settings(derandomize=True, deadline=None, max_examples=50)


def logit_arrays(largest):
    shapes = array_shapes(min_dims=1, max_dims=3, min_side=1, max_side=6)
    return arrays(np.float64, shapes, elements=st.floats(-largest, largest))


def cross_entropy(logits, labels, weights=None, smoothing=0.0):
    """Give the mean loss of each member and the gradient at its logits."""
    logits, labels = np.array(logits), np.array(labels)
    n_members, n_rows, n_classes = logits.shape
    label_smoothing = np.broadcast_to(smoothing, (n_members, 1)).astype(logits.dtype)
    hyper = {"label_smoothing": label_smoothing}
    entropy = CrossEntropy(n_members, n_rows, n_classes, hyper)
    entropy.logits[...] = logits
    losses = entropy(TargetIndices([0, n_rows], n_members)(labels), weights)
    return losses.mean(axis=1), entropy.logits.copy()


def test_softmax_example_of_the_course():
    probabilities = softmax(np.array([5.0, 2.0, -1.0, 3.0]))
    np.testing.assert_array_equal(probabilities.round(3), [0.842, 0.042, 0.002, 0.114])


def test_loss_example_of_the_course():
    logits = np.log([[[0.3, 0.2, 0.1, 0.4]]])
    loss, _ = cross_entropy(logits, [[1]])
    assert loss[0] == pytest.approx(-math.log(0.2))


@steady
@given(logit_arrays(100), st.floats(-100, 100))
def test_a_shift_of_all_logits_changes_nothing(logits, shift):
    np.testing.assert_allclose(softmax(logits + shift), softmax(logits), rtol=1e-11, atol=1e-300)
    np.testing.assert_allclose(log_softmax(logits + shift), log_softmax(logits), atol=1e-11)


@steady
@given(logit_arrays(1e6))
def test_probabilities_sum_to_one(logits):
    probabilities = softmax(logits)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-14)
    assert (probabilities >= 0).all()


@steady
@given(logit_arrays(1e6))
def test_log_softmax_is_the_logarithm_and_finite(logits):
    log_probabilities = log_softmax(logits)
    assert np.isfinite(log_probabilities).all()
    np.testing.assert_allclose(np.exp(log_probabilities), softmax(logits), atol=1e-15, rtol=1e-9)


@steady
@given(logit_arrays(1e6))
def test_softmax_leaves_its_input_alone(logits):
    before = logits.copy()
    softmax(logits)
    log_softmax(logits)
    np.testing.assert_array_equal(logits, before)


def small_batch(pattern):
    """Logits, labels and weights of two members with six rows."""
    rng = np.random.default_rng(0)
    logits, labels = 3 * rng.standard_normal((2, 6, 4)), rng.integers(4, size=(2, 6))
    return logits, labels, make_weights(pattern, 2, 6)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
def test_loss_follows_the_equation(pattern, smoothing):
    logits, labels, weights = small_batch(pattern)
    loss, _ = cross_entropy(logits, labels, weights, smoothing)
    for k in range(2):
        row_weights = None if weights is None else weights[k]
        expected = slow_loss(logits[k], labels[k], row_weights, smoothing)
        assert loss[k] == pytest.approx(expected, rel=1e-13)


@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
def test_gradient(pattern, smoothing):
    logits, labels, weights = small_batch(pattern)
    _, gradient = cross_entropy(logits, labels, weights, smoothing)
    assert_gradients(
        lambda: cross_entropy(logits, labels, weights, smoothing)[0], [logits], [gradient]
    )


def test_members_have_their_own_smoothing():
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 6, 4)), rng.integers(4, size=(2, 6))
    loss, gradient = cross_entropy(logits, labels, smoothing=np.array([[0.0], [0.3]]))
    for k, smoothing in enumerate([0.0, 0.3]):
        one = slice(k, k + 1)
        expected_loss, expected = cross_entropy(logits[one], labels[one], None, smoothing)
        np.testing.assert_array_equal(loss[one], expected_loss)
        np.testing.assert_array_equal(gradient[one], expected)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_huge_logits_give_finite_loss_and_gradient(dtype):
    logits = np.array([[[1e6, -1e6, 0], [-1e6, 1e6, 1e6]]], dtype)
    loss, gradient = cross_entropy(logits, [[1, 2]], smoothing=0.1)
    assert gradient.dtype == dtype
    assert np.isfinite(loss).all()
    assert np.isfinite(gradient).all()
    assert loss[0] > 1e5
