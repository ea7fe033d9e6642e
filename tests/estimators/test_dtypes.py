"""Cells of all dtypes, in all containers, as X, X_val, y and sample_weight: taken or refused."""

import datetime
import enum
import warnings
from decimal import Decimal
from fractions import Fraction
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

from skbn import BNSoftmaxClassifier

pytestmark = [
    pytest.mark.slow,
    # Of scikit-learn and of NumPy:
    pytest.mark.filterwarnings("ignore:pandas.DataFrame with sparse columns found"),
    pytest.mark.filterwarnings("ignore:Warning. converting a masked element to nan"),
]
N = 12
CODES = np.arange(N) // 2 % 2
OTHER = np.arange(N) % 3 + 0.5
COLUMN = OTHER[:, np.newaxis]
DAY, TIMESTAMP = datetime.date(2020, 1, 1), pd.Timestamp("2020-01-01")
LATER = pd.Timestamp("2021-01-01")
BERLIN = "Europe/Berlin"


class Colour(enum.Enum):
    RED = 1
    BLUE = 2


class Level(enum.IntEnum):
    LOW = 1
    HIGH = 2


def cycle(*cells):
    return [cells[k % len(cells)] for k in range(N)]


def first(cell, *others):
    """One cell, and others after it."""
    return [cell, *cycle(*others)[1:]]


def objects(cells):
    array = np.empty(N, dtype=object)
    array[:] = cells
    return array


def of_pandas(cells, dtype):
    return lambda: pd.array(cells, dtype=dtype)


def of_arrow(cells, kind, *arguments):
    def make():
        pyarrow = pytest.importorskip("pyarrow")
        dtype = pd.ArrowDtype(getattr(pyarrow, kind)(*arguments))
        return pd.array(cells, dtype=dtype)

    return make


def of_numpy_text(cells, **options):
    def make():
        if not hasattr(np.dtypes, "StringDType"):
            pytest.skip("NumPy has no StringDType yet")
        return np.array(cells, dtype=np.dtypes.StringDType(**options))

    return make


def numbers(dtype):
    return lambda: np.array(cycle(1, 2), dtype=dtype)


def masked(*hidden):
    return np.ma.array(cycle(1.0, 2.0), mask=np.isin(np.arange(N), hidden))


