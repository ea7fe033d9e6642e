"""What a function is made of: code, and the global names it reads; what a library defines."""

from __future__ import annotations

import dis
import inspect
import sys
import sysconfig
from collections.abc import Mapping
from contextlib import suppress
from functools import cached_property, lru_cache
from importlib.util import find_spec
from itertools import chain, pairwise
from operator import attrgetter
from pathlib import Path
from types import CodeType, FunctionType, ModuleType
from typing import Any

import numpy as np

FOLDERS = tuple(
    Path(str(folder)).resolve()
    for folder in [
        *(sysconfig.get_paths()[name] for name in ("stdlib", "platstdlib", "purelib", "platlib")),
        Path(__file__).parents[1],
    ]
)
"""Where libraries are, whose code nobody edits between two runs of a script."""

CHANGES = {
    *("add", "append", "appendleft", "clear", "discard", "extend", "insert", "pop", "popitem"),
    *("popleft", "remove", "setdefault", "update"),
}
"""Methods that change a container."""
READS = ("LOAD_ATTR", "LOAD_METHOD")
"""Instructions that read an attribute."""
OF_ITEMS = ("STORE_SUBSCR", "DELETE_SUBSCR", "COPY")
"""Instructions after the loading of a container and a key, by which an item is changed."""


@lru_cache(maxsize=1000)
def is_library(module: str) -> bool:
    """Whether a module is part of an installed library, and not code of the user."""
    if module == "__main__":  # whose file is one of a library in workers of joblib
        return False
    path = getattr(sys.modules.get(module), "__file__", None)
    if path is None:
        return module.partition(".")[0] in sys.stdlib_module_names
    return _is_in_library(Path(path))


def _is_in_library(file: Path) -> bool:
    folders = file.resolve().parents
    names = {folder.name for folder in folders}
    return bool(names & {"site-packages", "dist-packages"}) or any(f in folders for f in FOLDERS)


def of_library(value: Any, name: str = "") -> bool:
    """Whether a function or a class can be imported from a library by its own name."""
    module = getattr(value, "__module__", None) or ""
    try:
        found = attrgetter(name or value.__qualname__)(sys.modules[module])
    except (AttributeError, KeyError):
        return False
    return found is value and is_library(module)


def code_of(code: CodeType) -> tuple[Any, ...]:
    """All that decides what code does: not its name, nor where it stands."""
    constants = tuple(code_of(c) if isinstance(c, CodeType) else c for c in code.co_consts)
    names = code.co_names, code.co_varnames, code.co_freevars, code.co_cellvars
    n_arguments = code.co_argcount, code.co_posonlyargcount, code.co_kwonlyargcount
    # The exception table, of Python 3.11, says where errors are caught.
    return code.co_code, code.co_exceptiontable, code.co_flags, constants, names, n_arguments


def cells_of(function: FunctionType) -> dict[str, Any]:
    """Values of an enclosing function that a function reads, by name.

    Those that it writes as well, such as a counter, are state and no part of it.
    """
    code = function.__code__
    written, instructions = _written(code, "DEREF"), _instructions(code)
    found = {}
    for name, cell in zip(code.co_freevars, function.__closure__ or (), strict=True):
        try:
            if name not in written:
                found[name] = cell.cell_contents
        except ValueError:  # not assigned yet
            continue
    for one, following in pairwise(instructions):
        if one.opname == "LOAD_DEREF" and one.argval in found:
            found |= _read_of_class(one.argval, found[one.argval], following, code)
    return found


def globals_of(function: FunctionType) -> dict[str, Any]:
    """Values of the global names that a function reads, also of the user's modules.

    Those that it writes as well are state and no part of it.
    """
    instructions = _instructions(function.__code__)
    written = _written(function.__code__, "GLOBAL")
    found: dict[str, Any] = {}
    for position, instruction in enumerate(instructions):
        name = instruction.argval
        is_read = instruction.opname in ("LOAD_GLOBAL", "LOAD_NAME") and name not in written
        if is_read and name in function.__globals__:
            value = function.__globals__[name]
            for following in instructions[position + 1 :]:
                if not (following.opname in READS and isinstance(value, ModuleType)):
                    found |= _read_of_class(name, value, following, function.__code__)
                    break
                if is_library(value.__name__) or not hasattr(value, following.argval):
                    break
                name, value = f"{name}.{following.argval}", getattr(value, following.argval)
            found[name] = value
        elif instruction.opname == "IMPORT_NAME":
            found |= _source_of(name, function.__globals__.get("__name__", ""))
    return found


