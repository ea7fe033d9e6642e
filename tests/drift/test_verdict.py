"""What evidence comes to."""

import numpy as np
import pytest

from skbn.drift.class_shift import Distances
from skbn.drift.two_sample import Estimate
from skbn.drift.verdict import (
    Evidence,
    advice_for,
    is_as_good_as_expected,
    is_concept_drift,
)

NOTHING = Estimate(0.5, 0.46, 0.54)


def evidence(drifted=False, auc=NOTHING, beyond=NOTHING, p=1.0, move=0.0, left=0.0, excess=10.0):
    priors = np.array([0.5, 0.5])
    return Evidence(
        drifted=np.array([drifted, False]),
        auc=auc,
        auc_beyond=beyond,
        class_p_value=p,
        priors_old=priors,
        priors_new=np.array([0.5 + move, 0.5 - move]),
        distances=Distances(np.array([excess, 0.0]), np.array([1.0, 1.0])),
        distances_beyond=Distances(np.array([left, 0.0]), np.array([1.0, 1.0])),
        has_probabilities=True,
    )


@pytest.mark.parametrize(
    ("what", "verdict"),
    [
        ({}, "none"),
        ({"auc": Estimate(0.53, 0.51, 0.55)}, "none"),  # beyond chance, and too little
        ({"auc": Estimate(0.58, 0.49, 0.67)}, "none"),  # large, and by chance
        ({"p": 1e-9, "move": 0.05}, "none"),
        ({"p": 0.2, "move": 0.3}, "none"),
        ({"p": 1e-9, "move": 0.3}, "label"),
        ({"drifted": True, "left": 0.5}, "label"),
        ({"drifted": True, "left": 5.0}, "unclear"),
        ({"drifted": True, "left": 9.0}, "covariate"),
        ({"auc": Estimate(0.8, 0.75, 0.85), "beyond": Estimate(0.52, 0.47, 0.57)}, "label"),
        ({"auc": Estimate(0.8, 0.75, 0.85), "beyond": Estimate(0.78, 0.7, 0.83)}, "covariate"),
        ({"p": 1e-9, "move": 0.3, "excess": 0.5, "left": 0.5}, "label"),  # noise of columns
    ],
)
def test_verdicts(what, verdict):
    assert evidence(**what).verdict == verdict


def test_predicted_classes_alone_cannot_tell_label_shift_from_another():
    found = evidence(drifted=True, left=9.0, p=1e-9, move=0.3)
    assert found.verdict == "covariate"
    found.has_probabilities = False
    assert found.verdict == "unclear"


def test_shares_that_remain_lie_within_one():
    assert evidence(drifted=True, left=20.0).remainder == 1.0
    assert evidence(drifted=True, left=-2.0).remainder == 0.0


LOW, HIGH = Estimate(0.6, 0.5, 0.7), Estimate(0.9, 0.88, 0.92)


@pytest.mark.parametrize(
    ("verdict", "accuracy", "expected", "is_concept"),
    [
        ("none", LOW, HIGH, True),
        ("covariate", LOW, HIGH, False),
        ("none", None, HIGH, False),
        ("none", LOW, None, False),
        ("none", Estimate(0.84, 0.82, 0.86), HIGH, False),  # as calibration may err
        ("none", Estimate(0.6, 0.2, 0.9), HIGH, False),  # of too few labels
    ],
)
def test_concept_drift_needs_labels_that_are_clear(verdict, accuracy, expected, is_concept):
    assert is_concept_drift(verdict, accuracy, expected) == is_concept


@pytest.mark.parametrize(
    ("verdict", "auc", "is_concept", "can_adapt", "has_probabilities", "advice"),
    [
        ("none", 0.5, False, True, True, "nothing"),
        ("none", 0.5, True, True, True, "retune"),
        ("covariate", 0.8, False, True, True, "adapt"),
        ("covariate", 0.6, False, True, True, "collect labels"),
        ("covariate", 0.8, False, False, True, "collect labels"),
        ("label", 0.5, False, False, True, "new priors"),
        ("label", 0.5, False, True, False, "collect labels"),
        ("unclear", 0.6, False, True, True, "collect labels"),
    ],
)
def test_advice(verdict, auc, is_concept, can_adapt, has_probabilities, advice):
    auc = Estimate(auc, auc - 0.02, auc + 0.02)
    assert advice_for(verdict, auc, is_concept, can_adapt, has_probabilities) == advice


def test_nothing_is_advised_where_labels_show_that_the_model_is_as_good_as_it_expects():
    auc, expected = Estimate(0.8, 0.78, 0.82), Estimate(0.84, 0.83, 0.85)
    for accuracy, advice in (
        (Estimate(0.845, 0.832, 0.858), "nothing"),
        (Estimate(0.70, 0.68, 0.72), "adapt"),
        (Estimate(0.84, 0.72, 0.92), "adapt"),  # of too few labels
    ):
        is_as_good = is_as_good_as_expected(accuracy, expected)
        assert advice_for("covariate", auc, False, True, True, is_as_good) == advice
    assert not is_as_good_as_expected(None, expected)
