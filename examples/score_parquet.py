"""Score a Parquet file of any size in constant memory.

python score_parquet.py MODEL.skops ROWS.parquet SCORES.parquet [--keep id] [--batch-size 65536]

MODEL is a classifier or a Pipeline that ends in one, written by ``skops.io.dump``: of the files
that a model can be written to, skops's holds all kinds of Pipelines, with the steps that turn text
and missing cells into numbers, and loading it runs no code. SCORES has a row for each of ROWS, in
their order: the columns to keep, ``predicted``, and a column of probabilities for each class.
"""

import argparse
import os

import pyarrow as pa
import pyarrow.parquet as pq
from skops.io import load

from skbn.export import SKOPS_TYPES

READ_BYTES = 2**20
"""What is read of a column at once. Without it a whole row group is, however large."""


def scores_schema(model, rows_schema, keep):
    """Names and types of what is written."""
    return pa.schema(
        [
            *(rows_schema.field(name) for name in keep),
            ("predicted", pa.array(model.classes_).type),
            *((f"probability_{name}", pa.float64()) for name in model.classes_),
        ]
    )


def score(model, batch, schema, keep):
    """Columns of scores of a batch of rows."""
    frame = batch.to_pandas()[list(model.feature_names_in_)]
    probabilities = model.predict_proba(frame)
    labels = model.classes_[probabilities.argmax(axis=1)]
    columns = [*(batch[name] for name in keep), labels, *probabilities.T]
    return pa.record_batch([pa.array(column) for column in columns], schema)


def score_file(model, rows_path, scores_path, keep=(), batch_size=65536):
    """Write the scores of all rows, batch by batch; a part of them is SCORES.part."""
    part = f"{scores_path}.part"
    with pq.ParquetFile(rows_path, buffer_size=READ_BYTES, pre_buffer=False) as rows:
        schema = scores_schema(model, rows.schema_arrow, keep)
        columns = list(dict.fromkeys([*model.feature_names_in_, *keep]))
        with pq.ParquetWriter(part, schema) as scores:
            for batch in rows.iter_batches(batch_size, columns=columns):
                scores.write_batch(score(model, batch, schema, keep))
    os.replace(part, scores_path)


def main():
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("model")
    parser.add_argument("rows")
    parser.add_argument("scores")
    parser.add_argument("--keep", nargs="*", default=[], help="columns to copy from ROWS")
    parser.add_argument("--trust", nargs="*", default=[], help="types in MODEL beyond SKOPS_TYPES")
    parser.add_argument("--batch-size", type=int, default=65536)
    arguments = parser.parse_args()
    model = load(arguments.model, trusted=[*SKOPS_TYPES, *arguments.trust])
    score_file(model, arguments.rows, arguments.scores, arguments.keep, arguments.batch_size)


if __name__ == "__main__":
    main()
