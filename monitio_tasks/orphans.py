"""Tasks that a task started before the row of its own job was there.

A worker may begin a task before the caller has committed the job's row, which holds the recipients
that the task's children inherit. The children wait for the row; the task does not.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from django.db import connections

from monitio import scope
from monitio.models import Job

logger = logging.getLogger("monitio")

# Seconds before each query. Mostly the first finds the row; there may never be one.
PAUSES = (0.05, 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.4, 12.8)


class PendingChildren:
    """Callbacks by parent task; one thread a parent polls for its job."""

    def __init__(self) -> None:
        self._adoptions: dict[str, list[Callable[[], None]]] = {}
        self._lock = threading.Lock()

    def add(self, parent: str, adopt: Callable[[], None]) -> None:
        """Call ``adopt`` in another thread when the job ``parent`` is known, or never."""
        with self._lock:
            adoptions = self._adoptions.setdefault(parent, [])
            adoptions.append(scope.bind(adopt))
            is_first = len(adoptions) == 1
        if is_first:
            look = scope.bind(self._look)
            threading.Thread(target=look, args=(parent,), daemon=True).start()

    def _look(self, parent: str) -> None:
        try:
            appeared = any(_appears(parent, pause) for pause in PAUSES)
            with self._lock:
                adoptions = self._adoptions.pop(parent)
            for adopt in adoptions if appeared else ():
                try:
                    adopt()
                except Exception:
                    logger.exception("A child of task %s could not be announced.", parent)
        finally:
            connections.close_all()


def _appears(parent: str, pause: float) -> bool:
    time.sleep(pause)
    try:
        return Job.objects.of_task(parent).exists()
    except Exception:
        logger.exception("The query for job %s failed.", parent)
        return False


pending_children = PendingChildren()
