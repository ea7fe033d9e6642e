"""The networks of a session: an epoch more, other parameters, back to where they were."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from difflib import get_close_matches
from math import inf
from typing import Any, NamedTuple

from sklearn.base import clone

from skbn._compat import validate_parameters
from skbn.estimators.classifier import BNSoftmaxClassifier, attributes_after, set_attributes
from skbn.estimators.fitting import CHANGEABLE, change_training, end_of_schedule
from skbn.estimators.parameters import check_batch_size
from skbn.network.losses import CHANGES_MEASURES
from skbn.network.parameters import Array
from skbn.network.state import State
from skbn.session.preparation import Prepared
from skbn.training.holdout import BestState
from skbn.training.lockstep import Task, run_together
from skbn.training.run import Entry, Run


class Position(NamedTuple):
    """Where the training of a network stands; training goes on in copies of it."""

    state: State
    bn_epsilon: Array
    best: BestState | None

    @property
    def n_bytes(self) -> int:
        """Bytes of its arrays."""
        return int(sum(array.nbytes for array in (self.state.theta, *self.state.vectors)))


def position_of(run: Run) -> Position:
    """Tell where a run stands."""
    best = None if run.best is None else replace(run.best)
    return Position(run.progress.state, run.progress.bn_epsilon, best)


class Networks:
    """The networks of a prepared model between two epochs.

    Parameters
    ----------
    prepared : Prepared
    """

    def __init__(self, prepared: Prepared) -> None:
        self.prepared = prepared
        self.runs = prepared.fit.runs
        self._initial = prepared.classifier.get_params(deep=False)
        self._stopped: set[Run] = set()

    @property
    def has_validation_set(self) -> bool:
        """Whether epochs are judged on rows of their own."""
        return self.runs[0].best is not None

    def going_on(self, patience: float) -> list[bool]:
        """Tell which networks still have patience, and were not stopped by a callback."""
        return [
            run not in self._stopped and (run.best is None or run.best.waited < patience)
            for run in self.runs
        ]

    @property
    def has_stopped(self) -> bool:
        """Whether a callback has stopped a network."""
        return bool(self._stopped)

    def stop(self, run: Run) -> None:
        """Stop a network at the word of a callback."""
        self._stopped.add(run)
        if self._stopped.issuperset(self.runs[: self.prepared.fit.n_averaged]):
            self._stopped.update(self.runs)  # one that only calibrates as well

    def start(self) -> None:
        """Let networks go on that callbacks have stopped."""
        self._stopped.clear()

    def forget_notes(self) -> None:
        """Begin anew what callbacks make of the networks."""
        self.start()
        for run in self.runs:
            run.notes = {}

    def epoch(self, which: Sequence[bool]) -> list[Entry | None]:
        """Train some of the networks for an epoch.

        Parameters
        ----------
        which : sequence of bool

        Returns
        -------
        measures : list of dict or None
            Of each network; None of one that was not trained.

        Raises
        ------
        ValueError
            If one of them diverges.
        """
        dataset, both = self.prepared.table.dataset, zip(self.runs, which, strict=True)
        for run in self.runs:
            run.is_over = False
        run_together([Task(run, dataset, run.n_epochs + 1) for run, trains in both if trains])
        if self.prepared.fit.error is not None:
            raise self.prepared.fit.error
        return [
            {name: values[-1] for name, values in run.progress.history.items()} if trains else None
            for run, trains in zip(self.runs, which, strict=True)
        ]

    def end_of_schedule(self) -> str:
        """Say so before the first epoch past ``max_iter``, if the rate has sunk to its lowest."""
        first = self.runs[0].progress
        return end_of_schedule(self.prepared.classifier, first, "train") if first.history else ""

    def positions(self) -> list[Position]:
        """Tell where each network stands."""
        return [position_of(run) for run in self.runs]

    def go_to(
        self, positions: Sequence[Position], histories: Sequence[dict[str, list[float]]]
    ) -> None:
        """Go back, or on, to where the networks stood."""
        for run, position, history in zip(self.runs, positions, histories, strict=True):
            progress, best = run.progress, position.best
            progress.state, progress.bn_epsilon = position.state, position.bn_epsilon
            progress.kept_epoch, progress.history = position.state.n_epochs, history
            run.best = None if best is None else replace(best, tol=self.prepared.classifier.tol)
            run.error, run.is_over = None, False

    def change(self, params: dict[str, Any]) -> None:
        """Go on with other parameters, and with new patience."""
        self.go_on_with(with_changes(self.prepared.classifier, params))
        for run in self.runs:
            if run.best is not None:
                run.best.waited = 0
                if CHANGES_MEASURES in params:  # the next epoch is the best, whatever its loss
                    run.best.loss = run.best.to_beat = inf

    def reset(self, params: dict[str, Any]) -> None:
        """Go on with the initial parameters but for some."""
        classifier = clone(self.prepared.classifier)
        self.go_on_with(classifier.set_params(**(self._initial | params)))

    def go_on_with(self, classifier: BNSoftmaxClassifier) -> None:
        """Take the parameters of another classifier."""
        self.prepared.classifier = classifier
        change_training(self.prepared.fit, classifier)

    def fitted_model(self) -> Any:
        """Give a fitted model that shares no array with the networks, of the kind given."""
        prepared = self.prepared
        outcome = prepared.fit.warned_outcome(prepared.table.dataset)
        model = clone(prepared.classifier)
        set_attributes([(model, attributes_after(model, prepared.table, outcome.detached()))])
        return prepared.model_of(model)


def with_changes(classifier: BNSoftmaxClassifier, params: dict[str, Any]) -> BNSoftmaxClassifier:
    """Give a copy of a classifier with other parameters, all of which may change on the way.

    Raises
    ------
    ValueError
        If one may not, or has no valid value.
    """
    valid = classifier.get_params(deep=False)
    for name in params:
        if name not in valid:
            where = name.rpartition("__")[2]
            near = get_close_matches(where, CHANGEABLE, 1)
            advice = f": did you mean {near[0]}?" if near else ""
            raise ValueError(f"{name!r} is no parameter of {type(classifier).__name__}{advice}")
        if name not in CHANGEABLE:
            raise ValueError(
                f"{name} cannot change in the middle of a training, for it decides shapes, what "
                "is minimised, or which rows are trained on and with what weights: begin another "
                "session. What can: "
                f"{', '.join(CHANGEABLE)}"
            )
    if CHANGES_MEASURES in params and classifier.loss != "focal":
        raise ValueError(
            f"{CHANGES_MEASURES} has no say with loss={classifier.loss!r}, which cannot change in "
            'the middle of a training: begin another session with loss="focal"'
        )
    changed: BNSoftmaxClassifier = clone(classifier).set_params(**params)
    validate_parameters(changed)
    check_batch_size(changed)
    return changed
