"""Epochs by `partial_fit`."""

import warnings
from itertools import pairwise

import numpy as np
import pytest
from continuations import continued

from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES

pytestmark = pytest.mark.slow

VARIANTS = [
    {"batch_norm": True},
    {"batch_norm": False},
    {"dropout": 0.3, "input_dropout": 0.1},
    {"noise": 0.3, "input_noise": 0.1},
    {"hidden_layer_sizes": ()},
    {"dtype": "float64", "alpha": 0.01, "max_grad_norm": 0.5},
    {"shuffle": False, "class_weight": {0: 2.0}},
]


@pytest.mark.parametrize("solver", OPTIMIZERS)
@pytest.mark.parametrize("variant", VARIANTS)
def test_partial_fits_are_the_epochs_of_fit(iris, quick, assert_same_model, solver, variant):
    options = {"solver": solver, "max_iter": 4, "learning_rate_init": 0.01, **variant}
    assert_same_model(continued(quick(**options), *iris, 4), quick(**options).fit(*iris))


@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_partial_fits_are_the_first_epochs_under_any_schedule(iris, quick, learning_rate):
    # A fit of eight epochs, interrupted after three, is where three calls lead.
    whole = quick(learning_rate=learning_rate, max_iter=8).fit(*iris)
    part = continued(quick(learning_rate=learning_rate, max_iter=8), *iris, 3)
    for name in ("loss", "learning_rate", "gradient_norm"):
        assert part.history_[name] == whole.history_[name][:3]


def test_partial_fit_goes_on_from_fit(iris, quick, assert_same_model):
    options = {"learning_rate": "constant", "dropout": 0.2}
    gone_on = quick(max_iter=2, **options).fit(*iris).partial_fit(*iris)
    assert_same_model(gone_on, quick(max_iter=3, **options).fit(*iris))


def test_partial_fits_scale_weights_per_call(iris, quick, assert_same_model):
    X, y = iris
    weights = np.linspace(1, 2, len(y))
    model = quick().partial_fit(X, y, classes=[0, 1, 2], sample_weight=weights)
    model.partial_fit(X, y, sample_weight=weights * 1024)
    model.partial_fit(X, y, sample_weight=weights)
    assert_same_model(model, quick().fit(X, y, sample_weight=weights))


def test_partial_fit_takes_batches_of_any_size(quick):
    stream = np.random.default_rng(0)
    X = stream.normal(size=(600, 4))
    y = X[:, 0] + X[:, 1] > 0
    model = quick(max_iter=12)
    for start, end in pairwise([0, 2, 5, 105, 140, 300, 303, 450, 600]):
        model.partial_fit(X[start:end], y[start:end], classes=[False, True])
    assert model.n_iter_ == 8
    assert model.score(X, y) > 0.9


def test_partial_fit_takes_batches_that_lack_classes(iris, quick):
    X, y = iris
    model = quick(max_iter=30)
    for _ in range(10):
        for label in (2, 0, 1):
            some = (y == label) | (y == (label + 1) % 3)
            model.partial_fit(X[some], y[some], classes=[0, 1, 2])
    assert model.classes_.tolist() == [0, 1, 2]
    assert model.score(X, y) > 0.8


@pytest.mark.parametrize("n_rows", [200, 30])
def test_partial_fit_takes_many_classes(quick, n_rows):
    # As many as letters: scikit-learn suspects a regression where half of the labels differ.
    y = np.arange(n_rows) % 26
    X = np.random.default_rng(0).normal(size=(n_rows, 3))
    model = quick().partial_fit(X, y, classes=np.arange(26)).partial_fit(X, y)
    assert model.predict_proba(X).shape == (n_rows, 26)


def test_partial_fit_takes_one_class_alone(iris, quick):
    X, y = iris
    model = quick().partial_fit(X[y == 2], y[y == 2], classes=[2, 0, 1])
    assert model.predict_proba(X).shape == (150, 3)
    assert (model.predict(X[y == 2]) == 2).all()


@pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")
def test_partial_fit_takes_one_row_without_batch_norm(iris, quick):
    X, y = iris
    model = quick(batch_norm=False, learning_rate_init=0.01)
    for row, label in zip(X, y, strict=True):
        model.partial_fit(row[None], [label], classes=[0, 1, 2])
    assert model.n_iter_ == 150


def test_partial_fit_ignores_early_stopping(iris, quick, assert_same_model):
    stopping = continued(quick(early_stopping=True), *iris, 2)
    assert_same_model(stopping, continued(quick(), *iris, 2))


def test_partial_fit_wants_the_classes_first(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="classes must be passed on the first call"):
        quick().partial_fit(X, y)


@pytest.mark.parametrize("classes", [[0, 1], [0, 1, 2, 3], ["a", "b", "c"]])
def test_partial_fit_refuses_other_classes_later(iris, quick, classes):
    X, y = iris
    model = continued(quick(), X, y, 1)
    with pytest.raises(ValueError, match=r"differ from those of the first call: \[0, 1, 2\]"):
        model.partial_fit(X, y, classes=classes)
    model.partial_fit(X, y, classes=[2, 1, 0])  # the same, in another order


@pytest.mark.parametrize("again", [False, True])
def test_partial_fit_refuses_labels_beyond_the_classes(iris, quick, again):
    X, y = iris
    model = quick()
    if again:
        model.partial_fit(X, y.clip(0, 1), classes=[0, 1])
    with pytest.raises(ValueError, match=r"not among the classes: \[2\]"):
        model.partial_fit(X, y, classes=[0, 1])


def test_partial_fit_tells_numbers_from_text(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="not among the classes"):
        quick().partial_fit(X, y.astype(str), classes=[0, 1, 2])


def test_partial_fit_refuses_balanced_weights(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match=r"balanced.*not supported by partial_fit"):
        quick(class_weight="balanced").partial_fit(X, y, classes=[0, 1, 2])


@pytest.mark.parametrize("begun_by", ["fit", "partial_fit"])
@pytest.mark.parametrize("learning_rate", SCHEDULES)
def test_a_stream_past_the_end_of_its_schedule_is_warned_of_once(
    iris, quick, learning_rate, begun_by
):
    X, y = iris
    model = quick(learning_rate=learning_rate, max_iter=2)
    if begun_by == "fit":
        model.fit(X, y)
    else:
        for _ in range(2):
            model.partial_fit(X, y, classes=[0, 1, 2])
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        for _ in range(4):
            model.partial_fit(X, y)
    sinks = learning_rate in ("cosine", "one_cycle")
    assert [str(each.message)[:38] for each in caught] == sinks * [
        "partial_fit goes on past max_iter=2, w"
    ]
    assert all(each.filename == __file__ for each in caught)
    assert (model.history_["learning_rate"][-1] < 0.02 * model.learning_rate_init) == sinks


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ({}, {"max_iter": 5}),
        ({"learning_rate": "constant", "max_iter": 5}, {"learning_rate": "cosine"}),
    ],
)
def test_a_schedule_that_ends_by_set_params_is_warned_of_too(iris, quick, before, after):
    X, y = iris
    model = quick(**({"max_iter": 10} | before))
    for _ in range(8):
        model.partial_fit(X, y, classes=[0, 1, 2])
    model.set_params(**after)
    with pytest.warns(UserWarning, match="partial_fit goes on past max_iter=5"):
        model.partial_fit(X, y)
    model.partial_fit(X, y)


def test_a_warning_of_the_schedule_as_an_error_changes_nothing(iris, quick, assert_same_model):
    X, y = iris
    model = quick(max_iter=1).fit(X, y)
    with pytest.raises(UserWarning, match='set learning_rate="constant"'):
        model.partial_fit(X, y)
    assert_same_model(model, quick(max_iter=1).fit(X, y))
    model.set_params(learning_rate="constant").partial_fit(X, y)
