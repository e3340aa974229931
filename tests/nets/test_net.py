"""The net of a fit, and its callbacks."""

import pytest

from sklearn_task2box.nets._net import check_callbacks, schedule


def test_schedules():
    assert schedule("constant", 0.1, 10) is None
    for name in ("one_cycle", "cosine"):
        callback = schedule(name, 0.1, 10)
        assert callback.step_every == "batch"
    with pytest.raises(KeyError):
        callback.kwargs["total_steps"]


def test_callbacks_must_be_those_of_skorch():
    with pytest.raises(ValueError, match="skorch callbacks; got 3 of type int"):
        check_callbacks([3])
    with pytest.raises(ValueError, match="skorch callbacks; got 'stop'"):
        check_callbacks([("name", "stop")])
