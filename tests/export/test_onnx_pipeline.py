"""Pipelines as models of ONNX: in onnxruntime they predict what they predict."""

import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.decomposition import PCA, FastICA
from sklearn.exceptions import NotFittedError
from sklearn.feature_extraction.text import CountVectorizer
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    Binarizer,
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    StandardScaler,
)

from skbn import BNSoftmaxClassifier, tabular_pipeline
from skbn.export import to_onnx
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.search import CoarseToFineSearchCV

pytest.importorskip("onnxruntime")
onnx = pytest.importorskip("onnx")

from onnx_runs import assert_same, inputs_of, session_of  # noqa: E402

pytestmark = pytest.mark.slow

RNG = np.random.default_rng(0)
N = 400
X = RNG.normal(size=(N, 5)) * [1, 10, 0.1, 1, 1] + [0, 5, 0, 100, 0]
Y = (X[:, 0] > 0) * 1 + (X[:, 1] > 5)
GAPS = np.where(RNG.random(X.shape) < 0.1, np.nan, X)
GAPS[:, 4] = np.nan
GAPS[:, 2] = X[:, 2]
JOBS = RNG.choice(["cook", "nurse", "a 'b' é", "pilot"], size=N, p=[0.5, 0.3, 0.19, 0.01])
FRAME = pd.DataFrame(
    {
        "age": np.where(RNG.random(N) < 0.2, np.nan, RNG.normal(40, 10, N)),
        "capital gain": RNG.integers(0, 10**6, N),
        "year": RNG.integers(2000, 2020, N).astype(np.int32),
        "rate": RNG.random(N).astype(np.float32),
        "is-new": RNG.random(N) < 0.5,
        "job": np.where(RNG.random(N) < 0.2, np.nan, JOBS.astype(object)),
        "town": pd.Categorical(RNG.choice(["x", "y", "z"], N)),
        "code": RNG.integers(0, 4, N),
    }
)
TRAIN, TEST = FRAME[:300], FRAME[300:].assign(job=lambda frame: frame["job"].replace("cook", "sky"))
ANSWERS = np.where((FRAME["age"].fillna(0) > 40) ^ (FRAME["year"] > 2010), "yes", "no")
NUMBERS = ["age", "capital gain", "year", "rate", "is-new"]
TEXTS = ["job", "town"]
ALPHA = "bnsoftmaxclassifier__alpha"


def quick():
    return BNSoftmaxClassifier(hidden_layer_sizes=(8,), max_iter=2, random_state=0)


def numbers_and(*transformers, **options):
    numeric = make_pipeline(SimpleImputer(add_indicator=True), StandardScaler())
    return make_pipeline(
        make_column_transformer((numeric, NUMBERS), *transformers, **options), quick()
    )


