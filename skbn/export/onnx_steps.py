"""The graphs of steps of a Pipeline.

Each function takes a fitted step and the columns that it is given, and gives its columns. It
computes in float where the step does, whose rows are then float32, and else in double.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from skbn.export.graph import Columns, Graph, Table
from skbn.preprocessing import PiecewiseLinearEncoder, pieces_of
from skbn.tables.cleaner import TableCleaner
from skbn.tables.columns import LARGEST, MISSING_WORDS
from skbn.tables.encoders import DatetimeEncoder, FloatEncoder, TextEncoder

TEXTS_OF_NONE = ("", "None")
TEXTS_OF_NAN = ("", "nan", "<NA>")
"""Texts that stand for a missing cell, which a tensor of text cannot hold: the empty one, and
what ``astype(str)`` makes of it. scikit-learn tells None from NaN."""


def number_graph(graph: Graph, table: Table) -> Graph:
    """Give the graph in the dtype in which scikit-learn computes with these columns."""
    is_float = all(each.dtype == np.float32 for each in table)
    return graph.in_dtype(np.float32 if is_float else np.float64)


def piecewise_linear(graph: Graph, encoder: PiecewiseLinearEncoder, table: Table) -> list[Columns]:
    """`skbn.preprocessing.PiecewiseLinearEncoder`."""
    graph = number_graph(graph, table)
    x, pieces = graph.numbers(table).tensor, pieces_of(encoder, graph.dtype)

    def taken(columns: Any) -> str:
        return graph.node("Gather", x, graph.integers(columns), axis=1)

    codes = graph.node("Sub", taken(pieces.columns), pieces.left)
    codes = graph.node("Clip", graph.node("Div", codes, pieces.width), 0, 1)
    parts = [Columns(codes, len(pieces.columns), graph.dtype)]
    if encoder.include_original:
        codes = graph.node("Div", codes, pieces.divisor)
        original = graph.node("Sub", taken(pieces.included), pieces.mean)
        original = graph.node("Div", original, pieces.std)
        parts = [
            Columns(original, len(pieces.included), graph.dtype),
            Columns(codes, len(pieces.columns), graph.dtype),
        ]
    return [part for part in parts if part.n_columns]


def imputed(graph: Graph, imputer: Any, table: Table) -> list[Columns]:
    """`sklearn.impute.SimpleImputer`, of numbers or of text, also with indicators."""
    is_text = all(each.is_text for each in table)
    if not is_text:
        graph = number_graph(graph, table)
    rows = graph.texts(table) if is_text else graph.numbers(table)
    find = _is_missing_text if is_text else _is_missing_number
    marks = Columns(find(graph, imputer, rows.tensor), rows.n_columns, np.dtype(np.bool_))
    # A column without a statistic had no value in training, and is left out.
    kept = np.flatnonzero(~pd.isna(imputer.statistics_)).tolist()
    parts = []
    if kept:
        (x,), (is_missing,) = graph.selected([rows], kept), graph.selected([marks], kept)
        fill = imputer.statistics_[kept]
        filler = graph.constant(fill.astype(object)) if is_text else graph.number(fill)
        filled = graph.node("Where", is_missing.tensor, filler, x.tensor)
        parts.append(Columns(filled, len(kept), rows.dtype))
    if imputer.add_indicator:
        columns = graph.selected([marks], imputer.indicator_.features_.tolist())
        parts += [graph.numbers([each]) for each in columns]
    return parts


def _is_missing_number(graph: Graph, imputer: Any, x: str) -> str:
    if imputer.missing_values is None or imputer.missing_values != imputer.missing_values:
        return graph.node("Not", graph.node("Equal", x, x))  # of numbers NaN alone is another
    return graph.node("Equal", x, imputer.missing_values)


def _is_missing_text(graph: Graph, imputer: Any, x: str) -> str:
    missing = imputer.missing_values
    texts = (missing,) if isinstance(missing, str) else _texts_of(missing)
    return graph.cast(graph.codes(x, dict.fromkeys(texts, 1), default=0), np.bool_)


def binarized(graph: Graph, binarizer: Any, table: Table) -> list[Columns]:
    """`sklearn.preprocessing.Binarizer`."""
    graph = number_graph(graph, table)
    x = graph.numbers(table)
    is_above = graph.node("Greater", x.tensor, binarizer.threshold)
    return [Columns(graph.cast(is_above, graph.dtype), x.n_columns, graph.dtype)]


def normalized(graph: Graph, normalizer: Any, table: Table) -> list[Columns]:
    """`sklearn.preprocessing.Normalizer`, which leaves rows of zeros as they are."""
    graph = number_graph(graph, table)
    x = graph.numbers(table)
    size = graph.node("Abs", x.tensor)
    if normalizer.norm == "max":
        norm = graph.node("TopK", size, graph.integers([1]), axis=1)  # ReduceMax changed in 18
        graph.nodes[-1].output.append(graph.new_name("place"))
    else:
        is_l1 = normalizer.norm == "l1"
        size = size if is_l1 else graph.node("Mul", size, size)
        norm = graph.node("ReduceSum", size, graph.integers([1]))
        norm = norm if is_l1 else graph.node("Sqrt", norm)
    is_zero = graph.node("Less", norm, 10 * np.finfo(graph.dtype).eps)
    norm = graph.node("Where", is_zero, 1, norm)
    return [Columns(graph.node("Div", x.tensor, norm), x.n_columns, graph.dtype)]


def one_hot(graph: Graph, encoder: Any, table: Table) -> list[Columns]:
    """`sklearn.preprocessing.OneHotEncoder`, with infrequent and missing categories.

    A category that is unknown, where the encoder would raise, has zeros.
    """
    graph = graph.in_dtype(np.float32 if encoder.dtype == np.float32 else np.float64)
    n_columns = sum(each.n_columns for each in table)
    singles = [graph.selected(table, [k])[0] for k in range(n_columns)]
    encoded = [_one_hot_column(graph, encoder, k, column) for k, column in enumerate(singles)]
    return [each for each in encoded if each.n_columns]


def ordinal(graph: Graph, encoder: Any, table: Table) -> list[Columns]:
    """`sklearn.preprocessing.OrdinalEncoder`.

    A category that is unknown, where the encoder would raise, is NaN.
    """
    graph = graph.in_dtype(np.float32 if encoder.dtype == np.float32 else np.float64)
    encoded = []
    for k, categories in enumerate(encoder.categories_):
        (column,) = graph.selected(table, [k])
        codes, n_codes = _merged_places(encoder, k)
        is_missing = [each != each for each in categories]  # None is a category as others are
        # A missing category has no place of its own, so that the infrequent ones move up.
        codes = np.minimum(codes, n_codes - 1 - sum(is_missing))
        codes = np.where(is_missing, encoder.encoded_missing_value, codes)
        unknown = np.nan if encoder.handle_unknown == "error" else encoder.unknown_value
        place = _looked_up(graph, categories, column, np.arange(len(categories)))
        code = graph.node("Gather", np.append(codes, unknown), graph.cast(place, np.int64), axis=0)
        encoded.append(Columns(code, 1, graph.dtype))
    return encoded


def _one_hot_column(
    graph: Graph, encoder: Any, k: int, column: Columns, missing_texts: Sequence[str] = ()
) -> Columns:
    """Encode a column as the encoder's k-th one."""
    places, unknown, n_columns = _one_hot_places(encoder, k)
    place = _looked_up(graph, encoder.categories_[k], column, places, unknown, missing_texts)
    # A comparison with all columns needs no table of ones, the square of the categories.
    is_one = graph.node("Equal", place, graph.integers(np.arange(n_columns)))
    return Columns(graph.cast(is_one, graph.dtype), n_columns, graph.dtype)


