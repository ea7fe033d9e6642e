"""Digests of values: equal for equal values, in every process, and for no others."""

from __future__ import annotations

import copyreg
import re
import reprlib
import struct
import sys
from collections.abc import Callable, Iterable
from contextlib import suppress
from enum import Enum
from functools import cached_property
from hashlib import blake2b
from inspect import getattr_static
from operator import attrgetter
from types import BuiltinFunctionType, FunctionType, MethodType, ModuleType
from typing import Any

import numpy as np
import pandas as pd
from scipy.sparse import issparse
from scipy.stats import rv_continuous, rv_discrete

from skbn.journal import functions
from skbn.journal.canonical import ONE_DIMENSIONAL, as_given

BLOCK = 2**20
"""Bytes of an array that are copied at a time."""

STATE_OF_LIBRARIES = {"_sklearn_version", "_skbn_version", "_skl_callbacks", "__doc__"}
"""State that does not decide what an object does: callbacks of scikit-learn watch."""

SHORT = reprlib.Repr()
SHORT.maxstring = SHORT.maxother = 80
SHORT.maxlist = SHORT.maxtuple = SHORT.maxdict = SHORT.maxset = SHORT.maxarray = 8


class UnidentifiedError(ValueError):
    """A value that cannot be told from others by what it holds."""


def without_addresses(text: str) -> str:
    """Text of a ``repr`` without addresses, which differ from one process to the next."""
    return re.sub(r" at 0x[0-9a-fA-F]+", "", text)


def short_text(value: Any) -> str:
    """Text of a value for messages, on one line."""
    return without_addresses(" ".join(SHORT.repr(value).split()))


def digest_of(value: Any, name: str, form: Callable[[Any], Any] | None = None) -> str:
    """Digest of a value, item by item.

    Functions count by their code, defaults, closure, module and the global names they read;
    what a library defines, by its name; other objects by what `copy` and `pickle` would take,
    or by what their method ``to_digest`` gives.

    Parameters
    ----------
    value : object
    name : str
        What the value is, for messages.
    form : callable, optional
        Gives what is walked in place of the value.

    Returns
    -------
    digest : str

    Raises
    ------
    UnidentifiedError
        If some part has no value to go by, such as a lock, a generator or an open file.
    """
    walk = _Walk()
    try:
        return _joined("value", (walk(form(value) if form else value, name),))[1:].hex()
    except Exception as error:
        where = " of ".join(filter(None, reversed(walk.path or [name])))
        what = short_text(next(reversed(walk.open.values()), value))
        reason = "nested too deeply" if isinstance(error, RecursionError) else error
        raise UnidentifiedError(f"{where} is {what} ({reason})") from error


def _float(value: float) -> bytes:
    return b"f" + (b"nan" if value != value else struct.pack("<d", value))


def _text(value: str) -> bytes:
    return b"s" + value.encode("utf-8", "surrogatepass")


SCALARS: dict[type, Callable[[Any], bytes]] = {
    type(None): lambda value: b"none",
    type(...): lambda value: b"ellipsis",
    type(NotImplemented): lambda value: b"not implemented",
    bool: lambda value: b"b%d" % value,
    int: lambda value: b"i" + str(value).encode() if abs(value) < 2**64 else b"h%x" % value,
    float: _float,
    complex: lambda value: b"c" + _float(value.real) + _float(value.imag),
    str: _text,
    bytes: lambda value: b"y" + value,
}


def _joined(tag: str, parts: Iterable[bytes]) -> bytes:
    """Digest of parts, each with its length, so that no others run together to the same."""
    digest = blake2b(f"{tag}\n".encode(), digest_size=16)
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return b"#" + digest.digest()


