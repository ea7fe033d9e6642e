import sys
import threading
import time
import warnings

import autograd.numpy as anp
import numpy as np
import pytest
from autograd import elementwise_grad
from scipy.special import erf, expit, softmax

from skbn.network import forward_only
from skbn.network.forward_only import check_derivative, name_of, value_and_vjp, values_of

X = np.random.default_rng(0).standard_normal((5, 3))
A, B = (np.random.default_rng(k).standard_normal((3, 4)) for k in (1, 2))


def assign(x):
    x[0] = 1
    return x


FOLLOWED = {
    "products": lambda x: np.tanh(x @ A) * (x @ B),
    "sums": lambda x: (x * x).sum(axis=1) / (1 + x.sum(axis=0).max()),
    "reductions by functions": lambda x: np.sum(np.max(x * x, axis=1, keepdims=True)),
    "a number": lambda x: np.mean(np.logaddexp(0, x)),
    "kinks": lambda x: np.maximum(np.abs(x) - 0.5, 0),
    "autograd.numpy": lambda x: anp.where(x > 0, x, 0.1 * x) + anp.clip(x, -1, 1),
    "ufuncs of scipy": lambda x: expit(x) + erf(x),
    "single precision": lambda x: np.tanh(x.astype(np.float32)) * np.float32(3),
    "constant": lambda x: np.ones(3),
    "large": lambda x: 1e9 + 1e3 * x,
    "small": lambda x: 1e-9 * x**3,
    "many kinks": lambda x: np.abs((np.arange(200) / 100 - 1)[:, None] * x[0] - x[1, 0]).sum(),
}
NOT_FOLLOWED = {
    "np.where": (lambda x: np.where(x > 0, x, 0), "import autograd.numpy as np"),
    "np.clip": (lambda x: np.clip(x, -1, 1), "import autograd.numpy as np"),
    "np.asarray": (lambda x: np.asarray(x) ** 2, "import autograd.numpy as np"),
    "np.where in a part": (lambda x: x**2 + 0.01 * np.where(x > 0, x, 0), "autograd"),
    "np.where of single precision": (
        lambda x: np.where(x.astype(np.float32) > 0, x.astype(np.float32), np.float32(0)),
        "autograd",
    ),
    "np.dot": (lambda x: np.dot(x, A).sum(), "derivative of f.*np.dot"),
    "np.einsum": (lambda x: np.einsum("ij,jk", x, A).sum(), "derivative of f"),
    "other values when it is watched": (
        lambda x: x + (0 if isinstance(x, np.ndarray) else 1),
        "gives other values when autograd watches it",
    ),
    "nothing": (lambda x: None, "it gave None: is a return missing"),
    "np.sort": (lambda x: np.sort(x, axis=1), "import autograd.numpy as np"),
    "assignment": (assign, r"cannot differentiate f .*without assignment to elements"),
    "out": (lambda x: np.exp(x, out=np.empty_like(x)), r"derivative of f.*out="),
    "another library": (lambda x: softmax(x), r"derivative of f.*autograd\.scipy"),
    "float": (lambda x: float(x.sum()), "cannot differentiate f"),
    "np.outer": (lambda x: np.outer(x, x), "import autograd.numpy as np"),
    "an infinite slope": (lambda x: np.sqrt(np.maximum(x, 0)), "not finite at points where"),
    "np.random": (lambda x: x * np.random.rand(), "other values when it was asked"),  # noqa: NPY002
    "complex": (lambda x: x + 1j, "real numbers; it gave an array of complex128"),
    "text": (lambda x: "a", "real numbers; it gave an array of <U1"),
}


@pytest.mark.parametrize("case", FOLLOWED)
def test_derivatives_that_fit_finite_differences(case):
    for seed in range(20):
        check_derivative(FOLLOWED[case], "f", X, np.random.default_rng(seed))


@pytest.mark.parametrize("case", NOT_FOLLOWED)
def test_derivatives_that_autograd_does_not_find(case):
    function, message = NOT_FOLLOWED[case]
    before = X.copy()
    with pytest.raises(ValueError, match=message):
        check_derivative(function, "f", X, np.random.default_rng(0))
    np.testing.assert_array_equal(X, before)


def test_errors_of_a_function_are_its_own():
    with pytest.raises(ZeroDivisionError) as caught:
        values_of(lambda x: 1 / 0, "activation=f", X)
    assert caught.value.__notes__ == [
        "Raised by activation=f, called with an array of shape (5, 3)"
    ]


def test_values_may_be_not_finite_twice_in_the_same_places():
    values = values_of(np.log, "f", X)
    np.testing.assert_array_equal(np.isnan(values), X < 0)


def test_value_and_product_with_the_jacobian():
    value, vjp = value_and_vjp(lambda x: np.sin(x) @ A, X)
    d = np.random.default_rng(1).standard_normal((5, 4))
    np.testing.assert_array_equal(value, np.sin(X) @ A)
    np.testing.assert_allclose(vjp(d), (d @ A.T) * np.cos(X), rtol=1e-14)


def test_one_thread_at_a_time_is_watched():
    # A derivative within a derivative could be taken for one of another thread.
    inside, at_once = [], []

    def slow(x):
        inside.append(x)
        at_once.append(len(inside))
        time.sleep(1e-3)
        inside.pop()
        return elementwise_grad(lambda z: z**2 * x / 2)(x)

    def work():
        for _ in range(5):
            _, vjp = value_and_vjp(slow, X)
            np.testing.assert_allclose(vjp(np.ones_like(X)), 2 * X)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert at_once == [1] * 20


def test_without_autograd_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "autograd.core", None)
    forward_only._make_vjp.cache_clear()
    with pytest.raises(ImportError, match=r'pip install "skbn\[autodiff\]"'):
        check_derivative(np.tanh, "f", X, np.random.default_rng(0))
    monkeypatch.undo()
    check_derivative(np.tanh, "f", X, np.random.default_rng(0))


def test_names_of_functions():
    assert name_of(np.tanh) == "tanh"
    assert name_of(test_names_of_functions) == "test_names_of_functions"
    assert name_of(np.random.default_rng(0)) == "Generator"


def test_a_kink_near_by_is_no_mistake():
    # One direction in three or so crosses a kink even with the shortest step.
    kinks = np.linspace(-1, 1, 20001)
    for seed in range(20):
        x = np.random.default_rng(seed).uniform(-0.1, 0.1, (1, 1))
        check_derivative(
            lambda x: np.abs(x - kinks).sum() + 0 * x.sum(), "f", x, np.random.default_rng(seed)
        )


def test_warnings_stay_as_they_are():
    before = list(warnings.filters)
    threads = [
        threading.Thread(
            target=lambda: [
                check_derivative(np.tanh, "f", X, np.random.default_rng(0)) for _ in range(50)
            ]
        )
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert warnings.filters == before
