"""Class priors from probabilities: against closed forms, slow loops and grids."""

import re

import numpy as np
import pytest
from scipy.optimize import brentq
from scipy.stats import binomtest, norm

from skbn.drift.priors import bootstrap_interval, estimate_class_prior


def posteriors(rng, old, new, n_rows, separation=1.5):
    """Probabilities under the old priors of rows that come with the new ones, of normal classes."""
    old, new = np.asarray(old, dtype=float), np.asarray(new, dtype=float)
    centres = rng.normal(size=(len(old), 3)) * separation
    X = centres[rng.choice(len(old), n_rows, p=new)] + rng.normal(size=(n_rows, 3))
    joint = np.exp(norm.logpdf(X[:, None] - centres).sum(axis=2)) * old
    return joint / joint.sum(axis=1, keepdims=True)


def log_likelihood(probabilities, old, new):
    ratio = np.divide(new, old, out=np.zeros(len(old)), where=np.asarray(old) > 0)
    return np.log(probabilities @ ratio).mean()


def slow_estimate(probabilities, old, n_steps=20_000):
    """The procedure of Saerens, Latinne and Decaestecker as they print it."""
    new = np.array(old, dtype=float)
    for _ in range(n_steps):
        adjusted = probabilities * (new / old)
        adjusted /= adjusted.sum(axis=1, keepdims=True)
        new = adjusted.mean(axis=0)
    return new


@pytest.mark.parametrize("old", [0.5, 0.2, 0.97])
@pytest.mark.parametrize("n_likely", [3, 50, 160])
def test_two_distinct_probabilities_have_the_root_of_a_linear_equation(old, n_likely):
    # Rows with p = a n_likely times, and b the other times: the slope is zero where
    # n_likely (A - 1) / (1 + w (A - 1)) + n_other (B - 1) / (1 + w (B - 1)) = 0 for the ratios.
    n_rows, a, b = 200, 0.9, 0.3
    A, B = (p * (1 - old) / ((1 - p) * old) for p in (a, b))
    share = n_likely / n_rows
    root = -(share / (B - 1) + (1 - share) / (A - 1))
    if share * (A - 1) + (1 - share) * (B - 1) <= 0:  # it falls from the start
        root = 0
    elif share * (1 - 1 / A) + (1 - share) * (1 - 1 / B) >= 0:  # it rises to the end
        root = 1
    p = np.r_[np.full(n_likely, a), np.full(n_rows - n_likely, b)]
    new = estimate_class_prior(np.c_[1 - p, p], [1 - old, old])
    expected = np.maximum([1 - root, root], np.array([1 - old, old]) / (n_rows + 1))
    np.testing.assert_allclose(new, expected / expected.sum(), atol=1e-6)


@pytest.mark.parametrize("new", [0.1, 0.3, 0.8])
def test_two_classes_have_the_root_of_the_score(new):
    old = np.array([0.6, 0.4])
    probabilities = posteriors(np.random.default_rng(0), old, [1 - new, new], 500)
    ratios = probabilities / old
    difference = ratios[:, 1] - ratios[:, 0]
    root = brentq(lambda w: np.mean(difference / (ratios[:, 0] + w * difference)), 1e-9, 1 - 1e-9)
    np.testing.assert_allclose(estimate_class_prior(probabilities, old)[1], root, atol=1e-6)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(4))
def test_estimate_is_that_of_the_slow_procedure(seed):
    rng = np.random.default_rng(seed)
    old, new = rng.dirichlet(np.full(5, 3.0), size=2)
    probabilities = posteriors(rng, old, new, 400)
    expected = slow_estimate(probabilities, old)
    np.testing.assert_allclose(estimate_class_prior(probabilities, old), expected, atol=1e-5)


def test_no_point_of_a_grid_over_three_classes_is_more_likely():
    old = np.array([0.5, 0.3, 0.2])
    probabilities = posteriors(np.random.default_rng(3), old, [0.1, 0.2, 0.7], 300, 0.5)
    best = log_likelihood(probabilities, old, estimate_class_prior(probabilities, old))
    steps = np.linspace(0, 1, 41)
    grid = [np.array([a, b, 1 - a - b]) for a in steps for b in steps if a + b < 1]
    assert best > max(log_likelihood(probabilities, old, np.maximum(new, 0)) for new in grid)


def test_impossible_class_stays_impossible():
    old = np.array([0.5, 0.0, 0.5])
    p = np.random.default_rng(0).dirichlet([1, 1, 1], size=100)
    new = estimate_class_prior(p, old)
    expected = estimate_class_prior(p[:, [0, 2]], [0.5, 0.5])
    np.testing.assert_allclose(new[[0, 2]], expected, atol=1e-8)
    assert new[1] == 0
    np.testing.assert_array_equal(bootstrap_interval(p, old)[1], [0, 0])


def test_certain_rows_are_counted():
    counts = np.array([70, 20, 10])
    new = estimate_class_prior(np.repeat(np.eye(3), counts, axis=0), [0.2, 0.2, 0.6])
    np.testing.assert_allclose(new, counts / 100, atol=1e-9)


