"""What is shown while a session trains; nothing that goes wrong with it harms the training."""

import io
import re
import sys
import threading

import numpy as np
import pytest

from skbn import BNSoftmaxClassifier
from skbn.display.text_curves import sparkline
from skbn.session import TrainingSession, live
from skbn.session.live import Moment, line, shown
from skbn.session.log import CHANGE, EPOCH, REWIND, STOP, Event, Log

pytestmark = pytest.mark.slow

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(90, 4))
Y = np.arange(90) % 3


def epoch_of(number, loss, branch=0, **measures):
    entry = {"loss": loss, "learning_rate": 0.01} | measures
    return Event(EPOCH, number, branch, 0.0, "session", [entry])


def trained(n, validation=True):
    """A log of epochs whose validation loss is lowest at the third."""
    losses = [
        {"validation_loss": (i - 3) ** 2 + 0.5} if validation else {} for i in range(1, n + 1)
    ]
    return Log([epoch_of(i, 1 / i, **losses[i - 1]) for i in range(1, n + 1)])


def text_of(row):
    return "".join(text for text, _ in row)


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(live, "perf_counter", lambda: now[0])
    return now


@pytest.fixture
def session():
    """A session of quick epochs, shown or not."""

    def begin(verbose=1, validation=True):
        model = BNSoftmaxClassifier((4,), batch_size=30, max_iter=50, random_state=0)
        judged = {"X_val": X[::2], "y_val": Y[::2]} if validation else {}
        return TrainingSession(model, X, Y, **judged, verbose=verbose)

    return begin


@pytest.fixture
def terminal(monkeypatch):
    """A terminal of 100 columns that takes what is drawn, as rich sees it."""
    console = pytest.importorskip("rich.console")

    def connect(file=None):
        file = io.StringIO() if file is None else file
        made = console.Console(file=file, force_terminal=True, width=100, color_system=None)
        monkeypatch.setattr(live, "interactive_console", lambda: made)
        return file

    return connect


class Broken(io.StringIO):
    """A terminal that is closed after some writing."""

    def __init__(self, error, n_writes):
        super().__init__()
        self.error, self.n_writes = error, n_writes

    def write(self, text):
        self.n_writes -= 1
        if self.n_writes < 0:
            raise self.error
        return super().write(text)


# Lines.


def test_lines_come_every_few_seconds_and_at_the_end(capsys, clock):
    log = Log()
    with shown(log, 10, np.inf, 1) as show:
        for event in trained(10).events:
            clock[0] += 2
            log.add(event)
            show()
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "epoch 1 of 10, loss 1.00, validation loss 4.50 (best 4.50 at 1), learning rate 0.01, "
        "18 s left",
        "epoch 4 of 10, loss 0.250, validation loss 1.50 (best 0.500 at 3), learning rate 0.01, "
        "12 s left",
        "epoch 7 of 10, loss 0.143, validation loss 16.5 (best 0.500 at 3), learning rate 0.01, "
        "6 s left",
        "epoch 10 of 10, loss 0.100, validation loss 49.5 (best 0.500 at 3), learning rate 0.01, "
        "0 s left",
        "epoch 10 of 10, loss 0.100, validation loss 49.5 (best 0.500 at 3), learning rate 0.01, "
        "20 s",
    ]


def test_without_a_validation_set_there_is_no_best_epoch(capsys):
    log = trained(2, validation=False)
    with shown(log, 1, np.inf, 1) as show:
        log.add(epoch_of(3, 0.2))
        show()
    assert capsys.readouterr().err.startswith("epoch 3 of 3, loss 0.200, learning rate 0.01, 0 s")


@pytest.mark.parametrize(("n", "until", "last"), [(5, np.inf, 8), (np.inf, 20, 20), (50, 20, 20)])
def test_the_last_epoch_is_counted_from_the_beginning(n, until, last):
    assert Moment(trained(3), n, until).last_epoch == last


def test_after_a_rewind_on_the_way_the_epoch_is_smaller(capsys, clock):
    log = trained(6)
    with shown(log, 10, np.inf, 1) as show:
        for event in [epoch_of(7, 0.3), Event(REWIND, 2, 1, 0.0, "terminal"), epoch_of(3, 0.4, 1)]:
            clock[0] += 3
            log.add(event)
            if event.event == EPOCH:
                show()
    first, second, third = capsys.readouterr().err.splitlines()
    assert first.startswith("epoch 7 of 16, loss 0.300, learning rate 0.01, 27 s left")
    assert second.startswith("epoch 3 of 11, loss 0.400, ")
    assert third.startswith("epoch 3 of 11, loss 0.400, ")


