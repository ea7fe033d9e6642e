"""A table to learn from: what the command understood of a file."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from skbn.tables.columns import Form, converted, find_forms
from skbn.tables.messages import InputError, listing

KINDS = ("number", "date", "text")
MIN_INDEX = 10
"""Rows in which rising whole numbers, if they skip some, are no chance."""
N_SHOWN = 6
"""Values of a text column in its line."""


@dataclass
class TrainingTable:
    """Columns that something can be learned from, labels, and what was understood.

    Parameters
    ----------
    features : DataFrame
        Columns as they are in the file.
    labels : ndarray of shape (n_samples,)
    forms : dict of str to dict
        What each of the columns holds.
    left_out : dict of str to list of str
        Other columns, by the reason.
    remarks : list of str
        What should be known of how cells were read.
    details : dict of str to str
        What each column was taken for, by name.
    """

    features: pd.DataFrame
    labels: Any
    forms: dict[str, Form]
    left_out: dict[str, list[str]] = field(default_factory=dict)
    remarks: list[str] = field(default_factory=list)
    details: dict[str, str] = field(default_factory=dict)

    @property
    def kinds(self) -> str:
        """Number of columns of each kind, in words."""
        kinds = [form["kind"] for form in self.forms.values()]
        counts = {kind: kinds.count(kind) for kind in KINDS}
        return ", ".join(f"{count} {kind}" for kind, count in counts.items() if count)

    def left_out_lines(self) -> list[str]:
        """Columns that were left out, a line a reason."""
        return [
            f"Left out: columns {why}: {listing(names)}" for why, names in self.left_out.items()
        ]


def training_table(
    features: pd.DataFrame,
    labels: Any,
    decimal: str | None = None,
    suggested: str | None = None,
) -> TrainingTable:
    """Understand a table: what each column holds, and which ones nothing can be learned from.

    Parameters
    ----------
    features : DataFrame
        Raw text, or of any types.
    labels : ndarray of shape (n_samples,)
    decimal, suggested : {".", ","}, optional
        As in `skbn.tables.columns.find_forms`.

    Raises
    ------
    InputError
        If nothing can be learned from any column.
    """
    table = TrainingTable(features, labels, {})
    for name, (form, remarks) in find_forms(features, decimal, suggested).items():
        column = converted(features[name], form)
        table.remarks += [f"Column {name!r}: {remark}" for remark in remarks]
        if reason := reason_to_leave_out(column, form):
            table.left_out.setdefault(reason, []).append(name)
            table.details[name] = "left out"
        else:
            table.forms[name] = form
            table.details[name] = _detail(column, form)
    if not table.forms:
        left_out = "; ".join(table.left_out_lines()).replace("Left out: ", "")
        why = "; ".join([f"left out: {left_out or 'none'}", *table.remarks])
        raise InputError(f"no columns to learn from; {why}")
    table.features = features[list(table.forms)]
    return table


def _detail(column: Any, form: Form) -> str:
    """Tell in a line what a column was taken for."""
    values = column.dropna()
    n_missing = len(column) - len(values)
    if form["kind"] == "text":
        counts = values.value_counts()
        few = listing(counts.index[:N_SHOWN]) + ", ..." * (len(counts) > N_SHOWN)
        what = f"{len(counts):,} values: {few}"
    elif form["kind"] == "date":
        what = f"{values.min():%Y-%m-%d} to {values.max():%Y-%m-%d}"
    else:
        what = f"{values.min():,.6g} to {values.max():,.6g}"
    missing = f"; {n_missing:,} missing" if n_missing else ""
    return f"{form['kind']:<8}{what}{missing}"


def reason_to_leave_out(column: Any, form: Form) -> str:
    """Tell why nothing can be learned from a column; empty if something can.

    Parameters
    ----------
    column : Series
        From `converted`, of all rows.
    form : dict
    """
    if form["kind"] == "none" or column.isna().all():
        return "without a value"
    if column.nunique(dropna=False) == 1:
        return "with one value only"
    if form["kind"] == "number" and _numbers_rows(column):
        return "that count the rows"
    if form["kind"] == "text" and column.dropna().is_unique:
        texts = column.dropna().astype(object)
        has_words = texts.str.contains(r"\S\s+\S").mean() >= 0.5  # and can be read by them
        if _is_unnamed(column) or not has_words:
            return "with a different text in every row"
    return ""


def _numbers_rows(column: Any) -> bool:
    """Whether a column of numbers is a row index that was saved with the table."""
    if column.isna().any() or (column % 1 != 0).any():
        return False
    steps = column.diff().iloc[1:]
    if len(column) >= MIN_INDEX and (steps > 0).all():
        return True
    return bool((steps == 1).all() or (_is_unnamed(column) and column.is_unique))


def _is_unnamed(column: Any) -> bool:
    return str(column.name).startswith("Unnamed: ")
