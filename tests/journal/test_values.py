"""Digests are equal for equal values, in every process, and for no others."""

import collections
import datetime
import decimal
import enum
import functools
import itertools
import operator
import os
import pathlib
import re
import subprocess
import sys
import threading
from types import FunctionType

import numpy as np
import pandas as pd
import pytest
from scipy import sparse, special, stats
from sklearn.compose import ColumnTransformer
from sklearn.feature_selection import SelectKBest, f_classif
from sklearn.frozen import FrozenEstimator
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import fbeta_score, get_scorer, make_scorer, roc_auc_score
from sklearn.model_selection import KFold
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.journal.values import UnidentifiedError, digest_of
from skbn.search import hidden_layers, log_randint

OFFSET = 3


class Colour(enum.Enum):
    RED = 1


class Scorer:
    calls = 0

    def __init__(self, factor):
        self.factor = factor

    @functools.cached_property
    def derived(self):
        return 2 * self.factor

    def __call__(self, model, X, y):
        Scorer.calls += 1
        return self.factor * model.score(X, y)


class Fitted(LogisticRegression):
    def fit(self, X, y):
        return super().fit(X, y)


class Slots:
    __slots__ = ("a",)

    def __init__(self, a):
        self.a = a


def power(x, n=2, *, m=1):
    return x**n + OFFSET * m


def is_even(n):
    return n == 0 or is_odd(n - 1)


def is_odd(n):
    return n != 0 and is_even(n - 1)


def times(k):
    return lambda x: x * k


@functools.lru_cache
def remembered(x):
    return x


@functools.wraps(power)
def wrapped(x):
    return power(x)


def around_itself():
    loop = [1]
    loop.append(loop)
    return loop


def frame(**changes):
    columns = {"a": [1, 2], "b": ["x", None], "c": pd.Categorical(["u", "v"])}
    return pd.DataFrame(columns | {"d": pd.array([1, None], dtype="Int64")} | changes)


def masked(mask):
    return np.ma.array([1, 2], mask=mask)


