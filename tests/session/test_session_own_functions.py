"""Sessions with an activation or a loss that is a function of the user's own."""

import functools
import threading

import numpy as np
import pytest
from session_checks import SMALL, assert_same_log, assert_same_model
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, TrainingSession
from skbn.__main__ import main
from skbn.session import training

pytestmark = pytest.mark.slow

anp = pytest.importorskip("autograd.numpy")


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "run.sqlite")


def defined(code):
    """A function ``f`` as another process defines it."""
    names = {"np": np, "anp": anp, "functools": functools, "__name__": "__main__"}
    exec(code, names)
    return names["f"]


SNAKE = "s = {}\ndef f(z): return z + s * np.sin(z) ** 2"
LOSS = "f = lambda z, y, scale={}: scale * ((z - y) ** 2).sum(axis=1)"
OF_MODELS = {
    "a function": lambda n: {"activation": defined(SNAKE.format(n))},
    "a lambda": lambda n: {"loss": defined("\n" * n + LOSS.format(n))},
    "a partial": lambda n: {"loss": functools.partial(defined(LOSS.format(1)), scale=n)},
    "an array": lambda n: {
        "hidden_layer_sizes": (8, 8),
        "activation": np.array([defined(SNAKE.format(n)), "relu"], object),
    },
    "both": lambda n: {
        "activation": defined(SNAKE.format(1)),
        "loss": defined(LOSS.format(n)),
        "early_stopping": True,
    },
}


def model(params, kind="classifier"):
    own = {"max_iter": 40, "learning_rate_init": 0.01} | SMALL
    classifier = BNSoftmaxClassifier(**own | params)
    return make_pipeline(StandardScaler(), classifier) if kind == "Pipeline" else classifier


def told(session):
    """Train a session through changes and a rewind."""
    session.train(3).set_params(learning_rate_init=0.02, dropout=0.1).train(3).rewind(4)
    return session.set_params(alpha=0.0).train(2)


@pytest.mark.parametrize("every", [0.0, np.inf], ids=["checkpoints", "none"])
@pytest.mark.parametrize("kind", ["classifier", "Pipeline"])
@pytest.mark.parametrize("params", OF_MODELS)
def test_a_session_goes_on_with_its_functions(params, kind, every, digits, path, monkeypatch):
    monkeypatch.setattr(training, "FIRST_SECONDS_TO_KEEP", every)
    X, y, X_val, y_val = digits
    data = {"verbose": 0} if params == "both" else {"verbose": 0, "X_val": X_val, "y_val": y_val}
    make = functools.partial(lambda make, n: model(make(n), kind), OF_MODELS[params])
    in_memory = told(TrainingSession(make(1), X, y, **data)).train(2)
    with TrainingSession(make(1), X, y, journal=path, **data) as session:
        told(session)
    with TrainingSession.open(path, X, y, model=make(1), **data) as session:
        assert_same_log(session.train(1).log_, in_memory.log_[:-1])
    replayed = TrainingSession.replay(path, X, y, model=make(1), **data).train(1)
    with TrainingSession(make(1), X, y, journal=path, **data) as session:
        session.train(1)
        for each in (session, replayed):
            assert_same_log(each.log_, in_memory.log_)
            assert_same_model(each.estimator_, in_memory.estimator_, X_val)


@pytest.mark.parametrize("how", ["open", "replay"])
@pytest.mark.parametrize("params", OF_MODELS)
def test_other_functions_or_none_are_refused(params, how, digits, path):
    X, y, *_ = digits
    given = OF_MODELS[params]
    with TrainingSession(model(given(1)), X, y, journal=path, verbose=0) as session:
        session.train(2)
    names = [name for name in given(1) if name in ("activation", "loss")]
    reopened = functools.partial(getattr(TrainingSession, how), path, X, y, verbose=0)
    with pytest.raises(ValueError, match=f"which has {names[0]}=.*, as model=") as caught:
        reopened()
    assert all(f"{name}=" in str(caught.value) for name in names)
    with pytest.raises(ValueError, match=f"with another estimator: {names[-1]}"):
        reopened(model=model(given(2)))
    with pytest.raises(ValueError, match="with another estimator"):
        TrainingSession(model({}), X, y, journal=path, verbose=0)
    assert reopened(model=model(given(1))).epoch_ == 2


def test_a_function_cannot_change_on_the_way(digits, path):
    X, y, *_ = digits
    given = OF_MODELS["a function"]
    with TrainingSession(model(given(1)), X, y, journal=path, verbose=0) as session:
        session.train(1)
        with pytest.raises(ValueError, match="activation cannot change in the middle"):
            session.set_params(**given(2))
        assert session.train(1).epoch_ == 2


def test_terminals_ask_without_the_functions(digits, path, capsys):
    X, y, *_ = digits
    given = model(OF_MODELS["both"](1))
    with TrainingSession(given, X, y, journal=path, verbose=0) as session:
        session.train(1)
        main(["change", path, "learning_rate_init=0.5"])
        main(["watch", path])
        session.train(1)
    assert session.log_["event"].tolist() == ["epoch", "change", "epoch"]
    assert "epoch 1" in capsys.readouterr().out


def test_what_no_file_can_know_is_refused_before_there_is_one(digits, path, tmp_path):
    X, y, *_ = digits
    lock = threading.Lock()
    given = model({"activation": lambda z: z if lock.locked() else np.tanh(z)})
    with pytest.raises(ValueError, match=r"tell its training session from others, and .*'lock'"):
        TrainingSession(given, X, y, journal=path, verbose=0)
    assert not list(tmp_path.iterdir())
    assert TrainingSession(given, X, y, verbose=0).train(1).epoch_ == 1
