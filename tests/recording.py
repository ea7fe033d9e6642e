"""A callback of scikit-learn that keeps what it is told, and does what it is asked for."""

from collections import Counter

import pytest

try:
    from sklearn.callback import ProgressBar, ScoringMonitor
except ImportError:
    ProgressBar = ScoringMonitor = None

HAS_CALLBACKS = ProgressBar is not None
needs_callbacks = pytest.mark.skipif(not HAS_CALLBACKS, reason="scikit-learn 1.9 has callbacks")


class Recording:
    """What scikit-learn's callbacks hear of fits, as text and numbers.

    Parameters
    ----------
    stop : callable, optional
        Takes the context and the fitted estimator at the end of a task; the answer.
    fail : tuple of (str, int), optional
        A hook, and how often it is called before it raises.
    look : callable, optional
        Takes the fitted estimator; what it gives is kept in ``looks``.
    """

    def __init__(self, stop=None, fail=None, look=None):
        self.stop, self.fail, self.look = stop, fail, look
        self.heard, self.looks, self.given, self.estimators = [], [], [], []
        self.calls = Counter()

    def _hear(self, hook, context, estimator):
        self.heard.append((hook, context.task_name, path_of(context)))
        self.estimators.append(estimator)
        self.calls[hook] += 1
        if (hook, self.calls[hook]) == self.fail:
            raise ValueError(f"{hook} was asked to fail")

    def setup(self, estimator, context):
        self._hear("setup", context, estimator)

    def on_fit_task_begin(self, estimator, context):
        self._hear("begin", context, estimator)

    def on_fit_task_end(
        self, estimator, context, *, X=None, y=None, metadata=None, fitted_estimator=None
    ):
        self._hear("end", context, estimator)
        self.given.append((X, y, metadata))
        if self.look is not None:
            name = context.task_name
            self.looks.append((name, path_of(context), self.look(fitted_estimator)))
        return self.stop is not None and self.stop(context, fitted_estimator)

    def teardown(self, estimator, context):
        self._hear("teardown", context, estimator)

    def of(self, hook, name):
        """Paths of the tasks of a name for which a hook was called."""
        return [path for h, n, path in self.heard if (h, n) == (hook, name)]


class Handed(Recording):
    """One that meta-estimators hand on to their parts."""

    max_propagation_depth = None


def path_of(context):
    """Numbers of the tasks from the root to a context."""
    path = []
    while context is not None:
        path.insert(0, context.task_id)
        context = context.parent
    return tuple(path)
