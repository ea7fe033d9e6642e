"""Measures of epochs for MLflow, TensorBoard and the like."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from skbn.callbacks.epochs import EpochCallback


class EpochLogger(EpochCallback):
    """Call a function with the measures of each epoch.

    Parameters
    ----------
    function : callable
        ``function(measures, epoch)``, such as ``mlflow.log_metrics``. ``measures`` is a dict of
        floats by the names of ``history_``: "loss", "learning_rate", "validation_loss" and so on.
        Those of the second member, which has calls of its own, are "member_1/loss" and so on.
        ``epoch`` is its number, from one.

    Notes
    -----
    It needs scikit-learn 1.9 or newer: ``classifier.set_callbacks(logger).fit(...)``. In a search
    all fits call the function, in the processes they are in.

    Examples
    --------
    >>> from skbn.callbacks import EpochLogger
    >>> logger = EpochLogger(lambda measures, epoch: print(epoch, measures["loss"]))
    """

    def __init__(self, function: Callable[[Mapping[str, float], int], object]) -> None:
        if not callable(function):
            raise TypeError(f"function must be callable as (measures, epoch), got {function!r}")
        self.function = function

    def on_fit_task_end(self, estimator: Any, context: Any) -> None:
        """Call the function with the measures of an epoch.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext
        """
        epoch = getattr(context, "epoch", None)
        if epoch is None:
            return
        prefix = f"member_{epoch.member}/" if epoch.member else ""
        measures = {f"{prefix}{name}": float(value) for name, value in epoch.measures.items()}
        self.function(measures, epoch.number)
