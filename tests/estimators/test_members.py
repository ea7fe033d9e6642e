"""A classifier of several networks, and their calibration."""

import copy
import pickle

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from scipy.special import softmax
from sklearn.base import clone
from sklearn.datasets import load_iris
from sklearn.metrics import get_scorer, log_loss
from sklearn.model_selection import StratifiedKFold
from temperature_oracle import best_temperature

from skbn import BNSoftmaxClassifier, fit_population
from skbn.search import CoarseToFineSearchCV
from skbn.training.ensemble import Ensemble
from skbn.training.run import Progress

pytestmark = pytest.mark.slow

IRIS = load_iris(return_X_y=True)
MEMBERS = [{"n_members": n, "calibrate": c} for n in (1, 3) for c in (False, True)]


# What the classifier makes of it.


def alone(model):
    """For each network, those for calibration included, a classifier of it and no other."""
    models = []
    for progress in model._progress:
        models.append(copy.copy(model))
        vars(models[-1]).update(
            _ensemble=Ensemble([progress.network]), _progress=[progress], temperature_=1.0
        )
    return models


def same_predictions(model, other, X):
    np.testing.assert_array_equal(model.predict_log_proba(X), other.predict_log_proba(X))
    assert model.temperature_ == other.temperature_


@pytest.fixture(scope="module")
def noisy():
    """Rows of two classes, a quarter of which have the other one's label."""
    stream = np.random.default_rng(0)
    X = stream.normal(size=(3000, 5))
    return X, (X[:, 0] > 0) ^ (stream.random(3000) < 0.25)


@pytest.mark.parametrize("n_classes", [2, 3])
def test_probabilities_are_the_mean_of_the_members(iris, quick, n_classes):
    X, y = iris[0][iris[1] < n_classes], iris[1][iris[1] < n_classes]
    model = quick(n_members=3, calibrate=False).fit(X, y)
    each = [member.predict_proba(X) for member in alone(model)]
    assert len(each) == 3
    assert abs(each[1] - each[2]).max() > 1e-3
    probabilities = model.predict_proba(X)
    np.testing.assert_allclose(probabilities, np.mean(each, axis=0), rtol=1e-12)
    np.testing.assert_array_equal(model.predict(X), probabilities.argmax(axis=1))
    logits = model.decision_function(X)
    if n_classes == 2:
        logits = np.c_[np.zeros(len(X)), logits]
    np.testing.assert_allclose(softmax(logits, axis=1), probabilities, rtol=1e-12)


@pytest.mark.parametrize("kind", [{}, {"early_stopping": True}, {"dropout": 0.2, "max_iter": 5}])
@pytest.mark.parametrize("members", MEMBERS[1:])
def test_the_first_member_is_as_it_would_be_alone(
    iris, quick, single, assert_same_model, members, kind
):
    assert_same_model(quick(**kind, **members).fit(*iris), single(**kind).fit(*iris))


def test_members_do_not_depend_on_how_many_there_are(iris, quick, learned):
    two, four = (alone(quick(n_members=n).fit(*iris)) for n in (2, 4))
    assert (len(two), len(four)) == (2, 4)
    for one, other in zip(two, four, strict=False):
        assert all(map(np.array_equal, learned(one), learned(other)))


def test_rows_left_out_are_not_trained_on(iris, quick, learned, drawn):
    X, y = iris
    plain = alone(quick(n_members=3).fit(X, y))
    assert [len(rows) for rows in drawn] == [15, 15]
    left_out = [np.empty(0, int), *drawn]
    for spoilt in range(1, 3):
        poisoned = X.copy()
        poisoned[left_out[spoilt]] += 1
        other = alone(quick(n_members=3).fit(poisoned, y))
        for k in range(3):
            as_before = np.array_equal(learned(plain[k])[0], learned(other[k])[0])
            assert as_before == (k == spoilt)


