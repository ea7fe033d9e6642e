"""The panda: a network for letter that is watched day by day, changed and taken back.

    python benchmarks/watched_run.py [--data /path/to/tables] [--log docs/watched_run.csv]

The story that the page "Watching a run" of the documentation tells: a constant learning rate
on the first day, a higher one on the second, which turns out too much, and on the third the
first day's network with a lower one, until the validation loss falls no more. Printed are the
epochs around each decision; what came of each day, and of plain fits, on test rows; and whether
a replay gives the same bits. ``--log`` writes the log of the session as a table.
"""

import argparse
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from _common import machine, table
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, TrainingSession

COLUMNS = ["epoch", "branch", "event", "loss", "validation_loss", "learning_rate_init"]


def network(**options):
    return make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0, **options))


def parts(X, y):
    """Rows to train on, to judge on and to test on."""
    X, X_test, y, y_test = train_test_split(X, y, test_size=4000, stratify=y, random_state=0)
    X, X_val, y, y_val = train_test_split(X, y, test_size=4000, stratify=y, random_state=0)
    return X, y, X_val, y_val, X_test, y_test


def days(journal, X, y, X_val, y_val):
    """The session after each day, every one of which opens the journal again."""
    data = {"X": X, "y": y, "X_val": X_val, "y_val": y_val, "verbose": 0}
    model = network(learning_rate="constant")
    with TrainingSession(model, journal=journal, **data) as session:
        yield session.train(20)
    with TrainingSession.open(journal, **data) as session:
        yield session.set_params(learning_rate_init=0.01).train(10)
    with TrainingSession.open(journal, **data) as session:
        session.rewind(20).set_params(learning_rate_init=0.001)
        yield session.train(until=100, patience=10)


def report(name, model, X_test, y_test, seconds):
    accuracy, loss = model.score(X_test, y_test), log_loss(y_test, model.predict_proba(X_test))
    print(f"{name:62s} accuracy {accuracy:.2%}, log-loss {loss:.4f}, {seconds:.0f} s", flush=True)


def fit(X, y, X_val, y_val, **options):
    """A plain fit, with the validation rows scaled as a session does."""
    scaler, classifier = (step for _, step in network(**options).steps)
    model = make_pipeline(scaler.fit(X), classifier)
    classifier.fit(scaler.transform(X), y, X_val=scaler.transform(X_val), y_val=y_val)
    return model


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder with the tables; OpenML without it")
    parser.add_argument("--log", help="file to write the log to, as CSV")
    arguments = parser.parse_args()
    print(machine())
    X, y = table(arguments.data, "letter")
    *data, X_test, y_test = parts(X.to_numpy(np.float32), y)
    with tempfile.TemporaryDirectory() as folder:
        journal = Path(folder) / "run.sqlite"
        started = perf_counter()
        for number, session in enumerate(days(journal, *data), 1):
            seconds, started = perf_counter() - started, perf_counter()
            name = f"day {number}, epoch {session.epoch_} of branch {session.branch_}"
            report(name, session.estimator_, X_test, y_test, seconds)
            started = perf_counter()
        print(f"the journal: {journal.stat().st_size:,} bytes")
        X, y, X_val, y_val = data
        again = TrainingSession.replay(journal, X, y, X_val=X_val, y_val=y_val, verbose=0)
        probabilities = (each.estimator_.predict_proba(X_test) for each in (session, again))
        print(f"replayed to the same bits: {np.array_equal(*probabilities)}")
    log = session.log_
    is_shown = (log["event"] != "epoch") | log["event"].shift(-1).ne("epoch")
    is_shown |= log["event"].shift().ne("epoch") | (log["epoch"] == log["epoch"].max() - 10)
    print(log.loc[is_shown, COLUMNS].to_string(index=False, na_rep=""))
    as_long = {"max_iter": session.epoch_}
    for options in ({"learning_rate": "constant"} | as_long, {}, as_long):
        started = perf_counter()
        model = fit(*data, **options)
        seconds = perf_counter() - started
        text = ", ".join(f"{name}={value!r}" for name, value in options.items()) or "defaults"
        name = f"fit with {text}: {model[-1].n_iter_} epochs"
        report(name, model, X_test, y_test, seconds)
    if arguments.log:
        log.to_csv(arguments.log, index=False, float_format="%.6g")


if __name__ == "__main__":
    main()
