"""Searches that are copied, extended, tuned again, or end early."""

import pickle
import signal
from contextlib import suppress
from time import perf_counter

import numpy as np
import pandas as pd
import pytest
from hill import SPACE, Hill, X, Y, make
from scipy.stats import loguniform
from search_checks import same_results
from sklearn.base import clone
from sklearn.exceptions import NotFittedError

from skbn.display.record import SearchRecord
from skbn.search import CoarseToFineSearchCV, evaluation, rounds

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searched():
    return make().fit(X, Y)


def test_clone_pickle_repr_and_html(searched):
    copy = clone(searched)
    assert copy.get_params()["n_candidates"] == 24
    with pytest.raises(NotFittedError):
        copy.predict(X)
    loaded = pickle.loads(pickle.dumps(searched))
    same_results(loaded, searched)
    assert loaded.extend(X, Y).cv_results_["round"].max() == 3
    assert "CoarseToFineSearchCV" in repr(searched)
    assert "best_estimator_: Hill" in searched._repr_html_()


def test_extend_adds_rounds_and_keeps_what_is_known(searched):
    search = make().fit(X, Y)
    search.extend(X, Y)
    assert search.cv_results_["round"].tolist() == searched.cv_results_["round"].tolist() + [3] * 6
    assert search.cv_results_["params"][:24] == searched.cv_results_["params"]
    search.extend(X, Y, n_rounds=2)
    assert len(search.cv_results_["params"]) == 42
    assert len(search.bounds_history_) == 6
    assert search.best_score_ >= searched.best_score_
    longer = make(n_rounds=3).fit(X, Y).extend(X, Y, n_rounds=3)
    same_results(longer, search)


def test_extend_refuses_what_is_not_its_search(searched):
    with pytest.raises(NotFittedError):
        make().extend(X, Y)
    for n_rounds in (0, -1, 1.5):
        with pytest.raises(ValueError, match="n_rounds must be a positive integer"):
            searched.extend(X, Y, n_rounds=n_rounds)
    before = searched.cv_results_
    with pytest.raises(ValueError, match="data changed"):
        searched.extend(X + 1, Y)
    changed = pickle.loads(pickle.dumps(searched)).set_params(param_distributions={"b": [1, 2]})
    with pytest.raises(ValueError, match="param_distributions changed"):
        changed.extend(X, Y)
    assert searched.cv_results_ is before


class Drifted(Hill):
    """The best a is at the value of the first feature."""

    def score(self, X, y):
        return -abs(np.log10(self.a) - X[0, 0])


def test_retune_starts_from_the_best_and_says_how_far_they_moved():
    search = CoarseToFineSearchCV(
        Drifted(), {"a": loguniform(1e-5, 1), "b": [1]}, n_candidates=20, cv=2, random_state=0
    )
    before = search.fit(np.full((12, 1), -3.0), Y).best_params_["a"]
    assert abs(np.log10(before) + 3) < 0.3
    search.retune(np.full((12, 1), -1.0), Y)
    results = pd.DataFrame(search.cv_results_)
    known = results[results["draw"] == "known"]
    assert set(known["round"]) == {0}
    assert known["params"].iloc[0]["a"] == before
    assert len(results) == 20
    assert abs(np.log10(search.best_params_["a"]) + 1) < 0.3
    shift = search.optimum_shift_
    assert shift.index.tolist() == ["a"]
    assert shift.loc["a", "before"] == before
    assert shift.loc["a", "after"] == search.best_params_["a"]
    expected = abs(np.log10(search.best_params_["a"] / before)) / 5
    assert shift.loc["a", "distance"] == pytest.approx(expected)
    # The first round explores more widely than a zoomed one, and the search goes on as usual.
    low, high = search.bounds_history_[0]["a"]
    assert low == pytest.approx(1e-5)
    assert high >= before * 10 ** (5 * 0.5) * 0.99
    first = results[results["round"] == 0]
    assert (first["draw"] == "global").sum() >= 3
    assert search.extend(np.full((12, 1), -1.0), Y).cv_results_["round"].max() == 3
    assert not hasattr(search.fit(np.full((12, 1), -3.0), Y), "optimum_shift_")


