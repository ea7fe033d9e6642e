"""scikit-learn's callbacks in searches, whose candidates train in populations."""

import warnings
from contextlib import contextmanager

import numpy as np
import pandas as pd
import pytest
from recording import Handed, Recording
from scipy.stats import loguniform
from search_checks import same_results
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

callback = pytest.importorskip("sklearn.callback")

RATES = {"learning_rate_init": loguniform(1e-3, 0.1)}
EVALUATION = "candidate-split-evaluation"


@pytest.fixture
def make(quick):
    """Make a search of a classifier with callbacks: four candidates, two splits, two rounds."""

    def search(*callbacks, kind=CoarseToFineSearchCV, space=RATES, network=None, **options):
        model = quick(n_members=1) if network is None else network
        if callbacks:
            model.set_callbacks(*callbacks)
        n = {"n_candidates": 4, "n_rounds": 2} if kind is CoarseToFineSearchCV else {"n_iter": 4}
        return kind(model, space, cv=2, random_state=0, **(n | options))

    return search


def without_numbers(log):
    """Lines of a ScoringMonitor's log on epochs, by the numbers of the epochs and scores."""
    epochs = log[log["task_name"] == "epoch"]
    return sorted(zip(epochs["task_id"], epochs["accuracy"], strict=True))


# Bits and tasks.


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("options", [{}, {"resource": "epochs"}], ids=["whole", "epochs"])
def test_each_candidate_has_its_epochs(make, iris, options, n_jobs):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    search = make(monitor, n_jobs=n_jobs, refit=False, **options).fit(*iris)
    same_results(search, make(refit=False, **options).fit(*iris))
    assert len(monitor.get_logs("all")) == 1
    log = monitor.get_logs(include_lineage=True).data_as_pandas
    counts = log.groupby("task_name").size()
    # By epochs: all train for one of three, and two of four, one a round, to the end.
    n_fits, n_epochs = (8, 24) if not options else (8 + 4, 8 + 4 * 2)
    assert counts["epoch"] == n_epochs
    assert counts["member"] == n_fits
    assert counts["round"] == (2 if not options else 4)
    # The task of a fit is that of its evaluation.
    paths = log["task_id_path"][log["task_name"] == "member"]
    assert all(len(path) == 4 for path in paths)
    assert log["task_id_path"].is_unique


@pytest.mark.parametrize("kind", [CoarseToFineSearchCV, RandomizedSearchCV])
@pytest.mark.parametrize("n_jobs", [None, 2])
def test_epochs_have_the_scores_of_those_alone(make, iris, kind, n_jobs):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    options = {"space": {"learning_rate_init": [0.01, 0.02, 0.04, 0.08]}, "refit": False}
    search = make(monitor, kind=kind, n_jobs=n_jobs, **options).fit(*iris)
    together = without_numbers(monitor.get_logs().data_as_pandas)
    X, y = iris
    expected = []
    for train, _ in StratifiedKFold(2).split(X, y):
        for rate in options["space"]["learning_rate_init"]:
            alone = callback.ScoringMonitor(scoring="accuracy")
            network = search.estimator.set_params(learning_rate_init=rate).set_callbacks(alone)
            network.fit(X[train], y[train])
            expected += without_numbers(alone.get_logs().data_as_pandas)
    assert together == sorted(expected)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_callbacks_of_the_search_are_handed_on(make, iris, n_jobs):
    pytest.importorskip("rich")
    handed = Handed()
    pipeline = make_pipeline(StandardScaler(), make().estimator)
    space = {f"bnsoftmaxclassifier__{name}": values for name, values in RATES.items()}
    search = make(network=pipeline, space=space)
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # of an estimator that does not support callbacks
        search.set_callbacks(handed).fit(*iris)
        search.set_params(n_jobs=n_jobs).set_callbacks(callback.ProgressBar()).fit(*iris)
    assert len(handed.of("end", "epoch")) == 8 * 3 + 3  # and the refit
    assert handed.of("begin", "fit")[0] == (0,)
    ends = [path for h, _, path in handed.heard if h == "end"]
    begins = [path for h, _, path in handed.heard if h == "begin"]
    assert sorted(ends) == sorted(begins)
    assert len(set(begins)) == len(begins)
    assert handed.calls["setup"] == handed.calls["teardown"] == 1


def test_the_progress_bar_of_two_processes_shows_members(make, iris, capsys):
    pytest.importorskip("rich")
    make(n_jobs=2).set_callbacks(callback.ProgressBar()).fit(*iris)
    shown = capsys.readouterr().out
    assert "CoarseToFineSearchCV - fit" in shown
    assert shown.count("member #0") >= 8 + 1
    assert "  0%" not in shown.splitlines()[-1]


def test_rows_keep_the_names_of_their_columns(make, iris):
    X, y = iris
    recording = Recording(look=lambda fitted: fitted.feature_names_in_.tolist())
    make(recording, refit=False).fit(pd.DataFrame(X, columns=list("abcd")), pd.Series(y))
    assert {tuple(names) for *_, names in recording.looks} == {tuple("abcd")}
    table, labels, _ = recording.given[0]
    assert table.columns.tolist() == list("abcd")
    np.testing.assert_array_equal(np.unique(labels), np.unique(y))


def test_callbacks_make_no_other_search(make, iris, tmp_path):
    monitors = [callback.ScoringMonitor(scoring="accuracy") for _ in range(2)]
    searches = [make(*each, journal=tmp_path / "s.sqlite") for each in (monitors[:1], (), monitors)]
    for search in searches:
        search.set_callbacks(Handed()).fit(*iris)
    same_results(searches[0], searches[1])
    same_results(searches[0], searches[2])


