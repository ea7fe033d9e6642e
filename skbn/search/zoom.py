"""From coarse to fine: where the candidates of each round are drawn."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import count, islice

import numpy as np
from numpy.typing import NDArray
from scipy.stats import qmc

from skbn.search.distributions import Units
from skbn.search.space import Space
from skbn.search.study import Study, Trial, n_best
from skbn.search.surrogate import FEWEST, Surrogate

FIRST = 0.5
"""Share of the candidates that the first of several rounds has."""
WIDTHS = (0.15, 0.08, 0.05)
"""Standard deviation of a local draw, in units of the whole scale, of the second, third
and all later rounds: it never gets narrower."""
WIDTH_OF_RETUNING = 0.25
"""The same for the first round of a search on new data."""
GLOBAL_SHARE = 0.1
"""Share of a later round that is drawn over the whole space."""
GLOBAL_SHARE_OF_RETUNING = 0.5
POOL = 512
"""Draws near the best from which the candidates of a round are chosen."""
ATTEMPTS = 100
"""Draws for each candidate until one is new: lists of values soon repeat themselves."""


Draws = Iterator[tuple[str, Units]]
"""How each was drawn, and the point."""


def round_sizes(n_candidates: int, n_rounds: int) -> list[int]:
    """Candidates of each round: about half in the first, the others in equal parts."""
    if n_rounds == 1:
        return [n_candidates]
    later = int((1 - FIRST) * n_candidates) // (n_rounds - 1) or 1
    return [n_candidates - later * (n_rounds - 1)] + [later] * (n_rounds - 1)


def draw_round(space: Space, study: Study, n_candidates: int) -> None:
    """Add the trials of the next round to a study, and its bounds.

    The first round is a scrambled Sobol sequence over the whole space. The others draw
    around the best candidates so far, less widely from round to round, and take those of
    many draws that a Gaussian process of the scores finds promising. A share goes on with
    the Sobol sequence, so that a better region that was missed can still be found.

    What is drawn depends on the seed, the round and the index only, and on the results
    of all rounds before.
    """
    number, known = len(study.bounds), []
    width = WIDTHS[min(max(number, 1), len(WIDTHS)) - 1]
    ranked = study.ranked()
    share = GLOBAL_SHARE if ranked else 1.0
    if number == 0 and study.known is not None:
        best, width, share = study.known, WIDTH_OF_RETUNING, GLOBAL_SHARE_OF_RETUNING
        known = [("known", unit) for unit in best]
        local = _nearby(space, study, best, width)
    elif len(ranked) < FEWEST or not space.coordinates:
        best = np.array([trial.unit for _, trial in ranked[: n_best(len(ranked))]])
        local = _nearby(space, study, best, width)
    else:
        units = np.array([trial.unit for _, trial in ranked])
        surrogate = Surrogate(space, units, [score for score, _ in ranked])
        best = units[np.argsort(-surrogate.means(units), kind="stable")[: n_best(len(ranked))]]
        local = _promising(surrogate, study, _nearby(space, study, best, width))
    taken = {repr(space.decode(trial.unit)) for trial in study.trials}
    drawn = _new(space, iter(known), taken, n_candidates)
    n_global = round(share * (n_candidates - len(drawn)))
    drawn += _new(space, _everywhere(space, study), taken, n_global)
    if len(best):
        drawn += _new(space, local, taken, n_candidates - len(drawn))
        # Near the best all may have been tried.
        drawn += _new(space, _everywhere(space, study), taken, n_candidates - len(drawn))
    study.trials += [Trial(number, draw, unit) for draw, unit in drawn]
    study.bounds.append(_bounds(space, best, width))


def _new(space: Space, draws: Draws, taken: set[str], n: int) -> list[tuple[str, Units]]:
    """Take the first n draws that stand for candidates not met before, fewer if few are left."""
    drawn: list[tuple[str, Units]] = []
    for draw, unit in islice(draws, ATTEMPTS * n):
        candidate = repr(space.decode(unit))
        if candidate not in taken:
            taken.add(candidate)
            drawn.append((draw, unit))
        if len(drawn) == n:
            break
    return drawn


def _everywhere(space: Space, study: Study) -> Draws:
    """Go on with the Sobol sequence where the last round left it."""
    n_before = sum(trial.draw == "global" for trial in study.trials)
    sequence = qmc.Sobol(len(space.coordinates), seed=study.seed)
    points = (sequence.random(1)[0] for _ in count())
    yield from (("global", point) for point in islice(points, n_before, None))


def _nearby(space: Space, study: Study, best: NDArray[np.float64], width: float) -> Draws:
    """Draw around each of the best points in turn.

    Each coordinate is moved by a normal step on its own scale, and reflected at the
    ends. A choice without an order is made anew with the probability of twice the
    width.
    """
    ordered = np.array([c.axis.ordered for c in space.coordinates], dtype=bool)
    for index in count():
        rng = np.random.default_rng([study.seed, len(study.bounds), index])
        center = best[index % len(best)]
        step = width * rng.standard_normal(len(center))
        moved = 1 - abs(1 - abs(center + step))  # reflected at 0, and at 1
        anew = rng.random(len(center))
        chosen = np.where(rng.random(len(center)) < 2 * width, anew, center)
        yield "local", np.where(ordered, np.clip(moved, 0, 1), chosen)


def _promising(surrogate: Surrogate, study: Study, draws: Draws) -> Draws:
    """Take the draw that is best in a sample of what the scores may be, again and again.

    This is Thompson sampling: where little is known samples differ, and many places
    are tried; where much is known they agree on the best.
    """
    pool = np.array([unit for _, unit in islice(draws, POOL)])
    left = np.ones(POOL, dtype=bool)
    for sample in islice(surrogate.samples(pool, [study.seed, len(study.bounds)]), POOL):
        chosen = int(np.argmax(np.where(left, sample, -np.inf)))
        left[chosen] = False
        yield "local", pool[chosen]


def _bounds(space: Space, best: NDArray[np.float64], width: float) -> NDArray[np.float64]:
    """Where all but some 5 % of the draws around points lie, on each coordinate."""
    if not len(best):
        return np.tile([0.0, 1.0], (len(space.coordinates), 1))
    return np.clip([best.min(axis=0) - 2 * width, best.max(axis=0) + 2 * width], 0, 1).T
