"""Pictures of a search, in the manner of scikit-learn's Display classes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata
from sklearn.ensemble import RandomForestRegressor
from sklearn.inspection import permutation_importance
from sklearn.model_selection import ShuffleSplit
from sklearn.preprocessing import scale
from sklearn.utils import check_random_state
from sklearn.utils.validation import check_is_fitted

from skbn.display import pictures as drawing
from skbn.display.axes import Places, require_matplotlib, several, short_labels, single
from skbn.search.space import Coordinate, Space

KINDS = ("scores", "narrowing", "parallel", "importance", "learning_curves")
FEWEST = 8
"""Candidates without which nothing can be said about importance."""
N_SPLITS = 10


class SearchDisplay:
    """Pictures of what a search tried and found.

    Make one with `from_search`. For `CoarseToFineSearchCV`, and for any search over
    ``param_distributions``, such as `sklearn.model_selection.RandomizedSearchCV`, whose
    candidates then count as one round drawn over the whole space. It needs matplotlib.

    Every picture shows *coordinates*, each on its own scale: a log-uniform
    parameter on a logarithmic one, the entries of a list at equal distances. A
    parameter such as ``hidden_layer_sizes`` may have several, and one with a single
    value has none. What all names begin with, such as the step of a pipeline, is
    left out of the labels.

    Parameters
    ----------
    coordinates : list of Coordinate
        What is searched over.

    units : ndarray of shape (n_candidates, n_coordinates)
        Where each candidate lies on each coordinate, from 0 to 1. NaN where the
        coordinate has no say, because it belongs to another dict of several.

    scores : ndarray of shape (n_candidates,)
        Mean test scores; NaN for candidates that failed.

    rounds : ndarray of shape (n_candidates,)
        Number of the round in which each was drawn.

    draws : ndarray of shape (n_candidates,)
        How each was drawn: "global", over the whole space, "local", near the best
        ones so far, or "known", one of the best of an earlier search.

    bounds : ndarray of shape (n_rounds, n_coordinates, 2)
        Between which coordinates the local draws of each round lie. NaN where there
        is no order.

    score_name : str
        Name of the score.

    curves : DataFrame, default=None
        Learning curves: the columns candidate, split, epoch, score (missing between
        rungs), and any others that are to be drawn, as in ``learning_curves_`` of a
        search with ``resource="epochs"``.

    ended : ndarray of shape (n_candidates,), default=None
        Whether each was trained to the end and not left behind on a rung. None is all.

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

    def __init__(
        self,
        *,
        coordinates: Sequence[Coordinate],
        units: NDArray[np.float64],
        scores: NDArray[np.float64],
        rounds: NDArray[np.int64],
        draws: NDArray[np.str_],
        bounds: NDArray[np.float64],
        score_name: str,
        curves: pd.DataFrame | None = None,
        ended: NDArray[np.bool_] | None = None,
    ) -> None:
        self.coordinates = coordinates
        self.units = units
        self.scores = scores
        self.rounds = rounds
        self.draws = draws
        self.bounds = bounds
        self.score_name = score_name
        self.curves = curves
        self.ended = np.full(len(scores), True) if ended is None else ended

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
    ) -> SearchDisplay:
        """Draw a picture of a fitted search.

        Parameters
        ----------
        search : CoarseToFineSearchCV or RandomizedSearchCV
            A fitted search.
        kind : {"scores", "narrowing", "parallel", "importance", "learning_curves"}, \
                default="scores"
            Which picture; see `plot`.
        metric : str, default=None
            Name of the score, of a search that has several. None is the one the search
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
        check_is_fitted(search, "cv_results_")
        _check_choice("kind", kind, KINDS)
        display = cls(**_read(search, metric))
        return display.plot(ax, kind=kind, n_cols=n_cols, curve=curve)

    def plot(
        self, ax: Any = None, *, kind: str = "scores", n_cols: int = 3, curve: str | None = None
    ) -> SearchDisplay:
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
              candidates further down are triangles at its lower end. Those that failed
              are crosses.
            - "narrowing": the bounds of each round on each coordinate that has an order,
              all candidates side by side as they were drawn, and the best one so far.
            - "parallel": a line a candidate through all coordinates to its score, which
              also gives its colour; the better, the further on top. The score axis ends
              as in "scores". Candidates with the same entry of a list are drawn apart.
            - "importance": how much of the score each coordinate decides; see Notes.
            - "learning_curves": a line a candidate against the epoch, the mean over splits,
              for a search with ``resource="epochs"``. Those trained to the end are coloured
              by round; those left behind are grey and end on the rung where they were, above
              which stands how many went on. The axis reaches at most three times as far from
              the best value as the median of all lies; where a line ends beyond there is a
              triangle.

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
        of the ranks, is the share of it that goes with this coordinate, alone or
        together with others (its total Sobol index, if the forest were exact). Bars
        are means over 10 random splits, lines their standard deviations. A coordinate
        that does nothing comes out near zero, above or below. The label says how much
        the forest explains: where that is little, the bars mean little.

        Only candidates drawn over the whole space count. Those drawn near the best ones
        lie close together on all coordinates at once, so that any coordinate, even one
        that does nothing, could stand for the others.
        """
        require_matplotlib()
        _check_choice("kind", kind, KINDS)
        ordered = [i for i, c in enumerate(self.coordinates) if c.axis.ordered]
        if kind == "scores":
            drawing.draw_scores(self, self._place(several(ax, len(self.coordinates), n_cols)))
        elif kind == "narrowing":
            if not ordered:
                raise ValueError("kind='narrowing' needs a parameter whose values have an order")
            places = self._place(several(ax, len(ordered), n_cols))
            drawing.draw_narrowing(self, ordered, places)
        elif kind == "parallel":
            places = self._place(single(ax, (3.4 + 0.57 * len(self.coordinates), 4.2)))
            drawing.draw_parallel(self, places.ax)
        elif kind == "learning_curves":
            curve = _curve(self.curves, curve)
            places = self._place(single(ax, (6.4, 4.2)))
            drawing.draw_learning_curves(self, curve, places)
        else:
            self.importances_, explained = _importances(self)
            places = self._place(single(ax, (6.4, 1 + 0.32 * len(self.coordinates))))
            drawing.draw_importance(self.importances_, explained, places.ax)
        return self

    def _place(self, places: Places) -> Places:
        self.ax_, self.axes_, self.figure_ = places.ax, places.panels, places.panels[0].figure
        return places


