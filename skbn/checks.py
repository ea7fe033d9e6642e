"""Checks of data: rows, labels and weights, with errors that say what to do."""

from __future__ import annotations

from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.validation import check_array, validate_data

from skbn.network.mapped import Pages

BLOCK_BYTES = 2**18
"""Of rows that are checked at once: they stay in the cache from one look to the next."""


def check_rows(
    estimator: Any, X: Any, y: Any = "no_validation", *, name: str = "X", **options: Any
) -> Any:
    """Validate X, and y where it is given, as scikit-learn does.

    Parameters
    ----------
    estimator : estimator
        Whose ``n_features_in_`` and ``feature_names_in_`` are set or checked.
    X : array-like or sparse matrix of shape (n_samples, n_features)
    y : array-like of shape (n_samples,), optional
    name : str, default="X"
        What errors call X.
    **options
        For `sklearn.utils.validation.validate_data`.

    Returns
    -------
    X : ndarray or CSR matrix, C-contiguous, finite
    y : ndarray of shape (n_samples,)
        If given.

    Raises
    ------
    TypeError
        If X is a polars LazyFrame.
    ValueError
        If X is no table of finite real numbers with the right columns, or y does
        not go with it.
    """
    checked = validate_numbers(
        estimator,
        X,
        y,
        name=name,
        advice="Encode text columns first: make_column_transformer((OneHotEncoder(), "
        "text_columns), remainder=StandardScaler()) before the classifier",
        accept_sparse="csr",
        order="C",
        ensure_all_finite=False,
        **options,
    )
    rows = checked[0] if isinstance(checked, tuple) else checked
    _check_finite(rows, name, type(estimator).__name__)
    return checked


def validate_numbers(
    estimator: Any,
    X: Any,
    y: Any = "no_validation",
    *,
    name: str = "X",
    advice: str,
    **options: Any,
) -> Any:
    """Call `sklearn.utils.validation.validate_data`, and explain what it cannot take.

    Parameters
    ----------
    estimator, X, y, name, **options
        As for `check_rows`.
    advice : str
        What to do about text.

    Raises
    ------
    TypeError
        If X is a polars LazyFrame.
    ValueError
        If X is no table of numbers.
    """
    if type(X).__name__ == "LazyFrame":
        raise TypeError(
            f"{name} is a LazyFrame, a query that holds no rows yet; pass {name}.collect() instead"
        )
    # A float64 beyond float32 becomes infinite and is reported as such.
    try:
        with np.errstate(over="ignore"):
            return validate_data(estimator, X, y, **options)
    except ValueError as error:
        if "could not convert string to float" not in str(error):
            raise
        raise ValueError(f"{name} holds text ({error}). {advice}") from error


def _check_finite(X: Any, name: str, estimator: str) -> None:
    values, pages = X.data if issparse(X) else X, Pages(X)
    block_rows = max(1, BLOCK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), block_rows):
        block = values[start : start + block_rows]
        pages.note_read(block.nbytes)
        # A sum costs a fifth of looking at each element; it may overflow where none is at fault.
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduce(block, axis=None)
        if np.isfinite(total) or np.isfinite(block).all():
            continue
        if np.isnan(block).any():
            raise ValueError(
                f"Input {name} contains NaN, and {estimator} does not accept missing values. Put "
                "an imputer before it: make_pipeline(sklearn.impute.SimpleImputer(), "
                f"sklearn.preprocessing.StandardScaler(), {estimator}())"
            )
        raise ValueError(
            f"Input {name} contains infinity or a value too large for {X.dtype}. Remove such rows "
            "or clip the values first"
        )


def check_labels(y: Any, name: str = "y") -> Any:
    """Turn labels into an array whose dtype says what they are.

    Nullable integers become int64, nullable booleans bool, strings object, and a
    category the dtype of its categories.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    name : str, default="y"
        What errors call it.

    Returns
    -------
    y : array-like
        None is left to scikit-learn, which has an error for it.

    Raises
    ------
    ValueError
        If a label is missing.
    """
    if y is None or issparse(y):
        return y
    array = np.asarray(y)
    # In an array made of a list of strings a missing one is the string "nan".
    cells = np.asarray(y, dtype=object) if isinstance(y, list | tuple) else array
    if cells.dtype.kind in "OfM":
        n_missing = int(pd.isna(cells).sum())
        if n_missing:
            raise ValueError(
                f"Input {name} contains NaN: {n_missing} of {len(array)} labels are missing. Drop "
                "those rows: a classifier cannot learn from them"
            )
    if isinstance(y, pd.DataFrame) and len(y.columns) == 1:
        dtype = y.dtypes.iloc[0]
    else:
        dtype = getattr(y, "dtype", None)
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    if not isinstance(dtype, pd.api.extensions.ExtensionDtype):
        return array
    plain = getattr(dtype, "numpy_dtype", None)
    return array.astype(plain if isinstance(plain, np.dtype) else object)


