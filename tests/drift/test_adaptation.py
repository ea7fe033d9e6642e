"""Models adapted to rows of another kind, with each scaler and layer on the way."""

import json
import pickle
import sys
import warnings
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csr_array
from sklearn.base import BaseEstimator, ClassifierMixin, clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_transformer
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA
from sklearn.ensemble import VotingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LinearRegression, LogisticRegression, RidgeClassifier
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import (
    MinMaxScaler,
    OneHotEncoder,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from skbn import BNSoftmaxClassifier, tabular_pipeline
from skbn.drift import adapt
from skbn.export import SKOPS_TYPES, load_model, save_model
from skbn.preprocessing import PiecewiseLinearEncoder

pytestmark = pytest.mark.slow

STREAM = np.random.default_rng(0)
X = STREAM.normal(size=(400, 4)) * [1, 5, 0.2, 30] + [0, 3, -1, 100]
Y = np.array(["b", "a", "c"])[np.digitize((X @ [1, 0.4, -3, 0.05]), [7, 11])]
DRIFTED = X * [3, 0.5, 2, 1] + [4, -2, 0, 7]
FRAME = pd.DataFrame(X, columns=["p", "q", "r", "s"]).assign(
    job=STREAM.choice(["cook", "nurse", "smith"], len(X))
)
DRIFTED_FRAME = FRAME.assign(**dict(zip("pqrs", DRIFTED.T, strict=True)))


def network(**parameters):
    quick = {"hidden_layer_sizes": (16, 16), "max_iter": 20, "random_state": 0}
    return BNSoftmaxClassifier(**(quick | parameters))


def steps(adapted, key="re_estimated"):
    return [each["step"] for each in adapted.adaptation_[key]]


MODELS = {
    # model, rows to fit it on, its steps that are re-estimated
    "network": (network(), X, ["bnsoftmaxclassifier"] * 2),
    "pipeline": (
        make_pipeline(StandardScaler(), network()),
        X,
        ["standardscaler", *["bnsoftmaxclassifier"] * 2],
    ),
    "other classifier": (
        make_pipeline(MinMaxScaler(), LogisticRegression()),
        X,
        ["minmaxscaler"],
    ),
    "nested": (
        make_pipeline(
            ColumnTransformer(
                [
                    ("one", make_pipeline(SimpleImputer(), StandardScaler()), ["p", "q"]),
                    ("two", RobustScaler(), slice("r", "r")),
                    ("job", OneHotEncoder(), ["job"]),
                ],
                remainder=MinMaxScaler(),
                n_jobs=2,
            ),
            network(),
        ),
        FRAME,
        [
            *("columntransformer__one__standardscaler", "columntransformer__two"),
            *("columntransformer__remainder", *["bnsoftmaxclassifier"] * 2),
        ],
    ),
    "union": (
        make_pipeline(
            FeatureUnion([("raw", "passthrough"), ("codes", PiecewiseLinearEncoder())]),
            PCA(5),
            StandardScaler(),
            network(),
        ),
        X,
        ["featureunion__codes", "standardscaler", *["bnsoftmaxclassifier"] * 2],
    ),
    "search": (
        GridSearchCV(make_pipeline(StandardScaler(), network()), {}, cv=2),
        X,
        ["standardscaler", *["bnsoftmaxclassifier"] * 2],
    ),
    "calibrated": (
        CalibratedClassifierCV(make_pipeline(StandardScaler(), network()), cv=2),
        X,
        None,
    ),
    "voting": (
        VotingClassifier(
            [("linear", make_pipeline(StandardScaler(), LogisticRegression()))], voting="soft"
        ),
        X,
        ["estimators_0__standardscaler"],
    ),
    "scalers that write into their input": (
        make_pipeline(StandardScaler(copy=False), MinMaxScaler(copy=False), network()),
        X,
        ["standardscaler", "minmaxscaler", *["bnsoftmaxclassifier"] * 2],
    ),
    "scaler that makes frames": (
        make_pipeline(StandardScaler(), network()).set_output(transform="pandas"),
        FRAME.drop(columns="job"),
        ["standardscaler", *["bnsoftmaxclassifier"] * 2],
    ),
}


@pytest.fixture(scope="module")
def fitted():
    """Models by name, fitted once."""
    return {name: clone(model).fit(rows.copy(), Y) for name, (model, rows, _) in MODELS.items()}


def drifted(rows):
    kinds = {4: DRIFTED} if isinstance(rows, np.ndarray) else {5: DRIFTED_FRAME}
    kinds.setdefault(4, DRIFTED_FRAME.drop(columns="job"))
    return kinds[rows.shape[1]].copy()


@pytest.mark.parametrize("name", MODELS)
def test_all_scalers_and_layers_are_re_estimated_and_the_original_is_untouched(fitted, name):
    model, (_, rows, expected) = fitted[name], MODELS[name]
    new = drifted(rows)
    before, new_before = pickle.dumps(model), new.copy()
    probabilities = model.predict_proba(rows.copy())
    adapted = adapt(model, new)
    assert type(adapted) is type(model)
    assert expected is None or steps(adapted) == expected
    assert pickle.dumps(model) == before
    np.testing.assert_array_equal(model.predict_proba(rows.copy()), probabilities)
    np.testing.assert_array_equal(np.asarray(new), np.asarray(new_before))
    assert adapted.score(new.copy(), Y) > model.score(new.copy(), Y)
    unchanged = adapt(model, new, prior_rows=1e300 if "network" not in name else 1e9)
    np.testing.assert_allclose(unchanged.predict_proba(rows.copy()), probabilities, atol=1e-4)
    copies = [deepcopy(adapted), pickle.loads(pickle.dumps(adapted))]
    for each in copies:
        np.testing.assert_array_equal(
            each.predict_proba(rows.copy()), adapted.predict_proba(rows.copy())
        )
        assert each.adaptation_ == adapted.adaptation_
    assert json.loads(json.dumps(adapted.adaptation_)) == adapted.adaptation_


@pytest.mark.parametrize("name", MODELS)
def test_nothing_of_the_way_stays_in_the_model(fitted, name):
    adapted = adapt(fitted[name], drifted(MODELS[name][1]))
    del adapted.adaptation_
    assert b"passage" not in pickle.dumps(adapted)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_an_affine_change_of_the_inputs_is_undone(dtype):
    model = make_pipeline(StandardScaler(), network(dtype=dtype)).fit(X, Y)
    expected = adapt(model, X, prior_rows=0).predict_proba(X)
    adapted = adapt(model, DRIFTED, prior_rows=0)
    np.testing.assert_allclose(adapted.predict_proba(DRIFTED), expected, atol=1e-6)


def test_each_scaler_is_fitted_on_what_reaches_it():
    scalers = [RobustScaler(), MinMaxScaler(), StandardScaler()]
    model = make_pipeline(*scalers, network()).fit(X, Y)
    adapted, rows = adapt(model, DRIFTED, prior_rows=0), DRIFTED
    for scaler, (_, step) in zip(scalers, adapted.steps, strict=False):
        expected = clone(scaler).fit(rows)
        rows = expected.transform(rows)
        np.testing.assert_array_equal(step.transform(np.eye(4)), expected.transform(np.eye(4)))


def test_what_is_left_alone_and_kept_is_said():
    columns = make_column_transformer(
        (PowerTransformer(), ["p"]), (StandardScaler(), ["q"]), ("passthrough", ["r"])
    )
    model = make_pipeline(columns, SimpleImputer(), network()).fit(FRAME, Y)
    said = adapt(model, DRIFTED_FRAME).adaptation_
    left = {each["step"]: each for each in said["left_alone"]}
    assert left.keys() >= {"columntransformer__powertransformer", "simpleimputer"}
    assert left["simpleimputer"]["type"] == "SimpleImputer"
    assert all(each["why"] for each in left.values())
    assert said["shift"] == "covariate"
    assert said["n_rows"] == len(X)
    assert said["kept"][0].startswith(f"temperature_ {model[-1].temperature_:.4g}")
    first = said["re_estimated"][0]
    assert first.keys() == {"step", "type", "prior_rows", "moved"}
    q = (DRIFTED_FRAME["q"].mean() - FRAME["q"].mean()) / FRAME["q"].std(ddof=0)
    assert first["moved"] == pytest.approx(abs(q))
    assert [each["layer"] for each in said["re_estimated"][1:]] == [1, 2]
    other = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    (left,) = adapt(other, DRIFTED).adaptation_["left_alone"]
    assert left["step"] == "logisticregression"


def test_digits_that_are_brighter_are_read_again():
    pixels, digits = load_digits(return_X_y=True)
    model = make_pipeline(StandardScaler(), BNSoftmaxClassifier((64,), random_state=0))
    model.fit(pixels[:1200], digits[:1200])
    brighter = np.clip(pixels + 5, 0, 16)
    frozen = model.score(brighter[1200:], digits[1200:])
    adapted = adapt(model, brighter[1200:1500])
    assert frozen < 0.5
    assert adapted.score(brighter[1500:], digits[1500:]) > frozen + 0.35


ENCODERS = {
    "skrub": ["tablevectorizer"],
    "scikit-learn": [
        f"tablevectorizer__{kind}"
        for kind in ("numeric", "datetime", "low_cardinality", "high_cardinality")
    ],
}
"""Steps that encode a table."""


@pytest.mark.parametrize("encoders", ENCODERS)
def test_tables_of_all_kinds_of_columns(encoders, monkeypatch):
    if encoders == "skrub":
        pytest.importorskip("skrub")
    else:
        monkeypatch.setitem(sys.modules, "skrub", None)
    frame = FRAME.assign(day=pd.date_range("2020-01-01", periods=len(X)), flag=X[:, 0] > 0)
    frame["remark"] = [f"word {k % 50}" for k in range(len(X))]
    frame.loc[::7, "q"] = np.nan
    model = tabular_pipeline(network()).fit(frame, Y)
    new = frame.assign(p=frame["p"] * 3 + 1)
    adapted = adapt(model, new)
    assert steps(adapted)[0] == "piecewiselinearencoder"
    assert steps(adapted, "left_alone") == ["tablecleaner", *ENCODERS[encoders], "simpleimputer"]
    assert adapted.score(new, Y) > model.score(new, Y)


@pytest.mark.parametrize("form", [csr_array, coo_array])
def test_sparse_rows(form):
    rows = np.abs(X) * (STREAM.random(X.shape) < 0.5)
    model = make_pipeline(StandardScaler(with_mean=False), network()).fit(form(rows), Y)
    adapted = adapt(model, form(rows * 3), prior_rows=0)
    dense = adapt(model, rows * 3, prior_rows=0)
    np.testing.assert_allclose(
        adapted.predict_proba(form(rows)), dense.predict_proba(rows), atol=1e-6
    )
    assert adapt(network().fit(form(rows), Y), form(rows)).adaptation_["n_rows"] == len(X)


def test_rows_as_lists(fitted):
    adapted = adapt(fitted["pipeline"], DRIFTED.tolist())
    np.testing.assert_array_equal(
        adapted.predict(DRIFTED), adapt(fitted["pipeline"], DRIFTED).predict(DRIFTED)
    )


def test_classifiers_without_probabilities():
    members = [("linear", make_pipeline(StandardScaler(), LogisticRegression()))]
    adapted = adapt(VotingClassifier(members).fit(X, Y), DRIFTED)
    assert steps(adapted) == ["estimators_0__standardscaler"]
    model = make_pipeline(RobustScaler(), RidgeClassifier()).fit(X, Y)
    assert steps(adapt(model, DRIFTED)) == ["robustscaler"]


class Centred(ClassifierMixin, BaseEstimator):
    """A classifier of one's own that shows a scaler as an attribute, and hides another."""

    def fit(self, X, y):
        self.scaler_ = StandardScaler().fit(X)
        self._hidden = StandardScaler().fit(X)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        means = self.scaler_.transform(X)[:, 0] + self._hidden.transform(X)[:, 0]
        return self.classes_[(means > 0).astype(int)]


def test_scalers_of_other_estimators_are_found_where_they_show():
    adapted = adapt(Centred().fit(X, Y == "a"), DRIFTED, prior_rows=0)
    assert steps(adapted) == ["scaler_"]
    np.testing.assert_array_equal(adapted.scaler_.mean_, StandardScaler().fit(DRIFTED).mean_)
    np.testing.assert_array_equal(adapted._hidden.mean_, StandardScaler().fit(X).mean_)


# What is wrong.


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"shift": "both"}, ValueError, 'shift must be "covariate" or "label"'),
        ({"shift": None}, ValueError, 'shift must be "covariate" or "label"'),
        ({"prior_rows": -1}, ValueError, "prior_rows must be"),
        ({"prior_rows": np.nan}, ValueError, "prior_rows must be"),
        ({"prior_rows": np.inf}, ValueError, "prior_rows must be"),
        ({"prior_rows": "few"}, ValueError, "prior_rows must be"),
        ({"prior_rows": None}, ValueError, "prior_rows must be"),
        ({"prior_rows": True}, ValueError, "prior_rows must be"),
        ({"prior_rows": [1, 2]}, ValueError, "prior_rows must be"),
        ({"class_prior": [1, 1, 1]}, ValueError, "class_prior is for"),
        ({"shift": "label", "prior_rows": 5}, ValueError, "prior_rows is for"),
        ({"X_new": X[:0]}, ValueError, "X_new has no rows"),
        ({"X_new": []}, ValueError, "X_new has no rows"),
        ({"X_new": X[0]}, ValueError, r"table of shape .*single row is \[row\]"),
        ({"X_new": None}, ValueError, "table of shape"),
        ({"X_new": X[:, :3]}, ValueError, "features"),
        ({"X_new": np.where(X > 110, np.nan, X)}, ValueError, "NaN"),
        ({"model": LinearRegression().fit(X, X[:, 0])}, TypeError, "must be a fitted classifier"),
        ({"model": StandardScaler().fit(X)}, TypeError, "must be a fitted classifier"),
        ({"model": "model"}, TypeError, "must be a fitted classifier"),
        ({"model": BNSoftmaxClassifier}, TypeError, "must be a fitted classifier"),
        ({"model": make_pipeline(StandardScaler(), network())}, NotFittedError, "not fitted"),
        ({"model": network()}, NotFittedError, "not fitted"),
    ],
)
def test_mistakes_are_explained_and_leave_the_model(fitted, changes, error, message):
    model = fitted["pipeline"]
    before = pickle.dumps(model)
    with pytest.raises(error, match=message):
        adapt(**({"model": model, "X_new": X} | changes))
    assert pickle.dumps(model) == before


