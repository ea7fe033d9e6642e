"""Files of models: what is loaded is the model, to the last bit."""

import io
import json
import os
import pickle
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from enum import Enum
from fractions import Fraction
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from skbn import BNSoftmaxClassifier, fit_population
from skbn.estimators.arrays import fitted_progress
from skbn.export import container, load_model, predictor, save_model
from skbn.network.activations import ACTIVATIONS
from skbn.network.optimizers import OPTIMIZERS

pytestmark = pytest.mark.slow

X = np.random.default_rng(0).normal(size=(60, 4))
Y = (X[:, 0] > 0).astype(int) + (X[:, 1] > 0.5)
PAST_THE_END = pytest.mark.filterwarnings("ignore:partial_fit goes on past max_iter")


def small(**parameters):
    quick = {"hidden_layer_sizes": (6,), "max_iter": 3, "random_state": 0}
    return BNSoftmaxClassifier(**(quick | parameters))


def saved(model, **options):
    file = io.BytesIO()
    save_model(model, file, **options)
    return file.getvalue()


def reloaded(model, **options):
    return load_model(io.BytesIO(saved(model, **options)))


def assert_same(loaded, model, rows=X):
    for each in (rows, rows.astype(np.float32)):
        for method in ("predict", "predict_proba", "predict_log_proba", "decision_function"):
            ours, theirs = (getattr(one, method)(each) for one in (loaded, model))
            np.testing.assert_array_equal(ours, theirs, strict=True)
    np.testing.assert_array_equal(loaded.classes_, model.classes_, strict=True)
    assert vars(loaded).keys() == vars(model).keys()
    assert loaded.temperature_ == model.temperature_
    assert loaded.n_features_in_ == model.n_features_in_
    types = [{k: type(v) for k, v in each.get_params().items()} for each in (loaded, model)]
    assert types[0] == types[1]
    for name in model.history_:
        np.testing.assert_array_equal(loaded.history_[name], model.history_[name], strict=True)


KINDS = {
    "the defaults": {},
    "float64": {"dtype": "float64"},
    "one member": {"n_members": 1, "calibrate": False},
    "a network that only calibrates": {"n_members": 1},
    "three members": {"n_members": 3, "hidden_layer_sizes": (6, 5, 4)},
    "early stopping": {"early_stopping": True, "max_iter": 12, "n_iter_no_change": 2},
    "no batch norm": {"batch_norm": False},
    "softmax regression": {"hidden_layer_sizes": ()},
    "random streams in use": {"dropout": 0.2, "noise": 0.3, "input_noise": 0.1},
    "lists and arrays": {"hidden_layer_sizes": np.array([4, 3]), "alpha": np.float32(0.1)},
    **{
        f"activations in a {type(each).__name__}": {
            "hidden_layer_sizes": (5, 4),
            "activation": each,
        }
        for each in (["relu", "tanh"], ("elu", "gelu"), np.array(["selu", "mish"]))
    },
    "activations that are the same": {"hidden_layer_sizes": (5, 4), "activation": ["tanh"] * 2},
    "activations of no layer": {"hidden_layer_sizes": (), "activation": []},
    "a list": {"hidden_layer_sizes": [4], "max_iter": np.int64(3), "shuffle": np.False_},
    "a generator": {"random_state": np.random.RandomState(7)},
    "focal loss": {"loss": "focal", "focal_gamma": np.float32(0.5), "early_stopping": True},
    "weights by class": {"class_weight": {0: 1, 1: 0.5, 2: np.float64(2)}},
    **{f"activation {name}": {"activation": name} for name in ACTIVATIONS},
    **{f"solver {name}": {"solver": name} for name in OPTIMIZERS},
}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("training_state", [False, True])
def test_a_loaded_model_predicts_the_same_bits(kind, training_state, assert_same_model):
    model = small(**KINDS[kind]).fit(X, Y)
    loaded = reloaded(model, training_state=training_state)
    assert_same(loaded, model)
    assert_same_model(loaded, model)
    assert saved(loaded, training_state=training_state) == saved(
        model, training_state=training_state
    )
    assert_same(pickle.loads(pickle.dumps(loaded)), model)
    assert_same(deepcopy(loaded), model)
    assert_same_model(clone(loaded).fit(X, Y), clone(model).fit(X, Y))


