"""How far a search has come is told by lines where there is no terminal, and by a bar on one."""

import pickle
import re
import sys
from time import sleep

import numpy as np
import pytest
from hill import X, Y, make
from scipy.stats import loguniform
from sklearn.linear_model import SGDClassifier

from skbn.search import CoarseToFineSearchCV
from skbn.search import progress as module
from skbn.search import workload as clocked
from skbn.search.jobs import Assignment, Done, Job
from skbn.search.progress import Ticker, how_to_shorten, in_words, progress
from skbn.search.study import Study, Trial
from skbn.search.time_limit import TimeLimit
from skbn.search.workload import GROWTH, Plan, Workload

pytestmark = pytest.mark.slow

HALVING = Plan(3, [[30, 10], [15, 5], [15, 5]], [5, 10], 1, 1.5)


@pytest.fixture
def clock(monkeypatch):
    """A clock that is set by hand."""
    now = [100.0]
    monkeypatch.setattr(clocked, "perf_counter", lambda: now[0])
    return now


def workload_of(plan, study=None, limit=np.inf):
    return Workload(plan, study or Study(0, plan.n_splits), TimeLimit(limit))


def jobs_of(plan, candidates, rung=0):
    return [Job(i, rung, split, {}) for i in candidates for split in range(plan.n_splits)]


def done(job, seconds):
    return Done(*job[:3], {"fit_time": seconds, "score_time": 0.0})


def told(capsys):
    return capsys.readouterr().err.splitlines()


@pytest.mark.parametrize(
    ("plan", "epochs", "n_done", "expected"),
    [
        (HALVING, [5, 15], 0, "240 fits: 60 candidates x 3 folds to epoch 5, then the best 20 x 3"),
        (Plan(3, [[60]], [1], 1, 0), [None], 0, "180 fits: 60 candidates x 3 folds"),
        (Plan(3, [[30], [30]], [1], 1, 0), [None], 9, "180 fits: 60 candidates x 3 folds; 9 of"),
        (Plan(1, [[1]], [1], 1, 0), [None], 0, "1 fits: 1 candidate x 1 fold"),
        (Plan(2, [[9, 3, 1]], [1, 2, 6], 1, 0), [1, 3, 9], 0, "26 fits: 9 candidates x 2 folds to"),
    ],
)
def test_the_number_of_fits_is_explained(plan, epochs, n_done, expected):
    assert in_words(plan, epochs, n_done).startswith(expected)


@pytest.mark.parametrize(
    ("options", "opening"),
    [
        ({}, "48 fits: 24 candidates x 2 folds"),
        ({"n_rounds": 1, "n_candidates": 5}, "10 fits: 5 candidates x 2 folds"),
    ],
)
def test_the_first_line_explains_and_the_last_has_all_fits(options, opening, capsys):
    make(verbose=1, scoring="accuracy", **options).fit(X, Y)
    lines, n = told(capsys), opening.split()[0]
    assert lines[0] == opening
    assert re.fullmatch(rf"{n}/{n} fits, best accuracy 0\.\d{{4}}, elapsed \d+ s", lines[-1])


def test_of_a_journal_and_of_more_rounds_what_is_done_is_told(capsys, tmp_path):
    search = make(verbose=1, journal=tmp_path / "search.sqlite").fit(X, Y)
    capsys.readouterr()
    make(verbose=1, journal=tmp_path / "search.sqlite").fit(X, Y)
    first, *_, last = told(capsys)
    assert first == "48 fits: 24 candidates x 2 folds; 48 of them are done"
    assert last.startswith("48/48 fits, ")
    search.extend(X, Y)
    first, *_, last = told(capsys)
    n = int(first.split()[0])
    assert (first.endswith("; 48 of them are done"), n > 48) == (True, True)
    assert last.startswith(f"{n}/{n} fits, ")


def test_where_values_run_out_the_last_line_has_the_fits_that_were_made(capsys, iris):
    space, options = {"alpha": [1e-3, 1e-2, 0.1]}, {"n_candidates": 9, "n_rounds": 2, "cv": 2}
    search = CoarseToFineSearchCV(SGDClassifier(), space, verbose=1, random_state=0, **options)
    with pytest.warns(UserWarning, match="few others are left"):
        search.fit(*iris)
    assert told(capsys)[-1].startswith("6/6 fits, ")


def test_nothing_is_shown_unless_asked_for(capsys):
    make(verbose=0).fit(X, Y)
    assert told(capsys) == []


