"""Fitted models for where scikit-learn is not.

If skl2onnx is installed it is imported, in 0.2 s, and made to convert what is of this package.
"""

from skbn.export.files import load_model, save_model
from skbn.export.onnx_model import to_onnx
from skbn.export.skops_types import SKOPS_TYPES
from skbn.export.text import to_json

try:
    import skl2onnx as _skl2onnx  # noqa: F401
except Exception:  # it is absent, or of another version than its own dependencies
    pass
else:
    from skbn.export.skl2onnx_converters import register as _register

    _register()

__all__ = ["SKOPS_TYPES", "load_model", "save_model", "to_json", "to_onnx"]
