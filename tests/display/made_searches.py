"""Searches that were never run, with results as if they had been; what curves they hold."""

import numpy as np
import pandas as pd
from scipy.stats import loguniform, uniform
from sklearn.dummy import DummyClassifier
from sklearn.model_selection import RandomizedSearchCV

from skbn.display import KINDS
from skbn.search.distributions import hidden_layers, log_randint, one_minus_loguniform
from skbn.search.space import Space

DICT = {
    "net__rate": loguniform(1e-4, 1),
    "net__momentum": one_minus_loguniform(0.9, 0.999),
    "net__batch_size": log_randint(16, 256),
    "net__layers": hidden_layers((1, 4), (32, 256)),
    "net__activation": ["relu", "tanh", "leaky_relu", "logistic"],
    "net__dropout": uniform(0, 0.5),
    "net__solver": ["sgd"],
}
LABELS = ["rate", "momentum", "batch_size", "layers: layers", "layers: units"]
LABELS += ["activation", "dropout"]
WITHOUT_CURVES = [kind for kind in KINDS if kind != "learning_curves"]


def log_place(value, low, high):
    return np.log(np.asarray(value) / low) / np.log(high / low)


def rate_score(params):
    """Best where the rate is 0.01; the other parameters do nothing."""
    return -abs(np.log10(params["net__rate"]) + 2)


def as_fitted(distributions, n=40, score=rate_score, **attributes):
    """A search that was never run, with results as if it had been."""
    space = Space(distributions)
    points = np.random.default_rng(0).random((n, len(space.coordinates)))
    params = [space.decode(point) for point in points]
    search = RandomizedSearchCV(DummyClassifier(), distributions)
    search.cv_results_ = {
        "params": params,
        "mean_test_score": np.array([score(each) for each in params], dtype=float),
    }
    for name, value in attributes.items():
        setattr(search, name, value)
    return search


def in_rounds(distributions=DICT, **options):
    """The same in three rounds, of which the rate's bounds became narrower."""
    history = [
        {"net__rate": (1e-4, 1.0), "net__layers: units": (32, 256)},
        {"net__rate": (1e-3, 0.1), "net__layers: units": (64, 256)},
        {"net__rate": (3e-3, 0.03), "net__layers: units": (64, 128)},
    ]
    search = as_fitted(distributions, bounds_history_=history, **options)
    n = len(search.cv_results_["params"])
    search.cv_results_["round"] = np.repeat([0, 1, 2], [n - n // 2, n // 4, n // 2 - n // 4])
    search.cv_results_["draw"] = np.where(search.cv_results_["round"] == 0, "global", "local")
    return search


def by_epochs(n_epochs=(2, 6, 2, 12, 2, 6, 12, 2, 12), ended=(3, 6, 8)):
    """A search in rounds of which candidates trained to rungs at 2 and 6 epochs, or to 12.

    Their accuracies rise by epoch, and differ by candidate and split.
    """
    search = in_rounds(n=len(n_epochs))
    results, scores = search.cv_results_, np.linspace(0.8, 0.9, len(n_epochs))
    results["n_epochs"], results["mean_test_score"] = np.array(n_epochs), scores
    is_ended = np.isin(np.arange(len(n_epochs)), ended)
    order = np.lexsort([-scores, -results["n_epochs"], ~is_ended])
    results["rank_test_score"] = np.argsort(order) + 1
    rows = [
        (i, split, epoch, 0.02 * i + 0.1 * split + 0.3 * np.log1p(epoch))
        for i, n in enumerate(n_epochs)
        for split in range(2)
        for epoch in range(1, n + 1)
    ]
    curves = pd.DataFrame(rows, columns=["candidate", "split", "epoch", "validation_accuracy"])
    is_last = curves["epoch"] == results["n_epochs"][curves["candidate"]]
    on_rung = curves["epoch"].isin([2, 6]) | is_last
    curves.insert(3, "score", curves["validation_accuracy"].where(on_rung))
    search.learning_curves_ = curves.assign(validation_loss=2 - curves["validation_accuracy"])
    return search


def mean_by_epoch(search, candidate, curve="validation_accuracy"):
    own = search.learning_curves_.query("candidate == @candidate").dropna(subset=curve)
    return own.groupby("epoch")[curve].mean()
