"""Successive halving: candidates go on from rung to rung as if they had never stopped."""

from math import ceil

import joblib
import numpy as np
import pandas as pd
import pytest
import search_checks
from halving_checks import listed, same_results, sizes_of_rungs, splits_of
from scipy.stats import loguniform, randint
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

pytestmark = pytest.mark.slow


def test_each_score_is_that_of_a_training_that_stopped_there(halving, iris, quick):
    X, y = iris
    halved = halving(quick(max_iter=9, calibrate=False)).fit(X, y)
    curves = halved.learning_curves_.dropna(subset="score")
    for candidate, params in enumerate(halved.cv_results_["params"]):
        for split, (train, test) in enumerate(splits_of(halved, X, y)):
            model = quick(max_iter=9, calibrate=False).set_params(**params)
            own = curves[(curves["candidate"] == candidate) & (curves["split"] == split)]
            for epoch, score in zip(own["epoch"], own["score"], strict=True):
                while getattr(model, "n_iter_", 0) < epoch:
                    model.partial_fit(X[train], y[train], classes=np.unique(y))
                assert model.score(X[test], y[test]) == score
            assert epoch == halved.cv_results_["n_epochs"][candidate]
            assert score == halved.cv_results_[f"split{split}_test_score"][candidate]


def test_one_in_eta_goes_on_and_the_worst_leave(halved):
    assert sizes_of_rungs(halved) == [[5, 2, 1], [4, 2, 1]]
    curves = halved.learning_curves_
    means = curves.groupby(["candidate", "epoch"])["score"].mean().unstack()
    for _, part in pd.DataFrame(halved.cv_results_).groupby("round"):
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
def test_rungs_are_eta_times_as_long_each(halving, iris, options, rungs):
    search = halving(n_rounds=1, refit=False, **options).fit(*iris)
    scored = search.learning_curves_.dropna(subset="score")
    assert sorted(set(scored["epoch"])) == rungs
    sizes = [9]
    for _ in rungs[1:]:
        sizes.append(ceil(sizes[-1] / options.get("eta", 3)))
    assert sizes_of_rungs(search) == [sizes]


@pytest.mark.parametrize("min_epochs", [1, 2, None])
def test_the_longest_training_that_is_drawn_decides(quick, iris, halving, min_epochs):
    space = {"max_iter": randint(2, 9), "alpha": loguniform(1e-3, 1)}
    search = halving(quick(max_iter=100), space, n_rounds=1, min_epochs=min_epochs).fit(*iris)
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


def test_candidates_trained_to_the_end_score_as_without_halving(halving, halved, iris, quick):
    plain = listed(quick(max_iter=9), halved.cv_results_["params"], resource=None).fit(*iris)
    where = [plain.cv_results_["params"].index(p) for p in halved.cv_results_["params"]]
    ended = halved.cv_results_["n_epochs"] == 9
    assert ended.sum() == 2
    for split in (0, 1):
        name = f"split{split}_test_score"
        np.testing.assert_array_equal(
            halved.cv_results_[name][ended], plain.cv_results_[name][where][ended]
        )


def test_the_best_was_trained_to_the_end(halved):
    results = pd.DataFrame(halved.cv_results_)
    best = halved.best_index_
    assert results.loc[best, "n_epochs"] == 9
    assert results.loc[best, "rank_test_score"] == 1
    assert halved.best_score_ == results.loc[best, "mean_test_score"]
    assert halved.best_score_ == results.query("n_epochs == 9")["mean_test_score"].max()
    assert halved.best_estimator_.n_iter_ == 9


def test_ranks_put_longer_training_first(halved):
    results = pd.DataFrame(halved.cv_results_)
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


@pytest.mark.parametrize("memory_budget", [1.0, 3e4, 1e5])
@pytest.mark.parametrize("early_stopping", [False, True])
def test_networks_that_memory_cannot_hold_are_trained_again(
    halving, quick, iris, memory_budget, early_stopping
):
    model = quick(max_iter=9, early_stopping=early_stopping, n_iter_no_change=4)
    same_results(halving(model, memory_budget=memory_budget).fit(*iris), halving(model).fit(*iris))


def test_nothing_is_trained_twice_with_memory_enough(halving, iris, jobs):
    search = halving().fit(*iris)
    assert sum(n for *_, n in jobs) == len(search.learning_curves_)
    assert len(jobs) == 2 * (5 + 2 + 1 + 4 + 2 + 1)
    assert len({job[:3] for job in jobs}) == len(jobs)
    jobs.clear()
    search = halving(memory_budget=1.0).fit(*iris)
    assert sum(n for *_, n in jobs) > len(search.learning_curves_)


