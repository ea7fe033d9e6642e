"""Numbers of a clean table's columns, by scikit-learn alone: what skrub does where it is installed.

All classes here are for the parts of the `ColumnTransformer` that `table_encoder` makes.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from pandas.api.types import is_datetime64_any_dtype, is_numeric_dtype
from scipy.sparse import csr_matrix
from sklearn.base import BaseEstimator, OneToOneFeatureMixin, TransformerMixin
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer
from sklearn.utils.extmath import randomized_svd
from sklearn.utils.validation import check_is_fitted, validate_data

from skbn._compat import check_feature_names_in

KINDS = ("numeric", "datetime", "low_cardinality", "high_cardinality")
"""Parts of the encoder, with the names that they have in skrub's TableVectorizer."""
CARDINALITY_THRESHOLD = 40
"""Values from which on a column of text is of high cardinality, as in skrub."""
EPOCH = np.datetime64(0, "us")
N_HASHES = 2**14
"""Columns of counts of a column's parts of words: those of English differ, and a saved model has
2 MB for each column of text."""


def table_encoder(low_cardinality: Any) -> ColumnTransformer:
    """Make what encodes a clean table.

    Parameters
    ----------
    low_cardinality : transformer
        Of categories of few values.
    """
    encoders = (FloatEncoder(), DatetimeEncoder(), low_cardinality, TextEncoder())
    return ColumnTransformer(
        [
            (kind, encoder, ColumnsOfKind(kind))
            for kind, encoder in zip(KINDS, encoders, strict=True)
        ],
        # Names of one-hot codes may meet those of other columns, which False would refuse.
        verbose_feature_names_out="{feature_name}",
    )


class ColumnsOfKind:
    """Names of the columns of a kind in a clean table, those without any value left out.

    Parameters
    ----------
    kind : str
        One of `KINDS`.
    """

    def __init__(self, kind: str) -> None:
        self.kind = kind

    def __repr__(self) -> str:
        return f"ColumnsOfKind({self.kind!r})"

    def __call__(self, X: pd.DataFrame) -> list[Any]:
        """Give the names."""
        return [n for n, column in X.items() if column.notna().any() and _kind(column) == self.kind]


def _kind(column: pd.Series) -> str:
    if is_numeric_dtype(column):
        return "numeric"
    if is_datetime64_any_dtype(column):
        return "datetime"
    is_low = column.nunique() < CARDINALITY_THRESHOLD
    return "low_cardinality" if is_low else "high_cardinality"


class FloatEncoder(OneToOneFeatureMixin, TransformerMixin, BaseEstimator):
    """Numbers in float32, in which the whole table is."""

    def fit(self, X: pd.DataFrame, y: Any = None) -> FloatEncoder:
        """Learn the names of the columns."""
        validate_data(self, X, skip_check_array=True)
        return self

    def transform(self, X: pd.DataFrame) -> Any:
        """Make an array of float32."""
        return X.to_numpy(np.float32)