MIXED = {"a": loguniform(1e-5, 1), "b": [0.5, 1, 2, 4, 8], "kind": ["low", "high"]}


def local_draws_outside(search):
    """Local draws beyond the bounds of their round, by value and in the picture."""
    results, record = search.cv_results_, SearchRecord.from_search(search)
    outside = []
    for i in np.flatnonzero(results["draw"] == "local"):
        number, params = results["round"][i], results["params"][i]
        low, high = record.bounds[number].T
        in_picture = not ((record.units[i] < low) | (record.units[i] > high)).any()
        bounds = search.bounds_history_[number].items()
        in_bounds = all(low <= params.get(name, low) <= high for name, (low, high) in bounds)
        outside += [] if in_picture and in_bounds else [i]
    return outside


@pytest.mark.filterwarnings("ignore:the best")
@pytest.mark.parametrize("space", [MIXED, [MIXED, {"a": loguniform(1e-4, 1), "kind": ["low"]}]])
def test_the_bounds_of_a_round_hold_its_local_draws(space):
    for seed in range(3):
        options = {"n_candidates": 18, "n_rounds": 2, "cv": 2, "random_state": seed}
        search = CoarseToFineSearchCV(Drifted(), space, **options)
        for method, best in ("fit", -4), ("retune", 0), ("extend", 0):
            getattr(search, method)(np.full((12, 1), best), Y)
            assert (search.cv_results_["draw"] == "local").sum() >= 8
            assert local_draws_outside(search) == []


@pytest.fixture
def pressed(monkeypatch):
    """Ctrl-C whose exception is lost, as finalizers and C code lose it; pressed once."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    left = [None]

    def press():
        if left:
            left.pop()
            with suppress(BaseException):
                signal.raise_signal(signal.SIGINT)

    yield press
    signal.signal(signal.SIGINT, before)


def test_ctrl_c_while_a_round_is_drawn_waits_for_the_whole_round(monkeypatch, tmp_path, pressed):
    path = tmp_path / "search.sqlite"

    def draw(*arguments, draw_round=rounds.draw_round):
        pressed()
        return draw_round(*arguments)

    monkeypatch.setattr(rounds, "draw_round", draw)
    with pytest.raises(KeyboardInterrupt):
        make(journal=path).fit(X, Y)
    same_results(make(journal=path).fit(X, Y), make().fit(X, Y))


def test_what_was_computed_while_ctrl_c_was_lost_is_not_believed(monkeypatch, tmp_path, pressed):
    path, n_fits = tmp_path / "search.sqlite", []

    def fit(*arguments, fit=evaluation._fit):
        n_fits.append(None)
        if len(n_fits) == 7:
            pressed()
        return fit(*arguments)

    monkeypatch.setattr(evaluation, "_fit", fit)
    with pytest.warns(UserWarning, match="Ctrl-C: the search ended with 3 whole candidates"):
        make(journal=path).fit(X, Y)
    assert len(n_fits) == 7
    same_results(make(journal=path).fit(X, Y), make().fit(X, Y))


def test_a_time_budget_ends_the_search_early():
    started = perf_counter()
    search = make(SPACE | {"seconds": [0.05]}, n_candidates=200, time_budget=0.5).fit(X, Y)
    assert perf_counter() - started < 5
    n_candidates = len(search.cv_results_["params"])
    assert 1 <= n_candidates < 100
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    assert hasattr(search, "best_estimator_")


def test_a_spent_budget_still_completes_one_candidate():
    search = make(time_budget=1e-9).fit(X, Y)
    assert len(search.cv_results_["params"]) == 1
    # The rest of the round is what extend makes first.
    search.set_params(time_budget=None).extend(X, Y)
    assert search.cv_results_["round"].tolist() == [0] * 12
    same_results(search.extend(X, Y, n_rounds=2), make().fit(X, Y))


def test_a_failed_fit_keeps_the_search_that_was_fitted():
    search = make().fit(X, Y)
    before = dict(vars(search))
    search.estimator = Hill(fails=True)
    with pytest.raises(ValueError, match="All the 24 fits failed"):
        search.fit(X, Y)
    assert {**vars(search), "estimator": before["estimator"]} == before
