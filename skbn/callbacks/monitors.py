"""Scores by which callbacks judge networks."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from numbers import Real
from typing import Any

import numpy as np
from sklearn.metrics import check_scoring, get_scorer

from skbn._compat import looks_at_predictions_only

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
        self._scorer = get_scorer(scoring)
        self.owner = f"{callback}(monitor={scoring!r})"

    @property
    def needs_validation_set(self) -> bool:
        """Whether it has no rows of its own, as a function of the user may have."""
        return bool(looks_at_predictions_only(self._scorer))

    def check_rows(self, context: Any) -> None:
        """Say at the first epoch of a member if there are no rows to judge on."""
        epoch = getattr(context, "epoch", None)
        if epoch is not None and context.task_id == 0:
            self.rows(epoch, None, None)

    def rows(self, epoch: Any, X: Any, y: Any) -> Rows:
        """Give the rows to judge on: the validation set, or those that are trained on.

        The latter only for a plain function, which may judge on others.
        """
        validation: Rows | None = epoch.validation
        if validation is not None:
            return validation
        if self.needs_validation_set:
            raise ValueError(
                f"{self.owner} needs a validation set, and there is none: pass X_val= and y_val= "
                "to fit, or to the TrainingSession; or set early_stopping=True to set rows aside; "
                "or pass as monitor a function (estimator, X, y) that judges on rows of yours"
            )
        return X, y, None

    def score(self, estimator: Any, rows: Rows) -> float:
        """Judge an estimator; NaN if there is none."""
        if estimator is None:
            return float("nan")
        X, y, weights = rows
        try:
            is_weighted = isinstance(self.scoring, str) and weights is not None
            weighted = {"sample_weight": weights} if is_weighted else {}
            score = self._scorer(estimator, X, y, **weighted)
        except Exception as error:
            error.add_note(f"This error is of the score of {self.owner}, after an epoch")
            classes = getattr(estimator, "classes_", np.empty(0)).tolist()
            is_named = len(classes) == 2 and set(classes) != {0, 1}
            if is_named and looks_at_predictions_only(self._scorer):
                error.add_note(_advice_on_labels(*map(repr, classes)))
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


def _advice_on_labels(first: str, second: str) -> str:
    return (
        f"The labels are {first} and {second}. Metrics of one class take it from pos_label unless "
        f"labels are 0 and 1: monitor=make_scorer(f1_score, pos_label={second}). Metrics of "
        f"probabilities ask for them: monitor=make_scorer(average_precision_score, "
        f"pos_label={second}, response_method='predict_proba')"
    )
