"""Searches, pipelines and journals that several files test."""

import numpy as np
import pandas as pd
import pytest
from halving_checks import RUNGS, SPACE
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_wine
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from split_checks import Counting, by_candidate, search_of, sibling_of

import skbn.search.evaluation as evaluation
from skbn.search import CoarseToFineSearchCV


@pytest.fixture(scope="session")
def halving(quick):
    """A search of two rounds of five and four candidates, on rungs of 1, 3 and 9 epochs."""

    def search(model=None, space=SPACE, **options):
        model = quick(max_iter=9) if model is None else model
        defaults = RUNGS | {"n_candidates": 9, "n_rounds": 2}
        return CoarseToFineSearchCV(model, space, **(defaults | options))

    return search


@pytest.fixture(scope="session")
def halved(halving, iris):
    return halving().fit(*iris)


@pytest.fixture
def jobs(monkeypatch):
    """Candidate, rung and split of all that was trained, and the epochs that it took."""
    made = []

    def watch(parent, members, splits, rules, train=evaluation.train_assignments):
        done = train(parent, members, splits, rules)
        made.extend((*d[:3], len(d.result["curves"].get("loss", []))) for d in done)
        return done

    monkeypatch.setattr(evaluation, "train_assignments", watch)
    return made


@pytest.fixture
def path(tmp_path):
    return tmp_path / "search.sqlite"


@pytest.fixture
def assert_as_scikit_learn(n_alone):
    """Assert that scores equal those of scikit-learn's own search, of so many ordinary fits."""

    def check(model, candidates, X, y, *, alone=0, params=None, **options):
        search = search_of(model, candidates, **options)
        n_alone.clear()
        search.fit(X, y, **(params or {}))
        assert len(n_alone) == alone
        sibling = sibling_of(search).fit(X, y, **(params or {}))
        pd.testing.assert_frame_equal(by_candidate(search), by_candidate(sibling), check_exact=True)
        assert len(search.cv_results_["params"]) == len(candidates)
        if search.refit:
            assert search.best_score_ == sibling.best_score_
        return search

    return check


@pytest.fixture
def n_alone(monkeypatch):
    """Fits that were made the ordinary way, one for each."""
    made = []

    def count(*args, fit=evaluation.fit_and_score, **arguments):
        made.append(arguments["parameters"])
        return fit(*args, **arguments)

    monkeypatch.setattr(evaluation, "fit_and_score", count)
    return made


@pytest.fixture(scope="module")
def wine():
    """A frame with numbers, a column of text, and labels that are text."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X.iloc[order], y.iloc[order]
    X = X[["alcohol", "hue", "proline"]].assign(colour=pd.cut(X["color_intensity"], 3).map(str))
    return X, y.map({0: "barolo", 1: "grignolino", 2: "barbera"})


@pytest.fixture
def mixed(quick):
    """A pipeline for numbers and text."""
    columns = make_column_transformer(
        (OneHotEncoder(), ["colour"]), remainder=StandardScaler(), verbose_feature_names_out=False
    )
    return Pipeline([("columns", columns), ("net", quick())])


@pytest.fixture
def scaled(quick):
    return Pipeline([("scaler", StandardScaler()), ("net", quick())])


@pytest.fixture
def counting(quick):
    Counting.fits.clear()
    return Pipeline([("counting", Counting()), ("net", quick())])
