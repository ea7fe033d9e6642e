"""What the tests of the core share: slow oracles, finite differences, small populations."""

import math

import numpy as np
import pytest

from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture
from skbn.network.epochs import Data, Settings, stack_hyperparameters, train
from skbn.network.network import Network
from skbn.network.optimizers import NESTEROV, OPTIMIZERS
from skbn.network.state import initial_state

ALL_OPTIMIZERS = {**OPTIMIZERS, "nesterov": NESTEROV}

each_optimizer = pytest.mark.parametrize("optimizer", ALL_OPTIMIZERS)
both_dtypes = pytest.mark.parametrize("dtype", [np.float32, np.float64])

SMALL = Architecture(5, (6, 4), 3)

PLAIN = {
    "learning_rate_init": 0.05,
    "learning_rate_decay": 0.0,
    "warmup_fraction": 0.0,
    "max_iter": 10,
    "momentum": 0.9,
    "beta_1": 0.9,
    "beta_2": 0.99,
    "epsilon": 1e-8,
    "alpha": 0.0,
    "max_grad_norm": None,
    "bn_momentum": 0.9,
    "bn_epsilon": 1e-5,
    "dropout": 0.0,
    "input_dropout": 0.0,
    "noise": 0.0,
    "input_noise": 0.0,
    "label_smoothing": 0.0,
    "focal_gamma": 2.0,
}
"""Hyperparameters with everything optional switched off."""

REGULARISED = {
    "alpha": 0.01,
    "max_grad_norm": 0.5,
    "dropout": 0.2,
    "input_dropout": 0.1,
    "noise": 0.2,
    "input_noise": 0.1,
    "label_smoothing": 0.1,
}
"""Everything optional switched on."""


def make_hyper(*members):
    """Hyperparameters of a population from each member's differences from ``PLAIN``."""
    return stack_hyperparameters([{**PLAIN, **member} for member in members])


def make_settings(optimizer="sgd", learning_rate="constant", batch_size=16, shuffle=True):
    nesterov = optimizer == "nesterov"
    solver = "sgd" if nesterov else optimizer
    return Settings(solver, nesterov, learning_rate, batch_size, shuffle)


def make_state(architecture, seeds=(0,), optimizer="sgd", dtype=np.float64):
    solver = "sgd" if optimizer == "nesterov" else optimizer
    sequences = [np.random.SeedSequence(seed) for seed in seeds]
    return initial_state(architecture, solver, ["auto"] * len(sequences), sequences, dtype)


def make_data(n_rows, n_features=5, n_classes=3, seed=0, dtype=np.float64, **options):
    """Normal features whose labels depend on them, with noise."""
    rng = np.random.default_rng(seed)
    x = rng.standard_normal((n_rows, n_features))
    scores = x @ rng.standard_normal((n_features, n_classes))
    labels = (scores + rng.standard_normal(scores.shape)).argmax(axis=1)
    return Data(np.ascontiguousarray(x, dtype), labels, **options)


def run(n_epochs, *training):
    """Train for some epochs and give what each of them reported."""
    epochs = train(*training)
    return [next(epochs) for _ in range(n_epochs)]


def assert_same_state(state, other):
    """Two states are equal to the last bit."""
    for name in ("theta", "sums"):
        np.testing.assert_array_equal(getattr(state, name), getattr(other, name), err_msg=name)
    for mine, theirs in zip(state.vectors, other.vectors, strict=True):
        np.testing.assert_array_equal(mine, theirs, err_msg="vectors")
    assert state.n_epochs == other.n_epochs


def scatter(theta, seed=1):
    """Move all parameters away from their tidy start; variances stay positive."""
    theta += 0.3 * np.abs(np.random.default_rng(seed).standard_normal(theta.shape))
    return theta


def _no_weights(rng, shape):
    return None


def _random_weights(rng, shape):
    return rng.uniform(0.1, 2, shape)


def _few_large_weights(rng, shape):
    return np.where(rng.random(shape) < 0.2, 50.0, 1.0)


WEIGHT_PATTERNS = {"none": _no_weights, "random": _random_weights, "some large": _few_large_weights}


def make_weights(pattern, n_members, n_rows, seed=0):
    """Weights (K, m) of mean one, or None."""
    weights = WEIGHT_PATTERNS[pattern](np.random.default_rng(seed), (n_members, n_rows))
    return None if weights is None else weights / weights.mean(axis=1, keepdims=True)


