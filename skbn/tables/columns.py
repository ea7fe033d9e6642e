"""What each column of a table holds, and how it is written: decided here alone."""

from __future__ import annotations

import datetime
import re
import unicodedata
from contextlib import suppress
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types
from scipy.sparse import issparse

from skbn.tables.dates import find_day_first, parse_dates
from skbn.tables.messages import listing
from skbn.tables.numbers import find_decimal, parse_numbers

Form = dict[str, Any]
"""What a column holds, and how it is written: ``{"kind": "number", "decimal": "."}``,
``{"kind": "date", "day_first": True}``, ``{"kind": "text"}``, or ``{"kind": "none"}`` for a column
without any value."""
MISSING_WORDS = frozenset(
    {
        *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND"),
        *("1.#QNAN", "<NA>", "N/A", "NA", "NULL", "NaN", "NaT", "None", "n/a", "nan", "none"),
        *("null", "?", "..."),
    }
)
"""Texts without a value: the defaults of `pandas.read_csv`, and those of skrub."""
MISSING_AMONG_NUMBERS = frozenset(
    {
        *("-", "--", "---", ".", "..", "*", "/", "na", "n.a.", "n.d.", "k.a.", "tbd", "unknown"),
        *("missing", "not available", "not applicable", "no data", "#value!", "#div/0!", "#ref!"),
    }
)
"""Texts, in lower case, that have no value where others are numbers or dates. Elsewhere they may be
values, as the strands + and - are."""
MAX_WORDS = 0.2
"""Share of cells that may hold other words in a column of numbers or dates."""
MIN_NUMBERS = 10
"""Different numbers or dates in a column that may hold other words: 0, 1, 2 and 3+ are
categories."""
N_LOOKED_AT = 100
"""Texts that tell of most columns that they hold no numbers."""
N_SHOWN = 5
"""Cells in a remark."""
LARGEST = 1e30
"""A number beyond it counts as missing: sums over rows in single precision, in which networks
compute, would overflow."""
HUGE = f"infinite or beyond {LARGEST:g}"
BOOLEANS = {"true": 1.0, "false": 0.0}
PLAIN = re.compile(r"[-+0-9.,eE ]+")
LEADING_ZERO = re.compile(r"0[0-9]+")
DAY = datetime.timedelta(days=1)


class Finding(NamedTuple):
    """The form of a column, and what one should know of it, in sentences without its name."""

    form: Form
    remarks: list[str]


class _Conventions(NamedTuple):
    """Decimal points: of all columns, of those that leave no doubt, and of files like this one."""

    given: str | None
    others: str | None
    suggested: str | None


class _Cells(NamedTuple):
    """The different cells of a column; texts are stripped, the missing word is None."""

    codes: Any  # of each row, -1 for a missing cell
    values: Any
    words: Any  # the texts of each, "" for what is no text


def as_pandas(X: Any) -> pd.DataFrame:
    """Give a table as a DataFrame of pandas, with the names that it has.

    Parameters
    ----------
    X : DataFrame of pandas or polars, array-like or sparse matrix of shape (n_samples, n_features)

    Raises
    ------
    TypeError
        If X is a polars LazyFrame.
    ValueError
        If X has not two dimensions.
    """
    if isinstance(X, pd.DataFrame):
        return X
    if type(X).__name__ == "LazyFrame":
        raise TypeError("X is a LazyFrame, a query that holds no rows yet; pass X.collect()")
    if issparse(X):
        return pd.DataFrame.sparse.from_spmatrix(X)
    if hasattr(X, "iter_columns"):  # of polars
        columns = [_of_polars(column) for column in X.iter_columns()]
        return pd.concat(columns, axis=1, keys=list(X.columns)) if columns else pd.DataFrame()
    array = X if isinstance(X, np.ndarray) else np.asarray(X, dtype=object)
    if array.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {array.ndim}D array instead; pass a table of rows and columns"
        )
    return pd.DataFrame(array).infer_objects()


