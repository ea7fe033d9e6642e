"""Losses of the range test are those of fits by hand, and suggestions follow from them."""

import pickle

import numpy as np
import pandas as pd
import pytest
from recording import Recording
from sklearn.base import clone
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.network.losses import LOSSES
from skbn.search.learning_rates import (
    CAUTION,
    check_rates,
    judged_losses,
    measure_rates,
    suggest_rate,
)

pytestmark = pytest.mark.slow

RATES = check_rates(1e-3, 1, 4)
COLUMNS = ["learning_rate", "loss", "validation_loss"]


def by_hand(classifier, rate, n_epochs, X, y, sample_weight=None):
    """Losses of a fit at a rate."""
    alone = {"n_members": 1, "calibrate": False, "warm_start": False}
    watched = {"early_stopping": True, "validation_fraction": 0.2, "n_iter_no_change": 100}
    made = clone(classifier).set_params(
        learning_rate_init=rate, max_iter=n_epochs, **alone, **watched
    )
    history = made.fit(X, y, sample_weight).history_
    assert len(history["loss"]) == n_epochs
    return history["loss"][-1], history["validation_loss"][-1]


@pytest.mark.parametrize(
    "params",
    [
        {},
        {"solver": "sgd", "learning_rate": "one_cycle", "dropout": 0.2},
        {"hidden_layer_sizes": (), "dtype": "float64"},
        {"n_members": 3, "class_weight": "balanced", "tol": 10.0},
        {"early_stopping": True, "validation_fraction": 0.5, "n_iter_no_change": 1},
        {"warm_start": True, "learning_rate": "constant"},
        {"loss": "focal", "focal_gamma": 0.5, "label_smoothing": 0.2},
    ],
)
@pytest.mark.parametrize("weighted", [False, True])
def test_losses_are_those_of_a_fit_at_each_rate(iris, quick, params, weighted):
    X, y = iris
    model = quick(**{"max_iter": 9} | params).fit(X, y)
    weights = np.linspace(0, 2, len(y)) if weighted else None
    curve, _ = measure_rates(model, X, y, RATES, 4, weights)
    assert curve.columns.tolist() == COLUMNS
    for rate, *losses in curve.itertuples(index=False):
        assert tuple(losses) == by_hand(model, rate, 4, X, y, weights)


@pytest.mark.parametrize("loss", LOSSES)
def test_nothing_is_learned_from_noise(quick, loss):
    """Of a rare class, whose frequency is far from the best guess by the focal loss."""
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((1000, 3)), rng.random(1000) < 0.03
    curve, guess = measure_rates(quick(loss=loss), X, y, RATES, 5)
    assert np.isnan(suggest_rate(RATES, judged_losses(curve), guess).rate)


def test_a_training_is_no_longer_than_that_of_the_model(iris, quick):
    X, y = iris
    curve, _ = measure_rates(quick(max_iter=2), X, y, RATES, 5)
    assert curve["loss"][0] == by_hand(quick(), RATES[0], 2, X, y)[0]


def test_guessing_has_the_loss_of_the_frequencies(iris, quick):
    X, y = iris  # a fifth of which, 30 rows, is left out
    guesses = [
        measure_rates(quick(class_weight=class_weight), X, y, RATES, 1)[1]
        for class_weight in (None, "balanced")
    ]
    assert guesses == pytest.approx([np.log(3)] * 2, rel=1e-3)
    rare = np.arange(len(y)) % 15 == 0
    _, guess = measure_rates(quick(), X, rare, RATES, 1)
    of_10 = [
        -(left / 30 * np.log((10 - left) / 120) + (1 - left / 30) * np.log((110 + left) / 120))
        for left in (1, 2, 3)
    ]
    assert min(abs(guess - each) for each in of_10) < 1e-6


def mixed_table():
    """A frame with text and missing cells, and its labels."""
    stream = np.random.default_rng(0)
    frame = pd.DataFrame({"size": stream.normal(size=90), "kind": ["a", "b", None] * 30})
    answers = np.where(frame["size"] + (frame["kind"] == "a") > 0.3, "yes", "no")
    frame.loc[::7, "size"] = np.nan
    return frame, answers


def for_mixed_tables(classifier):
    return make_pipeline(
        make_column_transformer(
            (make_pipeline(SimpleImputer(), StandardScaler()), ["size"]),
            (OneHotEncoder(sparse_output=False), ["kind"]),
        ),
        classifier,
    )


def test_a_pipeline_transforms_the_rows_once(quick):
    frame, answers = mixed_table()
    model = for_mixed_tables(quick())
    curve, _ = measure_rates(model, frame, answers, RATES, 2)
    X = clone(model[:-1]).fit_transform(frame)
    pd.testing.assert_frame_equal(curve, measure_rates(quick(), X, answers, RATES, 2)[0])
    alone = measure_rates(make_pipeline(quick()), X, answers, RATES, 2)[0]
    pd.testing.assert_frame_equal(curve, alone)


