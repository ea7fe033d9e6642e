from dataclasses import dataclass
from functools import cached_property
from itertools import permutations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_oracles import (
    WEIGHT_PATTERNS,
    assert_gradients,
    held_loss,
    make_data,
    make_hyper,
    make_state,
    make_weights,
    member_values,
    scatter,
    slow_forward,
    slow_loss,
)
from scipy.sparse import csr_array, csr_matrix
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier

from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture
from skbn.network.inference import TrainedNetwork
from skbn.network.layers import Elementwise, WithoutParameters
from skbn.network.losses import softmax

steady = settings(derandomize=True, deadline=None, max_examples=25)
each_activation = pytest.mark.parametrize("activation", ACTIVATIONS)
each_pattern = pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
with_and_without_batch_norm = pytest.mark.parametrize("batch_norm", [True, False])

M = 6


def make_theta(architecture, n_members=1):
    return scatter(make_state(architecture, range(n_members)).theta)


def make_batch(architecture, n_members):
    data = make_data(n_members * M, architecture.n_features, architecture.n_outputs)
    return data.x.reshape(n_members, M, -1), data.labels.reshape(n_members, M)


def hyper_with_noise(n_members):
    return make_hyper(
        *(
            {
                "dropout": 0.1 * k,
                "input_dropout": 0.2,
                "noise": 0.2,
                "input_noise": 0.1 * k,
                "label_smoothing": 0.05 * k,
            }
            for k in range(1, n_members + 1)
        )
    )


def predict(architecture, theta, x, epsilon=1e-5, rows=None, dtype=np.float64):
    epsilons = np.full((len(theta), 1), epsilon)
    return TrainedNetwork(architecture, theta, epsilons).logits(x.astype(dtype), rows)


# Layout


@with_and_without_batch_norm
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (4, 3)])
def test_zones_of_theta(batch_norm, hidden_layer_sizes):
    architecture = Architecture(5, hidden_layer_sizes, 3, batch_norm=batch_norm)
    layout, zones = architecture.layout, {}
    marks = np.zeros((1, layout.size))
    marks[:, layout.n_decayed :] += 1
    marks[:, layout.n_trained :] += 1
    for (kind, _), view in layout.views(marks).items():
        zones.setdefault(kind, set()).update(view.ravel())
    expected = {"weights": {0}, "bias": {1}, "gamma": {1}, "beta": {1}, "mean": {2}, "var": {2}}
    assert zones == {kind: expected[kind] for kind in zones}
    assert ("gamma" in zones) == architecture.normalised
    assert ("mean" in zones) == architecture.normalised


@pytest.mark.parametrize("n_layers", [1, 2, 3])
def test_one_activation_for_all_layers_is_the_same_architecture(n_layers):
    plain = Architecture(4, (5,) * n_layers, 3, "tanh")
    listed = Architecture(4, (5,) * n_layers, 3, ("tanh",) * n_layers)
    assert listed == plain
    assert hash(listed) == hash(plain)
    assert listed.layers == plain.layers
    assert plain.activations == ("tanh",) * n_layers


@pytest.mark.parametrize(
    ("sizes", "mixed"), [((), ("relu",)), ((4,), ()), ((4, 4), ("relu",)), ((4,), ("elu",) * 2)]
)
def test_as_many_activations_as_hidden_layers(sizes, mixed):
    with pytest.raises(ValueError, match=f"{len(mixed)} activations of {len(sizes)} hidden layers"):
        Architecture(4, sizes, 3, mixed)


# Training: loss and gradient


