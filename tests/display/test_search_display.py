"""What cannot be drawn is refused, and matplotlib is needed for drawing only."""

import ast
import re
import sys
from pathlib import Path

import numpy as np
import pytest
from made_searches import DICT, as_fitted, by_epochs, in_rounds
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import RandomizedSearchCV

import skbn
from skbn.display import KINDS, DriftDisplay, SearchDisplay, TrainingDisplay
from skbn.display.live_figure import LiveFigure
from skbn.display.search_display import undrawable_kinds


def test_what_cannot_be_drawn():
    with pytest.raises(NotFittedError):
        SearchDisplay.from_search(RandomizedSearchCV(DummyClassifier(), DICT))
    search = as_fitted(DICT)
    kinds = "'scores', 'narrowing', 'parallel', 'importance', 'learning_curves'"
    with pytest.raises(ValueError, match=f"kind must be one of {kinds}; got 'pie'"):
        SearchDisplay.from_search(search, kind="pie")
    with pytest.raises(ValueError, match=f"kind must be one of {kinds}; got 'pie'"):
        SearchDisplay.from_search(search).plot(kind="pie")
    search.cv_results_["mean_test_score"][:] = np.nan
    with pytest.raises(ValueError, match="nothing to draw: no candidate has a finite score"):
        SearchDisplay.from_search(search)
    fixed = as_fitted({"a": [1]}, score=lambda params: 1)
    with pytest.raises(ValueError, match=r"nothing to draw: each parameter .* has one value only"):
        SearchDisplay.from_search(fixed)
    unordered = as_fitted({"a": ["x", "y", "z"]}, score=lambda params: 1)
    with pytest.raises(ValueError, match="needs a parameter whose values have an order"):
        SearchDisplay.from_search(unordered, kind="narrowing")


def with_failures(search, n):
    search.cv_results_["mean_test_score"][:n] = np.nan
    return search


@pytest.mark.slow
@pytest.mark.parametrize(
    ("search", "expected"),
    [
        (as_fitted(DICT, 8), {"learning_curves"}),
        (with_failures(as_fitted(DICT, 8), 1), {"importance", "learning_curves"}),
        (with_failures(as_fitted(DICT, 8), 8), set(KINDS)),
        (with_failures(in_rounds(n=16), 1), {"importance", "learning_curves"}),
        (in_rounds(n=16), {"learning_curves"}),
        (by_epochs(), {"importance"}),
        (as_fitted({"a": [*"xyz"]}, 9, len), {"narrowing", "learning_curves"}),
        (as_fitted({"a": [1]}, 9, len), set(KINDS)),
    ],
)
def test_the_pictures_that_cannot_be_drawn_are_known_with_the_reason(search, expected):
    reasons = undrawable_kinds(search)
    assert set(reasons) == expected
    for kind in KINDS:
        if kind in expected:
            with pytest.raises(ValueError, match=re.escape(reasons[kind]) + "$"):
                SearchDisplay.from_search(search, kind=kind)
        else:
            assert SearchDisplay.from_search(search, kind=kind).figure_ is not None


def test_without_matplotlib_it_says_what_to_install(monkeypatch):
    display = SearchDisplay.from_search(as_fitted(DICT))
    monkeypatch.setitem(sys.modules, "matplotlib", None)
    calls = [display.plot, LiveFigure, TrainingDisplay(log=None).plot]
    calls += [lambda: SearchDisplay.from_search(None), lambda: TrainingDisplay.from_session(None)]
    calls += [lambda: DriftDisplay.from_report(None)]
    for draw in [*calls, lambda: TrainingDisplay.from_estimator(None)]:
        with pytest.raises(ImportError, match=r'pip install "skbn\[plot\]"'):
            draw()


@pytest.mark.parametrize(
    "path", sorted(Path(skbn.__file__).parent.glob("display/*.py")), ids=lambda path: path.stem
)
def test_matplotlib_is_imported_inside_functions_only(path):
    tree = ast.parse(path.read_text())
    imports = [node for node in tree.body if isinstance(node, (ast.Import, ast.ImportFrom))]
    assert not [node for node in imports if "matplotlib" in ast.unparse(node).split()[1]]
