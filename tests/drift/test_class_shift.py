"""Whether class proportions explain what moved."""

import numpy as np
import pytest
from scipy import stats
from test_two_sample import sample_of

from skbn.drift.class_shift import (
    class_scores,
    compare_class_scores,
    density_ratio,
    distances_of_columns,
    hotelling_p_value,
)

pytestmark = pytest.mark.slow


def test_hotelling_of_one_variable_is_the_t_test():
    old, new = np.random.default_rng(0).normal(size=(2, 40, 1))
    new = new[:25] + 0.4
    expected = stats.ttest_ind(old[:, 0], new[:, 0]).pvalue
    assert hotelling_p_value(old, new) == pytest.approx(expected)
    twice = [np.hstack([each, -2 * each]) for each in (old, new)]
    assert hotelling_p_value(*twice) == pytest.approx(expected)


def test_hotelling_without_spread_says_nothing():
    assert hotelling_p_value(np.ones((9, 2)), np.zeros((9, 2))) == 1.0


def probabilities_of(x, prior=0.5):
    """P(class 1 | x) where x is normal around -1 and 1, deviation one."""
    odds = prior / (1 - prior) * np.exp(2 * x)
    return np.column_stack([1 / (1 + odds), odds / (1 + odds)])


def rows(stream, n_rows, prior):
    return stream.normal(np.where(stream.random(n_rows) < prior, 1, -1), 1)


def test_rows_a_classifier_was_trained_on_are_no_drift():
    # Labels that mean nothing, known by heart for the old rows alone.
    stream = np.random.default_rng(0)
    p_values = []
    for seed in range(200):
        X = stream.normal(size=(160, 2))
        known = np.repeat([True, False], 80)
        p = np.where(known, stream.random(160) < 0.4, 0.1)
        sample = sample_of(X[known], X[~known], seed)
        rng = np.random.default_rng(seed)
        order = np.concatenate([rng.permutation(80), 80 + rng.permutation(80)])
        of_rows = np.column_stack([1 - p, p])[order]
        p_values.append(compare_class_scores(*class_scores(sample, of_rows)))
    assert np.mean(np.array(p_values) < 0.05) < 0.1
    assert stats.ks_2samp(p[known], p[~known]).pvalue < 1e-6  # as a plain comparison would say


@pytest.mark.parametrize("shift", [0.0, 0.3])
def test_class_scores_move_with_the_classes_alone(shift):
    stream, n_found = np.random.default_rng(0), 0
    for seed in range(200):
        old, new = rows(stream, 150, 0.5), rows(stream, 150, 0.5 + shift)
        sample = sample_of(old[:, None], new[:, None], seed)
        rng = np.random.default_rng(seed)
        old, new = old[rng.permutation(150)], new[rng.permutation(150)]
        p = probabilities_of(np.concatenate([old, new]))
        n_found += compare_class_scores(*class_scores(sample, p)) < 0.05
    assert (n_found / 200 < 0.08) if shift == 0 else (n_found / 200 > 0.9)


def test_ratio_of_densities_is_that_of_the_mixtures():
    x = np.linspace(-3, 3, 7)
    density = np.column_stack([stats.norm.pdf(x, -1), stats.norm.pdf(x, 1)])
    old, new, own = np.array([0.4, 0.6]), np.array([0.9, 0.1]), np.array([0.7, 0.3])
    p = probabilities_of(x, prior=0.3)
    expected = (density @ new) / (density @ old)
    np.testing.assert_allclose(density_ratio(p, own, old, new), expected)


def test_distances_agree_with_scipy():
    stream = np.random.default_rng(0)
    old, new = stream.normal(size=(60, 2)), stream.normal(0.3, size=(45, 2))
    found = distances_of_columns(sample_of(old, new))
    factor = 60 * 45 / 105  # from the mean of squared gaps to the statistic
    for column in (0, 1):
        expected = stats.cramervonmises_2samp(old[:, column], new[:, column]).statistic
        total = found.excess[column] + found.chance[column]
        # scipy takes the middle of steps where the gaps here are after them
        assert total * factor == pytest.approx(expected, abs=0.02)
        assert found.chance[column] * factor == pytest.approx(1 / 6, rel=0.05)


def test_distances_by_chance_are_as_stated_and_gone_under_the_right_weights():
    stream = np.random.default_rng(0)
    totals, ratios = [], []
    for seed in range(100):
        old, new = rows(stream, 400, 0.5), rows(stream, 400, 0.9)
        sample = sample_of(old[:, None], new[:, None], seed)
        sampled = old[np.random.default_rng(seed).permutation(400)]
        weights = density_ratio(
            probabilities_of(sampled), np.array([0.5, 0.5]), np.array([0.5, 0.5]), [0.1, 0.9]
        )
        plain, weighted = distances_of_columns(sample), distances_of_columns(sample, weights)
        totals.append((plain.excess / plain.chance).item())
        ratios.append((weighted.excess / weighted.chance).item())
    assert np.mean(totals) > 10
    assert abs(np.mean(ratios)) < 0.4
