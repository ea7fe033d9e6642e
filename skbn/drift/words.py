"""A report in words, and as tables in HTML."""

from __future__ import annotations

from html import escape
from typing import Any

from skbn.drift.columns import MATERIAL_EFFECT
from skbn.drift.verdict import LEVEL_OF_COLUMNS, MATERIAL_AUC, is_concept_drift
from skbn.tables.messages import MAX_NAME_LENGTH

N_NAMED = 5
"""Columns and classes that are named in the summary."""
N_ROWS = 20
"""Columns in the table of HTML."""
VERDICTS = {
    "none": "nothing moved that matters",
    "covariate": "covariate shift: inputs moved",
    "label": "label shift: class proportions moved",
    "unclear": "drift of an unclear kind",
}
ADVICES = {
    "nothing": "Nothing is to be done.",
    "adapt": "skbn.drift.adapt(model, X_new) re-estimates scalers and batch norm without labels; "
    "with some 50 labels skbn.drift.choose_adaptation tells whether that helps.",
    "new priors": 'skbn.drift.adapt(model, X_new, shift="label") gives the model the new class '
    "priors, without labels.",
    "retune": "Labels of now and retune are needed: nothing repairs this without labels.",
    "collect labels": "Which repair helps, if any, cannot be told without labels. Some 50 "
    "labelled rows of now tell it (skbn.drift.choose_adaptation), and as y_new whether accuracy "
    "fell; more of them allow to retune.",
}


def summary_of(report: Any) -> str:
    """Say in words what moved, of which kind the shift is and how sure that is, what to do.

    Parameters
    ----------
    report : DriftReport

    Returns
    -------
    text : str
    """
    parts = [
        f"Verdict: {VERDICTS[report.verdict]} ({report.n_old:,} old rows, {report.n_new:,} new).",
        *_columns(report),
        *_whole(report),
        *_kind(report),
        *_layers(report),
        *_classes(report),
        *_accuracy(report),
        f"Advice: {report.advice}. {ADVICES[report.advice]}",
    ]
    return "\n".join(parts)


def _columns(report: Any) -> list[str]:
    table = report.columns
    drifted = table[table["drifted"]].sort_values("effect", ascending=False, kind="stable")
    lines = [f"Columns: {len(drifted)} of {len(table)} drifted."]
    if len(drifted):
        named = [_column(name, row) for name, row in zip(*_head(drifted), strict=True)]
        lines = [f"{lines[0][:-1]}: {_listed(named, len(drifted))}."]
    slight = int((table["p_adjusted"] < LEVEL_OF_COLUMNS).sum() - len(drifted))
    if slight:
        lines.append(
            f"{slight} more moved beyond chance, yet too little to matter (effects below "
            f"{MATERIAL_EFFECT})."
        )
    if report.ignored:
        named = [_short(name) for name in report.ignored[:N_NAMED]]
        lines.append(
            f"Columns that old rows lack were ignored: {_listed(named, len(report.ignored))}."
        )
    return lines


def _head(table: Any) -> tuple[list[Any], list[Any]]:
    head = table.iloc[:N_NAMED]
    return list(head.index), head.to_dict("records")


def _column(name: Any, row: Any) -> str:
    """Name a column with what moved in it."""
    unit = "deviations" if row["kind"] != "category" else "of the rows in other categories"
    effect = f"{row['effect']:.2f} {unit}"
    if row["kind"] == "category":
        effect = f"{row['effect']:.0%} {unit}"
    notes = [effect]
    if abs(row["missing_new"] - row["missing_old"]) >= 0.01:
        notes.append(f"missing cells {row['missing_old']:.0%} -> {row['missing_new']:.0%}")
    if row["new_categories"] >= 0.01 and row["new_category_names"]:
        names = ", ".join(_short(each) for each in row["new_category_names"][:2])
        notes.append(f"new in {row['new_categories']:.0%} of the rows, such as {names}")
    return f"{_short(name)} ({'; '.join(notes)})"


def _short(name: Any) -> str:
    text = str(name)
    return text if len(text) <= MAX_NAME_LENGTH else f"{text[: MAX_NAME_LENGTH - 3]}..."


def _listed(named: list[str], count: int) -> str:
    rest = count - len(named)
    return ", ".join(named) + (f" and {rest} more" if rest else "")


def _whole(report: Any) -> list[str]:
    auc = report.auc
    text = f"A classifier tells new from old rows with an AUC of {_interval(auc, '.3f')}"
    if auc.low <= 0.5:
        return [f"{text}: no better than chance."]
    if auc.value < MATERIAL_AUC:
        return [f"{text}: beyond chance, yet too little to matter."]
    table = report.columns.sort_values("importance", ascending=False, kind="stable")
    least = max(0.005, table["importance"].max() / 4)
    names = [_short(name) for name in table.index[table["importance"] >= least][:N_NAMED]]
    return [f"{text}{', mostly by ' + ', '.join(names) if names else ''}."]


def _interval(estimate: Any, form: str) -> str:
    value, low, high = (format(figure, form) for figure in estimate)
    return f"{value} ({low} to {high})"


