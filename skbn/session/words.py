"""What a session tells in text: measures of its epochs, and what happened between them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import islice
from textwrap import wrap
from typing import Any

from skbn.display.axes import cut
from skbn.session.log import CHANGE, EPOCH, REWIND, Event, Log
from skbn.session.training import OWNER
from skbn.training.run import Entry

LONGEST_VALUE = 40
"""Letters of a changed value that are shown."""
LONG = {
    "epoch": "epoch {} of {}",
    "loss": "loss {}",
    "validation_loss": "validation loss {}",
    "best": "(best {} at {})",
    "learning_rate": "learning rate {}",
}
SHORT = {
    "epoch": "{}/{}",
    "loss": "loss {}",
    "validation_loss": "validation {}",
    "best": "best {} at {}",
    "learning_rate": "rate {}",
}
"""Words of a narrow terminal, where those of others are too long."""
MAX_ROWS = 2
"""Rows for the measures of an epoch, at most."""


def number(value: float) -> str:
    """Write a measure in three digits, zeros too, so that it keeps its width as it changes."""
    return f"{value:#.3g}".rstrip(".")


def measured(log: Log, n_last: int | None = None) -> dict[int, Entry]:
    """Give what the first network measured in epochs of the line, by epoch.

    Parameters
    ----------
    log : Log
    n_last : int, default=None
        So many of them, the last; None is all.
    """
    events = (log.events[position] for position in reversed(log.line))
    found = ((each.epoch, entry) for each in events if (entry := entry_of(each)))
    return dict(reversed([*islice(found, n_last)]))


def entry_of(event: Event) -> Entry | None:
    """Give what the first network measured in an event, if that is an epoch of its own."""
    return event.measures[0] if event.measures else None


def measure_words(
    entry: Entry, best: tuple[int, float] | None, words: Mapping[str, str]
) -> dict[str, str]:
    """Tell the measures of an epoch, each by its name.

    Parameters
    ----------
    entry : dict
    best : tuple of int and float, or None
        The epoch with the lowest validation loss, and that loss.
    words : mapping of str to str
        LONG or SHORT.
    """
    values: dict[str, tuple[object, ...]] = {"loss": (number(entry["loss"]),)}
    if "validation_loss" in entry:
        values["validation_loss"] = (number(entry["validation_loss"]),)
        if best:
            values["best"] = (number(best[1]), best[0])
    values["learning_rate"] = (f"{entry['learning_rate']:.3g}",)
    return {name: words[name].format(*each) for name, each in values.items()}


def epoch_words(entry: Entry, best: tuple[int, float] | None = None) -> str:
    """Tell the measures of an epoch in a line; for the parameters see `measure_words`."""
    return ", ".join(measure_words(entry, best, LONG).values()).replace(", (", " (")


def epoch_rows(entry: Entry, best: tuple[int, float] | None, width: int) -> list[str]:
    """Tell the measures of an epoch in a width, in short words where long ones are too long."""
    row = epoch_words(entry, best)
    if len(row) <= width:
        return [row]
    # A row ends between two measures.
    texts = [text.replace(" ", "\xa0") for text in measure_words(entry, best, SHORT).values()]
    return [row.replace("\xa0", " ") for row in wrap(", ".join(texts), width)][:MAX_ROWS]


def best_of(log: Log) -> tuple[int, float] | None:
    """Give the epoch of the line with the lowest validation loss, and that loss."""
    if not log.best_epoch:
        return None
    # Of the events of the line after an epoch and before the next, the epoch is the first.
    place = bisect_left(log.line, log.best_epoch, key=lambda p: log.events[p].epoch)
    entry = entry_of(log.events[log.line[place]])
    return None if entry is None else (log.best_epoch, entry["validation_loss"])


def event_words(event: Event, epoch_before: int) -> str:
    """Tell an event in a line.

    Parameters
    ----------
    event : Event
    epoch_before : int
        The last epoch of the line before it.
    """
    if event.event == EPOCH:
        entry = entry_of(event)
        measures = epoch_words(entry) if entry else "the first member has stopped"
        return f"epoch {event.epoch}: {measures}"
    words = f"after {epoch_before}: "
    if event.event == CHANGE:
        words += change_words(event.params)
    elif event.event == REWIND:
        words += f"rewind to {event.epoch}"
    else:
        words += event.event
    return words if event.asked_by == OWNER else f"{words} ({event.asked_by})"


def change_words(params: Mapping[str, Any]) -> str:
    """Tell the new values of a change, as they are asked for."""
    return " ".join(f"{name}={cut(str(value), LONGEST_VALUE)}" for name, value in params.items())
