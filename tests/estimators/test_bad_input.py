"""What is refused, and what the error says."""

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.exceptions import NotFittedError
from sklearn.utils.class_weight import compute_class_weight

from skbn import BNSoftmaxClassifier

PREDICTIONS = ("predict", "predict_proba", "predict_log_proba", "decision_function")


def changed(X, value):
    """A copy of X with one cell replaced."""
    X = X.copy()
    X[17, 2] = value
    return X


# Rows.


def as_frame(X):
    return pd.DataFrame(X, columns=list("abcd"))


def as_nullable_frame(X):
    return as_frame(X).astype("Float64")


@pytest.mark.parametrize("kind", [np.array, as_frame, as_nullable_frame, sparse.csr_matrix, list])
def test_missing_values_are_refused_with_a_remedy(iris, quick, kind):
    X, y = iris
    model = quick().fit(kind(X), y)
    with_nan = kind(changed(X, np.nan))
    message = r"X contains NaN.*SimpleImputer"
    with pytest.raises(ValueError, match=message):
        quick().fit(with_nan, y)
    with pytest.raises(ValueError, match=message):
        model.partial_fit(with_nan, y)
    for method in PREDICTIONS:
        with pytest.raises(ValueError, match=message):
            getattr(model, method)(with_nan)


@pytest.mark.parametrize("kind", [np.array, as_frame, sparse.csr_array])
@pytest.mark.parametrize("value", [np.inf, -np.inf])
def test_infinity_is_refused(iris, quick, kind, value):
    X, y = iris
    with pytest.raises(ValueError, match="X contains infinity"):
        quick().fit(kind(changed(X, value)), y)
    with pytest.raises(ValueError, match="X contains infinity"):
        quick().fit(kind(X), y).predict(kind(changed(X, value)))


@pytest.mark.parametrize("kind", [np.array, sparse.csr_array])
def test_values_beyond_float32_are_refused(iris, quick, kind):
    X, y = iris
    with pytest.raises(ValueError, match="too large for float32"):
        quick().fit(kind(changed(X, 1e39)), y)


def test_the_last_row_of_many_is_checked(quick):
    X = np.zeros((10_001, 2))
    X[-1, -1] = np.nan
    with pytest.raises(ValueError, match="NaN"):
        quick().fit(X, np.arange(10_001) % 2)


def test_a_missing_cell_of_a_polars_frame(iris, quick):
    polars = pytest.importorskip("polars")
    frame = polars.DataFrame({"a": [None, *iris[0][1:, 0].tolist()], "b": iris[0][:, 1]})
    with pytest.raises(ValueError, match="SimpleImputer"):
        quick().fit(frame, iris[1])


def test_a_lazy_frame_is_refused_with_a_remedy(iris, quick):
    polars = pytest.importorskip("polars")
    X, y = iris
    lazy = polars.DataFrame(X).lazy()
    model = quick().fit(X, y)
    for call in (model.fit, model.partial_fit):
        with pytest.raises(TypeError, match=r"LazyFrame.*X\.collect\(\)"):
            call(lazy, y)
    with pytest.raises(TypeError, match=r"LazyFrame.*X\.collect\(\)"):
        model.predict(lazy)


def test_complex_numbers_are_refused(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="Complex data not supported"):
        quick().fit(X + 1j, y)
    with pytest.raises(ValueError, match="Complex data not supported"):
        quick().fit(X, y).predict(X + 1j)


def test_text_is_refused(iris, quick):
    X, y = iris
    frame = as_frame(X).assign(colour="red")
    with pytest.raises(ValueError, match="could not convert string to float: 'red'"):
        quick().fit(frame, y)
    with pytest.raises(ValueError, match="could not convert string to float: 'red'"):
        quick().fit(frame.assign(colour=0), y).predict(frame)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((0, 4), "Found array with 0 sample"),
        ((150, 0), "Found array with 0 feature"),
        ((150,), "Expected 2D array, got 1D array"),
        ((150, 2, 2), "Found array with dim 3"),
    ],
)
def test_tables_of_the_wrong_shape_are_refused(iris, quick, shape, message):
    X, y = iris
    with pytest.raises(ValueError, match=message):
        quick().fit(np.zeros(shape), y[: shape[0]])
    if shape != (150, 0):
        with pytest.raises(ValueError, match=message):
            quick().fit(X, y).predict(np.zeros(shape))


@pytest.mark.parametrize("method", [*PREDICTIONS, "partial_fit", "score"])
def test_the_number_of_features_is_kept(iris, quick, method):
    X, y = iris
    model = quick().fit(X, y)
    labels = (y,) if method in ("partial_fit", "score") else ()
    with pytest.raises(ValueError, match=r"X has 3 features, but .* is expecting 4"):
        getattr(model, method)(X[:, :3], *labels)


