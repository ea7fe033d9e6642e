"""skl2onnx converts what is of this package, alone and within scikit-learn's."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import BaggingClassifier, StackingClassifier, VotingClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

import skbn.export  # noqa: F401
from skbn import BNSoftmaxClassifier
from skbn.preprocessing import PiecewiseLinearEncoder

pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")

from onnx_runs import assert_same, session_of  # noqa: E402

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(200, 5))
POSITIONS = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.5)
LABELS = {
    "text": np.array(["a", "b", "\u00e9"])[POSITIONS],
    "integers": 2 * POSITIONS - 1,
    "small integers": POSITIONS.astype(np.int8),
    "booleans": POSITIONS > 0,
    "whole floats": POSITIONS.astype(float),
}


def quick(**parameters):
    small = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
    return BNSoftmaxClassifier(**(small | parameters))


def pipeline():
    encoder = PiecewiseLinearEncoder(n_bins=4, include_original=True)
    return make_pipeline(StandardScaler(), encoder, quick())


def as_arrays(outputs):
    """Label and probabilities, of which skl2onnx may make dictionaries or a tensor a class."""
    label, *probabilities = outputs
    if isinstance(probabilities[0], list):
        return label, np.array([list(each.values()) for each in probabilities[0]])
    if len(probabilities) > 1:
        return label, np.stack(probabilities, axis=1)
    return label, probabilities[0]


@pytest.mark.parametrize("make", [quick, pipeline])
@pytest.mark.parametrize("kind", LABELS)
def test_labels_and_options(make, kind):
    rows = X.astype(np.float32)
    model = make().fit(rows, LABELS[kind])
    last = model[-1] if make is pipeline else model
    for options in (
        None,
        {"zipmap": False},
        {id(last): {"zipmap": False}},
        {BNSoftmaxClassifier: {"zipmap": False}},
        {id(last): {"zipmap": "columns"}},
    ):
        onnx_model = skl2onnx.to_onnx(model, rows[:1], options=options)
        session = session_of(onnx_model)
        assert_same(as_arrays(session.run(None, {"X": rows})), model, rows)
        if options and "columns" not in str(options):
            names = [output.name for output in session.get_outputs()]
            assert names == ["label", "probabilities"]


def test_positions_instead_of_labels():
    rows = X.astype(np.float32)
    model = quick().fit(rows, LABELS["text"])
    options = {id(model): {"zipmap": False, "nocl": True}}
    label, _ = session_of(skl2onnx.to_onnx(model, rows[:1], options=options)).run(None, {"X": rows})
    np.testing.assert_array_equal(model.classes_[label], model.predict(rows))


@pytest.mark.parametrize("opset", [13, 15, 18, skl2onnx.get_latest_tested_opset_version()])
def test_versions_of_the_operators(opset):
    rows = X.astype(np.float32)
    model = pipeline().fit(rows, POSITIONS)
    options = {"zipmap": False}
    onnx_model = skl2onnx.to_onnx(model, rows[:1], options=options, target_opset=opset)
    assert_same(session_of(onnx_model).run(None, {"X": rows}), model, rows)


def test_an_older_version_of_the_operators_is_refused():
    with pytest.raises(RuntimeError, match="at least opset 13"):
        skl2onnx.to_onnx(pipeline().fit(X, POSITIONS), X[:1], target_opset=12)


def test_double():
    model = pipeline().fit(X, LABELS["text"])
    session = session_of(skl2onnx.to_onnx(model, X[:1], options={"zipmap": False}))
    assert_same(session.run(None, {"X": X}), model, X, 1e-12)


MODELS = {
    "grid search": GridSearchCV(quick(), {"alpha": [0.1, 0.2]}, cv=2),
    "grid search of a pipeline": GridSearchCV(
        pipeline(), {"bnsoftmaxclassifier__alpha": [0.1, 0.2]}, cv=2
    ),
    "calibrated": CalibratedClassifierCV(quick(), cv=2),
    "calibrated, of one network": CalibratedClassifierCV(quick(n_members=1), cv=2),
    "voting": VotingClassifier(
        [("a", quick()), ("b", quick(n_members=1))], voting="soft", flatten_transform=False
    ),
    "one versus rest": OneVsRestClassifier(quick()),
    "bagging": BaggingClassifier(quick(), n_estimators=2, random_state=0),
    "stacking": StackingClassifier([("a", quick())], cv=2),
}


@pytest.mark.parametrize("kind", ["text", "booleans"])
@pytest.mark.parametrize("name", MODELS)
def test_a_classifier_within_others(name, kind):
    rows = X.astype(np.float32)
    model = MODELS[name].fit(rows, LABELS[kind])
    session = session_of(skl2onnx.to_onnx(model, rows[:1], options={"zipmap": False}))
    assert_same(session.run(None, {"X": rows}), model, rows)
