"""A model of ONNX that predicts otherwise than the model is refused, and rounding is not."""

import sys
from itertools import product

import numpy as np
import pandas as pd
import pytest
from sklearn.base import BaseEstimator, TransformerMixin
from sklearn.compose import make_column_transformer
from sklearn.decomposition import TruncatedSVD
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PowerTransformer,
    StandardScaler,
)

from skbn import BNSoftmaxClassifier
from skbn.export import to_onnx

pytestmark = pytest.mark.slow

pytest.importorskip("onnxruntime")
skl2onnx = pytest.importorskip("skl2onnx")

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 3))
JOBS = RNG.choice(["cook", "nurse", "pilot"], N).astype(object)
GAPPY_JOBS = np.where(RNG.random(N) < 0.2, np.nan, JOBS)
FRAME = pd.DataFrame({"age": X[:, 0], "job": JOBS})
GAPPY = FRAME.assign(job=GAPPY_JOBS)
IS_COOK = (JOBS == "cook") ^ (X[:, 0] > 0.5)
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
DOCUMENTS = [" ".join(words) for words in RNG.choice(["red", "blue", "cat", "a b"], (N, 4))]


def quick():
    return BNSoftmaxClassifier(hidden_layer_sizes=(8,), max_iter=5, random_state=0)


def by_column(step):
    return make_column_transformer((step, ["job"]), ("passthrough", ["age"]))


