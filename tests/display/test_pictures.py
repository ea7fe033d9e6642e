"""Pictures show what a search holds: coordinates, scores, bounds and importance."""

import ast
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform, randint, uniform
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB

import skbn
from skbn import BNSoftmaxClassifier
from skbn.display import KINDS, SearchDisplay
from skbn.search import CoarseToFineSearchCV
from skbn.search.distributions import hidden_layers, log_randint, one_minus_loguniform
from skbn.search.space import Space

DICT = {
    "net__rate": loguniform(1e-4, 1),
    "net__momentum": one_minus_loguniform(0.9, 0.999),
    "net__batch_size": log_randint(16, 256),
    "net__layers": hidden_layers((1, 4), (32, 256)),
    "net__activation": ["relu", "tanh", "leaky_relu", "logistic"],
    "net__dropout": uniform(0, 0.5),
    "net__solver": ["sgd"],
}
LABELS = ["rate", "momentum", "batch_size", "layers: layers", "layers: units"]
LABELS += ["activation", "dropout"]
WITHOUT_CURVES = [kind for kind in KINDS if kind != "learning_curves"]


@pytest.fixture(autouse=True)
def pyplot():
    """Draw without a screen, and close all figures afterwards."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


def log_place(value, low, high):
    return np.log(np.asarray(value) / low) / np.log(high / low)


def rate_score(params):
    """Best where the rate is 0.01; the other parameters do nothing."""
    return -abs(np.log10(params["net__rate"]) + 2)


def as_fitted(distributions, n=40, score=rate_score, **attributes):
    """A search that was never run, with results as if it had been."""
    space = Space(distributions)
    points = np.random.default_rng(0).random((n, len(space.coordinates)))
    params = [space.decode(point) for point in points]
    search = RandomizedSearchCV(DummyClassifier(), distributions)
    search.cv_results_ = {
        "params": params,
        "mean_test_score": np.array([score(each) for each in params], dtype=float),
    }
    for name, value in attributes.items():
        setattr(search, name, value)
    return search


def in_rounds(distributions=DICT, **options):
    """The same in three rounds, of which the rate's bounds became narrower."""
    history = [
        {"net__rate": (1e-4, 1.0), "net__layers: units": (32, 256)},
        {"net__rate": (1e-3, 0.1), "net__layers: units": (64, 256)},
        {"net__rate": (3e-3, 0.03), "net__layers: units": (64, 128)},
    ]
    search = as_fitted(distributions, bounds_history_=history, **options)
    n = len(search.cv_results_["params"])
    search.cv_results_["round"] = np.repeat([0, 1, 2], [n - n // 2, n // 4, n // 2 - n // 4])
    search.cv_results_["draw"] = np.where(search.cv_results_["round"] == 0, "global", "local")
    return search


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


@pytest.mark.parametrize("layout", [None, "constrained", "tight"])
def test_panels_take_the_place_of_axes(pyplot, layout):
    figure, (left, right) = pyplot.subplots(1, 2, layout=layout)
    display = SearchDisplay.from_search(in_rounds(), ax=right)
    assert display.ax_ is right
    assert not right.axison
    assert display.figure_ is figure
    figure.canvas.draw()
    middle = left.get_position().x1
    assert all(panel.get_position().x0 > middle for panel in display.axes_)
    with pytest.raises(ValueError, match=r"ax was drawn on before; give ax=display\.axes_"):
        display.plot(right)
    again = display.plot(display.axes_)
    assert again is display


def test_panels_take_the_place_of_axes_without_a_grid(pyplot):
    ax = pyplot.figure().add_axes((0.5, 0.5, 0.4, 0.4))
    display = SearchDisplay.from_search(in_rounds(), ax=ax)
    assert all(panel.get_position().x0 > 0.49 for panel in display.axes_)


@pytest.mark.parametrize(("kind", "n_panels"), [("scores", 7), ("narrowing", 6)])
def test_panels_may_be_given(pyplot, kind, n_panels):
    _, axes = pyplot.subplots(2, 4)
    given = axes.ravel()[:n_panels]
    display = SearchDisplay.from_search(in_rounds(), kind=kind, ax=given)
    assert display.ax_ is None
    assert list(display.axes_) == list(given)
    assert all(ax.has_data() for ax in given)
    message = f"ax must be one Axes, or an array of {n_panels}, one a panel; got 8"
    with pytest.raises(ValueError, match=message):
        display.plot(axes, kind=kind)


@pytest.mark.parametrize("kind", ["parallel", "importance", "learning_curves"])
def test_pictures_without_panels_take_one_axes(pyplot, kind):
    _, axes = pyplot.subplots(1, 2)
    search = by_epochs() if kind == "learning_curves" else in_rounds()
    display = SearchDisplay.from_search(search, kind=kind, ax=axes[1])
    assert display.ax_ is axes[1]
    assert list(display.axes_) == [axes[1]]
    with pytest.raises(ValueError, match="ax must be one Axes for this kind of picture, got 2"):
        display.plot(axes, kind=kind)


@pytest.mark.parametrize("n_rounds", [1, 3])
def test_no_two_texts_of_panels_overlap(n_rounds):
    search = in_rounds() if n_rounds == 3 else as_fitted(DICT)
    for kind in ("scores", "narrowing"):
        display = SearchDisplay.from_search(search, kind=kind)
        display.figure_.canvas.draw()
        texts = [
            text
            for panel in display.axes_
            for text in [
                panel.xaxis.label,
                panel.yaxis.label,
                panel.title,
                *panel.get_xticklabels(),
                *panel.get_yticklabels(),
            ]
            if text.get_text() and text.get_visible() and not text.get_rotation() % 90
        ]
        (legend,) = [a.get_legend() for a in display.figure_.axes if a.get_legend()]
        boxes = [text.get_window_extent() for text in [*texts, *legend.get_texts()]]
        whole = display.figure_.bbox
        for i, box in enumerate(boxes):
            assert box.x0 >= whole.x0
            assert box.x1 <= whole.x1
            assert box.y0 >= whole.y0
            assert box.y1 <= whole.y1
            assert not box.count_overlaps(boxes[:i])


def by_epochs(n_epochs=(2, 6, 2, 12, 2, 6, 12, 2, 12), ended=(3, 6, 8)):
    """A search in rounds of which candidates trained to rungs at 2 and 6 epochs, or to 12.

    Their accuracies rise by epoch, and differ by candidate and split.
    """
    search = in_rounds(n=len(n_epochs))
    results, scores = search.cv_results_, np.linspace(0.8, 0.9, len(n_epochs))
    results["n_epochs"], results["mean_test_score"] = np.array(n_epochs), scores
    is_ended = np.isin(np.arange(len(n_epochs)), ended)
    order = np.lexsort([-scores, -results["n_epochs"], ~is_ended])
    results["rank_test_score"] = np.argsort(order) + 1
    rows = [
        (i, split, epoch, 0.02 * i + 0.1 * split + 0.3 * np.log1p(epoch))
        for i, n in enumerate(n_epochs)
        for split in range(2)
        for epoch in range(1, n + 1)
    ]
    curves = pd.DataFrame(rows, columns=["candidate", "split", "epoch", "validation_accuracy"])
    is_last = curves["epoch"] == results["n_epochs"][curves["candidate"]]
    on_rung = curves["epoch"].isin([2, 6]) | is_last
    curves.insert(3, "score", curves["validation_accuracy"].where(on_rung))
    search.learning_curves_ = curves.assign(validation_loss=2 - curves["validation_accuracy"])
    return search


def curves_of(ax):
    """Points and colour of each line, and the line of the best."""
    lines = ax.collections[0]
    return lines.get_segments(), lines.get_colors(), ax.lines[0]


def mean_by_epoch(search, candidate, curve="validation_accuracy"):
    own = search.learning_curves_.query("candidate == @candidate").dropna(subset=curve)
    return own.groupby("epoch")[curve].mean()


def is_grey(colours):
    return np.ptp(np.atleast_2d(colours)[:, :3], axis=1) == 0


def test_learning_curves_are_means_and_end_where_candidates_were_left_behind():
    search = by_epochs()
    display = SearchDisplay.from_search(search, kind="learning_curves")
    lines, colours, _ = curves_of(display.ax_)
    order = [0, 1, 2, 4, 5, 7, 3, 6, 8]
    for candidate, line in zip(order, lines, strict=True):
        mean = mean_by_epoch(search, candidate)
        np.testing.assert_allclose(line, np.column_stack([mean.index, mean]))
    np.testing.assert_array_equal(is_grey(colours), [True] * 6 + [False] * 3)
    rounds = SearchDisplay.from_search(search).axes_[0].collections[0].get_facecolors()
    np.testing.assert_array_equal(colours[6:], rounds[[3, 6, 8]])
    dots, triangles = display.ax_.collections[1:]
    ends = np.array([line[-1] for line in lines])
    floor = display.ax_.get_ylim()[0]
    np.testing.assert_allclose(dots.get_offsets(), ends[ends[:, 1] > floor])
    assert len(dots.get_offsets()) + len(triangles.get_offsets()) == 9
    assert display.ax_.get_ylabel() == "validation accuracy"


def test_the_best_curve_is_one_trained_to_the_end():
    search = by_epochs()
    search.cv_results_["mean_test_score"][[0, 1, 2]] = 0.99  # on a rung, in other company
    ax = SearchDisplay.from_search(search, kind="learning_curves").ax_
    lines, _, best = curves_of(ax)
    np.testing.assert_allclose(best.get_xydata(), lines[-1])
    texts = [text.get_text() for text in ax.get_legend().get_texts()]
    assert texts == ["round 0", "round 1", "round 2", "left behind", "best: candidate 8"]


def test_rungs_say_how_many_went_on():
    ax = SearchDisplay.from_search(by_epochs(), kind="learning_curves").ax_
    written = {text.xy[0]: text.get_text() for text in ax.texts}
    assert written == {2: "5 go on", 6: "3 go on"}
    assert sorted(line.get_xdata()[0] for line in ax.lines[1:]) == [2, 6]
    one = SearchDisplay.from_search(by_epochs((2, 2, 2, 200), [3]), kind="learning_curves").ax_
    assert [text.get_text() for text in one.texts] == ["1 goes on"]


def test_rungs_too_close_together_are_not_written_upon_each_other():
    search = by_epochs((1, 2, 3, 4, 6, 300), [5])
    curves = search.learning_curves_
    curves["score"] = curves["validation_accuracy"].where(curves["epoch"].isin([1, 2, 3, 4, 6]))
    display = SearchDisplay.from_search(search, kind="learning_curves")
    display.figure_.canvas.draw()
    boxes = [text.get_window_extent() for text in display.ax_.texts]
    assert boxes
    assert not any(box.count_overlaps(boxes[:i]) for i, box in enumerate(boxes))


def test_who_ended_on_a_rung_by_itself_was_not_left_behind():
    search = by_epochs()
    # As the search ranks it: before one that trained as long as any.
    search.cv_results_["rank_test_score"] = np.array([9, 2, 8, 4, 7, 5, 3, 6, 1])
    display = SearchDisplay.from_search(search, kind="learning_curves")
    np.testing.assert_array_equal(np.flatnonzero(display.ended), [1, 3, 6, 8])
    assert is_grey(curves_of(display.ax_)[1]).sum() == 5


def test_a_split_that_ended_keeps_its_value_while_others_train():
    search = by_epochs()
    curves = search.learning_curves_
    gone = (curves["candidate"] == 8) & (curves["split"] == 1) & (curves["epoch"] > 9)
    last = curves.query("candidate == 8 and split == 1 and epoch == 9").index
    curves.loc[last, "score"] = 0.9
    search.learning_curves_ = curves[~gone]
    display = SearchDisplay.from_search(search, kind="learning_curves")
    values = curves.query("candidate == 8").pivot(
        index="epoch", columns="split", values="validation_accuracy"
    )
    values.loc[10:, 1] = values.loc[9, 1]
    np.testing.assert_allclose(curves_of(display.ax_)[2].get_ydata(), values.mean(axis=1))
    # A score on one of the splits only is no mean.
    display = SearchDisplay.from_search(search, kind="learning_curves", curve="score")
    assert curves_of(display.ax_)[2].get_xdata().tolist() == [2, 6, 12]


def test_a_rung_that_few_splits_have_reached_is_left_out():
    search = by_epochs()
    search.cv_results_["n_epochs"][[3, 6]] = 6
    ax = SearchDisplay.from_search(search, kind="learning_curves").ax_
    assert sorted(len(line) for line in curves_of(ax)[0]) == [2] * 4 + [6] * 4 + [12]


@pytest.mark.parametrize(("curve", "up"), [("validation_accuracy", 1), ("validation_loss", -1)])
def test_awful_curves_do_not_squeeze_the_others(curve, up):
    search = by_epochs()
    curves = search.learning_curves_
    curves.loc[curves["candidate"] == 0, curve] = -50 * up
    ax = SearchDisplay.from_search(search, kind="learning_curves", curve=curve).ax_
    low, high = ax.get_ylim()
    assert high - low < 3
    (end, *_) = ax.collections[2].get_offsets()
    assert end[0] == 2
    assert low < end[1] < high
    assert abs(end[1] - (low if up > 0 else high)) < 0.1 * (high - low)


def test_the_curve_can_be_chosen():
    search = by_epochs()
    display = SearchDisplay.from_search(search, kind="learning_curves", curve="score")
    assert curves_of(display.ax_)[2].get_xdata().tolist() == [2, 6, 12]
    display.plot(kind="learning_curves", curve="validation_loss")
    mean = mean_by_epoch(search, 8, "validation_loss")
    np.testing.assert_allclose(curves_of(display.ax_)[2].get_ydata(), mean)
    message = "curve must be one of 'score', 'validation_accuracy', 'validation_loss'; got 'loss'"
    with pytest.raises(ValueError, match=message):
        display.plot(kind="learning_curves", curve="loss")
    del search.learning_curves_["validation_accuracy"]
    display = SearchDisplay.from_search(search, kind="learning_curves")
    assert display.ax_.get_ylabel() == "score"


def test_learning_curves_need_epochs():
    with pytest.raises(ValueError, match=r"use CoarseToFineSearchCV\(\.\.\., resource='epochs'\)"):
        SearchDisplay.from_search(in_rounds(), kind="learning_curves")


@pytest.mark.parametrize(
    ("estimator", "distributions"),
    [
        (BNSoftmaxClassifier((4,), max_iter=9), {"learning_rate_init": loguniform(1e-4, 1)}),
        (SGDClassifier(loss="log_loss", max_iter=9, tol=None), {"alpha": loguniform(1e-5, 10)}),
    ],
    ids=["network", "other"],
)
def test_learning_curves_of_a_search(iris, estimator, distributions):
    search = CoarseToFineSearchCV(
        estimator.set_params(random_state=0),
        distributions,
        n_candidates=9,
        n_rounds=2,
        cv=2,
        resource="epochs",
        random_state=0,
    ).fit(*iris)
    display = SearchDisplay.from_search(search, kind="learning_curves")
    n_epochs = search.cv_results_["n_epochs"]
    np.testing.assert_array_equal(display.ended, n_epochs == 9)
    lines, _, best = curves_of(display.ax_)
    assert sorted(line[-1, 0] for line in lines) == sorted(n_epochs)
    curve = "validation_accuracy" if display.ax_.get_ylabel() != "score" else "score"
    mean = mean_by_epoch(search, search.best_index_, curve)
    np.testing.assert_allclose(best.get_ydata(), mean)
    display.figure_.canvas.draw()


def test_many_values_are_written_at_some_places_only():
    search = as_fitted({"a": list(range(100))}, score=lambda params: params["a"])
    for kind in ("scores", "parallel"):
        display = SearchDisplay.from_search(search, kind=kind)
        written = [text.get_text() for text in display.axes_[0].texts]
        written += [text.get_text() for text in display.axes_[0].get_xticklabels()]
        assert 3 < len(set(written) & {str(n) for n in range(100)}) < 20


def test_what_cannot_be_drawn():
    with pytest.raises(NotFittedError):
        SearchDisplay.from_search(RandomizedSearchCV(DummyClassifier(), DICT))
    search = as_fitted(DICT)
    kinds = "'scores', 'narrowing', 'parallel', 'importance', 'learning_curves'"
    with pytest.raises(ValueError, match=f"kind must be one of {kinds}; got 'pie'"):
        SearchDisplay.from_search(search, kind="pie")
    with pytest.raises(ValueError, match=f"kind must be one of {kinds}; got 'pie'"):
        SearchDisplay.from_search(search).plot(kind="pie")
    search.cv_results_["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="nothing to draw: no candidate has a finite score"):
        SearchDisplay.from_search(search)
    fixed = as_fitted({"a": [1]}, score=lambda params: 1)
    with pytest.raises(ValueError, match=r"nothing to draw: each parameter .* has one value only"):
        SearchDisplay.from_search(fixed)
    unordered = as_fitted({"a": ["x", "y", "z"]}, score=lambda params: 1)
    with pytest.raises(ValueError, match="needs a parameter whose values have an order"):
        SearchDisplay.from_search(unordered, kind="narrowing")


def test_a_search_over_a_grid_is_refused(iris):
    search = GridSearchCV(DummyClassifier(), {"strategy": ["prior", "uniform"]}).fit(*iris)
    with pytest.raises(TypeError, match=r"search must have param_distributions, .*GridSearchCV"):
        SearchDisplay.from_search(search)


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    display = SearchDisplay.from_search(as_fitted(DICT))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    for draw in (display.plot, lambda: SearchDisplay.from_search(None)):
        with pytest.raises(ImportError, match=r'pip install "skbn\[plot\]"'):
            draw()


@pytest.mark.parametrize("name", ["record", "pictures", "axes", "search_display"])
def test_matplotlib_is_imported_inside_functions_only(name):
    tree = ast.parse((Path(skbn.__file__).parent / "display" / f"{name}.py").read_text())
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not [node for node in imports if "matplotlib" in ast.unparse(node).split()[1]]


@pytest.mark.parametrize(
    "distribution",
    [
        loguniform(1e-4, 1),
        uniform(-1, 2),
        randint(3, 9),
        one_minus_loguniform(0.9, 0.999),
        log_randint(16, 512),
        [1, 2, 5, 10],
        [0.5, 0.1, 0.0],
        ["first", None],
        [True, False],
    ],
    ids=str,
)
def test_positions_are_those_of_the_distribution(distribution):
    space = Space({"a": distribution, "b": [1, 2]})
    for place in (0.01, 0.3, 0.5, 0.77, 0.99):
        params = space.decode(np.array([place, 0.5]))
        expected = space.encode(params)[0]
        assert space.position("a", params["a"]) == pytest.approx(expected, abs=1e-5)


def test_positions_of_a_parameter_of_several_coordinates():
    space = Space({"a": hidden_layers((1, 4), (32, 256), shape=["constant", "funnel"])})
    layers, units, shape = space.encode({"a": (100, 50, 25)})
    assert space.position("a: layers", 3) == pytest.approx(layers, abs=1e-5)
    assert space.position("a: units", 100) == pytest.approx(units, abs=1e-5)
    assert space.position("a: shape", "funnel") == pytest.approx(shape, abs=1e-5)
