"""A search is read into a record: scores, rounds, bounds, importance."""

import sys

import numpy as np
import pytest
from made_searches import (
    DICT,
    WITHOUT_CURVES,
    as_fitted,
    by_epochs,
    in_rounds,
    log_place,
    mean_by_epoch,
)
from scipy.stats import loguniform
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB

from skbn.display import SearchDisplay
from skbn.display.record import (
    SearchRecord,
    best_by_round,
    best_candidate,
    final_scores,
    importances,
    mean_curves,
    n_going_on,
    rungs,
)
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("kind", WITHOUT_CURVES)
def test_a_search_from_coarse_to_fine(iris, kind):
    search = CoarseToFineSearchCV(
        GaussianNB(),
        {"var_smoothing": loguniform(1e-3, 1)},
        n_candidates=16,
        n_rounds=2,
        cv=2,
        random_state=0,
    ).fit(*iris)
    display = SearchDisplay.from_search(search, kind=kind)
    ends = [history["var_smoothing"] for history in search.bounds_history_]
    np.testing.assert_allclose(display.bounds[:, 0], log_place(ends, 1e-3, 1), atol=1e-5)
    np.testing.assert_array_equal(display.rounds, search.cv_results_["round"])
    np.testing.assert_array_equal(display.draws, search.cv_results_["draw"])


def test_a_random_search_over_an_array(iris):
    values = np.logspace(-3, 0, 4)
    search = RandomizedSearchCV(GaussianNB(), {"var_smoothing": values}, n_iter=4).fit(*iris)
    display = SearchDisplay.from_search(search)
    drawn = [params["var_smoothing"] for params in search.cv_results_["params"]]
    places = [(values.tolist().index(value) + 0.5) / 4 for value in drawn]
    np.testing.assert_allclose(display.units[:, 0], places)


@pytest.mark.parametrize("kind", WITHOUT_CURVES)
def test_a_search_without_rounds_is_one_round(kind):
    display = SearchDisplay.from_search(as_fitted(DICT), kind=kind)
    assert set(display.rounds) == {0}
    assert set(display.draws) == {"global"}
    display.figure_.canvas.draw()


def test_scores_of_several_metrics():
    search = as_fitted(DICT)
    scores = search.cv_results_.pop("mean_test_score")
    search.cv_results_ |= {"mean_test_loss": scores, "mean_test_accuracy": 2 * scores}
    search.refit = False
    first = SearchDisplay.from_search(search)
    assert first.score_name == "loss"
    search.refit = "accuracy"
    by_refit = SearchDisplay.from_search(search)
    assert by_refit.axes_[0].get_ylabel() == "accuracy"
    np.testing.assert_array_equal(by_refit.scores, 2 * scores)
    chosen = SearchDisplay.from_search(search, metric="loss")
    np.testing.assert_array_equal(chosen.scores, scores)
    with pytest.raises(ValueError, match=r"metric must be one of 'loss', 'accuracy'; got 'auc'"):
        SearchDisplay.from_search(search, metric="auc")


def test_a_single_score_has_the_name_of_its_scoring():
    search = as_fitted(DICT)
    search.scoring = "neg_log_loss"
    assert SearchDisplay.from_search(search).axes_[0].get_ylabel() == "neg_log_loss"


def test_what_matters_is_important_and_what_does_not_is_near_zero():
    display = SearchDisplay.from_search(as_fitted(DICT), kind="importance")
    importances = display.importances_
    assert importances.index[0] == "rate"
    assert importances["mean"].iloc[0] > 0.3
    assert importances["mean"].iloc[1:].abs().max() < 0.05
    widths = [bar.get_width() for bar in display.ax_.patches]
    np.testing.assert_array_equal(widths, importances["mean"])
    again = SearchDisplay.from_search(as_fitted(DICT), kind="importance").importances_
    assert again.equals(importances)


def test_importance_is_of_the_candidates_drawn_over_the_whole_space():
    search = in_rounds()
    alone = in_rounds()
    first = search.cv_results_["draw"] == "global"
    alone.cv_results_ = {
        name: [value for value, kept in zip(column, first, strict=True) if kept]
        for name, column in search.cv_results_.items()
    }
    # Those drawn nearby would make dropout look decisive.
    for params in np.array(search.cv_results_["params"])[~first]:
        params["net__dropout"] = 0.25
    search.cv_results_["mean_test_score"][~first] = 1
    table = SearchDisplay.from_search(search, kind="importance").importances_
    assert table.equals(SearchDisplay.from_search(alone, kind="importance").importances_)


def test_importance_needs_candidates():
    search = as_fitted(DICT, n=9)
    search.cv_results_["mean_test_score"][:2] = np.nan
    with pytest.raises(ValueError, match=r"needs at least 8 candidates.* got 7"):
        SearchDisplay.from_search(search, kind="importance")


def test_a_search_over_a_grid_is_refused(iris):
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior", "uniform"]}).fit(*iris)
    with pytest.raises(TypeError, match=r"search must have param_distributions, .*GridSearchCV"):
        SearchDisplay.from_search(search)


def test_a_record_needs_no_matplotlib(monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    search = by_epochs()
    record = SearchRecord.from_search(search)
    scores = search.cv_results_["mean_test_score"]
    np.testing.assert_array_equal(np.flatnonzero(np.isfinite(final_scores(record))), [3, 6, 8])
    np.testing.assert_array_equal(final_scores(record)[[3, 6, 8]], scores[[3, 6, 8]])
    assert best_candidate(record) == 8
    np.testing.assert_array_equal(search.cv_results_["round"], [0] * 5 + [1] * 2 + [2] * 2)
    assert best_by_round(record) == [3, 6, 8]
    np.testing.assert_array_equal(rungs(record.curves), [2, 6])
    assert [n_going_on(record.curves, rung) for rung in (2, 6, 12)] == [5, 3, 0]
    means = mean_curves(record.curves, "validation_loss")
    assert list(means) == list(range(9))
    for candidate, mean in means.items():
        expected = mean_by_epoch(search, candidate, "validation_loss")
        np.testing.assert_allclose(mean, expected)
    table, explained = importances(SearchRecord.from_search(as_fitted(DICT)))
    assert table.index[0] == "rate"
    assert 0.3 < explained < 1
