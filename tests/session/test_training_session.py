"""Sessions against `fit` and `partial_fit`, which know nothing of them."""

import pickle
import signal
import warnings
from copy import copy, deepcopy

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import csr_array
from session_checks import SMALL, assert_same_model, classifier_of, opened, session_on
from sklearn.base import clone
from sklearn.decomposition import PCA
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, TrainingSession

pytestmark = pytest.mark.slow

KINDS_OF_PARAMS = [
    {},
    {"n_members": 1},
    {"n_members": 1, "calibrate": False},
    {"n_members": 3, "dropout": 0.2, "noise": 0.1, "input_dropout": 0.1},
    {"batch_norm": False, "solver": "sgd", "learning_rate": "one_cycle"},
    {"hidden_layer_sizes": (), "solver": "rmsprop"},
    {"loss": "focal", "focal_gamma": 0.5, "label_smoothing": 0.1},
    {"dtype": "float64", "class_weight": "balanced", "batch_size": 50},
    {"random_state": np.random.RandomState(5)},
]


def trained_by_fit(digits, X_val=None, y_val=None, **params):
    X, y, *_ = digits
    model = BNSoftmaxClassifier(**(SMALL | params))
    return model.fit(X, y, X_val=X_val, y_val=y_val)


def session_of(digits, X_val=None, y_val=None, **params):
    X, y, *_ = digits
    model = BNSoftmaxClassifier(**(SMALL | params))
    return TrainingSession(model, X, y, X_val=X_val, y_val=y_val, verbose=0)


def test_a_session_of_the_defaults_gives_the_model_of_fit(digits):
    X, y, X_val, y_val = digits
    fitted = BNSoftmaxClassifier(random_state=0).fit(X, y)
    session = TrainingSession(BNSoftmaxClassifier(random_state=0), X, y, verbose=0)
    assert_same_model(session.train(15).estimator_, fitted, X_val)
    fitted = BNSoftmaxClassifier(random_state=0).fit(X, y, X_val=X_val, y_val=y_val)
    model = BNSoftmaxClassifier(random_state=0)
    session = TrainingSession(model, X, y, X_val=X_val, y_val=y_val, verbose=0)
    session.train(until=model.max_iter, patience=model.n_iter_no_change)
    assert_same_model(session.estimator_, fitted, X_val)


@pytest.mark.parametrize("params", KINDS_OF_PARAMS, ids=str)
def test_without_a_validation_set_max_iter_epochs_give_the_model_of_fit(digits, params):
    params = params | {"max_iter": 6}
    session = session_of(digits, **deepcopy(params)).train(6)
    assert_same_model(session.estimator_, trained_by_fit(digits, **deepcopy(params)), digits[2])


@pytest.mark.parametrize("early", [False, True], ids=["X_val", "early_stopping"])
@pytest.mark.parametrize("params", KINDS_OF_PARAMS, ids=str)
def test_with_a_validation_set_patience_gives_the_model_of_fit(digits, params, early):
    *_, X_val, y_val = digits
    # So fast that members stop at different epochs, before the last.
    params = {"learning_rate_init": 0.03, **params, "max_iter": 40, "n_iter_no_change": 3}
    held_out = {} if early else {"X_val": X_val, "y_val": y_val}
    fitted = trained_by_fit(digits, **held_out, early_stopping=early, **deepcopy(params))
    session = session_of(digits, **held_out, early_stopping=early, **deepcopy(params))
    session.train(until=40, patience=3)
    assert_same_model(session.estimator_, fitted, X_val)
    assert session.epoch_ == max(each.state.n_epochs for each in fitted._progress)


def test_members_stop_at_epochs_of_their_own_and_the_log_tells(digits):
    session = session_on(digits, n_members=3, learning_rate_init=0.03).train(until=40, patience=2)
    ends = [each.state.n_epochs for each in session.estimator_._progress]
    assert len(set(ends)) > 1
    epochs = session.log_[session.log_.event == "epoch"]
    assert len(epochs) == max(ends)
    assert epochs["validation_loss"].notna().sum() == ends[0]
    last = session.log_.iloc[-1]
    assert (last.event, last.asked_by, last.epoch) == ("stop", "patience", max(ends))


def test_one_call_or_many_are_the_same(digits):
    whole = session_on(digits, n_members=2, dropout=0.1).train(9)
    parts = session_on(digits, n_members=2, dropout=0.1).train(2).train(until=3).train(6)
    assert_same_model(parts.estimator_, whole.estimator_, digits[2])


