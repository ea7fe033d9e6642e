"""Scales are uniform in their coordinate, and can be walked in both directions."""

import pickle
import warnings

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import expon, kstest, loguniform, norm, poisson, randint, uniform
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import HalvingRandomSearchCV, RandomizedSearchCV

from skbn.search import default_space, hidden_layers, log_randint, one_minus_loguniform
from skbn.search.adapters import as_distribution

OWN = [
    one_minus_loguniform(0.9, 0.999),
    one_minus_loguniform(0, 0.5),
    log_randint(1, 3),
    log_randint(16, 512),
    hidden_layers(2, 64),
    hidden_layers((1, 4), 64),
    hidden_layers((2, 4), (50, 100)),
    hidden_layers([1, 3], (8, 32), shape=["constant", "funnel"]),
]
FOREIGN = [
    loguniform(1e-4, 1),
    loguniform(a=2, b=3),
    uniform(0, 0.5),
    randint(3, 8),
    norm(1, 2),
    expon(scale=3),
    poisson(4),
    [1],
    [0.0, 0.1, 0.5],
    ["relu", "tanh", None],
    (True, False),
    np.array([1, 2, 5]),
    np.array([0.900001, 0.900002]),
]


@pytest.mark.parametrize("distribution", [*OWN, *map(as_distribution, FOREIGN)], ids=repr)
class TestEveryDistribution:
    """Checks of every distribution."""

    def test_every_point_has_a_value_that_leads_back_to_it(self, distribution):
        n_axes = len(distribution.axes)
        points = np.random.default_rng(0).uniform(size=(300, n_axes))
        corners = [np.zeros(n_axes), np.ones(n_axes)]
        for unit in [*points, *corners]:
            value = distribution.from_unit(unit)
            back = distribution.to_unit(value)
            assert back.shape == (n_axes,)
            assert (back >= 0).all()
            assert (back <= 1).all()
            again = distribution.from_unit(back)
            if isinstance(value, float):
                assert again == pytest.approx(value, rel=1e-6)
            else:
                assert again == value
                assert type(again) is type(value)
            for axis, there, here in zip(distribution.axes, unit, back, strict=True):
                if axis.levels == 0 and 1e-6 < there < 1 - 1e-6:
                    assert here == pytest.approx(there, abs=1e-9)

    def test_ticks_stand_where_their_values_are(self, distribution):
        for axis in distribution.axes:
            coordinates = [unit for unit, _ in axis.ticks]
            assert len(coordinates) >= 2
            assert coordinates == sorted(coordinates)
            assert min(coordinates) >= 0
            assert max(coordinates) <= 1

    def test_a_pickle_draws_the_same(self, distribution):
        copy = pickle.loads(pickle.dumps(distribution))
        assert repr(copy) == repr(distribution)
        drawn = distribution.rvs(size=5, random_state=3)
        assert list(copy.rvs(size=5, random_state=3)) == list(drawn)

    def test_rvs_gives_one_value_or_a_list(self, distribution):
        one = distribution.rvs(random_state=0)
        several = distribution.rvs(size=3, random_state=0)
        assert len(several) == 3
        assert several[0] == one
        assert distribution.rvs(random_state=np.random.RandomState(0)) == one


@pytest.mark.parametrize("distribution", OWN, ids=repr)
def test_own_distributions_are_equal_by_value_and_readable(distribution):
    names = {c.__name__: c for c in (one_minus_loguniform, log_randint, hidden_layers)}
    copy = eval(repr(distribution), names)
    assert copy == distribution
    assert hash(copy) == hash(distribution)
    assert copy is not distribution
    assert all(distribution != other for other in OWN if other is not distribution)


def test_one_minus_loguniform_is_uniform_in_the_logarithm_of_the_distance_from_one():
    draws = one_minus_loguniform(0.9, 0.999).rvs(size=4000, random_state=0)
    logs = np.log10(1 - draws)
    assert kstest(logs, uniform(-3, 2).cdf).pvalue > 0.01
    # The claim of the course: half of all between 0.9 and 0.99.
    assert np.mean(draws < 0.99) == pytest.approx(0.5, abs=0.03)


def test_log_randint_has_the_probabilities_of_its_formula():
    low, high, n = 3, 9, 20_000
    draws = log_randint(low, high).rvs(size=n, random_state=0)
    for k in range(low, high + 1):
        expected = np.log((k + 1) / k) / np.log((high + 1) / low)
        assert np.mean(draws == k) == pytest.approx(expected, abs=4 * np.sqrt(0.25 / n))
    assert draws.min() == low
    assert draws.max() == high


def test_hidden_layers_draws_depth_width_and_shape():
    draws = hidden_layers((2, 4), (50, 100), shape=("constant", "funnel")).rvs(500, random_state=0)
    assert {len(sizes) for sizes in draws} == {2, 3, 4}
    assert min(sizes[0] for sizes in draws) == 50
    assert max(sizes[0] for sizes in draws) == 100
    constant = [sizes for sizes in draws if len(set(sizes)) == 1]
    assert 200 < len(constant) < 300
    for sizes in draws:
        if sizes not in constant:
            assert sizes == tuple(round(sizes[0] / 2**i) for i in range(len(sizes)))


