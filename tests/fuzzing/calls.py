"""Calls of a classifier's methods, as values that can be drawn and shown."""

import pickle
from dataclasses import dataclass
from typing import Any

from hypothesis import strategies as st
from invariants import assert_predicts, outcome_of
from parameters import odd_parameters, parameters
from sklearn.base import clone
from tables import ANY, Table, mostly, tables


@dataclass(frozen=True)
class Fit:
    """A call of `fit`, perhaps with a validation set."""

    table: Table
    validation: Table | None = None

    def __call__(self, model):
        options = {"sample_weight": self.table.sample_weight}
        if self.validation is not None:
            options |= {"X_val": self.validation.X, "y_val": self.validation.y}
            options |= {"sample_weight_val": self.validation.sample_weight}
        return trained(model.fit, self.table, options)


@dataclass(frozen=True)
class PartialFit:
    """A call of `partial_fit` that names all classes, some, or none."""

    table: Table
    n_missing: int | None = 0

    def __call__(self, model):
        classes = None if self.n_missing is None else self.table.classes(self.n_missing)
        options = {"sample_weight": self.table.sample_weight, "classes": classes}
        return trained(model.partial_fit, self.table, options)


def trained(method, table, options):
    """Train a classifier; assert that it predicts then, and that the data are as they were."""
    X, y = table.X, table.y
    before = content_of(X, y, *options.values())
    outcome = outcome_of(method, X, y, **options)
    assert content_of(X, y, *options.values()) == before
    if not isinstance(outcome, Exception):
        assert outcome is method.__self__
        assert_predicts(outcome, X)
    return outcome


def content_of(*data):
    """Give what containers hold as bytes, without what pandas remembers."""
    return pickle.dumps([_plain(each) for each in data])


def _plain(data):
    if not hasattr(data, "to_numpy"):
        return data
    return data.to_numpy() if 0 not in data.shape else data.shape  # polars 1.0 fails at none


@dataclass(frozen=True)
class Predict:
    """A call of all methods that predict."""

    table: Table

    def __call__(self, model):
        assert_predicts(model, self.table.X)
        score = outcome_of(model.score, self.table.X, self.table.y)
        if isinstance(score, Exception):
            return score
        assert 0 <= score <= 1
        return model


@dataclass(frozen=True)
class SetParams:
    """A call of `set_params`."""

    parameters: dict[str, Any]

    def __call__(self, model):
        return model.set_params(**self.parameters)


@dataclass(frozen=True)
class Copy:
    """A copy that takes the classifier's place."""

    how: str

    def __call__(self, model):
        if self.how == "clone":
            return clone(model)
        return pickle.loads(pickle.dumps(model))


@st.composite
def calls(draw):
    """Draw calls of one classifier, on tables that mostly go together."""
    alike = {name: st.just(draw(ANY[name])) for name in ("n_features", "n_classes", "labels")}
    some = mostly(tables(**(ANY | alike)), tables(**ANY))
    fits = st.builds(Fit, some, mostly(st.none(), some))
    partial_fits = st.builds(PartialFit, some, mostly(st.just(0), st.sampled_from([None, 1])))
    others = [
        st.builds(Predict, some),
        st.builds(SetParams, mostly(parameters(), odd_parameters())),
        st.builds(Copy, st.sampled_from(["clone", "pickle"])),
    ]
    first = draw(st.one_of(fits, fits, partial_fits))
    return [first, *draw(st.lists(st.one_of(fits, partial_fits, *others), max_size=4))]
