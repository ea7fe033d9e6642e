"""Separators, quotes and lines of delimited text."""

import csv
import io

import numpy as np
import pytest

from skbn.tables.delimited import SEPARATORS, Delimited, checked_separator
from skbn.tables.encodings import EncodedText
from skbn.tables.messages import InputError


def read(text, separator=None):
    """The separator, the header and the rows of a text."""
    table = Delimited(EncodedText(text.encode(), "utf-8"), separator)
    return table.separator, table.header, table.read().to_numpy(object).tolist()


ROWS = [["1", "x, y"], ["2", "z"]]
PLAIN = [["1", "x"], ["2", "y"]]


@pytest.mark.parametrize(
    ("text", "separator", "header", "rows"),
    [
        ("a,b\n1,x\n2,y\n", ",", ["a", "b"], PLAIN),
        ("a,b\n1,x\n2,y", ",", ["a", "b"], PLAIN),
        ("a;b\n1;x, y\n2;z\n", ";", ["a", "b"], ROWS),
        ("a\tb\n1\tx, y\n2\tz\n", "\t", ["a", "b"], ROWS),
        ("a|b\n1|x, y\n2|z\n", "|", ["a", "b"], ROWS),
        ('a,b\n1,"x, y"\n2,z\n', ",", ["a", "b"], ROWS),
        ('a, b\n1, "x, y"\n2, z\n', ",", ["a", "b"], ROWS),
        # Numbers with decimal commas, in the header too.
        ("a;b\n1,5;2,5\n3,5;4\n", ";", ["a", "b"], [["1,5", "2,5"], ["3,5", "4"]]),
        ("0,5;1,5\n1,5;2,5\n", ";", ["0,5", "1,5"], [["1,5", "2,5"]]),
        ("a,b;c\n1,5;2,5\n1;2\n", ";", ["a,b", "c"], [["1,5", "2,5"], ["1", "2"]]),
        ("a;b,c\n1;2,x\n3,y\n4,z\n", ",", ["a;b", "c"], [["1;2", "x"], ["3", "y"], ["4", "z"]]),
        # Excel's first line.
        ("sep=;\na,b;c\n1,1;2,2\n", ";", ["a,b", "c"], [["1,1", "2,2"]]),
        ('"SEP=|"\r\na,b|c\r\n1,1|2,2\r\n', "|", ["a,b", "c"], [["1,1", "2,2"]]),
        # Quotes.
        ('"a","b;\nc"\n"1","""x""\n;y"\n', ",", ["a", "b;\nc"], [["1", '"x"\n;y']]),
        ('a,b\n5" pipe,x\n', ",", ["a", "b"], [['5" pipe', "x"]]),
        *(  # other separators within quotes, in every cell
            (
                f'"a{other}b","c{other}d"\n"1{other}","{other}x"\n',
                ",",
                names,
                [[f"1{other}", f"{other}x"]],
            )
            for other in ";|\t"
            for names in ([f"a{other}b", f"c{other}d"],)
        ),
        ('"a|b";"c|""d"""\n"1|2";"3|4"\n', ";", ["a|b", 'c|"d"'], [["1|2", "3|4"]]),
        # Ends of lines.
        ("a,b\r\n1,x\r\n2,y\r\n", ",", ["a", "b"], PLAIN),
        ("a,b\r1,x\r2,y\r", ",", ["a", "b"], PLAIN),
        ("\n\n  \na,b\n\n1,x\n \n2,y\n\n", ",", ["a", "b"], PLAIN),
        # Words that pandas would take for missing, and numbers as they are written.
        ("a,b\nNA,\n007,1.50\n", ",", ["a", "b"], [["NA", ""], ["007", "1.50"]]),
        # Rows that are shorter, have names, or end with a separator.
        ("a,b,c\n1\n2,3\n", ",", ["a", "b", "c"], [["1", "", ""], ["2", "3", ""]]),
        ("a,b\n1,x\n2,\n3\n", ",", ["a", "b"], [["1", "x"], ["2", ""], ["3", ""]]),
        ('"a","b"\n"r1",1,x\n"r2",2,y\n', ",", ["a", "b"], [["r1", "1", "x"], ["r2", "2", "y"]]),
        ("a;b\n1;x;\n2;y;\n", ";", ["a", "b"], [["1", "x", ""], ["2", "y", ""]]),
    ],
)
def test_rows_are_those_of_the_text(text, separator, header, rows):
    assert read(text) == (separator, header, rows)


