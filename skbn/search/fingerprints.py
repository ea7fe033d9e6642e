"""Short texts that tell one search from another: of data, of estimators, of a whole search."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Mapping
from hashlib import blake2b
from numbers import Integral
from typing import Any

import joblib
import numpy as np
import pandas as pd


def of_search(
    search: Any,
    space: Any,
    X: Any,
    y: Any,
    params: Mapping[str, Any],
    splits: Iterable[tuple[Any, Any]],
    initial_points: Any,
) -> dict[str, str]:
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
    identity : dict of str to str
        By the names that messages and journals use.
    """
    scoring = f"{search.scoring}, refit={search.refit}, error_score={search.error_score}"
    return {
        "estimator": of_estimator(search.estimator),
        "param_distributions": repr(space),
        "scoring": without_addresses(scoring),
        "n_candidates and n_rounds": f"{search.n_candidates} and {search.n_rounds}",
        "resource": f"{search.resource}, min_epochs={search.min_epochs}, "
        f"max_epochs={search.max_epochs}, eta={search.eta}",
        "random_state": str(search.random_state) if is_seed(search.random_state) else "not fixed",
        "data": of_data(X, y, params),
        "splits": of_data(*(rows for split in splits for rows in split)),
        "start": "" if initial_points is None else of_data(initial_points),
    }


def check_same_search(identity: Mapping[str, str], before: Mapping[str, str]) -> None:
    """Refuse to extend a search with another identity than it had before."""
    for name in identity:
        if identity[name] != before[name]:
            raise ValueError(
                f"extend goes on with the search that was fitted, but {name} changed since; "
                "give the same (cv needs a random_state if it shuffles), or use fit, or retune "
                "for new data"
            )


def is_seed(random_state: Any) -> bool:
    """Whether the same search can be made again: a number seeds it, and not a stream."""
    return isinstance(random_state, Integral)


def of_data(*objects: Any) -> str:
    """Digest of arrays, frames and other arguments of `fit`, by value.

    Parameters
    ----------
    *objects : object
        DataFrames and Series count with the names and types of their columns, and
        without their index.

    Returns
    -------
    digest : str
    """
    digest = blake2b(digest_size=16)
    for item in objects:
        digest.update(_bytes(item))
    return digest.hexdigest()


def _bytes(item: Any) -> bytes:
    if isinstance(item, (pd.DataFrame, pd.Series)):
        frame = item.to_frame() if isinstance(item, pd.Series) else item
        try:
            rows = pd.util.hash_pandas_object(frame, index=False).to_numpy().tobytes()
        except TypeError:  # cells that are lists or the like
            rows = joblib.hash(frame).encode()
        return f"{list(zip(frame.columns, frame.dtypes, strict=True))}".encode() + rows
    return str(joblib.hash(item, coerce_mmap=True)).encode()


def of_estimator(estimator: Any) -> str:
    """Digest of the class of an estimator and of all its parameters."""
    with np.printoptions(threshold=sys.maxsize):
        text = f"{type(estimator)} {sorted(estimator.get_params().items())}"
    return blake2b(without_addresses(text).encode(), digest_size=16).hexdigest()


def without_addresses(text: str) -> str:
    """Text of a ``repr`` without addresses, which differ from one process to the next."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
