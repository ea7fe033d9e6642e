"""Whether two checkouts come to the same results, to the last bit.

    python benchmarks/same_bits.py BASE HEAD [--only SUBSTRING] [--list]

BASE and HEAD are folders that hold ``skbn/``. One process in each runs all configurations
with one BLAS thread, through the public interface alone, so that the inside may differ. Of
every array, score and text that comes out a digest is kept, over dtype, shape and bytes.
A line a configuration says whether all are the same, or which differ; the status is 1 if
any does, or if a configuration fails. Times are not compared. A run takes a minute.
"""

import argparse
import json
import sys
import time
import traceback
import warnings
from functools import partial

import _checkouts
import numpy as np
from _common import ONE, optional
from _outcomes import (
    DIVERGING,
    command,
    confidence,
    digest,
    encoder,
    errors,
    fit,
    highest,
    interface,
    journal,
    others,
    partial_fit,
    pictures,
    population,
    scikit_learn_search,
    search,
    tabular,
    warm_start,
)

# The configurations.

ACTIVATIONS = ["relu", "leaky_relu", "elu", "selu", "gelu"]
ACTIVATIONS += ["silu", "mish", "tanh", "logistic", "identity"]
SCHEDULES = ["constant", "inverse_time", "exponential", "cosine", "one_cycle"]
NOISES = ("dropout", "input_dropout", "noise", "input_noise")
LIKE = [{"learning_rate_init": rate, "random_state": i} for i, rate in enumerate([1e-3, 0.01, 0.1])]
ALONE = [member | ONE for member in [*LIKE, {"alpha": 0.1}, {"dropout": 0.2}]]
SHAPES = [{"hidden_layer_sizes": sizes} for sizes in (8, (8, 8), (), 8, (30, 5))]
STOPPED = {"early_stopping": True, "n_iter_no_change": 2, "max_iter": 30}
HASTY = STOPPED | {"n_iter_no_change": 1, "n_members": 3}
OVERFITTING = ONE | {"max_iter": 60, "alpha": 0.0}
EPOCHS = {"resource": "epochs", "min_epochs": 1, "eta": 2}
TWO = {"hidden_layer_sizes": 12}
SCORES = ["accuracy", "neg_log_loss", "roc_auc_ovr"]