@pytest.mark.parametrize("random_state", [0, None, np.random.RandomState(1)])
@pytest.mark.parametrize("is_fitted", [False, True])
def test_the_model_stays_as_it_is(quick, random_state, is_fitted):
    frame, answers = mixed_table()
    model = for_mixed_tables(quick(random_state=random_state, warm_start=True))
    if is_fitted:
        model.fit(frame, answers)
    before = pickle.dumps(model)
    curve = measure_rates(model, frame, answers, RATES, 2)[0]
    assert pickle.dumps(model) == before
    again = measure_rates(model, frame, answers, RATES, 2)[0]
    assert curve.equals(again) == (random_state is not None)


def test_callbacks_of_the_model_are_not_called(iris, quick):
    pytest.importorskip("sklearn.callback")
    recording = Recording(stop=lambda *_: True)
    model = quick().set_callbacks(recording)
    curve = measure_rates(make_pipeline(model), *iris, RATES, 3)[0]
    assert not recording.heard
    pd.testing.assert_frame_equal(curve, measure_rates(quick(), *iris, RATES, 3)[0])
    model.fit(*iris)
    assert recording.heard


def test_without_a_seed_all_rates_have_the_same_start(iris, quick):
    curve, _ = measure_rates(quick(random_state=None), *iris, np.array([1e-12, 1e-11, 1e-10]), 1)
    assert np.ptp(curve["validation_loss"]) < 1e-6


def test_training_diverges_beyond_the_rate_that_the_penalty_allows(iris):
    """A penalty of 1 multiplies weights by 1 - rate at each step, above 2 without end."""
    X, y = iris
    model = BNSoftmaxClassifier(
        (),
        solver="sgd",
        momentum=0.0,
        nesterovs_momentum=False,
        learning_rate="constant",
        alpha=1.0,
        batch_size=6,
        max_iter=5,
        random_state=0,
    )
    rates, n_steps = check_rates(0.01, 100, 16), 5 * 20
    curve, guess = measure_rates(model, X, y, rates, 5)
    growth = n_steps * np.log10(np.abs(1 - rates))
    limit = np.log10(np.finfo(np.float32).max)
    assert (np.abs(growth - limit) > 3).all()
    np.testing.assert_array_equal(curve["validation_loss"].isna(), growth > limit)
    assert (curve["validation_loss"][rates > 2].dropna() > 1e3).all()
    suggestion = suggest_rate(rates, curve["validation_loss"], guess)
    assert suggestion.rate < 2 / CAUTION
    first = rates[growth > limit][0]
    assert f"diverged at {(growth > limit).sum()}, the lowest {first:.2g}" in suggestion.reason


# Suggestions.


@pytest.mark.parametrize("n_rates", [8, 16, 32])
@pytest.mark.parametrize("lowest", [2e-4, 0.0123, 0.5])
def test_half_of_the_lowest_point_of_a_parabola_is_suggested(n_rates, lowest):
    rates = check_rates(1e-5, 10, n_rates)
    losses = 0.1 + 0.01 * np.log(rates / lowest) ** 2
    suggestion = suggest_rate(rates, losses, 5.0)
    assert suggestion.rate == pytest.approx(lowest / CAUTION, rel=0.02)
    tried = f"{rates[losses.argmin()]:.2g}"
    bottom = "" if tried == f"{lowest:.2g}" else f", the bottom of the curve at {lowest:.2g}"
    assert f" the loss was lowest at {tried}{bottom}. " in suggestion.reason
    assert f"Half of that, {suggestion.rate:.2g}, is suggested" in suggestion.reason
    assert not suggestion.is_doubtful
    losses[rates > 100 * lowest] = np.nan
    assert suggest_rate(rates, losses, 5.0).rate == suggestion.rate


NONE, INFINITE = float("nan"), float("inf")