@pytest.mark.parametrize(
    "model",
    [
        LogisticRegression(max_iter=9999),
        make_pipeline(SimpleImputer(), LogisticRegression(max_iter=9999)),
        network(batch_norm=False),
        network(hidden_layer_sizes=()),
    ],
    ids=repr,
)
def test_a_model_without_moments_is_an_error_that_says_what_to_do(model):
    with pytest.raises(ValueError, match=r"nothing .* Put a StandardScaler"):
        adapt(clone(model).fit(X, Y), X)


def test_missing_columns_are_named(fitted):
    with pytest.raises(ValueError, match="'q'"):
        adapt(fitted["nested"], DRIFTED_FRAME.drop(columns="q"))


# Warnings.


def test_few_rows_are_warned_of(fitted):
    with pytest.warns(UserWarning, match="X_new has 31 rows"):
        adapt(fitted["pipeline"], X[:31])
    with pytest.warns(UserWarning, match="X_new has 1 row,"):
        adapt(fitted["pipeline"], X[:1])
    adapt(fitted["pipeline"], X[:32])


CENTRES = STREAM.normal(size=(3, 8)) * 1.5


def rows_of(n_rows, priors, seed):
    stream = np.random.default_rng(seed)
    labels = stream.choice(3, n_rows, p=priors)
    return CENTRES[labels] + stream.normal(size=(n_rows, 8)), np.array(["b", "c", "a"])[labels]


