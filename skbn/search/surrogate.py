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

MIN_TRIALS = 8
"""Trials below which no surrogate is fitted: it has a length scale for each coordinate to
learn, a variance and the noise."""
MAX_TRIALS = 300
"""Trials to which it is fitted, the best ones. Time grows with the cube of their number: 0.3 s
for 300, 2 s for 600 and 7 s for 1,000, in five coordinates on one core."""
OUTLIER_QUANTILE = 0.2
"""Quantile of the scores to which lower ones are raised. How bad a diverged candidate is says
nothing, and would hide all other differences."""


class Surrogate:
    """A posterior of the score at each point of a space.

    The model is a sum of a smooth function, whose length scale is learned for each
    coordinate, and noise. Choices without an order are coordinates of their own, 0 or 1/2
    apart.

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
        targets = np.array([float(f"{score:.9g}") for score in scores[:MAX_TRIALS]])
        targets = np.maximum(targets, np.quantile(targets, OUTLIER_QUANTILE))
        features = self._features(units[:MAX_TRIALS])
        smooth = Matern(np.full(features.shape[1], 0.5), (0.1, 10.0), nu=2.5)
        kernel = ConstantKernel(1.0) * smooth + WhiteKernel(0.05, (1e-4, 1.0))
        self._process = GaussianProcessRegressor(kernel, normalize_y=True)
        with warnings.catch_warnings():
            # A coordinate without influence gets the longest scale allowed, with a warning.
            warnings.simplefilter("ignore", ConvergenceWarning)
            self._process.fit(features, targets)

    def means(self, units: NDArray[np.float64]) -> NDArray[np.float64]:
        """Posterior means of the scores, of shape (n_points,)."""
        means: NDArray[np.float64] = self._process.predict(self._features(units))
        return means

    def samples(self, units: NDArray[np.float64], seed: list[int]) -> Iterator[NDArray[np.float64]]:
        """Draw scores at points from the posterior, again and again without end."""
        means, covariance = self._process.predict(self._features(units), return_cov=True)
        # Not numpy's multivariate_normal: the signs of its singular vectors depend on the last
        # bits.
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