@pytest.mark.parametrize("asked_by", ["terminal", "patience"])
def test_the_end_tells_who_stopped_it(capsys, asked_by):
    log = Log()
    with shown(log, 9, np.inf, 1) as show:
        log.add(epoch_of(1, 0.5))
        show()
        log.add(Event(STOP, 1, 0, 0.0, asked_by))
    end = capsys.readouterr().err.splitlines()[-1]
    assert end == f"epoch 1 of 9, loss 0.500, learning rate 0.01, 0 s, stopped ({asked_by})"


def test_a_stop_of_a_training_before_is_not_told(capsys):
    log = trained(2)
    log.add(Event(STOP, 2, 0, 0.0, "patience"))
    with shown(log, 1, np.inf, 1):
        pass
    assert "stopped" not in capsys.readouterr().err


def test_nothing_is_shown_where_nothing_is_to_train(capsys, session):
    begun = session(0).train(3)
    begun._verbose = 1
    begun.train(until=2)
    assert capsys.readouterr() == ("", "")


@pytest.mark.parametrize("verbose", [0, False])
def test_nothing_is_shown_unless_asked_for(capsys, session, verbose):
    session(verbose).train(2)
    assert capsys.readouterr() == ("", "")


def test_without_rich_there_are_lines(capsys, session, monkeypatch):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    session().train(2)
    out, err = capsys.readouterr()
    assert out == ""
    assert re.findall("^epoch (.) of 2, loss ", err, re.M) == ["1", "2"]


# The line on a terminal.


@pytest.mark.parametrize("n", [1, 3, 40])
def test_the_line_fits_the_terminal_and_has_the_epoch_and_the_curve(n):
    losses = [(i - 3) ** 2 + 0.5 for i in range(1, n + 1)]
    for width in (*range(12, 140), 500):
        text = text_of(line(Moment(trained(n), 100, np.inf), width))
        assert len(text) <= width
        assert re.search(rf"\b(epoch )?{n}( of |/){n + 100}\b", text)
        if width >= 80:
            assert any(sparkline(losses[-k:]) in text for k in range(min(n, 10), 31))
            assert f"loss {1 / n:#.3g} " in text
            assert f"{losses[-1]:#.3g}".rstrip(".") in text


def test_a_wide_line_tells_all():
    moment = Moment(trained(4), 6, np.inf)
    moment.n_trained = 1
    text = text_of(line(moment, 160))
    assert text.startswith(
        "━━━━╌╌╌╌╌╌ epoch 4 of 9 loss 0.250 validation loss 1.50 (best 0.500 at 3)"
    )
    assert " learning rate 0.01 █▃▁▃ " in text
    assert text.endswith(" 0 s left")


def test_before_the_first_epoch_the_line_has_its_number_only():
    assert text_of(line(Moment(Log(), 6, np.inf), 100)).strip() == "╌╌╌╌╌╌╌╌╌╌ epoch 0 of 6"


def test_a_change_after_the_last_epoch_hides_no_measures():
    log = trained(3)
    for _ in range(100):
        log.add(Event(CHANGE, 3, 0, 0.0, "session", params={"dropout": 0.1}))
    assert "loss 0.333" in text_of(line(Moment(log, 1, np.inf), 100))


def test_the_terminal_keeps_the_last_line_and_its_cursor(terminal, session):
    file = terminal()
    trained = session().train(3)
    drawn = file.getvalue()
    assert drawn.count("\x1b[?25l") == drawn.count("\x1b[?25h") == 1
    assert drawn.endswith("\n\x1b[?25h")
    last = drawn.rpartition("\x1b[2K")[2]
    assert re.search(rf" (epoch )?3( of |/)3 loss {trained.log_['loss'].iloc[-1]:#.3g}", last)


def test_the_line_is_drawn_no_more_than_ten_times_a_second(terminal, clock):
    file, log = terminal(), Log()
    with shown(log, 1000, np.inf, 1) as show:
        for i in range(1, 1001):
            clock[0] += 0.01
            log.add(epoch_of(i, 0.5))
            show()
    assert 95 < len(re.findall("of 1000|/1000", file.getvalue())) < 105


