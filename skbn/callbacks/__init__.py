"""Callbacks in scikit-learn's protocol that follow the epochs of a classifier.

They need scikit-learn 1.9 or newer. The import of `skbn.export` comes with them.
"""

from skbn.callbacks.checkpoint import Checkpoint
from skbn.callbacks.early_stopping import EarlyStopping
from skbn.callbacks.epoch_logger import EpochLogger

__all__ = ["Checkpoint", "EarlyStopping", "EpochLogger"]
