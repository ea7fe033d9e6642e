"""Small files as people have them, each with what must be understood of it.

Written from what the files say to a person, not from what the code makes of them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

N_TIMES = 4
"""Rows are repeated so that every class has enough of them, and no column counts the rows."""


@dataclass(frozen=True)
class Column:
    """What a column must be taken for, and its first cells; None is a missing one."""

    kinds: tuple[str, ...]
    cells: tuple[Any, ...] = ()


def number(*cells: float | None) -> Column:
    return Column(("number",), cells)


def date(*cells: str | None) -> Column:
    return Column(("date",), cells)


def text(*cells: str | None) -> Column:
    return Column(("text",), cells)


def either(*kinds: str) -> Column:
    """A column that a sensible reader may take in several ways."""
    return Column(kinds)


LEFT_OUT = Column(("left out",))


@dataclass(frozen=True)
class OddFile:
    """A file, the options it is read with, and what must be understood."""

    content: bytes | Callable[[Path], object]  # or a function that writes the file
    columns: dict[str, Column] = field(default_factory=dict)
    name: str = "table.csv"
    target: str = "label"
    options: dict[str, str] = field(default_factory=dict)  # separator, encoding, decimal
    classes: list[Any] | int = 2
    rows: int | None = None
    notes: tuple[str, ...] = ()  # words that the notes must hold
    silent: bool = False  # where nothing is to be noted
    error: tuple[str, ...] = ()  # words of the one line, with exit status 2


def lines(
    header: str, *rows: str, times: int = N_TIMES, end: str = "\n", encoding: str = "utf-8"
) -> bytes:
    """Encode a header and rows, which come several times."""
    return "".join(line + end for line in (header, *rows * times)).encode(encoding)


def cells(*values: str, times: int = N_TIMES, separator: str = "\t") -> bytes:
    """Write a column ``a`` of these cells beside labels; tabs, which need no quotes, part them."""
    rows = [f"{value}{separator}{'uv'[i % 2]}" for i, value in enumerate(values * times)]
    return lines(f"a{separator}label", *rows, times=1)


AB = {"a": number(1.5, 2.5, 10), "b": text("x", "y", "x")}
"""The columns of the plain table below, which comes in many a dress."""
PLAIN = ("a,b,label", "1.5,x,u", "2.5,y,v", "10,x,u")


def plain(separator: str = ",", **options: Any) -> bytes:
    return lines(*(line.replace(",", separator) for line in PLAIN), **options)


ENCODINGS = {
    "plain": OddFile(plain(), AB, rows=12, classes=["u", "v"], silent=True),
    "byte order mark": OddFile(plain(encoding="utf-8-sig"), AB, silent=True),
    "byte order mark and a quoted first name": OddFile(
        lines('"a","label"', '"1.5","u"', '"2.5","v"', encoding="utf-8-sig"),
        {"a": number(1.5, 2.5)},
    ),
    "Excel's Unicode text": OddFile(
        plain("\t", encoding="utf-16", end="\r\n"), AB, name="table.txt", rows=12
    ),
    "UTF-16, big endian": OddFile("\ufeff".encode("utf-16-be") + plain(encoding="utf-16-be"), AB),
    "UTF-16 without a mark, given": OddFile(
        plain(encoding="utf-16-le"), AB, options={"encoding": "utf-16-le"}
    ),
    "latin-1": OddFile(
        lines("Größe;Straße;label", "1,5;Süd;ja", "2,5;Öst;nein", encoding="latin-1"),
        {"Größe": number(1.5, 2.5), "Straße": text("Süd", "Öst")},
        classes=["ja", "nein"],
    ),
    "Windows' euro sign": OddFile(
        lines("Preis €;label", "1,50 €;u", "2,75 €;v", encoding="cp1252"),
        {"Preis €": number(1.5, 2.75)},
    ),
    "latin-1 in the target and its name": OddFile(
        lines("a,größe", "1.5,über", "2.5,unter", encoding="latin-1"),
        {"a": number(1.5, 2.5)},
        target="größe",
        classes=["unter", "über"],
    ),
    "latin-1 far down in the file": OddFile(
        lines("a,b,label", *["1.5,x,u", "2.5,y,v"] * 3000, "3.5,Ü,u", times=1, encoding="latin-1"),
        {"a": number(1.5, 2.5), "b": text("x", "y")},
        rows=6001,
    ),
    "Cyrillic in an old code page, given": OddFile(
        lines("цена;цвет;label", "1,5;красный;да", "2,5;синий;нет", encoding="cp1251"),
        {"цена": number(1.5, 2.5), "цвет": text("красный", "синий")},
        options={"encoding": "cp1251"},
        classes=["да", "нет"],
    ),
    "Japanese, given": OddFile(
        lines("値段,色,label", "1.5,赤,u", "2.5,青,v", encoding="shift_jis"),
        {"値段": number(1.5, 2.5), "色": text("赤", "青")},
        options={"encoding": "shift_jis"},
    ),
    "names in Cyrillic, Chinese and emoji": OddFile(
        lines("вес,颜色,🌡,метка", "1.5,红,20.5,да", "2.5,蓝,19.5,нет"),
        {"вес": number(1.5, 2.5), "颜色": text("红", "蓝"), "🌡": number(20.5, 19.5)},
        target="метка",
        classes=["да", "нет"],
        silent=True,
    ),
    "an encoding that does not fit": OddFile(
        lines("a,b,label", "1.5,ü,u", "2.5,y,v"),
        options={"encoding": "ascii"},
        error=("table.csv", "ascii", "--encoding"),
    ),
    "an encoding that there is not": OddFile(
        plain(), options={"encoding": "utf-9"}, error=("utf-9", "encoding")
    ),
    "binary": OddFile(bytes(range(256)) * 20, error=("table.csv",)),
}

SEPARATORS = {
    "semicolons and decimal commas": OddFile(
        lines("a;b;label", "1,5;x;u", "2,5;y;v", "10;x;u"), AB, rows=12, silent=True
    ),
    "semicolons and decimal points": OddFile(plain(";"), AB, silent=True),
    "tabs": OddFile(plain("\t"), AB, name="table.tsv", silent=True),
    "tabs in a .dat": OddFile(plain("\t"), AB, name="table.dat", silent=True),
    "pipes": OddFile(plain("|"), AB, name="table.txt", silent=True),
    "a separator of one's own": OddFile(plain(":"), AB, options={"separator": ":"}),
    "a separator of two letters": OddFile(
        plain("::"), options={"separator": "::"}, error=("--separator", "'::'")
    ),
    "a tab as one types it": OddFile(plain("\t"), AB, options={"separator": "\\t"}),
    "spaces, given": OddFile(plain(" "), AB, options={"separator": " "}),
    "the wrong separator, given": OddFile(
        plain(), options={"separator": "|"}, error=("'label'", "a,b,label")
    ),
    "Excel's first line sep=": OddFile(
        b"sep=;\r\n" + lines("a;b;label", "1,5;x;u", "2,5;y;v", "10;x;u", end="\r\n"), AB, rows=12
    ),
    "sep= with a tab and a mark": OddFile(
        "sep=\t\r\n".encode("utf-16") + plain("\t", encoding="utf-16-le", end="\r\n"), AB, rows=12
    ),
    "commas in names and cells between semicolons": OddFile(
        lines("a, m;b, of what;label", "1,5;x, red;u", "2,5;y, blue;v"),
        {"a, m": number(1.5, 2.5), "b, of what": text("x, red", "y, blue")},
    ),
    "semicolons in names and cells between commas": OddFile(
        lines('"a;m",b,label', '1.5,"x;1;2",u', '2.5,"y;1;2",v'),
        {"a;m": number(1.5, 2.5), "b": text("x;1;2", "y;1;2")},
    ),
    "spaces after separators": OddFile(
        lines("a, b, label", '1.5, "x, red", u', '2.5, "y, blue", v', "10, z , u"),
        {"a": number(1.5, 2.5, 10), "b": text("x, red", "y, blue", "z")},
        classes=["u", "v"],
    ),
    "trailing separators": OddFile(
        lines("a,b,label,", "1.5,x,u,", "2.5,y,v,", "10,x,u,"), AB, rows=12
    ),
    "trailing separators of rows alone": OddFile(
        lines("a,b,label", "1.5,x,u,", "2.5,y,v,", "10,x,u,"), AB, rows=12
    ),
    "rows that end early": OddFile(
        lines("label,a,b", "u,1.5,x", "v,2.5", "u"),
        {"a": number(1.5, 2.5, None), "b": text("x", None, None)},
        rows=12,
    ),
    "rows that are too long": OddFile(
        lines("a,label", "1.5,u", "2.5,v", times=3) + b"1,2,3,4,5\n", error=("table.csv", "8")
    ),
    "a title above the names": OddFile(b"Sales 2024\n\n" + plain(), error=("table.csv", "line")),
    "carriage returns": OddFile(plain(end="\r"), AB, rows=12),
    "line ends of Windows": OddFile(plain(end="\r\n"), AB, rows=12, classes=["u", "v"]),
    "mixed line ends": OddFile(
        lines(*PLAIN) + lines(*PLAIN, end="\r\n").split(b"\r\n", 1)[1], AB, rows=24
    ),
    "no end of the last line": OddFile(plain().rstrip(), AB, rows=12, classes=["u", "v"]),
    "empty lines": OddFile(b"\n\n" + plain(end="\n\n") + b"\n", AB, rows=12),
    "separators and line ends in quotes": OddFile(
        lines('"a","b\nc",label', '1.5,"x,\ny;\tz",u', '2.5,"say ""no""",v'),
        {"a": number(1.5, 2.5), "b\nc": text("x,\ny;\tz", 'say "no"')},
        rows=8,
    ),
    "a quote that never ends": OddFile(
        plain() + b'1.5,"x,u\n2.5,y,v\n', error=("table.csv", "quot")
    ),
    "quotes within words": OddFile(
        lines("a,b,label", '1.5,6" nails,u', '2.5,8" nails,v'),
        {"a": number(1.5, 2.5), "b": text('6" nails', '8" nails')},
        rows=8,
    ),
    "R's write.table": OddFile(
        lines(
            '"a" "b" "label"',
            *[f'"{i}" {i % 3}.5 "x y" "{"uv"[i % 2]}"' for i in range(12)],
            times=1,
        ),
        {"a": number(0.5, 1.5, 2.5), "b": either("text", "left out")},
        options={"separator": " "},
        rows=12,
        classes=["u", "v"],
    ),
    "R's write.table with tabs": OddFile(
        lines("a\tlabel", *[f"{i}\t{i % 3}.5\t{'uv'[i % 2]}" for i in range(1, 13)], times=1),
        {"a": number(1.5, 2.5, 0.5)},
        rows=12,
        classes=["u", "v"],
    ),
    "R's write.csv2": OddFile(
        lines(
            '"";"a";"b";"label"',
            *[f'"{i}";{i % 3},5;"{"NA" if i == 2 else "x"}";"{"uv"[i % 2]}"' for i in range(1, 13)],
            times=1,
        ),
        {"": LEFT_OUT, "a": number(1.5, 2.5, 0.5), "b": text("x", None, "x")},
        rows=12,
        notes=("count the rows",),
    ),
    "one column": OddFile(lines("label", "u", "v"), error=("column",)),
    "empty": OddFile(b"", error=("table.csv", "no rows|empty|No columns|holds no")),
    "empty lines alone": OddFile(b"\n\n \n", error=("table.csv",)),
    "names alone": OddFile(b"a,label\n", error=("table.csv", "no rows")),
    "JSON": OddFile(b'[{"a": 1, "label": "u"}]', name="table.json", error=("table.json",)),
}

