"""Moments of scalers, re-estimated: against fits on the rows alone, and against formulas."""

import pickle

import numpy as np
import pandas as pd
import pytest
from scipy.sparse import coo_array, csc_array, csr_array
from sklearn.base import clone
from sklearn.preprocessing import (
    MaxAbsScaler,
    MinMaxScaler,
    PowerTransformer,
    RobustScaler,
    StandardScaler,
)

from skbn.drift.scalers import NoMomentsError, re_estimate
from skbn.preprocessing import PiecewiseLinearEncoder

pytestmark = pytest.mark.slow

SCALERS = [
    StandardScaler(),
    StandardScaler(with_mean=False),
    StandardScaler(with_std=False),
    MinMaxScaler(),
    MinMaxScaler(feature_range=(-2, 3), clip=True),
    RobustScaler(),
    RobustScaler(with_centering=False),
    RobustScaler(with_scaling=False),
    RobustScaler(unit_variance=True, quantile_range=(10, 80)),
]
FOR_SPARSE = [
    StandardScaler(with_mean=False),
    RobustScaler(with_centering=False),
    RobustScaler(with_centering=False, unit_variance=True),
]


def table(seed=0, n_rows=300):
    """Normal, skewed, 0 and 1, mostly 0, few values, and a constant."""
    rng = np.random.default_rng(seed)
    columns = [
        rng.normal(3, 2, n_rows),
        rng.lognormal(size=n_rows),
        rng.random(n_rows) < 0.3,
        np.where(rng.random(n_rows) < 0.9, 0, rng.normal(size=n_rows)),
        rng.integers(0, 4, n_rows),
        np.full(n_rows, 7.0),
    ]
    return np.column_stack(columns)


def with_gaps(X, seed=1):
    return np.where(np.random.default_rng(seed).random(X.shape) < 0.2, np.nan, X)


def frame_of(X):
    return pd.DataFrame(X, columns=list("abcdef"))


OLD, NEW = table(), table(2, 101) * 1.5 - 4
INPUTS = {
    "array": (OLD, NEW),
    "in single precision": (OLD.astype(np.float32), NEW.astype(np.float32)),
    "single precision after double": (OLD, NEW.astype(np.float32)),
    "frame": (frame_of(OLD), frame_of(NEW)),
    "with gaps": (with_gaps(OLD), with_gaps(NEW)),
    "a constant that varies now": (NEW * [1, 1, 1, 1, 1, 0], table(3)[:, ::-1]),
    "one row": (OLD, NEW[:1]),
    "two rows": (OLD, NEW[:2]),
}


def learned(scaler):
    """Arrays that a scaler has learned, by name."""
    return {
        name: value
        for name, value in vars(scaler).items()
        if name.endswith("_") and name != "feature_names_in_"
    }


def assert_same_moments(scaler, other, **tolerance):
    others = learned(other)
    for name, value in learned(scaler).items():
        if value is None or others[name] is None:
            assert value is others[name]
        else:
            np.testing.assert_allclose(value, others[name], **tolerance, err_msg=name)


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_without_prior_rows_it_is_a_fit_on_the_new_rows(scaler, name):
    old, new = INPUTS[name]
    scaler, expected = clone(scaler).fit(old), clone(scaler).fit(new)
    record = re_estimate(scaler, new, 0)
    assert_same_moments(scaler, expected, rtol=0)
    assert record["prior_rows"] == 0
    assert record["moved"] >= 0
    np.testing.assert_array_equal(scaler.transform(new), expected.transform(new))


@pytest.mark.parametrize("form", [csr_array, csc_array, coo_array])
@pytest.mark.parametrize("scaler", FOR_SPARSE, ids=repr)
def test_without_prior_rows_it_is_a_fit_on_the_new_rows_of_a_sparse_matrix(scaler, form):
    old, new = (form(np.abs(each) * (each > 1)) for each in (OLD, NEW))
    scaler, expected = clone(scaler).fit(old), clone(scaler).fit(new)
    before = pickle.dumps(scaler)
    re_estimate(scaler, new, 0)
    assert_same_moments(scaler, expected, rtol=0)
    automatic = pickle.loads(before)
    assert np.isfinite(re_estimate(automatic, new, "auto")["prior_rows"])


