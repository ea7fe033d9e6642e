"""Dates as people and programs write them."""

from datetime import UTC, datetime, timedelta, timezone
from email.utils import format_datetime

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skbn.tables.dates import find_day_first, parse_dates


def parsed(*texts, day_first=True):
    return parse_dates(np.array(texts, dtype=object), day_first)


def found(*texts):
    return find_day_first(np.array(texts, dtype=object))


LAST_DAY = ["2024-12-31", "2024/12/31", "2024.12.31", "2024-Dec-31", "31/12/2024", "31.12.2024"]
LAST_DAY += ["31-12-2024", "31/12/24", "31-12-24", "31.12.24", "31 Dec 2024", "31-Dec-24"]
LAST_DAY += ["31/Dec/2024", "31DEC2024", "31. December 2024", "31st December 2024", "31 dec 24"]
LAST_DAY += ["Dec 31, 2024", "December 31 2024", "DECEMBER 31ST, 2024", "Dec. 31, 2024"]
LAST_DAY += ["Dec-31-2024", "Tue, 31 Dec 2024", "Tuesday, December 31, 2024", "Tue 31/12/2024"]
TIMES = {
    "2024-12-31T12:30": "12:30",
    "2024-12-31 12:30:05.25": "12:30:05.25",
    "2024-12-31T12:30:05.123456789Z": "12:30:05.123456",
    "2024-12-31T12:30:00+02:00": "10:30",
    "2024-12-31 12:30:00 +0200": "10:30",
    "2024-12-31 12:30:00-0330": "16:00",
    "2024-12-31 12:30:00 UTC": "12:30",
    "31/12/2024 12:30": "12:30",
    "31.12.2024, 12:30:05": "12:30:05",
    "31/12/24 2:30 PM": "14:30",
    "31/12/2024 2:30:05.5pm": "14:30:05.5",
    "31/12/2024 12:05 a.m.": "00:05",
    "31 Dec 2024 12:00 AM": "00:00",
    "Dec 31, 2024 12:00 PM": "12:00",
    "December 31, 2024 at 9:05 PM": "21:05",
    "Tue, 31 Dec 2024 12:00:00 GMT": "12:00",
    "Tue Dec 31 12:00:00 2024": "12:00",
    "Tue Dec 31 12:00:00 +0000 2024": "12:00",
    "Tue Dec 31 2024 12:00:00 GMT+0100 (Central European Standard Time)": "11:00",
}
NO_DATES = ["", "x", "20241231", "2024", "12345", "1.5", "-3", "12:30", "12:30:05", "2:30 PM"]
NO_DATES += ["1.2.3", "1.2.24", "10.4.1", "v1.2.2024", "192.168.0.1", "10.0.0.2024", "1/2", "1/2/3"]
NO_DATES += [
    "31 Dec",
    "Dec 24",
    "Dec",
    "may",
    "March",
    "Monday",
    "Sun",
    "Mark 5, 2024",
    "Mars 2024",
]
NO_DATES += ["2024-02-30", "2023-02-29", "2024-13-01", "0000-00-00", "31/04/2024", "31/12-2024"]
NO_DATES += ["12/31/2024", "00/01/2024", "32 Dec 2024", "555-12-2024", "31/12/202", "31/12/20245"]
NO_DATES += ["2024-12-31 25:00", "2024-12-31 12:60", "31/12/2024 13:30 PM", "31/12/2024 0:30 PM"]
NO_DATES += ["2024-12-31_12:00", "2024-12-31 noon", "31/12/2024 Berlin", "on 31/12/2024"]
NO_DATES += ["9999-12-31T23:00:00-05:00", "٣١/١٢/٢٠٢٤", "31 Dez 2024", "1 May 2024 and 2 May 2024"]


@pytest.mark.parametrize("text", LAST_DAY)
def test_days_of_every_sort(text):
    assert parsed(text).tolist() == [datetime(2024, 12, 31)]


@pytest.mark.parametrize(("text", "time"), TIMES.items())
def test_days_with_times_of_every_sort(text, time):
    assert parsed(text).tolist() == [datetime.fromisoformat(f"2024-12-31T{time}")]


@pytest.mark.parametrize("text", ["2024-12", "Dec 2024", "december, 2024", "Dec-2024"])
def test_months_are_their_first_day(text):
    assert parsed(text).tolist() == [datetime(2024, 12, 1)]


