"""The pictures of a drift report, each a function of its tables.

matplotlib is imported inside functions only, so that nothing else needs it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skbn.display.axes import (
    BAR_COLOUR,
    BEST_COLOUR,
    GREY,
    MARGIN,
    TEXT_SIZE,
    TICK_LETTER,
    Places,
    cut,
    draw_legend,
    legend_entry,
    place_one,
    place_panels,
    size_in_text,
)

CATEGORY_COLOUR = "#e69f00"
"""Orange and dark teal differ in lightness too."""
FAINT = 0.3
"""Opacity of what may be chance."""
WIDTH, ROW_HEIGHT, HEIGHT_BESIDE_ROWS = 6.4, 0.26, 1.1
"""Of a new figure, in inches."""
N_COLUMNS, N_CLASSES = 20, 26
"""Rows of a picture, at most; the others are those that moved least."""
N_ROWS_BESIDE_OTHERS = 10
"""Rows of a panel among others, at most."""
MOST_TEXT = 0.8
"""Share of the rest that is left to the text beside a bar, at most."""
WIDTH_LEFT = 0.92
"""Share of the width of axes that names at their left leave, at least."""
LONGEST_NAME = 24
"""Letters of the name of a column or a class."""
MAX_RATIO_OF_BARS = 5.0
"""Bars longer than this multiple of the median of those that drifted are cut."""
RATIO_OF_CUT_BARS = 1.15
"""Their length, as a multiple of that of the longest that is not cut."""
LEAST_AXIS = 0.25
"""Where the axis of effects ends at least: differences below are small."""
SIGNIFICANT = 0.05
"""P-value below which a change of missing cells is named, in a column that drifted."""


class Panel(NamedTuple):
    """One part of a picture: a row a column of the table, a class or a layer."""

    n_rows: int
    draw: Callable[[Any], list[Any]]  # on Axes; gives the entries of the legend


def columns_panel(columns: pd.DataFrame, n_most: int = N_COLUMNS) -> Panel:
    """Make the panel of the columns: those that drifted first, by the size of their effect."""
    if not len(columns):
        raise ValueError("nothing to draw: the report has no columns")
    drifted = columns["drifted"].to_numpy(dtype=bool)
    effects = columns["effect"].to_numpy(dtype=float)
    order = np.lexsort([-np.nan_to_num(effects), ~drifted])
    shown = columns.iloc[order[:n_most]]
    left_out = f"\n{len(shown)} of {len(columns)} columns" if len(columns) > len(shown) else ""
    return Panel(len(shown), lambda ax: _draw_columns(ax, shown, left_out))


def classes_panel(classes: pd.DataFrame, n_most: int = N_CLASSES) -> Panel:
    """Make the panel of the classes, in their order; of many, those that moved most."""
    moves = classes[["new", "prior_new"]].to_numpy() - classes[["old", "prior_old"]].to_numpy()
    most = np.argsort(-np.abs(np.nan_to_num(moves)).max(axis=1), kind="stable")[:n_most]
    shown = classes.iloc[np.sort(most)]
    left_out = f"\n{len(shown)} of {len(classes)} classes" if len(classes) > len(shown) else ""
    return Panel(len(shown), lambda ax: _draw_classes(ax, shown, left_out))


def layers_panel(layers: pd.DataFrame | None) -> Panel:
    """Make the panel of the hidden layers, the first on top."""
    if layers is None or not len(layers):
        raise ValueError(
            "nothing to draw: the report has no hidden layers; a BNSoftmaxClassifier with "
            "batch_norm=True has them"
        )
    return Panel(len(layers), lambda ax: _draw_layers(ax, layers))


def draw_panels(panels: Sequence[Panel], ax: Any, title: str = "") -> Places:
    """Draw panels one below another, each as high as its rows need."""
    heights = [HEIGHT_BESIDE_ROWS + ROW_HEIGHT * panel.n_rows for panel in panels]
    if len(panels) == 1:
        places = place_one(ax, (WIDTH, heights[0]))
    else:
        places = place_panels(ax, len(panels), 1, size=(WIDTH, sum(heights)), heights=heights)
    for panel, axes in zip(panels, places.panels, strict=True):
        entries = panel.draw(axes)
        draw_legend(Places(None, places.panels, axes), entries)
    if title and not places.legend_is_near:  # or it would lie on the legend
        places.legend_ax.set_title(title, fontsize="medium", parse_math=False)
    return places


def _draw_columns(ax: Any, columns: pd.DataFrame, left_out: str) -> list[Any]:
    """Draw a bar for each column, with its effect and what else changed beside it."""
    effects = columns["effect"].to_numpy(dtype=float)
    drifted = columns["drifted"].to_numpy(dtype=bool)
    is_category = (columns["kind"] == "category").to_numpy(dtype=bool)
    lengths, is_cut = _lengths_of_bars(effects, drifted)
    colours = np.where(is_category, CATEGORY_COLOUR, BAR_COLOUR)
    _draw_bars(ax, np.arange(len(columns)), lengths, colours, drifted)
    marks = {"marker": ">", "s": 18, "color": "white", "zorder": 3}
    ax.scatter(0.985 * lengths[is_cut], np.flatnonzero(is_cut), **marks)
    texts = [_beside(row) for _, row in columns.iterrows()]
    for y, (length, text) in enumerate(zip(lengths, texts, strict=True)):
        _write(ax, length, y, text, "#222222" if drifted[y] else "#767676")
    ax.set_xlim(0, max(_room_for(ax, lengths, texts), LEAST_AXIS))
    ax.set_xlabel(f"effect{left_out}")
    _write_rows(ax, columns.index)
    entries = []
    if not is_category.all():
        entries.append(legend_entry("number: distance in deviations", BAR_COLOUR, linewidth=6))
    if is_category.any():
        entries.append(legend_entry("category: total variation", CATEGORY_COLOUR, linewidth=6))
    if not drifted.all():
        faint = {"alpha": FAINT, "linewidth": 6}
        entries.append(legend_entry("may be chance, or small", BAR_COLOUR, **faint))
    return entries


def _lengths_of_bars(
    effects: NDArray[np.float64], drifted: NDArray[np.bool_]
) -> tuple[NDArray[np.float64], NDArray[np.bool_]]:
    """Lengths, and which are cut: so that an awful column does not squeeze all others together."""
    finite = np.isfinite(effects)
    known = effects[finite & drifted] if (finite & drifted).any() else effects[finite]
    most = max(MAX_RATIO_OF_BARS * float(np.median(known)), LEAST_AXIS) if known.size else 0.0
    is_cut = effects > most
    longest = float(effects[finite & ~is_cut].max(initial=LEAST_AXIS))
    return np.where(is_cut, RATIO_OF_CUT_BARS * longest, np.nan_to_num(effects)), is_cut


def _beside(row: pd.Series[Any]) -> str:
    """What is written beside the bar of a column."""
    effect = row["effect"]
    parts = [f"{effect:,.0f}" if effect >= 100 else f"{effect:.2f}"]
    if row["drifted"] and row["missing_p_value"] < SIGNIFICANT:
        parts.append(f"missing {row['missing_old']:.0%} → {row['missing_new']:.0%}")
    if row["kind"] == "category" and row["new_categories"] > 0:
        names = ", ".join(map(_one_line, row.get("new_category_names", [])))
        parts.append(f"{row['new_categories']:.0%} new" + (f": {_short(names)}" if names else ""))
    return ", ".join(parts)


def _room_for(ax: Any, lengths: NDArray[np.float64], texts: Sequence[str]) -> float:
    """End of an axis that leaves room for the text beside each bar."""
    width = WIDTH_LEFT * size_in_text(ax)[0]
    shares = (
        np.array([min(TICK_LETTER * len(text) + 2, MOST_TEXT * width) for text in texts]) / width
    )
    return float((lengths / (1 - shares)).max())


def _draw_classes(ax: Any, classes: pd.DataFrame, left_out: str) -> list[Any]:
    """Draw the shares of the predicted classes then and now, and the priors of the classes."""
    y = np.arange(len(classes))
    ax.barh(y - 0.2, classes["old"], height=0.36, color=GREY)
    ax.barh(y + 0.2, classes["new"], height=0.36, color=BAR_COLOUR)
    entries = [
        legend_entry("predicted then", GREY, linewidth=6),
        legend_entry("predicted now", BAR_COLOUR, linewidth=6),
    ]
    old, new, low, high = classes[["prior_old", "prior_new", "low", "high"]].to_numpy(float).T
    if np.isfinite(new).any():
        ax.scatter(old, y, s=60, color="black", marker="|", zorder=3)
        ax.hlines(y, low, high, color=BEST_COLOUR, linewidth=1.2, zorder=4)
        ax.scatter(new, y, s=22, color=BEST_COLOUR, edgecolors="white", linewidths=0.5, zorder=5)
        entries += [
            legend_entry("prior then", "black", marker="|", markersize=8),
            legend_entry("estimated prior, if label shift", BEST_COLOUR, linestyle="-", marker="o"),
        ]
    most = np.nanmax(classes[["old", "new", "prior_old", "prior_new", "high"]].to_numpy(float))
    ax.set_xlim(0, most * (1 + MARGIN))
    ax.set_xlabel(f"share of the rows{left_out}")
    _write_rows(ax, classes.index)
    return entries


def _draw_layers(ax: Any, layers: pd.DataFrame) -> list[Any]:
    """Draw how far the units of each hidden layer moved, and how their deviations changed."""
    y, shifts = np.arange(len(layers)), layers["shift"].to_numpy(dtype=float)
    largest = layers["largest"].to_numpy(dtype=float)
    _draw_bars(ax, y, shifts, np.full(len(y), BAR_COLOUR), np.full(len(y), fill_value=True))
    ax.scatter(largest, y, s=22, color=BEST_COLOUR, edgecolors="white", linewidths=0.5, zorder=3)
    texts = [f"{spread:.2f} times the spread" for spread in layers["spread"]]
    ends = np.maximum(shifts, largest)
    for number, (end, text) in enumerate(zip(ends, texts, strict=True)):
        _write(ax, end, number, text, "#222222", offset=6)
    ax.set_xlim(0, max(_room_for(ax, ends, texts), LEAST_AXIS))
    ax.set_xlabel("move of the means of a layer, in their old deviations")
    _write_rows(ax, [f"hidden layer {number + 1}" for number in y])
    return [
        legend_entry("root mean square of the units", BAR_COLOUR, linewidth=6),
        legend_entry("largest of a unit", BEST_COLOUR, marker="o", markersize=5),
    ]


def _draw_bars(
    ax: Any,
    y: NDArray[np.intp],
    lengths: NDArray[np.float64],
    colours: NDArray[Any],
    is_plain: NDArray[np.bool_],
) -> None:
    """Draw bars, faintly where they are not plain."""
    from matplotlib.colors import to_rgba

    alphas = np.where(is_plain, 1.0, FAINT)
    shown = [to_rgba(colour, alpha) for colour, alpha in zip(colours, alphas, strict=True)]
    ax.barh(y, lengths, height=0.7, color=shown)


def _write(ax: Any, x: float, y: float, text: str, colour: str, offset: float = 3) -> None:
    place = {"xytext": (offset, 0), "textcoords": "offset points", "va": "center"}
    ax.annotate(text, (x, y), fontsize=TEXT_SIZE, color=colour, parse_math=False, **place)


def _write_rows(ax: Any, names: Sequence[Any]) -> None:
    """Write the names of the rows at the left, the first on top."""
    texts = _short_names([_one_line(name) for name in names])
    ax.set_yticks(range(len(texts)), texts, parse_math=False)
    ax.set_ylim(len(texts) - 0.4, -0.6)
    ax.tick_params(labelsize=TEXT_SIZE)
    ax.tick_params(axis="y", length=0)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.axvline(0, color="black", linewidth=0.8)


def _one_line(name: Any) -> str:
    return " ".join(str(name).split())


def _short_names(names: Sequence[str]) -> list[str]:
    """Shorten names, and cut off the common beginning where others would look the same."""
    texts = [_short(name) for name in names]
    if len({*texts}) == len({*names}):
        return texts
    letters = enumerate(zip(*names, strict=False))
    differs = next((i for i, at_i in letters if len({*at_i}) > 1), min(map(len, names)))
    start = max(0, differs - LONGEST_NAME // 2)
    rest = [name[start:] for name in names]
    return ["…" * (start > 0) + cut(text, LONGEST_NAME) for text in rest]


def _short(text: str) -> str:
    """Shorten a text in the middle: names that are alike may differ at either end."""
    half = LONGEST_NAME // 2
    return text if len(text) <= LONGEST_NAME else f"{text[: half - 1]}…{text[-half:]}"
