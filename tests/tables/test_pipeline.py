"""The Pipeline for a table as it comes."""

import pickle
import sys

import numpy as np
import pandas as pd
import pytest
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, RandomizedSearchCV, cross_val_score

from skbn import BNSoftmaxClassifier, tabular_pipeline
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

ROWS = 120
SPACE = {"bnsoftmaxclassifier__alpha": loguniform(1e-3, 1e-1)}


@pytest.fixture(scope="module")
def columns():
    """Columns of every sort by name, a tenth of the cells missing in most."""
    rng = np.random.default_rng(0)
    number = rng.normal(size=ROWS)
    whole = rng.integers(0, 9, ROWS)
    truth = rng.random(ROWS) < 0.5
    letters = rng.choice(list("abc"), ROWS)
    days = pd.Series(pd.date_range("2019-12-30", periods=ROWS, freq="31h"))
    gaps = rng.random((8, ROWS)) < 0.1
    return {
        "number": pd.Series(number).mask(gaps[0]),
        "single": pd.Series(number, dtype="float32"),
        "whole": pd.Series(whole),
        "nullable whole": pd.Series(whole, dtype="Int64").mask(gaps[1]),
        "boolean": pd.Series(truth),
        "nullable boolean": pd.Series(truth, dtype="boolean").mask(gaps[2]),
        "text": pd.Series(letters, dtype=object).mask(gaps[3]),
        "nullable text": pd.Series(letters, dtype="string").mask(gaps[4]),
        "category": pd.Series(pd.Categorical(letters, categories=list("abcd"))).mask(gaps[5]),
        "sorted category": pd.Series(pd.Categorical(letters, ordered=True)),
        "date": days.mask(gaps[6]),
        "date with zone": days.dt.tz_localize("UTC"),
        "date as text": days.dt.strftime("%Y-%m-%d").mask(gaps[7]),
        "duration": pd.Series(pd.to_timedelta(whole, unit="h")),
        "number as text": pd.Series(whole.astype(str)),
        "names": pd.Series([f"{letter}nna {i}" for i, letter in enumerate(letters)]),
        "empty": pd.Series(np.full(ROWS, np.nan)),
        "none": pd.Series([None] * ROWS, dtype=object),
        "constant": pd.Series(np.ones(ROWS)),
        "constant text": pd.Series(["same"] * ROWS),
    }


@pytest.fixture(scope="module")
def frame(columns):
    return pd.DataFrame(columns)


@pytest.fixture(scope="module")
def labels(columns):
    return np.where(columns["boolean"], "yes", "no")


@pytest.fixture(params=["skrub", "scikit-learn"])
def vectorizer(request, monkeypatch):
    """Whose transformers encode dates and text."""
    if request.param == "skrub":
        pytest.importorskip("skrub")
    else:
        monkeypatch.setitem(sys.modules, "skrub", None)
    return request.param


@pytest.fixture
def model(quick, vectorizer):
    return tabular_pipeline(quick(max_iter=5))


def test_steps_have_the_same_names(vectorizer, model):
    steps = ["tablecleaner", "tablevectorizer", "simpleimputer", "piecewiselinearencoder"]
    assert list(model.named_steps) == [*steps, "bnsoftmaxclassifier"]
    module = type(model["tablevectorizer"]).__module__.partition(".")[0]
    assert module == {"skrub": "skrub", "scikit-learn": "sklearn"}[vectorizer]
    parts = ("numeric", "datetime", "low_cardinality", "high_cardinality")
    model.set_params(tablevectorizer__low_cardinality__min_frequency=9)
    params = model.get_params()
    assert params["tablevectorizer__low_cardinality__min_frequency"] == 9
    assert {f"tablevectorizer__{part}" for part in parts} < params.keys()


def test_a_table_of_all_sorts(model, frame, labels):
    model.fit(frame, labels)
    assert model.score(frame, labels) > 0.95
    prepared = model[:-1].transform(frame)
    assert prepared.dtype == np.float32
    assert np.isfinite(prepared).all()
    assert len(model[:-1].get_feature_names_out()) == prepared.shape[1]


def test_every_sort_of_column_alone(model, columns, labels):
    for name, column in columns.items():
        if name in ("empty", "none"):
            continue
        table = column.to_frame(name)
        probabilities = model.fit(table, labels).predict_proba(table)
        assert np.isfinite(probabilities).all(), name
        row = model.predict_proba(table.iloc[[7]])
        np.testing.assert_allclose(row, probabilities[[7]], rtol=1e-4, err_msg=name)


@pytest.mark.parametrize("huge", [np.inf, -np.inf, 1e300, "inf", " n/a "])
def test_what_is_no_quantity_counts_as_missing(model, frame, labels, huge):
    some = frame[["number", "names"]]
    gaps = some["number"].isna()
    assert gaps.any()
    model.fit(some.assign(number=some["number"].astype(object).mask(gaps, huge)), labels)
    expected = clone(model).fit(some, labels)
    np.testing.assert_array_equal(model.predict_proba(some), expected.predict_proba(some))


def test_columns_without_a_value_in_a_fold(model, columns, labels):
    first = np.arange(ROWS) < ROWS // 2
    names = ["number", "text", "date", "names"]
    halves = {f"half {name}": columns[name].where(first) for name in names}
    table = pd.DataFrame({"number": columns["number"]} | halves)
    model.set_params(tablecleaner__forms={name: form_of(name) for name in table})
    scores = cross_val_score(model, table, labels, cv=KFold(2), error_score="raise")
    assert np.isfinite(scores).all()


