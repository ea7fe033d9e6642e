"""What columns hold, and how their cells are read."""

import datetime
from decimal import Decimal

import numpy as np
import pandas as pd
import pytest

from skbn.tables.columns import as_pandas, converted, find_forms, plain_types

NUMBER, COMMA = {"kind": "number", "decimal": "."}, {"kind": "number", "decimal": ","}
DATE, MONTH_FIRST = {"kind": "date", "day_first": True}, {"kind": "date", "day_first": False}
TEXT, NONE = {"kind": "text"}, {"kind": "none"}
DAY = pd.Timestamp("2024-01-31")
MANY = [str(i) for i in range(20)]

COLUMNS = {  # cells, form, the first cell as it is read
    "floats": ([1.5, None, 3.0], NUMBER, 1.5),
    "integers": (np.array([7, 8, 8]), NUMBER, 7.0),
    "nullable integers": (pd.array([7, None, 8], "Int64"), NUMBER, 7.0),
    "booleans": ([True, False, True], NUMBER, 1.0),
    "booleans with gaps": ([True, None, False], NUMBER, 1.0),
    "text booleans": (["TRUE", "false", ""], NUMBER, 1.0),
    "durations": (pd.to_timedelta(["36h", None, "1h"]), NUMBER, 1.5),
    "durations beside text": ([datetime.timedelta(hours=36), "n/a", "-"], NUMBER, 1.5),
    "decimals": ([Decimal("1.25"), None, Decimal("2")], NUMBER, 1.25),
    "sparse": (pd.arrays.SparseArray([1.0, 0.0, 0.0]), NUMBER, 1.0),
    "text numbers": ([" 1.5", "?", "-3e2 "], NUMBER, 1.5),
    "infinite": ([np.inf, 1.0, 2.0], NUMBER, np.nan),
    "huge": (["1e31", "1", "2"], NUMBER, np.nan),
    "thousands": (["1,234", "12,345.5", ""], NUMBER, 1234.0),
    "decimal commas": (["1,5", "1.234,25", ""], COMMA, 1.5),
    "percent": (["12 %", "3.5%", "0 %"], NUMBER, 0.12),
    "money": (["$12.30", "-$1,000.00", "$0"], NUMBER, 12.3),
    "typed numbers beside commas": ([1.5, "2,5", "3,75"], COMMA, 1.5),
    "words among numbers": ([*MANY, "closed"], NUMBER, 0.0),
    "known words among few numbers": (["3", "unknown", "-", "5"], NUMBER, 3.0),
    "dates": (pd.to_datetime(["2024-01-31", None]), DATE, DAY),
    "dates with a zone": (pd.to_datetime(["2024-01-31T02:00+02:00"]), DATE, DAY),
    "dates of objects": ([datetime.date(2024, 1, 31), None], DATE, DAY),
    "periods": (pd.PeriodIndex(["2024-01-31", "2024-02-01"], freq="D"), DATE, DAY),
    "ISO": (["2024-01-31", "", "2023-05-01T12:00"], DATE, DAY),
    "day first": (["31/01/2024", "01/02/2024"], DATE, DAY),
    "month first": (["01/31/2024", "01/02/2024"], MONTH_FIRST, DAY),
    "months by name": (["31 Jan 2024", "1 February 2024", "n/a"], DATE, DAY),
    "dates beside text dates": ([datetime.date(2024, 1, 31), "2024-02-01"], DATE, DAY),
    "text": ([" a", "b", None, "NA"], TEXT, "a"),
    "mixed": ([3.0, "b", True, "c"], TEXT, "3"),
    "category": (pd.Categorical([1, 2, None]), TEXT, "1"),
    "few numbers and a word": (["0", "1", "2", "3+"] * 9, TEXT, "0"),
    "half words": (["a", "b", "1", "2"], TEXT, "a"),
    "codes": (["A11", "A12", "A13"], TEXT, "A11"),
    "bytes": ([b"a", b"b", b"a"], TEXT, "a"),
    "lists": ([[1, 2], [3], [1, 2]], TEXT, "[1, 2]"),
    "strands": (["-", "+", "-"], TEXT, "-"),
    "infinite alone": ([np.inf, -np.inf], NONE, None),
    "huge alone": ([1e40, np.nan], NONE, None),
    "infinite texts alone": (["inf", "1e40", ""], NONE, None),
    "missing words": (["NA", "?", None, " "], NONE, None),
    "missing": ([None, None], NONE, None),
    "missing floats": ([np.nan, np.nan], NONE, None),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_a_column_holds(name):
    cells, form, first = COLUMNS[name]
    column = pd.Series(cells, name=name)
    found = find_forms(column.to_frame())[name].form
    assert found == form
    if form != NONE:
        read = converted(column, found)
        assert read.index.equals(column.index)
        assert read.isna().sum() >= column.isna().sum()
        np.testing.assert_equal(read[0], first)
    kinds = {"number": "f", "date": "M", "text": "O", "none": "O"}
    assert form == NONE or read.dtype.kind == kinds[form["kind"]]


@pytest.mark.parametrize("name", [name for name, (_, form, _) in COLUMNS.items() if form != NONE])
def test_the_same_cells_in_another_type(name):
    """A second process has the same cells as objects, as text, or as what they were read as."""
    cells, form, _ = COLUMNS[name]
    column = pd.Series(cells, name=name)
    expected = converted(column, form)
    others = [column.astype(object), expected]
    if not any(word in name for word in ("duration", "date", "mixed", "bytes")):
        others.append(column.map(str).where(column.notna(), ""))
    for other in others:
        read = converted(other, form)
        pd.testing.assert_series_equal(read.astype(str), expected.astype(str))


def test_a_column_that_leaves_no_doubt_tells_of_others():
    frame = pd.DataFrame({"price": ["1,5", "2,25"], "rows": ["1,234", "2,345"], "n": ["1", "2"]})
    forms = {name: finding.form for name, finding in find_forms(frame).items()}
    assert forms == {"price": COMMA, "rows": COMMA, "n": forms["n"]}
    assert forms["n"]["kind"] == "number"


@pytest.mark.parametrize(
    ("options", "form", "remark"),
    [
        ({}, NUMBER, "'1,234' is read as 1234; --decimal ',' reads it as 1.234"),
        ({"suggested": ","}, COMMA, "'1,234' is read as 1.234; --decimal '.' reads it as 1234"),
        ({"decimal": ","}, COMMA, None),
        ({"decimal": "."}, NUMBER, None),
    ],
)
def test_doubtful_commas(options, form, remark):
    found = find_forms(pd.DataFrame({"a": ["1,234", "5,678"]}), **options)["a"]
    assert found == (form, [remark] if remark else [])


def test_points_are_decimal_points_whatever_the_file_suggests():
    found = find_forms(pd.DataFrame({"a": ["1.234", "5.678"]}), suggested=",")["a"]
    assert found == (NUMBER, [])


@pytest.mark.parametrize(
    ("cells", "remarks"),
    [
        ([*MANY, "closed"], ["1 cell is no number and counts as missing: 'closed'"]),
        ([*MANY, *"abcd"], ["4 cells are no numbers and count as missing: 'a', 'b', 'c', 'd'"]),
        (
            [1.0, -np.inf, 2.0, "inf"],
            ["2 cells are infinite or beyond 1e\\+30 and count as missing: '-inf', 'inf'"],
        ),
        ([*MANY, *"abcdefghij"], ["taken for text: 33% of the cells are no numbers, .* 'a'.*"]),
        (["03/04/2024", "05/06/2024"], ["'03/04/2024' is read as 3 April 2024"]),
        (["13/04/2024", "05/06/2024"], []),
        (["a", "b"], []),
        (["1", "?", "2"], []),
        (["24-03-05", "23-02-27"], ["'24-03-05' is read as 24 March 2005"]),
        (["24-03-55", "23-02-57"], []),
        (["12 %", "12"], ["'12', '12 %' are read as .* signs, those with % divided by 100"]),
        (["$12", "7 €"], [r"'\$12', '7 €' are read as numbers whatever their signs"]),
        (["$12", "0"], []),
        (["007", "12"], ["'007' is read as the number 7"]),
        ([10**400, 1, 2], ["1 cell is infinite .*"]),
    ],
)
def test_remarks(cells, remarks):
    found = find_forms(pd.DataFrame({"a": pd.Series(cells, dtype=object)}))["a"].remarks
    assert len(found) == len(remarks)
    for remark, expected in zip(found, remarks, strict=True):
        assert pd.Series([remark]).str.fullmatch(expected)[0], remark


@pytest.mark.parametrize(
    "dtype", ["date32[pyarrow]", "timestamp[us][pyarrow]", "timestamp[s, tz=UTC][pyarrow]"]
)
def test_dates_of_arrow(dtype):
    pytest.importorskip("pyarrow")
    column = pd.Series([datetime.datetime(2024, 1, 31), None]).astype(dtype)
    found = find_forms(column.to_frame("a"))["a"]
    assert found == (DATE, [])
    assert converted(column, DATE).tolist() == [DAY, pd.NaT]


def test_complex_numbers_are_refused():
    with pytest.raises(ValueError, match=r"column 'z' holds complex numbers\. Complex data not"):
        find_forms(pd.DataFrame({"z": [1j, 2]}))


def test_single_precision_stays():
    assert converted(pd.Series([1, 2], dtype="float32"), NUMBER).dtype == np.float32


def test_plain_types():
    text = {
        "whole": ["1", "-2", " 3 "],
        "float": ["1.5", "NA", "2"],
        "boolean": ["True", "FALSE", "true"],
        "decimal comma": ["1,5", "2", ""],
        "text": [" a", "None", "b"],
    }
    frame = plain_types(pd.DataFrame(text, dtype=object))
    assert frame["whole"].tolist() == [1, -2, 3]
    assert frame["whole"].dtype.kind == "i"
    np.testing.assert_array_equal(frame["float"], [1.5, np.nan, 2])
    assert frame["boolean"].tolist() == [True, False, True]
    assert frame["decimal comma"].tolist()[:2] == ["1,5", "2"]
    assert frame["decimal comma"].isna().tolist() == [False, False, True]
    assert frame["text"].tolist()[::2] == [" a", "b"]


def test_as_pandas():
    polars = pytest.importorskip("polars")
    frame = as_pandas(polars.DataFrame({"a": [1, None], "b": ["x", None]}))
    assert list(frame) == ["a", "b"]
    assert frame["a"].tolist()[0] == 1
    assert frame.isna().sum().tolist() == [1, 1]
    assert as_pandas([[1, "a"], [2, "b"]]).dtypes.map(lambda d: d.kind).tolist()[0] == "i"
    with pytest.raises(TypeError, match=r"LazyFrame.*collect\(\)"):
        as_pandas(polars.LazyFrame({"a": [1]}))
    with pytest.raises(ValueError, match="Expected 2D array, got 1D"):
        as_pandas([1, 2])
