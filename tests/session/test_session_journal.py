"""Journals of sessions: going on, replaying, and what is refused."""

import gc
import io
import os
import sqlite3
import threading
import warnings
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from session_checks import (
    SMALL,
    assert_same_log,
    assert_same_model,
    opened,
    session_on,
)
from sklearn.decomposition import PCA
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skbn import BNSoftmaxClassifier, TrainingSession
from skbn.export import load_model
from skbn.journal.database import JournalError
from skbn.session import machine, training
from skbn.session.journal import request_text
from skbn.session.looking import look_at

pytestmark = pytest.mark.slow


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


@pytest.fixture(autouse=True)
def checkpoints_at_every_epoch(monkeypatch):
    """So many that what stays and what goes is not a matter of time."""
    monkeypatch.setattr(training, "FIRST_SECONDS_TO_KEEP", 0.0)
    monkeypatch.setattr(training, "MAX_SHARE_OF_KEEPING", np.inf)


def told(session):
    """Train a session through changes and a rewind."""
    session.train(4).set_params(learning_rate_init=0.02, dropout=0.1).train(5).rewind(6)
    return session.set_params(learning_rate="constant", alpha=0.0).train(3)


def query(path, text, *arguments):
    """Ask a journal something, or write to it, from outside."""
    database = sqlite3.connect(path, isolation_level=None)
    try:
        return database.execute(text, arguments).fetchall()
    finally:
        database.close()


VARIANTS = [
    {},
    {"validation": False},
    {"validation": False, "early_stopping": True, "n_members": 3, "noise": 0.1},
    {"random_state": None, "n_members": 1},
    {"hidden_layer_sizes": (8, 8), "activation": ["relu", "tanh"]},
    {"random_state": np.random.RandomState(3), "dtype": "float64"},
    {"class_weight": {0: 2.0, 1: np.float64(0.5)}, "hidden_layer_sizes": np.array([8, 8])},
]


@pytest.mark.parametrize("params", VARIANTS, ids=str)
def test_a_session_goes_on_bit_for_bit_in_another_process(digits, path, params):
    validation = params.get("validation", True)
    with session_on(digits, path, checkpoints=4, **params) as session:
        log, model = told(session).log_, session.estimator_
    again = opened(digits, path, validation)
    pd.testing.assert_frame_equal(again.log_, log)
    assert_same_model(again.estimator_, model, digits[2])
    if not isinstance(params.get("random_state"), np.random.RandomState):
        assert repr(again.estimator_) == repr(model)
    assert (again.epoch_, again.branch_) == (9, 1)
    again.train(3).rewind(8).train(2).close()
    replayed = opened(digits, path, validation, how="replay")
    pd.testing.assert_frame_equal(replayed.log_, again.log_)
    assert_same_model(replayed.estimator_, again.estimator_, digits[2])
    assert replayed.estimator_.history_ == again.estimator_.history_
    third = opened(digits, path, validation)
    for each in (replayed, third):
        each.rewind(5).train(2)
    assert_same_model(replayed.estimator_, third.estimator_, digits[2])
    third.close()


@pytest.mark.filterwarnings("ignore:nothing was trained")
def test_patience_and_the_best_state_go_on_too(digits, path):
    whole = session_on(digits, learning_rate_init=0.03, n_members=3).train(until=40, patience=3)
    for _ in range(40):
        with session_on(digits, path, learning_rate_init=0.03, n_members=3) as session:
            if session.log_.event.isin(["stop"]).any():
                break
            session.train(until=session.epoch_ + 1, patience=3)
    assert_same_model(session.estimator_, whole.estimator_, digits[2])
    assert_same_log(session.log_, whole.log_)


def test_a_session_without_checkpoints_trains_again(digits, path):
    with session_on(digits, path) as session:
        told(session)
    query(path, "DELETE FROM checkpoints")
    again = opened(digits, path)
    assert_same_model(again.estimator_, session.estimator_, digits[2])
    assert again.estimator_.history_ == session.estimator_.history_
    again.close()


