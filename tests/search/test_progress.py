"""Progress is told by lines where there is no terminal, and by a bar where there is one."""

import sys

import pytest

from skbn.search import progress as module
from skbn.search.progress import progress


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(module, "perf_counter", lambda: now[0])
    return now


def test_lines_come_every_few_seconds_and_at_the_end(capsys, clock):
    with progress(10) as show:
        for done in range(1, 11):
            clock[0] += 2
            show(done, lambda done=done: f"best {done}")
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "1/10 fits, best 1, 18 s left"
    assert lines[1] == "4/10 fits, best 4, 12 s left"
    assert lines[-1] == "10/10 fits, best 10, 0 s left"
    assert len(lines) == 4


def test_results_of_a_journal_do_not_count_as_done_in_no_time(capsys, clock):
    with progress(1000) as show:
        clock[0] += 3
        show(901, lambda: "best 1")
    assert capsys.readouterr().err == "901/1000 fits, best 1, 5 min left\n"
    with progress(10000) as show:
        clock[0] += 3
        show(1, lambda: "best 1")
    assert "8.3 h left" in capsys.readouterr().err


def test_nothing_is_shown_unless_asked_for(capsys):
    with progress(10, verbose=0) as show:
        show(10, lambda: "best")
    assert capsys.readouterr().err == ""


def test_without_rich_there_are_lines(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    with progress(1) as show:
        show(1, lambda: "best")
    assert capsys.readouterr().err == "1/1 fits, best, 0 s left\n"


def test_a_terminal_gets_a_bar(monkeypatch, capsys):
    pytest.importorskip("rich")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("rich.console.Console.is_interactive", True, raising=False)
    with progress(2) as show:
        show(1, lambda: "best 3")
        show(2, lambda: "best 4")
    assert "2/2 fits, best 4, 0 s left" in capsys.readouterr().err


def test_a_terminal_that_lacks_the_letters_gets_lines(monkeypatch, capsys):
    pytest.importorskip("rich")
    monkeypatch.setattr("rich.console.Console.is_interactive", True, raising=False)
    monkeypatch.setattr("rich.console.Console.encoding", "latin-1")
    with progress(1) as show:
        show(1, lambda: "best")
    assert capsys.readouterr().err == "1/1 fits, best, 0 s left\n"
