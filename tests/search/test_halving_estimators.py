"""Successive halving of pipelines, and of estimators that train by `partial_fit`."""

import numpy as np
import pandas as pd
import pytest
from halving_checks import CURVES, listed, sizes_of_rungs, splits_of
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.datasets import make_regression
from sklearn.linear_model import LogisticRegression, SGDClassifier, SGDRegressor
from sklearn.metrics import log_loss
from sklearn.model_selection import KFold, RandomizedSearchCV
from sklearn.naive_bayes import GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

from skbn import BNSoftmaxClassifier

pytestmark = pytest.mark.slow


@pytest.fixture
def pipeline(quick):
    net = quick(max_iter=9, calibrate=False)
    return Pipeline([("scaler", StandardScaler()), ("net", net)])


@pytest.mark.slow
def test_transformers_and_last_steps_may_differ(pipeline, quick, iris):
    candidates = [
        {"scaler": MinMaxScaler(), "net__alpha": 0.1},
        {"scaler": "passthrough"},
        {"net": SGDClassifier(loss="log_loss", random_state=0, max_iter=9)},
        {"net": quick(max_iter=9, alpha=0.2, calibrate=False), "net__dropout": 0.1},
    ]
    X, y = iris
    search = listed(pipeline, candidates, min_epochs=3, eta=2, refit=False).fit(X, y)
    assert sorted(search.cv_results_["n_epochs"]) == [3, 3, 6, 9]
    assert_scores_of_partial_fit(search, X, y)


def assert_scores_of_partial_fit(search, X, y):
    """The scores on rungs are those of a last step trained so far by `partial_fit`."""
    scored = search.learning_curves_.dropna(subset="score")
    for candidate, params in enumerate(search.cv_results_["params"]):
        for split, (train, test) in enumerate(splits_of(search, X, y)):
            model, n_done = clone(search.estimator).set_params(**clone(params, safe=False)), 0
            before, last = model[:-1].fit(X[train]), model[-1]
            rows = before.transform(X[test])
            own = scored[(scored["candidate"] == candidate) & (scored["split"] == split)]
            for epoch, score in zip(own["epoch"], own["score"], strict=True):
                while n_done < epoch:
                    last.partial_fit(before.transform(X[train]), y[train], classes=np.unique(y))
                    n_done += 1
                if search.scoring == "neg_log_loss":
                    assert score == -log_loss(y[test], last.predict_proba(rows))
                else:
                    assert score == last.score(rows, y[test])
            assert n_done == search.cv_results_["n_epochs"][candidate]


def test_a_network_may_replace_another_last_step(quick, iris):
    model = Pipeline([("scaler", StandardScaler()), ("last", SGDClassifier(max_iter=9))])
    net = quick(max_iter=9, calibrate=False)
    candidates = [{"last": net, "last__alpha": alpha} for alpha in (0.0, 0.1, 1.0)]
    search = listed(model, candidates, refit=False).fit(*iris)
    assert_scores_of_partial_fit(search, *iris)
    assert search.learning_curves_["loss"].notna().all()


def test_a_last_step_that_cannot_train_by_epochs_fails(pipeline, quick, iris):
    candidates = [{"net": LogisticRegression()}, {"net": GaussianNB()}, {"net": quick(max_iter=9)}]
    search = listed(pipeline, candidates, min_epochs=3)
    with pytest.warns(Warning, match=r"no attribute 'partial_fit'|non-finite"):
        search.fit(*iris)
    kinds = [type(params["net"]).__name__ for params in search.cv_results_["params"]]
    scores = dict(zip(kinds, search.cv_results_["mean_test_score"], strict=True))
    assert np.isnan(scores.pop("LogisticRegression"))
    assert np.isfinite(list(scores.values())).all()
    assert "LogisticRegression" not in {kinds[i] for i in search.learning_curves_["candidate"]}
    assert search.best_index_ == search.cv_results_["n_epochs"].argmax()


def test_test_rows_without_a_score_do_not_stop_the_others(pipeline, iris):
    X, y = iris
    X = np.where(np.arange(150)[:, None] == 3, np.nan, X)
    cv = [(np.arange(50, 150), np.arange(50)), (np.arange(75, 150), np.arange(50, 75))]
    search = listed(pipeline, [{"net__alpha": 0.1}], cv=cv, error_score=0.0, refit=False)
    with pytest.warns(UserWarning, match="contains NaN"):
        search.fit(X, y)
    curves = search.learning_curves_.set_index(["split", "epoch"])
    assert curves.loc[0, "validation_loss"].isna().all()
    assert curves.loc[0, "score"].dropna().tolist() == [0.0] * 3
    assert curves.loc[1, CURVES].notna().all(axis=None)


