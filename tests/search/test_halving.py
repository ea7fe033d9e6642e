"""Successive halving: candidates go on from rung to rung as if they had never stopped."""

import os
import pickle
import signal
import sqlite3
import subprocess
import sys
import textwrap
from math import ceil

import joblib
import numpy as np
import pandas as pd
import pytest
import search_checks
from scipy.stats import loguniform, randint
from sklearn.base import BaseEstimator, RegressorMixin, clone
from sklearn.datasets import make_regression
from sklearn.exceptions import FitFailedWarning, NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

import skbn.search.coarse_to_fine as coarse_to_fine
import skbn.search.evaluation as evaluation
from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, hidden_layers

SPACE = {
    "learning_rate_init": loguniform(1e-3, 0.3),
    "hidden_layer_sizes": hidden_layers((1, 2), (4, 8)),
    "dropout": [0.0, 0.2],
}
CURVES = ["loss", "validation_loss", "validation_accuracy"]
DIVERGING = 1e30


RUNGS = {"resource": "epochs", "min_epochs": 1, "cv": 2, "random_state": 0}


@pytest.fixture(scope="module")
def make(quick):
    """A search of two rounds of five and four candidates, on rungs of 1, 3 and 9 epochs."""

    def search(model=None, space=SPACE, **options):
        model = quick(max_iter=9) if model is None else model
        defaults = RUNGS | {"n_candidates": 9, "n_rounds": 2}
        return CoarseToFineSearchCV(model, space, **(defaults | options))

    return search


@pytest.fixture(scope="module")
def searched(make, iris):
    return make().fit(*iris)


def listed(model, candidates, **options):
    """A search of one round that evaluates these candidates and no others."""
    space = [{name: [value] for name, value in params.items()} for params in candidates]
    options = RUNGS | options
    return CoarseToFineSearchCV(model, space, n_candidates=len(space), n_rounds=1, **options)


def splits_of(search, X, y):
    return list(StratifiedKFold(search.n_splits_).split(X, y))


def same_results(search, other):
    """All columns but the times are equal, and the learning curves too."""
    search_checks.same_results(search, other)
    pd.testing.assert_frame_equal(search.learning_curves_, other.learning_curves_, check_exact=True)
    assert search.best_params_ == other.best_params_


def sizes_of_rungs(search):
    """Candidates that reached each epoch of a rung, by round."""
    results = pd.DataFrame(search.cv_results_)
    rungs = sorted(search.learning_curves_.dropna(subset="score")["epoch"].unique())
    return [
        [int((part["n_epochs"] >= rung).sum()) for rung in rungs]
        for _, part in results.groupby("round")
    ]


@pytest.fixture
def jobs(monkeypatch):
    """Candidate, rung and split of all that was trained, and the epochs that it took."""
    made = []

    def watch(parent, members, splits, rules, train=evaluation.train):
        done = train(parent, members, splits, rules)
        made.extend((*d[:3], len(d.result["curves"].get("loss", []))) for d in done)
        return done

    monkeypatch.setattr(evaluation, "train", watch)
    return made


def test_each_score_is_that_of_a_training_that_stopped_there(make, iris, quick):
    X, y = iris
    searched = make(quick(max_iter=9, calibrate=False)).fit(X, y)
    curves = searched.learning_curves_.dropna(subset="score")
    for candidate, params in enumerate(searched.cv_results_["params"]):
        for split, (train, test) in enumerate(splits_of(searched, X, y)):
            model = quick(max_iter=9, calibrate=False).set_params(**params)
            own = curves[(curves["candidate"] == candidate) & (curves["split"] == split)]
            for epoch, score in zip(own["epoch"], own["score"], strict=True):
                while getattr(model, "n_iter_", 0) < epoch:
                    model.partial_fit(X[train], y[train], classes=np.unique(y))
                assert model.score(X[test], y[test]) == score
            assert epoch == searched.cv_results_["n_epochs"][candidate]
            assert score == searched.cv_results_[f"split{split}_test_score"][candidate]


def test_one_in_eta_goes_on_and_the_worst_leave(searched):
    assert sizes_of_rungs(searched) == [[5, 2, 1], [4, 2, 1]]
    curves = searched.learning_curves_
    means = curves.groupby(["candidate", "epoch"])["score"].mean().unstack()
    for _, part in pd.DataFrame(searched.cv_results_).groupby("round"):
        for rung, following in ((1, 3), (3, 9)):
            here = means.loc[part.index, rung].dropna()
            goes_on = means.loc[here.index, following].notna()
            assert here[goes_on].min() >= here[~goes_on].max()


