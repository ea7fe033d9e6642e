"""The one training loop: runs that share shapes take their steps together."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from time import perf_counter
from typing import Any, NamedTuple, TypeVar

import numpy as np
import numpy.typing as npt
from scipy.sparse import issparse, vstack

from skbn.network.architecture import NOISE, Architecture
from skbn.network.batches import batch_edges
from skbn.network.epochs import PER_MEMBER, Data, Epoch, Settings, train
from skbn.network.inference import TrainedNetwork
from skbn.network.parameters import CACHED_BYTES, Array
from skbn.network.state import State, copy_streams
from skbn.training.holdout import Dataset, Holdout
from skbn.training.run import Entry, Run, divergence
from skbn.training.threads import is_worth_threads, suitable_threads

T = TypeVar("T")
POPULATION_BYTES = 2 * CACHED_BYTES
"""Bytes that a population works on in a step: networks of 64 units train fastest some 30
at a time, networks of 256 one or two at a time (``benchmarks/speed.py --only population``)."""

OnEpoch = Callable[[Run, Entry], object]
"""Takes a run and the entry of its last epoch; a true answer stops the run."""

BeforeEpoch = Callable[[Run], object]
"""Takes a run that begins an epoch."""

Measured = dict[str, list[float]]
"""Measurements of an epoch by name, a value a run."""


class Task(NamedTuple):
    """A run, the rows it trains on, and the epochs that it shall have done in the end."""

    run: Run
    dataset: Dataset
    until: int


def run_together(
    tasks: Iterable[Task],
    on_epoch: OnEpoch | None = None,
    memory_budget: float = np.inf,
    is_over: Callable[[], bool] = lambda: False,
    before_epoch: BeforeEpoch | None = None,
) -> None:
    """Train each run for as long as it is to be, or until it stops or fails.

    The outcome of a run does not depend on the other runs, to the last bit.

    Parameters
    ----------
    tasks : iterable of Task
        Their runs are changed in place.
    on_epoch : callable, optional
        ``on_epoch(run, entry)`` is called after every epoch of every run, with the
        measurements; a run that failed has its ``error``. Its progress is that of the whole
        epoch, and ``is_over`` says whether its validation loss has stopped it. A true answer
        stops the run; another dict as ``run.hyper`` holds from the next epoch on.
    memory_budget : float
        Bytes that a population may take.
    is_over : callable
        Says, after each epoch, whether all end here; they could go on.
    before_epoch : callable, optional
        ``before_epoch(run)`` is called before every epoch of every run.
    """
    groups = defaultdict(list)
    for task in tasks:
        if not task.run.is_over and task.run.n_epochs < task.until:
            groups[lockstep_key(task)].append(task)
    for group in groups.values():
        run, dataset, _ = group[0]
        size = population_size(
            run.progress.architecture,
            run.settings.batch_size,
            run.n_rows(dataset),
            run.progress.state.theta.itemsize,
            memory_budget,
        )
        # Parts of the same size: ten in one and two in another take longer than six and six.
        n_parts = -(-len(group) // size)
        for part in range(n_parts):
            if is_over():
                return
            _Population(group[part::n_parts]).train(on_epoch, is_over, before_epoch)


def lockstep_key(task: Task) -> tuple[Any, ...]:
    """Properties that runs must share to take their steps together."""
    run, dataset, _ = task
    state = run.progress.state
    shared = step_sequence(
        run.progress.architecture,
        run.settings,
        run.n_rows(dataset),
        state.n_epochs,
        state.theta.dtype,
    )
    absent = [each is None for each in (run.weights, run.loss_weights, run.validation)]
    return (*shared, *absent, issparse(dataset.x))


def step_sequence(
    architecture: Architecture,
    settings: Settings,
    n_rows: int,
    n_epochs: int,
    dtype: npt.DTypeLike,
) -> tuple[Any, ...]:
    """Properties that decide the sequence of steps.

    Parameters
    ----------
    architecture : Architecture
    settings : Settings
        Batch sizes may differ if the mini-batches do not.
    n_rows, n_epochs : int
        Rows of an epoch, and epochs done.
    dtype : numpy dtype
    """
    n_batches = len(batch_edges(n_rows, settings.batch_size, architecture.normalised)) - 1
    how = settings.solver, settings.nesterovs_momentum, settings.learning_rate, settings.shuffle
    has_threads = is_worth_threads(architecture, settings.batch_size)
    rows = n_rows, n_batches, n_epochs
    return (architecture, *how, *rows, np.dtype(dtype).name, has_threads)


def population_size(
    architecture: Architecture,
    batch_size: int,
    n_rows: int,
    n_bytes: int = 4,
    memory_budget: float = np.inf,
) -> int:
    """How many runs should take their steps together, at most.

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
    return max(1, int(min(POPULATION_BYTES // step, memory_budget // (step + epoch))))


class _Population:
    """Runs that take their steps together, and leave one by one."""

    def __init__(self, tasks: Sequence[Task]) -> None:
        self.tasks = list(tasks)
        self.runs = [task.run for task in tasks]
        self.architecture = self.runs[0].progress.architecture
        self.data = stacked_data(tasks)
        self.state = State.stacked([run.progress.state for run in self.runs])
        # Runs that begin alike share their streams.
        self.state.shuffle_streams = copy_streams(self.state.shuffle_streams)
        self.enter()

    def enter(self) -> None:
        """Read the hyperparameters, and let the progress of each run be a view of the state."""
        self.known = [run.hyper for run in self.runs]
        self.hyper = {
            name: np.concatenate([hyper[name] for hyper in self.known]) for name in PER_MEMBER
        }
        if any(self.hyper[name].any() for name in NOISE):
            # Each draws its noise from a stream of its own.
            self.state.noise_streams = [copy_streams([s])[0] for s in self.state.noise_streams]
        for k, run in enumerate(self.runs):
            run.progress.bn_epsilon = run.hyper["bn_epsilon"]
            run.progress.state = self.state.view(k)
        self.columns: list[list[Callable[[float], None]]] = []
        self.unmeasured: list[list[float]] = []

    def train(
        self,
        on_epoch: OnEpoch | None,
        is_over: Callable[[], bool],
        before_epoch: BeforeEpoch | None,
    ) -> None:
        """Train until all have left."""
        settings = self.runs[0].settings
        with suitable_threads(self.architecture, settings.batch_size):
            while self.runs:
                epochs = train(self.architecture, settings, self.hyper, self.state, self.data)
                leaving = [False]
                while not any(leaving) and self.known == [run.hyper for run in self.runs]:
                    if before_epoch is not None:
                        for run in self.runs:
                            before_epoch(run)
                    started = perf_counter()
                    measured = self.measure(next(epochs))
                    seconds = (perf_counter() - started) / len(self.runs)
                    measured["seconds"] = [seconds] * len(self.runs)
                    self.record(measured)
                    ends = is_over()
                    leaving = [
                        self.after_epoch(k, measured, on_epoch) or ends
                        for k in range(len(self.runs))
                    ]
                self.part_with(leaving)

    def measure(self, epoch: Epoch) -> Measured:
        """Give the measurements of an epoch, and fail the runs that diverged."""
        measured = {
            "loss": epoch.loss.tolist(),
            "learning_rate": epoch.learning_rate.tolist(),
            "gradient_norm": epoch.gradient_norm.tolist(),
        }
        for k, is_finite in enumerate(epoch.finite.tolist()):
            if not is_finite:
                loss, rate = measured["loss"][k], measured["learning_rate"][k]
                what = f"the loss {loss:.3g} or a parameter is not finite"
                fault = epoch.faults.get(k, "")
                self.runs[k].fail(
                    fault
                    if isinstance(fault, Exception)
                    else divergence(self.state.n_epochs, what, rate, fault)
                )
        return measured if self.runs[0].validation is None else measured | self.judge()

    def judge(self) -> Measured:
        """Judge each on its validation set; NaN where it failed."""
        names = [f"validation_{name}" for name in self.architecture.loss_function.measures]
        scores = {name: np.full(len(self.runs), np.nan) for name in names}
        for members, holdout, dataset in self.judged_together():
            for each, found in self.scores(members, holdout, dataset):
                for name, values in found.items():
                    scores[f"validation_{name}"][each] = values
        return {name: values.tolist() for name, values in scores.items()}

    def judged_together(self) -> Iterator[tuple[Sequence[int], Holdout, Dataset]]:
        """Give members that share a validation set, some at a time."""
        groups: defaultdict[tuple[int, int], list[int]] = defaultdict(list)
        for k, (run, dataset, _) in enumerate(self.tasks):
            if run.error is None:
                groups[id(run.validation), id(dataset)].append(k)
        for group in groups.values():
            run, dataset, _ = self.tasks[group[0]]
            assert run.validation is not None  # as the lockstep key has it
            n_numbers = len(run.validation.labels(dataset)) * self.architecture.n_outputs
            for members in cached_parts(group, n_numbers):
                yield members, run.validation, dataset

    def scores(
        self, members: Sequence[int], holdout: Holdout, dataset: Dataset
    ) -> Iterator[tuple[Sequence[int], dict[str, Array]]]:
        """Score members; an error is of the one that it comes from alone."""
        where = np.array(members)
        hyper = {name: values[where] for name, values in self.hyper.items()}
        theta = self.state.theta[where]
        network = TrainedNetwork(self.architecture, theta, hyper["bn_epsilon"])
        try:
            yield members, holdout.score(dataset, network, hyper)
        except Exception as error:
            if len(members) == 1:
                self.runs[members[0]].fail(error)
                return
            for k in members:
                yield from self.scores([k], holdout, dataset)

    def record(self, measured: Measured) -> None:
        """Write an epoch into the history of each run."""
        if not self.columns:
            self.columns = [
                [run.progress.column(name).append for run in self.runs] for name in measured
            ]
            histories = [run.progress.history.items() for run in self.runs]
            self.unmeasured = [
                values for each in histories for name, values in each if name not in measured
            ]
        for appends, values in zip(self.columns, measured.values(), strict=True):
            for append, value in zip(appends, values, strict=True):
                append(value)
        for column in self.unmeasured:
            column.append(float("nan"))
        for run in self.runs:
            run.progress.kept_epoch = run.progress.state.n_epochs = self.state.n_epochs

    def after_epoch(self, k: int, measured: Measured, on_epoch: OnEpoch | None) -> bool:
        """Report an epoch of a run, and tell whether the run is to leave."""
        run = self.runs[k]
        if run.error is None and run.best is not None:
            loss, theta = measured["validation_loss"][k], self.state.theta[k : k + 1]
            run.is_over |= run.best.update(loss, theta, self.state.n_epochs)
        if on_epoch is not None:
            stops = on_epoch(run, {name: values[k] for name, values in measured.items()})
            run.is_over |= bool(stops)
        return run.is_over or self.state.n_epochs >= self.tasks[k].until

    def part_with(self, leaving: Sequence[bool]) -> None:
        """Part with the runs that leave, and go on with the others."""
        if len(self.runs) > 1:
            streams = self.state.shuffle_streams
            if not all(leaving):  # a shared one goes on with the runs that stay
                streams = copy_streams(streams)
            for k in range(len(self.runs)):
                if not leaving[k]:
                    continue
                own = self.runs[k].progress.state = self.state.members([k])
                own.shuffle_streams = [streams[k]]
        stay = [k for k in range(len(self.runs)) if not leaving[k]]
        self.tasks, self.runs = [self.tasks[k] for k in stay], [self.runs[k] for k in stay]
        if not stay:
            return
        self.state = self.state.members(stay)
        rows = self.data.rows
        self.data = replace(
            self.data,
            rows=None if rows is None else rows[stay],
            weights=_members(self.data.weights, stay),
            loss_weights=_members(self.data.loss_weights, stay),
        )
        self.enter()


def cached_parts(members: Sequence[T], n_numbers: int) -> Iterator[Sequence[T]]:
    """Give as many members at a time as stay in the cache with so many numbers each."""
    size = max(1, POPULATION_BYTES // (np.dtype(np.float64).itemsize * n_numbers))
    for first in range(0, len(members), size):
        yield members[first : first + size]


def stacked_data(tasks: Sequence[Task]) -> Data:
    """Rows of several runs, as many of each; a dataset of several is there once."""
    sources: dict[tuple[int, int], Dataset] = {}
    for _, dataset, _ in tasks:
        sources.setdefault((id(dataset.x), id(dataset.labels)), dataset)
    weights = _side_by_side([run.weights for run, *_ in tasks])
    loss_weights = _side_by_side([run.loss_weights for run, *_ in tasks])
    if len(sources) == 1:
        x, labels, first = tasks[0].dataset.x, tasks[0].dataset.labels, dict.fromkeys(sources, 0)
        if all(run.rows is None for run, *_ in tasks):
            return Data(x, labels, None, weights, loss_weights)
    else:
        parts = list(sources.values())
        stack = vstack if issparse(parts[0].x) else np.concatenate
        x, labels = stack([d.x for d in parts]), np.concatenate([d.labels for d in parts])
        ends = np.cumsum([len(d.labels) for d in parts]).tolist()
        first = dict(zip(sources, [0, *ends], strict=False))
    rows = [
        first[id(dataset.x), id(dataset.labels)]
        + (np.arange(len(dataset.labels)) if run.rows is None else run.rows)
        for run, dataset, _ in tasks
    ]
    x = x.tocsr() if issparse(x) else x
    return Data(x, labels, np.stack(rows), weights, loss_weights)


def _members(weights: Array | None, which: Sequence[int]) -> Array | None:
    return None if weights is None else weights[which]


def _side_by_side(weights: Sequence[Array | None]) -> Array | None:
    return None if weights[0] is None else np.stack([w for w in weights if w is not None])
