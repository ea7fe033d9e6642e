"""The file of a journal: names, rights, damage, and disks that are full."""

import os
import sqlite3
import stat
from contextlib import closing, contextmanager
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from search_checks import same_results
from sklearn.tree import DecisionTreeClassifier

from skbn.search import CoarseToFineSearchCV, log_randint
from skbn.search.journal import Journal
from skbn.search.study import Study

pytestmark = pytest.mark.slow

resource = pytest.importorskip("resource")  # of Unix

SPACE = {"min_samples_leaf": log_randint(1, 20), "ccp_alpha": loguniform(1e-4, 0.1)}


def make(journal=None, **parameters):
    options = {"n_candidates": 8, "cv": 2, "random_state": 0, "refit": False} | parameters
    return CoarseToFineSearchCV(
        DecisionTreeClassifier(random_state=0), SPACE, journal=journal, **options
    )


@pytest.mark.parametrize("name", ["", ":memory:", "a\0b", ".", Path("."), "/dev/null"])
def test_names_that_are_no_files_are_refused(tmp_path, monkeypatch, iris, name):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"journal=.* must be the name of a file"):
        make(name).fit(*iris)
    assert os.listdir() == []


@pytest.mark.parametrize(
    "name", ["file:a.sqlite?mode=memory", "file::memory:", " ", "ä\udcff", "a b'\"%?#.sqlite"]
)
def test_other_names_are_plain(tmp_path, monkeypatch, iris, name):
    monkeypatch.chdir(tmp_path)
    make(name).fit(*iris)
    assert os.listdir() == [name]


@pytest.mark.parametrize("umask", [0o000, 0o022, 0o077])
def test_a_new_file_is_for_its_owner_only(path, iris, umask):
    def mode_of_all(model, X, y):
        for each in path.parent.iterdir():
            modes.add(stat.S_IMODE(each.stat().st_mode))
        return model.score(X, y)

    modes = set()
    before = os.umask(umask)
    try:
        make(path, n_candidates=3, scoring=mode_of_all).fit(*iris)
    finally:
        os.umask(before)
    assert modes == {0o600}
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_the_target_of_a_link_is_for_its_owner_only(path, iris):
    link = path.with_name("link")
    link.symlink_to(path.name)
    make(link).fit(*iris)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_an_existing_file_keeps_its_rights_and_an_empty_one_is_new(path, iris):
    path.touch()
    path.chmod(0o640)
    same_results(make(path).fit(*iris), make().fit(*iris))
    assert stat.S_IMODE(path.stat().st_mode) == 0o640
    assert path.stat().st_size > 0


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
@pytest.mark.parametrize("exists", [True, False])
def test_a_folder_that_is_read_only_is_named(path, iris, exists):
    if exists:
        make(path).fit(*iris)
    path.parent.chmod(0o500)
    with pytest.raises(ValueError, match=r"search.sqlite' cannot be"):
        make(path).fit(*iris)
    path.parent.chmod(0o700)


@pytest.mark.parametrize(("version", "age"), [(2, "an earlier"), (4, "a later")])
def test_another_version_of_the_format_is_refused_by_its_name(path, iris, version, age):
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("CREATE TABLE about (name TEXT PRIMARY KEY, value TEXT NOT NULL)")
        db.execute("INSERT INTO about VALUES ('format', ?)", [f"skbn search journal {version}"])
    with pytest.raises(ValueError, match=f"has format version {version}, of {age} skbn"):
        make(path).fit(*iris)


def test_a_search_within_a_search_cannot_have_its_journal(path, iris):
    def nested(model, X, y):
        make(path).fit(X, y)

    with pytest.raises(ValueError, match="is held by another process, or by a search"):
        make(path, scoring=nested, error_score="raise").fit(*iris)


