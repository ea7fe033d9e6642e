"""Networks of a classifier, as what a header says of them and as named arrays."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from skbn.export.encoding import decoded, encoded
from skbn.export.predictor import MAX_SIZE, check_fields, require
from skbn.network.activations import ACTIVATIONS
from skbn.network.architecture import Architecture
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.parameters import Array, zeros
from skbn.network.state import AVERAGES, State
from skbn.training.run import Progress

KINDS = ("weights", "bias", "gamma", "beta", "mean", "var")
"""In the order in which a layer's arrays are written."""
STATISTICS = ("mean", "var")

MEASURES = ("loss", "learning_rate", "gradient_norm", "seconds")
_OF_NETWORK = {"n_epochs": int, "kept_epoch": int, "history": dict}
_WITH_TOTALS = {**_OF_NETWORK, "class_totals": list}
_OF_TRAINED_NETWORK = {"entropy": list, "shuffle_stream": dict, "noise_stream": dict}
_OF_STREAM = {"bit_generator": str, "state": int, "inc": int, "has_uint32": int, "uinteger": int}
_BITS = {"state": 128, "inc": 128, "has_uint32": 1, "uinteger": 32}


# To a file.


def written_activation(architecture: Architecture, file: str) -> Any:
    """Give the activation as files hold it: its name, or a list of that of each hidden layer.

    Parameters
    ----------
    architecture : Architecture
    file : str
        What errors call the file.

    Raises
    ------
    ValueError
        If one is a function of one's own, which no file that travels can hold.
    """
    activation = architecture.activation
    is_listed = isinstance(activation, tuple)
    for each in activation if is_listed else (activation,):
        if not isinstance(each, str):
            raise ValueError(
                f"{each.title} is a function, which {file} cannot hold: it travels without code. "
                f"Save the model with pickle or joblib, or train it with one of {list(ACTIVATIONS)}"
            )
    return list(activation) if is_listed else activation


def written_loss(architecture: Architecture, training_state: bool) -> str:
    """Give the loss as model files hold it: its name, or that of one with its probabilities.

    Raises
    ------
    ValueError
        If it is a function of one's own, and is to be trained on with.
    """
    loss = architecture.loss
    if isinstance(loss, str):
        return loss
    if training_state:
        raise ValueError(
            f"{loss.title} is a function, with which the training state would go on, and which a "
            "model file cannot hold: it travels without code. Save the model with pickle or "
            "joblib, or with training_state=False to predict alone"
        )
    return "cross_entropy"


def described_networks(progress: Sequence[Progress]) -> list[dict[str, Any]]:
    """Give what a header says of networks."""
    return [
        {
            "n_epochs": each.state.n_epochs,
            "kept_epoch": each.kept_epoch,
            "history": {name: encoded(values, name) for name, values in each.history.items()},
            **_described_totals(each),
        }
        for each in progress
    ]


def _described_totals(progress: Progress) -> dict[str, list[float]]:
    totals = progress.class_totals
    return {} if totals is None else {"class_totals": totals.tolist()}


def described_training(progress: Sequence[Progress]) -> dict[str, Any]:
    """Give what a header says of how networks go on."""
    return {
        "solver": progress[0].solver,
        "n_vectors": len(progress[0].state.vectors),
        "networks": [
            {
                "entropy": [int(number) for number in each.entropy],
                "shuffle_stream": _described_stream(each.state.shuffle_streams[0]),
                "noise_stream": _described_stream(each.state.noise_streams[0]),
            }
            for each in progress
        ],
    }


def _described_stream(stream: np.random.Generator) -> dict[str, Any]:
    state: Any = stream.bit_generator.state
    return state["state"] | {name: state[name] for name in state if name != "state"}


def named_arrays(progress: Sequence[Progress], training_state: bool) -> dict[str, Array]:
    """Give the arrays of networks, side by side, by their names in a file."""
    architecture, states = progress[0].architecture, [each.state for each in progress]
    theta = np.concatenate([state.theta for state in states])
    arrays = _named(architecture, theta)
    arrays["bn_epsilon"] = np.concatenate([each.bn_epsilon for each in progress])[:, 0]
    if not training_state:
        return arrays
    for number in range(len(states[0].vectors)):
        vector = np.zeros_like(theta)
        vector[:, : architecture.layout.n_trained] = np.concatenate(
            [state.vectors[number] for state in states]
        )
        named = _named(architecture, vector, without=STATISTICS)
        arrays |= {f"optimizer_{number}_{name}": array for name, array in named.items()}
    sums = np.concatenate([state.sums for state in states], axis=1)
    return arrays | {f"sum_{name}": each[:, 0] for name, each in zip(AVERAGES, sums, strict=True)}


def _named(
    architecture: Architecture, vectors: Array, without: Sequence[str] = ()
) -> dict[str, Array]:
    """Give the parameters in vectors (K, P) by their names in a file, from layer to layer."""
    views = architecture.layout.views(vectors)
    keys = sorted(views, key=lambda key: (key[1], KINDS.index(key[0])))
    return {
        f"{kind}_{layer}": views[kind, layer] if kind == "weights" else views[kind, layer][:, 0]
        for kind, layer in keys
        if kind not in without
    }


