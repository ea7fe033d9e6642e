"""An estimator whose score is known, and searches over it."""

from time import sleep

import numpy as np
from scipy.stats import loguniform
from sklearn.base import BaseEstimator, ClassifierMixin

from skbn.search import CoarseToFineSearchCV


class Hill(ClassifierMixin, BaseEstimator):
    """A score that depends on two parameters only, and is best at a = 0.01, b = 3."""

    def __init__(self, a=1.0, b=0, kind="low", fails=False, seconds=0.0):
        self.a = a
        self.b = b
        self.kind = kind
        self.fails = fails
        self.seconds = seconds

    def fit(self, X, y, sample_weight=None):
        if self.fails:
            raise ValueError("this candidate fails")
        sleep(self.seconds)
        self.classes_ = np.unique(y)
        self.weight_ = None if sample_weight is None else np.sum(sample_weight)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def score(self, X, y):
        return -abs(np.log10(self.a) + 2) - abs(self.b - 3) / 10 + (self.kind == "high")


SPACE = {"a": loguniform(1e-5, 1), "b": [0, 1, 2, 3, 4, 5], "kind": ["low", "middle", "high"]}
X, Y = np.arange(24.0).reshape(12, 2), np.array([0, 1] * 6)


def make(space=SPACE, **parameters):
    options = {"n_candidates": 24, "cv": 2, "random_state": 0} | parameters
    return CoarseToFineSearchCV(Hill(), space, **options)
