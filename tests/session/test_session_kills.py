"""A session that was killed goes on to the same bits, whenever that was."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest
from session_kills import ANYWHERE, PLAN, Trial, faults_of, killed, outcome

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not hasattr(signal, "setitimer"), reason="no process can be ended in the middle of a call"
    ),
]
SECONDS = {ANYWHERE: [0.4], "commit": [3e-4] * len(PLAN), "rewind": [0.01] * 2}
"""What the calls take, about: it is no matter where a kill falls."""
TRIALS = [
    Trial("one", ANYWHERE, 0, 0.6),
    Trial("one", "commit", 0.5, 0.5),
    Trial("one", "rewind", 0.9, 0.5),
]


def test_sessions_that_were_killed_go_on_to_the_same_bits(tmp_path):
    journals = [tmp_path / f"{trial.stage}.sqlite" for trial in TRIALS]
    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(killed, TRIALS, journals, [SECONDS] * len(TRIALS)))
    expected = outcome("one", tmp_path / "whole.sqlite")
    for trial, journal, (how, n_safe) in zip(TRIALS, journals, ends, strict=True):
        assert how in ("SIGKILL", "SIGALRM", "whole")
        assert faults_of(trial, journal, n_safe, expected) == [], trial
    assert {how for how, _ in ends} != {"whole"}
