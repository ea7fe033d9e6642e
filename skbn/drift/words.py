"""A report in words, and as a table in HTML."""

from __future__ import annotations

from typing import Any


def summary_of(report: Any) -> str:
    """Say in words what moved."""
    return f"Verdict: {report.verdict}. Advice: {report.advice}."


def html_of(report: Any) -> str:
    """Give a report as HTML."""
    return f"<pre>{report!r}</pre>"
