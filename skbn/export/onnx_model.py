"""From a fitted classifier or Pipeline to a model of ONNX."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline
from sklearn.utils.validation import check_is_fitted

from skbn._compat import BaseSearchCV
from skbn._version import __version__
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.export.container import write

if TYPE_CHECKING:
    from onnx import ModelProto

    from skbn.export.graph import Columns, Graph
    from skbn.export.onnx_inputs import Inputs

IR_VERSION = 7
"""Version of the file format that is as old as the operators."""
OUTPUTS = ("label", "probabilities")


def to_onnx(model: Any, path: Any = None, *, X: Any = None, float64: bool = False) -> ModelProto:
    """Make a model of ONNX of a fitted classifier, or of a Pipeline that ends in one.

    onnx must be installed, and skl2onnx for most steps of Pipelines:
    ``pip install "skbn[onnx]"``.

    Parameters
    ----------
    model : BNSoftmaxClassifier, Pipeline or search
        Fitted. Of a search it is the best estimator.
    path : str, path-like or binary file object, default=None
        File to write, by custom with the ending ``.onnx``.
    X : array, DataFrame or sequence of texts, default=None
        Rows like those of the training, which tell the types of the inputs. A DataFrame makes
        each column that a step uses an input (n, 1) of its name and type. An array is one input
        ``X`` (n, n_features) of float, or of double with ``float64``; texts, where the first
        step is a vectorizer of texts, are one input ``X`` (n, 1). Without ``X`` so is what the
        model was fitted to.

        Up to 1,000 of the rows are compared: what the model of ONNX predicts, in onnxruntime if
        that is installed, with `predict_proba`. Give some hundred, with missing cells and rare
        categories among them: skl2onnx converts some steps so that these alone are wrong.
    float64 : bool, default=False
        Whether the networks, their probabilities and the input ``X`` are double. Steps before
        the networks are computed in float or double as they are in scikit-learn.

    Returns
    -------
    onnx_model : onnx.ModelProto
        Its outputs are ``label`` (n,), in the type of the labels, and ``probabilities``
        (n, n_classes).

    Raises
    ------
    ImportError
        If a package is not installed.
    TypeError
        If the model is of another kind.
    NotFittedError
        If a step is not fitted.
    ValueError
        If a step cannot be converted, or predicts otherwise in ONNX, which is named; X is not
        like the rows of the training; ONNX has no type for a column that is used or for the
        classes; float does not hold the weights; or an activation is a function of one's own. No
        file is written then.

    Warns
    -----
    UserWarning
        If the rows were not compared, for which some models need onnxruntime.

    Notes
    -----
    A missing cell of text, which ONNX has not, is the empty text, or what ``astype(str)`` makes
    of it: ``"None"``, or ``"nan"`` and ``"<NA>"``, which scikit-learn tells apart. A missing
    number is NaN. Spaces around texts, which `skbn.tabular_pipeline` takes off, stay in ONNX: take
    them off before.

    On standardised rows probabilities differ by rounding, up to 2e-6 in float where logits are
    of 20. Nothing is checked when the model runs: what `predict` refuses, as missing cells
    that no step imputes, has probabilities of NaN, and so have in float rows of numbers from
    some 1e35 on.

    The operators are those of opset 13. Vectorizers that make lower case of texts need the
    locale ``en_US.UTF-8`` where onnxruntime runs, or are to be fitted with ``lowercase=False``.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.export import to_onnx
    >>> X, y = load_iris(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0)).fit(X, y)
    >>> onnx_model = to_onnx(model)
    >>> [each.name for each in (*onnx_model.graph.input, *onnx_model.graph.output)]
    ['X', 'label', 'probabilities']
    """
    try:
        from onnx import checker
    except ImportError as error:
        raise ImportError(
            f'to_onnx needs onnx, which cannot be imported ({error}): pip install "skbn[onnx]"'
        ) from error
    onnx_model = _model(model, X, np.dtype("f8" if float64 else "f4"))
    checker.check_model(onnx_model, full_check=True)
    if path is not None:
        write(path, onnx_model.SerializeToString(deterministic=True))
    return onnx_model


def _steps(model: Any, name: str) -> Iterator[tuple[str, Any]]:
    """Give the steps, with those of Pipelines at the end of Pipelines, and a classifier last."""
    if isinstance(model, BaseSearchCV):
        check_is_fitted(model)
        if not hasattr(model, "best_estimator_"):
            raise NotFittedError("the search has no best_estimator_; fit it with refit=True")
        yield from _steps(model.best_estimator_, name)
    elif isinstance(model, Pipeline):
        yield from model.steps[:-1]
        yield from _steps(model.steps[-1][1], model.steps[-1][0])
    elif type(model) is BNSoftmaxClassifier:
        check_is_fitted(model)
        yield name, model
    elif isinstance(model, BNSoftmaxClassifier):
        raise TypeError(
            f"to_onnx takes a BNSoftmaxClassifier, and this is a {type(model).__name__}: a "
            "subclass, which may predict otherwise"
        )
    else:
        raise TypeError(
            "to_onnx takes a BNSoftmaxClassifier, or a Pipeline or a search that ends in one, got "
            f"{type(model).__name__}. skl2onnx.to_onnx converts more, with what is in it of skbn "
            "once skbn.export is imported"
        )


def _model(model: Any, X: Any, dtype: np.dtype[Any]) -> ModelProto:
    """The model of ONNX, compared with the model for rows of X."""
    from skbn.export.graph import Graph, counted_names
    from skbn.export.onnx_comparison import check_predictions
    from skbn.export.onnx_inputs import inputs_of
    from skbn.export.onnx_pipeline import add_model

    steps = list(_steps(model, "model"))
    inputs = inputs_of(steps, X, dtype)
    graph = Graph(np.float64, counted_names(set(inputs.names.values())))
    try:
        add_model(graph, steps, inputs.table, dtype)
    except ValueError as error:
        if inputs.absent and not isinstance(error, NotFittedError):
            raise ValueError(
                f"X lacks columns that the model was fitted to: {inputs.absent[:20]} ({error})"
            ) from error
        raise
    used = _named_inputs(graph, inputs)
    onnx_model = _proto(graph, steps, used, dtype)
    if inputs.rows is not None and len(inputs.rows):
        check_predictions(onnx_model, model, steps, inputs, graph.made)
    return onnx_model


def _named_inputs(graph: Graph, inputs: Inputs) -> list[Columns]:
    """Inputs that the outputs depend on, with the names of their columns."""
    from skbn.export.graph import Columns
    from skbn.export.onnx_network import is_unicode

    needed = graph.keep(OUTPUTS)
    used = [
        Columns(inputs.names[each.tensor], each.n_columns, each.dtype)
        for each in inputs.table
        if each.tensor in needed
    ]
    inner = {*(each.name for each in graph.constants), *(k for n in graph.nodes for k in n.output)}
    if absent := [each.tensor for each in used if each.tensor in inputs.absent]:
        raise ValueError(f"X lacks columns that the model was fitted to: {absent[:20]}")
    for each in used:
        if each.dtype.kind not in "biufO" or each.dtype.itemsize > 8:
            raise ValueError(f"ONNX has no type for the column {each.tensor!r}, of {each.content}")
        if each.tensor in {"", *inner} or not is_unicode(each.tensor):
            raise ValueError(
                f"an input of ONNX cannot be named {each.tensor!r}: the name is empty, not "
                "Unicode, or that of an output or a tensor of the model; rename the column"
            )
    graph.rename(inputs.names)
    return used


def _proto(
    graph: Graph, steps: list[tuple[str, Any]], inputs: list[Columns], dtype: np.dtype[Any]
) -> ModelProto:
    from onnx import helper

    from skbn.export.onnx_network import onnx_classes

    classes = onnx_classes(steps[-1][1].classes_)

    def tensor(name: str, dtype: np.dtype[Any], *shape: int) -> Any:
        kind = helper.np_dtype_to_tensor_dtype(dtype)
        return helper.make_tensor_value_info(name, kind, ["n_rows", *shape])

    onnx_model = helper.make_model(
        helper.make_graph(
            graph.nodes,
            "BNSoftmaxClassifier",
            [tensor(each.tensor, each.dtype, each.n_columns) for each in inputs],
            [tensor("label", classes.dtype), tensor("probabilities", dtype, len(classes))],
            graph.constants,
        ),
        opset_imports=[helper.make_opsetid(*each) for each in graph.opsets.items()],
        ir_version=IR_VERSION,
        producer_name="skbn",
        producer_version=__version__,
        doc_string=f"{' -> '.join(type(step).__name__ for _, step in steps)} of skbn {__version__}",
    )
    helper.set_model_props(onnx_model, {"classes": json.dumps(classes.tolist())})
    return onnx_model
