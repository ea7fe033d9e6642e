"""Sessions that are killed at random moments, and what comes of them when they go on.

For ``test_session_kills.py`` and ``benchmarks/kill_sessions.py``; not for Windows.
"""

import json
import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import warnings
from collections import defaultdict
from contextlib import closing
from itertools import cycle, groupby, islice
from pathlib import Path
from time import perf_counter, sleep
from typing import NamedTuple

import numpy as np
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skbn.session.training as training
from skbn import BNSoftmaxClassifier, TrainingSession
from skbn.estimators.arrays import fitted_progress
from skbn.journal.values import digest_of
from skbn.session.journal import SessionJournal

CHECKOUT = Path(__file__).parents[2]
MEMBERS = BNSoftmaxClassifier((64, 64), batch_size=32, max_iter=40, random_state=0)
ONE = clone(MEMBERS).set_params(n_members=1, calibrate=False)
MODELS = {"one": ONE, "members": MEMBERS, "Pipeline": make_pipeline(StandardScaler(), ONE)}
EPOCH = "epoch"
PLAN = [  # what happens, event by event: an epoch, a change, or the epoch to go back to
    *[EPOCH] * 6,
    {"learning_rate_init": 0.1, "dropout": 0.2},
    *[EPOCH] * 5,
    4,
    {"learning_rate_init": 0.01, "batch_size": 64},
    *[EPOCH] * 8,
    {"learning_rate": "constant"},
    *[EPOCH] * 3,
    9,
    *[EPOCH] * 4,
]
STAGES = {  # what a process can end in
    "beginning": (TrainingSession, "__init__"),
    "commit": (SessionJournal, "commit"),
    "checkpoint": (SessionJournal, "keep"),
    "rewind": (training.Training, "rewind"),
    "end": (SessionJournal, "close"),
}
ANYWHERE = "anywhere"


class Trial(NamedTuple):
    """A session to kill, and when: in a call of a stage, after a fraction of its time."""

    model: str
    stage: str
    call: float  # from 0, the first, to 1
    moment: float


