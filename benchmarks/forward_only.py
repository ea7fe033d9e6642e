"""What it costs to write the forward pass only.

    env -u OPENBLAS_CORETYPE -u OPENBLAS_L2_SIZE python benchmarks/forward_only.py [--rounds 9]
        [--only fit,minimize] [--sizes AC]

Process CPU time with one thread, the arms one after another in each round; printed are medians
of the rounds' ratios, with the ratio of the best times in brackets.

fit         a fit of one network with an activation or a loss of one's own, which equals the
            written one, against that; the sizes are those of speed.py
minimize    `skbn.minimize` against PyTorch in eager mode: logistic regression of 10,000 rows by
            50 columns, float64, batches of 128 in random order, the cost by ``logaddexp``, the
            same optimiser; PyTorch's with and without ``fused=True``
"""

import argparse
import warnings
from functools import partial
from statistics import median

import numpy as np
from _common import ONE, SIZES, machine, optional
from sklearn.base import clone
from speed import alternate
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier, minimize

torch = optional("torch")

ROWS, COLUMNS, BATCH, EPOCHS, RATE = 10_000, 50, 128, 10, 0.01
SOLVERS = {"adam": "Adam", "sgd": "SGD", "rmsprop": "RMSprop"}
"""Optimisers by name, and PyTorch's of the same steps, but for the place of an epsilon."""


def problem():
    """Rows, and labels of -1 and 1."""
    stream = np.random.default_rng(0)
    X = stream.standard_normal((ROWS, COLUMNS))
    noise = stream.logistic(size=ROWS)
    return X, np.where(X @ stream.standard_normal(COLUMNS) + noise > 0, 1.0, -1.0)


def cost(w, data):
    X, y = data
    return np.logaddexp(0, -y * (X @ w)).mean()


def of_skbn(X, y, solver):
    options = {"learning_rate_init": RATE, "batch_size": BATCH, "random_state": 0}
    return lambda: (
        minimize(cost, np.zeros(COLUMNS), (X, y), solver=solver, max_iter=EPOCHS, **options).x
    )


def of_torch(X, y, solver, **options):
    """The loop that one would write by hand."""
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    n_batches, zero = -(-ROWS // BATCH), torch.zeros((), dtype=torch.float64)

    def run():
        w = torch.zeros(COLUMNS, dtype=torch.float64, requires_grad=True)
        optimizer = getattr(torch.optim, SOLVERS[solver])([w], lr=RATE, **options)
        for _ in range(EPOCHS):
            for rows in torch.randperm(ROWS).tensor_split(n_batches):
                optimizer.zero_grad()
                torch.logaddexp(zero, -y[rows] * (X[rows] @ w)).mean().backward()
                optimizer.step()
        return w.detach().numpy()

    return run


def relu(z):
    return np.maximum(z, 0)


def cross_entropy(logits, targets):
    z = logits - np.max(logits, axis=1, keepdims=True)
    return np.log(np.sum(np.exp(z), axis=1)) - (targets * z).sum(axis=1)


def focal(logits, targets):
    p = np.exp(logits - np.max(logits, axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return -(targets * (1 - p) ** 2 * np.log(p + 1e-12)).sum(axis=1)


OWN = {
    "activation=relu": ({"activation": relu}, {}),
    "loss=cross_entropy": ({"loss": cross_entropy}, {}),
    "both": ({"activation": relu, "loss": cross_entropy}, {}),
    "loss=focal": ({"loss": focal}, {"loss": "focal"}),
    '"focal" itself': ({"loss": "focal"}, {}),
}
"""Parameters, and those of the fit to compare with."""


def measure_fit(rounds, sizes):
    """How many times as long a fit with functions of one's own takes."""
    print(f"{'fit':20s}" + "".join(f"{name:>16s}" for name in sizes))
    ratios = {name: [] for name in OWN}
    for size in (SIZES[name] for name in sizes):
        X, y = size.data()
        shape = {"batch_size": size.batch, "max_iter": size.epochs, "random_state": 0}
        model = BNSoftmaxClassifier(size.hidden, **ONE, **shape)
        for name, each in OWN.items():
            arms = {
                which: partial(clone(model).set_params(**params).fit, X, y)
                for which, params in zip(("own", "written"), each, strict=True)
            }
            seconds = alternate(arms, rounds)
            pairs = zip(*seconds.values(), strict=True)
            best = min(seconds["own"]) / min(seconds["written"])
            ratios[name].append(f"{median(a / b for a, b in pairs):9.2f} ({best:4.2f})")
    for name, each in ratios.items():
        print(f"{name:20s}" + "".join(each), flush=True)


def measure_minimize(rounds, sizes):
    """Both come to the same, and how long they take."""
    if torch is None:
        print("minimize: PyTorch is not installed: left out")
        return
    X, y = problem()
    n_steps = EPOCHS * -(-ROWS // BATCH)
    print(f"{'minimize':10s}{'us a step':>10s}{'PyTorch':>10s}{'ratio':>15s}{'costs':>20s}")
    for solver in SOLVERS:
        for fused in [False] if solver == "rmsprop" else [False, True]:
            options = {"fused": True} if fused else {}
            arms = {"skbn": of_skbn(X, y, solver), "PyTorch": of_torch(X, y, solver, **options)}
            mine, theirs = (f"{cost(run(), (X, y)):.4f}" for run in arms.values())
            seconds = alternate(arms, rounds)
            pairs = list(zip(*seconds.values(), strict=True))
            middle = median(a / b for a, b in pairs)
            best = min(seconds["skbn"]) / min(seconds["PyTorch"])
            us = [1e6 * median(each) / n_steps for each in seconds.values()]
            name = f"{solver}{', fused' * fused}"
            print(
                f"{name:12s}{us[0]:8.0f}{us[1]:10.0f}{middle:8.2f} ({best:4.2f})"
                f"{mine:>12s} {theirs}",
                flush=True,
            )


PARTS = {"fit": measure_fit, "minimize": measure_minimize}


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--only", default=",".join(PARTS))
    parser.add_argument("--sizes", default="AC")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    if torch is not None:
        torch.set_num_threads(1)
    print(machine())
    with threadpool_limits(1):
        for name in arguments.only.split(","):
            PARTS[name](arguments.rounds, arguments.sizes)


if __name__ == "__main__":
    main()
