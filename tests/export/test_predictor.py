"""The predictor in a single file: what the classifier predicts, without scikit-learn."""

import ast
import io
import pickle
import shutil
import subprocess
import sys
from itertools import product

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse
from scipy.special import erf

from skbn import BNSoftmaxClassifier
from skbn.export import predictor, save_model
from skbn.network.activations import ACTIVATIONS
from skbn.network.losses import LOSSES

pytestmark = pytest.mark.slow

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(1000, 5))
SCORES = X @ STREAM.normal(size=(5, 26)) + STREAM.normal(size=(1000, 26))
LABELS = {
    "integers": np.arange(26),
    "text": np.array([f"class {k:02}" for k in range(26)], dtype=object),
    "booleans": np.array([False, True]),
}


def fitted(n_classes=3, labels="text", **parameters):
    quick = {"hidden_layer_sizes": (7,), "max_iter": 2, "random_state": 0}
    model = BNSoftmaxClassifier(**(quick | parameters))
    return model.fit(X[:200], LABELS[labels][SCORES[:200, :n_classes].argmax(axis=1)])


def predictor_of(model):
    file = io.BytesIO()
    save_model(model, file)
    file.seek(0)
    return predictor.load(file)


def assert_same(ours, model, rows, atol=1e-6):
    expected = model.predict_proba(rows)
    found = ours.predict_proba(rows)
    assert found.dtype == np.float64
    np.testing.assert_allclose(found, expected, rtol=0, atol=atol)
    lowest, highest = np.sort(expected, axis=1)[:, -2:].T
    is_clear = highest - lowest > 2 * atol
    np.testing.assert_array_equal(
        ours.predict(rows)[is_clear], model.predict(rows)[is_clear], strict=True
    )


@pytest.mark.parametrize("activation", ACTIVATIONS)
@pytest.mark.parametrize("n_layers", range(4))
def test_it_predicts_as_the_classifier(activation, n_layers):
    options = product(
        [1, 2, 3],
        [True, False],
        [(2, "booleans"), (3, "text"), (26, "integers")],
        ["float32", "float64"],
    )
    # An eighteenth of the product for each, all of it over all.
    part = list(options)[(5 * n_layers + 7 * list(ACTIVATIONS).index(activation)) % 18 :: 18]
    for n_members, batch_norm, (n_classes, labels), dtype in part:
        how = {"activation": activation, "hidden_layer_sizes": (7, 6, 5)[:n_layers]}
        how |= {"n_members": n_members, "batch_norm": batch_norm, "dtype": dtype}
        model = fitted(n_classes, labels, **how)
        ours = predictor_of(model)
        np.testing.assert_array_equal(ours.classes_, model.classes_, strict=True)
        for n_rows in (1, 2, 1000):
            assert_same(ours, model, X[:n_rows], atol=1e-13)
            assert_same(ours, model, X[:n_rows].astype(np.float32))


@pytest.mark.parametrize("activation", [["relu", "tanh"], ("gelu", "elu"), ["selu", "selu"], []])
@pytest.mark.parametrize("batch_norm", [True, False])
def test_an_activation_of_each_layer(activation, batch_norm):
    sizes = (7, 6)[: len(activation)]
    model = fitted(activation=activation, hidden_layer_sizes=sizes, batch_norm=batch_norm)
    assert_same(predictor_of(model), model, X, atol=1e-13)


def test_losses_are_those_of_the_networks():
    assert set(predictor.LOSSES) == set(LOSSES)


@pytest.mark.parametrize("name", ACTIVATIONS)
@pytest.mark.parametrize(("dtype", "eps"), [(np.float64, 4e-16), (np.float32, 2e-7)])
def test_activations_are_those_of_the_classifier(name, dtype, eps):
    ends = [0.0, -0.0, 1e-30, -1e-30, 90, -90, 1e3, -1e3, 1e30, -1e30]
    x = np.concatenate([np.linspace(-12, 12, 10_001), ends]).astype(dtype)
    expected = x.astype(np.float64)
    ACTIVATIONS[name].forward(expected, expected)
    with np.errstate(over="ignore", under="ignore", invalid="ignore"):
        found = x.copy()
        predictor.ACTIVATIONS[name](found)
    np.testing.assert_allclose(found, expected, rtol=4 * eps, atol=4 * eps)