def trials(n, seed):
    """Trials of all models in all stages, at random moments."""
    draw = random.Random(seed)
    stages = [ANYWHERE, *STAGES]
    # After each turn of the stages they meet the next model.
    pairs = (
        (list(MODELS)[(i + i // len(stages)) % 3], stage) for i, stage in enumerate(cycle(stages))
    )
    return [Trial(*pair, draw.random(), draw.random()) for pair in islice(pairs, n)]


def tables():
    """Rows to train and to judge on."""
    stream = np.random.default_rng(0)
    X, y = stream.normal(size=(900, 20)), np.arange(900) % 3
    X[:, 0] += y
    return {"X": X[:600], "y": y[:600], "X_val": X[600:], "y_val": y[600:], "verbose": 0}


def session_of(model, journal):
    """Go on with a session, or begin it, where a process was killed before it did."""
    try:
        return TrainingSession.open(journal, **tables())
    except ValueError as error:
        if "does not exist" not in str(error) and "is empty" not in str(error):
            raise
    return TrainingSession(MODELS[model], journal=journal, checkpoints=5, **tables())


def outcome(model, journal):
    """Do what is left of the plan, and give digests of all that comes out, times apart."""
    with warnings.catch_warnings(), session_of(model, journal) as session:
        warnings.simplefilter("error")
        for what, events in groupby(PLAN[len(session.log_) :]):
            if what == EPOCH:
                session.train(len(list(events)))
            elif isinstance(what, dict):
                session.set_params(**what)
            else:
                session.rewind(what)
    fitted = session.estimator_
    classifier = fitted[-1] if model == "Pipeline" else fitted
    states = [numbers_of(each.state) for each in fitted_progress(classifier)]
    return {
        "log": session.log_.drop(columns=["time", "seconds"]).to_csv(),
        "states": digest_of(states, "the states"),
        "predictions": digest_of(fitted.predict_proba(tables()["X_val"]), "predictions"),
    }


def numbers_of(state):
    """Give all that decides how training goes on."""
    streams = [*state.shuffle_streams, *state.noise_streams]
    positions = [stream.bit_generator.state for stream in streams]
    return state.theta, state.vectors, state.sums, state.n_epochs, positions


def main(model, journal, stage, call, seconds):
    """Train in a process of its own, which says what is safe, and may end itself in a stage.

    At its end it prints the seconds of all calls of the stages.
    """
    training.MAX_SHARE_OF_KEEPING = 1.0  # many checkpoints
    taken = defaultdict(list)

    def watched(name, method):
        def watch(*args, **kwargs):
            started = perf_counter()
            if (name, len(taken[name])) == (stage, int(call)):
                # The system ends the process, wherever it is, as it does at SIGKILL.
                signal.setitimer(signal.ITIMER_REAL, max(1e-6, float(seconds)))
            result = method(*args, **kwargs)
            taken[name].append(perf_counter() - started)
            if name == "commit":
                print("safe", flush=True)
            return result

        return watch

    for name, (owner, method) in STAGES.items():
        setattr(owner, method, watched(name, getattr(owner, method)))
    print("begun", flush=True)
    started = perf_counter()
    outcome(model, journal)
    print(json.dumps({ANYWHERE: [perf_counter() - started], **taken}))


def started(*arguments):
    """Start `main` in a process of its own, with a pipe for what it prints."""
    paths = os.pathsep.join(map(str, [Path(__file__).parent, CHECKOUT]))
    script = "import session_kills, sys; session_kills.main(*sys.argv[1:])"
    process = subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env=os.environ | {"PYTHONPATH": paths},
    )
    assert process.stdout.readline() == "begun\n"
    return process


def timed(model, folder):
    """Give the outcome of a session that nobody kills, and the seconds of its stages."""
    with started(model, folder / f"timed {model}.sqlite", "", 0, 0) as process:
        taken = json.loads(process.stdout.readlines()[-1])
    return outcome(model, folder / f"whole {model}.sqlite"), taken


def killed(trial, journal, taken):
    """Kill a session.

    Returns
    -------
    signal_name : str
        By which the process ended; "whole" if it was done before.
    n_safe : int
        Events that it said were safe.
    """
    calls = taken[trial.stage]
    call = int(trial.call * len(calls))
    seconds = trial.moment * calls[call]
    with started(trial.model, journal, trial.stage, call, seconds) as process:
        if trial.stage == ANYWHERE:
            sleep(seconds)
            process.kill()
        lines = process.stdout.readlines()
    if process.returncode > 0:
        raise RuntimeError("".join(lines))
    code = -process.returncode
    return signal.Signals(code).name if code else "whole", lines.count("safe\n")


def found_in(journal):
    """Give what SQLite says of a file, as it was left, and the events in it."""
    copy = journal.with_name(f"copy of {journal.name}")
    for end in ("", "-wal"):
        if os.path.exists(f"{journal}{end}"):
            shutil.copy(f"{journal}{end}", f"{copy}{end}")
    with closing(sqlite3.connect(copy)) as db:
        ((state,),) = db.execute("PRAGMA integrity_check")
        if not db.execute("SELECT name FROM sqlite_master WHERE name = 'events'").fetchall():
            return state, 0
        ((n_events,),) = db.execute("SELECT count(*) FROM events")
    return state, n_events


def faults_of(trial, journal, n_safe, expected):
    """Go on with a session that was killed, and give what is wrong with it."""
    state, n_events = found_in(journal)
    faults = [] if state == "ok" else [f"integrity_check: {state}"]
    if not n_safe <= n_events <= n_safe + 1:
        faults.append(f"{n_events} events are there, {n_safe} were said to be safe")
    resumed = outcome(trial.model, journal)
    return faults + [f"another {name}" for name in expected if resumed[name] != expected[name]]
