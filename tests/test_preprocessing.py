"""Encoding of numeric columns."""

from itertools import pairwise

import numpy as np
import polars as pl
import pytest
from sklearn.base import clone
from sklearn.preprocessing import StandardScaler
from sklearn.utils.estimator_checks import parametrize_with_checks

from skbn.preprocessing import PiecewiseLinearEncoder, column_moments

ALL_CHECKS = parametrize_with_checks(
    [
        PiecewiseLinearEncoder(n_bins=5),
        PiecewiseLinearEncoder(n_bins=5, include_original=True),
        PiecewiseLinearEncoder(n_bins=5, strategy="tree"),
    ]
)


# Older versions of scikit-learn hand pytest a generator, which pytest no longer takes.
@pytest.mark.parametrize(ALL_CHECKS.args[0], list(ALL_CHECKS.args[1]), ids=ALL_CHECKS.kwargs["ids"])
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.fixture
def columns():
    """Columns of all sorts: plain, few values, one value mostly, constant, two values."""
    rng = np.random.default_rng(0)
    plain = rng.normal(size=200)
    few = rng.integers(0, 4, 200)
    mostly = np.where(rng.random(200) < 0.8, 0, rng.exponential(size=200))
    return np.column_stack([plain, few, mostly, np.full(200, 7.0), rng.random(200) < 0.5])


def by_a_slow_loop(X, edges_of_columns):
    """Codes of one cell after the other, by the definition."""
    rows = []
    for row in X:
        codes = []
        for x, edges in zip(row, edges_of_columns, strict=True):
            for low, high in pairwise(edges):
                codes.append(0.0 if x <= low else 1.0 if x >= high else (x - low) / (high - low))
            codes += [0.0] * (len(edges) == 1)
        rows.append(codes)
    return np.array(rows)


@pytest.mark.parametrize("n_bins", [1, 2, 5, 300])
@pytest.mark.parametrize("strategy", ["quantile", "tree"])
def test_codes_are_those_of_a_slow_loop(columns, strategy, n_bins):
    y = columns[:, 0] > np.abs(columns[:, 2])
    encoder = PiecewiseLinearEncoder(n_bins, strategy=strategy).fit(columns, y)
    assert (encoder.n_bins_ <= n_bins).all()
    beyond = np.vstack([columns, columns - 0.5, columns * 3])
    expected = by_a_slow_loop(beyond, encoder.bin_edges_)
    np.testing.assert_allclose(encoder.transform(beyond), expected, atol=1e-12)


def test_quantile_bins_hold_as_many_rows_each(columns):
    edges = PiecewiseLinearEncoder(n_bins=8).fit(columns).bin_edges_
    np.testing.assert_array_equal(np.histogram(columns[:, 0], edges[0])[0], 25)
    np.testing.assert_array_equal(edges[1], [0, 1, 2, 3])
    assert edges[2][0] == 0
    assert len(edges[2]) < 9
    np.testing.assert_array_equal(edges[3], [7])
    np.testing.assert_array_equal(edges[4], [0, 1])


@pytest.mark.parametrize("quantity", [True, False])
def test_bins_of_a_tree_end_where_y_changes(quantity):
    X = np.column_stack([np.arange(100.0), np.random.default_rng(0).random(100)])
    y = np.where(X[:, 0] < 37, 1.5, np.where(X[:, 0] < 62, 9.5, 4.5))
    y = y if quantity else y.astype(str)
    edges = PiecewiseLinearEncoder(n_bins=3, strategy="tree").fit(X, y).bin_edges_
    np.testing.assert_array_equal(edges[0], [0, 36.5, 61.5, 99])


@pytest.mark.parametrize("strategy", ["quantile", "tree"])
def test_columns_of_two_values_become_0_and_1(strategy, columns):
    y = columns[:, 4]
    encoder = PiecewiseLinearEncoder(n_bins=8, strategy=strategy).fit(3 - columns[:, 4:], y)
    np.testing.assert_array_equal(encoder.transform(3 - columns[:, 4:]), 1 - columns[:, 4:])


def test_original_columns_stand_before_the_codes(columns):
    encoder = PiecewiseLinearEncoder(n_bins=8, include_original=True).fit(columns)
    both = encoder.transform(columns)
    codes = PiecewiseLinearEncoder(n_bins=8).fit_transform(columns)
    np.testing.assert_allclose(both[:, :3], StandardScaler().fit_transform(columns[:, :3]))
    height = np.repeat(np.maximum(encoder.n_bins_, 1) ** -0.5, np.maximum(encoder.n_bins_, 1))
    np.testing.assert_allclose(both[:, 3:], codes * height, atol=1e-12)
    names = encoder.get_feature_names_out(["a", "b", "c", "d", "e"])
    assert names[:5].tolist() == ["a", "b", "c", "a_bin0", "a_bin1"]
    assert names[-2:].tolist() == ["d_bin0", "e_bin0"]
    assert len(names) == both.shape[1]


