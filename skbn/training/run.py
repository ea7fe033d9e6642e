"""A run: the training of one network, its history, and how it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from skbn.network.architecture import Architecture
from skbn.network.epochs import Settings
from skbn.network.inference import TrainedNetwork
from skbn.network.parameters import Array, Indices
from skbn.network.state import Snapshot, State, copy_streams, initial_state
from skbn.training.holdout import BestState, Dataset, Holdout, best_guess

Entry = dict[str, float]
"""Measurements of an epoch: a line of the history."""


@dataclass(eq=False)
class Progress:
    """How far the training of a network has come, and all that it takes to go on.

    Parameters
    ----------
    architecture : Architecture
    solver : str
    state : State
        Of one member.
    entropy : sequence of int
        From which its random streams are drawn.
    bn_epsilon : ndarray of shape (1, 1)
        That of the last epoch.
    history : dict of str to list
        A value an epoch.
    kept_epoch : int
        The epoch whose parameters ``state`` holds, counted from one.
    class_totals : ndarray of shape (C,) or None
        Sum over the epochs of the shares of the classes in the weights of the loss. None if
        it is not known, of a model that was saved without.
    """

    architecture: Architecture
    solver: str
    state: State
    entropy: Sequence[int]
    bn_epsilon: Array = field(default_factory=lambda: np.zeros((1, 1)))
    history: dict[str, list[float]] = field(default_factory=dict)
    kept_epoch: int = 0
    class_totals: Array | None = None

    @classmethod
    def new(
        cls,
        architecture: Architecture,
        solver: str,
        initializer: str,
        dtype: npt.DTypeLike,
        entropy: Sequence[int],
    ) -> Progress:
        """Draw a network before its first step."""
        seed = np.random.SeedSequence(entropy, spawn_key=(0,))
        state = initial_state(architecture, solver, [initializer], [seed], dtype)
        return cls(architecture, solver, state, entropy)

    @property
    def split_seed(self) -> np.random.SeedSequence:
        """Seed of the rows to set aside, so that going on keeps the same rows apart."""
        return np.random.SeedSequence(self.entropy, spawn_key=(1,))

    @property
    def can_go_on(self) -> bool:
        """Whether the state is whole: a model may have been saved without."""
        return bool(self.state.shuffle_streams)

    def copy(self) -> Progress:
        """Give a copy that can go on; the state is shared, for training copies it."""
        history = {name: values.copy() for name, values in self.history.items()}
        return replace(self, history=history)

    @property
    def network(self) -> TrainedNetwork:
        """The network as it stands, to predict with."""
        return TrainedNetwork(self.architecture, self.state.theta, self.bn_epsilon)

    def column(self, name: str) -> list[float]:
        """Give the history of a name; it was not measured in the epochs before its first."""
        return self.history.setdefault(name, [float("nan")] * self.state.n_epochs)

    def detached(self) -> Progress:
        """Give a copy that shares nothing that changes in training."""
        state = self.state.members([0])
        streams = copy_streams(state.shuffle_streams), copy_streams(state.noise_streams)
        state.shuffle_streams, state.noise_streams = streams
        return replace(self.copy(), state=state)

    def with_theta(self, theta: Array, epoch: int) -> Progress:
        """Give the progress with the parameters of one of its epochs."""
        return replace(self, state=replace(self.state, theta=theta), kept_epoch=epoch)

    def snapshot(self) -> tuple[Snapshot, Array]:
        """Give a copy of all that changes in training, for `go_back`."""
        return self.state.snapshot(), self.bn_epsilon

    def go_back(self, snapshot: tuple[Snapshot, Array]) -> None:
        """Go back to an earlier epoch, and forget what came after."""
        self.state, self.bn_epsilon = self.state.restored(snapshot[0]), snapshot[1]
        self.kept_epoch = n_epochs = self.state.n_epochs
        self.history = {name: values[:n_epochs] for name, values in self.history.items()}


@dataclass(eq=False)
class Run:
    """The training of one network: how far it has come, and how it goes on.

    Its rows are positions in a `Dataset` that is passed when it trains or is judged.

    Parameters
    ----------
    progress : Progress
    settings : Settings
    hyper : dict of str to ndarray of shape (1, 1)
        As it is when training begins or goes on.
    rows : int ndarray of shape (n,) or None
        Rows to train on; None is all.
    weights : ndarray of shape (n,) or None
        Their weights, of mean one; None is equal ones.
    loss_weights : ndarray of shape (n,) or None
        Others for the loss, of mean one, where classes are weighted.
    validation : Holdout or None
        Rows on which the network is judged after each epoch.
    best : BestState or None
        Watches the validation loss, and stops the run.
    calibration : Holdout or None
        Rows left out of training, to calibrate on at its end.
    is_over : bool
        Whether the run was stopped, or failed: it does not go on.
    error : Exception or None
        Why it failed.
    effective_rows : int
        Rows by which an automatic batch size goes.
    kept : tuple of (ndarray of shape (1, P), int) or None
        Parameters and epoch that were chosen for the result, instead of the best.
    notes : dict of str to object
        What callbacks keep about the run.
    """

    progress: Progress
    settings: Settings
    hyper: dict[str, Array]
    rows: Indices | None = None
    weights: Array | None = None
    loss_weights: Array | None = None
    validation: Holdout | None = None
    best: BestState | None = None
    calibration: Holdout | None = None
    is_over: bool = False
    error: Exception | None = None
    effective_rows: int = 0
    kept: tuple[Array, int] | None = None
    notes: dict[str, Any] = field(default_factory=dict)

    @property
    def n_epochs(self) -> int:
        """Epochs done."""
        return self.progress.state.n_epochs

    def n_rows(self, dataset: Dataset) -> int:
        """Rows of an epoch."""
        return len(dataset.labels) if self.rows is None else len(self.rows)

    def result(self) -> Progress:
        """Give the progress to keep: the best on the validation set, or the last without one."""
        best = self.best
        if self.kept is not None:
            return self.progress.with_theta(*self.kept)
        if best is None or best.theta is None:
            return self.progress
        return self.progress.with_theta(best.theta, best.epoch)

    @property
    def held_out(self) -> Holdout | None:
        """Rows to judge or to calibrate the result on."""
        return self.calibration if self.best is None else self.validation

    def held_out_logits(self, dataset: Dataset) -> Array:
        """Give the logits (n, C) of the rows held out, by the result; raise if not finite."""
        assert self.held_out is not None
        kept = self.result()
        logits: Array = self.held_out.logits(dataset, kept.network)[0]
        if not np.isfinite(logits).all():
            rate = kept.history["learning_rate"][kept.kept_epoch - 1]
            what = "logits of rows that are held out are not finite"
            raise divergence(kept.kept_epoch, what, rate)
        return logits

    def is_worse_than_guessing(self, dataset: Dataset) -> bool:
        """Whether no epoch judged rows better than class frequencies do.

        Not so if those trained on are hardly better: then nothing was learned yet.
        """
        assert self.validation is not None
        history = self.progress.history
        loss, lowest = history["loss"][-1], np.nanmin(history["validation_loss"])
        guesses = self.losses_of_guessing(dataset, self.trained_on, self.validation)
        has_learned, is_worse = loss < guesses[0], lowest > guesses[1]
        return bool(is_worse and (has_learned or lowest > 2 * loss))

    @property
    def trained_on(self) -> Holdout:
        """Rows that are trained on, with their weights in the loss."""
        weights = self.weights if self.loss_weights is None else self.loss_weights
        return Holdout(self.rows, weights)

    def class_shares(self, dataset: Dataset) -> Array:
        """Give the share of each class in the weights of the loss."""
        labels, weights = self.trained_on.labels_and_weights(dataset)
        n_classes = self.progress.architecture.n_outputs
        counts = np.bincount(labels, weights, minlength=n_classes).astype(np.float64)
        shares: Array = counts / counts.sum()
        return shares

    def class_totals(self, dataset: Dataset) -> Array:
        """Give the progress's sum over the epochs, with those that were trained on the rows."""
        before = self.progress.class_totals
        if before is None:
            return self.n_epochs * self.class_shares(dataset)
        n_new = max(self.n_epochs - float(before.sum()), 0.0)
        return before + n_new * self.class_shares(dataset)

    def losses_of_guessing(self, dataset: Dataset, *judged: Holdout) -> list[float]:
        """Give the losses on some rows of guessing by the frequencies of those trained on."""
        loss = self.progress.architecture.loss_function
        guess = best_guess(loss, self.class_shares(dataset), self.hyper)
        return [each.loss_of_guessing(dataset, loss, guess, self.hyper) for each in judged]

    def keep(self) -> None:
        """Choose the network as it stands for the result; the validation loss no longer stops."""
        self.kept = self.progress.state.theta.copy(), self.n_epochs
        self.ignore_loss()

    def ignore_loss(self) -> None:
        """Let the validation loss no longer stop the run."""
        if self.best is not None:
            self.best.patience = np.inf

    def fail(self, error: Exception) -> None:
        """End the run with an error."""
        self.error, self.is_over = error, True


def divergence(n_epochs: int, what: str, learning_rate: float, fault: str = "") -> ValueError:
    """Say in which epoch a run diverged, what is not finite, and what to do."""
    if fault:
        return ValueError(
            f"Training failed in epoch {n_epochs}, at {fault}, of finite arguments (learning rate "
            f"{learning_rate:.3g} at the start of the epoch). Write the function so that it has "
            "finite values and slopes everywhere, such as np.log(p + 1e-12) instead of np.log(p); "
            "or lower learning_rate_init, if its arguments had become too large"
        )
    return ValueError(
        f"Training diverged in epoch {n_epochs}: {what} (learning rate {learning_rate:.3g} at the "
        "start of the epoch). Most likely the learning rate is too high: lower learning_rate_init "
        "or set max_grad_norm, and check that the features are scaled (StandardScaler)"
    )
