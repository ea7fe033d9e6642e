"""Arguments of commands, whose errors are told in one line."""

from __future__ import annotations

import argparse
from typing import NoReturn

from skbn.tables.messages import InputError


class Parser(argparse.ArgumentParser):
    """Reports wrong arguments in one line, like all other errors."""

    def error(self, message: str) -> NoReturn:
        """Raise instead of printing the usage and exiting."""
        raise InputError(f"{message}; see {self.prog} --help")
