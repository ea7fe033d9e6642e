"""A classifier that tells old from new rows."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import roc_auc_score

from skbn.drift.features import features_of
from skbn.drift.samples import SampleBuilder, draw_rows
from skbn.drift.two_sample import auc_estimate, two_fold_auc, two_sample_test

pytestmark = pytest.mark.slow


def sample_of(old, new, seed=0):
    old, new = pd.DataFrame(old), pd.DataFrame(new)
    rng = np.random.default_rng(seed)
    builder = SampleBuilder(*(draw_rows(len(each), old.shape[1], rng) for each in (old, new)))
    for feature in features_of(old, new):
        builder.add(feature)
    return builder.sample()


def test_auc_agrees_with_scikit_learn():
    stream = np.random.default_rng(0)
    old, new = stream.normal(size=80).round(1), stream.normal(0.5, size=50).round(1)
    weights = stream.uniform(0.1, 3, 80)
    labels, scores = np.repeat([0, 1], [80, 50]), np.concatenate([old, new])
    assert auc_estimate(old, new).value == pytest.approx(roc_auc_score(labels, scores))
    expected = roc_auc_score(labels, scores, sample_weight=[*weights, *np.ones(50)])
    assert auc_estimate(old, new, weights).value == pytest.approx(expected)


@pytest.mark.parametrize("shift", [0.0, 1.0])
def test_intervals_of_the_auc_cover_the_truth_at_their_rate(shift):
    stream, n_covered = np.random.default_rng(0), 0
    expected = 0.5 if shift == 0 else 0.7602499389065233  # Phi(1 / sqrt(2))
    for _ in range(1000):
        found = auc_estimate(stream.normal(size=50), stream.normal(shift, size=50))
        n_covered += found.low <= expected <= found.high
    assert 0.93 < n_covered / 1000 < 0.97


def test_weights_of_old_rows_undo_a_change_of_their_density():
    stream = np.random.default_rng(0)
    old = stream.uniform(size=4000)
    new = stream.uniform(size=16_000)
    new = new[stream.random(16_000) < new]
    assert auc_estimate(old, new).low > 0.6
    found = auc_estimate(old, new, 2 * old)
    assert found.low < 0.5 < found.high
    assert found.high - found.low < 0.05


def test_rows_of_one_distribution_cannot_be_told_apart():
    n_covered = n_above = 0
    for seed in range(40):
        old, new = np.random.default_rng(seed).normal(size=(2, 50, 3))
        sample = sample_of(old, new, seed)
        found = two_fold_auc(sample, two_sample_test(sample, np.random.default_rng(seed)))
        n_covered += found.low <= 0.5 <= found.high
        n_above += found.low > 0.5
    assert n_covered >= 36  # 95 % of 1,000 draws, measured
    assert n_above <= 3


@pytest.mark.parametrize("change", ["offset", "noise", "missing", "category"])
def test_changes_of_every_sort_are_told_and_belong_to_their_column(change):
    stream = np.random.default_rng(0)
    X = pd.DataFrame(stream.normal(size=(1200, 3)).round(1), columns=["a", "b", "c"])
    X["letter"] = stream.choice(list("xyz"), 1200)
    old, new = X[:600], X[600:].reset_index(drop=True)
    column = 3 if change == "category" else 1
    if change == "offset":
        new["b"] += 1
    elif change == "noise":
        new["b"] += stream.normal(0, 0.1, 600)
    elif change == "missing":
        new["b"] = new["b"].mask(stream.random(600) < 0.5)
    else:
        new["letter"] = np.where(stream.random(600) < 0.5, "new", new["letter"])
    sample = sample_of(old, new)
    test = two_sample_test(sample, stream)
    assert two_fold_auc(sample, test).low > 0.6
    assert test.importance.argmax() == column
    assert test.importance[column] > 10 * np.delete(test.importance, column).max() > -1


@pytest.mark.parametrize("n_rows", [2, 3, 5])
def test_few_rows_tell_nothing(n_rows):
    sample = sample_of(np.arange(n_rows * 2.0).reshape(-1, 2), np.zeros((2, 2)))
    found = two_fold_auc(sample, two_sample_test(sample, np.random.default_rng(0)))
    assert 0 <= found.low <= 0.5
    assert np.isfinite(found).all()


def test_columns_without_information_are_no_error():
    sample = sample_of(np.full((30, 2), np.nan), np.full((30, 2), np.nan))
    found = two_fold_auc(sample, two_sample_test(sample, np.random.default_rng(0)))
    assert found.value == 0.5