@PAST_THE_END
@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("way", ["partial_fit", "warm_start"])
def test_a_model_with_its_training_state_goes_on_to_the_same_bits(kind, way, assert_same_model):
    model = small(**KINDS[kind]).fit(X, Y)
    loaded = reloaded(model, training_state=True)
    for each in (loaded, model):
        if way == "partial_fit":
            each.partial_fit(X, Y).partial_fit(X[:30], Y[:30])
        else:
            each.set_params(warm_start=True, max_iter=model.n_iter_ + 2).fit(X, Y)
    assert_same_model(loaded, model)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))
    both = [fitted_progress(each) for each in (loaded, model)]
    for ours, theirs in zip(*both, strict=True):
        np.testing.assert_array_equal(ours.state.theta, theirs.state.theta, strict=True)


def partly():
    return small().partial_fit(X[:30], Y[:30], classes=[0, 1, 2]).partial_fit(X[30:], Y[30:])


def together():
    return fit_population([small(random_state=k) for k in (0, 0, 1)], X, Y)[1]


def grown():
    model = small(n_members=1, warm_start=True).fit(X, Y)
    return model.set_params(n_members=3, max_iter=5).fit(X, Y)


def judged():
    early = {"warm_start": True, "max_iter": 9, "n_iter_no_change": 1, "learning_rate_init": 0.1}
    return small(**early).fit(X, Y, X_val=X[:20], y_val=Y[:20])


def changed():
    return small().fit(X, Y).set_params(activation="tanh", hidden_layer_sizes=(9,), alpha=5)


def sparse_rows():
    return small().fit(sparse.csr_matrix(X), Y, sample_weight=np.arange(60))


MAKERS = [partly, together, grown, judged, sparse_rows]


@pytest.mark.parametrize("make", [*MAKERS, changed])
@PAST_THE_END
def test_models_that_were_made_in_other_ways_come_back_and_go_on(make, assert_same_model):
    model = make()
    loaded = reloaded(model, training_state=True)
    assert_same(loaded, model)
    assert_same(reloaded(model), model)
    if make is changed:
        with pytest.raises(ValueError, match="hidden_layer_sizes was changed"):
            loaded.partial_fit(X, Y)
        return
    for each in (loaded, model):
        each.set_params(warm_start=True, max_iter=12).fit(X, Y)
        each.partial_fit(X, Y)
    assert_same_model(loaded, model)
    np.testing.assert_array_equal(loaded.predict_proba(X), model.predict_proba(X))


@pytest.mark.parametrize("kind", ["the defaults", "a network that only calibrates", "float64"])
def test_a_model_without_its_training_state_says_so(kind, assert_same_model):
    model = small(**KINDS[kind]).fit(X, Y)
    loaded = reloaded(model)
    message = r"saved without training state.*save_model\(\.\.\., training_state=True\)"
    with pytest.raises(ValueError, match=message):
        loaded.partial_fit(X, Y)
    loaded.set_params(warm_start=True, max_iter=9)
    with pytest.raises(ValueError, match=message):
        loaded.fit(X, Y)
    with pytest.raises(ValueError, match=message):
        fit_population([loaded], X, Y)
    with pytest.raises(ValueError, match="loaded from a file that was saved without"):
        saved(loaded, training_state=True)
    loaded.set_params(warm_start=False, max_iter=3)
    assert_same(loaded, model)
    assert_same_model(loaded.fit(X, Y), model.fit(X, Y))
    assert_same_model(loaded, model)


def test_a_model_without_its_training_state_says_so_past_the_end_of_the_schedule():
    loaded = reloaded(small(max_iter=1).fit(X, Y))
    with pytest.raises(ValueError, match="saved without training state"):
        loaded.partial_fit(X, Y)


def format_version(data):
    with np.load(io.BytesIO(data)) as arrays:
        return json.loads(arrays["header.json"])["format_version"]


