"""EarlyStopping in fits, against fits of fewer epochs that nothing stops."""

import pickle

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, fit_population
from skbn.callbacks import EarlyStopping, EpochLogger

pytestmark = pytest.mark.slow

pytest.importorskip("sklearn.callback")


def kept_epoch_by_hand(scores, patience, tol):
    """Give the epoch to keep, and the last one, by the rule as the documentation has it."""
    last_rise, n = 0, 0
    while n - last_rise < patience:
        n += 1
        if scores[n] > scores[last_rise] + tol:
            last_rise = n
    return 1 + int(np.argmax(scores[: n + 1])), n + 1


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("tol", [0.0, 0.01])
def test_the_epoch_that_is_kept_has_the_highest_average_precision(
    imbalanced, constant, fits, scores, calibrate, tol
):
    X, y, X_val, y_val = imbalanced
    kept, last = kept_epoch_by_hand(scores, 5, tol)
    assert kept <= last < 30

    # A patience of the log-loss that alone would stop sooner, at another epoch.
    model = constant(30, calibrate=calibrate, n_iter_no_change=2)
    model.set_callbacks(EarlyStopping(monitor="average_precision", patience=5, tol=tol))
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert model.n_iter_ == last
    assert model.loss_ == model.history_["loss"][kept - 1]
    if not calibrate:
        expected = fits[kept - 1].predict_proba(X_val)
        np.testing.assert_array_equal(model.predict_proba(X_val), expected)


def test_every_member_stops_by_itself(imbalanced, constant):
    X, y, X_val, y_val = imbalanced
    epochs = {0: 0, 1: 0}

    def count(measures, epoch):
        epochs[int("member_1/loss" in measures)] = epoch

    stopping = EarlyStopping(monitor="average_precision", patience=3)
    model = constant(30, n_members=2).set_callbacks(stopping, EpochLogger(count))
    model.fit(X, y, X_val=X_val, y_val=y_val)
    assert epochs[0] == model.n_iter_
    assert epochs[0] != epochs[1]
    assert max(epochs.values()) < 30


def test_the_scores_of_the_last_fit_can_be_looked_at(
    imbalanced, constant, scores, average_precision
):
    X, y, X_val, y_val = imbalanced
    stopping = EarlyStopping(monitor="average_precision", patience=3)
    assert not hasattr(stopping, "scores_")
    model = constant(30, n_members=2, calibrate=False).set_callbacks(stopping)
    model.fit(X, y, X_val=X_val, y_val=y_val)
    table = stopping.scores_
    assert table.columns.tolist() == ["member", "epoch", "score", "is_best"]
    first, second = (table[table["member"] == k] for k in range(2))
    assert first["epoch"].tolist() == list(range(1, model.n_iter_ + 1))
    assert first["score"].tolist() == scores[: model.n_iter_]
    for each in (first, second):
        assert each["is_best"].tolist() == (each["score"] == each["score"].max()).tolist()
    kept = first.loc[first["is_best"], "epoch"].item()
    assert model.loss_ == model.history_["loss"][kept - 1]
    assert len(second) != len(first)

    model.partial_fit(X, y)
    with pytest.raises(ValueError, match="validation set"):
        model.fit(X, y)
    assert stopping.scores_ is table
    model.set_params(n_members=1, max_iter=2).fit(X, y, X_val=X_val, y_val=y_val)
    assert stopping.scores_["score"].tolist() == scores[:2]


def test_after_a_search_the_scores_are_of_the_refit(iris, quick):
    stopping = EarlyStopping(monitor="accuracy")
    model = quick(n_members=1, early_stopping=True).set_callbacks(stopping)
    best = GridSearchCV(model, {"max_iter": [1, 2, 4]}, cv=2).fit(*iris).best_estimator_
    assert stopping.scores_["score"].tolist() == best.history_["validation_accuracy"]


def test_rows_set_aside_are_judged_on(imbalanced, constant):
    X, y, *_ = imbalanced
    seen = []

    def score(estimator, X, y):
        seen.append((X, y))
        return estimator.score(X, y)

    model = constant(2, early_stopping=True, validation_fraction=0.2)
    model.set_callbacks(EarlyStopping(monitor=score)).fit(X, y)
    known = {row.tobytes() for row in X}
    assert [len(rows) for rows, _ in seen] == [180, 180]
    assert {row.tobytes() for row in seen[0][0]} < known
    assert model.history_["validation_accuracy"][0] == pytest.approx(
        np.mean(
            constant(1, early_stopping=True, validation_fraction=0.2).fit(X, y).predict(seen[0][0])
            == seen[0][1]
        )
    )


