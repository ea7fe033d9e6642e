import math
from decimal import Decimal, localcontext
from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import array_shapes, arrays
from network_oracles import (
    WEIGHT_PATTERNS,
    assert_gradients,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    make_weights,
    run,
    slow_loss,
)

from skbn.network.architecture import Architecture
from skbn.network.batches import batch_edges
from skbn.network.inference import TrainedNetwork
from skbn.network.losses import (
    LOSSES,
    CrossEntropy,
    Loss,
    TargetIndices,
    log_mean_probabilities,
    log_softmax,
    softmax,
)
from skbn.training.holdout import Dataset, Holdout

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


# The focal loss.

each_gamma = pytest.mark.parametrize("gamma", [0.0, 0.3, 1.0, 2.0, 5.0])


def focal(logits, labels, weights=None, smoothing=0.0, gamma=2.0):
    """The rows' losses and the gradient."""
    n_members = len(logits)
    hyper = {
        name: np.broadcast_to(value, (n_members, 1)).astype(logits.dtype)
        for name, value in {"label_smoothing": smoothing, "focal_gamma": gamma}.items()
    }
    return losses_of(LOSSES["focal"], logits, np.array(labels), weights, **hyper)


@each_gamma
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
def test_focal_loss_follows_the_equation(pattern, smoothing, gamma):
    logits, labels, weights = small_batch(pattern)
    losses, gradient = focal(logits, labels, weights, smoothing, gamma)
    for k in range(2):
        row_weights = None if weights is None else weights[k]
        expected = slow_loss(logits[k], labels[k], row_weights, smoothing, gamma)
        assert losses[k].mean() == pytest.approx(expected, rel=1e-12)
    assert_gradients(
        lambda: focal(logits, labels, weights, smoothing, gamma)[0].mean(axis=1),
        [logits],
        [gradient],
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
def test_without_gamma_focal_loss_is_cross_entropy_to_the_last_bit(pattern, dtype):
    logits, labels, weights = small_batch(pattern)
    logits, weights = logits.astype(dtype), weights if weights is None else weights.astype(dtype)
    mine = focal(logits, labels, weights, gamma=0.0)
    for one, other in zip(
        mine, losses_of(LOSSES["cross_entropy"], logits, labels, weights), strict=True
    ):
        np.testing.assert_array_equal(one, other, strict=True)


@pytest.mark.parametrize("smoothing", [0.1, 0.9])
def test_with_smoothed_labels_too(smoothing):
    logits, labels, weights = small_batch("random")
    hyper = {"label_smoothing": np.full((2, 1), smoothing)}
    theirs = losses_of(LOSSES["cross_entropy"], logits, labels, weights, **hyper)
    for one, other in zip(focal(logits, labels, weights, smoothing, 0.0), theirs, strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_members_have_their_own_gamma(dtype):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((3, 6, 4)).astype(dtype), rng.integers(4, size=(3, 6))
    gammas, smoothing = np.array([[0.0], [0.5], [2.0]]), np.array([[0.3], [0.0], [0.1]])
    together = focal(logits, labels, None, smoothing, gammas)
    for k in range(3):
        one = slice(k, k + 1)
        alone = focal(logits[one], labels[one], None, smoothing[k], gammas[k])
        for mine, its in zip(together, alone, strict=True):
            np.testing.assert_array_equal(mine[one], its, strict=True)


@each_gamma
@pytest.mark.parametrize("smoothing", [0.0, 0.1])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_focal_loss_of_probabilities_near_zero_and_one(dtype, smoothing, gamma):
    """Against numbers of 50 digits; the powers of zero are where gradients are lost."""
    gaps = np.concatenate([[0.0], np.geomspace(1e-6, 1e3, 19)])
    logits = np.stack([np.zeros_like(gaps), gaps, -gaps], axis=1).astype(dtype)
    for label in range(3):
        labels = np.full((1, len(gaps)), label)
        with np.errstate(all="raise", under="ignore"):
            losses, gradient = focal(logits[None], labels, None, smoothing, gamma)
        tolerance = {"rtol": 2000 * np.finfo(dtype).eps, "atol": 50 * np.finfo(dtype).eps}
        for i, row in enumerate(logits.tolist()):
            loss, slope = exact_focal(row, label, dtype(smoothing).item(), dtype(gamma).item())
            np.testing.assert_allclose(losses[0, i], loss, **tolerance)
            np.testing.assert_allclose(gradient[0, i] * len(gaps), slope, **tolerance)
        if not smoothing:
            hyper = {"focal_gamma": np.full((1, 1), gamma)}
            measured = LOSSES["focal"].measures["loss"](
                logits[None].astype(float), labels[0], hyper
            )
            np.testing.assert_allclose(measured, losses, **tolerance)


def exact_focal(logits, label, smoothing, gamma):
    """The loss of a row and its gradient, by numbers of 50 digits."""
    with localcontext(prec=50):
        n, s, gamma = len(logits), Decimal(smoothing), Decimal(gamma)
        powers = [Decimal(z).exp() for z in logits]
        p = [power / sum(powers) for power in powers]
        others = [sum(powers[:c] + powers[c + 1 :]) / sum(powers) for c in range(n)]
        y = [(1 - s) * (c == label) + s / n for c in range(n)]
        loss = sum(-y[c] * others[c] ** gamma * p[c].ln() for c in range(n))
        slopes = [
            y[c] * others[c] ** gamma * (1 - gamma * p[c] * p[c].ln() / others[c]) for c in range(n)
        ]
        return float(loss), [float(p[c] * sum(slopes) - slopes[c]) for c in range(n)]


# Every entry of the registry.

each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)


def hyper_of(n_members, dtype=np.float64):
    """No label smoothing, and a gamma of its own for each member."""
    gammas = 0.5 + 1.5 * np.arange(n_members)[:, None]
    return {
        "label_smoothing": np.zeros((n_members, 1), dtype),
        "focal_gamma": gammas.astype(dtype),
    }


def losses_of(loss, logits, labels, weights=None, **hyper):
    """The rows' losses as in training, and the gradient."""
    n_members, n_rows, n_outputs = logits.shape
    hyper = {**hyper_of(n_members, logits.dtype), **hyper}
    batch = loss.in_training(n_members, n_rows, n_outputs, hyper)
    batch.logits[...] = logits
    losses = batch(loss.encoder([0, n_rows], n_members)(labels), weights)
    return losses, batch.logits.copy()


def assert_training_lowers_what_is_measured(loss, n_rows):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, n_rows, 4)), rng.integers(4, size=n_rows)
    losses, gradient = losses_of(loss, logits.copy(), np.stack([labels] * 2))
    hyper = hyper_of(2)
    measured = loss.measures["loss"](logits, labels, hyper)
    np.testing.assert_allclose(losses, measured, rtol=1e-12)
    assert_gradients(
        lambda: loss.measures["loss"](logits, labels, hyper).mean(axis=1), [logits], [gradient]
    )


