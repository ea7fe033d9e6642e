"""Data of pictures of a training: its line and the lines left, what happened, and limits.

The *line* of a training is what led to its present state: all that no rewind has undone.
"""

from __future__ import annotations

from bisect import bisect_right
from typing import NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skbn.display.axes import cut
from skbn.network.losses import CHANGES_MEASURES
from skbn.search.distributions import write

IN_EVERY_LOG = ["epoch", "branch", "parent", "event", "time", "asked_by"]
"""Columns that are neither measures nor changed parameters."""
RENAMED = {"learning_rate_schedule": "learning_rate"}
"""Columns of parameters whose own names are those of measures."""
LONGEST_NAME = 20
"""Letters of a parameter's name or value that are written: ``learning_rate_decay`` is whole."""
OUTLIER = 100.0
"""Times the median of its line that a loss is still on the axis. Networks begin near the
logarithm of the number of classes, and seldom end below a hundredth of it."""
LEFT_OUTLIER = 1.5
"""Times the highest loss of the line that one of a line left is still on the axis."""
MIN_LOG_RATIO = 10.0
"""Times the lowest loss that the highest one is where the axis is logarithmic."""
MAX_LOG_RATIO = 1e4
"""Times the lowest loss on a logarithmic axis that the highest one is at most."""


class Lines(NamedTuple):
    """Positions of the rows of a log, by where they led."""

    present: list[int]
    left: list[list[int]]  # of epochs: each line left, from the epoch that was gone back to
    undone: list[int]  # all rows that are on lines left alone


class Mark(NamedTuple):
    """What happened after an epoch."""

    epoch: int
    event: str
    text: str
    is_left: bool  # on a line left


class Range(NamedTuple):
    """Values that an axis shows, from the lowest to the highest."""

    low: float
    high: float
    is_log: bool

    def at(self, share: float) -> float:
        """Give the value at a share of the length, from 0 to 1 or beyond."""
        if self.is_log:
            return float(self.low * (self.high / self.low) ** share)
        return float(self.low + share * (self.high - self.low))

    def share(self, values: NDArray[np.float64]) -> NDArray[np.float64]:
        """Give the share of the length at which values lie, the reverse of `at`."""
        if not self.is_log:
            return (values - self.low) / (self.high - self.low)
        with np.errstate(divide="ignore"):  # a loss of zero lies infinitely far below
            logs = np.log(np.maximum(values, 0) / self.low)
        return logs / np.log(self.high / self.low)

    def opened(self) -> Range:
        """Give a longer one where both ends are the same."""
        if self.low < self.high:
            return self
        margin = 0.1 * abs(self.high) or 1.0
        return Range(self.low - margin, self.high + margin, self.is_log)


def lines_of(log: pd.DataFrame) -> Lines:
    """Follow a log through its rewinds."""
    present: list[int] = []
    left, undone = [], []
    is_epoch = (log["event"] == "epoch").tolist()
    # A change after an epoch comes between that epoch and the next.
    keys = (2 * log["epoch"] - is_epoch).tolist()
    for position, (event, epoch) in enumerate(zip(log["event"], log["epoch"], strict=True)):
        if event == "rewind":
            n_kept = bisect_right(present, 2 * epoch - 1, key=keys.__getitem__)
            present, tail = present[:n_kept], present[n_kept:]
            undone += tail
            if any(is_epoch[p] for p in tail):
                left.append(present[-1:] + [p for p in tail if is_epoch[p]])
        present.append(position)
    return Lines(present, left, undone)


def epochs_of(log: pd.DataFrame, positions: list[int]) -> pd.DataFrame:
    """Give the epochs among some rows of a log."""
    rows = log.iloc[positions]
    return rows[rows["event"] == "epoch"]


def marks_of(log: pd.DataFrame, lines: Lines) -> list[Mark]:
    """Give what happened between epochs, on the line and then on those left."""
    is_epoch = (log["event"] == "epoch").to_numpy()
    return [
        Mark(log["epoch"].iloc[position], log["event"].iloc[position], text, is_left)
        for positions, is_left in ((lines.present, False), (lines.undone, True))
        for position in positions
        if not is_epoch[position]
        for text in _texts(log, position)
    ]


def _texts(log: pd.DataFrame, position: int) -> list[str]:
    """Say what happened in a row, a text for each changed parameter."""
    row = log.iloc[position]
    asked_by = "" if row["asked_by"] == "session" else f" ({row['asked_by']})"
    if row["event"] == "change":
        texts = [
            f"{cut(RENAMED.get(name, name), LONGEST_NAME)}={cut(write(row[name]), LONGEST_NAME)}"
            for name in log.columns.difference(IN_EVERY_LOG, sort=False)
            if _is_changed(log, position, name)
        ]
    elif row["event"] == "rewind" and position:
        texts = [f"rewind from {log['epoch'].iloc[position - 1]}"]
    else:
        texts = [row["event"]]
    return [text + asked_by for text in texts]


def _is_changed(log: pd.DataFrame, position: int, name: str) -> bool:
    """Whether a row changed a parameter; None is a value where others are missing as NaN."""
    value = log[name].iloc[position]
    if value is None:
        return not any(other is None for other in log[name][log["event"] == "epoch"])
    return not (pd.api.types.is_scalar(value) and pd.isna(value))


def comparable(log: pd.DataFrame, positions: list[int]) -> list[int]:
    """Give the rows of a line whose losses measure the same as those of its last epoch."""
    if CHANGES_MEASURES not in log:
        return positions
    last = max((p for p in positions if log["event"].iloc[p] == "epoch"), default=0)
    is_changed = log[CHANGES_MEASURES].notna().tolist()
    first = max((p for p in positions if p < last and is_changed[p]), default=0)
    return [p for p in positions if p >= first]


def kept_epoch_of(line: pd.DataFrame) -> int | None:
    """Give the epoch of the lowest validation loss on a line, or else its last."""
    if line.empty:
        return None
    losses = measure(line, "validation_loss")
    place = np.nanargmin(losses) if np.isfinite(losses).any() else -1
    return int(line["epoch"].iloc[place])


def measure(rows: pd.DataFrame, name: str) -> NDArray[np.float64]:
    """Give a column of measures; NaN where it was not measured."""
    if name not in rows:
        return np.full(len(rows), np.nan)
    return rows[name].to_numpy(dtype=np.float64, na_value=np.nan)


def has_losses(log: pd.DataFrame) -> bool:
    """Tell whether there is anything to draw."""
    return any(np.isfinite(measure(log, name)).any() for name in ("loss", "validation_loss"))


def loss_range(present: NDArray[np.float64], left: NDArray[np.float64]) -> Range:
    """Find the losses to show: those of the line, and of lines left what lies near."""
    present, left = (losses[np.isfinite(losses)] for losses in (present, left))
    both = np.append(present, left)
    known = present if present.size else left
    high = known[known <= OUTLIER * np.median(known)].max()
    high = both[both <= LEFT_OUTLIER * high].max()
    positive = both[both > 0]
    if high < MIN_LOG_RATIO * both.min() or not positive.size:
        return Range(float(both.min()), float(high), is_log=False).opened()
    low = max(positive.min(), high / MAX_LOG_RATIO)
    return Range(float(low), float(high), is_log=True).opened()
