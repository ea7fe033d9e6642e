from concurrent.futures import ThreadPoolExecutor

import pytest
from sklearn.datasets import load_iris
from threadpoolctl import threadpool_info, threadpool_limits

from skbn import BNSoftmaxClassifier
from skbn.network.architecture import Architecture
from skbn.training.threads import suitable_threads

SMALL, LARGE = Architecture(64, (100,), 10), Architecture(784, (512, 512), 10)


def blas_threads():
    return {
        library["num_threads"] for library in threadpool_info() if library["user_api"] == "blas"
    }


@pytest.fixture
def two_threads():
    with threadpool_limits(2, "blas"):
        if blas_threads() != {2}:
            pytest.skip("BLAS has one thread here")
        yield


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize(("architecture", "n_threads"), [(SMALL, 1), (LARGE, 2)])
def test_small_products_keep_to_one_thread(architecture, n_threads):
    with suitable_threads(architecture, 128):
        assert blas_threads() == {n_threads}
    assert blas_threads() == {2}


@pytest.mark.usefixtures("two_threads")
def test_only_the_main_thread_sets_a_limit():
    def threads_within():
        with suitable_threads(SMALL, 128):
            return blas_threads()

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(threads_within).result() == {2}


@pytest.mark.usefixtures("two_threads")
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_training_leaves_the_threads_as_they_were(monkeypatch, method):
    X, y = load_iris(return_X_y=True)
    seen = []
    monkeypatch.setattr("skbn.network.steps.Steps.clip", lambda *_: seen.append(blas_threads()))
    model = BNSoftmaxClassifier((8,), max_iter=1, batch_size=150, max_grad_norm=1)
    getattr(model, method)(X, y, **({"classes": [0, 1, 2]} if method == "partial_fit" else {}))
    assert seen
    assert all(each == {1} for each in seen)
    assert blas_threads() == {2}
    with pytest.raises(ValueError, match="diverged"):
        model.set_params(learning_rate_init=1e30).fit(X * 1e30, y)
    assert blas_threads() == {2}