STEPS = {
    "scaled": StandardScaler(),
    "nothing": "passthrough",
    "none": None,
    "of skl2onnx": PCA(3),
    "encoded": PiecewiseLinearEncoder(),
    "encoded, with the original": PiecewiseLinearEncoder(n_bins=5, include_original=True),
    "encoded by trees": PiecewiseLinearEncoder(n_bins=5, strategy="tree"),
    "nested": make_pipeline("passthrough", make_pipeline(StandardScaler(), None), MinMaxScaler()),
    "united": FeatureUnion(
        [("a", PCA(2)), ("b", StandardScaler()), ("c", "passthrough"), ("d", "drop")],
        transformer_weights={"a": 0.5, "c": 2.0},
    ),
    "by slices and places": ColumnTransformer(
        [("a", StandardScaler(), slice(1, None, 2)), ("b", "passthrough", [-1, 0])]
    ),
    "by a mask": ColumnTransformer([("a", StandardScaler(), [False, False, True, True, False])]),
    "with a remainder": ColumnTransformer(
        [("a", make_pipeline(PCA(1)), [3, 1]), ("b", "drop", [0]), ("c", MinMaxScaler(), [])],
        remainder="passthrough",
        transformer_weights={"a": 2.0},
    ),
    "binary": Binarizer(threshold=0.25),
    "norms": FeatureUnion([(norm, Normalizer(norm)) for norm in ("l1", "l2", "max")]),
    "one-hot numbers": OneHotEncoder(
        max_categories=5, handle_unknown="infrequent_if_exist", sparse_output=False
    ),
}


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("step", STEPS)
def test_steps_of_an_array(step, dtype):
    rows = X.astype(dtype)
    rows[:20] = rows[:20].round()  # thresholds, and rows of zeros
    rows[20:25] = 0
    model = make_pipeline(STEPS[step], StandardScaler(), quick()).fit(rows[:300], Y[:300])
    is_double = dtype == np.float64
    session = session_of(to_onnx(model, float64=is_double))
    tolerance = 1e-12 if is_double else 2e-6
    assert_same(session.run(None, {"X": rows}), model, rows, tolerance)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize(
    "imputer",
    [
        SimpleImputer(),
        SimpleImputer(add_indicator=True),
        SimpleImputer(strategy="median", keep_empty_features=True),
        SimpleImputer(strategy="constant", fill_value=-3.5, keep_empty_features=True),
    ],
)
@pytest.mark.filterwarnings("ignore:Skipping features without any observed values")
def test_missing_numbers(imputer, dtype):
    rows = GAPS.astype(dtype)
    model = make_pipeline(imputer, StandardScaler(), quick()).fit(rows, Y)
    session = session_of(to_onnx(model, float64=dtype == np.float64))
    tolerance = 1e-12 if dtype == np.float64 else 2e-6
    assert_same(session.run(None, {"X": rows}), model, rows, tolerance)


def test_a_number_that_marks_missing_ones():
    rows = np.where(np.isnan(GAPS), -1, GAPS)[:, :4]
    model = make_pipeline(SimpleImputer(missing_values=-1), StandardScaler(), quick()).fit(rows, Y)
    outputs = session_of(to_onnx(model, float64=True)).run(None, {"X": rows})
    assert_same(outputs, model, rows, 1e-12)


ENCODERS = {
    "unknown ignored": OneHotEncoder(handle_unknown="ignore"),
    "rare together": OneHotEncoder(handle_unknown="infrequent_if_exist", min_frequency=20),
    "rare together, unknown ignored": OneHotEncoder(handle_unknown="ignore", min_frequency=20),
    "first dropped": OneHotEncoder(drop="first", handle_unknown="ignore", sparse_output=False),
    "rare together, first dropped": OneHotEncoder(
        drop="first", handle_unknown="infrequent_if_exist", min_frequency=20, dtype=np.float32
    ),
    "most frequent": make_pipeline(
        SimpleImputer(strategy="most_frequent"),
        OneHotEncoder(handle_unknown="ignore"),
    ),
    "a word": make_pipeline(
        SimpleImputer(strategy="constant", fill_value="none"),
        OneHotEncoder(handle_unknown="ignore"),
    ),
}


@pytest.mark.parametrize("encoder", ENCODERS)
@pytest.mark.filterwarnings("ignore:Found unknown categories")
def test_a_frame_of_numbers_and_text(encoder):
    model = numbers_and((ENCODERS[encoder], TEXTS), ("passthrough", ["code"]))
    model.fit(TRAIN, ANSWERS[:300])
    for float64 in (False, True):
        onnx_model = to_onnx(model, X=TRAIN, float64=float64)
        session = session_of(onnx_model)
        for missing in ("", "nan", "<NA>"):
            outputs = session.run(None, inputs_of(onnx_model, TEST, missing))
            assert_same(outputs, model, TEST, 1e-12 if float64 else 1e-6)


