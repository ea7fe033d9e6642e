"""The choice between adaptations by a few labels, against figures of scikit-learn and scipy."""

import pickle
import re

import numpy as np
import pandas as pd
import pytest
from scipy.stats import ttest_rel
from sklearn.ensemble import RandomForestClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression, RidgeClassifier
from sklearn.metrics import log_loss
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier
from skbn.drift import AdaptationChoice, adapt, choose_adaptation

pytestmark = pytest.mark.slow

LABELS = np.array(["bird", "cat", "dog"])
OLD, NEW = [0.4, 0.3, 0.3], [0.05, 0.15, 0.8]


def drawn(prior, n_rows, seed, scale=1.0):
    stream = np.random.default_rng(seed)
    codes = stream.choice(3, n_rows, p=prior)
    centres = np.array([[0, 0, 0], [1.5, 0, 0], [0, 1.5, 0]])
    X = scale * (centres[codes] + stream.normal(size=(n_rows, 3)))
    return pd.DataFrame(X, columns=["a", "b", "c"]), LABELS[codes]


X, Y = drawn(OLD, 800, 0)
SHARES = pd.Series(Y).value_counts(normalize=True)


@pytest.fixture(scope="module")
def model():
    network = BNSoftmaxClassifier((8,), max_iter=10, learning_rate_init=0.02, random_state=0)
    return make_pipeline(StandardScaler(), network).fit(X, Y)


def cases(prior, scale=1.0, n_few=100, seed=1):
    """New rows, a few labelled ones, and their labels."""
    X_new, _ = drawn(prior, 600, seed, scale)
    return X_new, *drawn(prior, n_few, seed + 1, scale)


@pytest.mark.parametrize(
    ("name", "prior", "scale"),
    [("covariate", OLD, 4.0), ("label", NEW, 1.0), ("frozen", OLD, 1.0)],
)
def test_labels_tell_which_shift_it_is(model, name, prior, scale):
    X_new, X_few, y_few = cases(prior, scale)
    before = pickle.dumps(model)
    choice = choose_adaptation(model, X_new, X_few, y_few)
    assert isinstance(choice, AdaptationChoice)
    assert choice.name == name
    expected = model if name == "frozen" else adapt(model, X_new, shift=name)
    np.testing.assert_array_equal(choice.model.predict_proba(X_few), expected.predict_proba(X_few))
    assert (choice.model is model) == (name == "frozen")
    assert choice.table.index[choice.table["chosen"]].tolist() == [name]
    assert pickle.dumps(model) == before


@pytest.mark.parametrize("level", [0.5, 0.8, 0.95])
def test_table_holds_paired_differences_with_intervals(model, level):
    X_new, X_few, y_few = cases(NEW, 2.0)
    choice = choose_adaptation(model, X_new, X_few, y_few, level=level)
    covariate = adapt(model, X_new)
    arms = {
        "frozen": model,
        "covariate": covariate,
        "label": adapt(model, X_new, shift="label"),
        "both": adapt(covariate, X_new, shift="label"),
    }
    assert choice.table.index.tolist() == list(arms)
    losses = {}
    for name, arm in arms.items():
        row, probabilities = choice.table.loc[name], arm.predict_proba(X_few)
        of_labels = [p[y == LABELS][0] for p, y in zip(probabilities, y_few, strict=True)]
        losses[name] = -np.log(np.maximum(of_labels, 1e-4))
        np.testing.assert_allclose(row["log_loss"], losses[name].mean(), rtol=1e-9)
        np.testing.assert_allclose(row["accuracy"], arm.score(X_few, y_few))
        if name == "frozen":
            np.testing.assert_allclose(row["log_loss"], log_loss(y_few, probabilities), rtol=1e-6)
            assert row["difference"] == row["low"] == row["high"] == 0
            continue
        interval = ttest_rel(losses[name], losses["frozen"]).confidence_interval(level)
        np.testing.assert_allclose(row[["low", "high"]].astype(float), interval, rtol=1e-6)
        np.testing.assert_allclose(row["difference"], np.mean(interval), rtol=1e-6)
    better = choice.table[choice.table["high"] < 0]
    assert choice.name == (better["log_loss"].idxmin() if len(better) else "frozen")


def test_few_labels_do_not_tell(model):
    X_new, X_few, y_few = cases(NEW)
    choices = {n: choose_adaptation(model, X_new, X_few[:n], y_few[:n]) for n in (1, 2, 4, 6)}
    for n, choice in choices.items():
        assert choice.name == "frozen"
        assert choice.model is model
        labels = f"on {n} labelled row{'s' * (n > 1)} "
        assert choice.reason.startswith(f"not enough labels to tell: {labels}")
        assert choice.reason in repr(choice)
        assert (choice.table["log_loss"] > 0).all()
    assert np.isinf(choices[4].table.loc["label", ["low", "high"]].astype(float)).all()
    by_least_loss = choose_adaptation(model, X_new, X_few[:8], y_few[:8], level=0)
    assert by_least_loss.name == by_least_loss.table["log_loss"].idxmin()


def test_words_say_why(model):
    chosen = choose_adaptation(model, *cases(OLD, 4.0))
    figures = r"on 100 labelled rows the log-loss of 'covariate' is \d\.\d{3} lower than that of"
    assert re.match(figures, chosen.reason)
    assert repr(chosen).startswith("AdaptationChoice: covariate\non 100 labelled rows")
    _, X_few, y_few = cases(OLD)
    X_other, _ = drawn(NEW, 600, 5, 3.0)  # unlike the labelled rows
    worse = choose_adaptation(model, X_other, X_few, y_few)
    assert worse.reason.startswith("no adaptation is better: on 100 labelled rows")


