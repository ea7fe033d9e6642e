"""What Andrew Ng's course says of hyperparameters and batch norm, put to the test.

    python benchmarks/course_claims.py [--data FOLDER] [--seeds 5] [--only 1,2,3,4]

It takes ten minutes.

The claims are those of "Improving deep neural networks", week 3:

1. random points find better hyperparameters than a grid of as many;
2. a learning rate is to be drawn on a log scale,
3. and so is 1 - momentum;
4. batch norm widens the range of learning rates that train well.

A pair is a data set and a seed: that of the rows, the folds, the network and the draws,
the same for both arms. Candidates are compared in cross-validation on at most 600 rows;
the one of the least log-loss is then fitted to all of these and tested on other rows.
The last claim is tested on 600 rows and, where the sets have them, on 5,000: of the former
an epoch has ten steps only. Intervals are bootstrapped, by drawing data sets and then
seeds within each. A claim holds where the interval of the mean gain is above zero. FOLDER
holds letter.csv.gz and others; without it the data are the sets that scikit-learn ships.
"""

import argparse
from functools import partial
from itertools import pairwise, product
from typing import Any, NamedTuple

import numpy as np
from _common import ONE, machine, preprocessing, shipped, table
from scipy.stats import loguniform, uniform
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.search import one_minus_loguniform

TABLES = ["letter", "satimage", "segment", "spambase", "vowel"]
LARGE_TABLES = ["letter", "satimage", "magic", "diamonds_cut", "adult"]
ROWS, MANY_ROWS, TEST_ROWS, FOLDS = 600, 5000, 2000, 3
RATES, EPSILONS = loguniform(1e-4, 1), loguniform(1e-10, 1e-4)
LINEAR, LOG = uniform(0.9, 0.099), one_minus_loguniform(0.9, 0.999)
SCORES = ["validation log-loss", "validation accuracy", "test log-loss", "test accuracy"]


class Task(NamedTuple):
    """A pair; parts are (X_train, y_train, X_test, y_test)."""

    folds: list[Any]
    test: Any
    seed: int


