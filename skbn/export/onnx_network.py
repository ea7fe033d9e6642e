"""The graph of a classifier: its networks folded, their probabilities averaged, its labels.

Every activation is built of operators that onnxruntime has for float and for double, so that
both have one table. What they take is kept where no intermediate value overflows: onnxruntime
rounds sigmoid and erf to what a product with a huge number would show.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import sqrt
from typing import Any

import numpy as np

from skbn.export.graph import Graph
from skbn.export.networks import written_activation
from skbn.network.activations import LEAK, SELU_ALPHA, SELU_SCALE
from skbn.network.layers import Affine
from skbn.training.ensemble import Ensemble


def _node(operator: str) -> Callable[[Graph, str], str]:
    return lambda graph, x: graph.node(operator, x)


def _leaky_relu(graph: Graph, x: str) -> str:
    return graph.node("Max", x, graph.node("Mul", x, LEAK))


def _elu(graph: Graph, x: str, scale: float = 1.0) -> str:
    """max(x, 0) + scale (exp(min(x, 0)) - 1)."""
    negative = graph.node("Sub", graph.node("Exp", graph.node("Min", x, 0)), 1)
    return graph.node("Add", graph.node("Relu", x), graph.node("Mul", negative, scale))


def _selu(graph: Graph, x: str) -> str:
    return graph.node("Mul", _elu(graph, x, SELU_ALPHA), SELU_SCALE)


NEGLIGIBLE = -80.0
"""Below it silu and mish are zero: their smallest values there are of 1e-33."""


def _silu(graph: Graph, x: str) -> str:
    """x / (1 + exp(-x))."""
    x = graph.node("Max", x, NEGLIGIBLE)
    return graph.node("Div", x, graph.node("Add", graph.node("Exp", graph.node("Neg", x)), 1))


def _mish(graph: Graph, x: str) -> str:
    """x tanh(log(1 + w)) = x u / (u + 2) with w = exp(x), u = w (w + 2)."""
    x = graph.node("Max", x, NEGLIGIBLE)
    w = graph.node("Exp", graph.node("Min", x, 20))  # from there on tanh rounds to one
    u = graph.node("Mul", w, graph.node("Add", w, 2))
    return graph.node("Mul", x, graph.node("Div", u, graph.node("Add", u, 2)))


# Coefficients, highest power first, of the rational function R with which
# exp(-x^2 / 2) R(x) is the normal distribution function of -x for 0 <= x <= 10 / sqrt(2), and
# less than 1e-12 beyond: J. F. Hart et al., Computer Approximations, Wiley 1968, index 5666;
# as in G. West, Better approximations to cumulative normal functions, Wilmott 2005.
TAIL_NUMERATOR = (
    *(3.52624965998911e-02, 0.700383064443688, 6.37396220353165, 33.912866078383),
    *(112.079291497871, 221.213596169931, 220.206867912376),
)
TAIL_DENOMINATOR = (
    *(8.83883476483184e-02, 1.75566716318264, 16.064177579207, 86.7807322029461),
    *(296.564248779674, 637.333633378831, 793.826512519948, 440.413735824752),
)
NO_TAIL = 40.0
"""From here on the normal distribution function of -x is zero in double."""


def _polynomial(graph: Graph, x: str, coefficients: Sequence[float]) -> str:
    value: Any = coefficients[0]
    for coefficient in coefficients[1:]:
        value = graph.node("Add", graph.node("Mul", x, value), coefficient)
    return str(value)


def _gelu(graph: Graph, x: str) -> str:
    """max(x, 0) - |x| Phi(-|x|), in float by its operator Erf."""
    size = graph.node("Min", graph.node("Abs", x), NO_TAIL)
    if graph.dtype == np.float32:
        erf = graph.node("Erf", graph.node("Mul", size, sqrt(0.5)))
        tail = graph.node("Mul", graph.node("Sub", 1, erf), 0.5)
    else:
        exp = graph.node("Exp", graph.node("Mul", graph.node("Mul", size, size), -0.5))
        ratio = graph.node(
            "Div",
            _polynomial(graph, size, TAIL_NUMERATOR),
            _polynomial(graph, size, TAIL_DENOMINATOR),
        )
        tail = graph.node("Mul", exp, ratio)
    return graph.node("Sub", graph.node("Relu", x), graph.node("Mul", size, tail))


NODES: dict[str, Callable[[Graph, str], str]] = {
    "relu": _node("Relu"),
    "leaky_relu": _leaky_relu,
    "elu": _elu,
    "selu": _selu,
    "gelu": _gelu,
    "silu": _silu,
    "mish": _mish,
    "tanh": _node("Tanh"),
    "logistic": _node("Sigmoid"),
    "identity": lambda graph, x: x,
}
"""What adds the nodes of each activation of ``skbn.network.activations.ACTIVATIONS``."""


def add_probabilities(graph: Graph, ensemble: Ensemble, x: str, output: str) -> None:
    """Add the nodes from rows (n, n_features) to probabilities (n, C).

    The probabilities are the mean over the networks of softmax(z / T), times the ratio of the
    classes' priors where they were corrected.
    """
    each = [graph.node("Softmax", z, axis=-1) for z in _add_logits(graph, ensemble, x)]
    mean = each[0] if len(each) == 1 else graph.node("Mul", graph.node("Sum", *each), 1 / len(each))
    if ensemble.log_prior_ratio is not None:
        corrected = graph.node("Add", graph.node("Log", mean), ensemble.log_prior_ratio)
        mean = graph.node("Softmax", corrected, axis=-1)
    graph.node("Identity", mean, output=output)


def add_decision(graph: Graph, ensemble: Ensemble, x: str, output: str) -> None:
    """Add the nodes from rows to what `decision_function` gives; of two classes to (-d, d)."""
    each = _add_logits(graph, ensemble, x)
    z = each[0]
    if len(each) > 1:  # the logarithm of the mean of exp(log p), which does not underflow
        logs = [graph.node("LogSoftmax", z, axis=-1) for z in each]
        highest = graph.node("Max", *logs)
        ratios = [graph.node("Exp", graph.node("Sub", log, highest)) for log in logs]
        mean = graph.node("Mul", graph.node("Sum", *ratios), 1 / len(each))
        z = graph.node("Add", highest, graph.node("Log", mean))
    if ensemble.log_prior_ratio is not None:
        z = graph.node("Add", z, ensemble.log_prior_ratio)
    is_binary = ensemble.networks[0].architecture.n_outputs == 2
    z = graph.node("MatMul", z, [[1, -1], [-1, 1]]) if is_binary else z
    graph.node("Identity", z, output=output)


def _add_logits(graph: Graph, ensemble: Ensemble, x: str) -> list[str]:
    """Add the nodes from rows to the logits z / T (n, C) of each network."""
    written_activation(ensemble.networks[0].architecture, "ONNX")
    *hidden, last = ensemble.folded(np.float64).steps
    bias = None if last.bias is None else last.bias / ensemble.temperature
    steps = [*hidden, Affine(last.weights / ensemble.temperature, bias)]
    logits = []
    for k in range(len(last.weights)):
        z = x
        for step in steps:
            z = _add_step(graph, step, k, z)
        logits.append(z)
    return logits


def _add_step(graph: Graph, step: Affine, member: int, x: str) -> str:
    """g(x W + b) of one network."""
    for array in (step.weights, step.bias):
        if array is not None and np.abs(array).max(initial=0) > np.finfo(graph.dtype).max:
            raise ValueError(
                f"the folded network has weights up to {np.abs(array).max():.3g}, which "
                f"{graph.dtype} does not hold; export with float64=True"
            )
    x = graph.node("MatMul", x, step.weights[member])
    if step.bias is not None:
        x = graph.node("Add", x, step.bias[member, 0])
    return x if step.activation is None else NODES[step.activation](graph, x)


def is_unicode(text: str) -> bool:
    """Whether a text has no lone surrogates, which UTF-8 cannot hold."""
    return not any("\ud800" <= letter <= "\udfff" for letter in text)


def onnx_classes(classes: Any) -> Any:
    """Classes as an array that ONNX has a type for.

    Parameters
    ----------
    classes : ndarray of shape (C,)

    Returns
    -------
    classes : ndarray of shape (C,)
        Texts and dates, in ISO 8601, as objects; int64, or uint64 where that is too small;
        booleans; floats.

    Raises
    ------
    ValueError
        If there is no such type.
    """
    kind = classes.dtype.kind
    if kind in "OUT" and all(isinstance(each, str) for each in classes):
        if bad := [each for each in classes if not is_unicode(each)]:
            raise ValueError(
                f"the label {str(bad[0])!r} is not Unicode, which text of ONNX must be"
            )
        return classes.astype(object)
    if kind == "M":
        return classes.astype(str).astype(object)
    if kind in "iu":
        return classes if classes.max() > np.iinfo(np.int64).max else classes.astype(np.int64)
    if kind in "bf" and classes.dtype.itemsize <= 8:
        return classes
    raise ValueError(
        f"ONNX has no type for the classes, whose dtype is {classes.dtype}. Fit on labels that "
        "are strings, integers or booleans"
    )


def add_labels(graph: Graph, classes: Any, probabilities: str, output: str) -> None:
    """Add the nodes from probabilities (n, C) to the most probable classes (n,)."""
    best = graph.node("ArgMax", probabilities, axis=1, keepdims=0)
    graph.node("Gather", graph.constant(onnx_classes(classes)), best, axis=0, output=output)
