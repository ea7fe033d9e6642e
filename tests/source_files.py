"""The files of a package, and what their syntax trees say that they import."""

import ast
from functools import cache
from pathlib import Path

import skbn

ROOT = Path(skbn.__file__).parent


def files_in(root):
    """Paths by name: ``network/layers``."""
    paths = sorted(root.rglob("*.py"))
    return {path.relative_to(root).with_suffix("").as_posix(): path for path in paths}


@cache
def tree_of(code):
    return ast.parse(code)


@cache
def import_statements(code):
    return [n for n in ast.walk(tree_of(code)) if isinstance(n, ast.Import | ast.ImportFrom)]


def imports_of(path, root):
    """Full names of what a file imports: ``sklearn.base.BaseEstimator``."""
    package = path.relative_to(root.parent).parent.parts
    for node in import_statements(path.read_text()):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        else:
            above = package[: len(package) - node.level + 1] if node.level else ()
            module = [*above, *filter(None, [node.module])]
            yield from (".".join([*module, alias.name]) for alias in node.names)


def file_of(target, files):
    """The file that a full name is of, or else the package: ``search/__init__``."""
    parts = target.split(".")[1:]
    starts = ["/".join(parts[:n]) for n in range(len(parts), 0, -1)]
    names = [name for start in starts for name in (start, f"{start}/__init__")]
    return next((name for name in names if name in files), "__init__")