def test_checkpoints_are_the_last_the_best_and_others_evenly(digits, path):
    with session_on(digits, path, checkpoints=6, learning_rate_init=0.03) as session:
        session.train(30)
        epochs = {
            session.log_.epoch[event] for (event,) in query(path, "SELECT event FROM checkpoints")
        }
        best = int(session.log_.validation_loss.argmin()) + 1
    assert len(epochs) == 6
    assert {1, best, 30} <= epochs
    gaps = np.diff(sorted(epochs - {best}))
    assert gaps.max() <= 15
    with opened(digits, path) as again:
        again.train(3).rewind(28).train(1)
        kept = [event for (event,) in query(path, "SELECT event FROM checkpoints")]
        assert len(kept) <= 6
        assert again.log_.epoch[kept].is_monotonic_increasing
        assert again.log_.epoch[kept].max() == 29


def test_a_rewind_leaves_a_checkpoint_of_where_it_went(digits, path):
    with session_on(digits, path, checkpoints=3) as session:
        session.train(20).rewind(9)
        kept = [event for (event,) in query(path, "SELECT event FROM checkpoints")]
        assert session.log_.epoch[kept].max() == 9
    straight = session_on(digits).train(10)
    with opened(digits, path) as again:
        assert_same_model(again.train(1).estimator_, straight.estimator_, digits[2])


def test_histories_too_long_for_a_file_are_in_the_log_alone(digits, path, monkeypatch):
    session = session_on(digits, path).train(3)
    with monkeypatch.context() as short:
        short.setattr("skbn.export.container.MAX_HEADER_BYTES", 100)
        with pytest.warns(UserWarning, match="No more checkpoints") as caught:
            session.train(3).set_params(alpha=0.1).train(1)
        assert len(caught) == 1
    session.close()
    with opened(digits, path) as again:
        assert_same_model(again.estimator_, session.estimator_, digits[2])


def test_checkpoints_are_files_that_others_load(digits, path):
    X, y, _X_val, _ = digits
    with session_on(digits, path, n_members=2) as session:
        session.train(3)
        model, best = query(path, "SELECT model, best FROM models ORDER BY event")[-1]
    loaded = load_model(io.BytesIO(best))
    expected = session.estimator_
    assert loaded.history_ == expected.history_
    for mine, theirs in zip(loaded.coefs_, expected.coefs_, strict=True):
        np.testing.assert_array_equal(mine, theirs)
    straight = session_on(digits, n_members=2).train(3).train(1)
    gone_on = load_model(io.BytesIO(model)).partial_fit(X, y)
    theta = straight._training.networks.runs[0].progress.state.theta
    np.testing.assert_array_equal(gone_on._progress[0].state.theta, theta)


def test_a_pipeline_is_in_the_journal(digits, path):
    X, y, X_val, y_val = digits
    X, X_val = (pd.DataFrame(each).rename(columns="pixel{}".format) for each in (X, X_val))
    model = make_pipeline(StandardScaler(), PCA(12), BNSoftmaxClassifier((8,)))
    given = {"X_val": X_val, "y_val": y_val, "verbose": 0}
    with TrainingSession(model, X, y, journal=path, **given) as session:
        session.train(3)
    with TrainingSession.open(path, X, y, **given) as again:
        assert_same_model(again.estimator_, session.estimator_, X_val)
    with TrainingSession(model, X, y, journal=path, **given) as again:
        assert_same_model(again.estimator_, session.estimator_, X_val)
    with TrainingSession.open(path, X, y, model=model, **given) as again:
        assert_same_model(again.estimator_, session.estimator_, X_val)
    replayed = TrainingSession.replay(path, X, y, **given)
    assert_same_model(replayed.estimator_, session.estimator_, X_val)
    with pytest.raises(ValueError, match="another estimator"):
        TrainingSession.open(path, X, y, model=model[-1], **given)


def halved(X):
    """Rows that a function of a user gives."""
    return X / 2


def test_a_pipeline_that_no_file_makes_is_passed_again(digits, path, monkeypatch):
    X, y, *_ = digits
    model = make_pipeline(FunctionTransformer(halved), BNSoftmaxClassifier(**SMALL))
    with TrainingSession(model, X, y, journal=path, verbose=0) as session:
        session.train(2)
    with pytest.raises(ValueError, match=r"halved, which are not made from a file.*model="):
        TrainingSession.open(path, X, y)
    with TrainingSession.open(path, X, y, model=model, verbose=0) as again:
        assert_same_model(again.estimator_, session.estimator_, X)


