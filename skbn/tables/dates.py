"""Texts that hold dates, in a list of formats; nothing is guessed."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np

MONTHS = {
    name: number
    for number, names in enumerate(
        (
            *("jan january", "feb february", "mar march", "apr april", "may", "jun june"),
            *("jul july", "aug august", "sep sept september", "oct october", "nov november"),
            "dec december",
        ),
        start=1,
    )
    for name in names.split()
}
LAST_SHORT_YEAR = 68
"""Years of two digits up to here are of this century, as in POSIX."""
SECONDS_OF_DAY = 86400
EPOCH = datetime(1970, 1, 1)
MICROSECOND = timedelta(microseconds=1)

WEEKDAY = r"(?:(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?[.,]? ?)?"
DAY = r"(?P<day>\d{1,2})(?:st|nd|rd|th)?"
MONTH = rf"(?P<month>{'|'.join(sorted(MONTHS, reverse=True))})\.?"
YEAR = r"(?P<year>\d{4})"
SHORT_YEAR = r"(?P<year>\d{4}|\d\d)"
ZONE = r"(?: ?(?:Z|(?:UTC|GMT)?(?P<zone>[+-]\d\d(?::?\d\d)?)?)(?: \(.*\))?)"
CLOCK = (
    r"(?P<hour>\d{1,2}):(?P<minute>[0-5]\d)(?::(?P<second>[0-5]\d|60)(?:[.,](?P<fraction>\d+))?)?"
    rf"(?: ?(?P<half>[ap])\.?m\.?)?{ZONE}"
)
TIME = rf"(?:(?:T|,? +|,? at ){CLOCK})?"
NUMERIC = (  # "1.2.24" is as likely the number of a version
    r"(?P<first>\d{1,2})(?P<mark>[/.-])(?P<second_part>\d{1,2})(?P=mark)"
    r"(?P<year>\d{4}|(?<=[/-])\d\d|(?<=\d\d\.\d\d\.)\d\d)"
)


def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(WEEKDAY + pattern, re.ASCII | re.IGNORECASE)


WORTH_A_LOOK = _compiled(
    r"(?:\d{4}-\d\d$|\d{1,4}[/.-]\d{1,2}[/.-]\d|\d{1,4}(?:st|nd|rd|th)?[ ./-]{0,2}[adfjmnos]"
    rf"|{MONTH})"
)
"""Most texts without a date are told by one look at how they begin."""
PARTS_IN_DOUBT = _compiled(NUMERIC + TIME)
"""Either part before the year may be the day."""
FORMATS = [
    PARTS_IN_DOUBT,
    _compiled(rf"{YEAR}(?P<mark>[-/.])(?P<month>\d{{1,2}})(?P=mark)(?P<day>\d{{1,2}}){TIME}"),
    _compiled(rf"{DAY}[ ./-]{{0,2}}{MONTH}[ ,/-]{{0,2}}{SHORT_YEAR}{TIME}"),
    _compiled(rf"{MONTH}[ /-]?{DAY}(?:,? |[,/-]){SHORT_YEAR}{TIME}"),
    _compiled(rf"{YEAR}[ /-]?{MONTH}[ /-]?{DAY}{TIME}"),
    _compiled(rf"{MONTH} {{1,2}}{DAY} {CLOCK} {YEAR}"),  # as in C
    _compiled(rf"{YEAR}-(?P<month>\d\d)"),
    _compiled(rf"{MONTH}(?:,? |[/-]){YEAR}"),
]


def find_day_first(texts: Any) -> tuple[bool, bool]:
    """Find whether the day stands before the month in dates such as ``31/12/2024``.

    Parameters
    ----------
    texts : ndarray of shape (n_texts,)
        Stripped strings; those that hold no date do not count.

    Returns
    -------
    day_first : bool
        True where the texts leave it open.
    certain : bool
        False if the texts contradict each other, or leave open what a date means, as those do
        that have two digits for the year, or for the day.
    """
    n_days = n_months = n_open = 0
    is_year_last = False
    for match in filter(None, map(PARTS_IN_DOUBT.fullmatch, texts.tolist())):
        first, second = int(match["first"]), int(match["second_part"])
        n_days += second <= 12 < first
        n_months += first <= 12 < second
        n_open += first != second and first <= 12 and second <= 12
        year = match["year"]
        is_year_last |= len(year) == 4 or int(year) > 31
    certain = not (n_days and n_months) and (n_days or n_months or not n_open)
    certain = certain and (is_year_last or not (n_days or n_months or n_open))
    return n_days >= n_months, bool(certain)


def parse_dates(texts: Any, day_first: bool = True) -> Any:
    """Read texts as dates, with or without a time.

    Parameters
    ----------
    texts : ndarray of shape (n_texts,)
        Stripped strings: ``2024-12-31``, ``31/12/2024``, ``31.12.24``, ``31 Dec 2024``,
        ``December 31, 2024 2:30 PM`` and the like.
    day_first : bool, default=True
        Whether ``1/12/2024`` is in December.

    Returns
    -------
    dates : ndarray of shape (n_texts,), dtype datetime64[us]
        NaT where a text holds no date. Times with a zone are those of UTC.
    """
    dates = [_iso_date(text) for text in texts.tolist()]
    left = [
        place
        for place, date in enumerate(dates)
        if date is None and WORTH_A_LOOK.match(texts[place])
    ]
    for pattern in FORMATS:
        matches = [(place, pattern.fullmatch(texts[place])) for place in left]
        for place, match in matches:
            if match is not None:
                dates[place] = _date(match.groupdict(), day_first)
        left = [place for place, match in matches if match is None]
    missing = np.iinfo(np.int64).min
    since_1970 = [missing if date is None else (date - EPOCH) // MICROSECOND for date in dates]
    return np.array(since_1970, dtype=np.int64).view("datetime64[us]")  # faster than by NumPy


def _iso_date(text: str) -> datetime | None:
    """Read the most frequent format fast."""
    if text[4:5] != "-" or text[7:8] != "-" or text[10:11] not in ("", "T", " "):
        return None
    try:
        date = datetime.fromisoformat(text)
        return date if date.tzinfo is None else date.astimezone(UTC).replace(tzinfo=None)
    except (ValueError, OverflowError):
        return None


def _date(parts: dict[str, str], day_first: bool) -> datetime | None:
    """Put the parts of a date together; None if there is no such day."""
    if "first" in parts:
        order = ("day", "month") if day_first else ("month", "day")
        parts |= dict(zip(order, (parts["first"], parts["second_part"]), strict=True))
    year = int(parts["year"])
    if len(parts["year"]) == 2:
        year += 2000 if year <= LAST_SHORT_YEAR else 1900
    month = MONTHS.get(parts["month"].lower()) or int(parts["month"])
    try:
        return datetime(year, month, int(parts.get("day", 1))) + _time(parts)
    except (ValueError, OverflowError):
        return None


def _time(parts: dict[str, str]) -> timedelta:
    """Give the time since midnight in UTC; a ValueError if there is no such hour."""
    if not parts.get("hour"):
        return timedelta()
    hour = int(parts["hour"])
    if half := parts["half"]:
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + 12 * (half in "pP")
    seconds = 3600 * hour + 60 * int(parts["minute"]) + int(parts["second"] or 0)
    if seconds > SECONDS_OF_DAY:
        raise ValueError
    microseconds = int(((parts["fraction"] or "") + "000000")[:6])
    return timedelta(seconds=seconds, microseconds=microseconds) - _offset(parts["zone"])


def _offset(zone: str | None) -> timedelta:
    """How much a zone is ahead of UTC."""
    if not zone:
        return timedelta()
    digits = zone[1:].replace(":", "")
    offset = timedelta(hours=int(digits[:2]), minutes=int(digits[2:] or 0))
    return -offset if zone[0] == "-" else offset
