"""A training session: one model that its owner watches, changes on the way and takes back."""

from __future__ import annotations

import math
import warnings
from numbers import Integral
from typing import Any, NoReturn, Self

import pandas as pd
from sklearn.exceptions import NotFittedError

from skbn.estimators.pipelines import classifier_of
from skbn.session.call_tasks import CallTasks, call_tasks, draws_bars
from skbn.session.checkpoints import MIN_CHECKPOINTS
from skbn.session.live import shown
from skbn.session.log import STOP
from skbn.session.opening import Tables, begun, kept, reopened, replayed
from skbn.session.training import OWNER, Training

PATIENCE, CALLBACK, INTERRUPT = "patience", "callback", "interrupt"
"""What stops training early, beside who asks for it."""


class TrainingSession:
    """Train one model while its owner watches, changes it on the way and takes it back.

    A session is for the first of two ways of tuning: one model is looked after day by day. Its
    learning curve is watched, its learning rate is changed as it trains, and what turns out too
    much is taken back. All that is done is in a log; with a journal it survives the process, and
    can be replayed to the same bits.

    Parameters
    ----------
    model : BNSoftmaxClassifier or Pipeline
        What to train: a classifier, or a `sklearn.pipeline.Pipeline` that ends in one. It is
        copied, and training begins anew. Transformers are fitted once, on X; ``X_val`` goes
        through them. Where a ``random_state`` is None, a seed is drawn and kept. Its callbacks
        are called: see `set_callbacks`.

    X : {array-like, sparse matrix} of shape (n_samples, n_features)
        Training rows.

    y : array-like of shape (n_samples,)
        Their labels.

    sample_weight : array-like of shape (n_samples,), default=None
        Their weights, as in `BNSoftmaxClassifier.fit`. Transformers do without.

    X_val, y_val, sample_weight_val : array-like, default=None
        Rows, labels and weights on which to judge the model after each epoch. Without them
        ``early_stopping=True`` of the classifier sets rows of X aside.

    journal : str or path-like, default=None
        A SQLite file to keep the session in, made if there is none. The session that the file
        holds goes on, if it is of the same data and the same model. A file with ``.lock`` after
        its name stands beside it while the session is open. None keeps the session in memory.

    checkpoints : int, default=32
        How many epochs to keep whole, at least 3: the last, the best and others, about evenly
        spread. `rewind` to another epoch trains again from the nearest before it. A journal that
        exists keeps as many as it was begun with.

    verbose : int, default=1
        0 shows nothing. 1 shows the training under way: a line on a terminal, a figure in a
        notebook that is drawn anew at most once a second, otherwise a line every five seconds.

    Attributes
    ----------
    estimator_ : BNSoftmaxClassifier or Pipeline
        A fitted copy of the model with its present parameters, calibrated as `fit` does. With a
        validation set each member is that of its lowest validation loss on the present branch,
        otherwise that of its last epoch.
    log_ : DataFrame
        A row for each event, in order: see Notes.
    epoch_ : int
        The last epoch, counted from the beginning.
    branch_ : int
        The present branch, counted from zero: each rewind begins another.

    Raises
    ------
    TypeError
        If the model is no BNSoftmaxClassifier or Pipeline that ends in one.
    ValueError
        If a parameter or the data are not as `BNSoftmaxClassifier.fit` wants them, or the
        journal is of other data or another model, is open elsewhere, is damaged or cannot be
        written.

    See Also
    --------
    skbn.display.TrainingDisplay : Draw the log.
    skbn.search.CoarseToFineSearchCV : The other way of tuning, many models side by side.

    Notes
    -----
    ``train(until=max_iter, patience=n_iter_no_change)`` gives the model of
    `BNSoftmaxClassifier.fit` with a validation set, to the last bit, and ``train(max_iter)`` that
    without one.

    ``log_`` has the columns "epoch", "branch", "event", "time" and "asked_by", the measures of
    ``history_`` and a column for each parameter that was changed. The event is

    - "epoch": an epoch was trained. The measures are those of the first member, and missing where
      it had stopped and others went on.
    - "change": parameters were changed after the epoch; their columns have the new values. That
      of ``learning_rate``, a schedule, is "learning_rate_schedule".
    - "rewind": training went back to the epoch, and this branch began.
    - "stop": training stopped early, after the epoch.

    Who asked is "session" for calls of the methods, "terminal" for ``python -m skbn change``,
    "patience", "callback" or "interrupt", which is Ctrl-C. What is asked for at a terminal while
    nobody trains is done at the next call of a method.

    A process that is killed loses the epoch under way. Checkpoints take about 2 % of the time at
    most; epochs since the last one are in the log, and trained again when the session is opened.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.model_selection import train_test_split
    >>> from skbn import BNSoftmaxClassifier, TrainingSession
    >>> X, y = load_digits(return_X_y=True)
    >>> X, X_val, y, y_val = train_test_split(X / 16, y, random_state=0)
    >>> model = BNSoftmaxClassifier(max_iter=30, random_state=0)
    >>> session = TrainingSession(model, X, y, X_val=X_val, y_val=y_val, verbose=0)
    >>> session.train(5)
    TrainingSession(epoch 5 of branch 0)
    >>> session.set_params(learning_rate_init=3.0).train(3)
    TrainingSession(epoch 8 of branch 0)
    >>> session.rewind(5).set_params(learning_rate_init=0.01).train(until=30, patience=10)
    TrainingSession(epoch 30 of branch 1)
    >>> session.estimator_.score(X_val, y_val) > 0.97
    True

    With a journal it goes on another day::

        data = {"X": X, "y": y, "X_val": X_val, "y_val": y_val}
        with TrainingSession(model, journal="run.sqlite", **data) as session:
            session.train(5)
        with TrainingSession.open("run.sqlite", **data) as session:
            session.train(5)

    and is watched from another terminal by ``python -m skbn watch run.sqlite``.
    """

    def __init__(
        self,
        model: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        journal: Any = None,
        checkpoints: int = 32,
        verbose: int = 1,
    ) -> None:
        _check_whole("checkpoints", checkpoints, MIN_CHECKPOINTS)
        classifier_of(model)
        tables = _tables(X, y, sample_weight, X_val, y_val, sample_weight_val)
        if journal is None:
            training = begun(model, tables, int(checkpoints))
        else:
            training = kept(model, tables, journal, int(checkpoints))
        self._set(training, verbose)

    def _set(self, training: Training, verbose: int) -> None:
        self._training, self._verbose, self._is_open = training, verbose, True

    @classmethod
    def open(
        cls,
        journal: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        model: Any = None,
        verbose: int = 1,
    ) -> Self:
        """Go on with the session of a journal, in another process, to the same bits.

        Parameters
        ----------
        journal : str or path-like
            Its file.
        X, y : array-like
            The data that the session began with. Others are refused.
        sample_weight, X_val, y_val, sample_weight_val : array-like, default=None
            Those that it began with.
        model : BNSoftmaxClassifier or Pipeline, default=None
            The model that it began with. It is needed where the journal does not hold it: it is
            a Pipeline and skops was not installed (``pip install "skbn[skops]"``), it has steps
            of other libraries than scikit-learn, skrub and skbn, it has functions of one's own,
            such as an activation or a loss, or its classifier is of a subclass.
        verbose : int, default=1
            As of the class.

        Returns
        -------
        session : TrainingSession

        Raises
        ------
        ValueError
            If the journal does not exist, is of other data or another model, is open elsewhere or
            is damaged.

        Warns
        -----
        UserWarning
            If it was written with another library version, processor or number of threads.
        """
        if model is not None:
            classifier_of(model)
        session = cls.__new__(cls)
        tables = _tables(X, y, sample_weight, X_val, y_val, sample_weight_val)
        session._set(reopened(journal, tables, model), verbose)
        return session

    @classmethod
    def replay(
        cls,
        journal: Any,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
        model: Any = None,
        verbose: int = 1,
    ) -> Self:
        """Train anew by the decisions that a journal holds, to the same bits.

        The journal is only read, and may be in use. The session that comes out has none. Its log
        has the times of the journal.

        Parameters
        ----------
        journal : str or path-like
            Its file.
        X, y : array-like
            The data that the session began with. Others are refused.
        sample_weight, X_val, y_val, sample_weight_val : array-like, default=None
            Those that it began with.
        model : BNSoftmaxClassifier or Pipeline, default=None
            The model that it began with. It is needed where the journal does not hold it: it is
            a Pipeline and skops was not installed (``pip install "skbn[skops]"``), it has steps
            of other libraries than scikit-learn, skrub and skbn, it has functions of one's own,
            such as an activation or a loss, or its classifier is of a subclass.
        verbose : int, default=1
            As of the class.

        Returns
        -------
        session : TrainingSession

        Raises
        ------
        ValueError
            If the journal does not exist, is of other data or another model, or is damaged.

        Warns
        -----
        UserWarning
            If it was written with another library version, processor or number of threads, and
            if an epoch comes out otherwise.
        """
        if model is not None:
            classifier_of(model)
        session = cls.__new__(cls)
        tables = _tables(X, y, sample_weight, X_val, y_val, sample_weight_val)
        session._set(replayed(journal, tables, model, verbose), verbose)
        return session

    @property
    def epoch_(self) -> int:
        """The last epoch of the present branch, counted from the beginning."""
        return self._training.log.epoch

    @property
    def branch_(self) -> int:
        """Number of the present branch: each rewind begins another."""
        return self._training.log.branch

    @property
    def log_(self) -> pd.DataFrame:
        """Every epoch, change, rewind and early stop, in the order in which they happened."""
        return self._training.log.frame()

    @property
    def estimator_(self) -> Any:
        """A fitted copy of the model with its present parameters, calibrated as `fit` does.

        With a validation set each member is that of its lowest validation loss on the present
        branch, otherwise that of its last epoch.
        """
        if not self.epoch_:
            raise NotFittedError("This session has not trained an epoch yet: call train(n) first")
        return self._training.fitted_model()

    def train(
        self, n: int | None = None, *, until: int | None = None, patience: int | None = None
    ) -> Self:
        """Train for some epochs, or until an epoch.

        Ctrl-C ends training at the last whole epoch.

        Parameters
        ----------
        n : int, default=None
            Epochs to train.
        until : int, default=None
            Instead of n, the last epoch, counted from the beginning. Nothing is done where it
            was reached before.
        patience : int, default=None
            A member stops sooner after so many epochs without progress on the validation loss,
            and training when all have stopped. Progress is as in `fit`, by more than ``tol``. The
            epochs are counted from the last progress or change of a parameter, whichever call
            trained them. None stops for nothing.

        Returns
        -------
        self : TrainingSession

        Raises
        ------
        ValueError
            If training diverges. The session stands after the last whole epoch then, as it does
            after any error of a callback.
        OSError
            If the journal can no longer be written: the same.
        RuntimeError
            If training is under way: a callback or another thread has called this.

        Warns
        -----
        UserWarning
            At Ctrl-C; where training goes on past ``max_iter``, if the schedule has sunk to its
            end; if patience was exhausted before, that of callbacks after one epoch more.
        """
        self._begin()
        if (n is None) == (until is None):
            raise TypeError("train takes either a number of epochs, n, or the last one, until")
        for name, value, lowest in (("n", n, 1), ("until", until, 0), ("patience", patience, 1)):
            if value is not None:
                _check_whole(name, value, lowest)
        if patience is not None and not self._training.networks.has_validation_set:
            raise ValueError(
                "patience waits for a lower validation loss, and there is no validation set: give "
                "the session X_val and y_val, or the classifier early_stopping=True"
            )
        limits = [math.inf if each is None else each for each in (n, until, patience)]
        with self._training.alone():
            had_stopped, before = self._training.networks.has_stopped, self.epoch_
            self._training.networks.start()
            if self.epoch_ < limits[1] and self._goes_on(limits[2]):
                self._train(*limits)
        if had_stopped and self.epoch_ == before + 1 and self._is_stopped_by(CALLBACK):
            warnings.warn(
                "one epoch was trained: a callback stopped it again, for what callbacks count, "
                "such as patience, goes on over calls. A change of a parameter, a rewind or other "
                "callbacks begin anew",
                stacklevel=2,
            )
        return self

    def _is_stopped_by(self, asked_by: str) -> bool:
        last = self._training.log.events[-1]
        return (last.event, last.asked_by) == (STOP, asked_by)

    def _goes_on(self, patience: float) -> bool:
        """Tell whether there is patience, and warn where there is none."""
        if any(self._training.networks.going_on(patience)):
            return True
        self._end_early()
        warnings.warn(
            f"nothing was trained: for {patience} epochs the validation loss has not fallen. "
            "train(n), a change of a parameter or more patience goes on",
            stacklevel=3,
        )
        return False

    def _train(self, n: float, until: float, patience: float) -> None:
        """Train, and tell callbacks of it."""
        training, n_epochs = self._training, int(min(n, until - self.epoch_))
        with call_tasks(training.networks, n_epochs) as tasks:
            try:
                with training.under_way():
                    self._train_epochs(n, until, patience, tasks)
            except KeyboardInterrupt:
                training.stop(INTERRUPT)
                warnings.warn(
                    f"Training interrupted by the user in epoch {self.epoch_ + 1}; the session "
                    f"stands after epoch {self.epoch_}",
                    stacklevel=3,
                )
            if tasks is not None:
                with training.undisturbed():
                    tasks.end()

    def _train_epochs(
        self, n: float, until: float, patience: float, tasks: CallTasks | None
    ) -> None:
        training, n_trained = self._training, 0
        verbose = 0 if draws_bars(training.networks) else self._verbose
        with shown(training.log, n, until, verbose) as show:
            while n_trained < n and training.log.epoch < until:
                which = training.networks.going_on(patience)
                if not any(which):
                    self._end_early()
                    return
                if words := training.networks.end_of_schedule():
                    warnings.warn(words, stacklevel=4)
                if tasks is None:
                    training.epoch(which)
                else:
                    with training.undisturbed(), tasks.epoch(which):
                        training.epoch(which)
                n_trained += 1
                is_stopped = training.take_requests()
                show()
                if is_stopped:
                    return

    def _end_early(self) -> None:
        """Take note of who has stopped the networks, unless it was noted before."""
        asked_by = CALLBACK if self._training.networks.has_stopped else PATIENCE
        if not self._is_stopped_by(asked_by):
            self._training.stop(asked_by)

    def set_params(self, **params: Any) -> Self:
        """Change parameters of the classifier from the next epoch on.

        Parameters
        ----------
        **params : dict
            By the classifier's own names, in a Pipeline too: rates, schedule, momenta, penalty,
            dropout, noise, ``batch_size``, ``max_iter`` and others that decide no shape.

        Returns
        -------
        self : TrainingSession

        Raises
        ------
        ValueError
            If a parameter may not change on the way or has no valid value. Nothing is changed
            then.
        """
        self._begin()
        if params:
            self._training.change(params, OWNER)
        return self

    def set_callbacks(self, *callbacks: Any) -> Self:
        """Set the callbacks that `train` calls, instead of those of the model.

        A call of `train` is one task, with a task for each member, and below it one for each of
        its epochs, whose end is told when the epoch is in the log. A callback that returns True
        there stops the member, until the next call of `train`, a change of a parameter or a
        rewind; when no member is left, training stops. One that raises ends the call, and the
        session stands after that epoch. One that calls `set_params` or `rewind` in an epoch gets
        its errors at once; what is asked for is done when all callbacks have heard of the epoch.

        Parameters
        ----------
        *callbacks : callback instances
            From `sklearn.callback` or `skbn.callbacks`. Without any, `train` calls none.

        Returns
        -------
        self : TrainingSession

        Raises
        ------
        NotImplementedError
            Before scikit-learn 1.9, which has no callbacks.
        TypeError
            If one does not follow the protocol ``sklearn.callback.FitCallback``.
        """
        self._training.set_callbacks(callbacks)
        return self

    def rewind(self, epoch: int) -> Self:
        """Go back to where training stood right after an epoch, and begin another branch.

        Networks, optimisers, random streams, patience and parameters are what they were: a
        change that was made after the epoch is taken back too. What comes after the epoch stays in
        the log, but cannot be gone back to: ``estimator_`` gives the model of it before.

        Parameters
        ----------
        epoch : int
            An epoch of the present branch, or of those before it that led there. 0 is before
            training.

        Returns
        -------
        self : TrainingSession

        Raises
        ------
        ValueError
            If there is no such epoch. Nothing is changed then.
        """
        self._begin()
        _check_whole("epoch", epoch, 0)
        self._training.rewind(int(epoch), OWNER)
        return self

    def close(self) -> None:
        """Let go of the journal. What was trained can still be looked at.

        Raises
        ------
        RuntimeError
            If a callback calls this in an epoch.
        """
        self._training.close()
        self._is_open = False

    def _begin(self) -> None:
        """Make sure that the session is open, and do first what was asked for meanwhile."""
        if not self._is_open:
            advice = "begin another"
            if self._training.store.path:
                advice = "TrainingSession.open(journal, X, y, ...) goes on with it"
            raise ValueError(f"this session was closed; {advice}")
        if not self._training.is_under_way:
            self._training.take_requests(is_under_way=False)

    def __reduce__(self) -> NoReturn:
        raise TypeError("A session cannot be pickled or copied; its estimator_ can")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        path = self._training.store.path
        where = f", journal={path!r}" if path else ""
        return f"TrainingSession(epoch {self.epoch_} of branch {self.branch_}{where})"


def _tables(
    X: Any, y: Any, sample_weight: Any, X_val: Any, y_val: Any, sample_weight_val: Any
) -> Tables:
    params = {"sample_weight": sample_weight, "X_val": X_val, "y_val": y_val}
    return Tables(X, y, params | {"sample_weight_val": sample_weight_val})


def _check_whole(name: str, value: Any, lowest: int) -> None:
    if type(value) is bool or not isinstance(value, Integral) or value < lowest:
        raise ValueError(f"{name} must be a whole number of at least {lowest}, got {value!r}")
