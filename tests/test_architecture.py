"""Imports point downwards, storey by storey and file by file."""

import re
import sys
from itertools import pairwise
from pathlib import Path

import pytest
from source_files import ROOT, file_of, files_in, imports_of

STOREYS = {  # from the bottom up, as are the files of each: a file imports only what stands before
    "_version": [],
    "_compat": [],
    "network": [
        *("parameters", "mapped", "forward_only", "activations", "initializers", "losses"),
        *(
            "own_functions",
            "own_activations",
            "own_losses",
            "optimizers",
            "schedules",
            "batches",
            "layers",
            "noise",
        ),
        *("architecture", "network", "inference", "moments", "steps", "state", "epochs"),
    ],
    "training": ["interruption", "threads", "holdout", "ensemble", "run", "lockstep"],
    "saved_state": [],
    "cells": [],
    "checks": [],
    "preprocessing": [],
    "journal": [
        "canonical",
        "functions",
        "values",
        "fingerprints",
        "checksums",
        "lock",
        "database",
    ],
    "estimators": [
        *("constraints", "arrays", "predictions", "checked_table", "parameters", "fitting"),
        *("fit_tasks", "classifier", "population", "adapted", "pipelines"),
    ],
    "minimization": ["variables", "feed", "descent", "minimize"],
    "tables": [
        *("messages", "numbers", "dates", "columns", "cleaner", "encoders", "pipeline"),
        *("encodings", "delimited", "files", "target", "training_table"),
    ],
    "drift": [
        *("priors", "prior_corrected", "scalers", "passage", "label_shift", "adaptation"),
        "choice",
        *("features", "columns", "samples", "two_sample", "class_shift", "predictions"),
        *("layers", "verdict", "words", "record", "report"),
    ],
    "arguments": [],
    "destinations": [],
    "export": [
        *("predictor", "encoding", "container", "networks", "files", "text"),
        *("graph", "onnx_network", "onnx_steps", "onnx_pipeline", "onnx_inputs"),
        *("onnx_comparison", "onnx_model"),
        *("skl2onnx_converters", "skops_types"),
    ],
    "callbacks": [
        *("epochs", "monitors", "early_stopping", "checkpoint", "epoch_logger"),
    ],
    "search": [
        *("fingerprints", "time_limit", "distributions", "recommendation"),
        *("adapters", "space", "study", "surrogate", "zoom", "records", "journal", "folds"),
        *("jobs", "workload", "progress"),
        *("splits", "halving", "results", "log", "judging", "networks", "partial_fits"),
        *("cache", "schedule", "evaluation", "rounds", "coarse_to_fine", "learning_rates"),
    ],
    "display": [
        *("record", "axes", "pictures", "search_display"),
        *("flags", "training_record", "training_pictures", "training_display", "live_figure"),
        *("text_curves", "learning_rate_picture", "learning_rate_range"),
        *("drift_pictures", "drift_display", "files"),
    ],
    "session": [
        *("log", "preparation", "networks", "call_tasks", "checkpoints", "journal", "machine"),
        "stored_model",
        *("training", "words", "live", "opening", "training_session"),
        *("looking", "asking", "watching", "command"),
    ],
    "drift_command": [],
    "table_command": [],
    "__main__": [],
}
STRANGERS = [  # the first does not import the second, though it stands above
    ("network", "_compat"),
    ("training", "_compat"),
    ("cells", "network"),
    ("cells", "training"),
    ("checks", "training"),
    ("preprocessing", "training"),
    ("journal", "network"),
    ("journal", "training"),
    ("journal", "saved_state"),
    ("journal", "cells"),
    ("journal", "checks"),
    ("journal", "preprocessing"),
    ("search", "tables"),
]
OFFERED = [("drift/__init__", "display/drift_display")]
"""Files of other storeys whose names the front of a storey offers, once they are asked for."""
OF_THE_CORE = {"numpy", "scipy.special.erf", "scipy.sparse.issparse", "skbn.network"}
OF_THE_CORE |= {  # where they are needed
    "autograd.core.make_vjp",
    "autograd.numpy.numpy_boxes.ArrayBox",
    "autograd.scipy.special",
    "joblib.wrap_non_picklable_objects",
}

FILES = [
    f"{storey}/{name}" if name else storey
    for storey, names in STOREYS.items()
    for name in names or [""]
]


def may_import(name, target):
    """Whether a file of the package may import another one."""
    (storey, _, _), (other, _, rest) = name.partition("/"), target.partition("/")
    if name == "__init__":
        return True
    if name.endswith("/__init__"):
        return other == storey or (name, target) in OFFERED
    if target == "__init__":
        return name == "__main__"
    if rest == "__init__":  # which stands for all files of its folder
        target = f"{other}/{STOREYS.get(other, [''])[-1]}"
    return target in FILES[: FILES.index(name)] and (storey, other) not in STRANGERS


def wrong_imports(root):
    """Imports within the package that do not point downwards, as ``this imports that``."""
    files = files_in(root)
    return [
        f"{name} imports {target}"
        for name, path in files.items()
        if name in FILES or name.endswith("__init__")
        for target in imports_of(path, root)
        if target.split(".")[0] == "skbn" and not may_import(name, file_of(target, files))
    ]


def mistakes_of_the_lists(root):
    """Files that no list names, and listed files that do not exist."""
    names = {name for name in files_in(root) if not name.endswith("__init__")}
    unlisted, absent = sorted(names.difference(FILES)), sorted(set(FILES) - names)
    return [
        *(f"enter {name} into STOREYS, after all files that it imports" for name in unlisted),
        *(f"take {name} out of STOREYS: it does not exist" for name in absent),
    ]


