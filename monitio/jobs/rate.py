"""How fast a bar moves: a rate that is calm, and honest from its first word."""

from __future__ import annotations

import math

# Seconds a bar must have moved until anything is said of its pace.
SAID_AFTER = 3.0
# Seconds after which a step counts for a third of what it did.
MEMORY = 15.0


class RateEstimator:
    """Steps a second of one bar, of late.

    The quotient of two sums that fade alike: at first it is the plain average, so it does not jump
    at the start, and a long step weighs by its length however rarely the bar is looked at.
    """

    __slots__ = ("_at", "_began", "_done", "_moved", "_time")

    def __init__(self) -> None:
        self._began: float | None = None
        self._at = self._done = self._moved = self._time = 0.0

    def update(self, now: float, done: float | None) -> None:
        """The bar stands at ``done``, ``now`` by a clock that never goes back, in seconds."""
        done = done or 0.0
        if self._began is None or done < self._done:
            # Another bar of the same task: what the first one did says nothing of it.
            self._began, self._moved, self._time = now, 0.0, 0.0
        else:
            elapsed = now - self._at
            fading = math.exp(-elapsed / MEMORY)
            self._moved = self._moved * fading + done - self._done
            self._time = self._time * fading + elapsed
        self._at, self._done = now, done

    @property
    def rate(self) -> float | None:
        """Steps a second; None while nobody can tell."""
        if self._began is None or self._at - self._began < SAID_AFTER or not self._moved:
            return None
        return float(f"{self._moved / self._time:.3g}")
