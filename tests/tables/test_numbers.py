"""Numbers as people and spreadsheets write them."""

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from skbn.tables.numbers import find_decimal, parse_numbers


def parsed(*texts, decimal="."):
    return parse_numbers(np.array(texts, dtype=object), decimal).tolist()


def found(*texts, default=None):
    return find_decimal(np.array(texts, dtype=object), default)


POINT = {
    "-1.5": -1.5,
    "+3": 3,
    "1e-5": 1e-5,
    "1E+5": 1e5,
    ".5": 0.5,
    "5.": 5,
    "007": 7,
    "1E400": np.inf,
    "inf": np.inf,
    "-Infinity": -np.inf,
    "\N{MINUS SIGN}5": -5,
    "99999999999999999999": 1e20,
    "1,234": 1234,
    "12,345,678.90": 12345678.9,
    "-1,234.5": -1234.5,
    "1 234": 1234,
    "1\N{NO-BREAK SPACE}234.5": 1234.5,
    "1\N{NARROW NO-BREAK SPACE}234\N{NARROW NO-BREAK SPACE}567": 1234567,
    "1\N{THIN SPACE}234": 1234,
    "1'234.50": 1234.5,
    "1\N{RIGHT SINGLE QUOTATION MARK}234": 1234,
    "12,34,567": 1234567,
    "12 %": 0.12,
    "12%": 0.12,
    "-12.5%": -0.125,
    "%12": 0.12,
    "1,200%": 12,
    "$12.30": 12.3,
    "-$5": -5,
    "$-5": -5,
    "- $ 5": -5,
    "\N{EURO SIGN}1,234.56": 1234.56,
    "12.30 \N{EURO SIGN}": 12.3,
    "12.30\N{NO-BREAK SPACE}\N{EURO SIGN}": 12.3,
    "EUR 12": 12,
    "12 eur": 12,
    "R$ 12.30": 12.3,
    "US$5": 5,
    "Rs.500": 500,
    "Fr. 5.50": 5.5,
    "12 kr": 12,
    "1e3 \N{POUND SIGN}": 1000,
    "$.5": 0.5,
    "(5.00)": -5,
    "($5.00)": -5,
    "$(5.00)": -5,
    "5.00-": -5,
    "1 234-": -1234,
    "-0": 0,
    "(0)": 0,
    "0.00-": 0,
    "12.-": 12,
    "CHF 12.\N{EN DASH}": 12,
}
COMMA = {
    "1,5": 1.5,
    "-1,5": -1.5,
    "1,5e-3": 0.0015,
    "1e-5": 1e-5,
    ",5": 0.5,
    "5,": 5,
    "0,126": 0.126,
    "7": 7,
    "inf": np.inf,
    "1.234,56": 1234.56,
    "1.234": 1234,
    "-1.234.567": -1234567,
    "1 234,5": 1234.5,
    "1'234,5": 1234.5,
    "12,5 %": 0.125,
    "1.250 %": 12.5,
    "12,30 \N{EURO SIGN}": 12.3,
    "-1.234,50 \N{EURO SIGN}": -1234.5,
    "12,- \N{EURO SIGN}": 12,
    "12,--": 12,
    "(1.234,50)": -1234.5,
    "5,00-": -5,
}
NO_NUMBERS = [
    *("A11", "12a", "5more", "12 cup", "12 kg", "12 h", "#5", "No. 5", "COP 26", "x"),
    *("1_000", "0x10", "nan", "NaN", "None", "True", "", "-", "+", ".", ",", "e5", "1e", "1e5.5"),
    *("1,23,4", "1,2345", "1234,567,890", "0,126", "1 23", "1 234,567", "1,234 567", "12 34 56"),
    *("1'23", "1,,234", "1.2.3", "192.168.0.1", "192.168.100.200", "2-3", "1/2", "12:30"),
    *("2-", "15 -", "2\N{MINUS SIGN}", "5- \N{EURO SIGN}"),  # school grades, and bounds
    *("--5", "+-5", "-5-", "(-5)", "(5", "5)", "()", "$", "%", "5 %%", "5 % EUR", "$5 EUR"),
    *("31.12.2024", "31/12/2024", "2024-12-31", "1.5.", "5 5", "$ $5", "12 .-"),
    *("\N{ARABIC-INDIC DIGIT ONE}", "\N{FULLWIDTH DIGIT ONE}", "\N{SUPERSCRIPT TWO}", "1\n2"),
]


@pytest.mark.parametrize(("decimal", "table"), [(".", POINT), (",", COMMA)])
def test_numbers_of_every_sort(decimal, table):
    numbers = dict(zip(table, parsed(*table, decimal=decimal), strict=True))
    assert numbers == {text: pytest.approx(number, rel=1e-14) for text, number in table.items()}


