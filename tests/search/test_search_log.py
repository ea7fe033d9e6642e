"""The log of a search, what a retune takes of a drift report, and the optimum in words."""

import json
import pickle
import sqlite3
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from hill import Hill, Y
from scipy.stats import loguniform

from skbn.search import CoarseToFineSearchCV
from skbn.search.space import Space

pytestmark = pytest.mark.slow

SPACE = {"a": loguniform(1e-5, 1), "b": [0.5, 1, 2], "kind": ["low", "high"]}
PLAIN = {
    "verdict": "covariate",
    "advice": "adapt",
    "auc": {"value": 0.75, "low": 0.7, "high": 0.8},
    "columns": {"a": {"effect": 1.5}},
}
WORDS = "One column of two moved.\nAdapt."
KEPT = PLAIN | {"summary": WORDS}


class Report:
    """A drift report, as far as a search knows one."""

    def __init__(self, plain=PLAIN):
        self.plain = plain

    def to_dict(self):
        return self.plain

    def summary(self):
        return WORDS


class Counted(Hill):
    """The best a is at the value of the first feature; fits are counted, and may be interrupted."""

    n_fits, last = 0, np.inf

    def fit(self, X, y):
        Counted.n_fits += 1
        if Counted.n_fits > Counted.last:
            raise KeyboardInterrupt
        return super().fit(X, y)

    def score(self, X, y):
        return -abs(np.log10(self.a) - X[0, 0])


@pytest.fixture(scope="module")
def fitted():
    options = {"n_candidates": 6, "n_rounds": 2, "cv": 2, "random_state": 0}
    return pickle.dumps(CoarseToFineSearchCV(Counted(), SPACE, **options).fit(rows(-3), Y))


@pytest.fixture
def search(monkeypatch, fitted):
    monkeypatch.setattr(Counted, "n_fits", 0)
    return pickle.loads(fitted)


def rows(best):
    """Twelve rows on which the best a is 10 to this power."""
    return np.full((12, 1), float(best))


def report_in(path):
    """The report that a journal holds."""
    with closing(sqlite3.connect(path)) as db:
        found = db.execute("SELECT value FROM about WHERE name = 'report'").fetchone()
    return found and json.loads(found[0])


def test_a_row_for_each_call_with_what_the_report_said(search):
    first = search.log_
    search.extend(rows(-3), Y)
    search.retune(rows(-1)[:8], Y[:8], report=Report())
    shift = search.optimum_shift_
    search.retune(rows(-2)[:10], Y[:10])
    log = search.log_
    assert log["call"].tolist() == ["fit", "extend", "retune", "retune"]
    assert log["n_rows"].tolist() == [12, 12, 8, 10]
    assert log["n_candidates"].tolist() == [6, 9, 6, 6]
    assert log["best_score"].iloc[-1] == search.best_score_
    pd.testing.assert_frame_equal(log[:1], first)
    said = log.loc[2, ["verdict", "advice", "auc", "summary"]].tolist()
    assert said == ["covariate", "adapt", 0.75, WORDS]
    assert log.loc[[0, 1, 3], ["verdict", "advice", "auc", "summary"]].isna().all(axis=None)
    assert log.loc[2, "distance"] == shift["distance"].max() > 0
    assert shift.loc[log.loc[2, "moved_most"], "distance"] == log.loc[2, "distance"]
    assert log.loc[:1, ["moved_most", "distance"]].isna().all(axis=None)
    # A fit begins anew, as it does with all else that is fitted.
    assert search.fit(rows(-3), Y).log_.equals(first)


def test_the_log_goes_with_a_copy_and_an_older_search_begins_one(search):
    copy = pickle.loads(pickle.dumps(search.retune(rows(-1), Y, report=Report())))
    pd.testing.assert_frame_equal(copy.log_, search.log_)
    assert copy.extend(rows(-1), Y).log_["call"].tolist() == ["fit", "retune", "extend"]
    del search.log_  # as in a file of a version that had none
    assert search.retune(rows(-2), Y).log_["call"].tolist() == ["retune"]


