"""The picture of a training shows what its log says."""

from io import BytesIO
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from made_trainings import Session, random_session, story
from matplotlib.colors import same_color, to_rgb
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.display import TrainingDisplay
from skbn.export import load_model, save_model

pytestmark = pytest.mark.slow

COLOURS = {"loss": "#e69f00", "validation_loss": "#15607a", "learning_rate": "#444444"}


def drawn(ax, measure, left=False):
    """The points of each curve of a measure, on the line or on those left."""
    return [
        line.get_xydata()
        for line in ax.lines
        if same_color(to_rgb(line.get_color()), COLOURS[measure])
        and line.get_marker() == "None"
        and (line.get_alpha() is not None) == left
    ]


def points(line, measure):
    values = [(epoch, entry[measure]) for epoch, entry in line]
    return [(epoch, value if np.isfinite(value) else np.nan) for epoch, value in values]


def poles(ax):
    """Where something happened, and the style of the line there."""
    lines = [line for line in ax.lines if line.get_zorder() == 1]
    return [(line.get_xdata()[0], line.get_linestyle()) for line in lines]


def texts(ax):
    return {(text.xy[0], text.get_text()) for text in ax.texts}


def star(ax):
    return next(line.get_xydata().tolist() for line in ax.lines if line.get_marker() == "*")


def legend(display):
    (found,) = [ax.get_legend() for ax in display.figure_.axes if ax.get_legend()]
    return [text.get_text() for text in found.get_texts()]


def triangles(ax, marker="^"):
    return [line.get_xydata() for line in ax.lines if line.get_marker() == marker]


def check_lines(display, session):
    """The curves hold exactly the epochs of the line, and those of each line left."""
    upper, lower = display.axes_
    for measure in session.measures:
        ax = lower if measure == "learning_rate" else upper
        for left, lines in ((False, [session.line]), (True, session.left)):
            expected = [np.array(points(line, measure)) for line in lines if line]
            expected = [each for each in expected if np.isfinite(each[:, 1]).any()]
            found = [each for each in drawn(ax, measure, left) if np.isfinite(each[:, 1]).any()]
            assert len(found) == len(expected)
            for mine, theirs in zip(found, expected, strict=True):
                np.testing.assert_allclose(mine, theirs)


def test_the_story():
    session = story()
    display = TrainingDisplay.from_session(session)
    upper, lower = display.axes_
    check_lines(display, session)
    assert len(session.left) == 1
    marks = [(20, "-"), (25, "--"), (25, "-"), (65, ":")]
    assert poles(upper) == poles(lower) == marks
    assert texts(upper) == {
        (20, "learning_rate_init=0.01"),
        (25, "rewind from 40"),
        (25, "learning_rate_init=0.003"),
        (65, "stop (patience)"),
    }
    losses = [entry["validation_loss"] for _, entry in session.line]
    assert star(upper) == [[np.argmin(losses) + 1, min(losses)]]
    kept = f"kept: epoch {np.argmin(losses) + 1} ({min(losses):.4g})"
    assert legend(display) == ["training loss", "validation loss", "branch left", kept]
    assert (upper.get_ylabel(), upper.get_xlabel()) == ("loss", "")
    assert (lower.get_ylabel(), lower.get_xlabel()) == ("learning\nrate", "epoch")
    assert lower.get_yscale() == "log"
    assert upper.get_xlim() == lower.get_xlim()
    assert upper.get_position().height / lower.get_position().height == pytest.approx(3, rel=0.01)


