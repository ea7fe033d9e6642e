"""A report on what moved between the rows of then and those of now."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbn.drift.columns import compare_column, table_of_columns
from skbn.drift.features import check_tables, features_of
from skbn.drift.predictions import (
    accuracy_of,
    last_step,
    mean_estimate,
    table_of_classes,
    wilson_interval,
)
from skbn.drift.two_sample import Estimate, draw_rows, two_sample_test

LEVEL = 0.025
"""Of false alarms, of the columns and of the two-sample test each: 0.05 in all."""


@dataclass
class DriftReport:
    """What moved between two tables, and what it means for a model."""

    verdict: str
    advice: str
    columns: Any
    classes: Any
    layers: Any
    auc: Estimate
    auc_beyond_label_shift: Estimate | None
    confidence_old: Estimate | None
    confidence_new: Estimate | None
    expected_accuracy: Estimate | None
    accuracy: Estimate | None
    n_old: int
    n_new: int
    n_labels: int = 0

    def summary(self) -> str:
        """Say in words what moved, of which kind the shift is, and what to do."""
        moved = self.columns.index[self.columns["drifted"]]
        return (
            f"Verdict: {self.verdict}. Advice: {self.advice}.\n"
            f"{len(moved)} of {len(self.columns)} columns drifted. Old and new rows are told "
            f"apart with an AUC of {self.auc.value:.3f}."
        )

    def to_frame(self) -> Any:
        """Give the columns as a DataFrame of its own."""
        return self.columns.copy()

    def to_dict(self) -> dict[str, Any]:
        """Give the report as plain Python, for a log in JSON."""
        return {}


def drift_report(
    model: Any, X_old: Any, X_new: Any, y_new: Any = None, *, random_state: int = 0
) -> DriftReport:
    """Report what moved between the rows of then and those of now.

    Parameters
    ----------
    model : fitted classifier
        Or a Pipeline that ends in one.
    X_old, X_new : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        As the model takes them: rows of then, such as those it was trained on, and of now.
    y_new : array-like of shape (n_new,), default=None
        Labels of the new rows; None, NaN or NA where a row has none.
    random_state : int, default=0
        Draws rows and halves.

    Returns
    -------
    report : DriftReport
    """
    check_is_fitted(model)
    X_old, X_new = check_tables(X_old, X_new)
    rng = np.random.default_rng(random_state)
    features = list(features_of(X_old, X_new))
    names = [feature.name for feature in features]
    columns = table_of_columns(names, [compare_column(each) for each in features], LEVEL)
    n_old, n_new = len(features[0].old), len(features[0].new)
    rows_old, rows_new = (draw_rows(n, len(features), rng) for n in (n_old, n_new))
    old = np.column_stack([feature.old[rows_old] for feature in features])
    new = np.column_stack([feature.new[rows_new] for feature in features])
    test = two_sample_test(old, new, rng)
    columns["importance"] = test.importance
    classes = np.asarray(model.classes_)
    proba_old = proba_new = None
    if hasattr(model, "predict_proba"):
        proba_old, proba_new = model.predict_proba(X_old), model.predict_proba(X_new)
        predicted_old, predicted_new = proba_old.argmax(axis=1), proba_new.argmax(axis=1)
    else:
        predicted_old = np.searchsorted(classes, model.predict(X_old))
        predicted_new = np.searchsorted(classes, model.predict(X_new))
    table = table_of_classes(
        classes, predicted_old, predicted_new, proba_old, proba_new, last_step(model)
    )
    confidence_old = confidence_new = expected = accuracy = beyond = None
    n_labels = 0
    if proba_old is not None and proba_new is not None:
        confidence_old = mean_estimate(proba_old.max(axis=1))
        confidence_new = mean_estimate(proba_new.max(axis=1))
        expected = wilson_interval(confidence_new.value, n_new)
        ratio = table["prior_new"].to_numpy() / table["prior_old"].to_numpy()
        beyond = two_sample_test(old, new, rng, proba_old[rows_old] @ ratio).auc
    if y_new is not None:
        accuracy, n_labels = accuracy_of(predicted_new, y_new, classes)
    is_drift = columns["drifted"].any() or test.auc.low > 0.5
    verdict = "none"
    if is_drift:
        verdict = "unclear" if beyond is None else "covariate" if beyond.low > 0.5 else "label"
    advice = {"none": "nothing", "covariate": "adapt", "label": "new priors"}
    return DriftReport(
        verdict,
        advice.get(verdict, "collect labels"),
        columns,
        table,
        None,
        test.auc,
        beyond,
        confidence_old,
        confidence_new,
        expected,
        accuracy,
        n_old,
        n_new,
        n_labels,
    )
