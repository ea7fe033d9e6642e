"""Wall seconds of training until the test accuracy on MNIST first reaches a level.

    python benchmarks/time_to_accuracy.py [--data FOLDER] [--seeds 3] [--arms skbn,...]

60,000 training and 10,000 test images, pixels scaled to [0, 1]. Each library trains with
each of its settings, epoch by epoch; the test after an epoch is not timed. What counts is
the median over the seeds of the first time at which a level is held; the best setting of
a library for a level is the one with the shortest. All use as many threads as there are
cores. Peers: ``pip install ".[bench]"``; those that are missing are said to be.
"""

import argparse
import os
import warnings
from statistics import median
from time import perf_counter

import numpy as np
from _common import ONE, machine, mnist, optional, torch_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier

torch, skorch_package = optional("torch"), optional("skorch")
nn = torch and torch.nn

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
LEVELS = (0.975, 0.98, 0.985)


# The arms: each takes its settings, a seed and the training rows, and gives a function that
# trains for one epoch and one that predicts.


def skbn(settings, seed, X, y):
    model = BNSoftmaxClassifier(**ONE, **settings, random_state=seed)
    classes = np.unique(y)
    return lambda: model.partial_fit(X, y, classes=classes), model.predict


def mlp(settings, seed, X, y):
    model = MLPClassifier(**settings, random_state=seed)
    classes = np.unique(y)
    return lambda: model.partial_fit(X, y, classes=classes), model.predict


def pytorch(settings, seed, X, y):
    hidden, batch = settings["hidden"], settings["batch_size"]
    torch.manual_seed(seed)
    net, loss = torch_network((784, *hidden, 10)), nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(net.parameters(), settings["lr"], fused=True)
    n_batches = -(-len(X) // batch)
    schedule = None
    if "one_cycle" in settings:
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, settings["lr"], total_steps=settings["one_cycle"] * n_batches + 1
        )
    X, y = torch.from_numpy(X), torch.from_numpy(y)

    def epoch():
        net.train()
        for rows in torch.randperm(len(X)).tensor_split(n_batches):
            optimizer.zero_grad()
            loss(net(X[rows]), y[rows]).backward()
            optimizer.step()
            if schedule is not None:
                schedule.step()

    def predict(X):
        net.eval()
        with torch.no_grad():
            return net(torch.from_numpy(X)).argmax(dim=1).numpy()

    return epoch, predict


def skorch(settings, seed, X, y):
    torch.manual_seed(seed)
    n_steps = settings.get("one_cycle", 0) * -(-len(X) // settings["batch_size"])

    class OneCycle(skorch_package.callbacks.Callback):
        """skorch's own LRScheduler starts anew at each partial_fit."""

        schedule = None

        def on_train_begin(self, net, **_):
            if n_steps and self.schedule is None:
                self.schedule = torch.optim.lr_scheduler.OneCycleLR(
                    net.optimizer_, settings["lr"], total_steps=n_steps + 1
                )

        def on_batch_end(self, net, training, **_):
            if n_steps and training:
                self.schedule.step()

    net = skorch_package.NeuralNetClassifier(
        torch_network((784, *settings["hidden"], 10)),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        lr=settings["lr"],
        max_epochs=1,
        batch_size=settings["batch_size"],
        iterator_train__shuffle=True,
        train_split=None,
        callbacks=[OneCycle()],
        callbacks__valid_acc=None,
        verbose=0,
    ).initialize()
    return lambda: net.partial_fit(X, y), net.predict


ONE_CYCLES = [
    # Hidden layers, epochs, rows of a mini-batch, peak learning rate.
    ((256, 256), 1, 256, 0.01),
    ((256, 256), 2, 512, 0.02),
    ((256, 256), 6, 512, 0.02),
    ((512, 512), 4, 256, 0.01),
]
SKBN = [
    {
        "hidden_layer_sizes": hidden,
        "max_iter": epochs,
        "batch_size": batch,
        "learning_rate_init": rate,
        "alpha": 0.0,
    }
    for hidden, epochs, batch, rate in ONE_CYCLES
]
MLP = [
    {"hidden_layer_sizes": (256,)},
    {"hidden_layer_sizes": (256, 256)},
    {"hidden_layer_sizes": (256, 256), "batch_size": 256, "learning_rate_init": 0.002},
    {"hidden_layer_sizes": (512, 512), "batch_size": 256},
]
TORCH = [
    {"hidden": hidden, "batch_size": batch, "lr": rate, "one_cycle": epochs}
    for hidden, epochs, batch, rate in ONE_CYCLES
]
TORCH += [
    {"hidden": (256, 256), "batch_size": 256, "lr": 0.001},
    {"hidden": (256, 256), "batch_size": 128, "lr": 0.001},
]
ARMS = {
    "skbn": (skbn, SKBN),
    "MLPClassifier": (mlp, MLP),
    "PyTorch": (pytorch, TORCH),
    "skorch": (skorch, TORCH),
}
LONGEST = 15
"""Epochs after which a setting gives up, unless its schedule ends sooner."""


def race(make, settings, seed, data):
    """Seconds to each level, infinite where it was not reached."""
    X_train, X_test, y_train, y_test = data
    epoch, predict = make(settings, seed, X_train, y_train)
    reached, seconds = dict.fromkeys(LEVELS, np.inf), 0.0
    for _ in range(settings.get("max_iter", settings.get("one_cycle", LONGEST))):
        started = perf_counter()
        epoch()
        seconds += perf_counter() - started
        accuracy = np.mean(predict(X_test) == y_test)
        for level in LEVELS:
            if accuracy >= level:
                reached[level] = min(reached[level], seconds)
        if max(reached.values()) < np.inf:
            break
    return list(reached.values())


def seconds_text(seconds):
    return "   never" if np.isinf(seconds) else f"{seconds:6.2f} s"


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of mnist.npz; fetched from OpenML without")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--arms", default=",".join(ARMS))
    arguments = parser.parse_args()
    data = mnist(arguments.data)
    print(f"{machine()}, {CORES} threads")
    if torch is not None:
        torch.set_num_threads(CORES)
    print("  ".join(f"{level:>8.1%}" for level in LEVELS), " library and settings")
    missing = {"PyTorch": torch is None, "skorch": torch is None or skorch_package is None}
    best = {}
    for arm in arguments.arms.split(","):
        if missing.get(arm):
            print(f"{arm} is not installed: left out")
            continue
        make, all_settings = ARMS[arm]
        rows = []
        for settings in all_settings:
            times = [race(make, settings, seed, data) for seed in range(arguments.seeds)]
            rows.append([median(column) for column in zip(*times, strict=True)])
            print("  ".join(map(seconds_text, rows[-1])), "", arm, settings, flush=True)
        best[arm] = np.min(rows, axis=0)
    print("\nthe best setting for each level, and its time in skbn's")
    for arm, times in best.items():
        with np.errstate(invalid="ignore"):
            shares = times / best.get("skbn", times)
        cells = [f"{seconds_text(t)} ({r:5.1f})" for t, r in zip(times, shares, strict=True)]
        print("  ".join(cells), "", arm)


if __name__ == "__main__":
    # An epoch at a time is not meant to converge.
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(CORES, "blas"):
        main()
