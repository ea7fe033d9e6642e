"""What scikit-learn's callbacks hear of a fit, and what their answers do."""

import pickle
from functools import partial

import numpy as np
import pandas as pd
import pytest
import sklearn
from recording import (
    HAS_CALLBACKS,
    Handed,
    ProgressBar,
    Recording,
    ScoringMonitor,
    needs_callbacks,
)
from scipy.sparse import coo_array
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, fit_population

pytestmark = pytest.mark.slow


@pytest.fixture
def iris_frame(iris):
    X, y = iris
    return pd.DataFrame(X, columns=list("abcd")), pd.Series(y)


def fit(model, X, y, has_validation_set=False, **params):
    """Fit to the first 100 rows; the others may be the validation set."""
    validation = {"X_val": X[100:], "y_val": y[100:]} if has_validation_set else {}
    return model.fit(X[:100], y[:100], **validation, **params)


def by_partial_fit(model, X, y):
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
    return model


def in_a_population(model, X, y):
    others = [clone(model).set_params(learning_rate_init=rate) for rate in (0.01, 0.1)]
    for other in others:
        other.set_callbacks()
    fit_population([others[0], model, others[1]], X, y)
    return model


WAYS = {
    "fit": lambda model, X, y: model.fit(X, y),
    "partial_fit": by_partial_fit,
    "fit_population": in_a_population,
}


@pytest.mark.skipif(HAS_CALLBACKS, reason="scikit-learn has callbacks")
@pytest.mark.parametrize("callbacks", [(), (Recording(),)])
def test_an_older_scikit_learn_is_named(quick, iris, callbacks):
    with pytest.raises(NotImplementedError, match=rf"1\.9 or newer.*{sklearn.__version__}"):
        quick().set_callbacks(*callbacks)
    quick().fit(*iris)


# What is heard.


@needs_callbacks
@pytest.mark.parametrize("n_members", [1, 3])
def test_a_fit_is_a_task_of_members_of_epochs(quick, iris, n_members):
    recording = Recording()
    quick(max_iter=2, n_members=n_members).set_callbacks(recording).fit(*iris)
    assert recording.heard[:2] == [("setup", "fit", (0,)), ("begin", "fit", (0,))]
    assert recording.heard[-2:] == [("end", "fit", (0,)), ("teardown", "fit", (0,))]
    for member in range(n_members):
        mine = [each for each in recording.heard if each[2][:2] == (0, member)]
        assert mine == [
            ("begin", "member", (0, member)),
            ("begin", "epoch", (0, member, 0)),
            ("end", "epoch", (0, member, 0)),
            ("begin", "epoch", (0, member, 1)),
            ("end", "epoch", (0, member, 1)),
            ("end", "member", (0, member)),
        ]
    # A network that calibrates alone is no member.
    assert len(recording.heard) == 4 + 6 * n_members


@needs_callbacks
def test_the_rows_are_those_of_the_user(quick, iris_frame):
    X, y = iris_frame
    recording, weights = Recording(), np.linspace(1, 2, len(X))
    model = quick().set_callbacks(recording)
    model.fit(X, y, sample_weight=weights)
    for given_X, given_y, metadata in recording.given:
        assert given_X is X
        assert given_y is y
        assert metadata.keys() == {"sample_weight"}
        assert metadata["sample_weight"] is weights
    assert all(estimator is model for estimator in recording.estimators)
    recording = Recording()
    quick().set_callbacks(recording).fit(X, y)
    assert not any(metadata for *_, metadata in recording.given)


@needs_callbacks
def test_chosen_rows_of_a_population_are_heard(quick, iris):
    X, y = iris
    rows, weights, recording = np.arange(10, 60), np.linspace(1, 2, len(X)), Recording()
    model = quick(early_stopping=True).set_callbacks(recording)
    fit_population([model], X, y, weights, rows=[rows])
    for given_X, given_y, metadata in recording.given:
        np.testing.assert_array_equal(given_X, X[rows])
        np.testing.assert_array_equal(given_y, y[rows])
        np.testing.assert_array_equal(metadata["sample_weight"], weights[rows])


