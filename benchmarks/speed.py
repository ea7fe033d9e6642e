"""How close training and prediction come to the matrix products alone, and to peers.

    python benchmarks/speed.py [--only fit,population,frame,predict,threads,rows]
                               [--sizes ABCDEF] [--rounds 7]

Every figure but one is a ratio of process CPU times with one BLAS thread, taken in one
process, the arms one after another in each round; it prints medians, and the ratio of
the best times in brackets.

fit         a whole fit against the products of its mini-batches: forward, weight
            gradients, input gradients but those of the first layer
population  the core with 16 members in lockstep, a member's share
frame       a fit from a DataFrame of float64 against one from a float32 array, size E
predict     predict_proba on 100,000 rows of size E against its forward products
threads     wall seconds of an epoch with one and with two BLAS threads
rows        time per row from 10,000 to 1,000,000 rows at the width of size D

Epochs, mini-batches, layers and optimiser (Adam, no penalty) are the same for all arms,
and all train on all rows. In sizes A and F a good part of the products' own time is that
of a call of matmul. Peers: ``pip install ".[bench]"``; those that are missing are said to
be.
"""

import argparse
import os
import warnings
from itertools import pairwise
from statistics import median
from time import perf_counter, process_time

import numpy as np
import pandas as pd
from _common import ONE, SIZES, machine, optional, torch_network
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.network.architecture import Architecture
from skbn.network.batches import batch_edges
from skbn.network.epochs import PER_MEMBER, Data, Settings, train
from skbn.network.epochs import stack_hyperparameters as stack
from skbn.network.state import initial_state

torch, skorch_package = optional("torch"), optional("skorch")
nn = torch and torch.nn


MEMBERS = 16


# The arms: each takes a size and its data, and gives what is to be timed.


def products(size, X, y):
    """The matrix products of the same mini-batches, in a plain loop, and nothing else."""
    weights = [np.full(pair, 1e-3, np.float32) for pair in pairwise(size.widths)]
    gradients = [np.empty_like(w) for w in weights]
    edges = list(pairwise(batch_edges(len(X), size.batch, normalised=True)))
    outputs, slopes = (
        {
            m: [np.ones((m, n), np.float32) for n in size.widths[1:]]
            for m in {end - start for start, end in edges}
        }
        for _ in range(2)
    )

    def step(x, outputs, slopes):
        for w, z in zip(weights, outputs, strict=True):
            np.matmul(x, w, out=z)
            x = z
        for layer in range(len(weights) - 1, 0, -1):
            np.matmul(outputs[layer - 1].T, slopes[layer], out=gradients[layer])
            np.matmul(slopes[layer], weights[layer].T, out=slopes[layer - 1])

    def run():
        for _ in range(size.epochs):
            for start, end in edges:
                m, x = end - start, X[start:end]
                step(x, outputs[m], slopes[m])
                np.matmul(x.T, slopes[m][0], out=gradients[0])

    return run


def skbn(size, X, y, **options):
    options = {"alpha": 0.0, "random_state": 0, **options}
    options = ONE | {"batch_size": size.batch, "max_iter": size.epochs} | options
    model = BNSoftmaxClassifier(size.hidden, **options)
    return lambda: model.fit(X, y)


def skbn_penalty(size, X, y):
    return skbn(size, X, y, alpha=BNSoftmaxClassifier().alpha)


def skbn_plain(size, X, y):
    return skbn(size, X, y, batch_norm=False)


def mlp(size, X, y):
    # Nothing stops it early or warns that it did not.
    options = {"tol": 0, "n_iter_no_change": 10**6, "alpha": 0.0, "random_state": 0}
    model = MLPClassifier(size.hidden, batch_size=size.batch, max_iter=size.epochs, **options)
    return lambda: model.fit(X, y)


