"""The log of a search: a row for each fit, extend and retune, with what a drift report said."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import pandas as pd

TEXTS_OF_REPORTS = ("verdict", "advice", "summary")
"""Parts of a drift report that a row of the log has as they are."""
COLUMNS = {
    "call": object,
    "n_rows": np.int64,
    "n_candidates": np.int64,
    "best_score": np.float64,
    "verdict": object,
    "advice": object,
    "auc": np.float64,
    "summary": object,
    "moved_most": object,
    "distance": np.float64,
}


class Report(Protocol):
    """What `retune` takes of a drift report."""

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain data: the verdict, the advice, and more."""

    def summary(self) -> str:
        """Give it in words, where it has them."""


def plain_report(report: Report | None) -> dict[str, Any] | None:
    """Give a drift report as what JSON holds, with its summary.

    Raises
    ------
    TypeError
        If it is no report.
    """
    if report is None:
        return None
    make, found = getattr(report, "to_dict", None), None
    if callable(make) and not isinstance(report, type):  # a class has no data
        found = make()
    if not isinstance(found, Mapping) or not {"verdict", "advice"} <= found.keys():
        raise TypeError(
            "report must be a DriftReport, as skbn.drift.drift_report gives it, with a method "
            f"to_dict(); got {type(report).__name__}: {report!r:.80}"
        )
    words = getattr(report, "summary", None)
    in_words = {"summary": str(words())} if callable(words) else {}
    try:
        return dict(json.loads(json.dumps(in_words | dict(found))))
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"report.to_dict() must give text, numbers, lists and dicts that JSON can hold: {error}"
        ) from error


def with_call(
    log: pd.DataFrame | None,
    call: str,
    n_rows: int,
    fitted: Mapping[str, Any],
    report: Mapping[str, Any] | None,
) -> pd.DataFrame:
    """Give a log with one row more.

    Parameters
    ----------
    log : DataFrame or None
        So far.
    call : {"fit", "extend", "retune"}
    n_rows : int
        Of the data.
    fitted : dict of str to object
        Attributes of the search after the call.
    report : dict or None
        As `plain_report` gives it.

    Returns
    -------
    log : DataFrame
    """
    row: dict[str, Any] = {
        "call": call,
        "n_rows": n_rows,
        "n_candidates": len(fitted["cv_results_"]["params"]),
        "best_score": fitted.get("best_score_", np.nan),
        **_of_report(report or {}),
        **(_of_shift(fitted.get("optimum_shift_")) if call == "retune" else {}),
    }
    rows = [] if log is None else log.to_dict("records")
    frame = pd.DataFrame([*rows, row], columns=list(COLUMNS), dtype=object)
    return frame.where(frame.notna(), None).astype(COLUMNS)


def _of_report(report: Mapping[str, Any]) -> dict[str, Any]:
    auc = report.get("auc")
    if isinstance(auc, Mapping):
        auc = auc.get("value")
    elif isinstance(auc, list):
        auc = auc[0] if auc else None
    texts = {name: report.get(name) for name in TEXTS_OF_REPORTS}
    return texts | {"auc": auc}


def _of_shift(shift: pd.DataFrame | None) -> dict[str, Any]:
    """Which parameter moved furthest, and how far."""
    if shift is None or not shift["distance"].gt(0).any():
        return {}
    furthest = shift["distance"].idxmax()
    return {"moved_most": str(furthest), "distance": shift.at[furthest, "distance"]}
