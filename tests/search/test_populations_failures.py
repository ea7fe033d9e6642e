"""Candidates of a population that fail leave the others as they are."""

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import FitFailedWarning
from sklearn.model_selection import KFold
from sklearn.pipeline import Pipeline
from split_checks import (
    CANDIDATES,
    DIVERGING,
    Counting,
    by_candidate,
    prefixed,
    search_of,
    sibling_of,
    sure_of_the_strong,
)

pytestmark = pytest.mark.slow


class Failing(Counting):
    """Fails for some values, in `fit` or in `transform`."""

    def fit(self, X, y=None):
        if self.factor < 0:
            raise ValueError("this transformer fails")
        return super().fit(X, y)


def failures(search, X, y):
    """Scores after a fit that warns, and what it warned of failed fits."""
    with pytest.warns(Warning, match=r"fits failed|non-finite") as caught:
        search.fit(X, y)
    texts = [str(w.message) for w in caught if w.category is FitFailedWarning]
    return by_candidate(search), [text.splitlines()[1] for text in texts]


@pytest.mark.parametrize("error_score", [np.nan, -1.0])
def test_a_transformer_that_fails_costs_its_candidates_their_scores(quick, iris, error_score):
    model = Pipeline([("failing", Failing()), ("net", quick())])
    candidates = [
        {"failing__factor": factor, "net__alpha": alpha}
        for factor in (-1.0, 1.0)
        for alpha in (0.0, 0.1)
    ]
    search = search_of(model, candidates, error_score=error_score)
    mine, warned = failures(search, *iris)
    its, expected = failures(sibling_of(search), *iris)
    pd.testing.assert_frame_equal(mine, its)
    assert warned == expected == ["6 fits failed out of a total of 12."]
    assert search.best_params_["failing__factor"] == 1.0
    with pytest.raises(ValueError, match="this transformer fails"):
        search.set_params(error_score="raise").fit(*iris)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", sure_of_the_strong])
def test_test_rows_that_cannot_be_transformed_cost_the_score_only(mixed, wine, scoring):
    X, y = wine
    X = X.assign(colour=np.where(np.arange(len(X)) == 3, "blue", X["colour"]))
    search = search_of(mixed, prefixed(CANDIDATES[:3]), cv=KFold(3), scoring=scoring)
    assert_fails_as_in_scikit_learn(search, X, y, "unknown categories")


def test_test_rows_with_missing_values_cost_the_score_only(quick, scaled, iris):
    X, y = iris
    X = np.where(np.arange(150)[:, None] == 3, np.nan, X)
    cv = [(np.arange(50, 150), np.arange(50)), (np.arange(75, 150), np.arange(50, 75))]
    for model, candidates in ((quick(), CANDIDATES[:3]), (scaled, prefixed(CANDIDATES[:3]))):
        search = search_of(model, candidates, cv=cv, refit=False)
        assert_fails_as_in_scikit_learn(search, X, y, "contains NaN")


def assert_fails_as_in_scikit_learn(search, X, y, why):
    both, messages = [search, sibling_of(search)], []
    for each in both:
        with pytest.warns(UserWarning, match=r"Scoring failed|non-finite") as caught:
            each.fit(X, y)
        messages.append(sorted(str(w.message).splitlines()[0] for w in caught))
        assert sum(why in str(w.message) for w in caught) == 3
    assert messages[0] == messages[1]
    assert by_candidate(search)["split0_test_score"].isna().all()
    assert by_candidate(search)["split1_test_score"].notna().all()
    pd.testing.assert_frame_equal(*map(by_candidate, both))
    with pytest.raises(ValueError, match=why):
        search.set_params(error_score="raise").fit(X, y)


@pytest.mark.parametrize(
    "bad",
    [
        DIVERGING,
        {"dropout": 2.0},
        {"solver": "best"},
        {"hidden_layer_sizes": (3, -1)},
        {"dtype": "float16"},
        {"dtype": "nothing"},
        {"batch_size": 1},
        {"class_weight": {7: 1.0}},
    ],
    ids=str,
)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_a_failing_candidate_leaves_its_neighbours_alone(quick, scaled, iris, bad, scoring):
    neighbours = prefixed(CANDIDATES[:2])
    search = search_of(scaled, [neighbours[0], *prefixed([bad]), neighbours[1]], scoring=scoring)
    mine, warned = failures(search, *iris)
    its, expected = failures(sibling_of(search), *iris)
    pd.testing.assert_frame_equal(mine, its)
    assert mine["mean_test_score"].isna().sum() == 1
    assert warned == expected == ["3 fits failed out of a total of 9."]
    alone = by_candidate(search_of(scaled, neighbours, scoring=scoring).fit(*iris))
    columns = alone.columns.drop("rank_test_score")
    pd.testing.assert_frame_equal(alone[columns], mine.dropna()[columns])
    with pytest.raises((TypeError, ValueError)):
        search.set_params(error_score="raise").fit(*iris)


@pytest.mark.parametrize("bad", [DIVERGING, {"dropout": 2.0}])
def test_if_all_fail_it_is_said_as_usual(quick, iris, bad):
    candidates = [bad | {"alpha": alpha} for alpha in (0.0, 0.1)]
    with pytest.raises(ValueError, match=r"(?s)All the 6 fits failed.*(diverged|dropout)"):
        search_of(quick(), candidates).fit(*iris)
    with pytest.raises(ValueError, match=r"^(Training diverged|The 'dropout' param)"):
        search_of(quick(), candidates, error_score="raise").fit(*iris)


def test_several_scores_of_one_that_fails(quick, iris):
    candidates = [DIVERGING, *CANDIDATES[:2]]
    for options in (
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy"},
        {"scoring": both_scores, "refit": "a"},
    ):
        search = search_of(quick(), candidates, **options)
        mine, _ = failures(search, *iris)
        its, _ = failures(sibling_of(search), *iris)
        pd.testing.assert_frame_equal(mine, its)


def both_scores(model, X, y):
    return {"a": model.score(X, y), "b": 1.0}


def test_a_scorer_that_fails_costs_the_score_only(quick, iris):
    def fails(model, X, y):
        if model.alpha:
            raise OSError("no paper")
        return 1.0

    search = search_of(quick(), CANDIDATES[1:3], scoring=fails)
    with pytest.warns(UserWarning, match="no paper|non-finite"):
        search.fit(*iris)
    with pytest.warns(UserWarning, match="no paper|non-finite"):
        sibling = sibling_of(search).fit(*iris)
    pd.testing.assert_frame_equal(by_candidate(search), by_candidate(sibling))
    with pytest.raises(OSError, match="no paper"):
        search.set_params(error_score="raise").fit(*iris)