# From a file.


def progress_of(
    architecture: Architecture, header: Mapping[str, Any], arrays: Mapping[str, Any]
) -> list[Progress]:
    """Give the networks of a file, with what they need to go on if that is there.

    Raises
    ------
    FormatError
        If what the header says of their training is wrong.
    """
    training, n_networks = header["training_state"], len(header["networks"])
    if training is None:
        solver = str(decoded(header["parameters"]["solver"]))
    else:
        solver = training["solver"]
        n_vectors = OPTIMIZERS[solver].n_vectors if solver in OPTIMIZERS else None
        require(n_vectors == training["n_vectors"], f"its state is not one of {solver[:50]!r}")
    return [_progress(architecture, solver, header, arrays, k) for k in range(n_networks)]


def _progress(
    architecture: Architecture,
    solver: str,
    header: Mapping[str, Any],
    arrays: Mapping[str, Any],
    k: int,
) -> Progress:
    network, training = header["networks"][k], header["training_state"]
    _check_network(network, architecture.n_outputs)
    totals = network.get("class_totals")
    theta, entropy = _vector(architecture, arrays, k), ()
    state = State(theta, [], np.zeros((len(AVERAGES), 1, 1)), [], [], network["n_epochs"])
    if training is not None:
        how = training["networks"][k]
        _check_training(how)
        entropy, n_trained = tuple(how["entropy"]), architecture.layout.n_trained
        state.vectors = [
            _vector(architecture, arrays, k, f"optimizer_{number}_")[:, :n_trained].copy()
            for number in range(training["n_vectors"])
        ]
        state.sums[:, 0, 0] = [arrays[f"sum_{name}"][k] for name in AVERAGES]
        state.shuffle_streams = [_stream(how["shuffle_stream"])]
        state.noise_streams = [_stream(how["noise_stream"])]
    return Progress(
        architecture,
        solver,
        state,
        entropy,
        bn_epsilon=arrays["bn_epsilon"][k].reshape(1, 1).copy(),
        history={name: decoded(values) for name, values in network["history"].items()},
        kept_epoch=network["kept_epoch"],
        class_totals=None if totals is None else np.array(totals),
    )


def _vector(
    architecture: Architecture, arrays: Mapping[str, Any], k: int, prefix: str = ""
) -> Array:
    """Give the vector (1, P) of a network from the arrays whose names have a prefix."""
    vector = zeros((1, architecture.layout.size), arrays["weights_0"].dtype)
    for (kind, layer), view in architecture.layout.views(vector).items():
        name = f"{prefix}{kind}_{layer}"
        if name in arrays:  # there are none of the statistics for the optimiser
            view[...] = arrays[name][k]
    return vector


def _stream(described: Mapping[str, Any]) -> np.random.Generator:
    bits: Any = np.random.PCG64(0)
    numbers = {name: described[name] for name in ("state", "inc")}
    bits.state = {**described, "state": numbers}
    return np.random.Generator(bits)


def _check_network(network: Any, n_classes: int) -> None:
    has_totals = type(network) is dict and "class_totals" in network
    check_fields(network, _WITH_TOTALS if has_totals else _OF_NETWORK, "networks")
    totals = network.get("class_totals", [1.0] * n_classes)
    are_floats = all(type(each) is float and 0 <= each <= MAX_SIZE for each in totals)
    is_right = are_floats and len(totals) == n_classes and sum(totals) > 0
    require(is_right, f"class_totals are no {n_classes} shares")
    n_epochs, history = network["n_epochs"], network["history"]
    require(0 < network["kept_epoch"] <= n_epochs, "kept_epoch is none of the epochs")
    require(set(MEASURES) <= set(history), f"history lacks one of {MEASURES}")
    for name, values in history.items():
        is_whole = type(values) is list and len(values) == n_epochs
        require(is_whole, f"{name[:50]} is not of all epochs")
        numbers = all(type(decoded(value)) is float for value in values)
        require(numbers, f"{name[:50]} holds what is no number")


def _check_training(how: Any) -> None:
    check_fields(how, _OF_TRAINED_NETWORK, "training_state")
    entropy = how["entropy"]
    are_numbers = all(type(number) is int and 0 <= number < 2**32 for number in entropy)
    require(entropy and are_numbers, "entropy holds what is no seed")
    for name in ("shuffle_stream", "noise_stream"):
        stream = how[name]
        check_fields(stream, _OF_STREAM, name)
        require(stream["bit_generator"] == "PCG64", f"{name} is not of PCG64")
        for part, bits in _BITS.items():
            require(0 <= stream[part] < 2**bits, f"{part} of {name} has more than {bits} bits")
        require(stream["inc"] % 2 == 1, f"inc of {name} is even")
