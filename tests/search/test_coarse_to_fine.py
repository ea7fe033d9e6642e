"""The search: what it publishes, how it narrows, and what it refuses."""

import warnings

import joblib
import numpy as np
import pandas as pd
import pytest
import sklearn
from hill import SPACE, Hill, X, Y, make
from scipy.stats import loguniform, uniform
from search_checks import Recorder, check_two_rounds, same_results
from sklearn.base import is_classifier
from sklearn.datasets import make_regression
from sklearn.exceptions import FitFailedWarning
from sklearn.linear_model import Ridge
from sklearn.metrics import make_scorer
from sklearn.mixture import GaussianMixture
from sklearn.model_selection import (
    GroupKFold,
    RandomizedSearchCV,
    ShuffleSplit,
    StratifiedKFold,
    cross_val_score,
)
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.tree import DecisionTreeClassifier

from skbn.search import CoarseToFineSearchCV, default_space, hidden_layers, log_randint
from skbn.search.study import Trial

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def searched():
    return make().fit(X, Y)


def test_later_rounds_are_nearer_to_the_best(searched):
    results = pd.DataFrame(searched.cv_results_)
    local = results[results["draw"] == "local"]
    means = local.groupby("round")["mean_test_score"].mean()
    assert results.loc[results["round"] == 0, "mean_test_score"].mean() < means[1] < means[2]
    assert searched.best_score_ > 0.7
    assert results["round"].tolist() == [0] * 12 + [1] * 6 + [2] * 6
    assert set(results.loc[results["round"] == 0, "draw"]) == {"global"}
    assert set(results.loc[results["round"] == 1, "draw"]) == {"global", "local"}


def test_bounds_narrow_around_the_best_but_never_to_nothing():
    search = make(n_candidates=60, n_rounds=8).fit(X, Y)
    history = pd.DataFrame(search.bounds_history_)
    assert list(history) == ["a", "b"]
    assert history["a"][0] == pytest.approx((1e-5, 1))
    assert history["b"][0] == (0, 5)
    widths = [np.log10(high / low) for low, high in history["a"]]
    assert widths[-1] < widths[0] / 2
    assert widths[-1] >= 5 * 0.2 * 0.99
    for (low, high), number in zip(history["a"], range(8), strict=True):
        local = (search.cv_results_["round"] == number) & (search.cv_results_["draw"] == "local")
        inside = [low <= a <= high for a in search.cv_results_["param_a"][local]]
        assert all(inside) if inside else number == 0
    low, high = history["a"][7]
    assert low < 0.01 < high


def test_the_siblings_attributes_are_there(searched):
    sibling = RandomizedSearchCV(Hill(), SPACE, n_iter=24, cv=2, random_state=0).fit(X, Y)
    assert set(searched.cv_results_) - set(sibling.cv_results_) == {"round", "draw"}
    assert not set(sibling.cv_results_) - set(searched.cv_results_)
    for name, values in sibling.cv_results_.items():
        assert type(searched.cv_results_[name]) is type(values)
        assert np.asarray(searched.cv_results_[name]).dtype == np.asarray(values).dtype
    public = {name for name in vars(sibling) if name.endswith("_") and name[0] != "_"}
    assert public <= set(vars(searched))
    best = searched.best_index_
    assert searched.cv_results_["rank_test_score"][best] == 1
    assert searched.best_params_ == searched.cv_results_["params"][best]
    assert searched.best_estimator_.get_params()["a"] == searched.best_params_["a"]
    assert searched.score(X, Y) == searched.best_estimator_.score(X, Y)
    assert is_classifier(searched)
    assert searched.classes_.tolist() == [0, 1]
    np.testing.assert_array_equal(searched.predict(X), np.zeros(12))


def test_the_scores_are_those_of_cross_validation(iris, quick):
    space = {"learning_rate_init": loguniform(1e-3, 0.1), "dropout": uniform(0, 0.5)}
    cv = StratifiedKFold(3, shuffle=True, random_state=1)
    search = CoarseToFineSearchCV(quick(), space, n_candidates=5, cv=cv, random_state=0)
    results = search.fit(*iris).cv_results_
    for i, params in enumerate(results["params"]):
        alone = cross_val_score(quick(**params), *iris, cv=cv)
        assert [results[f"split{k}_test_score"][i] for k in range(3)] == alone.tolist()


