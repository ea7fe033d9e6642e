"""Sessions that are watched, and asked for changes, from another terminal."""

import io
import json
import os
import re
import shutil
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from contextlib import closing

import numpy as np
import pytest

from skbn import BNSoftmaxClassifier
from skbn import __main__ as main
from skbn.journal.lock import is_owned
from skbn.session import TrainingSession, asking, watching
from skbn.session.journal import request_text
from skbn.session.log import CHANGE, EPOCH, Event, Log
from skbn.session.looking import Look, look_at
from skbn.session.watching import picture
from skbn.session.words import event_words

pytestmark = pytest.mark.slow

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(90, 4))
Y = np.arange(90) % 3
JUDGED = {"X_val": X[::2], "y_val": Y[::2]}
FOREVER = """\
import sys, time
sys.path.insert(0, {tests!r})
from test_command import begin
from skbn.session.training import Training
session = begin(sys.argv[1])
session.train(2)
Training.epoch = lambda *_: (print("begun", flush=True), time.sleep(100))
session.train(1)
"""


def begin(path, **params):
    model = BNSoftmaxClassifier((4,), batch_size=30, max_iter=50, random_state=0, **params)
    return TrainingSession(model, X, Y, **JUDGED, journal=path, verbose=0)


@pytest.fixture(scope="module")
def finished(tmp_path_factory):
    """A journal with two branches and a change on each, which nobody has open."""
    path = tmp_path_factory.mktemp("finished") / "run.sqlite"
    with begin(path) as session:
        session.train(6).set_params(learning_rate_init=0.1, dropout=0.2)
        session.train(4).rewind(3).set_params(alpha=0.01)
        session.train(5)
    return path


@pytest.fixture
def path(finished, tmp_path):
    return shutil.copy(finished, tmp_path / "run.sqlite")


@pytest.fixture
def run(capsys):
    """Run the command: its status, stdout and stderr."""

    def run(*argv):
        status = main.main([str(arg) for arg in argv])
        return status, *capsys.readouterr()

    return run


@pytest.fixture
def under_way(path):
    """A session that trains in a thread until it is stopped, and its thread."""
    session = TrainingSession.open(path, X, Y, **JUDGED, verbose=0)
    thread = threading.Thread(target=session.train, args=(10**6,))
    with pytest.MonkeyPatch.context() as patch:
        # A warning, which another thread than that of a test raises.
        patch.setattr("skbn.session.networks.Networks.end_of_schedule", lambda _: "")
        thread.start()
        while not look_at(path).is_training:
            time.sleep(0.001)
        yield session
        if thread.is_alive():
            ask_in_another_process(path, request_text("stop"))
            thread.join()
        session.close()


def ask_in_another_process(path, content):
    with closing(sqlite3.connect(path, timeout=5)) as db, db:
        statement = "INSERT INTO requests (time, content) VALUES (0, ?)"
        return db.execute(statement, (content,)).lastrowid


def requests_in(path):
    with closing(sqlite3.connect(path)) as db:
        return db.execute("SELECT content, answer FROM requests ORDER BY request").fetchall()


def without_times(log):
    return log.drop(columns=["time", "seconds"])


# Changes.


