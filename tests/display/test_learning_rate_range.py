"""The range test trains, suggests, warns where it must, and its picture shows its curve."""

import sys

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_iris
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

import skbn
from skbn import BNSoftmaxClassifier, LearningRateRange
from skbn.search.learning_rates import check_rates, judged_losses, measure_rates, suggest_rate

pytestmark = pytest.mark.slow


class Sampler(StandardScaler):
    """A step that draws other rows."""

    def fit_resample(self, X, y):
        return X, y


class OwnFit(BNSoftmaxClassifier):
    def fit(self, X, y):
        return super().fit(X, y)


def made(losses=(2.0, 1.0, 0.5, 0.1, 0.3, 9.0, np.nan), suggestion=0.5, guessing_loss=2.3):
    losses = np.array(losses)
    rates = np.geomspace(1e-3, 1e3, len(losses))
    curve = pd.DataFrame({"learning_rate": rates, "loss": losses * 0.9, "validation_loss": losses})
    return LearningRateRange(
        curve=curve, suggestion=suggestion, reason="because", guessing_loss=guessing_loss
    )


def test_the_class_is_found_in_both_places():
    assert skbn.LearningRateRange is skbn.display.LearningRateRange


def test_what_is_found_is_what_the_search_finds(iris, quick, monkeypatch):
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    found = LearningRateRange.from_estimator(quick(), *iris, 1e-4, 10, n_rates=9, n_epochs=2)
    rates = check_rates(1e-4, 10, 9)
    curve, guessing_loss = measure_rates(quick(), *iris, rates, 2)
    pd.testing.assert_frame_equal(found.curve, curve)
    assert found.guessing_loss == guessing_loss
    suggestion = suggest_rate(rates, judged_losses(curve), guessing_loss)
    assert (found.suggestion, found.reason) == suggestion[:2]
    assert type(found.suggestion) is float
    with pytest.raises(ImportError, match="pictures need matplotlib"):
        found.plot()


def test_without_more_than_rows_the_range_is_that_of_the_documentation(iris, quick):
    X, y = iris
    found = LearningRateRange.from_estimator(
        make_pipeline(StandardScaler(), quick(max_iter=15)), X, y
    )
    rates = found.curve["learning_rate"]
    assert (rates[0], rates[15]) == pytest.approx((1e-5, 10))
    assert 1e-3 < found.suggestion < 1
    again = LearningRateRange.from_estimator(
        model=make_pipeline(StandardScaler(), quick(max_iter=15)), X=X, y=y, low=1e-5, high=10
    )
    pd.testing.assert_frame_equal(found.curve, again.curve)


def test_the_suggestion_trains_as_well_as_the_best(iris, quick):
    X, y = iris
    model = quick(max_iter=15)
    found = LearningRateRange.from_estimator(model, X, y)
    losses = [
        model.set_params(learning_rate_init=rate).fit(X, y).loss_
        for rate in [found.suggestion, *np.geomspace(1e-5, 10, 7)]
    ]
    assert losses[0] < 1.5 * min(losses)