NUMBERS = {
    "whole": (["30", "4", "15"], number(30, 4, 15)),
    "signs and exponents": (["+3.5", "-2", "1e-3", "1.5E+03"], number(3.5, -2, 1e-3, 1500)),
    "unicode minus": (["\N{MINUS SIGN}5", "2.5", "7"], number(-5, 2.5, 7)),
    "no digit before the point": ([".5", "-.25", "3."], number(0.5, -0.25, 3)),
    "German": (["1.234,5", "2,25", "-1.234.567,00"], number(1234.5, 2.25, -1234567)),
    "decimal commas": (["1,5", "2,25", "0,125"], number(1.5, 2.25, 0.125)),
    "English": (["1,234.5", "2.25", "-1,234,567"], number(1234.5, 2.25, -1234567)),
    "thousands": (["1,234", "12,345", "999"], number(1234, 12345, 999)),
    "thousands twice": (["1.234.567", "12.345.678", "1.000.000"], number(1234567, 12345678, 1e6)),
    "three decimals below one": (["0,125", "1,250", "2,375"], number(0.125, 1.25, 2.375)),
    "French": (
        ["1 234,5", "1\xa0234,5", "1\u202f000\u202f567,25"],
        number(1234.5, 1234.5, 1000567.25),
    ),
    "Swiss": (["1'234.50", "1\u2019234.5", "12.25"], number(1234.5, 1234.5, 12.25)),
    "Indian": (["12,34,567.50", "1,00,000", "99.5"], number(1234567.5, 100000, 99.5)),
    "percent": (["12 %", "7.5%", "100 %"], number(0.12, 0.075, 1)),
    "percent with decimal commas": (["12,5 %", "7,25 %", "-3\xa0%"], number(0.125, 0.0725, -0.03)),
    "dollars": (["$12.30", "$1,234.50", "-$5.00"], number(12.3, 1234.5, -5)),
    "euros": (["12,30 €", "1.234,50 €", "€ 7,25"], number(12.3, 1234.5, 7.25)),
    "pounds": (["£1,234", "£5.50", "£12"], number(1234, 5.5, 12)),
    "currency codes": (["CHF 1'200.00", "USD 5.25", "12.50 EUR"], number(1200, 5.25, 12.5)),
    "accountants' negatives": (["(5.00)", "12.00", "(1,234.00)"], number(-5, 12, -1234)),
    "accountants' dollars": (["($5.00)", "$ 12.25", "-"], number(-5, 12.25, None)),
    "missing words": (
        ["1.5", "NA", "n/a", "-", "?", "NULL", "nan", "2.5", "", "None", " ", "3"],
        number(1.5, None, None, None, None, None, None, 2.5, None, None, None, 3),
    ),
    "blanks around": ([" 1.5 ", "2.5\xa0", "  10"], number(1.5, 2.5, 10)),
    "infinite": (
        ["1.5", "inf", "-inf", "Infinity", "1e400", "2.5", "-1e400", "3.5"],
        number(1.5, None, None, None, None, 2.5, None, 3.5),
    ),
    "huge": (["1e31", "2.5", "-1e300", "3.5"], number(None, 2.5, None, 3.5)),
    "beyond 64 bits": (["123456789012345678901", "5", "7"], number(123456789012345678901, 5, 7)),
    "a column of zeros and ones": (["0", "1", "1", "0", "1"], number(0, 1, 1, 0, 1)),
    "more digits than a float": (["0.1234567890123456", "2.5"], number(0.1234567890123456, 2.5)),
}

