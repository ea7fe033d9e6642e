"""Subclasses of the classifier: which train beside others, and which in their own way."""

import numpy as np
import pytest

from skbn import BNSoftmaxClassifier, fit_population
from skbn.estimators.population import METHODS, is_network


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
    public = {name for name in vars(BNSoftmaxClassifier) if name.startswith(("fit", "p", "dec"))}
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