VALUES = [  # made anew by each call; all differ
    *(lambda v=v: v for v in (None, True, 1, 1.0, 0, 0.0, -0.0, 10**50, -(10**50), 1j)),
    *(lambda v=v: v for v in ("1", b"1", "", b"", ..., NotImplemented, Colour.RED)),
    lambda: float("nan"),
    lambda: datetime.datetime(2020, 1, 1),
    lambda: datetime.datetime(2020, 1, 1, tzinfo=datetime.UTC),
    lambda: datetime.timedelta(1),
    lambda: decimal.Decimal("1.20"),
    lambda: decimal.Decimal("1.2"),
    lambda: pathlib.PurePosixPath("a"),
    lambda: re.compile("a"),
    lambda: range(3),
    lambda: slice(1, 2),
    *(lambda v=v: v for v in ([], (), {}, set(), [[]], [[], []], [(), []])),
    lambda: ["ab", "c"],
    lambda: ["a", "bc"],
    lambda: ["a", ["bc"]],
    lambda: {"a": 1, "b": 2},
    lambda: {"a": 2, "b": 1},
    lambda: [("a", 1), ("b", 2)],
    lambda: {"x", "y", "z"},
    lambda: collections.OrderedDict(a=1, b=2),
    lambda: collections.OrderedDict(b=2, a=1),
    lambda: collections.deque([1]),
    around_itself,
    lambda: np.float32(0.5),
    lambda: np.float64(0.5),
    lambda: np.dtype("f8"),
    lambda: np.dtype("f4"),
    lambda: np.arange(6.0),
    lambda: np.arange(6.0).reshape(2, 3),
    lambda: np.arange(6.0).reshape(3, 2),
    lambda: np.arange(6),
    lambda: np.arange(6, dtype=np.int32),
    lambda: np.zeros((0, 3)),
    lambda: np.zeros((3, 0)),
    lambda: np.array([1, "1", None], dtype=object),
    lambda: np.array(["1", "1", None], dtype=object),
    lambda: np.array(["2020-01-01"], dtype="M8[D]"),
    lambda: np.array(["2020-01-01"], dtype="M8[s]"),
    lambda: np.array([(1, 2.0)], dtype=[("a", "i4"), ("b", "f8")]),
    lambda: masked([0, 1]),
    lambda: masked([0, 0]),
    lambda: sparse.csr_array(np.eye(3)),
    frame,
    lambda: frame(a=[1, 3]),
    lambda: frame(c=pd.Categorical(["u", "v"], ["v", "u"])),
    lambda: frame(d=[1.0, np.nan]),
    lambda: frame().rename(columns={"a": "A"}),
    lambda: frame().set_index("b"),
    lambda: pd.Series([1, 2], name="q"),
    lambda: pd.Series([1, 2]),
    lambda: pd.Index([1, 2]),
    lambda: pd.Series(pd.date_range("2020", periods=2, tz="Europe/Paris")),
    lambda: pd.Series(pd.date_range("2020", periods=2, tz="Europe/Rome")),
    lambda: pd.Timestamp("2020"),
    lambda: pd.NA,
    lambda: pd.NaT,
    lambda: np.random.RandomState(0),
    lambda: np.random.RandomState(1),
    lambda: np.random.default_rng(0),
    lambda: np.random.default_rng(1),
    lambda: np.log,
    lambda: np.exp,
    lambda: special.expit,
    lambda: np.vectorize(power),
    lambda: np.vectorize(is_even),
    lambda: power,
    lambda: is_even,
    lambda: is_odd,
    lambda: times(2),
    lambda: times(3),
    lambda: remembered,
    lambda: wrapped,
    lambda: functools.partial(power, n=3),
    lambda: functools.partial(power, n=4),
    lambda: Scorer(1).__call__,
    lambda: Scorer(2).__call__,
    lambda: len,
    lambda: "a".join,
    lambda: "b".join,
    lambda: operator.itemgetter(1),
    lambda: np,
    lambda: Scorer,
    lambda: Fitted,
    lambda: LogisticRegression,
    lambda: Scorer([1, 2]),
    lambda: Slots(1),
    lambda: Slots(2),
    lambda: stats.loguniform(1e-4, 1),
    lambda: stats.loguniform(1e-3, 1),
    lambda: stats.rv_histogram((np.array([1, 2]), np.array([0, 1, 2.0]))).freeze(),
    lambda: stats.rv_histogram((np.array([2, 2]), np.array([0, 1, 2.0]))).freeze(),
    lambda: log_randint(1, 8),
    lambda: hidden_layers((1, 3), (8, 16)),
    lambda: hidden_layers((1, 3), [8, 16]),
    lambda: make_scorer(fbeta_score, beta=2),
    lambda: make_scorer(fbeta_score, beta=1),
    lambda: make_scorer(roc_auc_score, response_method="predict_proba"),
    lambda: get_scorer("accuracy"),
    lambda: make_pipeline(FunctionTransformer(power), Fitted()),
    lambda: make_pipeline(FunctionTransformer(is_even), Fitted()),
    lambda: ColumnTransformer([("a", StandardScaler(), [0])]),
    lambda: ColumnTransformer([("a", StandardScaler(), [1])]),
    lambda: SelectKBest(f_classif),
    lambda: BNSoftmaxClassifier((8,)),
    lambda: BNSoftmaxClassifier([8]),
    lambda: FrozenEstimator(LogisticRegression().fit([[0.0], [1.0]], [0, 1])),
    lambda: FrozenEstimator(LogisticRegression().fit([[0.0], [2.0]], [0, 1])),
    lambda: KFold(3),
    lambda: KFold(3, shuffle=True),
]


def digests():
    return [digest_of(make(), "it") for make in VALUES]


def test_digests_of_values_made_anew_are_equal_and_those_of_others_are_not():
    found = digests()
    assert found == digests()
    seen = {}
    for make, digest in zip(VALUES, found, strict=True):
        assert digest not in seen, f"{make()!r} and {seen[digest]()!r}"
        seen[digest] = make