def test_the_format_is_that_of_earlier_versions_where_it_will_do(monkeypatch):
    plain = [small(), small(hidden_layer_sizes=(4, 4), activation=["elu", "elu"])]
    assert [format_version(saved(model.fit(X, Y))) for model in plain] == [1, 1]
    mixed = saved(small(hidden_layer_sizes=(4, 4), activation=["elu", "tanh"]).fit(X, Y))
    assert format_version(mixed) == 2
    monkeypatch.setattr(predictor, "FORMAT_VERSION", 1)
    message = "later version of skbn: its format is 2, and this one reads 1. Read it with"
    for read in (predictor.load, load_model):
        with pytest.raises(ValueError, match=message):
            read(io.BytesIO(mixed))


# Labels and names.

MANY = np.arange(60) % 3
LABELS = {
    "integers": MANY,
    "negative int8": (MANY - 2).astype(np.int8),
    "uint64": MANY.astype(np.uint64) + np.uint64(2**63),
    "large integers": MANY + 2**60,
    "big-endian integers": MANY.astype(">i4"),
    "booleans": MANY > 0,
    "floats": MANY.astype(float),
    "float32": MANY.astype(np.float32),
    "fixed-width text": np.array(["a", "bé", "漢字"])[MANY],
    "text": np.array(["a", "long " * 9, ""], dtype=object)[MANY],
    "text with surrogates and zeros": np.array(["\0", "a\0", "\ud800"], dtype=object)[MANY],
    "text of NumPy": np.array([np.str_("a"), "b", "c"], dtype=object)[MANY],
    "days": np.array(["2020-01-01", "1950-01-01", "2300-01-01"], "M8[D]")[MANY],
    "nanoseconds": np.array(["2020-01-01", "1950-01-01", "2200-01-01"], "M8[ns]")[MANY],
    "a category": pd.Series(np.array(["a", "b", "c"])[MANY], dtype="category"),
    "a category of integers": pd.Series(MANY + 5, dtype="category"),
    "Int64": pd.Series(MANY, dtype="Int64"),
    "boolean": pd.Series(MANY > 0, dtype="boolean"),
    "string": pd.Series(np.array(["a", "b", "c"])[MANY], dtype="string"),
    "dates of pandas": pd.Series(pd.to_datetime(np.array(["2020-01-01", "2021-05-05"])[MANY % 2])),
    "a list of text": np.array(["a", "b", "c"])[MANY].tolist(),
}


@pytest.mark.parametrize("kind", LABELS)
def test_labels_come_back_as_they_are(kind):
    model = small().fit(X, LABELS[kind])
    assert_same(reloaded(model), model)


def test_names_of_features_come_back_and_are_checked():
    frame = pd.DataFrame(X, columns=["a", "b é", "c\n", "漢"])
    model = small().fit(frame, Y)
    loaded = reloaded(model)
    names = model.feature_names_in_
    np.testing.assert_array_equal(loaded.feature_names_in_, names, strict=True)
    np.testing.assert_array_equal(loaded.predict(frame), model.predict(frame))
    with pytest.raises(ValueError, match="feature names should match"):
        loaded.predict(frame[["b é", "a", "c\n", "漢"]])


# Parameters.

WEIGHTS = {
    "text": (np.array(["a", "b", "c"])[MANY], {"a": 1, "b": 2.5}),
    "integers of NumPy": (MANY, {np.int64(1): np.float32(0.1)}),
    "booleans": (MANY > 0, {True: 2, np.False_: 1}),
    "balanced": (MANY, "balanced"),
}


@pytest.mark.parametrize("kind", WEIGHTS)
def test_class_weights_come_back_with_the_types_of_their_keys(kind):
    labels, weights = WEIGHTS[kind]
    loaded = reloaded(small(class_weight=weights).fit(X, labels))
    assert loaded.class_weight == weights
    if isinstance(weights, dict):
        pairs = zip(loaded.class_weight.items(), weights.items(), strict=True)
        assert all([type(a) for a in ours] == [type(b) for b in its] for ours, its in pairs)


