"""The panda, whole: a rate too high on the second day, taken back on the third."""

from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_digits
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split

from skbn import BNSoftmaxClassifier, TrainingSession

pytestmark = pytest.mark.slow

SECOND_DAY = {"learning_rate_init": 0.1}
THIRD_DAY = {"learning_rate_init": 0.006, "learning_rate": "constant", "dropout": 0.1}
PATIENCE, LAST = 4, 60


@pytest.fixture(scope="module")
def data():
    X, y = load_digits(return_X_y=True)
    return train_test_split(X / 16, y, test_size=0.4, random_state=0)


@pytest.fixture(scope="module")
def network():
    return BNSoftmaxClassifier((32,), max_iter=30, n_members=1, calibrate=False, random_state=0)


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    return tmp_path_factory.mktemp("story") / "run.sqlite"


@pytest.fixture(scope="module")
def story(data, network, journal):
    """Three days, each of which ends with the file."""
    X, X_val, y, y_val = data
    tables = {"X": X, "y": y, "X_val": X_val, "y_val": y_val, "verbose": 0}
    with TrainingSession(network, journal=journal, **tables) as session:
        session.train(8)
    with TrainingSession.open(journal, **tables) as session:
        session.set_params(**SECOND_DAY).train(6)
    with TrainingSession.open(journal, **tables) as session:
        session.rewind(8).set_params(**THIRD_DAY).train(until=LAST, patience=PATIENCE)
    return session


@pytest.fixture(scope="module")
def by_hand(data, network):
    """The same decisions with partial_fit, set_params and a copy: the days, epoch by epoch."""
    X, X_val, y, y_val = data

    def next_epoch(model):
        return deepcopy(model).partial_fit(X, y, classes=np.unique(y))

    def loss(model):
        return log_loss(y_val, model.predict_proba(X_val))

    first = [next_epoch(network)]
    while len(first) < 8:
        first.append(next_epoch(first[-1]))
    second = [next_epoch(deepcopy(first[-1]).set_params(**SECOND_DAY))]
    while len(second) < 6:
        second.append(next_epoch(second[-1]))
    third = [next_epoch(deepcopy(first[-1]).set_params(**THIRD_DAY))]
    to_beat, waited = min(map(loss, first)), 0
    while True:
        has_progress = loss(third[-1]) < to_beat - network.tol
        to_beat, waited = (loss(third[-1]), 0) if has_progress else (to_beat, waited + 1)
        if waited == PATIENCE:
            return first, second, third
        third.append(next_epoch(third[-1]))


@pytest.fixture(scope="module")
def days(story):
    """The epochs in the log of each day."""
    log = story.log_
    epochs = log[log["event"] == "epoch"]
    return epochs[:8], epochs[8:14], epochs[14:]


@pytest.mark.slow
def test_the_log_tells_the_whole_story(story):
    log, n_last = story.log_, story.epoch_
    events = [("epoch", epoch, 0, "session") for epoch in range(1, 9)]
    events += [("change", 8, 0, "session")]
    events += [("epoch", epoch, 0, "session") for epoch in range(9, 15)]
    events += [("rewind", 8, 1, "session"), ("change", 8, 1, "session")]
    events += [("epoch", epoch, 1, "session") for epoch in range(9, n_last + 1)]
    events += [("stop", n_last, 1, "patience")]
    columns = log[["event", "epoch", "branch", "asked_by"]]
    assert list(columns.itertuples(index=False, name=None)) == events
    changes = log[log["event"] == "change"]
    assert changes["learning_rate_init"].tolist() == [0.1, 0.006]
    assert changes["learning_rate_schedule"].tolist()[1:] == ["constant"]
    assert changes["dropout"].tolist()[1:] == [0.1]
    others = log[log["event"] != "change"]
    assert others[["learning_rate_init", "learning_rate_schedule", "dropout"]].isna().all(axis=None)


def test_the_rate_of_the_second_day_is_too_high_and_the_third_mends_it(days):
    first, second, third = (day["validation_loss"] for day in days)
    assert second.max() > 2 * first.iloc[-1]
    assert third.iloc[0] < first.iloc[-1] < second.min()
    assert third.min() < 0.7 * first.iloc[-1]


@pytest.mark.slow
def test_every_epoch_is_that_of_partial_fit_to_the_last_bit(days, by_hand, data):
    _, X_val, _, y_val = data
    for log, models in zip(days, by_hand, strict=True):
        assert log["loss"].tolist() == [model.loss_ for model in models]
        rates = [model.history_["learning_rate"][-1] for model in models]
        assert log["learning_rate"].tolist() == rates
        losses = [log_loss(y_val, model.predict_proba(X_val)) for model in models]
        np.testing.assert_allclose(log["validation_loss"], losses, rtol=1e-6)


def test_the_estimator_is_that_of_the_best_epoch_of_partial_fit(story, by_hand, data):
    _, X_val, _, y_val = data
    first, _, third = by_hand
    line = [*first, *third]
    best = min(line, key=lambda model: log_loss(y_val, model.predict_proba(X_val)))
    assert best is not line[-1]
    kept = story.estimator_
    assert kept.get_params() == best.get_params()
    assert kept.history_["loss"] == third[-1].history_["loss"]
    np.testing.assert_array_equal(kept.predict_proba(X_val), best.predict_proba(X_val))


@pytest.mark.slow
def test_a_replay_gives_the_same_bits(story, journal, data):
    X, X_val, y, y_val = data
    before = journal.read_bytes()
    again = TrainingSession.replay(journal, X, y, X_val=X_val, y_val=y_val, verbose=0)
    assert journal.read_bytes() == before
    pd.testing.assert_frame_equal(again.log_, story.log_, check_exact=True)
    kept, expected = again.estimator_, story.estimator_
    np.testing.assert_array_equal(kept.predict_proba(X_val), expected.predict_proba(X_val))
    # And both go on alike.
    again.train(2)
    with TrainingSession.open(journal, X, y, X_val=X_val, y_val=y_val, verbose=0) as session:
        losses = session.train(2).log_["loss"]
    assert again.log_["loss"].tail(2).tolist() == losses.tail(2).tolist()
