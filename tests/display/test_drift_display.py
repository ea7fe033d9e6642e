"""The pictures of a drift report show what its tables say."""

import re
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from skbn.display import DriftDisplay
from skbn.display.drift_display import DRIFT_KINDS

pytestmark = pytest.mark.slow

KINDS = "'overview', 'columns', 'classes', 'layers'"


def made_report(n_columns=6, n_classes=3, n_layers=2, priors=True, name="column {}"):
    """A report with an effect of 0.1 for the first column, 0.2 for the second, and so on."""
    effects = (np.arange(n_columns) + 1) / 10
    columns = pd.DataFrame(
        {
            "kind": [("number", "category", "date")[i % 3] for i in range(n_columns)],
            "effect": effects,
            "drifted": effects > 0.25,
            "missing_old": 0.02,
            "missing_new": 0.3,
            "missing_p_value": np.where(np.arange(n_columns) % 2, 1e-9, 0.8),
            "new_categories": 0.12,
            "new_category_names": [["lease", "rent"]] * n_columns,
        },
        index=[name.format(i) for i in range(n_columns)],
    )
    shares = np.arange(1, n_classes + 1) / np.arange(1, n_classes + 1).sum()
    classes = {"old": shares, "new": shares[::-1], "prior_old": shares, "prior_new": shares[::-1]}
    classes |= {"low": 0.9 * shares[::-1], "high": 1.1 * shares[::-1]}
    classes = pd.DataFrame(classes, index=[f"class {i}" for i in range(n_classes)])
    if not priors:
        classes[["prior_old", "prior_new", "low", "high"]] = np.nan
    layers = {"shift": [0.5, 0.1], "largest": [1.5, 0.3], "spread": [1.2, 0.95]}
    layers = pd.DataFrame(layers)[:n_layers] if n_layers else None
    verdict = {"verdict": "covariate", "advice": "adapt"}
    return SimpleNamespace(columns=columns, classes=classes, layers=layers, **verdict)


def bars(ax):
    return [bar.get_width() for bar in ax.patches]


def names(ax):
    return [label.get_text() for label in ax.get_yticklabels()]


def texts(ax):
    return [text.get_text() for text in ax.texts]


def legend(ax):
    return [text.get_text() for text in ax.get_legend().get_texts()]


def dots(ax):
    return [
        each.get_offsets().tolist() for each in ax.collections if isinstance(each, PathCollection)
    ]


def test_columns_that_drifted_come_first_with_what_else_changed():
    report = made_report()
    report.columns.loc["column 0", "drifted"] = True  # by its missing cells, say
    display = DriftDisplay.from_report(report, kind="columns")
    (ax,) = display.axes_
    assert display.ax_ is ax
    assert display.figure_ is ax.figure
    assert names(ax) == [f"column {i}" for i in (5, 4, 3, 2, 0, 1)]
    np.testing.assert_allclose(bars(ax), [0.6, 0.5, 0.4, 0.3, 0.1, 0.2])
    assert [bar.get_facecolor()[3] == 1 for bar in ax.patches] == [True] * 5 + [False]
    colours = {
        report.columns.loc[n, "kind"]: bar.get_facecolor()[:3]
        for n, bar in zip(names(ax), ax.patches, strict=True)
    }
    assert colours["number"] == colours["date"] != colours["category"]
    new = "12% new: lease, rent"
    expected = ["0.60, missing 2% → 30%", f"0.50, {new}", "0.40, missing 2% → 30%", "0.30"]
    assert texts(ax) == [*expected, "0.10", f"0.20, {new}"]
    assert "may be chance, or small" in legend(ax)


@pytest.mark.parametrize("kind", ["columns", "overview"])
def test_of_many_columns_those_that_moved_most_are_shown(kind):
    ax = DriftDisplay.from_report(made_report(100), kind=kind).axes_[0]
    n = 20 if kind == "columns" else 10
    assert names(ax) == [f"column {i}" for i in range(99, 99 - n, -1)]
    assert ax.get_xlabel() == f"effect\n{n} of 100 columns"


@pytest.mark.parametrize("effect", [900.0, np.inf])
def test_a_column_that_moved_beyond_all_others_is_cut(effect):
    report = made_report()
    report.columns.loc["column 1", ["effect", "drifted"]] = [effect, True]
    (ax,) = DriftDisplay.from_report(report, kind="columns").axes_
    assert names(ax)[0] == "column 1"
    assert texts(ax)[0].startswith("900" if effect == 900 else "inf")
    np.testing.assert_allclose(bars(ax), [0.69, 0.6, 0.5, 0.4, 0.3, 0.1])
    assert [y for _, y in dots(ax)[0]] == [0]


