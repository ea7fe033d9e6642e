"""Files of delimited text, Excel and Parquet."""

import builtins
import datetime
import decimal
import gzip
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from skbn.tables.files import read_table
from skbn.tables.messages import InputError


def told(path, **options):
    """The error of a file, in one line without the path."""
    with pytest.raises(InputError) as error:
        read_table(path, **options)
    message = str(error.value)
    assert "\n" not in message
    return message.replace(str(path), "FILE")


@pytest.fixture
def write(tmp_path):
    def write(content, name="table.csv"):
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


@pytest.mark.parametrize(
    ("text", "names", "rows"),
    [
        ("a,b\n1,x\n2,\n", ["a", "b"], [["1", "x"], ["2", ""]]),
        (" a ,\tb\n1,x\n", ["a", "b"], [["1", "x"]]),
        ("3,1\n1,x\n", ["3", "1"], [["1", "x"]]),
        (",a\n0,1\n1,2\n", ["Unnamed: 0", "a"], [["0", "1"], ["1", "2"]]),
        ("a,,b\n0,1,2\n", ["a", "Unnamed: 1", "b"], [["0", "1", "2"]]),
        ("a, ,b\n0,,2\n", ["a", "b"], [["0", "2"]]),  # without name and values
        ("a;b;\n1;x;\n", ["a", "b"], [["1", "x"]]),
        ("a;b;;\n1;x;;\n2;y\n", ["a", "b"], [["1", "x"], ["2", "y"]]),
        ("a;b\n1;x;\n2;y;\n", ["a", "b"], [["1", "x"], ["2", "y"]]),
        ("a;b\n1;x;;;\n2;y;\n", ["a", "b"], [["1", "x"], ["2", "y"]]),
        ("a;b\n1;x\n2;y;\n", ["a", "b"], [["1", "x"], ["2", "y"]]),
        ("a\n1\n2\n", ["a"], [["1"], ["2"]]),
    ],
)
def test_columns_and_rows_of_text(write, text, names, rows):
    table = read_table(
        write(text),
    )
    assert table.frame.columns.tolist() == names
    assert table.frame.to_numpy(object).tolist() == rows
    assert table.is_text
    assert table.notes == []
    assert table.decimal == ("," if ";" in text else None)


@pytest.mark.parametrize(
    ("text", "separator", "rows"),
    [
        ('"a" "b"\n"1" 1 "x"\n"2" 2 ""\n', " ", [["1", "1", "x"], ["2", "2", ""]]),
        (
            "a,b\nMazda RX4,1,x\nFiat 128,1,x\n",
            None,
            [["Mazda RX4", "1", "x"], ["Fiat 128", "1", "x"]],
        ),
    ],
)
def test_names_of_rows_are_noted(write, text, separator, rows):
    table = read_table(write(text), separator=separator)
    assert table.frame.columns.tolist() == ["Unnamed: 0", "a", "b"]
    assert table.frame.to_numpy(object).tolist() == rows
    assert table.notes == [
        "rows have one field more than there are names; the first one was taken for the name of "
        "the row"
    ]


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("a,target\n52,51,u\n53,1,v\n52,2,u\n", 2),  # decimal commas
        ("a,target\n" + "1,5,u\n1,25,v\n" * 200, 2),
        ("sep=,\n\na,target\n\n52,51,u\n52,5,v\n", 5),
        ("name;target\nx;y;u\nx;z;v\n", 2),
    ],
)
def test_fields_that_repeat_are_no_names_of_rows(write, text, line):
    message = told(write(text))
    assert f"one field more than there are names, the first in line {line}, and" in message
    assert "are there decimal commas without quotes" in message
    assert "--separator" in message


def test_rows_that_are_short_are_noted(write):
    (note,) = read_table(write("a,b,c\n1,2,3\n4\n5,6\n7,8,\n")).notes
    assert note == (
        "rows with fewer fields than the 3 columns: 2, the first in line 3; the cells that they "
        "lack count as empty"
    )
    assert "2 columns: 1, the first in line 4" in read_table(write("a,b,\n1,2\n3,4,\n5\n")).notes[0]


