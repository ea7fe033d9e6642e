"""``python -m skbn``: the commands."""

from __future__ import annotations

import sys
from importlib import import_module

from skbn.tables.messages import InputError, printable
from skbn.training.interruption import Interrupted, interruptible

COMMANDS = {
    "watch": ("session.command", "run_watch"),
    "change": ("session.command", "run_change"),
    "drift": ("drift_command", "run_drift"),
}
"""Module and function of each: imported when it is called, for some take 0.2 s."""


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        0, or 2 for input that cannot be used, or 130 after Ctrl-C; 3 of ``drift`` where something
        is to be done.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        with interruptible():
            is_named = bool(argv) and argv[0] in COMMANDS
            module, function = COMMANDS[argv[0]] if is_named else ("table_command", "run_table")
            run = getattr(import_module(f"skbn.{module}"), function)
            return run(argv[1:] if is_named else argv) or 0
    except InputError as error:
        print("skbn:", printable(" ".join(str(error).split())), file=sys.stderr)
        return 2
    except (Interrupted, KeyboardInterrupt):
        print("skbn: interrupted", file=sys.stderr)
        return 130


if __name__ == "__main__":
    sys.exit(main())
