"""Searches whose candidates have activations and losses that are functions of the user's own."""

import functools
import sqlite3

import matplotlib.pyplot as plt
import numpy as np
import pytest
from search_checks import same_results
from sklearn.base import clone
from sklearn.exceptions import FitFailedWarning
from sklearn.experimental import enable_halving_search_cv  # noqa: F401
from sklearn.model_selection import (
    GridSearchCV,
    HalvingRandomSearchCV,
    RandomizedSearchCV,
    cross_val_score,
)

from skbn import BNSoftmaxClassifier
from skbn.display import SearchDisplay
from skbn.search import CoarseToFineSearchCV, evaluation
from skbn.training import lockstep

pytestmark = pytest.mark.slow

anp = pytest.importorskip("autograd.numpy")


def snake(z):
    return z + np.sin(z) ** 2


def focal(logits, targets, gamma=2):
    p = np.exp(logits - anp.max(logits, axis=1, keepdims=True))
    p = p / p.sum(axis=1, keepdims=True)
    return -(targets * (1 - p) ** gamma * np.log(p + 1e-12)).sum(axis=1)


class Swish:
    def __init__(self, beta):
        self.beta = beta

    def __call__(self, z):
        return z / (1 + np.exp(-self.beta * z))


SPACE = {
    "activation": ["relu", snake, Swish(1.5), lambda z: 0.1 * z + np.tanh(z), np.tanh],
    "loss": ["cross_entropy", focal, functools.partial(focal, gamma=1)],
    "learning_rate_init": [0.003, 0.03],
}
SEARCHES = {
    "grid": lambda **how: GridSearchCV(model(), {"activation": SPACE["activation"]}, **how),
    "random": lambda **how: RandomizedSearchCV(model(), SPACE, n_iter=6, random_state=0, **how),
    "halving": lambda **how: HalvingRandomSearchCV(
        model(), SPACE, resource="max_iter", max_resources=9, random_state=0, **how
    ),
    "coarse to fine": lambda **how: coarse_to_fine(SPACE, n_rounds=2, **how),
    "by epochs": lambda **how: coarse_to_fine(
        SPACE, resource="epochs", min_epochs=1, max_epochs=4, eta=2, **how
    ),
}


def model(**params):
    own = {"max_iter": 3, "n_members": 1, "calibrate": False, "random_state": 0}
    return BNSoftmaxClassifier((8,), **own | params)


def coarse_to_fine(space, estimator=None, **how):
    how = {"n_candidates": 8, "n_rounds": 1, "random_state": 0, "cv": 3, "refit": False} | how
    return CoarseToFineSearchCV(estimator or model(), space, **how)


def test_candidates_have_the_scores_of_fits_alone(iris):
    search = coarse_to_fine(SPACE, scoring="neg_log_loss").fit(*iris)
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        alone = clone(model()).set_params(**params)
        assert score == np.mean(cross_val_score(alone, *iris, cv=3, scoring="neg_log_loss"))
    assert len({repr(params["activation"]) for params in search.cv_results_["params"]}) > 2


@pytest.mark.parametrize("kind", SEARCHES)
def test_workers_find_the_same(kind, iris):
    searches = [SEARCHES[kind](n_jobs=n_jobs, cv=2).fit(*iris) for n_jobs in (1, 2)]
    same_results(*searches)


@pytest.mark.parametrize(
    "own",
    [
        {"activation": functools.partial(Swish(1.5))},
        {"activation": Swish(1.5), "loss": functools.partial(focal, gamma=1)},
    ],
    ids=["a partial", "objects"],
)
def test_candidates_with_copies_of_a_function_train_together(own, iris, monkeypatch):
    sizes = []

    class Noting(lockstep._Population):
        def __init__(self, tasks):
            sizes.append(len(tasks))
            super().__init__(tasks)

    monkeypatch.setattr(lockstep, "_Population", Noting)
    rates = {"learning_rate_init": [0.001, 0.003, 0.01, 0.03]}
    coarse_to_fine(rates, model(**own), n_candidates=4).fit(*iris)
    assert sizes == [12]


# One that fails.


def raises(z):
    raise ZeroDivisionError("of no use")


def raises_when_trained(z):
    if len(z) == 25:  # rows of a mini-batch
        raise KeyError("of no use")
    return np.tanh(z)


def of_another_shape(z):
    return z.sum(axis=1)


def assigned(z):
    out = np.zeros(z.shape)
    out[:] = z
    return out


def without_derivative(z):
    return np.where(z > 0, z, 0)


def of_one_number(logits, targets):
    return ((logits - targets) ** 2).sum()


def nan_when_trained(logits, targets):
    return anp.where(logits < -20, np.nan, logits - targets).sum(axis=1)


