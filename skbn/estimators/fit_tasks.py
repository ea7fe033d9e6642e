"""The tasks of a fit as scikit-learn's callbacks see them: itself, members, their epochs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass, replace
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse

from skbn._compat import (
    begin_fit_task,
    callback_management_context,
    has_callbacks,
    safe_indexing,
)
from skbn.estimators.checked_table import CheckedTable
from skbn.estimators.fitting import Fit, Outcome, fitted_attributes
from skbn.network.parameters import Indices
from skbn.training.run import Entry, Run

Validation = tuple[Any, Any, Any]
"""Rows, their labels, and their weights or None."""


@dataclass(frozen=True)
class Rows:
    """Rows of a fit as callbacks get them, for estimators to predict.

    Parameters
    ----------
    X, y : array-like
        Those of the table.
    params : mapping of str to object
        Further arguments of `fit`.
    chosen : int ndarray, optional
        Rows that are trained on, if not all.
    """

    X: Any
    y: Any
    params: Mapping[str, Any]
    chosen: Indices | None = None

    @classmethod
    def of_table(cls, table: CheckedTable, params: Mapping[str, Any]) -> Rows:
        """Give the rows of a table, where those before it are out of reach."""
        y = table.classes[table.dataset.labels]
        return cls(with_names(table, table.dataset.x), y, params)

    def X_of(self, rows: Indices | None) -> Any:  # noqa: N802
        """Give some of the rows."""
        return self.X if rows is None else safe_indexing(_with_positions(self.X), rows)

    def y_of(self, rows: Indices | None) -> Any:
        """Give the labels of some of the rows."""
        return self.y if rows is None else safe_indexing(_with_positions(self.y), rows)

    def weights_of(self, rows: Indices | None) -> Any:
        """Give the sample weights of some of the rows; None where all are equal."""
        weights = self.params.get("sample_weight")
        if weights is None or np.asarray(weights).ndim == 0:
            return None
        return weights if rows is None else safe_indexing(_with_positions(weights), rows)

    def validation_of(self, run: Run) -> Validation | None:
        """Give the validation set of `fit`, or the rows that a run has set aside."""
        if self.params.get("X_val") is not None:
            return self.params["X_val"], self.params["y_val"], self.params.get("sample_weight_val")
        holdout = run.validation
        if run.best is None or holdout is None or holdout.of_validation:
            return None
        return self.X_of(holdout.rows), self.y_of(holdout.rows), self.weights_of(holdout.rows)


def _with_positions(table: Any) -> Any:
    """Give a table of which rows can be taken by position."""
    if issparse(table):
        return table.tocsr()
    has_positions = isinstance(table, (np.ndarray, list, tuple)) or hasattr(table, "columns")
    return table if has_positions or hasattr(table, "iloc") else np.asarray(table)


def with_names(table: CheckedTable, x: Any) -> Any:
    """Give rows of the table's kind as a DataFrame, where their columns have names."""
    names = getattr(table.checker, "feature_names_in_", None)
    if names is None:
        return x
    if issparse(x):
        return pd.DataFrame.sparse.from_spmatrix(x, columns=names)
    return pd.DataFrame(x, columns=names)


@dataclass(frozen=True, eq=False, repr=False)
class Epoch:
    """What `skbn.callbacks` know of an epoch beside what scikit-learn's protocol has.

    Parameters
    ----------
    number : int
        Counted from one over all calls.
    member : int
    measures : dict of str to float
        Measurements, as in ``history_``; none when the epoch begins.
    run : Run
    rows : Rows
    estimator : callable
        Gives the classifier of this epoch's network alone, whichever epoch is the best; None if
        its logits are not finite.
    fitted : callable
        Gives the ``fitted_estimator`` of the task that has ended, made if it is asked for.
    """

    number: int
    member: int
    measures: Entry
    run: Run
    rows: Rows
    estimator: Callable[[], Any]
    fitted: Callable[[], Any]

    def __reduce__(self) -> tuple[Any, ...]:
        # Callbacks pickle contexts and estimators, which should not take the fit along.
        return _nothing, ()

    def __repr__(self) -> str:
        loss = f", loss={self.measures['loss']:.3g}" if self.measures else ""
        return f"Epoch(number={self.number}, member={self.member}{loss})"

    @property
    def validation(self) -> Validation | None:
        """The validation set, or the rows that were set aside; None without."""
        return self.rows.validation_of(self.run)

    @property
    def notes(self) -> dict[str, Any]:
        """What callbacks keep about the run for as long as it goes on: plain data."""
        return self.run.notes

    def keep(self) -> None:
        """Choose this epoch for the result of a fit, whatever the validation loss says."""
        self.run.keep()

    def ignore_loss(self) -> None:
        """Let the validation loss no longer stop the training of a fit."""
        self.run.ignore_loss()