def _of_polars(column: Any) -> Any:
    if column.dtype.is_numeric() or str(column.dtype).startswith(("Date", "Duration")):
        with suppress(Exception):  # polars has no arrays of integers of 128 bits
            return pd.Series(column.to_numpy())
    return pd.Series(column.to_list())


def find_forms(
    frame: pd.DataFrame, decimal: str | None = None, suggested: str | None = None
) -> dict[str, Finding]:
    """Find out what each column holds.

    Parameters
    ----------
    frame : DataFrame
        Raw text, or of any types; names are text and differ.
    decimal : {".", ","}, optional
        Decimal point of all numbers that are text. By default each column tells.
    suggested : {".", ","}, optional
        Decimal point where a column leaves it open, as 1,234 does, and no other tells.

    Returns
    -------
    findings : dict of str to Finding
        By name.
    """
    kinds = {name: _kind_of_type(name, frame[name]) for name in frame}
    cells = {name: _cells(frame[name]) for name, kind in kinds.items() if not kind}
    if decimal is None:
        likely = [each for each in cells.values() if _may_hold(each, _is_number)]
        others = "," if any(find_decimal(_texts(each)) == (",", True) for each in likely) else None
        conventions = _Conventions(None, others, suggested)
    else:
        conventions = _Conventions(decimal, None, None)
    findings = {}
    for name, kind in kinds.items():
        if kind:
            findings[name] = _finding_of_type(kind, frame[name])
        else:
            findings[name] = _finding(cells[name], conventions)
    return findings


def _finding_of_type(kind: str, column: Any) -> Finding:
    """Tell what a typed column holds, and how new rows have it in which it is text."""
    if not column.notna().any():
        return Finding({"kind": "none"}, [])
    written: dict[str, Form] = {"number": {"decimal": "."}, "date": {"day_first": True}}
    remarks = []
    if kind == "number" and types.is_float_dtype(column.dtype):
        values = _floats(column)
        is_huge = _huge(values)
        remarks = _lost(_cells(pd.Series(values[is_huge], dtype=object)), np.s_[:], HUGE)
        if (is_huge | np.isnan(values)).all():
            kind = "none"
    return Finding({"kind": kind} | written.get(kind, {}), remarks)


def _kind_of_type(name: str, column: Any) -> str:
    """Tell what a column of its type holds; empty if that depends on its cells."""
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    if types.is_complex_dtype(dtype):
        raise ValueError(
            f"column {name!r} holds complex numbers. Complex data not supported: pass real and "
            "imaginary parts as columns of their own"
        )
    if isinstance(dtype, pd.CategoricalDtype):
        return "text"
    if types.is_numeric_dtype(dtype) or types.is_timedelta64_dtype(dtype):
        return "number"  # booleans as well
    if types.is_datetime64_any_dtype(dtype) or isinstance(dtype, pd.PeriodDtype):
        return "date"
    return ""


def _cells(column: Any) -> _Cells:
    column = column.astype(object)
    try:
        codes, values = pd.factorize(column.to_numpy())
    except TypeError:  # of lists and the like
        texts = column.map(str, na_action="ignore").astype(object)
        codes, values = pd.factorize(texts.to_numpy())
    words = [value.strip() if isinstance(value, str) else "" for value in values]
    is_missing = [
        isinstance(value, str) and word in MISSING_WORDS
        for value, word in zip(values, words, strict=True)
    ]
    places = np.where(is_missing, -1, np.cumsum(np.logical_not(is_missing)) - 1)
    kept = np.flatnonzero(np.logical_not(is_missing))
    codes = np.append(places, -1)[codes]
    return _Cells(codes, values[kept], np.array(words, dtype=object)[kept])


def _texts(cells: _Cells) -> Any:
    return cells.words[cells.words != ""]


def _counts(cells: _Cells) -> Any:
    return np.bincount(cells.codes[cells.codes >= 0], minlength=len(cells.values))


