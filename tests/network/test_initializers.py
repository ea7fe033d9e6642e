from math import sqrt

import numpy as np
import pytest

from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture, initial_theta
from skbn.network.initializers import INITIALIZERS

N_IN, N_HIDDEN, N_OUT = 400, 300, 200

# The published formulas, and the one of "auto": each gives the scale from the sizes and the gain.
FORMULAS = {
    "auto": lambda n_in, n_out, gain: gain / sqrt(n_in),
    "he": lambda n_in, n_out, gain: sqrt(2) / sqrt(n_in),
    "glorot": lambda n_in, n_out, gain: 1 / sqrt((n_in + n_out) / 2),
    "lecun": lambda n_in, n_out, gain: 1 / sqrt(n_in),
}


def draw(architecture, initializers=("auto",), seed=0, dtype=np.float64):
    streams = [np.random.default_rng([seed, member]) for member in range(len(initializers))]
    return initial_theta(architecture, initializers, streams, dtype)


@pytest.mark.parametrize("name", INITIALIZERS)
@pytest.mark.parametrize("activation", ["selu", "tanh"])
def test_standard_deviations(name, activation):
    architecture = Architecture(N_IN, (N_HIDDEN,), N_OUT, activation)
    views = architecture.layout.views(draw(architecture, [name]))
    hidden = FORMULAS[name](N_IN, N_HIDDEN, ACTIVATIONS[activation].gain)
    output = FORMULAS[name](N_HIDDEN, N_OUT, 1)
    assert views["weights", 0].std() == pytest.approx(hidden, rel=0.01)
    assert views["weights", 1].std() == pytest.approx(output, rel=0.01)
    assert abs(views["weights", 0].mean()) < hidden / 50


def test_the_gain_of_a_layer_is_that_of_its_own_activation():
    mixed = "relu", "selu", "logistic"
    architecture = Architecture(N_IN, (N_HIDDEN,) * 3, N_OUT, mixed)
    views = architecture.layout.views(draw(architecture))
    for layer, activation in enumerate(mixed):
        n_in = architecture.widths[layer]
        expected = FORMULAS["auto"](n_in, N_HIDDEN, ACTIVATIONS[activation].gain)
        assert views["weights", layer].std() == pytest.approx(expected, rel=0.01)


@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("hidden_layer_sizes", [(), (4,), (4, 3)])
def test_everything_but_weights_starts_at_one_or_zero(batch_norm, hidden_layer_sizes):
    architecture = Architecture(5, hidden_layer_sizes, 3, batch_norm=batch_norm)
    starts = {"gamma": 1, "var": 1, "beta": 0, "bias": 0, "mean": 0}
    for (kind, _), view in architecture.layout.views(draw(architecture)).items():
        if kind != "weights":
            assert (view == starts[kind]).all(), kind
        else:
            assert len(np.unique(view)) == view.size


def test_both_dtypes_start_from_the_same_network():
    architecture = Architecture(5, (4,), 3)
    np.testing.assert_array_equal(
        draw(architecture, dtype=np.float32), draw(architecture).astype(np.float32)
    )


def test_members_draw_from_their_own_streams_with_their_own_initializer():
    architecture = Architecture(5, (4,), 3)
    together = draw(architecture, ["he", "lecun", "he"])
    for member, initializer in enumerate(["he", "lecun", "he"]):
        stream = np.random.default_rng([0, member])
        alone = initial_theta(architecture, [initializer], [stream], np.float64)
        np.testing.assert_array_equal(together[member], alone[0])
    assert not np.isclose(together[0, :20], together[2, :20]).any()
