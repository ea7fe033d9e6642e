"""What a table holds: files that are read, columns that are told apart, numbers and text."""

import numpy as np
import pandas as pd
import pytest

from skbn.tables.columns import read_table, sort_columns, tidy

COLUMNS = {
    "numbers": {
        "number": [1.5, 2, np.nan, 4],
        "integer": [3, 1, 2, 2],
        "boolean": [True, False, True, True],
        "question mark": ["1", "?", "2.5", "3"],
        "nullable": pd.array([1, None, 3, 4], dtype="Int64"),
    },
    "dates": {
        "date": ["2024-01-31", None, "2023-05-01", "2024-01-31"],
        "time": ["2024-01-31 12:30:00", "2024-01-31T01:00:00", "2023-05-01", None],
        "timestamp": pd.to_datetime(["2024-01-31", None, "2023-05-01", "2023-05-01"]),
    },
    "texts": {
        "text": ["a", "b", "b", None],
        "mixed": [True, "b", 3, 3],
        "category": pd.Categorical([1, 2, 2, None]),
        "gaps in booleans": [True, None, False, False],
    },
    "with one value only": {"constant": [7, 7, 7, 7], "missing": [None] * 4, "same": ["a"] * 4},
    "with a different text in every row": {"name": ["a", "b", "c", None]},
    "that count the rows": {"Unnamed: 0": [0, 1, 2, 3], "from 10": [10.0, 11, 12, 13]},
}


@pytest.mark.parametrize(
    ("name", "options"),
    [("t.csv.gz", {}), ("t.csv", {"sep": ";"}), ("t.tsv", {"sep": "\t"}), ("t.csv.xz", {})],
)
def test_kinds_of_text_files(tmp_path, name, options):
    table = pd.DataFrame({"width": [1.5, None, 3.0], "colour": ["red", "blue", None]})
    table.to_csv(tmp_path / name, index=False, **options)
    read = read_table(tmp_path / name)
    assert list(read) == list(table)
    np.testing.assert_allclose(read["width"], table["width"])


def test_columns_are_told_apart():
    frame = pd.DataFrame(
        {name: values for kind in COLUMNS.values() for name, values in kind.items()}
    )
    columns, useless = sort_columns(frame)
    assert columns | useless == {kind: list(names) for kind, names in COLUMNS.items()}


def test_tidy():
    frame = pd.DataFrame(
        {
            "n": ["1.5", "?", "inf"],
            "d": ["1970-01-03 12:00:00", None, "1971-02-01"],
            "t": ["a", None, 3],
        }
    )
    tidied = tidy(frame, numbers=["n"], dates=["d"], texts=["t"])
    expected = pd.DataFrame(
        {
            "n": [1.5, np.nan, np.nan],
            "d: days since 1970": [2.5, np.nan, 365 + 31],
            "d: day of year": [3, np.nan, 32],
            "d: weekday": [5, np.nan, 0],
            "d: hour": [12, np.nan, 0],
            "t": pd.Series(["a", "", "3"], dtype=object),
        }
    )
    pd.testing.assert_frame_equal(tidied, expected)
