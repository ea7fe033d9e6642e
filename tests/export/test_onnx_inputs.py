"""Inputs of models of ONNX: columns by their names and types, and what X must be."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_matrix, csr_matrix
from sklearn.compose import make_column_transformer
from sklearn.feature_extraction.text import CountVectorizer, TfidfVectorizer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import MaxAbsScaler, StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.export import to_onnx

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from onnx_runs import assert_same, inputs_of, session_of  # noqa: E402

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 5))
Y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.5)
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)


def quick():
    return BNSoftmaxClassifier(hidden_layer_sizes=(8,), max_iter=2, random_state=0)


@pytest.mark.parametrize("name", ["", "label", "probabilities", "step_1_variable"])
def test_a_column_whose_name_an_input_cannot_have(name, tmp_path):
    rows = pd.DataFrame(X[:, :2], columns=[name, "b"])
    model = make_pipeline(make_column_transformer((MaxAbsScaler(), [name])), quick()).fit(rows, Y)
    rescaled = make_pipeline(MaxAbsScaler(), model[-1])
    rescaled.fit(rows, Y)
    with pytest.raises(ValueError, match=f"cannot be named '{name}'.*rename the column"):
        to_onnx(rescaled if name == "step_1_variable" else model, tmp_path / "model.onnx", X=rows)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["X", "add_3", "constant_1", "a 'b' é", "column 'b'"])
def test_names_of_columns(name):
    rows = pd.DataFrame(X[:, :2], columns=[name, "b"])
    model = make_pipeline(StandardScaler(), quick()).fit(rows, Y)
    onnx_model = to_onnx(model, X=rows)
    assert [each.name for each in onnx_model.graph.input] == [name, "b"]
    assert_same(session_of(onnx_model).run(None, inputs_of(onnx_model, rows)), model, rows)


UNUSED = {
    "label": 1,
    "probabilities": "a",
    "": 2.0,
    "day": pd.Timestamp("2020-01-01"),
    "time": pd.Timedelta(1, "D"),
    "complex": 1j,
    "objects": [[1]] * N,
    "mixed": [1, "a"] * (N // 2),
}


def test_columns_that_no_step_uses_are_no_inputs():
    rows = pd.DataFrame(X[:, :2], columns=["a", "b"])
    used = make_column_transformer((StandardScaler(), ["b", "a"]), ("drop", ["day", "label"]))
    model = make_pipeline(used, quick()).fit(rows.assign(**UNUSED), Y)
    for given in (rows.assign(**UNUSED), rows):  # they may be absent as well
        onnx_model = to_onnx(model, X=given)
        assert [each.name for each in onnx_model.graph.input] == ["a", "b"]
        outputs = session_of(onnx_model).run(None, inputs_of(onnx_model, rows))
        assert_same(outputs, model, rows.assign(**UNUSED))


@pytest.mark.parametrize(
    ("cells", "held"),
    [
        (pd.Timestamp("2020-01-01"), "dates"),
        (1j, "cells of several types"),
        ([[1]] * N, "cells of several types"),
    ],
)
def test_a_column_of_a_type_that_onnx_has_not_is_named(cells, held):
    rows = pd.DataFrame(X[:, :2], columns=["a", "b"])
    model = make_pipeline(make_column_transformer(("passthrough", ["a"])), quick()).fit(rows, Y)
    with pytest.raises(ValueError, match=f"column 'a' holds {held}"):
        to_onnx(model, X=rows.assign(a=cells))


SCALED = make_pipeline(StandardScaler(), quick()).fit(X, Y)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (X[:, :4], r"shape \(n, 5\), as in the training, got \(400, 4\)"),
        (X[0], r"shape \(n, 5\).*got \(5,\)"),
        (3, r"shape \(n, 5\).*got \(\)"),
        (pd.Series(X[:, 0]), r"shape \(n, 5\)"),
        (pd.DataFrame(X[:, :4]), "5 columns, as in the training, got 4"),
        (pd.DataFrame(X, columns=list("abcaa")), "several columns of one name"),
        (X + 1j, "numbers or text"),
        (np.array([["a", 1, 1, 1, 1]], dtype=object), "numbers or text"),
        (np.full((2, 5), np.datetime64("2020-01-01")), "numbers or text"),
        (np.full((2, 5), "a"), "standardscaler"),
        (GAPS, "must be rows that the model predicts: .*NaN"),
    ],
)
def test_rows_that_cannot_be_those_of_the_training(rows, reason):
    with pytest.raises(ValueError, match=reason):
        to_onnx(SCALED, X=rows)


@pytest.mark.parametrize(
    "rows",
    [
        X.tolist(),
        X.astype(object),
        X.astype(np.float16),
        X > 0,
        csr_matrix(X),
        coo_matrix(X),
        X[:0],
    ],
    ids=lambda rows: type(rows).__name__,
)
def test_other_rows(rows):
    (only,) = to_onnx(SCALED, X=rows).graph.input
    assert only.type.tensor_type.elem_type == onnx.TensorProto.FLOAT


# Texts.

DOCUMENTS = [" ".join(words) for words in RNG.choice(["red", "blue", "cat", "a b"], (N, 3))]


@pytest.mark.parametrize("rows", [None, DOCUMENTS, np.array(DOCUMENTS), pd.Series(DOCUMENTS)])
@pytest.mark.parametrize(
    "step",
    [
        TfidfVectorizer(lowercase=False),
        make_pipeline(CountVectorizer(lowercase=False)),
        make_union(CountVectorizer(lowercase=False), TfidfVectorizer(lowercase=False, norm="l1")),
    ],
    ids=lambda step: type(step).__name__,
)
def test_texts(step, rows):
    model = make_pipeline(step, quick()).fit(DOCUMENTS, Y)
    onnx_model = to_onnx(model, X=rows)
    (text,) = onnx_model.graph.input
    assert text.type.tensor_type.elem_type == onnx.TensorProto.STRING
    column = np.array(DOCUMENTS, dtype=object)[:, np.newaxis]
    assert_same(session_of(onnx_model).run(None, {"X": column}), model, DOCUMENTS)


@pytest.mark.parametrize(
    "rows", [X, pd.DataFrame({"a": DOCUMENTS}), np.array(DOCUMENTS)[:, np.newaxis], [1, 2], "text"]
)
def test_what_is_not_a_sequence_of_texts(rows):
    model = make_pipeline(CountVectorizer(lowercase=False), quick()).fit(DOCUMENTS, Y)
    with pytest.raises(ValueError, match="sequence of texts"):
        to_onnx(model, X=rows)