@needs_callbacks
def test_warm_starts_and_partial_fits_have_the_epochs_that_they_train(quick, iris):
    recording = Recording()
    options = {"warm_start": True, "n_members": 1, "learning_rate": "constant"}
    model = quick(max_iter=2, **options).fit(*iris)
    model.set_params(max_iter=5).set_callbacks(recording).fit(*iris)
    assert recording.of("end", "epoch") == [(0, 0, epoch) for epoch in range(3)]
    recording = Recording(look=lambda fitted: fitted.n_iter_)
    model.set_callbacks(recording).partial_fit(*iris)
    assert recording.of("begin", "partial_fit") == [(0,)]
    assert recording.looks == [
        ("epoch", (0, 0, 0), 6),
        ("member", (0, 0), 6),
        ("partial_fit", (0,), 6),
    ]


@needs_callbacks
@pytest.mark.parametrize(
    ("has_validation_set", "early_stopping"), [(False, False), (True, False), (False, True)]
)
@pytest.mark.parametrize("solver", ["adam", "sgd"])
def test_epochs_have_the_scores_of_fits_of_that_many(
    quick, iris, has_validation_set, early_stopping, solver
):
    X, y = iris
    make = partial(
        quick,
        solver=solver,
        learning_rate="constant",
        learning_rate_init=0.1,  # so that later epochs are not the best
        early_stopping=early_stopping,
        tol=0.0,
        n_iter_no_change=3,
        max_iter=8,
    )
    monitor = ScoringMonitor(
        scoring=lambda model, *_: {"score": log_loss(y, model.predict_proba(X))}
    )
    model = fit(make(n_members=2).set_callbacks(monitor), X, y, has_validation_set)
    log = monitor.get_logs().data_as_pandas
    epochs = log[log["task_name"] == "epoch"]
    for number, score in enumerate(epochs[epochs["parent_task_id_path"] == (0, 0)]["score"], 1):
        alone = make(n_members=1, calibrate=has_validation_set or early_stopping, max_iter=number)
        fitted = fit(alone, X, y, has_validation_set)
        assert score == log_loss(y, fitted.predict_proba(X)), number
    assert number == model.n_iter_
    assert set(epochs["parent_task_id_path"]) == {(0, 0), (0, 1)}
    whole = log[log["task_name"] == "fit"]["score"]
    assert whole.tolist() == [log_loss(y, model.predict_proba(X))]


@needs_callbacks
def test_the_second_member_is_heard_of_alone(quick, iris):
    X, y = iris
    recording = Recording(look=lambda fitted: fitted.predict_proba(X))
    quick(max_iter=2, learning_rate="constant").set_callbacks(recording).fit(X, y)
    looks = {path: look for _, path, look in recording.looks}
    np.testing.assert_array_equal(looks[0, 1], looks[0, 1, 1])
    # Of the mean of both, only the average in the space of probabilities is that of the fit.
    model = quick(max_iter=2, learning_rate="constant", calibrate=False)
    recording = Recording(look=lambda fitted: fitted.predict_proba(X))
    model.set_callbacks(recording).fit(X, y)
    looks = {path: look for _, path, look in recording.looks}
    np.testing.assert_allclose((looks[0, 0] + looks[0, 1]) / 2, looks[0,], rtol=1e-6)
    np.testing.assert_array_equal(looks[0,], model.predict_proba(X))


@needs_callbacks
def test_what_was_looked_at_does_not_train_on(quick, iris):
    X, y = iris
    kept = []
    recording = Recording(look=lambda fitted: kept.append((fitted, fitted.predict_proba(X))))
    options = {"max_iter": 3, "dropout": 0.1, "learning_rate": "constant"}
    quick(**options).set_callbacks(recording).fit(X, y)
    ends = {}
    for fitted, probabilities in kept:
        np.testing.assert_array_equal(fitted.predict_proba(X), probabilities)
        # Its streams of random numbers are its own, too.
        ends[id(fitted)] = fitted.set_callbacks().partial_fit(X, y).predict_proba(X)
    first, again = (quick(**options, n_members=1, calibrate=False) for _ in range(2))
    first.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y)
    np.testing.assert_array_equal(ends[id(kept[0][0])], first.predict_proba(X))
    again.partial_fit(X, y, classes=[0, 1, 2]).partial_fit(X, y).partial_fit(X, y)
    np.testing.assert_array_equal(ends[id(kept[1][0])], again.predict_proba(X))