class Named(BNSoftmaxClassifier):
    """A classifier with a parameter of its own."""

    def __init__(self, name="a", hidden_layer_sizes=(16,), random_state=None, max_iter=15):
        super().__init__(hidden_layer_sizes, random_state=random_state, max_iter=max_iter)
        self.name = name


def test_a_subclass_is_passed_again(digits, path):
    X, y, *_ = digits
    with TrainingSession(Named("b", random_state=1), X, y, journal=path, verbose=0) as session:
        session.train(2)
    assert type(session.estimator_) is Named
    with pytest.raises(ValueError, match=r"of the class Named.*model="):
        TrainingSession.open(path, X, y)
    with TrainingSession.open(path, X, y, model=Named("b", random_state=1), verbose=0) as again:
        assert_same_model(again.estimator_, session.estimator_, X)
        assert again.estimator_.name == "b"


def test_transformers_that_give_other_rows_are_told(digits, path):
    X, y, *_ = digits
    model = make_pipeline(Varying(), BNSoftmaxClassifier(**SMALL))
    with TrainingSession(model, X, y, journal=path, verbose=0) as session:
        session.train(2)
    with (
        pytest.warns(UserWarning, match="transformers of the Pipeline give other rows"),
        TrainingSession.open(path, X, y, model=model, verbose=0) as again,
    ):
        again.train(1)


class Varying(StandardScaler):
    """A step that comes out otherwise each time."""

    n_fits = 0

    def fit(self, X, y=None, sample_weight=None):
        Varying.n_fits += 1
        return super().fit(X + Varying.n_fits * np.linspace(0, 1, len(X))[:, None], y)


def test_a_journal_is_let_go_when_its_session_is_collected(digits, path):
    session = session_on(digits, path).train(1)
    with pytest.raises(ValueError, match="held by another process"):
        opened(digits, path)
    assert Path(f"{path}.lock").exists()
    del session
    gc.collect()
    opened(digits, path).close()
    assert os.listdir(path.parent) == ["run.sqlite"]


def test_replay_only_reads_and_has_no_journal(digits, path):
    with session_on(digits, path) as session:
        told(session)
    before = path.read_bytes()
    replayed = opened(digits, path, how="replay")
    replayed.train(2)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == ["run.sqlite"]
    assert repr(replayed) == "TrainingSession(epoch 11 of branch 1)"
    with session_on(digits, path) as session:  # and while it is owned
        assert_same_model(
            opened(digits, path, how="replay").estimator_, session.estimator_, digits[2]
        )


@pytest.mark.parametrize("how", ["open", "replay"])
def test_other_data_are_refused(digits, path, how):
    X, y, X_val, y_val = digits
    with session_on(digits, path) as session:
        session.train(1)
    before = path.read_bytes()
    other = X.copy()
    other[3, 4] += 1
    for changed, words in [
        ((other, y, X_val, y_val), "other data.*X"),
        ((X, np.roll(y, 1), X_val, y_val), "other data.*y"),
        ((X[1:], y[1:], X_val, y_val), r"\(600, 64\) there, .*\(599, 64\) here"),
        ((X, y, X_val[1:], y_val[1:]), "X_val"),
    ]:
        with pytest.raises(ValueError, match=words):
            opened(changed, path, how=how)
    with pytest.raises(ValueError, match="X_val is missing here"):
        opened(digits, path, validation=False, how=how)
    assert path.read_bytes() == before


def test_another_estimator_is_refused(digits, path):
    with session_on(digits, path) as session:
        session.train(1)
    with pytest.raises(ValueError, match=r"another estimator: alpha: 0.01 there, 0.5 here"):
        session_on(digits, path, alpha=0.5)


def test_other_files_are_refused(digits, path, tmp_path):
    with pytest.raises(ValueError, match="does not exist"):
        opened(digits, path)
    assert not path.exists()
    text = tmp_path / "notes.txt"
    text.write_text("no database")
    query(tmp_path / "other.sqlite", "CREATE TABLE t (x)")
    for other in ("notes.txt", "other.sqlite"):
        for how in ("open", "replay"):
            with pytest.raises(ValueError, match="no journal of a training session"):
                opened(digits, tmp_path / other, how=how)
        with pytest.raises(ValueError, match="no journal of a training session"):
            session_on(digits, tmp_path / other)
    assert text.read_text() == "no database"


