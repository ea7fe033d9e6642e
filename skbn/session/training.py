"""Networks, their log and their store: whatever happens is whole in all three, or in none."""

from __future__ import annotations

import time
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock, RLock
from time import perf_counter
from typing import Any

from skbn._compat import has_callbacks
from skbn.session.checkpoints import is_on_grid, to_drop
from skbn.session.journal import InMemory, SessionJournal
from skbn.session.log import CHANGE, EPOCH, REWIND, STOP, Event
from skbn.session.networks import Networks, with_changes
from skbn.session.preparation import Prepared
from skbn.training.interruption import uninterrupted
from skbn.training.run import Entry

OWNER, TERMINAL = "session", "terminal"
"""Who asks for what happens."""
MAX_SHARE_OF_KEEPING = 0.02
"""Time that checkpoints may take, as a fraction of that of the epochs between them. An epoch
without one is in the log, and trained again where it is needed, to the same bits."""
MAX_SECONDS_ON_GRID = 0.005
"""Time of a checkpoint that is made on the grid, whatever fraction of the time it takes."""
SECONDS_WORTH_KEEPING = 2.0
"""Time of epochs that a slower checkpoint keeps at the end of a call and before a change. Calls
that train for less come in hundreds, and what they trained is trained again in no time."""
FIRST_SECONDS_TO_KEEP, FEW_BYTES = 0.04, 2**20
"""Time that the first checkpoint is taken to need, with which it comes after two seconds, but for
networks of few bytes: they are written in some 3 ms."""


