"""``python -m skbn``: tune, judge and save a classifier for a table; digits by default."""

from __future__ import annotations

import argparse
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from math import ceil, inf
from pathlib import Path
from time import perf_counter
from typing import Any, NamedTuple

from joblib import effective_n_jobs
from scipy.stats import uniform
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_digits
from sklearn.dummy import DummyClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import StratifiedKFold, cross_validate, train_test_split
from sklearn.pipeline import Pipeline
from threadpoolctl import threadpool_limits

from skbn._version import __version__
from skbn.arguments import Parser, add_options_of_files
from skbn.destinations import check_destination, save_model
from skbn.display import KINDS, SearchDisplay
from skbn.display.files import make_folder, write_pictures
from skbn.display.search_display import undrawable_kinds
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, default_space
from skbn.search.progress import duration, how_to_shorten
from skbn.tables.files import ReadTable, read_table
from skbn.tables.messages import InputError, listing, print_line
from skbn.tables.pipeline import tabular_pipeline
from skbn.tables.target import check_classes, split_target
from skbn.tables.training_table import TrainingTable, training_table

DESCRIPTION = """\
Tune a network with batch normalisation and a softmax output for a table, and
judge it. Without a table, the data are scikit-learn's handwritten digits.

A part of the rows is held out. On the others, CoarseToFineSearchCV tunes the
Pipeline that skbn.tabular_pipeline makes, by cross-validated log-loss, with one
network a candidate. With the best hyperparameters two networks are then fitted
and calibrated. Printed are the hyperparameters, the accuracy and log-loss of
this model in cross-validation and on the rows held out, beside logistic
regression and guessing, and the time. Ctrl-C ends the search early, with the
best so far."""

EPILOG = """\
What a column holds is found: numbers (also 1.234,5 and 1,234 and 12 % and
$12.30), dates (2024-12-31, 31/12/2024, 31 Dec 2024), or text. Left out are rows
without a label, columns with one value only, texts that name the row, and
columns that count the rows; a line says so. In the column of the labels only an
empty cell is missing.

examples:
  python -m skbn
  python -m skbn --plot pictures
  python -m skbn table.csv --target species --save model.joblib

A training session with a journal is watched and steered from another terminal
(a table of that name is ./watch):
  python -m skbn watch run.sqlite
  python -m skbn change run.sqlite learning_rate_init=0.003
Rows of another month are compared with those that a model was trained on:
  python -m skbn drift model.joblib table.csv new.csv --target species
and --help after watch, change or drift tells more."""

WITHOUT_SKRUB = """\
skrub is not installed: scikit-learn's own transformers encode dates and texts. The published
figures were measured with skrub's (pip install "skbn[tabular]")"""
CLASSIFIER = "bnsoftmaxclassifier__"
ONE_NETWORK = {f"{CLASSIFIER}n_members": 1, f"{CLASSIFIER}calibrate": False}
"""A candidate of the search, which takes half the time of the model that is fitted with the best
hyperparameters."""

SECONDS_TO_TELL = 10.0
"""Time of the fits after the search that is worth a word before they begin."""


class Scores(NamedTuple):
    """A row of the report."""

    title: str
    accuracy: float
    loss: float


def run_table(argv: list[str]) -> None:
    """Run ``python -m skbn``: read, tune, report and save.

    Parameters
    ----------
    argv : list of str
        Arguments.
    """
    args = parse(argv)
    table = load(args)
    X, X_test, y, y_test = train_test_split(
        table.features,
        table.labels,
        test_size=args.test_size,
        random_state=args.seed,
        stratify=table.labels,
    )
    print(
        f"Tuning {number_of_candidates(args.candidates)} in {args.folds} folds of {len(X):,} rows; "
        f"{len(X_test):,} rows are held out",
        flush=True,
    )
    model = model_for(table, BNSoftmaxClassifier(random_state=args.seed))
    is_encoded = any(form["kind"] != "number" for form in table.forms.values())
    if is_encoded and isinstance(model["tablevectorizer"], ColumnTransformer):
        print(WITHOUT_SKRUB)
    started = perf_counter()
    search = tune(model, X, y, args)
    best, scores = fit_best(model, search, X, y, args)
    seconds = perf_counter() - started
    n_candidates = len(search.cv_results_["params"])
    if n_candidates < args.candidates:
        print(f"\nEnded early, after {n_candidates} of {args.candidates} candidates")
    print_hyperparameters(search)
    others = {
        "held out": best,
        "held out, LogisticRegression": baseline(table, X, y),
        "held out, guessing": DummyClassifier().fit(X, y),
    }
    held_out = [judged(title, each, X_test, y_test) for title, each in others.items()]
    print_scores([scores, *held_out])
    if held_out[0].loss >= held_out[-1].loss:
        print("The model is no better than guessing on the rows held out")
    print()
    print_line(
        f"Time to the tuned model: {seconds:.1f} s, for {number_of_candidates(n_candidates)} in "
        f"{args.folds} folds, {trained_to_the_end(search, model[-1].max_iter)}"
    )
    if args.plot:
        draw(search, args.plot)
    if args.save:
        save(best, args.save)


