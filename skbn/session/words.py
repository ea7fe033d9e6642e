"""What a session tells in text: measures of its epochs, and what happened between them."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Mapping
from itertools import islice
from typing import Any

from skbn.display.axes import cut
from skbn.session.log import CHANGE, EPOCH, REWIND, Event, Log
from skbn.session.training import OWNER
from skbn.training.run import Entry

LONGEST_VALUE = 40
"""Letters of a changed value that are shown."""


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


def epoch_words(entry: Entry, best: tuple[int, float] | None = None) -> str:
    """Tell the measures of an epoch.

    Parameters
    ----------
    entry : dict
    best : tuple of int and float, default=None
        The epoch with the lowest validation loss, and that loss.
    """
    words = [f"loss {number(entry['loss'])}"]
    if "validation_loss" in entry:
        of_best = f" (best {number(best[1])} at {best[0]})" if best else ""
        words.append(f"validation loss {number(entry['validation_loss'])}{of_best}")
    return ", ".join([*words, f"learning rate {entry['learning_rate']:.3g}"])


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
