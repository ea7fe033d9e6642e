"""BLAS threads in training: as many as there are, or one where sharing out would cost more."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from itertools import pairwise
from threading import current_thread, main_thread
from typing import Any

from threadpoolctl import ThreadpoolController

from skbn.network.architecture import Architecture

MIN_THREADED_PRODUCT = 2**23
"""Multiplications in a product from which a second thread saves time: with 4 million
an epoch takes 1.0 to 1.1 of the time with one thread, with 8 million 0.95, with 16
million 0.85 (``benchmarks/speed.py --only threads``)."""


@lru_cache(maxsize=1)
def _controller() -> Any:
    # Looking for the libraries takes milliseconds.
    return ThreadpoolController()


def blas_libraries() -> list[dict[str, Any]]:
    """Describe the libraries of BLAS that are loaded, with the threads of each."""
    return [each for each in _controller().info() if each["user_api"] == "blas"]


def is_worth_threads(architecture: Architecture, batch_size: int) -> bool:
    """Tell whether a product of a training step is large enough for several threads."""
    largest = batch_size * max(n_in * n_out for n_in, n_out in pairwise(architecture.widths))
    return largest >= MIN_THREADED_PRODUCT


@contextmanager
def suitable_threads(architecture: Architecture, batch_size: int) -> Iterator[None]:
    """Hold BLAS to one thread if all products of a training step are small.

    The limit is one for the whole process: runs that overlap in several Python threads
    could lift each other's, or leave one behind. Only the main thread sets it, therefore,
    where no two runs overlap.

    Parameters
    ----------
    architecture : Architecture
    batch_size : int
    """
    if is_worth_threads(architecture, batch_size) or current_thread() is not main_thread():
        yield
        return
    limit: Any = None
    try:
        try:
            limit = _controller().limit(limits=1, user_api="blas")
            yield
        finally:
            _lift(limit)
    except BaseException:  # such as Ctrl-C while the limit was lifted
        _lift(limit)
        raise


def _lift(limit: Any) -> None:
    if limit is not None:
        limit.restore_original_limits()
