"""How good a model each way of searching finds, at an equal budget.

    python benchmarks/search_quality.py [--data FOLDER] [--seeds 10] [--out FILE.csv]

Every arm may spend as many epochs as 60 trainings to the end in 3 folds have, and one
refit; "random x2" twice as many. Those with rungs, whose candidates train further and
further, try some 200 candidates for that. All arms search the space of ``python -m skbn``, and
those of a seed share rows, folds and the seed of the network. A set is cut to 600 rows to
search on, and what is found is judged on up to 4,000 others: by the mean over four refits
that differ in their seed, the search's own first, for that of one fit is mostly chance.

Compared is the test log-loss, as the logarithm of the ratio to that of the other arm in
per cent: below zero is better. Its interval is a bootstrap over pairs of (set, seed),
stratified by set. Anytime curves are the cross-validated log-loss of the best so far, of
candidates trained to the end; of scikit-learn's halving, whatever their length.
"""

import argparse
import warnings
from functools import partial

import joblib
import numpy as np
import pandas as pd
from _common import ONE, machine, optional, preprocessing, table
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
from skbn.search.halving import rung_epochs, rung_sizes
from skbn.search.zoom import round_sizes

SETS = ["satimage", "adult", "spambase", "splice", "credit_data", "segment"]
BUDGET = 60
N_FOLDS = 3
EPOCHS = BNSoftmaxClassifier().max_iter
ETA, MIN_EPOCHS = 3, EPOCHS // 3
SHARES = (25, 50, 75, 100)

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


def rungs(n_rounds, model, seed, cv):
    """As many candidates as the budget has epochs for."""
    search = coarse_to_fine(n_rounds, model, seed, cv)
    search.set_params(resource="epochs", eta=ETA, min_epochs=MIN_EPOCHS)
    ends = rung_epochs(MIN_EPOCHS, EPOCHS, ETA)
    steps = np.diff([0, *ends])

    def cost(n):
        return sum(np.dot(rung_sizes(k, len(ends), ETA), steps) for k in round_sizes(n, n_rounds))

    n = max(n for n in range(n_rounds, BUDGET * EPOCHS) if cost(n) <= BUDGET * EPOCHS)
    return search.set_params(n_candidates=n)


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
        width = 2 ** trial.suggest_int("log2 units", 5, 8)
        return {
            "learning_rate_init": trial.suggest_float("learning_rate_init", 1e-4, 1, log=True),
            "batch_size": 2 ** trial.suggest_int("log2 batch_size", 4, 8),
            "hidden_layer_sizes": (width,) * depth,
            "dropout": trial.suggest_float("dropout", 0, 0.5),
        }

    def fit(self, X, y):
        optuna = optional("optuna")
        optuna.logging.set_verbosity(optuna.logging.ERROR)
        study = optuna.create_study(
            direction="maximize",
            sampler=optuna.samplers.TPESampler(seed=self.seed),
            pruner=self.pruner(optuna),
        )
        self.search(study, X, y)
        done = [t for t in study.trials if t.state == optuna.trial.TrialState.COMPLETE]
        self.cv_results_ = {"mean_test_score": np.array([t.value for t in done])}
        self.best_estimator_ = self.model.set_params(**self.suggest(study.best_trial)).fit(X, y)
        return self

    def pruner(self, optuna):
        return optuna.pruners.NopPruner()

    def search(self, study, X, y):
        def objective(trial):
            model = self.model.set_params(**self.suggest(trial))
            scores = cross_val_score(
                model, X, y, cv=self.cv, scoring="neg_log_loss", error_score=np.nan
            )
            return scores.mean()

        study.optimize(objective, n_trials=BUDGET)


class OptunaHyperband(OptunaSearch):
    """Trials that are given up on the way, as many as the budget has epochs for."""

    def pruner(self, optuna):
        return optuna.pruners.HyperbandPruner(
            min_resource=MIN_EPOCHS, max_resource=EPOCHS, reduction_factor=ETA
        )

    def search(self, study, X, y):
        optuna, folds, n_left = optional("optuna"), list(self.cv.split(X, y)), BUDGET * EPOCHS
        classes = np.unique(y)

        def objective(trial):
            nonlocal n_left
            models = [clone(self.model).set_params(**self.suggest(trial)) for _ in folds]
            for epoch in range(1, EPOCHS + 1):
                n_left -= 1
                losses = []
                for model, (train, test) in zip(models, folds, strict=True):
                    try:
                        model.partial_fit(X[train], y[train], classes=classes)
                    except ValueError:  # it diverged
                        return np.nan
                    losses.append(log_loss(y[test], model.predict_proba(X[test]), labels=classes))
                trial.report(-np.mean(losses), epoch)
                if epoch < EPOCHS and trial.should_prune():
                    raise optuna.TrialPruned
            return -np.mean(losses)

        while n_left >= EPOCHS:
            study.optimize(objective, n_trials=1)


ARMS = {
    "grid": grid,
    "random x2": partial(random, 2 * BUDGET),
    "random": partial(random, BUDGET),
    "Sobol": partial(coarse_to_fine, 1),
    "zoom": partial(coarse_to_fine, 3),
    "rungs": partial(rungs, 1),
    "zoom+rungs": partial(rungs, 3),
    "halving": halving,
}
if optional("optuna"):
    ARMS["Optuna TPE"] = OptunaSearch
    ARMS["Optuna HB"] = OptunaHyperband


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
            cv = StratifiedKFold(N_FOLDS, shuffle=True, random_state=seed)
            model = BNSoftmaxClassifier(**ONE, random_state=seed)
            searches[arm] = ARMS[arm](model, seed, cv).fit(X, y)
        lines = [judge(search, X, y, X_test, y_test, seed) for search in searches.values()]
    keys = [{"set": name, "seed": seed, "arm": arm} for arm in searches]
    return [key | line for key, line in zip(keys, lines, strict=True)]


def judge(search, X, y, X_test, y_test, seed):
    """Scores of a search on the rows to judge on, and along its way."""
    results = search.cv_results_
    scores, whole = results["mean_test_score"], results.get("n_epochs", EPOCHS) == EPOCHS
    scores = np.fmax.accumulate(np.where(whole, scores, -np.inf))
    models = [search.best_estimator_]
    for i in range(1, 4):
        models.append(clone(models[0]).set_params(random_state=seed + 1000 * i).fit(X, y))
    losses = [log_loss(y_test, m.predict_proba(X_test), labels=m.classes_) for m in models]
    return {
        "log_loss": np.mean(losses),
        "accuracy": np.mean([accuracy_score(y_test, m.predict(X_test)) for m in models]),
        "cv": -scores[-1],
        **{f"cv after {share} %": -scores[len(scores) * share // 100 - 1] for share in SHARES},
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
    for other in [
        other for other in ("random", "random x2", "zoom", "zoom+rungs") if other in arms
    ]:
        print(f"\nAgainst {other}: difference, 95 % interval, better/equal/worse")
        print(
            f"{'':12s} {'test log-loss, %':^35s} {'test accuracy, points':^35s} {'CV log-loss, %'}"
        )
        for arm in arms:
            if arm != other:
                cells = [compare(results, arm, other, c) for c in ("log_loss", "accuracy", "cv")]
                print(f"{arm:12s} {' | '.join(cells)}")
    print(
        "\nAnytime: best cross-validated log-loss after a share of the candidates, % above the best"
    )
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