FAILING = {
    "raises": ("activation", raises, "ZeroDivisionError: of no use"),
    "raises when trained": ("activation", raises_when_trained, "KeyError: 'of no use'"),
    "another shape": ("activation", of_another_shape, "activation=of_another_shape must give"),
    "assigned": ("activation", assigned, "autograd cannot differentiate activation=assigned"),
    "no derivative": ("activation", without_derivative, "`import autograd.numpy as np`"),
    "one number": ("loss", of_one_number, "loss=of_one_number must give a loss for each row"),
    "NaN": ("loss", nan_when_trained, "of loss=nan_when_trained that is not finite"),
}


@pytest.mark.parametrize("kind", [GridSearchCV, coarse_to_fine], ids=["grid", "coarse to fine"])
@pytest.mark.parametrize("failing", FAILING)
def test_a_function_that_fails_costs_its_candidate_its_score_alone(failing, kind, iris):
    parameter, function, words = FAILING[failing]
    own = {"n_jobs": 1, "cv": 3}
    space = {
        parameter: [model().get_params()[parameter], function, [snake, focal][parameter == "loss"]]
    }
    estimator = model(max_iter=40, learning_rate_init=0.1, batch_size=33)
    if kind is GridSearchCV:
        search = GridSearchCV(estimator, space, **own)
    else:
        search = coarse_to_fine(space, estimator, n_candidates=3, **own)
    with pytest.warns(Warning, match=r"fits failed|non-finite") as caught:
        search.fit(*iris)
    texts = [str(each.message) for each in caught if each.category is FitFailedWarning]
    assert len(texts) == 1
    assert "3 fits failed out of a total of 9" in texts[0]
    assert words in texts[0]
    for params, score in zip(
        search.cv_results_["params"], search.cv_results_["mean_test_score"], strict=True
    ):
        assert np.isnan(score) == (params[parameter] is function)


# Journals.


def defined(code):
    """A function ``f`` as another process, or another cell, defines it."""
    names = {"np": np, "functools": functools, "__name__": "__main__"}
    exec(code, names)
    return names["f"]


LOSS = "f = lambda z, y, scale={}: scale * ((z - y) ** 2).sum(axis=1)"
SWISH = """
class Swish:
    def __init__(self, beta): self.beta = beta
    def __call__(self, z): return z / (1 + np.exp(-self.beta * z)) {}
f = Swish({})
"""
DEFINED = {
    "code": ("activation", "def f(z): return z + np.tanh(z)", "def f(z): return z - np.tanh(z)"),
    "a lambda": ("activation", "f = lambda z: np.tanh(z)", "f = lambda z: np.tanh(2 * z)"),
    "a global": ("activation", "s = 1\ndef f(z): return z * s", "s = 2\ndef f(z): return z * s"),
    "a default": ("loss", LOSS.format(1), LOSS.format(2)),
    "a partial": (
        "loss",
        LOSS.format(1) + "\nf = functools.partial(f, scale=1)",
        LOSS.format(1) + "\nf = functools.partial(f, scale=2)",
    ),
    "an object": ("activation", SWISH.format("", 1), SWISH.format("", 2)),
    "a method": ("activation", SWISH.format("", 1), SWISH.format("+ z", 1)),
}


@pytest.mark.parametrize("place", ["the estimator", "the choices"])
@pytest.mark.parametrize("change", DEFINED)
def test_a_journal_knows_functions_by_their_code(change, place, iris, tmp_path, monkeypatch):
    parameter, code, other_code = DEFINED[change]

    def search(code):
        function, estimator, space = defined(code), model(), {"alpha": [0.0, 0.01, 0.02, 0.03]}
        if place == "the estimator":
            estimator.set_params(**{parameter: function})
        else:
            space[parameter] = [getattr(estimator, parameter), function]
        path = tmp_path / "search.sqlite"
        return coarse_to_fine(space, estimator, n_candidates=4, cv=2, journal=path)

    first = search(code).fit(*iris)
    monkeypatch.setattr(evaluation, "train_assignments", None)  # nothing is trained any more
    again = search("\n\n# further down\n" + code).fit(*iris)
    for name in ("mean_test_score", "round"):
        np.testing.assert_array_equal(again.cv_results_[name], first.cv_results_[name])
    with pytest.raises(ValueError, match=rf"belongs to a search with another .*{parameter}"):
        search(other_code).fit(*iris)
    database = sqlite3.connect(tmp_path / "search.sqlite")
    texts = [row[0] for row in database.execute("SELECT params FROM candidates")]
    database.close()
    assert not [text for text in texts if " at 0x" in text]


def test_pictures_name_functions(iris):
    space = SPACE | {"activation": [*SPACE["activation"], [snake]]}
    search = coarse_to_fine(space, n_candidates=12).fit(*iris)
    figure = SearchDisplay.from_search(search).plot().figure_
    texts = {text.get_text() for text in figure.findobj(plt.Text)}
    plt.close(figure)
    assert {"relu", "snake", "Swish", "<lambda>", "focal", "partial(focal, …", "[snake]"} <= texts
