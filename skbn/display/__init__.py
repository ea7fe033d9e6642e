"""Pictures of a search, of a training, and of a range of learning rates."""

from skbn.display.learning_rate_range import LearningRateRange
from skbn.display.record import MIN_IMPORTANCE_CANDIDATES
from skbn.display.search_display import KINDS, SearchDisplay
from skbn.display.training_display import TrainingDisplay

__all__ = [
    "KINDS",
    "MIN_IMPORTANCE_CANDIDATES",
    "LearningRateRange",
    "SearchDisplay",
    "TrainingDisplay",
]
