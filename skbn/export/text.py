"""Folded networks as JSON, for other languages."""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from skbn.estimators.arrays import fitted_ensemble
from skbn.export.container import write
from skbn.export.files import check_is_classifier
from skbn.export.networks import written_activation
from skbn.network.layers import Affine

DIGITS = {"float32": 9, "float64": 17}
"""Digits by which numbers of a dtype can be told from each other."""
MAX_INTEGER = 2**53
"""Up to which every language that has one kind of number has all integers."""


def to_json(model: Any, path: Any = None) -> str:
    """Give a fitted classifier as JSON that holds what a forward pass needs.

    Batch norm is folded into weights and biases. Each member's layers are objects with
    ``weights``, a list for each input of a list for each output, ``bias`` and ``activation``;
    after the last come logits, which ``temperature`` divides. The mean of the members' softmax
    is the probability of each of ``classes``. The documentation has the forward pass in
    JavaScript and in C.

    Parameters
    ----------
    model : BNSoftmaxClassifier
    path : str, path-like or binary file object, optional
        Where to write the text as well.

    Returns
    -------
    text : str
        With ``classes``, numbers, booleans or text, as which dates and integers of more than 53
        bits are written; ``feature_names`` or null; ``n_features``; ``activation``, a name or a
        list of that of each hidden layer; ``temperature`` and ``members``; and of a model whose
        class priors were corrected ``log_prior_ratio``, by whose exponentials the probabilities
        are multiplied before they are divided by their sum.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is no BNSoftmaxClassifier.
    ValueError
        If its weights are too large without batch norm, or an activation is a function of one's
        own.

    Examples
    --------
    >>> import json
    >>> from sklearn.datasets import load_iris
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.export import to_json
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BNSoftmaxClassifier((4,), random_state=0).fit(X, y)
    >>> content = json.loads(to_json(model))
    >>> content["classes"], content["activation"], len(content["members"])
    ([0, 1, 2], 'relu', 2)
    """
    check_is_classifier(model, "to_json")
    ensemble = fitted_ensemble(model)
    network, names = ensemble.networks[0], getattr(model, "feature_names_in_", None)
    activation = written_activation(network.architecture, "JSON")
    ratio = ensemble.log_prior_ratio
    n_digits, steps = DIGITS[network.theta.dtype.name], ensemble.folded(np.dtype("float64")).steps
    content = {
        "classes": [_label(label) for label in model.classes_],
        "feature_names": None if names is None else [str(name) for name in names],
        "n_features": network.architecture.n_features,
        "activation": activation,
        "temperature": float(ensemble.temperature),
        **({} if ratio is None else {"log_prior_ratio": ratio.tolist()}),
        "members": [
            {"layers": [_layer(step, member, n_digits) for step in steps]}
            for member in range(len(ensemble.networks))
        ],
    }
    text = json.dumps(content)
    if path is not None:
        write(path, text.encode("ascii"))
    return text


def _label(label: Any) -> Any:
    """Give a label as JSON has it, or as text."""
    value = label.item() if isinstance(label, (np.bool_, np.number, np.str_)) else label
    if type(value) is int and abs(value) > MAX_INTEGER:
        return str(value)
    if isinstance(value, str):
        return str.__str__(value)  # of an enumeration, the text and not the name
    return value if isinstance(value, (bool, int, float)) else str(value)


def _layer(step: Affine, member: int, n_digits: int) -> dict[str, Any]:
    weights, bias = step.weights[member], np.zeros(step.weights.shape[2])
    if step.bias is not None:
        bias = step.bias[member, 0]
    if not (np.isfinite(weights).all() and np.isfinite(bias).all()):
        raise ValueError("weights are not finite once batch norm is folded into them")
    return {
        "weights": [_rounded(row, n_digits) for row in weights],
        "bias": _rounded(bias, n_digits),
        "activation": step.activation or "identity",
    }


def _rounded(numbers: Any, n_digits: int) -> list[float]:
    return [float(f"{number:.{n_digits}g}") for number in numbers.tolist()]
