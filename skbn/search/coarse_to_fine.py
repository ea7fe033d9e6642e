"""The search: rounds of candidates, each drawn nearer to the best ones so far."""

from __future__ import annotations

import os
import warnings
from contextlib import ExitStack
from copy import deepcopy
from math import ceil
from numbers import Integral, Real
from time import perf_counter
from typing import Any

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.model_selection import check_cv
from sklearn.utils import check_random_state, indexable
from sklearn.utils.validation import check_is_fitted

from skbn._compat import (
    BaseSearchCV,
    Interval,
    StrOptions,
    callback_task,
    insert_error_scores,
    validate_parameters,
    warn_or_raise_about_fit_failures,
    with_callbacks,
)
from skbn.estimators.population import MEMORY_BUDGET
from skbn.search import fingerprints
from skbn.search.evaluation import Evaluation
from skbn.search.halving import (
    learning_curves,
    longest,
    rank_by_progress,
    rung_epochs,
    rung_sizes,
)
from skbn.search.interruption import Interrupted, interruptible
from skbn.search.jobs import Job
from skbn.search.journal import Journal, NoJournal
from skbn.search.progress import progress
from skbn.search.space import Space
from skbn.search.splits import last_step
from skbn.search.study import Study, n_best
from skbn.search.zoom import draw_round, round_sizes


