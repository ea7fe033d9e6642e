"""What the loss of a classifier is seen in: histories, validation, the best epoch."""

import numpy as np
import pytest
from continuations import continued
from scipy.special import softmax
from sklearn.model_selection import GridSearchCV
from temperature_oracle import best_temperature

from skbn import BNSoftmaxClassifier, fit_population
from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow


def focal(probabilities, targets, gamma):
    """Focal losses of rows, of whose classes the targets are the shares."""
    return -np.sum(targets * (1 - probabilities) ** gamma * np.log(probabilities), axis=1)


def test_cross_entropy_is_the_default(iris, quick, assert_same_model):
    model = quick().fit(*iris)
    assert (model.loss, model.focal_gamma) == ("cross_entropy", 2.0)
    assert_same_model(model, quick(loss="cross_entropy", focal_gamma=0.5).fit(*iris))


def test_without_gamma_the_focal_loss_is_cross_entropy(iris, quick, assert_same_model):
    X, y = iris
    how = {"max_iter": 20, "n_iter_no_change": 2, "early_stopping": True, "class_weight": {0: 2.0}}
    one, other = (quick(loss=each, focal_gamma=0.0, **how) for each in ("focal", "cross_entropy"))
    weights = np.linspace(1, 2, len(y))
    assert_same_model(one.fit(X, y, weights), other.fit(X, y, weights))


@pytest.mark.parametrize("gamma", [0.5, 2.0])
@pytest.mark.parametrize("smoothing", [0.0, 0.3])
@pytest.mark.parametrize("class_weight", [None, {0: 3.0, 1: 0.5}])
def test_the_training_loss_by_hand(iris, steady, smoothing, gamma, class_weight):
    # A full batch's loss is met before its step, which a tiny rate hardly changes.
    X, y = iris
    weights = np.linspace(0.5, 1.5, len(y))
    options = {"hidden_layer_sizes": (), "max_iter": 1, "learning_rate_init": 1e-12}
    how = {"label_smoothing": smoothing, "focal_gamma": gamma, "class_weight": class_weight}
    model = steady(loss="focal", alpha=10.0, **how, **options).fit(X, y, weights)
    taught = (1 - smoothing) * np.eye(3)[y] + smoothing / 3
    in_loss = weights * np.array([(class_weight or {}).get(label, 1.0) for label in y])
    losses = focal(model.predict_proba(X), taught, gamma)
    assert model.history_["loss"] == [model.loss_]
    assert model.loss_ == pytest.approx(np.average(losses, weights=in_loss), rel=1e-9)


@pytest.mark.parametrize("gamma", [0.5, 3.0])
def test_the_validation_loss_decides_when_to_stop_and_what_to_keep(iris, single, gamma):
    X, y = iris
    how = {"learning_rate": "constant", "learning_rate_init": 0.2, "n_iter_no_change": 4}
    model = single(loss="focal", focal_gamma=gamma, max_iter=200, tol=0.0, **how)
    weights = np.linspace(1, 2, 120)
    model.fit(X[:30], y[:30], X_val=X[30:], y_val=y[30:], sample_weight_val=weights)
    losses = model.history_["validation_loss"]
    best = int(np.argmin(losses))
    assert model.n_iter_ == len(losses) == best + 1 + 4 < 200
    by_hand = focal(model.predict_proba(X[30:]), np.eye(3)[y[30:]], gamma)
    assert np.average(by_hand, weights=weights) == pytest.approx(losses[best], rel=1e-4)
    right = model.predict(X[30:]) == y[30:]
    assert model.history_["validation_accuracy"][best] == pytest.approx(
        np.average(right, weights=weights)
    )
    assert model.score(X[30:], y[30:]) == np.mean(right)