@pytest.mark.slow
def test_digests_are_the_same_in_another_process():
    code = f"import sys; sys.path[:0] = {sys.path!r}; import test_values as t; print(t.digests())"
    done = subprocess.run(
        [sys.executable, "-c", code],
        capture_output=True,
        text=True,
        env=os.environ | {"PYTHONHASHSEED": "7"},
        cwd=pathlib.Path(__file__).parent,
    )
    assert eval(done.stdout or "None") == digests(), done.stderr


def unsorted_sparse():
    return sparse.csr_matrix(
        (np.array([1.0, 1.0, 3.0]), np.array([1, 1, 0]), np.array([0, 3])), shape=(1, 2)
    )


X = np.arange(12.0).reshape(3, 4)
SAME = [
    (np.asfortranarray(X), X),
    (X[::-1][::-1], X),
    (X.astype(">f8"), X),
    (np.where(X == 0, -np.array(np.nan), X), np.where(X == 0, np.nan, X)),
    (np.float64(0.1), 0.1),
    (np.int32(3), 3),
    (np.bool_(True), True),
    (np.str_("a"), "a"),
    (np.array([1, "a"], dtype=object)[::-1], np.array(["a", 1], dtype=object)),
    ({"a": 1, "b": 2}, {"b": 2, "a": 1}),
    ([X[0].tolist()] * 2, [X[0].tolist(), X[0].tolist()]),
    (unsorted_sparse(), sparse.csc_array(np.array([[3.0, 2.0]]))),
    (masked([0, 1]), np.ma.array([1, 9], mask=[0, 1])),
]


@pytest.mark.parametrize("number", range(len(SAME)))
def test_equal_values_have_equal_digests(number):
    one, other = SAME[number]
    assert digest_of(one, "") == digest_of(other, "")


def test_a_memory_map_is_its_array(tmp_path):
    np.save(tmp_path / "x.npy", X)
    assert digest_of(np.load(tmp_path / "x.npy", mmap_mode="r"), "") == digest_of(X, "")


def test_the_order_in_memory_does_not_matter_across_blocks():
    big = np.random.default_rng(0).normal(size=(2**12, 70))
    assert digest_of(np.asfortranarray(big), "") == digest_of(big, "")
    changed = big.copy()
    changed[-1, -1] += 1e-12
    assert digest_of(changed, "") != digest_of(big, "")


def test_a_matrix_keeps_its_flags_and_its_order():
    matrix = unsorted_sparse()
    before = dict(vars(matrix))
    digest_of(matrix, "")
    assert vars(matrix).keys() == before.keys()
    assert matrix.indices.tolist() == [1, 1, 0]


def defined(source, name="f", **names):
    namespace = {"__name__": "somewhere", "np": np} | names
    exec(source, namespace)
    return namespace[name]


SOURCE = "def f(model, X, y=2):\n    return model.score(X, y) * K"


@pytest.mark.parametrize(
    ("source", "names", "is_same"),
    [
        (SOURCE, {"K": 2}, True),
        ("# elsewhere\n\n" + SOURCE, {"K": 2}, True),
        (SOURCE.replace("    ", "        ") + "  # a remark", {"K": 2}, True),
        (SOURCE, {"K": 2, "score": 5, "other": 7}, True),  # not read: an attribute, and nothing
        (SOURCE, {"K": 3}, False),
        (SOURCE, {"K": 2.0}, False),
        (SOURCE, {"K": 2, "__name__": "elsewhere"}, False),
        (SOURCE.replace("*", "/"), {"K": 2}, False),
        (SOURCE.replace("score", "other"), {"K": 2}, False),
        (SOURCE.replace("y=2", "y=3"), {"K": 2}, False),
        (SOURCE.replace("y=2", "*, y=2"), {"K": 2}, False),
        (SOURCE.replace("* K", "* (lambda: K)()"), {"K": 2}, False),
        (SOURCE + "\nf.weight = 1", {"K": 2}, False),
    ],
)
def test_functions_count_by_what_they_do(source, names, is_same):
    first = digest_of(defined(SOURCE, K=2), "")
    assert (digest_of(defined(source, **names), "") == first) == is_same


