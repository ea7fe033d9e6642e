"""Preparation of numeric columns for a network."""

from __future__ import annotations

from dataclasses import dataclass
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
from scipy.stats import chi2_contingency
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor
from sklearn.utils.multiclass import type_of_target
from sklearn.utils.validation import check_is_fitted

from skbn._compat import (
    Interval,
    StrOptions,
    check_feature_names_in,
    validate_parameters,
)
from skbn.checks import validate_numbers

FLOATS = [np.float64, np.float32]
MIN_ROWS_PER_LEAF = 8
"""Fewest rows that a tree parts from the others."""
ROWS_PER_BIN = 400
MAX_BINS = 16
MAX_CODES = 1000
"""Limits of the number of bins by default; the developer guide has the measurements."""


class PiecewiseLinearEncoder(TransformerMixin, BaseEstimator):
    """Encode each numeric column by how far its value has come through each of its bins.

    A column whose bins have the edges b_0 < b_1 < ... becomes as many columns as it has
    bins [1]_. The t-th is

    ``(x - b_(t-1)) / (b_t - b_(t-1))``, but 0 below the bin and 1 above it.

    A network that takes them is, in each column, a line that may bend at every edge from
    the first layer on. Values beyond those seen in training count as the nearest seen.

    Missing and infinite values are refused: put an imputer before it.

    Parameters
    ----------
    n_bins : int or "auto", default="auto"
        Most bins of a column. "auto" is one for every 400 rows, at most 16, and at most
        1,000 in all columns of more than two values together, but at least one: on few
        rows more of them fit the noise, and in wide tables they cost time. Edges that
        fall together are one, so that a column with many equal values has fewer. With
        quantiles, a column of at most ``n_bins + 1`` different values has all of them
        as edges; a constant column becomes one column of zeros.

    strategy : {"quantile", "tree"}, default="quantile"
        Where bins end. "quantile" puts the same number of rows into each; "tree"
        splits the column as a decision tree does that predicts y from it alone, so
        that a column that tells nothing of y may have a single bin.

    include_original : bool, default=False
        Whether to put the columns themselves, standardised, before the codes, which are
        then divided by the square root of their number in the column. Columns of two
        values stay out, and have a single code of 0 and 1; others have no codes if they
        have a single bin.

    Attributes
    ----------
    bin_edges_ : list of ndarray of shape (n_bins + 1,)
        Edges of each column's bins, in increasing order; a single one for a constant
        column.
    n_bins_ : ndarray of shape (n_features,)
        Number of bins of each column; 0 for a constant one.
    n_features_in_ : int
        Number of columns.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had any that are strings.

    See Also
    --------
    sklearn.preprocessing.KBinsDiscretizer : Says which bin, not where in it.
    sklearn.preprocessing.SplineTransformer : Smooth pieces.

    References
    ----------
    .. [1] Y. Gorishniy, I. Rubachev, A. Babenko. On embeddings for numerical features
       in tabular deep learning. 2022. arXiv:2203.05556.

    Examples
    --------
    >>> from skbn.preprocessing import PiecewiseLinearEncoder
    >>> encoder = PiecewiseLinearEncoder(n_bins=2).set_output(transform="pandas")
    >>> ages = [[10.0], [20.0], [30.0], [40.0], [90.0]]
    >>> encoder.fit(ages).bin_edges_
    [array([10., 30., 90.])]
    >>> encoder.transform([[15.0], [30.0], [60.0], [99.0]])
       x0_bin0  x0_bin1
    0     0.25      0.0
    1     1.00      0.0
    2     1.00      0.5
    3     1.00      1.0
    """

    _parameter_constraints: dict[str, list[Any]] = {
        "n_bins": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "strategy": [StrOptions({"quantile", "tree"})],
        "include_original": ["boolean"],
    }

    def __init__(self, n_bins="auto", *, strategy="quantile", include_original=False):
        self.n_bins = n_bins
        self.strategy = strategy
        self.include_original = include_original

    def fit(self, X: Any, y: Any = None) -> PiecewiseLinearEncoder:
        """Learn the edges of each column's bins.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)
            Finite numbers.
        y : array-like of shape (n_samples,), default=None
            Labels or numbers to predict, for ``strategy="tree"``.

        Returns
        -------
        self : PiecewiseLinearEncoder
        """
        validate_parameters(self)
        if self.strategy == "tree":
            X, y = self._check(X, _required(y))
        else:
            X, y = self._check(X), None
        has_more_than_two = ((X.min(axis=0) != X) & (X.max(axis=0) != X)).any(axis=0)
        n_bins: Any = self.n_bins
        if n_bins == "auto":
            n_bins = _bins_that_pay(len(X), int(has_more_than_two.sum()))
        self.bin_edges_ = [_edges(column, y, n_bins) for column in X.T]
        self.n_bins_ = np.array([len(edges) - 1 for edges in self.bin_edges_])
        self._is_included = has_more_than_two & self.include_original
        self._mean, self._std = _moments(X)
        self._counts = [_counts(x, edges) for x, edges in zip(X.T, self.bin_edges_, strict=True)]
        return self

    def transform(self, X: Any) -> Any:
        """Encode.

        Parameters
        ----------
        X : array-like of shape (n_samples, n_features)

        Returns
        -------
        codes : ndarray of shape (n_samples, n_codes)
            The codes of the first column come first; before all of them the columns
            themselves, if they are to be included.
        """
        check_is_fitted(self)
        X = self._check(X, reset=False)
        pieces = pieces_of(self, X.dtype)
        codes = np.take(X, pieces.columns, axis=1)
        codes -= pieces.left
        with np.errstate(over="ignore"):  # far beyond a narrow bin
            codes /= pieces.width
        codes.clip(0, 1, out=codes)
        if not self.include_original:
            return codes
        codes /= pieces.divisor
        return np.hstack([(X[:, pieces.included] - pieces.mean) / pieces.std, codes])

    def _pieces(self, dtype: Any) -> Pieces:
        n_codes, (mean, std) = self._n_codes(), self._known_moments()
        coded = [edges for edges, n in zip(self.bin_edges_, n_codes, strict=True) if n]
        # A constant column has one edge, and a bin without end that holds nothing.
        edges = [each if len(each) > 1 else np.append(each, np.inf) for each in coded]
        width = np.concatenate([[], *map(np.diff, edges)]).astype(dtype)
        return Pieces(
            columns=np.repeat(np.arange(self.n_features_in_), n_codes),
            left=np.concatenate([[], *(each[:-1] for each in edges)]).astype(dtype),
            # A bin of float64 may have no width in float32.
            width=np.maximum(width, np.finfo(dtype).smallest_subnormal),
            # A column's codes rise together; so they weigh no more than the column itself.
            divisor=np.repeat(np.sqrt(n_codes), n_codes).astype(dtype),
            included=np.flatnonzero(self._is_included),
            mean=mean[self._is_included].astype(dtype),
            std=std[self._is_included].astype(dtype),
        )

    def _column_moments(self, X: Any) -> ColumnMoments:
        X = self._check(X, reset=False)
        columns = zip(X.T, self.bin_edges_, strict=True)
        is_on_edges = [np.isin(x, edges.astype(x.dtype)).all() for x, edges in columns]
        mean, std = self._known_moments()
        counts = getattr(self, "_counts", [None] * len(mean))  # an earlier version kept none
        found = [_counts(x, edges) for x, edges in zip(X.T, self.bin_edges_, strict=True)]
        p_values = [_p_value(*pair) for pair in zip(counts, found, strict=True)]
        return ColumnMoments(mean, std, np.array(is_on_edges), np.array(p_values))

    def _follow(self, mean: Any, std: Any) -> None:
        old_mean, old_std = self._known_moments()
        moved = np.isfinite(old_mean) & ((mean != old_mean) | (std != old_std))
        edges_of_columns = list(self.bin_edges_)
        for k in np.flatnonzero(moved):
            edges = edges_of_columns[k]
            followed = mean[k] + (edges - old_mean[k]) * (std[k] / old_std[k])
            edges_of_columns[k] = _increasing(followed, edges.dtype)
        self.bin_edges_, self._mean, self._std = edges_of_columns, mean, std

    def _known_moments(self) -> Any:
        """Means and deviations of the columns: NaN where they are not known."""
        if len(self._mean) == self.n_features_in_:
            return self._mean, self._std
        # An earlier version kept those of included columns only.
        moments = np.full((2, self.n_features_in_), np.nan)
        moments[:, self._is_included] = self._mean, self._std
        return moments

    def _check(self, X: Any, y: Any = "no_validation", **options: Any) -> Any:
        advice = (
            "Give PiecewiseLinearEncoder the numeric columns only, with make_column_transformer("
            "(PiecewiseLinearEncoder(), numeric_columns)), or use skbn.tabular_pipeline, which "
            "takes any table"
        )
        return validate_numbers(self, X, y, advice=advice, dtype=FLOATS, **options)

    def _n_codes(self) -> Any:
        """How many columns of codes each column has: none where they would say nothing new."""
        n_codes = np.maximum(self.n_bins_, 1)
        n_codes[self._is_included & (n_codes == 1)] = 0
        return n_codes

    def get_feature_names_out(self, input_features: Any = None) -> Any:
        """Names of the columns that `transform` makes.

        Parameters
        ----------
        input_features : array-like of str, default=None
            Names of the columns, where `fit` saw none.

        Returns
        -------
        names : ndarray of str objects
            ``age_bin0``, ``age_bin1`` and so on for a column ``age``, and ``age`` for
            itself, if it is included.
        """
        check_is_fitted(self)
        names = check_feature_names_in(self, input_features)
        codes = [
            f"{name}_bin{t}"
            for name, n in zip(names, self._n_codes(), strict=True)
            for t in range(n)
        ]
        return np.array([*names[self._is_included], *codes], dtype=object)

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.transformer_tags.preserves_dtype = ["float64", "float32"]
        tags.target_tags.required = self.strategy == "tree"
        return tags


