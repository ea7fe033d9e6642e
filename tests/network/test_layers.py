import numpy as np
import pytest
from network_oracles import WEIGHT_PATTERNS, HeldStreams, assert_gradients, make_weights
from scipy.stats import kstest, norm

from skbn.network.activations import ACTIVATIONS
from skbn.network.layers import BatchNormPass, DensePass, ElementwisePass
from skbn.network.noise import DropoutPass, GaussianNoisePass

M, N_IN, N_OUT = 7, 4, 3
EPSILON = 0.01

each_pattern = pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
each_population = pytest.mark.parametrize("n_members", [1, 3])


def normal(*shape, seed=0):
    return np.random.default_rng([seed, *shape]).standard_normal(shape)


def make_row_weights(pattern, n_members):
    weights = make_weights(pattern, n_members, M)
    if weights is None:
        return None
    return (weights / weights.sum(axis=1, keepdims=True))[:, None]


def make_dense(n_members, with_bias=True, is_first=False):
    """A layer with its parameters and where their gradients go."""
    weights = normal(n_members, N_IN, N_OUT)
    bias = normal(n_members, 1, N_OUT) if with_bias else None
    slopes = [np.full_like(p, np.nan) for p in (weights, bias) if p is not None]
    bias_slope = slopes[1] if with_bias else None
    output = np.full((n_members, M, N_OUT), np.nan)
    input_gradient = None if is_first else np.full((n_members, M, N_IN), np.nan)
    layer = DensePass(weights, slopes[0], bias, bias_slope, output, input_gradient)
    return layer, [weights, bias] if with_bias else [weights], slopes


def make_batch_norm(n_members):
    """A layer with gamma and beta, where their gradients and the moments go."""
    shape = (n_members, 1, N_OUT)
    gamma, beta = 1 + normal(*shape), normal(*shape, seed=1)
    slopes, moments = [np.full(shape, np.nan) for _ in "gb"], [np.full(shape, np.nan) for _ in "mv"]
    epsilon = np.full((n_members, 1, 1), EPSILON)
    output = np.full((n_members, M, N_OUT), np.nan)
    layer = BatchNormPass(gamma, beta, *slopes, *moments, epsilon, output)
    return layer, [gamma, beta], slopes, moments


def assert_layer_gradients(layer, x, row_weights, parameters=(), slopes=(), before=lambda: None):
    """Check dx and the parameters' gradients of sum(cotangent * output)."""

    def output():
        before()
        return layer.forward(x.copy(), row_weights)

    cotangent = normal(*output().shape, seed=9)
    dx = layer.backward(cotangent.copy())
    assert_gradients(
        lambda: (cotangent * output()).sum(axis=(1, 2)), [x, *parameters], [dx, *slopes]
    )


@each_population
@pytest.mark.parametrize("with_bias", [True, False])
def test_dense(n_members, with_bias):
    layer, parameters, slopes = make_dense(n_members, with_bias)
    x = normal(n_members, M, N_IN)
    assert_layer_gradients(layer, x, make_row_weights("none", 1), parameters, slopes)


def test_dense_forward_row_by_row():
    layer, (weights, bias), _ = make_dense(2)
    x = normal(2, M, N_IN)
    z = layer.forward(x, make_row_weights("none", 1))
    for k in range(2):
        for i in range(M):
            expected = [x[k, i] @ weights[k, :, j] + bias[k, 0, j] for j in range(N_OUT)]
            np.testing.assert_allclose(z[k, i], expected, rtol=1e-13)


def test_dense_takes_rows_that_members_share():
    x, row_weights = normal(M, N_IN), make_row_weights("none", 1)
    layer, _, slopes = make_dense(3)
    twin, _, twin_slopes = make_dense(3)
    z = layer.forward(x, row_weights)
    np.testing.assert_array_equal(z, twin.forward(np.stack([x] * 3), row_weights))
    for d in (layer, twin):
        d.backward(normal(3, M, N_OUT))
    for slope, expected in zip(slopes, twin_slopes, strict=True):
        np.testing.assert_array_equal(slope, expected)


def test_the_first_dense_layer_has_the_same_gradients():
    x, row_weights = normal(2, M, N_IN), make_row_weights("none", 1)
    first, _, slopes = make_dense(2, is_first=True)
    later, _, expected = make_dense(2)
    for layer in (first, later):
        layer.forward(x, row_weights)
        layer.backward(normal(2, M, N_OUT))
    for slope, other in zip(slopes, expected, strict=True):
        np.testing.assert_array_equal(slope, other)


@each_population
@each_pattern
def test_batch_norm(n_members, pattern):
    layer, parameters, slopes, _ = make_batch_norm(n_members)
    x = 2 + 3 * normal(n_members, M, N_OUT)
    assert_layer_gradients(layer, x, make_row_weights(pattern, n_members), parameters, slopes)