def form_of(name):
    kinds = {"number": "number", "date": "date"}
    form = {"kind": kinds.get(name.rpartition(" ")[2], "text")}
    return form | {"number": {"decimal": "."}, "date": {"day_first": True}}.get(form["kind"], {})


def test_new_rows_are_taken_by_name(model, frame, labels):
    some = frame[["number", "text", "date", "names"]]
    probabilities = model.fit(some, labels).predict_proba(some)
    mixed = frame[["names", "whole", "date", "number", "text"]]
    np.testing.assert_array_equal(model.predict_proba(mixed), probabilities)
    with pytest.raises(ValueError, match=r"missing:\n- date"):
        model.predict(some.drop(columns="date"))


def test_columns_with_numbers_for_names(model, frame, labels):
    some = frame[["number", "text", "date"]]
    expected = clone(model).fit(some, labels).predict_proba(some)
    numbered = some.set_axis([2, 0, 1], axis=1)
    np.testing.assert_array_equal(model.fit(numbered, labels).predict_proba(numbered), expected)
    cells = some.astype(object).to_numpy()
    np.testing.assert_array_equal(model.fit(cells, labels).predict_proba(cells), expected)


@pytest.mark.parametrize("library", ["pandas", "polars"])
def test_frames_of_all_steps(model, frame, labels, library):
    frame_type = pytest.importorskip(library).DataFrame
    expected = clone(model).fit(frame, labels)
    model.set_output(transform=library).fit(frame, labels)
    prepared = model[:-1].transform(frame)
    assert isinstance(prepared, frame_type)
    assert list(prepared.columns) == list(expected[:-1].get_feature_names_out())
    np.testing.assert_allclose(prepared, expected[:-1].transform(frame), atol=1e-3)


def test_a_pickle(model, frame, labels):
    probabilities = model.fit(frame, labels).predict_proba(frame)
    loaded = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(loaded.predict_proba(frame), probabilities)


def test_what_training_never_saw(model, frame, labels):
    new = frame.assign(
        text="new", category=pd.Categorical(["new"] * ROWS), number=np.nan, date=pd.NaT, empty=1.0
    )
    assert np.isfinite(model.fit(frame, labels).predict_proba(new)).all()


def test_values_seen_once_stand_for_new_ones(model, labels):
    letters = pd.DataFrame({"letter": ["a"] * 60 + ["b"] * 58 + ["c", "d"]})
    prepared = model[:-1].fit(letters).transform(letters)
    np.testing.assert_array_equal(prepared[-1], prepared[-2])
    new = model[:-1].transform(pd.DataFrame({"letter": ["e"]}))
    np.testing.assert_array_equal(new[0], prepared[-1])
    assert new.sum() == 1


def test_missing_numbers_are_marked(model, frame, labels):
    names = model.fit(frame, labels)[:-1].get_feature_names_out()
    (place,) = np.flatnonzero(names == "missingindicator_number_bin0")
    marks = model[:-1].transform(frame)[:, place]
    np.testing.assert_array_equal(marks, frame["number"].isna())


def test_a_polars_frame_gives_what_one_of_pandas_gives(model, frame, labels):
    polars = pytest.importorskip("polars")
    names = ["number", "whole", "boolean", "nullable whole", "date", "names", "constant"]
    pandas_frame = frame[names]
    polars_frame = polars.DataFrame(
        {name: [None if pd.isna(v) else v for v in frame[name].tolist()] for name in names}
    )
    expected = clone(model).fit(pandas_frame, labels).predict_proba(pandas_frame)
    probabilities = model.fit(polars_frame, labels).predict_proba(polars_frame)
    np.testing.assert_allclose(probabilities, expected, atol=1e-3)  # rounding


def test_an_array(model, iris):
    assert model.fit(*iris).score(*iris) > 0.8


def test_searches_reach_the_classifier_and_the_encoder(model, frame, labels):
    frame = frame[["boolean", "nullable boolean", "number", "text", "date"]]
    space = SPACE | {"piecewiselinearencoder__n_bins": [2, 4]}
    search = RandomizedSearchCV(model, space, n_iter=2, cv=2, random_state=0, error_score="raise")
    assert search.fit(frame, labels).best_score_ > 0.7


def test_trains_in_populations_as_alone(model, frame, labels):
    frame = frame[["boolean", "nullable boolean", "number", "text", "date"]]
    search = CoarseToFineSearchCV(
        model, SPACE, n_candidates=3, n_rounds=1, cv=2, random_state=0, scoring="neg_log_loss"
    ).fit(frame, labels)
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        alone = clone(model).set_params(**params)
        scores = cross_val_score(alone, frame, labels, cv=2, scoring="neg_log_loss")
        assert scores.mean() == pytest.approx(score, abs=1e-8)


def test_the_same_seed_gives_the_same_model(model, frame, labels):
    first = clone(model).fit(frame, labels).predict_proba(frame)
    np.testing.assert_array_equal(model.fit(frame, labels).predict_proba(frame), first)


def test_any_classifier_may_be_the_last_step():
    assert list(tabular_pipeline(LogisticRegression()).named_steps)[-1] == "logisticregression"
    assert type(tabular_pipeline()[-1]) is BNSoftmaxClassifier
