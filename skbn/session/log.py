"""The log of a session: epochs, changes, rewinds and stops, and the line that leads here."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import pandas as pd

from skbn.network.losses import CHANGES_MEASURES
from skbn.training.run import Entry

EPOCH, CHANGE, REWIND, STOP = KINDS = ("epoch", "change", "rewind", "stop")


class Event(NamedTuple):
    """What happened in a session; of an epoch, what each network measured."""

    event: str
    epoch: int  # that was trained or gone back to, or after which it happened
    branch: int
    time: float  # seconds since 1970
    asked_by: str
    measures: Sequence[Entry | None] = ()  # None of a network that had stopped before
    params: dict[str, Any] = {}  # of a change; nobody changes them


class Log:
    """Events in the order in which they happened.

    Parameters
    ----------
    events : iterable of Event

    Attributes
    ----------
    events : list of Event
    line : list of int
        Positions of the epochs and changes that led to the present state.
    branch : int
        The present one: each rewind begins another.
    epoch : int
        Epochs on the line.
    best_epoch : int
        That of the lowest validation loss on the line, of the first network; or 0. Only losses
        that measure the same as the last one count.
    """

    def __init__(self, events: Iterable[Event] = ()) -> None:
        self.events: list[Event] = []
        self.line: list[int] = []
        self.branch = self.epoch = self.best_epoch = 0
        self._lowest = math.inf
        for event in events:
            self.add(event)

    def add(self, event: Event) -> None:
        """Take note of what happened; raise ValueError if it cannot have happened now."""
        begins = event.event == REWIND
        is_next = event.epoch == self.epoch + (event.event == EPOCH)
        is_next = 0 <= event.epoch <= self.epoch if begins else is_next
        if not is_next or event.branch != self.branch + begins:
            raise ValueError(f"{event.event} {event.epoch} does not follow epoch {self.epoch}")
        position = len(self.events)
        self.events.append(event)
        if event.event == REWIND:
            self.line = self.line_until(event.epoch)
            self.branch, self.epoch = event.branch, event.epoch
            self.best_epoch, self._lowest = 0, math.inf
            for each in self.line:
                self._judge(self.events[each])
        elif event.event != STOP:
            self.line.append(position)
            self.epoch = event.epoch
            self._judge(event)

    def _judge(self, event: Event) -> None:
        if CHANGES_MEASURES in event.params:
            self._lowest = math.inf
        entry = event.measures[0] if event.measures else None
        loss = (entry or {}).get("validation_loss", math.inf)
        if loss < self._lowest:
            self.best_epoch, self._lowest = event.epoch, loss

    def check_epoch(self, epoch: int) -> None:
        """Refuse to go back to an epoch that is not on the line."""
        if not 0 <= epoch <= self.epoch:
            raise ValueError(
                f"there is no epoch {epoch} to go back to: this branch has the epochs 0, which is "
                f"before training, to {self.epoch}. What a rewind has left is in the log alone"
            )

    def line_until(self, epoch: int) -> list[int]:
        """Give the part of the line that ends with an epoch."""
        if epoch == 0:
            return []
        ends = (p for p in self.line if self._is_epoch(p) and self.events[p].epoch == epoch)
        return self.line[: self.line.index(next(ends)) + 1]

    def _is_epoch(self, position: int) -> bool:
        return self.events[position].event == EPOCH

    def histories(self, line: Sequence[int], n_networks: int) -> list[dict[str, list[float]]]:
        """Give the history of each network along a line."""
        epochs = [self.events[p].measures for p in line if self._is_epoch(p)]
        of_each = [[e for each in epochs if (e := each[k]) is not None] for k in range(n_networks)]
        return [
            {name: [entry[name] for entry in own] for name in (own[0] if own else ())}
            for own in of_each
        ]

    def params(self, line: Sequence[int]) -> dict[str, Any]:
        """Give the last values of the parameters that were changed along a line."""
        changed: dict[str, Any] = {}
        for position in line:
            changed |= self.events[position].params
        return changed

    def frame(self) -> pd.DataFrame:
        """Give a row an event; of an epoch what the first network measured."""
        entries = [(each.measures[0] if each.measures else None) or {} for each in self.events]
        measured = dict.fromkeys(name for entry in entries for name in entry)
        changed = dict.fromkeys(name for each in self.events for name in each.params)
        columns: dict[str, Any] = {
            "epoch": pd.Series([each.epoch for each in self.events], dtype=int),
            "branch": pd.Series([each.branch for each in self.events], dtype=int),
            "event": pd.Series([each.event for each in self.events], dtype=object),
            "time": pd.to_datetime([each.time for each in self.events], unit="s", utc=True).as_unit(
                "us"
            ),
            "asked_by": pd.Series([each.asked_by for each in self.events], dtype=object),
        }
        for name in measured:
            columns[name] = pd.Series([entry.get(name) for entry in entries], dtype=float)
        for name in changed:
            values = [each.params.get(name, math.nan) for each in self.events]
            # The measure of the name is a number, the parameter a schedule.
            own = "learning_rate_schedule" if name == "learning_rate" else name
            columns[own] = pd.Series(values, dtype=object)
        return pd.DataFrame(columns)
