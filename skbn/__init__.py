"""Batch-normalised softmax networks for scikit-learn, written in NumPy."""

from skbn._version import __version__
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.population import fit_population
from skbn.tables.pipeline import tabular_pipeline

__all__ = ["BNSoftmaxClassifier", "__version__", "fit_population", "tabular_pipeline"]