TEXTS = {
    "yes and no": (["yes", "no", "yes"], text("yes", "no", "yes")),
    "phones": (["+49 30 1234567", "0171/234567", "(030) 99-12"], either("text")),
    "addresses of computers": (["192.168.0.1", "10.0.0.12", "8.8.8.8"], either("text")),
    "versions": (["1.2.3", "1.10.0", "2.0.1"], either("text")),
    "ranges": (["1-2", "10-20", "3-5"], either("text")),
    "ages": (["20-29", "30-39", "60+"], text("20-29", "30-39", "60+")),
    "results": (["3:1", "0:2", "1:1"], either("text")),
    "fractions": (["1/2", "3/4", "2/3"], either("text")),
    "weeks": (["2024-W05", "2024-W06", "2024-W31"], either("text", "date")),
    "times": (["12:30", "08:15", "23:59"], either("text", "number")),
    "codes": (["A3", "12", "B2", "7", "C1", "9", "D4", "5"], text("A3", "12", "B2", "7")),
    "quantities with units": (["12 kg", "15 kg", "7 kg"], either("text", "number")),
    "hexadecimal": (["0x1F", "0xA0", "0x00"], either("text")),
    "words that look like months": (["May", "March", "June"], text("May", "March", "June")),
    "weekdays": (["Mon", "Tue", "Sun"], text("Mon", "Tue", "Sun")),
    "ordinals": (["1st", "2nd", "3rd"], text("1st", "2nd", "3rd")),
    "objects": (['{"k": 1}', '{"k": 2}', "{}"], text('{"k": 1}', '{"k": 2}', "{}")),
    "missing words among texts": (["red", "NA", "blue", ""], text("red", None, "blue", None)),
    "blanks around texts": (["red ", " red", "blue"], text("red", "red", "blue")),
    "leading zeros": (["01234", "00501", "90210"], either("text", "number")),
    "true and false": (["TRUE", "FALSE", "TRUE"], either("text", "number")),
    "true and missing": (["True", "", "False", "NA"], either("text", "number")),
}