def test_a_few_rows_that_happen_to_be_right_are_no_proof():
    """Of classes that lie apart all rows left out may be right, where training is far off."""
    X, y = load_iris(return_X_y=True)
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0))
    found = LearningRateRange.from_estimator(model, X, y)
    lowest = found.curve.loc[found.curve["validation_loss"].idxmin()]
    assert lowest["learning_rate"] > 1
    assert lowest["loss"] > 1
    assert found.suggestion < 0.1


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [
        (1e-6, 1e-5, "Nothing was learned at 16 rates from 1e-06 to 1e-05"),
        (1e-2, 3e-2, "an end of the range, beyond which better ones may lie: raise high"),
        (3.0, 30.0, "an end of the range, beyond which better ones may lie: lower low"),
        (1e30, 1e35, "Training diverged at all 16 rates"),
    ],
)
def test_doubts_are_warned_of(iris, quick, low, high, words):
    model = quick(max_iter=5, solver="sgd", batch_norm=False, max_grad_norm=0.5)
    with pytest.warns(UserWarning, match=words) as caught:
        found = LearningRateRange.from_estimator(model, *iris, low, high)
    assert caught[0].filename == __file__
    assert words in found.reason
    assert np.isnan(found.suggestion) == ("end of" not in words)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"low": 0}, "low must be a finite learning rate above 0, got 0"),
        ({"low": -1.0}, "low must be a finite learning rate above 0, got -1.0"),
        ({"low": "1e-5"}, "low must be a finite learning rate above 0, got '1e-5'"),
        ({"low": None}, "low must be a finite learning rate above 0, got None"),
        ({"low": [1e-5]}, r"low must be a finite learning rate above 0, got \[1e-05\]"),
        ({"high": np.inf}, "high must be a finite learning rate above 0, got inf"),
        ({"high": np.nan}, "high must be a finite learning rate above 0, got nan"),
        ({"high": 10**400}, "high must be a finite learning rate above 0, got 1000"),
        ({"low": 1, "high": 1}, "low must be below high, got low=1 and high=1"),
        ({"low": 10, "high": 1e-5}, "low must be below high, got low=10 and high=1e-05"),
        ({"n_rates": 2}, "n_rates must be an integer, at least 3; got 2"),
        ({"n_rates": 16.0}, "n_rates must be an integer, at least 3; got 16.0"),
        ({"n_epochs": 0}, "n_epochs must be an integer, at least 1; got 0"),
        ({"n_epochs": None}, "n_epochs must be an integer, at least 1; got None"),
        ({"sample_weight": [1, 2]}, "sample_weight"),
        ({"sample_weight": -np.ones(150)}, "sample_weight"),
        ({"y": np.zeros(150)}, "one class only"),
        ({"y": np.arange(150)}, "no class of y has a second row"),
        ({"y": np.arange(149)}, "inconsistent numbers of samples"),
        ({"X": np.full((150, 4), np.nan)}, "contains NaN"),
        ({"model": BNSoftmaxClassifier(alpha=-1)}, "alpha"),
    ],
)
@pytest.mark.filterwarnings("ignore:The number of unique classes")
def test_bad_input_is_refused(iris, quick, arguments, message):
    X, y = iris
    with pytest.raises(ValueError, match=message):
        LearningRateRange.from_estimator(**({"model": quick(), "X": X, "y": y} | arguments))


@pytest.mark.parametrize(
    "model",
    [
        StandardScaler(),
        BNSoftmaxClassifier,
        None,
        OwnFit(),
        Pipeline([("scale", StandardScaler())]),
        make_pipeline(Sampler(), BNSoftmaxClassifier()),
    ],
)
def test_other_models_are_refused(iris, model):
    with pytest.raises(TypeError, match=r"BNSoftmaxClassifier|draws other rows"):
        LearningRateRange.from_estimator(model, *iris)


def test_what_is_found_can_be_read():
    found = made()
    assert repr(found) == "LearningRateRange(suggestion=0.5, reason='because')"
    found.suggestion = float("nan")
    assert repr(found) == "LearningRateRange(suggestion=nan, reason='because')"


# Pictures.


def curve_of(ax, colour):
    (line,) = [each for each in ax.lines if each.get_color() == colour and each.get_marker() == "o"]
    return line.get_xydata()


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def test_the_picture_shows_the_curve_and_the_suggestion():
    display = made()
    assert display.plot() is display
    ax, curve = display.ax_, display.curve
    assert display.figure_ is ax.figure
    assert ax.get_xscale() == "log"
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("learning rate", "loss")
    for colour, name in {"#e69f00": "loss", "#15607a": "validation_loss"}.items():
        expected = np.column_stack([curve["learning_rate"], curve[name]])
        np.testing.assert_array_equal(curve_of(ax, colour), expected)
    (suggested,) = [line for line in ax.lines if line.get_linestyle() == "--"]
    assert set(suggested.get_xdata()) == {0.5}
    (star,) = [line for line in ax.lines if line.get_marker() == "*"]
    assert star.get_xydata().tolist() == [[1.0, 0.1]]
    assert not [line for line in ax.lines if line.get_linestyle() == ":"]
    assert legend(ax) == [
        "training loss",
        "loss on rows left out",
        "beyond the axis",
        "diverged",
        "guessing: 2.3",
        "lowest: 1",
        "suggested: 0.5",
    ]
    low, high = ax.get_ylim()
    assert low < 0.09
    assert 1.2 < high < 2  # half the way to 2.3
    (cross,) = [line for line in ax.lines if line.get_marker() == "x"]
    assert cross.get_xdata().tolist() == [1e3]
    triangles = [each.get_offsets() for each in ax.collections]
    for each in triangles:  # of both losses, at the first two rates and the last
        np.testing.assert_allclose(each[:, 0], [1e-3, 100])
    for height in [*np.concatenate(triangles)[:, 1], *cross.get_ydata()]:
        assert low < height < high


