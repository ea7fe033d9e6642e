"""Labels and classes as arrays, and the places of what is missing or infinite."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from skbn import checks
from skbn.checks import check_labels, check_rows, check_weights, find_classes, positions_among

LARGE = 2**64 - 1


# Labels.


@pytest.mark.parametrize(
    ("labels", "dtype"),
    [
        ([1, LARGE], "uint64"),
        ([LARGE - 1, LARGE], "uint64"),
        ((2**63, 0), "uint64"),
        ([-1, 2**63], "object"),
        ([1, 2**70], "object"),
        ([1.0, 2**63], "float64"),
        ([1, 2**62], "int64"),
        (pd.Series([1, LARGE], dtype="uint64"), "uint64"),
        (pd.array([1, LARGE], dtype="UInt64"), "uint64"),
    ],
    ids=repr,
)
def test_whole_numbers_keep_all_their_digits(labels, dtype):
    array = check_labels(labels)
    assert array.dtype == dtype
    assert array.tolist() == list(labels)


def test_no_labels_are_left_to_scikit_learn(quick):
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        quick().fit(np.eye(3), [])


@pytest.mark.parametrize("labels", [[-1, 2**63], [1, 2**70], [-(2**70), 0]])
def test_whole_numbers_of_more_than_64_bits_are_to_become_text(labels):
    with pytest.raises(ValueError, match=r"type int.*64 bits.*\[str\(label\) for label in y\]"):
        find_classes(check_labels(labels))
    assert len(find_classes(check_labels([str(label) for label in labels]))) == 2


@pytest.mark.parametrize(
    ("labels", "advice"),
    [
        ([1, 2], "int64"),
        ([True, False], "bool"),
        ([1.0, 2.0], "float64"),
        ([1, LARGE], "uint64"),
        ([True, 2], "int64"),
    ],
)
def test_numbers_among_objects_are_to_become_an_array_of_numbers(labels, advice):
    y = np.array(labels, dtype=object)
    with pytest.raises(ValueError, match=rf"y\.astype\('{advice}'\)"):
        find_classes(check_labels(y))
    assert find_classes(check_labels(y.astype(advice))).tolist() == sorted(labels)


@pytest.mark.parametrize(
    "labels", [[[1, 2], [3, 4]], [(1, 2), (3, 4)], [{1}, {2}], [object(), object()]]
)
def test_labels_that_are_nothing_of_the_kind(labels):
    y = np.empty(2, dtype=object)
    y[:] = labels
    with pytest.raises(ValueError, match=rf"type {type(labels[0]).__name__}.*must be text"):
        find_classes(check_labels(y))


@pytest.mark.parametrize(
    ("labels", "row"),
    [
        (pd.Series(pd.to_timedelta([1, None], "D")), 1),
        (np.array([1, "NaT"], "timedelta64[D]"), 1),
        (np.ma.array([0, 1, 1], mask=[0, 0, 1]), 2),
        ([np.ma.masked, 1.0], 0),
        (pd.Series(pd.arrays.SparseArray([0.0, 1.0, np.nan])), 2),
        (np.float64("nan"), 0),
    ],
    ids=repr,
)
@pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan")
def test_the_row_of_a_missing_label(labels, row):
    with pytest.raises(ValueError, match=rf"labels contains NaN: 1 of .*the first in row {row}"):
        check_labels(labels, "labels")


@pytest.mark.parametrize("kind", [list, np.array, pd.Series])
def test_infinity_is_no_label(kind):
    with pytest.raises(ValueError, match="Input y_val contains infinity in row 1"):
        check_labels(kind([0.0, np.inf, 1.0]), "y_val")


@pytest.mark.parametrize("y", [None, sparse.eye(2, format="csr"), np.eye(2).view(np.matrix)])
def test_what_scikit_learn_has_an_error_for_is_left_to_it(y):
    assert check_labels(y) is y


# Positions among classes.


@pytest.mark.parametrize(
    ("classes", "labels", "positions"),
    [
        ([0, 1], [1, 0, 2], [1, 0, -1]),
        ([0, 1], [1.0, 0.5], [1, -1]),
        ([0, 1], [True, False], [1, 0]),
        ([0, 1], ["0", "1"], [-1, -1]),
        (["0", "1"], [0, 1], [-1, -1]),
        (["a", "b"], np.array(["b", "zzz", 1], dtype=object), [1, -1, -1]),
        (np.array(["a", "b"], dtype=object), ["b", "c"], [1, -1]),
        (np.array(["2020", "2021"], "M8[Y]"), np.array(["2021-01-01"], "M8[s]"), [1]),
        (np.array(["2020", "2021"], "M8[Y]"), [50, 51], [-1, -1]),
        (np.array([2**62, 2**62 + 1, LARGE], np.uint64), [2**62 + 1, -1], [1, -1]),
        ([0, 1], np.array([[1], {}, 0], dtype=object), [-1, -1, 0]),
    ],
    ids=repr,
)
def test_positions_of_labels_of_another_dtype(classes, labels, positions):
    assert positions_among(np.asarray(classes), np.asarray(labels)).tolist() == positions


# Classes of partial_fit.


@pytest.mark.parametrize(
    ("classes", "message"),
    [
        ([0.5, 1.5], "Unknown label type"),
        ([0, 1, None], "classes contains NaN"),
        ([0, np.inf], "classes contains infinity"),
        (np.array([0, 1], dtype=object), r"classes\.astype\('int64'\)"),
        (
            pd.period_range("2020", periods=2, freq="M"),
            "type: classes holds labels of the type Period",
        ),
        (["a", 2, 3.5, b"x", None], "classes contains NaN"),
        ([1], "classes holds one class only"),
        ([], "classes holds no class"),
    ],
    ids=repr,
)
def test_classes_that_are_none(quick, classes, message):
    with pytest.raises(ValueError, match=message):
        quick().partial_fit(np.eye(4), [0, 1, 0, 1], classes=classes)


def test_no_labels_for_some_rows(quick):
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[4, 0\]"):
        quick().fit(np.eye(4), [])


def test_many_classes_are_announced_without_a_warning(quick):
    names = np.array([f"{k}" for k in range(40)], dtype=object)
    for classes in (np.arange(40), names, names.astype(str)):
        quick().partial_fit(np.eye(4), classes[:4], classes=classes)


# Cells and weights.


@pytest.mark.parametrize("kind", [np.array, sparse.csr_matrix, sparse.csc_array])
@pytest.mark.parametrize(("value", "word"), [(np.nan, "missing"), (np.inf, "infinity")])
def test_the_place_of_a_cell_that_is_not_finite(iris, quick, kind, value, word):
    X, y = np.array(iris[0]), iris[1]
    model = quick().fit(kind(X), y)
    X[2], X[140, 3] = 0, value
    for call in (quick().fit, model.partial_fit):
        with pytest.raises(ValueError, match=rf"X.*{word}.*in column 3, row 140\)"):
            call(kind(X), y)
    with pytest.raises(ValueError, match=r"in column 3, row 140\)"):
        model.predict(kind(X))


def test_the_place_is_beyond_the_first_block_of_rows(quick):
    X = np.zeros((100_000, 3), dtype=np.float32)
    X[98_765, 1] = np.nan
    frame = pd.DataFrame(X, columns=list("abc"))
    with pytest.raises(ValueError, match=r"in column 'b', row 98765\)"):
        quick().fit(frame, np.arange(len(X)) % 2)


def test_a_frame_of_sparse_booleans(iris, quick):
    X, y = iris[0] > 0, iris[1]
    frame = pd.DataFrame({k: pd.arrays.SparseArray(column) for k, column in enumerate(X.T)})
    model = quick().fit(X, y)
    np.testing.assert_array_equal(
        quick().fit(frame, y).predict_proba(frame), model.predict_proba(sparse.csr_matrix(X * 1.0))
    )


ROWS = np.ones((5, 4))


@pytest.mark.parametrize(
    ("rows", "is_looked_at"),
    [
        pytest.param(ROWS, False, id="as in training"),
        pytest.param(ROWS.astype(np.float32), False, id="float32"),
        pytest.param(ROWS[1:3], False, id="some rows"),
        pytest.param(ROWS.astype(int), True, id="integers"),
        pytest.param(ROWS.astype(">f8"), True, id="other bytes"),
        pytest.param(np.asfortranarray(ROWS), True, id="other order"),
        pytest.param(np.ma.array(ROWS), True, id="masked"),
        pytest.param(sparse.csr_array(ROWS), True, id="sparse"),
        pytest.param(pd.DataFrame(ROWS, columns=list("abcd")), True, id="frame"),
        pytest.param(ROWS.tolist(), True, id="list"),
        pytest.param(ROWS[0], True, id="one row"),
        pytest.param(ROWS[:0], True, id="no rows"),
        pytest.param(ROWS[:, :3], True, id="another width"),
    ],
)
@pytest.mark.filterwarnings("ignore:X has feature names")
def test_arrays_as_in_training_are_taken_as_they_are(quick, monkeypatch, rows, is_looked_at):
    model, calls = quick().fit(ROWS, [0, 1, 0, 1, 0]), []
    validate = checks.validate_numbers
    monkeypatch.setattr(
        checks, "validate_numbers", lambda *a, **k: calls.append(a) or validate(*a, **k)
    )
    try:
        checked = check_rows(model, rows, dtype=[np.float64, np.float32], reset=False)
        assert type(checked) in (np.ndarray, sparse.csr_array)
        assert (checked is rows) or is_looked_at
    except ValueError:
        assert np.shape(rows) in [(4,), (0, 4), (5, 3)]
    assert bool(calls) == is_looked_at


def test_an_array_for_a_model_of_a_frame_is_told_of(quick):
    model = quick().fit(pd.DataFrame(ROWS, columns=list("abcd")), [0, 1, 0, 1, 0])
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        model.predict(ROWS)


def test_the_row_of_a_weight_that_is_none():
    for weight, word in ((np.nan, "NaN, a missing value,"), (np.inf, "infinity")):
        with pytest.raises(ValueError, match=f"weight contains {word} in row 1. A weight must be"):
            check_weights([1.0, weight], 2, "weight")
