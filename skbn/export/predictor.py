"""Predict with a model that `skbn.export.save_model` wrote; NumPy is all that this file needs.

Copy it into a service or a notebook::

    import predictor

    model = predictor.load("model.npz")
    model.predict_proba([[0.1, -0.4, 0.2, 1.3]])  # standardised as in training

The format is that of the page "The format of model files" of skbn's documentation. What a file
says is checked before it is believed: a damaged or forged one is a ValueError, and no code in
it is run. `skbn.export.load_model` reads by this file too.
"""

from __future__ import annotations

import json
import math
import os
import re
import struct
import zipfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from functools import lru_cache
from hashlib import sha256
from io import BytesIO
from itertools import pairwise
from typing import Any

import numpy as np

FORMAT, FORMAT_VERSION = "skbn model", 3
HEADER, CHECKSUM_BYTES = "header.json", 64

_END_BYTES = 22 + CHECKSUM_BYTES  # of a ZIP file whose comment is the checksum

# Limits of what a file may say, so that none of it is believed at the cost of much memory.
MAX_BYTES = 2**32 - 1
MAX_HEADER_BYTES = 2**23
MAX_PARTS = 200_000
MAX_LAYERS = 1000
MAX_SIZE = 2**32 - 1
MAX_LABEL_BYTES = 2**25
MAX_LOG_RATIO = 500.0

Header = dict[str, Any]
Arrays = dict[str, Any]


# The file.


def read(path: Any) -> tuple[Header, Arrays]:
    """Read a file: its header, of which what prediction needs is checked, and its arrays."""
    with _opened(path) as file, errors_of(path):
        data = _whole(file)
        with zipfile.ZipFile(BytesIO(data)) as archive:
            _check_entries(archive, len(data))
            header = parsed(archive.read(HEADER))
            described = described_arrays(header)
            is_whole = archive.namelist() == [HEADER, *described]
            require(is_whole, f"its entries are not those that {HEADER} describes")
            arrays = {
                name[: -len(".npy")]: _array(archive.read(name), name, *how)
                for name, how in described.items()
            }
        check_numbers(header, arrays)
        return header, arrays


def _opened(path: Any) -> Any:
    return nullcontext(path) if hasattr(path, "read") else open(path, "rb")


def _whole(file: Any) -> bytes:
    """Give the bytes of a file that ends as a model file does, with its checksum."""
    if hasattr(file, "seekable") and file.seekable():
        start = file.tell()
        size = file.seek(0, os.SEEK_END) - start
        file.seek(max(start, start + size - _END_BYTES))
        ends_right = file.read(4) == b"PK\5\6"
        file.seek(start)
        if not ends_right or size > MAX_BYTES:  # and may be of any size
            raise FormatError("is no model file of skbn, or was cut short: its end is not of one")
    data = bytes(file.read())
    if checksum(data) != data[-CHECKSUM_BYTES:]:
        raise FormatError("is damaged, or no model file of skbn: the checksum at its end is wrong")
    return data


def checksum(data: Any) -> bytes:
    """Give the SHA-256 of a file without the checksum at its end, in hexadecimal."""
    return sha256(memoryview(data)[:-CHECKSUM_BYTES]).hexdigest().encode("ascii")


def _check_entries(archive: zipfile.ZipFile, size: int) -> None:
    entries = archive.infolist()
    require(HEADER in archive.namelist(), f"{HEADER} is not there")
    are_stored = all(each.compress_type == zipfile.ZIP_STORED for each in entries)
    require(are_stored, "an entry is compressed")
    require(sum(each.file_size for each in entries) <= size, "entries are larger than the file")
    n_bytes = archive.getinfo(HEADER).file_size
    require(n_bytes <= MAX_HEADER_BYTES, f"{HEADER} has {n_bytes:,} bytes")


