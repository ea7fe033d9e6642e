"""Whether one checkout takes as long as another.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python benchmarks/same_speed.py BASE HEAD
        [--only SUBSTRING] [--rounds 9] [--starts 3] [--self]

BASE and HEAD are folders that hold ``skbn/``. One process in each, with one BLAS thread, is
asked in turn to run an arm, and answers with its process CPU time. Printed are medians, and
the ratio of HEAD to BASE: the median of the rounds' ratios, with a 95 % bootstrap interval.
The status is 1 if an arm is slower by more than 3 %, its whole interval included.

Where in memory a process has its arrays changes its times by 2 % for as long as it lives:
both are started anew after a part of the rounds. ``--self`` takes BASE for both: what the
noise alone does. The two variables of OpenBLAS may slow NumPy down and should be unset. Arms
are fits as in ``speed.py``, `fit_population` with 16 networks, searches as in
``search_speed.py``, and small calls. A run takes four minutes.
"""

import argparse
import gc
import os
import sys
import warnings
from functools import partial
from time import process_time

import _checkouts
import numpy as np
from _common import ONE, SIZES, machine, shipped
from scipy.stats import loguniform
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

# skbn is imported in functions: the process that compares has none, and needs none.

TOLERANCE = 0.03
AT_LEAST = 0.25  # seconds, about, for which an arm is repeated: less is too noisy


def network(size, **options):
    """One network, not calibrated and without a penalty."""
    from skbn import BNSoftmaxClassifier

    shape = {"hidden_layer_sizes": size.hidden, "batch_size": size.batch, "max_iter": size.epochs}
    return BNSoftmaxClassifier(**(ONE | shape | {"alpha": 0.0, "random_state": 0} | options))


# The arms: each prepares what it needs, and gives what is to be timed.


def fit(size):
    X, y = SIZES[size].data()
    return partial(network(SIZES[size]).fit, X, y)


def smallest_fit(n_epochs):
    """What a fit, and an epoch, cost beside their computing."""
    X, y = (array[:16] for array in SIZES["A"].data())
    return partial(network(SIZES["A"], hidden_layer_sizes=(2,), max_iter=n_epochs).fit, X, y)


def default():
    from skbn import BNSoftmaxClassifier

    X, y = shipped()["digits"]
    X = StandardScaler().fit_transform(X)
    return partial(BNSoftmaxClassifier(random_state=0).fit, X, y)


def partial_fit():
    X, y = (array[:200] for array in SIZES["A"].data())
    classes = np.arange(SIZES["A"].classes)

    def run():
        model = network(SIZES["A"])
        for _ in range(50):
            model.partial_fit(X, y, classes=classes)

    return run


def predict_proba(n_rows):
    X, y = SIZES["A"].data()
    return partial(network(SIZES["A"]).fit(X, y).predict_proba, X[:n_rows])


def population(size):
    from skbn import fit_population

    rates = np.geomspace(1e-4, 1e-2, 16)
    X, y = SIZES[size].data()
    networks = [
        network(SIZES[size], learning_rate_init=r, random_state=i) for i, r in enumerate(rates)
    ]
    return partial(fit_population, networks, X, y)


def search(data, units, batches, n_candidates, **options):
    from skbn import BNSoftmaxClassifier
    from skbn.search import CoarseToFineSearchCV, hidden_layers

    space = {
        "learning_rate_init": loguniform(1e-4, 1),
        "hidden_layer_sizes": hidden_layers(1, units),
        "batch_size": batches,
    }
    space = {f"bnsoftmaxclassifier__{name}": values for name, values in space.items()}
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(**ONE, random_state=0))
    options |= {"n_candidates": n_candidates, "n_rounds": 1, "cv": 5, "random_state": 0}
    found = CoarseToFineSearchCV(model, space, n_jobs=1, **options)
    return partial(found.fit, *shipped()[data])


SMALL = partial(search, units=[16, 32, 64], batches=[16, 32, 64], n_candidates=60)
DIGITS = partial(search, "digits", units=[32, 64, 128, 256], batches=[32, 64, 128, 256])
ARMS = {
    **{f"fit {size}": partial(fit, size) for size in SIZES},
    **{f"smallest fit, {n} epochs": partial(smallest_fit, n) for n in (1, 101)},
    "default": default,
    "partial_fit": partial_fit,
    "predict_proba, 1 row": partial(predict_proba, 1),
    "predict_proba, 1,000 rows": partial(predict_proba, 1000),
    **{f"population {size}": partial(population, size) for size in "AF"},
    "search iris": partial(SMALL, "iris"),
    "search wine": partial(SMALL, "wine"),
    "search digits": partial(DIGITS, n_candidates=8),
    "search digits, epochs": partial(DIGITS, n_candidates=16, resource="epochs"),
}


