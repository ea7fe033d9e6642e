"""The history of a fit, and what it prints."""

import numpy as np
import pandas as pd
import pytest

from skbn.network.schedules import SCHEDULES


def test_history_is_a_table_of_epochs(iris, quick):
    X, y = iris
    history = pd.DataFrame(quick(max_iter=10).fit(X, y).history_)
    assert set(history) == {"loss", "learning_rate", "gradient_norm", "seconds"}
    assert len(history) == 10
    assert history.notna().all(axis=None)
    assert (history > 0).all(axis=None)
    assert history["loss"].iloc[-1] < history["loss"].iloc[0] / 2


@pytest.mark.parametrize("how", ["early_stopping", "X_val"])
def test_history_with_a_validation_set(iris, quick, how):
    X, y = iris
    if how == "X_val":
        model = quick().fit(X, y, X_val=X[:20], y_val=y[:20])
    else:
        model = quick(early_stopping=True).fit(X, y)
    history = pd.DataFrame(model.history_)
    measured = {"loss", "learning_rate", "gradient_norm", "seconds"}
    assert set(history) == measured | {"validation_loss", "validation_accuracy"}
    assert history["validation_accuracy"].between(0, 1).all()


@pytest.mark.parametrize("smoothing", [0.0, 0.3])
def test_loss_is_the_mean_over_the_rows_without_the_penalty(iris, steady, smoothing):
    # A full batch's loss is met before its step, which a tiny rate hardly changes.
    X, y = iris
    options = {"hidden_layer_sizes": (), "max_iter": 1, "learning_rate_init": 1e-12}
    model = steady(alpha=10.0, label_smoothing=smoothing, **options).fit(X, y)
    taught = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    by_hand = -np.mean(np.sum(taught * model.predict_log_proba(X), axis=1))
    assert model.history_["loss"] == [model.loss_]
    assert model.loss_ == pytest.approx(by_hand, rel=1e-9)


@pytest.mark.parametrize("n_batches", [1, 3])
def test_gradient_norm_is_that_of_the_loss_and_a_mean_over_the_batches(iris, steady, n_batches):
    X, y = iris
    model = steady(
        hidden_layer_sizes=(), max_iter=1, learning_rate_init=1e-12, alpha=10.0, shuffle=False
    )
    model.set_params(batch_size=150 // n_batches).fit(X, y)
    error = model.predict_proba(X) - np.eye(3)[y]
    norms = []
    for rows in np.split(np.arange(150), n_batches):
        weights, biases = X[rows].T @ error[rows] / len(rows), error[rows].mean(axis=0)
        norms.append(np.sqrt(np.sum(weights**2) + np.sum(biases**2)))
    assert model.history_["gradient_norm"] == [pytest.approx(np.mean(norms), rel=1e-9)]


def test_small_last_batches_weigh_less_in_the_loss(iris, steady):
    # 150 rows in batches of 40 are four batches of 38, 38, 37 and 37.
    X, y = iris
    options = {"hidden_layer_sizes": (), "max_iter": 1, "learning_rate_init": 1e-12}
    in_parts = steady(batch_size=40, **options).fit(X, y)
    assert in_parts.loss_ == pytest.approx(steady(**options).fit(X, y).loss_, rel=1e-9)


def triangle(t):
    """One cycle over eight epochs, as documented: 30 % up from 4 %, then down."""
    return 0.04 + 0.96 * t / 2.4 if t < 2.4 else max(0.01, 1 - (t - 2.4) / 5.6)


BY_EPOCH = {
    "constant": lambda t: 1.0,
    "inverse_time": lambda t: 1 / (1 + 0.5 * t),
    "exponential": lambda t: 0.01 if t > 9 else np.exp(-0.5 * t),
    "cosine": lambda t: max(0.01, (1 + np.cos(np.pi * t / 8)) / 2),
    "one_cycle": triangle,
}


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_history_shows_the_schedule(iris, quick, learning_rate):
    model = quick(
        learning_rate=learning_rate, learning_rate_init=0.2, learning_rate_decay=0.5, max_iter=8
    ).fit(*iris)
    expected = [0.2 * BY_EPOCH[learning_rate](t) for t in range(8)]
    np.testing.assert_allclose(model.history_["learning_rate"], expected, rtol=1e-5)


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_warmup_comes_before_any_schedule(iris, quick, learning_rate):
    model = quick(
        learning_rate=learning_rate, learning_rate_init=1.0, warmup_fraction=0.5, max_iter=4
    ).fit(*iris)
    np.testing.assert_allclose(model.history_["learning_rate"][:2], [0.04, 0.52], rtol=1e-5)


@pytest.mark.parametrize(("verbose", "n_lines"), [(0, 0), (False, 0), (1, 3), (True, 3)])
def test_verbose_prints_a_line_an_epoch(iris, quick, capsys, verbose, n_lines):
    quick(verbose=verbose).fit(*iris)
    printed, errors = capsys.readouterr()
    assert errors == ""
    lines = printed.splitlines()
    assert len(lines) == n_lines
    assert all(f"{i}/3" in line and "loss" in line for i, line in enumerate(lines, start=1))