class HeldStreams(list):
    """Random streams, one a member, that can be set back to their start."""

    def __init__(self, n_members):
        super().__init__(np.random.default_rng(member) for member in range(n_members))
        self._starts = [stream.bit_generator.state for stream in self]

    def rewind(self):
        for stream, start in zip(self, self._starts, strict=True):
            stream.bit_generator.state = start


def held_loss(architecture, theta, hyper, n_rows, labels, weights, loss_weights=None):
    """Build a network and give x -> loss (K,) with the noise held, and its gradient."""
    gradient, streams = np.zeros_like(theta), HeldStreams(len(theta))
    network = Network(architecture, theta, gradient, n_rows, hyper, streams)
    targets = architecture.loss_function.encoder([0, n_rows], len(theta))(labels)

    def loss(x):
        streams.rewind()
        return network.loss_and_gradient(x, targets, weights, loss_weights).mean(axis=1)

    return loss, gradient


def assert_gradients(function, arrays, gradients, seed=0):
    """Compare gradients with central differences along random directions.

    ``function()`` reads ``arrays`` and gives a number for each member; arrays and
    gradients have a leading member axis, so that a member whose gradient holds a
    neighbour's is found out.
    """
    rng, step = np.random.default_rng(seed), 1e-6
    gradients = [gradient.copy() for gradient in gradients]
    starts = [array.copy() for array in arrays]
    for _ in range(3):
        directions = [rng.standard_normal(array.shape) for array in arrays]
        length = math.sqrt(sum((d * d).sum() / len(d) for d in directions))
        directions = [d / length for d in directions]
        values = []
        for sign in (1, -1):
            for array, start, direction in zip(arrays, starts, directions, strict=True):
                array[...] = start + sign * step * direction
            values.append(np.array(function()))
        for array, start in zip(arrays, starts, strict=True):
            array[...] = start
        expected = (values[0] - values[1]) / (2 * step)
        slopes = [g * d for g, d in zip(gradients, directions, strict=True)]
        along = sum(s.reshape(len(s), -1).sum(axis=1) for s in slopes)
        np.testing.assert_allclose(along, expected, rtol=1e-6)


def member_values(architecture, theta, member=0):
    """The parameters of one member, by (kind, layer)."""
    return {key: view[member] for key, view in architecture.layout.views(theta).items()}


def slow_forward(architecture, value, x, weights=None, epsilon=1e-5, moving=False):
    """Logits of one member by the equations of batch norm and softmax, row by row.

    ``moving`` takes the moving statistics in place of the batch's moments. Gives
    the logits and the moments by (kind, layer).
    """
    weights = [1.0] * len(x) if weights is None else list(weights)
    rows, moments = [row[None].astype(np.float64) for row in x], {}
    for layer in range(len(architecture.hidden_layer_sizes)):
        rows = [row @ value["weights", layer] for row in rows]
        if architecture.batch_norm:
            if moving:
                mean, var = value["mean", layer], value["var", layer]
            else:
                total = sum(weights)
                mean = sum(w * z for w, z in zip(weights, rows, strict=True)) / total
                squares = [(z - mean) ** 2 for z in rows]
                var = sum(w * s for w, s in zip(weights, squares, strict=True)) / total
            moments["mean", layer], moments["var", layer] = mean, var
            normalised = [(z - mean) / np.sqrt(var + epsilon) for z in rows]
            rows = [value["gamma", layer] * zn + value["beta", layer] for zn in normalised]
        else:
            rows = [row + value["bias", layer] for row in rows]
        for row in rows:
            ACTIVATIONS[architecture.activations[layer]].forward(row, row)
    head = len(architecture.hidden_layer_sizes)
    logits = [row @ value["weights", head] + value["bias", head] for row in rows]
    return np.concatenate(logits), moments


def slow_loss(logits, labels, weights=None, smoothing=0.0, gamma=0.0):
    """sum_i w_i loss_i / m of focal losses, one row and one class at a time."""
    n_rows, n_classes = logits.shape
    total = 0.0
    for i in range(n_rows):
        log_sum = math.log(sum(math.exp(z) for z in logits[i]))
        targets = [
            (1 - smoothing) * (c == labels[i]) + smoothing / n_classes for c in range(n_classes)
        ]
        loss = sum(
            -y * (1 - math.exp(z - log_sum)) ** gamma * (z - log_sum)
            for y, z in zip(targets, logits[i], strict=True)
        )
        total += loss if weights is None else weights[i] * loss
    return total / n_rows
