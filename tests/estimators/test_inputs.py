"""Rows and labels in all the forms that users have them."""

import tracemalloc

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import DataConversionWarning

pytestmark = pytest.mark.slow

# Rows.


def as_memmap(X, path):
    mapped = np.memmap(path / "X.bin", dtype=X.dtype, mode="w+", shape=X.shape)
    mapped[:] = X
    mapped.flush()
    return np.memmap(path / "X.bin", dtype=X.dtype, mode="r", shape=X.shape)


DENSE = {
    "C order": np.ascontiguousarray,
    "Fortran order": np.asfortranarray,
    "every other row": lambda X: np.repeat(X, 2, axis=0)[::2],
    "columns reversed twice": lambda X: np.ascontiguousarray(X[:, ::-1])[:, ::-1],
    "pandas": pd.DataFrame,
    "pandas by column": lambda X: pd.DataFrame({j: X[:, j] for j in range(X.shape[1])}),
}

SPARSE = {
    f"{form} {kind}": getattr(sparse, f"{form}_{kind}")
    for form in ("csr", "csc", "coo", "lil")
    for kind in ("matrix", "array")
}


@pytest.fixture(scope="module")
def mostly_zero():
    """Rows of which two cells in three are zero, and labels; not writeable."""
    stream = np.random.default_rng(0)
    X = stream.normal(size=(120, 12)) * (stream.random((120, 12)) < 1 / 3)
    y = (X[:, 0] + X[:, 1] > 0).astype(int) + (X[:, 2] > 0.5)
    X.setflags(write=False)
    return X, y


@pytest.mark.parametrize("convert", (DENSE | SPARSE).values(), ids=(DENSE | SPARSE).keys())
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_container_of_the_rows_makes_no_difference(
    mostly_zero, quick, assert_same_model, convert, dtype
):
    X, y = mostly_zero
    X = X.astype(dtype)
    X.setflags(write=False)
    plain, other = quick().fit(X, y), quick().fit(convert(X), y)
    assert_same_model(other, plain)
    for method in ("predict_proba", "predict_log_proba", "decision_function", "predict"):
        expected = getattr(plain, method)(X)
        np.testing.assert_array_equal(getattr(other, method)(convert(X)), expected)


def test_rows_that_scikit_learn_reads_in_double_precision(mostly_zero, quick, assert_same_model):
    X, y = mostly_zero
    plain = quick().fit(X, y)
    sparse_frame = pd.DataFrame.sparse.from_spmatrix(sparse.csr_matrix(X))
    for rows in (X.tolist(), X.astype(">f8"), pd.DataFrame(X).astype("Float64"), sparse_frame):
        model = quick().fit(rows, y)
        assert_same_model(model, plain)
        np.testing.assert_array_equal(model.predict_proba(rows), plain.predict_proba(X))


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
@pytest.mark.parametrize("convert", SPARSE.values(), ids=SPARSE.keys())
def test_sparse_rows_everywhere(mostly_zero, quick, assert_same_model, convert):
    X, y = mostly_zero
    weights = np.linspace(0, 2, len(y)).round()  # a quarter of the rows is left out
    models = [
        quick(early_stopping=early).fit(form(X), y, weights, X_val=X_val, y_val=y_val)
        for form in (np.array, convert)
        for early, X_val, y_val in ((True, None, None), (False, form(X[:20]), y[:20]))
    ]
    for dense, sparse_one in zip(models[:2], models[2:], strict=True):
        assert_same_model(sparse_one, dense)
        assert_same_model(sparse_one.partial_fit(convert(X), y), dense.partial_fit(X, y))


def test_sparse_rows_with_repeated_and_unsorted_indices(quick, assert_same_model):
    X = sparse.csr_matrix(
        ([1.0, 2.0, 3.0, 4.0, 0.0, 5.0], [2, 0, 2, 1, 1, 0], [0, 3, 5, 6]), shape=(3, 3)
    )
    dense, y = X.toarray(), [0, 1, 0]
    assert_same_model(quick().fit(X, y), quick().fit(dense, y))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int32", "int64", "float16"])
