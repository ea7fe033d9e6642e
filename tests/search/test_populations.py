"""Candidates and folds that train together score what each scores alone, to the last bit."""

import pickle
import warnings
from functools import partial
from tempfile import TemporaryDirectory
from time import sleep

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.sparse import csr_matrix
from scipy.stats import loguniform
from search_checks import Recorder, check_two_rounds, same_results
from sklearn.base import BaseEstimator, TransformerMixin, clone
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_digits, load_wine
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import balanced_accuracy_score, make_scorer
from sklearn.model_selection import KFold, RandomizedSearchCV, StratifiedKFold
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    OneHotEncoder,
    StandardScaler,
)

import skbn.search.evaluation as evaluation
from skbn import BNSoftmaxClassifier
from skbn.search import CoarseToFineSearchCV, hidden_layers

CANDIDATES = [
    {"learning_rate_init": 0.01},
    {"learning_rate_init": 0.1, "dropout": 0.3, "random_state": 1},
    {"alpha": 0.1, "label_smoothing": 0.1, "max_iter": 5},
    {"hidden_layer_sizes": (6, 5), "solver": "sgd", "learning_rate": "one_cycle"},
    {"hidden_layer_sizes": (), "solver": "rmsprop", "class_weight": "balanced"},
    {"batch_norm": False, "activation": "tanh", "batch_size": 30, "input_dropout": 0.1},
    {"noise": 0.1, "input_noise": 0.3},
    {"dtype": "float64", "batch_size": "auto", "shuffle": False},
    {"early_stopping": True, "n_iter_no_change": 1, "max_iter": 6},
    {"n_members": 3, "calibrate": False},
    {"n_members": 1, "hidden_layer_sizes": (6, 5)},
]
DIVERGING = {"learning_rate_init": 1e30}


def prefixed(candidates, step="net"):
    return [{f"{step}__{name}": v for name, v in params.items()} for params in candidates]


def by_candidate(search):
    """Scores, each row by the parameters of its candidate."""
    results = pd.DataFrame(search.cv_results_).filter(regex="_test_")
    results.index = [repr(sorted(params.items())) for params in search.cv_results_["params"]]
    return results.sort_index()


def search_of(model, candidates, **options):
    """A search that evaluates these candidates and no others."""
    space = [{name: [value] for name, value in params.items()} for params in candidates]
    options = {"cv": 3, "random_state": 0} | options
    return CoarseToFineSearchCV(model, space, n_candidates=len(space), n_rounds=1, **options)


def sibling_of(search):
    """The search of scikit-learn that evaluates the same candidates."""
    return RandomizedSearchCV(
        search.estimator,
        search.param_distributions,
        n_iter=search.n_candidates,
        scoring=search.scoring,
        refit=search.refit,
        cv=search.cv,
        error_score=search.error_score,
    )


@pytest.fixture
def assert_as_scikit_learn(n_alone):
    """Assert that scores equal those of scikit-learn's own search, of so many ordinary fits."""

    def check(model, candidates, X, y, *, alone=0, params=None, **options):
        search = search_of(model, candidates, **options)
        n_alone.clear()
        search.fit(X, y, **(params or {}))
        assert len(n_alone) == alone
        sibling = sibling_of(search).fit(X, y, **(params or {}))
        pd.testing.assert_frame_equal(by_candidate(search), by_candidate(sibling), check_exact=True)
        assert len(search.cv_results_["params"]) == len(candidates)
        if search.refit:
            assert search.best_score_ == sibling.best_score_
        return search

    return check


@pytest.fixture
def n_alone(monkeypatch):
    """Fits that were made the ordinary way, one for each."""
    made = []

    def count(*args, fit=evaluation.fit_and_score, **arguments):
        made.append(arguments["parameters"])
        return fit(*args, **arguments)

    monkeypatch.setattr(evaluation, "fit_and_score", count)
    return made


@pytest.fixture(scope="module")
def digits():
    X, y = load_digits(return_X_y=True)
    return X[:301] / 16, y[:301]


