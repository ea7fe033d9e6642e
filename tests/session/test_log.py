"""The log against a tree of states that is walked by hand."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from skbn.session.log import CHANGE, EPOCH, REWIND, STOP, Event, Log


def epoch(number, branch, loss=1.0):
    return Event(EPOCH, number, branch, 0.0, "session", [{"loss": loss, "validation_loss": loss}])


STEPS = st.lists(
    st.one_of(
        st.tuples(st.just(EPOCH), st.floats(0, 1)),
        st.tuples(st.just(CHANGE), st.integers(0, 9)),
        st.tuples(st.just("gamma"), st.integers(0, 9)),
        st.tuples(st.just(REWIND), st.floats(0, 1)),
        st.tuples(st.just(STOP), st.none()),
    ),
    max_size=40,
)


@pytest.mark.slow
@given(STEPS)
def test_the_line_leads_to_the_present_state(steps):
    log, states = Log(), [{"losses": [], "params": {}, "first": 0}]
    branch = 0
    for kind, value in steps:
        now = states[-1]
        if kind == EPOCH:
            log.add(epoch(len(states), branch, value))
            first = now.get("next", now["first"])
            losses, params = [*now["losses"], value], dict(now["params"])
            states.append({"losses": losses, "params": params, "first": first})
        elif kind in (CHANGE, "gamma"):
            changed = {"alpha" if kind == CHANGE else "focal_gamma": value}
            log.add(Event(CHANGE, len(states) - 1, branch, 0.0, "session", params=changed))
            states[-1] = {**now, "params": now["params"] | changed, "after": now}
            if kind == "gamma":  # later losses are not compared with those of before
                states[-1]["next"] = len(now["losses"])
        elif kind == REWIND:
            branch += 1
            target = int(value * (len(states) - 1))
            log.add(Event(REWIND, target, branch, 0.0, "session"))
            states = states[: target + 1]
            while "after" in states[-1]:  # a change after the epoch is taken back
                states[-1] = states[-1]["after"]
        else:
            log.add(Event(STOP, len(states) - 1, branch, 0.0, "patience"))
    expected = states[-1]
    (history,) = log.histories(log.line, 1)
    assert history.get("loss", []) == expected["losses"]
    assert log.params(log.line) == expected["params"]
    assert (log.epoch, log.branch) == (len(states) - 1, branch)
    losses, first = expected["losses"], expected["first"]
    assert log.best_epoch == (losses.index(min(losses[first:]), first) + 1 if losses else 0)
    assert len(log.frame()) == len(steps)
    again = Log(log.events)
    assert (again.line, again.best_epoch) == (log.line, log.best_epoch)


def test_networks_that_had_stopped_have_shorter_histories():
    log = Log([epoch(1, 0), Event(EPOCH, 2, 0, 0.0, "session", [None, {"loss": 3.0}])])
    log.events[0].measures.append({"loss": 2.0})
    first, second = log.histories(log.line, 2)
    assert first["loss"] == [1.0]
    assert second["loss"] == [2.0, 3.0]
    assert log.frame().loss.isna().tolist() == [False, True]


@pytest.mark.parametrize("n", [0, 1])
def test_the_frame_of_a_short_log_has_its_columns(n):
    frame = Log([epoch(1, 0)][:n]).frame()
    assert frame.columns[:5].tolist() == ["epoch", "branch", "event", "time", "asked_by"]
    assert str(frame.time.dtype) == "datetime64[us, UTC]"
    assert frame.epoch.dtype == int