@pytest.mark.parametrize("error", [BrokenPipeError(), OSError(5, "gone"), ValueError("closed")])
@pytest.mark.parametrize("n_writes", [0, 1, 4, 10])
def test_a_terminal_that_is_closed_does_not_harm_the_training(
    terminal, session, monkeypatch, error, n_writes
):
    monkeypatch.setattr("os.dup2", lambda *_: None)  # by which rich silences all of stdout
    expected = session(0).train(4).estimator_
    stdout, stderr = sys.stdout, sys.stderr
    terminal(Broken(error, n_writes))
    found = session().train(4).estimator_
    np.testing.assert_array_equal(found.predict_proba(X), expected.predict_proba(X))
    assert (sys.stdout, sys.stderr) == (stdout, stderr)


def test_a_pipe_that_is_broken_does_not_harm_the_training(monkeypatch, session):
    monkeypatch.setattr(sys, "stderr", Broken(BrokenPipeError(), 0))
    assert session().train(4).epoch_ == 4


def test_ctrl_c_leaves_the_terminal_sane(terminal, session, monkeypatch):
    file, begun = terminal(), session()
    epoch = type(begun._training).epoch

    def interrupted(training, which):
        if training.log.epoch == 2:
            raise KeyboardInterrupt
        epoch(training, which)

    monkeypatch.setattr(type(begun._training), "epoch", interrupted)
    stderr = sys.stderr
    with pytest.warns(UserWarning, match="interrupted by the user in epoch 3"):
        begun.train(5)
    assert file.getvalue().endswith("\n\x1b[?25h")
    assert sys.stderr is stderr


def test_a_training_in_a_thread_is_shown(terminal, session):
    file, begun = terminal(), session()
    thread = threading.Thread(target=begun.train, args=(3,))
    thread.start()
    thread.join()
    assert begun.epoch_ == 3
    assert file.getvalue().endswith("\n\x1b[?25h")


def test_what_is_printed_to_a_file_meanwhile_goes_there(terminal, capsys):
    file = terminal()
    with shown(trained(1), 1, np.inf, 1) as show:
        show()
        print("to a file")
    assert capsys.readouterr().out == "to a file\n"
    assert "to a file" not in file.getvalue()


def test_a_warning_stands_above_the_line(terminal):
    file = terminal()
    with shown(trained(1), 1, np.inf, 1) as show:
        print("look out", file=sys.stderr)
        show()
    assert "\x1b[2Klook out" in file.getvalue()


# The figure in a notebook.


@pytest.fixture
def figures(monkeypatch):
    """What figures of a notebook were given: the number of events, and whether it was forced."""
    pytest.importorskip("matplotlib")
    given = []

    class Figure:
        def update(self, log, force=False):
            given.append((len(log), force))

    monkeypatch.setattr(live, "in_notebook", lambda: True)
    monkeypatch.setattr(live, "LiveFigure", Figure)
    return given


def test_a_notebook_gets_a_figure_once_a_second_and_at_the_end(figures, clock, capsys):
    log = Log()
    with shown(log, 40, np.inf, 1) as show:
        for i in range(1, 41):
            clock[0] += 0.125
            log.add(epoch_of(i, 0.5))
            show()
    assert figures == [
        (0, False),
        (1, False),
        (9, False),
        (17, False),
        (25, False),
        (33, False),
        (40, True),
    ]
    assert capsys.readouterr() == ("", "")


def test_a_notebook_without_matplotlib_gets_lines(monkeypatch, session, capsys):
    monkeypatch.setattr(live, "in_notebook", lambda: True)
    monkeypatch.setattr(live, "find_spec", lambda name: None)
    session().train(1)
    assert "epoch 1 of 1" in capsys.readouterr().err


def test_patience_and_until_are_shown_by_the_session(session, capsys):
    begun = session()
    begun.train(until=4)
    begun.set_params(learning_rate_init=1e-9)
    begun.train(until=40, patience=2)
    lines = capsys.readouterr().err.splitlines()
    assert lines[1].startswith("epoch 4 of 4, ")
    assert re.match(rf"epoch {begun.epoch_} of 40, .* s, stopped \(patience\)$", lines[-1])
