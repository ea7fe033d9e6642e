"""Reports on drift, from models and tables as users have them."""

import json
import pickle
import re

import numpy as np
import pandas as pd
import polars as pl
import pytest
from scipy.sparse import csr_matrix
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LinearRegression, LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.svm import LinearSVC

from skbn.drift import DriftReport, drift_report

pytestmark = pytest.mark.slow

N_ROWS = 400


def table(seed, n_rows=N_ROWS, share=0.5):
    """Rows with labels that three columns tell."""
    stream = np.random.default_rng(seed)
    y = np.where(stream.random(n_rows) < share, "yes", "no")
    X = pd.DataFrame(stream.normal(size=(n_rows, 3)), columns=["a", "b", "c"])
    X[["a", "b"]] += 1.2 * (y == "yes")[:, None]
    X["letter"] = np.where(stream.random(n_rows) < 0.5, y.astype(str), "other")
    return X, y


def prepared(classifier):
    columns = make_column_transformer(
        (StandardScaler(), ["a", "b", "c"]), (OneHotEncoder(handle_unknown="ignore"), ["letter"])
    )
    return make_pipeline(columns, classifier)


@pytest.fixture(scope="module")
def model(quick):
    return prepared(quick(max_iter=10)).fit(*table(0))


def changed(change, seed=1):
    X, _ = table(seed, share=0.9 if change == "label" else 0.5)
    if change == "offset":
        X[["a", "b", "c"]] += 0.5
    elif change == "category":
        X.loc[::3, "letter"] = "<new>"
    elif change == "missing":  # which the model takes, as a value of its own
        X["letter"] = X["letter"].astype(object).mask(np.arange(len(X)) % 3 == 0)
    return X


@pytest.mark.parametrize(
    ("change", "verdict", "advice"),
    [
        ("none", "none", "nothing"),
        ("offset", "covariate", "adapt"),
        ("category", "covariate", "adapt"),
        ("missing", "covariate", "adapt"),
        ("label", "label", "new priors"),
    ],
)
def test_changes_are_called_by_their_kind(model, change, verdict, advice):
    X_old, _ = table(0)
    report = drift_report(model, X_old, changed(change))
    assert (report.verdict, report.advice) == (verdict, advice)
    assert list(report.columns.index) == ["a", "b", "c", "letter"]
    assert report.columns["kind"].tolist() == ["number"] * 3 + ["category"]
    assert list(report.classes.index) == ["no", "yes"]
    assert report.auc.low <= report.auc.value <= report.auc.high
    assert (report.n_old, report.n_new) == (N_ROWS, N_ROWS)
    if change == "label":
        low, high = report.classes.loc["yes", ["low", "high"]]
        assert low < 0.9 < high
        assert report.classes.loc["yes", "prior_old"] == pytest.approx(0.5, abs=0.05)
        assert report.auc_beyond_label_shift.low < 0.5
    text = report.summary()
    assert report.advice in text
    assert f"{report.auc.value:.3f}" in text


def test_reports_are_the_same_each_time_and_leave_the_tables_alone(model):
    (X_old, _), X_new = table(0), changed("offset")
    copies = X_old.copy(), X_new.copy()
    first, second = (drift_report(model, X_old, X_new) for _ in range(2))
    assert first.to_dict() == second.to_dict()
    pd.testing.assert_frame_equal(X_old, copies[0])
    pd.testing.assert_frame_equal(X_new, copies[1])


def test_hidden_layers_moved_as_their_inputs_did(quick):
    stream = np.random.default_rng(0)
    X = stream.normal(size=(300, 4))
    model = quick(batch_norm=True).fit(X, X[:, 0] > 0)
    assert drift_report(model, X, X).layers.loc[1].tolist() == pytest.approx([0, 0, 1])
    layers = drift_report(model, X, 2 * X + [1, 0, 0, 0]).layers
    assert list(layers.index) == [1]
    weights = model.coefs_[0]
    z = X @ weights, (2 * X + [1, 0, 0, 0]) @ weights
    moves = (z[1].mean(axis=0) - z[0].mean(axis=0)) / z[0].std(axis=0)
    assert layers.loc[1, "largest"] >= np.abs(moves).max() * (1 - 1e-6)
    assert layers.loc[1, "spread"] == pytest.approx(2)


