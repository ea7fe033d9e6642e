"""What the callbacks have in common: they follow the epochs of a classifier."""

from __future__ import annotations

from numbers import Integral
from typing import Any

from skbn.estimators.classifier import BNSoftmaxClassifier


class EpochCallback:
    """A callback that follows epochs.

    One object serves many fits at once, for clones share it and processes have copies of it, so
    what belongs to a fit is never on the object.
    """

    def __repr__(self) -> str:
        parameters = {k: v for k, v in vars(self).items() if k.strip("_") == k}
        return f"{type(self).__name__}({', '.join(f'{k}={v!r}' for k, v in parameters.items())})"

    def setup(self, estimator: Any, context: Any) -> None:
        """Refuse an estimator without epochs.

        Parameters
        ----------
        estimator : estimator
        context : CallbackContext

        Raises
        ------
        TypeError
            If the estimator is no BNSoftmaxClassifier.
        """
        if not isinstance(estimator, BNSoftmaxClassifier):
            name = type(self).__name__
            raise TypeError(
                f"{name} follows the epochs of a BNSoftmaxClassifier, and was set on a "
                f"{type(estimator).__name__}, which does not hand it on. Set it on the classifier: "
                f"pipeline[-1].set_callbacks({name}(...)), or in a search "
                f"search.estimator.set_callbacks({name}(...))"
            )

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Do nothing.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext
        """

    def teardown(self, estimator: Any, context: Any) -> None:
        """Do nothing.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext
        """


def checked_count(name: str, value: Any) -> int:
    """Give a number of epochs, or say that it is none."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 1:
        raise ValueError(f"{name} must be a number of epochs, 1 or more, got {value!r}")
    return int(value)


def is_within(context: Any, name: str) -> bool:
    """Whether a task, or one that it is a part of, has a name."""
    while context is not None:
        if name in (context.task_name, context.source_task_name):
            return True
        context = context.parent
    return False


def of_partial_fit(context: Any) -> bool:
    """Whether a task is one of a call of `partial_fit`, which has no validation set."""
    return is_within(context, "partial_fit")
