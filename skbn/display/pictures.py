"""The pictures of a search; matplotlib is imported only when they are drawn."""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skbn.display.axes import (
    BAR,
    BEST,
    EDGE,
    FAINT,
    SMALL,
    Places,
    entry,
    is_first,
    is_lowest,
    legend,
    room_for,
    score_ticks,
    shade,
    shades,
    short_labels,
    wrap,
    write_beside,
    write_values,
)

Display = Any  # SearchDisplay, whose module imports this one


def score_floor(scores: NDArray[np.float64]) -> float:
    """Where the score axis ends: three times as far below the best score as the median."""
    best, median, worst = np.nanmax(scores), np.nanmedian(scores), np.nanmin(scores)
    return float(max(worst, best - 3 * (best - median)) if median < best else worst)


def _to_the_end(display: Display) -> NDArray[np.float64]:
    """Scores of those trained to the end, among which the best is chosen; NaN for others."""
    scores: NDArray[np.float64] = np.where(display.ended, display.scores, np.nan)
    return scores


def draw_scores(display: Display, places: Places) -> None:
    """Draw scores against each coordinate, above the bounds of each round."""
    scores, floor = display.scores, score_floor(display.scores)
    top = np.nanmax(scores)
    span = (top - floor) or 1.0
    n_bars = len(display.bounds) if len(display.bounds) > 1 else 0
    bars = floor - span * (2.5 * EDGE + min(0.05, 0.3 / max(n_bars, 1)) * np.arange(n_bars + 1))
    labels = short_labels(display.coordinates)
    for i, panel in enumerate(places.panels):
        first = is_first(panel, places.panels)
        _scatter(display, i, panel, floor, floor - EDGE * span)
        if n_bars:
            panel.axhspan(bars[-1], floor - 2 * EDGE * span, color="#f3f3f3", zorder=0)
            _draw_bars(panel, display.bounds[:, i], bars)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set(xlabel=labels[i], xlim=(-EDGE, 1 + EDGE), ylim=(bars[-1], top + 2 * EDGE * span))
        panel.set_yticks(score_ticks(floor, top + 2 * EDGE * span))
        panel.set_ylabel(display.score_name if first else "")
        panel.tick_params(axis="y", labelsize=SMALL, labelleft=first)
        write_values(panel.xaxis, display.coordinates[i].axis)
    legend(places, _entries(display, floor))


def _scatter(display: Display, i: int, panel: Any, floor: float, edge: float) -> None:
    """Draw the candidates: as dots, below the floor as triangles, crosses if they failed."""
    x, scores, colours = display.units[:, i], display.scores, shades(len(display.bounds))
    for marker, chosen in _marks(scores, floor).items():
        heights = scores[chosen] if marker == "o" else np.full(chosen.sum(), edge)
        look = {"linewidths": 1} if marker == "x" else {"edgecolors": "white", "linewidths": 0.4}
        c = colours[display.rounds[chosen]]
        panel.scatter(x[chosen], heights, s=min(22, 4000 / len(x)), c=c, marker=marker, **look)
    best = np.nanargmax(_to_the_end(display))
    panel.scatter(x[best], scores[best], s=140, c=BEST, marker="*", edgecolors="white")


def _marks(scores: NDArray[np.float64], floor: float) -> dict[str, NDArray[np.bool_]]:
    return {"o": scores >= floor, "v": scores < floor, "x": np.isnan(scores)}


def _draw_bars(panel: Any, bounds: NDArray[np.float64], heights: NDArray[Any]) -> None:
    """Draw the bounds of each round, for all but the last of the heights."""
    colours = shades(len(bounds))
    for ends, height, colour in zip(bounds, heights[:-1], colours, strict=False):
        panel.plot(ends, [height] * 2, color=colour, linewidth=3, solid_capstyle="round")


def _entries(display: Display, floor: float) -> list[Any]:
    """Legend of the scores: rounds, some of many, and the marks that are there."""
    n, names = len(display.bounds), {"v": "below the axis", "x": "failed"}
    marks = _marks(display.scores, floor)
    entries = [*_round_entries(n, marker="o", markersize=5), entry("bounds", FAINT, linewidth=3)]
    best = entry("best", BEST, marker="*", markersize=10)
    return [*(entries if n > 1 else []), best] + [
        entry(name, "black", marker=marker, markersize=5)
        for marker, name in names.items()
        if marks[marker].any()
    ]


def _round_entries(n: int, **style: Any) -> list[Any]:
    """Legend of n rounds, some of many."""
    shown = np.unique(np.linspace(0, n - 1, 5).round().astype(int))
    return [entry(f"round {i}", shades(n)[i], **style) for i in shown]


