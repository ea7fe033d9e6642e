"""From a study to the results of a search: columns, ranks, learning curves, the best."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.stats import rankdata

from skbn.search.space import Space
from skbn.search.study import Study, Trial, leading


def best_so_far(study: Study, scoring: Any) -> str:
    """The best score of the trials that were trained furthest, in words.

    Where these are trained further by and by, scores of different lengths follow each other: then
    the epoch is told.

    Parameters
    ----------
    study : Study
    scoring : object
        Of the search: names a single score.
    """
    trials = study.furthest()
    scores = [trial.score(study.leader, study.n_rungs_done(trial) - 1) for trial in trials]
    if not np.isfinite(scores).any():
        return "no score yet" if trials else "no candidate complete"
    score, best = np.nanmax(scores), trials[np.nanargmax(scores)]
    name = study.metric or (scoring if isinstance(scoring, str) else "score")
    if name.startswith("neg_"):
        name, score = name.removeprefix("neg_"), -score
    name = name.replace("log_loss", "log-loss").replace("_", " ")
    n_epochs = max(result.get("n_epochs", 0) for result in study.last_results(best))
    until = f" (to epoch {n_epochs})" if study.n_rungs > 1 else ""
    return f"best {name} {score:.4f}{until}"


def why_no_score(study: Study, scoring: Any, is_over: bool) -> str:
    """Why no candidate has a finite score on the first rung; empty if one has.

    Parameters
    ----------
    study : Study
    scoring : object
        Of the search.
    is_over : bool
        Whether nothing goes on from these scores: one on some splits is a result then.
    """
    problems: Counter[tuple[str, str]] = Counter()
    for trial in study.trials:
        own = [_problem(result, study.leader) for result in trial.on(0).values()]
        has_score = bool(own) and np.isfinite(trial.score(study.leader, 0))
        if has_score or (is_over and None in own):
            return ""
        problems.update(problem for problem in own if problem)
    if not problems:
        return ""
    details = [f"{'-' * 80}\n{n} {what}\n{text}" for (what, text), n in problems.items()]
    return (
        "No candidate of the first round has a finite score, so that the search has nothing to go "
        f"on with. Does scoring={scoring!r} suit the estimator, the labels and each split of cv?"
        "\n\n" + "\n".join(details)
    )


def _problem(result: Mapping[str, Any], leader: str | None) -> tuple[str, str] | None:
    """What a fit lacks to have a score that leads the search, and the text of an error."""
    scores, error = result["test_scores"], result["score_error"]
    if isinstance(error, dict):
        error = error.get(leader or next(iter(scores)))
    if result["fit_error"]:
        return "fits failed with the following error:", result["fit_error"]
    if error:
        return "scores failed with the following error:", error
    score = leading(scores, leader)
    return None if np.isfinite(score) else (f"scores are {score}, though nothing failed.", "")


def own_columns(
    trials: Sequence[Trial], outcomes: Sequence[Mapping[str, Any]], n_splits: int
) -> dict[str, Any]:
    """Columns of ``cv_results_`` that scikit-learn's searches do not have.

    Parameters
    ----------
    trials : sequence of Trial
    outcomes : sequence of dict
        The last results of each trial, split after split.
    n_splits : int
    """
    columns: dict[str, Any] = {
        "round": [trial.round for trial in trials],
        "draw": [trial.draw for trial in trials],
    }
    if "n_epochs" in outcomes[0]:
        n_epochs = np.reshape([result["n_epochs"] for result in outcomes], (-1, n_splits))
        columns["n_epochs"] = n_epochs.max(axis=1).astype(int)
    return columns


def progress_of(study: Study, trials: Sequence[Trial]) -> NDArray[np.float64]:
    """How far each trial came, as `Study.progress` has it."""
    return np.array([study.progress(trial) for trial in trials], dtype=float)


def ranks_by_progress(
    results: Mapping[str, Any], progress: NDArray[np.float64]
) -> dict[str, NDArray[Any]]:
    """Ranks that put candidates trained further before the others, whatever they score.

    Parameters
    ----------
    results : dict of str to ndarray
        Columns of ``cv_results_``, ranked by score alone.
    progress : ndarray of shape (n_candidates,)
        How far each candidate came.

    Returns
    -------
    ranks : dict of str to ndarray
        The columns of ranks.
    """
    ranks_by_name = {}
    for name in [name for name in results if name.startswith("rank_test_")]:
        ranks, n_before = results[name].copy(), 0
        for level in sorted(set(progress), reverse=True):
            here = np.flatnonzero(progress == level)
            ranks[here] = n_before + rankdata(results[name][here], method="min")
            n_before += len(here)
        ranks_by_name[name] = ranks
    return ranks_by_name


def rows_of(results: Mapping[str, Any], rows: NDArray[np.intp]) -> dict[str, Any]:
    """Some rows of all columns of ``cv_results_``."""
    chosen = {name: column[rows] for name, column in results.items() if name != "params"}
    return chosen | {"params": [results["params"][row] for row in rows]}


def at_bounds(study: Study, space: Space, best: Trial) -> dict[str, Any]:
    """Values of the best trial at an end of their scale, as `Space.at_bounds` finds them."""
    ranked = [(score, trial.unit) for score, trial in study.ranked() if trial.draw == "global"]
    units = np.array([unit for _, unit in ranked])
    return space.at_bounds(best.unit, units, [score for score, _ in ranked])


def learning_curves(trials: Sequence[Trial], leader: str | None) -> pd.DataFrame:
    """A line for each epoch of each candidate on each split.

    Parameters
    ----------
    trials : sequence of Trial
        In the order of the results.
    leader : str or None
        Name of the score that leads the search; None is the first of several.

    Returns
    -------
    curves : DataFrame
        With the columns candidate, split, epoch, score, and the measurements of networks.
        Scores are those on the rungs, and missing in between.
    """
    lines: list[dict[str, Any]] = []
    for candidate, trial in enumerate(trials):
        for split in sorted(trial.on(0)):
            results = [rung[split] for rung in trial.rungs if split in rung]
            where = {"candidate": candidate, "split": split}
            lines += [where | line for line in _curve(results, leader)]
    return pd.DataFrame.from_records(lines)


def _curve(results: Sequence[Mapping[str, Any]], leader: str | None) -> list[dict[str, Any]]:
    """Lines of one candidate on one split, from its results on the rungs."""
    ends = [int(result["n_epochs"]) for result in results]
    # By column and epoch: a network that was trained again repeats its first epochs.
    columns: defaultdict[str, dict[int, float]] = defaultdict(dict)
    for result, end in zip(results, ends, strict=True):
        columns["score"][end] = leading(result["test_scores"], leader)
        for name, values in result["curves"].items():
            epochs = range(end - len(values) + 1, end + 1)
            columns[name].update(zip(epochs, values, strict=True))
    has_curves = len(columns) > 1
    return [
        {"epoch": epoch} | {name: column.get(epoch, np.nan) for name, column in columns.items()}
        for epoch in (range(1, max(ends) + 1) if has_curves else sorted({*ends} - {0}))
    ]


def remarks(interruption: str, fitted: Mapping[str, Any]) -> list[str]:
    """Warnings that a search ends with.

    Parameters
    ----------
    interruption : str
        What ended the search early, or nothing.
    fitted : dict of str to object
        Attributes of the search.
    """
    messages = []
    if interruption:
        n = len(fitted["cv_results_"]["params"])
        messages.append(
            f"{interruption}: the search ended with {n} whole candidate{'s' * (n > 1)}; extend "
            "goes on with it"
        )
    for name, value in fitted.get("at_bounds_", {}).items():
        messages.append(
            f"the best {name}, {value:.6g}, lies at an end of its scale, towards which the "
            "scores rise; a wider scale may hold a better one"
        )
    return messages
