"""Subclasses of the classifier: which train beside others, and which in their own way."""

import signal

import numpy as np
import pytest

from skbn import BNSoftmaxClassifier, fit_population
from skbn.estimators.population import METHODS, is_network
from skbn.estimators.predictions import Predictions
from skbn.search import CoarseToFineSearchCV


def subclass(*names):
    """Make a class that overrides methods, and counts their calls in ``calls``."""
    calls = []

    def overriding(name):
        def method(self, *args, **kwargs):
            calls.append(name)
            return getattr(BNSoftmaxClassifier, name)(self, *args, **kwargs)

        return method

    methods = {name: overriding(name) for name in names}
    return type("Subclass", (BNSoftmaxClassifier,), {"calls": calls, **methods})


def test_the_classifier_is_a_network_and_other_classes_are_not():
    assert is_network(BNSoftmaxClassifier())
    assert is_network(subclass()())
    assert is_network(subclass("set_params", "get_params", "__repr__")())
    assert not is_network(object())


@pytest.mark.parametrize("name", METHODS)
def test_a_subclass_with_a_method_of_its_own_is_none(name):
    assert not is_network(subclass(name)())


def test_the_methods_are_all_that_trains_or_judges():
    own = {name for kind in (BNSoftmaxClassifier, Predictions) for name in vars(kind)}
    public = {name for name in own if name.startswith(("fit", "p", "dec"))}
    assert public == set(METHODS) - {"score"}  # which is scikit-learn's


def test_a_population_of_subclasses(iris, quick, assert_same_model, populations):
    params = [quick(random_state=k).get_params() for k in range(3)]
    models = [subclass()(**each) for each in params]
    assert fit_population(models, *iris) == models
    assert populations[0][0] == 3
    for model, each in zip(models, params, strict=True):
        assert_same_model(model, BNSoftmaxClassifier(**each).fit(*iris))


@pytest.mark.parametrize("rows", [None, slice(0, 100, 2)])
def test_a_subclass_in_a_population_is_fitted_by_its_own_fit(iris, quick, rows):
    X, y = iris
    kind = subclass("fit")
    models = [quick(), kind(**quick().get_params()), quick(random_state=1)]
    where = None if rows is None else [np.arange(len(y))[rows]] * 3
    fit_population(models, X, y, np.ones(len(y)), rows=where)
    assert kind.calls == ["fit"]
    some = slice(None) if rows is None else rows
    np.testing.assert_array_equal(
        models[1].predict_proba(X), quick().fit(X[some], y[some]).predict_proba(X)
    )


@pytest.mark.parametrize("return_exceptions", [False, True])
def test_an_error_of_its_own_fit_is_its_own(iris, quick, return_exceptions):
    class Broken(BNSoftmaxClassifier):
        def fit(self, X, y, sample_weight=None, **params):
            self.classes_ = "half done"
            raise RuntimeError("broken")

    models = [quick(), Broken(), quick(random_state=1)]
    before = dict(vars(models[1]))
    if return_exceptions:
        first, error, last = fit_population(models, *iris, return_exceptions=True)
        assert (first, last) == (models[0], models[2])
        assert str(error) == "broken"
    else:
        with pytest.raises(RuntimeError, match="broken") as caught:
            fit_population(models, *iris)
        assert "classifiers[1]" in caught.value.__notes__[0]
        assert not hasattr(models[0], "classes_")
    assert vars(models[1]) == before


class WithoutWeights(BNSoftmaxClassifier):
    def fit(self, X, y):
        super().fit(X, y)  # and gives nothing


class Another(BNSoftmaxClassifier):
    def fit(self, X, y):
        super().fit(X, y)
        return BNSoftmaxClassifier(alpha=7.0).fit(X, 1 - (y > 0))


@pytest.mark.parametrize("kind", [WithoutWeights, Another])
@pytest.mark.parametrize("return_exceptions", [False, True])
def test_whatever_its_own_fit_takes_and_gives(iris, quick, kind, return_exceptions):
    models = [quick(), kind(**quick().get_params())]
    assert fit_population(models, *iris, return_exceptions=return_exceptions) == models
    expected = models[0].predict_proba(iris[0])
    np.testing.assert_array_equal(models[1].predict_proba(iris[0]), expected)
    assert models[1].alpha == quick().alpha


def test_an_interrupt_of_its_own_fit_takes_all_back(iris, quick):
    class Pressing(BNSoftmaxClassifier):
        def fit(self, X, y):
            self.set_params(verbose=1)
            signal.raise_signal(signal.SIGINT)

    models = [quick(), WithoutWeights(**quick().get_params()), Pressing()]
    before = [dict(vars(model)) for model in models]
    with pytest.raises(KeyboardInterrupt):
        fit_population(models, *iris)
    assert [vars(model) for model in models] == before


class Demanding(BNSoftmaxClassifier):
    def _validate_params(self):
        if self.learning_rate_init > 0.05:
            raise ValueError("too high")


class Forgetful(BNSoftmaxClassifier):
    """Its callback cannot be pickled, and its state leaves it out."""

    def __init__(self, callback=None, learning_rate_init=0.01, random_state=0, max_iter=2):
        super().__init__((4,), learning_rate_init=learning_rate_init, max_iter=max_iter)
        self.callback, self.random_state = callback, random_state

    def __getstate__(self):
        return {n: v for n, v in super().__getstate__().items() if n != "callback"}


class Slotted(BNSoftmaxClassifier):
    __slots__ = ("extra",)


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("seed", range(3))
def test_a_check_of_its_own_is_asked_for_each_candidate(iris, quick, seed):
    model, space = Demanding(**quick().get_params()), {"learning_rate_init": [0.1, 1e-3, 0.01, 0.2]}
    options = {"n_candidates": 4, "n_rounds": 1, "cv": 3, "refit": False, "random_state": seed}
    search = CoarseToFineSearchCV(model, space, **options).fit(*iris)
    results = search.cv_results_
    too_high = np.array(results["param_learning_rate_init"], float) > 0.05
    np.testing.assert_array_equal(np.isnan(results["mean_test_score"]), too_high)


@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_one_that_is_not_copied_as_others_is_cloned(iris, scoring):
    model = Forgetful(callback=lambda: None)
    space = {"learning_rate_init": [0.1, 0.01]}
    options = {"n_candidates": 2, "n_rounds": 1, "cv": 3, "scoring": scoring, "refit": False}
    search = CoarseToFineSearchCV(model, space, **options).fit(*iris)
    assert np.isfinite(search.cv_results_["mean_test_score"]).all()
    fit_population([model], *iris)
    assert model.callback is not None


def test_one_with_slots_is_fitted(iris, quick):
    model = Slotted(**quick().get_params()).fit(*iris)
    np.testing.assert_array_equal(
        model.predict_proba(iris[0]), quick().fit(*iris).predict_proba(iris[0])
    )
