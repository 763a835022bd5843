"""How often a process looks at a group's bar."""

from __future__ import annotations

import threading
import time
from typing import Any

from django.db import connections

from monitio.conf import settings
from monitio.utils.fork import no_fork


class _DebouncedRefresh:
    """Repeats a throttled refresh a moment later, once a group.

    In workers only: elsewhere the request or the test is over by then.
    """

    in_worker = False

    def __init__(self) -> None:
        self._waiting: set[str] = set()

    def call(self, group: str, again: Any) -> None:
        if group in self._waiting or not self.in_worker:
            return
        self._waiting.add(group)
        timer = threading.Timer(settings.PROGRESS_WRITE_INTERVAL, self._run, (group, again))
        timer.daemon = True
        timer.start()

    def _run(self, group: str, again: Any) -> None:
        self._waiting.discard(group)
        # A worker's main process forks when a child has died.
        with no_fork():
            try:
                again()
            finally:
                connections.close_all()


refresh_later = _DebouncedRefresh()


class _Throttles:
    """Whether this process may do something for a group again; not after a restart."""

    CAPACITY = 1000

    def __init__(self, interval: float) -> None:
        self.interval = interval
        self._next: dict[str, float] = {}

    def is_open(self, group: str) -> bool:
        now = time.monotonic()
        if now < self._next.get(group, 0.0):
            return False
        if len(self._next) >= self.CAPACITY:
            self._next.clear()
        self._next[group] = now + self.interval
        return True

    def reset(self) -> None:
        self._next.clear()


# Each reads the group's job and its messages.
looks = _Throttles(0.25)
# Each member would report the start of its group.
starts = _Throttles(30.0)
