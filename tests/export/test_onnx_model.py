"""A classifier as a model of ONNX: in onnxruntime it predicts what the classifier predicts."""

import json
import os
import sys
from itertools import product

import numpy as np
import pytest
from sklearn.exceptions import NotFittedError

from skbn import BNSoftmaxClassifier
from skbn.export import to_onnx
from skbn.network.activations import ACTIVATIONS, Activation

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from onnx_runs import assert_predicts, session_of  # noqa: E402

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
X = RNG.normal(size=(130, 6))
LABELS = {
    "text": lambda y: np.array([f"no. {k:02d} é" for k in y]),
    "integers": lambda y: 3 * y - 1,
    "booleans": lambda y: y > 0,
}
PRODUCT = [
    case
    for case in product(ACTIVATIONS, range(4), (1, 2, 3), (True, False), (2, 3, 26), LABELS)
    if case[-1] != "booleans" or case[-2] == 2
]
# Every 19th has all pairs of values.
CASES = PRODUCT if os.environ.get("SKBN_WHOLE_PRODUCT") else PRODUCT[::19]
MANY_ROWS = RNG.normal(size=(1000, 6))
HUGE_AND_TINY = [X * scale for scale in (1e2, 1e30, 1e-40)]


def labelled(n_classes, kind="integers"):
    return LABELS[kind](np.arange(len(X)) % n_classes)


def quick(**parameters):
    small = {"hidden_layer_sizes": (12,), "max_iter": 1, "learning_rate_init": 0.05}
    return BNSoftmaxClassifier(**(small | parameters), random_state=0)


@pytest.mark.parametrize(
    ("activation", "n_layers", "n_members", "batch_norm", "n_classes", "kind"), CASES
)
def test_onnxruntime_predicts_the_same(
    activation, n_layers, n_members, batch_norm, n_classes, kind
):
    model = quick(
        hidden_layer_sizes=(16, 12, 8)[:n_layers],
        activation=activation,
        batch_norm=batch_norm,
        n_members=n_members,
        calibrate=n_members > 1,
    ).fit(X, labelled(n_classes, kind))
    for dtype in (np.float32, np.float64):
        session = session_of(to_onnx(model, float64=dtype == np.float64))
        for rows in (X[:1], X[:2], MANY_ROWS, *HUGE_AND_TINY):
            assert_predicts(session, model, rows.astype(dtype))


@pytest.mark.parametrize("mixed", [["relu", "tanh"], ["gelu", "elu"], ("mish", "identity")])
def test_an_activation_of_each_layer(mixed):
    model = quick(hidden_layer_sizes=(16, 12), activation=mixed).fit(X, labelled(3))
    for dtype in (np.float32, np.float64):
        session = session_of(to_onnx(model, float64=dtype == np.float64))
        assert_predicts(session, model, MANY_ROWS.astype(dtype))


def test_every_pair_of_values_is_tried():
    def pairs(cases):
        cells = [list(enumerate(case)) for case in cases]
        return {(a, b) for case in cells for a in case for b in case}

    assert pairs(CASES) == pairs(PRODUCT)


@pytest.mark.parametrize("float64", [False, True])
@pytest.mark.parametrize("name", ACTIVATIONS)
def test_an_activation_from_minus_to_plus_infinity(name, float64):
    """Two units, of which one sees the feature, and one its negative."""
    dtype = np.float64 if float64 else np.float32
    model = quick(activation=name, hidden_layer_sizes=(2,), batch_norm=False, n_members=1)
    model.set_params(calibrate=False).fit(X[:, :1], labelled(2))
    model.coefs_[0][:] = [[1, -1]]
    model.intercepts_[0][:] = 0
    model.coefs_[1][:] = [[1, 0], [0, 1]]
    model.intercepts_[1][:] = 0
    sizes = np.concatenate([[0], np.logspace(-44, 37, 2000), np.linspace(0, 50, 2000)])
    rows = np.concatenate([-sizes, sizes]).astype(dtype)[:, np.newaxis]
    assert_predicts(session_of(to_onnx(model, float64=float64)), model, rows)


