"""What is seen while a session trains: one line on a terminal, one figure in a notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from math import inf, nan
from time import perf_counter
from typing import Any, NamedTuple

from skbn.display.live_figure import LiveFigure, in_notebook
from skbn.display.text_curves import LOSS, VALIDATION_LOSS, Row, sparkline
from skbn.search.progress import SECONDS_BETWEEN_LINES, duration, interactive_console
from skbn.session.log import STOP, Log
from skbn.session.words import LONG, SHORT, best_of, epoch_words, measure_words, measured
from skbn.training.interruption import uninterrupted
from skbn.training.run import Entry

SECONDS_BETWEEN_BARS, SECONDS_BETWEEN_FIGURES = 0.1, 1.0
BAR, SHORTEST_CURVE, LONGEST_CURVE = 10, 10, 30
"""Letters of the bar, and of the curve, which has an epoch a letter."""
TIME = 3
"""Rank of the time left."""
LOOKS = {
    "loss": (LOSS, 1),
    "validation_loss": (VALIDATION_LOSS, 2),
    "best": ("", 4),
    "learning_rate": ("", 5),
}
"""Styles and ranks of measures."""


class Moment:
    """How far a call of ``train`` has come.

    Parameters
    ----------
    log : Log
        Of the session; more comes to it as it trains.
    n, until : float
        Epochs to train, and the last one to train; infinite where they do not matter.
    """

    def __init__(self, log: Log, n: float, until: float) -> None:
        self.log, self.n_trained, self.is_over = log, 0, False
        self._n, self._until, self._n_before = n, until, len(log.events)
        self._started = perf_counter()

    @property
    def last_epoch(self) -> int:
        """The epoch at which training ends, unless something stops it before."""
        return int(min(self._until, self.log.epoch + self._n - self.n_trained))

    def time_words(self) -> str:
        """Tell the time left, or in the end the time taken and who has stopped the training."""
        seconds, n_left = perf_counter() - self._started, self.last_epoch - self.log.epoch
        if not self.is_over:
            return f"{duration(seconds / self.n_trained * n_left)} left" if self.n_trained else ""
        new = self.log.events[self._n_before :]
        stop = f", stopped ({new[-1].asked_by})" if new and new[-1].event == STOP else ""
        return duration(seconds) + stop


@contextmanager
def shown(log: Log, n: float, until: float, verbose: int) -> Iterator[Callable[[], None]]:
    """Give a function to call after each epoch, which shows how far training has come.

    Training goes on where that fails, as it does when a terminal is closed.

    Parameters
    ----------
    log : Log
        Of the session; more comes to it as it trains.
    n, until : float
        Epochs to train, and the last one to train; infinite where they do not matter.
    verbose : int
        0 shows nothing.

    Yields
    ------
    show : callable
    """
    moment = Moment(log, n, until)
    if not verbose or moment.last_epoch <= log.epoch:
        yield lambda: None
        return
    view, next_time = _view(), -inf

    def show() -> None:
        nonlocal next_time
        moment.n_trained += 1
        if perf_counter() >= next_time:
            view.draw(moment)
            next_time = perf_counter() + view.seconds

    try:
        view.draw(moment)
        yield show
    finally:
        with uninterrupted():
            moment.is_over = True
            view.draw(moment)
            view.end()


class View(NamedTuple):
    """A way to show a moment."""

    draw: Callable[[Moment], None]
    seconds: float  # between two drawings, at least
    end: Callable[[], None] = lambda: None


def _view() -> View:
    """Find the best way to show that there is."""
    if in_notebook() and find_spec("matplotlib"):
        with suppress(Exception):  # a matplotlib that cannot be imported
            return View(_harmless(_figure()), SECONDS_BETWEEN_FIGURES)
    console = interactive_console()
    if console is None:
        return View(_harmless(_print), SECONDS_BETWEEN_LINES)
    from rich.live import Live

    # What is printed meanwhile stands above the line, unless it goes to a file.
    redirects = bool(sys.stdout and sys.stdout.isatty())
    live = Live(console=console, auto_refresh=False, redirect_stdout=redirects)

    def draw(moment: Moment) -> None:
        live.start()
        live.update(_Line(moment), refresh=True)

    return View(_harmless(draw), SECONDS_BETWEEN_BARS, _harmless(live.stop))


def _harmless(function: Callable[..., None]) -> Callable[..., None]:
    """Give a function whose errors are nobody's."""

    def attempt(*arguments: Any) -> None:
        with suppress(Exception, SystemExit):  # by which rich ends at a pipe that is broken
            function(*arguments)

    return attempt


def _figure() -> Callable[[Moment], None]:
    figure = LiveFigure()
    return lambda moment: figure.update(moment.log.frame(), force=moment.is_over)


def _print(moment: Moment) -> None:
    entries = list(measured(moment.log, 1).values())
    if moment.n_trained and entries:
        measures = epoch_words(entries[-1], best_of(moment.log))
        words = f"epoch {moment.log.epoch} of {moment.last_epoch}, {measures}"
        print(f"{words}, {moment.time_words()}", file=sys.stderr, flush=True)


# The line on a terminal.


class _Line:
    """What rich draws of a moment, in the width of the terminal."""

    def __init__(self, moment: Moment) -> None:
        self._moment = moment

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.text import Text

        row = line(self._moment, options.max_width)
        yield Text.assemble(*row, no_wrap=True, overflow="ellipsis", end="")


def line(moment: Moment, width: int) -> Row:
    """Lay out the line on a moment: all that has room in a width, but the epoch at least."""
    entries = list(measured(moment.log, LONGEST_CURVE).values())
    pieces = _pieces(moment, entries, LONG)
    if _length(pieces) + SHORTEST_CURVE > width:
        pieces = _pieces(moment, entries, SHORT)
    while len(pieces) > 1 and _length(pieces) + SHORTEST_CURVE > width:
        pieces.remove(max(pieces, key=lambda piece: piece.rank))
    name = "validation_loss" if entries and "validation_loss" in entries[-1] else "loss"
    n = max(min(width - _length(pieces), LONGEST_CURVE), 0)
    values = [entry.get(name, nan) for entry in entries[-n:]]
    curve = Piece(f"{sparkline(values):<{n}}", LOSS if name == "loss" else VALIDATION_LOSS)
    is_last = pieces[-1].rank == TIME
    pieces.insert(len(pieces) - is_last, curve)
    return [each for piece in pieces for each in ((piece.text, piece.style), (" ", ""))][:-1]


class Piece(NamedTuple):
    """A part of the line; those of high ranks go first, where there is no room for all."""

    text: str
    style: str = ""
    rank: int = 0


def _length(pieces: Sequence[Piece]) -> int:
    return sum(len(piece.text) + 1 for piece in pieces)


def _pieces(moment: Moment, entries: Sequence[Entry], words: Mapping[str, str]) -> list[Piece]:
    """Give all of the line but its curve."""
    log, last = moment.log, moment.last_epoch
    n_full = round(BAR * log.epoch / max(last, 1))
    pieces = [
        Piece("━" * n_full + "╌" * (BAR - n_full), "green", 6),
        Piece(words["epoch"].format(log.epoch, last)),
    ]
    if entries:
        texts = measure_words(entries[-1], best_of(log), words)
        pieces += [Piece(text, *LOOKS[name]) for name, text in texts.items()]
    return [*pieces, Piece(time, rank=TIME)] if (time := moment.time_words()) else pieces
