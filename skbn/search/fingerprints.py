"""What tells one search from another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from typing import Any

import numpy as np
from sklearn.base import clone

from skbn.journal.canonical import as_seen
from skbn.journal.fingerprints import (
    Fingerprint,
    Identity,
    differences,
    is_estimator,
    of_data,
    of_estimator,
    of_parts,
    of_text,
    of_value,
)
from skbn.journal.values import short_text


def of_search(
    search: Any,
    space: Any,
    X: Any,
    y: Any,
    params: Mapping[str, Any],
    splits: Sequence[tuple[Any, Any]],
    initial_points: Any,
) -> dict[str, Fingerprint]:
    """Identity of a search: searches with the same one have the same outcome.

    Parameters
    ----------
    search : CoarseToFineSearchCV
        For its parameters.
    space : Space
    X, y : array-like
        Its data.
    params : dict of str to object
        Further arguments of `fit`.
    splits : list of (ndarray, ndarray)
        Rows to train and to test on.
    initial_points : ndarray or None
        Points from which it starts.

    Returns
    -------
    identity : dict of str to Fingerprint
    """
    # Whether the best is fitted again changes no result; a name or a function may choose it.
    refit = None if isinstance(search.refit, (bool, np.bool_)) else search.refit
    scoring = {"scoring": search.scoring, "refit": refit, "error_score": search.error_score}
    resource = f"{search.resource}, min_epochs={search.min_epochs}, "
    resource += f"max_epochs={search.max_epochs}, eta={search.eta}"
    seed = search.random_state
    return {
        "data": of_data(X, y, params),
        "estimator": of_estimator(clone(search.estimator), "", "the estimator"),
        "param_distributions": of_space(space),
        "scoring": of_parts({name: _of_scoring(value, name) for name, value in scoring.items()}),
        "n_candidates and n_rounds": of_text(f"{search.n_candidates} and {search.n_rounds}"),
        "resource": of_text(resource),
        "random_state": of_text(str(int(seed)) if is_seed(seed) else "not fixed"),
        "splits": of_value(splits, "cv", _rows_of_splits, f"{len(splits)} splits"),
        "start": of_value(initial_points, "start", text=""),
    }


def is_seed(random_state: Any) -> bool:
    """Whether the same search can be made again: a number seeds it, and not a stream."""
    return isinstance(random_state, Integral)


def of_space(space: Any) -> Fingerprint:
    """Fingerprint of a space, and of its distributions by parameter."""
    parts, digests = {}, []
    for index, part in enumerate(space.parts):
        for name, distribution in part.items():
            what = f"param_distributions[{name!r}]"
            label = name if len(space.parts) == 1 else f"{name} (dict {index})"
            text = short_text(distribution)
            parts[label] = of_value(distribution, what, _with_clones, text)
            digests.append((index, name, parts[label].digest))  # their order decides draws
    return of_parts(parts, digests)


def _with_clones(distribution: Any) -> Any:
    """Values of a list, estimators as they are set: not fitted."""
    values = getattr(distribution, "values", None)
    if not isinstance(values, list):
        return distribution
    return [clone(value) if is_estimator(value) else value for value in values]


def _of_scoring(value: Any, name: str) -> Fingerprint:
    # The first of several scores leads the search.
    return of_value(value, name, lambda v: list(v.items()) if isinstance(v, dict) else v)


def _rows_of_splits(splits: Sequence[tuple[Any, Any]]) -> list[Any]:
    return [as_seen(rows) for split in splits for rows in split]


def check_same_search(identity: Identity, before: Identity) -> None:
    """Refuse to extend a search with another identity than it had before."""
    for name, details in differences(before, identity, ("before", "now")).items():
        raise ValueError(
            f"extend goes on with the search that was fitted, but {name} changed since "
            f"({details}); give the same, or use fit, or retune for new data"
        )