# Answers and errors.


@pytest.mark.parametrize("n_jobs", [None, 2])
@pytest.mark.parametrize("resource", [None, "epochs"])
def test_a_stop_drops_that_candidate(make, quick, iris, n_jobs, resource):
    space = {"learning_rate_init": [0.01, 0.02, 0.04, 0.08]}
    options = {"space": space, "n_jobs": n_jobs, "resource": resource, "refit": False}
    network = quick(n_members=1, learning_rate="constant")
    search = make(Stop(), network=network, min_epochs=2, n_rounds=1, **options).fit(*iris)
    results = pd.DataFrame(search.cv_results_).set_index("param_learning_rate_init")
    whole = make(network=quick(n_members=1, learning_rate="constant"), **options).fit(*iris)
    expected = pd.DataFrame(whole.cv_results_).set_index("param_learning_rate_init")
    X, y = iris
    for rate, row in results.iterrows():
        if rate < 0.03:
            assert row["mean_test_score"] == expected.loc[rate, "mean_test_score"] or resource
            continue
        for k, (train, test) in enumerate(StratifiedKFold(2).split(X, y)):
            one = quick(max_iter=1, learning_rate_init=rate, n_members=1, learning_rate="constant")
            score = one.fit(X[train], y[train]).score(X[test], y[test])
            assert row[f"split{k}_test_score"] == score


@contextmanager
def quiet():
    """Without a warning of scores that are not finite."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "One or more of the test scores")
        yield


class Stop(Recording):
    """Stops trainings with high rates after their first epoch."""

    def on_fit_task_end(self, estimator, context):
        return context.task_name == "epoch" and estimator.learning_rate_init > 0.03


class Fail(Stop):
    """Fails at trainings with high rates."""

    def on_fit_task_end(self, estimator, context):
        if super().on_fit_task_end(estimator, context):
            raise ValueError("this rate is too high")


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_failing_callback_fails_that_candidate(make, iris, n_jobs):
    space = {"learning_rate_init": [0.01, 0.02, 0.04, 0.08]}
    options = {"space": space, "n_jobs": n_jobs, "refit": False, "n_rounds": 1}
    with pytest.warns(FitFailedWarning, match=r"(?s).*this rate is too high"), quiet():
        search = make(Fail(), **options).fit(*iris)
    rates = np.array(search.cv_results_["param_learning_rate_init"], float)
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), rates > 0.03)
    with pytest.raises(ValueError, match="this rate is too high"):
        make(Fail(), error_score="raise", **options).fit(*iris)


class FailAtTheEnd(Recording):
    """Fails at the end of trainings with high rates."""

    def teardown(self, estimator, context):
        if estimator.learning_rate_init > 0.03:
            raise ValueError("this rate is too high")


def test_an_error_in_teardown_fails_that_candidate(make, iris):
    space = {"learning_rate_init": [0.01, 0.02, 0.04, 0.08]}
    with pytest.warns(FitFailedWarning, match=r"(?s).*this rate is too high"), quiet():
        search = make(FailAtTheEnd(), space=space, refit=False, n_rounds=1).fit(*iris)
    rates = np.array(search.cv_results_["param_learning_rate_init"], float)
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), rates > 0.03)


@pytest.mark.parametrize("n_jobs", [None, 2])
def test_a_generator_of_splits_is_no_hindrance(make, iris, n_jobs):
    monitor = callback.ScoringMonitor(scoring="accuracy")
    splits = list(StratifiedKFold(2).split(*iris))
    search = make(monitor, n_jobs=n_jobs)
    search.set_params(cv=iter(splits)).fit(*iris)
    same_results(search, make().fit(*iris))
    assert len(monitor.get_logs("all")) == 1


def test_callbacks_to_hand_on_are_set_on_the_search(make, iris):
    recording = Recording()
    network = make(recording).estimator
    pipeline = make_pipeline(StandardScaler(), network).set_callbacks(Handed())
    space = {f"bnsoftmaxclassifier__{name}": values for name, values in RATES.items()}
    with pytest.raises(TypeError, match=r"Pipeline within .* callback Handed.*set_callbacks"):
        make(network=pipeline, space=space).fit(*iris)
    assert not recording.heard


def test_callbacks_of_a_pipeline_hear_of_the_refit_alone(make, iris):
    own, network = Recording(), Recording()
    pipeline = make_pipeline(StandardScaler(), make(network).estimator).set_callbacks(own)
    space = {f"bnsoftmaxclassifier__{name}": values for name, values in RATES.items()}
    make(network=pipeline, space=space).fit(*iris)
    assert own.calls["setup"] == own.calls["teardown"] == 1
    assert len(network.of("end", "fit")) == 9


def test_callbacks_of_candidates_know_the_search(make, quick, iris):
    recording = Recording()
    networks = [quick(n_members=1), quick(n_members=1, alpha=0.1).set_callbacks(recording)]
    pipeline = make_pipeline(StandardScaler(), quick(n_members=1))
    space = {"bnsoftmaxclassifier": networks}
    make(network=pipeline, space=space, n_candidates=2, n_rounds=1, refit=False).fit(*iris)
    assert {len(path) for path in recording.of("end", "member")} == {4}


def test_other_estimators_are_tasks_without_parts(make, iris):
    recording = Recording()
    network = MLPClassifier((4,), max_iter=3, random_state=0)
    search = make(network=network, resource="epochs", refit=False)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        search.set_callbacks(recording).fit(*iris)
    assert len(recording.of("begin", EVALUATION)) == len(recording.of("end", EVALUATION)) >= 8
