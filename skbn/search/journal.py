"""The journal of a search: a SQLite file to go on from after a crash."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from hashlib import blake2b
from os import PathLike
from typing import Any, NoReturn

from skbn.search.fingerprints import Fingerprint, check_identified, differences
from skbn.search.records import (
    DamageError,
    Row,
    candidate_row,
    contents,
    restore,
    result_row,
    round_row,
    signed,
    well_formed,
)
from skbn.search.study import Study

FORMAT = "skbn search journal 3"

TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL);
CREATE TABLE rounds (
    round INTEGER PRIMARY KEY, bounds TEXT NOT NULL, n_candidates INTEGER NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE candidates (
    candidate INTEGER PRIMARY KEY, round INTEGER NOT NULL REFERENCES rounds,
    draw TEXT NOT NULL, unit TEXT NOT NULL, params TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE TABLE results (
    candidate INTEGER NOT NULL REFERENCES candidates, rung INTEGER NOT NULL,
    split INTEGER NOT NULL, result TEXT NOT NULL, checksum TEXT NOT NULL,
    PRIMARY KEY (candidate, rung, split)
);
"""
HEADER = b"SQLite format 3\0"
"""First bytes of a file of SQLite."""
KEYS = {"rounds": "round", "candidates": "candidate", "results": "candidate, rung, split"}
SECONDS_TO_WAIT = 1.0
"""Time that another process has to let go of the file, such as one that only looks into it."""
OF_ANOTHER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
OF_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""Codes of SQLite: the last is for tables and columns that are not there, or no text."""


class JournalError(OSError):
    """The file of a journal failed while its search was under way."""


class Journal:
    """A SQLite file that holds a `Study`, and that one process at a time may open.

    Parameters
    ----------
    path : str or path-like
        The file; made if there is none, readable by its owner only.

    identity : mapping of str to Fingerprint
        Of the search, as `fingerprints.of_search` makes it. A file that holds a search
        with other values is refused.

    Raises
    ------
    ValueError
        If the search cannot be identified, or the file cannot be opened or written, is
        held by another process, is damaged or something else, or belongs to another
        search.
    JournalError
        By all methods after `load`, if the file fails.
    """

    def __init__(self, path: str | PathLike[str], identity: Mapping[str, Fingerprint]) -> None:
        check_identified(identity)
        self.path = os.fsdecode(path)
        self._digest = " ".join(f"{name} {each.digest}" for name, each in identity.items())
        self._is_under_way = False
        file = _made(self.path)
        with self._errors("opened"):
            self._db = sqlite3.connect(file, timeout=SECONDS_TO_WAIT)
        # Text that is none is damage, which checksums find.
        self._db.text_factory = lambda text: text.decode(errors="backslashreplace")
        try:
            with self._errors("opened"):
                self._check(identity)
            with self._errors("written"):
                self._lock()
                # Another process may have made its tables just before.
                if not self._check(identity):
                    self._make_tables(identity)
        except BaseException:
            self._close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._close()

    def _close(self) -> None:
        # What was committed is safe, be it in the log: nothing is lost if closing fails.
        with suppress(sqlite3.Error):
            self._db.close()

    @contextmanager
    def _errors(self, what: str) -> Iterator[None]:
        """Tell of the file, and of what is safe, when it fails."""
        try:
            yield
        except (sqlite3.Error, DamageError, UnicodeDecodeError) as error:  # of a message
            self._refuse(what, error)

    def _refuse(self, what: str, error: Exception) -> NoReturn:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        kind: type[Exception] = ValueError
        if self._is_under_way:
            kind = JournalError
            text = (
                f"cannot be {what} any more: {error}. The fits that were committed before are safe "
                "in it; mend the cause (is the disk full?) and run the same again to go on"
            )
        elif code in OF_ANOTHER:
            text = "is held by another process or search; wait for it, or give another file"
        elif code in OF_DAMAGE:
            text = (
                f"is no journal of a search, or is damaged: {error}. Nothing of it was used; move "
                "it away (and the file with -wal after its name), or give another file, and the "
                "search begins anew, or restore a copy"
            )
        else:
            text = (
                f"cannot be {what}: {error}. Give a file in a folder that can be written, on a "
                "disk with room for it"
            )
        raise kind(f"journal {self.path!r} {text}") from error

    def _check(self, identity: Mapping[str, Fingerprint]) -> bool:
        """Refuse another file than a sound journal of this search, and tell whether it is one.

        Otherwise it is empty. Nothing is written.
        """
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return False
        query = "SELECT value FROM about WHERE name = 'format'"
        found = self._db.execute(query).fetchone() if "about" in tables else None
        self._check_format(str(found[0]) if found else "")
        (state,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise DamageError(" ".join(str(state).split()))
        about = self._about()
        kept = {name: value for name, value in about.items() if name not in ("format", "seed")}
        if kept.keys() != identity.keys():
            raise DamageError("the table about lacks rows, or has some that do not belong there")
        with well_formed():
            before = {name: Fingerprint.of(json.loads(value)) for name, value in kept.items()}
        found = differences(before, identity, ("there", "here"))
        if found:
            raise ValueError(f"journal {self.path!r} belongs to a search with {_words(found)}")
        return True

    def _check_format(self, found: str) -> None:
        if found == FORMAT:
            return
        version = re.fullmatch(r"skbn search journal (\d+)", found)
        if not version:
            raise ValueError(
                f"{self.path!r} is a database, but no journal of a search; give another file"
            )
        age = "an earlier" if int(version[1]) < int(FORMAT.split()[-1]) else "a later"
        raise ValueError(
            f"journal {self.path!r} has format version {version[1]}, of {age} skbn, and this one "
            f"reads version {FORMAT.split()[-1]} only. Go on with the skbn that began it, or give "
            "another file to begin anew"
        )

    def _about(self) -> dict[str, str]:
        return dict(contents(b"", "about", self._rows("SELECT name, value, checksum FROM about")))

    def _rows(self, query: str) -> list[Row]:
        # All at once: a query that has not come to its end would keep the file locked.
        return self._db.execute(query).fetchall()

    def _lock(self) -> None:
        """Take the lock, which is kept until the process ends, however it ends."""
        # With a write-ahead log a commit survives the process without waiting for the disk;
        # only a failure of power may cost the last ones.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self._db:
            self._db.execute("BEGIN EXCLUSIVE")

    def _make_tables(self, identity: Mapping[str, Fingerprint]) -> None:
        with self._db:
            self._db.execute("BEGIN EXCLUSIVE")
            for statement in TABLES.split(";")[:-1]:
                self._db.execute(statement)
            texts = {name: each.to_json() for name, each in identity.items()}
            self._add("about", ({"format": FORMAT} | texts).items(), key=b"")

    def load(self, study: Study) -> bool:
        """Restore the state of a study at the last commit, if there was any.

        Failed fits are left out, as `restore` says.

        Returns
        -------
        found : bool
        """
        with self._errors("read"):
            seed = self._about().get("seed", "")
            key = self._key_of(seed)
            tables = {
                name: contents(key, name, self._rows(f"SELECT * FROM {name} ORDER BY {keys}"))
                for name, keys in KEYS.items()
            }
            if seed:
                restore(study, seed, tables)
        self._key, self._is_under_way = key, True
        return bool(seed)

    def start(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit a study, whether it is new or has results, with the parameters of its trials."""
        results = [
            (candidate, rung, split, result)
            for candidate, trial in enumerate(study.trials)
            for rung, results in enumerate(trial.rungs)
            for split, result in results.items()
        ]
        with self._errors("written"), self._db:
            self._add("about", [("seed", str(study.seed))], key=b"")
            self._key = self._key_of(str(study.seed))
            self._add_rounds(study, params)
            self._add_results(results)

    def add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit the new rounds, and their candidates with these parameters."""
        with self._errors("written"), self._db:
            self._add_rounds(study, params)

    def add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        """Commit results of fits, each with its candidate, rung and split."""
        with self._errors("written"), self._db:
            self._add_results(results)

    def _key_of(self, seed: str) -> bytes:
        """Key of the checksums: rows of another search are not this one's."""
        return blake2b(f"{self._digest} {seed}".encode(), digest_size=16).digest()

    def _add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        (n_rounds,) = self._db.execute("SELECT count(*) FROM rounds").fetchone()
        self._add("rounds", [round_row(n, study) for n in range(n_rounds, len(study.bounds))])
        first = len(study.trials) - len(params)
        trials = enumerate(zip(study.trials[first:], params, strict=True), start=first)
        self._add("candidates", [candidate_row(i, trial, shown) for i, (trial, shown) in trials])

    def _add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        self._add("results", [result_row(*each) for each in results])

    def _add(self, table: str, rows: Iterable[Row], key: bytes | None = None) -> None:
        key = self._key if key is None else key
        for row in rows:
            marks = ", ".join("?" * (len(row) + 1))
            statement = f"INSERT OR REPLACE INTO {table} VALUES ({marks})"
            self._db.execute(statement, signed(key, table, row))


