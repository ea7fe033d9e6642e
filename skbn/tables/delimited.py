"""Delimited text: which letter parts the fields, and the table as text."""

from __future__ import annotations

import csv
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import islice
from typing import NamedTuple

import pandas as pd

from skbn.tables.encodings import EncodedText
from skbn.tables.messages import InputError, listing

SEPARATORS = "\t;|,"
"""The comma is last, for it stands in numbers and sentences too."""
SEPARATOR_LINE = re.compile(r'"?sep=(.)"?\s*$', re.IGNORECASE)
"""The first line by which Excel is told the separator."""
NO_SEPARATOR = "\x1f"
"""Of one column: a letter that no text has."""
SAMPLE_ROWS = 100
MIN_BELOW_TITLE = 3
"""Fields of rows, for a first line without separators to be a title. Decimal commas make two."""


class Record(NamedTuple):
    """Fields that make a row.

    Attributes
    ----------
    line : int
        Where the record ends, from 1.
    fields : list of str
    """

    line: int
    fields: list[str]


def checked_separator(separator: str) -> str:
    """Give the letter that a user means by a separator."""
    letter = {"tab": "\t", "\\t": "\t"}.get(separator.lower(), separator)
    if len(letter) != 1 or letter in '"\r\n\0':
        raise InputError(f"--separator must be one letter, such as ';', or tab, got {separator!r}")
    return letter


class Delimited:
    """A table in delimited text.

    Parameters
    ----------
    text : EncodedText
    separator : str, default=None
        None finds it in the first rows.

    Attributes
    ----------
    separator : str
    header : list of str
        Names of columns as they are written, at least one.
    width : int
        Fields of a row. One more than names, where rows begin with a name of their own (as R
        writes them), or any number more, where rows end with separators.

    Raises
    ------
    InputError
        If there is no row below the names, or the first rows have more fields than there are
        names.
    """

    def __init__(self, text: EncodedText, separator: str | None = None) -> None:
        with text.open() as lines:
            first = lines.readline()
        told = SEPARATOR_LINE.match(first)
        self._text, self._n_lines_before = (text.without(first), 1) if told else (text, 0)
        if separator is None:
            separator = told[1] if told else self._find_separator()
        self.separator = separator
        sample = list(islice(self._records(), SAMPLE_ROWS + 1))
        if not sample:
            raise InputError("the file is empty")
        self.header = sample[0].fields
        self.has_rows = len(sample) > 1
        beyond = [record.fields[len(self.header) :] for record in sample[1:]]
        n_beyond = max(map(len, beyond), default=0)
        if n_beyond > 1 and any(field for fields in beyond for field in fields):
            self.complain_of_longer_rows()
        self.width = len(self.header) + n_beyond

    def read(self) -> pd.DataFrame:
        """Read the rows: columns are named by position, and every cell is text."""
        with self._text.open() as lines:
            next(self._records_of(lines))
            try:
                frame = pd.read_csv(
                    lines,
                    header=None,
                    names=range(self.width),
                    dtype=str,
                    na_filter=False,
                    sep=self.separator,
                    skipinitialspace=True,
                    engine="c" if self.separator.isascii() else "python",
                )
            except pd.errors.ParserError as error:
                self._explain(error)
                raise
        return frame if self.separator.isascii() else frame.fillna("")

    def rows_by_width(self) -> Iterator[tuple[int, int]]:
        """Line and number of fields of each row."""
        for record in islice(self._records(), 1, None):
            yield record.line, len(record.fields)

    def complain_of_row_names(self) -> None:
        """Refuse rows with one field more than names, which is no name of the row."""
        line = next(line for line, n_fields in self.rows_by_width() if n_fields > len(self.header))
        raise InputError(
            f"rows have one field more than there are names, the first in line {line:,}, and their "
            "first fields do not all differ as names of rows would; are there decimal commas "
            "without quotes, or the separator within a cell? Quote such cells, or name another "
            "separator by --separator"
        )

    def complain_of_longer_rows(self) -> None:
        """Refuse the first row that has more fields than there are names, if there is one."""
        for line, n_fields in self.rows_by_width():
            if n_fields > len(self.header):
                raise InputError(
                    f"Expected {len(self.header)} fields in line {line}, saw {n_fields}; the first "
                    f"line must name the columns, and names: {listing(self.header, 5)}"
                )

    def _explain(self, error: pd.errors.ParserError) -> None:
        """Raise an error in words for a row that pandas refuses."""
        if "EOF inside string" in str(error):
            *_, (line, _) = self.rows_by_width()
            raise InputError(f"a quote is opened in line {line:,} or before, and never closed")
        self.complain_of_longer_rows()

    def _records(self, separator: str | None = None) -> Iterator[Record]:
        with self._text.open() as lines:
            yield from self._records_of(lines, separator)

    def _records_of(self, lines: Iterator[str], separator: str | None = None) -> Iterator[Record]:
        """Records without blank lines."""
        reader = csv.reader(lines, delimiter=separator or self.separator, skipinitialspace=True)
        with _long_fields():
            for fields in reader:
                if len(fields) > 1 or (fields and fields[0].strip()):
                    yield Record(reader.line_num + self._n_lines_before, fields)

    def _find_separator(self) -> str:
        """The separator that parts rows as it parts the names."""
        merits = {}
        for separator in SEPARATORS:
            sample = [record.fields for record in islice(self._records(separator), SAMPLE_ROWS + 1)]
            # Another separator cuts cells in quotes, and leaves quotes in the parts.
            n_quotes = sum(field.count('"') for fields in sample for field in fields)
            merits[separator] = _agreement(list(map(len, sample))), -n_quotes
        best = max(SEPARATORS, key=merits.__getitem__)
        return best if merits[best][0] > 0 else NO_SEPARATOR


def _agreement(widths: list[int]) -> float:
    """Part of the rows that have as many fields as names, or all one more.

    What parts no names is no separator, unless it parts all other rows, below a title.
    """
    n_names, *of_rows = widths or [1]
    if n_names == 1:
        return 0.1 if len(set(of_rows)) == 1 and of_rows[0] >= MIN_BELOW_TITLE else 0
    if not of_rows or set(of_rows) == {n_names + 1}:
        return 1
    return max(of_rows.count(n_names) / len(of_rows), 0.2)


@contextmanager
def _long_fields() -> Iterator[None]:
    """Let csv read fields of any length, as pandas does."""
    limit = csv.field_size_limit(sys.maxsize)
    try:
        yield
    finally:
        csv.field_size_limit(limit)
