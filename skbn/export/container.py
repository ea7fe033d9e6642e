"""Entries of a model file, and its bytes."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from io import BytesIO
from typing import Any
from zipfile import ZipFile, ZipInfo

import numpy as np

from skbn.destinations import whole_file
from skbn.export.predictor import (
    CHECKSUM_BYTES,
    HEADER,
    MAX_BYTES,
    MAX_HEADER_BYTES,
    checksum,
)


def file_bytes(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> memoryview:
    """Give the bytes of a model file.

    Parameters
    ----------
    header : mapping of str to object
        Of what JSON has.
    arrays : mapping of str to ndarray
        In the order in which they are written.

    Raises
    ------
    ValueError
        If they are too large for the format.
    """
    text = json.dumps(header, allow_nan=False).encode("ascii")
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(
            f"the header of the file would have {len(text):,} bytes, and can have "
            f"{MAX_HEADER_BYTES:,}. It holds parameters, labels, names of features and histories"
        )
    if sum(array.nbytes for array in arrays.values()) > MAX_BYTES - 2**24:
        raise ValueError("the model has more than 4 GB, which a model file cannot hold")
    file = BytesIO()
    with ZipFile(file, "w") as archive:
        archive.writestr(ZipInfo(HEADER), text)  # of 1980, so that equal models are equal files
        for name, array in arrays.items():
            archive.writestr(ZipInfo(f"{name}.npy"), _npy(array))
        archive.comment = bytes(CHECKSUM_BYTES)
    data = file.getbuffer()
    data[-CHECKSUM_BYTES:] = checksum(data)
    return data


def _npy(array: Any) -> bytes:
    file = BytesIO()
    array = np.ascontiguousarray(array, array.dtype.newbyteorder("<"))
    np.lib.format.write_array(file, array, version=(1, 0), allow_pickle=False)
    return file.getvalue()


def write(path: Any, data: bytes | memoryview) -> None:
    """Write a file whole, or leave what was there.

    Parameters
    ----------
    path : str, path-like or binary file object
        A file object is written to where it stands.
    data : bytes or memoryview
    """
    if hasattr(path, "write"):
        _write_all(path, data)
        return
    with whole_file(os.fsdecode(path)) as file:
        file.write(data)


def _write_all(file: Any, data: bytes | memoryview) -> None:
    """Write to a file object, which may take a part at a time."""
    while data:
        n_written = file.write(data)
        if n_written is None:
            return
        if n_written == 0:
            raise OSError("the file takes no more")
        data = data[n_written:]