ORDINAL = {
    "missing as a number": OrdinalEncoder(encoded_missing_value=-1),
    "missing imputed": make_pipeline(OrdinalEncoder(), SimpleImputer()),
    "unknown as a number": OrdinalEncoder(
        handle_unknown="use_encoded_value", unknown_value=9, encoded_missing_value=-2
    ),
    "rare together": OrdinalEncoder(
        min_frequency=20,
        handle_unknown="use_encoded_value",
        unknown_value=-1,
        encoded_missing_value=-2,
        dtype=np.float32,
    ),
}


@pytest.mark.parametrize("encoder", ORDINAL)
def test_ordinal_codes(encoder):
    columns = [*TEXTS, "code", "age"]
    train, test = (frame.assign(age=frame["age"].round(-1)) for frame in (TRAIN, TEST))
    model = make_pipeline(make_column_transformer((ORDINAL[encoder], columns)), quick())
    model.fit(train, ANSWERS[:300])
    if "use_encoded_value" not in str(ORDINAL[encoder]):
        test = train
    onnx_model = to_onnx(model, X=train, float64=True)
    for missing in ("", "nan"):
        outputs = session_of(onnx_model).run(None, inputs_of(onnx_model, test, missing))
        assert_same(outputs, model, test, 1e-6)  # codes of float are computed with in float


@pytest.mark.parametrize("of_imputer", [np.nan, None])
@pytest.mark.parametrize("missing", [np.nan, None])
def test_none_is_not_nan(missing, of_imputer):
    """An imputer of the one leaves the other as a category."""
    text = np.where(RNG.random(N) < 0.2, missing, JOBS.astype(object))
    frame = pd.DataFrame({"job": pd.Series(text, dtype=object)})
    imputer = SimpleImputer(missing_values=of_imputer, strategy="most_frequent")
    model = make_pipeline(imputer, OneHotEncoder(sparse_output=False), quick())
    try:
        model.fit(frame, ANSWERS)
    except ValueError:
        assert missing is not of_imputer  # scikit-learn finds NaN where None is to be imputed
        return
    onnx_model = to_onnx(model, X=frame)
    inputs = {"job": frame[["job"]].to_numpy()}
    assert_same(session_of(onnx_model).run(None, inputs), model, frame)


def test_columns_by_selectors_and_of_numbers_one_hot():
    model = make_pipeline(
        make_column_transformer(
            (StandardScaler(), make_column_selector(dtype_include="number")),
            (OneHotEncoder(), ["code", "is-new", "year"]),
            (OneHotEncoder(handle_unknown="ignore"), slice("job", "town")),
            remainder="passthrough",
        ),
        quick(),
    )
    train, test = TRAIN.fillna({"age": 40}), TEST.fillna({"age": 40})
    model.fit(train, ANSWERS[:300])
    onnx_model = to_onnx(model, X=train, float64=True)
    outputs = session_of(onnx_model).run(None, inputs_of(onnx_model, test))
    assert_same(outputs, model, test, 1e-12)


def test_each_column_is_an_input_of_its_type():
    model = numbers_and((OneHotEncoder(handle_unknown="ignore"), TEXTS)).fit(TRAIN, ANSWERS[:300])
    # Columns may come in another order, and among others.
    onnx_model = to_onnx(model, X=TRAIN[TRAIN.columns[::-1]].assign(other=1))
    kinds = {
        each.name: onnx.helper.tensor_dtype_to_np_dtype(each.type.tensor_type.elem_type).name
        for each in onnx_model.graph.input
    }
    assert kinds == {
        "age": "float64",
        "capital gain": "int64",
        "year": "int32",
        "rate": "float32",
        "is-new": "bool",
        "job": "object",
        "town": "object",
    }
    assert {each.name for each in onnx_model.graph.output} == {"label", "probabilities"}
    assert all(
        [dim.dim_value for dim in each.type.tensor_type.shape.dim] == [0, 1]
        for each in onnx_model.graph.input
    )


