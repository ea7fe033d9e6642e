"""What moved, column by column: effects and p-values."""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import chi2_contingency, false_discovery_control, fisher_exact, ks_2samp, kstwo

from skbn.drift.features import Feature

MATERIAL_EFFECT = 0.1
"""Of a column: deviations of the Wasserstein distance, or total variation. A normal column that
moves by a tenth of its deviation tells old from new rows with an AUC of 0.53."""
MIN_ASYMPTOTIC_ROWS = 30
N_NAMED = 5
"""New categories that are named."""


class Comparison(NamedTuple):
    """An effect size with its p-value."""

    effect: float
    p_value: float


def compare_numbers(old: Any, new: Any) -> Comparison:
    """Wasserstein distance in deviations of the old numbers, Kolmogorov-Smirnov p-value.

    Parameters
    ----------
    old, new : float ndarray of shape (n,)
        Finite.

    Returns
    -------
    comparison : Comparison
        No effect and a p-value of one where there is nothing to compare.

    Notes
    -----
    With F the shares of numbers up to x, the statistic is D = max |F_old - F_new|, of which
    the p-value is that of `scipy.stats.ks_2samp` with ``method="asymp"``, of fewer than 30 numbers
    "exact", and the distance the integral of |F_old - F_new|.
    """
    if len(old) == 0 or len(new) == 0:
        return Comparison(0.0, 1.0)
    scale = max(np.abs(old).max(), np.abs(new).max()) or 1.0  # so that squares stay finite
    old, new = np.sort(old / scale), np.sort(new / scale)
    points = np.sort(np.concatenate([old, new]), kind="stable")
    shares_old = np.searchsorted(old, points, side="right") / len(old)
    shares_new = np.searchsorted(new, points, side="right") / len(new)
    gaps = np.abs(shares_old - shares_new)
    n_effective = np.round(len(old) * len(new) / (len(old) + len(new)))
    p_value = float(np.clip(kstwo.sf(gaps.max(), n_effective), 0.0, 1.0))
    if min(len(old), len(new)) < MIN_ASYMPTOTIC_ROWS:
        p_value = float(ks_2samp(old, new, method="exact").pvalue)
    deviation = _deviation(old) or _deviation(points) or 1.0
    return Comparison(float(gaps[:-1] @ np.diff(points) / deviation), p_value)


def _deviation(numbers: Any) -> float:
    """Standard deviation of sorted numbers; 0 to the bit where they are all alike."""
    return float(numbers.std()) if numbers[0] < numbers[-1] else 0.0


def compare_categories(old: Any, new: Any) -> Comparison:
    """Total variation of the shares of categories, chi-squared p-value.

    Parameters
    ----------
    old, new : ndarray of shape (n,)
        Codes from 0 on, the rare categories under one.

    Returns
    -------
    comparison : Comparison
    """
    if len(old) == 0 or len(new) == 0:
        return Comparison(0.0, 1.0)
    length = int(max(old.max(), new.max())) + 1
    counts = [np.bincount(codes.astype(int), minlength=length) for codes in (old, new)]
    table = np.array(counts)[:, np.sum(counts, axis=0) > 0]
    if table.shape[1] < 2:
        return Comparison(0.0, 1.0)
    shares = table / table.sum(axis=1, keepdims=True)
    effect = np.abs(shares[0] - shares[1]).sum() / 2
    return Comparison(float(effect), float(chi2_contingency(table, correction=False).pvalue))


def compare_missing(old: Any, new: Any) -> float:
    """P-value of Fisher's exact test of the numbers of missing cells.

    Parameters
    ----------
    old, new : bool ndarray of shape (n,)

    Returns
    -------
    p_value : float
    """
    table = np.array([[old.sum(), (~old).sum()], [new.sum(), (~new).sum()]])
    if not table.any(axis=0).all():
        return 1.0
    return float(fisher_exact(table)[1])


def compare_column(feature: Feature) -> dict[str, Any]:
    """Compare the old and new cells of a column.

    Parameters
    ----------
    feature : Feature

    Returns
    -------
    row : dict
        Of the table of columns, before the p-values are adjusted.
    """
    missing_old, missing_new = np.isnan(feature.old), np.isnan(feature.new)
    compare = compare_categories if feature.kind == "category" else compare_numbers
    comparison = compare(feature.old[~missing_old], feature.new[~missing_new])
    unknown = feature.new_categories
    return {
        "kind": feature.kind,
        "effect": comparison.effect,
        "p_value": comparison.p_value,
        "missing_old": float(missing_old.mean()),
        "missing_new": float(missing_new.mean()),
        "missing_p_value": compare_missing(missing_old, missing_new),
        "new_categories": float(sum(unknown.values())),
        "new_category_names": list(unknown)[:N_NAMED],
    }


def table_of_columns(names: list[Any], rows: list[dict[str, Any]], level: float) -> Any:
    """Adjust the p-values of all columns together, and say which columns drifted.

    Parameters
    ----------
    names : list
    rows : list of dict
        From `compare_column`.
    level : float
        Of false discoveries (Benjamini & Hochberg 1995), of values and missing cells alike.

    Returns
    -------
    columns : DataFrame
    """
    table = pd.DataFrame(rows, index=pd.Index(names, name="column", tupleize_cols=False))
    has_missing = ((table["missing_old"] > 0) | (table["missing_new"] > 0)).to_numpy()
    p_values = np.concatenate([table["p_value"], table["missing_p_value"][has_missing]])
    adjusted = false_discovery_control(p_values)
    of_values, of_missing = adjusted[: len(table)], np.ones(len(table))
    of_missing[has_missing] = adjusted[len(table) :]
    moved = (of_values < level) & (table["effect"] >= MATERIAL_EFFECT)
    gone = (table["missing_new"] - table["missing_old"]).abs() >= MATERIAL_EFFECT
    table["p_adjusted"] = np.minimum(of_values, of_missing)
    table["drifted"] = moved | ((of_missing < level) & gone)
    table["importance"] = 0.0
    order = ["kind", "effect", "p_value", "p_adjusted", "drifted", "importance"]
    return table[[*order, *(name for name in table if name not in order)]]
