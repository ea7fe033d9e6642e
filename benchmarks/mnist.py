"""Test accuracy on MNIST, without augmentation, and the time of training.

    python benchmarks/mnist.py [--data FOLDER] [--only 3 10 99] [--seeds 3] [--validate]

60,000 training images, pixels scaled to [0, 1]; the one_cycle schedule, no L2 penalty. The
first two figures are those of one network after three and after ten epochs; the last averages
two, each with noise on pixels and units. ``--validate`` is for choosing settings: it trains
on 50,000 of the images and tests on the other 10,000.
"""

import argparse
from time import perf_counter

from _common import ONE, machine, mnist

from skbn import BNSoftmaxClassifier

SHARED = {"batch_size": 256, "learning_rate": "one_cycle", "learning_rate_init": 0.01, "alpha": 0.0}
FIGURES = {
    "3": ONE | {"hidden_layer_sizes": (256, 256), "max_iter": 3},
    "10": ONE | {"hidden_layer_sizes": (512, 512), "max_iter": 10, "dropout": 0.2},
    "99": {
        "hidden_layer_sizes": (512, 512, 512),
        "max_iter": 60,
        "noise": 0.4,
        "input_noise": 0.3,
        "n_members": 2,
        "calibrate": False,
    },
}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of mnist.npz; fetched from OpenML without")
    parser.add_argument("--only", nargs="+", default=list(FIGURES), choices=list(FIGURES))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--validate", action="store_true", help="on the last training images")
    arguments = parser.parse_args()
    X_train, X_test, y_train, y_test = mnist(arguments.data)
    if arguments.validate:
        X_train, X_test = X_train[:50000], X_train[50000:]
        y_train, y_test = y_train[:50000], y_train[50000:]
    print(f"{machine()}\nshared settings: {SHARED}")
    for figure in arguments.only:
        print(FIGURES[figure])
        for seed in range(arguments.seeds):
            model = BNSoftmaxClassifier(**SHARED, **FIGURES[figure], random_state=seed)
            started = perf_counter()
            model.fit(X_train, y_train)
            seconds = perf_counter() - started
            accuracy = model.score(X_test, y_test)
            print(f"  seed {seed}: accuracy {accuracy:.2%}, {seconds:.1f} s of fit", flush=True)


if __name__ == "__main__":
    main()