def test_numbers_of_any_kind(quick, assert_same_model, dtype):
    X = np.random.default_rng(0).integers(0, 2, size=(60, 4))
    y = X[:, 0] ^ X[:, 1]
    model = quick().fit(X.astype(dtype), y)
    assert_same_model(model, quick().fit(X.astype(float), y))
    np.testing.assert_array_equal(
        model.predict_proba(X.astype(dtype)), model.predict_proba(X.astype(float))
    )


def test_nullable_integer_columns(quick, assert_same_model):
    X = np.random.default_rng(0).integers(0, 9, size=(60, 3))
    frame = pd.DataFrame(X, columns=list("abc")).astype({"a": "Int64", "b": "UInt8"})
    y = X[:, 0] > 4
    assert_same_model(quick().fit(frame, y), quick().fit(X, y))


def test_memory_mapped_rows(iris, quick, assert_same_model, tmp_path):
    X, y = iris
    mapped = as_memmap(X, tmp_path)
    model = quick().fit(mapped, y)
    assert_same_model(model, quick().fit(X, y))
    np.testing.assert_array_equal(model.predict_proba(mapped), model.predict_proba(X))


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_read_only_everything(iris, quick):
    X, y = iris
    weights = np.ones(len(y))
    weights[:9] = 2
    weights.setflags(write=False)
    quick(class_weight={0: 2.0}).fit(X, y, weights).partial_fit(X, y)


def test_rows_of_polars(iris, quick, assert_same_model):
    polars = pytest.importorskip("polars")
    X, y = iris
    frame = polars.DataFrame(X, schema=list("abcd"))
    model = quick().fit(frame, y)
    assert_same_model(model, quick().fit(X, y))
    assert model.feature_names_in_.tolist() == list("abcd")
    pandas_frame = pd.DataFrame(X, columns=list("abcd"))
    np.testing.assert_array_equal(model.predict_proba(frame), model.predict_proba(pandas_frame))
    with pytest.raises(ValueError, match="feature names should match"):
        model.predict(frame.rename({"a": "z"}))


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_feature_names(iris, quick):
    X, y = iris
    names = ["length", "width", "petal length", "petal width"]
    frame = pd.DataFrame(X, columns=names)
    model = quick().fit(frame, y, X_val=frame[:9], y_val=y[:9])
    assert model.feature_names_in_.tolist() == names
    model.partial_fit(frame, y)
    assert model.score(frame, y) > 0.5
    assert not hasattr(quick().fit(X, y), "feature_names_in_")
    assert not hasattr(quick().fit(frame, y).fit(X, y), "feature_names_in_")
    assert not hasattr(quick().fit(pd.DataFrame(X), y), "feature_names_in_")


@pytest.mark.parametrize("convert", [np.array, sparse.csr_matrix, pd.DataFrame])
def test_a_single_row_is_predicted(iris, quick, convert):
    X, y = iris
    model = quick().fit(convert(X), y)
    one = model.predict_proba(convert(X[:1]))
    assert one.shape == (1, 3)
    np.testing.assert_allclose(one, model.predict_proba(convert(X))[:1], atol=1e-12)
    assert model.predict(convert(X[:1])).shape == (1,)


