"""``python -m skbn drift``: a report on what moved between two tables, for nightly scripts."""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import warnings
from collections.abc import Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd

from skbn.arguments import Parser, add_options_of_files
from skbn.display.drift_display import DRIFT_KINDS, DriftDisplay
from skbn.display.files import make_folder, write_pictures
from skbn.drift.features import forms_within
from skbn.drift.report import drift_report
from skbn.export import SKOPS_TYPES, load_model
from skbn.tables.columns import Form, converted, find_forms, plain_types
from skbn.tables.files import ReadTable, read_table
from skbn.tables.messages import InputError, listing, wrapped
from skbn.tables.target import split_target

DESCRIPTION = """\
Tell whether the rows of a table moved away from those that a model was
trained on, how, and what to do. Columns that the model does not take are left
aside.

The exit status is 0 if nothing is to be done, 3 if something is (adapt the
model, give it new priors, retune it, collect labels), and 2 for input that
cannot be used."""

EPILOG = """\
To load a .joblib file runs code that is in it: give only files that you
trust. A .npz file of skbn.export.save_model and a .skops file run none.

example, in a script of the night:
  python -m skbn drift model.joblib january.csv today.csv > drift.txt 2>&1 \\
    || mail -s "the data moved" owner@example.org < drift.txt"""

ACTION_ADVISED = 3
"""Exit status."""
MAX_WIDTH = 100
"""Letters of a line."""


def run_drift(argv: Sequence[str]) -> int:
    """Run ``python -m skbn drift``.

    Parameters
    ----------
    argv : sequence of str
        Arguments.

    Returns
    -------
    status : int
        0 if nothing is to be done, else 3.
    """
    args = _parser().parse_args(argv)
    if args.plot:
        make_folder(args.plot)
    report = _report(args)
    print(json.dumps(report.to_dict(), indent=2) if args.json else _wrapped(report.summary()))
    if args.plot:
        paths = _draw(report, args.plot)
        if not args.json:
            print(f"Pictures: {paths}")
    return 0 if report.advice == "nothing" else ACTION_ADVISED


