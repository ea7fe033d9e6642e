"""Classifiers corrected for other class priors: of any kind, in any composite, and as files."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone, is_classifier
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, SGDClassifier
from sklearn.metrics import get_scorer
from sklearn.model_selection import FixedThresholdClassifier, GridSearchCV, cross_val_score
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC
from sklearn.utils import get_tags

from skbn import BNSoftmaxClassifier
from skbn.drift.prior_corrected import PriorCorrectedClassifier, corrected_for_priors
from skbn.drift.priors import bootstrap_interval, estimate_class_prior
from skbn.export import SKOPS_TYPES, load_model, save_model, to_onnx

pytestmark = pytest.mark.slow

LABELS = np.array(["bird", "cat", "dog"])
OLD, NEW = np.array([0.5, 0.3, 0.2]), np.array([0.1, 0.3, 0.6])


def drawn(prior, n_rows, seed):
    """Rows of three normal classes, as a frame, and their labels."""
    stream = np.random.default_rng(seed)
    codes = stream.choice(3, n_rows, p=prior)
    X = np.array([[0, 0], [1.5, 0], [0, 1.5]])[codes] + stream.normal(size=(n_rows, 2))
    return pd.DataFrame(X, columns=["a", "b"]), LABELS[codes]


X, Y = drawn(OLD, 600, 0)
X_NEW, Y_NEW = drawn(NEW, 1500, 1)
SHARES = pd.Series(Y).value_counts(normalize=True)  # from the commonest to the rarest


def network(**parameters):
    quick = {"hidden_layer_sizes": (8,), "max_iter": 8, "random_state": 0}
    quick |= {"learning_rate_init": 0.02, "alpha": 0}
    return BNSoftmaxClassifier(**(quick | parameters))


OURS = {
    "alone": network(),
    "pipeline": make_pipeline(StandardScaler(), network()),
    "nested pipeline": make_pipeline(
        make_column_transformer((StandardScaler(), ["a", "b"])),
        make_pipeline(StandardScaler(), network()),
    ),
    "search": GridSearchCV(
        make_pipeline(StandardScaler(), network(n_members=1, calibrate=False)),
        {"bnsoftmaxclassifier__alpha": [0.01]},
        cv=2,
    ),
    "pipeline with a search": make_pipeline(
        StandardScaler(), GridSearchCV(network(n_members=1), {"alpha": [0.01]}, cv=2)
    ),
}
OTHERS = {
    "logistic regression": LogisticRegression(),
    "boosted trees": HistGradientBoostingClassifier(max_iter=10),
    "pipeline": make_pipeline(StandardScaler(), GaussianNB()),
    "calibrated": CalibratedClassifierCV(GaussianNB(), cv=2),
    "search": GridSearchCV(GaussianNB(), {"var_smoothing": [1e-9]}, cv=2),
    "ours, calibrated by another": CalibratedClassifierCV(network(n_members=1), cv=2),
}


@pytest.fixture(scope="module")
def fitted():
    """A classifier by its name, fitted once."""
    return {
        (kind, name): clone(model).fit(X, Y)
        for kind, models in {"ours": OURS, "others": OTHERS}.items()
        for name, model in models.items()
    }


def by_bayes(probabilities, old, new):
    products = probabilities * new / old
    return products / products.sum(axis=1, keepdims=True)


def assert_corrected(corrected, model, old):
    """Predictions are Bayes's with the priors that the adaptation tells."""
    done = corrected.adaptation_
    expected = estimate_class_prior(model.predict_proba(X_NEW), old)
    np.testing.assert_allclose(done["class_prior_old"], old, rtol=1e-6)
    np.testing.assert_allclose(done["class_prior_new"], expected, atol=1e-6)
    np.testing.assert_allclose(expected, NEW, atol=0.12)  # as the classifiers are no better
    interval = bootstrap_interval(model.predict_proba(X_NEW), old)
    np.testing.assert_allclose(done["class_prior_interval"], interval, atol=1e-6)
    probabilities = by_bayes(model.predict_proba(X_NEW), old, np.array(done["class_prior_new"]))
    np.testing.assert_allclose(corrected.predict_proba(X_NEW), probabilities, rtol=1e-6)
    np.testing.assert_array_equal(corrected.predict(X_NEW), LABELS[probabilities.argmax(axis=1)])
    np.testing.assert_allclose(
        corrected.predict_log_proba(X_NEW), np.log(probabilities), rtol=1e-5, atol=1e-8
    )
    assert corrected.score(X_NEW, Y_NEW) > model.score(X_NEW, Y_NEW) + 0.02
    assert (done["shift"], done["n_rows"]) == ("label", len(X_NEW))


