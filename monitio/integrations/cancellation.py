"""Cooperative cancellation: what a task asks, and what it raises."""

from __future__ import annotations

from monitio.integrations.base import Cancelled
from monitio.integrations.run import current_run

__all__ = ["Cancelled", "cancelled"]


def cancelled() -> bool:
    """Whether the owner of the running task has cancelled it (``cancel=True``).

    Cheap enough for a loop: one query a second at most. False outside of tasks. Once it has
    returned True, the task ends as revoked, whatever the task returns.
    """
    run = current_run()
    return run is not None and run.is_cancelled()