@pytest.mark.filterwarnings("ignore:the best")  # may lie at an end, by chance
@pytest.mark.parametrize(
    ("options", "rungs"),
    [
        ({}, [1, 3, 9]),
        ({"min_epochs": None}, [3, 9]),
        ({"min_epochs": None, "eta": 2}, [5, 9]),
        ({"min_epochs": None, "max_epochs": 4}, [2, 4]),
        ({"min_epochs": 2}, [2, 6, 9]),
        ({"min_epochs": 9}, [9]),
        ({"max_epochs": 4}, [1, 3, 4]),
        ({"max_epochs": 6, "min_epochs": 2, "eta": 2}, [2, 4, 6]),
        ({"eta": 10}, [1, 9]),
        ({"max_epochs": 20, "min_epochs": 5}, [5, 9]),
    ],
)
def test_rungs_are_eta_times_as_long_each(make, iris, options, rungs):
    search = make(n_rounds=1, refit=False, **options).fit(*iris)
    scored = search.learning_curves_.dropna(subset="score")
    assert sorted(set(scored["epoch"])) == rungs
    sizes = [9]
    for _ in rungs[1:]:
        sizes.append(ceil(sizes[-1] / options.get("eta", 3)))
    assert sizes_of_rungs(search) == [sizes]


@pytest.mark.parametrize("min_epochs", [1, 2, None])
def test_the_longest_training_that_is_drawn_decides(quick, iris, make, min_epochs):
    space = {"max_iter": randint(2, 9), "alpha": loguniform(1e-3, 1)}
    search = make(quick(max_iter=100), space, n_rounds=1, min_epochs=min_epochs).fit(*iris)
    results = pd.DataFrame(search.cv_results_)
    most, epochs = results["param_max_iter"].astype(int), results["n_epochs"]
    first = min_epochs or 3  # a third of eight
    assert epochs[epochs < most].isin([first, 3 * first]).all()
    assert (epochs >= np.minimum(most, first)).all()
    ended = epochs == most
    assert 1 <= ended.sum() < 9
    assert results["rank_test_score"][ended].max() < results["rank_test_score"][~ended].min()
    plain = listed(quick(), results["params"], resource=None).fit(*iris).cv_results_
    scores = dict(zip(map(repr, plain["params"]), plain["mean_test_score"], strict=True))
    same = results["params"].map(lambda params: scores[repr(params)]) == results["mean_test_score"]
    assert same[ended].all()


@pytest.mark.parametrize("prefix", ["", "bnsoftmaxclassifier__"])
def test_the_longest_of_several_spaces(quick, iris, prefix):
    model = make_pipeline(StandardScaler(), quick(max_iter=4)) if prefix else quick(max_iter=4)
    values = [{"alpha": 0.1}, {"alpha": 0.2, "max_iter": 6}, {"max_iter": 2}]
    candidates = [{f"{prefix}{n}": v for n, v in params.items()} for params in values]
    search = listed(model, candidates, min_epochs=6).fit(*iris)
    where = [search.cv_results_["params"].index(params) for params in candidates]
    assert search.cv_results_["n_epochs"][where].tolist() == [4, 6, 2]
    with pytest.raises(ValueError, match="min_epochs=7 is above the 6 epochs"):
        search.set_params(min_epochs=7).fit(*iris)


def test_those_trained_to_the_end_score_what_they_do_without_halving(make, searched, iris, quick):
    plain = listed(quick(max_iter=9), searched.cv_results_["params"], resource=None).fit(*iris)
    where = [plain.cv_results_["params"].index(p) for p in searched.cv_results_["params"]]
    ended = searched.cv_results_["n_epochs"] == 9
    assert ended.sum() == 2
    for split in (0, 1):
        name = f"split{split}_test_score"
        np.testing.assert_array_equal(
            searched.cv_results_[name][ended], plain.cv_results_[name][where][ended]
        )


def test_the_best_is_one_of_those_that_came_to_the_end(searched):
    results = pd.DataFrame(searched.cv_results_)
    best = searched.best_index_
    assert results.loc[best, "n_epochs"] == 9
    assert results.loc[best, "rank_test_score"] == 1
    assert searched.best_score_ == results.loc[best, "mean_test_score"]
    assert searched.best_score_ == results.query("n_epochs == 9")["mean_test_score"].max()
    assert searched.best_estimator_.n_iter_ == 9