@pytest.mark.parametrize("name", OURS)
def test_ours_stay_what_they_are(fitted, name):
    model = fitted["ours", name]
    before = pickle.dumps(model)
    corrected = corrected_for_priors(model, X_NEW)
    assert type(corrected) is type(model)
    assert_corrected(corrected, model, SHARES[LABELS].to_numpy())
    assert pickle.dumps(model) == before
    assert pickle.loads(pickle.dumps(corrected)).adaptation_ == corrected.adaptation_


@pytest.mark.parametrize("name", OTHERS)
def test_others_are_wrapped(fitted, name):
    model = fitted["others", name]
    corrected = corrected_for_priors(model, X_NEW, SHARES)
    assert type(corrected) is PriorCorrectedClassifier
    assert_corrected(corrected, model, SHARES[LABELS].to_numpy())
    assert corrected.estimator is not model
    np.testing.assert_array_equal(corrected.class_prior_, corrected.adaptation_["class_prior_new"])
    np.testing.assert_array_equal(
        corrected.class_prior_interval_, corrected.adaptation_["class_prior_interval"]
    )


@pytest.mark.parametrize("form", [list, tuple, np.asarray, dict, pd.Series])
def test_priors_are_given_by_label_or_in_order(fitted, form):
    given = form(SHARES if form in (dict, pd.Series) else SHARES[LABELS])
    corrected = corrected_for_priors(fitted["others", "pipeline"], X_NEW, given)
    np.testing.assert_allclose(corrected.adaptation_["class_prior_old"], SHARES[LABELS])


def test_balanced_weights_have_uniform_old_priors():
    model = make_pipeline(StandardScaler(), network(class_weight="balanced")).fit(X, Y)
    corrected = corrected_for_priors(model, X_NEW)
    assert_corrected(corrected, model, np.full(3, 1 / 3))
    back = corrected_for_priors(model, X)
    np.testing.assert_allclose(back.adaptation_["class_prior_new"], OLD, atol=0.06)


@pytest.mark.parametrize(
    ("kind", "name"), [("ours", "pipeline"), ("others", "logistic regression")]
)
def test_corrections_compose(fitted, kind, name):
    model = fitted[kind, name]
    given = "auto" if kind == "ours" else SHARES
    once = corrected_for_priors(model, X_NEW, given)
    again = corrected_for_priors(once, X)
    directly = corrected_for_priors(model, X, given)
    np.testing.assert_allclose(again.predict_proba(X), directly.predict_proba(X), atol=1e-5)
    np.testing.assert_allclose(
        again.adaptation_["class_prior_old"], once.adaptation_["class_prior_new"], rtol=1e-9
    )
    assert type(again) is type(once)
    assert not isinstance(getattr(again, "estimator", None), PriorCorrectedClassifier)
    # What was adapted already needs nothing more.
    same = corrected_for_priors(once, X_NEW)
    np.testing.assert_allclose(same.predict_proba(X), once.predict_proba(X), atol=1e-5)


def test_given_priors_override(fitted):
    other = np.array([0.2, 0.2, 0.6])
    for model in (fitted["ours", "pipeline"], fitted["others", "logistic regression"]):
        corrected = corrected_for_priors(model, X_NEW, other)
        new = estimate_class_prior(model.predict_proba(X_NEW), other)
        expected = by_bayes(model.predict_proba(X_NEW), other, new)
        np.testing.assert_allclose(corrected.predict_proba(X_NEW), expected, rtol=1e-9)
        np.testing.assert_array_equal(corrected.class_prior_, new)
        twice = corrected_for_priors(corrected, X_NEW, OLD)
        assert type(twice.estimator) is type(model)
        newer = estimate_class_prior(expected, OLD)
        np.testing.assert_allclose(
            twice.predict_proba(X_NEW), by_bayes(expected, OLD, newer), rtol=1e-9
        )


