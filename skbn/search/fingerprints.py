"""What tells one search from another: digests by value, with words for what differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from numbers import Integral
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from sklearn.base import clone

from skbn.search.canonical import as_seen, columns_of
from skbn.search.values import UnidentifiedError, digest_of, short_text

MAX_COLUMNS = 200
"""Columns of a frame that messages can name."""


class Fingerprint(NamedTuple):
    """What tells a thing from others, and the same of its parts."""

    digest: str  # by value; "" if it cannot be identified by value
    text: str  # short, for messages; why, if it cannot
    parts: Mapping[str, Any] = {}  # fingerprints by name; nobody changes them

    def to_json(self) -> str:
        """Write it as text."""
        return json.dumps(self)

    @classmethod
    def of(cls, plain: list[Any]) -> Fingerprint:
        """Make it of what was read from such text."""
        digest, text, parts = plain
        return cls(str(digest), str(text), {name: cls.of(part) for name, part in parts.items()})


Identity = Mapping[str, Fingerprint]
"""Of a search: what decides its outcome, by the names that messages use."""


def of_search(
    search: Any,
    space: Any,
    X: Any,
    y: Any,
    params: Mapping[str, Any],
    splits: Sequence[tuple[Any, Any]],
    initial_points: Any,
) -> dict[str, Fingerprint]:
    """Identity of a search: searches with the same one have the same outcome.

    Parameters
    ----------
    search : CoarseToFineSearchCV
        For its parameters.
    space : Space
    X, y : array-like
        Its data.
    params : dict of str to object
        Further arguments of `fit`.
    splits : list of (ndarray, ndarray)
        Rows to train and to test on.
    initial_points : ndarray or None
        Points from which it starts.

    Returns
    -------
    identity : dict of str to Fingerprint
    """
    # Whether the best is fitted again changes no result; a name or a function may choose it.
    refit = None if isinstance(search.refit, (bool, np.bool_)) else search.refit
    scoring = {"scoring": search.scoring, "refit": refit, "error_score": search.error_score}
    resource = f"{search.resource}, min_epochs={search.min_epochs}, "
    resource += f"max_epochs={search.max_epochs}, eta={search.eta}"
    seed = search.random_state
    return {
        "data": of_data(X, y, params),
        "estimator": of_estimator(clone(search.estimator), "", "the estimator"),
        "param_distributions": of_space(space),
        "scoring": _of_parts({name: _of_scoring(value, name) for name, value in scoring.items()}),
        "n_candidates and n_rounds": _of_text(f"{search.n_candidates} and {search.n_rounds}"),
        "resource": _of_text(resource),
        "random_state": _of_text(str(int(seed)) if is_seed(seed) else "not fixed"),
        "splits": _of(splits, "cv", _rows_of_splits, f"{len(splits)} splits"),
        "start": _of(initial_points, "start", text=""),
    }


def is_seed(random_state: Any) -> bool:
    """Whether the same search can be made again: a number seeds it, and not a stream."""
    return isinstance(random_state, Integral)


def of_data(X: Any, y: Any, params: Mapping[str, Any]) -> Fingerprint:
    """Fingerprint of what `fit` was given, by value.

    Parameters
    ----------
    X, y : array-like
        Names and dtypes of the columns of X count, and no index.
    params : dict of str to object
        Further arguments of `fit`.
    """
    named = {"X": _of_table(X, "X"), "y": _of_rows(y, "y")}
    given = {name: value for name, value in params.items() if value is not None}
    named |= {name: _of_table(value, name) for name, value in given.items()}
    return _of_parts(named)


def of_estimator(estimator: Any, prefix: str, name: str) -> Fingerprint:
    """Fingerprint of an estimator that was not fitted, and of its parameters by name."""
    parts = {}
    for own, value in estimator.get_params(deep=True).items():
        label = f"{prefix}{own}"
        if "__" in own or _holds_estimators(value):  # which have names of their own
            continue
        if _is_estimator(value):
            parts[label] = of_estimator(value, f"{label}__", f"{label} of the estimator")
        else:
            parts[label] = _of(value, f"the parameter {label!r} of the estimator")
    whole = _of(estimator, name, text=type(estimator).__name__)
    unknown = next((part for part in parts.values() if not part.digest), None)
    return unknown or whole._replace(parts=parts)


def of_space(space: Any) -> Fingerprint:
    """Fingerprint of a space, and of its distributions by parameter."""
    parts, digests = {}, []
    for index, part in enumerate(space.parts):
        for name, distribution in part.items():
            what = f"param_distributions[{name!r}]"
            label = name if len(space.parts) == 1 else f"{name} (dict {index})"
            text = short_text(distribution)
            parts[label] = _of(distribution, what, _with_clones, text)
            digests.append((index, name, parts[label].digest))  # their order decides draws
    return _of_parts(parts, digests)


def _with_clones(distribution: Any) -> Any:
    """Values of a list, estimators as they are set: not fitted."""
    values = getattr(distribution, "values", None)
    if not isinstance(values, list):
        return distribution
    return [clone(value) if _is_estimator(value) else value for value in values]


def _of_scoring(value: Any, name: str) -> Fingerprint:
    # The first of several scores leads the search.
    return _of(value, name, lambda v: list(v.items()) if isinstance(v, dict) else v)


def _holds_estimators(value: Any) -> bool:
    """Whether a value is a list of steps, or of estimators."""
    items = value if isinstance(value, (list, tuple)) else ()
    steps = [step for step in items if isinstance(step, tuple)]
    return any(map(_is_estimator, items)) or any(_is_estimator(each) for s in steps for each in s)


def _is_estimator(value: Any) -> bool:
    return hasattr(value, "get_params") and not isinstance(value, type)


def _rows_of_splits(splits: Sequence[tuple[Any, Any]]) -> list[Any]:
    return [as_seen(rows) for split in splits for rows in split]


def _of_table(data: Any, name: str) -> Fingerprint:
    """Fingerprint of rows whose columns may have names, and of these columns."""
    if not isinstance(data, pd.DataFrame) and hasattr(data, "to_pandas"):
        with suppress(Exception):  # which is told where the data are walked
            data = data.to_pandas()
    if not isinstance(data, pd.DataFrame) or data.shape[1] > MAX_COLUMNS:
        return _of_rows(data, name, with_names=True)
    labels = [f"column {column!r} of {name}" for column in data.columns]
    columns = [_of(*each) for each in zip(columns_of(data), labels, strict=True)]
    columns = [each._replace(text="") if each.digest else each for each in columns]
    whole = _of_parts(dict(zip(labels, columns, strict=True)), [each.digest for each in columns])
    return whole._replace(text=_text_of_rows(data)) if whole.digest else whole


def _of_rows(data: Any, name: str, with_names: bool = False) -> Fingerprint:
    return _of(data, name, lambda rows: as_seen(rows, with_names), _text_of_rows(data))


def _text_of_rows(data: Any) -> str:
    if hasattr(data, "shape"):
        dtype = f" of {data.dtype}" if hasattr(data, "dtype") else ""
        return f"{type(data).__name__}{dtype} with shape {tuple(data.shape)}"
    if isinstance(data, (list, tuple)):
        return f"{type(data).__name__} with {len(data)} items"
    return short_text(data)


def _of(
    value: Any, name: str, form: Callable[[Any], Any] | None = None, text: str | None = None
) -> Fingerprint:
    """Fingerprint of a value in some form; it is shown as ``text``, or else as itself."""
    try:
        return Fingerprint(
            digest_of(value, name, form), short_text(value) if text is None else text
        )
    except UnidentifiedError as error:
        return Fingerprint("", str(error))


def _of_text(text: str) -> Fingerprint:
    return Fingerprint(text, text)


def _of_parts(parts: dict[str, Fingerprint], more: Any = None) -> Fingerprint:
    """Fingerprint of several things by name, or the first of them that cannot be identified."""
    unknown = next((part for part in parts.values() if not part.digest), None)
    digests = [(name, part.digest) for name, part in parts.items()], more
    return unknown or Fingerprint(digest_of(digests, ""), "", parts)


def check_identified(identity: Identity) -> None:
    """Refuse a search that could not be told from another one, naming what is to blame."""
    for each in identity.values():
        if not each.digest:
            raise ValueError(
                f"a journal must tell its search from others, and {each.text}, which cannot be "
                "identified by value. Give arrays, plain values, functions or objects that can be "
                "pickled instead, or journal=None"
            )


def differences(before: Identity, now: Identity, words: tuple[str, str]) -> dict[str, str]:
    """What differs between two identities, by name, with details.

    Parameters
    ----------
    before, now : mapping of str to Fingerprint
    words : (str, str)
        For the first and the second, such as "there" and "here".
    """
    found = {}
    for name in now:
        details = _details(before.get(name, Fingerprint("", "")), now[name], "", words)
        if details:
            found[name] = " and ".join([*details[:2], "more"] if details[2:] else details)
    if "data" in found and "splits" in found:
        del found["splits"]  # which follow from the data
    return found


def _details(before: Fingerprint, now: Fingerprint, name: str, words: tuple[str, str]) -> list[str]:
    if before.digest == now.digest and (now.digest or before.text == now.text):
        return []
    if before.text != now.text:
        start = f"{name}: " if name else ""
        return [f"{start}{before.text} {words[0]}, {now.text} {words[1]}"]
    found = []
    for part in dict.fromkeys([*before.parts, *now.parts]):
        one, other = before.parts.get(part), now.parts.get(part)
        if one is None or other is None:
            found.append(f"{part} {words[other is not None]} only")
        else:
            found += _details(one, other, part, words)
    return found or [f"{name} has another value" if name else "the values differ"]


def check_same_search(identity: Identity, before: Identity) -> None:
    """Refuse to extend a search with another identity than it had before."""
    for name, details in differences(before, identity, ("before", "now")).items():
        raise ValueError(
            f"extend goes on with the search that was fitted, but {name} changed since "
            f"({details}); give the same, or use fit, or retune for new data"
        )