def test_encodings_and_separators_are_passed_on(write):
    path = write(gzip.compress("имя\tb\n1\tж\n".encode("cp1251")), "table.tsv.gz")
    frame = read_table(str(path), separator="tab", encoding="cp1251").frame
    assert frame.to_dict("list") == {"имя": ["1"], "b": ["ж"]}
    assert "was read as cp1252" in read_table(path).notes[0]


@pytest.mark.parametrize("name", ["table.CSV", "table", "table.data", "table.xls", "table.txt.gz"])
def test_text_may_have_any_suffix(write, name):
    assert read_table(write("a\tb\n1\tx\n", name)).frame.to_dict("list") == {"a": ["1"], "b": ["x"]}


RUBBISH = bytes(range(256)) * 20


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("table.csv", "", "cannot read FILE: the file is empty"),
        ("table.csv", "\n", "cannot read FILE: the file is empty"),
        ("table.xlsx", "", "cannot read FILE: the file is empty"),
        ("table.csv", "a,label\n", "FILE holds no rows, only the names a, label"),
        ("table.csv", ",,\n,,\n", "FILE holds no rows"),
        ("table.csv", "a,b\n1,2\n1,2,3\n", "cannot read FILE: Expected 2 fields in line 3, saw 3"),
        ("table.csv", "a,b\n1,2,3\n1,2\n", "cannot read FILE: Expected 2 fields in line 2, saw 3"),
        (
            "table.csv",
            "a,b\n1,2,,\n" + "1,2\n" * 200 + "1,2,3,4\n",
            "cannot read FILE: Expected 2 fields in line 2, saw 4",
        ),
        ("table.csv", RUBBISH, "cannot read FILE: byte 0 is zero, which no text holds"),
        ("table.csv.gz", RUBBISH, "cannot read FILE: byte 0 is zero"),
        ("table.zip", RUBBISH, "cannot read FILE: byte 0 is zero"),
        ("table.csv", gzip.compress(b"a" * 99)[:20], "cannot read FILE: no CSV, Excel or Parquet"),
        (
            "table.csv",
            b"PK\x03\x04" + RUBBISH,
            "cannot read FILE: no CSV, Excel or Parquet table (",
        ),
        ("table.xlsx", b"PK\x03\x04" + RUBBISH, "cannot read FILE: no CSV, Excel or Parquet table"),
        ("table.parquet", RUBBISH, "cannot read FILE: no CSV, Excel or Parquet table ("),
        ("table.feather", RUBBISH, "cannot read FILE: no CSV, Excel or Parquet table ("),
        (
            "table.csv",
            "a,label,a , b,label,\n1,2,3,4,5,6\n",
            "cannot read FILE: columns must have names that differ; repeated are: "
            "'a' (columns 1, 3), 'label' (columns 2, 5)",
        ),
    ],
)
def test_files_without_a_table_are_told(write, name, content, message):
    if name.endswith(("parquet", "feather")):
        pytest.importorskip("pyarrow")
    assert told(write(content, name)).startswith(message)


def test_repeated_names_are_told_before_rows_are_read(write, monkeypatch):
    monkeypatch.setattr(pd, "read_csv", None)
    assert "repeated are: 'a' (columns 1, 2)" in told(write("a,a\n1,2\n"))


@pytest.mark.parametrize("kind", [str, Path])
@pytest.mark.parametrize(
    "address", ["https://a.b/c.csv", "s3://bucket/c.parquet", "ftp://a.b/c.xlsx", "HTTP://a.b/c"]
)
def test_addresses_are_refused_in_words(kind, address):
    scheme = address.split(":")[0]
    with pytest.raises(InputError) as error:
        read_table(kind(address))
    assert str(error.value) == (
        f"cannot read {address}: it is an address ({scheme}), and only files of this machine are "
        "read; download it first"
    )


def test_absent_files_and_folders(tmp_path):
    assert told(tmp_path / "no.csv") == "cannot read FILE: No such file or directory"
    assert told(tmp_path / "no:" / "no.csv") == "cannot read FILE: No such file or directory"
    assert told(tmp_path) == "cannot read FILE: it is a directory; give a file in it"
    (tmp_path / "many.parquet").mkdir()
    assert (
        told(tmp_path / "many.parquet") == "cannot read FILE: it is a directory; give a file in it"
    )


def test_wrong_options_are_told_before_the_file():
    assert told("no.csv", separator="::").startswith("--separator must be one letter")


DAY = datetime.datetime(2024, 5, 1)


