"""The learning-rate range test, and its picture."""

from __future__ import annotations

import warnings
from typing import Any, Self

import pandas as pd

from skbn.display.axes import require_matplotlib
from skbn.display.learning_rate_picture import draw_learning_rates
from skbn.search.learning_rates import (
    check_count,
    check_rates,
    judged_losses,
    measure_rates,
    suggest_rate,
)


class LearningRateRange:
    """Learning rates tried for a few epochs each, and the one that they speak for [1]_.

    `from_estimator` trains a network at each of several rates, all from the same start and on
    the same rows, for a few epochs. The loss, against the rate, falls where training comes
    further in the same time, and rises where its steps are too long. The suggestion is half of
    the rate at which the higher one of training loss and loss on rows left out is lowest. Where
    the curve is flat, chance decides where that is: `reason` names the rates between which the
    loss is little higher, and without a ``random_state`` two calls differ. The test takes about
    as long as three or four fits; a search over ``learning_rate_init`` a hundred or more.

    Parameters
    ----------
    curve : DataFrame
        A row a rate, in ascending order: "learning_rate"; "loss", of training in the last
        epoch; "validation_loss", after it on rows left out. NaN where training diverged.

    suggestion : float
        Learning rate for ``learning_rate_init``; NaN where none is suggested.

    reason : str
        Why it is suggested, and at which rates the loss is little higher; or why none is.

    guessing_loss : float
        Loss of guessing by the class frequencies, on the rows left out.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure, once it is drawn.
    ax_ : matplotlib Axes
        The axes of the picture.

    See Also
    --------
    skbn.search.CoarseToFineSearchCV : Cross-validates whole trainings, of all parameters.
    TrainingDisplay : Picture of one training.

    Notes
    -----
    Smith raises the rate from one mini-batch to the next in a single training, and reads the
    rate off its training loss. Networks of one shape train side by side here, so that each rate
    can have a training of its own; the suggestions come nearer to the best rate (search guide,
    "A range of learning rates").

    References
    ----------
    .. [1] L. Smith. Cyclical learning rates for training neural networks. 2017.
       arXiv:1506.01186.

    Examples
    --------
    >>> from math import isfinite
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier, LearningRateRange
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier((32,), random_state=0))
    >>> rates = LearningRateRange.from_estimator(model, X, y)
    >>> 0.01 < rates.suggestion < 1
    True
    >>> if isfinite(rates.suggestion):  # or else rates.reason says what to do
    ...     model = model.set_params(bnsoftmaxclassifier__learning_rate_init=rates.suggestion)
    """

    def __init__(
        self, *, curve: pd.DataFrame, suggestion: float, reason: str, guessing_loss: float
    ) -> None:
        self.curve = curve
        self.suggestion = suggestion
        self.reason = reason
        self.guessing_loss = guessing_loss

    def __repr__(self) -> str:
        return f"{type(self).__name__}(suggestion={self.suggestion!r}, reason={self.reason!r})"

    @classmethod
    def from_estimator(
        cls,
        model: Any,
        X: Any,
        y: Any,
        low: float = 1e-5,
        high: float = 10,
        *,
        n_rates: int = 16,
        n_epochs: int = 5,
        sample_weight: Any = None,
    ) -> Self:
        """Train a network at each of several rates.

        Parameters
        ----------
        model : BNSoftmaxClassifier or Pipeline
            Not changed; a Pipeline must end in a classifier. Its schedule runs from beginning
            to end in each training, ``random_state`` decides which rows are left out, and
            callbacks are not called.
        X, y : array-like
            As of the model's `fit`. The steps of a Pipeline are fitted to all rows, once. A
            fifth of them is left out of training.
        low, high : float, default=1e-5, 10
            Lowest and highest learning rate.
        n_rates : int, default=16
            Rates to try, each as many times the one before it; at least 3.
        n_epochs : int, default=5
            Epochs of each training, ``max_iter`` of the model at most.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, for the classifier.

        Returns
        -------
        range : LearningRateRange
            Not drawn yet; see `plot`.

        Raises
        ------
        TypeError
            If ``model`` is no BNSoftmaxClassifier and no Pipeline that ends in one.
        ValueError
            If another argument is not as described.

        Warns
        -----
        UserWarning
            If no rate is suggested, since training diverged or learned nothing at all of them,
            or if the best rate lies at an end of the range.
        """
        rates = check_rates(low, high, n_rates)
        check_count("n_epochs", n_epochs, 1)
        curve, guessing_loss = measure_rates(model, X, y, rates, n_epochs, sample_weight)
        suggestion = suggest_rate(rates, judged_losses(curve), guessing_loss)
        if suggestion.is_doubtful:
            warnings.warn(suggestion.reason, stacklevel=2)
        return cls(
            curve=curve,
            suggestion=suggestion.rate,
            reason=suggestion.reason,
            guessing_loss=guessing_loss,
        )

    def plot(self, ax: Any = None) -> Self:
        """Draw both losses against the rate, with the suggestion.

        matplotlib must be installed.

        Parameters
        ----------
        ax : Axes, default=None
            Where to draw; None is a new figure.

        Returns
        -------
        self : LearningRateRange

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If ``ax`` is not one Axes.

        Notes
        -----
        A star marks the lowest loss that counts, the higher one of both at a rate. The axis ends
        half the way from there to the loss of guessing. Rates with higher losses have a triangle
        there, those at which training diverged a cross. A suggestion is dotted, and "doubtful" in
        the legend, where a warning said to widen the range.
        """
        require_matplotlib()
        places = draw_learning_rates(self.curve, self.suggestion, self.guessing_loss, ax)
        self.ax_, self.figure_ = places.ax, places.ax.figure
        return self
