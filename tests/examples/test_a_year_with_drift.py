"""The year of the page on drift comes out as the page shows it."""

import runpy
import warnings
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]


def words_and_figures(text):
    """Each line as its words, and its figures, which BLAS may round otherwise."""
    lines = []
    for line in text.splitlines():
        words = line.replace("*", "* ").split()
        figures = [float(word[:-1]) for word in words if word.endswith("%")]
        lines.append(([word for word in words if not word.endswith("%")], figures))
    return lines


def test_the_year_is_that_of_the_page(capsys):
    example = runpy.run_path(str(ROOT / "examples" / "a_year_with_drift.py"))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        example["main"]()
    lived, shown = capsys.readouterr().out, (ROOT / "docs" / "a_year_with_drift.txt").read_text()
    year, page = (words_and_figures(text.partition("\n     call")[0]) for text in (lived, shown))
    assert [words for words, _ in year] == [words for words, _ in page]
    for (_, found), (_, written) in zip(year, page, strict=True):
        assert all(abs(one - other) < 3 for one, other in zip(found, written, strict=True))
    assert "retune" in lived.splitlines()[-3]
