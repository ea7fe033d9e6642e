"""Search for hyperparameters: scales, and a search from coarse to fine."""

from skbn.search.coarse_to_fine import CoarseToFineSearchCV
from skbn.search.distributions import hidden_layers, log_randint, one_minus_loguniform
from skbn.search.recommendation import default_space

__all__ = [
    "CoarseToFineSearchCV",
    "default_space",
    "hidden_layers",
    "log_randint",
    "one_minus_loguniform",
]
