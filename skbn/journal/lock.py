"""Ownership of a journal: a lock on the file beside it, which ends with its process."""

from __future__ import annotations

import errno
import os
import re
import stat
import sys
from contextlib import suppress
from time import monotonic, sleep
from weakref import WeakSet

SECONDS_TO_WAIT = 1.0
"""Time that another process has to let go of the lock, such as one that only looks at it."""
SECONDS_BETWEEN_TRIALS = 0.02

if sys.platform == "win32":
    import msvcrt

    FAR = 2**30
    """The byte that is locked: nobody can read those that are."""

    def try_lock(descriptor: int, is_look: bool = False) -> None:
        """Lock an open file, beside others that look, or raise `BlockingIOError`."""
        os.lseek(descriptor, FAR, os.SEEK_SET)
        try:
            msvcrt.locking(descriptor, msvcrt.LK_NBLCK, 1)
        except OSError as error:
            raise BlockingIOError from error

    def unlock(descriptor: int) -> None:
        """Let go of it."""
        os.lseek(descriptor, FAR, os.SEEK_SET)
        msvcrt.locking(descriptor, msvcrt.LK_UNLCK, 1)

else:
    import fcntl

    def try_lock(descriptor: int, is_look: bool = False) -> None:
        """Lock an open file, beside others that look, or raise `BlockingIOError`."""
        kind = fcntl.LOCK_SH if is_look else fcntl.LOCK_EX
        fcntl.flock(descriptor, kind | fcntl.LOCK_NB)

    def unlock(descriptor: int) -> None:
        """Let go of it."""
        fcntl.flock(descriptor, fcntl.LOCK_UN)


class Lock:
    """Ownership of a journal, until it is released or the process ends, however it ends.

    Parameters
    ----------
    journal : str
        The file, which need not exist. The file of the lock has ".lock" after its name; it holds
        the number of the process, for people to read.

    Raises
    ------
    BlockingIOError
        If another process is the owner, or another lock in this one.
    FileExistsError
        If a file that is no lock is in the way.
    OSError
        If the file cannot be made or locked.
    """

    def __init__(self, journal: str) -> None:
        self._path = path_of_lock(journal)
        self._descriptor: int | None = None
        _locks.add(self)
        end = monotonic() + SECONDS_TO_WAIT
        while not self._is_taken(_mode_of(journal)):
            if monotonic() > end:
                raise BlockingIOError(errno.EWOULDBLOCK, "it is locked", self._path)
            sleep(SECONDS_BETWEEN_TRIALS)

    def _is_taken(self, mode: int) -> bool:
        """Try to take the lock."""
        self._descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT, mode)
        try:
            try_lock(self._descriptor)
            # The former owner may have removed the file between its opening and its locking.
            if _is_at(self._path, self._descriptor):
                _sign(self._path, self._descriptor)
                return True
        except BlockingIOError:
            pass
        except BaseException:
            self.leave()
            raise
        self.leave()
        return False

    @property
    def is_held(self) -> bool:
        """Whether the lock is this process's still: it is not forked, and the file is there."""
        return self._descriptor is not None and _is_at(self._path, self._descriptor)

    def leave(self) -> None:
        """Close the file of the lock, and let it lie: in a process that was forked, say."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)

    def release(self) -> None:
        """Let others be the owner, and remove the file."""
        if not self.is_held:
            self.leave()
            return
        # Windows removes no file that is open; elsewhere the next owner may be there once it is
        # closed, and would lose its own.
        steps = [lambda: os.unlink(self._path), self.leave]
        for step in reversed(steps) if sys.platform == "win32" else steps:
            with suppress(OSError):
                step()


_locks: WeakSet[Lock] = WeakSet()


def _leave_all() -> None:
    """A process that was forked is not the owner, and must not be when its parent is dead."""
    for lock in _locks:
        lock.leave()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_leave_all)


def is_owned(journal: str | os.PathLike[str]) -> bool:
    """Whether a process that lives is the owner of a journal."""
    try:
        descriptor = os.open(path_of_lock(os.path.realpath(journal)), os.O_RDONLY)
    except FileNotFoundError:
        return False
    except PermissionError:  # of another user, who may have it open
        return True
    try:
        try_lock(descriptor, is_look=True)
        # Closing alone would leave it to a process that was forked meanwhile.
        unlock(descriptor)
        return False
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)


def path_of_lock(journal: str) -> str:
    """The file of the lock of a journal."""
    return f"{journal}.lock"


def _mode_of(journal: str) -> int:
    """Rights of the lock: who may read the journal may ask whether it is owned."""
    try:
        return stat.S_IMODE(os.stat(journal).st_mode) | 0o600
    except OSError:
        return 0o600


def _is_at(path: str, descriptor: int) -> bool:
    """Whether a path is that of an open file."""
    try:
        return os.path.samestat(os.stat(path), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _sign(path: str, descriptor: int) -> None:
    os.lseek(descriptor, 0, os.SEEK_SET)
    if not re.fullmatch(rb"\d{0,20}\s*", os.read(descriptor, 64)):
        raise FileExistsError(errno.EEXIST, "it is no lock", path)
    with suppress(OSError):  # a disk that is full: the number is for people
        os.ftruncate(descriptor, 0)
        os.lseek(descriptor, 0, os.SEEK_SET)
        os.write(descriptor, b"%d\n" % os.getpid())
