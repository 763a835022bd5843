"""The circuit breaker: one caller waits for a dead transport, a thread waits until it is back."""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Callable, Sequence

from django.db import connections

from monitio.transports.events import Event
from monitio.utils.backoff import backoff
from monitio.utils.outage import Outage


class Breaker:
    """Opens when publishing failed; keeps later events, and publishes them when it closes.

    While it is open no caller waits: a thread tries again. It ends when the transport is back, and
    after ``IDLE`` seconds without an event. The next event starts it again.
    """

    # More topics than this are left to the broadcasters, which compare with the database.
    CAPACITY = 10_000
    # Events in one publish: a transport that works takes them within its time-out.
    CHUNK = 500
    # Seconds without an event after which the thread ends.
    IDLE = 300.0

    def __init__(self, publish: Callable[[Sequence[Event]], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._open = False
        self._missed: set[Event] = set()
        self._last_event = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        # Of publishing and of listening: a process logs it once.
        self.outage = Outage()

    def is_blocking(self, events: Sequence[Event]) -> bool:
        """Whether the transport is known to be dead: these are then published when it is back."""
        with self._lock:
            if not self._open:
                return False
            self._remember(events)
            return self._ensure_trying()

    def failed(self, events: Sequence[Event]) -> None:
        """Keep these, which could not be published."""
        with self._lock:
            self._open = True
            self._remember(events)
            self._ensure_trying()

    def stop(self) -> None:
        """Stop trying: another transport takes over."""
        self._stopped.set()

    def _remember(self, events: Sequence[Event]) -> None:
        self._last_event = time.monotonic()
        if len(self._missed) < self.CAPACITY:
            self._missed |= {event.without_data() for event in events}

    def _ensure_trying(self) -> bool:
        if self._thread is not None and self._thread.is_alive():
            return True
        self._thread = threading.Thread(target=self._try, name="monitio-probe", daemon=True)
        # Where no thread can be started, callers try themselves.
        with contextlib.suppress(RuntimeError):
            self._thread.start()
        return self._thread.is_alive()

    def _try(self) -> None:
        failures = 1
        try:
            while not self._stopped.wait(backoff(failures)):
                with self._lock:
                    if time.monotonic() - self._last_event > self.IDLE:
                        self._thread = None
                        return
                if self._is_back():
                    return
                failures += 1
        finally:
            # The polling transport has opened some in this thread.
            connections.close_all()

    def _is_back(self) -> bool:
        """Publish what was missed; True closes the breaker, and ends the thread."""
        with self._lock:
            missed, self._missed = list(self._missed), set()
        if not self._publish_all(missed):
            with self._lock:
                # As many as fit beside those that have come meanwhile.
                self._missed.update(missed[: max(0, self.CAPACITY - len(self._missed))])
            return False
        with self._lock:
            late, self._missed = list(self._missed), set()
            self._open, self._thread = False, None
            self.outage.ends()
        if not self._publish_all(late):
            # Opens it again, with another thread.
            self.failed(late)
        return True

    def _publish_all(self, events: list[Event]) -> bool:
        """Publish and remove them; False when some are left."""
        try:
            while events:
                self._publish(events[: self.CHUNK])
                del events[: self.CHUNK]
        except Exception:
            return False
        return True