@pytest.mark.parametrize("n_members", [1, 2, 3])
@pytest.mark.parametrize("way", ["left out", "early_stopping", "X_val"])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0}])
def test_the_temperature_is_that_of_rows_not_trained_on(
    iris, quick, drawn, n_members, way, class_weight
):
    X, y = iris
    stream = np.random.default_rng(0)
    y = np.where(stream.random(len(y)) < 0.3, (y + 1) % 3, y)
    weights = stream.uniform(0.5, 3, len(y))
    model = quick(n_members=n_members, max_iter=20, class_weight=class_weight)
    in_all = weights if class_weight is None else weights * np.where(y == 0, 3.0, 1.0)
    if way == "X_val":
        validation = {"X_val": X[90:], "y_val": y[90:], "sample_weight_val": weights[90:]}
        model.fit(X[:90], y[:90], weights[:90], **validation)
        assert drawn == []
        networks = alone(model)
        held_out = [np.arange(90, 150)] * n_members
    else:
        model.set_params(early_stopping=way == "early_stopping").fit(X, y, weights)
        networks = alone(model) if way == "early_stopping" else alone(model)[1:]
        held_out = drawn
    expected = best_temperature(
        [
            (network.predict_log_proba(X[rows]), y[rows], in_all[rows])
            for network, rows in zip(networks, held_out, strict=True)
        ]
    )
    assert model.temperature_ == pytest.approx(expected, rel=3e-3)
    assert abs(model.temperature_ - 1) > 0.02
    each = [network.predict_log_proba(X) for network in alone(model)[:n_members]]
    scaled = [softmax(logits / model.temperature_, axis=1) for logits in each]
    np.testing.assert_allclose(model.predict_proba(X), np.mean(scaled, axis=0), rtol=1e-9)


@pytest.mark.parametrize("n_members", [1, 2])
def test_calibration_lowers_the_log_loss(noisy, quick, n_members):
    X, y = noisy
    options = {"hidden_layer_sizes": (32, 32), "max_iter": 100, "n_members": n_members}
    losses = [
        log_loss(
            y[400:],
            quick(calibrate=calibrate, **options).fit(X[:400], y[:400]).predict_proba(X[400:]),
        )
        for calibrate in (True, False)
    ]
    assert losses[0] < 0.97 * losses[1]


@pytest.mark.parametrize(
    "labels",
    ["ab", "aab", "abb", "abc", "aabb", "aabcd", "aaaab", "abcde", "aaaaaaaaab"],
)
@pytest.mark.parametrize("fraction", [0.1, 0.9])
def test_a_few_rows_are_enough(quick, labels, fraction):
    X = np.random.default_rng(0).normal(size=(len(labels), 2))
    for members in ({}, {"n_members": 1}, {"n_members": 3}):
        model = quick(validation_fraction=fraction, **members).fit(X, list(labels))
        assert np.isfinite(model.predict_log_proba(X)).all()
        assert (model.temperature_ == 1.0) == (len(labels) == 2 or labels in ("abc", "abcde"))


def test_a_few_rows_of_one_class_are_enough_to_go_on(iris, quick):
    X, y = iris
    model = quick(warm_start=True, validation_fraction=0.9).fit(X, y)
    model.set_params(max_iter=4).fit(X[y == 0][:3], y[y == 0][:3])
    assert (model.n_iter_, model.temperature_) == (4, 1.0)


# As before: weights, tables, companies, searches.


def test_rows_of_weight_zero_are_as_absent(iris, quick):
    X, y = iris
    kept = np.random.default_rng(0).random(len(y)) < 0.6
    weighted, without = quick().fit(X, y, kept * 2.0), quick().fit(X[kept], y[kept])
    assert weighted.temperature_ != 1
    same_predictions(weighted, without, X)


def test_class_weights_count_for_all_members(iris, quick):
    X, y = iris
    weights = np.where(y == 1, 3.0, 1.0)
    how = {"n_members": 3, "batch_norm": False}
    model = quick(class_weight={1: 3}, **how).fit(X, y)
    expected = quick(**how).fit(X, y, weights).predict_proba(X)
    # The temperature's sums are of weights in another scale.
    np.testing.assert_allclose(model.predict_proba(X), expected, rtol=1e-12)


