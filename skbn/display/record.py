"""Data of pictures: candidates, scores, bounds and curves of a search, without drawing."""

from __future__ import annotations

from collections.abc import Sequence
from os.path import commonprefix
from typing import Any, NamedTuple, Self

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

from skbn.search.space import Coordinate, Space

MIN_IMPORTANCE_CANDIDATES = 8
"""Candidates without which nothing is said about importance. In simulated searches the one
of four parameters that the score rises with comes first in 95 % of searches with 8
candidates, in 77 % with 6, and by chance in 25 %."""
N_SPLITS = 10
"""Random splits behind an importance. In simulated searches with 20 candidates the decisive
one of four parameters comes first in 85 % with 3 splits, in 95 % with 10, and in as many
with 30."""
N_TREES = 30
"""Trees of each forest; 100 find the decisive parameter as often and take three times as long."""


class SearchRecord:
    """Candidates of a search with their scores, rounds, bounds and learning curves.

    `skbn.display.SearchDisplay` is a record that can be drawn, and documents the parameters.
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
    def from_search(cls, search: Any, *, metric: str | None = None) -> Self:
        """Read a fitted search; ``metric=None`` is the score it refits by, or else the first."""
        check_is_fitted(search, "cv_results_")
        if not hasattr(search, "param_distributions"):
            raise TypeError(
                "search must have param_distributions, as CoarseToFineSearchCV has and "
                f"RandomizedSearchCV; got {type(search).__name__}"
            )
        space, results = Space(search.param_distributions), search.cv_results_
        if not space.coordinates:
            raise ValueError(f"nothing to draw: each parameter of {space} has one value only")
        metric = _choose_metric(search, metric)
        scores = np.asarray(results[f"mean_test_{metric}"], dtype=float)
        if not np.isfinite(scores).any():
            raise ValueError(f"nothing to draw: no candidate has a finite {metric}")
        units = np.array([space.encode(params) for params in results["params"]])
        rounds = np.asarray(results.get("round", np.zeros(len(scores))), dtype=int)
        is_single = metric == "score" and isinstance(search.scoring, str)
        curves, ended = _read_curves(search, metric)
        return cls(
            coordinates=space.coordinates,
            units=np.where([space.active(unit) for unit in units], units, np.nan),
            scores=np.where(np.isfinite(scores), scores, np.nan),
            rounds=rounds,
            draws=np.asarray(results.get("draw", ["global"] * len(scores)), dtype=str),
            bounds=_bounds(space, getattr(search, "bounds_history_", [{}] * (rounds.max() + 1))),
            score_name=search.scoring if is_single else metric,
            curves=curves,
            ended=ended,
        )


def missing_for(record: SearchRecord, kind: str) -> str:
    """Say what a kind of picture needs that a record has not; nothing if it can be drawn.

    Parameters
    ----------
    record : SearchRecord
    kind : str

    Returns
    -------
    missing : str
        The rest of a sentence that begins with the kind.
    """
    if kind == "narrowing" and not any(c.axis.ordered for c in record.coordinates):
        return "needs a parameter whose values have an order"
    if kind == "importance" and (n := int(_counts(record).sum())) < MIN_IMPORTANCE_CANDIDATES:
        return (
            f"needs at least {MIN_IMPORTANCE_CANDIDATES} candidates that were drawn over the "
            f"whole space and did not fail, got {n}: raise the number of candidates"
        )
    if kind == "learning_curves" and record.curves is None:
        return (
            "needs the learning curves of a search: use CoarseToFineSearchCV(..., "
            "resource='epochs')"
        )
    return ""


def check_choice(name: str, value: Any, valid: Sequence[str]) -> None:
    """Refuse the value of an argument that is none of the valid ones."""
    if value not in valid:
        raise ValueError(f"{name} must be one of {', '.join(map(repr, valid))}; got {value!r}")


def _choose_metric(search: Any, metric: str | None) -> str:
    """Name of the score to draw, as the results have it behind ``mean_test_``."""
    start = "mean_test_"
    known = [name.removeprefix(start) for name in search.cv_results_ if name.startswith(start)]
    if metric is None:
        return search.refit if search.refit in known else known[0]
    check_choice("metric", metric, known)
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


def short_labels(coordinates: Sequence[Coordinate]) -> list[str]:
    """Labels of coordinates without the common beginning of all parameters."""
    named = [c.label for c in coordinates if c.part >= 0]
    start = commonprefix(named).rfind("__") + 2  # noqa: RUF071, letters are meant
    return [c.label[start:] if start > 1 and c.part >= 0 else c.label for c in coordinates]


class ScoreRange(NamedTuple):
    """Scores that an axis shows."""

    floor: float
    top: float

    @property
    def length(self) -> float:
        """From the floor to the top; 1 where all scores are equal."""
        return (self.top - self.floor) or 1.0


def score_range(scores: NDArray[np.float64]) -> ScoreRange:
    """From three times as far below the best score as the median, or the worst, to the best.

    At most half of the scores lie below.
    """
    best, median, worst = np.nanmax(scores), np.nanmedian(scores), np.nanmin(scores)
    floor = max(worst, best - 3 * (best - median)) if median < best else worst
    return ScoreRange(float(floor), float(best))


def final_scores(record: SearchRecord) -> NDArray[np.float64]:
    """Scores of the candidates trained to the end, among which the best is; NaN for others."""
    scores: NDArray[np.float64] = np.where(record.ended, record.scores, np.nan)
    return scores


def best_candidate(record: SearchRecord) -> int:
    """Index of the best of the candidates trained to the end."""
    return int(np.nanargmax(final_scores(record)))


def best_by_round(record: SearchRecord) -> list[int]:
    """Index of the best candidate up to each round."""
    scores = np.nan_to_num(final_scores(record), nan=-np.inf)
    numbers = range(len(record.bounds))
    return [int(np.argmax(np.where(record.rounds <= n, scores, -np.inf))) for n in numbers]


def _counts(record: SearchRecord) -> NDArray[np.bool_]:
    """Whether each candidate counts for importance."""
    return np.isfinite(record.scores) & (record.draws == "global")


def importances(record: SearchRecord) -> tuple[pd.DataFrame, float]:
    """Importance of each coordinate, and the share of the variance that is explained.

    Returns
    -------
    importances : DataFrame
        A row a coordinate, the most important first, with the columns "mean" and "std".
    explained : float
        Share of the variance of the ranks of scores that a forest explains, at most 1.
    """
    used = _counts(record)
    X = np.nan_to_num(record.units[used], nan=0.5)
    shares, errors = _permute(X, scale(rankdata(record.scores[used])))
    table = pd.DataFrame(
        {"mean": shares.mean(axis=0), "std": shares.std(axis=0)},
        index=short_labels(record.coordinates),
    )
    return table.sort_values("mean", ascending=False), float(1 - np.mean(errors))


def _permute(
    X: NDArray[np.float64], y: NDArray[np.float64]
) -> tuple[NDArray[np.float64], list[float]]:
    """Half the rise of a forest's error as each column is shuffled, and the error, by split.

    Errors are squared, and of rows that the forest has not seen.
    """
    rng, rises, errors = check_random_state(0), [], []
    for train, test in ShuffleSplit(N_SPLITS, test_size=0.25, random_state=0).split(X):
        forest = RandomForestRegressor(N_TREES, random_state=rng).fit(X[train], y[train])
        shuffled = permutation_importance(
            forest, X[test], y[test], scoring="neg_mean_squared_error", random_state=rng
        )
        rises.append(shuffled.importances_mean)
        errors.append(float(np.mean((forest.predict(X[test]) - y[test]) ** 2)))
    return np.array(rises) / 2, errors


def _read_curves(search: Any, metric: str) -> tuple[pd.DataFrame | None, NDArray[np.bool_] | None]:
    """Learning curves of a search, if there are any, and who was trained to the end."""
    if not hasattr(search, "learning_curves_"):
        return None, None
    results, curves = search.cv_results_, search.learning_curves_
    n_epochs, ranks = results["n_epochs"], results[f"rank_test_{metric}"]
    # A rung that not all splits reached, because the search was interrupted, is left out.
    curves = curves[curves["epoch"].to_numpy() <= n_epochs[curves["candidate"]]]
    finite = np.isfinite(results[f"mean_test_{metric}"])
    is_longest = n_epochs == n_epochs[finite].max()
    surely_ended = ~np.isin(n_epochs, rungs(curves)) | is_longest
    # A candidate that ended on a rung by itself ranks with those that surely ended.
    return curves, ranks <= ranks[finite & surely_ended].max()


def choose_curve(curves: pd.DataFrame, curve: str | None) -> str:
    """Name of the learning curve to draw."""
    measured = curves.columns.drop(["candidate", "split", "epoch"])
    known = [name for name in measured if np.isfinite(curves[name]).any()]
    if curve is None:
        return "validation_accuracy" if "validation_accuracy" in known else "score"
    check_choice("curve", curve, known)
    return curve


def mean_curves(curves: pd.DataFrame, curve: str) -> dict[int, pd.Series]:
    """Mean of a curve over splits by candidate, where each split has a value.

    A split that ended keeps its last value while others train on.
    """
    means = {}
    for candidate, own in curves.groupby("candidate"):
        table = own.pivot(index="epoch", columns="split", values=curve)
        known = table.notna() | table.bfill().isna()
        mean = table.ffill()[known.all(axis=1)].mean(axis=1, skipna=False)
        if np.isfinite(mean).any():
            means[int(candidate)] = mean[np.isfinite(mean)]
    return means


def rungs(curves: pd.DataFrame) -> NDArray[np.int64]:
    """Epochs after which some were left behind: epochs of scores with others to come."""
    scored = curves.dropna(subset="score")
    last = scored.groupby(["candidate", "split"])["epoch"].transform("max")
    return np.unique(scored["epoch"][scored["epoch"] < last])


def n_going_on(curves: pd.DataFrame, rung: int) -> int:
    """Candidates that trained beyond a rung."""
    n_epochs = curves.groupby("candidate")["epoch"].max()
    return int((n_epochs > rung).sum())