DATES = {
    "ISO": (["2024-04-03", "1999-12-31", ""], date("2024-04-03", "1999-12-31", None)),
    "day first": (["03/04/2024", "25/12/2024"], date("2024-04-03", "2024-12-25")),
    "month first": (["03/04/2024", "12/25/2024"], date("2024-03-04", "2024-12-25")),
    "German": (["03.04.2024", "1.12.1999"], date("2024-04-03", "1999-12-01")),
    "German, with times": (
        ["31.12.2024 14:30", "03.04.2024 08:05"],
        date("2024-12-31 14:30", "2024-04-03 08:05"),
    ),
    "American, with times": (
        ["12/31/2024 2:30 PM", "1/5/2024 12:05 AM"],
        date("2024-12-31 14:30", "2024-01-05 00:05"),
    ),
    "dashes": (["25-12-2024", "03-04-2024"], date("2024-12-25", "2024-04-03")),
    "slashes, year first": (["2024/04/03", "2024/12/25"], date("2024-04-03", "2024-12-25")),
    "months by name": (
        ["3 Apr 2024", "25 December 2024", "1-Mar-2023"],
        date("2024-04-03", "2024-12-25", "2023-03-01"),
    ),
    "American months by name": (
        ["April 3, 2024", "Dec 25, 2024"],
        date("2024-04-03", "2024-12-25"),
    ),
    "years of two digits": (
        ["25/12/24", "03/04/99", "31/01/05"],
        date("2024-12-25", "1999-04-03", "2005-01-31"),
    ),
    "times of a day": (
        ["2024-01-31 12:30", "2024-01-31T01:00:05", "2024-01-31 12:30:00.250"],
        date("2024-01-31 12:30", "2024-01-31 01:00:05", "2024-01-31 12:30:00.250"),
    ),
    "zones": (
        ["2024-01-31T12:00:00+01:00", "2024-07-31T12:00:00+02:00", "2024-01-31T12:00:00Z"],
        date("2024-01-31 11:00", "2024-07-31 10:00", "2024-01-31 12:00"),
    ),
    "months": (["2024-05", "2024-06", "2023-12"], either("date")),
    "old and future": (["1850-06-01", "2150-06-01"], date("1850-06-01", "2150-06-01")),
    "zero dates of MySQL": (
        ["2024-04-03", "0000-00-00", *[f"2024-05-{day}" for day in range(10, 20)]],
        date("2024-04-03", None, "2024-05-10"),
    ),
}

