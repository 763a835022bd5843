"""Celery as an integration of monitio."""

from __future__ import annotations

from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

from celery import current_app, current_task

from monitio.integrations.base import Integration
from monitio.integrations.decorators import options_of
from monitio.jobs.options import NotifyOptions
from monitio.jobs.recipients import recipients_of
from monitio.jobs.reporter import JobReporter
from monitio.jobs.retry import StoredCall
from monitio.models import Job
from monitio_celery import reporters, tasks
from monitio_celery.cancellation import Cancelled
from monitio_celery.conf import settings
from monitio_celery.groups import members
from monitio_celery.groups.retry import retry_group
from monitio_celery.headers import HEADER, TaskHeader
from monitio_celery.time_limits import defer_soft_timeout

# A pooled connection that a restart of the broker has closed fails at its first use (RabbitMQ): a
# new one is tried at once. No third time, since the caller waits; deliver_due sends what is left.
RETRY_ONCE = {"max_retries": 1, "interval_start": 0, "interval_step": 0, "interval_max": 0}

# Task ids in one broadcast to the workers.
REVOKE_BATCH_SIZE = 1000


class CeleryIntegration(Integration):
    names = (reporters.QUEUE, members.QUEUE)
    cancelled_error = Cancelled
    delivers = True
    # The worker's main process stamps the tasks of its children.
    needs_heartbeat = False
    stamps_workers = True

    def deliver(self, delivery_id: int, due_at: datetime) -> None:
        """Start the task that sends this delivery. Raises kombu's ``OperationalError``."""
        wait = tasks.seconds_until(due_at)
        if wait is None:
            return
        later: dict[str, Any] = {"countdown": wait} if wait else {}
        tasks.deliver.apply_async(
            (delivery_id,), retry_policy=RETRY_ONCE, queue=settings.CELERY_QUEUE, **later
        )

    def cancel(self, task_id: str) -> None:
        """Revoke the task or the group's members; a running one ends where the pool can stop it.

        A job that waits ends at once. Raises kombu's ``OperationalError`` when the broker is down.
        """
        job = Job.objects.of_task(task_id).get()
        if job.integration == members.QUEUE:
            _revoke(members.cancel_waiting(job))
            # Where no member has run, no later report ends the group.
            members.MemberReporter(members.group_of(job), []).show()
        else:
            _revoke([task_id])
            reporters.reporter_for_job(job).cancelled_while_waiting()

    def retry(self, job: Job, call: StoredCall) -> None:
        """Publish the task under the job's id. Raises kombu's ``OperationalError``."""
        if job.integration == members.QUEUE:
            retry_group(job, call)
            return
        headers: dict[str, Any] = {HEADER: TaskHeader.for_recipients(recipients_of(job)).to_dict()}
        current_app.tasks[job.name].apply_async(
            tuple(call.args),
            dict(call.kwargs),
            task_id=job.task_id,
            headers=headers,
            # A user waits for the answer.
            retry=False,
            **call.options,
        )

    def options_for(self, name: str) -> NotifyOptions | None:
        return options_of(current_app.tasks.get(name))

    def reporter_for(self, job: Job) -> JobReporter:
        return reporters.reporter_for_job(job)

    def sweep(self) -> int:
        return tasks.sweep_here()

    def current_task_id(self) -> str | None:
        return current_task.request.id if current_task else None

    def uninterrupted(self) -> AbstractContextManager[object]:
        return defer_soft_timeout()


celery = CeleryIntegration()


def _revoke(task_ids: list[str]) -> None:
    signal = settings.CELERY_CANCEL_SIGNAL
    for start in range(0, len(task_ids), REVOKE_BATCH_SIZE):
        batch = task_ids[start : start + REVOKE_BATCH_SIZE]
        current_app.control.revoke(batch, terminate=bool(signal), signal=signal)