WRONG = {
    "by column": (
        make_column_transformer((PowerTransformer(), ["age"]), (OneHotEncoder(), ["job"])),
        FRAME.assign(age=GAPS[:, 0].astype(np.float32)),
        "columntransformer__powertransformer",
    ),
    "missing numbers": (PowerTransformer(), GAPS, "powertransf"),
    "pairs of words": (
        TfidfVectorizer(lowercase=False, ngram_range=(1, 2), sublinear_tf=True),
        DOCUMENTS,
        "tfidfvectorizer",
    ),
    "united": (
        FeatureUnion([("a", StandardScaler()), ("b", PowerTransformer())]),
        GAPS,
        "featureunion__b",
    ),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_step_that_is_converted_wrongly_is_named(case, tmp_path):
    step, rows, name = WRONG[case]
    last = (quick(),) if rows is DOCUMENTS else (SimpleImputer(), quick())
    model = make_pipeline(step, *last).fit(rows, IS_COOK)
    with pytest.raises(ValueError, match=rf"otherwise than.* rows of X, by 0\.\d+ .*{name}"):
        to_onnx(model, tmp_path / "model.onnx", X=rows)
    assert not list(tmp_path.iterdir())


def test_the_row_is_named_as_it_is_in_x():
    rows = np.tile(X, (10, 1))
    rows[-1, 0] = np.nan
    model = make_pipeline(PowerTransformer(), SimpleImputer(), quick())
    model.fit(rows, np.tile(IS_COOK, 10))
    with pytest.raises(ValueError, match=r"in 1 of 1000 rows of X.* row 3999\."):
        to_onnx(model, X=rows)


class Shifted(TransformerMixin, BaseEstimator):
    """A step of another package, whose converter is wrong by ``error``."""

    def __init__(self, error=0.0):
        self.error = error

    def fit(self, X, y=None):
        self.n_features_in_ = X.shape[1]
        return self

    def transform(self, X):
        return X

    def __sklearn_is_fitted__(self):
        return True


def _shapes(operator):
    operator.outputs[0].type = operator.inputs[0].type


def _converter(scope, operator, container):
    from skl2onnx.common.data_types import DoubleTensorType
    from skl2onnx.proto import onnx_proto

    is_double = isinstance(operator.inputs[0].type, DoubleTensorType)
    kind = onnx_proto.TensorProto.DOUBLE if is_double else onnx_proto.TensorProto.FLOAT
    name = scope.get_unique_variable_name("error")
    container.add_initializer(name, kind, [1], [operator.raw_operator.error])
    container.add_node(
        "Add", [operator.inputs[0].full_name, name], operator.outputs[0].full_name, op_version=13
    )


@pytest.mark.parametrize("float64", [False, True])
@pytest.mark.parametrize(("error", "is_wrong"), [(0.0, False), (1e-9, False), (0.01, True)])
def test_any_step(error, is_wrong, float64):
    skl2onnx.update_registered_converter(Shifted, "Shifted", _shapes, _converter)
    model = make_pipeline(StandardScaler(), Shifted(error), quick()).fit(X, IS_COOK)
    if is_wrong:
        with pytest.raises(ValueError, match="'shifted', Shifted,"):
            to_onnx(model, X=X, float64=float64)
    else:
        assert to_onnx(model, X=X, float64=float64)


@pytest.mark.parametrize(
    ("steps", "offset", "scale"),
    [
        *product([()], [0, 1, 1e4, 1e6], [1e-30, 1, 1e6]),
        *product([(StandardScaler(),)], [0, 1, 1e4, 1e6], [1e-30, 1, 1e30]),
        *product([(TruncatedSVD(2), StandardScaler())], [0, 1, 1e4, 1e6], [1e-30, 1, 1e30]),
    ],
)
def test_rounding_is_let_pass(steps, offset, scale):
    rows = (X + offset) * scale
    model = make_pipeline(*steps, quick()).fit(rows, IS_COOK)
    other = RNG.normal(size=X.shape) * 3 * scale + offset * scale
    for float64 in (False, True):
        assert to_onnx(model, X=other, float64=float64)
    assert to_onnx(model, X=pd.DataFrame(other).astype(np.float32))


ENCODERS = [OneHotEncoder(), OrdinalEncoder()]


@pytest.mark.parametrize("encoder", ENCODERS, ids=lambda encoder: type(encoder).__name__)
def test_what_is_converted_rightly_is_let_pass(encoder):
    assert to_onnx(make_pipeline(by_column(encoder), quick()).fit(FRAME, IS_COOK), X=FRAME)


def test_none_has_an_ordinal_code_of_its_own():
    frame = pd.DataFrame({"job": np.where(GAPPY_JOBS == "cook", None, JOBS)}, dtype=object)
    model = make_pipeline(OrdinalEncoder(), StandardScaler(), quick()).fit(frame, IS_COOK)
    to_onnx(model, X=frame)


@pytest.mark.parametrize("dtype", ["Float64", "Float32", "float64[pyarrow]"])
def test_missing_cells_of_other_dtypes(dtype):
    frame = pd.DataFrame(GAPS, columns=list("abc")).astype(dtype)
    model = make_pipeline(SimpleImputer(), StandardScaler(), quick()).fit(frame, IS_COOK)
    to_onnx(model, X=frame)


def test_float32_far_from_zero_in_a_model_of_double():
    frame = pd.DataFrame(X + 1e4, columns=list("abc")).astype(np.float32)
    model = make_pipeline(Normalizer(), StandardScaler(), quick()).fit(frame, IS_COOK)
    to_onnx(model, X=frame, float64=True)


def test_steps_that_write_to_rows_are_compared_on_others():
    skl2onnx.update_registered_converter(Shifted, "Shifted", _shapes, _converter)
    frame = pd.DataFrame(X * 1e5, columns=list("abc"))
    before = frame.copy()
    model = make_pipeline(MinMaxScaler(copy=False), Shifted(0.1), quick())
    model.fit(frame.copy(), IS_COOK)
    with pytest.raises(ValueError, match="otherwise than the model"):
        to_onnx(model, X=frame)
    pd.testing.assert_frame_equal(frame, before)


def test_onnx_compares_where_onnxruntime_is_not(monkeypatch):
    monkeypatch.setitem(sys.modules, "onnxruntime", None)
    model = make_pipeline(by_column(OneHotEncoder()), quick()).fit(GAPPY, IS_COOK)
    assert to_onnx(model, X=GAPPY)
    model = make_pipeline(PowerTransformer(), SimpleImputer(), quick()).fit(GAPS, IS_COOK)
    with pytest.raises(ValueError, match=r"otherwise than.*powertransformer"):
        to_onnx(model, X=GAPS)
    model = make_pipeline(TfidfVectorizer(lowercase=False), quick()).fit(DOCUMENTS, IS_COOK)
    with pytest.warns(UserWarning, match="not compared.*onnxruntime"):
        assert to_onnx(model, X=DOCUMENTS)
