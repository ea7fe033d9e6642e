"""Training sessions killed at random moments, opened again, and compared bit for bit.

    python benchmarks/kill_sessions.py [--trials 30] [--seed 0]

The sessions have three changes and two rewinds, and checkpoints about every other epoch. They
are killed anywhere, or within a stage: while the session and its journal are made, within a
commit, a checkpoint, a rewind or the closing of the journal. A line for each stage says how
often the process was killed; after how many events, of all; how often SQLite found the file
whole and all events that were said to be safe in it, with at most one more; and how often the
log, the networks with their optimisers and random streams, and the predictions of the session
that went on were those of one that nobody killed. Not for Windows.
"""

import argparse
import sys
import tempfile
from collections import Counter, defaultdict
from pathlib import Path
from time import perf_counter

from _common import machine

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "session"))
from session_kills import MODELS, PLAN, faults_of, killed, timed, trials


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--trials", type=int, default=30)
    parser.add_argument("--seed", type=int, default=0)
    arguments = parser.parse_args()
    print(machine(), flush=True)
    started = perf_counter()
    found = defaultdict(list)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        whole = {model: timed(model, folder) for model in MODELS}
        for number, trial in enumerate(trials(arguments.trials, arguments.seed)):
            journal = folder / f"{number}.sqlite"
            expected, taken = whole[trial.model]
            how, n_safe = killed(trial, journal, taken)
            faults = faults_of(trial, journal, n_safe, expected)
            if faults:
                print(f"WRONG: {trial}: {'; '.join(faults)}", flush=True)
            found[trial.stage].append((how, n_safe, not faults))
    for stage, rows in found.items():
        ends, events, right = zip(*rows, strict=True)
        text = ", ".join(f"{n} {how}" for how, n in Counter(ends).most_common())
        print(
            f"{stage}: {len(rows)} killed ({text}) after {', '.join(map(str, sorted(events)))} "
            f"of {len(PLAN)} events; {sum(right)} the same"
        )
    print(f"{arguments.trials} trials in {perf_counter() - started:.0f} s")


if __name__ == "__main__":
    main()
