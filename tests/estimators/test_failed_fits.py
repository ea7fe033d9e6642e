"""A call that fails leaves the estimator as it was."""

import pickle

import numpy as np
import pytest
from continuations import continued
from sklearn.exceptions import NotFittedError


def spoilt(X, y):
    """Calls that no model survives, as changes to a call of fit."""
    with_nan = np.array(X)
    with_nan[-1, -1] = np.nan
    n = len(y)
    return {
        "missing value": ({}, (with_nan, y), {}),
        "other columns": ({}, (X[:, :2], y[:-1]), {}),
        "other label": ({}, (X, y + 5), {"X_val": X, "y_val": y}),
        "negative weight": ({}, (X, y, np.linspace(-1, 1, n)), {}),
        "wrong parameter": ({"alpha": -1.0}, (X, y), {}),
        "wrong sizes": ({"hidden_layer_sizes": (8, 0)}, (X, y), {}),
        "divergence": (
            {"solver": "sgd", "learning_rate_init": 1e6, "learning_rate": "constant"},
            (X, y),
            {},
        ),
        "validation rows": ({}, (X, y), {"X_val": X[:, :2], "y_val": y}),
    }


SPOILT = sorted(spoilt(np.zeros((3, 4)), np.zeros(3)))


@pytest.mark.parametrize("kind", SPOILT)
def test_a_failed_fit_leaves_an_unfitted_estimator_unfitted(iris, quick, kind):
    parameters, data, validation = spoilt(*iris)[kind]
    model = quick(**parameters)
    before = dict(vars(model))
    with pytest.raises(ValueError):  # noqa: PT011
        model.fit(*data, **validation)
    assert vars(model) == before
    with pytest.raises(NotFittedError):
        model.predict(iris[0])


@pytest.mark.parametrize("warm_start", [False, True])
@pytest.mark.parametrize("kind", SPOILT)
def test_a_failed_fit_leaves_a_fitted_estimator_as_it_was(iris, quick, kind, warm_start):
    X, y = iris
    parameters, data, validation = spoilt(X, y)[kind]
    model = quick(solver=parameters.get("solver", "adam")).fit(X, y)
    model.set_params(warm_start=warm_start, max_iter=6, **parameters)
    before, probabilities = pickle.dumps(model), model.predict_proba(X)
    with pytest.raises(ValueError):  # noqa: PT011
        model.fit(*data, **validation)
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(model.predict_proba(X), probabilities)


@pytest.mark.parametrize("kind", [kind for kind in SPOILT if kind != "validation rows"])
def test_a_failed_partial_fit_leaves_the_estimator_as_it_was(iris, quick, assert_same_model, kind):
    X, y = iris
    parameters, (X_bad, y_bad, *weights), _ = spoilt(X, y)[kind]
    options = {"solver": parameters.get("solver", "adam"), "dropout": 0.2}
    model = continued(quick(**options), X, y, 2)
    before = pickle.dumps(model)
    model.set_params(**parameters)
    with pytest.raises(ValueError):  # noqa: PT011
        model.partial_fit(X_bad, y_bad, sample_weight=weights[0] if weights else None)
    model.set_params(**{name: getattr(quick(**options), name) for name in parameters})
    assert pickle.dumps(model) == before
    # Random streams too: going on is as if nothing had happened.
    assert_same_model(model.partial_fit(X, y), continued(quick(**options), X, y, 3))


def test_a_first_partial_fit_that_fails_leaves_nothing(iris, quick):
    X, y = iris
    model = quick()
    with pytest.raises(ValueError, match="not among the classes"):
        model.partial_fit(X, y, classes=[0, 1])
    assert not hasattr(model, "classes_")
    model.partial_fit(X, y, classes=[0, 1, 2])