@pytest.mark.parametrize(
    ("asked", "params", "told"),
    [
        (["learning_rate_init=0.003"], {"learning_rate_init": 0.003}, "learning_rate_init=0.003"),
        (["dropout=.1", "alpha=0"], {"dropout": 0.1, "alpha": 0}, "dropout=0.1 alpha=0"),
        (["learning_rate=cosine"], {"learning_rate": "cosine"}, "learning_rate=cosine"),
        (["learning_rate='constant'"], {"learning_rate": "constant"}, "learning_rate=constant"),
        (["shuffle=false"], {"shuffle": False}, "shuffle=False"),
        (
            ["shuffle=TRUE", "max_grad_norm=None"],
            {"shuffle": True, "max_grad_norm": None},
            "shuffle=True max",
        ),
        (
            ["max_grad_norm=none", "tol=1e-5"],
            {"max_grad_norm": None, "tol": 1e-5},
            "max_grad_norm=None tol=1e-05",
        ),
        (["batch_size=auto"], {"batch_size": "auto"}, "batch_size=auto"),
        (["batch_size=15"], {"batch_size": 15}, "batch_size=15"),
        (["batch_size = 15"], {"batch_size": 15}, "batch_size=15"),
    ],
)
def test_a_change_is_done_when_the_training_goes_on(run, path, asked, params, told):
    status, out, err = run("change", path, *asked)
    assert (status, err) == (0, "")
    assert out.startswith(told)
    assert out.endswith(": takes effect when the training goes on (nobody has it open)\n")
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as session:
        session.train(1)
        change, epoch = session.log_.iloc[-2:].to_dict("records")
        found = session.estimator_.get_params()
    assert (change["event"], change["epoch"], change["asked_by"]) == ("change", 8, "terminal")
    assert (epoch["event"], epoch["epoch"]) == ("epoch", 9)
    for name, value in params.items():
        assert (found[name], type(found[name])) == (value, type(value))
    assert [answer for _, answer in requests_in(path)] == [""]


def test_a_session_that_is_idle_takes_requests_when_it_goes_on(run, path):
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as session:
        status, out, _ = run("change", path, "rewind", 2)
        assert (status, out) == (
            0,
            "rewind to 2: takes effect when the training goes on (the session is open, and idle)\n",
        )
        run("change", path, "alpha=0.5")
        session.train(1)
        events = session.log_[["event", "epoch", "asked_by"]].to_numpy().tolist()[-3:]
    assert events == [
        ["rewind", 2, "terminal"],
        ["change", 2, "terminal"],
        ["epoch", 3, "session"],
    ]


@pytest.mark.parametrize(
    ("asked", "reason"),
    [
        (["learning_rate_init=-1"], "The 'learning_rate_init' parameter .* must be .* Got -1 "),
        (["learning_rate_init=fast"], "Got 'fast' instead"),
        (["learning_rate_init=nan"], "Got 'nan' instead"),
        (["learning_rate_init="], "Got '' instead"),
        (["learning_rate=sine"], "Got 'sine' instead"),
        (["dropout=0.1", "momentum=2"], "'momentum'"),
        (["dropout=" + "[" * 1000], "'dropout'"),
        (["dropout=" + "(" * 100 + ")" * 100], "'dropout'"),
        (["alpha={1}"], "'alpha'"),
        (["batch_size=1"], "batch_size"),
        (["hidden_layer_sizes=(5,)"], "hidden_layer_sizes cannot change"),
        (["random_state=1"], "random_state cannot change"),
        (["learningrate=1"], "'learningrate' is no parameter of BNSoftmaxClassifier"),
        (["model__dropout=0.1"], "did you mean dropout"),
        (["dropout", "=", "0.1"], "'dropout' is none of NAME=VALUE"),
        (["=1"], "'=1' is none of NAME=VALUE"),
        (["dropout=0.1", "dropout=0.2"], "dropout is given twice"),
        (["dropout=0.1", "stop"], "'stop' is none of"),
        (["stop", "now"], "'stop' is none of"),
        (["stop"], "there is nothing to stop"),
        (["rewind"], "rewind takes the number of an epoch"),
        (["rewind", "two"], "rewind takes the number of an epoch; got 'two'"),
        (["rewind", "-1"], "rewind takes"),
        (["rewind", "9"], "there is no epoch 9 to go back to: .* to 8"),
        (["rewind", "1" * 30], "there is no epoch 1+ to go back to"),
        (["rewind", "1", "2"], "rewind takes the number of an epoch; got '1 2'"),
        ([], "what; see python -m skbn change --help"),
    ],
)
def test_what_cannot_be_is_refused_where_it_was_asked(run, path, asked, reason):
    status, out, err = run("change", path, *asked)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert re.match(f"skbn: .*{reason}", err)
    assert requests_in(path) == []


def test_values_are_checked_with_those_that_the_journal_has(run, tmp_path):
    path = tmp_path / "run.sqlite"
    with begin(path, solver="sgd") as session:
        session.train(1)
    assert run("change", path, "momentum=0.5")[0] == 0
    with begin(tmp_path / "other.sqlite") as session:
        session.train(1).set_params(batch_size=45)
    assert run("change", tmp_path / "other.sqlite", "alpha=0.1")[0] == 0


