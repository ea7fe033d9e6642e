"""The version, on its own so that no import goes round in a circle."""

from typing import NoReturn

__version__ = "0.2.0"


def refuse_pickles_of_0_1(name: str) -> NoReturn:
    """Be the ``__getattr__`` of a module in which pickles of skbn 0.1 look for what moved."""
    if name not in ("BNSoftmaxClassifier", "tidy"):
        raise AttributeError(name)
    raise ImportError(
        f"this was saved with skbn 0.1, whose models skbn {__version__} cannot load; load it with "
        'skbn 0.1 (pip install "skbn<0.2"), or fit the model again'
    )
