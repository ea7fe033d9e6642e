"""Values that JSON lacks, as objects with one name."""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from typing import Any

import numpy as np

from skbn.export.predictor import check_fields, decoded_array, require
from skbn.network.forward_only import name_of

PLAIN = (type(None), bool, int, str)


def encoded(value: Any, name: str) -> Any:
    """Give a value as JSON has it.

    Parameters
    ----------
    value : object
    name : str
        What errors call it.

    Returns
    -------
    encoded : object

    Raises
    ------
    ValueError
        If it cannot be represented.
    """
    kind = type(value)
    if kind in PLAIN:
        return value
    if kind is float:
        return value if isfinite(value) else {"float": str(value)}
    if kind is list:
        return [encoded(each, name) for each in value]
    if kind is tuple:
        return {"tuple": [encoded(each, name) for each in value]}
    if kind is dict:
        return {"dict": [[encoded(each, name) for each in pair] for pair in value.items()]}
    if kind is np.ndarray:
        return {"array": encoded_array(value, name)}
    if isinstance(value, np.generic):
        return {"scalar": encoded_array(np.asarray(value), name)}
    if kind is np.random.RandomState:
        return {"RandomState": _encoded_random_state(value, name)}
    if callable(value):
        raise ValueError(
            f"{name} holds the function {name_of(value)}, which a model file cannot hold: it "
            "travels without code. Save the model with pickle or joblib; a loss may be a function "
            "with training_state=False"
        )
    raise _unknown(f"holds a {kind.__module__}.{kind.__qualname__}", name)


def encoded_array(array: Any, name: str) -> dict[str, Any]:
    """Give an array as JSON has it."""
    kind, dtype = array.dtype.kind, array.dtype.newbyteorder("<")
    values = array.ravel()
    if kind not in "biufUSMmO" or (kind == "f" and array.dtype.itemsize > 8):
        raise _unknown(f"is of the dtype {array.dtype}", name)
    if kind in "Mm":
        values = values.astype(dtype).view("<i8")
    values = values.tolist()
    if kind == "S":
        values = [each.decode("latin-1") for each in values]
    shape = list(array.shape)
    return {"dtype": array.dtype.str, "shape": shape, "values": encoded(values, name)}


def _encoded_random_state(value: np.random.RandomState, name: str) -> dict[str, Any]:
    state = value.get_state(legacy=False)
    if state["bit_generator"] != "MT19937":
        raise _unknown(f"is a RandomState of a {state['bit_generator']}", name)
    return {
        "key": state["state"]["key"].tolist(),
        "pos": int(state["state"]["pos"]),
        "has_gauss": int(state["has_gauss"]),
        "gauss": float(state["gauss"]),
    }


def _unknown(what: str, name: str) -> ValueError:
    return ValueError(
        f"{name} {what}, which a model file cannot hold: it holds numbers, text, None, lists, "
        "tuples, dicts, arrays of such and RandomState. Replace it by set_params, or save the "
        "model with skops.io.dump"
    )


def decoded(value: Any) -> Any:
    """Give the value that `encoded` encoded; raise a FormatError if it is none."""
    if isinstance(value, list):
        return [decoded(each) for each in value]
    if not isinstance(value, dict):
        require(type(value) is not float or isfinite(value), f"{value} is too large")
        return value
    require(len(value) == 1, "an object has several names")
    ((tag, content),) = value.items()
    require(tag in DECODERS, f"{tag[:50]!r} is no kind of value")
    return DECODERS[tag](content)


def _decoded_float(content: Any) -> float:
    require(content in ("nan", "inf", "-inf"), "a number is none")
    return float(content)


def _decoded_array(content: Any) -> Any:
    require(type(content) is dict, "an array is no object")
    return decoded_array(content | {"values": decoded(content.get("values"))})


def _decoded_random_state(content: Any) -> np.random.RandomState:
    fields = {"key": list, "pos": int, "has_gauss": int, "gauss": float}
    check_fields(content, fields, "a RandomState")
    words = all(type(word) is int and 0 <= word < 2**32 for word in content["key"])
    require(len(content["key"]) == 624 and words, "a RandomState has no state")
    in_range = 0 <= content["pos"] <= 624 and content["has_gauss"] in (0, 1)
    require(in_range, "a RandomState has no position")
    key = np.array(content["key"], np.uint32)
    stream = np.random.RandomState(0)
    stream.set_state(("MT19937", key, *(content[name] for name in fields if name != "key")))
    return stream


DECODERS: dict[str, Callable[[Any], Any]] = {
    "float": _decoded_float,
    "tuple": lambda content: tuple(decoded(content)),
    "dict": lambda content: {decoded(key): decoded(each) for key, each in content},
    "array": _decoded_array,
    "scalar": lambda content: _decoded_array(content)[()],
    "RandomState": _decoded_random_state,
}