def _nothing() -> None:
    return None


@contextmanager
def _knowing(context: Any, **known: Epoch | None) -> Iterator[None]:
    """Let a context know of an epoch while callbacks are called with it, and no longer."""
    for name, epoch in known.items():
        setattr(context, name, epoch)
    try:
        yield
    finally:
        for name in known:
            delattr(context, name)


class FitTasks:
    """The tasks of a fit that has callbacks: a task a member, below each a task an epoch.

    An error of a callback fails the run that it hears of.

    Parameters
    ----------
    estimator : BNSoftmaxClassifier
    context : CallbackContext
        Of the fit.
    fit : Fit
    table : CheckedTable
    rows : Rows
    until : int
        Epochs to have done in the end.
    """

    def __init__(
        self, estimator: Any, context: Any, fit: Fit, table: CheckedTable, rows: Rows, until: int
    ) -> None:
        self.estimator, self.context, self.fit, self.until = estimator, context, fit, until
        self.table, self.rows = table, rows
        # A network that only calibrates is no member.
        self.members = {run: k for k, run in enumerate(fit.runs[: fit.n_averaged])}
        self._contexts: dict[Run, Any] = {}
        self._epochs: dict[Run, tuple[Any, Epoch]] = {}
        self._last: dict[Run, Epoch] = {}

    @cached_property
    def _arguments(self) -> dict[str, Any]:
        """Arguments of each hook; functions are called where a callback asks for what they give."""
        rows, chosen = self.rows, self.rows.chosen
        X, y = cache(lambda: rows.X_of(chosen)), cache(lambda: rows.y_of(chosen))
        weights = rows.weights_of(chosen)
        metadata = None if weights is None else {"sample_weight": weights}
        return {"estimator": self.estimator, "X": X, "y": y, "metadata": metadata}

    def begin(self) -> None:
        """Tell that the fit begins."""
        self.context.call_on_fit_task_begin(**self._arguments)

    def begin_epoch(self, run: Run) -> None:
        """Tell that an epoch begins."""
        if run not in self.members or self.fit.error is not None:
            return
        try:
            self.tell_begin(run, self.until - run.n_epochs)
        except Exception as error:
            run.fail(error)

    def tell_begin(self, run: Run, n_epochs: int, kind: type[Epoch] = Epoch) -> None:
        """Tell that an epoch of a member begins, and a member if it is its first.

        Parameters
        ----------
        run : Run
        n_epochs : int
            Epochs of the member's task, at most.
        kind : type of Epoch
            What callbacks know of it.
        """
        if run not in self._contexts:
            number = self.members[run]
            member = self.context.subcontext("member", number, n_epochs, sequential_subtasks=True)
            self._contexts[run] = member.call_on_fit_task_begin(**self._arguments)
        member = self._contexts[run]
        member.max_subtasks = max(member.max_subtasks, n_epochs)
        context, alone = member.subcontext("epoch"), partial(self._attributes_alone, run)
        makers = partial(self._alone, run), partial(self._made, alone)
        epoch = kind(run.n_epochs + 1, self.members[run], {}, run, self.rows, *makers)
        self._epochs[run] = context, epoch
        with _knowing(context, epoch=epoch):
            context.call_on_fit_task_begin(**self._arguments)

    def end_epoch(self, run: Run, entry: Entry) -> bool:
        """Tell that an epoch has ended, and a member if it was its last; give whether it is."""
        if self.fit.error is not None:
            return True  # no other network of a fit that failed is of use
        if run not in self.members:
            return self._calibrating_ends(run)
        try:
            run.is_over |= self.tell_end(run, entry)
            if run.is_over or run.n_epochs >= self.until:
                self.tell_member_end(run)
        except Exception as error:
            run.fail(error)
        return run.is_over

    def _calibrating_ends(self, run: Run) -> bool:
        """Let a network go along with the first one, for which it calibrates."""
        first = self.fit.runs[0]
        if first.kept is not None and first.kept[1] == run.n_epochs:
            run.keep()
        return first.is_over and run.n_epochs >= first.n_epochs

    def tell_end(self, run: Run, entry: Entry) -> bool:
        """Tell that an epoch of a member has ended, and give whether a callback stops it."""
        context, epoch = self._epochs.pop(run)
        self._last[run] = epoch = replace(epoch, measures=entry)
        alone = partial(self._attributes_alone, run)
        return bool(self._ended(context, alone, epoch=epoch))

    def tell_member_end(self, run: Run) -> None:
        """Tell that a member has ended, if it had begun."""
        if run in self._contexts:
            alone = partial(self._attributes_alone, run)
            self._ended(self._contexts.pop(run), alone, last_epoch=self._last.get(run))

    def _ended(self, context: Any, attributes: Callable[[], Any], **known: Epoch | None) -> Any:
        """Tell that a task has ended, and what of an epoch there is to know."""
        with _knowing(context, **known):
            return context.call_on_fit_task_end(
                **self._arguments, reconstruction_attributes=attributes
            )

    def _alone(self, run: Run) -> Any:
        """Give the classifier of one network alone, as it stands."""
        stands = run.progress.state.theta, run.n_epochs
        return self._made(partial(self._attributes_alone, replace(run, kept=stands)))

    def _made(self, attributes: Callable[[], dict[str, Any] | None]) -> Any:
        """Give a fitted classifier, as scikit-learn makes it of its attributes."""
        fitted = attributes()
        if fitted is None:
            return None
        estimator = copy(self.estimator)
        for name, value in fitted.items():
            setattr(estimator, name, value)
        return estimator

    def _attributes_alone(self, run: Run) -> dict[str, Any] | None:
        """Fitted attributes of one network alone, as if the fit had stopped here."""
        return self._attributes_now(Fit([run], 1, self.fit.calibrates, self.fit.until))

    def _attributes_now(self, fit: Fit) -> dict[str, Any] | None:
        """Fitted attributes as if a fit had stopped here; they share no array with it."""
        if not fit.runs[0].n_epochs:
            return None
        try:
            outcome = fit.outcome(self.table.dataset)
        except ValueError:  # of logits that are not finite yet
            return None
        return self._attributes(outcome.detached())

    def _attributes(self, outcome: Outcome) -> dict[str, Any]:
        fitted = fitted_attributes(self.table, outcome)
        if hasattr(self.estimator, "feature_names_in_"):  # of a fit before
            fitted.setdefault("feature_names_in_", None)
        return fitted

    def end(self, outcome: Outcome | None = None) -> None:
        """Tell that the fit has ended, with an outcome or as it stands."""

        def attributes() -> dict[str, Any] | None:
            return self._attributes_now(self.fit) if outcome is None else self._attributes(outcome)

        last = self._last.get(self.fit.runs[0])
        if last is not None:
            last = replace(last, fitted=partial(self._made, attributes))
        self._ended(self.context, attributes, last_epoch=last)


