"""``python -m skbn``: tune, judge and save a classifier for a table; digits by default."""

from __future__ import annotations

import argparse
import os
import sys
import warnings
from functools import partial
from importlib import import_module
from math import ceil
from pathlib import Path
from time import perf_counter
from typing import Any

import joblib
import pandas as pd
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.compose import ColumnTransformer, make_column_selector
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.impute import SimpleImputer
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, train_test_split
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier, __version__
from skbn.arguments import Parser
from skbn.display import KINDS, MIN_IMPORTANCE_CANDIDATES, SearchDisplay
from skbn.display.files import make_folder, write_pictures
from skbn.search import CoarseToFineSearchCV, default_space
from skbn.tables.columns import (
    Columns,
    read_table,
    sort_columns,
    split_target,
    tidy,
)
from skbn.tables.messages import InputError, listing
from skbn.training.interruption import Interrupted, interruptible

DESCRIPTION = """\
Tune a network with batch normalisation and a softmax output for a table, and judge it.

A part of the rows is held out. On the others, CoarseToFineSearchCV tunes a Pipeline of
preprocessing, StandardScaler and BNSoftmaxClassifier by cross-validated log-loss, and
fits the best one. Printed are its hyperparameters, its accuracy and log-loss in
cross-validation and on the rows held out, and the time. Without a table, the data are
scikit-learn's handwritten digits. Ctrl-C ends the search early, with the best so far."""

EPILOG = """\
Text is one-hot encoded, dates (2024-12-31) become numbers, missing numbers are imputed.
Left out are rows without a label, columns with one value only, texts that differ in
every row and columns that count the rows.

examples:
  python -m skbn
  python -m skbn --plot pictures
  python -m skbn table.csv --target species --save model.joblib

A training session with a journal is watched and steered from another terminal (a table of
that name is ./watch):
  python -m skbn watch run.sqlite
  python -m skbn change run.sqlite learning_rate_init=0.003
Rows of another month are compared with those that a model was trained on:
  python -m skbn drift model.joblib table.csv new.csv --target species
and --help after watch, change or drift tells more."""

COMMANDS = {
    "watch": ("session.command", "run_watch"),
    "change": ("session.command", "run_change"),
    "drift": ("drift_command", "run_drift"),
}
"""Module and function of each: imported when it is called, for some take 0.2 s."""
SPACE = default_space("classifier__") | {"classifier__dropout": uniform(0, 0.5)}


def main(argv: list[str] | None = None) -> int:
    """Run the command.

    Parameters
    ----------
    argv : list of str, default=None
        Arguments; None takes those of the process.

    Returns
    -------
    status : int
        0, or 2 for input that cannot be used, or 130 after Ctrl-C; 3 of ``drift`` where something
        is to be done.
    """
    argv = sys.argv[1:] if argv is None else argv
    try:
        with interruptible():
            if argv and argv[0] in COMMANDS:
                module, function = COMMANDS[argv[0]]
                return getattr(import_module(f"skbn.{module}"), function)(argv[1:]) or 0
            run(parse(argv))
    except InputError as error:
        print("skbn:", " ".join(str(error).split()), file=sys.stderr)
        return 2
    except (Interrupted, KeyboardInterrupt):
        print("skbn: interrupted", file=sys.stderr)
        return 130
    return 0


