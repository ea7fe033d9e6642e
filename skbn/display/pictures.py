"""The pictures of a search, each a function of its record.

matplotlib is imported inside functions only, so that nothing else needs it.
"""

from __future__ import annotations

from math import ceil
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from skbn.display.axes import (
    BAR_COLOUR,
    BEST_COLOUR,
    GREY,
    MARGIN,
    TEXT_SIZE,
    Places,
    draw_legend,
    is_leftmost,
    is_lowest,
    legend_entry,
    place_one,
    place_panels,
    round_colours,
    score_ticks,
    shade,
    size_in_text,
    wrap,
    write_beside,
    write_epochs,
    write_values,
)
from skbn.display.record import (
    ScoreRange,
    SearchRecord,
    best_by_round,
    best_candidate,
    choose_curve,
    mean_curves,
    n_going_on,
    rungs,
    score_range,
    short_labels,
)


def draw_scores(record: SearchRecord, ax: Any, n_cols: int) -> Places:
    """Draw scores against each coordinate, above the bounds of each round."""
    places = place_panels(ax, len(record.coordinates), n_cols)
    shown, labels = score_range(record.scores), short_labels(record.coordinates)
    bars = _bar_heights(len(record.bounds), shown)
    top = shown.top + 2 * MARGIN * shown.length
    for i, panel in enumerate(places.panels):
        is_left = is_leftmost(panel, places.panels)
        _draw_candidates(record, i, panel, shown)
        if len(bars) > 1:
            end = shown.floor - 2 * MARGIN * shown.length
            panel.axhspan(bars[-1], end, color="#f3f3f3", zorder=0)
            _draw_bars(panel, record.bounds[:, i], bars)
        panel.spines[["top", "right"]].set_visible(False)
        panel.set(xlabel=labels[i], xlim=(-MARGIN, 1 + MARGIN), ylim=(bars[-1], top))
        panel.set_yticks(score_ticks(shown.floor, top))
        panel.set_ylabel(record.score_name if is_left else "")
        panel.tick_params(axis="y", labelsize=TEXT_SIZE, labelleft=is_left)
        write_values(panel.xaxis, record.coordinates[i].axis)
    draw_legend(places, _score_entries(record, shown))
    return places


def _bar_heights(n_rounds: int, shown: ScoreRange) -> NDArray[np.float64]:
    """Heights of the bars of rounds, and of the lower end of the axis, which comes last."""
    n_bars = n_rounds if n_rounds > 1 else 0
    steps = min(0.05, 0.3 / max(n_bars, 1)) * np.arange(n_bars + 1, dtype=np.float64)
    return shown.floor - shown.length * (2.5 * MARGIN + steps)


def _draw_candidates(record: SearchRecord, i: int, panel: Any, shown: ScoreRange) -> None:
    """Draw candidates as dots, below the floor as triangles, and as crosses if they failed."""
    x, scores, colours = record.units[:, i], record.scores, round_colours(len(record.bounds))
    edge = shown.floor - MARGIN * shown.length
    for marker, chosen in _by_marker(scores, shown.floor).items():
        heights = scores[chosen] if marker == "o" else np.full(chosen.sum(), edge)
        look = {"linewidths": 1} if marker == "x" else {"edgecolors": "white", "linewidths": 0.4}
        c = colours[record.rounds[chosen]]
        panel.scatter(x[chosen], heights, s=min(22, 4000 / len(x)), c=c, marker=marker, **look)
    best = best_candidate(record)
    panel.scatter(x[best], scores[best], s=140, c=BEST_COLOUR, marker="*", edgecolors="white")


def _by_marker(scores: NDArray[np.float64], floor: float) -> dict[str, NDArray[np.bool_]]:
    """Candidates on the axis, below its floor, and failed ones, by their marker."""
    return {"o": scores >= floor, "v": scores < floor, "x": np.isnan(scores)}


def _draw_bars(panel: Any, bounds: NDArray[np.float64], heights: NDArray[np.float64]) -> None:
    """Draw the bounds of each round, for all but the last of the heights."""
    colours = round_colours(len(bounds))
    for ends, height, colour in zip(bounds, heights[:-1], colours, strict=True):
        panel.plot(ends, [height] * 2, color=colour, linewidth=3, solid_capstyle="round")


def _score_entries(record: SearchRecord, shown: ScoreRange) -> list[Any]:
    """Legend of the scores: rounds, some of many, and the marks that are there."""
    n_rounds, names = len(record.bounds), {"v": "below the axis", "x": "failed"}
    by_marker = _by_marker(record.scores, shown.floor)
    entries = _round_entries(n_rounds, marker="o", markersize=5)
    entries.append(legend_entry("bounds", GREY, linewidth=3))
    best = legend_entry("best", BEST_COLOUR, marker="*", markersize=10)
    return [*(entries if n_rounds > 1 else []), best] + [
        legend_entry(name, "black", marker=marker, markersize=5)
        for marker, name in names.items()
        if by_marker[marker].any()
    ]