def test_sparse_rows_are_as_dense_ones(iris, quick):
    X, y = iris
    X = np.where(abs(X) < 0.7, 0, X).astype(np.float32)
    same_predictions(quick().fit(csr_matrix(X), y), quick().fit(X, y), X)


def test_members_are_fitted_in_company_as_alone(iris, quick):
    X, y = iris
    models = [quick(**kind) for kind in ({}, {"dropout": 0.2}, *MEMBERS)]
    rows = [np.delete(np.arange(len(y)), slice(9 * k, 9 * k + 20)) for k in range(len(models))]
    for some in (None, rows):
        for k, model in enumerate(fit_population(models, X, y, rows=some)):
            here = slice(None) if some is None else some[k]
            same_predictions(model, clone(model).fit(X[here], y[here]), X)


@pytest.mark.parametrize("kind", [{}, {"early_stopping": True, "n_iter_no_change": 2}])
@pytest.mark.parametrize("scoring", ["accuracy", "neg_log_loss"])
def test_searches_train_all_members(iris, quick, scoring, kind):
    X, y = iris
    model = quick(learning_rate="constant", max_iter=4, **kind)
    space = [{name: [value] for name, value in members.items()} for members in MEMBERS]
    options = {"resource": "epochs", "min_epochs": 1, "eta": 2, "cv": 2, "scoring": scoring}
    search = CoarseToFineSearchCV(
        model, space, n_candidates=4, n_rounds=1, random_state=0, **options
    ).fit(X, y)
    splits = list(StratifiedKFold(2).split(X, y))
    curves = search.learning_curves_.dropna(subset="score")
    assert set(curves["epoch"]) == {1, 2, 4}
    for line in curves.itertuples():
        params = search.cv_results_["params"][line.candidate] | {"max_iter": line.epoch}
        train, test = splits[line.split]
        fitted = clone(model).set_params(**params).fit(X[train], y[train])
        assert line.score == get_scorer(scoring)(fitted, X[test], y[test])


# Going on.


@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize(("before", "after"), [(1, 3), (3, 2), (2, 2)])
def test_warm_start_adds_and_drops_members(iris, quick, before, after, calibrate):
    options = {"learning_rate": "constant", "dropout": 0.1, "calibrate": calibrate}
    model = quick(warm_start=True, n_members=before, max_iter=2, **options).fit(*iris)
    model.set_params(n_members=after, max_iter=4).fit(*iris)
    assert len(model._progress) == after
    same_predictions(model, quick(n_members=after, max_iter=4, **options).fit(*iris), iris[0])


def test_warm_start_may_begin_to_calibrate(iris, quick):
    model = quick(warm_start=True, n_members=1, calibrate=False).fit(*iris)
    model.set_params(calibrate=True).fit(*iris)
    same_predictions(model, quick(n_members=1).fit(*iris), iris[0])


def test_partial_fits_train_all_members(iris, quick):
    options = {"n_members": 3, "dropout": 0.1}
    model = quick(**options)
    for _ in range(3):
        model.partial_fit(*iris, classes=[0, 1, 2])
    assert model.temperature_ == 1.0
    same_predictions(model, quick(calibrate=False, **options).fit(*iris), iris[0])


def test_partial_fit_is_an_epoch_of_each_member_however_many_each_has_done(iris, quick):
    X, y = iris
    options = {"early_stopping": True, "n_iter_no_change": 2, "tol": 0.01, "random_state": 4}
    noisy = np.where(np.arange(len(y)) % 4 == 0, 0, y)
    model = quick(n_members=3, max_iter=25, **options).fit(X, noisy)
    done = [progress.state.n_epochs for progress in model._progress]
    assert len(set(done)) > 1
    members = [copy.deepcopy(model) for _ in done]
    for k, member in enumerate(members):  # each by itself
        vars(member).update(_progress=[member._progress[k]], n_members=1)
        member.partial_fit(X, noisy)
    model.partial_fit(X, noisy)
    assert [progress.state.n_epochs for progress in model._progress] == [n + 1 for n in done]
    for progress, member in zip(model._progress, members, strict=True):
        np.testing.assert_array_equal(progress.state.theta, member._progress[0].state.theta)