@pytest.fixture(scope="module")
def wine():
    """A frame with numbers, a column of text, and labels that are text."""
    X, y = load_wine(return_X_y=True, as_frame=True)
    order = np.random.default_rng(0).permutation(len(y))
    X, y = X.iloc[order], y.iloc[order]
    X = X[["alcohol", "hue", "proline"]].assign(colour=pd.cut(X["color_intensity"], 3).map(str))
    return X, y.map({0: "barolo", 1: "grignolino", 2: "barbera"})


@pytest.fixture
def mixed(quick):
    """A pipeline for numbers and text."""
    columns = make_column_transformer(
        (OneHotEncoder(), ["colour"]), remainder=StandardScaler(), verbose_feature_names_out=False
    )
    return Pipeline([("columns", columns), ("net", quick())])


@pytest.fixture
def scaled(quick):
    return Pipeline([("scaler", StandardScaler()), ("net", quick())])


SCORINGS = [
    {},
    {"scoring": "accuracy"},
    {"scoring": "neg_log_loss"},
    {"scoring": make_scorer(balanced_accuracy_score)},
    {"scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"},
    {"scoring": {"a": "accuracy", "b": "balanced_accuracy"}, "refit": "a"},
]


@pytest.mark.parametrize("options", SCORINGS, ids=str)
def test_a_network_alone_scores_what_it_does_in_scikit_learn(
    assert_as_scikit_learn, quick, digits, options
):
    assert_as_scikit_learn(quick(), CANDIDATES, *digits, **options)


@pytest.mark.parametrize("options", SCORINGS, ids=str)
def test_a_pipeline_of_text_and_numbers_does_too(assert_as_scikit_learn, mixed, wine, options):
    assert_as_scikit_learn(mixed, prefixed(CANDIDATES[1:5]), *wine, **options)


def sure_of_the_strong(model, X, y):
    """A score that looks at the steps of a pipeline, and at columns as they were given."""
    assert model.named_steps["net"] is model[-1]
    assert model.feature_names_in_.tolist() == X.columns.tolist()
    assert model[:-1].transform(X).shape[1] == model[-1].n_features_in_
    strong = (X["alcohol"] > 13).to_numpy()
    return np.average(model.predict(X) == y, weights=1.0 + strong)


def two_scores(model, X, y):
    return {"first": sure_of_the_strong(model, X, y), "second": float(len(X))}


@pytest.mark.parametrize(
    "options",
    [
        {"scoring": sure_of_the_strong},
        {"scoring": {"a": sure_of_the_strong, "b": "accuracy"}, "refit": "a"},
        {"scoring": two_scores, "refit": "first"},
    ],
)
def test_a_scorer_may_look_at_the_whole_pipeline_and_the_raw_columns(
    assert_as_scikit_learn, mixed, wine, options
):
    assert_as_scikit_learn(mixed, prefixed(CANDIDATES[:4]), *wine, **options)


def test_rows_may_be_lists_frames_or_sparse(assert_as_scikit_learn, quick, scaled, iris):
    X, y = iris
    candidates = CANDIDATES[:2]
    assert_as_scikit_learn(quick(), candidates, X.tolist(), y.tolist())
    assert_as_scikit_learn(quick(), candidates, csr_matrix(X), y == 1)
    names = pd.Series(np.array(["x", "y", "z"])[y], dtype="category")
    frame = pd.DataFrame(X, columns=list("abcd"), index=np.arange(150)[::-1])
    search = assert_as_scikit_learn(quick(), candidates, frame, names)
    assert search.feature_names_in_.tolist() == list("abcd")
    scaled.set_output(transform="pandas")
    assert_as_scikit_learn(scaled, prefixed(candidates), frame, names)


