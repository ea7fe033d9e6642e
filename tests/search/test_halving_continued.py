"""Searches with rungs that are stopped, go on, are extended or tuned again."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import textwrap
from math import ceil

import numpy as np
import pandas as pd
import pytest
from halving_checks import query, same_results, sizes_of_rungs
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier

import skbn.search.evaluation as evaluation
import skbn.search.time_limit as time_limit
from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow


@pytest.fixture
def stop_after(monkeypatch):
    """Press Ctrl-C when so many populations were trained."""

    original = evaluation.train_assignments

    def stop(n):
        calls = []

        def train(parent, members, splits, rules, train=original):
            calls.append(len(members))
            if len(calls) > n:
                raise KeyboardInterrupt
            return train(parent, members, splits, rules)

        monkeypatch.setattr(evaluation, "train_assignments", train)

    yield stop
    monkeypatch.undo()


@pytest.mark.parametrize("n", [8, 10, 12, 14, 17, 25, 29])
def test_after_ctrl_c_it_goes_on(halving, iris, halved, path, stop_after, n):
    stop_after(n)
    with pytest.warns(UserWarning, match="Ctrl-C: the search ended"):
        search = halving(journal=path, memory_budget=1.0).fit(*iris)
    stop_after(np.inf)
    assert query(path, "SELECT count(*) FROM results") == [(n,)]
    results = pd.DataFrame(search.cv_results_)
    furthest = results["n_epochs"] == results["n_epochs"].max()
    assert search.best_score_ == results.loc[furthest, "mean_test_score"].max()
    assert results.loc[search.best_index_, "rank_test_score"] == 1
    assert search.best_estimator_.n_iter_ == 9
    copy = pickle.loads(pickle.dumps(search))
    copy._journal = None
    copy.extend(*iris, n_rounds=2 - search._study.n_complete_rounds())
    same_results(copy, halved)
    same_results(halving(journal=path).fit(*iris), halved)


def test_ctrl_c_before_a_candidate_is_complete_is_passed_on(
    halving, iris, path, stop_after, halved
):
    stop_after(1)
    with pytest.raises(KeyboardInterrupt):
        halving(journal=path, memory_budget=1.0).fit(*iris)
    stop_after(np.inf)
    assert query(path, "SELECT count(*) FROM results") == [(1,)]
    same_results(halving(journal=path).fit(*iris), halved)


def test_a_journal_keeps_rungs_and_only_what_is_missing_is_trained(
    halving, iris, halved, path, jobs
):
    same_results(halving(journal=path).fit(*iris), halved)
    jobs.clear()
    same_results(halving(journal=path, memory_budget=1.0).fit(*iris), halved)
    assert jobs == []
    missing = query(path, "SELECT candidate, rung, split FROM results WHERE rung > 1")
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM results WHERE rung > 1")
        db.execute("DELETE FROM results WHERE candidate = 1 AND split = 0")
    db.close()
    same_results(halving(journal=path).fit(*iris), halved)
    missing += [(1, rung, 0) for rung in range(len(halved._study.trials[1].rungs))]
    assert {job[:3] for job in jobs} == set(missing)


def test_a_journal_of_other_estimators(halving, iris, path):
    model = SGDClassifier(max_iter=9, tol=None, random_state=0)
    options = {"space": {"alpha": loguniform(1e-5, 1)}, "journal": path}
    same_results(halving(model, **options).fit(*iris), halving(model, **options).fit(*iris))


def test_a_journal_with_some_that_diverge(halving, quick, iris, path):
    model = quick(max_iter=9, learning_rate="cosine", warmup_fraction=0.5)
    options = {"space": {"learning_rate_init": loguniform(1e-3, 1e20)}, "n_candidates": 16}
    found = []
    for _ in range(2):
        search = halving(model, journal=path, eta=2, **options)
        with pytest.warns(Warning, match=r"fits failed|non-finite"):
            found.append(search.fit(*iris))
    same_results(*found)
    assert 1 <= np.isnan(found[0].cv_results_["mean_test_score"]).sum() < 8


@pytest.mark.parametrize(
    "change", [{"resource": None}, {"min_epochs": 2}, {"max_epochs": 9}, {"eta": 2}]
)
def test_the_journal_of_other_rungs_is_refused(halving, iris, path, jobs, change):
    halving(journal=path).fit(*iris)
    before = path.read_bytes()
    jobs.clear()
    with pytest.raises(ValueError, match="belongs to a search with another resource"):
        halving(journal=path, **change).fit(*iris)
    assert jobs == []
    assert path.read_bytes() == before


SCRIPT = textwrap.dedent("""
    import os, signal, sys
    import numpy as np
    from scipy.stats import loguniform
    import skbn.search.evaluation as evaluation
    from skbn import BNSoftmaxClassifier
    from skbn.search import CoarseToFineSearchCV

    train, calls = evaluation.train_assignments, []

    def killed(*args):
        calls.append(args)
        if len(calls) > int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return train(*args)

    evaluation.train_assignments = killed
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    model = BNSoftmaxClassifier((8,), batch_size=16, max_iter=9, random_state=0)
    CoarseToFineSearchCV(
        model, {"learning_rate_init": loguniform(1e-3, 0.3)}, n_candidates=9, n_rounds=2, cv=2,
        random_state=0, resource="epochs", memory_budget=1.0, journal=sys.argv[1],
    ).fit(X, y)
