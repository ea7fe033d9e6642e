"""What an estimator of networks predicts."""

from __future__ import annotations

from typing import Any

import numpy as np

from skbn.checks import check_rows
from skbn.estimators.arrays import NetworkArrays, fitted_ensemble
from skbn.network.parameters import Array


class Predictions(NetworkArrays):
    """Methods of an estimator that predict, from the logits of its ensemble."""

    classes_: Any

    def _logits(self, X: Any) -> Array:
        """Logits in float64, shape (n_samples, n_classes)."""
        ensemble = fitted_ensemble(self)
        X = check_rows(self, X, dtype=[np.float64, np.float32], reset=False)
        return ensemble.logits(X)

    def decision_function(self, X: Any) -> Array:
        """Logits, the inputs of the softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes the second's logit minus the first's. Of several members
            the logarithms of the mean probabilities.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_log_proba(self, X: Any) -> Array:
        """Logarithms of the probabilities, finite even where a probability underflows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        logits = self._logits(X)
        return self._ensemble.loss.log_probabilities(logits)

    def predict_proba(self, X: Any) -> Array:
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        logits = self._logits(X)
        return self._ensemble.loss.probabilities(logits)

    def predict(self, X: Any) -> Any:
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]