CELLS = {
    f"{kind}: {name}": OddFile(cells(*values), {"a": column})
    for kind, table in (("numbers", NUMBERS), ("texts", TEXTS), ("dates", DATES))
    for name, (values, column) in table.items()
}

MANY = [f"{i}.5" for i in range(20)]

NOTED = {
    "words among numbers": OddFile(
        cells(*MANY, "unknown", "< 5"),
        {"a": number(0.5, 1.5, *[None] * 0)},
        notes=("'a'|a:|column a", "unknown", "< 5"),
    ),
    "errors of spreadsheets": OddFile(
        cells(*MANY, "#DIV/0!"), {"a": number(0.5, 1.5)}, notes=("#DIV/0!",)
    ),
    "points of SAS": OddFile(cells(*MANY, "."), {"a": number(0.5, 1.5)}),
    "words among dates": OddFile(
        cells(*[f"{day:02}/11/2024" for day in range(10, 30)], "soon"),
        {"a": date("2024-11-10", "2024-11-11")},
        notes=("a", "soon"),
    ),
    "days or months": OddFile(
        cells("03/04/2024", "05/06/2024", "07/08/2024"),
        {"a": date("2024-04-03", "2024-06-05", "2024-08-07")},
        notes=("a", "03/04/2024|day"),
    ),
    "days that contradict": OddFile(
        cells(*["13/01/2024", "25/02/2024", "01/13/2024", "02/25/2024"]),
        {"a": either("text", "date")},
        notes=("a", "01/13/2024|13/01/2024"),
    ),
    "thousands or decimals": OddFile(
        cells("1,234", "5,678", "2,500"), {"a": number(1234, 5678, 2500)}, notes=("a", "1,234")
    ),
    "thousands or decimals among semicolons": OddFile(
        cells("1,234", "5,678", "2,500", separator=";"), {"a": number(1.234, 5.678, 2.5)}
    ),
    "decimal commas, given": OddFile(
        cells("1,234", "5,678", "2,500"),
        {"a": number(1.234, 5.678, 2.5)},
        options={"decimal": ","},
    ),
    "decimal points among semicolons, given": OddFile(
        cells("1.234", "5.678", "2.500", separator=";"),
        {"a": number(1.234, 5.678, 2.5)},
        options={"decimal": "."},
    ),
    "decimal points that are plain": OddFile(
        cells("0.234", "5.678", "2.500", separator=";"), {"a": number(0.234, 5.678, 2.5)}
    ),
    "half numbers, half words": OddFile(
        cells("12", "A", "7", "B", "9", "C", "3", "D"), {"a": text("12", "A")}, notes=("a",)
    ),
    "a number for missing": OddFile(cells("-999", "5", "7"), {"a": number(-999, 5, 7)}),
}

