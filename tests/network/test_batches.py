import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from network_oracles import assert_same_state, make_data, make_hyper, make_settings, make_state, run

from skbn.network import batches
from skbn.network.architecture import Architecture
from skbn.network.batches import batch_edges, shuffled_rows
from skbn.network.epochs import Data

SMALL = Architecture(5, (6, 4), 3)


@settings(derandomize=True, deadline=None, max_examples=300)
@given(st.integers(2, 3000), st.integers(1, 4000), st.booleans())
def test_batch_edges(n_rows, batch_size, normalised):
    edges = batch_edges(n_rows, batch_size, normalised)
    sizes = np.diff(edges)
    n_batches = int(np.ceil(n_rows / batch_size))
    assert len(sizes) == (min(n_batches, n_rows // 2) if normalised else n_batches)
    assert (edges[0], edges[-1]) == (0, n_rows)
    assert sizes.max() - sizes.min() <= 1
    assert sizes.min() >= (2 if normalised else 1)


def test_rows_of_little_data_are_shuffled_one_by_one():
    order = shuffled_rows(np.random.default_rng(0), 1000, batches.LARGE_TABLE_BYTES)
    np.testing.assert_array_equal(order, np.random.default_rng(0).permutation(1000))


@pytest.mark.parametrize(("n_rows", "row_bytes"), [(10_000, 10), (1037, 64), (50, 3000)])
def test_rows_of_much_data_are_shuffled_in_blocks(monkeypatch, n_rows, row_bytes):
    monkeypatch.setattr(batches, "LARGE_TABLE_BYTES", 1000)
    monkeypatch.setattr(batches, "SHUFFLED_BLOCK", 640)
    monkeypatch.setattr(batches, "WINDOW_BYTES", 6400)
    stream = np.random.default_rng(0)
    order = shuffled_rows(stream, n_rows, n_rows * row_bytes)
    np.testing.assert_array_equal(np.sort(order), np.arange(n_rows))
    block, window = max(1, 640 // row_bytes), max(1, 6400 // row_bytes)
    for start in range(0, n_rows, window):
        rows = order[start : start + window]
        # The last block is cut short, and may shift the borders of windows by a part.
        assert len(np.unique(rows // block)) <= -(-window // block) + 1
        assert len(rows) < 3 or (np.diff(rows) != 1).any()
    assert not np.array_equal(order, shuffled_rows(stream, n_rows, n_rows * row_bytes))


def test_the_order_is_drawn_by_size_and_not_by_storage(monkeypatch, tmp_path):
    data = make_data(60)
    np.save(tmp_path / "x.npy", data.x)
    mapped = Data(np.load(tmp_path / "x.npy", mmap_mode="r"), data.labels)

    def trained(data):
        state = make_state(SMALL)
        run(2, SMALL, make_settings(), make_hyper({}), state, data)
        return state

    whole = trained(data)
    assert_same_state(whole, trained(mapped))
    monkeypatch.setattr(batches, "LARGE_TABLE_BYTES", 0)
    monkeypatch.setattr(batches, "SHUFFLED_BLOCK", 3 * data.x[0].nbytes)
    assert_same_state(trained(data), trained(mapped))
    assert not np.array_equal(trained(data).theta, whole.theta)


@pytest.mark.parametrize(
    ("n_rows", "batch_size", "normalised", "sizes"),
    [
        (10, 4, True, [4, 3, 3]),
        (9, 4, True, [3, 3, 3]),
        (5, 4, True, [3, 2]),
        (5, 2, True, [3, 2]),
        (5, 2, False, [2, 2, 1]),
        (3, 1, True, [3]),
        (3, 1, False, [1, 1, 1]),
        (7, 100, True, [7]),
        (1, 100, False, [1]),
    ],
)
def test_batch_edges_examples(n_rows, batch_size, normalised, sizes):
    assert list(np.diff(batch_edges(n_rows, batch_size, normalised))) == sizes
