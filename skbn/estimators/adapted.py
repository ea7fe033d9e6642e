"""Copies of a fitted classifier for rows that are unlike those trained on, without labels."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from typing import Any

import numpy as np

from skbn.checks import check_rows
from skbn.estimators.arrays import fitted_ensemble, fitted_progress
from skbn.estimators.classifier import BNSoftmaxClassifier, attributes_of, set_attributes
from skbn.network import moments
from skbn.network.inference import TrainedNetwork
from skbn.network.moments import Moments
from skbn.network.parameters import Array

MIN_PRIOR_ROWS = 8.0
"""Automatic rows at least: 32 rows may show no variance at all in what rarely varies."""
MAX_PRIOR_ROWS = 1e9
"""As many as leave all moments as they were."""


def layer_moments_of(classifier: BNSoftmaxClassifier, X: Any) -> dict[int, Moments]:
    """Give the moments on some rows of what each batch-norm layer of a classifier normalises.

    Parameters
    ----------
    classifier : BNSoftmaxClassifier
        Fitted.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)

    Returns
    -------
    moments : dict of int to (ndarray, ndarray) of shape (n_members, 1, n_units)
        Mean and biased variance by layer, from 0; empty without batch norm.
    """
    network = TrainedNetwork.stacked(fitted_ensemble(classifier).networks)
    return moments.layer_moments(network, _rows(classifier, X))


def with_moments(
    classifier: BNSoftmaxClassifier, X: Any, prior_rows: float | str = "auto"
) -> tuple[BNSoftmaxClassifier, list[dict[str, Any]]]:
    """Give a copy of a classifier whose batch-norm moments are re-estimated on unlabelled rows.

    Parameters
    ----------
    classifier : BNSoftmaxClassifier
        Fitted; it is left as it is.
    X : {array-like, sparse matrix} of shape (n_samples, n_features)
    prior_rows : float or "auto", default="auto"
        Rows that the old moments count for; see `auto_prior_rows`.

    Returns
    -------
    copy : BNSoftmaxClassifier
    layers : list of dict
        For each hidden layer under batch norm its number from 1, as "layer"; "prior_rows", in the
        mean over the members; and "moved", the root mean square over the units of how far the
        means moved, in old deviations.
    """
    x, layers = _rows(classifier, X), list[dict[str, Any]]()
    n_rows = x.shape[0]
    largest = np.finfo(fitted_ensemble(classifier).networks[0].theta.dtype).max

    def choose(layer: int, old: Moments, new: Moments) -> Moments:
        if not all((np.abs(each) <= largest).all() for each in new):
            raise ValueError(
                f"the moments of hidden layer {layer + 1} are not finite: values of X are too "
                "large for the weights of this model. Scale the features as in training"
            )
        rows = [
            auto_prior_rows(*each, n_rows) if isinstance(prior_rows, str) else float(prior_rows)
            for each in zip(*old, *new, strict=True)
        ]
        moved = np.sqrt(np.mean((new[0] - old[0]) ** 2 / _positive(old[1])))
        layers.append(
            {"layer": layer + 1, "prior_rows": float(np.mean(rows)), "moved": float(moved)}
        )
        weights = np.array(rows)[:, None, None]
        mean, var = (blend(*each, n_rows, weights) for each in zip(old, new, strict=True))
        return mean, var

    ensemble = fitted_ensemble(classifier)
    network = moments.with_moments(TrainedNetwork.stacked(ensemble.networks), x, choose)
    progress = [
        replace(each, state=replace(each.state, theta=network.theta[k : k + 1].copy()))
        for k, each in enumerate(fitted_progress(classifier)[: len(ensemble.networks)])
    ]
    networks = [each.network for each in progress]
    progress += fitted_progress(classifier)[len(networks) :]
    changes = {"_ensemble": replace(ensemble, networks=networks), "_progress": progress}
    return _copy(classifier, changes), layers


def with_class_prior(
    classifier: BNSoftmaxClassifier, class_prior: Any, interval: Any = None
) -> BNSoftmaxClassifier:
    """Give a copy of a classifier whose logits are corrected for other class frequencies.

    With the old priors p and the new ones q, the probability of a class c among rows of the new
    kind is proportional to ``q_c / p_c`` times the old one.

    Parameters
    ----------
    classifier : BNSoftmaxClassifier
        Fitted, with a ``class_prior_``; it is left as it is.
    class_prior : array-like of shape (n_classes,)
        New priors, in the order of ``classes_``: above zero where the old ones are.
    interval : array-like of shape (n_classes, 2), default=None
        Between which bounds they lie, which is kept as ``class_prior_interval_``.

    Returns
    -------
    copy : BNSoftmaxClassifier
    """
    ensemble, new = fitted_ensemble(classifier), np.asarray(class_prior, dtype=np.float64)
    old = classifier.class_prior_
    ratio: Array = np.zeros(len(old))
    known = old > 0  # the others were never met, and their logits stay
    ratio[known] = np.log(new[known] / old[known])
    if ensemble.log_prior_ratio is not None:
        ratio += ensemble.log_prior_ratio
    changes: dict[str, Any] = {"_ensemble": replace(ensemble, log_prior_ratio=ratio)}
    if interval is not None:
        changes["class_prior_interval_"] = np.array(interval, dtype=np.float64)
    return _copy(classifier, changes)


def auto_prior_rows(
    old_mean: Array, old_var: Array, new_mean: Array, new_var: Array, n_rows: int
) -> float:
    """Give the rows that old moments should count for beside new ones, by empirical Bayes.

    In units of a unit's deviation the squared move of its mean is ``1 / n_rows`` by chance alone,
    and so is half the squared logarithm of the ratio of its variances, for normal values. What
    is seen beyond that, in the mean over the units, is the variance of the true moves; its inverse
    is the number of rows by which the weighted moments are nearest to the true ones.

    Parameters
    ----------
    old_mean, old_var, new_mean, new_var : ndarray of shape (..., n_units)
    n_rows : int
        From which the new ones were estimated.

    Returns
    -------
    prior_rows : float
        From ``MIN_PRIOR_ROWS`` to ``MAX_PRIOR_ROWS``.
    """
    varies = (old_var > 0) & (new_var > 0)
    if not varies.any():
        return MAX_PRIOR_ROWS
    old, new = old_var[varies], new_var[varies] * (n_rows / max(n_rows - 1, 1))
    moves = (new_mean[varies] - old_mean[varies]) ** 2 / old
    spreads = np.log(new / old) ** 2 / 2
    variance = float(np.mean((moves + spreads) / 2)) - 1 / n_rows
    return float(np.clip(1 / max(variance, 1 / MAX_PRIOR_ROWS), MIN_PRIOR_ROWS, MAX_PRIOR_ROWS))


def blend(old: Any, new: Any, n_rows: int, prior_rows: Any) -> Any:
    """Weight old moments with new ones, as if they came from ``prior_rows`` rows [1]_.

    .. [1] S. Schneider, E. Rusak, L. Eck, O. Bringmann, W. Brendel, M. Bethge. Improving
       robustness against common corruptions by covariate shift adaptation. 2020.
       arXiv:2006.16971.
    """
    weight = prior_rows / (prior_rows + n_rows)
    return weight * old + (1 - weight) * new


def _rows(classifier: BNSoftmaxClassifier, X: Any) -> Any:
    fitted_ensemble(classifier)
    return check_rows(classifier, X, dtype=[np.float64, np.float32], reset=False)


def _positive(variance: Array) -> Array:
    return np.maximum(variance, np.finfo(np.float64).tiny)


def _copy(classifier: BNSoftmaxClassifier, changes: dict[str, Any]) -> BNSoftmaxClassifier:
    copy = deepcopy(classifier)
    set_attributes([(copy, attributes_of(copy) | changes)])
    return copy
