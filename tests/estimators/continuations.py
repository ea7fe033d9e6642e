"""What the tests of going on share."""

import numpy as np


def continued(model, X, y, n_epochs, **first):
    """Train for some epochs by partial_fit."""
    model.partial_fit(X, y, **({"classes": np.unique(y)} | first))
    for _ in range(n_epochs - 1):
        model.partial_fit(X, y)
    return model