CONFIGURATIONS = {
    "interface": interface,
    "errors": errors,
    "default": partial(fit, "digits", hidden_layer_sizes=(192, 192), max_iter=15),
    "solver sgd, no Nesterov": partial(fit, solver="sgd", nesterovs_momentum=False),
    **{f"solver {s}": partial(fit, solver=s) for s in ("sgd", "rmsprop", "adam", "adamw")},
    **{f"schedule {s}": partial(fit, learning_rate=s) for s in SCHEDULES},
    **{
        f"schedule {s}, warm-up": partial(fit, learning_rate=s, warmup_fraction=0.4)
        for s in SCHEDULES
    },
    **{f"activation {a}": partial(fit, activation=a) for a in ACTIVATIONS},
    **{
        f"float64, {solver}": partial(fit, dtype="float64", solver=solver)
        for solver in ("sgd", "adam")
    },
    **{f"initializer {i}": partial(fit, initializer=i) for i in ("auto", "he", "glorot", "lecun")},
    **{f"weights {w}": partial(fit, weights=w) for w in ("ramp", "zeros", "minute", "one")},
    "weights, no batch norm": partial(fit, weights="ramp", batch_norm=False),
    "class_weight dict": partial(fit, class_weight={0: 0.5, 2: 3.0}),
    "class_weight balanced": partial(fit, class_weight="balanced"),
    "class_weight and weights": partial(fit, class_weight="balanced", weights="zeros"),
    "rows csr": partial(fit, form="csr"),
    "rows csr, weights": partial(fit, form="csr", weights="zeros", dtype="float64"),
    "rows csr, validation": partial(fit, form="csr", validation="ramp"),
    "rows frame": partial(fit, form="frame"),
    "rows lists": partial(fit, form="lists"),
    "rows float32": partial(fit, form="float32"),
    **{f"{name}": partial(fit, **{name: 0.2}) for name in NOISES},
    "all noises": partial(fit, "made", **dict.fromkeys(NOISES, 0.1), weights="ramp"),
    "label_smoothing": partial(fit, label_smoothing=0.1),
    "label_smoothing, weights": partial(fit, label_smoothing=0.1, weights="zeros"),
    "max_grad_norm": partial(fit, max_grad_norm=0.3),
    "early_stopping": partial(fit, "made", **STOPPED),
    "early_stopping, 3 members": partial(fit, "made", **STOPPED, n_members=3, weights="zeros"),
    **{f"X_val, weights {w}": partial(fit, validation=w) for w in ("equal", "ramp", "zeros")},
    "X_val, stopping": partial(fit, "made", validation="ramp", **{**STOPPED, "tol": 0.01}),
    **{
        f"{n} members, {'' if c else 'not '}calibrated": partial(
            fit, "breast_cancer", n_members=n, calibrate=c
        )
        for n in (1, 2, 3)
        for c in (True, False)
    },
    "no hidden layers": partial(fit, hidden_layer_sizes=()),
    "no hidden layers, two classes": partial(fit, "breast_cancer", hidden_layer_sizes=()),
    "no batch norm": partial(fit, batch_norm=False),
    "batches of 1": partial(fit, "iris", batch_size=1, batch_norm=False),
    "batches of 7": partial(fit, batch_size=7),
    "batches above n": partial(fit, batch_size=1000),
    "no shuffle": partial(fit, shuffle=False, max_iter=8),
    "bn_momentum": partial(fit, bn_momentum=0.5),
    "bn_epsilon": partial(fit, bn_epsilon=0.1),
    "wide": partial(fit, "digits", hidden_layer_sizes=(300,), batch_size=100, **ONE),
    "deep": partial(fit, "made", hidden_layer_sizes=[16] * 5, activation="tanh"),
    "tiny": partial(fit, "tiny"),
    "tiny, early_stopping": partial(fit, "tiny", early_stopping=True),
    "tiny, one class": partial(fit, "tiny", class_weight={1: 0, 2: 0}, validation_fraction=0.9),
    "stream": partial(fit, random_state="stream", n_members=3, dropout=0.1),
    "warm_start": warm_start,
    "warm_start, early_stopping": partial(warm_start, "made", early_stopping=True, weights="ramp"),
    "warm_start, X_val": partial(warm_start, "made", validation="ramp", n_iter_no_change=2),
    "warm_start, too fast": partial(warm_start, "made", validation="ramp", factor=30.0),
    "warm_start, X_val at times": partial(warm_start, validation="ramp", late=True),
    "partial_fit": partial(partial_fit, n_members=3, learning_rate="one_cycle"),
    "partial_fit, pickles": partial(partial_fit, between="pickle", dropout=0.1, weights="ramp"),
    "partial_fit, set_params": partial(partial_fit, between="set_params"),
    "partial_fit, lacking classes": partial(partial_fit, lacking=True, weights="zeros", **ONE),
    "fit, partial_fit": partial(partial_fit, "fit", max_iter=3),
    "fit, partial_fit, pickles": partial(partial_fit, "fit", "pickle", n_members=3, solver="sgd"),
    "fit, partial_fit, n_members": partial(partial_fit, "fit", "n_members"),
    "fit, partial_fit, early_stopping": partial(
        partial_fit, "fit", "pickle", n_members=3, random_state=4, **STOPPED | {"tol": 0.05}
    ),
    "population": partial(population, ALONE),
    "population of two members": partial(population, LIKE, "digits"),
    "population, shapes": partial(population, SHAPES),
    "population, folds": partial(population, ALONE, rows="folds"),
    "population, masks": partial(population, LIKE, rows="masks", memory_budget=1e4),
    "population, lacking classes": partial(population, LIKE, rows="lacking"),
    "population, weights": partial(population, LIKE, rows="folds", weights="zeros"),
    "population, X_val": partial(population, ALONE, validation="ramp", rows="folds"),
    "population, early_stopping": partial(
        population, [m | STOPPED for m in LIKE], "made", rows="folds"
    ),
    "population, csr": partial(population, LIKE, "digits", "folds", form="csr"),
    "population, warm start": partial(population, LIKE, again=3),
    "population, warm start, folds": partial(population, LIKE, "made", "folds", 2, weights="ramp"),
    "population, ends that differ": partial(
        population, [{"max_iter": n, "noise": 0.1} for n in (2, 5, 2, 3)], again=3
    ),
    "population, fitted before": partial(population, LIKE, before="frame"),
    "population, diverging": partial(
        population, [*LIKE, DIVERGING, {"batch_size": 1}], return_exceptions=True
    ),
    "population, wide": partial(
        population, [{"hidden_layer_sizes": (n,), **ONE} for n in (64, 256) * 5], "digits"
    ),
    "population, many": partial(population, ALONE * 8, "wine"),
    "search": partial(search, n_rounds=3, n_candidates=12),
    "search, network alone": partial(search, "shapes", pipeline=False),
    "search, frame": partial(search, "batches", "wine", "frame", scoring="neg_log_loss"),
    "search, scales": partial(search, "scales", "made"),
    "search, default space": partial(search, "default", "iris", model={}, n_candidates=6),
    "search, scorers": partial(search, scoring=SCORES, refit="neg_log_loss"),
    "search, no refit": partial(search, scoring=SCORES[:2], refit=False),
    "search, csr": partial(search, "shapes", "digits", "csr", pipeline=False, n_candidates=4),
    "search, extend": partial(search, "batches", then="extend"),
    "search, retune": partial(search, "shapes", then="retune", n_candidates=30),
    "search, steps": partial(search, "steps"),
    "search, mixed": partial(search, "mixed", scoring="neg_log_loss"),
    "search, two members": partial(search, "shapes", model=TWO, scoring="neg_log_loss"),
    "search, early_stopping": partial(search, model=TWO | STOPPED),
    "search, weights": partial(search, weights="zeros"),
    "search, little memory": partial(search, "shapes", memory_budget=1e5),
    "search, failures": partial(search, "diverging", "made", n_rounds=1),
    "search, journal": partial(journal, space="shapes"),
    "search, stream": partial(search, model={"random_state": "stream"}),
    "search, lacking classes": partial(search, cv="lacking"),
    "search, own scorer": partial(search, "shapes", scoring=confidence),
    "search, 60 candidates": partial(search, "scales", "wine", model={}, n_candidates=60, cv=5),
    "epochs": partial(search, **EPOCHS, n_candidates=12),
    "epochs, network alone": partial(search, "shapes", pipeline=False, resource="epochs"),
    "epochs, scales": partial(search, "scales", "made", **EPOCHS),
    "epochs, scorers": partial(search, **EPOCHS, scoring=SCORES, refit="accuracy"),
    "epochs, log-loss": partial(search, "shapes", "wine", **EPOCHS, scoring="neg_log_loss"),
    "epochs, lacking classes": partial(search, cv="lacking", **EPOCHS),
    "epochs, own scorer": partial(search, scoring=confidence, **EPOCHS),
    "epochs, mixed": partial(search, "mixed, partial_fit", **EPOCHS, max_epochs=5),
    "epochs, two members": partial(search, "shapes", model=TWO, **EPOCHS),
    "epochs, early_stopping": partial(search, model=TWO | STOPPED, **EPOCHS),
    "epochs, early_stopping, 3 members": partial(
        search, data="made", model=TWO | HASTY, resource="epochs", min_epochs=4, n_candidates=24
    ),
    "epochs, callable refit": partial(
        search, data="made", model=OVERFITTING, **EPOCHS, scoring="neg_log_loss", refit=highest
    ),
    "epochs, overfitting": partial(
        search, data="made", model=OVERFITTING, **EPOCHS, scoring="neg_log_loss"
    ),
    "epochs, extend": partial(search, "batches", then="extend", **EPOCHS),
    "epochs, retune": partial(search, "shapes", then="retune", **EPOCHS, n_candidates=30),
    "epochs, little memory": partial(search, "shapes", **EPOCHS, memory_budget=1e5),
    "epochs, journal": partial(journal, space="batches", **EPOCHS),
    "epochs, max_epochs": partial(search, resource="epochs", max_epochs=4, weights="ramp"),
    "epochs, 60 candidates": partial(
        search, "default", "digits", resource="epochs", n_candidates=60, model=ONE | {"max_iter": 4}
    ),
    "others": others,
    "others, epochs": partial(others, **EPOCHS, scoring="accuracy"),
    "scikit-learn's search": scikit_learn_search,
    "command": command,
    "encoder": encoder,
    "encoder, tree": partial(encoder, strategy="tree", n_bins=6, include_original=True),
    "encoder, original": partial(encoder, "digits", "float32", include_original=True),
}
OPTIONAL = {
    "skrub": {"tabular": tabular, "tabular, 1 member": partial(tabular, **ONE)},
    "matplotlib": {"pictures": pictures},
}
MISSING = [package for package in OPTIONAL if not optional(package)]
for package, configurations in OPTIONAL.items():
    CONFIGURATIONS |= {} if package in MISSING else configurations