def pytorch(size, X, y):
    """A plain loop over tensors: no loader, whose workers and collation cost more."""
    n_batches = len(batch_edges(len(X), size.batch, normalised=True)) - 1
    X, y = torch.from_numpy(X), torch.from_numpy(y)
    loss = nn.CrossEntropyLoss()

    def run():
        module = torch_network(size.widths)
        optimizer = torch.optim.Adam(module.parameters(), fused=True)
        for _ in range(size.epochs):
            for rows in torch.randperm(len(X)).tensor_split(n_batches):
                optimizer.zero_grad()
                loss(module(X[rows]), y[rows]).backward()
                optimizer.step()

    return run


def skorch(size, X, y):
    net = skorch_package.NeuralNetClassifier(
        torch_network(size.widths),
        criterion=nn.CrossEntropyLoss,
        optimizer=torch.optim.Adam,
        optimizer__fused=True,
        max_epochs=size.epochs,
        batch_size=size.batch,
        iterator_train__shuffle=True,
        train_split=None,
        callbacks="disable",
        verbose=0,
    )
    return lambda: net.fit(X, y)


def population(size, X, y):
    """The core alone with some members in lockstep, each with a learning rate of its own."""
    architecture = Architecture(size.features, size.hidden, size.classes)
    settings = Settings("adam", True, "one_cycle", size.batch, shuffle=True)
    model = BNSoftmaxClassifier(max_iter=size.epochs, alpha=0.0)
    members = [
        {name: getattr(model, name) for name in PER_MEMBER} | {"learning_rate_init": rate}
        for rate in np.geomspace(1e-4, 1e-2, MEMBERS)
    ]
    seeds = [np.random.SeedSequence(member) for member in range(MEMBERS)]

    def run():
        state = initial_state(architecture, "adam", ["auto"] * MEMBERS, seeds, np.float32)
        epochs = train(architecture, settings, stack(members), state, Data(X, y))
        for _ in range(size.epochs):
            next(epochs)

    return run


# Measuring.


def alternate(arms, rounds, clock=process_time):
    """Seconds of each arm in each round, the arms one after another."""
    for run in arms.values():
        run()
    seconds = {name: [] for name in arms}
    for _ in range(rounds):
        for name, run in arms.items():
            started = clock()
            run()
            seconds[name].append(clock() - started)
    return seconds


def ratio(seconds, base, share=1):
    """Median against median, and best against best."""
    middle = median(seconds) / median(base) / share
    return f"{middle:6.2f} ({min(seconds) / min(base) / share:5.2f})"


def measure_fit(sizes, rounds):
    arms = {
        "skbn": skbn,
        "with its penalty": skbn_penalty,
        "no batch norm": skbn_plain,
        "MLPClassifier": mlp,
    }
    if torch is not None:
        arms["PyTorch"] = pytorch
    if torch is not None and skorch_package is not None:
        arms["skorch"] = skorch
    for name in {"PyTorch", "skorch"} - arms.keys():
        print(f"{name} is not installed: left out")
    print(f"{'size':5s}{'products, step':>16s}  " + "  ".join(f"{name:>16s}" for name in arms))
    for name in sizes:
        size = SIZES[name]
        X, y = size.data()
        runs = {"products": products(size, X, y)}
        runs |= {arm: make(size, X, y) for arm, make in arms.items()}
        seconds = alternate(runs, rounds)
        base = seconds.pop("products")
        steps = size.epochs * (len(batch_edges(len(X), size.batch, True)) - 1)
        line = "  ".join(f"{ratio(seconds[arm], base):>16s}" for arm in arms)
        print(f"{name:5s}{median(base) / steps * 1e6:13.1f} us  {line}", flush=True)


def measure_population(sizes, rounds):
    for name in sizes:
        size = SIZES[name]
        X, y = size.data()
        seconds = alternate(
            {"products": products(size, X, y), "population": population(size, X, y)}, rounds
        )
        share = ratio(seconds["population"], seconds["products"], MEMBERS)
        print(f"{name}: {MEMBERS} members, a member's share {share} of its products")