def _finding(cells: _Cells, conventions: _Conventions) -> Finding:
    """Tell what the cells of a column hold."""
    if not len(cells.values):
        return Finding({"kind": "none"}, [])
    remarks = []
    for find in (_numbers_found, _dates_found):
        found = find(cells, conventions)
        if found is not None:
            form, values, doubt = found
            is_lost = pd.isna(values)
            is_word = is_lost & [w.lower() not in MISSING_AMONG_NUMBERS for w in cells.words]
            counts = _counts(cells)
            share, n_values = counts[is_word].sum() / counts.sum(), np.sum(~is_lost)
            if n_values and (not share or (share <= MAX_WORDS and n_values >= MIN_NUMBERS)):
                lost = _lost(cells, is_lost, f"no {form['kind']}", "s")
                is_huge = _huge(values)
                said = doubt + lost + _lost(cells, is_huge, HUGE)
                return Finding({"kind": "none"} if (is_huge | is_lost).all() else form, said)
            if share <= 0.5:
                remarks = [
                    f"taken for text: {share:.0%} of the cells are no {form['kind']}s, such as "
                    + _shown(cells, is_word)
                ]
    return Finding({"kind": "text"}, remarks)


def _may_hold(cells: _Cells, is_kind: Any) -> bool:
    """Whether at least half of the first cells are of a kind."""
    first = _Cells(None, cells.values[:N_LOOKED_AT], cells.words[:N_LOOKED_AT])
    return len(first.values) > 0 and np.mean(is_kind(first)) >= 0.5


def _is_number(cells: _Cells) -> Any:
    return ~np.isnan(_numbers(cells, "."))


def _is_date(cells: _Cells) -> Any:
    return ~np.isnat(_dates(cells, True)) | ~np.isnat(_dates(cells, False))


def _numbers_found(cells: _Cells, conventions: _Conventions) -> Any:
    """Give form, numbers and remarks, or None if the cells can be no numbers."""
    if not _may_hold(cells, _is_number):
        return None
    texts, (decimal, default, suggested) = _texts(cells), conventions
    doubt, is_certain = [], True
    if decimal is None:
        # Programs write 1.234, whatever the separator: only commas are read as files like this.
        if default is None and not any("." in text for text in texts):
            default = suggested
        decimal, is_certain = find_decimal(texts, default)
    numbers = _numbers(cells, decimal)
    form = {"kind": "number", "decimal": decimal}
    if decimal == "," and any("." in t for t in texts) and not any("," in t for t in texts):
        form["thousands"] = "."
    if not is_certain:
        other = "." if decimal == "," else ","
        others = _numbers(cells, other)
        for place in np.flatnonzero((numbers != others) & np.isfinite(numbers + others))[:1]:
            doubt = [
                f"{cells.words[place]!r} is read as {numbers[place]:g}; --decimal {other!r} reads "
                f"it as {others[place]:g}"
            ]
    return form, numbers, doubt + _unlike(texts)


def _unlike(texts: Any) -> list[str]:
    """Tell of numbers that are written in several ways, which may mean different things."""
    examples: dict[str, str] = {}  # by sign
    for text in texts:
        is_plain = PLAIN.fullmatch(text)
        sign = "" if is_plain else "".join(filter(_is_sign, text))
        examples.setdefault(sign, repr(text))
    remarks = []
    if len(examples) > 1 and ("%" in examples or len(examples.keys() - {""}) > 1):
        said = listing(examples[sign] for sign in sorted(examples))
        hundredths = ", those with % divided by 100" if "%" in "".join(examples) else ""
        remarks.append(f"{said} are read as numbers whatever their signs{hundredths}")
    zeros = next((text for text in texts if LEADING_ZERO.fullmatch(text)), None)
    if zeros is not None:
        remarks.append(f"{zeros!r} is read as the number {int(zeros)}")
    return remarks


def _is_sign(letter: str) -> bool:
    return letter == "%" or unicodedata.category(letter) == "Sc"


