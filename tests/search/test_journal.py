"""The journal: a search goes on after a crash as if nothing had happened."""

import os
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from contextlib import closing

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import StratifiedKFold
from sklearn.tree import DecisionTreeClassifier

from skbn.journal.database import Database
from skbn.search import CoarseToFineSearchCV, log_randint
from skbn.search.journal import KIND

pytestmark = pytest.mark.slow

SPACE = {"min_samples_leaf": log_randint(1, 20), "ccp_alpha": loguniform(1e-4, 0.1)}


class CountingTree(DecisionTreeClassifier):
    """Counts its fits."""

    fits = 0

    def fit(self, X, y, sample_weight=None, check_input=True):
        CountingTree.fits += 1
        return super().fit(X, y, sample_weight, check_input)


def make(journal=None, **parameters):
    options = {"n_candidates": 12, "cv": 3, "random_state": 0} | parameters
    tree = options.pop("estimator", CountingTree(random_state=0))
    space = options.pop("space", SPACE)
    return CoarseToFineSearchCV(tree, space, journal=journal, **options)


def scores(search):
    return pd.DataFrame(search.cv_results_).filter(regex="split|round|draw|param_|rank")


def test_a_second_fit_takes_all_from_the_journal(path, iris):
    first = make(path).fit(*iris)
    CountingTree.fits = 0
    second = make(path, n_jobs=2).fit(*iris)
    assert CountingTree.fits == 1  # the refit
    pd.testing.assert_frame_equal(scores(first), scores(second))
    pd.testing.assert_frame_equal(scores(first), scores(make().fit(*iris)))
    assert second.bounds_history_ == first.bounds_history_
    np.testing.assert_array_equal(
        first.cv_results_["mean_fit_time"], second.cv_results_["mean_fit_time"]
    )


def test_missing_results_are_fitted_and_nothing_else(path, iris):
    whole = scores(make(path).fit(*iris))
    with sqlite3.connect(path) as db:
        # As if the process had died in the second round, with 20 fits done.
        db.execute("DELETE FROM results WHERE candidate * 3 + split >= 20")
        db.execute("DELETE FROM candidates WHERE round = 2")
        db.execute("DELETE FROM rounds WHERE round = 2")
    db.close()
    CountingTree.fits = 0
    pd.testing.assert_frame_equal(scores(make(path).fit(*iris)), whole)
    assert CountingTree.fits == 36 - 20 + 1


def test_extended_rounds_are_in_the_journal(path, iris):
    extended = make(path).fit(*iris).extend(*iris)
    again = make(path).fit(*iris)
    pd.testing.assert_frame_equal(scores(again), scores(extended))
    pd.testing.assert_frame_equal(
        scores(again.extend(*iris)), scores(make().fit(*iris).extend(*iris, n_rounds=2))
    )


@pytest.mark.filterwarnings("ignore:the best")  # may lie at an end, by chance
def test_a_journal_that_was_deleted_is_written_anew(path, iris):
    search = make(path, random_state=None).fit(*iris)
    path.unlink()
    extended = search.extend(*iris)
    CountingTree.fits = 0
    again = make(path, random_state=None).fit(*iris)
    assert CountingTree.fits == 1
    pd.testing.assert_frame_equal(scores(again), scores(extended))


class Fragile(CountingTree):
    """Fails as long as it is broken."""

    broken = True

    def fit(self, X, y, sample_weight=None, check_input=True):
        super().fit(X, y, sample_weight, check_input)
        if Fragile.broken:
            raise OSError("a library is missing")
        return self


def test_failed_fits_are_made_again(path, iris, monkeypatch):
    with pytest.raises(ValueError, match="All the 18 fits failed"):
        make(path, estimator=Fragile(random_state=0)).fit(*iris)
    monkeypatch.setattr(Fragile, "broken", False)
    repaired = make(path, estimator=Fragile(random_state=0)).fit(*iris)
    pd.testing.assert_frame_equal(scores(repaired), scores(make().fit(*iris)))


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning", "ignore:One or more")
@pytest.mark.parametrize("n_rounds", [1, 2])
def test_extended_rounds_are_counted_without_fits_that_are_made_again(path, iris, n_rounds):
    options = {
        "space": {"max_depth": [3, -1, 2, -2, 5, -3, 4, -4]},
        "n_candidates": 4,
        "n_rounds": 2,
    }
    plain, kept = (make(journal, **options).fit(*iris) for journal in (None, path))
    extended = [scores(search.extend(*iris, n_rounds=n_rounds)) for search in (plain, kept)]
    pd.testing.assert_frame_equal(*extended)
    assert extended[0]["split0_test_score"].isna().any()


