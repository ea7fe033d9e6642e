"""Data in one form each: the same values in another container or memory order are the same."""

from __future__ import annotations

import warnings
from typing import Any

import numpy as np
import pandas as pd
from scipy import sparse

ONE_DIMENSIONAL = (pd.Series, pd.Index, pd.api.extensions.ExtensionArray)


def as_seen(data: Any, with_names: bool = False) -> Any:
    """Rows, labels or weights in the form in which estimators see them.

    Parameters
    ----------
    data : array-like, sparse matrix or DataFrame
        Other objects are given back.
    with_names : bool, default=False
        Whether the names and dtypes of columns count, as they do for X. An index never does.

    Returns
    -------
    form : object
        Arrays, lists, tuples and plain values: equal for equal data.
    """
    if not isinstance(data, (pd.DataFrame, *ONE_DIMENSIONAL)) and hasattr(data, "to_pandas"):
        data = data.to_pandas()  # of polars or arrow
    if sparse.issparse(data):
        return _of_sparse(data)
    if isinstance(data, pd.DataFrame):
        return columns_of(data) if with_names else _of_array(data.to_numpy())
    if isinstance(data, ONE_DIMENSIONAL):
        return _of_array(_values(data))
    if isinstance(data, (list, tuple)):
        return _of_list(data)
    if hasattr(data, "__array__") and not isinstance(data, (np.generic, type)):
        return _of_array(np.ma.asanyarray(data) if np.ma.isMaskedArray(data) else np.asarray(data))
    return data


def as_given(data: Any) -> Any:
    """An array, a sparse matrix or an object of pandas in plain values, with its index."""
    if isinstance(data, pd.DataFrame):
        return "DataFrame", columns_of(data), as_seen(data.index)
    if isinstance(data, pd.Series):
        return "Series", data.name, _column(data), as_seen(data.index)
    if isinstance(data, pd.Index):
        return "Index", list(data.names), _column(data)
    if isinstance(data, pd.api.extensions.ExtensionArray):
        return "ExtensionArray", _column(data)
    return as_seen(data)


def columns_of(frame: pd.DataFrame) -> list[tuple[Any, Any]]:
    """Each column of a frame: its name, and its values with their dtype."""
    columns = (frame.iloc[:, i] for i in range(frame.shape[1]))
    return [(name, _column(each)) for name, each in zip(frame.columns, columns, strict=True)]


def _column(values: Any) -> Any:
    """Values with their dtype."""
    if isinstance(values.dtype, pd.CategoricalDtype):
        codes = pd.Categorical(values).codes.astype(np.int64)
        dtype = values.dtype
        return "category", _column(dtype.categories), dtype.ordered, codes
    return str(values.dtype), _of_array(_values(values))


def _values(values: Any) -> np.ndarray:
    """Values as an array, of numbers where they can be."""
    dtype = values.dtype
    if isinstance(dtype, pd.DatetimeTZDtype):
        return np.asarray(values, dtype="datetime64[ns]")
    numbers = getattr(dtype, "numpy_dtype", None)  # of Int64 and the like
    if numbers is not None and numbers.kind in "biuf" and not pd.isna(values).any():
        return np.asarray(values, dtype=numbers)
    return np.asarray(values)


def _of_array(array: np.ndarray) -> Any:
    if isinstance(array, np.ma.MaskedArray):
        mask = np.ma.getmaskarray(array)
        return "masked", mask, _of_array(np.where(mask, np.zeros((), array.dtype), array.data))
    if array.dtype.names:
        return "fields", [(name, _of_array(array[name])) for name in array.dtype.names]
    if array.dtype.kind in "OUST":  # text is the same whatever its dtype
        return "items", array.shape, array.ravel().tolist()
    return np.asarray(array)


def _of_list(items: Any) -> Any:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            array = np.asarray(items)
        if array.dtype.kind in "biufcmM":
            return array
        return _of_array(np.array(items, dtype=object))
    except Exception:  # lists of other things
        return list(items)


def _of_sparse(matrix: Any) -> Any:
    rows = matrix.tocsr()
    # Another matrix with the same arrays: the user's own is not to be changed, flags included.
    own = sparse.csr_array((rows.data, rows.indices, rows.indptr), shape=rows.shape)
    if not (own.has_canonical_format and own.data.all()):
        own = own.copy()
        own.sum_duplicates()
        own.eliminate_zeros()
    return "sparse", own.shape, own.data, own.indices.astype(np.int64), own.indptr.astype(np.int64)
