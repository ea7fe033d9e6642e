"""Types that skops may load: none of them runs what a file says."""

_SPLITTERS = (
    *("GroupKFold", "GroupShuffleSplit", "KFold", "LeaveOneGroupOut", "PredefinedSplit"),
    *("RepeatedKFold", "RepeatedStratifiedKFold", "ShuffleSplit", "StratifiedGroupKFold"),
    *("StratifiedKFold", "StratifiedShuffleSplit", "TimeSeriesSplit"),
)

SKOPS_TYPES = [
    "numpy.dtype",
    "numpy.number",
    "skbn.drift.prior_corrected.PriorCorrectedClassifier",
    "skbn.estimators.classifier.BNSoftmaxClassifier",
    "skbn.journal.fingerprints.Fingerprint",
    "skbn.network.architecture.Architecture",
    "skbn.network.state.State",
    "skbn.preprocessing.PiecewiseLinearEncoder",
    "skbn.saved_state.Plain",
    "skbn.search.coarse_to_fine.CoarseToFineSearchCV",
    "skbn.search.distributions.hidden_layers",
    "skbn.search.distributions.log_randint",
    "skbn.search.distributions.one_minus_loguniform",
    "skbn.search.fingerprints.Fingerprint",  # its name in older files
    "skbn.search.study.Study",
    "skbn.search.study.Trial",
    "skbn.tables.cleaner.TableCleaner",
    "skbn.tables.encoders.ColumnsOfKind",
    "skbn.tables.encoders.DatetimeEncoder",
    "skbn.tables.encoders.FloatEncoder",
    "skbn.tables.encoders.TextEncoder",
    "skbn.training.run.Progress",
    "sklearn.compose._column_transformer._RemainderColsList",
    "sklearn.compose._column_transformer.make_column_selector",
    "sklearn.metrics._scorer._PassthroughScorer",
    *(f"sklearn.model_selection._split.{name}" for name in _SPLITTERS),
    "sklearn.utils._metadata_requests.MetadataRequest",
    "sklearn.utils._metadata_requests.MethodMetadataRequest",
]
"""For ``skops.io.load(path, trusted=SKOPS_TYPES)``: classifiers of this package, Pipelines of
scikit-learn's steps that end in one, and searches. A type is let in if making one and setting
its state calls nothing, imports nothing and opens nothing that the state names."""