@pytest.mark.parametrize(
    "make",
    [
        lambda: LogisticRegression(),
        lambda: RandomForestClassifier(20, random_state=0),
        lambda: CalibratedClassifierCV(LinearSVC(random_state=0), cv=2),
    ],
)
def test_other_classifiers_have_reports(make):
    (X_old, y), X_new = table(0), changed("label")
    model = prepared(make()).fit(X_old, y)
    assert drift_report(model, X_old, changed("none")).verdict == "none"
    report = drift_report(model, X_old, X_new)
    assert (report.verdict, report.layers) == ("label", None)


def test_searches_and_nested_pipelines_have_reports(model, quick):
    X_old, y = table(0)
    search = GridSearchCV(prepared(quick()), {"bnsoftmaxclassifier__alpha": [0, 1e-3]}, cv=2)
    report = drift_report(search.fit(X_old, y), X_old, changed("offset"))
    assert report.verdict == "covariate"
    assert len(report.layers) == 1


def test_classes_alone_have_reports():
    (X_old, y), X_new = table(0), changed("offset")
    model = prepared(LinearSVC(random_state=0)).fit(X_old, y)
    report = drift_report(model, X_old, X_new)
    assert report.verdict in ("covariate", "unclear")
    assert report.confidence_new is report.expected_accuracy is None
    assert report.classes["prior_new"].isna().all()
    assert report.classes["new"].sum() == pytest.approx(1)
    json.dumps(report.to_dict(), allow_nan=False)
    assert "confidence" not in report.summary()


def test_models_without_statistics_are_not_advised_to_adapt():
    X_old, y = table(0)
    columns = ["a", "b", "c"]
    model = LogisticRegression().fit(X_old[columns], y)
    report = drift_report(model, X_old[columns], changed("offset")[columns])
    assert (report.verdict, report.advice) == ("covariate", "collect labels")


@pytest.mark.parametrize(
    "convert",
    [np.asarray, csr_matrix, np.ndarray.tolist, lambda X: pl.DataFrame(X, schema=["f", "g", "h"])],
)
def test_tables_of_every_sort_have_one_report(quick, convert):
    stream = np.random.default_rng(0)
    X = stream.normal(size=(2, 200, 3)).round(1)
    X[1, :, 0] += 1
    model = quick().fit(convert(X[0]), X[0][:, 0] > 0)
    expected = drift_report(quick().fit(X[0], X[0][:, 0] > 0), *X)
    report = drift_report(model, convert(X[0]), convert(X[1]))
    assert report.auc == expected.auc
    np.testing.assert_array_equal(report.columns["effect"], expected.columns["effect"])


def test_columns_in_another_order_and_others_beside_them(model):
    X_old, _ = table(0)
    X_new = changed("offset")
    expected = drift_report(model, X_old, X_new)
    mixed = X_new[["letter", "c", "a", "b"]].assign(more=1)
    report = drift_report(model, X_old, mixed)
    assert report.ignored == ["more"]
    assert "Columns that old rows lack were ignored: more." in report.summary()
    assert report.auc == expected.auc


def test_few_labels_tell_the_accuracy(model):
    X_new, y = table(1)
    few = np.full(N_ROWS, None, dtype=object)
    few[:60] = y[:60]
    X_old, _ = table(0)
    report = drift_report(model, X_old, X_new, few)
    right = (model.predict(X_new.iloc[:60]) == y[:60]).mean()
    assert report.accuracy.value == pytest.approx(right)
    assert report.accuracy.low < right < report.accuracy.high
    assert report.n_labels == 60
    assert "Accuracy on 60 labelled rows" in report.summary()
    assert drift_report(model, X_old, X_new, [None] * N_ROWS).accuracy is None