def test_bad_data_leave_no_file(digits, path):
    X, y, *_ = digits
    with pytest.raises(ValueError, match="NaN"):
        TrainingSession(BNSoftmaxClassifier(), X + np.nan, y, journal=path)
    assert os.listdir(path.parent) == []


@pytest.mark.parametrize("how", ["open", "replay"])
def test_a_journal_whose_session_was_killed_at_its_beginning_begins_anew(digits, path, how):
    session_on(digits, path).close()
    query(path, "DELETE FROM session")
    query(path, "DELETE FROM about WHERE name = 'seed'")
    with pytest.raises(ValueError, match="interrupted before it began"):
        opened(digits, path, how=how)
    with session_on(digits, path) as session:
        assert session.train(1).epoch_ == 1
    opened(digits, path).close()


@pytest.mark.parametrize("seed", [None, np.random.mtrand._rand])
def test_the_same_line_again_goes_on_whatever_seed_was_drawn(digits, path, seed):
    with session_on(digits, path, random_state=seed) as session:
        session.train(2)
    with session_on(digits, path, random_state=seed) as again:
        assert_same_model(again.estimator_, session.estimator_, digits[2])


def test_a_file_that_is_no_longer_the_one_that_was_opened_is_not_written(digits, path):
    session = session_on(digits, path).train(2)
    path.rename(path.with_name("moved.sqlite"))
    for _ in range(2):
        with pytest.raises(JournalError, match="moved or removed while it was open"):
            session.train(1)
    path.with_name("moved.sqlite").rename(path)
    assert session.train(1).epoch_ == 3
    Path(f"{path}.lock").unlink()
    with opened(digits, path) as other:
        with pytest.raises(JournalError, match="lock file was removed"):
            session.train(1)
        assert other.train(1).epoch_ == 4
    session.close()
    assert opened(digits, path, how="replay").epoch_ == 4


def test_a_forked_child_writes_nothing(digits, path):
    session = session_on(digits, path).train(2)
    child = os.fork()
    if not child:
        try:
            session.train(1)
        except JournalError:
            os._exit(7)
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
    session.train(1).close()
    assert opened(digits, path).epoch_ == 3


def test_a_copy_of_a_file_in_use_says_what_is_missing(digits, path):
    session = session_on(digits, path)
    session.train(1)
    path.with_name("copy.sqlite").write_bytes(b"")
    with pytest.raises(ValueError, match="copied without the file that has -wal"):
        opened(digits, path.with_name("copy.sqlite"))
    session.close()


def test_replay_takes_no_longer_after_many_rewinds(digits, path, monkeypatch):
    with session_on(digits, path) as session:
        session.train(20)
        for _ in range(5):
            session.rewind(15).train(5)
    trained, train = [], training.Networks.epoch

    def epoch(self, which):
        trained.append(1)
        return train(self, which)

    monkeypatch.setattr(training.Networks, "epoch", epoch)
    replayed = opened(digits, path, how="replay")
    assert replayed.epoch_ == 20
    assert len(trained) <= 20 + 5 * 5 + 5


def test_checkpoints_of_small_networks_are_on_a_grid_whatever_time_they_take(
    digits, path, monkeypatch
):
    monkeypatch.setattr(training, "MAX_SHARE_OF_KEEPING", 1e-9)
    monkeypatch.setattr(training, "MAX_SECONDS_ON_GRID", np.inf)
    with session_on(digits, path, checkpoints=8) as session:
        session.train(39)
        kept = [event + 1 for (event,) in query(path, "SELECT event FROM checkpoints")]
    assert kept[0] == 1
    assert kept[-1] == 39
    assert len(kept) == 8
    assert max(np.diff(kept)) <= 12


FOLLOWING = [
    "UPDATE events SET epoch = 4 WHERE event = 2",
    "UPDATE events SET branch = 1 WHERE event = 2",
    "UPDATE events SET kind = 'rewind' WHERE event = 2",
]


@pytest.mark.parametrize("statement", FOLLOWING)
def test_events_that_do_not_follow_are_damage(digits, path, statement, monkeypatch):
    with session_on(digits, path) as session:
        session.train(3)
    query(path, statement)
    monkeypatch.setattr("skbn.journal.checksums.checksum", lambda *_: "")
    query(path, "UPDATE events SET checksum = ''")
    for table in ("session", "about", "checkpoints"):
        query(path, f"UPDATE {table} SET checksum = ''")
    with pytest.raises(ValueError, match="is damaged"):
        opened(digits, path)