@pytest.mark.parametrize("memory_budget", [1e5, 2**28])
def test_jobs_change_nothing(halving, iris, halved, memory_budget):
    same_results(halving(n_jobs=2, memory_budget=memory_budget).fit(*iris), halved)


@pytest.mark.parametrize("options", [{}, {"n_jobs": 2}, {"memory_budget": 1.0}], ids=str)
def test_a_validation_set_is_there_on_each_rung(halving, quick, iris, options):
    """Fits that go on do so with another copy of the rows than they began with."""
    X, y = iris
    model, watched = quick(max_iter=9, n_iter_no_change=9), {"X_val": X[:30], "y_val": y[:30]}
    search = halving(model, **options).fit(X, y, **watched)
    same_results(search, halving(model).fit(X, y, **watched))


@pytest.mark.parametrize("memory_budget", [1e5, 2**28])
def test_threads_change_nothing(halving, iris, halved, memory_budget):
    with joblib.parallel_config("threading", n_jobs=3):
        same_results(halving(memory_budget=memory_budget).fit(*iris), halved)


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
def test_bad_rungs_are_refused_before_any_fit(halving, iris, jobs, options, message):
    with pytest.raises(ValueError, match=message):
        halving(**options).fit(*iris)
    assert jobs == []


def test_several_scores(halving, iris, halved):
    scoring = ["accuracy", "neg_log_loss"]
    search = halving(scoring=scoring, refit="accuracy").fit(*iris)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_accuracy"], halved.cv_results_["mean_test_score"]
    )
    pd.testing.assert_frame_equal(
        search.learning_curves_, halved.learning_curves_, check_exact=True
    )
    other = halving(scoring=scoring, refit="neg_log_loss").fit(*iris)
    results = pd.DataFrame(other.cv_results_)
    for name in scoring:
        assert results.loc[results[f"rank_test_{name}"] == 1, "n_epochs"].eq(9).all()
    assert other.best_score_ == results.query("n_epochs == 9")["mean_test_neg_log_loss"].max()
    first = halving(scoring=scoring[::-1], refit=False).fit(*iris)
    assert first.learning_curves_["score"].max() < 0
    same = {"params", "n_epochs", "mean_test_accuracy"}
    assert all(list(first.cv_results_[n]) == list(other.cv_results_[n]) for n in same)


def two_scores(model, X, y):
    return {"first": model.score(X, y), "second": 0.0}


def test_a_callable_that_gives_several_scores(halving, iris, halved):
    search = halving(scoring=two_scores, refit="first").fit(*iris)
    np.testing.assert_array_equal(
        search.cv_results_["mean_test_first"], halved.cv_results_["mean_test_score"]
    )
    pd.testing.assert_frame_equal(search.learning_curves_, halved.learning_curves_)


def test_a_callable_refit_chooses_among_candidates_trained_to_the_end(halving, iris):
    seen = []

    def worst(results):
        seen.append(results)
        return int(np.argmin(results["mean_test_score"]))

    search = halving(refit=worst).fit(*iris)
    ended = np.flatnonzero(search.cv_results_["n_epochs"] == 9)
    assert search.best_index_ == ended[np.argmin(search.cv_results_["mean_test_score"][ended])]
    assert seen[0]["n_epochs"].tolist() == [9, 9]
    assert seen[0]["params"] == [search.cv_results_["params"][i] for i in ended]
    assert search.best_estimator_.get_params()["dropout"] == search.best_params_["dropout"]


def test_progress_ends_with_all_fits(halving, iris, capsys):
    halving(verbose=1, scoring="accuracy").fit(*iris)
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("30/30 fits, best accuracy 0.")


def test_scikit_learns_callbacks_are_called(halving, iris):
    pytest.importorskip("sklearn.callback")
    recorder = search_checks.Recorder()
    halving().set_callbacks(recorder).fit(*iris)
    assert recorder.seen[:2] == ["setup", "fit"]
    assert recorder.seen[-2:] == ["end", "teardown"]
    assert recorder.seen.count("round") == 6
    assert recorder.seen.count("candidate-split-evaluation") == 30
    assert recorder.seen.count("refit") == 1
    assert recorder.seen.count("end") == 1 + 6 + 30 + 1
    assert recorder.subtasks[0] == ("fit", 7)
    assert [n for name, n in recorder.subtasks if name == "round"] == [10, 4, 2, 8, 4, 2]


def test_without_halving_there_are_neither_curves_nor_epochs(halving, iris):
    search = halving().fit(*iris)
    search.set_params(resource=None).fit(*iris)
    assert not hasattr(search, "learning_curves_")
    assert "n_epochs" not in search.cv_results_
