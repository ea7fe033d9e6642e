"""A trained network with its history: what an estimator keeps between calls."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
import numpy.typing as npt

from skbn.network.network import Architecture, fold, predict_logits
from skbn.network.parameters import Array, Indices
from skbn.network.state import State, initial_state
from skbn.network.training import Data, Epoch, Settings, train
from skbn.stopping import BestState, ValidationSet

Entry = dict[str, float]


@dataclass
class Model:
    """A population of one, its history, and what it takes to go on.

    Parameters
    ----------
    architecture : Architecture
    solver : str
    state : State
    split_seed : numpy.random.SeedSequence
        Of the validation split, so that going on keeps the same rows apart.
    bn_epsilon : ndarray of shape (1, 1)
        That of the last training.
    history : dict of str to list
        A value an epoch.
    kept_epoch : int
        The epoch whose parameters ``state`` holds, counted from one.
    """

    architecture: Architecture
    solver: str
    state: State
    split_seed: np.random.SeedSequence
    bn_epsilon: Array = field(default_factory=lambda: np.zeros((1, 1)))
    history: dict[str, list[float]] = field(default_factory=dict)
    kept_epoch: int = 0

    @classmethod
    def new(
        cls,
        architecture: Architecture,
        solver: str,
        initializer: str,
        dtype: npt.DTypeLike,
        entropy: Sequence[int],
    ) -> Model:
        """Draw a model before its first step."""
        seed, split_seed = np.random.SeedSequence(entropy).spawn(2)
        state = initial_state(architecture, solver, [initializer], [seed], dtype)
        return cls(architecture, solver, state, split_seed)

    def twin(self) -> Model:
        """Give this model, which is not trained yet, once more: the state is shared."""
        return replace(self, history={})

    def copy(self) -> Model:
        """Give a model that can be trained without changing this one."""
        history = {name: values.copy() for name, values in self.history.items()}
        return replace(self, state=self.state.copy(), history=history)

    def logits(self, x: Any, rows: Indices | None = None) -> Array:
        """Logits (n, C) of all rows of a table, or of some, in its precision."""
        return logits_together([self], x, rows)[0]

    def layer_arrays(self, kind: str) -> dict[int, Array]:
        """Views of the parameters of one kind, by layer."""
        views = self.architecture.layout.views(self.state.theta)
        return {layer: view[0] for (name, layer), view in views.items() if name == kind}

    def epochs(
        self,
        settings: Settings,
        hyper: Mapping[str, Array],
        data: Data,
        validation: ValidationSet | None = None,
    ) -> Iterator[Entry]:
        """Train epoch by epoch, for as long as the caller asks.

        Yields
        ------
        entry : dict of str to float
            The epoch's line in the history.

        Raises
        ------
        ValueError
            If the loss or a parameter is no longer finite.
        """
        self.bn_epsilon = hyper["bn_epsilon"]
        started = perf_counter()
        for epoch in train(self.architecture, settings, hyper, self.state, data):
            self._refuse_divergence(epoch)
            entry = {
                "loss": float(epoch.loss[0]),
                "learning_rate": float(epoch.learning_rate[0]),
                "gradient_norm": float(epoch.gradient_norm[0]),
            }
            if validation is not None:
                loss, accuracy = validation.score(
                    self.architecture, self.state.theta, self.bn_epsilon
                )
                entry |= {"validation_loss": loss.item(), "validation_accuracy": accuracy.item()}
            entry["seconds"] = perf_counter() - started
            self.record({name: [value] for name, value in entry.items()})
            yield entry
            started = perf_counter()

    def _refuse_divergence(self, epoch: Epoch) -> None:
        if not epoch.finite[0]:
            raise ValueError(divergence(self.state.n_epochs, epoch.loss[0], epoch.learning_rate[0]))

    def record(self, measured: Mapping[str, list[float]]) -> None:
        """Append the last epochs to the history; what was not measured in them is NaN."""
        n_new = len(next(iter(measured.values())))
        before, missing = self.state.n_epochs - n_new, [float("nan")] * n_new
        for name in measured:
            if name not in self.history:
                self.history[name] = [float("nan")] * before
        for name, values in self.history.items():
            values.extend(measured.get(name, missing))
        self.kept_epoch = self.state.n_epochs

    def with_theta(self, theta: Array, epoch: int) -> Model:
        """Give this model with the parameters of one of its epochs."""
        return replace(self, state=replace(self.state, theta=theta), kept_epoch=epoch)

    def forget_after(self, n_epochs: int) -> None:
        """Cut the history to its first epochs."""
        self.history = {name: values[:n_epochs] for name, values in self.history.items()}
        self.kept_epoch = n_epochs


def logits_together(models: Sequence[Model], x: Any, rows: Indices | None = None) -> Array:
    """Logits (K, n, C) of rows, in the rows' precision, by models of one architecture."""
    architecture = models[0].architecture
    theta = np.concatenate([model.state.theta for model in models])
    bn_epsilon = np.concatenate([model.bn_epsilon for model in models])
    folded = fold(architecture, theta, bn_epsilon, x.dtype)
    return predict_logits(folded, architecture.activation, x, rows)


def divergence(n_epochs: int, loss: float, learning_rate: float) -> str:
    """Say in which epoch a training diverged, and what to do."""
    return (
        f"Training diverged in epoch {n_epochs}: the loss or a parameter is no longer finite "
        f"(loss {loss:.3g}, learning rate {learning_rate:.3g} at the start of the epoch). Most "
        "likely the learning rate is too high: lower learning_rate_init or set max_grad_norm, "
        "and check that the features are scaled (StandardScaler)"
    )


def run_epochs(
    model: Model,
    epochs: Iterator[Entry],
    max_iter: int,
    best: BestState | None,
    report: Callable[[int, Entry], object],
) -> bool:
    """Train to the end: ``max_iter``, no more progress, or Ctrl-C.

    Parameters
    ----------
    model : Model
        With ``max_iter`` epochs not yet done.
    epochs : iterator
        ``model.epochs(...)``.
    max_iter : int
        Epochs in all, over all calls.
    best : BestState or None
        Watches the validation loss; its parameters are restored at the end.
    report : callable
        Called with the number of epochs done and the entry of each.

    Returns
    -------
    interrupted : bool

    Warns
    -----
    UserWarning
        On Ctrl-C, which leaves the model of the last whole epoch.
    """
    state = model.state
    whole, interrupted = state.snapshot() if state.n_epochs else None, False
    try:
        for entry in epochs:
            whole = state.snapshot()
            report(state.n_epochs, entry)
            stop = best is not None and best.update(
                entry["validation_loss"], state.theta, state.n_epochs
            )
            if stop or state.n_epochs >= max_iter:
                break
    except KeyboardInterrupt:
        if whole is None:
            raise
        interrupted = True
        state.restore(whole)
        model.forget_after(state.n_epochs)
        warnings.warn(
            f"Training interrupted by the user in epoch {state.n_epochs + 1}; the model is "
            f"that of epoch {state.n_epochs}",
            stacklevel=4,
        )
    if best is not None and best.theta is not None:
        np.copyto(state.theta, best.theta)
        model.kept_epoch = best.epoch
    return interrupted