def _parser() -> Parser:
    parser = Parser(
        prog="python -m skbn drift",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("model", type=Path, help="fitted classifier or Pipeline: .joblib, .npz or .skops file")
    add("old", type=Path, help="rows of then, such as those trained on: CSV, Excel or Parquet file")
    add("new", type=Path, help="rows of now, with the same columns")
    add("--target", metavar="COLUMN", help="column of the labels; those of new rows are compared")
    add_options_of_files(parser)
    add("--plot", metavar="DIR", type=Path, help="where to write pictures")
    add("--json", action="store_true", help="print the whole report as JSON")
    return parser


def _wrapped(text: str) -> str:
    """Break long lines between words, for terminals and mail."""
    return wrapped(text, min(shutil.get_terminal_size().columns, MAX_WIDTH))


def _report(args: argparse.Namespace) -> Any:
    model = load_classifier(args.model)
    paths = (args.old, args.new)
    tables = [read_table(path, separator=args.separator, encoding=args.encoding) for path in paths]
    for path, table in zip(paths, tables, strict=True):
        for note in table.notes:
            print(_wrapped(f"{path}: {note}"), file=sys.stderr if args.json else sys.stdout)
    y_new = None
    if args.target is not None:
        if all(args.target not in table.frame for table in tables):
            raise InputError(f"no column {args.target!r} in {args.old} or {args.new}")
        y_new = labels_of(tables[1], args.target)
    old, new = (
        columns_for(model, table, path, args.target)
        for table, path in zip(tables, paths, strict=True)
    )
    X_old, X_new = tables_for(model, old, new, args.decimal)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return drift_report(model, X_old, X_new, y_new)
        except Exception as error:  # of any step of a Pipeline
            reason = str(error) or type(error).__name__
            raise InputError(f"no report of {args.model} and these tables: {reason}") from error


def load_classifier(path: Path) -> Any:
    """Load a fitted classifier from a file of joblib, of `skbn.export.save_model` or of skops."""
    try:
        if path.suffix == ".npz":
            model: Any = load_model(path)
        elif path.suffix == ".skops":
            from skops.io import load

            model = load(path, trusted=SKOPS_TYPES)
        else:
            model = joblib.load(path)
    except Exception as error:  # whatever the code in the file raises
        reason = getattr(error, "strerror", None) or f"{type(error).__name__}: {error}"
        is_known = isinstance(error, OSError | ImportError | AttributeError)
        if path.suffix not in (".npz", ".skops") and not is_known:
            reason = f"it is no model that joblib wrote, or a damaged one ({reason})"
        raise InputError(f"cannot load {path}: {reason}") from error
    if not (hasattr(model, "predict") and hasattr(model, "classes_")):
        raise InputError(
            f"{path} holds a {type(model).__name__}, and this is no fitted classifier or Pipeline "
            "that ends in one"
        )
    return model


def labels_of(table: ReadTable, target: str) -> Any:
    """Labels of all rows, None where a cell is empty; None without any."""
    if target not in table.frame:
        return None
    frame = table.frame.reset_index(drop=True)
    labelled, classes, _ = split_target(frame, target, is_text=table.is_text)
    if not len(classes):
        return None
    labels = np.full(len(frame), None, dtype=object)
    labels[labelled.index] = classes
    return labels


def columns_for(model: Any, table: ReadTable, path: Path, target: str | None) -> ReadTable:
    """The columns of a table that a model takes, in its order and by its names."""
    frame = table.frame.drop(columns=target or [], errors="ignore")
    names = getattr(model, "feature_names_in_", None)
    if names is not None:
        stripped = [name.strip() for name in names]  # as the names in files are
        if missing := [name for name in stripped if name not in frame]:
            raise InputError(f"{path} lacks columns that the model takes: {listing(missing)}")
        return replace(table, frame=frame[stripped].set_axis(names, axis=1))
    n_columns = getattr(model, "n_features_in_", len(frame.columns))
    if len(frame.columns) != n_columns:
        raise InputError(
            f"{path} has {len(frame.columns)} columns, and the model takes {n_columns} "
            "without names; --target names the column of the labels"
        )
    return replace(table, frame=frame)


def tables_for(
    model: Any, old: ReadTable, new: ReadTable, decimal: str | None
) -> list[pd.DataFrame]:
    """Give text to a model that reads text, and to others the types that programs make of it.

    Numbers are read with the decimal point that is given, or else that of the old rows.
    """
    if forms := list(forms_within(model).values()):
        return [_with_numbers(table, forms, decimal) for table in (old, new)]
    forms = [each.form for each in find_forms(old.frame, decimal, old.decimal).values()]
    if decimal is None:
        decimal = ","
        forms = [form if form.get("decimal") == "," else {"kind": "text"} for form in forms]
    frames = [_with_numbers(table, forms, decimal) for table in (old, new)]
    return [
        plain_types(frame) if table.is_text else frame
        for frame, table in zip(frames, (old, new), strict=True)
    ]


def _with_numbers(table: ReadTable, forms: list[Form], decimal: str | None) -> pd.DataFrame:
    """Read the numbers of a table with a decimal point, if it is given."""
    frame = table.frame.copy()
    if table.is_text and decimal is not None:
        for name, form in zip(frame, forms, strict=True):
            if form["kind"] == "number":
                numbers = converted(frame[name], form | {"decimal": decimal})
                frame[name] = numbers.astype(object).where(numbers.notna(), frame[name])
    return frame


def _draw(report: Any, folder: Path) -> str:
    kinds = [kind for kind in DRIFT_KINDS if kind != "layers" or report.layers is not None]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of letters that a font has not
        draw = partial(DriftDisplay.from_report, report)
        return write_pictures(folder, {kind: partial(draw, kind=kind) for kind in kinds})
