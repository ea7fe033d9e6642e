"""The journal of a search: a SQLite file to go on from after a crash."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from os import PathLike
from typing import Any

from skbn.journal.checksums import contents, well_formed
from skbn.journal.database import Database, Kind
from skbn.journal.fingerprints import Identity
from skbn.search.records import candidate_row, restore, result_row, round_row
from skbn.search.study import Study

TABLES = """
CREATE TABLE rounds (
    round INTEGER PRIMARY KEY, bounds TEXT NOT NULL, n_candidates INTEGER NOT NULL,
    checksum TEXT NOT NULL
);
CREATE TABLE candidates (
    candidate INTEGER PRIMARY KEY, round INTEGER NOT NULL REFERENCES rounds,
    draw TEXT NOT NULL, unit TEXT NOT NULL, params TEXT NOT NULL, checksum TEXT NOT NULL
);
CREATE TABLE results (
    candidate INTEGER NOT NULL REFERENCES candidates, rung INTEGER NOT NULL,
    split INTEGER NOT NULL, result TEXT NOT NULL, checksum TEXT NOT NULL,
    PRIMARY KEY (candidate, rung, split)
);
"""
KEYS = {"rounds": "round", "candidates": "candidate", "results": "candidate, rung, split"}


def _advice(found: Mapping[str, str]) -> str:
    """What to do with the journal of another search."""
    if found.keys() == {"n_candidates and n_rounds"}:
        return (
            "To try more candidates, fit with the numbers it was made for, which takes no time, "
            "and call extend(X, y, n_rounds=...)"
        )
    return "Go on with what it was made for (cv needs a random_state if it shuffles)"


KIND = Kind(
    format="skbn search journal 3",
    tables=TABLES,
    noun="search",
    parts="fits",
    go_on="run the same again",
    advice=_advice,
    further=("seed", "report"),
)


class Journal:
    """A SQLite file that holds a `Study`, and that one process at a time may write.

    Parameters
    ----------
    path : str or path-like
        The file; made if there is none, readable by its owner only.

    identity : mapping of str to Fingerprint
        Of the search, as `fingerprints.of_search` makes it. A file that holds a search
        with other values is refused.

    Raises
    ------
    ValueError
        If the search cannot be identified, or the file cannot be opened or written, is
        held by another process, is damaged or something else, or belongs to another
        search.
    JournalError
        By all methods after `load`, if the file fails.
    """

    def __init__(self, path: str | PathLike[str], identity: Identity) -> None:
        self._database = Database(path, KIND, identity)

    def __enter__(self) -> Journal:
        return self

    def __exit__(self, *_: object) -> None:
        self._database.close()

    def load(self, study: Study) -> bool:
        """Restore the state of a study at the last commit, if there was any.

        Failed fits are left out, as `restore` says.

        Returns
        -------
        found : bool
        """
        database = self._database
        with database.errors("read"):
            seed = database.about().get("seed", "")
            key = database.key_of(seed)
            tables = {
                name: contents(key, name, database.rows(f"SELECT * FROM {name} ORDER BY {keys}"))
                for name, keys in KEYS.items()
            }
            if seed:
                restore(study, seed, tables)
        self._key, database.is_under_way = key, True
        return bool(seed)

    def start(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit a study, whether it is new or has results, with the parameters of its trials."""
        results = [
            (candidate, rung, split, result)
            for candidate, trial in enumerate(study.trials)
            for rung, results in enumerate(trial.rungs)
            for split, result in results.items()
        ]
        with self._database.transaction():
            self._database.add("about", [("seed", str(study.seed))], key=b"")
            self._key = self._database.key_of(study.seed)
            self._add_rounds(study, params)
            self._add_results(results)

    def keep_report(self, report: dict[str, Any] | None) -> dict[str, Any] | None:
        """Commit the drift report of a `retune`, or give the one that was committed before."""
        if report is not None:
            with self._database.transaction():
                self._database.add("about", [("report", json.dumps(report))], key=b"")
            return report
        with self._database.errors("read"), well_formed():
            found = json.loads(self._database.about().get("report", "null"))
            return None if found is None else dict(found)

    def add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit the new rounds, and their candidates with these parameters."""
        with self._database.transaction():
            self._add_rounds(study, params)

    def add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        """Commit results of fits, each with its candidate, rung and split."""
        with self._database.transaction():
            self._add_results(results)

    def _add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        ((n_rounds,),) = self._database.rows("SELECT count(*) FROM rounds")
        new = range(n_rounds, len(study.bounds))
        self._database.add("rounds", [round_row(n, study) for n in new], self._key)
        first = len(study.trials) - len(params)
        trials = enumerate(zip(study.trials[first:], params, strict=True), start=first)
        rows = [candidate_row(i, trial, shown) for i, (trial, shown) in trials]
        self._database.add("candidates", rows, self._key)

    def _add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        self._database.add("results", [result_row(*each) for each in results], self._key)


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

    def keep_report(self, report: dict[str, Any] | None) -> dict[str, Any] | None:
        """Give the report, which nothing keeps."""
        return report

    def add_rounds(self, study: Study, params: list[dict[str, Any]]) -> None:
        """Commit nothing."""

    def add_results(self, results: Iterable[tuple[int, int, int, dict[str, Any]]]) -> None:
        """Commit nothing."""