def _looked_up(
    graph: Graph,
    categories: Any,
    column: Columns,
    places: Any,
    unknown: int = -1,
    missing_texts: Sequence[str] = (),
) -> str:
    """Integers, one for each category and one for what is unknown."""
    texts = [each for each in categories if isinstance(each, str)]
    if column.is_text != bool(texts) and not all(each is None for each in categories):
        held = "text" if texts else "numbers"
        raise ValueError(
            f"there are categories that are {held}, for {column.tensor} that is not; pass as X "
            "a DataFrame like that of the training"
        )
    if column.is_text:
        codes = _codes_of_texts(categories, missing_texts)
        codes = {text: int(places[code]) for text, code in codes.items()}
        return graph.codes(column.tensor, codes, default=unknown)
    exact = graph.in_dtype(np.float64)
    x = exact.numbers([column]).tensor
    x = exact.node("Where", exact.node("Equal", x, x), x, np.inf)
    known = np.array([np.inf if each is None or each != each else each for each in categories])
    is_category = exact.cast(exact.node("Equal", x, known.astype(float)), np.float64)
    place = exact.node("MatMul", is_category, (places - unknown)[:, np.newaxis])
    return exact.cast(exact.node("Add", place, unknown), np.int64)


def _codes_of_texts(categories: Any, missing_texts: Sequence[str]) -> dict[str, int]:
    """Positions of categories by text; missing ones by texts that stand for them."""
    codes = dict[str, int]()
    for k, each in enumerate(categories):  # NaN, the last, has the empty text if None is there too
        if not isinstance(each, str):
            codes |= dict.fromkeys(missing_texts or _texts_of(each), k)
    return codes | {each: k for k, each in enumerate(categories) if isinstance(each, str)}


