"""Test accuracy on MNIST after three epochs with the one_cycle schedule.

    python benchmarks/mnist.py [--data FOLDER]

60,000 training images, pixels scaled to [0, 1], two hidden layers of 256, batches of
256. Three epochs want a higher learning rate than the default, and no penalty.
"""

import argparse
from time import perf_counter

from _common import machine, mnist

from skbn import BNSoftmaxClassifier


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of mnist.npz; fetched from OpenML without")
    X_train, X_test, y_train, y_test = mnist(parser.parse_args().data)
    print(machine())
    for seed in range(3):
        model = BNSoftmaxClassifier(
            (256, 256),
            batch_size=256,
            max_iter=3,
            learning_rate="one_cycle",
            learning_rate_init=0.01,
            alpha=0.0,
            random_state=seed,
        )
        started = perf_counter()
        model.fit(X_train, y_train)
        seconds = perf_counter() - started
        accuracy = model.score(X_test, y_test)
        print(f"seed {seed}: test accuracy {accuracy:.2%} after 3 epochs, {seconds:.1f} s of fit")


if __name__ == "__main__":
    main()