def draw_narrowing(display: Display, shown: Sequence[int], places: Places) -> None:
    """Draw the bounds of each round, its candidates, and the best one so far."""
    numbers = np.arange(len(display.bounds))
    ranks = np.nan_to_num(_to_the_end(display), nan=-np.inf)
    best = [np.argmax(np.where(display.rounds <= n, ranks, -np.inf)) for n in numbers]
    colours, labels = shades(len(numbers)), short_labels(display.coordinates)
    for panel, i in zip(places.panels, shown, strict=True):
        low, high = display.bounds[:, i].T
        panel.bar(numbers, high - low, 0.94, low, color=colours, alpha=0.3)
        panel.scatter(_spread(display.rounds), display.units[:, i], s=5, c=colours[display.rounds])
        panel.plot(numbers, display.units[best, i], color=BEST, marker="*", markersize=9)
        panel.set(xlim=(-0.6, len(numbers) - 0.4), ylim=(-EDGE, 1 + EDGE))
        panel.set_title(labels[i], fontsize="medium")
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_xticks(numbers[:: ceil(len(numbers) / 10)])
        panel.set_xlabel("round" if is_lowest(panel, places.panels) else "")
        write_values(panel.yaxis, display.coordinates[i].axis)
    band = entry("bounds", FAINT, linewidth=8, solid_capstyle="butt")
    candidate = entry("candidate", "black", marker=".", markersize=4)
    best_so_far = entry("best so far", BEST, marker="*", markersize=9)
    legend(places, [band, candidate, best_so_far], titles=True)


