"""Short texts that tell one search from another: of data, of estimators."""

from __future__ import annotations

import re
import sys
from hashlib import blake2b
from typing import Any

import joblib
import numpy as np
import pandas as pd


def of_data(*objects: Any) -> str:
    """Digest of arrays, frames and what else is given to `fit`, by value.

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
    """Text of a ``repr`` without what differs from one process to the next."""
    return re.sub(r" at 0x[0-9a-f]+", "", text)