@pytest.mark.parametrize("cv", [KFold(4), StratifiedKFold(7), KFold(2, shuffle=True)])
def test_folds_may_differ_by_a_row(assert_as_scikit_learn, quick, scaled, iris, cv):
    cv = list(cv.split(*iris)) if cv.shuffle else cv
    assert len({len(train) for train, _ in KFold(4).split(*iris)}) == 2
    assert_as_scikit_learn(scaled, prefixed(CANDIDATES[:3]), *iris, cv=cv)
    assert_as_scikit_learn(quick(), CANDIDATES[:3], *iris, cv=cv)


@pytest.mark.parametrize("scoring", [None, "accuracy", "f1_macro"])
def test_a_class_may_be_missing_in_training(assert_as_scikit_learn, scaled, wine, scoring):
    X, y = wine
    y = y.where(np.arange(len(y)) != 3, "rare")
    cv = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    X = X.drop(columns="colour")
    candidates = prefixed(CANDIDATES[:5])
    assert_as_scikit_learn(scaled, candidates, X, y, cv=cv, scoring=scoring)


def test_where_it_is_missing_a_log_loss_fails_as_in_scikit_learn(quick, iris):
    X, y = iris
    y = np.where(np.arange(150) == 3, 3, y)
    cv = [(np.arange(60, 120), np.arange(60)), (np.arange(60), np.arange(60, 120))]
    search = search_of(quick(), CANDIDATES[:2], cv=cv, scoring="neg_log_loss")
    both, messages = [search, sibling_of(search)], []
    for each in both:
        with pytest.warns(UserWarning, match=r"Scoring failed|non-finite") as caught:
            each.fit(X, y)
        messages.append(sorted(str(w.message).splitlines()[0] for w in caught))
    assert messages[0] == messages[1]
    pd.testing.assert_frame_equal(*map(by_candidate, both))


@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_weights_reach_the_network(assert_as_scikit_learn, quick, scaled, iris, scoring):
    X, y = iris
    weights = np.random.default_rng(0).integers(0, 3, 150).astype(float)
    options = {"scoring": scoring, "params": {"net__sample_weight": weights}}
    weighted = assert_as_scikit_learn(scaled, prefixed(CANDIDATES), X, y, **options)
    plain = search_of(scaled, prefixed(CANDIDATES), scoring=scoring).fit(X, y)
    assert not by_candidate(weighted).equals(by_candidate(plain))
    options["params"] = {"scaler__sample_weight": weights, "net__sample_weight": weights.tolist()}
    assert_as_scikit_learn(scaled, prefixed(CANDIDATES[:3]), X, y, **options)


def test_weights_reach_a_network_alone(assert_as_scikit_learn, quick, iris):
    weights = np.random.default_rng(0).integers(0, 3, 150)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that they are not scored
        assert_as_scikit_learn(quick(), CANDIDATES[:4], *iris, params={"sample_weight": weights})


@pytest.mark.parametrize("scoring", [None, "accuracy", "neg_log_loss"])
@pytest.mark.parametrize("scored", [False, True])
@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_weights_are_routed(assert_as_scikit_learn, quick, iris, scoring, scored, in_a_pipeline):
    old = sklearn.__version__ < "1.8"
    if in_a_pipeline and scoring is None and (old or not scored):
        pytest.skip("the search of scikit-learn does not do this either")
    weights = np.random.default_rng(0).integers(1, 4, 150).astype(float)
    with sklearn.config_context(enable_metadata_routing=True):
        net = quick().set_fit_request(sample_weight=True).set_score_request(sample_weight=scored)
        candidates = CANDIDATES[:4]
        if in_a_pipeline:
            scaler = StandardScaler().set_fit_request(sample_weight=scored)
            net = Pipeline([("scaler", scaler), ("net", net)])
            candidates = prefixed(candidates)
        if scoring:
            scorer = sklearn.metrics.get_scorer(scoring)
            scoring = scorer.set_score_request(sample_weight=scored)
        params = {"sample_weight": weights}
        assert_as_scikit_learn(net, candidates, *iris, params=params, scoring=scoring)


