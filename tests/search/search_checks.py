"""Shared by the tests of searches: comparisons, and a callback that records."""

import numpy as np


def same_results(search, other):
    """All columns but the times are equal."""
    assert search.cv_results_.keys() == other.cv_results_.keys()
    for name, values in search.cv_results_.items():
        if "time" not in name:
            np.testing.assert_array_equal(
                np.ma.getdata(values), np.ma.getdata(other.cv_results_[name])
            )


class Recorder:
    """A callback of scikit-learn that keeps what it is told."""

    def __init__(self):
        self.seen, self.subtasks = [], []

    def setup(self, estimator, context):
        self.seen.append("setup")

    def on_fit_task_begin(self, estimator, context):
        self.seen.append(context.task_name)
        self.subtasks.append((context.task_name, context.max_subtasks))

    def on_fit_task_end(self, estimator, context):
        self.seen.append("end")

    def teardown(self, estimator, context):
        self.seen.append("teardown")


def check_two_rounds(recorder):
    """Assert that it heard of five candidates on two splits, in two rounds."""
    assert recorder.seen[:2] == ["setup", "fit"]
    assert recorder.seen[-2:] == ["end", "teardown"]
    assert recorder.seen.count("round") == 2
    assert recorder.seen.count("candidate-split-evaluation") == 10
    assert recorder.seen.count("refit") == 1
    assert recorder.seen.count("end") == 14