@pytest.mark.parametrize("name", INPUTS)
@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_many_prior_rows_leave_it_as_it_was(scaler, name):
    old, new = INPUTS[name]
    scaler = clone(scaler).fit(old)
    expected = scaler.transform(old)
    re_estimate(scaler, new, 1e300)
    np.testing.assert_allclose(scaler.transform(old), expected, rtol=1e-6, atol=1e-12)


@pytest.mark.parametrize("prior_rows", [1, 50, 1000.5])
def test_moments_are_weighted_by_rows(prior_rows):
    share = prior_rows / (prior_rows + len(NEW))

    def weighted(old, new):
        return share * old + (1 - share) * new

    def both(scaler):
        old, new = clone(scaler).fit(OLD), clone(scaler).fit(NEW)
        changed = clone(scaler).fit(OLD)
        re_estimate(changed, NEW, prior_rows)
        return old, new, changed

    old, new, changed = both(StandardScaler())
    np.testing.assert_allclose(changed.mean_, weighted(old.mean_, new.mean_))
    np.testing.assert_allclose(changed.var_, weighted(old.var_, new.var_))
    np.testing.assert_allclose(changed.scale_[:5], np.sqrt(changed.var_[:5]))
    old, new, changed = both(MinMaxScaler())
    minimum = weighted(old.data_min_, new.data_min_)[:5]
    width = weighted(old.data_range_, new.data_range_)[:5]
    np.testing.assert_allclose(changed.transform(OLD)[:, :5], (OLD[:, :5] - minimum) / width)
    old, new, changed = both(RobustScaler())
    np.testing.assert_allclose(changed.center_, weighted(old.center_, new.center_))
    varies = [0, 1, 2, 4]
    scale = weighted(old.scale_, new.scale_)[varies]
    np.testing.assert_allclose(changed.scale_[varies], scale)


@pytest.mark.parametrize("prior_rows", [1, "auto"])
@pytest.mark.parametrize("scaler", SCALERS, ids=repr)
def test_what_new_rows_do_not_tell_stays(scaler, prior_rows):
    scaler = clone(scaler).fit(OLD)
    before = scaler.transform(OLD)
    new = OLD[:200] + 1.0
    new[:, 0] = np.nan
    new[:, 1] = OLD[0, 1]
    re_estimate(scaler, new, prior_rows)
    after = scaler.transform(OLD)
    np.testing.assert_array_equal(after[:, 0], before[:, 0])
    slopes = [np.ptp(each[:, 1]) for each in (before, after)]
    np.testing.assert_allclose(slopes[0], slopes[1])


@pytest.mark.parametrize("scaler", [*SCALERS[:1], *SCALERS[3:6]], ids=repr)
def test_prior_rows_are_chosen_by_how_far_the_rows_moved(scaler):
    def chosen(new):
        return re_estimate(clone(scaler).fit(table(0, 2000)), new, "auto")["prior_rows"]

    alike = [chosen(table(seed, 500)) for seed in range(3, 8)]
    assert np.median(alike) > 100
    assert chosen(table(3, 500) + 2) < 60
    assert chosen(table(3, 500) * [9, 9, 9, 9, 9, 1]) < 50
    assert chosen(table(3, 500) + 2) > chosen(table(3, 500) + 20)


@pytest.mark.parametrize(
    ("step", "why"),
    [
        (StandardScaler(with_mean=False, with_std=False), "neither"),
        (RobustScaler(with_centering=False, with_scaling=False), "neither"),
        (MaxAbsScaler(), "no moments"),
        (PowerTransformer(), "no moments"),
    ],
)
def test_steps_without_moments_say_why(step, why):
    fitted = step.fit(OLD)
    before = pickle.dumps(fitted)
    with pytest.raises(NoMomentsError, match=why):
        re_estimate(fitted, NEW, "auto")
    assert pickle.dumps(fitted) == before


# Encoders.


