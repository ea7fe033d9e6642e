"""How good a model each way of searching finds, at an equal budget.

    python benchmarks/search_quality.py [--data FOLDER] [--seeds 10] [--out FILE.csv]

Every arm may spend 60 trainings to the end in 3 folds (counted in epochs x folds) and
one refit; "random x2" twice as many. All arms search the space of ``python -m skbn``, and
those of a seed share rows, folds and the seed of the network. A set is cut to 600 rows to
search on, and what is found is judged on up to 4,000 others: by the mean over four refits
that differ in their seed, the search's own first, for that of one fit is mostly chance.

Compared is the test log-loss, as the logarithm of the ratio to that of the other arm in
per cent: below zero is better. Its interval is a bootstrap over pairs of (set, seed),
stratified by set. Anytime curves are the cross-validated log-loss of the best so far; those
of halving begin with its candidates of five epochs.
"""

import argparse
import warnings
from functools import partial

import joblib
import numpy as np
import pandas as pd
from _common import machine, optional, preprocessing, table
from sklearn.base import clone
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.metrics import accuracy_score, log_loss
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    StratifiedKFold,
    cross_val_score,
    train_test_split,
)
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.__main__ import SPACE as COMMAND_SPACE
from skbn.search import CoarseToFineSearchCV

SETS = ["satimage", "adult", "spambase", "splice", "credit_data", "segment"]
BUDGET = 60
EPOCHS = BNSoftmaxClassifier().max_iter

SPACE = {name.removeprefix("classifier__"): scale for name, scale in COMMAND_SPACE.items()}
GRID = {
    "learning_rate_init": [1e-4, 1e-3, 1e-2, 1e-1, 1.0],
    "batch_size": [32, 128],
    "hidden_layer_sizes": [(64,), (256,), (64, 64, 64)],
    "dropout": [0.0, 0.25],
}


def random(n, model, seed, cv):
    return RandomizedSearchCV(
        model, SPACE, n_iter=n, cv=cv, scoring="neg_log_loss", random_state=seed
    )


def coarse_to_fine(n_rounds, model, seed, cv):
    return CoarseToFineSearchCV(
        model,
        SPACE,
        n_candidates=BUDGET,
        n_rounds=n_rounds,
        cv=cv,
        scoring="neg_log_loss",
        random_state=seed,
    )


def grid(model, seed, cv):
    return GridSearchCV(model, GRID, cv=cv, scoring="neg_log_loss")


def halving(model, seed, cv):
    # 90 candidates of 5 epochs and 30 of 15 are as many epochs as 60 of 15.
    return HalvingRandomSearchCV(
        model,
        SPACE,
        n_candidates=90,
        factor=3,
        resource="max_iter",
        min_resources=EPOCHS // 3,
        max_resources=EPOCHS,
        cv=cv,
        scoring="neg_log_loss",
        random_state=seed,
    )


class OptunaSearch:
    """Optuna's default sampler behind the two things that are asked of a search here."""

    def __init__(self, model, seed, cv):
        self.model, self.seed, self.cv = model, seed, cv

    def suggest(self, trial):
        depth = trial.suggest_int("layers", 1, 4)
        width = trial.suggest_int("units", 32, 256, log=True)
        return {
            "learning_rate_init": trial.suggest_float("learning_rate_init", 1e-4, 1, log=True),
            "batch_size": trial.suggest_int("batch_size", 16, 256, log=True),
            "hidden_layer_sizes": (width,) * depth,
            "dropout": trial.suggest_float("dropout", 0, 0.5),
        }

    def fit(self, X, y):
        optuna = optional("optuna")
        optuna.logging.set_verbosity(optuna.logging.ERROR)

        def objective(trial):
            model = self.model.set_params(**self.suggest(trial))
            scores = cross_val_score(
                model, X, y, cv=self.cv, scoring="neg_log_loss", error_score=np.nan
            )
            return scores.mean()

        study = optuna.create_study(
            direction="maximize", sampler=optuna.samplers.TPESampler(seed=self.seed)
        )
        study.optimize(objective, n_trials=BUDGET)
        values = [np.nan if t.value is None else t.value for t in study.trials]
        self.cv_results_ = {"mean_test_score": np.array(values)}
        self.best_estimator_ = self.model.set_params(**self.suggest(study.best_trial)).fit(X, y)
        return self


ARMS = {
    "grid": grid,
    "random x2": partial(random, 2 * BUDGET),
    "random": partial(random, BUDGET),
    "Sobol": partial(coarse_to_fine, 1),
    "zoom": partial(coarse_to_fine, 3),
    "halving": halving,
}
if optional("optuna"):
    ARMS["Optuna TPE"] = OptunaSearch


def split(folder, name, seed):
    """Rows to search on and to judge on, ready for the network."""
    X, y = table(folder, name)
    X, X_test, y, y_test = train_test_split(X, y, train_size=600, stratify=y, random_state=seed)
    ready = preprocessing().fit(X)
    X, X_test = (ready.transform(part).astype("float32") for part in (X, X_test[:4000]))
    return X, X_test, y.to_numpy(), y_test[:4000].to_numpy()


