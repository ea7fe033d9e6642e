"""Columns of old and new rows, side by side, as numbers that can be compared."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from pandas.api import types
from scipy.sparse import issparse
from sklearn.pipeline import Pipeline

from skbn._compat import n_samples
from skbn.tables.cleaner import TableCleaner
from skbn.tables.columns import Form, as_pandas, converted, find_forms
from skbn.tables.messages import listing

MIN_EXPECTED = 5
"""Rows that a category needs on each side if both were drawn alike; rarer ones are taken
together. The rule of Cochran (1954) for the chi-squared distribution to hold."""
OTHER = 0
"""Code of the rare categories."""
ROUNDING = 1e-12
"""Relative difference of numbers that were computed in other ways."""
KINDS = {"number": "number", "date": "date", "text": "category"}
"""What the report calls that which a column holds."""
TEXT: Form = {"kind": "text"}


class Feature(NamedTuple):
    """A column of the old and of the new rows: floats, NaN where a cell is missing.

    Categories are codes by falling frequency from one on; `OTHER` stands for the rare ones.
    """

    name: Any
    kind: str
    old: Any
    new: Any
    new_categories: dict[str, float]


def check_tables(X_old: Any, X_new: Any) -> tuple[Any, Any, list[Any]]:
    """Give two tables with the same columns in the same order, in the containers they came in.

    Sparse matrices are given as CSR.

    Parameters
    ----------
    X_old, X_new : DataFrame, array-like or sparse matrix of shape (n_samples, n_features)
        Columns of frames go by their names; those that X_old has not are left out.

    Returns
    -------
    X_old, X_new : the same containers
    ignored : list
        Names of columns of X_new that X_old has not.

    Raises
    ------
    TypeError
        If a table is a polars LazyFrame.
    ValueError
        If a table has fewer than two rows or not two dimensions, or X_new lacks columns.
    """
    for X, name in ((X_old, "X_old"), (X_new, "X_new")):
        if type(X).__name__ == "LazyFrame":
            raise TypeError(
                f"{name} is a LazyFrame, a query that holds no rows yet; pass {name}.collect() "
                "instead"
            )
        if (rows := n_samples(X)) < 2:
            raise ValueError(f"{name} has {rows} row{'s' * (rows != 1)}; at least two are needed")
    X_old, X_new = (X.tocsr() if issparse(X) else X for X in (X_old, X_new))
    names_old, names_new = _names(X_old, "X_old"), _names(X_new, "X_new")
    if not names_old:
        raise ValueError("X_old has no columns; at least one is needed")
    if hasattr(X_old, "columns") and hasattr(X_new, "columns"):
        if names_old == names_new:
            return X_old, X_new, []
        if missing := Counter(names_old) - Counter(names_new):
            raise ValueError(
                f"X_new lacks columns of X_old: {listing(missing)}; both need the columns that the "
                f"model was fitted on. X_new has: {listing(names_new)}"
            )
        ignored = list(Counter(names_new) - Counter(names_old))
        return X_old, _select(X_new, _positions(names_old, names_new)), ignored
    if len(names_old) != len(names_new):
        raise ValueError(
            f"X_new has {len(names_new)} columns and X_old {len(names_old)}; both need the columns "
            "that the model was fitted on"
        )
    return X_old, X_new, []


def _names(X: Any, name: str) -> list[Any]:
    """Names of the columns; numbers where there are none."""
    if hasattr(X, "columns"):
        return list(X.columns)
    shape = X.shape if issparse(X) else np.shape(X)
    if len(shape) != 2:
        raise ValueError(f"{name} must have rows and columns, got the shape {shape}")
    return list(range(shape[1]))


def _positions(names_old: list[Any], names_new: list[Any]) -> list[int]:
    """Where the new table has each column of the old one, those of one name in their order."""
    places: dict[Any, list[int]] = {}
    for position, name in enumerate(names_new):
        places.setdefault(name, []).append(position)
    return [places[name].pop(0) for name in names_old]


def _select(X: Any, positions: list[int]) -> Any:
    return X.iloc[:, positions] if isinstance(X, pd.DataFrame) else X[:, positions]


def forms_within(model: Any) -> Mapping[str, Form]:
    """Tell how a model reads columns; nothing if its first step takes them as they are.

    Parameters
    ----------
    model : fitted estimator
        A Pipeline or a search too.

    Returns
    -------
    forms : mapping of str to dict
    """
    while isinstance(model, Pipeline) or hasattr(model, "best_estimator_"):
        model = model.steps[0][1] if isinstance(model, Pipeline) else model.best_estimator_
    return model.forms_ if isinstance(model, TableCleaner) else {}


def features_of(
    X_old: Any, X_new: Any, forms: Mapping[str, Form] | None = None
) -> Iterator[Feature]:
    """Give the columns of two checked tables, one after another.

    Parameters
    ----------
    X_old, X_new : tables from `check_tables`
    forms : mapping of str to dict, optional
        What columns hold, where that is known. The old rows tell it of the others.

    Yields
    ------
    feature : Feature
    """
    old, new = as_pandas(X_old), as_pandas(X_new)
    names = new.columns if hasattr(X_new, "columns") > hasattr(X_old, "columns") else old.columns
    keys = [str(name) for name in names]
    if len(set(keys)) < len(keys):
        keys = [f"{key} (column {place})" for place, key in enumerate(keys, 1)]
    old, new = old.set_axis(keys, axis=1), new.set_axis(keys, axis=1)
    for (key, form), name in zip(_forms(old, new, forms or {}).items(), names, strict=True):
        yield _feature(name, old[key], new[key], form)


def _forms(old: Any, new: Any, known: Mapping[str, Form]) -> dict[str, Form]:
    """Tell what columns hold: what the old rows held, if they held anything."""
    forms = {name: known.get(name, {"kind": "none"}) for name in old}
    for table in (old, new):
        unknown = [name for name, form in forms.items() if form["kind"] == "none"]
        found = find_forms(table[unknown])
        forms |= {name: finding.form for name, finding in found.items()}
    empty: Form = {"kind": "number", "decimal": "."}
    return {name: empty if form["kind"] == "none" else form for name, form in forms.items()}


def _feature(name: Any, old: Any, new: Any, form: Form) -> Feature:
    if form["kind"] == "number" and _are_booleans(old, new):
        form = TEXT
    kind = KINDS[form["kind"]]
    if kind == "category":
        return _categories(name, old, new)
    convert = _as_days if kind == "date" else _as_numbers
    numbers_old, numbers_new = convert(old, form), convert(new, form)
    unknown: dict[str, float] = {}
    if len(words := _words(new, numbers_new)):
        is_known = words.isin(_words(old, numbers_old))
        unknown = dict(words[~is_known].value_counts() / len(new))
    return Feature(name, kind, *_without_rounding(numbers_old, numbers_new), unknown)


def _are_booleans(old: Any, new: Any) -> bool:
    """Whether a column held booleans before, and no numbers now."""
    if not _is_boolean(old if old.notna().any() else new):
        return False
    return _is_boolean(new) or not types.is_numeric_dtype(new.dtype)


def _is_boolean(column: Any) -> bool:
    if types.is_numeric_dtype(column.dtype) and not types.is_bool_dtype(column.dtype):
        return False
    texts = converted(column, TEXT).cat.categories
    return 0 < len(texts) <= 4 and set(map(str.lower, texts)) <= {"true", "false"}


def _as_numbers(column: Any, form: Form) -> Any:
    """Floats; NaN for cells that hold no number, or an infinite one."""
    return converted(column, form).to_numpy(dtype=np.float64)


def _as_days(column: Any, form: Form) -> Any:
    """Days since 1970."""
    moments = converted(column, form).to_numpy().astype("datetime64[us]")
    return (moments - np.datetime64(0, "us")) / np.timedelta64(1, "D")


def _words(column: Any, numbers: Any) -> Any:
    """Texts of the cells that have a value and hold no number."""
    is_lost = np.isnan(numbers)
    if types.is_numeric_dtype(column.dtype) or not is_lost.any():
        return pd.Series(dtype=object)
    return converted(column[is_lost], TEXT).dropna().astype(str)


def _without_rounding(old: Any, new: Any) -> tuple[Any, Any]:
    """Give numbers that are all the same but for rounding as the same."""
    both = np.concatenate([old, new])
    both = both[np.isfinite(both)]
    if not len(both) or np.ptp(both) > ROUNDING * np.abs(both).max():
        return old, new
    return tuple(np.where(np.isfinite(each), both[0], each) for each in (old, new))


def _categories(name: Any, old: Any, new: Any) -> Feature:
    old, new = (converted(column, TEXT).cat for column in (old, new))
    texts_old, texts_new = old.categories, new.categories
    codes_old, codes_new = old.codes.to_numpy(), new.codes.to_numpy()
    places, texts = pd.factorize(np.array([*texts_old, *texts_new], dtype=object))
    old_places, new_places = places[: len(texts_old)], places[len(texts_old) :]
    counts_old, counts_new = (
        np.bincount(each[codes[codes >= 0]], minlength=len(texts))
        for each, codes in ((old_places, codes_old), (new_places, codes_new))
    )
    counts, n_old, n_new = counts_old + counts_new, len(codes_old), len(codes_new)
    n_frequent = int((counts * min(n_old, n_new) >= MIN_EXPECTED * (n_old + n_new)).sum())
    recoded = np.full(len(texts), float(OTHER))
    recoded[np.argsort(-counts, kind="stable")[:n_frequent]] = np.arange(1, n_frequent + 1)
    unknown = np.flatnonzero((counts_old == 0) & (counts_new > 0))
    unknown = unknown[np.argsort(-counts_new[unknown], kind="stable")]
    return Feature(
        name,
        "category",
        np.append(recoded[old_places], np.nan)[codes_old],
        np.append(recoded[new_places], np.nan)[codes_new],
        {texts[place]: counts_new[place] / n_new for place in unknown},
    )
