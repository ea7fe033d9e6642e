"""Splits are checked before anything is fitted, and kept for extend."""

import pickle
from functools import partial

import numpy as np
import pytest
from hill import Hill, X, Y, make
from search_checks import same_results
from sklearn.model_selection import KFold, ShuffleSplit, StratifiedKFold, cross_val_score

small = partial(make, n_candidates=4, n_rounds=2)
FIRST, LAST = np.arange(6), np.arange(6, 12)
MASK = np.arange(12) < 6


class Splitter:
    """Gives what it is told to, and says how many it gives."""

    def __init__(self, pairs, n_splits=None):
        self.pairs, self.n_splits = pairs, len(pairs) if n_splits is None else n_splits

    def split(self, X, y=None, groups=None):
        yield from self.pairs

    def get_n_splits(self, X=None, y=None, groups=None):
        return self.n_splits


WRONG = [
    ([], "cv gives no splits"),
    ([FIRST, LAST], "split 0 of cv must be a pair"),
    ([(FIRST, LAST, LAST)], "split 0 of cv must be a pair"),
    ([(FIRST, LAST), (FIRST,)], "split 1 of cv must be a pair"),
    ([3, 4], "split 0 of cv must be a pair.*got 3"),
    ([None], "split 0 of cv must be a pair.*got None"),
    ([(FIRST, LAST), ([], LAST)], "the rows to train on of split 1 of cv are none"),
    ([(FIRST, np.array([]))], "the rows to test on of split 0 of cv are none"),
    ([(~MASK & MASK, MASK)], "the rows to train on of split 0 of cv are none"),
    ([(slice(0, 6), LAST)], "positions from 0 to 11"),
    ([(FIRST, [12])], "the rows to test on of split 0 of cv must be positions from 0 to 11"),
    ([([-13], LAST)], "positions from 0 to 11"),
    ([(FIRST, MASK[:5])], "or a mask of 12 booleans"),
    ([(FIRST, LAST / 2)], "positions from 0 to 11"),
    ([(FIRST, ["a", "b"])], "positions from 0 to 11"),
    ([(FIRST[:, None], LAST)], "one-dimensional"),
    ([(3, LAST)], "one-dimensional"),
    ([([[0, 1], [2]], LAST)], "positions from 0 to 11"),
]


@pytest.mark.parametrize(("pairs", "message"), WRONG)
@pytest.mark.parametrize("wrap", [lambda pairs: pairs, Splitter], ids=["pairs", "splitter"])
def test_wrong_splits_are_refused_before_any_fit(pairs, message, wrap):
    search = small(error_score="raise", cv=wrap(pairs)).set_params(estimator=Hill(fails=True))
    with pytest.raises(ValueError, match=message):
        search.fit(X, Y)
    assert not hasattr(search, "cv_results_")


def test_a_splitter_that_does_not_know_how_many_it_gives():
    pairs = [(FIRST, LAST), (LAST, FIRST)]
    with pytest.raises(ValueError, match="cv gives 2 splits, but its get_n_splits says 3"):
        small(cv=Splitter(pairs, n_splits=3)).fit(X, Y)
    same_results(small(cv=Splitter(pairs)).fit(X, Y), small(cv=pairs).fit(X, Y))


class Counted(Hill):
    """Scores the rows that it meets."""

    def fit(self, X, y):
        self.sum_ = X[:, 0].sum()
        return super().fit(X, y)

    def score(self, X, y):
        return super().score(X, y) + self.sum_ / 100 + X[:, 0].sum()


@pytest.mark.parametrize(
    "cv",
    [
        [(MASK, ~MASK), (~MASK, MASK)],
        [(MASK.tolist(), LAST.tolist())],
        [([-1, -2, 0, 0], [0, -3])],
        ((each, each) for each in [FIRST]),
        iter([[FIRST, LAST]]),
        np.array([[FIRST, LAST]]),
    ],
)
def test_rows_are_given_as_scikit_learn_takes_them(cv):
    pairs = list(cv)
    search = small(cv=iter(pairs)).set_params(estimator=Counted()).fit(X, Y)
    for i, params in enumerate(search.cv_results_["params"]):
        expected = cross_val_score(Counted(**params), X, Y, cv=iter(pairs))
        scores = [search.cv_results_[f"split{k}_test_score"][i] for k in range(len(pairs))]
        assert scores == expected.tolist()


def test_a_generator_is_kept_for_extend_but_used_up_for_fit_and_retune():
    pairs = list(StratifiedKFold(2).split(X, Y))
    search = small(cv=iter(pairs)).fit(X, Y)
    same_results(search.extend(X, Y), small(cv=pairs).fit(X, Y).extend(X, Y))
    before = dict(vars(search))
    for method in search.fit, search.retune:
        with pytest.raises(ValueError, match=r"used up before\. Give cv=list\(\.\.\.\)"):
            method(X, Y)
        assert vars(search) == before
    same_results(search.set_params(cv=pairs).fit(X, Y), small(cv=pairs).fit(X, Y))


def test_an_iterator_that_was_used_up_elsewhere():
    with pytest.raises(ValueError, match=r"used up before\. Give cv=list\(\.\.\.\)"):
        small(cv=(pair for pair in ())).fit(X, Y)


def test_what_is_left_of_a_generator_is_what_it_gives():
    generator = KFold(3).split(X)
    next(generator)
    assert small(cv=generator).fit(X, Y).n_splits_ == 2


def test_splits_that_are_shuffled_without_a_seed_are_kept_for_extend():
    shuffled = ShuffleSplit(2, test_size=0.5)
    search = small(cv=shuffled).set_params(estimator=Counted()).fit(X, Y)
    scores = search.cv_results_["split0_test_score"]
    again = pickle.loads(pickle.dumps(search))
    for each in search, again:
        np.testing.assert_array_equal(
            each.extend(X, Y).cv_results_["split0_test_score"][:4], scores
        )
    with pytest.raises(ValueError, match="splits changed since"):
        search.set_params(cv=ShuffleSplit(2, test_size=0.5)).extend(X, Y)
    with pytest.raises(ValueError, match="data changed since"):
        again.extend(X[:10], Y[:10])


def test_a_journal_goes_on_with_a_generator_of_the_same_splits(tmp_path):
    def search(pairs):
        return small(cv=iter(pairs), journal=tmp_path / "search.sqlite")

    pairs = list(KFold(2).split(X))
    first = search(pairs).fit(X, Y)
    same_results(search(pairs).fit(X, Y), first)
    with pytest.raises(ValueError, match="other splits"):
        search(pairs[::-1]).fit(X, Y)