@pytest.mark.parametrize("seed", range(25))
def test_any_log_is_drawn(seed):
    session = random_session(seed)
    display = TrainingDisplay.from_session(session)
    check_lines(display, session)
    upper = display.axes_[0]
    happened = [row["epoch"] for row in session.rows if row["event"] in ("rewind", "stop")]
    changed = [
        row["epoch"]
        for row in session.rows
        if row["event"] == "change"
        for name in ("learning_rate_init", "dropout", "alpha")
        if name in row
    ]
    assert sorted(x for x, _ in poles(upper)) == sorted(happened + changed)
    display.figure_.canvas.draw()
    low, high = upper.get_ylim()
    for line in (line for line in upper.lines if line.get_marker() in ("^", "v", "*")):
        assert all(low < y < high for y in line.get_ydata())
    boxes = [text.get_window_extent() for text in upper.texts]
    assert not any(box.count_overlaps(boxes[:i]) for i, box in enumerate(boxes))
    assert all(upper.bbox.x0 - 1 < box.x0 < box.x1 < upper.bbox.x1 + 1 for box in boxes)


@pytest.mark.parametrize("n_changes", [1, 3, 10, 40])
@pytest.mark.parametrize("size", [(6.4, 4.6), (4, 3)])
def test_changes_are_written_apart_from_each_other_and_from_the_curves(pyplot, n_changes, size):
    session = Session().train()
    for i in range(n_changes):
        session.set(learning_rate_init=0.01 / (i + 1)).train(max(1, 60 // n_changes))
    _, ax = pyplot.subplots(figsize=size, layout="constrained")
    display = TrainingDisplay.from_session(session, ax=ax)
    display.figure_.canvas.draw()
    upper = display.axes_[0]
    boxes = [text.get_window_extent() for text in upper.texts]
    assert not any(box.count_overlaps(boxes[:i]) for i, box in enumerate(boxes))
    more = [int(text.split()[0]) for text in legend(display) if "more change" in text]
    assert len(boxes) + sum(more) == n_changes
    assert len(boxes) >= min(n_changes, 3)
    highest = max(entry["validation_loss"] for _, entry in session.line)
    assert upper.transData.transform((0, highest))[1] < min(box.y0 for box in boxes)


def test_changes_in_one_place_stand_in_their_order():
    session = Session().train(30).set(dropout=0.5, alpha=1e-3).set("terminal", batch_size=64)
    ax = TrainingDisplay.from_session(session.train(30)).axes_[0]
    ax.figure.canvas.draw()
    by_height = sorted(ax.texts, key=lambda text: -text.get_window_extent().y0)
    written = [text.get_text() for text in by_height]
    assert written == ["dropout=0.5", "alpha=0.001", "batch_size=64 (terminal)"]
    assert len({round(text.get_window_extent().x0) for text in by_height}) == 1


def test_a_change_that_a_rewind_undid_is_pale():
    session = Session().train(9).set(dropout=0.1).train().rewind(9).set(alpha=0.2).train(9)
    ax = TrainingDisplay.from_session(session).axes_[0]
    colours = {text.get_text(): to_rgb(text.get_color())[0] for text in ax.texts}
    assert colours["dropout=0.1"] > colours["alpha=0.2"] == colours["rewind from 10"]


def steps(session, rates, n_epochs):
    for rate in rates:
        session.set(learning_rate_init=rate).train(n_epochs)
    return session


def test_where_there_is_no_room_for_all_texts_the_rewinds_of_the_line_come_first():
    session = steps(Session().train(10), (0.1, 0.2, 0.3, 0.4, 0.5), 7).add("stop", "interrupt")
    steps(session.rewind(20), (0.11, 0.21), 2).train().add("stop", "interrupt")
    steps(session.rewind(12), (0.12, 0.22, 0.32, 0.42), 4)
    steps(session.rewind(5), (0.13, 0.23, 0.33, 0.43, 0.53, 0.63, 0.73, 0.83), 2)
    display = TrainingDisplay.from_session(steps(session.rewind(9), (0.14, 0.24, 0.34), 9))
    found = texts(display.axes_[0])
    assert {(5, "rewind from 28"), (9, "rewind from 21"), (27, "learning_rate_init=0.34")} <= found
    assert any("more changes" in text for text in legend(display))


@pytest.mark.parametrize("n_changes", range(1, 8))
def test_no_text_of_a_line_left_stands_in_the_way_of_the_line(n_changes):
    session = Session().train(3).set(alpha=0.1).train(42).add("stop", "interrupt").rewind(3)
    session.set(**{f"parameter_{i}": i for i in range(n_changes)}).train(60)
    assert (3, "rewind from 45") in texts(TrainingDisplay.from_session(session).axes_[0])


def test_the_legend_shows_each_colour_of_a_branch_that_was_left():
    for validation, colours in ((True, ["validation_loss", "loss"]), (False, ["loss"])):
        session = Session(validation).train(9).rewind(3).train(9)
        (ax,) = [
            each for each in TrainingDisplay.from_session(session).figure_.axes if each.get_legend()
        ]
        handles = {each.get_label(): each for each in ax.get_legend().legend_handles}
        left = handles["branch left"]
        found = [colour for colour in (left.get_color(), left.get_gapcolor()) if colour is not None]
        assert found == [COLOURS[name] for name in colours]


def test_long_names_and_values_are_shortened():
    session = Session().train(9).set(parameter_with_a_long_name=0.123456789, solver="x" * 50)
    ax = TrainingDisplay.from_session(session.train(30)).axes_[0]
    written = {text for _, text in texts(ax)}
    assert written == {"parameter_with_a_lo…=0.1235", "solver=xxxxxxxxxxxxxxxxxxx…"}


def test_the_schedule_is_written_by_the_name_of_its_parameter():
    session = Session().train(9).set(learning_rate_schedule="cosine", tol=0.0).train()
    ax = TrainingDisplay.from_session(session).axes_[0]
    assert texts(ax) == {(9, "learning_rate=cosine"), (9, "tol=0")}


@pytest.mark.parametrize("missing", [np.nan, None, pd.NA])
def test_what_a_change_left_alone_is_not_written(missing):
    session = Session().train(9).set(dropout=0.5).train().set(max_grad_norm=1.0).train()
    log = session.log_
    for name in ("dropout", "max_grad_norm"):
        values = [missing if pd.isna(value) else value for value in log[name]]
        log[name] = pd.Series(values, dtype=object)
    ax = TrainingDisplay(log=log).plot().axes_[0]
    assert texts(ax) == {(9, "dropout=0.5"), (10, "max_grad_norm=1")}


def test_none_is_a_value_where_others_are_missing_as_nan():
    log = Session().train(9).set(max_grad_norm=1.0).train().set(max_grad_norm=0).train().log_
    log["max_grad_norm"] = pd.Series(
        [None if value == 0 else value for value in log["max_grad_norm"]], dtype=object
    )
    ax = TrainingDisplay(log=log).plot().axes_[0]
    assert texts(ax) == {(9, "max_grad_norm=1"), (10, "max_grad_norm=None")}


# Losses.


def test_the_axis_is_logarithmic_where_losses_differ_much():
    flat = TrainingDisplay.from_session(Session().train(20)).axes_[0]
    steep = TrainingDisplay.from_session(Session().train(200)).axes_[0]
    assert (flat.get_yscale(), steep.get_yscale()) == ("linear", "log")
    assert [text.get_text() for text in steep.get_yticklabels()][-2:] == ["1", "2"]


@pytest.mark.parametrize("height", [30.0, 1e9, np.inf])
def test_a_branch_that_diverged_does_not_squeeze_the_rest(height):
    session = Session().train(20).set(learning_rate_init=0.3).train(5)
    session.train(15, loss=height, validation_loss=height)
    session.rewind(20).train(30)
    display = TrainingDisplay.from_session(session)
    ax = display.axes_[0]
    highest = max(entry["validation_loss"] for _, entry in session.line)
    assert ax.get_ylim()[1] < 4 * highest
    (ends, _) = triangles(ax)
    assert 25 <= ends[0, 0] <= 26
    assert highest < ends[0, 1] < ax.get_ylim()[1]
    assert "beyond the axis" in legend(display)
    check_lines(display, session)


def test_a_line_that_diverges_just_now_is_seen():
    session = Session().train(20).train(5, loss=1e8, validation_loss=1e8)
    ax = TrainingDisplay.from_session(session).axes_[0]
    assert ax.get_ylim()[1] < 100
    assert len(triangles(ax)) == 2


def test_a_loss_of_almost_nothing_does_not_squeeze_the_rest():
    session = Session().train(50).train(50, loss=1e-12).train(loss=0)
    ax = TrainingDisplay.from_session(session).axes_[0]
    assert ax.get_ylim()[0] > 1e-5
    assert len(triangles(ax, "v")) == 1


def test_lines_left_are_shown_though_the_line_is_short():
    session = Session().train(100).rewind(2)
    ax = TrainingDisplay.from_session(session).axes_[0]
    assert not triangles(ax)
    assert not triangles(ax, "v")
    check_lines(TrainingDisplay.from_session(session), session)
    check_lines(TrainingDisplay.from_session(session.rewind(0)), session)


def test_epochs_that_were_not_measured_leave_gaps():
    session = Session().train(3).train(loss=np.nan, validation_loss=np.nan).train()
    session.train(loss=np.nan).train(3)
    display = TrainingDisplay.from_session(session)
    check_lines(display, session)
    (dot,) = [line for line in display.axes_[0].lines if line.get_marker() == "o"]
    assert dot.get_xdata().tolist() == [5]


def test_a_single_epoch_is_a_dot():
    session = Session(validation=False).train()
    display = TrainingDisplay.from_session(session)
    for ax, measure in zip(display.axes_, ("loss", "learning_rate"), strict=True):
        (dot,) = [line for line in ax.lines if line.get_marker() == "o"]
        assert dot.get_xydata().tolist() == [[1, session.line[0][1][measure]]]
    assert legend(display) == ["training loss", f"kept: epoch 1 ({session.line[0][1]['loss']:.4g})"]


def test_losses_of_another_gamma_are_not_compared():
    session = Session().train(9).set(focal_gamma=0.0)
    assert star(TrainingDisplay.from_session(session).axes_[0])[0][0] == 9
    session.train(2, validation_loss=4.0).train(validation_loss=3.0).train(validation_loss=5.0)
    session.set(alpha=0.1)
    assert star(TrainingDisplay.from_session(session).axes_[0]) == [[12, 3]]
    session.train().set(focal_gamma=1.0).rewind(9)
    assert star(TrainingDisplay.from_session(session).axes_[0])[0][0] == 9


def test_without_a_validation_set_the_last_epoch_is_kept():
    session = Session(validation=False).train(20).train(20, loss=1).rewind(30)
    display = TrainingDisplay.from_session(session)
    assert star(display.axes_[0]) == [[30, 1]]
    assert "validation loss" not in legend(display)


def test_epochs_at_the_axis_are_whole():
    for n_epochs in (1, 2, 3, 7, 80):
        display = TrainingDisplay.from_session(Session().train(n_epochs))
        display.figure_.canvas.draw()
        written = [text.get_text() for text in display.axes_[1].get_xticklabels()]
        assert all(text.isdigit() for text in written)
        assert len(set(written)) > 1


def test_a_long_training_is_drawn():
    session = Session().train(5000)
    check_lines(TrainingDisplay.from_session(session), session)


@pytest.mark.parametrize(
    "session", [Session(), Session().set(dropout=0.1), Session().train(3, loss=np.nan)]
)
def test_nothing_to_draw_is_said(session):
    log = session.log_.reindex(columns=["epoch", "branch", "event", "asked_by", "loss"])
    with pytest.raises(ValueError, match="nothing to draw: the log has no epoch with a finite"):
        TrainingDisplay.from_session(SimpleNamespace(log_=log))


# Places.


def test_panels_take_the_place_of_axes_or_are_given(pyplot):
    figure, (left, right) = pyplot.subplots(1, 2, layout="constrained")
    display = TrainingDisplay.from_session(story(), ax=right)
    assert (display.ax_, display.figure_, right.axison) == (right, figure, False)
    figure.canvas.draw()
    assert all(panel.get_position().x0 > left.get_position().x1 for panel in display.axes_)
    with pytest.raises(ValueError, match=r"ax was drawn on before; give ax=display\.axes_"):
        display.plot(right)
    _, axes = pyplot.subplots(2, 1)
    assert display.plot(axes) is display
    assert display.ax_ is None
    assert list(display.axes_) == list(axes)
    with pytest.raises(
        ValueError, match="ax must be one Axes, or an array of 2, one a panel; got 3"
    ):
        display.plot(pyplot.subplots(3)[1])


def test_panels_stand_in_a_part_of_a_figure(pyplot):
    parts = pyplot.figure(figsize=(12, 5), layout="constrained").subfigures(1, 2)
    display = TrainingDisplay.from_session(story(), ax=parts[1].subplots())
    display.figure_.canvas.draw()
    assert len(display.axes_[0].texts) == 4


# Estimators.


def measured(model):
    history = model.history_
    return np.column_stack([np.arange(1, model.n_iter_ + 1), history["loss"]])


@pytest.mark.parametrize("validation", [True, False])
@pytest.mark.parametrize("how", ["alone", "pipeline", "loaded"])
def test_a_fitted_classifier(iris, validation, how):
    X, y = iris
    model = BNSoftmaxClassifier((8,), max_iter=30, early_stopping=validation, random_state=0)
    fitted = model.fit(X, y)
    if how == "pipeline":
        model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(**model.get_params()))
        fitted = model.fit(X, y)[-1]
    elif how == "loaded":
        save_model(model, file := BytesIO())
        file.seek(0)
        model = load_model(file)
    display = TrainingDisplay.from_estimator(model)
    upper, lower = display.axes_
    (line,) = drawn(upper, "loss")
    np.testing.assert_array_equal(line, measured(fitted))
    (rates,) = drawn(lower, "learning_rate")
    np.testing.assert_array_equal(rates[:, 1], fitted.history_["learning_rate"])
    losses = fitted.history_["validation_loss" if validation else "loss"]
    kept = int(np.argmin(losses)) + 1 if validation else fitted.n_iter_
    assert star(upper) == [[kept, losses[kept - 1]]]
    assert fitted.loss_ == fitted.history_["loss"][kept - 1]
    assert not upper.texts


def test_training_that_goes_on_without_a_validation_set(iris):
    X, y = iris
    model = BNSoftmaxClassifier((8,), max_iter=9, early_stopping=True, random_state=0)
    model.fit(X, y).set_params(learning_rate="constant").partial_fit(X, y)
    ax = TrainingDisplay.from_estimator(model).axes_[0]
    assert star(ax) == [[model.n_iter_, model.history_["loss"][-1]]]


def test_what_is_no_fitted_classifier_is_refused(iris):
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(BNSoftmaxClassifier())
    with pytest.raises(NotFittedError):
        TrainingDisplay.from_estimator(make_pipeline(StandardScaler(), BNSoftmaxClassifier()))
    search = GridSearchCV(BNSoftmaxClassifier(), {})
    for other in (LogisticRegression(), search, make_pipeline(LogisticRegression())):
        with pytest.raises(TypeError, match="takes a BNSoftmaxClassifier or a Pipeline that ends"):
            TrainingDisplay.from_estimator(other)


@pytest.mark.parametrize("other", [BNSoftmaxClassifier(), "run.sqlite", None])
def test_what_is_no_session_is_refused(other):
    with pytest.raises(TypeError, match=r"takes a TrainingSession.*from_estimator takes a fitted"):
        TrainingDisplay.from_session(other)
