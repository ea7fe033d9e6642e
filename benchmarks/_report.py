"""What accuracy.py prints and draws of its results: one line a fit, in a DataFrame."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata, studentized_range

SCORES = ["accuracy", "log_loss", "ece", "fit", "predict"]
OWN = ("skbn", "tabular")
TIE_POINTS, TIE_SHARE = 0.1, 0.01


def means_by_set(results):
    """Means over the splits: a DataFrame of (arm, set) by score, in the order of the results."""
    return results.groupby(["arm", "set"], sort=False)[SCORES].mean()


def wide(by_set, score):
    """One score: sets by arms."""
    return by_set[score].unstack("arm", sort=False)


def print_means(by_set):
    means = by_set.groupby("arm", sort=False).mean()
    width = max(map(len, means.index))
    print(f"\n{'':{width}s} accuracy  log-loss  calibration error      fit    predict")
    for arm, (accuracy, loss, ece, fit, predict) in means.iterrows():
        print(
            f"{arm:{width}s} {accuracy:8.2%} {loss:9.4f} {ece:18.4f} {fit:7.2f} s {predict:8.3f} s"
        )


def print_sets(by_set):
    for title, score, form in [
        ("accuracy, %", "accuracy", "{:.2f}"),
        ("log-loss", "log_loss", "{:.4f}"),
        ("seconds of fit", "fit", "{:.2f}"),
    ]:
        values = wide(by_set, score) * (100 if score == "accuracy" else 1)
        print(f"\n{title}\n{values.rename_axis(None).to_string(float_format=form.format)}")


def counts(better, worse):
    return f"{better.sum()}/{(~better & ~worse).sum()}/{worse.sum()}"


def without_each(values):
    """Means with any one of the values left out."""
    return (values.sum() - values) / (len(values) - 1) if len(values) > 1 else values


def compare(by_set, arm, other):
    """Wins, ties and losses of an arm over another, and how far apart their means are."""
    accuracy, loss = (wide(by_set, score)[[arm, other]] for score in ("accuracy", "log_loss"))
    points = 100 * (accuracy[arm] - accuracy[other])
    ratio = loss[arm] / loss[other]
    some_points = without_each(points)
    some_changes = 100 * (without_each(loss[arm]) / without_each(loss[other]) - 1)
    return (
        f"{counts(points > TIE_POINTS, points < -TIE_POINTS):>9s} {points.mean():+6.2f} "
        f"[{some_points.min():+6.2f}, {some_points.max():+6.2f}] | "
        f"{counts(ratio < 1 - TIE_SHARE, ratio > 1 + TIE_SHARE):>9s} "
        f"{100 * (loss[arm].mean() / loss[other].mean() - 1):+7.1f} "
        f"[{some_changes.min():+7.1f}, {some_changes.max():+7.1f}] | "
        f"{100 * (ratio.max() - 1):+7.1f} {ratio.idxmax()}"
    )


def print_comparisons(by_set, title, pairs):
    """Compare pairs of arms, by the label of their line."""
    width = max(map(len, pairs))
    print(
        f"\n{title}: wins/ties/losses, difference of the means [with any one set left out]\n"
        f"{'':{width}s} {'accuracy, points':>33s} | {'log-loss, %':>36s} | worst log-loss, %"
    )
    for label, (arm, other) in pairs.items():
        print(f"{label:{width}s} {compare(by_set, arm, other)}")


def print_ranks(by_set):
    """Mean ranks, and the difference that Nemenyi's test needs at 5 % (Demsar, 2006)."""
    n_sets, n_arms = wide(by_set, "accuracy").shape
    quantile = studentized_range.ppf(0.95, n_arms, np.inf) / np.sqrt(2)
    critical = quantile * np.sqrt(n_arms * (n_arms + 1) / (6 * n_sets))
    print(f"\nmean ranks over {n_sets} sets; critical difference {critical:.2f}")
    for score, sign in [("accuracy", -1), ("log_loss", 1)]:
        values = wide(by_set, score)
        ranks = rankdata(sign * values, axis=1).mean(axis=0)
        ordered = sorted(zip(ranks, values.columns, strict=True))
        print(f"{score:9s}", "  ".join(f"{arm} {rank:.2f}" for rank, arm in ordered))


def report(results):
    """Print all tables of arms."""
    by_set = means_by_set(results)
    arms = list(wide(by_set, "fit"))
    print_means(by_set)
    print_sets(by_set)
    if len(arms) > 1:
        print_ranks(by_set)
        for own in [arm for arm in arms if arm in OWN]:
            pairs = {other: (own, other) for other in arms if other != own}
            print_comparisons(by_set, f"{own} against each", pairs)


def report_variations(results):
    """Print what each variation is worth against the first, which are the defaults."""
    by_set = means_by_set(results)
    defaults, *others = wide(by_set, "fit")
    print_means(by_set)
    pairs = {other: (other, defaults) for other in others}
    print_comparisons(by_set, f"each against {defaults}", pairs)


def report_seeds(results):
    """Print how much the seed alone changes a set's mean accuracy over its splits."""
    means = results.groupby(["set", "arm", "seed"], sort=False)["accuracy"].mean()
    deviations = means.groupby(["set", "arm"], sort=False).std().unstack(sort=False)
    print("\nstandard deviation of the mean accuracy over seeds, points")
    print((100 * deviations).rename_axis(None).to_string(float_format="{:.2f}".format))
    print("mean", "  ".join(f"{arm} {100 * d:.2f}" for arm, d in deviations.mean().items()))


def draw(results, path):
    """Draw the mean accuracy against the mean time of fit."""
    from matplotlib.figure import Figure

    means = means_by_set(results).groupby("arm", sort=False).mean()
    figure = Figure(figsize=(6.4, 4.2), layout="constrained")
    ax = figure.subplots()
    for arm, (accuracy, seconds) in means[["accuracy", "fit"]].iterrows():
        own = arm in OWN
        ax.scatter(seconds, 100 * accuracy, s=40, color="C3" if own else "C0")
        weight = "bold" if own else "normal"
        place = (seconds, 100 * accuracy)
        ax.annotate(arm, place, (6, 4), textcoords="offset points", weight=weight)
    ax.set(xscale="log", xlabel="mean seconds of fit, one thread", ylabel="mean accuracy, %")
    ax.margins(x=0.25, y=0.1)
    ax.grid(alpha=0.3)
    figure.savefig(path, dpi=150)
