"""Going on with `warm_start`."""

import pickle

import numpy as np
import pytest
from continuations import continued
from sklearn.metrics import log_loss

from skbn.network.schedules import SCHEDULES


def test_warm_start_goes_on_until_max_iter(iris, quick, assert_same_model):
    options = {"learning_rate": "constant", "dropout": 0.2}
    model = quick(warm_start=True, max_iter=2, **options).fit(*iris)
    model.set_params(max_iter=5).fit(*iris)
    assert_same_model(model, quick(max_iter=5, **options).fit(*iris))


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_warm_start_goes_on_under_any_schedule(iris, quick, learning_rate):
    model = quick(warm_start=True, max_iter=4, learning_rate=learning_rate).fit(*iris)
    first = {name: list(values) for name, values in model.history_.items()}
    model.set_params(max_iter=8).fit(*iris)
    assert model.n_iter_ == 8
    assert {name: values[:4] for name, values in model.history_.items()} == first
    # The rates of the epochs to come are those of a run of eight.
    whole = quick(max_iter=8, learning_rate=learning_rate).fit(*iris)
    assert model.history_["learning_rate"][4:] == whole.history_["learning_rate"][4:]
    assert model.loss_ < first["loss"][-1]


def test_warm_start_at_max_iter_does_nothing(iris, quick, assert_same_model):
    model = quick(warm_start=True).fit(*iris)
    assert_same_model(model.fit(*iris), quick().fit(*iris))


def test_warm_start_below_what_is_done_is_an_error(iris, quick):
    model = quick(warm_start=True, max_iter=4).fit(*iris)
    with pytest.raises(ValueError, match=r"max_iter=3 is below the n_iter_=4 epochs"):
        model.set_params(max_iter=3).fit(*iris)


def test_warm_start_before_any_fit_is_a_fit(iris, quick, assert_same_model):
    assert_same_model(quick(warm_start=True).fit(*iris), quick().fit(*iris))


def test_warm_start_goes_on_from_partial_fit(iris, quick, assert_same_model):
    model = continued(quick(warm_start=True, max_iter=4), *iris, 2).fit(*iris)
    assert_same_model(model, quick(max_iter=4).fit(*iris))


def test_warm_start_refuses_new_labels(iris, quick):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match=r"not among the classes: \[3\]"):
        model.set_params(max_iter=5).fit(X, y + 1)


def test_warm_start_accepts_rows_that_lack_a_class(iris, quick):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    model.set_params(max_iter=5).fit(X[y > 0], y[y > 0])
    assert model.classes_.tolist() == [0, 1, 2]


def test_warm_start_keeps_the_validation_rows(iris, single, drawn):
    X, y = iris
    model = single(warm_start=True, early_stopping=True, learning_rate="constant").fit(X, y)
    first = pickle.loads(pickle.dumps(model))
    model.set_params(max_iter=8).fit(X, y)
    first.set_params(max_iter=8).fit(X, y)
    assert drawn[0].tolist() == drawn[1].tolist() == drawn[2].tolist()
    # The best of all epochs is kept, whichever call found it.
    best = min(model.history_["validation_loss"])
    assert log_loss(y[drawn[0]], model.predict_proba(X[drawn[0]])) == pytest.approx(best, rel=1e-5)
    assert model.loss_ == model.history_["loss"][int(np.argmin(model.history_["validation_loss"]))]


def test_going_on_never_forgets_a_better_epoch(iris, quick):
    X, y = iris
    options = {"learning_rate": "constant", "n_iter_no_change": 2}
    model = quick(warm_start=True, max_iter=20, **options)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    before, n_before = model.predict_proba(X), model.n_iter_
    # At such a rate every later epoch is worse.
    model.set_params(learning_rate_init=3.0, max_iter=40)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:])
    assert model.n_iter_ > n_before
    np.testing.assert_array_equal(model.predict_proba(X), before)


def test_a_validation_set_may_come_later(iris, quick):
    X, y = iris
    model = quick(warm_start=True).fit(X, y)
    model.set_params(max_iter=5).fit(X, y, X_val=X, y_val=y)
    model.set_params(max_iter=6).fit(X, y)
    measured = np.isfinite(model.history_["validation_loss"])
    assert measured.tolist() == [False, False, False, True, True, False]
