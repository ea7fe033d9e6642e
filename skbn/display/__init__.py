"""Pictures of a search."""

from skbn.display.record import MIN_IMPORTANCE_CANDIDATES
from skbn.display.search_display import KINDS, SearchDisplay

__all__ = ["KINDS", "MIN_IMPORTANCE_CANDIDATES", "SearchDisplay"]
