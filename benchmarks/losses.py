"""What a loss is worth: focal and weighted losses of rare classes, an ordinal loss of grades.

    python benchmarks/losses.py [--data FOLDER] [--csv FILE --resume]

Rare classes: ten tasks, chosen by the rate of the rarest class before anything was trained.
"As they come" are the tables of the development sets whose rarest class has less than two thirds
of an equal share of the rows, with all of their classes. "Against the rest" are those, and the
sets that scikit-learn ships, whose rarest class has less than a tenth of the rows: it is to be
told from all others. Average precision is of the rare class, or the mean over the classes where
there are more than two.

Grades: the five cuts of diamonds_cut in their order, and the squared earth mover's distance as a
function of one's own. A class is predicted as the most probable one and as the median of the
probabilities; its error is in grades.

Each set is split as by accuracy.py: at most 8,000 rows to train on, the split's number is the
seed. The parameters are the defaults but for the loss and ``calibrate``. Differences are to plain
cross-entropy, on the same splits. Their 95 % intervals are of Student's t; over the splits of a
set with the variance of Nadeau and Bengio (2003), for splits share rows; over sets, of the means
of the sets.

"Undone" is what follows from knowing the loss: probabilities that minimise a focal loss, or a
weighted one, are turned into the class frequencies that they come of.

It takes a quarter of an hour on one core; ``--csv`` keeps a line a fit, and with ``--resume``
those that it has of the same source are not done again.
"""

import argparse
from functools import cache

import autograd.numpy as anp
import numpy as np
import pandas as pd
from _arms import skbn_with
from _common import TABLES, development_sets, interval, machine
from accuracy import Lines, Split, calibration_error
from sklearn.metrics import average_precision_score, log_loss
from sklearn.preprocessing import LabelEncoder
from threadpoolctl import threadpool_limits

N_ROWS = 8000
TEST_TO_TRAIN = 1 / 3
GRADES = ["Fair", "Good", "Very Good", "Premium", "Ideal"]
SCORES = {
    "average_precision": "average precision, points",
    "log_loss": "log-loss, thousandths",
    "ece": "calibration error, points",
    "undone_log_loss": "log-loss undone, thousandths",
    "undone_ece": "calibration error undone, points",
    "accuracy": "accuracy, points",
    "mode_error": "error of the most probable class, thousandths of a grade",
    "median_error": "error of the median class, thousandths of a grade",
    "ranked_score": "ranked probability score, thousandths",
}


def softmax(logits):
    p = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    return p / np.sum(p, axis=1, keepdims=True)


def brier(logits, targets):
    return np.sum((softmax(logits) - targets) ** 2, axis=1)


def squared_distance(logits, targets):
    """Squared earth mover's distance of ordered classes (Hou, Yu and Samaras 2016)."""
    gaps = anp.cumsum(softmax(logits) - targets, axis=1)  # autograd does not see np.cumsum
    return np.sum(gaps**2, axis=1)


BALANCED = {"class_weight": "balanced"}
PLAIN = "cross-entropy"
RARE = {
    PLAIN: {},
    "balanced": BALANCED,
    "focal, 1": {"loss": "focal", "focal_gamma": 1.0},
    "focal, 2": {"loss": "focal"},
    "focal, 2, balanced": {"loss": "focal", **BALANCED},
    "focal, 2, smoothed": {"loss": "focal", "label_smoothing": 0.05},
    "Brier": {"loss": brier},
}
ORDINAL = {PLAIN: {}, "squared distance": {"loss": squared_distance}, "Brier": {"loss": brier}}


def arms_of(changes):
    """Each change of the defaults, calibrated and not."""
    return {
        (name, calibrate): skbn_with({**change, "calibrate": calibrate})
        for name, change in changes.items()
        for calibrate in (True, False)
    }


def undone(probabilities, gamma, class_weights):
    """Class frequencies at which a weighted focal loss has these probabilities for minimiser.

    Where the sum of ``frequency * weight * f(p)`` is least, ``frequency * weight * -f'(p)`` is
    the same for all classes (Charoenphakdee et al. 2021, arXiv:2011.09172).
    """
    p = np.clip(probabilities, 1e-12, 1 - 1e-12)
    slopes = ((1 - p) - gamma * p * np.log(p)) * (1 - p) ** (gamma - 1) / p
    frequencies = 1 / (class_weights * slopes)
    return frequencies / frequencies.sum(axis=1, keepdims=True)


def inverted(probabilities, model, y):
    """What `undone` makes of a model's probabilities; proper losses need nothing undone."""
    gamma = model.focal_gamma if model.loss == "focal" else 0.0
    weights = np.ones(probabilities.shape[1])
    if model.class_weight == "balanced":
        weights = 1 / np.bincount(y)
    return undone(probabilities, gamma, weights)


def precision_of(y, probabilities):
    """Average precision of the second of two classes, or the mean over the classes."""
    if probabilities.shape[1] == 2:
        return average_precision_score(y, probabilities[:, 1])
    return average_precision_score(np.eye(probabilities.shape[1])[y], probabilities)


def rare_scores(model, probabilities, data):
    frequencies = inverted(probabilities, model, data.y)
    return {
        "average_precision": precision_of(data.y_test, probabilities),
        "log_loss": log_loss(data.y_test, probabilities),
        "ece": calibration_error(probabilities, data.y_test),
        "undone_log_loss": log_loss(data.y_test, frequencies),
        "undone_ece": calibration_error(frequencies, data.y_test),
    }