def _check_choice(name: str, value: Any, valid: Sequence[str]) -> None:
    if value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, valid))}; got {value!r}")


def _read(search: Any, metric: str | None) -> dict[str, Any]:
    """Read what is to be drawn out of a fitted search."""
    if not hasattr(search, "param_distributions"):
        raise TypeError(
            "search must have param_distributions, as CoarseToFineSearchCV has and "
            f"RandomizedSearchCV; got {type(search).__name__}"
        )
    space, results = Space(search.param_distributions), search.cv_results_
    if not space.coordinates:
        raise ValueError(f"nothing to draw: each parameter of {space} has one value only")
    metric = _metric(search, metric)
    scores = np.asarray(results[f"mean_test_{metric}"], dtype=float)
    if not np.isfinite(scores).any():
        raise ValueError(f"nothing to draw: no candidate has a finite {metric}")
    units = np.array([space.encode(params) for params in results["params"]])
    rounds = np.asarray(results.get("round", np.zeros(len(scores))), dtype=int)
    return {
        "coordinates": space.coordinates,
        "units": np.where([space.active(unit) for unit in units], units, np.nan),
        "scores": np.where(np.isfinite(scores), scores, np.nan),
        "rounds": rounds,
        "draws": np.asarray(results.get("draw", ["global"] * len(scores)), dtype=str),
        "bounds": _bounds(space, getattr(search, "bounds_history_", [{}] * (rounds.max() + 1))),
        "score_name": search.scoring
        if metric == "score" and isinstance(search.scoring, str)
        else metric,
        **_read_curves(search, metric),
    }


