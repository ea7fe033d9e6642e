import numpy as np
import pytest

from skbn.network.epochs import train
from skbn.training import lockstep
from skbn.training.holdout import Dataset


@pytest.fixture(scope="module")
def data(iris):
    return Dataset(iris[0].astype(np.float32), iris[1])


@pytest.fixture
def populations(monkeypatch):
    """How many took their steps together, call by call of the core."""
    sizes = []

    def watch(architecture, settings, hyper, state, data, train=train):
        sizes.append(len(state.theta))
        return train(architecture, settings, hyper, state, data)

    monkeypatch.setattr(lockstep, "train", watch)
    return sizes
