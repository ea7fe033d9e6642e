"""Converters for skl2onnx: with them it converts what is of this package in any model."""

from __future__ import annotations

from typing import Any

import numpy as np
from skl2onnx import update_registered_converter
from skl2onnx.common import data_types

from skbn.estimators.arrays import fitted_ensemble
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.export.graph import Columns, Graph
from skbn.export.onnx_network import add_decision, add_labels, add_probabilities, onnx_classes
from skbn.export.onnx_steps import piecewise_linear
from skbn.preprocessing import PiecewiseLinearEncoder

OPTIONS = {
    "zipmap": [True, False, "columns"],
    "nocl": [True, False],
    "output_class_labels": [False, True],
    "raw_scores": [True, False],
}
"""Those of skl2onnx's own classifiers. It sets some in what holds a classifier."""

TYPES_OF_LABELS = {
    "O": data_types.StringTensorType,
    "i": data_types.Int64TensorType,
    "u": data_types.UInt64TensorType,
    "b": data_types.BooleanTensorType,
}


def _type_of_numbers(operator: Any) -> Any:
    """Double where an input is, else float."""
    is_double = any(isinstance(each.type, data_types.DoubleTensorType) for each in operator.inputs)
    return data_types.DoubleTensorType if is_double else data_types.FloatTensorType


def _graph_and_rows(scope: Any, operator: Any) -> tuple[Graph, Columns]:
    is_double = _type_of_numbers(operator) is data_types.DoubleTensorType
    graph = Graph(np.float64 if is_double else np.float32, scope.get_unique_variable_name)
    tensors = [graph.cast(each.full_name, graph.dtype) for each in operator.inputs]
    n_columns = operator.raw_operator.n_features_in_
    return graph, Columns(graph.node("Concat", *tensors, axis=1), n_columns, graph.dtype)


def _add(graph: Graph, container: Any) -> None:
    container.nodes.extend(graph.nodes)
    container.initializers.extend(graph.constants)
    container.node_domain_version_pair_sets.update(graph.opsets.items())


def _classes(scope: Any, model: Any) -> Any:
    """Classes as skl2onnx has them.

    Its options make positions of them, or dictionaries of which numbers are the keys.
    """
    options = scope.get_options(model, {"zipmap": True, "nocl": False})
    classes = onnx_classes(np.arange(len(model.classes_)) if options["nocl"] else model.classes_)
    if classes.dtype.kind == "f" or (classes.dtype.kind == "b" and options["zipmap"]):
        numbers = classes.astype(np.int64)
        if (numbers == classes).all():
            return numbers
        raise ValueError("skl2onnx has no labels that are numbers with fractions")
    return classes


def _set_shapes_of_classifier(operator: Any) -> None:
    n_rows, model = operator.inputs[0].get_first_dimension(), operator.raw_operator
    classes = _classes(operator.scope_inst, model)
    operator.outputs[0].type = TYPES_OF_LABELS[classes.dtype.kind]([n_rows])
    operator.outputs[1].type = _type_of_numbers(operator)([n_rows, len(classes)])


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    model, (label, scores) = operator.raw_operator, operator.output_full_names
    graph, rows = _graph_and_rows(scope, operator)
    is_raw = container.get_options(model, {"raw_scores": False})["raw_scores"]
    add = add_decision if is_raw else add_probabilities
    add(graph, fitted_ensemble(model), rows.tensor, scores)
    add_labels(graph, _classes(scope, model), scores, label)
    _add(graph, container)


def _set_shapes_of_encoder(operator: Any) -> None:
    n_rows, encoder = operator.inputs[0].get_first_dimension(), operator.raw_operator
    n_columns = len(encoder.get_feature_names_out())
    operator.outputs[0].type = _type_of_numbers(operator)([n_rows, n_columns])


def _convert_encoder(scope: Any, operator: Any, container: Any) -> None:
    graph, rows = _graph_and_rows(scope, operator)
    parts = [each.tensor for each in piecewise_linear(graph, operator.raw_operator, [rows])]
    graph.node("Concat", *parts, axis=1, output=operator.outputs[0].full_name)
    _add(graph, container)


def register() -> None:
    """Make the converters known to skl2onnx."""
    update_registered_converter(
        BNSoftmaxClassifier,
        "SkbnBNSoftmaxClassifier",
        _set_shapes_of_classifier,
        _convert_classifier,
        options=OPTIONS,
    )
    update_registered_converter(
        PiecewiseLinearEncoder,
        "SkbnPiecewiseLinearEncoder",
        _set_shapes_of_encoder,
        _convert_encoder,
    )
