"""Where a search stops when its time is over, by a clock that only what is watched moves."""

import pickle

import numpy as np
import pandas as pd
import pytest
from halving_checks import RUNGS
from hill import X, Y, make
from scipy.stats import loguniform
from search_checks import same_results
from sklearn.linear_model import SGDClassifier
from sklearn.pipeline import Pipeline
from split_checks import Counting, search_of

import skbn.search.evaluation as evaluation
import skbn.search.networks as networks
import skbn.search.partial_fits as partial_fits
import skbn.search.time_limit as time_limit
import skbn.search.workload as workload
from skbn.search import CoarseToFineSearchCV, hidden_layers
from skbn.search.jobs import Assignment, Done, Job
from skbn.search.schedule import doubling
from skbn.search.study import Study, Trial
from skbn.search.time_limit import TimeLimit
from skbn.search.workload import Plan

pytestmark = pytest.mark.slow


@pytest.fixture
def clock(monkeypatch):
    """A clock in the place of all that a limit looks at."""
    now = [0.0]
    monkeypatch.setattr(time_limit, "perf_counter", lambda: now[0])
    monkeypatch.setattr(time_limit, "time", lambda: 1e9 + now[0])
    return now


@pytest.fixture
def epochs(clock, monkeypatch):
    """Networks of which each takes a second for each epoch; how many they trained."""
    made = []

    def tick(run, entry):
        clock[0] += 1
        made.append(run)

    def train(tasks, run_together=networks.run_together, **options):
        run_together(tasks, on_epoch=tick, **options)

    monkeypatch.setattr(networks, "run_together", train)
    return made


@pytest.fixture(scope="module")
def nets(quick):
    """A search with populations, or rungs, of one member each: a fit takes a run."""

    def search(**options):
        space = {
            "learning_rate_init": loguniform(1e-3, 0.1),
            "hidden_layer_sizes": hidden_layers((1, 2), (4, 8)),
        }
        model = quick(max_iter=6, n_members=1, calibrate=False)
        options = {"n_candidates": 24, "n_rounds": 2, "cv": 2, "random_state": 0} | options
        return CoarseToFineSearchCV(model, space, **options)

    return search


def assert_part_of(search, whole):
    """What was found in time is what the whole search found."""
    frames = [pd.DataFrame(each.cv_results_).astype({"params": str}) for each in (search, whole)]
    frames = [frame.filter(regex="params|test_score|round|draw|epochs") for frame in frames]
    columns = [name for name in frames[0] if "rank" not in name]
    found, known = (set(map(tuple, frame[columns].to_numpy().tolist())) for frame in frames)
    assert found <= known


RUNG_OPTIONS = {"resource": "epochs", "min_epochs": 2}


@pytest.fixture(scope="module")
def whole(nets, iris):
    """Searches without a limit: of populations, and of rungs."""
    return {"populations": nets().fit(*iris), "rungs": nets(**RUNG_OPTIONS).fit(*iris)}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("kind", "seconds"),
    [*(("populations", s) for s in (20, 100.5, 230)), *(("rungs", s) for s in (20, 60, 100.5))],
)
def test_populations_stop_with_the_epoch(nets, iris, whole, epochs, kind, seconds, tmp_path):
    options = {"journal": tmp_path / "search.sqlite"} | (RUNG_OPTIONS if kind == "rungs" else {})
    search = nets(time_budget=seconds, **options).fit(*iris)
    assert seconds <= len(epochs) <= seconds + 24  # an epoch of all in the first round
    assert 1 <= len(search.cv_results_["params"]) < 24
    if kind == "populations":
        assert_part_of(search, whole[kind])
    same_results(nets(**options).fit(*iris), whole[kind])


def test_splits_of_a_candidate_come_together(nets, iris, whole, epochs):
    # Memory for both splits, and for populations of two.
    search = nets(time_budget=110, memory_budget=3e4).fit(*iris)
    assert len(search.cv_results_["params"]) == 9  # of twelve seconds each
    assert_part_of(search, whole["populations"])


def test_without_time_for_any_one_candidate_is_completed(nets, iris, epochs):
    search = nets(time_budget=3).fit(*iris)
    assert len(search.cv_results_["params"]) == 1
    assert len(epochs) <= 24 + 12
    assert search.best_estimator_.n_iter_ == 6


class Slow(SGDClassifier):
    """Takes a second for each epoch."""

    clock = None

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        Slow.clock[0] += 1
        return super().partial_fit(X, y, classes, sample_weight)

    def fit(self, X, y, **params):
        Slow.clock[0] += self.max_iter
        return super().fit(X, y, **params)


@pytest.mark.slow
@pytest.mark.parametrize("seconds", [0.5, 5, 20.5, 40])
def test_partial_fits_stop_with_the_epoch(iris, clock, monkeypatch, seconds):
    monkeypatch.setattr(Slow, "clock", clock)
    model = Slow(max_iter=9, tol=None, random_state=0)
    space, options = {"alpha": loguniform(1e-5, 1)}, RUNGS | {"n_candidates": 9, "refit": False}
    search = CoarseToFineSearchCV(model, space, time_budget=seconds, **options).fit(*iris)
    # One candidate takes an epoch on two splits to be complete.
    assert clock[0] == max(2, np.ceil(seconds))
    search.set_params(time_budget=None)
    search.extend(*iris, n_rounds=3 - search._study.n_complete_rounds())
    same_results(search, CoarseToFineSearchCV(model, space, **options).fit(*iris))


