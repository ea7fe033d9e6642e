"""Panels have their places, and texts at axes do not overlap."""

import pytest
from made_searches import DICT, as_fitted, by_epochs, in_rounds

from skbn.display import SearchDisplay

pytestmark = pytest.mark.slow


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


def test_many_values_are_written_at_some_places_only():
    search = as_fitted({"a": list(range(100))}, score=lambda params: params["a"])
    for kind in ("scores", "parallel"):
        display = SearchDisplay.from_search(search, kind=kind)
        written = [text.get_text() for text in display.axes_[0].texts]
        written += [text.get_text() for text in display.axes_[0].get_xticklabels()]
        assert 3 < len(set(written) & {str(n) for n in range(100)}) < 20
