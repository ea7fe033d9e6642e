"""The default space: what acts with the parameters of the classifier that an estimator has."""

from itertools import product

import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES
from skbn.search import default_space, one_minus_loguniform

pytestmark = pytest.mark.slow

ALL = ["learning_rate_init", "momentum", "batch_size", "hidden_layer_sizes", "learning_rate_decay"]
OTHERS = {
    "learning_rate_init": 0.001,
    "momentum": 0.5,
    "batch_size": 24,
    "hidden_layer_sizes": (3, 3),
    "learning_rate_decay": 0.7,
}


def bits(model, X, y):
    model.fit(X, y)
    return [array.tobytes() for array in (*model.coefs_, *model.intercepts_)]


@pytest.mark.parametrize("pair", list(product(OPTIMIZERS, SCHEDULES)), ids="-".join)
def test_what_is_drawn_changes_what_is_fitted_and_nothing_else_does(pair, quick, iris):
    solver, learning_rate = pair
    params = {"solver": solver, "learning_rate": learning_rate, "batch_size": 32}
    X, y = iris[0][::2], iris[1][::2]
    before = bits(quick(**params), X, y)
    acting = [name for name in ALL if bits(quick(**params | {name: OTHERS[name]}), X, y) != before]
    assert list(default_space(quick(**params))) == acting


def test_the_default_space_has_the_courses_parameters_in_its_order():
    space = default_space(BNSoftmaxClassifier(solver="sgd", learning_rate="inverse_time"))
    assert list(space) == ALL
    assert space["momentum"] == one_minus_loguniform(0.9, 0.999)
    assert space["learning_rate_init"].support() == (1e-4, 1)
    assert default_space().keys() == default_space(BNSoftmaxClassifier()).keys()
    assert list(default_space()) == ["learning_rate_init", "batch_size", "hidden_layer_sizes"]


SUBCLASS = type("BNSoftmaxClassifier", (BNSoftmaxClassifier,), {})


@pytest.mark.parametrize(
    ("wrap", "prefix"),
    [
        (lambda net: net, ""),
        (lambda net: make_pipeline(StandardScaler(), net), "bnsoftmaxclassifier__"),
        (lambda net: Pipeline([("a", Pipeline([("b", net)]))]), "a__b__"),
        (lambda net: Pipeline([("net", net), ("last", LogisticRegression())]), "net__"),
        (CalibratedClassifierCV, "estimator__"),
        (lambda net: CalibratedClassifierCV(Pipeline([("b", net)])), "estimator__b__"),
        (lambda net: VotingClassifier([("a", net), ("b", LogisticRegression())]), "a__"),
        (lambda net: GridSearchCV(net, {"alpha": [0.0]}), "estimator__"),
    ],
)
@pytest.mark.parametrize("params", [{}, {"solver": "sgd"}, {"learning_rate": "exponential"}])
@pytest.mark.parametrize("kind", [BNSoftmaxClassifier, SUBCLASS])
def test_the_classifier_is_found_wherever_it_is(wrap, prefix, params, kind):
    net = kind(**params)
    model = wrap(net)
    space = default_space(model)
    assert list(space) == [f"{prefix}{name}" for name in default_space(net)]
    assert space.keys() <= model.get_params().keys()
    assert list(default_space(net, prefix=prefix)) == list(space)
    middle = {name: 0.01 if hasattr(each, "ppf") else each for name, each in space.items()}
    model.set_params(**middle)
    assert net.learning_rate_init == 0.01


def test_a_prefix_is_for_a_classifier_with_the_defaults():
    names = [f"net__{name}" for name in default_space()]
    assert list(default_space("net__")) == list(default_space(prefix="net__")) == names


TWO = VotingClassifier([("a", BNSoftmaxClassifier()), ("b", BNSoftmaxClassifier())])


@pytest.mark.parametrize(
    ("estimator", "error", "message"),
    [
        (TWO, ValueError, "VotingClassifier has several: a, b. Give the classifier itself"),
        (make_pipeline(StandardScaler()), ValueError, "Pipeline has none"),
        (BNSoftmaxClassifier, TypeError, "default_space takes an estimator"),
        (3, TypeError, "got 3"),
        (None, TypeError, "got None"),
        (BNSoftmaxClassifier(solver="gradient"), ValueError, "'solver' parameter"),
    ],
)
def test_what_has_no_classifier_of_its_own_is_refused(estimator, error, message):
    with pytest.raises(error, match=message):
        default_space(estimator)
