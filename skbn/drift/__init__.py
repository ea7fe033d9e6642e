"""What moved between two tables, and what can be repaired without labels."""

from typing import TYPE_CHECKING, Any

from skbn.drift.adaptation import adapt
from skbn.drift.choice import AdaptationChoice, choose_adaptation
from skbn.drift.prior_corrected import PriorCorrectedClassifier
from skbn.drift.record import DriftReport
from skbn.drift.report import drift_report

if TYPE_CHECKING:
    from skbn.display.drift_display import DriftDisplay

__all__ = [
    "AdaptationChoice",
    "DriftDisplay",
    "DriftReport",
    "PriorCorrectedClassifier",
    "adapt",
    "choose_adaptation",
    "drift_report",
]


def __getattr__(name: str) -> Any:
    # Its pictures are drawn in a storey above.
    if name == "DriftDisplay":
        from skbn.display.drift_display import DriftDisplay

        return DriftDisplay
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
