"""What errors say about cells that are no numbers: where they are, and advice that works."""

import datetime

import numpy as np
import pandas as pd
import pytest
from numpy.lib.recfunctions import structured_to_unstructured
from scipy import sparse
from sklearn.impute import SimpleImputer

from skbn.cells import REMEDIES, begins_with_fault, find_fault

DAY = datetime.date(2020, 1, 1)


def with_cell(cell):
    array = np.ones((5, 3), dtype=object)
    array[3, 1] = cell
    return array


def place_of(data):
    return find_fault(data).place


@pytest.mark.parametrize(
    ("cell", "kind"),
    [
        ("a", "text"),
        (b"a", "text"),
        (pd.NA, "missing values"),
        (pd.NaT, "missing values"),
        (DAY, "dates"),
        (datetime.time(12), "dates"),
        (np.datetime64("2020"), "dates"),
        (pd.Timestamp(0, tz="UTC"), "dates"),
        (pd.Period("2020", "M"), "dates"),
        (datetime.timedelta(1), "durations"),
        (1j, "complex numbers"),
        (np.complex64(1), "complex numbers"),
        (pd.Interval(0, 1), "intervals"),
        (10**400, "a number too large"),
        ({}, "cells of the type dict"),
    ],
    ids=repr,
)
def test_the_place_of_a_cell(cell, kind):
    array = with_cell(cell)
    frame = pd.DataFrame({"a": array[:, 0], "b c": pd.Series(array[:, 1], dtype=object)})
    assert find_fault(array).kind == find_fault(frame).kind == kind
    assert place_of(array) == place_of(array.tolist()) == "column 1, row 3"
    assert place_of(frame) == "column 'b c', row 3"
    assert place_of(array[:, 1]) == place_of(pd.Series(array[:, 1], dtype=object)) == "row 3"


def test_what_is_at_fault_comes_before_what_is_missing():
    column = np.array([None, pd.NA, "a"], dtype=object)
    assert find_fault(column).kind == "text"
    assert find_fault(np.array([None, pd.NaT, DAY], dtype=object)).kind == "dates"


@pytest.mark.parametrize(
    "data",
    [
        np.ones((3, 2)),
        np.array([[np.nan, np.inf]]),
        np.array([[True, 2, 3.5, "4", b"5", None]], dtype=object),
        [[1, 2.5], [True, None]],
        pd.DataFrame({"a": pd.array([1, 2], "Int64"), "b": ["1", "2"], "c": [1, np.nan]}),
        sparse.csr_matrix(np.eye(2)),
        np.empty((0, 3)),
        np.array(5),
        None,
    ],
    ids=repr,
)
def test_numbers_are_not_at_fault(data):
    assert find_fault(data) is None
    assert not begins_with_fault(data)


def test_dates_of_polars_beside_numbers():
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [1.0, 2.0], "b": [DAY, DAY]})
    assert begins_with_fault(frame)
    assert str(find_fault(frame)) == "dates (Date) in column 'b'"
    assert not begins_with_fault(frame[["a"]])


def test_dates_of_arrow():
    pyarrow = pytest.importorskip("pyarrow")
    assert begins_with_fault(pyarrow.table({"a": [DAY, DAY]}))


def test_dates_that_numpy_makes_numbers_of():
    row = [1.0, np.datetime64("2020")]
    for data in ([row, row], np.array([row, row], dtype=object)):
        assert begins_with_fault(data)
        assert find_fault(data).kind == "dates"


def test_records_and_rows_of_different_lengths():
    assert begins_with_fault(np.zeros(3, dtype=[("a", float)]))
    assert find_fault([[1, 2], [3]]).kind == "rows of different lengths"


def test_sparse_columns_that_are_filled_with_something():
    filled = pd.DataFrame({"a": pd.arrays.SparseArray([1.0, 2.0], fill_value=1)})
    assert find_fault(filled).kind in REMEDIES
    assert find_fault(filled.sparse.to_dense()) is None
    assert find_fault(filled.assign(b=2.0)) is None  # which scikit-learn makes dense


# Advice.


@pytest.mark.parametrize(
    "cells", [[pd.NA, 1.0, 2], [pd.NA, "1", 2], [None, pd.NA, 2], [pd.NA, True, False]]
)
def test_missing_values_become_nan_as_the_advice_says(cells):
    pandas = pd
    X = pd.DataFrame({"a": pd.Series(cells, dtype=object), "b": 1.0})
    assert "pandas.DataFrame(X).apply(pandas.to_numeric)" in REMEDIES["missing values"]
    for data in (X, X.to_numpy(), X.to_numpy().tolist()):
        numbers = pandas.DataFrame(data).apply(pandas.to_numeric)
        assert find_fault(numbers) is None
        assert np.isfinite(SimpleImputer().fit_transform(numbers)).all()


@pytest.mark.parametrize(
    "dates",
    [
        pd.Series(pd.date_range("1970-01-03", periods=2)),
        pd.Series(pd.date_range("1970-01-03", periods=2, tz="UTC")),
        pd.Series([datetime.date(1970, 1, 3), datetime.date(1970, 1, 4)]),
    ],
    ids=lambda dates: str(dates.dtype),
)
def test_dates_become_numbers_as_the_advice_says(dates):
    advice = (
        "(pandas.to_datetime(dates, utc=True) - pandas.Timestamp(0, tz='UTC')) / "
        "pandas.Timedelta(days=1)"
    )
    assert advice in REMEDIES["dates"]
    days = (pd.to_datetime(dates, utc=True) - pd.Timestamp(0, tz="UTC")) / pd.Timedelta(days=1)
    assert days.tolist() == [2.0, 3.0]


def test_durations_and_records_become_numbers_as_the_advice_says():
    assert "durations / pandas.Timedelta(days=1)" in REMEDIES["durations"]
    assert (pd.Series(pd.to_timedelta([1, 2], "D")) / pd.Timedelta(days=1)).tolist() == [1, 2]
    assert "numpy.lib.recfunctions.structured_to_unstructured(X)" in REMEDIES["records"]
    records = np.ones(2, dtype=[("a", float), ("b", int)])
    np.testing.assert_array_equal(structured_to_unstructured(records), np.ones((2, 2)))
