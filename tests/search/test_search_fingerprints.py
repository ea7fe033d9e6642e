"""What is the same search, and what differs in words."""

import pickle
import threading

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.metrics import fbeta_score, make_scorer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(60, 3))
Y = (X[:, 0] > 0).astype(int)
WEIGHTS = np.linspace(0.1, 1, 60)


def accuracy(model, X, y):
    return model.score(X, y)


def inaccuracy(model, X, y):
    return -model.score(X, y)


def long_table(last):
    return {name: float(name) for name in range(2000)} | {2000: last}


def scaled(X, factors):
    return X * len(factors)


def search_of(path, function=None, factors=None, k=2, **options):
    table = FunctionTransformer(function, kw_args=factors and {"factors": factors})
    tree = DecisionTreeClassifier(random_state=0)
    model = make_pipeline(table, StandardScaler(), SelectKBest(f_classif, k=k), tree)
    space = {"decisiontreeclassifier__ccp_alpha": loguniform(1e-4, 0.1)}
    defaults = {"n_candidates": 4, "n_rounds": 2, "cv": 2, "random_state": 0, "scoring": accuracy}
    given = defaults | options
    return CoarseToFineSearchCV(model, given.pop("space", space), journal=path, **given)


@pytest.mark.parametrize(
    ("first", "second", "words"),
    [
        ({}, {"scoring": inaccuracy}, r"another scoring: scoring: .*\baccuracy> there, .*inacc"),
        ({"scoring": {"a": accuracy}}, {"scoring": {"a": inaccuracy}}, "another scoring"),
        (
            {"scoring": make_scorer(fbeta_score, beta=1)},
            {"scoring": make_scorer(fbeta_score, beta=2)},
            "another scoring",
        ),
        (
            {"function": lambda X: X},
            {"function": lambda X: -X},
            "another estimator: functiontransformer__func has another value",
        ),
        (
            {"function": scaled, "factors": long_table(1.0)},
            {"function": scaled, "factors": long_table(2.0)},
            "another estimator: functiontransformer__kw_args has another value",
        ),
        ({}, {"k": 1}, "another estimator: selectkbest__k: 2 there, 1 here"),
        ({}, {"error_score": 0.0}, "another scoring: error_score: nan there, 0.0 here"),
        (
            {},
            {"space": {"decisiontreeclassifier__ccp_alpha": loguniform(1e-4, 1)}},
            r"another param_distributions: .*__ccp_alpha: .*0\.1\) there, .*1\) here",
        ),
        (
            {"space": {"functiontransformer__func": [np.abs, lambda X: 2 * X, None]}},
            {"space": {"functiontransformer__func": [np.abs, lambda X: X, None]}},
            "another param_distributions: functiontransformer__func",
        ),
        ({}, {"cv": 3}, "other splits: 2 splits there, 3 splits here"),
        ({}, {"random_state": 1}, "another random_state: 0 there, 1 here"),
        ({}, {"n_candidates": 8}, r"4 and 2 there, 8 and 2 here.*call extend\(X, y, n_rounds"),
        ({}, {"n_rounds": 3}, r"4 and 2 there, 4 and 3 here.*call extend\(X, y, n_rounds"),
    ],
)
@pytest.mark.filterwarnings("ignore:.*non-finite:UserWarning")
@pytest.mark.filterwarnings("ignore:round 1 has")
def test_a_journal_says_what_differs(path, first, second, words):
    search_of(path, **first, refit=False).fit(X, Y)
    before = path.read_bytes()
    with pytest.raises(ValueError, match=f"belongs to a search with .*{words}"):
        search_of(path, **second, refit=False).fit(X, Y)
    assert path.read_bytes() == before
    search_of(path, **first, refit=False).fit(X, Y)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        (
            (X[:50], Y[:50], {}),
            r"X: ndarray of float64 with shape \(60, 3\) there, .*\(50, 3\) here",
        ),
        ((X + 1, Y, {}), "X has another value"),
        ((X, 1 - Y, {}), "y has another value"),
        (
            (X, Y, {"decisiontreeclassifier__sample_weight": WEIGHTS}),
            "sample_weight is missing there",
        ),
        ((pd.DataFrame(X), Y, {}), r"X: ndarray of float64 .* there, DataFrame with shape"),
    ],
)
def test_a_journal_says_which_data_differ(path, given, words):
    search_of(path).fit(X, Y)
    X_given, y_given, params = given
    with pytest.raises(ValueError, match=f"belongs to a search with other data: .*{words}"):
        search_of(path).fit(X_given, y_given, **params)


def test_a_journal_says_which_column_differs(path):
    frame = pd.DataFrame(X, columns=list("abc"))
    search_of(path).fit(frame, Y)
    with pytest.raises(ValueError, match="other data: column 'b' of X has another value"):
        search_of(path).fit(frame.assign(b=1.0), Y)


def test_what_has_no_value_is_refused_before_any_file_or_fit(path):
    lock = threading.Lock()
    search = search_of(path, scoring=lambda model, X, y: lock.locked() + model.score(X, y))
    with pytest.raises(ValueError, match=r"variable 'lock' of the function .*lambda.*scoring is <"):
        search.fit(X, Y)
    assert not path.exists()
    search.set_params(journal=None).fit(X, Y).extend(X, Y)
    search = search_of(path, function=np.frompyfunc(abs, 1, 1))
    with pytest.raises(ValueError, match="parameter 'functiontransformer__func' of the estimator"):
        search.fit(X, Y)


def test_extend_takes_the_same_data_and_says_what_differs():
    search = search_of(None).fit(X, Y)
    search.extend(np.asfortranarray(X), Y.tolist())
    with pytest.raises(ValueError, match=r"data changed since \(X has another value\)"):
        search.extend(X + 1, Y)
    search.estimator.set_params(selectkbest__k=1)
    with pytest.raises(ValueError, match=r"estimator changed since \(selectkbest__k: 2 before, 1"):
        search.extend(X, Y)


def test_an_older_pickle_whose_fingerprints_have_another_place_goes_on():
    text = pickle.dumps(search_of(None).fit(X, Y), protocol=2)
    older = text.replace(b"skbn.journal.fingerprints", b"skbn.search.fingerprints")
    assert older != text
    pickle.loads(older).extend(X, Y)


def test_fitted_estimators_are_those_that_were_not():
    search = search_of(None).fit(X, Y)
    search.estimator.fit(X, Y)
    assert search.extend(X, Y).cv_results_["round"].max() == 2


def test_arguments_of_none_and_whether_to_refit_make_no_other_search(path):
    search_of(path, refit=False).fit(X, Y)
    search_of(path, refit=True).fit(X, Y, decisiontreeclassifier__sample_weight=None)
