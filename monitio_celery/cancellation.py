"""The end of a task that its owner has cancelled."""

from __future__ import annotations

from typing import Any

from celery.exceptions import Ignore

from monitio.integrations import cancellation


class Cancelled(cancellation.Cancelled, Ignore):
    """Raise it in a task that is cancelled: the task ends as revoked."""


def store_as_revoked(task: Any, task_id: str) -> None:
    """Store the end for callers that wait for its result, and for its chord."""
    store = not task.ignore_result and not task.request.ignore_result
    task.backend.mark_as_revoked(task_id, "cancelled", request=task.request, store_result=store)