class Counting(TransformerMixin, BaseEstimator):
    """Counts how often it is fitted; has no attribute that says that it was."""

    fits = []

    def __init__(self, factor=1.0):
        self.factor = factor

    def fit(self, X, y=None):
        Counting.fits.append(self.factor)
        return self

    def transform(self, X):
        return X * self.factor


@pytest.fixture
def counting(quick):
    Counting.fits.clear()
    return Pipeline([("counting", Counting()), ("net", quick())])


def test_transformers_are_fitted_once_a_split(counting, iris):
    space = {"net__learning_rate_init": loguniform(1e-3, 0.1), "net__alpha": [0.0, 0.1]}
    options = {"n_candidates": 8, "n_rounds": 2, "cv": 3, "random_state": 0}
    CoarseToFineSearchCV(counting, space, **options).fit(*iris)
    assert len(Counting.fits) == 3 + 1


def test_each_prefix_is_fitted_once_a_split(assert_as_scikit_learn, counting, iris):
    candidates = [
        {"counting__factor": factor, "net__alpha": alpha}
        for factor in (0.5, 1.0, 2.0)
        for alpha in (0.0, 0.1, 1.0)
    ]
    search_of(counting, candidates).fit(*iris)
    assert sorted(Counting.fits[:-1]) == [0.5] * 3 + [1.0] * 3 + [2.0] * 3
    assert_as_scikit_learn(counting, candidates, *iris)


def test_steps_may_be_replaced(assert_as_scikit_learn, scaled, iris):
    steps = [StandardScaler(), MinMaxScaler(), "passthrough", FeatureUnion([("s", MinMaxScaler())])]
    candidates = [
        {"scaler": step, "net__learning_rate_init": rate} for step in steps for rate in (0.01, 0.1)
    ]
    search = assert_as_scikit_learn(scaled, candidates, *iris)
    assert search.best_estimator_[0] not in steps[:2]
    assert not hasattr(steps[0], "mean_")


def test_the_last_step_may_be_replaced(assert_as_scikit_learn, quick, scaled, iris):
    candidates = [
        {"net": quick(alpha=0.1), "scaler": MinMaxScaler()},
        {"net": quick(hidden_layer_sizes=(4,)), "net__alpha": 0.5},
        {"net": LogisticRegression(), "net__C": 0.01},
        {"net": LogisticRegression(), "scaler": "passthrough"},
        {"net__alpha": 0.1},
    ]
    assert_as_scikit_learn(scaled, candidates, *iris, alone=2 * 3)
    regression = make_pipeline(StandardScaler(), LogisticRegression())
    candidates = [{"logisticregression": quick()}, {"logisticregression": LogisticRegression()}]
    assert_as_scikit_learn(regression, candidates, *iris, alone=2 * 3)


def test_functions_that_cannot_be_pickled_may_be_values(assert_as_scikit_learn, quick, iris):
    model = Pipeline([("function", FunctionTransformer()), ("net", quick())])
    functions = [lambda x: x, lambda x: np.tanh(x), partial(np.multiply, 2.0)]
    candidates = [
        {"function__func": function, "net__alpha": alpha}
        for function in functions
        for alpha in (0.0, 0.1)
    ]
    assert_as_scikit_learn(model, candidates, *iris)


class Named(BNSoftmaxClassifier):
    """Another class, which may train in its own way."""

    def predict(self, X):
        return super().predict(X)[::-1]


@pytest.mark.parametrize("in_a_pipeline", [False, True])
def test_subclasses_go_the_ordinary_way(assert_as_scikit_learn, quick, iris, in_a_pipeline):
    model, candidates = Named(**quick().get_params()), CANDIDATES[:2]
    if in_a_pipeline:
        model, candidates = Pipeline([("net", model)]), prefixed(candidates)
    assert_as_scikit_learn(model, candidates, *iris, alone=2 * 3)


class Other(Pipeline):
    """A pipeline that may do anything."""


