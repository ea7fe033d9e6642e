"""Where candidates are drawn: sizes of rounds, and the surrogate that chooses among draws."""

import numpy as np
import pytest
from scipy.stats import uniform

from skbn.search.space import Space
from skbn.search.study import Study
from skbn.search.surrogate import Surrogate
from skbn.search.zoom import draw_round, round_sizes

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("n_rounds", [1, 2, 3, 7])
@pytest.mark.parametrize("n_candidates", [7, 8, 25, 60])
def test_sizes_of_rounds(n_candidates, n_rounds):
    sizes = round_sizes(n_candidates, n_rounds)
    assert len(sizes) == n_rounds
    assert sum(sizes) == n_candidates
    assert min(sizes) >= 1
    assert len(set(sizes[1:])) <= 1
    if n_rounds > 1 and n_candidates >= 25:
        assert 0.5 <= sizes[0] / n_candidates <= 0.65


def play(score, space, seed=0, sizes=(30, 15, 15)):
    """Search for the best of a function of the unit cube."""
    study = Study(seed, n_splits=1)
    for size in sizes:
        trials, bounds = draw_round(space, study, size)
        study.add_round(trials, bounds)
        for trial in trials:
            trial.add(0, 0, {"test_scores": score(trial.unit)})
    return study


@pytest.fixture(scope="module")
def space():
    return Space({name: uniform(0, 1) for name in "abcd"})


def test_zooming_finds_better_than_as_many_global_draws(space):
    def score(unit):
        return -np.sum((unit - [0.2, 0.7, 0.5, 0.9]) ** 2 * [1, 1, 0.1, 0])

    zoomed = [play(score, space, seed) for seed in range(5)]
    spread = [play(score, space, seed, sizes=(60,)) for seed in range(5)]
    best = [[max(t.score(None, 0) for t in s.trials) for s in group] for group in (zoomed, spread)]
    assert np.median(best[0]) > np.median(best[1]) / 4


def test_noise_does_not_mislead_it_as_it_misleads_the_best_score():
    rng, space = np.random.default_rng(0), Space({name: uniform(0, 1) for name in "abc"})
    study = play(lambda unit: -abs(unit[0] - 0.3) + 0.1 * rng.normal(), space)
    last = np.array([t.unit[0] for t in study.trials if t.round == 2 and t.draw == "local"])
    assert abs(np.median(last) - 0.3) < 0.1


def test_a_region_that_the_first_round_missed_can_still_be_found(space):
    study = play(lambda unit: -unit[0], space)
    later = [t for t in study.trials if t.round > 0 and t.draw == "global"]
    assert len(later) == 4
    assert max(t.unit[0] for t in later) > 0.5


def test_draws_do_not_change_with_the_last_bits_of_scores(space):
    first = play(lambda unit: -np.sum(unit**2), space)
    second = play(lambda unit: -np.sum(unit**2) * (1 + 1e-14), space)
    for one, other in zip(first.trials, second.trials, strict=True):
        np.testing.assert_array_equal(one.unit, other.unit)


def test_choices_without_an_order_follow_the_best():
    space = Space({"kind": ["p", "q", "r", "s", "t"], "a": uniform(0, 1)})
    study = play(lambda unit: float(0.4 <= unit[0] < 0.6), space)
    kinds = [space.decode(t.unit)["kind"] for t in study.trials if t.round == 2]
    assert kinds.count("r") > 10


def test_the_surrogate_tells_a_function_from_noise(space):
    rng = np.random.default_rng(0)
    units = rng.uniform(size=(60, 4))
    scores = np.sin(3 * units[:, 0]) + 0.05 * rng.normal(size=60)
    order = np.argsort(-scores)
    surrogate = Surrogate(space, units[order], scores[order].tolist())
    new = rng.uniform(size=(50, 4))
    truth = np.maximum(np.sin(3 * new[:, 0]), np.quantile(scores, 0.2))
    np.testing.assert_allclose(surrogate.means(new), truth, atol=0.15)
    samples = surrogate.samples(new, [1])
    drawn = np.array([next(samples) for _ in range(500)])
    np.testing.assert_allclose(drawn.mean(axis=0), surrogate.means(new), atol=0.05)
    within = abs(truth - drawn.mean(axis=0)) < 3 * drawn.std(axis=0)
    assert within.mean() > 0.8
