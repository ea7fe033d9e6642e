"""What scikit-learn's callbacks cost, an epoch.

    python benchmarks/callbacks.py [--rounds 9] [--sizes AFC]

A fit of one network with callbacks against the same without, the arms one after another in each
round, process time with one BLAS thread; the sizes are those of speed.py. Printed are medians of
the differences in microseconds an epoch.

silent     a callback that asks for nothing and does nothing
fitted     one that asks for the fitted estimator, a copy of the network, and does nothing
logger     `skbn.callbacks.EpochLogger` of a function that does nothing
monitor    scikit-learn's ScoringMonitor, of the accuracy on the rows trained on

What fits without callbacks cost more since there are callbacks is told by ``same_speed.py BASE
HEAD --only smallest``, with BASE of before.
"""

import argparse
import warnings
from statistics import median

from _common import ONE, SIZES, machine
from sklearn.callback import ScoringMonitor
from speed import alternate
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.callbacks import EpochLogger


class Silent:
    """Asks for nothing."""

    def setup(self, estimator, context):
        pass

    def on_fit_task_begin(self, estimator, context):
        pass

    def on_fit_task_end(self, estimator, context):
        pass

    def teardown(self, estimator, context):
        pass


class Fitted(Silent):
    """Asks for the fitted estimator."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator):
        pass


CALLBACKS = {
    "silent": Silent,
    "fitted": Fitted,
    "logger": lambda: EpochLogger(lambda measures, epoch: None),
    "monitor": lambda: ScoringMonitor(scoring="accuracy"),
}


def measure(size, rounds):
    """Microseconds that callbacks of each kind add to an epoch."""
    X, y = size.data()
    shape = {"batch_size": size.batch, "max_iter": size.epochs, "random_state": 0}
    plain = BNSoftmaxClassifier(size.hidden, **ONE, **shape)
    arms = {"none": lambda: plain.fit(X, y)}
    for name, make in CALLBACKS.items():
        model = BNSoftmaxClassifier(size.hidden, **ONE, **shape).set_callbacks(make())
        arms[name] = lambda model=model: model.fit(X, y)
    seconds = alternate(arms, rounds)
    pairs = {name: zip(seconds[name], seconds["none"], strict=True) for name in CALLBACKS}
    return {
        name: median(1e6 * (mine - none) / size.epochs for mine, none in both)
        for name, both in pairs.items()
    }


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rounds", type=int, default=9)
    parser.add_argument("--sizes", default="FAC")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    print(machine())
    print(f"{'us an epoch':12s}" + "".join(f"{name:>10s}" for name in CALLBACKS))
    with threadpool_limits(1):
        for name in arguments.sizes:
            costs = measure(SIZES[name], arguments.rounds)
            print(f"{name:12s}" + "".join(f"{cost:10.0f}" for cost in costs.values()), flush=True)


if __name__ == "__main__":
    main()
