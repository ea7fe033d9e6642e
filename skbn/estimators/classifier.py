"""The classifier: a fit of one or several networks as scikit-learn knows them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Self

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin

from skbn._compat import CallbackSupportMixin, validate_parameters
from skbn.checks import check_classes
from skbn.estimators.arrays import is_log_ratio, saved_networks
from skbn.estimators.checked_table import CheckedTable, check_table
from skbn.estimators.constraints import CONSTRAINTS
from skbn.estimators.fit_tasks import Rows, fit_tasks, hooks_of
from skbn.estimators.fitting import (
    Outcome,
    fitted_attributes,
    plan_fit,
    plan_partial_fit,
    print_epoch,
    train_alone,
)
from skbn.estimators.predictions import Predictions
from skbn.saved_state import Versioned, require
from skbn.training.ensemble import Ensemble
from skbn.training.lockstep import run_together
from skbn.training.run import Progress

ADAPTED = ("adaptation_", "class_prior_interval_")
"""Attributes of copies that were adapted, which the next fit drops."""


class BNSoftmaxClassifier(
    Predictions, Versioned, CallbackSupportMixin, ClassifierMixin, BaseEstimator
):
    """Multi-layer network with batch normalisation and a softmax output.

    Parameter names are those of `sklearn.neural_network.MLPClassifier` wherever
    the meaning is the same. Inputs should be on comparable scales: put a
    `sklearn.preprocessing.StandardScaler` before it.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(192, 192)
        Units of each hidden layer. ``()`` is softmax regression.

    activation : str, callable or list of such, default="relu"
        Activation of the hidden layers: "relu", "leaky_relu", "elu", "selu",
        "gelu" (exact), "silu", "mish", "tanh", "logistic" or "identity"; or a function of
        an array, element by element, whose derivative autograd finds (extra
        ``autodiff``). A list has one for each hidden layer, such as
        ``["relu", "tanh"]``, and is empty where there is none.

    batch_norm : bool, default=True
        Normalise every hidden layer between its matrix product and its
        activation, with a learned scale ``gamma`` and shift ``beta`` [1]_.

    bn_momentum : float, default=0.9
        Weight kept on the old value in the exponentially weighted averages of
        each unit's mean and variance, which prediction uses; in [0, 1).

    bn_epsilon : float, default=1e-5
        Added to variances before their square root.

    dropout : float, default=0.0
        Probability of setting an activation of a hidden layer to zero in
        training; in [0, 1).

    input_dropout : float, default=0.0
        The same for the features.

    noise : float, default=0.0
        Standard deviation of the normal noise that is added to the activations of
        hidden layers in training, before dropout.

    input_noise : float, default=0.0
        The same for the features. With standardised features it is in units of
        their standard deviations.

    initializer : {"auto", "he", "glorot", "lecun"}, default="auto"
        Standard deviation of the initial weights. "auto" is gain / sqrt(n_in)
        with the gain of the activation: He's for relu, LeCun's for selu.

    solver : {"adam", "adamw", "sgd", "rmsprop"}, default="adam"
        Optimiser. "adam" is [2]_, "adamw" the same with decoupled decay, "sgd"
        gradient descent with momentum. "rmsprop" averages with ``beta_2``; 0.9
        suits it better than the default.

    alpha : float, default=0.01
        Strength of the L2 penalty ``alpha / 2 * sum of squared weights``, added to
        the mean loss. Unlike in MLPClassifier, which divides its own by the rows
        of a mini-batch, the strength is the same at every batch size. ``gamma``, ``beta``
        and biases are not penalised.

    batch_size : int or "auto", default="auto"
        Rows of a mini-batch. "auto" is a twentieth of the rows, of the effective ones where
        classes are weighted, but at least 32 and at most 128. An epoch is cut into batches
        whose sizes differ by one at most, so the actual size may be a little smaller.

    learning_rate : str, default="cosine"
        Schedule of the learning rate, after a warm-up:

        - "constant";
        - "inverse_time": ``learning_rate_init / (1 + learning_rate_decay * epoch)``;
        - "exponential": ``learning_rate_init * exp(-learning_rate_decay * epoch)``;
        - "cosine": half a cosine wave, from the peak to its floor at ``max_iter``;
        - "one_cycle": a linear rise over the first 30 % of ``max_iter``, then a
          linear fall to the floor.

        No schedule goes below 1 % of ``learning_rate_init``, so that training can
        go on past ``max_iter``.

    learning_rate_init : float, default=0.003
        Peak learning rate.

    learning_rate_decay : float, default=0.1
        Decay per epoch of "inverse_time" and "exponential".

    warmup_fraction : float or None, default=None
        Fraction of ``max_iter`` over which the learning rate rises linearly from 4 %
        of its peak; in [0, 1). None is 0.3 for "one_cycle" and 0 for the others.

    max_iter : int, default=15
        Epochs.

    shuffle : bool, default=True
        Whether to shuffle the rows before each epoch.

    momentum : float, default=0.9
        Momentum of "sgd", as ``v <- momentum * v - learning_rate * gradient``;
        in [0, 1).

    nesterovs_momentum : bool, default=True
        Nesterov's momentum for "sgd".

    beta_1, beta_2 : float, default=0.9, 0.95
        Decay of the averages of gradients and of their squares; in [0, 1). Adam's
        authors set the second to 0.999, which is slow for short trainings.

    epsilon : float, default=1e-8
        Added to the root of the averaged squares.

    max_grad_norm : float or None, default=None
        Longest gradient, in the Euclidean norm over all parameters of the loss
        without the penalty; a longer one is scaled down to it. None is no limit.

    loss : {"cross_entropy", "focal"} or callable, default="cross_entropy"
        What is minimised. The "focal" loss of a row whose class has the probability p is
        ``(1 - p) ** focal_gamma * -log(p)`` [4]_: rows that are right by a wide margin count
        for little. It is no proper loss: probabilities come out too close to each other, which
        ``calibrate`` mends in part. A function ``loss(logits, targets)`` gets two arrays of
        shape (n, n_classes), of targets in one-hot code or smoothed, and gives the loss of
        each row, of shape (n,); autograd finds the derivative.

    focal_gamma : float, default=2.0
        Exponent of the focal loss; 0 is cross-entropy.

    label_smoothing : float, default=0.0
        Fraction of each label that is spread evenly over all classes; in [0, 1).

    class_weight : dict, "balanced" or None, default=None
        Weight of each class, by which sample weights are multiplied in the loss. "balanced"
        gives all classes the same total weight.

    n_members : int, default=2
        Networks whose probabilities are averaged, each from a seed of its own. Without
        hidden layers, where all of them would be the same, there is one.

    calibrate : bool, default=True
        Divide the logits by a temperature that fits rows which were not trained on
        [3]_: those of the validation set where there is one, else
        ``validation_fraction`` of the rows, which all members but the first leave
        out. With one member a second network is trained for this alone. Without hidden
        layers nothing is done. It fits by log-loss, whatever the ``loss``.

    early_stopping : bool, default=False
        Set aside ``validation_fraction`` of the rows, watch the loss on them,
        stop when it no longer falls, and restore the best epoch whole, with its
        batch-norm averages. `fit` with ``X_val`` does so too, on those rows.

    validation_fraction : float, default=0.1
        Fraction of the rows to set aside or to leave out, stratified by class; in (0, 1).

    n_iter_no_change : int, default=10
        Epochs without progress on the validation loss before training stops.

    tol : float, default=1e-4
        A validation loss must fall by more than this to count as progress.

    warm_start : bool, default=False
        Whether `fit` goes on from the last call's model until ``n_iter_`` reaches
        ``max_iter``, counted over all calls.

    dtype : {"float32", "float64"}, default="float32"
        Precision of training.

    random_state : int, RandomState instance or None, default=None
        Seed of initialisation, shuffling, dropout, noise and the validation split. The
        same seed, library versions, processor and number of threads give the
        same bits.

    verbose : int or bool, default=0
        1 prints a line an epoch.

    Attributes
    ----------
    classes_ : ndarray of shape (n_classes,)
        Sorted class labels, in the dtype of the labels.
    n_features_in_ : int
        Number of features seen in training.
    feature_names_in_ : ndarray of shape (n_features,)
        Their names, where X had any that are strings.
    n_iter_ : int
        Epochs trained in all.
    loss_ : float
        Training loss of the epoch whose parameters were kept, without the
        penalty, averaged over its mini-batches as each was met.
    history_ : dict of str to list
        A value an epoch: "loss", "learning_rate" (at the first step),
        "gradient_norm" (mean over the steps), "seconds", and where there is a
        validation set "validation_loss" and "validation_accuracy". Made for
        ``pandas.DataFrame(model.history_)``.
    coefs_ : list of ndarray of shape (n_in, n_out)
        Weights of each layer.
    intercepts_ : list of ndarray of shape (n_out,)
        Biases of each layer; zeros for hidden layers under batch norm.
    bn_gamma_, bn_beta_ : list of ndarray of shape (n_units,)
        Scale and shift of each hidden layer; empty without batch norm.
    bn_mean_, bn_var_ : list of ndarray of shape (n_units,)
        Averages of each hidden layer's mean and biased variance, bias-corrected:
        what prediction uses. Empty without batch norm.
    temperature_ : float
        By which logits are divided; 1 without ``calibrate`` and after `partial_fit`.
    class_prior_ : ndarray of shape (n_classes,)
        Shares of the classes in the weights of the loss, in the mean over the epochs trained;
        of a copy that `skbn.drift.adapt` made for other class frequencies, those that it
        estimated.

    See Also
    --------
    sklearn.neural_network.MLPClassifier : A network without batch norm.

    Notes
    -----
    ``history_``, ``loss_``, ``coefs_`` and the like are the first member's. It does not
    depend on ``n_members`` and ``calibrate``, and learns from all rows unless
    ``early_stopping`` sets some aside.

    With row weights ``w`` of mean one over the training set, training minimises
    ``sum_i w_i loss_i / m + alpha / 2 * sum of squared weights`` over mini-batches of m
    rows. Batch norm's moments take sample weights alone, of which two is a row given
    twice; rows of weight zero are left out. Without hidden layers and with two classes
    the model is scikit-learn's LogisticRegression with ``C = 2 / (alpha * n_samples)``;
    with more, with ``C = 1 / (alpha * n_samples)``.

    References
    ----------
    .. [1] S. Ioffe, C. Szegedy. Batch normalization: accelerating deep network
       training by reducing internal covariate shift. 2015. arXiv:1502.03167.
    .. [2] D. Kingma, J. Ba. Adam: a method for stochastic optimization. 2015.
       arXiv:1412.6980.
    .. [3] C. Guo, G. Pleiss, Y. Sun, K. Weinberger. On calibration of modern neural
       networks. 2017. arXiv:1706.04599.
    .. [4] T.-Y. Lin, P. Goyal, R. Girshick, K. He, P. Dollar. Focal loss for dense
       object detection. 2017. arXiv:1708.02002.

    Examples
    --------
    >>> from sklearn.datasets import load_iris
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from skbn import BNSoftmaxClassifier
    >>> X, y = load_iris(return_X_y=True, as_frame=True)
    >>> model = make_pipeline(StandardScaler(), BNSoftmaxClassifier(random_state=0))
    >>> model.fit(X, y).predict(X[:3])
    array([0, 0, 0])
    >>> model.score(X, y) > 0.95
    True
    """

    _parameter_constraints = CONSTRAINTS
    _progress: list[Progress]

    def __init__(
        self,
        hidden_layer_sizes: Any = (192, 192),
        *,
        activation: Any = "relu",
        batch_norm: bool = True,
        bn_momentum: float = 0.9,
        bn_epsilon: float = 1e-5,
        dropout: float = 0.0,
        input_dropout: float = 0.0,
        noise: float = 0.0,
        input_noise: float = 0.0,
        initializer: str = "auto",
        solver: str = "adam",
        alpha: float = 0.01,
        batch_size: int | str = "auto",
        learning_rate: str = "cosine",
        learning_rate_init: float = 0.003,
        learning_rate_decay: float = 0.1,
        warmup_fraction: float | None = None,
        max_iter: int = 15,
        shuffle: bool = True,
        momentum: float = 0.9,
        nesterovs_momentum: bool = True,
        beta_1: float = 0.9,
        beta_2: float = 0.95,
        epsilon: float = 1e-8,
        max_grad_norm: float | None = None,
        loss: Any = "cross_entropy",
        focal_gamma: float = 2.0,
        label_smoothing: float = 0.0,
        class_weight: Any = None,
        n_members: int = 2,
        calibrate: bool = True,
        early_stopping: bool = False,
        validation_fraction: float = 0.1,
        n_iter_no_change: int = 10,
        tol: float = 1e-4,
        warm_start: bool = False,
        dtype: str = "float32",
        random_state: Any = None,
        verbose: int = 0,
    ) -> None:
        self.hidden_layer_sizes = hidden_layer_sizes
        self.activation = activation
        self.batch_norm = batch_norm
        self.bn_momentum = bn_momentum
        self.bn_epsilon = bn_epsilon
        self.dropout = dropout
        self.input_dropout = input_dropout
        self.noise = noise
        self.input_noise = input_noise
        self.initializer = initializer
        self.solver = solver
        self.alpha = alpha
        self.batch_size = batch_size
        self.learning_rate = learning_rate
        self.learning_rate_init = learning_rate_init
        self.learning_rate_decay = learning_rate_decay
        self.warmup_fraction = warmup_fraction
        self.max_iter = max_iter
        self.shuffle = shuffle
        self.momentum = momentum
        self.nesterovs_momentum = nesterovs_momentum
        self.beta_1 = beta_1
        self.beta_2 = beta_2
        self.epsilon = epsilon
        self.max_grad_norm = max_grad_norm
        self.loss = loss
        self.focal_gamma = focal_gamma
        self.label_smoothing = label_smoothing
        self.class_weight = class_weight
        self.n_members = n_members
        self.calibrate = calibrate
        self.early_stopping = early_stopping
        self.validation_fraction = validation_fraction
        self.n_iter_no_change = n_iter_no_change
        self.tol = tol
        self.warm_start = warm_start
        self.dtype = dtype
        self.random_state = random_state
        self.verbose = verbose

    def fit(
        self,
        X: Any,
        y: Any,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        y_val: Any = None,
        sample_weight_val: Any = None,
    ) -> Self:
        """Train the network.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            Training rows: an array, a DataFrame of pandas or polars, or a sparse
            matrix, of which a mini-batch at a time is made dense.
        y : array-like of shape (n_samples,)
            Labels: strings, integers, booleans, a pandas category.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows. Only their ratios matter; rows of weight zero are
            left out.
        X_val, y_val : array-like, default=None
            Rows and labels on which to judge the model after each epoch. Training
            then stops early as with ``early_stopping``, and all of X is trained on.
        sample_weight_val : array-like, default=None
            Weights of the rows of ``X_val``.

        Returns
        -------
        self : BNSoftmaxClassifier

        Raises
        ------
        ValueError
            If a parameter or the data are not as described, or training diverges.
            The estimator is then as it was before the call.
        """
        params = {"sample_weight": sample_weight, "X_val": X_val, "y_val": y_val}
        params["sample_weight_val"] = sample_weight_val
        with self._unchanged_on_error():
            validate_parameters(self)
            progress = progress_to_go_on(self)
            classes = self.classes_ if progress else None
            table = check_table(self, X, y, reset=not progress, classes=classes)
            fit = plan_fit(self, table, params, progress=progress)
            with fit_tasks(self, "fit", fit, table, Rows(X, y, params)) as tasks:
                hooks = hooks_of([tasks])
                if self.verbose:
                    hooks["on_epoch"] = print_epoch(fit, hooks.get("on_epoch"))
                train_alone(fit, table.dataset, **hooks)
                outcome = fit.warned_outcome(table.dataset)
                if tasks is not None:
                    tasks.end(outcome)
            self._set_attributes(self._fitted_attributes(table, outcome))
        return self

    def partial_fit(self, X: Any, y: Any, classes: Any = None, sample_weight: Any = None) -> Self:
        """Train for one epoch on the rows given, from where the model stands.

        k calls on the same rows are the first k epochs of a `fit` without a
        validation set, bit for bit, for members that leave out no rows: for all with
        ``calibrate=False``, else for the first. There is no calibration here, and only
        the first call adds members. Between calls `set_params` may change learning
        rates, momenta, decay, noise and dropout, which take effect at the next step.
        ``early_stopping`` is ignored.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)
            At least two rows with batch norm.
        y : array-like of shape (n_samples,)
            Labels; some of the classes may be missing.
        classes : array-like of shape (n_classes,), default=None
            All labels there are. Needed at the first call.
        sample_weight : array-like of shape (n_samples,), default=None
            Weights of the rows, scaled to mean one over this call.

        Returns
        -------
        self : BNSoftmaxClassifier

        Raises
        ------
        ValueError
            As `fit`; and if ``class_weight="balanced"``, since a part of the rows
            does not show the balance, or a parameter that decides the network's
            shape was changed. The estimator is then as it was before the call.

        Warns
        -----
        UserWarning
            At the first call after ``max_iter`` epochs, if the schedule has sunk to its end.
        """
        with self._unchanged_on_error():
            validate_parameters(self)
            if isinstance(self.class_weight, str):
                raise ValueError(
                    'class_weight="balanced" is not supported by partial_fit, which does not see '
                    "all rows; compute the weights with sklearn.utils.class_weight."
                    "compute_class_weight and pass them as a dict"
                )
            progress = getattr(self, "_progress", [])
            if not progress and classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit")
            if classes is not None:
                classes = check_classes(classes)
                if progress and not np.array_equal(classes, self.classes_):
                    raise ValueError(
                        f"classes={classes.tolist()} differ from those of the first call: "
                        f"{self.classes_.tolist()}"
                    )
            classes = self.classes_ if progress else classes
            table = check_table(self, X, y, reset=not progress, classes=classes)
            fit = plan_partial_fit(self, table, sample_weight, progress)
            rows = Rows(X, y, {"sample_weight": sample_weight})
            until = fit.runs[0].n_epochs + 1
            with fit_tasks(self, "partial_fit", fit, table, rows, until) as tasks:
                run_together(fit.next_epoch(table.dataset), **hooks_of([tasks]))
                outcome = fit.outcome(table.dataset)
                if tasks is not None:
                    tasks.end(outcome)
            self._set_attributes(self._fitted_attributes(table, outcome))
        return self

    def _fitted_attributes(self, table: CheckedTable, outcome: Outcome) -> dict[str, Any]:
        """Give all attributes of the classifier with the outcome of a fit on a table."""
        former = ("feature_names_in_", *ADAPTED)
        kept = {name: value for name, value in vars(self).items() if name not in former}
        return kept | fitted_attributes(table, outcome)

    def _attributes(self) -> dict[str, Any]:
        return dict(vars(self))

    @contextmanager
    def _unchanged_on_error(self) -> Iterator[None]:
        before = self._attributes()
        try:
            yield
        except BaseException:
            self._set_attributes(before)
            raise

    def _set_attributes(self, attributes: dict[str, Any]) -> None:
        # At once, so that Ctrl-C leaves all of a fit or nothing of it.
        self.__dict__ = attributes

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self) -> dict[str, Any]:
        state = super().__getstate__()
        if "_ensemble" in state:
            # Its arrays are those of the progress, which joblib would write once more.
            ensemble = state.pop("_ensemble")
            state["_n_averaged"] = len(ensemble.networks)
            if ensemble.log_prior_ratio is not None:
                state["_log_prior_ratio"] = ensemble.log_prior_ratio
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        if "_n_averaged" in self.__dict__:
            networks = saved_networks(self._progress, self.__dict__.pop("_n_averaged"))
            ratio = self.__dict__.pop("_log_prior_ratio", None)
            require(ratio is None or is_log_ratio(ratio, self.classes_), "ratio of class priors")
            self._ensemble = Ensemble(networks, self.temperature_, ratio)


def progress_to_go_on(classifier: BNSoftmaxClassifier) -> list[Progress]:
    """Give the progress from which `fit` goes on: none, unless ``warm_start`` is set."""
    return getattr(classifier, "_progress", []) if classifier.warm_start else []


def attributes_after(
    classifier: BNSoftmaxClassifier, table: CheckedTable, outcome: Outcome
) -> dict[str, Any]:
    """Give all attributes of a classifier with the outcome of a fit on a table."""
    return classifier._fitted_attributes(table, outcome)


def attributes_of(classifier: BNSoftmaxClassifier) -> dict[str, Any]:
    """Give all attributes of a classifier as they are."""
    return classifier._attributes()


def set_attributes(changes: Sequence[tuple[BNSoftmaxClassifier, dict[str, Any]]]) -> None:
    """Give classifiers other attributes: all, or none if Ctrl-C comes in between."""
    before = [(classifier, classifier._attributes()) for classifier, _ in changes]
    try:
        for classifier, attributes in changes:
            classifier._set_attributes(attributes)
    except BaseException:
        for classifier, attributes in before:
            classifier._set_attributes(attributes)
        raise
