"""Files that hold a table: delimited text, Excel, Parquet."""

from __future__ import annotations

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from importlib import import_module
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from skbn.tables.delimited import Delimited, checked_separator
from skbn.tables.encodings import find_encoding, uncompressed
from skbn.tables.messages import InputError, listing

ADDRESS = re.compile(r"([a-z][a-z0-9+.-]+):/+", re.IGNORECASE)
"""How addresses begin; of the two slashes a `Path` keeps one."""
EXCEL_PACKAGES = {
    ".xlsx": '"skbn[excel]"',
    ".xlsm": '"skbn[excel]"',
    ".xls": "xlrd",
    ".ods": "odfpy",
    ".xlsb": "pyxlsb",
}
MAX_BYTES_OF_FORMULAS = 5 * 2**20
"""Of a workbook that is read a second time for its formulas, which takes some seconds."""
COLUMNAR = {".parquet": pd.read_parquet, ".pq": pd.read_parquet, ".feather": pd.read_feather}


@dataclass(frozen=True)
class ReadTable:
    """A table as a file holds it.

    Attributes
    ----------
    frame : DataFrame
        Names of columns are text, stripped, all different.
    notes : list of str
        What users should know of how it was read.
    decimal : str or None
        The decimal mark that is usual with the separator; None if nothing tells.
    is_text : bool
        Whether all cells are text as it was written, with "" for an empty cell. In other frames
        columns have types, and None, NaN and NaT are missing.
    """

    frame: pd.DataFrame
    notes: list[str] = field(default_factory=list)
    decimal: str | None = None
    is_text: bool = False


def read_table(
    path: str | Path, *, separator: str | None = None, encoding: str | None = None
) -> ReadTable:
    """Read a table from a file of this machine.

    Parameters
    ----------
    path : str or Path
        Delimited text of any suffix, compressed or not; an Excel or a Parquet file.
    separator : str, default=None
        Of delimited text: one letter, or "tab". None finds it.
    encoding : str, default=None
        Of delimited text. None finds it.

    Returns
    -------
    table : ReadTable

    Raises
    ------
    InputError
        If there is no table in the file.
    """
    path, name = Path(path), ADDRESS.sub(r"\1://", str(path))
    suffix = path.suffix.lower()
    if separator is not None:
        separator = checked_separator(separator)
    try:
        _check_is_file(path)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of styles and extensions of Excel, and the like
            if suffix in EXCEL_PACKAGES and _is_excel(path):
                table = _read_excel(path)
            elif suffix in COLUMNAR:
                table = _read_columnar(path)
            else:
                table = _read_delimited(path, separator, encoding)
    except InputError as error:
        raise InputError(f"cannot read {name}: {error}") from error
    except Exception as error:  # every format and compression raises types of its own
        reason = getattr(error, "strerror", None) or f"no CSV, Excel or Parquet table ({error})"
        raise InputError(f"cannot read {path}: {reason}") from error
    if table.frame.empty:
        names = listing(table.frame.columns)
        raise InputError(f"{path} holds no rows{names and f', only the names {names}'}")
    return table


def _check_is_file(path: Path) -> None:
    address = ADDRESS.match(str(path))
    if address and not path.exists():
        raise InputError(
            f"it is an address ({address[1]}), and only files of this machine are read; download "
            "it first"
        )
    if path.is_dir():
        raise InputError("it is a directory; give a file in it")
    if path.stat().st_size == 0 and path.is_file():
        raise InputError("the file is empty")


