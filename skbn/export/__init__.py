"""Fitted models for where scikit-learn is not."""

from skbn.export.files import load_model, save_model
from skbn.export.onnx_model import to_onnx
from skbn.export.text import to_json

__all__ = ["load_model", "save_model", "to_json", "to_onnx"]
