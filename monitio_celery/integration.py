"""What monitio's core hands over to Celery."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from celery import current_app, current_task
from django.utils import timezone

from monitio import dispatch
from monitio.integrations import cancellation, run
from monitio.models import Job
from monitio_celery import reporters
from monitio_celery.cancellation import Cancelled
from monitio_celery.conf import settings
from monitio_celery.groups import members
from monitio_celery.time_limits import held_back

# A worker holds what it was told to do later. A broker that waits for it to be done delivers it
# again after a while (Redis: an hour), or closes the connection (RabbitMQ: 30 minutes). In seconds.
LONGEST_WAIT = 20 * 60.0


# Tasks named in one broadcast to the workers.
REVOKED_AT_ONCE = 1000


def install() -> None:
    dispatch.hooks.deliver = deliver
    dispatch.hooks.cancel |= dict.fromkeys((reporters.QUEUE, members.QUEUE), cancel)
    run.finders[:] = [_current_task_id]
    run.undisturbed = held_back
    cancellation.kind = Cancelled


def _current_task_id() -> str | None:
    return current_task.request.id if current_task else None


def deliver(delivery_id: int, due_at: datetime) -> None:
    """Let a worker send this delivery. Raises kombu's ``OperationalError``: it stays pending."""
    from monitio_celery import tasks

    wait = seconds_until(due_at)
    if wait is None:
        return
    later: dict[str, Any] = {"countdown": wait} if wait else {}
    # The caller waits for this: one try, the beat entry finds what was not handed over.
    tasks.deliver.apply_async((delivery_id,), retry=False, queue=settings.CELERY_QUEUE, **later)


def seconds_until(moment: datetime | None) -> float | None:
    """How long a worker shall wait; None when it is not to wait at all: beat finds it when due."""
    if moment is None:
        return None
    seconds = max(0.0, (moment - timezone.now()).total_seconds())
    return seconds if seconds <= LONGEST_WAIT else None


def cancel(task_id: str) -> None:
    """Revoke the task, and stop it where the worker's pool can; a waiting job ends here and now.

    Raises kombu's ``OperationalError`` when the broker is down.
    """
    job = Job.objects.of_task(task_id).get()
    if job.queue == members.QUEUE:
        _revoke(members.withdraw(job))
        # Where nothing has run yet, nobody else will end it.
        members.PartReporter(members.whole_of(job), []).show()
    else:
        _revoke([task_id])
        reporters.reporter_of(job).withdrawn()


def _revoke(task_ids: list[str]) -> None:
    signal = settings.CELERY_CANCEL_SIGNAL
    for start in range(0, len(task_ids), REVOKED_AT_ONCE):
        batch = task_ids[start : start + REVOKED_AT_ONCE]
        current_app.control.revoke(batch, terminate=bool(signal), signal=signal)