@each_loss
@pytest.mark.parametrize("n_rows", [3, 40])
def test_training_lowers_what_is_measured(loss, n_rows):
    assert_training_lowers_what_is_measured(loss, n_rows)


@each_loss
def test_weights_multiply_the_losses_and_the_gradients_of_rows(loss):
    rng = np.random.default_rng(0)
    logits, labels = rng.standard_normal((2, 6, 4)), rng.integers(4, size=(2, 6))
    weights = make_weights("random", 2, 6)
    plain, weighted = losses_of(loss, logits, labels), losses_of(loss, logits, labels, weights)
    np.testing.assert_allclose(weighted[0], plain[0] * weights, rtol=1e-12)
    np.testing.assert_allclose(weighted[1], plain[1] * weights[..., None], rtol=1e-12)


@each_loss
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_an_epoch_is_encoded_at_once_as_batch_by_batch(loss, dtype):
    rng, edges = np.random.default_rng(0), batch_edges(50, 7, normalised=False)
    logits, labels = rng.standard_normal((2, 50, 3)).astype(dtype), rng.integers(3, size=(2, 50))
    targets = loss.encoder(edges, 2)(labels)
    hyper = hyper_of(2, dtype)
    for start, end in pairwise(edges):
        batch = loss.in_training(2, end - start, 3, hyper)
        batch.logits[...] = logits[:, start:end]
        together = batch(targets[:, start:end], None)
        alone, gradient = losses_of(loss, logits[:, start:end], labels[:, start:end])
        np.testing.assert_array_equal(together, alone)
        np.testing.assert_array_equal(batch.logits, gradient)
        assert together.dtype == dtype


@each_loss
def test_logarithms_of_probabilities(loss):
    logits = 5 * np.random.default_rng(0).standard_normal((3, 4, 5))
    probabilities = loss.probabilities(logits)
    np.testing.assert_allclose(np.exp(loss.log_probabilities(logits)), probabilities, rtol=1e-12)
    np.testing.assert_allclose(probabilities.sum(axis=-1), 1, rtol=1e-12)


# An entry of one's own.


def brier(logits, labels, hyper=None):
    """Squared distance of the probabilities from the label's."""
    distance = softmax(logits) - (labels[..., None] == np.arange(logits.shape[-1]))
    return (distance**2).sum(axis=-1)


class BrierScore:
    """The same in training."""

    def __init__(self, n_members, n_rows, n_outputs, hyper):
        self.logits = np.empty((n_members, n_rows, n_outputs), hyper["label_smoothing"].dtype)

    def __call__(self, targets, weights):
        losses, p = brier(self.logits, targets), softmax(self.logits)
        slope = 2 * (p - (targets[..., None] == np.arange(p.shape[-1])))
        d = p * (slope - (p * slope).sum(axis=-1, keepdims=True)) / p.shape[1]
        self.logits[...] = d if weights is None else d * weights[..., None]
        return losses if weights is None else losses * weights


@pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
def test_a_new_entry_is_all_that_another_loss_takes(monkeypatch, pattern):
    links = softmax, log_softmax, log_mean_probabilities
    score = Loss(BrierScore, lambda edges, K: lambda labels: labels, {"loss": brier}, *links)
    monkeypatch.setitem(LOSSES, "brier", score)
    assert_training_lowers_what_is_measured(score, 10)
    data = make_data(120, weights=make_weights(pattern, 1, 120))
    architecture = Architecture(5, (8,), 3, loss="brier")
    state, hyper = make_state(architecture), make_hyper({"learning_rate_init": 0.3})
    epochs = run(10, architecture, make_settings(), hyper, state, data)
    assert epochs[-1].loss[0] < 0.9 * epochs[0].loss[0]
    network = TrainedNetwork(architecture, state.theta, hyper["bn_epsilon"])
    holdout = Holdout(np.arange(40)).score(Dataset(data.x, data.labels), network, hyper)
    expected = brier(network.logits(data.x[:40])[0], data.labels[:40]).mean()
    assert holdout == {"loss": pytest.approx(expected, rel=1e-12)}
