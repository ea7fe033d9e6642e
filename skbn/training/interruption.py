"""Work that is not to be cut short: Ctrl-C under a name of its own, workers and their parent."""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from os import _exit
from time import sleep
from typing import Any

SECONDS_BETWEEN_LOOKS = 1.0
"""Time between two looks whether the parent is alive; a look takes a microsecond."""
_presses: list[object] = []


class Interrupted(BaseException):
    """Ctrl-C, but not the KeyboardInterrupt that `BNSoftmaxClassifier.fit` takes for its own."""


def _raise(*_: object) -> None:
    _presses.append(None)
    raise Interrupted


@contextmanager
def interruptible() -> Iterator[Callable[[], None]]:
    """Make Ctrl-C raise `Interrupted`, where Python's own handler or this one was in place.

    `fit` ends its training at a KeyboardInterrupt and keeps the model, so that the
    search around it would take a model that is half trained for a whole one.

    Yields
    ------
    check : callable
        Raises `Interrupted` if Ctrl-C was pressed: finalizers, and C code without errors, lose
        an exception, and what they give then is not to be believed.
    """
    n_before = len(_presses)

    def check() -> None:
        if len(_presses) > n_before:
            raise Interrupted

    with _handler(_raise, signal.default_int_handler, _raise):
        yield check


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Put Ctrl-C off to the end of short work that it would leave half done."""
    put_off: list[object] = []
    with _handler(lambda *_: put_off.append(None), signal.default_int_handler, _raise):
        yield
    if put_off:
        signal.raise_signal(signal.SIGINT)


@contextmanager
def uninterrupted_worker(parent: int) -> Iterator[None]:
    """Let a worker process finish its fit, unless the parent dies.

    A terminal sends Ctrl-C to all of them.

    Parameters
    ----------
    parent : int
        Process that decides; in it nothing changes.
    """
    if os.getpid() == parent:
        yield
    else:
        end_with(parent)
        with _handler(signal.SIG_IGN, signal.default_int_handler):
            yield


@cache  # a thread for each parent: a process that is forked has another one
def end_with(parent: int) -> None:
    """End this process as soon as its parent is dead, in the middle of a fit too.

    Workers of joblib do not: they finish what they do and wait for more, five minutes or
    for ever, and what they share with each other stays in memory.

    Parameters
    ----------
    parent : int
        Process of the search. Where another one started this process, as that of a cluster
        did, nothing is done.
    """
    started_by = multiprocessing.parent_process()
    if started_by is not None and started_by.pid == parent:
        threading.Thread(target=_wait_and_end, args=(started_by,), daemon=True).start()


def _wait_and_end(parent: Any) -> None:
    if parent.sentinel is not None:
        parent.join()
    else:  # processes of loky, but for Windows, have none
        while os.getppid() == parent.pid:
            sleep(SECONDS_BETWEEN_LOOKS)
    _exit(1)


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
