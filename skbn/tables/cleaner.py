"""The first step of a Pipeline for tables: columns as numbers, dates and categories."""

from __future__ import annotations

import warnings
from collections import Counter
from typing import Any

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.utils.validation import check_is_fitted, validate_data

from skbn._compat import check_feature_names_in
from skbn.saved_state import Versioned
from skbn.tables.columns import as_pandas, converted, find_forms, unlike_training
from skbn.tables.messages import listing


class TableCleaner(  # type: ignore[call-arg]
    Versioned, TransformerMixin, BaseEstimator, auto_wrap_output_keys=()
):
    """Make numbers, dates and categories of the columns of a table, whatever its types are.

    What a column holds is found in training; new rows are then read in the same way,
    whether a program gives numbers or text. Columns are taken by name: in new rows they
    may stand in any order and among others.

    Parameters
    ----------
    forms : dict of str to dict, default=None
        Columns of which it is known what they hold: ``{"kind": "number", "decimal": ","}``,
        ``{"kind": "date", "day_first": True}``, ``{"kind": "text"}``, or
        ``{"kind": "none"}`` for a column to leave out. Of the others it is found.

    Attributes
    ----------
    forms_ : dict of str to dict
        What each column holds.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Their names, where X had any that are strings.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbn.tables.cleaner import TableCleaner
    >>> frame = pd.DataFrame(
    ...     {"price": ["1.234,50 €", "7,20 €", "?"], "day": ["31/12/2023", "01/02/2024", ""]}
    ... )
    >>> cleaner = TableCleaner()
    >>> cleaner.fit_transform(frame)
        price        day
    0  1234.5 2023-12-31
    1     7.2 2024-02-01
    2     NaN        NaT
    >>> cleaner.transform(pd.DataFrame({"day": ["2024-03-01"], "price": [3]}))
       price        day
    0    3.0 2024-03-01
    """

    def __init__(self, forms=None):
        self.forms = forms

    def fit(self, X: Any, y: Any = None) -> TableCleaner:
        """Find out what each column holds.

        Parameters
        ----------
        X : DataFrame of pandas or polars, or array-like of shape (n_samples, n_features)
        y : ignored

        Returns
        -------
        self : TableCleaner

        Raises
        ------
        ValueError
            If columns share a name, or none has a value.
        """
        frame = _table(X)
        validate_data(self, frame, skip_check_array=True)
        frame.columns = [str(name) for name in frame.columns]
        known = self.forms or {}
        found = find_forms(frame[[name for name in frame if name not in known]])
        forms = {name: known[name] if name in known else found[name].form for name in frame}
        if all(form["kind"] == "none" for form in forms.values()):
            names = listing(frame.columns) or "it has no columns"
            raise ValueError(
                f"X has no column to learn from: no cell of its {len(frame)} rows has a value "
                f"(columns: {names}); infinite numbers, and those beyond 1e30, count as missing"
            )
        self.forms_ = forms
        return self

    def transform(self, X: Any) -> pd.DataFrame:
        """Give numbers as floats, dates as moments, and texts as categories.

        Parameters
        ----------
        X : DataFrame of pandas or polars, or array-like of shape (n_samples, n_features)

        Returns
        -------
        frame : DataFrame of shape (n_samples, n_columns)
            Missing cells, words for them such as "n/a", infinite numbers and those beyond 1e30,
            and what is no number or date in a column of such are missing.

        Raises
        ------
        ValueError
            If columns are missing.

        Warns
        -----
        UserWarning
            If all cells of a column are written in another way than in training.
        """
        check_is_fitted(self)
        frame = _table(X)
        for name in frame.index.names:  # a column that Parquet files keep as the index
            if name in self.forms_ and name not in frame:
                frame[name] = frame.index.get_level_values(name)
        given = {str(name): name for name in frame.columns} if hasattr(X, "columns") else {}
        # A file of which the command strips the names keeps them as pandas reads it.
        given = {name.strip(): given[name] for name in given} | given
        known = [name for name in self.forms_ if name in given]
        is_named = hasattr(self, "feature_names_in_")
        if len(known) == len(self.forms_) or (known and is_named):
            frame = frame[[given[name] for name in known]]
            frame.columns = known if is_named else frame.columns
        validate_data(self, frame, skip_check_array=True, reset=False)
        columns = {}
        for place, (name, form) in enumerate(self.forms_.items()):
            if form["kind"] != "none":
                column = frame.iloc[:, place].rename(name)
                columns[name] = converted(column, form)
                if doubt := unlike_training(column, columns[name], form):
                    warnings.warn(f"Column {name!r} {doubt}", stacklevel=2)
        return pd.DataFrame(columns, index=frame.index)

    def set_output(self, *, transform: Any = None) -> TableCleaner:
        """Do nothing: the output is a DataFrame of pandas, which the next step takes.

        Parameters
        ----------
        transform : ignored

        Returns
        -------
        self : TableCleaner
        """
        return self

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Give the names of the columns that `transform` gives.

        Parameters
        ----------
        input_features : array-like of str, default=None
            ``feature_names_in_``, or anything where X had no names.

        Returns
        -------
        names : ndarray of str objects
        """
        check_is_fitted(self)
        check_feature_names_in(self, input_features)
        names = [name for name, form in self.forms_.items() if form["kind"] != "none"]
        return np.array(names, dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.string = True
        tags.input_tags.categorical = True
        tags.input_tags.allow_nan = True
        return tags


def _table(X: Any) -> pd.DataFrame:
    """Give a table whose columns have names that differ: all text, or none."""
    frame = as_pandas(X).copy(deep=False)
    if any(isinstance(name, str) for name in frame.columns):
        frame.columns = [str(name) for name in frame.columns]
    counts = Counter(map(str, frame.columns))
    doubled = [f"{name!r} ({count} times)" for name, count in counts.items() if count > 1]
    if doubled:
        raise ValueError(f"Names of columns must differ; X has {listing(doubled)}")
    return frame
