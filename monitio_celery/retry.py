"""Repeats reports that failed because the database was unavailable.

The reports wait in the memory of the process. Where it ends before the database is available again,
the sweep asks the result backend.
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
from monitio.utils.backoff import backoff
from monitio.utils.fork import ProcessLocal, no_fork

Report = Callable[[], object]

logger = logging.getLogger("monitio")

# Limits, because a missing table raises the same errors as an unavailable database.
GIVE_UP_AFTER = 600.0
REPORTS_KEPT = 1000


def report_with_retry(report: Report) -> None:
    """Call ``report``; while the database is unavailable, repeat it in a thread.

    Raises what the first call raised, so that the caller logs it.
    """
    try:
        run_off_loop(report)
    except (OperationalError, InterfaceError):
        # In a transaction the change is rolled back with it: there is nothing to report.
        if not dispatch.in_transaction():
            _queue.get().add(report)
            logger.warning("The database is unavailable; a task's report is repeated.")
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
                threading.Thread(target=self._run, name="monitio-later", daemon=True).start()
                self._busy = True

    def _run(self) -> None:
        while True:
            with self._lock:
                self._busy = bool(self._reports)
                if not self._busy:
                    return
                report, deadline = self._reports.popleft()
            _repeat(report, deadline)


def _repeat(report: Report, deadline: float) -> None:
    for failures in count():
        time.sleep(backoff(failures))
        try:
            # A worker's main process forks when a child has died.
            with no_fork():
                try:
                    report()
                finally:
                    connections.close_all()
            return
        except (OperationalError, InterfaceError):
            if time.monotonic() > deadline:
                logger.exception("The database stays unavailable; a task's report is dropped.")
                return
        except Exception:
            logger.exception("A task's report failed; the task is not affected.")
            return


_queue = ProcessLocal(_Queue)
