"""A study decides who trains further, who is best, and what is left to do."""

import numpy as np
import pytest

from skbn.search.study import Study, Trial


def make(scores, n_splits=1, round=0, **options):
    """A study of trials with these scores on their rungs; a list has one score a split."""
    study = Study(0, n_splits, bounds=[np.zeros((1, 2))], **({"n_rungs": 3, "eta": 2} | options))
    for number, rungs in enumerate(scores):
        trial = Trial(round, "global", np.array([float(number)]))
        for rung, found in enumerate(rungs):
            found = found if isinstance(found, list) else [found] * n_splits
            for split, score in enumerate(found):
                if score is not None:
                    trial.add(rung, split, result(score, rung + 1 == study.n_rungs))
        study.trials.append(trial)
    return study


def result(score, ended=False, seconds=1.0):
    return {
        "test_scores": score,
        "ended": ended,
        "fit_time": seconds,
        "score_time": 2 * seconds,
        "n_epochs": 1,
        "fit_error": None,
    }


def numbers(trials):
    return [int(trial.unit[0]) for trial in trials]


def test_all_begin_and_one_in_eta_is_promoted():
    study = make([[0.1], [0.4], [0.2], [0.5], [0.3]])
    assert numbers(study.promoted(0, 0)) == [0, 1, 2, 3, 4]
    assert numbers(study.promoted(0, 1)) == [3, 1, 4]
    assert study.promoted(0, 2) == []
    assert study.promoted(1, 0) == []


def test_the_next_rung_takes_the_best_on_the_one_before():
    study = make([[0.9, 0.1], [0.8, 0.3], [0.7, 0.2], [0.1], [0.0]])
    assert numbers(study.promoted(0, 2)) == [1, 2]
    study = make([[0.9, 0.1], [0.8], [0.7, 0.2], [0.1], [0.0]])
    assert numbers(study.promoted(0, 2)) == [2, 0]


def test_of_equals_the_first_is_promoted():
    assert numbers(make([[0.5], [0.5], [0.5], [0.5]]).promoted(0, 1)) == [0, 1]


def test_eta_decides_how_many():
    scores = [[s] for s in range(10)]
    for eta, n in ((2, 5), (3, 4), (4, 3), (10, 1), (11, 1)):
        assert numbers(make(scores, eta=eta).promoted(0, 1)) == list(range(9, 9 - n, -1))


def test_trials_without_a_finite_score_are_not_promoted():
    assert numbers(make([[np.nan], [0.1], [-np.inf], [np.nan]]).promoted(0, 1)) == [1]
    assert make([[np.nan], [np.nan]]).promoted(0, 1) == []


def test_trials_that_are_not_done_on_all_splits_are_not_promoted():
    study = make([[[0.9, None]], [[0.1, 0.2]], [[0.2, 0.3]]], n_splits=2)
    assert numbers(study.promoted(0, 1)) == [2, 1]


def test_missing_results_on_each_rung():
    study = make([[[0.9, 0.8], [0.7, None]], [[0.1, None]], [[0.2, 0.1]]], n_splits=2)
    missing = [(int(trial.unit[0]), split) for trial, split in study.missing(0, 0)]
    assert missing == [(1, 1)]
    missing = [(int(trial.unit[0]), split) for trial, split in study.missing(0, 1)]
    assert missing == [(0, 1), (2, 0), (2, 1)]


def test_a_round_is_complete_with_its_last_rung():
    whole = make([[0.9, 0.8, 0.7], [0.1], [0.2, 0.1]])
    assert whole.n_complete_rounds() == 1
    assert make([[0.9, 0.8], [0.1], [0.2, 0.1]]).n_complete_rounds() == 0
    assert make([[0.9], [0.1], [0.2]]).n_complete_rounds() == 0
    assert make([[0.9], [0.1], [0.2]], n_rungs=1).n_complete_rounds() == 1
    assert make([[np.nan], [np.nan]]).n_complete_rounds() == 1
    whole.bounds.append(whole.bounds[0])
    whole.trials.append(Trial(1, "local", np.array([9.0])))
    assert whole.n_complete_rounds() == 1


def test_whole_rungs_are_counted_from_the_first():
    study = make([[[1.0, 1.0], [1.0, None]], [[1.0, None], [1.0, 1.0]], []], n_splits=2)
    assert [study.n_rungs_done(trial) for trial in study.trials] == [1, 0, 0]
    assert numbers(study.complete()) == [0]