def test_training_until_an_epoch_that_was_reached_does_nothing(digits):
    session = session_on(digits).train(4)
    assert session.train(until=4).train(until=2).epoch_ == 4


def test_patience_is_that_of_all_calls_until_a_parameter_changes(digits):
    how = {"learning_rate_init": 0.03, "n_members": 1}
    session = session_on(digits, **how).train(until=40, patience=3)
    stopped_at = session.epoch_
    with pytest.warns(UserWarning, match="nothing was trained"):
        session.train(until=40, patience=3)
    assert session.epoch_ == stopped_at < 37
    assert (session.log_.event == "stop").sum() == 1
    again = session_on(digits, **how).train(stopped_at - 1).train(until=40, patience=3)
    assert again.epoch_ == stopped_at
    session.set_params(learning_rate_init=0.001).train(until=40, patience=3)
    assert session.epoch_ >= stopped_at + 3
    assert session.train(2).epoch_ >= stopped_at + 5


def test_changes_on_the_way_are_those_of_partial_fit(digits):
    X, y, X_val, _ = digits
    params = {"n_members": 2, "calibrate": False, "max_iter": 8}
    session, model = session_of(digits, **params), BNSoftmaxClassifier(**SMALL, **params)
    changes = [
        {"learning_rate_init": 0.02, "dropout": 0.2},
        {"batch_size": 100, "learning_rate": "constant", "alpha": 0.0, "max_grad_norm": 1.0},
        {"shuffle": False, "noise": 0.1, "beta_1": 0.5, "bn_momentum": 0.5, "bn_epsilon": 1e-3},
        {"max_iter": 20, "label_smoothing": 0.1, "warmup_fraction": 0.2, "input_noise": 0.1},
    ]
    for change in changes:
        session.set_params(**change).train(2)
        model.set_params(**change)
        for _ in range(2):
            model.partial_fit(X, y, classes=np.unique(y))
    assert session.estimator_.get_params() == model.get_params()
    assert_same_model(session.estimator_, model, X_val)


@pytest.mark.parametrize("checkpoints", [3, 32])
def test_a_rewind_is_as_if_what_came_after_had_never_been(digits, checkpoints):
    session = session_on(digits, dropout=0.1, noise=0.1, checkpoints=checkpoints)
    session.train(4).set_params(learning_rate_init=0.01).train(6).set_params(dropout=0.3).train(5)
    session.rewind(7)
    straight = session_on(digits, dropout=0.1, noise=0.1)
    straight.train(4).set_params(learning_rate_init=0.01).train(3)
    assert session.estimator_.get_params() == straight.estimator_.get_params()
    assert_same_model(session.estimator_, straight.estimator_, digits[2])
    for each in (session, straight):
        each.set_params(learning_rate_init=0.003).train(until=40, patience=4)
    assert_same_model(session.estimator_, straight.estimator_, digits[2])
    assert session.branch_ == 1


def test_a_rewind_takes_back_a_change_made_after_its_epoch(digits):
    session = session_on(digits).train(3).set_params(alpha=0.5).rewind(3)
    assert session.estimator_.alpha == 0.01
    session.set_params(alpha=0.25).rewind(0)
    assert session.epoch_ == 0
    with pytest.raises(NotFittedError):
        session.estimator_  # noqa: B018
    assert_same_model(
        session.train(3).estimator_, session_on(digits).train(3).estimator_, digits[2]
    )


def test_the_best_epoch_is_that_of_the_present_branch(digits):
    session = session_on(digits, n_members=1, learning_rate_init=0.03).train(20)
    losses = session.log_["validation_loss"]
    assert session.estimator_._progress[0].kept_epoch == losses.argmin() + 1
    session.rewind(2)
    assert session.estimator_._progress[0].kept_epoch == losses[:2].argmin() + 1


def test_losses_of_another_gamma_are_not_compared(digits, tmp_path):
    session = session_on(digits, tmp_path / "run.sqlite", loss="focal")
    session.train(6).set_params(focal_gamma=0.0)
    first, losses = session.estimator_, session.log_["validation_loss"]
    assert first._progress[0].kept_epoch == losses.argmin() + 1
    session.train(5)
    losses = session.log_["validation_loss"]
    assert losses[7:].min() > losses[:6].min()
    estimator = session.estimator_
    assert estimator._progress[0].kept_epoch == losses[7:].idxmin()  # the change has a row
    session.close()
    for how in ("open", "replay"):
        with opened(digits, tmp_path / "run.sqlite", how=how) as again:
            assert_same_model(again.estimator_, estimator, digits[2])
    with opened(digits, tmp_path / "run.sqlite") as again:
        assert_same_model(again.rewind(6).estimator_, first, digits[2])


