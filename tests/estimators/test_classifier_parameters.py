"""Seeds, and what trains with which parameters, and how well."""

import numpy as np
import pytest
from sklearn.datasets import load_digits
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import train_test_split

from skbn import BNSoftmaxClassifier
from skbn.estimators.constraints import CONSTRAINTS, Floats
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES

pytestmark = pytest.mark.slow

# Randomness.


def test_one_seed_gives_the_same_bits(iris, quick, assert_same_model):
    options = {"dropout": 0.2, "early_stopping": True}
    assert_same_model(*(quick(**options, random_state=3).fit(*iris) for _ in range(2)))


def test_other_seeds_give_other_networks(iris, quick):
    one, other = (quick(random_state=seed).fit(*iris).coefs_[0] for seed in (0, 1))
    assert not np.isin(one, other).any()


def test_a_random_state_instance_moves_on(iris, quick, assert_same_model):
    def fit_twice(seed):
        stream = np.random.RandomState(seed)
        return [quick(random_state=stream).fit(*iris) for _ in range(2)]

    first, second = fit_twice(7)
    again, _ = fit_twice(7)
    assert_same_model(first, again)
    assert (first.coefs_[0] != second.coefs_[0]).all()


def test_without_a_seed_the_global_one_decides(iris, quick, assert_same_model):
    models = []
    for _ in range(2):
        np.random.seed(11)  # noqa: NPY002
        models += [quick(random_state=None).fit(*iris) for _ in range(2)]
    assert_same_model(models[0], models[2])
    assert (models[0].coefs_[0] != models[1].coefs_[0]).all()


def test_a_seed_leaves_the_global_one_alone(iris, quick):
    before = np.random.get_state()  # noqa: NPY002
    quick(random_state=0, dropout=0.5, early_stopping=True).fit(*iris).predict(iris[0])
    for old, new in zip(before, np.random.get_state(), strict=True):  # noqa: NPY002
        np.testing.assert_array_equal(old, new)


def test_shuffle_false_keeps_the_order(iris, steady):
    # Batches of one order: the first batch decides what training on the second does.
    X, y = iris
    order = np.r_[75:150, 0:75]
    options = {"batch_size": 75, "max_iter": 1, "shuffle": False}
    swapped = steady(**options).fit(X[order], y[order])
    assert not np.allclose(steady(**options).fit(X, y).coefs_[0], swapped.coefs_[0], atol=1e-9)
    within = np.r_[np.arange(74, -1, -1), np.arange(149, 74, -1)]
    mixed = steady(**options).fit(X[within], y[within])
    np.testing.assert_allclose(steady(**options).fit(X, y).coefs_[0], mixed.coefs_[0], atol=1e-9)


# What trains, and how well.


