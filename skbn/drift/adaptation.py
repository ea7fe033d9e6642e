"""A fitted classifier for rows that are unlike those it was trained on, without their labels."""

from __future__ import annotations

import sys
import warnings
from copy import deepcopy
from numbers import Real
from typing import Any

import numpy as np
from scipy.sparse import issparse
from sklearn.base import is_classifier
from sklearn.utils.validation import check_is_fitted

from skbn._compat import n_samples, safe_indexing
from skbn.drift.label_shift import priors_after, priors_before
from skbn.drift.passage import Passage, parts_of, rows_for
from skbn.drift.prior_corrected import adapted_before, corrected_for_priors, own_class_prior
from skbn.estimators.classifier import BNSoftmaxClassifier

MIN_ROWS = 32
"""Fewest rows that are taken without a warning."""
MAX_ROWS_TESTED = 10_000
"""Rows on which label shift is looked for."""
SHIFTS = ("covariate", "label")
MAX_CLASSES_NAMED = 3


def adapt(
    model: Any,
    X_new: Any,
    shift: str = "covariate",
    prior_rows: float | str = "auto",
    class_prior: Any = "auto",
) -> Any:
    """Give a copy of a fitted classifier for rows of another kind, without their labels.

    Nothing is trained. Which shift it is has to be known, or be found by `drift_report` or, from
    a few labels, by `choose_adaptation`: either repair costs accuracy under the other's shift.

    Parameters
    ----------
    model : classifier
        Fitted, alone or at the end of a Pipeline, or a search; it is left as it is.
    X_new : {array-like, DataFrame, sparse matrix} of shape (n_samples, n_features)
        Rows of the new kind, as `predict` takes them: of all classes as they come, and at least
        32, better 256.
    shift : {"covariate", "label"}, default="covariate"
        What moved:

        - "covariate": the features, as by another sensor, unit or light, for the same shares
          of the classes. The moments of scalers and of batch norm are re-estimated on the rows
          as they reach each of them, from the input onwards [1]_.
        - "label": how often each class comes. Predicted probabilities are corrected for class
          priors that are estimated from them by expectation maximisation [2]_.
    prior_rows : float or "auto", default="auto"
        For covariate shift: rows that the old moments count for beside the new ones. 0 is the
        new moments alone. "auto" chooses for each column of a scaler and each layer, by
        empirical Bayes: the fewer, the further the moments moved beyond chance.
    class_prior : "auto" or array-like of shape (n_classes,), default="auto"
        For label shift: the priors of training, in the order of ``classes_``. "auto" are the
        ``class_prior_`` of a `BNSoftmaxClassifier`; for other classifiers they must be given.

    Returns
    -------
    adapted : classifier
        A copy of ``model``, or a `skbn.drift.PriorCorrectedClassifier` around one. Its
        attribute ``adaptation_`` is a dict that says what was done:

        - "shift", and "n_rows" of ``X_new``;
        - "re_estimated": a dict for each scaler and each layer, with its "step", its "type",
          "prior_rows", the median of its columns, and "moved", how far the means moved: the
          root mean square in old deviations;
        - "left_alone": "step", "type" and "why" of each other step;
        - "kept": what rows without labels cannot tell, such as the temperature;
        - for label shift "class_prior_old", "class_prior_new" and "class_prior_interval";
        - "before", the same of an adaptation that the model had come from.

        A later `fit` of a `BNSoftmaxClassifier` drops it; that of a Pipeline does not.

    Raises
    ------
    TypeError
        If the model is no classifier.
    NotFittedError
        If it was not fitted.
    ValueError
        If there is nothing in it to re-estimate, there are no rows, or an argument is wrong.

    Warns
    -----
    UserWarning
        If there are fewer than 32 rows, and if the classes of a `BNSoftmaxClassifier` moved as
        under label shift though ``shift="covariate"``.

    See Also
    --------
    drift_report : Tells which shift there is.
    choose_adaptation : Tells by a few labels which adaptation is best.

    Notes
    -----
    With the old moments m and those of n new rows m', a step gets
    ``(prior_rows * m + n * m') / (prior_rows + n)``, for means and variances alike. That is for

    - StandardScaler, MinMaxScaler (least and greatest value) and RobustScaler (median and
      quantile range); with ``prior_rows=0`` each is as if fitted on the new rows;
    - `skbn.preprocessing.PiecewiseLinearEncoder`: its edges move and stretch with the mean and
      the deviation of their column. Columns whose new values are all among the edges, such as
      those of 0 and 1, stay as they are;
    - the batch-norm layers of each member of a `BNSoftmaxClassifier`.

    They are found in Pipelines, ColumnTransformers, FeatureUnions, the best estimator of a
    search, and in any estimator that shows its parts as attributes. All else stays, above all
    imputers, encoders of categories, and other classifiers. Where both kinds of shift are there,
    adapt to the first, and the result to the second: class priors that are estimated first do not
    hold once the moments are others.

    References
    ----------
    .. [1] S. Schneider, E. Rusak, L. Eck, O. Bringmann, W. Brendel, M. Bethge. Improving
       robustness against common corruptions by covariate shift adaptation. 2020.
       arXiv:2006.16971.
    .. [2] M. Saerens, P. Latinne, C. Decaestecker. Adjusting the outputs of a classifier to new
       a priori probabilities: a simple procedure. Neural Computation 14, 2002.

    Examples
    --------
    >>> from sklearn.datasets import load_digits
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier
    >>> from skbn.drift import adapt
    >>> X, y = load_digits(return_X_y=True)
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0))
    >>> darker, y_darker = X[1000:] / 4, y[1000:]
    >>> model.fit(X[:1000], y[:1000]).score(darker, y_darker) < 0.7
    True
    >>> adapted = adapt(model, darker)
    >>> adapted.score(darker, y_darker) > 0.9
    True
    >>> [step["step"] for step in adapted.adaptation_["re_estimated"]]
    ['standardscaler', 'bnsoftmaxclassifier', 'bnsoftmaxclassifier']
    """
    X_new = _checked_rows(model, X_new)
    _check_options(shift, prior_rows, class_prior)
    n_rows = n_samples(X_new)
    if n_rows < MIN_ROWS:
        warnings.warn(
            f"X_new has {n_rows} row{'s' * (n_rows > 1)}, and what is estimated from fewer than "
            f"{MIN_ROWS} is mostly chance; collect more before adapting",
            stacklevel=2,
        )
    if shift == "label":
        return corrected_for_priors(model, rows_for(model, X_new), class_prior)
    adapted = deepcopy(model)
    passage = Passage(adapted, prior_rows)
    predicted = passage.run(X_new)
    if not passage.re_estimated:
        raise ValueError(_nothing_to_re_estimate(passage))
    adapted.adaptation_ = {
        "shift": shift,
        "n_rows": n_rows,
        "re_estimated": passage.re_estimated,
        "left_alone": passage.left_alone,
        "kept": [_temperature(network) for network in passage.networks],
        **adapted_before(model),
    }
    _warn_of_label_shift(model, X_new, prior_rows, predicted)
    return adapted


