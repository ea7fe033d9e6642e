"""The graph of a Pipeline: its steps, one after the other, and the classifier at its end."""

from __future__ import annotations

from collections import UserList
from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd
from onnx import ModelProto, checker
from sklearn.compose import ColumnTransformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import Binarizer, Normalizer, OneHotEncoder, OrdinalEncoder
from sklearn.utils.validation import check_is_fitted

from skbn.estimators.arrays import fitted_ensemble
from skbn.export.graph import ML_DOMAIN, ML_OPSET, OPSET, Columns, Graph, Table
from skbn.export.onnx_network import add_labels, add_probabilities
from skbn.export.onnx_steps import (
    binarized,
    cleaned,
    floats,
    imputed,
    normalized,
    number_graph,
    one_hot,
    ordinal,
    piecewise_linear,
    refused,
    vectorized,
)
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.tables.cleaner import TableCleaner
from skbn.tables.encoders import DatetimeEncoder, FloatEncoder, TextEncoder


def add_model(graph: Graph, steps: list[tuple[str, Any]], table: Table, dtype: np.dtype) -> None:
    """Add the nodes from columns to ``label`` and ``probabilities``.

    Parameters
    ----------
    graph : Graph
    steps : list of (name, step)
        Fitted; the last is a `BNSoftmaxClassifier`.
    table : sequence of Columns
    dtype : numpy dtype
        Of the network and the probabilities.
    """
    *before, (_, classifier) = steps
    for name, step in before:
        table = _transformed(graph, step, table, name)
    graph = graph.in_dtype(dtype)
    rows = graph.numbers(table).tensor
    add_probabilities(graph, fitted_ensemble(classifier), rows, "probabilities")
    add_labels(graph, classifier.classes_, "probabilities", "label")


def _transformed(graph: Graph, step: Any, table: Table, path: str) -> list[Columns]:
    """The columns that a step makes of others; ``path`` is the step's name in messages."""
    if step in (None, "passthrough") or hasattr(
        step, "fit_resample"
    ):  # imbalanced-learn resamples in training only
        return list(table)
    check_is_fitted(step)
    for kind, add in COMPOSITES.items():
        if isinstance(step, kind):
            return add(graph, step, table, path)
    own = OWN_STEPS.get(type(step)) or (vectorized if _is_vectorizer(step) else _by_skl2onnx)
    try:
        graph.made[path] = columns = own(graph, step, table)
        return columns
    except ImportError:
        raise
    except Exception as error:  # what a step lacks may show as any error
        raise ValueError(
            f"the step {path!r}, {type(step).__name__}, cannot be converted to ONNX: {error}"
        ) from error


OWN_STEPS: dict[type, Callable[[Graph, Any, Table], list[Columns]]] = {
    Binarizer: binarized,
    DatetimeEncoder: refused,
    FloatEncoder: floats,
    Normalizer: normalized,
    OneHotEncoder: one_hot,
    OrdinalEncoder: ordinal,
    PiecewiseLinearEncoder: piecewise_linear,
    SimpleImputer: imputed,
    TableCleaner: cleaned,
    TextEncoder: refused,
}
"""Steps whose graph is made here. Of scikit-learn's they are those that skl2onnx does not
convert, or not for double, rows of zeros, missing text, infrequent categories or indicators."""


def _is_vectorizer(step: Any) -> bool:
    kind = type(step)
    return kind.__name__ == "TableVectorizer" and kind.__module__.startswith("skrub.")


def _piped(graph: Graph, pipeline: Any, table: Table, path: str) -> list[Columns]:
    for name, step in pipeline.steps:
        table = _transformed(graph, step, table, f"{path}__{name}")
    return list(table)


def _united(graph: Graph, union: Any, table: Table, path: str) -> list[Columns]:
    columns, weights = list[Columns](), union.transformer_weights or {}
    for name, step in union.transformer_list:
        if step != "drop":
            made = _transformed(graph, step, table, f"{path}__{name}")
            columns += _weighted(graph, made, weights.get(name))
    return columns