@pytest.mark.parametrize("command", [["watch"], ["change", "dropout=0.1"]])
def test_what_is_no_journal_of_a_session_is_refused(run, tmp_path, command):
    name, *asked = command
    (tmp_path / "text").write_text("learning_rate_init=0.003")
    with closing(sqlite3.connect(tmp_path / "other.sqlite")) as db, db:
        db.execute("CREATE TABLE events (event)")
    with closing(sqlite3.connect(tmp_path / "search.sqlite")) as db, db:
        db.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT, checksum TEXT)")
        db.execute("INSERT INTO about VALUES ('format', 'skbn search journal 3', '')")
    before = {each: (tmp_path / each).read_bytes() for each in os.listdir(tmp_path)}
    for file, reason in {
        "none.sqlite": "does not exist",
        "": "must be the name of a file",
        ".": "must be the name of a file",
        "text": "is no journal of a training session",
        "other.sqlite": "is a database, but no journal",
        "search.sqlite": "is the journal of a search, and not of a training session",
    }.items():
        status, out, err = run(name, tmp_path / file if file else "", *asked)
        assert (status, out, err.count("\n")) == (2, "", 1)
        assert reason in err
    assert {each: (tmp_path / each).read_bytes() for each in os.listdir(tmp_path)} == before


@pytest.mark.parametrize("command", [["watch"], ["change", "dropout=0.1"]])
def test_a_session_that_is_just_made_is_no_damage(run, path, command):
    with closing(sqlite3.connect(path)) as db, db:
        for table in ("session", "events", "checkpoints"):
            db.execute(f"DELETE FROM {table}")
    name, *asked = command
    status, out, err = run(name, path, *asked)
    assert (status, out, err.count("\n")) == (2, "", 1)
    assert "holds no training session yet" in err


def test_a_journal_that_cannot_be_written_is_told(run, path, monkeypatch):
    def refuse(db, wish):
        db.execute("PRAGMA query_only = 1")
        return insert(db, wish)

    insert = asking._insert
    monkeypatch.setattr(asking, "_insert", refuse)
    status, out, err = run("change", path, "dropout=0.1")
    assert (status, out) == (2, "")
    assert re.match("skbn: journal .* cannot be written: attempt to write a readonly", err)


# Changes while training is under way.


def test_a_change_on_the_way_is_answered_with_its_epoch(run, path, under_way):
    status, out, err = run("change", path, "learning_rate_init=0.003", "dropout=0.1")
    assert (status, err) == (0, "")
    asked, done = out.splitlines()
    assert (
        asked == "learning_rate_init=0.003 dropout=0.1: waiting for the end of the epoch under way"
    )
    first = int(re.fullmatch(r"learning_rate_init=0.003 dropout=0.1: from epoch (\d+) on", done)[1])
    log = look_at(path).log
    (change,) = [each for each in log.events if each.asked_by == "terminal"]
    assert (change.event, change.epoch) == (CHANGE, first - 1)
    assert change.params == {"learning_rate_init": 0.003, "dropout": 0.1}


def test_a_training_is_rewound_and_stopped_from_another_terminal(run, path, under_way):
    status, out, _ = run("change", path, "rewind", 2)
    assert (status, out.splitlines()[-1]) == (0, "rewind to 2: from epoch 3 on")
    status, out, _ = run("change", path, "stop")
    assert status == 0
    told, last = out.splitlines()
    assert told == "stop: waiting for the end of the epoch under way"
    while look_at(path).is_training:
        time.sleep(0.001)
    assert last == f"stopped after epoch {under_way.epoch_}"
    log = under_way.log_[under_way.log_["asked_by"] == "terminal"]
    assert log["event"].tolist() == ["rewind", "stop"]
    assert run("change", path, "stop")[0] == 2
    assert is_owned(path)


