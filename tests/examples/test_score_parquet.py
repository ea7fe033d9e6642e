"""The example that scores Parquet files, against predict_proba of the whole frame."""

import os
import runpy
import shlex
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

pytestmark = pytest.mark.slow

pq = pytest.importorskip("pyarrow.parquet")
skops = pytest.importorskip("skops.io")

SCRIPT = Path(__file__).parents[2] / "examples" / "score_parquet.py"
N_ROWS = 103


@pytest.fixture
def frame():
    """Columns of several dtypes with missing cells, more of them than a batch has rows."""
    stream = np.random.default_rng(0)
    text = stream.choice(["red", "green", "blue"], N_ROWS)
    frame = pd.DataFrame(
        {
            "id": np.arange(N_ROWS) + 10**15,
            "double": stream.normal(size=N_ROWS),
            "float": stream.normal(size=N_ROWS).astype(np.float32),
            "whole": pd.array(stream.integers(0, 9, N_ROWS), "Int64"),
            "text": pd.Series(text, dtype=object),
            "category": pd.Series(text[::-1], dtype="category"),
            "not used": "x",
        }
    )
    frame.loc[20:40, "double"] = np.nan
    frame.loc[30:60, "whole"] = pd.NA
    frame.loc[50:80, ["text", "category"]] = None
    return frame


def pipeline(quick):
    numbers = make_pipeline(SimpleImputer(), StandardScaler())
    text = OneHotEncoder(handle_unknown="ignore", sparse_output=False)
    columns = make_column_transformer(
        (numbers, ["whole", "float", "double"]), (text, ["text", "category"])
    )
    return make_pipeline(columns, quick())


LABELS = {
    "text": np.array(["no", "yes", "perhaps"], object),
    "numbers": np.array([3, 1, 2]),
    "booleans": np.array([True, False]),
}


@pytest.fixture
def fitted(request, quick, frame):
    labels = LABELS[getattr(request, "param", "text")]
    y = labels[np.arange(N_ROWS) % len(labels)]
    return pipeline(quick).fit(frame.drop(columns=["id", "not used"]), y)


@pytest.fixture
def run(monkeypatch, tmp_path):
    """Run the script on a model and a file, and give the frame that it wrote."""

    def score(model, path, *options):
        skops.dump(model, tmp_path / "model.skops")
        files = [str(tmp_path / "model.skops"), str(path), str(tmp_path / "scores.parquet")]
        monkeypatch.setattr("sys.argv", [str(SCRIPT), *files, *options])
        runpy.run_path(str(SCRIPT), run_name="__main__")
        return pd.read_parquet(tmp_path / "scores.parquet")

    return score


@pytest.mark.parametrize("fitted", LABELS, indirect=True)
@pytest.mark.parametrize(
    ("batch_size", "index"), [("7", "range"), ("7", "names"), ("65536", "range")]
)
def test_scores_of_batches_are_those_of_the_frame(fitted, frame, run, tmp_path, batch_size, index):
    if index == "names":
        frame.index = pd.Index([f"row {number}" for number in range(N_ROWS)], name="key")
    frame.to_parquet(tmp_path / "rows.parquet", row_group_size=30)
    whole = pd.read_parquet(tmp_path / "rows.parquet")
    scores = run(fitted, tmp_path / "rows.parquet", "--batch-size", batch_size, "--keep", "id")
    names = [f"probability_{name}" for name in fitted.classes_]
    assert list(scores) == ["id", "predicted", *names]
    assert scores["id"].tolist() == frame["id"].tolist()
    assert scores["predicted"].tolist() == fitted.predict(whole).tolist()
    np.testing.assert_allclose(scores[names], fitted.predict_proba(whole), rtol=0, atol=1e-12)


def test_a_column_of_the_model_may_be_the_index(fitted, frame, run, tmp_path):
    frame.set_index("double").to_parquet(tmp_path / "rows.parquet")
    whole = pd.read_parquet(tmp_path / "rows.parquet").reset_index()
    scores = run(fitted, tmp_path / "rows.parquet", "--keep", "double")
    assert scores["predicted"].tolist() == fitted.predict(whole).tolist()


def test_a_file_without_rows_has_scores_without_rows(fitted, frame, run, tmp_path):
    frame.iloc[:0].to_parquet(tmp_path / "rows.parquet")
    scores = run(fitted, tmp_path / "rows.parquet")
    assert scores.shape == (0, 1 + len(fitted.classes_))


def test_scores_are_there_only_when_they_are_complete(fitted, frame, run, tmp_path):
    frame.loc[90, "double"] = np.inf
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(SystemExit, match="infinity"):
        run(fitted, tmp_path / "rows.parquet", "--batch-size", "20")
    assert {path.name for path in tmp_path.iterdir()} == {"model.skops", "rows.parquet"}


@pytest.mark.parametrize("options", [[], ["--keep", "id", "Id"]])
def test_columns_that_are_missing_are_named(fitted, frame, run, tmp_path, options):
    frame.drop(columns="whole").to_parquet(tmp_path / "rows.parquet")
    names = ["whole", *options[2:]]
    with pytest.raises(SystemExit, match=rf"once: {names}".replace("[", r"\[")):
        run(fitted, tmp_path / "rows.parquet", *options)