def test_pipelines_of_all_kinds(assert_as_scikit_learn, quick, iris):
    candidates = prefixed(CANDIDATES[:3])
    assert_as_scikit_learn(Pipeline([("net", quick())]), candidates, *iris)
    nothing = [("a", "passthrough"), ("b", None), ("net", quick())]
    assert_as_scikit_learn(Pipeline(nothing), candidates, *iris)
    assert_as_scikit_learn(Pipeline([("c", Counting()), *nothing]), candidates, *iris)
    assert_as_scikit_learn(Other([("net", quick())]), candidates, *iris, alone=3 * 3)
    nested = Pipeline([("in", Pipeline([("net", quick())]))])
    assert_as_scikit_learn(nested, prefixed(candidates, "in"), *iris, alone=3 * 3)


def test_a_pipeline_with_a_memory_uses_it(assert_as_scikit_learn, counting, iris):
    with TemporaryDirectory() as folder:
        counting.set_params(memory=folder)
        search_of(counting, prefixed(CANDIDATES[:2])).fit(*iris)
        assert len(Counting.fits) == 4
        assert_as_scikit_learn(counting, prefixed(CANDIDATES[:2]), *iris)
        assert len(Counting.fits) == 4


def test_streams_of_random_numbers_are_not_shared(assert_as_scikit_learn, quick, iris):
    stream = np.random.RandomState(5)
    before = stream.get_state()[1].tolist()
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1)]
    search = assert_as_scikit_learn(
        quick(random_state=stream, dropout=0.1), candidates, *iris, refit=False
    )
    assert stream.get_state()[1].tolist() == before
    scores = by_candidate(search)
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1, 0.2)]
    more = search_of(quick(random_state=stream, dropout=0.1), candidates, refit=False).fit(*iris)
    columns = scores.columns[scores.columns.str.startswith("split")]
    pd.testing.assert_frame_equal(by_candidate(more)[columns].iloc[:2], scores[columns])


class Failing(Counting):
    """Fails for some values, in `fit` or in `transform`."""

    def fit(self, X, y=None):
        if self.factor < 0:
            raise ValueError("this transformer fails")
        return super().fit(X, y)


def failures(search, X, y):
    """Scores after a fit that warns, and what it warned of failed fits."""
    with pytest.warns(Warning, match=r"fits failed|non-finite") as caught:
        search.fit(X, y)
    texts = [str(w.message) for w in caught if w.category is FitFailedWarning]
    return by_candidate(search), [text.splitlines()[1] for text in texts]


@pytest.mark.parametrize("error_score", [np.nan, -1.0])
def test_a_transformer_that_fails_costs_its_candidates_their_scores(quick, iris, error_score):
    model = Pipeline([("failing", Failing()), ("net", quick())])
    candidates = [
        {"failing__factor": factor, "net__alpha": alpha}
        for factor in (-1.0, 1.0)
        for alpha in (0.0, 0.1)
    ]
    search = search_of(model, candidates, error_score=error_score)
    mine, warned = failures(search, *iris)
    its, expected = failures(sibling_of(search), *iris)
    pd.testing.assert_frame_equal(mine, its)
    assert warned == expected == ["6 fits failed out of a total of 12."]
    assert search.best_params_["failing__factor"] == 1.0
    with pytest.raises(ValueError, match="this transformer fails"):
        search.set_params(error_score="raise").fit(*iris)


@pytest.mark.parametrize("scoring", [None, "neg_log_loss", sure_of_the_strong])
def test_test_rows_that_cannot_be_transformed_cost_the_score_only(mixed, wine, scoring):
    X, y = wine
    X = X.assign(colour=np.where(np.arange(len(X)) == 3, "blue", X["colour"]))
    search = search_of(mixed, prefixed(CANDIDATES[:3]), cv=KFold(3), scoring=scoring)
    assert_fails_as_in_scikit_learn(search, X, y, "unknown categories")


