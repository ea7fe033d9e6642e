"""Columns of old and new rows, side by side, as numbers that can be compared."""

from __future__ import annotations

import datetime
from collections import Counter
from collections.abc import Iterator
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types
from scipy.sparse import issparse

from skbn._compat import n_samples
from skbn.tables.messages import listing

MIN_EXPECTED = 5
"""Rows that a category needs on each side if both were drawn alike; rarer ones are taken
together. The rule of Cochran (1954) for the chi-squared distribution to hold."""
ISO_DATE = r"\d{4}-\d\d-\d\d(?:[T ]|$)"
N_LOOKED_AT = 100
"""Cells that mostly tell of all whether these hold numbers or dates."""
OTHER = 0
"""Code of the rare categories."""
ROUNDING = 1e-12
"""Relative difference of numbers that were computed in other ways."""


class Feature(NamedTuple):
    """A column of the old and of the new rows: floats, NaN where a cell is missing.

    Categories are codes by falling frequency from one on; `OTHER` stands for the rare ones.
    """

    name: Any
    kind: str
    old: Any
    new: Any
    new_categories: dict[str, float]


def check_tables(X_old: Any, X_new: Any) -> tuple[Any, Any, list[Any]]:
    """Give two tables with the same columns in the same order, in the containers they came in.

    Sparse matrices are given as CSR.

    Parameters
    ----------
    X_old, X_new : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Columns of frames go by their names; those that X_old has not are left out.

    Returns
    -------
    X_old, X_new : the same containers
    ignored : list
        Names of columns of X_new that X_old has not.

    Raises
    ------
    TypeError
        If a table is a polars LazyFrame.
    ValueError
        If a table has fewer than two rows or not two dimensions, or X_new lacks columns.
    """
    for X, name in ((X_old, "X_old"), (X_new, "X_new")):
        if type(X).__name__ == "LazyFrame":
            raise TypeError(
                f"{name} is a LazyFrame, a query that holds no rows yet; pass {name}.collect() "
                "instead"
            )
        if (rows := n_samples(X)) < 2:
            raise ValueError(f"{name} has {rows} row{'s' * (rows != 1)}; at least two are needed")
    X_old, X_new = (X.tocsr() if issparse(X) else X for X in (X_old, X_new))
    names_old, names_new = _names(X_old, "X_old"), _names(X_new, "X_new")
    if not names_old:
        raise ValueError("X_old has no columns; at least one is needed")
    if hasattr(X_old, "columns") and hasattr(X_new, "columns"):
        if names_old == names_new:
            return X_old, X_new, []
        if missing := Counter(names_old) - Counter(names_new):
            raise ValueError(
                f"X_new lacks columns of X_old: {listing(missing)}; both need the columns that the "
                f"model was fitted on. X_new has: {listing(names_new)}"
            )
        ignored = list(Counter(names_new) - Counter(names_old))
        return X_old, _select(X_new, _positions(names_old, names_new)), ignored
    if len(names_old) != len(names_new):
        raise ValueError(
            f"X_new has {len(names_new)} columns and X_old {len(names_old)}; both need the columns "
            "that the model was fitted on"
        )
    return X_old, X_new, []


def _names(X: Any, name: str) -> list[Any]:
    """Names of the columns; numbers where there are none."""
    if hasattr(X, "columns"):
        return list(X.columns)
    shape = X.shape if issparse(X) else np.shape(X)
    if len(shape) != 2:
        raise ValueError(f"{name} must have rows and columns, got the shape {shape}")
    return list(range(shape[1]))


def _positions(names_old: list[Any], names_new: list[Any]) -> list[int]:
    """Where the new table has each column of the old one, those of one name in their order."""
    places: dict[Any, list[int]] = {}
    for position, name in enumerate(names_new):
        places.setdefault(name, []).append(position)
    return [places[name].pop(0) for name in names_old]


def _select(X: Any, positions: list[int]) -> Any:
    return X.iloc[:, positions] if isinstance(X, pd.DataFrame) else X[:, positions]


