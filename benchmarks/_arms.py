"""The arms of accuracy.py: classifiers as their users would take them, and variations of skbn."""

from __future__ import annotations

import hashlib
import importlib.metadata
import logging
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from _common import optional, torch_network
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.neural_network import MLPClassifier

import skbn
from skbn import BNSoftmaxClassifier, tabular_pipeline
from skbn.estimators.parameters import automatic_batch_size

torch, pytabkit = optional("torch"), optional("pytabkit")


@dataclass(frozen=True)
class Arm:
    """What makes a classifier of a seed, and the packages that its results hang on."""

    make: Callable[[int], Any]
    packages: tuple[str, ...] = ("scikit-learn",)
    raw: bool = False
    """Whether it takes the DataFrame as it is and prepares it itself."""

    @property
    def versions(self):
        return " ".join(f"{name}-{version(name)}" for name in self.packages)


@cache
def version(package):
    """Version of a package; of skbn, which changes faster than its version, a digest of it."""
    if package != "skbn":
        return importlib.metadata.version(package)
    sources = sorted(Path(skbn.__file__).parent.rglob("*.py"))
    return hashlib.sha256(b"".join(path.read_bytes() for path in sources)).hexdigest()[:8]


class TorchClassifier:
    """PyTorch with skbn's default network, epochs, batches, optimiser, penalty and peak rate.

    The loop is what one would write by hand, with the schedule that PyTorch has for it.
    """

    def __init__(self, seed):
        self.seed = seed
        self.settings = BNSoftmaxClassifier().get_params()

    def fit(self, X, y):
        torch.manual_seed(self.seed)
        settings, nn = self.settings, torch.nn
        widths = (X.shape[1], *settings["hidden_layer_sizes"], int(y.max()) + 1)
        self.net, loss = torch_network(widths), nn.CrossEntropyLoss()
        X, y = torch.from_numpy(X.astype(np.float32)), torch.from_numpy(y)
        batch = settings["batch_size"]
        if batch == "auto":
            batch = automatic_batch_size(len(X))
        n_batches, n_epochs = -(-len(X) // batch), settings["max_iter"]
        make = {"adam": torch.optim.Adam, "adamw": torch.optim.AdamW}[settings["solver"]]
        peak = settings["learning_rate_init"]
        optimizer = make(self.net.parameters(), peak, weight_decay=settings["alpha"], fused=True)
        schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, n_epochs * n_batches)
        self.net.train()
        for _ in range(n_epochs):
            for rows in torch.randperm(len(X)).tensor_split(n_batches):
                optimizer.zero_grad()
                loss(self.net(X[rows]), y[rows]).backward()
                optimizer.step()
                schedule.step()
        return self

    def predict_proba(self, X):
        self.net.eval()
        with torch.no_grad():
            logits = self.net(torch.from_numpy(X.astype(np.float32)))
        return logits.double().softmax(dim=1).numpy()


def realmlp(seed):
    """RealMLP-TD-S as it comes: denormal numbers slow its fits of noisy sets two- or threefold."""
    logging.getLogger("pytorch_lightning").setLevel(logging.ERROR)
    warnings.filterwarnings("ignore", module="lightning|pytorch_lightning")
    return pytabkit.RealMLP_TD_S_Classifier(device="cpu", n_threads=1, random_state=seed)


def skbn_with(changes):
    return Arm(lambda seed: BNSoftmaxClassifier(**changes, random_state=seed), ("skbn",))


def scikit_learn(make, **params):
    return Arm(lambda seed: make(**params, random_state=seed))


ARMS = {
    "skbn": skbn_with({}),
    "MLPClassifier": scikit_learn(MLPClassifier),
    "MLP-stopping": scikit_learn(MLPClassifier, early_stopping=True),
    "logistic": scikit_learn(LogisticRegression),
    "boosting": scikit_learn(HistGradientBoostingClassifier),
}
if torch is not None:
    ARMS["PyTorch"] = Arm(TorchClassifier, ("torch", "skbn"))
if pytabkit is not None:
    ARMS["RealMLP"] = Arm(realmlp, ("pytabkit", "torch"))
if optional("skrub") is not None:
    ARMS["tabular"] = Arm(
        lambda seed: tabular_pipeline(BNSoftmaxClassifier(random_state=seed)),
        ("skbn", "scikit-learn", "skrub"),
        raw=True,
    )

CHANGES = [
    {"n_members": 1},
    {"n_members": 1, "calibrate": False},
    {"calibrate": False},
    {"n_members": 3},
    {"n_members": 4},
    {"max_iter": 20},
    {"validation_fraction": 0.05},
    {"validation_fraction": 0.2},
    {"early_stopping": True},
    {"hidden_layer_sizes": (192,)},
    {"hidden_layer_sizes": (192, 192, 192)},
    {"hidden_layer_sizes": (128, 128)},
    {"hidden_layer_sizes": (256, 256)},
    {"max_iter": 8},
    {"max_iter": 30},
    {"batch_size": 32},
    {"batch_size": 256},
    {"learning_rate_init": 0.001},
    {"learning_rate_init": 0.01},
    {"learning_rate": "constant"},
    {"learning_rate": "one_cycle"},
    {"warmup_fraction": 0.1},
    {"beta_2": 0.999},
    {"alpha": 0.0},
    {"alpha": 0.003},
    {"alpha": 0.03},
    {"solver": "adamw", "alpha": 1.0},
    {"dropout": 0.1},
    {"dropout": 0.25},
    {"input_dropout": 0.1},
    {"noise": 0.1},
    {"noise": 0.3},
    {"input_noise": 0.1},
    {"label_smoothing": 0.05},
    {"activation": "silu"},
    {"activation": "mish"},
    {"batch_norm": False},
]
"""What ``--ablation`` changes of the defaults, a row each."""


def variations():
    """skbn's defaults, and each change of them by its own text."""
    arms = {"defaults": skbn_with({})}
    for changes in CHANGES:
        arms[", ".join(f"{name}={value}" for name, value in changes.items())] = skbn_with(changes)
    return arms
