"""Learning curves are drawn as means of splits, up to where candidates were left behind."""

import numpy as np
import pytest
from made_searches import by_epochs, in_rounds, mean_by_epoch
from scipy.stats import loguniform
from sklearn.linear_model import SGDClassifier

from skbn import BNSoftmaxClassifier
from skbn.display import SearchDisplay
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow


def curves_of(ax):
    """Points and colour of each line, and the line of the best."""
    lines = ax.collections[0]
    return lines.get_segments(), lines.get_colors(), ax.lines[0]


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
