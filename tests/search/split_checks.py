"""Shared by the tests of populations: candidates, searches, and scikit-learn's for comparison."""

import numpy as np
import pandas as pd
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.model_selection import RandomizedSearchCV

from skbn.search import CoarseToFineSearchCV

CANDIDATES = [
    {"learning_rate_init": 0.01},
    {"learning_rate_init": 0.1, "dropout": 0.3, "random_state": 1},
    {"alpha": 0.1, "label_smoothing": 0.1, "max_iter": 5},
    {"hidden_layer_sizes": (6, 5), "solver": "sgd", "learning_rate": "one_cycle"},
    {"hidden_layer_sizes": (), "solver": "rmsprop", "class_weight": "balanced"},
    {"batch_norm": False, "activation": "tanh", "batch_size": 30, "input_dropout": 0.1},
    {"noise": 0.1, "input_noise": 0.3, "loss": "focal"},
    {"dtype": "float64", "batch_size": "auto", "shuffle": False},
    {"early_stopping": True, "n_iter_no_change": 1, "max_iter": 6},
    {"n_members": 3, "calibrate": False},
    {"n_members": 1, "hidden_layer_sizes": (6, 5)},
]
DIVERGING = {"learning_rate_init": 1e30}


def prefixed(candidates, step="net"):
    return [{f"{step}__{name}": v for name, v in params.items()} for params in candidates]


def by_candidate(search):
    """Scores, each row by the parameters of its candidate."""
    results = pd.DataFrame(search.cv_results_).filter(regex="_test_")
    results.index = [repr(sorted(params.items())) for params in search.cv_results_["params"]]
    return results.sort_index()


def search_of(model, candidates, **options):
    """A search that evaluates these candidates and no others."""
    space = [{name: [value] for name, value in params.items()} for params in candidates]
    options = {"cv": 3, "random_state": 0} | options
    return CoarseToFineSearchCV(model, space, n_candidates=len(space), n_rounds=1, **options)


def sibling_of(search):
    """The search of scikit-learn that evaluates the same candidates."""
    return RandomizedSearchCV(
        search.estimator,
        search.param_distributions,
        n_iter=search.n_candidates,
        scoring=search.scoring,
        refit=search.refit,
        cv=search.cv,
        error_score=search.error_score,
    )


def sure_of_the_strong(model, X, y):
    """A score that looks at the steps of a pipeline, and at columns as they were given."""
    assert model.named_steps["net"] is model[-1]
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model[:-1].transform(X).shape[1] == model[-1].n_features_in_
    strong = (X["alcohol"] > 13).to_numpy()
    return np.average(model.predict(X) == y, weights=1.0 + strong)


class Counting(TransformerMixin, BaseEstimator):
    """Counts how often it is fitted; has no attribute that says that it was."""

    fits = []

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        Counting.fits.append(self.factor)
        return self

    def transform(self, X):
        return X * self.factor
