"""What configurations of skbn come to, as digests: for comparisons of two checkouts.

skbn is imported in functions: a process that compares has none, and needs none.
"""

import contextlib
import inspect
import io
import pickle
import tempfile
from functools import cache
from hashlib import blake2b
from pathlib import Path

import numpy as np
import pandas as pd
from _common import ONE
from scipy.sparse import csr_matrix
from scipy.stats import loguniform
from sklearn import datasets
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.model_selection import RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

DIVERGING = {"solver": "sgd", "batch_norm": False, "learning_rate_init": 1e30}
METHODS = ("predict", "predict_proba", "predict_log_proba", "decision_function")
LEARNED = (
    *("coefs_", "intercepts_", "bn_gamma_", "bn_beta_", "bn_mean_", "bn_var_"),
    *("loss_", "n_iter_", "temperature_", "classes_", "n_features_in_", "feature_names_in_"),
)
FOUND = (
    *("best_params_", "best_score_", "best_index_", "bounds_history_", "at_bounds_", "n_splits_"),
    *("learning_curves_", "optimum_shift_", "classes_"),
)


# Data.


@cache
def table(name):
    """Standardised features and labels, in an order that mixes the classes."""
    if name == "made":
        options = {"n_samples": 240, "n_informative": 6, "n_classes": 4, "flip_y": 0.1}
        X, y = datasets.make_classification(**options, random_state=0)
    elif name == "tiny":  # with a class of a single row
        X, y = (array[[0, 1, 2, 60, 61, 120]] for array in datasets.load_iris(return_X_y=True))
    else:
        X, y = getattr(datasets, f"load_{name}")(return_X_y=True)
    order = np.random.default_rng(0).permutation(len(y))
    return StandardScaler().fit_transform(X)[order], y[order]


def rows_as(form, X, y):
    """The same rows as users may have them."""
    if form == "csr":
        return csr_matrix(np.where(np.abs(X) < 0.5, 0.0, X)), y
    if form == "frame":
        X = pd.DataFrame(X, columns=[f"column {i}" for i in range(X.shape[1])])
        return X, pd.Series([f"class {label}" for label in y])
    return (X.tolist(), y.tolist()) if form == "lists" else (X.astype(form), y)


def weights_of(kind, n_rows):
    """Weights of rows: different ones, some zero or next to it, one for all."""
    if kind == "one":
        return 2.0
    factors = {"ramp": 1.0, "zeros": 0.0, "minute": 1e-60}
    return np.linspace(0.5, 2.0, n_rows) * np.where(np.arange(n_rows) % 3, 1.0, factors[kind])


def prepared(data, form="float64", weights=None, validation=None):
    """Rows, labels, and what else `fit` takes of them."""
    X, y = rows_as(form, *table(data))
    params = {}
    if validation:
        held_out = np.arange(X.shape[0]) % 4 == 0
        params |= {"X_val": X[held_out], "y_val": y[held_out]}
        X, y = X[~held_out], y[~held_out]
        if validation != "equal":
            params["sample_weight_val"] = weights_of(validation, held_out.sum())
    if weights:
        params["sample_weight"] = weights_of(weights, len(y))
    return X, y, params


def mixed_table():
    """Numbers, some missing, text of few and of many values, dates, booleans."""
    stream, n_rows = np.random.default_rng(0), 200
    number = stream.normal(size=n_rows)
    X = pd.DataFrame(
        {
            "number": np.where(stream.random(n_rows) < 0.1, np.nan, number),
            "integer": stream.integers(0, 50, n_rows),
            "text": stream.choice(["cook", "nurse", "pilot", None], n_rows),
            "many": [f"street {i}, house {i % 7}" for i in stream.integers(0, 80, n_rows)],
            "date": pd.date_range("2020-01-31", periods=n_rows, freq="9D").astype(str),
            "flag": stream.random(n_rows) < 0.3,
        }
    )
    return X, np.where(number + X["flag"] > 0.2, "yes", "no")


# What is compared.


