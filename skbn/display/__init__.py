"""Pictures of a search, in the manner of scikit-learn's Display classes."""

from skbn.display.search_display import FEWEST, KINDS, SearchDisplay

__all__ = ["FEWEST", "KINDS", "SearchDisplay"]
