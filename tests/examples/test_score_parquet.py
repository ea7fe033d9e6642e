"""The example that scores Parquet files, against predict_proba of the whole frame."""

import runpy
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

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


def test_a_file_without_rows_has_scores_without_rows(fitted, frame, run, tmp_path):
    frame.iloc[:0].to_parquet(tmp_path / "rows.parquet")
    scores = run(fitted, tmp_path / "rows.parquet")
    assert scores.shape == (0, 1 + len(fitted.classes_))


def test_scores_are_there_only_when_they_are_complete(fitted, frame, run, tmp_path):
    frame.loc[90, "double"] = np.inf
    frame.to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match="infinity"):
        run(fitted, tmp_path / "rows.parquet", "--batch-size", "20")
    assert not (tmp_path / "scores.parquet").exists()


def test_a_column_that_is_missing_is_named(fitted, frame, run, tmp_path):
    frame.drop(columns="whole").to_parquet(tmp_path / "rows.parquet")
    with pytest.raises(KeyError, match="whole"):
        run(fitted, tmp_path / "rows.parquet")
