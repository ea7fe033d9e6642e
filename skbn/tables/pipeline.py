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


def tabular_pipeline(classifier: Any = None) -> Pipeline:
    """Make a Pipeline that takes a table as it comes and ends in a classifier.

    skrub must be installed: ``pip install "skbn[tabular]"``.

    Parameters
    ----------
    classifier : classifier, default=None
        The last step; None is ``BNSoftmaxClassifier()``.

    Returns
    -------
    pipeline : sklearn.pipeline.Pipeline
        Unfitted, with the steps ``tablecleaner``, ``tablevectorizer``, ``simpleimputer``,
        ``piecewiselinearencoder`` and the classifier's name in lower case. DataFrames of
        pandas and polars may be given, and arrays.

    Raises
    ------
    ImportError
        If skrub is not installed.

    See Also
    --------
    skbn.preprocessing.PiecewiseLinearEncoder : What becomes of numbers.
    skrub.TableVectorizer : What makes numbers of everything else.

    Notes
    -----
    Columns are treated by what they hold:

    - numbers, text that holds nothing but numbers, and booleans: missing ones become the
      mean, beside a column that says so; then `PiecewiseLinearEncoder` standardises
      them and adds their codes;
    - text and categories of fewer than 40 values: one-hot. Values seen once share a
      column, which also takes those first met when predicting; missing is a value of
      its own;
    - text of more values: 30 components of the parts of its words;
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
    try:
        from skrub import DatetimeEncoder, StringEncoder, TableVectorizer
    except ImportError as error:
        raise ImportError(
            'tabular_pipeline needs skrub, which is not installed: pip install "skbn[tabular]"'
        ) from error
    vectorizer = TableVectorizer(
        low_cardinality=OneHotEncoder(
            handle_unknown="infrequent_if_exist",
            min_frequency=2,
            sparse_output=False,
            dtype=np.float32,
        ),
        high_cardinality=StringEncoder(random_state=0),
        datetime=DatetimeEncoder(add_weekday=True),
    )
    return make_pipeline(
        TableCleaner(),
        vectorizer,
        SimpleImputer(add_indicator=True),
        PiecewiseLinearEncoder(include_original=True),
        BNSoftmaxClassifier() if classifier is None else classifier,
    )
