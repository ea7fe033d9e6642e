"""Ctrl-C under a name of its own, for work that is not to be cut short."""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager


class Interrupted(BaseException):
    """Ctrl-C, but not the KeyboardInterrupt that `BNSoftmaxClassifier.fit` takes for its own."""


def _raise(*_: object) -> None:
    raise Interrupted


@contextmanager
def interruptible() -> Iterator[None]:
    """Make Ctrl-C raise `Interrupted`, where Python's own handler or this one was in place.

    `fit` ends its training at a KeyboardInterrupt and keeps the model, so that the
    search around it would take a model that is half trained for a whole one.
    """
    with _handler(_raise, signal.default_int_handler, _raise):
        yield


@contextmanager
def uninterrupted_worker(parent: int) -> Iterator[None]:
    """Let a worker process finish its fit: a terminal sends Ctrl-C to all of them.

    Parameters
    ----------
    parent : int
        Process that decides; in it nothing changes.
    """
    if os.getpid() == parent:
        yield
    else:
        with _handler(signal.SIG_IGN, signal.default_int_handler):
            yield


@contextmanager
def _handler(new: object, *instead_of: object) -> Iterator[None]:
    before = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or before not in instead_of:
        yield
        return
    signal.signal(signal.SIGINT, new)  # type: ignore[arg-type]
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
