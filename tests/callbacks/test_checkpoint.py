"""Checkpoint: what its files hold, whenever a process is killed or the disk is full."""

import errno
import os
import signal
import subprocess
import sys
import warnings
from pathlib import Path

import killed_training
import numpy as np
import pytest
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.callbacks import Checkpoint, EarlyStopping
from skbn.estimators.fitting import Fit
from skbn.export import load_model
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

pytest.importorskip("sklearn.callback")


def names_in(folder):
    return sorted(path.name for path in Path(folder).iterdir())


can_be_killed = pytest.mark.skipif(
    not hasattr(signal, "SIGKILL"), reason="no process can be killed so"
)


def file_of_killed(path, moment):
    """Give what is loaded from the file of a training that its process was killed in."""
    killed = subprocess.run(
        [sys.executable, killed_training.__file__, path, moment],
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        capture_output=True,
    )
    assert killed.returncode == -signal.SIGKILL, killed.stderr.decode()
    return load_model(path)


@can_be_killed
@pytest.mark.parametrize(("moment", "epoch"), [("fsync", 4), ("between", 5)])
def test_a_process_that_is_killed_leaves_a_whole_file(tmp_path, assert_same_model, moment, epoch):
    loaded = file_of_killed(tmp_path / "model.npz", moment)
    model, X, y = killed_training.training(epoch)
    expected = model.fit(X, y)
    assert loaded.n_iter_ == epoch
    np.testing.assert_array_equal(loaded.predict_proba(X), expected.predict_proba(X))
    assert_same_model(loaded.partial_fit(X, y), expected.partial_fit(X, y))


@can_be_killed
@pytest.mark.parametrize(("member", "epoch"), [("0", 5), ("1", 8)])
def test_a_warm_start_from_the_file_trains_what_is_missing(
    tmp_path, assert_same_model, member, epoch
):
    loaded = file_of_killed(tmp_path / "model.npz", member)
    assert loaded.n_iter_ == epoch
    model, X, y = killed_training.training(8, n_members=3)
    model.fit(X, y)
    loaded.set_params(warm_start=True).fit(X, y)
    assert_same_model(loaded.set_params(warm_start=False), model)


def snake(z):
    return z + np.sin(z) ** 2


@pytest.mark.parametrize("monitor", [None, "accuracy"])
def test_what_no_file_can_hold_is_refused_at_once(iris, quick, tmp_path, capsys, monitor):
    pytest.importorskip("autograd")
    checkpoint = Checkpoint(tmp_path / "model.npz", monitor=monitor)
    model = quick(activation=snake, verbose=1).set_callbacks(checkpoint)
    with pytest.raises(ValueError, match=r"activation holds the function snake.*pickle"):
        model.fit(*iris)
    assert names_in(tmp_path) == []
    assert capsys.readouterr().out == ""


def test_a_file_is_the_first_member_until_the_whole_classifier_takes_its_place(
    iris, quick, tmp_path
):
    X, y = iris
    how = {"learning_rate": "constant", "calibrate": False, "max_iter": 5}
    model = quick(**how).set_callbacks(Checkpoint(tmp_path / "{epoch:02}.npz", every=2))
    model.fit(X, y)
    assert names_in(tmp_path) == ["02.npz", "04.npz", "05.npz"]
    for n in (2, 4):
        expected = quick(**how | {"max_iter": n, "n_members": 1}).fit(X, y)
        proba = load_model(tmp_path / f"0{n}.npz").predict_proba(X)
        np.testing.assert_array_equal(proba, expected.predict_proba(X))
    whole = load_model(tmp_path / "05.npz")
    np.testing.assert_array_equal(whole.predict_proba(X), model.predict_proba(X))


def test_each_member_has_files_of_its_own(iris, quick, tmp_path):
    X, y = iris
    model = quick(calibrate=False).set_callbacks(Checkpoint(tmp_path / "{member}-{epoch}", every=2))
    model.fit(X, y)
    assert names_in(tmp_path) == ["0-2", "0-3", "1-2", "1-3"]
    both = [load_model(tmp_path / f"{member}-3").predict_proba(X) for member in (0, 1)]
    np.testing.assert_allclose(np.mean(both, axis=0), model.predict_proba(X), atol=1e-6)


@pytest.mark.parametrize("can_go_on", [False, True])
def test_the_training_state_is_in_the_file_if_wanted(iris, quick, tmp_path, can_go_on):
    checkpoint = Checkpoint(tmp_path / "model.npz", training_state=can_go_on)
    quick().set_callbacks(checkpoint).fit(*iris)
    loaded = load_model(tmp_path / "model.npz").set_params(learning_rate="constant")
    if can_go_on:
        assert loaded.partial_fit(*iris).n_iter_ == 4
    else:
        with pytest.raises(ValueError, match="training"):
            loaded.partial_fit(*iris)