@each_activation
@each_pattern
@with_and_without_batch_norm
@pytest.mark.parametrize("n_members", [1, 3])
def test_gradient_along_directions(activation, pattern, batch_norm, n_members):
    architecture = Architecture(4, (5, 3), 3, activation, batch_norm)
    theta, (x, labels) = make_theta(architecture, n_members), make_batch(architecture, n_members)
    hyper, weights = hyper_with_noise(n_members), make_weights(pattern, n_members, M)
    loss, gradient = held_loss(architecture, theta, hyper, M, labels, weights)
    loss(x)
    trained = slice(0, architecture.layout.n_trained)
    assert_gradients(lambda: loss(x), [theta[:, trained]], [gradient[:, trained]])


@with_and_without_batch_norm
@pytest.mark.parametrize("mixed", [*permutations(("relu", "gelu", "tanh")), ("silu", "elu", "elu")])
def test_gradient_with_an_activation_of_each_layer(mixed, batch_norm):
    architecture = Architecture(4, (5, 3, 4), 3, mixed, batch_norm)
    theta, (x, labels) = make_theta(architecture, 2), make_batch(architecture, 2)
    loss, gradient = held_loss(architecture, theta, hyper_with_noise(2), M, labels, None)
    loss(x)
    trained = slice(0, architecture.layout.n_trained)
    assert_gradients(lambda: loss(x), [theta[:, trained]], [gradient[:, trained]])


@pytest.mark.parametrize("pattern", ["none", "random"])
@pytest.mark.parametrize("of_loss", ["none", "some large"])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (4, 3)])
def test_gradient_coordinate_by_coordinate(pattern, of_loss, hidden_layer_sizes):
    architecture = Architecture(3, hidden_layer_sizes, 3, "tanh")
    theta, (x, labels) = make_theta(architecture), make_batch(architecture, 1)
    weights, step = make_weights(pattern, 1, M), 1e-5
    both = weights, make_weights(of_loss, 1, M, seed=1)
    loss, gradient = held_loss(architecture, theta, hyper_with_noise(1), M, labels, *both)
    loss(x)
    exact = gradient[0].copy()
    for i in range(architecture.layout.n_trained):
        start, ends = theta[0, i], []
        for sign in (1, -1):
            theta[0, i] = start + sign * step
            ends.append(loss(x)[0])
        theta[0, i] = start
        assert exact[i] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=1e-6, abs=1e-9), i


def test_training_never_reads_the_moving_statistics():
    architecture = Architecture(4, (5, 3), 3)
    theta, (x, labels) = make_theta(architecture), make_batch(architecture, 1)
    theta[:, architecture.layout.n_trained :] = np.nan
    loss, gradient = held_loss(architecture, theta, make_hyper({}), M, labels, None)
    assert np.isfinite(loss(x)).all()
    assert np.isfinite(gradient).all()


@each_pattern
@with_and_without_batch_norm
@pytest.mark.parametrize("of_loss", ["none", "random"])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (5,), (5, 3)])
def test_loss_and_moments_follow_the_equations(pattern, of_loss, batch_norm, hidden_layer_sizes):
    """Moments take the weights, and the loss those that are given for it."""
    architecture = Architecture(4, hidden_layer_sizes, 3, "elu", batch_norm)
    theta, (x, labels) = make_theta(architecture, 2), make_batch(architecture, 2)
    weights = make_weights(pattern, 2, M)
    changes = [
        {"bn_epsilon": 0.1, "label_smoothing": 0.1},
        {"bn_epsilon": 0.01, "label_smoothing": 0.0},
    ]
    both = weights, make_weights(of_loss, 2, M, seed=1)
    loss, gradient = held_loss(architecture, theta, make_hyper(*changes), M, labels, *both)
    losses = loss(x)
    for k, change in enumerate(changes):
        value = member_values(architecture, theta, k)
        w, of_loss_w = (None if each is None else each[k] for each in both)
        logits, moments = slow_forward(architecture, value, x[k], w, change["bn_epsilon"])
        in_loss = w if of_loss_w is None else of_loss_w
        expected = slow_loss(logits, labels[k], in_loss, change["label_smoothing"])
        assert losses[k] == pytest.approx(expected, rel=1e-12)
        written = member_values(architecture, gradient, k)
        for key, moment in moments.items():
            np.testing.assert_allclose(written[key], moment, rtol=1e-11, err_msg=str(key))