def test_rows_that_no_possible_class_explains_tell_nothing():
    old = np.array([0.5, 0.5, 0.0])
    p = np.array([[0.9, 0.1, 0.0], [0.2, 0.8, 0.0], [0.0, 0.0, 1.0], [0.0, 0.0, 1.0]])
    expected = estimate_class_prior(p[:2], old)
    np.testing.assert_allclose(estimate_class_prior(p, old), expected, atol=1e-12)
    np.testing.assert_array_equal(estimate_class_prior(p[2:], old), old)
    low, high = bootstrap_interval(p[2:], old).T
    assert ((low <= old) & (old <= high)).all()


def test_class_that_no_row_shows_keeps_its_part_of_one_row():
    p = np.array([[0.8, 0.2, 0.0]])
    new = estimate_class_prior(p, [0.5, 0.25, 0.25])
    # Both ratios of the first two are 1.6 and 0.8: the likelihood is greatest at the first alone.
    np.testing.assert_allclose(new, np.array([1, 0.125, 0.125]) / 1.25, atol=1e-6)


def test_many_classes_and_extreme_numbers_are_finite():
    rng = np.random.default_rng(0)
    old = np.r_[1e-290, rng.dirichlet(np.ones(999))]
    p = rng.dirichlet(np.full(1000, 0.01), size=100)
    p[0] = np.eye(1000)[0]
    p[1] *= 1e-280
    new = estimate_class_prior(p, old)
    assert (new > 0).all()
    np.testing.assert_allclose(new.sum(), 1)


def test_what_the_rows_come_in_does_not_matter():
    rng = np.random.default_rng(1)
    old = np.array([0.4, 0.3, 0.3])
    p = posteriors(rng, old, [0.1, 0.6, 0.3], 200)
    new = estimate_class_prior(p, old)
    for same in (p[::-1], np.repeat(p, 2, axis=0), 7 * p, p.tolist()):
        np.testing.assert_allclose(estimate_class_prior(same, 3 * old), new, atol=1e-6)


@pytest.mark.parametrize(
    ("probabilities", "old", "message"),
    [
        (np.ones((4, 2)) / 2, [0.2, 0.3, 0.5], "got (4, 2) and (3,)"),
        (np.ones(4), [0.5, 0.5], "got (4,) and (2,)"),
        (np.ones((0, 2)), [0.5, 0.5], "got (0, 2)"),
        ([[np.nan, 1]], [0.5, 0.5], "probabilities must be finite"),
        ([[-0.5, 1.5]], [0.5, 0.5], "probabilities must be finite"),
        ([[0.5, 0.5]], [0, 0], "old_prior must be finite"),
        ([[0.5, 0.5]], [np.inf, 1], "old_prior must be finite"),
    ],
)
def test_errors(probabilities, old, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        estimate_class_prior(probabilities, old)


def test_interval_covers_the_priors_of_the_population():
    rng = np.random.default_rng(0)
    old, new = np.array([0.5, 0.3, 0.2]), np.array([0.2, 0.3, 0.5])
    covered = []
    for _ in range(100):
        p = posteriors(rng, old, new, 150)
        low, high = bootstrap_interval(p, old, n_replicates=100).T
        covered.append((low <= new) & (new <= high))
    # Of 300 intervals of 95 %; by percentiles of 100 replicates they are a little short.
    assert 0.9 <= np.mean(covered) <= 0.98


def test_interval_of_a_class_that_no_row_is_of_is_that_of_clopper_and_pearson():
    p = np.repeat(np.eye(3)[:2], [30, 20], axis=0)
    low, high = bootstrap_interval(p, [0.4, 0.3, 0.3])[2]
    assert low < 0.01
    np.testing.assert_allclose(high, binomtest(0, 50).proportion_ci(0.95).high)


def test_interval_of_part_of_the_rows_is_scaled_to_all(monkeypatch):
    p = posteriors(np.random.default_rng(0), [0.5, 0.5], [0.2, 0.8], 3000)
    whole = bootstrap_interval(p, [0.5, 0.5])
    monkeypatch.setattr("skbn.drift.priors.MAX_REPLICATE_ROWS", 500)
    part = bootstrap_interval(p, [0.5, 0.5])
    np.testing.assert_allclose(np.diff(part), np.diff(whole), rtol=0.25)
    np.testing.assert_allclose(part.mean(axis=1), whole.mean(axis=1), atol=0.01)


def test_interval_is_a_matter_of_its_seed():
    p = posteriors(np.random.default_rng(0), [0.5, 0.5], [0.2, 0.8], 100)
    one, same = (bootstrap_interval(p, [0.5, 0.5], random_state=0) for _ in range(2))
    np.testing.assert_array_equal(one, same)
    assert (one != bootstrap_interval(p, [0.5, 0.5], random_state=1)).any()
    estimate = estimate_class_prior(p, [0.5, 0.5])
    assert (one[:, 0] < estimate).all()
    assert (estimate < one[:, 1]).all()


@pytest.mark.parametrize("block", [1, 1000])
def test_interval_does_not_hang_on_blocks(monkeypatch, block):
    p = posteriors(np.random.default_rng(0), [0.5, 0.5], [0.2, 0.8], 100)
    whole = bootstrap_interval(p, [0.5, 0.5])
    monkeypatch.setattr("skbn.drift.priors.BLOCK_ELEMENTS", block)
    np.testing.assert_allclose(bootstrap_interval(p, [0.5, 0.5]), whole, atol=1e-8)