def _by_column(graph: Graph, transformer: Any, table: Table, path: str) -> list[Columns]:
    columns, weights = list[Columns](), transformer.transformer_weights or {}
    for name, step, chosen in transformer.transformers_:
        positions = column_positions(transformer, chosen)
        if positions and step != "drop":
            part = graph.selected(table, positions)
            made = _transformed(graph, step, part, f"{path}__{name}")
            columns += _weighted(graph, made, weights.get(name))
    return columns


def column_positions(transformer: Any, chosen: Any) -> list[int]:
    """Give the positions of the columns that a fitted `ColumnTransformer` chose for a step."""
    if isinstance(chosen, UserList):  # of scikit-learn 1.6, which warns of its own items
        chosen = chosen.data
    names = getattr(transformer, "feature_names_in_", range(transformer.n_features_in_))
    positions = pd.Series(range(transformer.n_features_in_), index=names)
    some = chosen.start or chosen.stop if isinstance(chosen, slice) else chosen
    first = next(iter(some), None) if np.iterable(some) and not isinstance(some, str) else some
    taken = positions.loc[chosen] if isinstance(first, str) else positions.iloc[chosen]
    return np.atleast_1d(taken).tolist()


COMPOSITES: dict[type, Callable[[Graph, Any, Table, str], list[Columns]]] = {
    Pipeline: _piped,
    ColumnTransformer: _by_column,
    FeatureUnion: _united,
}


def _weighted(graph: Graph, columns: list[Columns], weight: float | None) -> list[Columns]:
    if weight is None or not columns:
        return columns
    graph = number_graph(graph, columns)
    numbers = graph.numbers(columns)
    return [Columns(graph.node("Mul", numbers.tensor, weight), numbers.n_columns, graph.dtype)]


def _by_skl2onnx(graph: Graph, step: Any, table: Table) -> list[Columns]:
    """Let skl2onnx convert a step, in the dtype in which it computes in scikit-learn."""
    if all(each.is_text for each in table):
        rows = graph.texts(table)
    else:
        graph = number_graph(graph, table)
        rows = graph.numbers(table)
    try:
        part = _converted(step, rows)
    except ImportError:
        raise
    except Exception as error:  # of many types, some with many lines
        reason = str(error).partition("\n")[0].rstrip(".")
        if "opset" in reason:
            reason += f" (to_onnx takes opset {OPSET}, and no other)"
        advice = "Take another step in its place, or leave it out and transform rows yourself"
        if rows.dtype == np.float64:
            advice += "; for float64=False and float32 columns in X there may be a conversion"
        raise ValueError(f"{reason}. {advice}") from error
    dims = part.graph.output[0].type.tensor_type.shape.dim
    n_columns = dims[1].dim_value or len(step.get_feature_names_out())
    return [graph.inlined(part, rows.tensor, n_columns)]


def _converted(step: Any, rows: Columns) -> ModelProto:
    """The model that skl2onnx makes of a transformer of one input."""
    try:
        from skl2onnx import to_onnx
        from skl2onnx.common import data_types
    except ImportError as error:
        raise ImportError(
            f"to_onnx needs skl2onnx for the step {type(step).__name__}, and it cannot be imported "
            f'({error}): pip install "skbn[onnx]"'
        ) from error
    kinds = {
        np.dtype(object): data_types.StringTensorType,
        np.dtype(np.float32): data_types.FloatTensorType,
        np.dtype(np.float64): data_types.DoubleTensorType,
    }
    types = [("rows", kinds[rows.dtype]([None, rows.n_columns]))]
    opsets = {"": OPSET, ML_DOMAIN: ML_OPSET}
    part = to_onnx(step, initial_types=types, target_opset=opsets)
    checker.check_model(part, full_check=True)
    if len(part.graph.output) != 1:
        raise ValueError("skl2onnx converts how it predicts, not how it transforms")
    return part
