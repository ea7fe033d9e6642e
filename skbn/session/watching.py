"""The learning curves of a session as they grow, seen from another terminal."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import pandas as pd

from skbn.display.axes import cut
from skbn.display.text_curves import (
    FAINT,
    LOSS,
    MARK,
    MARKED,
    VALIDATION_LOSS,
    Curve,
    Row,
    chart,
)
from skbn.display.training_record import epochs_of, has_losses, lines_of, loss_range, measure
from skbn.search.progress import interactive_console
from skbn.session.log import CHANGE, EPOCH, Log
from skbn.session.looking import Look, look_at
from skbn.session.words import best_of, epoch_rows, event_words, measured
from skbn.training.interruption import Interrupted

SECONDS_BETWEEN_LOOKS = 0.5
MAX_SHARE = 0.1
"""Time that looks at a long log and their pictures take, at most: the processor is to train."""
MAX_HEIGHT_AT_THE_END = 30
"""Rows of the picture that stays on the terminal."""
MIN_EVENTS, SHARE_OF_EVENTS = 3, 5
"""Rows for events that are no epochs: so many at least, or one of so many rows."""
SHORTEST_NAME = 8
"""Letters of the name of a journal, at least, where it is cut."""
STYLES = {"loss": LOSS, "validation_loss": VALIDATION_LOSS}


def watch(path: str) -> None:
    """Show the learning curves of a journal on stdout as they grow.

    On a terminal they are drawn until nobody has the session open any more, or until Ctrl-C.
    Elsewhere each event is a line, until no training is under way.

    Parameters
    ----------
    path : str

    Raises
    ------
    ValueError
        If there is no such journal.
    """
    is_terminal = sys.stdout.isatty()
    console = interactive_console(stderr=False) if is_terminal else None
    looks = _looks(path, is_terminal)
    try:
        if console is None:
            _tell(looks)
        else:
            _draw(looks, Path(path).name, console)
    except Interrupted:
        pass  # which is how one leaves


def _looks(path: str, is_terminal: bool) -> Iterator[Look]:
    """Look again and again, for as long as there may be more to see."""
    look = None
    while True:
        started = perf_counter()
        look = look_at(path, look)
        yield look
        if not (look.is_open if is_terminal else look.is_training):
            return
        seconds = perf_counter() - started
        sleep(max(SECONDS_BETWEEN_LOOKS, seconds / MAX_SHARE))


def _tell(looks: Iterator[Look]) -> None:
    """Print a line for each event."""
    told = Log()
    for look in looks:
        for event in look.log.events[len(told.events) :]:
            print(event_words(event, told.epoch), flush=True)
            told.add(event)


def _draw(looks: Iterator[Look], name: str, console: Any) -> None:
    """Draw each look in place of the one before, and leave the last one on the terminal."""
    from rich.live import Live

    look, drawn = next(looks), None
    try:
        if look.is_open:
            with Live(console=console, screen=True, auto_refresh=False) as live:
                while look.is_open:
                    seen = len(look.log.events), look.state, console.size
                    if seen != drawn:
                        live.update(_Picture(look, name), refresh=True)
                        drawn = seen
                    look = next(looks, look)
    finally:
        console.print(_Picture(look, name), end="")


class _Picture:
    """What rich draws of a look, in the size of the terminal."""

    def __init__(self, look: Look, name: str) -> None:
        self._look, self._name = look, name

    def __rich_console__(self, console: Any, options: Any) -> Iterator[Any]:
        from rich.text import Text

        height = options.height or min(console.height - 2, MAX_HEIGHT_AT_THE_END)
        for row in picture(self._look, self._name, options.max_width, height):
            yield Text.assemble(*row, no_wrap=True, overflow="ellipsis")


def picture(look: Look, name: str, width: int, height: int) -> list[Row]:
    """Lay out a look at a journal: its state, its curves, and what happened between epochs.

    Parameters
    ----------
    look : Look
    name : str
        Of the journal.
    width, height : int
        Letters in a row, and rows.

    Returns
    -------
    rows : list of list of tuple of str and str
    """
    log = look.log
    branch = f" of branch {log.branch}" if log.branch else ""
    state = f"  epoch {log.epoch}{branch}, {look.state}"
    head: list[Row] = [[(cut(name, max(width - len(state), SHORTEST_NAME)), "bold"), (state, "")]]
    for last in measured(log, 1).values():
        head += [[(row, "")] for row in epoch_rows(last, best_of(log), width)]
    events = _event_rows(log, max(MIN_EVENTS, height // SHARE_OF_EVENTS))
    frame = log.frame()
    if not has_losses(frame):
        return [*head, [("no epoch yet", FAINT)], *events]
    n_rows = height - len(head) - len(events) - 1
    return [*head, *_curves(log, frame, (width, n_rows)), _legend(frame), *events][:height]


def _curves(log: Log, frame: pd.DataFrame, size: tuple[int, int]) -> list[Row]:
    """Draw the losses of the line, over those of lines left."""
    lines = lines_of(frame)
    present, left = epochs_of(frame, lines.present), [frame.iloc[p] for p in lines.left]
    of_left = [Curve(each["epoch"], measure(each, name), FAINT) for each in left for name in STYLES]
    of_line = [
        Curve(present["epoch"], measure(present, name), style) for name, style in STYLES.items()
    ]
    values = [np.concatenate([[], *(each.y for each in some)]) for some in (of_line, of_left)]
    marks = [log.events[p].epoch for p in log.line if log.events[p].event == CHANGE]
    return chart([*of_left, *of_line], loss_range(*values), int(frame["epoch"].max()), marks, size)


def _legend(frame: pd.DataFrame) -> Row:
    entries = [("━ loss", LOSS)]
    if "validation_loss" in frame:
        entries.append(("━ validation loss", VALIDATION_LOSS))
    if (frame["event"] == "rewind").any():
        entries.append(("━ left by a rewind", FAINT))
    if (frame["event"] == "change").any():
        entries.append((f"{MARK} change", MARKED))
    return [piece for entry in entries for piece in (entry, ("  ", ""))]


def _event_rows(log: Log, n_most: int) -> list[Row]:
    """Tell the last events that are no epochs, those that were undone faintly."""
    rows, told, line = [], Log(), set(log.line)
    for position, event in enumerate(log.events):
        if event.event != EPOCH:
            is_undone = event.event == CHANGE and position not in line
            rows.append([(event_words(event, told.epoch), FAINT if is_undone else "")])
        told.add(event)
    n_cut = len(rows) - n_most + 1
    return rows if n_cut <= 1 else [[(f"{n_cut} earlier", FAINT)], *rows[n_cut:]]
