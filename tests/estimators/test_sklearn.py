"""The estimator among scikit-learn's tools."""

import ast
import inspect
import re

import numpy as np
import pandas as pd
import pytest
import sklearn
from scipy.stats import loguniform
from sklearn.base import clone
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.datasets import load_iris, make_classification
from sklearn.ensemble import AdaBoostClassifier, StackingClassifier, VotingClassifier
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.inspection import DecisionBoundaryDisplay, permutation_importance
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import (
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_score,
    cross_validate,
)
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler
from sklearn.utils import estimator_checks

from skbn import BNSoftmaxClassifier
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

WEIGHT_CHECKS = (
    "check_sample_weight_equivalence_on_dense_data",
    "check_sample_weight_equivalence_on_sparse_data",
)


def expected_failures(_estimator):
    reason = "mini-batches of repeated rows differ from those of weighted rows, and float32 rounds"
    return dict.fromkeys(WEIGHT_CHECKS, reason)


SEARCH = CoarseToFineSearchCV(
    LogisticRegression(),
    {"C": loguniform(0.1, 10)},
    n_candidates=3,
    n_rounds=2,
    cv=2,
    error_score="raise",
    random_state=0,
)

ALL_CHECKS = estimator_checks.parametrize_with_checks(
    [BNSoftmaxClassifier(), BNSoftmaxClassifier(early_stopping=True), SEARCH],
    expected_failed_checks=expected_failures,
)


@pytest.mark.slow
# Older versions of scikit-learn hand pytest a generator, which pytest no longer takes.
# Its check_cv warns of infinite labels before anything refuses them.
@pytest.mark.filterwarnings("ignore:invalid value encountered in cast:RuntimeWarning")
@pytest.mark.parametrize(ALL_CHECKS.args[0], list(ALL_CHECKS.args[1]), ids=ALL_CHECKS.kwargs["ids"])
def test_passes_the_checks_of_scikit_learn(estimator, check):
    check(estimator)


@pytest.mark.slow
@pytest.mark.parametrize("check", WEIGHT_CHECKS)
@pytest.mark.parametrize("batch_norm", [True, False])
@pytest.mark.parametrize("solver", OPTIMIZERS)
def test_weights_are_repetitions_where_arithmetic_allows(solver, batch_norm, check):
    # One batch holds all rows, so that repeated rows take as many steps as weighted
    # ones, and float64 keeps the different order of the sums below the tolerance. To
    # calibrate, some of the rows would be left out, but others.
    options = {"batch_size": 10**6, "dtype": "float64", "calibrate": False}
    model = BNSoftmaxClassifier(solver=solver, batch_norm=batch_norm, **options)
    getattr(estimator_checks, check)("BNSoftmaxClassifier", model)


@pytest.fixture(scope="module")
def flowers():
    """Iris as a DataFrame with a text column that tells nothing, and labels in words."""
    bunch = load_iris(as_frame=True)
    frame = bunch.data.assign(colour=["red", "blue", "white"] * 50)
    return frame, bunch.target.map(dict(enumerate(bunch.target_names)))


@pytest.fixture
def text_and_numbers(quick, flowers):
    """Return an unfitted pipeline that takes the flowers."""
    numbers = flowers[0].columns.drop("colour")
    columns = make_column_transformer((StandardScaler(), numbers), (OneHotEncoder(), ["colour"]))
    return make_pipeline(columns, quick(batch_size=16))


RATES = {"bnsoftmaxclassifier__learning_rate_init": loguniform(1e-4, 1)}


def test_pipeline_on_a_frame_with_text_columns_and_text_labels(text_and_numbers, flowers):
    frame, labels = flowers
    text_and_numbers.set_params(bnsoftmaxclassifier__max_iter=15).fit(frame, labels)
    assert text_and_numbers.score(frame, labels) > 0.93
    assert list(text_and_numbers.classes_) == ["setosa", "versicolor", "virginica"]
    assert text_and_numbers.predict(frame.iloc[[0]]).tolist() == ["setosa"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("search", "options"),
    [
        (RandomizedSearchCV, {"n_iter": 4}),
        (HalvingRandomSearchCV, {"n_candidates": 6, "min_resources": 40}),
        (
            HalvingRandomSearchCV,
            {
                "n_candidates": 4,
                "resource": "bnsoftmaxclassifier__max_iter",
                "min_resources": 1,
                "max_resources": 9,
            },
        ),
    ],
)
def test_search_gives_the_same_results_with_two_jobs(text_and_numbers, flowers, search, options):
    results = []
    for n_jobs in (1, 2):
        found = search(text_and_numbers, RATES, cv=2, random_state=0, n_jobs=n_jobs, **options).fit(
            *flowers
        )
        assert found.best_score_ > 0.8
        results.append(pd.DataFrame(found.cv_results_).filter(regex="param_|split|rank"))
    pd.testing.assert_frame_equal(*results)


