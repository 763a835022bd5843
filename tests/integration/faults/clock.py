"""The clock on the wall, which somebody corrects. The monotonic one goes on."""

from __future__ import annotations

import time
from datetime import timedelta

from django.utils import timezone


def turn_back(seconds: float) -> None:
    """For the whole of this process."""
    usual_time, usual_now = time.time, timezone.now
    time.time = lambda: usual_time() - seconds
    timezone.now = lambda: usual_now() - timedelta(seconds=seconds)
