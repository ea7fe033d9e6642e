"""Scores by which callbacks judge: names, functions, and what is neither."""

import re
from types import SimpleNamespace

import numpy as np
import pytest
import sklearn.metrics
from sklearn.metrics import (
    average_precision_score,
    check_scoring,
    get_scorer,
    log_loss,
    make_scorer,
)

from skbn import BNSoftmaxClassifier
from skbn.callbacks import Checkpoint, EarlyStopping, EpochLogger
from skbn.callbacks.early_stopping import best_and_waited
from skbn.callbacks.monitors import Monitor

NAN, INF = float("nan"), float("inf")


def test_a_name_takes_the_weights_of_the_validation_set_and_a_function_does_not(iris, quick):
    X, y = iris
    weights = np.arange(len(y)) + 1.0
    model = quick().fit(X, y)
    proba = model.predict_proba(X)
    scorer = make_scorer(log_loss, greater_is_better=False, response_method="predict_proba")
    for scoring, expected in [
        ("neg_log_loss", -log_loss(y, proba, sample_weight=weights)),
        (scorer, -log_loss(y, proba)),
        (lambda estimator, X, y: np.float32(estimator.score(X, y)), model.score(X, y)),
    ]:
        score = Monitor(scoring, "EarlyStopping").score(model, (X, y, weights))
        assert score == pytest.approx(expected, rel=1e-7)
        assert type(score) is float


@pytest.mark.parametrize(
    "scorer",
    [
        "accuracy",
        get_scorer("average_precision"),
        make_scorer(average_precision_score, pos_label="rare", response_method="predict_proba"),
        check_scoring(BNSoftmaxClassifier()),
    ],
    ids=repr,
)
def test_without_a_validation_set_a_function_gets_the_training_rows_and_a_scorer_is_an_error(
    scorer,
):
    epoch = SimpleNamespace(validation=None)
    assert Monitor(len, "EarlyStopping").rows(epoch, "X", "y") == ("X", "y", None)
    with pytest.raises(ValueError, match=r"X_val= and y_val= to fit, or to the TrainingSession"):
        Monitor(scorer, "EarlyStopping").rows(epoch, "X", "y")


@pytest.mark.parametrize(
    "scorer",
    [
        *("average_precision", "f1", "neg_brier_score"),
        make_scorer(average_precision_score, pos_label="rare"),
    ],
    ids=repr,
)
def test_the_error_of_a_metric_of_one_class_tells_how_to_name_it(iris, quick, scorer):
    X, y = iris
    y = np.where(y == 2, "rare", "common")
    model = quick().fit(X, y)
    with pytest.raises((ValueError, TypeError)) as caught:
        Monitor(scorer, "EarlyStopping").score(model, (X, y, None))
    advice = caught.value.__notes__[-1]
    calls = re.findall(r"monitor=(make_scorer\(.*?\))", advice)
    assert len(calls) == 2
    for call in calls:
        scorer = eval(call, vars(sklearn.metrics))
        assert 0 < Monitor(scorer, "EarlyStopping").score(model, (X, y, None)) <= 1


@pytest.mark.parametrize(
    "score", [{"a": 0.5, "b": 0.7}, [0.5], np.ones(2), "0.5", None, 0.5 + 1j], ids=repr
)
def test_a_score_that_is_not_one_number_is_an_error(score):
    with pytest.raises(TypeError, match=r"EarlyStopping.*must give one number, and gave"):
        Monitor(lambda *_: score, "EarlyStopping").score(object(), ((), (), None))


@pytest.mark.parametrize("score", [0.5, 1, True, np.float16(0.5), np.array(0.5), NAN, -INF])
def test_a_score_is_any_number(score):
    given = Monitor(lambda *_: score, "EarlyStopping").score(object(), ((), (), None))
    np.testing.assert_equal(given, float(score))


def test_an_error_of_a_score_says_whose_it_is():
    with pytest.raises(ZeroDivisionError) as caught:
        Monitor(lambda *_: 1 / 0, "Checkpoint").score(object(), ((), (), None))
    assert "Checkpoint(monitor=" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("callback", "expected"),
    [
        (
            EarlyStopping(monitor="f1", patience=5),
            "EarlyStopping(monitor='f1', patience=5, tol=0.0001)",
        ),
        (
            Checkpoint("a.npz", every=2),
            "Checkpoint(path='a.npz', monitor=None, every=2, training_state=True)",
        ),
        (EpochLogger(print), "EpochLogger(function=<built-in function print>)"),
    ],
)
def test_a_callback_shows_its_parameters(callback, expected):
    assert repr(callback) == expected


@pytest.mark.parametrize(
    ("parameters", "error", "message"),
    [
        ({"monitor": "precision@k"}, ValueError, "get_scorer_names"),
        ({"monitor": average_precision_score}, ValueError, "make_scorer"),
        ({"monitor": ["accuracy"]}, TypeError, "a name of scikit-learn's scorers or a function"),
        ({"monitor": None}, TypeError, "a name of scikit-learn's scorers or a function"),
        ({"monitor": "accuracy", "patience": 0}, ValueError, "patience must be a number of epochs"),
        ({"monitor": "accuracy", "patience": True}, ValueError, "patience must be a number"),
        ({"monitor": "accuracy", "patience": 2.5}, ValueError, "patience must be a number"),
        ({"monitor": "accuracy", "tol": -1e-3}, ValueError, "tol must be a number, 0 or more"),
        ({"monitor": "accuracy", "tol": NAN}, ValueError, "tol must be a number, 0 or more"),
    ],
)
def test_a_parameter_that_is_not_valid_is_an_error_at_once(parameters, error, message):
    with pytest.raises(error, match=message):
        EarlyStopping(**parameters)


@pytest.mark.parametrize(
    ("scores", "tol", "expected"),
    [
        ([], 0.0, (None, 0)),
        ([0.5], 0.0, (1, 0)),
        ([0.5, 0.5, 0.4], 0.0, (1, 2)),
        ([0.5, 0.4, 0.6], 0.0, (3, 0)),
        ([0.50, 0.53, 0.56, 0.59, 0.62], 0.1, (5, 0)),  # slowly, but it rises
        ([0.50, 0.53, 0.56], 0.1, (3, 2)),
        ([0.5, NAN, 0.6, NAN], 0.0, (3, 1)),
        ([NAN, NAN], 0.0, (None, 2)),
        ([NAN, -3.0, NAN], 0.0, (2, 1)),
        ([INF, 1.0], 0.0, (1, 1)),
    ],
)
def test_the_best_epoch_and_how_long_ago_the_last_rise_was(scores, tol, expected):
    assert best_and_waited(dict(enumerate(scores, start=1)), tol) == expected
