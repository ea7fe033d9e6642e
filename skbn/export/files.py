"""Classifiers in files of a stable format: `skbn.export.predictor` says how they are read."""

from __future__ import annotations

import platform
from io import BytesIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import sklearn

from skbn._version import __version__
from skbn.estimators.arrays import fitted_ensemble, fitted_progress
from skbn.estimators.checked_table import CheckedTable
from skbn.estimators.classifier import BNSoftmaxClassifier, attributes_after, set_attributes
from skbn.estimators.fitting import Outcome
from skbn.export.container import file_bytes, write
from skbn.export.encoding import decoded, encoded, encoded_array
from skbn.export.networks import (
    described_networks,
    described_training,
    named_arrays,
    progress_of,
    written_activation,
    written_loss,
)
from skbn.export.predictor import FORMAT, errors_of, read, require, version_of
from skbn.network.architecture import Architecture
from skbn.network.forward_only import name_of
from skbn.training.ensemble import Ensemble
from skbn.training.holdout import Dataset

ADDED_PARAMETERS: dict[str, Any] = {"loss": "cross_entropy", "focal_gamma": 2.0}
"""Parameters that files of earlier versions lack, and the values by which models do as they did."""


def save_model(model: Any, path: Any, training_state: bool = False) -> None:
    """Save a fitted classifier in a file that this and later versions read.

    The file is a ``.npz`` of arrays with a JSON header, of a documented and stable format.
    Reading it runs no code. `load_model` gives the classifier again, and the single file
    ``skbn/export/predictor.py`` predicts from it with NumPy alone.

    Parameters
    ----------
    model : BNSoftmaxClassifier
    path : str, path-like or binary file object
        Where to write, to the letter: no ``.npz`` is appended.
    training_state : bool, default=False
        Whether to save what `partial_fit`, and `fit` with ``warm_start``, need to go on as if
        the model had never been saved. The file is two to three times as large.

    Raises
    ------
    NotFittedError
        If the model is not fitted.
    TypeError
        If it is no BNSoftmaxClassifier. Transformers of a Pipeline and the results of a search
        are not in this format.
    ValueError
        If a parameter or a label cannot be represented, such as an activation that is a function
        of one's own; or if the loss is one and ``training_state`` is asked for. Nothing is written
        then.

    See Also
    --------
    load_model : Load it.

    Notes
    -----
    Metadata requests, and attributes that others set on the model, are not in the file; nor is the
    record of an adaptation, ``adaptation_`` and ``class_prior_interval_``. Of a loss
    of one's own it has the name, such as "losses.focal": the loaded model predicts the same bits,
    and trains anew once `set_params` gives it a loss.

    Examples
    --------
    >>> from io import BytesIO
    >>> from sklearn.datasets import load_iris
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.export import load_model, save_model
    >>> X, y = load_iris(return_X_y=True)
    >>> model = BNSoftmaxClassifier(random_state=0).fit(X, y)
    >>> file = BytesIO()
    >>> save_model(model, file)
    >>> _ = file.seek(0)
    >>> load_model(file).score(X, y) == model.score(X, y)
    True
    """
    check_is_classifier(model, "save_model")
    data = model_bytes(model, training_state)
    try:
        load_model(BytesIO(data))
    except ValueError as error:
        raise ValueError(f"the model is not saved, for it could not be loaded: {error}") from None
    write(path, data)


def model_bytes(model: BNSoftmaxClassifier, training_state: bool) -> memoryview:
    """Give the bytes of the file that `save_model` writes, whether they can be loaded or not."""
    progress, n_members = fitted_progress(model), len(fitted_ensemble(model).networks)
    if not training_state:
        progress = progress[:n_members]
    elif not all(each.can_go_on for each in progress):
        raise ValueError(
            "training_state=True needs a model that has one: this one was loaded from a file that "
            "was saved without"
        )
    header = {
        **_described_model(model, training_state),
        "networks": described_networks(progress),
        "training_state": described_training(progress) if training_state else None,
    }
    return file_bytes(header, named_arrays(progress, training_state))


