"""What is asked of a session from another terminal, and what becomes of it."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from skbn.session.journal import request_text
from skbn.session.log import CHANGE, REWIND, STOP
from skbn.session.looking import Look, look_at
from skbn.session.networks import with_changes
from skbn.session.stored_model import stored_classifier
from skbn.session.training import TERMINAL
from skbn.session.words import change_words
from skbn.training.interruption import Interrupted

SECONDS_TO_WAIT = 5.0
"""Time that the session has to let go of its file: it commits in milliseconds."""
SECONDS_BETWEEN_LOOKS = 0.1
LATER = "takes effect when the training goes on"
REFUSED = "is refused if the training ends before"
NOTHING_TO_STOP = "there is nothing to stop: no training is under way"


class Wish(NamedTuple):
    """What somebody asks for."""

    what: str  # "change", "rewind" or "stop"
    params: Mapping[str, Any] = {}
    epoch: int = 0

    def __str__(self) -> str:
        words = {CHANGE: change_words(self.params), REWIND: f"rewind to {self.epoch}", STOP: "stop"}
        return words[self.what]


def ask(path: str, wish: Wish, say: Callable[[str], None]) -> None:
    """Ask a session for something, and say what becomes of it.

    If training is under way, that is at the end of the epoch.

    Parameters
    ----------
    path : str
        The journal of the session.
    wish : Wish
    say : callable

    Raises
    ------
    ValueError
        If there is no such journal, or the wish cannot be fulfilled. Then nothing was asked.
    """
    look = look_at(path)
    _check(wish, look)
    with _connected(path) as db:
        number = _insert(db, wish)
        if not look.is_training:
            state = "the session is open, and idle" if look.is_open else "nobody has it open"
            say(f"{wish}: {LATER} ({state})")
            return
        say(f"{wish}: waiting for the end of the epoch under way")
        try:
            say(_outcome(db, path, wish, number, look))
        except (Interrupted, KeyboardInterrupt):
            say(f"{wish}: the request stays, and {LATER if wish.what != STOP else REFUSED}")
            raise


def _check(wish: Wish, look: Look) -> None:
    """Refuse what the session would refuse."""
    log = look.log
    if wish.what == CHANGE:
        classifier = stored_classifier(look.about).set_params(**log.params(log.line))
        with_changes(classifier, dict(wish.params))
    elif wish.what == REWIND:
        log.check_epoch(wish.epoch)
    elif not look.is_training:
        raise ValueError(NOTHING_TO_STOP)


@contextmanager
def _connected(path: str) -> Iterator[sqlite3.Connection]:
    """Write to a journal beside its owner, and say in plain words why that fails."""
    uri = f"{Path(path).resolve().as_uri()}?mode=rw"
    try:
        db = sqlite3.connect(uri, timeout=SECONDS_TO_WAIT, isolation_level=None, uri=True)
        with closing(db):
            yield db
    except sqlite3.Error as error:
        raise ValueError(f"journal {path!r} cannot be written: {error}") from error


def _insert(db: sqlite3.Connection, wish: Wish) -> int:
    text = request_text(wish.what, wish.params, wish.epoch)
    statement = "INSERT INTO requests (time, content) VALUES (?, ?)"
    return int(db.execute(statement, (time.time(), text)).lastrowid or 0)


def _outcome(db: sqlite3.Connection, path: str, wish: Wish, number: int, look: Look) -> str:
    """Wait for the answer to a request, and tell it."""
    n_before = len(look.log.events)
    query = "SELECT answer FROM requests WHERE request = ?"
    while True:
        # A look before the answer: what is not answered after the training is not done in it.
        look = look_at(path, look)
        (answer,) = db.execute(query, (number,)).fetchone() or ("somebody deleted the request",)
        if answer is not None or not look.is_training:
            break
        time.sleep(SECONDS_BETWEEN_LOOKS)
    if answer:
        raise ValueError(answer)
    if answer is not None:
        return _done(wish, look_at(path, look), n_before)
    end = "the training ended before" if look.is_open else "its process ended before"
    if wish.what == STOP:
        db.execute("DELETE FROM requests WHERE request = ?", (number,))
        raise ValueError(f"{NOTHING_TO_STOP} ({end})")
    return f"{wish}: {LATER} ({end})"


def _done(wish: Wish, look: Look, n_before: int) -> str:
    """Tell what was done, and when."""
    asked = (event for event in look.log.events[n_before:] if event.asked_by == TERMINAL)
    same = (each.epoch for each in asked if (each.event, each.params) == (wish.what, wish.params))
    epoch = next(same, look.log.epoch)
    if wish.what == STOP:
        return f"stopped after epoch {epoch}"
    return f"{wish}: from epoch {epoch + 1} on"
