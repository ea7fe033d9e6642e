"""Imports point one way, and private names of scikit-learn stand in one place."""

import ast
import sys
from pathlib import Path

import pytest

import skbn

ROOT = Path(skbn.__file__).parent
ORDER = [
    "network",
    "stopping",
    "model",
    "threads",
    "ensemble",
    "lockstep",
    "validation",
    "preprocessing",
    "classifier",
    "tabular",
    "population",
    "search",
    "_axes",
    "_drawing",
    "display",
    "_table",
    "__main__",
]
CORE = ["parameters", "mapped", "activations", "initializers", "softmax", "layers", "network"]
CORE += ["optimizers", "schedules", "batches", "state", "training"]
SEARCH = ["interruption", "fingerprints", "progress", "distributions", "space", "study", "jobs"]
SEARCH += [
    "surrogate",
    "zoom",
    "journal",
    "splits",
    "populations",
    "halving",
    "evaluation",
    "coarse_to_fine",
]
MODULES = {
    ".".join(path.relative_to(ROOT.parent).with_suffix("").parts): path
    for path in ROOT.rglob("*.py")
}


def imported(path):
    """Full names of what a file imports: ``sklearn.base.BaseEstimator``."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            yield from (f"{node.module}.{alias.name}" for alias in node.names)


@pytest.mark.parametrize("name", [name for name in MODULES if name.startswith("skbn.network.")])
def test_the_core_knows_numpy_only(name):
    allowed = {"numpy", "scipy.special.erf", "scipy.sparse.issparse", "skbn.network"}
    for target in imported(MODULES[name]):
        top = target.split(".")[0]
        known = top in sys.stdlib_module_names or any(
            target == module or target.startswith(f"{module}.") for module in allowed
        )
        assert known, f"{name} imports {target}"


@pytest.mark.parametrize(
    ("package", "order"), [("skbn", ORDER), ("skbn.network", CORE), ("skbn.search", SEARCH)]
)
def test_imports_point_one_way(package, order):
    for position, module in enumerate(order):
        path = MODULES.get(f"{package}.{module}")
        later = [f"{package}.{name}" for name in order[position + 1 :]]
        for target in imported(path) if path else ():
            assert not target.startswith(tuple(later)), f"{package}.{module} imports {target}"


@pytest.mark.parametrize("name", ["optimizers", "schedules"])
def test_optimisers_and_schedules_know_nothing_of_layers(name):
    own = [t for t in imported(MODULES[f"skbn.network.{name}"]) if t.startswith("skbn")]
    assert set(own) <= {"skbn.network.parameters.Array", "skbn.network.parameters.empty"}
    assert own


def test_private_names_of_scikit_learn_stand_in_one_place():
    private = {
        name
        for name, path in MODULES.items()
        for target in imported(path)
        if target.startswith("sklearn.") and "._" in target
    }
    assert private == {"skbn._compat"}
