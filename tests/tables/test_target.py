"""Labels of a table: classes as they are written, and rows enough of each."""

import datetime
import decimal

import numpy as np
import pandas as pd
import pytest
from sklearn.model_selection import StratifiedKFold, train_test_split

from skbn.tables.messages import InputError
from skbn.tables.target import check_classes, split_target


def split(cells, is_text, **options):
    """Labels and notes of a column, after a look at the features."""
    column = cells if isinstance(cells, pd.Series) else pd.Series(cells, **options)
    frame = pd.DataFrame({"row": np.arange(len(column)), "y": column})
    before = frame.copy(deep=True)
    features, labels, notes = split_target(frame, "y", is_text=is_text)
    pd.testing.assert_frame_equal(frame, before)
    assert features.columns.tolist() == ["row"]
    assert len(features) == len(labels)
    return features["row"].tolist(), labels, notes


def is_same(labels, expected):
    """Whether labels are those expected, and of the types."""
    return [(type(a), a) for a in labels.tolist()] == [(type(b), b) for b in expected]


@pytest.mark.parametrize(
    ("cells", "expected"),
    [
        (["b", "a", "b"], ["b", "a", "b"]),
        (["None", "NA", "nan", "null", "?"], ["None", "NA", "nan", "null", "?"]),
        ([" yes", "yes ", "y s"], ["yes", "yes", "y s"]),
        (["1", "-3", "0"], [1, -3, 0]),
        (["1.0", "2.0", "-1.00"], [1, 2, -1]),
        (["1", "1.0"], [1, 1]),
        ([" 1", "2 "], [1, 2]),
        (["007", "7"], ["007", "7"]),
        (["+1", "-1"], ["+1", "-1"]),
        (["-0", "1"], ["-0", "1"]),
        (["1e3", "2e3"], ["1e3", "2e3"]),
        (["1_000", "2"], ["1_000", "2"]),
        (["1²", "2²"], ["1²", "2²"]),
        (["<=50K", ">50K"], ["<=50K", ">50K"]),
        (["1,234", "2,345"], ["1,234", "2,345"]),
        (["$10", "$20"], ["$10", "$20"]),
        (["1 000", "2 000"], ["1 000", "2 000"]),
        (["10%", "20 %"], ["10%", "20 %"]),
        (["1.2.3", "1.2"], ["1.2.3", "1.2"]),
        (["1", "2", "NA"], ["1", "2", "NA"]),
        (["1", "x"], ["1", "x"]),
        (["True", "False"], [True, False]),
        (["TRUE", "FALSE", "true", "false"], [True, False, True, False]),
        (["True", "no"], ["True", "no"]),
        (["tRUE", "False"], ["tRUE", "False"]),
        (["2024-01-01", "2024-01-02"], ["2024-01-01", "2024-01-02"]),
        (["9223372036854775807", "-9223372036854775808"], [2**63 - 1, -(2**63)]),
        (["9223372036854775808", "1"], ["9223372036854775808", "1"]),
        (["9" * 50, "1.0"], ["9" * 50, "1"]),
        (["9" * 5000, "1"], ["9" * 5000, "1"]),
    ],
)
def test_labels_of_text(cells, expected):
    rows, labels, _ = split(cells, is_text=True)
    assert is_same(labels, expected)
    assert rows == list(range(len(cells)))
    # Empty cells have no label, and change nothing of the others.
    rows, labels, _ = split(["", *cells, "  ", "\t"], is_text=True)
    assert is_same(labels, expected)
    assert rows == list(range(1, len(cells) + 1))


DAY = datetime.date(2024, 5, 1)


@pytest.mark.parametrize(
    ("cells", "options", "expected"),
    [
        (["b", None, "a"], {}, ["b", None, "a"]),
        (["1", "NA", "", "True"], {}, ["1", "NA", None, "True"]),  # text stays text
        (["a", None, "b "], {"dtype": "category"}, ["a", None, "b"]),
        ([3, None, 1], {"dtype": "category"}, [3, None, 1]),
        ([1, 2], {"dtype": "uint8"}, [1, 2]),
        ([1.0, np.nan, 2.0], {}, [1, None, 2]),
        ([1.0, 2.0], {"dtype": "float32"}, [1, 2]),
        ([1, None], {"dtype": "Int64"}, [1, None]),
        ([2**62 + 1, None], {"dtype": "Int64"}, [2**62 + 1, None]),
        ([2**63, 1], {"dtype": "uint64"}, [str(2**63), "1"]),
        ([2**70, 1, None], {"dtype": object}, [str(2**70), "1", None]),
        ([5, 1], {"dtype": "uint64"}, [5, 1]),
        ([True, False], {}, [True, False]),
        ([True, None, False], {"dtype": object}, [True, None, False]),
        ([True, None, False], {"dtype": "boolean"}, [True, None, False]),
        ([decimal.Decimal("1.00"), None], {}, [1, None]),
        ([DAY, None], {}, ["2024-05-01", None]),
        ([pd.Timestamp(DAY), pd.NaT], {}, ["2024-05-01", None]),
        ([pd.Timestamp(2024, 5, 1, 12)], {}, ["2024-05-01 12:00:00"]),
        ([1, "a", 2.0, None, True], {"dtype": object}, ["1", "a", "2", None, "True"]),
        ([True, 1, 0, False, "x"], {"dtype": object}, ["True", "1", "0", "False", "x"]),
        ([10**400, 1, 10**400], {"dtype": object}, [str(10**400), "1", str(10**400)]),
        ([b"x", b"y"], {}, ["x", "y"]),
        (["a", pd.NA], {"dtype": "string"}, ["a", None]),
    ],
)
def test_labels_of_types(cells, options, expected):
    rows, labels, _ = split(cells, is_text=False, **options)
    assert is_same(labels, [label for label in expected if label is not None])
    assert rows == [k for k, label in enumerate(expected) if label is not None]