def _is_excel(path: Path) -> bool:
    """Whether a file is one of Excel; text is often named as if it were."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"\xd0\xcf\x11\xe0")


def _read_delimited(path: Path, separator: str | None, encoding: str | None) -> ReadTable:
    text, notes = find_encoding(uncompressed(path), encoding)
    source = Delimited(text, separator)
    names = source.header
    _check_differ(names)
    if not source.has_rows:
        return ReadTable(pd.DataFrame(columns=names))
    cells = source.read()
    beyond = cells.iloc[:, len(names) :]
    has_row_names = not beyond.eq("").all(axis=None)
    if has_row_names and beyond.shape[1] > 1:
        source.complain_of_longer_rows()
    frame, n_used = _named(cells, ["", *names] if has_row_names else names)
    if n_used and (frame.iloc[:, -1] == "").any():
        short = [line for line, n_fields in source.rows_by_width() if n_fields < n_used]
        if short and has_row_names:
            source.complain_of_longer_rows()
        if short:
            notes.append(
                f"rows with fewer fields than the {n_used} columns: {len(short):,}, the first in "
                f"line {short[0]:,}; the cells that they lack count as empty"
            )
    if has_row_names:
        if not cells.iloc[:, 0].is_unique:
            source.complain_of_row_names()
        notes.append(
            "rows have one field more than there are names; the first one was taken for the name "
            "of the row"
        )
    decimal = "," if source.separator == ";" else None
    return ReadTable(frame, notes, decimal, is_text=True)


def _read_excel(path: Path) -> ReadTable:
    try:
        with pd.ExcelFile(path) as book:
            sheets = [str(name) for name in book.sheet_names]
            filled = (name for name in sheets if not book.parse(name, header=None, nrows=1).empty)
            sheet = next(filled, sheets[0])
            cells = book.parse(
                sheet, header=None, dtype=object, keep_default_na=False, na_filter=False
            )
    except ImportError as error:
        package = EXCEL_PACKAGES[path.suffix.lower()]
        raise InputError(f"files of this kind need a package: pip install {package}") from error
    notes = []
    if len(sheets) > 1:
        notes.append(
            f"sheet {sheet!r} was read, of: {listing(sheets)}; move another one to the front to "
            "have it read"
        )
    cells = cells.mask(cells.eq(""), np.nan)
    if n_formulas := _n_empty_formulas(path, sheet, cells.isna().to_numpy()):
        notes.append(
            f"formulas without a stored value: {n_formulas:,} cells, which count as empty; open "
            "and save the file in Excel or LibreOffice, which store the values"
        )
    cells = cells.dropna(how="all")
    names = ["" if pd.isna(name) else name for name in cells.iloc[:1].to_numpy().ravel()]
    _check_differ(names)
    rows = cells.iloc[1:].reset_index(drop=True).infer_objects()
    return ReadTable(_named(rows, names)[0], notes)


def _n_empty_formulas(path: Path, sheet: str, is_empty: Any) -> int:
    """Count formulas without a value, as programs write them that do not compute."""
    is_large = path.stat().st_size > MAX_BYTES_OF_FORMULAS
    if path.suffix.lower() not in (".xlsx", ".xlsm") or is_large or not is_empty.any():
        return 0
    with path.open("rb") as file:
        formulas = import_module("openpyxl").load_workbook(file, read_only=True)[sheet]
        formulas.reset_dimensions()
        rows = formulas.iter_rows(max_row=len(is_empty), values_only=True)
        return sum(
            empty and isinstance(value, str) and value.startswith("=")
            for is_empty_row, values in zip(is_empty.tolist(), rows, strict=False)
            for empty, value in zip(is_empty_row, values, strict=False)
        )


def _read_columnar(path: Path) -> ReadTable:
    try:
        frame = COLUMNAR[path.suffix.lower()](path)
    except ImportError as error:
        raise InputError("files of this kind need a package: pip install pyarrow") from error
    except ValueError:
        if path.suffix.lower() != ".feather":  # pandas reads repeated names of Feather alone
            _check_differ(import_module("pyarrow.parquet").read_schema(path).names)
        raise
    is_range = isinstance(frame.index, pd.RangeIndex)
    is_column = [name is not None and not is_range for name in frame.index.names]
    index = frame.index.to_frame(index=False).loc[:, is_column]
    names = [*index.columns, *frame.columns]
    return ReadTable(_named(pd.concat([index, frame.reset_index(drop=True)], axis=1), names)[0])


def _named(cells: pd.DataFrame, names: Sequence[Any]) -> tuple[pd.DataFrame, int]:
    """Name columns, and leave out empty ones that have no name; with how many fields these are."""
    stripped = [_stripped(name) for name in names]
    kept = [k for k, name in enumerate(stripped) if name or not _is_empty(cells.iloc[:, k])]
    frame = cells.iloc[:, kept]
    frame.columns = [stripped[k] or _invented(k, stripped) for k in kept]
    _check_differ(frame.columns)
    return frame, max(kept, default=-1) + 1


def _invented(position: int, names: Sequence[str]) -> str:
    """Name a column as pandas would, also where an index was saved with another one beside it."""
    likely = (f"Unnamed: {position}" + f".{n}" * (n > 0) for n in count())
    return next(name for name in likely if name not in names)


def _is_empty(column: pd.Series) -> bool:
    return bool((column.isna() | (column == "")).all())


def _stripped(name: Any) -> str:
    return str(name).strip()


def _check_differ(names: Iterable[Any]) -> None:
    """Refuse columns of the same name, of which one could be the target and the other not."""
    positions = defaultdict(list)
    for position, name in enumerate(map(_stripped, names), 1):
        positions[name].append(str(position))
    repeated = {name: each for name, each in positions.items() if name and len(each) > 1}
    if repeated:
        named = (f"{name!r} (columns {listing(each, 5)})" for name, each in repeated.items())
        raise InputError(f"columns must have names that differ; repeated are: {listing(named)}")
