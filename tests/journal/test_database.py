"""The file of a journal: its owner, those that read it meanwhile, and what is refused."""

import gc
import os
import re
import shutil
import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager, suppress

import pytest
from owners import IDENTITY, KIND, ROWS, owner, write

from skbn.journal import database as module
from skbn.journal import lock
from skbn.journal.checksums import contents
from skbn.journal.database import Database, JournalError
from skbn.journal.fingerprints import Fingerprint
from skbn.journal.lock import is_owned

pytestmark = pytest.mark.slow

READ = [(1, 0.5, b"\0\xff"), (2, None, b""), (3, 0.0, None)]
OTHERS = {
    "is the journal of a search, and not of a training session; give another file": (
        KIND._replace(format="skbn search journal 3", noun="search")
    ),
    "has format version 2, of an earlier skbn, and this one reads version 3 only": (
        KIND._replace(format="skbn training session journal 2")
    ),
    "has format version 12, of a later skbn, and this one reads version 3 only": (
        KIND._replace(format="skbn training session journal 12")
    ),
}


@pytest.fixture(autouse=True)
def _in_a_hurry(monkeypatch):
    monkeypatch.setattr(module, "SECONDS_TO_WAIT", 0.05)
    monkeypatch.setattr(lock, "SECONDS_TO_WAIT", 0.05)


@contextmanager
def opened(path, identity=IDENTITY):
    with closing(Database(path, KIND, identity)) as database:
        yield database


@contextmanager
def looking(path):
    with closing(Database.to_read(path, KIND)) as database:
        yield database


def epochs(database):
    with database.errors("read"):
        return contents(b"", "epochs", database.rows("SELECT * FROM epochs ORDER BY epoch"))


