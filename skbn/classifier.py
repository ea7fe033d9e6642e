"""The estimator: a population of one, worn as a scikit-learn classifier."""

from __future__ import annotations

import warnings
from contextlib import contextmanager
from functools import lru_cache
from numbers import Integral, Real
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.utils import check_random_state
from sklearn.utils.multiclass import check_classification_targets
from sklearn.utils.validation import check_is_fitted

from skbn._compat import Interval, StrOptions, validate_parameters
from skbn._version import __version__
from skbn.ensemble import fit_temperature, log_mean_probabilities
from skbn.lockstep import Training, train_together
from skbn.model import Model, logits_together, run_epochs
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.network import Architecture
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES
from skbn.network.softmax import log_softmax, softmax
from skbn.network.training import PER_MEMBER, Data, Settings, stack_hyperparameters
from skbn.stopping import BestState, ValidationSet, stratified_rows
from skbn.threads import suitable_threads
from skbn.validation import (
    check_labels,
    check_rows,
    check_weights,
    class_weights,
    encode_labels,
    find_classes,
    times_class_weights,
)


class BNSoftmaxClassifier(ClassifierMixin, BaseEstimator):
    """Multi-layer network with batch normalisation and a softmax output.

    Parameter names are those of `sklearn.neural_network.MLPClassifier` wherever
    the meaning is the same. Inputs should be on comparable scales: put a
    `sklearn.preprocessing.StandardScaler` before it.

    Parameters
    ----------
    hidden_layer_sizes : int or array-like of int, default=(192, 192)
        Units of each hidden layer. ``()`` is softmax regression.

    activation : str, default="relu"
        Activation of the hidden layers: "relu", "leaky_relu", "elu", "selu",
        "gelu" (exact), "silu", "mish", "tanh", "logistic" or "identity".

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
        of a mini-batch, it means the same at every batch size. It leaves
        ``gamma``, ``beta`` and biases alone.

    batch_size : int or "auto", default="auto"
        Rows of a mini-batch. "auto" is a twentieth of the rows, but at least 32 and
        at most 128. An epoch is cut into batches whose sizes differ by one at most,
        so the actual size may be a little smaller.

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
        Share of ``max_iter`` over which the learning rate rises linearly from 4 %
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

    label_smoothing : float, default=0.0
        Share of each label that is spread evenly over all classes; in [0, 1).

    class_weight : dict, "balanced" or None, default=None
        Weight of each class, by which sample weights are multiplied. "balanced"
        gives all classes the same total weight.

    n_members : int, default=2
        Networks whose probabilities are averaged, each from a seed of its own. Without
        hidden layers, where all of them would be the same, there is one.

    calibrate : bool, default=True
        Divide the logits by a temperature that fits rows which were not trained on
        [3]_: those of the validation set where there is one, else
        ``validation_fraction`` of the rows, which all members but the first leave
        out. With one member a second network is trained for this alone. Without hidden
        layers nothing is done.

    early_stopping : bool, default=False
        Set aside ``validation_fraction`` of the rows, watch the log-loss on them,
        stop when it no longer falls, and restore the best epoch whole, with its
        batch-norm averages. `fit` with ``X_val`` does so too, on those rows.

    validation_fraction : float, default=0.1
        Share of the rows to set aside or to leave out, stratified by class; in (0, 1).

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

    See Also
    --------
    sklearn.neural_network.MLPClassifier : A network without batch norm.

    Notes
    -----
    ``history_``, ``loss_``, ``coefs_`` and the like are the first member's. It does not
    depend on ``n_members`` and ``calibrate``, and learns from all rows unless
    ``early_stopping`` sets some aside.

    With row weights ``w`` of mean one over the training set, training minimises
    ``sum_i w_i loss_i / m + alpha / 2 * sum of squared weights`` over mini-batches
    of m rows. Batch-norm moments are weighted too, so that a weight of two is a
    row given twice; rows of weight zero are left out. Without hidden layers and
    with two classes the model is scikit-learn's LogisticRegression with
    ``C = 2 / (alpha * n_samples)``; with more, with ``C = 1 / (alpha * n_samples)``.

    References
    ----------
    .. [1] S. Ioffe, C. Szegedy. Batch normalization: accelerating deep network
       training by reducing internal covariate shift. 2015. arXiv:1502.03167.
    .. [2] D. Kingma, J. Ba. Adam: a method for stochastic optimization. 2015.
       arXiv:1412.6980.
    .. [3] C. Guo, G. Pleiss, Y. Sun, K. Weinberger. On calibration of modern neural
       networks. 2017. arXiv:1706.04599.

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

    _parameter_constraints: dict[str, list[Any]] = {
        "hidden_layer_sizes": ["array-like", Interval(Integral, 1, None, closed="left")],
        "activation": [StrOptions(set(ACTIVATIONS))],
        "batch_norm": ["boolean"],
        "bn_momentum": [Interval(Real, 0, 1, closed="left")],
        "bn_epsilon": [Interval(Real, 0, None, closed="neither")],
        "dropout": [Interval(Real, 0, 1, closed="left")],
        "input_dropout": [Interval(Real, 0, 1, closed="left")],
        "noise": [Interval(Real, 0, None, closed="left")],
        "input_noise": [Interval(Real, 0, None, closed="left")],
        "initializer": [StrOptions(set(INITIALIZERS))],
        "solver": [StrOptions(set(OPTIMIZERS))],
        "alpha": [Interval(Real, 0, None, closed="left")],
        "batch_size": [StrOptions({"auto"}), Interval(Integral, 1, None, closed="left")],
        "learning_rate": [StrOptions(set(SCHEDULES))],
        "learning_rate_init": [Interval(Real, 0, None, closed="neither")],
        "learning_rate_decay": [Interval(Real, 0, None, closed="left")],
        "warmup_fraction": [Interval(Real, 0, 1, closed="left"), None],
        "max_iter": [Interval(Integral, 1, None, closed="left")],
        "shuffle": ["boolean"],
        "momentum": [Interval(Real, 0, 1, closed="left")],
        "nesterovs_momentum": ["boolean"],
        "beta_1": [Interval(Real, 0, 1, closed="left")],
        "beta_2": [Interval(Real, 0, 1, closed="left")],
        "epsilon": [Interval(Real, 0, None, closed="neither")],
        "max_grad_norm": [Interval(Real, 0, None, closed="neither"), None],
        "label_smoothing": [Interval(Real, 0, 1, closed="left")],
        "class_weight": [StrOptions({"balanced"}), dict, None],
        "n_members": [Interval(Integral, 1, None, closed="left")],
        "calibrate": ["boolean"],
        "early_stopping": ["boolean"],
        "validation_fraction": [Interval(Real, 0, 1, closed="neither")],
        "n_iter_no_change": [Interval(Integral, 1, None, closed="left")],
        "tol": [Interval(Real, 0, None, closed="left")],
        "warm_start": ["boolean"],
        "dtype": [StrOptions({"float32", "float64"})],
        "random_state": ["random_state"],
        "verbose": ["verbose"],
    }

    def __init__(
        self,
        hidden_layer_sizes=(192, 192),
        *,
        activation="relu",
        batch_norm=True,
        bn_momentum=0.9,
        bn_epsilon=1e-5,
        dropout=0.0,
        input_dropout=0.0,
        noise=0.0,
        input_noise=0.0,
        initializer="auto",
        solver="adam",
        alpha=0.01,
        batch_size="auto",
        learning_rate="cosine",
        learning_rate_init=0.003,
        learning_rate_decay=0.1,
        warmup_fraction=None,
        max_iter=15,
        shuffle=True,
        momentum=0.9,
        nesterovs_momentum=True,
        beta_1=0.9,
        beta_2=0.95,
        epsilon=1e-8,
        max_grad_norm=None,
        label_smoothing=0.0,
        class_weight=None,
        n_members=2,
        calibrate=True,
        early_stopping=False,
        validation_fraction=0.1,
        n_iter_no_change=10,
        tol=1e-4,
        warm_start=False,
        dtype="float32",
        random_state=None,
        verbose=0,
    ):
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

    def fit(self, X, y, sample_weight=None, *, X_val=None, y_val=None, sample_weight_val=None):
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
        with _unchanged_on_error(self):
            validate_parameters(self)
            going_on = self.warm_start and hasattr(self, "_model")
            X, labels = self._check_training_rows(X, y, reset=not going_on)
            training = self._training(
                X, labels, sample_weight, X_val, y_val, sample_weight_val, going_on=going_on
            )
            self._run(training)
            self._publish_training(training)
        return self

    def partial_fit(self, X, y, classes=None, sample_weight=None):
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
        """
        with _unchanged_on_error(self):
            validate_parameters(self)
            if isinstance(self.class_weight, str):
                raise ValueError(
                    'class_weight="balanced" is not supported by partial_fit, which does not see '
                    "all rows; compute the weights with sklearn.utils.class_weight."
                    "compute_class_weight and pass them as a dict"
                )
            first = not hasattr(self, "_model")
            if first and classes is None:
                raise ValueError("classes must be passed on the first call to partial_fit")
            if classes is not None:
                classes = find_classes(check_labels(classes))
                if not first and not np.array_equal(classes, self.classes_):
                    raise ValueError(
                        f"classes={classes.tolist()} differ from those of the first call: "
                        f"{self.classes_.tolist()}"
                    )
            X, labels = self._check_training_rows(X, y, reset=first, classes=classes)
            weights, _ = self._row_weights(sample_weight, labels)
            # A new member would have as much of a say as those that are trained.
            n_members, _ = self._ensemble()
            n_models = n_members if first else min(n_members, len(self._trained))
            models = self._models(n_models, going_on=not first)
            data = self._data(models[0], X, labels, np.flatnonzero(weights), weights)
            settings, hyper = self._plan(models[0], data)
            with suitable_threads(models[0].architecture, settings.batch_size):
                for model in models:
                    next(model.epochs(settings, hyper, data))
            self._publish(models)
        return self

    def _training(
        self,
        X,
        labels,
        sample_weight=None,
        X_val=None,
        y_val=None,
        sample_weight_val=None,
        *,
        going_on=False,
        drawn=None,
    ):
        """What `fit` is to do with rows that are checked."""
        weights, per_class = self._row_weights(sample_weight, labels)
        validation = None
        if not (X_val is None and y_val is None and sample_weight_val is None):
            validation = self._check_validation_set(X_val, y_val, sample_weight_val, per_class)
        _, calibrate = self._ensemble()
        n_models = self._n_models(validation)
        training, *training.others = [
            self._training_of(model, X, labels, weights, validation, calibrate and number > 0)
            for number, model in enumerate(self._models(n_models, going_on, drawn))
        ]
        return training

    def _training_of(self, model, X, labels, weights, validation, leaves_out):
        """What a member is to do; one that leaves out rows is calibrated on them."""
        rows, held_out, best = np.flatnonzero(weights), None, None
        if validation is None and self.early_stopping:
            rows, validation = self._split(X, labels, weights, rows, model.split_seed)
            if validation is None:
                raise ValueError(
                    "early_stopping needs at least two rows in one of the classes to set a row "
                    f"aside; got {len(rows)} rows, all of different classes"
                )
        elif validation is None and leaves_out:
            left, held_out = self._split(X, labels, weights, rows, model.split_seed)
            if len(left) < 2:  # too few for batch norm, as of three rows of one class
                held_out = None
            else:
                rows = left
        data, done = self._data(model, X, labels, rows, weights), model.state.n_epochs
        if done > self.max_iter:
            raise ValueError(
                f"max_iter={self.max_iter} is below the n_iter_={done} epochs already trained; "
                "with warm_start=True it counts all epochs, so raise it to go on"
            )
        if validation is not None:
            best = BestState(self.tol, self.n_iter_no_change)
            if 0 < done < self.max_iter:
                theta = model.state.theta
                loss, _ = validation.score(model.architecture, theta, model.bn_epsilon)
                best.update(loss.item(), theta, model.kept_epoch)
        settings, hyper = self._plan(model, data)
        return Training(model, settings, hyper, data, validation, best, held_out)

    def _check_training_rows(self, X, y, reset, classes=None):
        """Validate rows and labels, set or check ``classes_``, and encode the labels."""
        X, y = check_rows(self, X, check_labels(y), dtype=np.dtype(self.dtype), reset=reset)
        if reset and classes is None:
            self.classes_ = find_classes(y)
            check_classification_targets(y)
        elif reset:
            self.classes_ = classes
        return X, encode_labels(y, self.classes_)

    def _row_weights(self, sample_weight, labels):
        """Sample weights times class weights, zero where they vanish, and the latter."""
        weights = check_weights(sample_weight, len(labels))
        per_class = class_weights(self.class_weight, self.classes_, labels, weights)
        weights = times_class_weights(weights, per_class, labels, "sample_weight")
        # A weight too small for the dtype of training would be no weight at all there.
        weights[weights < weights.max() * np.finfo(self.dtype).tiny] = 0
        return weights, per_class

    def _data(self, model, X, labels, rows, weights):
        """Rows and weights as the core takes them: None for all rows, for equal weights."""
        if len(rows) < 2 and model.architecture.normalised:
            raise ValueError(
                "batch norm needs at least two training rows of positive weight, got "
                f"n_samples={len(rows)}; give it more rows or set batch_norm=False"
            )
        everything, weights = len(rows) == len(weights), weights[rows]
        rows = None if everything else rows[None]
        if (weights == weights[0]).all():
            return Data(X, labels, rows)
        return Data(X, labels, rows, (weights / weights.mean()).astype(self.dtype)[None])

    def _check_validation_set(self, X_val, y_val, sample_weight_val, per_class):
        if X_val is None and y_val is None:
            raise ValueError("sample_weight_val was given without X_val and y_val")
        if X_val is None or y_val is None:
            raise ValueError("X_val and y_val go together; one of them is missing")
        dtype, y_val = np.dtype(self.dtype), check_labels(y_val, "y_val")
        X_val, y_val = check_rows(self, X_val, y_val, name="X_val", dtype=dtype, reset=False)
        labels = encode_labels(y_val, self.classes_, "y_val")
        weights = check_weights(sample_weight_val, len(labels), "sample_weight_val")
        weights = times_class_weights(weights, per_class, labels, "sample_weight_val")
        return ValidationSet(X_val, labels, weights)

    def _split(self, X, labels, weights, rows, seed):
        """Rows left for training, and a stratified validation set, or all rows and None."""
        stream = np.random.default_rng(seed)
        drawn = rows[stratified_rows(labels[rows], self.validation_fraction, stream)]
        if not drawn.size:
            return rows, None
        validation = ValidationSet(X, labels[drawn], weights[drawn], drawn)
        return np.setdiff1d(rows, drawn, assume_unique=True), validation

    def _ensemble(self):
        """How many members there are, and whether to calibrate them."""
        # Softmax regression has one optimum, and no excess of confidence to take back.
        is_deep = np.size(self.hidden_layer_sizes) > 0
        return (self.n_members, self.calibrate) if is_deep else (1, False)

    def _n_models(self, validation=None):
        """How many networks are trained: without a validation set, one may be to calibrate."""
        n_members, calibrate = self._ensemble()
        leaves_out = calibrate and validation is None and not self.early_stopping
        return max(2, n_members) if leaves_out else n_members  # the first learns from all rows

    def _architecture(self):
        sizes = self.hidden_layer_sizes
        sizes = sizes.tolist() if isinstance(sizes, np.ndarray) else sizes
        sizes = (sizes,) if isinstance(sizes, Real) else tuple(sizes)
        if not all(isinstance(n, Integral) and int(n) > 0 for n in sizes):
            raise ValueError(f"hidden_layer_sizes must hold positive integers, got {sizes}")
        return Architecture(
            n_features=self.n_features_in_,
            hidden_layer_sizes=tuple(int(n) for n in sizes),
            n_classes=len(self.classes_),
            activation=self.activation,
            batch_norm=bool(self.batch_norm),
        )

    def _models(self, n_models, going_on=False, drawn=None):
        """Those of the members, to be trained: copies of what is there, and new ones.

        Those of one seed are drawn once, and kept in the dict ``drawn``.
        """
        models = [self._continued(m) for m in self._trained[:n_models]] if going_on else []
        if len(models) == n_models:
            return models
        seed, drawn = self.random_state, {} if drawn is None else drawn
        words = _words_of_seed(int(seed)) if isinstance(seed, Integral) else _words(seed)
        architecture = self._architecture()
        for number in range(len(models), n_models):
            entropy = (*words, number) if number else words
            which = architecture, self.solver, self.initializer, self.dtype, entropy
            if which not in drawn:
                drawn[which] = Model.new(*which)
            models.append(drawn[which].twin())
        return models

    @property
    def _trained(self):
        return [self._model, *self._others]

    def _continued(self, model):
        """Copy a model, after making sure that it is still of the shape asked for."""
        architecture = self._architecture()
        asked = {**vars(architecture), "solver": self.solver, "dtype": self.dtype}
        dtype = model.state.theta.dtype.name
        has = {**vars(model.architecture), "solver": model.solver, "dtype": dtype}
        for name in ("hidden_layer_sizes", "activation", "batch_norm", "solver", "dtype"):
            if asked[name] != has[name]:
                raise ValueError(
                    f"{name} was changed from {has[name]!r} to {asked[name]!r}, with which the "
                    "trained network cannot go on; set it back, or fit anew with "
                    "warm_start=False"
                )
        return model.copy()

    def _plan(self, model, data):
        """The training's settings and hyperparameters."""
        n_rows = len(data.labels) if data.rows is None else data.rows.shape[1]
        hyper = stack_hyperparameters([{name: getattr(self, name) for name in PER_MEMBER}])
        return self._settings(model.architecture, n_rows), hyper

    def _settings(self, architecture, n_rows):
        batch_size = self.batch_size
        if batch_size == "auto":
            batch_size = automatic_batch_size(n_rows)
        if batch_size == 1 and architecture.normalised:
            raise ValueError(
                "batch_size=1 leaves batch norm nothing to normalise over; use at least 2 rows, "
                "or batch_norm=False"
            )
        return Settings(
            solver=self.solver,
            nesterovs_momentum=bool(self.nesterovs_momentum),
            learning_rate=self.learning_rate,
            batch_size=int(batch_size),
            shuffle=bool(self.shuffle),
        )

    def _run(self, training):
        """Train until ``max_iter`` or until validation says stop."""
        model, settings, interrupted = training.model, training.settings, False
        if model.state.n_epochs < self.max_iter:
            epochs = model.epochs(settings, training.hyper, training.data, training.validation)
            with suitable_threads(model.architecture, settings.batch_size):
                interrupted = run_epochs(model, epochs, self.max_iter, training.best, self._report)
        try:
            if not interrupted:
                train_together((other, self.max_iter) for other in training.others)
        except KeyboardInterrupt:
            interrupted = True
            warnings.warn(
                "Training interrupted by the user; the model is that of its first member alone",
                stacklevel=3,
            )
        if interrupted:
            training.others = []
        if training.error:
            raise ValueError(training.error)

    def _report(self, n_epochs, entry):
        if self.verbose:
            measured = "  ".join(f"{name} {value:.4g}" for name, value in entry.items())
            print(f"epoch {n_epochs:>{len(str(self.max_iter))}}/{self.max_iter}  {measured}")

    def _publish(self, models, held_out=()):
        """Take over what was trained, and calibrate on rows that it was not trained on."""
        self._model, *self._others = models
        self._n_averaged, _ = self._ensemble()
        self.n_iter_ = self._model.state.n_epochs
        self.history_ = self._model.history
        self.loss_ = self._model.history["loss"][self._model.kept_epoch - 1]
        self.temperature_ = fit_temperature(held_out)

    def _publish_training(self, training):
        models, held_out = [each.result() for each in training.all], []
        _, calibrate = self._ensemble()
        for model, each in zip(models, training.all, strict=True):
            chosen = each.held_out if each.best is None else each.validation
            if calibrate and chosen is not None:
                logits = model.logits(chosen.x, chosen.rows)
                held_out.append((logits, chosen.labels, chosen.weights))
        self._publish(models, held_out)

    @property
    def _averaged(self):
        return self._trained[: self._n_averaged]

    def _combined(self, logits):
        """Logits in float64 of what the members (K, n, C) say together."""
        scaled = logits.astype(np.float64, copy=False) / self.temperature_
        return log_mean_probabilities(scaled)

    def _logits(self, X):
        """Logits in float64, shape (n_samples, n_classes)."""
        check_is_fitted(self)
        X = check_rows(self, X, dtype=[np.float64, np.float32], reset=False)
        return self._combined(logits_together(self._averaged, X))

    def decision_function(self, X):
        """Logits, the inputs of the softmax.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        logits : ndarray of shape (n_samples, n_classes) or (n_samples,)
            With two classes the second's logit minus the first's. Of several members
            the logarithms of the mean probabilities.
        """
        logits = self._logits(X)
        return logits[:, 1] - logits[:, 0] if len(self.classes_) == 2 else logits

    def predict_log_proba(self, X):
        """Logarithms of the probabilities, finite even where a probability underflows.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        log_probabilities : ndarray of shape (n_samples, n_classes)
        """
        return log_softmax(self._logits(X))

    def predict_proba(self, X):
        """Probabilities of the classes, in the order of ``classes_``.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        probabilities : ndarray of shape (n_samples, n_classes)
        """
        return softmax(self._logits(X))

    def predict(self, X):
        """The most probable class of each row.

        Parameters
        ----------
        X : {array-like, sparse matrix} of shape (n_samples, n_features)

        Returns
        -------
        labels : ndarray of shape (n_samples,)
        """
        logits = self._logits(X)
        return self.classes_[logits.argmax(axis=1)]

    def _hidden_arrays(self, kind):
        check_is_fitted(self)
        return [array[0] for array in self._model.layer_arrays(kind).values()]

    @property
    def coefs_(self):
        """Weights (n_in, n_out) of each layer."""
        check_is_fitted(self)
        return list(self._model.layer_arrays("weights").values())

    @property
    def intercepts_(self):
        """Biases (n_out,) of each layer; zeros under batch norm."""
        check_is_fitted(self)
        biases = self._model.layer_arrays("bias")
        return [
            biases[layer][0] if layer in biases else np.zeros(weights.shape[1], weights.dtype)
            for layer, weights in enumerate(self.coefs_)
        ]

    @property
    def bn_gamma_(self):
        """Scales (n_units,) of each hidden layer."""
        return self._hidden_arrays("gamma")

    @property
    def bn_beta_(self):
        """Shifts (n_units,) of each hidden layer."""
        return self._hidden_arrays("beta")

    @property
    def bn_mean_(self):
        """Averaged means (n_units,) of each hidden layer."""
        return self._hidden_arrays("mean")

    @property
    def bn_var_(self):
        """Averaged variances (n_units,) of each hidden layer."""
        return self._hidden_arrays("var")

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def __getstate__(self):
        return {**super().__getstate__(), "_skbn_version": __version__}

    def __setstate__(self, state):
        version = state.pop("_skbn_version", "unknown")
        if version != __version__:
            warnings.warn(
                f"This {type(self).__name__} was saved with skbn {version} and is loaded with "
                f"skbn {__version__}, which may not predict the same. Load it with the version "
                "that saved it, or fit it again",
                stacklevel=2,
            )
        super().__setstate__(state)


def automatic_batch_size(n_rows):
    """Rows of a mini-batch by default."""
    return min(128, max(32, n_rows // 20))


def _words(random_state):
    return tuple(check_random_state(random_state).randint(2**31, size=4).tolist())


# The members of a population often have one seed, and to seed a RandomState takes 80 us.
_words_of_seed = lru_cache(maxsize=128)(_words)


@contextmanager
def _unchanged_on_error(estimator):
    """Put the estimator's attributes back if the block raises."""
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
