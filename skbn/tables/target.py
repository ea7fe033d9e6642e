"""The column of labels: classes as they are written, and whether there are rows enough of each."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime, time
from decimal import Decimal
from difflib import get_close_matches
from math import ceil, isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd

from skbn.tables.columns import MISSING_WORDS
from skbn.tables.messages import InputError, listing
from skbn.tables.numbers import find_decimal, parse_numbers

WHOLE_NUMBER = re.compile(r"(0|-?[1-9]\d{0,99})(?:\.0+)?", re.ASCII)
"""As programs write it. What else holds digits may be a code, such as 007."""
BOOLEANS = {"True": True, "TRUE": True, "true": True}
BOOLEANS |= {"False": False, "FALSE": False, "false": False}
"""In the spellings of pandas."""
N_LOOKED_AT = 100
"""Texts that tell of most columns that they hold no numbers."""
QUANTITY = "numbers with fractions, which is a quantity"
MAX_EXACT = 2**53
"""Floats beyond it do not tell each whole number from the next."""
INT64 = np.iinfo(np.int64)
MIN_ROWS_OF_IDENTIFIERS = 10
"""Fewer rows do not tell identifiers, of which each row has its own, from classes."""


def split_target(
    frame: pd.DataFrame, target: str, *, is_text: bool = True
) -> tuple[pd.DataFrame, Any, list[str]]:
    """Part a table into features and labels, without the rows that have no label.

    Parameters
    ----------
    frame : DataFrame
    target : str
        The column of the labels. Cells without a label are empty, or missing for pandas; words
        such as "None" and "NA" are labels.
    is_text : bool, default=True
        Whether cells are text as a file has it, of which numbers and booleans are made. Otherwise
        text stays text.

    Returns
    -------
    features : DataFrame
    labels : ndarray
        Of int64, bool or str objects.
    notes : list of str
        What users should know of the labels.

    Raises
    ------
    InputError
        If there is no such column, or it holds a quantity.
    """
    if target not in frame:
        raise InputError(
            f"no column {target!r};{_closest(target, frame.columns)} the columns are: "
            f"{listing(frame.columns)}{_hint(frame.columns, is_text)}"
        )
    try:
        codes, distinct = pd.factorize(_cells(frame[target]))
    except TypeError as error:
        raise InputError(f"column {target!r} holds cells that are no labels: {error}") from error
    values = [_stripped(value) for value in distinct]
    is_kept = np.array([value != "" for value in values], dtype=bool)
    position = np.append(np.where(is_kept, np.cumsum(is_kept) - 1, -1), -1)  # the last of missing
    codes = position[codes]
    values = [value for value in values if value != ""]
    try:
        classes, notes = _as_classes(values, is_text) if values else (np.empty(0, object), [])
    except ValueError as error:
        raise InputError(
            f"column {target!r} holds {error}; a classifier needs classes: text, whole numbers or "
            "booleans"
        ) from error
    labels = classes[codes[codes >= 0]]
    notes = [f"column {target!r} {note}" for note in [*notes, *_notes_on_text(labels)]]
    return frame.drop(columns=target).loc[codes >= 0], labels, notes


def _closest(target: str, names: Sequence[str]) -> str:
    """Name the column that may have been meant."""
    by_lower = {str(name).casefold(): name for name in names}
    closest = get_close_matches(target.strip().casefold(), by_lower, n=1)
    return f" the closest is {by_lower[closest[0]]!r};" if closest else ""


def _hint(names: Sequence[str], is_text: bool) -> str:
    """Say what may be wrong with the names of a table: its separator, or a title above them."""
    if len(names) == 1 and is_text:
        return "; it is the only one: name the separator by --separator"
    if any(str(name).startswith("Unnamed: ") for name in names[1:]):  # the first may be an index
        return "; the first row must name the columns"
    return ""


def _cells(column: pd.Series) -> Any:
    """Give cells that differ; booleans beside numbers become text, for True equals 1."""
    if column.dtype != object:
        return column
    cells = column.to_numpy(copy=True)  # pandas 2 makes floats of large integers in a Series
    is_boolean = np.array([isinstance(cell, bool | np.bool_) for cell in cells], dtype=bool)
    if is_boolean.any() and any(
        isinstance(cell, Real) for cell in cells[~is_boolean & column.notna().to_numpy()]
    ):
        cells[is_boolean] = [str(cell) for cell in cells[is_boolean]]
    return cells


def _stripped(value: Any) -> Any:
    if isinstance(value, bytes):
        value = value.decode(errors="replace")
    return value.strip() if isinstance(value, str) else value


def _as_classes(values: list[Any], is_text: bool) -> tuple[Any, list[str]]:
    """Make classes of distinct cells, each by itself; an error says what they are instead."""
    if all(isinstance(value, str) for value in values):
        return _classes_of_text(values) if is_text else (np.array(values, dtype=object), [])
    is_boolean = [isinstance(value, bool | np.bool_) for value in values]
    if all(is_boolean):
        return np.array(values, dtype=bool), []
    if any(is_boolean) or not all(isinstance(value, Real | Decimal) for value in values):
        kinds = sorted({type(value).__name__ for value in values} - {"str"})
        text = np.array([_written(value) for value in values], dtype=object)
        return text, [f"holds cells of the type {listing(kinds)}, which were taken for text"]
    if not all(isinstance(value, Integral) or isfinite(value) for value in values):
        raise ValueError("infinite numbers")
    if not all(value == int(value) for value in values):
        raise ValueError(QUANTITY)
    if any(isinstance(value, float) and abs(value) > MAX_EXACT for value in values):
        raise ValueError("numbers of floating point beyond 2**53, whose last digits are lost")
    return _classes_of_whole_numbers([int(value) for value in values])


def _classes_of_text(values: list[str]) -> tuple[Any, list[str]]:
    if all(value in BOOLEANS for value in values):
        return np.array([BOOLEANS[value] for value in values]), []
    whole = [WHOLE_NUMBER.fullmatch(value) for value in values]
    if all(whole):
        return _classes_of_whole_numbers([int(match[1]) for match in whole if match])
    if _are_fractions(values):
        raise ValueError(QUANTITY)
    return np.array(values, dtype=object), []


def _classes_of_whole_numbers(numbers: list[int]) -> tuple[Any, list[str]]:
    if INT64.min <= min(numbers) and max(numbers) <= INT64.max:
        return np.array(numbers, dtype=np.int64), []
    text = np.array([str(number) for number in numbers], dtype=object)
    return text, ["holds numbers beyond 64 bits, which were taken for text"]


def _are_fractions(values: list[str]) -> bool:
    """Whether texts are numbers, and not all of them whole."""
    words = [value.replace("%", "").strip() for value in values if value not in MISSING_WORDS]
    for n_texts in (N_LOOKED_AT, len(words)):
        texts = np.array(words[:n_texts], dtype=object)
        numbers = parse_numbers(texts, find_decimal(texts)[0])
        if not np.isfinite(numbers).all():
            return False
    return bool((numbers % 1 != 0).any())


def _written(value: Any) -> str:
    """Write a cell as text, a date without the time of midnight."""
    if isinstance(value, datetime) and value.time() == time() and value.tzinfo is None:
        return value.date().isoformat()
    if isinstance(value, float) and value.is_integer():
        return str(int(value))
    return str(value)


def _notes_on_text(labels: Any) -> list[str]:
    """Name classes that may not be meant as such."""
    if labels.dtype != object:
        return []
    counts = pd.Series(labels, dtype=object).value_counts(sort=False)
    variants = defaultdict(list)
    for label in counts.index:
        variants[label.casefold()].append(label)
    alike = [" and ".join(map(repr, each)) for each in variants.values() if len(each) > 1]
    words = [f"{label!r} ({counts[label]:,})" for label in counts.index if label in MISSING_WORDS]
    notes = []
    if alike:
        notes.append(f"has classes that differ by case alone: {listing(alike)}")
    if words:
        notes.append(
            f"has these words as classes: {listing(words)}; leave the cells empty if the label is "
            "missing"
        )
    return notes


def check_classes(labels: Any, target: str, folds: int, test_size: float) -> None:
    """Make sure that folds and the rows held out can have rows of every class.

    Parameters
    ----------
    labels : ndarray of shape (n_samples,)
    target : str
        The name of their column.
    folds : int
        Of the cross-validation, of the rows that are not held out.
    test_size : float
        Part of the rows that is held out.

    Raises
    ------
    InputError
        If there are fewer than two classes, or too few rows of one.
    """
    counts = pd.Series(labels, dtype=object).value_counts()
    n_rows, n_classes = len(labels), len(counts)
    if n_classes < 2:
        found = f"only {counts.index[0]!r}" if n_classes else "no label"
        raise InputError(f"column {target!r} holds {found}; two classes are the least")
    n_test = ceil(n_rows * test_size)
    per_fold = n_rows / max(n_rows - n_test, 1)
    needed = max(ceil(folds * per_fold), folds + 1)
    rare = counts[counts < needed]
    if len(rare):
        found = listing((f"{label!r} ({count})" for label, count in rare.items()), 10)
        most = min(int(counts.min() / per_fold), int(counts.min()) - 1, folds - 1)
        hints = [f". The column {note}" for note in _notes_on_text(labels)]
        remedy = f"lower --folds to {most}" if most >= 2 else "collect more rows of these classes"
        raise InputError(
            f"{folds} folds and the rows held out need {needed} rows of each class, one for each "
            f"fold and one held out; column {target!r} has fewer of: {found}; {remedy}, or remove "
            f"these rows{_doubt(counts, target)}{''.join(hints)}"
        )
    if n_test < n_classes:
        rows = f"{n_test} row{'s' * (n_test > 1)}"
        raise InputError(f"{rows} held out for {n_classes} classes; raise --test-size")


def _doubt(counts: pd.Series, target: str) -> str:
    """Ask whether labels are classes at all, where nearly each row has its own."""
    n_rows = counts.sum()
    if n_rows < MIN_ROWS_OF_IDENTIFIERS or (counts == 1).sum() < n_rows / 2:
        return ""
    return (
        f". {len(counts):,} labels in {n_rows:,} rows: is {target!r} an identifier or a quantity, "
        "not a class?"
    )