@pytest.mark.parametrize(
    "text", ["a\n1\n2\n", "comment\nhello, world\nfoo\n", "price\n1,5\n2,5\n", "a\n\t\n;|,\n"]
)
def test_one_column_is_a_table(text):
    _, header, rows = read(text)
    assert [header, *rows] == [[line] for line in text.splitlines() if line.strip()]


@pytest.mark.parametrize("separator", [" ", ";", "a", "~", "¦", "\x01", "·"])
def test_a_separator_may_be_any_letter(separator):
    text = "X~Y\n1~'N'\n2~\"~,\"\n3~\n4\n".replace("~", separator).replace(
        f'"{separator},"', '"~,"'
    )
    _, header, rows = read(text, separator)
    assert header == ["X", "Y"]
    assert rows == [["1", "'N'"], ["2", "~,"], ["3", ""], ["4", ""]]


@pytest.mark.parametrize(
    ("given", "letter"), [("tab", "\t"), ("TAB", "\t"), ("\\t", "\t"), ("\t", "\t"), (" ", " ")]
)
def test_separators_that_users_name(given, letter):
    assert checked_separator(given) == letter


@pytest.mark.parametrize("given", ["", "::", "comma", '"', "\n", "\r", "\0"])
def test_separators_of_more_letters_are_refused(given):
    with pytest.raises(InputError, match="--separator must be one letter, such as ';', or tab"):
        checked_separator(given)


MANY = "1,x\n" * 300


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a,b\n1,2,3,4\n", "Expected 2 fields in line 2, saw 4; the first line must name the"),
        ("a,b\n1,x\n1,2,3,4,5\n", "Expected 2 fields in line 3, saw 5"),
        ("a,b\n" + MANY + "1,2,3\n", "Expected 2 fields in line 302, saw 3"),
        ('a,b\n"\n",x\n\n' + MANY + "1,2,3\n", "Expected 2 fields in line 305, saw 3"),
        ("sep=,\na,b\n" + MANY + "1,2,3\n", "Expected 2 fields in line 303, saw 3"),
        ("Report 2024\na,b,c\n1,2,3\n", "in line 2, saw 3; .* and names: Report 2024"),
        ('a,b\n1,"x\n2,y\n', "a quote is opened in line 3 or before, and never closed"),
        ("", "the file is empty"),
        (" \n\n", "the file is empty"),
    ],
)
@pytest.mark.parametrize("separator", [None, ","])
def test_rows_that_do_not_fit_are_told(text, message, separator):
    with pytest.raises(InputError, match=message):
        read(text, separator)


def test_any_cells_come_back():
    """What csv writes is read, whatever the separator, the quotes and the letters."""
    stream = np.random.default_rng(0)
    letters = [*"ab1 ,;|\t\"'\n\r.é€", "\r\n", "NA", '""']
    for _ in range(200):
        separator = stream.choice(list(SEPARATORS))
        n_rows, n_columns = stream.integers(2, 6, 2)
        cells = [
            ["".join(stream.choice(letters, stream.integers(0, 5))) for _ in range(n_columns)]
            for _ in range(n_rows)
        ]
        file = io.StringIO(newline="")
        end = str(stream.choice(["\n", "\r\n", "\r"]))
        writer = csv.writer(file, delimiter=separator, quoting=csv.QUOTE_ALL, lineterminator=end)
        writer.writerows([[f"name {k}" for k in range(n_columns)], *cells])
        found, header, rows = read(file.getvalue())
        assert found == separator
        assert header == [f"name {k}" for k in range(n_columns)]
        assert rows == cells


def test_the_limit_of_csv_is_as_before():
    before = csv.field_size_limit()
    _, _, rows = read(f"a,b\n{'x' * 200_000},1\n2\n")
    assert rows == [["x" * 200_000, "1"], ["2", ""]]
    with pytest.raises(InputError):
        read("a,b\n1,2,3,4\n")
    assert csv.field_size_limit() == before