@pytest.mark.parametrize("method", [*PREDICTIONS, "partial_fit", "score"])
def test_names_and_order_of_the_features_are_kept(iris, quick, method):
    frame, y = as_frame(iris[0]), iris[1]
    model = quick().fit(frame, y)
    labels = (y,) if method in ("partial_fit", "score") else ()
    with pytest.raises(ValueError, match="feature names should match"):
        getattr(model, method)(frame.rename(columns={"a": "z"}), *labels)
    with pytest.raises(ValueError, match="must be in the same order"):
        getattr(model, method)(frame[list("bacd")], *labels)


def test_rows_without_names_get_a_warning(iris, quick):
    X, y = iris
    with pytest.warns(UserWarning, match="X does not have valid feature names"):
        quick().fit(as_frame(X), y).predict(X)


@pytest.mark.parametrize("method", PREDICTIONS)
def test_nothing_is_predicted_before_fit(iris, method):
    with pytest.raises(NotFittedError, match="not fitted yet"):
        getattr(BNSoftmaxClassifier(), method)(iris[0])


# Few rows, few classes.


def test_one_class_is_not_enough(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match=r"one class only, 'a'.*at least two classes"):
        quick().fit(X, np.full(len(y), "a"))
    with pytest.raises(ValueError, match=r"one class only, 1;.*at least two classes"):
        quick().fit(X, np.ones(len(y), dtype=int))
    with pytest.raises(ValueError, match="at least two classes"):
        quick().partial_fit(X, y, classes=[0])


def test_one_row_is_not_enough(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="class"):
        quick().fit(X[:1], y[:1])


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_one_row_of_positive_weight_is_too_few_for_batch_norm(iris, quick, method):
    X, y = iris
    weights = np.zeros(len(y))
    weights[3] = 1
    arguments = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    message = "at least two training rows of positive weight, got n_samples=1.*batch_norm=False"
    with pytest.raises(ValueError, match=message):
        getattr(quick(), method)(X, y, sample_weight=weights, **arguments)
    for enough in (quick(batch_norm=False), quick(hidden_layer_sizes=())):
        getattr(enough, method)(X, y, sample_weight=weights, **arguments)


def test_one_row_left_by_early_stopping_is_too_few_for_batch_norm(iris, quick):
    X, y = iris
    model = quick(early_stopping=True, validation_fraction=0.5)
    two = np.flatnonzero(y == 0)[:2]
    model.partial_fit(X, y, classes=[0, 1, 2]).set_params(warm_start=True)
    with pytest.raises(ValueError, match="at least two training rows"):
        model.fit(X[two], y[two])


def test_early_stopping_needs_a_row_to_spare(iris, quick):
    X, y = iris
    one_of_each = [np.flatnonzero(y == label)[0] for label in range(3)]
    with pytest.raises(ValueError, match="early_stopping needs at least two rows in one"):
        quick(early_stopping=True).fit(X[one_of_each], y[one_of_each])


# Labels.


@pytest.mark.parametrize(
    "missing",
    [
        pd.Series(["a", None, "b"], dtype=object),
        pd.Series(["a", np.nan, "b"], dtype=object),
        pd.Series(["a", pd.NA, "b"], dtype=object),
        pd.Series(["a", None, "b"], dtype="string"),
        pd.Series(["a", None, "b"], dtype="category"),
        pd.Series([0, None, 1], dtype="Int64"),
        pd.Series([True, None, False], dtype="boolean"),
        pd.Series([0, None, 1], dtype="Float64"),
        pd.Series([0, None, 1], dtype="category"),
        pd.Series([0.0, np.nan, 1.0]),
        np.array([0.0, np.nan, 1.0]),
        np.array(["a", None, "b"], dtype=object),
        np.array(["2020", "NaT", "2021"], dtype="datetime64[Y]"),
        ["a", None, "b"],
        ["a", float("nan"), "b"],
        [0, None, 1],
        [0, float("nan"), 1],
        pd.DataFrame({"y": ["a", None, "b"]}),
    ],
    ids=repr,
)
def test_missing_labels_are_refused(quick, missing):
    y = missing * 2 if isinstance(missing, list) else np.tile(np.arange(3), 2)
    y = y if isinstance(missing, list) else missing_rows(missing, y)
    with pytest.raises(ValueError, match=r"y contains NaN.*2 of 6 labels are missing"):
        quick().fit(np.eye(6), y)


