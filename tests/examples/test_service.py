"""The example of a service, run as users run it: as a process that answers over HTTP."""

import json
import os
import runpy
import socket
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

for package in ("fastapi", "onnxruntime", "skl2onnx", "uvicorn"):
    pytest.importorskip(package)

FOLDER = Path(__file__).parents[2] / "examples" / "service"


@pytest.fixture(scope="module")
def example():
    """What the script that trains defines."""
    return runpy.run_path(str(FOLDER / "train.py"))


@pytest.fixture(scope="module")
def table(example):
    """The frame that the script trains on, with columns of more types, and its labels."""
    frame, growers = example["wines"]()
    types = {"ash": "float32", "magnesium": "int16", "proline": "int64"}
    return frame.astype(types), growers


@pytest.fixture(scope="module")
def model(example, table):
    frame, growers = table
    return example["pipeline"](frame).fit(frame, growers)


@pytest.fixture(scope="module")
def port(model, table, tmp_path_factory):
    """A port of this machine at which the service listens."""
    from skbn.export import to_onnx

    path = tmp_path_factory.mktemp("service") / "model.onnx"
    to_onnx(model, path, X=table[0])
    # Requests wait in the socket's queue until the process is there to answer them.
    with socket.create_server(("127.0.0.1", 0)) as listener:
        options = ["--app-dir", FOLDER, "--fd", str(listener.fileno()), "--log-level", "warning"]
        process = subprocess.Popen(
            [sys.executable, "-m", "uvicorn", "app:app", *options],
            env=os.environ | {"MODEL": str(path)},
            pass_fds=[listener.fileno()],
        )
        port = listener.getsockname()[1]
    yield port
    process.terminate()
    process.wait(30)


