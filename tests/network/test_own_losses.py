import numpy as np
import pytest
from forward_passes import LOSS_PASSES, brier, cross_entropy
from network_oracles import (
    WEIGHT_PATTERNS,
    assert_same_state,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    make_weights,
    run,
)

from skbn.network.architecture import Architecture
from skbn.network.losses import LOSSES
from skbn.network.own_functions import is_joint
from skbn.network.own_losses import OwnLoss

SIZES = (5, (6,), 3)
each_loss = pytest.mark.parametrize("name", LOSSES)
each_pattern = pytest.mark.parametrize("pattern", WEIGHT_PATTERNS)
smoothed_or_not = pytest.mark.parametrize("smoothing", [0.0, 0.1])


def own(function):
    return OwnLoss(function, "loss")


def of_batch(loss, weights, smoothing, n_members=2, n_rows=20, n_outputs=4):
    """Give the losses and the gradient at random logits of a mini-batch."""
    stream = np.random.default_rng(0)
    hyper = {"label_smoothing": np.full((n_members, 1), smoothing)}
    hyper["focal_gamma"] = np.full((n_members, 1), 2.0)
    batch_loss = loss.in_training(n_members, n_rows, n_outputs, hyper)
    batch_loss.logits[...] = 3 * stream.standard_normal((n_members, n_rows, n_outputs))
    labels = stream.integers(n_outputs, size=(n_members, n_rows))
    losses = batch_loss(loss.encoder([0, n_rows], n_members)(labels), weights)
    return losses, batch_loss.logits.copy()


def test_every_loss_has_a_forward_pass_here():
    assert LOSS_PASSES.keys() == LOSSES.keys()


@each_loss
@each_pattern
@smoothed_or_not
def test_gradients_are_the_written_ones(name, pattern, smoothing):
    weights = make_weights(pattern, 2, 20)
    loss = own(LOSS_PASSES[name])
    loss.check(4)
    for mine, written in zip(
        of_batch(loss.loss, weights, smoothing),
        of_batch(LOSSES[name], weights, smoothing),
        strict=True,
    ):
        np.testing.assert_allclose(mine, written, rtol=1e-12, atol=1e-12)


@each_loss
def test_measures_are_the_written_ones(name):
    stream = np.random.default_rng(0)
    logits, labels = stream.standard_normal((2, 30, 4)), stream.integers(4, size=30)
    hyper = make_hyper({}, {})
    mine, written = own(LOSS_PASSES[name]).loss.measures, LOSSES[name].measures
    assert mine.keys() == written.keys()
    for measure in mine:
        its = written[measure](logits, labels, hyper)
        np.testing.assert_allclose(mine[measure](logits, labels, hyper), its, rtol=1e-12)


@each_loss
def test_networks_train_along_the_same_curve(name):
    outcomes = []
    for loss in (name, own(LOSS_PASSES[name])):
        architecture = Architecture(*SIZES, loss=loss)
        state, data = make_state(architecture, [0, 1], "adam"), make_data(60)
        hyper = make_hyper({"label_smoothing": 0.1, "alpha": 0.1}, {"dropout": 0.2})
        epochs = run(4, architecture, make_settings("adam"), hyper, state, data)
        outcomes.append((state.theta, *[epoch.loss for epoch in epochs]))
    for mine, its in zip(*outcomes, strict=True):
        np.testing.assert_allclose(mine, its, rtol=1e-8, atol=1e-9)


def of_the_batch(logits, targets):
    return cross_entropy(logits, targets) * np.mean(np.exp(-(logits**2)))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [brier, of_the_batch])
def test_members_are_as_alone(function, dtype):
    loss = own(function)
    architecture, data = Architecture(*SIZES, loss=loss), make_data(50, dtype=dtype)
    state = make_state(architecture, [0, 1, 2], "adam", dtype)
    hyper = [{"label_smoothing": 0.1 * k} for k in range(3)]
    run(2, architecture, make_settings("adam"), make_hyper(*hyper), state, data)
    assert is_joint(loss, (3, 13, 3), np.dtype(dtype)) == (function is brier)
    for k in range(3):
        alone = make_state(architecture, [k], "adam", dtype)
        run(2, architecture, make_settings("adam"), make_hyper(hyper[k]), alone, data)
        assert_same_state(state.members([k]), alone)


def of_frequencies(logits, targets):
    return cross_entropy(logits, targets) / (targets.mean(axis=0) @ targets.T + 1e-3)


def of_large_logits(logits, targets):
    return cross_entropy(logits * np.minimum(1, 10 / np.max(np.abs(logits))), targets)


@pytest.mark.parametrize("function", [of_frequencies, of_large_logits, of_the_batch])
@pytest.mark.parametrize("shape", [(2, m, 2) for m in (2, 3, 9, 18, 34, 56)] + [(3, 3, 2)])
def test_what_depends_on_the_batch_is_asked_one_by_one(function, shape):
    assert not is_joint(own(function), shape, np.dtype(np.float32))
    assert is_joint(own(brier), shape, np.dtype(np.float32))


REFUSED = {
    "no slope": (
        lambda z, y: (z.argmax(axis=1) != y.argmax(axis=1)) * 1.0,
        "is zero at all points",
    ),
    "without logits": (lambda z, y: (y**2).sum(axis=1), "is zero at all points"),
    "a mean": (lambda z, y: brier(z, y).mean(), r"it made \(\) instead of \(11,\)\. Sum over"),
    "each class": (lambda z, y: (z - y) ** 2, r"it made \(11, 4\) instead of \(11,\)"),
    "a column": (lambda z, y: brier(z, y)[:, None], r"it made \(11, 1\) instead of \(11,\)"),
    "not finite": (lambda z, y: (y * np.log(y) - y * z).sum(axis=1), r"np\.log\(p \+ 1e-12\)"),
    "no derivative": (lambda z, y: np.clip(brier(z, y), 0, 1), "import autograd.numpy as np"),
    "np.random": (lambda z, y: brier(z, y) * np.random.rand(), "other values"),  # noqa: NPY002
}


@pytest.mark.parametrize("case", REFUSED)
def test_functions_that_are_no_losses(case):
    function, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as caught:
        own(function).check(4)
    assert "loss=<lambda>" in str(caught.value)


def test_function_of_one_argument():
    with pytest.raises(TypeError, match="positional") as caught:
        own(lambda z: z).check(4)
    assert "Raised by loss=<lambda>" in caught.value.__notes__[0]


@pytest.mark.parametrize(
    ("function", "what"),
    [
        (lambda z, y: np.log(np.exp(z).sum(axis=1)) - (y * z).sum(axis=1), "a value"),
        (
            lambda z, y: cross_entropy(z, y) + 1e-9 * np.sqrt(np.maximum(99 - z[:, 0], 0)),
            "a derivative",
        ),
    ],
)
def test_fault_is_of_the_loss(function, what):
    loss = own(function)
    loss.check(3)
    architecture = Architecture(5, (), 3, loss=loss)
    state = make_state(architecture, [0, 1])
    architecture.layout.views(state.theta)["weights", 0][1] *= 1e3
    epoch, *_ = run(1, architecture, make_settings(), make_hyper({}, {}), state, make_data(40))
    assert epoch.finite.tolist() == [True, False]
    assert epoch.faults == {1: f"{what} of loss=<lambda> that is not finite"}
