"""Pictures of a search, and of a training."""

from skbn.display.record import MIN_IMPORTANCE_CANDIDATES
from skbn.display.search_display import KINDS, SearchDisplay
from skbn.display.training_display import TrainingDisplay

__all__ = ["KINDS", "MIN_IMPORTANCE_CANDIDATES", "SearchDisplay", "TrainingDisplay"]
