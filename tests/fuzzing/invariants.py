"""What must hold whatever a classifier is given."""

import pickle
import traceback
import warnings
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import sklearn
from sklearn.exceptions import FitFailedWarning, NotFittedError

import skbn

PACKAGE, SCIKIT_LEARN = (str(Path(package.__file__).parent) for package in (skbn, sklearn))


def state_of(estimator):
    """All that an estimator is, as bytes; but a stream of random numbers is the user's."""
    attributes = vars(estimator)
    if isinstance(attributes.get("random_state"), np.random.RandomState):
        attributes = attributes | {"random_state": None}
    return pickle.dumps(attributes)


def outcome_of(function, *arguments, **options):
    """Call a function; give its result, or its error if that is one that was meant."""
    with only_warnings_for_users():
        try:
            return function(*arguments, **options)
        except (ValueError, TypeError, NotFittedError) as error:
            assert_meant(error)
            return error


@contextmanager
def only_warnings_for_users():
    """Assert that no warning is one of NumPy's on numbers, or on what is to come."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        yield
    for warning in caught:
        assert issubclass(warning.category, (UserWarning, FitFailedWarning)), warning
        assert str(warning.message).strip()


def assert_meant(error):
    """Assert that an error has a message, and was raised by a check, ours or scikit-learn's, or by
    a function of one's own, which is named."""
    assert str(error).strip(), repr(error)
    frames = traceback.extract_tb(error.__traceback__)
    last = [frame for frame in frames if frame.filename.startswith((PACKAGE, SCIKIT_LEARN))][-1]
    is_ours = last.filename.startswith(PACKAGE)
    is_named = any(note.startswith("Raised by") for note in getattr(error, "__notes__", ()))
    is_meant = not is_ours or is_named or last.line.startswith("raise")
    assert is_meant, f"{error!r} comes from {last}"


def assert_same_outcome(outcome, other):
    """Assert that two calls gave errors of one type, or none; say which."""
    is_error = isinstance(outcome, Exception)
    assert is_error == isinstance(other, Exception), (outcome, other)
    # Messages may differ in a column's name, or in which of two faults was met first.
    assert not is_error or type(outcome) is type(other), (outcome, other)
    return is_error


PREDICTIONS = "predict_proba", "predict_log_proba", "decision_function", "predict"


def assert_predicts(model, X):
    """Assert that all kinds of predictions are right, or that the rows are refused by all."""
    before = state_of(model)
    first, *others = (outcome_of(getattr(model, name), X) for name in PREDICTIONS)
    assert state_of(model) == before
    if isinstance(first, Exception):
        assert all(isinstance(other, Exception) for other in others), (first, others)
        return
    for each in (first, *others):
        if isinstance(each, Exception):
            raise each
    log_probabilities, decision, labels = others
    n_classes = len(model.classes_)
    assert first.shape == log_probabilities.shape == (len(labels), n_classes)
    assert np.isfinite(first).all()
    assert (first >= 0).all()
    np.testing.assert_allclose(first.sum(axis=1), 1, rtol=1e-12)
    assert np.isfinite(log_probabilities).all()
    np.testing.assert_allclose(np.exp(log_probabilities), first, atol=1e-12)
    assert np.isfinite(decision).all()
    assert decision.shape == ((len(labels),) if n_classes == 2 else first.shape)
    assert labels.dtype == model.classes_.dtype
    of_labels = first[np.arange(len(labels)), np.searchsorted(model.classes_, labels)]
    np.testing.assert_allclose(of_labels, first.max(axis=1), rtol=1e-12)
