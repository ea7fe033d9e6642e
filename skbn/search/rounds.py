"""The work of a search: rounds drawn, evaluated rung by rung, committed fit by fit; the refit."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from concurrent.futures.process import BrokenProcessPool
from contextlib import ExitStack, contextmanager
from itertools import pairwise, product
from time import perf_counter
from typing import Any, NamedTuple

import numpy as np
from joblib import effective_n_jobs
from sklearn.base import clone
from sklearn.utils import check_random_state

from skbn._compat import (
    callback_task,
    estimator_task,
    n_samples,
    warn_or_raise_about_fit_failures,
)
from skbn.journal.database import JournalError
from skbn.search import fingerprints
from skbn.search.evaluation import Evaluation
from skbn.search.folds import Fold
from skbn.search.halving import rung_sizes
from skbn.search.jobs import Job
from skbn.search.journal import Journal, NoJournal
from skbn.search.progress import how_to_shorten, in_words, progress
from skbn.search.results import best_so_far, why_no_score
from skbn.search.space import Space
from skbn.search.study import Study
from skbn.search.time_limit import TimeLimit
from skbn.search.workload import Plan, Workload
from skbn.search.zoom import draw_round, round_sizes
from skbn.training.interruption import Interrupted, interruptible, uninterrupted


class Rounds(NamedTuple):
    """All that the rounds of a search need but its study."""

    sizes: list[int]  # candidates of each round
    rungs: list[int | None]  # epochs to have done on each rung; None is the whole training
    space: Space
    evaluation: Evaluation
    journal: Journal | NoJournal
    check: Callable[[], None] = lambda: None  # raises if Ctrl-C was pressed


def evaluation_of(
    search: Any, X: Any, y: Any, folds: list[Fold], scorers: Any, routed: Any
) -> Evaluation:
    """All that the fits of a search have in common, its time limit from now on included.

    Parameters
    ----------
    search : CoarseToFineSearchCV
    X, y : array-like
    folds : list of (ndarray, ndarray)
        Rows to train and to test on.
    scorers : callable
        One for all scores.
    routed : Bunch
        Further arguments of `fit`, by whom they are for.
    """
    limit = TimeLimit(np.inf if search.time_budget is None else search.time_budget)
    options = {
        "scorer": scorers,
        "fit_params": routed.estimator.fit,
        "score_params": routed.scorer.score,
        "return_n_test_samples": True,
        "return_times": True,
        "error_score": search.error_score,
        "verbose": max(int(search.verbose) - 1, 0),
    }
    return Evaluation(
        search,
        clone(search.estimator),
        X,
        y,
        folds,
        options,
        search.n_jobs,
        search.resource is not None,
        search.memory_budget,
        limit,
        _leader(search),
    )


def new_study(search: Any, n_splits: int, n_rungs: int, initial_points: Any) -> Study:
    """A study without trials, for a search with these parameters."""
    if fingerprints.is_seed(search.random_state):
        seed = int(search.random_state)
    else:
        seed = int(check_random_state(search.random_state).randint(2**31))
    leader = _leader(search)
    return Study(seed, n_splits, leader, n_rungs, search.eta, initial_points=initial_points)


def _leader(search: Any) -> str | None:
    return search.refit if isinstance(search.refit, str) else None


def sizes_of_rounds(n_candidates: int, n_rounds: int, n_wanted: int) -> list[int]:
    """Candidates of the first rounds; those beyond the planned ones are as large as the last."""
    sizes = round_sizes(n_candidates, n_rounds)
    return (sizes + sizes[-1:] * n_wanted)[:n_wanted]


@contextmanager
def watched(study: Study, rounds: Rounds) -> Iterator[Workload]:
    """Follow how far a search comes, and show it where that is asked for.

    Parameters
    ----------
    study : Study
        With the fits that were done before.
    rounds : Rounds

    Yields
    ------
    workload : Workload
        To be told of fits.
    """
    evaluation = rounds.evaluation
    search, plan = evaluation.search, plan_of(study, rounds)
    workload = evaluation.workload = Workload(plan, study, evaluation.limit)
    if not search.verbose:
        yield workload
        return
    opening = in_words(plan, rounds.rungs, workload.n_done)
    advice = "" if evaluation.limit.is_finite else how_to_shorten.get() or _advice(search)
    with progress(workload, opening, lambda: best_so_far(study, search.scoring), advice):
        yield workload


def plan_of(study: Study, rounds: Rounds) -> Plan:
    """The fits of a search, as its rounds have them."""
    evaluation, rungs = rounds.evaluation, rounds.rungs
    sizes = [rung_sizes(size, len(rungs), study.eta) for size in rounds.sizes]
    epochs = [1 if until is None else until for until in rungs]
    efforts = [until - before for before, until in pairwise([0, *epochs])]
    n_workers = effective_n_jobs(evaluation.n_jobs)
    n_train = max(1, min(len(train) for train, _ in evaluation.splits))
    refit = n_samples(evaluation.X) / n_train if evaluation.search.refit else 0.0
    return Plan(study.n_splits, sizes, efforts, n_workers, refit)


def _advice(search: Any) -> str:
    return (
        "time_budget={seconds} ends the search after {time} with the best so far, "
        f"n_candidates={-(-search.n_candidates // 3)} tries fewer, Ctrl-C ends it with the best "
        "so far once a candidate is complete"
    )


def explore(study: Study, rounds: Rounds, workload: Workload, task: Any) -> str:
    """Draw and evaluate rounds until all are complete, time is over or Ctrl-C is pressed.

    A journal that fails ends the search as Ctrl-C does.

    Parameters
    ----------
    study : Study
        New candidates and results are entered in it.
    rounds : Rounds
    workload : Workload
    task : CallbackContext or None
        Of scikit-learn's callbacks.

    Returns
    -------
    interruption : str
        What ended the search early: Ctrl-C, or the error of the journal; or nothing.

    Raises
    ------
    KeyboardInterrupt, JournalError
        If Ctrl-C is pressed, or the journal fails, before any candidate has a score.
    BrokenProcessPool
        If a worker was killed.
    """
    try:
        with interruptible() as check:
            _explore(study, rounds._replace(check=check), workload, task)
    except (Interrupted, KeyboardInterrupt):
        if not study.ranked():
            raise KeyboardInterrupt from None
        return "Ctrl-C"
    except JournalError as error:
        if not study.ranked():
            raise
        return str(error)
    except BrokenProcessPool as error:
        error.add_note(
            "A worker of the search was killed. What it did is lost; with a journal, all that "
            "was committed before is safe, and the same fit goes on from there."
        )
        raise
    return ""


def _explore(study: Study, rounds: Rounds, workload: Workload, task: Any) -> None:
    limit = rounds.evaluation.limit
    limit.keep_free(workload.refit_of_best(study, range(len(study.trials))))
    for number, rung in product(range(len(rounds.sizes)), range(len(rounds.rungs))):
        if number == len(study.bounds):
            if study.trials and limit.is_over():
                break
            _draw(study, rounds)
        jobs = _jobs(study, rounds, number, rung)
        workload.begin(number, rung, jobs)
        _evaluate(study, jobs, rounds, workload, task)
        if number == rung == 0:
            _check_failures(study, rounds)
        # What comes next depends on all results: it is not begun without some of them.
        if limit.is_finite and (limit.is_over() or study.missing(number, rung)):
            break
    if not study.complete():
        _complete_one(study, rounds, workload, task)


def _complete_one(study: Study, rounds: Rounds, workload: Workload, task: Any) -> None:
    """Complete the candidate that is nearest to it, however long that takes."""
    rounds.evaluation.limit = TimeLimit(np.inf)
    nearest = max(study.trials, key=lambda trial: len(trial.on(0)))
    jobs = _jobs(study, rounds, nearest.round, 0)
    jobs = [job for job in jobs if study.trials[job.candidate] is nearest]
    workload.begin_last(jobs)
    _evaluate(study, jobs, rounds, workload, task)


def _draw(study: Study, rounds: Rounds) -> None:
    """Draw the next round from the results so far, and commit it."""
    number = len(study.bounds)
    with uninterrupted():  # SciPy's Sobol sequence loses the exception, and is zero
        trials, bounds = draw_round(rounds.space, study, rounds.sizes[number])
    study.add_round(trials, bounds)
    if len(trials) < rounds.sizes[number]:
        warnings.warn(
            f"round {number} has {len(trials)} candidates instead of {rounds.sizes[number]}: "
            "few others are left in param_distributions",
            UserWarning,
            stacklevel=6,
        )
    rounds.journal.add_rounds(study, [rounds.space.decode(trial.unit) for trial in trials])


def _jobs(study: Study, rounds: Rounds, number: int, rung: int) -> list[Job]:
    """Fits of a rung that are left to make."""
    until, is_last = rounds.rungs[rung], rung == len(rounds.rungs) - 1
    index = {id(trial): i for i, trial in enumerate(study.trials)}
    missing = study.missing(number, rung)
    # Decoded once for all splits, which then share the values.
    params = {id(trial): rounds.space.decode(trial.unit) for trial, _ in missing}
    return [
        Job(index[id(trial)], rung, split, params[id(trial)], until, is_last)
        for trial, split in missing
    ]


def _evaluate(
    study: Study,
    jobs: list[Job],
    rounds: Rounds,
    workload: Workload,
    task: Any,
) -> None:
    """Make the fits of a rung in time, commit each when it is done, and tell callbacks."""
    evaluation, options = rounds.evaluation, {"parent": task, "sequential_subtasks": False}
    with callback_task(evaluation.search, "round", len(jobs), **options) as round_task:
        for several in evaluation.run(jobs, round_task):
            rounds.check()
            # First in memory: if the journal fails, it is what is published.
            with workload.lock:
                for done in several:
                    study.trials[done.candidate].add(done.rung, done.split, done.result)
                    workload.add(done)
            rounds.journal.add_results(
                (done.candidate, done.rung, done.split, done.result) for done in several
            )
            changed = [done.candidate for done in several]
            evaluation.limit.keep_free(workload.refit_of_best(study, changed))


def _check_failures(study: Study, rounds: Rounds) -> None:
    """Stop after the first round if nothing in it could be fitted, or nothing has a score."""
    search, is_over = rounds.evaluation.search, len(rounds.sizes) == len(rounds.rungs) == 1
    if study.results and all(result["fit_error"] for result in study.results):
        warn_or_raise_about_fit_failures(study.results, search.error_score)
    if problem := why_no_score(study, search.scoring, is_over):
        raise ValueError(problem)


def refitted(evaluation: Evaluation, params: dict[str, Any], task: Any) -> dict[str, Any]:
    """Fit the best candidate to all rows; the fitted attributes of a search that come of it.

    Parameters
    ----------
    evaluation : Evaluation
    params : dict of str to object
        Of the best candidate.
    task : CallbackContext or None
        Of scikit-learn's callbacks.
    """
    best = clone(evaluation.estimator).set_params(**clone(params, safe=False))
    targets = () if evaluation.y is None else (evaluation.y,)
    started = perf_counter()
    with ExitStack() as stack:
        if task is not None:
            context = task.subcontext("refit")
            stack.enter_context(estimator_task(evaluation.search, context, best))
        best.fit(evaluation.X, *targets, **evaluation.options["fit_params"])
    fitted = {"best_estimator_": best, "refit_time_": perf_counter() - started}
    if hasattr(best, "feature_names_in_"):
        fitted["feature_names_in_"] = best.feature_names_in_
    return fitted
