"""The private names of scikit-learn that this package cannot do without."""

from sklearn.utils._param_validation import Interval, Options, StrOptions

__all__ = ["Interval", "Options", "StrOptions"]
