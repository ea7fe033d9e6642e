"""A training that can be drawn, in the manner of scikit-learn's Display classes."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

from skbn.display.axes import require_matplotlib
from skbn.display.training_pictures import draw_training
from skbn.estimators.arrays import fitted_progress
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.search.splits import last_step


class TrainingDisplay:
    """Picture of a training: losses above, the learning rate below, against the epoch.

    `from_session` makes one of a `skbn.TrainingSession`, `from_estimator` of a fitted classifier.
    matplotlib must be installed.

    What was changed on the way stands at a line where it was changed, with who asked for it
    if that was not the session itself: at the terminal, or patience or a callback that stopped
    the training.
    What a rewind undid is drawn faintly. A star marks the epoch that is kept.

    Parameters
    ----------
    log : DataFrame
        A row an event, in the order in which they happened, as ``log_`` of a session. The columns:

        - "event": "epoch", "change", "rewind" or "stop";
        - "epoch": the number of the epoch that was trained, from 1, or gone back to, or after which
          something happened;
        - "loss", "learning_rate" and, with a validation set, "validation_loss" of each epoch;
        - "asked_by" of all other events: "session", or who else;
        - a column a parameter that was changed, missing where it was not.

    kept_epoch : int, default=None
        The epoch whose parameters are kept. None is the one with the lowest validation loss of
        those that no rewind has undone, or the last of them without a validation set.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    ax_ : matplotlib Axes or None
        The axes whose place the panels have taken; None if the panels were given as an array.
    axes_ : ndarray of shape (2,) of Axes
        The panels: losses and the learning rate.

    See Also
    --------
    SearchDisplay : Pictures of a search.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from sklearn.datasets import load_iris
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.display import TrainingDisplay
    >>> model = BNSoftmaxClassifier(early_stopping=True, random_state=0)
    >>> display = TrainingDisplay.from_estimator(model.fit(*load_iris(return_X_y=True)))
    >>> display.axes_[0].get_ylabel()
    'loss'
    >>> plt.close("all")
    """

    def __init__(self, *, log: pd.DataFrame, kept_epoch: int | None = None) -> None:
        self.log = log
        self.kept_epoch = kept_epoch

    @classmethod
    def from_session(cls, session: Any, *, ax: Any = None) -> Self:
        """Draw the training of a session.

        Parameters
        ----------
        session : TrainingSession
            Open or closed.
        ax : Axes or array of Axes, default=None
            Where to draw; see `plot`.

        Returns
        -------
        display : TrainingDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If it is no session.
        ValueError
            If no epoch has been trained.
        """
        require_matplotlib()
        log = getattr(session, "log_", None)
        if not isinstance(log, pd.DataFrame):
            kind = type(session).__name__
            raise TypeError(
                f"from_session takes a TrainingSession, open or closed; got {kind}. "
                "from_estimator takes a fitted BNSoftmaxClassifier or a Pipeline that ends in one"
            )
        return cls(log=log).plot(ax)

    @classmethod
    def from_estimator(cls, estimator: Any, *, ax: Any = None) -> Self:
        """Draw the training of a classifier's first network.

        Parameters
        ----------
        estimator : BNSoftmaxClassifier or Pipeline
            Fitted; a Pipeline must end in a classifier.
        ax : Axes or array of Axes, default=None
            Where to draw; see `plot`.

        Returns
        -------
        display : TrainingDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        NotFittedError
            If the classifier is not fitted.
        TypeError
            If it is no BNSoftmaxClassifier.
        """
        require_matplotlib()
        classifier = last_step(estimator)
        if not isinstance(classifier, BNSoftmaxClassifier):
            raise TypeError(
                "from_estimator takes a BNSoftmaxClassifier or a Pipeline that ends in one, such "
                f"as best_estimator_ of a search; got {type(classifier).__name__}"
            )
        first = fitted_progress(classifier)[0]
        log = pd.DataFrame(first.history)
        log.insert(0, "epoch", range(1, len(log) + 1))
        return cls(log=log.assign(event="epoch"), kept_epoch=first.kept_epoch).plot(ax)

    def plot(self, ax: Any = None) -> Self:
        """Draw the picture.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw; None is a new figure. An Axes is switched off and the panels take its
            place; an array must hold two.

        Returns
        -------
        self : TrainingDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If no epoch has been trained, or the number of Axes is wrong.

        Notes
        -----
        The axis of losses is logarithmic where the highest is more than ten times the lowest. So
        that a training that diverges does not squeeze all else together, it ends at a hundred
        times the median loss, and at one and a half times the highest one of those that no
        rewind has undone: where a line leaves it there is a triangle.
        """
        require_matplotlib()
        places = draw_training(self.log, self.kept_epoch, ax)
        self.ax_, self.axes_, self.figure_ = places.ax, places.panels, places.panels[0].figure
        return self
