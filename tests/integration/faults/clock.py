"""Set the wall clock back. The monotonic clock is not changed."""

from __future__ import annotations

import time

import time_machine


def turn_back(seconds: float) -> None:
    """Set it back in the whole process."""
    time_machine.travel(time.time() - seconds, tick=True).start()