DATES = cycle(TIMESTAMP, LATER)
DAYS = cycle(pd.Timedelta(1, "D"), pd.Timedelta(2, "D"))
LISTS = objects([[1, 2]] * N)
BYTES = (TypeError, "bytes")
DICT = (TypeError, "type dict")
COLOUR = (TypeError, "type Colour")
OK = "taken"
TABLE = {
    # cells: (what makes them; as X, as y, as y in a list, as weights: taken, or a word of the
    # error; None where releases of scikit-learn or pandas differ)
    "float16": (numbers("float16"), OK, OK, OK, OK),
    "float32": (numbers("float32"), OK, OK, OK, OK),
    "longdouble": (numbers("longdouble"), OK, OK, OK, OK),
    "big-endian": (numbers(">f8"), OK, OK, OK, OK),
    "int8": (numbers("int8"), OK, OK, OK, OK),
    "uint64": (lambda: np.array(cycle(1, 2**64 - 1), "uint64"), None, OK, OK, OK),
    "bool": (lambda: CODES > 0, OK, OK, OK, OK),
    "complex": (numbers("complex128"), "complex", "complex", "complex", "complex"),
    "NaN": (lambda: np.array(first(np.nan, 1.0, 2.0)), *["missing"] * 4),
    "infinity": (lambda: np.array(first(np.inf, 1.0, 2.0)), *["infinity"] * 4),
    "too large for float32": (lambda: np.array(first(1e39, 1, 2)), None, *["label"] * 2, None),
    "too large for float64": (
        lambda: np.array(first(np.longdouble("1e4000"), 1, 2)),
        *("large", None, None, "infinity"),
    ),
    "masked array": (lambda: masked(0, 5), *["missing"] * 4),
    "masked array that hides nothing": (masked, OK, OK, OK, OK),
    "records": (
        lambda: np.array(cycle((1.0,), (2.0,)), dtype=[("a", "f8")]),
        *(None, "tuple", "tuple", "records"),
    ),
    "datetime64": (lambda: np.array(cycle("2020", "2021"), "M8[D]"), "dates", OK, OK, "dates"),
    "NaT": (
        lambda: np.array(first("NaT", "2020", "2021"), "M8[D]"),
        *("dates", "missing", "missing", "dates"),
    ),
    "timedelta64": (lambda: np.array(cycle(1, 2), "m8[D]"), "durations", OK, OK, "durations"),
    "NaT among timedeltas": (
        lambda: np.array(first("NaT", 1, 2), "m8[D]"),
        *("durations", "missing", "missing", "durations"),
    ),
    "text": (lambda: np.array(cycle("a", "b")), "text", OK, OK, "float: 'a'"),
    "text of numbers": (lambda: np.array(cycle("1", "2")), OK, OK, OK, OK),
    "text of NumPy": (of_numpy_text(cycle("a", "b")), "text", OK, OK, "text"),
    "missing text of NumPy": (
        of_numpy_text(first(None, "a", "b"), na_object=None),
        *("text", "missing", "missing", "text"),
    ),
    "bytes": (lambda: np.array(cycle(b"a", b"b")), "text", None, None, "text"),
    # Objects.
    "objects: int": (lambda: objects(cycle(1, 2)), OK, "astype.*int64", OK, OK),
    "objects: float": (lambda: objects(cycle(1.0, 2.0)), OK, "astype.*float64", OK, OK),
    "objects: bool": (lambda: objects(cycle(True, False)), OK, "astype.*bool", OK, OK),
    "objects: int of 70 bits": (
        lambda: objects(cycle(2**70, 2**71)),
        *(None, "64 bits.*str", "64 bits.*str", OK),
    ),
    "objects: int without end": (
        lambda: objects(first(10**400, 1, 2)),
        *("too large", "astype|str", "str", "too large"),
    ),
    "objects: Decimal": (lambda: objects(cycle(Decimal(1), Decimal(2))), OK, "str", "str", OK),
    "objects: Fraction": (lambda: objects(cycle(Fraction(1), Fraction(2))), OK, "str", "str", OK),
    "objects: complex": (lambda: objects(cycle(1j, 2j)), *["complex"] * 4),
    "objects: pd.NA": (lambda: objects(first(pd.NA, 1.0, 2.0)), *["missing"] * 4),
    "objects: None": (lambda: objects(first(None, 1.0, 2.0)), *["missing"] * 4),
    "objects: NaT": (lambda: objects(first(pd.NaT, 1.0, 2.0)), *["missing"] * 4),
    "objects: NaN": (lambda: objects(first(np.nan, 1.0, 2.0)), *["missing"] * 4),
    "objects: text": (lambda: objects(cycle("a", "b")), "text", OK, OK, "text"),
    "objects: text and pd.NA": (
        lambda: objects(first(pd.NA, "a")),
        *("text", "missing", "missing", "text"),
    ),
    "objects: text and None": (
        lambda: objects(first(None, "a")),
        *("text", "missing", "missing", "text"),
    ),
    "objects: text and int": (lambda: objects(cycle("a", 1)), "text", "int, str", OK, "text"),
    "objects: bytes": (lambda: objects(cycle(b"a", b"b")), "text", BYTES, None, "text"),
    "objects: date": (
        lambda: objects(cycle(DAY, DAY.replace(year=2021))),
        *("dates", "date", "date", "dates"),
    ),
    "objects: Timestamp": (lambda: objects(DATES), "dates", "Timestamp", "Timestamp", "dates"),
    "objects: one Timestamp": (
        lambda: objects([*cycle(1.0, 2.0)[1:], TIMESTAMP]),
        *("dates", "Timestamp", "Timestamp", "dates"),
    ),
    "objects: datetime64": (
        lambda: objects(cycle(np.datetime64("2020"), np.datetime64("2021"))),
        *(None, "datetime64", OK, "dates"),
    ),
    "objects: Timedelta": (
        lambda: objects(DAYS),
        *("durations", "Timedelta", "Timedelta", "durations"),
    ),
    "objects: Enum": (lambda: objects(cycle(*Colour)), COLOUR, "Colour", "Colour", COLOUR),
    "objects: IntEnum": (lambda: objects(cycle(*Level)), OK, "astype.*int64", OK, OK),
    "objects: list": (lambda: LISTS, "type list|lengths", "list", "1d array", "type list|1D"),
    "objects: dict": (lambda: objects([{1: 2}] * N), DICT, "dict", "dict", DICT),
    # Types of pandas.
    "Int64": (of_pandas(cycle(1, 2), "Int64"), OK, OK, OK, OK),
    "Int64 with pd.NA": (of_pandas(first(pd.NA, 1, 2), "Int64"), *["missing"] * 4),
    "Float64": (of_pandas(cycle(1.0, 2.0), "Float64"), OK, OK, OK, OK),
    "Float64 with pd.NA": (of_pandas(first(pd.NA, 1.0, 2.0), "Float64"), *["missing"] * 4),
    "boolean": (of_pandas(cycle(True, False), "boolean"), OK, OK, OK, OK),
    "boolean with pd.NA": (of_pandas(first(pd.NA, True, False), "boolean"), *["missing"] * 4),
    "string": (of_pandas(cycle("a", "b"), "string[python]"), "text", OK, OK, "text"),
    "string of numbers": (of_pandas(cycle("1", "2"), "string[python]"), OK, OK, OK, OK),
    "string with pd.NA": (
        of_pandas(first(pd.NA, "a", "b"), "string[python]"),
        *("text", "missing", "missing", "text"),
    ),
    "string of numbers with pd.NA": (
        of_pandas(first(pd.NA, "1", "2"), "string[python]"),
        *["missing"] * 4,
    ),
    "default string": (lambda: pd.Series(cycle("a", "b")).array, "text", OK, OK, "text"),
    "default string, one missing": (
        lambda: pd.Series(first(None, "a", "b")).array,
        *("text", "missing", "missing", "text"),
    ),
    "dates": (lambda: pd.DatetimeIndex(DATES), "dates", OK, "Timestamp", "dates"),
    "dates with a time zone": (
        lambda: pd.DatetimeIndex(DATES).tz_localize(BERLIN),
        *("dates", "Timestamp", "Timestamp", "dates"),
    ),
    "durations": (lambda: pd.TimedeltaIndex(DAYS), "durations", OK, "Timedelta", "durations"),
    "durations, one missing": (
        lambda: pd.TimedeltaIndex([pd.NaT, *DAYS[1:]]),
        *("durations", "missing", "missing", "durations"),
    ),
    "period": (
        lambda: pd.PeriodIndex(cycle("2020", "2021"), freq="M"),
        *("dates", "Period", "Period", "dates"),
    ),
    "interval": (
        lambda: pd.IntervalIndex.from_tuples(cycle((0, 1), (1, 2))),
        *("intervals", "Interval", "Interval", "intervals"),
    ),
    "category of int": (lambda: pd.Categorical(cycle(1, 2)), OK, OK, OK, OK),
    "category of bool": (lambda: pd.Categorical(cycle(True, False)), OK, OK, OK, OK),
    "category of text": (lambda: pd.Categorical(cycle("a", "b")), "text", OK, OK, "text"),
    "ordered category": (
        lambda: pd.Categorical(cycle("lo", "hi"), ["lo", "mid", "hi"], ordered=True),
        *("text", OK, OK, "text"),
    ),
    "category, one missing": (lambda: pd.Categorical(first(None, 1.0, 2.0)), *["missing"] * 4),
    "category of dates": (lambda: pd.Categorical(DATES), "dates", OK, "Timestamp", "dates"),
    "category of intervals": (
        lambda: pd.cut(np.arange(N) % 4, 2),
        *("intervals", "Interval", "Interval", "intervals"),
    ),
    "sparse int": (lambda: pd.arrays.SparseArray(cycle(0, 1)), OK, OK, OK, OK),
    "sparse float": (lambda: pd.arrays.SparseArray(cycle(0.0, 1.0), fill_value=0), OK, OK, OK, OK),
    "sparse bool": (lambda: pd.arrays.SparseArray(cycle(False, True)), OK, OK, OK, OK),
    "sparse, one missing": (
        lambda: pd.arrays.SparseArray(first(np.nan, 0.0, 1.0), fill_value=0),
        *["missing"] * 4,
    ),
    "Arrow int": (of_arrow(cycle(1, 2), "int64"), OK, OK, OK, OK),
    "Arrow int, one missing": (of_arrow(first(None, 1, 2), "int64"), *["missing"] * 4),
    "Arrow float": (of_arrow(cycle(1.0, 2.0), "float64"), OK, OK, OK, OK),
    "Arrow bool": (of_arrow(cycle(True, False), "bool_"), OK, OK, OK, OK),
    "Arrow text": (of_arrow(cycle("a", "b"), "string"), "text", OK, OK, "text"),
    "Arrow date": (
        of_arrow(cycle(DAY, DAY.replace(year=2021)), "date32"),
        *("dates", "date", "date", "dates"),
    ),
    "Arrow timestamp": (of_arrow(DATES, "timestamp", "ns"), "dates", None, "Timestamp", "dates"),
    "Arrow decimal": (
        of_arrow(cycle(Decimal(1), Decimal(2)), "decimal128", 5),
        *(OK, "str", "str", OK),
    ),
}
CONTAINERS = {
    "array": lambda cells: cells,
    "Series": lambda cells: pd.Series(cells, dtype="object" if cells.dtype == object else None),
    "list": list,
}
TABLES = {
    "array": lambda cells: unmade(cells)[:, np.newaxis],
    "frame": lambda cells: pd.DataFrame({"x": OTHER, "c": CONTAINERS["Series"](cells)}),
    "frame of one column": lambda cells: pd.DataFrame({"c": CONTAINERS["Series"](cells)}),
    "list": lambda cells: [[x, cell] for x, cell in zip(OTHER.tolist(), cells, strict=True)],
}
UNLIKE_SCIKIT_LEARN = {  # which takes these, by accident: the values behind dates and masks
    *("masked array", "datetime64", "NaT", "timedelta64", "NaT among timedeltas", "dates"),
    *("dates with a time zone", "durations", "durations, one missing", "category of dates"),
    *("objects: datetime64", "Arrow timestamp", "records", "too large for float32"),
}