@pytest.mark.parametrize(
    "convert",
    [
        lambda y: pd.Series(y).where(np.arange(len(y)) < 50),
        lambda y: pd.Series(y, dtype="Int64").where(np.arange(len(y)) < 50),
        lambda y: [*y[:50].tolist(), *[None] * (len(y) - 50)],
        lambda y: np.where(np.arange(len(y)) < 50, y, np.nan)[:, None],
    ],
)
def test_labels_that_are_numbers_may_be_missing(quick, convert):
    stream = np.random.default_rng(0)
    X = stream.normal(size=(200, 2))
    y = (X[:, 0] > 0).astype(int)
    model = quick().fit(X, y)
    report = drift_report(model, X, X, convert(y))
    assert report.n_labels == 50
    assert report.accuracy.value == pytest.approx((model.predict(X[:50]) == y[:50]).mean())


def test_concept_drift_is_no_drift_of_inputs(model):
    (X_old, _), (X_new, y) = table(0), table(1)
    report = drift_report(model, X_old, X_new, np.where(y == "yes", "no", "yes"))
    assert (report.verdict, report.advice) == ("none", "retune")
    assert "concept drift" in report.summary()


def test_confidence_is_what_accuracy_to_expect():
    stream = np.random.default_rng(0)
    X = stream.normal(size=(4000, 1))
    y = stream.random(4000) < 1 / (1 + np.exp(-2 * X[:, 0]))
    model = LogisticRegression(C=1e6).fit(X[:2000], y[:2000])
    report = drift_report(model, X[:2000], X[2000:], y[2000:])
    expected = report.expected_accuracy
    assert expected.low < report.accuracy.value < expected.high
    highest = model.predict_proba(X[2000:]).max(axis=1)
    assert expected.value == pytest.approx(highest.mean())
    assert report.confidence_new.value == pytest.approx(highest.mean())


@pytest.fixture(scope="module")
def report(model):
    return drift_report(model, table(0)[0], changed("category"))


def test_reports_are_data(report):
    again = pickle.loads(pickle.dumps(report))
    assert isinstance(again, DriftReport)
    found = json.loads(json.dumps(report.to_dict(), allow_nan=False))
    assert found == again.to_dict()
    assert found["auc"]["value"] == report.auc.value
    assert [row["column"] for row in found["columns"]] == ["a", "b", "c", "letter"]
    frame = report.to_frame()
    frame["effect"] = 0
    assert report.columns["effect"].max() > 0.1


def test_reports_show_themselves(report):
    assert re.match(r"DriftReport\(verdict='covariate', advice='adapt'", repr(report))
    html = report._repr_html_()
    assert "<script" not in html
    assert "<new>" not in html  # a name as a user has it
    assert "&lt;new&gt;" in html
    assert html.count("<table") == html.count("</table>") == 3


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: LogisticRegression(), NotFittedError, "not fitted"),
        (lambda: LinearRegression().fit([[0], [1]], [0, 1]), TypeError, "must be a classifier"),
        (lambda: "model", TypeError, "got 'model'"),
        (lambda: LogisticRegression, TypeError, "must be a fitted classifier"),
    ],
)
def test_models_that_predict_no_classes_are_errors(make, error, message):
    with pytest.raises(error, match=message):
        drift_report(make(), [[0.0], [1.0]], [[0.0], [1.0]])


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        (["yes"] * 3, "y_new has 3 elements for 400 rows"),
        (["maybe"] * N_ROWS, "y_new contains labels that are not among the classes"),
    ],
)
def test_labels_that_do_not_fit_are_errors(model, labels, message):
    X, _ = table(0)
    with pytest.raises(ValueError, match=message):
        drift_report(model, X, X, labels)


@pytest.mark.parametrize("n_rows", [2, 3, 10])
def test_few_rows_are_no_drift(model, n_rows):
    X, _ = table(0)
    report = drift_report(model, X, X[:n_rows])
    assert report.verdict == "none"
    assert drift_report(model, X[:n_rows], X[:n_rows]).verdict == "none"
