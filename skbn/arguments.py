"""Arguments of commands, whose errors are told in one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from skbn.tables.messages import InputError


def add_options_of_files(parser: argparse.ArgumentParser) -> None:
    """Add the options on how files of tables are written, which are found by default."""
    add = parser.add_argument
    add("--separator", metavar="TEXT", help="of CSV files, such as ';' or tab (found)")
    add("--encoding", metavar="NAME", help="of CSV files, such as latin-1 (found)")
    add("--decimal", metavar="MARK", choices=[".", ","], help="decimal point in text (found)")


class Parser(argparse.ArgumentParser):
    """Reports wrong arguments in one line, like all other errors."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting."""
        raise InputError(f"{message}; see {self.prog} --help")
