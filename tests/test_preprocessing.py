"""Scaling and encoding of numeric columns."""

import numpy as np
import pytest
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbn.preprocessing import PiecewiseLinearEncoder, SmoothClipScaler

ALL_CHECKS = parametrize_with_checks(
    [
        SmoothClipScaler(),
        PiecewiseLinearEncoder(),
        PiecewiseLinearEncoder(include_original=True),
        PiecewiseLinearEncoder(strategy="tree"),
    ]
)


# Older versions of scikit-learn hand pytest a generator, which pytest no longer takes.
@pytest.mark.parametrize(ALL_CHECKS.args[0], list(ALL_CHECKS.args[1]), ids=ALL_CHECKS.kwargs["ids"])
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)
