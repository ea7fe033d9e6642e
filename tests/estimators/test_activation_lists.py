"""An activation of each hidden layer, and what is refused."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import GridSearchCV, RandomizedSearchCV

from skbn import fit_population
from skbn.network.activations import ACTIVATIONS
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

LISTS = {
    "list": ["elu", "tanh"],
    "tuple": ("elu", "tanh"),
    "array of text": np.array(["elu", "tanh"]),
    "array of objects": np.array(["elu", "tanh"], object),
    "Series": pd.Series(["elu", "tanh"]),
}


@pytest.fixture
def deep(quick):
    """Make a quick classifier of two hidden layers."""

    def make(activation, **options):
        return quick(**({"hidden_layer_sizes": (6, 5)} | options), activation=activation)

    return make


@pytest.mark.parametrize("kind", LISTS)
def test_a_list_of_any_kind_is_taken_and_kept(iris, deep, kind, assert_same_model):
    X, y = iris
    given = LISTS[kind]
    model = deep(given).fit(X, y)
    assert model.get_params()["activation"] is given
    assert_same_model(model, deep(["elu", "tanh"]).fit(X, y))
    for other in (clone(model), pickle.loads(pickle.dumps(model))):
        assert type(other.activation) is type(given)
        assert list(other.activation) == list(given)
        assert repr(other) == repr(model)
        assert_same_model(other.fit(X, y), model)


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_one_name_for_all_layers_is_that_name(iris, deep, name, assert_same_model):
    X, y = iris
    listed, plain = deep([name, name]).fit(X, y), deep(name).fit(X, y)
    assert_same_model(listed, plain)
    for model in (listed, plain):
        model.set_params(warm_start=True, max_iter=5)
    assert_same_model(
        listed.set_params(activation=name).fit(X, y),
        plain.set_params(activation=(name, name)).fit(X, y),
    )


def test_one_name_for_all_layers_trains_with_that_name(iris, deep, populations):
    given = ["elu"] * 2, "elu", ["elu", "tanh"]
    fit_population([deep(each, n_members=1, calibrate=False) for each in given], *iris)
    assert sorted(size for size, _ in populations) == [1, 2]


@pytest.mark.parametrize(
    ("sizes", "activation"), [(6, ["tanh"]), ([6], ("tanh",)), ((), []), ((), np.array([]))]
)
def test_as_many_activations_as_hidden_layers(iris, deep, sizes, activation, assert_same_model):
    X, y = iris
    model = deep(activation, hidden_layer_sizes=sizes).fit(X, y)
    assert_same_model(model, deep("tanh", hidden_layer_sizes=sizes).fit(X, y))


WRONG = {
    "too few": (["relu"], "has 2; got ['relu']"),
    "too many": (["relu"] * 3, "has 2; got ['relu', 'relu', 'relu']"),
    "none": ([], "has 2; got []"),
    "a set": ({"relu"}, "has 2; got {'relu'}"),
    "a dict": ({0: "relu", 1: "elu"}, "has 2; got {0: 'relu', 1: 'elu'}"),
    "a name in an array": (np.array("relu"), "has 2; got 'relu'"),
    "a list of lists": ([["relu", "elu"]], "has 2; got [['relu', 'elu']]"),
    "no such name": (["relu", "softmax"], "activation[1] is 'softmax', which is none of ['relu', "),
    "in capitals": (["ReLU", "relu"], "activation[0] is 'ReLU', which is none of ['relu', "),
    "a list in a list": (["relu", ["relu"]], "activation[1] is ['relu'], which is none of"),
    "nothing": (["relu", None], "activation[1] is None, which is none of"),
    "bytes": ([b"relu", "relu"], "activation[0] is b'relu', which is none of"),
    "numbers": (np.array([0, 1]), "activation[0] is 0, which is none of"),
}


@pytest.mark.parametrize("kind", WRONG)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_what_is_wrong_with_a_list_is_said(iris, deep, kind, method):
    X, y = iris
    activation, message = WRONG[kind]
    model = deep(activation)
    with pytest.raises(ValueError, match=re.escape(message)):
        model.fit(X, y) if method == "fit" else model.partial_fit(X, y, classes=[0, 1, 2])
    assert not hasattr(model, "classes_")


def test_a_list_for_no_hidden_layer_is_refused(iris, deep):
    with pytest.raises(ValueError, match=r"hidden_layer_sizes=\(\) has 0; got \['relu'\]"):
        deep(["relu"], hidden_layer_sizes=()).fit(*iris)


@pytest.mark.parametrize("after", ["elu", ["tanh", "elu"], ["elu", "elu"]])
def test_other_activations_are_another_network(iris, deep, after):
    X, y = iris
    model = deep(["elu", "tanh"], warm_start=True).fit(X, y).set_params(activation=after)
    for go_on in (model.set_params(max_iter=9).fit, model.partial_fit):
        with pytest.raises(ValueError, match=r"activation was changed from \('elu', 'tanh'\) to"):
            go_on(X, y)


CHOICES = [["elu", "tanh"], ("tanh", "elu"), "elu", ["tanh", "tanh"]]


@pytest.mark.slow
@pytest.mark.parametrize("choices", [CHOICES, CHOICES[:2], [*map(np.array, CHOICES[:2])]])
@pytest.mark.parametrize("make", [GridSearchCV, RandomizedSearchCV, CoarseToFineSearchCV])
def test_searches_choose_among_lists(iris, deep, make, choices, tmp_path):
    space, options = {"activation": choices}, {"cv": 2}
    if make is RandomizedSearchCV:
        options |= {"n_iter": len(choices), "random_state": 0}
    elif make is CoarseToFineSearchCV:
        space["alpha"] = loguniform(1e-4, 1e-2)
        options |= {"n_candidates": 6, "n_rounds": 2, "random_state": 0}
        options |= {"journal": tmp_path / "search.sqlite", "resource": "epochs", "max_epochs": 3}
    search = make(deep("relu"), space, **options).fit(*iris)
    results = search.cv_results_
    known = [repr(choice) for choice in choices]
    assert {repr(params["activation"]) for params in results["params"]} <= set(known)
    given = [repr(params["activation"]) for params in results["params"]]
    assert [repr(value) for value in results["param_activation"]] == given
    assert repr(search.best_estimator_.activation) in known
    for k in set(range(len(given))) - {search.best_index_}:
        assert np.isfinite(results["mean_test_score"][k])
    if make is CoarseToFineSearchCV:
        again = clone(search).fit(*iris)  # from the journal
        assert repr(again.best_params_) == repr(search.best_params_)
        assert search.retune(*iris).optimum_shift_.index.tolist() == ["activation", "alpha"]


@pytest.mark.filterwarnings("ignore:One or more of the test scores are non-finite")
def test_a_candidate_whose_list_does_not_fit_its_layers_fails_alone(iris, deep):
    space = {"activation": [["elu", "tanh"], ["elu"]]}
    search = GridSearchCV(deep("relu"), space, cv=2)
    ours = CoarseToFineSearchCV(deep("relu"), space, cv=2, n_candidates=2, n_rounds=1)
    for each in (search, ours):
        with pytest.warns(FitFailedWarning, match="got \\['elu'\\]"):
            each.fit(*iris)
        assert np.isnan(each.cv_results_["mean_test_score"]).sum() == 1
        assert each.best_params_ == {"activation": ["elu", "tanh"]}
