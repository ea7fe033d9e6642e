"""Classifiers with any parameters, on anything, called in any order."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from calls import Copy, Fit, PartialFit, calls
from hypothesis import given, settings
from hypothesis import strategies as st
from invariants import PREDICTIONS, assert_same_outcome, outcome_of, state_of
from parameters import SMALL, VALID, odd_parameters, parameters
from tables import ANY, OTHER_NUMBERS, SAME_NUMBERS, SPARSE, Table, spots, tables

from skbn import BNSoftmaxClassifier, fit_population
from skbn._compat import safe_indexing

pytestmark = pytest.mark.slow

few = settings(max_examples=settings.default.max_examples // 4)


def called(call, model):
    """Make a call; give the model to go on with, which an error must not have changed."""
    before = state_of(model)
    outcome = call(model)
    if isinstance(outcome, Exception):
        assert state_of(model) == before
        return model
    return outcome


@given(parameters(), calls())
def test_any_call_is_right_or_changes_nothing(parameters, calls):
    model = BNSoftmaxClassifier(**parameters)
    for call in calls:
        model = called(call, model)


@given(odd_parameters(), st.sampled_from([Fit, PartialFit]))
def test_any_value_of_a_parameter_is_taken_or_refused(parameters, call):
    model = BNSoftmaxClassifier(**SMALL | parameters)
    called(call(Table()), model)


@given(
    parameters(random_state=3, class_weight=None),
    tables(scale=ANY["scale"]),
    st.sampled_from([*SAME_NUMBERS, *SPARSE]),
)
def test_the_same_seed_gives_the_same_bits_in_all_containers(
    assert_same_model, parameters, table, container
):
    model, other = (BNSoftmaxClassifier(**deepcopy(parameters)) for _ in range(2))
    contained = replace(table, container=container)
    outcomes = outcome_of(Fit(table), model), outcome_of(Fit(contained), other)
    if assert_same_outcome(*outcomes):
        return
    loaded = Copy("pickle")(other)
    for each in (other, loaded):
        assert_same_model(model, each)
        for name in PREDICTIONS:
            expected = getattr(model, name)(table.X)
            np.testing.assert_array_equal(getattr(each, name)(contained.X), expected)
    again = [outcome_of(PartialFit(table), each) for each in (model, other, loaded)]
    if not assert_same_outcome(*again[:2]):
        assert_same_model(model, other)
    if not assert_same_outcome(*again[1:]):
        assert_same_model(model, loaded)


NUMBERS = ("learning_rate_init", "max_iter", "dropout", "noise", "alpha", "momentum")
"""Some parameters in which the members of one population may differ."""


@st.composite
def populations(draw):
    """Draw parameters of classifiers, pairs of them alike, a table, and the rows of each."""
    kinds = draw(st.lists(parameters(random_state=3), min_size=1, max_size=3))
    others = st.fixed_dictionaries(
        {"random_state": st.integers(0, 3)} | {n: VALID[n] for n in NUMBERS}
    )
    members = [kind | other for kind in kinds for other in ({}, draw(others))]
    containers = st.sampled_from([*SAME_NUMBERS, *SPARSE, *OTHER_NUMBERS])
    table = draw(tables(container=containers, spots=spots([1e-300, -1e-40, 1e4])))
    rows = st.lists(st.integers(0, table.n_rows - 1), min_size=1).map(sorted)
    rows_of_each = st.lists(rows, min_size=len(members), max_size=len(members))
    return members, table, draw(st.none() | rows_of_each)


def taken(table, rows):
    """Give some rows of a table, as arguments of `fit`."""
    data = {"X": table.X, "y": table.y, "sample_weight": table.sample_weight}
    if rows is None:
        return data
    return {
        name: None if np.ndim(each) == 0 else safe_indexing(each, rows)
        for name, each in data.items()
    }


@few
@given(populations())
def test_a_population_is_as_its_members_alone(assert_same_model, population):
    members, table, rows = population
    together, alone = ([BNSoftmaxClassifier(**m) for m in members] for _ in range(2))
    ends = outcome_of(
        fit_population, together, **taken(table, None), rows=rows, return_exceptions=True
    )
    for k, model in enumerate(alone):
        outcome = outcome_of(model.fit, **taken(table, rows and rows[k]))
        if not assert_same_outcome(ends[k], outcome):
            assert ends[k] is together[k]
            assert_same_model(ends[k], model)


STEADY = {
    "solver": "sgd",
    "learning_rate_init": 0.05,
    "bn_epsilon": 1e-5,
    "n_members": 1,
    "calibrate": False,
    "batch_size": 10**6,
    "dtype": "float64",
    "random_state": 0,
    "dropout": 0,
    "input_dropout": 0,
    "noise": 0,
    "input_noise": 0,
    "early_stopping": False,
}
"""Parameters with which rows matter by their sums alone, which are exact enough."""


STEADY_PARAMETERS = st.sampled_from([None, "balanced"]).flatmap(
    lambda class_weight: parameters(**STEADY, class_weight=class_weight)
)


# Of a constant column batch norm makes zeros but for rounding, which decides relu's derivative.
@given(STEADY_PARAMETERS, tables(weights=st.just("whole"), has_constant=st.just(False)))
def test_a_weight_of_two_is_two_rows(parameters, table):
    weighted, repeated = (BNSoftmaxClassifier(**parameters) for _ in range(2))
    rows = np.repeat(np.arange(table.n_rows), table.sample_weight)
    X, y = table.X, table.y
    outcomes = (
        outcome_of(weighted.fit, X, y, table.sample_weight),
        outcome_of(repeated.fit, X[rows], safe_indexing(y, rows)),
    )
    if not assert_same_outcome(*outcomes):
        np.testing.assert_allclose(
            weighted.predict_proba(X), repeated.predict_proba(X), rtol=1e-6, atol=1e-9
        )
