"""A look at the journal of a session, whoever owns it: the log, and what the owner does."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from skbn.journal.database import Database
from skbn.journal.lock import is_owned
from skbn.session.journal import KIND, TRAINING, SessionJournal
from skbn.session.log import Log


class Look(NamedTuple):
    """What a journal held, and who had it."""

    about: Mapping[str, Any]
    log: Log
    is_open: bool  # in a process that lives
    seed: str

    @property
    def is_training(self) -> bool:
        """Whether a training is under way."""
        return self.is_open and self.about.get("status") == TRAINING

    @property
    def state(self) -> str:
        """What the session does, in words."""
        if self.is_training:
            return "training"
        return "waiting for its owner" if self.is_open else "nobody has it open"


def look_at(path: str, before: Look | None = None) -> Look:
    """Look at a journal, without holding it open.

    Parameters
    ----------
    path : str
    before : Look, default=None
        An earlier one, whose events are not read again.

    Returns
    -------
    look : Look
        With the log of the earlier one, to which events have come.

    Raises
    ------
    ValueError
        If there is no such journal.
    """
    database = Database.to_read(path, KIND)
    try:
        # Asked before the events are read, so that none of the last ones is missed.
        is_open, seed = is_owned(path), database.about().get("seed", "")
        known = before.log if before and before.seed == seed else None
        journal = SessionJournal(database, known)
    finally:
        database.close()
    if not journal.about:
        raise ValueError(f"journal {path!r} holds no training session yet; try again in a moment")
    return Look(journal.about, journal.log, is_open, seed)
