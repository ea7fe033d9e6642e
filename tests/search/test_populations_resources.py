"""Populations within limits of memory and time, with several jobs, and after an interruption."""

import pickle
from time import sleep

import joblib
import numpy as np
import pytest
from scipy.stats import loguniform
from search_checks import Recorder, check_two_rounds, same_results
from sklearn.base import clone
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from split_checks import Counting, search_of

import skbn.search.evaluation as evaluation
from skbn.search import CoarseToFineSearchCV, hidden_layers
from skbn.search.cache import SplitCache

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def make(quick):
    """A search of two rounds, over shapes, rates and a step before the network."""

    def search(**options):
        model = Pipeline([("scaler", StandardScaler()), ("net", quick())])
        space = {
            "net__learning_rate_init": loguniform(1e-3, 0.1),
            "net__hidden_layer_sizes": hidden_layers((1, 2), (4, 8)),
            "scaler__with_mean": [True, False],
        }
        options = {"n_candidates": 10, "n_rounds": 2, "cv": 3, "random_state": 0} | options
        return CoarseToFineSearchCV(model, space, **options)

    return search


@pytest.fixture(scope="module")
def searched(make, iris):
    return make().fit(*iris)


@pytest.mark.parametrize(
    "options",
    [{"memory_budget": 1.0}, {"memory_budget": 1e5}, {"memory_budget": 1e6}, {"n_jobs": 2}],
)
def test_neither_memory_nor_jobs_change_results(make, iris, searched, options):
    same_results(make(**options).fit(*iris), searched)


@pytest.mark.parametrize("memory_budget", [1e4, 2**28])
def test_threads_change_no_results(make, iris, searched, memory_budget):
    with joblib.parallel_config("threading", n_jobs=3):
        same_results(make(memory_budget=memory_budget).fit(*iris), searched)


def test_little_memory_makes_populations_small(make, iris, monkeypatch):
    sizes = []

    def watch(parent, members, splits, rules, train=evaluation.train_assignments):
        sizes.append(len(members))
        return train(parent, members, splits, rules)

    monkeypatch.setattr(evaluation, "train_assignments", watch)
    make().fit(*iris)
    assert max(sizes) >= 6
    assert sum(sizes) == 30
    sizes.clear()
    make(memory_budget=1.0).fit(*iris)
    assert sizes == [1] * 30


@pytest.fixture
def stop_after(monkeypatch):
    """Press Ctrl-C when so many populations were trained; gives the sizes of all."""
    sizes, original = [], evaluation.train_assignments

    def stop(n):
        def train(parent, members, splits, rules, train=original):
            if len(sizes) == n:
                raise KeyboardInterrupt
            sizes.append(len(members))
            return train(parent, members, splits, rules)

        monkeypatch.setattr(evaluation, "train_assignments", train)
        return sizes

    yield stop
    monkeypatch.undo()


@pytest.mark.parametrize("memory_budget", [1.0, 2**28])
def test_after_ctrl_c_it_goes_on(make, iris, searched, tmp_path, stop_after, memory_budget):
    options = {"memory_budget": memory_budget, "journal": tmp_path / "search.sqlite"}
    sizes = stop_after(n := 20 if memory_budget == 1 else 5)
    with pytest.warns(UserWarning, match="Ctrl-C"):
        search = make(**options).fit(*iris)
    assert len(sizes) == n
    assert 1 <= len(search.cv_results_["params"]) < 10
    n_done, n_rounds = sum(sizes), 2 - search._study.n_complete_rounds()
    stop_after(np.inf)
    copy = pickle.loads(pickle.dumps(search))
    copy._journal = None
    same_results(copy.extend(*iris, n_rounds=n_rounds), searched)
    sizes.clear()
    same_results(make(**options).fit(*iris), searched)
    assert sum(sizes) == 30 - n_done


def test_ctrl_c_before_anything_is_whole_is_passed_on(make, iris, stop_after):
    stop_after(1)
    with pytest.raises(KeyboardInterrupt):
        make(memory_budget=1.0).fit(*iris)


class Wide(Counting):
    """Makes many columns of one."""

    def transform(self, X):
        return np.repeat(X, 1000, axis=1)


@pytest.mark.parametrize(
    ("transformer", "memory_budget"),
    [(Counting(), 6e4), (Wide(), 6e7)],
)
def test_transformed_rows_keep_to_the_memory(quick, iris, monkeypatch, transformer, memory_budget):
    held = []

    def watch(self, *args, hold=SplitCache.hold):
        splits = hold(self, *args)
        held.append(self.n_bytes)
        return splits

    monkeypatch.setattr(SplitCache, "hold", watch)
    model = Pipeline([("first", transformer), ("net", quick(max_iter=1))])
    candidates = [{"first__factor": float(factor)} for factor in range(12)]
    search_of(model, candidates, memory_budget=memory_budget, refit=False).fit(*iris)
    assert sum(held) > memory_budget
    assert max(held) <= memory_budget / 4


def test_a_time_budget_fits_no_transformer_for_nothing(counting, iris):
    candidates = [{"counting__factor": factor} for factor in (1.0, 2.0, 3.0, 4.0)]
    search = search_of(counting, candidates, time_budget=1e-9).fit(*iris)
    assert len(search.cv_results_["params"]) == 1
    assert len(Counting.fits) == 3 + 1


def test_a_spent_budget_completes_a_candidate_whatever_its_folds_wait_for(quick, iris, monkeypatch):
    X, y = iris
    # Folds of different lengths, which train apart, on two threads that end in another order.
    cv = [(np.arange(n), np.arange(100, 150)) for n in (100, 90, 80, 70)]
    seconds = iter([0.6, 0.1, 0.2, 0.3])

    def train(parent, members, splits, rules, train=evaluation.train_assignments):
        sleep(next(seconds, 0.02))
        return train(parent, members, splits, rules)

    monkeypatch.setattr(evaluation, "train_assignments", train)
    kinds = ["relu", "elu", "selu", "gelu", "silu", "mish", "tanh", "logistic"]
    candidates = [{"activation": kind} for kind in kinds]
    search = search_of(quick(max_iter=1), candidates, cv=cv, time_budget=0.08)
    with joblib.parallel_config("threading", n_jobs=2):
        search.fit(X, y)
    assert len(search.cv_results_["params"]) >= 1


def test_progress_is_shown_for_each_fit(make, iris, capsys):
    make(verbose=1, scoring="accuracy").fit(*iris)
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("30/30 fits, best accuracy 0.")


def test_scikit_learns_callbacks_are_called(quick, iris):
    pytest.importorskip("sklearn.callback")
    recorder = Recorder()
    space = {"learning_rate_init": loguniform(1e-3, 0.1)}
    search = CoarseToFineSearchCV(quick(), space, n_candidates=5, n_rounds=2, cv=2, random_state=0)
    search.set_callbacks(recorder).fit(*iris)
    check_two_rounds(recorder)


def test_a_fitted_search_is_cloned_and_pickled(make, iris, searched):
    loaded = pickle.loads(pickle.dumps(searched))
    same_results(loaded, searched)
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), searched.predict_proba(iris[0]))
    assert not hasattr(clone(searched), "cv_results_")
    same_results(loaded.extend(*iris), make().fit(*iris).extend(*iris))


def test_times_are_shares_of_those_of_populations(searched):
    results = searched.cv_results_
    assert (results["mean_fit_time"] > 0).all()
    assert (results["mean_score_time"] > 0).all()