@needs_callbacks
def test_names_of_a_former_fit_are_not_those_of_this_one(quick, iris, iris_frame):
    recording = Recording(look=lambda fitted: fitted.predict(iris[0]))
    model = quick().fit(*iris_frame).set_callbacks(recording)
    model.fit(*iris)  # a warning of names would be an error
    assert not hasattr(model, "feature_names_in_")
    assert recording.looks


# Nothing else changes.


OPTIONS = {
    "plain": {},
    "one": {"n_members": 1},
    "three": {"n_members": 3, "calibrate": False},
    "noise": {"dropout": 0.2, "noise": 0.1, "input_dropout": 0.1},
    "early": {"early_stopping": True, "max_iter": 12, "n_iter_no_change": 2},
    "softmax": {"hidden_layer_sizes": ()},
    "float64": {"dtype": "float64", "solver": "sgd"},
}


@needs_callbacks
@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_callbacks_change_no_bit(quick, iris, assert_same_model, way, options):
    X, y = iris
    if way is by_partial_fit:
        options = options | {"early_stopping": False}
    recording = Recording(look=lambda fitted: fitted.predict_proba(X))
    heard = way(quick(**options).set_callbacks(recording), X, y)
    assert recording.looks
    alone = way(quick(**options), X, y)
    assert_same_model(heard, alone)
    np.testing.assert_array_equal(heard.predict_proba(X), alone.predict_proba(X))
    assert vars(heard).keys() - vars(alone).keys() == {"_skl_callbacks"}


@needs_callbacks
def test_clones_and_pickles_have_what_scikit_learn_puts_there(quick, iris):
    recording = Recording()
    model = quick().set_callbacks(recording).fit(*iris)
    like = LogisticRegression().set_callbacks(Recording()).fit(*iris)
    assert clone(model)._skl_callbacks == [recording]
    assert vars(clone(model)).keys() - model.get_params().keys() == {"_skl_callbacks"}
    recording.estimators.clear()
    recording.given.clear()
    loaded = pickle.loads(pickle.dumps(model))
    assert hasattr(loaded, "_skl_callbacks") == hasattr(like, "_skl_callbacks")
    assert vars(loaded).keys() == vars(model).keys()
    assert "_skl_callbacks" not in vars(model.set_callbacks())


@needs_callbacks
def test_what_is_no_callback_is_refused(quick):
    with pytest.raises(TypeError, match="FitCallback"):
        quick().set_callbacks(print)


# Answers.


@needs_callbacks
@pytest.mark.parametrize("n_members", [1, 2])
@pytest.mark.parametrize("calibrate", [False, True])
@pytest.mark.parametrize("way", [WAYS["fit"], in_a_population], ids=["fit", "fit_population"])
def test_a_true_answer_stops_exactly_there(quick, iris, n_members, calibrate, way):
    recording = Recording(stop=lambda context, _: context.task_id == 2)
    options = {"learning_rate": "constant", "n_members": n_members, "calibrate": calibrate}
    model = way(quick(max_iter=9, **options).set_callbacks(recording), *iris)
    assert recording.of("begin", "epoch") == recording.of("end", "epoch")
    assert sorted(recording.of("end", "epoch")) == [
        (0, member, epoch) for member in range(n_members) for epoch in range(3)
    ]
    short = quick(max_iter=3, **options).fit(*iris)
    # The network that calibrates one member trains for as long as that one.
    np.testing.assert_array_equal(model.predict_proba(iris[0]), short.predict_proba(iris[0]))
    assert model.n_iter_ == 3


@needs_callbacks
def test_an_answer_stops_one_member(quick, iris):
    recording = Recording(stop=lambda context, _: path_is(context, 1, 0))
    model = quick(max_iter=4, n_members=3).set_callbacks(recording).fit(*iris)
    assert [path[1] for path in recording.of("end", "epoch")].count(1) == 1
    assert len(recording.of("end", "epoch")) == 9
    assert model.n_iter_ == 4


