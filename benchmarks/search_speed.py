"""How much sooner a search comes to its end when candidates train as populations.

    python benchmarks/search_speed.py [--data FOLDER] [--only small digits mlp memory]

Wall time with two processes, which are started before. Arms alternate, and medians of the
ratios over the rounds are quoted:

- small: iris and wine, 60 candidates x 5 folds, networks of 16 to 64 units, against
  scikit-learn's RandomizedSearchCV(BNSoftmaxClassifier) over the same candidates;
- digits: 64 candidates x 5 folds, networks of 32 to 256 units, the same, with every
  candidate trained to the end and with resource="epochs"; accuracy on a quarter held out,
  a seed a round;
- mlp: RandomizedSearchCV(MLPClassifier) over the equivalent space on digits, satimage and
  letter, against searches here of half as many candidates to twice as many; accuracy on
  a quarter held out, a seed a round (letter takes three minutes a round);
- memory: 200 candidates x 5 folds on letter, the most that all processes have together.
"""

import argparse
import os
import threading
import time
import warnings
from pathlib import Path

import joblib
import numpy as np
from _common import ONE, machine, shipped, table
from scipy.stats import loguniform
from sklearn.model_selection import RandomizedSearchCV, train_test_split
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, hidden_layers

N_JOBS = 2
SMALL = {
    "learning_rate_init": loguniform(1e-4, 1),
    "hidden_layer_sizes": hidden_layers(1, [16, 32, 64]),
    "batch_size": [16, 32, 64],
}
DIGITS = {
    "learning_rate_init": loguniform(1e-4, 1),
    "hidden_layer_sizes": hidden_layers(1, [32, 64, 128, 256]),
    "batch_size": [32, 64, 128, 256],
}
TWO_LAYERS = DIGITS | {"hidden_layer_sizes": hidden_layers((1, 2), [32, 64, 128, 256])}
WITH_ALPHA = TWO_LAYERS | {"alpha": loguniform(1e-6, 1e-1)}


def model_and_space(classifier, space):
    """A Pipeline, and the space under the names of its last step."""
    model = make_pipeline(StandardScaler(), classifier)
    name = model.steps[-1][0]
    return model, {f"{name}__{key}": value for key, value in space.items()}


def timed(search, X, y):
    """Wall time of a fit."""
    started = time.perf_counter()
    search.fit(X, y)
    return time.perf_counter() - started


def populations(space, n_candidates, seed, n_rounds=1, **options):
    model, space = model_and_space(BNSoftmaxClassifier(**ONE, random_state=seed), space)
    return CoarseToFineSearchCV(
        model,
        space,
        n_candidates=n_candidates,
        n_rounds=n_rounds,
        cv=5,
        n_jobs=N_JOBS,
        random_state=seed,
        **options,
    )


def one_by_one(search):
    """Scikit-learn's search over the candidates of another."""
    lists = [{name: [v] for name, v in p.items()} for p in search.cv_results_["params"]]
    return RandomizedSearchCV(search.estimator, lists, n_iter=len(lists), cv=5, n_jobs=N_JOBS)


def small(arguments):
    for name in ("iris", "wine"):
        X, y = shipped()[name]
        for batches in ("batch sizes 16 to 64", "the default batch size"):
            space = {k: v for k, v in SMALL.items() if k != "batch_size" or "16" in batches}
            ratios = []
            for seed in range(arguments.rounds):
                search = populations(space, 60, seed)
                together = timed(search, X, y)
                zoomed = timed(populations(space, 60, seed, n_rounds=3), X, y)
                alone = timed(one_by_one(search), X, y)
                ratios.append((alone, together, alone / together, alone / zoomed))
            alone, together, ratio, zoomed = np.median(ratios, axis=0)
            print(
                f"{name}, {batches}: {alone:.2f} s one by one, {together:.2f} s as populations: "
                f"{ratio:.1f} times faster; {zoomed:.1f} times with two rounds of zooming",
                flush=True,
            )


def digits(arguments):
    X, y = shipped()["digits"]
    arms = {
        "to the end": {},
        "epochs": {"resource": "epochs"},
        "epochs from 1, eta 4": {"resource": "epochs", "min_epochs": 1, "eta": 4},
    }
    for layers, space in (("a layer", DIGITS), ("one or two layers", TWO_LAYERS)):
        lines = []
        for seed in range(arguments.rounds):
            parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
            X_train, X_test, y_train, y_test = parts
            searches = [populations(space, 64, seed, **options) for options in arms.values()]
            seconds = [timed(search, X_train, y_train) for search in searches]
            searches.append(one_by_one(searches[0]))
            seconds.append(timed(searches[-1], X_train, y_train))
            lines.append((seconds, [search.score(X_test, y_test) for search in searches]))
        seconds, scores = np.swapaxes(lines, 0, 1)
        for i, arm in enumerate([*arms, "one by one"]):
            print(
                f"digits, {layers}, {arm}: {np.median(seconds[:, i]):.2f} s, "
                f"{np.median(seconds[:, -1] / seconds[:, i]):.2f} times faster, accuracy held out "
                f"{scores[:, i].mean():.2%}",
                flush=True,
            )