def hooks_of(fits: Iterable[FitTasks | None]) -> dict[str, Any]:
    """Give what `run_together` is to call after and before epochs, as its arguments."""
    tasks = {run: each for each in fits if each is not None for run in each.fit.runs}
    if not tasks:
        return {}

    def on_epoch(run: Run, entry: Entry) -> bool:
        return run in tasks and tasks[run].end_epoch(run, entry)

    def before_epoch(run: Run) -> None:
        if run in tasks:
            tasks[run].begin_epoch(run)

    return {"on_epoch": on_epoch, "before_epoch": before_epoch}


@contextmanager
def fit_tasks(
    estimator: Any, name: str, fit: Fit, table: CheckedTable, rows: Rows, until: int | None = None
) -> Iterator[FitTasks | None]:
    """Set up the callbacks of an estimator for a fit, tell them of it, and tear them down.

    Parameters
    ----------
    estimator : BNSoftmaxClassifier
    name : str
        Of the task.
    fit : Fit
    table : CheckedTable
    rows : Rows
    until : int, optional
        Epochs to have done in the end, if not all.

    Yields
    ------
    tasks : FitTasks or None
        None where there are no callbacks.
    """
    if not has_callbacks(estimator):
        yield None
        return
    until = fit.until if until is None else until
    with callback_management_context(estimator):
        n_members = len(fit.runs[: fit.n_averaged])
        context = begin_fit_task(estimator, name, n_members)
        tasks = FitTasks(estimator, context, fit, table, rows, until)
        tasks.begin()
        yield tasks
