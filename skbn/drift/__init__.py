"""What moved between two tables, and what can be repaired without labels."""

from skbn.drift.record import DriftReport
from skbn.drift.report import drift_report

__all__ = ["DriftReport", "drift_report"]