def digest(value):
    """A short text that differs where the value does in type, shape or a bit."""
    hashed = blake2b(digest_size=12)
    if isinstance(value, pd.DataFrame):
        parts = [list(value.columns), *(value[name].to_numpy() for name in value)]
    elif isinstance(value, dict):
        parts = [list(value), *value.values()]
    elif isinstance(value, list | tuple):
        parts = [len(value), *value]
    elif isinstance(value, np.ndarray):
        plain = value.dtype != object and not isinstance(value, np.ma.MaskedArray)
        content = value.tobytes() if plain else repr(value.tolist()).encode()
        hashed.update(f"{value.dtype} {value.shape} ".encode() + content)
        return hashed.hexdigest()
    else:
        return f"{type(value).__name__} {value!r}"
    hashed.update(f"{type(value).__name__} {[digest(part) for part in parts]}".encode())
    return hashed.hexdigest()


def under(prefix, facts):
    return {f"{prefix} {name}": value for name, value in facts.items()}


def predictions(model, X):
    """What a model says of rows in either precision, or of a table as it is."""
    X = np.asarray(X) if isinstance(X, list) else X
    rows = {"": X} if isinstance(X, pd.DataFrame) and "text" in X else {}
    rows = rows or {dtype: X.astype(dtype) for dtype in ("float32", "float64")}
    return {
        f"{method} {dtype}".strip(): getattr(model, method)(some)
        for dtype, some in rows.items()
        for method in METHODS
        if hasattr(model, method)
    }


def of_model(model, X):
    """What a model has learned, and what it predicts; of a Pipeline its last step's."""
    last = model.steps[-1][1] if isinstance(model, Pipeline) else model
    facts = {name: getattr(last, name) for name in LEARNED if hasattr(last, name)}
    if hasattr(last, "history_"):
        history = {name: column for name, column in last.history_.items() if name != "seconds"}
        facts["history_"] = history
    return facts | predictions(model, X)


def of_search(search, X):
    """What a search has tried and found, times aside."""
    facts = {name: getattr(search, name) for name in FOUND if hasattr(search, name)}
    columns = {n: column for n, column in search.cv_results_.items() if "_time" not in n}
    facts |= under("cv_results_", columns)
    best = getattr(search, "best_estimator_", None)
    return facts if best is None else facts | of_model(best, X) | predictions(search, X)


def text_of(error):
    return "\n".join([f"{type(error).__name__}: {error}", *getattr(error, "__notes__", [])])


# The kinds of configurations. Each gives what is to be compared, by name.


def network(**parameters):
    """A small classifier with a fixed seed and its defaults: two members, calibrated."""
    from skbn import BNSoftmaxClassifier

    parameters = {"hidden_layer_sizes": (20, 12), "max_iter": 5, "random_state": 0} | parameters
    if parameters["random_state"] == "stream":
        parameters["random_state"] = np.random.RandomState(0)
    return BNSoftmaxClassifier(**parameters)


def fit(*sets, form="float64", weights=None, validation=None, **parameters):
    """A fit on each of some sets, by default on one of few rows and on one of many."""
    facts = {}
    for data in sets or ("wine", "digits"):
        X, y, params = prepared(data, form, weights, validation)
        model = network(**parameters).fit(X, y, **params)
        facts |= under(f"{data}:", of_model(model, X))
    return facts


def warm_start(data="wine", weights=None, validation=None, late=False, factor=1.0, **parameters):
    """A fit in parts, each with its learning rate times a factor, some without validation."""
    X, y, params = prepared(data, weights=weights, validation=validation)
    model, facts, skipped = network(warm_start=True, **parameters), {}, (2, 7) if late else ()
    for n_epochs in (2, 3, 7, 9):
        model.set_params(max_iter=n_epochs).fit(X, y, **({} if n_epochs in skipped else params))
        model.set_params(learning_rate_init=model.learning_rate_init * factor)
        facts |= under(f"after {n_epochs}:", of_model(model, X))
    return facts