class Training:
    """A model in training, with all that happened.

    Parameters
    ----------
    prepared : Prepared
        Before its first epoch.
    store : InMemory or SessionJournal
        Where events and checkpoints go.
    """

    def __init__(self, prepared: Prepared, store: InMemory | SessionJournal) -> None:
        self.networks, self.store = Networks(prepared), store
        self.log = store.log
        self._start = self.networks.positions()
        self._has_warned, self._can_keep = False, True
        self._lock, self._under_way = RLock(), Lock()
        self._put_off: list[Callable[[], None]] | None = None
        self._seconds, self._seconds_to_keep = 0.0, FIRST_SECONDS_TO_KEEP
        if sum(each.n_bytes for each in self._start) <= FEW_BYTES:
            self._seconds_to_keep = 0.0
        self._go_along(self.log.line)

    # What happens.

    def epoch(self, which: Sequence[bool]) -> None:
        """Train some of the networks for an epoch."""
        with self._timed(), self._whole():
            measures = self.networks.epoch(which)
            self._add(EPOCH, self.log.epoch + 1, OWNER, measures=measures)

    @contextmanager
    def _timed(self) -> Iterator[None]:
        """Make a checkpoint after an epoch, if there is time for it."""
        started = perf_counter()
        yield
        self._seconds += perf_counter() - started
        is_due = self._is_quick and is_on_grid(self.log.epoch, self.store.max_checkpoints)
        if is_due or self._seconds >= self._seconds_to_keep / MAX_SHARE_OF_KEEPING:
            self._keep_last()

    @property
    def _is_quick(self) -> bool:
        return self._seconds_to_keep <= MAX_SECONDS_ON_GRID

    def keep(self) -> None:
        """Make a checkpoint of the last epoch, if it is quick or much was trained."""
        if self._is_quick or self._seconds >= SECONDS_WORTH_KEEPING:
            self._keep_last()

    def _keep_last(self) -> None:
        """Make a checkpoint of the last epoch, if nothing happened since and there is none."""
        with self._lock:
            if self.log.events and self.log.events[-1].event == EPOCH:
                self._keep(len(self.log.events) - 1)

    def _keep(self, position: int) -> None:
        kept = self.store.checkpoints
        if position in kept or not self._can_keep:
            return
        started, epochs = perf_counter(), [*kept.values(), self.log.epoch]
        dropped = to_drop(epochs, self.log.best_epoch, self.store.max_checkpoints)
        with uninterrupted():
            try:
                self.store.keep(position, self.networks, [p for p in kept if kept[p] in dropped])
            except ValueError as error:  # histories that are too long for a model file
                self._can_keep = False
                warnings.warn(
                    f"No more checkpoints are made, for {error}. Epochs are in the log all the "
                    "same, and are trained again when the session is opened",
                    stacklevel=4,
                )
        self._seconds, self._seconds_to_keep = 0.0, perf_counter() - started

    def change(self, params: dict[str, Any], asked_by: str, request: int | None = None) -> None:
        """Change parameters from the next epoch on."""
        check = partial(with_changes, self.networks.prepared.classifier, params)
        if self._is_put_off(partial(self.change, params, asked_by), check):
            return
        with self._whole():
            self.keep()
            self.networks.change(params)
            self._add(CHANGE, self.log.epoch, asked_by, params=params, request=request)
            self.networks.forget_notes()

    def rewind(self, epoch: int, asked_by: str, request: int | None = None) -> None:
        """Go back to where training stood after an epoch, its parameters and all."""
        check = partial(self.log.check_epoch, epoch)
        if self._is_put_off(partial(self.rewind, epoch, asked_by), check):
            return
        with self._whole():
            self.log.check_epoch(epoch)
            line = self.log.line_until(epoch)
            self._go_along(line)
            self._add(REWIND, epoch, asked_by, request=request)
            self.networks.forget_notes()
            if line:  # so that they are not trained once more
                self._keep(line[-1])

    def stop(self, asked_by: str, request: int | None = None) -> None:
        """Take note that training stops early."""
        with self._whole():
            self.keep()
            self._add(STOP, self.log.epoch, asked_by, request=request)

    def follow(self, event: Event) -> None:
        """Do what happened in another session, and log it as of then."""
        if event.event == EPOCH:
            with self._timed(), self._whole():
                self._commit(event._replace(measures=self._repeat(event)))
            return
        with self._whole():
            self.keep()
            if event.event == CHANGE:
                self.networks.change(event.params)
            elif event.event == REWIND:
                self._go_along(self.log.line_until(event.epoch))
            self._commit(event)

    @contextmanager
    def under_way(self) -> Iterator[None]:
        """Tell who watches that training is under way, and keep what it trained at its end."""
        with self.store.under_way():
            try:
                yield
            finally:
                self.keep()

    @contextmanager
    def alone(self) -> Iterator[None]:
        """Refuse to train while training is under way."""
        if not self._under_way.acquire(blocking=False):
            raise RuntimeError(
                "train was called while training is under way, by a callback or in another "
                "thread. A callback can call set_params and rewind, and stops training by True"
            )
        try:
            yield
        finally:
            self._under_way.release()

    @property
    def is_under_way(self) -> bool:
        """Whether a call of ``train`` is."""
        return self._under_way.locked()

    @contextmanager
    def undisturbed(self) -> Iterator[None]:
        """Let other threads wait with what they ask for, and do last what callbacks ask for."""
        with self._lock:
            put_off: list[Callable[[], None]] = []
            self._put_off = put_off
            try:
                yield
            finally:
                self._put_off = None
                for act in put_off:
                    act()

    def _is_put_off(self, act: Callable[[], None], check: Callable[[], object]) -> bool:
        """Put off what a callback asks for, once checked, for others have yet to hear the same."""
        with self._lock:
            if self._put_off is None:
                return False
            check()
            self._put_off.append(act)
            return True

    def close(self) -> None:
        """Let go of the journal."""
        with self._lock:
            if self._put_off is not None:
                raise RuntimeError(
                    "close was called by a callback, while training is under way. A callback "
                    "stops training by True; close the session after train"
                )
            self.store.close()

    def set_callbacks(self, callbacks: Sequence[Any]) -> None:
        """Let others hear of the training than the model came with."""
        with self._lock:
            pipeline: Any = self.networks.prepared.pipeline
            self.networks.prepared.classifier.set_callbacks(*callbacks)
            if has_callbacks(pipeline):
                pipeline.set_callbacks()

    def take_requests(self, is_under_way: bool = True) -> bool:
        """Do what was asked from another terminal, and tell whether to stop.

        Parameters
        ----------
        is_under_way : bool, default=True
            Whether training is, and can be stopped.

        Warns
        -----
        UserWarning
            If something cannot be done and nobody waits for the answer.
        """
        stops = False
        for request in self.store.requests():
            try:
                if request.what == CHANGE:
                    self.change(request.params, TERMINAL, request.number)
                elif request.what == REWIND:
                    self.rewind(request.epoch, TERMINAL, request.number)
                elif is_under_way:
                    self.stop(TERMINAL, request.number)
                    stops = True
                else:
                    raise ValueError("there is nothing to stop: no training was under way")
            except ValueError as error:
                self.store.refuse(request.number, str(error))
                if not is_under_way:
                    warnings.warn(
                        f"A {request.what} that was asked for at a terminal is refused: {error}",
                        stacklevel=4,
                    )
        return stops

    # How.

    @contextmanager
    def _whole(self) -> Iterator[None]:
        """Leave the networks as they were, unless what happens comes to its end in the log."""
        # A thread that changes something waits for the end of the epoch that another one trains.
        with self._lock:
            networks, n_events = self.networks, len(self.log.events)
            positions, classifier = networks.positions(), networks.prepared.classifier
            try:
                yield
            except BaseException:
                if len(self.log.events) == n_events:
                    with uninterrupted():
                        networks.go_to(positions, self._histories(self.log.line))
                        networks.go_on_with(classifier)
                raise

    def fitted_model(self) -> Any:
        """Give a fitted model of where training stands."""
        with self._lock:
            return self.networks.fitted_model()

    def _add(
        self,
        kind: str,
        epoch: int,
        asked_by: str,
        measures: Sequence[Entry | None] = (),
        params: Mapping[str, Any] | None = None,
        request: int | None = None,
    ) -> None:
        branch = self.log.branch + (kind == REWIND)
        event = Event(kind, epoch, branch, time.time(), asked_by, measures, dict(params or {}))
        self._commit(event, request)

    def _commit(self, event: Event, request: int | None = None) -> None:
        left: list[int] = []
        if event.event == REWIND:
            line = self.log.line_until(event.epoch)
            left = [position for position in self.store.checkpoints if position not in line]
        with uninterrupted():
            self.store.commit(event, left, request)

    def _histories(self, line: Sequence[int]) -> list[dict[str, list[float]]]:
        return self.log.histories(line, len(self.networks.runs))

    def _go_along(self, line: Sequence[int]) -> None:
        """Go to the end of a line of the log, from the last checkpoint on it."""
        begun = max((i + 1 for i, p in enumerate(line) if p in self.store.checkpoints), default=0)
        positions = self.store.positions(line[begun - 1]) if begun else self._start
        networks, events = self.networks, [self.log.events[p] for p in line[begun:]]
        networks.go_to(positions, self._histories(line[:begun]))
        networks.reset(self.log.params(line[:begun]))
        self._seconds = 0.0
        for event in events:
            if event.event == CHANGE:
                networks.change(event.params)
            else:
                started = perf_counter()
                self._repeat(event)
                self._seconds += perf_counter() - started

    def _repeat(self, event: Event) -> list[Entry | None]:
        """Train the networks that an epoch of the log trained, and give what it has measured."""
        networks = self.networks
        measures = networks.epoch([each is not None for each in event.measures])
        self._compare(event, measures)
        for run, before, now in zip(networks.runs, event.measures, measures, strict=True):
            if before is not None and now is not None:
                now["seconds"] = run.progress.history["seconds"][-1] = before["seconds"]
        return measures

    def _compare(self, event: Event, measures: Sequence[Entry | None]) -> None:
        """Warn at the first epoch that comes out otherwise than the log has it."""
        for before, now in zip(event.measures, measures, strict=True):
            if before is None or now is None or self._has_warned:
                continue
            for name, one in before.items():
                other = now[name]
                if one != other and one == one and name != "seconds" and not self._has_warned:
                    self._has_warned = True
                    warnings.warn(
                        f"Training comes out otherwise than the journal has it, from {name} of "
                        f"epoch {event.epoch} on ({one!r} there, {other!r} here): another library "
                        "version, processor or number of threads, or transformers without a seed. "
                        "It goes on from what came out here",
                        stacklevel=2,
                    )
