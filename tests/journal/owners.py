"""A kind of journal for tests, and processes that own one: ``python owners.py PATH WAY``."""

import os
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from pathlib import Path

from skbn.journal.database import Database, Kind
from skbn.journal.fingerprints import Fingerprint

TABLES = """
CREATE TABLE epochs (epoch INTEGER PRIMARY KEY, loss REAL, weights BLOB, checksum TEXT NOT NULL);
"""
KIND = Kind(
    format="skbn training session journal 3",
    tables=TABLES,
    noun="training session",
    parts="epochs",
    go_on="open it again",
    advice=lambda found: f"Open it with the same {' and '.join(found)}",
    further=("seed",),
)
IDENTITY = {
    "data": Fingerprint("a", "", {"X": Fingerprint("b", "X of 3 rows")}),
    "estimator": Fingerprint("c", "model"),
}
ROWS = [(1, 0.5, b"\0\xff"), (2, float("nan"), b""), (3, -0.0, None)]


def write(database, rows=ROWS):
    with database.transaction():
        database.add("epochs", rows, b"")


def own(path, way):
    """Own a journal, write to it, and wait."""
    database = Database(path, KIND, IDENTITY)
    write(database, ROWS[:1])
    if way == "a child that ends":
        if not os.fork():
            sys.exit()
        os.wait()
    write(database, ROWS[1:])
    if way == "a child that lives" and os.fork():
        os.wait()
    print("ready", flush=True)
    time.sleep(60)


@contextmanager
def owner(path, way):
    """Another process that owns a journal, and ends here at the latest."""
    with subprocess.Popen(
        [sys.executable, __file__, str(path), way],
        stdout=subprocess.PIPE,
        env=os.environ | {"PYTHONPATH": str(Path(__file__).parents[2])},
        start_new_session=True,
    ) as process:
        try:
            assert process.stdout.readline() == b"ready\n"
            yield process
        finally:
            with suppress(ProcessLookupError):
                os.killpg(process.pid, 9)


if __name__ == "__main__":
    own(*sys.argv[1:])
