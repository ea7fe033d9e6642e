"""Pictures are drawn without a screen."""

import pytest


@pytest.fixture(autouse=True)
def pyplot():
    """Draw without a screen, and close all figures afterwards."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")