def _kind(report: Any) -> list[str]:
    if report.verdict == "none":
        return []
    explained = f"{1 - report.remainder:.0%}"
    said = {
        "label": f"Other class proportions explain {explained} of what moved, so it looks like "
        "label shift.",
        "covariate": f"Other class proportions explain {explained} of what moved, so it looks "
        "like covariate shift.",
        "unclear": f"Other class proportions explain {explained} of what moved: too much for "
        "covariate shift alone, too little for label shift alone.",
    }
    if report.verdict == "unclear" and report.confidence_old is None:
        said["unclear"] = (
            f"Predicted classes moved, and explain {explained} of what moved; without "
            "probabilities this tells neither covariate nor label shift."
        )
    return [
        f"{said[report.verdict]} Beyond them the AUC is "
        f"{_interval(report.auc_beyond_label_shift, '.3f')}."
    ]


def _layers(report: Any) -> list[str]:
    if report.layers is None:
        return []
    parts = [
        f"layer {layer} by {row['shift']:.2f} deviations (at most {row['largest']:.2f}), "
        f"spread times {row['spread']:.2f}"
        for layer, row in zip(report.layers.index, report.layers.to_dict("records"), strict=True)
    ]
    return [f"Inputs of batch norm moved: {'; '.join(parts)}."]


def _classes(report: Any) -> list[str]:
    table = report.classes
    order = (table["new"] - table["old"]).abs().sort_values(ascending=False, kind="stable").index
    table = table.loc[order].iloc[:N_NAMED]
    shares = [
        f"{_short(name)} {row['old']:.0%} -> {row['new']:.0%}"
        for name, row in zip(table.index, table.to_dict("records"), strict=True)
    ]
    lines = [f"Predicted classes: {', '.join(shares)}."]
    if report.verdict in ("label", "unclear") and table["prior_new"].notna().all():
        priors = [
            f"{_short(name)} {row['prior_old']:.0%} -> {row['prior_new']:.0%} "
            f"({row['low']:.0%} to {row['high']:.0%})"
            for name, row in zip(table.index, table.to_dict("records"), strict=True)
        ]
        lines.append(f"Class priors, if it is label shift: {', '.join(priors)}.")
    return lines


def _accuracy(report: Any) -> list[str]:
    lines = []
    if report.expected_accuracy is not None:
        lines.append(
            f"Mean confidence: {report.confidence_old.value:.1%} -> "
            f"{report.confidence_new.value:.1%} (higher on rows that the model was trained on)."
        )
        known = "with the new class priors" if report.verdict == "label" else "on the new rows"
        lines.append(
            f"Expected accuracy: {_interval(report.expected_accuracy, '.1%')}, if probabilities "
            f"are calibrated {known}"
            + (", which covariate shift may undo." if report.verdict == "covariate" else ".")
        )
    if report.accuracy is not None:
        lines.append(
            f"Accuracy on {report.n_labels:,} labelled rows: {_interval(report.accuracy, '.1%')}."
        )
    if report.verdict == "covariate" and report.advice == "nothing":
        lines.append("By the labels the model is right as often as it expects, all the same.")
    if is_concept_drift(report.verdict, report.accuracy, report.expected_accuracy):
        lines.append(
            "Accuracy is far below what is expected though inputs did not move: what belongs to "
            "which class changed (concept drift), or the model was overconfident from the start. "
            "The verdict is about inputs."
        )
    return lines


def html_of(report: Any) -> str:
    """Give a report as tables in HTML, without scripts and in the colours of the page.

    Parameters
    ----------
    report : DriftReport

    Returns
    -------
    html : str
    """
    lines = "".join(f"<li>{escape(line)}</li>" for line in summary_of(report).split("\n")[1:])
    columns = report.columns.sort_values(
        ["drifted", "effect"], ascending=False, kind="stable"
    ).drop(columns="new_category_names")
    note = f", the first {N_ROWS} of {len(columns)}" if len(columns) > N_ROWS else ""
    tables = [
        (f"Columns{note}", columns.iloc[:N_ROWS]),
        ("Classes: predicted, and priors if it is label shift", report.classes.iloc[:N_ROWS]),
    ]
    if report.layers is not None:
        tables.append(("Layers", report.layers))
    return (
        '<div style="color: inherit; background: transparent">'
        f"<p><strong>Drift: {escape(VERDICTS[report.verdict])}.</strong></p><ul>{lines}</ul>"
        + "".join(_details(title, table) for title, table in tables)
        + "</div>"
    )


def _details(title: str, table: Any) -> str:
    style = 'style="text-align: right; padding: 0 0.5em"'
    names = [table.index.name, *table.columns]
    head = "".join(f"<th {style}>{escape(str(name))}</th>" for name in names)
    rows = [
        f"<tr><th {style}>{escape(_short(name))}</th>"
        + "".join(f"<td {style}>{escape(_cell(cell))}</td>" for cell in row.values())
        + "</tr>"
        for name, row in zip(table.index, table.to_dict("records"), strict=True)
    ]
    return (
        f"<details open><summary>{escape(title)}</summary>"
        '<div style="overflow-x: auto"><table style="white-space: nowrap"><thead>'
        f"<tr>{head}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></div></details>"
    )


def _cell(cell: Any) -> str:
    return f"{cell:.3g}" if isinstance(cell, float) else str(cell)
