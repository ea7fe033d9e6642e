"""A search that can be drawn, in the manner of scikit-learn's Display classes."""

from __future__ import annotations

from typing import Any, Self

from skbn.display.axes import require_matplotlib
from skbn.display.pictures import (
    draw_importance,
    draw_learning_curves,
    draw_narrowing,
    draw_parallel,
    draw_scores,
)
from skbn.display.record import SearchRecord, check_choice, importances, missing_for

KINDS = ("scores", "narrowing", "parallel", "importance", "learning_curves")


def undrawable_kinds(search: Any) -> dict[str, str]:
    """Give the kinds of pictures that cannot be drawn of a search, each with the reason.

    Parameters
    ----------
    search : CoarseToFineSearchCV or RandomizedSearchCV
        A fitted search.

    Returns
    -------
    reasons : dict of str to str
        By kind, what the picture lacks, in words.
    """
    try:
        record = SearchRecord.from_search(search)
    except ValueError as error:
        return dict.fromkeys(KINDS, str(error))
    reasons = {kind: missing_for(record, kind) for kind in KINDS}
    return {kind: reason for kind, reason in reasons.items() if reason}


class SearchDisplay(SearchRecord):
    """Pictures of what a search tried and found.

    `from_search` makes one of a `CoarseToFineSearchCV`, or of any search over
    ``param_distributions``, such as `sklearn.model_selection.RandomizedSearchCV`, whose
    candidates then count as one round drawn over the whole space. matplotlib must be
    installed.

    Every picture shows *coordinates*, each on its own scale: a log-uniform
    parameter on a logarithmic one, the entries of a list at equal distances. A
    parameter such as ``hidden_layer_sizes`` may have several, and one with a single
    value has none. The labels leave out the common beginning of all names, such as the
    step of a pipeline.

    Parameters
    ----------
    coordinates : list of Coordinate
        What is searched over.

    units : ndarray of shape (n_candidates, n_coordinates)
        Place of each candidate on each coordinate, from 0 to 1. NaN where the
        coordinate has no say, because it belongs to another dict of several.

    scores : ndarray of shape (n_candidates,)
        Mean test scores; NaN for candidates that failed.

    rounds : ndarray of shape (n_candidates,)
        Number of the round in which each candidate was drawn.

    draws : ndarray of shape (n_candidates,)
        How each candidate was drawn: "global", over the whole space, "local", near the best
        ones so far, or "known", one of the best of an earlier search.

    bounds : ndarray of shape (n_rounds, n_coordinates, 2)
        Coordinates between which the local draws of each round lie. NaN where there
        is no order.

    score_name : str
        Name of the score.

    curves : DataFrame, default=None
        Learning curves: the columns candidate, split, epoch, score (missing between
        rungs), and any others that are to be drawn, as in ``learning_curves_`` of a
        search with ``resource="epochs"``.

    ended : ndarray of shape (n_candidates,), default=None
        Whether each candidate was trained to the end and not left behind on a rung. None
        means that all were.

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    ax_ : matplotlib Axes or None
        The axes drawn on, or those whose place the panels have taken; None if the
        panels were given as an array.
    axes_ : ndarray of Axes
        The panels, in the order of the coordinates. One for "parallel", "importance"
        and "learning_curves".
    importances_ : DataFrame
        Only after ``kind="importance"``: a row a coordinate, the most important first,
        with the columns "mean" and "std".

    See Also
    --------
    sklearn.inspection.permutation_importance : What "importance" is measured by.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.model_selection import RandomizedSearchCV
    >>> from sklearn.naive_bayes import GaussianNB
    >>> from skbn.display import SearchDisplay
    >>> search = RandomizedSearchCV(GaussianNB(), {"var_smoothing": loguniform(1e-9, 1)})
    >>> display = SearchDisplay.from_search(search.fit(*load_iris(return_X_y=True)))
    >>> display.axes_[0].get_xlabel()
    'var_smoothing'
    >>> display.plot(kind="parallel").axes_.size
    1
    >>> plt.close("all")
    """

    @classmethod
    def from_search(
        cls,
        search: Any,
        *,
        kind: str = "scores",
        metric: str | None = None,
        ax: Any = None,
        n_cols: int = 3,
        curve: str | None = None,
    ) -> Self:
        """Draw a picture of a fitted search.

        Parameters
        ----------
        search : CoarseToFineSearchCV or RandomizedSearchCV
            A fitted search.
        kind : {"scores", "narrowing", "parallel", "importance", "learning_curves"}, \
                default="scores"
            Which picture; see `plot`.
        metric : str, default=None
            Name of the score, of a search that has several. None is the score the search
            refits by, or else the first.
        ax : Axes or array of Axes, default=None
            Where to draw; see `plot`.
        n_cols : int, default=3
            Most panels side by side.
        curve : str, default=None
            Which learning curve; see `plot`.

        Returns
        -------
        display : SearchDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        NotFittedError
            If the search is not fitted.
        TypeError
            If the search has no ``param_distributions``.
        ValueError
            If there is no such kind, metric or curve, or nothing to draw.
        """
        require_matplotlib()
        check_choice("kind", kind, KINDS)
        display = super().from_search(search, metric=metric)
        return display.plot(ax, kind=kind, n_cols=n_cols, curve=curve)

    def plot(
        self, ax: Any = None, *, kind: str = "scores", n_cols: int = 3, curve: str | None = None
    ) -> Self:
        """Draw a picture.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw; None is a new figure. For "scores" and "narrowing", which
            have a panel a coordinate, an Axes is switched off and the panels take its
            place; an array must hold as many Axes as there are panels.

        kind : {"scores", "narrowing", "parallel", "importance", "learning_curves"}, \
                default="scores"
            Which picture:

            - "scores": the score of each candidate against each coordinate, coloured
              by round. Bars beneath show the bounds of each round. So that awful
              candidates do not squeeze all others together, the score axis reaches
              at most three times as far below the best score as the median lies:
              candidates further down are triangles at its lower end. Failed ones are
              crosses.
            - "narrowing": the bounds of each round on each coordinate that has an order,
              all candidates side by side as they were drawn, and the best one so far.
            - "parallel": a line a candidate through all coordinates to its score, which
              also gives its colour; the better, the further on top. The score axis ends
              as in "scores". Candidates with the same entry of a list are drawn apart.
            - "importance": how much of the score each coordinate decides; see Notes.
            - "learning_curves": a line a candidate against the epoch, the mean over splits,
              for a search with ``resource="epochs"``. Candidates trained to the end are
              coloured by round; the others are grey and end on the rung where they were left
              behind, above which stands how many went on. The axis reaches at most three
              times as far from the best value as the median of all lies; where a line ends
              beyond there is a triangle.

        n_cols : int, default=3
            Most panels side by side.

        curve : str, default=None
            What "learning_curves" shows: "score", of the rungs and of the score that leads
            the search, or for networks "validation_accuracy", "validation_loss" or "loss",
            of training. None is "validation_accuracy" where there is one, or else "score".

        Returns
        -------
        self : SearchDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If there is no such kind or curve or nothing to draw, or the number of Axes is
            wrong.

        Notes
        -----
        For "importance" a random forest learns the rank of the score from the
        coordinates, on three quarters of the candidates. On the others one coordinate
        is shuffled, and half the increase of the mean squared error, over the variance
        of the ranks, is the share of the variance that goes with this coordinate, alone or
        together with others (its total Sobol index, if the forest were exact). Bars
        are means over 10 random splits, lines their standard deviations. A coordinate
        that does nothing comes out near zero, above or below. The label says how much
        the forest explains: where that is little, the bars mean little.

        Only candidates drawn over the whole space count. Candidates drawn near the best
        ones lie close together on all coordinates at once, so that any coordinate, even one
        that does nothing, could stand for the others.
        """
        require_matplotlib()
        check_choice("kind", kind, KINDS)
        if missing := missing_for(self, kind):
            raise ValueError(f"kind={kind!r} {missing}")
        if kind == "scores":
            places = draw_scores(self, ax, n_cols)
        elif kind == "narrowing":
            places = draw_narrowing(self, ax, n_cols)
        elif kind == "parallel":
            places = draw_parallel(self, ax)
        elif kind == "learning_curves":
            places = draw_learning_curves(self, ax, curve)
        else:
            self.importances_, explained = importances(self)
            places = draw_importance(self.importances_, explained, ax)
        self.ax_, self.axes_, self.figure_ = places.ax, places.panels, places.panels[0].figure
        return self
