"""Fits and predictions of the sizes of speed.py, with one BLAS thread."""

import sys
from pathlib import Path
from time import process_time

from threadpoolctl import threadpool_limits

sys.path.insert(0, str(Path(__file__).parents[1]))
from speed import SIZES, skbn


class Fit:
    """A whole fit."""

    params = list(SIZES)
    param_names = ["size"]
    timer = process_time

    def setup(self, name):
        size = SIZES[name]
        self.limits = threadpool_limits(1)
        self.run = skbn(size, *size.data())

    def teardown(self, name):
        self.limits.restore_original_limits()

    def time_fit(self, name):
        self.run()

    def peakmem_fit(self, name):
        self.run()


class Predict:
    """Probabilities of 20,000 rows."""

    params = ["C", "E"]
    param_names = ["size"]
    timer = process_time

    def setup(self, name):
        size = SIZES[name]
        self.limits = threadpool_limits(1)
        self.model = skbn(size, *size.data(2000))()
        self.X = size.data(20_000)[0]

    def teardown(self, name):
        self.limits.restore_original_limits()

    def time_predict_proba(self, name):
        self.model.predict_proba(self.X)