def test_partial_fit_adds_no_members_and_drops_some(iris, quick):
    # A new one, of an epoch, would spoil what those that are trained say.
    options = {"calibrate": False, "learning_rate": "constant"}
    model = quick(n_members=2, **options).fit(*iris).set_params(n_members=3).partial_fit(*iris)
    same_predictions(model, quick(n_members=2, max_iter=4, **options).fit(*iris), iris[0])
    model.set_params(n_members=1).partial_fit(*iris)
    same_predictions(model, quick(n_members=1, max_iter=5, **options).fit(*iris), iris[0])


def test_n_members_set_after_fit_waits_for_the_next(iris, quick):
    model = quick(n_members=3).fit(*iris)
    before = pickle.loads(pickle.dumps(model))
    same_predictions(model.set_params(n_members=1), before, iris[0])


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
@pytest.mark.parametrize("members", MEMBERS)
def test_pickles_and_clones_keep_all_members(iris, quick, members):
    model = quick(**members).fit(*iris)
    loaded = pickle.loads(pickle.dumps(model))
    same_predictions(loaded, model, iris[0])
    same_predictions(clone(model).fit(*iris), model, iris[0])
    same_predictions(loaded.partial_fit(*iris), model.partial_fit(*iris), iris[0])


@pytest.mark.parametrize("spoilt", [1, 2])
def test_a_member_that_diverges_is_an_error(iris, quick, monkeypatch, spoilt):
    made = []

    def new(*arguments, original=Progress.new):
        made.append(original(*arguments))
        if len(made) == spoilt + 1:
            made[-1].state.theta[...] = np.inf
        return made[-1]

    monkeypatch.setattr(Progress, "new", new)
    model = quick(n_members=3)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"^Training diverged in epoch 1: .*learning_rate_init"):
        model.fit(*iris)
    assert len(made) == 3
    assert vars(model) == before
    made.clear()
    with pytest.raises(ValueError, match=r"^Training diverged in epoch 1"):
        fit_population([model], *iris)
    assert vars(model) == before


def test_softmax_regression_is_one_and_not_calibrated(iris):
    fitted = BNSoftmaxClassifier((), random_state=0).fit(*iris)
    assert fitted.temperature_ == 1
    np.testing.assert_allclose(
        fitted.decision_function(iris[0]),
        iris[0] @ fitted.coefs_[0] + fitted.intercepts_[0],
        rtol=1e-4,
        atol=1e-5,
    )


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "kind", ["coefs_", "intercepts_", "bn_gamma_", "bn_beta_", "bn_mean_", "bn_var_"]
)
def test_parameters_that_are_written_to_predict(iris, quick, kind, dtype):
    model = quick(batch_norm=kind != "intercepts_", n_members=2).fit(*iris)
    X = iris[0].astype(dtype)
    seen = [model.predict_proba(X)]
    parameters = getattr(model, kind)[0]
    for _ in range(2):
        parameters += 1
        anew = pickle.loads(pickle.dumps(model)).predict_proba(X)
        np.testing.assert_array_equal(model.predict_proba(X), anew)
        assert all((anew != before).any() for before in seen)
        seen.append(anew)


@pytest.mark.parametrize("make", [copy.copy, lambda model: model.fit(*IRIS)], ids=["copy", "fit"])
def test_models_that_share_parameters_predict_what_is_written(quick, make):
    model = quick(warm_start=True).fit(*IRIS)
    parameters = model.coefs_[0]
    other = make(model)  # a fit that has done its epochs already changes nothing
    before = other.predict_proba(IRIS[0])
    parameters[...] = 0
    assert (other.coefs_[0] == 0).all()
    anew = pickle.loads(pickle.dumps(other)).predict_proba(IRIS[0])
    np.testing.assert_array_equal(other.predict_proba(IRIS[0]), anew)
    assert (anew != before).any()