def test_ranks_put_those_first_that_came_further(searched):
    results = pd.DataFrame(searched.cv_results_)
    order = results.sort_values(["n_epochs", "mean_test_score"], ascending=False)[
        "rank_test_score"
    ].tolist()
    assert order == sorted(order)
    assert order[0] == 1
    assert results["rank_test_score"].dtype == np.int32
    for level, part in results.groupby("n_epochs"):
        above = int((results["n_epochs"] > level).sum())
        expected = above + part["mean_test_score"].rank(ascending=False, method="min")
        assert part["rank_test_score"].tolist() == expected.tolist()


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


def test_one_that_stopped_early_has_come_to_the_end(quick, iris):
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
def test_it_is_not_behind_those_that_trained_longer(quick, iris, max_epochs):
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


@pytest.mark.parametrize("memory_budget", [1.0, 3e4, 1e5])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_what_memory_cannot_hold_is_trained_again(make, quick, iris, memory_budget, early_stopping):
    model = quick(max_iter=9, early_stopping=early_stopping, n_iter_no_change=4)
    same_results(make(model, memory_budget=memory_budget).fit(*iris), make(model).fit(*iris))


def test_nothing_is_trained_twice_with_memory_enough(make, iris, jobs):
    search = make().fit(*iris)
    assert sum(n for *_, n in jobs) == len(search.learning_curves_)
    assert len(jobs) == 2 * (5 + 2 + 1 + 4 + 2 + 1)
    assert len({job[:3] for job in jobs}) == len(jobs)
    jobs.clear()
    search = make(memory_budget=1.0).fit(*iris)
    assert sum(n for *_, n in jobs) > len(search.learning_curves_)


@pytest.mark.parametrize("memory_budget", [1e5, 2**28])
def test_jobs_change_nothing(make, iris, searched, memory_budget):
    same_results(make(n_jobs=2, memory_budget=memory_budget).fit(*iris), searched)


@pytest.mark.parametrize("memory_budget", [1e5, 2**28])
def test_threads_change_nothing(make, iris, searched, memory_budget):
    with joblib.parallel_config("threading", n_jobs=3):
        same_results(make(memory_budget=memory_budget).fit(*iris), searched)


@pytest.fixture
def scaled(quick):
    net = quick(max_iter=9, calibrate=False)
    return Pipeline([("scaler", StandardScaler()), ("net", net)])


def test_transformers_and_last_steps_may_differ(scaled, quick, iris):
    candidates = [
        {"scaler": MinMaxScaler(), "net__alpha": 0.1},
        {"scaler": "passthrough"},
        {"net": SGDClassifier(loss="log_loss", random_state=0, max_iter=9)},
        {"net": quick(max_iter=9, alpha=0.2, calibrate=False), "net__dropout": 0.1},
    ]
    X, y = iris
    search = listed(scaled, candidates, min_epochs=3, eta=2, refit=False).fit(X, y)
    assert sorted(search.cv_results_["n_epochs"]) == [3, 3, 6, 9]
    assert_scores_of_partial_fit(search, X, y)


def assert_scores_of_partial_fit(search, X, y):
    """The scores on rungs are those of a last step trained so far by `partial_fit`."""
    scored = search.learning_curves_.dropna(subset="score")
    for candidate, params in enumerate(search.cv_results_["params"]):
        for split, (train, test) in enumerate(splits_of(search, X, y)):
            model, n_done = clone(search.estimator).set_params(**clone(params, safe=False)), 0
            before, last = model[:-1].fit(X[train]), model[-1]
            rows = before.transform(X[test])
            own = scored[(scored["candidate"] == candidate) & (scored["split"] == split)]
            for epoch, score in zip(own["epoch"], own["score"], strict=True):
                while n_done < epoch:
                    last.partial_fit(before.transform(X[train]), y[train], classes=np.unique(y))
                    n_done += 1
                if search.scoring == "neg_log_loss":
                    assert score == -log_loss(y[test], last.predict_proba(rows))
                else:
                    assert score == last.score(rows, y[test])
            assert n_done == search.cv_results_["n_epochs"][candidate]


