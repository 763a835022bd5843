"""Defers a task's soft time limit while monitio reports.

The limit is one process signal. Its exception inside a receiver of Celery's signals or a progress
write would be caught and logged there: the report would be lost, and the task would run on.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager

from billiard.pool import SIG_SOFT_TIMEOUT, soft_timeout_sighandler


@contextmanager
def defer_soft_timeout() -> Iterator[None]:
    """A soft time limit that is reached inside the block raises at its end."""
    may_be_reached = (
        SIG_SOFT_TIMEOUT is not None
        and threading.current_thread() is threading.main_thread()
        # Only processes of the prefork pool have its handler; an outer block has replaced it.
        and signal.getsignal(SIG_SOFT_TIMEOUT) is soft_timeout_sighandler
    )
    if not may_be_reached:
        yield
        return
    came: list[int] = []
    signal.signal(SIG_SOFT_TIMEOUT, lambda number, frame: came.append(number))
    try:
        yield
    finally:
        signal.signal(SIG_SOFT_TIMEOUT, soft_timeout_sighandler)
    if came:
        signal.raise_signal(SIG_SOFT_TIMEOUT)