def test_network_of_a_version_without_priors_needs_them():
    model = network().fit(X, Y)
    model._progress[0].class_totals = None
    with pytest.raises(ValueError, match="class_prior must be given for this BNSoftmaxClassifier"):
        corrected_for_priors(model, X_NEW)
    corrected = corrected_for_priors(model, X_NEW, SHARES)
    assert_corrected(corrected, model, SHARES[LABELS].to_numpy())


class CautiousNetwork(BNSoftmaxClassifier):
    def predict_proba(self, X):
        return (super().predict_proba(X) + 0.1) / 1.3


def test_subclass_with_probabilities_of_its_own_is_wrapped():
    model = CautiousNetwork(hidden_layer_sizes=(8,), max_iter=8, random_state=0).fit(X, Y)
    with pytest.raises(ValueError, match="class_prior must be given"):
        corrected_for_priors(model, X_NEW)
    corrected = corrected_for_priors(model, X_NEW, SHARES)
    new = np.array(corrected.adaptation_["class_prior_new"])
    expected = by_bayes(model.predict_proba(X), SHARES[LABELS].to_numpy(), new)
    np.testing.assert_allclose(corrected.predict_proba(X), expected, rtol=1e-9)


@pytest.mark.parametrize(
    ("class_prior", "message"),
    [
        ("auto", "class_prior must be given for this GaussianNB, which does not know it"),
        ("balanced", 'class_prior must be "auto", or hold the shares of the classes'),
        ([0.5, 0.5], "one prior for each of the 3 classes, in the order of classes_, got an array"),
        ([[0.2, 0.3, 0.5]], "of shape (1, 3)"),
        ([0.5, 0.3, 0.3], "with the sum 1, got [0.5, 0.3, 0.3] with the sum 1.1"),
        ([30, 30, 40], "divide frequencies by their sum"),
        ([-0.2, 0.6, 0.6], "must hold numbers >= 0"),
        ([np.nan, 0.5, 0.5], "must hold numbers >= 0"),
        ({"bird": 0.5, "cat": 0.5}, "it names [], which are none, and lacks ['dog']"),
        ({"bird": 0.5, "cat": 0.3, "dog": 0.1, "cow": 0.1}, "it names ['cow']"),
        (pd.Series([0.5, 0.3, 0.2]), "it names [0, 1, 2], which are none"),
    ],
)
def test_priors_that_are_none_are_refused(fitted, class_prior, message):
    model = fitted["others", "pipeline"][-1]
    with pytest.raises(ValueError, match=re.escape(message)):
        corrected_for_priors(model, X_NEW.to_numpy(), class_prior)


def test_priors_may_be_rounded(fitted):
    corrected = corrected_for_priors(
        fitted["others", "logistic regression"], X_NEW, [0.33, 0.33, 0.33]
    )
    np.testing.assert_allclose(corrected.adaptation_["class_prior_old"], np.full(3, 1 / 3))


@pytest.mark.parametrize("model", [SVC(), SGDClassifier()])
def test_classifier_without_probabilities_is_refused(model):
    with pytest.raises(TypeError, match="has no predict_proba"):
        corrected_for_priors(model.fit(X, Y), X_NEW, OLD)


# The wrapper as an estimator.


@pytest.fixture(scope="module")
def wrapped(fitted):
    return corrected_for_priors(fitted["others", "logistic regression"], X_NEW, SHARES)


def test_wrapper_looks_like_what_is_in_it(wrapped):
    inner = wrapped.estimator
    assert is_classifier(wrapped)
    assert wrapped.n_features_in_ == 2
    np.testing.assert_array_equal(wrapped.classes_, LABELS)
    np.testing.assert_array_equal(wrapped.feature_names_in_, ["a", "b"])
    assert get_tags(wrapped).input_tags == get_tags(inner).input_tags
    assert not hasattr(PriorCorrectedClassifier(GaussianNB(), OLD, NEW), "classes_")
    without_names = PriorCorrectedClassifier(GaussianNB().fit(X.to_numpy(), Y), OLD, NEW)
    assert not hasattr(without_names, "feature_names_in_")
    assert not hasattr(without_names, "class_prior_interval_")
    assert repr(without_names).startswith("PriorCorrectedClassifier(estimator=GaussianNB()")
    assert get_scorer("neg_log_loss")(wrapped, X_NEW, Y_NEW) > -1
    assert get_scorer("roc_auc_ovr")(wrapped, X_NEW, Y_NEW) > 0.7


