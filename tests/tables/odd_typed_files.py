"""Files whose cells have types, and archives: each with what must be understood of it."""

from __future__ import annotations

import bz2
import datetime
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from odd_files import AB, LEFT_OUT, OddFile, date, either, number, plain, text

LABEL = ["u", "v", "u", "v"] * 3


def zipped(**members: bytes) -> bytes:
    """Archive these files."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return buffer.getvalue()


PLAIN = plain()
ARCHIVES = {
    "gzip": OddFile(gzip.compress(PLAIN), AB, name="table.csv.gz", rows=12),
    "gzip of a strange export": OddFile(
        gzip.compress(plain(";", encoding="utf-16", end="\r\n")), AB, name="table.txt.gz"
    ),
    "xz": OddFile(lzma.compress(PLAIN), AB, name="table.csv.xz", rows=12),
    "bz2": OddFile(bz2.compress(PLAIN), AB, name="table.csv.bz2", rows=12),
    "zip": OddFile(zipped(t=PLAIN), AB, name="table.zip", rows=12),
    "zip of two files": OddFile(zipped(t=PLAIN, s=PLAIN), name="table.zip", error=("table.zip",)),
    "gzip in name alone": OddFile(PLAIN, AB, name="table.csv.gz"),
    "half a gzip": OddFile(gzip.compress(PLAIN * 99)[:-20], name="t.csv.gz", error=("t.csv.gz",)),
    "upper case": OddFile(PLAIN, AB, name="TABLE.CSV"),
    "no ending": OddFile(PLAIN, AB, name="table"),
}


def pandas_frame(**columns: Any) -> pd.DataFrame:
    """Make a frame of three times four cells a column, and labels."""
    return pd.DataFrame({**columns, "label": LABEL[:4]}).iloc[[0, 1, 2, 3] * 3]


def parquet(frame: Callable[[], pd.DataFrame], columns: Any = None, **expected: Any) -> OddFile:
    """Write a frame of pandas."""
    return OddFile(
        lambda path: frame().to_parquet(path), columns or {}, name="table.parquet", **expected
    )


def written_by_polars(columns: dict[str, Any], expected: Any) -> OddFile:
    def write(path: Path) -> None:
        import polars

        frame = polars.DataFrame({**columns, "label": LABEL[:4]}, strict=False)
        polars.concat([frame] * 3).write_parquet(path)

    return OddFile(write, expected, name="table.parquet", rows=12)


def written_by_arrow(names: list[str], *columns: Any, **expected: Any) -> OddFile:
    def write(path: Path) -> None:
        import pyarrow
        import pyarrow.parquet

        arrays = [pyarrow.array(column * 3) for column in columns]
        pyarrow.parquet.write_table(pyarrow.Table.from_arrays(arrays, names=names), path)

    return OddFile(write, name="table.parquet", **expected)


DAYS = [datetime.date(2024, 4, 3), None, datetime.date(1999, 12, 31), datetime.date(2024, 4, 3)]
TIMES = ["2024-04-03 12:00", None, "1999-12-31 00:00", "2024-04-03 00:00"]
PARQUET = {
    "of pandas": parquet(
        lambda: pandas_frame(a=[1.5, np.nan, np.inf, 1e31], b=["x", None, "y", "NA"]).reset_index(
            drop=True
        ),
        {"a": number(1.5, None, None, None), "b": text("x", None, "y", None)},
        rows=12,
        classes=["u", "v"],
    ),
    "with a named index": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).set_index(
            pd.Index([f"c{i * 5 % 12}" for i in range(12)], name="customer")
        ),
        {"a": number(1.5, 2.5), "customer": either("left out", "text")},
        rows=12,
    ),
    "with a shuffled index": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).set_axis([i * 5 % 12 for i in range(12)]),
        {"a": number(1.5, 2.5)},
        rows=12,
    ),
    "of extension types": parquet(
        lambda: pandas_frame(
            a=pd.array([5, None, 2, 4], dtype="Int64"),
            b=pd.array([True, None, False, True], dtype="boolean"),
            c=pd.Categorical(["x", None, "y", "x"]),
            d=pd.Categorical([3, None, 1, 3]),
            e=pd.array(["x", None, "y", "x"], dtype="string"),
        ),
        {
            "a": number(5, None, 2, 4),
            "b": either("number", "text"),
            "c": text("x", None, "y", "x"),
            "d": either("number", "text"),
            "e": text("x", None, "y", "x"),
        },
    ),
    "of times": parquet(
        lambda: pandas_frame(
            a=pd.to_datetime(TIMES),
            b=pd.to_datetime(TIMES).tz_localize("Europe/Berlin"),
            c=pd.to_timedelta([1, None, 2, 3], unit="h"),
        ),
        {
            "a": date("2024-04-03 12:00", None, "1999-12-31"),
            "b": date("2024-04-03 10:00", None, "1999-12-30 23:00"),
            "c": either("number", "text", "left out"),
        },
    ),
    "of integers of all sizes": parquet(
        lambda: pandas_frame(
            a=np.array([5, 3, 200, 1], dtype="uint8"),
            b=np.array([2**64 - 1, 3, 2**63, 1], dtype="uint64"),
            c=np.array([1.5, 2.5, -3, 0], dtype="float32"),
        ),
        {"a": number(5, 3, 200, 1), "b": number(2**64 - 1, 3, 2**63, 1), "c": number(1.5, 2.5)},
    ),
    "labels of a category": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).assign(
            label=pd.Categorical(LABEL, categories=["v", "w", "u"])
        ),
        {"a": number(1.5, 2.5)},
        classes=["u", "v"],
    ),
    "labels that are integers with gaps": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).assign(label=[1.0, 2.0, 1.0, np.nan] * 3),
        classes=[1, 2],
        rows=9,
        notes=("3",),
    ),
    "labels that are booleans": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).assign(label=[True, False] * 6),
        classes=[False, True],
    ),
    "labels that are words for missing": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).assign(label=["None", "NA", "u", None] * 3),
        classes=["NA", "None", "u"],
        rows=9,
    ),
    "labels that are unsigned": parquet(
        lambda: pandas_frame(a=[1.5, 2.5, 10, 1]).assign(
            label=np.array([2**64 - 1, 2**64 - 2] * 6, dtype="uint64")
        ),
        classes=2,
        notes=("64 bits",),
    ),
    "numbers as texts": parquet(
        lambda: pandas_frame(
            a=["1,5", "2,25", "NA", ""], b=["$3.50", "($2.00)", "$1,000.25", None]
        ),
        {"a": number(1.5, 2.25, None, None), "b": number(3.5, -2, 1000.25, None)},
    ),
    "of polars": written_by_polars(
        {
            "a": [1.5, None, float("nan"), 2.5],
            "b": ["x", None, "y", "x"],
            "c": DAYS,
            "d": [datetime.time(12, 30), None, datetime.time(1), datetime.time(2)],
            "e": [None] * 4,
            "f": [True, None, False, True],
            "g": [datetime.timedelta(hours=1), None, datetime.timedelta(2), datetime.timedelta(3)],
        },
        {
            "a": number(1.5, None, None, 2.5),
            "b": text("x", None, "y", "x"),
            "c": date("2024-04-03", None, "1999-12-31", "2024-04-03"),
            "d": either("text", "number", "left out"),
            "e": LEFT_OUT,
            "f": either("number", "text"),
            "g": either("number", "text", "left out"),
        },
    ),
    "of decimals, lists and bytes": written_by_arrow(
        ["a", "b", "c", "d", "label"],
        [Decimal("12.30"), None, Decimal("-5.05"), Decimal("7.00")],
        [[1, 2], None, [3], []],
        [{"k": 1}, None, {"k": 2}, {"k": 1}],
        [b"x", None, b"\xff", b"x"],
        LABEL[:4],
        columns={
            "a": number(12.3, None, -5.05, 7),
            "b": either("text", "left out"),
            "c": either("text", "left out"),
            "d": either("text", "left out"),
        },
    ),
    "the same name twice": written_by_arrow(
        ["a", "a", "label"], [1, 2, 3, 4], [1, 2, 3, 4], LABEL[:4], error=("'a'|table.parquet",)
    ),
    "without rows": parquet(lambda: pandas_frame(a=[1, 2, 3, 4]).iloc[:0], {}, error=("no rows",)),
    "in name alone": OddFile(PLAIN, name="table.parquet", error=("table.parquet",)),
}


def excel(sheets: dict[str, list[list[Any]]], columns: Any = None, **expected: Any) -> OddFile:
    """Write sheets of rows, the names first."""

    def write(path: Path) -> None:
        import openpyxl

        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        book.save(path)

    return OddFile(write, columns or {}, name="table.xlsx", **expected)


SHEET = [["a", "b", "label"], *[[1.5, "x", "u"], [2.5, "y", "v"], [10, "x", "u"]] * 4]
WHEN = datetime.datetime(2024, 4, 3, 12, 30)
EXCEL = {
    "one sheet": excel({"data": SHEET}, AB, rows=12, classes=["u", "v"]),
    "several sheets": excel({"data": SHEET, "notes": [["see"]]}, AB, rows=12, notes=("notes",)),
    "an empty sheet first": excel({"cover": [], "data": SHEET}, AB, rows=12),
    "dates": excel(
        {"data": [["a", "label"], *[[WHEN, "u"], [None, "v"], [DAYS[2], "u"]] * 4]},
        {"a": date("2024-04-03 12:30", None, "1999-12-31")},
    ),
    "mixed cells": excel(
        {
            "data": [
                ["a", "b", "c", "label"],
                *[
                    [5, "12,5 %", True, 1],
                    ["6,5", "3 %", False, 2],
                    ["NA", None, None, 1],
                    [7.25, "100 %", True, 2],
                    ["  8 ", "0 %", False, 1],
                ]
                * 4,
            ]
        },
        {
            "a": number(5, 6.5, None, 7.25, 8),
            "b": number(0.125, 0.03, None, 1, 0),
            "c": either("number", "text"),
        },
        classes=[1, 2],
        rows=20,
    ),
    "numbers and words": excel(
        {"data": [["a", "label"], *[["A1", "u"], [12, "v"], ["B2", "u"], [7, "v"]] * 4]},
        {"a": text("A1", "12", "B2", "7")},
    ),
    "numbers as names": excel(
        {"data": [[2023, 2024, "label"], *[[1.5, "x", "u"], [2.5, "y", "v"]] * 4]},
        {"2023": number(1.5, 2.5), "2024": text("x", "y")},
    ),
    "labels that are words for missing": excel(
        {"data": [["a", "label"], *[[1.5, "None"], [2.5, "NA"], [7.5, None], [1, "u"]] * 4]},
        classes=["NA", "None", "u"],
        rows=12,
    ),
    "an empty column and rows at the end": excel(
        {"data": [["a", None, "label"], *[[1.5, None, "u"], [2.5, None, "v"]] * 4, [None] * 3]},
        {"a": number(1.5, 2.5)},
        rows=8,
    ),
    "the same name twice": excel(
        {"data": [["a", "a", "label"], *[[1.5, 2, "u"], [2.5, 3, "v"]] * 4]}, error=("'a'",)
    ),
    "names alone": excel({"data": SHEET[:1]}, error=("no rows",)),
    "in name alone": OddFile(PLAIN, AB, name="table.xlsx"),
    "of the last century": OddFile(
        bytes.fromhex("d0cf11e0a1b11ae1") + bytes(600), name="table.xls", error=("table.xls",)
    ),
}

PLACES = {
    "a URL": OddFile(
        lambda path: None, name="https://example.com/table.csv", error=("https", "download|URL")
    ),
    "a bucket": OddFile(lambda path: None, name="s3://bucket/table.csv", error=("s3:",)),
    "a folder": OddFile(lambda path: path.mkdir(), name="table", error=("folder|directory",)),
    "a folder that ends in .parquet": OddFile(
        lambda path: path.mkdir(), name="table.parquet", error=("folder|directory|table.parquet",)
    ),
    "nothing": OddFile(lambda path: None, error=("table.csv", "No such file")),
    "a folder that is not there": OddFile(
        lambda path: None, name="no/table.csv", error=("no/table.csv", "No such file")
    ),
}
