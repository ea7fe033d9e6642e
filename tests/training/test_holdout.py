import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.sparse import csr_matrix
from sklearn.metrics import accuracy_score, log_loss

from skbn.network.architecture import Architecture, initial_theta
from skbn.network.inference import TrainedNetwork
from skbn.network.losses import LOSSES, softmax
from skbn.training.holdout import BestState, Dataset, Holdout, best_guess, stratified_rows


def draw(labels, fraction, seed=0):
    return stratified_rows(np.asarray(labels), fraction, np.random.default_rng(seed))


# Validation rows


@settings(derandomize=True, deadline=None, max_examples=100)
@given(
    counts=st.lists(st.integers(1, 60), min_size=1, max_size=6),
    fraction=st.floats(0.01, 0.99),
    seed=st.integers(0, 100),
)
def test_each_class_is_drawn_in_proportion(counts, fraction, seed):
    labels = np.random.default_rng(seed).permutation(np.repeat(np.arange(len(counts)), counts))
    rows = draw(labels, fraction, seed)
    n, drawn = len(labels), np.bincount(labels[rows], minlength=len(counts))
    to_spare = np.array(counts) - 1
    assert len(rows) == min(max(1, round(fraction * n)), to_spare.sum())
    np.testing.assert_array_equal(rows, np.unique(rows))
    assert (drawn <= to_spare).all(), "a class has lost its last row"
    shares = len(rows) * to_spare / max(1, to_spare.sum())
    assert (np.abs(drawn - shares) <= 1).all()


def test_proportions_are_those_of_the_classes():
    labels = np.repeat([0, 1, 2], [800, 150, 50])
    np.testing.assert_array_equal(np.bincount(labels[draw(labels, 0.2)]), [160, 30, 10])


def test_classes_too_rare_to_split_stay_in_training():
    labels = np.array([0] * 50 + [1] * 50 + [2, 3])
    for seed in range(20):
        assert set(labels[draw(labels, 0.9, seed)]) == {0, 1}


def test_a_fraction_near_one_leaves_one_row_of_each_class():
    labels = np.repeat([0, 1, 2], [10, 5, 1])
    left = np.delete(labels, draw(labels, 0.999))
    np.testing.assert_array_equal(left, [0, 1, 2])


def test_no_row_can_be_drawn_from_classes_of_one_row():
    assert draw([0, 1, 2], 0.5).size == 0


def test_the_stream_decides_which_rows():
    labels = np.repeat([0, 1], 50)
    np.testing.assert_array_equal(draw(labels, 0.2, seed=3), draw(labels, 0.2, seed=3))
    drawn = [draw(labels, 0.2, seed) for seed in range(200)]
    assert len({rows.tobytes() for rows in drawn}) > 190
    times = np.bincount(np.concatenate(drawn), minlength=100)
    assert times.min() > 15  # 40 on average: no row is passed over.
    assert times.max() < 75


# The score


@pytest.mark.parametrize("sparse", [np.asarray, csr_matrix])
@pytest.mark.parametrize("rows", [None, np.array([5, 3, 30, 17, 2, 9, 11])])
@pytest.mark.parametrize(("dtype", "tolerance"), [(np.float32, 1e-5), (np.float64, 1e-12)])
def test_score_is_that_of_scikit_learn(sparse, rows, dtype, tolerance):
    rng = np.random.default_rng(0)
    architecture = Architecture(4, (5,), 3)
    theta = initial_theta(architecture, ["auto"], [rng], dtype)
    theta += rng.uniform(0, 0.5, theta.shape).astype(dtype)
    x, epsilon = rng.standard_normal((40, 4)).astype(dtype), np.array([[1e-3]])
    taken = x if rows is None else x[rows]
    all_labels, weights = rng.integers(3, size=len(x)), rng.uniform(0.1, 3, len(taken))
    labels = all_labels if rows is None else all_labels[rows]
    network, table = TrainedNetwork(architecture, theta, epsilon), Dataset(sparse(x), all_labels)
    score = Holdout(rows, weights).score(table, network, {})
    other = Dataset(x[:1], all_labels[:1], validation=table)
    assert Holdout(rows, weights, of_validation=True).score(other, network, {}) == score
    loss, accuracy = score["loss"], score["accuracy"]
    probabilities = softmax(network.logits(taken.astype(np.float64))[0])
    expected = log_loss(labels, probabilities, sample_weight=weights, labels=range(3))
    assert loss == pytest.approx(expected, rel=tolerance)
    hits = accuracy_score(labels, probabilities.argmax(axis=1), sample_weight=weights)
    assert accuracy == pytest.approx(hits, rel=1e-6)


