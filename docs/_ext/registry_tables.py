"""Tables made from the package's registries and signatures when the pages are built.

A name entered in a registry appears in the documentation by itself. Formulas and
sources are the first lines of the docstrings of the functions in the registry.
"""

import ast
import inspect
import re
from pathlib import Path

import numpy as np
from sklearn.neural_network import MLPClassifier
from sphinx.util.docutils import SphinxDirective

import skbn
from skbn import BNSoftmaxClassifier
from skbn.network.activations import ACTIVATIONS
from skbn.network.initializers import INITIALIZERS
from skbn.network.optimizers import OPTIMIZERS
from skbn.network.schedules import SCHEDULES, multipliers

PACKAGE = Path(skbn.__file__).parent


def summary(function):
    """First line of a docstring as reStructuredText, "" if there is none."""
    line = (inspect.getdoc(function) or "").partition("\n")[0]
    return re.sub(r"([\\*`_|])", r"\\\1", line)


def returned(function):
    """The expression that a short function returns."""
    body = ast.parse(inspect.getsource(function)).body[0].body
    return f"``{ast.unparse(body[-1].value)}``"


def curve(x, y, y_range):
    """A small drawing of y over x, with the axes; what leaves ``y_range`` is cut off."""
    width, height = 120, 60
    low, high = y_range

    def to_picture(x_value, y_value):
        across = (x_value - x[0]) / (x[-1] - x[0]) * width
        return across, height - (y_value - low) / (high - low) * height

    across, up = to_picture(x, y)
    points = " ".join(f"{a:.1f},{b:.1f}" for a, b in zip(across, up, strict=True))
    zero_x, zero_y = to_picture(0, 0)
    return (
        f'.. raw:: html\n\n   <svg class="curve" viewBox="-2 -2 {width + 4} {height + 4}">'
        f'<path class="axes" d="M0 {zero_y:.1f}H{width}M{zero_x:.1f} 0V{height}"/>'
        f'<polyline points="{points}"/></svg>\n'
    )


def activations():
    """One row an activation."""
    x = np.linspace(-4, 4, 81)
    yield "Name", "Formula", "From -4 to 4", "Gain"
    for name, activation in ACTIVATIONS.items():
        y = np.empty_like(x)
        activation.forward(x.copy(), y)
        drawing = curve(x, y, (-2, 4))
        yield f"``{name}``", summary(activation.forward), drawing, f"{activation.gain:.4g}"


def initializers():
    """One row an initialiser."""
    yield "Name", "Standard deviation", "Source"
    for name, initializer in INITIALIZERS.items():
        yield f"``{name}``", returned(initializer), summary(initializer)


def optimizers():
    """One row an optimiser."""
    yield "Name", "Step", "Numbers kept per parameter", "How ``alpha`` enters"
    for name, optimizer in OPTIMIZERS.items():
        decay = "shrinks the weights" if optimizer.decoupled else "through the gradient"
        yield f"``{name}``", summary(optimizer.step), str(optimizer.n_vectors), decay


def schedules():
    """One row a schedule, drawn over the default number of epochs."""
    defaults = BNSoftmaxClassifier().get_params()
    epochs = np.linspace(0, defaults["max_iter"], 151)
    progress = epochs / defaults["max_iter"]
    decay = np.full_like(epochs, defaults["learning_rate_decay"])
    yield "Name", "Multiplier after the warm-up", "Warm-up of its own", "Over its epochs"
    for name, schedule in SCHEDULES.items():
        y = multipliers(name, progress, np.floor(epochs), decay, np.full_like(epochs, np.nan))
        warmup = f"{schedule.warmup_fraction:.0%}" if schedule.warmup_fraction else "none"
        drawing = curve(epochs, y, (0, 1))
        yield f"``{name}``", summary(schedule.multiplier), warmup, drawing


def parameters():
    """One row a parameter of the classifier, next to MLPClassifier's."""
    theirs = inspect.signature(MLPClassifier).parameters
    yield "Parameter", "Default here", "Default in MLPClassifier"
    for name, parameter in inspect.signature(BNSoftmaxClassifier).parameters.items():
        other = f"``{theirs[name].default!r}``" if name in theirs else "has none"
        yield f"``{name}``", f"``{parameter.default!r}``", other


TABLES = {
    make.__name__: make for make in (activations, initializers, optimizers, schedules, parameters)
}


class RegistryTable(SphinxDirective):
    """``.. registry-table:: activations``; a column without any content is left out."""

    required_arguments = 1

    def run(self):
        """Write the table as reStructuredText and parse that."""
        header, *rows = TABLES[self.arguments[0]]()
        filled = [i for i in range(len(header)) if any(row[i] for row in rows)]
        for path in PACKAGE.rglob("*.py"):
            self.env.note_dependency(str(path))
        lines = [".. list-table::", "   :header-rows: 1", ""]
        for row in (header, *rows):
            for position, column in enumerate(filled):
                first, *others = (row[column] or "\\ ").splitlines()
                lines.append(f"   {'  ' if position else '* '}- {first}")
                lines += [f"       {line}" for line in others]
        return self.parse_text_to_nodes("\n".join(lines))


def setup(app):
    """Register the directive."""
    app.add_directive("registry-table", RegistryTable)
    return {"parallel_read_safe": True}