class DatetimeEncoder(TransformerMixin, BaseEstimator):
    """Parts of dates: the year, month, day and weekday, the hour, and the seconds since 1970.

    Attributes
    ----------
    parts_ : list of list of str
        Names of the parts of each column. Columns without times of day have no hours.
    """

    def fit(self, X: pd.DataFrame, y: Any = None) -> DatetimeEncoder:
        """Find out which columns hold times of day."""
        validate_data(self, X, skip_check_array=True)
        self.parts_ = [_parts_of(column) for _, column in X.items()]
        return self

    def transform(self, X: pd.DataFrame) -> Any:
        """Make an array of the parts, NaN where a date is missing."""
        columns = zip(X.items(), self.parts_, strict=True)
        parts = [_date_part(column, part) for (_, column), names in columns for part in names]
        return np.column_stack(parts).astype(np.float32)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Give the names of the parts, with those of their columns before them."""
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        pairs = zip(names, self.parts_, strict=True)
        return np.array([f"{n}_{part}" for n, parts in pairs for part in parts], dtype=object)


def _parts_of(column: pd.Series) -> list[str]:
    hours = [] if (_seconds(column.dropna()) % 86_400 == 0).all() else ["hour"]
    return ["year", "month", "day", *hours, "total_seconds", "weekday"]


def _seconds(column: pd.Series) -> Any:
    """Seconds since 1970, of any year: nanoseconds would end in 2262."""
    return (column.to_numpy().astype("datetime64[us]") - EPOCH) / np.timedelta64(1, "s")


def _date_part(column: pd.Series, part: str) -> Any:
    if part == "total_seconds":
        return _seconds(column)
    if part == "weekday":
        return column.dt.day_of_week + 1
    return getattr(column.dt, part)


class TextEncoder(TransformerMixin, BaseEstimator):
    """Components of the parts of words of each column: latent semantic analysis.

    Parts of three and four letters are hashed and weighted by how rare they are; of the counts
    the truncated singular value decomposition is taken. All components of a column are divided
    by the square root of the sum of their variances.

    Parameters
    ----------
    n_components : int, default=30
        Most components of a column. One whose texts differ in fewer ways has fewer.
    random_state : int, default=0
        Of the decomposition.

    Attributes
    ----------
    weights_ : list of TfidfTransformer
        One for each column.
    components_ : list of ndarray of shape (n_components, n_hashes)
        The same.
    """

    def __init__(self, n_components: int = 30, random_state: int = 0) -> None:
        self.n_components = n_components
        self.random_state = random_state

    def fit(self, X: pd.DataFrame, y: Any = None) -> TextEncoder:
        """Learn the components of each column."""
        validate_data(self, X, skip_check_array=True)
        self.weights_, self.components_ = [], []
        for name in X:
            counts, rows = _counted(X[name])
            weights = TfidfTransformer().fit(counts[rows])
            self.weights_.append(weights)
            self.components_.append(self._components_of(weights.transform(counts), rows))
        return self

    def _components_of(self, counts: csr_matrix, rows: Any) -> Any:
        occurring = np.union1d([0], counts.indices)
        _, strengths, directions = randomized_svd(
            counts[rows][:, occurring],
            n_components=self.n_components,
            random_state=self.random_state,
        )
        # What is left of rounding would be scaled to be as large as the rest.
        directions = directions[strengths > 1e-5 * strengths[0]]
        components = np.zeros((len(directions), N_HASHES), dtype=np.float32)
        components[:, occurring] = directions
        variance = (counts @ components.T)[rows].var(axis=0).sum()
        return components / float(np.sqrt(variance or 1))

    def transform(self, X: pd.DataFrame) -> Any:
        """Make an array of the components; a missing cell has zeros."""
        encoded = []
        columns = zip(X.items(), self.weights_, self.components_, strict=True)
        for (_, column), weights, components in columns:
            counts, rows = _counted(column)
            encoded.append((weights.transform(counts) @ components.T)[rows])
        return np.concatenate(encoded, axis=1)

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Give the names of the columns with the numbers of their components."""
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        pairs = zip(names, map(len, self.components_), strict=True)
        return np.array(
            [f"{n}_{str(k).zfill(len(str(size - 1)))}" for n, size in pairs for k in range(size)],
            dtype=object,
        )


def _counted(column: pd.Series) -> tuple[csr_matrix, Any]:
    """Counts of parts of words in each of a column's texts, and the places of its rows in them.

    The last text is that of missing cells, which have none of these parts.
    """
    rows, texts = column.factorize()
    hashing = HashingVectorizer(
        analyzer="char_wb",
        ngram_range=(3, 4),
        n_features=N_HASHES,
        alternate_sign=False,
        norm=None,
        dtype=np.float32,
    )
    return hashing.transform([*texts, ""]), rows