def test_retuning_has_a_journal_of_its_own(path, iris):
    X, y = iris
    search = make(path).fit(X, y)
    with pytest.raises(ValueError, match=r"other data: X: .*\(150, 4\) there, .*\(100, 4\) here"):
        search.retune(X[:100], y[:100], journal=path)
    retuned = scores(search.retune(X[:100], y[:100], journal=f"{path}.2"))
    CountingTree.fits = 0
    again = make(path).fit(X, y).retune(X[:100], y[:100], journal=f"{path}.2")
    assert CountingTree.fits == 2  # the refits
    pd.testing.assert_frame_equal(scores(again), retuned)
    assert again.extend(X[:100], y[:100]).cv_results_["round"].max() == 3


@pytest.mark.filterwarnings("ignore:the best")  # may lie at an end, by chance
def test_without_a_seed_the_journal_keeps_the_one_that_was_drawn(path, iris):
    first = make(path, random_state=None).fit(*iris)
    pd.testing.assert_frame_equal(scores(make(path, random_state=None).fit(*iris)), scores(first))


def test_several_scores_failures_and_frames_survive(path, iris):
    X, y = pd.DataFrame(iris[0], columns=list("abcd")), pd.Series(iris[1]).map(str)
    space = SPACE | {"min_samples_split": [2, 2, -1, 2]}  # -1 is refused by fit
    options = {"space": space, "scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy"}
    with pytest.warns((FitFailedWarning, UserWarning), match=r"fits failed|non-finite"):
        first = make(path, **options).fit(X, y)
    with pytest.warns((FitFailedWarning, UserWarning), match=r"fits failed|non-finite"):
        second = make(path, **options).fit(X.copy(), y.copy())
    assert first.cv_results_.keys() == second.cv_results_.keys()
    assert np.isnan(second.cv_results_["mean_test_accuracy"]).any()
    with sqlite3.connect(path) as db:
        query = "SELECT json_extract(result, '$.test_scores.accuracy') FROM results"
        read = [value for (value,) in db.execute(query)]
    db.close()
    assert read.count("nan") == np.isnan(scores(first).filter(regex="split._test_acc")).sum().sum()
    pd.testing.assert_frame_equal(scores(first), scores(second))


def test_a_journal_reads_as_a_plain_database(path, iris):
    search = make(path).fit(*iris)
    with sqlite3.connect(path) as db:
        rows = db.execute("SELECT params FROM candidates ORDER BY candidate").fetchall()
        n_results = db.execute("SELECT count(*) FROM results").fetchone()
    db.close()
    assert [eval(text) for (text,) in rows] == search.cv_results_["params"]
    assert n_results == (36,)
    assert os.listdir(path.parent) == ["search.sqlite"]


@pytest.mark.parametrize(
    ("change", "what"),
    [
        ({"space": SPACE | {"min_samples_leaf": log_randint(1, 30)}}, "param_distributions"),
        ({"space": {"ccp_alpha": loguniform(1e-4, 0.1)}}, "param_distributions"),
        ({"estimator": CountingTree(random_state=0, criterion="entropy")}, "estimator"),
        ({"estimator": DecisionTreeClassifier(random_state=0)}, "estimator"),
        ({"scoring": "neg_log_loss"}, "scoring"),
        ({"n_candidates": 15}, "n_candidates and n_rounds: 12 and 3 there, 15 and 3 here"),
        ({"random_state": 1}, "random_state: 0 there, 1 here"),
        ({"cv": 4}, "splits"),
        ({"cv": StratifiedKFold(3, shuffle=True, random_state=0)}, "splits"),
    ],
)
def test_the_journal_of_another_search_is_refused(path, iris, change, what):
    make(path).fit(*iris)
    before = path.read_bytes()
    CountingTree.fits = 0
    with pytest.raises(ValueError, match=f"belongs to a search with (an)?other {what}"):
        make(path, **change).fit(*iris)
    assert CountingTree.fits == 0
    assert path.read_bytes() == before
    make(path).fit(*iris)


@pytest.mark.parametrize("kind", ["array", "frame", "labels", "columns", "weights"])
def test_other_data_are_refused(path, iris, kind):
    X, y = iris
    frame = pd.DataFrame(X, columns=list("abcd"))
    given = {"frame": frame, "columns": frame}.get(kind, X)
    make(path).fit(given, y)
    weights = {}
    if kind == "labels":
        y = np.where(np.arange(150) == 7, (y + 1) % 3, y)
    elif kind == "columns":
        given = frame.rename(columns={"d": "e"})
    elif kind == "weights":
        weights = {"sample_weight": np.ones(150)}
    else:
        given = given.copy()
        np.asarray(given)[3, 2]
        given = given + np.where(np.arange(4) == 2, 1e-9, 0)
    with pytest.raises(ValueError, match="with other data: "):
        make(path).fit(given, y, **weights)


def test_files_that_are_no_journals_are_refused_and_kept(tmp_path, iris):
    text = tmp_path / "text.csv"
    text.write_text("a,b\n" * 500)
    with pytest.raises(ValueError, match=r"text.csv' is no journal of a search"):
        make(text).fit(*iris)
    assert text.read_text() == "a,b\n" * 500
    other = tmp_path / "other.sqlite"
    with sqlite3.connect(other) as db:
        db.execute("CREATE TABLE mine (x)")
    db.close()
    before = other.read_bytes()
    with pytest.raises(ValueError, match="a database, but no journal"):
        make(other).fit(*iris)
    assert other.read_bytes() == before