def test_the_rational_error_function_is_erf():
    x = np.concatenate([np.linspace(0, 30, 100_001), np.logspace(-300, 2, 1000)])
    with np.errstate(under="ignore"):
        found = 1 - predictor._erfc(x)
    np.testing.assert_allclose(found, erf(x), rtol=0, atol=1e-15)


@pytest.mark.parametrize("scale", [1e-300, 1e-30, 1e5, 1e18, 1e38, 1e150])
@pytest.mark.parametrize("activation", ["relu", "selu", "tanh"])
def test_huge_and_tiny_values_are_as_for_the_classifier(scale, activation):
    model = fitted(activation=activation, hidden_layer_sizes=(7, 6))
    ours = predictor_of(model)
    assert_same(ours, model, X * scale, atol=1e-9)
    with np.errstate(over="ignore"):
        rows = (X * scale).astype(np.float32)
    rows = rows[np.isfinite(rows).all(axis=1)]
    if len(rows):
        logits = model.decision_function(rows)
        assert_same(ours, model, rows, atol=max(1e-6, 1e-6 * min(1e6, np.abs(logits).max())))


def test_rows_beyond_the_weights_are_refused_as_by_the_classifier():
    model = fitted(hidden_layer_sizes=(7, 6))
    ours = predictor_of(model)
    rows = X[:3].copy()
    rows[1] *= 1e308
    with pytest.raises(ValueError, match="no finite probabilities for row 1"):
        model.predict_proba(rows)
    with pytest.raises(ValueError, match="no finite probabilities for row 1"):
        ours.predict_proba(rows)
    rows[1] = X[1] * 1e38  # too large for float32 on the way
    assert_same(ours, model, rows.astype(np.float32))


