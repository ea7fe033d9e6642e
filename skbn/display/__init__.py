"""Pictures of a search, of a training, of a range of learning rates, and of drift."""

from skbn.display.drift_display import DriftDisplay
from skbn.display.learning_rate_range import LearningRateRange
from skbn.display.record import MIN_IMPORTANCE_CANDIDATES
from skbn.display.search_display import KINDS, SearchDisplay
from skbn.display.training_display import TrainingDisplay

__all__ = [
    "KINDS",
    "MIN_IMPORTANCE_CANDIDATES",
    "DriftDisplay",
    "LearningRateRange",
    "SearchDisplay",
    "TrainingDisplay",
]
