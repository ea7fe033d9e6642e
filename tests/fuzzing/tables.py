"""Strategies for rows, labels and weights, in all that users keep them in."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
import polars as pl
from hypothesis import strategies as st
from scipy import sparse


def read_only(X):
    X = X.copy()
    X.setflags(write=False)
    return X


def mixed_frame(X):
    """A frame whose columns have dtypes of their own, some of which can miss values."""
    dtypes = ["float64", "Float64", "object", "double[pyarrow]"]
    return pd.DataFrame({f"x{j}": pd.Series(x, dtype=dtypes[j % 4]) for j, x in enumerate(X.T)})


SAME_NUMBERS = {
    "C": np.ascontiguousarray,
    "Fortran": np.asfortranarray,
    "strided": lambda X: np.repeat(X, 2, axis=1)[:, ::2],
    "backwards": lambda X: np.ascontiguousarray(X[::-1])[::-1],
    "read-only": read_only,
    "big-endian": lambda X: X.astype(">f8"),
    "list": np.ndarray.tolist,
    "list of arrays": list,
    "objects": lambda X: X.astype(object),
    "frame": lambda X: pd.DataFrame(X, columns=[f"x{j}" for j in range(X.shape[1])]),
    "frame of numbered columns": pd.DataFrame,
    "frame of any dtypes": mixed_frame,
    "polars": lambda X: pl.DataFrame({f"x{j}": x for j, x in enumerate(X.T)}),
}
"""Containers of the same float64 numbers."""

SPARSE = {
    "csr": sparse.csr_matrix,
    "csc": sparse.csc_array,
    "coo": sparse.coo_array,
    "unsorted csr": lambda X: sparse.csr_array(X)[:, ::-1][:, ::-1],
    "sparse frame": lambda X: pd.DataFrame(X).astype(pd.SparseDtype("float64", 0.0)),
}


def whole(X):
    """The numbers without their fractions, in a range that small integers have."""
    return np.clip(np.nan_to_num(X * 10), -100, 100).round()


OTHER_NUMBERS = {
    "float16": lambda X: X.astype(np.float16),
    "float32": lambda X: X.astype(np.float32),
    "float32 csr": lambda X: sparse.csr_array(X).astype(np.float32),
    "longdouble": lambda X: X.astype(np.longdouble),
    "int8": lambda X: whole(X).astype(np.int8),
    "int64": lambda X: whole(X).astype(np.int64),
    "uint8": lambda X: abs(whole(X)).astype(np.uint8),
    "bool": lambda X: X > 0,
    "Int64": lambda X: pd.DataFrame(whole(X)).astype("Int64"),
    "category": lambda X: pd.DataFrame(whole(X)).astype("category"),
}

NO_NUMBERS = {
    "vector": np.ravel,
    "cube": lambda X: X[None],
    "text": lambda X: X.astype(str),
    "words": lambda X: np.where(X > 0, "yes", "no"),
    "complex": lambda X: X + 1j,
    "dates": lambda X: pd.DataFrame(whole(X).astype("datetime64[s]")),
    "missing": lambda X: pd.DataFrame(whole(X)).astype("Int64").mask(X > 0),
    "missing object": lambda X: pd.DataFrame(X).astype(object).mask(X > 0, pd.NA),
    "lazy": lambda X: pl.DataFrame(X).lazy(),
    "nothing": lambda X: None,
    "ragged": lambda X: [row[: k % 3] for k, row in enumerate(X.tolist())],
}

CONTAINERS = SAME_NUMBERS | SPARSE | OTHER_NUMBERS | NO_NUMBERS

NAMES = np.array(["a", "b", "c", "d", "e"])
LABELS = {
    "integers": lambda codes: codes,
    "other integers": lambda codes: codes.astype(np.int16) * 7 - 3,
    "list": lambda codes: codes.tolist(),
    "strings": lambda codes: NAMES[codes],
    "list of strings": lambda codes: NAMES[codes].tolist(),
    "objects": lambda codes: NAMES[codes].astype(object),
    "objects of integers": lambda codes: codes.astype(object),
    "booleans": lambda codes: codes % 2 == 0,
    "floats": lambda codes: codes.astype(float),
    "series": lambda codes: pd.Series(NAMES[codes], index=codes),
    "category": lambda codes: pd.Series(NAMES[codes]).astype("category"),
    "ordered": lambda codes: pd.Series(pd.Categorical.from_codes(codes, NAMES[::-1], ordered=True)),
    "Int64": lambda codes: pd.Series(codes, dtype="Int64"),
    "boolean": lambda codes: pd.Series(codes % 2 == 0, dtype="boolean"),
    "string": lambda codes: pd.Series(NAMES[codes], dtype="string"),
    "pyarrow": lambda codes: pd.Series(NAMES[codes], dtype="string[pyarrow]"),
    "polars": lambda codes: pl.Series(NAMES[codes]),
    "column": lambda codes: pd.DataFrame({"y": NAMES[codes]}),
    "column vector": lambda codes: codes[:, None],
    "far": lambda codes: codes.astype(np.uint64) + 2**63,
    "dates": lambda codes: codes.astype("datetime64[D]"),
}
NO_LABELS = {
    "fractions": lambda codes: codes + 0.5,
    "missing": lambda codes: np.where(codes > 0, codes, np.nan),
    "missing object": lambda codes: np.where(codes > 0, NAMES[codes].astype(object), None),
    "missing Int64": lambda codes: pd.Series(codes, dtype="Int64").mask(codes == 0),
    "NaT": lambda codes: np.where(codes > 0, codes.astype("timedelta64[D]"), np.timedelta64("NaT")),
    "mixed": lambda codes: np.where(codes > 0, codes.astype(object), "a"),
    "one-hot": lambda codes: np.eye(5)[codes],
    "complex": lambda codes: codes + 1j,
    "none": lambda codes: None,
    "too few": lambda codes: codes[1:],
    "sparse": lambda codes: sparse.csr_array(codes[:, None]),
    "word": lambda codes: "abc",
    "tuples": lambda codes: [(c,) for c in codes],
}

WEIGHTS = {
    "none": lambda n: None,
    "ones": np.ones,
    "whole": lambda n: np.arange(1, n + 1) % 6,  # of a row of each class at least one
    "varied": lambda n: 1 + np.arange(n) / n,
    "some zeros": lambda n: (np.arange(n) % 3 > 0) * 1.5,
    "one": lambda n: np.eye(n)[0],
    "booleans": lambda n: np.arange(n) % 2 == 0,
    "list": lambda n: [0.1] * n,
    "series": lambda n: pd.Series(np.ones(n), index=np.arange(n) + 5),
    "Float64": lambda n: pd.Series(np.ones(n), dtype="Float64"),
    "scalar": lambda n: 2.0,
    "tiny": lambda n: np.full(n, 1e-320),
    "huge": lambda n: np.full(n, 1.7e308),
    "tiny and huge": lambda n: np.geomspace(1e-300, 1e300, n),
    "float32": lambda n: np.geomspace(1e-44, 1e38, n).astype(np.float32),
}
NO_WEIGHTS = {
    "zeros": np.zeros,
    "negative": lambda n: -np.ones(n),
    "NaN": lambda n: np.full(n, np.nan),
    "infinity": lambda n: np.full(n, np.inf),
    "too many": lambda n: np.ones(n + 1),
    "column": lambda n: np.ones((n, 1)),
    "text": lambda n: ["1"] * n,
    "words": lambda n: ["one"] * n,
    "missing": lambda n: pd.Series([pd.NA] * n, dtype="Float64"),
    "dates": lambda n: np.full(n, "2020", dtype="datetime64[D]"),
    "complex": lambda n: np.ones(n) + 1j,
}

EXTREME = [1e-300, -1e-40, 1e38, -3.4e38, 3.5e38, -1e308, 0.0]
NOT_FINITE = [np.inf, -np.inf, np.nan]


@dataclass(frozen=True)
class Table:
    """A recipe for rows, labels and weights: the same arrays whenever they are asked for."""

    n_rows: int = 30
    n_features: int = 3
    n_classes: int = 2
    seed: int = 0
    scale: float = 1.0
    has_constant: bool = False
    has_duplicates: bool = False
    spots: tuple = ()  # of (row, column, value)
    container: str = "C"
    labels: str = "integers"
    weights: str = "none"

    @property
    def codes(self):
        """Classes as numbers: each there once, as far as the rows go, then any."""
        drawn = np.random.default_rng(self.seed).integers(self.n_classes, size=self.n_rows)
        drawn[: self.n_classes] = np.arange(self.n_classes)[: self.n_rows]
        return drawn

    @property
    def numbers(self):
        """Rows in float64, which tell something about the classes."""
        shape = self.n_rows, self.n_features
        X = np.random.default_rng(self.seed).normal(size=shape) + self.codes[:, None]
        X *= self.scale
        if self.has_constant:
            X[:, :1] = self.scale
        if self.has_duplicates:
            X[1::2] = X[: len(X) // 2 * 2 : 2]
        for row, column, value in self.spots if X.size else ():
            X[row % self.n_rows, column % self.n_features] = value
        return X

    @property
    def X(self):  # noqa: N802
        """Rows in their container."""
        with np.errstate(over="ignore", invalid="ignore"):
            return CONTAINERS[self.container](self.numbers)

    @property
    def y(self):
        """Labels in their container."""
        return (LABELS | NO_LABELS)[self.labels](self.codes)

    def classes(self, n_missing=0):
        """Labels of all classes but the first few, each once."""
        return (LABELS | NO_LABELS)[self.labels](np.arange(n_missing, self.n_classes))

    @property
    def sample_weight(self):
        """Weights in their container."""
        return (WEIGHTS | NO_WEIGHTS)[self.weights](self.n_rows)


def spots(values):
    """Draw a few cells that hold something special."""
    cell = st.tuples(st.integers(0, 59), st.integers(0, 5), st.sampled_from(values))
    return st.lists(cell, max_size=2).map(tuple)


PLAIN = {
    "n_rows": st.integers(6, 60),
    "n_features": st.integers(1, 6),
    "n_classes": st.integers(2, 5),
    "seed": st.integers(0, 99),
    "scale": st.sampled_from([1.0, 1.0, 1.0, 0.01, 100.0]),
    "has_constant": st.booleans(),
    "has_duplicates": st.booleans(),
    "labels": st.sampled_from(list(LABELS)),
    "weights": st.sampled_from(list(WEIGHTS)),
}
"""Fields of a table that can be learned from."""


def mostly(usual, *others):
    """Draw what is usual six times out of seven."""
    other = st.one_of(*others)
    return st.integers(0, 6).flatmap(lambda n: other if n == 6 else usual)


ANY = {
    "n_rows": mostly(PLAIN["n_rows"], st.integers(1, 60)),
    "n_features": mostly(PLAIN["n_features"], st.integers(0, 6)),
    "n_classes": mostly(PLAIN["n_classes"], st.integers(1, 5)),
    "scale": mostly(PLAIN["scale"], st.sampled_from([1e-300, 1e-40, 1e6, 1e30, 1e37, 1e307])),
    "spots": mostly(st.just(()), spots(EXTREME), spots(NOT_FINITE)),
    "container": mostly(
        st.sampled_from(list(SAME_NUMBERS)),
        st.sampled_from(list(SPARSE)),
        st.sampled_from(list(OTHER_NUMBERS)),
        st.sampled_from(list(NO_NUMBERS)),
    ),
    "labels": mostly(PLAIN["labels"], st.sampled_from(list(NO_LABELS))),
    "weights": mostly(
        st.just("none"), st.sampled_from(list(WEIGHTS)), st.sampled_from(list(NO_WEIGHTS))
    ),
}
"""Fields of a table that may be anything."""


def tables(**fields):
    """Draw tables that can be learned from, but for the fields that are given."""
    return st.builds(Table, **(PLAIN | fields))