@pytest.mark.parametrize("n_rows", [511, 512, 513, 3000])
def test_many_rows_are_those_of_one_alone(n_rows):
    ours = predictor_of(fitted(n_members=2))
    rows = np.tile(X, (3, 1))[:n_rows]
    found = ours.predict_proba(rows)
    for row in (0, n_rows // 2, n_rows - 1):
        np.testing.assert_allclose(found[row], ours.predict_proba(rows[[row]])[0], atol=1e-12)


TABLES = {
    "lists": X[:9].tolist(),
    "rows of integers": np.arange(45).reshape(9, 5),
    "small integers": np.arange(45, dtype=np.int8).reshape(9, 5),
    "booleans": X[:9] > 0,
    "float16": X[:9].astype(np.float16),
    "big-endian": X[:9].astype(">f8"),
    "column-major": np.asfortranarray(X[:9]),
    "column-major float32": np.asfortranarray(X[:9].astype(np.float32)),
    "a slice": X[:18:2, ::-1],
    "read-only": np.broadcast_to(X[0], (9, 5)),
    "a DataFrame": pd.DataFrame(X[:9]),
    "a DataFrame of objects": pd.DataFrame(X[:9]).astype(object),
    "a mixed DataFrame": pd.DataFrame(X[:9]).astype({1: "float32", 2: int, 3: bool}),
    "a DataFrame of Float64": pd.DataFrame(X[:9]).astype("Float64"),
    "polars": pl.DataFrame(X[:9]),
    "a masked array without masked cells": np.ma.array(X[:9]),
}


@pytest.mark.parametrize("kind", TABLES)
def test_tables_of_many_kinds(kind):
    model = fitted()
    table = TABLES[kind]
    rows = table.to_numpy() if hasattr(table, "to_numpy") else table
    found = predictor_of(model).predict_proba(table)
    np.testing.assert_allclose(found, model.predict_proba(np.asarray(rows)), rtol=0, atol=1e-6)


def holding(cell, dtype=float):
    rows = X[:600].astype(dtype)
    rows[550, 2] = cell
    return rows


WRONG = {
    "one row": (X[0], r"shape \(n_rows, 5\).*got \(5,\)"),
    "no rows": (X[:0], r"at least one row, got \(0, 5\)"),
    "too few columns": (X[:, :4], r"got \(1000, 4\)"),
    "three axes": (X[None], r"got \(1, 1000, 5\)"),
    "a number": (3.0, r"got \(\)"),
    "None": (None, "shape|numbers"),
    "NaN": (holding(np.nan), "NaN or infinity in row 550, column 2"),
    "NaN of float32": (holding(np.nan, np.float32), "NaN or infinity in row 550, column 2"),
    "infinity": (holding(np.inf), "NaN or infinity in row 550, column 2"),
    "minus infinity": (holding(-np.inf), "NaN or infinity in row 550, column 2"),
    "None among numbers": (holding(None, object), "NaN or infinity in row 550, column 2"),
    "text among numbers": (holding("1", object), "table of numbers.*text"),
    "NA": (pd.DataFrame(X[:3]).astype("Float64").mask(X[:3] > 0), "table of numbers|NaN"),
    "text": (X[:2].astype(str), "table of numbers"),
    "complex numbers": (X[:2] * 1j, "table of numbers"),
    "dates": (X[:2].astype("M8[s]"), "table of numbers"),
    "rows of different length": ([[1.0, 2], [3]], "inhomogeneous|table of numbers"),
    "a sparse matrix": (sparse.csr_matrix(X[:2]), r"x\.toarray\(\)"),
    "masked cells": (np.ma.masked_greater(X[:9], 0), "masked cells"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("method", ["predict", "predict_proba"])
@pytest.mark.parametrize("activation", ["relu", "tanh"])
def test_what_is_no_table_of_numbers_is_refused(kind, method, activation):
    table, message = WRONG[kind]
    with pytest.raises(ValueError, match=message):
        getattr(predictor_of(fitted(activation=activation)), method)(table)


def test_columns_by_other_names_are_refused():
    frame = pd.DataFrame(X, columns=list("abcde"))
    model = fitted().fit(frame, SCORES[:, :3].argmax(axis=1))
    ours = predictor_of(model)
    assert ours.feature_names_in_ == list("abcde")
    assert_same(ours, model, frame)
    np.testing.assert_array_equal(ours.predict(X), model.predict(frame))
    for other in (frame[list("abced")], pl.DataFrame(X, schema=list("abcdf"))):
        with pytest.raises(ValueError, match="x has the columns"):
            ours.predict(other)


@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_it_is_pickled_for_processes(activation):
    ours = predictor_of(fitted(activation=activation))
    other = pickle.loads(pickle.dumps(ours))
    np.testing.assert_array_equal(other.predict_proba(X), ours.predict_proba(X))


def test_rows_are_left_as_they_are():
    rows = X.copy()
    rows.setflags(write=False)
    predictor_of(fitted()).predict_proba(rows)
    np.testing.assert_array_equal(rows, X)


ALONE = """
import sys
import numpy
before = set(sys.modules)
import predictor
model = predictor.load(sys.argv[1])
print(model.predict_proba([[0.5, 1, 2, 3, 4]]).tolist())
print(sorted({name.split(".")[0] for name in set(sys.modules) - before} - sys.stdlib_module_names))
"""


def test_a_copy_of_the_file_needs_numpy_alone(tmp_path):
    shutil.copy(predictor.__file__, tmp_path / "predictor.py")
    (tmp_path / "main.py").write_text(ALONE)
    model = fitted(activation="gelu")
    save_model(model, tmp_path / "model.npz")
    command = [sys.executable, "-W", "error", tmp_path / "main.py", tmp_path / "model.npz"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    probabilities, modules = map(ast.literal_eval, done.stdout.splitlines())
    np.testing.assert_allclose(probabilities, model.predict_proba([[0.5, 1, 2, 3, 4]]))
    assert set(modules) <= {"numpy", "predictor"}
