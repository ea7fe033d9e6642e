"""Saved states are plain, and what is read of them is never called."""

import pickle
from copy import deepcopy
from dataclasses import is_dataclass
from itertools import product
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from sklearn.metrics import get_scorer, get_scorer_names, make_scorer

from skbn import BNSoftmaxClassifier
from skbn.drift import PriorCorrectedClassifier
from skbn.export import SKOPS_TYPES
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.saved_state import DISTRIBUTIONS, FORMS, Plain, as_plain, from_plain
from skbn.search import CoarseToFineSearchCV, hidden_layers, log_randint, one_minus_loguniform
from skbn.search.distributions import Distribution
from skbn.tables.cleaner import TableCleaner
from skbn.tables.encoders import ColumnsOfKind, DatetimeEncoder, FloatEncoder, TextEncoder

FRAMES = {
    "numbers": pd.DataFrame({"a": [1, 2], "b": [0.5, np.nan]}),
    "objects by label": pd.DataFrame({"x": [(1, 2), "text"]}, index=["p", "q"], dtype=object),
    "text that stays objects": pd.DataFrame({"x": np.array(["p", "q"], object)}, dtype=object),
    "other dtypes": pd.DataFrame(
        {"a": np.array([1, 2], np.int8), "t": np.array(["2020-01-01", "NaT"], "M8[ns]")}
    ),
    "no rows": pd.DataFrame({"a": np.zeros(0), "b": np.zeros(0, bool)}),
    "the same label twice": pd.DataFrame({"a": [1, 2]}, index=["p", "p"]),
}


@pytest.mark.parametrize("name", FRAMES)
def test_a_frame(name):
    plain = as_plain(FRAMES[name])
    assert type(plain) is Plain
    pd.testing.assert_frame_equal(from_plain(plain), FRAMES[name], check_index_type=True)


@pytest.mark.parametrize(
    "frame",
    [
        pd.DataFrame({0: [1]}),
        pd.DataFrame({"a": [1]}, index=[5]),
        pd.DataFrame([[1, 2]], columns=["a", "a"]),
        pd.DataFrame({"a": pd.array([1, None], dtype="Int64")}),
    ],
)
def test_another_frame_stays_as_it_is(frame):
    assert as_plain(frame) is frame