# Measuring.


def work(checkout):
    """Answer each number of repetitions and name of an arm with the seconds of one of them."""
    answers, prepared, run = _checkouts.enter(checkout), None, None
    warnings.simplefilter("ignore")
    for line in sys.stdin:
        times, name = line.strip().split(maxsplit=1)
        if name != prepared:
            prepared, run = name, ARMS[name]()
            run()
        gc.collect()
        started = process_time()
        for _ in range(int(times)):
            run()
        print((process_time() - started) / int(times), file=answers, flush=True)


def ask(process, name, times=1):
    """Have a process run an arm some times, and give the seconds of one."""
    print(times, name, file=process.stdin, flush=True)
    answer = process.stdout.readline()
    if not answer:
        sys.exit(f"a process ended with status {process.wait()} at {name}")
    return float(answer)


def measure(processes, name, n_rounds):
    """Seconds (rounds, 2) of an arm, the process that comes first changing from round to round."""
    times = max(1, round(AT_LEAST / max(ask(process, name) for process in processes)))
    seconds = np.empty((n_rounds, 2))
    for number in range(n_rounds):
        for which in (0, 1) if number % 2 == 0 else (1, 0):
            seconds[number, which] = ask(processes[which], name, times)
    return seconds


def measure_all(checkouts, names, n_rounds, n_starts):
    """Seconds of each arm, the rounds shared out among pairs of processes."""
    seconds = {name: [] for name in names}
    for some in np.array_split(np.arange(n_rounds), n_starts):
        processes = [_checkouts.start(__file__, checkout) for checkout in checkouts]
        for name in names:
            seconds[name].append(measure(processes, name, len(some)))
        for process in processes:
            process.stdin.close()
            process.wait()
    return {name: np.concatenate(parts) for name, parts in seconds.items()}


def verdict(ratio, low, high):
    """In words, whether a ratio is one within the tolerance, as far as can be told."""
    if abs(ratio - 1) <= TOLERANCE:
        return f"within {TOLERANCE:.0%}"
    if low <= 1 + TOLERANCE and high >= 1 - TOLERANCE:
        return f"its interval reaches {TOLERANCE:.0%}"
    return "SLOWER" if ratio > 1 else "faster"


def report(name, seconds):
    """Print a line on an arm, and give its verdict."""
    ratios = seconds[:, 1] / seconds[:, 0]
    drawn = np.random.default_rng(0).choice(ratios, (10_000, len(ratios)))
    low, high = np.quantile(np.median(drawn, axis=1), [0.025, 0.975])
    ratio = np.median(ratios)
    words = verdict(ratio, low, high)
    base, head = 1000 * np.median(seconds, axis=0)
    print(f"{name:26s}{base:10.3f}{head:10.3f}   {ratio:.3f} [{low:.3f}, {high:.3f}]  {words}")
    return words


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("base", nargs="?", type=_checkouts.folder, metavar="BASE")
    parser.add_argument("head", nargs="?", type=_checkouts.folder, metavar="HEAD")
    parser.add_argument("--only", default="", help="arms with this in their names")
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--starts", type=int, default=3, help="pairs of processes, in turn")
    parser.add_argument("--self", action="store_true", help="BASE against itself")
    parser.add_argument("--worker", type=_checkouts.folder, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker)
    checkouts = [arguments.base, arguments.base if arguments.self else arguments.head]
    if None in checkouts:
        parser.error("give two checkouts, BASE and HEAD, or BASE and --self")
    print(machine())
    if any(name in os.environ for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")):
        print("OPENBLAS_CORETYPE or OPENBLAS_L2_SIZE is set and may slow NumPy down: unset them")
    print(f"{'milliseconds':26s}{'BASE':>10s}{'HEAD':>10s}   HEAD / BASE")
    names = [name for name in ARMS if arguments.only in name]
    seconds = measure_all(checkouts, names, arguments.rounds, arguments.starts)
    verdicts = [report(name, seconds[name]) for name in names]
    return int("SLOWER" in verdicts)


if __name__ == "__main__":
    sys.exit(main())