def test_the_estimator_shares_nothing_with_the_session(digits):
    X, y, X_val, _ = digits
    session, other = session_on(digits).train(3), session_on(digits).train(3)
    model = session.estimator_
    model.coefs_[0][...] = 0
    model.history_["loss"].clear()
    for _ in range(2):
        session.estimator_.partial_fit(X, y)
    before = session.estimator_
    assert_same_model(session.estimator_, other.estimator_, X_val)
    session.train(2)
    assert_same_model(before, other.estimator_, X_val)
    assert_same_model(session.estimator_, other.train(2).estimator_, X_val)


@pytest.mark.parametrize("kind", ["array", "sparse", "frame", "slice"])
def test_rows_that_their_owner_changes_are_those_that_were_given(digits, kind):
    X, y, X_val, y_val = digits
    make = {"sparse": csr_array, "frame": pd.DataFrame, "slice": lambda rows: rows[:, :40]}
    make["array"] = np.array
    rows, held_out = make[kind](X.copy()), make[kind](X_val.copy())
    labels = y.copy()
    given = {"X_val": held_out, "y_val": y_val, "verbose": 0}
    session = TrainingSession(BNSoftmaxClassifier(**SMALL), rows, labels, **given).train(2)
    straight = TrainingSession(
        BNSoftmaxClassifier(**SMALL), make[kind](X), y, X_val=make[kind](X_val), y_val=y_val
    ).train(4)
    labels[:] = 0
    for table in (rows, held_out):
        table *= 100
    assert_same_model(session.train(2).estimator_, straight.estimator_, make[kind](X_val))


def test_rows_of_a_memory_map_are_not_copied(digits, tmp_path):
    X, y, *_ = digits
    np.save(tmp_path / "X.npy", X)
    rows = np.load(tmp_path / "X.npy", mmap_mode="r")
    session = TrainingSession(BNSoftmaxClassifier(**SMALL), rows, y, verbose=0).train(1)
    assert np.shares_memory(session._training.networks.prepared.table.dataset.x, rows)


def test_a_session_is_not_copied(digits):
    session = session_on(digits).train(1)
    for make in (copy, deepcopy, pickle.dumps):
        with pytest.raises(TypeError, match="cannot be pickled or copied"):
            make(session)
    assert session.train(1).epoch_ == 2


@pytest.mark.parametrize(
    "model",
    [
        make_pipeline(StandardScaler(), PCA(10, random_state=0), BNSoftmaxClassifier(**SMALL)),
        Pipeline([("off", "passthrough"), ("network", BNSoftmaxClassifier(**SMALL))]),
        Pipeline([("alone", BNSoftmaxClassifier(**SMALL))]),
    ],
    ids=["transformers", "passthrough", "alone"],
)
@pytest.mark.parametrize("container", [pd.DataFrame, csr_array], ids=["frame", "sparse"])
def test_a_pipeline_is_trained_on_transformed_rows(digits, model, container):
    X, y, X_val, y_val = digits
    if container is pd.DataFrame:
        X, X_val = (pd.DataFrame(each).rename(columns="pixel{}".format) for each in (X, X_val))
    elif isinstance(model[0], StandardScaler):
        pytest.skip("a StandardScaler centres no sparse rows")
    else:
        X, X_val = csr_array(X), csr_array(X_val)
    session = TrainingSession(model, X, y, X_val=X_val, y_val=y_val, verbose=0)
    session.train(until=15, patience=10)
    rows, held_out = X, X_val
    if len(model) > 1:
        steps = clone(model)[:-1]
        rows, held_out = steps.fit_transform(X, y), steps.transform(X_val)
    fitted = clone(model[-1]).fit(rows, y, X_val=held_out, y_val=y_val)
    found = session.estimator_
    assert type(found) is Pipeline
    assert list(found.named_steps) == list(model.named_steps)
    expected = fitted.predict_proba(held_out)
    np.testing.assert_array_equal(found.predict_proba(X_val), expected)
    assert not hasattr(classifier_of(model), "classes_")


def test_weights_are_those_of_fit(digits):
    X, y, X_val, y_val = digits
    weights, weights_val = np.arange(600) % 3, np.arange(200) % 2 + 1.0
    given = {"X_val": X_val, "y_val": y_val, "sample_weight_val": weights_val}
    model = BNSoftmaxClassifier(**SMALL)
    session = TrainingSession(model, X, y, weights, **given, verbose=0).train(15)
    fitted = clone(model).set_params(n_iter_no_change=15).fit(X, y, weights, **given)
    assert_same_model(session.estimator_.set_params(n_iter_no_change=15), fitted, X_val)


