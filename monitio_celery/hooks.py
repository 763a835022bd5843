"""What monitio's core hands over to Celery."""

from __future__ import annotations

from celery import current_app

from monitio import dispatch
from monitio_celery.conf import settings


def install() -> None:
    dispatch.hooks.deliver = deliver
    dispatch.hooks.cancel = cancel


def deliver(delivery_id: int) -> None:
    """Let a worker send this delivery. Raises kombu's ``OperationalError``: it stays pending."""
    from monitio_celery import tasks

    # The caller waits for this: one try, the beat entry finds what was not handed over.
    tasks.deliver.apply_async((delivery_id,), retry=False, queue=settings.CELERY_QUEUE)


def cancel(task_id: str) -> None:
    """Revoke the task, and stop it where the worker's pool can."""
    current_app.control.revoke(task_id, terminate=True)
