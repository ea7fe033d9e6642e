"""The search: rounds of candidates, each drawn nearer to the best ones so far."""

from __future__ import annotations

import os
import warnings
from copy import deepcopy
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.utils import indexable
from sklearn.utils.validation import check_is_fitted

from skbn._compat import (
    SEARCH_CONSTRAINTS,
    BaseSearchCV,
    Interval,
    StrOptions,
    callback_task,
    insert_error_scores,
    n_samples,
    refuse_handed_on,
    scorers_by_name,
    validate_parameters,
    warn_or_raise_about_fit_failures,
    with_callbacks,
)
from skbn.estimators.population import MEMORY_BUDGET
from skbn.saved_state import Versioned
from skbn.search import fingerprints, results
from skbn.search.folds import Fold, can_be_made_again, folds_of
from skbn.search.halving import plan_rungs
from skbn.search.journal import Journal, NoJournal
from skbn.search.log import plain_report, with_call
from skbn.search.rounds import (
    Rounds,
    evaluation_of,
    explore,
    new_study,
    refitted,
    sizes_of_rounds,
    watched,
)
from skbn.search.space import Space
from skbn.search.study import Study, n_best


class CoarseToFineSearchCV(Versioned, BaseSearchCV):
    """Random search that zooms in: each round draws nearer to the best so far.

    The first round spreads candidates evenly over the whole space (a scrambled Sobol
    sequence [1]_). Every later one draws around the best candidates so far, each
    parameter on its own scale, and less widely than the round before; a tenth is still
    drawn over the whole space. Its use is that of `RandomizedSearchCV`, with any estimator.

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
        Seconds from the call of `fit` on. It returns after these and the longest single
        fit, give or take two seconds: the time to fit the best candidate so far to all rows
        is kept. Training by epochs (networks, and ``resource="epochs"``) stops with
        the epoch and is left out; other fits under way end. If no candidate is complete by
        then, one is completed, however long that takes.

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
        splits, which are made once by `fit`, and kept for `extend`.

    verbose : int, default=0
        1 says what fits there are to make, and shows how far the search is, the best score so
        far, and the time elapsed and left, about: on a terminal by a bar
        (``pip install "skbn[progress]"``), or else by a line every few seconds. Above,
        scikit-learn prints a line a fit, but for those in populations.

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
        For each round, by parameter, between which values its local draws lie:
        (low, high), both included. Made for ``pandas.DataFrame(search.bounds_history_)``.
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
    log_ : DataFrame
        A row for `fit` and for each `extend` and `retune` since, with the columns "call" (its
        name), "n_rows" (of the data), "n_candidates" and "best_score" (of all rounds by then).
        The rows of `retune` say more: which parameter has "moved_most", and its "distance", as
        in ``optimum_shift_``; and where a drift report was given, its "verdict", "advice",
        "auc" and "summary".
    optimum_shift_ : DataFrame
        After `retune`: the best values "before" and "after", their "distance", from 0 to 1
        of the scale, and the three "in_words".
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
    came furthest. Populations that had not finished are trained again.

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
            for name, constraint in SEARCH_CONSTRAINTS.items()
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

    # State from which `extend` and `retune` start; set by `_fit`.
    _study: Study
    _journal: Any
    _identity: dict[str, Any]
    _splits: tuple[Any, list[Fold]] | None

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
            Before anything is fitted, for a parameter or a distribution that is none,
            for a ``cv`` without splits or with an empty one, and for a journal that is
            not this search's, is damaged or cannot be written; later, if all fits of the
            first round fail, or none of its candidates has a finite score: with the
            scorer's own error.
        OSError
            If the journal can no longer be written, and no candidate was finished;
            otherwise the search ends there with a warning.
        """
        self._warn(self._fit(X, y, params, call="fit", path=self.journal))
        return self

    def extend(self, X, y=None, *, n_rounds=1, **params):
        """Go on with a fitted search for some more rounds.

        Parameters
        ----------
        X, y : array-like
            The data of `fit`.
        n_rounds : int, default=1
            Rounds to complete, one that was begun included. Rounds beyond those of
            `fit` are as large as its last.
        **params : dict of str to object
            As for `fit`.

        Returns
        -------
        self : CoarseToFineSearchCV
        """
        check_is_fitted(self, "cv_results_")
        if not isinstance(n_rounds, Integral) or n_rounds < 1:
            raise ValueError(f"n_rounds must be a positive integer, got {n_rounds!r}")
        begun = {"call": "extend", "path": self._journal, "former": self._study}
        self._warn(self._fit(X, y, params, **begun, n_more_rounds=n_rounds))
        return self

    def retune(self, X, y=None, *, report=None, journal=None, **params):
        """Search anew on other data, starting from what was learned.

        The best candidates so far are scored on the new data first, with others
        drawn widely around them; half of the first round explores the whole space.
        ``cv`` must be able to divide the new data: an iterator that `fit` used up is not.

        Parameters
        ----------
        X, y : array-like
            New data, of the same meaning.
        report : DriftReport, default=None
            What `skbn.drift.drift_report` found in the new data. It decides nothing: it is
            kept in ``log_``, and whole in the journal. A call that goes on from a journal may
            leave it out.
        journal : str or path-like, default=None
            File to go on from after a crash, another one than that of `fit`.
        **params : dict of str to object
            As for `fit`.

        Returns
        -------
        self : CoarseToFineSearchCV
            With the results on the new data, ``optimum_shift_``, and a new row of ``log_``.

        Raises
        ------
        TypeError
            Before anything is fitted, for a report that is none.
        """
        check_is_fitted(self, "cv_results_")
        why = plain_report(report)
        ranked = self._study.ranked()
        best = [trial.unit for _, trial in ranked[: n_best(len(ranked))]]
        points = np.array(best) if best else None
        begun = {"call": "retune", "path": journal, "initial_points": points, "report": why}
        self._warn(self._fit(X, y, params, **begun))
        return self

    @with_callbacks
    def _fit(
        self,
        X,
        y,
        params,
        *,
        call,
        path,
        former=None,
        initial_points=None,
        n_more_rounds=0,
        report=None,
    ):
        """Search, or go on with a former study; publish, and say what ended it early.

        An error leaves the search as it was.
        """
        space, rungs = self._checked()
        refuse_handed_on(self)
        X, y = indexable(X, y)
        scorers, _ = self._get_scorers()
        routed = self._get_routed_params_for_fit(params)
        splits = self._folds(X, y, routed.splitter.split, is_extended=former is not None)
        evaluation = evaluation_of(self, X, y, splits, scorers, routed)
        points = former.initial_points if former else initial_points
        identity = fingerprints.of_search(self, space, X, y, params, splits, points)
        if former:
            fingerprints.check_same_search(identity, self._identity)
        with NoJournal() if path is None else Journal(path, identity) as journal:
            study = deepcopy(former) or new_study(self, len(splits), len(rungs), points)
            if not journal.load(study):
                journal.start(study, [space.decode(trial.unit) for trial in study.trials])
            if call == "retune":
                report = journal.keep_report(report)
            n_rounds = self.n_rounds
            if former:  # whose failed fits are done, though a journal has them made again
                begun = max(former.n_complete_rounds(), study.n_complete_rounds())
                n_rounds = begun + n_more_rounds
            sizes = sizes_of_rounds(self.n_candidates, self.n_rounds, n_rounds)
            rounds = Rounds(sizes, rungs, space, evaluation, journal)
            n_tasks = n_rounds * len(rungs) + bool(self.refit)
            with callback_task(self, "fit", n_tasks) as task, watched(study, rounds) as workload:
                interruption = explore(study, rounds, workload, task)
                fitted = self._summary(study, space)
                if self.refit:
                    workload.begin_refit()
                    fitted |= refitted(evaluation, fitted["best_params_"], task)
        kept = {"_study": study, "_journal": path, "_identity": identity}
        kept["_splits"] = None if can_be_made_again(self.cv) else (self.cv, splits)
        log = None if call == "fit" else getattr(self, "log_", None)
        fitted["log_"] = with_call(log, call, n_samples(X), fitted, report)
        self._publish(fitted | kept)
        return interruption

    def _folds(self, X, y, split_params, is_extended):
        """Splits, of which `extend` takes those of the last fit if they cannot be made again."""
        if is_extended and self._splits is not None and self._splits[0] is self.cv:
            return self._splits[1]
        return folds_of(self, X, y, split_params)

    def _checked(self):
        """Check parameters; make the space and the epochs on each rung (None is all of them)."""
        validate_parameters(self)
        space = Space(self.param_distributions)
        space.check(self.estimator)
        if self.n_candidates < self.n_rounds:
            raise ValueError(
                f"n_candidates={self.n_candidates} is too few for n_rounds={self.n_rounds}: each "
                "round needs a candidate at least"
            )
        if self.resource is None:
            return space, [None]
        return space, plan_rungs(self.estimator, space, self.min_epochs, self.max_epochs, self.eta)

    def _summary(self, study, space):
        """Fitted attributes that need no estimator."""
        trials, n_splits = study.complete(), study.n_splits
        outcomes = [result for trial in trials for result in study.last_results(trial)]
        warn_or_raise_about_fit_failures(outcomes, self.error_score)
        if callable(self.scoring):
            insert_error_scores(outcomes, self.error_score)
        params = [space.decode(trial.unit) for trial in trials]
        columns = results.own_columns(trials, outcomes, n_splits)
        table = self._format_results(params, n_splits, outcomes, columns)
        scorers, refit_metric = self._get_scorers()
        is_multimetric = isinstance(outcomes[0]["test_scores"], dict)
        fitted = {
            "cv_results_": table,
            "n_splits_": n_splits,
            "multimetric_": is_multimetric,
            "scorer_": scorers_by_name(scorers),
            "bounds_history_": [space.bounds(bounds) for bounds in study.bounds],
        }
        if self.resource:
            table |= results.ranks_by_progress(table, results.progress_of(study, trials))
            fitted["learning_curves_"] = results.learning_curves(trials, study.leader)
        if is_multimetric and callable(self.scoring):
            self._check_refit_for_multimetric(outcomes[0]["test_scores"])
            refit_metric = self.refit
        if self.refit or not is_multimetric:
            fitted |= self._best(study, space, table, refit_metric)
        return fitted

    def _best(self, study, space, table, refit_metric):
        """Fitted attributes of the best candidate, one of those that were trained furthest."""
        trials = study.complete()
        progress_of_trials = results.progress_of(study, trials)
        furthest = np.flatnonzero(progress_of_trials == progress_of_trials.max())
        chosen = results.rows_of(table, furthest)
        best = int(furthest[self._select_best_index(self.refit, refit_metric, chosen)])
        fitted = {
            "best_index_": best,
            "best_params_": table["params"][best],
            "at_bounds_": results.at_bounds(study, space, trials[best]),
        }
        if not callable(self.refit):
            fitted["best_score_"] = table[f"mean_test_{refit_metric}"][best]
        if study.initial_points is not None:
            fitted["optimum_shift_"] = space.shift(study.initial_points[0], trials[best].unit)
        return fitted

    def _publish(self, fitted):
        """Set fitted attributes, and drop those of a former fit."""
        is_former = {name: name.endswith("_") and name[0] != "_" for name in vars(self)}
        kept = {name: value for name, value in vars(self).items() if not is_former[name]}
        # At once, so that Ctrl-C leaves all of a fit or nothing of it.
        self.__dict__ = kept | fitted

    def _warn(self, interruption):
        """Warn of what the user should know, when all is published."""
        for message in results.remarks(interruption, vars(self)):
            warnings.warn(message, UserWarning, stacklevel=3)
