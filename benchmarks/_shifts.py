"""Data that drift: changes of images and of tables, of known kinds, for drift.py."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
import pandas as pd
from _common import TABLES, development_sets
from scipy import ndimage
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import LabelEncoder

SIDE = 28
N_FEW = 50
"""Labelled rows of the later ones."""
MOST_ROWS = 8000
"""Rows of a table, the old ones and the later ones each."""
LEAST_LABEL_SHIFT = 0.25
"""Total variation between the class proportions before and after a label shift."""


def unchanged(X, stream):
    return X


def brighter(X, stream):
    return np.clip(X + 0.3, 0, 1)


def less_contrast(X, stream):
    return 0.5 + 0.3 * (X - 0.5)


def offset_per_pixel(X, stream):
    return X + stream.uniform(0, 0.6, X.shape[1])


def noisy(X, stream):
    return np.clip(X + stream.normal(0, 0.3, X.shape), 0, 1)


def blurred(X, stream):
    return ndimage.gaussian_filter(images(X), (0, 1.2, 1.2)).reshape(X.shape)


def in_fog(X, stream):
    """White fog of a density that differs from image to image."""
    density = stream.uniform(0, 0.5, (len(X), 1))
    return (1 - density) * X + density


def rotated(X, stream):
    turned = ndimage.rotate(images(X), 30, axes=(1, 2), reshape=False, order=1)
    return turned.reshape(X.shape)


def moved(X, stream):
    return np.roll(images(X), (2, 2), axis=(1, 2)).reshape(X.shape)


def negative(X, stream):
    return 1 - X


def images(X):
    return X.reshape(-1, SIDE, SIDE)


IMAGE_CHANGES = {
    "none": unchanged,
    "brighter by 0.3, clipped": brighter,
    "contrast 0.3": less_contrast,
    "offset per pixel": offset_per_pixel,
    "noise of 0.3, clipped": noisy,
    "blur": blurred,
    "fog, of a strength per image": in_fog,
    "rotation by 30 degrees": rotated,
    "shift by two pixels each way": moved,
    "negative": negative,
}
"""From rows of 28 x 28 pixels in [0, 1] and a stream of random numbers to changed rows."""


def changed_images(X, name, seed):
    """Rows of float32 after a change; what a change draws once is the same for all of them."""
    return IMAGE_CHANGES[name](X, np.random.default_rng(seed)).astype(np.float32)


def as_they_are(X, y, stream):
    return X, y


def offset(X, y, stream):
    """Half a deviation up or down, by column."""
    numbers = X.select_dtypes("number")
    signs = stream.choice([-1, 1], numbers.shape[1])
    return with_numbers(X, numbers + 0.5 * signs * numbers.std()), y


def gain(X, y, stream):
    return with_numbers(X, 1.5 * X.select_dtypes("number")), y


def noise(X, y, stream):
    """Normal noise of half a deviation."""
    numbers = X.select_dtypes("number")
    drawn = stream.standard_normal(numbers.shape)
    return with_numbers(X, numbers + 0.5 * drawn * numbers.std().to_numpy()), y


def label_shift(X, y, stream):
    """Rows of each class left out, so that the classes have proportions drawn anew."""
    old = np.bincount(y) / len(y)
    new = old
    while np.abs(new - old).sum() / 2 < LEAST_LABEL_SHIFT:
        new = stream.dirichlet(np.ones(len(old)))
    ratios = new / old
    return kept(X, y, ratios[y] / ratios.max(), stream)


def selection(X, y, stream):
    """Rows kept the sooner the higher they stand in two columns: no affine map undoes that."""
    columns = [name for name in X if X[name].nunique() > 2]
    names = stream.choice(len(columns), 2, replace=False)
    ranks = [ranked(X[columns[name]], stream) for name in names]
    return kept(X, y, np.mean(ranks, axis=0) ** 2, stream)


def with_numbers(X, numbers):
    return pd.concat([X.drop(columns=numbers.columns), numbers], axis=1)[list(X)]


def ranked(column, stream):
    """Rank of each cell in (0, 1]; categories stand in random order, missing cells last."""
    if not pd.api.types.is_numeric_dtype(column):
        codes, categories = pd.factorize(column)
        column = pd.Series(stream.permutation(len(categories))[codes])
    return column.rank(pct=True, na_option="bottom").to_numpy()


def kept(X, y, probability, stream):
    chosen = stream.random(len(X)) < probability
    return X[chosen], y[chosen]


TABLE_CHANGES = {
    "none": as_they_are,
    "offset": offset,
    "gain": gain,
    "noise": noise,
    "label shift": label_shift,
    "selection": selection,
}
"""From a frame, class indices and a stream of random numbers to the changed ones."""

KINDS = {
    "none": "none",
    "offset": "covariate",
    "gain": "covariate",
    "noise": "covariate",
    "label shift": "label",
    "selection": "covariate",
}
"""What a report should call each change of a table."""


@dataclass(frozen=True)
class Later:
    """Rows after a change: unlabelled ones to adapt to, a few with labels, others to test on."""

    X: Any
    X_few: Any
    y_few: Any
    X_test: Any
    y_test: Any


def old_and_later(X, y, seed):
    """Halves of a table, stratified: rows to train on, and rows to change."""
    n_rows = min(MOST_ROWS, len(X) // 2)
    return train_test_split(
        X, y, train_size=n_rows, test_size=n_rows, stratify=y, random_state=seed
    )


def changed_table(X, y, name, seed):
    """Later rows after a change; None where a table has nothing that it could change."""
    stream = np.random.default_rng([seed, list(TABLE_CHANGES).index(name)])
    if name in ("offset", "gain", "noise") and not X.select_dtypes("number").shape[1]:
        return None
    return parted(*TABLE_CHANGES[name](X.reset_index(drop=True), y, stream), stream)


def parted(X, y, stream):
    """Later rows: some with labels, half of the others to adapt to, the rest to test on."""
    few, rest = np.split(stream.permutation(len(X)), [N_FEW])
    new, test = np.array_split(rest, 2)
    return Later(X.iloc[new], X.iloc[few], y[few], X.iloc[test], y[test])


def tables(folder):
    """What loads each table, as a frame and class indices, by name."""
    sets = development_sets(folder)
    names = [name for name in ["digits", *TABLES] if name in sets]
    return {name: partial(as_indices, sets[name]) for name in names}


def as_indices(load):
    X, y = load()
    return X, LabelEncoder().fit_transform(y)
