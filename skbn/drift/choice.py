"""The choice between adaptations by a few labelled rows."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from numbers import Real
from typing import Any

import numpy as np
import pandas as pd
from scipy.stats import t
from sklearn.utils.validation import check_is_fitted, column_or_1d

from skbn._compat import n_samples
from skbn.checks import check_labels, encode_labels
from skbn.drift.adaptation import adapt
from skbn.drift.passage import rows_for
from skbn.network.parameters import Array, Indices

MIN_LABELS = 5
"""Fewest labelled rows whose differences say how much they vary."""
MIN_PROBABILITY = 1e-4
"""Smaller probabilities of a row's class count as this, so that no row outweighs all others."""


@dataclass(eq=False)
class AdaptationChoice:
    """Which adaptation of a model predicts a few labelled rows best, if any.

    Attributes
    ----------
    model : classifier
        The chosen one: adapted, or the very model that was given.
    name : {"frozen", "covariate", "label", "both"}
        Its arm.
    table : DataFrame
        A row an arm: its "log_loss" on the labelled rows, the "difference" to the frozen model
        with its interval from "low" to "high", its "accuracy", and whether it was "chosen".
    reason : str
        Why it was chosen.
    left_out : dict of str to str
        Arms that could not be made, and why.
    """

    model: Any = field(repr=False)
    name: str
    table: pd.DataFrame
    reason: str
    left_out: dict[str, str]

    def __repr__(self) -> str:
        lines = [f"AdaptationChoice: {self.name}", self.reason, self.table.round(3).to_string()]
        lines += [f"{name} was left out: {why}" for name, why in self.left_out.items()]
        return "\n".join(lines)


def choose_adaptation(
    model: Any,
    X_new: Any,
    X_few: Any,
    y_few: Any,
    *,
    prior_rows: float | str = "auto",
    class_prior: Any = "auto",
    level: float = 0.8,
) -> AdaptationChoice:
    """Choose between a fitted classifier and its adaptations by a few labelled rows.

    The arms are "frozen", the model as it is; "covariate" and "label", adapted to the unlabelled
    rows by `adapt`; and "both", the one after the other. An arm is chosen if the interval of
    its mean log-loss less that of the frozen model, paired by row, is below zero; of several
    the one of least log-loss.

    Parameters
    ----------
    model : classifier
        Fitted, with `predict_proba`; it is left as it is.
    X_new : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Unlabelled rows to adapt to.
    X_few : {array-like, DataFrame, sparse matrix} of shape (n_labels, n_features)
        Labelled rows, drawn as the unlabelled ones are: not those that were easy to label.
    y_few : array-like of shape (n_labels,)
        Their labels.
    prior_rows, class_prior : optional
        As for `adapt`.
    level : float, default=0.8
        Of the interval, by the t-distribution; in [0, 1). At 0 the least log-loss decides alone.

    Returns
    -------
    choice : AdaptationChoice
        Its ``reason`` is "not enough labels to tell" where the frozen model stays for that.

    Raises
    ------
    TypeError
        If the model has no `predict_proba`.
    NotFittedError
        If it was not fitted.
    ValueError
        If there are no labelled rows, labels are missing or unknown to the model, lengths differ,
        or an option is wrong. Arms that cannot be made are left out.

    Notes
    -----
    Differences of fewer than 5 rows decide nothing. In log-losses probabilities below 1e-4 count
    as that. On twelve tables with six kinds of change (``benchmarks/drift.py``) the choice by 50
    labels lost 0.7 points of accuracy to the best arm of each case, and nothing to the frozen
    model where nothing had moved.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.drift import choose_adaptation
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0))
    >>> model = model.fit(X[:1000], y[:1000])
    >>> darker = X[1000:] / 3
    >>> choice = choose_adaptation(model, darker[50:], darker[:50], y[1000:1050])
    >>> choice.name
    'covariate'
    >>> choice.model.score(darker[50:], y[1050:]) > 0.9
    True
    """
    if not hasattr(model, "predict_proba"):
        raise TypeError(
            f"{type(model).__name__} has no predict_proba, by which adaptations are compared"
        )
    check_is_fitted(model)
    _check_level(level)
    labels = _checked_labels(model, X_few, y_few)
    model.predict_proba(rows_for(model, X_new))  # whose errors are those of the rows, and of no arm
    probabilities = {"frozen": model.predict_proba(rows_for(model, X_few))}
    arms, left_out = _arms(model, X_new, prior_rows, class_prior)
    probabilities |= {name: arm.predict_proba(rows_for(arm, X_few)) for name, arm in arms.items()}
    table = _table(probabilities, labels, level)
    name, reason = _choice(table, len(labels), level)
    table["chosen"] = table.index == name
    return AdaptationChoice({"frozen": model, **arms}[name], name, table, reason, left_out)