def test_a_function_judges_on_rows_of_its_own_without_a_validation_set(
    imbalanced, constant, average_precision
):
    X, y, X_val, y_val = imbalanced

    def score(estimator, *_):
        return average_precision(estimator, X_val, y_val)

    given = constant(30, calibrate=False).set_callbacks(EarlyStopping(monitor=score, patience=4))
    named = constant(30, calibrate=False)
    named.set_callbacks(EarlyStopping(monitor="average_precision", patience=4))
    proba = given.fit(X, y).predict_proba(X_val)
    expected = named.fit(X, y, X_val=X_val, y_val=y_val).predict_proba(X_val)
    np.testing.assert_array_equal(proba, expected)
    assert given.n_iter_ == named.n_iter_ < 30


def test_a_name_without_a_validation_set_is_an_error_and_changes_nothing(iris, quick):
    model = quick().fit(*iris)
    before = model.predict_proba(iris[0])
    epochs = []
    logger = EpochLogger(lambda *call: epochs.append(call))
    model.set_callbacks(logger, EarlyStopping(monitor="accuracy"))
    with pytest.raises(ValueError, match="needs a validation set, and there is none"):
        model.fit(*iris)
    assert not epochs
    np.testing.assert_array_equal(model.predict_proba(iris[0]), before)


def test_partial_fit_is_not_stopped(iris, quick, assert_same_model):
    stopped = quick().set_callbacks(EarlyStopping(monitor="accuracy", patience=1))
    for model in (free := quick(), stopped):
        for _ in range(3):
            model.partial_fit(*iris, classes=[0, 1, 2])
    assert_same_model(stopped, free)


def test_scores_that_are_never_a_number_stop_with_a_warning(iris, quick):
    model = quick(max_iter=9).set_callbacks(
        EarlyStopping(monitor=lambda *_: float("nan"), patience=3)
    )
    with pytest.warns(UserWarning, match="stops without a best epoch: no score in 3 epochs"):
        model.fit(*iris)
    assert model.n_iter_ == 3


def test_one_object_serves_fits_at_once_and_one_after_another(imbalanced, constant):
    X, y, X_val, y_val = imbalanced
    validation = {"X_val": X_val, "y_val": y_val}
    rates = [0.003, 0.03]

    def made(rate, stopping):
        return constant(30, learning_rate_init=rate).set_callbacks(stopping)

    alone = [
        made(rate, EarlyStopping(monitor="average_precision", patience=3)).fit(X, y, **validation)
        for rate in rates
    ]
    shared = pickle.loads(pickle.dumps(EarlyStopping(monitor="average_precision", patience=3)))
    models = [made(rate, shared) for rate in rates]
    for fitted in (
        fit_population(models, X, y, **validation),
        [clone(model).fit(X, y, **validation) for model in models],
    ):
        for model, expected in zip(fitted, alone, strict=True):
            assert model.n_iter_ == expected.n_iter_ < 30
            np.testing.assert_array_equal(model.predict_proba(X_val), expected.predict_proba(X_val))


def test_a_pipeline_is_told_to_set_it_on_its_last_step(iris, quick):
    pipeline = make_pipeline(StandardScaler(), quick())
    pipeline.set_callbacks(EarlyStopping(monitor="accuracy"))
    with pytest.raises(TypeError, match=r"pipeline\[-1\]\.set_callbacks\(EarlyStopping"):
        pipeline.fit(*iris)


def test_the_log_loss_has_no_say_while_there_is_no_score(iris):
    calls = []

    def late(*_):
        calls.append(None)
        return float("nan") if len(calls) < 8 else 1.0

    model = BNSoftmaxClassifier(
        (4,), max_iter=9, n_members=1, early_stopping=True, n_iter_no_change=1, tol=10.0
    )
    model.set_callbacks(EarlyStopping(monitor=late, patience=20)).fit(*iris)
    assert model.n_iter_ == len(calls) == 9


@pytest.mark.parametrize("tol", ["a", None, [1], -1, float("inf"), float("nan")])
def test_a_tolerance_that_is_none_is_refused(tol):
    with pytest.raises(ValueError, match="tol must be a number"):
        EarlyStopping(monitor="accuracy", tol=tol)