class CoarseToFineSearchCV(BaseSearchCV):
    """Random search that zooms in: each round draws nearer to the best so far.

    The first round spreads candidates evenly over the whole space (a scrambled Sobol
    sequence [1]_). Every later one draws around the best candidates so far, each
    parameter on its own scale, and less widely than the round before; a tenth is still
    drawn over the whole space. It is used like `RandomizedSearchCV`, with any estimator.

    Where the estimator is `BNSoftmaxClassifier`, alone or the last step of a Pipeline,
    candidates and folds are trained as populations: networks of the same shapes take
    their steps together, and transformers are fitted once a split. The results are those
    of fitting each alone, to the last bit, in a fraction of the time.

    Parameters
    ----------
    estimator : estimator
        With `score`, or give ``scoring``.

    param_distributions : dict or list of dict
        By parameter, a list of values or a distribution: of `skbn.search`, or a frozen
        one of `scipy.stats`. A list of numbers in order is a scale too; other lists are
        choices. Of several dicts one is drawn first.

    n_candidates : int, default=60
        Candidates of all rounds together, about half of them in the first.

    n_rounds : int, default=3
        Rounds. One is a search over the whole space only.

    journal : str, path-like or None, default=None
        SQLite file to which every fit is committed as soon as it is done. `fit` with the
        same data, space and splits goes on where the file ends, after a crash too. One
        process at a time can hold it.

    time_budget : float or None, default=None
        Seconds after which `fit` begins no more fits, although those under way end, one
        candidate at least is completed, and the best one is fitted to all rows.

    resource : {"epochs"} or None, default=None
        None trains every candidate to the end. "epochs" is successive halving [2]_: all
        candidates of a round train ``min_epochs``, the best of them go on from where
        they stand to ``eta`` times as many, and so on, each rung with one in ``eta`` of
        those on the one before. A learning-rate schedule keeps its horizon, so that a
        rung is the beginning of the whole training. The last step of the estimator needs
        ``partial_fit``, of which each call counts as an epoch.

    min_epochs : int or None, default=None
        Epochs on the first rung. None is the longest training over ``eta``, which makes
        two rungs. Fewer save more time, but say less of the end: with schedules such as
        "one_cycle" the best candidates are often not ahead while the rate still rises.

    max_epochs : int or None, default=None
        Epochs on the last rung. None is the estimator's ``max_iter``, beyond which
        nothing is trained in any case.

    eta : int, default=3
        One in this many candidates goes on to the next rung, which is this many times
        as long.

    memory_budget : float, default=2**28
        Bytes for populations: for those in training, for the rows of splits, and for
        networks that may go on. With few of them populations are smaller, transformers
        may be fitted again, and networks that were given up be trained again.

    scoring : str, callable, list, tuple, dict or None, default=None
        As in `RandomizedSearchCV`. With several scores and ``refit`` not the name of
        one, the first leads the search.

    n_jobs : int or None, default=None
        Fits or populations to train at a time, by joblib; its backend decides on which
        machines.

    refit : bool, str or callable, default=True
        As in `RandomizedSearchCV`.

    cv : int, cross-validation generator or iterable, default=None
        As in `RandomizedSearchCV`: 5 folds by default. All candidates meet the same
        splits, which are made once a call.

    verbose : int, default=0
        1 shows how far the search is, the best score so far and the time left: on a
        terminal by a bar (``pip install "skbn[progress]"``), or else by a line every few
        seconds. Above, scikit-learn prints a line a fit, but for those in populations.

    error_score : "raise" or float, default=nan
        Score of a candidate whose fit fails.

    random_state : int, RandomState instance or None, default=None
        Seed. With the same one the candidates are the same, whatever ``n_jobs``, and
        after an interruption; with None a journal keeps the one that was drawn.

    Attributes
    ----------
    cv_results_ : dict of str to ndarray
        As of `RandomizedSearchCV`, without scores on training rows, and with
        the columns "round" and "draw": "global" for a candidate drawn over the whole
        space, "local" for one drawn near the best, "known" for one that `retune` took
        over. With ``resource="epochs"`` there is "n_epochs" too, how far each was
        trained, and ranks put those that came further first. Candidates that were not
        finished are left out. A network's fit time is its share of the population's.
    best_estimator_ : estimator
        The best candidate, fitted to all rows; with ``refit``.
    best_score_ : float
        Its mean score. With ``resource="epochs"`` it is the best of those trained to the
        end.
    best_params_ : dict
        Its parameters.
    best_index_ : int
        Its index in ``cv_results_``.
    bounds_history_ : list of dict
        For each round, by parameter, where its local draws lie, but for some 5 % of
        them: (low, high). Made for ``pandas.DataFrame(search.bounds_history_)``.
        Choices without an order are left out.
    at_bounds_ : dict of str to object
        The best values that lie at an end of their scale, towards which scores rise.
        There is a warning for each.
    learning_curves_ : DataFrame
        With ``resource="epochs"``: a line for each epoch of each candidate on each split,
        with the columns "candidate" (its index in ``cv_results_``), "split", "epoch",
        "score" (on the rungs; missing in between), and for networks "loss" (of training),
        "validation_loss" and "validation_accuracy" (on the split's test rows, or where the
        network has a validation set of its own, on that).
    optimum_shift_ : DataFrame
        After `retune`: the best values before and after, and their distance, from 0 to 1
        of the scale.
    scorer_ : callable or dict
        The scorers.
    n_splits_ : int
        Splits.
    refit_time_ : float
        Seconds that the fit to all rows took.
    multimetric_ : bool
        Whether there are several scores.
    classes_ : ndarray of shape (n_classes,)
        Of the best estimator.
    n_features_in_ : int
        Of the best estimator.
    feature_names_in_ : ndarray of shape (n_features,)
        Of the best estimator, where it has them.

    See Also
    --------
    default_space : The space recommended for `BNSoftmaxClassifier`.
    skbn.fit_population : Trains many classifiers together, for searches of your own.
    skbn.display.SearchDisplay : Pictures of a search.

    Notes
    -----
    Ctrl-C ends the search with a warning; what was found is refitted and published as
    if the search had been planned so, and `extend` goes on with it. If no candidate was
    trained to the end by then, or when the time is over, the best is one of those that
    came furthest. What populations had not finished is trained again.

    References
    ----------
    .. [1] A. Owen. Scrambling Sobol' and Niederreiter-Xing points. Journal of
       Complexity, 1998.
    .. [2] K. Jamieson, A. Talwalkar. Non-stochastic best arm identification and
       hyperparameter optimization. 2016. arXiv:1502.07943.

    Examples
    --------
    >>> from scipy.stats import loguniform
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.search import CoarseToFineSearchCV, hidden_layers
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0))
    >>> space = {
    ...     "bnsoftmaxclassifier__learning_rate_init": loguniform(1e-4, 1),
    ...     "bnsoftmaxclassifier__hidden_layer_sizes": hidden_layers((1, 2), (8, 32)),
    ... }
    >>> search = CoarseToFineSearchCV(model, space, n_candidates=12, cv=3, random_state=0)
    >>> bool(search.fit(X, y).best_score_ > 0.9)
    True
    >>> search.cv_results_["round"].tolist()
    [0, 0, 0, 0, 0, 0, 1, 1, 1, 2, 2, 2]
    """

    _parameter_constraints: dict[str, list[Any]] = {
        **{
            name: constraint
            for name, constraint in BaseSearchCV._parameter_constraints.items()
            if name not in ("pre_dispatch", "return_train_score")
        },
        "param_distributions": [dict, list],
        "n_candidates": [Interval(Integral, 1, None, closed="left")],
        "n_rounds": [Interval(Integral, 1, None, closed="left")],
        "journal": [str, os.PathLike, None],
        "time_budget": [Interval(Real, 0, None, closed="neither"), None],
        "resource": [StrOptions({"epochs"}), None],
        "min_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "max_epochs": [Interval(Integral, 1, None, closed="left"), None],
        "eta": [Interval(Integral, 2, None, closed="left")],
        "memory_budget": [Interval(Real, 0, None, closed="neither")],
        "random_state": ["random_state"],
    }

    def __init__(
        self,
        estimator,
        param_distributions,
        *,
        n_candidates=60,
        n_rounds=3,
        journal=None,
        time_budget=None,
        resource=None,
        min_epochs=None,
        max_epochs=None,
        eta=3,
        memory_budget=MEMORY_BUDGET,
        scoring=None,
        n_jobs=None,
        refit=True,
        cv=None,
        verbose=0,
        error_score=np.nan,
        random_state=None,
    ):
        super().__init__(
            estimator=estimator,
            scoring=scoring,
            n_jobs=n_jobs,
            refit=refit,
            cv=cv,
            verbose=verbose,
            error_score=error_score,
            return_train_score=False,
        )
        self.param_distributions = param_distributions
        self.n_candidates = n_candidates
        self.n_rounds = n_rounds
        self.journal = journal
        self.time_budget = time_budget
        self.resource = resource
        self.min_epochs = min_epochs
        self.max_epochs = max_epochs
        self.eta = eta
        self.memory_budget = memory_budget
        self.random_state = random_state

    def fit(self, X, y=None, **params):
        """Search, and fit the best candidate to all rows.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Data, as the estimator takes them.
        y : array-like of shape (n_samples,), default=None
            Targets.
        **params : dict of str to object
            Passed on to `fit` of the estimator, to the scorer and to ``cv``, as by
            scikit-learn's own searches: ``sample_weight``, ``groups``.

        Returns
        -------
        self : CoarseToFineSearchCV

        Raises
        ------
        ValueError
            Before anything is fitted, for a parameter or a distribution that is none
            and for a journal that is not this search's or cannot be written; later,
            if all fits of the first round fail.
        """
        self._report(self._fit(X, y, params, journal=self.journal))
        return self

    def extend(self, X, y=None, *, n_rounds=1, **params):
        """Go on with a fitted search for some more rounds.

        Parameters
        ----------
        X, y : array-like
            The data of `fit`.
        n_rounds : int, default=1
            Rounds to complete, one that was begun included. Those beyond the rounds of
            `fit` are as large as its last.
        **params : dict of str to object
            Those of `fit`.

        Returns
        -------
        self : CoarseToFineSearchCV
        """
        check_is_fitted(self, "cv_results_")
        if not isinstance(n_rounds, Integral) or n_rounds < 1:
            raise ValueError(f"n_rounds must be a positive integer, got {n_rounds!r}")
        self._report(
            self._fit(X, y, params, journal=self._journal, begun=self._study, n_more=n_rounds)
        )
        return self

    def retune(self, X, y=None, *, journal=None, **params):
        """Search anew on other data, starting from what was learned.

        The best candidates so far are scored on the new data first, with others
        drawn widely around them; half of the first round explores the whole space.

        Parameters
        ----------
        X, y : array-like
            New data, of the same meaning.
        journal : str or path-like, default=None
            File to go on from after a crash, another one than that of `fit`.
        **params : dict of str to object
            As for `fit`.

        Returns
        -------
        self : CoarseToFineSearchCV
            With the results on the new data, and ``optimum_shift_``.
        """
        check_is_fitted(self, "cv_results_")
        ranked = self._study.ranked()
        best = [trial.unit for _, trial in ranked[: n_best(len(ranked))]]
        known = np.array(best) if best else None
        self._report(self._fit(X, y, params, journal=journal, known=known))
        return self

    @with_callbacks
    def _fit(self, X, y, params, *, journal, begun=None, known=None, n_more=0):
        validate_parameters(self)
        space = Space(self.param_distributions)
        space.check(self.estimator)
        if self.n_candidates < self.n_rounds:
            raise ValueError(
                f"n_candidates={self.n_candidates} is too few for n_rounds={self.n_rounds}: each "
                "round needs a candidate at least"
            )
        rungs = self._rungs(space)
        X, y = indexable(X, y)
        evaluation = self._evaluation(X, y, params)
        known = begun.known if begun else known
        about = self._about(space, evaluation, params, known)
        if begun:
            check_same_search(about, self._searched)
        with Journal(journal, about) if journal is not None else NoJournal() as book:
            study = deepcopy(begun) or self._study_to_begin(
                len(evaluation.splits), len(rungs), known
            )
            if not book.load(study):
                book.start(study, [space.decode(trial.unit) for trial in study.trials])
            n_rounds = study.n_complete_rounds() + n_more if begun else self.n_rounds
            n_tasks = n_rounds * len(rungs) + bool(self.refit)
            with callback_task(self, "fit", n_tasks) as task:
                was_interrupted = self._explore(
                    study, n_rounds, rungs, book, evaluation, space, task
                )
                fitted = self._summary(study, space)
                if self.refit:
                    fitted |= self._refit(X, y, fitted["best_params_"], evaluation, task)
        for name in [name for name in self.__dict__ if name.endswith("_") and name[0] != "_"]:
            delattr(self, name)
        self.__dict__.update(fitted, _study=study, _journal=journal, _searched=about)
        return was_interrupted

    def _evaluation(self, X, y, params):
        scorers, _ = self._get_scorers()
        routed = self._get_routed_params_for_fit(params)
        cv = check_cv(self.cv, y, classifier=is_classifier(self.estimator))
        options = {
            "scorer": scorers,
            "fit_params": routed.estimator.fit,
            "score_params": routed.scorer.score,
            "return_n_test_samples": True,
            "return_times": True,
            "error_score": self.error_score,
            "verbose": max(int(self.verbose) - 1, 0),
        }
        splits = list(cv.split(X, y, **routed.splitter.split))
        return Evaluation(
            self,
            clone(self.estimator),
            X,
            y,
            splits,
            options,
            self.n_jobs,
            self.resource is not None,
            self.memory_budget,
            self._leader(),
        )

    def _leader(self):
        return self.refit if isinstance(self.refit, str) else None

    def _rungs(self, space):
        """Epochs to have done on each rung of a round; None is all that a candidate has."""
        if self.resource is None:
            return [None]
        last = last_step(self.estimator)
        if not hasattr(last, "partial_fit"):
            raise ValueError(
                "resource='epochs' trains candidates further and further, for which the last step "
                f"of the estimator needs partial_fit; {type(last).__name__} has none. "
                "Use resource=None"
            )
        horizon = self.max_epochs or longest(self.estimator, space)
        if horizon is None:
            raise ValueError(
                f"resource='epochs' must know when a training has come to its end, and "
                f"{type(last).__name__} has no max_iter; give max_epochs"
            )
        first = self.min_epochs or ceil(horizon / self.eta)
        if first > horizon:
            raise ValueError(f"min_epochs={first} is above the {horizon} epochs of a training")
        return rung_epochs(first, horizon, self.eta)

    def _about(self, space, evaluation, params, known):
        """What decides the outcome: two searches that agree in it are the same search."""
        return {
            "estimator": fingerprints.of_estimator(self.estimator),
            "param_distributions": repr(space),
            "scoring": fingerprints.without_addresses(
                f"{self.scoring}, refit={self.refit}, error_score={self.error_score}"
            ),
            "n_candidates and n_rounds": f"{self.n_candidates} and {self.n_rounds}",
            "resource": f"{self.resource}, min_epochs={self.min_epochs}, "
            f"max_epochs={self.max_epochs}, eta={self.eta}",
            "random_state": str(self.random_state) if self._has_seed() else "not fixed",
            "data": fingerprints.of_data(evaluation.X, evaluation.y, params),
            "splits": fingerprints.of_data(
                *(rows for split in evaluation.splits for rows in split)
            ),
            "start": "" if known is None else fingerprints.of_data(known),
        }

    def _has_seed(self):
        return isinstance(self.random_state, Integral)

    def _study_to_begin(self, n_splits, n_rungs, known):
        if self._has_seed():
            seed = int(self.random_state)
        else:
            seed = int(check_random_state(self.random_state).randint(2**31))
        return Study(seed, n_splits, self._leader(), n_rungs, self.eta, known=known)

    def _explore(self, study, n_rounds, rungs, book, evaluation, space, task):
        """Draw and evaluate rounds until there are enough, time is over or Ctrl-C was pressed."""
        started, chosen = perf_counter(), None

        def is_over(candidate=None):
            nonlocal chosen
            budget = np.inf if self.time_budget is None else self.time_budget
            if perf_counter() - started <= budget:
                return False
            # One candidate is completed in any case: the one that was nearest to it.
            chosen = chosen or max(study.trials, key=lambda t: len(t.on(0)), default=None)
            return bool(study.complete()) or (
                candidate is not None and study.trials[candidate] is not chosen
            )

        sizes = round_sizes(self.n_candidates, self.n_rounds)
        sizes = (sizes + sizes[-1:] * n_rounds)[:n_rounds]
        n_fits = study.n_splits * sum(sum(rung_sizes(n, len(rungs), self.eta)) for n in sizes)
        try:
            with interruptible(), progress(n_fits, self.verbose) as show:
                for number in range(n_rounds):
                    if number == len(study.bounds):
                        if is_over():
                            break
                        self._draw(study, sizes[number], book, space)
                    for rung, until in enumerate(rungs):
                        jobs = self._jobs(study, number, rung, until, len(rungs), space)
                        for several in self._run(jobs, is_over, evaluation, task):
                            book.add_results(done[:4] for done in several)
                            for candidate, *where, result, _ in several:
                                study.trials[candidate].add(*where, result)
                            show(len(study.results), lambda: self._best_so_far(study))
                        if number == rung == 0:
                            self._check_failures(study)
                        if is_over():
                            break
        except (Interrupted, KeyboardInterrupt):
            if not study.ranked():
                raise KeyboardInterrupt from None
            return True
        return False

    def _run(self, jobs, is_over, evaluation, task):
        """Make the fits of a rung, and tell callbacks."""
        options = {"parent": task, "sequential_subtasks": False}
        with callback_task(self, "round", len(jobs), **options) as round_task:
            yield from evaluation.run(jobs, is_over, round_task)

    def _jobs(self, study, number, rung, until, n_rungs, space):
        """Fits of a rung that are left to make."""
        index = {id(trial): i for i, trial in enumerate(study.trials)}
        params = {}
        jobs = []
        for trial, split in study.missing(number, rung):
            if id(trial) not in params:
                params[id(trial)] = space.decode(trial.unit)
            is_last = rung == n_rungs - 1
            jobs.append(Job(index[id(trial)], rung, split, params[id(trial)], until, is_last))
        return jobs

    def _draw(self, study, n_candidates, book, space):
        """Draw the next round from what is known, and commit it."""
        n_before = len(study.trials)
        draw_round(space, study, n_candidates)
        if len(study.trials) - n_before < n_candidates:
            warnings.warn(
                f"round {len(study.bounds) - 1} has {len(study.trials) - n_before} candidates "
                f"instead of {n_candidates}: few others are left in param_distributions",
                UserWarning,
                stacklevel=5,
            )
        book.add_rounds(study, [space.decode(trial.unit) for trial in study.trials[n_before:]])

    def _best_so_far(self, study):
        """The best score of those that came furthest, in words."""
        scores = [t.score(study.leader, study.height(t) - 1) for t in study.at_the_top()]
        if not np.isfinite(scores).any():
            return "no score yet"
        score = np.nanmax(scores)
        name = study.metric or (self.scoring if isinstance(self.scoring, str) else "score")
        if name.startswith("neg_"):
            name, score = name.removeprefix("neg_"), -score
        return f"best {name.replace('_', ' ')} {score:.4f}"

    def _summary(self, study, space):
        """Fitted attributes that need no estimator."""
        n_splits = study.n_splits
        trials = study.complete()
        out = [result for trial in trials for result in study.last_results(trial)]
        warn_or_raise_about_fit_failures(out, self.error_score)
        if callable(self.scoring):
            insert_error_scores(out, self.error_score)
        columns = {"round": [t.round for t in trials], "draw": [t.draw for t in trials]}
        if self.resource:
            n_epochs = np.reshape([result["n_epochs"] for result in out], (-1, n_splits))
            columns["n_epochs"] = n_epochs.max(axis=1).astype(int)
        progress_of = np.array([study.progress(trial) for trial in trials])
        params = [space.decode(trial.unit) for trial in trials]
        results = self._format_results(params, n_splits, out, columns)
        scorers, refit_metric = self._get_scorers()
        fitted = {
            "cv_results_": results,
            "n_splits_": n_splits,
            "multimetric_": isinstance(out[0]["test_scores"], dict),
            "scorer_": getattr(scorers, "_scorers", scorers),
            "bounds_history_": [space.bounds(bounds) for bounds in study.bounds],
        }
        if self.resource:
            rank_by_progress(results, progress_of)
            fitted["learning_curves_"] = learning_curves(trials, study.leader)
        if fitted["multimetric_"] and callable(self.scoring):
            self._check_refit_for_multimetric(out[0]["test_scores"])
            refit_metric = self.refit
        if self.refit or not fitted["multimetric_"]:
            top = progress_of == progress_of.max()
            choice = {n: column[top] for n, column in results.items() if n != "params"}
            choice["params"] = [p for p, is_there in zip(params, top, strict=True) if is_there]
            best = self._select_best_index(self.refit, refit_metric, choice)
            best = int(np.flatnonzero(top)[best])
            fitted |= {"best_index_": best, "best_params_": params[best]}
            everywhere = [pair for pair in study.ranked() if pair[1].draw == "global"]
            fitted["at_bounds_"] = space.at_bounds(
                trials[best].unit,
                np.array([trial.unit for _, trial in everywhere]),
                [score for score, _ in everywhere],
            )
            if not callable(self.refit):
                fitted["best_score_"] = results[f"mean_test_{refit_metric}"][best]
            if study.known is not None:
                fitted["optimum_shift_"] = space.shift(study.known[0], trials[best].unit)
        return fitted

    def _refit(self, X, y, params, evaluation, task):
        """Fit the best candidate to all rows."""
        best = clone(evaluation.estimator).set_params(**clone(params, safe=False))
        targets = () if y is None else (y,)
        started = perf_counter()
        with callback_task(self, "refit", 0, parent=task) as refit_task, ExitStack() as stack:
            if refit_task is not None:
                stack.enter_context(refit_task.propagate_callback_context(best))
            best.fit(X, *targets, **evaluation.options["fit_params"])
        fitted = {"best_estimator_": best, "refit_time_": perf_counter() - started}
        if hasattr(best, "feature_names_in_"):
            fitted["feature_names_in_"] = best.feature_names_in_
        return fitted

    def _check_failures(self, study):
        """Stop after the first round if nothing in it could be fitted."""
        if study.results and all(result["fit_error"] for result in study.results):
            warn_or_raise_about_fit_failures(study.results, self.error_score)

    def _report(self, was_interrupted):
        """Warn of what the user should know, when all is published."""
        if was_interrupted:
            warnings.warn(
                f"Ctrl-C: the search ended with {len(self.cv_results_['params'])} whole "
                "candidates; extend goes on with it",
                UserWarning,
                stacklevel=3,
            )
        for name, value in getattr(self, "at_bounds_", {}).items():
            warnings.warn(
                f"the best {name}, {value:.6g}, lies at an end of its scale, towards which the "
                "scores rise; a wider scale may hold a better one",
                UserWarning,
                stacklevel=3,
            )


def check_same_search(about, before):
    """Refuse to extend a search by what belongs to another."""
    for name in about:
        if about[name] != before[name]:
            raise ValueError(
                f"extend goes on with the search that was fitted, but {name} changed since; "
                "give the same (cv needs a random_state if it shuffles), or use fit, or retune "
                "for new data"
            )