VALUES = {
    "tuples in lists": [1, (2, [3, ()])],
    "no number": [float("nan"), float("inf"), -float("inf"), -0.0],
    "numbers of NumPy": [
        np.float16(0.1),
        np.uint8(3),
        np.bool_(True),
        np.str_("a"),
        np.bytes_(b"\xff"),
    ],
    "dates": [np.datetime64("2020-01-01T01"), np.timedelta64(3, "s"), np.datetime64("NaT", "D")],
    "arrays": [np.zeros((0, 3)), np.eye(2, dtype=">f4"), np.array(["a", None, 2], object)],
    "large integers": [2**200, -(2**63)],
    "dicts": {1: {True: None}, (2, "a"): {}, "1": [{}]},
    "names of kinds": {"tuple": [1], "dict": {"float": "nan"}},
}


@pytest.mark.parametrize("kind", VALUES)
def test_values_that_json_lacks_come_back(kind):
    model = small().fit(X, Y).set_params(class_weight=VALUES[kind])
    loaded = reloaded(model).class_weight
    assert repr(loaded) == repr(VALUES[kind])
    arrays = [each for each in VALUES[kind] if isinstance(each, np.ndarray)]
    assert [loaded[k].dtype for k in range(len(arrays))] == [each.dtype for each in arrays]


def test_a_random_state_comes_back_where_it_stood():
    stream = np.random.RandomState(3)
    stream.standard_normal(5)
    loaded = reloaded(small().fit(X, Y).set_params(random_state=stream)).random_state
    np.testing.assert_array_equal(loaded.standard_normal(700), stream.standard_normal(700))


