"""Early stopping on any score."""

from __future__ import annotations

import warnings
from collections.abc import Mapping
from numbers import Real
from typing import Any
from uuid import uuid4

import numpy as np
import pandas as pd

from skbn.callbacks.epochs import EpochCallback, checked_count, of_partial_fit
from skbn.callbacks.monitors import Monitor
from skbn.estimators.constraints import Floats


class EarlyStopping(EpochCallback):
    """Stop when a score of your choice no longer rises, and keep the best epoch.

    After each epoch the network as it stands is judged on the validation set of `fit`: ``X_val``
    and ``y_val``, or the rows that ``early_stopping=True`` sets aside. Each member of a classifier
    stops by itself, and keeps the epoch with its highest score. The validation loss, with
    ``n_iter_no_change`` and ``tol`` of the classifier, has no say then.

    Parameters
    ----------
    monitor : str or callable
        A score, of which greater is better: a name of scikit-learn's scorers, such as
        "average_precision" or "neg_log_loss"; what `sklearn.metrics.make_scorer` gives; or a
        function ``(estimator, X, y) -> float``. Names take the weights of the validation set, too.
        Without a validation set there is an error, but not for a function of your own: it gets the
        rows that are trained on, and should judge on others.

    patience : int, default=10
        Epochs without a rise after which to stop.

    tol : float, default=1e-4
        A score must rise by more than this to count as a rise. NaN is none.

    Attributes
    ----------
    scores_ : DataFrame
        Of the last `fit`, or call of `TrainingSession.train`, that ended in this process: a row an
        epoch, with "member", "epoch", "score" and "is_best", which is true of the epoch that a fit
        keeps. A search with ``n_jobs`` fits copies in other processes, of which it knows nothing;
        the last fit is the refit.

    See Also
    --------
    Checkpoint : Writes the best epoch into a file.

    Notes
    -----
    It needs scikit-learn 1.9 or newer: ``classifier.set_callbacks(stopping).fit(...)``.
    `partial_fit` has no validation set and ignores it, as it ignores ``early_stopping``. In a
    session the epochs of all calls count, from the last change or rewind on; it stops networks, and
    which epoch is kept follows from the session's log.

    Examples
    --------
    >>> from skbn.callbacks import EarlyStopping
    >>> stopping = EarlyStopping(monitor="average_precision", patience=5)
    >>> stopping
    EarlyStopping(monitor='average_precision', patience=5, tol=0.0001)
    """

    scores_: pd.DataFrame

    def __init__(self, *, monitor: Any, patience: int = 10, tol: float = 1e-4) -> None:
        self.monitor, self.patience = monitor, checked_count("patience", patience)
        self.tol = tol
        if not Floats(Real, 0, None, closed="left").is_satisfied_by(tol):
            raise ValueError(f"tol must be a number, 0 or more, got {tol!r}")
        self._monitor = Monitor(monitor, "EarlyStopping")
        self._key = uuid4().hex  # that of copies in other processes, too

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Refuse a fit without rows to judge on, and let the validation loss no longer stop it.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext

        Raises
        ------
        ValueError
            If ``monitor`` needs a validation set and there is none.
        """
        if hasattr(context, "epoch") and not of_partial_fit(context):
            self._monitor.check_rows(context)
            context.epoch.ignore_loss()

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None
    ) -> bool:
        """Judge an epoch, and tell whether it is the last; of a fit set ``scores_``.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext
        X, y : array-like
            The rows that are trained on.

        Returns
        -------
        stops : bool

        Raises
        ------
        TypeError
            If the score is not one number.

        Warns
        -----
        UserWarning
            If no score until the end of patience was a number.
        """
        epoch = getattr(context, "epoch", None)
        if epoch is None:
            if judged := getattr(context, "judged", {}).get(self._key):  # of the fit, at its end
                self.scores_ = _table_of_scores(judged, self.tol)
            return False
        if of_partial_fit(context):
            return False
        rows = self._monitor.rows(epoch, X, y)
        scores = epoch.notes.setdefault(self._key, {})
        scores[epoch.number] = self._monitor.score(epoch.estimator(), rows)
        fit = context.parent.parent
        fit.judged = getattr(fit, "judged", {})
        fit.judged.setdefault(self._key, {})[epoch.member] = scores
        best, waited = best_and_waited(scores, self.tol)
        if best == epoch.number:
            epoch.keep()
        stops = waited >= self.patience
        if stops and best is None:
            warnings.warn(
                f"{self._monitor.owner} stops without a best epoch: no score in {waited} epochs "
                "was a number",
                stacklevel=2,
            )
        return stops


def _table_of_scores(scores: Mapping[int, Mapping[int, float]], tol: float) -> pd.DataFrame:
    """Give a row an epoch from scores by epoch, by member."""
    rows = [
        (member, epoch, score, epoch == best_and_waited(of_member, tol)[0])
        for member, of_member in sorted(scores.items())
        for epoch, score in of_member.items()
    ]
    return pd.DataFrame(rows, columns=["member", "epoch", "score", "is_best"])


def best_and_waited(scores: Mapping[int, float], tol: float) -> tuple[int | None, int]:
    """Give the epoch with the highest score, and how many there were since the last rise.

    Parameters
    ----------
    scores : dict of int to float
        Scores by epoch, in their order; NaN is none.
    tol : float
        A score must rise by more than this to count as a rise.
    """
    best, highest, to_beat, waited = None, -np.inf, -np.inf, 0
    for epoch, score in scores.items():
        if score > highest:
            best, highest = epoch, score
        is_rise = score > to_beat + tol
        to_beat, waited = (score, 0) if is_rise else (to_beat, waited + 1)
    return best, waited
