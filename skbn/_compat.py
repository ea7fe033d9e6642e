"""The private names of scikit-learn that this package cannot do without.

`skbn.search.CoarseToFineSearchCV` inherits from `BaseSearchCV`, and calls these of its methods.
scikit-learn has no public way to what they do:

``_get_scorers``
    Makes scorers of ``scoring``, as all searches of scikit-learn understand it.
``_get_routed_params_for_fit``
    Tells which arguments of `fit` are for the estimator, the scorer and the splitter, with
    metadata routing and without.
``_format_results``
    Makes ``cv_results_``, whose columns, masks and dtypes follow scikit-learn's release.
``_check_refit_for_multimetric``
    Refuses a ``refit`` that names none of several scores.
``_select_best_index``
    Chooses the best candidate, by a callable ``refit`` too.

Its class attribute ``_parameter_constraints`` is what scikit-learn checks parameters against.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from traceback import format_exc
from typing import Any, NoReturn

from sklearn import __version__ as version
from sklearn.base import BaseEstimator
from sklearn.metrics import get_scorer, get_scorer_names
from sklearn.metrics._scorer import _BaseScorer, _MultimetricScorer, _PassthroughScorer
from sklearn.model_selection._search import BaseSearchCV
from sklearn.model_selection._validation import (
    _fit_and_score,
    _insert_error_scores,
    _score,
    _warn_or_raise_about_fit_failures,
)
from sklearn.utils import _safe_indexing
from sklearn.utils._param_validation import (
    Interval,
    StrOptions,
    validate_parameter_constraints,
)
from sklearn.utils.metaestimators import _safe_split
from sklearn.utils.validation import (
    _check_feature_names_in,
    _check_method_params,
    _num_samples,
)

try:  # scikit-learn 1.9
    from sklearn.callback import CallbackSupportMixin, with_callbacks
    from sklearn.callback._callback_support import callback_management_context
except ImportError:
    callback_management_context = nullcontext

    class CallbackSupportMixin:  # type: ignore[no-redef]
        """Stands for that of scikit-learn 1.9."""

        def set_callbacks(self, *callbacks: Any) -> NoReturn:
            """Say which version of scikit-learn has callbacks.

            Parameters
            ----------
            *callbacks : callback instances
                From `sklearn.callback` or `skbn.callbacks`.

            Raises
            ------
            NotImplementedError
                Always: scikit-learn has callbacks from version 1.9 on.
            """
            raise NotImplementedError(
                f"callbacks need scikit-learn 1.9 or newer, and this is {version}: "
                'pip install -U "scikit-learn>=1.9"'
            )

    def with_callbacks(method: Any) -> Any:
        """Leave the method as it is."""
        return method


__all__ = [
    "EVALUATION_TASK",
    "SEARCH_CONSTRAINTS",
    "BaseSearchCV",
    "CallbackSupportMixin",
    "Interval",
    "StrOptions",
    "begin_fit_task",
    "callback_management_context",
    "callback_task",
    "callbacks_of",
    "check_feature_names_in",
    "check_method_params",
    "estimator_task",
    "fit_and_score",
    "has_callbacks",
    "has_progress_bar",
    "insert_error_scores",
    "looks_at_predictions_only",
    "n_samples",
    "name_of_scorer",
    "names_of_scores",
    "noting_errors",
    "refuse_handed_on",
    "safe_indexing",
    "safe_split",
    "score",
    "scorers_by_name",
    "validate_parameter_constraints",
    "validate_parameters",
    "warn_or_raise_about_fit_failures",
    "with_callbacks",
    "with_parameters_only",
    "without_callbacks",
]

SEARCH_CONSTRAINTS: dict[str, Any] = BaseSearchCV._parameter_constraints
"""Constraints of the parameters that all searches of scikit-learn have."""

EVALUATION_TASK = "candidate-split-evaluation"
"""Name of the task of a fit of a search, among those that callbacks hear of."""

check_feature_names_in = _check_feature_names_in
check_method_params = _check_method_params
fit_and_score = _fit_and_score
insert_error_scores = _insert_error_scores
n_samples = _num_samples
safe_indexing = _safe_indexing
safe_split = _safe_split
score = _score
warn_or_raise_about_fit_failures = _warn_or_raise_about_fit_failures


def scorers_by_name(scorer: Any) -> Any:
    """The scorers by name that make several scores, or the one scorer itself."""
    return scorer._scorers if isinstance(scorer, _MultimetricScorer) else scorer


def names_of_scores(scorer: Any) -> list[str] | None:
    """Names of several scores, or None where a scorer gives one number."""
    return list(scorer._scorers) if isinstance(scorer, _MultimetricScorer) else None


def name_of_scorer(scorer: Any) -> str | None:
    """The name by which `get_scorer` gives a scorer, or None where that is another, or none."""
    if not isinstance(scorer, _BaseScorer):
        return None
    parts = repr(vars(scorer))
    return next((n for n in get_scorer_names() if repr(vars(get_scorer(n))) == parts), None)


class _NotingScorer:
    """A scorer of one score, or a callable, that keeps the text of its error."""

    def __init__(self, scorer: Any) -> None:
        self._scorer = scorer
        self.error: str | None = None

    def __repr__(self) -> str:
        return repr(self._scorer)

    def __call__(self, *args: Any, **params: Any) -> Any:
        try:
            return self._scorer(*args, **params)
        except Exception:
            self.error = format_exc()
            raise


class _NotingScorers(_MultimetricScorer):
    """A scorer of several scores that keeps the texts of their errors by name."""

    error: dict[str, str] | None = None

    def __call__(self, *args: Any, **params: Any) -> Any:
        scores = super().__call__(*args, **params)
        # scikit-learn puts the text of an error into the place of the score.
        self.error = {n: text for n, text in scores.items() if isinstance(text, str)} or None
        return scores


def noting_errors(scorer: Any) -> Any:
    """A scorer that scores as another, and keeps in ``error`` why it failed at its last call."""
    if isinstance(scorer, _MultimetricScorer):
        return _NotingScorers(scorers=scorer._scorers, raise_exc=scorer._raise_exc)
    return _NotingScorer(scorer)


def looks_at_predictions_only(scorer: Any) -> bool:
    """Whether a scorer asks nothing of an estimator but its predictions, or its own score."""
    if isinstance(scorer, _MultimetricScorer):
        return all(looks_at_predictions_only(each) for each in scorer._scorers.values())
    return isinstance(scorer, (_BaseScorer, _PassthroughScorer))


def validate_parameters(estimator: Any, like: Any = None) -> None:
    """Check parameters against ``_parameter_constraints``, with scikit-learn's messages.

    Parameters
    ----------
    estimator : estimator
    like : estimator, optional
        Another one of this class that is valid: what both have is not checked again.
    """
    has_own = type(estimator)._validate_params is not BaseEstimator._validate_params
    if like is None or has_own:
        estimator._validate_params()
        return
    constraints = estimator._parameter_constraints
    own = {name: getattr(estimator, name) for name in constraints}
    own = {name: value for name, value in own.items() if value is not getattr(like, name)}
    validate_parameter_constraints(constraints, own, caller_name=type(estimator).__name__)


def has_callbacks(estimator: Any) -> bool:
    """Whether callbacks were set on an estimator, or passed on to it."""
    return bool(callbacks_on(estimator))


def callbacks_on(estimator: Any) -> list[Any]:
    """Callbacks that were set on an estimator, or passed on to it."""
    return getattr(estimator, "_skl_callbacks", [])


def has_progress_bar(estimator: Any) -> bool:
    """Whether scikit-learn's bars are among the callbacks of an estimator."""
    if not has_callbacks(estimator):
        return False
    from sklearn.callback import ProgressBar  # there are none before scikit-learn 1.9

    return any(isinstance(each, ProgressBar) for each in callbacks_on(estimator))


