"""Peak memory of scoring Parquet files by ``examples/score_parquet.py``.

    python benchmarks/parquet.py [--folder FOLDER] [--gb 0.2 2]

The files have 30 columns of numbers and one of text, with missing cells in both, in row groups of
2**20 rows, which is what pandas writes. They are written to FOLDER (the current one by default),
not to a file system in memory, and deleted. A Pipeline that is fitted to a part of the rows
scores each file in a process of its own.
"""

import argparse
import os
import runpy
import subprocess
import sys
import tempfile
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
from _common import machine
from memory import peak
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from skops.io import dump

from skbn import BNSoftmaxClassifier

SCRIPT = Path(__file__).parents[1] / "examples" / "score_parquet.py"
FEATURES, GROUP = 30, 2**20


def table(stream, n_rows):
    """Rows, and labels that depend on them."""
    X = stream.standard_normal((n_rows, FEATURES))
    y = np.array(["no", "yes"])[(X[:, 0] > 0).astype(int)]
    frame = pd.DataFrame(X).rename(columns="x{}".format)
    frame["text"] = stream.choice(["red", "green", "blue", None], n_rows)
    return frame.mask(stream.random(frame.shape) < 0.01), y


def pipeline():
    """A Pipeline for the table's columns, not fitted."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, [f"x{number}" for number in range(FEATURES)]), (text, ["text"])
    )
    return make_pipeline(columns, BNSoftmaxClassifier(random_state=0))


def write(path, gigabytes):
    """Write row groups until the file is large enough."""
    stream, writer = np.random.default_rng(0), None
    while writer is None or path.stat().st_size < gigabytes * 1e9:
        rows = pa.Table.from_pandas(table(stream, GROUP)[0])
        writer = writer or pq.ParquetWriter(path, rows.schema)
        writer.write_table(rows)
    writer.close()


def score(model, rows, scores):
    """Run the script in this process, and print its peak and what it did."""
    started = perf_counter()
    sys.argv = [str(SCRIPT), model, rows, scores]
    runpy.run_path(str(SCRIPT), run_name="__main__")
    file = pq.read_metadata(rows)
    print(
        f"{os.stat(rows).st_size / 1e9:.2f} GB, {file.num_rows:,} rows in {file.num_row_groups} "
        f"row groups: peak {peak() / 1e6:.0f} MB, {perf_counter() - started:.0f} s, "
        f"{pq.read_metadata(scores).num_rows:,} rows of scores",
        flush=True,
    )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--folder", default=".")
    parser.add_argument("--gb", type=float, nargs="+", default=[0.2, 2])
    parser.add_argument("--score", nargs=3, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.score:
        score(*arguments.score)
        return
    print(f"{machine()}, pyarrow {version('pyarrow')}", flush=True)
    model = pipeline().fit(*table(np.random.default_rng(1), 10_000))
    with tempfile.TemporaryDirectory(dir=arguments.folder) as folder:
        path, scores = Path(folder, "rows.parquet"), Path(folder, "scores.parquet")
        dump(model, Path(folder, "model.skops"))
        for gigabytes in arguments.gb:
            write(path, gigabytes)
            # In the process itself: to wait4 its peak is at least its parent's.
            files = [Path(folder, "model.skops"), path, scores]
            subprocess.run([sys.executable, __file__, "--score", *files], check=True)


if __name__ == "__main__":
    main()