def test_rows_that_members_share_may_be_given_once():
    architecture = Architecture(4, (5, 3), 3)
    theta, (x, labels) = make_theta(architecture, 3), make_batch(architecture, 3)
    loss, gradient = held_loss(architecture, theta, hyper_with_noise(3), M, labels, None)
    expected = loss(np.stack([x[0]] * 3)), gradient.copy()
    np.testing.assert_array_equal(loss(x[0]), expected[0])
    np.testing.assert_array_equal(gradient, expected[1])


@with_and_without_batch_norm
def test_loss_and_gradient_leave_rows_and_parameters_alone(batch_norm):
    architecture = Architecture(4, (5, 3), 3, "mish", batch_norm)
    theta, (x, labels) = make_theta(architecture), make_batch(architecture, 1)
    weights = make_weights("random", 1, M)
    for array in (x, labels, weights, theta):
        array.flags.writeable = False
    loss, _ = held_loss(architecture, theta, hyper_with_noise(1), M, labels, weights)
    loss(x)


@each_pattern
def test_a_constant_added_to_a_hidden_pre_activation_changes_nothing(pattern):
    architecture = Architecture(4, (5, 3), 3, "tanh")
    theta, (x, labels) = make_theta(architecture), make_batch(architecture, 1)
    x[..., 0] = 1  # A column of ones: its weights are the bias that batch norm cancels.
    weights = make_weights(pattern, 1, M)
    loss, gradient = held_loss(architecture, theta, make_hyper({}), M, labels, weights)
    before = loss(x).copy()
    slope = architecture.layout.views(gradient)["weights", 0][0]
    np.testing.assert_allclose(slope[0], 0, atol=1e-12)
    assert np.abs(slope[1:]).min() > 1e-8
    architecture.layout.views(theta)["weights", 0][:, 0] += [3.0, -20.0, 0.5, 100.0, 0.0]
    np.testing.assert_allclose(loss(x), before, rtol=1e-11)


# Prediction


@steady
@given(
    layers=st.lists(st.tuples(st.integers(1, 6), st.sampled_from(sorted(ACTIVATIONS))), max_size=3),
    batch_norm=st.booleans(),
    epsilon=st.floats(1e-8, 1),
    seed=st.integers(0, 1000),
)
def test_folded_equals_unfolded(layers, batch_norm, epsilon, seed):
    sizes, mixed = (tuple(layer[i] for layer in layers) for i in (0, 1))
    architecture = Architecture(3, sizes, 4, mixed, batch_norm)
    theta = scatter(make_state(architecture, [0, 1]).theta, seed)
    for (kind, _), view in architecture.layout.views(theta).items():
        if kind in ("gamma", "beta", "mean"):
            view *= np.random.default_rng(seed).choice([-1, 1], view.shape)
    x = make_data(5, 3, seed=seed).x
    logits = predict(architecture, theta, x, epsilon)
    for k in range(2):
        value = member_values(architecture, theta, k)
        expected, _ = slow_forward(architecture, value, x, epsilon=epsilon, moving=True)
        np.testing.assert_allclose(logits[k], expected, rtol=1e-10, atol=1e-10)


@steady
@given(n_rows=st.integers(1, 40), seed=st.integers(0, 1000))
def test_row_by_row_equals_the_batch(n_rows, seed):
    architecture = Architecture(7, (9, 6), 3, "silu")
    theta, x = scatter(make_state(architecture, [seed]).theta), make_data(n_rows, 7, seed=seed).x
    rows = [predict(architecture, theta, x[i : i + 1])[0, 0] for i in range(n_rows)]
    np.testing.assert_allclose(predict(architecture, theta, x)[0], rows, rtol=1e-12, atol=1e-12)


