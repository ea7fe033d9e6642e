"""From a table as it comes to probabilities: one Pipeline."""

from __future__ import annotations

from typing import Any

import numpy as np
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import OneHotEncoder

from skbn.estimators.classifier import BNSoftmaxClassifier
from skbn.preprocessing import PiecewiseLinearEncoder
from skbn.tables.cleaner import TableCleaner
from skbn.tables.encoders import table_encoder


def tabular_pipeline(classifier: Any = None) -> Pipeline:
    """Make a Pipeline that takes a table as it comes and ends in a classifier.

    Where skrub is installed (``pip install "skbn[tabular]"``), its transformers encode dates
    and text; elsewhere scikit-learn's do.

    Parameters
    ----------
    classifier : classifier, default=None
        The last step; None is ``BNSoftmaxClassifier()``.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted. DataFrames of pandas and polars may be given, and arrays. Its steps are

        - ``tablecleaner``: makes of each column numbers, dates or text, by what it holds in
          training;
        - ``tablevectorizer``: makes numbers of them; skrub's `TableVectorizer`, or a
          `ColumnTransformer`. Its parts are called ``numeric``, ``datetime``,
          ``low_cardinality`` and ``high_cardinality`` in both;
        - ``simpleimputer`` and ``piecewiselinearencoder``;
        - the classifier, its name in lower case.

    See Also
    --------
    skbn.preprocessing.PiecewiseLinearEncoder : What becomes of numbers.
    skrub.TableVectorizer : What makes numbers of dates and text.

    Notes
    -----
    Columns are taken by name, in any order and among others. They are treated by what they
    hold:

    - numbers, also as text (``1,234.5``, ``12 %``, ``$3.20``), booleans and durations, in
      days: missing and infinite ones, and those beyond 1e30, become the mean, beside a
      column that says so; then `PiecewiseLinearEncoder` standardises them and adds their
      codes;
    - text and categories of fewer than 40 values: one-hot. Values seen once share a
      column, which also takes those first met when predicting; missing is a value of
      its own;
    - text of more values: 30 components of the parts of its words, which are hashed
      without skrub;
    - dates, also as text: year, month, day, weekday and so on, and the seconds since
      1970, each a number as above;
    - columns without any value: left out.

    Examples
    --------
    >>> import pandas as pd
    >>> from skbn import BNSoftmaxClassifier, tabular_pipeline
    >>> frame = pd.DataFrame(
    ...     {
    ...         "age": [31, None, 58, 25] * 10,
    ...         "job": ["cook", "nurse", None, "cook"] * 10,
    ...         "since": ["2020-01-31", "2021-06-01", "1999-12-24", "2024-02-29"] * 10,
    ...     }
    ... )
    >>> answer = ["yes", "no", "no", "yes"] * 10
    >>> model = tabular_pipeline(BNSoftmaxClassifier(random_state=0)).fit(frame, answer)
    >>> model.predict(frame.head(2).assign(job="pilot"))
    array(['yes', 'no'], dtype='<U3')
    """
    low_cardinality = OneHotEncoder(
        handle_unknown="infrequent_if_exist",
        min_frequency=2,
        sparse_output=False,
        dtype=np.float32,
    )
    return Pipeline(
        [
            ("tablecleaner", TableCleaner()),
            ("tablevectorizer", _vectorizer(low_cardinality)),
            ("simpleimputer", SimpleImputer(add_indicator=True)),
            ("piecewiselinearencoder", PiecewiseLinearEncoder(include_original=True)),
            *make_pipeline(BNSoftmaxClassifier() if classifier is None else classifier).steps,
        ]
    )


def _vectorizer(low_cardinality: Any) -> Any:
    """Make skrub's TableVectorizer, or what takes its place where skrub is not installed."""
    try:
        from skrub import DatetimeEncoder, StringEncoder, TableVectorizer
    except ImportError:
        return table_encoder(low_cardinality)
    return TableVectorizer(
        low_cardinality=low_cardinality,
        high_cardinality=StringEncoder(random_state=0),
        datetime=DatetimeEncoder(add_weekday=True),
    )