def test_no_rows():
    model = numbers_and((OneHotEncoder(handle_unknown="ignore"), TEXTS)).fit(TRAIN, ANSWERS[:300])
    onnx_model = to_onnx(model, X=TRAIN)
    label, probabilities = session_of(onnx_model).run(None, inputs_of(onnx_model, TEST[:0]))
    assert label.shape == (0,)
    assert probabilities.shape == (0, 2)


def test_nullable_columns():
    def nullable(frame):
        return frame.astype({"code": "Int64", "is-new": "boolean"}).mask(
            RNG.random(frame.shape) < 0.1
        )

    rows = nullable(TRAIN[["age", "code", "is-new"]])
    model = make_pipeline(SimpleImputer(), quick()).fit(rows, ANSWERS[:300])
    onnx_model = to_onnx(model, X=rows, float64=True)
    outputs = session_of(onnx_model).run(None, inputs_of(onnx_model, rows))
    assert_same(outputs, model, rows, 1e-12)


def test_a_step_that_resamples_in_training_only():
    imblearn = pytest.importorskip("imblearn")
    sampler = imblearn.over_sampling.RandomOverSampler(random_state=0)
    model = imblearn.pipeline.make_pipeline(StandardScaler(), sampler, quick()).fit(X, Y)
    outputs = session_of(to_onnx(model, float64=True)).run(None, {"X": X})
    assert_same(outputs, model, X, 1e-12)


def test_a_frame_of_polars():
    polars = pytest.importorskip("polars")
    rows = polars.DataFrame({"age": X[:, 0], "code": list(range(N))})
    model = make_pipeline(StandardScaler(), quick()).fit(rows, Y)
    onnx_model = to_onnx(model, X=rows, float64=True)
    outputs = session_of(onnx_model).run(None, inputs_of(onnx_model, pd.DataFrame(rows.to_dict())))
    assert_same(outputs, model, rows, 1e-12)


def test_words_of_a_text():
    words = make_column_transformer(
        (CountVectorizer(lowercase=False), "job"), ("passthrough", ["code"])
    )
    rows = TRAIN.fillna({"job": "no"})
    model = make_pipeline(words, quick()).fit(rows, ANSWERS[:300])
    onnx_model = to_onnx(model, X=rows)
    assert_same(session_of(onnx_model).run(None, inputs_of(onnx_model, rows)), model, rows, 1e-6)


@pytest.mark.parametrize(
    "search",
    [
        GridSearchCV(make_pipeline(StandardScaler(), quick()), {ALPHA: [0.1, 0.2]}, cv=2),
        CoarseToFineSearchCV(
            make_pipeline(StandardScaler(), quick()),
            {ALPHA: loguniform(0.1, 0.2)},
            n_candidates=2,
            n_rounds=1,
            cv=2,
        ),
    ],
    ids=lambda search: type(search).__name__,
)
def test_a_search_is_its_best_estimator(search):
    with pytest.raises(NotFittedError):
        to_onnx(search)
    search.fit(X, Y)
    outputs = session_of(to_onnx(search, float64=True)).run(None, {"X": X})
    assert_same(outputs, search, X, 1e-12)
    with pytest.raises(NotFittedError, match="refit=True"):
        to_onnx(clone(search).set_params(refit=False).fit(X, Y))


# What cannot be converted.


