"""A journal: a SQLite file that one process owns and writes, while others may read it."""

from __future__ import annotations

import json
import os
import re
import sqlite3
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from hashlib import blake2b
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple, NoReturn
from weakref import finalize

from skbn.journal.checksums import DamageError, Row, contents, signed, well_formed
from skbn.journal.fingerprints import Fingerprint, Identity, check_identified, differences
from skbn.journal.lock import Lock, is_owned, path_of_lock

ABOUT = "CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL, checksum TEXT NOT NULL);"
HEADER = b"SQLite format 3\0"
"""First bytes of a file of SQLite."""
LOGS = ("wal", "journal")
"""Endings of the files that belong to one of SQLite: of a write-ahead log, and of its default."""
LOG_BYTES = 2**22
"""Bytes of the write-ahead log from which they are moved to the file."""
SECONDS_TO_WAIT = 5.0
"""Time that others have to let go of the file: those that read it take moments only."""
OF_ANOTHER = {sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED}
OF_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB, sqlite3.SQLITE_ERROR}
"""Codes of SQLite: the last is for tables and columns that are not there, or no text."""
OF_SHARED_MEMORY = {sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_IOERR, sqlite3.SQLITE_PROTOCOL}
"""Codes of SQLite for a disk that has none, as some that lie in a network."""
PLURALS = ("data", "splits")


class JournalError(OSError):
    """The file of a journal failed while what it keeps was under way."""


class Kind(NamedTuple):
    """What tells one kind of journal from another."""

    format: str  # "skbn <noun> journal <version>"
    tables: str  # statements that make them, "about" apart
    noun: str  # what is kept, such as "search"
    parts: str  # what is committed, such as "fits"
    go_on: str  # what a user does to go on, such as "run the same again"
    advice: Callable[[Mapping[str, str]], str]  # from what differs, by name, to what to do
    further: tuple[str, ...] = ()  # names of the table about that are no part of the identity
    page_size: int = 4096  # bytes; large values are written faster with large ones