def test_weights_go_with_every_epoch(pipeline, iris):
    X, y = iris
    weights = np.random.default_rng(0).integers(1, 4, 150).astype(float)
    candidates = [{"net__alpha": alpha} for alpha in (0.0, 0.1, 1.0)]
    search = listed(pipeline, candidates).fit(X, y, net__sample_weight=weights)
    sibling = RandomizedSearchCV(pipeline, search.param_distributions, n_iter=3, cv=2)
    sibling.fit(X, y, net__sample_weight=weights)
    best = sibling.cv_results_["params"].index(search.best_params_)
    assert sibling.cv_results_["mean_test_score"][best] == search.best_score_
    plain = listed(pipeline, candidates).fit(X, y)
    assert not plain.learning_curves_["loss"].equals(search.learning_curves_["loss"])


OTHERS = [
    (SGDClassifier(max_iter=9, tol=None, random_state=0), "alpha", "accuracy"),
    (SGDClassifier(max_iter=9, tol=None, loss="log_loss", random_state=0), "alpha", "neg_log_loss"),
    (MLPClassifier((5,), max_iter=9, random_state=0), "learning_rate_init", None),
]


@pytest.mark.slow
@pytest.mark.parametrize(("last", "name", "scoring"), OTHERS, ids=str)
@pytest.mark.parametrize("memory_budget", [1.0, 2**28])
def test_other_estimators_train_by_partial_fit(iris, last, name, scoring, memory_budget):
    X, y = iris
    model = Pipeline([("scaler", StandardScaler()), ("last", last)])
    candidates = [{f"last__{name}": value} for value in (1e-4, 1e-3, 1e-2, 0.1)]
    options = {"scoring": scoring, "refit": False, "memory_budget": memory_budget}
    search = listed(model, candidates, **options).fit(X, y)
    curves = search.learning_curves_
    assert list(curves) == ["candidate", "split", "epoch", "score"]
    assert curves.dtypes.tolist() == [np.int64] * 3 + [np.float64]
    assert sorted(search.cv_results_["n_epochs"]) == [1, 1, 3, 9]
    assert_scores_of_partial_fit(search, X, y)


def test_a_regressor(halving):
    X, y = make_regression(60, 5, random_state=0)
    model = SGDRegressor(max_iter=9, tol=None, random_state=0)
    search = halving(model, {"alpha": loguniform(1e-5, 10)}, n_rounds=1, cv=3)
    search.fit(X, y)
    best = clone(model).set_params(**search.best_params_)
    train, test = list(KFold(3).split(X))[1]
    for _ in range(9):
        best.partial_fit(X[train], y[train])
    found = search.cv_results_["split1_test_score"][search.best_index_]
    assert found == best.score(X[test], y[test])
    assert sizes_of_rungs(search) == [[9, 3, 1]]
    assert search.predict(X).shape == (60,)


def test_an_estimator_without_max_iter_trains_for_max_epochs(halving, iris):
    space = {"var_smoothing": loguniform(1e-9, 1)}
    with pytest.raises(ValueError, match=r"GaussianNB has no max_iter; give max_epochs"):
        halving(GaussianNB(), space).fit(*iris)
    search = halving(GaussianNB(), space, max_epochs=4, eta=2).fit(*iris)
    assert set(search.cv_results_["n_epochs"]) == {1, 2, 4}
    assert search.cv_results_["n_epochs"][search.best_index_] == 4


class Subclass(BNSoftmaxClassifier):
    """Another class, which trains in its own way."""

    def partial_fit(self, X, y, classes=None, sample_weight=None):
        return super().partial_fit(X, y, classes, sample_weight)


def test_subclasses_with_a_way_of_their_own_train_by_partial_fit(quick, iris):
    candidates = [{"alpha": alpha} for alpha in (0.0, 0.1, 1.0)]
    model = quick(max_iter=9, calibrate=False)
    mine = listed(Subclass(**model.get_params()), candidates).fit(*iris)
    its = listed(model, candidates).fit(*iris)
    columns = ["candidate", "split", "epoch", "score"]
    assert list(mine.learning_curves_) == columns
    expected = its.learning_curves_.dropna(subset="score")[columns].reset_index(drop=True)
    pd.testing.assert_frame_equal(mine.learning_curves_, expected, check_exact=True)


@pytest.mark.parametrize(
    ("model", "space", "name"),
    [
        (LogisticRegression(), {"C": [1.0]}, "LogisticRegression"),
        (make_pipeline(StandardScaler(), LogisticRegression()), {"memory": [None]}, "Logistic"),
        (MLPClassifier(solver="lbfgs"), {"alpha": [0.1]}, "MLPClassifier"),
        (make_pipeline("passthrough"), {"memory": [None]}, "str"),
    ],
)
def test_an_estimator_without_partial_fit_is_refused(halving, iris, model, space, name):
    with pytest.raises(ValueError, match=rf"needs partial_fit; {name}\w* has none"):
        halving(model, space).fit(*iris)