def unmade(cells):
    """An array of NumPy, whose mask is kept."""
    return cells if isinstance(cells, np.ndarray) else np.asarray(cells)


def made(name, container, forms=CONTAINERS):
    make = TABLE[name][0]
    try:
        return forms[container](make())
    except (TypeError, ValueError, OverflowError, NotImplementedError) as error:
        pytest.skip(f"pandas does not make it: {error}")


def cases(column, forms):
    """Rows of the table with what becomes of them in each container."""
    found = []
    for name, row in TABLE.items():
        for container in forms:
            where = column + 1 if column == 2 and container == "list" else column
            if row[where] is not None:
                found.append(pytest.param(name, container, row[where], id=f"{name}-{container}"))
    return found


def quick(**options):
    return BNSoftmaxClassifier((), max_iter=1, random_state=0, **options)


@cache
def fitted(container):
    """A model of plain numbers, which the calls that are refused leave as it is."""
    return quick().fit(*plain(container))


@cache
def plain(container):
    return TABLES[container](np.array(cycle(1.0, 2.0))), CODES


@cache
def reference(numbers, container):
    """Probabilities and validation loss of a model of an array of float64."""
    X = np.asarray(TABLES[container](np.array(numbers)))
    model = quick().fit(X, CODES, X_val=X, y_val=CODES)
    return quick().fit(X, CODES).predict_proba(X), model.history_["validation_loss"]