def callbacks_of(model: Any) -> list[Any]:
    """Callbacks that were set on a model and on its parts."""
    return [each for part in (model, *model.get_params().values()) for each in callbacks_on(part)]


def without_callbacks(model: Any) -> Any:
    """Take the callbacks from a model and its parts, and give it."""
    for part in (model, *model.get_params().values()):
        if has_callbacks(part):
            part.set_callbacks()
    return model


def with_parameters_only(estimator: Any) -> Any:
    """Give an estimator with the parameters and callbacks of another, the very objects.

    Unlike a clone it shares what cannot be copied, such as a generator.
    """
    made = object.__new__(type(estimator))
    kept = {*estimator.get_params(deep=False), "_skl_callbacks"}
    made.__dict__ = {name: value for name, value in vars(estimator).items() if name in kept}
    return made


def refuse_handed_on(search: Any) -> None:
    """Refuse callbacks of the parts of a search that are for the search to hand on.

    scikit-learn does so when it fits the part, which may be late.

    Parameters
    ----------
    search : BaseSearchCV
    """
    for part in _parts_of(search):
        names = [
            type(c).__name__ for c in callbacks_on(part) if hasattr(c, "max_propagation_depth")
        ]
        if names:
            name = type(search).__name__
            raise TypeError(
                f"{type(part).__name__} within {name} has the callback {names[0]}, which {name} is "
                f"to hand on: set it there, by search.set_callbacks({names[0]}(...))"
            )


