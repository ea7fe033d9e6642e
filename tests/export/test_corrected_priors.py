"""A classifier with other moments and class priors than those of training, in files that travel."""

import io
import json

import numpy as np
import pytest

from skbn import BNSoftmaxClassifier
from skbn.estimators.adapted import with_class_prior, with_moments
from skbn.export import load_model, predictor, save_model, to_onnx

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(200, 4)).astype(np.float32)
SCORES = X @ STREAM.normal(size=(4, 5))
CASES = [(n_members, n_classes) for n_members in (1, 2, 3) for n_classes in (2, 5)]
each_case = pytest.mark.parametrize(("n_members", "n_classes"), CASES)


def adapted(n_members=2, n_classes=5):
    quick = {"hidden_layer_sizes": (7,), "max_iter": 2, "random_state": 0}
    model = BNSoftmaxClassifier(**quick, n_members=n_members)
    model.fit(X, SCORES[:, :n_classes].argmax(axis=1))
    moved, _ = with_moments(model, X + 1, 0)
    prior = np.arange(1.0, n_classes + 1) ** 3
    return with_class_prior(moved, prior / prior.sum())


def saved(model, **options):
    file = io.BytesIO()
    save_model(model, file, **options)
    file.seek(0)
    return file


def header_of(file):
    with np.load(file) as arrays:
        return json.loads(arrays["header.json"])


@each_case
@pytest.mark.parametrize("training_state", [True, False])
def test_model_files_hold_them(n_members, n_classes, training_state):
    model = adapted(n_members, n_classes)
    loaded = load_model(saved(model, training_state=training_state))
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(loaded.class_prior_, model.class_prior_)
    if training_state:
        both = [each.set_params(learning_rate="constant") for each in (loaded, model)]
        one, other = (each.partial_fit(X, SCORES[:, :n_classes].argmax(axis=1)) for each in both)
        np.testing.assert_array_equal(one.predict_proba(X), other.predict_proba(X))
        np.testing.assert_array_equal(one.class_prior_, other.class_prior_)


@each_case
def test_the_predictor_corrects_them(n_members, n_classes):
    model = adapted(n_members, n_classes)
    ours = predictor.load(saved(model))
    for rows, atol in ((X, 1e-6), (X.astype(np.float64), 1e-12)):
        np.testing.assert_allclose(ours.predict_proba(rows), model.predict_proba(rows), atol=atol)


def test_their_files_are_of_the_version_that_has_them():
    model = adapted()
    header = header_of(saved(model))
    assert header["format_version"] == 3
    expected = np.log(model.class_prior_ / adapted_before(model))
    np.testing.assert_allclose(header["log_prior_ratio"], expected, rtol=1e-12)


def adapted_before(model):
    return np.bincount(SCORES.argmax(axis=1)) / len(X)


def test_files_of_earlier_versions_know_no_priors(monkeypatch):
    model = adapted()
    model._progress[0].class_totals = None
    header = header_of(saved(model))
    assert "class_totals" not in header["networks"][0]
    loaded = load_model(saved(model))
    assert not hasattr(loaded, "class_prior_")
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@each_case
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_onnxruntime_predicts_with_them(n_members, n_classes, dtype):
    pytest.importorskip("onnxruntime")
    from onnx_runs import assert_predicts, session_of

    model = adapted(n_members, n_classes)
    assert_predicts(session_of(to_onnx(model, float64=dtype == np.float64)), model, X.astype(dtype))
