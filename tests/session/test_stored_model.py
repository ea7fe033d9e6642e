"""The Pipeline of a table in a journal."""

import sys

import numpy as np
import pandas as pd
import pytest
from session_checks import SMALL, assert_same_model

from skbn import BNSoftmaxClassifier, TrainingSession, tabular_pipeline

pytestmark = pytest.mark.slow

pytest.importorskip("skops.io")

ROWS = 90
FRAME = pd.DataFrame(
    {
        "price": [f"{k},50" for k in range(ROWS)],
        "day": pd.date_range("2020-01-01", periods=ROWS),
        "letter": list("abc") * 30,
        "remark": [f"word {k}" for k in range(ROWS)],
    }
)
LABELS = np.arange(ROWS) % 2


def without_skrub(monkeypatch):
    installed = [name for name in sys.modules if name.partition(".")[0] == "skrub"]
    for name in {"skrub", *installed}:
        monkeypatch.setitem(sys.modules, name, None)


@pytest.fixture(params=["skrub", "scikit-learn"])
def written(request, monkeypatch, tmp_path):
    """A journal, and the model that its session came to."""
    if request.param == "skrub":
        pytest.importorskip("skrub")
    else:
        without_skrub(monkeypatch)
    path = tmp_path / "run.sqlite"
    model = tabular_pipeline(BNSoftmaxClassifier(**SMALL))
    with TrainingSession(model, FRAME, LABELS, journal=path, verbose=0) as session:
        return path, session.train(2).estimator_


def test_a_journal_makes_the_pipeline_of_a_table(written):
    path, model = written
    with TrainingSession.open(path, FRAME, LABELS, verbose=0) as again:
        assert_same_model(again.estimator_, model, FRAME)


@pytest.mark.parametrize("written", ["skrub"], indirect=True)
def test_a_package_that_is_missing_is_told(written, monkeypatch):
    without_skrub(monkeypatch)
    with pytest.raises(ImportError, match=r"not installed \(.*skrub.*pip install \"skbn\[tabular"):
        TrainingSession.open(written[0], FRAME, LABELS)
