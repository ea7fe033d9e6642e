"""How long ways of predicting in production take, a row and to start.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python benchmarks/serving.py
        [--rounds 25] [--starts 11]

A classifier with layers (192, 192) is fitted to the 30 features of breast_cancer in float32,
with one member and with two, calibrated. All ways of ``_serving.py`` read it, or its weights
with batch norm folded, and must give its probabilities. Then they predict in turn, on one thread,
in one process: one row, and 1,000 rows; medians over rounds of process CPU time, which other
processes disturb least. At last each predicts a row in a process of its own, in turn again:
medians of the wall time from the start of the process to the prediction, and of its CPU time.
What is asked of skbn is printed as ratios, medians over the rounds too. The two variables of
OpenBLAS may slow NumPy down.
"""

import argparse
import importlib.util
import os
import shutil
import subprocess
import sys
import tempfile
import warnings
from importlib.metadata import version
from pathlib import Path
from time import perf_counter, process_time

os.environ["OPENBLAS_NUM_THREADS"] = os.environ["OMP_NUM_THREADS"] = "1"  # before NumPy reads it

import _serving
import joblib
import numpy as np
from _common import machine, shipped
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.export import predictor, save_model, to_onnx

HIDDEN = (192, 192)
WAYS = {  # what a line is of: the function in _serving.py, networks, packages beyond skbn's own
    "predict_proba, one member": ("save_model", 1, []),
    "predict_proba, two members": ("save_model", 2, []),
    "the same from skops": ("skops", 2, ["skops"]),
    "predictor, one member": ("predictor_file", 1, []),
    "predictor, two members": ("predictor_file", 2, []),
    "onnxruntime, one member": ("onnxruntime", 1, ["onnx", "onnxruntime"]),
    "onnxruntime, two members": ("onnxruntime", 2, ["onnx", "onnxruntime"]),
    "MLPClassifier": ("mlp", 1, []),
    "PyTorch, eager": ("pytorch", 1, ["torch"]),
    "bare NumPy": ("bare_numpy", 1, []),
}
ASKED = [  # rows of a call, a way, the way that it is compared with, the highest ratio
    (1, "predict_proba, one member", "MLPClassifier", 1.2),
    (1, "predict_proba, two members", "MLPClassifier", 1.5),
    (1, "predictor, one member", "MLPClassifier", 1 / 3),
    (1000, "predict_proba, one member", "onnxruntime, one member", 1.4),
    (1000, "predictor, one member", "onnxruntime, one member", 1.3),
]
START_ASKED = 0.15
"""Seconds from a process's start to the predictor's first prediction, beyond NumPy's import."""


def is_installed(package):
    return importlib.util.find_spec(package) is not None


# The files that are read.


def folded_weights(model):
    """Weights and bias of each layer, batch norm and temperature absorbed, by their formulas."""
    layers = list(zip(model.coefs_, model.intercepts_, strict=True))
    arrays = {}
    for number, (weights, bias) in enumerate(layers, start=1):
        if number < len(layers):
            moments = model.bn_mean_[number - 1], model.bn_var_[number - 1]
            scale = model.bn_gamma_[number - 1] / np.sqrt(moments[1] + model.bn_epsilon)
            bias = (bias - moments[0]) * scale + model.bn_beta_[number - 1]
        else:
            scale, bias = 1 / model.temperature_, bias / model.temperature_
        arrays[f"weights_{number}"] = np.ascontiguousarray(weights * scale, np.float32)
        arrays[f"bias_{number}"] = np.ascontiguousarray(bias, np.float32)
    return arrays


def mlp_of(arrays, X, y):
    """An MLPClassifier with these weights: for two classes it has one output, their difference."""
    model = MLPClassifier(HIDDEN, max_iter=1).fit(X, y)
    model.coefs_ = [arrays[f"weights_{number}"] for number in (1, 2, 3)]
    model.intercepts_ = [arrays[f"bias_{number}"] for number in (1, 2, 3)]
    for parameters in (model.coefs_, model.intercepts_):
        parameters[-1] = parameters[-1][..., 1:] - parameters[-1][..., :1]
    return model


def write(folder, X, y, n_members):
    """Fit a classifier and write all files that the ways read."""
    model = BNSoftmaxClassifier(HIDDEN, n_members=n_members, random_state=0).fit(X, y)
    save_model(model, folder / "model.npz")
    if is_installed("onnx"):
        to_onnx(model, folder / "model.onnx")
    if is_installed("skops"):
        from skops.io import dump

        dump(model, folder / "model.skops")
    shutil.copy(predictor.__file__, folder)
    arrays = folded_weights(model)
    np.savez(folder / "folded.npz", **arrays)
    joblib.dump(mlp_of(arrays, X, y), folder / "mlp.joblib")
    np.save(folder / "row.npy", X[:1])