def test_columns_without_effect_or_with_none_that_can_be_told():
    report = made_report(2)
    report.columns["effect"] = [np.nan, 0.0]
    (ax,) = DriftDisplay.from_report(report, kind="columns").axes_
    assert bars(ax) == [0, 0]
    assert ax.get_xlim()[1] >= 0.25


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("{} dollars of $cost$\nin all", "0 dollars o…cost$ in all"),
        ("the_balance_of_month_{}_of_the_year_in_dollars", "…ce_of_month_0_of_the_ye…"),
    ],
)
def test_long_names_are_shortened_so_that_they_differ(name, shown, pyplot):
    display = DriftDisplay.from_report(made_report(9, name=name), kind="columns")
    assert shown in names(display.axes_[0])
    assert len({*names(display.axes_[0])}) == 9
    display.figure_.canvas.draw()  # a dollar is no formula


def test_classes_then_and_now_with_their_priors():
    (ax,) = DriftDisplay.from_report(made_report(), kind="classes").axes_
    assert names(ax) == ["class 0", "class 1", "class 2"]
    np.testing.assert_allclose(bars(ax), [1 / 6, 2 / 6, 3 / 6, 3 / 6, 2 / 6, 1 / 6])
    old, new = dots(ax)
    np.testing.assert_allclose(old, [[1 / 6, 0], [2 / 6, 1], [3 / 6, 2]])
    np.testing.assert_allclose(new, [[3 / 6, 0], [2 / 6, 1], [1 / 6, 2]])
    assert legend(ax)[-1] == "estimated prior, if label shift"


def test_classes_of_a_model_without_probabilities_have_no_priors():
    (ax,) = DriftDisplay.from_report(made_report(priors=False), kind="classes").axes_
    assert dots(ax) == []
    assert legend(ax) == ["predicted then", "predicted now"]
    assert ax.get_xlim()[1] > 0.5


def test_of_many_classes_those_that_moved_most_are_shown_in_their_order():
    (ax,) = DriftDisplay.from_report(made_report(n_classes=40), kind="classes").axes_
    assert names(ax) == [f"class {i}" for i in [*range(13), *range(27, 40)]]
    assert ax.get_xlabel() == "share of the rows\n26 of 40 classes"


def test_layers():
    (ax,) = DriftDisplay.from_report(made_report(), kind="layers").axes_
    assert names(ax) == ["hidden layer 1", "hidden layer 2"]
    assert bars(ax) == [0.5, 0.1]
    assert dots(ax) == [[[1.5, 0], [0.3, 1]]]
    assert texts(ax) == ["1.20 times the spread", "0.95 times the spread"]


@pytest.mark.slow
@pytest.mark.parametrize(("n_layers", "n_panels"), [(2, 3), (0, 2)])
def test_an_overview_has_a_panel_for_each_table(n_layers, n_panels, pyplot):
    report = made_report(n_layers=n_layers)
    display = DriftDisplay.from_report(report)
    assert len(display.axes_) == n_panels
    titles = [ax.get_title() for ax in display.figure_.axes]
    assert "verdict: covariate; advice: adapt" in titles
    _, axes = pyplot.subplots(n_panels)
    assert display.plot(axes).axes_.tolist() == axes.tolist()
    with pytest.raises(ValueError, match=f"an array of {n_panels}"):
        display.plot(axes[:1].repeat(4))
    _, ax = pyplot.subplots()
    assert display.plot(ax, kind="classes").ax_ is ax


def test_what_cannot_be_drawn():
    with pytest.raises(ValueError, match=f"kind must be one of {KINDS}; got 'pie'"):
        DriftDisplay.from_report(made_report(), kind="pie")
    for wrong in None, pd.DataFrame(), made_report().columns, {"columns": 1}:
        with pytest.raises(TypeError, match=f"takes a DriftReport, .* got {type(wrong).__name__}"):
            DriftDisplay.from_report(wrong)
    with pytest.raises(ValueError, match="nothing to draw: the report has no hidden layers"):
        DriftDisplay.from_report(made_report(n_layers=0), kind="layers")
    assert ", ".join(map(repr, DRIFT_KINDS)) == KINDS
    assert all(re.search(f'- "{kind}": ', DriftDisplay.plot.__doc__) for kind in DRIFT_KINDS)
