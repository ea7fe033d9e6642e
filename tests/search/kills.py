"""Searches that are killed at random moments, and what comes of them when they go on.

For ``test_kills.py`` and ``benchmarks/kill_searches.py``; Linux only.
"""

import hashlib
import os
import random
import re
import signal
import subprocess
import sys
import warnings
from itertools import cycle, islice
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

import joblib
import numpy as np
from scipy.stats import loguniform
from sklearn.ensemble import GradientBoostingClassifier
from sklearn.neural_network import MLPClassifier

from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV

SECONDS_TO_START = 2.0
"""What workers take to start, about: moments are drawn from the whole time of a search."""
CHECKOUT = Path(__file__).parents[2]
NETWORK = BNSoftmaxClassifier((8,), batch_size=32, max_iter=9, random_state=0)
RATES = {"learning_rate_init": loguniform(1e-3, 0.1)}
TREES = GradientBoostingClassifier(n_estimators=5, random_state=0)
KINDS = {  # estimator, space, columns of the data, options
    "populations": (NETWORK, RATES, 300, {}),  # 1.4 MB, which joblib hands over as a memory map
    "rungs": (NETWORK, RATES, 4, {"resource": "epochs", "memory_budget": 1.0}),
    "trees": (TREES, {"learning_rate": loguniform(0.01, 1)}, 4, {}),
}
WAYS = [  # processes, who is killed, and by which signal
    *((1, "parent", name) for name in ("SIGKILL", "SIGTERM", "SIGINT")),
    *((2, "parent", name) for name in ("SIGKILL", "SIGTERM", "SIGINT")),
    *((2, "worker", name) for name in ("SIGKILL", "SIGTERM", "SIGINT")),
]


class Trial(NamedTuple):
    """A search to kill, and when: a fraction of its time."""

    kind: str
    n_jobs: int
    victim: str
    signal: str
    moment: float


def trials(n, seed):
    """Trials in all ways and of all kinds, at random moments."""
    draw = random.Random(seed)
    kinds = draw.sample(list(KINDS), len(KINDS))
    ways = draw.sample(WAYS, len(WAYS))
    # After each turn of the ways they meet the next kind.
    pairs = (((kinds * 2)[(i + i // len(ways)) % 3], way) for i, way in enumerate(cycle(ways)))
    return [Trial(kind, *way, draw.random()) for kind, way in islice(pairs, n)]


def outcome(kind, n_jobs=1, journal=None):
    """Search, and give digests of all that is found, times apart."""
    estimator, space, n_columns, options = KINDS[kind]
    stream = np.random.default_rng(0)
    X, y = stream.normal(size=(600, n_columns)), np.arange(600) % 3
    options = {"n_candidates": 12, "cv": 3, "n_jobs": n_jobs, "journal": journal} | options
    search = CoarseToFineSearchCV(estimator, space, random_state=0, **options)
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", "the best .* lies at an end")
        search.fit(X, y)
    columns = {
        name: np.ma.getdata(column).tobytes() if column.dtype != object else column.tolist()
        for name, column in search.cv_results_.items()
        if "time" not in name and name != "params"
    }
    predicted = search.predict_proba(X).tobytes()
    return {
        "results": hashlib.sha256(repr(columns).encode()).hexdigest(),
        "params": repr(search.cv_results_["params"]),
        "best": repr(search.best_params_),
        "predictions": hashlib.sha256(predicted).hexdigest(),
    }


def timed(kind):
    """Give the outcome of a search that nobody kills, and the seconds that it takes."""
    started = perf_counter()
    expected = outcome(kind)
    return expected, perf_counter() - started


def main(kind, n_jobs, journal):
    """Search in a process of its own, which says when it begins."""
    # Shells without job control, and what they start, ignore Ctrl-C.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    print("begun", flush=True)
    outcome(kind, int(n_jobs), journal)


def endless(backend):
    """Begin fits in two workers that never end, and print a line for each epoch."""
    network = MLPClassifier(max_iter=10**6, tol=0, n_iter_no_change=10**6, verbose=True)
    X, y = np.random.default_rng(0).normal(size=(600, 300)), np.arange(600) % 3
    with joblib.parallel_config(backend, n_jobs=2):
        CoarseToFineSearchCV(network, {"alpha": loguniform(1e-5, 1)}).fit(X, y)


def started(call, *arguments):
    """Start a function of this file in a process of its own, with pipes for what it prints."""
    paths = os.pathsep.join(map(str, [Path(__file__).parent, CHECKOUT]))
    return subprocess.Popen(
        [sys.executable, "-c", f"import kills, sys; kills.{call}(*sys.argv[1:])", *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=os.environ | {"PYTHONPATH": paths, "PYTHONUNBUFFERED": "1"},
    )


def ended(process):
    """Wait for a process and its workers: what it printed, and its files in shared memory."""
    # The pipes are closed when workers and trackers of resources have ended too.
    _, errors = process.communicate(timeout=60)
    pid = process.pid
    left = [n for n in os.listdir("/dev/shm") if f"_{pid}_" in n or f"-{pid}-" in n]
    return errors, left


def killed(trial, journal, seconds):
    """Kill a search that would take so many seconds; how it ended, and what it left behind.

    Returns
    -------
    how : str
        "whole", "published" (what was found before Ctrl-C), a signal, or the last error.
    left : list of str
        Its files in shared memory, after all of its processes ended.
    """
    with started("main", trial.kind, str(trial.n_jobs), str(journal)) as process:
        process.stdout.readline()
        sleep(trial.moment * (seconds + SECONDS_TO_START * (trial.n_jobs - 1)))
        pids = [process.pid]
        while trial.victim == "worker" and process.poll() is None:
            if pids := workers_of(process.pid):
                break
            sleep(0.01)
        if pids and process.poll() is None:
            os.kill(random.Random(trial.moment).choice(pids), signal.Signals[trial.signal])
        errors, left = ended(process)
    return _how(process.returncode, errors), left


def workers_of(pid):
    """Processes that joblib has started for another one."""
    found = []
    try:
        for thread in Path(f"/proc/{pid}/task").iterdir():
            found += (thread / "children").read_text().split()
        return [int(each) for each in found if b"popen_loky" in _command(each)]
    except OSError:  # one of them has ended
        return []


def _command(pid):
    return Path(f"/proc/{pid}/cmdline").read_bytes()


def _how(code, errors):
    if code < 0:
        return signal.Signals(-code).name
    if code == 0:
        return "published" if "Ctrl-C" in errors else "whole"
    return re.findall(r"^[\w.]*?(\w+)(?:: .*)?$", errors, re.MULTILINE)[-1]
