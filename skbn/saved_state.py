"""The state of an estimator as plain data, for files that run no code when they are loaded."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from os import fspath
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from scipy import stats
from sklearn.metrics import get_scorer, get_scorer_names

from skbn import _version
from skbn._compat import name_of_scorer
from skbn.network.own_functions import OwnFunction, has_own_name

SCALARS = frozenset((type(None), bool, int, float, str))
FROZEN = (type(stats.uniform()), type(stats.randint(0, 1)))
DISTRIBUTIONS = {
    each.name: each
    for each in (getattr(stats, name) for name in stats.__all__)
    if isinstance(each, (stats.rv_continuous, stats.rv_discrete))
}


@dataclass(eq=False)
class Plain:
    """What stands in a saved state for a value that skops cannot save, or not safely.

    Parameters
    ----------
    form : str
        A key of ``FORMS``.
    content : object
        Numbers, text, arrays, and lists and dicts of such.
    """

    form: str
    content: Any


class Form(NamedTuple):
    """How values of one kind are saved."""

    write: Callable[[Any], Any]  # from a value to its content; None for values of other kinds
    read: Callable[[Any], Any]  # back; what could not be written is refused, and never called


class Versioned:
    """An estimator whose saved state is plain, and carries the version of skbn."""

    def __getstate__(self) -> dict[str, Any]:
        state: dict[str, Any] = super().__getstate__()  # type: ignore[assignment]
        return {**as_plain(state), "_skbn_version": _version.__version__}

    def __setstate__(self, state: dict[str, Any]) -> None:
        name = type(self).__name__
        require(type(state) is dict, name)
        version = state.get("_skbn_version", "0.1")
        require(type(version) is str, name)
        if version.startswith("0.1"):
            _version.refuse_files_of_0_1(f"this {name}")
        if version != _version.__version__:
            warnings.warn(
                f"This {name} was saved with skbn {version} and is loaded with skbn "
                f"{_version.__version__}, which may not predict the same. Load it with the version "
                "that saved it, or fit it again",
                stacklevel=2,
            )
        own = {key: value for key, value in state.items() if key != "_skbn_version"}
        super().__setstate__(from_plain(own))  # type: ignore[misc]


def as_plain(state: Any) -> Any:
    """Give a state in which `Plain` stands for what skops cannot save, or not safely.

    What is not changed is not copied, and what was one object stays one.
    """
    return _Conversion(_written)(state)


def from_plain(state: Any) -> Any:
    """Give the state that `as_plain` was given; a `ValueError` if it was never given such."""
    return _Conversion(_read)(state)


class _Conversion:
    """A conversion of all that containers hold, once for each object."""

    def __init__(self, convert: Callable[[Any, str], Any]) -> None:
        self.convert = convert
        self.name = ""  # of the item that is converted, in the dict that is nearest
        self.done: dict[int, tuple[Any, Any]] = {}  # with the object, so that its id stays its own

    def __call__(self, value: Any) -> Any:
        if type(value) in SCALARS:
            return value
        if id(value) not in self.done:
            self.done[id(value)] = value, self.convert(self._with_items_converted(value), self.name)
        return self.done[id(value)][1]

    def _named(self, name: str, value: Any) -> Any:
        around, self.name = self.name, name
        converted = self(value)
        self.name = around
        return converted

    def _with_items_converted(self, value: Any) -> Any:
        if type(value) is dict:
            items = {key: self._named(str(key), item) for key, item in value.items()}
            return value if _are_same(items.values(), value.values()) else items
        if type(value) in (list, tuple):
            if SCALARS.issuperset(map(type, value)):  # such as a history
                return value
            items = type(value)(map(self, value))
            return value if _are_same(items, value) else items
        if type(value) is Plain:
            return Plain(value.form, self(value.content))
        if isinstance(value, np.ndarray) and value.dtype == object:
            return self._array(value)
        return value

    def _array(self, array: Any) -> Any:
        before = np.ma.getdata(array)
        items = [self(item) for item in before.flat]
        if _are_same(items, before.flat):
            return array
        array = array.copy()
        after = np.ma.getdata(array)
        for where, item in zip(np.ndindex(after.shape), items, strict=True):
            after[where] = item
        return array


def _are_same(items: Iterable[Any], others: Iterable[Any]) -> bool:
    return all(one is other for one, other in zip(items, others, strict=True))


def _written(value: Any, name: str) -> Any:
    if callable(value) and not isinstance(value, type) and not has_own_name(value):
        return OwnFunction(value, name)
    for kind, form in FORMS.items():
        if (content := form.write(value)) is not None:
            return Plain(kind, content)
    return value


def _read(value: Any, name: str) -> Any:
    if type(value) is OwnFunction:
        return value.function
    if type(value) is not Plain:
        return value
    require(type(value.form) is str and value.form in FORMS, "form")
    return FORMS[value.form].read(value.content)


def require(is_right: bool, what: str) -> None:
    """Refuse a state with something in it that was not saved so."""
    if not is_right:
        raise ValueError(
            f"the saved state holds a {what} that skbn has not written: the file is damaged, or "
            "was changed. Load a copy, or fit again"
        )


def _write_frame(value: Any) -> dict[str, Any] | None:
    """Columns by name; of the index the labels, unless it is a count of the rows."""
    if type(value) is not pd.DataFrame:
        return None
    is_counted = value.index.equals(pd.RangeIndex(len(value)))
    labels = None if is_counted else list(value.index)
    names = [*value.columns, *(labels or ())]
    are_of_numpy = all(isinstance(dtype, np.dtype) for dtype in value.dtypes)
    if not (are_of_numpy and value.columns.is_unique and all(type(name) is str for name in names)):
        return None
    columns = {name: column.to_numpy() for name, column in value.items()}
    return {"columns": columns, "labels": labels}


def _read_frame(content: Any) -> pd.DataFrame:
    columns, labels = _parts(content, "table", columns=dict, labels=(list, type(None)))
    require(all(type(name) is str for name in [*columns, *(labels or ())]), "table")
    arrays = list(columns.values())
    kinds = np.ndarray, np.memmap  # as joblib loads them with mmap_mode
    require(all(type(array) in kinds and array.ndim == 1 for array in arrays), "table")
    n_rows = {len(each) for each in [*arrays, labels] if each is not None}
    require(len(n_rows) <= 1, "table")
    series = {name: pd.Series(c, labels, dtype=c.dtype) for name, c in columns.items()}
    return pd.DataFrame(series, columns=list(columns))


def _write_distribution(value: Any) -> dict[str, Any] | None:
    """A distribution of scipy.stats: its own state would run what is written in it."""
    if type(value) not in FROZEN or not _are_numbers([*value.args, *value.kwds.values()]):
        return None
    name = value.dist.name
    is_known = type(DISTRIBUTIONS.get(name)) is type(value.dist)
    return {"name": name, "args": list(value.args), "kwds": value.kwds} if is_known else None


def _read_distribution(content: Any) -> Any:
    name, args, kwds = _parts(content, "distribution", name=str, args=list, kwds=dict)
    is_right = name in DISTRIBUTIONS and _are_numbers([*args, *kwds.values()])
    require(is_right and all(type(key) is str for key in kwds), "distribution")
    return DISTRIBUTIONS[name](*args, **kwds)


def _read_scorer(content: Any) -> Any:
    require(type(content) is str and content in get_scorer_names(), "scorer")
    return get_scorer(content)


def _write_range(value: Any) -> list[int] | None:
    return [value.start, value.stop, value.step] if type(value) is range else None


def _read_range(content: Any) -> range:
    is_right = type(content) is list and len(content) == 3 and all(type(n) is int for n in content)
    require(is_right and content[2] != 0, "range")
    return range(*content)


def _read_path(content: Any) -> Path:
    require(type(content) is str, "path")
    return Path(content)


def _write_mapping(value: Any) -> list[list[Any]] | None:
    """A dict whose keys skops, which makes text of them, would not load as they are."""
    if type(value) is not dict or {type(key) for key in value} in (set(), {str}, {int}):
        return None
    return [list(value), list(value.values())] if all(map(_is_key, value)) else None


def _read_mapping(content: Any) -> dict[Any, Any]:
    is_right = type(content) is list and [type(part) for part in content] == [list, list]
    require(is_right and len(content[0]) == len(content[1]), "dict")
    require(all(map(_is_key, content[0])), "dict")
    return dict(zip(*content, strict=True))


def _is_key(value: Any) -> bool:
    return type(value) in SCALARS or isinstance(value, np.generic)


def _are_numbers(values: list[Any]) -> bool:
    return all(
        type(value) in (bool, int, float)
        or (isinstance(value, (np.generic, np.ndarray)) and value.dtype.kind in "biuf")
        for value in values
    )


def _parts(content: Any, what: str, **types: Any) -> list[Any]:
    """The parts of a content by name, whose types must be these."""
    require(type(content) is dict and content.keys() == types.keys(), what)
    require(all(isinstance(content[name], kind) for name, kind in types.items()), what)
    return [content[name] for name in types]


FORMS = {
    "table": Form(_write_frame, _read_frame),
    "distribution": Form(_write_distribution, _read_distribution),
    "scorer": Form(name_of_scorer, _read_scorer),
    "range": Form(_write_range, _read_range),
    "path": Form(lambda value: fspath(value) if isinstance(value, Path) else None, _read_path),
    "mapping": Form(_write_mapping, _read_mapping),
}