@pytest.fixture
def workbook(tmp_path):
    """Write sheets, lists of rows by name."""
    openpyxl = pytest.importorskip("openpyxl")

    def workbook(**sheets):
        book = openpyxl.Workbook()
        book.remove(book.active)
        for name, rows in sheets.items():
            sheet = book.create_sheet(name)
            for row in rows:
                sheet.append(row)
        book.save(tmp_path / "book.xlsx")
        return tmp_path / "book.xlsx"

    return workbook


def test_excel_keeps_types_and_words(workbook):
    rows = [
        [" n", "x", 3, "day", "mixed", "gaps", "yes"],
        [1, 1.5, "NA", DAY, 1, None, True],
        [2, 2, "None", DAY, "n/a", 5, False],
        [3, None, "", DAY, 3, 6, True],
    ]
    table = read_table(workbook(one=rows))
    frame = table.frame
    assert frame.columns.tolist() == ["n", "x", "3", "day", "mixed", "gaps", "yes"]
    kinds = [frame[name].dtype.kind for name in ("n", "x", "day", "gaps", "yes")]
    assert kinds == ["i", "f", "M", "f", "b"]
    assert frame["3"][:2].tolist() == ["NA", "None"]
    assert frame["mixed"].tolist() == [1, "n/a", 3]
    assert frame.isna().sum().to_dict() | {} == {
        "n": 0,
        "x": 1,
        "3": 1,
        "day": 0,
        "mixed": 0,
        "gaps": 1,
        "yes": 0,
    }
    assert (table.notes, table.decimal, table.is_text) == ([], None, False)


def test_excel_tables_may_stand_anywhere_in_the_first_sheet(workbook):
    rows = [[None], [None, "a", None, "b"], [None], [None, 1, None, "x"], [None, 2, None, "y"]]
    table = read_table(workbook(first=rows, other=[["c"], [1]]))
    assert table.frame.to_dict("list") == {"a": [1, 2], "b": ["x", "y"]}
    assert table.notes == [
        "sheet 'first' was read, of: first, other; move another one to the front to have it read"
    ]


def test_formulas_without_a_value_are_noted(workbook):
    rows = [[None], ["a", "b", "c"], [1, "=A3*2", "x"], [2, "=A4*2", None], [3, 5, "=A1"]]
    (note,) = read_table(workbook(one=rows)).notes
    assert note.startswith("formulas without a stored value: 3 cells, which count as empty; open")
    assert read_table(workbook(one=[["a", "b"], [1, "x"], [2, None]])).notes == []


def test_excel_errors(workbook, monkeypatch):
    assert told(workbook(one=[])) == "FILE holds no rows"
    assert told(workbook(one=[["a", "b"]])) == "FILE holds no rows, only the names a, b"
    assert "repeated are: 'a' (columns 1, 2)" in told(workbook(one=[["a", "a "], [1, 2]]))
    path = workbook(one=[["a"], [1]])
    path.rename(path.with_suffix(".csv"))
    assert "file of Excel, whose name must end in .xlsx" in told(path.with_suffix(".csv"))


@pytest.mark.parametrize(
    ("suffix", "package"),
    [(".xlsx", '"skbn[excel]"'), (".XLSM", '"skbn[excel]"'), (".xls", "xlrd"), (".ods", "odfpy")],
)
def test_excel_without_its_package_is_told(write, monkeypatch, suffix, package):
    def absent(name, *_, **__):
        raise ImportError(name)

    monkeypatch.setattr(pd, "ExcelFile", absent)
    path = write(b"PK\x03\x04", f"book{suffix}")
    assert (
        told(path) == f"cannot read FILE: files of this kind need a package: pip install {package}"
    )


def test_parquet_without_its_package_is_told(write, monkeypatch):
    original = builtins.__import__

    def absent(name, *rest, **options):
        if name.split(".")[0] in ("pyarrow", "fastparquet"):
            raise ImportError(name)
        return original(name, *rest, **options)

    monkeypatch.setattr(builtins, "__import__", absent)
    message = told(write(b"PAR1", "table.parquet"))
    assert message == "cannot read FILE: files of this kind need a package: pip install pyarrow"


FRAME = pd.DataFrame({"a": [1, 2, 3], "b": ["x", None, "NA"], "3": [0.5, np.nan, 2]})