def _round_entries(n_rounds: int, **style: Any) -> list[Any]:
    """Legend of rounds, some of many."""
    named = np.unique(np.linspace(0, n_rounds - 1, 5).round().astype(int))
    return [legend_entry(f"round {i}", round_colours(n_rounds)[i], **style) for i in named]


def draw_narrowing(record: SearchRecord, ax: Any, n_cols: int) -> Places:
    """Draw the bounds of each round, its candidates, and the best one so far."""
    ordered = [i for i, c in enumerate(record.coordinates) if c.axis.ordered]
    places = place_panels(ax, len(ordered), n_cols)
    numbers, best = np.arange(len(record.bounds)), best_by_round(record)
    colours, labels = round_colours(len(numbers)), short_labels(record.coordinates)
    for panel, i in zip(places.panels, ordered, strict=True):
        low, high = record.bounds[:, i].T
        panel.bar(numbers, high - low, 0.94, low, color=colours, alpha=0.3)
        across = _side_by_side(record.rounds)
        panel.scatter(across, record.units[:, i], s=5, c=colours[record.rounds])
        panel.plot(numbers, record.units[best, i], color=BEST_COLOUR, marker="*", markersize=9)
        panel.set(xlim=(-0.6, len(numbers) - 0.4), ylim=(-MARGIN, 1 + MARGIN))
        panel.set_title(labels[i], fontsize="medium")
        panel.spines[["top", "right"]].set_visible(False)
        panel.set_xticks(numbers[:: ceil(len(numbers) / 10)])
        panel.set_xlabel("round" if is_lowest(panel, places.panels) else "")
        write_values(panel.yaxis, record.coordinates[i].axis)
    bounds = legend_entry("bounds", GREY, linewidth=8, solid_capstyle="butt")
    candidate = legend_entry("candidate", "black", marker=".", markersize=4)
    best_so_far = legend_entry("best so far", BEST_COLOUR, marker="*", markersize=9)
    draw_legend(places, [bounds, candidate, best_so_far], titles=True)
    return places


def _side_by_side(rounds: NDArray[np.int64]) -> NDArray[np.float64]:
    """Places of candidates side by side in their round, in the order of drawing."""
    places = rounds.astype(float)
    for number in np.unique(rounds):
        own = rounds == number
        places[own] += np.linspace(-0.4, 0.4, own.sum() + 2)[1:-1]
    return places


def draw_parallel(record: SearchRecord, ax: Any) -> Places:
    """Draw a line a candidate through all coordinates to its score, the best on top."""
    n = len(record.coordinates)
    places = place_one(ax, (3.4 + 0.57 * n, 4.2))
    ax, shown = places.ax, score_range(record.scores)
    _draw_lines_to_scores(record, ax, shown)
    for place, coordinate in enumerate(record.coordinates):
        write_beside(ax, place, coordinate.axis)
    labels = [wrap(label) for label in [*short_labels(record.coordinates), record.score_name]]
    ax.set_xticks(range(n + 1), labels)
    ax.tick_params(length=0, labelsize=TEXT_SIZE, labeltop=True, labelbottom=False)
    ax.spines[:].set_visible(False)
    _draw_score_axis(ax, n, shown, cut_off=bool(shown.floor > np.nanmin(record.scores)))
    return places


def _draw_lines_to_scores(record: SearchRecord, ax: Any, shown: ScoreRange) -> None:
    """Draw a line for each candidate that did not fail, coloured by its score."""
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    scores, best = record.scores, best_candidate(record)
    order = np.argsort(scores, kind="stable")[: np.isfinite(scores).sum()]
    order = np.append(order[order != best], best)
    heights = np.clip((scores[order] - shown.floor) / shown.length, 0, 1)
    # Candidates of the same value are spread over its part of the axis, the best on top.
    parts = np.array([c.axis.levels and 0.6 / c.axis.levels for c in record.coordinates])
    lines = np.column_stack([record.units[order] + np.outer(heights - 0.5, parts), heights])
    across = np.broadcast_to(np.arange(lines.shape[1]), lines.shape)
    colours, widths = shade(heights), np.full(len(order), min(1.0, 160 / len(order)))
    colours[-1], widths[-1] = to_rgba(BEST_COLOUR), 2.5
    segments = list(np.stack([across, lines], axis=2))
    ax.add_collection(LineCollection(segments, colors=colours, linewidths=widths))


