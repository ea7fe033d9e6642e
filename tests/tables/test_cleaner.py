"""The first step of Pipelines for tables."""

import pickle
import re
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone

from skbn.tables.cleaner import TableCleaner


@pytest.fixture
def frame():
    return pd.DataFrame(
        {
            "width": ["1,5", "2,25", "", "n/a"],
            "since": ["31/12/2023", "01/02/2024", "?", "15/03/2024"],
            "colour": ["red", "blue", None, "red "],
            "nothing": [None, "", "NA", np.nan],
        }
    )


@pytest.fixture
def cleaner(frame):
    return TableCleaner().fit(frame)


def test_numbers_dates_and_categories(cleaner, frame):
    cleaned = cleaner.transform(frame)
    assert list(cleaned) == list(cleaner.get_feature_names_out()) == ["width", "since", "colour"]
    np.testing.assert_array_equal(cleaned["width"], [1.5, 2.25, np.nan, np.nan])
    expected = pd.to_datetime(["2023-12-31", "2024-02-01", None, "2024-03-15"])
    np.testing.assert_array_equal(cleaned["since"], expected)
    assert isinstance(cleaned["colour"].dtype, pd.CategoricalDtype)
    assert cleaned["colour"].astype(object).tolist()[::3] == ["red", "red"]
    assert cleaned["colour"].isna().tolist() == [False, False, True, False]


def test_new_rows_of_other_types(cleaner):
    new = pd.DataFrame(
        {"since": pd.to_datetime(["2024-02-01"]), "width": [2.25], "nothing": 3, "colour": [7.0]}
    )
    cleaned = cleaner.transform(new)
    assert cleaned["width"].tolist() == [2.25]
    assert cleaned["since"].tolist() == [pd.Timestamp("2024-02-01")]
    assert cleaned["colour"].tolist() == ["7"]


def test_any_order_among_others_and_from_polars(cleaner, frame):
    polars = pytest.importorskip("polars")
    expected = cleaner.transform(frame)
    shuffled = frame.iloc[:, ::-1].assign(other=1).rename(columns={"since": " since "})
    pd.testing.assert_frame_equal(cleaner.transform(shuffled), expected)
    lists = {name: [None if pd.isna(c) else c for c in frame[name]] for name in frame}
    pd.testing.assert_frame_equal(
        cleaner.transform(polars.DataFrame(lists)), expected, check_categorical=False
    )


def test_a_missing_column_is_named_in_the_words_of_scikit_learn(cleaner, frame):
    with pytest.raises(ValueError, match=r"(?s)names should match.*yet now missing:\n- colour\n"):
        cleaner.transform(frame.drop(columns="colour"))
    with pytest.raises(ValueError, match=r"(?s)names should match.*unseen at fit time:\n- other"):
        cleaner.transform(frame.add_prefix("other "))


def test_arrays():
    X = np.array([[1, "a"], [2, "b"], [None, "a"]], dtype=object)
    cleaner = TableCleaner().fit(X)
    assert not hasattr(cleaner, "feature_names_in_")
    assert cleaner.transform(X[:2]).iloc[:, 0].tolist() == [1, 2]
    with pytest.raises(ValueError, match="X has 1 features, but TableCleaner is expecting 2"):
        cleaner.transform(X[:, :1])


def test_numbered_columns_go_by_their_numbers_where_all_are_there_and_else_by_their_place():
    frame = pd.DataFrame({5: [1.0, 2.0], 3: ["a", "b"]})
    cleaner = TableCleaner().fit(frame)
    assert list(cleaner.get_feature_names_out()) == ["5", "3"]
    assert cleaner.transform(frame)["3"].tolist() == ["a", "b"]
    others = pd.DataFrame({4: [7, 8], 3: ["a", "b"], 5: [1.0, 2.0]})
    pd.testing.assert_frame_equal(cleaner.transform(others), cleaner.transform(frame))
    pd.testing.assert_frame_equal(
        cleaner.transform(frame.set_axis([0, 1], axis=1)), cleaner.transform(frame)
    )
    with pytest.raises(ValueError, match="X has 1 features, but TableCleaner is expecting 2"):
        cleaner.transform(frame[[3]])
    mixed = TableCleaner().fit(frame.rename(columns={3: "b"}))
    assert mixed.feature_names_in_.tolist() == ["5", "b"]


def test_forms_that_are_known(frame):
    forms = {"width": {"kind": "text"}, "colour": {"kind": "none"}}
    cleaner = TableCleaner(forms).fit(frame)
    assert cleaner.transform(frame)["width"].tolist()[0] == "1,5"
    assert list(cleaner.get_feature_names_out()) == ["width", "since"]


@pytest.mark.parametrize(
    ("X", "message"),
    [
        (pd.DataFrame({"a": [np.nan], "b": [None]}), "no column to learn from.* 1 rows.*: a, b"),
        (pd.DataFrame(index=[0, 1]), "no column to learn from"),
        (pd.DataFrame({"a": [np.inf], "b": ["-inf"]}), "no column to learn.*infinite numbers"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), r"Names of columns must differ.*'a' \(2 "),
        (pd.DataFrame([[1, 2]], columns=["1", 1]), r"Names of columns must differ.*'1' \(2 "),
    ],
)
def test_tables_without_use(X, message):
    with pytest.raises(ValueError, match=message):
        TableCleaner().fit(X)


@pytest.mark.parametrize(
    ("training", "new", "doubt"),
    [
        (["1.500", "2.000", "7"], [1.5, 2.25], "points between thousands .* thousands='.'"),
        (["1.500", "2.000", "7"], [1500, 2250], ""),
        (["1", "2", "7"], ["abc", None], "holds no numbers, as it did in training, but 'abc'"),
        (["1", "2", "7"], ["abc", "2"], ""),
        (["1", "2", "7"], ["unknown", ""], ""),
        (["1", "2", "7"], [np.inf, np.nan], ""),
        (["2024-01-31", "2024-02-01"], [45000, 45001], "holds no dates, .* but '45000', '45001'"),
        (["a", "b"], [1, 2], ""),
    ],
)
def test_columns_unlike_those_of_the_training_are_told(training, new, doubt):
    table = pd.DataFrame({"a": training, "price": "1,5"})
    cleaner = TableCleaner().fit(table)
    rows = pd.DataFrame({"a": new, "price": "1,5"})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cleaner.transform(rows)
    assert len(caught) == bool(doubt)
    assert not doubt or re.search(f"Column 'a' .*{doubt}", str(caught[0].message))


def test_a_column_may_be_the_index_of_new_rows(cleaner, frame):
    expected = cleaner.transform(frame).reset_index(drop=True)
    moved = cleaner.transform(frame.set_index("colour"))
    pd.testing.assert_frame_equal(moved.reset_index(drop=True), expected)


def test_the_same_after_pickle_and_clone(cleaner, frame):
    expected = cleaner.transform(frame)
    pd.testing.assert_frame_equal(pickle.loads(pickle.dumps(cleaner)).transform(frame), expected)
    pd.testing.assert_frame_equal(clone(cleaner).fit(frame).transform(frame), expected)
