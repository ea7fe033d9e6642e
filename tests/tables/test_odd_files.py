"""Files as people have them: what is understood of each, or the one line that says why not."""

import re

import numpy as np
import odd_files
import odd_typed_files
import pandas as pd
import pytest

from skbn.__main__ import main
from skbn.tables.columns import converted
from skbn.tables.files import read_table
from skbn.tables.messages import InputError
from skbn.tables.target import check_classes, split_target
from skbn.tables.training_table import training_table

ODD_FILES = {
    f"{table.lower()}: {name}": odd_file
    for module in (odd_files, odd_typed_files)
    for table, entries in vars(module).items()
    if table.isupper() and isinstance(entries, dict)
    for name, odd_file in entries.items()
    if isinstance(odd_file, odd_files.OddFile)
}


def write(odd_file, folder):
    """Write a file; its path, or its address if it is none of this machine's."""
    if "://" in odd_file.name:
        return odd_file.name
    path = folder / odd_file.name
    if callable(odd_file.content):
        if path.suffix == ".xlsx":
            pytest.importorskip("openpyxl")
        odd_file.content(path)
    else:
        path.write_bytes(odd_file.content)
    return path


def understand(path, odd_file):
    """What the command makes of a file before it trains."""
    options = dict(odd_file.options)
    decimal = options.pop("decimal", None)
    read = read_table(path, **options)
    features, labels, notes = split_target(read.frame, odd_file.target, is_text=read.is_text)
    check_classes(labels, odd_file.target, folds=2, test_size=0.25)
    table = training_table(features, labels, decimal, read.decimal)
    missing = [f"{len(read.frame) - len(labels)} rows without a label"]
    table.remarks += [*read.notes, *notes, *missing[: len(labels) < len(read.frame)]]
    return table


def assert_holds(words, pattern):
    assert re.search(pattern, words), f"{pattern!r} is not in {words!r}"


def assert_cells(column, kind, expected):
    found = column.to_list()[: len(expected)]
    if kind == "number":
        assert column.dtype.kind == "f"
        np.testing.assert_allclose(found, np.array(expected, dtype=float), rtol=1e-12)
    elif kind == "date":
        assert found == [pd.NaT if cell is None else pd.Timestamp(cell) for cell in expected]
    else:
        assert [None if pd.isna(cell) else cell for cell in found] == list(expected)


def assert_understood(odd_file, table):
    classes = sorted(set(table.labels.tolist()))
    if isinstance(odd_file.classes, int):
        assert len(classes) == odd_file.classes
    else:
        assert classes == odd_file.classes
    assert odd_file.rows in (None, len(table.labels))
    notes = "\n".join([*table.left_out_lines(), *table.remarks])
    for name, column in odd_file.columns.items():
        form = table.forms.get(name, {"kind": "left out"})
        assert form["kind"] in column.kinds, (name, form, notes)
        if form["kind"] != "left out":
            assert_cells(converted(table.features[name], form), form["kind"], column.cells)
    assert not odd_file.columns or table.forms.keys() <= odd_file.columns.keys()
    for words in odd_file.notes:
        assert_holds(notes, words)
    assert not (odd_file.silent and notes)


@pytest.mark.parametrize("name", ODD_FILES)
def test_understood(name, tmp_path):
    odd_file = ODD_FILES[name]
    path = write(odd_file, tmp_path)
    if odd_file.error:
        with pytest.raises(InputError) as caught:
            understand(path, odd_file)
        for words in odd_file.error:
            assert_holds(str(caught.value), words)
    else:
        assert_understood(odd_file, understand(path, odd_file))


@pytest.fixture
def run(capsys):
    """Run the command: its status, stdout and stderr."""

    def run(*arguments):
        status = main([*map(str, arguments), "--candidates", "2", "--folds", "2"])
        return status, *capsys.readouterr()

    return run


@pytest.mark.slow
@pytest.mark.parametrize(
    "name",
    [
        "encodings: Excel's Unicode text",
        "separators: semicolons and decimal commas",
        "labels: words that pandas takes for missing",
        "indexes: saved and shuffled",
        "noted: words among numbers",
        "values: a column without values",
        "values: texts alone",
        "parquet: of polars",
        "excel: mixed cells",
    ],
)
def test_command_reports_what_is_understood(name, tmp_path, run):
    odd_file = ODD_FILES[name]
    options = [word for key, value in odd_file.options.items() for word in (f"--{key}", value)]
    status, out, err = run(write(odd_file, tmp_path), "--target", odd_file.target, *options)
    assert status == 0, err
    classes = odd_file.classes
    n_classes = classes if isinstance(classes, int) else len(classes)
    assert_holds(out, rf"{odd_file.rows or '[0-9]+'} rows, {n_classes} classes")
    for words in odd_file.notes:
        assert_holds(out, words)