def _array(data: bytes, name: str, dtype: str, shape: tuple[int, ...]) -> Any:
    """Give the array of an entry, whose dtype and shape are known."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': {shape}, }}"
    start = 10 + int.from_bytes(data[8:10], "little")
    is_right = data[:8] == b"\x93NUMPY\1\0" and data[10:start].strip() == text.encode("ascii")
    n_bytes = math.prod(shape) * np.dtype(dtype).itemsize
    require(is_right and len(data) == start + n_bytes, f"{name} is no array {dtype} of {shape}")
    return np.frombuffer(data, dtype, offset=start).reshape(shape)


class FormatError(Exception):
    """What is wrong with a file: a verb and what follows."""


_ERRORS: tuple[type[Exception], ...] = (ArithmeticError, LookupError, RuntimeError, TypeError)
_ERRORS += (EOFError, MemoryError, ValueError, struct.error, zipfile.BadZipFile)


def require(condition: Any, what: str) -> None:
    """Raise an error of the format if a condition does not hold."""
    if not condition:
        raise FormatError(f"is no valid model file of skbn: {what}")


@contextmanager
def errors_of(path: Any) -> Iterator[None]:
    """Turn errors from what a file says into a ValueError that names the file."""
    name = "the file" if hasattr(path, "read") else os.fsdecode(path)
    try:
        yield
    except FormatError as wrong:
        raise ValueError(f"{name} {wrong}") from None
    except _ERRORS as error:
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"{name} is no valid model file of skbn: {what}") from error


# The header.

_FIELDS: dict[str, Any] = {
    **{"format": str, "format_version": int},
    "versions": dict,
    "parameters": dict,
    "classes": dict,
    "n_features": int,
    "feature_names": (list, type(None)),
    "architecture": dict,
    "dtype": str,
    "n_members": int,
    "temperature": float,
    "networks": list,
    "training_state": (dict, type(None)),
}
_OF_VERSION_3 = {"log_prior_ratio": list}
_OF_ARCHITECTURE: dict[str, Any] = {
    "hidden_layer_sizes": list,
    "activation": (str, list),
    "batch_norm": bool,
    "loss": str,
}
LOSSES = ("cross_entropy", "focal")
"""With all of them probabilities are the softmax of the logits."""
_OF_TRAINING = {"solver": str, "n_vectors": int, "networks": list}


def parsed(raw: bytes) -> Header:
    """Parse the header, and check what prediction needs of it."""
    # Containers and names take the most memory for a byte of text.
    n_parts = sum(map(raw.count, (b"{", b"[", b":")))
    require(n_parts <= MAX_PARTS, f"{HEADER} has {n_parts:,} lists, objects and names")
    header = json.loads(
        raw.decode("utf-8"), object_pairs_hook=_without_repetition, parse_constant=_no_number
    )
    require(type(header) is dict and header.get("format") == FORMAT, f"{HEADER} has no format")
    version = header.get("format_version")
    require(type(version) is int and version >= 1, f"format_version is {version!r:.99}")
    if version > FORMAT_VERSION:
        raise FormatError(
            f"was written by a later version of skbn: its format is {version!r:.99}, and this one "
            f"reads {FORMAT_VERSION}. Read it with that version, or a later one"
        )
    check_fields(header, _FIELDS | (_OF_VERSION_3 if version >= 3 else {}), HEADER)
    n_bytes = _n_bytes_of_arrays(header)
    require(n_bytes <= MAX_LABEL_BYTES, f"its labels and parameters have {n_bytes:,} bytes")
    _check_network(header)
    _check_numbers_of_networks(header)
    header["classes"] = _classes(header["classes"])
    n_classes = len(header["classes"])
    ratio = header.get("log_prior_ratio", [0.0] * n_classes)
    are_floats = all(type(each) is float and abs(each) <= MAX_LOG_RATIO for each in ratio)
    is_right = are_floats and len(ratio) == n_classes
    require(is_right, f"log_prior_ratio is no list of {n_classes} numbers")
    return header


def _without_repetition(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    content = dict(pairs)
    require(len(content) == len(pairs), "a name is there twice")
    return content


def _no_number(text: str) -> None:
    require(False, f"{text} is no JSON")


def check_fields(content: Any, fields: dict[str, Any], where: str) -> None:
    """Require an object of these names, whose values are of these types."""
    require(type(content) is dict, f"{where} is no object")
    wrong = sorted(set(content) ^ set(fields))
    require(not wrong, f"{where} lacks, or has beside what it should, {str(wrong)[:200]}")
    for name, kinds in fields.items():
        kind = type(content[name])
        right = kind in kinds if isinstance(kinds, tuple) else kind is kinds
        require(right, f"{name} is of the type {kind.__name__}")


def _check_network(header: Header) -> None:
    architecture = header["architecture"]
    check_fields(architecture, _OF_ARCHITECTURE, "architecture")
    sizes, names = architecture["hidden_layer_sizes"], header["feature_names"]
    require(len(sizes) <= MAX_LAYERS, f"there are {len(sizes)} hidden layers")
    for size in (*sizes, header["n_features"], header["n_members"]):
        is_size = type(size) is int and 0 < size <= MAX_SIZE
        require(is_size, f"{size!r:.99} is no number of units, features or members")
    _check_functions(architecture, header["format_version"])
    require(header["dtype"] in ("float32", "float64"), f"dtype is {header['dtype']!r:.99}")
    temperature = header["temperature"]
    require(0 < temperature < math.inf, f"temperature is {temperature}")
    if names is not None:
        require(all(type(name) is str for name in names), "feature_names are not all text")
        n_features = header["n_features"]
        require(len(names) == n_features, f"{len(names)} feature_names for {n_features} features")


def version_of(activation: Any, loss: str) -> int:
    """Give the format of files with an activation and a loss: the first in which they may be."""
    return 2 if isinstance(activation, list) or loss != "cross_entropy" else 1


def _check_functions(architecture: Any, version: int) -> None:
    activation, loss = architecture["activation"], architecture["loss"]
    n_layers, is_list = len(architecture["hidden_layer_sizes"]), type(activation) is list
    names = activation if is_list else [activation]
    are_known = all(type(name) is str and name in ACTIVATIONS for name in names)
    require(are_known, f"activation is {activation!r:.99}")
    is_right = not is_list or len(names) == n_layers
    require(is_right, f"there are {len(names)} activations of {n_layers} hidden layers")
    require(loss in LOSSES, f"loss is {loss!r:.99}")
    is_right = version >= version_of(activation, loss)
    require(is_right, "format 1 has no lists of activations, and one loss")


def _check_numbers_of_networks(header: Header) -> None:
    n_members, n_networks = header["n_members"], len(header["networks"])
    state = header["training_state"]
    if state is None:
        require(n_members == n_networks, f"there are {n_networks} networks of {n_members}")
        return
    check_fields(state, _OF_TRAINING, "training_state")
    require(n_members <= n_networks, f"there are {n_networks} networks of {n_members}")
    require(0 <= state["n_vectors"] <= 8, f"n_vectors is {state['n_vectors']}")
    require(len(state["networks"]) == n_networks, "training_state is not of all networks")


_CODE = re.compile(r"[<>|](b1|[iu][1248]|f[248]|[US]\d{1,8}|O|[Mm]8(\[\d{0,9}[a-zA-Z]{1,7}\])?)")


def _n_bytes_of_arrays(content: Any) -> int:
    """Bytes of all arrays that a part of a header describes."""
    if type(content) is list:
        return sum(_n_bytes_of_arrays(each) for each in content if type(each) in (dict, list))
    code, values = content.get("dtype"), content.get("values")
    is_array = type(code) is str and type(values) is list and _CODE.fullmatch(code)
    n_bytes = np.dtype(code).itemsize * len(values) if is_array else 0
    return n_bytes + _n_bytes_of_arrays(list(content.values()))


def decoded_array(content: Any) -> Any:
    """Give an array of the dtype, the shape and the values that a header has."""
    check_fields(content, {"dtype": str, "shape": list, "values": list}, "an array")
    code, shape, values = content["dtype"], content["shape"], content["values"]
    require(_CODE.fullmatch(code), f"{code!r:.99} is no dtype of labels or parameters")
    is_right = len(shape) < 9 and all(type(n) is int and 0 <= n <= MAX_SIZE for n in shape)
    require(is_right, "an array has no shape")
    require(math.prod(shape) == len(values), f"{len(values)} values for the shape {shape[:5]}")
    dtype = np.dtype(code)
    kind = dtype.kind
    expected = {"b": bool, "f": float, "U": str, "S": str}.get(kind, int)
    require(kind == "O" or all(type(each) is expected for each in values), f"values are no {code}")
    if kind in "iuMm":
        stored = np.dtype(f"{code[0]}i8") if kind in "Mm" else dtype
        lowest, highest = np.iinfo(stored).min, np.iinfo(stored).max
        right = all(lowest <= each <= highest for each in values)
        require(right, f"values are too large for {code}")
        return np.array(values, stored).view(dtype).reshape(shape)
    values = [each.encode("latin-1") for each in values] if kind == "S" else values
    array = np.empty(len(values), dtype)
    array[:] = values
    require(kind not in "US" or array.tolist() == values, f"values are too long for {code}")
    return array.reshape(shape)


def _classes(content: Any) -> Any:
    """Give the classes, sorted labels: numbers, text or dates."""
    classes = decoded_array(content)
    require(classes.ndim == 1 and len(classes) >= 2, f"there are {classes.size} classes")
    if classes.dtype.kind == "O":
        require(all(type(each) is str for each in classes), "classes are not all text")
    require(np.array_equal(np.unique(classes), classes), "classes are not sorted")
    return classes


# The arrays.

OF_BATCH_NORM = ("gamma", "beta", "mean", "var")
SUMS_OF_WEIGHTS = ("sum_beta_1", "sum_beta_2", "sum_bn_momentum")


def described_arrays(header: Header) -> dict[str, tuple[str, tuple[int, ...]]]:
    """Give the dtype and the shape of each array of a file, by the name of its entry."""
    code = f"<f{int(header['dtype'][5:]) // 8}"
    state, n_networks = header["training_state"], len(header["networks"])
    shapes = parameter_shapes(header)
    described = {name: (code, (n_networks, *shape)) for name, shape in shapes.items()}
    described["bn_epsilon"] = "<f8", (n_networks,)
    for vector in range(0 if state is None else state["n_vectors"]):
        for name, shape in shapes.items():
            if not name.startswith(("mean", "var")):
                described[f"optimizer_{vector}_{name}"] = code, (n_networks, *shape)
    for name in () if state is None else SUMS_OF_WEIGHTS:
        described[name] = "<f8", (n_networks,)
    return {f"{name}.npy": how for name, how in described.items()}


def parameter_shapes(header: Header) -> dict[str, tuple[int, ...]]:
    """Give the shapes of a network's arrays, from the first layer to the last."""
    architecture = header["architecture"]
    widths = [header["n_features"], *architecture["hidden_layer_sizes"], len(header["classes"])]
    shapes: dict[str, tuple[int, ...]] = {}
    for layer, (n_in, n_out) in enumerate(pairwise(widths)):
        is_normalised = architecture["batch_norm"] and layer < len(widths) - 2
        shapes[f"weights_{layer}"] = n_in, n_out
        for kind in OF_BATCH_NORM if is_normalised else ("bias",):
            shapes[f"{kind}_{layer}"] = (n_out,)
    return shapes