def _check_level(level: Any) -> None:
    if not (isinstance(level, Real) and 0 <= float(level) < 1):
        raise ValueError(f"level must be a number in [0, 1), got {level!r}")


def _checked_labels(model: Any, X_few: Any, y_few: Any) -> Indices:
    """Positions of the labels among the classes of the model."""
    if y_few is None:
        raise ValueError("y_few must hold a label for each row of X_few, got None")
    labels = column_or_1d(check_labels(y_few, "y_few"))
    if len(labels) != n_samples(X_few):
        raise ValueError(
            f"X_few has {n_samples(X_few)} rows and y_few {len(labels)} labels; each row needs one"
        )
    if not len(labels):
        raise ValueError("X_few has no rows; give labelled rows of the new kind, such as 50")
    positions: Indices = encode_labels(labels, np.asarray(model.classes_), "y_few")
    return positions


def _arms(
    model: Any, X_new: Any, prior_rows: Any, class_prior: Any
) -> tuple[dict[str, Any], dict[str, str]]:
    """Adapted copies by name, and why others could not be made."""
    covariate = partial(adapt, X_new=X_new, shift="covariate", prior_rows=prior_rows)
    label = partial(adapt, X_new=X_new, shift="label", class_prior=class_prior)
    arms: dict[str, Any] = {}
    left_out: dict[str, str] = {}
    _add(arms, left_out, "covariate", covariate, model, prior_rows)
    _add(arms, left_out, "label", label, model, class_prior)
    if left_out:
        left_out["both"] = f"{' and '.join(left_out)} could not be made"
    else:
        _add(arms, left_out, "both", label, arms["covariate"], class_prior)
    return arms, left_out


def _add(
    arms: dict[str, Any],
    left_out: dict[str, str],
    name: str,
    adapt_to_rows: Callable[..., Any],
    model: Any,
    option: Any,
) -> None:
    try:
        with warnings.catch_warnings():
            # That rows are few, or that it may be the other shift, is for the labels to say.
            warnings.simplefilter("ignore", UserWarning)
            arms[name] = adapt_to_rows(model)
    except (TypeError, ValueError) as error:
        if not (isinstance(option, str) and option == "auto"):
            raise  # of what the user has asked for
        left_out[name] = str(error)


def _table(probabilities: dict[str, Array], labels: Indices, level: float) -> pd.DataFrame:
    """Figures of the arms on the labelled rows, and their paired differences to the first."""
    rows = np.arange(len(labels))
    frozen: Array | None = None
    records = []
    for array in probabilities.values():
        losses = -np.log(np.maximum(np.asarray(array)[rows, labels], MIN_PROBABILITY))
        frozen = losses if frozen is None else frozen
        difference, half = _mean_with_half_interval(losses - frozen, level)
        records.append(
            {
                "log_loss": losses.mean(),
                "difference": difference,
                "low": difference - half,
                "high": difference + half,
                "accuracy": np.mean(np.argmax(array, axis=1) == labels),
            }
        )
    return pd.DataFrame(records, index=pd.Index(probabilities, name="arm"), dtype=np.float64)


def _mean_with_half_interval(differences: Array, level: float) -> tuple[float, float]:
    n_rows = len(differences)
    if n_rows < MIN_LABELS:
        return float(differences.mean()), np.inf
    error = differences.std(ddof=1) / np.sqrt(n_rows)
    return float(differences.mean()), float(t.ppf((1 + level) / 2, n_rows - 1) * error)


def _choice(table: pd.DataFrame, n_labels: int, level: float) -> tuple[str, str]:
    """Name of the chosen arm, and why."""
    others = table.drop(index="frozen")
    if others.empty:
        return "frozen", "no adaptation can be made"
    better = others[others["high"] < 0]
    undecided = others[(others["low"] <= 0) & (others["high"] >= 0)]
    name = next(each for each in (better, undecided, others) if len(each))["log_loss"].idxmin()
    difference, low, high = others.loc[name, ["difference", "low", "high"]]
    figures = (
        f"on {n_labels} labelled row{'s' * (n_labels > 1)} the log-loss of {name!r} is "
        f"{abs(difference):.3f} {'lower' if difference < 0 else 'higher'} than that of the frozen "
        f"model, and the {level:.0%} interval of the difference goes from {low:.3f} to {high:.3f}"
    )
    if len(better):
        return name, figures
    if len(undecided):
        return "frozen", f"not enough labels to tell: {figures}"
    return "frozen", f"no adaptation is better: {figures}"
