"""The version, which saved objects carry, on its own so that no import goes in a circle."""

from __future__ import annotations

import sys
from types import ModuleType
from typing import NoReturn

__version__ = "0.2.0"

MOVED = {
    "_table": ("tidy",),
    "classifier": ("BNSoftmaxClassifier",),
    "lockstep": ("Training",),
    "model": ("Model",),
    "population": ("fit_population",),
    "stopping": ("BestState", "ValidationSet"),
    "tabular": ("tabular_pipeline",),
}
"""Names in pickles of skbn 0.1, by modules that exist no more."""


def refuse_files_of_0_1(what: str) -> NoReturn:
    """Say which version loads a file that skbn 0.1 saved."""
    raise ImportError(
        f"{what} is of skbn 0.1, and this is skbn {__version__}, which cannot load what 0.1 saved: "
        'load it with skbn 0.1 (pip install "skbn<0.2"), or fit the model again. In code, import '
        "from skbn, skbn.search, skbn.preprocessing or skbn.display"
    )


def stand_in_for_moved_modules() -> None:
    """Let pickle find the modules of skbn 0.1, and be told by them which version loads it."""
    for module, names in MOVED.items():
        stand_in = ModuleType(f"skbn.{module}", "A module of skbn 0.1.")

        def get(name: str, module: str = module, names: tuple[str, ...] = names) -> NoReturn:
            if name in names:
                refuse_files_of_0_1(f"skbn.{module}.{name}")
            raise AttributeError(f"module skbn.{module} has no attribute {name!r}")

        stand_in.__getattr__ = get  # type: ignore[method-assign]
        sys.modules.setdefault(stand_in.__name__, stand_in)
