"""Texts that hold numbers: plain ones, and as people and spreadsheets write them."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any
from unicodedata import category

import numpy as np
import pandas as pd

CODES = frozenset(
    (
        *("AED", "ARS", "AUD", "BGN", "BRL", "CAD", "CHF", "CLP", "CNY", "CZK", "DKK", "EGP"),
        *("EUR", "GBP", "HKD", "HUF", "IDR", "ILS", "INR", "JPY", "KES", "KRW", "MXN", "MYR"),
        *("NGN", "NOK", "NZD", "PEN", "PKR", "PLN", "RON", "RUB", "SAR", "SEK", "SGD", "THB"),
        *("TWD", "UAH", "USD", "VND", "ZAR", "US$", "A$", "C$", "HK$", "NZ$", "R$", "S$"),
        *("KR", "KR.", "ZŁ", "KČ", "FT", "FR.", "RS", "RS.", "РУБ", "РУБ."),
    )
)
"""Codes of ISO 4217 and other signs of money, in capitals. COP, PHP and TRY are also words."""
MINUS_SIGNS = str.maketrans({"\N{MINUS SIGN}": "-", "\N{EN DASH}": "-", "\N{EM DASH}": "-"})
SPACES = " \N{NO-BREAK SPACE}\N{NARROW NO-BREAK SPACE}\N{THIN SPACE}"
APOSTROPHES = "'\N{RIGHT SINGLE QUOTATION MARK}"
GROUPING = str.maketrans("", "", APOSTROPHES + SPACES)
WITHIN = re.compile(  # the dash of "12.-" stands for no cents
    r"(?P<before>[^0-9]{0,8}?)(?P<number>(?:(?<!\w)[.,])?[0-9](?:.*[0-9])?(?:[.,]-{0,2})?)"
    r"(?P<after>[^0-9]{0,8})"
)
SIGNS = {"#": 1.0, "+#": 1.0, "-#": -1.0, "#-": -1.0, "(#)": -1.0}
"""What stands around a number, and what this divides it by."""


def _written(decimal: str, other: str) -> re.Pattern[str]:
    """What may be a number with one sign for the decimals and the other one for thousands."""
    decimal, other = re.escape(decimal), re.escape(other)
    return re.compile(
        rf"(?!$)(?:[1-9][0-9]{{0,2}}(?P<mark>[{other}{APOSTROPHES}{SPACES}])[0-9]{{3}}"
        rf"(?:(?P=mark)[0-9]{{3}})*|[1-9][0-9]?(?:{other}[0-9]{{2}})+{other}[0-9]{{3}}|[0-9]+)?"
        rf"(?:{decimal}(?:[0-9]*|-{{1,2}}))?(?:[eE][+-]?[0-9]+)?"
    )


WRITTEN = {".": _written(".", ","), ",": _written(",", ".")}


def find_decimal(texts: Any, default: str | None = None) -> tuple[str, bool]:
    """Find which sign stands before the decimals of numbers.

    Parameters
    ----------
    texts : ndarray of shape (n_texts,)
        Stripped strings; those that hold no number do not count.
    default : {".", ","}, default=None
        The sign where the texts leave it open.

    Returns
    -------
    decimal : {".", ","}
    certain : bool
        False if the texts contradict each other, or may be read either way: ``1,234``.
        ``1.234`` may be too if the default is a comma.
    """
    plain = ~np.isnan(_plain(texts))
    n_points = n_commas = 0
    open_marks = set()
    for text, is_plain in zip(texts, plain.tolist(), strict=True):
        if is_plain and text[-4:-3] != ".":
            n_points += "." in text
        elif "." in text or "," in text:
            number = text.lstrip("+-") if is_plain else _parts(text)[0]
            with_point, with_comma = (bool(WRITTEN[sign].fullmatch(number)) for sign in ".,")
            if with_point and with_comma:
                open_marks |= {*number} & {*".,"}
            else:
                n_points += with_point
                n_commas += with_comma
    if n_points != n_commas:
        return "." if n_points > n_commas else ",", not (n_points and n_commas)
    decimal = default or "."
    return decimal, not n_points and (not open_marks or open_marks == {"."} == {decimal})


def parse_numbers(texts: Any, decimal: str) -> Any:
    """Read texts as numbers.

    Thousands may be grouped by the other sign of point and comma, by spaces or by
    apostrophes. Per cent are hundredths. Signs of money are left out. Brackets, and a
    minus sign on either side, make a number negative; after it only where it has decimals or
    thousands.

    Parameters
    ----------
    texts : ndarray of shape (n_texts,)
        Stripped strings.
    decimal : {".", ","}
        The sign before the decimals.

    Returns
    -------
    numbers : ndarray of shape (n_texts,), dtype float64
        NaN where a text holds no number.
    """
    numbers = _plain(texts if decimal == "." else [_with_point(text) for text in texts])
    left = np.flatnonzero(np.isnan(numbers))
    for place in left.tolist():
        number, divisor = _parts(texts[place])
        if WRITTEN[decimal].fullmatch(number):
            numbers[place] = float(_digits(number, decimal)) / divisor
    return numbers + 0.0  # no negative zeros


def _plain(texts: Sequence[str]) -> Any:
    """Read what every program reads; no thousands, and no underscores as in Python."""
    numbers = pd.to_numeric(np.array(texts, dtype=object), errors="coerce")
    return np.array(numbers, dtype=np.float64)


def _with_point(text: str) -> str:
    """Exchange a decimal comma; nothing that is plain where there was a point before."""
    return "" if "." in text else text.replace(",", ".")


def _digits(number: str, decimal: str) -> str:
    thousands = "," if decimal == "." else "."
    digits = number.translate(GROUPING).replace(thousands, "").replace(decimal, ".")
    return digits.rstrip("-")


def _parts(text: str) -> tuple[str, float]:
    """Give the number in a text and what to divide it by; no number if a word stands beside it."""
    match = WITHIN.fullmatch(text if text.isascii() else text.translate(MINUS_SIGNS))
    if match is None:
        return "", math.nan
    if "-" in match["after"] and match["number"].isdigit():
        return "", math.nan  # a mark of schools, or a bound, such as 2- beside 2+
    divisor = _divisor(match["before"], match["after"])
    return ("" if math.isnan(divisor) else match["number"]), divisor


@lru_cache(maxsize=1000)
def _divisor(before: str, after: str) -> float:
    """Give 1, 100 for per cent, their negatives, or NaN beside anything but signs and money."""
    sign = SIGNS.get("".join(re.findall(r"[-+()#]", f"{before}#{after}")), math.nan)
    unit = re.sub(r"[-+()\s]", "", before + after)
    if unit == "%":
        return 100 * sign
    is_money = unit.upper() in CODES or (len(unit) == 1 and category(unit) == "Sc")
    return sign if is_money or not unit else math.nan
