"""A file of skops that says what it likes runs no code, and writes nothing."""

import importlib
import json
import os
from contextlib import suppress
from copy import deepcopy

import numpy as np
import pandas as pd
import pytest
from hostile_archives import NAMES, Archive, Watch, mapping, mutated, node, several, text
from scipy import stats
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from skbn import BNSoftmaxClassifier, __version__
from skbn.drift.prior_corrected import PriorCorrectedClassifier
from skbn.export import SKOPS_TYPES
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.saved_state import DISTRIBUTIONS
from skbn.search import CoarseToFineSearchCV, hidden_layers, log_randint, one_minus_loguniform
from skbn.tables.cleaner import TableCleaner
from skbn.tables.encoders import table_encoder

skops = pytest.importorskip("skops.io")

N_MUTATIONS = int(os.environ.get("SKBN_EXAMPLES", 100))

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore")]


def saved():
    """Files of what the list is for, small ones."""
    X = np.random.default_rng(0).normal(size=(30, 2))
    y = X[:, 0] > 0
    model = BNSoftmaxClassifier((2,), n_members=1, calibrate=False, max_iter=1, random_state=0)
    space = {
        "alpha": stats.loguniform(1e-3, 1),
        "batch_size": stats.randint(8, 12),
        "max_iter": range(1, 3),
        "momentum": one_minus_loguniform(0.5, 0.9),
        "class_weight": [{True: 1, False: 2}],
    }
    few = {"n_candidates": 2, "n_rounds": 1, "cv": 2, "random_state": 0}
    search = CoarseToFineSearchCV(model, space, scoring="accuracy", resource="epochs", **few)
    search.set_params(min_epochs=1, max_epochs=2).fit(X, y).retune(X, y)
    table = pd.DataFrame(
        {"day": pd.date_range("2024-01-01", periods=30), "text": [f"n {i % 9}" for i in range(30)]}
    ).assign(number=X[:, 0], key=[f"key {i} of {i * i}" for i in range(30)])
    encoder = table_encoder(OneHotEncoder(sparse_output=False))
    return [
        skops.dumps(each)
        for each in (
            make_pipeline(StandardScaler(), PiecewiseLinearEncoder(), model).fit(X, y),
            make_pipeline(TableCleaner(), encoder, model).fit(table, y),
            search,
            CoarseToFineSearchCV(model, space),
            GridSearchCV(model, {"alpha": [0.1]}, cv=2).fit(X, y),
            PriorCorrectedClassifier(model, np.array([0.5, 0.5]), np.array([0.1, 0.9])),
            [hidden_layers((1, 2), [3, 4]), hidden_layers(1, (2, 3)), log_randint(2, 5)],
        )
    ]


@pytest.fixture(scope="module")
def archives():
    return [Archive(data) for data in saved()]


@pytest.fixture(scope="module")
def watch(archives):
    """A watch that knows what scipy executes of its own when it makes a distribution."""
    watch = Watch()
    for archive in archives:
        repr(skops.loads(archive.data(), trusted=SKOPS_TYPES))  # imports what is imported late
    with watch():
        for distribution in DISTRIBUTIONS.values():
            deepcopy(distribution)
    watch.learn()
    return watch


def outcome(watch, data):
    """What came of loading: an object, or an error; nothing else may happen."""
    with watch():
        try:
            loaded = skops.loads(data, trusted=SKOPS_TYPES)
        except Exception as error:
            loaded = error
    assert watch.surprises == []
    return loaded


def test_honest_archives_are_loaded(archives, watch):
    for archive in archives:
        assert not isinstance(outcome(watch, archive.data()), Exception)


def test_the_list_holds_what_is_needed(archives):
    needed = {name for each in archives for name in skops.get_untrusted_types(data=each.data())}
    assert needed <= set(SKOPS_TYPES)
    in_older_files = {"skbn.search.fingerprints.Fingerprint"}
    assert {name for name in SKOPS_TYPES if name.startswith("skbn.")} <= needed | in_older_files
    assert len(SKOPS_TYPES) == len(set(SKOPS_TYPES))


def test_the_list_holds_no_functions():
    for name in SKOPS_TYPES:
        module, _, own = name.rpartition(".")
        found = getattr(importlib.import_module(module), own, None)
        # Some are of old versions of scikit-learn only.
        assert isinstance(found, type) or (found is None and name.startswith("sklearn."))


# Attacks.