def _dates_found(cells: _Cells, _: _Conventions) -> Any:
    """Give form, dates and remarks, or None if the cells can be no dates."""
    if not _may_hold(cells, _is_date):
        return None
    day_first, is_certain = find_day_first(_texts(cells))
    dates, doubt = _dates(cells, day_first), []
    if not is_certain:
        differ = (dates != _dates(cells, not day_first)) & ~np.isnat(dates)
        for place in np.flatnonzero(differ)[:1]:
            day = pd.Timestamp(dates[place])
            doubt = [f"{cells.words[place]!r} is read as {day.day} {day:%B %Y}"]
    return {"kind": "date", "day_first": day_first}, dates, doubt


def _lost(cells: _Cells, which: Any, what: str, plural: str = "") -> list[str]:
    """Tell of cells that count as missing, if there are any."""
    n = int(_counts(cells)[which].sum())
    if n == 0:
        return []
    said = f"1 cell is {what} and counts" if n == 1 else f"{n:,} cells are {what}{plural} and count"
    return [f"{said} as missing: {_shown(cells, which)}"]


def _huge(values: Any) -> Any:
    with np.errstate(invalid="ignore"):
        return np.abs(values) > LARGEST if values.dtype.kind == "f" else np.zeros(len(values), bool)


def _shown(cells: _Cells, which: Any) -> str:
    return listing((repr(_text(value)) for value in cells.values[which]), N_SHOWN)


def _numbers(cells: _Cells, decimal: str) -> Any:
    """Give the numbers of the different cells, NaN for what is none.

    What is no number with this decimal point, but one with the other, leaves no doubt.
    """
    numbers, is_text = np.full(len(cells.values), np.nan), cells.words != ""
    for point in (decimal, "." if decimal == "," else ","):
        is_left = is_text & np.isnan(numbers)
        if is_left.any():
            numbers[is_left] = parse_numbers(cells.words[is_left], point)
    for place in np.flatnonzero(np.isnan(numbers)):
        value = cells.values[place]
        if is_text[place]:
            numbers[place] = BOOLEANS.get(cells.words[place].lower(), np.nan)
        elif isinstance(value, datetime.timedelta):
            numbers[place] = value / DAY
        elif isinstance(value, Real | Decimal | np.bool_):
            with np.errstate(over="ignore"):
                numbers[place] = _float(value)
    return numbers


def _float(value: Any) -> float:
    try:
        return float(value)
    except OverflowError:  # of whole numbers of hundreds of digits
        return np.inf


def _dates(cells: _Cells, day_first: bool) -> Any:
    """Give the dates of the different cells, NaT for what is none."""
    is_text = cells.words != ""
    dates = np.full(len(cells.values), "NaT", dtype="datetime64[us]")
    dates[is_text] = parse_dates(cells.words[is_text], day_first)
    for place in np.flatnonzero(~is_text):
        value = cells.values[place]
        if isinstance(value, pd.Period):
            value = value.to_timestamp()
        if isinstance(value, datetime.date | np.datetime64):
            moment = pd.Timestamp(value)
            dates[place] = (moment.tz_convert(None) if moment.tzinfo else moment).to_datetime64()
    return dates


