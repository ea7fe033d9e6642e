"""A Gaussian process that tells the scores of candidates apart from their noise."""

from __future__ import annotations

import warnings
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from sklearn.exceptions import ConvergenceWarning
from sklearn.gaussian_process import GaussianProcessRegressor
from sklearn.gaussian_process.kernels import ConstantKernel, Matern, WhiteKernel

from skbn.search.space import Space

FEWEST = 8
"""Candidates below which it would learn nothing."""
MOST = 300
"""The best candidates it learns from: time grows with the cube of their number."""
AWFUL = 0.2
"""Share of the worst scores that all count as the best of them. How bad a diverged
candidate is says nothing, and would hide all other differences."""


class Surrogate:
    """What is believed of the score at each point of a space.

    A sum of a smooth function, whose length scale is learned for each coordinate, and
    noise. Choices without an order are coordinates of their own, 0 or 1/2 apart.

    Parameters
    ----------
    space : Space
    units : ndarray of shape (n_points, n_coordinates)
        Points, the best first.
    scores : array-like of shape (n_points,)
        Their scores, all finite.

    References
    ----------
    C. Rasmussen, C. Williams. Gaussian processes for machine learning. MIT Press, 2006.
    """

    def __init__(self, space: Space, units: NDArray[np.float64], scores: list[float]) -> None:
        self._space = space
        # Rounded, so that the last bits, which differ between machines, decide nothing.
        targets = np.array([float(f"{score:.9g}") for score in scores[:MOST]])
        targets = np.maximum(targets, np.quantile(targets, AWFUL))
        features = self._features(units[:MOST])
        smooth = Matern(np.full(features.shape[1], 0.5), (0.1, 10.0), nu=2.5)
        kernel = ConstantKernel(1.0) * smooth + WhiteKernel(0.05, (1e-4, 1.0))
        self._process = GaussianProcessRegressor(kernel, normalize_y=True)
        with warnings.catch_warnings():
            # A coordinate without influence has the longest scale allowed, and it says so.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(features, targets)

    def means(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Scores that are expected, of shape (n_points,)."""
        means: NDArray[np.float64] = self._process.predict(self._features(units))
        return means

    def samples(self, units: NDArray[np.float64], seed: list[int]) -> Iterator[NDArray[np.float64]]:
        """Scores at points as they might be, drawn from all that is believed, without end."""
        means, covariance = self._process.predict(self._features(units), return_cov=True)
        # Not numpy's multivariate_normal: the signs of its singular vectors hang on bits.
        covariance.flat[:: len(units) + 1] += 1e-8 * covariance.trace() / len(units) + 1e-12
        root, rng = np.linalg.cholesky(covariance), np.random.default_rng(seed)
        while True:
            yield means + root @ rng.standard_normal(len(units))

    def _features(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        columns = []
        for c, column in zip(self._space.coordinates, units.T, strict=True):
            if c.axis.ordered:
                columns.append(column)
            else:
                chosen = np.minimum((column * c.axis.levels).astype(int), c.axis.levels - 1)
                columns += [0.5 * (chosen == level) for level in range(c.axis.levels)]
        return np.stack(columns, axis=1)
