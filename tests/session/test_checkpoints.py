"""Which checkpoints stay."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skbn.session.checkpoints import to_drop


@pytest.mark.slow
@given(st.integers(3, 12), st.data())
def test_the_first_the_last_and_the_best_stay_among_no_more_than_the_limit(limit, data):
    kept, best = [], 0
    for epoch in range(1, data.draw(st.integers(1, 80))):
        if data.draw(st.booleans()):
            continue
        kept.append(epoch)
        if data.draw(st.integers(0, 5)) == 0:
            best = epoch
        gone = to_drop(kept, best, limit)
        assert not {kept[0], kept[-1], best} & set(gone)
        assert len(gone) == max(0, len(kept) - limit)
        kept = [each for each in kept if each not in gone]


@pytest.mark.parametrize("limit", [3, 8, 32])
@pytest.mark.parametrize("n_epochs", [40, 100, 1000])
def test_checkpoints_are_evenly_spread(limit, n_epochs):
    kept = []
    for epoch in range(1, n_epochs + 1):
        kept.append(epoch)
        gone = to_drop(kept, 0, limit)
        kept = [each for each in kept if each not in gone]
    gaps = [b - a for a, b in itertools.pairwise(kept)]
    assert max(gaps) <= 2.5 * n_epochs / (min(limit, n_epochs) - 1)
