"""How far a search has come, in words: rich's bar on a terminal, or else plain lines."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import partial
from math import log10
from textwrap import fill
from threading import Event, Thread
from typing import Any

from skbn.search.workload import Plan, Workload

SECONDS_BETWEEN_LINES = 5.0
"""A log of an hour has some 700 lines."""
SECONDS_TO_ADVICE = 10.0
"""Time after which an estimate is worth advice."""
LONG_SECONDS = 120.0
"""Time in all that is worth advice."""

how_to_shorten: ContextVar[str] = ContextVar("how_to_shorten", default="")
"""How a search can be made shorter, in words of the command that runs it; empty is in words of
its own parameters. ``{seconds}`` and ``{time}`` stand for about half of what it will take."""

_wrapped = partial(fill, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False)


@contextmanager
def progress(
    workload: Workload, opening: str, best: Callable[[], str], advice: str
) -> Iterator[None]:
    """Show how far a search is, until the block ends.

    Parameters
    ----------
    workload : Workload
        Its lock is held while it is read.
    opening : str
        What there is to do.
    best : callable
        Gives the best result so far, in words; called with the lock held.
    advice : str
        How to make the search shorter, as `how_to_shorten` has it; shown if it proves to be long.
    """
    console = interactive_console()
    with _lines() if console is None else _bar(console, workload.plan.n_fits) as (say, draw):
        say(opening)
        ticker = Ticker(workload, best, advice, say, draw)
        seconds = SECONDS_BETWEEN_LINES if console is None else 1.0
        with _every(seconds, ticker.tick):
            yield
        ticker.end()


class Ticker:
    """Tells how far a search has come, each time that it is asked to.

    Parameters
    ----------
    workload, best, advice
        As of `progress`.
    say : callable
        Takes a sentence that is to stay.
    draw : callable
        Takes the number of fits done and of all, and the line on them.
    """

    def __init__(
        self,
        workload: Workload,
        best: Callable[[], str],
        advice: str,
        say: Callable[[str], None],
        draw: Callable[[int, int, str], None],
    ) -> None:
        self._workload, self._best, self._say, self._draw = workload, best, say, draw
        self._advice = advice

    def tick(self) -> None:
        """Tell of now."""
        left = self._show(has_ended=False)
        elapsed = self._workload.elapsed
        if left is not None and elapsed > SECONDS_TO_ADVICE - 1 and self._advice:
            if (total := elapsed + left) > LONG_SECONDS:
                half = about_half(total)
                advice = self._advice.format(seconds=half, time=duration(half))
                self._say(f"About {duration(total)} in all; {advice}")
            self._advice = ""

    def end(self) -> None:
        """Tell of the end."""
        self._show(has_ended=True)

    def _show(self, has_ended: bool) -> float | None:
        workload = self._workload
        with workload.lock:
            done, n_fits, left, best = workload.n_done, workload.n_fits, None, self._best()
            if not has_ended:
                left = workload.left()
        line = f"{done}/{n_fits} fits, {best}, elapsed {to_the_second(workload.elapsed)}"
        self._draw(done, n_fits, line + ("" if left is None else f", left about {duration(left)}"))
        return left


def in_words(plan: Plan, epochs: list[int | None], n_done: int) -> str:
    """Explain the number of fits.

    Parameters
    ----------
    plan : Plan
    epochs : list of int or None
        To have done on each rung.
    n_done : int
        Fits that were done before.
    """
    folds = f"{plan.n_splits} fold{'s' * (plan.n_splits > 1)}"
    parts: list[str] = []
    for n, until in zip(map(sum, zip(*plan.sizes, strict=True)), epochs, strict=True):
        who = f"then the best {n if n > 1 else 'one'}" if parts else f"{n} candidate{'s' * (n > 1)}"
        parts.append(f"{who} x {folds}" + ("" if until is None else f" to epoch {until}"))
    done = f"; {n_done} of them {'are' if n_done > 1 else 'is'} done" if n_done else ""
    return f"{plan.n_fits} fit{'s' * (plan.n_fits > 1)}: {', '.join(parts)}{done}"


@contextmanager
def _every(seconds: float, function: Callable[[], None]) -> Iterator[None]:
    """Call a function again and again, beside what the block does."""
    ended = Event()

    def run() -> None:
        while not ended.wait(seconds):
            function()

    thread = Thread(target=run, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()


@contextmanager
def _lines() -> Iterator[tuple[Any, Any]]:
    def say(text: str) -> None:
        if sys.stderr.isatty():
            text = _wrapped(text, shutil.get_terminal_size().columns)
        print(text, file=sys.stderr, flush=True)

    yield say, lambda done, n_fits, line: say(line)


@contextmanager
def _bar(console: Any, n_fits: int) -> Iterator[tuple[Any, Any]]:
    from rich.progress import BarColumn, Progress, TextColumn
    from rich.table import Column

    # The default column cuts the end of a line that is too long, which is the time left.
    layout = BarColumn(10), TextColumn("{task.description}", table_column=Column())
    with Progress(*layout, console=console) as bar:
        task = bar.add_task(f"0/{n_fits} fits", total=n_fits)
        yield (
            lambda text: bar.console.print(_wrapped(text, console.width)),
            lambda done, total, line: bar.update(
                task, completed=done, total=total, description=line
            ),
        )


def interactive_console(stderr: bool = True) -> Any:
    """Give rich's console of a terminal on which lines can be drawn anew, or None.

    Parameters
    ----------
    stderr : bool, default=True
        Whether that of stderr, or else of stdout.
    """
    try:
        from rich.console import Console
    except ImportError:
        return None
    console = Console(stderr=stderr, highlight=False)
    can_draw = console.is_interactive and console.encoding.startswith("utf")
    return console if can_draw else None


def duration(seconds: float) -> str:
    """Write a time in the unit in which it is short."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"


def to_the_second(seconds: float) -> str:
    """Write a time so that it never stands still for long."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    parts = (hours, "h"), (minutes, "min"), (rest, "s")
    return " ".join(f"{n} {unit}" for n, unit in parts if n) or "0 s"


def about_half(seconds: float) -> int:
    """Give half of a time, in minutes or hours of one digit that counts."""
    unit = 60 if seconds < 2 * 3600 else 3600
    n = max(1.0, seconds / 2 / unit)
    return unit * int(round(n, -int(log10(n))))