def check_numbers(header: Header, arrays: Arrays) -> None:
    """Require that the numbers that predict are finite."""
    for name in (*parameter_shapes(header), "bn_epsilon"):
        require(np.isfinite(arrays[name]).all(), f"{name} holds what is no finite number")
    epsilon = arrays["bn_epsilon"][:, None]
    require((epsilon > 0).all(), "bn_epsilon is not above zero")
    for name in (name for name in arrays if name.startswith("var_")):
        require((arrays[name] + epsilon > 0).all(), f"{name} is below zero")


# Activations, in place.


@lru_cache(maxsize=4)
def _zeros(shape: Any, dtype: Any) -> Any:
    return np.zeros(shape, dtype)


def _relu(x: Any) -> None:
    np.maximum(x, _zeros(x.shape, x.dtype), out=x)  # half as long as with the number 0


def _elu(x: Any, slope: float = 1.0) -> None:
    np.copyto(x, slope * np.expm1(np.minimum(x, 0)), where=x < 0)


def _selu(x: Any) -> None:
    _elu(x, 1.6732632423543772)
    x *= 1.0507009873554805


def _gelu(x: Any) -> None:
    half = 0.5 * _erfc(np.abs(x) * math.sqrt(0.5))
    x *= np.where(x > 0, 1 - half, half)