@pytest.mark.parametrize("n_members", [1, 2])
def test_no_rows(n_members):
    session = session_of(to_onnx(quick(n_members=n_members).fit(X, labelled(3))))
    label, probabilities = session.run(None, {"X": np.empty((0, 6), np.float32)})
    assert label.shape == (0,)
    assert probabilities.shape == (0, 3)


def test_names_and_shapes_and_what_made_it():
    model = to_onnx(quick().fit(X, labelled(3, "text")))
    (rows,), (label, probabilities) = model.graph.input, model.graph.output
    assert [each.name for each in (rows, label, probabilities)] == ["X", "label", "probabilities"]
    shapes = [
        [each.dim_param or each.dim_value for each in value.type.tensor_type.shape.dim]
        for value in (rows, label, probabilities)
    ]
    assert shapes == [["n_rows", 6], ["n_rows"], ["n_rows", 3]]
    assert model.producer_name == "skbn"
    assert "skbn" in model.doc_string
    classes = {each.key: json.loads(each.value) for each in model.metadata_props}["classes"]
    assert classes == ["no. 00 é", "no. 01 é", "no. 02 é"]


def test_the_file_holds_the_model(tmp_path):
    model = to_onnx(quick().fit(X, labelled(3)), tmp_path / "model.onnx")
    assert onnx.load(tmp_path / "model.onnx") == model


@pytest.mark.parametrize(
    ("labels", "expected"),
    [
        (np.int8([-1, 2]), np.int64([-1, 2])),
        (np.uint64([1, 2**63]), np.uint64([1, 2**63])),
        (np.array([0.0, 3.0]), np.array([0.0, 3.0])),
        (np.float32([0, 3]), np.float32([0, 3])),
        (np.array(["", "a" * 1000], dtype=object), np.array(["", "a" * 1000], dtype=object)),
        (
            np.array(["2020-01-31", "2021-12-01"], dtype="datetime64[D]"),
            np.array(["2020-01-31", "2021-12-01"], dtype=object),
        ),
    ],
    ids=lambda labels: str(labels.dtype),
)
def test_other_types_of_labels(labels, expected):
    model = quick().fit(X, labels[np.arange(len(X)) % 2])
    session = session_of(to_onnx(model))
    label, _ = session.run(None, {"X": X.astype(np.float32)})
    position = model.predict_proba(X).argmax(axis=1)
    np.testing.assert_array_equal(label, expected[position], strict=True)


def test_a_type_of_labels_that_onnx_has_not(tmp_path):
    model = quick().fit(X, np.array([1, 2], dtype="timedelta64[D]")[np.arange(len(X)) % 2])
    with pytest.raises(ValueError, match=r"no type for the classes.*timedelta64.*Fit on"):
        to_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_weights_that_float_does_not_hold():
    model = quick(dtype="float64", batch_norm=False).fit(X, labelled(2))
    model.coefs_[0][0, 0] = 1e39
    with pytest.raises(ValueError, match=r"1e\+39.*float64=True"):
        to_onnx(model)
    assert to_onnx(model, float64=True)


def test_a_model_that_is_not_fitted():
    with pytest.raises(NotFittedError):
        to_onnx(quick())


def test_a_subclass_is_refused_which_may_predict_otherwise():
    class Cautious(BNSoftmaxClassifier):
        def predict_proba(self, X):
            return super().predict_proba(X) / 2

    model = Cautious(max_iter=1).fit(X, labelled(2))
    with pytest.raises(TypeError, match="takes a BNSoftmaxClassifier, and this is a Cautious"):
        to_onnx(model)


def test_a_label_that_is_not_unicode(tmp_path):
    model = quick().fit(X, np.array(["a", "\ud800"])[np.arange(len(X)) % 2])
    with pytest.raises(ValueError, match=r"label '\\ud800' is not Unicode"):
        to_onnx(model, tmp_path / "model.onnx")
    assert not list(tmp_path.iterdir())


def test_every_activation_has_nodes():
    from skbn.export.onnx_network import NODES

    assert NODES.keys() == ACTIVATIONS.keys()
    assert isinstance(ACTIVATIONS["relu"], Activation)


def test_without_onnx_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(ImportError, match=r'pip install "skbn\[onnx\]"'):
        to_onnx(quick().fit(X, labelled(2)))