@pytest.mark.parametrize("n_rows", [40, 5000])
def test_score_does_not_depend_on_company(n_rows):
    # The more rows, the more blocks of rows and of members.
    rng = np.random.default_rng(0)
    architecture = Architecture(4, (300,), 3)
    theta = initial_theta(architecture, ["auto"] * 5, [rng] * 5, np.float32)
    theta += rng.uniform(0, 0.5, theta.shape).astype(np.float32)
    x, epsilon = rng.standard_normal((n_rows, 4)).astype(np.float32), np.full((5, 1), 1e-3)
    table = Dataset(x, rng.integers(3, size=n_rows))
    holdout = Holdout(weights=rng.uniform(0.1, 3, n_rows))
    together = holdout.score(table, TrainedNetwork(architecture, theta, epsilon), {})
    for k in range(5):
        one = TrainedNetwork(architecture, theta[k : k + 1], epsilon[k : k + 1])
        alone = holdout.score(table, one, {})
        assert alone.keys() == together.keys()
        for name, values in together.items():
            np.testing.assert_array_equal(alone[name], values[k : k + 1])


def test_no_weights_are_equal_weights():
    rng = np.random.default_rng(0)
    architecture = Architecture(4, (5,), 3)
    theta = initial_theta(architecture, ["auto"], [rng], np.float64)
    network = TrainedNetwork(architecture, theta, np.full((1, 1), 1e-3))
    table = Dataset(rng.standard_normal((17, 4)), rng.integers(3, size=17))
    score = Holdout(weights=np.ones(17)).score(table, network, {})
    assert Holdout().score(table, network, {}) == score


def test_a_validation_set_that_is_not_there_is_missed():
    with pytest.raises(ValueError, match="no validation set"):
        Holdout(of_validation=True).labels(Dataset(np.ones((2, 1)), np.zeros(2, int)))


def test_score_of_a_hopeless_model_is_finite():
    architecture = Architecture(1, (), 2)
    theta = np.array([[1e5, -1e5, 0, 0]], np.float32)
    x = np.ones((1, 1), np.float32)
    network = TrainedNetwork(architecture, theta, np.zeros((1, 1)))
    score = Holdout().score(Dataset(x, np.array([1])), network, {})
    assert score == {"loss": 2e5, "accuracy": 0}


# Guessing


@pytest.mark.parametrize("frequencies", [[1.0], [0.3, 0.7], [0.0, 0.2, 0.8], [0.25] * 4])
def test_the_best_guess_by_cross_entropy_are_the_frequencies(frequencies):
    guess = best_guess(LOSSES["cross_entropy"], np.array(frequencies), {})
    np.testing.assert_allclose(softmax(guess), frequencies, rtol=1e-14, atol=1e-300)


@pytest.mark.parametrize("gamma", [0.5, 2.0, 5.0])
@pytest.mark.parametrize("share", [0.5, 0.2, 0.01])
def test_the_best_guess_by_focal_loss_is_the_lowest_of_all(gamma, share):
    p = np.linspace(0, 1, 10_001)[1:-1]
    first, second = share * (1 - p) ** gamma * np.log(p), (1 - share) * p**gamma * np.log1p(-p)
    expected = (first + second).argmax()
    hyper = {"focal_gamma": np.full((1, 1), gamma), "label_smoothing": np.full((1, 1), 0.5)}
    dataset = Dataset(np.zeros((100, 1)), (np.arange(100) >= round(100 * share)).astype(int))
    guess = best_guess(LOSSES["focal"], np.array([share, 1 - share]), hyper)
    assert softmax(guess)[0] == pytest.approx(p[expected], abs=2e-4)
    loss = Holdout().loss_of_guessing(dataset, LOSSES["focal"], guess, hyper)
    assert loss == pytest.approx(-(first + second)[expected], rel=1e-5)


# The best state


def feed(best, losses):
    """Tell of one epoch after another, its number as parameters; give the answers."""
    return [best.update(loss, np.array([epoch]), epoch) for epoch, loss in enumerate(losses, 1)]


def test_stops_after_so_many_epochs_without_progress():
    assert feed(BestState(0, 2), [3, 2, 2.5, 1, 1.5, 1.2]) == [False] * 5 + [True]
    assert feed(BestState(0, 1), [3, 2, 2]) == [False, False, True]


def test_progress_is_more_than_tol_below_the_last_progress():
    best = BestState(0.5, 2)
    # 2.6 and 2.4 are lower but not by enough; a slow descent stops.
    assert feed(best, [3, 2.6, 2.5]) == [False, False, True]
    assert feed(BestState(0.5, 2), [3, 2.6, 2.4, 2.0, 1.8]) == [False] * 4 + [False]


def test_keeps_the_lowest_loss_even_where_it_is_no_progress():
    best = BestState(0.5, 10)
    feed(best, [3, 2.9, 2.8, 2.85])
    assert (best.loss, best.epoch) == (2.8, 3)
    np.testing.assert_array_equal(best.theta, [3])


def test_of_equal_losses_the_first_is_kept():
    best = BestState(0, 10)
    feed(best, [2, 1, 1])
    assert best.epoch == 2


def test_infinite_patience_never_stops():
    assert not any(feed(BestState(0, np.inf), [1] * 100))


def test_what_it_keeps_is_a_copy():
    best, theta = BestState(0, 1), np.ones(3)
    best.update(1.0, theta, 1)
    theta[...] = 7
    np.testing.assert_array_equal(best.theta, 1)


def test_knows_nothing_at_first():
    assert BestState(0, 1).theta is None