def test_a_pipeline_of_a_frame_and_the_default_space(quick):
    frame = pd.DataFrame(np.random.default_rng(0).normal(size=(60, 3)), columns=["u", "v", "w"])
    labels = np.where(frame["v"] > 0, "yes", "no")
    model = make_pipeline(StandardScaler(), quick())
    search = CoarseToFineSearchCV(model, default_space(model), n_candidates=6, cv=2, random_state=0)
    search.fit(frame, labels)
    assert search.feature_names_in_.tolist() == ["u", "v", "w"]
    assert set(search.predict(frame)) <= {"yes", "no"}
    assert search.predict_proba(frame).shape == (60, 2)
    assert search.decision_function(frame).shape == (60,)
    assert "bnsoftmaxclassifier__hidden_layer_sizes: units" in search.bounds_history_[0]


def test_any_estimator_such_as_a_regressor():
    X, y = make_regression(60, 40, noise=50, random_state=0)
    search = CoarseToFineSearchCV(
        Ridge(), {"alpha": loguniform(1e-4, 1e4)}, n_candidates=12, cv=3, random_state=0
    )
    search.fit(X, y)
    grid = [cross_val_score(Ridge(alpha), X, y, cv=3).mean() for alpha in np.geomspace(1e-4, 1e4)]
    assert search.best_score_ > max(grid) - 0.02
    assert not is_classifier(search)


def test_draws_depend_on_the_seed_only_and_not_on_the_jobs(searched):
    same_results(make(n_jobs=2).fit(X, Y), searched)
    with joblib.parallel_config("threading", n_jobs=3):
        same_results(make().fit(X, Y), searched)
    other = make(random_state=1).fit(X, Y)
    assert other.cv_results_["params"] != searched.cv_results_["params"]


@pytest.mark.filterwarnings("ignore:the best")  # may lie at an end, by chance
def test_without_a_seed_no_two_searches_are_alike():
    first, second = make(random_state=None).fit(X, Y), make(random_state=None).fit(X, Y)
    assert first.cv_results_["params"] != second.cv_results_["params"]
    stream = np.random.RandomState(3)
    third = make(random_state=stream).fit(X, Y)
    same_results(make(random_state=np.random.RandomState(3)).fit(X, Y), third)
    assert make(random_state=stream).fit(X, Y).best_params_ != third.best_params_


def test_the_order_in_which_fits_end_does_not_show():
    trials = [Trial(0, "global", np.zeros(1)) for _ in range(2)]
    for split in (0, 1, 2):
        trials[0].add(0, split, {"test_scores": (0.1, 0.2, 0.3)[split]})
        trials[1].add(0, 2 - split, {"test_scores": (0.3, 0.2, 0.1)[split]})
    assert trials[0].score(None, 0) == trials[1].score(None, 0)


def test_one_round_is_a_scrambled_sobol_sequence():
    space = {"a": loguniform(1e-5, 1), "b": uniform(0, 5)}
    search = make(space, n_candidates=64, n_rounds=1).fit(X, Y)
    unit = np.array([[np.log10(p["a"]) / 5 + 1, p["b"] / 5] for p in search.cv_results_["params"]])
    # A net: each of 8 x 8 boxes holds one point exactly.
    boxes = {tuple(box) for box in np.floor(unit * 8).astype(int)}
    assert len(boxes) == 64


def test_several_scores_and_the_name_of_the_one_that_leads():
    scoring = {"a": make_scorer(accuracy_of_class_1), "score": Hill.score}
    search = make(scoring=scoring, refit="score").fit(X, Y)
    assert search.multimetric_
    assert search.best_score_ == search.cv_results_["mean_test_score"].max()
    assert set(search.scorer_) == {"a", "score"}
    same = make().fit(X, Y)
    assert search.cv_results_["params"] == same.cv_results_["params"]
    with pytest.raises(ValueError, match="refit must be set to a scorer key"):
        make(scoring=scoring).fit(X, Y)


def accuracy_of_class_1(y, predicted):
    return float(np.mean(predicted[y == 1] == 1))


def two_scores(estimator, X, y):
    return {"first": estimator.score(X, y), "second": 0.0}


def test_a_callable_that_gives_several_scores():
    search = make(scoring=two_scores, refit="first").fit(X, Y)
    assert search.cv_results_["params"] == make().fit(X, Y).cv_results_["params"]
    unfitted = make(scoring=two_scores, refit=False).fit(X, Y)
    assert not hasattr(unfitted, "best_params_")
    assert not hasattr(unfitted, "predict")
    assert unfitted.cv_results_["params"] == search.cv_results_["params"]


