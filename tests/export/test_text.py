"""JSON for other languages, and the forward passes of the documentation."""

import io
import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import make_pipeline

from skbn import BNSoftmaxClassifier
from skbn.estimators.adapted import with_class_prior
from skbn.export import to_json
from skbn.network.activations import ACTIVATIONS

DOCS = Path(__file__).parents[2] / "docs"
X = np.random.default_rng(0).normal(size=(60, 4))
MANY = (X[:, 0] > 0) * 1 + (X[:, 1] > 0.5)


def small(**parameters):
    quick = {"hidden_layer_sizes": (6, 5), "max_iter": 2, "random_state": 0}
    return BNSoftmaxClassifier(**(quick | parameters))


KINDS = {
    **{name: {"activation": name} for name in ACTIVATIONS},
    "an activation of each layer": {"activation": ["gelu", "tanh"]},
    "no hidden layer": {"hidden_layer_sizes": ()},
    "no batch norm": {"batch_norm": False, "n_members": 3},
    "one member of float64": {"n_members": 1, "dtype": "float64", "calibrate": False},
}


CORRECTED = {
    "corrected class priors": {"n_members": 2},
    "corrected class priors of one member": {"n_members": 1},
}


def fitted(kind):
    if kind in CORRECTED:
        return with_class_prior(small(**CORRECTED[kind]).fit(X, MANY), [0.1, 0.2, 0.7])
    return small(**KINDS[kind]).fit(X, MANY)


def forward_pass(content, x):
    """A third one, in NumPy, by the functions of the classifier."""
    sums = 0
    for member in content["members"]:
        a = x
        for layer in member["layers"]:
            a = a @ np.array(layer["weights"]) + layer["bias"]
            ACTIVATIONS[layer["activation"]].forward(a, a)
        e = np.exp((a - a.max(axis=1, keepdims=True)) / content["temperature"])
        sums = sums + e / e.sum(axis=1, keepdims=True)
    p = sums / len(content["members"]) * np.exp(content.get("log_prior_ratio", 0))
    return p / p.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("kind", [*KINDS, *CORRECTED])
def test_json_holds_what_a_forward_pass_needs(kind):
    model = fitted(kind)
    found = forward_pass(json.loads(to_json(model)), X)
    atol = 1e-13 if kind.endswith("float64") else 1e-7
    np.testing.assert_allclose(found, model.predict_proba(X), rtol=0, atol=atol)


LABELS = {
    "text": (np.array(["a", 'b"\n', "漢"], object)[MANY], ["a", 'b"\n', "漢"]),
    "integers": (MANY - 1, [-1, 0, 1]),
    "booleans": (MANY > 0, [False, True]),
    "floats": (MANY.astype(np.float32), [0.0, 1.0, 2.0]),
    "large integers": (MANY + 2**53, [2**53, str(2**53 + 1), str(2**53 + 2)]),
    "days": (
        np.array(["2020-01-01", "2021-01-01"], "M8[D]")[MANY % 2],
        ["2020-01-01", "2021-01-01"],
    ),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_are_values_of_json_or_text(kind):
    labels, expected = LABELS[kind]
    content = json.loads(to_json(small().fit(X, labels)))
    assert content["classes"] == expected
    assert [type(label) for label in content["classes"]] == [type(label) for label in expected]
    assert content["feature_names"] is None


@pytest.mark.parametrize(
    ("given", "expected"),
    [("tanh", "tanh"), (["tanh"] * 2, "tanh"), (("elu", "tanh"), ["elu", "tanh"])],
)
def test_the_activation_is_a_name_or_a_list_of_that_of_each_layer(given, expected):
    content = json.loads(to_json(small(activation=given).fit(X, MANY)))
    assert content["activation"] == expected
    each = [given] * 2 if isinstance(given, str) else given
    layers = content["members"][0]["layers"]
    assert [layer["activation"] for layer in layers] == [*each, "identity"]


def test_names_of_features_are_there():
    frame = pd.DataFrame(X, columns=list("abcd"))
    assert json.loads(to_json(small().fit(frame, MANY)))["feature_names"] == list("abcd")


def test_numbers_are_those_of_the_classifier():
    model = small(batch_norm=False, n_members=1).fit(X, MANY)
    layers = json.loads(to_json(model))["members"][0]["layers"]
    for layer, weights, bias in zip(layers, model.coefs_, model.intercepts_, strict=True):
        np.testing.assert_array_equal(np.array(layer["weights"], np.float32), weights)
        np.testing.assert_array_equal(np.array(layer["bias"], np.float32), bias)


def test_the_text_is_written_too(tmp_path):
    model, file = small().fit(X, MANY), io.BytesIO()
    text = to_json(model, tmp_path / "model.json")
    assert (tmp_path / "model.json").read_text() == text == to_json(model, file)
    assert file.getvalue().decode() == text


def test_other_models_are_refused():
    with pytest.raises(TypeError, match=r"skops.*to_json\(pipeline\[-1\]"):
        to_json(make_pipeline(small()).fit(X, MANY))
    with pytest.raises(NotFittedError):
        to_json(small())


# The forward passes of the documentation.

MAIN_JS = """
const model = JSON.parse(require("fs").readFileSync("model.json"));
const rows = JSON.parse(require("fs").readFileSync("rows.json"));
console.log(JSON.stringify(rows.map((row) => predictProba(model, row))));
"""
MAIN_C = r"""
#include <stdio.h>
int main(void) {
    double x[16], p[N_CLASSES];
    for (;;) {
        for (int i = 0; i < WIDTHS[0]; i++) if (scanf("%lf", x + i) != 1) return 0;
        predict_proba(x, p);
        for (int c = 0; c < N_CLASSES; c++) printf("%.17g ", p[c]);
        printf("\n");
    }
}
"""
ROWS = np.concatenate([X, 30 * X, np.zeros((1, 4))])


def run(command, folder, **options):
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, **options)
    assert done.returncode == 0, done.stderr
    return done.stdout


def in_javascript(model, folder):
    (folder / "rows.json").write_text(json.dumps(ROWS.tolist()))
    (folder / "main.js").write_text((DOCS / "forward_pass.js").read_text() + MAIN_JS)
    return json.loads(run(["node", "main.js"], folder))


def in_c(model, folder):
    (folder / "model.h").write_text(
        run([sys.executable, DOCS / "model_header.py", "model.json"], folder)
    )
    (folder / "main.c").write_text((DOCS / "forward_pass.c").read_text() + MAIN_C)
    how = ["-std=c99", "-Wall", "-Wextra", "-Werror"]
    run(["cc", *how, "main.c", "-o", "main", "-lm"], folder)
    numbers = "\n".join(" ".join(map(repr, row)) for row in ROWS.tolist())
    lines = run([folder / "main"], folder, input=numbers).splitlines()
    return [[float(number) for number in line.split()] for line in lines]


LANGUAGES = {"node": in_javascript, "cc": in_c}


@pytest.mark.slow
@pytest.mark.parametrize("program", LANGUAGES)
@pytest.mark.parametrize("kind", [*KINDS, *CORRECTED])
def test_forward_passes_of_the_documentation(kind, program, tmp_path):
    if shutil.which(program) is None:
        pytest.skip(f"{program} is not installed")
    model = fitted(kind)
    to_json(model, tmp_path / "model.json")
    found = LANGUAGES[program](model, tmp_path)
    np.testing.assert_allclose(found, model.predict_proba(ROWS), rtol=0, atol=1e-6)