@pytest.mark.parametrize(
    ("step", "reason"),
    [
        (FastICA(2, random_state=0), "FastICA"),
        (FunctionTransformer(np.tanh), "FunctionTransformer"),
        (KMeans(2, random_state=0), "how it predicts, not how it transforms"),
        (PolynomialFeatures(), "there may be a conversion"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
@pytest.mark.filterwarnings("ignore")
def test_a_step_without_a_conversion_is_named(step, reason, tmp_path):
    part = make_column_transformer((make_pipeline(StandardScaler(), step), [0, 1]))
    model = make_pipeline(part, quick()).fit(X, Y)
    name = type(step).__name__.lower()
    with pytest.raises(ValueError, match=rf"'columntransformer__pipeline__{name}'.*{reason}"):
        to_onnx(model, tmp_path / "model.onnx", X=pd.DataFrame(X))
    assert not list(tmp_path.iterdir())


def test_without_skl2onnx_the_package_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "skl2onnx", None)
    with pytest.raises(ImportError, match=r'skl2onnx.* PCA, .*pip install "skbn\[onnx\]"'):
        to_onnx(make_pipeline(PCA(2), quick()).fit(X, Y))
    assert to_onnx(make_pipeline(SimpleImputer(), quick()).fit(X, Y))


@pytest.mark.parametrize(
    "step", [StandardScaler(), OneHotEncoder(), make_column_transformer((PCA(2), [0, 1]))]
)
def test_a_step_that_is_not_fitted(step):
    with pytest.raises(NotFittedError):
        to_onnx(make_pipeline(step, quick().fit(X, Y)))


def test_a_step_that_has_no_columns_left():
    model = make_pipeline(FeatureUnion([("a", StandardScaler())]), quick()).fit(X, Y)
    model[0].transformer_list = [("a", "drop")]
    with pytest.raises(ValueError, match="no columns"):
        to_onnx(model)


def test_the_size_of_one_hot_codes_is_linear_in_the_categories():
    rows = pd.DataFrame({"text": [f"no. {k}" for k in range(1000)], "number": range(1000)})
    for step in (OneHotEncoder(), OneHotEncoder(drop="first", max_categories=700)):
        model = make_pipeline(step, quick()).fit(rows, np.arange(1000) % 2)
        network = sum(weights.size for weights in model[-1].coefs_) * 4
        assert to_onnx(model, X=rows).ByteSize() < network + 2 * 1000 * 80


def test_another_model_is_named():
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    with pytest.raises(TypeError, match=r"ends in one, got LogisticRegression.*skl2onnx"):
        to_onnx(model)


@pytest.mark.parametrize(
    ("frame", "reason"),
    [
        (TRAIN.drop(columns="job"), r"lacks columns .*\['job'\]"),
        (TRAIN.assign(age="old"), "'age' holds text, not numbers"),
        (TRAIN.assign(age=pd.Timestamp("2020-01-01")), "'age' holds dates, not numbers"),
        (TRAIN.assign(job=1), "categories that are text, for column 'job' that is not"),
        (TRAIN.assign(job=[["a"]] * 300), "categories that are text, for column 'job' that is not"),
    ],
)
def test_columns_of_other_types_than_those_of_the_training(frame, reason):
    model = numbers_and((OneHotEncoder(handle_unknown="ignore"), TEXTS)).fit(TRAIN, ANSWERS[:300])
    with pytest.raises(ValueError, match=reason):
        to_onnx(model, X=frame)


# Any table.


@pytest.fixture(params=["skrub", "scikit-learn"])
def encoders(request, monkeypatch):
    """Whose transformers encode the text of a table."""
    if request.param == "skrub":
        pytest.importorskip("skrub")
    else:
        monkeypatch.setitem(sys.modules, "skrub", None)
    return request.param


@pytest.fixture
def tabular(encoders):
    kinds = {"rare": np.where(np.arange(N) % 150 == 0, FRAME.index.astype(str), "often")}
    table = FRAME.assign(
        **kinds,
        grade=pd.Categorical(RNG.choice([1, 2, 5], N)),
        nothing=np.full(N, None),
        constant=1,
    )
    return table


@pytest.mark.filterwarnings("ignore:Found unknown categories", "ignore:.*all-NaN")
def test_a_tabular_pipeline(tabular):
    train = tabular[:300]
    test = tabular[300:].assign(job=TEST["job"])
    model = tabular_pipeline(quick()).fit(train, ANSWERS[:300])
    onnx_model = to_onnx(model, X=train)
    session = session_of(onnx_model)
    for missing in ("", "?", "NA", "nan", "None"):
        assert_same(session.run(None, inputs_of(onnx_model, test, missing)), model, test, 1e-6)


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("kind", ["frame", "array"])
def test_numbers_that_a_tabular_pipeline_counts_as_missing(encoders, kind, dtype):
    rows = GAPS[:, :4].astype(dtype)
    model = tabular_pipeline(quick()).fit(rows if kind == "array" else pd.DataFrame(rows), Y)
    onnx_model = to_onnx(model, X=rows, float64=dtype == np.float64)
    odd = np.tile(rows[:1], (6, 1))
    odd[:, 0] = [np.inf, -np.inf, 1e29, 1e31, -2e30, np.nan]
    outputs = session_of(onnx_model).run(None, {"X": odd})
    assert_same(outputs, model, odd, 1e-6)
    np.testing.assert_array_equal(outputs[1][[0, 1, 3, 4]], outputs[1][[5] * 4])


def test_columns_that_a_tabular_pipeline_has_no_conversion_of_are_named(
    tabular, encoders, tmp_path
):
    columns = {
        "day": pd.Timestamp("2020-01-01") + pd.to_timedelta(np.arange(300) % 7, "D"),
        "day as text": [f"2020-01-{1 + k % 28:02}" for k in range(300)],
        "remark": [f"word{k}" for k in range(300)],
    }
    for name in columns:
        train = tabular[:300].assign(**{name: columns[name]})
        model = tabular_pipeline(quick()).fit(train, ANSWERS[:300])
        with pytest.raises(ValueError, match=rf"'tablevectorizer.* columns '{name}'.*\. Drop"):
            to_onnx(model, tmp_path / "model.onnx", X=train)
    if encoders == "skrub":
        train = tabular[:300].assign(**columns)
        model = tabular_pipeline(quick()).fit(train, ANSWERS[:300])
        named = r"'day' \(DatetimeEncoder.*\); 'remark' \(StringEncoder.*\)\. Drop"
        with pytest.raises(ValueError, match=named):
            to_onnx(model, tmp_path / "model.onnx", X=train)
    assert not list(tmp_path.iterdir())


@pytest.mark.filterwarnings("ignore:Found unknown categories", "ignore:.*all-NaN")
def test_a_tabular_pipeline_of_numbered_columns_of_which_one_is_unused(tabular):
    train = tabular[["age", "job", "year", "nothing"]].set_axis(range(4), axis=1)
    model = tabular_pipeline(quick()).fit(train, ANSWERS)
    onnx_model = to_onnx(model, X=train)
    assert [each.name for each in onnx_model.graph.input] == ["0", "1", "2"]
    inputs = inputs_of(onnx_model, train.rename(columns=str))
    assert_same(session_of(onnx_model).run(None, inputs), model, train)


@pytest.mark.filterwarnings("ignore:Found unknown categories", "ignore:.*all-NaN")
def test_a_column_without_values_may_be_absent(tabular):
    model = tabular_pipeline(quick()).fit(tabular, ANSWERS)
    rows = tabular.drop(columns="nothing")
    for given in (tabular, rows):
        onnx_model = to_onnx(model, X=given)
        assert {each.name for each in onnx_model.graph.input} <= set(rows)
        outputs = session_of(onnx_model).run(None, inputs_of(onnx_model, rows))
        assert_same(outputs, model, tabular)


def test_numbers_that_a_tabular_pipeline_reads_from_text_are_named(tabular):
    rows = tabular.assign(amount=np.resize(["1", "2.5", " 3 ", "?"], N))
    model = tabular_pipeline(quick()).fit(rows, ANSWERS)
    with pytest.raises(ValueError, match=r"text of column 'amount'.*make numbers of it before"):
        to_onnx(model, X=rows)
