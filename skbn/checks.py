"""Checks of data: rows, labels and weights, with errors that say what to do."""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from math import isfinite
from numbers import Integral, Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.utils.multiclass import unique_labels
from sklearn.utils.validation import check_array, validate_data

from skbn.cells import REMEDIES, begins_with_fault, find_fault
from skbn.network.mapped import Pages

BLOCK_BYTES = 2**18
"""Of rows that are checked at once: they stay in the cache from one look to the next."""
ADVICE = "A weight must be a finite number of at least 0, one for each row; 0 leaves a row out"
"""About weights that are none."""


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
    if isinstance(y, str) and _is_as_in_training(estimator, X, **options):
        _check_finite(X, name, estimator)
        return X
    checked = validate_numbers(
        estimator,
        X,
        y,
        name=name,
        accept_sparse="csr",
        order="C",
        ensure_all_finite=False,
        **options,
    )
    rows, *labels = checked if isinstance(checked, tuple) else (checked,)
    if rows.dtype.kind == "b":
        # A DataFrame of sparse booleans, which scikit-learn leaves as they are.
        dtype = options["dtype"]
        rows = rows.astype(dtype[0] if isinstance(dtype, list) else dtype)
    _check_finite(rows, name, estimator)
    return (rows, *labels) if labels else rows


def _is_as_in_training(estimator: Any, X: Any, *, dtype: Any, reset: bool) -> bool:
    """Whether X is an array that scikit-learn would give back as it is, after 100 us of looks."""
    return (
        not reset
        and type(X) is np.ndarray
        and X.dtype in (dtype if isinstance(dtype, list) else [dtype])
        and X.ndim == 2
        and len(X) > 0
        and X.shape[1] == estimator.n_features_in_
        and X.flags.c_contiguous
        and not hasattr(estimator, "feature_names_in_")
    )


def validate_numbers(
    estimator: Any,
    X: Any,
    y: Any = "no_validation",
    *,
    name: str = "X",
    advice: str = "",
    **options: Any,
) -> Any:
    """Call `sklearn.utils.validation.validate_data`, and explain what it cannot take.

    Parameters
    ----------
    estimator, X, y, name, **options
        As for `check_rows`.
    advice : str, optional
        What to do about text.

    Raises
    ------
    TypeError
        If X is a polars LazyFrame, or cells are of a type that nothing is known about.
    ValueError
        If X is no table of numbers.
    """
    if type(X).__name__ == "LazyFrame":
        raise TypeError(
            f"{name} is a LazyFrame, a query that holds no rows yet; pass {name}.collect() instead"
        )
    remedies = REMEDIES | {"text": advice} if advice else REMEDIES
    return _converted(validate_data, X, name, remedies, estimator, y=y, **options)


def _converted(
    convert: Any, data: Any, name: str, remedies: Mapping[str, str], *before: Any, **options: Any
) -> Any:
    """Let scikit-learn make numbers of data, and explain what it cannot take."""
    data = _unmasked(data)
    try:
        if begins_with_fault(data):
            raise ValueError("dates, durations, records and complex numbers are no numbers")
        # A float64 beyond float32 becomes infinite and is reported as such.
        with np.errstate(over="ignore"):
            return convert(*before, data, **options)
    except (ValueError, TypeError, OverflowError) as error:
        fault = find_fault(data)
        if fault is None:
            raise
        # scikit-learn's checks of estimators want its TypeError for a cell that is a dict.
        is_foreign = isinstance(error, TypeError) and fault.kind not in remedies
        kind = TypeError if is_foreign else ValueError
        remedy = remedies.get(fault.kind, "Turn them into numbers first")
        raise kind(f"{name} holds {fault}. {remedy}") from error


def _unmasked(data: Any) -> Any:
    """Give masked cells as missing ones, where scikit-learn reads what the mask hides."""
    if not (isinstance(data, np.ma.MaskedArray) and np.ma.is_masked(data)):
        return data
    cells = np.ma.getdata(data).astype(object)
    cells[np.ma.getmaskarray(data)] = None
    return cells


