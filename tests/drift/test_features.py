"""Columns of two tables, side by side, as numbers."""

import datetime
import decimal

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn.drift.features import OTHER, check_tables, features_of, forms_within
from skbn.tables.cleaner import TableCleaner

RNG = np.random.default_rng(0)
DAYS = pd.date_range("2020-01-01", periods=40)
LETTERS = RNG.choice(list("ab"), 40)
WHOLE = RNG.integers(0, 5, 40)


def features(X_old, X_new):
    X_old, X_new, _ = check_tables(X_old, X_new)
    return list(features_of(X_old, X_new))


def of_columns(old, new):
    (feature,) = features(pd.DataFrame({"x": old}), pd.DataFrame({"x": new}))
    return feature


COLUMNS = {
    "floats": (WHOLE * 1.5, "number"),
    "whole": (WHOLE, "number"),
    "nullable": (pd.Series(WHOLE, dtype="Int64").mask(WHOLE == 1), "number"),
    "decimals": ([decimal.Decimal(int(each)) for each in WHOLE], "number"),
    "number as text": (WHOLE.astype(str), "number"),
    "durations": (pd.to_timedelta(WHOLE, unit="h"), "number"),
    "empty": ([None] * 40, "number"),
    "boolean": (WHOLE > 2, "category"),
    "nullable boolean": (pd.Series(WHOLE > 2, dtype="boolean").mask(WHOLE == 1), "category"),
    "text": (LETTERS, "category"),
    "nullable text": (pd.Series(LETTERS, dtype="string").mask(WHOLE == 1), "category"),
    "categories": (pd.Categorical(LETTERS), "category"),
    "categories of numbers": (pd.Categorical(WHOLE), "category"),
    "mixed": (pd.Series([1, "a", None, 2.5] * 10, dtype=object), "category"),
    "lists": (pd.Series([[1], [2]] * 20), "category"),
    "dates": (DAYS, "date"),
    "dates with zone": (DAYS.tz_localize("Europe/Berlin"), "date"),
    "date as text": (DAYS.strftime("%Y-%m-%d"), "date"),
    "date objects": ([each.date() for each in DAYS], "date"),
    "periods": (pd.period_range("2020", periods=40, freq="D"), "date"),
}


@pytest.mark.parametrize("name", list(COLUMNS))
def test_columns_of_every_sort_equal_themselves(name):
    column, kind = COLUMNS[name]
    feature = of_columns(column, column)
    assert feature.kind == kind
    np.testing.assert_array_equal(feature.old, feature.new)
    missing = pd.Series(column).isna().to_numpy()
    np.testing.assert_array_equal(np.isnan(feature.old), missing)
    assert feature.new_categories == {}


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (pd.Categorical([1, 2] * 20), [1.0, 2.0] * 20),
        (pd.Series(["1", "x"] * 20), pd.Series([1, "x"] * 20, dtype=object)),
        (DAYS, DAYS.strftime("%Y-%m-%d")),
        (pd.Series([True, False] * 20), pd.Series([1.0, 0.0] * 20)),
        ([1.0, 2.0] * 20, ["1", "2"] * 20),
    ],
)
def test_values_are_the_same_whatever_their_type_is(old, new):
    feature = of_columns(old, new)
    np.testing.assert_array_equal(feature.old, feature.new)


def test_infinite_cells_are_missing_and_numbers_that_are_text_now_are_named():
    feature = of_columns([1.0, np.inf, np.nan, 2.0], pd.Series([1.0, "off", "off", None]))
    np.testing.assert_array_equal(feature.old, [1, np.nan, np.nan, 2])
    np.testing.assert_array_equal(feature.new, [1, np.nan, np.nan, np.nan])
    assert feature.new_categories == {"off": 0.5}


def test_new_rows_are_read_as_the_old_ones_are_written():
    old = {"size": ["1,5", "2,25"] * 20, "day": ["31/12/2023", "01/02/2024"] * 20}
    new = {"size": ["1,234", "12 %"] * 10, "day": ["05/06/2024", "06/05/2024"] * 10}
    size, day = features(pd.DataFrame(old), pd.DataFrame(new))
    assert (size.kind, day.kind) == ("number", "date")
    assert size.old[:2].tolist() == [1.5, 2.25]
    assert size.new[:2].tolist() == [1.234, 0.12]
    days = pd.to_datetime(["2024-06-05", "2024-05-06"]) - pd.Timestamp("1970-01-01")
    assert day.new[:2].tolist() == days.days.tolist()
    assert size.new_categories == day.new_categories == {}


def test_forms_that_are_known_rule():
    frame = pd.DataFrame({"size": ["1,234"] * 20, "day": ["05/06/2024"] * 20, "code": [7] * 20})
    forms = {"size": {"kind": "number", "decimal": ","}, "code": {"kind": "text"}}
    forms["day"] = {"kind": "date", "day_first": False}
    size, day, code = features_of(frame, frame, forms)
    assert (size.old[0], day.old[0], code.kind) == (1.234, 19849.0, "category")  # 6 May
    first = next(features_of(frame, frame))
    assert first.old[0] == 1234


def test_words_that_are_new_among_numbers_are_named_and_missing_ones_are_not():
    old = [*map(str, range(50)), "off", "NA"]
    feature = of_columns(old, [*map(str, range(50)), "off", "NA", "?", "broken", "broken"])
    assert feature.kind == "number"
    assert np.isnan(feature.old).sum() == 2
    assert feature.new_categories == {"broken": 2 / 55}


