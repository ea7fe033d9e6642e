"""Learning curves of successive halving, and trainings that stop early."""

import numpy as np
import pytest
from halving_checks import CURVES, listed, splits_of
from sklearn.base import clone
from sklearn.metrics import log_loss

pytestmark = pytest.mark.slow


def test_learning_curves_are_the_histories_of_fits_that_watch_the_test_rows(single, iris):
    X, y = iris
    candidates = [
        {"learning_rate_init": 0.01},
        {"learning_rate_init": 0.1, "dropout": 0.3},
        {"dtype": "float64", "solver": "sgd"},
        {"hidden_layer_sizes": (4, 3), "n_iter_no_change": 1},
    ]
    search = listed(single(max_iter=9), candidates).fit(X, y)
    curves = search.learning_curves_
    assert list(curves) == ["candidate", "split", "epoch", "score", *CURVES]
    assert curves["epoch"].dtype == curves["candidate"].dtype == curves["split"].dtype == np.int64
    for (candidate, split), own in curves.groupby(["candidate", "split"]):
        train, test = splits_of(search, X, y)[split]
        params = search.cv_results_["params"][candidate] | {"n_iter_no_change": 10**6}
        model = single(max_iter=9).set_params(**params)
        model.fit(X[train], y[train], X_val=X[test], y_val=y[test])
        n_epochs = search.cv_results_["n_epochs"][candidate]
        assert own["epoch"].tolist() == list(range(1, n_epochs + 1))
        for name in CURVES:
            np.testing.assert_array_equal(own[name], model.history_[name][:n_epochs])
        scored = own.dropna(subset="score")
        np.testing.assert_array_equal(scored["score"], scored["validation_accuracy"])
    assert curves["candidate"].nunique() == 4


def test_curves_of_a_fold_with_a_class_that_is_not_in_training(single, iris):
    X, y = iris
    y = np.where(np.arange(150) == 3, 3, y)
    cv = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    search = listed(single(max_iter=3), [{"alpha": 0.0}, {"alpha": 0.1}], cv=cv, eta=2).fit(X, y)
    curves = search.learning_curves_
    train, test = cv[0]
    known = test[y[test] != 3]
    best = search.best_index_
    own = curves[(curves["candidate"] == best) & (curves["split"] == 0)]
    model = single(max_iter=3, **search.best_params_, n_iter_no_change=99)
    model.fit(X[train], y[train], X_val=X[known], y_val=y[known])
    for name in CURVES:
        np.testing.assert_array_equal(own[name], model.history_[name])
    last = own["validation_accuracy"].iloc[-1]
    assert own["score"].iloc[-1] == pytest.approx(last * 59 / 60)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_early_stopping_goes_on_where_it_stood(quick, iris, scoring):
    X, y = iris
    model = quick(max_iter=27, early_stopping=True, learning_rate="constant", n_iter_no_change=3)
    candidates = [{"learning_rate_init": rate} for rate in (0.003, 0.1, 0.3)]
    search = listed(model, candidates, scoring=scoring).fit(X, y)
    curves = search.learning_curves_
    stopped = False
    for (candidate, split), own in curves.groupby(["candidate", "split"]):
        train, test = splits_of(search, X, y)[split]
        for epoch, score in own.dropna(subset="score")[["epoch", "score"]].to_numpy():
            whole = clone(model).set_params(**search.cv_results_["params"][candidate])
            whole.set_params(max_iter=int(epoch)).fit(X[train], y[train])
            expected = whole.score(X[test], y[test])
            if scoring:
                expected = -log_loss(y[test], whole.predict_proba(X[test]))
            assert score == expected
            assert whole.n_iter_ == epoch
        for name in CURVES:
            np.testing.assert_array_equal(own[name], whole.history_[name])
        stopped |= whole.n_iter_ < 27 and own["epoch"].max() not in (3, 9)
    assert stopped
    plain = listed(model, candidates, scoring=scoring, resource=None).fit(X, y)
    best = plain.cv_results_["params"].index(search.best_params_)
    assert plain.cv_results_["mean_test_score"][best] == search.best_score_


def test_a_candidate_that_stopped_early_has_come_to_the_end(quick, iris):
    model = quick(max_iter=27, early_stopping=True, n_iter_no_change=1, tol=10.0)
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1, 1.0, 10.0)]
    search = listed(model, candidates, min_epochs=3).fit(*iris)
    assert search.cv_results_["n_epochs"].tolist() == [2] * 4
    plain = listed(model, search.cv_results_["params"], resource=None).fit(*iris)
    for name in ("mean_test_score", "rank_test_score"):
        where = [plain.cv_results_["params"].index(p) for p in search.cv_results_["params"]]
        np.testing.assert_array_equal(search.cv_results_[name], plain.cv_results_[name][where])
    assert search.learning_curves_["epoch"].max() == 2


@pytest.mark.parametrize("max_epochs", [None, 9])
def test_early_stopping_is_not_ranked_behind_longer_training(quick, iris, max_epochs):
    model = quick(max_iter=27, early_stopping=True, tol=0.0, n_iter_no_change=99)
    stops = {"n_iter_no_change": 1, "tol": 10.0, "learning_rate_init": 1e-4}
    candidates = [stops, *({"learning_rate_init": rate} for rate in (0.01, 0.02, 0.05))]
    search = listed(model, candidates, min_epochs=3, max_epochs=max_epochs).fit(*iris)
    where = [search.cv_results_["params"].index(params) for params in candidates]
    n_epochs = search.cv_results_["n_epochs"][where].tolist()
    assert n_epochs[0] == 2
    assert sorted(n_epochs[1:]) == ([3, 9, 27] if max_epochs is None else [3, 9, 9])
    ranks = search.cv_results_["rank_test_score"][where]
    left = np.array(n_epochs) == 3
    assert ranks[0] < ranks[left].max() == 4
    assert ranks[0] == (2 if max_epochs is None else 3)