def partial_fit(first="partial_fit", between=None, weights=None, lacking=False, **parameters):
    """Some calls, after a first one of `fit` or not, with something done between them."""
    X, y, _ = prepared("wine")
    model, facts, classes = network(**parameters), {}, np.unique(y)
    if first == "fit":
        model.fit(X, y)
    for call in range(4):
        rows = np.flatnonzero(y != call % 3) if lacking else np.arange(call, len(y), 2)
        sample_weight = weights_of(weights, len(rows)) if weights else None
        model.partial_fit(X[rows], y[rows], classes=classes, sample_weight=sample_weight)
        facts |= under(f"call {call}:", of_model(model, X))
        if between == "pickle":
            model = pickle.loads(pickle.dumps(model))
        elif between == "set_params":
            model.set_params(learning_rate_init=0.01 / (call + 1), dropout=0.1 * call, alpha=1e-3)
            model.set_params(beta_1=0.8, noise=0.05, bn_momentum=0.8, batch_size=20 + call)
        elif between == "n_members":
            model.set_params(n_members=(2, 1, 3, 2)[call])
    return facts


def population(
    members,
    data="iris",
    rows=None,
    again=0,
    form="float64",
    weights=None,
    validation=None,
    before=None,
    **more,
):
    """Networks of given parameters, on all rows, on folds, or on rows without a class."""
    from skbn import fit_population

    X, y, params = prepared(data, form, weights, validation)
    classifiers, count = [network(**member) for member in members], range(len(members))
    if rows == "folds":
        folds = [train for train, _ in StratifiedKFold(len(members)).split(X, y)]
        rows = [folds[k] for k in count]
    elif rows == "lacking":
        rows = [np.flatnonzero(y != k % len(np.unique(y))) for k in count]
    elif rows == "masks":
        rows = [np.arange(len(y)) % 3 != k % 3 for k in count]
    if before:  # fitted to other rows, which are to be forgotten
        fit_population(classifiers, *rows_as(before, *table("wine")))
    fitted = fit_population(classifiers, X, y, rows=rows, **params, **more)
    if again:
        for classifier in fitted:
            classifier.set_params(warm_start=True, max_iter=classifier.n_iter_ + again)
        fitted = fit_population(fitted, X, y, rows=rows, **params, **more)
    facts = {}
    for k, each in enumerate(fitted):
        failed = isinstance(each, Exception)
        facts |= under(f"{k}", {"error": text_of(each)} if failed else of_model(each, X))
    return facts


def space_of(kind, prefix=""):
    """What a search draws from."""
    from skbn.search import default_space, hidden_layers, log_randint, one_minus_loguniform

    if kind == "default":
        return default_space(prefix)
    rates = {"learning_rate_init": loguniform(1e-4, 1)}
    spaces = {
        "rates": rates,
        "shapes": rates | {"hidden_layer_sizes": hidden_layers((1, 2), (8, 32))},
        "batches": rates
        | {"batch_size": [8, 16, 64], "solver": ["adam", "sgd", "rmsprop"]}
        | {"dtype": ["float32", "float64"]},
        "scales": rates
        | {"beta_1": one_minus_loguniform(0.5, 0.99), "batch_size": log_randint(8, 64)}
        | {"dropout": [0.0, 0.1, 0.2], "n_members": [1, 2], "max_iter": [2, 4, 6]},
        "diverging": rates | {"batch_norm": [False], "solver": ["sgd"], "alpha": [0, 1e30]},
    }
    space = {f"{prefix}{name}": values for name, values in spaces.get(kind, rates).items()}
    if kind == "steps":
        return space | {"scaler": [StandardScaler(), MinMaxScaler(), "passthrough"]}
    if kind == "mixed":
        return [space, {"net": [LogisticRegression()], "net__C": loguniform(1e-3, 1e3)}]
    if kind == "mixed, partial_fit":
        other = SGDClassifier("log_loss", random_state=0)
        return [space, {"net": [other], "net__alpha": loguniform(1e-5, 1)}]
    return space