def missing_rows(labels, rows):
    """Labels repeated, in their own type."""
    return labels.iloc[rows] if hasattr(labels, "iloc") else labels[rows]


@pytest.mark.parametrize("dtype", ["String", "Int64", "Boolean", "Categorical"])
def test_missing_labels_of_polars_are_refused(quick, dtype):
    polars = pytest.importorskip("polars")
    values = {"String": "a", "Categorical": "a", "Int64": 3, "Boolean": True}
    y = polars.Series([values[dtype], None, values[dtype]], dtype=getattr(polars, dtype))
    with pytest.raises(ValueError, match=r"y contains NaN.*1 of 3 labels are missing"):
        quick().fit(np.eye(3), y)


def test_missing_validation_labels_are_refused(iris, quick):
    X, y = iris
    missing = y.astype(float)
    missing[3] = np.nan
    with pytest.raises(ValueError, match=r"y_val.*1 of 150 labels are missing"):
        quick().fit(X, y, X_val=X, y_val=missing)


def test_continuous_labels_are_refused(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="Unknown label type: continuous"):
        quick().fit(X, X[:, 0])
    # Once the classes are known, what is wrong is that these are none of them.
    with pytest.raises(ValueError, match="not among the classes"):
        quick().partial_fit(X, X[:, 0], classes=[0, 1, 2])
    with pytest.raises(ValueError, match="not among the classes"):
        quick(warm_start=True).fit(X, y).fit(X, X[:, 0])


def test_several_outputs_are_refused(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="y should be a 1d array"):
        quick().fit(X, np.c_[y, y])
    with pytest.raises(ValueError, match="y should be a 1d array"):
        quick().fit(X, np.eye(3)[y])


@pytest.mark.parametrize("first", ["a", 1])
def test_labels_of_mixed_types_are_refused(iris, quick, first):
    X, y = iris
    mixed = np.where(y == 0, "b", y.astype(object))
    mixed[0] = first
    with pytest.raises(ValueError, match=r"mixes labels of the types int, str"):
        quick().fit(X, mixed)


def test_no_labels_are_refused(iris, quick):
    with pytest.raises(ValueError, match="requires y to be passed"):
        quick().fit(iris[0], None)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_as_many_labels_as_rows(iris, quick, method):
    X, y = iris
    arguments = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=r"inconsistent numbers of samples: \[150, 149\]"):
        getattr(quick(), method)(X, y[:-1], **arguments)


# Weights.


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (-np.ones(150), r"sample_weight must not be negative, got -1.0"),
        (np.r_[-1e-9, np.ones(149)], r"sample_weight must not be negative, got -1e-09"),
        (np.zeros(150), r"sample_weight is zero for all rows"),
        (np.r_[np.nan, np.ones(149)], r"sample_weight contains NaN"),
        (np.r_[np.inf, np.ones(149)], r"sample_weight contains infinity"),
        (np.ones(149), r"sample_weight has 149 elements for 150 rows"),
        (np.ones((150, 2)), r"sample_weight"),
        (["heavy"] * 150, r"could not convert string to float"),
    ],
)
@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_weights_that_are_none(iris, quick, method, weights, message):
    arguments = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=message):
        getattr(quick(), method)(*iris, sample_weight=weights, **arguments)


def test_a_class_weight_for_no_class(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match=r"class_weight names \[7\].* classes \[0, 1, 2\]"):
        quick(class_weight={0: 2, 7: 1}).fit(X, y)
    with pytest.raises(ValueError, match=r"class_weight names \['0'\].* no weight for \[0, 1, 2\]"):
        quick(class_weight={"0": 2}).fit(X, y)


@pytest.mark.parametrize("value", [-1, np.nan, np.inf, None, [], [1, 2], "much", 10**400])
def test_class_weights_that_are_none(iris, quick, value):
    with pytest.raises(ValueError, match="class_weight must hold finite values >= 0"):
        quick(class_weight={0: value}).fit(*iris)


def test_class_weights_of_zero_for_all(iris, quick):
    with pytest.raises(ValueError, match="zero for all rows"):
        quick(class_weight=dict.fromkeys(range(3), 0)).fit(*iris)


def test_the_remedy_for_balanced_in_partial_fit_works(iris, quick):
    X, y = iris
    weights = compute_class_weight("balanced", classes=np.unique(y), y=y)
    by_class = dict(enumerate(weights))
    quick(class_weight=by_class).partial_fit(X, y, classes=[0, 1, 2])


# The validation set.


@pytest.mark.parametrize("given", ["X_val", "y_val"])
def test_validation_rows_and_labels_go_together(iris, quick, given):
    X, y = iris
    with pytest.raises(ValueError, match="X_val and y_val go together"):
        quick().fit(X, y, **{given: X if given == "X_val" else y})


