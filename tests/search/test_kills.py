"""A search that was killed goes on to the same bytes, whoever was killed, when and how."""

import signal
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from kills import KINDS, ended, killed, outcome, started, timed, trials, workers_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        not Path("/proc/self/task").exists() or not Path("/dev/shm").exists(),
        reason=f"{sys.platform} has no /proc to find workers by",
    ),
]
# How joblib tells that a worker has ended: while it read its next task, or at another moment.
DEAD_WORKER = {"BrokenProcessPool", "TerminatedWorkerError"}
ENDS = {"whole", "published", "SIGINT", "SIGKILL", "SIGTERM", *DEAD_WORKER}


def test_searches_killed_at_random_moments_go_on_to_the_same_bytes(tmp_path):
    chosen = trials(10, seed=0)
    whole = {kind: timed(kind) for kind in KINDS}

    def kill(number):
        trial = chosen[number]
        return killed(trial, tmp_path / f"{number}.sqlite", whole[trial.kind][1])

    with ThreadPoolExecutor(2) as pool:
        ends = list(pool.map(kill, range(len(chosen))))
    for number, (trial, (how, left)) in enumerate(zip(chosen, ends, strict=True)):
        assert how in ENDS, trial
        assert left == [], trial
        resumed = outcome(trial.kind, 1, tmp_path / f"{number}.sqlite")
        assert resumed == whole[trial.kind][0], trial
    assert {how for how, _ in ends} != {"whole"}


@pytest.mark.parametrize("backend", ["loky", "multiprocessing"])
@pytest.mark.parametrize("sign", [signal.SIGKILL, signal.SIGTERM])
def test_workers_end_with_their_parent_in_the_middle_of_a_fit(backend, sign):
    with started("endless", backend) as process:
        for line in process.stdout:
            if line.startswith("Iteration"):
                break
        process.send_signal(sign)
        errors, left = ended(process)
    assert process.returncode == -sign, errors
    assert left == []


def test_workers_end_with_their_parent_before_they_have_anything_to_do():
    with started("endless", "loky") as process:
        while not workers_of(process.pid):
            assert process.poll() is None
        process.kill()
        _, left = ended(process)
    assert left == []