def test_a_seed_is_drawn_where_there_is_none(digits):
    X, y, X_val, _ = digits
    model = make_pipeline(PCA(8), BNSoftmaxClassifier((8,)))
    np.random.seed(3)  # noqa: NPY002
    session = TrainingSession(model, X, y, verbose=0).train(2)
    seeds = session.estimator_.get_params()
    assert model[-1].random_state is None
    assert model[0].random_state is None
    assert type(seeds["bnsoftmaxclassifier__random_state"]) is int
    assert type(seeds["pca__random_state"]) is int
    again = TrainingSession(clone(session.estimator_), X, y, verbose=0).train(2)
    assert_same_model(session.estimator_, again.estimator_, X_val)
    other = TrainingSession(model, X, y, verbose=0).train(2)
    assert not np.array_equal(
        session.estimator_.predict_proba(X_val), other.estimator_.predict_proba(X_val)
    )


def test_training_past_max_iter_warns_once(digits):
    session = session_on(digits, max_iter=3).train(3)
    with pytest.warns(UserWarning, match=r"past max_iter=3.*max_iter to the number") as caught:
        session.train(3)
    assert len(caught) == 1
    assert caught[0].filename == __file__
    session.train(2)
    session.set_params(max_iter=10).train(2)


def test_divergence_leaves_the_last_whole_epoch(digits):
    session = session_on(digits, batch_norm=False, solver="sgd").train(3)
    before = session.estimator_
    session.set_params(learning_rate_init=1e30)
    with pytest.raises(ValueError, match=r"diverged in epoch 4.*learning_rate_init"):
        session.train(5)
    assert session.epoch_ == 3
    session.set_params(learning_rate_init=0.003)
    assert_same_model(session.estimator_, before, digits[2])
    straight = session_on(digits, batch_norm=False, solver="sgd").train(3)
    assert_same_model(session.train(2).estimator_, straight.train(2).estimator_, digits[2])


def test_ctrl_c_leaves_the_last_whole_epoch(digits, monkeypatch):
    session, straight = session_on(digits, dropout=0.1), session_on(digits, dropout=0.1).train(3)
    network = session._training.networks
    train = network.epoch

    def press(which):
        if session.epoch_ == 3:
            train(which)
            signal.raise_signal(signal.SIGINT)
        return train(which)

    monkeypatch.setattr(network, "epoch", press)
    with pytest.warns(UserWarning, match="in epoch 4; the session stands after epoch 3"):
        session.train(10)
    monkeypatch.undo()
    assert session.log_.iloc[-1][["event", "epoch", "asked_by"]].tolist() == [
        "stop",
        3,
        "interrupt",
    ]
    assert_same_model(session.estimator_, straight.estimator_, digits[2])
    assert_same_model(session.train(2).estimator_, straight.train(2).estimator_, digits[2])


def test_a_session_is_closed_once_and_for_all(digits):
    with session_on(digits) as session:
        session.train(2)
    for act in (lambda: session.train(1), lambda: session.rewind(1), lambda: session.set_params()):
        with pytest.raises(ValueError, match="was closed"):
            act()
    session.close()
    assert session.estimator_.n_iter_ == 2
    assert len(session.log_) == 2


BAD_CALLS = [
    (lambda s: s.train(), TypeError, "either"),
    (lambda s: s.train(3, until=5), TypeError, "either"),
    (lambda s: s.train(0), ValueError, "n must be a whole number of at least 1, got 0"),
    (lambda s: s.train(2.0), ValueError, "n must be a whole number"),
    (lambda s: s.train(True), ValueError, "n must be a whole number"),
    (lambda s: s.train(until=-1), ValueError, "until must be"),
    (lambda s: s.train(5, patience=0), ValueError, "patience must be"),
    (lambda s: s.rewind(3), ValueError, "no epoch 3 to go back to.* to 2"),
    (lambda s: s.rewind(-1), ValueError, "epoch must be"),
    (lambda s: s.rewind("1"), ValueError, "epoch must be"),
    (lambda s: s.set_params(hidden_layer_sizes=(4,)), ValueError, "hidden_layer_sizes cannot"),
    (lambda s: s.set_params(alpha=1.0, solver="sgd"), ValueError, "solver cannot change"),
    (lambda s: s.set_params(alpha=1.0, dropout=1.5), ValueError, "'dropout' parameter"),
    (lambda s: s.set_params(loss="focal"), ValueError, "loss cannot change"),
    (lambda s: s.set_params(focal_gamma=1.0), ValueError, "focal_gamma has no say"),
    (lambda s: s.set_params(batch_size=1), ValueError, "batch_size=1"),
    (lambda s: s.set_params(rate=0.1), ValueError, "'rate' is no parameter"),
    (lambda s: s.set_params(learning_rat_init=0.1), ValueError, "did you mean learning_rate_init"),
    (lambda s: s.set_params(network__alpha=0.1), ValueError, "did you mean alpha"),
]