def _read_of_class(
    name: str, value: Any, following: dis.Instruction, code: CodeType
) -> dict[str, Any]:
    """Value of an attribute that code reads of a class of the user, and does not write.

    Not so of estimators, whose parameters are in the instance.
    """
    attribute = following.argval
    is_read = isinstance(value, type) and following.opname in READS
    if not is_read or is_library(value.__module__) or attribute in _written(code, "ATTR"):
        return {}
    if hasattr(value, "get_params"):
        return {}
    found = inspect.getattr_static(value, attribute, None)
    return {f"{name}.{attribute}": found} if isinstance(found, CONSTANT + CONTAINERS) else {}


def _source_of(module: str, package: str) -> dict[str, Any]:
    """Text of a module of the user that a function imports, by its name."""
    with suppress(ImportError, ValueError, AttributeError):
        spec = find_spec(module, package)
        file = Path(spec.origin) if spec and spec.has_location and spec.origin else None
        if file and not _is_in_library(file):
            return {f"import {module}": file.read_bytes()}
    return {}


@lru_cache(maxsize=1000)
def _written(code: CodeType, kind: str) -> frozenset[str]:
    """Names of a kind that code assigns, or whose containers it changes."""
    all_of_it = _instructions(code)
    found = {each.argval for each in all_of_it if each.opname == f"STORE_{kind}"}
    for one, other, third in zip(all_of_it, all_of_it[1:], all_of_it[2:], strict=False):
        is_changed = other.opname in READS and other.argval in CHANGES
        is_changed |= other.opname.startswith("LOAD_") and third.opname in OF_ITEMS
        if one.opname in (f"LOAD_{kind}", "LOAD_NAME") and is_changed:
            found.add(one.argval)
    return frozenset(found)


@lru_cache(maxsize=1000)  # functions of an estimator are asked in each call of partial_fit
def _instructions(code: CodeType) -> tuple[dis.Instruction, ...]:
    inner = [_instructions(each) for each in code.co_consts if isinstance(each, CodeType)]
    return (*dis.get_instructions(code), *chain.from_iterable(inner))


def books_of(methods: Mapping[str, FunctionType]) -> set[str]:
    """Attributes that methods of callables write when they are called, such as a counter."""
    if "__call__" not in methods:
        return set()
    called = [method for name, method in methods.items() if name not in ("__init__", "__new__")]
    return set().union(*(_written(m.__code__, "ATTR") for m in called))


OF_FUNCTIONS = frozenset(dir(books_of))
"""Attributes that all functions have."""
OF_OBJECTS = frozenset(dir(object))
"""Attributes that all objects have."""


def attributes_of(function: FunctionType) -> dict[str, Any]:
    """Attributes that were set on a function."""
    names = sorted(set(dir(function)) - OF_FUNCTIONS)
    return {name: getattr(function, name) for name in names if name != "__wrapped__"}


CONSTANT = (type(None), bool, int, float, complex, str, bytes, tuple, frozenset, np.generic)
"""Types of the class attributes that count by value."""
CONTAINERS = (list, dict, set, np.ndarray)
"""Types of those that count where code reads them, and does not change them."""


def constants_of(cls: type, methods: Mapping[str, FunctionType]) -> dict[str, Any]:
    """Constants of a class of callables, such as scorers, but not those of its bases.

    What its methods write, such as a counter, is state. So are attributes of an estimator's
    class: its parameters are in the instance.
    """
    if "__call__" not in methods:
        return {}
    codes = [_instructions(method.__code__) for method in methods.values()]
    read = {each.argval for code in codes for each in code if each.opname in READS}
    found = {}
    for name in set(dir(cls)) - books_of(methods):
        if name.startswith("__"):
            continue
        value, *of_bases = (inspect.getattr_static(c, name, None) for c in (cls, *cls.__bases__))
        is_own = all(value is not other for other in of_bases)
        is_read = name in read and isinstance(value, CONTAINERS)
        if is_own and (is_read or isinstance(value, CONSTANT)):
            found[name] = value
    return found


def methods_of(cls: type) -> dict[str, FunctionType]:
    """Functions in a class and its bases that no library defines."""
    found: dict[str, Any] = {}
    for name in dir(cls):
        if name in OF_OBJECTS and getattr(cls, name) is getattr(object, name):
            continue  # as most are, and much quicker than the next line
        value = inspect.getattr_static(cls, name, None)
        parts = {name: value}
        if isinstance(value, (staticmethod, classmethod)):
            parts = {name: value.__func__}
        elif isinstance(value, property):
            parts = {f"{name}.{part}": getattr(value, part) for part in ("fget", "fset", "fdel")}
        elif isinstance(value, cached_property):
            parts = {name: value.func}
        elif hasattr(value, "cache_info"):  # of functools
            parts = {name: value.__wrapped__}
        found.update(parts)
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, FunctionType) and not is_library(value.__module__ or "")
    }