def make_parser() -> Parser:
    """Name the arguments, with their defaults."""
    parser = Parser(
        prog="python -m skbn",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("table", nargs="?", type=Path, help="CSV file, compressed or not, or Parquet file")
    add("--target", metavar="COLUMN", help="column of the labels; needed with a table")
    add("--save", metavar="FILE.joblib", type=Path, help="where to save the best model")
    add("--plot", metavar="DIR", type=Path, help="where to write pictures of the search")
    add("--candidates", metavar="N", type=int, default=60, help="models to try (%(default)s)")
    add("--folds", metavar="N", type=int, default=3, help="of the cross-validation (%(default)s)")
    add("--test-size", metavar="SHARE", type=float, default=0.25, help="held out (%(default)s)")
    add("--jobs", metavar="N", type=int, default=1, help="processes (%(default)s); -1: all cores")
    add("--seed", metavar="N", type=int, default=0, help="of all that is random (%(default)s)")
    add("--version", action="version", version=f"skbn {__version__}")
    return parser


def parse(argv: list[str] | None) -> argparse.Namespace:
    """Parse the arguments, and check what can be checked without the table."""
    args = make_parser().parse_args(argv)
    for valid, expected in (
        (args.candidates >= 1, "--candidates must be at least 1"),
        (args.folds >= 2, "--folds must be at least 2"),
        (0 < args.test_size < 1, "--test-size must be between 0 and 1, such as 0.25"),
        (args.jobs != 0, "--jobs must be a number of processes, or -1 for all cores"),
        (0 <= args.seed < 2**32, "--seed must be between 0 and 2**32 - 1"),
        (args.table or args.target is None, "--target needs a table before it"),
    ):
        if not valid:
            raise InputError(expected)
    if args.save:
        check_destination(args.save)
    if args.plot:
        make_folder(args.plot)
    return args


def check_destination(path: Path) -> None:
    """Refuse a file that could not be written after a long search."""
    if path.suffix != ".joblib":
        raise InputError(f"--save {path}: the name must end in .joblib")
    if not path.parent.is_dir():
        raise InputError(f"--save {path}: there is no directory {path.parent}")
    if path.is_dir() or not os.access(path if path.exists() else path.parent, os.W_OK):
        raise InputError(f"--save {path}: cannot be written")


def run(args: argparse.Namespace) -> None:
    """Read, tune, report and save."""
    features, labels, columns = load(args)
    X, X_test, y, y_test = train_test_split(
        features, labels, test_size=args.test_size, random_state=args.seed, stratify=labels
    )
    print(
        f"Tuning {args.candidates} candidates in {args.folds} folds of {len(X):,} rows; "
        f"{len(X_test):,} rows are held out",
        flush=True,
    )
    started = perf_counter()
    search = tune(make_model(columns, args.seed), X, y, args)
    seconds = perf_counter() - started
    n_candidates = len(search.cv_results_["params"])
    if n_candidates < args.candidates:
        print(f"\nEnded early, after {n_candidates} of {args.candidates} candidates")
    print_report(search, DummyClassifier().fit(X, y), X_test, y_test)
    n_whole = int((search.cv_results_["n_epochs"] == search.cv_results_["n_epochs"].max()).sum())
    print(
        f"\nTime to the tuned model: {seconds:.1f} s, for {n_candidates} candidates in "
        f"{args.folds} folds, {n_whole} of them trained to the end"
    )
    if args.plot:
        draw(search, args.plot)
    if args.save:
        save(search.best_estimator_, args.save)


def load(args: argparse.Namespace) -> tuple[pd.DataFrame, Any, Columns]:
    """Features, labels and the columns by kind, after a line on each."""
    if args.table is None:
        name, frame, target = "Digits", load_digits(as_frame=True).frame, "target"
    else:
        name, frame, target = args.table.name, read_table(args.table), args.target
    if target is None:
        raise InputError(f"--target is missing; the columns are: {listing(frame.columns)}")
    features, labels = split_target(frame, target)
    check_classes(labels, target, args)
    columns, useless = sort_columns(features)
    kinds = [f"{len(names)} {kind.removesuffix('s')}" for kind, names in columns.items() if names]
    left_out = [f"columns {reason}: {listing(names)}" for reason, names in useless.items()]
    if n_unlabelled := len(frame) - len(labels):
        left_out.append(f"{n_unlabelled:,} rows without a label")
    if not kinds:
        raise InputError(f"no columns to learn from; left out: {'; '.join(left_out) or 'none'}")
    print(f"{name}: {len(labels):,} rows, {len(set(labels))} classes; {', '.join(kinds)} columns")
    for what in left_out:
        print(f"Left out: {what}")
    return features, labels, columns


def check_classes(labels: Any, target: str, args: argparse.Namespace) -> None:
    """Make sure that every fold and the rows held out have rows of every class."""
    counts = pd.Series(labels, dtype=object).value_counts()
    if len(counts) < 2:
        found = f"only {counts.index[0]!r}" if len(counts) else "no label"
        raise InputError(f"column {target!r} holds {found}; two classes are the least")
    n_test = ceil(len(labels) * args.test_size)
    needed = ceil(args.folds * len(labels) / max(len(labels) - n_test, 1))
    rare = counts[counts < needed]
    why = f"{args.folds} folds and the rows held out need {needed} rows of each class"
    if len(rare) > len(counts) / 2:
        raise InputError(
            f"{why}, but column {target!r} holds {len(counts)} values in {len(labels)} "
            f"rows, {len(rare)} of them in fewer; is it a quantity or a name, not a class?"
        )
    if len(rare):
        found = listing(f"{label!r} ({count})" for label, count in rare.items())
        raise InputError(f"{why}, too few are of: {found}; lower --folds, or remove these rows")
    if n_test < len(counts):
        raise InputError(f"{n_test} rows held out for {len(counts)} classes; raise --test-size")


def make_model(columns: Columns, random_state: int) -> Pipeline:
    """Build the Pipeline that leads from a raw table to probabilities."""
    imputer = SimpleImputer(strategy="median", add_indicator=True, keep_empty_features=True)
    encoder = OneHotEncoder(
        handle_unknown="infrequent_if_exist", max_categories=50, sparse_output=False
    )
    is_number = make_column_selector(dtype_include="number")
    is_text = make_column_selector(dtype_exclude="number")
    to_numbers = ColumnTransformer(
        [
            ("numbers", make_pipeline(imputer, StandardScaler()), is_number),
            ("texts", encoder, is_text),
        ]
    )
    return Pipeline(
        [
            ("tidy", FunctionTransformer(tidy, kw_args=columns)),
            ("to_numbers", to_numbers),
            ("classifier", BNSoftmaxClassifier(random_state=random_state)),
        ]
    )


def tune(
    model: Pipeline, X: pd.DataFrame, y: Any, args: argparse.Namespace
) -> CoarseToFineSearchCV:
    """Search the space, show the progress, and fit the best candidate to all of X."""
    search = CoarseToFineSearchCV(
        clone(model).set_params(classifier__n_members=1, classifier__calibrate=False),
        SPACE,
        n_candidates=args.candidates,
        n_rounds=min(3, args.candidates),
        scoring=["accuracy", "neg_log_loss"],
        refit="neg_log_loss",
        resource="epochs",
        cv=StratifiedKFold(args.folds, shuffle=True, random_state=args.seed),
        n_jobs=args.jobs,
        random_state=args.seed,
        verbose=1,
    )
    # Threads cost more than they save on matrices as small as a mini-batch's.
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        try:
            search.fit(X, y)
            search.best_estimator_ = clone(model).set_params(**search.best_params_).fit(X, y)
            return search
        except ValueError as error:
            raise InputError(f"training failed: {str(error).splitlines()[-1]}") from error


def print_report(search: CoarseToFineSearchCV, guess: DummyClassifier, X: Any, y: Any) -> None:
    """Print the best hyperparameters and their scores, beside those of mere guessing."""
    print("\nBest hyperparameters, by cross-validated log-loss")
    for name in SPACE:
        value = search.best_params_[name]
        shown = f"{value:.4g}" if isinstance(value, float) else value
        print(f"  {name.removeprefix('classifier__'):<20}{shown}")
    for name in search.at_bounds_:
        print(f"The best {name.removeprefix('classifier__')} lies at an end of its scale")
    best = {name: values[search.best_index_] for name, values in search.cv_results_.items()}
    rows = [("cross-validation", best["mean_test_accuracy"], -best["mean_test_neg_log_loss"])]
    for title, model in ("held out", search), ("held out, guessing", guess):
        loss = log_loss(y, model.predict_proba(X), labels=model.classes_)
        rows.append((title, accuracy_score(y, model.predict(X)), loss))
    print(f"\n{'':<20}accuracy   log-loss")
    for title, accuracy, loss in rows:
        print(f"{title:<20}{accuracy:>8.2%}{loss:>11.4f}")


def draw(search: CoarseToFineSearchCV, folder: Path) -> None:
    """Write pictures of the search."""
    n_global = int((search.cv_results_["draw"] == "global").sum())
    left_out = {"importance": n_global < MIN_IMPORTANCE_CANDIDATES}
    left_out["learning_curves"] = not hasattr(search, "learning_curves_")
    kinds = [kind for kind in KINDS if not left_out.get(kind)]
    draw_one = partial(SearchDisplay.from_search, search)
    paths = write_pictures(folder, {kind: partial(draw_one, kind=kind) for kind in kinds})
    print(f"Pictures: {paths}")


def save(model: Pipeline, path: Path) -> None:
    """Save the model, and say how to use it."""
    try:
        joblib.dump(model, path)
    except OSError as error:
        raise InputError(f"--save {path}: {error.strerror or error}") from error
    use = f"joblib.load({str(path)!r}).predict(frame)"
    print(f"Saved. For a DataFrame with the same columns: {use}")


if __name__ == "__main__":
    sys.exit(main())
