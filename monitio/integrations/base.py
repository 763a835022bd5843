"""How a task queue plugs in: a subclass of ``Integration``, registered once apps are ready."""

from __future__ import annotations

import logging
from contextlib import AbstractContextManager, nullcontext
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone
from django.utils.module_loading import import_string

from monitio import dispatch
from monitio import scope as scopes
from monitio.conf import settings
from monitio.constants import State
from monitio.integrations.decorators import options_of
from monitio.jobs.options import NotifyOptions
from monitio.jobs.reporter import JobReporter
from monitio.jobs.retry import StoredCall
from monitio.models import Job

logger = logging.getLogger("monitio")

# The state of an end (State.ENDED), and its result or error.
End = tuple[str, Any]
# How many overdue jobs one sweep gives up.
OVERDUE_AT_ONCE = 1000


class Cancelled(Exception):
    """Raise it in a task that has seen that it is cancelled: the task ends as revoked."""


class Integration:
    """What ``monitio`` needs of a task queue. The defaults suit a queue that only runs tasks."""

    # The values of ``Job.integration`` that belong to it.
    names: tuple[str, ...] = ()
    # What a bar's ``check()`` raises, when the queue ends a task by an exception of its own.
    cancelled_error: type[Cancelled] = Cancelled
    # Whether its workers send deliveries.
    delivers = False
    # Whether a thread in each process that runs tasks writes their heartbeats; False: the queue's
    # integration writes them itself.
    needs_heartbeat = True
    # Whether its idle workers, too, write a ``Heartbeat``.
    stamps_workers = False

    def deliver(self, delivery_id: int, due_at: datetime) -> None:
        """Send a delivery in a worker when it is due. Called only where ``delivers`` is set.

        Raises what the broker raises when it is down: the delivery then stays pending.
        """
        raise NotImplementedError

    def cancel(self, task_id: str) -> None:
        """Stop the task, or withdraw it while it waits. The default leaves it to the task itself.

        Raises what the broker raises when it is down.
        """

    def retry(self, job: Job, call: StoredCall) -> None:
        """Start the task of ``job`` again, under the id ``job.task_id`` where the queue takes one.

        A queue that chooses its ids writes them to ``job.task_id`` before a worker can begin.
        Raises what the broker raises when it is down, and ``LookupError`` for an unknown task.
        Called for jobs whose reporter has a ``call``.
        """
        raise NotImplementedError

    def current_task_id(self) -> str | None:
        """The id of the task that this thread runs, None outside of tasks."""
        return None

    def uninterrupted(self) -> AbstractContextManager[object]:
        """The context in which nothing interrupts the task, such as a time limit."""
        return nullcontext()

    def options_for(self, name: str) -> NotifyOptions | None:
        """The options of the task of this name; None: unknown here.

        The default takes ``Job.name`` for the dotted path of the task.
        """
        try:
            return options_of(import_string(name))
        except ImportError:
            return None

    def known_end(self, job: Job) -> End | None:
        """The end that the queue knows of a silent job; None: none, or the queue keeps no results.

        The sweep asks before it marks the job as lost.
        """
        return None

    def sweep(self) -> int:
        """Mark its jobs of the current scope that are silent for too long; the number of them.

        Running ones without a heartbeat (``lost_after=``, ``MONITIO_JOB_LOST_AFTER``), and those
        that no worker has begun (``MONITIO_JOB_WAITING_LOST_AFTER``).
        """
        lost, now = 0, timezone.now()
        jobs = Job.objects.here().filter(integration__in=self.names)
        for job in jobs.silent_since(now - timedelta(seconds=settings.JOB_HEARTBEAT_INTERVAL)):
            options = self.options_for(job.name)
            own = None if options is None else options.lost_after
            limit = timedelta(seconds=settings.JOB_LOST_AFTER if own is None else own)
            if (job.alive_at or now) < now - limit:
                lost += self._judge(job)
        if (seconds := settings.JOB_WAITING_LOST_AFTER) is not None:
            overdue = jobs.overdue_since(now - timedelta(seconds=seconds))
            lost += sum(self._judge(job, waiting=True) for job in overdue[:OVERDUE_AT_ONCE])
        return lost

    def _judge(self, job: Job, *, waiting: bool = False) -> bool:
        """Report the end that the queue knows, else that it is lost: True then."""
        try:
            reporter, end = self.reporter_for(job), self.known_end(job)
            if end is None:
                return reporter.lost(waiting=waiting)
            report_end(reporter, end)
        except Exception:
            logger.exception("The sweep could not judge task %s.", job.task_id)
        return False

    def reporter_for(self, job: Job) -> JobReporter:
        """A reporter of an existing job."""
        options = self.options_for(job.name) or NotifyOptions()
        return JobReporter(
            job.task_id, integration=job.integration, name=job.name, render=options.content
        )


def report_end(reporter: JobReporter, end: End) -> None:
    state, detail = end
    if state == State.SUCCEEDED:
        reporter.succeeded(detail)
    elif state == State.FAILED:
        reporter.failed(detail)
    else:
        reporter.revoked()


_registered: list[Integration] = []


def register(integration: Integration) -> None:
    """Plug in a task queue; to be called in ``AppConfig.ready()``."""
    _registered.append(integration)
    if integration.delivers:
        dispatch.hooks.deliver = integration.deliver
    dispatch.hooks.cancel |= dict.fromkeys(integration.names, integration.cancel)
    dispatch.hooks.retry |= dict.fromkeys(integration.names, integration.retry)


def sweep() -> int:
    """Mark the silent jobs of every task queue as interrupted, in every scope; their number."""
    lost = scopes.in_each(lambda: sum(integration.sweep() for integration in _registered))
    return sum(lost.values())


def stamps_workers(name: str) -> bool:
    """Whether a job with this ``Job.integration`` waits for a worker that writes a heartbeat."""
    return any(
        name in integration.names and integration.stamps_workers for integration in _registered
    )


def current_task_id() -> str | None:
    """The id of the task that this thread runs, whatever its queue."""
    ids = (integration.current_task_id() for integration in _registered)
    return next(filter(None, ids), None)