def search(
    space="rates",
    data="iris",
    form="float64",
    then=None,
    weights=None,
    pipeline=True,
    model=None,
    **options,
):
    """A search, of a Pipeline or a network alone, and what may be done with it after."""
    from skbn.search import CoarseToFineSearchCV

    X, y, params = prepared(data, form, weights)
    estimator = network(**({"hidden_layer_sizes": 12, **ONE} if model is None else model))
    if pipeline:
        estimator = Pipeline([("scaler", StandardScaler()), ("net", estimator)])
        params = {f"net__{name}": value for name, value in params.items()}
    space = space_of(space, "net__" if pipeline else "") if isinstance(space, str) else space
    options = {"n_candidates": 8, "n_rounds": 2, "cv": 3, "random_state": 0} | options
    if options["cv"] == "lacking":  # no row of a class in training
        options["cv"] = [(np.flatnonzero(y != label), np.arange(len(y))) for label in np.unique(y)]
    found = CoarseToFineSearchCV(estimator, space, n_jobs=1, **options)
    facts = under("fit:", of_search(found.fit(X, y, **params), X))
    if then == "extend":
        facts |= under("extend:", of_search(found.extend(X, y, n_rounds=2, **params), X))
    elif then == "retune":
        facts |= under("retune:", of_search(found.retune(X[::2] * 2, y[::2], **params), X))
    return facts


def confidence(estimator, X, y):
    """A scorer of users' own, which may look at all of an estimator."""
    return float(estimator.predict_proba(X).max(axis=1).mean())


def highest(results):
    """A choice of users' own among the candidates."""
    return int(np.argmax(results["mean_test_score"]))


def journal(**options):
    """A search that goes on where its file ends."""
    with tempfile.TemporaryDirectory() as place:
        options |= {"journal": Path(place) / "search.sqlite"}
        first = search(**options)
        return first | under("again:", search(**options, then="extend"))


def others(**options):
    """A search over an estimator that is no network, by ``partial_fit``."""
    from skbn.search import CoarseToFineSearchCV

    X, y, _ = prepared("wine")
    space = {"alpha": loguniform(1e-5, 1), "penalty": ["l1", "l2"]}
    model = SGDClassifier(random_state=0, max_iter=6, tol=None)
    options = {"n_candidates": 8, "n_rounds": 2, "random_state": 0, "n_jobs": 1} | options
    return of_search(CoarseToFineSearchCV(model, space, **options).fit(X, y), X)


def scikit_learn_search():
    X, y, _ = prepared("iris")
    options = {"n_iter": 4, "cv": 3, "random_state": 0, "n_jobs": 1}
    found = RandomizedSearchCV(network(), space_of("scales"), **options)
    return of_search(found.fit(X, y), X)


