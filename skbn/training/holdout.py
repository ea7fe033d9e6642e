"""Rows to judge or to calibrate on, and the best parameters seen on them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.optimize import minimize

from skbn.network.inference import TrainedNetwork
from skbn.network.losses import Loss
from skbn.network.parameters import Array, Indices


def stratified_rows(labels: Indices, fraction: float, stream: np.random.Generator) -> Indices:
    """Draw rows for validation, each class in proportion.

    At least one row of each class stays behind, so that a class too rare to be
    split is in training whole.

    Parameters
    ----------
    labels : int ndarray of shape (n,)
    fraction : float
        Fraction of the rows to draw; at least one is drawn where that is possible.
    stream : numpy.random.Generator

    Returns
    -------
    rows : int ndarray
        Sorted positions in ``labels``; empty if every class has one row.
    """
    order = stream.permutation(len(labels))
    order = order[np.argsort(labels[order], kind="stable")]
    candidates = order[1:][np.diff(labels[order]) == 0]
    n_drawn = min(max(1, round(fraction * len(labels))), len(candidates))
    # Evenly spaced among the rows sorted by class, which is in proportion, from a random
    # start, which gives every row the same chance.
    evenly = (np.arange(n_drawn) + stream.random()) * (len(candidates) / max(n_drawn, 1))
    return np.sort(candidates[evenly.astype(np.intp)])


@dataclass(frozen=True)
class Dataset:
    """Rows and labels to train on, and others to judge on.

    Parameters
    ----------
    x : ndarray or CSR matrix of shape (n, n_features)
        In the dtype of training.
    labels : int ndarray of shape (n,)
    validation : Dataset, optional
        A validation set of its own.
    """

    x: Any
    labels: Indices
    validation: Dataset | None = None


@dataclass(frozen=True)
class Holdout:
    """Rows that a run does not train on, to judge or to calibrate it.

    Parameters
    ----------
    rows : int ndarray of shape (n,), optional
        Which rows of a dataset; all of them by default.
    weights : ndarray of shape (n,), optional
        Their weights; ones by default.
    of_validation : bool, default=False
        Whether the rows are of the dataset's validation set, or of the dataset itself.
    """

    rows: Indices | None = None
    weights: Array | None = None
    of_validation: bool = False

    def source(self, dataset: Dataset) -> Dataset:
        """Give the rows and labels among which those of the holdout are."""
        if not self.of_validation:
            return dataset
        if dataset.validation is None:
            raise ValueError("the dataset has no validation set")
        return dataset.validation

    def labels(self, dataset: Dataset) -> Indices:
        """Labels (n,) of the rows."""
        labels = self.source(dataset).labels
        return labels if self.rows is None else labels[self.rows]

    def labels_and_weights(self, dataset: Dataset) -> tuple[Indices, Array]:
        """Labels and weights (n,) of the rows."""
        labels = self.labels(dataset)
        return labels, np.ones(len(labels)) if self.weights is None else self.weights

    def logits(self, dataset: Dataset, network: TrainedNetwork) -> Array:
        """Logits (K, n, C) of the rows."""
        return network.logits(self.source(dataset).x, self.rows)

    def score(
        self, dataset: Dataset, network: TrainedNetwork, hyper: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Give weighted means (K,) over the rows of what the loss measures, by name.

        Logits that are not finite give a loss that is not.

        Raises
        ------
        ValueError
            If the loss of finite logits is not finite.
        """
        logits = self.logits(dataset, network).astype(np.float64)
        loss = network.architecture.loss
        measured = self.measured(dataset, network.architecture.loss_function, logits, hyper)
        if np.isfinite(logits).all() and not np.isfinite(measured["loss"]).all():
            raise ValueError(
                f"loss={loss!r} is not finite for some rows of the validation set, whose logits "
                "are: np.log(p + 1e-12) instead of np.log(p), for example"
            )
        return measured

    def measured(
        self, dataset: Dataset, loss: Loss, logits: Array, hyper: Mapping[str, Array]
    ) -> dict[str, Array]:
        """Give what `score` does, of logits (K, n, C) in float64."""
        labels, weights = self.labels_and_weights(dataset)
        with np.errstate(all="ignore"):
            return {
                name: _weighted_mean(measure(logits, labels, hyper), weights.astype(np.float64))
                for name, measure in loss.measures.items()
            }

    def loss_of_guessing(
        self, dataset: Dataset, loss: Loss, guess: Array, hyper: Mapping[str, Array]
    ) -> float:
        """Give the mean loss over the rows of the same logits (C,) for all of them."""
        logits = np.broadcast_to(guess, (1, len(self.labels(dataset)), len(guess)))
        return float(self.measured(dataset, loss, logits, hyper)["loss"].item())


def best_guess(loss: Loss, frequencies: Array, hyper: Mapping[str, Array]) -> Array:
    """Give the logits (C,), the same for all rows, of the lowest mean loss.

    Their probabilities are the frequencies for a proper loss such as cross-entropy, and nearer
    to each other for the focal loss.

    Parameters
    ----------
    loss : Loss
    frequencies : float64 ndarray of shape (C,)
        Of the classes.
    hyper : mapping of str to float64 ndarray of shape (1, 1)
    """
    # Of a class that is not there finite too, for its rows may have no weight.
    start = np.log(np.maximum(frequencies, np.finfo(np.float64).tiny))
    n_classes = len(start)
    unsmoothed = {**hyper, "label_smoothing": np.zeros((1, 1))}
    batch = loss.in_training(1, n_classes, n_classes, unsmoothed)  # of a row of each class
    targets = loss.encoder([0, n_classes], 1)(np.arange(n_classes)[None])
    weights = n_classes * frequencies[None]

    def mean_and_gradient(logits: Array) -> tuple[float, Array]:
        batch.logits[...] = logits
        losses = batch(targets, weights)
        return float(losses.mean()), batch.logits.sum(axis=(0, 1))

    options = {"gtol": 1e-7, "ftol": 1e-10}
    with np.errstate(all="ignore"):  # of a loss of one's own, far away
        found = minimize(mean_and_gradient, start, jac=True, method="L-BFGS-B", options=options)
    best: Array = found.x
    return best


def _weighted_mean(values: Any, weights: Array) -> Array:
    # As products, for the order in which a sum is taken depends on K.
    sums = np.matmul(values[:, None].astype(np.float64), weights[:, None])[:, 0, 0]
    mean: Array = sums / weights.sum()
    return mean


@dataclass(eq=False)
class BestState:
    """Keep the best parameters, and count the epochs without progress.

    Parameters
    ----------
    tol : float
        A lower loss counts as progress if it is lower by more than this.
    patience : int or float
        Epochs without progress after which `update` says to stop.
    loss : float
        The lowest so far.
    to_beat : float
        Loss of the last epoch that counted as progress.
    waited : int
        Epochs since then.
    theta : ndarray of shape (1, P) or None
        Parameters of the lowest loss; never written to.
    epoch : int
        Its epoch.
    """

    tol: float
    patience: float
    loss: float = np.inf
    to_beat: float = np.inf
    waited: int = 0
    theta: Array | None = None
    epoch: int = 0

    def update(self, loss: float, theta: Array, epoch: int) -> bool:
        """Take note of an epoch and say whether to stop."""
        if loss < self.loss:
            self.loss, self.theta, self.epoch = loss, theta.copy(), epoch
        if loss < self.to_beat - self.tol:
            self.to_beat, self.waited = loss, 0
        else:
            self.waited += 1
        return self.waited >= self.patience
