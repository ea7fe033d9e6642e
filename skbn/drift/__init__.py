"""Drift: what moved between the rows of then and those of now, and what to do about it."""

from skbn.drift.record import DriftReport
from skbn.drift.report import drift_report

__all__ = ["DriftReport", "drift_report"]