def pictures():
    """The pixels of all pictures of a search."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    from skbn.display import SearchDisplay
    from skbn.search import CoarseToFineSearchCV

    X, y, _ = prepared("iris")
    model, space = network(hidden_layer_sizes=8, **ONE), space_of("shapes")
    options = {"n_candidates": 18, "cv": 2, "resource": "epochs", "random_state": 0, "n_jobs": 1}
    found, facts = CoarseToFineSearchCV(model, space, **options).fit(X, y), {}
    for kind in ("scores", "narrowing", "parallel", "importance", "learning_curves"):
        figure = SearchDisplay.from_search(found, kind=kind).figure_
        figure.canvas.draw()
        facts[kind] = np.asarray(figure.canvas.buffer_rgba())
        pyplot.close(figure)
    return facts


def command():
    """What ``python -m skbn`` prints of a table of numbers, but for the time."""
    from skbn.__main__ import main

    with tempfile.TemporaryDirectory() as place, contextlib.redirect_stdout(io.StringIO()) as out:
        path = Path(place) / "wine.csv"
        datasets.load_wine(as_frame=True).frame.to_csv(path, index=False)
        options = ["--target", "target", "--candidates", "6", "--folds", "2"]
        with contextlib.redirect_stderr(io.StringIO()):
            status = main([str(path), *options])
    return {"status": status, "printed": out.getvalue().split("Time to the tuned model")[0]}


def encoder(data="breast_cancer", dtype="float64", **parameters):
    from skbn.preprocessing import PiecewiseLinearEncoder

    X, y, _ = prepared(data, dtype)
    model = PiecewiseLinearEncoder(**parameters).fit(X[::2], y[::2])
    names = {"names": model.get_feature_names_out(), "n_bins_": model.n_bins_}
    return names | {"bin_edges_": model.bin_edges_, "codes": model.transform(X)}


def tabular(**parameters):
    from skbn import tabular_pipeline

    X, y = mixed_table()
    model = tabular_pipeline(network(**parameters)).fit(X[::2], y[::2])
    return of_model(model, X) | {"columns": model[:-1].transform(X)}


def errors():
    """What is said of that which cannot be done."""
    X, y, _ = prepared("wine")
    fitted = network(warm_start=True).fit(X, y)
    broken = np.where(X.max() == X, np.nan, X)
    attempts = {
        "missing": lambda: network().fit(broken, y),
        "not fitted": lambda: network().predict(X),
        "infinite": lambda: fitted.predict(X / 0),
        "text": lambda: network().fit([["a"], ["b"]], [0, 1]),
        "one class": lambda: network().fit(X, np.zeros(len(y))),
        "class_weight": lambda: network(class_weight={7: 1}).fit(X, y),
        "balanced": lambda: network(class_weight="balanced").partial_fit(X, y, [0, 1, 2]),
        "no classes": lambda: network().partial_fit(X, y),
        "other classes": lambda: fitted.partial_fit(X, y, [0, 1]),
        "unknown": lambda: fitted.partial_fit(X, y + 1),
        "X_val alone": lambda: network().fit(X, y, X_val=X),
        "columns": lambda: fitted.predict(X[:, 1:]),
        "weights": lambda: network().fit(X, y, sample_weight=-np.ones(len(y))),
        "no weight": lambda: network().fit(X, y, sample_weight=np.zeros(len(y))),
        "batch_size": lambda: network(batch_size=1).fit(X, y),
        "parameter": lambda: network(dropout=1.0).fit(X, y),
        "units": lambda: network(hidden_layer_sizes=(8, 0)).fit(X, y),
        "divergence": lambda: network(**DIVERGING).fit(X, y),
        "in a population": lambda: population([{}, DIVERGING]),
        "rows": lambda: population([{}, {}], rows=[[0, 1, 2]]),
        "rounds": lambda: search(n_candidates=2, n_rounds=3),
        "min_epochs": lambda: search(resource="epochs", min_epochs=9),
        "name": lambda: search({"net__depth": [1, 2]}),
        "fewer epochs": lambda: fitted.set_params(max_iter=2).fit(X, y),
        "another shape": lambda: fitted.set_params(hidden_layer_sizes=(5,)).fit(X, y),
    }
    return {name: _said_by(attempt) for name, attempt in attempts.items()}


def _said_by(attempt):
    try:
        attempt()
    except Exception as error:
        return text_of(error)
    return "nothing"


def interface():
    """Public names, parameters and their defaults."""
    import skbn
    import skbn.display
    import skbn.preprocessing
    import skbn.search

    facts = {"skbn": sorted(skbn.__all__), "skbn.search": sorted(skbn.search.__all__)}
    shown = [skbn.BNSoftmaxClassifier, skbn.search.CoarseToFineSearchCV, skbn.fit_population]
    shown += [skbn.tabular_pipeline, skbn.preprocessing.PiecewiseLinearEncoder]
    shown += [skbn.display.SearchDisplay]
    for one in shown:
        methods = [getattr(one, name) for name in dir(one) if name[0] != "_"]
        for each in filter(callable, [one, *methods]):
            listed = inspect.signature(each).parameters.values()
            name = f"{one.__name__} {each.__name__}"
            facts[name] = [(p.name, str(p.kind), repr(p.default)) for p in listed]
    return facts