@pytest.mark.parametrize("weights", [None, "random"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_softmax_regression_is_logistic_regression(iris, steady, dtype, weights):
    X, y = iris
    if weights is not None:
        weights = np.random.default_rng(0).uniform(0.5, 2, len(y))
        weights /= weights.mean()
    alpha = 0.01
    ours = steady(
        hidden_layer_sizes=(), alpha=alpha, max_iter=1500, learning_rate="cosine", dtype=dtype
    ).fit(X, y, weights)
    theirs = LogisticRegression(C=1 / (alpha * len(y)), tol=1e-8).fit(X, y, weights)
    np.testing.assert_allclose(ours.predict_proba(X), theirs.predict_proba(X), atol=1e-4)
    np.testing.assert_allclose(ours.coefs_[0].T, theirs.coef_, atol=2e-3)


def test_two_class_softmax_regression_is_logistic_regression(iris, steady):
    X, y = iris[0], iris[1] == 1
    alpha = 0.01
    ours = steady(hidden_layer_sizes=(), alpha=alpha, max_iter=1500, learning_rate="cosine").fit(
        X, y
    )
    theirs = LogisticRegression(C=2 / (alpha * len(y)), tol=1e-8).fit(X, y)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-3)


def test_an_integer_is_one_hidden_layer(iris, quick, assert_same_model):
    one = quick(hidden_layer_sizes=6).fit(*iris)
    assert_same_model(one, quick(hidden_layer_sizes=(6,)).fit(*iris))


RATES = {"sgd": 0.1, "rmsprop": 0.03, "adam": 0.05, "adamw": 0.05}


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("activation", ACTIVATIONS)
def test_every_activation_trains_with_every_solver(iris, quick, activation, solver):
    model = quick(
        activation=activation, solver=solver, learning_rate_init=RATES[solver], max_iter=15
    )
    assert model.fit(*iris).score(*iris) > 0.93


@pytest.mark.parametrize("initializer", INITIALIZERS)
@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_every_schedule_trains_from_every_initializer(iris, quick, learning_rate, initializer):
    model = quick(learning_rate=learning_rate, initializer=initializer, max_iter=10)
    assert model.fit(*iris).score(*iris) > 0.93


@pytest.mark.parametrize(
    ("solver", "parameter"),
    [
        ("sgd", {"momentum": 0.0}),
        ("sgd", {"nesterovs_momentum": False}),
        ("rmsprop", {"beta_2": 0.9}),
        ("adam", {"beta_1": 0.0}),
        ("adam", {"beta_2": 0.9}),
        ("adamw", {"epsilon": 0.1}),
    ],
)
def test_parameters_of_a_solver_matter_to_it(iris, quick, solver, parameter):
    plain, changed = (quick(solver=solver, **p).fit(*iris) for p in ({}, parameter))
    assert (plain.coefs_[0] != changed.coefs_[0]).all()


@pytest.mark.parametrize("n_rows", [150, 149, 7, 3, 2])
@pytest.mark.parametrize("batch_size", ["auto", 2, 3, 149, 10**9])
def test_batches_of_any_size(iris, quick, batch_size, n_rows):
    # With batch norm and two or three rows, one batch is all there is.
    X, y = iris[0][:n_rows], iris[1][:n_rows]
    assert len(np.unique(y)) > 1
    model = quick(batch_size=batch_size).fit(X, y)
    assert np.isfinite(model.loss_)
    assert np.isfinite(model.predict_proba(iris[0])).all()


@pytest.mark.parametrize("n_rows", [3, 5, 7])
def test_no_batch_of_one_row_meets_batch_norm(iris, quick, assert_same_model, n_rows):
    # Batches of two would leave a row over; it makes one of the batches larger.
    X, y = iris[0][:n_rows], iris[1][:n_rows]
    model = quick(batch_size=2).fit(X, y)
    assert_same_model(model, quick(batch_size=-(-n_rows // (n_rows // 2))).fit(X, y))


@pytest.mark.parametrize(("n_rows", "same_as"), [(150, 32), (1500, 75), (20_000, 128)])
def test_automatic_batch_sizes(quick, assert_same_model, n_rows, same_as):
    X = np.random.default_rng(0).normal(size=(n_rows, 2))
    y = X[:, 0] > 0
    automatic = quick(batch_size="auto", max_iter=1).fit(X, y)
    assert_same_model(automatic, quick(batch_size=same_as, max_iter=1).fit(X, y))


def test_a_batch_of_one_row_is_fine_without_batch_norm(iris, quick):
    model = quick(batch_size=1, batch_norm=False, learning_rate_init=0.01).fit(*iris)
    assert model.score(*iris) > 0.9
    assert quick(batch_size=1, hidden_layer_sizes=()).fit(*iris).score(*iris) > 0.8


def test_fit_again_starts_anew(iris, quick, assert_same_model):
    X, y = iris
    refitted = quick().fit(X[:, :2], y == 1).fit(X, y)
    assert_same_model(refitted, quick().fit(X, y))
    assert refitted.n_features_in_ == 4


def test_fit_changes_neither_data_nor_parameters(iris, quick):
    # The shared data are not writeable: fit would fail if it wrote to them.
    X, y = iris
    weights = np.linspace(1, 2, len(y))
    sizes, by_class = [5, 4], {0: 2.0}
    model = quick(hidden_layer_sizes=sizes, class_weight=by_class)
    before = model.get_params()
    model.fit(X, y, weights, X_val=X, y_val=y, sample_weight_val=weights)
    assert weights.tolist() == np.linspace(1, 2, len(y)).tolist()
    assert model.get_params() == before
    assert model.hidden_layer_sizes is sizes
    assert model.class_weight is by_class
    assert (sizes, by_class) == ([5, 4], {0: 2.0})


def test_a_seen_column_without_spread_does_no_harm(iris, quick):
    X, y = iris
    X = np.c_[X, np.full(len(y), 3.0)]
    model = quick(max_iter=10).fit(X, y)
    assert model.score(X, y) > 0.93
    assert np.isfinite(model.predict_log_proba(X * 5)).all()


def test_digits():
    X, y = load_digits(return_X_y=True)
    parts = train_test_split(X / 16, y, test_size=0.5, stratify=y, random_state=0)
    X_train, X_test, y_train, y_test = parts
    model = BNSoftmaxClassifier(random_state=0).fit(X_train, y_train)
    assert model.score(X_test, y_test) > 0.97


def test_twenty_classes_of_few_rows(quick):
    stream = np.random.default_rng(0)
    y = np.repeat(np.arange(20), 5)
    X = 10 * stream.normal(size=(20, 6))[y] + stream.normal(size=(100, 6))
    model = quick(hidden_layer_sizes=(32,), max_iter=40, early_stopping=True).fit(X, y)
    assert model.score(X, y) > 0.9


REALS = [name for name, constraints in CONSTRAINTS.items() if isinstance(constraints[0], Floats)]


@pytest.mark.parametrize("name", REALS)
@pytest.mark.parametrize("value", [10**400, np.longdouble("1e400")], ids=["integer", "long double"])
def test_numbers_beyond_all_floats_are_refused(iris, quick, name, value):
    with pytest.raises(ValueError, match=f"The '{name}' parameter of .* must be a float in the"):
        quick(**{name: value}).fit(*iris)


@pytest.mark.parametrize("name", REALS)
@pytest.mark.parametrize("kind", [np.float16, np.longdouble])
def test_numbers_of_numpy_are_numbers(iris, quick, assert_same_model, name, kind):
    one, other = (quick(**{name: value}).fit(*iris) for value in (kind(0.5), 0.5))
    assert_same_model(one, other)