@steady
@given(epsilon=st.floats(1e-8, 1), seed=st.integers(0, 1000))
def test_gamma_and_beta_that_undo_batch_norm_fold_to_the_plain_weights(epsilon, seed):
    architecture = Architecture(3, (4, 5), 2)
    theta = scatter(make_state(architecture).theta, seed)
    value = architecture.layout.views(theta)
    for layer in range(2):
        value["gamma", layer][...] = np.sqrt(value["var", layer] + epsilon)
        value["beta", layer][...] = value["mean", layer]
    folded = TrainedNetwork(architecture, theta, np.array([[epsilon]])).folded(np.float64)
    for layer in range(2):
        np.testing.assert_allclose(folded.steps[layer].weights, value["weights", layer], rtol=1e-13)
        np.testing.assert_allclose(folded.steps[layer].bias, 0, atol=1e-13)


@pytest.mark.parametrize("activation", ["relu", "tanh", "logistic", "identity"])
@pytest.mark.parametrize("hidden_layer_sizes", [(4,), (4, 3)])
def test_probabilities_of_scikit_learn(activation, hidden_layer_sizes):
    data = make_data(40, 5, 3)
    theirs = MLPClassifier(hidden_layer_sizes, activation=activation, max_iter=1, random_state=0)
    with pytest.warns(ConvergenceWarning):
        theirs.fit(data.x, data.labels)
    architecture = Architecture(5, hidden_layer_sizes, 3, activation, batch_norm=False)
    theta = make_theta(architecture)
    value = member_values(architecture, theta)
    n_layers = len(hidden_layer_sizes) + 1
    theirs.coefs_ = [value["weights", layer] for layer in range(n_layers)]
    theirs.intercepts_ = [value["bias", layer][0] for layer in range(n_layers)]
    probabilities = softmax(predict(architecture, theta, data.x)[0])
    np.testing.assert_allclose(probabilities, theirs.predict_proba(data.x), rtol=1e-12)


@pytest.mark.parametrize("sparse", [csr_matrix, csr_array])
@pytest.mark.parametrize("rows", [None, np.arange(299, 0, -2)])
def test_sparse_rows_and_blocks_of_rows(monkeypatch, sparse, rows):
    monkeypatch.setattr("skbn.network.inference.CACHED_BYTES", 1)  # The smallest blocks: 64 rows.
    architecture = Architecture(5, (4,), 3)
    theta, x = make_theta(architecture, 2), make_data(300).x * (make_data(300, seed=1).x > 0)
    taken = x if rows is None else x[rows]
    expected = [
        slow_forward(architecture, member_values(architecture, theta, k), taken, moving=True)[0]
        for k in range(2)
    ]
    dense = predict(architecture, theta, x, rows=rows)
    np.testing.assert_allclose(dense, expected, rtol=1e-10, atol=1e-10)
    np.testing.assert_array_equal(predict(architecture, theta, sparse(x), rows=rows), dense)


@with_and_without_batch_norm
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,)])
def test_prediction_reads_only_and_keeps_the_dtype_of_the_rows(batch_norm, hidden_layer_sizes):
    architecture = Architecture(5, hidden_layer_sizes, 3, batch_norm=batch_norm)
    theta, x = make_theta(architecture).astype(np.float32), make_data(10).x
    theta.flags.writeable = x.flags.writeable = False
    single = predict(architecture, theta, x.astype(np.float32), dtype=np.float32)
    double = predict(architecture, theta, x)
    assert (single.dtype, double.dtype) == (np.float32, np.float64)
    np.testing.assert_allclose(single, double, rtol=1e-4, atol=1e-5)


# A layer of one's own.


