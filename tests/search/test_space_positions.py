"""Values of a space have positions on its coordinates."""

import numpy as np
import pytest
from scipy.stats import loguniform, randint, uniform

from skbn.search.distributions import hidden_layers, log_randint, one_minus_loguniform
from skbn.search.space import Space


@pytest.mark.parametrize(
    "distribution",
    [
        loguniform(1e-4, 1),
        uniform(-1, 2),
        randint(3, 9),
        one_minus_loguniform(0.9, 0.999),
        log_randint(16, 512),
        [1, 2, 5, 10],
        [0.5, 0.1, 0.0],
        ["first", None],
        [True, False],
    ],
    ids=str,
)
def test_positions_are_those_of_the_distribution(distribution):
    space = Space({"a": distribution, "b": [1, 2]})
    for place in (0.01, 0.3, 0.5, 0.77, 0.99):
        params = space.decode(np.array([place, 0.5]))
        expected = space.encode(params)[0]
        assert space.position("a", params["a"]) == pytest.approx(expected, abs=1e-5)


def test_positions_of_a_parameter_of_several_coordinates():
    space = Space({"a": hidden_layers((1, 4), (32, 256), shape=["constant", "funnel"])})
    layers, units, shape = space.encode({"a": (100, 50, 25)})
    assert space.position("a: layers", 3) == pytest.approx(layers, abs=1e-5)
    assert space.position("a: units", 100) == pytest.approx(units, abs=1e-5)
    assert space.position("a: shape", "funnel") == pytest.approx(shape, abs=1e-5)
