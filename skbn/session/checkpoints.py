"""Checkpoints: where the networks of a session stood, as model files, and which of them stay."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from typing import Any, NamedTuple

from skbn.estimators.arrays import fitted_progress
from skbn.estimators.classifier import BNSoftmaxClassifier, attributes_after, set_attributes
from skbn.estimators.fitting import Outcome
from skbn.export.encoding import decoded, encoded
from skbn.export.files import load_model, model_bytes
from skbn.session.networks import Networks, Position
from skbn.session.preparation import Prepared
from skbn.training.ensemble import Ensemble
from skbn.training.holdout import BestState
from skbn.training.run import Progress

MIN_CHECKPOINTS = 3
"""The first, the last and the best."""
BUILT_IN = {"activation": "relu", "loss": "cross_entropy"}
"""What stands in files for functions of one's own: those are the model's that goes on."""
_NUMBERS = ("loss", "to_beat", "waited", "epoch")


class Checkpoint(NamedTuple):
    """Where networks stood.

    Both files are what `skbn.export.load_model` reads, with ``BUILT_IN`` functions in place of
    one's own. The first can go on training; the second, of the best epochs, is there if a
    validation set is.
    """

    model: bytes | memoryview
    best: bytes | memoryview | None
    networks: list[dict[str, Any]]  # of each, what JSON holds of its best epoch


def saved(networks: Networks) -> Checkpoint:
    """Save where networks stand."""
    prepared, runs = networks.prepared, networks.runs
    model = _file(prepared, [run.progress for run in runs], training_state=True)
    bests = [run.best for run in runs]
    if bests[0] is None:
        return Checkpoint(model, None, [])
    best = _file(prepared, [run.result() for run in runs], training_state=False)
    numbers = [{name: encoded(getattr(each, name), name) for name in _NUMBERS} for each in bests]
    return Checkpoint(model, best, numbers)


def _file(prepared: Prepared, progress: list[Progress], training_state: bool) -> memoryview:
    names = BNSoftmaxClassifier().get_params()
    params = {name: getattr(prepared.classifier, name) for name in names}
    if built_in := in_place_of_functions(params):
        params |= built_in
        progress = [
            replace(each, architecture=replace(each.architecture, **built_in)) for each in progress
        ]
    model = BNSoftmaxClassifier(**params)
    networks = [each.network for each in progress[: prepared.fit.n_averaged]]
    outcome = Outcome(Ensemble(networks), progress)
    set_attributes([(model, attributes_after(model, prepared.table, outcome))])
    return model_bytes(model, training_state)


def in_place_of_functions(params: Mapping[str, Any]) -> dict[str, Any]:
    """Give what stands in a file for parameters that are functions of one's own, or hold one."""
    own: dict[str, Any] = {}
    for name, built_in in BUILT_IN.items():
        value = params[name]
        value = value.tolist() if hasattr(value, "tolist") else value
        items = value if isinstance(value, (list, tuple)) else [value]
        if any(map(callable, items)):
            own[name] = built_in
    return own


def positions_of(checkpoint: Checkpoint) -> list[Position]:
    """Give back where the networks stood."""
    progress = fitted_progress(load_model(BytesIO(checkpoint.model)))
    bests: list[BestState | None] = [None] * len(progress)
    if checkpoint.best is not None:
        kept = fitted_progress(load_model(BytesIO(checkpoint.best)))
        numbers = [{n: decoded(v) for n, v in one.items()} for one in checkpoint.networks]
        bests = [
            BestState(0.0, math.inf, theta=each.state.theta if of_one["epoch"] else None, **of_one)
            for each, of_one in zip(kept, numbers, strict=True)
        ]
    return [
        Position(each.state, each.bn_epsilon, best)
        for each, best in zip(progress, bests, strict=True)
    ]


def is_on_grid(epoch: int, limit: int) -> bool:
    """Whether an epoch is on the finest even grid with no more points than a limit.

    The steps of the grid are powers of two, so that those of a coarser one are on it too.
    """
    step = 1
    while limit * step < epoch:
        step *= 2
    return epoch % step == 0


def to_drop(epochs: Sequence[int], best: int, limit: int) -> list[int]:
    """Tell which of the epochs with a checkpoint go, so that no more than a limit stay.

    The first, the last and the best stay. Of the others goes the one whose neighbours are
    nearest to each other, which leaves them about evenly spread.
    """
    kept, dropped = list(epochs), []
    while len(kept) > limit:
        gaps = [(kept[i + 1] - kept[i - 1], i) for i in range(1, len(kept) - 1) if kept[i] != best]
        dropped.append(kept.pop(min(gaps)[1]))
    return dropped
