"""The journal of a search: a SQLite file to go on from after a crash."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from os import PathLike, fspath
from typing import Any

import numpy as np

from skbn.search.study import Study, Trial

FORMAT = "skbn search journal 2"

TABLES = """
CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL);
CREATE TABLE rounds (round INTEGER PRIMARY KEY, bounds TEXT NOT NULL);
CREATE TABLE candidates (
    candidate INTEGER PRIMARY KEY, round INTEGER NOT NULL REFERENCES rounds,
    draw TEXT NOT NULL, unit TEXT NOT NULL, params TEXT NOT NULL
);
CREATE TABLE results (
    candidate INTEGER NOT NULL REFERENCES candidates, rung INTEGER NOT NULL,
    split INTEGER NOT NULL, result TEXT NOT NULL, PRIMARY KEY (candidate, rung, split)
);
"""


class Journal:
    """A SQLite file that holds a `Study`, and that one process at a time may open.

    Parameters
    ----------
    path : str or path-like
        The file; made if there is none.

    identity : mapping of str to str
        Of the search, as `fingerprints.of_search` makes it. A file that holds a search
        with other values is refused.

    Raises
    ------
    ValueError
        If the file cannot be opened or written, is held by another process, is
        something else, or belongs to another search.
    """

    def __init__(self, path: str | PathLike[str], identity: Mapping[str, str]) -> None:
        self.path = fspath(path)
        try:
            self._db = sqlite3.connect(self.path, timeout=0)
        except sqlite3.Error as error:
            raise ValueError(f"journal {self.path!r} cannot be opened: {error}") from error
        try:
            self._check(identity)
            self._lock(identity)
        except sqlite3.OperationalError as error:
            self._db.close()
            if "locked" in str(error):
                reason = "is held by another process; wait for it, or give another file"
            else:
                reason = f"cannot be written: {error}"
            raise ValueError(f"journal {self.path!r} {reason}") from error
        except sqlite3.DatabaseError as error:
            self._db.close()
            raise ValueError(
                f"{self.path!r} is no journal of a search ({error}); give another file"
            ) from error
        except ValueError:
            self._db.close()
            raise

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._db.close()

    def _check(self, identity: Mapping[str, str]) -> None:
        """Refuse another file than a journal of this search, before anything is written."""
        tables = {name for (name,) in self._db.execute("SELECT name FROM sqlite_master")}
        if not tables:
            return
        kept = dict(self._db.execute("SELECT name, value FROM about")) if "about" in tables else {}
        if kept.get("format") != FORMAT:
            raise ValueError(f"{self.path!r} is a database, but no journal of a search")
        for name, value in identity.items():
            if kept.get(name) != value:
                shown = f": {kept.get(name)} there, {value} here" if len(value) < 200 else ""
                raise ValueError(
                    f"journal {self.path!r} belongs to a search with another {name}{shown}. "
                    "Go on with what it was made for (cv needs a random_state if it shuffles), "
                    "or give another file"
                )

    def _lock(self, identity: Mapping[str, str]) -> None:
        """Take the lock, which is kept until the process ends, however it ends.

        The tables are made if there are none.
        """
        # With a write-ahead log a commit survives the process without waiting for the disk;
        # only a failure of power may cost the last ones.
        self._db.execute("PRAGMA locking_mode = EXCLUSIVE")
        self._db.execute("PRAGMA journal_mode = WAL")
        self._db.execute("PRAGMA synchronous = NORMAL")
        with self._db:
            self._db.execute("BEGIN EXCLUSIVE")
            if self._db.execute("SELECT count(*) FROM sqlite_master").fetchone() == (0,):
                for statement in TABLES.split(";")[:-1]:
                    self._db.execute(statement)
                rows = [("format", FORMAT), *identity.items()]
                self._db.executemany("INSERT INTO about VALUES (?, ?)", rows)

    def load(self, study: Study) -> bool:
        """Restore the state of a study at the last commit, if there was any.

        Failed fits are left out, so that they are made again: their cause, a library that was
        missing or a machine without memory, may be gone.

        Returns
        -------
        found : bool
        """
        seed = self._db.execute("SELECT value FROM about WHERE name = 'seed'").fetchone()
        if seed is None:
            return False
        study.seed = int(seed[0])
        rows = self._db.execute("SELECT bounds FROM rounds ORDER BY round")
        study.bounds = [np.array(json.loads(bounds)).reshape(-1, 2) for (bounds,) in rows]
        rows = self._db.execute("SELECT round, draw, unit FROM candidates ORDER BY candidate")
        study.trials = [Trial(r, draw, np.array(json.loads(unit))) for r, draw, unit in rows]
        for candidate, rung, split, text in self._db.execute("SELECT * FROM results"):
            result = _from_json(json.loads(text))
            if not result["fit_error"]:
                study.trials[candidate].add(rung, split, result)
        return True

    def start(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit a study, whether it is new or has results, with the parameters of its trials."""
        with self._db:
            self._db.execute("INSERT INTO about VALUES ('seed', ?)", (str(study.seed),))
            self._add_rounds(study, params)
            for candidate, trial in enumerate(study.trials):
                for rung, results in enumerate(trial.rungs):
                    for split, result in results.items():
                        self._add_result(candidate, rung, split, result)

    def add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit the new rounds, and their candidates with these parameters."""
        with self._db:
            self._add_rounds(study, params)

    def add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        """Commit results of fits, each with its candidate, rung and split."""
        with self._db:
            for each in results:
                self._add_result(*each)

    def _add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        (n_rounds,) = self._db.execute("SELECT count(*) FROM rounds").fetchone()
        rows = [(n, json.dumps(b.tolist())) for n, b in enumerate(study.bounds)]
        self._db.executemany("INSERT INTO rounds VALUES (?, ?)", rows[n_rounds:])
        first = len(study.trials) - len(params)
        candidates = [
            (first + i, t.round, t.draw, json.dumps(t.unit.tolist()), repr(shown))
            for i, (t, shown) in enumerate(zip(study.trials[first:], params, strict=True))
        ]
        self._db.executemany("INSERT INTO candidates VALUES (?, ?, ?, ?, ?)", candidates)

    def _add_result(self, candidate: int, rung: int, split: int, result: dict[str, Any]) -> None:
        text = json.dumps(_to_json(result), allow_nan=False)
        self._db.execute(
            "INSERT OR REPLACE INTO results VALUES (?, ?, ?, ?)", (candidate, rung, split, text)
        )


def _to_json(value: Any) -> Any:
    """Numbers as Python's own, and infinities and NaN, which JSON has not, as text."""
    if isinstance(value, dict):
        return {name: _to_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    return number if np.isfinite(number) else str(number)


def _from_json(result: dict[str, Any]) -> dict[str, Any]:
    scores = result["test_scores"]
    if isinstance(scores, dict):
        result["test_scores"] = {name: float(score) for name, score in scores.items()}
    else:
        result["test_scores"] = float(scores)
    for name, curve in result.get("curves", {}).items():
        result["curves"][name] = [float(value) for value in curve]
    return result


class NoJournal:
    """A journal that keeps nothing, for a search without one."""

    def __enter__(self) -> NoJournal:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def load(self, study: Study) -> bool:
        """Find nothing."""
        return False

    def start(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit nothing."""

    def add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit nothing."""

    def add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        """Commit nothing."""