@pytest.mark.parametrize("trained_in", ["float32", "float64"])
def test_predictions_run_in_the_precision_of_the_rows(iris, single, trained_in):
    X, y = iris
    model = single(dtype=trained_in).fit(X, y)
    narrow = X.astype(np.float32)
    same_rows = narrow.astype(np.float64)
    in_single, in_double = model.decision_function(narrow), model.decision_function(same_rows)
    assert in_single.dtype == in_double.dtype == np.float64
    # Logits of single precision are all representable in it; those of double are not.
    assert (in_single == in_single.astype(np.float32)).all()
    assert not (in_double == in_double.astype(np.float32)).all()
    np.testing.assert_allclose(in_single, in_double, rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(model.predict_proba(narrow).sum(axis=1), 1, rtol=1e-14)


def test_sparse_rows_are_made_dense_in_parts(quick):
    # All rows dense would take 800 megabytes in float64, and 400 in float32.
    n, n_features = 2000, 50_000
    y = np.arange(n) % 2
    cells = np.ones(2 * n), (np.tile(np.arange(n), 2), np.r_[y, 2 + np.arange(n)])
    X = sparse.csr_matrix(cells, shape=(n, n_features))
    tracemalloc.start()
    model = quick(hidden_layer_sizes=(), max_iter=1).fit(X, y, X_val=X, y_val=y)
    assert model.score(X, y) == 1
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 100e6


# Labels.


def text(y):
    return np.array(["ant", "bee", "cat"])[y]


LABELS = {
    # form of the labels: (what makes them, dtype of the classes)
    "int64": (lambda y: y.astype("int64"), "int64"),
    "uint8": (lambda y: y.astype("uint8"), "uint8"),
    "negative": (lambda y: y - 5, "int64"),
    "float64": (lambda y: y.astype(float), "float64"),
    "bool": (lambda y: y > 0, "bool"),
    "str": (text, "<U3"),
    "object": (lambda y: text(y).astype(object), "O"),
    "list of int": (lambda y: y.tolist(), "int64"),
    "list of str": (lambda y: text(y).tolist(), "<U3"),
    "list of bool": (lambda y: (y > 0).tolist(), "bool"),
    "tuple": (lambda y: tuple(text(y).tolist()), "<U3"),
    "Series of int": (pd.Series, "int64"),
    "Series of object": (lambda y: pd.Series(text(y), dtype=object), "O"),
    "string": (lambda y: pd.Series(text(y), dtype="string"), "O"),
    "default string": (lambda y: pd.Series(text(y).tolist()), "O"),
    "Index": (lambda y: pd.Index(text(y).tolist()), "O"),
    "Int64": (lambda y: pd.Series(y, dtype="Int64"), "int64"),
    "UInt8": (lambda y: pd.Series(y, dtype="UInt8"), "uint8"),
    "Float64": (lambda y: pd.Series(y, dtype="Float64"), "float64"),
    "boolean": (lambda y: pd.Series(y > 0, dtype="boolean"), "bool"),
    "nullable array": (lambda y: pd.array(y, dtype="Int64"), "int64"),
    "category of str": (lambda y: pd.Series(text(y), dtype="category"), "O"),
    "category of int": (lambda y: pd.Series(y - 1, dtype="category"), "int64"),
    "category of Int64": (
        lambda y: pd.Series(y, dtype="Int64").astype("category"),
        "int64",
    ),
    "category of bool": (lambda y: pd.Series(y > 0, dtype="category"), "bool"),
    "ordered, unused categories": (
        lambda y: pd.Series(pd.Categorical(text(y), ["z", "cat", "y", "bee", "ant"], True)),
        "O",
    ),
    "unused categories of int": (
        lambda y: pd.Series(pd.Categorical(y, [9, 2, 1, 0, 7])),
        "int64",
    ),
    "Categorical": (lambda y: pd.Categorical(text(y)), "O"),
    "sparse int": (lambda y: pd.Series(pd.arrays.SparseArray(y)), "int64"),
    "sparse bool": (lambda y: pd.Series(pd.arrays.SparseArray(y > 0)), "bool"),
    "uint64": (lambda y: y.astype("uint64") + np.uint64(2**64 - 3), "uint64"),
    "list of integers beyond int64": (lambda y: [2**64 - 3 + k for k in y.tolist()], "uint64"),
    "string of Python": (lambda y: pd.Series(text(y), dtype="string[python]"), "O"),
    "Series with another index": (lambda y: pd.Series(y, index=np.arange(len(y))[::-1]), "int64"),
}


@pytest.mark.parametrize("form", LABELS)
def test_labels_of_any_kind(iris, quick, assert_same_model, form):
    X, codes = iris
    make, dtype = LABELS[form]
    y = make(codes)
    plain = list(y)
    model = quick(max_iter=8).fit(X, y)
    assert model.classes_.dtype == dtype
    assert model.classes_.tolist() == sorted(set(plain))
    predicted = model.predict(X)
    assert predicted.dtype == dtype
    assert set(predicted.tolist()) <= set(plain)
    assert np.mean(predicted == np.array(plain)) > 0.9
    # What is learned does not depend on how the classes are called.
    encoded = np.searchsorted(sorted(set(plain)), plain)
    assert_same_model(model, quick(max_iter=8).fit(X, encoded))


@pytest.mark.parametrize("form", ["list of str", "string", "Int64", "boolean", "category of str"])
def test_score_takes_labels_as_fit_does(iris, quick, form):
    X, codes = iris
    y = LABELS[form][0](codes)
    model = quick().fit(X, y)
    assert model.score(X, y) == np.mean(model.predict(X) == np.array(list(y)))


@pytest.mark.parametrize("form", LABELS)
def test_labels_of_any_kind_in_parts_and_for_validation(iris, single, form):
    X, codes = iris
    y = LABELS[form][0](codes)
    part = single().partial_fit(X, y, classes=y)
    whole = single(max_iter=1).fit(X, y)
    assert part.classes_.dtype == whole.classes_.dtype
    assert part.classes_.tolist() == whole.classes_.tolist()
    watched = single().fit(X, y, X_val=X, y_val=y)
    (*_, accuracy) = watched.history_["validation_accuracy"]
    assert accuracy == np.mean(watched.predict(X.astype("float32")) == np.array(list(y)))


@pytest.mark.parametrize("form", LABELS)
def test_class_weights_by_label_of_any_kind(iris, quick, assert_same_model, form):
    X, codes = iris
    y = LABELS[form][0](codes)
    last = max(y)
    weighted = quick(class_weight={last: 3.0}, batch_norm=False).fit(X, y)
    by_row = np.where(np.array(list(y)) == last, 3.0, 1.0)
    assert_same_model(weighted, quick(batch_norm=False).fit(X, y, by_row))


POLARS_LABELS = {
    "String": (text, "OU"),
    "Categorical": (text, "OU"),
    "Int64": (lambda y: y, "i"),
    "UInt8": (lambda y: y, "u"),
    "Boolean": (lambda y: y > 0, "b"),
}


@pytest.mark.parametrize("form", POLARS_LABELS)
def test_labels_of_polars(iris, quick, assert_same_model, form):
    polars = pytest.importorskip("polars")
    X, codes = iris
    make, kinds = POLARS_LABELS[form]
    values = make(codes)
    y = polars.Series(values.tolist(), dtype=getattr(polars, form))
    model = quick().fit(X, y)
    assert model.classes_.dtype.kind in kinds
    assert model.classes_.tolist() == np.unique(values).tolist()
    assert model.predict(X).dtype == model.classes_.dtype
    assert_same_model(model, quick().fit(X, values))
    assert model.score(X, y) == model.score(X, values)


COLUMNS = {
    "array": lambda y: y[:, None],
    "array of text": lambda y: text(y)[:, None],
    "frame": lambda y: pd.DataFrame({"y": y}),
    "frame of text": lambda y: pd.DataFrame({"y": text(y)}),
    "frame of Int64": lambda y: pd.DataFrame({"y": y}, dtype="Int64"),
    "frame of boolean": lambda y: pd.DataFrame({"y": y > 0}, dtype="boolean"),
    "frame of category": lambda y: pd.DataFrame({"y": y}, dtype="category"),
}


@pytest.mark.parametrize("form", COLUMNS)
def test_labels_in_a_column_get_a_warning(iris, quick, assert_same_model, form):
    X, y = iris
    column = COLUMNS[form](y)
    with pytest.warns(DataConversionWarning, match="column-vector y was passed"):
        model = quick().fit(X, column)
    flat = column.iloc[:, 0] if hasattr(column, "iloc") else column[:, 0]
    assert_same_model(model, quick().fit(X, flat))
    assert model.classes_.dtype == quick().fit(X, flat).classes_.dtype


def test_weights_of_any_kind(iris, quick, assert_same_model):
    X, y = iris
    weights = 1.0 + np.arange(len(y)) % 3
    plain = quick().fit(X, y, weights)
    for kind in (list, pd.Series, np.int64, np.float32, lambda w: pd.array(w, dtype="Float64")):
        assert_same_model(quick().fit(X, y, sample_weight=kind(weights)), plain)