@pytest.mark.parametrize("dtype", ["int64[pyarrow]", "string[pyarrow]", "bool[pyarrow]"])
def test_labels_of_pyarrow(dtype):
    pytest.importorskip("pyarrow")
    cells = {"i": [3, 1], "s": ["b", "a"], "b": [True, False]}[dtype[0]]
    _, labels, _ = split([*cells, None], is_text=False, dtype=dtype)
    assert is_same(labels, cells)


@pytest.mark.parametrize(
    ("cells", "is_text"),
    [
        *((cells, True) for cells in (["1.5", "2"], ["1,5", "2"], ["12.5 %", "2 %"], ["$12.30"])),
        *((cells, True) for cells in (["1.234,5"], ["1,234.5"], ["(5.25)", "3"], ["12,5 €", "?"])),
        *((cells, True) for cells in (["1.5", "NA", "2.25"], ["1e-3", "2"], ["-.5", "1"])),
        *((cells, False) for cells in ([1.5, 2], [1.5, None])),
        ([decimal.Decimal("1.5")], False),
        (pd.Series([1.5, 2.5], dtype="category"), False),
    ],
)
def test_a_quantity_is_refused(cells, is_text):
    message = "column 'y' holds numbers with fractions, which is a quantity; a classifier needs"
    with pytest.raises(InputError, match=message):
        split(cells, is_text)


@pytest.mark.parametrize(
    "cells", [[np.inf, 1], [1, -np.inf, None], [10**400, decimal.Decimal("inf")]]
)
def test_infinite_labels_are_told(cells):
    with pytest.raises(InputError, match="column 'y' holds infinite numbers; a classifier needs"):
        split(cells, is_text=False, dtype=object)


@pytest.mark.parametrize(
    ("names", "is_text", "hint"),
    [
        (["a;b"], True, "a;b; it is the only one: name the separator by --separator"),
        (["Report"], False, "Report"),
        (
            ["Report", "Unnamed: 1"],
            False,
            "Report, Unnamed: 1; the first row must name the columns",
        ),
        (["Report", "Unnamed: 1"], True, "Report, Unnamed: 1; the first row must name the columns"),
        (["Unnamed: 0", "b"], True, "Unnamed: 0, b"),  # an index that was saved with the table
        (["a", "b"], True, "a, b"),
    ],
)
def test_hints_on_names(names, is_text, hint):
    with pytest.raises(InputError) as error:
        split_target(pd.DataFrame(columns=names), "y", is_text=is_text)
    assert str(error.value) == f"no column 'y'; the columns are: {hint}"


@pytest.mark.parametrize(
    ("cells", "is_text", "notes"),
    [
        (["a", "b"], True, []),
        (
            ["Yes", "yes ", "YES", "no"],
            True,
            ["column 'y' has classes that differ by case alone: 'Yes' and 'yes' and 'YES'"],
        ),
        (
            ["None", "None", "apnea"],
            True,
            ["column 'y' has these words as classes: 'None' (2); leave the cells empty if the"],
        ),
        (["18446744073709551616", "1"], True, ["column 'y' holds numbers beyond 64 bits, which"]),
        ([1, "a"], False, ["column 'y' holds cells of the type int, which were taken for text"]),
    ],
)
def test_what_may_not_be_meant_is_noted(cells, is_text, notes):
    found = split(cells, is_text)[2]
    assert [note.startswith(start) for note, start in zip(found, notes, strict=True)] == [
        True for _ in notes
    ]


@pytest.mark.parametrize(
    ("target", "closest"),
    [("Label", "label"), ("LABEL ", "label"), ("lable", "label"), ("widht", "Width"), ("zzz", "")],
)
def test_a_column_that_is_not_there_is_told_with_the_closest(target, closest):
    frame = pd.DataFrame({"Width": [1], "label": ["x"], "3": [2]})
    with pytest.raises(InputError) as error:
        split_target(frame, target)
    closest = closest and f" the closest is {closest!r};"
    assert str(error.value) == f"no column {target!r};{closest} the columns are: Width, label, 3"