@pytest.mark.parametrize("n_members", [1, 3])
def test_the_file_has_the_best_epoch_or_the_whole_classifier_if_that_is_better(
    imbalanced, constant, scores, average_precision, tmp_path, n_members
):
    X, y, X_val, y_val = imbalanced
    path = tmp_path / "{epoch}.npz"
    model = constant(30, calibrate=False, n_members=n_members, n_iter_no_change=30)
    model.set_callbacks(Checkpoint(path, monitor="average_precision"))
    model.fit(X, y, X_val=X_val, y_val=y_val)
    records = [n for n in range(1, 31) if scores[n - 1] > max([0, *scores[: n - 1]])]
    whole = average_precision(model, X_val, y_val)
    is_better = whole >= max(scores)
    assert is_better == (n_members > 1)  # of these rows
    assert {int(name[:-4]) for name in names_in(tmp_path)} == {*records, *[30] * is_better}
    for n in records:
        saved = load_model(tmp_path / f"{n}.npz")
        expected = whole if is_better and n == 30 else scores[n - 1]
        assert average_precision(saved, X_val, y_val) == expected


def test_early_stopping_before_it_leaves_the_best_epoch_in_the_file_at_any_time(
    imbalanced, constant, scores, average_precision, tmp_path
):
    X, y, X_val, y_val = imbalanced
    model = constant(30, calibrate=False).set_callbacks(
        EarlyStopping(monitor="average_precision", patience=4), Checkpoint(tmp_path / "{epoch}")
    )
    model.fit(X, y, X_val=X_val, y_val=y_val)
    of_files = [
        average_precision(load_model(tmp_path / f"{n}"), X_val, y_val)
        for n in range(1, model.n_iter_ + 1)
    ]
    np.testing.assert_array_equal(of_files, np.maximum.accumulate(scores)[: model.n_iter_])


def test_where_training_goes_on_a_better_file_stays_and_a_new_beginning_replaces_it(
    iris, quick, tmp_path
):
    given, path = {}, tmp_path / "model.npz"
    model = quick(warm_start=True, n_members=1, learning_rate="constant", max_iter=1)
    model.set_callbacks(Checkpoint(path, monitor=lambda model, *_: given[model.n_iter_]))

    def epochs_of_file(scores, train):
        given.update(scores)
        train()
        return load_model(path).n_iter_

    def go_on(n):
        return lambda: model.set_params(max_iter=n).fit(*iris)

    assert epochs_of_file({1: 0.5}, go_on(1)) == 1
    assert epochs_of_file({2: 0.6, 3: 0.4}, go_on(3)) == 2
    assert epochs_of_file({4: 0.5}, go_on(4)) == 2
    assert epochs_of_file({5: 0.5}, lambda: model.partial_fit(*iris)) == 2
    assert epochs_of_file({6: 0.7}, lambda: model.partial_fit(*iris)) == 6
    path.write_bytes(b"no model")
    assert epochs_of_file({7: 0.1}, go_on(7)) == 7
    given.clear()
    model.set_params(warm_start=False, max_iter=1)
    assert epochs_of_file({1: 0.0}, lambda: model.fit(*iris)) == 1


def test_scores_that_are_no_number_are_written_until_there_is_one(iris, quick, tmp_path):
    scores = {1: np.nan, 2: np.nan, 3: 0.1, 4: np.nan}
    model = quick(max_iter=4, n_members=1)
    model.set_callbacks(
        Checkpoint(tmp_path / "{epoch}", monitor=lambda model, *_: scores[model.n_iter_])
    )
    model.fit(*iris)
    assert names_in(tmp_path) == ["1", "2", "3"]


def test_partial_fit_writes_the_whole_classifier_every_so_many_epochs(iris, quick, tmp_path):
    model = quick(n_members=2, max_iter=9)
    model.set_callbacks(Checkpoint(tmp_path / "{epoch}.npz", every=2))
    for _ in range(5):
        model.partial_fit(*iris, classes=[0, 1, 2])
        if model.n_iter_ == 4:
            expected = model.predict_proba(iris[0])
    assert names_in(tmp_path) == ["2.npz", "4.npz"]
    proba = load_model(tmp_path / "4.npz").predict_proba(iris[0])
    np.testing.assert_array_equal(proba, expected)


@pytest.mark.parametrize("kind", [GridSearchCV, CoarseToFineSearchCV])
def test_in_a_search_the_refit_alone_is_written(iris, quick, tmp_path, kind):
    model = quick().set_callbacks(Checkpoint(tmp_path / "{epoch}"))
    pipeline = make_pipeline(StandardScaler(), model)
    space = {"bnsoftmaxclassifier__max_iter": [5]}
    search = kind(pipeline, space, cv=2, refit=False)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "round")  # of a space of one candidate
        search.fit(*iris)
        assert names_in(tmp_path) == []
        search.set_params(refit=True).fit(*iris)
    assert names_in(tmp_path) == ["1", "2", "3", "4", "5"]
    X = search.best_estimator_[0].transform(iris[0])
    proba = load_model(tmp_path / "5").predict_proba(X)
    np.testing.assert_array_equal(proba, search.predict_proba(iris[0]))