# Of (1 + 2 x) exp(x^2) erfc(x) for x >= 0, in Chebyshev polynomials of (x - 3.75) / (x + 3.75):
# Shepherd and Laframboise, Mathematics of Computation 36 (1981), 249-253.
_ERFC = (
    *(1.17757893456740175, -0.00459005458064647733, -0.0842491333665179156),
    *(0.0592099399981918905, -0.0266586684353057523, 0.00907499767070526509),
    *(-0.00241316354041760819, 0.000490775836525808632, -0.0000691697330250120637),
    *(4.13902798607301017e-6, 7.74038306619849067e-7, -2.18864010492343957e-7),
    *(1.07649994656709104e-8, 4.5219598112182869e-9, -7.75440020883135111e-10),
    *(-6.31808834088668449e-11, 2.8687950109306699e-11, 1.94558685457773472e-13),
    *(-9.65469674843343891e-13, 3.25254814814873984e-14, 3.34781194828680539e-14),
    *(-1.8645628804193131e-15, -1.25079505306886471e-15, 7.41823525662404346e-17),
)


def _erfc(x: Any) -> Any:
    """1 - erf(x) for x >= 0, to a rounding or two."""
    first, *others = _ERFC[:13] if x.dtype == np.float32 else _ERFC
    t = (x - 3.75) / (x + 3.75)
    last = before = np.zeros_like(x)
    for coefficient in reversed(others):  # Clenshaw 1955
        last, before = 2 * t * last - before + coefficient, last
    return (t * last - before + first) * np.exp(-x * x) / (1 + 2 * x)


