"""Pipelines of other kinds, by epochs: told by their steps; samplers act on training rows only."""

from collections import Counter

import numpy as np
import pytest
from halving_checks import listed, splits_of
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import log_loss
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler

pytestmark = pytest.mark.slow


class Oversampler(BaseEstimator):
    """Repeats rows of the rarer classes, drawn at random."""

    fits = Counter()

    def __init__(self, random_state=0):
        self.random_state = random_state

    def fit_resample(self, X, y):
        Oversampler.fits[len(y)] += 1
        rng, counts = np.random.default_rng(self.random_state), np.bincount(y)
        rows = [rng.choice(np.flatnonzero(y == k), counts.max()) for k in range(len(counts))]
        return X[np.concatenate(rows)], y[np.concatenate(rows)]


class Steps(ClassifierMixin, BaseEstimator):
    """A Pipeline that is none of scikit-learn's; samplers act in `fit` only."""

    def __init__(self, steps):
        self.steps = steps

    def get_params(self, deep=True):
        params = {"steps": self.steps}
        for name, step in self.steps if deep else []:
            params |= {name: step}
            params |= {f"{name}__{key}": value for key, value in step.get_params().items()}
        return params

    def set_params(self, **params):
        for name, value in params.items():
            which, _, own = name.partition("__")
            if own:
                dict(self.steps)[which].set_params(**{own: value})
            else:
                self.steps = [(n, value if n == which else step) for n, step in self.steps]
        return self

    def fit(self, X, y):
        for _, step in self.steps[:-1]:
            if hasattr(step, "fit_resample"):
                X, y = step.fit_resample(X, y)
            else:
                X = step.fit(X, y).transform(X)
        self.steps[-1][1].fit(X, y)
        self.classes_ = np.unique(y)
        return self

    def transform(self, X):
        for _, step in self.steps[:-1]:
            X = X if hasattr(step, "fit_resample") else step.transform(X)
        return X

    def predict(self, X):
        return self.steps[-1][1].predict(self.transform(X))

    def predict_proba(self, X):
        return self.steps[-1][1].predict_proba(self.transform(X))


class Own(Pipeline):
    """A Pipeline that predicts in its own way."""

    def predict(self, X):
        return super().predict(X)[::-1]


def imblearn(steps):
    return pytest.importorskip("imblearn.pipeline").Pipeline(steps)


def nested(steps):
    return Pipeline([("outer", MinMaxScaler()), ("inner", Pipeline(steps))])


@pytest.fixture
def rare(iris):
    """Classes of 50, 30 and 12 rows."""
    rows = np.r_[0:50, 50:80, 100:112]
    return iris[0][rows], iris[1][rows]


KINDS = [(Steps, ""), (imblearn, ""), (Own, ""), (nested, "inner__")]


def steps_of(kind, last):
    sampler = [("sampler", Oversampler())] if kind in (Steps, imblearn) else []
    return [("scaler", StandardScaler()), *sampler, ("last", last)]


def assert_as_cross_validated(search, X, y):
    """Candidates trained to the end score what `fit` of the whole Pipeline does."""
    results, cv = search.cv_results_, splits_of(search, X, y)
    ended = np.flatnonzero(results["n_epochs"] == results["n_epochs"].max())
    assert len(ended) < len(results["params"])
    for i in ended:
        model = clone(search.estimator).set_params(**clone(results["params"][i], safe=False))
        alone = cross_val_score(model, X, y, cv=cv, scoring=search.scoring)
        assert [results[f"split{k}_test_score"][i] for k in range(len(cv))] == alone.tolist()


@pytest.mark.parametrize(("kind", "prefix"), KINDS)
@pytest.mark.parametrize("scoring", [None, "neg_log_loss"])
def test_networks_in_pipelines_of_all_kinds_by_epochs(quick, rare, kind, prefix, scoring):
    model = kind(steps_of(kind, quick(max_iter=9)))
    candidates = [
        {f"{prefix}last__alpha": alpha, f"{prefix}scaler": scaler}
        for alpha in (0.0, 0.1)
        for scaler in (StandardScaler(), MinMaxScaler())
    ]
    Oversampler.fits.clear()
    search = listed(model, candidates, scoring=scoring).fit(*rare)
    if kind in (Steps, imblearn):
        # Once a split for each setting of the steps before the last, then for the refit.
        assert sum(Oversampler.fits.values()) == 2 * 2 + 1
        assert search.learning_curves_["validation_loss"].notna().all()
    assert_as_cross_validated(search, *rare)