@pytest.mark.parametrize("text", ["-0", "(0)", "-0.00", "0.00-", "-0 %"])
def test_zeros_have_no_sign(text):
    assert not np.signbit(parsed(text)).any()


@pytest.mark.parametrize("text", NO_NUMBERS)
def test_texts_that_are_no_numbers(text):
    assert np.isnan(parsed(text)).all()


@pytest.mark.parametrize("text", ["1.5", "0.126", "1,2,3", "1,234.5", "1.23", "12a", "1.234.56"])
def test_texts_that_are_no_numbers_with_a_decimal_comma(text):
    assert np.isnan(parsed(text, decimal=",")).all()


def test_no_texts():
    numbers = parse_numbers(np.array([], dtype=object), ",")
    assert (numbers.shape, numbers.dtype) == ((0,), np.float64)
    assert found() == (".", True)


AFFIXES = ["{}", "{} %", "{}%", "${}", "{} \N{EURO SIGN}", "EUR {}", "CHF\N{NO-BREAK SPACE}{}"]


@given(
    number=st.decimals(0, 10**12, places=2),
    group=st.sampled_from([*"'\N{THIN SPACE} \N{NO-BREAK SPACE}", "", "other"]),
    decimal=st.sampled_from(".,"),
    sign=st.sampled_from(["{}", "-{}", "\N{MINUS SIGN}{}", "({})", "{}-"]),
    affix=st.sampled_from(AFFIXES),
)
def test_a_number_that_is_written_by_a_convention_is_read_back(number, group, decimal, sign, affix):
    other = {".": ",", ",": "."}[decimal]
    marks = {",": other if group == "other" else group, ".": decimal}
    written = sign.format("".join(marks.get(letter, letter) for letter in f"{number:,.2f}"))
    if sign == "{}-" and not affix.startswith("{}"):
        affix = "{}"
    expected = number / (100 if "%" in affix else 1) * (1 if sign == "{}" else -1)
    text = affix.format(written)
    assert parsed(text, decimal=decimal) == [pytest.approx(float(expected), rel=1e-14)]
    assert found(text) == (decimal, True)  # two decimals leave no doubt


@given(st.text("0123456789+-.eE", max_size=8))
def test_plain_numbers_are_those_of_decimal(text):
    try:
        expected = float(Decimal(text))
    except ArithmeticError:
        expected = np.nan
    if text.endswith("-") and text[:1] != "-":
        return  # a sign behind the number is read, and not by Decimal
    np.testing.assert_allclose(parsed(text), [expected], rtol=1e-14)


def test_a_text_is_read_alike_alone_and_among_others():
    texts = [*POINT, *NO_NUMBERS]
    np.testing.assert_array_equal(parsed(*texts), [parsed(text)[0] for text in texts])


@pytest.mark.parametrize(
    ("texts", "decimal"),
    [
        (["1", "-2", "3 %"], "."),
        (["1.5"], "."),
        (["1.234"], "."),
        (["0.126", "12.345"], "."),
        (["1,234", "1.5"], "."),
        (["1,234,567"], "."),
        (["1,234.5"], "."),
        (["12,34,567"], "."),
        (["1,5"], ","),
        (["0,126"], ","),
        (["1234,567"], ","),
        (["1.234,5"], ","),
        (["1.234.567"], ","),
        (["1,234", "0,5"], ","),
        (["1.234", "0,5"], ","),
        (["12,5 %", "7 %"], ","),
        (["12,30 \N{EURO SIGN}"], ","),
        (["a, b", "1.2.3", "31.12.2024", "1,5"], ","),
        (["a, b", "1, 2 and 3", "2.5"], "."),
    ],
)
def test_the_decimal_sign_is_found(texts, decimal):
    for order in texts, texts[::-1]:
        assert found(*order) == (decimal, True)
    for default in ".,":
        assert found(*texts, default=default)[0] in (decimal, default)


def test_the_default_says_what_the_texts_leave_open():
    assert found("1,234") == (".", False)
    assert found("1,234", "$5,678") == (".", False)
    for default in ".,":
        assert found("1,234", default=default) == (default, False)
    assert found("1.234", default=".") == (".", True)
    assert found("1.234", default=",") == (",", False)
    assert found("1", default=",") == (",", True)


def test_the_majority_of_contradicting_texts_wins_in_doubt():
    assert found("1,5", "2,5", "1.5") == (",", False)
    assert found("1,5", "2.5", "1.5") == (".", False)
    np.testing.assert_array_equal(parsed("1,5", "2,5", "1.5", decimal=","), [1.5, 2.5, np.nan])
