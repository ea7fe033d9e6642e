"""What the temperature of several networks has to be."""

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import log_softmax

from skbn.training.ensemble import PRIOR_DEVIATION


def best_temperature(held_out):
    """The temperature, looked for on a grid of its logarithm and then between two points of it."""

    def objective(log_temperature):
        total = log_temperature**2 / (2 * PRIOR_DEVIATION**2)
        for logits, labels, weights in held_out:
            scaled = log_softmax(logits.astype(float) / np.exp(log_temperature), axis=1)
            losses = -scaled[np.arange(len(labels)), labels]
            total += len(labels) * np.average(losses, weights=weights)
        return total

    grid = np.linspace(-6, 6, 241)
    middle = grid[np.argmin([objective(point) for point in grid])]
    bounds = middle - 0.05, middle + 0.05
    return np.exp(minimize_scalar(objective, bounds=bounds, method="bounded").x)