def _texts_of(missing: Any) -> tuple[str, ...]:
    return TEXTS_OF_NONE if missing is None else TEXTS_OF_NAN


def _merged_places(encoder: Any, k: int) -> tuple[Any, int]:
    """Places of the k-th column's categories, infrequent ones together at the end; how many."""
    categories = encoder.categories_[k]
    infrequent = _infrequent(encoder, k)
    if infrequent is None:
        return np.arange(len(categories)), len(categories)
    is_rare = np.array([_is_among(each, infrequent) for each in categories])
    n_places = int(np.count_nonzero(~is_rare)) + 1
    return np.where(is_rare, n_places - 1, np.cumsum(~is_rare) - 1), n_places


def _one_hot_places(encoder: Any, k: int) -> tuple[Any, int, int]:
    """In which columns the encoder has each category of its k-th one and an unknown, of how many.

    What has zeros alone is at -1.
    """
    places, n_columns = _merged_places(encoder, k)
    is_merged = _infrequent(encoder, k) is not None
    unknown = n_columns - 1 if is_merged and encoder.handle_unknown != "ignore" else -1
    dropped = None if encoder.drop_idx_ is None else encoder.drop_idx_[k]
    if dropped is not None:
        places = np.append(places, unknown)
        place = places[dropped]
        places = np.where(places == place, -1, places - (places > place))
        places, unknown, n_columns = places[:-1], int(places[-1]), n_columns - 1
    return places, unknown, n_columns


def _infrequent(encoder: Any, k: int) -> Any:
    return getattr(encoder, "infrequent_categories_", [None] * (k + 1))[k]


def _is_among(value: Any, values: Any) -> bool:
    return any(
        value is each or value == each or (value != value and each != each) for each in values
    )


def cleaned(graph: Graph, cleaner: TableCleaner, table: Table) -> list[Columns]:
    """`skbn.tables.cleaner.TableCleaner`, of numbers and of text that has no spaces around it.

    Dates stay as they are: the step that encodes them is not converted.
    """
    columns = list[Columns]()
    for k, form in enumerate(cleaner.forms_.values()):
        (column,) = graph.selected(table, [k])
        if form["kind"] == "number":
            columns.append(_cleaned_numbers(graph, column))
        elif form["kind"] == "text":
            columns.append(_cleaned_texts(graph, column))
        elif form["kind"] == "date":
            columns.append(column)
    return columns


