"""Fitted classifiers corrected for class priors that are not those of their training."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, NoReturn

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.model_selection import FixedThresholdClassifier, TunedThresholdClassifierCV
from sklearn.utils import get_tags
from sklearn.utils.validation import check_is_fitted

from skbn.drift.priors import bootstrap_interval, estimate_class_prior
from skbn.estimators.adapted import with_class_prior
from skbn.estimators.classifier import BNSoftmaxClassifier, attributes_of, set_attributes
from skbn.estimators.pipelines import classifier_within
from skbn.estimators.population import is_network
from skbn.network.parameters import Array

SUM_TOLERANCE = 0.02
"""By how much given priors may miss a sum of one, such as 0.33 for each of three classes."""


class PriorCorrectedClassifier(ClassifierMixin, BaseEstimator):
    """A fitted classifier whose probabilities are corrected for other class priors.

    The probability of a class is the fitted classifier's times ``new_prior / old_prior``, over
    the sum for all classes. `skbn.drift.adapt` with ``shift="label"`` makes it.

    Parameters
    ----------
    estimator : classifier
        Fitted, with a `predict_proba` that is calibrated for the old priors.
    old_prior : array-like of shape (n_classes,)
        Class priors that its probabilities are for, in the order of its ``classes_``. A class of
        prior 0 is not corrected.
    new_prior : array-like of shape (n_classes,)
        Class priors of the rows to predict.
    interval : array-like of shape (n_classes, 2), default=None
        Between which bounds the new priors lie.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Those of the fitted classifier.
    n_features_in_ : int
        Number of features seen in its training.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where it has any.
    class_prior_ : ndarray of shape (n_classes,)
        New priors.
    class_prior_interval_ : ndarray of shape (n_classes, 2)
        Their interval, if there is one.
    adaptation_ : dict
        What `skbn.drift.adapt` did.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.linear_model import LogisticRegression
    >>> from skbn.drift.prior_corrected import PriorCorrectedClassifier
    >>> X, y = load_iris(return_X_y=True)
    >>> model = LogisticRegression(max_iter=1000).fit(X, y)
    >>> third = 1 / 3
    >>> corrected = PriorCorrectedClassifier(model, [third, third, third], [0, 0.1, 0.9])
    >>> model.predict(X[[0, 70, 120]]), corrected.predict(X[[0, 70, 120]])
    (array([0, 2, 2]), array([1, 2, 2]))
    """

    def __init__(
        self, estimator: Any, old_prior: Any, new_prior: Any, interval: Any = None
    ) -> None:
        self.estimator = estimator
        self.old_prior = old_prior
        self.new_prior = new_prior
        self.interval = interval

    @property
    def classes_(self) -> Any:
        """Class labels of the fitted classifier."""
        return self.estimator.classes_

    @property
    def n_features_in_(self) -> int:
        """Number of features seen in training."""
        return self.estimator.n_features_in_

    @property
    def feature_names_in_(self) -> Any:
        """Names of the features seen in training."""
        return self.estimator.feature_names_in_

    @property
    def class_prior_(self) -> Array:
        """Class priors of the rows to predict."""
        check_is_fitted(self)
        return np.asarray(self.new_prior, dtype=np.float64)

    @property
    def class_prior_interval_(self) -> Array:
        """Bounds of the class priors."""
        if self.interval is None:
            raise AttributeError("class_prior_interval_ is not known: no interval was given")
        return np.asarray(self.interval, dtype=np.float64)

    def fit(self, X: Any, y: Any, **params: Any) -> NoReturn:
        """Refuse to fit: a classifier is fitted first, and corrected then.

        Parameters
        ----------
        X, y, **params
            Of no use here.

        Raises
        ------
        TypeError
            Always.
        """
        raise TypeError(
            "PriorCorrectedClassifier corrects a classifier that is fitted already. Fit its "
            "estimator on labelled rows, whose class priors need no correction, or adapt that one "
            "anew"
        )

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Rows as the fitted classifier takes them.

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        check_is_fitted(self)
        old, new = np.asarray(self.old_prior, float), np.asarray(self.new_prior, float)
        ratio = np.divide(new, old, out=np.ones(len(old)), where=old > 0)
        probabilities = np.asarray(self.estimator.predict_proba(X), dtype=np.float64)
        products = probabilities * ratio
        totals = products.sum(axis=1, keepdims=True)
        # A row that only classes of prior 0 explain stays as it was.
        return np.divide(products, totals, out=probabilities, where=totals > 0)

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        with np.errstate(divide="ignore"):
            return np.log(self.predict_proba(X))

    def predict(self, X: Any) -> Any:
        """The most probable class of each row.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        probabilities = self.predict_proba(X)
        return self.classes_[probabilities.argmax(axis=1)]

    def __sklearn_is_fitted__(self) -> bool:
        check_is_fitted(self.estimator)
        return True

    def __sklearn_tags__(self) -> Any:
        tags, inner = super().__sklearn_tags__(), get_tags(self.estimator)
        tags.input_tags, tags.classifier_tags = inner.input_tags, inner.classifier_tags
        return tags


