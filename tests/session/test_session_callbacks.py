"""What scikit-learn's callbacks hear of a session, and what their answers do."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from threading import Lock, Thread

import numpy as np
import pandas as pd
import pytest
import sklearn
from recording import (
    HAS_CALLBACKS,
    Handed,
    ProgressBar,
    Recording,
    ScoringMonitor,
    needs_callbacks,
)
from session_checks import (
    SMALL,
    assert_same_log,
    assert_same_model,
    opened,
    session_on,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, TrainingSession
from skbn.callbacks import Checkpoint, EarlyStopping
from skbn.export import load_model
from skbn.session.journal import request_text
from skbn.session.words import event_words

pytestmark = pytest.mark.slow

HELD_OUT = [
    {"validation": False},
    {"validation": True},
    {"validation": False, "early_stopping": True},
]


def heard_by(session, **options):
    """A recording of what a session does from now on."""
    recording = Recording(**options)
    session.set_callbacks(recording)
    return recording


def last_event(session):
    return tuple(session.log_.iloc[-1][["event", "asked_by", "epoch"]])


@pytest.mark.skipif(HAS_CALLBACKS, reason="scikit-learn has callbacks")
def test_an_older_scikit_learn_is_named(digits):
    session = session_on(digits)
    with pytest.raises(NotImplementedError, match=rf"1\.9 or newer.*{sklearn.__version__}"):
        session.set_callbacks(Recording())
    assert session.train(1).epoch_ == 1


# What is heard.


@needs_callbacks
def test_a_call_is_a_task_of_members_of_epochs(digits):
    session = session_on(digits)
    recording = heard_by(session)
    assert session.train(2) is session
    whole = [
        ("setup", "train", (0,)),
        ("begin", "train", (0,)),
        ("begin", "member", (0, 0)),
        ("begin", "epoch", (0, 0, 0)),
        ("begin", "member", (0, 1)),
        ("begin", "epoch", (0, 1, 0)),
        ("end", "epoch", (0, 0, 0)),
        ("end", "epoch", (0, 1, 0)),
        ("begin", "epoch", (0, 0, 1)),
        ("begin", "epoch", (0, 1, 1)),
        ("end", "epoch", (0, 0, 1)),
        ("end", "epoch", (0, 1, 1)),
        ("end", "member", (0, 0)),
        ("end", "member", (0, 1)),
        ("end", "train", (0,)),
        ("teardown", "train", (0,)),
    ]
    assert recording.heard == whole
    session.train(until=2)
    assert recording.heard == whole
    session.train(until=4)
    assert recording.heard == 2 * whole
    session.set_callbacks().train(1)
    assert recording.heard == 2 * whole


@needs_callbacks
def test_a_network_that_only_calibrates_is_no_member(digits):
    session = session_on(digits, validation=False, n_members=1)
    recording = heard_by(session, stop=lambda context, _: context.task_name == "epoch")
    session.train(5)
    assert recording.of("end", "epoch") == [(0, 0, 0)]
    assert [each.state.n_epochs for each in session.estimator_._progress] == [1, 1]


@needs_callbacks
def test_members_out_of_patience_have_no_epochs(digits):
    session = session_on(digits, n_members=3, learning_rate_init=0.03)
    recording = heard_by(session)
    session.train(until=40, patience=2)
    epochs = [path[1] for path in recording.of("end", "epoch")]
    ends = [each.state.n_epochs for each in session.estimator_._progress]
    assert [epochs.count(k) for k in range(3)] == ends
    assert len(set(ends)) > 1
    assert last_event(session) == ("stop", "patience", max(ends))
    n_heard = len(recording.heard)
    with pytest.warns(UserWarning, match="nothing was trained"):
        session.train(1, patience=2)
    assert len(recording.heard) == n_heard


@needs_callbacks
@pytest.mark.parametrize("held_out", HELD_OUT, ids=str)
@pytest.mark.parametrize("params", [{}, {"n_members": 1}, {"calibrate": False}], ids=str)
def test_scores_are_those_of_fit(digits, held_out, params):
    X, y, X_val, y_val = digits
    params = {"max_iter": 4, "n_iter_no_change": 9, "learning_rate": "constant"} | params
    validation, early = held_out["validation"], held_out.get("early_stopping", False)
    monitors = [ScoringMonitor(scoring="neg_log_loss") for _ in range(2)]
    model = BNSoftmaxClassifier(**SMALL, **params, early_stopping=early)
    given = {"X_val": X_val, "y_val": y_val} if validation else {}
    model.set_callbacks(monitors[0]).fit(X, y, **given)
    session = session_on(digits, validation=validation, early_stopping=early, **params)
    session.set_callbacks(monitors[1]).train(4)
    scores, own = (each.get_logs().data_as_pandas for each in monitors)
    pd.testing.assert_frame_equal(
        own.drop(columns="task_name"), scores.drop(columns="task_name"), check_exact=True
    )
    assert len(own) == 5 * params.get("n_members", 2) + 1


@needs_callbacks
@pytest.mark.parametrize("held_out", HELD_OUT, ids=str)
def test_the_model_of_a_call_is_that_of_the_session_and_shares_nothing(digits, held_out):
    X_val = digits[2]
    kept = []
    session = session_on(digits, **held_out, learning_rate_init=0.03)
    heard_by(session, look=lambda model: kept.append((model, model.predict_proba(X_val))))
    session.train(3)
    assert_same_model(kept[-1][0], session.estimator_, X_val)
    session.train(3)
    for model, before in kept:
        np.testing.assert_array_equal(model.predict_proba(X_val), before)


@needs_callbacks
@pytest.mark.parametrize("has_validation_set", [False, True])
def test_rows_of_a_pipeline_are_those_that_its_classifier_meets(digits, has_validation_set):
    X, y, X_val, y_val = digits
    X, X_val = (pd.DataFrame(each).rename(columns="pixel{}".format) for each in (X, X_val))
    weights, weights_val = np.linspace(1, 2, len(X)), np.linspace(2, 1, len(X_val))
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weights_val}
    scaler, found = StandardScaler().set_output(transform="pandas"), []

    class Looking(Recording):
        def on_fit_task_end(self, estimator, context, *, X, y, metadata, fitted_estimator):
            if hasattr(context, "epoch"):
                found.append((X, y, metadata, context.epoch.validation, context.epoch.number))
                assert fitted_estimator.score(X, y) > 0.2

    classifier = BNSoftmaxClassifier(**SMALL, early_stopping=not has_validation_set)
    model = make_pipeline(scaler, classifier.set_callbacks(Looking()))
    given = given if has_validation_set else {}
    TrainingSession(model, X, y, weights, **given, verbose=0).train(2)
    assert [each[-1] for each in found] == [1, 1, 2, 2]
    rows = scaler.fit_transform(X, y).astype("float32")
    n_val = len(X_val) if has_validation_set else 60
    for own_X, own_y, metadata, validation, _ in found:
        pd.testing.assert_frame_equal(own_X, rows)
        np.testing.assert_array_equal(own_y, y)
        np.testing.assert_array_equal(metadata["sample_weight"], weights)
        assert [len(each) for each in validation] == [n_val] * 3
        assert list(validation[0].columns) == list(X.columns)
    if has_validation_set:
        held_out = scaler.transform(X_val).astype("float32")
        pd.testing.assert_frame_equal(validation[0], held_out)
        np.testing.assert_array_equal(validation[2], weights_val)


@needs_callbacks
def test_callbacks_of_a_pipeline_are_handed_on_and_those_of_a_session_are_instead(digits):
    X, y, *_ = digits
    handed, plain = Handed(), Recording()
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(**SMALL).set_callbacks(plain))
    session = TrainingSession(model.set_callbacks(handed), X, y, verbose=0).train(1)
    assert handed.heard[:2] == [("setup", "train", (0,)), ("begin", "train", (0,))]
    assert handed.heard[2] == ("begin", "train", (0, 0))
    assert handed.heard[-2:] == [("end", "train", (0,)), ("teardown", "train", (0,))]
    assert handed.of("end", "epoch") == plain.of("end", "epoch") == [(0, 0, 0, 0), (0, 0, 1, 0)]
    fitted = session.estimator_
    assert fitted.predict_proba(X).shape == (len(X), 10)
    # As after a fit, and ready for another one.
    fitted.fit(X, y)
    assert handed.of("end", "fit")[-1] == (0,)
    n_heard, bar = len(handed.heard), Handed()
    assert session.set_callbacks(bar).train(1).epoch_ == 2
    assert len(handed.heard) == n_heard
    assert bar.of("end", "epoch") == [(0, 0, 0), (0, 1, 0)]


@needs_callbacks
def test_callbacks_that_cannot_be_copied_stay_as_they_are(digits, tmp_path):
    X, y, *_ = digits
    recording = Handed()
    recording.lock = Lock()
    classifier = BNSoftmaxClassifier(**SMALL)
    model = make_pipeline(StandardScaler(), classifier).set_callbacks(recording)
    path = str(tmp_path / "run.sqlite")
    with TrainingSession(model, X, y, journal=path, verbose=0) as session:
        session.train(2)
        assert session.estimator_.score(X, y) > 0.5
    n_heard = len(recording.heard)
    # The file holds the Pipeline without them.
    with TrainingSession.open(path, X, y, verbose=0) as again:
        assert again.train(1).epoch_ == 3
    assert len(recording.heard) == n_heard


@needs_callbacks
def test_a_progress_bar_shows_members_and_epochs(digits, capsys):
    X, y, *_ = digits
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(**SMALL))
    session = TrainingSession(model.set_callbacks(ProgressBar()), X, y).train(2)
    shown, own = capsys.readouterr()
    assert "train-final-estimator" in shown
    assert "member #1" in shown
    assert not own
    session.set_callbacks(Recording()).train(2)
    shown, own = capsys.readouterr()
    assert not shown
    assert "epoch 4 of 4" in own
    session.set_callbacks(ProgressBar()).set_params(alpha=0.1).train(2)
    shown, own = capsys.readouterr()
    assert "member #1" in shown
    assert not own


@needs_callbacks
def test_present_parameters_are_seen(digits):
    session = session_on(digits)
    recording = heard_by(session, look=lambda model: model.alpha)
    session.train(1).set_params(alpha=0.5).train(1)
    assert [look for *_, look in recording.looks] == [0.01] * 5 + [0.5] * 5
    assert recording.estimators[-1].alpha == 0.5


# What their answers do.


@needs_callbacks
def test_a_stop_is_of_one_member_and_the_last_one_ends_the_call(digits):
    session = session_on(digits, n_members=3)
    stops = {(0, 1, 0), (0, 0, 2), (0, 2, 3)}
    recording = Recording(stop=lambda context, _: path_at(context) in stops)
    session.set_callbacks(recording).train(until=20, patience=15)
    ends = [each.state.n_epochs for each in session.estimator_._progress]
    assert ends == [3, 1, 4]
    assert last_event(session) == ("stop", "callback", 4)
    assert recording.heard[-1] == ("teardown", "train", (0,))
    log = session.log_
    assert (log.event == "stop").sum() == 1
    # The next call is for all of them.
    session.set_callbacks().train(2)
    assert [each.state.n_epochs for each in session.estimator_._progress] == [5, 3, 6]
    assert event_words(session._training.log.events[4], 4) == "after 4: stop (callback)"


def path_at(context):
    return (0, context.parent.task_id, context.task_id) if context.task_name == "epoch" else None


@needs_callbacks
def test_a_stop_at_the_last_epoch_is_no_early_one(digits):
    session = session_on(digits)
    heard_by(session, stop=lambda *_: True)
    session.train(1)
    assert last_event(session) == ("epoch", "session", 1)
    session.train(1)
    assert last_event(session) == ("epoch", "session", 2)


@needs_callbacks
def test_patience_that_was_spent_before_ends_a_call_after_an_epoch_and_says_so(digits):
    stopping = EarlyStopping(monitor="accuracy", patience=2, tol=1.0)
    session = session_on(digits).set_callbacks(stopping)
    assert session.train(20).epoch_ == 3
    for epoch in (4, 5):
        with pytest.warns(UserWarning, match="one epoch was trained: a callback stopped it again"):
            session.train(20)
        assert last_event(session) == ("stop", "callback", epoch)
    # Epochs of which one is all that was asked for, a change, and another patience.
    assert session.train(1).epoch_ == 6
    assert session.set_params(alpha=0.1).train(20).epoch_ == 9
    assert session.rewind(8).train(20).epoch_ == 11
    stopping = EarlyStopping(monitor="accuracy", patience=1, tol=1.0)
    assert session.set_callbacks(stopping).train(20).epoch_ == 13


@needs_callbacks
def test_no_member_is_left_when_patience_ends_one_and_a_callback_the_other(digits):
    session = session_on(digits, learning_rate_init=0.03)
    heard_by(session, stop=lambda context, _: path_at(context) == (0, 0, 0))
    session.train(until=40, patience=2)
    ends = [each.state.n_epochs for each in session.estimator_._progress]
    assert ends[0] == 1
    assert last_event(session) == ("stop", "callback", ends[1])


@needs_callbacks
@pytest.mark.parametrize(
    "act",
    [lambda s: s.set_params(alpha=0.1), lambda s: s.rewind(1), lambda s: s.rewind(2)],
    ids=["change", "rewind", "rewind to the same epoch"],
)
def test_a_change_and_a_rewind_begin_anew(digits, act):
    session, notes = session_on(digits), []

    class Acting(Recording):
        def on_fit_task_end(self, estimator, context):
            if not hasattr(context, "epoch"):
                return False
            epoch = context.epoch
            notes.append((epoch.member, epoch.number, dict(epoch.notes)))
            epoch.notes[epoch.number] = epoch.member
            if (epoch.member, epoch.number, len(notes)) == (1, 2, 4):
                act(session)
            return len(notes) == 3  # the first member, after two epochs

    session.set_callbacks(Acting()).train(1)
    session.train(until=4)
    assert notes[:4] == [(0, 1, {}), (1, 1, {}), (0, 2, {1: 0}), (1, 2, {1: 1})]
    assert [each[2] for each in notes[4:6]] == [{}, {}]
    assert [each[:2] for each in notes[-2:]] == [(0, 4), (1, 4)]
    assert session.epoch_ == 4


@needs_callbacks
def test_what_is_asked_for_at_a_terminal_is_done_beside(digits, tmp_path):
    path = str(tmp_path / "run.sqlite")
    asked = {
        (0, 1, 1): request_text("change", {"alpha": 0.1}),
        (0, 1, 3): request_text("rewind", epoch=1),
        (0, 1, 5): request_text("stop"),
    }

    def ask(context, _):
        if text := asked.get(path_at(context)):
            with closing(sqlite3.connect(path)) as db, db:
                db.execute("INSERT INTO requests (time, content) VALUES (0, ?)", (text,))

    with session_on(digits, journal=path) as session:
        recording = heard_by(session, stop=ask)
        session.train(until=5)
        events = session.log_[["event", "epoch"]].to_numpy().tolist()
    epochs = [["epoch", epoch] for epoch in (1, 2, 3, 4)]
    assert events == [
        *epochs[:2],
        ["change", 2],
        *epochs[2:],
        ["rewind", 1],
        *epochs[1:3],
        ["stop", 3],
    ]
    assert recording.heard[-2:] == [("end", "train", (0,)), ("teardown", "train", (0,))]


class Asking(Recording):
    """Asks a session for something in a hook, once."""

    def __init__(self, ask, hook, task="epoch", path=(0, 0, 2)):
        super().__init__()
        self.ask, self.at, self.epochs = ask, (hook, task, path), []

    def _hear(self, what, context, estimator):
        super()._hear(what, context, estimator)
        if what == "end" and hasattr(context, "epoch"):
            self.epochs.append((context.epoch.member, context.epoch.number))
        if self.heard[-1] == self.at:
            self.at = None
            self.ask()


PANDA = {
    "change": lambda session: session.set_params(alpha=0.1),
    "rewind": lambda session: session.rewind(1),
    "both": lambda session: session.rewind(1).set_params(alpha=0.1),
    "twice": lambda session: session.set_params(alpha=0.1).rewind(2).set_params(dropout=0.1),
}


@needs_callbacks
@pytest.mark.parametrize("hook", ["begin", "end"])
@pytest.mark.parametrize("member", [0, 1])
@pytest.mark.parametrize("act", PANDA.values(), ids=PANDA)
def test_what_a_callback_asks_for_is_done_when_all_have_heard(digits, hook, member, act):
    by_hand, session = (session_on(digits, dropout=0.2) for _ in range(2))
    act(by_hand.train(3)).train(3)
    asking = Asking(lambda: act(session), hook, path=(0, member, 2))
    session.set_callbacks(asking).train(6)
    assert_same_model(session.estimator_, by_hand.estimator_, digits[2])
    assert_same_log(session.log_, by_hand.log_)
    epochs = by_hand.log_.epoch[by_hand.log_.event == "epoch"]
    assert asking.epochs == [(member, number) for number in epochs for member in (0, 1)]


@needs_callbacks
@pytest.mark.parametrize(
    ("hook", "task", "path", "epoch"),
    [
        *(("setup", "train", (0,), 3), ("begin", "train", (0,), 3), ("begin", "member", (0, 1), 4)),
        *(("end", "member", (0, 0), 5), ("end", "train", (0,), 5), ("teardown", "train", (0,), 5)),
    ],
)
def test_what_is_asked_for_in_other_hooks_is_done_between_epochs(digits, hook, task, path, epoch):
    by_hand, session = (session_on(digits, dropout=0.2).train(3) for _ in range(2))
    by_hand.train(until=epoch).set_params(alpha=0.1).train(until=6)
    asking = Asking(lambda: session.set_params(alpha=0.1), hook, task, path)
    session.set_callbacks(asking).train(2)
    session.train(1)
    assert_same_model(session.estimator_, by_hand.estimator_, digits[2])
    assert_same_log(session.log_, by_hand.log_)


@needs_callbacks
@pytest.mark.parametrize("hook", ["begin", "end"])
@pytest.mark.parametrize("has_journal", [False, True])
@pytest.mark.parametrize(
    ("ask", "error", "words"),
    [
        (lambda s: s.train(1), RuntimeError, "train was called while training is under way"),
        (lambda s: s.close(), RuntimeError, "close was called by a callback"),
        (lambda s: s.rewind(9), ValueError, "there is no epoch 9"),
        (lambda s: s.set_params(n_members=1), ValueError, "n_members cannot change"),
        (lambda s: s.set_params(alpha=-1), ValueError, "alpha"),
    ],
)
def test_what_a_callback_may_not_ask_for_is_an_error_at_once(
    digits, tmp_path, hook, has_journal, ask, error, words
):
    path = str(tmp_path / "run.sqlite") if has_journal else None
    errors = []

    def attempt():
        with pytest.raises(error, match=words) as info:
            ask(session)
        errors.append(info.value)

    with session_on(digits, journal=path) as session:
        session.set_callbacks(Asking(attempt, hook)).train(4)
        assert len(errors) == 1
        session.set_callbacks(Asking(lambda: ask(session), hook))
        with pytest.raises(error, match=words):
            session.train(4)
        assert set(session.log_.event) == {"epoch"}
        assert session.set_callbacks().train(until=8).epoch_ == 8


@needs_callbacks
def test_a_stop_of_a_terminal_is_not_lost_on_a_callback_that_asks_too(digits, tmp_path):
    path = str(tmp_path / "run.sqlite")

    def ask():
        with closing(sqlite3.connect(path)) as db, db:
            text = request_text("stop")
            db.execute("INSERT INTO requests (time, content) VALUES (0, ?)", (text,))
        session.set_params(alpha=0.1)

    with session_on(digits, journal=path) as session:
        session.set_callbacks(Asking(ask, "end")).train(9)
        events = session.log_[["event", "asked_by", "epoch"]].to_numpy().tolist()
    assert events[3:] == [["change", "session", 3], ["stop", "terminal", 3]]


@needs_callbacks
def test_what_was_asked_for_is_done_although_another_callback_fails(digits):
    session = session_on(digits)
    asking = Asking(lambda: session.set_params(alpha=0.1), "end")
    session.set_callbacks(asking, Recording(fail=("end", 5)))
    with pytest.raises(ValueError, match="was asked to fail"):
        session.train(9)
    assert session.log_.event.tolist() == ["epoch"] * 3 + ["change"]


@needs_callbacks
def test_two_threads_do_not_train_at_once(digits):
    session, found = session_on(digits), []

    def train():
        with pytest.raises(RuntimeError, match="in another thread") as info:
            session.train(5)
        found.append(info.value)

    def ask():
        thread = Thread(target=train, daemon=True)
        thread.start()
        thread.join(10)

    session.set_callbacks(Asking(ask, "end")).train(4)
    assert len(found) == 1
    assert session.epoch_ == 4


@needs_callbacks
def test_the_epoch_of_the_best_file_is_where_a_rewind_goes(digits, tmp_path):
    X_val, y_val = digits[2:]
    path = str(tmp_path / "best-{member}.npz")
    session = session_on(digits, learning_rate_init=0.03)
    session.set_callbacks(Checkpoint(path, monitor="accuracy")).train(12)
    log = session.log_
    best = load_model(path.format(member=0))
    assert best.n_iter_ == log.epoch[log.validation_accuracy.idxmax()] < 12
    assert session.rewind(best.n_iter_).epoch_ == best.n_iter_
    assert best.score(X_val, y_val) == log.validation_accuracy.max()


@needs_callbacks
def test_to_keep_an_epoch_is_for_fits(digits):
    class Keeping(Recording):
        def on_fit_task_end(self, estimator, context):
            if hasattr(context, "epoch") and context.epoch.number == 1:
                context.epoch.keep()

    for held_out in HELD_OUT:
        session = session_on(digits, **held_out).set_callbacks(Keeping()).train(3)
        assert_same_model(
            session.estimator_, session_on(digits, **held_out).train(3).estimator_, digits[2]
        )
        assert not any(run.kept for run in session._training.networks.runs)


# What must not be lost.


@needs_callbacks
@pytest.mark.parametrize("hook", ["setup", "begin", "end", "teardown"])
@pytest.mark.parametrize("call", [1, 3, 5, 8])
def test_an_error_loses_nothing(digits, tmp_path, hook, call):
    if hook in ("setup", "teardown"):
        call = 1
    path = str(tmp_path / "run.sqlite")
    straight = session_on(digits, dropout=0.1).train(5)
    with session_on(digits, dropout=0.1, journal=path) as session:
        recording = heard_by(session, fail=(hook, call))
        with pytest.raises(ValueError, match=f"{hook} was asked to fail"):
            session.train(3)
        assert recording.heard[-1][0] in (hook, "teardown")
        assert recording.calls["setup"] == recording.calls["teardown"] == 1
        n_epochs = len({path[-1] for path in recording.of("end", "epoch")})
        n_begun = len({path[-1] for path in recording.of("begin", "epoch")})
        assert session.epoch_ == n_epochs or session.epoch_ == n_begun - 1
        assert session.log_.event.tolist() == ["epoch"] * session.epoch_
        before = session.epoch_
    with opened(digits, path) as session:
        assert session.epoch_ == before
        assert_same_model(session.train(until=5).estimator_, straight.estimator_, digits[2])


@needs_callbacks
@pytest.mark.parametrize("name", ["member", "epoch", "train"])
def test_ctrl_c_ends_a_call_whole(digits, name):
    session = session_on(digits, dropout=0.1)

    def press(context, _):
        if context.task_name == "epoch" and path_at(context) == (0, 0, 1):
            signal.raise_signal(signal.SIGINT)

    recording = heard_by(session, stop=press)
    with pytest.warns(UserWarning, match="in epoch 3; the session stands after epoch 2"):
        session.train(10)
    assert last_event(session) == ("stop", "interrupt", 2)
    assert len(recording.of("end", name)) == {"member": 2, "epoch": 3, "train": 1}[name]
    assert recording.heard[-1] == ("teardown", "train", (0,))
    straight = session_on(digits, dropout=0.1).train(4)
    assert_same_model(session.set_callbacks().train(2).estimator_, straight.estimator_, digits[2])


@needs_callbacks
@pytest.mark.parametrize("held_out", HELD_OUT, ids=str)
def test_bits_are_those_without_and_what_is_done_again_is_not_heard(digits, tmp_path, held_out):
    """Nor is a journal another one: it goes on with callbacks or without."""
    path = str(tmp_path / "run.sqlite")

    def story(session):
        session.train(3).set_params(alpha=0.1).train(4).rewind(5).train(2)

    plain = session_on(digits, **held_out, dropout=0.1)
    story(plain)
    with session_on(digits, **held_out, dropout=0.1, journal=path, checkpoints=3) as session:
        recording = heard_by(session, look=lambda model: model.predict_proba(digits[2]))
        story(session)
        assert_same_model(session.estimator_, plain.estimator_, digits[2])
        assert_same_log(session.log_, plain.log_)
        n_heard = len(recording.heard)
        session.rewind(4)
        assert len(recording.heard) == n_heard
    plain.rewind(4).train(1)
    X, y, X_val, y_val = digits
    given = {"X_val": X_val, "y_val": y_val} if held_out["validation"] else {}
    model = BNSoftmaxClassifier(**(SMALL | session.estimator_.get_params() | {"alpha": 0.01}))
    model.set_callbacks(recording)
    for how in (TrainingSession.replay, TrainingSession.open):
        n_heard = len(recording.heard)
        with how(path, X, y, **given, model=model, verbose=0) as again:
            assert len(recording.heard) == n_heard
            assert_same_model(again.train(1).estimator_, plain.estimator_, X_val)
        assert len(recording.heard) == n_heard + 12


KILLED = """
import os, sys
sys.path[:0] = sys.argv[2:]
from recording import Recording
from session_checks import session_on
from sklearn.datasets import load_digits

X, y = load_digits(return_X_y=True)
X = (X / 16).astype("float32")
digits = X[:600], y[:600], X[600:800], y[600:800]
session = session_on(digits, dropout=0.1, journal=sys.argv[1])
session.set_callbacks(Recording(stop=lambda context, _: context.task_id == 2 and os._exit(9)))
session.train(10)
"""


@needs_callbacks
def test_a_process_killed_in_a_hook_has_lost_no_epoch(digits, tmp_path):
    path, here = str(tmp_path / "run.sqlite"), Path(__file__).parent
    folders = [str(here), str(here.parent)]
    command = [sys.executable, "-c", KILLED, path, *folders]
    assert subprocess.run(command, check=False, env=dict(os.environ)).returncode == 9
    with opened(digits, path) as session:
        assert session.epoch_ == 3
        recording = heard_by(session)
        session.train(2)
    assert recording.of("end", "epoch") == [(0, 0, 0), (0, 1, 0), (0, 0, 1), (0, 1, 1)]
    straight = session_on(digits, dropout=0.1).train(5)
    assert_same_model(session.estimator_, straight.estimator_, digits[2])
