"""How far searches go beyond ``time_budget``, the refit included.

    python benchmarks/time_budget.py [--budgets 1 3 10] [--jobs 1 2]

Printed are the seconds of `fit` beyond the budget, and those of the longest fit of one
candidate, that to all rows included. The rule: no more than the latter and two seconds,
where a candidate was complete in time. Each search runs in a process of its own, so that
the time that workers take to start counts.
"""

import argparse
import subprocess
import sys
import warnings
from time import perf_counter, sleep

from _common import machine, shipped
from scipy.stats import loguniform
from sklearn.dummy import DummyClassifier
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, default_space


class Sleeper(DummyClassifier):
    """Takes a second."""

    def fit(self, X, y, sample_weight=None):
        sleep(1)
        return super().fit(X, y, sample_weight)


NETWORK = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0))
SPACE = default_space("bnsoftmaxclassifier__")
KINDS = {
    "populations": (NETWORK, SPACE, {}),
    "rungs": (NETWORK, SPACE, {"resource": "epochs"}),
    "MLPClassifier": (MLPClassifier((50,), max_iter=30), {"alpha": loguniform(1e-5, 1)}, {}),
    "a fit of 1 s": (Sleeper(), {"random_state": list(range(10**4))}, {}),
}


def search(kind, budget, jobs):
    """Search once, and print a line."""
    X, y = shipped()["digits"]
    estimator, space, options = KINDS[kind]
    options = options | {"n_candidates": 500, "time_budget": budget, "n_jobs": jobs}
    made = CoarseToFineSearchCV(estimator, space, random_state=0, **options)
    started = perf_counter()
    made.fit(X, y)
    overrun = perf_counter() - started - budget
    results = made.cv_results_
    longest = max(made.refit_time_, results["mean_fit_time"].max())
    print(
        f"{kind:14} {budget:5.0f} s, {jobs} jobs: {overrun:+6.2f} s, longest fit {longest:5.2f} s, "
        f"{len(results['params']):4d} candidates",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--budgets", type=float, nargs="+", default=[1, 3, 10])
    parser.add_argument("--jobs", type=int, nargs="+", default=[1, 2])
    parser.add_argument("--search", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.search:
        kind, budget, jobs = arguments.search
        search(kind, float(budget), int(jobs))
        return
    print(machine(), flush=True)
    for kind in KINDS:
        for jobs in arguments.jobs:
            for budget in arguments.budgets:
                command = [sys.executable, __file__, "--search", kind, str(budget), str(jobs)]
                subprocess.run(command, check=True)


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