@pytest.mark.parametrize(("kind", "prefix"), KINDS)
def test_other_last_steps_train_on_the_rows_that_samplers_gave(rare, kind, prefix):
    X, y = rare
    last = SGDClassifier(loss="log_loss", random_state=0)
    model = kind(steps_of(kind, last))
    candidates = [{f"{prefix}last__alpha": alpha} for alpha in (0.001, 0.1)]
    search = listed(model, candidates, max_epochs=3, scoring="neg_log_loss").fit(X, y)
    best = search.best_params_[f"{prefix}last__alpha"]
    for split, (train, test) in enumerate(splits_of(search, X, y)):
        outer = MinMaxScaler().fit(X[train]) if kind is nested else None
        rows, rows_test = (outer.transform(r) if outer else r for r in (X[train], X[test]))
        scaler = StandardScaler().fit(rows)
        rows, rows_test, labels = scaler.transform(rows), scaler.transform(rows_test), y[train]
        if kind in (Steps, imblearn):
            rows, labels = Oversampler().fit_resample(rows, labels)
        own = clone(last).set_params(alpha=best)
        for _ in range(3):
            own.partial_fit(rows, labels, classes=np.unique(y))
        expected = -log_loss(y[test], own.predict_proba(rows_test))
        score = search.cv_results_[f"split{split}_test_score"][search.best_index_]
        assert score == pytest.approx(expected, rel=1e-12)


@pytest.mark.parametrize("kind", [Steps, imblearn, Own, nested])
def test_without_epochs_each_is_fitted_as_it_is(assert_as_scikit_learn, quick, rare, kind):
    prefix = dict(KINDS)[kind]
    candidates = [{f"{prefix}last__alpha": alpha} for alpha in (0.0, 0.1)]
    assert_as_scikit_learn(kind(steps_of(kind, quick())), candidates, *rare, alone=2 * 3)


def test_a_sampler_of_imbalanced_learn_may_be_searched_too(quick, rare):
    over = pytest.importorskip("imblearn.over_sampling")
    under = pytest.importorskip("imblearn.under_sampling")
    model = imblearn([("sampler", over.RandomOverSampler()), ("last", quick(max_iter=9))])
    samplers = [
        over.RandomOverSampler(random_state=0),
        over.SMOTE(k_neighbors=2, random_state=0),
        under.RandomUnderSampler(random_state=0),
        "passthrough",
    ]
    search = listed(model, [{"sampler": sampler} for sampler in samplers]).fit(*rare)
    assert_as_cross_validated(search, *rare)


def test_a_step_may_be_replaced_by_a_pipeline(quick, rare):
    model = Pipeline([("last", SGDClassifier(max_iter=9))])
    inner = Pipeline([("scaler", StandardScaler()), ("net", quick(max_iter=9))])
    candidates = [{"last": inner, "last__net__alpha": alpha} for alpha in (0.0, 0.1)]
    search = listed(model, candidates, min_epochs=3).fit(*rare)
    assert_as_cross_validated(search, *rare)


class Copying(Steps):
    """Fits copies of its steps."""

    def fit(self, X, y):
        steps = self.steps
        self.steps = [(name, clone(step)) for name, step in steps]
        super().fit(X, y)
        self.steps_, self.steps = self.steps, steps
        return self


class Looking(Steps):
    """Looks at what its last step predicts when it is fitted."""

    def fit(self, X, y):
        super().fit(X, y)
        self.fitted_ = self.predict(X)
        return self


@pytest.mark.parametrize("kind", [Copying, Looking])
def test_where_steps_cannot_be_fitted_once_a_split_a_message_says_so(quick, rare, kind):
    model = kind(steps_of(Steps, quick(max_iter=9)))
    search = listed(model, [{"last__alpha": 0.0}, {"last__alpha": 0.1}])
    with pytest.raises(
        ValueError, match=r"(?s)fits the steps before the last once a split.*Use res"
    ):
        search.fit(*rare)


@pytest.mark.parametrize("last", [LogisticRegression(), CalibratedClassifierCV(SGDClassifier())])
@pytest.mark.parametrize(("kind", "prefix"), [*KINDS, (Pipeline, "")])
def test_a_last_step_without_partial_fit_is_named(rare, kind, prefix, last):
    search = listed(kind(steps_of(kind, last)), [{f"{prefix}scaler": StandardScaler()}])
    with pytest.raises(ValueError, match=f"needs partial_fit; {type(last).__name__} has none"):
        search.fit(*rare)


class Incremental(Pipeline):
    """A Pipeline that trains all of its steps further."""

    max_iter = 9

    def partial_fit(self, X, y, classes=None):
        rows = self.steps[0][1].partial_fit(X).transform(X)
        self.steps[1][1].partial_fit(rows, y, classes)
        return self


def test_a_pipeline_with_a_partial_fit_of_its_own_trains_by_that(rare):
    X, y = rare
    model = Incremental([("scaler", StandardScaler()), ("last", SGDClassifier(random_state=0))])
    search = listed(model, [{"last__alpha": alpha} for alpha in (0.001, 0.1)]).fit(X, y)
    train, test = splits_of(search, X, y)[0]
    own = clone(model).set_params(**search.best_params_)
    for _ in range(9):
        own.partial_fit(X[train], y[train], np.unique(y))
    score = search.cv_results_["split0_test_score"][search.best_index_]
    assert score == own.score(X[test], y[test])
    assert own.steps[0][1].n_samples_seen_ == 9 * len(train)
