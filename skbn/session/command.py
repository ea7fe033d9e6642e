"""``python -m skbn watch`` and ``change``: a session that trains in another terminal."""

from __future__ import annotations

import argparse
import ast
import os
import sys
import warnings
from collections.abc import Sequence
from contextlib import suppress
from typing import Any

from skbn.arguments import Parser
from skbn.session.asking import Wish, ask
from skbn.session.log import CHANGE, REWIND, STOP
from skbn.session.watching import watch
from skbn.tables.messages import InputError

WATCH = """\
Draw the learning curves of a training session as they grow, in another terminal than the
one that it trains in. The training is not disturbed. The picture stays until nobody has
the session open any more, or until Ctrl-C. Where the output is no terminal, or rich is not
installed, each event is a line, and the command ends with the training."""

CHANGE_HELP = """\
Ask a training session that trains in another terminal to change parameters, to go back to
where it stood after an epoch, or to stop. What is asked is checked, and done at the end of
the epoch under way; the log of the session tells that it was asked for at a terminal. If no
training is under way, it is done when the training goes on.

examples:
  python -m skbn change run.sqlite learning_rate_init=0.003
  python -m skbn change run.sqlite learning_rate=cosine dropout=0.1
  python -m skbn change run.sqlite rewind 25
  python -m skbn change run.sqlite stop"""

CONSTANTS = {"true": True, "false": False, "none": None}


def run_watch(argv: Sequence[str]) -> None:
    """Run ``python -m skbn watch``."""
    args = _parser("watch", WATCH).parse_args(argv)
    try:
        watch(args.journal)
    except BrokenPipeError:  # head has seen enough
        # Python would complain of what it cannot write at its own end.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from error


def run_change(argv: Sequence[str]) -> None:
    """Run ``python -m skbn change``."""
    parser = _parser("change", CHANGE_HELP)
    parser.add_argument("what", nargs="+", help="NAME=VALUE, one or more; or rewind EPOCH; or stop")
    args = parser.parse_args(argv)
    try:
        ask(args.journal, _wish(args.what), lambda text: print(text, flush=True))
    except (ValueError, OSError) as error:
        raise InputError(str(error)) from error


def _parser(name: str, description: str) -> Parser:
    parser = Parser(
        prog=f"python -m skbn {name}",
        description=description,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("journal", help="SQLite file of the session")
    return parser


def _wish(words: Sequence[str]) -> Wish:
    """Read what is asked for."""
    first, *further = words
    if first == STOP and not further:
        return Wish(STOP)
    if first == REWIND:
        if len(further) != 1 or not further[0].isdecimal():
            raise InputError(f"rewind takes the number of an epoch; got {' '.join(further)!r}")
        return Wish(REWIND, epoch=int(further[0]))
    params = {}
    for word in words:
        name, is_assignment, value = (part.strip() for part in word.partition("="))
        if not (is_assignment and name):
            raise InputError(
                f"{word!r} is none of NAME=VALUE (without spaces), rewind EPOCH and stop"
            )
        if name in params:
            raise InputError(f"{name} is given twice")
        params[name] = _value(value)
    return Wish(CHANGE, params)


def _value(text: str) -> Any:
    """Read a value as Python does; what is none there is text."""
    errors = ValueError, SyntaxError, TypeError, MemoryError, RecursionError
    with warnings.catch_warnings(action="ignore"), suppress(*errors):
        return ast.literal_eval(text)
    return CONSTANTS.get(text.lower(), text)
