"""Shared by the tests of successive halving: searches with rungs, and comparisons of them."""

import sqlite3

import pandas as pd
import search_checks
from scipy.stats import loguniform
from sklearn.model_selection import StratifiedKFold

from skbn.search import CoarseToFineSearchCV, hidden_layers

SPACE = {
    "learning_rate_init": loguniform(1e-3, 0.3),
    "hidden_layer_sizes": hidden_layers((1, 2), (4, 8)),
    "dropout": [0.0, 0.2],
}
CURVES = ["loss", "validation_loss", "validation_accuracy"]
DIVERGING = 1e30
RUNGS = {"resource": "epochs", "min_epochs": 1, "cv": 2, "random_state": 0}


def listed(model, candidates, **options):
    """A search of one round that evaluates these candidates and no others."""
    space = [{name: [value] for name, value in params.items()} for params in candidates]
    options = RUNGS | options
    return CoarseToFineSearchCV(model, space, n_candidates=len(space), n_rounds=1, **options)


def splits_of(search, X, y):
    return list(StratifiedKFold(search.n_splits_).split(X, y))


def same_results(search, other):
    """All columns but the times are equal, and the learning curves too."""
    search_checks.same_results(search, other)
    pd.testing.assert_frame_equal(search.learning_curves_, other.learning_curves_, check_exact=True)
    assert search.best_params_ == other.best_params_


def sizes_of_rungs(search):
    """Candidates that reached each epoch of a rung, by round."""
    results = pd.DataFrame(search.cv_results_)
    rungs = sorted(search.learning_curves_.dropna(subset="score")["epoch"].unique())
    return [
        [int((part["n_epochs"] >= rung).sum()) for rung in rungs]
        for _, part in results.groupby("round")
    ]


def query(path, text):
    with sqlite3.connect(path) as db:
        rows = db.execute(text).fetchall()
    db.close()
    return rows
