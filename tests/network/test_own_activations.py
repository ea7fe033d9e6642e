import pickle
import threading

import numpy as np
import pytest
from forward_passes import ACTIVATION_PASSES, snake, snake_gain
from network_oracles import assert_same_state, make_data, make_hyper, make_settings, make_state, run
from scipy.stats import norm

from skbn.network.activations import ACTIVATIONS, activation_of
from skbn.network.architecture import Architecture
from skbn.network.forward_only import name_of
from skbn.network.own_activations import OwnActivation
from skbn.network.own_functions import is_joint, traced

pytestmark = pytest.mark.slow

each_activation = pytest.mark.parametrize("name", ACTIVATIONS)


def own(function, identity=""):
    return OwnActivation(function, "activation", identity)


def population(activation, n_members=3, dtype=np.float64, optimizer="adam", **hyper):
    """Give the state and epochs of a small population that has been trained."""
    architecture = Architecture(5, (7, 6), 3, activation)
    state = make_state(architecture, range(n_members), optimizer, dtype)
    data = make_data(60, dtype=dtype)
    hyper = make_hyper(*[hyper] * n_members)
    epochs = run(3, architecture, make_settings(optimizer), hyper, state, data)
    return state, epochs


def test_every_activation_has_a_forward_pass_here():
    assert ACTIVATION_PASSES.keys() == ACTIVATIONS.keys()


@each_activation
def test_derivatives_are_the_written_ones(name):
    stream = np.random.default_rng(0)
    x, d = 3 * stream.standard_normal((2, 9, 5)), stream.standard_normal((2, 9, 5))
    activation, y = ACTIVATIONS[name], np.empty_like(x)
    activation.forward(x, y)
    written = activation.derivative(x, y.copy()) * d
    found = own(ACTIVATION_PASSES[name])
    found.check()
    for joint in (True, False):
        values, vjp = traced(found, (x,), joint, {})
        np.testing.assert_allclose(values, y, rtol=1e-12, atol=1e-15)
        np.testing.assert_allclose(vjp(d), written, rtol=1e-12, atol=1e-12)
    out = np.empty_like(x)
    found.forward(x, out)
    np.testing.assert_array_equal(out, values)


@each_activation
def test_gains_are_those_of_the_table(name):
    assert own(ACTIVATION_PASSES[name]).gain == round(ACTIVATIONS[name].gain, 4)


GAINS = {
    "snake": (snake, snake_gain()),
    "a jump": (lambda x: np.sign(x), 1.0),
    "a jump elsewhere": (lambda x: 1.0 * (x > 0.5), 0.3085375387259869**-0.5),
    "exp": (np.exp, np.exp(-1)),
    "x^3": (lambda x: x**3, 15**-0.5),
    "jumps off the grid": (lambda x: 1.0 * (x > 0.3), norm.sf(0.3) ** -0.5),
    "cos": (np.cos, (0.5 + 0.5 * np.exp(-2)) ** -0.5),
}


@pytest.mark.parametrize("case", GAINS)
def test_gains_in_closed_form(case):
    function, gain = GAINS[case]
    assert own(function).gain == round(float(gain), 4)


@each_activation
def test_networks_train_along_the_same_curve(name):
    state, epochs = population(name)
    # Initial weights of the same gain, for some of the table have more than four decimals.
    mine = own(ACTIVATION_PASSES[name])
    mine.gain = ACTIVATIONS[name].gain
    other, others = population(mine)
    np.testing.assert_allclose(state.theta, other.theta, rtol=1e-7, atol=1e-8)
    for epoch, its in zip(epochs, others, strict=True):
        np.testing.assert_allclose(epoch.loss, its.loss, rtol=1e-10)
        np.testing.assert_allclose(epoch.gradient_norm, its.gradient_norm, rtol=1e-8)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("function", [snake, lambda z: z * (z > z.max() - 9)])
def test_members_are_as_alone(function, dtype):
    activation = own(function)
    together, _ = population(activation, dtype=dtype, dropout=0.2)
    for k in range(3):
        architecture = Architecture(5, (7, 6), 3, activation)
        state = make_state(architecture, [k], "adam", dtype)
        hyper = make_hyper({"dropout": 0.2})
        run(3, architecture, make_settings("adam"), hyper, state, make_data(60, dtype=dtype))
        assert_same_state(together.members([k]), state)


