import math

import numpy as np
import pytest

from skbn.network.schedules import SCHEDULES, multipliers

each_schedule = pytest.mark.parametrize("name", SCHEDULES)


def multiplier(name, progress, epoch=0, decay=0.0, warmup=0.0):
    arguments = (np.asarray(value, dtype=float) for value in (progress, epoch, decay, warmup))
    return multipliers(name, *arguments)


@each_schedule
def test_begins_at_the_peak_without_a_warm_up(name):
    assert multiplier(name, 0) == 1


@each_schedule
@pytest.mark.parametrize("progress", [1.0, 1.5, 100.0])
def test_never_falls_below_the_floor(name, progress):
    assert 0.01 <= multiplier(name, progress, epoch=10 * progress, decay=5.0) <= 1


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
def test_ends_at_the_floor_and_stays_there(name):
    np.testing.assert_array_equal(multiplier(name, [1.0, 1.2, 50.0]), 0.01)


@pytest.mark.parametrize("name", ["inverse_time", "exponential"])
def test_decays_to_the_floor(name):
    assert multiplier(name, 0.5, epoch=1000, decay=3.0) == 0.01


def test_constant():
    np.testing.assert_array_equal(multiplier("constant", [0, 0.5, 1, 20], decay=3.0), 1)


@pytest.mark.parametrize("decay", [0.0, 0.1, 1.0])
def test_inverse_time(decay):
    """lr / (1 + decay * epoch), the course's."""
    for epoch in range(10):
        value = multiplier("inverse_time", epoch / 5, epoch, decay)
        assert value == pytest.approx(1 / (1 + decay * epoch))


def test_exponential():
    """The course's 0.95^epoch."""
    for epoch in range(20):
        value = multiplier("exponential", epoch / 5, epoch, -math.log(0.95))
        assert value == pytest.approx(0.95**epoch)


def test_cosine():
    progress = [0, 1 / 6, 1 / 3, 1 / 2, 2 / 3]
    expected = [1, (2 + math.sqrt(3)) / 4, 0.75, 0.5, 0.25]
    np.testing.assert_allclose(multiplier("cosine", progress), expected)


def test_one_cycle():
    """Up over the first 30 %, unless the user names another share, then straight down."""
    own = multiplier("one_cycle", [0, 0.15, 0.3, 0.65, 0.825, 1], warmup=np.nan)
    np.testing.assert_allclose(own, [0.04, 0.52, 1, 0.5, 0.25, 0.01])
    named = multiplier("one_cycle", [0, 0.05, 0.1, 0.55], warmup=0.1)
    np.testing.assert_allclose(named, [0.04, 0.52, 1, 0.5])


@each_schedule
def test_warm_up_is_linear_from_four_percent(name):
    warming = multiplier(name, [0, 0.05, 0.1, 0.15], warmup=0.2)
    np.testing.assert_allclose(warming, [0.04, 0.28, 0.52, 0.76])
    assert multiplier(name, 0.2, warmup=0.2) == pytest.approx(1)
    assert multiplier(name, 0.2 - 1e-9, warmup=0.2) == pytest.approx(1)


@pytest.mark.parametrize("name", ["cosine", "one_cycle"])
def test_what_follows_a_warm_up_is_the_whole_curve(name):
    progress = np.linspace(0, 1, 11)
    after = multiplier(name, 0.2 + 0.8 * progress, warmup=0.2)
    np.testing.assert_allclose(after, multiplier(name, progress), atol=1e-12)


@each_schedule
def test_only_one_cycle_warms_up_by_itself(name):
    assert (multiplier(name, 0, warmup=np.nan) < 1) == (name == "one_cycle")


@each_schedule
def test_a_warm_up_of_no_step_and_an_endless_decay_do_not_overflow(name):
    progress, epoch = np.array([0, 0.5, 1, 2]), np.array([0, 1, 2, 4])
    largest = multiplier(name, progress, epoch, decay=1.7e308, warmup=5e-324)
    np.testing.assert_array_equal(largest[1:], multiplier(name, progress, epoch, 1e9)[1:])
    assert largest[0] == 0.04


@each_schedule
def test_members_side_by_side(name):
    progress = np.linspace(0, 1.5, 7)[:, None, None] * np.array([[1.0], [0.5], [2.0]])
    epoch = np.floor(4 * progress)
    decay, warmup = np.array([[0.0], [0.3], [2.0]]), np.array([[np.nan], [0.0], [0.4]])
    together = multipliers(name, progress, epoch, decay, warmup)
    assert together.shape == (7, 3, 1)
    for step in range(7):
        for k in range(3):
            alone = multiplier(name, progress[step, k], epoch[step, k], decay[k], warmup[k])
            assert together[step, k] == alone
