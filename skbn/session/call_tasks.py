"""The tasks of a call of ``train`` as scikit-learn's callbacks see them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from typing import Any

from sklearn.base import clone

from skbn._compat import (
    callback_management_context,
    callback_task,
    estimator_task,
    has_callbacks,
    has_progress_bar,
)
from skbn.estimators.fit_tasks import Epoch, FitTasks, fit_tasks
from skbn.session.networks import Networks

NAME = "train"


class SessionEpoch(Epoch):
    """What `skbn.callbacks` know of an epoch of a session."""

    def keep(self) -> None:
        """Do nothing: what a session keeps follows from its log."""

    def ignore_loss(self) -> None:
        """Do nothing: the validation loss stops a session by its patience alone."""


class CallTasks:
    """The tasks of a call of ``train``: a task a member, below each a task an epoch.

    A member ends with the call, for a change from another terminal lets one that had stopped go
    on.

    Parameters
    ----------
    networks : Networks
    tasks : FitTasks
    n_epochs : int
        Epochs to train, unless a rewind comes in between.
    """

    def __init__(self, networks: Networks, tasks: FitTasks, n_epochs: int) -> None:
        self._networks, self._tasks = networks, tasks
        self._n_epochs, self._n_begun = n_epochs, 0

    @contextmanager
    def epoch(self, which: Sequence[bool]) -> Iterator[None]:
        """Tell that some of the networks train an epoch, and stop those that a callback stops."""
        tasks, networks = self._tasks, self._networks
        self._take_params()
        self._n_begun += 1
        runs = [run for run in tasks.members if which[tasks.members[run]]]
        for run in runs:
            tasks.tell_begin(run, max(self._n_epochs, self._n_begun), SessionEpoch)
        yield
        for run in runs:
            entry = {name: values[-1] for name, values in run.progress.history.items()}
            if tasks.tell_end(run, entry):
                networks.stop(run)

    def end(self) -> None:
        """Tell that the members and the call have ended."""
        self._take_params()
        for run in self._tasks.members:
            self._tasks.tell_member_end(run)
        self._tasks.end()

    def _take_params(self) -> None:
        """Let callbacks see the present parameters."""
        params = self._networks.prepared.classifier.get_params(deep=False)
        self._tasks.estimator.set_params(**params)


def draws_bars(networks: Networks) -> bool:
    """Tell whether a callback of a model draws bars, so that nothing else is to be drawn."""
    prepared = networks.prepared
    return has_progress_bar(prepared.classifier) or has_progress_bar(prepared.pipeline)


@contextmanager
def call_tasks(networks: Networks, n_epochs: int) -> Iterator[CallTasks | None]:
    """Set up the callbacks of a model for a call of ``train``, and tear them down.

    Parameters
    ----------
    networks : Networks
    n_epochs : int
        Epochs to train.

    Yields
    ------
    tasks : CallTasks or None
        None where there are no callbacks.
    """
    prepared = networks.prepared
    if not (has_callbacks(prepared.classifier) or has_callbacks(prepared.pipeline)):
        yield None
        return
    # Of a copy: a change of parameters makes another classifier.
    classifier = clone(prepared.classifier)
    with (
        _handed_on(prepared.pipeline, classifier),
        fit_tasks(
            *(classifier, NAME, prepared.fit, prepared.table, prepared.rows(), n_epochs)
        ) as tasks,
    ):
        yield None if tasks is None else CallTasks(networks, tasks, n_epochs)


@contextmanager
def _handed_on(pipeline: Any, classifier: Any) -> Iterator[None]:
    """Hand the callbacks of a Pipeline on to its classifier, as `Pipeline.fit` does."""
    if not has_callbacks(pipeline):
        yield
        return
    pipeline = copy(pipeline)  # whose models are copies, without a call under way
    with callback_management_context(pipeline), callback_task(pipeline, NAME, 1) as context:
        last = context.subcontext(f"{NAME}-final-estimator")
        with estimator_task(pipeline, last, classifier):
            yield
