"""Candidates and folds that train together score what each scores alone, to the last bit."""

import warnings
from contextlib import nullcontext

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_matrix
from sklearn.datasets import load_digits
from sklearn.metrics import balanced_accuracy_score, make_scorer
from sklearn.model_selection import KFold, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import StandardScaler
from split_checks import (
    CANDIDATES,
    by_candidate,
    prefixed,
    search_of,
    sibling_of,
    sure_of_the_strong,
)

from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:301] / 16, y[:301]


SCORINGS = [
    {},
    {"scoring": "accuracy"},
    {"scoring": "neg_log_loss"},
    {"scoring": make_scorer(balanced_accuracy_score)},
    {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
    {"scoring": {"a": "accuracy", "b": "balanced_accuracy"}, "refit": "a"},
]


@pytest.mark.parametrize("options", SCORINGS, ids=str)
def test_a_network_alone_scores_what_it_does_in_scikit_learn(
    assert_as_scikit_learn, quick, digits, options
):
    assert_as_scikit_learn(quick(), CANDIDATES, *digits, **options)


@pytest.mark.parametrize("options", SCORINGS, ids=str)
def test_a_pipeline_of_text_and_numbers_does_too(assert_as_scikit_learn, mixed, wine, options):
    assert_as_scikit_learn(mixed, prefixed(CANDIDATES[1:5]), *wine, **options)


def two_scores(model, X, y):
    return {"first": sure_of_the_strong(model, X, y), "second": float(len(X))}


@pytest.mark.parametrize(
    "options",
    [
        {"scoring": sure_of_the_strong},
        {"scoring": {"a": sure_of_the_strong, "b": "accuracy"}, "refit": "a"},
        {"scoring": two_scores, "refit": "first"},
    ],
)
def test_a_scorer_may_look_at_the_whole_pipeline_and_the_raw_columns(
    assert_as_scikit_learn, mixed, wine, options
):
    assert_as_scikit_learn(mixed, prefixed(CANDIDATES[:4]), *wine, **options)


def test_rows_may_be_lists_frames_or_sparse(assert_as_scikit_learn, quick, scaled, iris):
    X, y = iris
    candidates = CANDIDATES[:2]
    assert_as_scikit_learn(quick(), candidates, X.tolist(), y.tolist())
    assert_as_scikit_learn(quick(), candidates, csr_matrix(X), y == 1)
    names = pd.Series(np.array(["x", "y", "z"])[y], dtype="category")
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(150)[::-1])
    search = assert_as_scikit_learn(quick(), candidates, frame, names)
    assert search.feature_names_in_.tolist() == list("abcd")
    scaled.set_output(transform="pandas")
    assert_as_scikit_learn(scaled, prefixed(candidates), frame, names)


@pytest.mark.parametrize("cv", [KFold(4), StratifiedKFold(7), KFold(2, shuffle=True)])
def test_folds_may_differ_by_a_row(assert_as_scikit_learn, quick, scaled, iris, cv):
    cv = list(cv.split(*iris)) if cv.shuffle else cv
    assert len({len(train) for train, _ in KFold(4).split(*iris)}) == 2
    assert_as_scikit_learn(scaled, prefixed(CANDIDATES[:3]), *iris, cv=cv)
    assert_as_scikit_learn(quick(), CANDIDATES[:3], *iris, cv=cv)


@pytest.mark.parametrize("scoring", [None, "accuracy", "f1_macro"])
def test_a_class_may_be_missing_in_training(assert_as_scikit_learn, scaled, wine, scoring):
    X, y = wine
    y = y.where(np.arange(len(y)) != 3, "rare")
    cv = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    X = X.drop(columns="colour")
    candidates = prefixed(CANDIDATES[:5])
    assert_as_scikit_learn(scaled, candidates, X, y, cv=cv, scoring=scoring)


def test_where_it_is_missing_a_log_loss_fails_as_in_scikit_learn(quick, iris):
    X, y = iris
    y = np.where(np.arange(150) == 3, 3, y)
    cv = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    search, messages = search_of(quick(), CANDIDATES[:2], cv=cv, scoring="neg_log_loss"), []
    for each, ends in (
        (search, pytest.raises(ValueError, match="different number of classes")),
        (
            sibling_of(search),
            nullcontext(),
        ),
    ):
        with pytest.warns(UserWarning, match=r"Scoring failed|non-finite") as caught, ends:
            each.fit(X, y)
        failed = [str(w.message) for w in caught if "Scoring failed" in str(w.message)]
        messages.append([message.splitlines()[0] for message in failed])
    assert len(messages[0]) == 4
    assert messages[0] == messages[1]


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_weights_reach_the_network(assert_as_scikit_learn, quick, scaled, iris, scoring):
    X, y = iris
    weights = np.random.default_rng(0).integers(0, 3, 150).astype(float)
    options = {"scoring": scoring, "params": {"net__sample_weight": weights}}
    weighted = assert_as_scikit_learn(scaled, prefixed(CANDIDATES), X, y, **options)
    plain = search_of(scaled, prefixed(CANDIDATES), scoring=scoring).fit(X, y)
    assert not by_candidate(weighted).equals(by_candidate(plain))
    options["params"] = {"scaler__sample_weight": weights, "net__sample_weight": weights.tolist()}
    assert_as_scikit_learn(scaled, prefixed(CANDIDATES[:3]), X, y, **options)


def test_weights_reach_a_network_alone(assert_as_scikit_learn, quick, iris):
    weights = np.random.default_rng(0).integers(0, 3, 150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are not scored
        assert_as_scikit_learn(quick(), CANDIDATES[:4], *iris, params={"sample_weight": weights})


@pytest.mark.parametrize("scoring", [None, "accuracy", "neg_log_loss"])
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_weights_are_routed(assert_as_scikit_learn, quick, iris, scoring, scored, in_a_pipeline):
    old = sklearn.__version__ < "1.8"
    if in_a_pipeline and scoring is None and (old or not scored):
        pytest.skip("the search of scikit-learn does not do this either")
    weights = np.random.default_rng(0).integers(1, 4, 150).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        net = quick().set_fit_request(sample_weight=True).set_score_request(sample_weight=scored)
        candidates = CANDIDATES[:4]
        if in_a_pipeline:
            scaler = StandardScaler().set_fit_request(sample_weight=scored)
            net = Pipeline([("scaler", scaler), ("net", net)])
            candidates = prefixed(candidates)
        if scoring:
            scorer = sklearn.metrics.get_scorer(scoring)
            scoring = scorer.set_score_request(sample_weight=scored)
        params = {"sample_weight": weights}
        assert_as_scikit_learn(net, candidates, *iris, params=params, scoring=scoring)


def test_a_callable_chooses_from_the_results_as_they_are_published(scaled, iris):
    seen = []

    def choose(results):
        seen.append(results)
        return 1

    space = [{"net__alpha": [0.0, 0.1]}, {"net__dropout": [0.2]}]
    search = CoarseToFineSearchCV(
        scaled, space, n_candidates=3, n_rounds=1, cv=2, refit=choose, random_state=0
    ).fit(*iris)
    assert search.best_index_ == 1
    assert seen[0].keys() == search.cv_results_.keys()
    for name, values in search.cv_results_.items():
        assert type(seen[0][name]) is type(values), name