NAMES = {
    "the target first": OddFile(
        lines("label,a,b", "u,1.5,x", "v,2.5,y"), {"a": number(1.5, 2.5), "b": text("x", "y")}
    ),
    "blanks around names": OddFile(
        lines(" a ,\tb, label ", "1.5,x,u", "2.5,y,v"), {"a": number(1.5, 2.5), "b": text("x", "y")}
    ),
    "numbers as names": OddFile(
        lines("0,1,2", "1.5,x,u", "2.5,y,v"),
        {"0": number(1.5, 2.5), "1": text("x", "y")},
        target="2",
    ),
    "the same name twice": OddFile(
        lines("a,b,a,label", "1,x,2,u", "3,y,4,v"), error=("'a'", "1, 3")
    ),
    "the same name twice but for blanks": OddFile(
        lines("a,b, a,label", "1,x,2,u", "3,y,4,v"), error=("'a'",)
    ),
    "the target twice": OddFile(
        lines("label,a,label", "u,1,u", "v,2,v", "u,3,u"), error=("'label'",)
    ),
    "names that pandas would invent": OddFile(
        lines("a.1,a,label", "1.5,2,u", "2.5,1,v"), {"a.1": number(1.5, 2.5), "a": number(2, 1)}
    ),
    "names that differ in case": OddFile(
        lines("A,a,label", "1.5,2,u", "2.5,1,v"), {"A": number(1.5, 2.5), "a": number(2, 1)}
    ),
    "a name of brackets and signs": OddFile(
        lines("a[kg/m²] <1>,label", "1.5,u", "2.5,v"), {"a[kg/m²] <1>": number(1.5, 2.5)}
    ),
    "a column called index": OddFile(
        lines("index,label", "1.5,u", "2.5,v", "1.5,v"), {"index": number(1.5, 2.5, 1.5)}
    ),
    "no such target": OddFile(plain(), target="Label", error=("'Label'", "a, b, label")),
    "names that are missing words": OddFile(
        lines("NA,nan,label", "1.5,x,u", "2.5,y,v"), {"NA": number(1.5, 2.5), "nan": text("x", "y")}
    ),
}

