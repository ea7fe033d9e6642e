"""Scores by which callbacks judge networks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from numbers import Real
from typing import Any

from sklearn.metrics import check_scoring, get_scorer

Rows = tuple[Any, Any, Any]
"""Rows, their labels, and their weights or None."""


class Monitor:
    """A score, of which greater is better.

    Parameters
    ----------
    scoring : str or callable
        A name of scikit-learn's scorers, or a function ``(estimator, X, y) -> float``.
    callback : str
        Whose it is, for messages.
    """

    def __init__(self, scoring: str | Callable[..., Any], callback: str) -> None:
        if isinstance(scoring, str):
            get_scorer(scoring)  # an error says how to find the names there are
        elif callable(scoring):
            check_scoring(scoring=scoring)  # an error says how to make a scorer of a metric
        else:
            raise TypeError(
                "monitor must be a name of scikit-learn's scorers or a function (estimator, X, y) "
                f"-> float, got {scoring!r}"
            )
        self.scoring = scoring
        self.owner = f"{callback}(monitor={scoring!r})"

    def rows(self, epoch: Any, X: Any, y: Any) -> Rows:
        """Give the rows to judge on: the validation set, or those that are trained on.

        The latter only for a function, which may know rows of its own.
        """
        if epoch.validation is not None:
            rows: Rows = epoch.validation
            return rows
        if isinstance(self.scoring, str):
            raise ValueError(
                f"{self.owner} needs a validation set, and this fit has none: pass X_val and "
                "y_val to fit, set early_stopping=True to set rows aside, or pass as monitor a "
                "function (estimator, X, y) that knows rows of its own"
            )
        return X, y, None

    def score(self, estimator: Any, rows: Rows) -> float:
        """Judge an estimator; NaN if there is none."""
        if estimator is None:
            return float("nan")
        X, y, weights = rows
        try:
            if isinstance(self.scoring, str):
                weighted = {} if weights is None else {"sample_weight": weights}
                score = get_scorer(self.scoring)(estimator, X, y, **weighted)
            else:
                score = self.scoring(estimator, X, y)
        except Exception as error:
            error.add_note(f"This error is of the score of {self.owner}, after an epoch")
            raise
        return self._number(score)

    def _number(self, score: Any) -> float:
        if hasattr(score, "item"):
            with suppress(ValueError):  # of several numbers
                score = score.item()
        if isinstance(score, Real):
            return float(score)
        advice = "; for several scores choose one" if isinstance(score, dict) else ""
        raise TypeError(f"{self.owner} must give one number, and gave {score!r}{advice}")
