"""Files that earlier versions wrote are read by this one."""

import io
import json

import numpy as np
import pytest
from make_golden import FRAME, GOLDEN, KINDS, X, described

from skbn.export import load_model, predictor, save_model

FILES = sorted(GOLDEN.glob("*/*.npz"), key=str)


@pytest.fixture(params=FILES, ids=lambda path: f"{path.parent.name}/{path.stem}")
def golden(request):
    """The path of a golden file and what must be found in it."""
    expected = json.loads((request.param.parent / "expected.json").read_text())
    return request.param, expected[request.param.stem]


def test_there_are_golden_files():
    assert {path.stem for path in FILES} >= set(KINDS)


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_a_golden_file_is_the_model_that_it_was(golden):
    path, expected = golden
    model = load_model(path)
    rows = FRAME if hasattr(model, "feature_names_in_") else X
    found = described(model, KINDS[path.stem][2], "probabilities_later" in expected)
    for name in ("probabilities", "probabilities_later"):
        if name in expected:
            np.testing.assert_allclose(found.pop(name), expected.pop(name), rtol=0, atol=1e-6)
    added = found["parameters"].keys() - expected["parameters"].keys()
    for name in added:
        del found["parameters"][name]
    assert json.loads(json.dumps(found)) == expected
    assert len(model.predict(rows)) == len(rows)


def test_a_golden_file_is_read_by_the_predictor(golden):
    path, expected = golden
    ours = predictor.load(path)
    found = ours.predict_proba(X)
    np.testing.assert_allclose(found, expected["probabilities"], rtol=0, atol=1e-6)
    assert [repr(ours.classes_.dtype.str), *map(repr, ours.classes_.tolist())] == expected[
        "classes"
    ]


@pytest.mark.parametrize("name", KINDS)
def test_a_file_of_this_version_that_is_loaded_and_saved_is_the_same_arrays(name):
    path = [path for path in FILES if path.stem == name][-1]
    file = io.BytesIO()
    save_model(load_model(path), file, training_state=bool(KINDS[name][3]))
    file.seek(0)
    with np.load(path) as before, np.load(file) as after:
        assert before.files == after.files
        for array in set(before.files) - {"header.json"}:
            np.testing.assert_array_equal(before[array], after[array], strict=True)