def _check_finite(X: Any, name: str, estimator: Any) -> None:
    values, pages = X.data if issparse(X) else X, Pages(X)
    block_rows = max(1, BLOCK_BYTES // max(1, values[:1].nbytes))
    for start in range(0, len(values), block_rows):
        block = values[start : start + block_rows]
        pages.note_read(block.nbytes)
        # A sum costs a fifth of looking at each element; it may overflow where none is at fault.
        with np.errstate(over="ignore", invalid="ignore"):
            total = np.add.reduce(block, axis=None)
        if isfinite(total) or np.isfinite(block).all():
            continue
        kind = type(estimator).__name__
        is_nan = np.isnan(block)
        if is_nan.any():
            raise ValueError(
                f"Input {name} contains NaN, and {kind} does not accept missing values (the first "
                f"in {_place(X, start, is_nan, estimator)}). Put an imputer before it: "
                "make_pipeline(sklearn.impute.SimpleImputer(), "
                f"sklearn.preprocessing.StandardScaler(), {kind}())"
            )
        raise ValueError(
            f"Input {name} contains infinity or a value too large for {X.dtype} (in "
            f"{_place(X, start, np.isinf(block), estimator)}). Remove such rows or clip the values "
            "first"
        )


def _place(X: Any, start: int, is_at_fault: Any, estimator: Any) -> str:
    """Name the first cell at fault of a block of rows, or of the values of a sparse matrix."""
    first = np.argwhere(is_at_fault)[0]
    first[0] += start
    if issparse(X):
        (k,) = first
        first = np.searchsorted(X.indptr, k, side="right") - 1, X.indices[k]
    row, column = first
    names = getattr(estimator, "feature_names_in_", None)
    return f"column {column if names is None else repr(names[column])}, row {row}"


def check_labels(y: Any, name: str = "y") -> Any:
    """Turn labels into an array whose dtype says what they are.

    Nullable integers become int64, nullable booleans bool, strings object, sparse
    numbers dense ones, and a category the dtype of its categories.

    Parameters
    ----------
    y : array-like of shape (n_samples,)
    name : str, default="y"
        What errors call it.

    Returns
    -------
    y : array-like
        None, a sparse matrix and a `numpy.matrix` are left to scikit-learn, which has
        errors for them.

    Raises
    ------
    ValueError
        If a label is missing.
    """
    if y is None or issparse(y) or isinstance(y, np.matrix):
        return y
    array = cells = np.asarray(_unmasked(y))
    if isinstance(y, list | tuple):
        # In an array made of a list of strings a missing one is the string "nan".
        cells = np.asarray(y, dtype=object)
        array = _exact(array, cells)
    for each in (cells, array):
        _check_no_gaps(each, name)
    if array.dtype.kind == "c":
        raise ValueError(f"Complex data not supported: {name} holds complex numbers")
    if array.dtype.kind == "V":
        raise _wrong_type(array, name)
    dtype = object if array.dtype.kind == "T" else _dtype_of_numbers(y)
    return array if dtype is None else array.astype(dtype)


def _exact(array: Any, cells: Any) -> Any:
    """Give whole numbers beyond int64, of which NumPy makes floats, as uint64 or as objects."""
    if array.dtype.kind != "f" or not all(isinstance(cell, Integral) for cell in cells.flat):
        return array
    return cells.astype(np.uint64) if min(cells.flat, default=0) >= 0 else cells


def _check_no_gaps(labels: Any, name: str) -> None:
    if labels.dtype.kind not in "OfMmT":
        return
    cells = np.atleast_1d(labels.astype(object) if labels.dtype.kind == "T" else labels)
    is_missing = pd.isna(cells)
    if is_missing.any():
        raise ValueError(
            f"Input {name} contains NaN: {is_missing.sum()} of {is_missing.size} labels are "
            f"missing (the first in row {np.argwhere(is_missing)[0][0]}). Drop those rows: a "
            "classifier cannot learn from them"
        )
    if labels.dtype.kind == "f" and not np.isfinite(cells).all():
        row = np.argwhere(np.isinf(cells))[0][0]
        raise ValueError(f"Input {name} contains infinity in row {row}, which is no label")


def _dtype_of_numbers(y: Any) -> Any:
    """Give the dtype of labels that are numbers in a container of pandas; None for others."""
    if isinstance(y, pd.DataFrame) and len(y.columns) == 1:
        dtype = y.dtypes.iloc[0]
    else:
        dtype = getattr(y, "dtype", None)
    if isinstance(dtype, pd.CategoricalDtype):
        dtype = dtype.categories.dtype
    dtype = getattr(dtype, "subtype" if isinstance(dtype, pd.SparseDtype) else "numpy_dtype", None)
    return dtype if isinstance(dtype, np.dtype) and dtype.kind in "biuf" else None


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
    encoded = positions_among(classes, y)
    if (encoded < 0).any():
        unknown = {str(label): label for label in y[encoded < 0].tolist()}
        raise ValueError(
            f"{name} contains labels that are not among the classes: "
            f"{list(unknown.values())[:10]}; the classes are {classes[:20].tolist()}"
        )
    return encoded


def positions_among(classes: Any, labels: Any) -> Any:
    """Position of each label in ``classes``, -1 where it is none of them.

    Parameters
    ----------
    classes : ndarray of shape (n_classes,)
        Sorted.
    labels : ndarray of shape (n_samples,)

    Returns
    -------
    positions : int ndarray of shape (n_samples,)
    """
    if classes.dtype.kind == labels.dtype.kind != "O":
        where = np.minimum(np.searchsorted(classes, labels), len(classes) - 1)
        return np.where(classes[where] == labels, where, -1)
    # NumPy would compare text with numbers as text, and large integers as floats.
    position = {label: k for k, label in enumerate(classes.tolist())}
    of_labels = [
        position.get(label, -1) if isinstance(label, Hashable) else -1 for label in labels.tolist()
    ]
    return np.array(of_labels, dtype=np.intp)


def find_classes(y: Any, name: str = "y") -> Any:
    """Sorted distinct labels.

    Parameters
    ----------
    y : ndarray of shape (n_samples,)
    name : str, default="y"
        What errors call it.

    Returns
    -------
    classes : ndarray of shape (n_classes,)

    Raises
    ------
    TypeError
        If labels are bytes in an array of objects.
    ValueError
        If labels are of a type that scikit-learn's classifiers do not take, or of several
        types, or are all the same.
    """
    try:
        classes = np.unique(y)
    except TypeError as error:
        raise _wrong_type(y, name) from error
    if classes.dtype.kind == "O" and not all(isinstance(label, str) for label in classes):
        raise _wrong_type(classes, name)
    if len(classes) < 2:
        held = f"one class only, {classes.tolist()[0]!r}" if len(classes) else "no class"
        raise ValueError(f"{name} holds {held}; a classifier needs at least two classes")
    return classes


def _wrong_type(labels: Any, name: str) -> ValueError | TypeError:
    """Say of which types labels are, and what to make of them."""
    cells = [cell.item() if isinstance(cell, np.generic) else cell for cell in labels.flat]
    types = sorted({type(cell).__name__ for cell in cells})
    held = f"labels of the type{'s' if len(types) > 1 else ''} {', '.join(types)}"
    problem = f"Unknown label type: {name} holds {held}"  # as scikit-learn's errors begin
    if types == ["bytes"]:  # the type of the error of scikit-learn's later versions
        return TypeError(f"{problem}; make them text with bytes.decode")
    if all(isinstance(cell, Real) for cell in cells):
        plain = _exact(np.asarray(cells), np.array(cells, dtype=object)).dtype
        if plain.kind in "biuf":
            return ValueError(
                f"{problem} in an array of objects; make it one of numbers or booleans, "
                f"{name}.astype({plain.name!r})"
            )
    elif len(types) > 1:
        return ValueError(
            f"{name} mixes {held}; make them all of one type, for example {name}.astype(str)"
        )
    return ValueError(
        f"{problem}; a label must be text, a whole number of at most 64 bits, a boolean or a "
        f"datetime64. Make them text, for example [str(label) for label in {name}]"
    )


def check_classes(classes: Any) -> Any:
    """Sorted distinct classes, as `partial_fit` is given them.

    Parameters
    ----------
    classes : array-like of shape (n_classes,)

    Returns
    -------
    classes : ndarray of shape (n_classes,)

    Raises
    ------
    ValueError
        If these are no labels of classes, or fewer than two.
    """
    classes = find_classes(check_labels(classes, "classes"), "classes")
    with np.errstate(invalid="ignore"):  # it makes whole numbers of those too large for them
        unique_labels(classes)  # which refuses numbers with fractions
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
    options = {"ensure_2d": False, "dtype": np.float64, "ensure_all_finite": False}
    weights = _converted(
        check_array,
        sample_weight,
        name,
        dict.fromkeys(REMEDIES, ADVICE),
        input_name=name,
        **options,
    )
    if weights.ndim != 1:
        raise ValueError(f"{name} must be 1D, got an array of shape {weights.shape}")
    if len(weights) != n_rows:
        raise ValueError(f"{name} has {len(weights)} elements for {n_rows} rows")
    is_finite = np.isfinite(weights)
    if not is_finite.all():
        row = is_finite.argmin()
        kind = "NaN, a missing value," if np.isnan(weights[row]) else "infinity"
        raise ValueError(f"Input {name} contains {kind} in row {row}. {ADVICE}")
    if (weights < 0).any():
        raise ValueError(
            f"{name} must not be negative, got {weights.min()}; use 0 to leave a row out"
        )
    if not weights.any():
        raise ValueError(f"{name} is zero for all rows; at least one must be positive")
    weights = _within_one(weights)
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
        present = totals > totals.sum() * np.finfo(np.float64).tiny  # as its rows are none beside
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
    per_class = np.array([_as_float(class_weight.get(label, 1.0)) for label in known])
    if not (np.isfinite(per_class).all() and (per_class >= 0).all()):
        raise ValueError(f"class_weight must hold finite values >= 0, got {class_weight}")
    return _within_one(per_class)


def _within_one(weights: Any) -> Any:
    """Divide weights by a power of two, which keeps ratios to the bit, and sums finite."""
    return np.ldexp(weights, -np.frexp(weights.max())[1])


def _as_float(value: Any) -> float:
    """Give a value as a float, NaN where it is none."""
    try:
        return float(value)
    except (TypeError, ValueError, OverflowError):
        return np.nan