def test_a_single_bin_says_nothing_new_beside_the_original(columns):
    encoder = PiecewiseLinearEncoder(n_bins=1, include_original=True).fit(columns)
    assert encoder.get_feature_names_out().tolist() == ["x0", "x1", "x2", "x3_bin0", "x4_bin0"]
    np.testing.assert_array_equal(encoder.transform(columns)[:, 3:], columns[:, 3:] * [0, 1])


@pytest.mark.parametrize(
    ("rows", "columns", "n_bins"),
    [(300, 1, 1), (1300, 1, 3), (9000, 1, 16), (9000, 90, 11), (2000, 1001, 1)],
)
def test_bins_by_default_grow_with_the_rows_and_fall_with_the_columns(rows, columns, n_bins):
    rng = np.random.default_rng(0)
    X = np.hstack([rng.random((rows, columns)), rng.random((rows, 200)) < 0.5])
    np.testing.assert_array_equal(
        PiecewiseLinearEncoder().fit(X).n_bins_, [n_bins] * columns + [1] * 200
    )


def test_float32_gives_nearly_the_same_in_float32(columns):
    encoder = PiecewiseLinearEncoder(9, include_original=True)
    double = encoder.fit_transform(columns)
    single = encoder.fit_transform(columns.astype(np.float32))
    assert single.dtype == np.float32
    np.testing.assert_allclose(single, double, atol=1e-4)


@pytest.mark.parametrize("output", ["pandas", "polars"])
def test_frames_in_and_out(output, columns):
    encoder = PiecewiseLinearEncoder(n_bins=2)
    names = ["plain", "few", "mostly", "constant", "two"]
    frame = pytest.importorskip(output).DataFrame(dict(zip(names, columns.T, strict=True)))
    made = clone(encoder).set_output(transform=output).fit_transform(frame)
    assert type(made) is type(frame)
    assert list(made.columns) == clone(encoder).fit(frame).get_feature_names_out().tolist()
    np.testing.assert_array_equal(made.to_numpy(), encoder.fit_transform(columns))


def test_no_value_is_too_large_or_bin_too_narrow():
    X = np.array([[-1e300], [0.0], [1e-310], [1e300]])
    codes = PiecewiseLinearEncoder(n_bins=3).fit_transform(X)
    np.testing.assert_allclose(codes, np.tri(4, 3, -1))


@pytest.mark.parametrize(
    ("X", "error", "message"),
    [
        ([["a"], ["b"]], ValueError, "holds text .* numeric columns only, .*tabular_pipeline"),
        ([[1.0], [np.inf]], ValueError, "contains infinity"),
        (pl.LazyFrame({"a": [1.0]}), TypeError, "LazyFrame"),
    ],
)
def test_what_cannot_be_encoded_is_explained(X, error, message):
    with pytest.raises(error, match=message):
        PiecewiseLinearEncoder().fit(X)


def test_encoder_refuses_missing_values():
    with pytest.raises(ValueError, match="NaN"):
        PiecewiseLinearEncoder().fit([[1.0], [np.nan]])


def test_bins_of_float64_that_float32_does_not_tell_apart():
    fitted = PiecewiseLinearEncoder(n_bins=2).fit([[1.0], [1.0 + 1e-12], [2.0]])
    codes = fitted.transform(np.array([[1.0], [2.0]], dtype=np.float32))
    np.testing.assert_array_equal(codes, [[0, 0], [1, 1]])


@pytest.mark.parametrize("include_original", [True, False])
def test_states_of_an_earlier_version_transform_as_ever(include_original, columns):
    encoder = PiecewiseLinearEncoder(8, include_original=include_original).fit(columns)
    codes, state = encoder.transform(columns), dict(encoder.__getstate__())
    is_included = np.array([True, True, True, False, False]) & include_original
    state["_mean"], state["_std"] = state["_mean"][is_included], state["_std"][is_included]
    old = PiecewiseLinearEncoder()
    old.__setstate__(state)
    np.testing.assert_array_equal(old.transform(columns), codes)
    moments = column_moments(old, columns)
    np.testing.assert_array_equal(np.isfinite(moments.std), is_included)
    np.testing.assert_array_equal(
        moments.mean[is_included], column_moments(encoder, columns).mean[is_included]
    )
