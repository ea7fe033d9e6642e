"""Rows to train and to test on, as a ``cv`` divides them: checked before anything is fitted."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from numbers import Integral
from reprlib import repr as shortened
from typing import Any

import numpy as np
from sklearn.base import is_classifier
from sklearn.model_selection import check_cv

from skbn._compat import n_samples
from skbn.network.parameters import Indices

Fold = tuple[Indices, Indices]
"""Positions of the rows to train on, and of those to test on."""


def folds_of(search: Any, X: Any, y: Any, split_params: Mapping[str, Any]) -> list[Fold]:
    """Divide the rows of a search as its ``cv`` says.

    Parameters
    ----------
    search : CoarseToFineSearchCV
        For ``cv``: a number of folds, a splitter, or an iterable of pairs of positions or of
        masks.
    X, y : array-like
    split_params : mapping of str to object
        Further arguments of a splitter, such as ``groups``.

    Raises
    ------
    ValueError
        If there are no splits, or one that nothing can be trained and tested on.
    """
    cv, n_rows = search.cv, n_samples(X)
    if isinstance(cv, type):
        raise ValueError(f"cv is the class {cv.__name__}; give an instance, {cv.__name__}()")
    if is_splitter := cv is None or isinstance(cv, Integral) or hasattr(cv, "split"):
        cv = check_cv(cv, y, classifier=is_classifier(search.estimator))
        pairs = cv.split(X, y, **split_params)
    else:
        pairs = iter(cv)
    folds = [_checked(pair, number, n_rows) for number, pair in enumerate(pairs)]
    if not folds:
        used_up = ": it is an iterator that is empty, or was used up before" if pairs is cv else ""
        raise ValueError(
            f"cv gives no splits{used_up}. Give cv=list(...) of the splits, which can be gone "
            "through again, or for other data a splitter such as StratifiedKFold(5)"
        )
    if is_splitter and (n_splits := cv.get_n_splits(X, y, **split_params)) != len(folds):
        raise ValueError(
            f"cv gives {len(folds)} splits, but its get_n_splits says {n_splits}; the two must "
            "agree"
        )
    return folds


def can_be_made_again(cv: Any) -> bool:
    """Whether a ``cv`` gives the same splits whenever it is asked."""
    return cv is None or isinstance(cv, (Integral, Sequence))


def _checked(pair: Any, number: int, n_rows: int) -> Fold:
    """Give a split as positions."""
    try:
        train, test = pair
    except (TypeError, ValueError):
        raise ValueError(
            f"split {number} of cv must be a pair, the rows to train on and those to test on; "
            f"got {shortened(pair)}"
        ) from None
    where = f"of split {number} of cv"
    return (
        _positions(train, f"the rows to train on {where}", n_rows),
        _positions(test, f"the rows to test on {where}", n_rows),
    )


def _positions(rows: Any, name: str, n_rows: int) -> Indices:
    """Give rows that are positions or a mask as positions."""
    try:
        rows = np.asarray(rows)
        positions: Indices = np.arange(n_rows)[rows if rows.size else []]
        problem = "" if positions.ndim == 1 else "they must be one-dimensional"
    except (IndexError, ValueError) as error:
        problem = str(error)
    if problem:
        raise ValueError(
            f"{name} must be positions from 0 to {n_rows - 1} or a mask of {n_rows} booleans; "
            f"got {shortened(rows)} ({problem})"
        )
    if not positions.size:
        raise ValueError(f"{name} are none; each split needs rows to train on and to test on")
    return positions