@dataclass(frozen=True)
class Pieces:
    """What a fitted `PiecewiseLinearEncoder` computes, as arrays.

    The codes are ``clip((x[columns] - left) / width, 0, 1)``. Where the original columns are
    included they are divided by ``divisor``, and come after ``(x[included] - mean) / std``.
    """

    columns: Any
    left: Any
    width: Any
    divisor: Any
    included: Any
    mean: Any
    std: Any


def pieces_of(encoder: PiecewiseLinearEncoder, dtype: Any) -> Pieces:
    """Give the arrays of a fitted encoder, in the dtype of the rows."""
    check_is_fitted(encoder)
    return encoder._pieces(dtype)


class ColumnMoments(NamedTuple):
    """Of the columns of an encoder, each array of shape (n_features,)."""

    mean: Any  # in training; NaN where the encoder was saved by a version that kept none
    std: Any
    is_on_edges: Any  # whether all values of other rows are among the edges
    p_values: Any  # that as many fall into each bin as in training


def column_moments(encoder: PiecewiseLinearEncoder, X: Any) -> ColumnMoments:
    """Give the moments of a fitted encoder's columns, and which stay on the edges in some rows."""
    check_is_fitted(encoder)
    return encoder._column_moments(X)


def follow_moments(encoder: PiecewiseLinearEncoder, mean: Any, std: Any) -> None:
    """Move the edges of a fitted encoder, in place, as columns move to other moments.

    An edge b becomes ``mean + (b - old mean) * std / old std``, so that values that move likewise
    keep their codes. The number of bins stays.

    Parameters
    ----------
    encoder : PiecewiseLinearEncoder
    mean, std : ndarray of shape (n_features,)
        Where both are as they were, the edges stay.
    """
    encoder._follow(mean, std)


