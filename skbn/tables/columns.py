"""A user's table: reading it, telling its columns apart, making numbers and text of them.

A Pipeline that the command saves refers to `tidy` by the name of this module.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_float_dtype, is_numeric_dtype

from skbn.checks import check_labels
from skbn.tables.messages import InputError, listing

Columns = dict[str, list[str]]
"""Names of columns, by what they hold or by why they are left out."""

ISO_DATE = r"\d{4}-\d\d-\d\d(?:[T ]|$)"
MISSING_TEXTS = ["", "?"]
"""Texts without a value. pandas knows NA, null and the like; the question mark is common in
the tables of the UCI repository."""


def read_table(path: Path) -> pd.DataFrame:
    """Read a CSV file (comma, semicolon or tab; compressed or not) or a Parquet file."""
    try:
        if path.suffix in (".parquet", ".pq"):
            frame = pd.read_parquet(path)
        else:
            frame = pd.read_csv(path, low_memory=False)
            for separator in ";\t":
                if len(frame.columns) == 1 and separator in frame.columns[0]:
                    frame = pd.read_csv(path, low_memory=False, sep=separator)
    except Exception as error:  # every format and compression raises types of its own
        reason = getattr(error, "strerror", None) or f"no CSV or Parquet table ({error})"
        raise InputError(f"cannot read {path}: {reason}") from error
    if frame.empty:
        raise InputError(f"{path} holds no rows")
    return frame


def split_target(frame: pd.DataFrame, target: str) -> tuple[pd.DataFrame, Any]:
    """Part a table into features and an array of labels, without the rows that have no label.

    Whole floats, which is what missing cells make of integers, become integers again.
    """
    if target not in frame:
        raise InputError(f"no column {target!r}; the columns are: {listing(frame.columns)}")
    labels = frame[target].dropna().infer_objects()
    if is_float_dtype(labels):
        if (labels % 1 != 0).any():
            raise InputError(
                f"column {target!r} holds numbers with fractions, which is a quantity; a "
                "classifier needs classes: text, whole numbers or booleans"
            )
        labels = labels.astype("int64")
    return frame.drop(columns=target).loc[frame[target].notna()], check_labels(labels)


def sort_columns(frame: pd.DataFrame) -> tuple[Columns, Columns]:
    """Tell columns apart: names by kind, the keywords of `tidy`, and useless ones by reason."""
    columns: Columns = {"numbers": [], "dates": [], "texts": []}
    useless: Columns = {}
    for name in frame:
        kind = _kind(frame[name])
        reason = _reason_to_leave_out(frame[name], kind)
        (useless.setdefault(reason, []) if reason else columns[kind]).append(str(name))
    return columns, useless


def _kind(column: Any) -> str:
    """Whether a column holds numbers, dates or texts, whatever its type is."""
    if is_numeric_dtype(column):
        return "numbers"
    if is_datetime64_any_dtype(column):
        return "dates"
    text = _as_text(column)
    text = text[~text.isin(MISSING_TEXTS)]
    is_category = isinstance(column.dtype, pd.CategoricalDtype)
    if not is_category and pd.to_numeric(text, errors="coerce").notna().all():
        return "numbers"
    return "dates" if text.str.match(ISO_DATE).all() else "texts"


def _reason_to_leave_out(column: Any, kind: str) -> str:
    """Why nothing can be learned from a column; empty if something can."""
    values = column if kind == "numbers" else _as_text(column)
    if values.nunique(dropna=False) == 1:
        return "with one value only"
    if kind == "texts" and values[values != ""].is_unique:
        return "with a different text in every row"
    if kind == "numbers" and (_as_numbers(column).diff().iloc[1:] == 1).all():
        return "that count the rows"
    return ""


def _as_numbers(column: Any) -> Any:
    """Floats; NaN for cells that hold no number, or an infinite one."""
    numbers = pd.to_numeric(column, errors="coerce").astype("float64")
    return numbers.where(np.isfinite(numbers))


def _as_text(column: Any) -> Any:
    """Texts; the empty one for missing cells."""
    return column.astype("string").fillna("").astype(object)


def _as_calendar(name: str, column: Any) -> dict[str, Any]:
    """Columns of floats for a column of dates, by name."""
    dates = pd.to_datetime(_as_text(column), format="ISO8601", errors="coerce", utc=True)
    days = (dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
    parts = {"days since 1970": days, "day of year": dates.dt.day_of_year}
    parts |= {"weekday": dates.dt.day_of_week, "hour": dates.dt.hour}
    return {f"{name}: {part}": values.astype("float64") for part, values in parts.items()}


def tidy(
    frame: pd.DataFrame, *, numbers: list[str], dates: list[str], texts: list[str]
) -> pd.DataFrame:
    """Make every column of a raw table either float or text; nothing is learned.

    Parameters
    ----------
    frame : DataFrame
        With the columns named, in any order and among others.
    numbers : list of str
        Columns of numbers. Cells that hold none, or an infinite one, become NaN.
    dates : list of str
        Columns of dates. Each becomes days since 1970, day of the year, weekday and
        hour, or NaN.
    texts : list of str
        Columns of text or categories. A missing cell becomes the empty text.

    Returns
    -------
    tidied : DataFrame
    """
    columns = {name: _as_numbers(frame[name]) for name in numbers}
    for name in dates:
        columns |= _as_calendar(name, frame[name])
    columns |= {name: _as_text(frame[name]) for name in texts}
    return pd.DataFrame(columns, index=frame.index)
