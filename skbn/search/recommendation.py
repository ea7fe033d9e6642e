"""The space recommended for a classifier."""

from __future__ import annotations

from typing import Any

from scipy.stats import loguniform

from skbn._compat import validate_parameters
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES
from skbn.search.distributions import hidden_layers, one_minus_loguniform


def default_space(estimator: Any = "", *, prefix: str = "") -> dict[str, Any]:
    """Distributions recommended for `BNSoftmaxClassifier`, the most important first.

    The order is that of Andrew Ng's course: the learning rate, then momentum, batch
    size and units, then layers and the decay of the learning rate; the constants of
    Adam stay as they are. Batch sizes and units are powers of two, so that many
    candidates have the same shapes, and train together.

    Parameters
    ----------
    estimator : estimator or str, default=""
        A `BNSoftmaxClassifier`, or a Pipeline or another estimator that has one: the
        names in it are found, and only what acts with its parameters is drawn. A str is
        the beginning of the names, such as ``"bnsoftmaxclassifier__"``, of a classifier
        with the default parameters.

    prefix : str, default=""
        Put before all names.

    Returns
    -------
    param_distributions : dict of str to distribution

    Raises
    ------
    TypeError
        If ``estimator`` is neither an estimator nor a str.
    ValueError
        If it has no `BNSoftmaxClassifier`, or several, or one whose parameters are not
        valid.

    Notes
    -----
    ``momentum`` is drawn where ``solver="sgd"``, and ``learning_rate_decay`` where
    ``learning_rate`` is "inverse_time" or "exponential": the others do not read them.

    References
    ----------
    A. Ng. Improving deep neural networks: hyperparameter tuning, regularization and
    optimization, week 3. Coursera.

    Examples
    --------
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.search import default_space
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier())
    >>> for name in default_space(model):
    ...     print(name)
    bnsoftmaxclassifier__learning_rate_init
    bnsoftmaxclassifier__batch_size
    bnsoftmaxclassifier__hidden_layer_sizes
    >>> list(default_space(BNSoftmaxClassifier(solver="sgd", learning_rate="exponential")))
    ['learning_rate_init', 'momentum', 'batch_size', 'hidden_layer_sizes', 'learning_rate_decay']
    """
    if isinstance(estimator, str):
        found, classifier = estimator, BNSoftmaxClassifier()
    else:
        found, classifier = _classifier_of(estimator)
    validate_parameters(classifier)
    space = {
        "learning_rate_init": loguniform(1e-4, 1),
        "momentum": one_minus_loguniform(0.9, 0.999),
        "batch_size": [16, 32, 64, 128, 256],
        "hidden_layer_sizes": hidden_layers((1, 4), [32, 64, 128, 256]),
        "learning_rate_decay": loguniform(1e-2, 1),
    }
    some_read = {name for each in OPTIMIZERS.values() for name in each.reads}
    some_read |= {name for each in SCHEDULES.values() for name in each.reads}
    solver, schedule = OPTIMIZERS[classifier.solver], SCHEDULES[classifier.learning_rate]
    idle = some_read.difference(solver.reads, schedule.reads)
    return {prefix + found + name: each for name, each in space.items() if name not in idle}


def _classifier_of(estimator: Any) -> tuple[str, BNSoftmaxClassifier]:
    """Beginning of the names of the one classifier in an estimator, and the classifier."""
    if isinstance(estimator, type) or not hasattr(estimator, "get_params"):
        raise TypeError(
            "default_space takes an estimator, or the beginning of the names of a classifier's "
            f"parameters as a str; got {estimator!r}"
        )
    if isinstance(estimator, BNSoftmaxClassifier):
        return "", estimator
    params = estimator.get_params(deep=True).items()
    found = {name: each for name, each in params if isinstance(each, BNSoftmaxClassifier)}
    if len(found) != 1:
        what = f"has several: {', '.join(sorted(found))}" if found else "has none"
        raise ValueError(
            f"default_space is for one BNSoftmaxClassifier, and {type(estimator).__name__} {what}. "
            "Give the classifier itself, and the beginning of its names as prefix"
        )
    ((name, classifier),) = found.items()
    return f"{name}__", classifier