def test_so_do_test_rows_with_missing_values(quick, scaled, iris):
    X, y = iris
    X = np.where(np.arange(150)[:, None] == 3, np.nan, X)
    cv = [(np.arange(50, 150), np.arange(50)), (np.arange(75, 150), np.arange(50, 75))]
    for model, candidates in ((quick(), CANDIDATES[:3]), (scaled, prefixed(CANDIDATES[:3]))):
        search = search_of(model, candidates, cv=cv, refit=False)
        assert_fails_as_in_scikit_learn(search, X, y, "contains NaN")


def assert_fails_as_in_scikit_learn(search, X, y, why):
    both, messages = [search, sibling_of(search)], []
    for each in both:
        with pytest.warns(UserWarning, match=r"Scoring failed|non-finite") as caught:
            each.fit(X, y)
        messages.append(sorted(str(w.message).splitlines()[0] for w in caught))
        assert sum(why in str(w.message) for w in caught) == 3
    assert messages[0] == messages[1]
    assert by_candidate(search)["split0_test_score"].isna().all()
    assert by_candidate(search)["split1_test_score"].notna().all()
    pd.testing.assert_frame_equal(*map(by_candidate, both))
    with pytest.raises(ValueError, match=why):
        search.set_params(error_score="raise").fit(X, y)


@pytest.mark.parametrize(
    "bad",
    [
        DIVERGING,
        {"dropout": 2.0},
        {"solver": "best"},
        {"hidden_layer_sizes": (3, -1)},
        {"dtype": "float16"},
        {"dtype": "nothing"},
        {"batch_size": 1},
        {"class_weight": {7: 1.0}},
    ],
    ids=str,
)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_one_that_fails_leaves_its_neighbours_alone(quick, scaled, iris, bad, scoring):
    neighbours = prefixed(CANDIDATES[:2])
    search = search_of(scaled, [neighbours[0], *prefixed([bad]), neighbours[1]], scoring=scoring)
    mine, warned = failures(search, *iris)
    its, expected = failures(sibling_of(search), *iris)
    pd.testing.assert_frame_equal(mine, its)
    assert mine["mean_test_score"].isna().sum() == 1
    assert warned == expected == ["3 fits failed out of a total of 9."]
    alone = by_candidate(search_of(scaled, neighbours, scoring=scoring).fit(*iris))
    columns = alone.columns.drop("rank_test_score")
    pd.testing.assert_frame_equal(alone[columns], mine.dropna()[columns])
    with pytest.raises((TypeError, ValueError)):
        search.set_params(error_score="raise").fit(*iris)


@pytest.mark.parametrize("bad", [DIVERGING, {"dropout": 2.0}])
def test_if_all_fail_it_is_said_as_usual(quick, iris, bad):
    candidates = [bad | {"alpha": alpha} for alpha in (0.0, 0.1)]
    with pytest.raises(ValueError, match=r"(?s)All the 6 fits failed.*(diverged|dropout)"):
        search_of(quick(), candidates).fit(*iris)
    with pytest.raises(ValueError, match=r"^(Training diverged|The 'dropout' param)"):
        search_of(quick(), candidates, error_score="raise").fit(*iris)


def test_several_scores_of_one_that_fails(quick, iris):
    candidates = [DIVERGING, *CANDIDATES[:2]]
    for options in (
        {"scoring": ["accuracy", "neg_log_loss"], "refit": "accuracy"},
        {"scoring": both_scores, "refit": "a"},
    ):
        search = search_of(quick(), candidates, **options)
        mine, _ = failures(search, *iris)
        its, _ = failures(sibling_of(search), *iris)
        pd.testing.assert_frame_equal(mine, its)


def both_scores(model, X, y):
    return {"a": model.score(X, y), "b": 1.0}


def test_a_scorer_that_fails_costs_the_score_only(quick, iris):
    def fails(model, X, y):
        if model.alpha:
            raise OSError("no paper")
        return 1.0

    search = search_of(quick(), CANDIDATES[1:3], scoring=fails)
    with pytest.warns(UserWarning, match="no paper|non-finite"):
        search.fit(*iris)
    with pytest.warns(UserWarning, match="no paper|non-finite"):
        sibling = sibling_of(search).fit(*iris)
    pd.testing.assert_frame_equal(by_candidate(search), by_candidate(sibling))
    with pytest.raises(OSError, match="no paper"):
        search.set_params(error_score="raise").fit(*iris)


