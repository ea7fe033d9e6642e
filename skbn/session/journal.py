"""Where a session is kept: in memory, or in a SQLite file from which it goes on."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from threading import RLock
from typing import Any, NamedTuple
from uuid import uuid4

from skbn.export.encoding import decoded, encoded
from skbn.export.predictor import CHECKSUM_BYTES
from skbn.journal.checksums import DamageError, contents, well_formed
from skbn.journal.database import Database, JournalError, Kind
from skbn.session.checkpoints import Checkpoint, positions_of, saved
from skbn.session.log import CHANGE, KINDS, REWIND, STOP, Event, Log
from skbn.session.networks import Networks, Position

TABLES = """
CREATE TABLE session (name TEXT PRIMARY KEY, value NOT NULL, checksum TEXT NOT NULL);
CREATE TABLE events (
    event INTEGER PRIMARY KEY, kind TEXT NOT NULL, epoch INTEGER NOT NULL,
    branch INTEGER NOT NULL, time REAL NOT NULL, asked_by TEXT NOT NULL, content TEXT NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE checkpoints (
    event INTEGER PRIMARY KEY REFERENCES events, content TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE TABLE models (event INTEGER PRIMARY KEY, model BLOB NOT NULL, best BLOB);
CREATE TABLE requests (
    request INTEGER PRIMARY KEY AUTOINCREMENT, time REAL NOT NULL, content TEXT NOT NULL,
    answer TEXT
);
"""
KIND = Kind(
    "skbn training session journal 1",
    TABLES,
    noun="training session",
    parts="epochs",
    go_on="open the session again",
    advice=lambda found: "Go on with what it was made for",
    further=("seed",),
    page_size=2**14,
)
REQUIRED = {"params", "class", "seeds", "machine", "max_checkpoints", "status"}
"""Rows of the table session."""
TRAINING, IDLE = "training", "idle"
"""What a session says of itself to those who watch."""


class Request(NamedTuple):
    """What somebody asks of a session from another terminal."""

    number: int
    what: str  # "change", "rewind" or "stop"
    params: dict[str, Any]
    epoch: int


class InMemory:
    """A store of checkpoints for a session without a journal.

    Parameters
    ----------
    max_checkpoints : int
    """

    path = ""

    def __init__(self, max_checkpoints: int) -> None:
        self.max_checkpoints = max_checkpoints
        self.log = Log()
        self.checkpoints: dict[int, int] = {}
        self._positions: dict[int, list[Position]] = {}

    def commit(self, event: Event, dropped: Sequence[int] = (), request: int | None = None) -> None:
        """Add an event to the log, and drop checkpoints that it leaves behind."""
        self.log.add(event)
        self._drop(dropped)

    def keep(self, position: int, networks: Networks, dropped: Sequence[int]) -> None:
        """Keep where networks stand after an epoch, and drop earlier checkpoints."""
        self._positions[position] = networks.positions()
        self.checkpoints[position] = self.log.events[position].epoch
        self._drop(dropped)

    def _drop(self, dropped: Sequence[int]) -> None:
        for position in dropped:
            del self._positions[position], self.checkpoints[position]

    def positions(self, position: int) -> list[Position]:
        """Give back where the networks stood after an event."""
        return self._positions[position]

    def requests(self) -> list[Request]:
        """Find nothing."""
        return []

    def refuse(self, number: int, why: str) -> None:
        """Answer nobody."""

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Tell nobody that training is under way."""
        yield

    def close(self) -> None:
        """Let go of nothing."""


class SessionJournal:
    """A SQLite file that holds a session, and that one process at a time may write.

    Parameters
    ----------
    database : Database
    known : Log, default=None
        What was read of it before, to which the rest is added.

    Attributes
    ----------
    log : Log
    checkpoints : dict of int to int
        The epoch of each checkpoint, by the position of its event.
    """

    def __init__(self, database: Database, known: Log | None = None) -> None:
        self._database, self._lock = database, RLock()
        self.path = database.path
        with database.errors("read"):
            self._key = database.key_of(database.about().get("seed", ""))
            with well_formed():
                rows = database.rows("SELECT * FROM session")
                self.about: dict[str, Any] = dict(contents(self._key, "session", rows))
                if self.about and not self.about.keys() >= REQUIRED:
                    raise DamageError("the table session lacks rows")
                # Before the events: the owner may add some meanwhile, with checkpoints.
                rows = database.rows("SELECT event FROM checkpoints ORDER BY event")
                self.log = Log() if known is None else known
                self._read_events()
                epochs = [self.log.events[event].epoch for (event,) in rows]
                self.checkpoints = dict(zip([event for (event,) in rows], epochs, strict=True))

    def _read_events(self) -> None:
        query, n_known = (
            "SELECT * FROM events WHERE event >= ? ORDER BY event",
            len(self.log.events),
        )
        rows = contents(self._key, "events", self._database.rows(query, n_known))
        if [row[0] for row in rows] != list(range(n_known, n_known + len(rows))):
            raise DamageError("the table events lacks rows")
        for row in rows:
            self.log.add(_event(*row))

    @property
    def max_checkpoints(self) -> int:
        """Checkpoints to keep."""
        return int(self.about["max_checkpoints"])

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self._database.is_under_way = True
        # Threads share the connection.
        with self._lock, self._database.transaction():
            yield

    def begin(self, about: Mapping[str, Any]) -> None:
        """Commit what a new session is."""
        seed = uuid4().hex
        with self._transaction():
            self._database.add("about", [("seed", seed)], b"")
            self._key = self._database.key_of(seed)
            self._database.add("session", about.items(), self._key)
        self.about = dict(about)

    def commit(self, event: Event, dropped: Sequence[int] = (), request: int | None = None) -> None:
        """Commit an event with the answer to who asked, and drop checkpoints of other branches."""
        with self._transaction():
            row = _row(len(self.log.events), event)
            self._database.add("events", [row], self._key, replaces=False)
            self._delete(dropped)
            if request is not None:
                self._answer(request, "")
        self.log.add(event)
        self._drop(dropped)

    def keep(self, position: int, networks: Networks, dropped: Sequence[int]) -> None:
        """Commit where networks stand after an epoch, and drop earlier checkpoints."""
        checkpoint = saved(networks)
        models = [each for each in (checkpoint.model, checkpoint.best) if each is not None]
        content = {
            "networks": checkpoint.networks,
            # Of the files: to take another one over megabytes would take as long as to write them.
            "checksums": [bytes(each[-CHECKSUM_BYTES:]).decode("ascii") for each in models],
        }
        with self._transaction():
            self._database.add("checkpoints", [(position, json.dumps(content))], self._key)
            statement = "INSERT OR REPLACE INTO models VALUES (?, ?, ?)"
            self._database.execute(statement, position, checkpoint.model, checkpoint.best)
            self._delete(dropped)
        self.checkpoints[position] = self.log.events[position].epoch
        self._drop(dropped)

    def _delete(self, dropped: Sequence[int]) -> None:
        for position in dropped:
            for table in ("checkpoints", "models"):
                self._database.execute(f"DELETE FROM {table} WHERE event = ?", position)

    def _drop(self, dropped: Sequence[int]) -> None:
        for position in dropped:
            del self.checkpoints[position]

    def positions(self, position: int) -> list[Position]:
        """Give back where the networks stood after an event."""
        query = "SELECT * FROM {} WHERE event = ?"
        with self._database.errors("read"), well_formed():
            rows = self._database.rows(query.format("checkpoints"), position)
            ((_, text),) = contents(self._key, "checkpoints", rows)
            ((_, model, best),) = self._database.rows(query.format("models"), position)
            content = json.loads(text)
            files = [each for each in (model, best) if each is not None]
            checksums = [each[-CHECKSUM_BYTES:].decode("ascii") for each in files]
            if checksums != content["checksums"]:
                raise DamageError("a row of the table models is not the one that belongs there")
            return positions_of(Checkpoint(model, best, content["networks"]))

    def requests(self) -> list[Request]:
        """Give what was asked from other terminals and is not answered."""
        query = "SELECT request, content FROM requests WHERE answer IS NULL ORDER BY request"
        with self._database.errors("read"):
            rows = self._database.rows(query)
        found = []
        for number, text in rows:
            try:
                found.append(_request(number, text))
            except Exception:
                self.refuse(number, "the request is not of the form that skbn writes")
        return found

    def refuse(self, number: int, why: str) -> None:
        """Tell who asked why it was not done."""
        with self._transaction():
            self._answer(number, why)

    def _answer(self, number: int, text: str) -> None:
        self._database.execute("UPDATE requests SET answer = ? WHERE request = ?", text, number)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Tell who watches that training is under way."""
        self._tell(TRAINING)
        try:
            yield
        finally:
            # What was committed is safe; whoever watches sees that nobody owns the file.
            with suppress(JournalError):
                self._tell(IDLE)

    def rest(self) -> None:
        """Tell who watches that the training of a process that was killed is not under way."""
        if self.about["status"] != IDLE:
            self._tell(IDLE)

    def _tell(self, status: str) -> None:
        with self._transaction():
            self._database.add("session", [("status", status)], self._key)

    def close(self) -> None:
        """Let go of the file."""
        self._database.close()


# Rows.


def _row(number: int, event: Event) -> tuple[Any, ...]:
    content = {
        "measures": [
            None if entry is None else {name: encoded(value, name) for name, value in entry.items()}
            for entry in event.measures
        ],
        "params": {name: encoded(value, name) for name, value in event.params.items()},
    }
    text = json.dumps(content, allow_nan=False)
    return number, event.event, event.epoch, event.branch, event.time, event.asked_by, text


def _event(
    number: int, kind: str, epoch: int, branch: int, seconds: float, asked_by: str, text: str
) -> Event:
    content = json.loads(text)
    if kind not in KINDS:
        raise DamageError("the table events has a row that does not belong there")
    measures = [
        None if entry is None else {name: decoded(value) for name, value in entry.items()}
        for entry in content["measures"]
    ]
    params = {name: decoded(value) for name, value in content["params"].items()}
    return Event(kind, epoch, branch, seconds, asked_by, measures, params)


def _request(number: int, text: str) -> Request:
    content = json.loads(text)
    if content["what"] not in (CHANGE, REWIND, STOP):
        raise ValueError(f"{content['what']} is nothing to ask for")
    params = {str(name): decoded(value) for name, value in content["params"].items()}
    return Request(number, content["what"], params, int(content["epoch"]))


def request_text(what: str, params: Mapping[str, Any] | None = None, epoch: int = 0) -> str:
    """Write a request as text."""
    values = {name: encoded(value, name) for name, value in (params or {}).items()}
    return json.dumps({"what": what, "params": values, "epoch": epoch}, allow_nan=False)