@pytest.mark.parametrize("path", ["no/such/folder/search.sqlite", "."])
def test_a_journal_that_cannot_be_written_is_refused(tmp_path, monkeypatch, iris, path):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ValueError, match=r"journal='\.' must be|journal .* cannot be opened"):
        make(path).fit(*iris)


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_read_only_journal_is_refused(path, iris):
    make(path).fit(*iris)
    path.chmod(0o400)
    with pytest.raises(ValueError, match=r"cannot be written"):
        make(path).fit(*iris)


SCRIPT = textwrap.dedent("""
    import sys, time
    from scipy.stats import loguniform
    from sklearn.datasets import load_iris
    from sklearn.tree import DecisionTreeClassifier
    from skbn.search import CoarseToFineSearchCV, log_randint

    class SlowTree(DecisionTreeClassifier):
        def fit(self, X, y, sample_weight=None, check_input=True):
            time.sleep(float(sys.argv[2]))
            return super().fit(X, y, sample_weight, check_input)

    space = {"min_samples_leaf": log_randint(1, 20), "ccp_alpha": loguniform(1e-4, 0.1)}
    if __name__ == "__main__":
        search = CoarseToFineSearchCV(
            SlowTree(random_state=0), space, n_candidates=12, cv=3, random_state=0,
            journal=sys.argv[1], n_jobs=int(sys.argv[3]),
        )
        search.fit(*load_iris(return_X_y=True))
        print(search.cv_results_["mean_test_score"].tolist(), search.best_params_)
        print(len(search.cv_results_["params"]), "candidates")
        print("refitted", hasattr(search, "best_estimator_"))
""")


@pytest.fixture
def start(tmp_path):
    """Start the script in a process of its own, which is ended at last."""
    script, processes = tmp_path / "script.py", []
    script.write_text(SCRIPT)

    def begin(path, seconds=0.0, n_jobs=1):
        command = [sys.executable, str(script), str(path), str(seconds), str(n_jobs)]
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env=os.environ | {"PYTHONPATH": os.getcwd()},
        )
        processes.append(process)
        return process

    yield begin
    for process in processes:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
        process.communicate()


def count_results(path):
    """Results in a journal that another process may hold."""
    with closing(sqlite3.connect(f"{path.as_uri()}?mode=ro", uri=True)) as db:
        tables = db.execute("SELECT name FROM sqlite_master").fetchall()
        return len(tables) and db.execute("SELECT count(*) FROM results").fetchone()[0]


def wait_for_results(path, process, n):
    for _ in range(1200):
        if path.exists() and (done := count_results(path)) >= n:
            return done
        assert process.poll() is None, process.communicate()
        time.sleep(0.05)
    raise AssertionError("the search takes too long")


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_kill_9_in_the_middle_of_a_round(path, tmp_path, start, n_jobs):
    expected, _ = start(tmp_path / "whole.sqlite").communicate(timeout=60)
    assert "12 candidates" in expected
    process = start(path, 0.05, n_jobs)
    wait_for_results(path, process, 22)  # of 18 in the first round and 9 in the second
    process.kill()
    process.communicate()
    done = count_results(path)
    assert 22 <= done < 36
    output, errors = start(path, 0, n_jobs).communicate(timeout=60)
    assert output == expected, errors
    assert count_results(path) == 36


def test_a_journal_that_another_process_holds_is_read_and_refused(path, start, iris):
    process = start(path, 0.3)
    done = wait_for_results(path, process, 1)
    with pytest.raises(ValueError, match="is held by another process"):
        make(path).fit(*iris)
    assert wait_for_results(path, process, done + 2) < 36
    with closing(Database.to_read(path, KIND)) as look:
        assert look.identity.keys() >= {"data", "estimator", "splits"}
        assert len(look.rows("SELECT * FROM results")) > done
    assert process.poll() is None


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_ctrl_c_keeps_the_best_so_far(path, start, n_jobs):
    process = start(path, 0.1, n_jobs)
    wait_for_results(path, process, 7)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the workers too
    output, errors = process.communicate(timeout=60)
    assert process.returncode == 0, errors
    assert "Ctrl-C: the search ended with" in errors
    assert "refitted True" in output
    n_candidates = int(output.splitlines()[1].split()[0])
    assert 2 <= n_candidates < 12
    assert count_results(path) >= 7
    resumed, _ = start(path).communicate(timeout=60)
    assert "12 candidates" in resumed


def test_ctrl_c_before_anything_is_known_is_passed_on(path, start):
    process = start(path, 30)
    for _ in range(1200):
        if path.exists() and path.stat().st_size:
            break
        time.sleep(0.05)
    time.sleep(0.5)
    os.killpg(process.pid, signal.SIGINT)
    _, errors = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "KeyboardInterrupt" in errors