@pytest.mark.parametrize("frozen", [loguniform(1e-4, 1), uniform(2, 3), norm(1, 2)])
def test_the_coordinate_of_a_frozen_distribution_is_its_probability(frozen):
    distribution = as_distribution(frozen)
    for value in frozen.rvs(size=20, random_state=0):
        assert distribution.to_unit(value)[0] == pytest.approx(frozen.cdf(value))


@given(st.lists(st.integers(-50, 50), min_size=2, max_size=8, unique=True))
def test_lists_of_numbers_in_order_are_scales(values):
    (ordered,) = as_distribution(sorted(values)).axes
    (descending,) = as_distribution(sorted(values, reverse=True)).axes
    assert ordered.ordered
    assert descending.ordered
    (axis,) = as_distribution(values).axes
    assert axis.ordered == (values in (sorted(values), sorted(values)[::-1]))


@pytest.mark.parametrize("values", [["a", "b", "c"], [True, False, None], [1, None, 2], [2, 3, 1]])
def test_other_lists_are_choices_without_an_order(values):
    (axis,) = as_distribution(values).axes
    assert not axis.ordered
    assert axis.levels == 3


def test_a_list_of_one_value_has_no_coordinate():
    assert as_distribution(["adam"]).axes == ()
    assert as_distribution(["adam"]).rvs() == "adam"


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (lambda: one_minus_loguniform(0.999, 0.9), ValueError, r"0 <= low < high < 1"),
        (lambda: one_minus_loguniform(0.9, 1), ValueError, r"0 <= low < high < 1"),
        (lambda: one_minus_loguniform(-0.1, 0.9), ValueError, r"0 <= low < high < 1"),
        (lambda: one_minus_loguniform("0.9", 0.99), TypeError, r"low must be a number"),
        (lambda: log_randint(512, 16), ValueError, r"log_randint\(512, 16\).*1 <= low < high"),
        (lambda: log_randint(0, 16), ValueError, r"1 <= low < high"),
        (lambda: log_randint(1, 2.5), TypeError, r"high must be an integer, got 2.5"),
        (lambda: log_randint(True, 3), TypeError, r"low must be an integer"),
        (lambda: hidden_layers((4, 2), 64), ValueError, r"depth must be a positive integer"),
        (lambda: hidden_layers(0, 64), ValueError, r"depth must be"),
        (lambda: hidden_layers(2, (0, 64)), ValueError, r"width must be"),
        (lambda: hidden_layers(2, (1, 2, 3)), ValueError, r"width must be"),
        (lambda: hidden_layers(2, 64, shape="cone"), ValueError, r"constant, funnel"),
        (lambda: as_distribution(loguniform(1, 1e-4)), ValueError, r"wrong way round"),
        (lambda: as_distribution(loguniform(-1, 1)), ValueError, r"below zero on a log scale"),
        (lambda: as_distribution(loguniform(0, 1)), ValueError, r"loguniform\(0, 1\)"),
        (lambda: as_distribution(uniform(0, -1)), ValueError, r"uniform\(0, -1\)"),
        (lambda: as_distribution(randint(5, 2)), ValueError, r"randint\(5, 2\)"),
        (lambda: as_distribution([]), ValueError, r"must not be empty"),
        (lambda: as_distribution(0.1), ValueError, r"0.1 is no distribution"),
        (lambda: as_distribution("relu"), ValueError, r"'relu' is no distribution"),
        (lambda: as_distribution(loguniform), ValueError, r"is no distribution"),
    ],
)
def test_what_is_no_distribution_is_refused(make, error, message):
    with pytest.raises(error, match=message):
        make()


def test_a_value_that_cannot_be_drawn_has_no_coordinate():
    for distribution, value in (
        (hidden_layers(2, (8, 16)), (8, 9)),
        (hidden_layers(2, (8, 16)), ()),
        (as_distribution(["a", "b"]), "c"),
    ):
        with pytest.raises(ValueError, match=r"cannot be drawn|not one of"):
            distribution.to_unit(value)


def test_a_number_beyond_the_bounds_is_taken_for_the_bound():
    assert log_randint(16, 512).to_unit(10_000) == log_randint(16, 512).to_unit(512)
    assert one_minus_loguniform(0.9, 0.99).to_unit(0.5)[0] == 0


@pytest.mark.slow
@pytest.mark.parametrize("search", [RandomizedSearchCV, HalvingRandomSearchCV])
def test_scikit_learns_searches_take_the_distributions(search, quick, iris):
    budget = {"n_iter": 4} if search is RandomizedSearchCV else {"n_candidates": 4}
    space = default_space() | {"learning_rate_init": loguniform(1e-3, 0.1)}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # halving fits few rows, some batch sizes above them
        fitted = search(quick(), space, cv=2, random_state=0, **budget).fit(*iris)
    sizes = [params["hidden_layer_sizes"] for params in fitted.cv_results_["params"]]
    assert all(isinstance(size, int) for layers in sizes for size in layers)
    assert fitted.best_score_ > 0.3