@pytest.mark.parametrize(
    ("inner", "changed"),
    [("lambda x: x + 1", "lambda x: x + 2"), ("[x for x in X]", "[x + 1 for x in X]")],
)
def test_code_within_code_counts(inner, changed):
    one, other = (defined(f"def f(X):\n    return {code}") for code in (inner, changed))
    assert digest_of(one, "") != digest_of(other, "")


def test_functions_and_classes_that_a_function_calls_count():
    caller = "class A:\n    def g(self): return 1\ndef h(): return A().g()\ndef f(): return h()"
    first = digest_of(defined(caller), "")
    assert digest_of(defined(caller), "") == first
    assert digest_of(defined(caller.replace("return 1", "return 2")), "") != first


@pytest.mark.parametrize(
    ("changed", "is_same"),
    [
        ("sign = 1", True),
        ("sign = -1", False),
        ("sign = 1.0", False),
        ("sign, more = 1, (2,)", False),
        ("sign, books = 1, []", True),
        ("sign, __doc__ = 1, 'words'", True),
    ],
)
def test_constants_of_scorers_count_but_for_those_that_methods_write(changed, is_same):
    source = "class f:\n    calls = 0\n    sign = 1\n    def __call__(self, model, X, y):\n"
    source += "        f.calls += 1\n        return self.sign"
    first, other = defined(source), defined(source.replace("sign = 1", changed))
    first.calls = 7
    assert (digest_of(first(), "") == digest_of(other(), "")) == is_same