def test_refit_may_be_a_callable_or_false():
    def worst(results):
        return int(results["mean_test_score"].argmin())

    search = make(refit=worst).fit(X, Y)
    assert search.best_index_ == search.cv_results_["mean_test_score"].argmin()
    assert search.best_estimator_.a == search.best_params_["a"]
    assert not hasattr(search, "best_score_")
    without = make(refit=False).fit(X, Y)
    assert without.best_score_ == without.cv_results_["mean_test_score"].max()
    assert not hasattr(without, "best_estimator_")


def test_failed_candidates_get_the_error_score_and_are_not_zoomed_to():
    space = SPACE | {"fails": [False, False, False, True, False]}
    with pytest.warns((FitFailedWarning, UserWarning)) as caught:
        search = make(space, n_candidates=40).fit(X, Y)
    failed = np.array([params["fails"] for params in search.cv_results_["params"]])
    assert 0 < failed.sum() < 20
    np.testing.assert_array_equal(np.isnan(search.cv_results_["mean_test_score"]), failed)
    assert search.best_score_ > 0.5
    assert sum("fits failed" in str(w.message) for w in caught) == 1


def test_if_all_fail_it_stops_after_the_first_round():
    with pytest.raises(ValueError, match="All the 24 fits failed"):
        make({"a": loguniform(1e-3, 1), "fails": [True]}).fit(X, Y)
    with pytest.raises(ValueError, match="this candidate fails"):
        make({"a": loguniform(1e-3, 1), "fails": [True]}, error_score="raise").fit(X, Y)


def test_a_list_of_dicts_is_searched_as_several_spaces():
    space = [
        {"a": loguniform(1e-5, 1e-3), "kind": ["low"]},
        {"b": [3], "a": loguniform(1e-3, 1), "kind": ["high", "low", "middle"]},
    ]
    search = make(space, n_candidates=40).fit(X, Y)
    params = search.cv_results_["params"]
    assert {tuple(p) for p in params} == {("a", "kind"), ("b", "a", "kind")}
    assert all(p["a"] <= 1e-3 for p in params if "b" not in p)
    assert search.best_params_["kind"] == "high"
    later = [p for p, r in zip(params, search.cv_results_["round"], strict=True) if r == 2]
    assert np.mean(["b" in p for p in later]) > 0.7


def test_estimators_may_be_values():
    pipeline = make_pipeline(StandardScaler(), GaussianNB())
    space = {
        "standardscaler": [StandardScaler(), MinMaxScaler(), "passthrough"],
        "gaussiannb__var_smoothing": loguniform(1e-9, 1),
    }
    search = CoarseToFineSearchCV(pipeline, space, n_candidates=8, cv=2, random_state=0)
    assert search.fit(X, Y).best_estimator_[0] is not space["standardscaler"][0]
    assert len(search.cv_results_["params"]) == 8


def test_a_candidate_is_drawn_once_and_a_small_space_runs_out():
    with pytest.warns(UserWarning, match="instead of"):
        search = make({"b": [0, 1, 2, 3], "kind": ["low", "high"]}).fit(X, Y)
    params = [tuple(p.values()) for p in search.cv_results_["params"]]
    assert len(params) == len(set(params)) == 8
    assert search.best_params_ == {"b": 3, "kind": "high"}


def test_a_space_of_as_many_values_is_tried_as_a_whole():
    search = make({"b": [0, 1, 2, 3, 4, 5], "kind": ["low", "middle", "high"]}, n_candidates=18)
    params = [tuple(p.values()) for p in search.fit(X, Y).cv_results_["params"]]
    assert len(set(params)) == 18


def test_a_space_of_one_candidate():
    with pytest.warns(UserWarning, match="instead of"):
        search = make({"a": [0.1]}, n_candidates=3, n_rounds=2).fit(X, Y)
    assert search.cv_results_["params"] == [{"a": 0.1}]


def test_groups_and_sample_weights_go_where_they_belong():
    groups = np.repeat([0, 1, 2], 4)
    search = make(cv=GroupKFold(3)).fit(X, Y, groups=groups)
    assert search.n_splits_ == 3
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the scorer takes no weights
        weighted = make().fit(X, Y, sample_weight=np.full(12, 0.5))
    assert weighted.best_estimator_.weight_ == 6


def test_metadata_are_routed():
    with sklearn.config_context(enable_metadata_routing=True):
        hill = Hill().set_fit_request(sample_weight=True)
        search = CoarseToFineSearchCV(hill, SPACE, n_candidates=4, cv=GroupKFold(3), n_rounds=1)
        search.fit(X, Y, sample_weight=np.full(12, 0.5), groups=np.repeat([0, 1, 2], 4))
        assert search.best_estimator_.weight_ == 6
        assert search.n_splits_ == 3
        routing = search.get_metadata_routing()
        assert routing.consumes("fit", ["groups", "sample_weight"]) == {"groups", "sample_weight"}