def path_is(context, member, epoch):
    return context.task_name == "epoch" and (context.parent.task_id, context.task_id) == (
        member,
        epoch,
    )


@needs_callbacks
def test_answers_of_other_tasks_stop_nothing(quick, iris):
    recording = Recording(stop=lambda context, _: context.task_name != "epoch")
    model = quick(max_iter=2, n_members=3).set_callbacks(recording)
    reference = quick(max_iter=2, n_members=3).fit(*iris)
    np.testing.assert_array_equal(
        model.fit(*iris).predict_proba(iris[0]), reference.predict_proba(iris[0])
    )


@needs_callbacks
@pytest.mark.parametrize("has_validation_set", [False, True])
@pytest.mark.parametrize("kept", [[2], [1, 3]])
def test_an_epoch_that_is_kept_is_the_result(quick, iris, has_validation_set, kept):
    X, y = iris

    def keep(context, _):
        if context.task_name == "epoch" and context.epoch.number in kept:
            context.epoch.keep()

    options = {"learning_rate": "constant", "n_members": 1, "calibrate": False}
    model = quick(max_iter=5, n_iter_no_change=2, tol=10.0, **options)  # which stops after three
    fit(model.set_callbacks(Recording(stop=keep)), X, y, has_validation_set)
    assert model.n_iter_ == 5
    expected = fit(quick(max_iter=kept[-1], **options), X, y)
    np.testing.assert_array_equal(model.predict_proba(X), expected.predict_proba(X))
    assert model.loss_ == expected.loss_


@needs_callbacks
def test_epochs_have_their_measures_and_a_validation_set(quick, iris_frame):
    X, y = iris_frame
    weights = np.linspace(1, 2, len(X))
    seen = []

    def look(context, fitted):
        if context.task_name == "epoch":
            epoch = context.epoch
            loss = epoch.measures["loss"]
            assert (
                repr(epoch) == f"Epoch(number={epoch.number}, member={epoch.member}, {loss=:.3g})"
            )
            seen.append((epoch.member, epoch.number, epoch.measures, epoch.validation))
            assert fitted.history_["loss"][-1] == epoch.measures["loss"]

    model = quick().set_callbacks(Recording(stop=look))
    model.fit(X, y, weights)
    assert [each[-1] for each in seen] == [None] * 6
    assert [each[:2] for each in seen] == [(k, n) for k in range(2) for n in (1, 2, 3)]
    assert pd.DataFrame([each[2] for each in seen[:3]]).equals(pd.DataFrame(model.history_))
    seen.clear()
    model.fit(X, y, X_val=X[:50], y_val=y[:50], sample_weight_val=weights[:50])
    *_, (X_val, y_val, weights_val) = seen[0]
    pd.testing.assert_frame_equal(X_val, X[:50])
    pd.testing.assert_series_equal(y_val, y[:50])
    np.testing.assert_array_equal(weights_val, weights[:50])
    seen.clear()
    model.set_params(early_stopping=True, n_members=1).fit(X, y, weights)
    *_, measures, (X_val, y_val, weights_val) = seen[-1]
    assert len(X_val) == len(y_val) == len(weights_val) == 15
    pd.testing.assert_frame_equal(X_val, X.loc[X_val.index])
    np.testing.assert_array_equal(weights_val, weights[X_val.index])
    assert "validation_loss" in measures


# Errors.


@needs_callbacks
@pytest.mark.parametrize(
    ("hook", "nth"),
    [("setup", 1), ("begin", 1), ("begin", 4), ("end", 1), ("end", 4), ("teardown", 1)],
)
@pytest.mark.parametrize("is_fitted", [False, True])
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_an_error_of_a_callback_leaves_the_estimator_as_it_was(
    quick, iris, hook, nth, is_fitted, way
):
    model = quick(max_iter=4, learning_rate="constant")
    if is_fitted:
        model.fit(*iris)
    recording, other = Recording(fail=(hook, nth)), Recording()
    model.set_callbacks(other, recording)
    before = dict(vars(model))
    if way is by_partial_fit:  # the first call alone
        way = partial(BNSoftmaxClassifier.partial_fit, classes=[0, 1, 2])
    with pytest.raises(ValueError, match=f"{hook} was asked to fail"):
        way(model, *iris)
    assert vars(model).keys() == before.keys()
    assert all(vars(model)[name] is value for name, value in before.items())
    for each in (other, recording):
        assert each.calls["teardown"] == each.calls["setup"] == 1
    assert other.calls["end"] <= recording.calls["end"] + 1
    model.set_callbacks(Recording()).fit(*iris)


