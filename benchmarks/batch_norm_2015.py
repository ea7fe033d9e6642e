"""How much sooner batch norm gets there: section 4.1 of Ioffe & Szegedy 2015 on MNIST.

    python benchmarks/batch_norm_2015.py [--data FOLDER] [--picture FILE] [--momentum 0.9]

It takes half an hour on one core, and prints its figures as they come.

Binary images, three hidden layers of 100 logistic units and mini-batches of 60, as in the
paper (arXiv:1502.03167); gradient descent, whose rate and momentum the paper does not tell
for this network. The one without batch norm takes the paper's 50,000 steps, and batch norm
is given a fourteenth of these. Each chooses among the same learning rates and schedules by
its accuracy, after as many steps, on the last 12,000 training images, the mean of three
seeds; it is then trained on all 60,000, and tested every 100 steps of the first 10,000 and
every 1,000 of the others.

The level to reach is the mean test accuracy of the network without batch norm over the
last tenth of its 50,000 steps, with the best constant rate and with the best schedule of
all. What is printed is how many times fewer steps the arms take until they first hold it:
first than 50,000, then, more cautiously, than that network until it first holds it itself.
With one cycle the rate falls to its end within a run, so that runs of several lengths are
tried. The last arm takes batch norm away from these runs: it tells what is due to the
schedule. Prediction uses averages over some hundred mini-batches.
"""

import argparse
from itertools import product
from operator import itemgetter

import numpy as np
from _common import ONE, machine, mnist
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier

STEPS, BATCH, SLICE, RATIO, HELD_OUT = 50_000, 60, 100, 14, 12_000
SHORT = STEPS // RATIO // SLICE * SLICE
LENGTHS = (2500, 3000, SHORT, 4000, 5000, 7000, 10_000)
"""Of the runs with one cycle."""
DRAWN = (4000, 10_000)
RATES = (0.3, 1.0, 3.0, 10.0, 30.0)
"""Without momentum; with it less, for steps as long."""
SCHEDULES = ("constant", "one_cycle")
SETTINGS = ONE | {
    "hidden_layer_sizes": (100, 100, 100),
    "activation": "logistic",
    "solver": "sgd",
    "alpha": 0.0,
    "batch_size": BATCH,
    "bn_momentum": 0.99,
}


