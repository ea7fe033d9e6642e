"""What is understood of a table, and which columns are left out."""

import numpy as np
import pandas as pd
import pytest

from skbn.tables.messages import InputError
from skbn.tables.training_table import training_table

N_ROWS = 12
LETTERS = list("abcdefghijkl")

COLUMNS = {  # cells by the reason for which they are left out; None if they are kept
    "constant": ([7] * N_ROWS, "with one value only"),
    "constant text": (["a "] * 6 + ["a"] * 6, "with one value only"),
    "constant with gaps": (["7", ""] * 6, None),
    "empty": ([None] * N_ROWS, "without a value"),
    "words for missing": (["NA", "?"] * 6, "without a value"),
    "all huge": (["1e300", "-1e300"] * 6, "without a value"),
    "keys": (LETTERS, "with a different text in every row"),
    "keys with gaps": ([None, *LETTERS[1:]], "with a different text in every row"),
    "sentences": ([f"the {letter} came in" for letter in LETTERS], None),
    "counts": (list(range(N_ROWS)), "that count the rows"),
    "counts from five": ([str(i) for i in range(5, 5 + N_ROWS)], "that count the rows"),
    "rising": (np.arange(N_ROWS) ** 2, "that count the rows"),
    "rising fractions": (np.arange(N_ROWS) ** 2 + 0.5, None),
    "falling": (list(range(N_ROWS, 0, -1)), None),
    "rising with a gap": ([*range(N_ROWS - 1), None], None),
    "Unnamed: 0": ([3, 1, 2, *range(4, 13)], "that count the rows"),
    "Unnamed: 1": (
        [f"Mazda RX {letter}" for letter in LETTERS],
        "with a different text in every row",
    ),
    "Unnamed: 2": (
        ["Mazda RX4", *(f"Fiat {letter}" for letter in LETTERS[:10]), "Mazda RX4"],
        None,
    ),
    "Unnamed: 3": ([3, 1, 1, *range(4, 13)], None),
    "different numbers": ([3, 1, 2, *range(4, 13)], None),
    "dates": (pd.date_range("2024-01-01", periods=N_ROWS), None),
    "few": (["x", "y"] * 6, None),
}


@pytest.mark.parametrize("name", COLUMNS)
def test_what_is_left_out(name):
    cells, reason = COLUMNS[name]
    features = pd.DataFrame({"use": np.tile([1.5, 2.5, 1.5], 4), name: cells})
    table = training_table(features, np.arange(N_ROWS) % 2)
    assert table.left_out == ({reason: [name]} if reason else {})
    assert list(table.features) == list(table.forms) == ["use"] + [name] * (not reason)
    assert list(table.details) == ["use", name]
    assert (table.details[name] == "left out") == bool(reason)


def test_few_rising_numbers_are_chance():
    frame = pd.DataFrame({"a": [1, 5, 9], "b": [4, 5, 6]})
    assert training_table(frame, np.arange(3) % 2).left_out == {"that count the rows": ["b"]}


def test_details_and_remarks():
    frame = pd.DataFrame(
        {
            "price": ["1,5", "", "2,25", "?"] * 3,
            "day": ["31/01/2024", "01/02/2023", "", "03/04/2024"] * 3,
            "colour": ["red", "blue", None, "red"] * 3,
            "size": ["1", "2", "unknown", "4"] * 3,
        }
    )
    table = training_table(frame, np.arange(N_ROWS) % 2)
    assert table.kinds == "2 number, 1 date, 1 text"
    assert table.details == {
        "price": "number  1.5 to 2.25; 6 missing",
        "day": "date    2023-02-01 to 2024-04-03; 3 missing",
        "colour": "text    2 values: red, blue; 3 missing",
        "size": "number  1 to 4; 3 missing",
    }
    assert table.remarks == [
        "Column 'size': 3 cells are no numbers and count as missing: 'unknown'"
    ]


def test_nothing_to_learn_from():
    frame = pd.DataFrame({"a": ["x"] * 4, "b": [np.inf] * 4})
    message = r"no columns .*left out: .*one value only: a; .* without a value: b; Column 'b': 4 c"
    with pytest.raises(InputError, match=message):
        training_table(frame, [0, 1, 0, 1])
