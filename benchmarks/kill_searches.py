"""Searches killed at random moments, resumed, and compared byte for byte.

    python benchmarks/kill_searches.py [--trials 100] [--seed 0]

Killed are the process of the search or one of its workers, by SIGKILL, SIGTERM or SIGINT,
with one process and two, for populations, for rungs and for another estimator. A line for
each kind of kill says how often the search ended whole, was ended, or gave what it had
found (after Ctrl-C); how many files it left in shared memory; and how often the results,
parameters and predictions of the resumed search were those of one that nobody killed.
Linux only.
"""

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from time import perf_counter

from _common import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "search"))
from kills import KINDS, killed, outcome, timed, trials


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=100)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(machine(), flush=True)
    started = perf_counter()
    whole = {kind: timed(kind) for kind in KINDS}
    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as folder:
        for number, trial in enumerate(trials(arguments.trials, arguments.seed)):
            journal = Path(folder) / f"{number}.sqlite"
            expected, seconds = whole[trial.kind]
            how, left = killed(trial, journal, seconds)
            is_same = outcome(trial.kind, trial.n_jobs, journal) == expected
            if not is_same or left:
                print(f"WRONG: {trial}: {how}, left {left}, the same: {is_same}", flush=True)
            found[trial.n_jobs, trial.victim, trial.signal].append((how, len(left), is_same))
    for (n_jobs, victim, name), rows in sorted(found.items()):
        ends, n_left, same = zip(*rows, strict=True)
        text = ", ".join(f"{n} {how}" for how, n in Counter(ends).most_common())
        print(
            f"{n_jobs} processes, {name} to the {victim}: {len(rows)} killed ({text}); "
            f"{sum(n_left)} files left; {sum(same)} the same"
        )
    print(f"{arguments.trials} trials in {perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