@pytest.mark.parametrize(
    ("losses", "rate", "words"),
    [
        ([1, 2, 3, 4], 0.001, "an end of the range, beyond which better ones may lie: lower low"),
        ([4, 3, 2, 1], 0.5, "an end of the range, beyond which better ones may lie: raise high"),
        ([1.2, 1, 4, 5], 0.0018, "lowest at 0.01, the bottom of the curve at 0.0037. Half of that"),
        ([1.1, 1, 1.1, 5], 0.005, "lowest at 0.01. Half of that, 0.005, is suggested"),
        ([4, 3, 1, NONE], 0.05, "lowest at 0.1. Half of that, .* diverged at 1, the lowest 1$"),
        ([NONE, 3, 1, INFINITE], 0.05, "diverged at 2, the lowest 0.001$"),
        ([4, 1, INFINITE, NONE], 0.005, "diverged at 2, the lowest 0.1$"),
        (
            [NONE] * 4,
            NONE,
            "diverged at all 4 rates from 0.001 to 1, so none is suggested; lower low, scale",
        ),
        ([NONE, INFINITE, NONE, NONE], NONE, "diverged at all 4 rates"),
        (
            [6, 5, 4.99, 7],
            NONE,
            "Nothing was learned at 4 rates .* look at the labels, .*StandardScaler",
        ),
        ([6, 5.5, 5.2, 5.1], NONE, "Nothing was learned at 4 rates .* raise high, or"),
        ([5, 6, 7, NONE], NONE, "Nothing was learned at 4 rates .* lower low, or"),
        ([4, 1, 1, 1], 0.016, "lowest at 0.01, the bottom of the curve at 0.032"),
    ],
)
def test_a_suggestion_says_why(losses, rate, words):
    suggestion = suggest_rate(RATES, losses, 5.0)
    assert np.array_equal(suggestion.rate, rate, equal_nan=True), suggestion
    assert pd.Series([suggestion.reason]).str.contains(words).all(), suggestion.reason
    is_at_end = np.nanargmin(losses) in (0, 3) if np.isfinite(losses).any() else True
    assert suggestion.is_doubtful == (np.isnan(rate) or is_at_end)
    assert 1e-3 <= rate <= 1 or np.isnan(rate)


@pytest.mark.parametrize(
    ("second", "guessing_loss", "rate"),
    [
        (0.90, 5.0, 0.05),  # the first of two valleys, where their losses are much the same
        (0.84, 5.0, 0.05),
        (0.80, 5.0, 5.0),
        (0.90, 1.1, 5.0),  # compared to what is learned, the difference is large
    ],
)
def test_the_first_of_two_valleys_is_preferred(second, guessing_loss, rate):
    rates = np.geomspace(0.001, 1000, 7)
    losses = [3, 2, 1, 2, second, 2, np.nan]
    suggestion = suggest_rate(rates, losses, guessing_loss)
    assert suggestion.rate == pytest.approx(rate, rel=0.3)
    both = "lowest at 10, and little higher at 0.1. Half of that, 0.05, is suggested"
    assert (both in suggestion.reason) == (rate < 1)
    assert not suggestion.is_doubtful


@pytest.mark.parametrize(
    ("losses", "guessing_loss", "words"),
    [
        ([3, 1.2, 1, 1.1, 1.21, 2], 5.0, "From 0.01 to 1 the loss was at most 1.2 (20 % above"),
        ([1.1, 1.2, 1, 1.1, 1.21, 1.2], 5.0, "From 0.001 to 1 the loss was at most 1.2 (20 %"),
        ([3, 1.2, 1, 1.1, 1.2, 2], 1.5, "From 0.1 to 1 the loss was at most 1.1 (10 % above"),
        (
            [3, 2, 1, 2, NONE, NONE],
            5.0,
            "At 0.1, but not beside it, the loss was at most 1.2 (20 %",
        ),
        ([3, 2, 1.2, 2, 1, NONE], 5.0, "At 0.1, but not beside it, the loss was at most 1.2 (20 %"),
        ([3, 0, 0, 1, 2, 4], 5.0, "From 0.01 to 0.1 the loss was at most 0"),
    ],
)
def test_a_suggestion_says_where_the_loss_is_little_higher(losses, guessing_loss, words):
    """By a fifth of the lowest loss, or of what it gains on guessing if that is less."""
    reason = suggest_rate(np.geomspace(0.001, 100, 6), losses, guessing_loss).reason
    assert f". {words}" in reason
    assert ("%" in reason) == ("%" in words)


def test_half_of_a_rate_may_lie_below_the_range():
    rates = np.geomspace(1, 10, 16)
    suggestion = suggest_rate(rates, 1 + np.abs(np.arange(16) - 1), 5.0)
    assert suggestion.rate == 1
    assert suggestion.is_doubtful
    assert "lowest at 1.2. Half of that is below the range: lower low" in suggestion.reason


@pytest.mark.parametrize(
    ("pipeline", "message"),
    [
        (StandardScaler(), "model must be a BNSoftmaxClassifier or a Pipeline that ends in one"),
        (Pipeline([("scale", StandardScaler())]), "a Pipeline that ends in StandardScaler"),
    ],
)
def test_other_models_are_refused(iris, pipeline, message):
    with pytest.raises(TypeError, match=message):
        measure_rates(pipeline, *iris, RATES, 1)
