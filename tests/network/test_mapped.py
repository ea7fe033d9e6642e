import mmap
from pathlib import Path

import numpy as np
import pytest
from scipy.sparse import csr_matrix
from sklearn.datasets import load_iris

from skbn import BNSoftmaxClassifier
from skbn.network import batches, mapped
from skbn.network.mapped import Pages

pytestmark = pytest.mark.skipif(
    not (hasattr(mmap, "MADV_DONTNEED") and Path("/proc/self/smaps").exists()),
    reason="the system cannot give pages back, or does not say what is resident",
)


@pytest.fixture(autouse=True)
def small_limits(monkeypatch):
    """A few kilobytes are large."""
    for module in (mapped, batches):
        monkeypatch.setattr(module, "LARGE_TABLE_BYTES", 1000)
        monkeypatch.setattr(module, "WINDOW_BYTES", 2000)
    monkeypatch.setattr(batches, "SHUFFLED_BLOCK", 200)


@pytest.fixture
def path(tmp_path):
    load_iris().data.astype(np.float32).tofile(tmp_path / "X.bin")
    return tmp_path / "X.bin"


def open_map(path, mode):
    return np.memmap(path, np.float32, mode, shape=(150, 4))


def resident(x):
    """Bytes of a map that are in this process's memory."""
    start = f"{x.__array_interface__['data'][0] // mmap.PAGESIZE * mmap.PAGESIZE:x}-"
    with open("/proc/self/smaps") as lines:
        for line in lines:
            if line.startswith(start):
                break
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("Rss"))


@pytest.mark.parametrize("view", [np.asarray, lambda x: x[10:], lambda x: x.reshape(50, 12)])
@pytest.mark.parametrize("mode", ["r", "r+"])
def test_pages_that_were_read_are_given_back(path, mode, view):
    x = open_map(path, mode)
    pages, total = Pages(view(x)), x.sum()
    pages.note_read(1999)
    assert resident(x) > 0
    pages.note_read(1)
    assert resident(x) == 0
    assert x.sum() == total


def test_what_was_written_is_not_lost(path):
    shared, private = open_map(path, "r+"), open_map(path, "c")
    shared[0, 0], private[1, 1] = 7, 8
    for x in (shared, private):
        Pages(x).note_read(10_000)
    assert (shared[0, 0], private[1, 1]) == (7, 8)


def test_other_arrays_are_left_alone():
    x = load_iris().data
    for other in (x, x[:, :2], csr_matrix(x)):
        Pages(other).note_read(10_000)


def test_a_fit_from_a_map_is_that_from_an_array(path, monkeypatch):
    y, x, mapped_reads = load_iris().target, open_map(path, "r"), []

    def read(self, n_bytes, original=Pages.note_read):
        mapped_reads.append(self._map is not None)
        original(self, n_bytes)

    monkeypatch.setattr(Pages, "note_read", read)
    options = {"hidden_layer_sizes": (8,), "max_iter": 2, "random_state": 0}
    model = BNSoftmaxClassifier(**options, early_stopping=True).fit(x, y)
    assert len(mapped_reads) > 8
    assert all(mapped_reads)
    expected = BNSoftmaxClassifier(**options, early_stopping=True).fit(np.array(x), y)
    np.testing.assert_array_equal(model.predict_proba(x), expected.predict_proba(np.array(x)))