def load_model(path: Any) -> BNSoftmaxClassifier:
    """Load a classifier that `save_model` saved.

    It predicts the same bits. If it was saved without its training state it does not go on
    training, but `fit` trains it anew.

    Parameters
    ----------
    path : str, path-like or binary file object

    Returns
    -------
    model : BNSoftmaxClassifier

    Raises
    ------
    ValueError
        If it is no model file, is damaged or forged, or is of a later version of the format.
    """
    header, arrays = read(path)
    with errors_of(path):
        parameters = {name: decoded(value) for name, value in header["parameters"].items()}
        parameters = ADDED_PARAMETERS | parameters
        wrong = sorted(parameters.keys() ^ BNSoftmaxClassifier().get_params().keys())
        text = str(wrong)[:200]
        require(not wrong, f"it lacks, or has beside those of this version, parameters {text}")
        how = header["architecture"]
        how |= {name: tuple(value) for name, value in how.items() if type(value) is list}
        n_features, n_outputs = header["n_features"], len(header["classes"])
        architecture = Architecture(n_features=n_features, n_outputs=n_outputs, **how)
        progress = progress_of(architecture, header, arrays)
    networks = [each.network for each in progress[: header["n_members"]]]
    ratio = header.get("log_prior_ratio")
    ratio = None if ratio is None else np.array(ratio)
    outcome = Outcome(Ensemble(networks, header["temperature"], ratio), progress)
    model = BNSoftmaxClassifier(**parameters)
    set_attributes([(model, attributes_after(model, _table_without_rows(header), outcome))])
    return model


def check_is_classifier(model: Any, function: str) -> None:
    """Make sure that a model is one that a function saves, or say what to do with it."""
    if type(model) is BNSoftmaxClassifier:
        return
    advice = "Models of other classes are saved by skops.io.dump"
    if hasattr(model, "steps"):
        advice = (
            "Transformers are not in it: save the Pipeline with skops.io.dump, and the classifier "
            f"alone with {function}(pipeline[-1], ...)"
        )
    elif hasattr(model, "estimator"):
        advice = (
            f"Save the model that a search found with {function}(search.best_estimator_, ...), "
            "and the search itself with skops.io.dump"
        )
    elif isinstance(model, BNSoftmaxClassifier):
        advice = "What is loaded would not be of the subclass: save it with skops.io.dump"
    raise TypeError(
        f"{function} takes a BNSoftmaxClassifier, and this is a {type(model).__name__}. {advice}"
    )


def described_parameters(model: BNSoftmaxClassifier, training_state: bool) -> dict[str, Any]:
    """Give the parameters as a header has them.

    A loss that is a function is its name, with which `fit` asks for the function, unless training
    is to go on.

    Raises
    ------
    ValueError
        If one cannot be represented.
    """
    parameters = model.get_params(deep=False)
    loss = parameters["loss"]
    if callable(loss) and not training_state:
        parameters["loss"] = f"{getattr(loss, '__module__', None)}.{name_of(loss)}"
    return {name: encoded(value, f"the parameter {name}") for name, value in parameters.items()}


def _described_model(model: BNSoftmaxClassifier, training_state: bool) -> dict[str, Any]:
    """Give what a header says of a model, without its networks."""
    ensemble, classes = fitted_ensemble(model), model.classes_
    architecture = ensemble.networks[0].architecture
    activation = written_activation(architecture, "a model file")
    loss = written_loss(architecture, training_state)
    names = getattr(model, "feature_names_in_", None)
    ratio = ensemble.log_prior_ratio
    version = version_of(activation, loss) if ratio is None else 3
    corrected = {} if ratio is None else {"log_prior_ratio": ratio.tolist()}
    if classes.dtype.kind == "O":
        classes = np.array([str.__str__(label) for label in classes], object)
    return {
        "format": FORMAT,
        "format_version": version,  # earlier versions read earlier ones
        "versions": {
            "skbn": __version__,
            "numpy": np.__version__,
            "scikit-learn": sklearn.__version__,
            "python": platform.python_version(),
        },
        "parameters": described_parameters(model, training_state),
        "classes": encoded_array(classes, "classes_"),
        "n_features": int(model.n_features_in_),
        "feature_names": None if names is None else [str(name) for name in names],
        "architecture": {
            "hidden_layer_sizes": list(architecture.hidden_layer_sizes),
            "activation": activation,
            "batch_norm": architecture.batch_norm,
            "loss": loss,
        },
        "dtype": ensemble.networks[0].theta.dtype.name,
        "n_members": len(ensemble.networks),
        "temperature": float(ensemble.temperature),
        **corrected,
    }


def _table_without_rows(header: dict[str, Any]) -> CheckedTable:
    n_features, names = header["n_features"], header["feature_names"]
    checker = SimpleNamespace(n_features_in_=n_features)
    if names is not None:
        checker.feature_names_in_ = np.array(names, dtype=object)
    rows = Dataset(np.empty((0, 1)), np.empty(0, np.intp))
    return CheckedTable(checker, rows, header["classes"])
