from math import erf, exp, expm1, log1p, sqrt, tanh

import numpy as np
import pytest

from skbn.network import activations
from skbn.network.activations import ACTIVATIONS

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)

# The usual definitions on a single number; an activation that is added is defined here too.
DEFINITIONS = {
    "relu": lambda x: max(x, 0),
    "leaky_relu": lambda x: x if x > 0 else 0.01 * x,
    "elu": lambda x: x if x > 0 else expm1(x),
    "selu": lambda x: 1.0507009873554805 * (x if x > 0 else 1.6732632423543772 * expm1(x)),
    "gelu": lambda x: x * (1 + erf(x / sqrt(2))) / 2,
    "silu": lambda x: x / (1 + exp(-x)),
    "mish": lambda x: x * tanh(log1p(exp(x))),
    "tanh": tanh,
    "logistic": lambda x: 1 / (1 + exp(-x)),
    "identity": lambda x: x,
}

# Both sides of zero, but not zero itself, where some have a kink.
POINTS = np.concatenate([-np.geomspace(1e-3, 20, 40), np.geomspace(1e-3, 20, 40)])


def apply(name, x):
    y = np.empty_like(x)
    ACTIVATIONS[name].forward(x, y)
    return y


@each_activation
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float64, 1e-13), (np.float32, 2e-6)])
def test_forward_is_the_definition(name, dtype, tolerance):
    x = POINTS.astype(dtype)
    expected = [DEFINITIONS[name](float(value)) for value in x]
    np.testing.assert_allclose(apply(name, x), expected, rtol=tolerance, atol=tolerance)


@each_activation
def test_forward_leaves_its_input_alone(name):
    x = POINTS.copy()
    apply(name, x)
    np.testing.assert_array_equal(x, POINTS)


@each_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_forward_may_overwrite_its_input(name, dtype):
    x = POINTS.astype(dtype)
    expected = apply(name, x)
    ACTIVATIONS[name].forward(x, x)
    np.testing.assert_array_equal(x, expected)


@each_activation
def test_derivative_is_that_of_forward(name):
    step = 1e-6
    slope = (apply(name, POINTS + step) - apply(name, POINTS - step)) / (2 * step)
    derivative = ACTIVATIONS[name].derivative(POINTS, apply(name, POINTS))
    np.testing.assert_allclose(derivative, slope, rtol=1e-7, atol=1e-9)


@each_activation
def test_needs_input_says_whether_the_derivative_reads_x(name):
    activation, y = ACTIVATIONS[name], apply(name, POINTS)
    from_other_x = activation.derivative(POINTS[::-1].copy(), y.copy())
    same = np.array_equal(from_other_x, activation.derivative(POINTS, y))
    assert same is not activation.needs_input


@each_activation
def test_derivative_leaves_its_input_alone(name):
    x = POINTS.copy()
    ACTIVATIONS[name].derivative(x, apply(name, POINTS))
    np.testing.assert_array_equal(x, POINTS)


@each_activation
def test_float32_stays_float32(name):
    x = POINTS.astype(np.float32)[:, None]
    derivative = ACTIVATIONS[name].derivative(x, apply(name, x))
    assert derivative.dtype == np.float32
    assert derivative.shape == x.shape


@each_activation
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_extreme_inputs_stay_finite(name, dtype):
    x = np.array([-1e4, -1e3, -100, 0, 100, 1e3, 1e4], dtype)
    y = apply(name, x)
    assert np.isfinite(y).all()
    assert np.isfinite(ACTIVATIONS[name].derivative(x, y)).all()


@each_activation
def test_gain_keeps_the_mean_square(name):
    z, width = np.linspace(-12, 12, 240_001, retstep=True)
    density = np.exp(-z * z / 2) / np.sqrt(2 * np.pi)
    mean_square = (apply(name, z) ** 2 * density).sum() * width
    assert ACTIVATIONS[name].gain ** 2 * mean_square == pytest.approx(1, abs=2e-4)


@pytest.mark.parametrize("limit", [0, 10, 1000])
def test_relu_whatever_zeros_are_kept(monkeypatch, limit):
    monkeypatch.setattr(activations, "CACHED_ZEROS", limit)
    x = np.random.default_rng(0).standard_normal((2, 10, 5)).astype(np.float32)
    expected = [max(value, 0) for value in x.ravel().tolist()]
    np.testing.assert_array_equal(apply("relu", x).ravel().tolist(), expected)
