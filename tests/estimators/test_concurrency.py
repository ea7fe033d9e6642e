"""Interrupts, threads, processes, and what the estimator leaves alone."""

import contextlib
import multiprocessing
import pickle
import signal
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor

import joblib
import numpy as np
import pytest
from sklearn.datasets import load_iris

from skbn import BNSoftmaxClassifier
from skbn.network.optimizers import Stepper
from skbn.training.threads import blas_libraries

pytestmark = pytest.mark.slow

OPTIONS = {
    "hidden_layer_sizes": (6,),
    "batch_size": 30,
    "max_iter": 5,
    "learning_rate": "constant",
    "dropout": 0.2,
    "random_state": 0,
}
SINGLE = {"n_members": 1, "calibrate": False}
STEPS = 5  # batches of an epoch of iris


@pytest.fixture
def interrupt(monkeypatch):
    """Press Ctrl-C in the middle of a training step: ``interrupt(step)``, once."""

    def arm(step):
        calls = []

        def call(self, rate, scalars, original=Stepper.__call__):
            calls.append(rate)
            if len(calls) == step:
                signal.raise_signal(signal.SIGINT)
            return original(self, rate, scalars)

        monkeypatch.setattr(Stepper, "__call__", call)

    return arm


# Ctrl-C.


@pytest.mark.parametrize("step", [STEPS + 1, STEPS + 3, 2 * STEPS, 4 * STEPS + 2])
def test_an_interrupt_leaves_the_last_whole_epoch(
    iris, interrupt, assert_same_model, caught_warnings, step
):
    X, y = iris
    whole_epochs = (step - 1) // STEPS
    interrupt(step)
    model = BNSoftmaxClassifier(**OPTIONS).fit(X, y)
    (warning,) = caught_warnings
    assert warning.category is UserWarning
    assert f"interrupted by the user in epoch {whole_epochs + 1}" in str(warning.message)
    assert f"epoch {whole_epochs}" in str(warning.message)
    assert model.n_iter_ == len(model.history_["loss"]) == whole_epochs
    shorter = BNSoftmaxClassifier(**OPTIONS | {"max_iter": whole_epochs}).fit(X, y)
    assert_same_model(model, shorter)


def test_the_warning_points_at_the_call(iris, interrupt, caught_warnings):
    interrupt(STEPS + 1)
    BNSoftmaxClassifier(**OPTIONS).fit(*iris)
    assert caught_warnings[0].filename == __file__


@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_going_on_after_an_interrupt_is_as_if_there_was_none(
    iris, interrupt, assert_same_model, caught_warnings, way
):
    interrupt(2 * STEPS + 3)
    model = BNSoftmaxClassifier(**OPTIONS).fit(*iris)
    assert (model.n_iter_, len(caught_warnings)) == (2, 1)
    if way == "warm_start":
        model.set_params(warm_start=True).fit(*iris).set_params(warm_start=False)
    else:
        for _ in range(3):
            model.partial_fit(*iris)
    assert_same_model(model, BNSoftmaxClassifier(**OPTIONS).fit(*iris))


def test_an_interrupt_in_the_first_epoch_is_an_interrupt(iris, interrupt):
    interrupt(STEPS)
    model = BNSoftmaxClassifier(**OPTIONS)
    with pytest.raises(KeyboardInterrupt):
        model.fit(*iris)
    assert vars(model) == vars(BNSoftmaxClassifier(**OPTIONS))
    model.fit(*iris)


def test_an_interrupt_keeps_the_best_epoch_so_far(iris, interrupt, caught_warnings):
    X, y = iris
    options = OPTIONS | SINGLE | {"learning_rate_init": 0.3, "dropout": 0.0, "max_iter": 10}
    interrupt(5 * STEPS + 3)
    # Every label is another one: what is learned makes the validation loss worse.
    model = BNSoftmaxClassifier(**options).fit(X, (y + 1) % 3, X_val=X, y_val=y)
    assert ["interrupted" in str(each.message) for each in caught_warnings] == [True, False]
    losses = model.history_["validation_loss"]
    assert len(losses) == 5
    best = int(np.argmin(losses))
    assert best < 4
    probabilities = np.take_along_axis(model.predict_proba(X), y[:, None], axis=1)
    assert -np.log(probabilities).mean() == pytest.approx(losses[best], rel=1e-4)


