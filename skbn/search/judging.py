"""Results of fits, in the form of scikit-learn's fit-and-score."""

from __future__ import annotations

from time import perf_counter
from traceback import format_exception
from typing import Any, NamedTuple

from skbn._compat import n_samples, names_of_scores, noting_errors, score
from skbn.search.jobs import Done, Job
from skbn.search.splits import Rules, Split, with_last_step


class Score(NamedTuple):
    """A score that is known before an estimator is judged, and the seconds that it took."""

    value: float
    seconds: float


def failure(rules: Rules, error: Exception) -> str:
    """Text of an error, unless it is to be raised."""
    if rules.error_score == "raise":
        raise error
    return "".join(format_exception(error))


def failed(
    job: Job, split: Split, rules: Rules, error: str, measured: dict[str, Any] | None = None
) -> Done:
    """Tell of a fit that failed.

    Parameters
    ----------
    job : Job
    split : Split
    rules : Rules
    error : str
        Text of the error.
    measured : dict of str to object, optional
        Times and learning curves.
    """
    names = names_of_scores(rules.scorer)
    scores = rules.error_score if names is None else dict.fromkeys(names, rules.error_score)
    result = {"fit_time": 0.0, "score_time": 0.0, "n_epochs": 0, "curves": {}, **(measured or {})}
    result |= {"fit_error": error, "score_error": None, "test_scores": scores, "ended": False}
    return _done(job, split, rules, result)


def judged(
    job: Job,
    split: Split,
    rules: Rules,
    estimator: Any,
    measured: dict[str, Any],
    state: Any,
    known: Score | None = None,
) -> Done:
    """Score a fitted estimator, and tell of its fit.

    Parameters
    ----------
    job : Job
    split : Split
    rules : Rules
    estimator : estimator
        The last step of a pipeline; not looked at if the score is known.
    measured : dict of str to object
        Times and learning curves.
    state : object
        What the fit can go on from.
    known : Score, optional
    """
    started, scorer = perf_counter(), noting_errors(rules.scorer)
    if known is not None:
        scores, seconds = known
    else:
        X, seconds = split.X_test, 0.0
        if split.pipeline is not None:
            transformers, raw = split.pipeline
            if transformers is not None:
                X, estimator = raw, with_last_step(transformers, estimator)
        scores = score(estimator, X, split.y_test, scorer, split.score_params, rules.error_score)
    result = measured | {"fit_error": None, "score_error": scorer.error, "test_scores": scores}
    result["score_time"] = seconds + perf_counter() - started
    result["ended"] = measured["ended"] or job.is_last
    return _done(job, split, rules, result, state)


def _done(job: Job, split: Split, rules: Rules, result: dict[str, Any], state: Any = None) -> Done:
    result["n_test_samples"] = n_samples(split.X_test)
    if not rules.by_epochs:
        for name in ("n_epochs", "curves", "ended"):
            del result[name]
    return Done(job.candidate, job.rung, job.split, result, state)
