"""Models of ONNX as onnxruntime computes them."""

import numpy as np
import onnx
import onnxruntime

from skbn.estimators.arrays import fitted_ensemble


def session_of(onnx_model):
    """A session of one thread, whose threads would otherwise stay."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        onnx_model.SerializeToString(), options, providers=["CPUExecutionProvider"]
    )


def inputs_of(onnx_model, frame, missing=""):
    """The columns of a DataFrame as the inputs of a model, with a text for missing ones."""
    inputs = {}
    for each in onnx_model.graph.input:
        dtype = onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type)
        cells = frame[[each.name]].astype(object)
        cells = cells.where(cells.notna(), missing if dtype.kind == "O" else np.nan)
        inputs[each.name] = cells.to_numpy().astype(dtype)
    return inputs


def assert_predicts(session, model, rows, tolerance=None):
    """Compare labels and probabilities with the classifier's, row by row.

    The tolerance is that of the rows' dtype; for rows with large logits it is 8 roundings.
    """
    if tolerance is None:
        logits = fitted_ensemble(model).folded(rows.dtype).logits(rows)
        size = np.abs(logits).max(axis=(0, 2))[:, np.newaxis]
        eps = np.finfo(rows.dtype).eps
        tolerance = np.maximum(1e-6 if rows.dtype == np.float32 else 1e-12, 8 * eps * size)
    assert_same(session.run(None, {"X": rows}), model, rows, tolerance)


def assert_same(outputs, model, rows, tolerance=1e-6):
    """Compare labels and probabilities with those of a model."""
    label, probabilities = outputs
    expected = model.predict_proba(rows)
    assert probabilities.shape == expected.shape
    assert label.shape == expected.shape[:1]
    assert (np.abs(probabilities - expected) <= tolerance).all()
    second, first = np.sort(expected, axis=1)[:, -2:].T
    is_clear = first - second > 2 * np.max(tolerance)
    np.testing.assert_array_equal(label[is_clear], model.predict(rows)[is_clear])