def ask(port, method, path, body=None):
    """Status and content of an answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request(method, path, body, {"Content-Type": "application/json"})
    answer = connection.getresponse()
    content = json.loads(answer.read())
    connection.close()
    return answer.status, content


def predict(port, rows):
    return ask(port, "POST", "/predict", json.dumps({"rows": rows}))


@pytest.mark.slow
def test_health_names_the_model(port):
    status, content = ask(port, "GET", "/health")
    assert (status, content["status"]) == (200, "ok")
    assert len(content["version"]) == 12


def test_many_requests_at_once_get_the_probabilities_of_the_model(port, model, table):
    frame, _ = table
    parts = np.array_split(np.arange(len(frame)), 40)
    records = frame.to_dict("records")
    expected = model.predict_proba(frame), model.predict(frame)
    with ThreadPoolExecutor(16) as threads:
        answers = threads.map(lambda part: predict(port, [records[row] for row in part]), parts)
    for part, (status, content) in zip(parts, answers, strict=True):
        assert status == 200, content
        predictions = content["predictions"]
        assert [each["label"] for each in predictions] == expected[1][part].tolist()
        assert list(predictions[0]["probabilities"]) == model.classes_.tolist()
        found = [list(each["probabilities"].values()) for each in predictions]
        np.testing.assert_allclose(found, expected[0][part], rtol=0, atol=1e-6)


def test_a_category_that_was_not_seen(port, model, table):
    row = table[0].iloc[[0]].assign(color="none")
    _, content = predict(port, row.to_dict("records"))
    found = list(content["predictions"][0]["probabilities"].values())
    np.testing.assert_allclose(found, model.predict_proba(row)[0], rtol=0, atol=1e-6)


BAD_CELLS = {
    "text for a number": ("hue", '"1.0"'),
    "a boolean for a number": ("hue", "true"),
    "NaN": ("hue", "NaN"),
    "infinite": ("hue", "-Infinity"),
    "too large for double": ("hue", "1e999"),
    "too large for float": ("ash", "1e39"),
    "too large for an integer of two bytes": ("magnesium", "32768"),
    "a fraction for an integer": ("proline", "1050.5"),
    "a float that is too large for an integer": ("proline", "1e300"),
    "a boolean for an integer": ("proline", "true"),
    "text for an integer": ("proline", '"1050"'),
    "no integer": ("proline", "null"),
    "an integer without end": ("hue", "1" * 400),
    "an integer without end for one": ("proline", "1" * 400),
    "a number for text": ("color", "3"),
    "half a character": ("color", '"\\ud800"'),
}


@pytest.mark.parametrize("case", BAD_CELLS)
def test_a_bad_cell_is_named(port, table, case):
    name, value = BAD_CELLS[case]
    rows = [json.dumps(row) for row in table[0].head(3).to_dict("records")]
    cells = json.loads(rows[1]) | {name: "CELL"}
    rows[1] = json.dumps(cells).replace('"CELL"', value)
    status, content = ask(port, "POST", "/predict", f'{{"rows": [{", ".join(rows)}]}}')
    assert status == 422
    assert [error["where"] for error in content["detail"]] == [["body", "rows", 1, name]]


def test_whole_numbers_may_be_written_as_floats(port, table):
    row = json.loads(table[0].head(1).to_json(orient="records"))[0]
    floats = row | {name: float(row[name]) for name in ("magnesium", "proline")}
    assert predict(port, [floats]) == predict(port, [row])


def test_missing_cells_are_sent_as_null(port, model, table):
    frame = table[0].head(3).astype({"ash": float})
    frame.loc[0, ["hue", "ash"]] = np.nan
    frame.loc[1, "color"] = None
    status, content = predict(
        port, frame.astype(object).where(frame.notna(), None).to_dict("records")
    )
    assert status == 200, content
    found = [list(each["probabilities"].values()) for each in content["predictions"]]
    np.testing.assert_allclose(found, model.predict_proba(frame), rtol=0, atol=1e-6)


@pytest.mark.parametrize("number", [1e39, -1e300])
def test_cells_that_are_too_large_for_the_model_are_named(port, table, number):
    rows = table[0].head(3).to_dict("records")
    rows[2] |= {"hue": number, "alcohol": None}
    status, content = predict(port, rows)
    assert status == 422
    assert [error["where"] for error in content["detail"]] == [["body", "rows", 2, "hue"]]


def test_missing_cells_that_no_step_fills_are_named(quick, monkeypatch, tmp_path):
    from fastapi import HTTPException

    from skbn.export import to_onnx

    frame = pd.DataFrame({"a": [0.0, 1.0, 2.0], "b": [1.0, 0.0, 1.0]})
    to_onnx(quick().fit(frame, [0, 1, 0]), tmp_path / "model.onnx", X=frame)
    monkeypatch.setenv("MODEL", str(tmp_path / "model.onnx"))
    app = runpy.run_path(str(FOLDER / "app.py"))
    request = app["Rows"].model_validate({"rows": [{"a": 0.5, "b": 1}, {"a": 0.5, "b": None}]})
    with pytest.raises(HTTPException) as refusal:
        app["predict"](request)
    assert refusal.value.status_code == 422
    (error,) = refusal.value.detail
    assert error["where"] == ["body", "rows", 1, "b"]
    assert error["what"].startswith("Missing")


def test_the_page_of_the_service_speaks_to_callers(port):
    status, content = ask(port, "GET", "/openapi.json")
    assert status == 200
    description = content["paths"]["/predict"]["post"]["description"]
    assert "null" in description
    assert "thread" not in json.dumps(content)


def test_features_that_are_missing_or_unknown_are_named(port, table):
    row = table[0].iloc[0].to_dict()
    wrong = {name: value for name, value in row.items() if name != "ash"} | {"Ash": 2.0}
    status, content = predict(port, [row, wrong])
    assert status == 422
    where = {tuple(error["where"]) for error in content["detail"]}
    assert where == {("body", "rows", 1, "ash"), ("body", "rows", 1, "Ash")}


BAD_BODIES = {
    "no rows": '{"rows": []}',
    "rows without names": '{"rows": [[1, 2, 3]]}',
    "too many rows": json.dumps({"rows": [{}] * 1001}),
    "something else": '{"rows": [], "row": 1}',
    "a list": "[]",
    "broken": '{"rows": [',
    "nothing": "",
    "no text": b"\xff\xfe",
    "a name that is half a character": '{"rows": [{"\\ud800": 1}]}',
}


@pytest.mark.parametrize("case", BAD_BODIES)
def test_a_bad_body_is_refused_shortly(port, case):
    status, content = ask(port, "POST", "/predict", BAD_BODIES[case])
    assert status == 422
    assert 1 <= len(content["detail"]) <= 10
    assert all(error["what"] for error in content["detail"])