INDEXES = {
    "saved": OddFile(
        lines(",a,label", *[f"{i},{i % 3},{'uv'[i % 2]}" for i in range(12)], times=1),
        {"": LEFT_OUT, "a": number(0, 1, 2)},
        notes=("index|count|row",),
    ),
    "saved twice": OddFile(
        lines(
            ",Unnamed: 0,a,label", *[f"{i},{i},{i % 3},{'uv'[i % 2]}" for i in range(12)], times=1
        ),
        {"": LEFT_OUT, "Unnamed: 0": LEFT_OUT, "a": number(0, 1, 2)},
    ),
    "saved and shuffled": OddFile(
        lines(",a,label", *[f"{i * 5 % 12},{i % 3},{'uv'[i % 2]}" for i in range(12)], times=1),
        {"": LEFT_OUT, "a": number(0, 1, 2)},
        notes=("index|count|row",),
    ),
    "counted from one": OddFile(
        lines("id,a,label", *[f"{i + 1},{i % 3},{'uv'[i % 2]}" for i in range(12)], times=1),
        {"id": LEFT_OUT, "a": number(0, 1, 2)},
        notes=("id",),
    ),
    "of rows that were dropped": OddFile(
        lines("row,a,label", *[f"{i * i},{i % 3},{'uv'[i % 2]}" for i in range(12)], times=1),
        {"row": LEFT_OUT, "a": number(0, 1, 2)},
        notes=("row",),
    ),
    "names of persons": OddFile(
        lines("id,a,label", *[f"P-{i * 7 % 12},{i % 3},{'uv'[i % 2]}" for i in range(12)], times=1),
        {"id": either("left out", "text"), "a": number(0, 1, 2)},
    ),
    "days in order": OddFile(
        lines(
            "day,a,label",
            *[f"2024-01-{i + 1:02},{i % 3},{'uv'[i % 2]}" for i in range(12)],
            times=1,
        ),
        {"day": date("2024-01-01", "2024-01-02"), "a": number(0, 1, 2)},
    ),
    "measurements in order": OddFile(
        lines(
            "size,a,label",
            *[f"{1.37 * i + i % 3},{i % 3},{'uv'[i % 2]}" for i in range(12)],
            times=1,
        ),
        {"size": number(0, 2.37), "a": number(0, 1, 2)},
    ),
    "sentences": OddFile(
        lines(
            "what,a,label",
            *[f"The case of {i * 7 % 12} nuts and bolts,{i % 3},{'uv'[i % 2]}" for i in range(12)],
            times=1,
        ),
        {"what": text("The case of 0 nuts and bolts"), "a": number(0, 1, 2)},
    ),
}


def labels(*values: str, times: int = N_TIMES) -> bytes:
    """Write labels beside a number; tabs part them."""
    rows = [f"{i % 5}.5\t{value}" for i, value in enumerate(values * times)]
    return lines("a\tlabel", *rows, times=1)