def test_triangles_of_both_losses_are_seen():
    ax = made().plot().ax_
    areas = [each.get_sizes() for each in ax.collections]
    assert areas[0] > 2 * areas[1]
    assert ax.collections[0].get_zorder() <= ax.collections[1].get_zorder()


def test_a_flat_valley_is_seen():
    """Losses like those of adult, whose guessing and lowest rates give much higher ones."""
    losses = [0.7, 0.55, 0.33, 0.312, 0.32, 0.318, 0.33, 0.5]
    display = made(losses, suggestion=0.01, guessing_loss=0.55).plot()
    low, high = display.ax_.get_ylim()
    assert (0.32 - 0.312) / (high - low) > 0.04
    (star,) = [line for line in display.ax_.lines if line.get_marker() == "*"]
    assert star.get_ydata() == [0.312]


@pytest.mark.parametrize(
    ("losses", "suggestion", "name"),
    [
        ([0.1, 0.2, 0.3, 0.4], 1e-3, "doubtful: 0.001"),
        ([0.2, 0.1, 0.2, 0.4], 1e-3, "doubtful: 0.001"),
        ([0.4, 0.3, 0.2, 0.1], 500.0, "doubtful: 5e+02"),
        ([0.4, 0.2, 0.1, 0.2], 5.0, "suggested: 5"),
        ([2.3, 2.3, 2.3, 2.3], np.nan, "no suggestion"),
        ([np.nan, np.nan, np.nan, np.nan], np.nan, "no suggestion"),
    ],
)
def test_the_picture_tells_of_doubts(losses, suggestion, name):
    display = made(losses, suggestion=suggestion).plot()
    ax = display.ax_
    assert legend(ax)[-1] == name
    lines = [line for line in ax.lines if list(line.get_xdata()) == [suggestion] * 2]
    styles = {"doubtful": ":", "suggested": "--"}
    assert [line.get_linestyle() for line in lines] == [
        style for word, style in styles.items() if word in name
    ]
    left, right = ax.transAxes.inverted().transform(ax.transData.transform([[1e-3, 1], [1e3, 1]]))
    assert left[0] > 0.03
    assert right[0] < 0.97
    assert ("lowest" in " ".join(legend(ax))) == np.isfinite(suggestion)


def test_guessing_is_drawn_where_nothing_was_learned():
    ax = made([2.4, 2.5, 2.35], suggestion=np.nan).plot().ax_
    (line,) = [line for line in ax.lines if line.get_linestyle() == ":"]
    assert set(line.get_ydata()) == {2.3}
    assert ax.get_ylim()[0] < 2.3 < ax.get_ylim()[1]


@pytest.mark.parametrize("losses", [[0.9, 0.6, 0.54, 0.7], [2.0, 0.5, 1.2, 1.0], [9.0, 8, 7, 6.5]])
def test_numbers_at_the_axis_have_the_same_digits(losses):
    ax = made(losses, guessing_loss=1.5 * max(losses)).plot().ax_
    texts = [text.get_text() for text in ax.get_yticklabels()]
    assert len({len(text.partition(".")[2]) for text in texts}) == 1
    assert [float(text) for text in texts] == pytest.approx(ax.get_yticks())


@pytest.mark.parametrize("layout", [None, "constrained"])
@pytest.mark.parametrize("size", [(3, 2), (4, 3), (8, 5)])
def test_nothing_is_cut_off_in_small_figures(pyplot, size, layout):
    figure, ax = pyplot.subplots(figsize=size, layout=layout)
    made().plot(ax)
    figure.canvas.draw()
    needed, box = ax.get_tightbbox(), figure.bbox
    assert (needed.min >= box.min - 1).all()
    assert (needed.max <= box.max + 1).all()
    assert (ax.get_window_extent().size > 0.35 * box.size).all()


@pytest.mark.parametrize(
    "losses",
    [[np.nan] * 3, [np.inf, 5.0, 9.0], [2.3, 2.3, 2.3], [0.0, 1e-9, 1.0], [1e-12, 1e-3, np.nan]],
)
def test_any_curve_can_be_drawn(losses):
    display = made(losses, suggestion=np.nan).plot()
    display.figure_.canvas.draw()
    assert "no suggestion" in legend(display.ax_)
    n_diverged = int((~np.isfinite(losses)).sum())
    assert ("diverged" in legend(display.ax_)) == (n_diverged > 0)


def test_axes_may_be_given(pyplot):
    _, axes = pyplot.subplots(1, 2)
    assert made().plot(axes[1]).ax_ is axes[1]
    assert not axes[0].has_data()
    with pytest.raises(ValueError, match="ax must be one Axes"):
        made().plot(axes)
