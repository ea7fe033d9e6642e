"""Learned parameters of an estimator, as lists of arrays."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.utils.validation import check_is_fitted

from skbn.network.inference import TrainedNetwork
from skbn.network.parameters import Array
from skbn.network.state import State
from skbn.saved_state import require
from skbn.training.ensemble import Ensemble
from skbn.training.run import Progress

MAX_LOG_RATIO = 500.0
"""Most that a logit is corrected by for class priors: exponentials stay finite."""


class NetworkArrays:
    """Parameters of the first network of an estimator, as views."""

    _ensemble: Ensemble
    _progress: list[Progress]

    def _arrays(self, kind: str) -> dict[int, Array]:
        """Parameters of one kind of the first member, by layer."""
        return fitted_ensemble(self).networks[0].arrays(kind)

    def _rows(self, kind: str) -> list[Array]:
        return [array[0] for array in self._arrays(kind).values()]

    @property
    def coefs_(self) -> list[Array]:
        """Weights (n_in, n_out) of each layer."""
        return list(self._arrays("weights").values())

    @property
    def intercepts_(self) -> list[Array]:
        """Biases (n_out,) of each layer; zeros under batch norm."""
        biases = self._arrays("bias")
        return [
            biases[layer][0] if layer in biases else np.zeros(weights.shape[1], weights.dtype)
            for layer, weights in enumerate(self.coefs_)
        ]

    @property
    def bn_gamma_(self) -> list[Array]:
        """Scales (n_units,) of each hidden layer."""
        return self._rows("gamma")

    @property
    def bn_beta_(self) -> list[Array]:
        """Shifts (n_units,) of each hidden layer."""
        return self._rows("beta")

    @property
    def bn_mean_(self) -> list[Array]:
        """Averaged means (n_units,) of each hidden layer."""
        return self._rows("mean")

    @property
    def bn_var_(self) -> list[Array]:
        """Averaged variances (n_units,) of each hidden layer."""
        return self._rows("var")

    @property
    def class_prior_(self) -> Array:
        """Shares (n_classes,) of the classes in the weights of the loss, or re-estimated ones."""
        totals = fitted_progress(self)[0].class_totals
        if totals is None:
            raise AttributeError(
                "class_prior_ is not known: this model was saved by a version of skbn without it"
            )
        ratio = self._ensemble.log_prior_ratio
        weights = totals if ratio is None else totals * np.exp(ratio)
        prior: Array = weights / weights.sum()
        return prior


def fitted_ensemble(estimator: NetworkArrays) -> Ensemble:
    """Give the ensemble that an estimator predicts with; raise if it is not fitted."""
    if not hasattr(estimator, "_ensemble"):  # or scikit-learn looks for 20 us
        check_is_fitted(estimator, "_ensemble")
    return estimator._ensemble


def fitted_progress(estimator: NetworkArrays) -> list[Progress]:
    """Give the networks of an estimator and what they go on with; raise if it is not fitted."""
    check_is_fitted(estimator)
    return estimator._progress


def is_log_ratio(ratio: Any, classes: Any) -> bool:
    """Whether it is what the logits of classes can be corrected by."""
    # A memory map as joblib loads it with mmap_mode.
    is_array = type(ratio) in (np.ndarray, np.memmap) and ratio.dtype == np.float64
    is_one_a_class = is_array and ratio.shape == (len(classes),)
    return is_one_a_class and bool((np.abs(ratio) <= MAX_LOG_RATIO).all())


def saved_networks(progress: Any, n: Any) -> list[TrainedNetwork]:
    """Give the first n networks of a saved state; refuse one with others in their place."""
    require(type(n) is int and type(progress) is list, "list of networks")
    for each in progress:
        require(type(each) is Progress and type(each.state) is State, "network")
    return [each.network for each in progress[:n]]
