"""A report on what moved between the rows of then and those of now."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from skbn.drift.two_sample import Estimate
from skbn.drift.words import html_of, summary_of


@dataclass(repr=False)
class DriftReport:
    """What moved between two tables, and what it means for a model.

    `skbn.drift.drift_report` makes one. It is plain data, and can be pickled.

    Attributes
    ----------
    verdict : str
        "none", if nothing moved that matters; "covariate", if inputs moved in a way that other
        class proportions do not explain; "label", if they do; "unclear".
    advice : str
        "nothing", "adapt" (`skbn.drift.adapt`), "new priors" (``adapt(..., shift="label")``),
        "retune" or "collect labels".
    columns : DataFrame
        A row a column of the data: its "kind" ("number", "category" or "date"); the "effect",
        the Wasserstein distance in deviations of the old rows, or the total variation of
        categories; "p_value" (Kolmogorov-Smirnov, chi-squared) and "p_adjusted" (Benjamini
        and Hochberg, over the tests of all columns; the smaller one of values and missing
        cells); whether it "drifted", that is by an effect of at least 0.1 and at the
        level of 0.0125; "importance", by how much the AUC falls without it; shares of cells
        "missing_old" and "missing_new" with the "missing_p_value" of Fisher's test; the
        share of new rows in "new_categories", and a list of "new_category_names".
    classes : DataFrame
        A row a class: shares of the predicted classes, "old" and "new"; class priors that
        these rows would have under label shift, "prior_old" and "prior_new", the latter between
        "low" and "high".
    layers : DataFrame or None
        A row a hidden layer of a `skbn.BNSoftmaxClassifier`, over the units of all members:
        "shift", how far means moved in old deviations (root mean square), "largest",
        "spread", the ratio of new to old deviations (geometric mean).
    auc : Estimate
        Of a classifier that tells new from old rows, on rows that it has not seen: 0.5 where
        there is nothing to tell, 1 where each row gives itself away.
    auc_beyond_label_shift : Estimate
        The same with old rows weighted as the new class priors would have it.
    confidence_old, confidence_new : Estimate or None
        Mean probability of the predicted class. None without probabilities.
    expected_accuracy : Estimate or None
        On the new rows, if the probabilities are calibrated there; after a label shift with
        its priors.
    accuracy : Estimate or None
        On the new rows that have a label.
    n_old, n_new, n_labels : int
        Rows, and labels of the new ones.
    remainder : float
        Share of what moved that label shift does not explain.
    ignored : list
        Columns of the new rows that the old ones have not.

    Notes
    -----
    An `Estimate` is a named tuple of ``value``, ``low`` and ``high``, the ends of an
    interval of 95 %.
    """

    verdict: str
    advice: str
    columns: Any
    classes: Any
    layers: Any
    auc: Estimate
    auc_beyond_label_shift: Estimate
    confidence_old: Estimate | None
    confidence_new: Estimate | None
    expected_accuracy: Estimate | None
    accuracy: Estimate | None
    n_old: int
    n_new: int
    n_labels: int = 0
    remainder: float = 0.0
    ignored: list[Any] = field(default_factory=list)

    def summary(self) -> str:
        """Say in words what moved, of which kind the shift is and how sure that is, what to do.

        Returns
        -------
        text : str
            Several lines.
        """
        return summary_of(self)

    def to_frame(self) -> Any:
        """Give the table of the columns.

        Returns
        -------
        columns : DataFrame
            A copy.
        """
        return self.columns.copy()

    def to_dict(self) -> dict[str, Any]:
        """Give all of the report as plain Python, for a log in JSON.

        Returns
        -------
        report : dict
            Of text, numbers, None, lists and dicts; tables are lists of rows.
        """
        return {name: _plain(value) for name, value in vars(self).items()}

    def __repr__(self) -> str:
        drifted = int(self.columns["drifted"].sum())
        return (
            f"DriftReport(verdict={self.verdict!r}, advice={self.advice!r},\n"
            f"            {drifted} of {len(self.columns)} columns drifted, "
            f"auc={self.auc.value:.3f} [{self.auc.low:.3f}, {self.auc.high:.3f}],\n"
            f"            {self.n_old:,} old and {self.n_new:,} new rows)"
        )

    def _repr_html_(self) -> str:
        return html_of(self)


def _plain(value: Any) -> Any:
    """Make plain Python of a value."""
    if isinstance(value, Estimate):
        return {name: float(figure) for name, figure in value._asdict().items()}
    if isinstance(value, pd.DataFrame):
        return [
            {value.index.name: _plain(name)} | {key: _plain(cell) for key, cell in row.items()}
            for name, row in zip(value.index, value.to_dict("records"), strict=True)
        ]
    if isinstance(value, list):
        return [_plain(each) for each in value]
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float) and not np.isfinite(value):
        return None
    return value if isinstance(value, str | int | float | type(None)) else str(value)
