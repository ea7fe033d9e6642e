"""Moments of batch-norm layers' inputs on rows without labels."""

import numpy as np
import pytest
from network_oracles import make_hyper, make_state, scatter
from scipy.sparse import csr_array

from skbn.network.architecture import Architecture
from skbn.network.inference import TrainedNetwork
from skbn.network.moments import layer_moments, with_moments
from skbn.network.network import Network

DEEP = Architecture(5, (7, 4, 6), 3, ("tanh", "relu", "gelu"))
N_MEMBERS = 3
EPSILON = 1e-5


def network_of(architecture=DEEP, n_members=N_MEMBERS, dtype=np.float64):
    theta = scatter(make_state(architecture, range(n_members)).theta).astype(dtype)
    for (kind, _), view in architecture.layout.views(theta).items():
        if kind == "var":
            view[...] = np.abs(view) + 0.5
    return TrainedNetwork(architecture, theta, np.full((n_members, 1), EPSILON))


def member(network, k):
    return TrainedNetwork(network.architecture, network.theta[k : k + 1], network.bn_epsilon[:1])


def rows(n, dtype=np.float64):
    return (3 * np.random.default_rng(0).normal(size=(n, 5)) + 10).astype(dtype)


def take_new(layer, old, new):
    return new


def one_pass(network, x, is_adapted):
    """By NumPy's own mean and variance, of all rows at once, a member at a time."""
    from scipy.special import erf

    functions = {
        "tanh": np.tanh,
        "relu": lambda z: np.maximum(z, 0),
        "gelu": lambda z: z * (1 + erf(z / np.sqrt(2))) / 2,
    }
    found = []
    for k in range(len(network.theta)):
        values = {
            kind: {layer: array.astype(np.float64) for layer, array in arrays.items()}
            for kind in ("weights", "gamma", "beta", "mean", "var")
            for arrays in [network.arrays(kind, k)]
        }
        a, moments = x.astype(np.float64), []
        for layer, name in enumerate(network.architecture.activations):
            z = a @ values["weights"][layer]
            moments.append((z.mean(axis=0), z.var(axis=0)))
            old = values["mean"][layer][0], values["var"][layer][0]
            mean, var = moments[-1] if is_adapted else old
            zn = (z - mean) / np.sqrt(var + EPSILON)
            a = functions[name](values["gamma"][layer] * zn + values["beta"][layer])
        found.append(moments)
    return found


@pytest.mark.slow
@pytest.mark.parametrize("is_adapted", [False, True])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("n", [1, 2, 100, 40_001])
def test_blocks_give_the_moments_of_one_pass_in_float64(n, dtype, is_adapted):
    network, x = network_of(dtype=dtype), rows(n, dtype)
    if is_adapted and n == 1:
        return  # without variance the next layer's input is as large as rounding makes it
    found = {}

    def choose(layer, old, new):
        found[layer] = new
        return new if is_adapted else old

    with_moments(network, x, choose)
    expected = one_pass(network, x, is_adapted)
    rtol = 1e-11 if dtype == np.float64 or not is_adapted else 1e-4  # kept in float32
    for k in range(N_MEMBERS):
        for layer, (mean, var) in found.items():
            deviation = np.sqrt(expected[k][layer][1]).max() + 1e-300
            np.testing.assert_allclose(
                mean[k, 0], expected[k][layer][0], rtol=rtol, atol=rtol * deviation
            )
            np.testing.assert_allclose(var[k, 0], expected[k][layer][1], rtol=10 * rtol, atol=1e-18)


def test_the_moments_taken_are_those_of_a_mini_batch_of_all_rows():
    network, x = network_of(), rows(300)
    changed = with_moments(network, x, take_new)
    gradient = np.zeros_like(network.theta)
    hyper = make_hyper(*[{"bn_epsilon": EPSILON}] * N_MEMBERS)
    streams = [np.random.default_rng(k) for k in range(N_MEMBERS)]
    in_training = Network(DEEP, network.theta, gradient, len(x), hyper, streams)
    logits = in_training.forward(x)
    np.testing.assert_allclose(changed.logits(x), logits, rtol=1e-9, atol=1e-9)
    n_trained = DEEP.layout.n_trained
    np.testing.assert_allclose(
        changed.theta[:, n_trained:], gradient[:, n_trained:], rtol=1e-10, atol=1e-12
    )
    np.testing.assert_array_equal(changed.theta[:, :n_trained], network.theta[:, :n_trained])


def test_the_network_given_stays_as_it_is():
    network = network_of()
    before = network.theta.copy()
    changed = with_moments(network, rows(50), take_new)
    np.testing.assert_array_equal(network.theta, before)
    assert not np.shares_memory(changed.theta, network.theta)


@pytest.mark.parametrize("n", [3, 1000, 30_001])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_moments_are_equal_in_any_company(n, dtype):
    network, x = network_of(dtype=dtype), rows(n, dtype)
    together = layer_moments(network, x), with_moments(network, x, take_new)
    for k in range(N_MEMBERS):
        alone = layer_moments(member(network, k), x)
        for layer, moments in alone.items():
            for one, all_of_them in zip(moments, together[0][layer], strict=True):
                np.testing.assert_array_equal(one[0], all_of_them[k])
        np.testing.assert_array_equal(
            with_moments(member(network, k), x, take_new).theta[0], together[1].theta[k]
        )


def test_sparse_rows_have_the_moments_of_dense_ones():
    x = rows(500) * (np.random.default_rng(1).random((500, 5)) < 0.3)
    dense, sparse = layer_moments(network_of(), x), layer_moments(network_of(), csr_array(x))
    for layer, moments in dense.items():
        for one, other in zip(moments, sparse[layer], strict=True):
            np.testing.assert_allclose(one, other, rtol=1e-11, atol=1e-12)


def test_far_from_zero_no_digits_are_lost():
    architecture = Architecture(1, (1,), 2)
    network = network_of(architecture, 1)
    network.arrays("weights")[0][...] = 1.0
    x = 1e8 + np.random.default_rng(0).normal(size=(200_000, 1))
    ((mean, var),) = layer_moments(network, x).values()
    np.testing.assert_allclose(mean[0, 0], x.mean(axis=0), rtol=1e-15)
    np.testing.assert_allclose(var[0, 0], (x - x.mean(axis=0)).var(axis=0), rtol=1e-8)


@pytest.mark.parametrize("sizes", [(), (4, 3)])
def test_without_batch_norm_there_are_none(sizes):
    architecture = Architecture(5, sizes, 3, batch_norm=False)
    network = network_of(architecture)
    assert layer_moments(network, rows(10)) == {}
    np.testing.assert_array_equal(with_moments(network, rows(10), take_new).theta, network.theta)
