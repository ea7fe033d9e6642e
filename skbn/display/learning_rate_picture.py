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

GUESSING_COLOUR = "#777777"
HIGHEST = 1.5
"""Times the loss of guessing that a loss is still on the axis."""
LETTERS_OF_A_RATE = 8
"""Of its number at the axis, with the space beside it."""


def draw_learning_rates(
    curve: pd.DataFrame, suggestion: float, guessing_loss: float, ax: Any
) -> Places:
    """Draw both losses against the learning rate, and the suggestion."""
    places = place_one(ax, (6.4, 4.2))
    ax, rates = places.ax, measure(curve, "learning_rate")
    losses = {name: measure(curve, name) for name in LOSS_COLOURS}
    shown = _shown_losses(np.concatenate(list(losses.values())), guessing_loss)
    ax.set_xscale("log")
    ax.axhline(guessing_loss, color=GUESSING_COLOUR, linestyle=":", linewidth=1)
    entries = _draw_losses(ax, rates, losses, shown)
    entries.append(legend_entry("guessing", GUESSING_COLOUR, linestyle=":", linewidth=1))
    if np.isfinite(suggestion):
        ax.axvline(suggestion, color=BEST_COLOUR, linestyle="--", linewidth=1.2, zorder=1.9)
        label = f"suggested: {suggestion:.2g}"
        entries.append(legend_entry(label, BEST_COLOUR, linestyle="--", linewidth=1.2))
    _write_axes(ax, Range(rates[0], rates[-1], is_log=True), shown)
    draw_legend(places, entries)
    return places


def _shown_losses(losses: NDArray[np.float64], guessing_loss: float) -> Range:
    """Find the losses that the axis shows, that of guessing among them."""
    losses = losses[losses <= HIGHEST * guessing_loss]
    return loss_range(np.append(losses, guessing_loss), np.array([]))


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
        ax.scatter(
            rates[is_beyond], np.full(is_beyond.sum(), top), 20, colour, marker="^", zorder=3
        )
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


def _write_axes(ax: Any, rates: Range, shown: Range) -> None:
    """Write what stands at the axes, and the numbers that they show."""
    ax.set(xlabel="learning rate", ylabel="loss")
    ax.set_xlim(rates.at(-MARGIN / 2), rates.at(1 + MARGIN / 2))
    ax.set_ylim(shown.at(-2 * MARGIN), shown.at(1 + 2 * MARGIN))
    n_most = max(2, size_in_text(ax)[0] / (TICK_LETTER * LETTERS_OF_A_RATE))
    write_numbers(ax.xaxis, log_ticks(rates.low, rates.high, n_most), n_digits=3)
    write_losses(ax, shown)
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.spines[["top", "right"]].set_visible(False)