@pytest.fixture
def fits(clock, monkeypatch):
    """Fits by scikit-learn, of a second each; when they began."""
    begun = []

    def fit(*args, fit_and_score=evaluation.fit_and_score, **arguments):
        begun.append(clock[0])
        clock[0] += 1
        return fit_and_score(*args, **arguments) | {"fit_time": 1.0}

    monkeypatch.setattr(evaluation, "fit_and_score", fit)
    return begun


@pytest.mark.parametrize(("refit", "last"), [(False, 9), (True, 7)])
def test_time_to_refit_is_kept(fits, refit, last):
    # The refit has 12 rows instead of 6: two seconds.
    search = make(time_budget=10, refit=refit).fit(X, Y)
    assert fits == list(range(last + 1))
    assert len(search.cv_results_["params"]) == (last + 1) // 2


def test_time_to_refit_is_known_from_a_journal(fits, clock, tmp_path):
    path = tmp_path / "search.sqlite"
    make(time_budget=10, journal=path).fit(X, Y)
    fits.clear()
    clock[0] = 0
    make(time_budget=1.5, journal=path).fit(X, Y)
    assert fits == []


def test_transformers_are_fitted_in_time_only(quick, iris, clock, monkeypatch):
    def fit(self, X, y=None, fit=Counting.fit):
        clock[0] += 1
        return fit(self, X, y)

    monkeypatch.setattr(Counting, "fit", fit)
    Counting.fits.clear()
    model = Pipeline([("counting", Counting()), ("net", quick())])
    candidates = [{"counting__factor": factor} for factor in (1.0, 2.0, 3.0, 4.0)]
    search_of(model, candidates, time_budget=4.5).fit(*iris)
    # Five in time, and for the one that is completed only what it lacks; the refit.
    assert len(Counting.fits) == 5 + 1


def test_scores_are_computed_in_time_only(quick, iris, clock):
    def score(model, X, y):
        clock[0] += 1
        return model.score(X, y)

    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1, 0.2, 0.3)]
    search_of(quick(), candidates, scoring=score, time_budget=6.5, cv=2).fit(*iris)
    assert clock[0] == 7


def test_what_waited_for_a_worker_until_time_was_over_is_not_begun(clock):
    limit = TimeLimit(3.0)
    limit.keep_free(0.5)
    sent = pickle.dumps(limit)
    clock[0] = 2.4
    assert not pickle.loads(sent).is_over()
    clock[0] = 2.6
    assert pickle.loads(sent).is_over()
    assert limit.is_over()
    assert not pickle.loads(pickle.dumps(TimeLimit(np.inf))).is_over()


def test_some_candidates_meet_all_splits_first_where_memory_holds_one(nets, iris, whole, epochs):
    # Twelve candidates of the first round take 72 seconds on a split.
    search = nets(time_budget=70, memory_budget=1.2e4).fit(*iris)
    assert len(search.cv_results_["params"]) >= 3
    assert_part_of(search, whole["populations"])
    n_rounds = 2 - search._study.n_complete_rounds()
    search.set_params(time_budget=None).extend(*iris, n_rounds=n_rounds)
    same_results(search, whole["populations"])


@pytest.mark.parametrize("n", [1, 2, 5])
def test_slices_double_and_hold_each_fit_once(n):
    jobs = [Job(i, 0, split, {}) for i in range(11) for split in range(3)]
    slices = doubling(jobs, n)
    assert sorted(job[:3] for some in slices for job in some) == [job[:3] for job in jobs]
    sizes = [len({job.candidate for job in some}) for some in slices]
    assert sizes[:-1] == [n * 2**k for k in range(len(slices) - 1)]
    assert all(len(some) == 3 * size for some, size in zip(slices, sizes, strict=True))


@pytest.mark.slow
@pytest.mark.parametrize("verbose", [0, 1])
@pytest.mark.parametrize("seconds", [30, 45, 60])
def test_time_to_refit_to_the_last_epoch_is_kept(iris, clock, monkeypatch, seconds, verbose):
    for each in partial_fits, workload:
        monkeypatch.setattr(each, "perf_counter", lambda: clock[0])
    monkeypatch.setattr(Slow, "clock", clock)
    model = Slow(max_iter=9, tol=None, random_state=0)
    space, options = {"alpha": loguniform(1e-5, 1)}, RUNGS | {"n_candidates": 9, "cv": 3}
    options |= {"verbose": verbose, "time_budget": seconds}
    CoarseToFineSearchCV(model, space, **options).fit(*iris)
    # The fits of the second rung take 18 seconds a candidate.
    assert seconds - 18 <= clock[0] <= seconds


def test_a_candidate_that_could_not_be_refitted_in_time_is_not_begun(clock, monkeypatch):
    monkeypatch.setattr(workload, "perf_counter", lambda: clock[0])
    plan, study, limit = Plan(1, [[3]], [2], 1, 1.0), Study(0, 1), TimeLimit(60.0)
    jobs, load = [Job(i, 0, 0, {}) for i in range(3)], workload.Workload(plan, study, limit)
    estimates = zip(jobs, (10.0, 10.0, 100.0), strict=True)
    quick, _, slow = [Assignment(job, None, seconds=seconds) for job, seconds in estimates]
    load.begin(0, 0, jobs)
    load.expect([quick, slow], 0)
    assert load.has_time([slow])  # nothing is complete
    clock[0] += 10
    result = {"fit_time": 10.0, "score_time": 0.0, "test_scores": 1.0}
    study.trials = [Trial(0, "global", np.zeros(1), [{0: result}])]
    load.add(Done(0, 0, 0, result))
    assert load.refit_of_best(study, [0]) == 10
    assert not load.has_time([slow])
    assert load.has_time([quick])
    assert not load.has_time([quick, slow])
