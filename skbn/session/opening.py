"""How a session begins, goes on from its journal, or is done again from it."""

from __future__ import annotations

import json
import math
import os
import warnings
from collections.abc import Mapping
from typing import Any, NamedTuple

from sklearn.base import clone

from skbn.journal.database import Database
from skbn.journal.fingerprints import Fingerprint, check_identified, of_data, of_estimator
from skbn.journal.values import digest_of
from skbn.session.journal import KIND, InMemory, SessionJournal
from skbn.session.live import shown
from skbn.session.log import EPOCH
from skbn.session.machine import differences_of_machines, this_machine
from skbn.session.preparation import Prepared, drawn_seeds, names_without_seed, prepare
from skbn.session.stored_model import described, rebuilt
from skbn.session.training import Training


class Tables(NamedTuple):
    """Rows and labels to train and to judge on, as a user gives them."""

    X: Any
    y: Any
    fit_params: Mapping[str, Any]

    def identity(self) -> dict[str, Fingerprint]:
        """Tell them from others by value."""
        return {"data": of_data(self.X, self.y, self.fit_params)}

    def prepared(self, model: Any) -> Prepared:
        """Give the runs of a model on them."""
        return prepare(model, self.X, self.y, self.fit_params)


def begun(model: Any, tables: Tables, max_checkpoints: int) -> Training:
    """Begin a session in memory."""
    return Training(
        tables.prepared(_with_seeds(model, drawn_seeds(model))), InMemory(max_checkpoints)
    )


def kept(model: Any, tables: Tables, path: Any, max_checkpoints: int) -> Training:
    """Begin a session in a journal, or go on with the one that it holds."""
    identity = tables.identity() | {"estimator": _of_model(model)}
    # Whatever is wrong with the data is told before there is a file.
    is_new = not os.path.exists(path) or not os.path.getsize(path)
    new = _described(model, tables, max_checkpoints) if is_new else None
    database = Database(path, KIND, identity)
    try:
        journal = SessionJournal(database)
        if journal.about:
            return _gone_on(journal, tables, model)
        prepared, about = new or _described(model, tables, max_checkpoints)
        journal.begin(about)
        return Training(prepared, journal)
    except BaseException:
        database.close()
        raise


def _described(model: Any, tables: Tables, max_checkpoints: int) -> tuple[Prepared, dict[str, Any]]:
    """Prepare a new model, and give what a journal keeps of it."""
    seeds = drawn_seeds(model)
    model = _with_seeds(model, seeds)
    prepared = tables.prepared(model)
    return prepared, described(model, seeds, prepared, max_checkpoints)


def reopened(path: Any, tables: Tables, model: Any = None) -> Training:
    """Go on with the session of a journal."""
    database = Database(path, KIND, None)
    try:
        _check_identity(database, tables, model)
        return _gone_on(SessionJournal(database), tables, model)
    except BaseException:
        database.close()
        raise


def replayed(path: Any, tables: Tables, model: Any = None, verbose: int = 0) -> Training:
    """Do in memory what a journal holds."""
    database = Database.to_read(path, KIND)
    try:
        _check_identity(database, tables, model)
        journal = SessionJournal(database)
        prepared = _prepared_as_before(journal, tables, model)
    finally:
        database.close()
    training = Training(prepared, InMemory(journal.max_checkpoints))
    n_epochs = sum(event.event == EPOCH for event in journal.log.events)
    with shown(training.log, n_epochs, math.inf, verbose) as show:
        for event in journal.log.events:
            training.follow(event)
            if event.event == EPOCH:
                show()
    return training


def _with_seeds(model: Any, seeds: Mapping[str, int]) -> Any:
    return clone(model).set_params(**seeds)


def _of_model(model: Any) -> Fingerprint:
    """Fingerprint of a model, whose seeds are None where they are drawn."""
    model = clone(model).set_params(**dict.fromkeys(names_without_seed(model)))
    return of_estimator(model, "", "the estimator")


def _check_identity(database: Database, tables: Tables, model: Any) -> None:
    """Refuse other data than a journal was made for, and another model where one is given."""
    identity = database.identity | tables.identity()
    if model is not None:
        identity["estimator"] = _of_model(model)
    check_identified(identity, KIND.noun)
    database.check_same(identity)


def _gone_on(journal: SessionJournal, tables: Tables, model: Any) -> Training:
    training = Training(_prepared_as_before(journal, tables, model), journal)
    journal.rest()
    return training


def _prepared_as_before(journal: SessionJournal, tables: Tables, model: Any) -> Prepared:
    """Prepare the model of a journal, and warn if it may not come out as it did before."""
    if not journal.about:
        raise ValueError(
            f"journal {journal.path!r} is empty: its session was interrupted before it began. "
            "Begin it with TrainingSession(model, X, y, ..., journal=...)"
        )
    seeds = json.loads(journal.about["seeds"])
    if model is None:
        model = rebuilt(journal.about, journal.path)
    prepared = tables.prepared(_with_seeds(model, seeds))
    found = differences_of_machines(json.loads(journal.about["machine"]), this_machine())
    if found:
        warnings.warn(
            f"journal {journal.path!r} was written with {found}: what is trained here may differ "
            "in its last bits",
            stacklevel=4,
        )
    if journal.about.get("rows", "") not in ("", digest_of(prepared.table.dataset.x, "X")):
        warnings.warn(
            "the transformers of the Pipeline give other rows than they did when the session of "
            f"journal {journal.path!r} began: another library version or processor, or a seed "
            "that is not a random_state",
            stacklevel=4,
        )
    return prepared
