"""The model in a file, while it trains."""

from __future__ import annotations

import errno
import os
from typing import Any
from uuid import uuid4

import numpy as np

from skbn._compat import EVALUATION_TASK
from skbn.callbacks.epochs import EpochCallback, checked_count, is_within, of_partial_fit
from skbn.callbacks.monitors import Monitor, Rows
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.export.files import described_parameters, load_model, save_model


class Checkpoint(EpochCallback):
    """Write the model into a file while it trains, in case that training is cut off.

    The files are those of `skbn.export.save_model`: `skbn.export.load_model` reads them, and runs
    no code. When a process is killed, or the disk is full, the former file is there whole, or the
    new one.

    After an epoch the file has the first member alone, as `fit` would leave it if it stopped
    there. At the end of the fit the whole classifier takes its place.

    Parameters
    ----------
    path : str or path-like
        Where to write; no ending is added. It may hold ``{epoch}``, the number of the epoch from
        one, and ``{member}``, that of the network from zero, in the notation of `str.format`:
        ``"letter-{epoch:03}.npz"``. With ``{epoch}`` every file stays. With ``{member}`` every
        member has files, and the whole classifier has none.

    monitor : str or callable, default=None
        A score, as for `EarlyStopping`. An epoch is written, as it is, if its score is higher than
        those before, and the whole classifier if its score is no lower than the highest of them.

    every : int, default=1
        Epochs from one file to the next. The last epoch has one in any case. With ``monitor``
        there is no choice, for every epoch is judged.

    training_state : bool, default=True
        Whether `partial_fit`, and `fit` with ``warm_start``, can go on from the file, which is two
        to three times as large then.

    See Also
    --------
    EarlyStopping : Keeps the best epoch in the classifier. Set it before a Checkpoint, which then
        writes what is kept.

    Notes
    -----
    It needs scikit-learn 1.9 or newer: ``classifier.set_callbacks(checkpoint).fit(...)``.

    Of a Pipeline the classifier alone is in the file, as `skbn.export.save_model` has it.

    `partial_fit` writes the whole classifier, if the number of the epoch is a multiple of
    ``every``. It has no validation set, and with a name as ``monitor`` writes nothing. A `fit`
    that begins anew replaces the file of an earlier one. Where training goes on, in a session, by
    `partial_fit` or with ``warm_start``, a file whose score is higher stays.

    In a search the refit writes the file, and candidates do not. In other loops, such as
    ``cross_val_score``, every fit replaces the file of the one before; classifiers that train side
    by side, as in `fit_population`, need paths of their own.

    Examples
    --------
    >>> from skbn.callbacks import Checkpoint
    >>> latest = Checkpoint("letter.npz", every=10)
    >>> best = Checkpoint("letter-best.npz", monitor="balanced_accuracy")
    """

    def __init__(
        self, path: Any, *, monitor: Any = None, every: int = 1, training_state: bool = True
    ) -> None:
        self.path, self.monitor = _checked_path(path), monitor
        self.every = checked_count("every", every)
        if monitor is not None and every != 1:
            raise ValueError(
                f"got monitor={monitor!r} and every={every}: with monitor every epoch is judged, "
                "so leave out one of the two"
            )
        self.training_state = bool(training_state)
        self._monitor = None if monitor is None else Monitor(monitor, "Checkpoint")
        self._is_of_members = self._file(1, 0) != self._file(1, 1)
        self._key = uuid4().hex  # that of copies in other processes, too

    def setup(self, estimator: Any, context: Any) -> None:
        """Refuse what could not be written.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext

        Raises
        ------
        TypeError
            If the estimator is no BNSoftmaxClassifier, or of a subclass.
        FileNotFoundError, IsADirectoryError
            If the folder does not exist, or the path is that of one.
        """
        super().setup(estimator, context)
        if type(estimator) is not BNSoftmaxClassifier:
            raise TypeError(
                "Checkpoint writes files of which BNSoftmaxClassifier comes, and this is its "
                f"subclass {type(estimator).__name__}. Save it after the fit with skops.io.dump"
            )
        file = self._file(1, 0)
        if os.path.isdir(file):
            what = "the path of a Checkpoint is that of a folder; give a file"
            raise IsADirectoryError(errno.EISDIR, what, file)
        folder = os.path.dirname(os.path.abspath(file))
        if not os.path.isdir(folder):
            what = "the folder of a Checkpoint does not exist; make it with os.makedirs"
            raise FileNotFoundError(errno.ENOENT, what, folder)

    def on_fit_task_begin(self, estimator: Any, context: Any) -> None:
        """Refuse a fit without rows to judge on, or of which no file can be written.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext

        Raises
        ------
        ValueError
            If ``monitor`` needs a validation set and there is none, or a parameter has no place
            in a file.
        """
        if self._is_ignored(context):
            return
        described_parameters(estimator, self.training_state)
        if self._monitor is not None:
            self._monitor.check_rows(context)

    def on_fit_task_end(
        self, estimator: Any, context: Any, *, X: Any = None, y: Any = None
    ) -> None:
        """Write the model, if it is time to or if it is better.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier
        context : CallbackContext
        X, y : array-like
            The rows that are trained on.

        Raises
        ------
        OSError
            If the file cannot be written.
        ValueError
            If a parameter or a label has no place in a file.
        """
        epoch, last = getattr(context, "epoch", None), getattr(context, "last_epoch", None)
        if self._is_ignored(context):
            return
        if epoch is not None and (epoch.member == 0 or self._is_of_members):
            if self._monitor is not None:
                self._write_if_better(epoch, epoch.estimator(), (X, y))
            elif epoch.number % self.every == 0 and not of_partial_fit(context):
                self._write(epoch.fitted(), epoch.member)
        elif last is not None and (context.task_name == "member") == self._is_of_members:
            if self._monitor is None:
                if last.number % self.every == 0 or not of_partial_fit(context):
                    self._write(last.fitted(), last.member)
            elif not self._is_of_members:
                self._write_if_better(last, last.fitted(), (X, y), is_whole=True)

    def _is_ignored(self, context: Any) -> bool:
        """Whether a task is of a candidate, or of `partial_fit` without rows to judge on."""
        has_no_rows = self._monitor is not None and self._monitor.needs_validation_set
        is_of_candidate = is_within(context, EVALUATION_TASK)
        return is_of_candidate or (has_no_rows and of_partial_fit(context))

    def _write_if_better(
        self, epoch: Any, model: Any, trained_on: tuple[Any, Any], is_whole: bool = False
    ) -> None:
        assert self._monitor is not None
        rows = self._monitor.rows(epoch, *trained_on)
        score, best = self._monitor.score(model, rows), self._best(epoch, rows)
        is_better = np.isnan(best) or score > best or (is_whole and score == best)
        if is_better and model is not None:
            self._write(model, epoch.member)
            epoch.notes[self._key] = score

    def _best(self, epoch: Any, rows: Rows) -> float:
        """Give the highest score so far, where training goes on that of the file; NaN is none."""
        assert self._monitor is not None
        file = self._file(epoch.number, epoch.member)
        if self._key in epoch.notes:
            best: float = epoch.notes[self._key]
            return best
        if epoch.number == 1 or not os.path.isfile(file):
            return float("nan")
        try:
            return self._monitor.score(load_model(file), rows)
        except (OSError, ValueError):  # it is no model, or one of other rows
            return float("nan")

    def _write(self, model: BNSoftmaxClassifier | None, member: int) -> None:
        if model is None:  # for logits are not finite yet
            return
        file = self._file(model.n_iter_, member)
        try:
            save_model(model, file, self.training_state)
        except OSError as error:
            what = f"the Checkpoint of epoch {model.n_iter_} was not written: {error.strerror}"
            raise OSError(error.errno, what, file) from error

    def _file(self, epoch: int, member: int) -> str:
        return self.path.format(epoch=epoch, member=member)


def _checked_path(path: Any) -> str:
    try:
        path = os.fsdecode(path)
    except TypeError:
        raise TypeError(f"path must be a str or a path-like, got {path!r}") from None
    if not path or "\0" in path:
        raise ValueError(f"path must be the name of a file, got {path!r}")
    try:
        path.format(epoch=1, member=0)
    except (LookupError, ValueError, AttributeError, TypeError) as error:
        raise ValueError(
            f"path={path!r} may hold the fields {{epoch}} and {{member}} of str.format, and no "
            f"others; braces of a name are doubled ({error!r})"
        ) from None
    return path
