"""Checksums: all that SQLite keeps is read as it was written, and another value is told."""

import sqlite3
from contextlib import closing
from hashlib import blake2b

import numpy as np
import pytest

from skbn.journal.checksums import DamageError, checksum, contents, signed

VALUES = [
    *(None, 0, 1, -7, 2**62, True, 0.1, -0.0, 3.0, 1e300, 5e-324, np.inf, -np.inf, np.nan),
    *(np.float64(0.1), "", "a", "a\0b", "'", "ä", np.str_("b"), b"", b"a", bytes(range(256))),
    *(bytearray(b"ab"), memoryview(b"abc"), np.arange(5).data, b"\xff" * 10**6),
]


@pytest.mark.parametrize("affinity", ["", "REAL", "INTEGER", "BLOB"])
@pytest.mark.parametrize("value", VALUES, ids=lambda value: repr(value)[:20])
def test_what_sqlite_keeps_agrees_with_its_checksum(value, affinity):
    if affinity == "REAL" and value == 2**62:
        pytest.skip("no number of REAL")
    with closing(sqlite3.connect(":memory:")) as db:
        db.execute(f"CREATE TABLE rows (n INTEGER PRIMARY KEY, value {affinity}, checksum TEXT)")
        db.execute("INSERT INTO rows VALUES (?, ?, ?)", signed(b"key", "rows", (1, value)))
        rows = db.execute("SELECT * FROM rows").fetchall()
    ((_, read),) = contents(b"key", "rows", rows)
    wanted = bytes(value) if isinstance(value, memoryview) else value
    assert read == (None if value != value else wanted)


def test_other_values_have_other_checksums():
    digest = blake2b(b"a").digest()
    values = [None, "None", "nan", 0, "0", b"0", 1, 2**62, 2**62 + 1, 0.1, np.nextafter(0.1, 1)]
    values += ["0.1", np.inf, -np.inf, "inf", "", b"", "a", b"a", "b'a'", digest, repr(digest)]
    assert len({checksum(b"key", "rows", (value,)) for value in values}) == len(values)


@pytest.mark.parametrize(
    ("key", "table", "blob"),
    [(b"other", "rows", b"a"), (b"key", "tables", b"a"), (b"key", "rows", b"b")],
)
def test_rows_of_elsewhere_and_edited_ones_are_damaged(key, table, blob):
    assert contents(b"key", "rows", [signed(b"key", "rows", (1, b"a"))]) == [(1, b"a")]
    *_, kept = signed(key, table, (1, blob))
    with pytest.raises(DamageError, match="table rows does not agree with its checksum"):
        contents(b"key", "rows", [(1, b"a", kept)])


def test_checksums_of_text_and_numbers_are_those_of_older_journals():
    found = checksum(b"key", "results", (3, 0, 1, '{"a": 1.0}'))
    assert found == "0f12eae811f32dc2bdee9f549def0dc4"