def make_parser() -> Parser:
    """Name the arguments, with their defaults."""
    parser = Parser(
        prog="python -m skbn",
        description=DESCRIPTION,
        epilog=EPILOG,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("table", nargs="?", help="CSV file, compressed or not, Excel or Parquet file")
    add("--target", metavar="COLUMN", help="column of the labels; needed with a table")
    add_options_of_files(parser)
    add("--save", metavar="FILE.joblib", type=Path, help="where to save the best model")
    add("--plot", metavar="DIR", type=Path, help="where to write pictures of the search")
    add("--candidates", metavar="N", type=int, default=60, help="models to try (%(default)s)")
    add("--folds", metavar="N", type=int, default=3, help="of the cross-validation (%(default)s)")
    add("--test-size", metavar="SHARE", type=float, default=0.25, help="held out (%(default)s)")
    add("--time-budget", metavar="SECONDS", type=float, help="of the search (unlimited)")
    add("--jobs", metavar="N", type=int, default=1, help="processes (%(default)s); -1: all cores")
    add("--seed", metavar="N", type=int, default=0, help="of all that is random (%(default)s)")
    add("--verbose", action="store_true", help="print what each column was taken for")
    add("--version", action="version", version=f"skbn {__version__}")
    return parser


def parse(argv: list[str]) -> argparse.Namespace:
    """Parse the arguments, and check what can be checked without the table."""
    args = make_parser().parse_args(argv)
    for valid, expected in (
        (args.candidates >= 1, "--candidates must be at least 1"),
        (args.folds >= 2, "--folds must be at least 2"),
        (0 < args.test_size < 1, "--test-size must be between 0 and 1, such as 0.25"),
        (
            args.time_budget is None or 0 < args.time_budget < inf,
            "--time-budget must be above 0 seconds, and finite",
        ),
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


def load(args: argparse.Namespace) -> TrainingTable:
    """Read and understand the table, and print what was understood."""
    if args.table is None:
        name, target = "Digits", "target"
        read = ReadTable(load_digits(as_frame=True).frame)
    else:
        name, target = Path(args.table).name, args.target
        read = read_table(args.table, separator=args.separator, encoding=args.encoding)
    try:
        if target is None:
            raise InputError(f"--target is missing; the columns are: {listing(read.frame.columns)}")
        features, labels, notes = split_target(read.frame, target, is_text=read.is_text)
    except InputError as error:
        raise InputError("; ".join([str(error), *read.notes])) from error
    check_classes(labels, target, args.folds, args.test_size)
    table = training_table(features, labels, args.decimal, read.decimal)
    n_classes = len(set(labels))
    print_line(f"{name}: {len(labels):,} rows, {n_classes:,} classes; {table.kinds} columns")
    if n_unlabelled := len(read.frame) - len(labels):
        print(f"Left out: {n_unlabelled:,} row{'s' * (n_unlabelled > 1)} without a label")
    for line in (*table.left_out_lines(), *read.notes, *notes, *table.remarks):
        print_line(line[:1].upper() + line[1:])
    if args.verbose:
        print("Columns")
        width = max(map(len, table.details))
        for column, detail in table.details.items():
            print_line(f"  {column:<{width}}  {detail}")
    return table


def model_for(table: TrainingTable, classifier: Any) -> Pipeline:
    """Give the Pipeline that reads all rows as the whole table is read."""
    return tabular_pipeline(classifier).set_params(tablecleaner__forms=table.forms)


def tune(model: Pipeline, X: Any, y: Any, args: argparse.Namespace) -> CoarseToFineSearchCV:
    """Search the space with one network a candidate, and show the progress."""
    search = CoarseToFineSearchCV(
        clone(model).set_params(**ONE_NETWORK),
        default_space(model) | {f"{CLASSIFIER}dropout": uniform(0, 0.5)},
        n_candidates=args.candidates,
        n_rounds=min(3, args.candidates),
        scoring="neg_log_loss",
        refit=False,
        resource="epochs",
        cv=folds(args),
        time_budget=args.time_budget,
        n_jobs=args.jobs,
        random_state=args.seed,
        verbose=1,
    )
    all_cores = "--jobs -1 uses all cores, " if args.jobs == 1 else ""
    advice = how_to_shorten.set(
        "--time-budget {seconds} ends the search after {time} with the best so far, "
        f"--candidates {ceil(args.candidates / 3)} tries fewer, {all_cores}Ctrl-C ends the search "
        "with the best so far once a candidate is complete"
    )
    try:
        with quiet():
            return search.fit(X, y)
    finally:
        how_to_shorten.reset(advice)


def fit_best(
    model: Pipeline, search: CoarseToFineSearchCV, X: Any, y: Any, args: argparse.Namespace
) -> tuple[Pipeline, Scores]:
    """Fit the model with the best hyperparameters, and cross-validate this very model."""
    best = clone(model).set_params(**search.best_params_)
    line = f"Fitting the best in {args.folds} folds and to all {len(X):,} rows"
    if (seconds := seconds_to_fit_best(best[-1], search, args)) > SECONDS_TO_TELL:
        line += f": about {duration(seconds)}\nCtrl-C now ends the run without a model"
    print(line, flush=True)
    metrics = ["accuracy", "neg_log_loss"]
    with quiet():
        scores = cross_validate(best, X, y, cv=folds(args), scoring=metrics, n_jobs=args.jobs)
        best.fit(X, y)
    accuracy, loss = (scores[f"test_{metric}"].mean() for metric in metrics)
    return best, Scores("cross-validation", accuracy, -loss)


def seconds_to_fit_best(
    classifier: BNSoftmaxClassifier, search: CoarseToFineSearchCV, args: argparse.Namespace
) -> float:
    """Estimate what `fit_best` takes, by what the best candidate took in the search."""
    results, i = search.cv_results_, search.best_index_
    seconds = results["mean_fit_time"][i] * classifier.max_iter / results["n_epochs"][i]
    n_fits = ceil(args.folds / effective_n_jobs(args.jobs)) + args.folds / (args.folds - 1)
    return float(seconds * classifier.n_members * n_fits)


def number_of_candidates(n: int) -> str:
    """Write a number of candidates."""
    return f"{n} candidate{'s' * (n > 1)}"


def trained_to_the_end(search: CoarseToFineSearchCV, max_iter: int) -> str:
    """Say how many candidates were trained to the end, or else how far the best was."""
    n_epochs = search.cv_results_["n_epochs"]
    if n_whole := int((n_epochs >= max_iter).sum()):
        return f"{n_whole} of them trained to the end"
    return (
        f"none trained to the end, the best to epoch {n_epochs[search.best_index_]} of {max_iter}"
    )


def folds(args: argparse.Namespace) -> StratifiedKFold:
    """Give the folds, which are the same in the search and after it."""
    return StratifiedKFold(args.folds, shuffle=True, random_state=args.seed)


@contextmanager
def quiet() -> Iterator[None]:
    """Let models train without warnings, on one thread each, and tell of errors in one line."""
    # Threads cost more than they save on matrices as small as a mini-batch's.
    with warnings.catch_warnings(), threadpool_limits(1, "blas"):
        warnings.simplefilter("ignore")
        try:
            yield
        except ValueError as error:
            raise InputError(f"training failed: {str(error).splitlines()[-1]}") from error


def baseline(table: TrainingTable, X: Any, y: Any) -> Pipeline:
    """Fit logistic regression to the same columns, numbers standardised."""
    model = model_for(table, LogisticRegression(max_iter=300))
    with quiet():
        return model.set_params(piecewiselinearencoder__n_bins=1).fit(X, y)


def print_hyperparameters(search: CoarseToFineSearchCV) -> None:
    """Print the best hyperparameters."""
    print("\nBest hyperparameters, by cross-validated log-loss of one network a candidate")
    for name, value in search.best_params_.items():
        shown = f"{value:.4g}" if isinstance(value, float) else value
        print(f"  {name.removeprefix(CLASSIFIER):<20}{shown}")
    for name in search.at_bounds_:
        print(f"The best {name.removeprefix(CLASSIFIER)} lies at an end of its scale")


def judged(title: str, model: Any, X: Any, y: Any) -> Scores:
    """Score a model on rows that it has not seen."""
    loss = log_loss(y, model.predict_proba(X), labels=model.classes_)
    return Scores(title, accuracy_score(y, model.predict(X)), loss)


def print_scores(rows: list[Scores]) -> None:
    """Print scores, a row each."""
    width = max(len(row.title) for row in rows) + 2
    print(f"\n{'':<{width}}accuracy   log-loss")
    for title, accuracy, loss in rows:
        print(f"{title:<{width}}{accuracy:>8.2%}{loss:>11.4f}")


def draw(search: CoarseToFineSearchCV, folder: Path) -> None:
    """Write pictures of the search."""
    undrawable = undrawable_kinds(search)
    for kind, reason in undrawable.items():
        print_line(f"No {kind}.png: {reason}")
    kinds = [kind for kind in KINDS if kind not in undrawable]
    draw_one = partial(SearchDisplay.from_search, search)
    paths = write_pictures(folder, {kind: partial(draw_one, kind=kind) for kind in kinds})
    print_line(f"Pictures: {paths}")


def save(model: Pipeline, path: Path) -> None:
    """Save the model, and say how to use it."""
    save_model(model, path)
    columns = listing(model.feature_names_in_)
    use = f"joblib.load({str(path)!r}).predict(frame)"
    print_line(f"Saved. For a DataFrame with the columns {columns}: {use}")
