"""Searches of any space, with any splits and scores, that stop and go on."""

from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import assert_predicts, assert_same_outcome, outcome_of
from parameters import parameters
from scipy.stats import loguniform, randint, uniform
from sklearn.model_selection import GridSearchCV, KFold, ShuffleSplit, StratifiedKFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from tables import SAME_NUMBERS, SPARSE, tables

from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, hidden_layers, log_randint

pytestmark = pytest.mark.slow

few = settings(max_examples=settings.default.max_examples // 8)


def share_of_the_first(estimator, X, y):
    """A score that is a function."""
    return float(np.mean(estimator.predict(X) == estimator.classes_[0]))


SPACE = {
    "learning_rate_init": [loguniform(1e-4, 1), [0.001, 0.01, 0.1], [1e30, 0.01]],
    "hidden_layer_sizes": [hidden_layers((1, 2), (2, 4)), [(), 2, (3, 2)]],
    "batch_size": [log_randint(2, 32), randint(2, 9), [4, "auto"]],
    "dropout": [uniform(0, 0.5), [0.0, 0.3], [0.1, -1]],
    "max_iter": [randint(1, 4), [1, 2, 3]],
    "activation": [["relu", "tanh", "gelu"], ["relu", ["elu", "tanh"], ["mish"]]],
    "early_stopping": [[True, False]],
    "n_members": [[1, 2]],
    "class_weight": [[None, "balanced"]],
}
"""By parameter, some distributions of it."""

SPLITTERS = [
    *(2, 3, KFold(2), StratifiedKFold(3, shuffle=True, random_state=0)),
    *(ShuffleSplit(2, random_state=1), [([0, 1, 2, 3, 4], [5]), (range(1, 6), [0, 1])]),
]
OPTIONS = st.fixed_dictionaries(
    {
        "cv": st.sampled_from(SPLITTERS),
        "scoring": st.sampled_from(
            [None, "accuracy", "neg_log_loss", "roc_auc_ovr", share_of_the_first]
        ),
        "n_candidates": st.integers(1, 5),
        "n_rounds": st.integers(1, 3),
        "resource": st.sampled_from([None, None, "epochs"]),
        "random_state": st.integers(0, 9),
        "refit": st.sampled_from([True, True, False]),
    }
)


@st.composite
def searches(draw):
    """Draw the parameters of a search: its estimator, its space, and how it goes."""
    names = st.lists(st.sampled_from(sorted(SPACE)), min_size=1, max_size=4, unique=True)
    space = {name: draw(st.sampled_from(SPACE[name])) for name in draw(names)}
    model = BNSoftmaxClassifier(**draw(parameters(verbose=0, random_state=0)))
    if draw(st.booleans()):
        space = {f"bnsoftmaxclassifier__{name}": values for name, values in space.items()}
        model = make_pipeline(StandardScaler(with_mean=False), model)
    return {"estimator": model, "param_distributions": space, **draw(OPTIONS)}


def scores(search):
    """Scores of a search, a row a candidate."""
    columns = [f"split{k}_test_score" for k in range(search.n_splits_)]
    return np.stack([search.cv_results_[name] for name in columns], axis=1)


def assert_same_search(search, other):
    """Assert that two searches found the same."""
    assert search.cv_results_["params"] == other.cv_results_["params"]
    assert search.cv_results_["draw"].tolist() == other.cv_results_["draw"].tolist()
    np.testing.assert_array_equal(scores(search), scores(other))
    assert search.bounds_history_ == other.bounds_history_
    if search.refit:
        assert search.best_params_ == other.best_params_


CONTAINERS = st.sampled_from([*SAME_NUMBERS, *SPARSE])


@few
@given(searches(), tables(container=CONTAINERS))
def test_a_search_scores_as_scikit_learn_and_predicts(parameters, table):
    search = CoarseToFineSearchCV(**parameters)
    before = dict(vars(search))
    if isinstance(outcome_of(search.fit, table.X, table.y), Exception):
        assert vars(search).keys() == before.keys()
        assert all(vars(search)[name] is value for name, value in before.items())
        return
    if search.refit:
        assert_predicts(search, table.X)
    if search.resource is None:
        space = [{k: [v] for k, v in each.items()} for each in search.cv_results_["params"]]
        options = {name: parameters[name] for name in ("cv", "scoring")}
        sibling = GridSearchCV(search.estimator, space, refit=False, **options)
        outcome_of(sibling.fit, table.X, table.y)
        np.testing.assert_array_equal(scores(search), scores(sibling))


@few
@given(searches(), tables(container=CONTAINERS), st.integers(1, 2))
def test_a_search_in_a_journal_is_as_one_without(parameters, table, n_rounds):
    with TemporaryDirectory() as folder:
        path = Path(folder) / "search.sqlite"
        plain = CoarseToFineSearchCV(**parameters)
        outcome = outcome_of(plain.fit, table.X, table.y)
        for _ in range(2):
            kept = CoarseToFineSearchCV(**parameters, journal=path)
            if assert_same_outcome(outcome_of(kept.fit, table.X, table.y), outcome):
                return
            assert_same_search(kept, plain)
        ends = [outcome_of(s.extend, table.X, table.y, n_rounds=n_rounds) for s in (kept, plain)]
        if not assert_same_outcome(*ends):
            assert_same_search(kept, plain)
