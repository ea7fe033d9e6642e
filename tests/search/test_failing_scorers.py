"""A search none of whose candidates has a score stops after the first round, and says why."""

import warnings

import numpy as np
import pytest
from halving_checks import DIVERGING
from hill import Hill, X, Y, make
from sklearn.linear_model import SGDClassifier
from sklearn.model_selection import KFold
from sklearn.tree import DecisionTreeClassifier

from skbn.search import CoarseToFineSearchCV

pytestmark = pytest.mark.slow

LABELS = np.array(["no", "yes"])[Y]
SEVERAL = {"accuracy": "accuracy", "f1": "f1"}


def no_score(estimator, X, y):
    return np.nan


def no_scores(estimator, X, y):
    return {"a": np.nan, "b": 1.0}


def failing(estimator, X, y):
    raise RuntimeError("this scorer wants something else")


def quietly(search, method="fit", X=X, y=LABELS):
    """Call a method, without the warnings of scikit-learn for each of the scores."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return getattr(search, method)(X, y)


def search_of(model, **options):
    options = {"n_candidates": 6, "n_rounds": 2, "cv": 2, "random_state": 0} | options
    space = {"random_state": list(range(20)), **options.pop("space", {})}
    return CoarseToFineSearchCV(model, space, **options)


SCORINGS = [
    ({"scoring": "f1"}, "pos_label=1 is not a valid label"),
    ({"scoring": SEVERAL, "refit": "f1"}, "pos_label=1 is not a valid label"),
    ({"scoring": {"f1": "f1", "accuracy": "accuracy"}, "refit": False}, "pos_label=1 is not a"),
    ({"scoring": failing}, "RuntimeError: this scorer wants something else"),
    ({"scoring": no_score}, "6 scores are nan, though nothing failed"),
    ({"scoring": no_score, "error_score": "raise"}, "6 scores are nan, though nothing failed"),
    ({"scoring": no_scores, "refit": "a"}, "6 scores are nan, though nothing failed"),
]


@pytest.mark.parametrize(("options", "message"), SCORINGS)
@pytest.mark.parametrize(
    "kind", ["network", "network by epochs", "tree", "linear by epochs", "network of its own"]
)
def test_it_stops_with_the_scorers_own_message(quick, kind, options, message):
    models = {"tree": DecisionTreeClassifier(), "linear by epochs": SGDClassifier(max_iter=4)}
    model = models.get(kind, quick(max_iter=4))
    if kind == "network of its own":  # fitted by scikit-learn
        model = type("Own", (type(model),), {"score": lambda self, *args: 1.0})(
            **model.get_params()
        )
    if "epochs" in kind:
        options = options | {"resource": "epochs", "min_epochs": 1}
    with pytest.raises(ValueError, match=rf"(?s)No candidate of the first round.*{message}"):
        quietly(search_of(model, **options))


@pytest.mark.parametrize("resource", [None, "epochs"])
def test_an_error_score_that_is_a_number_is_a_score(quick, resource):
    options = {"scoring": failing, "error_score": 0.5, "resource": resource}
    search = quietly(search_of(quick(max_iter=4), **options))
    assert (search.cv_results_["mean_test_score"] == 0.5).all()


def test_workers_and_a_journal_keep_the_message(tmp_path):
    search = make(scoring="f1", n_jobs=2, journal=tmp_path / "search.sqlite")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"(?s)No candidate.*pos_label=1 is not a valid"):
            quietly(search)
    search = make(scoring=SEVERAL, refit="f1", journal=tmp_path / "several.sqlite")
    for _ in range(2):
        with pytest.raises(ValueError, match=r"(?s)No candidate.*pos_label=1 is not a valid"):
            quietly(search)


def test_what_was_fitted_before_is_kept():
    search = make(n_candidates=6, n_rounds=2).fit(X, Y)
    search.set_params(scoring=no_score)
    before = dict(vars(search))
    for method in "fit", "retune":
        with pytest.raises(ValueError, match="No candidate of the first round"):
            quietly(search, method)
        assert vars(search) == before


def test_failed_fits_and_failed_scores_are_told_apart(quick):
    space = {"learning_rate_init": [DIVERGING, 0.01]}
    search = search_of(quick(), scoring=failing, space=space, n_candidates=8)
    with pytest.raises(ValueError, match="No candidate of the first round") as raised:
        quietly(search)
    assert "fits failed with the following error:\nTraceback" in str(raised.value)
    assert "scores failed with the following error:\nTraceback" in str(raised.value)


class Choosy(Hill):
    """Cannot be fitted to the first rows."""

    def fit(self, X, y):
        if X[0, 0] == 0:
            raise RuntimeError("these rows are not for me")
        return super().fit(X, y)


def score_of_few_rows(estimator, X, y):
    return np.nan if X[0, 0] == 0 else 1.0


@pytest.mark.parametrize(
    ("model", "options", "message"),
    [
        (Hill(), {"scoring": score_of_few_rows}, "12 scores are nan"),
        (Choosy(), {}, "12 fits failed with the following error:.*these rows are not for me"),
    ],
)
def test_a_split_without_scores_leaves_no_candidate_with_one(model, options, message):
    search = make(cv=KFold(2), **options).set_params(estimator=model)
    with pytest.raises(ValueError, match=f"(?s)No candidate of the first round.*{message}"):
        quietly(search)
    # Of a single round what there is may be looked at, as in scikit-learn.
    single = quietly(search.set_params(n_rounds=1, n_candidates=3, refit=False))
    scores = [single.cv_results_[f"split{k}_test_score"] for k in range(2)]
    assert np.isnan(scores).sum() == np.isfinite(scores).sum() == 3
    with pytest.raises(ValueError, match="No candidate of the first round"):
        quietly(single, "extend")
    quietly(single.set_params(cv=KFold(3)), "retune")


def scores_of_few(estimator, X, y):
    if estimator.random_state:
        raise RuntimeError("this scorer wants something else")
    return 1.0


@pytest.mark.parametrize("options", [{"scoring": scores_of_few}, {"scoring": SEVERAL}])
def test_one_score_is_enough_and_one_that_does_not_lead_may_fail(options):
    refit = options["scoring"] is scores_of_few or "accuracy"
    model = DecisionTreeClassifier()
    search = search_of(model, **options, refit=refit, n_candidates=20, n_rounds=1)
    assert quietly(search).best_score_ == 1 or refit == "accuracy"
