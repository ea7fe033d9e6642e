"""Batch-normalised softmax networks for scikit-learn, written in NumPy."""

from typing import TYPE_CHECKING, Any

from skbn._version import __version__, stand_in_for_moved_modules
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.population import fit_population
from skbn.minimization.minimize import minimize
from skbn.tables.pipeline import tabular_pipeline

if TYPE_CHECKING:
    from skbn.display.learning_rate_range import LearningRateRange
    from skbn.session.training_session import TrainingSession

stand_in_for_moved_modules()

__all__ = [
    "BNSoftmaxClassifier",
    "LearningRateRange",
    "TrainingSession",
    "__version__",
    "fit_population",
    "minimize",
    "tabular_pipeline",
]


def __getattr__(name: str) -> Any:
    # A session imports SQLite, and `skbn.export` with skl2onnx, which takes 0.2 s; pictures
    # import the search.
    if name == "TrainingSession":
        from skbn.session.training_session import TrainingSession

        return TrainingSession
    if name == "LearningRateRange":
        from skbn.display.learning_rate_range import LearningRateRange

        return LearningRateRange
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