@each_pattern
def test_batch_norm_forward_by_the_equations(pattern):
    layer, (gamma, beta), _, (mean, var) = make_batch_norm(2)
    z, weights = 2 + 3 * normal(2, M, N_OUT), make_weights(pattern, 2, M)
    zt = layer.forward(z.copy(), make_row_weights(pattern, 2))
    for k in range(2):
        for j in range(N_OUT):
            unit = list(z[k, :, j])
            w = [1.0] * M if weights is None else list(weights[k])
            mu = sum(w[i] * unit[i] for i in range(M)) / sum(w)
            variance = sum(w[i] * (unit[i] - mu) ** 2 for i in range(M)) / sum(w)
            assert mean[k, 0, j] == pytest.approx(mu, rel=1e-12)
            assert var[k, 0, j] == pytest.approx(variance, rel=1e-12)
            expected = [
                gamma[k, 0, j] * (u - mu) / (variance + EPSILON) ** 0.5 + beta[k, 0, j]
                for u in unit
            ]
            np.testing.assert_allclose(zt[k, :, j], expected, rtol=1e-11)


@each_pattern
def test_batch_norm_whose_gamma_and_beta_undo_it_is_the_identity(pattern):
    layer, (gamma, beta), _, (mean, var) = make_batch_norm(2)
    z, row_weights = 2 + 3 * normal(2, M, N_OUT), make_row_weights(pattern, 2)
    layer.forward(z.copy(), row_weights)
    gamma[...], beta[...] = np.sqrt(var + EPSILON), mean
    np.testing.assert_allclose(layer.forward(z.copy(), row_weights), z, rtol=1e-12)


@each_pattern
@pytest.mark.parametrize("constant", [-30.0, 0.5, 1000.0])
def test_batch_norm_cancels_a_constant(pattern, constant):
    layer, *_ = make_batch_norm(2)
    z, row_weights = normal(2, M, N_OUT), make_row_weights(pattern, 2)
    expected = layer.forward(z.copy(), row_weights).copy()
    np.testing.assert_allclose(layer.forward(z + constant, row_weights), expected, atol=1e-11)


def test_batch_norm_of_a_constant_unit_is_beta():
    layer, (_, beta), *_ = make_batch_norm(2)
    zt = layer.forward(np.full((2, M, N_OUT), 4.0), make_row_weights("none", 2))
    np.testing.assert_allclose(zt, np.broadcast_to(beta, zt.shape), atol=1e-12)


@each_population
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_elementwise(n_members, name):
    output = np.full((n_members, M, N_OUT), np.nan) if ACTIVATIONS[name].needs_input else None
    layer = ElementwisePass(ACTIVATIONS[name], output)
    assert_layer_gradients(layer, normal(n_members, M, N_OUT), make_row_weights("none", 1))


@each_population
@pytest.mark.parametrize("kind", [DropoutPass, GaussianNoisePass])
def test_random_layers(n_members, kind):
    strength = np.linspace(0.2, 0.6, n_members)[:, None, None]
    streams = HeldStreams(n_members)
    layer = kind(strength, streams, (n_members, M, N_OUT))
    x = normal(n_members, M, N_OUT)
    assert_layer_gradients(layer, x, make_row_weights("none", 1), before=streams.rewind)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dropout_keeps_the_mean_and_draws_a_new_mask_each_time(dtype):
    rate = np.array([0.0, 0.25, 0.8], dtype)[:, None, None]
    shape = (3, 400, 50)
    layer = DropoutPass(rate, HeldStreams(3), shape)
    x = np.ones(shape, dtype)
    first = layer.forward(x, make_row_weights("none", 1)).copy()
    assert first.dtype == dtype
    for y, p in zip(first, [0.0, 0.25, 0.8], strict=True):
        assert (y == 0).mean() == pytest.approx(p, abs=0.01)
        np.testing.assert_allclose(y[y != 0], 1 / (1 - p), rtol=1e-6)
    second = layer.forward(x, make_row_weights("none", 1))
    assert not np.array_equal(first[1], second[1])
    np.testing.assert_array_equal(x, 1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_noise_is_normal_and_new_each_time(dtype):
    deviations = [0.0, 0.25, 2.0]
    shape = (3, 400, 50)
    layer = GaussianNoisePass(np.array(deviations, dtype)[:, None, None], HeldStreams(3), shape)
    x = normal(*shape).astype(dtype)
    before = x.copy()
    first = layer.forward(x, make_row_weights("none", 1)).copy()
    assert first.dtype == dtype
    np.testing.assert_array_equal(first[0], x[0])
    for member, deviation in zip((1, 2), deviations[1:], strict=True):
        added = (first[member] - x[member]).ravel() / deviation
        assert kstest(added, norm.cdf).pvalue > 0.01
        assert abs(np.corrcoef(added, x[member].ravel())[0, 1]) < 0.03
        halves = np.abs(added.reshape(2, -1))  # the sine and the cosine of a transform
        assert abs(np.corrcoef(halves)[0, 1]) < 0.03
    second = layer.forward(x, make_row_weights("none", 1))
    assert not np.array_equal(first[1], second[1])
    np.testing.assert_array_equal(x, before)


@pytest.mark.parametrize("layer", [DropoutPass, GaussianNoisePass])
def test_noise_comes_from_the_members_own_streams(layer):
    strength, x = np.full((3, 1, 1), 0.5), np.ones((3, M, N_OUT))
    together = layer(strength, HeldStreams(3), x.shape).forward(x, None)
    alone = layer(strength[:1], HeldStreams(3)[2:], x[:1].shape).forward(x[:1], None)
    np.testing.assert_array_equal(together[2], alone[0])
