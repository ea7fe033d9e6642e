"""Candidates on splits, trained together: networks in lockstep, others one by one."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from copy import copy
from dataclasses import replace
from time import perf_counter
from traceback import format_exc, format_exception
from typing import Any, NamedTuple

import numpy as np
from sklearn.base import clone, is_classifier
from sklearn.pipeline import Pipeline

from skbn._compat import n_samples, names_of_scores, score, validate_parameters
from skbn.lockstep import Training, in_common, n_together, parts, train_together
from skbn.model import logits_together
from skbn.population import Drawn
from skbn.search.interruption import uninterrupted_worker
from skbn.search.jobs import Done, Job
from skbn.search.splits import Rules, Split, is_network
from skbn.stopping import ValidationSet

CURVES = ("loss", "validation_loss", "validation_accuracy")
"""What is told of the networks after each epoch."""


def n_bytes_of_state(state: Any) -> int:
    """Bytes of what a network goes on from; 0 for other estimators."""
    if not isinstance(state[1], Training):
        return 0
    arrays: list[Any] = []
    for training in state[1].all:
        model, best = training.model.state, training.best
        arrays += [model.theta, *model.vectors, None if best is None else best.theta]
    return sum(array.nbytes for array in arrays if array is not None)


class Member(NamedTuple):
    """A candidate on a split, and what it has come to so far."""

    job: Job
    last: Any
    state: Any = None
    is_valid: bool = False  # whether its parameters were checked


class Company(NamedTuple):
    """Those with whom a member can train."""

    key: Any
    size: int  # the most that should
    cost: float  # of a member, to tell which take longest
    is_valid: bool


def company(member: Member, split: Split, memory_budget: float) -> Company:
    """Tell with whom a member can train."""
    table, job = split.table, member.job
    if split.error or table is None:
        return Company(job.key, 1, 1.0, False)
    if not member.is_valid:
        return Company(job.key, 1, 0.0, False)
    classifier = copy(member.last)
    classifier.__dict__.update(table.about)
    try:
        architecture = classifier._architecture()
        settings = classifier._settings(architecture, len(table.labels))
    except ValueError:  # which training will report
        return Company(job.key, 1, 0.0, False)
    n_rows, n_done, dtype = len(table.labels), _n_epochs(member.state), table.X.dtype
    batch_size = settings.batch_size
    size = n_together(architecture, batch_size, n_rows, dtype.itemsize, memory_budget)
    n_steps = (min(job.until or np.inf, classifier.max_iter) - n_done) * -(-n_rows // batch_size)
    # Seconds, about: what a step costs in any case, and its arithmetic.
    cost = n_steps * (4e-5 / size + 6e-11 * batch_size * architecture.layout.size)
    cost *= classifier._n_models()
    key = in_common(architecture, settings, n_rows, n_done, dtype)
    return Company(key, size, cost, True)


def _n_epochs(state: Any) -> int:
    return 0 if state is None else int(state[1].model.state.n_epochs)


def train(
    parent: int, members: Sequence[Member], splits: dict[Any, Split], rules: Rules
) -> list[Done]:
    """Train members as far as their jobs say, and judge them.

    Parameters
    ----------
    parent : int
        Process of the search.
    members : sequence of Member
        All networks, or none.
    splits : dict of int to Split
        That of each.
    rules : Rules
    """
    with uninterrupted_worker(parent):
        by_epochs = _train_networks if is_network(members[0].last) else _train_others
        return by_epochs(members, splits, rules)


def _train_networks(
    members: Sequence[Member], splits: dict[Any, Split], rules: Rules
) -> list[Done]:
    begun: list[tuple[Any, Any, str]] = []
    drawn: Drawn = {}
    for member in members:
        classifier, training, error = None, None, splits[member.job.split].error
        try:
            if not error:
                classifier, training = _begin(member, splits[member.job.split], rules, drawn)
        except Exception:
            error = _failure(rules)
        begun.append((classifier, training, error))
    n_before = [_n_epochs(member.state) for member in members]
    goals = [
        (training, min(member.job.until or np.inf, classifier.max_iter))
        for member, (classifier, training, error) in zip(members, begun, strict=True)
        if not error
    ]
    train_together(goals, rules.memory_budget)
    trained = []
    for member, (classifier, training, error) in zip(members, begun, strict=True):
        if not error and not training.error:
            classifier._publish_training(training)
            trained.append((member.job, classifier))
    right = _accuracies(trained, splits, rules)
    done = []
    for member, (classifier, training, error), n in zip(members, begun, n_before, strict=True):
        if error:
            done.append(_failed(member, splits, rules, error))
            continue
        history, n_epochs = training.model.history, training.model.state.n_epochs
        measured = {
            "fit_time": sum(sum(t.model.history["seconds"][n:]) for t in training.all),
            "n_epochs": n_epochs,
            "ended": all(
                t.is_over or t.model.state.n_epochs >= classifier.max_iter for t in training.all
            ),
            "curves": {name: history[name][n:] for name in CURVES if name in history},
        }
        if training.error:
            error = _failure(rules, ValueError(training.error))
            done.append(_failed(member, splits, rules, error, measured))
            continue
        state = None if member.job.is_last else _without_rows(classifier, training)
        accuracy = right.get(member.job.key)
        done.append(_judged(member, splits, rules, classifier, measured, state, accuracy))
    return done


def _accuracies(
    trained: Sequence[tuple[Job, Any]], splits: dict[Any, Split], rules: Rules
) -> dict[Any, tuple[float, float]]:
    """Shares of the rows to test on that are right, and the seconds that took, of classifiers.

    Those of one architecture are asked together.
    """
    groups: defaultdict[Any, list[tuple[Any, Any]]] = defaultdict(list)
    for job, classifier in trained:
        split = splits[job.split]
        if rules.accuracy and split.labels is not None and not split.score_params:
            like = job.split, classifier._model.architecture, len(classifier._averaged)
            groups[like].append((job.key, classifier))
    right: dict[Any, tuple[float, float]] = {}
    for (which, architecture, n_models), group in groups.items():
        x, labels = splits[which].x_test, splits[which].labels
        for some in parts(group, len(labels) * architecture.n_classes * n_models):
            started = perf_counter()
            logits = logits_together([model for _, c in some for model in c._averaged], x)
            shares = {}
            for i, (key, classifier) in enumerate(some):
                combined = classifier._combined(logits[i * n_models : (i + 1) * n_models])
                shares[key] = float(np.average(combined.argmax(axis=1) == labels))
            seconds = (perf_counter() - started) / len(some)
            right |= {key: (share, seconds) for key, share in shares.items()}
    return right


def _begin(member: Member, split: Split, rules: Rules, drawn: Drawn) -> tuple[Any, Training]:
    """A classifier, and its training from where it stands."""
    table = split.table
    assert table is not None  # as of all splits for networks
    if member.state is None:
        # All splits start from the same seed, but a stream of random numbers must not be shared.
        has_stream = isinstance(member.last.random_state, np.random.RandomState)
        classifier = clone(member.last) if has_stream else copy(member.last)
        if not member.is_valid:
            validate_parameters(classifier)
        training = table.begin(classifier, drawn)
    else:
        classifier, training = member.state
        for each in training.all:
            each.data = replace(each.data, x=table.X, labels=table.labels)
            each.held_out = _on_table(each.held_out, table.X)
            if each.best is not None:
                each.validation = _on_table(each.validation, table.X)
    if rules.by_epochs and training.best is None:
        training.validation = split.validation
    return classifier, training


def _without_rows(classifier: Any, training: Training) -> tuple[Any, Training]:
    """What a member goes on from, without the rows that it shares with others."""
    for each in training.all:
        table = each.data.x
        each.data = replace(each.data, x=None, labels=np.empty(0, int))
        each.held_out = _off_table(each.held_out, table)
        each.validation = None if each.best is None else _off_table(each.validation, table)
    return classifier, training


def _on_table(validation: ValidationSet | None, table: Any) -> ValidationSet | None:
    if validation is None or validation.x is not None:
        return validation
    return replace(validation, x=table)


def _off_table(validation: ValidationSet | None, table: Any) -> ValidationSet | None:
    if validation is None or validation.x is not table:
        return validation
    return replace(validation, x=None)


def _train_others(members: Sequence[Member], splits: dict[Any, Split], rules: Rules) -> list[Done]:
    """Train estimators with ``partial_fit``, a call an epoch."""
    done = []
    for member in members:
        split, started = splits[member.job.split], perf_counter()
        error, n_epochs = split.error, 0
        try:
            if not error:
                estimator, n_epochs = member.state or (clone(member.last), 0)
                most = getattr(estimator, "max_iter", np.inf)
                until = int(min(member.job.until or most, most))
                assert split.rows is not None  # as of all splits for other estimators
                X, y, params = split.rows
                while n_epochs < until:
                    first = {"classes": np.unique(y)} if not n_epochs else {}
                    estimator.partial_fit(
                        X, y, **(first if is_classifier(estimator) else {}), **params
                    )
                    n_epochs += 1
        except Exception:
            error = _failure(rules)
        measured = {"fit_time": perf_counter() - started, "n_epochs": n_epochs, "curves": {}}
        if error:
            done.append(_failed(member, splits, rules, error, measured))
            continue
        measured["ended"] = n_epochs >= getattr(estimator, "max_iter", np.inf)
        state = None if member.job.is_last else (estimator, n_epochs)
        done.append(_judged(member, splits, rules, estimator, measured, state))
    return done


def _failure(rules: Rules, error: Exception | None = None) -> str:
    """Text of the error that is being handled, or of one given, unless it is to be raised."""
    if rules.error_score != "raise":
        return format_exc() if error is None else "".join(format_exception(error))
    if error is None:
        raise
    raise error


def _failed(
    member: Member,
    splits: dict[Any, Split],
    rules: Rules,
    error: str,
    measured: dict[str, Any] | None = None,
) -> Done:
    names = names_of_scores(rules.scorer)
    scores = rules.error_score if names is None else dict.fromkeys(names, rules.error_score)
    result = {"fit_time": 0.0, "score_time": 0.0, "n_epochs": 0, "curves": {}, **(measured or {})}
    result |= {"fit_error": error, "test_scores": scores, "ended": False}
    return _done(member, splits, rules, result, None)


def _judged(
    member: Member,
    splits: dict[Any, Split],
    rules: Rules,
    estimator: Any,
    measured: dict[str, Any],
    state: Any,
    accuracy: tuple[float, float] | None = None,
) -> Done:
    split, started = splits[member.job.split], perf_counter()
    scores, seconds = accuracy or (None, 0.0)
    if accuracy is None:
        X = split.X_test
        if split.pipeline is not None:
            transformers, raw = split.pipeline
            if transformers is not None:
                last = transformers.steps[-1][0]
                X, estimator = raw, Pipeline([*transformers.steps[:-1], (last, estimator)])
        scores = score(
            estimator, X, split.y_test, rules.scorer, split.score_params, rules.error_score
        )
    result = measured | {"fit_error": None, "test_scores": scores}
    result["score_time"] = seconds + perf_counter() - started
    result["ended"] = measured["ended"] or member.job.is_last
    return _done(member, splits, rules, result, state)


def _done(
    member: Member, splits: dict[Any, Split], rules: Rules, result: dict[str, Any], state: Any
) -> Done:
    job = member.job
    result["n_test_samples"] = n_samples(splits[job.split].X_test)
    if not rules.by_epochs:
        for name in ("n_epochs", "curves", "ended"):
            del result[name]
    return Done(job.candidate, job.rung, job.split, result, state)