def test_a_network_may_replace_another_last_step(quick, iris):
    model = Pipeline([("scaler", StandardScaler()), ("last", SGDClassifier(max_iter=9))])
    net = quick(max_iter=9, calibrate=False)
    candidates = [{"last": net, "last__alpha": alpha} for alpha in (0.0, 0.1, 1.0)]
    search = listed(model, candidates, refit=False).fit(*iris)
    assert_scores_of_partial_fit(search, *iris)
    assert search.learning_curves_["loss"].notna().all()


def test_a_last_step_that_cannot_train_by_epochs_fails(scaled, quick, iris):
    candidates = [{"net": LogisticRegression()}, {"net": GaussianNB()}, {"net": quick(max_iter=9)}]
    search = listed(scaled, candidates, min_epochs=3)
    with pytest.warns(Warning, match=r"no attribute 'partial_fit'|non-finite"):
        search.fit(*iris)
    kinds = [type(params["net"]).__name__ for params in search.cv_results_["params"]]
    scores = dict(zip(kinds, search.cv_results_["mean_test_score"], strict=True))
    assert np.isnan(scores.pop("LogisticRegression"))
    assert np.isfinite(list(scores.values())).all()
    assert "LogisticRegression" not in {kinds[i] for i in search.learning_curves_["candidate"]}
    assert search.best_index_ == search.cv_results_["n_epochs"].argmax()


def test_test_rows_without_a_score_do_not_stop_the_others(scaled, iris):
    X, y = iris
    X = np.where(np.arange(150)[:, None] == 3, np.nan, X)
    cv = [(np.arange(50, 150), np.arange(50)), (np.arange(75, 150), np.arange(50, 75))]
    search = listed(scaled, [{"net__alpha": 0.1}], cv=cv, error_score=0.0, refit=False)
    with pytest.warns(UserWarning, match="contains NaN"):
        search.fit(X, y)
    curves = search.learning_curves_.set_index(["split", "epoch"])
    assert curves.loc[0, "validation_loss"].isna().all()
    assert curves.loc[0, "score"].dropna().tolist() == [0.0] * 3
    assert curves.loc[1, CURVES].notna().all(axis=None)


def test_weights_go_with_every_epoch(scaled, iris):
    X, y = iris
    weights = np.random.default_rng(0).integers(1, 4, 150).astype(float)
    candidates = [{"net__alpha": alpha} for alpha in (0.0, 0.1, 1.0)]
    search = listed(scaled, candidates).fit(X, y, net__sample_weight=weights)
    sibling = RandomizedSearchCV(scaled, search.param_distributions, n_iter=3, cv=2)
    sibling.fit(X, y, net__sample_weight=weights)
    best = sibling.cv_results_["params"].index(search.best_params_)
    assert sibling.cv_results_["mean_test_score"][best] == search.best_score_
    plain = listed(scaled, candidates).fit(X, y)
    assert not plain.learning_curves_["loss"].equals(search.learning_curves_["loss"])


OTHERS = [
    (SGDClassifier(max_iter=9, tol=None, random_state=0), "alpha", "accuracy"),
    (SGDClassifier(max_iter=9, tol=None, loss="log_loss", random_state=0), "alpha", "neg_log_loss"),
    (MLPClassifier((5,), max_iter=9, random_state=0), "learning_rate_init", None),
]


@pytest.mark.parametrize(("last", "name", "scoring"), OTHERS, ids=str)
@pytest.mark.parametrize("memory_budget", [1.0, 2**28])
def test_other_estimators_train_by_partial_fit(iris, last, name, scoring, memory_budget):
    X, y = iris
    model = Pipeline([("scaler", StandardScaler()), ("last", last)])
    candidates = [{f"last__{name}": value} for value in (1e-4, 1e-3, 1e-2, 0.1)]
    options = {"scoring": scoring, "refit": False, "memory_budget": memory_budget}
    search = listed(model, candidates, **options).fit(X, y)
    curves = search.learning_curves_
    assert list(curves) == ["candidate", "split", "epoch", "score"]
    assert curves.dtypes.tolist() == [np.int64] * 3 + [np.float64]
    assert sorted(search.cv_results_["n_epochs"]) == [1, 1, 3, 9]
    assert_scores_of_partial_fit(search, X, y)