""")


def test_after_kill_9_it_goes_on(iris, path, tmp_path, jobs):
    script = tmp_path / "script.py"
    script.write_text(SCRIPT)
    command = [sys.executable, str(script), str(path), "12"]
    done = subprocess.run(
        command, capture_output=True, timeout=60, env=os.environ | {"PYTHONPATH": os.getcwd()}
    )
    assert done.returncode == -signal.SIGKILL, done.stderr
    assert query(path, "SELECT count(*) FROM results") == [(12,)]
    X, y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3
    model = BNSoftmaxClassifier((8,), batch_size=16, max_iter=9, random_state=0)
    search = CoarseToFineSearchCV(
        model,
        {"learning_rate_init": loguniform(1e-3, 0.3)},
        n_candidates=9,
        n_rounds=2,
        cv=2,
        random_state=0,
        resource="epochs",
    )
    whole = clone(search).fit(X, y)
    n_jobs = len(jobs)
    same_results(search.set_params(journal=path).fit(X, y), whole)
    assert len(jobs) == 2 * n_jobs - 12


def test_extend_adds_rounds_of_rungs(halving, iris, halved, path):
    extended = halving(journal=path).fit(*iris).extend(*iris)
    assert sizes_of_rungs(extended) == [[5, 2, 1], [4, 2, 1], [4, 2, 1]]
    same_results(halving().fit(*iris).extend(*iris), extended)
    before = extended.learning_curves_[extended.learning_curves_["candidate"] < 9]
    pd.testing.assert_frame_equal(before, halved.learning_curves_)
    with pytest.raises(ValueError, match="resource changed"):
        extended.set_params(eta=2).extend(*iris)


def test_retune_takes_over_the_best_and_trains_them_on_the_new_rows(halving, iris, quick):
    X, y = iris
    search = halving().fit(X, y)
    known = [search.cv_results_["params"][i] for i in [search.best_index_]]
    search.retune(X[:100], y[:100])
    results = pd.DataFrame(search.cv_results_)
    assert set(results.loc[results["draw"] == "known", "round"]) == {0}
    assert all(p in results["params"].tolist() for p in known)
    assert sizes_of_rungs(search) == [[5, 2, 1], [4, 2, 1]]
    assert search.cv_results_["n_epochs"][search.best_index_] == 9
    assert hasattr(search, "optimum_shift_")


@pytest.fixture
def clock(monkeypatch):
    """A clock that is a second further with each population."""
    now = [0.0]

    def train(parent, members, splits, rules, train=evaluation.train_assignments):
        done = train(parent, members, splits, rules)
        now[0] += 1
        return done

    monkeypatch.setattr(evaluation, "train_assignments", train)
    monkeypatch.setattr(time_limit, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("seconds", [0.5, 3.5, 9.5, 10.5, 12.5, 15.5, 24.5])
def test_when_time_is_over_the_best_is_one_trained_furthest(halving, iris, halved, clock, seconds):
    search = halving(time_budget=seconds, memory_budget=1.0).fit(*iris)
    # The first candidate meets both splits before another one begins; it is completed.
    assert clock[0] == ceil(seconds) + (seconds < 1)
    results = pd.DataFrame(search.cv_results_)
    furthest = results["n_epochs"] == results["n_epochs"].max()
    assert furthest[search.best_index_]
    assert search.best_score_ == results.loc[furthest, "mean_test_score"].max()
    assert results.loc[search.best_index_, "rank_test_score"] == 1
    assert search.best_estimator_.n_iter_ == 9
    search.set_params(time_budget=None)
    search.extend(*iris, n_rounds=2 - search._study.n_complete_rounds())
    same_results(search, halved)


def test_a_spent_budget_still_completes_one_candidate(halving, iris):
    search = halving(time_budget=1e-9).fit(*iris)
    assert search.cv_results_["n_epochs"].tolist() == [1]
    assert search.best_estimator_.n_iter_ == 9


def test_a_fitted_search_is_cloned_and_pickled(halved, iris):
    loaded = pickle.loads(pickle.dumps(halved))
    same_results(loaded, halved)
    same_results(loaded.extend(*iris), pickle.loads(pickle.dumps(halved)).extend(*iris))
    copy = clone(halved)
    assert not hasattr(copy, "learning_curves_")
    with pytest.raises(NotFittedError):
        copy.predict(iris[0])