def foreign_imports(storey):
    """What a storey imports from outside of the standard library."""
    return {
        target
        for name, path in files_in(ROOT).items()
        if name.startswith(f"{storey}/")
        for target in imports_of(path, ROOT)
        if target.split(".")[0] not in sys.stdlib_module_names
    }


def test_the_lists_of_imports_name_every_file():
    mistakes = mistakes_of_the_lists(ROOT)
    assert not mistakes, "\n".join(mistakes)


def test_imports_point_downwards():
    wrong = wrong_imports(ROOT)
    assert not wrong, "\n".join(wrong)


def test_imports_of_the_core_are_numpy_only():
    targets, known = foreign_imports("network"), tuple(f"{name}." for name in OF_THE_CORE)
    assert {target for target in targets if not f"{target}.".startswith(known)} == set()
    assert targets


@pytest.mark.parametrize("storey", ["network", "training"])
def test_imports_below_the_estimators_are_neither_scikit_learn_nor_pandas(storey):
    libraries = {target.split(".")[0] for target in foreign_imports(storey)}
    assert not libraries & {"sklearn", "pandas"}
    assert "numpy" in libraries


@pytest.mark.parametrize("name", ["optimizers", "schedules"])
def test_imports_of_optimisers_and_schedules_are_not_layers(name):
    targets = imports_of(ROOT / "network" / f"{name}.py", ROOT)
    own = {target for target in targets if target.startswith("skbn")}
    assert own <= {"skbn.network.parameters.Array", "skbn.network.parameters.empty"}
    assert own


def test_imports_of_what_is_private_in_scikit_learn_stand_in_one_place():
    private = {
        name
        for name, path in files_in(ROOT).items()
        for target in imports_of(path, ROOT)
        if target.startswith("sklearn.") and "._" in target
    }
    assert private == {"_compat"}


# Planted trees.


@pytest.fixture
def house(tmp_path):
    """The package as the lists have it, of empty files."""
    folders = [f"{storey}/" for storey, names in STOREYS.items() if names]
    for name in [*FILES, *(f"{folder}__init__" for folder in ["", *folders])]:
        path = tmp_path / "skbn" / f"{name}.py"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()
    return tmp_path / "skbn"


def reported(root, name, code):
    """The files whose imports are wrong when one of them holds some code."""
    (root / f"{name}.py").write_text(code)
    return [wrong.split()[0] for wrong in wrong_imports(root)]


@pytest.mark.slow
@pytest.mark.parametrize(("name", "above"), list(pairwise(FILES)))
def test_an_import_of_the_file_above_is_reported_in_each_form(house, name, above):
    module, up = above.replace("/", "."), "." * (name.count("/") + 1)
    parent, _, last = f"skbn.{module}".rpartition(".")
    forms = [
        f"import skbn.{module} as other",
        f"import numpy, skbn.{module}",
        f"from skbn.{module} import anything",
        f"from {parent} import {last}",
        f"from {up}{module} import anything",
        f"if TYPE_CHECKING:\n    from skbn.{module} import anything",
        f"def function():\n    from skbn.{module} import anything",
    ]
    for code in forms:
        assert reported(house, name, code) == [name], code


@pytest.mark.parametrize(("storey", "other"), STRANGERS)
def test_an_import_between_strangers_is_reported(house, storey, other):
    name, target = (next(n for n in FILES if n.startswith(each)) for each in (storey, other))
    assert reported(house, name, f"import skbn.{target.replace('/', '.')}") == [name]


@pytest.mark.parametrize(
    ("name", "code", "is_wrong"),
    [
        ("__main__", "from skbn import BNSoftmaxClassifier", False),
        ("__main__", "import skbn", False),
        ("display/axes", "from skbn import BNSoftmaxClassifier", True),
        ("display/axes", "import skbn", True),
        ("display/axes", "from skbn.search import CoarseToFineSearchCV", False),
        ("display/axes", "from .. import search", False),
        ("search/coarse_to_fine", "from skbn.search import log_randint", True),
        ("search/coarse_to_fine", "from . import space, _compat", True),
        ("search/coarse_to_fine", "from . import space, zoom", False),
        ("estimators/fitting", "import skbn.search", True),
        ("search/__init__", "from skbn.search.space import Space", False),
        ("search/__init__", "from skbn.estimators.classifier import BNSoftmaxClassifier", True),
        ("__init__", "from skbn.estimators import classifier", False),
        ("search/__init__", "from skbn import BNSoftmaxClassifier", True),
    ],
)
def test_imports_of_packages_are_those_of_all_their_files(house, name, code, is_wrong):
    assert reported(house, name, code) == [name] * is_wrong


@pytest.mark.slow
def test_imports_of_all_that_stands_below_are_right(house):
    for position, name in enumerate(FILES):
        below = [each for each in FILES[:position] if may_import(name, each)]
        code = "".join(f"import skbn.{each.replace('/', '.')}\n" for each in below)
        assert reported(house, name, code) == []
        assert len(below) == position or name.split("/")[0] in dict(STRANGERS)


def test_imports_of_a_file_that_no_list_names_and_a_name_without_a_file_are_reported(house):
    assert mistakes_of_the_lists(house) == []
    (house / "search" / "zoom.py").rename(house / "search" / "lens.py")
    assert [mistake.split()[:2] for mistake in mistakes_of_the_lists(house)] == [
        ["enter", "search/lens"],
        ["take", "search/zoom"],
    ]


@pytest.mark.parametrize("storey", [name for name, files in STOREYS.items() if files])
def test_every_storey_has_files_of_quick_tests(storey):
    files = list((Path(__file__).parent / storey).glob("test_*.py"))
    slow = re.compile(r"^pytestmark = \[?\s*pytest\.mark\.slow\b", re.M)
    assert any(not slow.search(path.read_text()) for path in files)