def features_of(X_old: Any, X_new: Any) -> Iterator[Feature]:
    """Give the columns of two checked tables, one after another.

    Parameters
    ----------
    X_old, X_new : tables from `check_tables`

    Yields
    ------
    feature : Feature
    """
    old, new = _as_frame(X_old), _as_frame(X_new)
    names = new.columns if hasattr(X_new, "columns") > hasattr(X_old, "columns") else old.columns
    for position, name in enumerate(names):
        yield _feature(name, old.iloc[:, position], new.iloc[:, position])


def _as_frame(X: Any) -> Any:
    """Give a table as a DataFrame of pandas."""
    if isinstance(X, pd.DataFrame):
        return X
    if issparse(X):
        return pd.DataFrame.sparse.from_spmatrix(X)
    if hasattr(X, "iter_columns"):  # of polars
        columns = [_of_polars(column) for column in X.iter_columns()]
        return pd.concat(columns, axis=1, keys=list(X.columns)) if columns else pd.DataFrame()
    return pd.DataFrame(X).infer_objects()


def _of_polars(column: Any) -> Any:
    is_plain = column.dtype.is_numeric() or str(column.dtype).startswith(("Date", "Duration"))
    return pd.Series(column.to_numpy() if is_plain else column.to_list())


def _feature(name: Any, old: Any, new: Any) -> Feature:
    kind = _kind_of_both(_kind(old), _kind(new))
    if kind == "category":
        return _categories(name, old, new)
    convert = _as_days if kind == "date" else _as_numbers
    numbers = convert(new)
    is_strange = np.isnan(numbers) & new.notna().to_numpy()
    strange = new[:0] if types.is_numeric_dtype(new.dtype) else new[is_strange]
    cells, numbers = _without_rounding(convert(old), numbers)
    return Feature(name, kind, cells, numbers, _shares(strange, len(new)))


def _without_rounding(old: Any, new: Any) -> tuple[Any, Any]:
    """Give numbers that are all the same but for rounding as the same."""
    both = np.concatenate([old, new])
    both = both[np.isfinite(both)]
    if not len(both) or np.ptp(both) > ROUNDING * np.abs(both).max():
        return old, new
    return tuple(np.where(np.isfinite(each), both[0], each) for each in (old, new))


def _kind_of_both(old: str, new: str) -> str:
    """Agree on what a column holds: what it held before, if it held anything."""
    if "" in (old, new):
        return old or new or "number"
    kind = "number" if {old, new} == {"boolean", "number"} else old
    return "category" if kind == "boolean" else kind


def _kind(column: Any) -> str:
    """Tell what a column holds; empty if all its cells are missing."""
    dtype = column.dtype
    if isinstance(dtype, pd.SparseDtype):
        dtype = dtype.subtype
    if types.is_bool_dtype(dtype):
        return "boolean"
    if types.is_numeric_dtype(dtype) and not types.is_complex_dtype(dtype):
        return "number"
    if isinstance(dtype, pd.PeriodDtype) or types.is_datetime64_any_dtype(dtype):
        return "date"
    if types.is_timedelta64_dtype(dtype):
        return "number"
    if isinstance(dtype, pd.CategoricalDtype):
        return "category" if column.notna().any() else ""
    return _kind_of_objects(column.dropna())


def _kind_of_objects(cells: Any) -> str:
    if len(cells) == 0:
        return ""
    first = cells.iloc[0]
    if isinstance(first, bool | np.bool_):
        return "boolean" if all(isinstance(cell, bool | np.bool_) for cell in cells) else "category"
    if isinstance(first, Real | Decimal | str):
        return next((kind for kind in ("number", "date") if _all_are(kind, cells)), "category")
    return "date" if all(isinstance(cell, datetime.date) for cell in cells) else "category"


