"""The smoothed rate of a progress bar."""

from __future__ import annotations

import math

# Seconds a bar must have moved until its rate is known.
KNOWN_AFTER = 3.0
# Seconds after which a step counts for a third of what it did.
MEMORY = 15.0


class RateEstimator:
    """Steps a second of one bar, recent ones weighing more.

    The quotient of two sums that decay alike: at first it is the plain average, so it does not
    jump at the start, and a long step weighs by its length however rarely the bar is updated.
    """

    __slots__ = ("_at", "_began", "_done", "_moved", "_time")

    def __init__(self) -> None:
        self._began: float | None = None
        self._at = self._done = self._moved = self._time = 0.0

    def update(self, now: float, done: float | None) -> None:
        """The bar stands at ``done``; ``now`` is in seconds of a monotonic clock."""
        done = done or 0.0
        if self._began is None or done < self._done:
            # Another bar of the same task: the first one's rate does not apply.
            self._began, self._moved, self._time = now, 0.0, 0.0
        else:
            elapsed = now - self._at
            decay = math.exp(-elapsed / MEMORY)
            self._moved = self._moved * decay + done - self._done
            self._time = self._time * decay + elapsed
        self._at, self._done = now, done

    @property
    def rate(self) -> float | None:
        """Steps a second; None while unknown."""
        if self._began is None or self._at - self._began < KNOWN_AFTER or not self._moved:
            return None
        return float(f"{self._moved / self._time:.3g}")
