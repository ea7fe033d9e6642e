"""Peak resident memory of one fit on data larger than most.

    python benchmarks/memory.py [--folder FOLDER] [--array-gb 2] [--map-gb 8]

Two fits, each in a process of its own: on a C-contiguous float32 array, which it holds,
and on a read-only memory map of a file, which it does not. The file is written to
FOLDER (the current one by default), not to a file system in memory, and deleted.
"""

import argparse
import os
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter

import numpy as np
from _common import machine

FEATURES, CLASSES = 784, 10
CHUNK = 2**12


def fill(X):
    """Write normal features chunk by chunk."""
    stream = np.random.default_rng(0)
    for start in range(0, len(X), CHUNK):
        part = X[start : start + CHUNK]
        part[...] = stream.standard_normal(part.shape, dtype=np.float32)


def peak():
    """Highest resident memory of this process so far, in bytes."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmHWM"):
            return int(line.split()[1]) * 1024
    raise OSError("VmHWM is not there: this needs Linux")


def fit(path, gigabytes):
    """Fit once in this process and print the peak."""
    from skbn import BNSoftmaxClassifier

    rows = int(gigabytes * 2**30 / FEATURES / 4)
    if path:
        X = np.memmap(path, np.float32, "r", shape=(rows, FEATURES))
    else:
        X = np.empty((rows, FEATURES), np.float32)
        fill(X)
    y = np.arange(rows) % CLASSES
    before, started = peak(), perf_counter()
    model = BNSoftmaxClassifier((100,), batch_size=1024, max_iter=1, random_state=0).fit(X, y)
    seconds = perf_counter() - started
    fitted = peak()
    model.predict_proba(X)
    storage = "memory map" if path else "array"
    print(
        f"{storage} of {X.nbytes / 1e9:.2f} GB: peak {fitted / 1e9:.2f} GB "
        f"({before / 1e9:.2f} before fit), fit {seconds:.0f} s; "
        f"peak {peak() / 1e9:.2f} GB after predict_proba of it all",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=".")
    parser.add_argument("--array-gb", type=float, default=2)
    parser.add_argument("--map-gb", type=float, default=8)
    parser.add_argument("--fit", nargs=2, metavar=("PATH", "GB"), help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.fit:
        fit(arguments.fit[0], float(arguments.fit[1]))
        return
    print(machine(), flush=True)

    def apart(path, gigabytes):
        command = [sys.executable, __file__, "--fit", path, str(gigabytes)]
        subprocess.run(command, check=True)

    apart("", arguments.array_gb)
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path = os.path.join(folder, "X.bin")
        rows = int(arguments.map_gb * 2**30 / FEATURES / 4)
        fill(np.memmap(path, np.float32, "w+", shape=(rows, FEATURES)))
        apart(path, arguments.map_gb)


if __name__ == "__main__":
    main()
