"""Configuration of the documentation; see the developer guide for how to build it."""

import doctest
import re
import sys
from pathlib import Path

from skbn._version import __version__

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

project = "skbn"
author = "The skbn developers"
project_copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "sphinx.ext.doctest",
    "sphinx.ext.viewcode",
    "matplotlib.sphinxext.plot_directive",
    "numpydoc",
    "mathml",
    "registry_tables",
    "terminal_picture",
]
exclude_patterns = ["_build"]
default_role = "py:obj"

autodoc_member_order = "bysource"
numpydoc_show_class_members = False
autodoc_default_options = {"members": True, "inherited-members": "BaseEstimator"}
autodoc_typehints = "none"  # docstrings say more
plot_formats = [("png", 100)]
plot_html_show_formats = False
plot_html_show_source_link = False
# Formulas are drawn by the browser itself: no script, no network.
html_math_renderer = "mathml"
# Error messages are part of what is documented, so they are compared too.
doctest_default_flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE

html_theme = "alabaster"
html_static_path = ["_static"]
html_css_files = ["skbn.css"]
html_theme_options = {
    "description": "Batch-normalised softmax networks for scikit-learn",
    "fixed_sidebar": True,
    "page_width": "72rem",
    "body_max_width": "54rem",
    "sidebar_width": "15rem",
    "show_powered_by": False,
}
html_sidebars = {"**": ["about.html", "searchfield.html", "navigation.html"]}


def skip_member(app, kind, name, obj, skip, options):
    """Leave out what is described elsewhere.

    Properties are among the fitted attributes, and ``set_fit_request`` and its like are
    scikit-learn's, one per method.
    """
    routing = re.fullmatch(r"set_\w+_request|get_metadata_routing", name)
    return True if routing or isinstance(obj, property) else None


def unlink_foreign(app, kind, name, obj, options, lines):
    """Turn references into scikit-learn's own documentation, in what it wrote, into text.

    References to its glossary come into our classes too, with the properties they inherit.
    """
    lines[:] = [re.sub(r":term:`([^<`]+?)( <[^>`]*>)?`", r"``\1``", line) for line in lines]
    if getattr(obj, "__module__", "").startswith("sklearn."):
        lines[:] = [re.sub(r":ref:`([^<`]+?)( <[^>`]*>)?`", r"\1", line) for line in lines]


def setup(app):
    """Register what this file alone needs."""
    app.connect("autodoc-skip-member", skip_member)
    app.connect("autodoc-process-docstring", unlink_foreign)