def encode_labels(y: Any, classes: Any, name: str = "y") -> Any:
    """Position of each label in ``classes``, which are sorted.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    classes : ndarray of shape (n_classes,)
    name : str, default="y"
        What errors call y.

    Returns
    -------
    encoded : int ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If a label is not among the classes.
    """
    unknown = np.setdiff1d(y, classes)
    if unknown.size:
        raise ValueError(
            f"{name} contains labels that are not among the classes: {unknown[:10].tolist()}; "
            f"the classes are {classes[:20].tolist()}"
        )
    return np.searchsorted(classes, y)


def find_classes(y: Any) -> Any:
    """Sorted distinct labels.

    Parameters
    ----------
    y : array-like of shape (n_samples,)

    Returns
    -------
    classes : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If the labels cannot be sorted because they mix types, or are all the same.
    """
    try:
        classes = np.unique(y)
    except TypeError as error:
        types = sorted({type(label).__name__ for label in y})
        raise ValueError(
            f"y mixes labels of the types {', '.join(types)}; make them all of one type, "
            "for example y.astype(str)"
        ) from error
    if len(classes) < 2:
        raise ValueError(
            f"y holds one class only, {classes.tolist()[0]!r}; a classifier needs at least "
            "two classes"
        )
    return classes


def check_weights(sample_weight: Any, n_rows: int, name: str = "sample_weight") -> Any:
    """Validate sample weights, and scale them to a maximum of one.

    Parameters
    ----------
    sample_weight : array-like of shape (n_rows,), scalar or None
    n_rows : int
    name : str, default="sample_weight"
        What errors call it.

    Returns
    -------
    weights : float64 ndarray of shape (n_rows,)
        Ones for None; always an array of its own.

    Raises
    ------
    ValueError
        If a weight is negative, missing or infinite, or none is positive.
    """
    if sample_weight is None:
        return np.ones(n_rows)
    if isinstance(sample_weight, Real):
        sample_weight = np.full(n_rows, sample_weight)
    weights = check_array(sample_weight, ensure_2d=False, dtype=np.float64, input_name=name)
    if weights.ndim != 1:
        raise ValueError(f"{name} must be 1D, got an array of shape {weights.shape}")
    if len(weights) != n_rows:
        raise ValueError(f"{name} has {len(weights)} elements for {n_rows} rows")
    if (weights < 0).any():
        raise ValueError(
            f"{name} must not be negative, got {weights.min()}; use 0 to leave a row out"
        )
    if not weights.any():
        raise ValueError(f"{name} is zero for all rows; at least one must be positive")
    return weights / weights.max()


def times_class_weights(weights: Any, per_class: Any, labels: Any, name: str) -> Any:
    """Multiply each row's weight by that of its class.

    Parameters
    ----------
    weights : ndarray of shape (n_samples,)
    per_class : ndarray of shape (n_classes,)
        From `class_weights`.
    labels : int ndarray of shape (n_samples,)
    name : str
        What errors call the weights.

    Returns
    -------
    weights : ndarray of shape (n_samples,)

    Raises
    ------
    ValueError
        If no product is positive.
    """
    weights = weights * per_class[labels]
    if not weights.any():
        raise ValueError(f"{name} times class_weight is zero for all rows")
    return weights


def class_weights(class_weight: Any, classes: Any, labels: Any, weights: Any) -> Any:
    """Weight of each class, by which its rows' weights are multiplied.

    Parameters
    ----------
    class_weight : dict, "balanced" or None
        "balanced" gives every class the same total weight. Classes missing from
        a dict keep weight one. A dict with a weight for every class may have others, which
        a part of the rows lacks.
    classes : ndarray of shape (n_classes,)
    labels : int ndarray of shape (n_samples,)
        Positions in ``classes``.
    weights : ndarray of shape (n_samples,)

    Returns
    -------
    per_class : float64 ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If a key of the dict is no class while a class has no weight, or a value is negative
        or not finite.
    """
    if class_weight is None:
        return np.ones(len(classes))
    if class_weight == "balanced":
        totals = np.bincount(labels, weights, minlength=len(classes))
        present = totals > 0
        per_class = np.zeros(len(classes))
        per_class[present] = totals.sum() / (present.sum() * totals[present])
        return per_class
    known = classes.tolist()
    unknown = [key for key in class_weight if key not in known]
    without = [label for label in known if label not in class_weight]
    if unknown and without:
        raise ValueError(
            f"class_weight names {unknown[:10]}, which are not among the classes {known[:20]}, "
            f"and has no weight for {without[:10]}"
        )
    per_class = np.array([class_weight.get(label, 1.0) for label in known], dtype=np.float64)
    if not (np.isfinite(per_class).all() and (per_class >= 0).all()):
        raise ValueError(f"class_weight must hold finite values >= 0, got {class_weight}")
    return per_class
