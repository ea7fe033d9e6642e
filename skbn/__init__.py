"""Batch-normalised softmax networks for scikit-learn, written in NumPy."""

from skbn._version import __version__, stand_in_for_moved_modules
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.population import fit_population
from skbn.tables.pipeline import tabular_pipeline

stand_in_for_moved_modules()

__all__ = ["BNSoftmaxClassifier", "__version__", "fit_population", "tabular_pipeline"]
