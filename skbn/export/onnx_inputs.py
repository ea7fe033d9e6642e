"""The inputs of a model of ONNX: columns of a table, or one of all, and the rows fed to them."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.utils import get_tags

from skbn._compat import safe_indexing
from skbn.export.graph import Columns

MAX_ROWS = 1000
"""Of those of X that are compared, which is some 0.1 s."""


def is_frame(X: Any) -> bool:
    """Whether X is a table of pandas or polars."""
    return hasattr(X, "columns") and hasattr(X, "dtypes")


def _first_steps(step: Any) -> Iterator[Any]:
    """The step that gets the columns first, of a `FeatureUnion` all."""
    if isinstance(step, Pipeline):
        yield from _first_steps(step.steps[0][1])
    elif isinstance(step, FeatureUnion):
        for _, each in step.transformer_list:
            yield from _first_steps(each)
    else:
        yield step


def takes_documents(step: Any) -> bool:
    """Whether a step takes a sequence of texts, as `CountVectorizer` does."""
    tagged = (each for each in _first_steps(step) if hasattr(each, "__sklearn_tags__"))
    tags = [get_tags(each).input_tags for each in tagged]
    return any(each.string and not each.two_d_array for each in tags)


@dataclass(frozen=True)
class Inputs:
    """Inputs of the graph, and the rows of X for them.

    Parameters
    ----------
    names : dict of str to str
        The name of each input, by its tensor while the graph is made. That tensor's name says
        in messages what it is, and differs from all others.
    table : list of Columns
        Those of columns that X lacks have the void dtype.
    absent : list of str
        These columns.
    rows : array, DataFrame, list of texts or None
        Rows of X, as the model predicts them.
    positions : ndarray of int
        Theirs in X.
    """

    names: dict[str, str]
    table: list[Columns]
    absent: list[str]
    rows: Any
    positions: Any

    def fed(self, names: Iterable[str]) -> dict[str, Any]:
        """Rows as a session takes them: columns (n, 1), of text "nan" or "None" where it misses."""
        dtypes = {self.names[each.tensor]: each.dtype for each in self.table}
        if not is_frame(self.rows):
            return {name: _cells(self.rows, dtypes[name]) for name in names}
        columns = {str(name): self.rows[name] for name in self.rows.columns}
        return {name: _cells(columns[name], dtypes[name]) for name in names}


def inputs_of(steps: list[tuple[str, Any]], X: Any, dtype: np.dtype[Any]) -> Inputs:
    """Inputs for X: a column each of a DataFrame, else a single one.

    Parameters
    ----------
    steps : list of (name, step)
        Fitted.
    X : array, DataFrame, sequence of texts or None
    dtype : numpy dtype
        Of the numbers of an array.
    """
    # A step that passes everything through knows nothing of its columns.
    first = next(
        step for _, step in steps if hasattr(step, "n_features_in_") or takes_documents(step)
    )
    if takes_documents(first):
        return _of_documents(X)
    return _of_frame(first, X) if is_frame(X) else _of_array(first, X, dtype)


def _of_documents(X: Any) -> Inputs:
    if X is not None and not (np.ndim(X) == 1 and all(isinstance(each, str) for each in X)):
        raise ValueError(
            "X must be a sequence of texts, one a document, as the first step takes them; the "
            "model of ONNX takes them as X (n, 1)"
        )
    return _of_one([] if X is None else list(X), X is None, Columns("X", 1, np.dtype(object)))


def _of_array(first_step: Any, X: Any, dtype: np.dtype[Any]) -> Inputs:
    n_columns, is_absent = first_step.n_features_in_, X is None
    X = np.empty((0, n_columns)) if is_absent else X.tocsr() if issparse(X) else np.asarray(X)
    if X.ndim != 2 or X.shape[1] != n_columns:
        raise ValueError(f"X must be of shape (n, {n_columns}), as in the training, got {X.shape}")
    kind = "f" if issparse(X) else dtype_of_cells(X).kind
    if kind not in "biufO":
        raise ValueError(
            f"X must hold numbers or text alone, got an array of {X.dtype} with other cells; "
            "pass columns of several types as a DataFrame"
        )
    dtype = np.dtype(object) if kind == "O" and len(X) else dtype
    return _of_one(X, is_absent, Columns("X", n_columns, dtype))


def _of_one(X: Any, is_absent: bool, columns: Columns) -> Inputs:
    positions = _sample(X)
    rows = safe_indexing(X, positions)
    rows = rows.toarray() if issparse(rows) else rows
    if not columns.is_text:
        rows = rows.astype(columns.dtype)
    return Inputs({"X": "X"}, [columns], [], None if is_absent else rows, positions)


def _of_frame(first_step: Any, X: Any) -> Inputs:
    names = [str(name) for name in getattr(first_step, "feature_names_in_", X.columns)]
    if len(names) != first_step.n_features_in_:
        raise ValueError(
            f"X must have {first_step.n_features_in_} columns, as in the training, got {len(names)}"
        )
    counts = Counter(str(name) for name in X.columns)
    if doubles := [name for name in names if counts[name] > 1]:
        raise ValueError(f"X has several columns of one name: {doubles[:20]}; rename them")
    originals = {str(name): name for name in X.columns}
    absent = [name for name in names if name not in originals]
    if absent and not hasattr(X, "reindex"):  # of polars
        raise ValueError(f"X lacks columns that the model was fitted to: {absent[:20]}")
    table = [
        Columns(
            f"column {name!r}",
            1,
            np.dtype("V") if name in absent else dtype_of_cells(X[originals[name]]),
        )
        for name in names
    ]
    positions = _sample(X)
    rows = safe_indexing(X, positions)
    if absent:  # a step that does not use a column may yet ask for it
        is_numbered = all(isinstance(name, int) for name in X.columns)
        originals |= {name: int(name) if is_numbered else name for name in absent}
        rows = rows.reindex(columns=list(originals.values()))
    rows = rows[[originals[name] for name in names]]
    tensors = [each.tensor for each in table]
    return Inputs(dict(zip(tensors, names, strict=True)), table, absent, rows, positions)


def _sample(X: Any) -> Any:
    n_rows = X.shape[0] if hasattr(X, "shape") else len(X)
    return np.linspace(0, n_rows - 1, min(n_rows, MAX_ROWS)).astype(int)


def _cells(column: Any, dtype: np.dtype[Any]) -> Any:
    cells = np.asarray(column, dtype=object if dtype.kind == "O" else None)
    if dtype.kind == "O":
        cells = np.where(pd.isna(cells), cells.astype(str), cells)
    elif cells.dtype.kind == "O":
        cells = np.where(pd.isna(cells), np.nan, cells) if dtype.kind == "f" else cells
    cells = cells.astype(dtype)
    return cells if cells.ndim == 2 else cells[:, np.newaxis]


def dtype_of_cells(column: Any) -> np.dtype[Any]:
    """The dtype in which ``column.to_numpy()`` is a tensor: of objects for text, void for none."""
    cells = np.asarray(column)
    if cells.dtype.kind in "biufMm":
        return cells.dtype
    present = cells[~pd.isna(cells)].tolist()
    kinds = {type(cell) for cell in present}
    if kinds <= {str}:
        return np.dtype(object)
    if len(present) == cells.size and len(kinds) == 1 and kinds <= {int, bool}:
        return np.dtype(np.int64 if int in kinds else np.bool_)
    return np.dtype(np.float64 if kinds <= {int, float, bool} else "V")