@pytest.fixture(scope="module")
def make(quick):
    """A search of two rounds, over shapes, rates and a step before the network."""

    def search(**options):
        model = Pipeline([("scaler", StandardScaler()), ("net", quick())])
        space = {
            "net__learning_rate_init": loguniform(1e-3, 0.1),
            "net__hidden_layer_sizes": hidden_layers((1, 2), (4, 8)),
            "scaler__with_mean": [True, False],
        }
        options = {"n_candidates": 10, "n_rounds": 2, "cv": 3, "random_state": 0} | options
        return CoarseToFineSearchCV(model, space, **options)

    return search


@pytest.fixture(scope="module")
def searched(make, iris):
    return make().fit(*iris)


@pytest.mark.parametrize(
    "options",
    [{"memory_budget": 1.0}, {"memory_budget": 1e5}, {"memory_budget": 1e6}, {"n_jobs": 2}],
)
def test_neither_memory_nor_jobs_change_results(make, iris, searched, options):
    same_results(make(**options).fit(*iris), searched)


@pytest.mark.parametrize("memory_budget", [1e4, 2**28])
def test_nor_do_threads(make, iris, searched, memory_budget):
    with joblib.parallel_config("threading", n_jobs=3):
        same_results(make(memory_budget=memory_budget).fit(*iris), searched)


def test_little_memory_makes_populations_small(make, iris, monkeypatch):
    sizes = []

    def watch(parent, members, splits, rules, train=evaluation.train):
        sizes.append(len(members))
        return train(parent, members, splits, rules)

    monkeypatch.setattr(evaluation, "train", watch)
    make().fit(*iris)
    assert max(sizes) >= 6
    assert sum(sizes) == 30
    sizes.clear()
    make(memory_budget=1.0).fit(*iris)
    assert sizes == [1] * 30


@pytest.fixture
def stop_after(monkeypatch):
    """Press Ctrl-C when so many populations were trained; gives the sizes of all."""
    sizes, original = [], evaluation.train

    def stop(n):
        def train(parent, members, splits, rules, train=original):
            if len(sizes) == n:
                raise KeyboardInterrupt
            sizes.append(len(members))
            return train(parent, members, splits, rules)

        monkeypatch.setattr(evaluation, "train", train)
        return sizes

    yield stop
    monkeypatch.undo()


@pytest.mark.parametrize("memory_budget", [1.0, 2**28])
def test_after_ctrl_c_it_goes_on(make, iris, searched, tmp_path, stop_after, memory_budget):
    options = {"memory_budget": memory_budget, "journal": tmp_path / "search.sqlite"}
    sizes = stop_after(n := 20 if memory_budget == 1 else 5)
    with pytest.warns(UserWarning, match="Ctrl-C"):
        search = make(**options).fit(*iris)
    assert len(sizes) == n
    assert 1 <= len(search.cv_results_["params"]) < 10
    n_done, n_rounds = sum(sizes), 2 - search._study.n_complete_rounds()
    stop_after(np.inf)
    copy = pickle.loads(pickle.dumps(search))
    copy._journal = None
    same_results(copy.extend(*iris, n_rounds=n_rounds), searched)
    sizes.clear()
    same_results(make(**options).fit(*iris), searched)
    assert sum(sizes) == 30 - n_done


def test_ctrl_c_before_anything_is_whole_is_passed_on(make, iris, stop_after):
    stop_after(1)
    with pytest.raises(KeyboardInterrupt):
        make(memory_budget=1.0).fit(*iris)


class Wide(Counting):
    """Makes many columns of one."""

    def transform(self, X):
        return np.repeat(X, 1000, axis=1)


