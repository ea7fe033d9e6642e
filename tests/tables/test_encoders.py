"""Numbers of a clean table's columns, by scikit-learn alone."""

import pickle
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.preprocessing import OneHotEncoder

from skbn.tables.encoders import (
    CARDINALITY_THRESHOLD,
    KINDS,
    ColumnsOfKind,
    DatetimeEncoder,
    TextEncoder,
    table_encoder,
)

pytestmark = pytest.mark.slow

ROWS = 90
WORDS = ["senior", "police", "officer", "bus driver", "nurse", "II"]
TEXTS = [f"{WORDS[k % 6]} {WORDS[k % 5]} no. {k % 70}" for k in range(ROWS)]
DAYS = pd.Series(pd.date_range("1969-12-30", periods=ROWS, freq="47D"))
ONE_HOT = OneHotEncoder(
    handle_unknown="infrequent_if_exist", min_frequency=2, sparse_output=False, dtype=np.float32
)


def category(values):
    return pd.Series(pd.Categorical(values))


def table():
    """A clean table, every seventh cell missing."""
    letters = np.array(["a", "b", "c"])[np.arange(ROWS) % 3]
    frame = pd.DataFrame(
        {
            "number": np.linspace(-1, 1, ROWS),
            "single": np.linspace(0, 1e6, ROWS, dtype=np.float32),
            "day": DAYS,
            "time": DAYS + pd.Timedelta("9h"),
            "letter": category(letters),
            "text": category(TEXTS),
            "other text": category(TEXTS[::-1]),
        }
    )
    return frame.where(pd.Series(np.arange(ROWS) % 7 != 3), axis=0)


CHOSEN = {
    # columns and the kind that takes them
    "float64": (pd.Series([1.5, np.nan]), "numeric"),
    "float32": (pd.Series([1.5, 2], dtype="float32"), "numeric"),
    "seconds": (pd.Series(["2020-01-01"], dtype="datetime64[s]"), "datetime"),
    "nanoseconds": (pd.Series(["2020-01-01", None], dtype="datetime64[ns]"), "datetime"),
    "few": (category(["a", None, "a"]), "low_cardinality"),
    "39 values": (category([*map(str, range(39)), None]), "low_cardinality"),
    "40 values": (category([*map(str, range(40)), None]), "high_cardinality"),
    "40 of which 39 occur": (
        pd.Series(pd.Categorical(map(str, range(39)), categories=[*map(str, range(40))])),
        "low_cardinality",
    ),
    "no number": (pd.Series([np.nan, np.nan]), None),
    "no date": (pd.Series([None, None], dtype="datetime64[ns]"), None),
    "no text": (category([None, None]), None),
}


@pytest.mark.parametrize("case", CHOSEN)
def test_a_column_is_taken_once_if_it_has_a_value(case):
    column, expected = CHOSEN[case]
    chosen = [kind for kind in KINDS if ColumnsOfKind(kind)(column.to_frame("column"))]
    assert chosen == ([expected] if expected else [])