def check(ways, X):
    """Assert that ways with equal numbers of members give the same probabilities."""
    for n_members in (1, 2):
        found = {name: predict(X) for name, predict in ways.items() if WAYS[name][1] == n_members}
        expected = next(iter(found.values()))
        for name, probabilities in found.items():
            np.testing.assert_allclose(probabilities, expected, rtol=0, atol=2e-6, err_msg=name)


# Measuring.


def measure_rows(ways, X, n_rounds):
    """Seconds of a call of each way in each round, the ways in turn."""
    times = max(1, 200 // len(X))
    seconds = {name: [] for name in ways}
    for _ in range(n_rounds):
        for name, predict in ways.items():
            predict(X)
            started = process_time()
            for _ in range(times):
                predict(X)
            seconds[name].append((process_time() - started) / times)
    return {name: np.array(values) for name, values in seconds.items()}


def start(way, folder):
    """Wall and CPU seconds from a process's start to its first prediction."""
    command = [sys.executable, _serving.__file__, way, str(folder)]
    started = perf_counter()
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        answer = process.stdout.readline()
        wall = perf_counter() - started
    if not answer:
        sys.exit(f"a process ended with status {process.returncode} at {way}")
    return wall, float(answer)


def measure_starts(folders, names, n_starts):
    """Wall and CPU seconds (n_starts, 2) of starts by each way, the ways in turn."""
    ways = {name: (WAYS[name][0], folders[WAYS[name][1]]) for name in names}
    ways["NumPy's import"] = "numpy_alone", folders[1]
    seconds = {name: [] for name in ways}
    for _ in range(n_starts):
        for name, way in ways.items():
            seconds[name].append(start(*way))
    return {name: np.array(values) for name, values in seconds.items()}


def report(rows, starts):
    print(f"\n{'':28s}{'one row':>10s}{'1,000 rows':>12s}{'a row of 1,000':>16s}")
    for name in rows[1]:
        one, many = (1e6 * np.median(rows[n_rows][name]) for n_rows in (1, 1000))
        print(f"{name:28s}{one:7.1f} us{many:9.0f} us{many / 1000:13.3f} us")
    print(f"\n{'start to first prediction':28s}{'wall':>10s}{'CPU':>12s}")
    for name, seconds in starts.items():
        wall, cpu = 1e3 * np.median(seconds, axis=0)
        print(f"{name:28s}{wall:7.0f} ms{cpu:9.0f} ms")
    print()
    for n_rows, name, base, highest in ASKED:
        if {name, base} <= rows[n_rows].keys():
            ratio = np.median(rows[n_rows][name] / rows[n_rows][base])
            print(f"{n_rows:5,d} rows: {name} / {base}: {ratio:.2f} (asked: {highest:.2f})")
    beyond = starts["predictor, one member"] - starts["NumPy's import"]
    wall, cpu = np.median(beyond, axis=0)
    print(f"start of the predictor beyond NumPy's import: {wall:.3f} s, CPU {cpu:.3f} s ", end="")
    print(f"(asked: {START_ASKED} s)")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=25)
    parser.add_argument("--starts", type=int, default=11)
    arguments = parser.parse_args()
    others = [name for name in ("onnxruntime", "torch") if is_installed(name)]
    print(machine(), *(f"{name} {version(name)}" for name in others), sep=", ")
    if any(name in os.environ for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")):
        print("OPENBLAS_CORETYPE or OPENBLAS_L2_SIZE is set and may slow NumPy down: unset them")
    for name, (_, _, packages) in list(WAYS.items()):
        if not all(map(is_installed, packages)):
            print(f"{name}: not installed")
            del WAYS[name]
    X, y = shipped()["breast_cancer"]
    X = StandardScaler().fit_transform(X).astype(np.float32)
    X = np.tile(X, (2, 1))[:1000]
    with tempfile.TemporaryDirectory() as name:
        folders = {n_members: Path(name, str(n_members)) for n_members in (1, 2)}
        for n_members, folder in folders.items():
            folder.mkdir()
            write(folder, X, np.tile(y, 2)[:1000], n_members)
        ways = {
            name: getattr(_serving, way)(str(folders[n_members]))
            for name, (way, n_members, _) in WAYS.items()
        }
        check(ways, X)
        rows = {n_rows: measure_rows(ways, X[:n_rows], arguments.rounds) for n_rows in (1, 1000)}
        starts = measure_starts(folders, WAYS, arguments.starts)
    report(rows, starts)


if __name__ == "__main__":
    # The weights are replaced, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    main()