def converted(column: Any, form: Form) -> Any:
    """Give a column as its form says, whatever its type is.

    Parameters
    ----------
    column : Series
        Raw text, or of any type.
    form : dict
        From `find_forms`, of this or another column.

    Returns
    -------
    converted : Series
        Floats (infinite ones and what is no number are NaN; durations are days), moments without
        zone, or texts as a category; those without a value are missing.
    """
    kind, dtype = form["kind"], column.dtype
    is_typed = _kind_of_type(str(column.name), column) == kind
    if kind == "date" and isinstance(dtype, pd.ArrowDtype):
        is_typed = False  # its days know no zone, not even that they have none
    if kind == "number":
        if is_typed:
            values = _floats(column)
        else:
            cells = _cells(column)
            values = np.append(_numbers(cells, form["decimal"]), np.nan)[cells.codes]
        with np.errstate(invalid="ignore"):
            is_beyond = ~(np.abs(values) <= LARGEST)
        if is_beyond.any():
            values = np.where(is_beyond, values.dtype.type(np.nan), values)
        return pd.Series(values, column.index, name=column.name)
    if kind == "date":
        if is_typed:
            column = column.dt.to_timestamp() if isinstance(dtype, pd.PeriodDtype) else column
            return column.dt.tz_convert(None) if column.dt.tz else column
        cells = _cells(column)
        dates = np.append(_dates(cells, form["day_first"]), np.datetime64("NaT"))[cells.codes]
        return pd.Series(dates, column.index, name=column.name)
    cells = _cells(column)
    codes, texts = pd.factorize(np.array([*map(_text, cells.values)], dtype=object))
    category = pd.Categorical.from_codes(np.append(codes, -1)[cells.codes], texts)
    return pd.Series(category, column.index, name=column.name)


def unlike_training(column: Any, read: Any, form: Form) -> str:
    """Tell why new rows are likely to be read otherwise than was meant; empty if they are not.

    Parameters
    ----------
    column : Series
        Of new rows.
    read : Series
        As `converted` gives it.
    form : dict
        From `find_forms`, of the rows trained on.
    """
    is_typed = types.is_numeric_dtype(column.dtype)
    if "thousands" in form and types.is_float_dtype(column.dtype) and (read % 1 > 0).any():
        return (
            "held whole numbers with points between thousands in training, and now holds "
            "fractions; read the file with thousands='.', or as text"
        )
    if form["kind"] == "text" or (is_typed and form["kind"] == "number") or read.notna().any():
        return ""
    cells = _cells(column)
    words = [w.lower() not in MISSING_AMONG_NUMBERS for w in cells.words]
    if not any(words):
        return ""
    return f"holds no {form['kind']}s, as it did in training, but {_shown(cells, np.array(words))}"


def _floats(column: Any) -> Any:
    """Give a column of a numeric type as floats, in single precision if it is in that."""
    if isinstance(column.dtype, pd.SparseDtype):
        column = column.sparse.to_dense()
    if types.is_timedelta64_dtype(column.dtype):
        column = column / pd.Timedelta(DAY)
    dtype = np.float32 if column.dtype == np.float32 else np.float64
    if isinstance(column.dtype, np.dtype):
        return column.to_numpy(dtype=dtype)
    return column.to_numpy(dtype=dtype, na_value=np.nan)


def _text(value: Any) -> str:
    """Give a cell as text, a whole number alike whatever its type is."""
    if isinstance(value, str):
        return value.strip()
    if isinstance(value, bytes):
        return value.decode(errors="replace").strip()
    if isinstance(value, float | np.floating) and float(value).is_integer():
        return str(int(value))
    return str(value)


def plain_types(frame: pd.DataFrame) -> pd.DataFrame:
    """Give raw text as `pandas.read_csv` would: columns of plain numbers or booleans as such.

    Parameters
    ----------
    frame : DataFrame
        Columns of other types than text stay as they are.

    Returns
    -------
    frame : DataFrame
        Texts without a value are missing, the others are as they were.
    """
    return frame.apply(_plain, axis=0) if len(frame.columns) else frame


def _plain(column: Any) -> Any:
    if not (types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype)):
        return column
    column = column.astype(object)
    stripped = column.map(lambda cell: cell.strip() if isinstance(cell, str) else cell)
    kept = column.where(~stripped.isin(MISSING_WORDS), None)
    lower = stripped[kept.notna()].map(lambda cell: str(cell).lower())
    if len(lower) == len(column) and lower.isin(BOOLEANS).all():
        return lower == "true"
    numbers = pd.to_numeric(kept, errors="coerce")
    return numbers if len(lower) and (numbers.notna() == kept.notna()).all() else kept