@pytest.mark.parametrize("name", ["predicted", "probability_perhaps", "id"])
def test_names_that_scores_would_have_twice_are_refused(fitted, frame, run, tmp_path, name):
    frame.assign(predicted=1, probability_perhaps=0.5).to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(SystemExit, match=rf"same name: \['{name}'\]"):
        run(fitted, tmp_path / "rows.parquet", "--keep", name, *["id"] * (name == "id"))


WRITTEN = ["scores.parquet", "scores.parquet.part"]


@pytest.mark.parametrize("name", WRITTEN)
def test_rows_are_not_written_over(fitted, frame, run, tmp_path, name):
    frame.to_parquet(tmp_path / name)
    before = (tmp_path / name).read_bytes()
    with pytest.raises(SystemExit, match="another file"):
        run(fitted, tmp_path / name)
    assert (tmp_path / name).read_bytes() == before


@pytest.mark.parametrize("link", [os.symlink, os.link])
@pytest.mark.parametrize("name", WRITTEN)
@pytest.mark.parametrize("read", ["rows.parquet", "model.skops"])
def test_files_that_links_lead_to_are_not_written_over(
    fitted, frame, run, tmp_path, link, name, read
):
    frame.to_parquet(tmp_path / "rows.parquet")
    (tmp_path / "model.skops").touch()
    link(tmp_path / read, tmp_path / name)
    with pytest.raises(SystemExit, match="another file"):
        run(fitted, tmp_path / "rows.parquet")
    assert os.path.samefile(tmp_path / read, tmp_path / name)


def fitted_to_an_array(quick):
    return make_pipeline(StandardScaler(), quick()).fit(np.eye(4), [0, 1, 0, 1])


BAD_MODELS = {
    "fitted to an array": (fitted_to_an_array, "fit it to a DataFrame"),
    "not fitted": (lambda quick: quick(), "fitted classifier"),
    "no classifier": (lambda quick: StandardScaler().fit(np.eye(4)), "fitted classifier"),
    "no model": (lambda quick: [1, 2], "fitted classifier"),
}


@pytest.mark.parametrize("case", BAD_MODELS)
def test_models_that_cannot_score_are_refused(quick, frame, run, tmp_path, case):
    make, message = BAD_MODELS[case]
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(SystemExit, match=message):
        run(make(quick), tmp_path / "rows.parquet")


def test_types_to_trust_are_listed_to_paste(quick, frame, run, tmp_path):
    pytest.importorskip("skrub")
    from skbn import tabular_pipeline

    model = tabular_pipeline(quick()).fit(frame[["double", "text"]], np.arange(N_ROWS) % 2)
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(SystemExit, match="if you trust who wrote the file") as refusal:
        run(model, tmp_path / "rows.parquet", "--trust", "skrub._to_str.ToStr")
    line = str(refusal.value).splitlines()[-1]
    scores = run(model, tmp_path / "rows.parquet", *shlex.split(line))
    np.testing.assert_array_equal(scores["predicted"], model.predict(frame[["double", "text"]]))


BAD_FILES = {
    "no such model": ("no.skops", "rows.parquet", "scores.parquet"),
    "no file of skops": ("rows.parquet", "rows.parquet", "scores.parquet"),
    "no such rows": ("model.skops", "no.parquet", "scores.parquet"),
    "no Parquet file": ("model.skops", "model.skops", "scores.parquet"),
    "a folder for rows": ("model.skops", ".", "scores.parquet"),
    "no such folder for scores": ("model.skops", "rows.parquet", "no/scores.parquet"),
    "a folder for scores": ("model.skops", "rows.parquet", "folder"),
    "no rows at once": ("model.skops", "rows.parquet", "scores.parquet", "--batch-size", "0"),
}


@pytest.mark.parametrize("case", BAD_FILES)
def test_bad_files_are_told_in_a_line(fitted, frame, monkeypatch, tmp_path, case):
    monkeypatch.chdir(tmp_path)
    skops.dump(fitted, "model.skops")
    frame.to_parquet("rows.parquet")
    os.mkdir("folder")
    before = os.listdir()
    monkeypatch.setattr("sys.argv", [str(SCRIPT), *BAD_FILES[case]])
    with pytest.raises(SystemExit) as refusal:
        runpy.run_path(str(SCRIPT), run_name="__main__")
    assert refusal.value.code == 2 or len(str(refusal.value).splitlines()) == 1
    assert os.listdir() == before


def test_help_explains_the_files(monkeypatch, capsys):
    monkeypatch.setattr("sys.argv", [str(SCRIPT), "--help"])
    with pytest.raises(SystemExit):
        runpy.run_path(str(SCRIPT), run_name="__main__")
    text = capsys.readouterr().out
    for words in ("pip install pyarrow skops", "MODEL is", "ROWS has", "SCORES has"):
        assert words in text


@pytest.mark.parametrize("package", ["pyarrow", "skops.io", "skbn.export"])
def test_a_package_that_is_missing_is_named(monkeypatch, package):
    monkeypatch.setitem(sys.modules, package, None)
    with pytest.raises(SystemExit, match=rf"{package}.*pip install pyarrow skops"):
        runpy.run_path(str(SCRIPT))
