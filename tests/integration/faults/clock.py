"""The clock on the wall, which somebody corrects. The monotonic one goes on."""

from __future__ import annotations

import time

import time_machine


def turn_back(seconds: float) -> None:
    """For the whole of this process."""
    time_machine.travel(time.time() - seconds, tick=True).start()