class Database:
    """The file of a journal: about what it is, with rows that have checksums.

    Parameters
    ----------
    path : str or path-like
        The file; made if there is none, readable by its owner only.

    kind : Kind
        A journal of another kind is refused.

    identity : mapping of str to Fingerprint or None
        What the journal is kept for. A file with another identity is refused. With None there
        must be a file, and `check_same` compares.

    Attributes
    ----------
    path : str

    identity : dict of str to Fingerprint
        As stored.

    is_under_way : bool
        When it is set, a file that fails is a `JournalError`.

    Raises
    ------
    ValueError
        If the identity is not complete, or the file cannot be opened or written, is held by
        another process, is damaged or something else, or has another identity.
    JournalError
        By all methods after `is_under_way` was set, if the file fails.
    """

    path: str
    identity: dict[str, Fingerprint]
    is_under_way: bool
    _kind: Kind
    _db: sqlite3.Connection
    _opened: ExitStack
    _let_go: Callable[[], object]
    _held: Lock | None
    _file: str
    _stat: os.stat_result

    def __init__(
        self, path: str | PathLike[str], kind: Kind, identity: Identity | None = None
    ) -> None:
        if identity is not None:
            check_identified(identity, kind.noun)
        file = self._prepare(path, kind)
        if identity is None:
            self._check_existence(file)
        try:
            self._lock(file)
            self._make(file)
            self._file, self._stat = file, os.stat(file)
            with self.errors("opened"):
                self._open(file, identity)
        except BaseException:
            self.close()
            raise

    @classmethod
    def to_read(cls, path: str | PathLike[str], kind: Kind) -> Database:
        """Open a journal to look at it, while another process owns and writes it.

        Nothing is written, and no file is made. A look should be short: as long as it lasts, the
        owner cannot tidy up behind itself.
        """
        database = cls.__new__(cls)
        file = database._prepare(path, kind)
        database._check_existence(file)
        is_still = not is_owned(file)
        if is_still:  # or this process may be the owner, and lose its locks
            database._check_start(file, "can be read")
        # SQLite would make a log, if there is none, only to read in it that there is nothing.
        is_whole = is_still and not any(os.path.exists(f"{file}-{each}") for each in LOGS)
        try:
            with database.errors("read"):
                options = "&immutable=1" if is_whole else ""
                database._connect(f"{Path(file).as_uri()}?mode=ro{options}", uri=True)
                database._load()
        except BaseException:
            database.close()
            raise
        return database

    def _prepare(self, path: str | PathLike[str], kind: Kind) -> str:
        """Refuse what is no name of a file, and give its whole name."""
        if not isinstance(path, (str, bytes, os.PathLike)):
            raise TypeError(f"journal must be the name of a file, got {path!r:.80}")
        self.path, self._kind, self.is_under_way = os.fsdecode(path), kind, False
        self._held, self._opened = None, ExitStack()
        self._let_go = finalize(self, self._opened.close)
        # SQLite takes some names for databases of its own.
        file = "" if "\0" in self.path else os.path.realpath(self.path)
        is_other = os.path.exists(file) and not os.path.isfile(file)
        if self.path in ("", ":memory:") or not file or is_other:
            example = kind.noun.split()[-1]
            raise ValueError(
                f"journal={self.path!r} must be the name of a file, such as '{example}.sqlite'"
            )
        return file

    def _check_existence(self, file: str) -> None:
        if not os.path.exists(file):
            raise ValueError(
                f"journal {self.path!r} does not exist; give the file of a {self._kind.noun} that "
                "was begun"
            )

    def _lock(self, file: str) -> None:
        try:
            lock = Lock(file)
        except BlockingIOError as error:
            raise ValueError(f"journal {self.path!r} {self._words_of_another()}") from error
        except FileExistsError as error:
            raise ValueError(
                f"journal {self.path!r} needs the name {path_of_lock(self.path)!r} for its lock, "
                "and there is another file; give the journal another name"
            ) from error
        except OSError as error:
            raise ValueError(
                f"journal {self.path!r} cannot be opened: its lock file "
                f"{path_of_lock(self.path)!r} cannot be made: {error.strerror}. Give a file in a "
                "folder that exists and can be written"
            ) from error
        self._opened.callback(lock.release)
        self._held = lock

    def _make(self, file: str) -> None:
        """Make a file that its owner alone can read, if there is none: SQLite lets others."""
        with suppress(OSError):  # which reading tells
            os.close(os.open(file, os.O_CREAT | os.O_EXCL | os.O_RDWR, 0o600))
        self._check_start(file, "can be written")
        if not os.access(file, os.W_OK):  # SQLite would open it to read only
            raise ValueError(f"journal {self.path!r} cannot be written: its rights forbid it")

    def _check_start(self, file: str, need: str) -> None:
        """Refuse a file that neither is of SQLite nor empty.

        SQLite would write over some. To close a file lets go of all locks that the process has
        on it, and with them of SQLite's, so that there must be no owner in this process.
        """
        try:
            with open(file, "rb") as opened:
                start = opened.read(len(HEADER))
        except OSError as error:
            raise ValueError(
                f"journal {self.path!r} cannot be opened: {error.strerror}. Give a file in a "
                f"folder that exists and {need}"
            ) from error
        if start not in (b"", HEADER):
            noun = self._kind.noun
            raise ValueError(f"{self.path!r} is no journal of a {noun}; give another file")

    def _connect(self, name: str, **options: Any) -> None:
        options |= {"timeout": SECONDS_TO_WAIT, "isolation_level": None}
        self._db = sqlite3.connect(name, check_same_thread=False, **options)
        self._opened.callback(_close, self._db, os.getpid())
        # Text that is none is damage, which checksums find.
        self._db.text_factory = lambda text: text.decode(errors="backslashreplace")

    def _open(self, file: str, identity: Identity | None) -> None:
        try:
            self._begin(file, identity, "NORMAL", "WAL")
        except sqlite3.OperationalError as error:
            if error.sqlite_errorcode & 0xFF not in OF_SHARED_MEMORY:
                raise
            self._db.close()
            self._begin(file, identity, "EXCLUSIVE", "DELETE")

    def _begin(self, file: str, identity: Identity | None, locking: str, mode: str) -> None:
        """Check the file before anything is written, and make the tables of a new one."""
        self._connect(file)
        # Exclusively, a log that is there is read without shared memory.
        self._db.execute(f"PRAGMA locking_mode = {locking}")
        is_new = identity is not None and not self._tables()
        if not is_new:
            self._load()
            self._check_structure()
            if identity is not None:
                self.check_same(identity)
        self._db.execute(f"PRAGMA page_size = {self._kind.page_size}")  # of a new file
        # With a write-ahead log a commit survives the process without waiting for the disk;
        # only a failure of power may cost the last ones.
        self._db.execute(f"PRAGMA journal_mode = {mode}")
        self._db.execute("PRAGMA locking_mode = NORMAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        self._db.execute(f"PRAGMA wal_autocheckpoint = {LOG_BYTES // self._kind.page_size}")
        with self._db:
            self._db.execute("BEGIN IMMEDIATE")
            if is_new and identity is not None:
                self._make_tables(identity)

    def _tables(self) -> set[str]:
        return {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}

    def _load(self) -> None:
        """Refuse another kind of file, and read the identity."""
        tables = self._tables()
        if not tables:
            raise ValueError(
                f"journal {self.path!r} is empty: no {self._kind.noun} was begun, or it was copied "
                "without the file that has -wal after its name"
            )
        query = "SELECT value FROM about WHERE name = 'format'"
        found = self._db.execute(query).fetchone() if "about" in tables else None
        self._check_format(str(found[0]) if found else "")
        about, others = self.about(), {"format", *self._kind.further}
        with well_formed():
            self.identity = {
                name: Fingerprint.of(json.loads(value))
                for name, value in about.items()
                if name not in others
            }

    def _check_format(self, found: str) -> None:
        kind = self._kind
        if found == kind.format:
            return
        read = re.fullmatch(r"skbn (.+) journal (\d+)", found)
        if not read:
            raise ValueError(
                f"{self.path!r} is a database, but no journal of a {kind.noun}; give another file"
            )
        if read[1] != kind.noun:
            raise ValueError(
                f"{self.path!r} is the journal of a {read[1]}, and not of a {kind.noun}; give "
                "another file"
            )
        version = kind.format.split()[-1]
        age = "an earlier" if int(read[2]) < int(version) else "a later"
        raise ValueError(
            f"journal {self.path!r} has format version {read[2]}, of {age} skbn, and this one "
            f"reads version {version} only. Go on with the skbn that began it, or give another "
            "file to begin anew"
        )

    def _check_structure(self) -> None:
        (state,) = self._db.execute("PRAGMA integrity_check(1)").fetchone()
        if state != "ok":
            raise DamageError(" ".join(str(state).split()))

    def _make_tables(self, identity: Identity) -> None:
        for statement in (ABOUT + self._kind.tables).split(";")[:-1]:
            self._db.execute(statement)
        texts = {name: each.to_json() for name, each in identity.items()}
        self.add("about", ({"format": self._kind.format} | texts).items(), key=b"")
        self.identity = dict(identity)

    def check_same(self, identity: Identity) -> None:
        """Refuse another identity than that of the journal, with words for what differs."""
        with self.errors("read"):
            if self.identity.keys() != identity.keys():
                raise DamageError(
                    "the table about lacks rows, or has some that do not belong there"
                )
        found = differences(self.identity, identity, ("there", "here"))
        if found:
            words = "; ".join(
                f"{'other' if name in PLURALS else 'another'} {name}: {details}"
                for name, details in found.items()
            )
            raise ValueError(
                f"journal {self.path!r} belongs to a {self._kind.noun} with {words}. "
                f"{self._kind.advice(found)}, or give another file"
            )

    def about(self) -> dict[str, str]:
        """Read the table about: values by name."""
        rows = self.rows("SELECT name, value, checksum FROM about ORDER BY rowid")
        with self.errors("read"):
            return dict(contents(b"", "about", rows))

    def key_of(self, seed: object) -> bytes:
        """Key of the checksums: rows of another journal are not this one's."""
        digest = " ".join(f"{name} {each.digest}" for name, each in self.identity.items())
        return blake2b(f"{digest} {seed}".encode(), digest_size=16).digest()

    def rows(self, query: str, *arguments: Any) -> list[Row]:
        """All rows that a query finds."""
        # At once: a query that has not come to its end would keep the log from being emptied.
        with self.errors("read"):
            return self._db.execute(query, arguments).fetchall()

    def execute(self, statement: str, *arguments: Any) -> None:
        """Execute a statement, which is committed at once outside of a transaction."""
        with self.errors("written"):
            self._db.execute(statement, arguments)

    def add(self, table: str, rows: Iterable[Row], key: bytes, replaces: bool = True) -> None:
        """Write rows with checksums, in place of those with the same keys where they may be."""
        verb = "INSERT OR REPLACE" if replaces else "INSERT"
        with self.errors("written"):
            for row in rows:
                marks = ", ".join("?" * (len(row) + 1))
                statement = f"{verb} INTO {table} VALUES ({marks})"
                self._db.execute(statement, signed(key, table, row))

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit all that is written in it, or nothing."""
        self._check_hold()
        with self.errors("written"), self._db:
            self._db.execute("BEGIN IMMEDIATE")
            yield

    def _check_hold(self) -> None:
        """Refuse to write to a file that others may have, or that nobody will find."""
        if self._held is None:  # a look, which SQLite lets write nothing
            return
        what = ""
        try:
            if not os.path.samestat(self._stat, os.stat(self._file)):
                what = "another file has taken its place"
        except OSError:
            what = "it was moved or removed while it was open"
        if not self._held.is_held:
            what = (
                "its lock file was removed, or this process was forked from the one that opened it"
            )
        if what:
            raise JournalError(
                f"journal {self.path!r} cannot be written any more: {what}. The {self._kind.parts} "
                f"that were committed before are in the file that was opened; {self._kind.go_on} "
                "from there"
            )

    def close(self) -> None:
        """Close the file, and let others have it."""
        self._let_go()

    @contextmanager
    def errors(self, what: str) -> Iterator[None]:
        """Tell of the file, and of what is safe, when it fails.

        Parameters
        ----------
        what : str
            What cannot be done to it then, such as "read".
        """
        try:
            yield
        except (sqlite3.Error, DamageError, UnicodeDecodeError) as error:  # of a message
            self._refuse(what, error)

    def _refuse(self, what: str, error: Exception) -> NoReturn:
        code = getattr(error, "sqlite_errorcode", sqlite3.SQLITE_CORRUPT) & 0xFF
        error_type: type[Exception] = ValueError
        noun = self._kind.noun
        if self.is_under_way:
            error_type = JournalError
            text = (
                f"cannot be {what} any more: {error}. The {self._kind.parts} that were committed "
                f"before are safe in it; mend the cause (is the disk full?) and "
                f"{self._kind.go_on} to go on"
            )
        elif code in OF_ANOTHER:
            text = self._words_of_another()
        elif code in OF_DAMAGE:
            text = (
                f"is no journal of a {noun}, or is damaged: {error}. Nothing of it was used; move "
                "it away (and the file with -wal after its name), or give another file, and the "
                f"{noun} begins anew, or restore a copy"
            )
        else:
            text = (
                f"cannot be {what}: {error}. Give a file in a folder that can be written, on a "
                "disk with room for it"
            )
        raise error_type(f"journal {self.path!r} {text}") from error

    def _words_of_another(self) -> str:
        noun = self._kind.noun
        return (
            f"is held by another process, or by a {noun} of this one; close that one, restart a "
            "notebook that has lost it, or give another file"
        )


def _close(db: sqlite3.Connection, process: int) -> None:
    if os.getpid() != process:  # one that was forked, which is not to touch it
        return
    # What was committed is safe, be it in the log: nothing is lost if closing fails.
    with suppress(sqlite3.Error, UnicodeDecodeError):  # of a message
        # Closing would do so only where nobody else has the file open.
        db.execute("PRAGMA wal_checkpoint")
    with suppress(sqlite3.Error):
        db.close()