def test_a_regressor(make):
    X, y = make_regression(60, 5, random_state=0)
    model = SGDRegressor(max_iter=9, tol=None, random_state=0)
    search = make(model, {"alpha": loguniform(1e-5, 10)}, n_rounds=1, cv=3)
    search.fit(X, y)
    best = clone(model).set_params(**search.best_params_)
    train, test = list(KFold(3).split(X))[1]
    for _ in range(9):
        best.partial_fit(X[train], y[train])
    found = search.cv_results_["split1_test_score"][search.best_index_]
    assert found == best.score(X[test], y[test])
    assert sizes_of_rungs(search) == [[9, 3, 1]]
    assert search.predict(X).shape == (60,)


def test_an_estimator_without_max_iter_trains_for_max_epochs(make, iris):
    space = {"var_smoothing": loguniform(1e-9, 1)}
    with pytest.raises(ValueError, match=r"GaussianNB has no max_iter; give max_epochs"):
        make(GaussianNB(), space).fit(*iris)
    search = make(GaussianNB(), space, max_epochs=4, eta=2).fit(*iris)
    assert set(search.cv_results_["n_epochs"]) == {1, 2, 4}
    assert search.cv_results_["n_epochs"][search.best_index_] == 4


class Subclass(BNSoftmaxClassifier):
    """Another class, which may train in its own way."""


def test_subclasses_train_by_partial_fit(quick, iris):
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1, 1.0)]
    model = quick(max_iter=9, calibrate=False)
    mine = listed(Subclass(**model.get_params()), candidates).fit(*iris)
    its = listed(model, candidates).fit(*iris)
    columns = ["candidate", "split", "epoch", "score"]
    assert list(mine.learning_curves_) == columns
    expected = its.learning_curves_.dropna(subset="score")[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine.learning_curves_, expected, check_exact=True)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"min_epochs": 0}, "min_epochs"),
        ({"min_epochs": 1.5}, "min_epochs"),
        ({"max_epochs": 0}, "max_epochs"),
        ({"eta": 1}, "eta"),
        ({"eta": 2.5}, "eta"),
        ({"resource": "iterations"}, "resource"),
        ({"memory_budget": 0}, "memory_budget"),
        ({"min_epochs": 10}, "min_epochs=10 is above the 9 epochs of a training"),
        ({"min_epochs": 4, "max_epochs": 3}, "min_epochs=4 is above the 3 epochs of a training"),
    ],
)
def test_bad_rungs_are_refused_before_any_fit(make, iris, jobs, options, message):
    with pytest.raises(ValueError, match=message):
        make(**options).fit(*iris)
    assert jobs == []


@pytest.mark.parametrize(
    ("model", "space", "name"),
    [
        (LogisticRegression(), {"C": [1.0]}, "LogisticRegression"),
        (make_pipeline(StandardScaler(), LogisticRegression()), {"memory": [None]}, "Logistic"),
        (MLPClassifier(solver="lbfgs"), {"alpha": [0.1]}, "MLPClassifier"),
        (make_pipeline("passthrough"), {"memory": [None]}, "str"),
    ],
)
def test_an_estimator_without_partial_fit_is_refused(make, iris, model, space, name):
    with pytest.raises(ValueError, match=rf"needs partial_fit; {name}\w* has none"):
        make(model, space).fit(*iris)


def test_several_scores(make, iris, searched):
    scoring = ["accuracy", "neg_log_loss"]
    search = make(scoring=scoring, refit="accuracy").fit(*iris)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_accuracy"], searched.cv_results_["mean_test_score"]
    )
    pd.testing.assert_frame_equal(
        search.learning_curves_, searched.learning_curves_, check_exact=True
    )
    other = make(scoring=scoring, refit="neg_log_loss").fit(*iris)
    results = pd.DataFrame(other.cv_results_)
    for name in scoring:
        assert results.loc[results[f"rank_test_{name}"] == 1, "n_epochs"].eq(9).all()
    assert other.best_score_ == results.query("n_epochs == 9")["mean_test_neg_log_loss"].max()
    first = make(scoring=scoring[::-1], refit=False).fit(*iris)
    assert first.learning_curves_["score"].max() < 0
    same = {"params", "n_epochs", "mean_test_accuracy"}
    assert all(list(first.cv_results_[n]) == list(other.cv_results_[n]) for n in same)


def two_scores(model, X, y):
    return {"first": model.score(X, y), "second": 0.0}


def test_a_callable_that_gives_several_scores(make, iris, searched):
    search = make(scoring=two_scores, refit="first").fit(*iris)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_first"], searched.cv_results_["mean_test_score"]
    )
    pd.testing.assert_frame_equal(search.learning_curves_, searched.learning_curves_)


