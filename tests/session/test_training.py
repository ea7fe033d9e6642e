"""When a training makes checkpoints."""

import sqlite3
from contextlib import closing
from itertools import count

import numpy as np
import pytest

import skbn.session.training as training
from skbn import BNSoftmaxClassifier, TrainingSession

X, Y = np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 2
MODEL = BNSoftmaxClassifier((4,), random_state=0, learning_rate="constant")


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """An epoch, a checkpoint, and what is trained again each take half a second."""
    monkeypatch.setattr(training, "perf_counter", count(0, 0.5).__next__)
    monkeypatch.setattr(training, "FEW_BYTES", 0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "run.sqlite"


def checkpoints_in(path):
    """Epochs with a checkpoint."""
    with closing(sqlite3.connect(path)) as database:
        rows = database.execute("SELECT epoch FROM checkpoints JOIN events USING (event)")
        return [epoch for (epoch,) in rows]


def test_calls_that_train_little_make_few_checkpoints(path):
    with TrainingSession(MODEL, X, Y, journal=path, verbose=0) as session:
        for epoch in range(8):
            session.set_params(learning_rate_init=0.01 + 0.001 * epoch).train(1)
    assert checkpoints_in(path) == [4, 8]


def test_a_long_call_makes_checkpoints_on_the_way_and_at_its_end(path):
    with TrainingSession(MODEL, X, Y, journal=path, verbose=0) as session:
        session.train(60)
    # After two seconds; after 50 times the half second that it took; at the end.
    assert checkpoints_in(path) == [4, 54, 60]


def test_what_is_trained_again_at_every_opening_counts(path):
    with TrainingSession(MODEL, X, Y, journal=path, verbose=0) as session:
        session.train(3)
    assert checkpoints_in(path) == []
    with TrainingSession.open(path, X, Y, verbose=0) as session:
        session.train(1)
    assert checkpoints_in(path) == [4]
