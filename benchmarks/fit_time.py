"""Process time of one fit against MLPClassifier on the same sizes.

    python benchmarks/fit_time.py

20,000 rows of 54 features, hidden layers (256, 256, 256), 7 classes, batches of 256,
Adam, the same number of epochs on all rows; skbn with batch norm, MLPClassifier has
none. One BLAS thread, arms alternated.
"""

import warnings
from statistics import median
from time import process_time

import numpy as np
from _common import machine
from sklearn.exceptions import ConvergenceWarning
from sklearn.neural_network import MLPClassifier
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier

EPOCHS, ROUNDS = 2, 7
SIZES = {"hidden_layer_sizes": (256, 256, 256), "batch_size": 256, "max_iter": EPOCHS}


def main():
    stream = np.random.default_rng(0)
    X = stream.standard_normal((20_000, 54)).astype(np.float32)
    y = (X @ stream.standard_normal((54, 7))).argmax(axis=1)
    arms = {
        "skbn, batch norm": BNSoftmaxClassifier(**SIZES, random_state=0),
        "skbn, no batch norm": BNSoftmaxClassifier(**SIZES, batch_norm=False, random_state=0),
        # tol=0 and patience keep it from stopping early or warning that it has not.
        "MLPClassifier": MLPClassifier(**SIZES, tol=0, n_iter_no_change=10**6, random_state=0),
    }
    seconds = {name: [] for name in arms}
    for _ in range(ROUNDS):
        for name, model in arms.items():
            started = process_time()
            model.fit(X, y)
            seconds[name].append(process_time() - started)
    print(machine())
    base = median(seconds["MLPClassifier"])
    for name, times in seconds.items():
        epoch = median(times) / EPOCHS
        print(f"{name:20s} {epoch:.3f} s per epoch, {median(times) / base:.2f} of MLPClassifier's")


if __name__ == "__main__":
    # Two epochs are enough to time, if not to converge.
    warnings.simplefilter("ignore", ConvergenceWarning)
    with threadpool_limits(1):
        main()
