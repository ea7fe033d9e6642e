"""Whether there is drift that matters, of which kind it is, and what to do."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from skbn.drift.class_shift import Distances
from skbn.drift.two_sample import Estimate

LEVEL_OF_COLUMNS = 0.0125
LEVEL_OF_CLASSES = 0.0125
"""Of false alarms. The interval of the AUC lies above one half in another 0.025 of undrifted
cases: 0.05 in all."""
MATERIAL_AUC = 0.55
"""At least a fourteenth of the rows are unlike those of then: an AUC of A needs a total variation
of about 2 (A - 0.5) / sqrt(2), and accuracy cannot move by more."""
MATERIAL_PRIORS = 0.1
"""Total variation of the class priors."""
MOSTLY_EXPLAINED = 0.4
HARDLY_EXPLAINED = 0.5
"""What remains of the distance between old and new rows when class priors are accounted for. Up to
the first it is label shift, from the second on it is not. Of 50 label shifts in fourteen tables
less than 0.4 remained; of 93 other shifts 0.5 or more in 81, the exceptions being rows selected
by columns that tell the classes."""
LEAST_EXPLAINED = 0.9
"""Quantile over the columns that drifted: what remains is that of the columns that are explained
least, and one of many may be odd by chance."""
CHANCE_LEFT = 0.5
"""Deviation of a distance by chance, relative to its mean: 0.9 for one column (of Cramer and von
Mises' statistic under the null, sqrt(1/45) / (1/6)), less for several."""
MIN_AUC_TO_ADAPT = 0.65
"""A column of which all rows move by half a deviation gives an AUC of 0.64. Below, new rows lie
where old ones lay, as in a selection of rows, of which it was up to 0.71; there re-estimated
moments cost 3.7 points of accuracy in the mean of twelve tables."""
MARGIN_OF_LABELS = 0.02
"""By which the lowest accuracy that labels allow may lie below the lowest that is expected. Some
thousand labels tell it."""
CONCEPT_MARGIN = 0.1
"""By which accuracy lies below what is expected, intervals apart, where the concept moved."""


@dataclass
class Evidence:
    """What the parts of a report say to the verdict.

    Parameters
    ----------
    drifted : bool ndarray of shape (n_columns,)
        Which columns drifted.
    auc : Estimate
    auc_beyond : Estimate
        The same, old rows weighted as label shift would have it.
    class_p_value : float
    priors_old, priors_new : ndarray of shape (n_classes,)
        Estimated class priors of both sides.
    distances, distances_beyond : Distances
        Of the columns, without and with these weights.
    has_probabilities : bool
    """

    drifted: Any
    auc: Estimate
    auc_beyond: Estimate
    class_p_value: float
    priors_old: Any
    priors_new: Any
    distances: Distances
    distances_beyond: Distances
    has_probabilities: bool

    @property
    def is_auc_material(self) -> bool:
        """Whether a classifier tells old from new rows, more than a little."""
        return self.auc.low > 0.5 and self.auc.value >= MATERIAL_AUC

    @property
    def classes_moved(self) -> bool:
        """Whether class scores moved, and the class priors more than a little."""
        move = np.abs(self.priors_new - self.priors_old).sum() / 2
        return self.class_p_value < LEVEL_OF_CLASSES and move >= MATERIAL_PRIORS

    @property
    def is_drift(self) -> bool:
        """Whether anything moved that matters."""
        return bool(self.drifted.any()) or self.is_auc_material or self.classes_moved

    @property
    def remainder(self) -> float:
        """Share of the distance between old and new rows that label shift does not explain."""
        remainders = [0.0]
        excess, chance = self.distances
        left = self.distances_beyond.excess - CHANCE_LEFT * self.distances_beyond.chance
        counted = self.drifted & (excess > chance)
        if counted.any():
            ratios = np.maximum(left[counted], 0) / excess[counted]
            remainders.append(np.quantile(ratios, LEAST_EXPLAINED))
        elif excess.sum() > chance.sum():  # or it is mostly chance itself
            remainders.append(left.sum() / excess.sum())
        if self.is_auc_material:
            remainders.append((self.auc_beyond.low - 0.5) / (self.auc.value - 0.5))
        return float(min(1.0, max(remainders)))

    @property
    def verdict(self) -> str:
        """The kind of drift: "none", "covariate", "label" or "unclear"."""
        if not self.is_drift:
            return "none"
        if self.remainder >= HARDLY_EXPLAINED:
            is_sure = self.has_probabilities or not self.classes_moved
            is_sure |= self.auc_beyond.low >= MIN_AUC_TO_ADAPT  # whatever the weights
            return "covariate" if is_sure else "unclear"
        return "label" if self.remainder <= MOSTLY_EXPLAINED else "unclear"


def is_concept_drift(verdict: str, accuracy: Estimate | None, expected: Estimate | None) -> bool:
    """Tell whether labels show that accuracy fell while the inputs did not move.

    Parameters
    ----------
    verdict : str
    accuracy, expected : Estimate or None

    Returns
    -------
    is_concept_drift : bool
    """
    if verdict != "none" or accuracy is None or expected is None:
        return False
    return accuracy.high < expected.low and accuracy.value < expected.value - CONCEPT_MARGIN


def is_as_good_as_expected(accuracy: Estimate | None, expected: Estimate | None) -> bool:
    """Tell whether labels show that a model is right as often as it expects."""
    if accuracy is None or expected is None:
        return False
    return accuracy.low >= expected.low - MARGIN_OF_LABELS


def advice_for(
    verdict: str,
    auc: Estimate,
    is_concept: bool,
    can_adapt: bool,
    has_probabilities: bool,
    is_as_good: bool = False,
) -> str:
    """What to do.

    Parameters
    ----------
    verdict : str
    auc : Estimate
        What label shift leaves of it.
    is_concept : bool
        From `is_concept_drift`.
    can_adapt : bool
        Whether the model has statistics that can be re-estimated.
    has_probabilities : bool
    is_as_good : bool, default=False
        From `is_as_good_as_expected`.

    Returns
    -------
    advice : str
        "nothing", "adapt", "new priors", "retune" or "collect labels".
    """
    if is_concept:
        return "retune"
    if verdict == "none" or (verdict == "covariate" and is_as_good):
        return "nothing"
    if verdict == "covariate" and can_adapt and auc.value >= MIN_AUC_TO_ADAPT:
        return "adapt"
    if verdict == "label" and has_probabilities:
        return "new priors"
    return "collect labels"