def _parts_of(search: Any) -> Iterator[Any]:
    """Give the estimator of a search, its parts, and values that may take their places."""
    yield from search.get_params().values()
    spaces = getattr(search, "param_distributions", {})
    for space in spaces if isinstance(spaces, (list, tuple)) else [spaces]:
        for values in space.values():
            yield from values if isinstance(values, (list, tuple)) else ()


@contextmanager
def callback_task(
    search: Any, name: str, max_subtasks: int | None, parent: Any = ..., **options: Any
) -> Iterator[Any]:
    """Tell scikit-learn's callbacks that a task of a search begins and ends.

    Parameters
    ----------
    search : BaseSearchCV
        Whose callbacks, and those of its estimator.
    name : str
        Of the task.
    max_subtasks : int or None
        Tasks it consists of; None is not known.
    parent : CallbackContext or None, optional
        Of the task that this one is a part of. By default it is a fit, and a part of none.
    **options : bool
        ``sequential_subtasks=False`` for a task whose parts have numbers.

    Yields
    ------
    context : CallbackContext or None
        None where there are no callbacks, as before scikit-learn 1.9.
    """
    begins = parent is ... and any(map(has_callbacks, (search, *_parts_of(search))))
    if not begins and parent in (None, ...):
        yield None
        return
    begin = search._init_callback_context if begins else parent.subcontext
    context = begin(task_name=name, max_subtasks=max_subtasks, **options)
    context.call_on_fit_task_begin(estimator=search)
    yield context
    context.call_on_fit_task_end(estimator=search)


def begin_fit_task(estimator: Any, name: str, max_subtasks: int) -> Any:
    """Set up the callbacks of an estimator, and give the context of the task of its fit."""
    return estimator._init_callback_context(name, 0, max_subtasks, sequential_subtasks=False)


@contextmanager
def estimator_task(search: Any, context: Any, estimator: Any) -> Iterator[None]:
    """Tell the callbacks of a search that it fits an estimator, and hand them on to it.

    Parameters
    ----------
    search : BaseSearchCV
    context : CallbackContext
        Of this task.
    estimator : estimator
    """
    with context.propagate_callback_context(estimator):
        context.call_on_fit_task_begin(estimator=search)
        try:
            yield
        finally:
            context.call_on_fit_task_end(estimator=search)
