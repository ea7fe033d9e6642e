"""Places, colours, ticks and legends of all pictures.

matplotlib is imported inside functions only, so that nothing else needs it.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from math import ceil
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from skbn.search.distributions import Axis

BEST_COLOUR = "#d55e00"  # vermilion, which the colour-blind tell from all colours of the rounds
BAR_COLOUR = "#15607a"
GREY = "#bbbbbb"
TEXT_SIZE = 8.0
"""Size of the text at ticks and in legends, in points."""
MARGIN = 0.04
"""Free space at an end of an axis, as a fraction of its length."""
TICK_LETTER, LEGEND_LETTER = 0.6, 0.55
"""Mean width of a letter, as a fraction of the size of the text. In DejaVu Sans, matplotlib's
own, it is 0.57 to 0.64 for numbers and 0.47 to 0.61 for the words of legends."""
LINE_HEIGHT = 1.3
"""Height of a line of text with the space around it, as a multiple of its size."""
LONGEST_TICK = 16
"""Letters of a value at an axis: turned, they take less than half of a panel's height."""
LONGEST_TICK_INSIDE = 12
"""Letters of a value on an axis among lines, which hides the lines behind it."""
LONGEST_LINE = 12
"""Letters of a line of a label: ``learning_rate_init`` takes two lines."""
MAX_TICKS_INSIDE = 12
"""Values on an axis among lines."""


def require_matplotlib() -> None:
    """Say how to install matplotlib where it is missing."""
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise ImportError(
            'pictures need matplotlib, which is not installed: pip install "skbn[plot]"'
        ) from error


class Places(NamedTuple):
    """Where a picture is drawn."""

    ax: Any  # the Axes of the picture, which panels may have covered; None if panels were given
    panels: NDArray[np.object_]
    legend_ax: Any  # Axes above which the legend stands
    legend_is_near: bool = True  # whether it stands right above panels, which may have titles


def place_one(ax: Any, size: tuple[float, float]) -> Places:
    """Find the place of a picture without panels."""
    from matplotlib.pyplot import figure

    if ax is None:
        ax = figure(figsize=size, layout="constrained").add_subplot()
    axes = np.array([ax], dtype=object).ravel()
    if axes.size != 1:
        raise ValueError(f"ax must be one Axes for this kind of picture, got {axes.size}")
    return Places(axes[0], axes, axes[0])


def place_panels(
    ax: Any,
    n_panels: int,
    n_cols: int,
    *,
    size: tuple[float, float] | None = None,
    heights: Sequence[float] | None = None,
    gap: float = 0.6,
) -> Places:
    """Find the places of a picture of several panels.

    Parameters
    ----------
    ax : Axes, array of Axes or None
    n_panels, n_cols : int
    size : tuple of float, default=None
        Width and height of a new figure, in inches. None goes by the number of panels.
    heights : sequence of float, default=None
        Heights of the rows, one to another. None is the same.
    gap : float, default=0.6
        Height between rows over that of a row, in a figure without a layout engine.

    Returns
    -------
    places : Places
    """
    from matplotlib.axes import Axes
    from matplotlib.pyplot import figure

    n_rows = ceil(n_panels / n_cols)
    n_cols = ceil(n_panels / n_rows)
    if ax is None:
        size = size or (1.8 + 2.1 * n_cols, 0.5 + 2.1 * n_rows)
        ax = figure(figsize=size, layout="constrained").add_subplot()
    if isinstance(ax, Axes):
        return _divide(ax, n_panels, n_cols, heights or [1.0] * n_rows, gap)
    axes = np.array(ax, dtype=object).ravel()
    if axes.size != n_panels:
        raise ValueError(
            f"ax must be one Axes, or an array of {n_panels}, one a panel; got {axes.size}"
        )
    return Places(None, axes, axes[0])


def _divide(ax: Any, n_panels: int, n_cols: int, heights: Sequence[float], gap: float) -> Places:
    """Put panels in the place of Axes."""
    if not ax.axison:
        raise ValueError("ax was drawn on before; give ax=display.axes_ to draw there again")
    ax.set_axis_off()
    n_rows = len(heights)
    spec, box = ax.get_subplotspec(), ax.get_position()
    if spec is None:  # axes that were placed freely
        sides = {"left": box.x0, "right": box.x1, "bottom": box.y0, "top": box.y1}
        spec = ax.figure.add_gridspec(1, 1, **sides)[0]
    if ax.figure.get_layout_engine() is None:
        legend_ax, n_above = ax, 0
        grid = spec.subgridspec(n_rows, n_cols, hspace=gap, wspace=0.4, height_ratios=heights)
    else:  # it makes room for all labels by itself, and for a legend if that has its own row
        n_above = 1
        grid = spec.subgridspec(n_rows + 1, n_cols, height_ratios=[0.01, *heights])
        legend_ax = ax.figure.add_subplot(grid[0, :], frameon=False, xticks=[], yticks=[])
    panels = [ax.figure.add_subplot(grid[n_cols * n_above + i]) for i in range(n_panels)]
    return Places(ax, np.array(panels, dtype=object), legend_ax, legend_is_near=not n_above)


