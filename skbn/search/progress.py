"""A line on the progress of long work: rich's bar on a terminal, or else plain lines."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from time import perf_counter
from typing import Any

SECONDS_BETWEEN_LINES = 5.0
"""A log of an hour has some 700 lines."""

Show = Callable[[int, Callable[[], str]], None]
"""Takes the number of fits done, and a function for a text beside it, called if it is shown."""


@contextmanager
def progress(total: int, verbose: int = 1) -> Iterator[Show]:
    """Give a function that shows how many fits are done, a text, and the time left.

    Parameters
    ----------
    total : int
        Fits to make.
    verbose : int, default=1
        0 shows nothing.

    Yields
    ------
    show : Show
    """
    if not verbose:
        yield lambda done, text: None
        return
    console = interactive_console()
    if console is None:
        yield _lines(total)
        return
    from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

    layout = BarColumn(10), TextColumn("{task.description}"), TimeElapsedColumn()
    with Progress(*layout, console=console) as bar:
        line = bar.add_task(f"0/{total} fits", total=total)
        describe = _description(total)

        def show(done: int, text: Callable[[], str]) -> None:
            bar.update(line, completed=done, description=describe(done, text()))

        yield show


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


def _description(total: int) -> Callable[[int, str], str]:
    started, first = perf_counter(), None

    def describe(done: int, text: str) -> str:
        nonlocal first
        # The fits that a journal had already took no time.
        first = done - 1 if first is None else first
        left = (perf_counter() - started) / (done - first) * (total - done)
        return f"{done}/{total} fits, {text}, {duration(left)} left"

    return describe


def _lines(total: int) -> Show:
    describe, shown = _description(total), float("-inf")

    def show(done: int, text: Callable[[], str]) -> None:
        nonlocal shown
        if done == total or perf_counter() - shown > SECONDS_BETWEEN_LINES:
            shown = perf_counter()
            print(describe(done, text()), file=sys.stderr, flush=True)

    return show


def duration(seconds: float) -> str:
    """Write a time in the unit in which it is short."""
    if seconds < 100:
        return f"{seconds:.0f} s"
    return f"{seconds / 60:.0f} min" if seconds < 6000 else f"{seconds / 3600:.1f} h"
