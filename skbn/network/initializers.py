"""Scales of the initial weight matrices.

To add one, write (n_in, n_out, gain) -> standard deviation and enter it in
``INITIALIZERS``. The gain is the activation's; the output layer's is one.
"""

from __future__ import annotations

from math import sqrt


def _auto(n_in: int, n_out: int, gain: float) -> float:
    """gain / sqrt(n_in): He's for relu, LeCun's for selu, in between by activation."""
    return gain / sqrt(n_in)


def _he(n_in: int, n_out: int, gain: float) -> float:
    """He et al. 2015 (arXiv:1502.01852)."""
    return sqrt(2 / n_in)


def _glorot(n_in: int, n_out: int, gain: float) -> float:
    """Glorot & Bengio 2010."""
    return sqrt(2 / (n_in + n_out))


def _lecun(n_in: int, n_out: int, gain: float) -> float:
    """LeCun et al. 1998, "Efficient BackProp"."""
    return sqrt(1 / n_in)


INITIALIZERS = {"auto": _auto, "he": _he, "glorot": _glorot, "lecun": _lecun}