def shade(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """Colours from pale at 0 to dark at 1, whose order shows without colour vision too."""
    from matplotlib import colormaps

    return colormaps["YlGnBu"](0.35 + 0.65 * values)


def round_colours(n_rounds: int) -> NDArray[np.float64]:
    """Colours of rounds, the last one the darkest."""
    return shade(np.linspace(1, 0, n_rounds)[::-1])


def size_in_text(ax: Any) -> NDArray[np.float64]:
    """Width and height of axes, as multiples of the size of text."""
    box = ax.get_window_extent()
    return np.array([box.width, box.height]) * 72 / ax.figure.dpi / TEXT_SIZE


def write_values(axis: Any, scale: Axis) -> None:
    """Write values of a scale at an axis of matplotlib, as many as there is room for.

    Numbers are thinned out. Names are turned, and cut if they are long.
    """
    width, height = size_in_text(axis.axes)
    across = axis.axis_name == "x"
    needed = sum(TICK_LETTER * len(cut(text)) + 1 for _, text in scale.ticks) / width
    turned = across and needed > 1 and not (scale.ordered and scale.levels != 2)
    if turned or not across:
        ticks = thin(scale.ticks, (width if turned else height) / LINE_HEIGHT)
    else:
        ticks = thin(scale.ticks, len(scale.ticks) / needed)
    axis.set_ticks([place for place, _ in ticks], [cut(text) for _, text in ticks])
    axis.set_tick_params(labelsize=TEXT_SIZE)
    for text in axis.get_ticklabels() if turned else []:
        text.set(rotation=35, ha="right", rotation_mode="anchor")


def write_beside(ax: Any, place: float, scale: Axis) -> None:
    """Draw the axis of a scale at some place across, with its values on the left."""
    ax.vlines(place, 0, 1, color="black", linewidth=0.8)
    box = {"facecolor": "white", "alpha": 0.8, "linewidth": 0, "pad": 0.6}
    look = {"fontsize": TEXT_SIZE, "ha": "right", "va": "center", "bbox": box}
    n_most = min(MAX_TICKS_INSIDE, size_in_text(ax)[1] / LINE_HEIGHT)
    for height, text in thin(scale.ticks, n_most):
        shown = cut(text, LONGEST_TICK_INSIDE)
        ax.annotate(shown, (place, height), (-4, 0), textcoords="offset points", **look)


def thin(ticks: list[tuple[float, str]], n_most: float) -> list[tuple[float, str]]:
    """Leave out ticks, evenly, until there are few enough."""
    return ticks[:: max(1, ceil(len(ticks) / n_most))]


def score_ticks(floor: float, top: float) -> NDArray[np.float64]:
    """Round scores or losses from the floor to the top."""
    from matplotlib.ticker import MaxNLocator

    ticks = np.asarray(MaxNLocator(5).tick_values(floor, top))
    return ticks[(ticks >= floor) & (ticks <= top)]


def log_ticks(low: float, high: float, n_most: float) -> NDArray[np.float64]:
    """Round numbers on a logarithmic axis, or its ends where there are not two."""
    powers = 10.0 ** np.arange(np.floor(np.log10(low)), np.ceil(np.log10(high)) + 1)
    for steps in ([1, 2, 3, 5], [1, 2, 5], [1, 3], [1]):
        ticks = np.outer(powers, steps).ravel()
        ticks = ticks[(ticks >= low * (1 - 1e-9)) & (ticks <= high * (1 + 1e-9))]
        if len(ticks) <= n_most:
            break
    return ticks[:: ceil(len(ticks) / n_most)] if len(ticks) > 1 else np.unique([low, high])


def write_epochs(ax: Any, n_epochs: int) -> None:
    """Write whole epochs at the lower axis."""
    from matplotlib.ticker import MaxNLocator

    ax.set_xlim(0, n_epochs * (1 + MARGIN / 2))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))


def is_leftmost(panel: Any, panels: NDArray[np.object_]) -> bool:
    """Whether no other panel stands to the left of one."""
    own, others = _boxes(panel, panels)
    return not any(other.y0 == own.y0 and other.x0 < own.x0 for other in others)


def is_lowest(panel: Any, panels: NDArray[np.object_]) -> bool:
    """Whether no other panel stands below one."""
    own, others = _boxes(panel, panels)
    return not any(other.x0 == own.x0 and other.y0 < own.y0 for other in others)


def _boxes(panel: Any, panels: NDArray[np.object_]) -> tuple[Any, list[Any]]:
    """Where a panel lies in its figure, and where all panels of that figure lie."""
    others = [other.get_position() for other in panels if other.figure is panel.figure]
    return panel.get_position(), others


def legend_entry(label: str, colour: Any, **style: Any) -> Any:
    """Make one entry of a legend."""
    from matplotlib.lines import Line2D

    style.setdefault("linestyle", "none" if "marker" in style else "-")
    return Line2D([], [], color=colour, label=label, **style)


def draw_legend(
    places: Places, entries: list[Any], titles: bool = False, size: float = TEXT_SIZE
) -> None:
    """Draw a legend above a picture, in as many rows as it needs."""
    needed = sum(LEGEND_LETTER * len(entry.get_label()) + 3 for entry in entries)
    places.legend_ax.legend(
        handles=entries,
        loc="lower center",
        bbox_to_anchor=(0.5, 1),
        ncols=ceil(len(entries) / ceil(needed / size_in_text(places.legend_ax)[0])),
        frameon=False,
        fontsize=size,
        borderaxespad=2.2 if titles and places.legend_is_near else 0.5,
        handlelength=1.2,
        handletextpad=0.5,
        columnspacing=1.2,
    )


def wrap(label: str) -> str:
    """Break a label into lines after underscores, colons and spaces."""
    lines = [""]
    for word in re.findall(r"[^_: ]+[_: ]*", label):
        if lines[-1] and len(lines[-1] + word.rstrip()) > LONGEST_LINE:
            lines.append("")
        lines[-1] += word
    return "\n".join(line.rstrip() for line in lines)


def cut(text: str, longest: int = LONGEST_TICK) -> str:
    """Shorten a text."""
    return text if len(text) <= longest else text[: longest - 1] + "…"
