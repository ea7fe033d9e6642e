"""What the parameters of an estimator ask of the core: shapes, sequence of steps, numbers."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any

import numpy as np

from skbn.estimators.checked_table import CheckedTable
from skbn.journal.values import UnidentifiedError, digest_of
from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture
from skbn.network.epochs import PER_MEMBER, Settings, stack_hyperparameters
from skbn.network.own_activations import OwnActivation
from skbn.network.own_functions import check_once
from skbn.network.own_losses import OwnLoss
from skbn.network.parameters import Array


def architecture_of(estimator: Any, table: CheckedTable) -> Architecture:
    """Give the architecture that the parameters and the table ask for."""
    return Architecture(
        n_features=table.checker.n_features_in_,
        hidden_layer_sizes=layer_sizes(estimator),
        n_outputs=len(table.classes),
        activation=activation_of_layers(estimator),
        batch_norm=bool(estimator.batch_norm),
        loss=own_function(OwnLoss, estimator.loss, "loss", len(table.classes)),
    )


def own_function(
    kind: type[OwnActivation | OwnLoss], value: Any, parameter: str, *shape: int
) -> Any:
    """Give a parameter's value, or a function of one's own as a checked value of its kind."""
    if not callable(value):
        return value
    own = kind(value, parameter)
    try:
        # Some of what a function reads is no part of its digest: containers that it writes to.
        identity = f"{digest_of(value, parameter)} {own.behaviour(*kind.examples(*shape))}"
        own = kind(value, parameter, identity)
    except UnidentifiedError:
        pass  # known by itself alone
    check_once(own, *shape)
    return own


def layer_sizes(estimator: Any) -> tuple[int, ...]:
    """Units of each hidden layer, checked."""
    sizes = estimator.hidden_layer_sizes
    sizes = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes
    sizes = (sizes,) if isinstance(sizes, Real) else tuple(sizes)
    if not all(isinstance(n, Integral) and int(n) > 0 for n in sizes):
        raise ValueError(f"hidden_layer_sizes must hold positive integers, got {sizes}")
    return tuple(int(n) for n in sizes)


def activation_of_layers(estimator: Any) -> Any:
    """The activation of all hidden layers, or a tuple of that of each, checked."""
    activation, n_layers = estimator.activation, len(layer_sizes(estimator))
    if isinstance(activation, str) or callable(activation):
        return own_function(OwnActivation, activation, "activation")
    each = activation.tolist() if hasattr(activation, "tolist") else activation
    if not isinstance(each, (list, tuple)) or len(each) != n_layers:
        raise ValueError(
            "activation must be a name or a function, or a list of one for each hidden layer, of "
            f"which hidden_layer_sizes={estimator.hidden_layer_sizes} has {n_layers}; got {each!r}"
        )
    for position, entry in enumerate(each):
        if not (callable(entry) or (isinstance(entry, str) and entry in ACTIVATIONS)):
            raise ValueError(
                f"activation[{position}] is {entry!r}, which is none of {list(ACTIVATIONS)} and no "
                "function"
            )
    return tuple(own_function(OwnActivation, entry, "activation") for entry in each)


def settings_of(estimator: Any, n_rows: int) -> Settings:
    """Give the settings of training on some rows, or on as many effective ones."""
    check_batch_size(estimator)
    batch_size = estimator.batch_size
    if batch_size == "auto":
        batch_size = automatic_batch_size(n_rows)
    return Settings(
        solver=estimator.solver,
        nesterovs_momentum=bool(estimator.nesterovs_momentum),
        learning_rate=estimator.learning_rate,
        batch_size=int(batch_size),
        shuffle=bool(estimator.shuffle),
    )


def check_batch_size(estimator: Any) -> None:
    """Refuse mini-batches of one row that batch norm would meet."""
    if estimator.batch_size == 1 and estimator.batch_norm and layer_sizes(estimator):
        raise ValueError(
            "batch_size=1 leaves batch norm nothing to normalise over; use at least 2 rows, "
            "or batch_norm=False"
        )


def automatic_batch_size(n_rows: int) -> int:
    """Rows of a mini-batch by default."""
    return min(128, max(32, n_rows // 20))


def effective_rows(by_class: Array, sample_weights: Array) -> int:
    """How many rows of equal class weights would give a mean as precise (Kish 1965).

    Parameters
    ----------
    by_class, sample_weights : ndarray of shape (n,)
        Of each row.

    Returns
    -------
    n_rows : int
        At most n, and n where the class weights are equal.
    """
    relative = by_class / by_class.max()
    first = np.average(relative, weights=sample_weights)
    second = np.average(relative**2, weights=sample_weights)
    n_rows: int = round(len(by_class) * first**2 / second)
    return n_rows


def hyperparameters_of(estimator: Any) -> dict[str, Array]:
    """Give what members may differ in, (1, 1) each."""
    return stack_hyperparameters([{name: getattr(estimator, name) for name in PER_MEMBER}])
