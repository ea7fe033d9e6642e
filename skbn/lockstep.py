"""Trainings side by side: those that share shapes take their steps together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from copy import deepcopy
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse, vstack

from skbn.model import Model, divergence
from skbn.network.batches import batch_edges
from skbn.network.network import NOISE, Architecture
from skbn.network.parameters import Array, Indices
from skbn.network.state import State
from skbn.network.training import PER_MEMBER, Data, Epoch, Settings, train
from skbn.stopping import BestState, ValidationSet
from skbn.threads import suitable_threads, worth_sharing

T = TypeVar("T")
CACHED_BYTES = 2**21
"""What a population works on in a step should stay in the cache: networks of 64 units are
trained fastest some 30 at a time, those of 256 one or two at a time."""


@dataclass
class Training:
    """A model, and how it is to be trained.

    Parameters
    ----------
    model : Model
    settings : Settings
    hyper : dict of str to ndarray of shape (1, 1)
    data : Data
        Of one member.
    validation : ValidationSet or None
        Rows on which the model is judged after each epoch.
    best : BestState or None
        Watches the validation loss, and stops the training.
    held_out : ValidationSet or None
        Rows left out of training, to calibrate on at its end.
    others : list of Training
        Those of the classifier's other members.
    is_over : bool
        Whether there is nothing to go on with: it was stopped, or it diverged.
    divergence : str
        Why it diverged.
    """

    model: Model
    settings: Settings
    hyper: dict[str, Array]
    data: Data
    validation: ValidationSet | None = None
    best: BestState | None = None
    held_out: ValidationSet | None = None
    others: list[Training] = field(default_factory=list)
    is_over: bool = False
    divergence: str = ""

    @property
    def all(self) -> list[Training]:
        """The first member's and those of the others."""
        return [self, *self.others]

    @property
    def error(self) -> str:
        """Why one of them diverged, or nothing."""
        return next((each.divergence for each in self.all if each.divergence), "")

    @property
    def n_rows(self) -> int:
        """Rows of an epoch."""
        return len(self.data.labels) if self.data.rows is None else self.data.rows.shape[1]

    @property
    def company(self) -> tuple[Any, ...]:
        """What those that train together have in common."""
        state, data = self.model.state, self.data
        shared = in_common(
            self.model.architecture, self.settings, self.n_rows, state.n_epochs, state.theta.dtype
        )
        return (*shared, data.weights is None, issparse(data.x), self.validation is None)

    def result(self) -> Model:
        """Give the model to keep: the best on the validation set, or the last without one."""
        best = self.best
        if best is None or best.theta is None:
            return self.model
        return self.model.with_theta(best.theta, best.epoch)


def in_common(
    architecture: Architecture,
    settings: Settings,
    n_rows: int,
    n_epochs: int,
    dtype: npt.DTypeLike,
) -> tuple[Any, ...]:
    """What trainings have in common that can take their steps together.

    Parameters
    ----------
    architecture : Architecture
    settings : Settings
        Batch sizes may differ if the mini-batches do not.
    n_rows, n_epochs : int
        Rows of an epoch, and epochs done.
    dtype : numpy dtype
    """
    edges = batch_edges(n_rows, settings.batch_size, architecture.normalised)
    has_threads = worth_sharing(architecture, settings.batch_size)
    settings = replace(settings, batch_size=len(edges) - 1)
    return architecture, settings, n_rows, n_epochs, np.dtype(dtype).name, has_threads


