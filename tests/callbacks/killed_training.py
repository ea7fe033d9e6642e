"""A training that its process is killed in, for ``test_checkpoint.py``; not for Windows."""

import os
import signal
import sys

from sklearn.datasets import load_iris

from skbn import BNSoftmaxClassifier
from skbn.callbacks import Checkpoint, EpochLogger


def training(n_epochs, **how):
    """Give a classifier, at a constant rate by default, and rows for it."""
    how = how or {"learning_rate": "constant", "n_members": 1, "calibrate": False}
    model = BNSoftmaxClassifier((8,), max_iter=n_epochs, random_state=0, **how)
    return model, *load_iris(return_X_y=True)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def main(path, moment):
    """Train with a checkpoint of every epoch, and end at the fifth: in its writing, or after.

    Where the moment is a number, three members train, and it is the fifth epoch of that one.
    """
    calls, fsync = [], os.fsync

    def fsync_or_kill(file):
        calls.append(file)
        return kill() if moment == "fsync" and len(calls) == 5 else fsync(file)

    os.fsync = fsync_or_kill
    loss = "member_1/loss" if moment == "1" else "loss"
    after = EpochLogger(lambda measures, epoch: kill() if epoch == 5 and loss in measures else None)
    model, X, y = training(8, n_members=3) if moment.isdigit() else training(100)
    model.set_callbacks(Checkpoint(path), after).fit(X, y)


if __name__ == "__main__":
    main(*sys.argv[1:])