@pytest.mark.parametrize("flags", [["True", "False"], ["TRUE", "FALSE"], [True, False]])
def test_booleans_are_a_category_however_they_are_written(flags):
    for new in (flags * 20, pd.Series([*flags, None] * 20, dtype=object)):
        feature = of_columns(flags * 20, new)
        assert feature.kind == "category"
        assert feature.new_categories == {}


def test_forms_within_a_model():
    frame = pd.DataFrame({"size": ["1,5", "2,5"] * 10})
    model = make_pipeline(TableCleaner(), StandardScaler(), LogisticRegression())
    search = GridSearchCV(make_pipeline(model), {}, cv=2).fit(frame, [0, 1] * 10)
    assert forms_within(search) == {"size": {"kind": "number", "decimal": ","}}
    assert forms_within(model[1:]) == {}


def test_rare_categories_are_taken_together_and_new_ones_have_their_share():
    old = ["a"] * 60 + ["b"] * 36 + ["rare"] * 4
    feature = of_columns(old, ["a"] * 40 + ["new"] * 45 + [f"id {i}" for i in range(15)])
    assert np.unique(feature.old).tolist() == [OTHER, 1, 3]
    assert np.unique(feature.new).tolist() == [OTHER, 1, 2]
    assert next(iter(feature.new_categories.items())) == ("new", 0.45)
    assert sum(feature.new_categories.values()) == pytest.approx(0.6)


def test_identifiers_are_one_category():
    feature = of_columns([f"a{i}" for i in range(100)], [f"b{i}" for i in range(100)])
    assert set(feature.old) == set(feature.new) == {OTHER}


def test_columns_go_by_their_names():
    old = pd.DataFrame({"a": [1, 2], "b": [3.0, 4.0], 5: [5, 6]})
    new = pd.DataFrame({5: [7, 8], "more": [0, 0], "b": [9.0, 9.0], "a": [1, 1]})
    X_old, X_new, ignored = check_tables(old, new)
    assert (list(X_new.columns), ignored) == (["a", "b", 5], ["more"])
    assert [feature.name for feature in features_of(X_old, X_new)] == ["a", "b", 5]
    with pytest.raises(ValueError, match=r"X_new lacks columns of X_old: a; .* X_new has: b, 5"):
        check_tables(old, new[["b", 5]])


def test_columns_of_one_name_stay_in_their_order():
    old = pd.DataFrame([[1, 2, 3]] * 2, columns=["a", "a", "b"])
    new = pd.DataFrame([[6, 4, 5]] * 2, columns=["b", "a", "a"])
    assert [feature.new[0] for feature in features(old, new)] == [4, 5, 6]


CELLS = np.array([[0.0, 1.0], [2.0, 0.0], [0.0, 3.0]])
TABLES = {
    "array": CELLS,
    "lists": CELLS.tolist(),
    "objects": CELLS.astype(object),
    "text": CELLS.astype(str),
    "pandas": pd.DataFrame(CELLS),
    "polars": pl.DataFrame(CELLS, schema=["a", "b"]),
    "masked": np.ma.masked_array(CELLS, np.zeros_like(CELLS)),
    "csr": sparse.csr_matrix(CELLS),
    "coo array": sparse.coo_array(CELLS),
    "sparse frame": pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(CELLS)),
}


@pytest.mark.parametrize("name", list(TABLES))
def test_tables_of_every_sort_hold_the_same_cells(name):
    for each in features(TABLES[name], TABLES["array"]), features(CELLS, TABLES[name]):
        assert len(each) == 2
        for feature in each:
            np.testing.assert_array_equal(feature.old, feature.new)
            assert feature.kind == "number"


def test_columns_of_polars_of_every_type():
    table = pl.DataFrame(
        {
            "number": [1.5, None] * 5,
            "text": ["x", None] * 5,
            "boolean": [True, None] * 5,
            "date": [datetime.date(2020, 1, 1), None] * 5,
            "datetime": [datetime.datetime(2020, 1, 1, 3), None] * 5,
            "duration": [datetime.timedelta(hours=2), None] * 5,
            "list": [[1, 2], None] * 5,
            "category": pl.Series(["u", None] * 5, dtype=pl.Categorical),
        }
    )
    found = features(table, table.select(reversed(table.columns)))
    kinds = ["number", "category", "category", "date", "date", "number", "category", "category"]
    assert [feature.kind for feature in found] == kinds
    for feature in found:
        np.testing.assert_array_equal(feature.old, feature.new)
        assert np.isnan(feature.old).mean() == 0.5


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (np.zeros((0, 2)), CELLS, "X_old has 0 rows; at least two"),
        (CELLS, CELLS[:1], "X_new has 1 row; at least two"),
        (CELLS[:, 0], CELLS, "X_old must have rows and columns, got the shape"),
        (CELLS, CELLS[:, :1], "X_new has 1 columns and X_old 2"),
        (CELLS[:, :0], CELLS[:, :0], "X_old has no columns"),
        (pl.LazyFrame({"a": [1, 2]}), CELLS, r"pass X_old.collect\(\)"),
    ],
)
def test_tables_that_cannot_be_compared_are_errors(old, new, message):
    with pytest.raises((ValueError, TypeError), match=message):
        check_tables(old, new)


def test_a_constant_that_was_computed_otherwise_is_the_same():
    old, new = np.full((5, 1), 0.1 + 0.2), np.full((4, 1), 0.3)
    (feature,) = features_of(old, new)
    assert len(np.unique(np.concatenate([feature.old, feature.new]))) == 1