def train_together(
    trainings: Iterable[tuple[Training, int]], memory_budget: float = np.inf
) -> None:
    """Train each for as long as it is to be, or until it stops or diverges.

    What comes of each does not depend on its company, to the last bit.

    Parameters
    ----------
    trainings : iterable of (Training, int)
        Each with the epochs that it, and its others, shall have done in the end. Changed
        in place.
    memory_budget : float
        Bytes that a population may take.
    """
    groups = defaultdict(list)
    for training, n_epochs in ((t, n) for first, n in trainings for t in first.all):
        if not training.is_over and training.model.state.n_epochs < n_epochs:
            groups[training.company].append((training, n_epochs))
    for group in groups.values():
        first = group[0][0]
        size = n_together(
            first.model.architecture,
            first.settings.batch_size,
            first.n_rows,
            first.model.state.theta.itemsize,
            memory_budget,
        )
        # Parts of the same size: ten in one and two in another take longer than six and six.
        n_parts = -(-len(group) // size)
        for part in range(n_parts):
            _Population(group[part::n_parts]).run()


def n_together(
    architecture: Architecture,
    batch_size: int,
    n_rows: int,
    n_bytes: int = 4,
    memory_budget: float = np.inf,
) -> int:
    """How many trainings should take their steps together, at most.

    Parameters
    ----------
    architecture : Architecture
    batch_size, n_rows : int
        Rows of a mini-batch, and of an epoch.
    n_bytes : int, default=4
        Of a number.
    memory_budget : float
        Bytes that they may take.
    """
    n_units = architecture.n_features + 3 * sum(architecture.hidden_layer_sizes)
    # Parameters, their gradient and the optimiser's two vectors, and the activations.
    step = (5 * architecture.layout.size + min(batch_size, n_rows) * n_units) * n_bytes
    epoch = n_rows * (4 * np.dtype(np.intp).itemsize + n_bytes)
    return max(1, int(min(CACHED_BYTES // step, memory_budget // (step + epoch))))


class _Population:
    """Trainings that take their steps together, and leave one by one."""

    def __init__(self, members: Sequence[tuple[Training, int]]) -> None:
        self.members = [training for training, _ in members]
        self.until = np.array([n_epochs for _, n_epochs in members])
        self.state = State.together([training.model.state for training in self.members])
        self.data = together([training.data for training in self.members])
        self.hyper = {
            name: np.concatenate([training.hyper[name] for training in self.members])
            for name in PER_MEMBER
        }
        # Trainings that begin alike share their streams; those with noise of their own draw
        # from one each.
        self.state.shuffle_streams = deepcopy(self.state.shuffle_streams)
        if any(self.hyper[name].any() for name in NOISE):
            self.state.noise_streams = [deepcopy(each) for each in self.state.noise_streams]
        # By name, what was measured: an array (K,) an epoch.
        self.history: defaultdict[str, list[Array]] = defaultdict(list)

    def run(self) -> None:
        """Train until all have left."""
        first = self.members[0]
        with suitable_threads(first.model.architecture, first.settings.batch_size):
            while self.members:
                self.let_go(self.train(first.settings))

    def train(self, settings: Settings) -> npt.NDArray[np.bool_]:
        """Go on until some are to leave, and tell which."""
        architecture = self.members[0].model.architecture
        epochs = train(architecture, settings, self.hyper, self.state, self.data)
        while True:
            started = perf_counter()
            epoch = next(epochs)
            self.note("loss", epoch.loss)
            self.note("learning_rate", epoch.learning_rate)
            self.note("gradient_norm", epoch.gradient_norm)
            leaving = ~epoch.finite | (self.state.n_epochs >= self.until)
            if self.members[0].validation is not None:
                leaving |= self.validate(epoch)
            seconds = (perf_counter() - started) / len(self.members)
            self.note("seconds", np.full(len(self.members), seconds))
            if leaving.any():
                self.explain(epoch)
                return leaving

    def note(self, name: str, values: Array) -> None:
        """Write down what was measured of each in an epoch."""
        self.history[name].append(values)

    def validate(self, epoch: Epoch) -> npt.NDArray[np.bool_]:
        """Judge each on its validation set, and tell which are to stop."""
        stopped = np.zeros(len(self.members), bool)
        scores = np.full((2, len(self.members)), np.nan)
        architecture = self.members[0].model.architecture
        for some, validation in self.judged_together(epoch.finite):
            scores[:, some] = validation.score(
                architecture, self.state.theta[some], self.hyper["bn_epsilon"][some]
            )
        for k in np.flatnonzero(epoch.finite):
            training, theta = self.members[k], self.state.theta[k : k + 1]
            if training.best is not None:
                stopped[k] = training.best.update(scores[0, k], theta, self.state.n_epochs)
                training.is_over = bool(stopped[k])
        self.note("validation_loss", scores[0])
        self.note("validation_accuracy", scores[1])
        return stopped

    def judged_together(
        self, finite: npt.NDArray[np.bool_]
    ) -> Iterator[tuple[Indices, ValidationSet]]:
        """Give those that share a validation set, some at a time."""
        groups: defaultdict[int, list[int]] = defaultdict(list)
        for k in np.flatnonzero(finite):
            groups[id(self.members[k].validation)].append(int(k))
        for group in groups.values():
            validation = self.members[group[0]].validation
            assert validation is not None  # as of all in company of one that has it
            n_numbers = len(validation.labels) * self.members[0].model.architecture.n_classes
            for some in parts(group, n_numbers):
                yield np.array(some), validation

    def explain(self, epoch: Epoch) -> None:
        """Say of those that diverged that they did."""
        for k in np.flatnonzero(~epoch.finite):
            self.members[k].is_over = True
            self.members[k].divergence = divergence(
                self.state.n_epochs, epoch.loss[k], epoch.learning_rate[k]
            )

    def let_go(self, leaving: npt.NDArray[np.bool_]) -> None:
        """Give those that leave their state and history, and close the ranks."""
        history = {name: np.stack(values) for name, values in self.history.items()}
        streams = self.state.shuffle_streams
        if not leaving.all():  # one that is shared goes on with those that stay
            streams = deepcopy(streams)
        for k in np.flatnonzero(leaving):
            training = self.members[k]
            training.model.bn_epsilon = training.hyper["bn_epsilon"]
            training.model.state = self.state.members([int(k)])
            training.model.state.shuffle_streams = [streams[k]]
            training.model.record({name: v[:, k].tolist() for name, v in history.items()})
        stay = np.flatnonzero(~leaving).tolist()
        if not stay:
            self.members = []
            return
        self.members, self.until = [self.members[k] for k in stay], self.until[stay]
        self.state = self.state.members(stay)
        self.data = Data(
            self.data.x,
            self.data.labels,
            None if self.data.rows is None else self.data.rows[stay],
            None if self.data.weights is None else self.data.weights[stay],
        )
        self.hyper = {name: values[stay] for name, values in self.hyper.items()}
        self.history = defaultdict(list, {n: list(v[:, stay]) for n, v in history.items()})


def parts(members: Sequence[T], n_numbers: int) -> Iterator[Sequence[T]]:
    """Give as many members at a time as stay in the cache with so many numbers each."""
    size = max(1, CACHED_BYTES // (np.dtype(np.float64).itemsize * n_numbers))
    for first in range(0, len(members), size):
        yield members[first : first + size]


def together(data: Sequence[Data]) -> Data:
    """Rows of several, each of one member and as many: those that share a table share it here."""
    tables: dict[tuple[int, int], Data] = {}
    for each in data:
        tables.setdefault((id(each.x), id(each.labels)), each)
    weights = None if data[0].weights is None else np.concatenate([d.weights for d in data])
    if len(tables) == 1:
        x, labels, starts = data[0].x, data[0].labels, [0] * len(data)
        if data[0].rows is None and all(each.rows is None for each in data):
            return Data(x, labels, None, weights)
    else:
        parts = list(tables.values())
        stack = vstack if issparse(parts[0].x) else np.concatenate
        x, labels = stack([d.x for d in parts]), np.concatenate([d.labels for d in parts])
        ends = np.cumsum([len(d.labels) for d in parts])
        by_table = dict(zip(tables, [0, *ends], strict=False))
        starts = [by_table[id(each.x), id(each.labels)] for each in data]
    rows = [
        start + (np.arange(len(each.labels))[None] if each.rows is None else each.rows)
        for start, each in zip(starts, data, strict=True)
    ]
    return Data(x.tocsr() if issparse(x) else x, labels, np.concatenate(rows), weights)