def _checked_rows(model: Any, X: Any) -> Any:
    if isinstance(model, type) or not hasattr(model, "predict") or not is_classifier(model):
        raise TypeError(
            "model must be a fitted classifier, or a Pipeline or a search that ends in one; got "
            f"{model!r:.80}"
        )
    check_is_fitted(model)
    if issparse(X):
        X = X.tocsr()
    elif not hasattr(X, "shape"):
        X = np.asarray(X)
    if X.shape[:1] == (0,):
        raise ValueError("X_new has no rows; give rows of the new kind, at least 32")
    if len(X.shape) != 2:
        raise ValueError(
            f"X_new must be a table of shape (n_samples, n_features), got the shape {X.shape}; a "
            "single row is [row]"
        )
    return X


def _check_options(shift: Any, prior_rows: Any, class_prior: Any) -> None:
    if shift not in SHIFTS:
        raise ValueError(f'shift must be "covariate" or "label", got {shift!r}')
    is_auto = isinstance(prior_rows, str) and prior_rows == "auto"
    is_number = isinstance(prior_rows, Real) and not isinstance(prior_rows, bool)
    if not is_auto and not (is_number and 0 <= prior_rows <= sys.float_info.max):
        raise ValueError(
            f'prior_rows must be "auto" or a finite number that is not negative, got {prior_rows!r}'
        )
    if shift == "label" and not is_auto:
        raise ValueError('prior_rows is for shift="covariate"; leave it out')
    if shift == "covariate" and not (isinstance(class_prior, str) and class_prior == "auto"):
        raise ValueError('class_prior is for shift="label"; leave it out')


def _nothing_to_re_estimate(passage: Passage) -> str:
    steps = ", ".join(f"{each['step']} ({each['why']})" for each in passage.left_alone)
    return (
        f"nothing in this model can be re-estimated: {steps}. Put a StandardScaler before the "
        "classifier, or take a BNSoftmaxClassifier with batch norm, and fit it; or fit it again "
        "on rows of the new kind"
    )


def _temperature(network: BNSoftmaxClassifier) -> str:
    return (
        f"temperature_ {network.temperature_:.4g} of {type(network).__name__}: rows without labels "
        "cannot fit one"
    )


def _warn_of_label_shift(model: Any, X: Any, prior_rows: float | str, predicted: Any) -> None:
    """Warn if the predicted classes moved as they do when classes come more or less often."""
    old = own_class_prior(model)
    if old is None:
        return

    def drift_of(rows: Any) -> float:
        """The inverse of the rows that the old moments of the first scaler or layer count for."""
        trial = Passage(deepcopy(model), "auto")
        trial.run(safe_indexing(X, rows))
        return 1 / max(trial.re_estimated[0]["prior_rows"], sys.float_info.min)

    n_rows = n_samples(X)
    some = np.linspace(0, n_rows - 1, min(n_rows, MAX_ROWS_TESTED)).astype(int)
    X = safe_indexing(X, some)
    copied = safe_indexing(X, np.arange(len(some)))  # a step may write into it
    new = priors_before(model.predict_proba(copied), old, drift_of)
    is_re_estimated = isinstance(prior_rows, str) or prior_rows < n_rows
    if new is None and is_re_estimated and _has_natural_priors(model):
        new = priors_after(predicted[some], old)
    if new is not None:
        classes = [
            f"{model.classes_[k]!s} from {old[k]:.1%} to {new[k]:.1%}"
            for k in np.argsort(-np.abs(new - old))[:MAX_CLASSES_NAMED]
        ]
        warnings.warn(
            "the classes of X_new moved as under label shift, where re-estimated moments cost "
            f"accuracy: by estimated frequencies {', '.join(classes)}. Compare with "
            'adapt(model, X_new, shift="label"), or let choose_adaptation tell by a few labels',
            stacklevel=3,
        )


def _has_natural_priors(model: Any) -> bool:
    """Whether a model was trained on classes as they come, neither weighted nor drawn anew."""
    parts = [part for _, part in parts_of(model)]
    return all(getattr(part, "class_weight", None) is None for part in parts) and not any(
        hasattr(part, "fit_resample") for part in parts
    )