@pytest.mark.parametrize("given_again", [True, False])
def test_a_crashed_retune_goes_on_with_its_report_or_without(search, fitted, tmp_path, given_again):
    path, n_fits = tmp_path / "retune.sqlite", Counted.n_fits
    whole = pickle.loads(fitted).retune(rows(-1), Y, report=Report())
    n_whole = Counted.n_fits - n_fits
    Counted.n_fits, Counted.last = 0, 1
    with pytest.raises(KeyboardInterrupt):
        search.retune(rows(-1), Y, report=Report(), journal=path)
    assert search.log_["call"].tolist() == ["fit"]
    assert report_in(path) == KEPT
    Counted.n_fits, Counted.last = 0, np.inf
    resumed = pickle.loads(fitted)
    resumed.retune(rows(-1), Y, report=Report() if given_again else None, journal=path)
    assert Counted.n_fits == n_whole - 1
    pd.testing.assert_frame_equal(resumed.log_, whole.log_)
    assert report_in(path) == KEPT


def test_a_report_is_no_part_of_the_identity_of_a_search(search, fitted, tmp_path):
    path = tmp_path / "retune.sqlite"
    search.retune(rows(-1), Y, journal=path)
    assert report_in(path) is None
    other = PLAIN | {"verdict": "label"}
    Counted.n_fits = 0
    again = pickle.loads(fitted).retune(rows(-1), Y, report=Report(other), journal=path)
    assert Counted.n_fits == 1  # the refit
    assert again.log_["verdict"].tolist() == [None, "label"]
    assert report_in(path) == other | {"summary": WORDS}
    # The row of the rounds that come after is not that of the report.
    assert again.extend(rows(-1), Y).log_["verdict"].tolist() == [None, "label", None]


def test_a_report_in_the_journal_that_was_changed_is_damage(search, fitted, tmp_path):
    path = tmp_path / "retune.sqlite"
    search.retune(rows(-1), Y, report=Report(), journal=path)
    with closing(sqlite3.connect(path)) as db, db:
        db.execute("UPDATE about SET value = '{}' WHERE name = 'report'")
    with pytest.raises(ValueError, match="a row of the table about does not agree"):
        pickle.loads(fitted).retune(rows(-1), Y, journal=path)


@pytest.mark.parametrize(
    "report",
    [
        *(1, "covariate", PLAIN, Report, Report({}), Report([])),
        *(pd.DataFrame({"verdict": [1]}), Report(PLAIN | {"columns": np.ones(2)})),
    ],
)
def test_what_is_no_report_is_refused_before_anything_is_fitted(search, tmp_path, report):
    before, n_fits = dict(vars(search)), Counted.n_fits
    with pytest.raises(TypeError, match="report"):
        search.retune(rows(-1), Y, report=report, journal=tmp_path / "retune.sqlite")
    assert vars(search) == before
    assert Counted.n_fits == n_fits
    assert list(tmp_path.iterdir()) == []


def test_without_a_best_score_the_log_has_none(search):
    scoring = {"up": lambda model, X, y: 1.0, "down": lambda model, X, y: 0.0}
    search.set_params(scoring=scoring, refit=False).fit(rows(-3), Y)
    assert np.isnan(search.log_.loc[0, "best_score"])
    search.retune(rows(-1), Y, report=Report())
    assert search.log_["moved_most"].isna().all()


@pytest.mark.parametrize(
    ("space", "before", "after", "words"),
    [
        ({"m__a": loguniform(1e-4, 1)}, 0.003, 0.011, "a 0.003 -> 0.011, 0.14 of its scale"),
        ({"m__a": loguniform(1e-4, 1)}, 0.0030001, 0.0030002, "a stays at 0.003"),
        ({"batch_size": [16, 32, 64]}, 64, 16, "batch_size 64 -> 16, 0.67 of its scale"),
        ({"kind": ["low", "high"]}, "low", "high", "kind low -> high"),
        ({"kind": ["low", "high"]}, "low", "low", "kind stays at low"),
        ({"flag": [True, False]}, True, False, "flag True -> False"),
        ({"sizes": [(9,), (5, 3)]}, (9,), (5, 3), "sizes (9,) -> (5, 3)"),
        ({"none": [None, "balanced"]}, None, "balanced", "none None -> balanced"),
    ],
)
def test_a_shift_of_the_optimum_in_words(space, before, after, words):
    space = Space(space)
    (name,) = space.parts[0]
    shift = space.shift(space.encode({name: before}), space.encode({name: after}))
    assert shift.columns.tolist() == ["before", "after", "distance", "in_words"]
    assert shift.loc[name, "in_words"] == words
