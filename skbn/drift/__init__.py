"""What moved between two tables, and what can be repaired without labels."""

from skbn.drift.adaptation import adapt
from skbn.drift.prior_corrected import PriorCorrectedClassifier
from skbn.drift.record import DriftReport
from skbn.drift.report import drift_report

__all__ = ["DriftReport", "PriorCorrectedClassifier", "adapt", "drift_report"]