@needs_callbacks
def test_a_failure_in_a_population_is_of_its_classifier_alone(quick, iris):
    failing = Recording(fail=("end", 2))
    models = [quick(), quick().set_callbacks(failing), quick().set_callbacks(Recording())]
    first, error, third = fit_population(models, *iris, return_exceptions=True)
    assert "asked to fail" in str(error)
    assert failing.calls["teardown"] == 1
    assert not hasattr(models[1], "classes_")
    np.testing.assert_array_equal(first.predict_proba(iris[0]), third.predict_proba(iris[0]))


@needs_callbacks
@pytest.mark.parametrize(
    "options", [{"learning_rate_init": 1e30, "solver": "sgd", "batch_norm": False}, {"alpha": -1}]
)
def test_callbacks_outlive_a_fit_that_fails(quick, iris, options):
    recording = Recording()
    model = quick().fit(*iris).set_params(**options).set_callbacks(recording)
    before = dict(vars(model))
    with pytest.raises(ValueError, match=r"diverged|alpha"):
        model.fit(*iris)
    assert vars(model).keys() == before.keys()
    assert model._skl_callbacks == [recording]
    assert recording.calls["setup"] == recording.calls["teardown"]


@needs_callbacks
def test_ctrl_c_leaves_the_last_whole_epoch_and_tears_down(quick, iris):
    def press(context, _):
        if context.task_name == "epoch" and context.task_id == 2:
            raise KeyboardInterrupt

    recording = Recording(stop=press)
    model = quick(max_iter=9).set_callbacks(recording)
    with pytest.warns(UserWarning, match="the model is that of epoch 3"):
        model.fit(*iris)
    assert model.n_iter_ == 3
    assert recording.heard[-2:] == [("end", "fit", (0,)), ("teardown", "fit", (0,))]


# In a Pipeline, and on a screen.


@needs_callbacks
def test_a_pipeline_hands_callbacks_on(quick, iris):
    handed, own = Handed(), Recording()
    pipeline = make_pipeline(StandardScaler(), quick(max_iter=2, n_members=1).set_callbacks(own))
    pipeline.set_callbacks(handed).fit(*iris)
    assert own.of("end", "epoch") == handed.of("end", "epoch") == [(0, 1, 0, 0), (0, 1, 0, 1)]
    assert own.of("end", "fit") == [(0, 1)]
    assert pipeline[-1]._skl_callbacks == [own]
    assert handed.calls["setup"] == handed.calls["teardown"] == 1


@needs_callbacks
def test_the_progress_bar_shows_fit_and_members(quick, iris, capsys):
    pytest.importorskip("rich")
    quick(max_iter=3, n_members=2).set_callbacks(ProgressBar()).fit(*iris)
    lines = capsys.readouterr().out
    for text in ("BNSoftmaxClassifier - fit", "member #0", "member #1"):
        assert text in lines
    assert lines.count("100%") == 3


# What a callback may do with what it gets.


class Pickling(Recording):
    """Pickles what it gets."""

    def on_fit_task_end(self, estimator, context, *, fitted_estimator=None):
        self._hear("end", context, None)
        self.estimators.clear()
        parts = pickle.loads(pickle.dumps((estimator, context, fitted_estimator)))
        self.looks.append(parts[-1])


@needs_callbacks
@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
def test_what_hooks_get_is_pickled(quick, iris, way):
    pickling = Pickling()
    model = way(quick(learning_rate="constant").set_callbacks(pickling), *iris)
    assert len(pickling.looks) == pickling.calls["end"] >= 5
    np.testing.assert_array_equal(
        pickling.looks[-1].predict_proba(iris[0]), model.predict_proba(iris[0])
    )