LABELS = {
    "words that pandas takes for missing": OddFile(
        labels("None", "NA", "nan", "null", "n/a", "?", "-"),
        {"a": number(0.5, 1.5)},
        classes=sorted(["None", "NA", "nan", "null", "n/a", "?", "-"]),
        rows=28,
    ),
    "empty cells": OddFile(
        labels("u", "", "v", " ", "None"), classes=["None", "u", "v"], rows=12, notes=("8",)
    ),
    "whole numbers": OddFile(labels("3", "1", "2"), classes=[1, 2, 3]),
    "whole numbers with gaps": OddFile(labels("3.0", "1.0", ""), classes=[1, 3], rows=8),
    "numbers and words": OddFile(labels("3", "1", "none"), classes=["1", "3", "none"]),
    "beyond 64 bits": OddFile(
        labels("12345678901234567890123", "12345678901234567890124"), classes=2
    ),
    "beyond the whole floats": OddFile(
        labels("9007199254740993", "9007199254740992", ""), classes=2, rows=8
    ),
    "signed": OddFile(labels("-1", "1"), classes=[-1, 1]),
    "leading zeros": OddFile(labels("01", "02", "10"), classes=3),
    "true and false": OddFile(labels("TRUE", "FALSE"), classes=2),
    "true, false and missing": OddFile(labels("True", "False", ""), classes=2, rows=8),
    "yes and no": OddFile(labels("yes", "no"), classes=["no", "yes"]),
    "blanks around": OddFile(labels("yes ", " yes", "no"), classes=["no", "yes"]),
    "upper and lower case": OddFile(labels("Yes", "yes"), classes=["Yes", "yes"]),
    "dates": OddFile(labels("2024-01-01", "2024-02-01"), classes=2),
    "ranges": OddFile(labels("<5", "5-10", ">10"), classes=sorted(["<5", "5-10", ">10"])),
    "emoji": OddFile(labels("😀", "😡"), classes=["😀", "😡"]),
    "quantities": OddFile(labels("1.5", "2.25", "3.75"), error=("'label'", "fractions|quantity")),
    "quantities with commas": OddFile(
        labels("1,5", "2,25", "3,75"), error=("'label'", "fractions|quantity")
    ),
    "one class": OddFile(labels("u"), error=("'label'", "'u'", "two classes")),
    "no labels": OddFile(labels("", " "), error=("'label'", "no label")),
    "two rows": OddFile(labels("u", "v", times=1), error=("label", "rows")),
    "a class of two rows": OddFile(labels("u", "v", times=9) + b"1.5\tw\n" * 2, error=("'w'", "2")),
    "3,000 classes": OddFile(
        labels(*[f"class {i}" for i in range(3000)]), {"a": number(0.5)}, classes=3000, rows=12_000
    ),
    "names instead of classes": OddFile(
        labels(*[f"name {i}" for i in range(300)], times=1), error=("'label'", "300")
    ),
}

VALUES = {
    "texts alone": OddFile(
        lines("a,b,label", "x,1st,u", "y,2nd,v", "x,2nd,u"),
        {"a": text("x", "y", "x"), "b": text("1st", "2nd", "2nd")},
    ),
    "a constant": OddFile(
        lines("a,b,c,label", "7,1.5,k,u", "7,2.5,k,v"), {"b": number(1.5, 2.5)}, notes=("a", "c")
    ),
    "a column without values": OddFile(
        lines("a,b,c,label", "NA,1.5,,u", "?,2.5,,v"),
        {"a": LEFT_OUT, "b": number(1.5, 2.5), "c": LEFT_OUT},
        notes=("a", "c"),
    ),
    "infinity alone": OddFile(
        lines("a,b,label", "inf,1.5,u", "-inf,2.5,v"), {"a": LEFT_OUT, "b": number(1.5, 2.5)}
    ),
}