def _moments(X: Any) -> tuple[Any, Any]:
    """Means and standard deviations of columns in float64; not finite of too large values."""
    with np.errstate(over="ignore", invalid="ignore"):
        return X.mean(axis=0, dtype=np.float64), X.std(axis=0, dtype=np.float64)


def _counts(values: Any, edges: Any) -> Any:
    """How many values are in each bin; those beyond are in the nearest."""
    places = np.searchsorted(edges[1:-1], values, side="right")
    return np.bincount(places, minlength=max(len(edges) - 1, 1))


def _p_value(old: Any, new: Any) -> float:
    """P-value of the chi-squared test that two rows of counts are of one kind."""
    if old is None:
        return 0.0
    table = np.array([old, new])[:, old + new > 0]
    return 1.0 if table.shape[1] < 2 else float(chi2_contingency(table, correction=False).pvalue)


def _increasing(edges: Any, dtype: Any) -> Any:
    """Edges in a dtype, apart from each other though it cannot hold them so close."""
    edges = edges.astype(dtype)
    for k in range(1, len(edges)):
        edges[k] = max(edges[k], np.nextafter(edges[k - 1], np.inf, dtype=dtype))
    return edges


def _bins_that_pay(n_rows: int, n_columns: int) -> int:
    return max(min(MAX_BINS, n_rows // ROWS_PER_BIN, MAX_CODES // max(n_columns, 1)), 1)


def _required(y: Any) -> Any:
    if y is None:
        raise ValueError(
            'strategy="tree" requires y to be passed, but the target y is None; pass the labels, '
            'or take strategy="quantile"'
        )
    return y


def _edges(column: Any, y: Any, n_bins: int) -> Any:
    """Where the bins of a column end; by a tree if there is a y."""
    values = np.unique(column)
    if len(values) <= (n_bins + 1 if y is None else 2):
        return values
    if y is not None:
        splits = _splits_of_a_tree(column, y, n_bins)
    else:
        splits = np.quantile(column, np.linspace(0, 1, n_bins + 1)[1:-1])
    # Of what the column's dtype does not tell apart, one is left.
    splits = np.clip(splits, values[0], values[-1]).astype(column.dtype)
    return np.unique(np.concatenate([values[:1], splits, values[-1:]]))


def _splits_of_a_tree(column: Any, y: Any, n_bins: int) -> Any:
    if n_bins == 1:  # a tree has two leaves at least
        return np.empty(0)
    tree = DecisionTreeRegressor if type_of_target(y).startswith("cont") else DecisionTreeClassifier
    tree = tree(max_leaf_nodes=n_bins, min_samples_leaf=MIN_ROWS_PER_LEAF, random_state=0)
    nodes = tree.fit(column[:, np.newaxis], y).tree_
    return nodes.threshold[nodes.feature >= 0]