def test_a_callable_refit_chooses_among_those_that_came_to_the_end(make, iris):
    seen = []

    def worst(results):
        seen.append(results)
        return int(np.argmin(results["mean_test_score"]))

    search = make(refit=worst).fit(*iris)
    ended = np.flatnonzero(search.cv_results_["n_epochs"] == 9)
    assert search.best_index_ == ended[np.argmin(search.cv_results_["mean_test_score"][ended])]
    assert seen[0]["n_epochs"].tolist() == [9, 9]
    assert seen[0]["params"] == [search.cv_results_["params"][i] for i in ended]
    assert search.best_estimator_.get_params()["dropout"] == search.best_params_["dropout"]


def test_those_that_diverge_do_not_go_on(quick, iris):
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


def test_one_that_fails_on_a_higher_rung_is_not_the_best(iris):
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


def query(path, text):
    with sqlite3.connect(path) as db:
        rows = db.execute(text).fetchall()
    db.close()
    return rows


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.sqlite"


@pytest.fixture
def stop_after(monkeypatch):
    """Press Ctrl-C when so many populations were trained."""

    original = evaluation.train

    def stop(n):
        calls = []

        def train(parent, members, splits, rules, train=original):
            calls.append(len(members))
            if len(calls) > n:
                raise KeyboardInterrupt
            return train(parent, members, splits, rules)

        monkeypatch.setattr(evaluation, "train", train)

    yield stop
    monkeypatch.undo()


@pytest.mark.parametrize("n", [8, 10, 12, 14, 17, 25, 29])
def test_after_ctrl_c_it_goes_on(make, iris, searched, path, stop_after, n):
    stop_after(n)
    with pytest.warns(UserWarning, match="Ctrl-C: the search ended"):
        search = make(journal=path, memory_budget=1.0).fit(*iris)
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
    same_results(copy, searched)
    same_results(make(journal=path).fit(*iris), searched)


def test_ctrl_c_before_a_candidate_is_complete_is_passed_on(make, iris, path, stop_after, searched):
    stop_after(1)
    with pytest.raises(KeyboardInterrupt):
        make(journal=path, memory_budget=1.0).fit(*iris)
    stop_after(np.inf)
    assert query(path, "SELECT count(*) FROM results") == [(1,)]
    same_results(make(journal=path).fit(*iris), searched)


def test_a_journal_keeps_rungs_and_only_what_is_missing_is_trained(
    make, iris, searched, path, jobs
):
    same_results(make(journal=path).fit(*iris), searched)
    jobs.clear()
    same_results(make(journal=path, memory_budget=1.0).fit(*iris), searched)
    assert jobs == []
    missing = query(path, "SELECT candidate, rung, split FROM results WHERE rung > 1")
    with sqlite3.connect(path) as db:
        db.execute("DELETE FROM results WHERE rung > 1")
        db.execute("DELETE FROM results WHERE candidate = 1 AND split = 0")
    db.close()
    same_results(make(journal=path).fit(*iris), searched)
    missing += [(1, rung, 0) for rung in range(len(searched._study.trials[1].rungs))]
    assert {job[:3] for job in jobs} == set(missing)


def test_a_journal_of_other_estimators(make, iris, path):
    model = SGDClassifier(max_iter=9, tol=None, random_state=0)
    options = {"space": {"alpha": loguniform(1e-5, 1)}, "journal": path}
    same_results(make(model, **options).fit(*iris), make(model, **options).fit(*iris))


def test_a_journal_with_some_that_diverge(make, quick, iris, path):
    model = quick(max_iter=9, learning_rate="cosine", warmup_fraction=0.5)
    options = {"space": {"learning_rate_init": loguniform(1e-3, 1e20)}, "n_candidates": 16}
    found = []
    for _ in range(2):
        search = make(model, journal=path, eta=2, **options)
        with pytest.warns(Warning, match=r"fits failed|non-finite"):
            found.append(search.fit(*iris))
    same_results(*found)
    assert 1 <= np.isnan(found[0].cv_results_["mean_test_score"]).sum() < 8


@pytest.mark.parametrize(
    "change", [{"resource": None}, {"min_epochs": 2}, {"max_epochs": 9}, {"eta": 2}]
)
def test_the_journal_of_other_rungs_is_refused(make, iris, path, jobs, change):
    make(journal=path).fit(*iris)
    before = path.read_bytes()
    jobs.clear()
    with pytest.raises(ValueError, match="belongs to a search with another resource"):
        make(journal=path, **change).fit(*iris)
    assert jobs == []
    assert path.read_bytes() == before


