"""The temperature by which logits are divided, and several networks as one."""

import pickle

import numpy as np
import pytest
from scipy.special import log_softmax, logsumexp, softmax
from temperature_oracle import best_temperature

from skbn.network.architecture import Architecture
from skbn.network.inference import TrainedNetwork
from skbn.network.losses import log_mean_probabilities
from skbn.training.ensemble import Ensemble, fit_temperature


def rows_held_out(seed, n_rows, n_classes, scale, share_wrong=0.3, weighted=False):
    """Logits whose largest is that of the label, but for some rows."""
    stream = np.random.default_rng(seed)
    logits = (scale * stream.normal(size=(n_rows, n_classes))).astype(np.float32)
    labels = logits.argmax(axis=1)
    wrong = stream.random(n_rows) < share_wrong
    labels[wrong] = (labels[wrong] + 1) % n_classes
    return logits, labels, stream.uniform(0.1, 7, n_rows) if weighted else np.ones(n_rows)


@pytest.mark.parametrize(
    "held_out",
    [
        pytest.param([rows_held_out(0, 50, 2, 3.0)], id="two classes"),
        pytest.param([rows_held_out(0, 200, 7, 0.3)], id="too modest"),
        pytest.param([rows_held_out(0, 200, 7, 30.0)], id="too sure"),
        pytest.param([rows_held_out(0, 60, 3, 5.0, weighted=True)], id="weights"),
        pytest.param(
            [rows_held_out(0, 60, 3, 5.0), rows_held_out(1, 20, 3, 2.0, weighted=True)],
            id="two members",
        ),
        pytest.param([rows_held_out(0, 1, 3, 5.0)], id="one row"),
        pytest.param([rows_held_out(0, 40, 3, 2.0, share_wrong=1.0)], id="all wrong"),
        pytest.param([rows_held_out(0, 40, 3, 2.0, share_wrong=0.0)], id="separable"),
    ],
)
def test_the_temperature_is_the_best_one(held_out):
    assert fit_temperature(held_out) == pytest.approx(best_temperature(held_out), rel=3e-3)


def test_without_rows_the_temperature_is_one():
    assert fit_temperature([]) == 1.0


@pytest.mark.parametrize("share_wrong", [0.0, 0.5, 1.0])
@pytest.mark.parametrize("scale", [0.0, 1e-30, 1e5, 1e37])
def test_extreme_logits_have_a_temperature(scale, share_wrong):
    temperature = fit_temperature([rows_held_out(0, 30, 3, scale, share_wrong)])
    assert np.exp(-6) <= temperature <= np.exp(6)


@pytest.mark.parametrize("scale", [0.0, 1.0, 1000.0])
@pytest.mark.parametrize("n_members", [1, 2, 5])
def test_probabilities_are_averaged(n_members, scale):
    logits = scale * np.random.default_rng(0).choice([-1.0, 0.5, 1.0], (n_members, 40, 3))
    with np.errstate(all="raise", under="ignore"):
        expected = softmax(logits, axis=2).mean(axis=0)
        in_logarithms = logsumexp(log_softmax(logits, axis=2), axis=0) - np.log(n_members)
    with np.errstate(all="raise"):
        combined = log_mean_probabilities(logits)
    np.testing.assert_allclose(softmax(combined, axis=1), expected, atol=1e-15)
    np.testing.assert_allclose(log_softmax(combined, axis=1), in_logarithms, rtol=1e-12, atol=1e-12)


# Networks that are folded once.


@pytest.fixture
def ensemble():
    """Two networks of two layers, drawn and not trained."""
    architecture = Architecture(5, (4, 3), 3)
    draws = [np.random.default_rng(seed) for seed in range(2)]
    shape = 1, architecture.layout.size
    thetas = [draw.uniform(0.5, 1.5, shape).astype(np.float32) for draw in draws]
    return Ensemble([TrainedNetwork(architecture, t, np.full((1, 1), 1e-5)) for t in thetas])


def test_what_was_folded_is_not_pickled(ensemble):
    before = pickle.dumps(ensemble)
    expected = ensemble.logits(np.ones((1, 5)))
    assert pickle.dumps(ensemble) == before
    np.testing.assert_array_equal(pickle.loads(before).logits(np.ones((1, 5))), expected)


def test_networks_are_folded_once_in_each_dtype(ensemble):
    folded = {dtype: ensemble.folded(np.dtype(dtype)) for dtype in ("float32", "float64")}
    for dtype, network in folded.items():
        assert network.steps[0].weights.dtype == dtype
        assert ensemble.folded(np.dtype(dtype)) is network
    values = ensemble.networks[0].arrays("weights")
    values[0][0, 0] *= -1
    for dtype in folded:
        network = ensemble.folded(np.dtype(dtype))
        np.testing.assert_array_equal(
            network.steps[0].weights[0, 0, 0], -folded[dtype].steps[0].weights[0, 0, 0]
        )
        assert ensemble.folded(np.dtype(dtype)) is network