def test_modules_of_the_user_count_by_what_is_read_of_them(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    function, found = defined("def f(x): return own_tools.g(x)"), []
    for text in ("def g(x): return x", "def g(x): return x\nh = 3", "def g(x): return -x"):
        (tmp_path / "own_tools.py").write_text(text)
        sys.modules.pop("own_tools", None)
        sys.dont_write_bytecode, before = True, sys.dont_write_bytecode
        import own_tools

        sys.dont_write_bytecode = before
        function.__globals__["own_tools"] = own_tools
        found.append(digest_of(function, ""))
    sys.modules.pop("own_tools")
    assert found[0] == found[1] != found[2]


BOOKS = """
calls, counts, seen = [], {"n": 0}, set()
def f(x=1):
    calls.append(x)
    counts["n"] += 1
    seen.add(x)
    counts[x] = x
    def inner():
        calls.append(2)
    inner()
"""
OWN_BOOKS = """
class A:
    def __init__(self, factor):
        self.factor, self.n, self.calls = factor, 0, []
    def __call__(self):
        self.n += 1
        self.calls.append(self.n)
f = A(2)
"""


@pytest.mark.parametrize("source", [BOOKS, OWN_BOOKS])
def test_books_that_a_function_keeps_are_no_part_of_it(source):
    function = defined(source)
    before = digest_of(function, "")
    function()
    assert digest_of(function, "") == before
    assert digest_of(defined(source), "") == before
    changed = source.replace("calls.append(x)", "calls.append(-x)").replace("A(2)", "A(3)")
    assert digest_of(defined(changed), "") != before


@pytest.mark.parametrize(
    "source",
    [
        "weights = {'a': 2}\ndef f(x): return x * weights['a']",
        "weights = [2, 3]\ndef f(x): return x * sum(weights)",
        "import enum\nclass E(enum.Enum): A = 2\ndef f(x): return x * E.A.value",
        "import functools\nclass A:\n    @functools.lru_cache\n    def g(self): return 2\nf = A()",
    ],
)
def test_values_that_a_function_reads_count(source):
    one, same, other = (defined(s) for s in (source, source, source.replace("2", "4")))
    assert digest_of(one, "") == digest_of(same, "") != digest_of(other, "")


def test_modules_of_the_user_that_a_function_imports_count(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    function, found = defined("def f(x):\n    from tools_within import g\n    return g(x)"), []
    for text in ("def g(x): return x", "def g(x): return x", "def g(x): return -x"):
        (tmp_path / "tools_within.py").write_text(text)
        found.append(digest_of(function, ""))
    assert found[0] == found[1] != found[2]
    library = defined("def f(x):\n    import numpy\n    return numpy.sum(x)")
    assert digest_of(library, "") != digest_of(function, "")


def test_calls_change_nothing():
    scorer, vectorized = Scorer(2), np.vectorize(power)
    counter = itertools.count()
    counting = defined("def f():\n    global n\n    n += 1\n    return n", n=0)
    values = [power, scorer, vectorized, remembered, Fitted, counting]
    before = [digest_of(value, "") for value in values]
    for _ in range(100):
        power(1), vectorized([1, 2]), remembered(next(counter)), counting()
    assert scorer.derived == 4
    Scorer.calls += 1
    np.random.rand()  # noqa: NPY002 - which distributions of scipy.stats draw from
    assert [digest_of(value, "") for value in values] == before
    frozen = stats.norm(0, 1)
    first = digest_of(frozen, "")
    frozen.rvs()
    assert digest_of(frozen, "") == first


def lock_in(kind):
    lock = threading.Lock()
    if kind == "closure":
        return lambda model, X, y: lock.acquire()
    if kind == "global":
        return defined("def f(x): return lock", lock=lock)
    if kind == "attribute":
        return Scorer(lock)
    if kind == "partial":
        return functools.partial(power, lock)
    return {"lock": lock}


@pytest.mark.parametrize(
    ("value", "words"),
    [
        (lock_in("closure"), r"the variable 'lock' of the function .*lambda.* of it is <.*lock"),
        (lock_in("global"), r"the global name 'lock' of the function f of it is <.*lock"),
        (lock_in("attribute"), r"the attribute 'factor' of Scorer of it is <.*lock"),
        (lock_in("partial"), r"it is <.*lock"),
        (lock_in("dict"), r"item 'lock' of it is <.*lock"),
        ((x for x in ()), r"it is <generator"),
        (np.frompyfunc(power, 1, 1), r"it is <ufunc 'power"),
        (functools.reduce(lambda a, _: [a], range(5000), []), r"nested too deeply"),
    ],
)
def test_what_has_no_value_is_refused_by_name(value, words):
    with pytest.raises(UnidentifiedError, match=words):
        digest_of(value, "it")


def test_a_copy_of_a_function_is_the_function():
    copy = FunctionType(power.__code__, power.__globals__, "other", power.__defaults__)
    copy.__kwdefaults__ = power.__kwdefaults__
    assert digest_of(copy, "") == digest_of(power, "")


READERS = {
    "a list that a callable reads": "class f:\n    c = [{}]\n    def __call__(self): return self.c",
    "an array that a callable reads": (
        "class f:\n    c = np.full(2, {})\n    def __call__(self): return self.c"
    ),
    "a number of a class": "class C:\n    c = {}\ndef f(): return C.c",
    "a dict of a class": "class C:\n    c = dict(a={})\ndef f(): return C.c",
    "of an enclosing function": (
        "def make():\n    class C:\n        c = {}\n"
        "    def f(): return C.c\n    return f\nf = make()"
    ),
}


@pytest.mark.parametrize("kind", READERS)
def test_attributes_of_classes_count_where_they_are_read(kind):
    def digest(value):
        made = defined(READERS[kind].replace("{}", value))
        return digest_of(made() if isinstance(made, type) else made, "")

    assert digest("1") == digest("1")
    assert digest("1") != digest("2")


def test_attributes_of_classes_that_are_written_do_not_count():
    source = "class C:\n    n = 0\ndef f():\n    C.n += 1"
    assert digest_of(defined(source), "") == digest_of(
        defined(source.replace("n = 0", "n = 1")), ""
    )