@needs_callbacks
def test_contexts_keep_nothing_of_the_fit(quick, iris):
    contexts = []

    def keep(context, _):
        contexts.append(context)
        assert context.task_name != "epoch" or context.epoch.number == context.task_id + 1

    quick().set_callbacks(Recording(stop=keep)).fit(*iris)
    assert contexts
    assert not any(hasattr(each, "epoch") or hasattr(each, "last_epoch") for each in contexts)


@needs_callbacks
def test_the_temperature_is_of_the_epoch_that_is_kept(quick, iris):
    def keep(context, _):
        if context.task_name == "epoch" and context.epoch.number == 2:
            context.epoch.keep()
        return context.task_name == "epoch" and context.epoch.number == 6

    options = {"n_members": 1, "learning_rate": "constant"}
    model = quick(max_iter=9, **options).set_callbacks(Recording(stop=keep))
    short = quick(max_iter=2, **options).fit(*iris)
    for way in (WAYS["fit"], in_a_population):
        assert way(model, *iris).temperature_ == short.temperature_ != 1
        np.testing.assert_array_equal(model.predict_proba(iris[0]), short.predict_proba(iris[0]))


@needs_callbacks
@pytest.mark.parametrize("way", [WAYS["fit"], in_a_population], ids=["fit", "fit_population"])
def test_an_error_ends_all_networks_of_its_fit(quick, iris, way):
    recording = Recording(fail=("end", 2))
    with pytest.raises(ValueError, match="asked to fail"):
        way(quick(max_iter=20, n_members=4).set_callbacks(recording), *iris)
    assert len(recording.of("end", "epoch")) == 2


@needs_callbacks
def test_an_error_in_teardown_is_of_its_classifier_alone(quick, iris):
    models = [quick(), quick().set_callbacks(Recording(fail=("teardown", 1))), quick()]
    first, error, third = fit_population(models, *iris, return_exceptions=True)
    assert "teardown was asked to fail" in str(error)
    assert not hasattr(models[1], "classes_")
    np.testing.assert_array_equal(first.predict_proba(iris[0]), third.predict_proba(iris[0]))


class Table:
    """Rows without a position."""

    def __init__(self, array):
        self.array = array

    def __array__(self, dtype=None, copy=None):
        return np.asarray(self.array, dtype)


@needs_callbacks
@pytest.mark.parametrize("kind", [coo_array, Table, np.asarray, np.ndarray.tolist])
def test_rows_of_any_kind_are_set_aside_for_callbacks(quick, iris, kind):
    def look(context, _):
        if context.task_name == "epoch":
            seen.append(context.epoch.validation)

    X, y = iris
    seen, labels = [], Table(y) if kind is Table else y
    weights = np.linspace(1, 2, len(X))
    model = quick(early_stopping=True).set_callbacks(Recording(stop=look))
    model.fit(kind(X), labels, kind(weights) if kind is Table else weights)
    X_val, y_val, weights_val = seen[0]
    assert model.predict(X_val).shape == np.shape(y_val) == np.shape(weights_val) == (15,)


@needs_callbacks
def test_an_epoch_that_begins_has_its_number_and_the_validation_set(quick, iris):
    X, y = iris
    seen = []

    class Looking(Recording):
        def on_fit_task_begin(self, estimator, context):
            if context.task_name == "epoch":
                seen.append((repr(context.epoch), context.epoch.measures, context.epoch.validation))

    model = quick(max_iter=2, learning_rate="constant").set_callbacks(Looking())
    model.fit(X, y, X_val=X[:9], y_val=y[:9])
    model.partial_fit(X, y)
    numbers = [(1, 0), (2, 0), (1, 1), (2, 1), (3, 0), (3, 1)]
    assert [each[0] for each in seen] == [f"Epoch(number={n}, member={k})" for n, k in numbers]
    assert [each[1] for each in seen] == [{}] * 6
    assert [each[2] is None for each in seen] == [False] * 4 + [True] * 2