def ordinal_scores(model, probabilities, data):
    y, cumulated = data.y_test, probabilities.cumsum(axis=1)
    mode, median = probabilities.argmax(axis=1), (cumulated < 0.5).sum(axis=1)
    steps = np.arange(probabilities.shape[1]) >= y[:, None]
    return {
        "accuracy": np.mean(mode == y),
        "mode_error": np.abs(mode - y).mean(),
        "median_error": np.abs(median - y).mean(),
        "log_loss": log_loss(y, probabilities),
        "ranked_score": ((cumulated - steps) ** 2).sum(axis=1).mean(),
        "ece": calibration_error(probabilities, y),
    }


@cache
def labelled(load):
    """A set, its labels as integers; of two classes the rarer is the second."""
    X, y = load()
    y = LabelEncoder().fit_transform(y)
    return X, 1 - y if y.max() == 1 and y.mean() > 0.5 else y


def against_the_rest(load):
    """A set whose rarest class, the first of those, is to be told from all others."""
    X, y = labelled(load)
    return X, (y == np.bincount(y).argmin()).astype(int)


def graded(load):
    """A set whose labels are the places of the grades."""
    X, y = load()
    return X, y.map(GRADES.index).to_numpy()


def rare_tasks(folder):
    """Groups of tasks with a rare class, each a dict of tables by name."""
    as_they_come, alone = {}, {}
    for name, load in development_sets(folder).items():
        if name == "mnist":
            continue
        y = labelled(load)[1]
        rate, n_classes = np.bincount(y).min() / len(y), y.max() + 1
        if name in TABLES and rate * n_classes < 2 / 3:
            as_they_come[name] = labelled(load)
        if rate < 0.1:
            alone[name] = against_the_rest(load)
    return {"as they come": as_they_come, "against the rest": alone}


def run(group, tasks, arms, scores_of, n_splits, lines):
    """Scores of each arm on each split of each task, a line each."""
    keys = []
    for split in range(n_splits):
        for task, table in tasks.items():
            data = None
            for (name, calibrate), arm in arms.items():
                label = f"{name}, {calibrate}, {group}"
                key = (label, task, split, split, N_ROWS, arm.versions)
                keys.append((name, calibrate, key))
                if key not in lines.by_key:
                    data = data or Split(*table, split, N_ROWS)
                    model = arm.make(split).fit(data.ready[0], data.y)
                    scores = scores_of(model, model.predict_proba(data.ready[1]), data)
                    lines.add(key, dict.fromkeys(SCORES, np.nan) | scores)
            print(f"{group}: {task}, split {split}", flush=True)
    found = [lines.by_key[key] | {"arm": n, "calibrate": c} for n, c, key in keys]
    return pd.DataFrame(found).set_index(["calibrate", "arm", "set", "split"])


def compared(results, score, calibrate):
    """Cross-entropy's score and what others differ by, as text: sets, and all of them, by arms."""
    values = results.loc[calibrate, score] * (100 if SCORES[score].endswith("points") else 1000)
    base = values.loc[PLAIN]
    columns = {PLAIN: base.groupby("set", sort=False).mean().map("{:.2f}".format)}
    for name in values.index.unique("arm")[1:]:
        by_set = (values.loc[name] - base).groupby("set", sort=False)
        columns[name] = by_set.apply(interval, TEST_TO_TRAIN)
        if by_set.ngroups > 1:
            columns[name]["all sets"] = interval(by_set.mean())
    return pd.DataFrame(columns).reindex(columns[name].index).fillna("")


def print_scores(group, results, scores):
    """Print the differences of scores, calibrated and not."""
    for score in scores:
        for calibrate in (True, False):
            shown = compared(results, score, calibrate)
            print(f"\n{group}: {SCORES[score]}; calibrate={calibrate}\n{shown.to_string()}")


def print_probabilities(group, results):
    """Print log-loss and calibration error, means over sets, and what mends them."""
    means = results.groupby(["calibrate", "arm"], sort=False)[list(SCORES)].mean()
    columns = {}
    for title, calibrate, prefix in [
        ("calibrate=False", False, ""),
        ("undone", False, "undone_"),
        ("calibrate=True", True, ""),
    ]:
        found = means.loc[calibrate]
        columns[title, "log-loss"] = found[f"{prefix}log_loss"].map("{:.4f}".format)
        columns[title, "error, points"] = (100 * found[f"{prefix}ece"]).map("{:.2f}".format)
    print(f"\n{group}: what mends probabilities\n{pd.DataFrame(columns).to_string()}")


def print_median(results):
    """Print what the median class differs by from the most probable one."""
    for (calibrate, name), found in results.groupby(["calibrate", "arm"], sort=False):
        gain = interval(1000 * (found["median_error"] - found["mode_error"]), TEST_TO_TRAIN)
        print(f"median for most probable class, {name}, calibrate={calibrate}: {gain}")


def arguments():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the tables; fetched from OpenML without")
    parser.add_argument("--splits", type=int, default=5)
    parser.add_argument("--csv", help="file for the results of each fit")
    parser.add_argument("--resume", action="store_true", help="do only what the file lacks")
    return parser.parse_args()


def main():
    given = arguments()
    print(machine())
    lines = Lines(given.csv, given.resume)
    results = {
        group: run(group, tasks, arms_of(RARE), rare_scores, given.splits, lines)
        for group, tasks in rare_tasks(given.data).items()
    }
    for group, found in results.items():
        print_scores(group, found, ["average_precision", "log_loss", "ece"])
        print_probabilities(group, found)
    grades = {"diamonds_cut": graded(development_sets(given.data)["diamonds_cut"])}
    found = run("grades", grades, arms_of(ORDINAL), ordinal_scores, given.splits, lines)
    print_scores("grades", found, [score for score in SCORES if found[score].notna().all()])
    print_median(found)


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