@pytest.mark.parametrize(("act", "error", "words"), BAD_CALLS)
def test_bad_calls_change_nothing(digits, act, error, words):
    session = session_on(digits).train(2)
    log, params = session.log_, session.estimator_.get_params()
    with pytest.raises(error, match=words):
        act(session)
    pd.testing.assert_frame_equal(session.log_, log)
    assert session.estimator_.get_params() == params
    straight = session_on(digits).train(3)
    assert_same_model(session.train(1).estimator_, straight.estimator_, digits[2])


def test_patience_needs_a_validation_set(digits):
    with pytest.raises(ValueError, match="no validation set"):
        session_on(digits, validation=False).train(3, patience=2)


class OwnFit(BNSoftmaxClassifier):
    """A classifier that is fitted in a way of its own."""

    def fit(self, X, y):
        return self


class Resampler:
    """A step that draws other rows."""

    def fit_resample(self, X, y):
        return X, y


@pytest.mark.parametrize(
    ("model", "words"),
    [
        (StandardScaler(), "a BNSoftmaxClassifier or a Pipeline that ends in one"),
        (make_pipeline(BNSoftmaxClassifier(), StandardScaler()), "Pipeline that ends in one; got"),
        (OwnFit(), "OwnFit has a fit"),
        (Pipeline([("draw", Resampler()), ("net", BNSoftmaxClassifier())]), "step 'draw'"),
        (BNSoftmaxClassifier, "a BNSoftmaxClassifier or a Pipeline"),
    ],
)
def test_other_models_are_refused(digits, model, words):
    with pytest.raises(TypeError, match=words):
        TrainingSession(model, *digits[:2])


@pytest.mark.parametrize("checkpoints", [2, 0, 3.5, True, "all"])
def test_wrong_numbers_of_checkpoints_are_refused(digits, checkpoints):
    with pytest.raises(ValueError, match="checkpoints must be a whole number of at least 3"):
        session_on(digits, checkpoints=checkpoints)


def test_data_and_parameters_are_checked_as_fit_does(digits):
    X, y, X_val, y_val = digits
    for params, given, words in [
        ({"dropout": 2}, {}, "'dropout' parameter"),
        ({}, {"X_val": X_val}, "go together"),
        ({}, {"X_val": X_val[:, :3], "y_val": y_val}, "X_val has 3 features"),
        ({}, {"sample_weight": [1.0]}, "sample_weight"),
        ({"random_state": np.random}, {}, "'random_state' parameter"),
    ]:
        with pytest.raises(ValueError, match=words):
            TrainingSession(BNSoftmaxClassifier(**params), X, y, **given)


def test_the_log_has_a_row_for_each_event_and_a_column_for_each_change(digits):
    session = session_on(digits)
    assert len(session.log_) == 0
    session.train(2).set_params(learning_rate="constant", alpha=0.1).train(1).rewind(1)
    session.set_params(max_grad_norm=None).train(1)
    log = session.log_
    assert log.event.tolist() == [*["epoch"] * 2, "change", "epoch", "rewind", "change", "epoch"]
    assert log.epoch.tolist() == [1, 2, 2, 3, 1, 1, 2]
    assert log.branch.tolist() == [0, 0, 0, 0, 1, 1, 1]
    assert set(log.asked_by) == {"session"}
    assert log.time.is_monotonic_increasing
    assert str(log.time.dtype) == "datetime64[us, UTC]"
    history = session.estimator_.history_
    on_the_line = log.iloc[[0, 6]]
    for name, values in history.items():
        assert on_the_line[name].tolist() == values
    assert log["learning_rate_schedule"].tolist()[2] == "constant"
    assert log["alpha"].notna().tolist() == [n == 2 for n in range(7)]
    assert log["max_grad_norm"].tolist()[5] is None
    assert log[log.event != "epoch"][list(history)].isna().all(axis=None)


def test_nothing_is_warned_of_in_a_plain_session(digits):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        session_on(digits).train(3).set_params(alpha=0.1).train(2).rewind(1).train(2)