def make_task(X, y, seed, most_rows=ROWS):
    rows = min(most_rows, 2 * len(X) // 3)
    test_rows = min(TEST_ROWS, len(X) - rows)
    outer = StratifiedShuffleSplit(1, train_size=rows, test_size=test_rows, random_state=seed)
    ours, others = next(outer.split(X, y))
    folds = StratifiedKFold(FOLDS, shuffle=True, random_state=seed).split(ours, y.iloc[ours])

    def part(train, test):
        scaler = preprocessing()
        X_train, X_test = scaler.fit_transform(X.iloc[train]), scaler.transform(X.iloc[test])
        return X_train, y.iloc[train], X_test, y.iloc[test]

    parts = [part(ours[train], ours[validation]) for train, validation in folds]
    return Task(parts, part(ours, others), seed)


def fit_and_score(part, params, seed):
    """Log-loss and accuracy; of a network that diverged, the worst there are."""
    X_train, y_train, X_test, y_test = part
    model = BNSoftmaxClassifier(**ONE, **params, random_state=seed)
    try:
        model.fit(X_train, y_train)
    except ValueError as error:
        if "diverged" not in str(error):
            raise
        return np.inf, 0.0
    probabilities = model.predict_proba(X_test)
    predicted = model.classes_[probabilities.argmax(axis=1)]
    return log_loss(y_test, probabilities, labels=model.classes_), accuracy_score(y_test, predicted)


def cross_validate(task, candidates):
    """Log-losses and accuracies, each (candidates,)."""
    scores = [[fit_and_score(part, c, task.seed) for c in candidates] for part in task.folds]
    return np.mean(scores, axis=0).T


def best(task, shared, **columns):
    """``SCORES`` of the best candidate; each has a value of every column, and the shared ones."""
    rows = zip(*columns.values(), strict=True)
    candidates = [{**shared, **dict(zip(columns, row, strict=True))} for row in rows]
    losses, accuracies = cross_validate(task, candidates)
    chosen = candidates[losses.argmin()]
    return losses.min(), accuracies.max(), *fit_and_score(task.test, chosen, task.seed)


def over_pairs(tasks, measure):
    """What ``measure`` gives of each task, (sets, seeds, arms, measures)."""
    return np.array([[measure(task) for task in of_set] for of_set in tasks.values()])


def interval(gains, draws=10_000):
    """95 % bootstrap interval of the mean of gains (sets, seeds)."""
    stream, (n_sets, n_seeds) = np.random.default_rng(0), gains.shape
    sets = stream.integers(n_sets, size=(draws, n_sets, 1))
    seeds = stream.integers(n_seeds, size=(draws, n_sets, n_seeds))
    return np.percentile(gains[sets, seeds].mean(axis=(1, 2)), [2.5, 97.5])


def verdict(low, high):
    if low > 0:
        return "holds"
    return "the opposite holds" if high < 0 else "not shown: the interval includes zero"


def report(title, arms, measures, results, sets):
    """Print what the second arm gains over the first."""
    print(f"\n{title:28s}{arms[0]:>9s}{arms[1]:>9s}{'gain':>9s}  95 % interval       won:lost")
    for name, (first, second) in zip(measures, np.moveaxis(results, (3, 2), (0, 1)), strict=True):
        gains = first - second if name.endswith("log-loss") else second - first
        low, high = interval(gains)
        figures = f"{first.mean():9.4f}{second.mean():9.4f}{gains.mean():+9.4f}"
        won = f"{np.sum(gains > 0):3d}:{np.sum(gains < 0):<3d}"
        print(
            f"{name:28s}{figures}  [{low:+.4f}, {high:+.4f}]  {won}  {verdict(low, high)}",
            flush=True,
        )
        if name == measures[0]:
            means = zip(sets, gains.mean(axis=1), strict=True)
            print("    " + ", ".join(f"{of_set} {gain:+.4f}" for of_set, gain in means))


def random_against_grid(tasks):
    print("25 points over learning_rate_init on [1e-4, 1] and epsilon on [1e-10, 1e-4]")
    places = {"bounds included": np.linspace(0, 1, 5), "amid cells": np.linspace(0.1, 0.9, 5)}
    grids = [np.transpose(list(product(units, units))) for units in places.values()]

    def points(seed):
        arms = [*grids, np.random.default_rng(seed).uniform(size=(2, 25))]
        return [(RATES.ppf(units[0]), EPSILONS.ppf(units[1])) for units in arms]

    def measure(task):
        shared = {"hidden_layer_sizes": (64, 64)}
        return [
            best(task, shared, learning_rate_init=rates, epsilon=epsilons)
            for rates, epsilons in points(task.seed)
        ]

    tried = [len(set(rates)) for rates, _ in points(0)]
    print(f"learning rates tried: grid {tried[0]}, random {tried[-1]}")
    results = over_pairs(tasks, measure)
    for i, place in enumerate(places):
        report(f"grid, {place}", ("grid", "random"), SCORES, results[:, :, [i, 2]], tasks)


def shares(title, draws, edges, claimed):
    """Print which share of the draws lies between edges, and whether it is as claimed."""
    found = np.histogram(draws, edges)[0] / len(draws)
    between = zip(pairwise(edges), found, strict=True)
    text = ", ".join(f"{share:.1%} in [{low:g}, {high:g}]" for (low, high), share in between)
    holds = np.allclose(found, claimed, atol=0.01)
    print(f"{title:12s}{text}: {'holds' if holds else 'does not hold'}")


def scale_of_learning_rate(tasks):
    print("100,000 draws of a learning rate on [0.0001, 1]")
    edges = [1e-4, 1e-3, 1e-2, 1e-1, 1]
    draws = uniform(1e-4, 1 - 1e-4).rvs(100_000, random_state=0)
    shares("linear", draws, edges, [0.0009, 0.009, 0.09, 0.9])
    shares("log", RATES.rvs(100_000, random_state=0), edges, [0.25] * 4)


def scale_of_momentum(tasks):
    print("100,000 draws of a momentum on [0.9, 0.999], by 1 - momentum")
    for name, scale, claimed in (("linear", LINEAR, [1 / 11, 10 / 11]), ("log", LOG, [0.5, 0.5])):
        draws = 1 - scale.rvs(100_000, random_state=0)
        shares(name, draws, [1e-3, 1e-2, 1e-1 + 1e-9], claimed)
    shared = {"solver": "sgd", "hidden_layer_sizes": (64,), "batch_size": 32, "max_iter": 30}

    def sensitivity(task):
        momenta = (0.9, 0.9005, 0.999, 0.9995)
        candidates = [{**shared, "learning_rate_init": 0.01, "momentum": m} for m in momenta]
        losses = cross_validate(task, candidates)[0]
        return [[abs(losses[1] - losses[0])], [abs(losses[3] - losses[2])]]

    results = over_pairs(tasks, sensitivity)
    measures = ["change of validation loss"]
    report("momentum + 0.0005", ("at 0.9", "at 0.999"), measures, results, tasks)

    def measure(rate, task):
        units = np.random.default_rng(task.seed).uniform(size=(2, 8))
        rates = RATES.ppf(units[0]) if rate == "random" else [rate] * 8
        of_arms = LINEAR.ppf(units[1]), [LOG.from_unit([unit]) for unit in units[1]]
        return [best(task, shared, learning_rate_init=rates, momentum=m) for m in of_arms]

    for rate in ("random", 0.001, 0.01, 0.1):
        results = over_pairs(tasks, partial(measure, rate))
        report(f"best of 8, sgd, rate {rate}", ("linear", "log"), SCORES, results, tasks)


def range_of_learning_rates(tasks, large_tasks):
    print("share of 15 learning rates on [1e-4, 1], by test accuracy; layers of 64, 64, 64")
    measures = ["0.01 from best of both", "0.05 from best of both", "0.01 from own best"]

    def measure(solver, task):
        rates = RATES.ppf(np.random.default_rng(task.seed).uniform(size=15))
        accuracies = np.empty((2, len(rates)))
        for i, j in np.ndindex(accuracies.shape):
            params = {"batch_norm": bool(i), "learning_rate_init": rates[j], "solver": solver}
            params["hidden_layer_sizes"] = (64, 64, 64)
            accuracies[i, j] = fit_and_score(task.test, params, task.seed)[1]
        best, own = accuracies.max(), accuracies.max(axis=1, keepdims=True)
        near = [accuracies >= bar for bar in (best - 0.01, best - 0.05, own - 0.01)]
        return np.transpose([shares.mean(axis=1) for shares in near])

    for rows, group in ((ROWS, tasks), (MANY_ROWS, large_tasks)):
        for solver in ("sgd", "adam") if group else ():
            results = over_pairs(group, partial(measure, solver))
            report(f"{solver}, {rows} rows", ("without", "with"), measures, results, group)


CLAIMS = {
    "1": random_against_grid,
    "2": scale_of_learning_rate,
    "3": scale_of_momentum,
    "4": range_of_learning_rates,
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of letter.csv.gz and others")
    parser.add_argument("--seeds", type=int, default=5, help="pairs of each data set")
    parser.add_argument("--only", default="1,2,3,4", help="claims, such as 1,3")
    arguments = parser.parse_args()
    print(machine())
    sets, large = shipped(), {}
    if arguments.data:
        tables = {name: table(arguments.data, name) for name in {*TABLES, *LARGE_TABLES}}
        sets = {"digits": sets["digits"], **{name: tables[name] for name in TABLES}}
        large = {name: tables[name] for name in LARGE_TABLES}
    seeds = range(arguments.seeds)

    def make_tasks(sets, rows):
        return {
            name: [make_task(*data, 1000 * i + seed, rows) for seed in seeds]
            for i, (name, data) in enumerate(sets.items())
        }

    tasks = make_tasks(sets, ROWS)
    for number in arguments.only.split(","):
        print(f"\n{number}. ", end="")
        more = [make_tasks(large, MANY_ROWS)] if number == "4" else []
        CLAIMS[number](tasks, *more)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