class _Walk:
    """One walk through a value; what is met again is not walked again."""

    def __init__(self) -> None:
        self.known: dict[int, tuple[Any, bytes]] = {}
        self.open: dict[int, Any] = {}  # the values around the one that is walked
        self.path: list[str] = []  # their names, for messages

    def __call__(self, value: Any, name: str = "") -> bytes:
        if isinstance(value, (np.bool_, np.integer, np.float64, np.str_, np.bytes_)):
            value = value.item()
        if encode := SCALARS.get(type(value)):
            return encode(value)
        key = id(value)
        if key in self.known:
            return self.known[key][1]
        if key in self.open:
            return b"around%d" % (len(self.open) - list(self.open).index(key))
        self.open[key] = value
        self.path.append(name)
        tag, parts = self._parts(value)
        digest = _joined(tag, parts)
        self.path.pop()
        del self.open[key]
        self.known[key] = value, digest  # held, so that no other value gets its id
        return digest

    def _parts(self, value: Any) -> tuple[str, Iterable[bytes]]:
        """What a value is, and the digests of what it consists of."""
        kind = type(value)
        if kind in (list, tuple):
            return kind.__name__, map(self, value)
        if kind in (set, frozenset):
            return "set", sorted(map(self, value))
        if kind is dict:
            return "dict", sorted(self._item(*item) for item in value.items())
        if isinstance(value, Enum):
            return "enum", (self(kind), self(value.name), self(value.value))
        if isinstance(value, (np.ndarray, np.generic)):
            return self._array_parts(value)
        if issparse(value) or isinstance(value, (pd.DataFrame, *ONE_DIMENSIONAL)):
            return "data", (self(as_given(value)),)
        if isinstance(value, type):
            return self._class_parts(value)
        if isinstance(value, ModuleType):
            return "module", (self(value.__name__),)
        if callable(value) and (parts := self._callable_parts(value)):
            return parts
        return self._object_parts(value)

    def _item(self, key: Any, value: Any) -> bytes:
        return _joined("item", (self(key), self(value, f"item {short_text(key)}")))

    def _array_parts(self, value: Any) -> tuple[str, Iterable[bytes]]:
        tag = "array" if isinstance(value, np.ndarray) else "scalar"
        plain = as_given(value if tag == "array" else np.asarray(value))
        if not isinstance(plain, np.ndarray):
            return tag, (self(value.dtype.char), self(plain))
        dtype = plain.dtype.newbyteorder("<")
        return tag, (self(dtype.str), self(plain.shape), *_blocks(plain))

    def _named(self, values: dict[str, Any], name: str) -> list[bytes]:
        return [
            _joined(key, (self(value, name.format(key)),)) for key, value in sorted(values.items())
        ]

    def _class_parts(self, value: type) -> tuple[str, Iterable[bytes]]:
        name = [self(value.__module__), self(value.__qualname__)]
        if functions.is_library(value.__module__):
            return "class", name
        methods = functions.methods_of(value)
        parts = self._named(methods, "the method {!r}")
        constants = functions.constants_of(value, methods)
        if issubclass(value, Enum):
            constants = {name: member.value for name, member in value.__members__.items()}
        parts += self._named(constants, "the attribute {!r}")
        return "class", [*name, *map(self, value.__mro__[1:]), *parts]

    def _callable_parts(self, value: Any) -> tuple[str, Iterable[bytes]] | None:
        """Parts of a function or a method; None is for other callables."""
        if isinstance(value, FunctionType):
            if functions.of_library(value):
                return "name", (self(value.__module__), self(value.__qualname__))
            return "function", self._function_parts(value)
        if isinstance(value, MethodType):
            return "method", (self(value.__func__), self(value.__self__, "the object"))
        owner = getattr(value, "__self__", None)
        if isinstance(value, BuiltinFunctionType) and not isinstance(owner, ModuleType | None):
            return "method", (self(value.__name__), self(owner, "the object"))
        if isinstance(value, np.ufunc):
            return "name", self._named_parts(value, value.__name__)
        if hasattr(value, "cache_info") and hasattr(value, "__wrapped__"):  # of functools
            return "cached", (self(value.__wrapped__),)
        return None

    def _function_parts(self, value: FunctionType) -> list[bytes]:
        where = f" of the function {value.__qualname__}"
        parts = [self(value.__module__), self(functions.code_of(value.__code__))]
        parts += [self(value.__defaults__, f"a default{where}")]
        parts += [self(value.__kwdefaults__, f"a default{where}")]
        parts += self._named(functions.cells_of(value), f"the variable {{!r}}{where}")
        if not functions.is_library(value.__module__ or ""):
            parts += self._named(functions.globals_of(value), f"the global name {{!r}}{where}")
        return parts + self._named(functions.attributes_of(value), f"the attribute {{!r}}{where}")

    def _named_parts(self, value: Any, name: str) -> Iterable[bytes]:
        for module in (getattr(value, "__module__", None), "numpy", "scipy.special"):
            with suppress(AttributeError, KeyError):
                if module and attrgetter(name)(sys.modules[module]) is value:
                    return self(module), self(name)
        raise TypeError(f"{name} is not the name of it in a module")

    def _object_parts(self, value: Any) -> tuple[str, Iterable[bytes]]:
        if own := getattr_static(type(value), "to_digest", None):
            return "object", (self(type(value)), self(own(value)))
        reduce = copyreg.dispatch_table.get(type(value))
        reduced = value.__reduce_ex__(4) if reduce is None else reduce(value)
        if isinstance(reduced, str):
            return "name", self._named_parts(value, reduced)
        made_by, arguments, state, items, pairs = (*reduced, None, None, None)[:5]
        if isinstance(state, dict):
            own = _decisive(value, state)
            state = self(None), *self._named(own, f"the attribute {{!r}} of {type(value).__name__}")
        else:
            state = (self(state),)
        contents = self(list(items or ())), self([list(pair) for pair in pairs or ()])
        return "object", (self(type(value)), self(made_by), self(arguments), *contents, *state)


def _decisive(value: Any, state: dict[str, Any]) -> dict[str, Any]:
    """State without what follows from the rest of it, and what says nothing of the value."""
    left_out = set(STATE_OF_LIBRARIES)
    if not functions.is_library(type(value).__module__):
        left_out |= functions.books_of(functions.methods_of(type(value)))
    if isinstance(value, (rv_continuous, rv_discrete)):
        left_out.add("_random_state")  # NumPy's own, which goes on with each draw
    elif isinstance(value, np.vectorize):
        left_out.add("_ufunc")  # made in the first call
    return {
        str(name): item
        for name, item in state.items()
        if name not in left_out
        and not isinstance(getattr_static(type(value), str(name), None), cached_property)
    }


def _blocks(array: np.ndarray) -> Iterable[bytes]:
    """Bytes of an array in C order, the first of them little end first, NaN always the same."""
    rows = array.reshape(1) if array.ndim == 0 else array
    n_rows = max(1, BLOCK // max(1, rows[:1].nbytes))
    digest = blake2b(digest_size=16)
    for start in range(0, len(rows), n_rows):
        digest.update(_plain_bytes(rows[start : start + n_rows]))
    yield digest.digest()


def _plain_bytes(block: np.ndarray) -> bytes:
    if block.dtype.char == "g":  # has bytes that mean nothing
        with np.errstate(all="ignore"):
            high = block.astype(np.float64)
            return high.tobytes() + (block - high).astype(np.float64).tobytes()
    block = block.astype(block.dtype.newbyteorder("<"), copy=False)
    if block.dtype.kind in "fc" and (missing := np.isnan(block)).any():
        block = np.where(missing, np.array(np.nan, block.dtype), block)
    return block.tobytes()