def _made(path: str) -> str:
    """Make a file that its owner alone can read, if there is none, and give its whole name.

    SQLite would let others read it, and takes some names for databases of its own.
    """
    file = "" if "\0" in path else os.path.realpath(path)
    if path in ("", ":memory:") or not file or (os.path.exists(file) and not os.path.isfile(file)):
        raise ValueError(f"journal={path!r} must be the name of a file, such as 'search.sqlite'")
    try:
        with suppress(FileExistsError):
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        with open(file, "rb") as opened:
            start = opened.read(len(HEADER))
    except OSError as error:
        raise ValueError(
            f"journal {path!r} cannot be opened: {error.strerror}. Give a file in a folder that "
            "exists and can be written"
        ) from error
    if not os.access(file, os.W_OK):  # SQLite would open it to read only
        raise ValueError(f"journal {path!r} cannot be written: its rights forbid it")
    if start not in (b"", HEADER):  # SQLite would write over some
        raise ValueError(f"{path!r} is no journal of a search; give another file")
    return file


def _words(found: Mapping[str, str]) -> str:
    """What is refused, and what to do instead."""
    several = ("data", "splits")
    differing = [
        f"{'other' if name in several else 'another'} {name}: {details}"
        for name, details in found.items()
    ]
    advice = "Go on with what it was made for (cv needs a random_state if it shuffles)"
    if found.keys() == {"n_candidates and n_rounds"}:
        advice = (
            "To try more candidates, fit with the numbers it was made for, which takes no time, "
            "and call extend(X, y, n_rounds=...)"
        )
    return f"{'; '.join(differing)}. {advice}, or give another file"


class NoJournal:
    """A journal that keeps nothing, for a search without one."""

    def __enter__(self) -> NoJournal:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def load(self, study: Study) -> bool:
        """Find nothing."""
        return False

    def start(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit nothing."""

    def add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit nothing."""

    def add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        """Commit nothing."""