def test_calibrated(quick, iris):
    calibrated = CalibratedClassifierCV(quick(max_iter=10), cv=2).fit(*iris)
    np.testing.assert_allclose(calibrated.predict_proba(iris[0]).sum(axis=1), 1)
    assert calibrated.score(*iris) > 0.9


@pytest.mark.slow
@pytest.mark.parametrize("ensemble", [VotingClassifier, StackingClassifier])
def test_in_company_of_another_classifier(quick, iris, ensemble):
    members = [("net", quick(max_iter=10)), ("linear", LogisticRegression())]
    assert ensemble(members).fit(*iris).score(*iris) > 0.9


def test_soft_voting_averages_the_probabilities(quick, iris):
    X, y = iris
    nets = [quick(random_state=seed) for seed in (0, 1)]
    voting = VotingClassifier(list(zip("ab", nets, strict=True)), voting="soft").fit(X, y)
    alone = [net.fit(X, y).predict_proba(X) for net in nets]
    np.testing.assert_allclose(voting.predict_proba(X), np.mean(alone, axis=0))


def test_boosted(quick, iris):
    # A weak learner, so that boosting goes on past a perfect first round.
    weak = quick(hidden_layer_sizes=(2,), max_iter=2)
    boosted = AdaBoostClassifier(weak, n_estimators=10, random_state=0).fit(*iris)
    assert len(boosted.estimators_) > 1
    assert boosted.score(*iris) > weak.fit(*iris).score(*iris)


def test_one_against_the_rest(quick, iris):
    model = OneVsRestClassifier(quick(max_iter=10)).fit(*iris)
    assert len(model.estimators_) == 3
    assert model.score(*iris) > 0.9


def test_permutation_importance_finds_the_informative_feature(quick):
    stream = np.random.default_rng(0)
    X = stream.normal(size=(200, 3))
    model = quick(max_iter=10).fit(X, X[:, 1] > 0)
    importance = permutation_importance(model, X, X[:, 1] > 0, n_repeats=2, random_state=0)
    assert importance.importances_mean.argmax() == 1


@pytest.mark.parametrize("method", ["predict", "predict_proba", "decision_function"])
def test_decision_boundary_display(quick, method):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    X, y = make_classification(100, 2, n_informative=2, n_redundant=0, random_state=0)
    model = quick().fit(X, y)
    display = DecisionBoundaryDisplay.from_estimator(
        model, X, response_method=method, grid_resolution=5
    )
    matplotlib.pyplot.close("all")
    grid = np.c_[display.xx0.ravel(), display.xx1.ravel()]
    expected = getattr(model, method)(grid)
    expected = expected[:, 1] if expected.ndim == 2 else expected
    np.testing.assert_allclose(display.response.ravel(), expected)


@pytest.fixture
def routing():
    """Turn metadata routing on."""
    with sklearn.config_context(enable_metadata_routing=True):
        yield


@pytest.mark.usefixtures("routing")
def test_a_pipeline_routes_sample_weight(quick, iris, assert_same_model):
    X, y = iris
    weights = 1.0 + y
    net = quick().set_fit_request(sample_weight=True)
    scaler = StandardScaler().set_fit_request(sample_weight=False)
    pipeline = make_pipeline(scaler, net).fit(X, y, sample_weight=weights)
    scaled = StandardScaler().fit_transform(X)
    assert_same_model(pipeline[-1], quick().fit(scaled, y, weights))


@pytest.mark.usefixtures("routing")
def test_cross_validate_routes_sample_weight(quick, iris):
    X, y = iris
    # Weights that leave class 2 out, for training and for scores.
    weights = (y < 2).astype(float)
    net = quick(max_iter=10).set_fit_request(sample_weight=True)
    net.set_score_request(sample_weight=True)
    results = cross_validate(
        net, X, y, cv=3, params={"sample_weight": weights}, return_estimator=True
    )
    assert (results["test_score"] == 1).all()
    assert all((net.predict(X) < 2).all() for net in results["estimator"])


@pytest.mark.usefixtures("routing")
def test_a_pipeline_transforms_the_validation_rows(quick, iris, assert_same_model):
    X, y = iris
    X = 100 + 7 * X  # the scaler has something to do
    net = quick(max_iter=8, n_iter_no_change=2).set_fit_request(X_val=True, y_val=True)
    pipeline = Pipeline([("scale", StandardScaler()), ("net", net)], transform_input=["X_val"])
    pipeline.fit(X[:100], y[:100], X_val=X[100:], y_val=y[100:])
    scaler = StandardScaler().fit(X[:100])
    alone = quick(max_iter=8, n_iter_no_change=2).fit(
        scaler.transform(X[:100]), y[:100], X_val=scaler.transform(X[100:]), y_val=y[100:]
    )
    assert_same_model(pipeline[-1], alone)