@pytest.mark.parametrize(
    ("transformer", "memory_budget"),
    [(Counting(), 6e4), (Wide(), 6e7)],
)
def test_transformed_rows_keep_to_the_memory(quick, iris, monkeypatch, transformer, memory_budget):
    held = []

    def watch(self, *args, prepare=evaluation.Evaluation._prepare):
        prepare(self, *args)
        held.append(sum(split.n_bytes for split in self.prepared.values()))

    monkeypatch.setattr(evaluation.Evaluation, "_prepare", watch)
    model = Pipeline([("first", transformer), ("net", quick(max_iter=1))])
    candidates = [{"first__factor": float(factor)} for factor in range(12)]
    search_of(model, candidates, memory_budget=memory_budget, refit=False).fit(*iris)
    assert sum(held) > memory_budget
    assert max(held) <= memory_budget / 4


def test_a_time_budget_fits_no_transformer_for_nothing(counting, iris):
    candidates = [{"counting__factor": factor} for factor in (1.0, 2.0, 3.0, 4.0)]
    search = search_of(counting, candidates, time_budget=1e-9).fit(*iris)
    assert len(search.cv_results_["params"]) == 1
    assert len(Counting.fits) == 3 + 1


def test_a_spent_budget_completes_a_candidate_whatever_its_folds_wait_for(quick, iris, monkeypatch):
    X, y = iris
    # Folds of different lengths, which train apart, on two threads that end in another order.
    cv = [(np.arange(n), np.arange(100, 150)) for n in (100, 90, 80, 70)]
    seconds = iter([0.6, 0.1, 0.2, 0.3])

    def train(parent, members, splits, rules, train=evaluation.train):
        sleep(next(seconds, 0.02))
        return train(parent, members, splits, rules)

    monkeypatch.setattr(evaluation, "train", train)
    kinds = ["relu", "elu", "selu", "gelu", "silu", "mish", "tanh", "logistic"]
    candidates = [{"activation": kind} for kind in kinds]
    search = search_of(quick(max_iter=1), candidates, cv=cv, time_budget=0.08)
    with joblib.parallel_config("threading", n_jobs=2):
        search.fit(X, y)
    assert len(search.cv_results_["params"]) >= 1


def test_progress_is_shown_for_each_fit(make, iris, capsys):
    make(verbose=1, scoring="accuracy").fit(*iris)
    *_, last = capsys.readouterr().err.splitlines()
    assert last.startswith("30/30 fits, best accuracy 0.")


def test_scikit_learns_callbacks_are_called(quick, iris):
    pytest.importorskip("sklearn.callback")
    recorder = Recorder()
    space = {"learning_rate_init": loguniform(1e-3, 0.1)}
    search = CoarseToFineSearchCV(quick(), space, n_candidates=5, n_rounds=2, cv=2, random_state=0)
    search.set_callbacks(recorder).fit(*iris)
    check_two_rounds(recorder)


def test_a_fitted_search_is_cloned_and_pickled(make, iris, searched):
    loaded = pickle.loads(pickle.dumps(searched))
    same_results(loaded, searched)
    np.testing.assert_array_equal(loaded.predict_proba(iris[0]), searched.predict_proba(iris[0]))
    assert not hasattr(clone(searched), "cv_results_")
    same_results(loaded.extend(*iris), make().fit(*iris).extend(*iris))


def test_times_are_shares_of_those_of_populations(searched):
    results = searched.cv_results_
    assert (results["mean_fit_time"] > 0).all()
    assert (results["mean_score_time"] > 0).all()


def test_a_callable_chooses_from_the_results_as_they_are_published(scaled, iris):
    seen = []

    def choose(results):
        seen.append(results)
        return 1

    space = [{"net__alpha": [0.0, 0.1]}, {"net__dropout": [0.2]}]
    search = CoarseToFineSearchCV(
        scaled, space, n_candidates=3, n_rounds=1, cv=2, refit=choose, random_state=0
    ).fit(*iris)
    assert search.best_index_ == 1
    assert seen[0].keys() == search.cv_results_.keys()
    for name, values in search.cv_results_.items():
        assert type(seen[0][name]) is type(values), name