def corrected_for_priors(model: Any, X_new: Any, class_prior: Any = "auto") -> Any:
    """Give a copy of a fitted classifier corrected for the class priors of unlabelled rows.

    Parameters
    ----------
    model : classifier
        Fitted, with a calibrated `predict_proba`.
    X_new : array-like of shape (n_samples, n_features)
    class_prior : "auto", dict, Series or array-like of shape (n_classes,), default="auto"
        Old priors, for which the probabilities are: by label, or in the order of ``classes_``.
        "auto" is the ``class_prior_`` of a `BNSoftmaxClassifier` or of a model that was corrected
        before, alone, at the end of a Pipeline, or the best of a search.

    Returns
    -------
    corrected : classifier
        Of the kind of the model where the old priors are its ``class_prior_``, else a
        `PriorCorrectedClassifier` of it.

    Raises
    ------
    TypeError
        If the model has no `predict_proba`, or a decision threshold of its own.
    ValueError
        If the old priors are needed and not given, or are none.
    """
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"{type(model).__name__} has no predict_proba, from which class priors are estimated; "
            "calibrate it with sklearn.calibration.CalibratedClassifierCV"
        )
    if isinstance(model, (FixedThresholdClassifier, TunedThresholdClassifierCV)):
        raise TypeError(
            f"{type(model).__name__} has a decision threshold, which was chosen for the old class "
            "priors; adapt its estimator_, and choose the threshold anew"
        )
    own = own_class_prior(model)
    old = _old_prior(model, own, class_prior)
    probabilities = model.predict_proba(X_new)
    new = estimate_class_prior(probabilities, old)
    interval = bootstrap_interval(probabilities, old)
    if own is not None and np.allclose(old, own, atol=0):
        corrected = deepcopy(model)
        _correct(_classifier_in(corrected), new, interval)
    else:
        corrected = _wrapped(deepcopy(model), old, new, interval)
    corrected.adaptation_ = {
        "shift": "label",
        "n_rows": len(probabilities),
        "re_estimated": [],
        "left_alone": [],
        "kept": ["all but the class priors"],
        "class_prior_old": old.tolist(),
        "class_prior_new": new.tolist(),
        "class_prior_interval": interval.tolist(),
        **adapted_before(model),
    }
    return corrected


def adapted_before(model: Any) -> dict[str, Any]:
    """Give what the record of an adaptation says of one before it."""
    record = getattr(model, "adaptation_", None)
    return {} if record is None else {"before": deepcopy(record)}


def own_class_prior(model: Any) -> Array | None:
    """Give the class priors that the probabilities of a model are for; None if it has none."""
    return getattr(_classifier_in(model), "class_prior_", None)


def _classifier_in(model: Any) -> BNSoftmaxClassifier | PriorCorrectedClassifier | None:
    """Give the classifier whose probabilities are a model's, if its class priors can be set."""
    model = classifier_within(model)
    if not isinstance(model, (BNSoftmaxClassifier, PriorCorrectedClassifier)):
        return None
    is_own = isinstance(model, PriorCorrectedClassifier) or is_network(model)
    return model if is_own else None


def _correct(classifier: Any, new: Array, interval: Array) -> None:
    """Set the class priors of a classifier, in place."""
    if isinstance(classifier, PriorCorrectedClassifier):
        classifier.set_params(new_prior=new, interval=interval)
    else:
        corrected = with_class_prior(classifier, new, interval)
        set_attributes([(classifier, attributes_of(corrected))])


def _wrapped(model: Any, old: Array, new: Array, interval: Array) -> PriorCorrectedClassifier:
    """Wrap a classifier; of one that is wrapped already what is inside."""
    if not isinstance(model, PriorCorrectedClassifier):
        return PriorCorrectedClassifier(model, old, new, interval)
    # Times old / new within and new / old here.
    within, after = np.asarray(model.old_prior, float), model.class_prior_
    before = np.divide(within * old, after, out=np.zeros(len(old)), where=after > 0)
    return PriorCorrectedClassifier(model.estimator, before, new, interval)


def _old_prior(model: Any, own: Array | None, class_prior: Any) -> Array:
    """Give the old priors, checked, in the order of the classes."""
    if not isinstance(class_prior, str):
        return _given_prior(class_prior, model.classes_)
    if class_prior != "auto":
        raise ValueError(
            f'class_prior must be "auto", or hold the shares of the classes, got {class_prior!r}'
        )
    if own is None:
        raise ValueError(
            f"class_prior must be given for this {type(model).__name__}, which does not know it: "
            "the shares of the classes among the rows that it was trained on, such as "
            "y_train.value_counts(normalize=True)"
        )
    return own


def _given_prior(prior: Any, classes: Any) -> Array:
    """Check old priors as users give them, and put them in the order of the classes."""
    labels = classes.tolist()
    if isinstance(prior, (Mapping, pd.Series)):
        by_label = dict(prior.items())
        unknown = [label for label in by_label if label not in labels]
        absent = [label for label in labels if label not in by_label]
        if unknown or absent:
            raise ValueError(
                f"class_prior must have a prior for each of the classes {labels[:20]}; it names "
                f"{unknown[:10]}, which are none, and lacks {absent[:10]}"
            )
        prior = [by_label[label] for label in labels]
    try:
        old = np.asarray(prior, dtype=np.float64)
    except (TypeError, ValueError):
        raise ValueError(f"class_prior must hold numbers, got {prior!r:.80}") from None
    if old.shape != (len(labels),):
        raise ValueError(
            f"class_prior must hold one prior for each of the {len(labels)} classes, in the order "
            f"of classes_, got an array of shape {old.shape}"
        )
    if not (np.isfinite(old).all() and (old >= 0).all() and abs(old.sum() - 1) <= SUM_TOLERANCE):
        raise ValueError(
            f"class_prior must hold numbers >= 0 with the sum 1, got {old.tolist()[:20]} with the "
            f"sum {old.sum():g}; divide frequencies by their sum"
        )
    return old / old.sum()