# Running and comparing.


def run(configuration):
    """Digests by name, the warnings' among them, or what went wrong."""
    try:
        with warnings.catch_warnings(record=True) as caught, np.errstate(all="ignore"):
            warnings.simplefilter("always")
            facts = configuration()
    except Exception:
        return {"failure": traceback.format_exc()}
    facts["warnings"] = sorted({f"{w.category.__name__} {str(w.message)[:60]}" for w in caught})
    return {name: digest(value) for name, value in facts.items()}


def work(checkout, only):
    answers = _checkouts.enter(checkout)
    for name in chosen(only):
        print(json.dumps([name, run(CONFIGURATIONS[name])]), file=answers, flush=True)


def chosen(only):
    return [name for name in CONFIGURATIONS if only in name]


def results(checkout, only):
    """Digests of a checkout by configuration, from a process there."""
    process = _checkouts.start(__file__, checkout, "--only", only)
    output, _ = process.communicate()
    if process.returncode:
        sys.exit(f"the process in {checkout} ended with status {process.returncode}")
    return dict(json.loads(line) for line in output.splitlines())


def verdict(base, head):
    """In words, whether two results are the same."""
    failures = [
        f"{n}: {r['failure']}" for n, r in (("BASE", base), ("HEAD", head)) if "failure" in r
    ]
    if failures:
        return "fails in " + "\n".join(failures)
    names = [name for name in base | head if base.get(name) != head.get(name)]
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return f"differs in {len(names)} of {len(base)}: {', '.join(names[:8])}{more}" if names else ""


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("checkouts", nargs="*", type=_checkouts.folder, metavar="BASE HEAD")
    parser.add_argument("--only", default="", help="configurations with this in their names")
    parser.add_argument("--list", action="store_true", help="the names of the configurations")
    parser.add_argument("--worker", type=_checkouts.folder, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.worker:
        return work(arguments.worker, arguments.only)
    if arguments.list:
        return print("\n".join(chosen(arguments.only)))
    if len(arguments.checkouts) != 2:
        parser.error("give two checkouts, BASE and HEAD")
    for package in MISSING:
        print(f"{package} is not installed: left out are {', '.join(OPTIONAL[package])}")
    started = time.perf_counter()
    base, head = (results(checkout, arguments.only) for checkout in arguments.checkouts)
    verdicts = {name: verdict(base[name], head[name]) for name in base}
    for name, words in verdicts.items():
        print(f"{name}: {words or 'same'}")
    n_different, n_values = sum(map(bool, verdicts.values())), sum(map(len, base.values()))
    print(
        f"{n_different} of {len(base)} configurations differ ({n_values:,} values, "
        f"{time.perf_counter() - started:.0f} s)"
    )
    return int(bool(n_different) or not base)


if __name__ == "__main__":
    sys.exit(main())
