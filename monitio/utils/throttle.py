"""Limits how often something happens."""

from __future__ import annotations

from collections import deque


class Throttle:
    """Lets at most ``burst`` events pass in any ``burst * interval`` seconds.

    ``now`` is in seconds of a monotonic clock. The interval is an argument of each call, so that
    it may be a setting.
    """

    __slots__ = ("_burst", "_passed")

    def __init__(self, burst: int = 1) -> None:
        self._passed: deque[float] = deque(maxlen=burst)

        self._burst = burst

    def is_open(self, now: float, interval: float) -> bool:
        passed, burst = self._passed, self._burst
        return len(passed) < burst or now - passed[0] >= burst * interval

    def record(self, now: float) -> None:
        """An event passes, whether or not the throttle is open."""
        self._passed.append(now)