def test_methods_name_their_metadata():
    requests = BNSoftmaxClassifier().get_metadata_routing()
    val = {"X_val", "y_val", "sample_weight_val"}
    assert requests.fit.requests.keys() == {"sample_weight"} | val
    assert requests.partial_fit.requests.keys() == {"sample_weight", "classes"}
    assert requests.score.requests.keys() == {"sample_weight"}


OTHER_VALUES = {
    "hidden_layer_sizes": (4, 3),
    "activation": "tanh",
    "batch_norm": False,
    "bn_momentum": 0.5,
    "bn_epsilon": 0.25,
    "dropout": 0.25,
    "input_dropout": 0.125,
    "noise": 0.25,
    "input_noise": 0.125,
    "initializer": "glorot",
    "solver": "sgd",
    "alpha": 0.5,
    "batch_size": 50,
    "learning_rate": "exponential",
    "learning_rate_init": 0.0625,
    "learning_rate_decay": 0.5,
    "warmup_fraction": 0.5,
    "max_iter": 2,
    "shuffle": False,
    "momentum": 0.5,
    "nesterovs_momentum": False,
    "beta_1": 0.5,
    "beta_2": 0.75,
    "epsilon": 0.5,
    "max_grad_norm": 0.25,
    "loss": "focal",
    "focal_gamma": 0.5,
    "label_smoothing": 0.25,
    "class_weight": {0: 2},
    "n_members": 3,
    "calibrate": False,
    "early_stopping": True,
    "validation_fraction": 0.5,
    "n_iter_no_change": 1,
    "tol": 0.5,
    "warm_start": True,
    "dtype": "float64",
    "random_state": 5,
    "verbose": 1,
}
"""A value that is not the default for each parameter; the numbers are exact in float16."""

WRONG_VALUES = {
    "hidden_layer_sizes": [0, -1, 2.5, None],
    "activation": ["softmax", None, 1],
    "batch_norm": ["yes", None, 2],
    "bn_momentum": [-0.1, 1.0, None, "0.9"],
    "bn_epsilon": [0.0, -1e-5, None],
    "dropout": [-0.1, 1.0, None],
    "input_dropout": [-0.1, 1.0, None],
    "noise": [-0.1, float("nan"), None],
    "input_noise": [-0.1, float("nan"), None],
    "initializer": ["zeros", None],
    "solver": ["lbfgs", None],
    "alpha": [-1e-9, float("nan"), None],
    "batch_size": [0, -1, 2.5, "all", None],
    "learning_rate": ["adaptive", None, 0.1],
    "learning_rate_init": [0.0, -1.0, float("inf"), float("nan"), "constant", None],
    "learning_rate_decay": [-0.1, None],
    "warmup_fraction": [-0.1, 1.0, "auto"],
    "max_iter": [0, -1, 10.0, None],
    "shuffle": ["no", None],
    "momentum": [-0.1, 1.0, None],
    "nesterovs_momentum": ["no", None],
    "beta_1": [-0.1, 1.0, None],
    "beta_2": [-0.1, 1.0, None],
    "epsilon": [0.0, -1e-8, None],
    "max_grad_norm": [0.0, -1.0, "inf"],
    "loss": ["log_loss", None, 1],
    "focal_gamma": [-0.1, float("inf"), float("nan"), None],
    "label_smoothing": [-0.1, 1.0, None],
    "class_weight": ["equal", [1, 2, 3], 1],
    "n_members": [0, -1, 1.5, "2", None],
    "calibrate": ["yes", None],
    "early_stopping": ["yes", None],
    "validation_fraction": [0.0, 1.0, 10, None],
    "n_iter_no_change": [0, 1.5, None],
    "tol": [-1e-4, None],
    "warm_start": ["yes", None],
    "dtype": ["float16", "int64", None],
    "random_state": ["0", -1, 0.5],
    "verbose": ["yes", -1, None],
}

PARAMETERS = sorted(BNSoftmaxClassifier().get_params())


def test_the_tables_of_values_cover_every_parameter():
    assert sorted(OTHER_VALUES) == sorted(WRONG_VALUES) == PARAMETERS
    assert sorted(BNSoftmaxClassifier._parameter_constraints) == PARAMETERS
    defaults = BNSoftmaxClassifier().get_params()
    assert all(value != defaults[name] for name, value in OTHER_VALUES.items())


@pytest.mark.parametrize(
    ("name", "value"), [(name, value) for name, values in WRONG_VALUES.items() for value in values]
)
def test_a_wrong_value_is_refused_by_name(iris, name, value):
    message = rf"The '{name}' parameter of BNSoftmaxClassifier must be .* Got .* instead"
    model = BNSoftmaxClassifier(**{name: value})
    with pytest.raises(ValueError, match=message):
        model.fit(*iris)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(*iris, classes=[0, 1, 2])


