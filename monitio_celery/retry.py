"""What a worker could not tell because the database was away: told when it is back.

The reports wait in the memory of the process that had them. Where it ends before the database is
back, the sweep finds what the result backend knows.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable
from itertools import count

from django.db import InterfaceError, OperationalError, connections

from monitio import dispatch
from monitio.integrations.context import run_off_loop
from monitio.utils.deadline import backoff
from monitio.utils.fork import ProcessLocal

Report = Callable[[], object]

logger = logging.getLogger("monitio")

# A missing table looks like a missing database: not for ever, and not without bound.
GIVE_UP_AFTER = 600.0
REPORTS_KEPT = 1000


def report_with_retry(report: Report) -> None:
    """Call ``report`` now; if the database is away, again and again until it is back.

    Raises what the first call raised, so that it is logged where it happened.
    """
    try:
        run_off_loop(report)
    except (OperationalError, InterfaceError):
        # In a transaction it fails with it: there is nothing to tell then.
        if not dispatch.in_transaction():
            _queue.get().add(report)
            logger.warning("The database is away; a task's news is told when it is back.")
        raise


class _Queue:
    """Reports that wait, and the thread that repeats them while there are any."""

    def __init__(self) -> None:
        self._reports: deque[tuple[Report, float]] = deque(maxlen=REPORTS_KEPT)
        self._lock = threading.Lock()
        self._busy = False

    def add(self, report: Report) -> None:
        with self._lock:
            self._reports.append((report, time.monotonic() + GIVE_UP_AFTER))
            if not self._busy:
                self._busy = True
                threading.Thread(target=self._run, name="monitio-later", daemon=True).start()

    def _run(self) -> None:
        try:
            while (waiting := self._next()) is not None:
                _repeat(*waiting)
        finally:
            connections.close_all()

    def _next(self) -> tuple[Report, float] | None:
        with self._lock:
            self._busy = bool(self._reports)
            return self._reports.popleft() if self._reports else None


def _repeat(report: Report, deadline: float) -> None:
    for failures in count():
        time.sleep(backoff(failures))
        try:
            report()
            return
        except (OperationalError, InterfaceError):
            connections.close_all()
            if time.monotonic() > deadline:
                logger.exception("The database stays away; a task's news is given up.")
                return
        except Exception:
            logger.exception("A task's news could not be told; the task is not affected.")
            return


_queue = ProcessLocal(_Queue)
