"""The picture of a training: losses above, the learning rate below, and what happened between.

matplotlib is imported inside functions only, so that nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skbn.display.axes import (
    BAR_COLOUR,
    BEST_COLOUR,
    LINE_HEIGHT,
    MARGIN,
    TEXT_SIZE,
    TICK_LETTER,
    Places,
    draw_legend,
    is_lowest,
    legend_entry,
    log_ticks,
    place_panels,
    score_ticks,
    size_in_text,
    wrap,
    write_epochs,
)
from skbn.display.flags import Flag, place_flags
from skbn.display.training_record import (
    Mark,
    Range,
    comparable,
    epochs_of,
    has_losses,
    kept_epoch_of,
    lines_of,
    loss_range,
    marks_of,
    measure,
)

LOSS_COLOURS = {"loss": "#e69f00", "validation_loss": BAR_COLOUR}
"""Orange and dark teal differ in lightness too, and both from the vermilion of the best."""
RATE_COLOUR = "#444444"
RATE_MARGIN = 0.15
"""Free space at an end of the axis of learning rates, as a fraction of its length."""
LABEL_SIZE = 1.25
"""Size of the names of axes, as a multiple of that of other text."""
LEFT_LOOK = {"alpha": 0.4, "linewidth": 1.2, "zorder": 1.8}
"""Lines left are faint, and beneath the line."""
HALF_DASH = (0, (3.5, 3.5))
"""A dash as long as half an entry of the legend, in multiples of the width of its line."""
POLE_COLOURS = {False: "#777777", True: "#cccccc"}
TEXT_COLOURS = {False: "#222222", True: "#767676"}
"""On the line, and on lines left; the paler one can still be read on white."""
POLE_STYLES = {"change": "-", "rewind": "--", "stop": ":"}
PRIORITIES = {"rewind": 0, "change": 1}
"""Of texts where there is no room for all; lower ones go first, and those of stops last."""
GAP = 0.8
"""Free space beside a text, as a multiple of its size."""
MAX_FLAG_ROWS = 4
"""Rows of texts above the losses, at most."""
MAX_FLAG_SHARE = 0.4
"""Share of the height of a panel that they take, at most."""


def draw_training(log: pd.DataFrame, kept_epoch: int | None, ax: Any) -> Places:
    """Draw losses and, below, the learning rate against the epoch, with all that happened."""
    if not has_losses(log):
        raise ValueError("nothing to draw: the log has no epoch with a finite loss; train first")
    log = log.reset_index(drop=True)
    lines = lines_of(log)
    line, left = epochs_of(log, lines.present), [log.iloc[positions] for positions in lines.left]
    shown = _shown_losses(line, left)
    places = place_panels(ax, 2, 1, size=(6.4, 4.6), heights=[3, 1], gap=0.12)
    upper, lower = places.panels
    if places.ax is not None:
        lower.sharex(upper)
    entries = _draw_losses(upper, line, left, shown)
    if kept_epoch is None:
        kept_epoch = kept_epoch_of(epochs_of(log, comparable(log, lines.present)))
    entries += _draw_kept(upper, line, kept_epoch, shown)
    _draw_rates(lower, line, left)
    _write_axes(places, log, shown)
    draw_legend(places, entries)
    _draw_marks(places, marks_of(log, lines), shown, entries)
    return places


def _shown_losses(line: pd.DataFrame, left: Sequence[pd.DataFrame]) -> Range:
    """Find the losses that the axis shows, of all curves."""
    present, others = (
        np.concatenate([[], *(measure(each, name) for each in rows for name in LOSS_COLOURS)])
        for rows in ([line], left)
    )
    return loss_range(present, others)


def _draw_losses(
    ax: Any, line: pd.DataFrame, left: Sequence[pd.DataFrame], shown: Range
) -> list[Any]:
    """Draw losses, on lines left faintly, and triangles where they leave the axis."""
    measured, beyond = [], 0
    for rows in [*left, line]:
        look = {} if rows is line else LEFT_LOOK
        for name, colour in LOSS_COLOURS.items():
            losses = measure(rows, name)
            if np.isfinite(losses).any():
                measured.append(name)
                _draw_line(ax, rows["epoch"], losses, color=colour, **look)
                beyond += _draw_exits(ax, rows["epoch"], losses, shown, color=colour, **look)
    names = {"loss": "training loss", "validation_loss": "validation loss"}
    entries = [legend_entry(names[name], LOSS_COLOURS[name]) for name in names if name in measured]
    if left:
        colour, *others = [
            LOSS_COLOURS[name] for name in reversed(LOSS_COLOURS) if name in measured
        ]
        half = {"gapcolor": others[0], "linestyle": HALF_DASH} if others else {}
        entries.append(legend_entry("branch left", colour, **half, **LEFT_LOOK))
    if beyond:
        entries.append(legend_entry("beyond the axis", "black", marker="^", markersize=5))
    return entries


def _draw_line(ax: Any, epochs: pd.Series[int], values: NDArray[np.float64], **look: Any) -> None:
    """Draw a line, with dots where a value has no neighbour."""
    known = np.isfinite(np.pad(values, 1, constant_values=np.nan))
    alone = np.flatnonzero(known[1:-1] & ~known[:-2] & ~known[2:])
    ax.plot(epochs, np.where(known[1:-1], values, np.nan), **look)
    if alone.size:
        dots = look | {"linestyle": "none", "marker": "o", "markersize": 4, "drawstyle": "default"}
        ax.plot(epochs.iloc[alone], values[alone], **dots)


def _draw_exits(
    ax: Any, epochs: pd.Series[int], losses: NDArray[np.float64], shown: Range, **look: Any
) -> int:
    """Draw a triangle wherever a line leaves the axis, and count them."""
    shares, n_exits = shown.share(losses), 0
    for marker, sign, end in ("^", 1, 1 + MARGIN), ("v", -1, -MARGIN):
        is_beyond = sign * shares > sign * end
        first = np.flatnonzero(is_beyond & ~np.append(False, is_beyond[:-1]))
        if first.size:
            triangles = look | {"linestyle": "none", "marker": marker, "markersize": 4}
            places = _crossings(epochs.to_numpy(), shares, first, end)
            ax.plot(places, np.full(len(first), shown.at(end)), **triangles)
        n_exits += len(first)
    return n_exits


def _crossings(
    epochs: NDArray[np.int64], shares: NDArray[np.float64], first: NDArray[np.int64], end: float
) -> NDArray[np.float64]:
    """Find where a line crosses the end of an axis before epochs that lie beyond."""
    before = np.maximum(first - 1, 0)
    with np.errstate(invalid="ignore", divide="ignore"):  # beyond from the start
        way = (end - shares[before]) / (shares[first] - shares[before])
    way = np.where(np.isfinite(way), way, 1)
    return epochs[before] * (1 - way) + epochs[first] * way


def _draw_kept(ax: Any, line: pd.DataFrame, epoch: int | None, shown: Range) -> list[Any]:
    """Draw a star at the epoch that is kept, where it has a loss."""
    kept = line[line["epoch"] == epoch]
    losses = np.concatenate([measure(kept, name) for name in ("validation_loss", "loss")])
    if not np.isfinite(losses).any():
        return []
    loss = losses[np.isfinite(losses)][0]
    star = {"marker": "*", "markersize": 12, "markeredgecolor": "white", "zorder": 4}
    ax.plot(epoch, np.clip(loss, shown.low, shown.high), color=BEST_COLOUR, **star)
    return [legend_entry(f"kept: epoch {epoch} ({loss:.4g})", BEST_COLOUR, **star)]


def _draw_rates(ax: Any, line: pd.DataFrame, left: Sequence[pd.DataFrame]) -> None:
    """Draw the learning rate of each epoch, on a logarithmic axis."""
    ax.set_yscale("log", nonpositive="mask")
    drawn = []
    for rows in [*left, line]:
        rates = measure(rows, "learning_rate")
        rates = np.where(rates > 0, rates, np.nan)
        look = {} if rows is line else LEFT_LOOK
        _draw_line(ax, rows["epoch"], rates, color=RATE_COLOUR, drawstyle="steps-pre", **look)
        drawn.append(rates[np.isfinite(rates)])
    rates = np.concatenate(drawn)
    if rates.size:
        shown = Range(rates.min(), rates.max(), is_log=True)
        write_numbers(ax.yaxis, log_ticks(shown.low, shown.high, _n_ticks(ax)), n_digits=3)
        ax.set_ylim(shown.opened().at(-RATE_MARGIN), shown.opened().at(1 + RATE_MARGIN))


def _n_ticks(ax: Any) -> float:
    """Numbers for which there is room at the axis on the left."""
    return max(2, size_in_text(ax)[1] / LINE_HEIGHT / 1.7)


def write_numbers(axis: Any, ticks: NDArray[np.float64], n_digits: int = 4) -> None:
    """Write numbers at an axis of matplotlib, and no others.

    With a linear axis all have the same number of decimal places.
    """
    from matplotlib.ticker import NullLocator

    axis.set_minor_locator(NullLocator())
    texts = [f"{tick:.{n_digits}g}" for tick in ticks]
    if axis.get_scale() == "linear" and not any("e" in text for text in texts):
        n_places = max((len(text.partition(".")[2]) for text in texts), default=0)
        texts = [f"{tick:.{n_places}f}" for tick in ticks]
    axis.set_ticks(ticks, texts)


def write_losses(ax: Any, shown: Range) -> None:
    """Write losses at the axis on the left, which is logarithmic where the range is."""
    if shown.is_log:
        ax.set_yscale("log", nonpositive="mask")
        write_numbers(ax.yaxis, log_ticks(shown.low, shown.high, _n_ticks(ax)))
    else:
        write_numbers(ax.yaxis, score_ticks(shown.low, shown.high))


def _write_axes(places: Places, log: pd.DataFrame, shown: Range) -> None:
    """Write what stands at the axes, and the losses that the axis shows."""
    upper, lower = places.panels
    for panel, name in zip(places.panels, ("loss", "learning rate"), strict=True):
        write_epochs(panel, max(log["epoch"].max(), 1))
        is_low = is_lowest(panel, places.panels)
        has_room = size_in_text(panel)[1] > TICK_LETTER * LABEL_SIZE * len(name)
        panel.set(xlabel="epoch" if is_low else "", ylabel=name if has_room else wrap(name))
        panel.tick_params(labelsize=TEXT_SIZE, labelbottom=is_low)
        panel.spines[["top", "right"]].set_visible(False)
    write_losses(upper, shown)
    upper.figure.align_ylabels([upper, lower])


def _draw_marks(
    places: Places, marks: Sequence[Mark], shown: Range, entries: Sequence[Any]
) -> None:
    """Draw a line where something happened, with a text beside it, above the losses."""
    upper, lower = places.panels
    curves = list(upper.lines)
    _lay_out(upper.figure)
    flags = _place_texts(upper, marks)
    if n_more := flags.count(None):
        label = f"{n_more} more change{'s' if n_more > 1 else ''}"
        draw_legend(places, [*entries, legend_entry(label, POLE_COLOURS[False], linewidth=0.8)])
        _lay_out(upper.figure)
    n_rows = max((flag.row + 1 for flag in flags if flag), default=0)
    row = LINE_HEIGHT / size_in_text(upper)[1]
    for mark, flag in zip(marks, flags, strict=True):
        n_above = n_rows if flag is None else n_rows - 1 - flag.row
        for panel, top in (upper, 1 - n_above * row), (lower, 1):
            style = {"linestyle": POLE_STYLES.get(mark.event, "-"), "linewidth": 0.8}
            panel.axvline(mark.epoch, 0, top, color=POLE_COLOURS[mark.is_left], zorder=1, **style)
        if flag is not None:
            offset = np.array([flag.low + GAP / 2 - flag.pole, -n_above * LINE_HEIGHT])
            _write_mark(upper, mark, offset * TEXT_SIZE)
    _leave_room(upper, curves, shown, n_rows * row)


def _leave_room(ax: Any, curves: Sequence[Any], shown: Range, room: float) -> None:
    """Leave room above curves, as a share of the height of their panel."""
    from matplotlib.patches import Rectangle

    end = (1 + 4 * MARGIN) / (1 - room) - 2 * MARGIN
    ax.set_ylim(shown.at(-2 * MARGIN), shown.at(end))
    below = Rectangle((0, 0), 1, 1 - room, transform=ax.transAxes)
    for curve in curves:
        curve.set_clip_path(below)


def _place_texts(ax: Any, marks: Sequence[Mark]) -> list[Flag | None]:
    """Find places for the texts of marks, by their priority where there is no room for all."""
    box, (width, height) = ax.get_window_extent(), size_in_text(ax)
    order = sorted(range(len(marks)), key=lambda i: (marks[i].is_left, -marks[i].epoch, -i))
    poles, lengths = [], []
    for mark in (marks[i] for i in order):
        text = _write_mark(ax, mark, (0, 0))
        poles.append((ax.transData.transform((mark.epoch, 1))[0] - box.x0) * width / box.width)
        lengths.append(text.get_window_extent().width * width / box.width + GAP)
        text.remove()
    n_rows = int(np.clip(MAX_FLAG_SHARE * height / LINE_HEIGHT, 1, MAX_FLAG_ROWS))
    ranks = [(marks[i].is_left, PRIORITIES.get(marks[i].event, 2)) for i in order]
    by_priority = sorted(range(len(order)), key=ranks.__getitem__)
    placed = place_flags(poles, lengths, width, n_rows, by_priority)
    by_mark = dict(zip(order, placed, strict=True))
    return [by_mark[i] for i in range(len(marks))]


def _write_mark(ax: Any, mark: Mark, offset: Any) -> Any:
    """Write the text of a mark, in points from the top of its line."""
    look = {"fontsize": TEXT_SIZE, "va": "top", "color": TEXT_COLOURS[mark.is_left], "zorder": 1.5}
    box = {"facecolor": "white", "linewidth": 0, "pad": 0.4}
    place = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
    return ax.annotate(
        mark.text, (mark.epoch, 1), offset, parse_math=False, bbox=box, **place, **look
    )


def _lay_out(figure: Any) -> None:
    """Let a layout engine find the sizes of panels, by which texts find their places."""
    engine = figure.get_layout_engine()
    if engine is not None:
        engine.execute(figure.canvas.figure)