DAMAGE = [
    "UPDATE events SET epoch = 7 WHERE event = 1",
    "UPDATE events SET content = '[]' WHERE event = 1",
    "DELETE FROM events WHERE event = 1",
    "UPDATE session SET value = '3' WHERE name = 'seeds'",
    "DELETE FROM session WHERE name = 'params'",
    "UPDATE checkpoints SET content = '{}'",
    "UPDATE models SET model = zeroblob(10)",
    "UPDATE models SET model = (SELECT model FROM models ORDER BY event LIMIT 1)",
    "DELETE FROM models",
    "DROP TABLE events",
]


@pytest.mark.parametrize("statement", DAMAGE)
def test_damage_is_told(digits, path, statement):
    with session_on(digits, path) as session:
        session.train(3)
    query(path, statement)
    with pytest.raises(ValueError, match="is damaged"):
        opened(digits, path)


def test_a_disk_that_fails_leaves_the_last_whole_epoch(digits, path, monkeypatch):
    session = session_on(digits, path).train(2)
    full = sqlite3.OperationalError("database or disk is full")
    with monkeypatch.context() as broken:

        def fail(self, *_):
            raise full

        broken.setattr("skbn.journal.database.Database.add", fail)
        with pytest.raises((JournalError, sqlite3.OperationalError)):
            session.train(3)
    assert session.epoch_ == 2
    straight = session_on(digits).train(4)
    assert_same_model(session.train(2).estimator_, straight.estimator_, digits[2])
    session.close()
    with opened(digits, path) as again:
        assert_same_model(again.estimator_, straight.estimator_, digits[2])


def test_another_machine_is_told_and_the_session_goes_on(digits, path, monkeypatch):
    with session_on(digits, path) as session:
        told(session)
    here = machine.this_machine()
    monkeypatch.setattr("skbn.session.opening.this_machine", lambda: here | {"numpy": "9.9"})
    for how in ("open", "replay"):
        with pytest.warns(UserWarning, match="there and 9.9 here") as caught:
            again = opened(digits, path, how=how)
        assert len(caught) == 1
        again.close()
        assert again.epoch_ == 9


def test_an_epoch_that_comes_out_otherwise_is_told(digits, path, monkeypatch):
    with session_on(digits, path) as session:
        told(session)
    train = training.Networks.epoch

    def otherwise(self, which):
        measures = train(self, which)
        for entry in measures:
            entry["loss"] *= 1 + 1e-7
        return measures

    monkeypatch.setattr(training.Networks, "epoch", otherwise)
    with pytest.warns(UserWarning, match="otherwise than the journal has it, from loss of epoch 1"):
        replayed = opened(digits, path, how="replay")
    assert replayed.epoch_ == 9


def ask(path, *arguments):
    """Ask a session for something, as another process does."""
    query(path, "INSERT INTO requests (time, content) VALUES (0, ?)", request_text(*arguments))


def answers(path):
    return [answer for (answer,) in query(path, "SELECT answer FROM requests ORDER BY request")]


