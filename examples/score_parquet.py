"""Score a Parquet file of any size in constant memory.

It needs skbn (pip install . in its checkout) and two more: pip install pyarrow skops

    python score_parquet.py MODEL.skops ROWS.parquet SCORES.parquet --keep id

MODEL is a classifier or a Pipeline that ends in one, fitted to a DataFrame and written by
skops.io.dump: of the files that a model can be written to, skops's holds all kinds of Pipelines,
with the steps that turn text and missing cells into numbers, and loading it runs no code, unless
--trust allows it. ROWS has the columns of that DataFrame, and may have more. SCORES has a row for
each of ROWS, in their order: the columns to keep, "predicted", and a column "probability_..." for
each class.
"""

import argparse
import os
import shlex

try:
    import pyarrow as pa
    import pyarrow.parquet as pq
    from skops.io import get_untrusted_types, load

    from skbn.export import SKOPS_TYPES
except ImportError as error:
    raise SystemExit(
        f"{error}. score_parquet.py needs skbn (pip install . in its checkout), pyarrow and skops: "
        "pip install pyarrow skops"
    ) from error

READ_BYTES = 2**20
"""What is read of a column at once. Without it a whole row group is, however large."""


def load_model(path, trust):
    """A model from a file of skops, whose types must be known or trusted."""
    try:
        types = set(get_untrusted_types(file=path)) - set(SKOPS_TYPES)
        if types <= set(trust):
            return load(path, trusted=[*SKOPS_TYPES, *trust])
    except Exception as error:  # a file that is no file of skops may raise anything
        what = f"{type(error).__name__}: {error}"
        raise ValueError(f"MODEL cannot be loaded by skops: {what}") from error
    # The names are the file's: what it writes is to do nothing in a terminal and in a shell.
    names = " ".join(shlex.quote(ascii(name)[1:-1]) for name in sorted(types))
    raise ValueError(
        f"MODEL holds {len(types - set(trust))} types that are not known to run no code. Loading "
        "them may run code: if you trust who wrote the file, end the command with this line:\n"
        f"--trust {names}"
    )


def check_model(model):
    """Refuse what is no fitted classifier, or does not know the names of its columns."""
    if not (hasattr(model, "predict_proba") and hasattr(model, "classes_")):
        kind = type(model).__name__
        raise ValueError(f"MODEL must be a fitted classifier, or a Pipeline with one, got {kind}")
    if not hasattr(model, "feature_names_in_"):
        raise ValueError(
            "MODEL does not know the names of its columns (feature_names_in_), as it was fitted to "
            "an array: fit it to a DataFrame, with the columns' names of ROWS"
        )


def check_files(read, written):
    """Refuse to write over what is read, whatever links lead there."""
    for path in written:
        if os.path.exists(path) and any(os.path.samefile(path, other) for other in read):
            raise ValueError(f"SCORES must be another file than MODEL and ROWS: {path}")


def scores_schema(model, rows_schema, keep):
    """Names and types of what is written."""
    needed = dict.fromkeys([*model.feature_names_in_, *keep])
    if absent := [name for name in needed if rows_schema.names.count(name) != 1]:
        raise ValueError(f"ROWS must have each of these columns once: {absent}")
    schema = pa.schema(
        [
            *(rows_schema.field(name) for name in keep),
            ("predicted", pa.array(model.classes_).type),
            *((f"probability_{name}", pa.float64()) for name in model.classes_),
        ]
    )
    if twice := [name for name in dict.fromkeys(keep) if schema.names.count(name) > 1]:
        raise ValueError(
            f"SCORES would have two columns of the same name: {twice}; do not --keep what is named "
            "as a column of scores, or rename it in ROWS"
        )
    return schema


def score(model, batch, schema, keep):
    """Columns of scores of a batch of rows."""
    # A frame that was written with an index has a column of the file in it.
    frame = batch.to_pandas().reset_index()[list(model.feature_names_in_)]
    probabilities = model.predict_proba(frame)
    labels = model.classes_[probabilities.argmax(axis=1)]
    columns = [*(batch[name] for name in keep), labels, *probabilities.T]
    return pa.record_batch([pa.array(column) for column in columns], schema)


def score_file(model, rows_path, scores_path, keep=(), batch_size=65536):
    """Write the scores of all rows, batch by batch; until they are complete, to SCORES.part."""
    part = f"{scores_path}.part"
    with pq.ParquetFile(rows_path, buffer_size=READ_BYTES, pre_buffer=False) as rows:
        schema = scores_schema(model, rows.schema_arrow, keep)
        columns = list(dict.fromkeys([*model.feature_names_in_, *keep]))
        try:
            with pq.ParquetWriter(part, schema) as scores:
                for batch in rows.iter_batches(batch_size, columns=columns):
                    scores.write_batch(score(model, batch, schema, keep))
            os.replace(part, scores_path)
        finally:
            if os.path.isfile(part):
                os.remove(part)


def command_line():
    """What the command line asks for."""
    parser = argparse.ArgumentParser(
        usage="%(prog)s MODEL ROWS SCORES [--keep NAME ...] [--trust TYPE ...] [--batch-size N]",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("model", metavar="MODEL", help="file of skops, read")
    parser.add_argument("rows", metavar="ROWS", help="Parquet file, read")
    parser.add_argument("scores", metavar="SCORES", help="Parquet file, written")
    parser.add_argument(
        "--keep", metavar="NAME", nargs="*", default=[], help="columns of ROWS to copy to SCORES"
    )
    parser.add_argument(
        "--trust",
        metavar="TYPE",
        nargs="*",
        default=[],
        help="types to load though they may run code, if you trust who wrote MODEL",
    )
    parser.add_argument(
        "--batch-size", metavar="N", type=int, default=65536, help="rows at once (%(default)s)"
    )
    arguments = parser.parse_args()
    if arguments.batch_size < 1:
        parser.error(f"--batch-size must be at least 1, got {arguments.batch_size}")
    return arguments


def main():
    """Score as the command line says; what is wrong with the files is told in a line."""
    asked = command_line()
    try:
        check_files([asked.model, asked.rows], [asked.scores, f"{asked.scores}.part"])
        model = load_model(asked.model, asked.trust)
        check_model(model)
        score_file(model, asked.rows, asked.scores, asked.keep, asked.batch_size)
    except (OSError, TypeError, ValueError, pa.ArrowException) as error:
        raise SystemExit(f"score_parquet.py: {error}") from error


if __name__ == "__main__":
    main()
