"""A task that its owner has cancelled: how it learns of it, and what it raises."""

from __future__ import annotations

from monitio.integrations.base import Cancelled
from monitio.integrations.run import current_run

__all__ = ["Cancelled", "cancelled"]


def cancelled() -> bool:
    """Whether the owner of the running task has cancelled it (``cancel=True``).

    Worth asking in a loop: the database is asked at most once a second. False outside of tasks.
    A task that was told True and returns ends as revoked, whatever it returns.
    """
    run = current_run()
    return run is not None and run.is_cancelled()