def _read_curves(search: Any, metric: str) -> dict[str, Any]:
    """Read the learning curves, if there are any, and who was trained to the end."""
    if not hasattr(search, "learning_curves_"):
        return {}
    results, curves = search.cv_results_, search.learning_curves_
    n_epochs, ranks = results["n_epochs"], results[f"rank_test_{metric}"]
    # A rung that not all splits reached, because the search was interrupted, is left out.
    curves = curves[curves["epoch"].to_numpy() <= n_epochs[curves["candidate"]]]
    # Others may have ended on a rung by themselves: those that rank as if they had.
    finite = np.isfinite(results[f"mean_test_{metric}"])
    surely = ~np.isin(n_epochs, drawing.rungs(curves)) | (n_epochs == n_epochs[finite].max())
    return {"curves": curves, "ended": ranks <= ranks[finite & surely].max()}


def _curve(curves: pd.DataFrame | None, curve: str | None) -> str:
    """Name of the learning curve to draw."""
    if curves is None:
        raise ValueError(
            "kind='learning_curves' needs the learning curves of a search: use "
            "CoarseToFineSearchCV(..., resource='epochs')"
        )
    known = [
        name
        for name in curves.columns.drop(["candidate", "split", "epoch"])
        if np.isfinite(curves[name]).any()
    ]
    if curve is None:
        return "validation_accuracy" if "validation_accuracy" in known else "score"
    _check_choice("curve", curve, known)
    return curve


def _metric(search: Any, metric: str | None) -> str:
    """Name of the score to draw, as the results have it behind ``mean_test_``."""
    start = "mean_test_"
    known = [name.removeprefix(start) for name in search.cv_results_ if name.startswith(start)]
    if metric is None:
        return search.refit if search.refit in known else known[0]
    _check_choice("metric", metric, known)
    return metric


def _bounds(space: Space, history: Sequence[dict[str, tuple[Any, Any]]]) -> NDArray[np.float64]:
    """Bounds of each round as coordinates; without any, the whole space."""
    labels = [c.label for c in space.coordinates]
    bounds = np.full((len(history), len(labels), 2), np.nan)
    bounds[:, [c.axis.ordered for c in space.coordinates]] = 0, 1
    for number, by_label in enumerate(history):
        for label, ends in by_label.items():
            bounds[number, labels.index(label)] = [space.position(label, end) for end in ends]
    return bounds


def _importances(display: SearchDisplay) -> tuple[pd.DataFrame, float]:
    """Importance of each coordinate, and the share of the variance that is explained."""
    used = np.isfinite(display.scores) & (display.draws == "global")
    if used.sum() < FEWEST:
        raise ValueError(
            f"kind='importance' needs at least {FEWEST} candidates that were drawn over the "
            f"whole space and did not fail, got {used.sum()}: raise the number of candidates"
        )
    X = np.nan_to_num(display.units[used], nan=0.5)
    y = scale(rankdata(display.scores[used]))
    rng, increases, errors = check_random_state(0), [], []
    for train, test in ShuffleSplit(N_SPLITS, test_size=0.25, random_state=0).split(X):
        forest = RandomForestRegressor(30, random_state=rng).fit(X[train], y[train])
        shuffled = permutation_importance(
            forest, X[test], y[test], scoring="neg_mean_squared_error", random_state=rng
        )
        increases.append(shuffled.importances_mean)
        errors.append(np.mean((forest.predict(X[test]) - y[test]) ** 2))
    shares = np.array(increases) / 2
    labels = short_labels(display.coordinates)
    table = pd.DataFrame({"mean": shares.mean(axis=0), "std": shares.std(axis=0)}, index=labels)
    return table.sort_values("mean", ascending=False), float(1 - np.mean(errors))