def test_time_left_weighs_rungs_rounds_and_the_refit(clock):
    workload, jobs = workload_of(HALVING), jobs_of(HALVING, range(30))
    assert workload.left() is None
    workload.begin(0, 0, jobs)
    for job in jobs[:45]:
        clock[0] += 5
        workload.add(done(job, 5.0))
    # A second an epoch: 45 fits here; the others, and the refit to half as many rows again.
    later = 3 * (10 * 10 + 2 * (15 * 5 + 5 * 10)) + 15 * 1.5
    assert workload.left() == pytest.approx(45 * 5 + GROWTH * later)
    assert (workload.n_done, workload.n_fits) == (45, 240)
    clock[0] += 7
    assert workload.left() == pytest.approx(45 * 5 + GROWTH * later - 7)


def test_what_a_candidate_took_tells_its_other_fits(clock):
    plan = Plan(1, [[2, 2]], [1, 9], 1, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(2))
    workload.begin(0, 0, jobs)
    for job, seconds in zip(jobs, (1.0, 9.0), strict=True):
        clock[0] += seconds
        workload.add(done(job, seconds))
    workload.begin(0, 1, jobs_of(plan, [1], 1))
    assert workload.left() == pytest.approx(81)


def test_the_estimates_of_the_schedule_are_calibrated_by_epochs_under_way(clock):
    plan = Plan(1, [[3]], [1], 1, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(3))
    workload.begin(0, 0, jobs)
    estimates = zip(jobs, (10.0, 10.0, 30.0), strict=True)
    workload.expect([Assignment(job, None, seconds=each) for job, each in estimates], 0)
    for _ in range(4):  # a tenth in four seconds, of which the schedule says one
        clock[0] += 4
        workload.hear(jobs[0].key, 4.0, 0.1)
    assert workload.left() == pytest.approx(24 + 40 + 120, rel=0.1)
    clock[0] += 24
    workload.add(done(jobs[0], 40.0))
    assert workload.left() == pytest.approx(40 + 120, rel=0.1)


def test_workers_share_what_is_left(clock):
    plan = Plan(2, [[100]], [1], 4, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(100))
    workload.begin(0, 0, jobs)
    for job in jobs[:100]:
        clock[0] += 0.5
        workload.add(done(job, 2.0))
    assert workload.left() == pytest.approx(50)


def test_rows_that_are_transformed_again_for_each_rung_take_their_time(clock):
    plan = Plan(2, [[2], [2]], [1], 1, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(2))
    workload.begin(0, 0, jobs)
    clock[0] += 30
    workload.prepared(30.0, 1)
    workload.expect([], 1)  # the rows of the other split do not fit into memory
    clock[0] += 1
    workload.add(done(jobs[0], 1.0))
    assert workload.left() == pytest.approx(3 + 4 * GROWTH + 3 * 30)


def test_a_time_limit_ends_what_is_left(clock, monkeypatch):
    plan = Plan(1, [[100]], [1], 1, 0)
    limit = TimeLimit(np.inf)
    monkeypatch.setattr(limit, "left", lambda: 20.0)
    workload, jobs = Workload(plan, Study(0, 1), limit), jobs_of(plan, range(100))
    workload.begin(0, 0, jobs)
    clock[0] += 1
    workload.add(done(jobs[0], 1.0))
    assert workload.left() == 20
    workload.begin_last(jobs[1:3])
    assert workload.left() == pytest.approx(2)
    assert workload.n_fits == 3


def test_results_of_a_journal_tell_what_fits_take_but_took_no_time(clock):
    plan, study = Plan(1, [[4]], [1], 1, 0), Study(0, 1)
    result = {"fit_time": 3.0, "score_time": 0.0}
    study.trials = [Trial(0, "global", np.zeros(1), [{0: result}]) for _ in range(2)]
    workload = workload_of(plan, study)
    workload.begin(0, 0, jobs_of(plan, [2, 3]))
    assert (workload.n_done, workload.n_fits, workload.left()) == (2, 4, 6)


def test_other_processes_get_no_workload():
    assert pickle.loads(pickle.dumps(workload_of(HALVING))) is None


def ticking(workload, advice=""):
    lines = []
    return lines, Ticker(
        workload, lambda: "best 3", advice, lines.append, lambda n, of, line: lines.append(line)
    )