@pytest.mark.parametrize(
    ("frame", "names"),
    [
        (FRAME, ["a", "b", "3"]),
        (FRAME.set_index("b"), ["b", "a", "3"]),
        (FRAME.set_index(["3", "a"]), ["3", "a", "b"]),
        (FRAME.iloc[::2], ["a", "b", "3"]),  # an index without a name is none of the columns
        (FRAME.set_axis(list("xyz")), ["a", "b", "3"]),
        (FRAME.rename(columns=" {} ".format), ["a", "b", "3"]),
        (FRAME.rename(columns={"a": ""}), ["Unnamed: 0", "b", "3"]),
        (FRAME.rename(columns={"a": "", "b": "B"}).assign(a=1), ["Unnamed: 0", "B", "3", "a"]),
    ],
)
@pytest.mark.parametrize("suffix", [".parquet", ".PQ"])
def test_parquet_of_pandas(tmp_path, frame, names, suffix):
    pytest.importorskip("pyarrow")
    path = tmp_path / f"table{suffix}"
    frame.to_parquet(path)
    table = read_table(path)
    assert table.frame.columns.tolist() == names
    assert table.frame.index.equals(pd.RangeIndex(len(frame)))
    assert (table.notes, table.decimal, table.is_text) == ([], None, False)
    flat = frame.reset_index(drop=frame.index.names == [None])
    for name, expected in zip(names, flat.columns, strict=True):
        left, right = table.frame[name], flat[expected]
        assert left.isna().tolist() == right.isna().tolist()
        assert left.dropna().tolist() == right.dropna().tolist()


def test_repeated_names_of_parquet(tmp_path):
    pytest.importorskip("pyarrow")
    FRAME.rename(columns={"a": "b "}).to_parquet(tmp_path / "t.parquet")
    assert "repeated are: 'b' (columns 1, 2)" in told(tmp_path / "t.parquet")
    FRAME.set_axis(pd.Index([4, 5, 7], name="b")).to_parquet(tmp_path / "t.parquet")
    assert "repeated are: 'b' (columns 1, 3)" in told(tmp_path / "t.parquet")
    pyarrow = pytest.importorskip("pyarrow")
    twice = pyarrow.table([[1], [2], ["u"]], names=["a", "b", "a"])
    pytest.importorskip("pyarrow.parquet").write_table(twice, tmp_path / "t.parquet")
    assert told(tmp_path / "t.parquet") == (
        "cannot read FILE: columns must have names that differ; repeated are: 'a' (columns 1, 3)"
    )


def test_parquet_of_polars(tmp_path):
    pl, _ = pytest.importorskip("polars"), pytest.importorskip("pyarrow")
    cells = {
        "text": ["x", None, "None"],
        "category": pl.Series(["u", "v", None], dtype=pl.Categorical),
        "enum": pl.Series(["u", "v", None], dtype=pl.Enum(["v", "u"])),
        "whole": pl.Series([1, 2, 3], dtype=pl.UInt8),
        "large": pl.Series([1, 2, 2**64 - 1], dtype=pl.UInt64),
        "money": pl.Series([decimal.Decimal("1.50"), None, decimal.Decimal("2.00")]),
        "date": [DAY.date(), None, DAY.date()],
        "time": [DAY, None, DAY],
        "duration": [datetime.timedelta(days=1)] * 3,
        "boolean": [True, None, False],
    }
    frame = pl.DataFrame(cells)
    frame.write_parquet(tmp_path / "t.parquet")
    read = read_table(tmp_path / "t.parquet").frame
    assert read.columns.tolist() == list(cells)
    for column, expected in frame.to_dict(as_series=False).items():
        cells_read = read[column].astype(object)
        assert [None if pd.isna(cell) else cell for cell in cells_read] == expected, column


def test_feather(tmp_path):
    pytest.importorskip("pyarrow")
    FRAME.to_feather(tmp_path / "t.feather")
    assert read_table(tmp_path / "t.feather").frame.equals(pd.read_feather(tmp_path / "t.feather"))


def test_rows_of_parquet_must_be_some(tmp_path):
    pytest.importorskip("pyarrow")
    FRAME[:0].to_parquet(tmp_path / "t.parquet")
    assert told(tmp_path / "t.parquet") == "FILE holds no rows, only the names a, b, 3"