def counted_elsewhere(path):
    """Rows that another program finds, which knows SQLite alone."""
    code = "import sqlite3, sys; db = sqlite3.connect(sys.argv[1]); "
    code += "print(*db.execute('SELECT count(*) FROM epochs').fetchone()); db.close()"
    command = [sys.executable, "-I", "-c", code, path]
    return int(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def written(path):
    """A journal that was written and closed."""
    with opened(path) as database:
        write(database)
    return path


# The owner, and others.


def test_what_was_written_is_read_and_nothing_else_is_left(path):
    written(path)
    assert os.listdir(path.parent) == [path.name]
    with opened(path) as database:
        assert epochs(database) == READ
        assert database.identity == IDENTITY
        assert database.about().keys() == {"format", *IDENTITY}
    with opened(path, None) as database:
        assert database.identity == IDENTITY
        assert database.key_of(7) == database.key_of("7") != database.key_of(8)
    assert os.listdir(path.parent) == [path.name]


def test_a_journal_is_read_while_it_is_written(path):
    with opened(path) as database:
        write(database, ROWS[:1])
        with looking(path) as look:
            assert look.identity == IDENTITY
            assert epochs(look) == READ[:1]
            write(database, ROWS[1:])
            assert epochs(look) == READ
        assert counted_elsewhere(path) == 3
        write(database, [(4, 0.1, None)])
        assert counted_elsewhere(path) == 4
    assert os.listdir(path.parent) == [path.name]


def test_a_look_in_the_process_of_the_owner_takes_no_locks_from_it(path):
    """To close a file lets go of all locks of the process, those of SQLite on it too."""
    with opened(path) as database:
        write(database, ROWS[:1])
        for row in ROWS[1:]:
            with looking(path):
                pass
            with suppress(ValueError):
                Database(path, KIND)
            assert counted_elsewhere(path) == row[0] - 1  # which removes a log that nobody has
            write(database, [row])
    with opened(path) as database:
        assert epochs(database) == READ


def test_what_is_not_committed_is_not_read(path):
    with opened(path) as database, looking(path) as look:
        with suppress(ZeroDivisionError), database.transaction():
            database.add("epochs", ROWS, b"")
            assert epochs(look) == []
            raise ZeroDivisionError
        assert epochs(database) == epochs(look) == []
        write(database)
        assert epochs(look) == READ


def test_a_second_owner_is_refused_in_this_process(path):
    words = "is held by another process, or by a training session of this one; close that"
    with opened(path) as database:
        for identity in (IDENTITY, None):
            with pytest.raises(ValueError, match=words):
                Database(path, KIND, identity)
        write(database)
    with opened(path) as database:
        assert epochs(database) == READ


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork")
@pytest.mark.parametrize("way", ["alone", "a child that lives", "a child that ends"])
def test_a_second_owner_is_refused_until_the_first_was_killed(path, way):
    with owner(path, way) as process:
        assert is_owned(path)
        with pytest.raises(ValueError, match="is held by another process"):
            Database(path, KIND, IDENTITY)
        with looking(path) as look:
            assert epochs(look) == READ
        assert counted_elsewhere(path) == 3
        process.kill()
        process.wait()
        assert not is_owned(path)
        with looking(path) as look:
            assert epochs(look) == READ
        with opened(path) as database:
            assert epochs(database) == READ
    assert os.listdir(path.parent) == [path.name]


def test_a_journal_that_is_dropped_is_let_go(path):
    database = Database(path, KIND, IDENTITY)
    write(database)
    look = Database.to_read(path, KIND)
    assert is_owned(path)
    del look, database
    gc.collect()
    assert not is_owned(path)
    assert os.listdir(path.parent) == [path.name]
    with opened(path) as database:
        assert epochs(database) == READ


def test_to_close_twice_is_to_close(path):
    database = Database(path, KIND, IDENTITY)
    database.close()
    with opened(path):
        database.close()
        assert is_owned(path)


@pytest.mark.parametrize("statement", ["SELECT * FROM epochs", "BEGIN IMMEDIATE"])
def test_nothing_is_lost_where_another_program_holds_the_file(path, statement):
    written(path)
    with closing(sqlite3.connect(path)) as other:
        with opened(path) as database:
            half_read = other.execute(statement)
            if "SELECT" in statement:
                half_read.fetchone()
                write(database, [(4, 0.1, None)])
            else:
                database.is_under_way = True
                with pytest.raises(JournalError, match=r"cannot be written any more: .* is locked"):
                    write(database, [(4, 0.1, None)])
                other.execute("ROLLBACK")
                write(database, [(4, 0.1, None)])
        half_read.close()
    with opened(path) as database:
        assert epochs(database) == [*READ, (4, 0.1, None)]
    assert os.listdir(path.parent) == [path.name]


# A look.


def test_a_look_leaves_a_closed_journal_as_it_is(path):
    before = written(path).read_bytes()
    path.chmod(0o400)
    with looking(path) as look:
        assert epochs(look) == READ
        assert os.listdir(path.parent) == [path.name]
    assert os.listdir(path.parent) == [path.name]
    assert path.read_bytes() == before


def test_a_look_writes_nothing(path):
    with opened(path), looking(path) as look:
        for call in (
            lambda: look.execute("DELETE FROM about"),
            lambda: look.add("epochs", ROWS, b""),
            lambda: write(look),
        ):
            with pytest.raises(ValueError, match=r"cannot be written: .*readonly"):
                call()


def test_a_journal_is_whole_when_its_owner_goes_before_those_that_look(path, tmp_path):
    with opened(path) as database:
        write(database)
        look = Database.to_read(path, KIND)
    shutil.copy(path, tmp_path / "copy")
    look.close()
    with looking(tmp_path / "copy") as copy:
        assert epochs(copy) == READ


# What is refused.

OPENINGS = [
    lambda path: Database(path, KIND, IDENTITY),
    lambda path: Database(path, KIND),
    lambda path: Database.to_read(path, KIND),
]


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("name", ["", ":memory:", "a\0b", "."])
def test_names_that_are_no_files_are_refused(tmp_path, monkeypatch, opening, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"must be the name of a file, such as 'session.sqlite'"):
        opening(name)
    assert os.listdir() == []


@pytest.mark.parametrize("opening", OPENINGS)
def test_other_files_are_refused_and_kept(path, opening):
    path.write_text("a,b\n" * 50)
    with pytest.raises(ValueError, match=r"is no journal of a training session; give another file"):
        opening(path)
    assert path.read_text() == "a,b\n" * 50
    path.unlink()
    with closing(sqlite3.connect(path)) as db:
        db.execute("CREATE TABLE mine (x)")
    before = path.read_bytes()
    with pytest.raises(ValueError, match="is a database, but no journal of a training session"):
        opening(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("opening", OPENINGS[1:])
def test_a_journal_that_does_not_exist_or_is_empty_is_not_made(path, opening):
    with pytest.raises(ValueError, match="does not exist; give the file of a training session"):
        opening(path)
    assert os.listdir(path.parent) == []
    path.touch()
    with pytest.raises(ValueError, match="is empty: no training session was begun"):
        opening(path)
    assert path.read_bytes() == b""


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize("words", OTHERS)
def test_other_kinds_and_versions_are_refused_by_their_names(path, opening, words):
    Database(path, OTHERS[words], IDENTITY).close()
    before = path.read_bytes()
    with pytest.raises(ValueError, match=words):
        opening(path)
    assert path.read_bytes() == before
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize(
    ("other", "words"),
    [
        ({"data": Fingerprint("z", "X of 4 rows")}, "other data:  there, X of 4 rows here. Open"),
        ({"estimator": Fingerprint("z", "forest")}, "another estimator: model there, forest here"),
        (
            {"data": Fingerprint("z", "", {"X": Fingerprint("z", "X of 3 rows")})},
            "other data: X has another value. Open it with the same data, or give another file",
        ),
    ],
)
def test_another_identity_is_refused_with_words_for_it(path, other, words):
    written(path)
    words = f"belongs to a training session with {re.escape(words)}"
    with pytest.raises(ValueError, match=words):
        Database(path, KIND, IDENTITY | other)
    with opened(path, None) as database, looking(path) as look:
        for each in (database, look):
            each.check_same(IDENTITY)
            with pytest.raises(ValueError, match=words):
                each.check_same(IDENTITY | other)


@pytest.mark.parametrize("opening", OPENINGS)
@pytest.mark.parametrize(
    "statement",
    [
        "UPDATE about SET value = replace(value, 'rows', 'columns')",
        "UPDATE about SET checksum = ''",
        "UPDATE about SET name = 'x' WHERE name = 'data'",
        "ALTER TABLE about RENAME COLUMN value TO text",
    ],
)
def test_a_damaged_journal_is_refused(path, opening, statement):
    written(path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute(statement)
    with pytest.raises(ValueError, match=r"or is damaged: .*Nothing of it was used") as error:
        opening(path)
    assert str(path) in str(error.value)
    assert os.listdir(path.parent) == [path.name]


@pytest.mark.parametrize("opening", OPENINGS)
def test_a_file_that_was_cut_is_damaged(path, opening):
    content = written(path).read_bytes()
    for length in range(1, len(content), 777):
        path.write_bytes(content[:length])
        refused = pytest.raises(ValueError, match=r"is damaged|is no journal")
        with refused, closing(opening(path)) as database:
            epochs(database)


@pytest.mark.parametrize("opening", OPENINGS[:2])
def test_a_lock_file_that_cannot_be_made_is_named(path, opening):
    written(path)
    os.mkdir(f"{path}.lock")
    with pytest.raises(ValueError, match=r"run.sqlite' cannot be opened: its lock file '.*\.lock'"):
        opening(path)
    os.rmdir(f"{path}.lock")
    with open(f"{path}.lock", "w") as file:
        file.write("the user's own")
    with pytest.raises(ValueError, match=r"needs the name '.*\.lock' .* there is another file"):
        opening(path)
    with looking(path) as look:
        assert epochs(look) == READ


def test_errors_say_what_is_safe_once_it_is_under_way(path):
    with opened(path) as database:
        with pytest.raises(ValueError, match="is damaged: no such table") as error:
            database.rows("SELECT * FROM other")
        assert not isinstance(error.value, OSError)
        database.is_under_way = True
        words = "any more: no such table.* The epochs that were committed before are safe in it; "
        words += "mend the cause .* and open it again to go on"
        with pytest.raises(JournalError, match=words):
            database.rows("SELECT * FROM other")


# Disks without shared memory, where SQLite has no write-ahead log.


def without_shared_memory(path):
    path.with_name(f"{path.name}-shm").symlink_to(f"{path.name}-shm")


def modes(database):
    return [database.rows(f"PRAGMA {name}_mode")[0][0] for name in ("journal", "locking")]


def test_a_disk_without_shared_memory_has_sqlites_default_mode(path):
    without_shared_memory(path)
    with opened(path) as database, looking(path) as look:
        assert modes(database) == ["delete", "normal"]
        write(database)
        assert epochs(look) == READ
        with pytest.raises(ValueError, match="is held by another process"):
            Database(path, KIND)
    with opened(path) as database:
        assert epochs(database) == READ


def test_a_log_that_a_crash_left_on_such_a_disk_is_read(path):
    """Journals had logs there as long as SQLite locked them exclusively."""
    written(path)
    with closing(sqlite3.connect(path, isolation_level=None)) as db:
        db.execute("PRAGMA locking_mode = EXCLUSIVE")
        db.execute("DELETE FROM epochs WHERE epoch > 1")
        killed = path.with_name("killed.sqlite")
        for ending in ("", "-wal"):
            shutil.copy(f"{path}{ending}", f"{killed}{ending}")
    without_shared_memory(killed)
    with opened(killed) as database:
        assert epochs(database) == READ[:1]
        write(database)
        assert modes(database) == ["delete", "normal"]
        with looking(killed) as look:
            assert epochs(look) == READ
