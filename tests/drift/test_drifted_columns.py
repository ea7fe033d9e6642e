"""Effects and p-values of columns."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from skbn.drift.columns import (
    compare_categories,
    compare_column,
    compare_missing,
    compare_numbers,
    table_of_columns,
)
from skbn.drift.features import features_of

LEVEL = 0.0125


def table(old, new, level=LEVEL):
    found = list(features_of(pd.DataFrame(old), pd.DataFrame(new)))
    return table_of_columns([f.name for f in found], [compare_column(f) for f in found], level)


@pytest.mark.parametrize("seed", range(6))
def test_numbers_agree_with_scipy(seed):
    stream = np.random.default_rng(seed)
    old, new = stream.normal(size=150), stream.gamma(2, size=90 + 17 * seed)
    if seed % 2:  # ties
        old, new = old.round(), new.round()
    found = compare_numbers(old, new)
    expected = stats.ks_2samp(old, new, method="asymp").pvalue
    assert found.p_value == pytest.approx(expected, rel=1e-9)
    distance = stats.wasserstein_distance(old, new)
    assert found.effect == pytest.approx(distance / old.std(), rel=1e-9)


def test_numbers_of_any_scale_have_the_same_effect():
    stream = np.random.default_rng(0)
    old, new = stream.uniform(-1, 1, 100), stream.uniform(-1, 1.5, 100)
    expected = compare_numbers(old, new)
    for scale in (1e-300, 1e300):
        assert compare_numbers(old * scale, new * scale) == pytest.approx(expected)


@pytest.mark.parametrize(
    ("old", "new", "effect", "p_value"),
    [([], [1.0], 0, 1), ([2.0] * 9, [2.0] * 9, 0, 1), ([1.0] * 50, [3.0] * 50, 2, 0)],
)
def test_numbers_without_spread_have_finite_effects(old, new, effect, p_value):
    found = compare_numbers(np.array(old), np.array(new))
    assert found == pytest.approx((effect, p_value), abs=1e-12)


def test_categories_agree_with_scipy():
    stream = np.random.default_rng(0)
    old, new = stream.integers(0, 4, 200), stream.integers(1, 5, 120)
    counts = np.array([np.bincount(each, minlength=5) for each in (old, new)])
    found = compare_categories(old.astype(float), new.astype(float))
    assert found.p_value == pytest.approx(stats.chi2_contingency(counts).pvalue, rel=1e-9)
    shares = counts / counts.sum(axis=1, keepdims=True)
    assert found.effect == pytest.approx(np.abs(np.diff(shares, axis=0)).sum() / 2)


@pytest.mark.parametrize("n_missing", [(0, 3), (5, 5), (400, 500)])
def test_missing_cells_agree_with_scipy(n_missing):
    n_rows = 1000
    old, new = (np.arange(n_rows) < each for each in n_missing)
    counts = [[each, n_rows - each] for each in n_missing]
    expected = stats.fisher_exact(counts)[1]
    assert compare_missing(old, new) == pytest.approx(expected)


def test_p_values_are_adjusted_over_all_columns():
    stream = np.random.default_rng(0)
    found = table(stream.normal(size=(200, 9)), stream.normal(size=(200, 9)) + np.arange(9) / 9)
    expected = stats.false_discovery_control(found["p_value"])
    np.testing.assert_allclose(found["p_adjusted"], expected)
    np.testing.assert_array_equal(
        found["drifted"], (expected < LEVEL) & (found["effect"] >= 0.1).to_numpy()
    )


def test_missing_cells_are_drift_and_count_among_the_tests():
    stream = np.random.default_rng(0)
    old, new = stream.normal(size=(2, 300, 2))
    new[:90, 1] = np.nan
    found = table(old, new)
    assert found["drifted"].tolist() == [False, True]
    p_values = [*found["p_value"], found["missing_p_value"].iloc[1]]
    expected = stats.false_discovery_control(p_values)
    assert found["p_adjusted"].iloc[1] == pytest.approx(expected[2])
    assert found["missing_new"].tolist() == [0, 0.3]


def test_small_moves_of_many_rows_are_beyond_chance_and_no_drift():
    stream = np.random.default_rng(0)
    found = table(stream.normal(size=(50_000, 1)), stream.normal(size=(50_000, 1)) + 0.05)
    assert found["p_adjusted"].iloc[0] < 1e-6
    assert not found["drifted"].iloc[0]


def test_identifiers_and_free_text_do_not_drift():
    old = {"id": [f"a{i}" for i in range(300)], "text": [f"word {i % 150}" for i in range(300)]}
    new = {"id": [f"b{i}" for i in range(300)], "text": [f"word {i % 140}" for i in range(300)]}
    found = table(old, new)
    assert found["effect"].max() < 0.1
    assert not found["drifted"].any()
    assert found["new_categories"].tolist() == pytest.approx([1, 0])
    assert found["new_category_names"].iloc[0] == ["b0", "b1", "b2", "b3", "b4"]


@pytest.mark.slow
def test_columns_of_one_distribution_are_called_drifted_at_the_stated_rate():
    stream = np.random.default_rng(0)
    n_alarms = 0
    for _ in range(1000):
        cells = stream.normal(size=(200, 3))
        letters = stream.choice(list("abc"), 200)
        frame = pd.DataFrame(cells).mask(stream.random(cells.shape) < 0.1).assign(letter=letters)
        frame.columns = list("nmkl")
        n_alarms += table(frame[:100], frame[100:])["drifted"].any()
    assert n_alarms / 1000 < LEVEL + 3 * np.sqrt(LEVEL / 1000)
    assert n_alarms > 0


@pytest.mark.parametrize("n", [2, 4, 20])
def test_few_numbers_have_the_exact_p_value(n):
    old, new = np.arange(n) + 0.0, np.arange(n) + 100.0
    expected = stats.ks_2samp(old, new, method="exact").pvalue
    np.testing.assert_allclose(compare_numbers(old, new).p_value, expected, rtol=1e-12)
    assert compare_numbers(old[:2], new[:2]).p_value > 0.3
