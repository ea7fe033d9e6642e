"""Populations behind the other steps of a pipeline, which candidates may replace."""

from functools import partial
from tempfile import TemporaryDirectory

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, MinMaxScaler, StandardScaler
from split_checks import CANDIDATES, Counting, by_candidate, prefixed, search_of

from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow


def test_transformers_are_fitted_once_a_split(counting, iris):
    space = {"net__learning_rate_init": loguniform(1e-3, 0.1), "net__alpha": [0.0, 0.1]}
    options = {"n_candidates": 8, "n_rounds": 2, "cv": 3, "random_state": 0}
    CoarseToFineSearchCV(counting, space, **options).fit(*iris)
    assert len(Counting.fits) == 3 + 1


def test_each_prefix_is_fitted_once_a_split(assert_as_scikit_learn, counting, iris):
    candidates = [
        {"counting__factor": factor, "net__alpha": alpha}
        for factor in (0.5, 1.0, 2.0)
        for alpha in (0.0, 0.1, 1.0)
    ]
    search_of(counting, candidates).fit(*iris)
    assert sorted(Counting.fits[:-1]) == [0.5] * 3 + [1.0] * 3 + [2.0] * 3
    assert_as_scikit_learn(counting, candidates, *iris)


def test_steps_may_be_replaced(assert_as_scikit_learn, scaled, iris):
    steps = [StandardScaler(), MinMaxScaler(), "passthrough", FeatureUnion([("s", MinMaxScaler())])]
    candidates = [
        {"scaler": step, "net__learning_rate_init": rate} for step in steps for rate in (0.01, 0.1)
    ]
    search = assert_as_scikit_learn(scaled, candidates, *iris)
    assert search.best_estimator_[0] not in steps[:2]
    assert not hasattr(steps[0], "mean_")


def test_the_last_step_may_be_replaced(assert_as_scikit_learn, quick, scaled, iris):
    candidates = [
        {"net": quick(alpha=0.1), "scaler": MinMaxScaler()},
        {"net": quick(hidden_layer_sizes=(4,)), "net__alpha": 0.5},
        {"net": LogisticRegression(), "net__C": 0.01},
        {"net": LogisticRegression(), "scaler": "passthrough"},
        {"net__alpha": 0.1},
    ]
    assert_as_scikit_learn(scaled, candidates, *iris, alone=2 * 3)
    regression = make_pipeline(StandardScaler(), LogisticRegression())
    candidates = [{"logisticregression": quick()}, {"logisticregression": LogisticRegression()}]
    assert_as_scikit_learn(regression, candidates, *iris, alone=2 * 3)


def test_functions_that_cannot_be_pickled_may_be_values(assert_as_scikit_learn, quick, iris):
    model = Pipeline([("function", FunctionTransformer()), ("net", quick())])
    functions = [lambda x: x, lambda x: np.tanh(x), partial(np.multiply, 2.0)]
    candidates = [
        {"function__func": function, "net__alpha": alpha}
        for function in functions
        for alpha in (0.0, 0.1)
    ]
    assert_as_scikit_learn(model, candidates, *iris)


class Renamed(BNSoftmaxClassifier):
    """Another class that trains and predicts in the same way."""

    def set_params(self, **params):
        return super().set_params(**params)


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_a_subclass_that_trains_as_a_network_is_one(
    assert_as_scikit_learn, quick, iris, in_a_pipeline
):
    model, candidates = Renamed(**quick().get_params()), CANDIDATES[:2]
    if in_a_pipeline:
        model, candidates = Pipeline([("net", model)]), prefixed(candidates)
    search = assert_as_scikit_learn(model, candidates, *iris)
    last = search.best_estimator_[-1] if in_a_pipeline else search.best_estimator_
    assert type(last) is Renamed


class Named(BNSoftmaxClassifier):
    """Another class, which predicts in its own way."""

    def predict(self, X):
        return super().predict(X)[::-1]


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_subclasses_go_the_ordinary_way(assert_as_scikit_learn, quick, iris, in_a_pipeline):
    model, candidates = Named(**quick().get_params()), CANDIDATES[:2]
    if in_a_pipeline:
        model, candidates = Pipeline([("net", model)]), prefixed(candidates)
    assert_as_scikit_learn(model, candidates, *iris, alone=2 * 3)


class Other(Pipeline):
    """A pipeline that may do anything."""


def test_pipelines_of_all_kinds(assert_as_scikit_learn, quick, iris):
    candidates = prefixed(CANDIDATES[:3])
    assert_as_scikit_learn(Pipeline([("net", quick())]), candidates, *iris)
    nothing = [("a", "passthrough"), ("b", None), ("net", quick())]
    assert_as_scikit_learn(Pipeline(nothing), candidates, *iris)
    assert_as_scikit_learn(Pipeline([("c", Counting()), *nothing]), candidates, *iris)
    assert_as_scikit_learn(Other([("net", quick())]), candidates, *iris, alone=3 * 3)
    nested = Pipeline([("in", Pipeline([("net", quick())]))])
    assert_as_scikit_learn(nested, prefixed(candidates, "in"), *iris, alone=3 * 3)


def test_a_pipeline_with_a_memory_uses_it(assert_as_scikit_learn, counting, iris):
    with TemporaryDirectory() as folder:
        counting.set_params(memory=folder)
        search_of(counting, prefixed(CANDIDATES[:2])).fit(*iris)
        assert len(Counting.fits) == 4
        assert_as_scikit_learn(counting, prefixed(CANDIDATES[:2]), *iris)
        assert len(Counting.fits) == 4


def test_streams_of_random_numbers_are_not_shared(assert_as_scikit_learn, quick, iris):
    stream = np.random.RandomState(5)
    before = stream.get_state()[1].tolist()
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1)]
    search = assert_as_scikit_learn(
        quick(random_state=stream, dropout=0.1), candidates, *iris, refit=False
    )
    assert stream.get_state()[1].tolist() == before
    scores = by_candidate(search)
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1, 0.2)]
    more = search_of(quick(random_state=stream, dropout=0.1), candidates, refit=False).fit(*iris)
    columns = scores.columns[scores.columns.str.startswith("split")]
    pd.testing.assert_frame_equal(by_candidate(more)[columns].iloc[:2], scores[columns])
