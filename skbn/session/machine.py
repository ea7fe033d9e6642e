"""What decides the bits of a training beside the session: libraries, processor, threads."""

from __future__ import annotations

import platform
from collections.abc import Mapping

import numpy as np
import scipy
import sklearn

from skbn._version import __version__
from skbn.training.threads import blas_libraries


def this_machine() -> dict[str, str]:
    """Name the versions of libraries, the processor and the number of threads."""
    found = blas_libraries()
    # NumPy's own, where others are loaded beside it: SciPy's or PyTorch's, say.
    blas = [each for each in found if "numpy" in each["filepath"]] or found
    kernels = [
        f"{each['internal_api']} {each['version']} {each.get('architecture')}" for each in blas
    ]
    return {
        "skbn": __version__,
        "numpy": np.__version__,
        "scipy": scipy.__version__,
        "scikit-learn": sklearn.__version__,
        "processor": platform.machine(),
        "BLAS": ", ".join(sorted(set(kernels))),  # found in any order
        "threads": str(max((each["num_threads"] for each in blas), default=1)),
    }


def differences_of_machines(before: Mapping[str, str], now: Mapping[str, str]) -> str:
    """Say what differs between two machines; nothing if they are alike."""
    names = [name for name in now if before.get(name) != now[name]]
    return ", ".join(f"{name} {before.get(name)} there and {now[name]} here" for name in names)
