"""Files that travel: a stable format of models, with a reader that needs NumPy alone."""

from skbn.export.files import load_model, save_model
from skbn.export.text import to_json

__all__ = ["load_model", "save_model", "to_json"]