@contextmanager
def full_disk(n_bytes):
    """Let no file grow above so many bytes."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (n_bytes, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


def test_what_was_found_when_the_disk_is_full_is_published(path, iris):
    message = r"search.sqlite' cannot be written any more: .* run the same again to go on: the "
    message += r"search ended with \d whole candidates; extend goes on with it"
    whole = make(refit=True).fit(*iris)
    with full_disk(100_000), pytest.warns(UserWarning, match=message):
        search = make(path, refit=True).fit(*iris)
    n_found = len(search.cv_results_["params"])
    assert 0 < n_found < 8
    assert search.cv_results_["params"] == whole.cv_results_["params"][:n_found]
    assert search.predict(iris[0]).shape == (150,)
    same_results(make(path, refit=True).fit(*iris), whole)


@pytest.mark.parametrize("n_bytes", [0, 1000, 20_000, 50_000, 60_000])
def test_a_disk_that_is_full_before_any_candidate_is_named(path, iris, n_bytes):
    named = pytest.raises((ValueError, OSError), match=r"search.sqlite' cannot be")
    with full_disk(n_bytes), named:
        make(path, cv=10, n_candidates=3).fit(*iris)
    same_results(
        make(path, cv=10, n_candidates=3).fit(*iris), make(cv=10, n_candidates=3).fit(*iris)
    )


# Damage: an error that names the file, or what was written.


class Written:
    """A journal as it was written, what it holds, and damaged ones in its place."""

    def __init__(self, path, iris):
        search = make(path, n_candidates=6).fit(*iris)
        self.path, self.bytes = path, path.read_bytes()
        self.identity, self.study = vars(search)["_identity"], vars(search)["_study"]

    def outcome(self, changed=None, sql=None):
        """``None`` where a damaged journal is refused, or else the results that it lacks."""
        self.path.write_bytes(self.bytes if changed is None else changed)
        if sql:
            with closing(sqlite3.connect(self.path)) as db, db:
                db.execute(sql)
        study, found, refused = Study(0, 2), False, None
        try:
            with Journal(self.path, self.identity) as journal:
                found = journal.load(study)
        except ValueError as error:
            refused = str(error)
        if refused:
            assert str(self.path) in refused
            assert "give another file" in refused
            assert "held" not in refused
            assert (study.trials, study.bounds) == ([], [])
            return None
        if not found:
            return len(self.study.results)
        np.testing.assert_equal(study.bounds, self.study.bounds)
        for trial, written in zip(study.trials, self.study.trials, strict=True):
            assert (trial.round, trial.draw) == (written.round, written.draw)
            np.testing.assert_array_equal(trial.unit, written.unit)
            for split, result in trial.on(0).items():
                assert result == written.on(0)[split]
        return len(self.study.results) - len(study.results)


@pytest.fixture(scope="module")
def written(tmp_path_factory, iris):
    return Written(tmp_path_factory.mktemp("journal") / "search.sqlite", iris)


def test_bits_that_flip_are_told_or_change_nothing(written):
    rng, outcomes = np.random.default_rng(0), []
    assert written.outcome() == 0
    for position in rng.integers(len(written.bytes), size=300):
        changed = bytearray(written.bytes)
        changed[position] ^= 1 << rng.integers(8)
        outcomes.append(written.outcome(changed))
    assert set(outcomes) <= {None, 0}
    assert outcomes.count(None) > 50


def test_pages_of_noise_are_told(written):
    rng, outcomes = np.random.default_rng(0), []
    for start in range(0, len(written.bytes), 1024):
        changed = bytearray(written.bytes)
        changed[start : start + 1024] = rng.bytes(1024)
        outcomes.append(written.outcome(changed))
    assert set(outcomes) == {None, 0}  # there are pages without rows
    assert outcomes.count(None) > len(outcomes) / 2


def test_files_that_were_cut_are_told(written):
    assert written.outcome(b"") == len(written.study.results)
    for length in np.unique(np.linspace(1, len(written.bytes) - 1, 40).astype(int)):
        assert written.outcome(written.bytes[:length]) is None
    assert written.outcome(b"a,b\n" * 5000) is None


COLUMNS = {
    "about": ["name", "value", "checksum"],
    "rounds": ["round", "bounds", "n_candidates", "checksum"],
    "candidates": ["candidate", "round", "draw", "unit", "params", "checksum"],
    "results": ["candidate", "rung", "split", "result", "checksum"],
}
OTHERS = ["-1", "77", "''", "x'00ff'", "'null'"]
DEEP = "replace(hex(zeroblob(20000)), '0', '[')"


@pytest.mark.parametrize(
    ("table", "column"), [(table, each) for table, columns in COLUMNS.items() for each in columns]
)
@pytest.mark.parametrize("row", ["min", "max"])
def test_edited_cells_are_told(written, table, column, row):
    for value in [*OTHERS, DEEP]:
        where = f"rowid = (SELECT {row}(rowid) FROM {table})"
        try:
            outcome = written.outcome(sql=f"UPDATE {table} SET {column} = {value} WHERE {where}")
        except sqlite3.Error:  # no number for a key
            continue
        assert outcome is None, value


@pytest.mark.parametrize(
    "sql",
    [
        "UPDATE about SET value = 1 WHERE name = 'seed'",
        "DELETE FROM about WHERE name = 'seed'",
        "DELETE FROM about WHERE name = 'format'",
        "DELETE FROM about WHERE name = 'data'",
        "DELETE FROM rounds WHERE round = 2",
        "DELETE FROM rounds",
        "DELETE FROM candidates WHERE candidate = 5",
        "DELETE FROM candidates WHERE candidate = 0",
        "UPDATE results SET result = replace(result, '0.9', '0.8')",
        "UPDATE results SET result = (SELECT max(result) FROM results)",
        "UPDATE results SET split = 1 - split + 10",
        "UPDATE candidates SET unit = (SELECT max(unit) FROM candidates)",
        "DROP TABLE results",
        "ALTER TABLE rounds RENAME COLUMN bounds TO limits",
        "ALTER TABLE rounds ADD COLUMN more",
        "CREATE VIEW about2 AS SELECT * FROM about",
    ],
)
def test_edited_tables_are_told_or_change_nothing(written, sql):
    is_harmless = sql.startswith("CREATE") or "RENAME" in sql
    assert written.outcome(sql=sql) == (0 if is_harmless else None)


def test_rows_that_are_missing_as_after_a_crash_are_made_again(written):
    assert written.outcome(sql="DELETE FROM results WHERE candidate > 3") == 4
    with closing(sqlite3.connect(written.path)) as db, db:
        db.execute("DELETE FROM candidates WHERE round = 2")
        db.execute("DELETE FROM rounds WHERE round = 2")
    study = Study(0, 2)
    with Journal(written.path, written.identity) as journal:
        assert journal.load(study)
    assert len(study.bounds) == 2


def test_rows_of_another_journal_are_told(written, tmp_path, iris):
    make(tmp_path / "other", n_candidates=6, scoring="neg_log_loss").fit(*iris)
    with closing(sqlite3.connect(tmp_path / "other")) as db, db:
        rows = db.execute("SELECT * FROM results").fetchall()
    cells = ", ".join(f"({', '.join(map(repr, row))})" for row in rows)
    assert written.outcome(sql=f"REPLACE INTO results VALUES {cells}") is None


@pytest.mark.filterwarnings("ignore:the best")  # may lie at an end, by chance
def test_a_damaged_journal_leaves_a_fitted_search_as_it_was(path, iris):
    search = make(path).fit(*iris)
    before = pd.DataFrame(search.cv_results_)
    path.write_bytes(path.read_bytes()[:5000])
    with pytest.raises(ValueError, match="is damaged"):
        search.extend(*iris)
    pd.testing.assert_frame_equal(pd.DataFrame(search.cv_results_), before)