def _draw_score_axis(ax: Any, place: int, shown: ScoreRange, cut_off: bool) -> None:
    """Draw the colours of scores as the last axis, with values on its right."""
    width = 0.012 * (place + 1)
    colours = shade(np.linspace(0, 1, 200))[:, None]
    ax.imshow(colours, extent=(place, place + width, 0, 1), origin="lower", aspect="auto")
    ax.set(xlim=(-width, place + width), ylim=(-MARGIN, 1 + MARGIN))
    ticks = score_ticks(shown.floor, shown.top)
    texts = [f"{tick:.4g}" for tick in ticks]
    if cut_off:
        kept = ticks > shown.floor + 0.05 * shown.length
        ticks = np.append(shown.floor, ticks[kept])
        texts = [f"≤ {shown.floor:.4g}", *np.array(texts)[kept]]
    ax.yaxis.tick_right()
    ax.set_yticks((ticks - shown.floor) / shown.length, texts)


def draw_importance(importances: pd.DataFrame, explained: float, ax: Any) -> Places:
    """Draw a bar for each coordinate, the longest on top."""
    places, y = place_one(ax, (6.4, 1 + 0.32 * len(importances))), np.arange(len(importances))
    ax = places.ax
    ax.barh(
        y,
        importances["mean"],
        xerr=importances["std"],
        height=0.7,
        color=BAR_COLOUR,
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
    return places


def draw_learning_curves(record: SearchRecord, ax: Any, curve: str | None) -> Places:
    """Draw a line a candidate against the epoch, in grey if it was left behind."""
    curves = record.curves
    assert curves is not None  # as `missing_for` has it
    curve = choose_curve(curves, curve)
    places, means = place_one(ax, (6.4, 4.2)), mean_curves(curves, curve)
    ax, sign = places.ax, -1 if curve.endswith("loss") else 1
    shown = score_range(sign * np.concatenate(list(means.values())))
    _draw_curves(record, means, ax, shown, sign)
    best = best_candidate(record)
    star = {"marker": "*", "markersize": 12, "markeredgecolor": "white"}
    ax.plot(means.get(best, []), color=BEST_COLOUR, linewidth=2.2, markevery=[-1], zorder=4, **star)
    write_epochs(ax, curves["epoch"].max())
    ax.set(xlabel="epoch", ylabel=curve.replace("_", " "))
    ax.spines[["top", "right"]].set_visible(False)
    margin = MARGIN * shown.length
    ax.set_ylim(np.sort([sign * (shown.floor - 2 * margin), sign * (shown.top + margin)]))
    _draw_rungs(curves, ax)
    entries = _round_entries(len(record.bounds))
    if not record.ended[list(means)].all():
        entries.append(legend_entry("left behind", GREY, linestyle="-", marker="o", markersize=3))
    entries.append(legend_entry(f"best: candidate {best}", BEST_COLOUR, **star))
    draw_legend(places, entries, titles=True)
    return places


def _draw_curves(
    record: SearchRecord, means: dict[int, pd.Series], ax: Any, shown: ScoreRange, sign: int
) -> None:
    """Draw a line for each candidate, and a dot or a triangle where it ends.

    Better values lie above with ``sign=1``, below with ``sign=-1``.
    """
    from matplotlib.collections import LineCollection
    from matplotlib.colors import to_rgba

    drawn = np.array(sorted(means, key=lambda i: record.ended[i]))  # those that ended, on top
    lines = [np.column_stack([means[i].index, means[i]]) for i in drawn]
    ended, ends = record.ended[drawn], np.array([line[-1] for line in lines])
    below = sign * ends[:, 1] < shown.floor
    ends[below, 1] = sign * (shown.floor - MARGIN * shown.length)
    colours = round_colours(len(record.bounds))[record.rounds[drawn]]
    colours[~ended] = to_rgba(GREY)
    widths = np.where(ended, min(1.2, 20 / max(ended.sum(), 1)), 0.6)
    ax.add_collection(LineCollection(lines, colors=colours, linewidths=widths, zorder=2))
    for marker, chosen in {"o": ~below, "v" if sign > 0 else "^": below}.items():
        ax.scatter(*ends[chosen].T, s=8 if marker == "o" else 16, c=colours[chosen], marker=marker)


def _draw_rungs(curves: pd.DataFrame, ax: Any) -> None:
    """Draw a line at each rung, and write how many went on where there is room for it."""
    width = 5 * ax.get_xlim()[1] / size_in_text(ax)[0]  # of the text, in epochs
    free = np.inf
    for rung in rungs(curves)[::-1]:
        ax.axvline(rung, color="#dddddd", linewidth=0.8, zorder=1)
        if rung + width < free:
            n, free = n_going_on(curves, rung), rung
            place = {"xycoords": ax.get_xaxis_transform(), "textcoords": "offset points"}
            look = {"ha": "center", "fontsize": TEXT_SIZE, "color": "#777777"}
            ax.annotate(f"{n} {'goes' if n == 1 else 'go'} on", (rung, 1), (0, 3), **place, **look)
