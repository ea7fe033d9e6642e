"""Whether a model of ONNX predicts what the model that it was made of predicts."""

from __future__ import annotations

import warnings
from collections.abc import Iterator, Mapping, Sequence
from copy import deepcopy
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, Pipeline

from skbn._compat import safe_indexing
from skbn.export.graph import Table
from skbn.export.onnx_inputs import Inputs
from skbn.export.onnx_pipeline import column_positions

ROUNDING = 1e-4
"""Of probabilities. It is of 1e-6 on standardised rows, and what is converted wrongly of 1e-2."""
SAFETY = 32
"""Times the change of the probabilities that a change of the last digits makes."""


def check_predictions(
    onnx_model: Any,
    model: Any,
    steps: Sequence[tuple[str, Any]],
    inputs: Inputs,
    made: Mapping[str, Table],
) -> None:
    """Compare the probabilities of rows.

    Parameters
    ----------
    onnx_model : onnx.ModelProto
    model : Pipeline or BNSoftmaxClassifier
    steps : sequence of (name, step)
        Of the model, the last a `BNSoftmaxClassifier`.
    inputs : Inputs
        With the rows.
    made : dict of str to sequence of Columns
        What each step makes in the graph, by its path.

    Raises
    ------
    ValueError
        If the model does not predict the rows, its model of ONNX does not, or they differ by
        more than rounding.
    """
    outputs = _outputs(onnx_model, ["probabilities"], inputs)
    if outputs is None:
        return
    (found,) = outputs
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of what the rows are, which `predict` is to say
        try:
            expected = model.predict_proba(deepcopy(inputs.rows))  # a step may write to them
        except Exception as error:
            raise ValueError(f"X must be rows that the model predicts: {error}") from error
        tolerance = ROUNDING + SAFETY * _rounding(model, inputs.rows, expected, found.dtype)
    difference = np.abs(found - expected).max(axis=1)
    is_wrong = ~(difference <= tolerance)
    if not is_wrong.any():
        return
    worst = np.nan_to_num(np.where(is_wrong, difference, 0), nan=np.inf).argmax()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        step = _wrong_step(onnx_model, steps, inputs, made)
    raise ValueError(
        f"the model of ONNX predicts otherwise than the model: in {is_wrong.sum()} of "
        f"{len(expected)} rows of X, by {difference[worst]:.3g} in row {inputs.positions[worst]}. "
        f"The conversion {step} is not exact for such rows. Take another step in its place, or "
        "leave it out and transform rows yourself; if float is not precise enough for the rows, "
        "export with float64=True or scale them first"
    )


def _rounding(model: Any, rows: Any, expected: Any, dtype: Any) -> Any:
    """By how much the probabilities of each row change with the last digits of its numbers.

    It is the less of two changes, up and down: a number at a threshold jumps one way alone.
    """
    try:
        changes = [
            np.abs(model.predict_proba(_shifted(rows, sign, dtype)) - expected).max(axis=1)
            for sign in (1, -1)
        ]
    except Exception:  # of any step, as of categories that are fractions
        return np.zeros(len(expected))
    change = np.minimum(*changes)
    return np.maximum(change, np.median(change))


def _shifted(rows: Any, sign: int, dtype: Any) -> Any:
    """Copy rows; numbers that are not whole, and so no categories, differ in the last digit.

    It is that of their dtype or of another one, whichever is coarser.
    """
    if hasattr(rows, "reindex"):
        columns = {
            name: _shifted_column(rows[name], sign * (-1) ** k, dtype)
            for k, name in enumerate(rows.columns)
        }
        return pd.DataFrame(columns, index=rows.index)
    if getattr(getattr(rows, "dtype", None), "kind", "") != "f":
        return deepcopy(rows)
    coarser = max(np.dtype(dtype), rows.dtype, key=lambda each: np.finfo(each).eps)
    steps = sign * np.spacing(np.abs(rows).astype(coarser)).astype(rows.dtype)
    if rows.ndim == 2:
        steps = steps * (-1.0) ** np.arange(rows.shape[1]).astype(rows.dtype)
    is_whole = (rows == np.round(rows)) & (np.abs(rows) < 2**24)
    return np.where(is_whole, rows, rows + steps).astype(rows.dtype)