def measure_frame(rounds):
    size = SIZES["E"]
    X, y = size.data()
    frame = pd.DataFrame({str(i): column for i, column in enumerate(X.T.astype(np.float64))})
    seconds = alternate({"array": skbn(size, X, y), "frame": skbn(size, frame, y)}, rounds)
    print(f"fit from a DataFrame of float64: {ratio(seconds['frame'], seconds['array'])} of")
    print(f"fit from a float32 array, {size.epochs} epochs of E")


def measure_predict(rounds):
    size = SIZES["E"]
    model = skbn(size, *size.data())()
    for dtype in (np.float32, np.float64):
        X = size.data(100_000)[0].astype(dtype)
        weights = [np.ones(pair, dtype) for pair in pairwise(size.widths)]
        outputs = [np.empty((len(X), n), dtype) for n in size.widths[1:]]

        def forward(x=X, weights=weights, outputs=outputs):
            for w, z in zip(weights, outputs, strict=True):
                x = np.matmul(x, w, out=z)

        arms = {"products": forward, "predict": lambda X=X: model.predict_proba(X)}
        seconds = alternate(arms, rounds)
        share = ratio(seconds["predict"], seconds["products"])
        print(f"predict_proba of {len(X):,} rows, {np.dtype(dtype)}: {share} of its products")


def measure_threads(sizes, rounds):
    """Wall time: process time adds up the threads'."""
    for name in sizes:
        size = SIZES[name]
        run = skbn(size, *size.data())

        def limited(n_threads, run=run):
            with threadpool_limits(n_threads, "blas"):
                run()

        arms = {n: lambda n=n, limited=limited: limited(n) for n in (1, 2)}
        seconds = alternate(arms, rounds, perf_counter)
        one, two = (median(seconds[n]) / size.epochs for n in (1, 2))
        print(
            f"{name}: {one:.4f} s an epoch with one BLAS thread, {two:.4f} s with two", flush=True
        )


def measure_rows(rounds):
    size = SIZES["D"]
    base = None
    for rows in (10_000, 100_000, 1_000_000):
        X, y = size.data(rows)
        model = BNSoftmaxClassifier(
            size.hidden, **ONE, batch_size=size.batch, max_iter=1, alpha=0.0, random_state=0
        )
        repeats = max(1, rounds * 10_000 // rows)
        seconds = alternate({"fit": lambda model=model, X=X, y=y: model.fit(X, y)}, repeats)
        per_row = median(seconds["fit"]) / rows
        base = base or per_row
        print(f"{rows:9,d} rows: {per_row * 1e6:.2f} us a row and epoch, {per_row / base:.2f}")


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--only", default="fit,population,frame,predict,threads,rows")
    parser.add_argument("--sizes", default="ABCDEF")
    parser.add_argument("--rounds", type=int, default=7)
    arguments = parser.parse_args()
    chosen, rounds = arguments.only.split(","), arguments.rounds
    sizes = [name for name in SIZES if name in arguments.sizes]
    print(machine())
    if any(name in os.environ for name in ("OPENBLAS_CORETYPE", "OPENBLAS_L2_SIZE")):
        print("OPENBLAS_CORETYPE or OPENBLAS_L2_SIZE is set and may slow NumPy down: unset them")
    if torch is not None:
        torch.set_num_threads(1)
    with threadpool_limits(1):
        if "fit" in chosen:
            measure_fit(sizes, rounds)
        if "population" in chosen:
            measure_population([name for name in "AF" if name in sizes], rounds)
        if "frame" in chosen:
            measure_frame(rounds)
        if "predict" in chosen:
            measure_predict(rounds)
        if "rows" in chosen:
            measure_rows(rounds)
    if "threads" in chosen:
        measure_threads(sizes, rounds)


if __name__ == "__main__":
    # A given number of epochs is what is timed, converged or not.
    warnings.simplefilter("ignore", ConvergenceWarning)
    main()