def _all_are(kind: str, cells: Any) -> bool:
    """Whether all of the first cells, and then all cells, are or hold numbers or ISO dates."""
    for part in (cells.iloc[:N_LOOKED_AT], cells):
        if kind == "number":
            fits = _to_numeric(part).notna().all()
        else:
            fits = all(isinstance(cell, str) for cell in part) and part.str.match(ISO_DATE).all()
        if not fits:
            return False
    return True


def _as_numbers(column: Any) -> Any:
    """Floats; NaN for cells that hold no number, or an infinite one."""
    if types.is_timedelta64_dtype(column.dtype):
        column = column / pd.Timedelta(days=1)
    if types.is_object_dtype(column.dtype) or types.is_string_dtype(column.dtype):
        column = _to_numeric(column)
    elif isinstance(column.dtype, pd.CategoricalDtype):
        column = _to_numeric(column.astype(object))
    if isinstance(column.dtype, np.dtype | pd.SparseDtype):
        numbers = np.array(column, dtype=np.float64)
    else:
        numbers = column.to_numpy(dtype=np.float64, na_value=np.nan)
    return np.where(np.isfinite(numbers), numbers, np.nan)


def _to_numeric(column: Any) -> Any:
    if column.dtype == object:
        column = column.map(lambda cell: float(cell) if isinstance(cell, Decimal) else cell)
    return pd.to_numeric(column, errors="coerce")


def _as_days(column: Any) -> Any:
    """Days since 1970."""
    if isinstance(column.dtype, pd.PeriodDtype):
        column = column.dt.to_timestamp()
    dates = pd.to_datetime(column, errors="coerce", utc=True)
    if not types.is_datetime64_any_dtype(dates.dtype):  # of numbers and texts beside dates
        dates = pd.to_datetime(column.astype(str), format="ISO8601", errors="coerce", utc=True)
    days = (dates - pd.Timestamp("1970-01-01", tz="UTC")) / pd.Timedelta(days=1)
    return days.to_numpy(dtype=np.float64, na_value=np.nan)


def _categories(name: Any, old: Any, new: Any) -> Feature:
    (codes_old, texts_old), (codes_new, texts_new) = _texts(old), _texts(new)
    places, texts = pd.factorize(np.array([*texts_old, *texts_new], dtype=object))
    old_places, new_places = places[: len(texts_old)], places[len(texts_old) :]
    counts_old, counts_new = (
        np.bincount(each[codes[codes >= 0]], minlength=len(texts))
        for each, codes in ((old_places, codes_old), (new_places, codes_new))
    )
    counts, n_old, n_new = counts_old + counts_new, len(old), len(new)
    n_frequent = int((counts * min(n_old, n_new) >= MIN_EXPECTED * (n_old + n_new)).sum())
    recoded = np.full(len(texts), float(OTHER))
    recoded[np.argsort(-counts, kind="stable")[:n_frequent]] = np.arange(1, n_frequent + 1)
    unknown = np.flatnonzero((counts_old == 0) & (counts_new > 0))
    unknown = unknown[np.argsort(-counts_new[unknown], kind="stable")]
    return Feature(
        name,
        "category",
        np.append(recoded[old_places], np.nan)[codes_old],
        np.append(recoded[new_places], np.nan)[codes_new],
        {texts[place]: counts_new[place] / n_new for place in unknown},
    )


def _texts(column: Any) -> tuple[Any, list[str]]:
    """Give codes of the cells, -1 for missing ones, and the text of each code."""
    try:
        codes, cells = pd.factorize(column)
    except TypeError:  # of lists and the like
        codes, cells = pd.factorize(column.map(str, na_action="ignore"))
    return codes, [_text(cell) for cell in cells]


def _text(cell: Any) -> str:
    """Give a cell as text, a whole number alike whatever its type is."""
    if isinstance(cell, float | np.floating) and float(cell).is_integer():
        return str(int(cell))
    return str(cell)


def _shares(cells: Any, n_rows: int) -> dict[str, float]:
    """Share of the rows of each value, the most frequent first."""
    counts = Counter(map(str, cells))
    return {text: count / n_rows for text, count in counts.most_common()}