SCIPY = Archive(skops.dumps(stats.loguniform(1e-3, 1)))


def scipy_that_executes(code):
    """A distribution of scipy.stats that executes code when it is loaded."""
    archive = SCIPY.copy()
    (template,) = [n for _, key, n in archive.nodes() if key == "_parse_arg_template"]
    template["content"] = json.dumps(code)
    return archive.schema


def plain(form, content):
    return node("skbn.saved_state.Plain", "ObjectNode", content=mapping(form=form, content=content))


def distribution(name, *args, kwds=()):
    content = mapping(name=name, args=several(*args, kind="list"), kwds=mapping(**dict(kwds)))
    return plain(text("distribution"), content)


def attacks(code, path):
    """Trees of nodes that would run some code, or write a file, if they could."""
    run, line, file = several(text(code)), text(code), text(path)
    executed = node("builtins.exec", "TypeNode")
    called = several(node("builtins.exec", "FunctionNode"), line)
    one = {"content": {"a": line}, "key_types": several(executed, kind="list")}
    search = "skbn.search.coarse_to_fine.CoarseToFineSearchCV"
    classifier = "skbn.estimators.classifier.BNSoftmaxClassifier"
    return {
        "a distribution of scipy": scipy_that_executes(code),
        "a call": node("builtins.exec", "ConstructorFromReduceNode", content=run),
        "a call of open": node(
            "builtins.open", "ConstructorFromReduceNode", content=several(file, text("w"))
        ),
        "a journal": node(
            "skbn.search.journal.Journal",
            "ConstructorFromReduceNode",
            content=several(file, mapping()),
        ),
        "a list": node("builtins.exec", "ListNode", content=[line]),
        "a set": node("builtins.exec", "SetNode", content=[line]),
        "a dict": node("builtins.exec", "DictNode", **one),
        "keys": node("builtins.dict", "DictNode", **one | {"content": {code: line}}),
        "an array": node(
            "builtins.exec",
            "NdArrayNode",
            type="json",
            **one | {"content": [line], "shape": several(text(1))},
        ),
        "a function": node("builtins.exec", "FunctionNode"),
        "a type": executed,
        "a factory": node(
            "collections.defaultdict",
            "DefaultDictNode",
            content={"main": mapping(), "default_factory": executed},
        ),
        "a partial": node(
            "functools.partial",
            "PartialNode",
            content={"func": executed, "args": run, "kwds": mapping(), "namespace": text(None)},
        ),
        "an operator": node("operator.methodcaller", "OperatorFuncNode", attrs=called),
        "a method": node(
            classifier,
            "MethodNode",
            content={"func": "fit", "obj": node(classifier, "ObjectNode", content=mapping())},
        ),
        "a method of a search": node(
            search,
            "MethodNode",
            content={
                "func": "fit",
                "obj": node(search, "ObjectNode", content=mapping(journal=file)),
            },
        ),
        "a method by a name of the list": node(
            "skbn.estimators.classifier",
            "MethodNode",
            content={
                "func": "BNSoftmaxClassifier",
                "obj": text(1) | {"__module__": "skbn.estimators", "__class__": "classifier"},
            },
        ),
        "a function to transform with": node(
            "sklearn.preprocessing._function_transformer.FunctionTransformer",
            "ObjectNode",
            content=mapping(func=executed),
        ),
        "a memory": node("joblib.memory.Memory", "ConstructorFromReduceNode", content=run),
        "a mapped file": node(
            "numpy.memmap",
            "ConstructorFromReduceNode",
            content=several(file, text("uint8"), text("w+"), text(0), text([3])),
        ),
        "a stream": node(
            "numpy.random.Generator",
            "RandomGeneratorNode",
            content={"bit_generator": mapping(bit_generator=text("seed")), "seed_seq": mapping()},
        ),
        "a form": plain(executed, line),
        "a form by another name": plain(text("exec"), line),
        "a scorer": plain(text("scorer"), text("exec")),
        "a scorer that is none": plain(text("scorer"), executed),
        "a name of scipy": distribution(text("os.system"), line),
        "a module of scipy": distribution(text("__builtins__"), line),
        "arguments": distribution(text("uniform"), line),
        "arguments that are types": distribution(text("uniform"), executed),
        "arguments by name": distribution(text("uniform"), kwds={"loc": line}),
        "a keyword": distribution(text("uniform"), kwds={"seed": text(1), "name": line}),
        "a table": plain(text("table"), mapping(columns=mapping(a=line), labels=text(None))),
        "a state": node(classifier, "ObjectNode", content=line),
        "a version": node(
            classifier,
            "ObjectNode",
            content=mapping(
                _skbn_version=node(
                    "sklearn.pipeline.Pipeline", "ObjectNode", content=mapping(startswith=executed)
                )
            ),
        ),
        "a search with a journal": node(
            search, "ConstructorFromReduceNode", content=several(text(1), mapping(), file)
        ),
    }


