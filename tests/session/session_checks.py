"""What tests of sessions share."""

import numpy as np
import pandas as pd
from sklearn.pipeline import Pipeline

from skbn import BNSoftmaxClassifier, TrainingSession

SMALL = {"hidden_layer_sizes": (16,), "random_state": 0}


def classifier_of(model):
    """The classifier of a fitted model."""
    return model[-1] if isinstance(model, Pipeline) else model


def is_same_number(one, other):
    """Whether two numbers are the same bits, NaN among them."""
    return one == other or (one != one and other != other)


def assert_same_model(one, other, X):
    """Assert that two fitted models are the same to the last bit, in each network and its state."""
    np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
    one, other = classifier_of(one), classifier_of(other)
    assert one.temperature_ == other.temperature_
    assert one.n_iter_ == other.n_iter_
    assert one.loss_ == other.loss_
    for mine, theirs in zip(one._progress, other._progress, strict=True):
        np.testing.assert_array_equal(mine.state.theta, theirs.state.theta)
        np.testing.assert_array_equal(mine.state.sums, theirs.state.sums)
        for a, b in zip(mine.state.vectors, theirs.state.vectors, strict=True):
            np.testing.assert_array_equal(a, b)
        for name in ("shuffle_streams", "noise_streams"):
            a, b = (getattr(each.state, name)[0].bit_generator.state for each in (mine, theirs))
            assert a == b
        assert (mine.kept_epoch, mine.state.n_epochs) == (theirs.kept_epoch, theirs.state.n_epochs)
        assert list(mine.history) == list(theirs.history)
        for name in set(mine.history) - {"seconds"}:
            both = zip(mine.history[name], theirs.history[name], strict=True)
            assert all(is_same_number(a, b) for a, b in both), name


def assert_same_log(one, other, without=("time", "seconds")):
    """Assert that two logs tell of the same."""
    drop = [name for name in without if name in one]
    pd.testing.assert_frame_equal(one.drop(columns=drop), other.drop(columns=drop))


def session_on(digits, journal=None, validation=True, checkpoints=32, **params):
    """A session of a small classifier on digits."""
    X, y, X_val, y_val = digits
    given = {"X_val": X_val, "y_val": y_val} if validation else {}
    model = BNSoftmaxClassifier(**(SMALL | {"max_iter": 40} | params))
    how = {"journal": journal, "checkpoints": checkpoints, "verbose": 0}
    return TrainingSession(model, X, y, **given, **how)


def opened(digits, journal, validation=True, how="open"):
    """A session of a journal, opened again or replayed."""
    X, y, X_val, y_val = digits
    given = {"X_val": X_val, "y_val": y_val} if validation else {}
    return getattr(TrainingSession, how)(journal, X, y, **given, verbose=0)