ACTIVATIONS: dict[str, Callable[[Any], Any]] = {
    "relu": _relu,
    "leaky_relu": lambda x: np.maximum(x, 0.01 * x, out=x),
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": lambda x: np.multiply(x, 0.5 * np.tanh(0.5 * x) + 0.5, out=x),
    "mish": lambda x: np.multiply(x, np.tanh(np.logaddexp(0, x)), out=x),
    "tanh": lambda x: np.tanh(x, out=x),
    "logistic": lambda x: np.add(0.5 * np.tanh(0.5 * x), 0.5, out=x),
    "identity": lambda x: x,
}


# Prediction.

MIN_BLOCK_ROWS, BLOCK_BYTES = 512, 2**18
_DTYPES = np.dtype(np.float32), np.dtype(np.float64)


def load(path: Any) -> Predictor:
    """Load a model to predict with, from a path or a binary file object.

    Raises
    ------
    ValueError
        If it is no model file, is damaged or forged, or is of a later version.
    """
    return Predictor(*read(path))


class Predictor:
    """A model that predicts, from the header and the arrays that `read` gives.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
    n_features_in_ : int
    feature_names_in_ : list of str or None
    """

    def __init__(self, header: Header, arrays: Arrays) -> None:
        self.classes_ = header["classes"]
        self.n_features_in_ = header["n_features"]
        self.feature_names_in_ = header["feature_names"]
        self._temperature = header["temperature"]
        ratio = header.get("log_prior_ratio")
        self._prior_ratio = None if ratio is None else np.exp(np.array(ratio)[:, None])
        self._widest = max(header["architecture"]["hidden_layer_sizes"], default=1)
        with np.errstate(all="ignore"):
            members = [_folded(header, arrays, k) for k in range(header["n_members"])]
        self._members = {_DTYPES[-1]: members}

    def predict(self, x: Any) -> Any:
        """Give the most probable class of each row of x, as of `predict_proba`."""
        return self.classes_[self.predict_proba(x).argmax(axis=1)]

    def predict_proba(self, x: Any) -> Any:
        """Give the probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        x : array-like of shape (n, n_features)
            Finite numbers. Float32 is computed with as such, all else as float64.

        Returns
        -------
        probabilities : float64 ndarray of shape (n, n_classes)

        Raises
        ------
        ValueError
            If x is not such an array, or too large for the weights.
        """
        x = self._rows(x)
        with np.errstate(all="ignore"):
            z = self._logits(x)
            if not math.isfinite(np.vdot(z, z)):
                self._recompute(z, x)
            z -= np.maximum.reduce(z, axis=1, keepdims=True)
            np.exp(z, out=z)
            z /= np.add.reduce(z, axis=1, keepdims=True)
        mean = z[0] if len(z) == 1 else np.add.reduce(z, axis=0) / len(z)
        if self._prior_ratio is not None:
            mean *= self._prior_ratio
            mean /= np.add.reduce(mean, axis=0)
        return np.ascontiguousarray(mean.T)

    def _rows(self, x: Any) -> Any:
        if type(x) is not np.ndarray or x.dtype not in _DTYPES:
            try:
                x = _as_numbers(self._array(x))
            except (TypeError, OverflowError) as error:
                raise ValueError(f"x must be a table of numbers: {error}") from error
        if x.ndim != 2 or x.shape[1] != self.n_features_in_ or not len(x):
            raise ValueError(
                f"x must be of shape (n_rows, {self.n_features_in_}) with at least one row, got "
                f"{x.shape}; a single row is x[None, :] or [row]"
            )
        return x

    def _array(self, x: Any) -> Any:
        """Make an array of what is none."""
        if hasattr(x, "toarray"):
            raise ValueError("x is a sparse matrix, which is not supported; pass x.toarray()")
        if hasattr(x, "filled") and np.any(x.mask):
            raise ValueError("x holds masked cells, missing values; fill them as in training")
        columns, names = list(getattr(x, "columns", ())), self.feature_names_in_
        are_named = names is not None and columns and all(type(each) is str for each in columns)
        if are_named and columns != names:
            raise ValueError(f"x has the columns {columns[:10]}, the model {names[:10]}")
        return np.asarray(x)

    def _logits(self, x: Any) -> Any:
        """Give float64 logits (K, C, n) of the members, over the temperature."""
        if x.dtype not in self._members:
            self._members[x.dtype] = _as_dtype(self._members[_DTYPES[-1]], x.dtype)
        members, n = self._members[x.dtype], len(x)
        z = np.empty((len(members), len(self.classes_), n))  # long rows, over which sums are fast
        block = max(MIN_BLOCK_ROWS, BLOCK_BYTES // (self._widest * x.itemsize))
        buffers = [np.empty((min(n, block), b.shape[1]), x.dtype) for _, b, _ in members[0]]
        for start in range(0, n, block):
            rows = x[start : start + block]
            if not math.isfinite(np.vdot(rows, rows)):  # costs less than a look at each
                _check_finite(rows, start)
            for layers, out in zip(members, z, strict=True):
                a = rows
                for (weights, bias, activation), buffer in zip(layers, buffers, strict=True):
                    a = np.matmul(a, weights, out=buffer[: len(rows)])
                    a += bias
                    if activation is not None:
                        ACTIVATIONS[activation](a)
                logits = out[:, start : start + block]
                np.divide(a.T, self._temperature, out=logits, dtype=out.dtype)
        return z

    def _recompute(self, z: Any, x: Any) -> None:
        """Write logits in float64 over those that float32 could not hold."""
        rows = _rows_without_differences(z)
        if x.dtype == np.float32 and len(rows):
            again = self._logits(x[rows].astype(np.float64))
            z[:, :, rows] = again
            rows = rows[_rows_without_differences(again)]
        if len(rows):
            raise ValueError(
                f"there are no finite probabilities for row {rows[0]} of x, whose values are too "
                "large for the weights of this model. Scale the features as in training"
            )


def _as_numbers(x: Any) -> Any:
    cells = x.ravel().tolist() if x.dtype.kind == "O" else []
    if x.dtype.kind not in "biufO" or any(isinstance(cell, (str, bytes)) for cell in cells):
        raise TypeError(f"it holds {'text' if cells else x.dtype}")
    return x if x.dtype in _DTYPES else x.astype(np.float64)


def _check_finite(block: Any, start: int) -> None:
    is_finite = np.isfinite(block)
    if not is_finite.all():
        row, column = np.argwhere(~is_finite)[0]
        raise ValueError(
            f"x holds NaN or infinity in row {start + row}, column {column}. Fill missing cells "
            "as in training"
        )


def _rows_without_differences(z: Any) -> Any:
    return np.flatnonzero(~np.isfinite(np.ptp(z, axis=1)).all(axis=0))


def _folded(header: Header, arrays: Arrays, k: int) -> list[Any]:
    """Give weights, bias and activation of a member's layers, without batch norm, in float64."""
    layers: list[Any] = []
    activation = header["architecture"]["activation"]
    if type(activation) is str:
        activation = [activation] * len(header["architecture"]["hidden_layer_sizes"])
    for layer, g in enumerate([*activation, None]):
        weights = arrays[f"weights_{layer}"][k].astype(np.float64)
        if f"gamma_{layer}" in arrays:
            each = (arrays[f"{kind}_{layer}"][k] for kind in OF_BATCH_NORM)
            gamma, beta, mean, var = (values.astype(np.float64) for values in each)
            scale = gamma / np.sqrt(var + arrays["bn_epsilon"][k])
            weights, bias = weights * scale, beta - mean * scale
        else:
            bias = arrays[f"bias_{layer}"][k].astype(np.float64)
        layers.append((weights, bias[None], g))
    return layers


def _as_dtype(members: list[Any], dtype: Any) -> list[Any]:
    return [[(w.astype(dtype), b.astype(dtype), g) for w, b, g in each] for each in members]
