"""Functions of one's own in models, which files that travel refuse by their name."""

import io
import pickle
from functools import partial

import numpy as np
import pytest
from sklearn.base import clone
from sklearn.ensemble import VotingClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.export import load_model, predictor, save_model, to_json, to_onnx

pytestmark = pytest.mark.slow

pytest.importorskip("autograd")

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.5)


def small(**parameters):
    quick = {"hidden_layer_sizes": (6, 5), "max_iter": 2, "random_state": 0}
    return BNSoftmaxClassifier(**(quick | parameters))


def snake(z):
    return z + np.sin(z) ** 2


def scaled(z, scale):
    return scale * z


def hinge(logits, targets):
    """Of the squared distances of the logits from the targets."""
    return ((logits - targets) ** 2).sum(axis=1)


def saved(model, training_state=False):
    file = io.BytesIO()
    save_model(model, file, training_state=training_state)
    return io.BytesIO(file.getvalue())


def as_json(model, path):
    to_json(model, path)


def as_onnx(model, path):
    pytest.importorskip("onnx")
    to_onnx(model, path)


def in_a_pipeline(model, path):
    pytest.importorskip("onnx")
    pytest.importorskip("skl2onnx")
    to_onnx(make_pipeline(StandardScaler(), model).fit(X, Y), path)


def by_skl2onnx(model, path):
    skl2onnx = pytest.importorskip("skl2onnx")
    skl2onnx.to_onnx(model, X[:1])


def within_others(model, path):
    skl2onnx = pytest.importorskip("skl2onnx")
    voting = VotingClassifier([("a", clone(model))], voting="soft", flatten_transform=False)
    skl2onnx.to_onnx(voting.fit(X, Y), X[:1])


WAYS = {
    "save_model": (save_model, "a model file"),
    "with the training state": (partial(save_model, training_state=True), "a model file"),
    "to_json": (as_json, "JSON"),
    "to_onnx": (as_onnx, "ONNX"),
    "to_onnx of a Pipeline": (in_a_pipeline, "ONNX"),
    "skl2onnx": (by_skl2onnx, "ONNX"),
    "skl2onnx of what holds it": (within_others, "ONNX"),
}
OWN = {
    "a function": (snake, "snake"),
    "a lambda": (lambda z: 1.5 * z, "<lambda>"),
    "a partial": (partial(scaled, scale=2.0), r"partial\(scaled, scale=2\.0\)"),
    "a function of NumPy": (np.tanh, "tanh"),
    "in a list": (["relu", snake], "snake"),
    "in all layers": ([snake, snake], "snake"),
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", OWN)
def test_an_activation_of_ones_own_is_refused_by_its_name(kind, way, tmp_path):
    activation, name = OWN[kind]
    write, file = WAYS[way]
    model = small(activation=activation).fit(X, Y)
    message = f"^activation={name} is a function, which {file} cannot hold.* pickle or joblib"
    with pytest.raises(ValueError, match=message):
        write(model, tmp_path / "model")
    assert list(tmp_path.iterdir()) == []


def test_a_parameter_that_was_set_since_is_refused_and_a_trained_one_stays(tmp_path):
    model = small().fit(X, Y).set_params(activation=["relu", snake])
    with pytest.raises(ValueError, match="the parameter activation holds the function snake"):
        save_model(model, tmp_path / "model.npz")
    assert to_json(model) == to_json(small().fit(X, Y))  # which has no parameters
    model = small(activation=snake).fit(X, Y).set_params(activation="relu")
    with pytest.raises(ValueError, match="activation=snake is a function"):
        save_model(model, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


LOSSES = {
    "a function": (hinge, f"{__name__}.hinge"),
    "a lambda": (lambda z, t: hinge(z, t), f"{__name__}.<lambda>"),
    "a partial": (partial(hinge), "functools.partial(hinge)"),
}


@pytest.mark.parametrize("kind", LOSSES)
def test_a_model_with_a_loss_of_ones_own_predicts_from_files(kind):
    loss, name = LOSSES[kind]
    model = small(loss=loss).fit(X, Y)
    loaded, expected = load_model(saved(model)), model.predict_proba(X)
    np.testing.assert_array_equal(loaded.predict_proba(X), expected)
    np.testing.assert_allclose(predictor.load(saved(model)).predict_proba(X), expected, atol=1e-6)
    assert loaded.history_["loss"] == model.history_["loss"]
    assert loaded.loss == name
    assert saved(loaded).getvalue() == saved(model).getvalue()


def test_a_loaded_model_with_a_loss_of_ones_own_trains_anew_with_a_loss(assert_same_model):
    model = small(loss=hinge).fit(X, Y)
    loaded = load_model(saved(model))
    for train in (loaded.fit, loaded.partial_fit):
        with pytest.raises(ValueError, match=rf"'loss' .* Got '{__name__}\.hinge' instead"):
            train(X, Y)
    assert_same_model(loaded.set_params(loss=hinge).fit(X, Y), model)


def test_the_training_state_with_a_loss_of_ones_own_is_refused(tmp_path):
    path, message = tmp_path / "model.npz", "^loss=hinge is a function.*training_state=False"
    model = small(loss=hinge).fit(X, Y)
    with pytest.raises(ValueError, match=message):
        save_model(model, path, training_state=True)
    with pytest.raises(ValueError, match=message):
        save_model(model.set_params(loss="cross_entropy"), path, training_state=True)
    with pytest.raises(ValueError, match="the parameter loss holds the function hinge"):
        save_model(small().fit(X, Y).set_params(loss=hinge), path, training_state=True)
    assert list(tmp_path.iterdir()) == []


def test_a_loss_of_ones_own_does_not_matter_elsewhere(tmp_path):
    pytest.importorskip("onnx")
    model = small(loss=hinge).fit(X, Y)
    assert to_json(model, tmp_path / "model.json")
    assert to_onnx(model, tmp_path / "model.onnx")


@pytest.mark.parametrize("own", [{"activation": ["relu", snake]}, {"loss": hinge}], ids=str)
def test_pickles_are_the_way(own, assert_same_model):
    model = small(**own).fit(X, Y)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    both = (each.set_params(max_iter=5, warm_start=True).fit(X, Y) for each in (loaded, model))
    assert_same_model(*both)
