"""What a TrainingSession with a journal costs beyond a fit, in time and on disk.

    python benchmarks/session.py [--only time,size,open] [--rounds 15]

time    a session with a journal, from its beginning to its end and with its estimator, against
        a fit of the same epochs: process time with one BLAS thread, the two alternating, for one
        network and for the default members, sizes C and F of speed.py
size    bytes of a journal after some epochs of F and of C, and its checkpoints
open    seconds to open a journal of C after 20 epochs, and to rewind it to epoch 10, which has a
        checkpoint, and to epoch 5, which has none: five epochs are trained again

Printed are medians; of time, that of the ratios of the rounds, the ratio of the best times in
brackets, and the median of the milliseconds more, an epoch.
"""

import argparse
import itertools
import shutil
import tempfile
import warnings
from pathlib import Path
from statistics import median
from time import perf_counter

import numpy as np
from _common import ONE, SIZES, machine
from sklearn.exceptions import ConvergenceWarning
from speed import alternate
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier, TrainingSession

ARMS = {"one network": ONE, "default members": {}}


def network(size, **options):
    shape = {"batch_size": size.batch, "max_iter": size.epochs, "random_state": 0}
    return BNSoftmaxClassifier(size.hidden, **(shape | options))


def measure_time(folder, rounds):
    numbers = itertools.count()
    for name, arm in itertools.product("CF", ARMS):
        size = SIZES[name]
        X, y = size.data()
        model = network(size, **ARMS[arm])

        def session(size=size, X=X, y=y, model=model):
            journal = folder / f"{next(numbers)}.sqlite"
            with TrainingSession(model, X, y, journal=journal, verbose=0) as session:
                session.train(size.epochs)
            return session.estimator_

        def fit(X=X, y=y, model=model):
            return model.fit(X, y)

        seconds = alternate({"fit": fit, "session": session}, rounds)
        fits, sessions = np.array(seconds["fit"]), np.array(seconds["session"])
        print(
            f"{name}, {arm}: {np.median(sessions / fits):.3f} ({sessions.min() / fits.min():.3f}) "
            f"of a fit of {np.median(fits):.3f} s, "
            f"{1e3 * np.median(sessions - fits) / size.epochs:.2f} ms an epoch more",
            flush=True,
        )


def trained(name, options, journal, epochs):
    """Train until each of some epochs, after which the journal is closed."""
    size = SIZES[name]
    X, y = size.data()
    model = network(size, **(options | {"max_iter": epochs[-1]}))
    for n in epochs:
        with TrainingSession(model, X, y, journal=journal, verbose=0) as session:
            session.train(until=n)
        yield n


def measure_size(folder):
    for (name, epochs), (arm, options) in itertools.product(
        {"F": (10, 100, 1000), "C": (3, 20)}.items(), ARMS.items()
    ):
        journal = folder / f"size {name} {arm}.sqlite"
        for n in trained(name, options, journal, epochs):
            print(f"{name}, {arm}: {journal.stat().st_size:,} bytes after {n} epochs", flush=True)


def measure_open(folder, rounds):
    X, y = SIZES["C"].data()
    for arm, options in ARMS.items():
        journal, copy = folder / f"open {arm}.sqlite", folder / f"open {arm} copy.sqlite"
        list(trained("C", options, journal, (10, 20)))
        found = {what: [] for what in ("open", "rewind to epoch 10", "rewind to epoch 5")}
        for _ in range(rounds):
            shutil.copy(journal, copy)
            times = [perf_counter()]
            with TrainingSession.open(copy, X, y, verbose=0) as session:
                times.append(perf_counter())
                for epoch in (10, 5):
                    session.rewind(epoch)
                    times.append(perf_counter())
            for seconds, (start, end) in zip(
                found.values(), itertools.pairwise(times), strict=True
            ):
                seconds.append(end - start)
        for what, seconds in found.items():
            print(f"C, {arm}: {median(seconds):.3f} s to {what}", flush=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="time,size,open")
    parser.add_argument("--rounds", type=int, default=15)
    arguments = parser.parse_args()
    print(machine())
    chosen = arguments.only.split(",")
    with tempfile.TemporaryDirectory() as name, threadpool_limits(1):
        if "time" in chosen:
            measure_time(Path(name), arguments.rounds)
        if "size" in chosen:
            measure_size(Path(name))
        if "open" in chosen:
            measure_open(Path(name), arguments.rounds)


if __name__ == "__main__":
    # A given number of epochs is what is timed, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    main()
