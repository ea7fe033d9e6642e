"""Successive halving of candidates that fail."""

import numpy as np
import pandas as pd
import pytest
from halving_checks import DIVERGING, listed
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.exceptions import FitFailedWarning

pytestmark = pytest.mark.slow


def test_diverged_candidates_are_not_promoted(quick, iris):
    rates = [0.01, 0.05, DIVERGING, 2 * DIVERGING]
    search = listed(quick(max_iter=9), [{"learning_rate_init": rate} for rate in rates], eta=2)
    with pytest.warns(Warning, match=r"fits failed|non-finite") as caught:
        search.fit(*iris)
    assert sum(w.category is FitFailedWarning for w in caught) == 1
    failed = np.array([p["learning_rate_init"] > 1 for p in search.cv_results_["params"]])
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), failed)
    assert search.cv_results_["rank_test_score"][failed].tolist() == [3, 3]
    assert search.cv_results_["n_epochs"][failed].tolist() == [1, 1]
    fine = listed(quick(max_iter=9), [{"learning_rate_init": rate} for rate in rates[:2]], eta=2)
    assert fine.fit(*iris).best_score_ == search.best_score_
    with pytest.raises(ValueError, match="Training diverged in epoch 1"):
        search.set_params(error_score="raise").fit(*iris)


@pytest.mark.parametrize("bad", [{"learning_rate_init": DIVERGING}, {"dropout": 2.0}])
def test_if_all_fail_it_is_said_as_usual(quick, iris, bad):
    candidates = [bad | {"alpha": alpha} for alpha in (0.0, 0.1)]
    with pytest.raises(ValueError, match="All the 4 fits failed"):
        listed(quick(max_iter=9), candidates).fit(*iris)


@pytest.mark.parametrize("memory_budget", [1.0, 2**28])
@pytest.mark.parametrize("bad", [{"learning_rate_init": DIVERGING}, {"dropout": 2.0}])
def test_a_number_for_failures_lets_them_go_on_to_fail_again(quick, iris, bad, memory_budget):
    candidates = [{"alpha": 0.1}, *({**bad, "alpha": alpha} for alpha in (0.0, 1.0, 2.0))]
    options = {"error_score": 0.0, "eta": 2, "memory_budget": memory_budget}
    search = listed(quick(max_iter=9), candidates, **options)
    with pytest.warns(FitFailedWarning, match="6 fits failed out of a total of 8"):
        search.fit(*iris)
    assert search.best_params_ == {"alpha": 0.1}
    assert sorted(search.cv_results_["rank_test_score"]) == [1, 2, 3, 3]
    curves = search.learning_curves_
    assert not curves.duplicated(["candidate", "split", "epoch"]).any()
    if "dropout" in bad:
        assert set(curves["candidate"]) == {search.best_index_}
    else:
        assert curves.groupby("candidate")["epoch"].max().tolist().count(1) == 3


class Late(RegressorMixin, BaseEstimator):
    """Scores what it is told to, and nothing that counts after some epochs."""

    n_calls = 0

    def __init__(self, level=0.0, until=100, max_iter=9):
        self.level = level
        self.until = until
        self.max_iter = max_iter

    def partial_fit(self, X, y):
        Late.n_calls += 1
        self.n_epochs_ = getattr(self, "n_epochs_", 0) + 1
        return self

    def fit(self, X, y):
        if self.until < self.max_iter:
            raise ValueError("the search chose one that has no score")
        return self

    def score(self, X, y):
        return self.level if self.n_epochs_ <= self.until else np.nan


def test_a_candidate_that_fails_on_a_higher_rung_is_not_the_best(iris):
    candidates = [{"level": 2.0, "until": 2}, {"level": 1.0}, {"level": 0.5}]
    search = listed(Late(), candidates)
    with pytest.warns(UserWarning, match="non-finite"):
        search.fit(*iris)
    assert search.best_params_ == {"level": 1.0}
    results = pd.DataFrame(search.cv_results_).set_index("param_level").sort_index()
    assert results["n_epochs"].tolist() == [1, 1, 3]
    assert results["rank_test_score"].tolist() == [2, 1, 3]


def test_other_estimators_go_on_where_they_stood_too(iris):
    candidates = [{"level": level, "max_iter": n} for level, n in ((3.0, 4), (2.0, 9), (1.0, 2))]
    search = listed(Late(), candidates, min_epochs=3, eta=2, refit=False)
    Late.n_calls = 0
    search.fit(*iris)
    where = [search.cv_results_["params"].index(params) for params in candidates]
    assert search.cv_results_["n_epochs"][where].tolist() == [4, 6, 2]
    assert search.cv_results_["rank_test_score"][where].tolist() == [1, 3, 2]
    assert Late.n_calls == 2 * (4 + 6 + 2)


def test_others_that_went_on_win_then(iris):
    candidates = [{"level": 3.0, "until": 1}, *({"level": level} for level in (2.0, 1.0, 0.5))]
    search = listed(Late(), candidates, eta=2)
    with pytest.warns(UserWarning, match="non-finite"):
        search.fit(*iris)
    assert search.best_params_ == {"level": 2.0}
    assert search.cv_results_["n_epochs"][search.best_index_] == 9
