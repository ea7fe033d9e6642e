from copy import deepcopy

import numpy as np
import pytest
from network_oracles import (
    ALL_OPTIMIZERS,
    REGULARISED,
    assert_same_state,
    make_data,
    make_hyper,
    make_settings,
    make_state,
    run,
)

from skbn.network.architecture import Architecture
from skbn.network.parameters import CACHE_LINE
from skbn.network.state import State

each_optimizer = pytest.mark.parametrize("optimizer", ALL_OPTIMIZERS)

SMALL = Architecture(5, (6, 4), 3)
MEMBERS = [{}, REGULARISED, {"learning_rate_init": 0.01, "dropout": 0.3, "bn_momentum": 0.5}]


def trained(optimizer="adam", which=(0, 1, 2), n_epochs=2, dtype=np.float64):
    """A population after some epochs."""
    state = make_state(SMALL, which, optimizer, dtype)
    go_on(state, which, optimizer, n_epochs)
    return state


def go_on(state, which, optimizer="adam", n_epochs=2):
    how, hyper = make_settings(optimizer, "one_cycle"), make_hyper(*(MEMBERS[k] for k in which))
    return run(n_epochs, SMALL, how, hyper, state, make_data(40, dtype=state.theta.dtype))


def streams(state):
    return [*state.shuffle_streams, *state.noise_streams]


def arrays(state):
    return [state.theta, *state.vectors, state.sums]


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("which", [[1], [2, 0], [0, 1, 2]])
def test_members_go_on_as_if_never_with_the_others(optimizer, dtype, which):
    some = trained(optimizer, dtype=dtype).members(which)
    alone = trained(optimizer, which, dtype=dtype)
    assert_same_state(some, alone)
    epochs, expected = go_on(some, which, optimizer), go_on(alone, which, optimizer)
    assert_same_state(some, alone)
    for mine, its in zip(epochs, expected, strict=True):
        np.testing.assert_array_equal(mine.loss, its.loss)


@each_optimizer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_stacked_members_go_on_as_if_always_together(optimizer, dtype):
    parts = [trained(optimizer, which, dtype=dtype) for which in ([2], [0, 1])]
    joined, whole = State.stacked(parts), trained(optimizer, (2, 0, 1), dtype=dtype)
    assert_same_state(joined, whole)
    go_on(joined, (2, 0, 1), optimizer)
    go_on(whole, (2, 0, 1), optimizer)
    assert_same_state(joined, whole)


def test_stacking_is_the_inverse_of_members():
    state = trained()
    again = State.stacked([state.members([0]), state.members([1, 2])])
    assert_same_state(again, state)
    assert all(mine is its for mine, its in zip(streams(again), streams(state), strict=True))


def test_neither_shares_an_array():
    state = trained()
    for other in (state.members([0, 1, 2]), State.stacked([state])):
        before = deepcopy(other)
        for array in arrays(state):
            assert not any(np.shares_memory(array, its) for its in arrays(other))
            array += 1
        assert_same_state(other, before)


def test_members_draw_from_their_own_streams():
    state = trained()
    some = state.members([2, 0])
    assert some.shuffle_streams == [state.shuffle_streams[2], state.shuffle_streams[0]]
    assert some.noise_streams == [state.noise_streams[2], state.noise_streams[0]]


def test_nobody_is_left():
    state = trained()
    none = state.members([])
    assert [len(array) for array in arrays(none)] == [0, 0, 0, 3]
    assert none.theta.shape == (0, state.theta.shape[1])
    assert none.sums.shape == (3, 0, 1)
    assert streams(none) == []
    assert none.n_epochs == 2


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_what_is_long_begins_at_a_cache_line(dtype):
    state = trained(dtype=dtype)
    for other in (state.members([1]), State.stacked([state, state.members([0])])):
        for array in (other.theta, *other.vectors):
            assert array.dtype == dtype
            assert array.ctypes.data % CACHE_LINE == 0
            assert array.flags.c_contiguous