ARGUMENTS = {
    # a distribution of scipy.stats, its arguments, and those by name
    "uniform": ((), {}),
    "loguniform": ((1e-4, 1), {}),
    "reciprocal": ((np.float64(1e-4), np.int64(1)), {}),
    "norm": ((0,), {"scale": np.float32(2)}),
    "randint": ((3,), {"high": 9}),
    "poisson": ((), {"mu": 3.5, "loc": 1}),
    "truncnorm": ((-1, np.inf), {}),
    "beta": ((np.array(2.0), 3), {}),
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_a_distribution_of_scipy(name):
    args, kwds = ARGUMENTS[name]
    frozen = getattr(stats, name)(*args, **kwds)
    plain = as_plain(frozen)
    assert plain.content == {"name": name, "args": list(args), "kwds": kwds}
    loaded = from_plain(plain)
    assert type(loaded) is type(frozen)
    assert type(loaded.dist) is type(frozen.dist)
    assert (loaded.args, loaded.kwds) == (frozen.args, frozen.kwds)
    quantiles = np.linspace(0.05, 0.95, 7)
    np.testing.assert_array_equal(loaded.ppf(quantiles), frozen.ppf(quantiles))


def test_distributions_are_found_by_their_names():
    assert {"loguniform", "randint", "uniform"} < DISTRIBUTIONS.keys()
    assert all(getattr(stats, name) is each for name, each in DISTRIBUTIONS.items())


class Own(stats.rv_continuous):
    """A distribution under a name of scipy's."""

    def _pdf(self, x):
        return np.ones_like(x)


@pytest.mark.parametrize(
    "frozen",
    [Own(a=0, b=1, name="uniform")(), stats.rv_discrete(values=([1, 2], [0.5, 0.5]))()],
    ids=["of the user", "of values"],
)
def test_another_distribution_stays_as_it_is(frozen):
    assert as_plain(frozen) is frozen


@pytest.mark.parametrize("name", get_scorer_names())
def test_a_scorer_of_scikit_learn_is_its_name(name):
    scorer = get_scorer(name)
    plain = as_plain({"scorer_": scorer})["scorer_"]
    assert repr(get_scorer(plain.content)) == repr(scorer)
    assert repr(from_plain(plain)) == repr(scorer)


def test_another_scorer_stays_as_it_is():
    scorers = [make_scorer(np.dot), make_scorer(np.dot, labels=np.zeros(3)), np.dot]
    assert as_plain(scorers) is scorers


MAPPINGS = [
    {True: 1, False: 2},
    {None: 1, "a": 2, 3: 4},
    {1.5: 1, np.inf: 2},
    {1: "number", "1": "text"},
    {np.int64(1): 1, np.str_("a"): 2},
]


@pytest.mark.parametrize("value", [*MAPPINGS, range(3), range(9, 1, -2), Path("a/b.db"), Path()])
def test_a_value_that_is_saved_otherwise(value):
    loaded = from_plain(as_plain(value))
    assert type(as_plain(value)) is Plain
    assert repr(loaded) == repr(value)
    assert type(loaded) is type(value)


def test_a_value_is_found_wherever_it_is():
    masked = np.ma.MaskedArray([None, {True: 1}, (range(2),)], [True, False, False], dtype=object)
    state = {"a": [({"b": range(3)}, 1)], "c": {0: {True: range(1)}}, "d": masked}
    plain = as_plain(deepcopy(state))
    assert repr(state) != repr(plain)
    assert repr(from_plain(plain)) == repr(state)


def test_what_is_plain_is_not_copied_and_what_is_one_stays_one():
    shared = {True: [1]}
    part = [1.0, {"a": (2, None)}, np.zeros(2), np.array(["a", None], object)]
    state = {"part": part, "one": [shared], "two": shared}
    plain = as_plain(state)
    assert plain["part"] is part
    assert plain["one"][0] is plain["two"]
    loaded = from_plain(plain)
    assert loaded["one"][0] is loaded["two"]
    assert state["two"] is shared


DAMAGED = {
    # contents that are never written
    "table": [
        {"columns": {"a": [1, 2]}, "labels": None},
        {"columns": {"a": np.zeros((2, 2))}, "labels": None},
        {"columns": {"a": np.zeros(2), "b": np.zeros(3)}, "labels": None},
        {"columns": {"a": np.zeros(2)}, "labels": ["x"]},
        {"columns": {"a": np.zeros(2)}, "labels": [1, 2]},
        {"columns": {1: np.zeros(2)}, "labels": None},
        {"columns": {"a": np.zeros(2)}},
    ],
    "distribution": [
        {"name": "rv_histogram", "args": [], "kwds": {}},
        {"name": "__builtins__", "args": [], "kwds": {}},
        {"name": "os.system", "args": ["echo"], "kwds": {}},
        {"name": "uniform", "args": ["__import__('os')"], "kwds": {}},
        {"name": "uniform", "args": [print], "kwds": {}},
        {"name": "uniform", "args": [np.array(["text"])], "kwds": {}},
        {"name": "uniform", "args": [np.array([print])], "kwds": {}},
        {"name": "uniform", "args": 1, "kwds": {}},
        {"name": "uniform", "args": [], "kwds": {1: 2}},
        {"name": "uniform", "args": [], "kwds": {}, "seed": 1},
        {"name": ["uniform"], "args": [], "kwds": {}},
    ],
    "scorer": ["os.system", "__class__", "", 3, make_scorer, None, ["accuracy"]],
    "range": [[1, 2], [1, 2, 0], [1, 2, 3.0], ["1", "2", "3"], (1, 2, 3), [1, 2, True]],
    "path": [b"path", 1, ["a"], None],
    "mapping": [[[1], [2], [3]], [[1, 2], [3]], [[print], [1]], [[()], [1]], ((1,), (2,)), {}],
    "os.system": ["echo"],
    "read": [1],
}


@pytest.mark.parametrize(
    ("form", "content"), [(form, each) for form in DAMAGED for each in DAMAGED[form]]
)
def test_a_damaged_state_is_refused(form, content):
    with pytest.raises(ValueError, match="that skbn has not written: the file is damaged"):
        from_plain({"part": [Plain(form, content)]})


@pytest.mark.parametrize("form", [None, 1, ["table"], np.str_("table"), print])
def test_a_form_that_is_none_is_refused(form):
    with pytest.raises(ValueError, match="a form that skbn has not written"):
        from_plain(Plain(form, {}))


def test_a_distribution_with_wrong_arguments_is_refused():
    with pytest.raises(TypeError):
        from_plain(Plain("distribution", {"name": "uniform", "args": [1, 2, 3, 4], "kwds": {}}))


# Nothing in a state is touched.

TOUCHED = []
SPECIAL = (
    *("call", "iter", "len", "getitem", "contains", "eq", "lt", "hash", "bool", "index", "int"),
    *("float", "repr", "str", "format", "array", "add", "neg", "reduce_ex", "enter", "fspath"),
    *("getstate", "buffer"),
)


def _noting(name):
    def method(self, *args, **kwargs):
        TOUCHED.append(name)
        raise RuntimeError(f"{name} was called")

    return method


class _Tripwire:
    """An object that notes whatever is done with it, but for looking at its class."""

    locals().update({f"__{name}__": _noting(name) for name in SPECIAL})

    def __getattribute__(self, name):
        if name == "__class__":
            return _Tripwire
        TOUCHED.append(name)
        raise AttributeError(name)


def parts_of(value):
    """Parts of a state by key, or nothing."""
    if is_dataclass(value) and not isinstance(value, Distribution):
        return dict(vars(value))
    if type(value) in (list, tuple):
        return dict(enumerate(value))
    return value if type(value) is dict else {}


def paths_in(value, path=()):
    """Where the parts of a state are."""
    for key, part in parts_of(value).items():
        yield (*path, key)
        yield from paths_in(part, (*path, key))


def put(value, path, part):
    """A copy of a state with another part."""
    if not path:
        return part
    key, *rest = path
    parts = parts_of(value) | {key: put(parts_of(value)[key], rest, part)}
    if not is_dataclass(value):
        return parts if type(value) is dict else type(value)(parts.values())
    copy = type(value).__new__(type(value))
    copy.__dict__.update(parts)
    return copy


def honest():
    """An object of each type of this package that has a state of its own."""
    X = np.random.default_rng(0).normal(size=(40, 2))
    y = X[:, 0] > 0
    model = BNSoftmaxClassifier((3,), max_iter=1, class_weight={True: 1, False: 2}).fit(X, y)
    space = {
        "alpha": stats.loguniform(1e-3, 1),
        "max_iter": range(1, 3),
        "momentum": one_minus_loguniform(0.5, 0.9),
    }
    search = CoarseToFineSearchCV(
        model, space, n_candidates=2, n_rounds=1, cv=2, scoring="accuracy", resource="epochs"
    ).set_params(max_epochs=2)
    search.fit(X, y)
    (progress, *_) = vars(model)["_progress"]
    study = vars(search)["_study"]
    texts = pd.DataFrame({"text": pd.Categorical([f"word {k}" for k in range(40)])})
    days = pd.DataFrame({"day": pd.date_range("2020-01-01", periods=40)})
    cleaner = TableCleaner(forms={"text": {"kind": "text"}})
    return [
        *(model, search, PiecewiseLinearEncoder().fit(X), hidden_layers((1, 2), [3, 4])),
        *(log_randint(2, 3), space["momentum"], progress, progress.state, progress.architecture),
        *(study, study.trials[0], as_plain(range(3))),
        PriorCorrectedClassifier(model, [0.5, 0.5], [0.1, 0.9]),
        *(cleaner.fit(texts.assign(number=X[:, 0])), TextEncoder().fit(texts)),
        *(DatetimeEncoder().fit(days), FloatEncoder().fit(X), ColumnsOfKind("numeric")),
    ]


HONEST = honest()


def test_objects_of_all_types_are_tried():
    names = {f"{type(each).__module__}.{type(each).__name__}" for each in HONEST}
    own = {name for name in SKOPS_TYPES if name.startswith("skbn.")}
    # A tuple has no state.
    assert own - names == {
        "skbn.journal.fingerprints.Fingerprint",
        "skbn.search.fingerprints.Fingerprint",
    }


def load(kind, state):
    """Make an object of a state as skops does."""
    loaded = kind.__new__(kind)
    if hasattr(loaded, "__setstate__"):
        loaded.__setstate__(state)
    else:
        loaded.__dict__.update(state)
    return loaded


@pytest.mark.slow
@pytest.mark.parametrize("example", HONEST, ids=lambda each: type(each).__name__)
def test_nothing_in_a_state_is_touched(example):
    state, kind = example.__getstate__(), type(example)
    paths = list(paths_in(state))
    assert load(kind, put(state, paths[0], state[paths[0][0]])).__dict__.keys()
    for path in paths:
        TOUCHED.clear()
        try:
            loaded = load(kind, put(state, path, _Tripwire()))
        except (ValueError, TypeError, AttributeError):
            loaded = None
        assert TOUCHED == [], path
        assert loaded is None or type(loaded) is kind


@pytest.mark.parametrize("kind", [BNSoftmaxClassifier, CoarseToFineSearchCV, hidden_layers])
@pytest.mark.parametrize("state", [_Tripwire(), [1], "text", 3, ()], ids=lambda s: type(s).__name__)
def test_a_state_that_is_none_is_refused(kind, state):
    TOUCHED.clear()
    with pytest.raises(ValueError, match=f"a {kind.__name__} that skbn has not written"):
        load(kind, state)
    assert TOUCHED == []


def test_every_form_is_tried():
    assert FORMS.keys() < DAMAGED.keys()
    used = {as_plain(v).form for v in [*FRAMES.values(), *MAPPINGS, range(1), Path()]}
    assert used | {"distribution", "scorer"} == FORMS.keys()


@pytest.mark.parametrize("width", [[4, 8], (4, 8), 4, [4]])
def test_widths_to_draw_from_and_their_bounds_stay_apart(width):
    distribution = hidden_layers((1, 2), width)
    assert distribution.axes
    for loaded in pickle.loads(pickle.dumps(distribution)), deepcopy(distribution):
        assert loaded == distribution
        assert repr(loaded) == repr(distribution)
        for point in product([0.1, 0.5, 0.9], repeat=len(distribution.axes)):
            assert loaded.from_unit(np.array(point)) == distribution.from_unit(np.array(point))
