"""The learning-rate range test: short trainings at many rates, and the rate they speak for."""

from __future__ import annotations

from numbers import Integral, Real
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray
from sklearn.base import clone
from sklearn.utils import check_random_state

from skbn._compat import Interval
from skbn.estimators.checked_table import CheckedTable, check_table
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.constraints import Floats
from skbn.estimators.fitting import Starts, plan_fit
from skbn.estimators.pipelines import classifier_of, transform_in
from skbn.estimators.population import MEMORY_BUDGET
from skbn.training.lockstep import Task, run_together
from skbn.training.run import Run

VALIDATION_FRACTION = 0.2
"""Of the rows, left out to judge the rates on."""
CAUTION = 2.0
"""Times the suggestion that the rate with the lowest loss is: longer trainings want lower rates
(``benchmarks/learning_rate_range.py``)."""
NEAR = 0.2
"""Share of the lowest loss, or of what it gains on guessing if that is less, by which another is
little higher. Some curves have two valleys, and longer trainings want the first."""
MIN_GAIN = 0.01
"""Share of the loss of guessing by which another is lower if something was learned."""


class Valley(NamedTuple):
    """Where losses at rates from the lowest to the highest are low, as places among them."""

    lowest: int  # of the lowest loss
    bottom: int  # the same, or the bottom of an earlier valley where the loss is little higher
    first: int  # of those around the bottom whose losses are little higher than the lowest one
    last: int
    tolerance: float  # how much higher that is


class Suggestion(NamedTuple):
    """A learning rate, why it is suggested, and whether there are doubts about it."""

    rate: float  # NaN where none is suggested
    reason: str
    is_doubtful: bool = False


def check_rates(low: Any, high: Any, n_rates: Any) -> NDArray[np.float64]:
    """Give rates from the lowest to the highest, each as many times the one before it."""
    for name, value in {"low": low, "high": high}.items():
        if not Floats(Real, 0, None, closed="neither").is_satisfied_by(value):
            raise ValueError(f"{name} must be a finite learning rate above 0, got {value!r}")
    if low >= high:
        raise ValueError(f"low must be below high, got low={low!r} and high={high!r}")
    check_count("n_rates", n_rates, 3)
    return np.geomspace(float(low), float(high), n_rates)


def check_count(name: str, value: Any, least: int) -> None:
    """Refuse what is no integer, or too small."""
    if not Interval(Integral, least, None, closed="left").is_satisfied_by(value):
        raise ValueError(f"{name} must be an integer, at least {least}; got {value!r}")


def measure_rates(
    model: Any, X: Any, y: Any, rates: NDArray[np.float64], n_epochs: int, sample_weight: Any = None
) -> tuple[pd.DataFrame, float]:
    """Train a network for a few epochs at each rate, all from one start and on the same rows.

    Parameters
    ----------
    model : BNSoftmaxClassifier or Pipeline
        Not changed.
    X, y : array-like
    rates : ndarray of shape (n_rates,)
    n_epochs : int
        Epochs of each training, over which the whole schedule of the model runs.
    sample_weight : array-like of shape (n_samples,), optional

    Returns
    -------
    curve : DataFrame
        A row a rate: "learning_rate"; "loss", of training in the last epoch; "validation_loss",
        after it on rows left out. NaN where training diverged.
    guessing_loss : float
        Of guessing by the class frequencies, on the rows left out.
    """
    classifier_of(model)
    model = clone(model)
    classifier = classifier_of(model)
    X = transform_in(model, X, y)
    table = check_table(clone(classifier), X, y, reset=True)
    if np.bincount(table.dataset.labels).max() < 2:
        raise ValueError(
            "the range test judges rates on rows that it leaves out, and no class of y has a "
            "second row; give more rows"
        )
    tasks = _tasks(classifier, table, rates, n_epochs, {"sample_weight": sample_weight})
    run_together(tasks, memory_budget=MEMORY_BUDGET)
    runs = [task.run for task in tasks]
    measures = {name: [_last(run, name) for run in runs] for name in ("loss", "validation_loss")}
    curve = pd.DataFrame({"learning_rate": rates, **measures})
    first = runs[0]
    assert first.validation is not None
    [guessing_loss] = first.losses_of_guessing(table.dataset, first.validation)
    return curve, guessing_loss


def _tasks(
    classifier: BNSoftmaxClassifier,
    table: CheckedTable,
    rates: NDArray[np.float64],
    n_epochs: int,
    fit_params: dict[str, Any],
) -> list[Task]:
    """Plan the training of one network at each rate."""
    seed, max_iter = classifier.random_state, min(n_epochs, classifier.max_iter)
    if not isinstance(seed, Integral):
        seed = int(check_random_state(seed).randint(2**31))
    classifier.set_params(
        max_iter=max_iter,
        early_stopping=True,
        n_iter_no_change=max_iter,  # none stops before its end
        validation_fraction=VALIDATION_FRACTION,
        n_members=1,
        calibrate=False,
        random_state=seed,
    )
    starts, tasks = Starts(), []
    for rate in rates.tolist():
        one = clone(classifier).set_params(learning_rate_init=rate)
        tasks += plan_fit(one, table, fit_params, starts=starts).tasks(table.dataset)
    return tasks


def _last(run: Run, name: str) -> float:
    """Give the last measure of a run; NaN if it failed."""
    return float("nan") if run.error else run.progress.history[name][-1]


def judged_losses(curve: pd.DataFrame) -> pd.Series[float]:
    """Give the higher one of both losses of each rate.

    That of training cannot see what is learned by heart, and a few rows left out may all be
    right by chance, at rates at which nothing else is.
    """
    return curve[["loss", "validation_loss"]].max(axis=1, skipna=False)


