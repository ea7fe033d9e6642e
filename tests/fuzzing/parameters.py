"""Strategies for the parameters of the classifier, from what it says are their valid values."""

from decimal import Decimal
from fractions import Fraction
from importlib.util import find_spec
from numbers import Integral

import numpy as np
import pandas as pd
from hypothesis import strategies as st

from skbn import BNSoftmaxClassifier
from skbn._compat import Interval, StrOptions
from skbn.estimators.constraints import CONSTRAINTS
from skbn.network.activations import ACTIVATIONS

SMALL = {
    "hidden_layer_sizes": (3,),
    "batch_size": 8,
    "max_iter": 2,
    "n_members": 1,
    "random_state": 0,
}
"""What a drawn classifier has where nothing else is drawn."""

COSTLY = {"hidden_layer_sizes", "max_iter", "n_members"}
"""Parameters whose numbers stay small, for time and memory grow with them."""


def square(z):
    """An activation of one's own."""
    return z * z


def distances(logits, targets):
    """A loss of one's own."""
    return ((logits - targets) ** 2).sum(axis=1)


# Only some are right for a parameter.
FUNCTIONS = [square, np.tanh, np.where, distances, len] if find_spec("autograd") else ["none"]
NAMES = st.sampled_from([*ACTIVATIONS, *FUNCTIONS])
NAMED = {
    callable: st.sampled_from(FUNCTIONS),
    "boolean": st.sampled_from([True, False, np.True_, np.False_]),
    "array-like": st.lists(st.integers(1, 5), max_size=3).flatmap(
        lambda sizes: st.sampled_from([tuple(sizes), sizes, np.array(sizes, dtype=int)])
    ),
    "random_state": st.one_of(
        st.none(),
        st.integers(0, 2**32 - 1),
        st.integers(0, 9).map(np.int64),
        st.integers(0, 9).map(np.random.RandomState),
    ),
    "verbose": st.sampled_from([0, False, 1]),
    dict: st.dictionaries(
        st.sampled_from([0, 1, 2, "a", "b", True, 0.5]),
        st.sampled_from([0, 1, 0.5, 3, 1e-300, 1e300, 2**62, -1, np.nan, np.inf, "1", None, []]),
        max_size=3,
    ),
}
"""Constraints that are words, or types."""

ODD = [
    *(None, True, False, 0, 1, -1, 2.5, np.nan, np.inf, -np.inf, 5e-324),
    *("", "auto", "relu", "balanced", b"relu", 1j, Decimal("0.5"), Fraction(1, 2), pd.NA, pd.NaT),
    *(np.float32(0.5), np.float16(np.inf), np.int8(1), np.bool_(True), np.str_("adam")),
    *map(np.array, (1, 0.5, [1, 2], [[1, 2]], [], "x")),
    *([], (), {}, [0], [-1], [2.5], [True], [None], ["3"], [[2]], [(1,), (2, 3)], range(2)),
    *(set(), {0: "x"}, object, BNSoftmaxClassifier, pd.Series([2, 3])),
]
"""Values of all kinds, right for some of the parameters."""


def integers(name, interval):
    """Draw integers of an interval, in Python's and NumPy's types."""
    first = 1 if interval.left is None else interval.left
    least = st.integers(first, first + 2)
    if name in COSTLY:
        return least | least.map(np.int8)
    return least | least.map(np.int8) | st.sampled_from([10**9, 2**63])


def reals(interval):
    """Draw real numbers of an interval, its ends and those beside its ends among them."""
    left = -np.inf if interval.left is None else interval.left
    right = np.inf if interval.right is None else interval.right
    usual = [0, 0.0, 1e-3, 0.1, 0.5, 0.9, 1, 2.5, 1e3]
    extreme = [5e-324, 1e-300, 1e-40, 1e30, 3e38, 1e300]
    ends = [left, right, np.nextafter(left, right), np.nextafter(right, left)]
    inside = [x for x in [*usual, *usual, *extreme, *ends] if x in interval]
    typed = [kind(x) for x in usual for kind in (np.float32, np.float64) if kind(x) in interval]
    return st.sampled_from([*inside, *typed])


def valid(name, constraint):
    """Draw what one constraint of a parameter lets through."""
    if isinstance(constraint, Interval):
        if constraint.type is Integral:
            return integers(name, constraint)
        return reals(constraint)
    if isinstance(constraint, StrOptions):
        return st.sampled_from(sorted(constraint.options))
    if (name, constraint) == ("activation", "array-like"):
        return st.lists(NAMES, min_size=1, max_size=2) | st.tuples(NAMES)
    return st.none() if constraint is None else NAMED[constraint]


VALID = {
    name: st.one_of(*(valid(name, each) for each in constraints))
    for name, constraints in CONSTRAINTS.items()
}


def parameters(**fixed):
    """Draw a few parameters of a classifier, and take small ones for the others."""
    names = st.lists(st.sampled_from(sorted(VALID.keys() - fixed)), max_size=6, unique=True)
    drawn = names.flatmap(lambda some: st.fixed_dictionaries({name: VALID[name] for name in some}))
    return drawn.map(lambda some: SMALL | some | fixed)


def odd_parameters():
    """Draw one parameter, with a value that may not be right for it."""
    odd = st.sampled_from(ODD)
    return st.sampled_from(sorted(VALID)).flatmap(
        lambda name: st.fixed_dictionaries(
            {name: VALID[name] | (odd if name in COSTLY else odd | st.just(10**400))}
        )
    )