@cache
def of_codes(codes, weights=None):
    return quick().fit(COLUMN, codes, weights)


def check_refusal(expected, model, method, *arguments, **options):
    """Assert the type and the word of an error, and that the estimator is as it was."""
    kind, word = expected if isinstance(expected, tuple) else (ValueError, expected)
    before = dict(vars(model))
    with pytest.raises(kind, match=word):
        getattr(model, method)(*arguments, **options)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())


@pytest.mark.parametrize(("name", "container", "expected"), cases(1, TABLES))
def test_cells_of_a_table(name, container, expected):
    X = made(name, container, TABLES)
    if expected != OK:
        model = fitted(container)
        check_refusal(expected, model, "fit", X, CODES)
        check_refusal(expected, model, "partial_fit", X, CODES)
        check_refusal(expected, model, "predict_proba", X)
        check_refusal(expected, model, "fit", *plain(container), X_val=X, y_val=CODES)
        return
    numbers = tuple(float(cell) for cell in TABLE[name][0]())
    probabilities, validation_loss = reference(numbers, container)
    model = quick().fit(X, CODES, X_val=X, y_val=CODES)
    assert model.history_["validation_loss"] == validation_loss
    model = quick().fit(X, CODES)
    plain_X = TABLES[container](np.array(numbers))
    np.testing.assert_array_equal(model.predict_proba(plain_X), probabilities)
    np.testing.assert_allclose(model.predict_proba(X), probabilities, rtol=1e-6)