def numpy_kinds(value):
    """The NumPy scalar types that hold this plain value exactly."""
    if isinstance(value, bool):
        return [np.bool_]
    if isinstance(value, int):
        return [np.int8, np.int32, np.int64, np.uint8, np.uint64]
    if isinstance(value, float):
        return [np.float16, np.float32, np.float64, np.longdouble]
    if isinstance(value, str):
        return [np.str_]
    return []


@pytest.mark.parametrize(
    ("name", "kind"),
    [(name, kind) for name, value in OTHER_VALUES.items() for kind in numpy_kinds(value)],
)
def test_numpy_scalars_are_as_good_as_python_scalars(iris, quick, assert_same_model, name, kind):
    plain = quick(**{name: OTHER_VALUES[name]}).fit(*iris)
    scalar = quick(**{name: kind(OTHER_VALUES[name])}).fit(*iris)
    assert_same_model(plain, scalar)


@pytest.mark.parametrize("kind", [list, np.array, lambda sizes: tuple(map(np.int32, sizes))])
def test_hidden_layer_sizes_of_any_sequence(iris, quick, assert_same_model, kind):
    sizes = (5, 4)
    model = quick(hidden_layer_sizes=kind(sizes)).fit(*iris)
    assert_same_model(model, quick(hidden_layer_sizes=sizes).fit(*iris))


def test_clone_and_parameters_go_round():
    model = BNSoftmaxClassifier(**OTHER_VALUES)
    assert model.get_params() == OTHER_VALUES
    assert clone(model).get_params() == OTHER_VALUES
    assert BNSoftmaxClassifier().set_params(**OTHER_VALUES).get_params() == OTHER_VALUES
    with pytest.raises(ValueError, match="Invalid parameter 'hidden_layers'"):
        model.set_params(hidden_layers=(3,))


def test_only_the_first_parameter_is_positional():
    assert BNSoftmaxClassifier((3,)).hidden_layer_sizes == (3,)
    with pytest.raises(TypeError):
        BNSoftmaxClassifier((3,), "tanh")


def test_representations_show_what_was_set():
    model = BNSoftmaxClassifier((64,), dropout=0.5)
    assert repr(model) == "BNSoftmaxClassifier(dropout=0.5, hidden_layer_sizes=(64,))"
    assert "BNSoftmaxClassifier" in model._repr_html_()
    assert "dropout" in model._repr_html_()


def documented(name):
    """The docstring's entry of a parameter, its type line included."""
    text = inspect.getdoc(BNSoftmaxClassifier)
    section = text.split("Parameters\n----------\n")[1].split("\nAttributes\n")[0]
    entries = re.split(r"\n(?=\w)", section)
    (entry,) = [
        entry
        for entry in entries
        if name in re.split(r",\s*", entry.split("\n")[0].split(" : ")[0])
    ]
    return entry


@pytest.mark.parametrize("name", PARAMETERS)
def test_every_parameter_is_documented_with_its_default(name):
    names, rest = documented(name).split("\n")[0].split(" : ")
    stated = ast.literal_eval(rest.split("default=")[1])
    # "beta_1, beta_2 : float, default=0.9, 0.95" documents two at once.
    together = names.split(", ")
    stated = stated[together.index(name)] if len(together) > 1 else stated
    assert stated == BNSoftmaxClassifier().get_params()[name]


@pytest.mark.parametrize(
    ("name", "registry"),
    [
        ("activation", ACTIVATIONS),
        ("initializer", INITIALIZERS),
        ("solver", OPTIMIZERS),
        ("learning_rate", SCHEDULES),
    ],
)
def test_every_option_is_documented(name, registry):
    options = set(re.findall(r'"(\w+)"', documented(name)))
    assert options == set(registry)


def test_every_public_attribute_and_method_is_documented(iris, quick):
    model = quick().fit(pd.DataFrame(iris[0], columns=list("abcd")), iris[1])
    text = inspect.getdoc(BNSoftmaxClassifier)
    fitted = [name for name in dir(model) if name.endswith("_") and not name.startswith("_")]
    section = text.split("Attributes\n----------\n")[1].split("See Also")[0]
    heads = re.findall(r"^([\w, ]+) :", section, flags=re.MULTILINE)
    assert sorted(fitted) == sorted(name for head in heads for name in head.split(", "))
    for name in ("fit", "partial_fit", "predict", "predict_proba", "decision_function"):
        assert getattr(BNSoftmaxClassifier, name).__doc__


def test_cross_val_score_with_the_log_loss(iris, quick):
    assert cross_val_score(quick(max_iter=10), *iris, cv=3, scoring="neg_log_loss").min() > -0.5
