"""Pictures as files, for commands."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from skbn.destinations import try_folder
from skbn.display.axes import require_matplotlib
from skbn.tables.messages import InputError


def make_folder(folder: Path) -> None:
    """Make the folder for pictures, and make sure that they can be drawn."""
    try:
        require_matplotlib()
        folder.mkdir(parents=True, exist_ok=True)
        try_folder(folder)
    except (ImportError, OSError) as error:
        reason = getattr(error, "strerror", None) or error
        raise InputError(f"--plot {folder}: {reason}") from error


def write_pictures(folder: Path, pictures: Mapping[str, Callable[[], Any]]) -> str:
    """Write pictures as PNG files.

    Parameters
    ----------
    folder : Path
    pictures : dict of str to callable
        By name, what draws the picture and gives its Display.

    Returns
    -------
    names : str
        Of the files, in one line.
    """
    import matplotlib

    matplotlib.use("Agg")  # files are wanted, not windows
    paths = []
    try:
        for name, draw in pictures.items():
            paths.append(folder / f"{name}.png")
            figure = draw().figure_
            figure.savefig(paths[-1], dpi=100)
            matplotlib.pyplot.close(figure)
    except OSError as error:
        raise InputError(f"--plot {folder}: {error.strerror or error}") from error
    return ", ".join(map(str, paths))