def test_a_full_disk_is_an_error_that_leaves_the_former_file(iris, quick, tmp_path, monkeypatch):
    n_calls = []

    def fsync(_):
        n_calls.append(1)
        if len(n_calls) == 3:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    path = tmp_path / "model.npz"
    monkeypatch.setattr(os, "fsync", fsync)
    with pytest.raises(OSError, match="Checkpoint of epoch 3 was not written: No space") as caught:
        quick(max_iter=9).set_callbacks(Checkpoint(path)).fit(*iris)
    assert (caught.value.errno, caught.value.filename) == (errno.ENOSPC, str(path))
    assert names_in(tmp_path) == ["model.npz"]
    assert load_model(path).n_iter_ == 2


class Subclass(BNSoftmaxClassifier):
    pass


@pytest.mark.parametrize(
    ("name", "model", "error", "message"),
    [
        ("no/model.npz", BNSoftmaxClassifier(), FileNotFoundError, r"make it with os\.makedirs"),
        ("{epoch}/model.npz", BNSoftmaxClassifier(), FileNotFoundError, "make it with"),
        ("", BNSoftmaxClassifier(), IsADirectoryError, "give a file"),
        ("model.npz", Subclass(), TypeError, r"subclass Subclass.*skops\.io\.dump"),
        ("model.npz", make_pipeline(Subclass()), TypeError, r"pipeline\[-1\]\.set_callbacks\(Che"),
    ],
)
def test_what_cannot_be_written_is_an_error_that_says_what_to_do(
    iris, tmp_path, name, model, error, message
):
    model.set_callbacks(Checkpoint(os.path.join(tmp_path, name)))
    with pytest.raises(error, match=message):
        model.fit(*iris)
    assert names_in(tmp_path) == []


@pytest.mark.parametrize(
    ("path", "options", "error", "message"),
    [
        ("{loss}.npz", {}, ValueError, r"fields \{epoch\} and \{member\}"),
        ("{}.npz", {}, ValueError, r"fields \{epoch\} and \{member\}"),
        ("{epoch:s}", {}, ValueError, r"fields \{epoch\} and \{member\}"),
        ("{epoch.name}", {}, ValueError, r"fields \{epoch\} and \{member\}"),
        ("}", {}, ValueError, "braces of a name are doubled"),
        (None, {}, TypeError, "path must be a str or a path-like"),
        ("a", {"every": 0}, ValueError, "every must be a number of epochs"),
        ("a", {"every": 2, "monitor": "accuracy"}, ValueError, "leave out one of the two"),
        ("a", {"monitor": "accuracies"}, ValueError, "get_scorer_names"),
    ],
)
def test_a_parameter_that_is_not_valid_is_an_error_at_once(path, options, error, message):
    with pytest.raises(error, match=message):
        Checkpoint(path, **options)


def test_braces_of_a_name_are_doubled(iris, quick, tmp_path):
    quick().set_callbacks(Checkpoint(os.path.join(tmp_path, "{{a}}"))).fit(*iris)
    assert names_in(tmp_path) == ["{a}"]


@pytest.mark.parametrize("path", ["", "a\0b"])
def test_a_path_that_is_none_is_refused(path):
    with pytest.raises(ValueError, match="path must be the name of a file"):
        Checkpoint(path)


def test_a_model_is_not_made_for_epochs_without_a_file(iris, tmp_path, monkeypatch):
    made = []
    outcome = Fit.outcome
    monkeypatch.setattr(Fit, "outcome", lambda fit, *a: made.append(fit) or outcome(fit, *a))
    checkpoint = Checkpoint(tmp_path / "model.npz", every=4)
    model = BNSoftmaxClassifier((4,), max_iter=6, n_members=1, calibrate=False)
    model.set_callbacks(checkpoint).fit(*iris)
    assert len(made) == 2  # after the fourth epoch, and that of the fit


def test_partial_fit_without_rows_to_judge_on_is_passed_over(iris, tmp_path):
    file = tmp_path / "model.npz"
    checkpoint = Checkpoint(file, monitor="accuracy")
    model = BNSoftmaxClassifier((4,), learning_rate="constant").set_callbacks(checkpoint)
    model.fit(*iris, X_val=iris[0], y_val=iris[1])
    before = file.read_bytes()
    model.partial_fit(*iris)
    assert file.read_bytes() == before