def test_weights_of_no_validation_rows(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match="sample_weight_val"):
        quick().fit(X, y, sample_weight_val=np.ones(150))


def test_unseen_validation_labels(iris, quick):
    X, y = iris
    with pytest.raises(ValueError, match=r"y_val.*\[3\].*\[0, 1, 2\]"):
        quick().fit(X, y, X_val=X, y_val=y + 1)


@pytest.mark.parametrize(
    ("val", "message"),
    [
        ({"X_val": np.full((9, 4), np.nan), "y_val": np.zeros(9)}, r"X_val.*NaN"),
        ({"X_val": np.zeros((9, 3)), "y_val": np.zeros(9)}, "3 features"),
        ({"X_val": np.zeros((9, 4)), "y_val": np.zeros(8)}, r"\[9, 8\]"),
        ({"X_val": np.zeros((0, 4)), "y_val": np.zeros(0)}, "0 sample"),
        (
            {"X_val": np.zeros((9, 4)), "y_val": np.zeros(9), "sample_weight_val": -np.ones(9)},
            "sample_weight_val",
        ),
        (
            {"X_val": np.zeros((9, 4)), "y_val": np.zeros(9), "sample_weight_val": np.ones(8)},
            "sample_weight_val",
        ),
    ],
)
def test_validation_rows_that_are_none(iris, quick, val, message):
    with pytest.raises(ValueError, match=message):
        quick().fit(*iris, **val)


# Parameters that only show when data are there.


@pytest.mark.parametrize(
    "sizes", [(100, 0), (100, -3), (100, 2.0), [(5, 5)], [(5,), (5, 5)], ("8",), (8, None)]
)
def test_hidden_layer_sizes_that_are_none(iris, quick, sizes):
    with pytest.raises(ValueError) as error:  # noqa: PT011
        quick(hidden_layer_sizes=sizes).fit(*iris)
    message = f"hidden_layer_sizes must hold positive integers, got {tuple(sizes)}"
    assert str(error.value) == message


def test_hidden_layer_sizes_are_shown_as_numbers(iris, quick):
    with pytest.raises(ValueError, match=r"got \(100, 0\)"):
        quick(hidden_layer_sizes=np.array([100, 0])).fit(*iris)


def test_hidden_layer_sizes_without_a_dimension(iris, quick):
    with pytest.raises(ValueError, match="hidden_layer_sizes"):
        quick(hidden_layer_sizes=np.array(2.5)).fit(*iris)


@pytest.mark.parametrize("method", ["fit", "partial_fit"])
def test_batch_norm_needs_batches_of_two_rows(iris, quick, method):
    arguments = {"classes": [0, 1, 2]} if method == "partial_fit" else {}
    with pytest.raises(ValueError, match=r"batch_size=1 .*batch norm.*batch_norm=False"):
        getattr(quick(batch_size=1), method)(*iris, **arguments)


def test_an_unknown_solver(iris, quick):
    with pytest.raises(ValueError, match=r"The 'solver' parameter .* must be a str among .*adam"):
        quick(solver="lbfgs").fit(*iris)


@pytest.mark.parametrize("batch_norm", [True, False])
def test_divergence_names_epoch_and_learning_rate(iris, quick, batch_norm):
    model = quick(
        solver="sgd", learning_rate_init=1e6, learning_rate="constant", batch_norm=batch_norm
    )
    with pytest.raises(ValueError, match=r"diverged in epoch 1.*learning rate 1e\+06"):
        model.fit(*iris)


def test_divergence_names_the_epoch_it_came_in(iris, quick):
    X, y = iris
    model = quick(solver="sgd", max_iter=9).partial_fit(X, y, classes=[0, 1, 2])
    model.partial_fit(X, y)
    model.set_params(learning_rate_init=1e6, learning_rate="constant")
    with pytest.raises(ValueError, match=r"diverged in epoch 3.*learning_rate_init"):
        model.partial_fit(X, y)


@pytest.mark.parametrize("learning_rate_init", [1e10, 1e40, 1e300])
@pytest.mark.parametrize("solver", ["sgd", "rmsprop", "adam", "adamw"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_no_rate_ends_in_anything_but_a_finite_model_or_an_error(
    iris, quick, solver, dtype, learning_rate_init
):
    X, y = iris
    model = quick(solver=solver, dtype=dtype, learning_rate_init=learning_rate_init)
    try:
        model.fit(X, y)
    except ValueError as error:
        assert "diverged in epoch" in str(error)  # noqa: PT017
    else:
        assert np.isfinite(model.predict_proba(X)).all()
