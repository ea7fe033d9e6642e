"""Validation rows, the best epoch, and when training stops."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score, log_loss

from skbn.training.holdout import stratified_rows


def test_training_stops_and_keeps_the_best_epoch(iris, single):
    X, y = iris
    # A few rows at a high rate: the validation loss soon rises.
    model = single(
        max_iter=200, learning_rate="constant", n_iter_no_change=4, tol=0.0, learning_rate_init=0.2
    ).fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    losses = model.history_["validation_loss"]
    best = int(np.argmin(losses))
    assert model.n_iter_ == len(losses) == best + 1 + 4 < 200
    assert min(losses) < 0.9 * losses[-1]
    assert log_loss(y[30:], model.predict_proba(X[30:])) == pytest.approx(min(losses), rel=1e-4)
    assert model.score(X[30:], y[30:]) == model.history_["validation_accuracy"][best]
    assert model.loss_ == model.history_["loss"][best]


def test_the_best_epoch_is_restored_whole(iris, quick, learned):
    # Batch-norm averages come back with the weights: the model is that of a shorter run.
    X, y = iris
    options = {"learning_rate": "constant", "learning_rate_init": 0.2}
    stopped = quick(max_iter=200, n_iter_no_change=4, **options)
    stopped.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    best = int(np.argmin(stopped.history_["validation_loss"])) + 1
    shorter = quick(max_iter=best, **options).fit(X[:30], y[:30])
    for one, other in zip(learned(stopped), learned(shorter), strict=True):
        np.testing.assert_array_equal(one, other)


def test_tol_is_what_counts_as_progress(iris, quick):
    X, y = iris
    model = quick(max_iter=50, tol=100.0, n_iter_no_change=5)
    model.fit(X, y, X_val=X, y_val=y)
    # The first epoch is progress over nothing; no later one falls by 100.
    assert model.n_iter_ == 6
    # The best is kept all the same, though it did not count.
    assert model.loss_ == model.history_["loss"][int(np.argmin(model.history_["validation_loss"]))]


def test_validation_rows_are_not_trained_on(iris, quick):
    X, y = iris
    with pytest.warns(UserWarning, match="does not hold on X_val"):  # their labels are wrong
        watched = quick().fit(X, y, X_val=X[:10], y_val=(y[:10] + 1) % 3)
    assert watched.history_["loss"] == quick().fit(X, y).history_["loss"]


def test_x_val_comes_before_early_stopping(iris, quick, assert_same_model):
    X, y = iris
    models = [
        quick(early_stopping=early).fit(X, y, X_val=X[:10], y_val=y[:10]) for early in (True, False)
    ]
    assert_same_model(*models)


def test_early_stopping_watches_rows_it_set_aside(iris, single, drawn, learned):
    X, y = iris
    model = single(early_stopping=True, validation_fraction=0.2).fit(X, y)
    (rows,) = drawn
    assert np.bincount(y[rows]).tolist() == [10, 10, 10]
    best = min(model.history_["validation_loss"])
    assert log_loss(y[rows], model.predict_proba(X[rows])) == pytest.approx(best, rel=1e-5)
    # The same model comes of handing over those rows apart.
    left = np.setdiff1d(np.arange(len(y)), rows)
    apart = single().fit(X[left], y[left], X_val=X[rows], y_val=y[rows])
    for one, other in zip(learned(model), learned(apart), strict=True):
        np.testing.assert_array_equal(one, other)


def test_validation_counts_weights(iris, single, drawn):
    X, y = iris
    weights = np.random.default_rng(0).uniform(0.1, 5, len(y))
    model = single(early_stopping=True).fit(X, y, sample_weight=weights)
    (rows,) = drawn
    loss = log_loss(y[rows], model.predict_proba(X[rows]), sample_weight=weights[rows])
    assert min(model.history_["validation_loss"]) == pytest.approx(loss, rel=1e-5)


def test_weights_of_the_validation_rows_count(iris, single):
    X, y = iris
    weights = np.random.default_rng(0).uniform(0, 5, 50)
    model = single().fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:], sample_weight_val=weights)
    probabilities = model.predict_proba(X[100:])
    best = int(np.argmin(model.history_["validation_loss"]))
    loss = log_loss(y[100:], probabilities, sample_weight=weights)
    accuracy = accuracy_score(y[100:], model.predict(X[100:]), sample_weight=weights)
    assert model.history_["validation_loss"][best] == pytest.approx(loss, rel=1e-5)
    assert model.history_["validation_accuracy"][best] == pytest.approx(accuracy)


def test_a_class_of_one_row_stays_in_training(iris, quick):
    X, y = iris
    far = np.full((1, 4), 30.0)
    X, y = np.vstack([X, far]), np.append(y, 7)
    model = quick(early_stopping=True, validation_fraction=0.5, max_iter=60, batch_size=76)
    assert model.fit(X, y).predict(far).tolist() == [7]


@pytest.mark.slow
@given(
    counts=st.lists(st.integers(1, 30), min_size=1, max_size=8),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 2**32 - 1),
)
def test_validation_rows_are_stratified(counts, fraction, seed):
    stream = np.random.default_rng(seed)
    labels = stream.permutation(np.repeat(np.arange(len(counts)), counts))
    rows = stratified_rows(labels, fraction, stream)
    assert len(np.unique(rows)) == len(rows)
    taken = np.bincount(labels[rows], minlength=len(counts))
    spare = np.array(counts) - 1
    assert (taken <= spare).all()  # one row of each class is left
    assert len(rows) == min(max(1, round(fraction * len(labels))), spare.sum())
    in_proportion = len(rows) * spare / max(1, spare.sum())
    assert (abs(taken - in_proportion) <= 1).all()


@pytest.mark.parametrize("counts", [(30, 10), (5,) * 20])
def test_every_row_has_the_same_chance_to_be_drawn(counts):
    labels = np.repeat(np.arange(len(counts)), counts)
    stream = np.random.default_rng(0)
    draws = [stratified_rows(labels, 0.1, stream) for _ in range(2000)]
    times = np.bincount(np.concatenate(draws), minlength=len(labels))
    # Five standard deviations are 0.034.
    np.testing.assert_allclose(times / 2000, 0.1, atol=0.04)