def test_wrapper_refuses_to_be_fitted(wrapped):
    copy = clone(wrapped)
    assert copy.get_params()["estimator__max_iter"] == 100
    for unfitted in (copy, PriorCorrectedClassifier(GaussianNB(), OLD, NEW)):
        with pytest.raises(NotFittedError):
            unfitted.predict(X)
        with pytest.raises(NotFittedError):
            _ = unfitted.class_prior_
    with pytest.raises(TypeError, match="corrects a classifier that is fitted already"):
        copy.fit(X, Y)
    with pytest.raises(TypeError, match="corrects a classifier that is fitted already"):
        cross_val_score(wrapped, X, Y, cv=2, error_score="raise")


def test_class_of_old_prior_zero_is_not_corrected():
    model = GaussianNB().fit(X, Y)
    corrected = PriorCorrectedClassifier(model, [0.5, 0.5, 0], [0.2, 0.8, 0])
    products = model.predict_proba(X) * [0.4, 1.6, 1]
    expected = products / products.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(corrected.predict_proba(X), expected)


class Certain(GaussianNB):
    def predict_proba(self, X):
        return np.eye(3, dtype=np.float32)[super().predict_proba(X).argmax(axis=1)]


def test_probabilities_of_zero_and_one_stay_finite():
    model = Certain().fit(X, Y)
    corrected = PriorCorrectedClassifier(model, OLD, [0, 0.5, 0.5])
    np.testing.assert_array_equal(corrected.predict_proba(X), model.predict_proba(X))
    np.testing.assert_array_equal(np.exp(corrected.predict_log_proba(X)), model.predict_proba(X))
    again = corrected_for_priors(model, X_NEW, OLD)
    np.testing.assert_allclose(
        again.class_prior_, [np.mean(model.predict(X_NEW) == label) for label in LABELS], atol=1e-6
    )


# Files.


@pytest.mark.parametrize("name", ["ours", "others"])
def test_skops_saves_what_was_corrected(fitted, wrapped, name):
    skops = pytest.importorskip("skops.io")
    model = {"ours": fitted["ours", "pipeline"], "others": wrapped}[name]
    corrected = corrected_for_priors(model, X_NEW)
    data = skops.dumps(corrected)
    loaded = skops.loads(data, trusted=[*SKOPS_TYPES, *skops.get_untrusted_types(data=data)])
    np.testing.assert_array_equal(loaded.predict_proba(X), corrected.predict_proba(X))
    assert loaded.adaptation_ == corrected.adaptation_
    own = {each for each in skops.get_untrusted_types(data=data) if each.startswith("skbn.")}
    assert own <= set(SKOPS_TYPES)


def test_models_for_other_priors_travel(fitted, tmp_path):
    pytest.importorskip("onnx")
    runtime = pytest.importorskip("onnxruntime")
    corrected = corrected_for_priors(fitted["ours", "pipeline"], X_NEW)
    save_model(corrected[-1], tmp_path / "model.skbn")
    loaded = load_model(tmp_path / "model.skbn")
    standard = corrected[:-1].transform(X_NEW)
    expected = corrected.predict_proba(X_NEW)
    np.testing.assert_allclose(loaded.predict_proba(standard), expected, atol=1e-6)
    session = runtime.InferenceSession(to_onnx(corrected[-1]).SerializeToString())
    (given,) = session.get_inputs()
    outputs = session.run(None, {given.name: standard.astype(np.float32)})
    np.testing.assert_allclose(outputs[-1], expected, atol=1e-5)


def test_a_decision_threshold_is_not_passed_over():
    model = FixedThresholdClassifier(LogisticRegression(), threshold=0.1)
    model.fit([[0.0], [1.0], [2.0], [3.0]], [0, 0, 1, 1])
    with pytest.raises(TypeError, match=r"has a decision threshold.*adapt its estimator_"):
        corrected_for_priors(model, [[0.0], [3.0]], [0.5, 0.5])