def test_going_on_with_another_gamma_judges_the_best_epoch_anew(iris, single):
    X, y = iris
    rows = {"X_val": X[100:], "y_val": y[100:]}
    model = single(loss="focal", focal_gamma=4.0, max_iter=5, warm_start=True, tol=0.0)
    model.fit(X[:100], y[:100], **rows)
    model.set_params(focal_gamma=0.0, max_iter=12).fit(X[:100], y[:100], **rows)
    losses = model.history_["validation_loss"]
    assert min(losses[5:]) > min(losses[:5])
    assert model.loss_ == model.history_["loss"][5 + int(np.argmin(losses[5:]))]


@pytest.mark.parametrize("gamma", [0.5, 5.0])
def test_the_temperature_is_that_of_the_log_loss(iris, quick, gamma):
    X, y = iris
    rows, how = {"X_val": X[100:], "y_val": y[100:]}, {"loss": "focal", "focal_gamma": gamma}
    model, plain = (
        quick(n_members=1, max_iter=9, calibrate=calibrate, **how).fit(X[:100], y[:100], **rows)
        for calibrate in (True, False)
    )
    logits = plain.decision_function(X[100:])
    expected = best_temperature([(logits, y[100:], np.ones(50))])
    assert model.temperature_ == pytest.approx(expected, rel=1e-2)
    sharpened = softmax(logits / model.temperature_, axis=1)
    np.testing.assert_allclose(model.predict_proba(X[100:]), sharpened, rtol=1e-4)


def test_focal_probabilities_are_nearer_to_each_other(iris, single):
    options = {"max_iter": 30, "learning_rate_init": 0.02}
    surest = [
        single(loss="focal", focal_gamma=gamma, **options).fit(*iris).predict_proba(iris[0]).max(1)
        for gamma in (0.0, 2.0, 5.0)
    ]
    means = [each.mean() for each in surest]
    assert means[0] > means[1] > means[2]


def test_partial_fit_is_fit_epoch_by_epoch(iris, single, assert_same_model):
    model = single(loss="focal", focal_gamma=0.7, label_smoothing=0.1, max_iter=4)
    assert_same_model(continued(model, *iris, 4), single(**model.get_params()).fit(*iris))


@pytest.mark.parametrize("loss", ["focal", "cross_entropy"])
def test_networks_of_several_gammas_train_side_by_side(iris, quick, assert_as_alone, loss):
    gammas = [0.0, 0.5, 2.0, 5.0]
    models = [quick(loss=loss, focal_gamma=gamma, early_stopping=True) for gamma in gammas]
    assert_as_alone(models, *iris)
    assert len({model.loss_ for model in models}) == (4 if loss == "focal" else 1)


def test_losses_do_not_train_side_by_side_but_in_one_call(iris, quick, assert_as_alone):
    models = [quick(loss=loss) for loss in ("focal", "cross_entropy", "focal")]
    assert_as_alone(models, *iris)


def test_a_search_over_losses_is_that_of_scikit_learn(iris, quick):
    space = [{"loss": ["cross_entropy"]}, {"loss": ["focal"], "focal_gamma": [0.5, 2.0]}]
    how = {"cv": 3, "scoring": ["accuracy", "neg_log_loss"], "refit": "neg_log_loss"}
    theirs = GridSearchCV(quick(), space, **how).fit(*iris)
    spaces = [
        {name: [value] for name, value in each.items()} for each in theirs.cv_results_["params"]
    ]
    mine = CoarseToFineSearchCV(
        quick(), spaces, n_candidates=3, n_rounds=1, random_state=0, **how
    ).fit(*iris)
    for name in ("mean_test_accuracy", "mean_test_neg_log_loss"):
        found, expected = (
            {tuple(sorted(p.items())): s for p, s in zip(r["params"], r[name], strict=True)}
            for r in (mine.cv_results_, theirs.cv_results_)
        )
        assert found == expected
    assert len(set(found.values())) == 3


def test_fit_population_refuses_what_fit_refuses(iris):
    with pytest.raises(ValueError, match="'loss' parameter"):
        fit_population([BNSoftmaxClassifier(loss="hinge")], *iris)