def test_all_members_are_asked_at_once():
    calls = []

    def counted(z):
        calls.append(np.shape(z))
        return np.tanh(z)

    activation = own(counted)
    population(activation)  # where the bits are compared with those of each alone
    calls.clear()
    population(activation)
    n_steps = 3 * 4
    assert calls == [(45, 7), (45, 6)] * n_steps


def test_right_functions_with_jumps_are_let_in():
    for function in (
        lambda x: x + np.round(5 * x),
        lambda x: np.tanh(x) + 0.01 * np.floor(1000 * x),
    ):
        own(function).check()


def test_members_are_asked_one_by_one_where_the_bits_differ():
    def centred(z):
        return z - 1e-3 * np.mean(z)

    assert is_joint(own(np.tanh), (3, 8, 5), np.dtype(np.float32))
    assert not is_joint(own(centred), (3, 8, 5), np.dtype(np.float32))
    assert not is_joint(own(lambda z: z.reshape(8, 5)), (3, 8, 5), np.dtype(np.float32))
    assert is_joint(own(centred), (1, 8, 5), np.dtype(np.float32))


REFUSED = {
    "not finite": (np.log, "is not finite at 0: an activation gets any number"),
    "not finite at negative ones": (lambda x: np.log(x + 1), "is not finite at -"),
    "not finite far away": (lambda x: np.exp(x**3), r"is not finite at \d.*between -10 and 10"),
    "another shape": (lambda x: x.sum(axis=1), r"of shape \(8, 9\) it made \(8,\)"),
    "rows": (lambda x: x - x.mean(axis=0), "must work element by element"),
    "units": (lambda x: x / (1 + np.abs(x).sum(axis=1, keepdims=True)), "element by element"),
    "a softmax of all": (lambda x: np.exp(x) / np.exp(x).sum(), "must work element by element"),
    "centred": (lambda x: x - x.mean(), "must work element by element"),
    "steps": (lambda x: np.floor(3 * x + 0.1), "is zero at all points that were tried"),
    "a constant": (lambda x: x * 0 + 1, "is zero at all points that were tried"),
    "hidden far away": (lambda x: x + np.where(np.abs(x) > 7, 3 * x, 0.0), "autograd.numpy"),
    "zero": (lambda x: 0 * x, "mean square of 0 for standard normal inputs"),
    "large": (lambda x: 1e9 * x, r"mean square of 1e\+18"),
    "no derivative": (lambda x: np.where(x > 0, x, 0), "import autograd.numpy as np"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_functions_that_are_no_activations(case):
    function, message = REFUSED[case]
    with pytest.raises(ValueError, match=message) as caught:
        own(function).check()
    assert f"activation={name_of(function)} " in str(caught.value)


def test_fault_says_which_layer():
    def root(z):
        return np.sqrt(np.maximum(z + 11, 0))

    activation = own(root)
    activation.check()
    architecture = Architecture(5, (4, 3), 3, ("tanh", activation), batch_norm=False)
    state = make_state(architecture, [0, 1])
    architecture.layout.views(state.theta)["weights", 1][1] *= 1e3
    data, hyper = make_data(40), make_hyper({}, {})
    epoch, *_ = run(1, architecture, make_settings(), hyper, state, data)
    assert epoch.finite.tolist() == [True, False]
    what = "a derivative of activation=root in hidden layer 2 that is not finite"
    assert epoch.faults == {1: what}


# As values.


def test_functions_of_the_same_identity_are_one():
    one, other = own(np.tanh, "digest"), own(lambda x: np.tanh(x), "digest")
    assert one == other
    assert hash(one) == hash(other)
    assert one != own(np.tanh, "another")
    assert Architecture(3, (4, 5), 2, (one, other)) == Architecture(3, (4, 5), 2, other)


def test_functions_without_one_are_themselves():
    assert own(np.tanh) == own(np.tanh)
    assert own(np.tanh) != own(np.sin)
    assert activation_of(own(np.tanh)) == own(np.tanh)


def test_pickles():
    by_name = pickle.loads(pickle.dumps(own(np.tanh, "x")))
    assert by_name.function is np.tanh
    scale = 3
    by_code = pickle.loads(pickle.dumps(own(lambda x: scale * x, "y")))
    assert by_code.function(2) == 6
    assert by_code == own(np.sin, "y")
    lock = threading.Lock()
    with pytest.raises(pickle.PicklingError, match="activation=<lambda> cannot be pickled"):
        pickle.dumps(own(lambda x: (lock, x)[1]))
    with pytest.raises(pickle.PicklingError, match="has no name in a module"):
        own(lambda x: x).__reduce__()
