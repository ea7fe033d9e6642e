"""From a fitted classifier to a model of ONNX."""

from __future__ import annotations

import json
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from skbn._version import __version__
from skbn.estimators.arrays import fitted_ensemble
from skbn.estimators.classifier import BNSoftmaxClassifier

if TYPE_CHECKING:
    from onnx import ModelProto


def to_onnx(model: Any, path: Any = None, *, X: Any = None, float64: bool = False) -> ModelProto:
    """Make a model of ONNX of a fitted classifier.

    onnx must be installed: ``pip install "skbn[onnx]"``.

    Parameters
    ----------
    model : BNSoftmaxClassifier
        Fitted.
    path : str or path-like, default=None
        File to write, by custom with the ending ``.onnx``.
    X : None
        Not used.
    float64 : bool, default=False
        Whether rows, weights and probabilities are double instead of float.

    Returns
    -------
    onnx_model : onnx.ModelProto
        Its input is ``X``, a tensor (n, n_features) of float or double. Its outputs are
        ``label`` (n,), in the type of the labels, and ``probabilities`` (n, n_classes).

    Raises
    ------
    ImportError
        If onnx is not installed.
    ValueError
        If there is no such model: ONNX has no type for the classes, or float does not hold the
        weights.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> onnx_model = to_onnx(BNSoftmaxClassifier(random_state=0).fit(X, y))
    >>> [output.name for output in onnx_model.graph.output]
    ['label', 'probabilities']
    """
    if find_spec("onnx") is None:
        raise ImportError('to_onnx needs onnx, which is not installed: pip install "skbn[onnx]"')
    from onnx import checker

    onnx_model = _classifier_model(model, np.dtype(np.float64 if float64 else np.float32))
    _describe(onnx_model, model)
    checker.check_model(onnx_model, full_check=True)
    if path is not None:
        Path(path).write_bytes(onnx_model.SerializeToString(deterministic=True))
    return onnx_model


def _classifier_model(classifier: BNSoftmaxClassifier, dtype: np.dtype) -> ModelProto:
    from onnx import helper

    from skbn.export.graph import OPSET, Graph
    from skbn.export.onnx_network import add_labels, add_probabilities, onnx_classes

    def tensor(name: str, dtype: np.dtype, *shape: int) -> Any:
        to_type = helper.np_dtype_to_tensor_dtype
        return helper.make_tensor_value_info(name, to_type(dtype), ["n_rows", *shape])

    ensemble = fitted_ensemble(classifier)
    graph, classes = Graph(dtype), onnx_classes(classifier.classes_)
    add_probabilities(graph, ensemble, "X", "probabilities")
    add_labels(graph, classes, "probabilities", "label")
    inputs = [tensor("X", dtype, classifier.n_features_in_)]
    outputs = [tensor("label", classes.dtype), tensor("probabilities", dtype, len(classes))]
    return helper.make_model(
        helper.make_graph(graph.nodes, "BNSoftmaxClassifier", inputs, outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=7,
    )


def _describe(onnx_model: ModelProto, model: Any) -> None:
    from onnx import helper

    from skbn.export.onnx_network import onnx_classes

    onnx_model.producer_name, onnx_model.producer_version = "skbn", __version__
    onnx_model.doc_string = f"{type(model).__name__}, exported by skbn {__version__}"
    helper.set_model_props(
        onnx_model, {"classes": json.dumps(model.classes_.tolist(), default=str)}
    )