def _cleaned_numbers(graph: Graph, column: Columns) -> Columns:
    if column.is_text:
        raise ValueError(
            f"it reads numbers from the text of {column.tensor}, which ONNX reads otherwise; make "
            "numbers of it before the training"
        )
    graph = number_graph(graph, [column])
    x = graph.numbers([column]).tensor
    is_number = graph.node("LessOrEqual", graph.node("Abs", x), LARGEST)  # which NaN is not
    return Columns(graph.node("Where", is_number, x, np.nan), 1, graph.dtype)


def _cleaned_texts(graph: Graph, column: Columns) -> Columns:
    if column.dtype.kind in "iu":  # categories of pandas
        return Columns(graph.cast(column.tensor, object), 1, np.dtype(object))
    texts = graph.texts([column])
    codes = graph.codes(texts.tensor, dict.fromkeys(sorted(MISSING_WORDS), 1), default=0)
    is_missing = graph.cast(codes, np.bool_)
    missing = graph.constant(np.array(TEXTS_OF_NAN[:1], dtype=object))
    return Columns(graph.node("Where", is_missing, missing, texts.tensor), 1, texts.dtype)


def floats(graph: Graph, encoder: FloatEncoder, table: Table) -> list[Columns]:
    """`skbn.tables.encoders.FloatEncoder`."""
    return [graph.in_dtype(np.float32).numbers(table)]


ADVICE = (
    "Drop them from the training, or make numbers or fewer than 40 categories of them before it"
)


def refused(graph: Graph, encoder: DatetimeEncoder | TextEncoder, table: Table) -> list[Columns]:
    """Encoders of dates and of long text, whose columns are named."""
    names = ", ".join(map(repr, encoder.feature_names_in_.tolist()))
    raise ValueError(f"no conversion of what it does to the columns {names}. {ADVICE}")


VECTORIZED = {
    *("CleanNullStrings", "DropUninformative", "ToFloat", "CleanCategories", "ToStr"),
    *("PassThrough", "Drop", "OneHotEncoder"),
}
"""Classes of what `skrub.TableVectorizer` may do to a column."""


def vectorized(graph: Graph, vectorizer: Any, table: Table) -> list[Columns]:
    """`skrub.TableVectorizer`, if it passes numbers through and encodes texts one-hot.

    Raises
    ------
    ValueError
        That names the columns for which it does something else.
    """
    steps = {
        str(name): {
            type(step).__name__: step
            for step in vectorizer.all_processing_steps_[name]
            if hasattr(step, "transform")  # the last holds transformers by column that was made
        }
        for name in vectorizer.feature_names_in_
    }
    strange = {name: others for name, each in steps.items() if (others := each.keys() - VECTORIZED)}
    if strange:
        listed = "; ".join(
            f"{name!r} ({', '.join(sorted(others))})" for name, others in strange.items()
        )
        raise ValueError(
            f"no conversion of what TableVectorizer does to the columns {listed}. {ADVICE}"
        )
    columns = list[Columns]()
    for k, (name, by_kind) in enumerate(steps.items()):
        if name in vectorizer.transformers_ and "Drop" not in by_kind:
            columns.append(_vectorized_column(graph, by_kind, graph.selected(table, [k])[0]))
    return columns


def _vectorized_column(graph: Graph, steps: Mapping[str, Any], column: Columns) -> Columns:
    graph = graph.in_dtype(np.float32)
    cleaner = steps.get("CleanNullStrings")
    missing = [*TEXTS_OF_NONE, *TEXTS_OF_NAN, *(cleaner.null_strings_ if cleaner else [])]
    if "OneHotEncoder" in steps:
        if column.dtype.kind in "iu":  # categories of pandas, of which skrub makes text
            column = Columns(graph.cast(column.tensor, object), 1, np.dtype(object))
        encoded = _one_hot_column(graph, steps["OneHotEncoder"], 0, column, missing)
        return graph.numbers([encoded])
    if column.is_text:
        raise ValueError(
            f"TableVectorizer reads numbers from the text of {column.tensor}, which ONNX reads "
            "otherwise; make numbers of it before the training"
        )
    return graph.numbers([column])
