"""What tells data and estimators from others: digests by value, with words for what differs."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any, NamedTuple

import pandas as pd

from skbn.journal.canonical import as_seen, columns_of
from skbn.journal.values import UnidentifiedError, digest_of, short_text

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
"""What decides the outcome of a search, say, by the names that messages use."""


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
    return of_parts(named)


def of_estimator(estimator: Any, prefix: str, name: str) -> Fingerprint:
    """Fingerprint of an estimator that was not fitted, and of its parameters by name."""
    parts = {}
    for own, value in estimator.get_params(deep=True).items():
        label = f"{prefix}{own}"
        if "__" in own or _holds_estimators(value):  # which have names of their own
            continue
        if is_estimator(value):
            parts[label] = of_estimator(value, f"{label}__", f"{label} of the estimator")
        else:
            parts[label] = of_value(value, f"the parameter {label!r} of the estimator")
    whole = of_value(estimator, name, text=type(estimator).__name__)
    unknown = next((part for part in parts.values() if not part.digest), None)
    return unknown or whole._replace(parts=parts)


def _holds_estimators(value: Any) -> bool:
    """Whether a value is a list of steps, or of estimators."""
    items = value if isinstance(value, (list, tuple)) else ()
    steps = [step for step in items if isinstance(step, tuple)]
    return any(map(is_estimator, items)) or any(is_estimator(each) for s in steps for each in s)


def is_estimator(value: Any) -> bool:
    """Whether a value has parameters of its own."""
    return hasattr(value, "get_params") and not isinstance(value, type)


def _of_table(data: Any, name: str) -> Fingerprint:
    """Fingerprint of rows whose columns may have names, and of these columns."""
    if not isinstance(data, pd.DataFrame) and hasattr(data, "to_pandas"):
        with suppress(Exception):  # which is told where the data are walked
            data = data.to_pandas()
    if not isinstance(data, pd.DataFrame) or data.shape[1] > MAX_COLUMNS:
        return _of_rows(data, name, with_names=True)
    labels = [f"column {column!r} of {name}" for column in data.columns]
    columns = [of_value(*each) for each in zip(columns_of(data), labels, strict=True)]
    columns = [each._replace(text="") if each.digest else each for each in columns]
    whole = of_parts(dict(zip(labels, columns, strict=True)), [each.digest for each in columns])
    return whole._replace(text=_text_of_rows(data)) if whole.digest else whole


def _of_rows(data: Any, name: str, with_names: bool = False) -> Fingerprint:
    return of_value(data, name, lambda rows: as_seen(rows, with_names), _text_of_rows(data))


def _text_of_rows(data: Any) -> str:
    if hasattr(data, "shape"):
        dtype = f" of {data.dtype}" if hasattr(data, "dtype") else ""
        return f"{type(data).__name__}{dtype} with shape {tuple(data.shape)}"
    if isinstance(data, (list, tuple)):
        return f"{type(data).__name__} with {len(data)} items"
    return short_text(data)


def of_value(
    value: Any, name: str, form: Callable[[Any], Any] | None = None, text: str | None = None
) -> Fingerprint:
    """Fingerprint of a value in some form; it is shown as ``text``, or else as itself."""
    try:
        return Fingerprint(
            digest_of(value, name, form), short_text(value) if text is None else text
        )
    except UnidentifiedError as error:
        return Fingerprint("", str(error))


def of_text(text: str) -> Fingerprint:
    """Fingerprint of a text, which is shown as it is."""
    return Fingerprint(text, text)


def of_parts(parts: dict[str, Fingerprint], more: Any = None) -> Fingerprint:
    """Fingerprint of several things by name, or the first of them that cannot be identified."""
    unknown = next((part for part in parts.values() if not part.digest), None)
    digests = [(name, part.digest) for name, part in parts.items()], more
    return unknown or Fingerprint(digest_of(digests, ""), "", parts)


def check_identified(identity: Identity, noun: str) -> None:
    """Refuse what could not be told from another one, naming what is to blame.

    Parameters
    ----------
    identity : mapping of str to Fingerprint
    noun : str
        What it is the identity of, such as "search".
    """
    for each in identity.values():
        if not each.digest:
            raise ValueError(
                f"a journal must tell its {noun} from others, and {each.text}, which cannot be "
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
            found.append(f"{part} is missing {words[other is None]}")
        else:
            found += _details(one, other, part, words)
    return found or [f"{name} has another value" if name else "the values differ"]