SCRIPT = textwrap.dedent("""
    import os, signal, sys
    import numpy as np
    from scipy.stats import loguniform
    import skbn.search.evaluation as evaluation
    from skbn import BNSoftmaxClassifier
    from skbn.search import CoarseToFineSearchCV

    train, calls = evaluation.train, []

    def killed(*args):
        calls.append(args)
        if len(calls) > int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        return train(*args)

    evaluation.train = killed
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


def test_extend_adds_rounds_of_rungs(make, iris, searched, path):
    extended = make(journal=path).fit(*iris).extend(*iris)
    assert sizes_of_rungs(extended) == [[5, 2, 1], [4, 2, 1], [4, 2, 1]]
    same_results(make().fit(*iris).extend(*iris), extended)
    before = extended.learning_curves_[extended.learning_curves_["candidate"] < 9]
    pd.testing.assert_frame_equal(before, searched.learning_curves_)
    with pytest.raises(ValueError, match="resource changed"):
        extended.set_params(eta=2).extend(*iris)


def test_retune_takes_over_the_best_and_trains_them_on_the_new_rows(make, iris, quick):
    X, y = iris
    search = make().fit(X, y)
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

    def train(parent, members, splits, rules, train=evaluation.train):
        now[0] += 1
        return train(parent, members, splits, rules)

    monkeypatch.setattr(evaluation, "train", train)
    monkeypatch.setattr(coarse_to_fine, "perf_counter", lambda: now[0])
    return now


@pytest.mark.parametrize("seconds", [0.5, 3.5, 9.5, 10.5, 12.5, 15.5, 24.5])
def test_when_time_is_over_the_best_is_one_of_those_that_came_furthest(
    make, iris, searched, clock, seconds
):
    search = make(time_budget=seconds, memory_budget=1.0).fit(*iris)
    assert clock[0] == ceil(seconds) + (seconds < 5)  # one candidate is completed
    results = pd.DataFrame(search.cv_results_)
    furthest = results["n_epochs"] == results["n_epochs"].max()
    assert furthest[search.best_index_]
    assert search.best_score_ == results.loc[furthest, "mean_test_score"].max()
    assert results.loc[search.best_index_, "rank_test_score"] == 1
    assert search.best_estimator_.n_iter_ == 9
    search.set_params(time_budget=None)
    search.extend(*iris, n_rounds=2 - search._study.n_complete_rounds())
    same_results(search, searched)


def test_a_spent_budget_still_completes_one_candidate(make, iris):
    search = make(time_budget=1e-9).fit(*iris)
    assert search.cv_results_["n_epochs"].tolist() == [1]
    assert search.best_estimator_.n_iter_ == 9


def test_progress_ends_with_all_fits(make, iris, capsys):
    make(verbose=1, scoring="accuracy").fit(*iris)
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("30/30 fits, best accuracy 0.")


def test_scikit_learns_callbacks_are_called(make, iris):
    pytest.importorskip("sklearn.callback")
    recorder = search_checks.Recorder()
    make().set_callbacks(recorder).fit(*iris)
    assert recorder.seen[:2] == ["setup", "fit"]
    assert recorder.seen[-2:] == ["end", "teardown"]
    assert recorder.seen.count("round") == 6
    assert recorder.seen.count("candidate-split-evaluation") == 30
    assert recorder.seen.count("refit") == 1
    assert recorder.seen.count("end") == 1 + 6 + 30 + 1
    assert recorder.subtasks[0] == ("fit", 7)
    assert [n for name, n in recorder.subtasks if name == "round"] == [10, 4, 2, 8, 4, 2]


def test_a_fitted_search_is_cloned_and_pickled(searched, iris):
    loaded = pickle.loads(pickle.dumps(searched))
    same_results(loaded, searched)
    same_results(loaded.extend(*iris), pickle.loads(pickle.dumps(searched)).extend(*iris))
    copy = clone(searched)
    assert not hasattr(copy, "learning_curves_")
    with pytest.raises(NotFittedError):
        copy.predict(iris[0])


def test_without_halving_there_are_neither_curves_nor_epochs(make, iris):
    search = make().fit(*iris)
    search.set_params(resource=None).fit(*iris)
    assert not hasattr(search, "learning_curves_")
    assert "n_epochs" not in search.cv_results_
