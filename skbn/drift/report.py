"""From a model and two tables to a report."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.preprocessing import MinMaxScaler, RobustScaler, StandardScaler
from sklearn.utils.validation import check_is_fitted

from skbn._compat import safe_indexing
from skbn.drift.class_shift import (
    class_scores,
    compare_class_scores,
    density_ratio,
    distances_of_columns,
)
from skbn.drift.columns import compare_column, table_of_columns
from skbn.drift.features import Feature, check_tables, features_of, forms_within
from skbn.drift.layers import table_of_layers
from skbn.drift.predictions import (
    Predictions,
    accuracy_on,
    expected_accuracy,
    mean_confidence,
    own_priors,
    predictions_of,
    table_of_classes,
)
from skbn.drift.record import DriftReport
from skbn.drift.samples import SampleBuilder, draw_rows
from skbn.drift.two_sample import two_fold_auc, two_sample_test
from skbn.drift.verdict import (
    LEVEL_OF_COLUMNS,
    Evidence,
    advice_for,
    is_as_good_as_expected,
    is_concept_drift,
)
from skbn.estimators.pipelines import classifier_within
from skbn.preprocessing import PiecewiseLinearEncoder

SCALERS = (StandardScaler, MinMaxScaler, RobustScaler, PiecewiseLinearEncoder)
"""Whose statistics `adapt` re-estimates."""


def drift_report(
    model: Any, X_old: Any, X_new: Any, y_new: Any = None, *, random_state: int = 0
) -> DriftReport:
    """Tell what moved between the rows of then and those of now, of which kind it is, what to do.

    Columns are compared one by one, a classifier is trained to tell old from new rows, and
    predictions for both are compared. It is *label shift* if class proportions explain all that
    moved, and *covariate shift* if not. Chance leads to another verdict than "none" in at most
    5 % of cases; a shift that is beyond chance yet too small to matter is named and counts
    as none.

    Parameters
    ----------
    model : fitted classifier
        Any, or a Pipeline or search with one at its end. Without ``predict_proba`` the report says
        less; of a `skbn.BNSoftmaxClassifier` it tells of each layer too.
    X_old, X_new : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Rows of then, such as those the model was trained on, and of now, as the model takes
        them. Columns of frames go by their names.
    y_new : array-like of shape (n_new,), default=None
        Labels of the new rows, of all or of a few: None, NaN or NA where a row has none.
    random_state : int, default=0
        Draws rows where there are more than 10,000 of a side, and halves.

    Returns
    -------
    report : DriftReport

    Raises
    ------
    sklearn.exceptions.NotFittedError
        If the model is not fitted.
    TypeError
        If the model is no classifier.
    ValueError
        If a table has fewer than two rows, the tables have other columns than one another, or
        labels do not go with the rows or the classes.

    See Also
    --------
    skbn.drift.adapt : What repairs a model without labels.

    Examples
    --------
    >>> import numpy as np
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.drift import drift_report
    >>> X = np.random.default_rng(0).normal(size=(600, 3))
    >>> X_old, X_new = X[:300], X[300:] + 1.0
    >>> model = BNSoftmaxClassifier(max_iter=10, random_state=0).fit(X_old, X_old[:, 0] > 0)
    >>> report = drift_report(model, X_old, X_new)
    >>> report.verdict, report.advice
    ('covariate', 'adapt')
    """
    _check_model(model)
    X_old, X_new, ignored = check_tables(X_old, X_new)
    predictions = predictions_of(model, X_old, X_new)
    accuracy, n_labels = (None, 0) if y_new is None else accuracy_on(predictions, y_new)
    own = own_priors(predictions, classifier_within(model))
    classes = table_of_classes(predictions, own)
    rng = np.random.default_rng(random_state)
    rows = _draw_rows(X_old, predictions, rng)
    features = features_of(X_old, X_new, forms_within(model))
    columns, evidence = _compare(features, predictions, own, rows, rng)
    verdict, has_proba = evidence.verdict, predictions.has_probabilities
    ratio = evidence.priors_new / np.maximum(own, np.finfo(float).tiny)
    expected = None
    if has_proba:
        expected = expected_accuracy(predictions.proba_new, ratio if verdict == "label" else None)
    is_concept = is_concept_drift(verdict, accuracy, expected)
    drawn = (safe_indexing(X, each) for X, each in zip((X_old, X_new), rows, strict=True))
    layers = table_of_layers(model, *drawn)
    can_adapt = layers is not None or _has_scaler(model)
    return DriftReport(
        verdict=verdict,
        advice=advice_for(
            verdict,
            evidence.auc_beyond,
            is_concept,
            can_adapt,
            has_proba,
            is_as_good_as_expected(accuracy, expected),
        ),
        columns=columns,
        classes=classes,
        layers=layers,
        auc=evidence.auc,
        auc_beyond_label_shift=evidence.auc_beyond,
        confidence_old=mean_confidence(predictions.proba_old) if has_proba else None,
        confidence_new=mean_confidence(predictions.proba_new) if has_proba else None,
        expected_accuracy=expected,
        accuracy=accuracy,
        n_old=len(predictions.proba_old),
        n_new=len(predictions.proba_new),
        n_labels=n_labels,
        remainder=evidence.remainder,
        ignored=ignored,
    )


def _check_model(model: Any) -> None:
    if isinstance(model, type) or not hasattr(model, "predict"):
        raise TypeError(
            f"model must be a fitted classifier or a Pipeline that ends in one; got {model!r:.80}"
        )
    if not is_classifier(model):
        kind = type(classifier_within(model)).__name__
        raise TypeError(f"model must be a classifier; {kind} predicts no classes")
    check_is_fitted(model)


def _draw_rows(X_old: Any, predictions: Predictions, rng: Any) -> list[Any]:
    """Draw the rows of each side that the tests of the whole look at."""
    n_columns = X_old.shape[1] if hasattr(X_old, "shape") else len(X_old[0])
    probabilities = (predictions.proba_old, predictions.proba_new)
    return [draw_rows(len(each), n_columns, rng) for each in probabilities]


def _compare(
    features: Iterable[Feature], predictions: Predictions, own: Any, rows: list[Any], rng: Any
) -> tuple[Any, Evidence]:
    """Give the table of the columns, and what all tests say to the verdict."""
    builder, names, compared = SampleBuilder(*rows), [], []
    for feature in features:
        names.append(feature.name)
        compared.append(compare_column(feature))
        builder.add(feature)
    columns, sample = table_of_columns(names, compared, LEVEL_OF_COLUMNS), builder.sample()
    test = two_sample_test(sample, rng)
    columns["importance"] = test.importance
    of_sample = np.concatenate([predictions.proba_old[rows[0]], predictions.proba_new[rows[1]]])
    priors = predictions.priors(own)
    weights = density_ratio(predictions.proba_old[rows[0]], own, *priors)
    return columns, Evidence(
        drifted=columns["drifted"].to_numpy(),
        auc=two_fold_auc(sample, test),
        auc_beyond=two_fold_auc(sample, test, weights),
        class_p_value=compare_class_scores(*class_scores(sample, of_sample)),
        priors_old=priors[0],
        priors_new=priors[1],
        distances=distances_of_columns(sample),
        distances_beyond=distances_of_columns(sample, weights),
        has_probabilities=predictions.has_probabilities,
    )


def _has_scaler(model: Any) -> bool:
    """Whether a model has scalers among its steps, at whatever depth."""
    return any(isinstance(value, SCALERS) for value in model.get_params(deep=True).values())
