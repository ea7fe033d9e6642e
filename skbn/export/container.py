"""Entries of a model file, and writing that leaves a whole file or the one before it."""

from __future__ import annotations

import json
import os
import shutil
from binascii import crc32
from collections.abc import Iterable, Mapping, Sequence
from hashlib import sha256
from typing import Any

import numpy as np

from skbn.export.predictor import (
    HEADER,
    MAX_HEADER_BYTES,
    SUMS,
    FormatError,
    array_header,
    check_numbers,
    checksum_line,
    directory,
    local_header,
    parsed,
)

MAX_BYTES = 2**32 - 2**24
"""Of all entries: a ZIP file without extensions ends before 4 GB."""


def file_parts(header: Mapping[str, Any], arrays: Mapping[str, Any]) -> list[bytes]:
    """Give the bytes of a model file, in parts.

    Parameters
    ----------
    header : mapping of str to object
        Of what JSON has.
    arrays : mapping of str to ndarray
        In the order in which they are written.

    Raises
    ------
    ValueError
        If they are too large for the format, or what would be read is not valid.
    """
    text = json.dumps(header, allow_nan=False).encode("ascii")
    contents = {HEADER: text} | {f"{name}.npy": _npy(array) for name, array in arrays.items()}
    sums = [checksum_line(name, sha256(data).hexdigest()) for name, data in contents.items()]
    contents = {HEADER: text, SUMS: "".join(sums).encode("ascii")} | contents
    if sum(map(len, contents.values())) > MAX_BYTES:
        raise ValueError("the model has more than 4 GB, which a model file cannot hold")
    if len(text) > MAX_HEADER_BYTES:
        raise ValueError(
            f"the header of the file would have {len(text):,} bytes, and can have "
            f"{MAX_HEADER_BYTES:,}. It holds parameters, labels, names of features and histories"
        )
    try:
        check_numbers(parsed(text), dict(arrays))
    except FormatError as wrong:
        raise ValueError(f"the file that would be written {wrong}") from None
    entries = [(name, crc32(data), len(data)) for name, data in contents.items()]
    parts = []
    for entry, data in zip(entries, contents.values(), strict=True):
        parts += [local_header(*entry), data]
    return [*parts, directory(entries)]


def _npy(array: Any) -> bytes:
    dtype = array.dtype.newbyteorder("<")
    return array_header(dtype.str, array.shape) + np.ascontiguousarray(array, dtype).tobytes()


def write(path: Any, parts: Sequence[bytes]) -> None:
    """Write a file whole, or leave what was there.

    Parameters
    ----------
    path : str, path-like or binary file object
        A file object is written to where it stands.
    parts : sequence of bytes
    """
    if hasattr(path, "write"):
        path.write(b"".join(parts))
        return
    path = os.path.realpath(os.fsdecode(path))
    if os.path.exists(path) and not os.path.isfile(path):
        _write_parts(path, "wb", parts)  # such as a pipe, or a directory, which is an error
        return
    temporary = f"{path}.{os.getpid()}.part"
    try:
        _write_parts(temporary, "xb", parts)
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise


def _write_parts(path: str, mode: str, parts: Iterable[bytes]) -> None:
    with open(path, mode) as file:
        file.writelines(parts)
        file.flush()
        os.fsync(file.fileno())
