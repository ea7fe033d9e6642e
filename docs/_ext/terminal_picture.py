"""A picture of ``python -m skbn watch``, made from a log when the pages are built.

Letters of braille come from other fonts than the rest, of other widths, so that curves would not
meet their axes: each letter stands in a cell of its own, and what is no text is drawn.
"""

from html import escape

import pandas as pd
from docutils import nodes
from sphinx.util.docutils import SphinxDirective

from skbn.display import text_curves
from skbn.display.text_curves import BRAILLE, DOTS
from skbn.session import watching, words
from skbn.session.journal import TRAINING
from skbn.session.log import CHANGE, EPOCH, Event, Log
from skbn.session.looking import Look

WIDTH, HEIGHT = 80, 22
ACROSS, DOWN = 8, 16
"""Size of a cell."""
MEASURES = ["loss", "learning_rate", "validation_loss"]
COLOURS = {"cyan": "#00808f", "magenta": "#a626a4", "yellow": "#a87800", "dim": "#888"}
RECTANGLES = {
    "│": [(3.5, 0, 1, 16)],
    "┤": [(3.5, 0, 1, 16), (0, 7.5, 4, 1)],
    "└": [(3.5, 0, 1, 8.5), (3.5, 7.5, 4.5, 1)],
    "─": [(0, 7.5, 8, 1)],
    "━": [(0, 7, 8, 2)],
    "┊": [(3.5, 1, 1, 3), (3.5, 6.5, 1, 3), (3.5, 12, 1, 3)],
}
"""Letters that are drawn: left, top, width and height of their parts in a cell."""
for bits in range(1, 256):
    RECTANGLES[chr(BRAILLE + bits)] = [
        (column * ACROSS / 2 + 0.8, row * DOWN / 4 + 0.8, 2.4, 2.4)
        for column, of_column in enumerate(DOTS)
        for row, bit in enumerate(of_column)
        if bits & bit
    ]


def read_log(path, n_events):
    """The first events of a table."""
    events = []
    for row in pd.read_csv(path, parse_dates=["time"]).head(n_events).to_dict("records"):
        entry = [{name: row[name] for name in MEASURES}] if row["event"] == EPOCH else ()
        params = {"learning_rate_init": row["learning_rate_init"]} if row["event"] == CHANGE else {}
        place = row["event"], row["epoch"], row["branch"], row["time"].timestamp()
        events.append(Event(*place, row["asked_by"], entry, params))
    return Log(events)


def drawing(rows):
    """Rows of styled text as SVG."""
    for row, pieces in enumerate(rows):
        start = 0
        for text, style in pieces:
            cells = [(i * ACROSS, letter) for i, letter in enumerate(text, start) if letter != " "]
            start += len(text)
            weight = "bold" if style == "bold" else "normal"
            look = f'fill="{COLOURS.get(style, "#333")}" font-weight="{weight}"'
            yield f'<g {look} transform="translate(0 {row * DOWN})">'
            yield from shapes(cells)
            yield "</g>"


def shapes(cells):
    """The letters of some cells, which are drawn or written."""
    path = "".join(
        f"M{x + left:g} {top:g}h{width:g}v{height:g}h-{width:g}z"
        for x, letter in cells
        for left, top, width, height in RECTANGLES.get(letter, ())
    )
    written = [(x, letter) for x, letter in cells if letter not in RECTANGLES]
    if path:
        yield f'<path d="{path}"/>'
    if written:
        places = " ".join(str(x) for x, _ in written)
        yield f'<text x="{places}" y="12">{escape("".join(letter for _, letter in written))}</text>'


class TerminalPicture(SphinxDirective):
    """``.. terminal-picture:: log.csv N``: what ``watch`` shows after so many events of a log."""

    required_arguments = 2

    def run(self):
        """Draw the picture."""
        path = self.env.relfn2path(self.arguments[0])[1]
        for each in (path, watching.__file__, text_curves.__file__, words.__file__, __file__):
            self.env.note_dependency(each)
        log = read_log(path, int(self.arguments[1]))
        look = Look({"status": TRAINING}, log, is_open=True, seed="")
        rows = watching.picture(look, "run.sqlite", WIDTH, HEIGHT)
        state = escape(". ".join("".join(text for text, _ in row) for row in rows[:2]))
        svg = (
            f'<svg class="terminal" viewBox="0 0 {WIDTH * ACROSS} {len(rows) * DOWN}" role="img" '
            f'aria-label="Curves in a terminal: {state}">{"".join(drawing(rows))}</svg>'
        )
        return [nodes.raw("", svg, format="html")]


def setup(app):
    """Register the directive."""
    app.add_directive("terminal-picture", TerminalPicture)
    return {"parallel_read_safe": True}