def test_the_best_at_a_bound_is_reported():
    with pytest.warns(UserWarning, match=r"the best a, 0\.\d+, lies at an end of its scale"):
        search = make({"a": loguniform(0.1, 1), "b": uniform(0, 5)}).fit(X, Y)
    assert set(search.at_bounds_) == {"a"}
    assert search.at_bounds_["a"] == search.best_params_["a"] < 0.11
    assert make().fit(X, Y).at_bounds_ == {}


def test_scikit_learns_callbacks_are_called():
    callback = pytest.importorskip("sklearn.callback")
    recorder = Recorder()
    assert isinstance(recorder, callback.FitCallback)
    make(n_candidates=5, n_rounds=2).set_callbacks(recorder).fit(X, Y)
    check_two_rounds(recorder)


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"param_distributions": {"c": [1, 2]}}, ValueError, "'c' is no parameter of Hill"),
        ({"param_distributions": {"secnods": [1]}}, ValueError, "did you mean 'seconds'"),
        ({"param_distributions": {"a": 3}}, ValueError, r"param_distributions\['a'\]: 3 is no"),
        ({"param_distributions": {"a": loguniform(1, 0.1)}}, ValueError, "wrong way round"),
        ({"param_distributions": {"a": loguniform(-1, 1)}}, ValueError, "below zero"),
        ({"param_distributions": {"a": []}}, ValueError, "must not be empty"),
        ({"param_distributions": {}}, ValueError, "must be a dict of distributions"),
        ({"param_distributions": []}, ValueError, "must be a dict of distributions"),
        ({"param_distributions": [3]}, ValueError, "must be a dict of distributions"),
        ({"n_candidates": 2}, ValueError, "n_candidates=2 is too few for n_rounds=3"),
        ({"n_candidates": 0}, ValueError, "n_candidates"),
        ({"n_rounds": 0}, ValueError, "n_rounds"),
        ({"time_budget": 0}, ValueError, "time_budget"),
        ({"cv": 20}, ValueError, "n_splits=20"),
        ({"scoring": "acuracy"}, ValueError, "acuracy"),
    ],
)
def test_bad_input_is_refused_before_any_fit(change, error, message):
    search = make(error_score="raise").set_params(estimator=Hill(fails=True), **change)
    with pytest.raises(error, match=message) as raised:
        search.fit(X, Y)
    assert "this candidate fails" not in str(raised.value)
    assert not hasattr(search, "cv_results_")


def test_the_name_without_the_pipelines_prefix_is_pointed_out(quick):
    model = make_pipeline(StandardScaler(), quick())
    search = CoarseToFineSearchCV(model, {"dropout": uniform(0, 0.5)})
    with pytest.raises(ValueError, match="did you mean 'bnsoftmaxclassifier__dropout'"):
        search.fit(X, Y)


def test_a_search_within_cross_validation(iris):
    tree = DecisionTreeClassifier(random_state=0)
    space = {"max_depth": log_randint(1, 8), "min_samples_leaf": log_randint(1, 20)}
    search = CoarseToFineSearchCV(tree, space, n_candidates=9, cv=2, random_state=0)
    scores = cross_val_score(search, *iris, cv=ShuffleSplit(2, random_state=0))
    assert (scores > 0.85).all()


def test_hidden_layers_are_tuples_in_the_results(quick, iris):
    space = {"hidden_layer_sizes": hidden_layers((1, 3), (4, 16), shape=("constant", "funnel"))}
    search = CoarseToFineSearchCV(quick(max_iter=1), space, n_candidates=8, cv=2, random_state=0)
    sizes = search.fit(*iris).cv_results_["param_hidden_layer_sizes"]
    assert all(isinstance(size, tuple) for size in sizes)
    assert len({len(size) for size in sizes}) > 1


def test_a_search_without_labels():
    mixture = GaussianMixture(random_state=0)
    X = np.random.default_rng(0).normal(size=(90, 1)) + np.repeat([0, 10, 20], 30)[:, None]
    cv = ShuffleSplit(3, test_size=0.3, random_state=0)
    search = CoarseToFineSearchCV(
        mixture, {"n_components": [1, 2, 3, 4, 5]}, n_candidates=5, n_rounds=1, cv=cv
    )
    assert search.fit(X).best_params_ == {"n_components": 3}
    assert search.predict(X).shape == (90,)
