"""A picture of a training in a notebook, drawn again in its place as the training goes on."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from io import BytesIO
from typing import Any

import pandas as pd

from skbn.display.axes import require_matplotlib
from skbn.display.training_display import TrainingDisplay
from skbn.display.training_record import has_losses

INTERVAL = 1.0
"""Seconds between two pictures, at least."""
MAX_SHARE = 0.2
"""Share of the time that pictures take, at most."""


def in_notebook() -> bool:
    """Tell whether code runs in the kernel of a notebook, which shows pictures."""
    ipython = sys.modules.get("IPython")
    shell = None if ipython is None else ipython.get_ipython()
    return hasattr(shell, "kernel")


class LiveFigure:
    """One figure of a training that is drawn again in its place.

    The figure is none of pyplot's, which would show it once more at the end of the cell.

    Parameters
    ----------
    show : callable, default=None
        Shows a picture and gives a handle whose ``update`` shows another in its place. None is
        ``IPython.display.display``.
    clock : callable, default=time.monotonic
        Gives seconds.

    Raises
    ------
    ImportError
        If matplotlib is missing.
    """

    def __init__(
        self,
        show: Callable[[bytes], Any] | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        require_matplotlib()
        self._show, self._clock = show or _Output, clock
        self._output: Any = None
        self._next = -float("inf")

    def update(self, log: pd.DataFrame, force: bool = False) -> None:
        """Draw the training as it stands, unless that was done just now.

        Parameters
        ----------
        log : DataFrame
            As ``log_`` of a session. Nothing is drawn before the first epoch.
        force : bool, default=False
            Whether to draw in any case, as at the end.
        """
        begin = self._clock()
        if not has_losses(log) or (begin < self._next and not force):
            return
        png = _picture(log)
        if self._output is None:
            self._output = self._show(png)
        else:
            self._output.update(png)
        end = self._clock()
        self._next = max(begin + INTERVAL, end + (end - begin) * (1 / MAX_SHARE - 1))


class _Output:
    """A picture in a notebook."""

    def __init__(self, png: bytes) -> None:
        from IPython.display import Image, display

        self._handle = display(Image(png, retina=True), display_id=True)

    def update(self, png: bytes) -> None:
        from IPython.display import Image

        self._handle.update(Image(png, retina=True))


def _picture(log: pd.DataFrame) -> bytes:
    """Draw a training as a PNG of two dots a pixel."""
    from matplotlib.figure import Figure

    figure, file = Figure(figsize=(6.4, 4.6), dpi=200, layout="constrained"), BytesIO()
    TrainingDisplay(log=log).plot(figure.add_subplot())
    figure.savefig(file, format="png")
    return file.getvalue()