@pytest.mark.parametrize("seed", range(8))
def test_words_are_of_an_arm_that_decides(seed):
    X_new, X_few, y_few = cases(NEW, 1.0, 100, 2 * seed + 1)
    two = BNSoftmaxClassifier((8,), max_iter=10, learning_rate_init=0.02, random_state=0)
    choice = choose_adaptation(two.fit(X, Y == "cat"), X_new, X_few, y_few == "cat")
    low, high = map(float, re.search(r"from (\S+) to (\S+)$", choice.reason).groups())
    if choice.reason.startswith("not enough labels"):
        assert low <= 0 <= high
    else:
        assert (high < 0) == (choice.name != "frozen")
        assert low * high > 0


def test_one_row_does_not_outweigh_all_others(model):
    X_new, X_few, y_few = cases(OLD, 4.0)
    far = X_few.copy()
    far.iloc[0] *= 1000
    choice = choose_adaptation(model, X_new, far, y_few)
    assert choice.table["log_loss"].max() < 10
    assert choice.name == "covariate"


def test_arms_that_cannot_be_made_are_left_out():
    forest = RandomForestClassifier(20, min_samples_leaf=10, random_state=0).fit(X, Y)
    X_new, X_few, y_few = cases(NEW)
    choice = choose_adaptation(forest, X_new, X_few, y_few)
    assert choice.table.index.tolist() == ["frozen"]
    assert choice.reason == "no adaptation can be made"
    assert choice.left_out.keys() == {"covariate", "label", "both"}
    assert "class_prior must be given" in choice.left_out["label"]
    assert choice.left_out["both"] == "covariate and label could not be made"
    assert "label was left out: class_prior must be given" in repr(choice)
    choice = choose_adaptation(forest, X_new, X_few, y_few, class_prior=SHARES)
    assert choice.table.index.tolist() == ["frozen", "label"]
    assert choice.name == "label"
    scaled = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    choice = choose_adaptation(scaled, *cases(OLD, 4.0))
    assert choice.table.index.tolist() == ["frozen", "covariate"]
    assert choice.name == "covariate"
    choice = choose_adaptation(scaled, *cases(OLD, 4.0), class_prior=SHARES)
    assert choice.table.index.tolist() == ["frozen", "covariate", "label", "both"]


def test_few_rows_to_adapt_to_are_no_matter_for_warnings(model):
    X_new, X_few, y_few = cases(NEW)
    assert len(choose_adaptation(model, X_new[:20], X_few, y_few).table) == 4


@pytest.mark.parametrize(
    "form", [list, np.array, pd.Series, lambda y: pd.Series(y, dtype="category")]
)
def test_labels_come_in_any_form(model, form):
    X_new, X_few, y_few = cases(NEW)
    choice = choose_adaptation(model, X_new, X_few, form(y_few))
    pd.testing.assert_frame_equal(choice.table, choose_adaptation(model, X_new, X_few, y_few).table)


@pytest.mark.parametrize(
    ("n_rows", "labels", "options", "message"),
    [
        (
            3,
            ["cat", "dog", "cow"],
            {},
            "y_few contains labels that are not among the classes: ['cow']",
        ),
        (3, ["cat", "dog", None], {}, "y_few contains NaN"),
        (3, ["cat", "dog"], {}, "X_few has 3 rows and y_few 2 labels"),
        (3, None, {}, "y_few must hold a label for each row"),
        (0, np.array([], dtype=object), {}, "X_few has no rows"),
        (3, ["cat", "dog", "cat"], {"level": 1}, "level must be a number in [0, 1), got 1"),
        (3, ["cat", "dog", "cat"], {"level": "80%"}, "level must be a number in [0, 1)"),
        (3, ["cat", "dog", "cat"], {"class_prior": [0.5, 0.5]}, "class_prior must hold one prior"),
        (3, ["cat", "dog", "cat"], {"class_prior": "equal"}, 'class_prior must be "auto"'),
        (3, ["cat", "dog", "cat"], {"prior_rows": -1}, "prior_rows must be"),
    ],
)
def test_errors(model, n_rows, labels, options, message):
    X_new, X_few, _ = cases(OLD)
    with pytest.raises(ValueError, match=re.escape(message)):
        choose_adaptation(model, X_new, X_few[:n_rows], labels, **options)


def test_rows_of_other_columns_are_an_error_and_no_arm_left_out(model):
    X_new, X_few, y_few = cases(OLD)
    for new, few in ((X_new[["a", "b"]], X_few), (X_new, X_few[["a", "b"]])):
        with pytest.raises(ValueError, match="feature names should match"):
            choose_adaptation(model, new, few, y_few)
    with pytest.raises(TypeError, match="RidgeClassifier has no predict_proba"):
        choose_adaptation(RidgeClassifier().fit(X, Y), X_new, X_few, y_few)
    with pytest.raises(NotFittedError):
        choose_adaptation(BNSoftmaxClassifier(), X_new, X_few, y_few)


def test_choice_travels(model):
    choice = choose_adaptation(model, *cases(OLD, 4.0))
    loaded = pickle.loads(pickle.dumps(choice))
    assert repr(loaded) == repr(choice)
    np.testing.assert_array_equal(loaded.model.predict(X), choice.model.predict(X))
