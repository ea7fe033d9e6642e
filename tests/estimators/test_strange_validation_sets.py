"""Validation sets that a Pipeline did not transform as it transforms X."""

import re
import warnings

import numpy as np
import pytest
import sklearn
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbn import fit_population
from skbn.network.losses import LOSSES
from skbn.search import CoarseToFineSearchCV

REMEDY = re.escape('Pipeline(transform_input=["X_val"])')


@pytest.fixture(scope="module")
def wine():
    """Rows of very different features: X, X_val, y, y_val."""
    X, y = load_wine(return_X_y=True)
    return train_test_split(X, y, stratify=y, random_state=0)


@pytest.mark.parametrize(
    ("kind", "what"),
    [
        ({}, "temperature"),
        ({"calibrate": False}, "loss was above"),
        ({"calibrate": False, "hidden_layer_sizes": ()}, "loss was above"),
        ({"loss": "focal"}, "temperature"),
        ({"loss": "focal", "focal_gamma": 4.0, "calibrate": False}, "loss was above"),
    ],
)
def test_raw_rows_to_judge_on_are_warned_of(wine, quick, kind, what):
    X, X_val, y, y_val = wine
    model = make_pipeline(StandardScaler(), quick(**kind))
    with pytest.warns(UserWarning, match=f"does not hold on X_val: .*{what}.*{REMEDY}"):
        model.fit(X, y, bnsoftmaxclassifier__X_val=X_val, bnsoftmaxclassifier__y_val=y_val)


def test_rows_that_the_pipeline_transforms_are_not_warned_of(wine, quick):
    X, X_val, y, y_val = wine
    with sklearn.config_context(enable_metadata_routing=True):
        network = quick().set_fit_request(X_val=True, y_val=True)
        steps = [("scale", StandardScaler()), ("net", network)]
        Pipeline(steps, transform_input=["X_val"]).fit(X, y, X_val=X_val, y_val=y_val)


@pytest.mark.parametrize(
    ("strange", "message"),
    [
        (lambda X: X.astype(str).astype(object) + " l", "X_val holds text"),
        (lambda X: X[:, :3], "X_val has 3 features"),
        (lambda X: np.where(X > 13, np.nan, X), "X_val contains NaN"),
    ],
    ids=["text", "columns", "missing"],
)
def test_errors_of_rows_to_judge_on_name_the_remedy(wine, quick, strange, message):
    X, X_val, y, y_val = wine
    with pytest.raises(ValueError, match=f"{message}.*{REMEDY}"):
        quick().fit(X, y, X_val=strange(X_val), y_val=y_val)


def test_encoded_columns_and_raw_ones(quick):
    X = np.array([["red", "small"], ["blue", "large"], ["red", "large"], ["blue", "small"]] * 10)
    y = X[:, 0] == "red"
    model = make_pipeline(make_column_transformer((OneHotEncoder(), [0, 1])), quick())
    with pytest.raises(ValueError, match=f"X_val holds text.*{REMEDY}"):
        model.fit(X, y, bnsoftmaxclassifier__X_val=X, bnsoftmaxclassifier__y_val=y)


@pytest.mark.parametrize("loss", LOSSES)
@pytest.mark.parametrize("max_iter", [1, 20])
def test_networks_that_do_not_learn_are_no_fault_of_the_rows(wine, quick, max_iter, loss):
    X, X_val, y, y_val = wine
    scaler = StandardScaler().fit(X)
    model = quick(learning_rate_init=1e-9, max_iter=max_iter, loss=loss)
    model.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)


def test_classes_of_other_frequencies_are_no_fault_of_the_rows(wine, quick):
    X, X_val, y, y_val = wine
    scaler = StandardScaler().fit(X)
    rare = y_val == 1
    X_val = scaler.transform(X_val[rare])
    for class_weight in (None, "balanced", {1: 0.01}):
        model = quick(class_weight=class_weight, max_iter=10)
        model.fit(scaler.transform(X), y, X_val=X_val, y_val=y_val[rare])


@pytest.mark.parametrize("max_iter", [1, 15])
def test_raw_rows_are_warned_of_though_little_was_learned(iris, quick, max_iter):
    X, y = iris
    model = quick(hidden_layer_sizes=(), max_iter=max_iter, learning_rate_init=1e-4)
    with pytest.warns(UserWarning, match="does not hold on X_val"):
        model.fit(X, y, X_val=1000 * X + 5000, y_val=y)


def test_classes_of_weight_zero_are_no_fault_of_the_rows(iris, quick):
    X, y = iris
    for class_weight in ({2: 0.0}, {0: 0.0, 1: 5.0}):
        quick(class_weight=class_weight, max_iter=10).fit(X, y, X_val=X, y_val=y)


def test_a_search_warns_once_of_its_best(wine, quick):
    X, X_val, y, y_val = wine
    search = CoarseToFineSearchCV(
        make_pipeline(StandardScaler(), quick()),
        {"bnsoftmaxclassifier__alpha": [0.1, 0.01, 0.001]},
        n_candidates=3,
        n_rounds=1,
        cv=2,
        random_state=0,
    )
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        search.fit(X, y, bnsoftmaxclassifier__X_val=X_val, bnsoftmaxclassifier__y_val=y_val)
    assert len(caught) == 1
    assert re.search(REMEDY, str(caught[0].message))


def test_errors_of_labels_to_judge_on_say_nothing_of_rows(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="inconsistent numbers of samples") as raised:
        quick().fit(X, y, X_val=X, y_val=y[:5])
    assert not re.search(REMEDY, str(raised.value))


def test_classifiers_in_company_are_warned_of(wine, quick):
    X, X_val, y, y_val = wine
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        scaled = StandardScaler().fit_transform(X)
        fit_population([quick(), quick(dropout=0.1)], scaled, y, X_val=X_val, y_val=y_val)
    assert len(caught) == 2
    assert all(re.search(REMEDY, str(each.message)) for each in caught)
