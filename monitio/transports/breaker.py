"""The circuit breaker: callers pay for a dead transport once, and nobody for finding it alive."""

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
    """Opens when publishing failed; keeps what rings meanwhile, and rings it when it closes.

    While it is open nobody waits: a thread of its own tries again, ends when the transport is
    back, and also when nobody has rung for a while. The next one who rings starts it again.
    """

    # More topics than this are left to the hubs' own comparison with the database.
    CAPACITY = 10_000
    # So many ring at once: a transport that is alive takes them within its time.
    CHUNK = 500
    # Seconds without a bell after which nobody tries any more.
    IDLE = 300.0

    def __init__(self, publish: Callable[[Sequence[Event]], None]) -> None:
        self._publish = publish
        self._lock = threading.Lock()
        self._open = False
        self._missed: set[Event] = set()
        self._last_bell = 0.0
        self._thread: threading.Thread | None = None
        self._stopped = threading.Event()
        # Of publishing and of listening: this process logs it once.
        self.outage = Outage()

    def is_blocking(self, bells: Sequence[Event]) -> bool:
        """True while the transport is known to be dead: these will ring when it is back."""
        with self._lock:
            if not self._open:
                return False
            self._remember(bells)
            return self._ensure_trying()

    def failed(self, bells: Sequence[Event]) -> None:
        """Note that these could not ring."""
        with self._lock:
            self._open = True
            self._remember(bells)
            self._ensure_trying()

    def stop(self) -> None:
        """Try no more: another transport takes over."""
        self._stopped.set()

    def _remember(self, bells: Sequence[Event]) -> None:
        self._last_bell = time.monotonic()
        if len(self._missed) < self.CAPACITY:
            self._missed |= {bell.without_data() for bell in bells}

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
            while not self._stopped.wait(backoff(failures)) and not self._ends_idle():
                if self._is_back():
                    return
                failures += 1
        finally:
            # The polling transport's, in this thread.
            connections.close_all()

    def _ends_idle(self) -> bool:
        with self._lock:
            is_idle = time.monotonic() - self._last_bell > self.IDLE
            if is_idle:
                self._thread = None
            return is_idle

    def _is_back(self) -> bool:
        missed = self._take_missed()
        if not self._ring(missed):
            self._put_back(missed)
            return False
        late = self._close()
        if not self._ring(late):
            # Opens it anew, with another thread: this one has said goodbye in _close.
            self.failed(late)
        return True

    def _ring(self, bells: list[Event]) -> bool:
        """Ring and remove them; False when some are left."""
        try:
            while bells:
                self._publish(bells[: self.CHUNK])
                del bells[: self.CHUNK]
        except Exception:
            return False
        return True

    def _take_missed(self) -> list[Event]:
        with self._lock:
            missed, self._missed = list(self._missed), set()
            return missed

    def _put_back(self, bells: list[Event]) -> None:
        with self._lock:
            self._missed |= set(bells)

    def _close(self) -> list[Event]:
        """What has been kept since the others rang."""
        with self._lock:
            late, self._missed = list(self._missed), set()
            self._open, self._thread = False, None
            self.outage.ends()
            return late
