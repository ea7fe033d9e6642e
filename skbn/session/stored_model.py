"""The model of a session as its journal keeps it, without pickles."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sklearn.base import clone
from sklearn.pipeline import Pipeline

from skbn._compat import without_callbacks
from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.estimators.pipelines import classifier_of
from skbn.export.encoding import decoded, encoded
from skbn.export.skops_types import SKOPS_TYPES
from skbn.journal.values import digest_of, short_text
from skbn.session.checkpoints import in_place_of_functions
from skbn.session.machine import this_machine
from skbn.session.preparation import Prepared

SCORE_FUNCTIONS = {
    f"sklearn.feature_selection.{name}"
    for name in (
        *("_univariate_selection.chi2", "_univariate_selection.f_classif"),
        *("_univariate_selection.f_regression", "_mutual_info.mutual_info_classif"),
    )
}
"""Of `sklearn.feature_selection.SelectKBest` and the like."""
TYPES_OF_SKRUB = {"DatetimeEncoder", "PassThrough", "StringEncoder", "TableVectorizer"}
"""Those of `tabular_pipeline` with skrub, made from a file beside the types that skops trusts
itself and ``SKOPS_TYPES``: an unfitted one runs nothing that the file says."""


def described(
    model: Any, seeds: Mapping[str, int], prepared: Prepared, max_checkpoints: int
) -> dict[str, Any]:
    """Give what a journal keeps of a new session.

    Parameters
    ----------
    model : BNSoftmaxClassifier or Pipeline
        Unfitted, with its seeds.
    seeds : mapping of str to int
        Those that were drawn.
    prepared : Prepared
    max_checkpoints : int
    """
    classifier = classifier_of(model)
    params = {name: getattr(classifier, name) for name in BNSoftmaxClassifier().get_params()}
    built_in = in_place_of_functions(params)
    held = {name: encoded(value, name) for name, value in (params | built_in).items()}
    about: dict[str, Any] = {
        "params": json.dumps(held),
        "class": type(classifier).__qualname__,
        "seeds": json.dumps(seeds),
        "machine": json.dumps(this_machine()),
        "max_checkpoints": str(max_checkpoints),
        "status": "idle",
    }
    if built_in:
        about["functions"] = ", ".join(f"{name}={short_text(params[name])}" for name in built_in)
    if isinstance(model, Pipeline):
        about["rows"] = digest_of(prepared.table.dataset.x, "X")
        if transformers := _transformers(model):
            about["pipeline"] = transformers
    return about


def _transformers(model: Pipeline) -> bytes | None:
    """Give the Pipeline without its classifier as a file of skops, where that is installed."""
    try:
        import skops.io
    except ImportError:
        return None
    model = without_callbacks(clone(model))
    model.steps[-1] = (model.steps[-1][0], "passthrough")
    try:
        data: bytes = skops.io.dumps(model)
    except Exception:  # of an object that skops cannot save, which is told when it is needed
        return None
    return data


def stored_classifier(about: Mapping[str, Any]) -> BNSoftmaxClassifier:
    """Give the unfitted classifier of a session, as it began, from what its journal keeps."""
    params = json.loads(about["params"])
    return BNSoftmaxClassifier(**{name: decoded(value) for name, value in params.items()})


def rebuilt(about: Mapping[str, Any], path: str) -> Any:
    """Give the unfitted model of a session from what its journal keeps.

    Raises
    ------
    ValueError
        If it is of another class, or has functions or a Pipeline that the journal does not hold.
    """
    if "functions" in about:
        raise ValueError(
            f"journal {path!r} knows functions of one's own by their code but does not hold them: "
            f"pass the model that the session began with, which has {about['functions']}, as model="
        )
    classifier = stored_classifier(about)
    if about["class"] != type(classifier).__qualname__:
        raise ValueError(
            f"journal {path!r} is of the class {about['class']}, which is not made from a file: "
            "pass the model that the session began with, as model="
        )
    if "rows" not in about:
        return classifier
    advice = "pass the Pipeline that the session began with, as model="
    if "pipeline" not in about:
        raise ValueError(
            f"journal {path!r} does not hold its Pipeline, for skops was not installed or cannot "
            f"save it: {advice}"
        )
    try:
        import skops.io
    except ImportError as error:
        raise ImportError(
            f"the Pipeline of journal {path!r} is read by skops, which is not installed: "
            f'pip install "skbn[skops]", or {advice}'
        ) from error
    types = skops.io.get_untrusted_types(data=about["pipeline"])
    known = SCORE_FUNCTIONS.union(SKOPS_TYPES)
    unknown = [each for each in types if each not in known and not _is_of_skrub(each)]
    if unknown:
        raise ValueError(
            f"the Pipeline of journal {path!r} holds objects of {', '.join(unknown)}, which are "
            f"not made from a file: {advice}"
        )
    try:
        pipeline = skops.io.loads(about["pipeline"], trusted=types)
    except ModuleNotFoundError as error:
        raise ImportError(
            f"the Pipeline of journal {path!r} has steps of a package that is not installed "
            f'({error}): install it, for skrub by pip install "skbn[tabular]"'
        ) from error
    pipeline.steps[-1] = (pipeline.steps[-1][0], classifier)
    return pipeline


def _is_of_skrub(name: str) -> bool:
    return name.startswith("skrub.") and name.rpartition(".")[2] in TYPES_OF_SKRUB