@pytest.fixture(scope="module")
def of_three_kinds():
    rows, labels = rows_of(1500, [0.3, 0.5, 0.2], 0)
    return make_pipeline(StandardScaler(), network(max_iter=15)).fit(rows, labels)


CHANGES = {
    "none": lambda rows: rows,
    "offset": lambda rows: rows + 1.5,
    "gain": lambda rows: rows * 1.7,
    "one column": lambda rows: rows + 6 * np.eye(8)[3],
    "noise": lambda rows: rows + np.random.default_rng(3).normal(size=rows.shape) * 0.7,
    "offset and noise": lambda rows: (
        rows - 2 + np.random.default_rng(3).normal(size=rows.shape) * 0.5
    ),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("n_rows", [40, 300, 1000])
def test_moved_features_are_not_warned_of_as_label_shift(of_three_kinds, change, n_rows):
    for seed in (1, 2):
        rows, _ = rows_of(n_rows, [0.3, 0.5, 0.2], seed)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            adapt(of_three_kinds, CHANGES[change](rows))


@pytest.mark.parametrize("prior_rows", ["auto", 0])
@pytest.mark.parametrize("n_rows", [300, 1000])
@pytest.mark.parametrize("priors", [[0.8, 0.1, 0.1], [0.1, 0.3, 0.6], [0.45, 0.1, 0.45]])
def test_label_shift_is_warned_of_with_figures(of_three_kinds, priors, n_rows, prior_rows):
    rows, _ = rows_of(n_rows, priors, 1)
    most = "bca"[int(np.argmax(np.abs(np.subtract(priors, [0.3, 0.5, 0.2]))))]
    with pytest.warns(UserWarning, match="as under label shift") as caught:
        adapted = adapt(of_three_kinds, rows, prior_rows=prior_rows)
    message = str(caught[0].message)
    assert f"frequencies {most} from " in message
    assert "choose_adaptation" in message
    assert caught[0].filename == __file__
    assert adapted.adaptation_["shift"] == "covariate"


def test_classes_that_were_weighted_in_training_are_no_label_shift():
    rows, labels = rows_of(1500, [0.1, 0.8, 0.1], 0)
    model = make_pipeline(StandardScaler(), network(class_weight="balanced")).fit(rows, labels)
    for change in ("none", "offset", "gain"):
        adapt(model, CHANGES[change](rows_of(1000, [0.1, 0.8, 0.1], 1)[0]))


def test_steps_that_were_frozen_are_re_estimated():
    model = make_pipeline(FrozenEstimator(StandardScaler().fit(X)), network()).fit(X, Y)
    adapted = adapt(model, DRIFTED, prior_rows=0)
    assert steps(adapted)[0] == "frozenestimator__estimator"
    assert adapted.score(DRIFTED, Y) > 0.9


def test_label_shift_of_other_classifiers_cannot_be_told(of_three_kinds):
    rows, labels = rows_of(1500, [0.3, 0.5, 0.2], 0)
    model = make_pipeline(StandardScaler(), LogisticRegression()).fit(rows, labels)
    adapt(model, rows_of(1000, [0.9, 0.05, 0.05], 1)[0])


def test_the_shift_of_labels_is_handed_on(of_three_kinds):
    rows, labels = rows_of(1000, [0.8, 0.1, 0.1], 1)
    corrected = adapt(of_three_kinds, rows, shift="label")
    assert corrected.adaptation_["shift"] == "label"
    assert corrected.score(rows, labels) >= of_three_kinds.score(rows, labels)


# Files.


@pytest.mark.parametrize("name", ["network", "pipeline", "nested", "union"])
def test_adapted_models_travel_as_others_do(fitted, name, tmp_path):
    skops = pytest.importorskip("skops.io")
    rows = drifted(MODELS[name][1])
    adapted = adapt(fitted[name], rows)
    skops.dump(adapted, tmp_path / "model.skops")
    loaded = skops.load(tmp_path / "model.skops", trusted=SKOPS_TYPES)
    np.testing.assert_array_equal(loaded.predict_proba(rows), adapted.predict_proba(rows))
    assert loaded.adaptation_ == adapted.adaptation_


def test_an_adapted_network_is_saved_and_fitted_anew(fitted, tmp_path):
    adapted = adapt(fitted["network"], DRIFTED)
    save_model(adapted, tmp_path / "model.npz")
    loaded = load_model(tmp_path / "model.npz")
    np.testing.assert_allclose(
        loaded.predict_proba(DRIFTED), adapted.predict_proba(DRIFTED), atol=1e-6
    )
    again = adapted.fit(X, Y)
    assert not hasattr(again, "adaptation_")
    np.testing.assert_array_equal(again.predict_proba(X), fitted["network"].predict_proba(X))


@pytest.mark.parametrize("name", ["network", "pipeline", "union"])
def test_adapted_models_are_exported_to_onnx(fitted, name):
    pytest.importorskip("onnx")
    onnxruntime = pytest.importorskip("onnxruntime")
    from skbn.export import to_onnx

    adapted = adapt(fitted[name], DRIFTED)
    session = onnxruntime.InferenceSession(to_onnx(adapted, X=X).SerializeToString())
    (rows,) = session.get_inputs()
    names = [each.name for each in session.get_outputs()]
    kind = np.float64 if "double" in rows.type else np.float32
    outputs = dict(zip(names, session.run(None, {rows.name: DRIFTED.astype(kind)}), strict=True))
    np.testing.assert_allclose(outputs["probabilities"], adapted.predict_proba(DRIFTED), atol=1e-4)


def test_a_change_of_units_is_undone():
    model = make_pipeline(StandardScaler(), network()).fit(X, Y)
    for factor in (1e-3, 1e3):
        adapted = adapt(model, X * factor)
        np.testing.assert_allclose(
            adapted.score(X * factor, Y), adapt(model, X).score(X, Y), atol=0.02
        )


def test_rows_are_not_overwritten_by_steps_that_work_in_place():
    model = make_pipeline(StandardScaler(copy=False), network()).fit(X.copy(), Y)
    rows = DRIFTED.copy()
    for shift in ("covariate", "label"):
        adapt(model, rows, shift=shift)
        np.testing.assert_array_equal(rows, DRIFTED)
