"""The private names of scikit-learn that this package cannot do without."""

from typing import Any

from sklearn.utils._param_validation import Interval, StrOptions

__all__ = ["Interval", "StrOptions", "validate_parameters"]


def validate_parameters(estimator: Any) -> None:
    """Check parameters against ``_parameter_constraints``, with scikit-learn's messages."""
    estimator._validate_params()