def first(n, search, X, y):
    """A random search of n candidates, which are the first of a longer one."""
    short = clone(search).set_params(n_iter=n)
    scores = search.cv_results_["mean_test_score"][:n]
    short.cv_results_ = {"mean_test_score": scores}
    best = search.cv_results_["params"][np.nanargmax(scores)]
    short.best_estimator_ = clone(search.estimator).set_params(**best).fit(X, y)
    return short


def run(folder, name, seed, arms):
    """One line of results an arm, for a set and a seed."""
    X, X_test, y, y_test = split(folder, name, seed)
    searches = {}
    with warnings.catch_warnings(), threadpool_limits(1):
        warnings.simplefilter("ignore")  # some candidates diverge in every arm
        for arm in arms:
            if arm == "random" and "random x2" in searches:
                searches[arm] = first(BUDGET, searches["random x2"], X, y)
                continue
            cv = StratifiedKFold(3, shuffle=True, random_state=seed)
            model = BNSoftmaxClassifier(random_state=seed)
            searches[arm] = ARMS[arm](model, seed, cv).fit(X, y)
        lines = [judge(search, X, y, X_test, y_test, seed) for search in searches.values()]
    keys = [{"set": name, "seed": seed, "arm": arm} for arm in searches]
    return [key | line for key, line in zip(keys, lines, strict=True)]


def judge(search, X, y, X_test, y_test, seed):
    """Scores of a search on the rows to judge on, and along its way."""
    scores = np.fmax.accumulate(search.cv_results_["mean_test_score"])
    models = [search.best_estimator_]
    for i in range(1, 4):
        models.append(clone(models[0]).set_params(random_state=seed + 1000 * i).fit(X, y))
    losses = [log_loss(y_test, m.predict_proba(X_test), labels=m.classes_) for m in models]
    return {
        "log_loss": np.mean(losses),
        "accuracy": np.mean([accuracy_score(y_test, m.predict(X_test)) for m in models]),
        "cv": -scores[-1],
        **{f"cv after {n}": -scores[n - 1] for n in (10, 20, 30, 40, 50, 60)},
    }


def compare(results, arm, other, column):
    """Mean difference of two arms with its interval, and wins, ties and losses."""
    table = results.pivot(index=["set", "seed"], columns="arm", values=column)
    if column == "accuracy":
        difference = 100 * (table[arm] - table[other])
    else:
        difference = 100 * np.log(table[arm] / table[other])
    stream = np.random.default_rng(0)
    groups = [group.to_numpy() for _, group in difference.groupby("set")]
    means = [
        np.mean([stream.choice(group, len(group)).mean() for group in groups]) for _ in range(4000)
    ]
    low, high = np.quantile(means, [0.025, 0.975])
    better = difference > 0 if column == "accuracy" else difference < 0
    ties = difference.abs() < 0.1
    counts = f"{(better & ~ties).sum()}/{ties.sum()}/{(~better & ~ties).sum()}"
    return f"{difference.mean():+6.2f} [{low:+6.2f}, {high:+6.2f}] {counts:>9s}"


def report(results):
    arms = [arm for arm in ARMS if arm in set(results["arm"])]
    means = results.groupby("arm")[["log_loss", "accuracy", "cv"]].mean().loc[arms]
    print(f"\nMeans over {results['set'].nunique()} sets, {results['seed'].nunique()} seeds")
    print(means.to_string(float_format="%.4f"))
    for other in ("random", *(["zoom"] if "zoom" in arms else [])):
        print(f"\nAgainst {other}: difference, 95 % interval, better/equal/worse")
        print(
            f"{'':12s} {'test log-loss, %':^35s} {'test accuracy, points':^35s} {'CV log-loss, %'}"
        )
        for arm in arms:
            if arm != other:
                cells = [compare(results, arm, other, c) for c in ("log_loss", "accuracy", "cv")]
                print(f"{arm:12s} {' | '.join(cells)}")
    print("\nAnytime: best cross-validated log-loss after n candidates, % above the best of all")
    curves = results.filter(regex="set|seed|arm|after").set_index(["set", "seed", "arm"])
    best = results.groupby(["set", "seed"])["cv"].min()
    gap = 100 * np.log(curves.div(best, axis=0))
    print(gap.groupby("arm").mean().loc[arms].to_string(float_format="%.2f"))


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the tables; fetched from OpenML without")
    parser.add_argument("--seeds", type=int, default=10)
    parser.add_argument("--first-seed", type=int, default=0)
    parser.add_argument("--sets", nargs="+", default=SETS)
    parser.add_argument("--arms", nargs="+", default=list(ARMS), choices=list(ARMS))
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("--out", help="CSV file for the results of each pair")
    arguments = parser.parse_args()
    print(machine())
    seeds = range(arguments.first_seed, arguments.first_seed + arguments.seeds)
    pairs = [(name, seed) for seed in seeds for name in arguments.sets]
    done = joblib.Parallel(arguments.jobs, return_as="generator_unordered", batch_size=1)(
        joblib.delayed(run)(arguments.data, name, seed, arguments.arms) for name, seed in pairs
    )
    lines = []
    for part in done:
        lines += part
        if arguments.out:
            pd.DataFrame(lines).to_csv(arguments.out, index=False)
    report(pd.DataFrame(lines))


if __name__ == "__main__":
    main()