def _shifted_column(column: Any, sign: int, dtype: Any) -> Any:
    if getattr(column.dtype, "kind", "") != "f":
        return column.copy()
    own = column.dtype if isinstance(column.dtype, np.dtype) else np.float64
    cells = _shifted(column.to_numpy(own, na_value=np.nan), sign, dtype)
    return pd.Series(cells, column.index, column.dtype)


def _outputs(onnx_model: Any, names: list[str], inputs: Inputs) -> list[Any] | None:
    """What onnxruntime, or else onnx itself, computes; None if nothing here can."""
    feed = inputs.fed(each.name for each in onnx_model.graph.input)
    try:
        import onnxruntime
    except ImportError:
        from onnx.reference import ReferenceEvaluator

        try:
            with np.errstate(all="ignore"):
                return list(ReferenceEvaluator(onnx_model).run(names, feed))
        except Exception as error:  # of many types, as for operators that it has not
            warnings.warn(
                "the model of ONNX was not compared with the model, for which onnxruntime must be "
                f"installed ({str(error).partition(chr(10))[0]})",
                stacklevel=4,
            )
            return None
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads, options.log_severity_level = 1, 4
    try:
        session = onnxruntime.InferenceSession(
            onnx_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
        return list(session.run(names, feed))
    except Exception as error:  # of types that onnxruntime does not publish
        raise ValueError(f"onnxruntime does not run the model of ONNX: {error}") from error


def _is_passed(step: Any) -> bool:
    return not hasattr(step, "transform")


def _through(step: Any, rows: Any) -> Any:
    return rows if _is_passed(step) else step.transform(rows)


def _leaves(step: Any, rows: Any, path: str) -> Iterator[tuple[str, Any, Any]]:
    """Path, step and output of each step within a step, as scikit-learn computes it."""
    if isinstance(step, Pipeline):
        for name, each in step.steps:
            yield from _leaves(each, rows, f"{path}__{name}")
            rows = _through(each, rows)
    elif isinstance(step, FeatureUnion):
        for name, each in step.transformer_list:
            yield from _leaves(each, rows, f"{path}__{name}")
    elif isinstance(step, ColumnTransformer):
        for name, each, chosen in step.transformers_:
            if not isinstance(each, str):
                part = safe_indexing(rows, column_positions(step, chosen), axis=1)
                yield from _leaves(each, part, f"{path}__{name}")
    elif not _is_passed(step):
        yield path, step, step.transform(deepcopy(rows))


def _wrong_step(
    onnx_model: Any,
    steps: Sequence[tuple[str, Any]],
    inputs: Inputs,
    made: Mapping[str, Table],
) -> str:
    """Name the first step whose columns differ, as far as they can be compared."""
    from onnx import ModelProto, ValueInfoProto

    rows = deepcopy(inputs.rows)
    tensors = {name for node in onnx_model.graph.node for name in node.output}
    whole = ModelProto()
    whole.CopyFrom(onnx_model)
    known = {each.name for each in whole.graph.output}
    wanted = {each.tensor for table in made.values() for each in table} & tensors
    whole.graph.output.extend(ValueInfoProto(name=name) for name in sorted(wanted - known))
    try:
        outputs = dict(
            zip(sorted(wanted), _outputs(whole, sorted(wanted), inputs) or [], strict=True)
        )
        for name, step in steps[:-1]:
            for path, leaf, expected in _leaves(step, deepcopy(rows), name):
                columns = [each.tensor for each in made.get(path, [])]
                if columns and all(tensor in outputs for tensor in columns):
                    found = np.hstack([outputs[tensor] for tensor in columns])
                    if not _are_close(found, expected):
                        return f"of the step {path!r}, {type(leaf).__name__},"
            rows = _through(step, rows)
    except (TypeError, ValueError):  # as of columns of text, which numbers are compared with
        pass
    return "of a step"


def _are_close(found: Any, expected: Any) -> bool:
    expected = expected.toarray() if issparse(expected) else np.asarray(expected)
    if found.shape != expected.shape:
        return False
    if expected.dtype.kind not in "biuf":
        return True
    scale = np.abs(expected).max(initial=0, where=np.isfinite(expected))
    return np.allclose(found, expected, rtol=1e-4, atol=1e-5 * scale, equal_nan=True)