def below(classifier):
    return lambda tree: node(
        classifier,
        "ObjectNode",
        content=mapping(random_state=tree, _skbn_version=text(__version__)),
    )


PLACES = {
    "alone": lambda tree: tree,
    "in a list": lambda tree: several(tree, kind="list"),
    "in a classifier": below("skbn.estimators.classifier.BNSoftmaxClassifier"),
    "in a search": below("skbn.search.coarse_to_fine.CoarseToFineSearchCV"),
    "in a distribution": lambda tree: distribution(text("uniform"), tree),
    "in a table": lambda tree: plain(text("table"), mapping(columns=tree, labels=text(None))),
}
NAMES_OF_ATTACKS = list(attacks("", ""))


def archive_of(tree):
    archive = SCIPY.copy()
    archive.schema = tree | {"protocol": archive.schema["protocol"]}
    return archive.data()


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("name", NAMES_OF_ATTACKS)
def test_an_attack_does_nothing(name, place, watch, tmp_path):
    path = str(tmp_path / "written")
    tree = PLACES[place](attacks(f"open({path!r}, 'w')", path)[name])
    outcome(watch, archive_of(tree))
    assert list(tmp_path.iterdir()) == []


def test_an_attack_by_scipy_is_seen_where_its_types_are_trusted(watch, tmp_path):
    path = tmp_path / "written"
    data = archive_of(scipy_that_executes(f"open({str(path)!r}, 'w').close()"))
    types = skops.get_untrusted_types(data=data)
    assert not set(types) & set(SKOPS_TYPES)
    with watch(), suppress(KeyError, AttributeError):  # its functions are missing then
        skops.loads(data, trusted=types)
    assert path.exists()
    assert [event for event, _ in watch.surprises] == ["exec", "open"]


LOADERS_OF_TYPES = {
    "ObjectNode": lambda tree: {"content": tree},
    "ConstructorFromReduceNode": lambda tree: {"content": several(tree)},
    "TypeNode": lambda tree: {},
    "FunctionNode": lambda tree: {},
    "ListNode": lambda tree: {"content": [tree]},
    "TupleNode": lambda tree: {"content": [tree] * 3},
    "DictNode": lambda tree: {"content": {"a": tree}, "key_types": several(tree, kind="list")},
}
PARTS = {
    "text": text("os.system"),
    "a number": text(3),
    "nothing": several(),
    "a dict": mapping(width=several(text(1), kind="list"), form=text("scorer"), content=text("x")),
    "a type": node("builtins.map", "TypeNode"),
    "a ufunc": node("numpy.add", "FunctionNode"),
    "an estimator": node(
        "sklearn.pipeline.Pipeline",
        "ObjectNode",
        content=mapping(keys=node("builtins.map", "TypeNode")),
    ),
}


@pytest.mark.parametrize("name", SKOPS_TYPES)
def test_a_type_of_the_list_does_nothing_whatever_it_is_made_of(name, watch):
    for loader, content_of in LOADERS_OF_TYPES.items():
        for part in PARTS.values():
            outcome(watch, archive_of(node(name, loader, **content_of(part))))


def test_a_changed_archive_does_nothing(archives, watch, tmp_path):
    rng = np.random.default_rng(0)
    code = f"open({str(tmp_path / 'written')!r}, 'w')"
    trees = [deepcopy(each) for each in attacks(code, str(tmp_path / "file")).values()]
    pool = trees + [n for archive in archives for _, _, n in archive.nodes() if len(str(n)) < 2000]
    names = [*SKOPS_TYPES, *NAMES]
    n_loaded = 0
    for _ in range(N_MUTATIONS):
        archive = archives[rng.integers(len(archives))]
        loaded = outcome(watch, mutated(archive, pool, names, rng))
        n_loaded += not isinstance(loaded, Exception)
    assert list(tmp_path.iterdir()) == []
    assert 0 < n_loaded < N_MUTATIONS