@pytest.mark.parametrize(("name", "container", "expected"), cases(2, CONTAINERS))
def test_cells_as_labels(name, container, expected):
    y = made(name, container)
    if expected != OK:
        model = fitted("array")
        check_refusal(expected, model, "fit", COLUMN, y)
        check_refusal(expected, quick(), "partial_fit", COLUMN, y, classes=y)
        texts = np.array(["p", "q"])[CODES]
        check_refusal("y_val|1d", model, "fit", COLUMN, texts, X_val=COLUMN, y_val=y)
        return
    codes = np.unique(np.asarray(y), return_inverse=True)[1]
    model, expected = quick().fit(COLUMN, y), of_codes(tuple(codes.tolist()))
    np.testing.assert_array_equal(model.predict_proba(COLUMN), expected.predict_proba(COLUMN))
    predicted = model.predict(COLUMN)
    assert predicted.dtype == model.classes_.dtype
    np.testing.assert_array_equal(predicted, model.classes_[expected.predict(COLUMN)])
    part = quick().partial_fit(COLUMN, y, classes=y)
    np.testing.assert_array_equal(part.classes_, model.classes_, strict=True)


@pytest.mark.parametrize(("name", "container", "expected"), cases(4, CONTAINERS))
def test_cells_as_weights(name, container, expected):
    weights = made(name, container)
    if expected != OK:
        model, val = fitted("array"), {"X_val": COLUMN, "y_val": CODES}
        check_refusal(expected, model, "fit", COLUMN, CODES, weights)
        check_refusal(expected, model, "fit", COLUMN, CODES, **val, sample_weight_val=weights)
        return
    model = quick().fit(COLUMN, CODES, weights)
    numbers = tuple(float(cell) for cell in TABLE[name][0]())
    expected = of_codes(tuple(CODES.tolist()), numbers)
    np.testing.assert_array_equal(model.predict_proba(COLUMN), expected.predict_proba(COLUMN))


@pytest.mark.parametrize("name", [name for name, row in TABLE.items() if row[2] == OK])
@pytest.mark.parametrize("other", ["Series", "list"])
def test_labels_for_validation_in_another_container(name, other):
    y, y_val = made(name, "array"), made(name, other)
    if other == "list" and TABLE[name][3] != OK:
        pytest.skip("it is refused as y too")
    model = quick().fit(COLUMN, y, X_val=COLUMN, y_val=y_val)
    codes = np.unique(np.asarray(y), return_inverse=True)[1]
    right = of_codes(tuple(codes.tolist())).predict(COLUMN) == codes
    assert model.history_["validation_accuracy"] == [right.mean()]


def is_taken_by_scikit_learn(X, y, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for model in (LogisticRegression(max_iter=2), MLPClassifier((), max_iter=1)):
            try:
                model.fit(X, y, **options)
            except Exception:  # of any type, which is what the errors of the table are for
                continue
            return True
    return False


@pytest.mark.parametrize("name", [name for name in TABLE if name not in UNLIKE_SCIKIT_LEARN])
def test_what_scikit_learn_takes_is_taken(name):
    _, as_X, as_y, _, as_weights = TABLE[name]
    cells = made(name, "Series")
    if as_X not in (OK, None):
        assert not is_taken_by_scikit_learn(made(name, "frame", TABLES), CODES)
    if as_y is not None:
        assert is_taken_by_scikit_learn(COLUMN, cells) == (as_y == OK)
    if as_weights is not None:
        taken = is_taken_by_scikit_learn(COLUMN, CODES, sample_weight=cells)
        assert taken == (as_weights == OK)
