"""A drift report that can be drawn, in the manner of scikit-learn's Display classes."""

from __future__ import annotations

from typing import Any, Self

import pandas as pd

from skbn.display.axes import require_matplotlib
from skbn.display.drift_pictures import (
    N_ROWS_BESIDE_OTHERS,
    classes_panel,
    columns_panel,
    draw_panels,
    layers_panel,
)
from skbn.display.record import check_choice

DRIFT_KINDS = ("overview", "columns", "classes", "layers")


class DriftDisplay:
    """Pictures of what moved between the rows of then and those of now.

    `from_report` makes one of a `skbn.drift.DriftReport`. matplotlib must be installed.

    Parameters
    ----------
    columns : DataFrame
        A row a column of the data, as ``columns`` of a report.

    classes : DataFrame
        A row a class, as ``classes`` of a report.

    layers : DataFrame, default=None
        A row a hidden layer, as ``layers`` of a report; None where there is none.

    title : str, default=""
        Above "overview".

    Attributes
    ----------
    figure_ : matplotlib Figure
        The figure.
    ax_ : matplotlib Axes or None
        The axes drawn on, or those whose place the panels have taken; None if the
        panels were given as an array.
    axes_ : ndarray of Axes
        The panels. Of "overview": columns, classes and, if there are any, layers; of the other
        kinds one.

    See Also
    --------
    SearchDisplay : Pictures of a search.

    Examples
    --------
    >>> import matplotlib.pyplot as plt
    >>> import pandas as pd
    >>> from skbn.display import DriftDisplay
    >>> shares = {"old": [0.5, 0.5], "new": [0.3, 0.7]}
    >>> priors = {"prior_old": [0.5, 0.5], "prior_new": [0.2, 0.8]}
    >>> interval = {"low": [0.1, 0.7], "high": [0.3, 0.9]}
    >>> classes = pd.DataFrame(shares | priors | interval, index=["no", "yes"])
    >>> display = DriftDisplay(columns=pd.DataFrame(), classes=classes).plot(kind="classes")
    >>> display.axes_[0].get_xlabel()
    'share of the rows'
    >>> plt.close("all")
    """

    def __init__(
        self,
        *,
        columns: pd.DataFrame,
        classes: pd.DataFrame,
        layers: pd.DataFrame | None = None,
        title: str = "",
    ) -> None:
        self.columns = columns
        self.classes = classes
        self.layers = layers
        self.title = title

    @classmethod
    def from_report(cls, report: Any, *, kind: str = "overview", ax: Any = None) -> Self:
        """Draw a picture of a report.

        Parameters
        ----------
        report : DriftReport
            As `skbn.drift.drift_report` gives it.
        kind : {"overview", "columns", "classes", "layers"}, default="overview"
            Which picture; see `plot`.
        ax : Axes or array of Axes, default=None
            Where to draw; see `plot`.

        Returns
        -------
        display : DriftDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        TypeError
            If it is no report.
        ValueError
            If there is no such kind, or nothing to draw.
        """
        require_matplotlib()
        check_choice("kind", kind, DRIFT_KINDS)
        tables = [getattr(report, name, None) for name in ("columns", "classes")]
        if not all(isinstance(table, pd.DataFrame) for table in tables):
            raise TypeError(
                "from_report takes a DriftReport, as skbn.drift.drift_report gives it; got "
                f"{type(report).__name__}"
            )
        columns, classes = tables
        title = f"verdict: {report.verdict}; advice: {report.advice}"
        display = cls(columns=columns, classes=classes, layers=report.layers, title=title)
        return display.plot(ax, kind=kind)

    def plot(self, ax: Any = None, *, kind: str = "overview") -> Self:
        """Draw a picture.

        Parameters
        ----------
        ax : Axes or array of Axes, default=None
            Where to draw; None is a new figure. For "overview" an Axes is switched off and the
            panels take its place; an array must hold as many Axes as there are panels.

        kind : {"overview", "columns", "classes", "layers"}, default="overview"
            Which picture:

            - "columns": a bar for each column, of the 20 that moved most. Its length is the
              effect: the Wasserstein distance in deviations for numbers and dates, the total
              variation for categories. Bars of columns that have not drifted are faint. Beside
              a bar stand its effect, missing cells where they changed, and new categories. So
              that one column does not squeeze all others together, bars are cut that are more
              than five times as long as the median of those that drifted; a white triangle
              marks them.
            - "classes": for each class, of at most 26, the share of rows for which it is
              predicted, then and now; with priors of the classes, a mark for the old one and a
              dot, with its interval, for the new one as label shift would have it.
            - "layers": for each hidden layer under batch norm how far the means of its units
              moved, in units of their deviation: the root mean square, and the largest. Beside
              them stands the ratio of their spread now to that of then.
            - "overview": all of them, with ten rows of each at most.

        Returns
        -------
        self : DriftDisplay

        Raises
        ------
        ImportError
            If matplotlib is missing.
        ValueError
            If there is no such kind or nothing to draw, or the number of Axes is wrong.
        """
        require_matplotlib()
        check_choice("kind", kind, DRIFT_KINDS)
        title = ""
        if kind == "columns":
            panels = [columns_panel(self.columns)]
        elif kind == "classes":
            panels = [classes_panel(self.classes)]
        elif kind == "layers":
            panels = [layers_panel(self.layers)]
        else:
            title, few = self.title, N_ROWS_BESIDE_OTHERS
            panels = [columns_panel(self.columns, few), classes_panel(self.classes, few)]
            if self.layers is not None and len(self.layers):
                panels.append(layers_panel(self.layers))
        places = draw_panels(panels, ax, title)
        self.ax_, self.axes_, self.figure_ = places.ax, places.panels, places.panels[0].figure
        return self