def test_a_refusal_of_the_session_is_told(run, path, under_way, monkeypatch):
    monkeypatch.setattr(asking, "_check", lambda wish, look: None)
    status, out, err = run("change", path, "hidden_layer_sizes=(5,)")
    assert (status, out.count("\n")) == (2, 1)
    assert err.startswith("skbn: hidden_layer_sizes cannot change")


def test_ctrl_c_leaves_the_request(run, path, monkeypatch):
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as session:
        with session._training.store.under_way():
            press = lambda seconds: signal.raise_signal(signal.SIGINT)  # noqa: E731
            monkeypatch.setattr(asking.time, "sleep", press)
            status, out, err = run("change", path, "dropout=0.1")
            monkeypatch.undo()
        assert (status, err) == (130, "skbn: interrupted\n")
        assert out.splitlines()[1] == (
            "dropout=0.1: the request stays, and takes effect when the training goes on"
        )
        session.train(1)
        assert session.estimator_.dropout == 0.1


@pytest.mark.parametrize("what", ["dropout=0.1", "stop"])
def test_the_end_of_the_training_before_the_request_is_told(run, path, monkeypatch, what):
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as session:
        way = session._training.store.under_way()
        way.__enter__()
        monkeypatch.setattr(asking.time, "sleep", lambda seconds: way.__exit__(None, None, None))
        status, out, err = run("change", path, what)
    if what == "stop":
        assert (status, requests_in(path)) == (2, [])
        assert "nothing to stop: no training is under way (the training ended before)" in err
    else:
        assert (status, err, len(requests_in(path))) == (0, "", 1)
        assert out.splitlines()[1] == (
            "dropout=0.1: takes effect when the training goes on (the training ended before)"
        )