@pytest.mark.parametrize("dtype", [np.float64, np.float32])
@pytest.mark.parametrize("include_original", [True, False])
@pytest.mark.parametrize("strategy", ["quantile", "tree"])
def test_codes_follow_an_affine_change(strategy, include_original, dtype):
    encoder = PiecewiseLinearEncoder(8, strategy=strategy, include_original=include_original)
    X, y = table().astype(dtype), table()[:, 0] > 3
    moved = X * dtype(3) + dtype(0.4)
    moved[:, 5] = X[:, 5]
    codes, n_bins = encoder.fit(X, y).transform(X), encoder.n_bins_
    assert not np.allclose(encoder.transform(moved), codes, atol=0.1)
    record = re_estimate(encoder, moved, 0)
    tolerance = 1e-9 if dtype is np.float64 else 1e-3
    np.testing.assert_allclose(encoder.transform(moved), codes, atol=tolerance)
    np.testing.assert_array_equal(encoder.n_bins_, n_bins)
    assert record["moved"] > 1
    assert all((np.diff(edges) > 0).all() for edges in encoder.bin_edges_)


def test_edges_stay_where_all_new_values_are_among_them():
    X = table()
    encoder = PiecewiseLinearEncoder(8, include_original=True).fit(X)
    edges = [each.copy() for each in encoder.bin_edges_]
    other = X.copy()
    other[:, 2], other[:, 4] = X[::-1, 2] * (X[:, 0] > 1), np.minimum(X[:, 4], 1)
    other[:, 0] += 5
    codes = encoder.transform(other)
    re_estimate(encoder, other, 0)
    for column in (2, 4, 5):
        np.testing.assert_array_equal(encoder.bin_edges_[column], edges[column])
    assert (encoder.bin_edges_[0] > edges[0]).all()
    names = encoder.get_feature_names_out().tolist()
    kept = [k for k, name in enumerate(names) if name[:2] in ("x2", "x4", "x5")]
    np.testing.assert_array_equal(encoder.transform(other)[:, kept], codes[:, kept])
    with pytest.raises(NoMomentsError, match="among its edges"):
        re_estimate(encoder, X[:1] * 0 + [e[0] for e in encoder.bin_edges_], 0)


def test_many_prior_rows_and_constant_rows_leave_the_width_of_bins():
    X = table()
    encoder = PiecewiseLinearEncoder(8).fit(X)
    edges = [each.copy() for each in encoder.bin_edges_]
    re_estimate(encoder, X * 3 + 1, 1e300)
    for one, other in zip(encoder.bin_edges_, edges, strict=True):
        np.testing.assert_array_equal(one, other)
    re_estimate(encoder, np.full((9, 6), 1 / 3), 0)
    np.testing.assert_allclose(np.diff(encoder.bin_edges_[0]), np.diff(edges[0]))


def test_edges_that_a_narrow_column_brings_together_stay_apart():
    X = np.linspace(0, 1, 300, dtype=np.float32)[:, None]
    encoder = PiecewiseLinearEncoder(16).fit(X)
    narrow = np.float32(1e6) + X
    re_estimate(encoder, narrow, 0)
    (edges,) = encoder.bin_edges_
    assert edges.dtype == np.float32
    assert (np.diff(edges) > 0).all()
    assert np.isfinite(encoder.transform(narrow)).all()


def test_edges_of_an_encoder_that_was_saved_without_moments_stay():
    encoder, X = PiecewiseLinearEncoder(8).fit(table()), table() * 2
    state = dict(encoder.__getstate__())
    state["_mean"], state["_std"] = np.empty(0), np.empty(0)
    encoder.__setstate__(state)
    codes = encoder.transform(X)
    with pytest.raises(NoMomentsError, match="fit it again"):
        re_estimate(encoder, X, 0)
    np.testing.assert_array_equal(encoder.transform(X), codes)


def test_edges_of_an_earlier_version_stay_where_moments_are_not_known():
    X = table(0, 400)
    encoder = PiecewiseLinearEncoder(4, include_original=True).fit(X)
    state = dict(encoder.__getstate__())
    known = state["_is_included"]
    assert 0 < known.sum() < len(known)
    state["_mean"], state["_std"] = state["_mean"][known], state["_std"][known]
    old = PiecewiseLinearEncoder()
    old.__setstate__(state)
    re_estimate(old, X + 0.3, 0)
    for is_known, edges, before in zip(known, old.bin_edges_, encoder.bin_edges_, strict=True):
        moved = before + 0.3 if is_known and len(before) > 1 else before
        np.testing.assert_allclose(edges, moved, rtol=1e-9)