def test_what_is_asked_from_elsewhere_is_done_at_the_end_of_the_epoch(digits, path, monkeypatch):
    session = session_on(digits, path)
    train, network = session._training.networks.epoch, session._training.networks
    asked = {
        2: ("change", {"learning_rate_init": 0.02, "learning_rate": "constant"}),
        4: ("change", {"hidden_layer_sizes": (3,)}),
        5: ("rewind", {}, 3),
        6: ("stop",),
    }
    trained = []

    def epoch(which):
        trained.append(session.epoch_ + 1)
        if len(trained) in asked:
            ask(path, *asked[len(trained)])
        return train(which)

    monkeypatch.setattr(network, "epoch", epoch)
    session.train(20)
    assert trained == [1, 2, 3, 4, 5, 4]
    log = session.log_[session.log_.event != "epoch"]
    assert log.event.tolist() == ["change", "rewind", "stop"]
    assert log.epoch.tolist() == [2, 3, 4]
    assert set(log.asked_by) == {"terminal"}
    done, refused, *others = answers(path)
    assert (done, others) == ("", ["", ""])
    assert "hidden_layer_sizes cannot change" in refused
    straight = session_on(digits).train(2)
    straight.set_params(learning_rate_init=0.02, learning_rate="constant").train(2)
    assert_same_model(session.estimator_, straight.estimator_, digits[2])
    session.close()
    assert_same_model(opened(digits, path, how="replay").estimator_, straight.estimator_, digits[2])


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("no json", "not of the form"),
        ('{"what": "drop", "params": {}, "epoch": 0}', "not of the form"),
        ('{"what": "rewind", "params": {}, "epoch": 99}', "no epoch 99"),
        ('{"what": "change", "params": {"dropout": 7}, "epoch": 0}', "dropout"),
        ('{"what": "change", "params": {"n_members": 3}, "epoch": 0}', "n_members cannot"),
        ('{"what": "change", "params": {"self": 3}, "epoch": 0}', "no parameter"),
        ('{"what": "stop", "params": {}, "epoch": 0}', "nothing to stop"),
    ],
)
def test_bad_requests_are_refused_and_training_is_unharmed(digits, path, content, words):
    session = session_on(digits, path).train(2)
    query(path, "INSERT INTO requests (time, content) VALUES (0, ?)", content)
    if "form" in words:
        session.train(2)
    else:
        with pytest.warns(UserWarning, match="asked for at a terminal is refused"):
            session.train(2)
    assert words in answers(path)[0]
    straight = session_on(digits).train(4)
    assert_same_model(session.estimator_, straight.estimator_, digits[2])
    assert (session.log_.event == "epoch").all()
    session.close()


def test_what_was_asked_before_is_done_before_what_is_asked_now(digits, path):
    with session_on(digits, path) as session:
        session.train(4)
    ask(path, "change", {"alpha": 0.5, "dropout": 0.1})
    ask(path, "rewind", {}, 2)
    ask(path, "change", {"alpha": 0.7})
    with opened(digits, path) as session:
        session.set_params(alpha=0.1).train(1)
        ask(path, "change", {"dropout": 0.2})
        with pytest.raises(ValueError, match="no epoch 9"):
            session.rewind(9)
    log = session.log_[session.log_.event != "epoch"]
    assert log.event.tolist() == ["change", "rewind", "change", "change", "change"]
    assert log.alpha.tolist()[2:4] == [0.7, 0.1]
    params = session.estimator_.get_params()
    assert (params["alpha"], params["dropout"], session.epoch_) == (0.1, 0.2, 3)


def test_a_replay_shows_how_far_it_has_come(digits, path, capsys):
    X, y, X_val, y_val = digits
    with session_on(digits, path) as session:
        session.train(3).rewind(1).train(2)
    TrainingSession.replay(path, X, y, X_val=X_val, y_val=y_val)
    assert "epoch 3 of 3" in capsys.readouterr().err


def test_another_thread_changes_parameters_between_epochs(digits, path):
    session = session_on(digits, path, max_iter=300)
    thread = threading.Thread(target=session.train, args=(60,))
    thread.start()
    for number in range(5):
        session.set_params(learning_rate_init=0.001 * (number + 1))
    thread.join()
    assert session.epoch_ == 60
    assert (session.log_.event == "change").sum() == 5
    replayed = opened(digits, path, how="replay")
    assert_same_model(replayed.estimator_, session.estimator_, digits[2])
    session.close()


def test_who_watches_reads_while_training_is_under_way(digits, path, monkeypatch):
    session = session_on(digits, path).train(1)
    assert look_at(path).state == "waiting for its owner"
    train, seen = session._training.networks.epoch, []

    def epoch(which):
        look = look_at(path)
        seen.append((look.log.epoch, look.state))
        return train(which)

    monkeypatch.setattr(session._training.networks, "epoch", epoch)
    session.train(3)
    assert seen == [(n, "training") for n in (1, 2, 3)]
    session.close()
    assert look_at(path).state == "nobody has it open"


def test_nothing_is_left_open(digits, path):
    with warnings.catch_warnings():
        warnings.simplefilter("error", ResourceWarning)
        session_on(digits, path).train(1)
        gc.collect()
        opened(digits, path, how="replay")
        gc.collect()
