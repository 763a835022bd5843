"""How a task ends that has seen that it is cancelled."""

from __future__ import annotations

from typing import Any

from celery.exceptions import Ignore

from monitio.integrations import cancellation


class Cancelled(cancellation.Cancelled, Ignore):
    """Raise it in a task that has seen that it is cancelled: the task ends as revoked."""


def store_as_revoked(task: Any, task_id: str) -> None:
    """Whoever waits for its result, or for its chord, learns that it ended."""
    store = not task.ignore_result and not task.request.ignore_result
    task.backend.mark_as_revoked(task_id, "cancelled", request=task.request, store_result=store)
