"""Rows of a journal: a study as text, and back with all that is wrong told."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from skbn.journal.checksums import DamageError, Row, well_formed
from skbn.journal.values import without_addresses
from skbn.search.study import Study, Trial

TEXTS = {"fit_error", "score_error"}
"""Keys of every result whose value is an error as text, or None."""
KEYS = TEXTS | {"test_scores", "fit_time", "score_time", "n_test_samples"}
"""Of every result."""
KEYS_OF_RUNGS = {"n_epochs", "curves", "ended"}
"""Of those with rungs too."""
DRAWS = ("global", "local", "known")


def round_row(number: int, study: Study) -> Row:
    """Row of a round: its number, its bounds, and how many candidates it has."""
    n_candidates = sum(trial.round == number for trial in study.trials)
    return number, json.dumps(study.bounds[number].tolist()), n_candidates


def candidate_row(candidate: int, trial: Trial, params: Any) -> Row:
    """Row of a candidate, with its parameters for people to read."""
    readable = without_addresses(repr(params)).encode("utf-8", "backslashreplace").decode()
    return candidate, trial.round, trial.draw, json.dumps(trial.unit.tolist()), readable


def result_row(candidate: int, rung: int, split: int, result: Mapping[str, Any]) -> Row:
    """Row of a result."""
    return candidate, rung, split, json.dumps(_to_json(result), allow_nan=False)


def restore(study: Study, seed: str, tables: Mapping[str, Sequence[Row]]) -> None:
    """Give a study what its journal holds; it stays as it is if something is wrong there.

    Failed fits are left out, so that they are made again: their cause, a library that was
    missing or a machine without memory, may be gone.

    Parameters
    ----------
    study : Study
    seed : str
    tables : dict of str to list of tuple
        Rows without checksums, in the order of their keys.
    """
    with well_formed():
        bounds = [_bounds(*row) for row in tables["rounds"]]
        trials = [_trial(*row) for row in tables["candidates"]]
        numbers = [row[0] for row in tables["rounds"]]
        _require(numbers == list(range(len(numbers))), "rounds")
        _require([row[0] for row in tables["candidates"]] == list(range(len(trials))), "candidates")
        sizes = [sum(trial.round == number for trial in trials) for number in numbers]
        _require(sizes == [row[2] for row in tables["rounds"]], "candidates")
        _require(sum(sizes) == len(trials), "candidates")
        _require(all(a.round <= b.round for a, b in pairwise(trials)), "candidates")
        shapes = {each.shape for each in bounds} | {(*trial.unit.shape, 2) for trial in trials}
        _require(len(shapes) <= 1, "candidates")
        for candidate, rung, split, text in tables["results"]:
            where = 0 <= candidate < len(trials), 0 <= rung < study.n_rungs
            _require(all(where) and 0 <= split < study.n_splits, "results")
            result = _result(json.loads(text))
            if not result["fit_error"]:
                trials[candidate].add(rung, split, result)
        _require(seed.isdecimal(), "about")
        study.seed, study.bounds, study.trials = int(seed), bounds, trials


def _require(is_right: bool, table: str) -> None:
    if not is_right:
        raise DamageError(f"the table {table} lacks rows, or has some that do not belong there")


def _bounds(number: int, text: str, n_candidates: int) -> np.ndarray:
    bounds = np.array(json.loads(text), dtype=np.float64).reshape(-1, 2)
    _require(bool(np.all((bounds >= 0) & (bounds <= 1))), "rounds")
    return bounds


def _trial(candidate: int, number: int, draw: str, unit: str, params: str) -> Trial:
    point = np.array(json.loads(unit), dtype=np.float64)
    _require(point.ndim == 1 and bool(np.all((point >= 0) & (point <= 1))), "candidates")
    _require(draw in DRAWS, "candidates")
    return Trial(number, draw, point)


def _to_json(value: Any) -> Any:
    """Numbers as Python's own, and infinities and NaN, which JSON has not, as text."""
    if isinstance(value, dict):
        return {name: _to_json(item) for name, item in value.items()}
    if isinstance(value, list):
        return [_to_json(item) for item in value]
    if isinstance(value, str) or value is None:
        return value
    number = float(value)
    return number if np.isfinite(number) else str(number)


def _result(result: dict[str, Any]) -> dict[str, Any]:
    keys = KEYS | KEYS_OF_RUNGS if "curves" in result else KEYS
    _require(result.keys() == keys, "results")
    for errors in (result["fit_error"], result["score_error"]):
        texts = errors.values() if isinstance(errors, dict) else [errors]
        _require(all(isinstance(text, (str, type(None))) for text in texts), "results")
    scores = result["test_scores"]
    if isinstance(scores, dict):
        result["test_scores"] = {name: float(score) for name, score in scores.items()}
    else:
        result["test_scores"] = float(scores)
    for name, curve in result.get("curves", {}).items():
        result["curves"][name] = [float(value) for value in curve]
    for name in keys - TEXTS - {"test_scores", "curves"}:
        _require(isinstance(result[name], float) and 0 <= result[name] < np.inf, "results")
    return result
