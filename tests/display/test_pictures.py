"""Pictures show what a search holds: coordinates, scores and bounds."""

import numpy as np
import pytest
from made_searches import DICT, LABELS, WITHOUT_CURVES, as_fitted, in_rounds, log_place
from scipy.stats import loguniform, uniform
from sklearn.model_selection import RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB

from skbn.display import SearchDisplay

pytestmark = pytest.mark.slow


def dots(panel, marker):
    """Where the candidates with a marker are in a panel of scores."""
    return panel.collections["ovx".index(marker)].get_offsets()


def test_dots_stand_at_parameters_and_scores(iris):
    distributions = {"var_smoothing": loguniform(1e-3, 1), "priors": [None]}
    search = RandomizedSearchCV(
        GaussianNB(), distributions, scoring="neg_log_loss", random_state=0
    ).fit(*iris)
    (panel,) = SearchDisplay.from_search(search).axes_
    results = search.cv_results_
    x = log_place([params["var_smoothing"] for params in results["params"]], 1e-3, 1)
    scores = results["mean_test_score"]
    shown = scores >= scores.max() - 3 * (scores.max() - np.median(scores))
    np.testing.assert_allclose(dots(panel, "o")[:, 0], x[shown])
    np.testing.assert_array_equal(dots(panel, "o")[:, 1], scores[shown])
    np.testing.assert_allclose(dots(panel, "v")[:, 0], x[~shown])
    assert [tick.get_text() for tick in panel.get_xticklabels()] == ["0.001", "0.01", "0.1", "1"]
    np.testing.assert_allclose(panel.get_xticks(), [0, 1 / 3, 2 / 3, 1], atol=1e-9)


def test_one_panel_for_each_coordinate_with_short_labels():
    display = SearchDisplay.from_search(in_rounds())
    assert [panel.get_xlabel() for panel in display.axes_] == LABELS
    assert all(panel.figure is display.figure_ for panel in display.axes_)
    names = [text.get_text() for text in display.axes_[5].get_xticklabels()]
    assert names == DICT["net__activation"]


def test_the_best_is_marked():
    search = in_rounds()
    scores = search.cv_results_["mean_test_score"]
    for panel in SearchDisplay.from_search(search).axes_:
        assert panel.collections[3].get_offsets()[0, 1] == scores.max()


def test_awful_candidates_are_triangles_at_the_edge_and_failed_ones_crosses():
    search = as_fitted({"a": uniform(0, 1)}, n=20, score=lambda params: 0)
    scores = np.append(np.linspace(0.9, 0.95, 15), [0.1, 0.2, -np.inf, np.nan, np.nan])
    search.cv_results_["mean_test_score"] = scores
    (panel,) = SearchDisplay.from_search(search).axes_
    assert [len(dots(panel, marker)) for marker in "ovx"] == [15, 2, 3]
    assert panel.get_ylim()[0] > 0.8
    assert dots(panel, "v")[:, 1].max() < 0.9


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [0.05, 1, 20])
def test_at_most_half_of_the_candidates_lie_below_the_axis(seed, shape):
    search = as_fitted({"a": uniform(0, 1)}, score=lambda params: 0)
    search.cv_results_["mean_test_score"] = np.random.default_rng(seed).random(40) ** shape
    (panel,) = SearchDisplay.from_search(search).axes_
    assert len(dots(panel, "v")) <= 20


def test_bars_are_the_bounds_of_each_round():
    display = SearchDisplay.from_search(in_rounds())
    rate, units = display.axes_[0], display.axes_[4]
    bounds = log_place([[1e-4, 1], [1e-3, 0.1], [3e-3, 0.03]], 1e-4, 1)
    np.testing.assert_allclose([line.get_xdata() for line in rate.lines], bounds, atol=1e-5)
    bounds = log_place(np.array([[32, 256], [64, 256], [64, 128]]) + 0.5, 32, 257)
    np.testing.assert_allclose([line.get_xdata() for line in units.lines], bounds, atol=1e-4)
    heights = [line.get_ydata()[0] for line in rate.lines]
    assert heights == sorted(heights, reverse=True)
    assert max(heights) < dots(rate, "o")[:, 1].min()


def test_narrowing_shows_bounds_and_the_best_so_far():
    search = in_rounds()
    display = SearchDisplay.from_search(search, kind="narrowing")
    assert [panel.get_title() for panel in display.axes_] == [
        label for label in LABELS if label != "activation"
    ]
    rate = display.axes_[0]
    ends = [[bar.get_y(), bar.get_y() + bar.get_height()] for bar in rate.patches]
    expected = log_place([[1e-4, 1], [1e-3, 0.1], [3e-3, 0.03]], 1e-4, 1)
    np.testing.assert_allclose(ends, expected, atol=1e-5)
    scores, rounds = search.cv_results_["mean_test_score"], search.cv_results_["round"]
    rates = np.array([params["net__rate"] for params in search.cv_results_["params"]])
    best = [rates[rounds <= n][scores[rounds <= n].argmax()] for n in range(3)]
    (path,) = rate.lines
    np.testing.assert_allclose(path.get_ydata(), log_place(best, 1e-4, 1))
    places = rate.collections[0].get_offsets()
    np.testing.assert_array_equal(np.round(places[:, 0]), rounds)
    np.testing.assert_allclose(places[:, 1], log_place(rates, 1e-4, 1))


def test_parallel_lines_end_at_their_scores_with_the_best_on_top():
    search = in_rounds()
    search.cv_results_["mean_test_score"][3] = np.nan
    display = SearchDisplay.from_search(search, kind="parallel")
    segments = np.array(display.ax_.collections[0].get_segments())
    assert segments.shape == (39, len(LABELS) + 1, 2)
    assert (np.diff(segments[:, -1, 1]) >= 0).all()
    scores = search.cv_results_["mean_test_score"]
    rates = np.array([params["net__rate"] for params in search.cv_results_["params"]])
    order = np.argsort(scores)[:39]
    np.testing.assert_allclose(segments[:, 0, 1], log_place(rates[order], 1e-4, 1))
    labels = [text.get_text() for text in display.ax_.get_xticklabels()]
    assert [label.replace("\n", " ") for label in labels] == [*LABELS, "score"]


@pytest.mark.parametrize("kind", WITHOUT_CURVES)
def test_parameters_of_several_dicts_have_panels_of_their_own(kind):
    dicts = [
        {"solver": ["adam"], "rate": loguniform(1e-4, 1e-1), "beta": uniform(0, 1)},
        {"solver": ["sgd"], "rate": loguniform(1e-3, 1), "momentum": uniform(0, 1)},
    ]
    search = as_fitted(dicts, score=lambda params: params["rate"])
    display = SearchDisplay.from_search(search, kind=kind)
    display.figure_.canvas.draw()
    labels = ["dict", "rate (dict 0)", "beta", "rate (dict 1)", "momentum"]
    if kind == "scores":
        assert [panel.get_xlabel() for panel in display.axes_] == labels
        n_adam = sum(params["solver"] == "adam" for params in search.cv_results_["params"])
        seen = [
            np.isfinite(np.ma.filled(np.vstack([dots(panel, m) for m in "ov"]), np.nan)[:, 0])
            for panel in display.axes_
        ]
        assert [s.sum() for s in seen] == [40, n_adam, n_adam, 40 - n_adam, 40 - n_adam]
