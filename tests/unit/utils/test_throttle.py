"""The number of events that a throttle passes."""

from __future__ import annotations

import pytest

from monitio.utils.throttle import Throttle


@pytest.mark.parametrize("burst", [1, 3])
@pytest.mark.parametrize("interval", [0.125, 2.0])
def test_one_passes_each_interval_in_bursts(burst: int, interval: float) -> None:
    throttle, passed = Throttle(burst), []
    for step in range(960):
        now = step * interval / 64
        if throttle.is_open(now, interval):
            throttle.record(now)
            passed.append(now)
    assert len(passed) == 960 / 64
    gaps = [later - early for early, later in zip(passed, passed[burst:], strict=False)]
    assert min(gaps) == burst * interval


def test_without_an_interval_everything_passes() -> None:
    throttle = Throttle()
    throttle.record(1.0)
    assert throttle.is_open(1.0, 0)


def test_an_unthrottled_event_counts() -> None:
    throttle = Throttle(2)
    for now in (1.0, 1.5, 1.75):
        throttle.record(now)
    assert not throttle.is_open(3.25, 1.0)
    assert throttle.is_open(3.5, 1.0)
