"""Files that commands write: tried before long work, and written whole or not at all."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, BinaryIO
from uuid import uuid4

import joblib

from skbn.tables.messages import InputError

TRIED_BYTES = 2**20
"""Of a file that is written to learn whether there is room, for a model of the command."""


@contextmanager
def whole_file(path: str) -> Iterator[BinaryIO]:
    """Open a file for writing, which takes its place when it is whole.

    An error leaves what was there.

    Parameters
    ----------
    path : str
    """
    path = os.path.realpath(path)
    if os.path.exists(path) and not os.path.isfile(path):
        with open(path, "wb") as file:  # such as a pipe, or a directory, which is an error
            yield file
        return
    temporary = _temporary_name(os.path.dirname(path))
    try:
        with open(temporary, "xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if os.path.exists(path):
            shutil.copymode(path, temporary)
        os.replace(temporary, path)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(temporary)
        raise


def _temporary_name(folder: str) -> str:
    """A name that no other thread or process takes."""
    return os.path.join(folder, f".{uuid4().hex}.part")


def try_folder(folder: str | Path) -> None:
    """Write a file into a folder and remove it: rights alone do not tell, nor do they bind root.

    Parameters
    ----------
    folder : str or Path

    Raises
    ------
    OSError
        If it cannot be written, because of rights, a full disk, a disk that is read only.
    """
    temporary = _temporary_name(str(folder))
    try:
        with open(temporary, "xb") as file:
            file.write(bytes(TRIED_BYTES))
            file.flush()
            os.fsync(file.fileno())
    finally:
        with suppress(OSError):
            os.unlink(temporary)


def check_destination(path: Path) -> None:
    """Refuse a file of a model that could not be written after a long search.

    Parameters
    ----------
    path : Path

    Raises
    ------
    InputError
        If it has another suffix than .joblib, or cannot be written.
    """
    if path.suffix != ".joblib":
        raise InputError(f"--save {path}: the name must end in .joblib")
    folder = os.path.dirname(os.path.realpath(path))
    if not os.path.isdir(folder):
        raise InputError(f"--save {path}: there is no directory {path.parent}")
    try:
        with suppress(FileNotFoundError), path.open("r+b"):  # its owner may have protected it
            pass
        try_folder(folder)
    except OSError as error:
        raise InputError(f"--save {path}: cannot be written: {error.strerror or error}") from error


def save_model(model: Any, path: Path) -> None:
    """Save a model by joblib; a file that is there stays if this fails.

    Parameters
    ----------
    model : object
    path : Path

    Raises
    ------
    InputError
        If it cannot be written.
    """
    try:
        with whole_file(str(path)) as file:
            joblib.dump(model, file)
    except OSError as error:
        raise InputError(f"--save {path}: {error.strerror or error}") from error