@pytest.mark.parametrize("cells", [[2.0**53 + 2, 1], [1e300, 1.0]])
def test_whole_numbers_that_are_not_exact_are_refused(cells):
    with pytest.raises(InputError, match=r"'y' holds numbers of floating point beyond 2\*\*53"):
        split(cells, is_text=False)
    assert is_same(split([2.0**53, 1], is_text=False)[1], [2**53, 1])


def test_a_table_of_one_column_may_have_another_separator():
    with pytest.raises(InputError, match="the columns are: a b; it is the only one: name the sep"):
        split_target(pd.DataFrame({"a b": ["1 x"]}), "b")


def test_cells_that_are_lists_are_refused():
    with pytest.raises(InputError, match="column 'y' holds cells that are no labels"):
        split([[1], [2]], is_text=False)


# How many rows classes need.


def labels_of(**counts):
    return np.repeat(list(counts), list(counts.values())).astype(object)


@pytest.mark.parametrize(
    ("labels", "folds", "test_size", "message"),
    [
        (labels_of(a=9), 3, 0.25, "column 'y' holds only 'a'; two classes are the least"),
        (np.empty(0, object), 3, 0.25, "column 'y' holds no label; two classes are the least"),
        (
            labels_of(x=3, y=77),
            3,
            0.25,
            "3 folds and the rows held out need 4 rows of each class, one for each fold and one "
            "held out; column 'y' has fewer of: 'x' (3); lower --folds to 2, or remove these rows",
        ),
        (
            labels_of(x=2, y=77, z=1),
            2,
            0.25,
            "2 folds and the rows held out need 3 rows of each class, one for each fold and one "
            "held out; column 'y' has fewer of: 'x' (2), 'z' (1); collect more rows of these "
            "classes, or remove these rows",
        ),
        (labels_of(a=1, b=1), 3, 0.25, "3 folds and the rows held out need 6 rows of each class"),
        (labels_of(x=40, y=40), 40, 0.25, "40 folds and the rows held out need 54 rows of each"),
        (labels_of(x=40, y=40), 3, 0.01, "1 row held out for 2 classes; raise --test-size"),
    ],
)
def test_too_few_rows_are_told(labels, folds, test_size, message):
    with pytest.raises(InputError) as error:
        check_classes(labels, "y", folds, test_size)
    assert str(error.value).startswith(message)
    assert "quantity" not in str(error.value)


def test_too_few_rows_of_what_may_not_be_meant_as_a_class():
    with pytest.raises(
        InputError, match=r"remove these rows\. The column has classes that differ by case al"
    ):
        check_classes(labels_of(Yes=9, yes=1, no=9), "y", 2, 0.25)
    with pytest.raises(
        InputError, match=r"rows\. The column has these words as classes: 'NA' \(1\); leave"
    ):
        check_classes(labels_of(yes=9, NA=1, no=9), "y", 2, 0.25)


def test_labels_of_which_each_row_has_its_own_are_doubted():
    for labels in (np.arange(80), np.append(np.arange(60), [1] * 20).astype(str).astype(object)):
        with pytest.raises(InputError, match=r"rows: is 'y' an identifier or a quantity, not a cl"):
            check_classes(labels, "y", 3, 0.25)


def test_many_classes_with_rows_enough_are_fine():
    check_classes(np.tile(np.arange(3000), 5).astype(str).astype(object), "y", 3, 0.25)
    check_classes(np.tile([True, False], 10), "y", 2, 0.25)


@pytest.mark.parametrize("test_size", [0.1, 0.25, 0.5, 0.8])
@pytest.mark.parametrize("folds", [2, 3, 7])
def test_what_passes_can_be_split(folds, test_size):
    """Each fold has rows of every class to train on and to judge on, whatever the counts."""
    stream = np.random.default_rng(0)
    for seed in range(40):
        labels = np.repeat(np.arange(4), stream.integers(1, 60, 4))
        try:
            check_classes(labels, "y", folds, test_size)
        except InputError:
            continue
        kept, _ = train_test_split(labels, test_size=test_size, stratify=labels, random_state=seed)
        assert np.bincount(kept, minlength=4).min() >= folds
        for train, test in StratifiedKFold(folds).split(kept, kept):
            assert len(set(kept[train])) == len(set(kept[test])) == 4
    check_classes(np.repeat(np.arange(4), 50), "y", folds, test_size)


def test_the_advice_on_folds_is_right():
    stream = np.random.default_rng(0)
    for _ in range(100):
        labels = np.repeat(np.arange(3), stream.integers(3, 20, 3))
        folds, test_size = int(stream.integers(3, 12)), float(stream.choice([0.35, 0.5, 0.6]))
        try:
            check_classes(labels, "y", folds, test_size)
        except InputError as error:
            _, told, advice = str(error).partition("lower --folds to ")
            if told:
                check_classes(labels, "y", int(advice.split(",")[0]), test_size)