def curve(data, steps, seed, **settings):
    """Steps and the accuracies after them; zeros of a network that diverged."""
    X, X_test, y, y_test = data
    order = np.random.default_rng(seed).permutation(len(X))
    X, y, rows = X[order], y[order], SLICE * BATCH
    model = BNSoftmaxClassifier(**SETTINGS, **settings, max_iter=steps // SLICE, random_state=seed)
    marks, accuracies = [], []
    # An epoch of partial_fit is a slice of the rows, which is shuffled within.
    for step in range(SLICE, steps + 1, SLICE):
        start = (step - SLICE) * BATCH % len(X)
        try:
            model.partial_fit(X[start : start + rows], y[start : start + rows], np.arange(10))
        except ValueError as error:
            if "diverged" not in str(error):
                raise
            return np.array([float(steps)]), np.zeros(1)
        if step <= 10_000 or step % 1000 == 0:
            marks.append(step)
            accuracies.append(np.mean(model.predict(X_test) == y_test))
    return np.array(marks, float), np.array(accuracies)


def final(curve):
    steps, accuracies = curve
    return accuracies[steps > 0.9 * steps[-1]].mean()


def first(curve, level):
    """The first step at which the level is held, infinite where there is none."""
    steps, accuracies = curve
    return np.min(steps[accuracies >= level], initial=np.inf)


def tuned(data, batch_norm, steps, momentum):
    """For each schedule the best mean validation accuracy and the settings it was found with."""
    X, _, y, _ = data
    parts = X[:-HELD_OUT], X[-HELD_OUT:], y[:-HELD_OUT], y[-HELD_OUT:]
    best = dict.fromkeys(SCHEDULES, (-1.0, {}))
    for schedule, rate in product(SCHEDULES, RATES):
        settings = {
            "batch_norm": batch_norm,
            "momentum": momentum,
            "learning_rate": schedule,
            "learning_rate_init": rate * (1 - momentum),
        }
        accuracy = np.mean([final(curve(parts, steps, seed, **settings)) for seed in range(3)])
        name = "batch norm" if batch_norm else "without"
        print(f"{name:10s}{steps:7d}  {schedule:10s}{rate:6g}{accuracy:12.2%}", flush=True)
        best[schedule] = max(best[schedule], (accuracy, settings), key=itemgetter(0))
    return best


def draw(curves, path):
    from matplotlib import pyplot

    figure, axes = pyplot.subplots(figsize=(7, 4), layout="constrained")
    for name, (steps, accuracies) in curves.items():
        axes.plot(steps, accuracies, label=name, linewidth=1.2)
    axes.set(xscale="log", xlabel="training steps", ylabel="test accuracy", ylim=(0.9, 0.985))
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def compare(plain, arms):
    """Print what each arm gains over a network without batch norm; give the two ratios."""
    level, own = final(plain), first(plain, final(plain))
    print(f"{level:.2%}, first held at step {own:g}")
    steps = [min(first(run, level) for run in runs) for runs in arms.values()]
    ratios = [(STEPS / n, own / n) for n in steps]
    for name, n, (of_steps, of_own) in zip(arms, steps, ratios, strict=True):
        gain = f"step {n:g}, {of_steps:.1f} and {of_own:.1f} times fewer"
        print(f"    {name}: {gain if np.isfinite(n) else 'never'}", flush=True)
    return ratios


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of mnist.npz; fetched from OpenML without")
    parser.add_argument("--picture", help="file to draw the first seed's curves to")
    parser.add_argument("--momentum", type=float, default=0.0)
    parser.add_argument("--seeds", type=int, default=5)
    arguments = parser.parse_args()
    X, X_test, y, y_test = mnist(arguments.data)
    data = (X > 0.5).astype(np.float32), (X_test > 0.5).astype(np.float32), y, y_test
    print(f"{machine()}\narm         steps  schedule   rate  validation")
    momentum = arguments.momentum
    long = tuned(data, False, STEPS, momentum)
    short = {batch_norm: tuned(data, batch_norm, SHORT, momentum) for batch_norm in (True, False)}
    references = {"constant": long["constant"], "best": max(long.values(), key=itemgetter(0))}
    ratios = {name: [] for name in references}
    for seed in range(arguments.seeds):
        arms = {
            "batch norm, one cycle": [(n, short[True]["one_cycle"]) for n in LENGTHS],
            "batch norm, constant rate": [(STEPS, short[True]["constant"])],
            "without, one cycle": [(n, short[False]["one_cycle"]) for n in LENGTHS],
        }
        print(f"seed {seed}")
        for name, runs in arms.items():
            arms[name] = [curve(data, n, seed, **settings) for n, (_, settings) in runs]
            ends = ", ".join(f"{final(run):.2%} of {run[0][-1]:g}" for run in arms[name])
            print(f"  {name}: at the end {ends}", flush=True)
        cycles, (constant,), _ = arms.values()
        shown = {
            f"batch norm, one cycle of {n:,} steps": run
            for n, run in zip(LENGTHS, cycles, strict=True)
            if n in DRAWN
        }
        shown["batch norm, constant rate"] = constant
        for name, (_, settings) in references.items():
            plain = curve(data, STEPS, seed, **settings)
            print(f"  without batch norm, {settings}: ", end="")
            ratios[name].append(compare(plain, arms))
            shown[f"without, {settings['learning_rate']}"] = plain
        if seed == 0 and arguments.picture:
            draw(shown, arguments.picture)
    print(f"medians; {RATIO} is asked of the first")
    for (reference, of_seeds), (i, arm) in product(ratios.items(), enumerate(arms)):
        of_steps, of_own = np.median(of_seeds, axis=0)[i]
        gain = f"{of_steps:.1f} and {of_own:.1f} times fewer"
        print(f"  {arm} against {reference}: {gain if of_steps else 'never'}")


if __name__ == "__main__":
    with threadpool_limits(1):
        main()
