"""A year of a classifier whose data move: a report each month, and what it advises.

A shop predicts what becomes of an order: it is kept, exchanged or returned. The model is tuned on
the orders of January. Those of later months are compared with them, and the model is repaired
without labels where that suffices, and tuned again where it does not and labels have come.
"""

import warnings

import numpy as np
import pandas as pd
from scipy.stats import loguniform
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.drift import adapt, drift_report
from skbn.search import CoarseToFineSearchCV

CLASSES = np.array(["exchanged", "kept", "returned"])
USUAL, AFTER_A_SALE = (0.25, 0.6, 0.15), (0.2, 0.25, 0.55)


# The data: made up, so that what moved is known.


def orders(n_rows, seed, shares=USUAL):
    """Orders and what became of them, from which all else about an order follows by chance."""
    stream = np.random.default_rng(seed)
    y = stream.choice(3, n_rows, p=shares)
    columns = {
        "price": np.exp(stream.normal(np.array([3.6, 3.4, 4.3])[y], 0.5)),
        "weight": np.exp(stream.normal(np.array([0.6, 0.0, 0.3])[y], 0.4)),
        "days": stream.gamma(np.array([4.0, 2.5, 5.0])[y]),
        "articles": 1 + stream.poisson(np.array([2.2, 0.8, 1.6])[y]),
        "age": stream.normal(np.array([35, 45, 38])[y], 12),
        "channel": np.where(stream.random(n_rows) < np.array([0.7, 0.4, 0.8])[y], "web", "shop"),
    }
    return pd.DataFrame(columns), CLASSES[y]


def of_april():
    """Weights are in pounds now, and prices include a tax and the postage."""
    X, y = orders(1000, 4)
    return X.assign(weight=2.2 * X["weight"], price=1.19 * X["price"] + 5), y


def of_winter(seed):
    """The web shop exchanges nothing any more: customers return it."""
    X, y = orders(2000, seed)
    return X, np.where((y == "exchanged") & (X["channel"] == "web"), "returned", y)


# The model, tuned in January.


def make_model():
    """Scale numbers, encode the channel, classify."""
    numbers = make_column_selector(dtype_include="number")
    scaled, encoded = (StandardScaler(), numbers), (OneHotEncoder(), ["channel"])
    columns = make_column_transformer(scaled, encoded)
    return make_pipeline(columns, BNSoftmaxClassifier((32,), random_state=0))


def tuned(X, y):
    """Tune the learning rate and dropout."""
    space = {
        "bnsoftmaxclassifier__learning_rate_init": loguniform(1e-4, 1e-1),
        "bnsoftmaxclassifier__dropout": [0.0, 0.1, 0.2, 0.3],
    }
    options = {"n_candidates": 8, "n_rounds": 2, "cv": 3, "random_state": 0}
    search = CoarseToFineSearchCV(make_model(), space, scoring="neg_log_loss", **options)
    return search.fit(X, y)


# What each month brings.


def tell(month, report, model, X, y):
    """Tell what a report says of a month, and the accuracy of all that could be done.

    The labels come later: neither the report nor the repairs have them.
    """
    models = {
        "nothing": model,
        "adapt": adapt(model, X),
        "new priors": adapt(model, X, shift="label"),
    }
    marks = {name: "*" * (name == report.advice) for name in models}
    accuracies = [f"{marks[name]}{each.score(X, y):.1%}" for name, each in models.items()]
    columns = [f"{month:<10}{report.verdict:<11}{report.advice:<13}"]
    print(*columns, *(f"{each:>9}" for each in accuracies))


def main():
    """Live through the year."""
    X_old, y_old = orders(2000, 1)
    search = tuned(X_old, y_old)
    model = search.best_estimator_

    print(f"{'':<10}verdict    advice          frozen     adapt new priors")
    months = {
        "February": orders(1000, 2),
        "April": of_april(),
        "July": orders(1000, 7, AFTER_A_SALE),
        "November": of_winter(11),
    }
    for month, (X, y) in months.items():
        tell(month, drift_report(model, X_old, X), model, X, y)

    # In December the labels of November have come.
    X, y = months["November"]
    report = drift_report(model, X_old, X, y)
    print(f"\nNovember, with its labels: {report.verdict}, {report.advice}")
    X_new, y_new = of_winter(12)
    print(f"December: accuracy {model.score(X_new, y_new):.1%}")
    search.retune(X, y, report=report)
    print(f"December, retuned: accuracy {search.best_estimator_.score(X_new, y_new):.1%}\n")
    log = search.log_[["call", "n_rows", "best_score", "verdict", "advice"]]
    print(log.round(3).to_string())
    print(*search.optimum_shift_["in_words"], sep="\n")


if __name__ == "__main__":
    warnings.simplefilter("ignore")  # adapt warns in July
    main()
