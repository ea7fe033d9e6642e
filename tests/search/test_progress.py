"""How far a search has come is told by lines where there is no terminal, and by a bar on one."""

import os
import pickle
import re
import shutil
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
from skbn.search.progress import (
    Ticker,
    about_half,
    duration,
    how_to_shorten,
    in_words,
    progress,
    to_the_second,
)
from skbn.search.results import best_so_far
from skbn.search.study import Study, Trial
from skbn.search.time_limit import TimeLimit
from skbn.search.workload import GROWTH, Plan, Workload

pytestmark = pytest.mark.slow

ONE = "2 fits: 1 candidate x 1 fold to epoch 1, then the best one x 1 fold to epoch 3; 1 of them is"
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
        (Plan(1, [[1]], [1], 1, 0), [None], 0, "1 fit: 1 candidate x 1 fold"),
        (Plan(1, [[1, 1]], [1, 2], 1, 0), [1, 3], 1, ONE),
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


@pytest.mark.parametrize(
    ("part", "advice"),
    [
        (1.0, []),
        (0.5, []),  # of 100 s
        (0.25, ["About 3 min in all; budget=120 ends after 2 min"]),
        (0.1, ["About 8 min in all; budget=240 ends after 4 min"]),
    ],
)
def test_once_after_ten_seconds_there_is_advice_if_much_is_left(clock, part, advice):
    plan = Plan(1, [[10]], [1], 1, 0)
    workload, jobs = workload_of(plan), jobs_of(plan, range(10))
    lines, ticker = ticking(workload, "budget={seconds} ends after {time}")
    workload.begin(0, 0, jobs)
    for job in jobs[:4]:
        clock[0] += 5
        workload.hear(job.key, 5.0, part)
        ticker.tick()
    assert [line for line in lines if "fits" not in line] == advice
    assert lines[2:3] == advice or not advice


@pytest.mark.parametrize(
    ("seconds", "half", "in_short", "in_full"),
    [
        (5, 60, "60 s", "5 s"),
        (121, 60, "60 s", "2 min 1 s"),
        (250, 120, "2 min", "4 min 10 s"),
        (360, 180, "3 min", "6 min"),
        (599.7, 300, "5 min", "10 min"),
        (1800, 1200, "20 min", "30 min"),
        (3 * 3600, 7200, "2.0 h", "3 h"),
        (90_005, 36000, "10.0 h", "25 h 5 s"),
    ],
)
def test_times_in_words(seconds, half, in_short, in_full):
    assert about_half(seconds) == half
    assert duration(half) == in_short
    assert to_the_second(seconds) == in_full


def test_no_time_is_zero_seconds():
    assert to_the_second(0.2) == "0 s"


@pytest.mark.parametrize(
    ("losses", "n_rungs", "expected"),
    [
        ([], 2, "no candidate complete"),
        ([{}], 2, "no candidate complete"),
        ([{5: np.nan}], 1, "no score yet"),
        ([{5: 0.2}, {5: 0.1457}, {5: np.nan}], 2, "best log-loss 0.1457 (to epoch 5)"),
        ([{5: 0.2, 15: 0.1472}, {5: 0.1457}], 2, "best log-loss 0.1472 (to epoch 15)"),
        ([{5: 0.2}, {5: 0.1457}], 1, "best log-loss 0.1457"),
    ],
)
def test_the_best_is_told_with_its_epoch_where_trainings_differ(losses, n_rungs, expected):
    study, times = Study(0, 1, n_rungs=n_rungs), {"fit_time": 1.0, "score_time": 0.0}
    for by_epoch in losses:
        rungs = [
            {0: times | {"n_epochs": epoch, "test_scores": -loss, "ended": epoch == 15}}
            for epoch, loss in by_epoch.items()
        ]
        study.trials.append(Trial(0, "global", np.zeros(1), rungs))
    assert best_so_far(study, "neg_log_loss") == expected


def test_a_command_gives_advice_in_words_of_its_own(monkeypatch, clock, capsys):
    monkeypatch.setattr(module, "SECONDS_TO_ADVICE", -1)
    monkeypatch.setattr(module, "LONG_SECONDS", -1)
    monkeypatch.setattr(module, "SECONDS_BETWEEN_LINES", 0.001)

    def slow(model, X, y):
        sleep(0.002)
        return 1.0

    make(verbose=1, scoring=slow).fit(X, Y)
    advice = "time_budget=60 ends the search after 60 s with the best so far, n_candidates=8 tries"
    err = capsys.readouterr().err
    assert advice in err
    assert "Ctrl-C ends it with the best so far once a candidate is complete" in err
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


LONG = (
    "About 6 min in all; --time-budget 180 ends the search after 3 min with the best so far, or so"
)
WRAPPED = [
    "About 6 min in all; --time-budget 180",
    "  ends the search after 3 min with the",
    "  best so far, or so",
]


def test_long_lines_on_a_terminal_without_rich_break_between_words(monkeypatch, capsys):
    monkeypatch.setitem(sys.modules, "rich.console", None)
    monkeypatch.setattr(shutil, "get_terminal_size", lambda: os.terminal_size((40, 24)))
    for is_terminal, expected in (True, WRAPPED), (False, [LONG]):
        monkeypatch.setattr(sys.stderr, "isatty", lambda is_terminal=is_terminal: is_terminal)
        with module._lines() as (say, _):
            say(LONG)
        assert told(capsys) == expected


def test_long_lines_above_a_bar_break_between_words_and_its_own_keeps_its_end(capsys):
    console = pytest.importorskip("rich.console")
    terminal = console.Console(stderr=True, force_terminal=True, width=40, highlight=False)
    with module._bar(terminal, 9) as (say, draw):
        say(LONG)
        draw(3, 9, "3/9 fits, best 4, elapsed 2 min 3 s, left about 9 s")
    lines = [
        line.rstrip()
        for line in re.sub(r"\x1b\[[0-9;?]*\w|\r", "\n", capsys.readouterr().err).splitlines()
    ]
    assert set(WRAPPED) <= set(lines)
    assert "left about 9 s" in " ".join(" ".join(lines).split())