def mlp(arguments):
    for name in arguments.sets:
        X, y = shipped()[name] if name == "digits" else table(arguments.data, name)
        n_candidates = [max(3, int(t * arguments.candidates)) for t in (0.5, 1, 2)]
        lines = []
        for seed in range(arguments.rounds):
            parts = train_test_split(X, y, test_size=0.25, stratify=y, random_state=seed)
            lines.append([mlp_search(arguments.candidates, seed, *parts)])
            lines[-1] += [search_and_fit(n, seed, *parts) for n in n_candidates]
        seconds, scores = np.moveaxis(np.array(lines), 2, 0)
        arms = [f"MLPClassifier, {arguments.candidates} candidates"]
        arms += [f"{n} candidates here" for n in n_candidates]
        for i, arm in enumerate(arms):
            print(
                f"{name}, {arm}: {np.median(seconds[:, i]):.2f} s, held out "
                f"{scores[:, i].mean():.2%} right, "
                f"{np.median(seconds[:, 0] / seconds[:, i]):.1f} times sooner",
                flush=True,
            )


def mlp_search(n_candidates, seed, X, X_test, y, y_test):
    """Seconds of a search over MLPClassifier, and its accuracy on rows held out."""
    model, space = model_and_space(MLPClassifier(random_state=seed), WITH_ALPHA)
    options = {"cv": 5, "n_jobs": N_JOBS, "random_state": seed}
    search = RandomizedSearchCV(model, space, n_iter=n_candidates, **options)
    return timed(search, X, y), search.score(X_test, y_test)


def search_and_fit(n_candidates, seed, X, X_test, y, y_test):
    """The same here: what was found for one network is given to the default's two."""
    options = {"resource": "epochs", "min_epochs": 2, "eta": 4}
    search = populations(WITH_ALPHA, n_candidates, seed, 3, **options)
    seconds = timed(search, X, y)
    tuned, _ = model_and_space(BNSoftmaxClassifier(random_state=seed), {})
    tuned.set_params(**search.best_params_)
    return seconds + timed(tuned, X, y), tuned.score(X_test, y_test)


def memory_of_all():
    """Bytes of this process and its children, what they share counted once."""
    total, mine = 0, {str(os.getpid()): None}
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            parents[folder.name] = (folder / "stat").read_text().rsplit(") ", 1)[1].split()[1]
        except OSError:
            continue
    grown = True
    while grown:
        more = {pid: None for pid, parent in parents.items() if parent in mine and pid not in mine}
        mine |= more
        grown = bool(more)
    for pid in mine:
        try:
            lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
        except OSError:
            continue
        total += sum(1024 * int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return total


def watch(seen, over):
    while not over.wait(0.1):
        seen.append(memory_of_all())


def memory(arguments):
    X, y = table(arguments.data, "letter")
    for resource in ("epochs", None)[: 1 + arguments.to_the_end]:
        seen, over = [], threading.Event()
        watcher = threading.Thread(target=watch, args=(seen, over))
        watcher.start()
        options = {"resource": resource, "min_epochs": 1 if resource else None}
        seconds = timed(populations(TWO_LAYERS, arguments.many, 0, 3, **options), X, y)
        over.set()
        watcher.join()
        megabytes = max(seen) / 1e6
        print(
            f"letter, resource={resource}: {megabytes:.0f} MB at most, {seconds:.0f} s", flush=True
        )


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data", help="folder of the tables; fetched from OpenML without")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument(
        "--candidates", type=int, default=12, help="of the search over MLPClassifier"
    )
    parser.add_argument("--sets", nargs="+", default=["digits", "satimage", "letter"])
    parser.add_argument("--many", type=int, default=200, help="candidates to see the memory of")
    parser.add_argument("--to-the-end", action="store_true", help="its memory too, for an hour")
    parts = {"small": small, "digits": digits, "mlp": mlp, "memory": memory}
    parser.add_argument("--only", nargs="+", default=list(parts), choices=list(parts))
    arguments = parser.parse_args()
    print(machine())
    # Processes that are there already, and have imported everything.
    populations(SMALL, 8, 0).fit(*shipped()["iris"])
    joblib.Parallel(N_JOBS)(joblib.delayed(abs)(i) for i in range(8))
    for part in arguments.only:
        parts[part](arguments)


if __name__ == "__main__":
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        main()