def test_the_death_of_the_session_is_told(run, tmp_path, monkeypatch):
    path = tmp_path / "run.sqlite"
    code = FOREVER.format(tests=os.path.dirname(__file__))
    command = [sys.executable, "-c", code, str(path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "begun\n"
            assert look_at(path).is_training

            def kill(seconds):
                process.kill()
                process.wait()

            monkeypatch.setattr(asking.time, "sleep", kill)
            status, out, err = run("change", path, "dropout=0.1")
        finally:
            process.kill()
    assert (status, err) == (0, "")
    assert out.splitlines()[1] == (
        "dropout=0.1: takes effect when the training goes on (its process ended before)"
    )
    look = look_at(path)
    assert (look.is_open, look.is_training, look.state) == (False, False, "nobody has it open")
    assert run("watch", path)[1].count("\n") == 2
    with begin(path) as session:
        assert look_at(path).state == "waiting for its owner"
        status, out, _ = run("change", path, "alpha=0.1")
        assert (status, out.endswith("(the session is open, and idle)\n")) == (0, True)
        session.train(1)
        assert (session.estimator_.dropout, session.estimator_.alpha) == (0.1, 0.1)


# The session checks what is asked of it again.

FORGED = [
    *("", "{", "null", "[]", "3", b"\xff\x00", "{}", '{"what": "change"}'),
    *(json.dumps({"what": what, "params": {}, "epoch": 0}) for what in ("", "epoch", None, [1])),
    request_text("change", {"hidden_layer_sizes": (5,)}),
    request_text("change", {"learning_rate_init": -1.0}),
    request_text("change", {"learning_rate_init": [1, 2]}),
    request_text("change", {"learning_rate_init": float("nan")}),
    request_text("change", {"nothing": 1}),
    request_text("change", {"dropout": 0.1, "momentum": "x"}),
    request_text("change", {"__class__": 1, "dropout__x": 2}),
    '{"what": "change", "params": {"dropout": {"pickle": "x"}}, "epoch": 0}',
    '{"what": "change", "params": [1], "epoch": 0}',
    '{"what": "change", "params": {"dropout": 1e999}, "epoch": 0}',
    *(request_text("rewind", epoch=epoch) for epoch in (-1, 99, 10**30, 1e300, "x", None)),
    request_text("stop"),
]


def test_forged_and_stale_requests_are_refused_and_harm_nothing(path, tmp_path):
    other = shutil.copy(path, tmp_path / "other.sqlite")
    for content in FORGED:
        ask_in_another_process(path, content)
    with (
        pytest.warns(UserWarning, match="asked for at a terminal is refused"),
        TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as asked,
    ):
        asked.train(3)
    with TrainingSession.open(other, X, Y, **JUDGED, verbose=0) as expected:
        expected.train(3)
    assert [content for content, answer in requests_in(path) if not answer] == []
    assert without_times(asked.log_).equals(without_times(expected.log_))
    found, model = asked.estimator_, expected.estimator_
    np.testing.assert_array_equal(found.predict_proba(X), model.predict_proba(X))


# Watching.


def lines_of(log):
    """What is told of a log, in lines."""
    before = 0
    for row in log.to_dict("records"):
        by = "" if row["asked_by"] == "session" else f" ({row['asked_by']})"
        if row["event"] == "epoch":
            losses = [row[name] for name in ("loss", "validation_loss")]
            loss, judged = (f"{value:#.3g}" for value in losses)
            rate = f"{row['learning_rate']:.3g}"
            yield (
                f"epoch {row['epoch']}: loss {loss}, validation loss {judged}, learning rate {rate}"
            )
        elif row["event"] == "rewind":
            yield f"after {before}: rewind to {row['epoch']}{by}"
        elif row["event"] == "change":
            names = [name for name in ("learning_rate_init", "dropout", "alpha") if name in row]
            changed = [f"{name}={row[name]}" for name in names if row[name] == row[name]]
            yield f"after {before}: {' '.join(changed)}{by}"
        else:
            yield f"after {before}: {row['event']}{by}"
        before = row["epoch"]


def test_a_finished_journal_is_told_whole(run, path):
    before = sorted(os.listdir(os.path.dirname(path)))
    status, out, err = run("watch", path)
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as session:
        log = session.log_
    assert (status, err) == (0, "")
    assert out.splitlines() == list(lines_of(log))
    assert "after 6: learning_rate_init=0.1 dropout=0.2" in out
    assert "after 10: rewind to 3" in out
    assert sorted(os.listdir(os.path.dirname(path))) == before


def test_epochs_of_other_members_are_told_without_measures():
    entry = {"loss": 0.5, "learning_rate": 0.01}
    log = Log([Event(EPOCH, 1, 0, 0.0, "session", [entry, entry])])
    log.add(Event(EPOCH, 2, 0, 0.0, "session", [None, entry]))
    assert event_words(log.events[1], 1) == "epoch 2: the first member has stopped"
    rows = texts_of(picture(look_of(log), "a", 80, 24))
    assert rows[:2] == ["a  epoch 2, training", "loss 0.500, learning rate 0.01"]


def test_a_training_under_way_is_told_to_its_end(run, path, under_way, monkeypatch):
    looks = []

    def sleep(seconds):
        looks.append(seconds)
        if len(looks) == 1:
            ask_in_another_process(path, request_text("change", {"alpha": 0.5}))
        elif len(looks) == 2:
            ask_in_another_process(path, request_text("stop"))
        threading.Event().wait(0.02)

    monkeypatch.setattr(watching, "sleep", sleep)
    status, out, err = run("watch", path)
    assert (status, err) == (0, "")
    assert out.splitlines() == list(lines_of(under_way.log_))
    assert re.search(r"\nafter \d+: alpha=0.5 \(terminal\)\n", out)
    assert re.search(r"\nafter \d+: stop \(terminal\)\n$", out)
    assert is_owned(path)


def test_a_session_that_is_idle_is_not_waited_for_where_there_is_no_terminal(run, path):
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0) as session:
        status, out, _ = run("watch", path)
        assert status == 0
        assert len(out.splitlines()) == len(session.log_)
        session.train(1)


def test_epochs_may_be_committed_between_the_reads_of_a_look(path, under_way):
    look, n_events = None, []
    for _ in range(100):
        look = look_at(path, look)
        assert look.is_training
        n_events.append(len(look.log.events))
    assert n_events == sorted(n_events)
    assert n_events[-1] > n_events[0]
    whole = look_at(path).log.events[: n_events[-1]]
    assert whole == look.log.events


def test_another_journal_of_the_same_name_is_read_anew(path):
    look = look_at(path)
    os.unlink(path)
    with begin(path) as session:
        session.train(30)
    assert len(look_at(path, look).log.events) == 30


# The picture on a terminal.


def look_of(log, state="training"):
    is_open = state != "nobody has it open"
    about = {"status": "training" if state == "training" else "idle"}
    return Look(about, log, is_open, "")


def texts_of(rows):
    return ["".join(text for text, _ in row) for row in rows]


def made_log(n=30, n_changes=0):
    measures = {"learning_rate": 0.01, "validation_loss": 1.0}
    log = Log(
        [Event(EPOCH, i, 0, 0.0, "session", [measures | {"loss": 1 / i}]) for i in range(1, n)]
    )
    for i in range(n_changes):
        log.add(Event(CHANGE, n - 1, 0, 0.0, "terminal", params={"dropout": i / 100}))
    return log


@pytest.mark.parametrize("state", ["training", "waiting for its owner", "nobody has it open"])
@pytest.mark.parametrize("size", [(80, 24), (120, 40), (40, 12), (20, 6)])
def test_the_picture_fills_the_terminal(path, state, size):
    log = look_at(path).log
    rows = picture(look_of(log, state), "run.sqlite", *size)
    assert len(rows) == size[1]
    if size[0] < 80:
        return
    assert all(len(text.rstrip()) <= size[0] for text in texts_of(rows))
    assert max(len(text) for text in texts_of(rows)[2:-5]) == size[0]
    first, second, *_ = texts_of(rows)
    assert first == f"run.sqlite  epoch 8 of branch 1, {state}"
    entry = log.events[log.line[-1]].measures[0]
    judged = [
        log.events[p].measures[0]["validation_loss"] for p in log.line if log.events[p].measures
    ]
    best = int(np.argmin(judged))
    assert second == (
        f"loss {entry['loss']:#.3g}, validation loss {judged[-1]:#.3g} "
        f"(best {judged[best]:#.3g} at {best + 1}), learning rate {entry['learning_rate']:.3g}"
    )
    assert texts_of(rows)[-4].split("  ") == [
        *("━ loss", "━ validation loss", "━ left by a rewind", "┊ change", "")
    ]
    assert rows[-3:] == [
        [("after 6: learning_rate_init=0.1 dropout=0.2", "dim")],  # which was undone
        [("after 10: rewind to 3", "")],
        [("after 3: alpha=0.01", "")],
    ]
    styles = {style for row in rows[2:-4] for text, style in row if text.strip()}
    assert styles == {"", "cyan", "magenta", "dim", "yellow"}


@pytest.mark.parametrize("size", [0.345678, 0.00345678, 3456.78])
def test_a_narrow_picture_tells_all_measures_and_the_state(size):
    entry = {"loss": size, "learning_rate": size / 9, "validation_loss": 1.1 * size}
    log = Log([Event(EPOCH, i + 1, 0, 0.0, "session", [entry]) for i in range(1234)])
    for width in range(36, 120):
        rows = texts_of(picture(look_of(log), "a_journal_with_a_long_name.sqlite", width, 24))
        head = rows[: next(i for i, row in enumerate(rows) if "│" in row or "┤" in row)]
        assert max(len(row) for row in head) <= width
        assert head[0].endswith("epoch 1234, training")
        told = re.sub(r"[(),]", "", " ".join(head[1:])).split()
        for value in (size, 1.1 * size):
            assert f"{value:#.3g}".rstrip(".") in told
        assert told[-2:] == ["rate", f"{size / 9:.3g}"]
        assert "best" in told
        assert len(rows) == 24


@pytest.mark.parametrize(("n_changes", "first"), [(4, "after 29: dropout=0.0"), (50, "47 earlier")])
def test_the_last_of_many_changes_are_told(n_changes, first):
    rows = texts_of(picture(look_of(made_log(n_changes=n_changes)), "a", 80, 24))
    assert len(rows) == 24
    assert rows[-4].startswith(first)
    assert rows[-1] == f"after 29: dropout={(n_changes - 1) / 100} (terminal)"


def test_a_session_without_epochs_or_with_losses_that_are_none_has_no_curves():
    for log in (Log(), Log([Event(CHANGE, 0, 0, 0.0, "session", params={"dropout": 0.1})])):
        rows = texts_of(picture(look_of(log), "run.sqlite", 80, 24))
        assert rows[:2] == ["run.sqlite  epoch 0, training", "no epoch yet"]


def test_losses_over_a_wide_range_have_a_logarithmic_axis():
    rows = texts_of(picture(look_of(made_log(100)), "a", 80, 24))
    values = [float(row.split()[0]) for row in rows if "┤" in row]
    assert values[0] / values[-1] >= 10
    places = [i for i, row in enumerate(rows) if "┤" in row]
    steps = np.diff(np.log(values)) / np.diff(places)
    assert np.ptp(steps) < 0.6 * abs(steps.mean())


@pytest.fixture
def terminal():
    """A terminal of 80 by 24 letters, as rich sees it."""
    console = pytest.importorskip("rich.console")
    return console.Console(file=io.StringIO(), force_terminal=True, width=80, height=24)


def test_a_terminal_shows_each_state_and_keeps_the_last(terminal):
    looks = [look_of(made_log(n)) for n in (5, 5, 9)]
    looks.append(look_of(made_log(9), "waiting for its owner"))
    looks.append(look_of(made_log(12), "nobody has it open"))
    watching._draw(iter(looks), "run.sqlite", terminal)
    drawn = terminal.file.getvalue()
    begin, screen, last = re.split(r"\x1b\[\?1049[hl]", drawn)
    shown = re.findall(r"  (epoch \d+, .*?)\x1b|  (epoch \d+, [a-z ]*[a-z])", screen)
    assert [one or other for one, other in shown] == [
        *("epoch 4, training", "epoch 8, training", "epoch 8, waiting for its owner")
    ]
    assert "epoch 11, nobody has it open" in last
    assert last.count("\n") == 22
    assert (begin.count("\x1b[?25l"), last.count("\x1b[?25h")) <= (1, 1)


def test_a_finished_journal_is_drawn_once(terminal):
    watching._draw(iter([look_of(made_log(9), "nobody has it open")]), "run.sqlite", terminal)
    drawn = terminal.file.getvalue()
    assert "\x1b[?1049h" not in drawn
    assert drawn.count("nobody has it open") == 1


def test_ctrl_c_is_how_one_leaves(run, path, monkeypatch):
    with TrainingSession.open(path, X, Y, **JUDGED, verbose=0):
        monkeypatch.setattr(watching, "sleep", lambda seconds: signal.raise_signal(signal.SIGINT))
        monkeypatch.setattr(watching.sys.stdout, "isatty", lambda: True, raising=False)
        monkeypatch.setattr(watching, "interactive_console", lambda stderr: None)
        status, out, err = run("watch", path)
    assert (status, err) == (0, "")
    assert len(out.splitlines()) == 18


def test_what_watch_prints_may_be_cut_short(path, monkeypatch, capfd):
    class Pipe(io.StringIO):
        def write(self, text):
            raise BrokenPipeError

        def fileno(self):
            return descriptor

    descriptor = os.dup(1)
    try:
        monkeypatch.setattr(sys, "stdout", Pipe())
        assert main.main(["watch", str(path)]) == 0
        os.write(descriptor, b"at its end Python writes what is left")
        monkeypatch.undo()
    finally:
        os.close(descriptor)
    assert capfd.readouterr() == ("", "")


@pytest.mark.parametrize("command", ["watch", "change"])
def test_help_names_the_commands(capsys, command):
    with pytest.raises(SystemExit) as ended:
        main.main([command, "--help"])
    assert ended.value.code == 0
    assert f"usage: python -m skbn {command}" in capsys.readouterr().out
    with pytest.raises(SystemExit):
        main.main(["--help"])
    assert f"python -m skbn {command} run.sqlite" in capsys.readouterr().out


def test_a_table_of_that_name_is_given_with_its_folder(run, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "watch").write_text("a,b\n1,2\n")
    assert "--target" in run("./watch")[2]
