"""The time that a search may take, told to all processes that work on it."""

from __future__ import annotations

from time import perf_counter, time
from typing import Any


class TimeLimit:
    """The time after which a search begins nothing more.

    Parameters
    ----------
    seconds : float
        From now on; without a limit it is infinite.
    """

    def __init__(self, seconds: float) -> None:
        self._end, self._kept_free = perf_counter() + seconds, 0.0

    @property
    def is_finite(self) -> bool:
        """Whether there is a limit."""
        return self._end < float("inf")

    def keep_free(self, seconds: float) -> None:
        """Keep so many seconds at the end, for work that comes after."""
        self._kept_free = seconds

    def left(self) -> float:
        """Seconds until nothing more is begun."""
        return max(0.0, self.until_end() - self._kept_free)

    def until_end(self) -> float:
        """Seconds until the end, those that are kept free included."""
        return self._end - perf_counter()

    def is_over(self) -> bool:
        """Whether to begin nothing more."""
        return self.left() == 0

    def __reduce__(self) -> tuple[Any, ...]:
        # The time of day is the one clock that two machines share. That of the arrival would
        # not count what a process takes to start.
        return _until, (time() + self._end - self._kept_free - perf_counter(),)


def _until(time_of_day: float) -> TimeLimit:
    return TimeLimit(time_of_day - time())
