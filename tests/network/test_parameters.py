import numpy as np
import pytest

from skbn.network.parameters import CACHE_LINE, Layout, empty, zeros


@pytest.fixture
def layout():
    return Layout(
        {("weights", 0): (3, 2), ("weights", 1): (2, 4)},
        {("bias", 1): (1, 4)},
        {("mean", 0): (1, 2), ("var", 0): (1, 2)},
    )


def test_zones_follow_each_other(layout):
    assert (layout.n_decayed, layout.n_trained, layout.size) == (14, 18, 22)


def test_views_cover_each_element_once(layout):
    vectors = np.zeros((2, layout.size))
    for view in layout.views(vectors).values():
        view += 1
    np.testing.assert_array_equal(vectors, np.ones((2, 22)))


@pytest.mark.parametrize("n_members", [1, 3])
def test_views_have_a_member_axis_and_row_major_order(layout, n_members):
    vectors = np.arange(n_members * 22.0).reshape(n_members, 22)
    views = layout.views(vectors)
    assert views["weights", 1].shape == (n_members, 2, 4)
    np.testing.assert_array_equal(views["weights", 1][-1], vectors[-1, 6:14].reshape(2, 4))
    np.testing.assert_array_equal(views["var", 0][-1], vectors[-1:, 20:])
    assert all(np.shares_memory(view, vectors) for view in views.values())


def test_views_of_a_slice_of_members_still_share_memory(layout):
    vectors = np.zeros((3, layout.size))
    layout.views(vectors[1:2])["bias", 1][...] = 7
    np.testing.assert_array_equal(np.flatnonzero(vectors), 22 + np.arange(14, 18))


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(3,), (2, 22), (2, 3, 5)])
def test_arrays_begin_at_a_cache_line(dtype, shape):
    for array in (empty(shape, dtype), zeros(shape, dtype)):
        assert array.shape == shape
        assert array.dtype == dtype
        assert array.flags.c_contiguous
        assert array.flags.writeable
        assert array.ctypes.data % CACHE_LINE == 0
    assert not zeros(shape, dtype).any()


def test_empty_zones():
    layout = Layout({("weights", 0): (2, 2)}, {}, {})
    assert (layout.n_decayed, layout.n_trained, layout.size) == (4, 4, 4)
