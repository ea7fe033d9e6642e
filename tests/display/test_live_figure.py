"""A training is shown as one picture that is drawn again in its place, and not too often."""

import sys
from types import SimpleNamespace

import pytest
from made_trainings import Session

import skbn.display.live_figure
from skbn.display.live_figure import LiveFigure, in_notebook

PNG = b"\x89PNG\r\n"


class Screen:
    """A clock that is set, and what is shown: a list of pictures for each output."""

    def __init__(self):
        self.now, self.outputs = 100.0, []

    def show(self, png):
        self.outputs.append([png])
        return SimpleNamespace(update=self.outputs[-1].append)

    @property
    def n_shown(self):
        return [len(pictures) for pictures in self.outputs]


@pytest.fixture
def screen():
    return Screen()


@pytest.fixture
def live(screen):
    return LiveFigure(screen.show, lambda: screen.now)


@pytest.mark.slow
def test_one_picture_is_drawn_again_at_most_once_a_second(screen, live, pyplot):
    session = Session()
    live.update(Session().set(dropout=0.1).log_.assign(loss=float("nan")), force=True)
    assert screen.n_shown == []  # nothing was trained yet
    for i in range(41):
        screen.now = 100 + i / 10
        live.update(session.train().log_)
    assert screen.n_shown == [5]
    live.update(session.train().log_)
    assert screen.n_shown == [5]
    live.update(session.log_, force=True)
    assert screen.n_shown == [6]
    (pictures,) = screen.outputs
    assert all(png.startswith(PNG) for png in pictures)
    assert len(set(pictures)) == 6
    assert pyplot.get_fignums() == []


def test_slow_pictures_are_drawn_less_often(screen, live, monkeypatch):
    def draw(log):
        screen.now += 2
        return PNG

    monkeypatch.setattr(skbn.display.live_figure, "_picture", draw)
    log = Session().train().log_
    live.update(log)
    screen.now = 109.5
    live.update(log)
    assert screen.n_shown == [1]
    screen.now = 110.5
    live.update(log)
    assert screen.n_shown == [2]


def fake_ipython(monkeypatch, shell):
    """Put a module in the place of IPython, and give what was displayed and updated."""
    shown = []

    def display(image, display_id):
        assert display_id is True
        shown.append(("display", image))
        return SimpleNamespace(update=lambda image: shown.append(("update", image)))

    ipython = SimpleNamespace(version_info=(9, 0), get_ipython=lambda: shell)
    module = SimpleNamespace(display=display, Image=lambda png, retina: png)
    monkeypatch.setitem(sys.modules, "IPython", ipython)
    monkeypatch.setitem(sys.modules, "IPython.display", module)
    return shown


def test_a_notebook_shows_one_output(monkeypatch, screen):
    shown = fake_ipython(monkeypatch, SimpleNamespace(kernel=object()))
    live = LiveFigure(clock=lambda: screen.now)
    session = Session().train(3)
    live.update(session.log_)
    live.update(session.train().log_, force=True)
    assert [how for how, _ in shown] == ["display", "update"]
    assert all(png.startswith(PNG) for _, png in shown)


def test_a_notebook_is_known_by_its_kernel(monkeypatch):
    monkeypatch.delitem(sys.modules, "IPython", raising=False)
    assert not in_notebook()
    assert "IPython" not in sys.modules
    for shell, expected in (
        (None, False),
        (SimpleNamespace(), False),  # IPython on a terminal
        (SimpleNamespace(kernel=object()), True),
    ):
        fake_ipython(monkeypatch, shell)
        assert in_notebook() is expected