@dataclass(frozen=True)
class Shift(WithoutParameters):
    """Add a learned number to each unit."""

    number: int
    n_units: int

    @property
    def undecayed(self):
        return {("shift", self.number): (1, self.n_units)}

    def in_training(self, space, output):
        key = "shift", self.number
        return ShiftPass(space.values[key], space.gradients[key])

    def fold(self, steps, values, bn_epsilon):
        # Before the activation that follows.
        shift = values["shift", self.number]
        return [*steps[:-1], steps[-1].scaled(np.ones_like(shift), shift)]


class ShiftPass:
    def __init__(self, shift, gradient):
        self._shift, self._gradient = shift, gradient

    def forward(self, x, row_weights):
        return x + self._shift

    def backward(self, d):
        self._gradient[...] = d.sum(axis=1, keepdims=True)
        return d


class Shifted(Architecture):
    """Hidden layers are shifted before their activation."""

    @cached_property
    def layers(self):
        layers = []
        for layer in Architecture.layers.func(self):
            if isinstance(layer, Elementwise):
                layers.append(Shift(len(layers), layer.n_units))
            layers.append(layer)
        return tuple(layers)


@with_and_without_batch_norm
def test_an_architecture_is_all_that_another_layer_takes(batch_norm):
    architecture = Shifted(4, (5, 3), 3, "tanh", batch_norm)
    theta, (x, labels) = make_theta(architecture, 2), make_batch(architecture, 2)
    loss, gradient = held_loss(architecture, theta, hyper_with_noise(2), M, labels, None)
    loss(x)
    trained = slice(0, architecture.layout.n_trained)
    assert_gradients(lambda: loss(x), [theta[:, trained]], [gradient[:, trained]])
    without = Architecture(4, (5, 3), 3, "tanh", batch_norm)
    plain = np.zeros((2, without.layout.size))
    for key, view in without.layout.views(plain).items():
        view[...] = architecture.layout.views(theta)[key]
    affine = "beta" if batch_norm else "bias"
    shifts = [key for key in architecture.layout.views(theta) if key[0] == "shift"]
    for number, key in enumerate(shifts):  # a shift is as good as another bias
        without.layout.views(plain)[affine, number][...] += architecture.layout.views(theta)[key]
    np.testing.assert_allclose(
        predict(architecture, theta, x[0]), predict(without, plain, x[0]), rtol=1e-12
    )


class ShiftedInputs(Architecture):
    """A layer that learns stands before the first weights."""

    @cached_property
    def layers(self):
        return (Shift(0, self.n_features), *Architecture.layers.func(self))


@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (5, 3)])
def test_a_layer_may_learn_before_the_first_weights(hidden_layer_sizes):
    architecture = ShiftedInputs(4, hidden_layer_sizes, 4, "tanh")
    theta, (x, labels) = make_theta(architecture, 2), make_batch(architecture, 2)
    loss, gradient = held_loss(architecture, theta, hyper_with_noise(2), M, labels, None)
    loss(x)
    trained = slice(0, architecture.layout.n_trained)
    assert_gradients(lambda: loss(x), [theta[:, trained]], [gradient[:, trained]])


class Twice(Architecture):
    """Two layers whose parameters have the same name, or one that cannot be folded."""

    @cached_property
    def layers(self):
        first, *others = Architecture.layers.func(self)
        added = [Shift(7, 4)] * 2 if self.activation == "tanh" else [Shift(7, self.n_outputs)]
        where = next(i for i, layer in enumerate(others) if isinstance(layer, Elementwise)) + 1
        return (first, *others[:where], *added, *others[where:])


def test_parameters_of_the_same_name_are_refused():
    with pytest.raises(ValueError, match=r"same name: \[\('shift', 7\)\]"):
        Twice(4, (4,), 4, "tanh").layout  # noqa: B018


def test_a_layer_after_an_activation_is_not_folded_in_silence():
    architecture = Twice(4, (4,), 4, "relu")
    network = TrainedNetwork(architecture, make_theta(architecture), np.full((1, 1), 1e-5))
    with pytest.raises(NotImplementedError, match="cannot be folded into the step before"):
        network.folded(np.float64)