def _spread(rounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Places of candidates side by side in their round, in the order of drawing."""
    places = rounds.astype(float)
    for number in np.unique(rounds):
        own = rounds == number
        places[own] += np.linspace(-0.4, 0.4, own.sum() + 2)[1:-1]
    return places


def draw_parallel(display: Display, ax: Any) -> None:
    """Draw a line a candidate through all coordinates to its score, the best on top."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    scores, n = display.scores, len(display.coordinates)
    floor, top = score_floor(scores), np.nanmax(scores)
    order = np.argsort(scores, kind="stable")[: np.isfinite(scores).sum()]
    best = np.nanargmax(_to_the_end(display))
    order = np.append(order[order != best], best)
    heights = np.clip((scores[order] - floor) / ((top - floor) or 1.0), 0, 1)
    # Candidates of the same value are spread over its part of the axis, the best on top.
    parts = np.array([c.axis.levels and 0.6 / c.axis.levels for c in display.coordinates])
    lines = np.column_stack([display.units[order] + np.outer(heights - 0.5, parts), heights])
    segments = np.stack([np.broadcast_to(np.arange(n + 1), lines.shape), lines], axis=2)
    colours, widths = shade(heights), np.full(len(order), min(1.0, 160 / len(order)))
    colours[-1], widths[-1] = to_rgba(BEST), 2.5
    ax.add_collection(LineCollection(list(segments), colors=colours, linewidths=widths))
    for place, coordinate in enumerate(display.coordinates):
        write_beside(ax, place, coordinate.axis)
    labels = [wrap(label) for label in [*short_labels(display.coordinates), display.score_name]]
    ax.set_xticks(range(n + 1), labels)
    ax.tick_params(length=0, labelsize=SMALL, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    _draw_score_axis(ax, n, floor, top, cut_off=bool(floor > np.nanmin(scores)))


def _draw_score_axis(ax: Any, place: int, floor: float, top: float, cut_off: bool) -> None:
    """Draw the colours of scores as the last axis, with values on its right."""
    width = 0.012 * (place + 1)
    colours = shade(np.linspace(0, 1, 200))[:, None]
    ax.imshow(colours, extent=(place, place + width, 0, 1), origin="lower", aspect="auto")
    ax.set(xlim=(-width, place + width), ylim=(-EDGE, 1 + EDGE))
    ticks = score_ticks(floor, top)
    texts = [f"{tick:.4g}" for tick in ticks]
    if cut_off:
        kept = ticks > floor + 0.05 * (top - floor)
        ticks = np.append(floor, ticks[kept])
        texts = [f"≤ {floor:.4g}", *np.array(texts)[kept]]
    ax.yaxis.tick_right()
    ax.set_yticks((ticks - floor) / ((top - floor) or 1.0), texts)


def draw_importance(importances: pd.DataFrame, explained: float, ax: Any) -> None:
    """Draw a bar for each coordinate, the longest on top."""
    y = np.arange(len(importances))
    ax.barh(
        y,
        importances["mean"],
        xerr=importances["std"],
        height=0.7,
        color=BAR,
        error_kw={"elinewidth": 1, "capsize": 2.5},
    )
    ax.axvline(0, color="black", linewidth=0.8)
    ax.set_yticks(y, importances.index)
    ax.invert_yaxis()
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.tick_params(axis="y", length=0)
    ax.set_xlabel(
        "share of the variance of the ranks of scores\n"
        f"(a forest explains {max(explained, 0) * 100:.0f} % of it, on candidates it has not seen)"
    )


def draw_learning_curves(display: Display, curve: str, places: Places) -> None:
    """Draw a line a candidate against the epoch, in grey if it was left behind."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba
    from matplotlib.ticker import MaxNLocator

    ax, means = places.ax, mean_curves(display.curves, curve)
    drawn = np.array(sorted(means, key=lambda i: display.ended[i]))  # on top, who came to the end
    lines = [np.column_stack([means[i].index, means[i]]) for i in drawn]
    up = -1 if curve.endswith("loss") else 1  # where better values lie
    values = up * np.concatenate(lines)[:, 1]
    floor, top = score_floor(values), values.max()
    span = (top - floor) or 1.0
    ended, ends = display.ended[drawn], np.array([line[-1] for line in lines])
    below = up * ends[:, 1] < floor
    ends[below, 1] = up * (floor - EDGE * span)
    colours = shades(len(display.bounds))[display.rounds[drawn]]
    colours[~ended] = to_rgba(FAINT)
    widths = np.where(ended, min(1.2, 20 / max(ended.sum(), 1)), 0.6)
    ax.add_collection(LineCollection(lines, colors=colours, linewidths=widths, zorder=2))
    for marker, chosen in {"o": ~below, "v" if up > 0 else "^": below}.items():
        ax.scatter(*ends[chosen].T, s=8 if marker == "o" else 16, c=colours[chosen], marker=marker)
    best = int(np.nanargmax(_to_the_end(display)))
    star = {"marker": "*", "markersize": 12, "markeredgecolor": "white"}
    ax.plot(means.get(best, []), color=BEST, linewidth=2.2, markevery=[-1], zorder=4, **star)
    limits = up * np.array([floor - 2 * EDGE * span, top + EDGE * span])
    ax.set(xlim=(0, display.curves["epoch"].max() * (1 + EDGE / 2)), ylim=np.sort(limits))
    ax.set(xlabel="epoch", ylabel=curve.replace("_", " "))
    ax.xaxis.set_major_locator(MaxNLocator(integer=True, steps=[1, 2, 5, 10]))
    ax.spines[["top", "right"]].set_visible(False)
    _draw_rungs(display.curves, ax)
    entries = _round_entries(len(display.bounds))
    if not ended.all():
        entries.append(entry("left behind", FAINT, linestyle="-", marker="o", markersize=3))
    entries.append(entry(f"best: candidate {best}", BEST, **star))
    legend(places, entries, titles=True)


def _draw_rungs(curves: pd.DataFrame, ax: Any) -> None:
    """Draw a line at each rung, and write how many went on where there is room for it."""
    n_epochs = curves.groupby("candidate")["epoch"].max()
    width = 5 * ax.get_xlim()[1] / room_for(ax)[0]
    free = np.inf
    for rung in rungs(curves)[::-1]:
        ax.axvline(rung, color="#dddddd", linewidth=0.8, zorder=1)
        if rung + width < free:
            n, free = (n_epochs > rung).sum(), rung
            place = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
            look = {"ha": "center", "fontsize": SMALL, "color": "#777777"}
            ax.annotate(f"{n} {'goes' if n == 1 else 'go'} on", (rung, 1), (0, 3), **place, **look)


def rungs(curves: pd.DataFrame) -> NDArray[np.int64]:
    """Epochs after which some were left behind: those of scores with others to come."""
    scored = curves.dropna(subset="score")
    last = scored.groupby(["candidate", "split"])["epoch"].transform("max")
    return np.unique(scored["epoch"][scored["epoch"] < last])


def mean_curves(curves: pd.DataFrame, curve: str) -> dict[int, Any]:
    """Mean of a curve over splits by candidate, where it was measured on all of them.

    What a split had in the end stays its value while others train on.
    """
    means = {}
    for candidate, own in curves.groupby("candidate"):
        table = own.pivot(index="epoch", columns="split", values=curve)
        known = table.notna() | table.bfill().isna()
        mean = table.ffill()[known.all(axis=1)].mean(axis=1, skipna=False)
        if np.isfinite(mean).any():
            means[int(candidate)] = mean[np.isfinite(mean)]
    return means
