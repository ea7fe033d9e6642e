"""What CoarseToFineSearchCV costs beyond its fits, on digits, journal included.

    python benchmarks/search_overhead.py [--rounds 5] [--jobs 1]

The other arm is scikit-learn's own loop over the very same candidates (GridSearchCV with a
dict for each; RandomizedSearchCV runs the same loop). The two alternate; printed are the
medians of wall and process time and of their ratios. Process time counts this process
only, which with one job does all the work.
"""

import argparse
import tempfile
import warnings
from pathlib import Path
from time import perf_counter, process_time

import numpy as np
from _common import ONE, machine, shipped
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, default_space


def seconds(search, X, y):
    """Wall and process seconds of a search."""
    wall, process = perf_counter(), process_time()
    search.fit(X, y)
    return perf_counter() - wall, process_time() - process


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--jobs", type=int, default=1)
    arguments = parser.parse_args()
    print(machine())
    X, y = shipped()["digits"]
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(**ONE, random_state=0))
    options = {"cv": 5, "scoring": "neg_log_loss", "n_jobs": arguments.jobs}
    times = []
    for seed in range(arguments.rounds):
        with tempfile.TemporaryDirectory() as folder:
            ours = CoarseToFineSearchCV(
                model,
                default_space(model),
                journal=Path(folder) / "journal.sqlite",
                random_state=seed,
                **options,
            )
            mine = seconds(ours, X, y)
        candidates = [
            {name: [value] for name, value in params.items()}
            for params in ours.cv_results_["params"]
        ]
        times.append((mine, seconds(GridSearchCV(model, candidates, **options), X, y)))
        (wall, process), (other_wall, other_process) = times[-1]
        print(
            f"seed {seed}: {wall:.1f} s against {other_wall:.1f} s ({wall / other_wall - 1:+.1%}), "
            f"process time {process:.1f} s against {other_process:.1f} s "
            f"({process / other_process - 1:+.1%})",
            flush=True,
        )
    ratios = np.median([np.divide(*pair) for pair in times], axis=0)
    print(f"overhead, median: {ratios[0] - 1:+.1%} wall, {ratios[1] - 1:+.1%} process time")


if __name__ == "__main__":
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