@pytest.mark.parametrize("unit", ["s", "us", "ns"])
@pytest.mark.parametrize("hours", [0, 9])
def test_parts_of_dates(unit, hours):
    days = (DAYS + timedelta(hours=hours)).astype(f"datetime64[{unit}]")
    encoder = DatetimeEncoder().set_output(transform="pandas")
    parts = encoder.fit_transform(days.mask(DAYS.index == 5).to_frame("since"))
    for k, row in enumerate(parts.itertuples(index=False)):
        date = days[k].to_pydatetime().replace(tzinfo=UTC)
        expected = [date.year, date.month, date.day, *[date.hour] * (hours > 0)]
        expected += [(date - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds(), date.isoweekday()]
        expected = expected if k != 5 else [np.nan] * len(expected)
        np.testing.assert_allclose(row, expected, rtol=1e-7)
    names = ["year", "month", "day", *["hour"] * (hours > 0), "total_seconds", "weekday"]
    assert list(parts) == [f"since_{name}" for name in names]


def test_components_are_those_of_weighted_parts_of_words():
    texts = [f"{WORDS[k % 6]} {WORDS[k % 5]}".title() for k in range(40)]  # none share a hash
    encoder = TextEncoder()
    encoded = encoder.fit_transform(category([*texts, None]).to_frame("text"))
    weighted = TfidfVectorizer(analyzer="char_wb", ngram_range=(3, 4)).fit_transform([*texts, ""])
    products = (weighted @ weighted.T).toarray()
    scale = products[0, 0] / (encoded[0] @ encoded[0])
    np.testing.assert_allclose(encoded @ encoded.T * scale, products, atol=1e-4)
    assert encoded.var(axis=0).sum() == pytest.approx(1, rel=1e-4)
    assert not encoded[-1].any()


COLUMNS = {
    # texts and how many components they have
    "many": (TEXTS, 30),
    "fewer than components": ([f"word{'abcde'[k % 5]}" for k in range(ROWS)], 5),
    "the same but for case": (["Word", "word", "WORD"] * 20, 1),
    "single characters": ([chr(33 + k % 60) for k in range(ROWS)], 30),
    "without spaces": (["北京市朝阳区" + chr(0x4E00 + k % 50) for k in range(ROWS)], 30),
    "spaces alone": ([" " * k for k in range(50)], 0),
    "long": (["ab cd " * 2000 + str(k) for k in range(40)], 30),
}


def test_dates_of_any_year():
    days = ["0900-01-31", "1500-02-28", "2024-01-31", "9999-12-31"]
    dates = pd.Series(np.array(days, dtype="datetime64[us]")).to_frame("d")
    encoder = DatetimeEncoder().fit(dates)
    found = pd.DataFrame(encoder.transform(dates), columns=encoder.get_feature_names_out())
    seconds = [(datetime.fromisoformat(day) - datetime(1970, 1, 1)).total_seconds() for day in days]
    np.testing.assert_allclose(found["d_total_seconds"], seconds, rtol=1e-6)
    assert found["d_year"].tolist() == [900, 1500, 2024, 9999]


@pytest.mark.parametrize("case", COLUMNS)
def test_texts_of_all_sorts(case):
    texts, n_components = COLUMNS[case]
    frame = category([*texts, None]).to_frame("text")
    encoded = TextEncoder().fit(frame).transform(frame)
    assert encoded.dtype == np.float32
    assert encoded.shape == (len(frame), n_components)
    spread = encoded.std(axis=0)
    assert (spread > 1e-4 * spread[:1]).all()  # nothing is rounding alone


def test_a_row_is_encoded_alone_as_in_company():
    frame = table()[["text", "other text"]]
    encoder = TextEncoder().fit(frame)
    encoded = encoder.transform(frame)
    for k in (0, 3, 50):
        np.testing.assert_array_equal(encoder.transform(frame.iloc[[k]])[0], encoded[k])
    np.testing.assert_array_equal(clone(encoder).fit(frame).transform(frame), encoded)
    new = encoder.transform(frame.iloc[:1].assign(text=category(["Quite another thing"])))
    np.testing.assert_array_equal(new[0, 30:], encoded[0, 30:])
    assert np.isfinite(new).all()


def test_a_table_of_all_kinds():
    encoder = table_encoder(ONE_HOT)
    encoded = encoder.fit_transform(table())
    assert encoded.dtype == np.float32
    assert [name for name, *_ in encoder.transformers_][:4] == list(KINDS)
    names = encoder.get_feature_names_out()
    assert len(set(names)) == len(names) == encoded.shape[1]
    assert {"number", "day_year", "time_hour", "letter_nan", "text_29"} < set(names)
    framed = clone(encoder).set_output(transform="pandas").fit_transform(table())
    assert list(framed) == list(names)
    np.testing.assert_array_equal(framed, encoded)
    loaded = pickle.loads(pickle.dumps(encoder))
    np.testing.assert_array_equal(loaded.transform(table()), encoded)


@pytest.mark.parametrize("names", [[name] for name in table()])
def test_one_column_alone_and_one_row(names):
    frame = table()[names]
    encoder = table_encoder(ONE_HOT).fit(frame)
    encoded = encoder.transform(frame)
    np.testing.assert_array_equal(encoder.transform(frame.iloc[[4]])[0], encoded[4])
    assert len(encoder.get_feature_names_out()) == encoded.shape[1]


def test_names_that_meet():
    frame = pd.DataFrame({"size": category(["small", "big"] * 2), "size_small": [1.0, 2, 3, 4]})
    encoder = table_encoder(ONE_HOT).fit(frame)
    assert list(encoder.get_feature_names_out()) == ["size_small", "size_big", "size_small"]


def test_skrub_encodes_all_but_long_text_alike():
    skrub = pytest.importorskip("skrub")
    frame = table()[["number", "single", "day", "time", "letter"]]
    dates = skrub.DatetimeEncoder(add_weekday=True)
    theirs = skrub.TableVectorizer(low_cardinality=ONE_HOT, datetime=dates)
    expected = theirs.set_params(cardinality_threshold=CARDINALITY_THRESHOLD).fit_transform(frame)
    encoder = table_encoder(ONE_HOT).fit(frame)
    assert list(encoder.get_feature_names_out()) == list(expected)
    np.testing.assert_array_equal(encoder.transform(frame), expected)