@pytest.mark.parametrize("text", NO_DATES)
def test_texts_that_are_no_dates(text):
    assert np.isnat(parsed(text)).all()


def test_years_of_two_digits_are_those_of_posix():
    for year in range(100):
        text = f"31/12/{year:02}"
        assert parsed(text).tolist() == [datetime.strptime(text, "%d/%m/%y")]


def test_the_ends_of_the_calendar_and_of_the_day():
    texts = ["0001-01-01", "1500-01-01", "01/01/1500", "9999-12-31", "31 Dec 9999"]
    assert parsed(*texts).astype("datetime64[D]").astype(str).tolist() == [
        *("0001-01-01", "1500-01-01", "1500-01-01", "9999-12-31", "9999-12-31")
    ]
    assert parsed("2024-12-31 24:00", "31/12/2024 23:59:60").tolist() == [datetime(2025, 1, 1)] * 2
    assert np.isnat(parsed("31 Dec 9999 24:00")).all()
    assert parsed().dtype == parsed("x").dtype == np.dtype("datetime64[us]")


FORMATS = ["%Y-%m-%d", "%Y/%m/%d", "%d/%m/%Y", "%d.%m.%Y", "%d-%m-%Y", "%d %b %Y", "%d-%b-%Y"]
FORMATS += ["%d %B %Y", "%b %d, %Y", "%B %d %Y", "%a, %d %b %Y", "%A, %B %d, %Y", "%d%b%Y"]
CLOCKS = ["T%H:%M:%S.%f", " %H:%M:%S.%f", " %I:%M:%S.%f %p", " %H:%M:%S.%f+00:00"]


@given(
    st.datetimes(datetime(1000, 1, 1)),
    st.sampled_from(FORMATS),
    st.sampled_from(CLOCKS),
    st.sampled_from([str, str.upper, str.lower]),
)
def test_a_date_in_any_format_is_read_back(date, days, clock, case):
    text = date.strftime(days + clock)
    if case is str or "T%H" not in clock:
        text = case(text)
    assert parsed(text).tolist() == [date]


@given(st.datetimes(datetime(1900, 1, 1)), st.integers(-1439, 1439), st.booleans())
def test_zones_become_utc(date, minutes, of_mail):
    date = date.replace(microsecond=0, tzinfo=timezone(timedelta(minutes=minutes)))
    text = format_datetime(date) if of_mail else date.isoformat(" ")
    try:
        expected = date.astimezone(UTC).replace(tzinfo=None)
    except OverflowError:
        expected = None
    assert parsed(text).tolist() == [expected]


@given(st.lists(st.dates(), min_size=1), st.sampled_from("/.-"), st.booleans())
def test_the_order_of_day_and_month_is_found(dates, mark, day_first):
    order = ("%d", "%m") if day_first else ("%m", "%d")
    texts = [date.strftime(mark.join(order)) + f"{mark}{date.year:04}" for date in dates]
    open_days = [date.day <= 12 and date.day != date.month for date in dates]
    told = any(date.day > 12 for date in dates)
    assert found(*texts) == ((day_first if told else True), told or not any(open_days))
    read = parsed(*texts, day_first=day_first).astype("datetime64[D]").tolist()
    assert read == dates


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        ([], (True, True)),
        (["x", "12:30", "1.2.3"], (True, True)),
        (["2024-01-02", "2024/01/02 12:30", "1 Feb 2024", "Feb 1, 2024"], (True, True)),
        (["1/2/2024"], (True, False)),
        (["1/1/2024"], (True, True)),
        (["1/2/2024", "13/2/2024"], (True, True)),
        (["1/2/2024", "Tue 2/13/24 12:30"], (False, True)),
        (["13/2/2024", "2/13/2024", "2/14/2024"], (False, False)),
        (["13/2/2024", "2/13/2024"], (True, False)),
    ],
)
def test_what_tells_the_order_of_day_and_month(texts, expected):
    assert found(*texts) == found(*reversed(texts)) == expected


def test_a_day_that_the_order_forbids_is_no_date():
    texts = ["13/02/2024", "02/13/2024", "2024-02-13"]
    assert np.isnat(parsed(*texts)).tolist() == [False, True, False]
    assert np.isnat(parsed(*texts, day_first=False)).tolist() == [True, False, False]


def test_a_text_is_read_alike_alone_and_among_others():
    texts = [*LAST_DAY, *TIMES, *NO_DATES]
    np.testing.assert_array_equal(parsed(*texts), np.concatenate([parsed(each) for each in texts]))
