"""Rows to predict whose values are finite and large: probabilities are finite, or an error."""

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_matrix
from sklearn.base import clone

from skbn import BNSoftmaxClassifier, fit_population
from skbn.network.activations import ACTIVATIONS
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

METHODS = "predict_proba", "predict_log_proba", "decision_function"
LARGEST = {np.float32: np.finfo(np.float32).max, np.float64: np.finfo(np.float64).max}


def assert_finite_or_named(model, rows, extreme):
    """Outputs are finite, or an error names the first of the extreme rows that have none."""
    try:
        outputs = [getattr(model, method)(rows) for method in METHODS]
    except ValueError as raised:
        error = str(raised)
    else:
        error = ""
    if error:
        assert any(f"row {row} of X" in error for row in extreme), error
        assert "too large" in error
        return False
    assert all(np.isfinite(output).all() for output in outputs)
    np.testing.assert_allclose(outputs[0].sum(axis=1), 1)
    return True


@pytest.mark.parametrize("kind", ["two members", "one", "without batch norm", "regression"])
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_a_finite_row_has_finite_probabilities_or_is_named(iris, quick, activation, kind):
    X, y = iris
    parameters = {
        "two members": {},
        "one": {"n_members": 1, "calibrate": False},
        "without batch norm": {"batch_norm": False},
        "regression": {"hidden_layer_sizes": ()},
    }[kind]
    model = quick(activation=activation, **parameters).fit(X, y)
    for dtype, largest in LARGEST.items():
        expected = model.predict_proba(X[:5].astype(dtype))
        for value in (1e30, -largest, largest):
            rows = X[:5].astype(dtype)
            rows[1, 2], rows[3, 0] = value, value / 2
            if assert_finite_or_named(model, rows, (1, 3)):
                ordinary = model.predict_proba(rows)[[0, 2, 4]]
                np.testing.assert_array_equal(ordinary, expected[[0, 2, 4]])


@pytest.mark.parametrize("container", [pd.DataFrame, csr_matrix, np.asfortranarray])
def test_rows_of_all_containers(iris, quick, container):
    model = quick().fit(*iris)
    rows = iris[0][:3].copy()
    rows[2, 1] = np.finfo(np.float64).max
    with pytest.raises(ValueError, match=r"row 2 of X: .* up to 1\.8e\+308 in column 1, are too"):
        model.predict(container(rows))


def test_many_rows_are_counted(iris, quick):
    model = quick().fit(*iris)
    with pytest.raises(ValueError, match=r"row 0 of X and 149 more"):
        model.predict(iris[0] + 1e308)


def test_rows_in_float32_for_weights_beyond_it(iris, quick):
    """The logits are computed in float64, where float32 cannot hold them."""
    model = quick(hidden_layer_sizes=(), dtype="float64").fit(*iris)
    model.coefs_[0][...] *= 1e39
    rows = (iris[0] * 1e-37).astype(np.float32)
    expected = model.predict_proba(rows.astype(np.float64))
    np.testing.assert_allclose(model.predict_proba(rows), expected)
    assert len(np.unique(expected.argmax(axis=1))) == 3


# Training that is finite, and held-out rows that are not.


def rows_that_overflow():
    rng = np.random.default_rng(0)
    return rng.standard_normal((200, 6)).astype(np.float32), rng.integers(0, 3, 200)


RATES = [1e-3, 1e-2, 1e-1, 1e4]
PLAIN = {"calibrate": False}
"""Holds no rows out."""
KINDS = [
    {},
    PLAIN,
    {"early_stopping": True},
    {"early_stopping": True, "calibrate": False},
]


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind != PLAIN], ids=str)
def test_one_whose_held_out_logits_overflow_fails_alone(kind):
    X, y = rows_that_overflow()
    model = BNSoftmaxClassifier((8,), solver="sgd", max_iter=1, random_state=0, **kind)
    models = [clone(model).set_params(learning_rate_init=rate) for rate in RATES]
    outcomes = fit_population(models, X, y, return_exceptions=True)
    assert outcomes[:3] == models[:3]
    assert isinstance(outcomes[3], ValueError)
    for error in (outcomes[3], error_of(clone(models[3]), X, y)):
        assert "epoch 1: logits of rows that are held out" in str(error)
        assert "learning rate 1e+04" in str(error)


def error_of(model, X, y):
    with pytest.raises(ValueError, match="diverged") as caught:
        model.fit(X, y)
    return caught.value


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.FitFailedWarning")
@pytest.mark.filterwarnings("ignore:One or more of the test scores")
@pytest.mark.parametrize("kind", KINDS, ids=str)
@pytest.mark.parametrize("resource", [None, "epochs"])
def test_a_search_scores_such_a_candidate_as_if_it_were_alone(kind, resource):
    X, y = rows_that_overflow()
    model = BNSoftmaxClassifier((8,), solver="sgd", max_iter=1, random_state=0, **kind)
    search = CoarseToFineSearchCV(
        model,
        {"learning_rate_init": RATES},
        n_candidates=4,
        n_rounds=1,
        cv=[(np.arange(200), np.arange(200))] * 2,
        resource=resource,
        min_epochs=1,
        random_state=0,
    ).fit(X, y)
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        alone = clone(model).set_params(**params)
        try:
            expected = alone.fit(X, y).score(X, y)
        except ValueError:
            expected = np.nan
        assert score == pytest.approx(expected, nan_ok=True)


def test_validation_rows_that_overflow_in_every_epoch(iris, quick):
    X, y = iris
    X_val = X.astype(np.float32)
    X_val[0] = np.finfo(np.float32).max
    with pytest.raises(ValueError, match="rows that are held out are not finite"):
        quick(calibrate=False).fit(X, y, X_val=X_val, y_val=y)