def find_valley(losses: ArrayLike, guessing_loss: float) -> Valley | None:
    """Find where losses are low; None where nothing was learned, or all trainings diverged.

    Parameters
    ----------
    losses : array-like of shape (n,)
        From `judged_losses`; not finite where training diverged.
    guessing_loss : float
        A loss that is hardly lower shows that nothing was learned.

    Returns
    -------
    valley : Valley or None
    """
    losses = _or_infinite(losses)
    lowest = int(losses.argmin())
    gain = guessing_loss - losses[lowest]
    if gain < MIN_GAIN * guessing_loss:
        return None
    tolerance = NEAR * min(losses[lowest], gain)
    is_low = losses <= losses[lowest] + tolerance
    inner = losses[1:-1]
    is_bottom = np.pad((inner <= losses[:-2]) & (inner <= losses[2:]), 1)
    is_bottom[lowest] = True
    bottom = int(np.flatnonzero(is_bottom & is_low)[0])
    high = np.flatnonzero(~is_low)
    first = int(high[high < bottom].max(initial=-1)) + 1
    last = int(high[high > bottom].min(initial=len(losses))) - 1
    return Valley(lowest, bottom, first, last, tolerance)


def _or_infinite(losses: ArrayLike) -> NDArray[np.float64]:
    """Give losses, infinite where training diverged."""
    losses = np.asarray(losses, np.float64)
    return np.where(np.isfinite(losses), losses, np.inf)


def suggest_rate(rates: ArrayLike, losses: ArrayLike, guessing_loss: float) -> Suggestion:
    """Suggest a fixed part of the rate with the lowest loss, or of a lower one little worse.

    Parameters
    ----------
    rates : array-like of shape (n,)
        From the lowest to the highest, each as many times the one before it.
    losses, guessing_loss : array-like of shape (n,), float
        As of `find_valley`.

    Returns
    -------
    suggestion : Suggestion
    """
    rates, losses = np.asarray(rates, np.float64), _or_infinite(losses)
    tried = f"{len(rates)} rates from {rates[0]:.3g} to {rates[-1]:.3g}"
    diverged = rates[np.isinf(losses)]
    if len(diverged) == len(rates):
        return _none(
            f"Training diverged at all {tried}",
            "lower low, scale the features (StandardScaler), or set max_grad_norm",
        )
    valley = find_valley(losses, guessing_loss)
    wider = {0: "lower low", len(rates) - 1: "raise high"}
    if valley is None:
        lowest = int(losses.argmin())
        advice = "look at the labels, scale the features (StandardScaler)"
        return _none(
            f"Nothing was learned at {tried}: the lowest loss is "
            f"{losses[lowest]:.4g}, at {rates[lowest]:.2g}, that of guessing by the class "
            f"frequencies {guessing_loss:.4g}",
            f"{wider.get(lowest, advice)}, or give more rows or n_epochs",
        )
    bottom = _bottom(rates, losses, valley.bottom)
    rate = max(float(f"{bottom / CAUTION:.2g}"), float(rates[0]))
    is_at_end, is_below = valley.bottom in wider, bottom / CAUTION < rates[0]
    reason = f"Of {tried} {_measured(rates, valley, bottom)}"
    if is_at_end:
        reason += f", an end of the range, beyond which better ones may lie: {wider[valley.bottom]}"
    if is_below:
        reason += f". Half of that is below the range: lower low. {rate:.2g} is suggested"
    else:
        reason += (
            f". Half of that, {rate:.2g}, is suggested, since longer trainings want lower rates"
        )
    reason += f". {_width(rates, losses, valley)}"
    if len(diverged):
        reason += f". Training diverged at {len(diverged)}, the lowest {diverged[0]:.2g}"
    return Suggestion(rate, reason, is_doubtful=bool(is_at_end or is_below))


def _measured(rates: NDArray[np.float64], valley: Valley, bottom: float) -> str:
    """Say at which rate the loss was lowest, and where the curve has its bottom."""
    text = f"the loss was lowest at {rates[valley.lowest]:.2g}"
    if valley.bottom != valley.lowest:
        text += f", and little higher at {rates[valley.bottom]:.2g}"
    if f"{bottom:.2g}" != f"{rates[valley.bottom]:.2g}":
        text += f", the bottom of the curve at {bottom:.2g}"
    return text


def _width(rates: NDArray[np.float64], losses: NDArray[np.float64], valley: Valley) -> str:
    """Say at which rates around the bottom the loss is little higher than the lowest."""
    loss = losses[valley.lowest]
    threshold = f"{loss + valley.tolerance:.3g}"
    if loss > 0:
        threshold += f" ({100 * valley.tolerance / loss:.2g} % above the lowest)"
    first, last = (f"{rates[place]:.2g}" for place in (valley.first, valley.last))
    where = f"From {first} to {last}" if first != last else f"At {first}, but not beside it,"
    return f"{where} the loss was at most {threshold}"


def _none(found: str, advice: str) -> Suggestion:
    """Suggest no rate."""
    return Suggestion(float("nan"), f"{found}, so none is suggested; {advice}", is_doubtful=True)


def _bottom(rates: NDArray[np.float64], losses: NDArray[np.float64], place: int) -> float:
    """Give the rate at the lowest point of a parabola through a loss and those beside it."""
    around = losses[place - 1 : place + 2] if place else losses[:0]
    if len(around) < 3 or not np.isfinite(around).all():
        return float(rates[place])
    before, loss, after = around
    bend = before - 2 * loss + after
    steps = (before - after) / (2 * bend) if bend > 0 else 0.0
    return float(rates[place] * (rates[1] / rates[0]) ** steps)
