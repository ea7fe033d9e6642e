"""The picture of a learning-rate range test: losses against the rate, and the suggestion.

matplotlib is imported inside functions only, so that nothing else needs it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skbn.display.axes import (
    BEST_COLOUR,
    MARGIN,
    TEXT_SIZE,
    TICK_LETTER,
    Places,
    draw_legend,
    legend_entry,
    log_ticks,
    place_one,
    size_in_text,
)
from skbn.display.training_pictures import LOSS_COLOURS, write_losses, write_numbers
from skbn.display.training_record import Range, loss_range, measure
from skbn.search.learning_rates import find_valley, judged_losses

GUESSING_COLOUR = "#777777"
HIGHEST = 1.5
"""Times the loss of guessing that a loss is still on the axis where nothing was learned."""
SHOWN_GAIN = 0.5
"""Share of the way from the lowest loss to that of guessing that is on the axis."""
TRIANGLE_SIZES = {"loss": 64, "validation_loss": 16}
"""Areas in square points: where both losses leave the axis, one lies on the other."""
MIN_LEGEND_SIZE = 5.0
"""Size of the text in a legend at least, in points."""
EDGE = 0.01
"""Free space at the edges of a figure, as a share of its size."""
LETTERS_OF_A_RATE = 8
"""Of its number at the axis, with the space beside it."""


def draw_learning_rates(
    curve: pd.DataFrame, suggestion: float, guessing_loss: float, ax: Any
) -> Places:
    """Draw both losses against the learning rate, the lowest one, and the suggestion."""
    places = place_one(ax, (6.4, 4.2))
    ax, rates = places.ax, measure(curve, "learning_rate")
    judged = judged_losses(curve).to_numpy()
    valley = find_valley(judged, guessing_loss)
    losses = {name: measure(curve, name) for name in LOSS_COLOURS}
    highest = HIGHEST * guessing_loss
    if valley is not None:
        highest = judged[valley.lowest] * (1 - SHOWN_GAIN) + guessing_loss * SHOWN_GAIN
    shown = _shown_losses(losses, highest, guessing_loss)
    ax.set_xscale("log")
    entries = _draw_losses(ax, rates, losses, shown)
    entries.append(_draw_guessing(ax, guessing_loss, shown))
    is_at_end = suggestion <= rates[0]
    if valley is not None:
        lowest = float(np.clip(judged[valley.lowest], shown.low, shown.high))
        entries.append(_draw_lowest(ax, rates[valley.lowest], lowest))
        is_at_end |= valley.bottom == len(rates) - 1
    entries.append(_draw_suggestion(ax, suggestion, is_at_end))
    _write_axes(ax, Range(rates[0], rates[-1], is_log=True), shown)
    _fit_in(ax)
    _draw_legend(places, entries)
    _fit_in(ax)
    return places


def _shown_losses(
    losses: dict[str, NDArray[np.float64]], highest: float, guessing_loss: float
) -> Range:
    """Find the losses that the axis shows."""
    both = np.concatenate(list(losses.values()))
    ends = np.array([min(highest, guessing_loss)])
    return loss_range(np.append(both[both <= highest], ends), np.array([]))


def _draw_losses(
    ax: Any, rates: NDArray[np.float64], losses: dict[str, NDArray[np.float64]], shown: Range
) -> list[Any]:
    """Draw losses; above the axis as triangles, and as crosses where training diverged."""
    names = {"loss": "training loss", "validation_loss": "loss on rows left out"}
    top, beyond = shown.at(1 + MARGIN), False
    dots = {"marker": "o", "markersize": 4}
    for name, values in losses.items():
        colour, is_beyond = LOSS_COLOURS[name], np.isfinite(values) & (values > shown.high)
        ax.plot(rates, np.where(np.isfinite(values), values, np.nan), color=colour, **dots)
        triangles = {"marker": "^", "linewidth": 0, "zorder": 3}
        height = np.full(is_beyond.sum(), top)
        ax.scatter(rates[is_beyond], height, TRIANGLE_SIZES[name], colour, **triangles)
        beyond |= bool(is_beyond.any())
    entries = [
        legend_entry(names[name], colour, linestyle="-", **dots)
        for name, colour in LOSS_COLOURS.items()
    ]
    if beyond:
        entries.append(legend_entry("beyond the axis", "black", marker="^", markersize=5))
    diverged = ~np.isfinite(losses["validation_loss"])
    if diverged.any():
        cross = {"marker": "x", "markersize": 5}
        ax.plot(rates[diverged], np.full(diverged.sum(), top), color="black", ls="none", **cross)
        entries.append(legend_entry("diverged", "black", **cross))
    return entries


def _draw_guessing(ax: Any, loss: float, shown: Range) -> Any:
    """Draw the loss of guessing, which only the legend has where the axis does not reach it."""
    look = {"linestyle": ":", "linewidth": 1}
    colour = "none" if loss > shown.high else GUESSING_COLOUR
    if loss <= shown.high:
        ax.axhline(loss, color=colour, **look)
    return legend_entry(f"guessing: {loss:.3g}", colour, **look)


def _draw_lowest(ax: Any, rate: float, loss: float) -> Any:
    """Draw a star at the lowest loss."""
    star = {"marker": "*", "markersize": 11, "markeredgecolor": "white", "zorder": 4}
    ax.plot(rate, loss, color=BEST_COLOUR, **star)
    return legend_entry(f"lowest: {rate:.2g}", BEST_COLOUR, **star)


def _draw_suggestion(ax: Any, rate: float, is_at_end: bool) -> Any:
    """Draw a line at the suggestion, dotted where there are doubts."""
    if not np.isfinite(rate):
        return legend_entry("no suggestion", "none")
    look = {"linestyle": ":" if is_at_end else "--", "linewidth": 1.2}
    ax.axvline(rate, color=BEST_COLOUR, zorder=1.9, **look)
    name = "doubtful" if is_at_end else "suggested"
    return legend_entry(f"{name}: {rate:.2g}", BEST_COLOUR, **look)


def _draw_legend(places: Places, entries: list[Any]) -> None:
    """Draw a legend above the axes, in smaller letters where it would be wider than they are."""
    draw_legend(places, entries)
    share = places.ax.get_window_extent().width / places.ax.get_legend().get_window_extent().width
    if share < 1:
        draw_legend(places, entries, size=max(MIN_LEGEND_SIZE, share * TEXT_SIZE))


def _write_axes(ax: Any, rates: Range, shown: Range) -> None:
    """Write what stands at the axes, and the numbers that they show."""
    ax.set(xlabel="learning rate", ylabel="loss")
    ax.set_xlim(rates.at(-MARGIN), rates.at(1 + MARGIN))
    ax.set_ylim(shown.at(-2 * MARGIN), shown.at(1 + 2 * MARGIN))
    n_most = max(2, size_in_text(ax)[0] / (TICK_LETTER * LETTERS_OF_A_RATE))
    write_numbers(ax.xaxis, log_ticks(rates.low, rates.high, n_most), n_digits=3)
    write_losses(ax, shown)
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)


def _fit_in(ax: Any) -> None:
    """Shrink axes by what would be cut off at the edges of a figure without a layout engine."""
    figure = ax.figure
    if figure.get_layout_engine() is not None:
        return
    needed = ax.get_tightbbox().transformed(figure.transSubfigure.inverted())
    box = ax.get_position()
    left, bottom = box.min + np.maximum(EDGE - needed.min, 0)
    right, top = box.max - np.maximum(needed.max - 1 + EDGE, 0)
    if left < right and bottom < top:
        ax.set_position((left, bottom, right - left, top - bottom))
