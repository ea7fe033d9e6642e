"""The callbacks in sessions, where training goes on from call to call."""

import pytest

from skbn import TrainingSession
from skbn.callbacks import Checkpoint, EarlyStopping, EpochLogger
from skbn.export import load_model

pytest.importorskip("sklearn.callback")


class Scores:
    """Scores by the number of the epoch, 0 where there is none."""

    def __init__(self, *scores):
        self.scores = scores

    def __call__(self, model, X, y):
        return dict(enumerate(self.scores, start=1)).get(model.n_iter_, 0.0)


@pytest.fixture
def session(iris, quick):
    """Begin a session of a network with callbacks."""
    begun = []

    def begin(*callbacks):
        X, y = iris
        model = quick(max_iter=20, learning_rate="constant").set_callbacks(*callbacks)
        begun.append(TrainingSession(model, X=X, y=y))
        return begun[-1]

    yield begin
    for each in begun:
        each.close()


def test_patience_lasts_over_calls_and_begins_anew_with_a_rewind(session):
    stopping = EarlyStopping(monitor=Scores(0.5, 0.6), patience=3)
    run = session(stopping).train(4)
    assert run.log_["epoch"].max() == 4
    run.train(10)
    assert run.log_["epoch"].max() == 5
    run.rewind(4).train(10)
    assert run.log_["epoch"].max() == 4 + 1 + 3


def test_a_better_file_is_not_replaced_in_a_later_call(session, tmp_path):
    best = Checkpoint(tmp_path / "best.npz", monitor=Scores(0.5, 0.8, 0.6, 0.7, 0.9))
    latest = Checkpoint(tmp_path / "latest.npz", every=2)
    run = session(best, latest)

    def epochs_of_files():
        return [load_model(tmp_path / name).n_iter_ for name in ("best.npz", "latest.npz")]

    run.train(3)
    assert epochs_of_files() == [2, 3]
    run.train(1)
    assert epochs_of_files() == [2, 4]
    run.rewind(3).train(1)
    assert epochs_of_files() == [2, 4]
    run.train(1)
    assert epochs_of_files() == [5, 5]


def test_epochs_are_logged_as_the_session_counts_them(session):
    epochs = []
    run = session(EpochLogger(lambda measures, epoch: epochs.append((epoch, measures))))
    run.train(2).rewind(1).train(1)
    of_first = [(epoch, measures["loss"]) for epoch, measures in epochs if "loss" in measures]
    log = run.log_[run.log_["event"] == "epoch"]
    assert of_first == list(zip(log["epoch"], log["loss"], strict=True))


def test_a_session_without_rows_to_judge_on_is_told_so_and_loses_nothing(session):
    run = session(EpochLogger(lambda *_: None)).train(2)
    run.set_callbacks(EarlyStopping(monitor="accuracy"))
    with pytest.raises(ValueError, match="or to the TrainingSession"):
        run.train(2)
    assert run.log_["epoch"].max() == 2
    assert run.set_callbacks().train(2).log_["epoch"].max() == 4


def test_the_scores_of_a_session_are_those_since_the_last_rewind(session):
    stopping = EarlyStopping(monitor=Scores(0.5, 0.6, 0.4))
    run = session(stopping).train(2).train(1)
    table = stopping.scores_[stopping.scores_["member"] == 0]
    assert table["epoch"].tolist() == [1, 2, 3]
    assert table["is_best"].tolist() == [False, True, False]
    run.rewind(2).train(2)
    assert set(stopping.scores_["epoch"]) == {3, 4}
