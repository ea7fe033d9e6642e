"""Errors, lists of names and lines that users see."""

from __future__ import annotations

import shutil
import sys
import textwrap
from collections.abc import Iterable
from unicodedata import category

MAX_NAMES = 30
"""Names in a message. With `MAX_NAME_LENGTH` they fit a terminal of 24 lines of 80 letters."""
MAX_NAME_LENGTH = 50
JOINERS = "\N{ZERO WIDTH NON-JOINER}\N{ZERO WIDTH JOINER}"
"""Within words of some scripts, and within emoji."""


class InputError(Exception):
    """Input that cannot be used; the message says why."""


def printable(text: str) -> str:
    """Show what would steer a terminal or break a line by its code."""
    return "".join(
        letter
        if letter.isprintable() or letter in JOINERS or category(letter) == "Zs"
        else repr(letter)[1:-1]
        for letter in text
    )


def listing(names: Iterable[object], most: int = MAX_NAMES) -> str:
    """Names in one line, the first ones only if there are many.

    Parameters
    ----------
    names : iterable of object
    most : int, default=30
    """
    shown = [printable(str(name)[:MAX_NAME_LENGTH]) for name in names]
    rest = f", ... ({len(shown)})" if len(shown) > most else ""
    return ", ".join(shown[:most]) + rest


def wrapped(text: str, width: int) -> str:
    """Break long lines between words."""
    wrapper = textwrap.TextWrapper(
        width, subsequent_indent="  ", break_long_words=False, break_on_hyphens=False
    )
    return "\n".join(wrapper.fill(line) for line in text.splitlines())


def print_line(line: str) -> None:
    """Print a line, broken where a terminal is less wide."""
    line = printable(line)
    print(wrapped(line, shutil.get_terminal_size().columns) if sys.stdout.isatty() else line)