def test_an_interrupt_of_a_later_member_leaves_the_first(
    iris, interrupt, assert_same_model, caught_warnings
):
    X, y = iris
    interrupt(5 * STEPS + 3)
    model = BNSoftmaxClassifier(**OPTIONS).fit(X, y)
    (warning,) = caught_warnings
    assert (warning.category, warning.filename) == (UserWarning, __file__)
    assert "interrupted by the user; the model is that of its first member alone" in str(
        warning.message
    )
    first = BNSoftmaxClassifier(**OPTIONS | SINGLE).fit(X, y)
    assert_same_model(model, first)
    np.testing.assert_array_equal(model.predict_proba(X), first.predict_proba(X))
    np.testing.assert_array_equal(
        pickle.loads(pickle.dumps(model)).partial_fit(X, y).predict_proba(X),
        first.partial_fit(X, y).predict_proba(X),
    )
    # To go on is to train the others as if nothing had happened.
    whole = BNSoftmaxClassifier(**OPTIONS).fit(X, y)
    model.set_params(warm_start=True).fit(X, y)
    np.testing.assert_array_equal(model.predict_proba(X), whole.predict_proba(X))


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_an_interrupted_call_takes_nothing_back(iris, interrupt, assert_same_model, method):
    # The first epoch of a warm start, and any partial_fit, end as if never begun.
    X, y = iris
    model = BNSoftmaxClassifier(**OPTIONS).fit(X, y)
    interrupt(3)
    if method == "partial_fit":
        with pytest.raises(KeyboardInterrupt):
            model.partial_fit(X, y)
    else:
        model.set_params(warm_start=True, max_iter=7)
        with pytest.warns(UserWarning, match="the model is that of epoch 5"):
            model.fit(X, y)
        model.set_params(warm_start=False, max_iter=5)
    assert_same_model(model, BNSoftmaxClassifier(**OPTIONS).fit(X, y))


def interrupted_at_line(n_lines, call):
    """Run a call, with a KeyboardInterrupt at the n-th line of the package that it runs.

    Says whether the call was still running then.
    """
    passed = 0

    def trace(frame, event, _argument):
        nonlocal passed
        if "skbn" not in frame.f_globals.get("__name__", ""):
            return None
        if event == "line":
            passed += 1
            if passed == n_lines:
                signal.raise_signal(signal.SIGINT)
        return trace

    before = sys.gettrace()
    sys.settrace(trace)
    try:
        call()
    finally:
        sys.settrace(before)
    return passed >= n_lines


def threads_of_blas():
    return [each["num_threads"] for each in blas_libraries()]


@pytest.mark.filterwarnings("ignore:Training interrupted")
@pytest.mark.parametrize(("members", "step"), [(SINGLE, 5), ({}, 97)])
def test_an_interrupt_at_any_line_leaves_whole_epochs(iris, learned, members, step):
    X, y = iris
    options = OPTIONS | members | {"max_iter": 3, "batch_size": 150}
    whole, model = [], BNSoftmaxClassifier(**options)
    for _ in range(3):
        model.partial_fit(X, y, classes=[0, 1, 2])
        whole.append(([array.copy() for array in learned(model)], list(model.history_["loss"])))
    n_lines, running, n_threads = 1, True, threads_of_blas()
    while running:
        model = BNSoftmaxClassifier(**options)
        with contextlib.suppress(KeyboardInterrupt):
            running = interrupted_at_line(n_lines, lambda model=model: model.fit(X, y))
        if hasattr(model, "n_iter_"):
            arrays, losses = whole[model.n_iter_ - 1]
            assert model.history_["loss"] == losses
            assert all(map(np.array_equal, learned(model), arrays))
        else:
            assert vars(model) == vars(BNSoftmaxClassifier(**options))
        assert threads_of_blas() == n_threads
        n_lines += step


@pytest.mark.filterwarnings("ignore:Training interrupted")
def test_an_interrupt_at_any_line_writes_nothing_to_a_mapped_model(iris, tmp_path):
    X, y = iris
    options = OPTIONS | SINGLE | {"max_iter": 1, "batch_size": 150, "warm_start": True}
    joblib.dump(BNSoftmaxClassifier(**options).fit(X, y), tmp_path / "model.joblib")
    n_lines, running = 1, True
    while running:
        model = joblib.load(tmp_path / "model.joblib", mmap_mode="r").set_params(max_iter=2)
        with contextlib.suppress(KeyboardInterrupt):
            running = interrupted_at_line(n_lines, lambda model=model: model.fit(X, y))
        assert model.n_iter_ == len(model.history_["loss"])
        n_lines += 7