REFUSED = {
    "alpha": Fraction(1, 10),
    "tol": np.longdouble(0.1),
    "class_weight": {pd.Timestamp("2020-01-01"): 1.0},
    "hidden_layer_sizes": pd.Series([3, 4]),
    "random_state": np.random.RandomState(np.random.PCG64(0)),
    "max_iter": np.zeros(2, dtype=[("a", int)]),
    "verbose": print,
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_cannot_be_represented_is_refused_by_its_name(name, tmp_path):
    model = small().fit(X, Y).set_params(**{name: REFUSED[name]})
    with pytest.raises(ValueError, match=f"the parameter {name} .*cannot hold"):
        save_model(model, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda m: m.coefs_[1].fill(np.nan), "weights_1 holds what is no finite"),
        (lambda m: m.history_["loss"].append(1.0), "loss is not of all epochs"),
        (lambda m: m.history_.update(note="abc"), "note is not of all epochs"),
        (lambda m: m.history_.pop("seconds"), "history lacks"),
    ],
)
def test_what_could_not_be_read_is_not_written(tmp_path, change, message):
    model = small().fit(X, Y)
    change(model)
    with pytest.raises(ValueError, match=f"is not saved, for it could not be loaded: .*{message}"):
        save_model(model, tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


class Colour(str, Enum):  # noqa: UP042 -- a StrEnum gives its text by str() too
    RED, BLUE = "red", "blue"


def test_labels_of_an_enumeration_are_their_texts():
    labels = np.array([Colour.RED, Colour.BLUE], object)[Y % 2]
    loaded = reloaded(small().fit(X, labels), training_state=True)
    assert loaded.classes_.tolist() == ["blue", "red"]
    loaded.set_params(max_iter=9).partial_fit(X, labels)


class Slow(io.RawIOBase):
    """A file that takes a hundred bytes at a time, and so many in all."""

    def __init__(self, n_bytes):
        self.data, self.n_bytes = b"", n_bytes

    def writable(self):
        return True

    def write(self, data):
        part = bytes(data[: min(100, self.n_bytes - len(self.data))])
        self.data += part
        return len(part)


def test_a_file_that_takes_a_part_at_a_time_is_given_all():
    model, file = small().fit(X, Y), Slow(10**6)
    save_model(model, file)
    assert file.data == saved(model)
    with pytest.raises(OSError, match="takes no more"):
        save_model(model, Slow(2000))


def test_a_model_too_large_for_the_format_is_refused(tmp_path, monkeypatch):
    model = small().fit(pd.DataFrame(X, columns=["a" * 10**7, "b", "c", "d"]), Y)
    with pytest.raises(ValueError, match=r"header of the file would have 10,0.* can have 8,"):
        save_model(model, tmp_path / "model.npz")
    monkeypatch.setattr(container, "MAX_BYTES", 10**4)
    with pytest.raises(ValueError, match="more than 4 GB"):
        save_model(small(hidden_layer_sizes=(99,)).fit(X, Y), tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


# Models that are no classifiers.


class Subclass(BNSoftmaxClassifier):
    pass


OTHERS = {
    "a Pipeline": (make_pipeline(StandardScaler(), small()), r"skops\.io\.dump.*pipeline\[-1\]"),
    "a search": (GridSearchCV(small(), {"alpha": [0.1]}, cv=2), "best_estimator_"),
    "a subclass": (Subclass(hidden_layer_sizes=(3,)), r"would not be of the subclass.*skops"),
    "another classifier": (StandardScaler(), r"a StandardScaler.*skops\.io\.dump"),
}


@pytest.mark.parametrize("kind", OTHERS)
def test_other_models_are_refused_with_advice(kind, tmp_path):
    model, message = OTHERS[kind]
    with pytest.raises(TypeError, match=message):
        save_model(model.fit(X, Y), tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


def test_a_model_that_is_not_fitted_is_refused(tmp_path):
    with pytest.raises(NotFittedError):
        save_model(small(), tmp_path / "model.npz")
    assert list(tmp_path.iterdir()) == []


# Writing.


@pytest.mark.parametrize("as_path", [str, Path, os.fsencode])
def test_a_file_is_written_where_it_is_told(as_path, tmp_path):
    path, model = tmp_path / "model without ending", small().fit(X, Y)
    save_model(model, as_path(path))
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert_same(load_model(as_path(path)), model)
    with np.load(path, allow_pickle=False) as arrays:
        np.testing.assert_array_equal(arrays["weights_0"][0], model.coefs_[0])
        assert {"header.json", "var_0", "bias_1"} < set(arrays.files)


def test_a_file_has_the_rights_of_new_files_and_keeps_those_of_the_one_before(tmp_path):
    model, path, other = small().fit(X, Y), tmp_path / "model.npz", tmp_path / "other"
    other.touch()
    save_model(model, path)
    assert path.stat().st_mode == other.stat().st_mode
    path.chmod(0o640)
    (tmp_path / "link").symlink_to(path)
    save_model(model, tmp_path / "link")
    assert (path.stat().st_mode & 0o777, path.is_symlink()) == (0o640, False)
    assert (tmp_path / "link").is_symlink()


@pytest.mark.parametrize("error", [OSError("no space"), KeyboardInterrupt()])
def test_a_file_is_written_whole_or_not_at_all(error, tmp_path, monkeypatch):
    path = tmp_path / "model.npz"
    save_model(small().fit(X, Y), path)
    before = path.read_bytes()

    def fail(number):
        raise error

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(type(error)):
        save_model(small(random_state=1).fit(X, Y), path)
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


def test_threads_may_write_one_file(tmp_path):
    path, model = tmp_path / ("m" * 255), small().fit(X, Y)
    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(lambda _: save_model(model, path), range(40))) == [None] * 40
    assert [each.name for each in tmp_path.iterdir()] == [path.name]
    assert_same(load_model(path), model)


def test_a_path_that_is_no_file_is_an_error(tmp_path):
    with pytest.raises(OSError, match=str(tmp_path)):
        save_model(small().fit(X, Y), tmp_path)
    with pytest.raises(FileNotFoundError):
        save_model(small().fit(X, Y), tmp_path / "no folder" / "model.npz")
    with pytest.raises(FileNotFoundError):
        load_model(tmp_path / "none.npz")


def test_a_stream_that_cannot_go_back_is_read():
    data = saved(small().fit(X, Y))
    read, wrote = os.pipe()
    with open(wrote, "wb") as target:
        target.write(data)
    with open(read, "rb") as source:
        assert saved(load_model(source)) == data
