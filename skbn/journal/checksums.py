"""Checksums over the rows of a journal: SQLite believes the content of any cell."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from typing import Any

Row = tuple[Any, ...]


class DamageError(ValueError):
    """Rows that nobody has written as they are."""


@contextmanager
def well_formed() -> Iterator[None]:
    """Read what was written to a journal; all that was not is damaged."""
    try:
        yield
    except DamageError:
        raise
    except (ArithmeticError, AttributeError, LookupError, TypeError, ValueError, RecursionError):
        raise DamageError("a row is not of the form that skbn writes") from None


def checksum(key: bytes, table: str, row: Row) -> str:
    """Checksum of a row, in this table of this journal only.

    Parameters
    ----------
    key : bytes
    table : str
    row : tuple
        Of text, numbers, bytes and None.
    """
    text = repr((table, *map(_stored, row))).encode("utf-8", "surrogatepass")
    return blake2b(text, key=key, digest_size=16).hexdigest()


def _stored(value: Any) -> Any:
    """A value in the form that all have in common which SQLite may give back for it."""
    if isinstance(value, (bytes, bytearray, memoryview)):
        return blake2b(value).digest()  # the repr of megabytes takes long
    if isinstance(value, float):
        if value != value:
            return None
        return int(value) if value.is_integer() else float(value)
    if isinstance(value, int):
        return int(value)
    return str(value) if isinstance(value, str) else value


def signed(key: bytes, table: str, row: Row) -> Row:
    """A row with its checksum."""
    return *row, checksum(key, table, row)


def contents(key: bytes, table: str, rows: Iterable[Row]) -> list[Row]:
    """Rows without their checksums, each of which was right."""
    found = []
    for *row, kept in rows:
        if kept != checksum(key, table, tuple(row)):
            raise DamageError(f"a row of the table {table} does not agree with its checksum")
        found.append(tuple(row))
    return found
