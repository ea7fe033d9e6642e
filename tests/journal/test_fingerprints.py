"""The same data have the same fingerprint, whatever they are in."""

import json

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy import sparse

from skbn.journal.fingerprints import Fingerprint, check_identified, of_data

RNG = np.random.default_rng(0)
X = RNG.normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
NAMES = np.array(["no", "yes"])[Y]
WEIGHTS = np.linspace(0.1, 1, 60)
FRAME = pd.DataFrame(X, columns=list("abc")).assign(d=NAMES)
SPARSE = sparse.csr_matrix(X * (abs(X) > 0.5))


def shuffled(values):
    return pd.Series(values, index=np.arange(60)[::-1], name="q")


def fortran_map(folder):
    np.save(folder / "x.npy", np.asfortranarray(X))
    return np.load(folder / "x.npy", mmap_mode="r")


def with_duplicates():
    matrix = SPARSE.tocoo()
    row, col = np.tile(matrix.row, 2), np.tile(matrix.col, 2)
    data = np.concatenate([matrix.data / 2, matrix.data / 2])
    indptr = np.concatenate([[0], np.cumsum(np.bincount(row, minlength=60))])
    order = np.argsort(row, kind="stable")[::1]
    return sparse.csr_matrix((data[order], col[order], indptr), shape=SPARSE.shape)


@pytest.mark.parametrize(
    ("role", "one", "other"),
    [
        ("X", X, np.asfortranarray(X)),
        ("X", X, X.tolist()),
        ("X", X, [tuple(row) for row in X]),
        ("X", X, list(X)),
        ("X", X, fortran_map),
        ("X", X, np.repeat(X, 2, axis=1)[:, ::2]),
        ("X", FRAME, FRAME.set_index(np.arange(60)[::-1])),
        ("X", FRAME, pd.concat([FRAME[["a"]], FRAME[["b", "c", "d"]]], axis=1)),
        ("X", SPARSE, SPARSE.tocsc()),
        ("X", SPARSE, sparse.coo_array(SPARSE)),
        ("X", SPARSE, with_duplicates()),
        ("y", Y, Y.tolist()),
        ("y", Y, tuple(Y)),
        ("y", Y, shuffled(Y)),
        ("y", Y, pl.Series(Y)),
        ("y", Y, pd.array(Y, dtype="Int64")),
        ("y", Y[:, None], pd.DataFrame({"label": Y})),
        ("y", NAMES, NAMES.tolist()),
        ("y", NAMES, NAMES.astype(object)),
        ("y", NAMES, shuffled(NAMES)),
        ("y", NAMES, pd.Series(NAMES, dtype="string")),
        ("y", NAMES, pd.Series(NAMES, dtype="category")),
        ("sample_weight", WEIGHTS, WEIGHTS.tolist()),
        ("sample_weight", WEIGHTS, shuffled(WEIGHTS)),
        ("groups", NAMES, shuffled(NAMES)),
        ("X_val", FRAME, FRAME.set_index("a", drop=False)),
    ],
)
def test_the_same_data_have_one_fingerprint(tmp_path, role, one, other):
    other = other(tmp_path) if callable(other) else other
    assert data_of(role, one).digest == data_of(role, other).digest


def data_of(role, value):
    given = {"X": X, "y": Y} | {role: value}
    return of_data(given.pop("X"), given.pop("y"), given)


def test_a_frame_of_polars_is_that_of_pandas():
    frame = FRAME.drop(columns="d")
    assert data_of("X", pl.DataFrame(frame)).digest == data_of("X", frame).digest


@pytest.mark.parametrize(
    ("role", "one", "other"),
    [
        ("X", X, X + np.where(np.arange(3) == 1, 1e-12, 0)),
        ("X", X, X.astype(np.float32)),
        ("X", X, X.T.reshape(60, 3)),
        ("X", X, sparse.csr_array(X)),
        ("X", X, pd.DataFrame(X, columns=list("abc"))),
        ("X", FRAME, FRAME.rename(columns={"a": "A"})),
        ("X", FRAME, FRAME[["b", "a", "c", "d"]]),
        ("X", FRAME, FRAME.astype({"d": "category"})),
        ("X", SPARSE, SPARSE * 2),
        ("y", Y, 1 - Y),
        ("y", Y, NAMES),
        ("y", Y, Y[:, None]),
        ("y", NAMES, np.char.upper(NAMES)),
        ("sample_weight", WEIGHTS, WEIGHTS[::-1]),
        ("sample_weight", WEIGHTS, None),
        ("groups", NAMES, NAMES[::-1]),
    ],
)
def test_other_data_have_another_fingerprint(role, one, other):
    assert data_of(role, one).digest != data_of(role, other).digest


def test_a_fingerprint_is_read_as_it_was_written():
    fingerprint = data_of("X", FRAME)
    assert Fingerprint.of(json.loads(fingerprint.to_json())) == fingerprint


def test_what_a_journal_is_for_is_named_where_it_cannot_be_identified():
    identity = {"estimator": Fingerprint("a", "model"), "data": of_data(X, (n for n in Y), {})}
    with pytest.raises(ValueError, match="must tell its training session from others, and y is <"):
        check_identified(identity, "training session")


def test_zeros_that_a_sparse_matrix_stores_are_zeros():
    matrix = SPARSE.copy()
    matrix.data[0] = 0
    without = matrix.copy()
    without.eliminate_zeros()
    assert of_data(matrix, Y, {}) == of_data(without, Y, {}) != of_data(SPARSE, Y, {})
    assert matrix.nnz == without.nnz + 1