# Threads.


def test_threads_predict_what_one_predicts(iris, quick):
    X = np.tile(iris[0], (20, 1))
    model = quick(hidden_layer_sizes=(32, 32)).fit(*iris)
    expected = quick(hidden_layer_sizes=(32, 32)).fit(*iris).predict_proba(X)
    start = threading.Barrier(8)

    def predict(_):
        start.wait()
        return [model.predict_proba(X) for _ in range(10)]

    with ThreadPoolExecutor(8) as threads:
        for results in threads.map(predict, range(8)):
            for result in results:
                np.testing.assert_array_equal(result, expected)


def test_threads_fit_what_one_fits(iris, assert_same_model):
    def fit(seed):
        return BNSoftmaxClassifier(**OPTIONS | {"random_state": seed}).fit(*iris)

    with ThreadPoolExecutor(4) as threads:
        together = list(threads.map(fit, range(4)))
    for seed, model in enumerate(together):
        assert_same_model(model, fit(seed))


def test_fit_leaves_the_main_thread_to_others(iris, quick, assert_same_model):
    # Only the main thread may touch signal handlers; fit runs in any.
    models = []
    thread = threading.Thread(target=lambda: models.append(quick().fit(*iris)))
    handler = signal.getsignal(signal.SIGINT)
    thread.start()
    thread.join()
    assert_same_model(models[0], quick().fit(*iris))
    assert signal.getsignal(signal.SIGINT) is handler


# Processes.


def fit_and_predict(seed):
    """Train and predict in whatever process this is called in."""
    X, y = load_iris(return_X_y=True)
    model = BNSoftmaxClassifier(**OPTIONS | {"random_state": seed}).fit(X, y)
    return model.predict_proba(X)


def predict(model):
    return model.predict_proba(load_iris().data)


@pytest.mark.filterwarnings("ignore:.*fork:DeprecationWarning")
@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_processes_fit_and_predict_the_same_bits(method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} on this system")
    X, y = load_iris(return_X_y=True)
    model = BNSoftmaxClassifier(**OPTIONS).fit(X, y)
    with multiprocessing.get_context(method).Pool(2) as pool:
        fitted = pool.map(fit_and_predict, range(2))
        (predicted,) = pool.map(predict, [model])
    for seed, probabilities in enumerate(fitted):
        np.testing.assert_array_equal(probabilities, fit_and_predict(seed))
    np.testing.assert_array_equal(predicted, model.predict_proba(X))


@pytest.mark.parametrize("backend", ["loky", "threading"])
def test_joblib_workers_fit_the_same_bits(backend):
    with joblib.parallel_config(backend=backend, n_jobs=2):
        fitted = joblib.Parallel()(joblib.delayed(fit_and_predict)(seed) for seed in range(2))
    for seed, probabilities in enumerate(fitted):
        np.testing.assert_array_equal(probabilities, fit_and_predict(seed))


QUIET = """
import sys
import numpy as np
import skbn

def audit(event, arguments):
    if event.startswith(("socket.", "subprocess.", "os.exec", "os.fork", "os.system", "shutil.")):
        sys.exit(f"{event} {arguments}")
    if event == "open" and isinstance(arguments[1], str) and set("wax+") & set(arguments[1]):
        sys.exit(f"writes {arguments}")
    if event in ("os.mkdir", "os.rename", "os.remove"):
        sys.exit(f"{event} {arguments}")

sys.addaudithook(audit)
X = np.random.default_rng(0).normal(size=(200, 4))
model = skbn.BNSoftmaxClassifier((8,), max_iter=3, early_stopping=True, dropout=0.1)
model.set_params(learning_rate="constant")
model.fit(X, X[:, 0] > 0).partial_fit(X, X[:, 0] > 0).predict_proba(X)
"""


def test_no_network_and_no_files(tmp_path):
    run = subprocess.run(
        [sys.executable, "-c", QUIET], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert (run.returncode, run.stdout, run.stderr) == (0, "", "")
    assert list(tmp_path.iterdir()) == []