def test_lines_have_the_time_elapsed_and_left(clock):
    plan = Plan(1, [[10]], [1], 1, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(10))
    lines, ticker = ticking(workload)
    workload.begin(0, 0, jobs)
    clock[0] += 5
    ticker.tick()
    for job in jobs[:2]:
        clock[0] += 5
        workload.add(done(job, 7.5))
    ticker.tick()
    ticker.end()
    assert lines == [
        "0/10 fits, best 3, elapsed 5 s",
        "2/10 fits, best 3, elapsed 15 s, left about 60 s",
        "2/10 fits, best 3, elapsed 15 s",
    ]


@pytest.mark.parametrize(("part", "advice"), [(1.0, []), (0.25, ["About 3 min in all; try fewer"])])
def test_once_after_ten_seconds_there_is_advice_if_much_is_left(clock, part, advice):
    plan = Plan(1, [[10]], [1], 1, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(10))
    lines, ticker = ticking(workload, "try fewer")
    workload.begin(0, 0, jobs)
    for job in jobs[:4]:
        clock[0] += 5
        workload.hear(job.key, 5.0, part)
        ticker.tick()
    assert [line for line in lines if "fits" not in line] == advice
    assert lines[2:3] == advice or not advice


def test_a_command_gives_advice_in_words_of_its_own(monkeypatch, clock, capsys):
    monkeypatch.setattr(module, "SECONDS_TO_ADVICE", -1)
    monkeypatch.setattr(module, "LONG_SECONDS", -1)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.001)

    def slow(model, X, y):
        sleep(0.002)
        return 1.0

    make(verbose=1, scoring=slow).fit(X, Y)
    assert "n_candidates=8 tries fewer" in capsys.readouterr().err
    token = how_to_shorten.set("--candidates 8")
    make(verbose=1, scoring=slow).fit(X, Y)
    how_to_shorten.reset(token)
    assert re.search("About .* in all; --candidates 8\n", capsys.readouterr().err)


@pytest.mark.parametrize("n_jobs", [1, 2])
def test_networks_and_partial_fits_are_heard_while_they_train(quick, iris, monkeypatch, n_jobs):
    heard = []

    def hear(self, key, seconds, part, own=Workload.hear):
        heard.append((key, part))
        own(self, key, seconds, part)

    monkeypatch.setattr(Workload, "hear", hear)
    options = {"n_candidates": 3, "n_rounds": 1, "cv": 2, "random_state": 0, "n_jobs": n_jobs}
    options |= {"resource": "epochs", "min_epochs": 2, "refit": False}
    for model in quick(max_iter=6), SGDClassifier(max_iter=6, tol=None, random_state=0):
        heard.clear()
        search = CoarseToFineSearchCV(model, {"alpha": loguniform(1e-5, 1)}, **options)
        silent = search.fit(*iris).cv_results_["mean_test_score"]
        assert heard == []
        search.set_params(verbose=1).fit(*iris)
        np.testing.assert_array_equal(search.cv_results_["mean_test_score"], silent)
        if n_jobs == 1:
            assert {key for key, _ in heard} == {(i, split) for i in range(3) for split in (0, 1)}
            assert sum(part for _, part in heard) == pytest.approx(6 + 2)


@pytest.fixture
def shown(clock):
    """Draws a tick of a small workload."""
    plan = Plan(1, [[2]], [1], 1, 0)

    def show():
        workload, jobs = workload_of(plan), jobs_of(plan, range(2))
        workload.begin(0, 0, jobs)
        with progress(workload, "2 fits", lambda: "best 4", ""):
            for job in jobs:
                workload.add(done(job, 1.0))

    return show


def test_without_rich_there_are_lines(monkeypatch, capsys, shown):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    shown()
    assert told(capsys) == ["2 fits", "2/2 fits, best 4, elapsed 0 s"]


def test_a_terminal_gets_a_bar(monkeypatch, capsys, shown):
    pytest.importorskip("rich")
    monkeypatch.setenv("TTY_INTERACTIVE", "1")
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setattr("rich.console.Console.is_interactive", True, raising=False)
    shown()
    assert "2/2 fits, best 4, elapsed 0 s" in capsys.readouterr().err


def test_a_terminal_that_lacks_the_letters_gets_lines(monkeypatch, capsys, shown):
    pytest.importorskip("rich")
    monkeypatch.setattr("rich.console.Console.is_interactive", True, raising=False)
    monkeypatch.setattr("rich.console.Console.encoding", "latin-1")
    shown()
    assert told(capsys) == ["2 fits", "2/2 fits, best 4, elapsed 0 s"]