def test_trials_trained_to_the_end_came_furthest():
    study = make([[0.9, 0.8], [0.5, 0.4, 0.3], [1.0]])
    assert [study.progress(trial) for trial in study.trials] == [2, np.inf, 1]
    assert numbers(study.furthest()) == [1]
    assert numbers(make([[0.9, 0.8], [0.1], [0.7, 0.5]]).furthest()) == [0, 2]
    assert make([[], []]).furthest() == []


def test_a_trial_that_ended_early_came_furthest_where_it_stands():
    study = make([[0.9], [0.5, 0.4, 0.3], [1.0]])
    study.trials[0].on(0)[0]["ended"] = True
    assert numbers(study.furthest()) == [0, 1]


def test_results_that_do_not_tell_have_ended():
    study = make([[0.9], [0.5]], n_rungs=1)
    for trial in study.trials:
        del trial.on(0)[0]["ended"]
    assert numbers(study.furthest()) == [0, 1]


@pytest.mark.parametrize("ended", [False, True])
def test_a_trial_without_a_score_on_its_last_rung_is_behind_all_others(ended):
    study = make([[0.9, np.nan], [0.5], [0.4]])
    study.trials[0].on(1)[0]["ended"] = ended
    assert numbers(study.furthest()) == [1, 2]
    assert study.progress(study.trials[0]) == 0
    assert numbers(make([[np.nan], [np.nan]]).furthest()) == [0, 1]
    dicts = make([[{"a": 1.0, "b": np.nan}], [{"a": np.nan, "b": 1.0}]])
    assert numbers(dicts.furthest()) == [0]
    dicts.leader = "b"
    assert numbers(dicts.furthest()) == [1]


def test_trials_that_are_not_promoted_are_ranked_by_estimates():
    # From the first rung to the second 0.2, 0.3 and 0.7 are gained, from there 0.1.
    study = make([[0.5, 0.7, 0.8], [0.3, 0.6, 0.7], [-0.2, 0.5], [0.35], [0.25], [np.nan]])
    ranked = study.ranked()
    assert numbers(trial for _, trial in ranked) == [0, 3, 1, 4, 2]
    np.testing.assert_allclose([score for score, _ in ranked], [0.8, 0.75, 0.7, 0.65, 0.6])


def test_where_nobody_went_on_nothing_is_gained():
    ranked = make([[0.5], [0.7], [0.6]]).ranked()
    assert [score for score, _ in ranked] == [0.7, 0.6, 0.5]
    ranked = make([[0.5, np.nan], [0.7]]).ranked()
    assert [(score, int(trial.unit[0])) for score, trial in ranked] == [(0.7, 1)]


def test_a_trial_that_ended_early_gains_nothing_more():
    study = make([[0.5, 0.7, 0.8], [0.6]])
    study.trials[1].on(0)[0]["ended"] = True
    assert [score for score, _ in study.ranked()] == [0.8, 0.6]


def test_gains_are_those_of_the_score_that_leads():
    scores = [[{"a": 0.0, "b": 3.0}, {"a": 1.0, "b": 1.0}], [{"a": -1.0, "b": 2.5}]]
    first, second = make(scores, n_rungs=2), make(scores, n_rungs=2, leader="b")
    assert first.metric == "a"
    assert [score for score, _ in first.ranked()] == [1.0, 0.0]
    assert second.metric == "b"
    assert [score for score, _ in second.ranked()] == [1.0, 0.5]
    assert numbers(make(scores, leader="b").promoted(0, 1)) == [0]


def test_the_last_results_are_those_of_the_highest_rung_and_times_add_up():
    study = make([[[0.1, 0.2], [0.3, 0.4], [0.5, None]]], n_splits=2)
    study.trials[0].on(1)[1]["fit_time"] = 5.0
    last = study.last_results(study.trials[0])
    assert [each["test_scores"] for each in last] == [0.3, 0.4]
    assert [each["fit_time"] for each in last] == [2.0, 6.0]
    assert [each["score_time"] for each in last] == [4.0, 4.0]
    assert study.trials[0].on(1)[0]["fit_time"] == 1.0


def test_promotion_is_within_a_round():
    study = make([[0.1], [0.2], [0.3], [0.4]])
    for trial in study.trials[2:]:
        trial.round = 1
    assert numbers(study.promoted(0, 1)) == [1]
    assert numbers(study.promoted(1, 1)) == [3]
