"""Cells that are no numbers: what they are, where they are, and what to do about them."""

from __future__ import annotations

import datetime
import warnings
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.sparse import issparse

DATES = (datetime.date, datetime.time, np.datetime64, pd.Period)  # a Timestamp is a date
DURATIONS = (datetime.timedelta, np.timedelta64)
TIMES = DATES + DURATIONS
KINDS = {"M": "dates", "m": "durations", "c": "complex numbers", "V": "records"}
"""Of the dtypes that hold no numbers whatever the cells are."""
REMEDIES = {
    "text": "Encode text columns first: make_column_transformer((OneHotEncoder(), text_columns), "
    "remainder=StandardScaler()) before the classifier",
    "missing values": "Make NaN of them with pandas.DataFrame(X).apply(pandas.to_numeric), and put "
    "an imputer into the Pipeline, sklearn.impute.SimpleImputer()",
    "dates": "Turn them into numbers, such as days since 1970: (pandas.to_datetime(dates, utc=True)"
    " - pandas.Timestamp(0, tz='UTC')) / pandas.Timedelta(days=1); or use skbn.tabular_pipeline, "
    "which takes any table",
    "durations": "Turn them into numbers, such as days: durations / pandas.Timedelta(days=1)",
    "complex numbers": "Complex data not supported: pass real and imaginary parts as columns of "
    "their own",
    "intervals": "Turn them into numbers, such as the middle of each, interval.mid",
    "records": "Pass an array with a column for each field, "
    "numpy.lib.recfunctions.structured_to_unstructured(X)",
    "rows of different lengths": "All rows need as many cells",
    "a number too large": "Scale the numbers, or clip them",
    "sparse columns that are not filled with 0": "Make them dense, X.sparse.to_dense()",
}
"""What to do about cells of a table, by what they are."""


class Fault(NamedTuple):
    """The first cells of a table, or of a list of weights, that are no numbers."""

    kind: str
    detail: str = ""
    place: str = ""

    def __str__(self) -> str:
        detail = f" ({self.detail})" if self.detail else ""
        return f"{self.kind}{detail}{f' in {self.place}' if self.place else ''}"


def find_fault(data: Any) -> Fault | None:
    """Find the first cells that are no numbers, as NaN and infinity are.

    Parameters
    ----------
    data : array-like of any shape, DataFrame or sparse matrix

    Returns
    -------
    fault : Fault or None
    """
    if isinstance(data, pd.DataFrame) and all(isinstance(d, pd.SparseDtype) for d in data.dtypes):
        for dtype in data.dtypes:
            if dtype.fill_value != 0:
                return Fault("sparse columns that are not filled with 0", str(dtype))
    try:
        columns = list(_columns(data))
    except ValueError as error:
        return Fault("rows of different lengths", str(error))
    faults = (_fault_of_column(column, place) for place, column in columns)
    return next((fault for fault in faults if fault is not None), None)


def begins_with_fault(data: Any) -> bool:
    """Whether what scikit-learn would make numbers of, dates and records, is in the first row.

    One look at the dtype for an array of numbers. Where other cells are no numbers, the
    conversion fails.
    """
    try:
        if isinstance(data, pd.DataFrame):  # dates beside others do not convert
            return isinstance(data.iat[0, 0], TIMES)  # a slice takes fifty times as long
        dtype = getattr(data, "dtype", None)
        if isinstance(dtype, np.dtype) and dtype.kind != "O":
            return dtype.kind in KINDS
        if hasattr(data, "iter_columns"):  # of polars, which converts dates beside others
            return any(each.is_temporal() for each in data.dtypes)
        array = np.asarray(data[:1])
    except (IndexError, KeyError, TypeError, ValueError):  # no rows, or no array-like
        return False
    return array.dtype.kind in KINDS or any(isinstance(cell, TIMES) for cell in array.flat)


def _columns(data: Any) -> Iterator[tuple[str, Any]]:
    """Give the columns of a table with what messages call them."""
    if isinstance(data, pd.DataFrame):
        yield from ((f"column {name!r}", data.iloc[:, j]) for j, name in enumerate(data.columns))
    elif hasattr(data, "iter_columns"):  # of polars
        yield from ((f"column {column.name!r}", column) for column in data.iter_columns())
    elif issparse(data):  # whose cells are no objects
        yield "", np.empty(0, data.dtype)
    else:
        array = np.asarray(data)
        if isinstance(data, list | tuple):  # whose cells NumPy makes all text or all complex
            array = np.asarray(data, dtype=object)
        if array.ndim == 2:
            yield from ((f"column {j}", column) for j, column in enumerate(array.T))
        else:
            yield "", array


def _fault_of_column(column: Any, place: str) -> Fault | None:
    values = np.asarray(column)
    if values.dtype.kind in KINDS:
        return Fault(KINDS[values.dtype.kind], str(getattr(column, "dtype", values.dtype)), place)
    try:
        with np.errstate(over="ignore"), warnings.catch_warnings():
            warnings.simplefilter("error", np.exceptions.ComplexWarning)
            values.astype(np.float64)
        if values.dtype != object or not any(isinstance(cell, TIMES) for cell in values.flat):
            return None
    except (TypeError, ValueError, OverflowError, np.exceptions.ComplexWarning):
        pass
    missing = None
    for row, cell in enumerate(values.ravel().tolist()):
        fault = _fault_of_cell(cell, f"{place}, row {row}".removeprefix(", "))
        if fault is not None and fault.kind != "missing values":
            return fault
        missing = missing or fault
    return missing


def _fault_of_cell(cell: Any, place: str) -> Fault | None:
    if isinstance(cell, np.character):
        cell = cell.item()  # which has a shorter representation
    name = type(cell).__name__
    if pd.api.types.is_scalar(cell) and pd.isna(cell):
        return Fault("missing values", str(cell), place)
    if isinstance(cell, DATES):
        return Fault("dates", name, place)
    if isinstance(cell, DURATIONS):
        return Fault("durations", name, place)
    if isinstance(cell, complex | np.complexfloating):
        return Fault("complex numbers", name, place)
    if isinstance(cell, pd.Interval):
        return Fault("intervals", name, place)
    try:
        float(cell)
    except OverflowError as error:
        return Fault("a number too large", str(error), place)
    except (TypeError, ValueError) as error:
        if isinstance(cell, str | bytes):
            return Fault("text", str(error), place)
        return Fault(f"cells of the type {name}", str(error), place)
    return None
