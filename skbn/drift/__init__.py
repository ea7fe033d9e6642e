"""What moved between two tables, and what can be repaired without labels."""

from skbn.drift.adaptation import adapt
from skbn.drift.choice import AdaptationChoice, choose_adaptation
from skbn.drift.prior_corrected import PriorCorrectedClassifier
from skbn.drift.record import DriftReport
from skbn.drift.report import drift_report

__all__ = [
    "AdaptationChoice",
    "DriftReport",
    "PriorCorrectedClassifier",
    "adapt",
    "choose_adaptation",
    "drift_report",
]
