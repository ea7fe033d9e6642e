"""Drift: what moved between the rows of then and those of now, and what to do about it."""

from skbn.drift.comparison import drift_report
from skbn.drift.report import DriftReport

__all__ = ["DriftReport", "drift_report"]
