"""Signals in a worker's main process."""

from __future__ import annotations

import functools
from typing import Any
from weakref import WeakSet

from celery import signals
from django.db import connections
from django.db.models import Q

from monitio import dispatch
from monitio.constants import State
from monitio.models import Job, JobRun
from monitio_celery import diagnosis, headers
from monitio_celery.calls import TaskCall
from monitio_celery.groups.refresh import refresh_later
from monitio_celery.headers import TaskHeader
from monitio_celery.reporters import job_reporter
from monitio_celery.retry import report_with_retry
from monitio_celery.signals.base import connect_handler, disconnect_handler, on, report


@on(signals.worker_init)
def enable_refresh_timers(**_: Any) -> None:
    """In this process and, by fork, in its children."""
    refresh_later.in_worker = True


@on(signals.worker_init)
def answer_the_doctor(**_: Any) -> None:
    from celery.worker.control import inspect_command

    inspect_command(name=diagnosis.COMMAND, visible=False)(answer_in_main_process)


def answer_in_main_process(state: Any, **arguments: Any) -> dict[str, Any]:
    try:
        return diagnosis.answer(state, **arguments)
    finally:
        # As every handler of the main process.
        connections[dispatch.database()].close()


@on(signals.worker_init)
def start_on_the_connection_of_the_task(**_: Any) -> None:
    """Celery closes every connection before a task. A start that is reported after that leaves its
    connection open for the task; reported before, it would cost one more connection.
    """
    disconnect_handler("report_started")
    connect_handler("report_started")


@on(signals.task_received, in_main_process=True)
def discard_cancelled(*, request: Any, **_: Any) -> None:
    """The revoke was broadcast before this worker started."""
    from celery.worker.state import revoked

    call = call_of(request)
    header, member, options = call.header, call.member, call.options
    may_be_cancelled = member.options.get("cancel") if member else options and options.cancel
    if not may_be_cancelled:
        return
    # The job that was cancelled may be that of an earlier run under the same id.
    is_this_run = Q(run=0) | Q(run__gte=0 if header is None else header.run)
    with headers.activate(header):
        task_id = member.group if member else request.id
        job = Job.objects.of_task(task_id).filter(is_this_run, cancel_requested=True)
        # Cancelled and tried again: another task has its job now.
        former = JobRun.objects.here().filter(task_id=task_id, state=State.REVOKED)
        if job.exists() or former.exists():
            revoked.add(request.id)


@on(signals.task_received, in_main_process=True)
def remember_received(*, request: Any, **_: Any) -> None:
    _received.add(request)


# The messages of tasks that this worker holds.
_received: WeakSet[Any] = WeakSet()


def dead_attempt(task_id: str) -> int | None:
    """The number of the attempt whose process died; None when unknown.

    This worker may already have received, and even run, a retry that it published.
    """
    from celery.worker.state import active_requests

    try:
        begun = [
            request.request_dict.get("retries") or 0
            for request in _received
            if request.id == task_id and request.time_start and request not in active_requests
        ]
    except RuntimeError:  # another thread has just received one
        return None
    return max(begun, default=None)


@on(signals.task_revoked, in_main_process=True)
def report_revoked(*, sender: Any, request: Any, expired: bool = False, **_: Any) -> None:
    reason = "expired" if expired else ""
    report(sender, request.id, request, lambda reporter: reporter.revoked(reason))


@on(signals.task_unknown, in_main_process=True)
def report_unknown(
    *,
    name: str,
    id: str,  # noqa: A002
    exc: Any = None,
    message: Any = None,
    **_: Any,
) -> None:
    """The task is not registered. The recipients are those of the job's row."""
    with headers.activate(TaskHeader.from_headers(getattr(message, "headers", None))):
        reporter = job_reporter(id, name=name)
    error = f"{name} is not registered" if exc is None else exc
    report_with_retry(functools.partial(reporter.failed, error))


def call_of(request: Any) -> TaskCall:
    """What a request of the main process calls, as its child reports it."""
    header = TaskHeader.from_headers(request.request_dict)
    return TaskCall.of(request.task, (), request.kwargs, header, task_id=request.id)
